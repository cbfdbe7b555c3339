//! What the systems about a person say of him: what he allows, and who treats him.

use serde_json::{Value, json};

use super::message::{Message, Resident, field, unique};
use super::{CLERK, CLINIC_SYSTEM, HOME, Rig};

/// Elders in one enrolment.
const ENROLLED_AT_ONCE: usize = 1_000;

impl Rig {
    /// The care home brings somebody's [`word`]. What became of it.
    pub fn says(&self, citizen: &str, more: Value) -> Value {
        self.says_by(HOME, citizen, more)
    }

    /// The same, recorded by another sender.
    pub fn says_by(&self, sender: &str, citizen: &str, more: Value) -> Value {
        let media = "application/vnd.kangqiao.civil+json";
        let body = word(citizen, more).to_string();
        self.https(sender).post("/v1/messages", media, body.as_bytes()).unwrap().json()
    }

    /// The civil-affairs bureau enrols elders in a subscription, each by citizen id and reference.
    pub fn enrols<'a>(&self, subscription: &str, elders: impl Iterator<Item = (&'a str, &'a str)>) {
        let mut link = self.https(CLERK);
        let row = |(citizen, reference): (&str, &str)| {
            let identifier = json!({ "kind": "citizen-id", "value": citizen });
            json!({ "identifier": identifier, "reference": reference })
        };
        let rows: Vec<Value> = elders.map(row).collect();
        for some in rows.chunks(ENROLLED_AT_ONCE) {
            let body = json!({ "subscription": subscription, "enrol": some }).to_string();
            let reply = link.post("/v1/subscriptions", "application/json", body.as_bytes());
            let reply = reply.unwrap();
            assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        }
    }

    /// Somebody consents to the admission check of the care home.
    pub fn consents(&self, citizen: &str) {
        let kept = self.says(citizen, json!({}));
        assert_eq!(kept["state"], "kept", "{kept}");
    }

    /// The clinic tells of a visit: from then on its doctors treat somebody.
    pub fn treats(&self, citizen: &str) {
        self.hears_of(&visit(citizen));
    }

    /// The clinic tells of this visit.
    pub fn hears_of(&self, visit: &[u8]) {
        let reply = self.mllps(CLINIC_SYSTEM).unwrap().exchange(visit).unwrap();
        let told = String::from_utf8_lossy(&reply).into_owned();
        assert_eq!(field(&reply, "MSA-1"), "AA", "{told}");
    }
}

/// A visit to the clinic, which has a number of its own for him.
pub fn visit(citizen: &str) -> Vec<u8> {
    let mut message = Message::new("A01", &Resident::new());
    let number = unique();
    message.segments[1] = format!("PID|1||{number}^^^CLINIC^MR~{citizen}^^^GA^NI");
    message.bytes()
}

/// What somebody allows or refuses, in the civil-affairs dataset, with these members beside the
/// usual ones.
pub fn word(citizen: &str, more: Value) -> Value {
    let mut said = json!({
        "dataset": "privacy-consent", "person": { "citizenId": citizen },
        "consent": "TY-1", "state": "active", "decision": "permit",
        "purposes": ["institution-admission"], "notice": "2026-1", "grantor": "person",
        "decidedAt": "2026-10-01",
    });
    for (key, value) in more.as_object().unwrap() {
        match value.is_null() {
            true => drop(said.as_object_mut().unwrap().remove(key)),
            false => said[key] = value.clone(),
        }
    }
    said
}
