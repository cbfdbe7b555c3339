//! Operate: replay, undo a merge, erase and reload through the operator's socket.

use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{AGENT, PLAIN_SENDER, Rig};

fn send(rig: &Rig, message: &Message) -> String {
    field(&rig.mllp().exchange(&message.bytes()).unwrap(), "MSA-1")
}

/// The allergens an agent is told of, by citizen id.
pub fn allergens(rig: &Rig, citizen: &str) -> Vec<Value> {
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": citizen },
        "purpose": "emergency-card",
        "elements": ["DE05.01.022.00"],
        "evidence": { "call": crate::rig::call() },
    });
    let reply = rig.ask(AGENT, &question);
    assert_eq!(reply.status, 200);
    reply.json()["elements"].as_array().unwrap().clone()
}

fn admitted(identifiers: &str, allergen: &str) -> Message {
    let mut message = Message::new("A01", &Resident::new());
    message.segments[1] = format!("PID|1||{identifiers}||某^某");
    message.segments.push(format!("AL1|1|DA|{allergen}^x^CV05.01.038|SV"));
    message
}

#[test]
fn a_quarantined_message_is_applied_once_its_code_is_known() {
    let rig = Rig::start();
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments[1] = message.segments[1].replace("|M", "|male");
    message.segments.push("AL1|1|DA|101^x^CV05.01.038|SV".to_owned());
    assert_eq!(send(&rig, &message), "AE");
    assert!(allergens(&rig, &resident.citizen).is_empty());
    let (done, text) = rig.order(&["replay", "--all"]);
    assert!(!done && text.contains("table-value") && text.contains("PID-8"), "{text}");

    let overlay = rig.path().join(format!("mappings/senders/{PLAIN_SENDER}.toml"));
    let spelled = "title = \"spells the sex out\"\ncodes = { \"PID-8\" = { \"male\" = \"M\" } }\n";
    std::fs::write(&overlay, spelled).unwrap();
    let (done, text) = rig.order(&["reload"]);
    assert!(done && text.contains("mappings"), "{text}");
    let (done, text) = rig.order(&["replay", "--all"]);
    assert!(done && text.contains("\"state\":\"kept\""), "{text}");
    assert_eq!(allergens(&rig, &resident.citizen).len(), 1, "the copy was forgotten");
    assert_eq!(send(&rig, &message), "AA", "a resend is answered by what became of it since");
    let (done, text) = rig.order(&["replay", "1"]);
    assert!(done && text.contains("kept"), "what is applied stays applied: {text}");
    assert!(rig.ledger(&["search", "--kind", "replay", "--json"]).contains("uid"));
}

#[test]
fn what_was_refused_is_not_applied_by_a_replay() {
    let rig = Rig::start();
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^x^CV05.01.038|SV".to_owned());
    // A department is no sender.
    let reply = rig.https(AGENT).post("/v1/messages", "application/hl7-v2", &message.bytes());
    assert_eq!(field(&reply.unwrap().body, "MSA-1"), "AR");
    let (done, text) = rig.order(&["replay", "1"]);
    assert!(!done && text.contains("refused"), "{text}");
    assert!(allergens(&rig, &resident.citizen).is_empty());
}

#[test]
fn what_upstream_systems_said_of_an_erased_person_is_forgotten_under_every_number() {
    let rig = Rig::start();
    let mut resident = Resident::new();
    let record = format!("11010500300{:06}", crate::rig::message::unique() % 1_000_000);
    resident.more = format!("~{record}^^^EHR^EHR");
    assert_eq!(send(&rig, &Message::new("A28", &resident)), "AA");
    let profile = json!({ "dataset": "allergy", "person": { "recordNumber": record },
                          "hasAllergies": true, "text": "青霉素" });
    rig.platform.knows(&record, vec![profile]);
    let ask = || {
        let question = json!({
            "identifier": { "kind": "record-number", "value": record },
            "purpose": "emergency-card",
            "evidence": { "call": crate::rig::call() },
        });
        assert_eq!(rig.ask(AGENT, &question).status, 200);
        rig.platform.asked()
    };
    assert_eq!((ask(), ask()), (1, 1));
    let (done, text) = rig.order(&["erase", "--citizen-id", &resident.citizen, "--yes"]);
    assert!(done, "{text}");
    assert_eq!(ask(), 2, "the copy outlived the person");
}

#[test]
fn an_undone_merge_leaves_both_as_they_were() {
    let rig = Rig::start();
    let (old, new) = (Resident::new(), Resident::new());
    assert_eq!(send(&rig, &admitted(&format!("{}^^^A^MR", old.local), "101")), "AA");
    assert_eq!(send(&rig, &admitted(&new.identifiers(), "102")), "AA");
    assert_eq!(allergens(&rig, &new.citizen).len(), 1);
    let mut merge = Message::new("A40", &new);
    merge.segments.push(format!("MRG|{}^^^A^MR", old.local));
    assert_eq!(send(&rig, &merge), "AA");
    assert_eq!(allergens(&rig, &new.citizen).len(), 2);
    let (done, text) = rig.order(&["unmerge", "--local", &old.local, "--authority", "A"]);
    assert!(done && text.contains("persons"), "{text}");
    assert_eq!(allergens(&rig, &new.citizen).len(), 1);
    let (done, text) = rig.order(&["unmerge", "--local", &old.local, "--authority", "A"]);
    assert!(!done && text.contains("not-merged"), "{text}");
    let told = rig.ledger(&["search", "--kind", "merge", "--kind", "unmerge"]);
    assert!(told.contains("unmerge"), "{told}");
}

#[test]
fn an_erased_person_is_gone_and_the_ledger_is_whole() {
    let rig = Rig::start();
    let resident = Resident::new();
    assert_eq!(send(&rig, &admitted(&resident.identifiers(), "101")), "AA");
    assert_eq!(allergens(&rig, &resident.citizen).len(), 1);
    let (done, text) = rig.order(&["erase", "--citizen-id", &resident.citizen]);
    assert!(!done && text.contains("--yes"), "{text}");
    let (done, text) = rig.order(&["erase", "--yes", "--citizen-id", &resident.citizen]);
    assert!(done, "{text}");
    assert!(allergens(&rig, &resident.citizen).is_empty());
    rig.ledger(&["verify"]);
}

#[test]
fn a_faulty_folder_is_told_to_whoever_ordered_the_reload() {
    let rig = Rig::start();
    let file = rig.path().join("mappings/hl7v2/pid.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("segment", "segmint", 1)).unwrap();
    let (done, text) = rig.order(&["reload"]);
    assert!(!done && text.contains("pid.toml:"), "{text}");
}

#[test]
fn a_reload_says_what_waits_for_a_restart() {
    let rig = Rig::prepare("sandbox = \"off\"");
    rig.resume();
    let exchange = "[[exchange]]\nname = \"city-a\"\nsender = \"hospital-a\"\nfolder = \"in\"\n";
    let config = std::fs::read_to_string(rig.config()).unwrap();
    std::fs::write(rig.config(), format!("{config}\n{exchange}")).unwrap();
    let (sound, text) = rig.order(&["check"]);
    assert!(!sound && text.contains("there is no such folder"), "{text}");
    std::fs::create_dir(rig.path().join("in")).unwrap();
    assert!(rig.order(&["check"]).0);
    let (done, text) = rig.order(&["reload"]);
    assert!(done && text.contains("after a restart: [[exchange]] city-a"), "{text}");
    std::fs::write(rig.config(), config).unwrap();
    let (done, text) = rig.order(&["reload"]);
    assert!(done && !text.contains("restart"), "{text}");
}
