//! 金丝雀: a person with a unique word in every field, and a search of every exit for those words.

use serde_json::{Value, json};

use crate::answer::files;
use crate::rig::message::{Message, Resident, field, unique};
use crate::rig::{AGENT, CLERK, DOCTOR, HOME_CLERK, Rig, WORKER};

/// Who may read a word in an answer at all, whatever the gateway itself says of it.
const MAY_READ: &[(&str, &[&str])] =
    &[("allergy", &[AGENT, DOCTOR]), ("diagnosis", &[DOCTOR]), ("other", &[])];

/// A word nothing else contains, one a field, with the kind of field it stands in.
struct Canaries {
    tag: u64,
    words: Vec<(&'static str, String)>,
}

impl Canaries {
    fn word(&mut self, kind: &'static str) -> String {
        let word = format!("KQ{}N{:03}ZX", self.tag, self.words.len());
        self.words.push((kind, word.clone()));
        word
    }

    fn found_in(&self, bytes: &[u8]) -> Vec<&(&'static str, String)> {
        let text = String::from_utf8_lossy(bytes);
        self.words.iter().filter(|(_, word)| text.contains(word.as_str())).collect()
    }
}

/// Everything a hospital could say about somebody, each leaf a canary.
fn messages(canaries: &mut Canaries) -> (Resident, Vec<Message>) {
    let mut other = || canaries.word("other");
    let mut resident = Resident::new();
    resident.local = other();
    resident.name = format!("{}^{}", other(), other());
    let mut admission = Message::new("A01", &resident);
    admission.segments[1] += &format!(
        "|{}||{}^^{}^{}^450003^CHN^H|{}|{}|{}||||{}|{}",
        other(),
        other(),
        other(),
        other(),
        other(),
        other(),
        other(),
        other(),
        other()
    );
    let stay = [(); 6].map(|()| other());
    let [ward, room, bed, doctor, name, visit] = stay;
    admission.segments[2] = format!(
        "PV1|1|I|{ward}^{room}^{bed}|E|||{doctor}^{name}|||||||||||{visit}\
         |||||||||||||||||||||||||20261001080000"
    );
    let [family, given, address, phone] = [(); 4].map(|()| other());
    admission.segments.insert(2, format!("NK1|1|{family}^{given}|CHD|{address}|{phone}"));
    admission.segments.push(format!("ZZZ|{}|{}", other(), other()));
    let mut report = Message::report(&resident);
    let [order, code, text, kind, named] = [(); 5].map(|()| other());
    report.segments[1] = format!("OBR|1||{order}|{code}^{text}^L|||20261001080000");
    report.segments[2] =
        format!("OBX|1|ST|{kind}^{named}^L||{}|{}|{}|N|||F", other(), other(), other());
    let mut refused = Message::new("A01", &resident);
    refused.segments[1] = refused.segments[1].replace("|M", &format!("|{}", other()));
    let mut quarantined = Message::new("A01", &resident);
    quarantined.kind = "ADT^Z99".to_owned();
    quarantined.segments.push(format!("NTE|1||{}", other()));
    let [allergen, what, reaction] = [(); 3].map(|()| canaries.word("allergy"));
    admission.segments.push(format!("AL1|1|DA|{allergen}^{what}^L|SV|{reaction}"));
    let [code, text] = [(); 2].map(|()| canaries.word("diagnosis"));
    admission.segments.push(format!("DG1|1||{code}^{text}^L||20261001|A"));
    (resident, vec![admission, report, refused, quarantined])
}

/// What the record platform adds, where it is nobody's business.
fn records(canaries: &mut Canaries, citizen: &str) -> Vec<Value> {
    let mut other = || canaries.word("other");
    let person = json!({ "citizenId": citizen });
    vec![
        json!({
            "dataset": "ability-assessment", "time": "2026-08-15", "person": person,
            "assessedOn": "2026-08-15", "assessor": other(), "levels": { "final": "2" },
        }),
        json!({
            "dataset": "death", "time": "2026-09-02", "person": person, "source": "hospital",
            "diedAt": "2026-09-01T04:05:00+08:00", "place": other(), "certificate": other(),
            "cause": { "code": other(), "text": other() },
        }),
        json!({
            "dataset": "doctor-contract", "time": "2026-01-10", "person": person,
            "state": "signed", "team": other(), "doctor": other(), "package": other(),
        }),
    ]
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
                json!({ "identifier": identifier, "purpose": purpose, "evidence": &evidence });
            found.push((who, body));
            // Whoever may not read a name finds nobody by it, and hears none back.
            let person = json!({ "name": resident.name.replace('^', ""), "birth_date": "19480315",
                "phone": "13900000000", "address": resident.local });
            let body = json!({ "person": person, "purpose": purpose, "evidence": evidence });
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
    rig.platform.knows(&resident.citizen, records(&mut canaries, &resident.citizen));
    canaries.words.push(("other", resident.citizen.clone()));
    let mut link = rig.mllp();
    for message in &messages {
        let reply = link.exchange(&message.bytes()).unwrap();
        let shown = String::from_utf8_lossy(&reply).replace('\r', "\n");
        let leaked = canaries.found_in(&reply);
        assert!(leaked.is_empty(), "an acknowledgement holds {leaked:?}: {shown}");
    }
    assert_eq!(field(&link.exchange(&messages[0].bytes()).unwrap(), "MSA-1"), "AA");
    let (mut answered, mut read) = (0, 0);
    for (who, question) in questions(&resident) {
        let reply = rig.ask(who, &question);
        answered += u32::from(reply.status == 200);
        check_answer(&canaries, &reply.json(), who);
        read += canaries.found_in(&reply.body).len();
        for (name, value) in &reply.headers {
            let leaked = canaries.found_in(value.as_bytes());
            assert!(leaked.is_empty(), "header {name} holds {leaked:?}");
        }
    }
    assert_eq!(answered, 7, "fewer questions were answered than are granted");
    // Had nothing at all been shown, the search would have proven nothing.
    assert!(read >= 5, "not even those who may read a word have read one");
    assert!(rig.platform.asked() > 0, "the platform was never asked");
    let nothing = |place: &str, bytes: &[u8]| {
        let leaked = canaries.found_in(bytes);
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

/// A word may stand in the value of a released element, for those who may read its kind,
/// and nowhere else in an answer.
fn check_answer(canaries: &Canaries, body: &Value, who: &str) {
    for (kind, word) in canaries.found_in(body.to_string().as_bytes()) {
        let may = MAY_READ.iter().find(|row| row.0 == *kind).unwrap();
        assert!(may.1.contains(&who), "{who} reads {word} ({kind}): {body:#}");
    }
    let mut rest = body.clone();
    for row in rest["elements"].as_array_mut().into_iter().flatten() {
        assert_ne!(row["tier"], "withheld", "{who}");
        if row["tier"] == "full" {
            row["value"] = Value::Null;
        }
    }
    let leaked = canaries.found_in(rest.to_string().as_bytes());
    assert!(leaked.is_empty(), "{who}: {leaked:?} in {rest:#}");
}

#[test]
fn a_search_for_canaries_can_find_one() {
    let mut canaries = Canaries { tag: 1, words: Vec::new() };
    let word = canaries.word("diagnosis");
    assert_eq!(canaries.found_in(format!("a{word}b").as_bytes()).len(), 1);
    let fails = |body: &Value, who| {
        std::panic::catch_unwind(|| check_answer(&canaries, body, who)).is_err()
    };
    let held = json!({ "elements": [{ "tier": "full", "value": word }], "withheld": [] });
    assert!(!fails(&held, DOCTOR));
    assert!(fails(&held, CLERK));
    let leak = json!({ "elements": [], "withheld": [{ "rule": word }] });
    assert!(fails(&leak, DOCTOR));
}
