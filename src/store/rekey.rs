//! 换密, keys at rest give way to new ones while everything is served.
//!
//! Two rotations, each on its own. Under a new master key whatever the wrapping key of before
//! wrapped is wrapped anew; or every person gets a new key, and all that was sealed under the
//! old one is sealed under it. What is written meanwhile stands under the new keys from the
//! start, so a rotation ends once it has passed every row there was when it began. How far it
//! is stands in the file, in the commit of what was done: a kill repeats and loses nothing.

use serde::Serialize;
use zeroize::Zeroizing;

use super::Store;
use super::arrival::LedgerRow;
use super::error::StoreError;
use super::ledger::limited;
use super::master::{self, Master};
use super::seal::{DataKey, Place};
use super::sql::{self, Connection, Optional};
use super::writer::{Answer, Request, Stop, Writer};
use crate::identity::PersonId;

/// How far the rotation of persons' keys is stands in the file under this name.
const PERSONS: &str = "persons";
/// A step looks at so many rows for each it may change: most of a journal stands under the
/// keys of persons.
const LOOKED_AT: i64 = 20;
/// A step ends once it has sealed so many bytes anew, with the person it is at.
const SEALED_BYTES_MAX: usize = 1 << 20;

/// A table with something that the wrapping key wraps, and where a row of it stands.
struct Wrapped {
    table: &'static str,
    number: &'static str,
    column: &'static str,
    place: fn(i64) -> Place,
}

/// All there are; secrets of generations besides, which are few enough to move at once.
const WRAPPED: [Wrapped; 5] = [
    Wrapped { table: "batch", number: "number", column: "wrapped", place: Place::batch_key },
    Wrapped { table: "directory", number: "number", column: "wrapped", place: Place::row_key },
    Wrapped { table: "enrolment", number: "lane", column: "sealed", place: Place::enrolment },
    Wrapped { table: "journal", number: "number", column: "wrapped", place: Place::row_key },
    Wrapped { table: "person", number: "id", column: "wrapped", place: Place::person_key },
];

/// The secret of a generation of the tokens' key, by its number.
type Secret = (i64, Zeroizing<Vec<u8>>);

/// How far the keys are in their rotations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Rekeying {
    /// The number of the master key in force.
    pub master: u64,
    /// By which it is told from others; says nothing of it.
    pub mark: String,
    /// The one before, while something stands under its wrapping key.
    pub ending: Option<u64>,
    /// Rows not passed yet, of those that may stand under that one.
    pub rows_left: u64,
    /// Whether persons are getting new keys.
    pub persons_ending: bool,
    /// Persons not passed yet, who may have the key they had.
    pub persons_left: u64,
}

impl Rekeying {
    /// Whether there is anything left to do.
    #[must_use]
    pub const fn under_way(&self) -> bool {
        self.ending.is_some() || self.persons_ending
    }
}

/// What is said in the ledger when a rotation ends.
#[derive(Debug, Clone)]
pub struct EndRows {
    /// Of the master key.
    pub master: LedgerRow,
    /// Of persons' keys.
    pub persons: LedgerRow,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// Whether a rotation ended with it.
    pub ended: bool,
    /// Rows and persons that keep the key they had, since something does not open under it.
    pub damaged: usize,
}

impl Store {
    /// How far the keys are in their rotations.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn rekeying(&self) -> Result<Rekeying, StoreError> {
        self.readers.read(rekeying).await
    }

    /// Brings the next master key into force: the store opens under it alone when this
    /// returns, and what the wrapping key of before wrapped is wrapped anew by [`Store::rekey`].
    ///
    /// # Errors
    /// [`StoreError::Rotating`] while the last one is under way, [`StoreError::MasterReplaced`]
    /// if the key was in force before, [`StoreError::Unavailable`].
    pub async fn rotate_master(&self, next: &[u8; 32], at_ms: i64) -> Result<Rekeying, StoreError> {
        self.key_deed(KeyDeed::Master(Master::new(next)?, at_ms)).await?;
        // What stood under the old one is in the log still.
        self.empty_log().await;
        self.rekeying().await
    }

    /// Gives every person a new key from now on, by [`Store::rekey`].
    ///
    /// # Errors
    /// [`StoreError::Rotating`] while the last one is under way, [`StoreError::Unavailable`].
    pub async fn rotate_persons(&self) -> Result<Rekeying, StoreError> {
        self.key_deed(KeyDeed::Persons).await?;
        self.rekeying().await
    }

    /// Whether a master key is the one in force.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn is_under(&self, key: &[u8; 32]) -> Result<bool, StoreError> {
        let master = Master::new(key)?;
        let known = self.readers.read(move |connection| master.known(connection)).await?;
        Ok(known.is_some_and(|(_, last)| last))
    }

    /// A step of each rotation that is under way, of at most `limit` rows or persons; where it
    /// is the last one, what is said of that is in its commit.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn rekey(&self, limit: usize, ended: EndRows) -> Result<Step, StoreError> {
        let Answer::Rekeyed(step) = self.key_deed(KeyDeed::Step(limit, ended)).await? else {
            return Err(StoreError::Damaged);
        };
        if step.ended {
            self.empty_log().await;
        }
        Ok(step)
    }

    async fn key_deed(&self, deed: KeyDeed) -> Result<Answer, StoreError> {
        self.write(Request::Keys(Box::new(deed))).await
    }
}

/// What the writer is asked about keys at rest.
pub enum KeyDeed {
    /// Bring the next master key into force.
    Master(Master, i64),
    /// Give every person a new key from now on.
    Persons,
    /// Put some rows under the keys in force; what is said once none is left under others.
    Step(usize, EndRows),
}

fn rekeying(connection: &Connection) -> Result<Rekeying, StoreError> {
    let snapshot = connection.snapshot()?;
    let left = |persons: bool| -> sql::Result<Option<i64>> {
        snapshot
            .prepare_cached(
                "SELECT CAST(sum(until - after) AS BIGINT) FROM rekeying WHERE (what = ?1) = ?2",
            )?
            .query_row((PERSONS, persons), |row| row.get(0))
    };
    let (rows, persons) = (left(false)?, left(true)?);
    let (master, mark): (i64, Vec<u8>) = snapshot
        .prepare_cached("SELECT number, mark FROM master ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Rekeying {
        master: master.cast_unsigned(),
        mark: master::shown(&mark),
        ending: rows.map(|_| (master - 1).cast_unsigned()),
        rows_left: rows.unwrap_or(0).cast_unsigned(),
        persons_ending: persons.is_some(),
        persons_left: persons.unwrap_or(0).cast_unsigned(),
    })
}

impl Writer {
    pub(super) fn keys(&mut self, deed: &KeyDeed) -> Result<Answer, Stop> {
        match deed {
            KeyDeed::Master(next, at_ms) => self.rotate_master(next, *at_ms)?,
            KeyDeed::Persons => self.rekey_persons()?,
            KeyDeed::Step(limit, ended) => return self.rekey(*limit, ended).map(Answer::Rekeyed),
        }
        Ok(Answer::Done)
    }

    fn rotate_master(&mut self, next: &Master, at_ms: i64) -> Result<(), Stop> {
        if self.is_rewrapping()? {
            return Err(StoreError::Rotating.into());
        }
        if next.known(&self.connection)?.is_some() {
            return Err(StoreError::MasterReplaced.into());
        }
        let secrets = self.generation_secrets()?;
        let sql = "SELECT max(number) + 1 FROM master";
        let number: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        next.enforce(&self.connection, &self.keys, (number, at_ms))?;
        self.changes.ground = true;
        for Wrapped { table, number, .. } in &WRAPPED {
            self.begin_rekeying(table, (table, number))?;
        }
        for (number, secret) in secrets {
            self.keys.seal(Place::generation(number), &secret, &mut self.scratch)?;
            self.connection
                .prepare_cached("UPDATE generation SET sealed = ?2 WHERE number = ?1")?
                .execute((number, &self.scratch[..]))?;
        }
        Ok(())
    }

    /// The secrets of generations, opened: if one is damaged, nothing was written yet.
    fn generation_secrets(&self) -> Result<Vec<Secret>, StoreError> {
        let sql = "SELECT number, sealed FROM generation WHERE sealed IS NOT NULL";
        let rows: Vec<(i64, Vec<u8>)> = self
            .connection
            .prepare_cached(sql)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<sql::Result<_>>()?;
        let opened = rows.into_iter().map(|(number, sealed)| {
            Ok((number, self.keys.open(Place::generation(number), &sealed)?))
        });
        opened.collect()
    }

    fn is_rewrapping(&self) -> sql::Result<bool> {
        let sql = "SELECT 1 FROM rekeying WHERE what <> ?1";
        self.connection.prepare_cached(sql)?.exists([PERSONS])
    }

    fn rekey_persons(&mut self) -> Result<(), Stop> {
        if self.passed(PERSONS)?.is_some() {
            return Err(StoreError::Rotating.into());
        }
        self.begin_rekeying(PERSONS, ("person", "id"))
    }

    /// Notes that everything in a table is still to be passed.
    fn begin_rekeying(&self, what: &str, (table, number): (&str, &str)) -> Result<(), Stop> {
        let sql =
            format!("INSERT INTO rekeying SELECT ?1, 0, coalesce(max({number}), 0) FROM {table}");
        self.connection.execute(&sql, [what])?;
        Ok(())
    }

    /// Up to where a rotation has come, and where it ends; `None` if none is under way.
    fn passed(&self, what: &str) -> sql::Result<Option<(i64, i64)>> {
        self.connection
            .prepare_cached("SELECT after, until FROM rekeying WHERE what = ?1")?
            .query_row([what], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    }

    /// Notes up to where a rotation has come; whether that is its end.
    fn pass(&self, what: &str, (end, until): (i64, i64)) -> sql::Result<bool> {
        if end < until {
            self.connection
                .prepare_cached("UPDATE rekeying SET after = ?2 WHERE what = ?1")?
                .execute((what, end))?;
            return Ok(false);
        }
        let sql = "DELETE FROM rekeying WHERE what = ?1";
        self.connection.prepare_cached(sql)?.execute([what])?;
        Ok(true)
    }

    fn rekey(&mut self, limit: usize, ended: &EndRows) -> Result<Step, Stop> {
        let mut step = Step::default();
        for wrapped in &WRAPPED {
            let Some(passed) = self.passed(wrapped.table)? else { continue };
            step.damaged += self.rewrap(wrapped, passed, limit)?;
            if !self.is_rewrapping()? {
                self.end_wrapping()?;
                self.append(&ended.master)?;
                step.ended = true;
            }
            break;
        }
        if let Some(passed) = self.passed(PERSONS)? {
            let (last, damaged) = self.reseal(passed, limit)?;
            step.damaged += damaged;
            if last {
                self.append(&ended.persons)?;
                step.ended = true;
            }
        }
        Ok(step)
    }

    /// Wraps anew what stands in some rows; how many could not be opened.
    fn rewrap(
        &mut self,
        Wrapped { table, number, column, place }: &Wrapped,
        (after, until): (i64, i64),
        limit: usize,
    ) -> Result<usize, Stop> {
        let limit = limited(limit.max(1));
        let end = after.saturating_add(limit.saturating_mul(LOOKED_AT)).min(until);
        let rows: Vec<(i64, Vec<u8>)> = self
            .connection
            .prepare_cached(&format!(
                "SELECT {number}, {column} FROM {table} WHERE {number} > ?1 AND {number} <= ?2 \
                 AND {column} IS NOT NULL ORDER BY {number} LIMIT ?3"
            ))?
            .query_map((after, end, limit), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<sql::Result<_>>()?;
        let full = limited(rows.len()) == limit;
        let end = rows.last().filter(|_| full).map_or(end, |(last, _)| *last);
        let mut damaged = 0;
        for (at, wrapped) in rows {
            // What opens under neither key opened under none before.
            let Some(moved) = opened(self.keys.rewrap(place(at), &wrapped))? else {
                damaged += 1;
                continue;
            };
            self.connection
                .prepare_cached(&format!("UPDATE {table} SET {column} = ?2 WHERE {number} = ?1"))?
                .execute((at, moved))?;
        }
        self.pass(table, (end, until))?;
        Ok(damaged)
    }

    /// Nothing stands under the wrapping key of before any more: it is destroyed.
    fn end_wrapping(&self) -> sql::Result<()> {
        let sql = "UPDATE master SET wrap = NULL WHERE number < (SELECT max(number) FROM master)";
        self.connection.prepare_cached(sql)?.execute([])
    }

    /// Gives some persons new keys; whether they were the last ones, and how many keep the
    /// key they had.
    fn reseal(&mut self, (after, until): (i64, i64), limit: usize) -> Result<(bool, usize), Stop> {
        let end = after.saturating_add(limited(limit.max(1))).min(until);
        let (mut last, mut bytes, mut damaged) = (after, 0, 0);
        for person in (after + 1..=end).map(PersonId) {
            match self.reseal_one(person)? {
                Some(sealed) => bytes += sealed,
                None => damaged += 1,
            }
            last = person.0;
            if bytes >= SEALED_BYTES_MAX {
                break;
            }
        }
        Ok((self.pass(PERSONS, (last, until))?, damaged))
    }

    /// Gives a person a new key and seals under it all that stood under the old one; how many
    /// bytes, `None` if something does not open: then he keeps the key he had.
    fn reseal_one(&mut self, person: PersonId) -> Result<Option<usize>, Stop> {
        let wrapped: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT wrapped FROM person WHERE id = ?1")?
            .query_row([person.0], |row| row.get(0))
            .optional()?
            .flatten();
        // An erased person has no key, and gets none.
        let Some(wrapped) = wrapped else { return Ok(Some(0)) };
        let place = Place::person_key(person.0);
        let Some(old) = opened(self.keys.unwrap(place, &wrapped))? else { return Ok(None) };
        let numbers: Vec<i64> = self
            .connection
            .prepare_cached("SELECT number FROM record WHERE person = ?1 ORDER BY number")?
            .query_map([person.0], |row| row.get(0))?
            .collect::<sql::Result<_>>()?;
        // All is opened before the first write: a person is under one key as a whole.
        for (number, kind) in numbers.iter().flat_map(|number| KINDS.map(|kind| (*number, kind))) {
            if opened(self.unsealed(kind, (person, number), &old))?.is_none() {
                return Ok(None);
            }
        }
        let (key, wrapped) = self.keys.fresh(place)?;
        let mut bytes = 0;
        for (number, kind) in numbers.iter().flat_map(|number| KINDS.map(|kind| (*number, kind))) {
            let Some(plain) = self.unsealed(kind, (person, number), &old)? else { continue };
            key.seal((kind.place)(person.0, number), &plain, &mut self.scratch)?;
            bytes += self.scratch.len();
            self.connection.prepare_cached(kind.update)?.execute((number, &self.scratch[..]))?;
        }
        self.connection
            .prepare_cached("UPDATE person SET wrapped = ?2 WHERE id = ?1")?
            .execute((person.0, wrapped))?;
        self.forget_person(person);
        Ok(Some(bytes))
    }

    /// What is sealed in a row under a person's key; `None` if the row holds nothing of his.
    fn unsealed(
        &self,
        kind: Kind,
        (person, number): (PersonId, i64),
        key: &DataKey,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed: Option<Vec<u8>> = self
            .connection
            .prepare_cached(kind.select)?
            .query_row((number, person.0), |row| row.get(0))
            .optional()?;
        sealed.map(|sealed| key.open((kind.place)(person.0, number), &sealed)).transpose()
    }
}

/// A kind of row that stands under the key of a person.
#[derive(Clone, Copy)]
struct Kind {
    select: &'static str,
    update: &'static str,
    place: fn(i64, i64) -> Place,
}

/// Both kinds; a record and the message it came in have one number.
const KINDS: [Kind; 2] = [
    Kind {
        select: "SELECT sealed FROM record WHERE number = ?1 AND person = ?2",
        update: "UPDATE record SET sealed = ?2 WHERE number = ?1",
        place: Place::record,
    },
    Kind {
        select: "SELECT raw FROM journal WHERE number = ?1 AND person = ?2",
        update: "UPDATE journal SET raw = ?2 WHERE number = ?1",
        place: Place::raw,
    },
];

/// What was opened; `None` if it is damaged, which is no reason to stop.
fn opened<T>(result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::Damaged) => Ok(None),
        Err(error) => Err(error),
    }
}
