//! An auditor's work at the console in a real Chromium: a search that is kept, a hold that two let
//! go.

use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use serde_json::json;

use crate::accessible::sound;
use crate::console::{Driver, Enrolled, enrol, shows, sign_in, tab_to, type_in};
use crate::review::{pictured, presses};
use crate::rig::message::{Message, Resident};
use crate::rig::{AGENT, CLERK, Rig, at, skipped};

async fn signed_in(driver: &Driver, rig: &Rig, name: &str, user: &Enrolled) -> Client {
    let browser = driver.browser().await;
    sign_in(&browser, rig, name, user).await;
    browser.wait().for_element(Locator::Css(".equation")).await.unwrap();
    browser
}

async fn goes(browser: &Client, rig: &Rig, place: &str) {
    browser.goto(&format!("https://{}{place}", at(rig.ports.console))).await.unwrap();
}

/// A driver that types one key after the other never leaves a field of date and time, as a person
/// does; so what stands behind one is clicked.
async fn clicks(browser: &Client, id: &str) {
    browser.find(Locator::Id(id)).await.unwrap().click().await.unwrap();
}

/// A gateway that has told something and refused something.
fn asked() -> (Rig, Resident) {
    let rig = Rig::start();
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
    for (who, status) in [(AGENT, 200), (CLERK, 403), (AGENT, 200)] {
        let question = json!({
            "identifier": { "kind": "citizen-id", "value": resident.citizen },
            "purpose": "emergency-card",
            "evidence": { "call": crate::rig::call() },
        });
        assert_eq!(rig.ask(who, &question).status, status);
    }
    (rig, resident)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_keeps_a_search_runs_it_and_deletes_it() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let (rig, _) = asked();
    let auditor = enrol(&rig, "lin", "auditor");
    let browser = signed_in(&driver, &rig, "lin", &auditor).await;
    goes(&browser, &rig, "/ledger").await;
    let kind = browser.find(Locator::Id("of-kind")).await.unwrap();
    kind.select_by_value("refusal").await.unwrap();
    clicks(&browser, "by-terms").await;
    shows(&browser, "符合条件的条目").await;
    let rows = browser.find_all(Locator::Css("tbody tr")).await.unwrap();
    assert_eq!(rows.len(), 1, "{}", browser.source().await.unwrap());
    tab_to(&browser, "title").await;
    type_in(&browser, "被拒绝的").await;
    pictured(&browser, "entries").await;
    sound(&browser).await;
    presses(&browser, "save").await;
    shows(&browser, "已保存，已记入台账").await;
    shows(&browser, "被拒绝的").await;
    pictured(&browser, "ledger").await;
    sound(&browser).await;
    clicks(&browser, "run-1").await;
    shows(&browser, "符合条件的条目").await;
    goes(&browser, &rig, "/ledger").await;
    clicks(&browser, "forget-1").await;
    shows(&browser, "已删除，已记入台账").await;
    assert_eq!(rig.stored("SELECT count(*) FROM saved_search"), 0);
    let told = rig.ledger(&["search", "--kind", "query"]);
    for word in ["ledger search saved: kind=refusal", "ledger refusal", "search forgotten"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    browser.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_auditor_holds_and_two_let_go_by_keyboard() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let (rig, resident) = asked();
    let (one, other) = (enrol(&rig, "lin", "auditor"), enrol(&rig, "mei", "auditor"));
    let first = signed_in(&driver, &rig, "lin", &one).await;
    goes(&first, &rig, "/ledger/holds").await;
    tab_to(&first, "value").await;
    type_in(&first, &resident.citizen).await;
    tab_to(&first, "person-reason").await;
    type_in(&first, &format!("JC-2026-7{}", Key::Enter)).await;
    shows(&first, "已保全，已记入台账").await;
    let page = first.source().await.unwrap();
    assert!(page.contains("JC-2026-7") && !page.contains(&resident.citizen));
    let number = rig.stored("SELECT number FROM preserved");
    tab_to(&first, &format!("why-{number}")).await;
    type_in(&first, "结案").await;
    presses(&first, &format!("lift-{number}")).await;
    shows(&first, "等候另一名审计员同意").await;
    let second = signed_in(&driver, &rig, "mei", &other).await;
    goes(&second, &rig, "/ledger/holds").await;
    shows(&second, "lin 提出解除").await;
    pictured(&second, "holds").await;
    sound(&second).await;
    presses(&second, &format!("agree-{number}")).await;
    shows(&second, "已解除，已记入台账").await;
    assert_eq!(rig.stored("SELECT count(*) FROM preserved"), 0);

    // An auditor more takes two: the machine has spoken, and one who is there agrees.
    let (done, text) = rig.order(&["user", "invite", "--name", "zhao", "--role", "auditor"]);
    assert!(done && text.starts_with("waits"), "{text}");
    goes(&first, &rig, "/ledger/accounts").await;
    shows(&first, "网关主机").await;
    pictured(&first, "accounts").await;
    sound(&first).await;
    presses(&first, "speak-zhao").await;
    shows(&first, "/invitation/").await;
    let told = rig.ledger(&["search", "--kind", "account", "--json"]);
    for words in ["zhao nominated as auditor by uid ", "zhao invited as auditor by lin"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    first.close().await.unwrap();
    second.close().await.unwrap();
}

#[test]
fn a_search_by_command_names_an_unknown_department_and_says_that_no_entry_tells_of_it() {
    let rig = Rig::shared();
    let (done, text) = rig.order(&["ledger", "search", "--department", "nobody"]);
    assert!(done && text.contains("no such department, only"), "{text}");
    assert!(text.contains("civil-affairs") && text.contains("no entry says so"), "{text}");
    let known = ["ledger", "search", "--department", "civil-affairs", "--until", "2020-01-01"];
    let (done, text) = rig.order(&known);
    assert!(done && !text.contains("no such department"), "{text}");
    let (done, text) = rig.order(&[&known[..], &["--json"]].concat());
    assert!(done && text.is_empty(), "a machine is told what it asked for alone: {text}");
}
