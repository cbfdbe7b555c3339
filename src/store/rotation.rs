//! 换钥, entries move to the next generation of the tokens' key while everything is served.

use std::sync::Arc;

use serde::Serialize;

use super::Store;
use super::arrival::LedgerRow;
use super::error::StoreError;
use super::generation::{Generation, Generations};
use super::ledger::limited;
use super::seal::{Place, StoreKeys, random};
use super::sql::{self, Connection};
use super::writer::{Answer, Request, Stop, Writer};
use crate::identity::PersonId;

/// How far the tokens are in their rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Rotation {
    /// The generation in force, under which everything is written.
    pub generation: i64,
    /// The one before, while entries stand under it.
    pub ending: Option<i64>,
    /// Entries and lanes that stand under it.
    pub entries_left: u64,
}

impl Store {
    /// How far the tokens are in their rotation.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn rotation(&self) -> Result<Rotation, StoreError> {
        self.readers.read(rotation).await
    }

    /// Brings the next generation into force: what is written from now on stands under it,
    /// and what stands under the one before is found as well.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] while a rotation is under way, [`StoreError::Unavailable`].
    pub async fn rotate(&self, at_ms: i64) -> Result<Rotation, StoreError> {
        self.write(Request::Rotate { at_ms }).await?;
        self.rotation().await
    }

    /// Moves at most `limit` entries to the generation in force. Once none is left, the one
    /// before ends, with the entry `ended` in the same commit.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn move_on(&self, limit: usize, ended: LedgerRow) -> Result<(), StoreError> {
        match self.write(Request::MoveOn(limit, ended)).await? {
            Answer::Done => Ok(()),
            _ => Err(StoreError::Damaged),
        }
    }

    /// What a file says of generations, with the keys of the store.
    pub(super) async fn by_generation<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Connection, &Generations) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let keys = Arc::clone(&self.keys);
        self.readers.read(move |connection| in_force(connection, &keys, what)).await
    }
}

/// Reads in one snapshot, by the generations that are in force in it.
pub fn in_force<T>(
    connection: &Connection,
    keys: &StoreKeys,
    what: impl FnOnce(&Connection, &Generations) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let snapshot = connection.snapshot()?;
    let generations = Generations::read(&snapshot, keys)?;
    what(&snapshot, &generations)
}

/// How far the tokens of a file are in their rotation.
pub fn rotation(connection: &Connection) -> Result<Rotation, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT max(number), min(number), \
             (SELECT count(*) FROM person WHERE generation < (SELECT max(number) FROM generation)) \
             + (SELECT count(*) FROM enrolment \
                WHERE generation < (SELECT max(number) FROM generation)) FROM generation",
        )?
        .query_row([], |row| {
            let (generation, before) = (row.get(0)?, row.get::<i64>(1)?);
            let ending = Some(before).filter(|before| *before != generation);
            let entries_left = row.get::<i64>(2)?.cast_unsigned();
            Ok(Rotation { generation, ending, entries_left })
        })?;
    Ok(found)
}

impl Writer {
    pub(super) fn rotate(&mut self, at_ms: i64) -> Result<(), Stop> {
        if self.generations.ending.is_some() {
            return Err(StoreError::Conflict.into());
        }
        // It follows from nothing that was before: not from what an old master key opens.
        let number = self.generations.current.number + 1;
        self.keys.seal(Place::generation(number), &random()?[..], &mut self.scratch)?;
        self.connection
            .prepare_cached("INSERT INTO generation (number, at_ms, sealed) VALUES (?1, ?2, ?3)")?
            .execute((number, at_ms, &self.scratch[..]))?;
        self.generations = Generations::read(&self.connection, &self.keys)?;
        self.changes.ground = true;
        Ok(())
    }

    pub(super) fn move_on(&mut self, limit: usize, ended: &LedgerRow) -> Result<(), Stop> {
        let Some(ending) = self.generations.ending.as_ref().map(|ending| ending.number) else {
            return Ok(());
        };
        let entries: Vec<i64> = self
            .connection
            .prepare_cached("SELECT id FROM person WHERE generation = ?1 ORDER BY id LIMIT ?2")?
            .query_map((ending, limited(limit)), |row| row.get(0))?
            .collect::<sql::Result<_>>()?;
        // Lanes after entries: a lane is found under both keys meanwhile.
        if entries.is_empty() && self.lift_lanes(ending, limit)? == 0 {
            self.connection
                .prepare_cached("DELETE FROM generation WHERE number = ?1")?
                .execute([ending])?;
            self.append(ended)?;
            self.generations = Generations::read(&self.connection, &self.keys)?;
            self.changes.ground = true;
        }
        entries.into_iter().try_for_each(|entry| self.lift(PersonId(entry)))
    }

    /// The generation an entry stands under.
    pub(super) fn generation(&self, entry: PersonId) -> Result<&Generation, Stop> {
        let number = self
            .connection
            .prepare_cached("SELECT generation FROM person WHERE id = ?1")?
            .query_row([entry.0], |row| row.get(0))?;
        Ok(self.generations.of(number)?)
    }

    /// Numbers that came to an entry, by their events.
    fn moved_to(&self, entry: PersonId) -> sql::Result<Vec<(i64, [u8; 32])>> {
        let mut select =
            self.connection.prepare_cached("SELECT event, token FROM moved WHERE other = ?1")?;
        let rows = select.query_map([entry.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    /// Puts everything of an entry under the generation in force.
    pub(super) fn lift(&self, entry: PersonId) -> Result<(), Stop> {
        let current = &self.generations.current;
        if self.generations.ending.is_none() {
            return Ok(());
        }
        let (number, mark, traits): (i64, Option<i64>, Option<Vec<u8>>) = self
            .connection
            .prepare_cached("SELECT generation, mark, traits FROM person WHERE id = ?1")?
            .query_row([entry.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if number == current.number {
            return Ok(());
        }
        let before = self.generations.of(number)?;
        let mut tokens: Vec<[u8; 32]> = self
            .connection
            .prepare_cached("SELECT DISTINCT token FROM identifier WHERE person = ?1")?
            .query_map([entry.0], |row| row.get(0))?
            .collect::<sql::Result<_>>()?;
        for token in &mut tokens {
            let moved = current.cover(&before.uncover(*token));
            self.connection
                .prepare_cached(
                    "UPDATE identifier SET token = ?3 WHERE token = ?1 AND person = ?2",
                )?
                .execute((&*token, entry.0, moved))?;
        }
        for (event, token) in self.moved_to(entry)? {
            let moved = current.cover(&before.uncover(token));
            self.connection
                .prepare_cached("UPDATE moved SET token = ?2 WHERE event = ?1")?
                .execute((event, moved))?;
        }
        let traits = traits.map(|bytes| before.open(entry, &bytes)).transpose()?;
        for key in traits.iter().flat_map(|traits| &traits.keys) {
            let (old, new) = (before.found_by(*key), current.found_by(*key));
            for (sql, key) in [
                ("DELETE FROM trait WHERE key = ?1 AND person = ?2", old),
                ("INSERT INTO trait VALUES (?1, ?2) ON CONFLICT DO NOTHING", new),
            ] {
                self.connection.prepare_cached(sql)?.execute((key, entry.0))?;
            }
        }
        let sealed = traits.map(|traits| current.seal(entry, &traits)).transpose()?;
        let mark = mark.map(|mark| current.cover_mark(before.uncover_mark(mark)));
        self.connection
            .prepare_cached(
                "UPDATE person SET generation = ?2, mark = ?3, traits = ?4 WHERE id = ?1",
            )?
            .execute((entry.0, current.number, mark, sealed))?;
        Ok(())
    }
}
