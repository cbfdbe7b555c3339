//! 认定, what somebody said of two entries: that they are one person, or that they are not.
//!
//! An assertion is a dated event. It outranks every score; it ends by a later one of the
//! same two entries, or by being withdrawn, and then everything is as if it had not been.

use std::collections::BTreeSet;

use super::error::StoreError;
use super::index::{apart, citizen_ids};
use super::place::Moves;
use super::sql::Optional;
use super::writer::{Stop, Writer};
use crate::identity::PersonId;

/// Assertions of two entries that have not ended, whichever of the two was named first.
pub(super) const OF_TWO: &str = "ended_at_ms IS NULL AND one IN (?1, ?2) AND other IN (?1, ?2) \
    AND one <> other";

/// What is said of two entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The two; of a merge, the one that goes first.
    pub pair: (PersonId, PersonId),
    /// Whether they are one person.
    pub same: bool,
    /// Who said so: a message's source, a console user, an operator's uid.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The message that said so, if one did.
    pub journal: Option<i64>,
}

impl Writer {
    /// Takes note of what was said; everybody it moves moves with it.
    pub(super) fn assert(&mut self, said: &Said) -> Result<Moves, Stop> {
        let (one, other) = said.pair;
        if one == other {
            return Ok(Moves::default());
        }
        // Both must be there: an entry nobody knows cannot be said to be anybody.
        self.recall(one)?;
        self.recall(other)?;
        self.connection
            .prepare_cached(&format!("UPDATE assertion SET ended_at_ms = ?3 WHERE {OF_TWO}"))?
            .execute((one.0, other.0, said.at_ms))?;
        self.connection
            .prepare_cached(
                "INSERT INTO assertion (event, one, other, same, said_by, at_ms, journal) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                self.next.event,
                one.0,
                other.0,
                said.same,
                &said.by,
                said.at_ms,
                said.journal,
            ))?;
        self.next.event += 1;
        self.forget_proposal(said.pair)?;
        self.regroup(&[one, other], (said.at_ms, said.journal))
    }

    /// Says that an entry is none of the others that are its person now.
    pub(super) fn part(&mut self, said: &Said) -> Result<Moves, Stop> {
        let entry = said.pair.0;
        let root = self.root(entry)?;
        let others = self.with_root(root)?;
        let mut moves = Moves::default();
        for other in others.into_iter().filter(|other| *other != entry) {
            moves.extend(self.assert(&Said { pair: (entry, other), ..said.clone() })?);
        }
        match moves.moved.is_empty() {
            true => Err(StoreError::Unknown.into()),
            false => Ok(moves),
        }
    }

    /// Whether somebody said that anybody of the one person is nobody of the other.
    pub(super) fn said_apart(&self, one: PersonId, other: PersonId) -> Result<bool, Stop> {
        let (left, right) = (self.with_root(one)?, self.with_root(other)?);
        let apart = format!("SELECT 1 FROM assertion WHERE same = 0 AND {OF_TWO}");
        let mut select = self.connection.prepare_cached(&apart)?;
        for a in &left {
            for b in &right {
                if select.exists((a.0, b.0))? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// An operator's merge of two persons.
    pub(super) fn merge(
        &mut self,
        from: PersonId,
        into: PersonId,
        at_ms: i64,
    ) -> Result<Vec<PersonId>, Stop> {
        let roots = (self.root(from)?, self.root(into)?);
        let ids = |root| citizen_ids(&self.connection, &self.generations, root);
        let ids = (ids(roots.0)?, ids(roots.1)?);
        if roots.0 != roots.1 {
            if apart(&ids.0, &ids.1) || self.said_apart(roots.0, roots.1)? {
                return Err(StoreError::Conflict.into());
            }
            let by = "operator".to_owned();
            self.assert(&Said { pair: (roots.0, roots.1), same: true, by, at_ms, journal: None })?;
        }
        let root = self.root(into)?;
        Ok(self.with_root(root)?)
    }

    /// Withdraws what led an entry into another; the answer names everybody whose records
    /// look different now, the entry first.
    pub(super) fn unmerge(&mut self, person: PersonId, at_ms: i64) -> Result<Vec<PersonId>, Stop> {
        let event: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT event FROM assertion WHERE one = ?1 AND same = 1 AND ended_at_ms IS NULL \
                 ORDER BY event DESC LIMIT 1",
            )?
            .query_row([person.0], |row| row.get(0))
            .optional()?;
        let event = event.ok_or(StoreError::Unknown)?;
        let root = self.root(person)?;
        let mut touched: BTreeSet<_> = self.with_root(root)?.into_iter().collect();
        touched.extend(self.withdraw(event, at_ms)?.touched);
        touched.remove(&person);
        Ok(std::iter::once(person).chain(touched).collect())
    }

    /// Ends what was said: the state is the one there would be without it.
    pub(super) fn withdraw(&mut self, event: i64, at_ms: i64) -> Result<Moves, Stop> {
        let pair = self
            .connection
            .prepare_cached(
                "UPDATE assertion SET ended_at_ms = ?2 WHERE event = ?1 AND ended_at_ms IS NULL \
                 RETURNING one, other",
            )?
            .query_row((event, at_ms), |row| {
                Ok([row.get(0).map(PersonId)?, row.get(1).map(PersonId)?])
            })
            .optional()?;
        match pair {
            Some(pair) => self.regroup(&pair, (at_ms, None)),
            None => self.give_back(event, at_ms),
        }
    }
}
