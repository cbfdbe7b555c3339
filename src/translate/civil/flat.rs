//! CSV, the same members as columns: `elder.name`, `contacts.1.phone`, items from 1.
//!
//! RFC 4180: comma, quotes, a header. UTF-8 with or without byte order mark, else GB 18030,
//! or what the city's file says. A column nobody names is a leaf nobody named. Columns that
//! begin with `_` are what a file of rejects says about its rows: they are passed over, so
//! that a repaired row can be sent as it stands.

use serde_json::{Map, Value as Json};

use super::super::form::Unread;
use super::place::{ITEMS_MAX, Place, Step};
use super::shape::{Leaf, Shape, spelled};
use crate::vocabulary::{Fault, Position};
use crate::wire::Charset;

/// Columns one table may have.
const COLUMNS_MAX: usize = 2_000;

/// A table's only row, by column.
pub type Row = Vec<(String, String)>;

/// The text of a table: as its bytes say, else in the character set that is usual.
pub fn decode(bytes: &[u8], usual: Option<Charset>) -> Result<String, Unread> {
    let plain = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let marked = plain.len() < bytes.len();
    let tried = match usual.filter(|_| !marked) {
        Some(charset) => charset.decode(plain),
        None => Charset::Utf8.decode(plain).or_else(|_| Charset::Gb18030.decode(plain)),
    };
    let refused = |_| Unread::malformed(Fault::CharacterSet, None);
    tried.map(std::borrow::Cow::into_owned).map_err(refused)
}

/// Reads a header and the one row behind it.
pub fn row(text: &str) -> Result<Row, Unread> {
    let wrong = |line: u64| {
        let at = Position::Pointer(format!("/line/{line}"));
        Unread::malformed(Fault::Malformed, Some(at))
    };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let mut lines = reader.records();
    let mut next = |line| lines.next().map(|record| record.map_err(|_| wrong(line)));
    let header = next(1).ok_or_else(|| wrong(1))??;
    let values = next(2).ok_or_else(|| wrong(2))??;
    if next(3).is_some() || header.len() > COLUMNS_MAX {
        return Err(Unread::malformed(Fault::Limit, None));
    }
    let mut row = Row::new();
    for (name, value) in header.iter().zip(&values) {
        let name = name.trim();
        if name.starts_with('_') || value.is_empty() {
            continue;
        }
        if row.iter().any(|(known, _)| known == name) {
            let at = Some(Position::Pointer(format!("/column/{}", row.len() + 1)));
            return Err(Unread::malformed(Fault::Malformed, at));
        }
        row.push((name.to_owned(), value.to_owned()));
    }
    Ok(row)
}

/// A row in the published columns as a document.
pub fn document(shapes: &[Shape], row: &Row) -> Json {
    let named = row.iter().find(|(name, _)| name == "dataset").map(|(_, value)| value.as_str());
    let shape = shapes.iter().find(|shape| Some(shape.dataset.as_str()) == named);
    let mut document = Json::Object(Map::new());
    for (name, value) in row {
        let known = shape.and_then(|shape| shape.leaves.iter().find_map(|leaf| column(leaf, name)));
        let put = known.is_some_and(|(leaf, indices)| {
            leaf.place.put(&mut document, &indices, leaf.typed(value))
        });
        if !put && let Json::Object(members) = &mut document {
            members.entry(name.clone()).or_insert_with(|| value.as_str().into());
        }
    }
    if let (None, Some(text), Json::Object(members)) = (shape, named, &mut document) {
        members.insert("dataset".to_owned(), text.into());
    }
    document
}

/// A row as members, for the columns of a city.
pub fn members(row: &Row) -> Json {
    let members = row.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
    Json::Object(members.collect())
}

/// The columns and values of a document, in the order of its file.
pub fn columns(shape: &Shape, document: &Json) -> Row {
    let mut row = Row::new();
    for leaf in &shape.leaves {
        let found = leaf.place.all(document).into_iter();
        let filled = found.filter(|(_, value)| !value.is_null());
        row.extend(filled.map(|(indices, value)| (name(&leaf.place, &indices), spelled(value))));
    }
    row
}

/// Writes a header and one row.
pub fn write(row: &Row) -> Vec<u8> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory cannot fail, and both lines have the same number of fields.
    let _ = writer.write_record(row.iter().map(|(name, _)| name));
    let _ = writer.write_record(row.iter().map(|(_, value)| value));
    writer.into_inner().unwrap_or_default()
}

/// The name of a column: `contacts.1.phone`.
pub fn name(place: &Place, indices: &[usize]) -> String {
    let mut indices = indices.iter();
    let steps = place.0.iter().map(|step| match step {
        Step::Each => {
            indices.next().map_or_else(|| "1".to_owned(), |index| (index + 1).to_string())
        }
        Step::Item(index) => (index + 1).to_string(),
        Step::Name(name) => name.clone(),
    });
    steps.collect::<Vec<_>>().join(".")
}

/// The leaf a column is, and the numbers of its items.
fn column<'s>(leaf: &'s Leaf, name: &str) -> Option<(&'s Leaf, Vec<usize>)> {
    let mut rest = name;
    let mut indices = Vec::new();
    for (number, step) in leaf.place.0.iter().enumerate() {
        if number > 0 {
            rest = rest.strip_prefix('.')?;
        }
        match step {
            Step::Name(name) => rest = rest.strip_prefix(name.as_str())?,
            Step::Item(_) | Step::Each => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (index, behind) = rest.split_at_checked(digits)?;
                let index: usize = index.parse().ok()?;
                indices.push(index.checked_sub(1).filter(|index| *index < ITEMS_MAX)?);
                rest = behind;
            }
        }
    }
    rest.is_empty().then_some((leaf, indices))
}
