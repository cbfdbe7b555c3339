//! 信任, whether the disk is believed.
//!
//! After a sync that failed nobody knows what is on the disk, and the system forgets: pages it
//! could not write count as written, and the next sync of them succeeds. So the store writes and
//! copies nothing from then on, and its process is to end where it stands. A start writes the
//! log anew as it is read, so that what it goes on from is on the disk, and copies all of it into
//! the database once more, for the log is never begun anew before its copy was synced.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::Store;
use super::sql::{self, Connection};
use super::writer::Failed;

/// Bytes of the log that are written anew at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// Whether the disk is believed; once it is not, it stays so.
#[derive(Debug, Default)]
pub struct Trust {
    lost: AtomicBool,
    told: Notify,
}

impl Trust {
    /// Whether anything may still be written.
    pub fn holds(&self) -> bool {
        !self.lost.load(Ordering::SeqCst)
    }

    /// From now on nothing is written. Closing a connection would copy the log too.
    pub fn lose(&self, connection: &Connection) {
        // One that cannot be told so leaves the log as it is: its next copy fails likewise.
        let _ = connection.leave_log();
        self.lost.store(true, Ordering::SeqCst);
        self.told.notify_waiters();
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

impl Store {
    /// Ready once the disk is not believed any more: the process is to end where it stands.
    pub async fn distrusted(&self) {
        loop {
            let told = self.shared.trust.told.notified();
            if !self.shared.trust.holds() {
                return;
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
