//! 读音, how characters are heard: pinyin without tones, one spelling for what sounds alike.

use pinyin::{ToPinyin, ToPinyinMulti};

use super::GAPS;
use super::surnames::{DOUBLE_READINGS, SURNAME_READINGS};

/// Readings of one name that are kept, the usual ones first; more say nothing more.
const READINGS_MAX: usize = 8;

/// Which part of a name is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The given name.
    Given,
    /// The surname, which may be read as no other word is.
    Surname,
}

/// One character, or the reading that stands where one could not be written.
#[derive(PartialEq, Eq)]
pub enum Unit {
    /// A character was lost here.
    Gap,
    /// A run of Latin letters, lower case.
    Reading(String),
    /// Any other character.
    Sign(char),
}

impl Unit {
    /// As it stands in the whole name.
    pub fn text(&self) -> String {
        match self {
            Self::Gap => String::new(),
            Self::Reading(text) => text.to_ascii_uppercase(),
            Self::Sign(sign) => sign.to_string(),
        }
    }

    /// Whether it is that character.
    pub fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

/// Characters, runs of Latin letters and gaps, in their order.
pub fn units(signs: &[char]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for sign in signs {
        match (sign.is_ascii_alphabetic(), units.last_mut()) {
            (true, Some(Unit::Reading(text))) => text.push(sign.to_ascii_lowercase()),
            (true, _) => units.push(Unit::Reading(sign.to_ascii_lowercase().to_string())),
            (false, _) if GAPS.contains(sign) => units.push(Unit::Gap),
            (false, _) => units.push(Unit::Sign(*sign)),
        }
    }
    units
}

/// The units one after the other, as text.
pub fn text(units: &[&Unit]) -> String {
    units.iter().map(|unit| unit.text()).collect()
}

/// One spelling of what is heard as one: ü is written u, v, yu.
///
/// Of joined readings the same comes out as of readings folded before they were joined:
/// 陈玉 is `chenu` whichever way `CHENYU` was cut.
pub fn folded(text: &str) -> String {
    let text = text.to_lowercase().replace(['ü', 'v'], "u");
    let mut out = String::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        let silent = sign == 'y' && out.ends_with(['l', 'n']) && signs.peek() == Some(&'u');
        if !silent {
            out.push(sign);
        }
    }
    out
}

/// All ways the units are read, the usual one first.
pub fn readings(units: &[&Unit], part: Part) -> Vec<String> {
    let mut found = vec![String::new()];
    for unit in units {
        let ways = match unit {
            Unit::Gap => continue,
            Unit::Reading(text) => vec![folded(text)],
            Unit::Sign(sign) => ways(*sign, part),
        };
        found = joined(&found, &ways);
    }
    let whole = text(units);
    let own = DOUBLE_READINGS.iter().filter(|(known, _)| part == Part::Surname && *known == whole);
    let own = own.map(|(_, reading)| (*reading).to_owned());
    distinct(own.chain(found)).take(READINGS_MAX).collect()
}

/// Every head with every tail, the usual ones first.
pub fn joined(heads: &[String], tails: &[String]) -> Vec<String> {
    let heads = heads.iter().enumerate();
    let all = heads.flat_map(|(rank, head)| {
        let tails = tails.iter().enumerate();
        tails.map(move |(more, tail)| (rank + more, folded(&format!("{head}{tail}"))))
    });
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(rank, _)| *rank);
    distinct(all.into_iter().map(|(_, text)| text)).take(READINGS_MAX).collect()
}

fn ways(sign: char, part: Part) -> Vec<String> {
    let own = SURNAME_READINGS.iter().filter(|(known, _)| part == Part::Surname && *known == sign);
    let own = own.map(|(_, reading)| (*reading).to_owned());
    let usual = sign.to_pinyin().into_iter().map(|found| folded(found.plain()));
    let all = sign.to_pinyin_multi().into_iter().flatten().map(|found| folded(found.plain()));
    let ways: Vec<_> = distinct(own.chain(usual).chain(all)).collect();
    // A character without a known reading stands for itself.
    if ways.is_empty() { vec![sign.to_string()] } else { ways }
}

/// Each once, in the order of its first.
fn distinct(all: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let mut seen = std::collections::BTreeSet::new();
    all.filter(move |text| seen.insert(text.clone()))
}
