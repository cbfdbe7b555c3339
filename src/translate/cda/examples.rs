//! The examples of `mappings/cda/*.toml`: read, compared, written and read again.

use serde::Deserialize;
use toml::Spanned;

use super::names::DOCUMENT_TYPE;
use crate::translate::file::ExampleText;
use crate::translate::{Pack, Translation};
use crate::vocabulary::{Group, Record};
use crate::wire::xml;

/// `cda/documents.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::translate) struct ExamplesFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    pub title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub source: String,
    #[serde(default)]
    pub example: Vec<Spanned<ExampleText>>,
}

/// What is written of a record must be read as the same record.
///
/// # Errors
/// The first group that came back otherwise, by number.
pub(in crate::translate) fn written_back(pack: &Pack, found: &Translation) -> Result<(), String> {
    let record = &found.record;
    let written = pack.write_cda(record);
    let again = pack
        .read_cda(record.source, &written, &xml::Limits::default())
        .map_err(|error| format!("what is written cannot be read: {error}"))?;
    if again.bins.unmapped > 0 {
        return Err("more is written than is read".to_owned());
    }
    same(record, &again.record)
}

/// Whether two records say the same, wherever it stood; the order of the record's own group
/// is that of the header, which no two senders share.
fn same(record: &Record, again: &Record) -> Result<(), String> {
    if record.groups.len() != again.groups.len() {
        let (some, other) = (again.groups.len(), record.groups.len());
        return Err(format!("{some} groups are read of what is written, not {other}"));
    }
    for (number, (group, again)) in record.groups.iter().zip(&again.groups).enumerate() {
        let (mut some, mut other) = (told(group), told(again));
        if number == 0 {
            some.sort_unstable();
            other.sort_unstable();
        }
        if group.name != again.name || group.parent != again.parent || some != other {
            return Err(format!("group {number} is written otherwise"));
        }
    }
    Ok(())
}

/// A document of 2012 is written as one of 2016, so the old code of its type goes.
fn told(group: &Group) -> Vec<String> {
    let fields = group.fields.iter().filter(|field| field.element != DOCUMENT_TYPE);
    let value = |value| serde_json::to_string(value).unwrap_or_default();
    fields.map(|field| format!("{} {}", field.element, value(&field.value))).collect()
}
