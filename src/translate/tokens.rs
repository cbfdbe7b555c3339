//! 令牌, one entry that its source veiled itself: tokens alone, and no value of anybody.
//!
//! ```text
//! {"veil": "00f1e2d3c4b5a697", "number": "64 hexadecimal digits", "tokens": "base64"}
//! ```
//!
//! `veil` names the key by its fingerprint, `number` is the source's own token of its own
//! number, `tokens` is what can be compared. The record it becomes holds the number alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::form::{Limits, Unread};
use super::{Bins, Pack, Translation};
use crate::identity::linkage::{Fingerprint, Traits, Veiled};
use crate::vocabulary::{
    Dataset, ElementId, Fault, Field, Group, Identifier, IdentifierKind, Position, Record, Source,
    Value,
};
use crate::wire::json;

/// What such a record is called.
const DATASET: Dataset = Dataset::fixed("veiled-entry");
/// 机构内患者标识
const NUMBER: ElementId = ElementId::fixed("MZ.id.local");
/// Signs of a number: as long as no number anybody is known by in clear.
const NUMBER_SIGNS: usize = 64;
/// Signs of tokens: several times what the longest entry has.
const TOKENS_SIGNS_MAX: usize = 64 * 1024;

/// Reads one line.
///
/// # Errors
/// [`Unread`] at `/veil`, `/number` or `/tokens`, or at the byte that is no JSON.
pub fn read(
    pack: &Pack,
    sender: Source,
    (bytes, limits): (&[u8], &Limits),
) -> Result<Translation, Unread> {
    let line = json::read(bytes, &limits.json)
        .map_err(|error| Unread::malformed(error.fault(), Some(error.position().clone())))?;
    // A key nobody knows may be a value in clear: the whole line is refused.
    let known = line.as_object().is_some_and(|members| members.len() <= 3);
    if !known {
        return Err(wrong(Fault::Malformed, ""));
    }
    let veil = text(&line, "/veil")?;
    let by = Fingerprint::parse(veil).ok_or_else(|| wrong(Fault::DataType, "/veil"))?;
    let number = text(&line, "/number").and_then(number)?;
    let tokens = text(&line, "/tokens").and_then(traits)?;
    let identifier = Identifier {
        authority: Some(sender.to_string()),
        ..Identifier::new(IdentifierKind::Local, number)
    };
    let at = Some(Position::Pointer("/number".to_owned()));
    let field = Field { element: NUMBER, value: Value::Identifier(identifier), at };
    let record = Record {
        dataset: DATASET,
        source: sender,
        time: None,
        groups: vec![Group { name: pack.top, parent: None, fields: vec![field] }],
        carried: Vec::new(),
        wire: None,
        mappings: pack.version.clone(),
    };
    let bins = Bins { mapped: 3, ..Bins::default() };
    let veiled = Some(Box::new(Veiled { by: Some(by), traits: tokens }));
    Ok(Translation { record, merge: None, veiled, bins })
}

fn text<'a>(line: &'a Json, at: &str) -> Result<&'a str, Unread> {
    match line.pointer(at) {
        None => Err(wrong(Fault::RequiredMissing, at)),
        Some(value) => value.as_str().ok_or_else(|| wrong(Fault::DataType, at)),
    }
}

fn number(text: &str) -> Result<&str, Unread> {
    let small = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let opaque = text.len() == NUMBER_SIGNS && text.bytes().all(small);
    opaque.then_some(text).ok_or_else(|| wrong(Fault::DataType, "/number"))
}

fn traits(text: &str) -> Result<Traits, Unread> {
    if text.len() > TOKENS_SIGNS_MAX {
        return Err(wrong(Fault::Limit, "/tokens"));
    }
    let bytes = STANDARD.decode(text).ok();
    let traits = bytes.and_then(|bytes| Traits::from_bytes(&bytes));
    let traits = traits.ok_or_else(|| wrong(Fault::DataType, "/tokens"))?;
    if traits.is_bounded() { Ok(traits) } else { Err(wrong(Fault::Limit, "/tokens")) }
}

fn wrong(fault: Fault, at: &str) -> Unread {
    Unread::malformed(fault, Some(Position::Pointer(at.to_owned())))
}
