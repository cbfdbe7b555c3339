//! 迁出, that the rows of a store are somewhere else now, and what its next start has to enter.

use std::path::Path;

use super::Store;
use super::arrival::LedgerRow;
use super::base;
use super::error::StoreError;
use super::file::StoreFile;
use super::settings::Settings;
use super::sql::{self, Connection, Optional, Transaction};
use super::tree::OfTree;
use super::writer::{Request, Stop, Writer};

/// What was done to a whole store while no gateway ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// By which it is told from others.
    pub number: i64,
    /// The kind of its entry.
    pub kind: String,
    /// What the entry says.
    pub subject: String,
    /// Who did it.
    pub said_by: String,
}

/// Where rows went, and how many entries the ledger had then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departed {
    /// Where they are.
    pub place: String,
    /// Entries of the ledger.
    pub entries: i64,
}

/// Where the rows of a store went, if they did.
///
/// # Errors
/// [`StoreError::Newer`], [`StoreError::Sql`].
pub fn look(settings: &Settings) -> Result<Option<Departed>, StoreError> {
    Ok(find(&base::reader(settings, 64)?)?)
}

/// Where the rows went that this connection reads; an earlier schema knows of no such thing.
pub fn find(rows: &Connection) -> sql::Result<Option<Departed>> {
    if rows.version()? < KNOWN_FROM {
        return Ok(None);
    }
    let read = |row: &sql::Row<'_>| Ok(Departed { place: row.get(0)?, entries: row.get(1)? });
    rows.query_row("SELECT place, entries FROM departed", [], read).optional()
}

/// The schema that has the table.
const KNOWN_FROM: i64 = 18;

/// Refuses rows that are somewhere else now.
pub fn still_here(rows: &Connection) -> Result<(), StoreError> {
    match find(rows)? {
        None => Ok(()),
        Some(Departed { place, .. }) => Err(StoreError::Departed { place }),
    }
}

/// Owes an entry to the next start, once this is committed.
pub fn owe(rows: &Transaction<'_>, kind: &str, (subject, by): (&str, &str)) -> sql::Result<()> {
    let sql = "INSERT INTO owed (number, kind, subject, said_by) \
        SELECT coalesce(max(number), 0) + 1, CAST(?1 AS TEXT), CAST(?2 AS TEXT), \
        CAST(?3 AS TEXT) FROM owed";
    rows.execute(sql, (kind, subject, by))
}

/// Owes it to the next start of a file nobody serves, which is brought to this schema for it.
///
/// # Errors
/// [`StoreError`] if the file is in use or cannot be written.
pub fn owe_in(folder: &Path, kind: &str, said: (&str, &str)) -> Result<(), StoreError> {
    let file = StoreFile::hold(folder)?.begin()?;
    let begun = file.begin()?;
    owe(&begun, kind, said)?;
    Ok(begun.commit()?)
}

impl Store {
    /// What was done while no gateway ran and is not entered yet, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn owed(&self) -> Result<Vec<Owed>, StoreError> {
        let read = |rows: &Connection| {
            let sql = "SELECT number, kind, subject, said_by FROM owed ORDER BY number";
            let mut select = rows.prepare_cached(sql)?;
            let owed = select.query_map([], |row| {
                let (number, kind) = (row.get(0)?, row.get(1)?);
                Ok(Owed { number, kind, subject: row.get(2)?, said_by: row.get(3)? })
            })?;
            Ok(owed.collect::<sql::Result<_>>()?)
        };
        self.readers.read(read).await
    }

    /// Enters one of them; it is owed no more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn enter_owed(&self, number: i64, row: LedgerRow) -> Result<(), StoreError> {
        self.write(Request::Tree(Box::new(OfTree::Owed(number, row)))).await.map(drop)
    }
}

impl Writer {
    pub(super) fn settle_owed(&mut self, number: i64, row: &LedgerRow) -> Result<(), Stop> {
        self.append(row)?;
        Ok(self.connection.execute("DELETE FROM owed WHERE number = ?1", [number])?)
    }
}
