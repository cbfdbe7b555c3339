//! 库, the one room that speaks to a database: connections, statements, rows, values.
//!
//! The rest of the store writes SQL in words that every database here knows, with values as
//! `?1`, and reads rows. What is one database's alone has a file that says so.

mod asked;
mod cell;
mod layout;
pub mod postgres;
mod server;
pub mod sqlite;
mod statement;
mod value;
mod words;

use std::ops::Deref;

use super::stage;

pub use asked::Asked;
pub use cell::{Cell, Params, ToSql};
pub use layout::{Table, tables};
pub use server::{Database, ServerError};
pub use statement::{Row, Rows, Statement};
pub use value::Value;

/// What the database answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the database did not do what it was asked. Holds no content of any row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A column, counted from 0, holds nothing of the kind that was asked for.
    #[error("column {0} holds something else")]
    Column(usize),
    /// There is no such row.
    #[error("there is no such row")]
    NoRow,
    /// Something of a file was asked of a server.
    #[error("there is no file")]
    NoFile,
    /// The server, or what was asked of it.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The file, or what was asked of it.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A statement was handed more or fewer values than it names.
    #[error("{given} values for a statement that names {named}")]
    Values {
        /// How many came.
        given: usize,
        /// How many it names.
        named: usize,
    },
}

impl Error {
    /// Whether it was a sync: nobody knows what is on the disk.
    pub fn is_sync(&self) -> bool {
        match self {
            Self::Sqlite(error) => sqlite::is_sync(error),
            // A server that cannot sync ends by itself.
            _ => false,
        }
    }

    /// Whether another session holds what was asked for, so that asking again may help.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Server(error) if postgres::is_held(error))
    }

    /// Whether space or the disk is the matter: trying something else would fail the same way.
    pub fn is_storage(&self) -> bool {
        match self {
            Self::Sqlite(error) => sqlite::is_storage(error),
            Self::Server(error) => postgres::is_storage(error),
            Self::Column(_) | Self::NoFile | Self::NoRow | Self::Values { .. } => false,
        }
    }
}

/// A row that need not be there.
pub trait Optional<T> {
    /// `None` if there is no such row.
    fn optional(self) -> Result<Option<T>>;
}

impl<T> Optional<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(Error::NoRow) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A connection to a database.
#[derive(Debug)]
pub struct Connection(Kind);

/// Whose words are spoken.
#[derive(Debug)]
enum Kind {
    Postgres(postgres::Session),
    Sqlite(rusqlite::Connection),
}

impl Connection {
    /// A statement, which is remembered for the next time.
    pub fn prepare_cached(&self, sql: &str) -> Result<Statement<'_>> {
        match &self.0 {
            Kind::Postgres(session) => Ok(Statement::Postgres(session, session.prepare(sql)?)),
            Kind::Sqlite(file) => Ok(Statement::Sqlite(file.prepare_cached(stage::words(sql))?)),
        }
    }

    /// Does what a statement says.
    pub fn execute(&self, sql: &str, values: impl Params) -> Result<()> {
        self.prepare_cached(sql)?.execute(values)
    }

    /// The first row of an answer, read.
    pub fn query_row<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.prepare_cached(sql)?.query_row(values, read)
    }

    /// Does what several statements say.
    pub fn execute_batch(&self, sql: &str) -> Result<()> {
        match &self.0 {
            Kind::Postgres(session) => session.batch(sql),
            Kind::Sqlite(file) => Ok(file.execute_batch(sql)?),
        }
    }

    /// Begins to write; nobody else does until it ends.
    pub fn begin(&self) -> Result<Transaction<'_>> {
        match &self.0 {
            Kind::Postgres(session) => session.begin_anew(postgres::WRITE)?,
            Kind::Sqlite(_) => self.execute("BEGIN IMMEDIATE", [])?,
        }
        Ok(Transaction { connection: self, open: true })
    }

    /// Everything read through it is of one moment.
    pub fn snapshot(&self) -> Result<Transaction<'_>> {
        match &self.0 {
            Kind::Postgres(session) => session.begin_anew(postgres::READ)?,
            Kind::Sqlite(_) => self.execute("BEGIN DEFERRED", [])?,
        }
        Ok(Transaction { connection: self, open: true })
    }

    /// Makes what was written since the beginning durable, as one.
    pub fn commit(&self) -> Result<()> {
        match &self.0 {
            Kind::Postgres(session) => session.commit(),
            Kind::Sqlite(_) => stage::commit(|| self.execute("COMMIT", [])),
        }
    }

    /// Undoes what was written since the beginning, if anything began. What cannot be undone
    /// now is undone when the next beginning fails.
    pub fn roll_back(&self) {
        match &self.0 {
            Kind::Postgres(session) => session.roll_back(),
            Kind::Sqlite(file) if file.is_autocommit() => (),
            Kind::Sqlite(_) => drop(self.execute("ROLLBACK", [])),
        }
    }

    /// Whether others may write what is read through it.
    pub fn is_shared(&self) -> bool {
        matches!(self.0, Kind::Postgres(_)) || stage::server_ms().is_some()
    }

    /// The schema it is of; 0 is none yet.
    pub fn version(&self) -> Result<i64> {
        self.schema().map(|(number, _)| number)
    }

    /// The schema it is of, and the lowest whose gateways it serves. A file serves its own alone.
    pub fn schema(&self) -> Result<(i64, i64)> {
        match &self.0 {
            Kind::Postgres(_) => {
                let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
                Ok(self.query_row(postgres::SCHEMA, [], read).optional()?.unwrap_or_default())
            }
            Kind::Sqlite(_) => sqlite::version(self).map(|version| (version, version)),
        }
    }

    /// Takes a step of the schema, in one commit with its number and whom it serves.
    pub fn step(&self, words: &str, (number, serves_from): (i64, i64)) -> Result<()> {
        let step = self.begin()?;
        match &self.0 {
            Kind::Postgres(_) => {
                step.execute_batch(postgres::STEP)?;
                step.execute_batch(&words::declared(words))?;
                step.execute("DELETE FROM schema_version", [])?;
                step.execute(postgres::STEPPED, (number, serves_from))?;
            }
            Kind::Sqlite(_) => {
                step.execute_batch(words)?;
                step.set("user_version", number)?;
            }
        }
        step.commit()
    }

    /// Whether a table has a column.
    pub fn has(&self, table: &str, column: &str) -> Result<bool> {
        match &self.0 {
            // Whoever opens it brings its tables to what this build knows.
            Kind::Postgres(_) => Ok(true),
            Kind::Sqlite(_) => sqlite::has(self, (table, column)),
        }
    }
}

/// What was begun and is undone unless it is committed.
#[derive(Debug)]
pub struct Transaction<'c> {
    connection: &'c Connection,
    open: bool,
}

impl Transaction<'_> {
    /// Makes it durable, as one.
    pub fn commit(mut self) -> Result<()> {
        self.connection.commit()?;
        self.open = false;
        Ok(())
    }

    /// Leaves it open: whoever holds the connection ends it.
    pub fn leave(mut self) {
        self.open = false;
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            self.connection.roll_back();
        }
    }
}
