//! A model of the answer: the same gateway without a cache, started with the same policies, hears
//! the same and is asked the same. Whatever happens in between, both answer alike.
//!
//! `KANGQIAO_MODEL_STEPS=1000000 cargo test --test all model:: -- --nocapture` takes as long as
//! it takes.

use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{Rig, TLS_SENDER, person};
use crate::ways::{Desk, Doors, desks};

/// People, few so that they are asked about again and again.
const PEOPLE: usize = 12;

/// Numbers that look random and are the same at every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end
    }
}

fn gateway(cache: &str) -> Rig {
    let recorder = "\n[[sender]]\nname = \"hotline-12349\"\ncertificate = \"stranger\"\n";
    let rig = Rig::prepare(&format!("policy_widening = \"one-person\"\n{cache}{recorder}"));
    rig.resume();
    rig
}

/// An answer without its number, and without when it was given and what that makes of ages.
fn comparable(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        let now = value["dataset"] == "derived";
        for (key, one) in value.as_object_mut().into_iter().flatten() {
            // How current a source is, is what a cache changes and says.
            let own = ["receipt", "answered_at", "age_seconds", "sources"].contains(&key.as_str());
            if own || (now && key == "as_of") { *one = Value::Null } else { strip(one) }
        }
        value.as_array_mut().into_iter().flatten().for_each(strip);
    }
    strip(&mut value);
    value
}

/// What is so from the beginning: upstream systems know him, his clinic treats him.
fn known(both: [&Rig; 2], resident: &Resident) {
    let person = json!({ "citizenId": resident.citizen });
    let assessment = json!({ "dataset": "ability-assessment", "time": "2026-08-15",
        "person": person, "assessedOn": "2026-08-15", "levels": { "final": "2" } });
    let registered = json!({ "dataset": "elder-registry",
        "registry": { "updatedOn": "2026-09-01" }, "elder": { "citizenId": resident.citizen },
        "emergency": { "keyLocation": "门口花盆下" } });
    let visit = person::visit(&resident.citizen);
    for rig in both {
        rig.platform.knows(&resident.citizen, vec![assessment.clone()]);
        rig.registry.knows(&resident.citizen, vec![registered.clone()]);
        rig.hears_of(&visit);
        rig.consents(&resident.citizen);
    }
}

/// One thing that happens to both: somebody is admitted or leaves, a record, a word, an edit.
fn happens(both: [&Rig; 2], chance: &mut Chance, (people, edited): (&[Resident], &mut bool)) {
    let resident = &people[chance.below(PEOPLE)];
    let day = 1 + chance.below(28);
    match chance.below(24) {
        0..8 => {
            let event = ["A01", "A08", "A03", "A11"][chance.below(4)];
            let mut message = Message::new(event, resident);
            let code = ["J44.100", "I10.x00", "B20.100", "F20.900"][chance.below(4)];
            message.segments.push(format!("DG1|1||{code}^诊断^I10||202610{day:02}|A"));
            let bytes = message.bytes();
            for rig in both {
                let reply = rig.mllp().exchange(&bytes).unwrap();
                assert!(!field(&reply, "MSA-1").is_empty());
            }
        }
        8..15 => {
            let records = [
                json!({ "dataset": "medication", "medications": [{ "name": format!("药{day}") }] }),
                json!({ "dataset": "ability-assessment", "assessedOn": format!("2026-10-{day:02}"),
                    "levels": { "final": (day % 5).to_string() } }),
                json!({ "dataset": "doctor-contract", "state": "signed", "team": "一队" }),
            ];
            let mut record = records[chance.below(3)].clone();
            record["time"] = json!(format!("2026-10-{day:02}"));
            record["person"] = json!({ "citizenId": resident.citizen });
            let media = "application/vnd.kangqiao.platform+json";
            let body = record.to_string();
            for rig in both {
                let mut link = rig.https(TLS_SENDER);
                let reply = link.post("/v1/messages", media, body.as_bytes()).unwrap();
                assert_eq!(reply.json()["state"], "kept", "{body}");
            }
        }
        15..23 => {
            let number = format!("TY-{}", chance.below(3));
            let decision = ["permit", "permit", "deny"][chance.below(3)];
            let state = ["active", "active", "inactive"][chance.below(3)];
            let parts = [json!(null), json!(["allergy"]), json!(["diagnosis"])];
            let said = json!({ "consent": number, "decision": decision, "state": state,
                "categories": parts[chance.below(3)].clone() });
            for rig in both {
                assert_eq!(rig.says(&resident.citizen, said.clone())["state"], "kept", "{said}");
            }
        }
        _ => {
            *edited = !*edited;
            for rig in both {
                let path = rig.path().join("policies/care-institution.cedar");
                let text = std::fs::read_to_string(&path).unwrap();
                let (one, other) = ("in Class::\"medication\"", "== Element::\"DE08.50.022.00\"");
                let (from, to) = if *edited { (one, other) } else { (other, one) };
                assert!(text.contains(from), "{from}");
                std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
                let (done, told) = rig.order(&["reload"]);
                assert!(done, "{told}");
            }
        }
    }
}

#[test]
fn whatever_happens_a_cache_changes_no_answer() {
    let steps = std::env::var("KANGQIAO_MODEL_STEPS").ok().and_then(|text| text.parse().ok());
    let steps: usize = steps.unwrap_or(300);
    // One holds few people, so that some are always put out of it; the other holds none.
    let cached = gateway("[cache]\nbytes_max = 65536\n");
    let naive = gateway("[cache]\nseconds = 0\nempty_seconds = 0\nfailed_ms = 0\nbytes_max = 0\n");
    let people: Vec<_> = (0..PEOPLE).map(|_| Resident::new()).collect();
    people.iter().for_each(|resident| known([&cached, &naive], resident));
    let desks: Vec<Desk> = desks(&cached).into_iter().filter(|desk| !desk.counts).collect();
    let (mut one, mut other) = (Doors::new(&cached), Doors::new(&naive));
    let (mut chance, mut edited, mut told) = (Chance(20_261_129), false, 0);
    for step in 0..steps {
        if chance.below(3) == 0 {
            happens([&cached, &naive], &mut chance, (&people, &mut edited));
            continue;
        }
        let (desk, resident) = (&desks[chance.below(desks.len())], &people[chance.below(PEOPLE)]);
        let answers = [&mut one, &mut other].map(|doors| {
            let told = doors.json(desk, &resident.citizen);
            comparable(serde_json::from_slice(&told.body).unwrap())
        });
        told += usize::from(answers[0]["elements"].as_array().is_some_and(|all| !all.is_empty()));
        let asked = format!("step {step}: {} {} {}", desk.department, desk.role, desk.purpose);
        assert_eq!(answers[0], answers[1], "{asked}");
    }
    assert!(told > steps / 10, "{told} of {steps} answers held anything");
    let spared = |upstream: fn(&Rig) -> usize| upstream(&naive).saturating_sub(upstream(&cached));
    let spared = spared(|rig| rig.platform.asked()) + spared(|rig| rig.registry.asked());
    assert!(spared > 0, "the cache answered nothing");
    let line =
        format!("{steps} steps, {told} answers with values, upstreams spared {spared} times");
    crate::rig::loudly(&line);
}
