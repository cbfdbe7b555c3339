//! 本人意愿, what a record says a person allows or refuses, before it is weighed.
//!
//! A permission must be certain to count, a refusal possible: a word nobody knows, a time that
//! cannot be told and an exception nobody weighs make a permission less and a refusal more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::choose::Gathered;
use super::department::Departments;
use super::purpose::Purposes;
use crate::vocabulary::{
    Class, Dataset, Date, Department, Group, GroupName, Purpose, Record, Source, Value,
};

const DAY: i64 = 86_400;

/// 授权记录, a record that is a person's word as a whole.
const DATASET: Dataset = Dataset::fixed("privacy-consent");
/// A group of any record that is one.
const GROUP: GroupName = GroupName::fixed("privacy-consent");

/// What such a record says.
pub(super) mod says {
    use crate::vocabulary::ElementId;

    pub const NUMBER: ElementId = ElementId::fixed("MZ.privacy.number");
    pub const STATE: ElementId = ElementId::fixed("MZ.privacy.state");
    pub const DECISION: ElementId = ElementId::fixed("MZ.privacy.decision");
    pub const PURPOSE: ElementId = ElementId::fixed("MZ.privacy.purpose");
    pub const DEPARTMENT: ElementId = ElementId::fixed("MZ.privacy.department");
    pub const CATEGORY: ElementId = ElementId::fixed("MZ.privacy.category");
    pub const FROM: ElementId = ElementId::fixed("MZ.privacy.from");
    pub const UNTIL: ElementId = ElementId::fixed("MZ.privacy.until");
    pub const NOTICE: ElementId = ElementId::fixed("MZ.privacy.notice");
    pub const EXCEPTION: ElementId = ElementId::fixed("MZ.privacy.exception");
}

/// What is known beside the records: a word that is none of these is not understood.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) purposes: &'a Purposes,
    pub(super) departments: &'a Departments,
    /// Those of elements and the special ones of values.
    pub(super) classes: &'a [Class],
}

impl Words<'_> {
    pub(super) fn purpose(&self, word: &str) -> bool {
        Purpose::parse(word).is_ok_and(|id| self.purposes.terms(id).is_some())
    }

    pub(super) fn department(&self, word: &str) -> bool {
        Department::parse(word).is_ok_and(|name| self.departments.department(name).is_some())
    }

    pub(super) fn class(&self, word: &str) -> Option<Class> {
        Class::parse(word).ok().filter(|class| self.classes.contains(class))
    }
}

/// What one record says.
#[derive(Default)]
pub(super) struct Directive<'a> {
    pub(super) number: Option<&'a str>,
    pub(super) active: bool,
    pub(super) permits: bool,
    /// It says more than can be weighed here: exceptions to what it says.
    pub(super) has_exceptions: bool,
    pub(super) purposes: Vec<&'a str>,
    pub(super) departments: Vec<&'a str>,
    pub(super) categories: Vec<&'a str>,
    pub(super) from: Option<&'a Date>,
    pub(super) until: Option<&'a Date>,
    pub(super) notice: Option<&'a str>,
}

/// How far a word reaches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Extent {
    #[default]
    Nothing,
    Classes(Vec<Class>),
    Everything,
}

impl Extent {
    pub(super) fn extend(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::Everything, _) | (_, Self::Nothing) => (),
            (Self::Classes(all), Self::Classes(more)) => all.extend(more),
            (_, more) => *self = more,
        }
    }

    pub(super) fn holds(&self, class: Class) -> bool {
        match self {
            Self::Nothing => false,
            Self::Classes(classes) => classes.contains(&class),
            Self::Everything => true,
        }
    }
}

impl<'a> Directive<'a> {
    pub(super) fn read(group: &'a Group) -> Self {
        let mut said = Self::default();
        for field in &group.fields {
            let text = match &field.value {
                Value::Text(text) => Some(text.trim()),
                Value::Code(coding) => coding.code.as_deref(),
                Value::Identifier(identifier) => Some(identifier.value.as_str()),
                _ => None,
            };
            let date = match &field.value {
                Value::Date(date) => Some(date),
                _ => None,
            };
            match field.element {
                says::NUMBER => said.number = text,
                says::STATE => said.active = text == Some("active"),
                says::DECISION => said.permits = text == Some("permit"),
                says::PURPOSE => said.purposes.extend(text.or(Some(""))),
                says::DEPARTMENT => said.departments.extend(text.or(Some(""))),
                says::CATEGORY => said.categories.extend(text.or(Some(""))),
                says::FROM => said.from = date,
                says::UNTIL => said.until = date,
                says::NOTICE => said.notice = text,
                says::EXCEPTION => said.has_exceptions = true,
                _ => (),
            }
        }
        said
    }

    /// Whether a permission is for this purpose, and for this department.
    pub(super) fn names(&self, purpose: Purpose, department: Department) -> bool {
        let is = |words: &[&str], name: &str| words.contains(&name);
        is(&self.purposes, purpose.as_str())
            && (self.departments.is_empty() || is(&self.departments, department.as_str()))
    }

    /// Whether a refusal may be meant for them: a word nobody knows may be anything.
    pub(super) fn may_mean(
        &self,
        (purpose, department): (Purpose, Department),
        words: Words<'_>,
    ) -> bool {
        let purposes = &self.purposes;
        let departments = &self.departments;
        (purposes.is_empty()
            || purposes.iter().any(|word| *word == purpose.as_str() || !words.purpose(word)))
            && (departments.is_empty()
                || departments
                    .iter()
                    .any(|word| *word == department.as_str() || !words.department(word)))
    }

    /// Whether it says the day it ends on, if it says when.
    pub(super) fn has_days(&self) -> bool {
        self.until.is_none_or(|until| end(until).is_some())
    }

    /// Whether a permission surely holds at a time. A day it ends on is the last it holds.
    pub(super) fn holds(&self, at: i64) -> bool {
        let begun = self.from.is_none_or(|from| from.timestamp().is_some_and(|from| from <= at));
        let open = self.until.is_none_or(|until| end(until).is_some_and(|end| at < end));
        begun && open
    }

    /// Whether a refusal may hold at a time.
    pub(super) fn may_hold(&self, at: i64) -> bool {
        let begun = self.from.is_none_or(|from| from.timestamp().is_none_or(|from| from <= at));
        let open = self.until.is_none_or(|until| end(until).is_none_or(|end| at < end));
        begun && open
    }

    pub(super) fn opens(&self, words: Words<'_>) -> Extent {
        match self.categories.is_empty() {
            true => Extent::Everything,
            false => Extent::Classes(self.classes(words).flatten().collect()),
        }
    }

    pub(super) fn shuts(&self, words: Words<'_>) -> Extent {
        match self.categories.is_empty() || self.has_exceptions {
            true => Extent::Everything,
            false => {
                let classes: Option<Vec<_>> = self.classes(words).collect();
                classes.map_or(Extent::Everything, Extent::Classes)
            }
        }
    }

    fn classes(&self, words: Words<'_>) -> impl Iterator<Item = Option<Class>> {
        self.categories.iter().map(move |word| words.class(word))
    }
}

/// Whether a record is a person's word and nothing else. No value is taken from one: that an
/// identifier came with it, and when, would tell that he allowed or refused something.
pub(super) fn is_word_alone(record: &Record) -> bool {
    record.dataset == DATASET
}

/// Whether a record holds a person's word.
#[must_use]
pub fn is_word(record: &Record) -> bool {
    groups(record).next().is_some()
}

/// What a record says of who may see what, in one line; that it speaks of some classes alone,
/// and not of which: that somebody refuses one tells something of him.
pub(super) fn said(record: &Record) -> Option<String> {
    let one = |group| {
        let said = Directive::read(group);
        let word = match (said.active, said.permits) {
            (false, _) => "withdrawn",
            (true, true) => "permit",
            (true, false) => "deny",
        };
        let part = if said.categories.is_empty() { "" } else { " in part" };
        let purposes = said.purposes.join(" ");
        let departments = said.departments.join(" ");
        let notice = said.notice.unwrap_or_default();
        format!("{word}{part} {purposes} {departments} {notice}").trim().to_owned()
    };
    let all: Vec<_> = groups(record).map(one).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Those groups of a record that are a person's word.
pub(super) fn groups(record: &Record) -> impl Iterator<Item = &Group> {
    let all = record.groups.iter().enumerate();
    all.filter(|(index, _)| is_word_group(record, *index)).map(|(_, group)| group)
}

/// Whether a group of a record is a person's word.
pub(super) fn is_word_group(record: &Record, index: usize) -> bool {
    match index {
        0 => record.dataset == DATASET,
        _ => record.groups.get(index).is_some_and(|group| group.name == GROUP),
    }
}

/// One word of a person.
pub(super) struct Said<'a> {
    pub(super) source: Source,
    pub(super) group: &'a Group,
    pub(super) directive: Directive<'a>,
}

/// The last word under each number of each source.
pub(super) fn last_words<'a>(gathered: &'a [Gathered<'a>]) -> Vec<Said<'a>> {
    let mut last: HashMap<(Source, &str), (i64, usize, Said<'a>)> = HashMap::new();
    let mut numberless = Vec::new();
    let all = gathered.iter().enumerate();
    let all = all.flat_map(|(at, one)| groups(one.record).map(move |group| (at, one, group)));
    for (at, Gathered { record, as_of }, group) in all {
        let directive = Directive::read(group);
        let number = directive.number;
        let said = Said { source: record.source, group, directive };
        let Some(number) = number else {
            numberless.push(said);
            continue;
        };
        // What came last is handed in first; in one record the last counts.
        match last.entry((record.source, number)) {
            Entry::Vacant(entry) => drop(entry.insert((*as_of, at, said))),
            Entry::Occupied(mut entry) => {
                let (known_as_of, known_at, _) = entry.get();
                if known_as_of < as_of || *known_at == at {
                    entry.insert((*as_of, at, said));
                }
            }
        }
    }
    last.into_values().map(|(.., said)| said).chain(numberless).collect()
}

/// The first second a thing no longer holds; a day holds to its end.
fn end(until: &Date) -> Option<i64> {
    let starts = until.timestamp()?;
    match until.digits() {
        8 => Some(starts.saturating_add(DAY)),
        digits if digits > 8 => Some(starts),
        _ => None,
    }
}
