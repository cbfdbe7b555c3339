//! 登记, whom subscriptions are about: keyed tokens, and sealed what the department said.

use rusqlite::{Connection, OptionalExtension};

use super::error::StoreError;
use super::index;
use super::outbox::{Enrol, Enrolled};
use super::seal::{Place, StoreKeys};
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
                    let digest = self.keys.seen(reference.as_bytes());
                    left += self
                        .connection
                        .prepare_cached(
                            "DELETE FROM enrolment WHERE subscription = ?1 AND reference = ?2",
                        )?
                        .execute((subscription.as_str(), digest))?;
                }
            }
        }
        Ok(Answer::Enrolled(joined, left))
    }

    /// Whether that is news. Who is enrolled again under one reference keeps his lane.
    fn join_list(
        &mut self,
        subscription: Subscription,
        (enrolled, token): (&Enrolled, &Token),
        at_ms: i64,
    ) -> Result<bool, Stop> {
        let reference = self.keys.seen(enrolled.reference.as_bytes());
        let known: Option<(i64, [u8; 32])> = self
            .connection
            .prepare_cached(
                "SELECT lane, token FROM enrolment WHERE subscription = ?1 AND reference = ?2",
            )?
            .query_row((subscription.as_str(), reference), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let json = serde_json::to_vec(enrolled).map_err(|_| StoreError::Damaged)?;
        let lane = match known {
            Some((_, same)) if same == *token.as_bytes() => return Ok(false),
            Some((lane, _)) => lane,
            None => {
                self.connection
                    .prepare_cached(
                        "INSERT INTO enrolment (subscription, token, reference, sealed, at_ms) \
                         VALUES (?1, ?2, ?3, x'', ?4)",
                    )?
                    .execute((subscription.as_str(), token.as_bytes(), reference, at_ms))?;
                self.connection.last_insert_rowid()
            }
        };
        self.keys.wrap().seal(Place::enrolment(lane), &json, &mut self.scratch)?;
        self.connection
            .prepare_cached("UPDATE enrolment SET token = ?2, sealed = ?3 WHERE lane = ?1")?
            .execute((lane, token.as_bytes(), &self.scratch[..]))?;
        Ok(true)
    }

    /// Takes somebody off every list.
    pub(super) fn leave_lists(&mut self, root: PersonId) -> Result<(), Stop> {
        for (lane, _) in lanes(&self.connection, root)? {
            self.connection
                .prepare_cached("DELETE FROM enrolment WHERE lane = ?1")?
                .execute([lane])?;
        }
        Ok(())
    }

    pub(super) fn is_anybody_enrolled(&self) -> rusqlite::Result<bool> {
        self.connection.prepare_cached("SELECT 1 FROM enrolment LIMIT 1")?.exists([])
    }
}

/// The lanes of everybody whose identifier leads to this person, with their subscriptions.
pub fn lanes(connection: &Connection, root: PersonId) -> Result<Vec<(i64, String)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT DISTINCT lane, subscription, enrolment.token FROM identifier \
         JOIN enrolment ON enrolment.token = identifier.token WHERE identifier.person = ?1",
    )?;
    let mut found = Vec::new();
    for entry in index::set(connection, root)? {
        let rows = select.query_map([entry.0], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2).map(Token::from_bytes)?))
        })?;
        for row in rows {
            let (lane, subscription, token) = row?;
            // Whoever only used a number is not who it means.
            let meant = match index::holder(connection, &token) {
                Err(StoreError::Conflict) => None,
                other => other?,
            };
            if meant == Some(root) {
                found.push((lane, subscription));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Which other references of the lane's subscription mean the same elder.
pub fn same_elder(
    connection: &Connection,
    keys: &StoreKeys,
    (lane, person): (i64, PersonId),
) -> Result<Vec<String>, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let root = index::root(&snapshot, person)?;
    let mut select = snapshot.prepare_cached(
        "SELECT other.sealed FROM enrolment AS one JOIN enrolment AS other USING (subscription) \
         WHERE one.lane = ?1 AND other.lane = ?2",
    )?;
    let mut found = Vec::new();
    for (other, _) in lanes(&snapshot, root)? {
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
    let json = keys.wrap().open(Place::enrolment(lane), sealed)?;
    serde_json::from_slice(&json).map_err(|_| StoreError::Damaged)
}
