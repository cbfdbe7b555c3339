//! A model of the answer: the same gateway without a cache, started with the same policies, hears
//! the same and is asked the same. Whatever happens in between, both answer alike.
//!
//! `KANGQIAO_MODEL_STEPS=1000000 cargo test --test all model:: -- --nocapture` takes as long as
//! it takes.

use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{HOME, Rig, TLS_SENDER, person};
use crate::ways::{Desk, Doors, desks};

/// People, few so that they are asked about again and again, until others take their place.
const PEOPLE: usize = 24;
/// Steps of the same people.
const STAY: usize = 2_000;

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
    let top = "policy_widening = \"one-person\"\nempty_answer_ms = 0\n";
    let recorder = "\n[[sender]]\nname = \"hotline-12349\"\ncertificate = \"stranger\"\n";
    let rig = Rig::prepare(&format!("{top}{cache}{recorder}"));
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

/// The two gateways, asked and told the same.
struct Pair<'r> {
    rigs: [&'r Rig; 2],
    doors: [Doors<'r>; 2],
    people: Vec<Resident>,
    chance: Chance,
    /// Whether a rule is edited just now.
    edited: bool,
}

impl Pair<'_> {
    /// Something is said to both, and both keep it.
    fn told(&mut self, sender: &str, form: &str, said: &Value) {
        let headers = format!("content-type: application/vnd.kangqiao.{form}+json\r\n");
        let body = said.to_string();
        for doors in &mut self.doors {
            let reply = doors.ask(sender, "POST /v1/messages", (&headers, body.as_bytes()));
            assert_eq!(reply.json()["state"], "kept", "{said}");
        }
    }

    /// One thing that happens: somebody is admitted or leaves, a record, a word, an edit.
    fn happens(&mut self) {
        match self.chance.below(480) {
            0..160 => self.visits(),
            160..320 => self.recorded(),
            320..479 => self.speaks(),
            _ => self.edits(),
        }
    }

    fn visits(&mut self) {
        let event = ["A01", "A08", "A03", "A11"][self.chance.below(4)];
        let code = ["J44.100", "I10.x00", "B20.100", "F20.900"][self.chance.below(4)];
        let day = 1 + self.chance.below(28);
        let mut message = Message::new(event, &self.people[self.chance.below(PEOPLE)]);
        message.segments.push(format!("DG1|1||{code}^诊断^I10||202610{day:02}|A"));
        let bytes = message.bytes();
        for rig in self.rigs {
            let reply = rig.mllp().exchange(&bytes).unwrap();
            assert!(!field(&reply, "MSA-1").is_empty());
        }
    }

    fn recorded(&mut self) {
        let day = 1 + self.chance.below(28);
        let records = [
            json!({ "dataset": "medication", "medications": [{ "name": format!("药{day}") }] }),
            json!({ "dataset": "ability-assessment", "assessedOn": format!("2026-10-{day:02}"),
                "levels": { "final": (day % 5).to_string() } }),
            json!({ "dataset": "doctor-contract", "state": "signed", "team": "一队" }),
        ];
        let mut record = records[self.chance.below(3)].clone();
        record["time"] = json!(format!("2026-10-{day:02}"));
        record["person"] = json!({ "citizenId": self.people[self.chance.below(PEOPLE)].citizen });
        self.told(TLS_SENDER, "platform", &record);
    }

    fn speaks(&mut self) {
        let number = format!("TY-{}", self.chance.below(3));
        let decision = ["permit", "permit", "deny"][self.chance.below(3)];
        let state = ["active", "active", "inactive"][self.chance.below(3)];
        let parts = [json!(null), json!(["allergy"]), json!(["diagnosis"])];
        let said = json!({ "consent": number, "decision": decision, "state": state,
            "categories": parts[self.chance.below(3)].clone() });
        let word = person::word(&self.people[self.chance.below(PEOPLE)].citizen, said);
        self.told(HOME, "civil", &word);
    }

    fn edits(&mut self) {
        self.edited = !self.edited;
        for rig in self.rigs {
            let path = rig.path().join("policies/care-institution.cedar");
            let text = std::fs::read_to_string(&path).unwrap();
            let (one, other) = ("in Class::\"medication\"", "== Element::\"DE08.50.022.00\"");
            let (from, to) = if self.edited { (one, other) } else { (other, one) };
            assert!(text.contains(from), "{from}");
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            let (done, told) = rig.order(&["reload"]);
            assert!(done, "{told}");
        }
    }

    /// Both are asked by a desk; whether the answer held anything.
    fn asked(&mut self, step: usize, desk: &Desk) -> bool {
        let citizen = self.people[self.chance.below(PEOPLE)].citizen.clone();
        let ask = |doors: &mut Doors<'_>| {
            let told = doors.json(desk, &citizen);
            comparable(serde_json::from_slice(&told.body).unwrap())
        };
        let [one, other] = self.doors.each_mut().map(ask);
        let by = (&desk.department, &desk.role, &desk.purpose);
        assert_eq!(one, other, "step {step}: {by:?}");
        one["elements"].as_array().is_some_and(|all| !all.is_empty())
    }
}

#[test]
fn whatever_happens_a_cache_changes_no_answer() {
    let steps = std::env::var("KANGQIAO_MODEL_STEPS").ok().and_then(|text| text.parse().ok());
    let steps: usize = steps.unwrap_or(400);
    // One holds few people, so that some are always put out of it; the other holds none.
    let cached = gateway("[cache]\nbytes_max = 65536\n");
    let naive = gateway("[cache]\nseconds = 0\nfailed_ms = 0\nbytes_max = 0\n");
    let desks: Vec<Desk> = desks().into_iter().filter(|desk| !desk.counts).collect();
    let rigs = [&cached, &naive];
    let (people, chance) = (Vec::new(), Chance(20_261_129));
    let mut pair = Pair { rigs, doors: rigs.map(Doors::new), people, chance, edited: false };
    let mut told = 0;
    for step in 0..steps {
        if step % STAY == 0 {
            pair.people = (0..PEOPLE).map(|_| Resident::new()).collect();
            pair.people.iter().for_each(|resident| known(rigs, resident));
            crate::rig::loudly(&format!("model: {step} steps, {told} answers with values"));
        }
        match pair.chance.below(3) {
            0 => pair.happens(),
            _ => {
                let desk = &desks[pair.chance.below(desks.len())];
                told += usize::from(pair.asked(step, desk));
            }
        }
    }
    assert!(told > steps / 10, "{told} of {steps} answers held anything");
    let asked = |rig: &Rig| rig.platform.asked() + rig.registry.asked();
    let (asked, spared) = (asked(&naive), asked(&naive).saturating_sub(asked(&cached)));
    assert!(spared > 0, "the cache answered nothing");
    let line = format!("model: {steps} steps, upstreams asked {asked} times, spared {spared}");
    crate::rig::loudly(&line);
}
