//! Doubts: what an auditor is to look at, found in a ledger that real questions have filled.

use std::path::Path;

use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::console::{Driver, enrol, shows, sign_in, tab_to, type_in};
use crate::rig::message::{Message, Resident, field};
use crate::rig::{AGENT, CLERK, Rig, at, skipped};

/// A gateway whose policies say otherwise what is to be looked at, with an empty list beside it.
fn site(edits: &[(&str, &str)]) -> Rig {
    let rig = Rig::prepare("");
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let named = config.replacen("[ledger]\n", "[ledger]\npeople = \"people.list\"\n", 1);
    assert_ne!(named, config);
    std::fs::write(rig.config(), named).unwrap();
    std::fs::write(rig.path().join("people.list"), "row,pseudonyms\n").unwrap();
    let terms = rig.path().join("policies/doubts.toml");
    let mut text = std::fs::read_to_string(&terms).unwrap();
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(terms, text).unwrap();
    rig.resume();
    rig
}

/// Somebody with an allergy, so that there is something to tell.
fn admitted(rig: &Rig) -> Resident {
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    resident
}

/// A question of the hotline, or what else a department asks; its receipt.
fn ask(rig: &Rig, (who, purpose): (&str, &str), asker: &str, about: &Resident) -> String {
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": about.citizen },
        "purpose": purpose, "asker": asker, "evidence": { "call": crate::rig::call() },
    });
    rig.ask(who, &question).json()["receipt"].as_str().unwrap().to_owned()
}

const CARD: (&str, &str) = (AGENT, "emergency-card");

/// The doubts of one question, by the command.
fn doubts(rig: &Rig, words: &[&str]) -> Vec<Value> {
    let told = rig.ledger(&[&["doubts", "--json"], words].concat());
    told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn receipts(doubt: &Value) -> Vec<&str> {
    let entries = doubt["entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["receipt"].as_str().unwrap()).collect()
}

#[test]
fn who_reads_many_more_persons_than_usual_is_named_with_the_figures() {
    let rig = site(&[("floor  = 30", "floor = 2")]);
    let residents: Vec<_> = (0..6).map(|_| Resident::new()).collect();
    // Midnight may pass meanwhile: then three of the six are still of one day.
    let asked: Vec<_> =
        residents.iter().map(|one| ask(&rig, (CLERK, "living-check"), "li", one)).collect();
    residents.iter().take(2).for_each(|one| {
        ask(&rig, (CLERK, "living-check"), "wang", one);
    });
    let found = doubts(&rig, &["bulk"]);
    assert!(!found.is_empty());
    for doubt in &found {
        assert_eq!(doubt["who"]["asker"], "li", "{doubt}");
        assert!(doubt["persons"].as_u64().unwrap() > 2 && doubt["limit"] == 2, "{doubt}");
        assert!(receipts(doubt).iter().all(|one| asked.iter().any(|own| own == one)), "{doubt}");
    }
    let told = rig.ledger(&["doubts", "bulk"]);
    assert!(told.contains("批量查看 bulk") && told.contains("不是结论"), "{told}");
    assert_eq!(doubts(&rig, &["bulk", "--until", "2026-01-01"]), Vec::<Value>::new());
    let (done, said) = rig.order(&["ledger", "doubts", "guilty"]);
    assert!(!done && said.contains("asked-again"), "{said}");
}

#[test]
fn who_was_refused_and_asked_otherwise_is_named_with_both_receipts() {
    let rig = site(&[]);
    let (one, other) = (admitted(&rig), admitted(&rig));
    let refused = ask(&rig, (AGENT, "service-matching"), "agent-017", &one);
    let told = ask(&rig, CARD, "agent-017", &one);
    ask(&rig, CARD, "agent-017", &other);
    let found = doubts(&rig, &["asked-again"]);
    let [doubt] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(receipts(doubt), [refused.as_str(), &told]);
    assert_eq!(
        (&doubt["refused"]["purpose"], &doubt["then"]["purpose"], &doubt["fault"]),
        (&json!("service-matching"), &json!("emergency-card"), &json!("purpose-not-granted"))
    );
    // A copy of the store says the same without any configuration.
    let words = ["ledger", "doubts", "asked-again", "--json", "--data", "data"];
    assert_eq!(rig.succeed(&words).lines().count(), 1);
}

/// The list an auditor brings: the agent's household, a protected person, somebody else.
fn list(household: &Resident, protected: &Resident, other: &Resident, agent: &Resident) -> String {
    let (home, safe) = (&household.citizen, &protected.citizen);
    let (free, own) = (&other.citizen, &agent.citizen);
    format!(
        "row,citizen_id,household,protected,askers\nE1,{home},H1,,\nE2,{safe},,yes,\n\
         E3,{free},,,\nE4,{own},H1,,hotline-12349/agent-017\n"
    )
}

#[test]
fn whom_the_auditors_list_ties_to_the_asker_is_named_by_its_row_and_by_no_number() {
    let rig = site(&[]);
    let people = [(); 4].map(|()| admitted(&rig));
    let [home, safe, free, agent] = &people;
    let clear = list(home, safe, free, agent);
    std::fs::write(rig.path().join("clear.csv"), &clear).unwrap();
    let made = rig.ledger(&["people", "clear.csv", "--output", "auditor.list"]);
    let kept = std::fs::read_to_string(rig.path().join("auditor.list")).unwrap();
    assert!(made.contains("4 行"), "{made}");
    for one in [home, safe, free] {
        ask(&rig, CARD, "agent-017", one);
    }
    ask(&rig, CARD, "agent-001", home);
    let expect = [("household", "E1"), ("protected", "E2")];
    for path in ["auditor.list", "clear.csv"] {
        let found = doubts(&rig, &["related", "--people", path]);
        let mut ties: Vec<_> = found
            .iter()
            .map(|doubt| (doubt["tie"].as_str().unwrap(), doubt["looked_at"].as_str().unwrap()))
            .collect();
        ties.sort_unstable();
        assert_eq!(ties, expect, "{path}: {found:?}");
        assert!(found.iter().all(|doubt| doubt["asker"] == "E4"), "{found:?}");
        let told = format!("{found:?}{kept}{made}");
        assert!(people.iter().all(|one| !told.contains(&one.citizen)), "{told}");
    }
    assert_eq!(doubts(&rig, &["related"]), Vec::<Value>::new(), "the configured list is empty");
    // What is kept holds no number, and a list that does is not taken.
    rig.kill();
    std::fs::write(rig.path().join("people.list"), &clear).unwrap();
    for command in ["check", "serve"] {
        let (done, said) = rig.order(&[command]);
        assert!(!done && said.contains("numbers in clear"), "{command}: {said}");
        assert!(people.iter().all(|one| !said.contains(&one.citizen)), "{command}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_finds_what_to_look_at_by_keyboard_and_the_look_is_an_entry() {
    let Some(driver) = Driver::start() else {
        return skipped("no chromium with chromedriver");
    };
    let rig = site(&[]);
    let auditor = enrol(&rig, "lin", "auditor");
    let people = [(); 4].map(|()| admitted(&rig));
    let [home, safe, free, agent] = &people;
    std::fs::write(rig.path().join("clear.csv"), list(home, safe, free, agent)).unwrap();
    let made = rig.ledger(&["people", "clear.csv", "--output", "made.list"]);
    let digest = made.split_whitespace().nth(2).unwrap().trim_end_matches(':').to_owned();
    rename(&rig, "made.list", "people.list");
    ask(&rig, CARD, "agent-017", home);

    let browser = driver.browser().await;
    sign_in(&browser, &rig, "lin", &auditor).await;
    shows(&browser, "hospital-a").await;
    for place in ["/ledger", "/ledger/doubts", "/ledger/doubts?of=related"] {
        tab_to(&browser, place).await;
        type_in(&browser, &Key::Enter.to_string()).await;
        browser.wait().for_element(Locator::Css("h1")).await.unwrap();
        if place != "/ledger" {
            shows(&browser, "名单 E4 查看了同户人员：名单 E1").await;
        } else {
            browser.wait().for_element(Locator::Css("#value")).await.unwrap();
        }
    }
    shows(&browser, &digest).await;
    let page = browser.source().await.unwrap();
    assert!(people.iter().all(|one| !page.contains(&one.citizen)), "the page names a person");
    let row = "//tr[contains(., '同户人员')]//a";
    let entry = browser.find(Locator::XPath(row)).await.unwrap().attr("href").await.unwrap();
    tab_to(&browser, &entry.unwrap()).await;
    type_in(&browser, &Key::Enter.to_string()).await;
    shows(&browser, "紧急救助卡").await;
    // The next look reads on from where the last one ended.
    ask(&rig, CARD, "agent-017", safe);
    browser.goto(&format!("https://{}/ledger/doubts", at(rig.ports.console))).await.unwrap();
    shows(&browser, "名单 E4 查看了重点保护人员：名单 E2").await;
    shows(&browser, "名单 E4 查看了同户人员：名单 E1").await;
    browser.close().await.unwrap();

    let looks = rig.ledger(&["search", "--kind", "query", "--json"]);
    assert!(looks.contains(&format!("doubts all, list {digest}")), "{looks}");
    assert!(looks.contains(&format!("doubts related, list {digest}")), "{looks}");
    assert!(looks.lines().all(|line| line.contains("\"asker\":\"lin\"")), "{looks}");
}

fn rename(rig: &Rig, from: &str, to: &str) {
    let at = |name: &str| Path::new(rig.path()).join(name);
    std::fs::rename(at(from), at(to)).unwrap();
}
