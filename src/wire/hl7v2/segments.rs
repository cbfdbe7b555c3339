//! A decoded body cut into segments.
//!
//! CR ends a segment. Real senders and stored files also end them with LF or
//! CRLF: that is read and reported as a repair. A line feed that no segment
//! follows stays in its field where CR is the terminator, since senders put
//! them into narrative text.

use std::collections::BTreeMap;

use super::{Limits, Separators};
use crate::vocabulary::Fault;
use crate::vocabulary::position::Hl7Position;

/// Where one segment stands in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub id: [u8; 3],
    pub occurrence: u32,
    pub start: usize,
    pub end: usize,
}

/// The segments of a text, and whether their ends had to be repaired.
pub(super) struct Lines {
    pub lines: Vec<Line>,
    pub repaired: bool,
}

/// What is wrong, and where: in the text, or in a segment that is known.
#[derive(Debug)]
pub(super) enum Wrong {
    Text(Fault, usize),
    Hl7(Fault, Hl7Position),
}

pub(super) fn split(text: &str, separators: &Separators, limits: &Limits) -> Result<Lines, Wrong> {
    let body = text.trim_end_matches(['\r', '\n']);
    let signs = Signs { returns: body.contains('\r'), feeds: body.contains('\n') };
    let bytes = body.as_bytes();
    let mut occurrences: BTreeMap<[u8; 3], u32> = BTreeMap::new();
    let (mut lines, mut repaired, mut start) = (Vec::new(), false, 0);
    while start < body.len() {
        let end = end_of_line(body, start, signs, separators);
        let id = read_id(bytes.get(start..end).unwrap_or_default(), separators)
            .ok_or(Wrong::Text(Fault::Malformed, start))?;
        let occurrence = occurrences.entry(id).or_insert(0);
        *occurrence += 1;
        let at = Hl7Position::segment(id, *occurrence);
        if lines.len() >= limits.segments_max {
            return Err(Wrong::Hl7(Fault::Limit, at));
        }
        if *occurrence > 1 && id == *b"MSH" {
            return Err(Wrong::Hl7(Fault::Malformed, at));
        }
        lines.push(Line { id, occurrence: *occurrence, start, end });
        start = match (bytes.get(end), bytes.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => {
                repaired = true;
                end + 2
            }
            (Some(b'\n'), _) => {
                repaired = true;
                end + 1
            }
            _ => end + 1,
        };
    }
    Ok(Lines { lines, repaired })
}

/// What stands in a body of that which may end a line.
#[derive(Clone, Copy)]
struct Signs {
    returns: bool,
    feeds: bool,
}

fn end_of_line(body: &str, start: usize, signs: Signs, separators: &Separators) -> usize {
    let bytes = body.as_bytes();
    let mut at = start;
    loop {
        // Both are ASCII, so a character begins where each stands and behind it.
        let rest = body.get(at..).unwrap_or_default();
        let found = match signs.feeds {
            true => rest.bytes().position(|byte| matches!(byte, b'\r' | b'\n')),
            false => rest.find('\r'),
        };
        let Some(step) = found else { return body.len() };
        at += step;
        let next = bytes.get(at + 1..).unwrap_or_default();
        // A separator in text is escaped, so what looks like a segment is one.
        let ends = !signs.returns
            || bytes.get(at) == Some(&b'\r')
            || (read_id(next, separators).is_some() && next.get(3) == Some(&separators.field));
        if ends {
            return at;
        }
        at += 1;
    }
}

/// A capital, then two capitals or digits, then a field separator or the end.
fn read_id(line: &[u8], separators: &Separators) -> Option<[u8; 3]> {
    let id @ [first, second, third] = *line.first_chunk()?;
    let follows = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let ended = line.get(3).is_none_or(|byte| *byte == separators.field);
    (first.is_ascii_uppercase() && follows(second) && follows(third) && ended).then_some(id)
}
