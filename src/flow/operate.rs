//! What an operator may have done: replay, undo a merge, erase a person.
//!
//! The entry comes first: a change that is not in the ledger cannot have happened.

use std::sync::Arc;

use serde_json::{Value, json};

use super::history::HISTORY;
use super::{Gateway, Rules, ledger};
use crate::audit::{Kind, Reference};
use crate::identity::{PersonId, Pseudonym, Subject, Token};
use crate::store::trace::Wanted;
use crate::store::{Guard, Reason, Retrial, State, StoreError};
use crate::translate::Translation;
use crate::vocabulary::{Fault, Identifier};

/// Messages one order may try again.
const REPLAYS_MAX: usize = 10_000;

impl Gateway {
    /// Tries quarantined messages again, in the order they came, by `past` rules or today's;
    /// past the overlay guard only where somebody says that the new demographics are right.
    ///
    /// # Errors
    /// The first fault that stops the work; what was done before stays done.
    pub async fn replay(
        &self,
        (numbers, like): (Vec<u64>, Wanted),
        (past, guard): (Option<Arc<Rules>>, Guard),
        user: u32,
    ) -> Result<Value, Fault> {
        let numbers = match numbers.is_empty() {
            false => numbers,
            true => {
                let held = self.store.held_like(like, (0, u64::MAX), REPLAYS_MAX).await;
                held.map_err(|error| error.fault())?
            }
        };
        let mut outcomes = Vec::with_capacity(numbers.len());
        for number in numbers {
            let rules = past.clone().unwrap_or_else(|| self.rules.load_full());
            let by = (format!("uid {user}"), None);
            let outcome = match self.replay_one(number, (&rules, guard), by).await {
                Ok((state, reason)) => json!({
                    "number": number,
                    "state": state.as_str(),
                    "fault": reason.as_ref().map(|reason| reason.fault),
                    "at": reason.and_then(|reason| reason.at).map(|at| at.to_string()),
                }),
                // Somebody was quicker, or it was named twice: it is applied.
                Err(StoreError::Settled) => {
                    json!({ "number": number, "state": State::Kept.as_str() })
                }
                Err(StoreError::Unavailable) => return Err(Fault::Unavailable),
                Err(error) => json!({ "number": number, "error": error.to_string() }),
            };
            outcomes.push(outcome);
        }
        Ok(Value::Array(outcomes))
    }

    /// Tries one again in somebody's name, perhaps as part of a rerun.
    pub(super) async fn replay_one(
        &self,
        number: u64,
        (rules, guard): (&Arc<Rules>, Guard),
        (by, rerun): (String, Option<u64>),
    ) -> Result<(State, Option<Reason>), StoreError> {
        let held = self.store.replay(number).await?.ok_or(StoreError::Unknown)?;
        match held.state {
            State::Kept => return Err(StoreError::Settled),
            State::Quarantined => (),
            // Its sender was nobody, or it is but the head of something that never ended:
            // read again, it might pass for a whole message of somebody's.
            State::Refused => return Ok((State::Refused, None)),
        }
        let proposed = self.reread(rules, (held.source, held.form), &held.raw);
        let subject = match rerun {
            None => format!("message {number}"),
            Some(rerun) => format!("message {number}, rerun {rerun}"),
        };
        let entry = self.enter(Kind::Replay, &subject, (&by, None)).await?;
        let mappings = rules.pack.version().to_owned();
        let retrial = Retrial { guard, mappings, at_ms: (self.clock)(), entry, rerun };
        let kept = self.store.set_outcome(number, proposed, retrial).await?;
        Ok((kept.state, kept.reason))
    }

    /// What a message of the journal would become by `past` rules or today's: its elements and
    /// their places, never a value. Nothing is kept but the entry that it was asked.
    ///
    /// # Errors
    /// [`Fault::NumberUnknown`] if the journal has no such message.
    pub async fn preview(
        &self,
        number: u64,
        past: Option<Arc<Rules>>,
        user: u32,
    ) -> Result<Value, Fault> {
        let held = self.store.replay(number).await.map_err(|error| error.fault())?;
        let held = held.ok_or(Fault::NumberUnknown)?;
        let rules = past.unwrap_or_else(|| self.rules.load_full());
        let subject = format!("preview of message {number}");
        let by = format!("uid {user}");
        self.enter(Kind::Replay, &subject, (&by, None)).await.map_err(|error| error.fault())?;
        let read = rules.pack.read((held.form, held.source), &held.raw, &self.limits);
        let mappings = rules.pack.version();
        Ok(match read {
            Ok(found) => {
                let records: Vec<_> = found.iter().map(outline).collect();
                json!({ "number": number, "mappings": mappings, "records": records })
            }
            Err(wrong) => json!({
                "number": number,
                "mappings": mappings,
                "fault": wrong.fault,
                "at": wrong.at.map(|at| at.to_string()),
            }),
        })
    }

    /// Sets a person free again that was merged into another.
    ///
    /// # Errors
    /// [`Fault::NotMerged`] if nobody has the identifier, or was not merged under it.
    pub async fn unmerge(&self, identifier: &Identifier, user: u32) -> Result<Value, Fault> {
        let token = self.token(identifier)?;
        let merged = self.store.merged(token).await.map_err(|error| error.fault())?;
        let person = merged.ok_or(Fault::NotMerged)?;
        let by = format!("uid {user}");
        self.enter(Kind::Unmerge, "order", (&by, Some(person))).await.map_err(|e| e.fault())?;
        let touched = self.store.unmerge(person, (self.clock)()).await;
        self.touched(touched)
    }

    /// Enters that somebody takes a copy of everything.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] if it cannot be written.
    pub async fn enter_backup(&self, user: u32) -> Result<Value, Fault> {
        let by = format!("uid {user}");
        self.enter(Kind::Backup, "order", (&by, None)).await.map_err(|error| error.fault())?;
        Ok(json!({ "entered": true }))
    }

    /// Enters what was done to the whole store while no gateway ran: by whom, and where from.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub async fn enter_owed(&self) -> Result<(), StoreError> {
        for owed in self.store.owed().await? {
            let kind = Kind::parse(&owed.kind).ok_or(StoreError::Damaged)?;
            let mut entry = self.event(kind, &owed.subject);
            entry.asker = Some(Reference::new(&owed.said_by));
            self.store.enter_owed(owed.number, ledger::row(&entry)).await?;
        }
        Ok(())
    }

    /// Erases a person by destroying the keys of everything kept about them.
    ///
    /// # Errors
    /// [`Fault::IdentityMissing`] if nobody has the identifier.
    pub async fn erase(&self, identifier: &Identifier, user: u32) -> Result<Value, Fault> {
        let token = self.token(identifier)?;
        let found = self.store.person(&[token]).await.map_err(|error| error.fault())?;
        let person = found.ok_or(Fault::IdentityMissing)?;
        let by = format!("uid {user}");
        self.enter(Kind::Erase, "order", (&by, Some(person))).await.map_err(|e| e.fault())?;
        // Once they are unlinked nobody can say which copies of upstream records were theirs.
        let known = self.store.known_as(token).await.map_err(|error| error.fault())?;
        known.1.into_iter().for_each(|token| self.cache.invalidate(Subject::Token(token)));
        let touched = self.store.erase(person, (self.clock)()).await;
        self.touched(touched)
    }

    /// Enters that a person's access history is made, before anybody has it; its receipt.
    ///
    /// # Errors
    /// [`Fault::IdentifierInvalid`] if that is no pseudonym.
    pub async fn note_history(&self, person: Pseudonym, user: u32) -> Result<Value, Fault> {
        self.note_export(HISTORY, Some(person), user).await
    }

    /// Enters that entries leave the ledger as a file, before anybody has it; its receipt.
    ///
    /// # Errors
    /// [`Fault::IdentifierInvalid`] if that is no pseudonym.
    pub async fn note_export(
        &self,
        words: &str,
        person: Option<Pseudonym>,
        user: u32,
    ) -> Result<Value, Fault> {
        let asker = Reference::new(&format!("uid {user}"));
        let known = |person: Pseudonym| Pseudonym::parse(&person.0).ok_or(Fault::IdentifierInvalid);
        let person = person.map(known).transpose()?;
        let receipt = self.enter_export(asker, words, person).await?;
        Ok(json!(receipt.to_string()))
    }

    fn token(&self, identifier: &Identifier) -> Result<Token, Fault> {
        self.keys.token(identifier).map_err(|_| Fault::IdentifierInvalid)
    }

    fn touched(&self, touched: Result<Vec<PersonId>, StoreError>) -> Result<Value, Fault> {
        let persons = touched.map_err(|error| match error {
            StoreError::Unknown => Fault::IdentityMissing,
            other => other.fault(),
        })?;
        let known: Vec<_> = persons.iter().map(|person| self.keys.pseudonym(*person)).collect();
        Ok(json!({ "persons": known }))
    }

    /// Enters an order before it is carried out; the number of the entry.
    pub(super) async fn enter(
        &self,
        kind: Kind,
        subject: &str,
        (by, person): (&str, Option<PersonId>),
    ) -> Result<u64, StoreError> {
        let mut entry = self.event(kind, subject);
        entry.asker = Some(Reference::new(by));
        entry.person = person.map(|person| self.keys.pseudonym(person));
        self.store.append_order(ledger::row(&entry)).await
    }
}

/// A record without its values.
fn outline(found: &Translation) -> Value {
    let fields = found.record.fields().map(|field| {
        let at = field.at.as_ref().map(ToString::to_string);
        json!({ "element": field.element, "at": at })
    });
    let bins = &found.bins;
    let unmapped: Vec<_> = bins.first_unmapped.iter().map(ToString::to_string).collect();
    json!({
        "dataset": found.record.dataset,
        "fields": fields.collect::<Vec<_>>(),
        "bins": {
            "mapped": bins.mapped, "carried": bins.carried,
            "dropped": bins.dropped, "unmapped": bins.unmapped,
        },
        "first_unmapped": unmapped,
    })
}
