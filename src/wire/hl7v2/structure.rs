//! Fields into repetitions, components and subcomponents: the leaves of a segment.
//!
//! hl7-parser reads one subcomponent at a time, and only of fields that have several: that
//! takes no memory, where it reads a field or a message into lists of lists. What ended a
//! subcomponent says where the next one stands, so its habit of dropping the rest of a
//! message cannot show, and each field is read to its end.
//! MSH is counted here, because hl7-parser shifts it at `^~\&#`; escape sequences
//! are `escape`'s, because hl7-parser panics on them in Chinese text.

use hl7_parser::parser::parse_subcomponent_with_separators;

use super::segments::Line;
use super::{Limits, Separators};
use crate::vocabulary::Fault;
use crate::vocabulary::position::Hl7Position;

/// One subcomponent that is not empty: where it stands in the text and in the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    pub start: u32,
    pub end: u32,
    pub field: u16,
    pub repetition: u16,
    pub component: u16,
    pub subcomponent: u16,
}

/// Collects the leaves of a message, segment by segment.
pub(super) struct Structure<'a> {
    text: &'a str,
    limits: &'a Limits,
    separators: &'a Separators,
    parser: hl7_parser::message::Separators,
    pub leaves: Vec<Leaf>,
}

/// What a limit may be set to at most, so that a `u16` counts it and one more.
const COUNT_MAX: u16 = 60_000;

type Refused = (Fault, Hl7Position);

impl<'a> Structure<'a> {
    pub fn new(text: &'a str, separators: &'a Separators, limits: &'a Limits) -> Self {
        let parser = hl7_parser::message::Separators {
            field: separators.field.into(),
            component: separators.component.into(),
            subcomponent: separators.subcomponent.into(),
            repetition: separators.repetition.into(),
            escape: separators.escape.into(),
            lenient_newlines: false,
        };
        let leaves = Vec::with_capacity(text.len() / 8);
        Self { text, limits, separators, parser, leaves }
    }

    pub fn segment(&mut self, line: &Line) -> Result<(), Refused> {
        let (mut start, mut number) = (line.start + 4, 1);
        if line.id == *b"MSH" {
            let second = line.start + 4 + self.separators.encoding_characters().len();
            let at = |field| Hl7Position { field, ..Hl7Position::segment(line.id, 1) };
            self.leaf(line.start + 3..line.start + 4, whole(at(1)))?;
            self.leaf(line.start + 4..second, whole(at(2)))?;
            (start, number) = (second + 1, 3);
        }
        let Some(fields) = self.text.get(start..line.end) else { return Ok(()) };
        // Byte by byte: most are shorter than a search is worth. A separator is ASCII, so what
        // stands between two is text.
        for field in fields.as_bytes().split(|byte| *byte == self.separators.field) {
            let end = start + field.len();
            if !field.is_empty() {
                let at = Hl7Position::segment(line.id, line.occurrence);
                let raw = self.text.get(start..end).unwrap_or_default();
                self.field(raw, start, Hl7Position { field: number, ..at })?;
            }
            start = end + 1;
            number = number.saturating_add(1);
        }
        Ok(())
    }

    fn field(&mut self, raw: &str, start: usize, at: Hl7Position) -> Result<(), Refused> {
        if at.field > self.limits.fields_max.min(COUNT_MAX) {
            return Err((Fault::Limit, at));
        }
        let (repetitions, parts) = self.count(raw);
        if parts == 1 {
            return self.leaf(start..start + raw.len(), whole(at));
        }
        if repetitions > usize::from(self.limits.repetitions_max.min(COUNT_MAX))
            || parts > usize::from(self.limits.parts_max.min(COUNT_MAX))
        {
            return Err((Fault::Limit, at));
        }
        let mut leaf = whole(at);
        let mut rest = raw;
        loop {
            let read = parse_subcomponent_with_separators(rest, self.parser);
            let length = read.map_err(|_| (Fault::Malformed, at))?.value.len();
            let from = start + raw.len() - rest.len();
            self.leaf(from..from + length, leaf)?;
            let Some(ended_by) = rest.as_bytes().get(length) else { return Ok(()) };
            leaf = self.next(leaf, *ended_by).ok_or((Fault::Malformed, at))?;
            // A separator is ASCII, so what stands behind it is text.
            rest = rest.get(length + 1..).unwrap_or_default();
        }
    }

    /// Where the leaf behind a separator stands; the limits keep every number far below 2¹⁶.
    fn next(&self, at: Hl7Position, separator: u8) -> Option<Hl7Position> {
        let Hl7Position { repetition, component, subcomponent, .. } = at;
        let signs = self.separators;
        if separator == signs.subcomponent {
            Some(Hl7Position { subcomponent: subcomponent + 1, ..at })
        } else if separator == signs.component {
            Some(Hl7Position { component: component + 1, subcomponent: 1, ..at })
        } else if separator == signs.repetition {
            Some(Hl7Position { repetition: repetition + 1, component: 1, subcomponent: 1, ..at })
        } else {
            None
        }
    }

    /// How many repetitions a field has, and how many parts of any sort.
    fn count(&self, raw: &str) -> (usize, usize) {
        let Separators { repetition, component, subcomponent, .. } = *self.separators;
        let (mut repetitions, mut parts) = (1, 1);
        for byte in raw.bytes() {
            if byte == repetition {
                repetitions += 1;
                parts += 1;
            } else if byte == component || byte == subcomponent {
                parts += 1;
            }
        }
        (repetitions, parts)
    }

    fn leaf(&mut self, range: std::ops::Range<usize>, at: Hl7Position) -> Result<(), Refused> {
        if range.is_empty() {
            return Ok(());
        }
        let full = self.leaves.len() >= self.limits.leaves_max;
        let (Ok(start), Ok(end)) = (u32::try_from(range.start), u32::try_from(range.end)) else {
            return Err((Fault::Limit, at));
        };
        if full || range.len() > self.limits.leaf_bytes_max {
            return Err((Fault::Limit, at));
        }
        let Hl7Position { field, repetition, component, subcomponent, .. } = at;
        self.leaves.push(Leaf { start, end, field, repetition, component, subcomponent });
        Ok(())
    }
}

/// The place of a field that is one leaf.
const fn whole(at: Hl7Position) -> Hl7Position {
    Hl7Position { repetition: 1, component: 1, subcomponent: 1, ..at }
}
