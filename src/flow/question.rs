//! 提问, a question as it came, and why one is refused.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::rules::{Asker, Rules};
use super::{Gateway, counters};
use crate::audit::Entry;
use crate::identity::{Certificate, PersonId};
use crate::policy::{Admission, Bilingual, Evidence, Refusal, Release, Released, RuleId, WORD};
use crate::registry::civil::{self, Inquiry, InquiryError};
use crate::registry::writing::{CivilJson, Writing};
use crate::store::StoreError;
use crate::vocabulary::identifier::IdentifierError;
use crate::vocabulary::{Fault, Position};

/// A question: who asks is what the certificate says, what is asked is the body.
pub struct Question {
    /// The client's certificate.
    pub certificate: Option<Certificate>,
    /// Who asks by a table of inquiries: the configuration says.
    pub asker: Option<Asker>,
    /// What is asked, or why that cannot be read.
    pub inquiry: Result<Inquiry, InquiryError>,
    /// In which words the answer is given.
    pub writing: Arc<dyn Writing>,
}

impl Question {
    /// Reads a question of our published JSON interface.
    #[must_use]
    pub fn read(certificate: Option<Certificate>, body: &Bytes) -> Self {
        let (inquiry, writing) = (civil::read_inquiry(body), Arc::new(CivilJson));
        Self { certificate, asker: None, inquiry, writing }
    }

    /// What it brings to show that it is due, and who holds the certificate.
    pub(super) fn evidence(&self, inquiry: &Inquiry) -> Evidence {
        let holder = self.certificate.as_ref().map(|certificate| certificate.subject.clone());
        Evidence { holder, ..inquiry.evidence.clone() }
    }

    /// Who asks.
    ///
    /// # Errors
    /// [`Fault::CertificateUnknown`] if the certificate belongs to no department.
    pub(super) fn asker(&self, turn: &Turn) -> Result<Asker, Fault> {
        let asker = || turn.rules.asker(self.certificate.as_ref(), turn.at_ms);
        self.asker.map_or_else(asker, Ok)
    }
}

/// What is fixed when a question begins: a reload or a tick in between changes nothing.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    /// The rules it is answered under.
    pub rules: Arc<Rules>,
    /// When it began, milliseconds since 1970.
    pub at_ms: i64,
    /// The same by a clock that is never set.
    pub begun: Instant,
}

impl Gateway {
    /// A question, or what else is decided on, begins.
    pub(super) fn turn(&self) -> Turn {
        let (rules, at_ms) = (self.rules.load_full(), (self.clock)());
        Turn { rules, at_ms, begun: Instant::now() }
    }

    /// Enters an answer, whose bytes may leave when this returns; number and checkpoint of the
    /// last of its entries. One in which nothing is told is entered half a beat after its
    /// question and leaves on the beat: whether nobody is known, or somebody of whom nothing may
    /// be told, is not the asker's to measure, nor what an entry sets going behind it.
    ///
    /// # Errors
    /// [`StoreError`] if an entry cannot be made durable, or what must hold for it does not.
    pub(super) async fn enter_answer<'a>(
        &self,
        (turn, admission): (&Turn, &Admission),
        releases: impl Iterator<Item = &'a Release> + Clone,
        entries: Vec<Entry>,
    ) -> Result<(u64, String), StoreError> {
        hold(turn, releases.clone(), self.empty_answer / 2).await;
        let appended = self.append_answer(admission, &entries).await?;
        counters::answered(admission);
        hold(turn, releases, self.empty_answer).await;
        Ok(appended)
    }
}

async fn hold<'a>(turn: &Turn, mut releases: impl Iterator<Item = &'a Release>, every: Duration) {
    // The word an answer rests on, the asker has or knows of.
    let is_word = |one: &Released| one.element().class == WORD;
    if releases.all(|release| release.released().all(is_word)) {
        on_the_beat(turn, every).await;
    }
}

/// Waits for the next beat of a question: how long was worked for it is not told.
pub(super) async fn on_the_beat(turn: &Turn, every: Duration) {
    tokio::time::sleep_until(beat(turn.begun, Instant::now(), every)).await;
}

/// The first beat that is not over yet; now if there is none.
fn beat(begun: Instant, now: Instant, every: Duration) -> Instant {
    let passed = now.saturating_duration_since(begun).as_nanos();
    let beats =
        passed.checked_div(every.as_nanos()).and_then(|whole| u32::try_from(whole + 1).ok());
    let until = beats.and_then(|beats| every.checked_mul(beats));
    until.and_then(|until| begun.checked_add(until)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_leaves_on_the_next_beat_and_at_once_without_one() {
        let begun = Instant::now();
        let check = |passed_ms: u64, every_ms: u64, expect_ms: u64| {
            let [now, expect] = [passed_ms, expect_ms].map(|ms| begun + Duration::from_millis(ms));
            assert_eq!(beat(begun, now, Duration::from_millis(every_ms)), expect, "{passed_ms}");
        };
        check(0, 20, 20);
        check(19, 20, 20);
        check(20, 20, 40);
        check(1_999, 20, 2_000);
        check(7, 0, 7);
        check(7, 65_535, 65_535);
    }
}

/// Why a question is not answered: told to the asker and entered in the ledger alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub fault: Fault,
    /// Where in the inquiry.
    pub at: Option<Position>,
    /// About whom, where the question names nobody and somebody was found.
    pub person: Option<PersonId>,
    /// By which rule, if one of the policies.
    pub rule: Option<RuleId>,
    /// What can be done.
    pub remedy: Option<Bilingual>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, at: None, person: None, rule: None, remedy: None }
    }
}

impl From<&InquiryError> for Refused {
    fn from(error: &InquiryError) -> Self {
        Self { at: Some(error.at.clone()), ..error.fault.into() }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let Refusal { fault, rule, at, remedy } = refusal;
        Self { fault, at, person: None, rule: Some(rule), remedy: Some(remedy) }
    }
}

impl From<IdentifierError> for Refused {
    fn from(_: IdentifierError) -> Self {
        let at = Position::Pointer("/identifier/value".to_owned());
        Self { at: Some(at), ..Fault::IdentifierInvalid.into() }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exhausted
            | StoreError::Full
            | StoreError::Spent
            | StoreError::SecondNeeded => error.fault().into(),
            _ => Fault::Unavailable.into(),
        }
    }
}
