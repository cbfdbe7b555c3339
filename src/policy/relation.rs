//! 关系, what ties a department to a person, read off his records: `policies/relations.toml`.
//!
//! A row names the records that can show a relation (`datasets`) and by what they name the
//! department: `by = "source"` (a sender that is itself, `sources` of `departments.toml`) or an
//! element that holds one of its `institutions`. The newest of those records counts, if none of
//! `ended_by` came after it: it must hold what `where` asks and be no older than `days`. Only
//! `sources` are believed about it, if any are named. So a relation ends when the records say so;
//! one that a department's own sender shows rests on that sender's word, which stands in the store.
//!
//! With `names = "asker"` the element holds a number of the human who asks (`evidence.asked_by`),
//! and a newer record that names nobody ends it. With `by = "asker"` no record shows it: who asks
//! is the very person, which the index knows.

use serde::Deserialize;
use toml::Spanned;

use super::choose::Gathered;
use super::department::DepartmentRow;
use super::page::Page;
use super::purpose::Bilingual;
use super::scope::Asks;
use crate::vocabulary::{
    Catalogue, Dataset, Diagnostic, ElementId, Files, Identifier, IdentifierKind, Record, Relation,
    Source, Value,
};

/// Where the list stands.
const PATH: &str = "relations.toml";
/// How many there may be, so that a set of them fits a byte.
pub(super) const RELATIONS_MAX: usize = 8;
const DAY: i64 = 86_400;

/// By what a record names the department, or who asks there.
#[derive(Debug, Clone, Copy)]
enum By {
    Asker,
    Element(ElementId, Names),
    Source,
}

/// Whom an element names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Names {
    /// The human who asks.
    Asker,
    /// One of the department's institutions.
    #[default]
    Department,
}

/// A department, and the human who asks there.
pub(super) type Asking<'a> = (&'a DepartmentRow, (Option<&'a Identifier>, Asks));

/// One relation.
#[derive(Debug, Clone)]
pub struct RelationRow {
    /// Its name in rules and the ledger.
    pub id: Relation,
    /// Its name for people.
    pub title: Bilingual,
    datasets: Vec<Dataset>,
    ended_by: Vec<Dataset>,
    /// Who is believed about it; anybody if none is named.
    sources: Vec<Source>,
    by: By,
    only: Option<(ElementId, Vec<String>)>,
    days: Option<u32>,
}

/// All relations, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Relations(Vec<RelationRow>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RelationsFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    #[serde(default)]
    relation: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: Spanned<String>,
    zh: String,
    en: String,
    #[serde(default)]
    datasets: Vec<Dataset>,
    #[serde(default)]
    ended_by: Vec<Dataset>,
    #[serde(default)]
    sources: Vec<Source>,
    by: Spanned<String>,
    #[serde(default)]
    names: Names,
    #[serde(rename = "where")]
    only: Option<Spanned<OnlyRow>>,
    days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyRow {
    element: String,
    is: Vec<String>,
}

impl Relations {
    /// Reads `relations.toml`.
    pub(super) fn load(files: &Files, catalogue: &Catalogue) -> Result<Self, Vec<Diagnostic>> {
        let (mut page, file) =
            Page::open::<RelationsFile>(files, PATH).map_err(|fault| vec![fault])?;
        let mut found = Self::default();
        for row in file.relation {
            let start = row.id.span().start;
            if found.0.len() == RELATIONS_MAX {
                page.fault(start, format!("there are at most {RELATIONS_MAX} relations"));
                break;
            }
            let Some(row) = relation(row, catalogue, &mut page) else { continue };
            if found.0.iter().any(|before| before.id == row.id) {
                page.fault(start, format!("relation {} stands twice", row.id));
            }
            found.0.push(row);
        }
        page.close(found)
    }

    /// Every relation, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &RelationRow> {
        self.0.iter()
    }

    /// Which of them a department can have to anybody, one bit each.
    pub(super) fn can_be_held(&self, by: &DepartmentRow) -> u8 {
        let can = |row: &RelationRow| match row.by {
            By::Asker | By::Element(_, Names::Asker) => true,
            By::Element(_, Names::Department) => !by.institutions.is_empty(),
            By::Source => !by.sources.is_empty(),
        };
        let each = self.0.iter().enumerate().filter(|(_, row)| can(row));
        each.map(|(index, _)| 1 << index).sum()
    }

    /// Which of them a department, or who asks there, has to whom the records are about, one bit
    /// each.
    pub(super) fn held(&self, by: Asking<'_>, gathered: &[Gathered<'_>], at: i64) -> u8 {
        let can_be = self.can_be_held(by.0);
        let may = |index: usize| can_be & (1 << index) != 0;
        let each = self.0.iter().enumerate();
        let held = each.filter(|(index, row)| may(*index) && row.holds(by, gathered, at));
        held.map(|(index, _)| 1 << index).sum()
    }
}

impl RelationRow {
    fn holds(&self, by: Asking<'_>, gathered: &[Gathered<'_>], at: i64) -> bool {
        let (department, (asker, asks)) = by;
        let can_show = |one: &&Gathered<'_>| {
            let source = &one.record.source;
            let own = || department.sources.contains(source);
            let believed = self.sources.is_empty() || self.sources.contains(source);
            let dataset = &one.record.dataset;
            (self.datasets.contains(dataset) || self.ended_by.contains(dataset))
                && believed
                && match self.by {
                    // Who was somebody's guardian is it no longer once no guardian is named.
                    By::Asker | By::Element(_, Names::Asker) => true,
                    By::Element(id, Names::Department) => one.record.values(id).next().is_some(),
                    By::Source => own(),
                }
        };
        if matches!(self.by, By::Asker) {
            return asks == Asks::Person;
        }
        // Of equally late ones the first handed in, which is the last that came.
        let newest = gathered.iter().rev().filter(can_show).max_by_key(|one| one.time());
        let newest = newest.filter(|one| self.datasets.contains(&one.record.dataset));
        let Some(newest) = newest else { return false };
        let named = match self.by {
            By::Asker => false,
            By::Element(id, Names::Asker) => {
                asker.is_some_and(|asker| holds_number(newest.record, id, asker))
            }
            By::Element(id, Names::Department) => {
                holds_one_of(newest.record, id, &department.institutions)
            }
            By::Source => true,
        };
        let as_asked =
            |(id, words): &(ElementId, Vec<String>)| holds_one_of(newest.record, *id, words);
        let recent =
            |days: u32| at.saturating_sub(newest.time()) <= i64::from(days).saturating_mul(DAY);
        named && self.only.as_ref().is_none_or(as_asked) && self.days.is_none_or(recent)
    }
}

/// Whether an element holds this very number, however either is written. A number in a text is a
/// citizen id; and who shows a card with the same digits is not known by it, for the card may be
/// lost, which only its owner's records tell.
fn holds_number(record: &Record, id: ElementId, asker: &Identifier) -> bool {
    let Ok(number) = asker.proven() else { return false };
    let same = |known: &Identifier| {
        known.kind == asker.kind && known.proven().is_ok_and(|known| known == number)
    };
    record.values(id).any(|value| match value {
        Value::Identifier(known) => same(known),
        Value::Text(text) => same(&Identifier::new(IdentifierKind::CitizenId, text.as_str())),
        _ => false,
    })
}

fn holds_one_of(record: &Record, id: ElementId, words: &[String]) -> bool {
    record.values(id).any(|value| {
        let is = |text: &str| words.iter().any(|word| word == text.trim());
        match value {
            Value::Boolean(true) => is("true"),
            Value::Boolean(false) => is("false"),
            Value::Code(coding) => coding.code.as_deref().is_some_and(is),
            Value::Identifier(identifier) => is(&identifier.value),
            Value::Organization(whole) | Value::Place(whole) => {
                is(&whole.text) || whole.parts.iter().any(|part| is(part))
            }
            Value::Text(text) => is(text),
            _ => false,
        }
    })
}

fn relation(row: Row, catalogue: &Catalogue, page: &mut Page<'_>) -> Option<RelationRow> {
    let known = |id: &str| {
        let id = ElementId::parse(id).ok()?;
        catalogue.get(id).map(|element| element.id)
    };
    let by = match row.by.get_ref().as_str() {
        "asker" => Some(By::Asker),
        "source" => Some(By::Source),
        other => known(other).map(|id| By::Element(id, row.names)),
    };
    if by.is_none() {
        page.fault(
            row.by.span().start,
            "neither \"source\", \"asker\" nor an element of the catalogue",
        );
    }
    let start = row.id.span().start;
    let by_asker = matches!(by, Some(By::Asker));
    let names_asker = matches!(by, Some(By::Element(_, Names::Asker)));
    if row.names == Names::Asker && !names_asker {
        page.fault(start, "an element alone can name who asks");
    }
    if row.datasets.is_empty() != by_asker {
        page.fault(start, "a relation is shown by records, but for that of who asks himself");
    }
    if by_asker && (row.only.is_some() || row.days.is_some()) {
        page.fault(start, "that somebody asks for himself depends on no record");
    }
    // Anybody could say of himself that he is somebody's guardian.
    if names_asker && row.sources.is_empty() {
        page.fault(start, "who names those that may ask must be named: give sources");
    }
    let only = row.only.map(|only| {
        let id = known(&only.get_ref().element);
        if id.is_none() {
            page.fault(only.span().start, "the catalogue has no such element");
        }
        id.map(|id| (id, only.into_inner().is))
    });
    Some(RelationRow {
        id: page.name(&row.id, Relation::parse)?,
        title: Bilingual { zh: row.zh, en: row.en },
        datasets: row.datasets,
        ended_by: row.ended_by,
        sources: row.sources,
        by: by?,
        only: only.flatten(),
        days: row.days,
    })
}
