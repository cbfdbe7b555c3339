//! 查询人: whoever asks with somebody else's number learns nothing, and not that there is something;
//! the person and his guardian are told what is theirs.

use kangqiao_conformance::https::Reply;
use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{DOCTOR, PORTAL, Rig, TLS_SENDER};

const CIVIL: &str = "application/vnd.kangqiao.civil+json";
const DIAGNOSIS: &str = "DE05.01.024.00";
const ALLERGEN: &str = "DE05.01.022.00";

/// A gateway to which the registry of elders brings its records itself.
fn site() -> Rig {
    let registry = "\n[[sender]]\nname = \"elder-registry\"\ncertificate = \"stranger\"\n";
    let rig = Rig::prepare(registry);
    rig.resume();
    rig
}

/// Somebody with an allergy, an illness and one that is specially protected.
fn admitted(rig: &Rig) -> Resident {
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
    message.segments.push("DG1|1||J44.100^慢性阻塞性肺病^I10||20261001|A".to_owned());
    message.segments.push("DG1|2||B20.100^人类免疫缺陷病毒病^I10||20261001|A".to_owned());
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    resident
}

/// The record of an elder in the registry, with a guardian or without.
fn elder(citizen: &str, guardian: Option<&str>, day: &str) -> Value {
    let mut record = json!({ "dataset": "elder-registry", "elder": { "citizenId": citizen },
        "registry": { "updatedOn": day } });
    if let Some(number) = guardian {
        record["guardian"] = json!({ "name": "王丽", "citizenId": number });
    }
    record
}

fn brings(rig: &Rig, sender: &str, record: &Value) {
    let body = record.to_string();
    let reply = rig.https(sender).post("/v1/messages", CIVIL, body.as_bytes()).unwrap();
    assert_eq!(reply.json()["state"], "kept", "{}", String::from_utf8_lossy(&reply.body));
}

fn number(kind: &str, value: &str) -> Value {
    json!({ "kind": kind, "value": value })
}

fn ask(rig: &Rig, (about, by): (&Value, &Value)) -> Reply {
    let question = json!({ "identifier": about, "purpose": "own-record",
        "evidence": { "asked_by": by } });
    rig.ask(PORTAL, &question)
}

/// The same, with the citizen ids of both; the elements an answer holds.
fn told(rig: &Rig, about: &str, by: &str) -> Vec<Value> {
    told_of(&ask(rig, (&number("citizen-id", about), &number("citizen-id", by))))
}

fn told_of(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    reply.json()["elements"].as_array().unwrap().clone()
}

fn holds(told: &[Value], element: &str, code: &str) -> bool {
    told.iter().any(|row| row["element"] == element && row["value"].to_string().contains(code))
}

/// An answer without what every answer has anew.
fn comparable(reply: &Reply) -> (u16, Value) {
    let mut body = reply.json();
    for key in ["receipt", "answered_at"] {
        body.as_object_mut().unwrap().remove(key);
    }
    for source in body["sources"].as_array_mut().into_iter().flatten() {
        source.as_object_mut().unwrap().remove("age_seconds");
    }
    (reply.status, body)
}

#[test]
fn the_person_and_his_guardian_are_told_what_is_theirs() {
    let rig = site();
    let (resident, guardian) = (admitted(&rig), Resident::new());
    let citizen = resident.citizen.as_str();
    brings(&rig, "stranger", &elder(citizen, Some(&guardian.citizen), "2026-10-01"));
    let own = told(&rig, citizen, citizen);
    assert!(holds(&own, DIAGNOSIS, "J44.100") && holds(&own, DIAGNOSIS, "B20.100"), "{own:?}");
    // However he is known: by the number of the card with the same digits, too.
    let card = number("health-card", citizen);
    assert!(holds(&told_of(&ask(&rig, (&card, &card))), ALLERGEN, "101"));
    let by_guardian = told(&rig, citizen, &guardian.citizen);
    assert!(holds(&by_guardian, DIAGNOSIS, "J44.100"), "{by_guardian:?}");
    assert!(!holds(&by_guardian, DIAGNOSIS, "B20.100"), "{by_guardian:?}");
    for told in [&own, &by_guardian] {
        assert!(told.iter().all(|row| row["element"] != "MZ.guardian.citizen-id"));
    }
    // The ledger knows by which relation, and who asked by what stands for him.
    let ledger = rig.ledger(&["export"]);
    assert!(ledger.contains("relation-person") && ledger.contains("relation-guardian"));
    assert!(!ledger.contains(citizen) && !ledger.contains(&guardian.citizen), "{ledger}");
    let printed = rig.printed();
    assert!(!printed.contains(citizen) && !printed.contains(&guardian.citizen));
}

#[test]
fn with_somebody_elses_number_nobody_can_be_told_from_somebody() {
    let rig = site();
    let (resident, other) = (admitted(&rig), admitted(&rig));
    let [guardian, others_guardian, nobody, stranger] = [(); 4].map(|()| Resident::new());
    let named = [(&resident, &guardian), (&other, &others_guardian)];
    for (elder_of, guardian) in named {
        let record = elder(&elder_of.citizen, Some(&guardian.citizen), "2026-10-01");
        brings(&rig, "stranger", &record);
    }
    assert!(!told(&rig, &other.citizen, &others_guardian.citizen).is_empty());
    let about = |citizen: &str| number("citizen-id", citizen);
    // Somebody known, somebody who is not, another elder's guardian, and a record number.
    let record = number("record-number", "41010500100100017");
    let mut askers: Vec<_> =
        [&other, &stranger, &others_guardian].iter().map(|one| about(&one.citizen)).collect();
    askers.push(record);
    // The guardian's card is no proof of him: the elder's records do not say if it was lost.
    askers.push(number("health-card", &guardian.citizen));
    for by in &askers {
        let one = ask(&rig, (&about(&resident.citizen), by));
        let another = ask(&rig, (&about(&nobody.citizen), by));
        assert!(told_of(&one).is_empty(), "{by}");
        assert_eq!(comparable(&one), comparable(&another), "{by}");
        assert_eq!(one.body.len(), another.body.len(), "{by}");
    }
    // The elder is not his guardian, who has a record of his own.
    let back = ask(&rig, (&about(&guardian.citizen), &about(&resident.citizen)));
    assert!(told_of(&back).is_empty());
}

#[test]
fn a_guardian_is_one_whom_a_believed_source_names_and_goes_on_naming() {
    let rig = site();
    let (resident, guardian) = (admitted(&rig), Resident::new());
    let (citizen, number) = (resident.citizen.as_str(), guardian.citizen.as_str());
    let told = || told(&rig, citizen, number).len();
    // Neither a hospital nor another system that is asked may say who somebody's guardian is.
    let named = elder(citizen, Some(number), "2026-10-05");
    brings(&rig, TLS_SENDER, &named);
    assert_eq!(told(), 0, "a hospital named a guardian");
    brings(&rig, "stranger", &elder(citizen, Some(number), "2026-10-01"));
    assert!(told() > 0);
    brings(&rig, "stranger", &elder(citizen, None, "2026-10-02"));
    assert_eq!(told(), 0, "the registry named nobody any more");
    // Brought again, or with another day before the last, it is still an old word.
    let again = elder(citizen, Some(number), "2026-10-01").to_string();
    rig.https("stranger").post("/v1/messages", CIVIL, again.as_bytes()).unwrap();
    brings(&rig, "stranger", &elder(citizen, Some(number), "2026-09-30"));
    assert_eq!(told(), 0, "an old record made a guardian");
    brings(&rig, "stranger", &elder(citizen, Some(number), "2026-10-03"));
    assert!(told() > 0);
}

#[test]
fn whoever_holds_a_lost_card_is_not_taken_for_its_owner() {
    let rig = Rig::shared();
    let (resident, nobody) = (admitted(&rig), Resident::new());
    let citizen = number("citizen-id", &resident.citizen);
    let card = number("health-card", &resident.citizen);
    let state = |state: &str, day: &str| {
        json!({ "dataset": "card-state", "person": { "healthCard": resident.citizen,
            "citizenId": resident.citizen }, "state": state, "time": day })
    };
    brings(&rig, TLS_SENDER, &state("1", "2026-10-01"));
    assert!(!told_of(&ask(&rig, (&citizen, &card))).is_empty());
    brings(&rig, TLS_SENDER, &state("4", "2026-10-02"));
    let lost = ask(&rig, (&citizen, &card));
    assert!(told_of(&lost).is_empty());
    // Nor is he told that it was lost: he is told what is told of nobody.
    let found = number("health-card", &nobody.citizen);
    let lost = ask(&rig, (&card, &card));
    let unknown = ask(&rig, (&found, &citizen));
    assert_eq!(comparable(&lost).1["withheld"], comparable(&unknown).1["withheld"]);
    assert!(told_of(&lost).is_empty());
    assert!(!told_of(&ask(&rig, (&citizen, &citizen))).is_empty());
}

#[test]
fn nobody_is_answered_who_does_not_say_which_human_asks() {
    let rig = Rig::shared();
    let (resident, nobody) = (admitted(&rig), Resident::new());
    let question = |resident: &Resident, evidence: Value| {
        let about = number("citizen-id", &resident.citizen);
        rig.ask(
            PORTAL,
            &json!({ "identifier": about, "purpose": "own-record",
            "evidence": evidence }),
        )
    };
    for evidence in [json!({}), json!({ "asked_by": null })] {
        let [one, other] = [&resident, &nobody].map(|who| question(who, evidence.clone()));
        assert_eq!(one.status, 422, "{}", String::from_utf8_lossy(&one.body));
        assert_eq!(one.json()["rule"], "requires-asked_by");
        assert_eq!(comparable(&one), comparable(&other));
    }
    let wrong = number("citizen-id", "11010519491231002");
    let one = question(&resident, json!({ "asked_by": wrong }));
    assert_eq!(one.json()["at"], "/evidence/asked_by/value");
    assert!(!String::from_utf8_lossy(&one.body).contains("11010519491231002"));
    // A list is of many, and one human is none of them.
    let row = json!({ "identifier": number("citizen-id", &resident.citizen), "reference": "R" });
    let head = format!(
        "POST /v1/batches HTTP/1.1\r\nhost: {}\r\nkangqiao-purpose: own-record\r\n\
         kangqiao-asked-by: citizen-id|{}\r\ncontent-type: application/x-ndjson\r\n\
         content-length: {}\r\n\r\n{row}\n",
        crate::rig::at(rig.ports.https),
        resident.citizen,
        row.to_string().len() + 1,
    );
    let reply = rig.https(PORTAL).ask(head.as_bytes()).unwrap();
    assert!((400..500).contains(&reply.status), "{}", String::from_utf8_lossy(&reply.body));
}

#[test]
fn that_somebody_asks_for_himself_opens_no_other_purpose() {
    let rig = Rig::shared();
    let resident = admitted(&rig);
    let about = number("citizen-id", &resident.citizen);
    let question = json!({ "identifier": about, "purpose": "institution-admission",
        "evidence": { "asked_by": about } });
    // It needs his consent, whoever asks.
    assert!(told_of(&rig.ask(DOCTOR, &question)).is_empty());
}

/// The words of the person a FHIR search finds.
fn consents(rig: &Rig, (who, purpose): (&str, &str), citizen: &str) -> Vec<Value> {
    let head = format!(
        "GET /fhir/Consent?patient.identifier=urn:oid:2.16.156.10011.1.3%7C{citizen} HTTP/1.1\r\n\
         host: {}\r\nkangqiao-purpose: {purpose}\r\n\
         kangqiao-asked-by: citizen-id|{citizen}\r\n\r\n",
        crate::rig::at(rig.ports.https),
    );
    let reply = rig.https(who).ask(head.as_bytes()).unwrap();
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let bundle = reply.json();
    let entries = bundle["entry"].as_array().unwrap().iter().map(|one| one["resource"].clone());
    entries.filter(|one| one["resourceType"] == "Consent").collect()
}

/// What is read of a person's words in FHIR, and by whom: brought again it is the same.
#[test]
fn a_word_is_read_in_fhir_by_the_person_and_by_whom_it_allows() {
    let rig = Rig::shared();
    let (resident, other) = (admitted(&rig), admitted(&rig));
    let citizen = resident.citizen.as_str();
    let permit = json!({ "departments": ["care-home"], "from": "2026-01-01",
        "until": "2099-12-31", "grantor": "guardian", "guardian": "王丽" });
    assert_eq!(rig.says(citizen, permit)["state"], "kept");
    let deny = json!({ "consent": "JJ-1", "decision": "deny", "notice": null,
        "purposes": ["record-sharing", "service-matching"], "categories": ["tumour"] });
    assert_eq!(rig.says(citizen, deny)["state"], "kept");
    let admission = (DOCTOR, "institution-admission");
    let rests_on = consents(&rig, admission, citizen);
    assert_eq!(rests_on.len(), 1, "{rests_on:?}");
    let word = &rests_on[0];
    assert_eq!((&word["status"], &word["provision"]["type"]), (&json!("active"), &json!("permit")));
    assert_eq!(word["provision"]["actor"][0]["reference"]["display"], "care-home");
    assert_eq!(word["provision"]["period"], json!({ "start": "2026-01-01", "end": "2099-12-31" }));
    // The name of a guardian is nothing the department needs.
    assert!(!word.to_string().contains("王丽"), "{word}");
    let own = (PORTAL, "own-record");
    let all = consents(&rig, own, citizen);
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(consents(&rig, (DOCTOR, "institution-admission"), &other.citizen).is_empty());
    // Brought about another by the same recorder they say of him what they said of the first.
    let patient = "urn:uuid:9e909e52-61a1-4e50-9878-a12ef8c36346";
    for mut word in all {
        word["patient"] = json!({ "reference": patient });
        word.as_object_mut().unwrap().remove("id");
        let number = json!({ "system": "urn:oid:2.16.156.10011.1.3", "value": other.citizen });
        let about = json!({ "resourceType": "Patient", "identifier": [number] });
        let bundle = json!({ "resourceType": "Bundle", "type": "collection",
            "entry": [{ "fullUrl": patient, "resource": about }, { "resource": word }] });
        let (media, body) = ("application/fhir+json", bundle.to_string());
        let reply = rig.https(crate::rig::HOME).post("/fhir", media, body.as_bytes()).unwrap();
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    }
    let said = |citizen: &str| {
        let rows = told(&rig, citizen, citizen).into_iter();
        let words = rows.filter(|row| row["element"].as_str().unwrap().starts_with("MZ.privacy."));
        let mut words: Vec<_> =
            words.map(|row| format!("{} {}", row["element"], row["value"])).collect();
        words.sort();
        words
    };
    assert_eq!(said(citizen), said(&other.citizen));
    assert!(said(citizen).len() > 15, "{:?}", said(citizen));
    assert_eq!(consents(&rig, admission, &other.citizen).len(), 1);
    // Withdrawn it is nobody's any more but his own to read.
    assert_eq!(rig.says(citizen, json!({ "state": "inactive" }))["state"], "kept");
    assert!(consents(&rig, admission, citizen).is_empty());
    let states: Vec<_> =
        consents(&rig, own, citizen).iter().map(|one| one["status"].clone()).collect();
    assert!(states.contains(&json!("inactive")) && states.contains(&json!("active")), "{states:?}");
}

/// What somebody refuses binds others, his guardian among them; himself it does not.
#[test]
fn a_refusal_binds_the_guardian_and_not_the_person() {
    let rig = site();
    let (resident, guardian, nobody) = (admitted(&rig), Resident::new(), Resident::new());
    let citizen = resident.citizen.as_str();
    brings(&rig, "stranger", &elder(citizen, Some(&guardian.citizen), "2026-10-01"));
    let part = json!({ "consent": "JJ-1", "decision": "deny", "purposes": ["own-record"],
        "categories": ["allergy"], "notice": null });
    assert_eq!(rig.says(citizen, part)["state"], "kept");
    let by_guardian = told(&rig, citizen, &guardian.citizen);
    assert!(holds(&by_guardian, DIAGNOSIS, "J44") && !holds(&by_guardian, ALLERGEN, "101"));
    assert!(holds(&told(&rig, citizen, citizen), ALLERGEN, "101"));
    let all = json!({ "consent": "JJ-2", "decision": "deny", "purposes": null, "notice": null });
    assert_eq!(rig.says(citizen, all)["state"], "kept");
    let by = number("citizen-id", &guardian.citizen);
    let one = ask(&rig, (&number("citizen-id", citizen), &by));
    assert!(told_of(&one).is_empty());
    // Somebody nobody knows, asked about as often.
    let about = number("citizen-id", &nobody.citizen);
    ask(&rig, (&about, &by));
    assert_eq!(comparable(&one), comparable(&ask(&rig, (&about, &by))));
    let own = told(&rig, citizen, citizen);
    assert!(holds(&own, DIAGNOSIS, "B20.100"));
    // His own words are his to read.
    assert!(holds(&own, "MZ.privacy.number", "JJ-1") && holds(&own, "MZ.privacy.number", "JJ-2"));
    assert!(by_guardian.iter().all(|row| row["element"] != "MZ.privacy.number"));
}
