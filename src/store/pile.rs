//! 分类, what waits in quarantine by what is wrong with it: one thing to mend is one line.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Store;
use super::arrival::Reason;
use super::error::StoreError;
use super::journal::read_reason;
use super::ledger::bound;
use super::sql::Connection;
use crate::vocabulary::{Fault, Position};

/// Piles that are told.
const PILES_MAX: usize = 200;

/// Quarantined messages of one sender that have one thing wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pile {
    /// Who sent them.
    pub source: String,
    /// What is wrong.
    pub fault: Fault,
    /// Where, in any of them.
    pub place: Option<String>,
    /// How many.
    pub count: u64,
    /// Number of the first.
    pub first: u64,
    /// When it arrived, in milliseconds since 1970.
    pub first_ms: i64,
    /// Number of the last.
    pub last: u64,
    /// When it arrived, in milliseconds since 1970.
    pub last_ms: i64,
}

impl Store {
    /// Quarantined messages by what is wrong, where and whose: the most frequent first.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn piles(&self) -> Result<Vec<Pile>, StoreError> {
        self.readers.read(piles).await
    }
}

fn piles(connection: &Connection) -> Result<Vec<Pile>, StoreError> {
    let snapshot = connection.snapshot()?;
    let mut select = snapshot.prepare_cached(
        "SELECT source, fault, at, count(*), min(number), max(number) \
         FROM journal INDEXED BY journal_why WHERE state = 1 GROUP BY fault, source, at",
    )?;
    // In which repetition it stands differs from one message to the next; what helps does not.
    let mut piles: BTreeMap<_, Pile> = BTreeMap::new();
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let source: String = row.get(0)?;
        let Some(Reason { fault, at }) = read_reason(row.get(1)?, row.get(2)?) else { continue };
        let place = at.as_ref().and_then(Position::place_in_any);
        let number = |column| row.get::<i64>(column).map(i64::cast_unsigned);
        let (count, first, last) = (number(3)?, number(4)?, number(5)?);
        let pile = piles.entry((fault.row().name, source.clone(), place.clone()));
        let none = Pile { source, fault, place, count: 0, first, first_ms: 0, last, last_ms: 0 };
        let pile = pile.or_insert(none);
        pile.count += count;
        pile.first = pile.first.min(first);
        pile.last = pile.last.max(last);
    }
    let mut piles: Vec<_> = piles.into_values().collect();
    piles.sort_by_key(|pile| (std::cmp::Reverse(pile.count), std::cmp::Reverse(pile.last)));
    piles.truncate(PILES_MAX);
    let mut came =
        snapshot.prepare_cached("SELECT received_at_ms FROM journal WHERE number = ?1")?;
    for pile in &mut piles {
        pile.first_ms = came.query_row([bound(pile.first)], |row| row.get(0))?;
        pile.last_ms = came.query_row([bound(pile.last)], |row| row.get(0))?;
    }
    Ok(piles)
}
