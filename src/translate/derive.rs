//! 推导事实, facts that follow from a person's records: `derived/*.toml`.
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
//!   any opening record: nothing.
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
use super::{Pack, value};
use crate::vocabulary::code::Original;
use crate::vocabulary::value::Quantity;
use crate::vocabulary::{Coding, Dataset, Date, Diagnostic, ElementId, Field, Group, GroupName};
use crate::vocabulary::{Record, Source, Value, ValueType};

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

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
pub(super) struct Facts(Vec<Fact>);

#[derive(Debug)]
struct Fact {
    id: RowId,
    element: ElementId,
    function: Function,
    from: Vec<ElementId>,
    datasets: Vec<Dataset>,
    sources: Vec<Source>,
    only: Option<(ElementId, Vec<String>)>,
    yes_alone: bool,
}

#[derive(Debug)]
enum Function {
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

impl Facts {
    /// Every fact that follows, as one record of the gateway itself.
    pub(super) fn derive(&self, pack: &Pack, records: &[&Record], now: i64) -> Option<Record> {
        let (mut fields, records) = (Vec::new(), newest_first(records));
        for fact in &self.0 {
            if let Some(value) = fact.value(&records, now) {
                fields.push(Field { element: fact.element, value, at: None });
            }
        }
        if fields.is_empty() {
            return None;
        }
        Some(Record {
            dataset: Dataset::parse("derived").ok()?,
            source: Source::parse("gateway").ok()?,
            time: Some(Date::from_timestamp(now)),
            groups: vec![Group { name: GroupName::parse("record").ok()?, parent: None, fields }],
            carried: Vec::new(),
            wire: None,
            mappings: pack.version().to_owned(),
        })
    }

    /// The rows of the facts that follow, for the check of the examples.
    pub(super) fn rows<'a>(
        &'a self,
        records: &'a [&'a Record],
        now: i64,
    ) -> impl Iterator<Item = RowId> + 'a {
        let records = newest_first(records);
        let following = self.0.iter().filter(move |fact| fact.value(&records, now).is_some());
        following.map(|fact| fact.id)
    }
}

impl Fact {
    fn value(&self, records: &[Dated<'_>], now: i64) -> Option<Value> {
        let told = |value: &Value| !self.yes_alone || *value != Value::Boolean(false);
        self.found(records, now).filter(told)
    }

    fn found(&self, records: &[Dated<'_>], now: i64) -> Option<Value> {
        let values = || self.used(records).flat_map(|record| self.of(record));
        let date = || values().find_map(as_date);
        match &self.function {
            Function::AgeYears => date().and_then(|date| age(date, now)).map(|years| {
                let (number, unit) = (years.to_string(), Some("a".to_owned()));
                Value::Quantity(Quantity { number, comparator: None, unit })
            }),
            Function::Below(than) => {
                let mut numbers = values().filter_map(|value| match value {
                    // What is compared already (`< 2`) is no number.
                    Value::Quantity(Quantity { number, comparator: None, .. }) => {
                        number.parse::<f64>().ok()
                    }
                    _ => None,
                });
                numbers.next().map(|number| Value::Boolean(number < *than))
            }
            Function::CodeIn(codes) => {
                let coded = values().filter_map(|value| match value {
                    Value::Code(coding) => coding.code.as_ref(),
                    _ => None,
                });
                any(coded, |code| codes.binary_search(code).is_ok())
            }
            Function::Comparable { table, walk } => {
                let code = values().find_map(|value| match value {
                    Value::Code(coding) => coding.code.as_ref(),
                    _ => None,
                })?;
                // Of which scale it was stays beside it.
                let system = Some(table.clone());
                let original = Original { code: code.clone(), system, parts: Vec::new() };
                let comparable = walk.get(code)?.clone();
                let original = Some(original);
                Some(Value::Code(Coding { code: Some(comparable), display: None, original }))
            }
            Function::Latest => values().next().cloned(),
            Function::LatestTime => self
                .used(records)
                .filter(|record| self.from.is_empty() || self.of(record).next().is_some())
                .find_map(|record| record.time.clone())
                .map(Value::Date),
            Function::OpenStay { .. } => self.open_stay(records, now).map(Value::Boolean),
            Function::Present => values().next().map(|_| Value::Boolean(true)),
            Function::TextIn(words) => {
                let texts = values().filter_map(as_text);
                any(texts, |text| words.iter().any(|word| text.contains(word.as_str())))
            }
            Function::ThisYear => {
                let year = date().and_then(Date::year)?;
                Some(Value::Boolean(Date::from_timestamp(now).year() == Some(year)))
            }
            Function::WithinDays(days) => {
                let moment = date().and_then(Date::timestamp)?;
                Some(Value::Boolean((0..=days * DAY_SECONDS).contains(&(now - moment))))
            }
            Function::YearOf => date().map(|date| Value::Date(date.truncated(4))),
        }
    }

    /// The values of `from` in one record, in the order `from` names them.
    fn of<'a>(&'a self, record: &'a Record) -> impl Iterator<Item = &'a Value> {
        self.from.iter().flat_map(|element| record.values(*element))
    }

    /// The records this row may use.
    fn used<'a>(&self, records: &[Dated<'a>]) -> impl Iterator<Item = &'a Record> {
        let records = records.iter().map(|(record, _)| *record);
        records
            .filter(|record| self.datasets.is_empty() || self.datasets.contains(&record.dataset))
            .filter(|record| self.sources.is_empty() || self.sources.contains(&record.source))
            .filter(|record| self.fits(record))
    }

    fn fits(&self, record: &Record) -> bool {
        let Some((element, wanted)) = &self.only else { return true };
        let mut values = record.values(*element);
        values.any(|value| match value {
            Value::Code(coding) => coding.code.as_ref().is_some_and(|code| wanted.contains(code)),
            Value::Text(text) => wanted.contains(text),
            _ => false,
        })
    }

    /// Each source's stays by themselves: one hospital's discharge closes no other's stay.
    fn open_stay(&self, records: &[Dated<'_>], now: i64) -> Option<bool> {
        let Function::OpenStay { days, opens, closes, reopens } = &self.function else {
            return None;
        };
        let trusted = |(record, _): &&Dated<'_>| {
            self.sources.is_empty() || self.sources.contains(&record.source)
        };
        let mut stays: Vec<(Source, Option<i64>, bool)> = Vec::new();
        for (record, moment) in records.iter().rev().filter(trusted) {
            let opening = opens.contains(&record.dataset) && self.fits(record);
            let known = stays.iter_mut().find(|(source, _, _)| *source == record.source);
            match known {
                Some((_, began, open)) if opening => (*began, *open) = (*moment, true),
                Some((_, _, open)) if closes.contains(&record.dataset) => *open = false,
                Some((_, _, open)) if reopens.contains(&record.dataset) => *open = true,
                None if opening => stays.push((record.source, *moment, true)),
                _ => (),
            }
        }
        let over =
            |began: &Option<i64>| began.is_some_and(|began| now - began > days * DAY_SECONDS);
        let known = !stays.is_empty();
        known.then(|| stays.iter().any(|(_, began, open)| *open && over(began)))
    }
}

/// Whether any of them is so; of none at all nothing is known.
fn any<T>(values: impl Iterator<Item = T>, mut so: impl FnMut(T) -> bool) -> Option<Value> {
    let mut values = values.peekable();
    values.peek()?;
    Some(Value::Boolean(values.any(&mut so)))
}

/// A record, and when it happened, in seconds.
type Dated<'a> = (&'a Record, Option<i64>);

/// Of records with one time the first given, the newest received, comes first.
fn newest_first<'a>(records: &[&'a Record]) -> Vec<Dated<'a>> {
    let moment = |record: &Record| record.time.as_ref().and_then(Date::timestamp);
    let mut dated: Vec<_> = records.iter().map(|record| (*record, moment(record))).collect();
    dated.sort_by_key(|(_, moment)| std::cmp::Reverse(*moment));
    dated
}

const fn as_date(value: &Value) -> Option<&Date> {
    match value {
        Value::Date(date) => Some(date),
        _ => None,
    }
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::Code(coding) => coding.display.as_deref(),
        Value::Name(whole) => Some(&whole.text),
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Completed years between a day and a moment, by the calendar of China.
fn age(born: &Date, now: i64) -> Option<i32> {
    let (born, today) = (born.day()?, Date::from_timestamp(now).day()?);
    let years = value::years_between(born, today);
    (years >= 0).then_some(years)
}
