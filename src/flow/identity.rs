//! 身份, what operators and reviewers ask and say of who is one person.
//!
//! The entry in the ledger comes before the deed: what is not in the ledger was not done.
//! An entry of the index is named by its number; no identifier and no value is in an answer.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Gateway;
use crate::audit::{Kind, Reference};
use crate::identity::PersonId;
use crate::identity::linkage::{Contribution, Judged};
use crate::store::review::{Compared, Review};
use crate::store::{Said, StoreError};
use crate::vocabulary::{Fault, Identifier};

/// Rows of the queue that one answer has.
const REVIEWS_MAX: usize = 200;

/// What is asked or said of who is one person.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Identity {
    /// Two entries, field by field.
    Compare {
        /// The one.
        one: i64,
        /// The other.
        other: i64,
    },
    /// The entries an identifier leads to, and what links them.
    Explain {
        /// Any identifier of the person.
        identifier: Identifier,
    },
    /// What was said of the entries of a person, and what was undone.
    History {
        /// Any identifier of the person.
        identifier: Identifier,
    },
    /// Learn what agreements are worth, and judge every entry anew.
    Learn,
    /// Two entries are one person.
    Link {
        /// The one.
        one: i64,
        /// The other.
        other: i64,
    },
    /// What waits for a reviewer.
    Review,
    /// The next generation of the tokens' key comes into force.
    Rotate,
    /// How the index stands.
    Stats,
    /// What was said is withdrawn, as if it had not been.
    Undo {
        /// Its number, as the history shows it.
        event: i64,
    },
    /// Two entries are not one person; without the second, the entry is none of its person's.
    Unlink {
        /// The one.
        one: i64,
        /// The other, if one is named.
        other: Option<i64>,
    },
}

impl Gateway {
    /// Carries out what an operator asks or says of identities.
    ///
    /// # Errors
    /// [`Fault::IdentityMissing`] if an entry or a person is not there,
    /// [`Fault::IdentityConflict`] if what is said cannot be, [`Fault::Unavailable`].
    pub async fn identity(&self, order: Identity, user: u32) -> Result<Value, Fault> {
        let by = format!("uid {user}");
        match order {
            Identity::Compare { one, other } => {
                let compared = self.compare((one, other), &by).await?;
                Ok(shown(&compared))
            }
            Identity::Explain { identifier } => self.explain_identity(&identifier, &by).await,
            Identity::History { identifier } => self.identity_history(&identifier, &by).await,
            Identity::Learn => self.learn(&by).await,
            Identity::Link { one, other } => {
                let said = self.said((one, other), true, &by);
                self.note_identity(Kind::Identity, &said).await?;
                self.moved(self.store.say(said).await)
            }
            Identity::Review => {
                let waiting = self.store.reviews(FIRST, REVIEWS_MAX).await;
                let waiting = waiting.map_err(|error| error.fault())?;
                Ok(waiting.iter().map(row).collect())
            }
            Identity::Rotate => self.rotate(&by).await,
            Identity::Stats => {
                let stats = self.store.identity_stats().await.map_err(|error| error.fault())?;
                Ok(json!(stats))
            }
            Identity::Undo { event } => {
                let mut entry = self.event(Kind::Identity, &format!("assertion {event} withdrawn"));
                entry.asker = Some(Reference::new(&by));
                self.append(&entry).await.map_err(|error| error.fault())?;
                self.moved(self.store.withdraw(event, (self.clock)()).await)
            }
            Identity::Unlink { one, other: Some(other) } => {
                let said = self.said((one, other), false, &by);
                self.note_identity(Kind::Identity, &said).await?;
                self.moved(self.store.say(said).await)
            }
            Identity::Unlink { one, other: None } => {
                let said = self.said((one, one), false, &by);
                self.note_identity(Kind::Identity, &said).await?;
                self.moved(self.store.part(said).await)
            }
        }
    }

    /// Two entries side by side, for somebody who reviews them; that they looked is entered.
    ///
    /// # Errors
    /// [`Fault::IdentityMissing`], [`Fault::Unavailable`].
    async fn compare(&self, pair: (i64, i64), by: &str) -> Result<Compared, Fault> {
        self.note_identity(Kind::Review, &self.said(pair, true, by)).await?;
        let pair = (PersonId(pair.0), PersonId(pair.1));
        self.store.compared(pair).await.map_err(unknown)
    }

    async fn explain_identity(&self, identifier: &Identifier, by: &str) -> Result<Value, Fault> {
        let token = self.keys.token(identifier).map_err(|_| Fault::IdentifierInvalid)?;
        let entries = self.store.entries_of(token).await.map_err(|error| error.fault())?;
        if entries.is_empty() {
            return Err(Fault::IdentityMissing);
        }
        let mut links = Vec::new();
        for (at, one) in entries.iter().enumerate() {
            for other in entries.iter().skip(at + 1) {
                links.push(shown(&self.compare((one.entry.0, other.entry.0), by).await?));
            }
        }
        let entries = entries.iter().map(|entry| {
            let person = self.keys.pseudonym(entry.person);
            json!({ "entry": entry.entry, "source": entry.source, "person": person })
        });
        Ok(json!({ "entries": entries.collect::<Value>(), "links": links }))
    }

    async fn identity_history(&self, identifier: &Identifier, by: &str) -> Result<Value, Fault> {
        let token = self.keys.token(identifier).map_err(|_| Fault::IdentifierInvalid)?;
        let entries = self.store.entries(token).await.map_err(|error| error.fault())?;
        let first = entries.first().copied().ok_or(Fault::IdentityMissing)?;
        self.note_identity(Kind::Review, &self.said((first.0, first.0), true, by)).await?;
        let events = self.store.identity_history(first).await.map_err(|error| error.fault())?;
        Ok(json!(events))
    }

    async fn learn(&self, by: &str) -> Result<Value, Fault> {
        let mut entry = self.event(Kind::Identity, "weights learned");
        entry.asker = Some(Reference::new(by));
        self.append(&entry).await.map_err(|error| error.fault())?;
        let learned = self.store.learn((self.clock)()).await;
        let (entries, touched) = learned.map_err(|error| error.fault())?;
        let moved = touched.as_ref().map(Vec::len);
        Ok(json!({ "entries": entries, "learned": moved.is_some(), "moved": moved }))
    }

    pub(super) fn said(&self, pair: (i64, i64), same: bool, by: &str) -> Said {
        let pair = (PersonId(pair.0), PersonId(pair.1));
        Said { pair, same, by: by.to_owned(), at_ms: (self.clock)(), journal: None }
    }

    /// Enters what is about to be looked at or said, before it is.
    pub(super) async fn note_identity(&self, kind: Kind, said: &Said) -> Result<(), Fault> {
        let word = match (kind, said.same) {
            (Kind::Review, _) => "looked at",
            (_, true) => "one person",
            (_, false) => "not one person",
        };
        let (one, other) = said.pair;
        let mut entry = self.event(kind, &format!("entries {} and {}: {word}", one.0, other.0));
        entry.asker = Some(Reference::new(&said.by));
        entry.person = Some(self.keys.pseudonym(one));
        entry.merged = (one != other).then(|| self.keys.pseudonym(other));
        self.append(&entry).await.map(drop).map_err(|error| error.fault())
    }

    fn moved(&self, touched: Result<Vec<PersonId>, StoreError>) -> Result<Value, Fault> {
        let persons = touched.map_err(unknown)?;
        let known: Vec<_> = persons.iter().map(|person| self.keys.pseudonym(*person)).collect();
        Ok(json!({ "persons": known }))
    }
}

/// Before the first of the queue.
pub const FIRST: (i64, i64, i64) = (i64::MIN, 0, 0);

/// What is not there, as an operator or reviewer is told.
pub(super) fn unknown(error: StoreError) -> Fault {
    match error {
        StoreError::Unknown => Fault::IdentityMissing,
        other => other.fault(),
    }
}

fn row(review: &Review) -> Value {
    json!({
        "one": review.pair.0, "other": review.pair.1,
        "sources": review.sources, "rule": review.rule,
        "weight": rounded(review.weight), "since_ms": review.at_ms,
        "proposed_by": review.proposed_by,
    })
}

/// Two entries without their values.
fn shown(compared: &Compared) -> Value {
    let [one, other] = &compared.sides;
    let judged = compared.judged.as_ref().map(|(judged, parts)| explained(judged, parts));
    json!({
        "one": one.entry, "other": other.entry,
        "one_person": one.person == other.person,
        "judged": judged,
    })
}

fn explained(judged: &Judged, parts: &[Contribution]) -> Value {
    let parts = parts.iter().filter(|part| part.level != "missing").map(
        |part| json!({ "field": part.field, "level": part.level, "weight": rounded(part.weight) }),
    );
    json!({
        "verdict": judged.verdict, "rule": judged.rule, "weight": rounded(judged.weight),
        "fields": parts.collect::<Value>(),
    })
}

fn rounded(weight: f64) -> f64 {
    (weight * 100.0).round() / 100.0
}
