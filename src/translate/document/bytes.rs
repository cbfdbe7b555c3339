//! Documents as the bytes they come in and go out as, whatever their syntax.

use super::{Pack, Record, Source, Translation, Tree, read_json, read_xml, syntax};
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
    fired: Option<&mut Vec<bool>>,
) -> Result<Vec<Translation>, Unread> {
    let syntax = syntax::of(dialect);
    if syntax.is_some_and(syntax::Syntax::is_xml) {
        let document = xml::read(bytes, &limits.xml)
            .map_err(|error| Unread::malformed(error.fault(), Some(error.position().clone())))?;
        return Ok(vec![read_xml(pack, (dialect, source), &document, fired)?]);
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
    let mut value = tree.to_json();
    if dialect == CARD {
        value = pack.card.write(&value).ok()?;
    }
    serde_json::to_vec_pretty(&value).ok()
}
