//! A notice as an HL7 v2 message, written by the mapping files of the event it is told by.
//!
//! Standard: HL7 v2.5.1 section 3.3.31 (ADT^A31, update person information); of who is one person,
//! IHE ITI TF-2 3.10 (PIX update notification): PID-3 lists every number under which the receiver
//! knows the elder now, the one the notice is about first. Its name stays empty, as there.

use super::{Head, Told, Words};
use crate::policy::{EventRow, Terms};
use crate::translate::{Envelope, Pack};
use crate::vocabulary::{Date, ElementId};

/// MSH-3 of every notice.
const SENDING: &str = "kangqiao";

/// To whom a message is addressed.
#[derive(Debug, Clone, Copy)]
pub struct Addressed<'a> {
    /// MSH-5.
    pub application: &'a str,
    /// MSH-6, and the authority of the references in PID-3.
    pub authority: &'a str,
}

impl Words for Addressed<'_> {
    fn tells(&self, pack: &Pack, event: &EventRow) -> Vec<ElementId> {
        let Some(name) = &event.hl7v2 else { return Vec::new() };
        super::placed(event, |id| pack.hl7_tells(name, id))
    }

    fn unfit(&self, pack: &Pack, event: &EventRow, terms: &Terms) -> Option<String> {
        let id = event.id;
        let Some(name) = &event.hl7v2 else {
            return Some(format!("event {id} has no HL7 v2 message (hl7v2 in events.toml)"));
        };
        super::unplaced((event, name), terms, |id| pack.hl7_tells(name, id))
    }

    /// MSH-10 is the id of the notice.
    fn write(&self, head: &Head<'_>, told: &Told<'_>) -> Option<Vec<u8>> {
        let Told { pack, event, release, meta } = told;
        let places = self.tells(pack, event);
        let record = super::single((head, release), &places, self.authority)?;
        let envelope = Envelope {
            event: Some(event.hl7v2.clone()?),
            sending: (SENDING.to_owned(), String::new()),
            receiving: (self.application.to_owned(), self.authority.to_owned()),
            at: Some(Date::from_timestamp(meta.answered_at)),
            control_id: Some(head.id.to_owned()),
        };
        pack.write_hl7(&record, &envelope)
    }
}
