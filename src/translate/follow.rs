//! 推得, facts as they follow from records; what each function does is told in [`super::derive`].
//!
//! Which of the records, and which values of them, may speak for a fact is not known here: whoever
//! asks is told no more by a fact than by what it follows from, and that is `policy`'s to say.

use super::derive::{DAY_SECONDS, Fact, Facts, Function};
use super::plan::RowId;
use super::{Pack, value};
use crate::vocabulary::Value;
use crate::vocabulary::code::Original;
use crate::vocabulary::value::Quantity;
use crate::vocabulary::{
    Coding, Dataset, Date, ElementId, Field, Group, GroupName, Record, Source,
};

/// What may speak for facts.
pub trait Speaks {
    /// Whether anybody asks for a fact.
    fn is_wanted(&self, fact: ElementId) -> bool;
    /// Whether a fact may follow from what stands in a record: by the place of the record among
    /// those given, and in which group the value is; none where the fact follows from the record as
    /// such, that it came and when.
    fn speaks(&self, fact: ElementId, record: usize, within: Option<(usize, &Value)>) -> bool;
}

/// Whatever there is speaks for every fact.
#[derive(Debug, Clone, Copy)]
pub struct Everything;

impl Speaks for Everything {
    fn is_wanted(&self, _fact: ElementId) -> bool {
        true
    }

    fn speaks(&self, _fact: ElementId, _record: usize, _within: Option<(usize, &Value)>) -> bool {
        true
    }
}

/// A record, its place among those given, and when it happened, in seconds.
struct Dated<'a> {
    record: &'a Record,
    place: usize,
    moment: Option<i64>,
}

impl Facts {
    /// Every fact that follows, as one record of the gateway itself.
    pub(super) fn derive(
        &self,
        pack: &Pack,
        (records, now): (&[&Record], i64),
        speaks: &dyn Speaks,
    ) -> Option<Record> {
        let (mut fields, records) = (Vec::new(), newest_first(records));
        for fact in self.0.iter().filter(|fact| speaks.is_wanted(fact.element)) {
            if let Some(value) = fact.value(&records, now, speaks) {
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
        let following =
            self.0.iter().filter(move |fact| fact.value(&records, now, &Everything).is_some());
        following.map(|fact| fact.id)
    }

    /// Whether a record bears on a fact at all: one of its values speaks for it, or that it came.
    pub(super) fn bears_on(
        &self,
        element: ElementId,
        record: &Record,
        speaks: &dyn Speaks,
    ) -> bool {
        let alone = newest_first(&[record]);
        let mut facts = self.0.iter().filter(|fact| fact.element == element);
        facts.any(|fact| match fact.function {
            // What ends a stay need not be of the kind that begins one.
            Function::OpenStay { .. } => alone.iter().any(|dated| fact.bears(dated, speaks)),
            _ => fact.used(&alone).any(|dated| fact.bears(dated, speaks)),
        })
    }
}

impl Fact {
    fn value(&self, records: &[Dated<'_>], now: i64, speaks: &dyn Speaks) -> Option<Value> {
        let told = |value: &Value| !self.yes_alone || *value != Value::Boolean(false);
        self.found(records, now, speaks).filter(told)
    }

    fn found(&self, records: &[Dated<'_>], now: i64, speaks: &dyn Speaks) -> Option<Value> {
        let values = || self.used(records).flat_map(|dated| self.of(dated, speaks));
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
                .filter(|dated| self.bears(dated, speaks))
                .find_map(|dated| dated.record.time.clone())
                .map(Value::Date),
            Function::OpenStay { .. } => self.open_stay(records, now, speaks).map(Value::Boolean),
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

    /// The values of `from` in one record that speak, in the order `from` names them.
    fn of<'a>(
        &'a self,
        dated: &Dated<'a>,
        speaks: &'a dyn Speaks,
    ) -> impl Iterator<Item = &'a Value> + use<'a> {
        let (groups, place) = (&dated.record.groups, dated.place);
        self.from.iter().flat_map(move |element| {
            groups.iter().enumerate().flat_map(move |(index, group)| {
                let named = group.fields.iter().filter(move |field| field.element == *element);
                let values = named.map(|field| &field.value);
                values
                    .filter(move |value| speaks.speaks(self.element, place, Some((index, *value))))
            })
        })
    }

    /// The records this row may use.
    fn used<'r, 'a>(&'r self, records: &'r [Dated<'a>]) -> impl Iterator<Item = &'r Dated<'a>> {
        records.iter().filter(|dated| {
            let Record { dataset, source, .. } = dated.record;
            (self.datasets.is_empty() || self.datasets.contains(dataset))
                && (self.sources.is_empty() || self.sources.contains(source))
                && self.fits(dated.record)
        })
    }

    /// Whether a record this row uses says anything for it.
    fn bears(&self, dated: &Dated<'_>, speaks: &dyn Speaks) -> bool {
        let came = || speaks.speaks(self.element, dated.place, None);
        match &self.function {
            Function::OpenStay { opens, closes, reopens, .. } => {
                let told =
                    [opens, closes, reopens].iter().any(|of| of.contains(&dated.record.dataset));
                told && came()
            }
            _ if self.from.is_empty() => came(),
            _ => self.of(dated, speaks).next().is_some(),
        }
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

    /// Each source's stays by themselves: one hospital's discharge closes no other's stay. A stay
    /// that does not speak opens none; that one is over may come from whatever says so.
    fn open_stay(&self, records: &[Dated<'_>], now: i64, speaks: &dyn Speaks) -> Option<bool> {
        let Function::OpenStay { days, opens, closes, reopens } = &self.function else {
            return None;
        };
        let trusted = |dated: &&Dated<'_>| {
            self.sources.is_empty() || self.sources.contains(&dated.record.source)
        };
        let mut stays: Vec<(Source, Option<i64>, bool)> = Vec::new();
        let mut ends: Vec<(Source, Option<i64>)> = Vec::new();
        for Dated { record, place, moment } in records.iter().rev().filter(trusted) {
            let came = || speaks.speaks(self.element, *place, None);
            let opening = opens.contains(&record.dataset) && self.fits(record) && came();
            let closing = closes.contains(&record.dataset);
            let ended = |(source, day): &(Source, Option<i64>)| {
                *source == record.source && in_day(*day, *moment)
            };
            let stays_open = !ends.iter().any(ended);
            let known = stays.iter_mut().find(|(source, _, _)| *source == record.source);
            // An end without an hour sorts to the beginning of its day. Where no stay was open
            // then, it is the end of the one that begins on that day.
            if closing && is_day(record) && known.as_ref().is_none_or(|(_, _, open)| !open) {
                ends.push((record.source, *moment));
            }
            match known {
                Some((_, began, open)) if opening => (*began, *open) = (*moment, stays_open),
                Some((_, _, open)) if closing => *open = false,
                Some((_, _, open)) if reopens.contains(&record.dataset) && came() => *open = true,
                None if opening => stays.push((record.source, *moment, stays_open)),
                _ => (),
            }
        }
        let over =
            |began: &Option<i64>| began.is_some_and(|began| now - began > days * DAY_SECONDS);
        let known = !stays.is_empty();
        known.then(|| stays.iter().any(|(_, began, open)| *open && over(began)))
    }
}

/// Whether the time of a record is a day, and no hour of it.
fn is_day(record: &Record) -> bool {
    record.time.as_ref().is_some_and(|time| time.digits() == 8)
}

/// Whether a moment lies in the day that begins with another.
fn in_day(day: Option<i64>, moment: Option<i64>) -> bool {
    day.zip(moment).is_some_and(|(day, moment)| (0..DAY_SECONDS).contains(&(moment - day)))
}

/// Whether any of them is so; of none at all nothing is known.
fn any<T>(values: impl Iterator<Item = T>, mut so: impl FnMut(T) -> bool) -> Option<Value> {
    let mut values = values.peekable();
    values.peek()?;
    Some(Value::Boolean(values.any(&mut so)))
}

/// Of records with one time the first given, the newest received, comes first.
fn newest_first<'a>(records: &[&'a Record]) -> Vec<Dated<'a>> {
    let moment = |record: &Record| record.time.as_ref().and_then(Date::timestamp);
    let dated = records.iter().enumerate();
    let dated = dated.map(|(place, record)| Dated { record, place, moment: moment(record) });
    let mut dated: Vec<_> = dated.collect();
    dated.sort_by_key(|dated| std::cmp::Reverse(dated.moment));
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
