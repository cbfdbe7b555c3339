//! The two flows: a message becomes an acknowledgement, a question becomes an answer.
//!
//! The order is the contract: nothing is acknowledged that is not in the journal,
//! nothing leaves that is not in the ledger. Every branch a message or a question
//! can take is on this page; what it calls are straight lines.

mod entries;
mod gather;
mod rules;
mod sight;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use bytes::Bytes;
use sha2::{Digest, Sha256};

pub use rules::Rules;
pub use sight::Watch;

use crate::audit::{Entry, VerifyingKey};
use crate::identity::{Certificate, Keys, Peer, PersonId, Token, resident};
use crate::inbound::http::{Answered, Asked};
use crate::inbound::mllp::Received;
use crate::outbound::Upstream;
use crate::policy::{Refusal, Scope};
use crate::registry::civil;
use crate::store::cache::Cache;
use crate::store::{Arrival, Kept, Proposed, Reason, State, Store, StoreError};
use crate::vocabulary::{Date, Fault, Position, Source};
use crate::wire::hl7v2::{self, Header, Message, Outcome, ReadError};

/// Everything both flows stand on.
pub struct Gateway {
    /// What operators write, swapped as a whole by a reload.
    pub rules: ArcSwap<Rules>,
    /// Journal, persons, records and ledger rows.
    pub store: Store,
    /// Unfiltered records by source and person.
    pub cache: Cache<Subject>,
    /// Upstream systems, in the order of the configuration.
    pub upstreams: Vec<(Source, String, Arc<Upstream>)>,
    /// Keys of the blind index.
    pub keys: Keys,
    /// Verifies checkpoints for the console.
    pub verifying: VerifyingKey,
    /// Limits of one message.
    pub limits: hl7v2::Limits,
    /// What the overview shows beside the store.
    pub watch: Watch,
    /// Milliseconds since 1970.
    pub clock: fn() -> i64,
}

/// Whose records a cached look-up holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Our own records of one person.
    Person(PersonId),
    /// What an upstream system said about one identifier.
    Token(Source, Token),
}

/// Why a message is not applied: the same for the journal and for the sender.
impl From<&ReadError> for Reason {
    fn from(error: &ReadError) -> Self {
        Self { fault: error.fault(), at: error.position().cloned() }
    }
}

impl Gateway {
    /// Carries one message from its socket to its acknowledgements.
    pub async fn push(&self, received: Received) -> Vec<Vec<u8>> {
        let rules = self.rules.load_full();
        let at_ms = (self.clock)();
        let sender = rules.sender(received.certificate.as_ref(), received.sender);
        let overlay = rules.pack.overlay(sender.unwrap_or(rules.unknown));
        let message = Message::read(&received.body, overlay.charset, &self.limits);
        let header = match &message {
            Ok(message) => Some(message.header().clone()),
            Err(_) => Header::salvage(&received.body, overlay.charset),
        };
        let proposed = match (sender, &message) {
            (None, _) => Proposed::Refuse(Reason { fault: Fault::CertificateUnknown, at: None }),
            (Some(_), Err(error)) => Proposed::Refuse(error.into()),
            (Some(sender), Ok(message)) => self.propose(&rules, sender, message),
        };
        let digest: [u8; 32] = Sha256::digest(&received.body).into();
        let arrival = Arrival {
            source: sender.unwrap_or(rules.unknown),
            control_id: control_id(header.as_ref(), &digest),
            digest,
            received_at_ms: at_ms,
            raw: received.body,
            proposed,
        };
        let source = arrival.source;
        let kept = self.store.keep(arrival).await;
        if let Ok(kept) = &kept {
            self.forget(&kept.persons);
        }
        count(source, &kept);
        acknowledge(header.as_ref(), &kept, at_ms)
    }

    /// What shall become of a message that could be read.
    fn propose(&self, rules: &Arc<Rules>, sender: Source, message: &Message) -> Proposed {
        let translation = match rules.pack.read_hl7(sender, message) {
            Ok(translation) => translation,
            Err(error) => {
                return Proposed::Quarantine(Reason { fault: error.fault(), at: error.at().cloned() });
            }
        };
        rules::observe(sender, message, &translation);
        let merged = translation.merge.iter().flat_map(|merge| &merge.from);
        let merged = merged.map(|(identifier, at)| (identifier, Some(at)));
        let whom = resident::index(&self.keys, translation.record.identifiers());
        let merge_from = match translation.merge {
            Some(_) => resident::index(&self.keys, merged),
            None => Ok(Vec::new()),
        };
        match (whom, merge_from) {
            (Ok(identifiers), Ok(merge_from)) => Proposed::Apply {
                entry: (!merge_from.is_empty()).then(|| self.merge_entry(rules)),
                record: Box::new(translation.record),
                identifiers,
                merge_from,
            },
            (Err(error), _) | (_, Err(error)) => {
                Proposed::Quarantine(Reason { fault: error.fault(), at: error.position().cloned() })
            }
        }
    }

    /// Carries one question from its socket to its answer; a refusal is an answer too.
    pub async fn answer(&self, asked: Asked) -> Answered {
        let rules = self.rules.load_full();
        match self.disclose(&rules, &asked).await {
            Ok(answered) => answered,
            Err(refused) => self.refuse(&rules, refused).await,
        }
    }

    /// Gathers, decides, enters in the ledger, and only then lets the answer go.
    async fn disclose(&self, rules: &Arc<Rules>, asked: &Asked) -> Result<Answered, Refused> {
        let (department, role) = rules.asker(asked.certificate.as_ref())?;
        let who = Who::new(department, role);
        let inquiry = civil::read_inquiry(&asked.body).map_err(|error| who.malformed(&error))?;
        let scope = rules
            .policies
            .admit(department, role, &inquiry.purpose, inquiry.evidence)
            .map_err(|refusal| who.refused(refusal))?;
        let token = self.token(&inquiry.identifier).map_err(|reason| who.reason(&scope, reason))?;
        let person = self.store.person(&[token]).await.map_err(|error| who.stored(&error))?;
        let gathered = self.gather(rules, &scope, &inquiry.identifier, token, person).await;
        let gathered = gathered.map_err(|reason| who.reason(&scope, reason))?;
        let release = rules.policies.decide(
            &scope,
            inquiry.elements.as_deref(),
            &gathered.records(),
            &self.keys,
        );
        let mut entry = self.disclosure(rules, &release, &gathered.sources);
        entry.person = Some(self.pseudonym(person, &token));
        let body = civil::write_answer(&release, &rules.meta(&entry, &gathered.sources));
        entry.answer_sha256 = Some(Sha256::digest(&body).into());
        let appended = self.append(&entry).await.map_err(|error| who.stored(&error))?;
        Ok(Answered { status: 200, media: civil::MEDIA, body, entry: Some(appended) })
    }

    /// Enters a refusal in the ledger and says why, where, and what can be done.
    async fn refuse(&self, rules: &Arc<Rules>, refused: Refused) -> Answered {
        let entry = self.refusal(rules, &refused);
        let appended = self.append(&entry).await;
        let fault = if appended.is_ok() { refused.fault } else { Fault::Unavailable };
        let receipt = appended.is_ok().then(|| entry.receipt.to_string());
        let body = civil::write_refusal(fault, refused.at.as_ref(), receipt.as_deref(), refused.remedy.as_ref());
        let status = fault.row().http_status;
        Answered { status, media: civil::MEDIA, body, entry: appended.ok() }
    }
}
