//! 信任, whether the store may still be written: the disk is believed, and nobody else writes.
//!
//! After a sync that failed nobody knows what is on the disk, and the system forgets: pages it
//! could not write count as written, and the next sync of them succeeds. So the store writes and
//! copies nothing from then on, and its process is to end where it stands. A start writes the
//! log anew as it is read, so that what it goes on from is on the disk, and copies all of it into
//! the database once more, for the log is never begun anew before its copy was synced.
//!
//! A gateway whose master key another has replaced opens nothing of what is written from then on,
//! and one of an earlier version may not write rows of a schema that does not serve it: both end
//! likewise.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::Store;
use super::error::StoreError;
use super::sql::{self, Connection};
use super::writer::{Failed, Writer};

/// Bytes of the log that are written anew at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// A sync failed.
pub const SYNC: &str = "the disk did not take what it was given: this process ends; the next start \
    reads the log anew and goes on from there";
/// Another gateway brought the next master key into force.
pub const REPLACED: &str = "another gateway replaced the master key: this process ends; start it \
    with the key in force";
/// Somebody carried the rows away while this gateway could not be seen.
pub const DEPARTED: &str = "the rows of this store were moved: this process ends; start gateways \
    on the place they are at now";

/// Whether the store may still be written; once it may not, it stays so.
#[derive(Debug, Default)]
pub struct Trust {
    lost: OnceLock<Cow<'static, str>>,
    told: Notify,
}

impl Trust {
    /// Whether anything may still be written.
    pub fn holds(&self) -> bool {
        self.lost.get().is_none()
    }

    /// From now on nothing is written. Closing a connection would copy the log of a file too.
    pub fn lose(&self, connection: &Connection, why: impl Into<Cow<'static, str>>) {
        // One that cannot be told so leaves the log as it is: its next copy fails likewise.
        let _ = connection.leave_log();
        let _ = self.lost.set(why.into());
        self.told.notify_waiters();
    }

    /// The same if that is what an error comes to.
    pub fn lose_by(&self, connection: &Connection, error: &StoreError) {
        let why = match error {
            StoreError::MasterReplaced => REPLACED.into(),
            StoreError::Departed { .. } => DEPARTED.into(),
            StoreError::Newer { .. } => Cow::from(format!("{error}: this process ends")),
            _ => return,
        };
        self.lose(connection, why);
    }
}

impl From<sql::Error> for Failed {
    fn from(error: sql::Error) -> Self {
        match error {
            _ if error.is_sync() => Self::Sync,
            _ if error.is_storage() => Self::Storage,
            _ => Self::Request,
        }
    }
}

impl Writer {
    /// Says why nothing can be written, when it begins.
    pub(super) fn complain(&self, error: &StoreError) {
        self.shared.trust.lose_by(&self.connection, error);
        let failed = *self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none() {
            tracing::error!(error.kind = %error, "the store cannot be written");
        }
        self.note(Some(Instant::now()));
    }
}

impl Store {
    /// Ready, with the reason, once nothing may be written any more: the process is to end where
    /// it stands.
    pub async fn distrusted(&self) -> Cow<'static, str> {
        loop {
            let told = self.shared.trust.told.notified();
            if let Some(why) = self.shared.trust.lost.get() {
                return why.clone();
            }
            told.await;
        }
    }
}

/// Writes a file anew where it lies, as it is read, and syncs it: what the system shows of it may
/// be no more than a sync that failed left in memory.
///
/// # Errors
/// If it cannot be read or written; one that is not there is no error.
pub fn refresh(path: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let (mut piece, mut at) = (vec![0; PIECE_BYTES], 0);
    loop {
        let count = file.read_at(&mut piece, at)?;
        let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { break };
        file.write_all_at(read, at)?;
        at += count as u64;
    }
    file.sync_all()
}

/// Makes the name of a file or folder last: it is on the disk once the folder it stands in is.
///
/// # Errors
/// If that folder cannot be synced.
pub fn name(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
