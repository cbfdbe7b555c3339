//! 所在, where the rows lie: in a file of the store's folder, or with a PostgreSQL server.
//!
//! The folder is a node's own either way: its lock, its operator socket, the packs that served.

use std::sync::Arc;
use std::time::Duration;

use super::archive::Archive;
use super::departed;
use super::error::StoreError;
use super::file::{self, Lock, StoreFile};
use super::master;
use super::schema;
use super::seal::StoreKeys;
use super::settings::Settings;
use super::sql::postgres::{self, Role};
use super::sql::{Connection, Database};
use super::tide::Log;

/// What says which schema the rows with a server are of, and from which on they serve gateways.
pub(super) const VERSION: &str = "CREATE TABLE IF NOT EXISTS schema_version \
    (number BIGINT NOT NULL, serves_from BIGINT)";

/// Where the rows of an open store lie.
#[derive(Debug)]
pub enum Base {
    /// In a file, which is held against other processes while this lives.
    File(StoreFile),
    /// With a server, where gateways write in turns.
    Server {
        /// Where it is.
        database: Arc<Database>,
        _lock: Lock,
    },
}

impl Base {
    /// Takes the folder and what is the rows' own lock, makes or checks the schema and the keys;
    /// with the connection that writes.
    pub fn open(
        settings: &Settings,
        master: &[u8; 32],
    ) -> Result<(Self, Connection, StoreKeys), StoreError> {
        let Some(database) = &settings.postgres else {
            let (file, keys) = StoreFile::open(settings, master)?;
            let writer = file.writer(settings)?;
            return Ok((Self::File(file), writer, keys));
        };
        let lock = Lock::take(&settings.folder)?;
        let database = Arc::new(database.clone());
        let writer = postgres::open(&database, Role::Writes)?;
        writer.opening()?;
        writer.execute_batch(VERSION)?;
        schema::upgrade(&writer)?;
        departed::still_here(&writer)?;
        let keys = master::open(&writer, master)?;
        tracing::info!(
            "the rows lie with a PostgreSQL server: its disk and its copies are watched there, \
             reserve_bytes and file_bytes_max do not apply"
        );
        Ok((Self::Server { database, _lock: lock }, writer, keys))
    }

    /// Where the rows lie with a server.
    pub fn server(&self) -> Option<&Arc<Database>> {
        match self {
            Self::File(_) => None,
            Self::Server { database, .. } => Some(database),
        }
    }

    /// A connection that reads.
    pub fn reader(&self, settings: &Settings) -> Result<Connection, StoreError> {
        match self {
            Self::File(file) => file.reader(settings),
            Self::Server { database, .. } => Ok(postgres::open(database, Role::Reads)?),
        }
    }

    /// A connection of which everything is undone.
    pub fn rehearser(&self, settings: &Settings) -> Result<Connection, StoreError> {
        match self {
            Self::File(file) => file.writer(settings),
            Self::Server { database, .. } => Ok(postgres::open(database, Role::Writes)?),
        }
    }

    /// What of a file is to be copied from its log; a server does so by itself.
    pub fn log(&self, settings: &Settings) -> Result<Option<Log>, StoreError> {
        let Self::File(file) = self else { return Ok(None) };
        let archive = settings.archive.as_deref().map(|folder| {
            let reader = file.reader(settings)?;
            Archive::new((folder, settings.archive_days), &settings.folder, reader)
        });
        Ok(Some(Log {
            connection: file.checkpointer()?,
            archive: archive.transpose()?,
            every: Duration::from_millis(settings.checkpoint_ms.max(1)),
            wal_bytes_max: settings.wal_bytes_max,
            path: file.path().to_owned(),
        }))
    }

    /// Size of the write-ahead log of a file, in bytes.
    pub fn wal_bytes(&self) -> u64 {
        match self {
            Self::File(file) => file.wal_bytes(),
            Self::Server { .. } => 0,
        }
    }
}

/// A connection that can only read, beside a gateway or without one; needs neither lock nor key.
pub fn reader(settings: &Settings, cache_kib: u32) -> Result<Connection, StoreError> {
    let Some(database) = &settings.postgres else {
        return file::reader(&file::database(&settings.folder), cache_kib);
    };
    let connection = postgres::open(&Arc::new(database.clone()), Role::Reads)?;
    schema::known(&connection)?;
    Ok(connection)
}

/// Whether there is a store at all.
///
/// # Errors
/// [`StoreError::Sql`] if a server cannot be asked.
pub fn exists(settings: &Settings) -> Result<bool, StoreError> {
    let Some(database) = &settings.postgres else {
        return Ok(file::exists(&settings.folder));
    };
    let connection = postgres::open(&Arc::new(database.clone()), Role::Reads)?;
    let sql = "SELECT to_regclass('schema_version') IS NOT NULL";
    if !connection.query_row(sql, [], |row| row.get(0))? {
        return Ok(false);
    }
    Ok(connection.version()? > 0)
}
