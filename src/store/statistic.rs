//! 统计报表, returns that were made: frozen, so that they are the same whoever asks and when.

use super::Store;
use super::error::StoreError;
use super::ledger::limited;
use super::sql::{self, Connection, Optional};
use super::writer::{Answer, Request, Stop, Writer};
use crate::identity::PersonId;

/// A return as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// Indicator and period.
    pub name: String,
    /// What of each element was looked at: whoever sees more or less is not given it.
    pub tiers: String,
    /// As it is told.
    pub body: Vec<u8>,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Store {
    /// Keeps a return, unless there is one already.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn freeze(&self, frozen: Frozen) -> Result<(), StoreError> {
        match self.write(Request::Freeze(Box::new(frozen))).await? {
            Answer::Done => Ok(()),
            _ => Err(StoreError::Damaged),
        }
    }

    /// The return of that name.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn frozen(&self, name: String) -> Result<Option<Frozen>, StoreError> {
        let read = move |connection: &Connection| {
            let mut select = connection
                .prepare_cached("SELECT tiers, body, at_ms FROM statistic WHERE name = ?1")?;
            let row = |row: &sql::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let found = select.query_row([&name], row).optional()?;
            Ok(found.map(|(tiers, body, at_ms)| Frozen { name, tiers, body, at_ms }))
        };
        self.readers.read(read).await
    }

    /// Persons of the index after one, at most `limit`; who was merged is not one of his own.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn persons_after(
        &self,
        after: PersonId,
        limit: usize,
    ) -> Result<Vec<PersonId>, StoreError> {
        let read = move |connection: &Connection| {
            let mut select = connection.prepare_cached(
                "SELECT id FROM person WHERE id > ?1 AND merged_into IS NULL \
                 AND erased_at_ms IS NULL ORDER BY id LIMIT ?2",
            )?;
            let rows =
                select.query_map((after.0, limited(limit)), |row| row.get(0).map(PersonId))?;
            Ok(rows.collect::<sql::Result<_>>()?)
        };
        self.readers.read(read).await
    }
}

impl Writer {
    pub(super) fn freeze(&self, frozen: &Frozen) -> Result<Answer, Stop> {
        self.connection
            .prepare_cached(
                "INSERT INTO statistic (name, tiers, body, at_ms) \
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?
            .execute((&frozen.name, &frozen.tiers, &frozen.body, frozen.at_ms))?;
        Ok(Answer::Done)
    }
}
