//! Statistics: guarded counts of a year that is over, made once, and of nobody anything.

use kangqiao_conformance::https::Reply;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::rig::message::Resident;
use crate::rig::{CLERK, Rig, TLS_SENDER, until};

/// 民政局规划人员
const PLANNER: &str = "civil-affairs-planner";
/// Counties, and how many live there; the last is too small to be crossed.
const COUNTIES: [(&str, usize); 3] =
    [("河南省郑州市金水区", 260), ("河南省郑州市中原区", 180), ("河南省郑州市上街区", 40)];

/// A gateway where an area of fewer than 100 residents is small.
fn counting() -> Rig {
    let rig = Rig::prepare("");
    let path = rig.path().join("policies/statistics.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("residents_min = 1000"));
    std::fs::write(&path, text.replace("residents_min = 1000", "residents_min = 100")).unwrap();
    rig.resume();
    rig
}

/// What is said of somebody in one year: where he lives, and how able he is.
fn said(resident: &Resident, year: u32, (county, level): (&str, usize)) -> [Value; 2] {
    let citizen = &resident.citizen;
    let birth = format!("{}-{}-{}", &citizen[6..10], &citizen[10..12], &citizen[12..14]);
    let person = json!({ "citizenId": citizen });
    [
        json!({ "dataset": "health-record", "time": format!("{year}-02-11"), "person": person,
            "name": "测试甲", "sex": "1", "birthDate": birth,
            "homeAddress": format!("{county}测试路17号院3号楼") }),
        json!({ "dataset": "ability-assessment", "time": format!("{year}-08-15"),
            "person": person, "assessedOn": format!("{year}-08-15"),
            "levels": { "final": level.to_string() } }),
    ]
}

fn push(rig: &Rig, records: &[Value]) {
    let mut link = rig.https(TLS_SENDER);
    for some in records.chunks(400) {
        let body = json!({ "records": some }).to_string();
        let media = "application/vnd.kangqiao.platform+json";
        let reply = link.post("/v1/messages", media, body.as_bytes()).unwrap();
        assert_eq!(reply.status, 200, "{}", text(&reply));
    }
}

fn populate(rig: &Rig) -> Vec<Resident> {
    let mut residents = Vec::new();
    let mut records = Vec::new();
    for (county, count) in COUNTIES {
        for index in 0..count {
            let resident = Resident::new();
            // Of the first two levels many, of the last but a few.
            let level = [0, 0, 0, 1, 1, 1, 1, 2, 2, if index % 90 == 9 { 4 } else { 3 }];
            records.extend(said(&resident, 2025, (county, level[index % 10])));
            residents.push(resident);
        }
    }
    push(rig, &records);
    residents
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

fn ask(rig: &Rig, who: &str, body: &Value) -> Reply {
    let body = body.to_string();
    rig.https(who).post("/v1/statistics", "application/json", body.as_bytes()).unwrap()
}

fn wanted(indicator: &str, period: &str) -> Value {
    json!({ "indicator": indicator, "period": period })
}

fn made(rig: &Rig, indicator: &str) -> Reply {
    until("the return is made", || {
        let reply = ask(rig, PLANNER, &wanted(indicator, "2025"));
        assert!([200, 202].contains(&reply.status), "{}", text(&reply));
        (reply.status == 200).then_some(reply)
    })
}

/// The count at a place of a table: withheld is `None`.
fn count(body: &Value, dimensions: &[&str], at: &[Option<&str>]) -> Option<u64> {
    let tables = body["tables"].as_array().unwrap();
    let table = tables.iter().find(|table| table["dimensions"] == json!(dimensions)).unwrap();
    let row = table["rows"].as_array().unwrap().iter().find(|row| row["at"] == json!(at));
    row.unwrap_or_else(|| panic!("{dimensions:?} has no {at:?}"))["count"].as_u64()
}

#[test]
fn a_return_is_guarded_and_the_same_whenever_it_is_asked_for() {
    let rig = counting();
    let residents = populate(&rig);
    let first = ask(&rig, PLANNER, &wanted("ability-assessed", "2025"));
    assert_eq!((first.status, text(&first).as_str()), (202, r#"{"state":"making"}"#));
    let reply = made(&rig, "ability-assessed");
    let body = reply.json();
    // Every figure is a multiple, and as far from the truth as it may be.
    let near = |told: Option<u64>, truth: u64| {
        let told = told.unwrap();
        assert!(told.is_multiple_of(5) && told.abs_diff(truth) <= 6, "{told} for {truth}");
    };
    near(count(&body, &["ability-level"], &[None]), 480);
    near(count(&body, &["ability-level"], &[Some("0")]), 144);
    near(count(&body, &["county", "ability-level"], &[Some(COUNTIES[0].0), None]), 260);
    near(count(&body, &["county", "ability-level"], &[Some(COUNTIES[2].0), None]), 40);
    // Nothing of the small county by level, and of the others nothing that would give it away.
    let crossed = ["county", "ability-level"];
    for level in ["0", "1", "2", "3", "4"] {
        assert_eq!(count(&body, &crossed, &[Some(COUNTIES[2].0), Some(level)]), None);
        let open = COUNTIES.map(|(county, _)| count(&body, &crossed, &[Some(county), Some(level)]));
        assert!(open.iter().flatten().count() < 2, "level {level} of the small county is the rest");
    }
    // The same bytes, whatever was said since, and after a restart.
    let late: Vec<_> =
        (0..30).flat_map(|_| said(&Resident::new(), 2025, (COUNTIES[0].0, 4))).collect();
    push(&rig, &late);
    assert_eq!(made(&rig, "ability-assessed").body, reply.body);
    rig.stop();
    rig.resume();
    let again = ask(&rig, PLANNER, &wanted("ability-assessed", "2025"));
    assert_eq!((again.status, &again.body), (200, &reply.body));
    // What was said of people is in it nowhere.
    for secret in ["测试甲", "测试路", &residents[0].citizen, &residents[7].citizen[..14]] {
        assert!(!text(&reply).contains(secret));
    }
    // Each time it was told is an entry, with what was counted by, and about nobody.
    let ledger = rig.ledger(&["export"]);
    let entries: Vec<_> =
        ledger.lines().filter(|line| line.contains("statistics ability-assessed 2025")).collect();
    assert_eq!(entries.len(), 3);
    let hash = Sha256::digest(&reply.body);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    for line in entries {
        assert!(line.contains("disclosure") && line.contains(&hash), "{line}");
        assert!(line.contains("MZ.address.home") && !line.contains("\"person\":"), "{line}");
    }
}

#[test]
fn returns_of_overlapping_people_do_not_subtract_to_one_person() {
    let rig = counting();
    populate(&rig);
    // All of these people have an ability level: the two indicators count the same people, and
    // neither equal nor unequal figures say so.
    let (all, assessed) = (made(&rig, "residents").json(), made(&rig, "ability-assessed").json());
    let mut differences = Vec::new();
    for body in [&all, &assessed] {
        for table in body["tables"].as_array().unwrap() {
            for row in table["rows"].as_array().unwrap() {
                // Everybody, or everybody of one county.
                let mut at = row["at"].as_array().unwrap().iter().filter_map(Value::as_str);
                let lives = |county: &str| COUNTIES.iter().find(|(name, _)| *name == county);
                let truth = match (at.next(), at.next()) {
                    (None, _) => 480,
                    (Some(county), None) if lives(county).is_some() => lives(county).unwrap().1,
                    _ => continue,
                };
                let told = row["count"].as_i64().unwrap();
                differences.push(told - i64::try_from(truth).unwrap());
            }
        }
    }
    // So many that chance alone does not make them all alike.
    assert_eq!(differences.len(), 16, "{differences:?}");
    assert!(differences.iter().all(|one| one.abs() <= 6));
    assert!(
        differences.iter().any(|one| *one != differences[0]),
        "one noise for all: {differences:?}"
    );
    // And parts do not sum up to totals.
    let sum: u64 =
        COUNTIES.iter().filter_map(|(county, _)| count(&all, &["county"], &[Some(county)])).sum();
    assert!(sum.abs_diff(480) <= 18, "{sum}");
}

#[test]
fn planners_are_told_of_nobody_and_nobody_else_counts() {
    let rig = counting();
    let check = |who: &str, body: Value, expect: (u16, &str, Option<&str>)| {
        let reply = ask(&rig, who, &body);
        let told = reply.json();
        let found = (reply.status, told["fault"].as_str().unwrap(), told["rule"].as_str());
        assert_eq!(found, expect, "{who} {body}");
        assert!(told["receipt"].is_string());
    };
    let granted = Some("purpose-not-granted");
    check(CLERK, wanted("residents", "2025"), (403, "purpose-not-granted", granted));
    check("stranger", wanted("residents", "2025"), (403, "certificate-unknown", None));
    check(PLANNER, wanted("payees", "2025"), (404, "indicator-unknown", None));
    check(PLANNER, wanted("residents", "2199"), (409, "period-open", None));
    check(PLANNER, wanted("residents", "1999"), (413, "limit", None));
    for period in ["25", "2025-01", "20x5", ""] {
        let fault = if period.is_empty() { "required-missing" } else { "data-type" };
        check(PLANNER, wanted("residents", period), (422, fault, None));
    }
    check(PLANNER, json!({ "indicator": "residents", "by": "x" }), (400, "malformed", None));
    // No row of a person, by any way to ask.
    let resident = Resident::new();
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": resident.citizen }, "purpose": "planning",
    });
    let reply = rig.ask(PLANNER, &question);
    assert_eq!((reply.status, &reply.json()["rule"]), (403, &json!("counts-only")));
    let host = format!("host: 127.0.0.1:{}\r\n", rig.ports.https);
    let batch = format!(
        "POST /v1/batches HTTP/1.1\r\n{host}kangqiao-purpose: planning\r\n\
         content-type: text/csv\r\ncontent-length: 0\r\n\r\n"
    );
    let reply = rig.https(PLANNER).ask(batch.as_bytes()).unwrap();
    assert_eq!((reply.status, &reply.json()["rule"]), (403, &json!("counts-only")));
    let fhir = format!(
        "GET /fhir/Patient?identifier=x|{} HTTP/1.1\r\n{host}kangqiao-purpose: planning\r\n\r\n",
        resident.citizen
    );
    assert!(rig.https(PLANNER).ask(fhir.as_bytes()).unwrap().status >= 400);
}

#[test]
fn an_indicator_counts_by_nothing_its_purpose_does_not_list() {
    let rig = Rig::prepare("");
    let path = rig.path().join("policies/statistics.toml");
    let shipped = std::fs::read_to_string(&path).unwrap();
    let check = |from: &str, to: &str, expect: &str| {
        assert!(shipped.contains(from), "{from}");
        std::fs::write(&path, shipped.replacen(from, to, 1)).unwrap();
        let (sound, said) = rig.order(&["check"]);
        assert!(!sound && said.contains("statistics.toml:") && said.contains(expect), "{said}");
    };
    check("DE01.00.021.00", "DE05.01.024.00", "DE05.01.024.00 is not listed by planning");
    check("MZ.contract.signed", "MZ.contract.singed", "the catalogue has no element");
    check("purpose = \"planning\"", "purpose = \"living-check\"", "no purpose for counting");
    check("[\"county\", \"age\"]", "[\"county\", \"age\", \"sex\"]", "one or two dimensions");
    check("\"county\", \"age\"", "\"county\", \"county\"", "one or two dimensions");
    check("noise = 4", "noise = 0", "threshold, base and noise");
}
