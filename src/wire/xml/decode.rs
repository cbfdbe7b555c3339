//! The text of an XML document, whatever its declaration says of its character set.

use std::borrow::Cow;

use super::XmlError;
use crate::vocabulary::{Fault, Position};
use crate::wire::Charset;

/// A declaration stands in the first bytes; quotation marks around the name included.
const DECLARATION_BYTES_MAX: usize = 256;

/// Bytes as text, without a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => strictly(rest, Charset::Utf8),
        // Four zero-laden bytes of UTF-32 end here too: no text has U+0000.
        [0xFE, 0xFF, ..] | [0, b'<', ..] => strictly(bytes, Charset::Utf16Be),
        [0xFF, 0xFE, ..] | [b'<', 0, ..] => strictly(bytes, Charset::Utf16Le),
        _ => unmarked(bytes),
    }
}

/// The declared character set, where the bytes are in it and are not plainly UTF-8.
fn unmarked(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    let declared = match declared(bytes) {
        Some(name) => Charset::from_hl7(name).ok_or_else(|| wrong(bytes, 0))?,
        None => Charset::Utf8,
    };
    if let Ok(text) = Charset::Utf8.decode(bytes)
        && (matches!(declared, Charset::Utf8 | Charset::Ascii) || plainly_utf8(&text))
    {
        return Ok(text);
    }
    match declared {
        // Programs that hold text as UTF-16 declare it so and write something else.
        Charset::Ascii | Charset::Utf16Be | Charset::Utf16Le | Charset::Utf8 => {
            Charset::Gb18030.decode(bytes).or_else(|_| strictly(bytes, Charset::Utf8))
        }
        Charset::Gb18030 | Charset::Latin1 => strictly(bytes, declared),
    }
}

/// Whether text that decoded as UTF-8 is not there by accident: a sequence of three bytes
/// that makes a character of China from bytes of another set is rare, a text of them none.
fn plainly_utf8(text: &str) -> bool {
    let mut beyond = text.chars().filter(|sign| !sign.is_ascii()).peekable();
    beyond.peek().is_none()
        || beyond.all(|sign| matches!(sign, '\u{2000}'..='\u{9fff}' | '\u{f900}'..='\u{10ffff}'))
}

/// The name in `encoding="…"` of the declaration.
fn declared(bytes: &[u8]) -> Option<&str> {
    let head = bytes.get(..bytes.len().min(DECLARATION_BYTES_MAX))?;
    let end = head.iter().position(|byte| *byte == b'>')?;
    let head = std::str::from_utf8(head.get(..end)?).ok()?.strip_prefix("<?xml")?;
    let value = head.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|sign| matches!(sign, '"' | '\''))?;
    value.get(1..)?.split(quote).next()
}

fn strictly(bytes: &[u8], charset: Charset) -> Result<Cow<'_, str>, XmlError> {
    charset.decode(bytes).map_err(|error| match error {
        crate::wire::charset::CharsetError::Malformed(at)
        | crate::wire::charset::CharsetError::Unmappable(at) => wrong(bytes, at),
    })
}

/// The place of a byte in a text that could not be decoded: lines by LF, columns in bytes.
fn wrong(bytes: &[u8], at: usize) -> XmlError {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    XmlError { fault: Fault::XmlEncoding, at: Position::place(line, column) }
}
