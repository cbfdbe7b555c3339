//! Asked by what is known of somebody: who is found, who is not, and that nobody can tell why.

use kangqiao_conformance::https::Reply;
use kangqiao_conformance::mllp::Link;
use kangqiao_conformance::values::citizen_id;
use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field, unique};
use crate::rig::{AGENT, CLERK, Rig, TLS_SENDER};

/// Who may read demographics, and so look for people by them.
pub const CLINIC: &str = "clinic-doctor";

/// Somebody with a name, a birth date and a telephone of their own.
pub struct Known {
    pub resident: Resident,
    pub birth: String,
    pub phone: String,
    former: String,
}

impl Known {
    /// Admitted under a name (XPN) that is written so, with a birth date, if it is given.
    pub fn admitted(rig: &Rig, name: &str, birth: Option<&str>) -> Self {
        Self::formerly(rig, (name, birth), "")
    }

    /// The same, with a former name.
    fn formerly(rig: &Rig, (name, birth): (&str, Option<&str>), former: &str) -> Self {
        let mut resident = Resident::new();
        resident.name = name.to_owned();
        let phone = format!("139{:08}", unique() % 100_000_000);
        let birth = birth.map_or_else(|| resident.citizen[6..14].to_owned(), str::to_owned);
        let known = Self { resident, birth, phone, former: former.to_owned() };
        known.send(&mut rig.mllp(), &known.resident.identifiers());
        known
    }

    /// The same by another hospital, under its own number alone; the index finds who it is.
    pub fn known_elsewhere(&self, rig: &Rig) -> String {
        let number = format!("B{:011}", unique());
        self.send(&mut rig.mllps(TLS_SENDER).unwrap(), &format!("{number}^^^HOSP-B^MR"));
        number
    }

    fn send(&self, link: &mut Link, identifiers: &str) {
        let mut message = Message::new("A28", &self.resident);
        message.segments[1] = format!(
            "PID|1||{identifiers}||{}||{}|M|{}||^^郑州市^河南省^^^H||{}",
            self.resident.name, self.birth, self.former, self.phone
        );
        let reply = link.exchange(&message.bytes()).unwrap();
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
fn a_name_the_asker_may_not_read_finds_nobody() {
    let rig = Rig::shared();
    // The index knows a former name; no purpose lists it, so nobody is found by it.
    let known = Known::formerly(&rig, ("夏侯^元让", Some("19320411")), "钟离^春晓");
    let born = "19320411";
    let sought =
        |name: &str| json!({ "name": name, "birth_date": born, "sex": "男", "phone": known.phone });
    let now = ask(&rig, CLINIC, "record-sharing", &sought("夏侯元让"));
    assert!(text(&now).contains(&known.resident.citizen), "{}", text(&now));
    assert!(!text(&now).contains("春晓"), "{}", text(&now));
    let before = ask(&rig, CLINIC, "record-sharing", &sought("钟离春晓"));
    let nobody = json!({ "name": "钟离春晓", "birth_date": "18990411", "phone": "13000000001" });
    assert_eq!(before.status, 409, "{}", text(&before));
    assert_eq!(bare(&before), bare(&ask(&rig, CLINIC, "record-sharing", &nobody)));
}

#[test]
fn a_number_in_a_description_must_agree_with_the_rest() {
    let rig = Rig::shared();
    let known = Known::admitted(&rig, "诸葛^文远", None);
    let numbers = json!([{ "kind": "citizen-id", "value": known.resident.citizen }]);
    let person = |name: &str, born: &str| {
        let (numbers, born) = (numbers.clone(), born.to_owned());
        json!({ "name": name, "birth_date": born, "identifiers": numbers })
    };
    let reply = ask(&rig, CLINIC, "record-sharing", &person("诸葛文远", &known.birth));
    assert_eq!(reply.status, 200, "{}", text(&reply));
    let reply = ask(&rig, CLINIC, "record-sharing", &person("王小二", "1990-12-01"));
    assert_eq!(reply.status, 409, "{}", text(&reply));
}

#[test]
fn a_description_on_the_command_line_is_an_inquiry() {
    let rig = Rig::shared();
    let known = Known::admitted(&rig, "令狐^安然", None);
    let url = format!("https://localhost:{}", rig.ports.https);
    let ask = |more: &[&str]| {
        let words = ["ask", "--url", &url, "--certs", "certs", "--as", CLINIC, "--purpose"];
        rig.run(&[&words[..], &["record-sharing"], more].concat())
    };
    let described = ["--name", "令狐安然", "--birth-date", &known.birth, "--phone", &known.phone];
    let output = ask(&described);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && printed.contains(&known.resident.citizen), "{printed}");
    let two = ask(&["--name", "令狐安然", "--citizen-id", &known.resident.citizen]);
    assert!(!two.status.success(), "a number or a description");
    assert!(!ask(&["--birth-date", &known.birth]).status.success(), "a name is needed");
}

/// `$match` with a Patient and further parameters.
fn matching(rig: &Rig, (who, purpose): (&str, &str), patient: Value, more: &[Value]) -> Reply {
    let mut parameters = vec![json!({ "name": "resource", "resource": patient })];
    parameters.extend_from_slice(more);
    let body = json!({ "resourceType": "Parameters", "parameter": parameters }).to_string();
    let request = format!(
        "POST /fhir/Patient/$match HTTP/1.1\r\nhost: g\r\nkangqiao-purpose: {purpose}\r\n\
         content-type: application/fhir+json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    rig.https(who).ask(request.as_bytes()).unwrap()
}

fn matches(reply: &Reply) -> Vec<(String, f64, String)> {
    let body = reply.json();
    let entries = body["entry"].as_array().cloned().unwrap_or_default();
    let own = entries.into_iter().filter(|entry| entry["search"]["mode"] == "match");
    own.map(|entry| {
        let grade = entry["search"]["extension"][0]["valueCode"].as_str().unwrap().to_owned();
        let score = entry["search"]["score"].as_f64().unwrap();
        (grade, score, entry["resource"].to_string())
    })
    .collect()
}

#[test]
fn a_match_by_demographics_has_a_score_a_grade_and_an_entry_for_each_person() {
    let rig = Rig::shared();
    let one = Known::admitted(&rig, "慕容^雪村", Some("19390817"));
    let two = Known::admitted(&rig, "慕容^雪村", Some("19390817"));
    let sharing = (CLINIC, "record-sharing");
    let patient = |more: Value| {
        let mut patient = json!({
            "resourceType": "Patient", "birthDate": "1939-08-17", "gender": "male",
            "name": [{ "family": "慕容", "given": ["雪村"] }],
        });
        patient.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        patient
    };
    let entries = || rig.stored("SELECT count(*) FROM ledger");
    let before = entries();
    let both = matching(&rig, sharing, patient(json!({})), &[]);
    let found = matches(&both);
    assert_eq!(found.len(), 2, "{}", text(&both));
    assert!(found.iter().all(|(grade, score, _)| grade != "certain" && *score < 1.0));
    assert!(entries() >= before + 2);
    for known in [&one, &two] {
        let own = found.iter().filter(|(.., one)| one.contains(&known.resident.citizen));
        assert_eq!(own.count(), 1);
        let told = rig.ledger(&["search", "--citizen-id", &known.resident.citizen]);
        assert!(told.contains("disclosure"), "{told}");
    }
    let first = matching(
        &rig,
        sharing,
        patient(json!({})),
        &[json!({ "name": "count", "valueInteger": 1 })],
    );
    assert_eq!(matches(&first).len(), 1);
    let certain = json!({ "name": "onlyCertainMatches", "valueBoolean": true });
    let none = matching(&rig, sharing, patient(json!({})), std::slice::from_ref(&certain));
    assert_eq!((none.status, matches(&none).len()), (200, 0), "{}", text(&none));
    let phone = json!({ "telecom": [{ "system": "phone", "value": two.phone }] });
    let sure = matching(&rig, sharing, patient(phone), &[certain]);
    let found = matches(&sure);
    assert_eq!(found.len(), 1, "{}", text(&sure));
    assert!(found[0].0 == "certain" && found[0].2.contains(&two.resident.citizen));
    // An id of the answer leads to the person again.
    let id = sure.json()["entry"][0]["resource"]["id"].as_str().unwrap().to_owned();
    let request = format!(
        "GET /fhir/Patient/{id} HTTP/1.1\r\nhost: g\r\n\
         kangqiao-purpose: record-sharing\r\n\r\n"
    );
    let read = rig.https(CLINIC).ask(request.as_bytes()).unwrap();
    assert!(text(&read).contains(&two.resident.citizen), "{}", text(&read));
    let refused = matching(&rig, (CLERK, "living-check"), patient(json!({})), &[]);
    assert_eq!(refused.status, 400, "{}", text(&refused));
    assert!(text(&refused).contains("unsupported-parameter"));
    let little = json!({ "resourceType": "Patient", "name": [{ "text": "慕容雪村" }] });
    assert_eq!(matching(&rig, sharing, little, &[]).status, 422);
}

#[test]
fn a_cross_reference_knows_the_numbers_of_every_hospital() {
    let rig = Rig::shared();
    let known = Known::admitted(&rig, "皇甫^子期", Some("19410923"));
    let elsewhere = known.known_elsewhere(&rig);
    let ask = |who: &str, purpose: &str, query: &str| {
        let request = format!(
            "GET /fhir/Patient/$ihe-pix?{query} HTTP/1.1\r\nhost: g\r\n\
             kangqiao-purpose: {purpose}\r\n\r\n"
        );
        rig.https(who).ask(request.as_bytes()).unwrap()
    };
    let citizen = format!("urn:oid:2.16.156.10011.1.3%7C{}", known.resident.citizen);
    let reply = ask(CLINIC, "record-sharing", &format!("sourceIdentifier={citizen}"));
    assert_eq!(reply.status, 200, "{}", text(&reply));
    let body = reply.json();
    let numbers = body["parameter"].as_array().unwrap().clone();
    let of = |number: &str| {
        let found = numbers.iter().find(|one| one["valueIdentifier"]["value"] == number);
        found.map(|one| one["valueIdentifier"]["system"].as_str().unwrap().to_owned())
    };
    let (a, b) = (of(&known.resident.local), of(&elsewhere));
    let (Some(a), Some(b)) = (a, b) else { panic!("{}", text(&reply)) };
    assert_ne!(a, b);
    assert_eq!(of(&known.resident.citizen), None, "it was asked by");
    assert!(numbers.iter().any(|one| one["name"] == "targetId"), "{}", text(&reply));
    assert!(!text(&reply).contains("皇甫"), "who asks for numbers gets no name");
    let query = format!("sourceIdentifier={a}%7C{}&targetSystem={b}", known.resident.local);
    let narrowed = ask(CLINIC, "record-sharing", &query);
    let body = narrowed.json();
    assert_eq!(body["parameter"][0]["valueIdentifier"]["value"], elsewhere, "{}", text(&narrowed));
    assert_eq!(body["parameter"].as_array().unwrap().len(), 1, "{}", text(&narrowed));
    // Nobody, and somebody whose numbers may not be told, look alike.
    let nobody = format!("urn:oid:2.16.156.10011.1.3%7C{}", citizen_id(unique()));
    for (purpose, who, number) in
        [("record-sharing", CLINIC, &nobody), ("living-check", CLERK, &citizen)]
    {
        let reply = ask(who, purpose, &format!("sourceIdentifier={number}"));
        assert_eq!((reply.status, reply.json()), (200, json!({ "resourceType": "Parameters" })));
    }
}
