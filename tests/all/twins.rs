//! 双胞胎: two people who differ in one protected trait, or in having refused, get the same answers
//! by every way to ask, whoever may not see the trait.

use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{PLAIN_SENDER, Rig, TLS_SENDER};
use crate::ways::{Desk, Doors, Human, Told, desks, lists};

/// A trait, its special class, and how it is told: code, name, medicine, test.
struct Trait {
    class: &'static str,
    code: &'static str,
    name: &'static str,
    drug: &'static str,
    test: &'static str,
}

const TRAITS: [Trait; 6] = [
    Trait {
        class: "protected-infection",
        code: "B20.100",
        name: "人类免疫缺陷病毒病",
        drug: "替诺福韦",
        test: "HIV抗体",
    },
    Trait {
        class: "protected-infection",
        code: "A53.900",
        name: "梅毒",
        drug: "苄星青霉素（驱梅毒）",
        test: "TPPA",
    },
    Trait {
        class: "mental",
        code: "F20.900",
        name: "精神分裂症",
        drug: "奥氮平片",
        test: "氯氮平血药浓度",
    },
    Trait {
        class: "mental",
        code: "G30.900",
        name: "阿尔茨海默病",
        drug: "重酒石酸卡巴拉汀胶囊",
        test: "痴呆筛查量表",
    },
    Trait {
        class: "mental",
        code: "F11.200",
        name: "阿片类药物依赖综合征",
        drug: "丁丙诺啡舌下片",
        test: "戒毒尿检",
    },
    Trait {
        class: "reproductive",
        code: "O03.900",
        name: "自然流产",
        drug: "米非司酮片",
        test: "妊娠试验",
    },
];

const PLATFORM: &str = "application/vnd.kangqiao.platform+json";
const WAYS: [&str; 9] =
    ["code", "name", "medicine", "test", "check", "narrative", "document", "flag", "risk event"];

/// A gateway whose plain port is the clinic's own system, so that the clinic treats everybody.
fn site() -> Rig {
    let recorder = "\n[[sender]]\nname = \"hotline-12349\"\ncertificate = \"stranger\"\n";
    let rig = Rig::prepare(&(lists() + recorder));
    let path = rig.path().join("policies/departments.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let own = "sources      = [\"clinic\"]";
    assert!(text.contains(own));
    let treats = format!("sources      = [\"{PLAIN_SENDER}\"]");
    std::fs::write(&path, text.replace(own, &treats)).unwrap();
    rig.resume();
    rig
}

/// What is told of somebody, without the trait or, by some of the ways, with it.
fn arrives(rig: &Rig, with: Option<(&Trait, &[&str])>) -> Resident {
    let by = |way: &str| with.filter(|(_, ways)| ways.contains(&way)).map(|(told, _)| told);
    let resident = Resident::new();
    let mut admission = Message::new("A01", &resident);
    admission.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
    admission.segments.push("DG1|1||J44.100^慢性阻塞性肺病^I10||20261001|A".to_owned());
    let coded = by("code").map(|told| format!("DG1|2||{}^^I10||20261001|A", told.code));
    let named = by("name").map(|told| format!("DG1|2||^{}^I10||20261001|A", told.name));
    admission.segments.extend(coded.into_iter().chain(named));
    let mut discharge = Message::new("A03", &resident);
    discharge.segments.push("DG1|1||J44.100^慢性阻塞性肺病^I10||20261001|A".to_owned());
    let coded = by("code").map(|told| format!("DG1|2||{}^^I10||20261001|A", told.code));
    discharge.segments.extend(coded);
    let mut report = Message::report(&resident);
    let result = |told: &Trait| format!("OBX|2|ST|99^{}^L||阳性||阴性|A|||F", told.test);
    report.segments.extend(by("test").map(result));
    let mut link = rig.mllp();
    for message in [admission, report, discharge] {
        let reply = link.exchange(&message.bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
    }
    if let Some(told) = by("document") {
        let mut message = Message::new("T02", &resident);
        message.kind = "MDM^T02^MDM_T02".to_owned();
        message.segments.push(format!(
            "TXA|1|DS^{}病历|TX|20260801160000||||||||WD{}^EMR|||||LA",
            told.name, resident.local
        ));
        message.segments.push(format!("OBX|1|TX|11490-0^出院小结^LN||{}||||||F", told.name));
        let reply = rig.mllps(TLS_SENDER).unwrap().exchange(&message.bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
    }
    for mut record in documents(&by) {
        record["person"] = json!({ "citizenId": resident.citizen });
        let body = record.to_string();
        let reply = rig.https(TLS_SENDER).post("/v1/messages", PLATFORM, body.as_bytes()).unwrap();
        let said = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.json()["state"], "kept", "{said}");
    }
    resident
}

/// What the record platform tells.
fn documents<'t>(by: &dyn Fn(&str) -> Option<&'t Trait>) -> Vec<Value> {
    let mut medicines = vec![json!({ "name": "沙美特罗替卡松" })];
    medicines.extend(by("medicine").map(|told| json!({ "name": told.drug })));
    let mut check = json!({ "dataset": "institution-admission-check", "time": "2026-10-03",
        "conclusion": "fit", "currentProblems": ["高血压"] });
    if let Some(told) = by("check") {
        check["infection"] = json!({ "hiv": "positive", "syphilis": "positive" });
        check["currentProblems"] = json!(["高血压", told.name]);
    }
    let mut history = json!({ "dataset": "health-record", "time": "2026-10-04",
        "bloodGroup": { "abo": "1", "rh": "2" }, "phone": "13900000001" });
    if let Some(told) = by("narrative") {
        for key in ["infectiousHistory", "reproductiveHistory", "familyHistory"] {
            history[key] = json!(told.name);
        }
        history["pastDiseases"] = json!([{ "code": told.code }]);
    }
    let mut profile = json!({ "dataset": "emergency-profile", "time": "2026-10-05",
        "alerts": { "pacemaker": true } });
    if let Some(told) = by("flag") {
        profile["alerts"] = json!({ "pacemaker": true, "mental": true, "other": told.name });
    }
    let mut assessment = json!({ "dataset": "ability-assessment", "time": "2026-10-06",
        "assessedOn": "2026-10-06", "institution": "测试评估机构", "levels": { "final": "2" } });
    if by("risk event").is_some() {
        assessment["riskEvents"] = json!(["4"]);
        assessment["adjustments"] = json!({ "riskEvents": true, "dementiaOrMental": true });
    }
    let list = json!({ "dataset": "medication", "time": "2026-10-02", "medications": medicines });
    vec![list, check, history, profile, assessment]
}

fn consents(rig: &Rig, resident: &Resident) {
    rig.consents(&resident.citizen);
    let matching = json!({ "purposes": ["service-matching"], "consent": "TY-2" });
    let said = rig.says_by("stranger", &resident.citizen, matching);
    assert_eq!(said["state"], "kept", "{said}");
}

fn refuses(rig: &Rig, resident: &Resident) {
    let all = json!({ "consent": "JJ-1", "decision": "deny", "purposes": null, "notice": null });
    assert_eq!(rig.says(&resident.citizen, all)["state"], "kept");
}

/// An answer without what is somebody's own: numbers, birth, receipts, times of the answer.
fn comparable(told: &Told, resident: &Resident) -> String {
    let body = String::from_utf8_lossy(&told.body).into_owned();
    let birth = &resident.citizen[6..14];
    let dashed = format!("{}-{}-{}", &birth[..4], &birth[4..6], &birth[6..]);
    let body = body.replace(&resident.citizen, "CITIZEN").replace(&resident.local, "LOCAL");
    let body = body.replace(birth, "BIRTH").replace(&dashed, "BIRTH");
    match serde_json::from_str::<Value>(&body) {
        Ok(mut value) => {
            strip(&mut value);
            value.to_string()
        }
        Err(_) => masked(&body),
    }
}

/// Takes out of JSON what every answer has anew.
fn strip(value: &mut Value) {
    // What a word is of is when it came.
    let derived = value["dataset"] == "derived" || value["dataset"] == "privacy-consent";
    for (key, one) in value.as_object_mut().into_iter().flatten() {
        let own = ["receipt", "answered_at", "age_seconds", "id", "fullUrl", "timestamp"];
        let own = own.contains(&key.as_str())
            || ["lastUpdated", "recorded", "reference", "batch", "received_at", "ends_at"]
                .contains(&key.as_str())
            || derived && key == "as_of";
        if own { *one = Value::Null } else { strip(one) }
    }
    value.as_array_mut().into_iter().flatten().for_each(strip);
}

/// Long runs of letters and digits are numbers, receipts, times and handles: how long they are
/// is compared, and not which.
fn masked(text: &str) -> String {
    let is = |sign: &char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | ':' | '+');
    let signs: Vec<char> = text.chars().collect();
    let runs = signs.chunk_by(|one, other| is(one) == is(other));
    let mask = |run: &[char]| match is(&run[0])
        && run.len() >= 9
        && run.iter().any(char::is_ascii_digit)
    {
        true => format!("#{}", run.len()),
        false => run.iter().collect(),
    };
    runs.map(mask).collect()
}

/// Whether the desk may see anything of a special class at all.
fn sees(rig: &Rig, desk: &Desk, class: &str) -> bool {
    let treats = desk.sources.iter().any(|one| one == PLAIN_SENDER);
    let relations: &[&str] = if treats { &["treating"] } else { &[] };
    let may = desk.may(rig, relations);
    may.values().any(|(tier, less)| less.get(class).unwrap_or(tier) != "withheld")
}

/// What tells two people apart, and where it begins to.
fn apart(
    what: &str,
    (one, left): (&Told, &Resident),
    (other, right): (&Told, &Resident),
) -> Option<String> {
    let names = |told: &Told| {
        let mut names: Vec<_> = told.headers.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names.join(" ")
    };
    let (left, right) = (comparable(one, left), comparable(other, right));
    let (left, right) = (left + &names(one), right + &names(other));
    let at = left.chars().zip(right.chars()).take_while(|(one, other)| one == other).count();
    let from = |text: &str| text.chars().skip(at.saturating_sub(200)).take(500).collect::<String>();
    (left != right)
        .then(|| format!("{what} by {}:\n  {}\n  {}", one.way, from(&left), from(&right)))
}

fn nobody_told_apart(found: &[String]) {
    let first = found.iter().take(4).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(found.is_empty(), "{} times told apart:\n{first}", found.len());
}

#[test]
fn two_people_who_differ_in_a_protected_trait_get_the_same_answers() {
    let rig = site();
    let plain = arrives(&rig, None);
    consents(&rig, &plain);
    let mut marked = Vec::new();
    for told in &TRAITS {
        for way in WAYS {
            marked.push((told, way, arrives(&rig, Some((told, &[way])))));
        }
        // By all of them at once, for the formats.
        marked.push((told, "everything", arrives(&rig, Some((told, &WAYS)))));
    }
    marked.iter().for_each(|(.., resident)| consents(&rig, resident));
    let mut doors = Doors::new(&rig);
    let (mut compared, mut told_of, mut found) = (0, 0, Vec::new());
    for desk in desks() {
        let classes = ["protected-infection", "mental", "reproductive"];
        let hidden: Vec<_> =
            classes.into_iter().filter(|class| !sees(&rig, &desk, class)).collect();
        let base = doors.json(&desk, &plain.citizen);
        told_of += usize::from(comparable(&base, &plain).contains("\"tier\":\"full\""));
        let all = doors.all(&desk, &plain.citizen, (0, 1));
        for (told, way, resident) in &marked {
            if !hidden.contains(&told.class) {
                continue;
            }
            let asked = format!(
                "{} {} {}: {} by {way}",
                desk.department, desk.role, desk.purpose, told.name
            );
            if *way != "everything" {
                let other = doors.json(&desk, &resident.citizen);
                found.extend(apart(&asked, (&base, &plain), (&other, resident)));
                compared += 1;
                continue;
            }
            // The traits share the resources of FHIR out.
            let part = TRAITS.iter().position(|one| one.name == told.name).unwrap();
            let others = doors.all(&desk, &resident.citizen, (part % 3, 3));
            // What was asked about each is the ledger's to tell, and differs by what this asked.
            for other in others.iter().filter(|one| one.way != "fhir AuditEvent") {
                let one = all.iter().find(|one| one.way == other.way).unwrap();
                found.extend(apart(&asked, (one, &plain), (other, resident)));
                compared += 1;
            }
        }
    }
    nobody_told_apart(&found);
    assert!(compared > 2_000 && told_of >= 8, "{compared} were compared, {told_of} told of him");
}

/// Somebody who came to the clinic once, and what else is told of him: a stay its hospital
/// protects, or one medicine and no other.
fn visited(rig: &Rig, protected_stay: bool, only_drug: Option<&str>) -> Resident {
    let resident = Resident::new();
    let mut visit = Message::new("A01", &resident);
    visit.segments[2] = visit.segments[2].replacen("|I|", "|O|", 1);
    let mut messages = vec![visit];
    if protected_stay {
        let mut stay = Message::new("A01", &resident);
        stay.segments.push(format!("PV2{}Y", "|".repeat(22)));
        messages.push(stay);
    }
    let mut link = rig.mllp();
    for message in messages {
        let reply = link.exchange(&message.bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
    }
    let medicines = only_drug.map(|drug| {
        json!({ "dataset": "medication", "time": "2026-10-02", "medications": [{ "name": drug }] })
    });
    // The newest of all is the same for all: who said last who somebody is may be told.
    let history = json!({ "dataset": "health-record", "time": "2026-10-04",
        "bloodGroup": { "abo": "1", "rh": "2" } });
    for mut record in medicines.into_iter().chain([history]) {
        record["person"] = json!({ "citizenId": resident.citizen });
        let body = record.to_string();
        let reply = rig.https(TLS_SENDER).post("/v1/messages", PLATFORM, body.as_bytes()).unwrap();
        assert_eq!(reply.json()["state"], "kept");
    }
    consents(rig, &resident);
    resident
}

#[test]
fn no_fact_follows_from_what_may_not_be_known() {
    let rig = site();
    let plain = visited(&rig, false, None);
    let mut marked = vec![("source-restricted", visited(&rig, true, None))];
    for told in &TRAITS {
        marked.push((told.class, visited(&rig, false, Some(told.drug))));
    }
    // What speaks for a fact is heard where it may be: some desks are told of a stay or a drug.
    let open = [visited(&rig, false, Some("华法林钠片")), visited(&rig, false, Some("阿司匹林"))];
    let mut doors = Doors::new(&rig);
    let (mut compared, mut told_of, mut found) = (0, 0, Vec::new());
    for desk in desks() {
        let base = doors.json(&desk, &plain.citizen);
        for (class, resident) in &marked {
            if sees(&rig, &desk, class) {
                continue;
            }
            let asked = format!("{} {} {}", desk.department, desk.role, desk.purpose);
            let other = doors.json(&desk, &resident.citizen);
            found.extend(apart(&format!("{asked}: {class}"), (&base, &plain), (&other, resident)));
            compared += 1;
        }
        let [yes, no] = open.each_ref().map(|one| {
            let told = doors.json(&desk, &one.citizen);
            let body: Value = serde_json::from_slice(&told.body).unwrap();
            let facts = body["elements"].as_array().cloned().unwrap_or_default();
            let fact = facts.iter().find(|one| one["element"] == "MZ.medication.anticoagulant");
            fact.and_then(|fact| fact["value"].as_bool())
        });
        told_of += usize::from((yes, no) == (Some(true), Some(false)));
    }
    nobody_told_apart(&found);
    assert!(compared > 60 && told_of > 0, "{compared} were compared, {told_of} are told the fact");
}

#[test]
fn whoever_refused_looks_like_somebody_of_whom_nothing_is_known() {
    let rig = site();
    let (refused, nobody) = (arrives(&rig, None), Resident::new());
    refuses(&rig, &refused);
    // Of two people of whom nobody knows anything, one refused.
    let (silent, said) = (Resident::new(), Resident::new());
    refuses(&rig, &said);
    let mut doors = Doors::new(&rig);
    let (mut compared, mut found) = (0, Vec::new());
    // What somebody said is his own to read.
    for desk in desks().into_iter().filter(|desk| desk.human != Some(Human::Himself)) {
        let asked = format!("{} {} {}", desk.department, desk.role, desk.purpose);
        let mut pairs = vec![(&silent, &said)];
        if desk.consent != "not-needed" {
            pairs.push((&nobody, &refused));
        }
        for (left, right) in pairs {
            let one = doors.all(&desk, &left.citizen, (0, 2));
            let other = doors.all(&desk, &right.citizen, (0, 2));
            for (one, other) in one.iter().zip(&other) {
                found.extend(apart(&asked, (one, left), (other, right)));
                compared += 1;
            }
        }
    }
    nobody_told_apart(&found);
    assert!(compared > 400, "{compared} were compared");
}
