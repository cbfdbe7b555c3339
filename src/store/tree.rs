//! 瓦片与见证, rows of the hashes over the ledger, and what its witnesses signed.
//!
//! What is hashed, and what a signature says, is the business of `audit`.

use super::Store;
use super::arrival::{Checkpoint, LedgerEntry, LedgerRow};
use super::came;
use super::error::StoreError;
use super::ledger::{self, bound};
use super::sql::{self, Connection, Optional};
use super::word::Worded;
use super::writer::{Request, Stop, Writer};
use crate::identity::PersonId;
use crate::vocabulary::Dataset;

/// A row of hashes, by where it stands in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// How high.
    pub level: u8,
    /// Which of its level, from 0.
    pub number: u64,
    /// The hashes, one after another.
    pub hashes: Vec<u8>,
}

/// What a witness signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Which witness.
    pub witness: String,
    /// How many entries the checkpoint is about.
    pub size: u64,
    /// When, in milliseconds since 1970, by our clock.
    pub at_ms: i64,
    /// The signature lines, as they stand below the checkpoint.
    pub lines: String,
}

/// What is kept of the ledger besides its entries and checkpoints.
pub enum OfTree {
    /// What a witness signed.
    Cosigned(Cosigned),
    /// The entry of what was done while no gateway ran.
    Owed(i64, LedgerRow),
    /// How far a sink has taken the ledger.
    Taken(String, u64),
    /// Rows of hashes that were missing.
    Tiles(Vec<Tile>),
    /// Which rows of entries say what.
    Words(Worded),
}

/// The ledger as somebody looks at it, on one connection.
#[derive(Debug, Clone, Copy)]
pub struct LedgerView<'a>(&'a Connection);

impl<'a> LedgerView<'a> {
    pub(super) const fn new(connection: &'a Connection) -> Self {
        Self(connection)
    }

    pub(super) const fn rows(self) -> &'a Connection {
        self.0
    }

    /// One snapshot: a checkpoint and the entries below it are of one moment.
    pub(super) fn of<T>(
        connection: &Connection,
        what: impl FnOnce(LedgerView<'_>) -> T,
    ) -> Result<T, StoreError> {
        let snapshot = connection.snapshot()?;
        Ok(what(LedgerView(&snapshot)))
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn size(&self) -> Result<u64, StoreError> {
        Ok(ledger::size(self.0)?)
    }

    /// Entries from a number on, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn entries(&self, from: u64, limit: usize) -> Result<Vec<LedgerEntry>, StoreError> {
        Ok(ledger::entries(self.0, from, limit)?)
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        Ok(ledger::checkpoint(self.0)?)
    }

    /// Checkpoints over more than `above` entries, in order, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn checkpoints(&self, above: u64, limit: usize) -> Result<Vec<Checkpoint>, StoreError> {
        Ok(ledger::checkpoints(self.0, above, limit)?)
    }

    /// The checkpoint over exactly so many entries.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn checkpoint_of(&self, size: u64) -> Result<Option<Checkpoint>, StoreError> {
        let next = self.checkpoints(size.saturating_sub(1), 1)?;
        Ok(next.into_iter().find(|found| found.size == size))
    }

    /// Of the persons of the index those whom `named` names, by the names it gives them.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn persons<N>(
        &self,
        named: impl Fn(PersonId) -> Option<N>,
    ) -> Result<Vec<(N, PersonId)>, StoreError> {
        Ok(came::persons(self.0, named)?)
    }

    /// What arrived about a person, and about whoever is merged with it, from a moment on.
    ///
    /// # Errors
    /// [`StoreError::Sql`], [`StoreError::Damaged`].
    pub fn arrivals(
        &self,
        person: PersonId,
        from_ms: i64,
    ) -> Result<Vec<(Dataset, i64)>, StoreError> {
        came::arrivals(self.0, person, from_ms)
    }

    /// A row of hashes, if it is kept.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn tile(&self, level: u8, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT hashes FROM tile WHERE level = ?1 AND number = ?2";
        let place = (level, bound(number));
        Ok(self.0.prepare_cached(sql)?.query_row(place, |row| row.get(0)).optional()?)
    }

    /// The first entry a sink has not taken yet.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn taken(&self, sink: &str) -> Result<u64, StoreError> {
        let sql = "SELECT next FROM sink WHERE name = ?1";
        let found = self.0.prepare_cached(sql)?.query_row([sink], |row| row.get::<i64>(0));
        Ok(found.optional()?.unwrap_or(0).cast_unsigned())
    }

    /// What each witness signed last.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn cosigned(&self) -> Result<Vec<Cosigned>, StoreError> {
        let sql = "SELECT witness, size, at_ms, lines FROM cosignature ORDER BY witness";
        let mut select = self.0.prepare_cached(sql)?;
        let rows = select.query_map([], |row| {
            let (size, at_ms) = (row.get::<i64>(1)?.cast_unsigned(), row.get(2)?);
            Ok(Cosigned { witness: row.get(0)?, size, at_ms, lines: row.get(3)? })
        })?;
        Ok(rows.collect::<sql::Result<_>>()?)
    }
}

impl Store {
    /// Looks at the ledger as it stands, on a thread that may block.
    ///
    /// # Errors
    /// Those of what is done.
    pub async fn look<T: Send + 'static>(
        &self,
        what: impl FnOnce(LedgerView<'_>) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(move |connection| LedgerView::of(connection, what)).await
    }

    /// Keeps rows of hashes that were missing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn keep_tiles(&self, tiles: Vec<Tile>) -> Result<(), StoreError> {
        self.write(Request::Tree(Box::new(OfTree::Tiles(tiles)))).await.map(drop)
    }

    /// Keeps what a witness signed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn cosigned(&self, cosigned: Cosigned) -> Result<(), StoreError> {
        self.write(Request::Tree(Box::new(OfTree::Cosigned(cosigned)))).await.map(drop)
    }

    /// Keeps how far a sink has taken the ledger.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn taken(&self, sink: &str, next: u64) -> Result<(), StoreError> {
        self.write(Request::Tree(Box::new(OfTree::Taken(sink.to_owned(), next)))).await.map(drop)
    }
}

impl Writer {
    pub(super) fn keep_tiles(&self, tiles: &[Tile]) -> sql::Result<()> {
        for Tile { level, number, hashes } in tiles {
            self.connection
                .prepare_cached(
                    "INSERT INTO tile VALUES (?1, ?2, ?3) \
                     ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes",
                )?
                .execute((level, bound(*number), hashes))?;
        }
        Ok(())
    }

    pub(super) fn keep_of_tree(&mut self, kept: &OfTree) -> Result<(), Stop> {
        match kept {
            OfTree::Cosigned(cosigned) => self.keep_cosigned(cosigned)?,
            OfTree::Owed(number, row) => self.settle_owed(*number, row)?,
            OfTree::Taken(sink, next) => self.keep_taken(sink, *next)?,
            OfTree::Tiles(tiles) => self.keep_tiles(tiles)?,
            OfTree::Words(worded) => self.keep_words(worded)?,
        }
        Ok(())
    }

    /// A sink that has taken more keeps it.
    fn keep_taken(&self, sink: &str, next: u64) -> sql::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO sink VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE \
                 SET next = excluded.next WHERE excluded.next > sink.next",
            )?
            .execute((sink, bound(next)))
    }

    /// A witness that signed a later state keeps it.
    fn keep_cosigned(&self, cosigned: &Cosigned) -> sql::Result<()> {
        let Cosigned { witness, size, at_ms, lines } = cosigned;
        self.connection
            .prepare_cached(
                "INSERT INTO cosignature VALUES (?1, ?2, ?3, ?4) ON CONFLICT (witness) DO UPDATE \
                 SET size = excluded.size, at_ms = excluded.at_ms, lines = excluded.lines \
                 WHERE excluded.size >= cosignature.size",
            )?
            .execute((witness, bound(*size), at_ms, lines))
    }
}
