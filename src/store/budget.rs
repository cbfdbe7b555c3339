//! 查询额度, about how many persons a department may ask for a purpose in a day.
//!
//! The count is in the commit of the ledger entry, so two questions at once cannot both be the
//! last, and a restart forgets nothing. Whoever nobody knows counts like anybody else: a sweep
//! through numbers is what the budget is there to end.

use std::collections::BTreeSet;

use super::error::StoreError;
use super::sql::{Connection, Optional};
use super::writer::{Stop, Writer};
use crate::identity::Pseudonym;

/// The time a budget is for, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// One question against a budget.
#[derive(Debug, Clone)]
pub struct Spending {
    /// Whose budget: department and purpose.
    pub scope: String,
    /// About whom is asked.
    pub person: Pseudonym,
    /// Persons in 24 hours.
    pub most: u32,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Writer {
    /// Takes note of a question, if the budget allows it.
    pub(super) fn spend(&mut self, spending: &Spending) -> Result<(), Stop> {
        afford(&self.connection, &[spending])?;
        let Spending { scope, person, at_ms, .. } = spending;
        self.connection
            .prepare_cached("DELETE FROM asked WHERE scope = ?1 AND at_ms <= ?2")?
            .execute((scope, at_ms - DAY_MS))?;
        // The first question counts: who is asked about all day is free again a day after it.
        self.connection
            .prepare_cached("INSERT INTO asked VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute((scope, &person.0, at_ms))?;
        Ok(())
    }
}

/// Whether a budget allows these questions of one asker: who was asked about already costs nothing.
pub(super) fn afford(connection: &Connection, asked: &[&Spending]) -> Result<(), StoreError> {
    let Some(Spending { scope, most, at_ms, .. }) = asked.first() else { return Ok(()) };
    let since = at_ms - DAY_MS;
    let mut anew = BTreeSet::new();
    for Spending { person, .. } in asked {
        let known = connection
            .prepare_cached("SELECT 1 FROM asked WHERE scope = ?1 AND person = ?2 AND at_ms > ?3")?
            .query_row((scope, &person.0, since), |_| Ok(()))
            .optional()?;
        if known.is_none() {
            anew.insert(&person.0);
        }
    }
    if anew.is_empty() {
        return Ok(());
    }
    let spent: i64 = connection
        .prepare_cached("SELECT count(*) FROM asked WHERE scope = ?1 AND at_ms > ?2")?
        .query_row((scope, since), |row| row.get(0))?;
    let anew = i64::try_from(anew.len()).unwrap_or(i64::MAX);
    let spent = spent.saturating_add(anew);
    if spent <= i64::from(*most) { Ok(()) } else { Err(StoreError::Exhausted) }
}
