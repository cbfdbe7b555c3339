//! The rules of evidence, one test each.

mod laws;

use super::compare::{BirthLevel, CitizenLevel, NameLevel, SexLevel, ThingLevel};
use super::*;
use crate::vocabulary::record::{Field, Group};
use crate::vocabulary::{Dataset, ElementId, GroupName, Record, Source, Value};

/// One record: name, sex, birth date, citizen id, telephone, address.
type Row<'a> = [&'a str; 6];

fn list(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text.to_owned()] }
}

fn clear(row: &Row<'_>) -> Demographics {
    let [name, sex, birth, citizen, phone, address] = *row;
    Demographics {
        names: list(name),
        sex: sex.to_owned(),
        birth_date: birth.to_owned(),
        citizen_id: citizen.to_owned(),
        phones: list(phone),
        addresses: list(address),
        division: "410105".to_owned(),
        ..Demographics::default()
    }
}

fn traits(row: &Row<'_>) -> Traits {
    Veil::new(&[7; 32]).traits(&clear(row))
}

/// A proven id of somebody born on that day at Zhengzhou.
fn id(birth: &str, order: u16) -> String {
    let body = format!("410105{birth}{order:03}");
    let sum: usize = body
        .bytes()
        .zip([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
        .map(|(digit, weight)| usize::from(digit - b'0') * weight)
        .sum();
    format!("{body}{}", &"10X98765432"[sum % 11..=sum % 11])
}

/// What two records are to each other under weights nobody has learned.
fn judged(a: &Row<'_>, b: &Row<'_>) -> (Verdict, Rule) {
    let found = decide(&Weights::default(), &traits(a), &traits(b));
    (found.verdict, found.rule)
}

const PHONE: &str = "13837123344";
const HOME: &str = "健康路15号院3号楼201室";

#[test]
fn two_proven_ids_are_never_one_person_by_themselves() {
    let (one, other) = (id("19480315", 21), id("19480315", 43));
    let later = id("19500728", 22);
    let a = ["王兰", "2", "19480315", &one, PHONE, HOME];
    let same = ["王兰", "2", "19480315", &other, PHONE, HOME];
    assert_eq!(judged(&a, &same), (Verdict::Review, Rule::Reissued));
    for b in [
        ["王兰", "2", "19480315", &other, "", ""],
        ["王芳", "2", "19480315", &other, PHONE, HOME],
        ["王兰", "2", "19500728", &later, PHONE, HOME],
        ["王兰", "1", "19480315", &other, PHONE, HOME],
    ] {
        assert_eq!(judged(&a, &b), (Verdict::Apart, Rule::TwoCitizenIds), "{b:?}");
    }
}

#[test]
fn one_proven_id_is_one_person_unless_name_or_birth_say_otherwise() {
    let number = id("19480315", 21);
    let old = number[..6].to_owned() + &number[8..17];
    let a = ["王兰", "1", "19480315", &number, "", ""];
    for b in [
        ["王兰", "1", "19480315", &old, "", ""],
        ["王蘭", "男", "1948-03-15", &number, "", ""],
        ["汪岚", "1", "", &number, "", ""],
        ["", "", "", &number, "", ""],
        ["王□", "1", "19480101", &number, "", ""],
    ] {
        assert_eq!(judged(&a, &b).0, Verdict::Automatic, "{b:?}");
    }
    let (verdict, rule) = judged(&a, &["赵国强", "1", "19480315", &number, "", ""]);
    assert_eq!((verdict, rule), (Verdict::Review, Rule::IdAlone));
}

#[test]
fn a_borrowed_id_is_its_owners() {
    let number = id("19480315", 21);
    let owner = ["王国强", "1", "19480315", &number, PHONE, HOME];
    let wife = ["陈玉兰", "2", "19500728", &number, PHONE, HOME];
    assert_eq!(judged(&owner, &wife), (Verdict::Apart, Rule::BorrowedId));
    // Her own records are hers, whatever number one of them has.
    let hers = ["陈玉兰", "2", "19500728", &id("19500728", 22), PHONE, HOME];
    assert_eq!(judged(&wife, &hers).0, Verdict::Automatic);
}

#[test]
fn a_number_of_nearly_the_same_birth_and_another_sex_is_borrowed() {
    let hers = id("19510206", 22);
    let husband = ["丁克", "1", "19510216", &hers, PHONE, HOME];
    let wife = ["孙连美", "2", "19510206", &hers, "", HOME];
    assert_eq!(judged(&husband, &wife), (Verdict::Apart, Rule::BorrowedId));
    let his = ["丁克", "1", "19510216", &id("19510216", 21), PHONE, ""];
    assert_eq!(judged(&husband, &his).0, Verdict::Automatic);
    // Of one day, the sex alone is a slip of the pen.
    let slip = ["孙连美", "1", "19510206", &hers, "", ""];
    assert_eq!(judged(&slip, &wife).0, Verdict::Automatic);
}

#[test]
fn twins_and_couples_and_children_are_not_joined() {
    let (one, other) = (id("19480315", 21), id("19480315", 41));
    for (a, b) in [
        (
            ["王国强", "1", "19480315", "", PHONE, HOME],
            ["王国富", "1", "19480315", "", PHONE, HOME],
        ),
        (
            ["王国强", "1", "19480315", &one, PHONE, HOME],
            ["王国富", "1", "19480315", "", PHONE, HOME],
        ),
        (["王强", "1", "19480315", "", PHONE, HOME], ["王富", "1", "19480315", "", PHONE, HOME]),
        (
            ["王国强", "1", "19480315", &one, PHONE, HOME],
            ["王国强", "1", "19480315", &other, "", ""],
        ),
        (
            ["王国强", "1", "19480315", "", PHONE, HOME],
            ["陈玉兰", "2", "19500728", "", PHONE, HOME],
        ),
        (
            ["王国强", "1", "19480315", "", PHONE, HOME],
            ["王国强", "2", "19500728", "", PHONE, HOME],
        ),
        (
            ["王国强", "1", "19480315", "", PHONE, HOME],
            ["王建军", "1", "19720101", "", PHONE, HOME],
        ),
    ] {
        assert_ne!(judged(&a, &b).0, Verdict::Automatic, "{a:?} {b:?}");
    }
}

#[test]
fn another_sex_is_a_slip_of_the_pen_under_the_same_characters_alone() {
    let boy = ["王建平", "1", "19480315", "", "", HOME];
    let slip = ["王建平", "2", "19480315", "", "", HOME];
    assert_eq!(judged(&boy, &slip), (Verdict::Automatic, Rule::Corroborated));
    for twin in [
        ["王建萍", "2", "19480315", "", "", HOME],
        ["王建萍", "2", "19480315", "", PHONE, HOME],
        ["汪建平", "2", "19480315", "", "", HOME],
        ["WANG JIANPING", "2", "19480315", "", "", HOME],
    ] {
        let boy = ["王建平", "1", "19480315", "", twin[4], HOME];
        let (verdict, rule) = judged(&boy, &twin);
        assert!(verdict <= Verdict::Review && rule == Rule::OtherSex, "{twin:?} {verdict:?}");
    }
}

#[test]
fn name_and_birthday_and_nothing_else_are_for_somebody_to_look_at() {
    let a = ["王国强", "1", "19480315", "", "", ""];
    assert_eq!(judged(&a, &a), (Verdict::Review, Rule::NameAndBirthday));
    let b = ["王国强", "1", "19480315", &id("19480315", 21), PHONE, HOME];
    assert_eq!(judged(&a, &b), (Verdict::Review, Rule::NameAndBirthday));
}

#[test]
fn a_rare_name_a_birthday_and_the_division_a_record_names_are_one_person() {
    let told = |division: &str| {
        let text = |element, text: &str| (element, Value::Text(text.to_owned()));
        let fields = [
            text("DE02.01.039.00", "王国强"),
            text("DE02.01.005.01", "19480315"),
            text("MZ.address.division", division),
        ];
        let fields = fields.map(|(element, value)| Field {
            element: ElementId::parse(element).unwrap(),
            value,
            at: None,
        });
        let name = GroupName::fixed("record");
        let record = Record {
            dataset: Dataset::fixed("admission"),
            source: Source::fixed("hospital-a"),
            time: None,
            groups: vec![Group { name, parent: None, fields: fields.to_vec() }],
            carried: Vec::new(),
            wire: None,
            mappings: String::new(),
        };
        assert!(record.fields().all(Demographics::says) || division.is_empty());
        Veil::new(&[7; 32]).traits(&Demographics::of(&record))
    };
    let mut weights = Weights::default();
    weights.namesakes = 0.01;
    let found = |a: &str, b: &str| {
        let found = decide(&weights, &told(a), &told(b));
        (found.verdict, found.rule)
    };
    assert_eq!(found("410105", "410105000000"), (Verdict::Automatic, Rule::RareName));
    for (a, b) in [("410105", "410184"), ("410105", ""), ("410105", "金水区")] {
        assert_eq!(found(a, b), (Verdict::Review, Rule::NameAndBirthday), "{a} {b}");
    }
}

#[test]
fn name_and_birth_and_something_of_their_own_are_one_person() {
    let a = ["王国强", "1", "19480315", "", PHONE, HOME];
    for b in [
        ["王国强", "1", "19480315", "", PHONE, ""],
        ["王国强", "1", "19480315", "", "", "郑州市金水区健康路15-3-201"],
        ["汪国强", "1", "19480315", "", PHONE, HOME],
        ["WANG GUOQIANG", "", "19480315", "", PHONE, HOME],
        ["王国强", "1", "19480423", "", PHONE, HOME],
        ["王国强", "1", "19500315", "", PHONE, HOME],
    ] {
        assert_eq!(judged(&a, &b), (Verdict::Automatic, Rule::Corroborated), "{b:?}");
    }
}

#[test]
fn a_shared_telephone_or_card_alone_joins_nobody() {
    let a = ["王国强", "1", "19480315", "", PHONE, HOME];
    for b in [
        ["陈玉兰", "2", "19500728", "", PHONE, HOME],
        ["赵建军", "1", "19600501", "", PHONE, HOME],
        ["王国强", "1", "19600501", "", PHONE, HOME],
    ] {
        assert_ne!(judged(&a, &b).0, Verdict::Automatic, "{b:?}");
    }
    let card = |row: &Row<'_>| {
        let who = Demographics { cards: vec!["A16029177".to_owned()], ..clear(row) };
        Veil::new(&[7; 32]).traits(&who)
    };
    let (a, b) = (card(&a), card(&["赵建军", "1", "19600501", "", "", ""]));
    let found = decide(&Weights::default(), &a, &b);
    assert_eq!(found.comparison.card, ThingLevel::Same);
    assert!(found.verdict < Verdict::Review, "{found:?}");
}

#[test]
fn a_number_of_one_authority_is_one_persons_if_name_and_birth_agree() {
    let entry = |row: &Row<'_>, number: &str| {
        let assigned = vec![("HOSP_A".to_owned(), number.to_owned())];
        Veil::new(&[7; 32]).traits(&Demographics { assigned, ..clear(row) })
    };
    let a = entry(&["王国强", "1", "19480315", "", "", ""], "MR1");
    let found = |b: &Traits| decide(&Weights::default(), &a, b).rule;
    assert_eq!(found(&entry(&["王国强", "1", "19480101", "", "", ""], "MR1")), Rule::SameNumber);
    assert_ne!(found(&entry(&["赵建军", "1", "19480315", "", "", ""], "MR1")), Rule::SameNumber);
    assert_ne!(found(&entry(&["王国强", "1", "19480315", "", "", ""], "MR2")), Rule::SameNumber);
}

#[test]
fn each_field_agrees_by_its_level() {
    let a = ["王国强", "1", "19480315", "410105194803150216", PHONE, HOME];
    let how = |b: Row<'_>| compare(&traits(&a), &traits(&b)).0;
    let number = |text: &str| how(["王国强", "1", "19480315", text, "", ""]).citizen;
    for (text, level) in [
        ("410105194803150216", CitizenLevel::Same),
        ("410105480315021", CitizenLevel::Same),
        ("４１０１０５ １９４８０３１５ ０２１６", CitizenLevel::Same),
        ("410105194803150217", CitizenLevel::Near),
        ("410105194803150261", CitizenLevel::Near),
        ("41010519480315216", CitizenLevel::Near),
        ("410105194803105216", CitizenLevel::Near),
        ("372522196601285493", CitizenLevel::Missing),
        ("372522194803150000", CitizenLevel::Other),
        ("", CitizenLevel::Missing),
    ] {
        assert_eq!(number(text), level, "{text}");
    }
    assert_eq!(number(&id("19480315", 43)), CitizenLevel::Two);
    // The id of the one has the birth date that the other leaves out.
    let bare = ["王国强", "1", "", "410105194803150216", "", ""];
    let born =
        |text: &str| compare(&traits(&bare), &traits(&["王国强", "1", text, "", "", ""])).0.birth;
    for (text, level) in [
        ("19480315", BirthLevel::Same),
        ("1948-02-05", BirthLevel::OtherCalendar),
        ("1948-04-23", BirthLevel::OtherCalendar),
        ("19490315", BirthLevel::YearOff),
        ("19480101", BirthLevel::Default),
        ("19480316", BirthLevel::OneDigit),
        ("19480728", BirthLevel::Year),
        ("19660128", BirthLevel::Other),
        ("", BirthLevel::Missing),
    ] {
        assert_eq!(born(text), level, "{text}");
    }
    let sexed = |text| how(["王国强", text, "", "", "", ""]).sex;
    for (text, level) in [("M", SexLevel::Same), ("女", SexLevel::Other), ("9", SexLevel::Missing)]
    {
        assert_eq!(sexed(text), level, "{text}");
    }
    let called = |text| how([text, "1", "", "", "", ""]).name;
    for (text, level) in [
        ("王國强", NameLevel::Same),
        ("汪国强", NameLevel::Heard),
        ("WANG GUOQIANG", NameLevel::Heard),
        ("王□强", NameLevel::Cut),
        ("王国", NameLevel::Surname),
        ("王国富", NameLevel::OneOff),
        ("赵建军", NameLevel::Other),
        ("", NameLevel::Missing),
    ] {
        assert_eq!(called(text), level, "{text}");
    }
}

/// Persons of few rows under weights nobody has learned.
fn persons(rows: &[Row<'_>]) -> population::Persons {
    let all: Vec<_> = rows.iter().map(traits).collect();
    let order: Vec<u64> = (0..).take(rows.len()).collect();
    Population::weighed(&all, Weights::default()).persons(&order)
}

#[test]
fn what_is_likely_has_no_rival() {
    let (one, other) = (id("19480315", 21), id("19480315", 43));
    let first = ["王国强", "1", "19480315", &one, "", ""];
    let bare = ["王国强", "1", "19480315", "", "", ""];
    let found = persons(&[first, bare]);
    assert_eq!((found.automatic.clone(), found.likely()), (vec![0, 1], vec![0, 0]));
    // A namesake who is proven another person: nobody can tell whose the record is.
    let namesake = ["王国强", "1", "19480315", &other, PHONE, HOME];
    let found = persons(&[first, bare, namesake]);
    assert_eq!(found.likely(), [0, 1, 2]);
    assert_eq!(found.review.len(), 2);
}

#[test]
fn a_number_given_anew_is_likely_and_a_twins_is_not() {
    let (one, other) = (id("19480315", 21), id("19480315", 43));
    let a = ["苏保忠", "1", "19480315", &one, PHONE, HOME];
    for (name, likely) in [("苏保忠", [0, 0]), ("苏保仲", [0, 1])] {
        let found = persons(&[a, [name, "1", "19480315", &other, PHONE, HOME]]);
        assert_eq!(found.automatic, [0, 1], "{name}");
        assert_eq!(found.review.first().map(|(_, found)| found.rule), Some(Rule::Reissued));
        assert_eq!(found.likely(), likely, "{name}");
    }
}

#[test]
fn a_record_without_an_id_never_joins_two_proven_ids() {
    let (one, other) = (id("19480315", 21), id("19480315", 43));
    let a = ["范锋祥", "1", "19480315", &one, PHONE, HOME];
    let b = ["范锋向", "1", "19480315", &other, PHONE, HOME];
    let between = ["范锋祥", "1", "19480315", "", PHONE, HOME];
    assert_eq!(judged(&between, &b).0, Verdict::Automatic);
    assert_eq!(persons(&[a, between, b]).automatic, [0, 0, 2]);
    assert_eq!(persons(&[b, between, a]).automatic, [0, 1, 1]);
    // 月 is read 如 in no name.
    let how =
        |a, b| compare(&traits(&[a, "", "", "", "", ""]), &traits(&[b, "", "", "", "", ""])).0;
    assert_eq!(how("常玉如", "常玉月").name, NameLevel::OneOff);
}

#[test]
fn what_fields_add_sums_to_the_weight() {
    let weights = Weights::default();
    let a = traits(&["王国强", "1", "19480315", "", PHONE, HOME]);
    let b = traits(&["汪国强", "1", "19480423", "", PHONE, ""]);
    let found = decide(&weights, &a, &b);
    let parts = weights.contributions(&found.comparison, &found.shared);
    assert_eq!(parts.iter().map(|part| part.field).collect::<Vec<_>>(), weights::FIELDS);
    let unlike = compare::Shared::default();
    let prior = weights.weigh(&found.comparison, &unlike)
        - weights.contributions(&found.comparison, &unlike).iter().map(|p| p.weight).sum::<f64>();
    let sum: f64 = parts.iter().map(|part| part.weight).sum();
    assert!((found.weight - prior - sum).abs() < 1e-9);
    let level = |field| parts.iter().find(|part| part.field == field).map(|part| part.level);
    assert_eq!(level("name"), Some("heard-alike"));
    assert_eq!(level("birth-date"), Some("other-calendar"));
    assert_eq!(level("address"), Some("missing"));
}

#[test]
fn what_many_share_is_worth_less() {
    // Forty elders of a home with one telephone, and forty with their own.
    let phones: Vec<String> = (0..80)
        .map(|at| if at < 40 { PHONE.to_owned() } else { format!("159{:08}", 71 * at) })
        .collect();
    let years: Vec<String> =
        (0..80).map(|at| format!("{}0{}15", 1930 + at % 40, 1 + at % 9)).collect();
    let given = ["国强", "建军", "玉兰", "秀英", "志明", "桂花", "德福", "凤霞"];
    let names: Vec<String> = (0..80)
        .map(|at| format!("{}{}", ["王", "李", "陈"][at % 3], given[(at / 3 + at) % 8]))
        .collect();
    let rows: Vec<Row<'_>> =
        (0..80).map(|at| [&*names[at], "", &*years[at], "", &*phones[at], ""]).collect();
    let all: Vec<_> = rows.iter().map(traits).collect();
    let population = Population::learn(&all);
    let added = |mark| {
        let shared = compare::Shared { phone: Some(mark), ..Default::default() };
        let how = compare(&all[0], &all[1]).0;
        population.weights().contributions(&how, &shared)[5].weight
    };
    assert!(added(all[0].phones[0]) + 0.5 < added(all[60].phones[0]));
}

#[test]
fn a_token_says_nothing_without_its_key() {
    let row = ["王国强", "1", "19480315", "410105194803150216", PHONE, HOME];
    let (one, other) = (traits(&row), Veil::new(&[8; 32]).traits(&clear(&row)));
    assert_ne!(one, other);
    let found = decide(&Weights::default(), &one, &other);
    assert!(found.verdict < Verdict::Review && found.comparison.name == NameLevel::Other);
    assert!(one.keys.iter().all(|key| !other.keys.contains(key)));
    let shown = format!("{:?}{:?}{:?}", one, clear(&row), Veil::new(&[7; 32]));
    assert!(!shown.contains("王") && !shown.contains("1948"), "{shown}");
}
