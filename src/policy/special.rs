//! 特殊病种, what makes a value more protected than its element: `policies/special.toml`.
//!
//! A diagnosis is of class `diagnosis` by its element, but B20 is HIV by its
//! value, and so is a result named 梅毒螺旋体抗体. Such a value, and everything
//! that stands in the same repeating group or below it, is decided on as if it
//! belonged to both classes: what one of them withholds stays withheld.
//!
//! The top group is marked value by value: a note must not hide the conclusion
//! beside it, for then its absence would tell.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::page::Page;
use crate::vocabulary::{Class, Diagnostic, Files, Record, Value};

/// Where the list stands.
pub(super) const PATH: &str = "special.toml";

/// How many special classes there may be, so that a set of them fits a byte.
const CLASSES_MAX: usize = 8;

/// A set of special classes, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks(pub(super) u8);

impl Marks {
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How special values are known.
#[derive(Debug, Clone, Default)]
pub struct Special {
    classes: Vec<Class>,
    /// Three-character category ranges of ICD-10, both ends included.
    ranges: Vec<(String, String, Marks)>,
    /// Words by their first character, in capitals.
    words: HashMap<char, Vec<(Vec<char>, Marks)>>,
    /// Which characters begin a word, one bit each.
    starts: Starts,
}

/// A set of characters that answers in a step: every character of every text is asked for.
#[derive(Debug, Clone, Default)]
struct Starts(Vec<u64>);

impl Starts {
    fn insert(&mut self, sign: char) {
        let (word, bit) = Self::place(sign);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn contains(&self, sign: char) -> bool {
        let (word, bit) = Self::place(sign);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    fn place(sign: char) -> (usize, u64) {
        let code = u32::from(sign);
        // A character has at most 21 bits, which every `usize` we run on holds.
        (usize::try_from(code / 64).unwrap_or(usize::MAX), 1 << (code % 64))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpecialFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    pub(super) special: Vec<SpecialRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpecialRow {
    pub(super) class: Spanned<String>,
    #[allow(dead_code, reason = "for the reader of the file")]
    clause: String,
    pub(super) icd10: Vec<Spanned<String>>,
    pub(super) words: Vec<Spanned<String>>,
}

impl Special {
    /// Reads `special.toml`.
    pub(super) fn load(files: &Files) -> Result<Self, Vec<Diagnostic>> {
        let (mut page, file) =
            Page::open::<SpecialFile>(files, PATH).map_err(|fault| vec![fault])?;
        let mut found = Self::default();
        for row in file.special {
            let Some(class) = page.name(&row.class, Class::parse) else { continue };
            if found.classes.len() == CLASSES_MAX {
                page.fault(row.class.span().start, "there are at most 8 special classes");
                break;
            }
            let marks = Marks(1 << found.classes.len());
            found.classes.push(class);
            for range in &row.icd10 {
                match icd10_range(range.get_ref()) {
                    Some((first, last)) => found.ranges.push((first, last, marks)),
                    None => page.fault(range.span().start, "not a range such as A50-A64"),
                }
            }
            for word in &row.words {
                let spelled: Vec<char> = word.get_ref().chars().map(capital).collect();
                match spelled.first() {
                    Some(first) => {
                        found.starts.insert(*first);
                        found.words.entry(*first).or_default().push((spelled.clone(), marks));
                    }
                    None => page.fault(word.span().start, "an empty word is everywhere"),
                }
            }
        }
        page.close(found)
    }

    /// The special classes, in the order of their marks.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// The classes of a set of marks.
    pub(super) fn marked(&self, marks: Marks) -> impl Iterator<Item = Class> {
        let classes = self.classes.iter().enumerate();
        classes.filter(move |(index, _)| marks.0 & (1 << index) != 0).map(|(_, class)| *class)
    }

    /// The marks of every group of a record, by index; the top group has none.
    pub(super) fn mark(&self, record: &Record) -> Vec<Marks> {
        let mut marks: Vec<Marks> = Vec::with_capacity(record.groups.len());
        for (index, group) in record.groups.iter().enumerate() {
            let above = group.parent.and_then(|parent| usize::try_from(parent).ok());
            let inherited = above.and_then(|parent| marks.get(parent)).copied();
            let own = group.fields.iter().map(|field| self.mark_value(&field.value));
            marks.push(match index {
                0 => Marks::default(),
                _ => own.fold(inherited.unwrap_or_default(), Marks::with),
            });
        }
        marks
    }

    /// The marks of one value.
    pub(super) fn mark_value(&self, value: &Value) -> Marks {
        match value {
            Value::Code(coding) => {
                let original = coding.original.as_ref();
                let parts = original.into_iter().flat_map(|original| &original.parts);
                let original = original.map(|original| original.code.as_str());
                let codes = [coding.code.as_deref(), original];
                let display = coding.display.as_deref().map(|text| self.mark_text(text));
                codes
                    .into_iter()
                    .flatten()
                    .chain(parts.map(String::as_str))
                    .map(|code| self.mark_code(code).with(self.mark_text(code)))
                    .fold(display.unwrap_or_default(), Marks::with)
            }
            Value::Text(text) => self.mark_text(text).with(self.mark_code(text)),
            // The name of a ward or an institution can say what somebody is treated for, and an
            // address that he lives there; what a clerk knows he writes behind a name.
            Value::Address(whole)
            | Value::Name(whole)
            | Value::Organization(whole)
            | Value::Person(whole)
            | Value::Place(whole)
            | Value::Telecom(whole) => {
                let parts = whole.parts.iter().map(|part| self.mark_text(part));
                parts.fold(self.mark_text(&whole.text), Marks::with)
            }
            Value::Identifier(identifier) => self.mark_text(&identifier.value),
            _ => Marks::default(),
        }
    }

    fn mark_code(&self, code: &str) -> Marks {
        let Some(category) = icd10_category(code) else { return Marks::default() };
        self.ranges
            .iter()
            .filter(|(first, last, _)| *first <= category && category <= *last)
            .fold(Marks::default(), |marks, (_, _, more)| marks.with(*more))
    }

    fn mark_text(&self, text: &str) -> Marks {
        let mut marks = Marks::default();
        let mut before = ' ';
        for (offset, sign) in text.char_indices() {
            let begins = Some(capital(sign)).filter(|sign| self.starts.contains(*sign));
            let words = begins.and_then(|sign| self.words.get(&sign));
            for (word, more) in words.into_iter().flatten() {
                let rest = text.get(offset..).unwrap_or_default();
                if stands(word, before, rest) {
                    marks = marks.with(*more);
                }
            }
            before = sign;
        }
        marks
    }
}

fn capital(sign: char) -> char {
    sign.to_ascii_uppercase()
}

/// Whether a word begins the rest of a text; a Latin word must stand alone.
fn stands(word: &[char], before: char, rest: &str) -> bool {
    let mut signs = rest.chars().map(capital);
    if !word.iter().all(|sign| signs.next() == Some(*sign)) {
        return false;
    }
    let latin = word.iter().all(char::is_ascii);
    !latin
        || (!before.is_ascii_alphabetic()
            && !signs.next().is_some_and(|sign| sign.is_ascii_alphabetic()))
}

/// The three characters before the point: one letter, two digits (ICD-10 volume 2, section 2.4).
fn icd10_category(code: &str) -> Option<String> {
    let category = code.trim().get(..3)?.to_ascii_uppercase();
    let mut bytes = category.bytes();
    let shaped = bytes.next().is_some_and(|byte| byte.is_ascii_uppercase())
        && bytes.all(|byte| byte.is_ascii_digit());
    let longer = code.trim().get(3..)?;
    let ends = longer.is_empty() || longer.starts_with(['.', 'x', 'X', '+', '*']);
    let ends = ends || longer.bytes().all(|byte| byte.is_ascii_digit());
    (shaped && ends).then_some(category)
}

fn icd10_range(text: &str) -> Option<(String, String)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (icd10_category(first)?, icd10_category(last)?);
    (first <= last).then_some((first, last))
}
