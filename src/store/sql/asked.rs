//! Questions that are asked before the answer to the last is there: of a server many cost one way
//! there and back. A file answers each at once.

use super::{Connection, Kind, Params, Result, Row, postgres};

/// What was asked, and how each row of its answer is read.
pub struct Asked<T>(Told<T>);

enum Told<T> {
    Rows(Vec<T>),
    Sent(postgres::Sent, fn(&Row<'_>) -> Result<T>),
}

impl Connection {
    /// Asks, and does not wait: more can be asked before somebody takes the first answer.
    pub fn ask<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: fn(&Row<'_>) -> Result<T>,
    ) -> Result<Asked<T>> {
        let told = match &self.0 {
            Kind::Postgres(session) => Told::Sent(session.ask(sql, values)?, read),
            Kind::Sqlite(_) => {
                let mut statement = self.prepare_cached(sql)?;
                Told::Rows(statement.query_map(values, read)?.collect::<Result<_>>()?)
            }
        };
        Ok(Asked(told))
    }

    /// The rows of an answer, each read; all that was asked and sent is waited for.
    pub fn answer<T>(&self, asked: Asked<T>) -> Result<Vec<T>> {
        match (asked.0, &self.0) {
            (Told::Sent(sent, read), Kind::Postgres(session)) => {
                session.answer(sent)?.into_iter().map(|row| read(&Row::Postgres(row))).collect()
            }
            (Told::Rows(rows), _) => Ok(rows),
            // What one connection was asked another does not know.
            (Told::Sent(..), Kind::Sqlite(_)) => Err(super::Error::NoRow),
        }
    }

    /// The answers to one question with several sets of values.
    pub fn answer_each<T, P: Params>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = P>,
        read: fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<Vec<T>>> {
        let asked = values.into_iter().map(|one| self.ask(sql, one, read));
        let asked: Vec<_> = asked.collect::<Result<_>>()?;
        asked.into_iter().map(|one| self.answer(one)).collect()
    }
}
