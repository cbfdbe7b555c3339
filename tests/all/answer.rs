//! Answer: who asks, with which certificate and purpose, gets what the policy gives, and a receipt.

use kangqiao_conformance::https::Reply;
use serde_json::{Value, json};

use crate::rig::message::{Message, Resident};
use crate::rig::{AGENT, CLERK, DOCTOR, HOME_CLERK, Rig, TLS_SENDER, WORKER};

/// Purposes, and who is granted them.
const PURPOSES: &[(&str, &str)] = &[
    ("subsidy-eligibility", CLERK),
    ("emergency-card", AGENT),
    ("institution-admission", DOCTOR),
    ("institution-admission", HOME_CLERK),
    ("contract-status", WORKER),
    ("living-check", CLERK),
];

fn inquiry(citizen: &str, purpose: &str) -> Value {
    json!({
        "identifier": { "kind": "citizen-id", "value": citizen },
        "purpose": purpose,
        "evidence": { "call": crate::rig::call() },
    })
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// The tier of an element in an answer, if it was released.
fn tier(reply: &Reply, element: &str) -> Option<String> {
    released(reply, element)?["tier"].as_str().map(str::to_owned)
}

/// The row of a released element.
fn released(reply: &Reply, element: &str) -> Option<Value> {
    let body = reply.json();
    let rows = body["elements"].as_array()?.clone();
    rows.into_iter().find(|row| row["element"] == element)
}

/// An admitted resident with a diagnosis and an allergy.
fn admitted(rig: &Rig, diagnosis: &str) -> Resident {
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
    message.segments.push(format!("DG1|1||{diagnosis}||20261001|A"));
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(crate::rig::message::field(&reply, "MSA-1"), "AA");
    rig.consents(&resident.citizen);
    resident
}

const LUNG: &str = "J44.100^慢性阻塞性肺病伴急性加重^I10";

#[test]
fn each_purpose_gets_an_answer_with_a_receipt_that_leads_to_the_ledger() {
    let rig = Rig::shared();
    let resident = admitted(&rig, LUNG);
    for (purpose, who) in PURPOSES {
        let reply = rig.ask(who, &inquiry(&resident.citizen, purpose));
        assert_eq!(reply.status, 200, "{purpose}: {}", text(&reply));
        let body = reply.json();
        assert_eq!(body["purpose"], *purpose);
        for key in ["receipt", "legal_basis", "answered_at", "policy", "mappings"] {
            assert!(!body[key].is_null(), "{purpose} lacks {key}");
        }
        for key in ["elements", "withheld", "sources"] {
            assert!(body[key].is_array(), "{purpose} lacks {key}");
        }
        for row in body["elements"].as_array().unwrap() {
            for key in ["element", "name", "tier", "value", "source", "as_of", "age_seconds"] {
                assert!(!row[key].is_null(), "{purpose}: a released element lacks {key}");
            }
        }
        let receipt = body["receipt"].as_str().unwrap();
        let config = rig.config().display().to_string();
        let found = rig.succeed(&["ledger", "search", "--config", &config, "--receipt", receipt]);
        assert!(found.contains(receipt), "{purpose}: the receipt leads nowhere: {found}");
        assert!(!found.contains(&resident.citizen), "the ledger names the person");
    }
}

#[test]
fn the_doctor_and_the_clerk_get_different_answers_to_one_question() {
    let rig = Rig::shared();
    let resident = admitted(&rig, LUNG);
    let question = inquiry(&resident.citizen, "institution-admission");
    let (doctor, clerk) = (rig.ask(DOCTOR, &question), rig.ask(HOME_CLERK, &question));
    assert_eq!(tier(&doctor, "DE05.01.024.00").as_deref(), Some("full"), "{}", text(&doctor));
    assert!(text(&doctor).contains("J44.100"));
    assert_eq!(tier(&clerk, "DE05.01.024.00"), None);
    assert!(!text(&clerk).contains("J44.100") && !text(&clerk).contains("青霉素"));
    let withheld = clerk.json()["withheld"].as_array().unwrap().clone();
    let told = |element: &str| withheld.iter().find(|row| row["element"] == element);
    // A diagnosis may be of a kind whose very existence is not told; an allergen is not.
    assert!(told("DE05.01.024.00").is_none());
    let row = told("DE05.01.022.00").unwrap();
    assert!(!row["rule"].is_null() && !row["remedy"]["zh"].is_null(), "{row}");
}

#[test]
fn the_emergency_card_needs_an_open_call_and_holds_the_allergies() {
    let rig = Rig::shared();
    let resident = admitted(&rig, LUNG);
    let mut question = inquiry(&resident.citizen, "emergency-card");
    let card = rig.ask(AGENT, &question);
    assert!(text(&card).contains("青霉素"), "{}", text(&card));
    assert!(!text(&card).contains("J44.100"), "a diagnosis stands on the card");
    question.as_object_mut().unwrap().remove("evidence");
    let refused = rig.ask(AGENT, &question);
    assert!((400..500).contains(&refused.status), "{}", refused.status);
    assert!(text(&refused).contains("/evidence/call"), "{}", text(&refused));
    assert!(!text(&refused).contains("青霉素"));
}

/// What is left of an answer when the parts that must differ are taken out.
fn comparable(reply: &Reply) -> Value {
    let mut body = reply.json();
    for key in ["receipt", "answered_at"] {
        body[key] = Value::Null;
    }
    for list in ["elements", "sources"] {
        for row in body[list].as_array_mut().into_iter().flatten() {
            row["age_seconds"] = Value::Null;
            row["as_of"] = Value::Null;
        }
    }
    body
}

#[test]
fn nobody_can_tell_an_unknown_person_from_one_without_anything_to_show() {
    let rig = Rig::shared();
    let (known, unknown) = (Resident::new(), Resident::new());
    rig.mllp().exchange(&Message::new("A28", &known).bytes()).unwrap();
    for (purpose, who) in PURPOSES {
        let known = rig.ask(who, &inquiry(&known.citizen, purpose));
        let unknown = rig.ask(who, &inquiry(&unknown.citizen, purpose));
        assert_eq!(known.status, unknown.status, "{purpose}");
        assert_eq!(comparable(&known), comparable(&unknown), "{purpose}");
        let sizes = (known.body.len(), unknown.body.len());
        assert!(sizes.0.abs_diff(sizes.1) < 32, "{purpose}: {sizes:?}");
        let names = |reply: &Reply| {
            let mut names: Vec<_> = reply.headers.iter().map(|(name, _)| name.clone()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&known), names(&unknown), "{purpose}");
    }
}

/// Regulation on AIDS, article 39: the trait must not show in any answer, nor its absence.
#[test]
fn two_residents_who_differ_in_a_protected_diagnosis_get_equal_answers() {
    let rig = Rig::shared();
    for protected in ["B20.100^人类免疫缺陷病毒病^I10", "F20.900^精神分裂症^I10"] {
        let (plain, marked) = (admitted(&rig, LUNG), Resident::new());
        let mut message = Message::new("A01", &marked);
        message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
        message.segments.push(format!("DG1|1||{LUNG}||20261001|A"));
        message.segments.push(format!("DG1|2||{protected}||20261001|A"));
        rig.mllp().exchange(&message.bytes()).unwrap();
        rig.consents(&marked.citizen);
        for (purpose, who) in PURPOSES {
            let one = rig.ask(who, &inquiry(&plain.citizen, purpose));
            let other = rig.ask(who, &inquiry(&marked.citizen, purpose));
            assert_eq!(comparable(&one), comparable(&other), "{purpose} {who}");
        }
    }
}

#[test]
fn a_question_nobody_granted_is_refused_and_the_refusal_is_in_the_ledger() {
    let rig = Rig::shared();
    let resident = admitted(&rig, LUNG);
    for (who, purpose, status, fault) in [
        (AGENT, "living-check", 403, "purpose-not-granted"),
        (CLERK, "institution-admission", 403, "purpose-not-granted"),
        (CLERK, "record-location", 403, "purpose-not-granted"),
        (CLERK, "curiosity", 400, "unknown-purpose"),
        (TLS_SENDER, "living-check", 403, "certificate-unknown"),
        ("stranger", "living-check", 403, "certificate-unknown"),
    ] {
        let reply = rig.ask(who, &inquiry(&resident.citizen, purpose));
        assert_eq!(reply.status, status, "{who} {purpose}: {}", text(&reply));
        assert!(text(&reply).contains(fault), "{who} {purpose}: {}", text(&reply));
        assert!(!text(&reply).contains("J44"));
    }
    for name in ["revoked", ""] {
        let question = inquiry(&resident.citizen, "living-check").to_string();
        let reply = rig.try_ask(name, question.as_bytes());
        assert!(reply.map_or(true, |reply| reply.status == 403), "answered `{name}`");
    }
}

#[test]
fn a_question_that_is_not_in_order_is_refused_by_pointer() {
    let rig = Rig::shared();
    let good = inquiry(&Resident::new().citizen, "living-check");
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body.to_string()
    };
    let citizen = good["identifier"]["value"].as_str().unwrap();
    let last = if citizen.ends_with('1') { "2" } else { "1" };
    let wrong = format!("{}{last}", &citizen[..17]);
    let mut unknown_key = good.clone();
    unknown_key["extra"] = json!(1);
    let mut odd_element = good.clone();
    odd_element["elements"] = json!(["DE99.99.999.99"]);
    let shallow = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, status, told) in [
        (with("/identifier/value", json!(wrong)), 422, "/identifier/value"),
        (with("/identifier/kind", json!("shoe-size")), 422, "/identifier/kind"),
        (unknown_key.to_string(), 400, "malformed"),
        (odd_element.to_string(), 400, "unknown-element"),
        (good.to_string().replacen("{\"", "{\"purpose\":\"x\",\"", 1), 400, "malformed"),
        (good.to_string() + "x", 400, "malformed"),
        (String::new(), 400, "malformed"),
        ("{".to_owned(), 400, "malformed"),
        (deep, 413, "limit"),
        (shallow, 413, "limit"),
        (format!("\"{}\"", "x".repeat(3 << 20)), 413, ""),
    ] {
        let reply = rig.try_ask(CLERK, body.as_bytes()).unwrap();
        let start: String = body.chars().take(60).collect();
        assert_eq!(reply.status, status, "{start}: {}", text(&reply));
        assert!(text(&reply).contains(told), "{start}: {}", text(&reply));
        assert!(!text(&reply).contains(&wrong), "a value stands in the refusal");
    }
}

#[test]
fn a_person_is_found_by_the_record_number_and_the_card_too() {
    let rig = Rig::shared();
    let mut resident = Resident::new();
    let record = format!("11010500100{:06}", crate::rig::message::unique() % 1_000_000);
    // A card number of 18 characters is a citizen id and proves as one; this is none.
    let card = format!("A{}", &record[5..]);
    resident.more = format!("~{record}^^^EHR^EHR~{card}^^^HC^HC");
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(crate::rig::message::field(&reply, "MSA-1"), "AA");
    let forms =
        [("citizen-id", &resident.citizen), ("record-number", &record), ("health-card", &card)];
    for (kind, value) in forms {
        let question = json!({
            "identifier": { "kind": kind, "value": value },
            "purpose": "emergency-card",
            "evidence": { "call": crate::rig::call() },
        });
        let reply = rig.ask(AGENT, &question);
        assert!(text(&reply).contains("青霉素"), "{kind}: {}", text(&reply));
    }
    // GB 11643: the number of 15 digits is the same person.
    let short = format!("{}{}", &resident.citizen[..6], &resident.citizen[8..17]);
    let reply = rig.ask(AGENT, &inquiry(&short, "emergency-card"));
    assert!(text(&reply).contains("青霉素"));
}

/// GB/T 42195-2022: level and date of the assessment are for the clerk, the 26 items are not.
#[test]
fn the_clerk_gets_the_level_of_the_assessment_and_none_of_its_items() {
    let rig = Rig::shared();
    let resident = admitted(&rig, LUNG);
    let person = json!({ "citizenId": resident.citizen });
    let assessment = json!({
        "dataset": "ability-assessment", "time": "2026-08-15", "person": person,
        "scale": "GB/T 42195-2022", "assessedOn": "2026-08-15",
        "institution": "测试评估中心", "assessor": "测试丙",
        "items": { "B1.1": 3, "B2.4": 2, "B3.1": 4 },
        "scores": { "selfCare": 28, "total": 7531 },
        "levels": { "preliminary": "1", "final": "2" },
        "adjustments": { "coma": false, "riskEvents": true },
    });
    rig.platform.knows(&resident.citizen, vec![assessment]);
    let reply = rig.ask(CLERK, &inquiry(&resident.citizen, "subsidy-eligibility"));
    assert_eq!(tier(&reply, "MZ.ability.final-level").as_deref(), Some("full"), "{}", text(&reply));
    let row = released(&reply, "MZ.ability.final-level").unwrap();
    assert_eq!((&row["value"]["code"], &row["source"]), (&json!("2"), &json!("record-platform")));
    assert_eq!(released(&reply, "MZ.ability.assessed-on").unwrap()["value"], "2026-08-15");
    for hidden in ["MZ.ability.b1.1", "MZ.ability.total", "MZ.ability.assessor"] {
        assert_eq!(tier(&reply, hidden), None);
    }
    assert!(!text(&reply).contains("7531") && !text(&reply).contains("测试丙"));
}

#[test]
fn the_registry_tells_the_desk_where_the_key_is_and_whom_to_call() {
    let rig = Rig::shared();
    let resident = Resident::new();
    let record = json!({
        "dataset": "elder-registry", "registry": { "updatedOn": "2026-09-01" },
        "elder": { "citizenId": resident.citizen, "name": "测试丁" },
        "guardian": { "name": "测试戊", "phone": "13800000077" },
        "emergency": { "keyLocation": "门口花盆下" },
        "subsidies": [{ "class": "1", "state": "active", "since": "2026-04" }],
    });
    rig.registry.knows(&resident.citizen, vec![record]);
    let reply = rig.ask(AGENT, &inquiry(&resident.citizen, "emergency-card"));
    let row = released(&reply, "MZ.emergency.key-location").unwrap();
    assert_eq!((&row["value"], &row["source"]), (&json!("门口花盆下"), &json!("elder-registry")));
    assert!(text(&reply).contains("13800000077"), "{}", text(&reply));
    for hidden in ["测试丁", "测试戊", "2026-04\""] {
        assert!(!text(&reply).contains(hidden), "{hidden}: {}", text(&reply));
    }
}

#[test]
fn what_an_upstream_says_of_another_person_is_used_for_nobody() {
    let rig = Rig::shared();
    let (asked, other) = (Resident::new(), admitted(&rig, LUNG));
    let record = format!("11010500200{:06}", crate::rig::message::unique() % 1_000_000);
    let contract = |person: Value, phone: &str| {
        json!({ "dataset": "doctor-contract", "time": "2026-08-15", "person": person,
                "signed": true, "teamPhone": phone })
    };
    let foreign = contract(json!({ "citizenId": other.citizen }), "13900007531");
    let mixed =
        contract(json!({ "recordNumber": record, "citizenId": other.citizen }), "13900007532");
    let broken = contract(json!({ "citizenId": "110105194912310021" }), "13900007533");
    let own = contract(json!({ "citizenId": asked.citizen }), "13900007534");
    let ask = |kind: &str, value: &str| {
        let question = json!({ "identifier": { "kind": kind, "value": value },
                               "purpose": "contract-status" });
        rig.ask(WORKER, &question)
    };
    let before = rig.counted("kangqiao_foreign_records_total", &[("upstream", "record-platform")]);
    rig.platform.knows(&asked.citizen, vec![foreign, broken, own]);
    let reply = ask("citizen-id", &asked.citizen);
    assert!(text(&reply).contains("13900007534"), "{}", text(&reply));
    for phone in ["13900007531", "13900007533"] {
        assert!(!text(&reply).contains(phone), "{}", text(&reply));
    }
    // By the record number of one person, what the index knows to be another's.
    let mut owner = Resident::new();
    owner.more = format!("~{record}^^^EHR^EHR");
    rig.mllp().exchange(&Message::new("A28", &owner).bytes()).unwrap();
    let nobody = contract(json!({ "citizenId": Resident::new().citizen }), "13900007535");
    rig.platform.knows(&record, vec![mixed, nobody]);
    let reply = ask("record-number", &record);
    assert_eq!(reply.status, 200);
    for phone in ["13900007532", "13900007535"] {
        assert!(!text(&reply).contains(phone), "{}", text(&reply));
    }
    let after = rig.counted("kangqiao_foreign_records_total", &[("upstream", "record-platform")]);
    assert_eq!(after - before, 4);
    let printed = rig.printed();
    assert!(printed.contains("records of another person"));
    assert!(!printed.contains(&other.citizen) && !printed.contains(&asked.citizen));
}

#[test]
fn the_living_check_says_that_somebody_died_and_not_of_what() {
    let rig = Rig::shared();
    let resident = Resident::new();
    let death = json!({
        "dataset": "death", "time": "2026-09-02", "person": { "citizenId": resident.citizen },
        "diedAt": "2026-09-01T04:05:00+08:00", "source": "1", "place": "测试医院",
        "cause": { "code": "I21.900", "text": "急性心肌梗死" },
    });
    rig.platform.knows(&resident.citizen, vec![death]);
    let reply = rig.ask(CLERK, &inquiry(&resident.citizen, "living-check"));
    assert_eq!(reply.status, 200, "{}", text(&reply));
    assert_eq!(released(&reply, "MZ.person.deceased").unwrap()["value"], true, "{}", text(&reply));
    let day = released(&reply, "DE02.01.036.00").unwrap();
    assert_eq!((&day["value"], &day["tier"]), (&json!("2026-09-01"), &json!("generalised")));
    for hidden in ["I21", "心肌", "测试医院", "04:05"] {
        assert!(!text(&reply).contains(hidden), "{hidden}: {}", text(&reply));
    }
}

#[test]
fn beside_a_day_that_is_moved_no_time_says_by_how_much() {
    let rig = Rig::prepare("");
    let change = |file: &str, from: &str, to: &str| {
        let path = rig.path().join("policies").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    let sees = |tier: &str| format!("\"DE02.01.036.00\" = \"{tier}\"");
    change("civil-affairs.examples.toml", &sees("generalised"), &sees("pseudonym"));
    let rule =
        "@id(\"civil-affairs-death-day\")\npermit (\n  principal in Kind::\"civil-affairs\",\n";
    let tier = |tier: &str| format!("{rule}  action == Action::\"{tier}\"");
    change("civil-affairs.cedar", &tier("generalised"), &tier("pseudonym"));
    let row = "{ class = \"death\",     value = \"date\", tier = \"";
    let (day, shift) = ("generalised\", treatment = \"day\"", "pseudonym\", treatment = \"shift\"");
    change("treatments.toml", &format!("{row}{day}"), &format!("{row}{shift}"));
    rig.resume();
    let death = |resident: &Resident, day: &str| {
        let death = json!({
            "dataset": "death", "time": day, "person": { "citizenId": resident.citizen },
            "diedAt": format!("{day}T04:05:00+08:00"), "source": "1",
        });
        rig.platform.knows(&resident.citizen, vec![death]);
        let reply = rig.ask(CLERK, &inquiry(&resident.citizen, "living-check"));
        let told = released(&reply, "DE02.01.036.00").unwrap();
        assert_eq!(told["tier"], "pseudonym", "{}", text(&reply));
        let shown = told["value"]["shifted"].as_str().unwrap().to_owned();
        assert!(!text(&reply).contains(day) && shown.as_str() < day, "{}", text(&reply));
        for one in reply.json()["elements"].as_array().unwrap() {
            assert!(one["as_of"].is_null() && one["age_seconds"].is_null(), "{}", text(&reply));
        }
        shown
    };
    let (one, other) = (Resident::new(), Resident::new());
    rig.mllp().exchange(&Message::new("A28", &one).bytes()).unwrap();
    let shown = death(&one, "2026-09-02");
    assert_eq!(death(&one, "2026-09-02"), shown);
    assert_ne!(death(&other, "2026-09-02"), shown);
}

#[test]
fn an_upstream_that_is_down_is_said_to_be_or_the_question_is_refused() {
    let rig = Rig::start();
    let resident = admitted(&rig, LUNG);
    let ask = |purpose, who| rig.ask(who, &inquiry(&resident.citizen, purpose));
    let first = ask("contract-status", WORKER);
    assert_eq!(first.status, 200);
    let asked = rig.platform.asked();
    assert!(asked > 0, "the platform was never asked");
    let second = ask("contract-status", WORKER);
    assert_eq!(second.status, 200);
    assert_eq!(first.json()["sources"], second.json()["sources"], "a copy shows");
    assert_eq!(rig.platform.asked(), asked, "the second look-up was not answered from the cache");
    rig.platform.down(true);
    let fresh = admitted(&rig, LUNG);
    let refused = rig.ask(DOCTOR, &inquiry(&fresh.citizen, "institution-admission"));
    assert_eq!(refused.status, 503, "{}", text(&refused));
    assert!(text(&refused).contains("upstream-unavailable"));
    assert!(!text(&refused).contains("J44"));
    let answered = rig.ask(WORKER, &inquiry(&fresh.citizen, "contract-status"));
    assert_eq!(answered.status, 200, "{}", text(&answered));
    let sources = answered.json()["sources"].as_array().unwrap().clone();
    let platform = sources.iter().find(|row| row["source"] == "record-platform").unwrap();
    assert_eq!(platform["state"], "unavailable");
}

#[test]
fn without_a_ledger_no_answer_leaves_and_nothing_is_acknowledged() {
    let rig = Rig::start();
    let resident = admitted(&rig, LUNG);
    rig.stop();
    // The database alone: what its log takes beside it is folded in when it stops.
    let size = std::fs::metadata(rig.path().join("data/kangqiao.db")).unwrap().len() + 64 * 1024;
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let full = config
        .replace("[store]\n", &format!("[store]\nfile_bytes_max = {size}\nreserve_bytes = 0\n"));
    std::fs::write(rig.config(), full).unwrap();
    rig.resume();
    let question = inquiry(&resident.citizen, "institution-admission");
    // The file may have room for a few more pages; then it is full for good.
    let full = crate::rig::until("the store is full", || {
        let reply = rig.ask(DOCTOR, &question);
        (reply.status != 200).then_some(reply)
    });
    assert_eq!(full.status, 503, "{}", text(&full));
    assert!(!text(&full).contains("J44"));
    // A small message might still fit where the last page has room.
    let mut large = Message::new("A01", &Resident::new());
    large.segments.extend((0..200).map(|_| "AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned()));
    let reply = rig.mllp().exchange(&large.bytes()).unwrap();
    assert_eq!(crate::rig::message::field(&reply, "MSA-1"), "AE");
    rig.stop();
    std::fs::write(rig.config(), config).unwrap();
    rig.resume();
    assert_eq!(rig.ask(DOCTOR, &question).status, 200, "it does not recover");
}

/// Every file below a folder with its bytes.
pub fn files(folder: std::path::PathBuf) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(files(entry.path()));
        } else if let Ok(bytes) = std::fs::read(entry.path()) {
            found.push((entry.path(), bytes));
        }
    }
    found
}
