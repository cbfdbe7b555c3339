//! 批量名单, lists of elders that departments ask about at once: sealed rows, part by part.
//!
//! ```text
//! begin → parts, one commit each → accept → checked, part by part → ready → ended
//! ```
//!
//! Only what was accepted outlives a restart. A part that was checked takes the place of the
//! part as it came, in one commit, so a stop anywhere checks no row twice and loses none.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::generation::Generations;
use super::seal::{DataKey, Place, StoreKeys};
use super::sql::{self, Connection, Optional, Row as Found};
use super::writer::{Answer, Request, Stop, Writer};
use super::{Store, ledger};
use crate::identity::Token;
use crate::vocabulary::{Department, Fault, Identifier, Position, Role, Subscription};

/// Batches whose time is over, or whose rows were still coming at a time.
const OVER: &str = "SELECT number FROM batch WHERE until_ms <= ?1 OR (state = 0 AND at_ms <= ?2)";

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its rows are still coming; a restart drops it.
    Arriving,
    /// All rows are here.
    Checking,
    /// Every row was checked.
    Ready,
}

impl Stage {
    const fn code(self) -> i64 {
        match self {
            Self::Arriving => 0,
            Self::Checking => 1,
            Self::Ready => 2,
        }
    }

    const fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Arriving,
            1 => Self::Checking,
            _ => Self::Ready,
        }
    }

    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arriving => "arriving",
            Self::Checking => "checking",
            Self::Ready => "ready",
        }
    }
}

/// One row as it came, and what is wrong with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What the department calls the elder; empty where that could not be read.
    pub reference: String,
    /// About whom; `None` where that could not be read.
    pub identifier: Option<Identifier>,
    /// Why it is not answered, and where in the row.
    pub fault: Option<(Fault, Position)>,
}

/// Shows what is wrong alone: the rest is somebody's.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({:?})", self.fault)
    }
}

/// A batch that begins.
#[derive(Debug, Clone)]
pub struct Begun {
    /// By what its department knows it.
    pub id: String,
    /// Whose.
    pub department: Department,
    /// In which role.
    pub role: Role,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// When it ends by itself.
    pub until_ms: i64,
    /// How many the department may have at once.
    pub most: usize,
    /// What is asked of everybody on it; sealed.
    pub asked: Vec<u8>,
}

/// A batch and the key of its rows.
#[derive(Clone)]
pub struct Batch {
    /// By what its department knows it.
    pub id: String,
    /// Whose.
    pub department: Department,
    /// In which role.
    pub role: Role,
    /// Where it stands.
    pub stage: Stage,
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
    /// When it ends by itself.
    pub until_ms: i64,
    /// What is asked.
    pub asked: Vec<u8>,
    /// How many rows it has, how many of them were checked, and how many of those refused.
    pub counts: Counts,
    number: i64,
    key: Arc<DataKey>,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows in all.
    pub rows: i64,
    /// Of these, checked.
    pub checked: i64,
    /// Of those, refused.
    pub refused: i64,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({}, {:?}, {:?})", self.id, self.stage, self.counts)
    }
}

/// Some of the rows, in their order.
#[derive(Debug)]
pub struct Part {
    /// Number of the first, from 1.
    pub first: i64,
    /// Whether they were checked.
    pub checked: bool,
    /// The rows.
    pub rows: Vec<Row>,
}

/// What the writer is asked about batches.
pub(super) enum Deed {
    Begin(Begun),
    Put {
        number: i64,
        first: i64,
        rows: i64,
        refused: Option<i64>,
        sealed: Vec<u8>,
    },
    Stage(i64, Stage),
    End(i64),
    /// Ends what is over at this time, and with the second what was arriving before it.
    Sweep(i64, Option<i64>),
}

impl Store {
    /// Begins a batch; its rows follow.
    ///
    /// # Errors
    /// [`StoreError::Full`] if the department has as many as it may, [`StoreError::Unavailable`].
    pub async fn begin_batch(&self, begun: Begun) -> Result<Batch, StoreError> {
        let Begun { id, department, role, at_ms, until_ms, asked, .. } = begun.clone();
        match self.deed(Deed::Begin(begun)).await? {
            Answer::Begun(number, wrapped) => {
                let key = self.keys.unwrap(Place::batch_key(number), &wrapped)?;
                let (key, stage, counts) = (Arc::new(key), Stage::Arriving, Counts::default());
                Ok(Batch {
                    id,
                    department,
                    role,
                    stage,
                    at_ms,
                    until_ms,
                    asked,
                    counts,
                    number,
                    key,
                })
            }
            _ => Err(StoreError::Damaged),
        }
    }

    /// Keeps rows of a batch, as they came or checked; those that stood at `first` are replaced.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_part(&self, batch: &Batch, part: &Part) -> Result<(), StoreError> {
        let json = serde_json::to_vec(&part.rows).map_err(|_| StoreError::Damaged)?;
        let mut sealed = Vec::new();
        batch.key.seal(Place::batch_part(batch.number, part.first), &json, &mut sealed)?;
        let refused = part.rows.iter().filter(|row| row.fault.is_some()).count();
        let (number, first) = (batch.number, part.first);
        let (rows, refused) = (ledger::limited(part.rows.len()), ledger::limited(refused));
        let refused = part.checked.then_some(refused);
        self.deed(Deed::Put { number, first, rows, refused, sealed }).await.map(drop)
    }

    /// Says where a batch stands now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn stage_batch(&self, batch: &Batch, stage: Stage) -> Result<(), StoreError> {
        self.deed(Deed::Stage(batch.number, stage)).await.map(drop)
    }

    /// Ends a batch: its key and rows are gone.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_batch(&self, batch: &Batch) -> Result<(), StoreError> {
        self.deed(Deed::End(batch.number)).await.map(drop)
    }

    /// Ends those whose time is over, and those whose rows were still coming at a time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn sweep_batches(
        &self,
        now_ms: i64,
        arriving_ms: Option<i64>,
    ) -> Result<(), StoreError> {
        // Looked for first: a commit of nothing would say that the disk has room.
        let read = move |connection: &Connection| {
            Ok(connection.prepare_cached(OVER)?.exists((now_ms, arriving_ms))?)
        };
        match self.readers.read(read).await? {
            true => self.deed(Deed::Sweep(now_ms, arriving_ms)).await.map(drop),
            false => Ok(()),
        }
    }

    /// A department's batch of that id.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn batch(
        &self,
        (department, role): (Department, Role),
        id: String,
    ) -> Result<Option<Batch>, StoreError> {
        let keys = Arc::clone(&self.keys);
        let whose = "WHERE department = ?1 AND role = ?2 AND id = ?3";
        let read = move |connection: &Connection| {
            batches(connection, &keys, (whose, (department.as_str(), role.as_str(), id)))
        };
        Ok(self.readers.read(read).await?.pop())
    }

    /// A department's batches, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn batches(
        &self,
        (department, role): (Department, Role),
    ) -> Result<Vec<Batch>, StoreError> {
        let keys = Arc::clone(&self.keys);
        let whose = "WHERE department = ?1 AND role = ?2 ORDER BY number";
        let read = move |connection: &Connection| {
            batches(connection, &keys, (whose, (department.as_str(), role.as_str())))
        };
        self.readers.read(read).await
    }

    /// The oldest batch whose rows are not all checked.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn unchecked_batch(&self) -> Result<Option<Batch>, StoreError> {
        let keys = Arc::clone(&self.keys);
        let whose = "WHERE state = ?1 ORDER BY number LIMIT 1";
        let read = move |connection: &Connection| {
            batches(connection, &keys, (whose, [Stage::Checking.code()]))
        };
        Ok(self.readers.read(read).await?.pop())
    }

    /// The part that holds a row, or the next one after it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn batch_part(&self, batch: &Batch, row: i64) -> Result<Option<Part>, StoreError> {
        self.one_part(batch, ("first + rows > ?2", row)).await
    }

    /// The part that holds the first refused row from a number on.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn refused_part(&self, batch: &Batch, row: i64) -> Result<Option<Part>, StoreError> {
        self.one_part(batch, ("first + rows > ?2 AND refused > 0", row)).await
    }

    async fn one_part(
        &self,
        batch: &Batch,
        (which, from): (&'static str, i64),
    ) -> Result<Option<Part>, StoreError> {
        let (number, key) = (batch.number, Arc::clone(&batch.key));
        let read = move |connection: &Connection| {
            let sql = format!(
                "SELECT first, refused, sealed FROM batch_part WHERE batch = ?1 AND {which} \
                 ORDER BY first LIMIT 1"
            );
            let row = |row: &Found<'_>| {
                let refused: Option<i64> = row.get(1)?;
                Ok((row.get::<i64>(0)?, refused.is_some(), row.get::<Vec<u8>>(2)?))
            };
            let mut select = connection.prepare_cached(&sql)?;
            let Some((first, checked, sealed)) =
                select.query_row((number, from), row).optional()?
            else {
                return Ok(None);
            };
            let json = key.open(Place::batch_part(number, first), &sealed)?;
            let rows = serde_json::from_slice(&json).map_err(|_| StoreError::Damaged)?;
            Ok(Some(Part { first, checked, rows }))
        };
        self.readers.read(read).await
    }

    /// Which of these are enrolled in one of the subscriptions.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn on_lists(
        &self,
        lists: Vec<Subscription>,
        tokens: Vec<Token>,
    ) -> Result<Vec<bool>, StoreError> {
        let read = move |connection: &Connection, generations: &Generations| {
            let mut select = connection
                .prepare_cached("SELECT subscription FROM enrolment WHERE token IN (?1, ?2)")?;
            let mut found = Vec::with_capacity(tokens.len());
            for token in &tokens {
                let mut rows = select.query(generations.covers(token))?;
                let mut listed = false;
                while let Some(row) = rows.next()? {
                    let name: String = row.get(0)?;
                    listed |= lists.iter().any(|list| list.as_str() == name);
                }
                found.push(listed);
            }
            Ok(found)
        };
        self.by_generation(read).await
    }

    async fn deed(&self, deed: Deed) -> Result<Answer, StoreError> {
        self.write(Request::Batch(Box::new(deed))).await
    }
}

impl Writer {
    pub(super) fn batch(&mut self, deed: &Deed) -> Result<Answer, Stop> {
        match deed {
            Deed::Begin(begun) => return self.begin_batch(begun),
            Deed::Put { number, first, rows, refused, sealed } => {
                // One that ended meanwhile gets no rows any more.
                self.connection
                    .prepare_cached(
                        "INSERT INTO batch_part (batch, first, rows, refused, sealed) \
                         SELECT number, ?2, ?3, ?4, ?5 FROM batch WHERE number = ?1 \
                         ON CONFLICT (batch, first) DO UPDATE SET rows = excluded.rows, \
                         refused = excluded.refused, sealed = excluded.sealed",
                    )?
                    .execute((number, first, rows, refused, sealed))?;
            }
            Deed::Stage(number, stage) => {
                self.connection
                    .prepare_cached("UPDATE batch SET state = ?2 WHERE number = ?1")?
                    .execute((number, stage.code()))?;
            }
            Deed::End(number) => self.end_batch(*number)?,
            Deed::Sweep(now_ms, arriving_ms) => {
                let over = self
                    .connection
                    .prepare_cached(OVER)?
                    .query_map((now_ms, arriving_ms), |row| row.get(0))?
                    .collect::<sql::Result<Vec<i64>>>()?;
                over.into_iter().try_for_each(|number| self.end_batch(number))?;
            }
        }
        Ok(Answer::Done)
    }

    fn begin_batch(&mut self, begun: &Begun) -> Result<Answer, Stop> {
        let count = |sql: &str| -> sql::Result<i64> {
            self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
        };
        let number = count("SELECT coalesce(max(number), 0) + 1 FROM batch")?;
        let held: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM batch WHERE department = ?1")?
            .query_row([begun.department.as_str()], |row| row.get(0))?;
        if held >= ledger::limited(begun.most) {
            return Err(StoreError::Full.into());
        }
        let (key, wrapped) = self.keys.fresh(Place::batch_key(number))?;
        key.seal(Place::batch_asked(number), &begun.asked, &mut self.scratch)?;
        self.connection
            .prepare_cached(
                "INSERT INTO batch (number, id, department, role, state, at_ms, until_ms, \
                 wrapped, asked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute((
                number,
                &begun.id,
                begun.department.as_str(),
                begun.role.as_str(),
                Stage::Arriving.code(),
                begun.at_ms,
                begun.until_ms,
                &wrapped,
                &self.scratch[..],
            ))?;
        Ok(Answer::Begun(number, wrapped))
    }

    fn end_batch(&self, number: i64) -> Result<(), Stop> {
        for sql in
            ["DELETE FROM batch_part WHERE batch = ?1", "DELETE FROM batch WHERE number = ?1"]
        {
            self.connection.prepare_cached(sql)?.execute([number])?;
        }
        Ok(())
    }
}

fn batches(
    connection: &Connection,
    keys: &StoreKeys,
    (whose, values): (&str, impl sql::Params),
) -> Result<Vec<Batch>, StoreError> {
    let sql = format!(
        "SELECT number, id, department, role, state, at_ms, until_ms, wrapped, asked, \
         (SELECT CAST(coalesce(sum(rows), 0) AS BIGINT) FROM batch_part WHERE batch = number), \
         (SELECT CAST(coalesce(sum(rows), 0) AS BIGINT) FROM batch_part \
          WHERE batch = number AND refused IS NOT NULL), \
         (SELECT CAST(coalesce(sum(refused), 0) AS BIGINT) FROM batch_part WHERE batch = number) \
         FROM batch {whose}"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let (department, role): (String, String) = (row.get(2)?, row.get(3)?);
        let key = keys.unwrap(Place::batch_key(number), &row.get::<Vec<u8>>(7)?)?;
        found.push(Batch {
            number,
            id: row.get(1)?,
            department: Department::parse(&department).map_err(|_| StoreError::Damaged)?,
            role: Role::parse(&role).map_err(|_| StoreError::Damaged)?,
            stage: Stage::from_code(row.get(4)?),
            at_ms: row.get(5)?,
            until_ms: row.get(6)?,
            asked: key.open(Place::batch_asked(number), &row.get::<Vec<u8>>(8)?)?,
            counts: Counts { rows: row.get(9)?, checked: row.get(10)?, refused: row.get(11)? },
            key: Arc::new(key),
        });
    }
    Ok(found)
}
