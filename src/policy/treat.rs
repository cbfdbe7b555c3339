//! 脱敏, the treatments themselves: a value in, a less telling value out.
//!
//! Each that leaves a value is idempotent (treating twice is treating once) and shows nothing the
//! value did not. A stand-in and a shifted day are no values: nothing treats them again. One that
//! cannot take a value says so with `None`; the caller then goes to the next more protective tier.
//!
//! Masks after GB/T 35273-2020 and GB/T 39725-2020 annex G as our notes give them:
//! name by surname, number by its first six and last four, telephone by 3 + 4,
//! address to the district.

use super::treatment::Treatment;
use crate::identity::{Keys, Pseudonym};
use crate::vocabulary::value::{Composite, Quantity};
use crate::vocabulary::{CodeTables, Coding, Date, Identifier, Value};

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
    /// A day that is not the true one; what lies between two of them is true.
    Shifted(Date),
    /// The value, perhaps coarser.
    Value(Value),
}

/// Shows the form alone, so that a log line cannot disclose the content.
impl std::fmt::Debug for Treated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Present => "Present",
            Self::Pseudonym(_) => "Pseudonym(<masked>)",
            Self::Shifted(_) => "Shifted(<masked>)",
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
    /// Whom the value is about, if it is one person of the index.
    pub(super) person: Option<&'a Pseudonym>,
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
        (Treatment::Shift, Value::Date(date)) => return shifted(date, around),
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

/// Only a whole day of somebody who is known can be moved as all his days are.
fn shifted(date: &Date, around: Surroundings<'_>) -> Option<Treated> {
    let days = around.keys.days_of(around.department, around.person?);
    date.truncated(8).earlier(days).map(Treated::Shifted)
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

/// The topmost code above this one.
fn parent(coding: &Coding, around: Surroundings<'_>) -> Option<Coding> {
    let row = around.tables.table(around.domain?)?.topmost(coding.code.as_deref()?)?;
    let display = (!row.zh.is_empty()).then(|| row.zh.clone());
    Some(Coding { code: Some(row.code.clone()), display, original: None })
}

fn bare(code: String) -> Coding {
    Coding { code: Some(code), display: None, original: None }
}

#[cfg(test)]
#[path = "treat_tests.rs"]
mod tests;
