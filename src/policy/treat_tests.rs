//! Treatments, as cases and as laws.

use proptest::prelude::*;

use super::*;
use crate::vocabulary::{Date, Files, IdentifierKind};

fn tables() -> CodeTables {
    let mut files = Files::default();
    files.insert("codes/t.csv", "code,zh,en,parent\n1,药物,,\n101,青霉素,,1\n10101,甲,,101\n");
    files.insert("codes/flat.csv", "code,zh,en,parent\n1,是,,\n2,否,,\n");
    CodeTables::load(&files).unwrap()
}

fn around(run: impl FnOnce(Surroundings<'_>)) {
    let (keys, tables) = (Keys::derive(&[3; 32]), tables());
    let (person, domain) = (None, Some("t"));
    run(Surroundings { keys: &keys, department: "a", person, tables: &tables, domain });
}

/// The text a person reads of a treated value.
fn text(treated: Treated) -> String {
    match treated {
        Treated::Value(
            Value::Name(line) | Value::Telecom(line) | Value::Address(line) | Value::Person(line),
        ) => line.text,
        Treated::Value(Value::Identifier(identifier)) => identifier.value,
        Treated::Value(Value::Date(date)) => date.to_iso(),
        Treated::Value(Value::Code(coding)) => coding.code.unwrap_or_default(),
        Treated::Value(Value::Quantity(quantity)) => {
            quantity.comparator.unwrap_or_default() + &quantity.number
        }
        _ => "?".to_owned(),
    }
}

fn check(treatment: Treatment, value: Value, expect: Option<&str>) {
    around(|around| {
        let found = treat(treatment, &value, around).map(text);
        assert_eq!(found.as_deref(), expect, "{}", treatment.as_str());
    });
}

fn line(text: &str) -> Composite {
    Composite::line(text)
}

fn id(kind: IdentifierKind, value: &str) -> Value {
    Value::Identifier(Identifier::new(kind, value))
}

fn code(code: &str) -> Value {
    Value::Code(bare(code.to_owned()))
}

fn number(number: &str, comparator: Option<&str>) -> Value {
    let comparator = comparator.map(str::to_owned);
    Value::Quantity(Quantity { number: number.to_owned(), comparator, unit: None })
}

#[test]
fn a_name_keeps_its_surname_alone() {
    let check = |name, expect| check(Treatment::Surname, Value::Name(line(name)), expect);
    check("张三", Some("张**"));
    check("张三丰", Some("张**"));
    check("欧阳锋", Some("欧阳**"));
    check("东方不败", Some("东方**"));
    check(" 李四 ", Some("李**"));
    check("*", None);
    check("", None);
}

#[test]
fn a_person_keeps_a_surname_and_a_number_alone_is_none() {
    let person = |text: &str, parts: &[&str]| {
        let parts = parts.iter().map(ToString::to_string).collect();
        Value::Person(Composite { text: text.to_owned(), parts })
    };
    let surname = |value, expect| check(Treatment::Surname, value, expect);
    surname(person("李四", &["D7", "李", "四"]), Some("李**"));
    surname(person("李四", &[]), Some("李**"));
    surname(person("D7", &["D7"]), None);
    check(Treatment::District, Value::Place(line("洛阳市一院")), None);
    check(Treatment::Surname, Value::Organization(line("洛阳市一院")), None);
}

#[test]
fn a_number_keeps_its_ends() {
    use IdentifierKind as Kind;
    let check_id = |kind, value, expect| check(Treatment::Mask, id(kind, value), expect);
    check_id(Kind::CitizenId, "11010519491231002X", Some("110105********002X"));
    check_id(Kind::CitizenId, "110105491231002", Some("110105*****1002"));
    check_id(Kind::RecordNumber, "41010500100100001", Some("410105*******0001"));
    check_id(Kind::Local, "A0012345", Some("****2345"));
    check_id(Kind::Local, "1234567", None);
    let check_phone = |number, expect| {
        check(Treatment::Mask, Value::Telecom(line(number)), expect);
    };
    check_phone("13812345678", Some("138****5678"));
    check_phone("138-1234-5678", Some("138****5678"));
    check_phone("(0379) 63912345", Some("037*****2345"));
    check_phone("12349", None);
}

#[test]
fn an_address_ends_at_the_district() {
    let check = |text, expect| check(Treatment::District, Value::Address(line(text)), expect);
    check("河南省洛阳市洛龙区开元大道1号", Some("河南省洛阳市洛龙区"));
    check("北京市朝阳区幸福小区3号楼", Some("北京市朝阳区"));
    check("河南省巩义市幸福小区3号楼", Some("河南省巩义市"));
    check("内蒙古自治区呼和浩特市赛罕区一号", Some("内蒙古自治区呼和浩特市赛罕区"));
    check("河南省洛阳市孟津县会盟镇", Some("河南省洛阳市孟津县"));
    check("阳光花园A区2栋", None);
    let parts = ["开元大道1号", "", "洛阳市", "河南省", "", "", "", "", "洛龙区"];
    let parts = Composite {
        text: "开元大道1号 洛阳市".to_owned(),
        parts: parts.map(str::to_owned).to_vec(),
    };
    super::tests::check(Treatment::District, Value::Address(parts), Some("河南省洛阳市洛龙区"));
}

#[test]
fn a_date_a_number_and_a_code_get_coarser() {
    let date = |text| Value::Date(Date::parse(text).unwrap());
    check(Treatment::Year, date("19491231"), Some("1949"));
    check(Treatment::Month, date("19491231"), Some("1949-12"));
    check(Treatment::Month, date("1949"), Some("1949"));
    check(Treatment::Day, date("20261121083059+0800"), Some("2026-11-21"));
    check(Treatment::Decade, number("74", None), Some(">=70"));
    check(Treatment::Decade, number("74.9", Some(">=")), Some(">=70"));
    check(Treatment::Decade, number("9", Some("<")), None);
    check(Treatment::Decade, number("-3", None), None);
    check(Treatment::Decade, number("many", None), None);
    check(Treatment::Icd10Category, code("I10.x05"), Some("I10"));
    check(Treatment::Icd10Category, code("高血压"), None);
    check(Treatment::Icd10Chapter, code("I10.x05"), Some("I00-I99"));
    check(Treatment::Icd10Chapter, code("D50"), Some("D50-D89"));
    check(Treatment::Icd10Chapter, code("T98.3"), Some("S00-T98"));
    check(Treatment::Icd10Chapter, code("D49"), None);
    check(Treatment::Round, number("73", None), Some("75"));
    check(Treatment::Round, number("72.4", None), Some("70"));
    check(Treatment::Round, number("72", Some("<")), None);
    check(Treatment::TopCode, number("89", None), Some("89"));
    check(Treatment::TopCode, number("103", None), Some(">=90"));
    check(Treatment::TopCode, number("103", Some("<")), None);
    check(Treatment::Parent, code("10101"), Some("1"));
    check(Treatment::Parent, code("1"), Some("1"));
    check(Treatment::Parent, code("9"), None);
    check(Treatment::Year, code("1949"), None);
}

/// Else the tier `generalised` would give such a code in full.
#[test]
fn a_table_without_levels_makes_nothing_coarser() {
    around(|around| {
        let flat = Surroundings { domain: Some("flat"), ..around };
        assert_eq!(treat(Treatment::Parent, &code("1"), flat), None);
        let none = Surroundings { domain: None, ..around };
        assert_eq!(treat(Treatment::Parent, &code("1"), none), None);
    });
}

#[test]
fn a_stand_in_is_one_for_every_spelling_and_none_for_a_wrong_number() {
    around(|around| {
        let stand_in =
            |text| treat(Treatment::Pseudonym, &id(IdentifierKind::CitizenId, text), around);
        assert!(stand_in("110105491231002").is_some());
        assert_eq!(stand_in("110105491231002"), stand_in("11010519491231002x"));
        assert_eq!(stand_in("110105194912310021"), None);
        let elsewhere = Surroundings { department: "b", ..around };
        let value = id(IdentifierKind::CitizenId, "11010519491231002X");
        assert_ne!(stand_in("110105491231002"), treat(Treatment::Pseudonym, &value, elsewhere));
    });
}

#[test]
fn days_of_one_person_move_together_for_one_department() {
    let date = |text: &str| Value::Date(Date::parse(text).unwrap());
    let pseudonym = |text: &str| Pseudonym(text.repeat(32));
    let (one, other) = (pseudonym("a"), pseudonym("b"));
    around(|around| {
        let day = |text: &str, department: &'static str, person| {
            let around = Surroundings { department, person, ..around };
            match treat(Treatment::Shift, &date(text), around) {
                Some(Treated::Shifted(date)) => date.day(),
                None => None,
                Some(_) => panic!("a shifted day is no value"),
            }
        };
        let of = |text| day(text, "a", Some(&one)).unwrap();
        let true_day = Date::parse("20260301").unwrap().day().unwrap();
        let moved = (true_day - of("20260301")).num_days();
        assert!((1..=365).contains(&moved));
        for text in ["20260301", "19491231", "20260301083059+0800"] {
            let apart = (Date::parse(text).unwrap().day().unwrap() - of(text)).num_days();
            assert_eq!(apart, moved, "{text}");
        }
        assert_ne!(day("20260301", "b", Some(&one)), Some(of("20260301")));
        assert_ne!(day("20260301", "a", Some(&other)), Some(of("20260301")));
        for unknown in ["2026", "202603"] {
            assert_eq!(day(unknown, "a", Some(&one)), None);
        }
        assert_eq!(day("20260301", "a", None), None);
    });
}

fn any_value() -> impl Strategy<Value = Value> {
    let han = "[张王李欧阳司马省市区县小三一二号路 A-Z0-9]{0,14}";
    prop_oneof![
        han.prop_map(|text| Value::Name(line(&text))),
        han.prop_map(|text| Value::Address(line(&text))),
        "[0-9() -]{0,16}".prop_map(|text| Value::Telecom(line(&text))),
        "[0-9X]{0,20}".prop_map(|text| id(IdentifierKind::CitizenId, &text)),
        "[0-9A-Z-]{0,20}".prop_map(|text| id(IdentifierKind::Local, &text)),
        "-?[0-9]{1,6}(\\.[0-9]{1,2})?".prop_map(|text| number(&text, None)),
        "[A-Z]?[0-9]{1,5}(\\.[0-9x]{1,3})?".prop_map(|text| code(&text)),
        (1900..2030i32, 1..13u8, 1..29u8).prop_map(|(year, month, day)| {
            Value::Date(Date::parse(&format!("{year}{month:02}{day:02}")).unwrap())
        }),
    ]
}

const COARSENING: [Treatment; 12] = [
    Treatment::Day,
    Treatment::Decade,
    Treatment::District,
    Treatment::Icd10Category,
    Treatment::Icd10Chapter,
    Treatment::Mask,
    Treatment::Month,
    Treatment::Parent,
    Treatment::Round,
    Treatment::Surname,
    Treatment::TopCode,
    Treatment::Year,
];

proptest! {
    #[test]
    fn treating_twice_is_treating_once(value in any_value()) {
        around(|around| for treatment in COARSENING {
            if let Some(Treated::Value(once)) = treat(treatment, &value, around) {
                let twice = treat(treatment, &once, around);
                assert!(twice == Some(Treated::Value(once)), "{}", treatment.as_str());
            }
        });
    }

    /// Monotone: what two values share before, they share after; and every sign a
    /// treatment of a line shows was in it, or stands for one that is hidden.
    #[test]
    fn a_treatment_shows_nothing_the_value_did_not(value in any_value()) {
        let lines = [Treatment::Mask, Treatment::Surname, Treatment::District];
        around(|around| for treatment in lines {
            let Some(treated) = treat(treatment, &value, around) else { continue };
            let whole = text(Treated::Value(value.clone()));
            assert!(text(treated).chars().all(|sign| sign == '*' || whole.contains(sign)));
        });
    }

    #[test]
    fn a_coarser_date_is_the_same_for_all_days_it_covers(
        year in 1900..2030i32,
        days in (1..29u8, 1..29u8),
    ) {
        let day = |day: u8| Value::Date(Date::parse(&format!("{year}07{day:02}")).unwrap());
        around(|around| for treatment in [Treatment::Month, Treatment::Year] {
            let (left, right) = (day(days.0), day(days.1));
            assert!(treat(treatment, &left, around) == treat(treatment, &right, around));
        });
    }
}
