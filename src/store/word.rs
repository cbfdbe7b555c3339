//! 词, which rows of 256 entries of the ledger have one that says a word: so that what happened once
//! is found among millions.
//!
//! What a word is, is the business of `audit`: here it is a number.

use super::Store;
use super::error::StoreError;
use super::ledger::{bound, limited};
use super::sql;
use super::tree::{LedgerView, OfTree};
use super::writer::{Request, Stop, Writer};

/// Words of entries, each with the row it stands in.
#[derive(Debug, Clone, Default)]
pub struct Worded {
    /// Word and row.
    pub words: Vec<(i64, u64)>,
    /// The entries below this number are done with.
    pub until: u64,
}

impl LedgerView<'_> {
    /// Below which entry the words of all rows are known.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn worded(&self) -> Result<u64, StoreError> {
        let mut select = self.rows().prepare_cached("SELECT until FROM worded")?;
        Ok(select.query_row([], |row| row.get::<i64>(0))?.cast_unsigned())
    }

    /// Rows that have all of some words, below a row, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn rows_with(
        &self,
        words: &[i64],
        (before, limit): (u64, usize),
    ) -> Result<Vec<u64>, StoreError> {
        // No more than two words are asked for; one alone is asked for twice.
        let [Some(one), other] = [words.first(), words.get(1)] else { return Ok(Vec::new()) };
        let mut select = self.rows().prepare_cached(SELECT)?;
        let given = (*one, *other.unwrap_or(one), bound(before), limited(limit));
        let rows = select.query_map(given, |row| row.get::<i64>(0).map(i64::cast_unsigned))?;
        Ok(rows.collect::<sql::Result<_>>()?)
    }
}

const SELECT: &str = "SELECT one.place FROM ledger_word AS one \
    JOIN ledger_word AS other ON other.word = ?2 AND other.place = one.place \
    WHERE one.word = ?1 AND one.place < ?3 ORDER BY one.place DESC LIMIT ?4";

impl Store {
    /// Keeps the words of entries.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn keep_words(&self, worded: Worded) -> Result<(), StoreError> {
        self.write(Request::Tree(Box::new(OfTree::Words(worded)))).await.map(drop)
    }
}

impl Writer {
    pub(super) fn keep_words(&self, worded: &Worded) -> Result<(), Stop> {
        let sql = "INSERT INTO ledger_word VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let mut insert = self.connection.prepare_cached(sql)?;
        for (word, place) in &worded.words {
            insert.execute((*word, bound(*place)))?;
        }
        let sql = "UPDATE worded SET until = ?1 WHERE until < ?1";
        Ok(self.connection.prepare_cached(sql)?.execute([bound(worded.until)])?)
    }

    /// The same of entries that go.
    pub(super) fn forget_words(&self, words: &[(i64, u64)]) -> Result<(), Stop> {
        let sql = "DELETE FROM ledger_word WHERE word = ?1 AND place = ?2";
        let mut delete = self.connection.prepare_cached(sql)?;
        for (word, place) in words {
            delete.execute((*word, bound(*place)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_words_are_sought_and_not_read_through() {
        let folder = tempfile::tempdir().unwrap();
        let file = sql::sqlite::open(&folder.path().join("a.db")).unwrap();
        for schema in [include_str!("schema.sql"), include_str!("schema_19.sql")] {
            file.execute_batch(schema).unwrap();
        }
        let sql = format!("EXPLAIN QUERY PLAN {SELECT}");
        let mut plan = file.prepare_cached(&sql).unwrap();
        let steps = plan.query_map((1, 2, 9, 1), |row| row.get::<String>(3)).unwrap();
        let steps: Vec<_> = steps.map(Result::unwrap).collect();
        let sought = [
            "one USING PRIMARY KEY (word=? AND place<?)",
            "other USING PRIMARY KEY (word=? AND place=?)",
        ];
        assert_eq!(steps, sought.map(|step| format!("SEARCH {step}")));
    }
}
