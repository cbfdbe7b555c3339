//! 金丝雀: a person with a unique word in every field, and a search of every exit for those words.

use serde_json::{Value, json};

use crate::answer::files;
use crate::rig::message::{Message, Resident, field, unique};
use crate::rig::{AGENT, CLERK, DOCTOR, HOME_CLERK, Rig, WORKER};

/// A word nothing else contains, one a field.
struct Canaries {
    tag: u64,
    words: Vec<String>,
}

impl Canaries {
    fn word(&mut self) -> String {
        let word = format!("KQ{}N{:03}ZX", self.tag, self.words.len());
        self.words.push(word.clone());
        word
    }

    fn found_in<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = &'a String> {
        let text = String::from_utf8_lossy(bytes);
        self.words.iter().filter(move |word| text.contains(word.as_str()))
    }
}

/// Everything a hospital could say about somebody, each leaf a canary.
fn messages(canaries: &mut Canaries) -> (Resident, Vec<Message>) {
    let mut resident = Resident::new();
    resident.local = canaries.word();
    resident.name = format!("{}^{}", canaries.word(), canaries.word());
    let mut admission = Message::new("A01", &resident);
    let mut word = || canaries.word();
    admission.segments[1] += &format!(
        "|{}||{}^^{}^{}^450003^CHN^H|{}|{}|{}||||{}|{}",
        word(),
        word(),
        word(),
        word(),
        word(),
        word(),
        word(),
        word(),
        word()
    );
    admission.segments[2] = format!(
        "PV1|1|I|{}^{}^{}|E|||{}^{}|||||||||||{}|||||||||||||||||||||||||20261001080000",
        word(),
        word(),
        word(),
        word(),
        word(),
        word()
    );
    admission.segments.insert(2, format!("NK1|1|{}^{}|CHD|{}|{}", word(), word(), word(), word()));
    admission.segments.push(format!("AL1|1|DA|{}^{}^L|SV|{}", word(), word(), word()));
    admission.segments.push(format!("DG1|1||{}^{}^L||20261001|A", word(), word()));
    admission.segments.push(format!("ZZZ|{}|{}", word(), word()));
    let mut report = Message::report(&resident);
    report.segments[1] = format!("OBR|1||{}|{}^{}^L|||20261001080000", word(), word(), word());
    report.segments[2] =
        format!("OBX|1|ST|{}^{}^L||{}|{}|{}|N|||F", word(), word(), word(), word(), word());
    let mut refused = Message::new("A01", &resident);
    refused.segments[1] = refused.segments[1].replace("|M", &format!("|{}", word()));
    let mut quarantined = Message::new("A01", &resident);
    quarantined.kind = "ADT^Z99".to_owned();
    quarantined.segments.push(format!("NTE|1||{}", word()));
    (resident, vec![admission, report, refused, quarantined])
}

fn questions(resident: &Resident) -> Vec<(&'static str, Value)> {
    let mut found = Vec::new();
    for who in [CLERK, AGENT, DOCTOR, HOME_CLERK, WORKER] {
        for purpose in [
            "subsidy-eligibility",
            "emergency-card",
            "institution-admission",
            "contract-status",
            "living-check",
            "record-location",
        ] {
            let identifier = json!({ "kind": "citizen-id", "value": resident.citizen });
            let evidence = json!({ "call": "CALL-7", "case": "CASE-7" });
            let body =
                json!({ "identifier": identifier, "purpose": purpose, "evidence": evidence });
            found.push((who, body));
        }
    }
    found
}

#[test]
fn no_withheld_word_leaves_by_any_exit() {
    let rig = Rig::start();
    let mut canaries = Canaries { tag: unique() % 100_000, words: Vec::new() };
    let (resident, messages) = messages(&mut canaries);
    canaries.words.push(resident.citizen.clone());
    let mut link = rig.mllp();
    for message in &messages {
        let reply = link.exchange(&message.bytes()).unwrap();
        let shown = String::from_utf8_lossy(&reply).replace('\r', "\n");
        let leaked: Vec<_> = canaries.found_in(&reply).collect();
        assert!(leaked.is_empty(), "an acknowledgement holds {leaked:?}: {shown}");
    }
    assert_eq!(field(&link.exchange(&messages[0].bytes()).unwrap(), "MSA-1"), "AA");
    for (who, question) in questions(&resident) {
        let reply = rig.ask(who, &question);
        check_answer(&canaries, &reply.json(), &format!("{who} {}", question["purpose"]));
        for (name, value) in &reply.headers {
            let leaked: Vec<_> = canaries.found_in(value.as_bytes()).collect();
            assert!(leaked.is_empty(), "header {name} holds {leaked:?}");
        }
    }
    let nothing = |place: &str, bytes: &[u8]| {
        let leaked: Vec<_> = canaries.found_in(bytes).collect();
        assert!(leaked.is_empty(), "{place} holds {leaked:?}");
    };
    nothing("/metrics", &rig.operation("/metrics").unwrap().body);
    for words in ["export", "search", "verify"] {
        nothing(words, rig.ledger(&[words]).as_bytes());
    }
    let data = |when: &str| {
        let found = files(rig.path().join("data"));
        assert!(!found.is_empty(), "there is no store to search");
        for (path, bytes) in found {
            nothing(&format!("{} {when}", path.display()), &bytes);
        }
    };
    data("while it runs");
    rig.stop();
    data("after it stopped");
    nothing("the log", rig.printed().as_bytes());
}

/// A word may stand in the value of a released element, and nowhere else in an answer.
fn check_answer(canaries: &Canaries, body: &Value, place: &str) {
    let mut rest = body.clone();
    for row in rest["elements"].as_array_mut().into_iter().flatten() {
        assert_ne!(row["tier"], "withheld", "{place}");
        if row["tier"] == "full" {
            row["value"] = Value::Null;
        }
    }
    let leaked: Vec<_> = canaries.found_in(rest.to_string().as_bytes()).cloned().collect();
    assert!(leaked.is_empty(), "{place}: {leaked:?} in {rest:#}");
}

#[test]
fn a_search_for_canaries_can_find_one() {
    let mut canaries = Canaries { tag: 1, words: Vec::new() };
    let word = canaries.word();
    assert_eq!(canaries.found_in(format!("a{word}b").as_bytes()).count(), 1);
    let held = json!({ "elements": [{ "tier": "full", "value": word }], "withheld": [] });
    check_answer(&canaries, &held, "a released value");
    let leak = json!({ "elements": [], "withheld": [{ "rule": word }] });
    assert!(std::panic::catch_unwind(|| check_answer(&canaries, &leak, "a rule")).is_err());
}
