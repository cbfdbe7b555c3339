//! 推导事实, which facts follow from a person's records: `derived/*.toml`; how, in `follow`.
//!
//! A row says what it makes (`element`), how (`as`), from which elements (`from`), and
//! from which records alone: `datasets`, `sources` (who is authoritative: a death is
//! taken from those named, from nobody else) and `where = { element, is }` (the record
//! holds one of these codes). The functions are a closed list. Of several records the
//! newest counts (a record without time is the oldest). **A missing input gives no
//! fact**, never "no":
//!
//! - `present` (boolean): yes if any `from` has a value.
//! - `latest` (as `from`): the newest value.
//! - `latest-time` (date): the time of the newest record; with `from`, of the newest
//!   that has a value of it.
//! - `code-in` (boolean): whether any code of `from` is in `codes` or in the table
//!   `table`. If there are codes and none is in it: no.
//! - `text-in` (boolean): whether any text, name or display of `from` contains one of
//!   `words`. If there are texts and none does: no.
//! - `comparable` (code): the newest code of `from`, of the table `table`, by the crosswalk from
//!   there to the element's own table. A loss is the crosswalk's: say so in the element's name.
//! - `open-stay-days-over` (boolean): whether a stay that no later record of its source
//!   closes began more than `days` days ago. If all are closed or younger: no; without
//!   any opening record: nothing. A closing record that is of a day without an hour closes the
//!   stay that was open when the day began, by the calendar of China; if none was, the one that
//!   began on that day.
//! - `below` (boolean): whether the newest quantity of `from` is less than `than`.
//! - `within-days` (boolean): whether the newest date of `from` is at most `days` days
//!   before now.
//! - `year-of` (date): the year of the newest date of `from`.
//! - `this-year` (boolean): whether the newest date of `from` lies in the calendar year of
//!   now, by the calendar of China.
//! - `age-years` (quantity, unit `a`): completed years since the newest date of `from`;
//!   of a date coarser than a day, nothing.
//!
//! With `yes_alone` a no is no fact: that there was anything to say no about would tell something.
//!
//! `open-stay-days-over` takes `opens` (default `admission`), `closes` (default
//! `discharge`, `cancel-admit`) and `reopens` (default `cancel-discharge`); `where`
//! limits what opens, so that an outpatient visit is no stay.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::compile::{Compiler, Text};
use super::file::ExampleText;
use super::plan::RowId;
use crate::vocabulary::{Dataset, Diagnostic, ElementId, Source, ValueType};

/// Seconds of a day.
pub(super) const DAY_SECONDS: i64 = 86_400;

/// `derived/*.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DerivedFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    rows: Vec<Spanned<FactText>>,
    #[serde(default)]
    pub example: Vec<Spanned<ExampleText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactText {
    element: Spanned<String>,
    #[serde(rename = "as")]
    function: Spanned<Name>,
    #[serde(default)]
    from: Vec<Spanned<String>>,
    #[serde(default)]
    datasets: Vec<Dataset>,
    #[serde(default)]
    sources: Vec<Source>,
    #[serde(rename = "where")]
    only: Option<Spanned<OnlyText>>,
    days: Option<u32>,
    than: Option<u32>,
    #[serde(default)]
    yes_alone: bool,
    #[serde(default)]
    codes: Vec<String>,
    table: Option<Spanned<String>>,
    #[serde(default)]
    words: Vec<String>,
    opens: Option<Vec<Dataset>>,
    closes: Option<Vec<Dataset>>,
    reopens: Option<Vec<Dataset>>,
    #[allow(dead_code, reason = "for the reader of the file")]
    title: Option<String>,
    #[allow(dead_code, reason = "for the reader of the file")]
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyText {
    element: String,
    is: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Name {
    AgeYears,
    Below,
    CodeIn,
    Comparable,
    Latest,
    LatestTime,
    OpenStayDaysOver,
    Present,
    TextIn,
    ThisYear,
    WithinDays,
    YearOf,
}

/// The rows of all files, compiled.
#[derive(Debug, Default)]
pub(super) struct Facts(pub(super) Vec<Fact>);

/// One row.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) id: RowId,
    pub(super) element: ElementId,
    pub(super) function: Function,
    pub(super) from: Vec<ElementId>,
    pub(super) datasets: Vec<Dataset>,
    pub(super) sources: Vec<Source>,
    pub(super) only: Option<(ElementId, Vec<String>)>,
    pub(super) yes_alone: bool,
}

/// How a fact follows.
#[derive(Debug)]
pub(super) enum Function {
    AgeYears,
    Below(f64),
    CodeIn(Vec<String>),
    Comparable { table: String, walk: HashMap<String, String> },
    Latest,
    LatestTime,
    OpenStay { days: i64, opens: Vec<Dataset>, closes: Vec<Dataset>, reopens: Vec<Dataset> },
    Present,
    TextIn(Vec<String>),
    ThisYear,
    WithinDays(i64),
    YearOf,
}

impl Compiler<'_> {
    /// One file of derived facts.
    pub(super) fn facts(&mut self, file: Text<'_>, table: &DerivedFile, facts: &mut Facts) {
        for row in &table.rows {
            let fact = self.fact(file, row);
            facts.0.extend(self.note(fact));
        }
    }

    fn fact(&mut self, file: Text<'_>, row: &Spanned<FactText>) -> Result<Fact, Diagnostic> {
        let text = row.get_ref();
        let element = self.fact_element(file, text.element.get_ref(), text.element.span())?;
        let name = *text.function.get_ref();
        let wants = match name {
            Name::AgeYears => Some(ValueType::Quantity),
            Name::LatestTime | Name::YearOf => Some(ValueType::Date),
            Name::Comparable => Some(ValueType::Code),
            Name::Latest => None,
            _ => Some(ValueType::Boolean),
        };
        if wants.is_some_and(|wants| wants != element.1) {
            let message = "the element's type is not what this function makes";
            return Err(file.fault(text.function.span(), message));
        }
        let mut from = Vec::new();
        for id in &text.from {
            let found = self.fact_element(file, id.get_ref(), id.span())?;
            let fits = match name {
                Name::CodeIn | Name::Comparable => found.1 == ValueType::Code,
                Name::Below => found.1 == ValueType::Quantity,
                Name::Latest => found.1 == element.1,
                Name::WithinDays | Name::ThisYear | Name::YearOf | Name::AgeYears => {
                    found.1 == ValueType::Date
                }
                _ => true,
            };
            if !fits {
                let message = format!("this function cannot use {}", found.0);
                return Err(file.fault(id.span(), message));
            }
            from.push(found.0);
        }
        let needless = matches!(name, Name::LatestTime | Name::OpenStayDaysOver);
        if from.is_empty() && !needless {
            return Err(file.fault(row.span(), "name the elements it follows from"));
        }
        let only = match &text.only {
            Some(only) => {
                let found = self.fact_element(file, &only.get_ref().element, only.span())?;
                Some((found.0, only.get_ref().is.clone()))
            }
            None => None,
        };
        let function = self.function(file, row)?;
        let place = file.fault(row.span(), "no example exercises this row");
        self.places.push(place.hint("add an example from which it follows"));
        let id = self.places.len() - 1;
        let (datasets, sources) = (text.datasets.clone(), text.sources.clone());
        let yes_alone = text.yes_alone;
        Ok(Fact { id, element: element.0, function, from, datasets, sources, only, yes_alone })
    }

    fn function(&self, file: Text<'_>, row: &Spanned<FactText>) -> Result<Function, Diagnostic> {
        let text = row.get_ref();
        let days =
            || text.days.map(i64::from).ok_or_else(|| file.fault(row.span(), "name the days"));
        let datasets = |own: &Option<Vec<Dataset>>, names: &[&str]| {
            let default = || names.iter().filter_map(|name| Dataset::parse(name).ok()).collect();
            own.clone().unwrap_or_else(default)
        };
        Ok(match text.function.get_ref() {
            Name::AgeYears => Function::AgeYears,
            Name::Below => {
                let than = text.than.ok_or_else(|| file.fault(row.span(), "name the bound"))?;
                Function::Below(f64::from(than))
            }
            Name::CodeIn => Function::CodeIn(self.listed(file, row)?),
            Name::Comparable => self.comparable(file, row)?,
            Name::Latest => Function::Latest,
            Name::LatestTime => Function::LatestTime,
            Name::OpenStayDaysOver => Function::OpenStay {
                days: days()?,
                opens: datasets(&text.opens, &["admission"]),
                closes: datasets(&text.closes, &["discharge", "cancel-admit"]),
                reopens: datasets(&text.reopens, &["cancel-discharge"]),
            },
            Name::Present => Function::Present,
            Name::TextIn if text.words.is_empty() => {
                return Err(file.fault(row.span(), "name the words"));
            }
            Name::TextIn => Function::TextIn(text.words.clone()),
            Name::ThisYear => Function::ThisYear,
            Name::WithinDays => Function::WithinDays(days()?),
            Name::YearOf => Function::YearOf,
        })
    }

    /// The crosswalk of a `comparable` row.
    fn comparable(&self, file: Text<'_>, row: &Spanned<FactText>) -> Result<Function, Diagnostic> {
        let text = row.get_ref();
        let element = ElementId::parse(text.element.get_ref()).ok();
        let element = element.and_then(|id| self.catalogue.get(id));
        let domain = element.and_then(|element| element.domain.as_deref()).unwrap_or_default();
        let table = text.table.as_ref().map_or("", |table| table.get_ref().as_str());
        let walk = self.codes.crosswalk(table, domain).ok_or_else(|| {
            let message = format!("there is no crosswalk from {table} to {domain}");
            file.fault(row.span(), message)
        })?;
        Ok(Function::Comparable { table: table.to_owned(), walk: walk.clone() })
    }

    /// The codes a `code-in` row accepts.
    fn listed(&self, file: Text<'_>, row: &Spanned<FactText>) -> Result<Vec<String>, Diagnostic> {
        let text = row.get_ref();
        let mut codes = text.codes.clone();
        if let Some(name) = &text.table {
            let table = self.codes.table(name.get_ref()).ok_or_else(|| {
                file.fault(name.span(), format!("there is no code table {}", name.get_ref()))
            })?;
            codes.extend(table.codes().map(str::to_owned));
        }
        if codes.is_empty() {
            return Err(file.fault(row.span(), "name the codes or their table"));
        }
        codes.sort_unstable();
        Ok(codes)
    }

    fn fact_element(
        &self,
        file: Text<'_>,
        id: &str,
        span: std::ops::Range<usize>,
    ) -> Result<(ElementId, ValueType), Diagnostic> {
        let found = ElementId::parse(id).ok().and_then(|id| self.catalogue.get(id));
        found
            .map(|element| (element.id, element.value))
            .ok_or_else(|| file.fault(span, format!("there is no element {id}")))
    }
}
