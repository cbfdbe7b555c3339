//! MSH-1 and MSH-2, the separators a message declares for itself.

use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::{Fault, Position};

/// The delimiters of one message; all are ASCII punctuation and differ.
///
/// Standard: HL7 v2.4 section 2.7; the truncation character is v2.7 section 2.5.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Separators {
    /// Between fields, MSH-1.
    pub field: u8,
    /// Between components.
    pub component: u8,
    /// Between repetitions.
    pub repetition: u8,
    /// Around escape sequences.
    pub escape: u8,
    /// Between subcomponents.
    pub subcomponent: u8,
    /// Marks a shortened value (v2.7 and later), if declared.
    pub truncation: Option<u8>,
}

impl Default for Separators {
    /// What HL7 recommends: `|^~\&`.
    fn default() -> Self {
        Self {
            field: b'|',
            component: b'^',
            repetition: b'~',
            escape: b'\\',
            subcomponent: b'&',
            truncation: None,
        }
    }
}

impl Separators {
    /// Reads `MSH|^~\&` or `MSH|^~\&#`.
    ///
    /// # Errors
    /// `malformed` at MSH-1 or MSH-2 unless there are 4 or 5 encoding characters
    /// that, with the field separator, are different ASCII punctuation.
    pub fn read(segment: &str) -> Result<Self, (Fault, Position)> {
        let wrong = |field| (Fault::Malformed, Hl7Position::field(*b"MSH", field).into());
        let mut bytes = segment.bytes().skip(3);
        let field = bytes.next().filter(u8::is_ascii_punctuation).ok_or(wrong(1))?;
        let declared: Vec<u8> = bytes.take(6).take_while(|byte| *byte != field).collect();
        let (truncation, basic) = match declared.as_slice() {
            [component, repetition, escape, subcomponent] => {
                (None, [*component, *repetition, *escape, *subcomponent])
            }
            [component, repetition, escape, subcomponent, truncation] => {
                (Some(*truncation), [*component, *repetition, *escape, *subcomponent])
            }
            _ => return Err(wrong(2)),
        };
        let mut distinct: Vec<u8> = declared.iter().copied().chain([field]).collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() != declared.len() + 1 || !distinct.iter().all(u8::is_ascii_punctuation) {
            return Err(wrong(2));
        }
        let [component, repetition, escape, subcomponent] = basic;
        Ok(Self { field, component, repetition, escape, subcomponent, truncation })
    }

    /// MSH-2 as these separators declare it.
    #[must_use]
    pub fn encoding_characters(&self) -> String {
        [self.component, self.repetition, self.escape, self.subcomponent]
            .into_iter()
            .chain(self.truncation)
            .map(char::from)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(segment: &str, wrong_field: Option<u16>) {
        let at = Separators::read(segment).err().map(|(_, at)| at);
        assert_eq!(at, wrong_field.map(|n| Hl7Position::field(*b"MSH", n).into()), "{segment}");
    }

    #[test]
    fn separators_are_distinct_punctuation_or_refused() {
        check("MSH|^~\\&|A", None);
        check("MSH|^~\\&#|A", None);
        check("MSH|^~\\&", None);
        check("MSH#!@%*#A", None);
        check("MSH", Some(1));
        check("MSHA^~\\&A", Some(1));
        check("MSH1^~\\&1", Some(1));
        check("MSH ^~\\& ", Some(1));
        check("MSH||||||A", Some(2));
        check("MSH|^~&|A", Some(2));
        check("MSH|^^\\&|A", Some(2));
        check("MSH|ABCD|A", Some(2));
        check("MSH|^~\\&#!|A", Some(2));
        check("MSH|^~張|A", Some(2));
    }

    #[test]
    fn what_was_declared_is_written_the_same() {
        for declared in ["^~\\&", "^~\\&#", "!@%*"] {
            let read = Separators::read(&format!("MSH|{declared}|")).unwrap();
            assert_eq!(read.encoding_characters(), declared);
        }
    }
}
