//! 知情同意, what a person allows and refuses, read off the person's records: `policies/consents.toml`.
//!
//! A consent is a record like any other, or a group of one (`privacy-consent`): it follows its person through merges,
//! is sealed under his key, and what is gathered about somebody holds what he said. So nothing has
//! to be told to the caches, and a notice that waits is decided by what he says when it leaves.
//!
//! - Of one number of one source, the last that came counts; one that is not `active` says nothing.
//! - A refusal of anybody counts, a permission only if whoever recorded it may (`[[recorder]]`), if
//!   it names the purpose, and if the notice the person was shown is one of `[[notice]]`.
//! - Where both speak of a value, the refusal counts. What cannot be understood refuses.
//! - Who refuses a class refuses what tells it (`reveals`).
//!
//! Whether a purpose needs consent is a key of the purpose. Nothing an asker is told depends on
//! what a person said: what is not allowed is not there.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::choose::Gathered;
use super::department::Departments;
use super::page::Page;
use super::purpose::{Bilingual, Purposes};
use super::scope::fixed;
use crate::vocabulary::{
    Class, Dataset, Date, Department, Diagnostic, Fault, Files, Group, GroupName, Position,
    Purpose, Record, Source, Value,
};

/// Where the list stands.
const PATH: &str = "consents.toml";
const DAY: i64 = 86_400;

/// 授权记录, a record that is a person's word as a whole.
const DATASET: Dataset = Dataset::fixed("privacy-consent");
/// A group of any record that is one.
const GROUP: GroupName = GroupName::fixed("privacy-consent");

/// What such a record says.
mod said {
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

/// What a purpose asks of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentTerms {
    /// 须经同意: nothing without the person's word.
    Needed,
    /// 可以拒绝: unless the person refuses.
    MayRefuse,
    /// 无需同意: on a legal basis of its own, whatever the person says.
    NotNeeded,
}

/// Who may record what, under which notices, and what tells what.
#[derive(Debug, Clone, Default)]
pub struct Consents {
    recorders: HashMap<Source, Option<Vec<Purpose>>>,
    notices: HashMap<String, Vec<Purpose>>,
    reveals: Vec<(Class, Vec<Class>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentsFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    #[serde(default)]
    recorder: Vec<RecorderRow>,
    #[serde(default)]
    notice: Vec<NoticeRow>,
    #[serde(default)]
    reveals: Vec<RevealsRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecorderRow {
    source: Source,
    purposes: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticeRow {
    version: Spanned<String>,
    purposes: Vec<Spanned<String>>,
    #[allow(dead_code, reason = "for the reader of the file")]
    title: Bilingual,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevealsRow {
    class: Spanned<String>,
    tells: Vec<Spanned<String>>,
}

/// How far a word reaches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Extent {
    #[default]
    Nothing,
    Classes(Vec<Class>),
    Everything,
}

/// 许可范围, what a person's word leaves open to one asker for one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowance {
    terms: ConsentTerms,
    open: Extent,
    shut: Extent,
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
    fn purpose(&self, word: &str) -> bool {
        Purpose::parse(word).is_ok_and(|id| self.purposes.terms(id).is_some())
    }

    fn department(&self, word: &str) -> bool {
        Department::parse(word).is_ok_and(|name| self.departments.department(name).is_some())
    }

    fn class(&self, word: &str) -> Option<Class> {
        Class::parse(word).ok().filter(|class| self.classes.contains(class))
    }
}

/// What one record says.
#[derive(Default)]
struct Directive<'a> {
    number: Option<&'a str>,
    active: bool,
    permits: bool,
    /// It says more than can be weighed here: exceptions to what it says.
    has_exceptions: bool,
    purposes: Vec<&'a str>,
    departments: Vec<&'a str>,
    categories: Vec<&'a str>,
    from: Option<&'a Date>,
    until: Option<&'a Date>,
    notice: Option<&'a str>,
}

impl Consents {
    /// Reads `consents.toml`.
    pub(super) fn load(
        files: &Files,
        purposes: &Purposes,
        classes: &[Class],
    ) -> Result<Self, Vec<Diagnostic>> {
        let (mut page, file) =
            Page::open::<ConsentsFile>(files, PATH).map_err(|fault| vec![fault])?;
        let mut found = Self::default();
        for row in file.recorder {
            let named = row.purposes.map(|words| known(&words, purposes, &mut page));
            found.recorders.insert(row.source, named);
        }
        for row in file.notice {
            let of = known(&row.purposes, purposes, &mut page);
            if found.notices.insert(row.version.get_ref().clone(), of).is_some() {
                page.fault(row.version.span().start, "this version stands twice");
            }
        }
        for row in file.reveals {
            let mut class = |word: &Spanned<String>| {
                let class = page.name(word, Class::parse)?;
                if !classes.contains(&class) {
                    page.fault(word.span().start, "nothing is of this class");
                }
                Some(class)
            };
            let tells = row.tells.iter().filter_map(&mut class).collect();
            if let Some(class) = class(&row.class) {
                found.reveals.push((class, tells));
            }
        }
        page.close(found)
    }

    /// What is wrong with a record that is a person's word, and where; it would not be followed
    /// as it was meant.
    pub(super) fn fault(&self, record: &Record, words: Words<'_>) -> Option<(Fault, Position)> {
        let mut words_said = groups(record);
        words_said.find_map(|group| self.fault_of(record.source, group, words))
    }

    fn fault_of(
        &self,
        source: Source,
        group: &Group,
        words: Words<'_>,
    ) -> Option<(Fault, Position)> {
        let at = |element| {
            let named = group.fields.iter().find(|field| field.element == element);
            let field = named.or_else(|| group.fields.first());
            field.and_then(|field| field.at.clone()).unwrap_or(Position::Pointer(String::new()))
        };
        let said = Directive::read(group);
        let none = |known: bool, element, fault| (!known).then(|| (fault, at(element)));
        let permits = said.active && said.permits;
        let all =
            |words: &[&str], known: &dyn Fn(&str) -> bool| words.iter().all(|word| known(word));
        let of = |one: &&str| Purpose::parse(one).ok();
        none(!said.has_exceptions, said::EXCEPTION, Fault::UnsupportedParameter)
            .or_else(|| none(said.number.is_some(), said::NUMBER, Fault::RequiredMissing))
            .or_else(|| {
                let known = all(&said.purposes, &|word| words.purpose(word));
                none(known, said::PURPOSE, Fault::TableValue)
            })
            .or_else(|| {
                let known = all(&said.departments, &|word| words.department(word));
                none(known, said::DEPARTMENT, Fault::TableValue)
            })
            .or_else(|| {
                let known = all(&said.categories, &|word| words.class(word).is_some());
                none(known, said::CATEGORY, Fault::TableValue)
            })
            .or_else(|| {
                let named = !permits || !said.purposes.is_empty();
                none(named, said::PURPOSE, Fault::RequiredMissing)
            })
            .or_else(|| {
                let mut purposes = said.purposes.iter().filter_map(of);
                let may = !permits || purposes.all(|id| self.may_record(source, id));
                none(may, said::DECISION, Fault::PurposeNotGranted)
            })
            .or_else(|| {
                let mut purposes = said.purposes.iter().filter_map(of);
                let shown = !permits || purposes.all(|id| self.was_shown(said.notice, id));
                none(shown, said::NOTICE, Fault::TableValue)
            })
    }

    /// What a person's word leaves open.
    pub(super) fn allowance(
        &self,
        (terms, department, purpose): (ConsentTerms, Department, Purpose),
        (gathered, at): (&[Gathered<'_>], i64),
        words: Words<'_>,
    ) -> Allowance {
        let (mut open, mut shut) = match terms {
            ConsentTerms::Needed => (Extent::Nothing, Extent::Nothing),
            ConsentTerms::MayRefuse => (Extent::Everything, Extent::Nothing),
            ConsentTerms::NotNeeded => return Allowance::everything(terms),
        };
        for (source, said) in in_force(gathered) {
            if said.permits {
                let heard = said.names(purpose, department)
                    && said.holds(at)
                    && !said.has_exceptions
                    && self.may_record(source, purpose)
                    && self.was_shown(said.notice, purpose);
                if heard {
                    open.extend(said.opens(words));
                }
            } else if said.may_mean((purpose, department), words) && said.may_hold(at) {
                shut.extend(said.shuts(words));
            }
        }
        self.spread(&mut shut);
        Allowance { terms, open, shut }
    }

    fn may_record(&self, source: Source, purpose: Purpose) -> bool {
        let recorder = self.recorders.get(&source);
        recorder.is_some_and(|only| only.as_ref().is_none_or(|only| only.contains(&purpose)))
    }

    fn was_shown(&self, notice: Option<&str>, purpose: Purpose) -> bool {
        let notice = notice.and_then(|version| self.notices.get(version));
        notice.is_some_and(|of| of.contains(&purpose))
    }

    /// What tells a refused class is refused with it.
    fn spread(&self, shut: &mut Extent) {
        let Extent::Classes(classes) = shut else { return };
        loop {
            let more = self.reveals.iter().find(|(class, tells)| {
                !classes.contains(class) && tells.iter().any(|told| classes.contains(told))
            });
            let Some((class, _)) = more else { return };
            classes.push(*class);
        }
    }
}

impl Allowance {
    /// Nothing is asked of the person, or all of it was allowed.
    pub(super) const fn everything(terms: ConsentTerms) -> Self {
        Self { terms, open: Extent::Everything, shut: Extent::Nothing }
    }

    /// Whether a value may be given whose element is of a class, and which is of special ones.
    pub(super) fn allows(&self, class: Class, mut special: impl Iterator<Item = Class>) -> bool {
        match (&self.open, &self.shut) {
            (Extent::Everything, Extent::Nothing) => true,
            (open, shut) => {
                open.holds(class) && !shut.holds(class) && !special.any(|class| shut.holds(class))
            }
        }
    }

    /// Whether consent is needed and nothing is left open by any.
    pub(super) fn lacks_consent(&self) -> bool {
        self.terms == ConsentTerms::Needed && self.opens_nothing()
    }

    /// Whether no value at all is left open.
    pub(super) fn opens_nothing(&self) -> bool {
        self.open == Extent::Nothing || self.shut == Extent::Everything
    }

    /// What of the person's word bore on the decision, for the ledger.
    pub(super) fn rule(&self) -> Option<&'static str> {
        match (self.terms, &self.open, &self.shut) {
            (ConsentTerms::NotNeeded, ..) => None,
            (_, _, Extent::Everything | Extent::Classes(_)) => Some(fixed::REFUSED_BY_PERSON),
            (ConsentTerms::Needed, Extent::Nothing, _) => Some(fixed::WITHOUT_CONSENT),
            (ConsentTerms::Needed, ..) => Some(fixed::CONSENTED),
            (ConsentTerms::MayRefuse, ..) => None,
        }
    }
}

impl Extent {
    fn extend(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::Everything, _) | (_, Self::Nothing) => (),
            (Self::Classes(all), Self::Classes(more)) => all.extend(more),
            (_, more) => *self = more,
        }
    }

    fn holds(&self, class: Class) -> bool {
        match self {
            Self::Nothing => false,
            Self::Classes(classes) => classes.contains(&class),
            Self::Everything => true,
        }
    }
}

impl<'a> Directive<'a> {
    fn read(group: &'a Group) -> Self {
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
                said::NUMBER => said.number = text,
                said::STATE => said.active = text == Some("active"),
                said::DECISION => said.permits = text == Some("permit"),
                said::PURPOSE => said.purposes.extend(text.or(Some(""))),
                said::DEPARTMENT => said.departments.extend(text.or(Some(""))),
                said::CATEGORY => said.categories.extend(text.or(Some(""))),
                said::FROM => said.from = date,
                said::UNTIL => said.until = date,
                said::NOTICE => said.notice = text,
                said::EXCEPTION => said.has_exceptions = true,
                _ => (),
            }
        }
        said
    }

    /// Whether a permission is for this purpose, and for this department.
    fn names(&self, purpose: Purpose, department: Department) -> bool {
        let is = |words: &[&str], name: &str| words.contains(&name);
        is(&self.purposes, purpose.as_str())
            && (self.departments.is_empty() || is(&self.departments, department.as_str()))
    }

    /// Whether a refusal may be meant for them: a word nobody knows may be anything.
    fn may_mean(&self, (purpose, department): (Purpose, Department), words: Words<'_>) -> bool {
        let purposes = &self.purposes;
        let departments = &self.departments;
        (purposes.is_empty()
            || purposes.iter().any(|word| *word == purpose.as_str() || !words.purpose(word)))
            && (departments.is_empty()
                || departments
                    .iter()
                    .any(|word| *word == department.as_str() || !words.department(word)))
    }

    /// Whether a permission surely holds at a time. A day it ends on is the last it holds.
    fn holds(&self, at: i64) -> bool {
        let begun = self.from.is_none_or(|from| from.timestamp().is_some_and(|from| from <= at));
        let open = self.until.is_none_or(|until| end(until).is_some_and(|end| at < end));
        begun && open
    }

    /// Whether a refusal may hold at a time.
    fn may_hold(&self, at: i64) -> bool {
        let begun = self.from.is_none_or(|from| from.timestamp().is_none_or(|from| from <= at));
        let open = self.until.is_none_or(|until| end(until).is_none_or(|end| at < end));
        begun && open
    }

    fn opens(&self, words: Words<'_>) -> Extent {
        match self.categories.is_empty() {
            true => Extent::Everything,
            false => Extent::Classes(self.classes(words).flatten().collect()),
        }
    }

    fn shuts(&self, words: Words<'_>) -> Extent {
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
fn groups(record: &Record) -> impl Iterator<Item = &Group> {
    let whole = record.groups.iter().take(1).filter(|_| record.dataset == DATASET);
    whole.chain(record.groups.iter().skip(1).filter(|group| group.name == GROUP))
}

/// The last word under each number of each source, as far as it is in force.
fn in_force<'a>(gathered: &'a [Gathered<'a>]) -> Vec<(Source, Directive<'a>)> {
    let mut last: HashMap<(Source, &str), (i64, Directive<'a>)> = HashMap::new();
    let mut numberless = Vec::new();
    let all = gathered.iter().flat_map(|one| groups(one.record).map(move |group| (one, group)));
    for (Gathered { record, as_of }, group) in all {
        let said = Directive::read(group);
        let Some(number) = said.number else {
            numberless.push((record.source, said));
            continue;
        };
        // What came last is handed in first.
        match last.entry((record.source, number)) {
            Entry::Vacant(entry) => drop(entry.insert((*as_of, said))),
            Entry::Occupied(mut entry) if entry.get().0 < *as_of => {
                drop(entry.insert((*as_of, said)));
            }
            Entry::Occupied(_) => (),
        }
    }
    let numbered = last.into_iter().map(|((source, _), (_, said))| (source, said));
    numbered.chain(numberless).filter(|(_, said)| said.active).collect()
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

/// Purposes by name; what is none is a fault.
fn known(words: &[Spanned<String>], purposes: &Purposes, page: &mut Page<'_>) -> Vec<Purpose> {
    let mut found = Vec::new();
    for word in words {
        let Some(id) = page.name(word, Purpose::parse) else { continue };
        if purposes.terms(id).is_none() {
            page.fault(word.span().start, format!("there is no purpose {id}"));
        }
        found.push(id);
    }
    found
}
