//! 归档, the low-priority thread: copies the write-ahead log into the database and asks
//! the writer to fill the search tables, so that neither stands in the way of a commit.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::archive::Archive;
use super::shared::Shared;
use super::sql::{self, Connection};
use super::trust;
use super::writer::{Job, Request};

/// How often the writer is asked to fill the search tables a step further.
const PROJECT_EVERY: Duration = Duration::from_millis(50);
/// SQLite's page and its header in the log, in bytes.
const FRAME_BYTES: u64 = super::sql::sqlite::PAGE_BYTES + 24;

/// Asks for the log to be copied and emptied now; the answer is whether it is empty.
pub type Empty = oneshot::Sender<bool>;

/// The state of the thread.
pub struct Tide {
    /// The log of a file; a server has its own ways.
    pub log: Option<Log>,
    /// What it shares with the writer.
    pub shared: Arc<Shared>,
    /// The way to the writer; does not keep it alive.
    pub jobs: mpsc::WeakSender<Job>,
}

/// The write-ahead log of a file.
pub struct Log {
    /// A connection of its own.
    pub connection: Connection,
    /// What is to have everything before it is copied.
    pub archive: Option<Archive>,
    /// How often it is copied.
    pub every: Duration,
    /// Size from which the writer waits until it starts anew.
    pub wal_bytes_max: u64,
    /// Where the database lies.
    pub path: PathBuf,
}

impl Tide {
    /// Works until the store is closed.
    pub fn run(self, orders: &Receiver<Empty>) {
        let mut copied = Instant::now();
        let every = self.log.as_ref().map_or(PROJECT_EVERY, |log| log.every);
        // Whether somebody asked for an empty log and a reader stood in the way.
        let mut owed = false;
        loop {
            match orders.recv_timeout(PROJECT_EVERY.min(every)) {
                Ok(answer) => {
                    owed = !self.empty();
                    let _ = answer.send(!owed);
                }
                Err(RecvTimeoutError::Timeout) => owed = owed && !self.empty(),
                Err(RecvTimeoutError::Disconnected) => {
                    // What is left in the log the next start would have to read.
                    self.empty();
                    return;
                }
            }
            self.project();
            if let Some(log) = &self.log
                && copied.elapsed() >= every
            {
                log.copy(&self.shared);
                self.shared.gauge.measure(log.measured());
                copied = Instant::now();
            }
        }
    }

    /// Whether nothing that was deleted is in the log; a server's nobody here can empty.
    fn empty(&self) -> bool {
        self.log.as_ref().is_none_or(|log| log.empty(&self.shared))
    }

    fn project(&self) {
        if !self.shared.lagging.load(Ordering::Relaxed) {
            return;
        }
        let Some(jobs) = self.jobs.upgrade() else { return };
        // A full queue has better things to do; the answer says no more than "done".
        let (answer, outcome) = oneshot::channel();
        if jobs.try_send(Job { request: Request::Project, answer }).is_ok() {
            drop(jobs);
            let _ = outcome.blocking_recv();
        }
    }
}

impl Log {
    /// By what it is seen how full the file is.
    pub fn measured(&self) -> (&Connection, &Path) {
        (&self.connection, &self.path)
    }

    /// Copies what it can beside the writer. Only a long log makes the writer wait, and
    /// then for what it wrote since the copy before.
    pub(super) fn copy(&self, shared: &Shared) {
        if self.checkpoint(shared, "PASSIVE").1 * FRAME_BYTES <= self.wal_bytes_max {
            return;
        }
        self.checkpoint(shared, "PASSIVE");
        let _turn = shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.checkpoint(shared, "RESTART");
    }

    fn empty(&self, shared: &Shared) -> bool {
        self.checkpoint(shared, "PASSIVE");
        let _turn = shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.checkpoint(shared, "TRUNCATE").0
    }

    /// Whether it went through, and how many pages the log holds.
    pub(super) fn checkpoint(&self, shared: &Shared, mode: &str) -> (bool, u64) {
        if !shared.trust.holds() {
            return (false, 0);
        }
        let archive = self.archive.as_ref();
        // Where the log is not to begin anew, nobody may write: then nothing comes in between.
        let held = archive.filter(|_| mode == "PASSIVE").map(Archive::hold).transpose();
        let Ok(held) = held else { return (false, 0) };
        if archive.is_some_and(|archive| !archive.take(held.as_ref())) {
            return (false, 0);
        }
        let ended = self.connection.checkpoint(mode);
        if ended.as_ref().is_err_and(sql::Error::is_sync) {
            shared.trust.lose(&self.connection, trust::SYNC);
        }
        // A full disk shows where it matters: at the next write.
        ended.unwrap_or((false, 0))
    }
}
