//! 城市方言, a city's own names, codes and date forms: `mappings/cities/<sender>.toml`.
//!
//! ```toml
//! title   = "甲市养老服务平台"
//! source  = "its interface agreement"
//! charset = "GB18030"                       # of CSV that does not say; else told by the bytes
//!
//! [[dataset]]
//! record = "elder-registry"
//! when   = { wire = "/lx", is = ["lnr"] }   # where the city has more than one kind
//! fixed  = [{ is = "GB/T 42195", to = "/scale" }]
//! rows   = [
//!   { wire = "/xm",      to = "/elder/name" },
//!   { wire = "出生日期", to = "/elder/birthDate", dates = ["yyyy年M月d日"] },
//!   { wire = "/snjb",    to = "/levels/final", codes = { "完好" = "0" } },
//! ]
//! drops  = [{ wire = "/xh", why = "sequence number of the list" }]
//! ```
//!
//! `wire` is a column, or a pointer into the city's JSON or XML; `to` is a pointer of the
//! published dataset. `*` is each item on both sides, a number is that item. What a city
//! calls otherwise is all that stands here: types, elements and refusals are those of the
//! published dataset. Every row goes both ways, so a code has one spelling, or `also`
//! others that are read and not written.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::super::compile::{Compiler, Text};
use super::super::document::DocumentPlan;
use super::super::file::{ExampleText, Reason, WhenText};
use super::super::plan::RowId;
use super::date_form::DateForm;
use super::place::Place;
use super::shape::Shape;
use crate::vocabulary::{Diagnostic, Source};
use crate::wire::Charset;

/// `cities/<sender>.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::translate) struct CityFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    charset: Option<Charset>,
    dataset: Vec<Spanned<DatasetText>>,
    #[serde(default)]
    pub(in crate::translate) example: Vec<Spanned<ExampleText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatasetText {
    record: Spanned<String>,
    when: Option<Spanned<WhenText>>,
    #[serde(default)]
    fixed: Vec<Spanned<FixedText>>,
    rows: Vec<Spanned<CityRowText>>,
    #[serde(default)]
    drops: Vec<Spanned<Reason>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixedText {
    is: String,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CityRowText {
    wire: Spanned<String>,
    to: Spanned<String>,
    #[serde(default)]
    codes: BTreeMap<String, String>,
    #[serde(default)]
    also: BTreeMap<String, String>,
    #[serde(default)]
    dates: Vec<Spanned<String>>,
}

/// One city, compiled.
#[derive(Debug)]
pub struct City {
    /// Of tables that do not say.
    pub charset: Option<Charset>,
    /// What it sends.
    pub datasets: Vec<CityDataset>,
}

/// One kind of what a city sends.
#[derive(Debug)]
pub struct CityDataset {
    /// What is published under the same rows.
    pub shape: Shape,
    /// What tells it from the others.
    pub when: Option<(Place, Vec<String>)>,
    /// What the city never says, since it is always the same.
    pub fixed: Vec<(Place, String)>,
    /// Its names.
    pub rows: Vec<CityRow>,
    /// What is left out.
    pub drops: Vec<Place>,
}

/// One name of a city's.
#[derive(Debug)]
pub struct CityRow {
    /// The row, for the check of the examples.
    pub id: RowId,
    /// Where the city has it.
    pub wire: Place,
    /// Where it is published.
    pub to: Place,
    /// From the city's code to the published one: first those that are written, too.
    codes: Vec<(String, String)>,
    also: Vec<(String, String)>,
    dates: Vec<DateForm>,
}

impl CityRow {
    /// The published spelling; what no code or form fits stays as it is.
    pub fn read(&self, text: &str) -> String {
        let known = self.codes.iter().chain(&self.also).find(|(own, _)| own == text.trim());
        let date = || self.dates.iter().find_map(|form| form.read(text));
        known.map(|(_, code)| code.clone()).or_else(date).unwrap_or_else(|| text.to_owned())
    }

    /// The city's spelling.
    pub fn write(&self, text: &str) -> String {
        let known = self.codes.iter().find(|(_, code)| code == text);
        let date = || self.dates.iter().find_map(|form| form.write(text));
        known.map(|(own, _)| own.clone()).or_else(date).unwrap_or_else(|| text.to_owned())
    }
}

impl Compiler<'_> {
    /// One city; the file is named as its `[[sender]]`.
    pub(in crate::translate) fn city(
        &mut self,
        file: Text<'_>,
        table: &CityFile,
        plans: &[DocumentPlan],
    ) -> Option<(Source, City)> {
        let stem = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".toml"));
        let source = Source::parse(stem.unwrap_or_default())
            .map_err(|error| file.fault(0..0, error.to_string()));
        let source = self.note(source)?;
        let mut city = City { charset: table.charset, datasets: Vec::new() };
        for dataset in &table.dataset {
            let compiled = self.city_dataset(file, dataset, plans);
            city.datasets.extend(self.note(compiled));
        }
        let untold = city.datasets.iter().filter(|dataset| dataset.when.is_none()).count();
        if city.datasets.len() > 1 && untold > 1 {
            let first = table.dataset.first().map_or(0..0, Spanned::span);
            let fault = file.fault(first, "nothing tells these datasets apart");
            self.faults.push(fault.hint("give all but one a `when`"));
        }
        Some((source, city))
    }

    fn city_dataset(
        &mut self,
        file: Text<'_>,
        table: &Spanned<DatasetText>,
        plans: &[DocumentPlan],
    ) -> Result<CityDataset, Diagnostic> {
        let text = table.get_ref();
        let plan = plans.iter().find(|plan| {
            plan.name == super::DIALECT && plan.dataset.as_str() == text.record.get_ref()
        });
        let plan = plan.ok_or_else(|| {
            let message = format!("there is no published dataset {}", text.record.get_ref());
            file.fault(text.record.span(), message).hint("see mappings/civil")
        })?;
        let mut found = CityDataset {
            shape: Shape::of(plan),
            when: None,
            fixed: Vec::new(),
            rows: Vec::new(),
            drops: Vec::new(),
        };
        if let Some(when) = &text.when {
            let wire = place(file, (&when.get_ref().wire, when.span()))?;
            found.when = Some((wire, when.get_ref().is.clone()));
        }
        for fixed in &text.fixed {
            let to = published(file, (&fixed.get_ref().to, fixed.span()), &found.shape)?;
            found.fixed.push((to, fixed.get_ref().is.clone()));
        }
        for drop in &text.drops {
            let wire = &drop.get_ref().wire;
            found.drops.push(place(file, (wire.get_ref(), wire.span()))?);
        }
        for row in &text.rows {
            let compiled = self.city_row(file, row, &found);
            found.rows.extend(self.note(compiled));
        }
        Ok(found)
    }

    fn city_row(
        &mut self,
        file: Text<'_>,
        row: &Spanned<CityRowText>,
        dataset: &CityDataset,
    ) -> Result<CityRow, Diagnostic> {
        let text = row.get_ref();
        let wire = place(file, (text.wire.get_ref(), text.wire.span()))?;
        let to = published(file, (text.to.get_ref(), text.to.span()), &dataset.shape)?;
        if wire.lists() != to.lists() {
            return Err(file.fault(row.span(), "`*` stands as often on both sides"));
        }
        let taken = |known: &CityRow| known.wire == wire || known.to == to;
        if dataset.rows.iter().any(taken) || dataset.fixed.iter().any(|(known, _)| *known == to) {
            return Err(file.fault(row.span(), "this place is taken by a row before"));
        }
        let mut codes: Vec<(String, String)> = Vec::new();
        for (own, code) in &text.codes {
            if codes.iter().any(|(_, known)| known == code) {
                return Err(file
                    .fault(row.span(), format!("code {code} has two spellings"))
                    .hint("write the one that is only read under `also`"));
            }
            codes.push((own.clone(), code.clone()));
        }
        let mut dates = Vec::new();
        for form in &text.dates {
            let compiled = DateForm::parse(form.get_ref()).ok_or_else(|| {
                file.fault(form.span(), "no form of dates")
                    .hint("yyyy年M月d日, yyyyMMdd, yyyy/MM/dd HH:mm")
            })?;
            dates.push(compiled);
        }
        let place = file.fault(row.span(), "no example exercises this row");
        self.places.push(place.hint("add an example that has it"));
        let also = text.also.iter().map(|(own, code)| (own.clone(), code.clone())).collect();
        Ok(CityRow { id: self.places.len() - 1, wire, to, codes, also, dates })
    }
}

type Spelled<'t> = (&'t str, std::ops::Range<usize>);

fn place(file: Text<'_>, (text, span): Spelled<'_>) -> Result<Place, Diagnostic> {
    Place::parse(text).ok_or_else(|| file.fault(span, format!("`{text}` is no place")))
}

/// A place the published dataset has.
fn published(file: Text<'_>, at: Spelled<'_>, shape: &Shape) -> Result<Place, Diagnostic> {
    let (text, span) = at.clone();
    let place = place(file, at)?;
    // Any number does for a list.
    let pointer = place.pointer(&vec![0; place.lists()]);
    if shape.leaf(&pointer).is_some() {
        return Ok(place);
    }
    let known: Vec<_> = shape.leaves.iter().map(|leaf| leaf.place.pattern()).collect();
    let fault = file.fault(span, format!("{} has no {text}", shape.dataset));
    Err(match super::super::suggest::nearest(text, known.iter().map(String::as_str)) {
        Some(near) => fault.hint(format!("did you mean {near}?")),
        None => fault,
    })
}
