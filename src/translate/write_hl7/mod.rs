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
use crate::vocabulary::Record;

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
