//! The folder and the file: permissions, lock, schema, connections.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::departed;
use super::error::StoreError;
use super::master;
use super::schema;
use super::seal::StoreKeys;
use super::settings::Settings;
use super::sql::Connection;
use super::sql::sqlite::{self, PAGE_BYTES};
use super::trust;

/// The database of a folder that is held against other processes while this lives.
#[derive(Debug)]
pub struct StoreFile {
    path: PathBuf,
    _lock: Lock,
}

impl StoreFile {
    /// Makes or checks the folder, takes its lock, makes or checks the schema and the keys.
    pub fn open(settings: &Settings, master: &[u8; 32]) -> Result<(Self, StoreKeys), StoreError> {
        let file = Self::hold(&settings.folder)?;
        let connection = file.begin()?;
        departed::still_here(&connection)?;
        let keys = master::open(&connection, master)?;
        Ok((file, keys))
    }

    /// Makes or checks the folder and takes its lock; of the database nothing is touched.
    pub fn hold(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self { path: database(folder), _lock: Lock::take(folder)? })
    }

    /// Makes the database, or brings it to what this build writes.
    pub fn begin(&self) -> Result<Connection, StoreError> {
        self.settle().map_err(StoreError::Folder)?;
        let connection = sqlite::open(&self.path)?;
        if connection.version()? == 0 {
            connection.set("page_size", PAGE_BYTES.cast_signed())?;
            connection.set("journal_mode", "wal")?;
        }
        schema::upgrade(&connection)?;
        Ok(connection)
    }

    /// Makes sure that what is read from now on is on the disk.
    pub fn settle(&self) -> io::Result<()> {
        // SQLite gives its log files the mode of the database.
        private_file(&self.path)?;
        let folder = self.path.parent().unwrap_or(&self.path);
        [folder, &self.path].into_iter().try_for_each(trust::name)?;
        trust::refresh(&self.log())
    }

    /// Where the database lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connection that writes.
    pub fn writer(&self, settings: &Settings) -> Result<Connection, StoreError> {
        let connection = sqlite::open(&self.path)?;
        connection.tune(settings.writer_cache_kib)?;
        connection.set("journal_mode", "wal")?;
        connection.set("synchronous", "full")?;
        connection.set("wal_autocheckpoint", 0)?;
        // What is deleted is overwritten, so that a destroyed key is gone.
        connection.set("secure_delete", true)?;
        if settings.file_bytes_max > 0 {
            // No pages at all would be no limit at all.
            let pages = (settings.file_bytes_max / PAGE_BYTES).max(1);
            let pages = i64::try_from(pages).unwrap_or(i64::MAX);
            connection.set("max_page_count", pages)?;
        }
        Ok(connection)
    }

    /// A connection that copies the log into the database.
    pub fn checkpointer(&self) -> Result<Connection, StoreError> {
        let connection = sqlite::open(&self.path)?;
        connection.tune(1024)?;
        // The writer may be waiting meanwhile: a reader in the way is not waited for.
        connection.wait_for(Duration::from_millis(5))?;
        connection.set("wal_autocheckpoint", 0)?;
        connection.set("synchronous", "full")?;
        Ok(connection)
    }

    /// A connection that can only read.
    pub fn reader(&self, settings: &Settings) -> Result<Connection, StoreError> {
        reader(&self.path, settings.reader_cache_kib)
    }

    /// Size of the write-ahead log, in bytes.
    pub fn wal_bytes(&self) -> u64 {
        fs::metadata(self.log()).map_or(0, |found| found.len())
    }

    fn log(&self) -> PathBuf {
        log_of(&self.path)
    }
}

/// The write-ahead log of a database.
pub fn log_of(database: &Path) -> PathBuf {
    let mut name = database.to_owned().into_os_string();
    name.push("-wal");
    name.into()
}

/// The database inside a folder.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("kangqiao.db")
}

/// Whether a folder holds a store at all: what a first start left that was stopped before it had
/// written anything is none.
pub fn exists(folder: &Path) -> bool {
    let path = database(folder);
    // From its first commit on a store has a log; a journal is of the moment before that.
    let journal = path.with_extension("db-journal");
    let begun = fs::metadata(journal).is_ok_and(|found| found.len() > 0);
    let version = || reader(&path, 64).and_then(|reader| Ok(reader.version()?));
    path.exists() && !begun && !matches!(version(), Ok(0))
}

/// A connection that can only read; needs neither lock nor key.
pub fn reader(path: &Path, cache_kib: u32) -> Result<Connection, StoreError> {
    let connection = sqlite::open_to_read(path)?;
    connection.tune(cache_kib)?;
    schema::known(&connection)?;
    Ok(connection)
}

/// A folder that is held against other processes while this lives.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Makes the folder and takes it.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        private_folder(folder).map_err(StoreError::Folder)?;
        let lock = private_file(&folder.join("lock")).map_err(StoreError::Folder)?;
        lock.try_lock().map_err(|refused| match refused {
            TryLockError::WouldBlock => StoreError::InUse,
            TryLockError::Error(cause) => StoreError::Folder(cause),
        })?;
        Ok(Self(lock))
    }
}

/// Closing alone would leave it to a process that is just being started and has a copy yet.
impl Drop for Lock {
    fn drop(&mut self) {
        // One that cannot be given back goes with the process.
        let _ = self.0.unlock();
    }
}

pub fn private_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

fn private_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(file)
}
