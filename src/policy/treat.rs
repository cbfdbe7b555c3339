//! 脱敏, the treatments themselves: a value in, a less telling value out.
//!
//! Each is idempotent (treating twice is treating once) and shows nothing the
//! value did not. One that cannot take a value says so with `None`; the caller
//! then goes to the next more protective tier.
//!
//! Masks after GB/T 35273-2020 and GB/T 39725-2020 annex G as our notes give them:
//! name by surname, number by its first six and last four, telephone by 3 + 4,
//! address to the district.

use super::treatment::Treatment;
use crate::identity::Keys;
use crate::vocabulary::value::{Composite, Quantity};
use crate::vocabulary::{CodeTables, Coding, Identifier, Value};

/// 复姓, double surnames in use.
const DOUBLE_SURNAMES: [&str; 24] = [
    "欧阳", "司马", "上官", "诸葛", "夏侯", "皇甫", "尉迟", "公孙", "慕容", "令狐", "宇文", "长孙",
    "司徒", "司空", "端木", "东方", "南宫", "独孤", "轩辕", "呼延", "申屠", "钟离", "闻人", "澹台",
];

/// A value after treatment: what may be written out.
#[derive(Clone, PartialEq)]
pub enum Treated {
    /// That there is a value.
    Present,
    /// A stand-in.
    Pseudonym(String),
    /// The value, perhaps coarser.
    Value(Value),
}

/// Shows the form alone, so that a log line cannot disclose the content.
impl std::fmt::Debug for Treated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Present => "Present",
            Self::Pseudonym(_) => "Pseudonym(<masked>)",
            Self::Value(_) => "Value(<masked>)",
        })
    }
}

/// What treatments need beside the value.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// Keys of the pseudonyms.
    pub(super) keys: &'a Keys,
    /// Who is to join them.
    pub(super) department: &'a str,
    /// The tables codes go up in.
    pub(super) tables: &'a CodeTables,
    /// The element's own table.
    pub(super) domain: Option<&'a str>,
}

/// Treats one value.
pub(super) fn treat(
    treatment: Treatment,
    value: &Value,
    around: Surroundings<'_>,
) -> Option<Treated> {
    let coarser = match (treatment, value) {
        (Treatment::Keep, Value::Code(coding)) => Value::Code(named(coding, around)),
        (Treatment::Keep, value) => value.clone(),
        (Treatment::Present, _) => return Some(Treated::Present),
        (Treatment::Pseudonym, value) => return pseudonym(value, around),
        (Treatment::Day, Value::Date(date)) => Value::Date(date.truncated(8)),
        (Treatment::Decade, Value::Quantity(quantity)) => Value::Quantity(decade(quantity)?),
        (Treatment::District, Value::Address(address)) => {
            Value::Address(Composite::line(district(address)?))
        }
        (Treatment::Icd10Category, Value::Code(coding)) => {
            Value::Code(bare(coding.code.as_deref().and_then(category)?))
        }
        (Treatment::Icd10Chapter, Value::Code(coding)) => {
            Value::Code(chapter(coding.code.as_deref()?)?)
        }
        (Treatment::Mask, Value::Identifier(identifier)) => {
            Value::Identifier(mask_identifier(identifier)?)
        }
        (Treatment::Mask, Value::Telecom(number)) => {
            Value::Telecom(Composite::line(mask(&number.text, 3, 4)?))
        }
        (Treatment::Month, Value::Date(date)) => Value::Date(date.truncated(6)),
        (Treatment::Parent, Value::Code(coding)) => Value::Code(parent(coding, around)?),
        (Treatment::Round, Value::Quantity(quantity)) => Value::Quantity(rounded(quantity)?),
        (Treatment::Surname, Value::Name(name)) => {
            Value::Name(Composite::line(surname(&name.text)?))
        }
        (Treatment::Surname, Value::Person(person)) => {
            Value::Person(Composite::line(surname(named_person(person)?)?))
        }
        (Treatment::TopCode, Value::Quantity(quantity)) => Value::Quantity(top(quantity)?),
        (Treatment::Year, Value::Date(date)) => Value::Date(date.truncated(4)),
        _ => return None,
    };
    Some(Treated::Value(coarser))
}

/// A code that came without its meaning, with the meaning its own table gives.
fn named(coding: &Coding, around: Surroundings<'_>) -> Coding {
    let mut named = coding.clone();
    if named.display.is_none() {
        let table = around.domain.and_then(|domain| around.tables.table(domain));
        let row = table.zip(coding.code.as_deref()).and_then(|(table, code)| table.row(code));
        named.display = row.map(|row| row.zh.clone()).filter(|zh| !zh.is_empty());
    }
    named
}

fn pseudonym(value: &Value, around: Surroundings<'_>) -> Option<Treated> {
    let spelled = match value {
        Value::Code(coding) => coding.code.clone()?,
        Value::Identifier(identifier) => identifier.normalised().ok()?,
        Value::Name(name) => name.text.clone(),
        Value::Person(person) => named_person(person)?.to_owned(),
        Value::Telecom(number) => number.text.chars().filter(|sign| !separates(*sign)).collect(),
        _ => return None,
    };
    Some(Treated::Pseudonym(around.keys.pseudonym_of_value(around.department, &spelled)))
}

/// 74 becomes `>= 70`; a number with another comparator has no decade.
fn decade(quantity: &Quantity) -> Option<Quantity> {
    if quantity.comparator.as_deref().is_some_and(|sign| sign != ">=") {
        return None;
    }
    let number = quantity.number().filter(|number| (0.0..100_000.0).contains(number))?;
    Some(Quantity {
        number: format!("{:.0}", (number / 10.0).floor() * 10.0),
        comparator: Some(">=".to_owned()),
        unit: quantity.unit.clone(),
    })
}

/// To the nearest five; a number that is compared already is no number.
fn rounded(quantity: &Quantity) -> Option<Quantity> {
    let plain = quantity.comparator.is_none().then(|| quantity.number())?;
    let number = plain.filter(|number| (0.0..100_000.0).contains(number))?;
    let number = format!("{:.0}", (number / 5.0).round() * 5.0);
    Some(Quantity { number, ..quantity.clone() })
}

/// Ninety and above is `>= 90`; below it stays.
fn top(quantity: &Quantity) -> Option<Quantity> {
    const TOP: f64 = 90.0;
    let number = quantity.number()?;
    match quantity.comparator.as_deref() {
        None if number < TOP => Some(quantity.clone()),
        None | Some(">=") if number >= TOP => Some(Quantity {
            number: format!("{TOP:.0}"),
            comparator: Some(">=".to_owned()),
            unit: quantity.unit.clone(),
        }),
        _ => None,
    }
}

/// ICD-10, the first and the last category of each chapter with its name.
const CHAPTERS: [(&str, &str, &str); 22] = [
    ("A00", "B99", "某些传染病和寄生虫病"),
    ("C00", "D48", "肿瘤"),
    ("D50", "D89", "血液及造血器官疾病和某些涉及免疫机制的疾患"),
    ("E00", "E90", "内分泌、营养和代谢疾病"),
    ("F00", "F99", "精神和行为障碍"),
    ("G00", "G99", "神经系统疾病"),
    ("H00", "H59", "眼和附器疾病"),
    ("H60", "H95", "耳和乳突疾病"),
    ("I00", "I99", "循环系统疾病"),
    ("J00", "J99", "呼吸系统疾病"),
    ("K00", "K93", "消化系统疾病"),
    ("L00", "L99", "皮肤和皮下组织疾病"),
    ("M00", "M99", "肌肉骨骼系统和结缔组织疾病"),
    ("N00", "N99", "泌尿生殖系统疾病"),
    ("O00", "O99", "妊娠、分娩和产褥期"),
    ("P00", "P96", "起源于围生期的某些情况"),
    ("Q00", "Q99", "先天性畸形、变形和染色体异常"),
    ("R00", "R99", "症状、体征和临床与实验室异常所见，不可归类在他处者"),
    ("S00", "T98", "损伤、中毒和外因的某些其他后果"),
    ("U00", "U99", "用于特殊目的的编码"),
    ("V01", "Y98", "疾病和死亡的外因"),
    ("Z00", "Z99", "影响健康状态和与保健机构接触的因素"),
];

/// The chapter of a code as its range of categories; of a chapter itself the same.
fn chapter(code: &str) -> Option<Coding> {
    let first = code.split_once('-').map_or(code, |(first, _)| first);
    let category = category(first)?;
    let of = |(first, last, _): &&(&str, &str, &str)| (*first..=*last).contains(&category.as_str());
    let (first, last, name) = CHAPTERS.iter().find(of)?;
    let display = Some((*name).to_owned());
    Some(Coding { display, ..bare(format!("{first}-{last}")) })
}

/// The name of a person; who came with a number alone has none.
fn named_person(person: &Composite) -> Option<&str> {
    let names = person.parts.iter().skip(1).take(2);
    let named = person.parts.is_empty() || names.into_iter().any(|part| !part.is_empty());
    named.then_some(person.text.as_str())
}

/// The surname and two stars, however long the given name is.
fn surname(name: &str) -> Option<String> {
    let name = name.trim();
    let double = DOUBLE_SURNAMES.into_iter().find(|double| name.starts_with(*double));
    let kept = match double {
        Some(double) => double.to_owned(),
        None => name.chars().next().filter(|sign| *sign != '*')?.to_string(),
    };
    Some(kept + "**")
}

/// Keeps the first six and last four of a national number; of any other the last four.
fn mask_identifier(identifier: &Identifier) -> Option<Identifier> {
    use crate::vocabulary::IdentifierKind as Kind;
    let head = match identifier.kind {
        Kind::CitizenId | Kind::RecordNumber => 6,
        Kind::HealthCard if identifier.value.len() == 18 => 6,
        Kind::ElectronicCard | Kind::HealthCard | Kind::Local | Kind::Other => 0,
    };
    Some(Identifier {
        kind: identifier.kind,
        value: mask(&identifier.value, head, 4)?,
        authority: None,
        type_code: None,
        parts: Vec::new(),
    })
}

/// The first `head` and last `tail` characters; at least four between them become stars.
fn mask(text: &str, head: usize, tail: usize) -> Option<String> {
    let signs: Vec<char> = text.chars().filter(|sign| !separates(*sign)).collect();
    let hidden = signs.len().checked_sub(head + tail).filter(|hidden| *hidden >= 4)?;
    let stars = std::iter::repeat_n('*', hidden);
    let (first, last) = (signs.iter().take(head), signs.iter().skip(head + hidden));
    Some(first.copied().chain(stars).chain(last.copied()).collect())
}

fn separates(sign: char) -> bool {
    sign.is_whitespace() || matches!(sign, '-' | '(' | ')' | '（' | '）')
}

/// As far as the district: from the parts of an XAD where they name one, else from the line.
fn district(address: &Composite) -> Option<String> {
    // HL7 v2.4 section 2.A.84 (XAD): 3 is the city, 4 the province, 9 the county.
    let part = |index: usize| address.parts.get(index).map(|part| part.trim()).unwrap_or_default();
    let parts = format!("{}{}{}", part(3), part(2), part(8));
    let whole = district_of_line(&parts).filter(|found| *found == parts);
    whole.or_else(|| district_of_line(address.text.trim()))
}

fn district_of_line(line: &str) -> Option<String> {
    let signs: Vec<char> = line.chars().collect();
    let end = (0..signs.len())
        .find(|at| county_ends(&signs, *at))
        .or_else(|| signs.iter().position(|sign| *sign == '市'))
        .or_else(|| signs.iter().position(|sign| *sign == '省'))?;
    Some(signs.into_iter().take(end + 1).collect())
}

/// Whether a county's name ends here: not a housing estate, a campus or 自治区.
fn county_ends(signs: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| signs.get(before));
    let (Some(sign), Some(before)) = (signs.get(at), before) else { return false };
    let since = signs.iter().take(at).rposition(|sign| matches!(sign, '市' | '省' | '州' | '盟'));
    let length = at - since.map_or(0, |since| since + 1);
    let estate = matches!(before, '小' | '社' | '园' | '校' | '院' | '厂' | '景' | '期' | '治');
    matches!(sign, '区' | '县' | '旗') && (1..=8).contains(&length) && !estate && !before.is_ascii()
}

/// The category of an ICD-10 code: one letter, two digits.
fn category(code: &str) -> Option<String> {
    let category = code.trim().get(..3)?.to_ascii_uppercase();
    let (letter, digits) = category.split_at_checked(1)?;
    let shaped = letter.bytes().all(|byte| byte.is_ascii_uppercase())
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    shaped.then_some(category)
}

/// The topmost code above this one, so that going up twice is going up once. In a table
/// without levels there is nothing coarser.
fn parent(coding: &Coding, around: Surroundings<'_>) -> Option<Coding> {
    let table = around.tables.table(around.domain?)?;
    let levels =
        table.codes().any(|code| table.row(code).is_some_and(|row| !row.parent.is_empty()));
    let mut row = table.row(coding.code.as_deref().filter(|_| levels)?)?;
    // A table is a forest some levels deep; a ring in it must not hold us.
    for _ in 0..8 {
        match table.row(&row.parent) {
            Some(above) => row = above,
            None => {
                let display = (!row.zh.is_empty()).then(|| row.zh.clone());
                return Some(Coding { code: Some(row.code.clone()), display, original: None });
            }
        }
    }
    None
}

fn bare(code: String) -> Coding {
    Coding { code: Some(code), display: None, original: None }
}

#[cfg(test)]
mod tests {
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
        run(Surroundings { keys: &keys, department: "a", tables: &tables, domain: Some("t") });
    }

    /// The text a person reads of a treated value.
    fn text(treated: Treated) -> String {
        match treated {
            Treated::Value(
                Value::Name(line)
                | Value::Telecom(line)
                | Value::Address(line)
                | Value::Person(line),
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
}
