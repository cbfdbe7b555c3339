//! The two flows: a message becomes an acknowledgement, a question becomes an answer.
//!
//! The order is the contract: nothing is acknowledged that is not in the journal,
//! nothing leaves that is not in the ledger. Every branch a message or a question
//! can take is on this page; what it calls are straight lines.

mod counters;
mod fhir;
mod gather;
mod ledger;
mod operate;
mod question;
mod rules;
mod sight;
mod watch;

use std::sync::Arc;

use arc_swap::ArcSwap;

use question::Turn;
pub use question::{Question, Refused};
pub use rules::{Asker, Rules};
pub use sight::Sights;
pub use watch::Watch;

use crate::audit::{Entry, Hash, Reference};
use crate::identity::{Keys, Subject, resident};
use crate::inbound::http::Answered;
use crate::inbound::mllp::{self, Received};
use crate::outbound::Upstream;
use crate::policy;
use crate::registry::answer::{AnswerMeta, RefusalMeta};
use crate::registry::writing::Written;
use crate::store::cache::Cache;
use crate::store::{self, Proposed, Reason, State, Store, StoreError};
use crate::vocabulary::{Date, Fault, Source};
use crate::wire::charset::Charset;
use crate::wire::hl7v2::{self, Header, Message, ack};

/// The gateway itself, as a source of records.
pub const OWN: Source = Source::fixed("gateway");
/// Whoever sends over a connection that belongs to nobody.
const NOBODY: Source = Source::fixed("unknown");

/// Everything both flows stand on.
pub struct Gateway {
    /// What operators write, swapped as a whole by a reload.
    pub rules: ArcSwap<Rules>,
    /// Upstream systems, in the order of the configuration; swapped with their certificates.
    pub upstreams: ArcSwap<Vec<Arc<Upstream>>>,
    /// Journal, persons, records and ledger rows.
    pub store: Store,
    /// Unfiltered records by source and person.
    pub cache: Cache,
    /// Keys of the blind index.
    pub keys: Keys,
    /// Limits of one message.
    pub limits: hl7v2::Limits,
    /// What the overview shows beside the store.
    pub watch: Watch,
    /// Milliseconds since 1970.
    pub clock: fn() -> i64,
}

impl Gateway {
    /// Carries one message from its socket to its acknowledgements.
    pub async fn push(&self, came: mllp::Arrival) -> Vec<Vec<u8>> {
        let _timed = counters::Timed::new("kangqiao_push_seconds");
        let rules = self.rules.load_full();
        let (header, arrival) = self.understand(&rules, came);
        let (source, received_at_ms) = (arrival.source, arrival.received_at_ms);
        let kept = self.store.keep(arrival).await;
        self.forget_copies(&kept);
        counters::kept(source, &kept);
        acknowledge(header.as_ref(), kept, received_at_ms)
    }

    /// Who sent it, what it says, about whom, and what shall become of it.
    fn understand(
        &self,
        rules: &Arc<Rules>,
        came: mllp::Arrival,
    ) -> (Option<Header>, store::Arrival) {
        let (received, broken) = match came {
            mllp::Arrival::Message(received) => (received, None),
            mllp::Arrival::Broken { received, fault, at } => (received, Some(Reason { fault, at })),
        };
        let received_at_ms = (self.clock)();
        let sender = rules.sender(received.peer.as_ref(), received.sender, received_at_ms);
        let charset = sender.and_then(|sender| rules.pack.overlay(sender).charset);
        let charset = charset.unwrap_or(Charset::Utf8);
        let message = Message::read(&received.body, charset, &self.limits);
        let header = header(&message, &received, charset);
        let refuse = |fault, at| Proposed::Refuse(Reason { fault, at });
        let proposed = match (broken, sender, &message) {
            (Some(reason), _, _) => Proposed::Refuse(reason),
            (None, None, _) => refuse(Fault::CertificateUnknown, None),
            (None, Some(_), Err(error)) => refuse(error.fault(), error.position().cloned()),
            (None, Some(sender), Ok(message)) => self.propose(rules, sender, message),
        };
        let digest = Hash::digest(&received.body);
        let arrival = store::Arrival {
            source: sender.unwrap_or(NOBODY),
            control_id: control_id(&self.keys, header.as_ref(), &digest),
            digest: *digest.as_bytes(),
            received_at_ms,
            raw: received.body,
            proposed,
        };
        (header, arrival)
    }

    /// What shall become of a message that could be read.
    fn propose(&self, rules: &Arc<Rules>, sender: Source, message: &Message) -> Proposed {
        let quarantine = |fault, at| Proposed::Quarantine(Reason { fault, at });
        let translation = match rules.pack.read_hl7(sender, message) {
            Ok(translation) => translation,
            Err(error) => return quarantine(error.fault(), Some(error.at().clone())),
        };
        counters::read(sender, message.header(), &translation.bins);
        let identifiers = resident::index(&self.keys, translation.record.identifiers());
        let merge_from = match &translation.merge {
            Some(merge) => {
                let from = merge.from.iter().map(|(identifier, at)| (identifier, Some(at)));
                resident::index(&self.keys, from)
            }
            None => Ok(Vec::new()),
        };
        match (identifiers, merge_from) {
            (Ok(identifiers), Ok(merge_from)) => Proposed::Apply {
                entry: (!merge_from.is_empty()).then(|| self.merge_entry(rules, sender)),
                record: Box::new(translation.record),
                identifiers,
                merge_from,
            },
            (Err(error), _) | (_, Err(error)) => quarantine(error.fault(), error.at().cloned()),
        }
    }

    /// Carries one question from its socket to its answer; a refusal is an answer too.
    pub async fn answer(&self, question: Question) -> Answered {
        let _timed = counters::Timed::new("kangqiao_answer_seconds");
        let turn = Turn { rules: self.rules.load_full(), at_ms: (self.clock)() };
        match self.disclose(&turn, &question).await {
            Ok(answered) => answered,
            Err(refused) => self.refuse(&turn, &question, refused).await,
        }
    }

    /// Gathers, decides, enters in the ledger, and only then lets the answer go.
    async fn disclose(&self, turn: &Turn, question: &Question) -> Result<Answered, Refused> {
        let rules = &turn.rules;
        let asker = rules.asker(question.certificate.as_ref(), turn.at_ms)?;
        let inquiry = question.inquiry.as_ref()?;
        let wanted = inquiry.elements.as_deref();
        rules.policies.know(wanted.unwrap_or_default())?;
        let scope = rules.policies.admit(asker, &inquiry.purpose, inquiry.evidence.clone())?;
        let resident = self.resident(&inquiry.identifier).await?;
        let gathered = self.gather(turn, &scope, &resident).await?;
        let release = policy::decide(&scope, wanted, &gathered.records(), &self.keys);
        let entry = Entry::disclosure(
            &release,
            self.circumstances(turn, Some(&resident), gathered.states()),
        );
        let meta = AnswerMeta {
            receipt: &entry.receipt.to_string(),
            answered_at: turn.at_ms / 1000,
            mappings: rules.pack.version(),
            sources: &gathered.reports(),
        };
        let written = question.writing.answer(&rules.pack, &release, &meta);
        let appended = self.append(&entry.with_answer(&written.body)).await?;
        counters::answered(&scope);
        let Written { status, media, body } = written;
        Ok(Answered { status, media, body, entry: Some(appended) })
    }

    /// Enters a refusal in the ledger, and says why, where and what can be done.
    async fn refuse(&self, turn: &Turn, question: &Question, refused: Refused) -> Answered {
        let entry = self.refusal_entry(turn, question, &refused).await;
        let appended = self.append(&entry).await.ok();
        // A refusal nobody can prove is no refusal: then the gateway is unavailable, and
        // what would have been said is not.
        let refused = if appended.is_some() { refused } else { Fault::Unavailable.into() };
        let receipt = entry.receipt.to_string();
        let written = question.writing.refusal(&RefusalMeta {
            fault: refused.fault,
            at: refused.at.as_ref(),
            rule: refused.rule.as_deref(),
            receipt: appended.as_ref().map(|_| receipt.as_str()),
            remedy: refused.remedy.as_ref(),
        });
        counters::refused(refused.fault);
        let Written { status, media, body } = written;
        Answered { status, media, body, entry: appended }
    }

    fn forget_copies(&self, kept: &Result<store::Kept, StoreError>) {
        for person in kept.iter().flat_map(|kept| &kept.persons) {
            self.cache.invalidate(Subject::Person(*person));
        }
    }
}

/// What of the message's header can be read, so that a refusal can name the message.
fn header(
    message: &Result<Message, hl7v2::ReadError>,
    received: &Received,
    charset: Charset,
) -> Option<Header> {
    match message {
        Ok(message) => Some(message.header().clone()),
        Err(_) => Header::salvage(&received.body, charset),
    }
}

/// The sender's own number of a message; one without is known by its bytes.
///
/// It stands in the journal in clear. Where a sender makes it of a resident's number, a
/// keyed digest stands there instead.
fn control_id(keys: &Keys, header: Option<&Header>, digest: &Hash) -> String {
    let named = header.map(|header| header.control_id.as_str()).filter(|id| !id.is_empty());
    match named {
        None => digest.to_string(),
        Some(id) if Reference::new(id).as_str() == id => id.to_owned(),
        // No department has a space in its name: nobody else's stand-ins are like these.
        Some(id) => keys.pseudonym_of_value("message number", id),
    }
}

/// The acknowledgements: a function of the message and of what the journal says, so
/// that the same bytes sent again get the same bytes back.
fn acknowledge(
    header: Option<&Header>,
    kept: Result<store::Kept, StoreError>,
    received_at_ms: i64,
) -> Vec<Vec<u8>> {
    let (number, at_ms, verdict) = match kept {
        Ok(kept) => {
            let verdict = match (kept.state, kept.reason) {
                (State::Quarantined, Some(reason)) => {
                    ack::Verdict::quarantined(reason.fault, reason.at)
                }
                (State::Refused, Some(reason)) => ack::Verdict::refused(reason.fault, reason.at),
                _ => ack::Verdict::applied(),
            };
            (kept.number, kept.received_at_ms, verdict)
        }
        Err(_) => (0, received_at_ms, ack::Verdict::refused(Fault::Unavailable, None)),
    };
    let at = Date::from_timestamp(at_ms / 1000);
    let control_id = format!("KQ{number}");
    hl7v2::replies(header, &verdict, ack::Stamp { control_id: &control_id, at: &at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_number_made_of_a_residents_number_is_not_kept_in_clear() {
        let keys = Keys::derive(&[7; 32]);
        let digest = Hash::digest(b"x");
        let check = |id: &str| {
            let text = format!("MSH|^~\\&|A|B|C|D|20261001||ADT^A28|{id}|P|2.5.1\r");
            let header = Header::salvage(text.as_bytes(), Charset::Utf8).unwrap();
            control_id(&keys, Some(&header), &digest)
        };
        assert_eq!(check("MSG00001"), "MSG00001");
        let kept = check("11010519491231002X-1");
        assert!(!kept.contains("1949") && kept.len() == 32, "{kept}");
        assert_ne!(kept, check("11010519491231002X-2"), "two messages would look like one");
        assert_eq!(control_id(&keys, None, &digest), digest.to_string());
    }
}
