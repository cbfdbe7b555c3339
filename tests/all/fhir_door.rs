//! The FHIR door: what is read there is what the policy gives, in FHIR's words.

use kangqiao_conformance::https::Reply;
use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{AGENT, AUDITOR, CLERK, DOCTOR, HOME_CLERK, Rig, TLS_SENDER};

const CITIZEN: &str = "urn:oid:2.16.156.10011.1.3";

/// A request below `/fhir` with a purpose.
fn ask(rig: &Rig, who: &str, purpose: &str, request: &str) -> Reply {
    // A call is about one elder: here each question has one of its own.
    let call = crate::rig::call();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: gateway.example\r\nkangqiao-purpose: {purpose}\r\n\
         kangqiao-call: {call}\r\n\r\n"
    );
    rig.https(who).ask(head.as_bytes()).unwrap()
}

fn search(rig: &Rig, who: &str, purpose: &str, query: &str) -> Reply {
    ask(rig, who, purpose, &format!("GET /fhir/{query}"))
}

/// The resources of a searchset that matched.
fn matched(reply: &Reply) -> Vec<Value> {
    let body = reply.json();
    let entries = body["entry"].as_array().cloned().unwrap_or_default();
    let own = entries.into_iter().filter(|entry| entry["search"]["mode"] == "match");
    own.map(|entry| entry["resource"].clone()).collect()
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// An admitted resident with an allergy and a diagnosis.
fn admitted(rig: &Rig) -> Resident {
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
    message.segments.push("DG1|1||J44.100^慢性阻塞性肺病^I10||20261001|A".to_owned());
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    rig.consents(&resident.citizen);
    resident
}

#[test]
fn a_search_gives_what_the_purpose_allows_and_enters_the_ledger() {
    let rig = Rig::shared();
    let resident = admitted(&rig);
    let query = |kind: &str| format!("{kind}?patient.identifier={CITIZEN}%7C{}", resident.citizen);
    let reply = search(&rig, AGENT, "emergency-card", &query("AllergyIntolerance"));
    assert_eq!(reply.status, 200, "{}", text(&reply));
    let found = matched(&reply);
    assert_eq!(found.len(), 1, "{}", text(&reply));
    assert_eq!(found[0]["code"]["coding"][0]["code"], "101");
    assert_eq!(reply.json()["total"], 1);
    let receipt = reply.json()["id"].as_str().unwrap().to_owned();
    assert!(rig.ledger(&["search", "--receipt", &receipt]).contains(&receipt));
    assert!(!text(&reply).contains(&resident.citizen), "the card gives no number");

    // The hotline may not know diagnoses, and no search makes it so.
    for query in [query("Condition"), query("Condition") + "&code=J44.100"] {
        let reply = search(&rig, AGENT, "emergency-card", &query);
        assert_eq!((reply.status, matched(&reply).len()), (200, 0), "{query}");
        assert_eq!(reply.json()["total"], 0);
        assert!(!text(&reply).contains("J44"));
    }
    let reply = search(&rig, DOCTOR, "institution-admission", &query("Condition"));
    assert_eq!(matched(&reply)[0]["code"]["coding"][0]["code"], "J44.100", "{}", text(&reply));
    let clerk = search(&rig, HOME_CLERK, "institution-admission", &query("Condition"));
    assert_eq!(matched(&clerk).len(), 0, "{}", text(&clerk));
}

#[test]
fn an_unknown_person_looks_like_one_whose_data_are_withheld() {
    let rig = Rig::shared();
    let (known, unknown) = (admitted(&rig), Resident::new());
    let mut answers = Vec::new();
    for resident in [&known, &unknown] {
        let query = format!("Condition?patient.identifier={CITIZEN}%7C{}", resident.citizen);
        let mut body = search(&rig, AGENT, "emergency-card", &query).json();
        body["id"] = json!("receipt");
        body["timestamp"] = json!("now");
        answers.push(body);
    }
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn a_handle_is_its_departments_own() {
    let rig = Rig::shared();
    let resident = admitted(&rig);
    let query = format!("AllergyIntolerance?patient.identifier={CITIZEN}%7C{}", resident.citizen);
    let found = matched(&search(&rig, AGENT, "emergency-card", &query));
    let id = found[0]["id"].as_str().unwrap();
    let reply = search(&rig, AGENT, "emergency-card", &format!("AllergyIntolerance/{id}"));
    assert_eq!(reply.status, 200, "{}", text(&reply));
    assert_eq!(reply.json()["id"], id);
    let other = search(&rig, DOCTOR, "institution-admission", &format!("AllergyIntolerance/{id}"));
    assert_eq!(other.status, 404, "{}", text(&other));
    assert_eq!(other.json()["resourceType"], "OperationOutcome");
    let theirs = matched(&search(&rig, DOCTOR, "institution-admission", &query));
    assert_ne!(theirs[0]["id"], id, "two departments hold the same id");
}

#[test]
fn what_is_wrong_is_an_outcome_by_place() {
    let rig = Rig::shared();
    let citizen = Resident::new().citizen;
    let query = format!("Observation?patient.identifier={CITIZEN}%7C{citizen}");
    let check = |who: &str, purpose: &str, query: &str, expect: (u16, &str)| {
        let reply = search(&rig, who, purpose, query);
        let body = reply.json();
        let fault = body["issue"][0]["details"]["text"].as_str().unwrap_or_default().to_owned();
        assert_eq!((reply.status, fault.as_str()), expect, "{purpose} {query}");
        assert!(!text(&reply).contains(&citizen));
    };
    check(CLERK, "emergency-card", &query, (403, "purpose-not-granted"));
    check(CLERK, "anything", &query, (400, "unknown-purpose"));
    check(AGENT, "emergency-card", "Observation", (404, "identity-missing"));
    check(AGENT, "emergency-card", "Patient?name=x", (400, "unsupported-parameter"));
    check(AGENT, "emergency-card", &(query.clone() + "&date=2026"), (400, "unsupported-parameter"));
    check(TLS_SENDER, "emergency-card", &query, (403, "certificate-unknown"));
    check(AGENT, "emergency-card", "Observation/abc", (404, "identity-missing"));
}

#[test]
fn a_match_finds_who_has_the_identifier() {
    let rig = Rig::shared();
    let resident = admitted(&rig);
    let body = json!({
        "resourceType": "Parameters",
        "parameter": [{ "name": "resource", "resource": {
            "resourceType": "Patient",
            "identifier": [{ "system": CITIZEN, "value": resident.citizen }],
        }}],
    })
    .to_string();
    let ask = |who: &str, purpose: &str| {
        let request = format!(
            "POST /fhir/Patient/$match HTTP/1.1\r\nhost: g\r\nkangqiao-purpose: {purpose}\r\n\
             content-type: application/fhir+json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        rig.https(who).ask(request.as_bytes()).unwrap()
    };
    let reply = ask("clinic-doctor", "record-sharing");
    let entry = reply.json()["entry"][0].clone();
    assert_eq!(entry["resource"]["resourceType"], "Patient", "{}", text(&reply));
    assert_eq!(entry["search"]["score"], 1, "{}", text(&reply));
    // Whoever may not know who somebody is learns nothing by asking for a match.
    let clerk = ask(CLERK, "living-check");
    assert_eq!((clerk.status, clerk.json()["total"].as_u64()), (200, Some(0)), "{}", text(&clerk));
}

#[test]
fn an_auditor_reads_who_saw_what_and_that_he_did() {
    let rig = Rig::shared();
    let resident = admitted(&rig);
    let query = |kind: &str| format!("{kind}?patient.identifier={CITIZEN}%7C{}", resident.citizen);
    search(&rig, AGENT, "emergency-card", &query("AllergyIntolerance"));
    let events = matched(&search(&rig, AUDITOR, "audit", &query("AuditEvent")));
    let disclosure = events.iter().find(|event| event["subtype"][0]["code"] == "disclosure");
    let disclosure = disclosure.unwrap_or_else(|| panic!("{events:?}"));
    assert_eq!(disclosure["agent"][1]["who"]["display"], "hotline-12349");
    assert_eq!(disclosure["purposeOfEvent"][0]["coding"][0]["code"], "emergency-card");
    assert!(!json!(events).to_string().contains(&resident.citizen));
    let again = matched(&search(&rig, AUDITOR, "audit", &query("AuditEvent")));
    let asked = again.iter().filter(|event| event["subtype"][0]["code"] == "query").count();
    assert_eq!(asked, 1, "the first question is in the ledger");
    let refused = search(&rig, AGENT, "audit", &query("AuditEvent"));
    assert_eq!(refused.status, 403);
}

#[test]
fn a_bundle_that_is_brought_becomes_an_answer() {
    let rig = Rig::shared();
    let resident = Resident::new();
    let bundle = json!({
        "resourceType": "Bundle",
        "type": "collection",
        "identifier": { "system": "urn:x", "value": format!("B-{}", resident.local) },
        "entry": [
            { "fullUrl": "urn:uuid:6c9f2b1e-0f4b-4a60-9a53-3f5b7a1d0001", "resource": {
                "resourceType": "Patient",
                "identifier": [{ "system": CITIZEN, "value": resident.citizen }],
                "gender": "male",
            }},
            { "fullUrl": "urn:uuid:6c9f2b1e-0f4b-4a60-9a53-3f5b7a1d0002", "resource": {
                "resourceType": "AllergyIntolerance",
                "patient": { "reference": "urn:uuid:6c9f2b1e-0f4b-4a60-9a53-3f5b7a1d0001" },
                "code": { "text": "青霉素", "coding": [{
                    "system": "urn:oid:2.16.156.10011.2.3.1.137", "code": "101" }] },
            }},
        ],
    })
    .to_string();
    let bring = |who: &str| {
        let mut link = rig.https(who);
        link.post("/fhir", "application/fhir+json", bundle.as_bytes()).unwrap()
    };
    let reply = bring(TLS_SENDER);
    assert_eq!(reply.status, 201, "{}", text(&reply));
    assert_eq!(bring(TLS_SENDER).json()["id"], reply.json()["id"], "the same bytes twice");
    assert_eq!(bring(AGENT).status, 403, "a department brings nothing");
    let query = format!("AllergyIntolerance?patient.identifier={CITIZEN}%7C{}", resident.citizen);
    let found = matched(&search(&rig, AGENT, "emergency-card", &query));
    assert_eq!(found.len(), 1);

    let two = bundle.replace("AllergyIntolerance", "Patient");
    let mut link = rig.https(TLS_SENDER);
    let refused = link.post("/fhir", "application/fhir+json", two.as_bytes()).unwrap();
    assert!(refused.status >= 400 && refused.json()["issue"][0]["expression"][0].is_string());
}

#[test]
fn the_capability_statement_names_what_is_there() {
    let rig = Rig::shared();
    let reply = rig.https(AGENT).get("/fhir/metadata").unwrap();
    let body = reply.json();
    assert_eq!((reply.status, body["fhirVersion"].as_str()), (200, Some("4.0.1")));
    let list = body["rest"][0]["resource"].as_array().unwrap();
    let types: Vec<_> = list.iter().filter_map(|one| one["type"].as_str()).collect();
    for kind in ["Patient", "Observation", "Condition", "AllergyIntolerance", "DocumentReference"] {
        assert!(types.contains(&kind), "{kind} is missing of {types:?}");
    }
}
