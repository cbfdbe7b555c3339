//! One elder, one identity: entries of two hospitals, through the real sockets.

use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{AGENT, Rig, TLS_SENDER, until};

/// What a command answers, as JSON: one value, or a line each.
fn told(rig: &Rig, words: &[&str]) -> Vec<Value> {
    let (done, text) = rig.order(words);
    assert!(done, "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Says who somebody is, as the hospital that has no certificate or the one that has.
fn admit(rig: &Rig, hospital: &str, pid: &str, allergen: &str) -> String {
    let mut message = Message::new("A01", &Resident::new());
    message.segments[1] = pid.to_owned();
    if !allergen.is_empty() {
        message.segments.push(format!("AL1|1|DA|{allergen}^x^CV05.01.038|SV"));
    }
    let reply = match hospital {
        "HOSP-A" => rig.mllp().exchange(&message.bytes()).unwrap(),
        _ => rig.mllps(TLS_SENDER).unwrap().exchange(&message.bytes()).unwrap(),
    };
    field(&reply, "MSA-1")
}

/// The number of somebody's health record, which hospital A knows.
const RECORD: &str = "41010500100100001";

fn pid(hospital: &str, number: &str, citizen: &str, who: &str) -> String {
    let id = if citizen.is_empty() { String::new() } else { format!("~{citizen}^^^GA^NI") };
    let record = if hospital == "HOSP-A" { format!("~{RECORD}^^^^EHR") } else { String::new() };
    format!("PID|1||{number}^^^{hospital}^MR{id}{record}||{who}")
}

/// How many allergens an agent is told of who asks by a number.
fn allergens(rig: &Rig, kind: &str, number: &str) -> usize {
    let question = json!({
        "identifier": { "kind": kind, "value": number },
        "purpose": "emergency-card",
        "elements": ["DE05.01.022.00"],
        "evidence": { "call": crate::rig::call() },
    });
    let reply = rig.ask(AGENT, &question);
    assert_eq!(reply.status, 200);
    reply.json()["elements"].as_array().unwrap().len()
}

#[test]
fn one_elder_of_two_hospitals_is_found_explained_parted_and_joined() {
    let rig = Rig::start();
    let resident = Resident::new();
    let (birth, id) = (&resident.citizen[6..14], resident.citizen.as_str());
    let home = "^^中山路12号院3号楼501室||13900000001";
    let here = format!("欧阳^秀兰||{birth}|F|||{home}");
    let there = format!("歐陽^秀蘭||{birth}|F|||{home}");
    assert_eq!(admit(&rig, "HOSP-A", &pid("HOSP-A", "A1", id, &here), "101"), "AA");
    assert_eq!(admit(&rig, "HOSP-B", &pid("HOSP-B", "B1", "", &there), "102"), "AA");
    assert_eq!(allergens(&rig, "citizen-id", id), 2, "what both hospitals know of her");
    let entries = rig.ledger(&["search", "--kind", "link", "--json"]);
    assert!(entries.contains("\"kind\":\"link\"") && !entries.contains(id), "{entries}");

    let explained = &told(&rig, &["identity", "explain", "--citizen-id", id])[0];
    assert_eq!(explained["entries"].as_array().unwrap().len(), 2);
    let judged = &explained["links"][0]["judged"];
    assert_eq!(
        (&judged["verdict"], &judged["rule"]),
        (&json!("automatic"), &json!("corroborated"))
    );
    let name = judged["fields"].as_array().unwrap().iter().find(|part| part["field"] == "name");
    assert_eq!(name.unwrap()["level"], "same", "traditional characters are no other name");

    let entry = |at: usize| explained["entries"][at]["entry"].as_i64().unwrap().to_string();
    let (one, other) = (entry(0), entry(1));
    told(&rig, &["identity", "unlink", &one, &other]);
    assert_eq!(allergens(&rig, "citizen-id", id), 1);
    assert_eq!(admit(&rig, "HOSP-B", &pid("HOSP-B", "B1", id, &there), ""), "AA");
    assert_eq!(allergens(&rig, "record-number", RECORD), 1, "a no outlives a surer message");
    told(&rig, &["identity", "link", &one, &other]);
    assert_eq!(allergens(&rig, "citizen-id", id), 2);
    let history = told(&rig, &["identity", "history", "--citizen-id", id]);
    let said: Vec<_> = history.iter().map(|event| event["what"].as_str().unwrap()).collect();
    assert_eq!(said, ["apart", "same"]);
    told(&rig, &["identity", "undo", &history[1]["event"].to_string()]);
    assert_eq!(allergens(&rig, "citizen-id", id), 2, "with neither word their ids say it");
    let (done, text) = rig.order(&["identity", "undo", &history[1]["event"].to_string()]);
    assert!(!done && text.contains("identity-missing"), "it has ended: {text}");
    let stats = &told(&rig, &["identity", "stats"])[0];
    assert!(stats["persons"].as_u64().unwrap() >= 1);
    assert!(rig.ledger(&["search", "--kind", "identity", "--json"]).contains("not one person"));
}

#[test]
fn the_key_of_the_tokens_rotates_while_everybody_is_served() {
    let rig = Rig::start();
    let resident = Resident::new();
    let (birth, id) = (&resident.citizen[6..14], resident.citizen.as_str());
    let who = format!("欧阳^秀兰||{birth}|F|||^^中山路12号院3号楼501室||13900000001");
    assert_eq!(admit(&rig, "HOSP-A", &pid("HOSP-A", "A1", id, &who), "101"), "AA");
    assert_eq!(allergens(&rig, "citizen-id", id), 1);
    let about = ["search", "--citizen-id", id, "--json"];
    let before = rig.ledger(&about);
    let rotated = &told(&rig, &["identity", "rotate"])[0];
    assert_eq!((&rotated["generation"], &rotated["ending"]), (&json!(2), &json!(1)));
    // Whichever key either entry stands under by now.
    assert_eq!(admit(&rig, "HOSP-B", &pid("HOSP-B", "B1", "", &who), "102"), "AA");
    assert_eq!(allergens(&rig, "citizen-id", id), 2);
    let tokens = || told(&rig, &["identity", "stats"])[0]["tokens"].clone();
    let ended = json!({ "generation": 2, "ending": null, "entries_left": 0 });
    until("the old generation ends", || (tokens() == ended).then_some(()));
    rig.kill();
    rig.resume();
    assert_eq!(allergens(&rig, "citizen-id", id), 2);
    let said = rig.ledger(&["search", "--kind", "identity", "--json"]);
    assert!(said.contains("token generation 1 ended") && said.contains("generation ordered"));
    let after = rig.ledger(&about);
    assert!(!before.is_empty() && before.lines().all(|entry| after.contains(entry)), "{after}");
    assert_eq!(rig.counted("kangqiao_identity_token_generation", &[]), 2);
    rig.ledger(&["verify"]);
}

/// What a hospital says in FHIR of a number it uses no more, and of the one it uses instead.
fn replaced(old: &str, new: &str) -> Value {
    let number = |number: &str| json!({ "system": "urn:kangqiao:system:HOSP-B", "value": number });
    json!({ "resourceType": "Bundle", "type": "collection", "entry": [{ "resource": {
        "resourceType": "Patient", "identifier": [number(new)],
        "link": [{ "type": "replaces", "other": { "identifier": number(old) } }],
    } }] })
}

#[test]
fn a_link_of_fhir_merges_as_a40_does_and_is_undone_as_well() {
    let rig = Rig::start();
    let residents = [Resident::new(), Resident::new(), Resident::new()];
    let ids = residents.each_ref().map(|resident| resident.citizen.as_str());
    let who = |number: usize, name: &str| {
        format!("{name}||{}|F|||^^大学路{number}号", &ids[number][6..14])
    };
    let said = [("B1", "", "陈^桂英"), ("B2", ids[1], "陈^桂英"), ("B3", ids[2], "孙^玉梅")];
    for (number, (local, id, name)) in said.into_iter().enumerate() {
        let pid = pid("HOSP-B", local, id, &who(number, name));
        assert_eq!(admit(&rig, "HOSP-B", &pid, ["101", "102", "103"][number]), "AA");
    }
    let bring = |old: &str, new: &str| {
        let body = replaced(old, new).to_string();
        rig.https(TLS_SENDER).post("/fhir", "application/fhir+json", body.as_bytes()).unwrap()
    };
    assert_eq!(allergens(&rig, "citizen-id", ids[1]), 1);
    let reply = bring("B1", "B2");
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(allergens(&rig, "citizen-id", ids[1]), 2, "the old number leads to the new one");
    let entries = rig.ledger(&["search", "--kind", "merge", "--json"]);
    assert_eq!(entries.lines().count(), 1, "{entries}");
    // Two proven ids that differ: nothing changes, and the message waits.
    let reply = bring("B2", "B3");
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(reply.status == 409 && body.contains("identity-conflict"), "{body}");
    assert_eq!(allergens(&rig, "citizen-id", ids[2]), 1);
    let undone = ["unmerge", "--local", "B1", "--authority", "HOSP-B"];
    let (done, text) = rig.order(&undone);
    assert!(done, "{text}");
    assert_eq!(allergens(&rig, "citizen-id", ids[1]), 1);
}

#[test]
fn a_number_that_moved_is_given_back_by_the_number_of_its_event() {
    let rig = Rig::start();
    let residents = [Resident::new(), Resident::new()];
    for (number, resident) in residents.iter().enumerate() {
        let who = format!("{}||{}|F", ["陈^桂英", "孙^玉梅"][number], &resident.citizen[6..14]);
        let local = format!("B{number}");
        let pid = pid("HOSP-B", &local, &resident.citizen, &who);
        assert_eq!(admit(&rig, "HOSP-B", &pid, "101"), "AA");
    }
    let mut message = Message::new("A43", &Resident::new());
    message.segments.truncate(1);
    message.segments.push("PID|1||B1^^^HOSP-B^MR||孙^玉梅".to_owned());
    message.segments.push("MRG|B0^^^HOSP-B^MR".to_owned());
    let reply = rig.mllps(TLS_SENDER).unwrap().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
    let words = |what| [["identity", what], ["--local", "B0"], ["--authority", "HOSP-B"]];
    let entries = |what| told(&rig, &words(what).concat())[0]["entries"][0]["entry"].clone();
    let moved = entries("explain");
    let history = told(&rig, &words("history").concat());
    assert_eq!((&history[0]["what"], &history[0]["by"]), (&json!("moved"), &json!(TLS_SENDER)));
    told(&rig, &["identity", "undo", &history[0]["event"].to_string()]);
    assert_ne!(entries("explain"), moved, "it is whose it was");
    let said = rig.ledger(&["search", "--kind", "identity", "--json"]);
    assert!(said.contains("withdrawn"), "{said}");
}

#[test]
fn a_namesake_waits_and_an_overlay_is_held_until_somebody_says_so() {
    let rig = Rig::start();
    let who = "李^秀兰||19480315|F|||^^人民街7号院1号楼101室||13900000009";
    let namesake = "李^秀兰||19480315|F|||^^大学路3号||13900000003";
    assert_eq!(admit(&rig, "HOSP-A", &pid("HOSP-A", "A1", "", who), "101"), "AA");
    assert_eq!(admit(&rig, "HOSP-B", &pid("HOSP-B", "B1", "", namesake), "102"), "AA");
    assert_eq!(allergens(&rig, "record-number", RECORD), 1);
    let waiting = &told(&rig, &["identity", "review"])[0];
    assert_eq!(waiting["rule"], "name-and-birthday");

    let another = "赵^大勇||19390101|M";
    assert_eq!(admit(&rig, "HOSP-A", &pid("HOSP-A", "A1", "", another), "103"), "AE");
    assert_eq!(allergens(&rig, "record-number", RECORD), 1, "the old state stays served");
    let (done, text) = rig.order(&["replay", "3"]);
    assert!(!done && text.contains("identity-overlay") && text.contains("PID-5"), "{text}");
    let (done, text) = rig.order(&["replay", "--accept-overlay", "3"]);
    assert!(done && text.contains("\"state\":\"kept\""), "{text}");
    assert_eq!(allergens(&rig, "record-number", RECORD), 2);
}
