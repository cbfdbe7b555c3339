//! 寻同, by which keys of their traits entries find each other.

use std::collections::BTreeSet;

use super::generation::Generations;
use super::ledger::limited;
use super::sql::{self, Connection};
use super::writer::{Stop, Writer};
use crate::identity::PersonId;
use crate::identity::linkage::Traits;
use crate::identity::linkage::population::SHARED_MAX;

/// Some of those who have a key.
pub(super) const SHARES: &str = "SELECT person FROM trait WHERE key IN (?1, ?2) LIMIT ?3";

impl Writer {
    /// Under which others find an entry.
    pub(super) fn write_keys(&self, entry: PersonId, traits: &Traits) -> Result<(), Stop> {
        let mut insert = self
            .connection
            .prepare_cached("INSERT INTO trait VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
        for key in &traits.keys {
            insert.execute((self.generations.current.found_by(*key), entry.0))?;
        }
        Ok(())
    }

    /// Nobody finds it by them any more.
    pub(super) fn forget_keys(&self, entry: PersonId, traits: &Traits) -> Result<(), Stop> {
        let mut delete = self
            .connection
            .prepare_cached("DELETE FROM trait WHERE key IN (?1, ?2) AND person = ?3")?;
        for key in &traits.keys {
            let [key, ending] = self.generations.found_by(*key);
            delete.execute((key, ending, entry.0))?;
        }
        Ok(())
    }
}

/// Who shares a key with these traits.
pub fn candidates(
    connection: &Connection,
    generations: &Generations,
    traits: &Traits,
) -> sql::Result<BTreeSet<PersonId>> {
    let keys = traits.keys.iter().chain(&traits.probes).map(|key| {
        let [key, ending] = generations.found_by(*key);
        (key, ending, limited(SHARED_MAX + 1))
    });
    let found = connection.answer_each(SHARES, keys, |row| row.get(0).map(PersonId))?;
    Ok(found.into_iter().filter(|holders| holders.len() <= SHARED_MAX).flatten().collect())
}
