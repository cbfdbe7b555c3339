//! A notice as an HL7 v2 message, written by the mapping files of the event it is told by.
//!
//! Standard: HL7 v2.5.1 section 3.3.31 (ADT^A31, update person information); of who is one person,
//! IHE ITI TF-2 3.10 (PIX update notification): PID-3 lists every number under which the receiver
//! knows the elder now, the one the notice is about first. Its name stays empty, as there.

use super::Head;
use crate::policy::{Admission, EventRow, Release};
use crate::registry::released::{self, LOCAL};
use crate::translate::{Envelope, Pack};
use crate::vocabulary::{Date, ElementId, Field, Identifier, IdentifierKind, Value};

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

/// What of an event its message has a place for; nothing if it has no message.
#[must_use]
pub fn tells(pack: &Pack, event: &EventRow) -> Vec<ElementId> {
    let Some(name) = &event.hl7v2 else { return Vec::new() };
    let has_place = |id: &ElementId| pack.hl7_tells(name, *id) == Some(true);
    event.tells.iter().copied().filter(has_place).collect()
}

/// Why somebody can be told nothing of an event by a message; `None` if he can.
#[must_use]
pub fn unfit(pack: &Pack, event: &EventRow, admission: &Admission) -> Option<String> {
    let id = event.id;
    let Some(name) = &event.hl7v2 else {
        return Some(format!("event {id} has no HL7 v2 message (hl7v2 in events.toml)"));
    };
    // Whatever the element: only whether the event is known counts here.
    if pack.hl7_tells(name, LOCAL).is_none() {
        return Some(format!("event {id}: no mapping has an event {name}"));
    }
    let opened = &admission.terms().elements;
    let fits = event.tells.is_empty() || tells(pack, event).iter().any(|id| opened.contains(id));
    (!fits).then(|| format!("event {id}: {name} has no place for anything its purpose opens"))
}

/// Writes a notice, whose MSH-10 is its id; `None` if there is nothing to tell in it. Takes a
/// release and nothing less, and of that the [facts](tells) of the message alone.
#[must_use]
pub fn write(
    (pack, event): (&Pack, &EventRow),
    head: &Head<'_>,
    release: &Release,
    (to, answered_at): (&Addressed<'_>, i64),
) -> Option<Vec<u8>> {
    let mut record = released::record(release);
    let told = tells(pack, event);
    record.groups.truncate(1);
    let top = record.groups.first_mut()?;
    top.fields.retain(|field| told.contains(&field.element));
    if top.fields.is_empty() && head.same_as.is_none() {
        return None;
    }
    let reference = |text: &str| {
        let identifier = Identifier::new(IdentifierKind::Local, text);
        let authority = Some(to.authority.to_owned());
        let value = Value::Identifier(Identifier { authority, ..identifier });
        Field { element: LOCAL, value, at: None }
    };
    let others = head.same_as.into_iter().flatten().map(|other| reference(other));
    top.fields.extend([reference(head.reference)].into_iter().chain(others));
    record.time = Some(Date::from_timestamp(head.happened_at));
    let envelope = Envelope {
        event: Some(event.hl7v2.clone()?),
        sending: (SENDING.to_owned(), String::new()),
        receiving: (to.application.to_owned(), to.authority.to_owned()),
        at: Some(Date::from_timestamp(answered_at)),
        control_id: Some(head.id.to_owned()),
    };
    pack.write_hl7(&record, &envelope)
}
