//! Attacks on what decides: a consent that is brought again, forged or told by a system that was
//! asked; a ticket shown twice at once; a refusal that repeats what it was given. Who asks as
//! somebody he is not is in `asker`.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use kangqiao_conformance::https::Reply;
use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{AGENT, CLINIC, DOCTOR, HOME, Rig, TLS_SENDER};
use crate::ways::{Desk, Doors, Human, desks};

/// 12349 派单员
const DISPATCHER: &str = "hotline-12349-dispatcher";

fn admitted(rig: &Rig) -> Resident {
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    resident
}

fn ask(rig: &Rig, who: &str, (resident, purpose): (&Resident, &str), evidence: Value) -> Reply {
    let question = json!({ "purpose": purpose, "evidence": evidence,
        "identifier": { "kind": "citizen-id", "value": resident.citizen } });
    rig.ask(who, &question)
}

/// How many elements an answer holds.
fn told(reply: &Reply) -> usize {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    reply.json()["elements"].as_array().unwrap().len()
}

#[test]
fn a_consent_that_was_withdrawn_does_not_come_back_by_being_brought_again() {
    let rig = Rig::shared();
    let resident = admitted(&rig);
    let media = "application/vnd.kangqiao.civil+json";
    let word = |number: &str, state: &str| {
        json!({ "dataset": "privacy-consent", "person": { "citizenId": resident.citizen },
            "consent": number, "state": state, "decision": "permit", "grantor": "person",
            "purposes": ["institution-admission"], "notice": "2026-1" })
        .to_string()
    };
    let bring = |body: &str| rig.https(HOME).post("/v1/messages", media, body.as_bytes()).unwrap();
    let looks =
        || told(&ask(rig.as_ref(), DOCTOR, (&resident, "institution-admission"), json!({})));
    assert_eq!(bring(&word("TY-1", "active")).json()["state"], "kept");
    assert!(looks() > 0);
    assert_eq!(bring(&word("TY-1", "inactive")).json()["state"], "kept");
    assert_eq!(looks(), 0);
    // The same bytes are the same message: what it said was said before it was withdrawn.
    bring(&word("TY-1", "active"));
    assert_eq!(looks(), 0, "a replay undid the withdrawal");
    // Another system does not take back what this one recorded.
    let refusal = json!({ "consent": "JJ-1", "decision": "deny", "notice": null });
    assert_eq!(rig.says(&resident.citizen, json!({ "consent": "TY-2" }))["state"], "kept");
    assert!(looks() > 0);
    assert_eq!(rig.says(&resident.citizen, refusal.clone())["state"], "kept");
    assert_eq!(looks(), 0);
    let mut ended = refusal;
    ended["state"] = json!("inactive");
    rig.says_by(TLS_SENDER, &resident.citizen, ended);
    assert_eq!(looks(), 0, "another sender took a refusal back");
}

#[test]
fn a_system_that_is_asked_cannot_say_that_somebody_consents() {
    let rig = Rig::shared();
    let resident = admitted(&rig);
    let assessed = json!({ "dataset": "ability-assessment", "time": "2026-10-06",
        "person": { "citizenId": resident.citizen }, "assessedOn": "2026-10-06",
        "levels": { "final": "2" } });
    let media = "application/vnd.kangqiao.platform+json";
    let body = assessed.to_string();
    rig.https(TLS_SENDER).post("/v1/messages", media, body.as_bytes()).unwrap();
    let consent = json!({ "dataset": "privacy-consent",
        "person": { "citizenId": resident.citizen }, "consent": "TY-1", "state": "active",
        "decision": "permit", "purposes": ["service-matching", "institution-admission"],
        "notice": "2026-1", "grantor": "person" });
    rig.registry.knows(&resident.citizen, vec![consent.clone()]);
    rig.platform.knows(&resident.citizen, vec![consent]);
    for (who, purpose) in [(DISPATCHER, "service-matching"), (DOCTOR, "institution-admission")] {
        let reply = ask(&rig, who, (&resident, purpose), json!({}));
        assert_eq!(told(&reply), 0, "{purpose}: {}", String::from_utf8_lossy(&reply.body));
    }
    for system in [&rig.registry, &rig.platform] {
        let heard = system.asked_of(&resident.citizen);
        assert_eq!(heard, 0, "a system heard of somebody who consented to nothing");
    }
}

#[test]
fn a_ticket_shown_twice_at_once_opens_one_elder() {
    let rig = Rig::start();
    let elders: Vec<_> = (0..6).map(|_| admitted(&rig)).collect();
    let gate = Barrier::new(elders.len());
    let call = json!({ "call": crate::rig::call() });
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let asks: Vec<_> = elders
            .iter()
            .map(|elder| {
                let (rig, gate, call) = (&rig, &gate, call.clone());
                scope.spawn(move || {
                    gate.wait();
                    ask(rig, AGENT, (elder, "emergency-card"), call).status
                })
            })
            .collect();
        asks.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 5, "{statuses:?}");
    assert_eq!(rig.stored("SELECT count(*) FROM ticket"), 1);
}

#[test]
fn a_refusal_repeats_nothing_it_was_given() {
    let rig = Rig::shared();
    let (elder, other) = (admitted(&rig), admitted(&rig));
    let secret = format!("张三{}的邻居", crate::rig::call());
    let evidence = json!({ "call": secret, "case": secret, "reason": secret });
    assert_eq!(ask(&rig, AGENT, (&elder, "emergency-card"), evidence.clone()).status, 200);
    let question = |more: Value| {
        let mut body = json!({ "purpose": "emergency-card", "evidence": evidence,
            "identifier": { "kind": "citizen-id", "value": other.citizen } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (who, body, status) in [
        (AGENT, question(json!({})), 409),
        (AGENT, question(json!({ "elements": [secret] })), 400),
        (AGENT, question(json!({ "purpose": secret })), 400),
        (AGENT, question(json!({ secret.as_str(): 1 })), 400),
        (CLINIC, question(json!({})), 403),
        (AGENT, question(json!({ "identifier": { "kind": secret, "value": secret } })), 422),
    ] {
        let reply = rig.ask(who, &body);
        let said = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, status, "{said}");
        assert!(!said.contains(&secret) && !said.contains(&other.citizen), "{said}");
    }
    let printed = rig.printed();
    assert!(!printed.contains(&secret) && !printed.contains(&other.citizen));
}

/// Whether nobody is known or nothing may be told: no answer is there before the beat.
#[test]
fn an_answer_in_which_nothing_is_told_leaves_on_a_beat_by_every_door() {
    const BEAT: Duration = Duration::from_millis(300);
    let rig = Rig::prepare(&format!("empty_answer_ms = {}\n", BEAT.as_millis()));
    rig.resume();
    let [known, nobody] = [Resident::new(), Resident::new()];
    rig.mllp().exchange(&Message::new("A01", &known).bytes()).unwrap();
    let stranger = |desk: &Desk| desk.human == Some(Human::Stranger);
    let mut desks = desks().into_iter();
    let desks: Vec<_> =
        [desks.find(|desk| desk.purpose == "living-check").unwrap(), desks.find(stranger).unwrap()]
            .into();
    let asked = desks.iter().flat_map(|desk| {
        let about = [&known.citizen, &known.citizen, &nobody.citizen, &nobody.citizen];
        about.map(|citizen| (desk, citizen))
    });
    let mut doors = Doors::new(&rig);
    for (desk, citizen) in asked {
        let mut took = |asked: &mut dyn FnMut(&mut Doors<'_>) -> usize| {
            let begun = Instant::now();
            let times = u32::try_from(asked(&mut doors)).unwrap();
            assert!(times > 0 && begun.elapsed() >= BEAT * times, "{times} answers too soon");
        };
        took(&mut |doors| [doors.json(desk, citizen)].len());
        took(&mut |doors| doors.fhir(desk, citizen, (0, 9)).len());
        // The queries of HL7 v2 name no purpose; both dialects of SOAP do.
        took(&mut |doors| doors.exchange(desk, citizen).len().min(2));
    }
}
