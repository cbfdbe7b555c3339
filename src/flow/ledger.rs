//! What both flows write in the ledger, and how.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::gather::Resident;
use super::policies::Adoption;
use super::question::{Question, Refused, Turn};
use super::rules::Rules;
use super::{Gateway, Neighbours};
use crate::audit::statement::Circumstances;
use crate::audit::{Entry, Kind, Reference};
use crate::identity::{PersonId, Pseudonym};
use crate::policy::Admission;
use crate::registry::whom::Whom;
use crate::store::budget::Spending;
use crate::store::condition::Conditions;
use crate::store::ticket::Ticket;
use crate::store::{Change, LedgerRow, StoreError, WriteEntry};
use crate::vocabulary::{Freshness, Purpose, Source};

impl Gateway {
    /// Makes an entry durable; returns its number and the signed checkpoint that covers it.
    pub(super) async fn append(&self, entry: &Entry) -> Result<(u64, String), StoreError> {
        let appended = self.store.append(row(entry)).await?;
        let checkpoint = crate::audit::checkpoint::one_line(&appended.checkpoint);
        Ok((appended.number, checkpoint))
    }

    /// Makes the entries of an answer durable, if what must hold for each does: all of them, or
    /// none where nothing leaves. Number of the last, and the checkpoint that covers them all.
    pub(super) async fn append_answer(
        &self,
        admission: &Admission,
        entries: &[Entry],
    ) -> Result<(u64, String), StoreError> {
        let within = |entry: &Entry| {
            let person = entry.person.as_ref();
            let conditions = person.map(|person| self.conditions(admission, person, entry.at_ms));
            conditions.transpose().map(|conditions| (row(entry), conditions.unwrap_or_default()))
        };
        let rows = entries.iter().map(within).collect::<Result<Vec<_>, _>>()?;
        let appended = self.store.append_within(rows).await?;
        Ok((appended.number, crate::audit::checkpoint::one_line(&appended.checkpoint)))
    }

    /// Whether a question may be answered, before anybody else hears of it.
    pub(super) async fn may_answer(
        &self,
        turn: &Turn,
        admission: &Admission,
        resident: &Resident,
    ) -> Result<(), StoreError> {
        let conditions = self.conditions(admission, &resident.pseudonym, turn.at_ms)?;
        if conditions.none() {
            return Ok(());
        }
        let ticket = conditions.ticket.clone();
        match (self.store.may_answer(conditions).await, ticket) {
            // The first of two persons: what he asks stands for the second, and answers nothing.
            (Err(StoreError::SecondNeeded), Some((ticket, opening))) => {
                self.store.open_ticket(ticket, opening).await?;
                Err(StoreError::SecondNeeded)
            }
            (may, _) => may,
        }
    }

    /// Whether one may still be looked for by these words, which cost what a person costs if they
    /// lead to nobody: else who sweeps through birthdays would never come to an end.
    pub(super) async fn may_look_for(
        &self,
        turn: &Turn,
        admission: &Admission,
        words: &Pseudonym,
    ) -> Result<(), StoreError> {
        let spending = spending(admission, words, turn.at_ms);
        self.store.may_answer(Conditions { spending, ticket: None }).await
    }

    /// Takes note that one was looked for by these words in vain.
    pub(super) async fn looked_for(
        &self,
        turn: &Turn,
        admission: &Admission,
        words: &Pseudonym,
    ) -> Result<(), StoreError> {
        match spending(admission, words, turn.at_ms) {
            Some(spending) => self.store.spend(spending).await,
            None => Ok(()),
        }
    }

    /// What stands in the ledger for somebody nobody may be told of, by what was asked.
    pub(super) fn stand_in(&self, what: &str, words: &str) -> Pseudonym {
        // No department has a space in its name: no stand-in a department gets is like this.
        Pseudonym(self.keys.pseudonym_of_value(&format!("asked {what}"), words))
    }

    /// On what an answer about a person depends that only the store knows.
    fn conditions(
        &self,
        admission: &Admission,
        person: &Pseudonym,
        at_ms: i64,
    ) -> Result<Conditions, StoreError> {
        let spending = spending(admission, person, at_ms);
        let holder = admission.evidence().holder.clone();
        if holder.is_none() && admission.terms().ticket.is_some_and(|terms| terms.four_eyes) {
            // Who is known by no certificate is neither the first person nor the second.
            return Err(StoreError::SecondNeeded);
        }
        let ticket = admission.terms().ticket.and_then(|terms| {
            let evidence = admission.evidence();
            let number = evidence.of(terms.evidence)?;
            let kept = |text: &str| Reference::new(text.trim()).as_str().to_owned();
            // As whoever looks at it afterwards sees it: no other spelling is another ticket.
            let reference = kept(number);
            let ticket = Ticket {
                scope: scope_of(admission),
                // No department has a space in its name: nobody's stand-ins are like these.
                mark: self.keys.pseudonym_of_value("ticket number", &reference),
                person: person.clone(),
                reference,
                reason: evidence.reason.as_deref().map(kept),
                minutes: terms.minutes,
                four_eyes: terms.four_eyes,
                holder: holder.clone().unwrap_or_default(),
                at_ms,
            };
            let circumstances = Circumstances {
                at_ms,
                random: random(),
                person: Some(person.clone()),
                mappings: "",
                sources: BTreeMap::new(),
            };
            let opening = row(&Entry::ticket(admission, circumstances));
            Some((ticket, opening))
        });
        Ok(Conditions { spending, ticket })
    }

    /// Enters something that happened and is no disclosure, such as a reload or a sign-in.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub async fn record(&self, kind: Kind, subject: &str) -> Result<(), StoreError> {
        self.append(&self.event(kind, subject)).await.map(drop)
    }

    /// Enters that the gateway started, from the reserve if need be: whoever makes room gives
    /// his orders to a gateway that runs.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub async fn enter_start(&self, version: &str) -> Result<(), StoreError> {
        self.store.append_order(row(&self.event(Kind::Start, version))).await.map(drop)
    }

    /// Serves under new rules, with new upstream systems and subscribers; says their versions. The
    /// entries come first: rules nobody can prove were in force must not decide.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be written; then what served before goes on.
    pub async fn adopt(
        &self,
        rules: Rules,
        neighbours: Neighbours,
        adoption: &Adoption,
    ) -> Result<String, StoreError> {
        let (mappings, policy) = (rules.pack.version(), rules.policies.version());
        let versions = format!("mappings {mappings} policies {policy}");
        let mut entries = Vec::new();
        if adoption.reloads {
            let mut entry = self.event(Kind::Reload, &versions);
            entry.mappings = Some(mappings.to_owned());
            entry.policy = Some(policy.to_owned());
            entries.push(row(&entry));
        }
        let before = self.rules.load().policies.version().to_owned();
        // The same policies may open more over other mappings.
        if before != policy || adoption.widened > 0 {
            entries.push(row(&self.policy_entry(&rules.versions(), (&before, adoption))));
        }
        self.store.enforce(entries, rules.versions(), (self.clock)()).await?;
        self.serve_by(rules, neighbours);
        Ok(versions)
    }

    /// Serves by these from now on; they are in force.
    pub fn serve_by(&self, rules: Rules, neighbours: Neighbours) {
        let versions = rules.versions();
        let before = self.rules.swap(Arc::new(rules));
        self.store.in_step(versions);
        self.upstreams.store(Arc::new(neighbours.upstreams));
        self.subscribers.store(Arc::new(neighbours.subscribers));
        self.witnesses.store(Arc::new(neighbours.witnesses));
        self.sinks.store(Arc::new(neighbours.sinks));
        // What was read by other mappings is read again: they may have been wrong.
        if before.pack.version() != self.rules.load().pack.version() {
            self.cache.invalidate_all();
        }
    }

    /// An entry about something that is no disclosure.
    pub(super) fn event(&self, kind: Kind, subject: &str) -> Entry {
        let rules = self.rules.load();
        let mut entry = Entry::new(kind, (self.clock)(), random());
        entry.subject = Some(Reference::new(subject));
        entry.mappings = Some(rules.pack.version().to_owned());
        entry.policy = Some(rules.policies.version().to_owned());
        entry
    }

    /// What an entry needs that no decision knows.
    pub(super) fn circumstances<'a>(
        turn: &'a Turn,
        resident: Option<&Resident>,
        sources: BTreeMap<Source, Freshness>,
    ) -> Circumstances<'a> {
        Self::about(turn, resident.map(|resident| resident.pseudonym.clone()), sources)
    }

    /// The same, where the person is known by no number of the question.
    pub(super) fn about(
        turn: &Turn,
        person: Option<Pseudonym>,
        sources: BTreeMap<Source, Freshness>,
    ) -> Circumstances<'_> {
        Circumstances {
            at_ms: turn.at_ms,
            random: random(),
            person,
            mappings: turn.rules.pack.version(),
            sources,
        }
    }

    /// The entry of a refusal: who asked about whom, what for, and why not.
    pub(super) async fn refusal_entry(
        &self,
        turn: &Turn,
        question: &Question,
        refused: &Refused,
    ) -> Entry {
        let inquiry = question.inquiry.as_ref().ok();
        let person = match inquiry.map(|inquiry| &inquiry.whom) {
            Some(Whom::Identifier(identifier)) => {
                self.resident(identifier).await.ok().map(|resident| resident.pseudonym)
            }
            // Whoever was described is named only if somebody was found by it.
            Some(Whom::Described(_)) => refused.person.map(|person| self.keys.pseudonym(person)),
            None => None,
        };
        let asker = question.asker(turn).ok();
        let evidence = inquiry.map(|inquiry| inquiry.evidence.clone()).unwrap_or_default();
        let asked_by = self.asked_by(&evidence).await.ok().and_then(|asker| asker.pseudonym);
        let circumstances = Self::about(turn, person, BTreeMap::new());
        let entry = Entry::refusal(refused.fault, asker, &evidence, circumstances);
        let mut entry = entry.asked_by(asked_by);
        let purpose = inquiry.and_then(|inquiry| Purpose::parse(&inquiry.purpose).ok());
        entry.purpose = purpose.filter(|id| turn.rules.policies.purposes().terms(*id).is_some());
        entry.policy = Some(turn.rules.policies.version().to_owned());
        entry.rules.extend(refused.rule.iter().map(ToString::to_string));
        entry
    }

    /// Writes the entry of a change of identity once the store knows who became whom, and of
    /// what a person `said` of who may see what once it knows whose word it is.
    pub(super) fn person_entry(
        &self,
        rules: &Arc<Rules>,
        sender: Source,
        said: Option<String>,
    ) -> WriteEntry {
        let (keys, rules, at_ms) = (self.keys.clone(), Arc::clone(rules), (self.clock)());
        Box::new(move |change: Change, persons: &[PersonId]| {
            let kind = match change {
                Change::Said => Kind::Consent,
                Change::Linked => Kind::Link,
                Change::Merged => Kind::Merge,
                Change::Moved => Kind::Identity,
                Change::Parted => Kind::Part,
            };
            let mut known = persons.iter().map(|person| keys.pseudonym(*person));
            let (into, from) = (known.next(), known.next());
            let mappings = rules.pack.version();
            let sources = BTreeMap::new();
            let random = random();
            let circumstances = Circumstances { at_ms, random, person: into, mappings, sources };
            row(&match kind {
                Kind::Consent => {
                    let said = said.as_deref().unwrap_or_default();
                    let mut entry = Entry::consent(said, sender, circumstances);
                    entry.policy = Some(rules.policies.version().to_owned());
                    entry
                }
                kind => Entry::change(kind, from, sender, circumstances),
            })
        })
    }
}

/// An entry as the store takes it.
pub(super) fn row(entry: &Entry) -> LedgerRow {
    LedgerRow {
        bytes: Bytes::from(entry.to_bytes()),
        person: entry.person.clone(),
        department: entry.department,
        at_ms: entry.at_ms,
    }
}

/// Sixteen random bytes. Without randomness two receipts of one millisecond could
/// collide; that would be seen, while a panic here would stop every answer.
fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        tracing::error!("the system has no random bytes to give");
    }
    bytes
}

/// Whose budget and whose tickets a question is asked on.
fn scope_of(admission: &Admission) -> String {
    format!("{} {}", admission.department(), admission.purpose())
}

/// A question about a person against the budget of who asks, if he has one.
fn spending(admission: &Admission, person: &Pseudonym, at_ms: i64) -> Option<Spending> {
    let (scope, person) = (scope_of(admission), person.clone());
    admission.persons_per_day().map(|most| Spending { scope, person, most, at_ms })
}
