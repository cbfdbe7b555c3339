//! 特殊病种, what makes a value more protected than its element: `policies/special.toml`.
//!
//! A diagnosis is of class `diagnosis` by its element, but B20 is HIV by its
//! value, and so is a result named 梅毒螺旋体抗体. Such a value, and everything
//! that stands in the same repeating group or below it, is decided on as if it
//! belonged to both classes: what one of them withholds stays withheld.
//!
//! The top group is marked value by value: a note must not hide the conclusion
//! beside it, for then its absence would tell.
//!
//! What its source marks as confidential (`marks`) is special too: the group the mark stands in,
//! or the whole record. A special class may raise the `level` of whatever it holds. One that is
//! `for_refusal` is asked no rule about: it is there for people to refuse (`consents.toml`).

use std::cell::OnceCell;
use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::law::Law;
use super::page::Page;
use super::rules::Rules;
use crate::vocabulary::record::Group;
use crate::vocabulary::{
    Catalogue, Class, Diagnostic, ElementId, Field, Files, Record, Value, ValueType,
};

/// Where the list stands.
pub(super) const PATH: &str = "special.toml";
/// How many characters of a code must be named.
const CODE_MIN: usize = 3;

/// How many special classes there may be, so that a set of them fits a word.
const CLASSES_MAX: usize = 16;

/// A set of special classes, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks(pub(super) u16);

impl Marks {
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How special values are known.
#[derive(Debug, Clone, Default)]
pub struct Special {
    classes: Vec<Class>,
    /// The least level of what each class holds.
    levels: Vec<u8>,
    /// Classes that are there for people to refuse.
    for_refusal: Marks,
    /// Elements by which a source marks something as confidential.
    signs: HashMap<ElementId, Vec<Sign>>,
    /// Codes of drugs and tests, whole or as far as they go, in capitals.
    codes: Vec<(String, Whole, Marks)>,
    /// Three-character category ranges of ICD-10, both ends included.
    ranges: Vec<(String, String, Marks)>,
    /// Words by their first character, in capitals.
    words: HashMap<char, Vec<(Vec<char>, Marks)>>,
    /// Which characters begin a word, one bit each.
    starts: Starts,
}

/// A mark of a source's own.
#[derive(Debug, Clone)]
struct Sign {
    is: Vec<String>,
    reach: Reach,
    marks: Marks,
}

/// How far such a mark reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reach {
    /// What stands in the same group or below it.
    Group,
    /// All of the record.
    Record,
}

impl Reach {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Record => "record",
        }
    }
}

/// Whether a code must be the same, or begin so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    No,
    Yes,
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
    pub(super) level: Option<u8>,
    #[serde(default)]
    pub(super) for_refusal: bool,
    #[serde(default)]
    pub(super) icd10: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) words: Vec<Spanned<String>>,
    /// Codes of drugs and tests (ATC, LOINC), in whatever field; `N05A*` is all that begin so.
    #[serde(default)]
    pub(super) codes: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) marks: Vec<Spanned<SignRow>>,
}

/// What a source marks itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignRow {
    pub(super) element: String,
    pub(super) is: Vec<String>,
    pub(super) reach: Reach,
}

/// The marks of the groups of records, worked out when first needed, once for all who ask.
pub(super) struct Marked<'s> {
    special: &'s Special,
    of: Vec<OnceCell<Vec<Marks>>>,
}

impl<'s> Marked<'s> {
    /// Of so many records.
    pub(super) fn new(special: &'s Special, count: usize) -> Self {
        Self { special, of: (0..count).map(|_| OnceCell::new()).collect() }
    }

    /// Those of a value in a group of the record in that place; without one, of the group itself.
    pub(super) fn marks(
        &self,
        (place, record): (usize, &Record),
        (group, value): (usize, Option<&Value>),
    ) -> Marks {
        let found = self.of.get(place).map(|of| of.get_or_init(|| self.special.mark(record)));
        let groups = found.map_or(&[] as &[Marks], Vec::as_slice);
        let around = match value.map(Value::value_type) {
            // Bytes are a whole document: whatever of the record is marked stands in them.
            Some(ValueType::Bytes) => groups.iter().copied().fold(Marks::default(), Marks::with),
            _ => groups.get(group).copied().unwrap_or_default(),
        };
        around.with(value.map(|value| self.special.mark_value(value)).unwrap_or_default())
    }
}

impl Special {
    /// Reads `special.toml`.
    pub(super) fn load(files: &Files, catalogue: &Catalogue) -> Result<Self, Vec<Diagnostic>> {
        let (mut page, file) =
            Page::open::<SpecialFile>(files, PATH).map_err(|fault| vec![fault])?;
        let mut found = Self::default();
        for row in file.special {
            let Some(class) = page.name(&row.class, Class::parse) else { continue };
            if found.classes.len() == CLASSES_MAX {
                let message = format!("there are at most {CLASSES_MAX} special classes");
                page.fault(row.class.span().start, message);
                break;
            }
            let marks = Marks(1 << found.classes.len());
            found.classes.push(class);
            found.levels.push(row.level.unwrap_or(0));
            if row.for_refusal {
                found.for_refusal = found.for_refusal.with(marks);
            }
            if row.level.is_some_and(|level| !(1..=5).contains(&level)) {
                page.fault(row.class.span().start, "a level is 1 to 5");
            }
            for sign in row.marks {
                let known = ElementId::parse(&sign.get_ref().element).ok();
                match known.filter(|id| catalogue.get(*id).is_some()) {
                    Some(id) => {
                        let SignRow { is, reach, .. } = sign.into_inner();
                        found.signs.entry(id).or_default().push(Sign { is, reach, marks });
                    }
                    None => page.fault(sign.span().start, "the catalogue has no such element"),
                }
            }
            for code in &row.codes {
                let (stem, whole) = match code.get_ref().strip_suffix('*') {
                    Some(stem) => (stem, Whole::No),
                    None => (code.get_ref().as_str(), Whole::Yes),
                };
                if stem.len() < CODE_MIN {
                    page.fault(code.span().start, "so short a code is of everything");
                }
                found.codes.push((stem.to_ascii_uppercase(), whole, marks));
            }
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

    /// Whether the rules are asked about the class in that place.
    pub(super) const fn is_ruled(&self, index: usize) -> bool {
        self.for_refusal.0 & (1 << index) == 0
    }

    /// Refuses a class that is there for people to refuse, and that a rule or a law speaks of:
    /// neither would be asked.
    pub(super) fn are_unruled(
        &self,
        files: &Files,
        rules: &Rules,
        laws: &[Law],
    ) -> Result<(), Vec<Diagnostic>> {
        let classes = self.classes.iter().enumerate();
        let ruled = classes.filter(|(index, _)| !self.is_ruled(*index)).filter(|(_, class)| {
            let name = format!("Class::\"{class}\"");
            laws.iter().any(|law| law.classes.contains(class))
                || rules.texts().iter().any(|text| text.contains(&name))
        });
        let text = files.text(PATH).unwrap_or_default();
        let faults = ruled.map(|(_, class)| {
            let at = text.find(&format!("\"{class}\"")).unwrap_or_default();
            Diagnostic::at(PATH, text, at, "a rule or a law speaks of it: it is not for refusal")
        });
        let faults: Vec<_> = faults.collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// The least level of what a class holds.
    pub(super) fn level(&self, class: Class) -> u8 {
        let place = self.classes.iter().position(|known| *known == class);
        place.and_then(|place| self.levels.get(place)).copied().unwrap_or(0)
    }

    /// The marks of every group of a record, by index; the top group has those alone that its
    /// source made.
    pub(super) fn mark(&self, record: &Record) -> Vec<Marks> {
        let mut marks: Vec<Marks> = Vec::with_capacity(record.groups.len());
        let signed = |group: &Group, reach| {
            let signs = group.fields.iter().map(|field| self.sign(field, reach));
            signs.fold(Marks::default(), Marks::with)
        };
        let all = record.groups.iter().map(|group| signed(group, Reach::Record));
        let all = all.fold(Marks::default(), Marks::with);
        for (index, group) in record.groups.iter().enumerate() {
            let signed = all.with(signed(group, Reach::Group));
            let above = group.parent.and_then(|parent| usize::try_from(parent).ok());
            let inherited = above.and_then(|parent| marks.get(parent)).copied();
            let own = group.fields.iter().map(|field| self.mark_value(&field.value));
            marks.push(match index {
                0 => signed,
                // The top group's words are its own; what its source marked holds below too.
                _ => own.fold(inherited.unwrap_or_default().with(signed), Marks::with),
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
            Value::Identifier(identifier) => self.mark_number(&identifier.value),
            _ => Marks::default(),
        }
    }

    /// What a source says of its own record by a field.
    fn sign(&self, field: &Field, reach: Reach) -> Marks {
        let signs = self.signs.get(&field.element).into_iter().flatten();
        let signs = signs.filter(|sign| sign.reach == reach);
        let holds = |sign: &&Sign| {
            let is = |text: &str| sign.is.iter().any(|word| word == text);
            match &field.value {
                Value::Boolean(yes) => is(if *yes { "true" } else { "false" }),
                Value::Code(coding) => {
                    let original = coding.original.as_ref().map(|one| one.code.as_str());
                    coding.code.as_deref().into_iter().chain(original).any(is)
                }
                Value::Text(text) => is(text.trim()),
                _ => false,
            }
        };
        signs.filter(holds).fold(Marks::default(), |all, sign| all.with(sign.marks))
    }

    fn mark_code(&self, code: &str) -> Marks {
        let spelled = code.trim().to_ascii_uppercase();
        let named = self.codes.iter().filter(|(stem, whole, _)| match whole {
            Whole::Yes => spelled == *stem,
            Whole::No => spelled.starts_with(stem.as_str()),
        });
        let named = named.fold(Marks::default(), |all, (_, _, more)| all.with(*more));
        let Some(category) = icd10_category(code) else { return named };
        self.ranges
            .iter()
            .filter(|(first, last, _)| *first <= category && category <= *last)
            .fold(named, |marks, (_, _, more)| marks.with(*more))
    }

    /// A word of letters is one wherever it stands; one with a digit is not where letters and
    /// digits take turns, for a token of 64 digits spells `CD4` by chance.
    fn mark_number(&self, number: &str) -> Marks {
        let letters = |word: &[char]| !word.iter().any(char::is_ascii_digit);
        self.mark_words(number, letters).with(self.mark_text(&without_turns(number)))
    }

    fn mark_text(&self, text: &str) -> Marks {
        self.mark_words(text, |_| true)
    }

    fn mark_words(&self, text: &str, counts: impl Fn(&[char]) -> bool) -> Marks {
        let mut marks = Marks::default();
        let mut before = ' ';
        for (offset, sign) in text.char_indices() {
            let begins = Some(capital(sign)).filter(|sign| self.starts.contains(*sign));
            let words = begins.and_then(|sign| self.words.get(&sign));
            for (word, more) in words.into_iter().flatten() {
                let rest = text.get(offset..).unwrap_or_default();
                if counts(word) && stands(word, before, rest) {
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

/// A number without the runs in which letters and digits take turns.
fn without_turns(number: &str) -> String {
    let pieces = number.split_inclusive(|sign: char| !sign.is_ascii_alphanumeric());
    let told = pieces.map(|piece| {
        let letters = piece.split(|sign: char| !sign.is_ascii_alphabetic());
        let turns = letters.filter(|run| !run.is_empty()).count() > 1;
        piece.trim_start_matches(|sign: char| turns && sign.is_ascii_alphanumeric())
    });
    told.collect()
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
