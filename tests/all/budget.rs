//! A budget of persons: a department that asks through all numbers is stopped, and told so.

use kangqiao_conformance::https::Reply;
use serde_json::json;

use crate::rig::message::{Message, Resident};
use crate::rig::{AGENT, CLERK, DOCTOR, Rig};

/// A gateway whose 12349 desk may ask about three persons a day.
fn frugal() -> Rig {
    let rig = Rig::prepare("");
    let path = rig.path().join("policies/departments.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let grant = "purpose = \"emergency-card\", roles = [\"agent\"]";
    assert!(text.contains(grant));
    std::fs::write(&path, text.replace(grant, &format!("{grant}, persons_per_day = 3"))).unwrap();
    rig.resume();
    rig
}

fn card(rig: &Rig, resident: &Resident) -> Reply {
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": resident.citizen },
        "purpose": "emergency-card",
        "evidence": { "call": crate::rig::call() },
    });
    rig.ask(AGENT, &question)
}

/// What is told of a refusal, without what differs for each.
fn refusal(reply: &Reply) -> serde_json::Value {
    let mut body = reply.json();
    body.as_object_mut().unwrap().remove("receipt").unwrap();
    body
}

#[test]
fn whoever_has_asked_about_as_many_as_he_may_is_refused_alike_for_everybody() {
    let rig = frugal();
    let known: Vec<_> = (0..4).map(|_| Resident::new()).collect();
    for resident in &known {
        rig.mllp().exchange(&Message::new("A01", resident).bytes()).unwrap();
    }
    // Somebody nobody knows costs as much as anybody.
    for resident in [&known[0], &known[1], &Resident::new()] {
        assert_eq!(card(&rig, resident).status, 200);
    }
    let asked = rig.platform.asked();
    let (more, nobody) = (card(&rig, &known[2]), card(&rig, &Resident::new()));
    assert_eq!((more.status, nobody.status), (429, 429));
    assert_eq!(refusal(&more), refusal(&nobody), "the refusal tells whether somebody is known");
    assert_eq!(more.json()["fault"], "budget-exhausted");
    assert_eq!(rig.platform.asked(), asked, "the platform heard of somebody who was refused");
    // Who was asked about before costs nothing more, also after a restart.
    assert_eq!(card(&rig, &known[0]).status, 200);
    rig.stop();
    rig.resume();
    assert_eq!(card(&rig, &known[1]).status, 200);
    assert_eq!(card(&rig, &known[3]).status, 429);
    let receipt = more.json()["receipt"].as_str().unwrap().to_owned();
    let ledger = rig.ledger(&["export"]);
    let line = ledger.lines().find(|line| line.contains(&receipt)).unwrap();
    assert!(line.contains("refusal") && line.contains("budget-exhausted"), "{line}");
    // Nobody else pays for it.
    for (who, purpose) in [(CLERK, "living-check"), (DOCTOR, "institution-admission")] {
        let question = json!({
            "identifier": { "kind": "citizen-id", "value": known[3].citizen }, "purpose": purpose,
        });
        assert_eq!(rig.ask(who, &question).status, 200, "{purpose}");
    }
}

#[test]
fn two_questions_at_once_cannot_both_be_the_last() {
    let rig = frugal();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> =
            (0..12).map(|_| scope.spawn(|| card(&rig, &Resident::new()).status)).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 3, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 9, "{answers:?}");
}

#[test]
fn a_budget_of_nobody_is_no_grant() {
    let rig = Rig::prepare("");
    let path = rig.path().join("policies/departments.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let grant = "roles = [\"agent\"]";
    std::fs::write(&path, text.replace(grant, &format!("{grant}, persons_per_day = 0"))).unwrap();
    let (sound, said) = rig.order(&["check"]);
    assert!(
        !sound && said.contains("departments.toml") && said.contains("budget of nobody"),
        "{said}"
    );
}
