//! 住址, addresses as they are compared: a road or village, and the numbers after it.
//!
//! Divisions are left away: half of all writers leave them out, and they are renamed.

use std::fmt;

use super::names::plain;

/// Numbers of one address that are kept.
const NUMBERS_MAX: usize = 6;

/// Where an address is: the road or village, and the numbers in their order.
#[derive(Clone, PartialEq, Eq)]
pub struct Site {
    /// Road, street, village or estate.
    pub place: String,
    /// House, building, unit, room; group and house.
    pub numbers: Vec<u32>,
}

/// Shows nothing of the address.
impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Site(<masked>)")
    }
}

/// What ends a part of an address that only says in which division it lies.
const DIVISIONS: &[&str] = &[
    "特别行政区",
    "自治区",
    "自治州",
    "自治县",
    "自治旗",
    "街道办事处",
    "办事处",
    "街道",
    "地区",
    "省",
    "市",
    "县",
    "区",
    "旗",
    "盟",
    "乡",
    "镇",
];
/// Places whose name ends as a division's does.
const NO_DIVISIONS: &[&str] = &["小区", "社区", "园区", "校区", "院区", "厂区", "生活区", "家属区"];

impl Site {
    /// Reads one line; `None` without a number, since a road alone is nobody's address.
    pub fn read(text: &str) -> Option<Self> {
        let text: String = plain(text).chars().filter(|sign| !sign.is_whitespace()).collect();
        let text = in_digits(&text);
        let at = text.find(|sign: char| sign.is_ascii_digit())?;
        let (head, tail) = text.split_at(at);
        let place = after_divisions(head).trim_end_matches('第');
        let numbers = tail.split(|sign: char| !sign.is_ascii_digit());
        let numbers = numbers.filter_map(|part| part.parse().ok()).take(NUMBERS_MAX).collect();
        (!place.is_empty()).then(|| Self { place: place.to_owned(), numbers })
    }
}

/// What is left of the beginning of an address when its divisions are taken away.
fn after_divisions(head: &str) -> &str {
    let mut rest = head;
    loop {
        let ends = DIVISIONS.iter().filter_map(|end| {
            let at = rest.find(end)? + end.len();
            let (part, left) = rest.split_at_checked(at)?;
            let own = NO_DIVISIONS.iter().any(|other| part.ends_with(other));
            let named = part.chars().count() > end.chars().count();
            // One character is no place: 东乡村 is a village, not a village of 东乡.
            (!own && named && left.chars().nth(1).is_some()).then_some(left)
        });
        match ends.max_by_key(|left| left.len()) {
            Some(left) => rest = left,
            None => return rest,
        }
    }
}

/// The text with Chinese numerals before a group, building or room as digits; those of a
/// name, such as 五一路, stay.
fn in_digits(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|sign| value(sign).is_none()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        match numeral(run) {
            Some(number) if counts(after) => out.push_str(&number.to_string()),
            _ if run.is_empty() => out.push(first),
            _ => out.push_str(run),
        }
        rest = if run.is_empty() { rest.strip_prefix(first).unwrap_or_default() } else { after };
    }
    out
}

/// Whether what follows a numeral is what houses are counted by.
fn counts(after: &str) -> bool {
    const UNITS: &[&str] =
        &["组", "队", "号", "楼", "栋", "幢", "室", "单元", "社", "排", "层", "户", "座"];
    const PLACES: &[&str] = &["村", "镇", "乡", "区", "路", "街", "庄", "屯", "营"];
    let unit = UNITS.iter().find_map(|unit| after.strip_prefix(unit));
    unit.is_some_and(|rest| !PLACES.iter().any(|place| rest.starts_with(place)))
}

/// What a numeral's sign is worth; ten and hundred multiply.
fn value(sign: char) -> Option<u32> {
    let digit = "零一二三四五六七八九".chars().zip(0_u32..).find(|(known, _)| *known == sign);
    match sign {
        '〇' | '○' => Some(0),
        '两' => Some(2),
        '十' => Some(10),
        '百' => Some(100),
        _ => digit.map(|(_, value)| value),
    }
}

/// 十二 is 12, 二十 is 20, 一百零三 is 103, 一〇二 is 102; longer than a house has, none.
fn numeral(run: &str) -> Option<u32> {
    let values: Vec<u32> = run.chars().map_while(value).collect();
    if values.is_empty() || values.len() > 6 {
        return None;
    }
    if values.iter().all(|value| *value < 10) {
        return Some(values.iter().fold(0, |sum, digit| sum * 10 + digit));
    }
    let (mut sum, mut digit) = (0, None);
    for value in values {
        match value {
            10.. => sum += value * digit.take().unwrap_or(1),
            _ => digit = Some(value),
        }
    }
    Some(sum + digit.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(text: &str) -> Site {
        Site::read(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn one_address_is_known_however_it_is_written() {
        for (text, same) in [
            ("健康路15号院3号楼201室", "健康路15-3-201"),
            ("健康路15号院3号楼201室", "河南省郑州市金水区健康路15号院3号楼201室"),
            ("健康路15号院3号楼201室", "郑州市管城区健康路 １５ 号院 ３ 号楼 ２０１ 室"),
            ("上店村7组96号", "河南省郑州市巩义市站街镇上店村七组96号"),
            ("上店村12组96号", "上店村十二队96号"),
            ("上店村20组103号", "上店村二十组一百零三号"),
            ("上店村3组102号", "上店村第三组一〇二号"),
            ("幸福小区3号楼2单元501", "二七区幸福小区三栋二单元501室"),
            ("宁夏回族自治区银川市兴庆区解放街5号", "银川市解放街5号"),
        ] {
            assert_eq!(site(text), site(same), "{text} {same}");
        }
    }

    #[test]
    fn other_addresses_are_others() {
        for (text, other) in [
            ("健康路15号院3号楼201室", "健康路15号院3号楼202室"),
            ("健康路15号", "建康路15号"),
            ("五一路3号", "五二路3号"),
            ("三里屯村3号", "三里屯村4号"),
            ("东乡村5号", "西乡村5号"),
        ] {
            assert_ne!(site(text), site(other), "{text} {other}");
        }
        assert_eq!(site("第三社区12号"), Site { place: "第三社区".into(), numbers: vec![12] });
        for text in ["", "健康路", "12", "无", "\u{202e}号", "🏠"] {
            assert_eq!(Site::read(text), None, "{text}");
        }
    }

    #[test]
    fn absurd_addresses_are_cut() {
        let long = "一".repeat(10_000) + "号" + &"9".repeat(10_000);
        assert_eq!(Site::read(&long), None);
        let long = format!("村{}", "99999999999999-".repeat(2_000));
        assert!(site(&long).numbers.len() <= NUMBERS_MAX);
        assert!(site(&("村".to_owned() + &"1-".repeat(10_000))).numbers.len() <= NUMBERS_MAX);
        assert!(Site::read(&("市区".repeat(5_000) + "1")).is_none());
    }
}
