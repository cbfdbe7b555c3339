//! 余量, how much room the store has, and the reserve that is kept for setting things right.
//!
//! A disk that is full to the last byte stops whoever would make room as well. So the store
//! stops before: at its reserve nothing is kept and no entry made but for what an operator
//! orders and for what has happened already. It goes on by itself once there is room again.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::gauge;

use super::Store;
use super::arrival::LedgerRow;
use super::error::StoreError;
use super::file;
use super::settings::Settings;
use super::sql::Connection;
use super::sql::sqlite::PAGE_BYTES;
use super::tree::OfTree;
use super::writer::{Answer, Request};

/// How long after a commit failed for want of storage nothing is expected of the next.
const FAILED_FOR: Duration = Duration::from_secs(10);
/// From how many hundredths on it is time to make room.
const FILLING_PERCENT: u64 = 90;
/// How much more than the reserve ends it, at most, so that it does not come and go.
const MORE_BYTES: u64 = 16 * 1024 * 1024;

/// How full the store is: of its disk or of its own limit, whichever has less room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What is taken, in bytes.
    pub used: u64,
    /// What may still be written, in bytes; the reserve is a part of it.
    pub left: u64,
    /// What follows.
    pub state: Fill,
}

/// What follows from how full the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fill {
    /// There is room.
    Roomy,
    /// Nine tenths are taken: time to make room.
    Filling,
    /// Only the reserve is left: nothing is kept and nothing answered.
    Reserve,
}

/// The room as it was measured last.
#[derive(Debug)]
pub struct Gauge {
    reserve: u64,
    file_bytes_max: u64,
    last: Mutex<Room>,
}

impl Gauge {
    /// Measures for the first time, if there is a file.
    pub fn new(settings: &Settings, file: Option<(&Connection, &Path)>) -> Self {
        let open = Room { used: 0, left: u64::MAX, state: Fill::Roomy };
        let gauge = Self {
            reserve: settings.reserve_bytes,
            file_bytes_max: settings.file_bytes_max,
            last: Mutex::new(open),
        };
        if let Some(file) = file {
            gauge.measure(file);
        }
        gauge
    }

    /// The room as it was measured last.
    pub fn room(&self) -> Room {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether only the reserve is left.
    pub fn at_reserve(&self) -> bool {
        self.room().state == Fill::Reserve
    }

    /// Measures. What cannot be measured is taken to be as before: the next write shows.
    pub fn measure(&self, (connection, path): (&Connection, &Path)) {
        let Ok((all, free)) = connection.pages() else { return };
        let bytes = |pages: u64| pages.saturating_mul(PAGE_BYTES);
        let Ok(disk) = rustix::fs::statvfs(path) else { return };
        // What others keep for themselves is neither taken nor left.
        let taken = disk.f_blocks.saturating_sub(disk.f_bfree).saturating_mul(disk.f_frsize);
        let available = disk.f_bavail.saturating_mul(disk.f_frsize);
        let disk = (taken, available.saturating_add(bytes(free)));
        let own = bytes(all).saturating_sub(bytes(free));
        let own = match self.file_bytes_max {
            0 => disk,
            most => (own, most.saturating_sub(own)),
        };
        self.note(std::cmp::min_by_key(own, disk, |(_, left)| *left));
    }

    fn note(&self, (used, left): (u64, u64)) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.state;
        let most = match before {
            Fill::Reserve => self.reserve.saturating_add((self.reserve / 16).min(MORE_BYTES)),
            Fill::Roomy | Fill::Filling => self.reserve,
        };
        let filling = used / FILLING_PERCENT >= used.saturating_add(left) / 100;
        let state = match (left < most, filling) {
            (true, _) => Fill::Reserve,
            (false, true) => Fill::Filling,
            (false, false) => Fill::Roomy,
        };
        *last = Room { used, left, state };
        drop(last);
        // A gauge is a float; sizes are far below 2^53, up to where each is exact.
        gauge!("kangqiao_store_used_bytes").set(used as f64);
        gauge!("kangqiao_store_left_bytes").set(left as f64);
        gauge!("kangqiao_store_at_reserve").set(f64::from(u8::from(state == Fill::Reserve)));
        if state == before {
            return;
        }
        match state {
            Fill::Roomy => tracing::info!(store.left_bytes = left, "the store has room again"),
            Fill::Filling => {
                tracing::warn!(store.left_bytes = left, "nine tenths of the store are taken");
            }
            Fill::Reserve => tracing::error!(
                store.left_bytes = left,
                "only the reserve of the store is left: nothing is kept and nothing answered"
            ),
        }
    }
}

/// How full a store is, beside a gateway or without one; `None` with a server, whose disk is not
/// ours to measure.
///
/// # Errors
/// [`StoreError`] if there is none that can be read.
pub fn measured(settings: &Settings) -> Result<Option<Room>, StoreError> {
    if settings.postgres.is_some() {
        return Ok(None);
    }
    let path = file::database(&settings.folder);
    Ok(Some(Gauge::new(settings, Some((&file::reader(&path, 64)?, &path))).room()))
}

impl Store {
    /// Writes that wait now, and how many may.
    #[must_use]
    pub fn queue(&self) -> (usize, usize) {
        self.jobs
            .as_ref()
            .map_or((0, 0), |jobs| (jobs.max_capacity() - jobs.capacity(), jobs.max_capacity()))
    }

    /// Size of the write-ahead log, in bytes.
    #[must_use]
    pub fn wal_bytes(&self) -> u64 {
        self.base.wal_bytes()
    }

    /// How full the store is; `None` with a server, whose disk is not ours to measure.
    #[must_use]
    pub fn room(&self) -> Option<Room> {
        self.settings.postgres.is_none().then(|| self.shared.gauge.room())
    }

    /// Whether writes can be expected to succeed: there is room, the writer lives, other gateways
    /// are heard, and the last commit did not just fail. A while after a failure the next write
    /// may show whether it still does.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let failed = self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let recovering = failed.is_none_or(|at| at.elapsed() >= FAILED_FOR);
        let able = recovering && self.shared.trust.holds() && !self.shared.gauge.at_reserve();
        let able = able && !self.shared.hearing.is_past();
        able && self.jobs.as_ref().is_some_and(|jobs| !jobs.is_closed())
    }

    /// Appends the entry of an operator's order, from the reserve if need be; its number.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be written: nothing may be done.
    pub async fn append_order(&self, row: LedgerRow) -> Result<u64, StoreError> {
        match self.write(Request::AppendOrder(row)).await? {
            Answer::Appended(appended) => Ok(appended.number),
            _ => Err(StoreError::Damaged),
        }
    }
}

impl Request {
    /// Whether it is done from the reserve too: what an operator orders to set things right,
    /// and what has happened already and would be done twice if it were not noted.
    pub(super) fn spends_reserve(&self) -> bool {
        // The words of entries can wait until there is room.
        let words = matches!(self, Self::Tree(kept) if matches!(**kept, OfTree::Words(_)));
        !words
            && matches!(
                self,
                Self::AppendOrder(_)
                    | Self::End(..)
                    | Self::Enforce(..)
                    | Self::Erase { .. }
                    | Self::Exchanged(..)
                    | Self::Retention(..)
                    | Self::Tree(..)
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reserve: u64, steps: &[(u64, u64, Fill)]) {
        let open = Room { used: 0, left: u64::MAX, state: Fill::Roomy };
        let gauge = Gauge { reserve, file_bytes_max: 0, last: Mutex::new(open) };
        for &(used, left, state) in steps {
            gauge.note((used, left));
            assert_eq!(gauge.room(), Room { used, left, state });
        }
    }

    #[test]
    fn nine_tenths_warn_and_the_reserve_stops_until_there_is_a_little_more() {
        check(
            160,
            &[
                (0, 10_000, Fill::Roomy),
                (8_900, 1_100, Fill::Roomy),
                (9_000, 1_000, Fill::Filling),
                (9_840, 160, Fill::Filling),
                (9_841, 159, Fill::Reserve),
                (9_831, 169, Fill::Reserve),
                (9_830, 170, Fill::Filling),
                (9_840, 160, Fill::Filling),
                (100, 9_900, Fill::Roomy),
                (9_999, 1, Fill::Reserve),
            ],
        );
        check(0, &[(10_000, 0, Fill::Filling), (0, 0, Fill::Filling)]);
    }
}
