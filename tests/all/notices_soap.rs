//! Notices as HL7 v3 messages in SOAP, to a receiver nobody here wrote.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::notices::{PAYMENTS, dies, in_order, text};
use crate::notices_ways::{digest, elders, enrol, stands, subscription};
use crate::rig::foreign::Foreign;
use crate::rig::message::{Message, Resident, field, unique};
use crate::rig::{Rig, free_port, until};

const AUTHORITY: &str = "1.2.840.99999.7";
const FORMS: [&str; 3] = ["v3-pix", "v3-regional", "v3-hospital"];

/// The way to a receiver of that form.
fn by_soap(port: u16, form: &str, more: &str) -> String {
    format!(
        "soap = {{ url = \"https://127.0.0.1:{port}/notices\", form = \"{form}\", \
         authority = \"{AUTHORITY}\", receiver = \"1.2.840.99999.8^MZJ\", \
         sender = \"1.2.840.99999.1\", {more} tls = {{ authority = \"certs/ca.pem\", \
         certificate = \"certs/gateway.pem\", key = \"certs/gateway.key\" }} }}\ntimeout_ms = 2000"
    )
}

/// A gateway that tells one receiver in each form, the first under the usual name.
fn site(events: &str) -> Option<(Rig, Vec<Foreign>)> {
    if !Foreign::is_here() {
        return None;
    }
    let ports: Vec<u16> = FORMS.iter().map(|_| free_port()).collect();
    let each = FORMS.iter().zip(&ports).map(|(form, port)| {
        let way = by_soap(*port, form, "");
        let name = if *form == "v3-pix" { PAYMENTS } else { form };
        subscription("living-check", events, &way).replacen(PAYMENTS, name, 1)
    });
    let rig = Rig::prepare(&each.collect::<String>());
    let certs = rig.path().join("certs");
    let start = |port: &u16| Foreign::start_soap(&certs, "platform", (*port, &[]));
    let receivers = ports.iter().map(start).collect();
    rig.resume();
    Some((rig, receivers))
}

fn enrol_in(rig: &Rig, subscription: &str, (kind, value): (&str, &str), reference: &str) {
    let identifier = json!({ "kind": kind, "value": value });
    let elder = json!({ "identifier": identifier, "reference": reference });
    enrol(rig, &json!({ "subscription": subscription, "enrol": [elder] }));
}

fn admitted(rig: &Rig, message: &Message) {
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
}

#[test]
fn a_notice_is_a_message_of_each_form_that_a_foreign_receiver_reads() {
    let Some((rig, receivers)) = site("\"death\"") else { return };
    let elder = Resident::new();
    for name in [PAYMENTS, "v3-regional", "v3-hospital"] {
        enrol_in(&rig, name, ("citizen-id", &elder.citizen), "JT|<0001>");
    }
    admitted(&rig, &Message::new("A01", &elder));
    dies(&rig, &elder.citizen, 2);
    stands(&rig, (0, 0));
    let ledger = rig.ledger(&["export"]);
    let told: Vec<Value> = receivers.iter().map(|one| one.taken()[0].clone()).collect();
    for one in &told {
        let raw = one["raw"].as_str().unwrap();
        assert_eq!(
            (&one["reference"], &one["authority"]),
            (&json!("JT|<0001>"), &json!(AUTHORITY))
        );
        assert_eq!(one["dead"][0], "true", "{raw}");
        assert!(one["dead"][1].as_str().unwrap().starts_with("20260902"), "{raw}");
        assert_eq!(one["media_fits"], true, "{one}");
        assert_eq!(one["faults"], Value::Null, "{raw}");
        for hidden in [&*elder.citizen, &*elder.local, "I21", "心肌", "测试医院"] {
            assert!(!raw.contains(hidden), "{hidden}: {raw}");
        }
        // The ledger has those bytes, and says of no more than there is a place for.
        let entered = ledger.lines().find(|line| line.contains(&digest(raw.as_bytes()))).unwrap();
        assert!(entered.contains(&format!("notice {} death", one["id"].as_str().unwrap())));
        assert!(entered.contains("MZ.person.deceased"), "{entered}");
        assert!(!entered.contains("MZ.death.source"), "{entered}");
    }
    let event = |one: &Value| (one["event"].clone(), one["call"].clone(), one["action"].clone());
    let none = Value::Null;
    assert_eq!(event(&told[0]), (json!("PRPA_IN201302UV02"), none.clone(), none.clone()));
    let updated = json!("PRPA_IN201314UV02");
    assert_eq!(event(&told[1]), (updated.clone(), updated.clone(), none));
    let action = json!("PatientInfoUpdate");
    assert_eq!(event(&told[2]), (updated, json!("HIPMessageServer"), action));
    let headers = &told[0]["headers"];
    assert_eq!(headers["Action"], "urn:hl7-org:v3:PRPA_IN201302UV02");
    assert!(headers["MessageID"].as_str().unwrap().starts_with("urn:uuid:"), "{headers}");
    assert_eq!(headers["ReplyTo"], "http://www.w3.org/2005/08/addressing/anonymous");
    assert_eq!((&told[0]["soap_action"], &told[1]["soap_action"]), (&Value::Null, &json!("\"\"")));
}

#[test]
fn who_is_one_elder_is_told_by_every_reference() {
    let Some((rig, receivers)) = site("\"identity\"") else { return };
    let elder = Resident::new();
    let card = format!("D{:09}", unique() % 1_000_000_000);
    admitted(&rig, &Message::new("A01", &elder));
    for name in [PAYMENTS, "v3-regional", "v3-hospital"] {
        enrol_in(&rig, name, ("citizen-id", &elder.citizen), "OWN");
        enrol_in(&rig, name, ("health-card", &card), "CARD");
    }
    let mut message = Message::new("A01", &elder);
    let numbers = format!("{}~{card}^^^CARD^HC", elder.identifiers());
    message.segments[1] = message.segments[1].replace(&elder.identifiers(), &numbers);
    admitted(&rig, &message);
    for receiver in &receivers {
        let taken = until("both are told", || {
            let taken = receiver.taken();
            (taken.len() >= 2).then_some(taken)
        });
        let lists: BTreeSet<String> =
            taken.iter().map(|one| one["references"].to_string()).collect();
        let both = [r#"["CARD","OWN"]"#, r#"["OWN","CARD"]"#].map(str::to_owned);
        assert_eq!(lists, BTreeSet::from(both));
        assert!(taken.iter().all(|one| one["faults"].is_null()), "{taken:?}");
    }
}

#[test]
fn an_answer_counts_for_the_message_it_names_and_for_no_other() {
    if !Foreign::is_here() {
        return;
    }
    let port = free_port();
    let way = by_soap(port, "v3-regional", "edition = \"1.2\", soap_action = \"urn:kq\",");
    // Three of them say nothing, each for its own reason: that is not a receiver that is down.
    let way = format!("{way}\nfailures_max = 1000000");
    let rig = Rig::prepare(&subscription("living-check", "\"death\"", &way));
    let refusing = [("POISON", "AR"), ("FAULT", "sender")];
    let trying = [
        ("ASTRAY", "other"),
        ("ERROR", "AE"),
        ("DOWN", "receiver"),
        ("MUTE", "nothing"),
        ("LOST", "404"),
    ];
    let answers = [&refusing[..], &trying].concat();
    let receiver = Foreign::start_soap(&rig.path().join("certs"), "platform", (port, &answers));
    rig.resume();
    let names: Vec<&str> = answers.iter().map(|(name, _)| *name).chain(["OTHER"]).collect();
    let elders = elders(&rig, &names);
    for day in 1..=2 {
        elders.iter().for_each(|elder| dies(&rig, &elder.citizen, day));
    }
    let came = |reference: &str| receiver.came_about(reference);
    until("the others are told", || (came("OTHER").len() >= 2).then_some(()));
    until("all were tried again", || {
        trying.iter().all(|(name, _)| came(name).len() > 2).then_some(())
    });
    // Of the dead ones' elders the next waits, of the others both.
    stands(&rig, (2, 12));
    for (reference, _) in &answers {
        let ids: BTreeSet<String> =
            came(reference).iter().map(|one| one["id"].to_string()).collect();
        assert_eq!(ids.len(), 1, "{reference}: a notice left before the one before it had ended");
    }
    let media = came("OTHER")[0]["media"].clone();
    assert_eq!(media, "application/soap+xml; charset=utf-8; action=\"urn:kq\"");
    let metrics = text(&rig.operation("/metrics").unwrap());
    let counted = metrics.lines().find(|line| {
        line.starts_with("kangqiao_notices_unanswered_total") && line.contains("other-id")
    });
    assert!(counted.is_some_and(|line| line.contains(PAYMENTS)), "{metrics}");

    for (reference, _) in &answers {
        receiver.answers(reference, "AA");
    }
    stands(&rig, (2, 2));
    let dead =
        |which: &str| rig.stored(&format!("SELECT {which}(number) FROM outbox WHERE state = 2"));
    for number in [dead("min"), dead("max")] {
        assert!(rig.order(&["notices", "retry", &number.to_string()]).0);
    }
    stands(&rig, (0, 0));
    let told = in_order(&receiver.taken());
    assert!(told.len() == 8 && told.values().all(|ids| ids.len() == 2), "{told:?}");
    let printed = rig.printed();
    assert!(!printed.contains("ASTRAY") && !printed.contains("POISON"), "a reference is logged");
    rig.ledger(&["verify"]);
}

#[test]
fn an_envelope_that_leads_nowhere_stops_the_start() {
    let rig = Rig::prepare("# the way");
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let check = |purpose: &str, (events, way): (&str, &str), expect: &str| {
        let more = subscription(purpose, events, way);
        std::fs::write(rig.config(), config.replacen("# the way", &more, 1)).unwrap();
        let output = rig.run(&["check", "--config", &rig.config().display().to_string()]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.contains(expect), "{said}");
        output.status.success()
    };
    let death = "living-check";
    let refuses = |purpose, event, way: &str, expect| {
        assert!(!check(purpose, (event, way), expect), "{way}");
    };
    let near = by_soap(9445, "v3-pix", "");
    let shown = "payments: soap v3-pix https://127.0.0.1:9445/notices";
    assert!(check(death, ("\"death\", \"identity\"", &near), shown));
    refuses(death, "\"death\"", &format!("folder = \"a\"\n{near}"), "one way is enough");
    refuses("contract-status", "\"contract\"", &near, "event contract has no HL7 v3 message");
    let stay = "\"death\", \"long-stay\"";
    refuses("subsidy-eligibility", stay, &near, "event long-stay has no HL7 v3 message");
    refuses(death, "\"death\"", &near.replace(AUTHORITY, "MZJ"), "authority is an OID");
    refuses(death, "\"death\"", &near.replace("https", "http"), "url must be of the form");
    refuses(death, "\"death\"", &near.replace("v3-pix", "v3"), "unknown variant");
    let called = by_soap(9445, "v3-pix", "operation = \"x\",");
    refuses(death, "\"death\"", &called, "no namespace, operation or action");
}
