//! The first account of a console, made by a link in a real browser.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fantoccini::key::Key;
use fantoccini::{Client, Locator};

use crate::console::{Driver, one_time_code, shows, tab_to, type_in};
use crate::rig::{Rig, at, skipped};

/// What the operator is shown when he invites somebody.
fn invite(rig: &Rig, name: &str, role: &str) -> (bool, String) {
    rig.order(&["user", "invite", "--name", name, "--role", role])
}

/// The link in it.
pub fn link(rig: &Rig, name: &str, role: &str) -> String {
    let (done, text) = invite(rig, name, role);
    assert!(done, "{text}");
    let link = text.lines().find_map(|line| line.strip_prefix("link")).unwrap().trim().to_owned();
    assert!(link.starts_with(&format!("https://{}/invitation/", at(rig.ports.console))), "{link}");
    link
}

async fn code(browser: &Client) -> String {
    let secret = browser.find(Locator::Css("#secret")).await.unwrap().text().await.unwrap();
    one_time_code(&secret, SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_auditor_makes_the_account_by_keyboard() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let rig = Rig::start();
    assert!(rig.printed().contains("the console has no user"));
    let link = link(&rig, "lin", "auditor");
    let browser = driver.browser().await;
    browser.goto(&link).await.unwrap();
    shows(&browser, "审计员").await;
    tab_to(&browser, "password").await;
    let tab = Key::Tab.to_string();
    type_in(&browser, &format!("four unrelated words here{tab}four unrelated words here{tab}"))
        .await;
    let code = code(&browser).await;
    type_in(&browser, &format!("{code}{}", Key::Enter)).await;
    let found = browser.wait().at_most(Duration::from_secs(30));
    found.for_element(Locator::Css(".equation")).await.unwrap();
    browser.goto(&format!("https://{}/ledger/latest", at(rig.ports.console))).await.unwrap();
    shows(&browser, "账号").await;
    browser.goto(&link).await.unwrap();
    shows(&browser, "此链接无效").await;
    browser.close().await.unwrap();

    let entries = rig.ledger(&["search", "--kind", "account", "--json"]);
    for words in ["lin invited as auditor by uid ", "lin enrolled as auditor"] {
        assert!(entries.contains(words), "{words}: {entries}");
    }
    let token = link.rsplit('/').next().unwrap();
    assert!(!rig.printed().contains(token) && !entries.contains(token), "a link in the log");
    let (done, text) = invite(&rig, "wen", "auditor");
    assert!(done && text.contains("an auditor agrees at the console"), "{text}");
    let (done, text) = invite(&rig, "lin", "operator");
    assert!(!done && text.contains("of that name already"), "{text}");
    assert!(invite(&rig, "wu", "operator").1.starts_with("link"), "the first of them");
    let entries = rig.ledger(&["search", "--kind", "account", "--json"]);
    assert!(entries.contains("wen nominated as auditor by uid "), "{entries}");
    let (done, text) = rig.order(&["user", "list"]);
    assert!(done && text.contains("lin") && !text.contains("wen"), "{text}");
}
