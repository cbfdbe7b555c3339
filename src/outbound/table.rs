//! 前置库, tables in a PostgreSQL database of another department: rows out, rows in.
//!
//! Knows columns and connections; what a row means is behind it. A row is read while its
//! state column is empty, or, where there is none, while its number is above the mark; what
//! became of it is written to the row itself.

pub mod settings;

use std::time::Duration;

use serde_json::{Map, Value as Json};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::store::Database;
pub use crate::store::ServerError as TableError;

/// Columns the gateway writes, in every table it reads.
pub const STATUS: [&str; 4] = ["kq_state", "kq_fault", "kq_at", "kq_remedy"];
/// How long a statement may take on the server.
const STATEMENT: Duration = Duration::from_secs(30);

/// One row: its number and its own columns, nothing empty.
pub struct Row {
    /// The number.
    pub number: i64,
    /// Columns and values as text.
    pub columns: Vec<(String, String)>,
}

/// What became of a row.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// `kept`, `quarantined`, `refused`; of an inquiry `answered`, `refused`.
    pub state: String,
    /// The fault, where there is one.
    pub fault: Option<String>,
    /// Where.
    pub at: Option<String>,
    /// What can be done.
    pub remedy: Option<String>,
}

/// A table, and how it is read.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name, with the schema before a dot.
    pub name: String,
    /// The column with its number.
    pub number: String,
    /// Whether it has the columns of [`STATUS`].
    pub status: bool,
}

/// A connection to a database.
pub struct Link(Client);

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// [`TableError`].
    pub async fn to(database: &Database) -> Result<Self, TableError> {
        let options = format!("-c statement_timeout={}", STATEMENT.as_millis());
        Ok(Self(database.connect(&options).await?))
    }

    /// Whether the server can still be asked by it, as far as is known.
    #[must_use]
    pub fn stands(&self) -> bool {
        !self.0.is_closed()
    }

    /// Writes a row, unless one with the same value in the first column is there.
    ///
    /// # Errors
    /// [`TableError`].
    pub async fn insert_once(
        &self,
        (table, columns): (&str, &[&str]),
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<(), TableError> {
        let (key, table) = (columns.first().map(|key| quoted(key)), quoted(table));
        let names: Vec<_> = columns.iter().map(|name| quoted(name)).collect();
        let places: Vec<_> = (1..=columns.len()).map(|at| format!("${at}")).collect();
        let statement = format!(
            "INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT ({}) DO NOTHING",
            names.join(", "),
            places.join(", "),
            key.unwrap_or_default()
        );
        self.0.execute(&statement, values).await?;
        Ok(())
    }

    /// Rows nobody looked at yet, in the order of their numbers, at most `most`.
    ///
    /// # Errors
    /// [`TableError`].
    pub async fn rows(
        &self,
        table: &Table,
        (above, most): (i64, i64),
    ) -> Result<Vec<Row>, TableError> {
        let (name, number) = (quoted(&table.name), quoted(&table.number));
        let open = match table.status {
            // Numbers are drawn before they are committed, so a lower one may come late:
            // the state of each row says it, the mark alone would pass it over.
            true => "t.kq_state IS NULL AND $1::bigint IS NOT NULL".to_owned(),
            false => format!("t.{number} > $1"),
        };
        let question = format!(
            "SELECT t.{number}::bigint, to_jsonb(t)::text FROM {name} t WHERE {open} \
             ORDER BY t.{number} LIMIT $2"
        );
        let found = self.0.query(&question, &[&above, &most]).await?;
        let mut rows = Vec::with_capacity(found.len());
        for row in found {
            let text: String = row.try_get(1)?;
            let members: Map<String, Json> = serde_json::from_str(&text).unwrap_or_default();
            let own = members.into_iter().filter(|(column, value)| {
                *column != table.number && !STATUS.contains(&column.as_str()) && !value.is_null()
            });
            let columns = own.map(|(column, value)| (column, spelled(value))).collect();
            rows.push(Row { number: row.try_get(0)?, columns });
        }
        Ok(rows)
    }

    /// Writes what became of rows, all in one transaction.
    ///
    /// # Errors
    /// [`TableError`].
    pub async fn settle(
        &mut self,
        table: &Table,
        settled: &[(i64, Status)],
    ) -> Result<(), TableError> {
        let question = status(table);
        let transaction = self.0.transaction().await?;
        for (number, status) in settled {
            let Status { state, fault, at, remedy } = status;
            transaction.execute(&question, &[number, state, fault, at, remedy]).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Writes an answer: its rows, and what became of the inquiry, in one transaction.
    ///
    /// # Errors
    /// [`TableError`].
    pub async fn answer(
        &mut self,
        (table, answers): (&Table, &str),
        (number, status_of): (i64, &Status),
        rows: &[Vec<(&'static str, Option<String>)>],
    ) -> Result<(), TableError> {
        let (question, answers) = (status(table), quoted(answers));
        let transaction = self.0.transaction().await?;
        // Asked again after a stop in between, the newer answer stands.
        transaction
            .execute(&format!("DELETE FROM {answers} WHERE inquiry = $1"), &[&number])
            .await?;
        for row in rows {
            let names: Vec<_> = row.iter().map(|(name, _)| quoted(name)).collect();
            let places: Vec<_> = (0..row.len()).map(|at| format!("${}", at + 2)).collect();
            let insert = format!(
                "INSERT INTO {answers} (inquiry, {}) VALUES ($1, {})",
                names.join(", "),
                places.join(", ")
            );
            let mut values: Vec<&(dyn ToSql + Sync)> = vec![&number];
            values.extend(row.iter().map(|(_, value)| value as &(dyn ToSql + Sync)));
            transaction.execute(&insert, &values).await?;
        }
        let Status { state, fault, at, remedy } = status_of;
        transaction.execute(&question, &[&number, state, fault, at, remedy]).await?;
        Ok(transaction.commit().await?)
    }
}

fn status(table: &Table) -> String {
    let (name, number) = (quoted(&table.name), quoted(&table.number));
    format!(
        "UPDATE {name} SET kq_state = $2, kq_fault = $3, kq_at = $4, kq_remedy = $5 \
         WHERE {number} = $1 AND kq_state IS NULL"
    )
}

/// A name of the configuration, never one of a row.
fn quoted(name: &str) -> String {
    let parts = name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
    parts.collect::<Vec<_>>().join(".")
}

fn spelled(value: Json) -> String {
    match value {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_so_that_none_is_a_statement() {
        assert_eq!(quoted("civil.elder"), "\"civil\".\"elder\"");
        assert_eq!(quoted("a\" drop"), "\"a\"\" drop\"");
    }

    #[tokio::test]
    async fn without_tls_no_other_machine_is_spoken_to() {
        let database = Database {
            host: "db.example".to_owned(),
            port: 5432,
            name: "front".to_owned(),
            user: "kangqiao".to_owned(),
            password: None,
            authority: None,
        };
        let Err(refused) = Link::to(&database).await else { panic!("it was spoken to") };
        let plain =
            matches!(&refused, TableError::At { why, .. } if matches!(**why, TableError::Plain));
        assert!(plain, "{refused}");
    }
}
