//! 收件, one unit in any form: read, translated, tied to a person, kept, answered for.
//!
//! ```text
//! unit → who sent it → read (by its form) → identify → keep (one commit) → taken
//! ```
//!
//! One unit is one journal row and at most one record. Nothing is said of it before the
//! commit; the same number with the same bytes gets the first outcome again.

pub mod media;
mod number;
mod order;
mod split;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
pub use split::units;

use super::{Gateway, Rules, counters};
use crate::audit::{Hash, Reference};
use crate::identity::{Certificate, Keys, resident};
use crate::registry::receipt::Receipt;
use crate::registry::v3::answer;
use crate::store::{self, Kept, Proposed, Reason, State, StoreError};
use crate::translate::v3::LISTED;
use crate::translate::{Bins, Form, Translation, Unread};
use crate::vocabulary::{ElementId, Entrance, Fault, Position, Record, Source, Value};
use crate::wire::charset::Charset;
use crate::wire::hl7v2::{self, Header, Message};

/// Whoever sends over a connection that belongs to nobody.
const NOBODY: Source = Source::fixed("unknown");

/// One unit as it came.
#[derive(Debug)]
pub struct Unit {
    /// The client's certificate, already verified against our authority.
    pub certificate: Option<Certificate>,
    /// Whose units come by a port or folder without certificates.
    pub sender: Option<Source>,
    /// What it is written in.
    pub form: Form,
    /// By which way it came in.
    pub entrance: Entrance,
    /// How far the table is read with it, if it is a row of one.
    pub mark: Option<store::Mark>,
    /// The sender's own number of it, where its envelope says one.
    pub number: Option<String>,
    /// The bytes.
    pub bytes: Bytes,
}

impl Unit {
    /// One that was posted by somebody with a certificate, and no envelope numbers it.
    #[must_use]
    pub const fn posted(certificate: Option<Certificate>, form: Form, bytes: Bytes) -> Self {
        let entrance = Entrance::Https;
        Self { certificate, sender: None, form, entrance, mark: None, number: None, bytes }
    }
}

/// What became of a unit, and what is told of it.
#[derive(Debug)]
pub struct Taken {
    /// What the journal says, or why it could not be written.
    pub kept: Result<Kept, StoreError>,
    /// Where its leaves ended, if it could be read.
    pub bins: Option<Bins>,
    /// A finer name of what is wrong than the fault.
    pub diagnostic: Option<&'static str>,
    /// When it arrived, milliseconds since 1970.
    pub received_at_ms: i64,
    /// Under which number the document it holds can be asked for.
    pub document: Option<String>,
    /// What of an HL7 v2 header could be read.
    pub(super) header: Option<Header>,
}

impl Taken {
    /// Why it was not applied, if it was not.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match &self.kept {
            Ok(kept) => kept.reason.clone().filter(|_| kept.state != State::Kept),
            Err(_) => Some(Reason { fault: Fault::Unavailable, at: None }),
        }
    }

    /// What the sender of a form without acknowledgements of its own is told.
    #[must_use]
    pub fn receipt(&self) -> Receipt<'_> {
        let reason = self.reason();
        let kept = self.kept.as_ref().ok();
        Receipt {
            number: kept.map(|kept| kept.number),
            state: kept.map_or("unavailable", |kept| kept.state.as_str()),
            fault: reason.as_ref().map(|reason| reason.fault),
            at: reason.and_then(|reason| reason.at),
            diagnostic: self.diagnostic,
            reused: kept.is_some_and(|kept| kept.control_id_reused),
            bins: self.bins.as_ref(),
            received_at_ms: kept.map_or(self.received_at_ms, |kept| kept.received_at_ms),
        }
    }
}

/// What is told of a unit once the store has said what became of it.
struct Pending {
    of: (Source, Form),
    timed: counters::Timed,
    bins: Option<Bins>,
    diagnostic: Option<&'static str>,
    received_at_ms: i64,
    document: Option<String>,
    header: Option<Header>,
}

impl Pending {
    fn ended(self, kept: Result<Kept, StoreError>) -> Taken {
        counters::kept(self.of, &kept);
        drop(self.timed);
        let Self { bins, diagnostic, received_at_ms, document, header, .. } = self;
        Taken { kept, bins, diagnostic, received_at_ms, document, header }
    }
}

/// What was made of the bytes, before anything is kept.
struct Understood {
    header: Option<Header>,
    /// The sender's own number of it, where no HL7 v2 header says it.
    number: Option<String>,
    bins: Option<Bins>,
    diagnostic: Option<&'static str>,
    proposed: Proposed,
}

impl Understood {
    fn refused(fault: Fault) -> Self {
        Self::of(Proposed::Refuse(Reason { fault, at: None }))
    }

    const fn of(proposed: Proposed) -> Self {
        Self { header: None, number: None, bins: None, diagnostic: None, proposed }
    }

    /// The sender's own number of it.
    fn number(&self) -> Option<&str> {
        let header = || self.header.as_ref().map(|header| header.control_id.as_str());
        self.number.as_deref().or_else(header)
    }
}

impl Gateway {
    /// Takes one unit from whoever sent it; durable when this returns.
    pub async fn take(&self, unit: Unit) -> Taken {
        self.take_unless(unit, None).await
    }

    /// The same; one that broke on its way is kept as refused for that reason.
    pub(super) async fn take_unless(&self, unit: Unit, broken: Option<Reason>) -> Taken {
        let (arrival, pending) = self.read(unit, broken);
        pending.ended(self.store.keep(arrival).await)
    }

    /// Reads a unit: what is to be kept of it, and what can be told of it already.
    fn read(&self, unit: Unit, broken: Option<Reason>) -> (store::Arrival, Pending) {
        let timed = counters::Timed::new("kangqiao_push_seconds");
        let rules = self.rules.load_full();
        let received_at_ms = (self.clock)();
        let sender = rules.sender(unit.certificate.as_ref(), unit.sender, received_at_ms);
        let read = match (unit.form, sender) {
            (Form::Hl7v2, _) => self.understand_hl7((&rules, sender), &unit.bytes, broken),
            (_, None) => Understood::refused(Fault::CertificateUnknown),
            (form, Some(sender)) => self.understand((&rules, sender), form, &unit.bytes),
        };
        let document = match &read.proposed {
            Proposed::Apply { record, .. } => numbers_of(record, answer::DOCUMENT).next(),
            _ => None,
        };
        let document = document.map(str::to_owned);
        let digest = Hash::digest(&unit.bytes);
        let named = unit.number.as_deref().or_else(|| read.number());
        let source = sender.unwrap_or(NOBODY);
        let arrival = store::Arrival {
            source,
            control_id: control_id(&self.keys, named, &digest),
            digest: *digest.as_bytes(),
            received_at_ms,
            raw: unit.bytes,
            form: unit.form,
            entrance: unit.entrance,
            mappings: rules.pack.version().to_owned(),
            mark: unit.mark,
            proposed: read.proposed,
        };
        let Understood { header, bins, diagnostic, .. } = read;
        let of = (source, unit.form);
        let pending = Pending { of, timed, bins, diagnostic, received_at_ms, document, header };
        (arrival, pending)
    }

    /// What shall become of bytes that are read again.
    pub(super) fn reread(
        &self,
        rules: &Arc<Rules>,
        (sender, form): (Source, Form),
        bytes: &[u8],
    ) -> Proposed {
        match form {
            Form::Hl7v2 => self.understand_hl7((rules, Some(sender)), bytes, None).proposed,
            form => self.understand((rules, sender), form, bytes).proposed,
        }
    }

    /// HL7 v2: its header is wanted for the acknowledgement whatever else is wrong.
    fn understand_hl7(
        &self,
        (rules, sender): (&Arc<Rules>, Option<Source>),
        bytes: &[u8],
        broken: Option<Reason>,
    ) -> Understood {
        let charset = sender.and_then(|sender| rules.pack.overlay(sender).charset);
        let charset = charset.unwrap_or(Charset::Utf8);
        let message = Message::read(bytes, charset, &self.limits.hl7v2);
        let refuse = |fault, at| Understood::of(Proposed::Refuse(Reason { fault, at }));
        let understood = match (broken, sender, &message) {
            (Some(reason), _, _) => Understood::of(Proposed::Refuse(reason)),
            (None, None, _) => refuse(Fault::CertificateUnknown, None),
            (None, Some(_), Err(error)) => refuse(error.fault(), error.position().cloned()),
            (None, Some(sender), Ok(_)) if !rules.takes(sender, Form::Hl7v2) => {
                refuse(Fault::UnsupportedMedia, None)
            }
            (None, Some(sender), Ok(message)) => {
                counters::charset(sender, message.header());
                match rules.pack.read_hl7(sender, message) {
                    Ok(translation) => self.propose((rules, sender), translation),
                    Err(error) => unread(error.into()),
                }
            }
        };
        Understood { header: header(message, bytes, charset), ..understood }
    }

    /// Any other form: the pack reads it, its own number stands where the form says.
    fn understand(
        &self,
        (rules, sender): (&Arc<Rules>, Source),
        form: Form,
        bytes: &[u8],
    ) -> Understood {
        if !rules.takes(sender, form) {
            return Understood::refused(Fault::UnsupportedMedia);
        }
        let understood = match rules.pack.read((form, sender), bytes, &self.limits) {
            Err(wrong) => unread(wrong),
            Ok(mut records) => match (records.pop(), records.is_empty()) {
                (Some(translation), true) => self.propose((rules, sender), translation),
                (None, _) => Understood::refused(Fault::Malformed),
                // Several people in one unit must never share one outcome.
                (Some(_), false) => Understood::refused(Fault::Limit),
            },
        };
        Understood { number: number::own(form, bytes, &self.limits), ..understood }
    }

    /// What shall become of a unit that could be read.
    fn propose(
        &self,
        (rules, sender): (&Arc<Rules>, Source),
        translation: Translation,
    ) -> Understood {
        counters::unmapped(sender, &translation.bins);
        if translation.veiled.as_ref().is_some_and(|veiled| !rules.knows_key(sender, veiled.by)) {
            let at = Some(Position::Pointer("/veil".to_owned()));
            let reason = Reason { fault: Fault::VeilUnknown, at };
            return Understood::of(Proposed::Refuse(reason));
        }
        if let Some(key) = self.listed(&translation.record) {
            let record = Box::new(translation.record);
            let proposed = Proposed::Enter { record, key };
            return Understood { bins: Some(translation.bins), ..Understood::of(proposed) };
        }
        // What would not be followed as it was meant is quarantined while its sender still listens.
        if let Err((fault, at)) = rules.policies.heed(&translation.record) {
            let proposed = Proposed::Quarantine(Reason { fault, at: Some(at) });
            return Understood { bins: Some(translation.bins), ..Understood::of(proposed) };
        }
        let identifiers = resident::index(&self.keys, translation.record.identifiers());
        let merge_from = match &translation.merge {
            Some(merge) if !merge.from.is_empty() => {
                let from = merge.from.iter().map(|(identifier, at)| (identifier, Some(at)));
                resident::index(&self.keys, from)
            }
            _ => Ok(Vec::new()),
        };
        let proposed = match (identifiers, merge_from) {
            (Ok(identifiers), Ok(merge_from)) => Proposed::Apply {
                entry: Some(self.person_entry(
                    rules,
                    sender,
                    rules.policies.said(&translation.record),
                )),
                documents: self.document_keys(&translation.record),
                wishes: self.wishes(rules.policies.events(), translation.record.dataset),
                record: Box::new(translation.record),
                veiled: translation.veiled,
                identifiers,
                merge_from,
                claim: translation.merge.map(|merge| merge.claim).unwrap_or_default(),
            },
            (Err(error), _) | (_, Err(error)) => {
                Proposed::Quarantine(Reason { fault: error.fault(), at: error.at().cloned() })
            }
        };
        Understood { bins: Some(translation.bins), ..Understood::of(proposed) }
    }
}

impl Gateway {
    /// Under which keys a document is found: its maker's number of it, and its sender's.
    fn document_keys(&self, record: &Record) -> Vec<String> {
        let numbers = numbers_of(record, answer::DOCUMENT);
        numbers.map(|number| self.keyed("document", number)).collect()
    }

    /// The key of an entry about staff or an organisation; `None` for anything about a person.
    fn listed(&self, record: &Record) -> Option<String> {
        let (_, element) = LISTED.iter().find(|(dataset, _)| *dataset == record.dataset)?;
        numbers_of(record, *element)
            .next()
            .map(|number| self.keyed(record.dataset.as_str(), number))
    }

    /// A number that names no person, as it is looked up.
    pub(super) fn keyed(&self, what: &str, number: &str) -> String {
        // No department has a space in its name: no stand-in a department gets is like this.
        self.keys.pseudonym_of_value(&format!("kept {what}"), number)
    }
}

/// The numbers an element holds.
fn numbers_of(record: &Record, element: ElementId) -> impl Iterator<Item = &str> {
    record.values(element).filter_map(|value| match value {
        Value::Identifier(identifier) => Some(identifier.value.as_str()),
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

/// What its sender must mend is refused; what a later mapping may read is kept aside.
fn unread(wrong: Unread) -> Understood {
    let reason = Reason { fault: wrong.fault, at: wrong.at };
    let proposed = match wrong.replayable {
        true => Proposed::Quarantine(reason),
        false => Proposed::Refuse(reason),
    };
    Understood { diagnostic: wrong.diagnostic, ..Understood::of(proposed) }
}

/// What of the message's header can be read, so that a refusal can name the message.
pub(super) fn header(
    message: Result<Message, hl7v2::ReadError>,
    bytes: &[u8],
    charset: Charset,
) -> Option<Header> {
    match message {
        Ok(message) => Some(message.into_header()),
        Err(_) => Header::salvage(bytes, charset),
    }
}

/// The sender's own number of a unit; one without is known by its bytes.
///
/// It stands in the journal in clear. Where a sender makes it of a resident's number, a
/// keyed digest stands there instead.
pub(super) fn control_id(keys: &Keys, named: Option<&str>, digest: &Hash) -> String {
    match named.filter(|id| !id.is_empty()) {
        None => digest.to_string(),
        Some(id) if Reference::new(id).as_str() == id => id.to_owned(),
        // No department has a space in its name: nobody else's stand-ins are like these.
        Some(id) => keys.pseudonym_of_value("message number", id),
    }
}
