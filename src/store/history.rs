//! 历史, what was said of entries, and what was undone. Nothing said is ever deleted.

use serde::Serialize;

use super::error::StoreError;
use super::index;
use super::sql::{self, Connection};
use crate::identity::PersonId;

/// What can be said of two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// They are two people.
    Apart,
    /// A number of the first is the second's.
    Moved,
    /// They are one person.
    Same,
}

/// One event in the history of a person's entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its number.
    pub event: i64,
    /// The two entries.
    pub pair: (PersonId, PersonId),
    /// What was said of them.
    pub what: What,
    /// Who said so.
    pub by: String,
    /// When.
    pub at_ms: i64,
    /// The message, if one did.
    pub journal: Option<u64>,
    /// When it was undone, if it was.
    pub ended_at_ms: Option<i64>,
}

/// Everything that was said of the entries of a person, oldest first.
pub fn history(connection: &Connection, person: PersonId) -> Result<Vec<Event>, StoreError> {
    let snapshot = connection.snapshot()?;
    let root = index::root(&snapshot, person)?;
    let mut select = snapshot.prepare_cached(
        "SELECT event, one, other, same, said_by, at_ms, journal, ended_at_ms FROM assertion \
         WHERE one = ?1 OR other = ?1",
    )?;
    let mut events: Vec<Event> = Vec::new();
    for entry in index::set(&snapshot, root)? {
        let rows = select.query_map([entry.0], |row| {
            Ok(Event {
                event: row.get(0)?,
                pair: (row.get(1).map(PersonId)?, row.get(2).map(PersonId)?),
                what: if row.get(3)? { What::Same } else { What::Apart },
                by: row.get(4)?,
                at_ms: row.get(5)?,
                journal: row.get::<Option<i64>>(6)?.map(i64::cast_unsigned),
                ended_at_ms: row.get(7)?,
            })
        })?;
        for row in rows {
            events.push(row?);
        }
        events.extend(moves(&snapshot, entry)?);
    }
    events.sort_by_key(|event| event.event);
    events.dedup_by_key(|event| event.event);
    Ok(events)
}

/// Numbers that came to an entry, or went from it.
fn moves(connection: &Connection, entry: PersonId) -> Result<Vec<Event>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT event, coalesce(one, other), other, source, at_ms, journal, ended_at_ms \
         FROM moved WHERE one = ?1 OR other = ?1",
    )?;
    let rows = select.query_map([entry.0], |row| {
        Ok(Event {
            event: row.get(0)?,
            pair: (row.get(1).map(PersonId)?, row.get(2).map(PersonId)?),
            what: What::Moved,
            by: row.get(3)?,
            at_ms: row.get(4)?,
            journal: row.get::<Option<i64>>(5)?.map(i64::cast_unsigned),
            ended_at_ms: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<sql::Result<_>>()?)
}
