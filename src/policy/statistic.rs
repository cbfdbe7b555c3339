//! 统计指标, what may be counted: `policies/statistics.toml`.
//!
//! An indicator counts people by conditions and dimensions of a closed list. Both are read off
//! a [`Release`], so nobody is counted by what the asker's role may not see: every predicate
//! is a read of its element. Which tables there are stands in the file; nobody makes others.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::page::Page;
use super::purpose::{Bilingual, Purposes};
use super::release::{Release, Released};
use super::tally::Guard;
use super::treat::Treated;
use crate::vocabulary::{Catalogue, Date, Diagnostic, ElementId, Files, Purpose, Value};

/// Where the list stands.
const PATH: &str = "statistics.toml";
/// What stands for somebody of whom a dimension is not known.
pub const UNKNOWN: &str = "unknown";
/// Dimensions a table may cross.
const CROSSED_MAX: usize = 2;

/// How people are told apart by a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum By {
    /// By years of age at the end of the period, in bands.
    Age,
    /// By the text of an address, as coarse as it is released.
    Area,
    /// By a code.
    Code,
}

/// 维度, by what people are told apart.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// Its name in tables.
    pub id: String,
    /// Its name for people.
    pub title: Bilingual,
    element: ElementId,
    by: By,
    bands: Vec<i64>,
}

/// A condition; a person is counted who meets all.
#[derive(Debug, Clone)]
struct Condition {
    element: ElementId,
    is: Is,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Is {
    /// A date of the period's year.
    InYear,
    /// Not known to be so.
    NotYes,
    /// There is a value.
    Present,
    /// It is so.
    Yes,
}

/// 指标, one indicator with its tables.
#[derive(Debug, Clone)]
pub struct Indicator {
    /// Its name in requests.
    pub id: String,
    /// Its name for people.
    pub title: Bilingual,
    /// What for it may be asked.
    pub purpose: Purpose,
    /// Its tables, each by one or two dimensions.
    pub tables: Vec<Vec<Dimension>>,
    conditions: Vec<Condition>,
}

impl Indicator {
    /// Every element it looks at.
    #[must_use]
    pub fn reads(&self) -> Vec<ElementId> {
        let conditions = self.conditions.iter().map(|one| one.element);
        let dimensions = self.tables.iter().flatten().map(|one| one.element);
        conditions.chain(dimensions).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether somebody is counted.
    #[must_use]
    pub fn counts(&self, release: &Release, year: i64) -> bool {
        self.conditions.iter().all(|condition| condition.holds(release, year))
    }
}

impl Condition {
    fn holds(&self, release: &Release, year: i64) -> bool {
        let value = first(release, self.element).map(Released::value);
        let yes = matches!(value, Some(Treated::Value(Value::Boolean(true))));
        match (self.is, value) {
            (Is::Present, value) => value.is_some(),
            (Is::Yes, _) => yes,
            (Is::NotYes, _) => !yes,
            (Is::InYear, Some(Treated::Value(Value::Date(date)))) => year_of(date) == Some(year),
            (Is::InYear, _) => false,
        }
    }
}

impl Dimension {
    /// Whether it tells areas apart.
    #[must_use]
    pub fn is_area(&self) -> bool {
        self.by == By::Area
    }

    /// Where in the dimension somebody stands.
    #[must_use]
    pub fn place(&self, release: &Release, year: i64) -> String {
        let value = first(release, self.element).map(Released::value);
        let found = match (&self.by, value) {
            (By::Area, Some(Treated::Value(Value::Address(line)))) => Some(line.text.clone()),
            (By::Code, Some(Treated::Value(Value::Code(coding)))) => coding.code.clone(),
            (By::Age, Some(Treated::Value(Value::Date(date)))) => {
                year_of(date).map(|born| self.band(year - born))
            }
            _ => None,
        };
        found.unwrap_or_else(|| UNKNOWN.to_owned())
    }

    fn band(&self, age: i64) -> String {
        let from = self.bands.iter().rev().find(|from| **from <= age);
        let until = self.bands.iter().find(|from| **from > age);
        match (from, until) {
            (Some(from), Some(until)) => format!("{from}-{}", until - 1),
            (Some(from), None) => format!("{from}+"),
            (None, Some(until)) => format!("-{}", until - 1),
            (None, None) => UNKNOWN.to_owned(),
        }
    }
}

fn first(release: &Release, element: ElementId) -> Option<&Released> {
    release.released().find(|one| one.element().id == element)
}

fn year_of(date: &Date) -> Option<i64> {
    date.to_iso().get(..4)?.parse().ok()
}

/// All indicators, and how their counts are guarded.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    indicators: Vec<Indicator>,
    guard: Guard,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    guard: Spanned<Guard>,
    dimension: Vec<DimensionRow>,
    indicator: Vec<IndicatorRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DimensionRow {
    id: Spanned<String>,
    zh: String,
    en: String,
    element: Spanned<String>,
    by: By,
    #[serde(default)]
    bands: Vec<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IndicatorRow {
    id: Spanned<String>,
    zh: String,
    en: String,
    purpose: Spanned<String>,
    #[serde(rename = "where")]
    conditions: Vec<ConditionRow>,
    tables: Vec<Spanned<Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionRow {
    element: Spanned<String>,
    is: Is,
}

impl Statistics {
    /// Reads `statistics.toml`; without it nothing is counted.
    pub(super) fn load(
        files: &Files,
        catalogue: &Catalogue,
        purposes: &Purposes,
    ) -> Result<Self, Vec<Diagnostic>> {
        if files.text(PATH).is_err() {
            return Ok(Self::default());
        }
        let (mut page, file) = Page::open::<File>(files, PATH).map_err(|fault| vec![fault])?;
        let guard = file.guard.get_ref().clone();
        if !guard.is_sound() {
            page.fault(file.guard.span().start, "threshold, base and noise of at least 2, please");
        }
        let mut dimensions: Vec<Dimension> = Vec::new();
        for row in file.dimension {
            let Some(element) = element(&mut page, &row.element, catalogue) else { continue };
            if (row.by == By::Age) == row.bands.is_empty() || !row.bands.is_sorted() {
                page.fault(row.id.span().start, "an age has bands, in order; nothing else has");
            }
            let title = Bilingual { zh: row.zh, en: row.en };
            let (id, by, bands) = (row.id.into_inner(), row.by, row.bands);
            dimensions.push(Dimension { id, title, element, by, bands });
        }
        let mut found = Self { indicators: Vec::new(), guard };
        for row in file.indicator {
            let start = row.id.span().start;
            let made = indicator(&mut page, row, (catalogue, purposes, &dimensions));
            let Some(made) = made else { continue };
            if found.indicator(&made.id).is_some() {
                page.fault(start, "an indicator of this name stands twice");
            }
            found.indicators.push(made);
        }
        page.close(found)
    }

    /// The indicator of that name.
    #[must_use]
    pub fn indicator(&self, id: &str) -> Option<&Indicator> {
        self.indicators.iter().find(|one| one.id == id)
    }

    /// How counts are guarded.
    #[must_use]
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }
}

fn indicator(
    page: &mut Page<'_>,
    row: IndicatorRow,
    (catalogue, purposes, dimensions): (&Catalogue, &Purposes, &[Dimension]),
) -> Option<Indicator> {
    let purpose = page.name(&row.purpose, Purpose::parse)?;
    let Some(terms) = purposes.terms(purpose).filter(|terms| terms.counts) else {
        page.fault(row.purpose.span().start, "no purpose for counting has this name");
        return None;
    };
    let mut conditions = Vec::new();
    for one in row.conditions {
        let element = element(page, &one.element, catalogue)?;
        conditions.push(Condition { element, is: one.is });
    }
    let mut tables = Vec::new();
    for table in row.tables {
        let of = |id: &String| dimensions.iter().find(|one| one.id == *id).cloned();
        let named: Option<Vec<Dimension>> = table.get_ref().iter().map(of).collect();
        let distinct: BTreeSet<_> = table.get_ref().iter().collect();
        match named.filter(|named| {
            (1..=CROSSED_MAX).contains(&named.len()) && distinct.len() == named.len()
        }) {
            Some(named) => tables.push(named),
            None => page.fault(table.span().start, "one or two dimensions of the list"),
        }
    }
    let title = Bilingual { zh: row.zh, en: row.en };
    let start = row.id.span().start;
    let made = Indicator { id: row.id.into_inner(), title, purpose, tables, conditions };
    if let Some(id) = made.reads().into_iter().find(|id| !terms.elements.contains(id)) {
        page.fault(start, format!("element {id} is not listed by {purpose}: nobody counts by it"));
    }
    Some(made)
}

fn element(
    page: &mut Page<'_>,
    word: &Spanned<String>,
    catalogue: &Catalogue,
) -> Option<ElementId> {
    let id = page.name(word, ElementId::parse)?;
    if catalogue.get(id).is_none() {
        page.fault(word.span().start, format!("the catalogue has no element {id}"));
        return None;
    }
    Some(id)
}
