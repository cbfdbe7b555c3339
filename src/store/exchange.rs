//! 交换登记, which files were taken whole and how far tables were read.
//!
//! A file's units are in the journal before the file stands here, so a file that does not
//! stand here is taken again, and each of its units gets the outcome it had. The mark of a
//! table is written in the very commit of the row it stands at.

use super::Store;
use super::error::StoreError;
use super::ledger::bound;
use super::sql::{self, Connection, Optional};
use super::writer::{Answer, Request, Stop, Writer};

/// What became of the units of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Applied.
    pub kept: u64,
    /// Kept aside.
    pub quarantined: u64,
    /// Refused.
    pub refused: u64,
}

impl Sums {
    /// All units.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.kept + self.quarantined + self.refused
    }
}

/// A file that was taken whole.
#[derive(Debug, Clone)]
pub struct Exchanged {
    /// Name of the exchange.
    pub exchange: String,
    /// SHA-256 of the bytes; kept only under a key.
    pub digest: [u8; 32],
    /// What became of its units.
    pub sums: Sums,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// How far a table was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Name of the table.
    pub name: String,
    /// Number of the row.
    pub value: i64,
}

impl Store {
    /// What became of a file, if it was taken whole before.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn exchanged(
        &self,
        exchange: String,
        digest: [u8; 32],
    ) -> Result<Option<Sums>, StoreError> {
        let digest = self.keys.fingerprint(&digest);
        self.readers.read(move |connection| Ok(find(connection, &exchange, digest)?)).await
    }

    /// Notes that a file was taken whole; durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn note_exchanged(&self, file: Exchanged) -> Result<(), StoreError> {
        let digest = self.keys.fingerprint(&file.digest);
        match self.write(Request::Exchanged(Box::new(file), digest)).await? {
            Answer::Done => Ok(()),
            _ => Err(StoreError::Damaged),
        }
    }

    /// How far a table was read.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn mark(&self, name: String) -> Result<i64, StoreError> {
        self.readers.read(move |connection| Ok(read_mark(connection, &name)?)).await
    }
}

impl Writer {
    pub(super) fn note_exchanged(
        &mut self,
        file: &Exchanged,
        digest: [u8; 16],
    ) -> Result<(), Stop> {
        let Sums { kept, quarantined, refused } = file.sums;
        self.connection
            .prepare_cached(
                "INSERT INTO exchanged VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (exchange, digest) DO UPDATE SET kept = excluded.kept, \
                 quarantined = excluded.quarantined, refused = excluded.refused, \
                 at_ms = excluded.at_ms",
            )?
            .execute((
                &file.exchange,
                digest,
                bound(kept),
                bound(quarantined),
                bound(refused),
                file.at_ms,
            ))?;
        Ok(())
    }

    /// A mark never goes back: rows may be read again, and are then known.
    pub(super) fn write_mark(&mut self, mark: &Mark) -> Result<(), Stop> {
        self.connection
            .prepare_cached(
                "INSERT INTO mark VALUES (?1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value \
                 WHERE excluded.value > mark.value",
            )?
            .execute((&mark.name, mark.value))?;
        Ok(())
    }
}

fn find(connection: &Connection, exchange: &str, digest: [u8; 16]) -> sql::Result<Option<Sums>> {
    let count = |row: &sql::Row<'_>, at| row.get::<i64>(at).map(i64::cast_unsigned);
    connection
        .prepare_cached(
            "SELECT kept, quarantined, refused FROM exchanged WHERE exchange = ?1 AND digest = ?2",
        )?
        .query_row((exchange, digest), |row| {
            let (kept, quarantined, refused) = (count(row, 0)?, count(row, 1)?, count(row, 2)?);
            Ok(Sums { kept, quarantined, refused })
        })
        .optional()
}

fn read_mark(connection: &Connection, name: &str) -> sql::Result<i64> {
    let found = connection
        .prepare_cached("SELECT value FROM mark WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}
