//! The rows of a house as anybody may read them, for whoever judges a simulation.

use std::collections::BTreeMap;

use super::house::House;
use crate::store::sql::{self, Connection, Optional, Row};

/// Reads what is committed.
pub(crate) struct Rows(Connection);

impl Rows {
    pub(crate) fn of(house: &House) -> Self {
        Self(house.connect())
    }

    fn each<T>(&self, sql: &str, at: i64, read: impl FnMut(&Row<'_>) -> sql::Result<T>) -> Vec<T> {
        let mut select = self.0.prepare_cached(sql).unwrap();
        select.query_map([at], read).unwrap().collect::<sql::Result<_>>().unwrap()
    }

    /// Number, control id and whether it is kept, of messages after a number.
    pub(crate) fn journal_after(&self, number: i64) -> Vec<(i64, String, bool)> {
        let sql = "SELECT number, control_id, state FROM journal WHERE number > ?1 ORDER BY number";
        self.each(sql, number, |row| Ok((row.get(0)?, row.get(1)?, row.get::<i64>(2)? == 0)))
    }

    /// Numbers of ledger entries from one on.
    pub(crate) fn ledger_from(&self, number: i64) -> Vec<i64> {
        let sql = "SELECT number FROM ledger WHERE number >= ?1 ORDER BY number";
        self.each(sql, number, |row| row.get(0))
    }

    /// How many commits there were.
    pub(crate) fn turns(&self) -> i64 {
        self.0.query_row("SELECT number FROM turn", [], |row| row.get(0)).unwrap()
    }

    /// Who has each lease, and its fence.
    pub(crate) fn leases(&self) -> BTreeMap<String, (i64, i64)> {
        let sql = "SELECT job, node, fence FROM lease WHERE node > ?1";
        self.each(sql, 0, |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).into_iter().collect()
    }

    /// Notices that are noted as delivered.
    pub(crate) fn delivered(&self) -> Vec<i64> {
        let sql = "SELECT number FROM outbox WHERE state = ?1 ORDER BY number";
        self.each(sql, 1, |row| row.get(0))
    }

    /// Notices up to a number: each with its lane and the other it waits for.
    pub(crate) fn notices(&self, number: i64) -> Vec<(i64, i64, Option<i64>)> {
        let sql = "SELECT number, lane, other FROM outbox WHERE number <= ?1 ORDER BY number";
        self.each(sql, number, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// Which message each notice about one lane tells of, and the lane.
    pub(crate) fn told(&self) -> Vec<(i64, i64)> {
        let sql = "SELECT journal, lane FROM outbox WHERE journal > ?1 AND event = 'death'";
        self.each(sql, 0, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The lane of each enrolment, in the order they came.
    pub(crate) fn lanes(&self) -> Vec<i64> {
        self.each("SELECT lane FROM enrolment WHERE lane > ?1 ORDER BY lane", 0, |row| row.get(0))
    }

    /// The number under which a message is kept.
    pub(crate) fn number_of(&self, text: &str) -> Option<u64> {
        let sql = "SELECT number FROM journal WHERE control_id = ?1";
        let found = self.0.query_row(sql, [text], |row| row.get::<i64>(0)).optional().unwrap();
        found.map(i64::cast_unsigned)
    }

    /// An entry of the ledger.
    pub(crate) fn entry(&self, number: u64) -> Option<Vec<u8>> {
        let sql = "SELECT bytes FROM ledger WHERE number = ?1";
        let number = number.cast_signed();
        self.0.query_row(sql, [number], |row| row.get(0)).optional().unwrap()
    }

    /// All entries, in order.
    pub(crate) fn entries(&self) -> Vec<Vec<u8>> {
        let sql = "SELECT bytes FROM ledger WHERE number >= ?1 ORDER BY number";
        self.each(sql, 0, |row| row.get(0))
    }

    /// All checkpoints: over how many entries, and their bytes.
    pub(crate) fn checkpoints(&self) -> Vec<(usize, Vec<u8>)> {
        let sql = "SELECT size, bytes FROM checkpoint WHERE size > ?1";
        self.each(sql, 0, |row| Ok((usize::try_from(row.get::<i64>(0)?).unwrap(), row.get(1)?)))
    }
}
