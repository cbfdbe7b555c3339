//! 台账, the ledger's rows: numbered from 0, appended once, found again by whom and about whom.
//!
//! What the rows say and what the checkpoints prove is the business of `audit`.

use zeroize::Zeroizing;

use super::arrival::{Appended, Checkpoint, LedgerEntry, LedgerRow};
use super::error::StoreError;
use super::generation::Generations;
use super::settings::Settings;
use super::sql::{self, Connection, Optional};
use super::tree::LedgerView;
use super::writer::{Stop, Writer};
use super::{base, index, master, rotation};
use crate::identity::{PersonId, Pseudonym, Token};
use crate::vocabulary::Department;

/// Rows the search tables move forward in one step, so that no write waits long.
const PROJECT_ROWS_MAX: i64 = 2048;

impl Writer {
    /// Appends one entry; its checkpoint is written at the end of the transaction.
    pub(super) fn append(&mut self, row: &LedgerRow) -> Result<Appended, Stop> {
        let number = self.next.ledger;
        self.connection
            .prepare_cached(
                "INSERT INTO ledger (number, at_ms, person, department, bytes) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                number,
                row.at_ms,
                row.person.as_ref().map(|person| person.0.as_str()),
                row.department.as_ref().map(Department::as_str),
                &row.bytes[..],
            ))?;
        self.next.ledger += 1;
        self.entries.push(row.bytes.clone());
        Ok(Appended { number: number.cast_unsigned(), checkpoint: bytes::Bytes::new() })
    }

    /// Fills the search tables a step further, in the order of their keys.
    pub(super) fn project(&mut self) -> Result<(), Stop> {
        let from = projected(&self.connection)?;
        let until = self.next.ledger.min(from + PROJECT_ROWS_MAX);
        if until == from {
            return Ok(());
        }
        let sql = "INSERT INTO ledger_person SELECT person, number FROM ledger \
            WHERE number >= ?1 AND number < ?2 AND person IS NOT NULL ORDER BY 1, 2";
        self.connection.prepare_cached(sql)?.execute((from, until))?;
        self.connection.prepare_cached("UPDATE projected SET until = ?1")?.execute([until])?;
        self.next.projected = until;
        Ok(())
    }
}

/// A ledger to read, beside a running gateway or without one; needs no key.
#[derive(Debug)]
pub struct LedgerFile(Connection);

impl LedgerFile {
    /// Whether there is a store at all.
    ///
    /// # Errors
    /// [`StoreError::Sql`] if a server cannot be asked.
    pub fn exists(settings: &Settings) -> Result<bool, StoreError> {
        base::exists(settings)
    }

    /// Opens the ledger of a store.
    ///
    /// # Errors
    /// [`StoreError`] if there is no store or it is of a later version.
    pub fn open(settings: &Settings) -> Result<Self, StoreError> {
        let file = base::reader(settings, 4096)?;
        // A copy of before tiles were kept has none.
        if !file.has("tile", "hashes")? {
            file.execute_batch(
                "CREATE TEMP TABLE tile (level, number, hashes); \
                 CREATE TEMP TABLE cosignature (witness, size, at_ms, lines)",
            )?;
        }
        Ok(Self(file))
    }

    /// Of rows that nobody else sees yet.
    pub(super) const fn of(rows: Connection) -> Self {
        Self(rows)
    }

    pub(super) const fn rows(&self) -> &Connection {
        &self.0
    }

    /// What is in it, at each call as it then stands.
    #[must_use]
    pub const fn now(&self) -> LedgerView<'_> {
        LedgerView::new(&self.0)
    }

    /// Looks at it as it stands at one moment.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn look<T>(&self, what: impl FnOnce(LedgerView<'_>) -> T) -> Result<T, StoreError> {
        LedgerView::of(&self.0, what)
    }

    /// Entries that match, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn search(&self, search: &LedgerSearch) -> Result<Vec<LedgerEntry>, StoreError> {
        Ok(find(&self.0, search)?)
    }

    /// Whom a token leads to: the person with all that are merged into one, and every
    /// token linked to any of them, the asked one first. Entries may name each of these.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn known_as(
        &self,
        token: &Token,
        master: &[u8; 32],
    ) -> Result<(Vec<PersonId>, Vec<Token>), StoreError> {
        let keys = master::read(&self.0, master)?;
        if !self.0.has("generation", "sealed")? {
            // A copy of before generations had secrets: there none has one.
            self.0.execute_batch(
                "CREATE TEMP TABLE IF NOT EXISTS generation AS \
                 SELECT number, NULL AS sealed FROM main.generation",
            )?;
        }
        rotation::in_force(&self.0, &keys, |reader, by| known_as(reader, by, token))
    }

    /// The root secret, from which the pseudonyms follow.
    ///
    /// # Errors
    /// [`StoreError::MasterKey`], [`StoreError::MasterReplaced`], [`StoreError::Sql`].
    pub fn root(&self, master: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        Ok(Zeroizing::new(*master::read(&self.0, master)?.root()))
    }
}

/// What to look for in the ledger; what is `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct LedgerSearch {
    /// About whom.
    pub person: Option<Pseudonym>,
    /// Only entries below this number: the last of one page begins the next.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// Whom a token leads to: the person with all that are merged into one, and every
/// token linked to any of them, the asked one first. Entries may name each of these.
///
/// # Errors
/// [`StoreError::Sql`].
pub fn known_as(
    connection: &Connection,
    generations: &Generations,
    token: &Token,
) -> Result<(Vec<PersonId>, Vec<Token>), StoreError> {
    let (mut persons, mut tokens) = (Vec::new(), vec![*token]);
    for (holder, _) in index::holders(connection, generations, token)? {
        if !persons.contains(&holder) {
            let (one, linked) = one_with(connection, generations, holder)?;
            persons.extend(one);
            tokens.extend(linked.into_iter().filter(|other| other != token));
        }
    }
    Ok((persons, tokens))
}

/// A person with all that are merged into one, and every token linked to any of them.
///
/// # Errors
/// [`StoreError::Sql`].
pub fn one_with(
    connection: &Connection,
    generations: &Generations,
    person: PersonId,
) -> Result<(Vec<PersonId>, Vec<Token>), StoreError> {
    let persons = index::set(connection, index::root(connection, person)?)?;
    let mut tokens = Vec::new();
    for person in &persons {
        tokens.extend(index::tokens(connection, generations, *person)?);
    }
    Ok((persons, tokens))
}

/// How many entries there are.
pub fn size(connection: &Connection) -> sql::Result<u64> {
    let sql = "SELECT coalesce(max(number) + 1, 0) FROM ledger";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).map(i64::cast_unsigned)
}

/// Entries from a number on.
pub fn entries(connection: &Connection, from: u64, limit: usize) -> sql::Result<Vec<LedgerEntry>> {
    connection
        .prepare_cached(
            "SELECT number, at_ms, bytes FROM ledger WHERE number >= ?1 ORDER BY number LIMIT ?2",
        )?
        .query_map((bound(from), limited(limit)), read_entry)?
        .collect()
}

/// Entries that match, newest first: the projected part by its index, the tail by reading it.
pub fn find(connection: &Connection, search: &LedgerSearch) -> sql::Result<Vec<LedgerEntry>> {
    // One snapshot, so that no entry falls between index and tail.
    let snapshot = connection.snapshot()?;
    let table = if search.person.is_some() { "ledger_person" } else { "ledger" };
    let (until, before) = (projected(&snapshot)?, bound(search.before.unwrap_or(u64::MAX)));
    let mut rows = page(&snapshot, search, ("ledger", until, before))?;
    let rest = LedgerSearch { limit: search.limit.saturating_sub(rows.len()), ..search.clone() };
    rows.extend(page(&snapshot, &rest, (table, 0, before.min(until)))?);
    Ok(rows)
}

/// The statement of a page of a table. Numbers have one bound at each end: of two SQLite seeks by
/// one and reads all that lies between, which far back is the whole ledger.
fn paged(table: &str) -> String {
    let key = match table {
        "ledger_person" => "found.person = ?1",
        _ => "TRUE",
    };
    format!(
        "SELECT ledger.number, ledger.at_ms, ledger.bytes FROM {table} AS found \
         JOIN ledger ON ledger.number = found.number \
         WHERE {key} AND found.number >= ?4 AND found.number < ?2 \
         AND (CAST(?1 AS TEXT) IS NULL OR ledger.person = ?1) \
         ORDER BY found.number DESC LIMIT ?3"
    )
}

fn page(
    connection: &Connection,
    search: &LedgerSearch,
    (table, from, before): (&str, i64, i64),
) -> sql::Result<Vec<LedgerEntry>> {
    let given = (
        search.person.as_ref().map(|person| person.0.as_str()),
        before,
        limited(search.limit),
        from,
    );
    connection.prepare_cached(&paged(table))?.query_map(given, read_entry)?.collect()
}

/// Checkpoints over more than `above` entries, in order.
pub fn checkpoints(
    connection: &Connection,
    above: u64,
    limit: usize,
) -> sql::Result<Vec<Checkpoint>> {
    connection
        .prepare_cached(
            "SELECT size, bytes FROM checkpoint WHERE size > ?1 ORDER BY size LIMIT ?2",
        )?
        .query_map((bound(above), limited(limit)), read_checkpoint)?
        .collect()
}

/// The newest checkpoint.
pub fn checkpoint(connection: &Connection) -> sql::Result<Option<Checkpoint>> {
    connection
        .prepare_cached("SELECT size, bytes FROM checkpoint ORDER BY size DESC LIMIT 1")?
        .query_row([], read_checkpoint)
        .optional()
}

fn projected(connection: &Connection) -> sql::Result<i64> {
    connection.prepare_cached("SELECT until FROM projected")?.query_row([], |row| row.get(0))
}

fn read_entry(row: &sql::Row<'_>) -> sql::Result<LedgerEntry> {
    let number = row.get::<i64>(0)?.cast_unsigned();
    Ok(LedgerEntry { number, at_ms: row.get(1)?, bytes: row.get(2)? })
}

fn read_checkpoint(row: &sql::Row<'_>) -> sql::Result<Checkpoint> {
    Ok(Checkpoint { size: row.get::<i64>(0)?.cast_unsigned(), bytes: row.get(1)? })
}

/// A number of ours as SQLite counts; none of ours reaches its end.
pub fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A limit as SQLite counts.
pub fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_far_back_is_sought_and_not_read_through() {
        let folder = tempfile::tempdir().unwrap();
        let file = sql::sqlite::open(&folder.path().join("a.db")).unwrap();
        file.execute_batch(include_str!("schema.sql")).unwrap();
        for (table, sought) in [
            ("ledger", "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
            ("ledger_person", "PRIMARY KEY (person=? AND number>? AND number<?)"),
        ] {
            let sql = format!("EXPLAIN QUERY PLAN {}", paged(table));
            let mut plan = file.prepare_cached(&sql).unwrap();
            let given = ("person", 9, 1, 0);
            let steps = plan.query_map(given, |row| row.get::<String>(3)).unwrap();
            let steps: Vec<_> = steps.map(Result::unwrap).collect();
            let each = "SEARCH ledger USING INTEGER PRIMARY KEY (rowid=?)".to_owned();
            assert_eq!(steps, [format!("SEARCH found USING {sought}"), each]);
        }
    }
}
