//! 知情同意, what a person allows and refuses, read off his records: `policies/consents.toml`.
//!
//! A consent is a record like any other, or a group of one (`privacy-consent`): it follows its
//! person through merges, is sealed under his key, and what is gathered about somebody holds what
//! he said. So nothing has to be told to the caches, and a notice that waits is decided by what
//! he says when it leaves. What it says is read by [`super::word`].
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

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::choose::Gathered;
use super::page::Page;
use super::purpose::{Bilingual, Purposes};
use super::scope::{Asks, fixed};
use super::word::{Directive, Extent, Said, Words, groups, last_words, says};
use crate::vocabulary::{
    Class, Department, Diagnostic, Fault, Files, Group, Position, Purpose, Record, Source,
};

/// Where the list stands.
const PATH: &str = "consents.toml";

/// What a purpose asks of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentTerms {
    /// 须经同意: nothing without the person's word.
    Needed,
    /// 可以拒绝: unless the person refuses.
    MayRefuse,
    /// 可以拒绝他人: the same, but for the person himself, whom his own word does not bind.
    MayRefuseOthers,
    /// 无需同意: on a legal basis of its own, whatever the person says.
    NotNeeded,
}

impl ConsentTerms {
    /// What is asked where it is known whether the person himself asks.
    pub(super) const fn towards(self, asks: Asks) -> Self {
        match (self, asks) {
            (Self::MayRefuseOthers, Asks::Person) => Self::NotNeeded,
            (Self::MayRefuseOthers, Asks::Other) => Self::MayRefuse,
            (terms, _) => terms,
        }
    }
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

/// 许可范围, what a person's word leaves open to one asker for one purpose.
#[derive(Clone)]
pub(super) struct Allowance {
    terms: ConsentTerms,
    open: Extent,
    shut: Extent,
    /// Which of his words the asker may be told of, where a rule opens them.
    told: Vec<(Source, Group)>,
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
        if !said.active {
            // Taking back is never turned away for what was said.
            let at = at(says::NUMBER);
            return said.number.is_none().then_some((Fault::RequiredMissing, at));
        }
        let none = |known: bool, element, fault| (!known).then(|| (fault, at(element)));
        let permits = said.permits;
        let all =
            |words: &[&str], known: &dyn Fn(&str) -> bool| words.iter().all(|word| known(word));
        let of = |one: &&str| Purpose::parse(one).ok();
        none(!said.has_exceptions, says::EXCEPTION, Fault::UnsupportedParameter)
            .or_else(|| none(said.number.is_some(), says::NUMBER, Fault::RequiredMissing))
            .or_else(|| none(said.has_days(), says::UNTIL, Fault::DataType))
            .or_else(|| {
                let known = all(&said.purposes, &|word| words.purpose(word));
                none(known, says::PURPOSE, Fault::TableValue)
            })
            .or_else(|| {
                let known = all(&said.departments, &|word| words.department(word));
                none(known, says::DEPARTMENT, Fault::TableValue)
            })
            .or_else(|| {
                let known = all(&said.categories, &|word| words.class(word).is_some());
                none(known, says::CATEGORY, Fault::TableValue)
            })
            .or_else(|| {
                let named = !permits || !said.purposes.is_empty();
                none(named, says::PURPOSE, Fault::RequiredMissing)
            })
            .or_else(|| {
                let mut purposes = said.purposes.iter().filter_map(of);
                let may = !permits || purposes.all(|id| self.may_record(source, id));
                none(may, says::DECISION, Fault::PurposeNotGranted)
            })
            .or_else(|| {
                let mut purposes = said.purposes.iter().filter_map(of);
                let shown = !permits || purposes.all(|id| self.was_shown(said.notice, id));
                none(shown, says::NOTICE, Fault::TableValue)
            })
    }

    /// What a person's word leaves open.
    pub(super) fn allowance(
        &self,
        (terms, department, purpose, asks): (ConsentTerms, Department, Purpose, Asks),
        (gathered, at): (&[Gathered<'_>], i64),
        words: Words<'_>,
    ) -> Allowance {
        let mut told = Vec::new();
        let bound = terms.towards(asks);
        let (mut open, mut shut) = match bound {
            ConsentTerms::Needed => (Extent::Nothing, Extent::Nothing),
            ConsentTerms::MayRefuse | ConsentTerms::MayRefuseOthers => {
                (Extent::Everything, Extent::Nothing)
            }
            ConsentTerms::NotNeeded => {
                // His own words are his to read; of nobody else's purpose are they a part.
                let own = terms == ConsentTerms::MayRefuseOthers;
                let words = own.then(|| last_words(gathered)).into_iter().flatten();
                let told = words.map(|said| (said.source, said.group.clone())).collect();
                return Allowance { told, ..Allowance::everything(bound) };
            }
        };
        for Said { source, group, directive: said } in last_words(gathered) {
            if !said.active {
                continue;
            }
            if said.permits {
                let heard = said.names(purpose, department)
                    && said.holds(at)
                    && !said.has_exceptions
                    && self.may_record(source, purpose)
                    && self.was_shown(said.notice, purpose);
                if heard {
                    open.extend(said.opens(words));
                    // It rests on this word. Of a refusal nobody is told: it would tell of him.
                    told.push((source, group.clone()));
                }
            } else if said.may_mean((purpose, department), words) && said.may_hold(at) {
                shut.extend(said.shuts(words));
            }
        }
        self.spread(&mut shut);
        Allowance { terms: bound, open, shut, told }
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
        Self { terms, open: Extent::Everything, shut: Extent::Nothing, told: Vec::new() }
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

    /// Whether the asker may be told of this word of the person.
    pub(super) fn tells(&self, source: Source, word: &Group) -> bool {
        self.told.iter().any(|(of, told)| *of == source && told == word)
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
            (ConsentTerms::MayRefuse | ConsentTerms::MayRefuseOthers, ..) => None,
        }
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
