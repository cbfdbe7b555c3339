//! 保存的搜索, searches that a user of the console has given a name.
//!
//! What their fields mean is the console's; that none of them names a person is seen to there.

use super::Store;
use super::arrival::LedgerRow;
use super::console::OfConsole;
use super::error::StoreError;
use super::ledger::limited;
use super::sql::{self, Connection};
use super::writer::{Request, Stop, Writer};

/// Searches of one user on one page at most.
const KEPT_MAX: usize = 50;

/// Whose, on which page, by which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelved {
    /// Whose.
    pub owner: String,
    /// On which page.
    pub page: &'static str,
    /// What its owner calls it.
    pub name: String,
}

/// What is done about saved searches.
pub enum OfSaved {
    /// One is no longer kept.
    Forget(Shelved, LedgerRow),
    /// One is kept, with its fields as JSON, in place of another of that name.
    Keep(Shelved, String, i64, LedgerRow),
}

impl Store {
    /// The searches of a user on a page: names and fields, by name.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn saved_searches(
        &self,
        owner: String,
        page: &'static str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let read = move |connection: &Connection| {
            let sql = "SELECT name, fields FROM saved_search WHERE owner = ?1 AND page = ?2 \
                ORDER BY name";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map((owner, page), |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<sql::Result<_>>()?)
        };
        self.readers.read(read).await
    }

    /// Keeps a search, or no longer; its row tells of it.
    ///
    /// # Errors
    /// [`StoreError::Settled`] if there are too many, [`StoreError::Unknown`] if the one to be
    /// forgotten is none, [`StoreError::Unavailable`].
    pub async fn keep_search(&self, what: OfSaved) -> Result<(), StoreError> {
        self.write(Request::Console(Box::new(OfConsole::Saved(what)))).await.map(drop)
    }
}

impl Writer {
    pub(super) fn keep_search(&mut self, what: &OfSaved) -> Result<(), Stop> {
        match what {
            OfSaved::Forget(Shelved { owner, page, name }, row) => {
                let sql = "DELETE FROM saved_search WHERE owner = ?1 AND page = ?2 AND name = ?3";
                if self.connection.prepare_cached(sql)?.changed((owner, page, name))? == 0 {
                    return Err(StoreError::Unknown.into());
                }
                self.append(row).map(drop)
            }
            OfSaved::Keep(Shelved { owner, page, name }, fields, at_ms, row) => {
                let sql = "SELECT count(*) FROM saved_search \
                    WHERE owner = ?1 AND page = ?2 AND name <> ?3";
                let others: i64 = self
                    .connection
                    .prepare_cached(sql)?
                    .query_row((owner, page, name), |row| row.get(0))?;
                if others >= limited(KEPT_MAX) {
                    return Err(StoreError::Settled.into());
                }
                self.connection
                    .prepare_cached(
                        "INSERT INTO saved_search VALUES (?1, ?2, ?3, ?4, ?5) \
                         ON CONFLICT (owner, page, name) \
                         DO UPDATE SET fields = excluded.fields, at_ms = excluded.at_ms",
                    )?
                    .execute((owner, page, name, fields, at_ms))?;
                self.append(row).map(drop)
            }
        }
    }
}
