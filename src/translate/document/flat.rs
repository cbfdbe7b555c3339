//! Fields of a card: every value is a string, a date is ISO 8601 unless its row says otherwise.
//!
//! Shapes of a date: `spaced` (`2026-11-21 08:30:00`), `compact` (`20261121`), `slash`
//! (`2026/11/21`), `dot` (`2026.11.21`),
//! `chinese` (`2026年11月21日`). Shapes of a boolean: `true-false` (the usual), `one-zero`,
//! `y-n`, `chinese` (`是`, `否`).

use super::json;
use super::plan::DocumentRow;
use super::syntax::{Sent, Syntax};
use crate::translate::plan::Read;
use crate::translate::value::{self, Wrong};
use crate::vocabulary::{Date, Value};
use crate::wire::Tree;

/// `card`.
#[derive(Debug)]
pub(in crate::translate) struct Flat;

impl Syntax for Flat {
    fn shapes(&self, read: &Read, _: &str) -> Option<&'static [&'static str]> {
        shapes(read)
    }

    fn read<'t>(
        &self,
        row: &DocumentRow,
        (tree, sent): (&'t Tree, Sent<'_>),
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
