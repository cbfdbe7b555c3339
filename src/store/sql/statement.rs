//! Statements, and the rows they answer.

use super::cell::{self, Cell, FromSql, Params};
use super::postgres::Session;
use super::server::ServerError;
use super::value::{Came, Value};
use super::{Error, Result, sqlite};

/// A statement that is ready.
pub enum Statement<'c> {
    /// Of a server.
    Postgres(&'c Session, tokio_postgres::Statement),
    /// Of a file.
    Sqlite(rusqlite::CachedStatement<'c>),
}

/// What a statement answers, row by row.
pub enum Rows<'s> {
    /// Of a server, which has told them all.
    Postgres(std::vec::IntoIter<tokio_postgres::Row>),
    /// Of a file.
    Sqlite(rusqlite::Rows<'s>),
}

/// One row.
pub enum Row<'r> {
    /// Of a server.
    Postgres(tokio_postgres::Row),
    /// Of a file.
    Sqlite(&'r rusqlite::Row<'r>),
}

impl Statement<'_> {
    /// Does what it says. A server is not waited for: what is wrong with it is said by whatever
    /// is asked next, at the latest by the commit.
    pub fn execute(&mut self, values: impl Params) -> Result<()> {
        match self {
            Self::Postgres(session, statement) => session.send(statement, values),
            Self::Sqlite(_) => self.changed(values).map(drop),
        }
    }

    /// Does what it says; how many rows it touched.
    pub fn changed(&mut self, values: impl Params) -> Result<usize> {
        match self {
            Self::Postgres(session, statement) => session.changed(statement, values),
            Self::Sqlite(statement) => {
                sqlite::bind(statement, values)?;
                Ok(statement.raw_execute()?)
            }
        }
    }

    /// Its answer.
    pub fn query(&mut self, values: impl Params) -> Result<Rows<'_>> {
        match self {
            Self::Postgres(session, statement) => {
                Ok(Rows::Postgres(session.rows(statement, values)?.into_iter()))
            }
            Self::Sqlite(statement) => {
                sqlite::bind(statement, values)?;
                Ok(Rows::Sqlite(statement.raw_query()))
            }
        }
    }

    /// Its answer, each row read.
    pub fn query_map<T, F: FnMut(&Row<'_>) -> Result<T>>(
        &mut self,
        values: impl Params,
        read: F,
    ) -> Result<Mapped<'_, F>> {
        Ok(Mapped { rows: self.query(values)?, read })
    }

    /// The first row of its answer, read.
    pub fn query_row<T>(
        &mut self,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        read(&self.query(values)?.next()?.ok_or(Error::NoRow)?)
    }

    /// Whether it answers any row.
    pub fn exists(&mut self, values: impl Params) -> Result<bool> {
        Ok(self.query(values)?.next()?.is_some())
    }
}

impl Rows<'_> {
    /// The next row, if there is one.
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        match self {
            Self::Postgres(rows) => Ok(rows.next().map(Row::Postgres)),
            Self::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
        }
    }
}

impl Row<'_> {
    /// The value of a column, counted from 0.
    pub fn get<T: FromSql>(&self, column: usize) -> Result<T> {
        cell::read(column, self.cell(column)?)
    }

    /// The values of so many columns, whatever they are.
    pub fn values(&self, width: usize) -> Result<Vec<Value>> {
        (0..width).map(|column| self.cell(column).map(Value::from)).collect()
    }

    fn cell(&self, column: usize) -> Result<Cell<'_>> {
        match self {
            Self::Postgres(row) => {
                let Came(value) = row.try_get(column).map_err(ServerError::from)?;
                Ok(value)
            }
            Self::Sqlite(row) => sqlite::cell(row.get_ref(column)?, column),
        }
    }
}

/// Rows as what is read from each.
pub struct Mapped<'s, F> {
    rows: Rows<'s>,
    read: F,
}

impl<T, F: FnMut(&Row<'_>) -> Result<T>> Iterator for Mapped<'_, F> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let row = self.rows.next().transpose()?;
        Some(row.and_then(|row| (self.read)(&row)))
    }
}
