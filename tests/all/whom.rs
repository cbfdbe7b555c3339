//! Asked by what is known of somebody: who is found, who is not, and that nobody can tell why.

use kangqiao_conformance::https::Reply;
use kangqiao_conformance::values::citizen_id;
use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field, unique};
use crate::rig::{AGENT, CLERK, Rig};

/// Who may read demographics, and so look for people by them.
pub const CLINIC: &str = "clinic-doctor";

/// Somebody with a name, a birth date and a telephone of their own.
pub struct Known {
    pub resident: Resident,
    pub birth: String,
    pub phone: String,
}

impl Known {
    /// Admitted under a name (XPN) that is written so, with a birth date, if it is given.
    pub fn admitted(rig: &Rig, name: &str, birth: Option<&str>) -> Self {
        let mut resident = Resident::new();
        resident.name = name.to_owned();
        let phone = format!("139{:08}", unique() % 100_000_000);
        let birth = birth.map_or_else(|| resident.citizen[6..14].to_owned(), str::to_owned);
        let known = Self { resident, birth, phone };
        known.send(rig, &known.resident.identifiers());
        known
    }

    /// The same, under other numbers.
    pub fn send(&self, rig: &Rig, identifiers: &str) {
        let mut message = Message::new("A28", &self.resident);
        message.segments[1] = format!(
            "PID|1||{identifiers}||{}||{}|M|||^^^^^^H||{}",
            self.resident.name, self.birth, self.phone
        );
        let reply = rig.mllp().exchange(&message.bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
    }
}

fn ask(rig: &Rig, who: &str, purpose: &str, person: &Value) -> Reply {
    rig.ask(who, &json!({ "person": person, "purpose": purpose }))
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// An answer without what is another one's each time.
fn bare(reply: &Reply) -> (u16, Value) {
    let mut body = reply.json();
    for key in ["receipt", "answered_at"] {
        body.as_object_mut().unwrap().remove(key);
    }
    (reply.status, body)
}

#[test]
fn somebody_is_found_by_every_way_a_name_and_a_birthday_are_written() {
    let rig = Rig::shared();
    // 1948-03-15 is the fifth of the second month of the lunar year.
    let known = Known::admitted(&rig, "闫^国强", Some("19480315"));
    let check = |name: &str, birth: &str| {
        let person = json!({
            "name": name, "birth_date": birth, "sex": "男", "phone": known.phone,
        });
        let reply = ask(&rig, CLINIC, "record-sharing", &person);
        assert_eq!(reply.status, 200, "{name} {birth}: {}", text(&reply));
        assert!(text(&reply).contains(&known.resident.citizen), "{name} {birth}: {}", text(&reply));
        let receipt = reply.json()["receipt"].as_str().unwrap().to_owned();
        let entry = rig.ledger(&["search", "--receipt", &receipt]);
        assert!(entry.contains("disclosure"), "{entry}");
    };
    check("闫国强", "1948-03-15");
    check("闫 国强", "19480315");
    check("閆國強", "1948-03-15");
    check("阎国强", "1948-03-15");
    check("Yan Guoqiang", "1948-03-15");
    check("严国墙", "1948-03-15");
    check("闫国强", "1948-02-05");
    let own = rig.ledger(&["search", "--citizen-id", &known.resident.citizen]);
    assert!(own.matches("disclosure").count() >= 7, "each stands under the person: {own}");
}

#[test]
fn nobody_perhaps_somebody_and_two_of_a_name_get_the_same_refusal() {
    let rig = Rig::shared();
    let born = &citizen_id(unique())[6..14].to_owned();
    let one = Known::admitted(&rig, "欧阳^修远", Some(born));
    let two = Known::admitted(&rig, "欧阳^修远", Some(born));
    assert_ne!(one.resident.citizen, two.resident.citizen);
    let sought = |name: &str| json!({ "name": name, "birth_date": born, "sex": "1" });
    let namesakes = ask(&rig, CLINIC, "record-sharing", &sought("欧阳修远"));
    let nobody = ask(&rig, CLINIC, "record-sharing", &sought("澹台灭明"));
    assert_eq!(namesakes.status, 409, "{}", text(&namesakes));
    assert_eq!(namesakes.json()["fault"], "identity-ambiguous");
    assert_eq!(bare(&namesakes), bare(&nobody));
    let mut told = sought("欧阳修远");
    told["phone"] = json!(two.phone);
    let reply = ask(&rig, CLINIC, "record-sharing", &told);
    assert!(text(&reply).contains(&two.resident.citizen), "{}", text(&reply));
    assert!(!text(&reply).contains(&one.resident.citizen));
}

#[test]
fn a_purpose_that_may_not_see_a_field_finds_nobody_by_it() {
    let rig = Rig::shared();
    let known = Known::admitted(&rig, "司马^承祯", None);
    let person = json!({ "name": "司马承祯", "birth_date": known.birth, "phone": known.phone });
    let nobody = json!({ "name": "司马承福", "birth_date": "1931-01-07", "phone": "13000000000" });
    let reply = ask(&rig, CLERK, "living-check", &person);
    assert_eq!(
        (reply.status, reply.json()["fault"].as_str()),
        (400, Some("unsupported-parameter"))
    );
    assert_eq!(reply.json()["at"], "/person/name");
    assert_eq!(bare(&reply), bare(&ask(&rig, CLERK, "living-check", &nobody)));
    assert_eq!(ask(&rig, AGENT, "record-sharing", &person).status, 403, "not granted");
    let refused = rig.ledger(&["search", "--citizen-id", &known.resident.citizen]);
    assert!(!refused.contains("unsupported-parameter"), "nobody was looked for: {refused}");
}

#[test]
fn a_number_in_a_description_must_agree_with_the_rest() {
    let rig = Rig::shared();
    let known = Known::admitted(&rig, "诸葛^文远", None);
    let numbers = json!([{ "kind": "citizen-id", "value": known.resident.citizen }]);
    let person = |name: &str, born: &str| json!({ "name": name, "birth_date": born, "identifiers": numbers });
    let reply = ask(&rig, CLINIC, "record-sharing", &person("诸葛文远", &known.birth));
    assert_eq!(reply.status, 200, "{}", text(&reply));
    let reply = ask(&rig, CLINIC, "record-sharing", &person("王小二", "1990-12-01"));
    assert_eq!(reply.status, 409, "{}", text(&reply));
}
