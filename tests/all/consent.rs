//! Consent: what a person allows and refuses is followed by every answer and notice, at once.

use kangqiao_conformance::https::Reply;
use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field};
use crate::rig::receiver::Receiver;
use crate::rig::{CLERK, CLINIC, DOCTOR, HOME_CLERK, Rig, TLS_SENDER};

/// An admitted resident with a diagnosis and an allergy, about whom the platform knows a medicine.
fn admitted(rig: &Rig) -> Resident {
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
    message.segments.push("DG1|1||J44.100^慢性阻塞性肺病^I10||20261001|A".to_owned());
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    let medicine = json!({ "dataset": "medication", "person": { "citizenId": resident.citizen },
        "medications": [{ "name": "沙美特罗替卡松" }] });
    rig.platform.knows(&resident.citizen, vec![medicine]);
    resident
}

fn ask(rig: &Rig, who: &str, resident: &Resident, purpose: &str) -> Reply {
    let reply = rig.ask(
        who,
        &json!({
            "identifier": { "kind": "citizen-id", "value": resident.citizen },
            "purpose": purpose,
        }),
    );
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    reply
}

/// The elements an answer holds.
fn told(reply: &Reply) -> Vec<String> {
    let rows = reply.json()["elements"].as_array().unwrap().clone();
    let mut told: Vec<_> =
        rows.iter().map(|row| row["element"].as_str().unwrap().to_owned()).collect();
    told.sort();
    told.dedup();
    told
}

/// An answer without what differs for each.
fn comparable(reply: &Reply) -> Value {
    let mut body = reply.json();
    for key in ["receipt", "answered_at"] {
        body.as_object_mut().unwrap().remove(key).unwrap();
    }
    body
}

const DIAGNOSIS: &str = "DE05.01.024.00";
const MEDICINE: &str = "DE08.50.022.00";
const ALLERGEN: &str = "DE05.01.022.00";

#[test]
fn without_consent_somebody_looks_like_nobody_and_no_system_hears_of_it() {
    let rig = Rig::start();
    let (resident, nobody) = (admitted(&rig), Resident::new());
    let asked = rig.platform.asked();
    for who in [DOCTOR, HOME_CLERK] {
        let (one, other) = (
            ask(&rig, who, &resident, "institution-admission"),
            ask(&rig, who, &nobody, "institution-admission"),
        );
        assert_eq!(told(&one), Vec::<String>::new());
        assert_eq!(comparable(&one), comparable(&other), "{who}");
        assert_eq!(one.json()["consent"], "needed");
    }
    assert_eq!(rig.platform.asked(), asked, "a system was told whom the question is about");
    rig.consents(&resident.citizen);
    let doctor = told(&ask(&rig, DOCTOR, &resident, "institution-admission"));
    for element in [DIAGNOSIS, MEDICINE, ALLERGEN] {
        assert!(doctor.contains(&element.to_owned()), "{doctor:?}");
    }
    // A statutory purpose goes on whatever is said, and says on which basis.
    let withdrawn = rig.says(&resident.citizen, json!({ "state": "inactive" }));
    assert_eq!(withdrawn["state"], "kept", "{withdrawn}");
    let after = ask(&rig, DOCTOR, &resident, "institution-admission");
    assert_eq!(told(&after), Vec::<String>::new(), "a withdrawn consent was followed");
    let refused =
        json!({ "consent": "JJ-1", "decision": "deny", "purposes": null, "notice": null });
    assert_eq!(rig.says(&resident.citizen, refused)["state"], "kept");
    let statutory = ask(&rig, CLERK, &resident, "subsidy-eligibility");
    assert_eq!(statutory.json()["consent"], "not-needed");
    assert!(statutory.json()["legal_basis"]["zh"].is_string());
    assert!(!told(&statutory).is_empty());
    // The ledger knows why each was answered as it was, and what was said when.
    let ledger = rig.ledger(&["export"]);
    for word in ["without-consent", "consented", "知情同意 consent", "withdrawn"] {
        assert!(ledger.contains(word), "{word}: {ledger}");
    }
}

#[test]
fn a_consent_is_followed_as_far_as_it_goes() {
    let rig = Rig::shared();
    let told_with = |more: &[Value]| {
        let resident = admitted(&rig);
        for said in more {
            let kept = rig.says(&resident.citizen, said.clone());
            assert_eq!(kept["state"], "kept", "{kept}");
        }
        let told = told(&ask(&rig, DOCTOR, &resident, "institution-admission"));
        [DIAGNOSIS, MEDICINE, ALLERGEN].map(|element| told.contains(&element.to_owned()))
    };
    let plain = json!({});
    let deny = |more: Value| {
        let mut said = json!({ "consent": "JJ-1", "decision": "deny", "notice": null });
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        said
    };
    let check = |what: &str, more: &[Value], expect: [bool; 3]| {
        assert_eq!(told_with(more), expect, "{what}");
    };
    check("all of it", std::slice::from_ref(&plain), [true, true, true]);
    check("for one class", &[json!({ "categories": ["allergy"] })], [false, false, true]);
    check("another department", &[json!({ "departments": ["community"] })], [false; 3]);
    check("this department", &[json!({ "departments": ["care-home"] })], [true; 3]);
    check("another purpose", &[json!({ "consent": "TY-2", "state": "inactive" })], [false; 3]);
    check("over", &[json!({ "from": "2020-01-01", "until": "2020-12-31" })], [false; 3]);
    check("not yet", &[json!({ "from": "2999-01-01" })], [false; 3]);
    check("refused as well", &[plain.clone(), deny(json!({}))], [false; 3]);
    check("refused first", &[deny(json!({})), plain.clone()], [false; 3]);
    check(
        "refused elsewhere",
        &[plain.clone(), deny(json!({ "departments": ["community"] }))],
        [true; 3],
    );
    check(
        "one class refused",
        &[plain.clone(), deny(json!({ "categories": ["medication"] }))],
        [true, false, true],
    );
    // A medicine tells what it is for: who refuses the diagnosis refuses it too.
    check(
        "what tells it is refused with it",
        &[plain.clone(), deny(json!({ "categories": ["diagnosis"] }))],
        [false, false, true],
    );
    check(
        "a refusal that was taken back",
        &[plain.clone(), deny(json!({})), deny(json!({ "state": "inactive" }))],
        [true; 3],
    );
    check("a refusal that is over", &[plain, deny(json!({ "until": "2020-12-31" }))], [true; 3]);
}

/// Whatever else it says: who takes back what he allowed is heard.
#[test]
fn a_withdrawal_is_never_turned_away() {
    let rig = Rig::shared();
    let resident = admitted(&rig);
    rig.consents(&resident.citizen);
    assert!(!told(&ask(&rig, DOCTOR, &resident, "institution-admission")).is_empty());
    let withdrawn =
        json!({ "state": "inactive", "purposes": ["retired-purpose"], "notice": "old" });
    let kept = rig.says(&resident.citizen, withdrawn);
    assert_eq!(kept["state"], "kept", "{kept}");
    assert!(told(&ask(&rig, DOCTOR, &resident, "institution-admission")).is_empty());
    // A month has no last day anybody could hold it to.
    let vague = rig.says(&resident.citizen, json!({ "until": "2027-12" }));
    assert_eq!(
        (vague["fault"].as_str(), vague["at"].as_str()),
        (Some("data-type"), Some("/until"))
    );
}

/// Who refuses one condition refuses the drug that gives it away, and nothing else.
#[test]
fn one_condition_may_be_refused_with_what_gives_it_away() {
    let rig = Rig::shared();
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("DG1|1||J44.100^慢性阻塞性肺病^I10||20261001|A".to_owned());
    message.segments.push("DG1|2||E11.900^2型糖尿病^I10||20261001|A".to_owned());
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    let medicines = json!({ "dataset": "medication", "person": { "citizenId": resident.citizen },
        "medications": [{ "name": "盐酸二甲双胍片" }, { "name": "氨氯地平片" }] });
    rig.platform.knows(&resident.citizen, vec![medicines]);
    rig.consents(&resident.citizen);
    let shown = || ask(&rig, DOCTOR, &resident, "institution-admission").json().to_string();
    let words = ["J44.100", "E11.900", "二甲双胍", "氨氯地平"];
    assert!(words.iter().all(|word| shown().contains(word)), "{}", shown());
    let refusal = json!({ "consent": "JJ-1", "decision": "deny", "categories": ["diabetes"],
        "notice": null });
    assert_eq!(rig.says(&resident.citizen, refusal)["state"], "kept");
    let seen = words.map(|word| shown().contains(word));
    assert_eq!(seen, [true, false, false, true], "{}", shown());
}

/// What the hospital itself marks as protected is for who treats the elder.
#[test]
fn a_visit_its_hospital_protects_is_told_to_no_care_home() {
    let rig = Rig::shared();
    let (open, protected) = (Resident::new(), Resident::new());
    for (resident, mark) in [(&open, "N"), (&protected, "Y")] {
        let mut message = Message::new("A01", resident);
        message.segments.push(format!("PV2|{}{mark}", "|".repeat(21)));
        message.segments.push("DG1|1||J44.100^慢性阻塞性肺病^I10||20261001|A".to_owned());
        let reply = rig.mllp().exchange(&message.bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
        rig.consents(&resident.citizen);
    }
    let told = |resident| {
        told(&ask(&rig, DOCTOR, resident, "institution-admission")).contains(&DIAGNOSIS.to_owned())
    };
    assert_eq!((told(&open), told(&protected)), (true, false));
}

#[test]
fn what_would_not_be_followed_is_refused_by_place() {
    let rig = Rig::shared();
    let resident = Resident::new();
    let check = |more: Value, expect: (&str, &str)| {
        let told = rig.says(&resident.citizen, more.clone());
        let found = (told["fault"].as_str(), told["at"].as_str());
        assert_eq!(found, (Some(expect.0), Some(expect.1)), "{more}: {told}");
    };
    check(json!({ "purposes": ["curiosity"] }), ("table-value", "/purposes/0"));
    check(json!({ "purposes": null }), ("required-missing", "/person/citizenId"));
    check(json!({ "departments": ["nobody"] }), ("table-value", "/departments/0"));
    check(json!({ "categories": ["everything"] }), ("table-value", "/categories/0"));
    check(json!({ "notice": "1999" }), ("table-value", "/notice"));
    check(json!({ "decision": "perhaps" }), ("table-value", "/decision"));
    // The care home may not record what is said to the 12349 desk; anybody may record a refusal.
    check(json!({ "purposes": ["service-matching"] }), ("purpose-not-granted", "/decision"));
    let hospital = rig.says_by(TLS_SENDER, &resident.citizen, json!({}));
    assert_eq!(hospital["fault"], "purpose-not-granted", "{hospital}");
    let refusal = rig.says_by(TLS_SENDER, &resident.citizen, json!({ "decision": "deny" }));
    assert_eq!(refusal["state"], "kept", "{refusal}");
}

#[test]
fn a_consent_in_fhir_is_the_same_word_and_one_with_an_exception_is_not_weighed() {
    let rig = Rig::shared();
    let bundle = |citizen: &str, provision: Value| {
        json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
            { "fullUrl": "urn:uuid:9e909e52-61a1-4e50-9878-a12ef8c36346",
              "request": { "method": "POST", "url": "Patient" },
              "resource": { "resourceType": "Patient", "identifier": [
                { "system": "urn:oid:2.16.156.10011.1.3", "value": citizen }] } },
            { "request": { "method": "POST", "url": "Consent" },
              "resource": { "resourceType": "Consent", "status": "active",
                "identifier": [{ "value": "TY-9" }],
                "scope": { "coding": [{ "code": "patient-privacy",
                    "system": "http://terminology.hl7.org/CodeSystem/consentscope" }] },
                "category": [{ "coding": [{ "system": "http://loinc.org", "code": "59284-0" }] }],
                "patient": { "reference": "urn:uuid:9e909e52-61a1-4e50-9878-a12ef8c36346" },
                "policyRule": { "text": "2026-1" }, "provision": provision } }] })
    };
    let push = |citizen: &str, provision: Value| {
        let body = bundle(citizen, provision).to_string();
        let media = "application/fhir+json";
        rig.https(crate::rig::HOME).post("/fhir", media, body.as_bytes()).unwrap()
    };
    let purpose = json!([{ "system": "urn:kangqiao:purpose", "code": "institution-admission" }]);
    let resident = admitted(&rig);
    let kept = push(&resident.citizen, json!({ "type": "permit", "purpose": purpose }));
    assert_eq!(kept.status, 201, "{}", String::from_utf8_lossy(&kept.body));
    assert!(!told(&ask(&rig, DOCTOR, &resident, "institution-admission")).is_empty());
    let other = admitted(&rig);
    let provision = json!({ "type": "permit", "purpose": purpose,
        "provision": [{ "type": "deny" }] });
    let told_so = String::from_utf8(push(&other.citizen, provision).body).unwrap();
    assert!(
        told_so.contains("provision") && told_so.contains("unsupported-parameter"),
        "{told_so}"
    );
    assert!(told(&ask(&rig, DOCTOR, &other, "institution-admission")).is_empty());
}

#[test]
fn a_word_follows_its_person_through_a_merge_and_is_heard_however_old_it_is() {
    let rig = Rig::start();
    // The hospital knows somebody by the number of his record, then by the citizen id; the two
    // numbers of the hospital are merged. What was said under the old one holds for both.
    let (old, kept) = (Resident::new(), admitted(&rig));
    let record = format!("41010500100{:06}", crate::rig::message::unique() % 1_000_000);
    let mut first = Message::new("A01", &old);
    let pid = format!("PID|1||{}^^^HOSP-A^MR~{record}^^^^EHR||{}||19480315|M", old.local, old.name);
    first.segments[1].clone_from(&pid);
    assert_eq!(field(&rig.mllp().exchange(&first.bytes()).unwrap(), "MSA-1"), "AA");
    let under = json!({ "recordNumber": record });
    assert_eq!(rig.says("", json!({ "person": under }))["state"], "kept");
    let refusal = json!({ "person": under, "consent": "JJ-1", "decision": "deny",
        "categories": ["allergy"], "notice": null });
    assert_eq!(rig.says("", refusal)["state"], "kept");
    assert!(told(&ask(&rig, DOCTOR, &kept, "institution-admission")).is_empty());
    let mut merge = Message::new("A40", &kept);
    merge.kind = "ADT^A40^ADT_A39".to_owned();
    merge.segments.push(format!("MRG|{}^^^HOSP-A^MR", old.local));
    let reply = rig.mllp().exchange(&merge.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
    // Far more records than an answer looks at come after the word.
    let mut link = rig.mllp();
    for _ in 0..510 {
        let reply = link.exchange(&Message::new("A08", &kept).bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA");
    }
    let told = told(&ask(&rig, DOCTOR, &kept, "institution-admission"));
    assert!(told.contains(&MEDICINE.to_owned()), "an old consent is forgotten: {told:?}");
    assert!(!told.contains(&ALLERGEN.to_owned()), "an old refusal is forgotten: {told:?}");
}

#[test]
fn only_who_treats_somebody_opens_the_document() {
    let rig = Rig::prepare("");
    // The hospital on the plain port is the clinic's own.
    let path = rig.path().join("policies/departments.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let own = "sources      = [\"clinic\"]";
    assert!(text.contains(own));
    std::fs::write(&path, text.replace(own, "sources      = [\"hospital-a\"]")).unwrap();
    rig.resume();
    let resident = Resident::new();
    let treated = Resident::new();
    let document = |resident: &Resident| {
        let mut message = Message::new("T02", resident);
        message.kind = "MDM^T02^MDM_T02".to_owned();
        message.segments.push(format!(
            "TXA|1|DS^出院小结|TX|20261103160000||||||||WD{}^EMR|||||LA",
            resident.local
        ));
        message.segments.push("OBX|1|TX|11490-0^出院小结^LN||血压平稳||||||F".to_owned());
        message
    };
    for one in [&resident, &treated] {
        let reply = rig.mllps(TLS_SENDER).unwrap().exchange(&document(one).bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
    }
    let reply = rig.mllp().exchange(&Message::new("A01", &treated).bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    // Whether the document is there, and whether its content is said to be withheld.
    let opened = |resident: &Resident| {
        let question = json!({
            "identifier": { "kind": "citizen-id", "value": resident.citizen },
            "purpose": "record-sharing", "elements": ["MZ.document.id", "MZ.document.content"],
        });
        let reply = rig.ask(CLINIC, &question);
        let withheld = reply.json()["withheld"].to_string();
        (told(&reply), withheld.contains("MZ.document.content"))
    };
    let there = vec!["MZ.document.id".to_owned()];
    assert_eq!(opened(&resident), (there.clone(), true));
    assert_eq!(opened(&treated), (there.clone(), false));
    let ledger = rig.ledger(&["export"]);
    assert_eq!(ledger.matches("relation-treating").count(), 1, "{ledger}");
    // The visit is taken back: so is the relation.
    let reply = rig.mllp().exchange(&Message::new("A11", &treated).bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    assert_eq!(opened(&treated), (there, true));
}

/// A notice that waits is decided when it leaves, by what the elder says then.
#[test]
fn a_notice_that_waits_follows_a_refusal() {
    let port = crate::rig::free_port();
    let rig = Rig::prepare(&format!(
        r#"
[[subscription]]
name = "documents"
department = "clinic"
role = "doctor"
purpose = "record-sharing"
events = ["document"]
url = "https://127.0.0.1:{port}/notices"
tls = {{ authority = "certs/ca.pem", certificate = "certs/gateway.pem", key = "certs/gateway.key" }}
wait_ms = 20
wait_ms_max = 50
open_ms = 100
"#
    ));
    let receiver = Receiver::start(&rig.path().join("certs"), "platform", port);
    rig.resume();
    let (refuses, allows) = (Resident::new(), Resident::new());
    let elders = [&refuses, &allows].map(|elder| {
        json!({ "identifier": { "kind": "citizen-id", "value": elder.citizen },
            "reference": elder.local })
    });
    let list = json!({ "subscription": "documents", "enrol": elders }).to_string();
    let mut clinic = rig.https(CLINIC);
    let reply = clinic.post("/v1/subscriptions", "application/json", list.as_bytes()).unwrap();
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    receiver.answers(|_| 503);
    for elder in [&refuses, &allows] {
        let mut message = Message::new("T02", elder);
        message.kind = "MDM^T02^MDM_T02".to_owned();
        message.segments.push(format!(
            "TXA|1|DS^出院小结|TX|20261103160000||||||||WD{}^EMR|||||LA",
            elder.local
        ));
        message.segments.push("OBX|1|TX|11490-0^出院小结^LN||血压平稳||||||F".to_owned());
        let reply = rig.mllp().exchange(&message.bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
    }
    crate::rig::until("both were tried", || (receiver.count() >= 2).then_some(()));
    let refusal = json!({ "decision": "deny", "purposes": ["record-sharing"], "notice": null });
    assert_eq!(rig.says(&refuses.citizen, refusal)["state"], "kept");
    receiver.answers(|_| 204);
    crate::rig::until("no notice waits", || {
        (rig.stored("SELECT count(*) FROM outbox WHERE state = 0") == 0).then_some(())
    });
    let taken = receiver.taken();
    let told: Vec<_> = taken.iter().map(|one| one["reference"].as_str().unwrap()).collect();
    assert_eq!(told, [allows.local.as_str()]);
}
