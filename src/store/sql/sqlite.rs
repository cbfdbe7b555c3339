//! What is SQLite's alone: files, pragmas, the write-ahead log, pages, a copy of the whole.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OpenFlags, ffi};

use super::cell::{Cell, Params};
use super::{Connection, Error, Kind, Result};

/// SQLite's page, in bytes.
pub const PAGE_BYTES: u64 = 4096;

/// A file that is read and written, and made if there is none.
pub fn open(path: &Path) -> Result<Connection> {
    steady(rusqlite::Connection::open(path)?)
}

/// A file that is read alone.
pub fn open_to_read(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    steady(rusqlite::Connection::open_with_flags(path, flags)?)
}

/// A statement is planned for whatever values. SQLite would else make it anew for every limit, and
/// that takes longer than what most of them ask.
fn steady(file: rusqlite::Connection) -> Result<Connection> {
    file.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(Connection(Kind::Sqlite(file)))
}

impl Connection {
    fn file(&self) -> Result<&rusqlite::Connection> {
        match &self.0 {
            Kind::Postgres(_) => Err(Error::NoFile),
            Kind::Sqlite(file) => Ok(file),
        }
    }

    /// Sets how the file is kept or the connection works.
    pub fn set(&self, pragma: &str, value: impl rusqlite::ToSql) -> Result<()> {
        Ok(self.file()?.pragma_update(None, pragma, value)?)
    }

    /// How long it waits for others, how much it remembers of the file, and what of it.
    pub fn tune(&self, cache_kib: u32) -> Result<()> {
        self.wait_for(Duration::from_secs(5))?;
        self.set("cache_size", -i64::from(cache_kib))?;
        self.set("temp_store", "memory")?;
        self.set("trusted_schema", false)?;
        self.file()?.set_prepared_statement_cache_capacity(64);
        Ok(())
    }

    /// How long it waits for whoever has the file locked.
    pub fn wait_for(&self, others: Duration) -> Result<()> {
        Ok(self.file()?.busy_timeout(others)?)
    }

    /// Pages of the file, and how many of them are free.
    pub fn pages(&self) -> Result<(u64, u64)> {
        let count = |sql: &str| {
            self.query_row(sql, [], |row| row.get::<i64>(0))
                .map(|pages| pages.max(0).cast_unsigned())
        };
        Ok((count("PRAGMA page_count")?, count("PRAGMA freelist_count")?))
    }

    /// Copies the write-ahead log into the file: whether it went through, and how many pages
    /// the log holds.
    pub fn checkpoint(&self, mode: &str) -> Result<(bool, u64)> {
        self.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok((row.get::<i64>(0)? == 0, row.get::<i64>(1)?.max(0).cast_unsigned()))
        })
    }

    /// Leaves the write-ahead log as it is when the connection is closed.
    pub fn leave_log(&self) -> Result<()> {
        let when_closed = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        self.file()?.set_db_config(when_closed, true)?;
        Ok(())
    }

    /// Writes the whole anew into another file, without what was deleted.
    pub fn copy_into(&self, path: &Path) -> Result<()> {
        self.execute("VACUUM INTO ?1", [path.to_string_lossy().as_ref()])
    }

    /// Copies the file page for page, as this connection sees it, into one that is not there yet.
    pub fn copy_pages_into(&self, path: &Path) -> Result<()> {
        let mut copied = rusqlite::Connection::open(path)?;
        let backup = Backup::new(self.file()?, &mut copied)?;
        // All at once: nothing changes meanwhile that is seen here.
        match backup.step(-1)? {
            StepResult::Done => Ok(()),
            _ => Err(busy().into()),
        }
    }

    /// Whether the file is whole: every page, and every index with its table.
    pub fn is_whole(&self) -> Result<bool> {
        self.file()?;
        let sql = "PRAGMA integrity_check(1)";
        self.query_row(sql, [], |row| row.get::<String>(0)).map(|found| found == "ok")
    }
}

/// Somebody else holds it.
fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)
}

/// The schema of a file.
pub(super) fn version(connection: &Connection) -> Result<i64> {
    Ok(connection.file()?.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Whether a table of a file has a column.
pub(super) fn has(connection: &Connection, (table, column): (&str, &str)) -> Result<bool> {
    let sql = "SELECT 1 FROM pragma_table_info(?1, 'main') WHERE name = ?2";
    connection.prepare_cached(sql)?.exists((table, column))
}

/// Hands its values to a statement.
pub(super) fn bind(statement: &mut rusqlite::Statement<'_>, values: impl Params) -> Result<()> {
    let mut given = 0;
    values.each(|value| {
        given += 1;
        let value = match value {
            Cell::Blob(bytes) => ValueRef::Blob(bytes),
            Cell::Integer(number) => ValueRef::Integer(number),
            Cell::Null => ValueRef::Null,
            Cell::Real(number) => ValueRef::Real(number),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
        };
        Ok(statement.raw_bind_parameter(given, ToSqlOutput::Borrowed(value))?)
    })?;
    let named = statement.parameter_count();
    if given == named { Ok(()) } else { Err(Error::Values { given, named }) }
}

pub(super) fn cell(value: ValueRef<'_>, column: usize) -> Result<Cell<'_>> {
    Ok(match value {
        ValueRef::Blob(bytes) => Cell::Blob(bytes),
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Null => Cell::Null,
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(text) => {
            Cell::Text(std::str::from_utf8(text).map_err(|_| Error::Column(column))?)
        }
    })
}

/// Whether it was a sync of the file, its log or its folder.
pub(super) fn is_sync(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
}

/// Whether space or the disk is the matter.
pub(super) fn is_storage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::OutOfMemory
                | ErrorCode::ReadOnly,
        )
    )
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_is_made_once_whatever_the_limit() {
        let connection = open(Path::new(":memory:")).unwrap();
        connection.execute_batch("CREATE TABLE one (number INTEGER PRIMARY KEY)").unwrap();
        let file = connection.file().unwrap();
        let mut select = file.prepare("SELECT number FROM one LIMIT ?1").unwrap();
        for limit in 1..4 {
            assert!(!select.exists([limit]).unwrap());
        }
        assert_eq!(select.get_status(StatementStatus::RePrepare), 0);
    }

    #[test]
    fn a_sync_that_failed_is_told_from_a_write_that_failed() {
        let failed =
            |code| Error::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for (code, is_sync) in [
            (ffi::SQLITE_IOERR_FSYNC, true),
            (ffi::SQLITE_IOERR_DIR_FSYNC, true),
            (ffi::SQLITE_IOERR_WRITE, false),
            (ffi::SQLITE_FULL, false),
        ] {
            let error = failed(code);
            assert!(error.is_storage(), "{code}");
            assert_eq!(error.is_sync(), is_sync, "{code}");
        }
    }
}
