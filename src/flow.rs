//! The two flows: a message becomes an acknowledgement, a question becomes an answer.
//!
//! The order is the contract: nothing is acknowledged that is not in the journal,
//! nothing leaves that is not in the ledger. The order of both flows is on this page and in
//! `intake`; what only asks in other words (`query`, `services`, `fhir`) leads back here.

mod alone;
mod asker;
mod batch;
pub mod batches;
mod card;
mod census;
mod counters;
mod deliver;
pub mod doubts;
mod exchange;
mod facts;
mod fhir;
mod gather;
mod history;
mod holds;
pub mod identity;
mod inspect;
mod intake;
mod ledger;
pub mod load;
mod one;
mod operate;
mod overlay;
pub mod policies;
pub mod policing;
pub mod proof;
pub mod published;
mod pulse;
mod query;
mod question;
mod rekey;
mod rerun;
mod retention;
mod review;
mod rotation;
mod rules;
mod saved;
mod search;
pub mod seek;
pub mod services;
mod several;
mod sight;
mod sinks;
pub mod statistics;
mod subscribe;
pub mod tables;
#[cfg(test)]
mod tests;
pub mod trace;
mod watch;
mod whom;
mod witnesses;
pub mod witnessing;
mod word;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

pub use intake::{Taken, Unit, media, units};
use one::Decided;
use question::Turn;
pub use question::{Question, Refused};
pub use rules::{Asker, Rules, past};
pub use sight::{Enforce, Sights};
pub use watch::Watch;

use crate::identity::Keys;
use crate::inbound::http::Answered;
use crate::inbound::mllp;
use crate::outbound::{Sink, Subscriber, Upstream, Witness};
use crate::registry::answer::{AnswerMeta, RefusalMeta};
use crate::registry::whom::Whom;
use crate::registry::writing::Written;
use crate::store::cache::Cache;
use crate::store::{Reason, State, Store};
use crate::translate::form::Limits;
use crate::vocabulary::{Date, Fault, Source};
use crate::wire::charset::Charset;
use crate::wire::hl7v2::batch::is_batch;
use crate::wire::hl7v2::{self, ack};

/// The gateway itself, as a source of records.
pub const OWN: Source = Source::fixed("gateway");

/// Everybody the gateway speaks to by itself.
pub struct Neighbours {
    /// Upstream systems.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Who is told of events.
    pub subscribers: Vec<Arc<Subscriber>>,
    /// Who signs what the ledger shows.
    pub witnesses: Vec<Arc<Witness>>,
    /// Who is sent the ledger as it grows.
    pub sinks: Vec<Arc<Sink>>,
}

/// Everything both flows stand on.
pub struct Gateway {
    /// What operators write, swapped as a whole by a reload.
    pub rules: ArcSwap<Rules>,
    /// Upstream systems, in the order of the configuration; swapped with their certificates.
    pub upstreams: ArcSwap<Vec<Arc<Upstream>>>,
    /// Who is told of events, swapped with their certificates.
    pub subscribers: ArcSwap<Vec<Arc<Subscriber>>>,
    /// Who has seen the ledger's state, swapped with their certificates.
    pub witnesses: ArcSwap<Vec<Arc<Witness>>>,
    /// Who is sent the ledger as it grows, swapped with their certificates.
    pub sinks: ArcSwap<Vec<Arc<Sink>>>,
    /// Journal, persons, records and ledger rows.
    pub store: Store,
    /// Unfiltered records by source and person.
    pub cache: Arc<Cache>,
    /// Keys of the blind index.
    pub keys: Keys,
    /// Limits of one unit.
    pub limits: Limits,
    /// The beat of answers in which nothing is told.
    pub empty_answer: Duration,
    /// What the overview shows beside the store.
    pub watch: Watch,
    /// How long entries of the ledger are kept, in days.
    pub retention_days: u32,
    /// What lists of elders are asked about under, and what wakes their checking.
    pub batches: batches::Batches,
    /// Where what is long is worked on, away from the threads that serve sockets.
    pub background: tokio::runtime::Handle,
    /// What the ledger is looked at for.
    pub doubts: doubts::Watching,
    /// How much is worked on at once.
    pub load: load::Load,
    /// Held while a return is made.
    pub making: statistics::Making,
    /// What went through it in the last day.
    pub pulse: pulse::Pulse,
    /// The font a site has chosen for what is printed.
    pub font: Option<std::path::PathBuf>,
    /// Milliseconds since 1970.
    pub clock: fn() -> i64,
}

impl Gateway {
    /// Carries one HL7 v2 message from its socket to its acknowledgements. What becomes of
    /// it is decided where every other form is: [`Gateway::take`].
    pub async fn push(&self, came: mllp::Arrival) -> Vec<Vec<u8>> {
        match came {
            // Nothing is wrong with it: what is not journaled comes again.
            mllp::Arrival::Broken { received, fault: Fault::Overloaded, .. } => {
                turned_away(&received, Fault::Overloaded, (self.clock)())
            }
            mllp::Arrival::Broken { received, fault, at } => {
                self.push_one(received, Some(Reason { fault, at })).await
            }
            mllp::Arrival::Group(group, broken) => self.push_group(group, &broken).await,
            mllp::Arrival::Message(received) if is_batch(&received.body) => {
                self.push_batch(received).await
            }
            mllp::Arrival::Message(received) => self.push_one(received, None).await,
        }
    }

    /// The same for a body that is one message, or a question in the form of one.
    async fn push_one(&self, received: mllp::Received, broken: Option<Reason>) -> Vec<Vec<u8>> {
        if broken.is_none()
            && let Some(response) = self.query(&received).await
        {
            return response;
        }
        let who = (received.peer.as_ref(), received.sender);
        let _inside = match self.admit_push(who, received.entrance).await {
            Ok(inside) => inside,
            Err(fault) => return turned_away(&received, fault, (self.clock)()),
        };
        acknowledge(self.take_unless(batch::unit(received), broken).await)
    }

    /// Carries one question from its socket to its answer; a refusal is an answer too.
    pub async fn answer(&self, question: Question) -> Answered {
        let _timed = counters::Timed::new("kangqiao_answer_seconds");
        let turn = self.turn();
        let asker = question.asker(&turn);
        let _inside = match self.admit_question(&turn, (&question, asker.ok())).await {
            Ok(inside) => inside,
            Err(answered) => return answered,
        };
        match self.disclose(&turn, (&question, asker)).await {
            Ok(answered) => answered,
            Err(refused) => self.refuse(&turn, &question, refused).await,
        }
    }

    /// Gathers, decides, enters in the ledger, and only then lets the answer go.
    async fn disclose(
        &self,
        turn: &Turn,
        (question, asker): (&Question, Result<Asker, Fault>),
    ) -> Result<Answered, Refused> {
        let (rules, asker) = (&turn.rules, asker?);
        let inquiry = question.inquiry.as_ref()?;
        let wanted = inquiry.elements.as_deref();
        rules.policies.know(wanted.unwrap_or_default())?;
        let evidence = question.evidence(inquiry);
        let admission = rules.policies.admit(asker, &inquiry.purpose, evidence)?;
        if let (Whom::Described(who), Some(window)) = (&inquiry.whom, question.writing.window()) {
            let asked = (&admission, wanted);
            return self.disclose_each((turn, question), asked, (who, window)).await;
        }
        let resident = self.meant_by(turn, &admission, &inquiry.whom).await?;
        let about = |refused: Refused| Refused { person: resident.person, ..refused };
        let asked_by = match &inquiry.whom {
            Whom::Identifier(identifier) => Some(identifier),
            Whom::Described(_) => None,
        };
        let decided = self.decide_on(turn, (&admission, wanted), (&resident, asked_by)).await;
        let Decided { release, entry, sources } = decided.map_err(about)?;
        let meta = AnswerMeta {
            receipt: &entry.receipt.to_string(),
            answered_at: turn.at_ms / 1000,
            mappings: rules.pack.version(),
            sources: &sources,
        };
        let written = question.writing.answer(&rules.pack, &release, &meta);
        let entry = entry.with_answer(&written.body);
        let entered =
            self.enter_answer((turn, &admission), std::iter::once(&release), vec![entry]).await;
        let entry = Some(entered.map_err(|error| about(error.into()))?);
        let Written { status, media, body } = written;
        Ok(Answered { status, media, body, entry })
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
}

/// The acknowledgements: a function of the message and of what the journal says, so
/// that the same bytes sent again get the same bytes back.
fn acknowledge(taken: Taken) -> Vec<Vec<u8>> {
    let (number, at_ms, verdict) = match taken.kept {
        Ok(kept) => (kept.number, kept.received_at_ms, verdict(kept.state, kept.reason)),
        Err(_) => (0, taken.received_at_ms, ack::Verdict::refused(Fault::Unavailable, None)),
    };
    let at = Date::from_timestamp(at_ms / 1000);
    let control_id = format!("KQ{number}");
    let stamp = ack::Stamp { control_id: &control_id, at: &at };
    hl7v2::replies(taken.header.as_ref(), &verdict, stamp)
}

/// The acknowledgement of a message that was not looked at, so that it is sent again.
fn turned_away(received: &mllp::Received, fault: Fault, at_ms: i64) -> Vec<Vec<u8>> {
    let header = hl7v2::Header::salvage(&received.body, Charset::Utf8);
    let at = Date::from_timestamp(at_ms / 1000);
    let stamp = ack::Stamp { control_id: "KQ0", at: &at };
    hl7v2::replies(header.as_ref(), &ack::Verdict::refused(fault, None), stamp)
}

/// What became of a message, as its acknowledgement says it.
fn verdict(state: State, reason: Option<Reason>) -> ack::Verdict {
    match (state, reason) {
        (State::Quarantined, Some(reason)) => ack::Verdict::quarantined(reason.fault, reason.at),
        (State::Refused, Some(reason)) => ack::Verdict::refused(reason.fault, reason.at),
        _ => ack::Verdict::applied(),
    }
}
