//! Numbers, dates and places as they are compared.

use chinese_lunisolar_calendar::{LunisolarDate, SolarDate};

use super::names::plain;
use crate::vocabulary::identifier::CitizenId;

/// A birth date by its parts; the day may not exist, which is evidence too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Day {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}

impl Day {
    /// Reads eight digits, with or without separators; a shorter date is none.
    pub fn read(text: &str) -> Option<Self> {
        let digits: String = plain(text).chars().filter(char::is_ascii_digit).take(8).collect();
        let part = |from: usize, to: usize| digits.get(from..to)?.parse::<u16>().ok();
        let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
        let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        let possible = year > 1850 && (1..=31).contains(&month) && (1..=31).contains(&day);
        (possible && (month <= 12 || day <= 12)).then_some(Self { year, month, day })
    }

    /// `YYYYMMDD`.
    pub fn digits(self) -> String {
        format!("{:04}{:02}{:02}", self.year, self.month, self.day)
    }

    /// First of January: what is written where only the year is known.
    pub const fn is_default(self) -> bool {
        self.month == 1 && self.day == 1
    }

    /// The day and the month exchanged, if that is another date.
    pub fn swapped(self) -> Option<Self> {
        let swapped = Self { month: self.day, day: self.month, ..self };
        (swapped != self && swapped.month <= 12).then_some(swapped)
    }

    /// The same day in another year.
    pub const fn in_year(self, year: u16) -> Self {
        Self { year, ..self }
    }

    /// This date read as one of the lunar calendar, in the solar one, and the other way round.
    pub fn of_the_other_calendar(self) -> Vec<Self> {
        let mut found = Vec::new();
        for leap in [false, true] {
            found.extend(self.lunar_to_solar(leap));
        }
        found.extend(self.solar_to_lunar());
        found
    }

    fn lunar_to_solar(self, leap: bool) -> Option<Self> {
        let date = LunisolarDate::from_ymd(self.year, self.month, leap, self.day).ok()?;
        Some(Self::of(date.to_solar_date()))
    }

    fn solar_to_lunar(self) -> Option<Self> {
        let solar = SolarDate::from_ymd(self.year, self.month, self.day).ok()?;
        let lunar = LunisolarDate::from_solar_date(solar).ok()?;
        Some(Self {
            year: lunar.to_lunisolar_year().to_u16(),
            month: lunar.to_lunar_month().to_u8(),
            day: lunar.to_lunar_day().to_u8(),
        })
    }

    fn of(date: SolarDate) -> Self {
        let (month, day) = (date.to_solar_month().to_u8(), date.to_solar_day().to_u8());
        Self { year: date.to_solar_year().to_u16(), month, day }
    }
}

/// A citizen id as it was written, for comparing: 15 digits become 18, signs that are no
/// digits go. A number that fails its check stays, and says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CitizenNumber {
    /// Its characters.
    pub text: String,
    /// The birth date inside.
    pub birth: Option<Day>,
    /// Whether it is of a man, by its seventeenth digit.
    pub male: Option<bool>,
    /// Whether it passes its check.
    pub proven: bool,
}

impl CitizenNumber {
    /// Reads one; `None` if what is left is too short to say anything.
    pub fn read(text: &str) -> Option<Self> {
        let kept = |sign: &char| sign.is_ascii_digit() || *sign == 'X';
        let text: String = plain(text).to_ascii_uppercase().chars().filter(kept).collect();
        if let Ok(id) = CitizenId::parse(&text) {
            return Some(Self::proven(id.disclose()));
        }
        (text.len() >= 12).then(|| Self { birth: None, male: None, proven: false, text })
    }

    fn proven(text: &str) -> Self {
        let male = text.as_bytes().get(16).map(|digit| digit % 2 == 1);
        let birth = text.get(6..14).and_then(Day::read);
        Self { text: text.to_owned(), birth, male, proven: true }
    }
}

/// A telephone number by its digits: without the country's code, the trunk's zero and signs.
pub fn phone(text: &str) -> Option<String> {
    let digits: String = plain(text).chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    let digits = match digits.strip_prefix("86") {
        Some(rest) if rest.trim_start_matches('0').len() >= 9 => rest.trim_start_matches('0'),
        _ => digits,
    };
    let first = digits.as_bytes().first()?;
    let alike = digits.bytes().all(|digit| digit == *first);
    ((7..=12).contains(&digits.len()) && !alike).then(|| digits.to_owned())
}

/// Letters and digits of a card's number.
pub fn card(text: &str) -> Option<String> {
    let text: String = plain(text).chars().filter(char::is_ascii_alphanumeric).collect();
    (text.len() >= 4).then(|| text.to_ascii_uppercase())
}

/// Where an address is: the road or village, and the numbers in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Road, street, village or estate.
    pub place: String,
    /// House, building, unit, room; group and house.
    pub numbers: Vec<u32>,
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
        let text = arabic(&text);
        let at = text.find(|sign: char| sign.is_ascii_digit())?;
        let (head, tail) = text.split_at(at);
        let place = after_divisions(head);
        let numbers = tail.split(|sign: char| !sign.is_ascii_digit());
        let numbers: Vec<u32> = numbers.filter_map(|part| part.parse().ok()).take(6).collect();
        let place = if place.is_empty() { head } else { place };
        (!place.is_empty()).then(|| Self { place: place.to_owned(), numbers })
    }
}

/// What is left of the beginning of an address when its divisions are taken away.
fn after_divisions(head: &str) -> &str {
    let mut rest = head;
    loop {
        let ends = DIVISIONS.iter().filter_map(|end| {
            let at = rest.find(end)? + end.len();
            let part = rest.get(..at)?;
            let own = NO_DIVISIONS.iter().any(|other| part.ends_with(other));
            let long = part.chars().count() >= end.chars().count() + 1;
            (!own && long && at < rest.len()).then_some(at)
        });
        match ends.min().and_then(|at| rest.get(at..)) {
            Some(left) => rest = left,
            None => return rest,
        }
    }
}

/// Chinese numerals before a group, building or room, as digits.
fn arabic(text: &str) -> String {
    const UNITS: &[char] = &['组', '队', '号', '楼', '栋', '幢', '室', '单', '社', '排', '层'];
    let value = |sign: char| "零一二三四五六七八九十".chars().position(|known| known == sign);
    let signs: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut run: Vec<usize> = Vec::new();
    let mut raw = String::new();
    for sign in signs.into_iter().chain(std::iter::once('\0')) {
        if let Some(value) = value(sign) {
            run.push(value);
            raw.push(sign);
            continue;
        }
        if !run.is_empty() {
            match UNITS.contains(&sign) {
                true => out.push_str(&number(&run).to_string()),
                false => out.push_str(&raw),
            }
            run.clear();
            raw.clear();
        }
        if sign != '\0' {
            out.push(sign);
        }
    }
    out
}

/// 十二 is 12, 二十 is 20, 一〇二 would be digits one by one.
fn number(run: &[usize]) -> usize {
    match run.iter().position(|digit| *digit == 10) {
        None => run.iter().fold(0, |sum, digit| sum * 10 + digit),
        Some(at) => {
            let (tens, ones) = run.split_at(at);
            let tens = tens.last().copied().unwrap_or(1);
            tens * 10 + ones.get(1).copied().unwrap_or(0)
        }
    }
}
