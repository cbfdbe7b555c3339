//! From a record to an HL7 v2 message.
//!
//! A record that came as HL7 v2 keeps the frame of its message: the text with each value
//! taken out that the record itself gives back. Writing puts them in again, so that what
//! was accepted comes out as the same bytes: separators, order, empty fields, odd escapes
//! and dropped leaves stand in the frame. A record of another form becomes a fresh message
//! of the event whose dataset it has.

mod frame;
mod fresh;
mod parts;
mod segment;

pub(super) use frame::Frame;
pub use fresh::Envelope;
pub(super) use parts::expand;

use super::Pack;
use crate::vocabulary::{ElementId, Group, IdentifierKind, Record};
use crate::wire::hl7v2::Separators;
use segment::{Slot, Written};

/// The form's name in a record's frame.
pub(super) const FORM: &str = "hl7v2";

/// Writes the message a record came as; `None` if it came in another form.
pub(super) fn write_back(record: &Record) -> Option<Vec<u8>> {
    let wire = record.wire.as_ref().filter(|wire| wire.form == FORM)?;
    frame::fill(wire, record)
}

/// Writes a new message of the record; `None` where no event file has room for it.
pub(super) fn write_fresh(pack: &Pack, record: &Record, envelope: &Envelope) -> Option<Vec<u8>> {
    fresh::write(pack, record, envelope)
}

impl Pack {
    /// One segment of the values of a record, whatever group they stand in; `None` if none of
    /// them has a place in it.
    #[must_use]
    pub fn hl7_segment(
        &self,
        id: [u8; 3],
        record: &Record,
        separators: &Separators,
    ) -> Option<String> {
        let mut written = self.filled(id, record)?;
        written.put_new(Slot::field(1), "1");
        Some(written.line(&String::from_utf8_lossy(&id), separators))
    }

    /// The leaves of that segment, each by the names a query has for its place.
    #[must_use]
    pub fn hl7_leaves(&self, id: [u8; 3], record: &Record) -> Vec<(String, String)> {
        let written = self.filled(id, record).unwrap_or_default();
        written.named(&String::from_utf8_lossy(&id))
    }

    /// Whether a new message of an event (`ADT^A31`) has a place for single facts of an element;
    /// `None` if no file has that event. Identifiers have no place here: whose they are is said
    /// by whoever writes them.
    #[must_use]
    pub fn hl7_tells(&self, event: &str, element: ElementId) -> Option<bool> {
        fresh::named(self, event).map(|(_, plan)| fresh::has_place(plan, element))
    }

    /// Which kind of identifier a type code (HL7 table 0203) names.
    #[must_use]
    pub fn identifier_kind(&self, type_code: &str) -> Option<IdentifierKind> {
        self.hl7.kinds.get(type_code).copied()
    }

    fn filled(&self, id: [u8; 3], record: &Record) -> Option<Written> {
        let plan = self.hl7.segments.get(&id)?;
        let fields = record.fields().cloned().collect();
        let whole = Group { name: self.top, parent: None, fields };
        let mut written = Written::default();
        segment::fill(self, plan, &whole, &mut written);
        (!written.is_empty()).then_some(written)
    }
}
