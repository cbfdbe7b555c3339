//! Messages tried again many at a time: foretold, wanted by two people at the console, done in the
//! order of the journal, across a restart.

use fantoccini::{Client, Locator};

use crate::accessible::sound;
use crate::console::{Driver, Enrolled, enrol, shows, sign_in};
use crate::notices::Site;
use crate::review::{pictured, presses};
use crate::rig::message::{Message, Resident, field};
use crate::rig::{PLAIN_SENDER, Rig, at, skipped, until};
use crate::trace::Pages;

/// A pile of the quarantine, as a form names it.
const PILE: &str = "state=quarantined&sender=hospital-a&fault=table-value&place=PID-8";

/// Sends an admission whose sex no table knows.
fn held(rig: &Rig, resident: &Resident, sex: &str) {
    let mut message = Message::new("A01", resident);
    message.segments[1] = message.segments[1].replace("|M", &format!("|{sex}"));
    assert_eq!(field(&rig.mllp().exchange(&message.bytes()).unwrap(), "MSA-1"), "AE");
}

/// The operator has mended the spelling of one sex.
fn mend(rig: &Rig) {
    let overlay = rig.path().join(format!("mappings/senders/{PLAIN_SENDER}.toml"));
    let spelled = "title = \"spells the sex out\"\ncodes = { \"PID-8\" = { \"male\" = \"M\" } }\n";
    std::fs::write(overlay, spelled).unwrap();
    assert!(rig.order(&["reload"]).0);
}

/// The number of the newest rerun.
fn newest(rig: &Rig) -> u64 {
    rig.stored("SELECT max(number) FROM rerun")
}

/// Waits until the newest rerun has come to a stage, by its code.
fn comes_to(rig: &Rig, stage: u64) {
    until("the rerun is there", || {
        let sql = "SELECT stage FROM rerun ORDER BY number DESC LIMIT 1";
        (rig.stored(sql) == stage).then_some(())
    });
}

const DONE: u64 = 3;
const STOPPED: u64 = 4;
const OUTDATED: u64 = 6;

#[test]
fn what_was_foretold_happens_in_order_and_a_killed_gateway_counts_nothing_twice() {
    let rig = Rig::start();
    for number in 0..60 {
        held(&rig, &Resident::new(), if number == 7 { "neither" } else { "male" });
    }
    // One more, which is of another pile, and one that came after the proposal.
    rig.mllp().exchange(&Message::new("Z99", &Resident::new()).bytes()).unwrap();
    let (one, other) = (enrol(&rig, "wen", "operator"), enrol(&rig, "wu", "operator"));
    let mut first = Pages::of(&rig, "wen", &one);
    let mut second = Pages::of(&rig, "wu", &other);
    let page = String::from_utf8(first.post("/trace/replays/preview", PILE).body).unwrap();
    assert!(page.contains("<dd>60</dd>"), "{page}");
    assert_eq!(rig.stored("SELECT count(*) FROM journal WHERE state = 1"), 61);
    assert_eq!(rig.stored("SELECT count(*) FROM outcome"), 0, "a preview keeps nothing");
    mend(&rig);
    let page = String::from_utf8(first.post("/trace/replays/preview", PILE).body).unwrap();
    for told in ["<dd>59</dd>", "<dd>1</dd>", "table-value", "PID-8"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let by_command =
        ["replay", "--sender", PLAIN_SENDER, "--place", "PID-8", "--preview", "--json"];
    let (done, text) = rig.order(&by_command);
    assert!(done && text.contains("\"kept\":59"), "{text}");
    assert_eq!(first.post("/trace/replays", PILE).status, 303);
    held(&rig, &Resident::new(), "neither");
    let path = format!("/trace/replays/{}", newest(&rig));
    assert_eq!(first.post(&path, "decision=approve").status, 409);
    assert_eq!(rig.stored("SELECT count(*) FROM outcome"), 0);
    assert_eq!(second.post(&path, "decision=approve").status, 303);
    until("it has begun", || (rig.stored("SELECT count(*) FROM outcome") > 2).then_some(()));
    rig.kill();
    rig.resume();
    comes_to(&rig, DONE);
    let count = |what: &str| rig.stored(&format!("SELECT {what} FROM rerun"));
    assert_eq!((count("kept"), count("held"), count("refused + failed")), (59, 1, 0));
    assert_eq!(rig.stored("SELECT count(DISTINCT number) FROM outcome"), 60);
    let out_of_order = "SELECT count(*) FROM outcome one JOIN outcome two \
        ON one.event < two.event AND one.number > two.number";
    assert_eq!(rig.stored(out_of_order), 0);
    let told = rig.ledger(&["search", "--kind", "replay"]);
    for word in ["preview of", "rerun of 60 proposed", "approved", "59 kept, 1 held, 0 refused"] {
        assert!(told.contains(word), "the ledger does not say {word}: {told}");
    }
    let mut third = Pages::of(&rig, "wen", &one);
    assert!(third.see(&path).contains("60 / 60"));
}

#[test]
fn one_that_is_stopped_or_outdated_leaves_the_rest_alone() {
    let rig = Rig::start();
    for _ in 0..3 {
        held(&rig, &Resident::new(), "male");
    }
    let (one, other) = (enrol(&rig, "wen", "operator"), enrol(&rig, "wu", "operator"));
    let mut first = Pages::of(&rig, "wen", &one);
    let mut second = Pages::of(&rig, "wu", &other);
    assert_eq!(first.post("/trace/replays", PILE).status, 303);
    let path = format!("/trace/replays/{}", newest(&rig));
    mend(&rig);
    // Approved by nobody: what was previewed is not what would be.
    let late = second.post(&path, "decision=approve");
    assert_eq!(late.status, 409);
    assert!(String::from_utf8_lossy(&late.body).contains("映射已变更"));
    assert_eq!(second.post(&path, "decision=decline").status, 303);

    // Approved before, and stopped or outdated while the gateway was down.
    for (stage, end) in [(2, STOPPED), (1, OUTDATED)] {
        assert_eq!(first.post("/trace/replays", PILE).status, 303);
        rig.stop();
        let store = rusqlite::Connection::open(rig.path().join("data/kangqiao.db")).unwrap();
        let sql = "UPDATE rerun SET stage = ?1, approved_by = 'wu' WHERE stage = 0";
        assert_eq!(store.execute(sql, [stage]).unwrap(), 1);
        if end == OUTDATED {
            store.execute("UPDATE rerun SET mappings = 'other' WHERE stage = 1", []).unwrap();
        }
        drop(store);
        rig.resume();
        first = Pages::of(&rig, "wen", &one);
        comes_to(&rig, end);
    }
    assert_eq!(rig.stored("SELECT count(*) FROM outcome"), 0);
    let told = rig.ledger(&["search", "--kind", "replay"]);
    assert!(told.contains("stopped: 0 kept") && told.contains("mappings changed"), "{told}");
}

async fn signed_in(driver: &Driver, rig: &Rig, name: &str, user: &Enrolled) -> Client {
    let browser = driver.browser().await;
    sign_in(&browser, rig, name, user).await;
    browser.wait().for_element(Locator::Css(".equation")).await.unwrap();
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_try_a_pile_again_by_keyboard_and_an_elders_notice_leaves() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let site = Site::for_purpose("subsidy-eligibility", "\"long-stay\"");
    let rig = &site.rig;
    let elder = Resident::new();
    site.enrol(&elder, "E-1");
    held(rig, &elder, "male");
    held(rig, &Resident::new(), "neither");
    mend(rig);
    let (one, other) = (enrol(rig, "wen", "operator"), enrol(rig, "wu", "operator"));
    let browser = signed_in(&driver, rig, "wen", &one).await;
    browser.goto(&format!("https://{}/trace/quarantine", at(rig.ports.console))).await.unwrap();
    pictured(&browser, "quarantine").await;
    presses(&browser, "try-2").await;
    shows(&browser, "试算结果").await;
    pictured(&browser, "preview").await;
    sound(&browser).await;
    let page = browser.source().await.unwrap();
    assert!(!page.contains(&elder.citizen) && !page.contains(&elder.local));
    shows(&browser, "long-stay").await;
    assert_eq!(rig.stored("SELECT count(*) FROM outbox"), 0, "a preview sends nothing");
    presses(&browser, "propose").await;
    shows(&browser, "等候批准").await;
    let path = format!("https://{}/trace/replays/{}", at(rig.ports.console), newest(rig));
    let second = signed_in(&driver, rig, "wu", &other).await;
    second.goto(&path).await.unwrap();
    presses(&second, "approve").await;
    shows(&second, "已记入台账").await;
    comes_to(rig, DONE);
    browser.goto(&path).await.unwrap();
    shows(&browser, "已完成").await;
    pictured(&browser, "rerun").await;
    sound(&browser).await;
    let tried = browser.find(Locator::Css("#tried")).await.unwrap().text().await.unwrap();
    let figures: Vec<_> = tried.lines().filter(|line| line.starts_with(char::is_numeric)).collect();
    assert_eq!(figures, ["2 / 2", "1", "1", "0"]);
    assert_eq!(rig.stored("SELECT count(*) FROM outbox"), 1);
    browser.close().await.unwrap();
    second.close().await.unwrap();
}
