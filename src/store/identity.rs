//! 身份, what the rest of the gateway asks and says of who is one person.

use std::sync::Arc;

use super::assertion::Said;
use super::error::StoreError;
use super::history::{self, Event};
use super::place::{VEIL, Who};
use super::record;
use super::review::{self, Compared, Proposal, Review, Stats};
use super::seal::Place;
use super::sql::{self, Optional};
use super::writer::{Answer, Request, Stop, Writer};
use super::{Store, persons};
use crate::identity::linkage::{self, Demographics, Judged, Population, Traits, Weights};
use crate::identity::{PersonId, Token};

/// Entries that are looked at to learn what agreements are worth; of more, every n-th
/// household of keys is as good as all.
const LEARNED_MAX: usize = 200_000;
/// Fewer entries than this are no population: what they share says more of them than of
/// what an agreement is worth.
pub const LEARNED_MIN: usize = 1_000;
/// Entries that are judged anew in one commit.
const REJUDGED_AT_ONCE: usize = 200;

impl Store {
    /// Joins one person to another; the answer is everybody whose records changed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if both have a citizen id, [`StoreError::Unknown`],
    /// [`StoreError::Unavailable`].
    pub async fn merge(
        &self,
        from: PersonId,
        into: PersonId,
        at_ms: i64,
    ) -> Result<Vec<PersonId>, StoreError> {
        persons(self.write(Request::Merge { from, into, at_ms }).await?)
    }

    /// Undoes the join of a person; the answer is everybody whose records changed.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if it is not joined, [`StoreError::Unavailable`].
    pub async fn unmerge(&self, person: PersonId, at_ms: i64) -> Result<Vec<PersonId>, StoreError> {
        persons(self.write(Request::Unmerge { person, at_ms }).await?)
    }

    /// Takes note of what somebody said of two entries; the answer is everybody whose
    /// records changed.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if one is not there, [`StoreError::Unavailable`].
    pub async fn say(&self, said: Said) -> Result<Vec<PersonId>, StoreError> {
        persons(self.write(Request::Said(Box::new(said))).await?)
    }

    /// Says that an entry (the first of the pair) is none of the others of its person.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there are no others, [`StoreError::Unavailable`].
    pub async fn part(&self, said: Said) -> Result<Vec<PersonId>, StoreError> {
        persons(self.write(Request::Part(Box::new(said))).await?)
    }

    /// Ends an assertion: everything is as if it had not been made.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if it has ended or never was, [`StoreError::Unavailable`].
    pub async fn withdraw(&self, event: i64, at_ms: i64) -> Result<Vec<PersonId>, StoreError> {
        persons(self.write(Request::Withdraw { event, at_ms }).await?)
    }

    /// A reviewer says that two entries are one; it is done once a second one has said so.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if one is not there, [`StoreError::Unavailable`].
    pub async fn propose(&self, said: Said) -> Result<Proposal, StoreError> {
        match self.write(Request::Propose(Box::new(said))).await? {
            Answer::Proposed(proposal) => Ok(proposal),
            _ => Err(StoreError::Damaged),
        }
    }

    /// Pairs that wait for a reviewer, oldest first, after `(at_ms, one, other)`.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn reviews(
        &self,
        after: (i64, i64, i64),
        limit: usize,
    ) -> Result<Vec<Review>, StoreError> {
        self.readers.read(move |connection| review::queue(connection, after, limit)).await
    }

    /// Two entries side by side.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn compared(&self, pair: (PersonId, PersonId)) -> Result<Compared, StoreError> {
        let keys = Arc::clone(&self.keys);
        self.readers.read(move |connection| review::compared(connection, &keys, pair)).await
    }

    /// Everything that was said of the entries of a person, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn identity_history(&self, person: PersonId) -> Result<Vec<Event>, StoreError> {
        self.readers.read(move |connection| history::history(connection, person)).await
    }

    /// How the index stands.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn identity_stats(&self) -> Result<Stats, StoreError> {
        self.readers.read(review::stats).await
    }

    /// Persons who may be whom these demographics describe, the likeliest first: their
    /// entries, weights and whether the index would link them without asking.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn alike(&self, who: Demographics) -> Result<Vec<review::Alike>, StoreError> {
        let traits = self.keys.veil().traits(&who);
        self.by_generation(move |reader, by| review::alike(reader, by, traits)).await
    }

    /// How a description agrees with each of some others, by the weights that count now.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn judge(
        &self,
        who: Demographics,
        others: Vec<Demographics>,
    ) -> Result<Vec<Judged>, StoreError> {
        let keys = Arc::clone(&self.keys);
        let read = move |connection: &sql::Connection| {
            let weights = review::weights(connection)?;
            let traits = keys.veil().traits(&who);
            let judged = |other: &Demographics| {
                linkage::decide(&weights, &traits, &keys.veil().traits(other))
            };
            Ok(others.iter().map(judged).collect())
        };
        self.readers.read(read).await
    }

    /// Learns what agreements are worth from the entries there are, and judges every entry
    /// anew by it; the answer is how many entries there are and everybody whose records
    /// changed, `None` if there are too few to learn from.
    ///
    /// # Errors
    /// [`StoreError::Sql`], [`StoreError::Unavailable`].
    pub async fn learn(&self, at_ms: i64) -> Result<(usize, Option<Vec<PersonId>>), StoreError> {
        let entries = self.readers.read(review::entries).await?;
        if entries.len() < LEARNED_MIN {
            return Ok((entries.len(), None));
        }
        let sampled = |reader: &_, by: &_| review::sample(reader, by, LEARNED_MAX);
        let sampled = self.by_generation(sampled).await?;
        let learned = tokio::task::spawn_blocking(move || learned(&sampled));
        let weights = Box::new(learned.await.map_err(|_| StoreError::Unavailable)?);
        let size = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        self.write(Request::Weigh(weights, size, at_ms)).await?;
        let mut touched = Vec::new();
        for some in entries.chunks(REJUDGED_AT_ONCE) {
            let answer = self.write(Request::Rejudge(some.to_vec(), at_ms)).await?;
            touched.extend(persons(answer)?);
        }
        touched.sort_unstable();
        touched.dedup();
        Ok((entries.len(), Some(touched)))
    }

    /// Which entry of whichever source a token is of, with its person: for an explanation.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn entries_of(&self, token: Token) -> Result<Vec<review::Entry>, StoreError> {
        self.by_generation(move |reader, by| review::entries_of(reader, by, &token)).await
    }
}

fn learned(traits: &[Traits]) -> Weights {
    Population::learn(traits).weights().clone()
}

impl Writer {
    /// Makes the traits of every entry anew, where they were made another way or never: a
    /// file of an earlier version, or another veil.
    pub(super) fn reindex(&mut self) -> Result<(), StoreError> {
        let made: Option<i64> = self
            .connection
            .query_row("SELECT veil FROM indexed", [], |row| row.get(0))
            .optional()?;
        if made == Some(VEIL) {
            return Ok(());
        }
        // Tokens of two veils are never compared.
        self.begin_turn(&[])?;
        for sql in [
            "DELETE FROM trait",
            "DELETE FROM pair",
            "UPDATE person SET seen = NULL, traits = NULL WHERE veil IS NULL",
        ] {
            self.connection.execute(sql, [])?;
        }
        self.changes.ground = true;
        self.end_turn()?;
        self.persons.clear();
        let entries = review::entries(&self.connection)?;
        for some in entries.chunks(REJUDGED_AT_ONCE) {
            self.begin_turn(&[])?;
            for entry in some {
                self.reveil(*entry).map_err(stopped)?;
            }
            self.end_turn()?;
        }
        self.connection.execute("DELETE FROM indexed", [])?;
        self.connection.execute("INSERT INTO indexed VALUES (?1)", [VEIL])?;
        Ok(())
    }

    fn reveil(&mut self, entry: PersonId) -> Result<(), Stop> {
        let mut rows = Vec::new();
        {
            let mut select = self.connection.prepare_cached(
                "SELECT number, sealed, received_at_ms FROM record WHERE person = ?1 \
                 ORDER BY number",
            )?;
            let found = select.query_map([entry.0], |row| {
                Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?, row.get::<i64>(2)?))
            })?;
            for row in found {
                rows.push(row?);
            }
        }
        // What its source veiled, its source alone can veil anew.
        if let Some(veiled) = self.traits(entry)? {
            let at_ms = rows.last().map_or(0, |(_, _, at_ms)| *at_ms);
            self.write_keys(entry, &veiled.traits)?;
            self.rejudge(entry, &veiled, at_ms)?;
            self.regroup(&[entry], (at_ms, None))?;
            return Ok(());
        }
        let key = self.key(entry)?;
        for (number, sealed, at_ms) in rows {
            let record = record::read(&key.open(Place::record(entry.0, number), &sealed)?)?;
            let who = Who::of(&record, None, &self.keys);
            if let Some(stated) = self.stated(Some(entry), &who)? {
                self.place(entry, stated, (at_ms, Some(number)))?;
            }
        }
        Ok(())
    }
}

fn stopped(stop: Stop) -> StoreError {
    match stop {
        Stop::Refused(error) => error,
        Stop::Broken(_) => StoreError::Unavailable,
    }
}
