//! What of the store can be configured; every limit has a default.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::sql::Database;

/// Settings of the store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Folder of the database, for the gateway alone: made, and kept, at mode 0700.
    /// Default `kangqiao-data`.
    pub folder: PathBuf,
    /// Writes that may wait for the writer, in requests. When it is full, senders
    /// wait: nothing is dropped. Default 4096.
    pub queue_requests_max: usize,
    /// Writes that may share one commit, in requests; messages of a batch or file that are kept
    /// together are one. Default 512.
    pub batch_requests_max: usize,
    /// How long a write may wait for its commit, in milliseconds. Default 10000.
    pub wait_ms_max: u64,
    /// Connections that read, beside the one that writes. Default 4.
    pub readers: usize,
    /// Page cache of the writing connection, in KiB. Default 16384.
    pub writer_cache_kib: u32,
    /// Page cache of each reading connection, in KiB. Default 4096.
    pub reader_cache_kib: u32,
    /// How often the write-ahead log is copied into the database, in milliseconds.
    /// Default 250.
    pub checkpoint_ms: u64,
    /// Size of the write-ahead log from which writers wait until it is emptied, in
    /// bytes. Default 64 MiB.
    pub wal_bytes_max: u64,
    /// Size at which the database is full, in bytes; 0 is the size of the disk.
    /// Default 0.
    pub file_bytes_max: u64,
    /// Room that is kept for setting things right, in bytes: with less than that left, of the
    /// disk or of `file_bytes_max`, nothing is kept and nothing answered. Default 256 MiB.
    pub reserve_bytes: u64,
    /// Records that one read may return. Default 1000.
    pub records_max: usize,
    /// Persons whose key and identifiers the writer remembers. Default 16384.
    pub persons_remembered_max: usize,
    /// How long the other gateways of a PostgreSQL server may not be heard, in milliseconds,
    /// before nothing is answered. Default 1000.
    pub silence_ms_max: u64,
    /// Folder of an archive, from which the file goes back to any moment of the last days; on
    /// another disk, and as secret as the store. Default none.
    pub archive: Option<PathBuf>,
    /// How far back it reaches, in days. Default 7.
    pub archive_days: u32,
    /// A PostgreSQL server that holds the rows; left out, a file of the folder does.
    pub postgres: Option<Database>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("kangqiao-data"),
            queue_requests_max: 4096,
            batch_requests_max: 512,
            wait_ms_max: 10_000,
            readers: 4,
            writer_cache_kib: 16 * 1024,
            reader_cache_kib: 4 * 1024,
            checkpoint_ms: 250,
            wal_bytes_max: 64 * 1024 * 1024,
            file_bytes_max: 0,
            reserve_bytes: 256 * 1024 * 1024,
            records_max: 1000,
            persons_remembered_max: 16_384,
            silence_ms_max: 1000,
            archive: None,
            archive_days: 7,
            postgres: None,
        }
    }
}

impl Settings {
    /// Those of a file in a folder, such as a copy.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..Self::default() }
    }
}
