//! Keys at rest rotate while everybody is served, whatever stops in between.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{AGENT, Rig, until};

/// An order to the running gateway, and what it answered.
fn told(rig: &Rig, words: &[&str]) -> Value {
    let (done, text) = rig.order(words);
    assert!(done, "{words:?}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn refused(rig: &Rig, words: &[&str], why: &str) {
    let (done, text) = rig.order(words);
    assert!(!done && text.contains(why), "{words:?}: {text}");
}

/// Somebody with an allergy, and two messages that wait.
fn admit(rig: &Rig) -> Resident {
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^x^CV05.01.038|SV".to_owned());
    assert_eq!(field(&rig.mllp().exchange(&message.bytes()).unwrap(), "MSA-1"), "AA");
    for _ in 0..2 {
        let mut message = Message::new("A01", &Resident::new());
        message.segments[1] = message.segments[1].replace("|M", "|male");
        assert_eq!(field(&rig.mllp().exchange(&message.bytes()).unwrap(), "MSA-1"), "AE");
    }
    resident
}

/// What an agent is told of somebody: how many allergens, and the handle of one.
fn seen(rig: &Rig, citizen: &str) -> (usize, String) {
    let allergens = crate::operate::allergens(rig, citizen).len();
    let head = format!(
        "GET /fhir/AllergyIntolerance?patient.identifier=urn:oid:2.16.156.10011.1.3%7C{citizen} \
         HTTP/1.1\r\nhost: g\r\nkangqiao-purpose: emergency-card\r\nkangqiao-call: {}\r\n\r\n",
        crate::rig::call()
    );
    let found = rig.https(AGENT).ask(head.as_bytes()).unwrap().json();
    (allergens, found["entry"][0]["resource"]["id"].as_str().unwrap().to_owned())
}

fn key(rig: &Rig, name: &str) -> PathBuf {
    rig.path().join("keys").join(name)
}

/// Starts a gateway that ends at once, and what it complained of.
fn complaint(rig: &Rig) -> String {
    let config = rig.config().display().to_string();
    let output = rig.run(&["serve", "--config", &config]);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn master_key_and_keys_of_persons_rotate_while_everybody_is_served() {
    let rig = Rig::start();
    let resident = admit(&rig);
    let citizen = resident.citizen.as_str();
    let about = ["search", "--citizen-id", citizen, "--json"];
    let (before, entries) = (seen(&rig, citizen), rig.ledger(&about));
    assert_eq!(before.0, 1);

    refused(&rig, &["keys", "rotate", "master"], "keys next");
    let next = told(&rig, &["keys", "next"]);
    assert_eq!(told(&rig, &["keys", "next"])["made"], json!(false), "it is made once");
    let mode = fs::metadata(key(&rig, "master.key.next")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(told(&rig, &["keys", "status"])["master"], json!(1), "made is not in force");
    let rotated = told(&rig, &["keys", "rotate", "master"]);
    assert_eq!((&rotated["master"], &rotated["mark"]), (&json!(2), &next["mark"]));
    assert_eq!(seen(&rig, citizen), before);
    told(&rig, &["keys", "rotate", "persons"]);
    rig.kill();
    rig.resume();
    assert_eq!(seen(&rig, citizen), before, "wherever the kill found it");
    let done = || {
        let status = told(&rig, &["keys", "status"]);
        (status["ending"].is_null() && status["persons_ending"] == json!(false)).then_some(status)
    };
    let status = until("nothing stands under the old keys", done);
    assert_eq!((&status["rows_left"], &status["persons_left"]), (&json!(0), &json!(0)));
    assert_eq!(rig.stored("SELECT count(*) FROM master WHERE wrap IS NOT NULL"), 1);
    assert_eq!(seen(&rig, citizen), before);
    let after = rig.ledger(&about);
    assert!(!entries.is_empty() && entries.lines().all(|entry| after.contains(entry)), "{after}");
    let said = rig.ledger(&["search", "--kind", "keys", "--json"]);
    for word in ["master key ordered", "persons ordered", "master key 1 ended", "persons ended"] {
        assert_eq!(said.matches(word).count(), 1, "{word}: {said}");
    }
    rig.ledger(&["verify"]);
    assert_eq!(rig.counted("kangqiao_keys_master", &[]), 2);
    // What waited under a key of its own is read as well.
    let (done, text) = rig.order(&["replay", "--all"]);
    assert!(!done && text.matches("table-value").count() == 2, "{text}");
}

#[test]
fn a_rotation_stopped_before_the_files_have_new_names_is_ended_at_the_next_start() {
    let rig = Rig::start();
    let resident = admit(&rig);
    let citizen = resident.citizen.as_str();
    let before = seen(&rig, citizen);
    told(&rig, &["keys", "next"]);
    told(&rig, &["keys", "rotate", "master"]);
    rig.kill();
    let (now, old) = (key(&rig, "master.key"), key(&rig, "master.key.1"));
    let next = key(&rig, "master.key.next");
    // As it is between the commit and the first new name.
    fs::rename(&now, &next).unwrap();
    fs::rename(&old, &now).unwrap();
    let about = ["search", "--citizen-id", citizen, "--json"];
    assert!(!rig.ledger(&about).is_empty(), "an auditor's search finds the key in force as well");
    rig.resume();
    assert_eq!(seen(&rig, citizen), before);
    assert!(!next.exists() && old.exists());

    // The key of before, put back by mistake, opens nothing; nor does none at all.
    rig.kill();
    let kept = key(&rig, "kept");
    fs::rename(&now, &kept).unwrap();
    let said = complaint(&rig);
    assert!(said.contains("put back the one the store is under") && !now.exists(), "{said}");
    fs::copy(&old, &now).unwrap();
    let said = complaint(&rig);
    assert!(said.contains("master.key") && said.contains("replaced by a later one"), "{said}");
    fs::rename(&kept, &now).unwrap();
    rig.resume();
    assert_eq!(seen(&rig, citizen), before);
}
