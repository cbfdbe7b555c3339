//! Tests of what leaves: answers by bytes.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::answer::{AnswerMeta, RefusalMeta, SourceReport, write_answer, write_refusal};
use super::platform;
use crate::identity::Keys;
use crate::policy::tests::{code, consent, element, names, pack, record, shipped, text};
use crate::policy::{Admission, Evidence, Gathered, PolicySet, Release, decide, is_word};
use crate::translate::Form;
use crate::vocabulary::record::Carried;
use crate::vocabulary::value::{Composite, Quantity};
use crate::vocabulary::{
    Date, Element, ElementId, Fault, Freshness, Identifier, IdentifierKind, Position, Record,
    Source, Tier, Value, ValueType,
};
use crate::wire::json::Limits;
use crate::wire::{Charset, hl7v2};

const META: AnswerMeta<'_> =
    AnswerMeta { receipt: "r-1", answered_at: 1_795_000_000, mappings: "m", sources: &[] };

/// Every kind of evidence.
fn evidence() -> Evidence {
    let given = || Some("e-1".to_owned());
    Evidence { asker: given(), ..Evidence::supposed(|_| true) }
}

/// Every scope somebody was granted.
fn scopes(set: &PolicySet) -> Vec<Admission> {
    let mut scopes = Vec::new();
    for department in set.departments().iter() {
        for grant in &department.grants {
            for role in &grant.roles {
                let asker = (department.name, *role);
                scopes.push(set.admission(asker, grant.purpose.as_str(), evidence()).unwrap());
            }
        }
    }
    scopes
}

fn release(admission: &Admission, wanted: Option<&[ElementId]>, records: &[Record]) -> Release {
    let consent = consent(admission);
    let records = records.iter().chain(&consent);
    let gathered: Vec<_> =
        records.map(|record| Gathered { record, as_of: 1_790_000_000 }).collect();
    let scope = admission.towards(&gathered, 1_790_000_000);
    decide(&scope, wanted, &gathered, &Keys::derive(&[9; 32]))
}

fn answer(scope: &Admission, wanted: Option<&[ElementId]>, records: &[Record]) -> String {
    String::from_utf8(write_answer(&release(scope, wanted, records), &META)).unwrap()
}

/// A value that carries a unique text, and the text; a boolean can carry none.
fn canary(element: &Element, number: usize) -> (Value, Option<String>) {
    let mark = format!("canary{number:04}yranac");
    let line = || Composite { text: mark.clone(), parts: vec![mark.clone()] };
    let value = match element.value {
        ValueType::Address => Value::Address(line()),
        // A yes may be a mark that withholds all the others.
        ValueType::Boolean => return (Value::Boolean(false), None),
        ValueType::Bytes => {
            let shown = STANDARD.encode(&mark);
            return (Value::Bytes(mark.into_bytes()), Some(shown));
        }
        ValueType::Code => code(&mark),
        ValueType::Date => {
            let day = format!("{:04}0704", 1000 + number);
            let date = Date::parse(&format!("{day}112233")).unwrap();
            return (Value::Date(date), Some(format!("{}-07-04T11:22:33", 1000 + number)));
        }
        ValueType::Identifier => {
            Value::Identifier(Identifier::new(IdentifierKind::Local, mark.clone()))
        }
        ValueType::Name => Value::Name(line()),
        ValueType::Organization => Value::Organization(line()),
        ValueType::Person => Value::Person(line()),
        ValueType::Place => Value::Place(line()),
        ValueType::Quantity => {
            let quantity = Quantity { number: mark.clone(), comparator: None, unit: None };
            Value::Quantity(quantity)
        }
        ValueType::Telecom => Value::Telecom(line()),
        ValueType::Text => text(&mark),
    };
    (value, Some(mark))
}

/// Every mark of a canary in a text: words, days, and words in base64.
fn marks(text: &str) -> HashSet<&str> {
    let part = |start: &str, before: usize, length: usize| {
        let from = text.match_indices(start).filter_map(move |(at, _)| at.checked_sub(before));
        from.filter_map(move |at| text.get(at..at + length)).collect::<Vec<_>>()
    };
    let base64 = STANDARD.encode("canary");
    let words = part("canary", 0, "canary0000yranac".len());
    let days = part("-07-04T11:22:33", 4, "0000-07-04T11:22:33".len());
    let coded = part(&base64, 0, STANDARD.encode("canary0000yranac").len());
    words.into_iter().chain(days).chain(coded).collect()
}

/// A person with a unique text in every element of the catalogue, in the top group and
/// in groups of their own, and the same again beside a specially protected word.
#[test]
fn an_answer_holds_only_the_canaries_its_scope_allows() {
    let (catalogue, _) = pack();
    let mut elements: Vec<&Element> = catalogue.iter().collect();
    elements.sort_by_key(|element| element.id);
    let mut canaries = Vec::new();
    let (mut top, mut groups) = (Vec::new(), Vec::new());
    let mut special = vec![("record", vec![])];
    for (index, element) in elements.iter().enumerate() {
        let (value, mark) = canary(element, index);
        let (hidden, hidden_mark) = canary(element, index + 4000);
        let id = element.id.as_str();
        top.push((id, value.clone()));
        groups.push(("group", vec![(id, value)]));
        special.push(("group", vec![(id, hidden), ("MZ.lab.note", text("梅毒"))]));
        canaries.push((element.id, mark, hidden_mark));
    }
    groups.insert(0, ("record", top));
    let mut plain = record(("derived", "hospital-a"), "20260101", groups);
    let at = Position::Pointer("/carried".to_owned());
    plain.carried.push(Carried { at, text: "canarycarried".to_owned() });
    let records = [plain, record(("derived", "hospital-a"), "20260202", special)];
    let all: Vec<ElementId> = elements.iter().map(|element| element.id).collect();
    let mut held = 0;
    for scope in scopes(shipped()) {
        for wanted in [None, Some(all.as_slice())] {
            let release = release(&scope, wanted, &records);
            let full = release.released().filter(|one| one.tier() == Tier::Full);
            // What a person's word says leaves of that word alone.
            let full = full.filter(|one| one.dataset().as_str() != "privacy-consent");
            let full: HashSet<ElementId> = full.map(|one| one.element().id).collect();
            let bytes = answer(&scope, wanted, &records) + &format!("{release:?}");
            let found = marks(&bytes);
            for (id, mark, hidden_mark) in &canaries {
                let Some(mark) = mark else { continue };
                assert_eq!(found.contains(mark.as_str()), full.contains(id), "{scope:?} {id}");
                let hidden = hidden_mark.as_ref().unwrap();
                assert!(!found.contains(hidden.as_str()), "{scope:?} {id} special");
                held += usize::from(full.contains(id));
            }
            assert!(!bytes.contains("canarycarried"));
        }
    }
    assert!(held > 60, "{held}");
}

/// WORKFLOWS row R06: the clerk's answer, and everybody else's, is the same byte by byte
/// whether or not the person has what is specially protected.
#[test]
fn a_protected_disease_changes_no_byte_of_any_answer() {
    let diagnosis = |disease: &str, name: &str| {
        ("diagnosis", vec![("DE05.01.024.00", code(disease)), ("DE05.01.025.00", text(name))])
    };
    let drug = |name: &str| ("medicine", vec![("DE08.50.022.00", text(name))]);
    let check = |more: bool| {
        let conclusion = vec![
            ("MZ.fitness.conclusion", code("1")),
            ("MZ.fitness.current-problems", text("高血压")),
        ];
        let mut admission = vec![("record", vec![]), diagnosis("I10.x05", "高血压病2级")];
        let mut medicines = vec![("record", vec![]), drug("氨氯地平")];
        let mut fitness = conclusion;
        let mut records = Vec::new();
        if more {
            fitness.push(("MZ.infection.hiv", code("阳性")));
            fitness.push(("MZ.infection.syphilis", code("阳性")));
            fitness.push(("MZ.mental.alert", Value::Boolean(true)));
            fitness.push(("DE05.01.071.00", code("F20.9")));
            admission.push(diagnosis("B20.100", "艾滋病"));
            admission.push(diagnosis("A53.900", "梅毒"));
            admission.push(diagnosis("F20.900", "精神分裂症"));
            admission.push(diagnosis("Z00.0", "既往梅毒史"));
            medicines.push(drug("奥氮平片"));
            medicines.push(drug("拉米夫定片"));
            let result =
                vec![("DE04.30.020.00", text("HIV 抗体")), ("DE04.30.009.00", text("阳性"))];
            let groups = vec![("record", vec![]), ("result", result)];
            records.push(record(("laboratory-report", "hospital-a"), "20260601", groups));
        }
        records.push(record(("admission", "hospital-a"), "20260101", admission));
        records.push(record(("medication", "record-platform"), "20260102", medicines));
        let fitness = vec![("record", fitness)];
        records.push(record(
            ("institution-admission-check", "record-platform"),
            "20260103",
            fitness,
        ));
        records
    };
    let wanted = ["MZ.infection.hiv", "MZ.fitness.conclusion", "MZ.mental.alert", "DE05.01.024.00"]
        .map(element);
    let mut sizes = Vec::new();
    for scope in scopes(shipped()) {
        for wanted in [None, Some(wanted.as_slice())] {
            let without = answer(&scope, wanted, &check(false));
            assert_eq!(without, answer(&scope, wanted, &check(true)), "{scope:?}");
            sizes.push(without.len());
        }
    }
    // The answers are not all empty, and the doctor's says more than the clerk's.
    let admission = |role| {
        let set = shipped();
        let asker = names(("care-home", role));
        let scope = set.admit(asker, "institution-admission", evidence()).unwrap();
        release(&scope, None, &check(true)).released().len()
    };
    // Five beside are of the word it rests on.
    assert_eq!((admission("clerk"), admission("doctor")), (1 + 5, 5 + 5));
}

#[test]
fn who_is_unknown_has_no_data_or_nothing_to_show_gets_the_same_answer() {
    for scope in scopes(shipped()) {
        let hidden = record(
            ("admission", "a"),
            "20260101",
            vec![("record", vec![("MZ.infection.hiv", code("1"))])],
        );
        assert_eq!(answer(&scope, None, &[]), answer(&scope, None, &[hidden]), "{scope:?}");
    }
}

#[test]
fn an_answer_has_the_published_shape() {
    let set = shipped();
    let scope = set.admit(names(("community", "worker")), "contract-status", evidence()).unwrap();
    let day = || Value::Date(Date::parse("20260301").unwrap());
    let fields = vec![
        ("MZ.contract.team-phone", Value::Telecom(Composite::line("037100000021"))),
        ("MZ.check.notice-date", day()),
    ];
    let check = record(("annual-check", "record-platform"), "20260301", vec![("record", fields)]);
    let wanted = ["MZ.contract.team-phone", "MZ.check.notice-date", "DE05.10.032.00"].map(element);
    let source = Source::parse("record-platform").unwrap();
    let report = |state| SourceReport { source, state, as_of: Some(1_794_999_990) };
    let states = [Freshness::Cached, Freshness::Fresh, Freshness::Stale, Freshness::Unavailable];
    let sources = states.map(report);
    let meta = AnswerMeta { sources: &sources, ..META };
    let bytes = write_answer(&release(&scope, Some(&wanted), &[check]), &meta);
    let found: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let at = |pointer: &str| found.pointer(pointer).cloned().unwrap_or_default();
    let expect = [
        ("/receipt", json!("r-1")),
        ("/purpose", json!("contract-status")),
        ("/legal_basis/wording", json!("unconfirmed")),
        ("/answered_at", json!("2026-11-18T19:06:40+08:00")),
        ("/policy", json!(set.version())),
        ("/elements/0/element", json!("MZ.contract.team-phone")),
        ("/elements/0/name/zh", json!("家庭医生团队电话")),
        ("/elements/0/tier", json!("full")),
        ("/elements/0/value", json!("037100000021")),
        ("/elements/0/source", json!("record-platform")),
        ("/elements/0/as_of", json!("2026-03-01T00:00:00+08:00")),
        ("/elements/0/age_seconds", json!(1_795_000_000 - 1_772_294_400)),
        ("/elements/1/tier", json!("existence")),
        ("/elements/1/value", json!({ "present": true })),
        ("/withheld/0/element", json!("DE05.10.032.00")),
        ("/withheld/0/rule", json!("outside-purpose")),
        ("/withheld/0/remedy/en", json!("findings are told to the person or the guardian")),
        ("/sources/0/state", json!("current")),
        ("/sources/0/as_of", json!(null)),
        ("/sources/2/state", json!("stale")),
        ("/sources/2/age_seconds", json!(10)),
        ("/sources/3/state", json!("unavailable")),
        ("/sources/3/age_seconds", json!(null)),
    ];
    for (pointer, expect) in expect {
        assert_eq!(at(pointer), expect, "{pointer}");
    }
    assert_eq!(at("/sources/0"), at("/sources/1"), "a copy looks like what was just asked for");
}

#[test]
fn a_refusal_says_where_by_which_rule_and_what_to_do() {
    let refusal = shipped()
        .admit(names(("hotline-12349", "agent")), "emergency-card", Evidence::default())
        .unwrap_err();
    let bytes = write_refusal(&RefusalMeta {
        fault: refusal.fault,
        at: refusal.at.as_ref(),
        rule: Some(&refusal.rule),
        receipt: None,
        remedy: Some(&refusal.remedy),
    });
    let found: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        found,
        json!({
            "fault": "required-missing",
            "message": { "zh": "缺少必填字段", "en": "a required field is empty" },
            "at": "/evidence/call",
            "rule": "requires-call",
            "remedy": {
                "zh": "请在 evidence.call 中填写当前通话编号",
                "en": "give the id of the open call in evidence.call",
            },
            "retry": false,
            "receipt": null,
        })
    );
}

#[test]
fn an_upstream_learns_the_identifier_it_is_asked_about_and_no_more() {
    let set = shipped();
    let asker = names(("record-platform", "system"));
    let scope = set.admit(asker, "record-location", Evidence::default()).unwrap();
    let asked = Identifier::new(IdentifierKind::CitizenId, "110105491231002");
    let subject = platform::subject(&asked).unwrap();
    let bytes = platform::encode(&release(&scope, None, std::slice::from_ref(&subject)));
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "{\"purpose\":\"record-location\",\"identifiers\":[{\"kind\":\"citizen-id\",\
         \"value\":\"11010519491231002X\"}]}"
    );
    for kind in [IdentifierKind::Local, IdentifierKind::Other] {
        assert!(platform::subject(&Identifier::new(kind, "1")).is_none());
    }
    // The names above are names, and every dialect is found by its own.
    for registry in super::REGISTRIES {
        assert!(super::find(registry.name()).is_some());
    }
}

#[test]
fn an_upstream_answer_is_read_record_by_record_or_refused_by_place() {
    let check = |body: &str, expect: Result<&[&str], (Fault, &str)>| {
        let read = platform::decode(body.as_bytes());
        let read =
            read.map(|read| read.iter().map(|one| one.dataset.to_string()).collect::<Vec<_>>());
        let read = read.map_err(|error| (error.fault, error.at.to_string()));
        let expect = expect.map(|names| names.iter().map(ToString::to_string).collect());
        assert_eq!(read, expect.map_err(|(fault, at)| (fault, at.to_owned())), "{body}");
    };
    check(r#"{"records":[]}"#, Ok(&[]));
    check(
        r#"{"records":[{"dataset":"death","day":"2026-01-01"},{"dataset":"allergy"}]}"#,
        Ok(&["death", "allergy"]),
    );
    check("[]", Err((Fault::DataType, "/")));
    check("{}", Err((Fault::RequiredMissing, "/records")));
    check(r#"{"records":{}}"#, Err((Fault::DataType, "/records")));
    check(r#"{"records":[{}]}"#, Err((Fault::RequiredMissing, "/records/0/dataset")));
    check(r#"{"records":[{"dataset":"死亡"}]}"#, Err((Fault::TableValue, "/records/0/dataset")));
    let many = format!(r#"{{"records":[{}{{}}]}}"#, "{},".repeat(2_000));
    check(&many, Err((Fault::Limit, "/records")));
}

/// From a hospital's message and an upstream's JSON to the purposes: everything a purpose
/// lists can be answered from what the mappings read, so neither side names an element the
/// other does not know.
#[test]
fn what_a_purpose_lists_can_be_answered_from_what_sources_say() {
    let files = crate::policy::tests::folder("mappings");
    let pack = crate::translate::Pack::load(&files).unwrap();
    let source = Source::parse("record-platform").unwrap();
    let mut records = Vec::new();
    for (folder, dialect) in [("platform", "platform-json"), ("civil", "civil-json")] {
        for path in files.under(folder, "json") {
            let document = crate::wire::json::read(files.bytes(path).unwrap(), &Limits::default());
            // Some examples are there to be refused, and some are what is expected of others.
            let read = pack.read_json(dialect, source, &document.unwrap());
            records.extend(read.into_iter().flatten().map(|found| found.record));
        }
    }
    for form in [Form::V3Hospital, Form::V3Regional] {
        for path in files.under(form.name(), "xml") {
            let limits = crate::translate::form::Limits::default();
            let read = pack.read((form, source), files.bytes(path).unwrap(), &limits);
            records.extend(read.unwrap().into_iter().map(|found| found.record));
        }
    }
    for path in files.under("hl7v2", "hl7") {
        // One is in its sender's character set; there are enough others.
        let Ok(text) = files.text(path) else { continue };
        let lines = text.replace("\r\n", "\r").replace('\n', "\r");
        let limits = hl7v2::Limits::default();
        let message = hl7v2::Message::read(lines.as_bytes(), Charset::Utf8, &limits);
        let read = message.ok().and_then(|message| pack.read_hl7(source, &message).ok());
        records.extend(read.map(|found| found.record));
    }
    // Nobody of all these refuses anything here.
    records.retain(|record| !is_word(record));
    let derived = pack.derive(
        (&records.iter().collect::<Vec<_>>(), META.answered_at),
        &crate::translate::Everything,
    );
    records.extend(derived);
    let mut missing = Vec::new();
    for scope in scopes(shipped()) {
        let release = release(&scope, None, &records);
        let found = |id| release.released().any(|one| one.element().id == id);
        let listed = scope.explain(&[], None).unwrap().into_iter();
        let listed = listed.filter(|one| one.tier != Tier::Withheld && !found(one.element));
        let listed = listed.filter(|one| !one.element.as_str().starts_with("MZ.privacy."));
        missing.extend(listed.map(|one| one.element.to_string()));
    }
    assert!(missing.is_empty(), "{missing:?}");
}
