//! 姓名, names as they are compared: one width, one script, no blanks, with all readings.

mod readings;
mod surnames;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use readings::{Part, Unit, folded, joined, readings, text, units};
use surnames::DOUBLE_SURNAMES;

/// Traditional and variant characters, each before the one it is compared as. From OpenCC's
/// dictionaries (Apache-2.0), with variants that names are known for.
static VARIANTS: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let pairs = include_str!("variants.txt").lines().filter_map(|line| {
        let mut signs = line.chars();
        Some((signs.next()?, signs.next()?))
    });
    pairs.collect()
});

/// Signs that stand where a character could not be written.
const GAPS: &[char] = &['?', '*', '□', '■', '〇', '○', '\u{fffd}', '＿', '_', '〓', '囗'];

/// From how many characters on a name is no Han name of surname and given name.
const LONG_NAME: usize = 5;

/// Characters of any text that are looked at; nobody's name or address is longer.
const TEXT_MAX: usize = 200;
/// Characters of a name that are compared.
const NAME_MAX: usize = 40;

/// NFKC: full and half width, compatibility forms; cut where nothing real goes on.
pub fn plain(text: &str) -> String {
    let text: String = text.chars().take(TEXT_MAX).collect();
    ComposingNormalizerBorrowed::new_nfkc().normalize(&text).chars().take(TEXT_MAX).collect()
}

/// A name taken apart.
#[derive(Default)]
pub struct Name {
    /// Its characters, in one script, without blanks and dots; Latin letters upper case.
    pub whole: String,
    /// All ways it is read, without tones.
    pub readings: Vec<String>,
    /// Ways the surname is read; of a married woman's old form both surnames; empty where
    /// it is not known.
    pub surnames: Vec<String>,
    /// Ways the given name is read.
    pub given: Vec<String>,
    /// The name with each character left out.
    pub without_one: Vec<String>,
    /// Its beginnings, of a long name; of four characters its end, which may be a name.
    pub beginnings: Vec<String>,
    /// Whether a character of it was lost.
    pub gapped: bool,
    /// Whether it is of the old form 王陈氏.
    pub married: bool,
    /// Whether it is written in Latin letters alone.
    pub latin: bool,
}

/// Shows nothing of the person.
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(<masked>)")
    }
}

impl Name {
    /// Takes a name apart; `None` if nothing of it can be compared.
    pub fn read(text: &str) -> Option<Self> {
        let text = without_accents(&plain(text));
        let kept = |sign: &char| sign.is_alphanumeric() || GAPS.contains(sign);
        let mut known = text.chars().filter(|sign| kept(sign) && !GAPS.contains(sign)).peekable();
        known.peek()?;
        if known.all(|sign| sign.is_ascii_alphabetic()) {
            return Some(Self::latin(&text));
        }
        let signs: Vec<char> = text.chars().filter(kept).map(compared_as).take(NAME_MAX).collect();
        Some(Self::of_units(&units(&signs)))
    }

    /// A name with at least one character that is no Latin letter.
    fn of_units(all: &[Unit]) -> Self {
        let left: Vec<&Unit> = all.iter().filter(|unit| **unit != Unit::Gap).collect();
        let long = left.len() >= LONG_NAME;
        let married = !long && left.len() >= 2 && left.last().is_some_and(|unit| unit.is('氏'));
        let mut name =
            Self { whole: text(&left), gapped: left.len() < all.len(), married, ..Self::default() };
        if married {
            name.both_surnames(&left);
            return name;
        }
        let (surname, given) = left.split_at(surname_length(all, &left));
        if !surname.is_empty() {
            name.surnames = readings(surname, Part::Surname);
        }
        if !given.is_empty() {
            name.given = readings(given, Part::Given);
        }
        name.readings = match (surname.is_empty(), given.is_empty()) {
            (true, _) => name.given.clone(),
            (_, true) => name.surnames.clone(),
            _ => joined(&name.surnames, &name.given),
        };
        if left.len() >= 2 {
            name.without_one = (0..left.len()).map(|skip| text_without(&left, skip)).collect();
        }
        if let ([_, own @ ..], 4, 1) = (&left[..], left.len(), surname.len()) {
            name.under_another_surname(own);
        }
        if long {
            name.beginnings = (3..left.len()).filter_map(|end| left.get(..end).map(text)).collect();
        }
        name
    }

    /// 王陈氏: born Chen, married to a Wang. Either surname is hers.
    fn both_surnames(&mut self, left: &[&Unit]) {
        let body = left.split_last().map_or(left, |(_, body)| body);
        self.surnames = body.iter().flat_map(|unit| readings(&[unit], Part::Surname)).collect();
    }

    /// 郑吴凤平 is 吴凤平 under her husband's surname.
    fn under_another_surname(&mut self, own: &[&Unit]) {
        self.beginnings = vec![text(own)];
        let (surname, given) = own.split_at(1.min(own.len()));
        self.surnames.extend(readings(surname, Part::Surname));
        self.given.extend(readings(given, Part::Given));
    }

    /// Pinyin, or a name of the Latin alphabet.
    fn latin(text: &str) -> Self {
        let words: Vec<String> = text
            .split(|sign: char| !sign.is_ascii_alphabetic())
            .filter(|word| !word.is_empty())
            .map(|word| word.chars().take(NAME_MAX).collect())
            .take(NAME_MAX)
            .collect();
        let whole: String = words.concat().chars().take(NAME_MAX).collect();
        let mut name = Self {
            readings: vec![folded(&whole)],
            whole: whole.to_ascii_uppercase(),
            latin: true,
            gapped: text.contains(GAPS),
            ..Self::default()
        };
        // Either word may be the surname: LANSHU DENG is DENG LANSHU.
        if let ([first, rest @ ..], [body @ .., last]) = (&words[..], &words[..])
            && words.len() > 1
        {
            for (surname, given) in [(first, rest.concat()), (last, body.concat())] {
                name.readings.push(folded(&format!("{surname}{given}")));
                name.surnames.push(folded(surname));
                name.given.push(folded(&given));
            }
            name.readings.sort();
            name.readings.dedup();
        }
        name
    }
}

/// How many units the surname has; none where it was lost or the name is of another people.
fn surname_length(all: &[Unit], left: &[&Unit]) -> usize {
    let double = || {
        let first: String = left.iter().take(2).map(|unit| unit.text()).collect();
        left.len() > 2 && DOUBLE_SURNAMES.contains(&first.as_str())
    };
    match () {
        () if left.len() >= LONG_NAME || all.first() == Some(&Unit::Gap) => 0,
        () if double() => 2,
        () => 1,
    }
}

fn text_without(units: &[&Unit], skip: usize) -> String {
    let left = units.iter().enumerate().filter(|(at, _)| *at != skip);
    left.map(|(_, unit)| unit.text()).collect()
}

/// Latin letters without what stands above them: `LǙ` is `LU`.
fn without_accents(text: &str) -> String {
    let latin = |sign: char| ('\u{c0}'..'\u{250}').contains(&sign);
    let latin = |sign: char| latin(sign) || ('\u{1e00}'..'\u{1f00}').contains(&sign);
    if !text.contains(latin) {
        return text.to_owned();
    }
    let normalizer = DecomposingNormalizerBorrowed::new_nfkd();
    let mut out = String::new();
    for sign in text.chars() {
        if latin(sign) {
            let parts = normalizer.normalize(sign.encode_utf8(&mut [0; 4])).into_owned();
            out.extend(parts.chars().filter(char::is_ascii));
        } else {
            out.push(sign);
        }
    }
    out
}

fn compared_as(sign: char) -> char {
    VARIANTS.get(&sign).copied().unwrap_or(sign)
}
