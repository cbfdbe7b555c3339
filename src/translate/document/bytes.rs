//! Documents as the bytes they come in and go out as, whatever their syntax.

use super::{Pack, Record, Source, Translation, Tree, flat, read_json, read_xml, syntax};
use super::{write_json, write_xml};
use crate::translate::form::{Limits, Unread};
use crate::wire::{json, xml};

/// The dialect whose files are fields of fixed length; see [`crate::wire::card`].
const CARD: &str = "card";

/// Reads the bytes of one document, or of several where its syntax has them.
///
/// # Errors
/// [`Unread`] with fault and position.
pub(in crate::translate) fn read_bytes(
    pack: &Pack,
    (dialect, source): (&str, Source),
    (bytes, limits): (&[u8], &Limits),
    mut fired: Option<&mut Vec<bool>>,
) -> Result<Vec<Translation>, Unread> {
    let syntax = syntax::of(dialect);
    if syntax.is_some_and(syntax::Syntax::is_xml) {
        let document = xml::read(bytes, &limits.xml)
            .map_err(|error| Unread::malformed(error.fault(), Some(error.position().clone())))?;
        return Ok(vec![read_xml(pack, (dialect, source), &document, fired)?]);
    }
    if dialect == "civil-csv" {
        let rows = flat::rows(bytes, limits.json.bytes_max)
            .map_err(|(fault, at)| Unread::malformed(fault, Some(at)))?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            found.extend(read_json(pack, (dialect, source), &row, fired.as_deref_mut())?);
        }
        return Ok(found);
    }
    let mut value = json::read(bytes, &limits.json)
        .map_err(|error| Unread::malformed(error.fault(), Some(error.position().clone())))?;
    if dialect == CARD {
        let files = pack.card.read(&value);
        value = files.map_err(|error| Unread::malformed(error.fault, Some(error.at)))?;
    }
    Ok(read_json(pack, (dialect, source), &Tree::from_json(&value), fired)?)
}

/// Writes a record as the bytes of one document; `None` if no file is for its dataset.
pub(in crate::translate) fn write_bytes(
    pack: &Pack,
    dialect: &str,
    record: &Record,
) -> Option<Vec<u8>> {
    if syntax::of(dialect)?.is_xml() {
        return write_xml(pack, dialect, record).map(|document| xml::write(&document));
    }
    pack.documents.iter().find(|plan| plan.name == dialect)?;
    let tree = write_json(pack, dialect, record);
    if dialect == "civil-csv" {
        return Some(flat::csv(&[&tree]));
    }
    let mut value = tree.to_json();
    if dialect == CARD {
        value = pack.card.write(&value).ok()?;
    }
    serde_json::to_vec_pretty(&value).ok()
}

/// Several records as one table.
pub(in crate::translate) fn write_table(
    pack: &Pack,
    dialect: &str,
    records: &[&Record],
) -> Vec<u8> {
    let rows: Vec<_> = records.iter().map(|record| write_json(pack, dialect, record)).collect();
    flat::csv(&rows.iter().collect::<Vec<_>>())
}
