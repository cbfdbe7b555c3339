//! 登记, whom subscriptions are about: keyed tokens, and sealed what the department said.

use super::error::StoreError;
use super::generation::Generations;
use super::index;
use super::ledger::limited;
use super::outbox::{Enrol, Enrolled};
use super::seal::{Place, StoreKeys};
use super::sql::{self, Connection, Optional};
use super::writer::{Answer, Stop, Writer};
use crate::identity::{PersonId, Token};
use crate::vocabulary::Subscription;

impl Writer {
    pub(super) fn enrol(
        &mut self,
        subscription: Subscription,
        changes: &[Enrol],
        at_ms: i64,
    ) -> Result<Answer, Stop> {
        let (mut joined, mut left) = (0, 0);
        for change in changes {
            match change {
                Enrol::Join(enrolled, token) => {
                    joined +=
                        usize::from(self.join_list(subscription, (enrolled, token), at_ms)?);
                }
                Enrol::Leave(reference) => {
                    let digest = self.keys.seen(&of_subscription(subscription, reference));
                    left += self
                        .connection
                        .prepare_cached(
                            "DELETE FROM enrolment WHERE subscription = ?1 AND reference = ?2",
                        )?
                        .changed((subscription.as_str(), digest))?;
                }
            }
        }
        Ok(Answer::Enrolled(joined, left))
    }

    /// Whether that is news. A reference that means somebody else from now on is a new lane:
    /// what waits in the old one was about the other.
    fn join_list(
        &mut self,
        subscription: Subscription,
        (enrolled, token): (&Enrolled, &Token),
        at_ms: i64,
    ) -> Result<bool, Stop> {
        let reference = self.keys.seen(&of_subscription(subscription, &enrolled.reference));
        let current = &self.generations.current;
        let (covered, either) = (current.cover(token), self.generations.covers(token));
        let known: Option<(i64, [u8; 32])> = self
            .connection
            .prepare_cached(
                "SELECT lane, token FROM enrolment WHERE subscription = ?1 AND reference = ?2",
            )?
            .query_row((subscription.as_str(), reference), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((lane, before)) = known {
            if either.contains(&before) {
                return Ok(false);
            }
            self.connection
                .prepare_cached("DELETE FROM enrolment WHERE lane = ?1")?
                .execute([lane])?;
        }
        let json = serde_json::to_vec(enrolled).map_err(|_| StoreError::Damaged)?;
        let none: &[u8] = &[];
        let lane = self
            .connection
            .prepare_cached(
                "INSERT INTO enrolment (subscription, token, reference, sealed, at_ms, \
                 generation) VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING lane",
            )?
            .query_row(
                (subscription.as_str(), covered, reference, none, at_ms, current.number),
                |row| row.get(0),
            )?;
        self.keys.seal(Place::enrolment(lane), &json, &mut self.scratch)?;
        self.connection
            .prepare_cached("UPDATE enrolment SET sealed = ?2 WHERE lane = ?1")?
            .execute((lane, &self.scratch[..]))?;
        Ok(true)
    }

    /// Puts lanes under the generation in force, at most so many; how many stood under the
    /// one before.
    pub(super) fn lift_lanes(&self, before: i64, limit: usize) -> Result<usize, Stop> {
        let mut select = self
            .connection
            .prepare_cached("SELECT lane, token FROM enrolment WHERE generation = ?1 LIMIT ?2")?;
        let rows = select
            .query_map((before, limited(limit)), |row| Ok((row.get::<i64>(0)?, row.get(1)?)))?;
        let rows = rows.collect::<sql::Result<Vec<_>>>()?;
        let (before, current) = (self.generations.of(before)?, &self.generations.current);
        for (lane, token) in &rows {
            let covered = current.cover(&before.uncover(*token));
            self.connection
                .prepare_cached("UPDATE enrolment SET token = ?2, generation = ?3 WHERE lane = ?1")?
                .execute((lane, covered, current.number))?;
        }
        Ok(rows.len())
    }

    /// Takes somebody off every list.
    pub(super) fn leave_lists(&mut self, root: PersonId) -> Result<(), Stop> {
        for (lane, _) in lanes(&self.connection, &self.generations, root)? {
            self.connection
                .prepare_cached("DELETE FROM enrolment WHERE lane = ?1")?
                .execute([lane])?;
        }
        Ok(())
    }

    pub(super) fn is_anybody_enrolled(&self) -> sql::Result<bool> {
        self.connection.prepare_cached("SELECT 1 FROM enrolment LIMIT 1")?.exists([])
    }
}

/// A reference beside the name of its subscription: two departments' are never the same.
pub fn of_subscription(subscription: Subscription, reference: &str) -> Vec<u8> {
    [subscription.as_str().as_bytes(), b"\0", reference.as_bytes()].concat()
}

/// The lanes of everybody whose identifier leads to this person, with their subscriptions.
pub fn lanes(
    connection: &Connection,
    generations: &Generations,
    root: PersonId,
) -> Result<Vec<(i64, String)>, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT lane, subscription FROM enrolment WHERE token IN (?1, ?2)")?;
    let mut found = Vec::new();
    for entry in index::set(connection, root)? {
        for token in index::tokens(connection, generations, entry)? {
            let rows = select.query_map(generations.covers(&token), |row| {
                Ok((row.get::<i64>(0)?, row.get::<String>(1)?))
            })?;
            let rows = rows.collect::<sql::Result<Vec<_>>>()?;
            // Whoever only used a number is not who it means.
            if !rows.is_empty() && meant(connection, generations, &token)? == Some(root) {
                found.extend(rows);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Whose number a token is, if it is one person's.
fn meant(
    connection: &Connection,
    generations: &Generations,
    token: &Token,
) -> Result<Option<PersonId>, StoreError> {
    match index::holder(connection, generations, token) {
        Err(StoreError::Conflict) => Ok(None),
        other => Ok(other?.map(|holder| holder.root)),
    }
}

/// Which other references of the lane's subscription mean the same elder.
pub fn same_elder(
    connection: &Connection,
    (keys, generations): (&StoreKeys, &Generations),
    (lane, person): (i64, PersonId),
) -> Result<Vec<String>, StoreError> {
    let root = index::root(connection, person)?;
    let mut select = connection.prepare_cached(
        "SELECT other.sealed FROM enrolment AS one JOIN enrolment AS other USING (subscription) \
         WHERE one.lane = ?1 AND other.lane = ?2",
    )?;
    let mut found = Vec::new();
    for (other, _) in lanes(connection, generations, root)? {
        if other == lane {
            continue;
        }
        let sealed: Option<Vec<u8>> =
            select.query_row((lane, other), |row| row.get(0)).optional()?;
        if let Some(sealed) = sealed {
            found.push(opened(keys, other, &sealed)?.reference);
        }
    }
    Ok(found)
}

/// What was said of whom a lane is about.
pub fn opened(keys: &StoreKeys, lane: i64, sealed: &[u8]) -> Result<Enrolled, StoreError> {
    let json = keys.open(Place::enrolment(lane), sealed)?;
    serde_json::from_slice(&json).map_err(|_| StoreError::Damaged)
}
