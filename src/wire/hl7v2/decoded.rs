//! From bytes to text: which character set a body is in, and the body decoded by it.
//!
//! MSH-18 is looked for in the raw bytes, tried, and read again in the decoded
//! text, where it cannot be misplaced. UTF-16 shows itself by its mark or by a
//! zero byte beside the first letter.

use std::borrow::Cow;

use super::ReadError;
use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::{Fault, Position};
use crate::wire::charset::{Charset, CharsetError};

/// A decoded body.
pub(super) struct Decoded<'a> {
    /// The text, without a byte order mark.
    pub text: Cow<'a, str>,
    /// What it was decoded by.
    pub charset: Charset,
    /// Whether MSH-18 names something else, or the text looks like UTF-8 read by another.
    pub mismatch: bool,
    mark_bytes: usize,
}

impl<'a> Decoded<'a> {
    /// Text that needs no decoding.
    pub const fn text(text: &'a str) -> Self {
        let (text, charset) = (Cow::Borrowed(text), Charset::Utf8);
        Self { text, charset, mismatch: false, mark_bytes: 0 }
    }

    /// Whether a byte order mark stood before the text.
    pub const fn is_marked(&self) -> bool {
        self.mark_bytes > 0
    }

    /// The byte of the body at which a byte of the text stood.
    pub fn byte_at(&self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        Position::Byte(self.mark_bytes + self.charset.encode_lossy(before).len())
    }
}

/// Decodes a body by what it declares, and else by the sender's default.
pub(super) fn decode(bytes: &[u8], fallback: Charset) -> Result<Decoded<'_>, ReadError> {
    let candidates = candidates(bytes, fallback);
    let mut first_error = None;
    for charset in candidates {
        if let Some(at) = control_byte(bytes, charset) {
            first_error.get_or_insert(at);
            continue;
        }
        let text = match charset.decode(bytes) {
            Ok(text) => text,
            Err(CharsetError::Malformed(at) | CharsetError::Unmappable(at)) => {
                first_error.get_or_insert(at);
                continue;
            }
        };
        let declared = declared_names(&text);
        let known = declared.iter().find_map(|name| Charset::from_hl7(name));
        // A name nobody knows does no harm where every byte is ASCII.
        if known.is_none() && !declared.is_empty() && !text.is_ascii() {
            let at = Hl7Position::field(*b"MSH", 18);
            return Err(ReadError::at(Fault::CharacterSet, at));
        }
        let agrees = |name: &&str| {
            let same = Charset::from_hl7(name).map(Charset::hl7_name);
            same == Some(charset.hl7_name())
        };
        let mismatch = !declared.first().is_none_or(agrees) || is_doubtful(bytes, charset);
        let mark_bytes = mark_bytes(bytes, charset);
        return Ok(Decoded { text, charset, mismatch, mark_bytes });
    }
    Err(ReadError::at(Fault::CharacterSet, Position::Byte(first_error.unwrap_or(0))))
}

/// The character sets to try, in order.
pub(super) fn candidates(bytes: &[u8], fallback: Charset) -> Vec<Charset> {
    if let Some(wide) = sniff_utf16(bytes) {
        return vec![wide];
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return vec![Charset::Utf8];
    }
    let mut found = Vec::new();
    // In GBK a facility's name may hold the byte of the field separator, so that
    // counting must step over pairs; in every other character set it must not.
    let gbk = raw_names(bytes, true);
    if gbk.first().is_some_and(|name| *name == Charset::Gb18030) {
        found.push(Charset::Gb18030);
    }
    found.extend(raw_names(bytes, false));
    found.push(fallback);
    found.retain(|charset| charset.extends_ascii());
    found
}

/// Where Latin-1 would have a control character no writer of it means. ISO/IEC 8859-1 gives
/// 0x80 to 0x9F no character, and in Chinese they are bytes of nearly every name: read so, it
/// would be accepted as a text of accents that nobody can undo.
fn control_byte(bytes: &[u8], charset: Charset) -> Option<usize> {
    let latin = charset == Charset::Latin1;
    bytes.iter().position(|byte| latin && matches!(byte, 0x80..=0x9F))
}

/// Whether bytes read as GB 18030 or Latin-1 are Chinese in UTF-8 as well: then the sender's
/// default or declaration is likely wrong. It is said, never acted upon.
fn is_doubtful(bytes: &[u8], charset: Charset) -> bool {
    // In GBK three characters of three bytes all of which are UTF-8 too are very rare, in
    // Latin-1, where they are a letter and two signs, a single one is.
    let enough = match charset {
        Charset::Gb18030 => 3,
        Charset::Latin1 => 1,
        _ => return false,
    };
    let wide = |text: &str| text.chars().filter(|sign| sign.len_utf8() == 3).count() >= enough;
    !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok_and(wide)
}

/// UTF-16 by its byte order mark, or by the zero byte beside the first letter.
pub(super) fn sniff_utf16(bytes: &[u8]) -> Option<Charset> {
    match bytes.first_chunk()? {
        [0xFE, 0xFF] | [0, b'M' | b'F' | b'B'] => Some(Charset::Utf16Be),
        [0xFF, 0xFE] | [b'M' | b'F' | b'B', 0] => Some(Charset::Utf16Le),
        _ => None,
    }
}

fn raw_names(bytes: &[u8], pairs: bool) -> Vec<Charset> {
    let Some(separator) = bytes.get(3).copied() else { return Vec::new() };
    let (mut field, mut inside_pair, mut names) = (1, false, Vec::new());
    for byte in bytes.iter().skip(4).copied() {
        let second = std::mem::take(&mut inside_pair);
        if second && pairs {
            continue;
        }
        match byte {
            b'\r' | b'\n' => break,
            _ if byte == separator => field += 1,
            0x81..=0xFE => inside_pair = true,
            _ if field == 17 => names.push(byte),
            _ => (),
        }
    }
    let names = String::from_utf8(names).unwrap_or_default();
    names.split('~').filter_map(Charset::from_hl7).collect()
}

/// The names in MSH-18 of a decoded message; empty if there are none.
fn declared_names(text: &str) -> Vec<&str> {
    let segment = text.split(['\r', '\n']).next().unwrap_or_default();
    let Some(separator) = segment.chars().nth(3) else { return Vec::new() };
    let field = segment.split(separator).nth(17).unwrap_or_default();
    let silent = !segment.starts_with("MSH") || matches!(field.trim(), "" | "\"\"");
    if silent { Vec::new() } else { field.split('~').collect() }
}

fn mark_bytes(bytes: &[u8], charset: Charset) -> usize {
    match charset {
        Charset::Utf8 if bytes.starts_with(b"\xEF\xBB\xBF") => 3,
        Charset::Utf16Be if bytes.starts_with(b"\xFE\xFF") => 2,
        Charset::Utf16Le if bytes.starts_with(b"\xFF\xFE") => 2,
        _ => 0,
    }
}
