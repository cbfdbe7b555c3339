//! Where in a message something stands: what errors and logs say instead of values.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A place in a message, counted as its standard counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// A byte offset from the first byte of the body.
    Byte(usize),
    /// A place in an HL7 v2 message.
    Hl7(Hl7Position),
    /// Line and column of a text, both from 1.
    Place(u32, u32),
    /// A JSON pointer (RFC 6901) made of names our interface defines and of indices.
    Pointer(String),
}

/// A place in an HL7 v2 message, as ERR-2 (ERL) counts; every number from 1, 0 means "the whole".
///
/// Standard: HL7 v2.5 section 2.A.28.
///
/// Kept as `PID.1.3.2.4`: segment, then the five numbers, zeros at the end left out. Every
/// value of every record has one, so it is short.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hl7Position {
    /// Segment id: three ASCII capitals or digits.
    pub segment: [u8; 3],
    /// Which of the segments with that id, from 1.
    pub occurrence: u32,
    /// Field, from 1.
    pub field: u16,
    /// Repetition, from 1.
    pub repetition: u16,
    /// Component, from 1.
    pub component: u16,
    /// Subcomponent, from 1.
    pub subcomponent: u16,
}

impl Position {
    /// A line and column of a text.
    #[must_use]
    pub fn place(line: usize, column: usize) -> Self {
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Self::Place(number(line), number(column))
    }

    /// Where this is in any message of its kind, without which segment, repetition or item it is;
    /// `None` for an offset or a line, which say nothing of another message.
    #[must_use]
    pub fn place_in_any(&self) -> Option<String> {
        match self {
            Self::Byte(_) | Self::Place(..) => None,
            Self::Hl7(at) => Some(Hl7Position { occurrence: 1, repetition: 0, ..*at }.to_string()),
            Self::Pointer(pointer) => {
                let counts = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
                let named = pointer.split('/').filter(|part| part.is_empty() || !counts(part));
                Some(named.collect::<Vec<_>>().join("/"))
            }
        }
    }
}

impl Hl7Position {
    /// A whole segment.
    #[must_use]
    pub const fn segment(segment: [u8; 3], occurrence: u32) -> Self {
        Self { segment, occurrence, field: 0, repetition: 0, component: 0, subcomponent: 0 }
    }

    /// A field of the first segment with that id.
    #[must_use]
    pub const fn field(segment: [u8; 3], field: u16) -> Self {
        Self { segment, occurrence: 1, field, repetition: 0, component: 0, subcomponent: 0 }
    }

    /// Reads the form in which it is kept.
    fn kept(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let segment = parts.next()?.as_bytes().try_into().ok()?;
        let mut position = Self::segment(segment, parts.next()?.parse().ok()?);
        let Self { field, repetition, component, subcomponent, .. } = &mut position;
        for place in [field, repetition, component, subcomponent] {
            *place = parts.next().map_or(Some(0), |part| part.parse().ok())?;
        }
        parts.next().is_none().then_some(position)
    }

    /// The segment id as text.
    #[must_use]
    pub fn segment_id(&self) -> &str {
        std::str::from_utf8(&self.segment).unwrap_or("???")
    }
}

/// As text, or where nobody reads it as the same numbers in a row.
impl Serialize for Hl7Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let places = [self.field, self.repetition, self.component, self.subcomponent];
        let last = places.iter().rposition(|place| *place > 0).map_or(0, |index| index + 1);
        if !serializer.is_human_readable() {
            let mut row = serializer.serialize_seq(Some(2 + last))?;
            row.serialize_element(self.segment_id())?;
            row.serialize_element(&self.occurrence)?;
            for place in places.iter().take(last) {
                row.serialize_element(place)?;
            }
            return row.end();
        }
        let mut text = format!("{}.{}", self.segment_id(), self.occurrence);
        for place in places.iter().take(last) {
            text.push('.');
            text.push_str(&place.to_string());
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Hl7Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return deserializer.deserialize_seq(Row);
        }
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::kept(&text).ok_or_else(|| D::Error::custom("not a position in a message"))
    }
}

/// Segment, occurrence, and the numbers up to the last that is not 0.
struct Row;

impl<'de> Visitor<'de> for Row {
    type Value = Hl7Position;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a position in a message")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<Hl7Position, A::Error> {
        let wrong = || A::Error::custom("not a position in a message");
        let segment: &str = row.next_element()?.ok_or_else(wrong)?;
        let segment = segment.as_bytes().try_into().map_err(|_| wrong())?;
        let occurrence = row.next_element()?.ok_or_else(wrong)?;
        let mut position = Hl7Position::segment(segment, occurrence);
        let Hl7Position { field, repetition, component, subcomponent, .. } = &mut position;
        for place in [field, repetition, component, subcomponent] {
            *place = row.next_element()?.unwrap_or_default();
        }
        Ok(position)
    }
}

/// `PID-3.1`, `OBX(4)-5`, `PID-3(2).4.1`: occurrence and repetition show when above 1.
impl fmt::Display for Hl7Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.segment_id())?;
        if self.occurrence > 1 {
            write!(f, "({})", self.occurrence)?;
        }
        if self.field > 0 {
            write!(f, "-{}", self.field)?;
        }
        if self.repetition > 1 {
            write!(f, "({})", self.repetition)?;
        }
        if self.component > 0 {
            write!(f, ".{}", self.component)?;
        }
        if self.subcomponent > 0 {
            write!(f, ".{}", self.subcomponent)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Hl7Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(offset) => write!(f, "byte {offset}"),
            Self::Hl7(position) => position.fmt(f),
            Self::Place(line, column) => write!(f, "{line}:{column}"),
            Self::Pointer(pointer) if pointer.is_empty() => f.write_str("/"),
            Self::Pointer(pointer) => f.write_str(pointer),
        }
    }
}

impl From<Hl7Position> for Position {
    fn from(position: Hl7Position) -> Self {
        Self::Hl7(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_position_is_short_and_comes_back_as_it_was() {
        let part = |field, repetition, component, subcomponent| Hl7Position {
            field,
            repetition,
            component,
            subcomponent,
            ..Hl7Position::segment(*b"OBX", 2)
        };
        for (position, text) in [
            (part(0, 0, 0, 0), r#""OBX.2""#),
            (part(5, 0, 0, 0), r#""OBX.2.5""#),
            (part(5, 1, 0, 2), r#""OBX.2.5.1.0.2""#),
        ] {
            assert_eq!(serde_json::to_string(&position).unwrap(), text);
            assert_eq!(serde_json::from_str::<Hl7Position>(text).unwrap(), position);
        }
        for text in ["OBX", "OB.1", "OBX.1.x", "OBX.1.1.1.1.1.1", ""] {
            assert_eq!(Hl7Position::kept(text), None, "{text}");
        }
    }

    #[test]
    fn a_place_in_any_message_counts_nothing() {
        let hl7 = Hl7Position { repetition: 2, component: 4, ..Hl7Position::field(*b"PID", 3) };
        let hl7 = Position::Hl7(Hl7Position { occurrence: 7, ..hl7 });
        let pointer = |text: &str| Position::Pointer(text.to_owned());
        for (position, place) in [
            (hl7, Some("PID-3.4")),
            (pointer("/entry/12/resource/name/0"), Some("/entry/resource/name")),
            (pointer(""), Some("")),
            (Position::Byte(9), None),
            (Position::Place(3, 4), None),
        ] {
            assert_eq!(position.place_in_any().as_deref(), place);
        }
    }

    #[test]
    fn a_position_reads_as_an_engineer_writes_it() {
        let whole = Hl7Position::segment(*b"OBX", 4);
        let deep = Hl7Position {
            field: 3,
            repetition: 2,
            component: 4,
            subcomponent: 1,
            ..Hl7Position::segment(*b"PID", 1)
        };
        assert_eq!(whole.to_string(), "OBX(4)");
        assert_eq!(deep.to_string(), "PID-3(2).4.1");
        assert_eq!(Hl7Position::field(*b"MSH", 9).to_string(), "MSH-9");
    }
}
