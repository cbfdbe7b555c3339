//! Columns of a CSV file, fields of a card, elements that hold one text: every value is a
//! string, a date is ISO 8601 unless its row says otherwise.
//!
//! Shapes of a date: `spaced` (`2026-11-21 08:30:00`), `compact` (`20261121`), `slash` (`2026/11/21`), `dot` (`2026.11.21`),
//! `chinese` (`2026年11月21日`). Shapes of a boolean: `true-false` (the usual), `one-zero`,
//! `y-n`, `chinese` (`是`, `否`).

use super::json;
use super::plan::DocumentRow;
use super::syntax::{Sent, Syntax};
use crate::translate::plan::Read;
use crate::translate::value::{self, Wrong};
use crate::vocabulary::{Date, Fault, Position, Value};
use crate::wire::{Charset, Tree};

/// `civil-csv`, `card`.
#[derive(Debug)]
pub(in crate::translate) struct Flat;

/// `civil-xml`: the same strings as the text of elements.
#[derive(Debug)]
pub(in crate::translate) struct Elements;

impl Syntax for Flat {
    fn shapes(&self, read: &Read, _: &str) -> Option<&'static [&'static str]> {
        shapes(read)
    }

    fn read<'t>(
        &self,
        row: &DocumentRow,
        tree: &'t Tree,
        sent: Sent<'_>,
        used: &mut Vec<&'t Tree>,
    ) -> Result<Value, Wrong> {
        let text = tree.text().filter(|text| !text.is_empty()).ok_or(Wrong::Absent)?;
        let value = scalar(row, text, sent)?;
        used.push(tree);
        Ok(value)
    }

    fn write(&self, row: &DocumentRow, value: &Value) -> Option<Tree> {
        written(row, value).map(Tree::Text)
    }
}

impl Syntax for Elements {
    fn is_xml(&self) -> bool {
        true
    }

    fn lists(&self, path: &[&str]) -> bool {
        path.last().is_some_and(|name| !name.starts_with(['@', '#']))
    }

    fn shapes(&self, read: &Read, _: &str) -> Option<&'static [&'static str]> {
        shapes(read)
    }

    fn read<'t>(
        &self,
        row: &DocumentRow,
        tree: &'t Tree,
        sent: Sent<'_>,
        used: &mut Vec<&'t Tree>,
    ) -> Result<Value, Wrong> {
        let leaf = tree.get("#text").unwrap_or(tree);
        Flat.read(row, leaf, sent, used)
    }

    fn write(&self, row: &DocumentRow, value: &Value) -> Option<Tree> {
        let text = written(row, value)?;
        if row.name().starts_with(['@', '#']) {
            return Some(Tree::Text(text));
        }
        Some(Tree::Map(vec![("#text".to_owned(), Tree::Text(text))]))
    }
}

fn shapes(read: &Read) -> Option<&'static [&'static str]> {
    match read {
        Read::Observation(_) => None,
        Read::Date => Some(&["spaced", "compact", "slash", "dot", "chinese"]),
        Read::Boolean => Some(&["true-false", "one-zero", "y-n", "chinese"]),
        _ => Some(&[]),
    }
}

fn scalar(row: &DocumentRow, text: &str, sent: Sent<'_>) -> Result<Value, Wrong> {
    let text = value::trimmed(text, sent.overlay);
    let shape = row.shape.as_deref();
    match &row.meaning.read {
        Read::Date => date(shape, text).map(Value::Date).ok_or(Wrong::Type),
        Read::Boolean => {
            let (yes, no) = words(shape);
            match text {
                _ if text == yes => Ok(Value::Boolean(true)),
                _ if text == no => Ok(Value::Boolean(false)),
                _ => Err(Wrong::Type),
            }
        }
        Read::Quantity => value::quantity(text).map(Value::Quantity),
        read => json::line(read, text, sent),
    }
}

fn written(row: &DocumentRow, value: &Value) -> Option<String> {
    let shape = row.shape.as_deref();
    Some(match (&row.meaning.read, value) {
        (Read::Date, Value::Date(date)) => written_date(shape, date),
        (Read::Boolean, Value::Boolean(yes)) => {
            let words = words(shape);
            if *yes { words.0.to_owned() } else { words.1.to_owned() }
        }
        (Read::Quantity, Value::Quantity(quantity)) => {
            format!("{}{}", quantity.comparator.as_deref().unwrap_or_default(), quantity.number)
        }
        (read, _) => json::written_line(read, value)?,
    })
}

fn words(shape: Option<&str>) -> (&'static str, &'static str) {
    match shape {
        Some("one-zero") => ("1", "0"),
        Some("y-n") => ("Y", "N"),
        Some("chinese") => ("是", "否"),
        _ => ("true", "false"),
    }
}

/// A date that is written again as it is read.
fn date(shape: Option<&str>, text: &str) -> Option<Date> {
    let plain = match shape {
        Some("slash") => text.replace('/', "-"),
        Some("dot") => text.replace('.', "-"),
        Some("chinese") => text.trim_end_matches(['年', '月', '日']).replace(['年', '月'], "-"),
        _ => text.to_owned(),
    };
    let read = match shape {
        Some("compact") => Date::parse(&plain),
        _ => Date::parse_iso(&plain),
    };
    read.ok().filter(|date| written_date(shape, date) == text)
}

fn written_date(shape: Option<&str>, date: &Date) -> String {
    let iso = date.to_iso();
    let (day, time) = iso.split_once('T').map_or((iso.as_str(), None), |(d, t)| (d, Some(t)));
    let day = match shape {
        Some("compact") => return date.as_str().to_owned(),
        Some("spaced") => day.to_owned(),
        Some("slash") => day.replace('-', "/"),
        Some("dot") => day.replace('-', "."),
        Some("chinese") => {
            let parts = day.split('-').zip(["年", "月", "日"]);
            parts.map(|(number, word)| format!("{number}{word}")).collect()
        }
        _ => return iso,
    };
    time.map_or(day.clone(), |time| format!("{day} {time}"))
}

/// The rows of a CSV file by the names in its first line.
///
/// # Errors
/// The fault, and the line it stands in.
pub(super) fn rows(bytes: &[u8], bytes_max: usize) -> Result<Vec<Tree>, (Fault, Position)> {
    if bytes.len() > bytes_max {
        return Err((Fault::Limit, Position::Byte(bytes_max)));
    }
    // Tables come out of spreadsheets: UTF-8 with its mark, or GB 18030 without a word.
    let text = Charset::Utf8
        .decode(bytes)
        .or_else(|_| Charset::Gb18030.decode(bytes))
        .map_err(|_| (Fault::CharacterSet, Position::Byte(0)))?;
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let wrong = |error: &csv::Error| {
        let line = error.position().map_or(1, |at| usize::try_from(at.line()).unwrap_or(1));
        (Fault::Malformed, Position::place(line, 1))
    };
    let names = reader.headers().map_err(|error| wrong(&error))?.clone();
    let twice = names.iter().enumerate().any(|(at, name)| names.iter().take(at).any(|n| n == name));
    if twice || names.iter().any(str::is_empty) {
        return Err((Fault::Malformed, Position::place(1, 1)));
    }
    let mut found = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| wrong(&error))?;
        let cells = names.iter().zip(row.iter());
        found.push(Tree::Map(cells.map(|(name, cell)| (name.to_owned(), cell.into())).collect()));
    }
    Ok(found)
}

/// Maps as a CSV file: a column for each name any of them has, in their order.
pub(super) fn csv(rows: &[&Tree]) -> Vec<u8> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flat_map(|row| row.members()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail, and every row has as many cells as there are names.
    let _ = writer.write_record(&names);
    for row in rows {
        let cell = |name: &&str| row.get(name).and_then(Tree::text).unwrap_or_default();
        let _ = writer.write_record(names.iter().map(cell));
    }
    writer.into_inner().unwrap_or_default()
}
