//! Wires that are cut, frozen and half open, on every side of the gateway.

use std::time::Duration;

use kangqiao_conformance::mllp;
use serde_json::{Value, json};

use crate::notices::{Site, dies, in_order, subscription};
use crate::rig::message::{Message, Resident, field};
use crate::rig::receiver::Receiver;
use crate::rig::wire::{Mood, Wire};
use crate::rig::{Rig, WORKER, at, free_port, until};

/// How long a client waits that does not know that nothing will come.
const SHORT: Duration = Duration::from_millis(400);

#[test]
fn a_message_whose_acknowledgement_is_lost_is_kept_once_and_acknowledged_again() {
    let rig = Rig::start();
    let wire = Wire::to(rig.ports.mllp);
    let link = || mllp::Link::connect(&at(wire.port), None).unwrap();
    let message = Message::new("A01", &Resident::new()).bytes();
    let mut first = link();
    first.wait(SHORT).unwrap();
    wire.is(Mood::HalfOpen);
    first.exchange(&message).unwrap_err();
    until("it is kept", || (rig.stored("SELECT count(*) FROM journal") == 1).then_some(()));
    wire.is(Mood::Cut);
    first.exchange(&message).unwrap_err();
    wire.is(Mood::Sound);
    let replies = [link().exchange(&message).unwrap(), link().exchange(&message).unwrap()];
    assert_eq!(field(&replies[0], "MSA-1"), "AA");
    assert_eq!(replies[0], replies[1]);
    // Half a message, and the wire is cut: it is refused, and what follows is another one.
    let half = Message::new("A01", &Resident::new()).bytes();
    let (before, mut torn) = (wire.carried(), link());
    torn.raw(&[&[mllp::START][..], &half[..half.len() / 2]].concat()).unwrap();
    until("half of it arrived", || (wire.carried() > before).then_some(()));
    wire.is(Mood::Cut);
    torn.receive().unwrap_err();
    wire.is(Mood::Sound);
    assert_eq!(field(&link().exchange(&half).unwrap(), "MSA-1"), "AA");
    // Frozen in the middle of an exchange, and thawed: the answer comes late.
    let (slow, mut patient) = (Message::new("A01", &Resident::new()).bytes(), link());
    wire.is(Mood::Frozen);
    patient.send(&slow).unwrap();
    assert!(patient.silent_for(SHORT).unwrap());
    wire.is(Mood::Sound);
    assert_eq!(field(&patient.receive().unwrap(), "MSA-1"), "AA");
    let count = |what: &str| rig.stored(&format!("SELECT sum({what}) FROM count"));
    assert_eq!((count("kept"), count("refused"), count("received")), (3, 1, 4));
}

/// The state of the platform in an answer.
fn platform(rig: &Rig, question: &Value) -> String {
    let reply = rig.ask(WORKER, question);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let json = reply.json();
    let sources = json["sources"].as_array().unwrap();
    let found = sources.iter().find(|source| source["source"] == "record-platform").unwrap();
    found["state"].as_str().unwrap().to_owned()
}

#[test]
fn an_upstream_behind_a_frozen_wire_is_said_to_be_missing_and_is_there_again_after_the_thaw() {
    let rig = Rig::prepare("");
    let wire = Wire::to(rig.platform.port);
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let direct = format!("url = \"https://127.0.0.1:{}\"", rig.platform.port);
    let through = format!(
        "url = \"https://127.0.0.1:{}\"\ntimeout_ms = 600\nconnect_timeout_ms = 300\nopen_ms = 100",
        wire.port
    );
    assert!(config.contains(&direct));
    std::fs::write(rig.config(), config.replace(&direct, &through)).unwrap();
    rig.resume();
    // Somebody new each time, or the answer might be a copy.
    let ask = || {
        let resident = Resident::new();
        rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
        json!({
            "purpose": "contract-status",
            "identifier": { "kind": "citizen-id", "value": resident.citizen },
        })
    };
    for mood in [Mood::Frozen, Mood::HalfOpen, Mood::Cut] {
        wire.is(Mood::Sound);
        until("the platform is asked again", || {
            (platform(&rig, &ask()) != "unavailable").then_some(())
        });
        wire.is(mood);
        let question = ask();
        assert_eq!(platform(&rig, &question), "unavailable", "{mood:?}");
        wire.is(Mood::Sound);
        // What was missing is not remembered as there being nothing.
        until("the platform answers", || {
            (platform(&rig, &question) != "unavailable").then_some(())
        });
    }
    assert!(rig.ledger(&["verify"]).contains("ledger verified"));
}

#[test]
fn notices_over_a_wire_that_fails_every_way_come_once_each_and_in_order() {
    let port = free_port();
    let wire = Wire::to(port);
    let more = subscription(wire.port, "living-check", "\"death\"");
    let rig = Rig::prepare(&more.replace("wait_ms = 20", "timeout_ms = 600\nwait_ms = 20"));
    let receiver = Receiver::start(&rig.path().join("certs"), "platform", port);
    rig.resume();
    let site = Site { rig, receiver };
    let residents: Vec<_> = (0..3).map(|_| Resident::new()).collect();
    for (number, resident) in residents.iter().enumerate() {
        site.enrol(resident, &format!("E{number}"));
    }
    for (day, mood) in (1..).zip([Mood::Sound, Mood::HalfOpen, Mood::Cut, Mood::Frozen]) {
        wire.is(mood);
        let before = site.receiver.count();
        residents.iter().for_each(|resident| dies(&site.rig, &resident.citizen, day));
        match mood {
            // The connections that the next needs stand.
            Mood::Sound => site.settled(),
            // One came, and the gateway cannot know.
            Mood::HalfOpen => {
                until("a notice came", || (site.receiver.count() > before).then_some(()));
            }
            Mood::Cut | Mood::Frozen => (),
        }
        wire.is(Mood::Sound);
    }
    site.settled();
    let told = in_order(&site.receiver.taken());
    assert_eq!(told.len(), 3);
    assert!(told.values().all(|ids| ids.len() == 4), "a notice is missing: {told:?}");
    site.rig.ledger(&["verify"]);
}
