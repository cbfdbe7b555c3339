//! 订阅, a department says of whom it wishes to be told, and what it wants told again.
//!
//! Whether the gateway knows somebody is not said: who is enrolled and known, and who is
//! enrolled and not, are answered alike.

use bytes::Bytes;

use super::question::{Refused, Turn};
use super::{Gateway, counters};
use crate::audit::{Entry, Kind, Reference};
use crate::identity::{Certificate, Token};
use crate::inbound::http::Answered;
use crate::outbound::Subscriber;
use crate::policy::Admission;
use crate::registry::answer::{RefusalMeta, write_refusal};
use crate::registry::notice::{self, Done, Request, Wish};
use crate::store::StoreError;
use crate::store::outbox::{Enrol, Enrolled, Verdict};
use crate::vocabulary::{Fault, Identifier, Position};

/// Media type of requests and what became of them.
const JSON: &str = "application/json";

/// Dead notices that are listed at once.
const DEAD_MAX: usize = 200;

impl Gateway {
    /// Carries one request about a subscription to its answer; a refusal is entered too.
    pub async fn subscribe(&self, certificate: Option<Certificate>, body: Bytes) -> Answered {
        let turn = self.turn();
        let asker = turn.rules.asker(certificate.as_ref(), turn.at_ms);
        let carried = match (asker, notice::read(&body)) {
            (Err(fault), _) => Err(fault.into()),
            (Ok(_), Err(error)) => Err(Refused::from(&error)),
            (Ok(asker), Ok(request)) => self.carry(&turn, asker, &request).await,
        };
        match carried {
            Ok(answered) => answered,
            Err(refused) => self.decline_about(&turn, (asker.ok(), "subscription"), &refused).await,
        }
    }

    async fn carry(
        &self,
        turn: &Turn,
        (department, role): super::Asker,
        request: &Request,
    ) -> Result<Answered, Refused> {
        // Somebody else's subscription is as good as none.
        let own = |one: &std::sync::Arc<Subscriber>| {
            (one.settings().department, one.settings().role) == (department, role)
        };
        let subscriber = self.subscriber(request.subscription).filter(own);
        let subscriber = subscriber.ok_or_else(|| Refused {
            at: Some(Position::Pointer("/subscription".to_owned())),
            ..Fault::SubscriptionUnknown.into()
        })?;
        let admission = self.admission_of(turn, &subscriber)?;
        let subscription = request.subscription;
        let (subject, changes) = match &request.wish {
            Wish::Elders { enrol, leave } => {
                let changes = self.changes(enrol, leave)?;
                self.enter_enrolments(turn, (&subscriber, &admission), &changes).await?;
                (format!("{subscription} enrolments"), changes)
            }
            Wish::Rewind(since) => (format!("{subscription} told again since {since}"), Vec::new()),
        };
        let entry = Entry::enrolment(&admission, &subject, Self::about(turn, None, [].into()));
        let appended = self.append(&entry).await?;
        let (mut enrolled, mut left, mut again) = (None, None, None);
        match request.wish {
            Wish::Elders { .. } => {
                let changed = self.store.enrol(subscription, changes, turn.at_ms).await?;
                (enrolled, left) = (Some(changed.0), Some(changed.1));
            }
            Wish::Rewind(since) => {
                let verdict = Verdict::Rewind(subscription, since.saturating_mul(1000));
                again = Some(self.store.decide(verdict).await?);
            }
        }
        let receipt = entry.receipt.to_string();
        let done = Done { receipt: &receipt, subscription, enrolled, left, again };
        let body = notice::write_done(&done);
        Ok(Answered { status: 200, media: JSON, body, entry: Some(appended) })
    }

    fn changes(
        &self,
        enrol: &[(Identifier, String)],
        leave: &[String],
    ) -> Result<Vec<Enrol>, Refused> {
        let mut changes = Vec::with_capacity(enrol.len() + leave.len());
        changes.extend(leave.iter().cloned().map(Enrol::Leave));
        for (identifier, reference) in enrol {
            let (kind, token) = self.keys.indexed(identifier)?;
            let identifier = Identifier::new(kind, identifier.normalised()?);
            let enrolled = Enrolled { identifier, reference: reference.clone() };
            changes.push(Enrol::Join(enrolled, token));
        }
        Ok(changes)
    }

    /// One entry for each elder, all before the list changes.
    async fn enter_enrolments(
        &self,
        turn: &Turn,
        (subscriber, admission): (&Subscriber, &Admission),
        changes: &[Enrol],
    ) -> Result<(), StoreError> {
        let name = subscriber.settings().name;
        let mut entries = Vec::with_capacity(changes.len());
        for change in changes {
            let (reference, joins) = match change {
                Enrol::Join(enrolled, token) => (&enrolled.reference, Some(*token)),
                Enrol::Leave(reference) => (reference, None),
            };
            // Whoever had the reference is on the list no longer.
            let leaves = self.store.enrolled(name, reference).await?;
            let leaves = leaves.filter(|before| joins != Some(*before));
            for (word, token) in [("left", leaves), ("joined", joins)] {
                let Some(token) = token else { continue };
                let person = Some(self.pseudonym_of(&token).await?);
                let circumstances = Self::about(turn, person, [].into());
                entries.push(Entry::enrolment(admission, &format!("{name} {word}"), circumstances));
            }
        }
        let appending = entries.iter().map(|entry| self.append(entry));
        futures_util::future::try_join_all(appending).await.map(drop)
    }

    /// What stands in the ledger for whoever has an identifier.
    pub(super) async fn pseudonym_of(
        &self,
        token: &Token,
    ) -> Result<crate::identity::Pseudonym, StoreError> {
        Ok(match self.alone_under(token).await? {
            Some(holder) => self.keys.pseudonym(holder.root),
            None => self.keys.pseudonym_of_token(token),
        })
    }

    /// Enters and writes why something that is about nobody alone is refused.
    pub(super) async fn decline_about(
        &self,
        turn: &Turn,
        (asker, subject): (Option<super::Asker>, &str),
        refused: &Refused,
    ) -> Answered {
        let circumstances = Self::about(turn, None, [].into());
        let evidence = crate::policy::Evidence::default();
        let mut entry = Entry::refusal(refused.fault, asker, &evidence, circumstances);
        entry.subject = Some(Reference::new(subject));
        entry.policy = Some(turn.rules.policies.version().to_owned());
        let appended = self.append(&entry).await.ok();
        let fault = if appended.is_some() { refused.fault } else { Fault::Unavailable };
        let receipt = entry.receipt.to_string();
        let body = write_refusal(&RefusalMeta {
            fault,
            at: refused.at.as_ref(),
            rule: refused.rule.as_deref(),
            receipt: appended.as_ref().map(|_| receipt.as_str()),
            remedy: refused.remedy.as_ref(),
        });
        counters::refused(fault);
        Answered { status: fault.row().http_status, media: JSON, body, entry: appended }
    }

    /// How the notices of each subscription stand, and the dead ones.
    ///
    /// # Errors
    /// [`Fault::Unavailable`].
    pub async fn notices(&self) -> Result<serde_json::Value, Fault> {
        let subscriptions = self.standings().await?;
        let dead = self.store.dead(0, DEAD_MAX).await.map_err(|error| error.fault())?;
        Ok(serde_json::json!({ "subscriptions": subscriptions, "dead": dead }))
    }

    /// Enters and carries out what an operator decides of notices.
    ///
    /// # Errors
    /// [`Fault::NumberUnknown`] if there is no dead notice of that number.
    pub async fn decide_notices(
        &self,
        verdict: Verdict,
        user: u32,
    ) -> Result<serde_json::Value, Fault> {
        let subject = match &verdict {
            Verdict::Retry(number) => format!("notice {number} tried again"),
            Verdict::Skip(number, _) => format!("notice {number} given up"),
            Verdict::Rewind(name, since_ms) => format!("{name} told again since {since_ms}"),
        };
        let mut entry = self.event(Kind::Replay, &subject);
        entry.asker = Some(Reference::new(&format!("uid {user}")));
        self.append(&entry).await.map_err(|error| error.fault())?;
        let changed = self.store.decide(verdict).await.map_err(|error| match error {
            StoreError::Unknown => Fault::NumberUnknown,
            other => other.fault(),
        })?;
        Ok(serde_json::json!({ "notices": changed }))
    }
}
