//! 积压, what waits for a person to look: pairs, and messages held by the overlay guard.

use super::Store;
use super::arrival::State;
use super::error::StoreError;
use super::review::WAITING;
use super::sql::{Connection, Optional};
use crate::identity::PersonId;
use crate::vocabulary::Fault;

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Pairs that wait for a reviewer.
    pub pairs: u64,
    /// Since when the oldest pair waits, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
    /// Messages held because they put somebody else where somebody was.
    pub overlays: u64,
}

/// A pair that waits for a reviewer, or about which a person has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Who says the one and the other.
    pub sources: (String, String),
    /// By which rule it waits.
    pub rule: Option<String>,
    /// Since when it waits, in milliseconds since 1970.
    pub at_ms: Option<i64>,
    /// Who has said that they are one, if a first reviewer has.
    pub proposed_by: Option<String>,
    /// Whether it waits.
    pub waits: bool,
}

impl Store {
    /// How much waits for a person to look.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.readers.read(backlog).await
    }

    /// A pair a reviewer may look at: one that waits, or that a person decided. Every other
    /// pair is nobody's to compare, and `None`.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn review_item(
        &self,
        pair: (PersonId, PersonId),
    ) -> Result<Option<Item>, StoreError> {
        self.readers.read(move |connection| item(connection, pair)).await
    }
}

fn backlog(connection: &Connection) -> Result<Backlog, StoreError> {
    let snapshot = connection.snapshot()?;
    let (pairs, oldest_ms) = snapshot
        .prepare_cached(&format!("SELECT count(*), min(pair.at_ms) FROM {WAITING}"))?
        .query_row([], |row| Ok((row.get::<i64>(0)?, row.get(1)?)))?;
    let overlays: i64 = snapshot
        .prepare_cached(
            "SELECT count(*) FROM journal WHERE state > 0 AND state = ?1 AND fault = ?2",
        )?
        .query_row((State::Quarantined.code(), Fault::IdentityOverlay.row().name), |row| {
            row.get(0)
        })?;
    Ok(Backlog { pairs: pairs.cast_unsigned(), oldest_ms, overlays: overlays.cast_unsigned() })
}

/// What a message said of two is its sender's; who reviews did not look at it.
fn item(
    connection: &Connection,
    (one, other): (PersonId, PersonId),
) -> Result<Option<Item>, StoreError> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT coalesce(a.source, ''), coalesce(b.source, ''), pair.at_ms, \
             proposal.said_by, EXISTS (SELECT 1 FROM {WAITING} AND pair.one = ?1 \
             AND pair.other = ?2), EXISTS (SELECT 1 FROM assertion WHERE journal IS NULL AND \
             ((one = ?1 AND other = ?2) OR (one = ?2 AND other = ?1))), rule \
             FROM person a JOIN person b ON b.id = ?2 \
             LEFT JOIN pair ON pair.one = ?1 AND pair.other = ?2 \
             LEFT JOIN proposal ON proposal.one = ?1 AND proposal.other = ?2 WHERE a.id = ?1"
        ))?
        .query_row((one.0, other.0), |row| {
            let waits = row.get(4)?;
            let item = Item {
                sources: (row.get(0)?, row.get(1)?),
                rule: row.get(6)?,
                at_ms: row.get(2)?,
                proposed_by: row.get(3)?,
                waits,
            };
            Ok((item, waits || row.get(5)?))
        })
        .optional()?;
    Ok(found.filter(|(_, open)| *open).map(|(item, _)| item))
}
