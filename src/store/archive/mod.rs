//! 归档, from which a file goes back to a moment: what its write-ahead log held, before it is copied
//! into the database and the log begins anew.
//!
//! ```text
//! archive/20261130T021500000Z/base.db   the database, page for page, when the stretch began
//!                             log       what was committed since, some times a second
//! archive/20261201T021500000Z/…         the next stretch: at each start, and each day
//! ```
//!
//! Nothing is copied into the database that is not in the archive and synced: a reader of the log
//! is held meanwhile, behind which SQLite copies nothing and does not begin anew.

mod frames;
mod record;

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, NaiveDateTime, Utc};
use metrics::gauge;

use super::backup::sync;
use super::error::StoreError;
use super::sql::{self, Connection, Transaction};
use super::{file, packs};
use frames::Mark;

/// How long a stretch goes on, in milliseconds: it is gone whole or not at all.
pub const STRETCH_MS: i64 = 24 * 60 * 60 * 1000;
const BASE: &str = "base.db";
const LOG: &str = "log";
/// How a stretch is named: when it began.
const NAME: &str = "%Y%m%dT%H%M%S%3fZ";

/// The archive of a store that is written.
pub struct Archive {
    folder: PathBuf,
    /// The store's.
    store: PathBuf,
    days: u32,
    reader: Connection,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    stretch: Option<Stretch>,
    mark: Option<Mark>,
    /// When anything was archived last, whatever the clock says since; `None` before the folder
    /// was asked.
    last_ms: Option<i64>,
    failing: bool,
    rests_until: Option<Instant>,
}

struct Stretch {
    begun_ms: i64,
    path: PathBuf,
    log: File,
}

impl Archive {
    /// One in a folder that can be written; `reader` holds the log while it is read.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn new(
        (folder, days): (&Path, u32),
        store: &Path,
        reader: Connection,
    ) -> Result<Self, StoreError> {
        file::private_folder(folder).map_err(StoreError::Folder)?;
        let (folder, store) = (folder.to_owned(), store.to_owned());
        Ok(Self { folder, store, days, reader, state: RefCell::default() })
    }

    /// Holds the log: what comes from now on is not copied and nothing of it is overwritten.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn hold(&self) -> sql::Result<Transaction<'_>> {
        let held = self.reader.snapshot()?;
        held.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<i64>(0))?;
        Ok(held)
    }

    /// Takes what was committed; whether all of it is in the archive. While nobody may write, a
    /// stretch goes on however long it is.
    pub fn take(&self, held: Option<&Transaction<'_>>) -> bool {
        let state = &mut *self.state.borrow_mut();
        let taken = self.append(state, held);
        if let Err(error) = &taken
            && !state.failing
        {
            let told = "the archive cannot be written: the log of the store grows";
            tracing::error!(error = %error, "{told}");
        }
        if taken.is_ok() && state.failing {
            tracing::info!("the archive can be written again");
        }
        state.failing = taken.is_err();
        gauge!("kangqiao_store_archive_failing").set(f64::from(u8::from(state.failing)));
        taken.is_ok()
    }

    fn append(&self, state: &mut State, held: Option<&Transaction<'_>>) -> io::Result<()> {
        // One that somebody took away is written into nowhere.
        let gone = |stretch: &Stretch| !stretch.path.join(LOG).exists();
        if state.stretch.as_ref().is_some_and(gone) {
            state.stretch = None;
        }
        if state.last_ms.is_none() {
            state.last_ms = Some(last_moment(&self.folder)?);
        }
        let begins = held.map(|held| self.go_on(state, held)).transpose()?.unwrap_or(false);
        let Some(stretch) = &mut state.stretch else {
            return Err(io::Error::other("no stretch has begun"));
        };
        let at_ms = Utc::now().timestamp_millis().max(state.last_ms.unwrap_or_default());
        let log = file::log_of(&file::database(&self.store));
        let committed = match File::open(&log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => {
                let log = opened?;
                frames::committed(&log, state.mark)?.map(|committed| (log, committed))
            }
        };
        match &committed {
            Some((log, committed)) => record::write(&mut stretch.log, at_ms, (log, committed))?,
            None if begins => record::write_empty(&mut stretch.log, at_ms)?,
            None => return Ok(()),
        }
        if let Err(error) = stretch.log.sync_all() {
            // What is in it nobody knows: the next begins with the whole database.
            state.stretch = None;
            return Err(error);
        }
        state.last_ms = Some(at_ms);
        state.mark = committed.map(|(_, committed)| committed.mark).or(state.mark);
        Ok(())
    }

    /// Begins the next stretch where one is due; whether it did. The one before goes on while
    /// that cannot be.
    fn go_on(&self, state: &mut State, held: &Transaction<'_>) -> io::Result<bool> {
        // Behind all that is there, though the clock be put back: the latest name is what a moment
        // is looked for under first, and one that is taken would be written over.
        let next_ms = state.last_ms.unwrap_or_default() + 1;
        let now_ms = Utc::now().timestamp_millis().max(next_ms);
        let over = |stretch: &Stretch| now_ms - stretch.begun_ms >= STRETCH_MS;
        if !state.stretch.as_ref().is_none_or(over) {
            return Ok(false);
        }
        let begun = Instant::now();
        // To try in vain is most of a disk's time, so it is tried a tenth of it.
        if state.rests_until.is_some_and(|until| begun < until) {
            let goes_on = state.stretch.is_some();
            return if goes_on { Ok(false) } else { Err(io::Error::other("no room for a base")) };
        }
        match self.begin(now_ms, held) {
            Ok(next) => {
                (state.stretch, state.mark, state.rests_until) = (Some(next), None, None);
                state.last_ms = Some(now_ms);
            }
            Err(error) => {
                state.rests_until = Some(Instant::now() + begun.elapsed() * 10);
                return if state.stretch.is_some() { Ok(false) } else { Err(error) };
            }
        }
        if let Err(error) = self.retire(now_ms) {
            tracing::warn!(error = %error, "what the archive no longer reaches cannot be removed");
        }
        Ok(true)
    }

    /// Begins a stretch with the database as it is now. Of the log all is taken next that has not
    /// begun anew, so what of it the copy has already is no matter.
    fn begin(&self, now_ms: i64, held: &Transaction<'_>) -> io::Result<Stretch> {
        let name = DateTime::from_timestamp_millis(now_ms).unwrap_or_default().format(NAME);
        let folder = self.folder.join(name.to_string());
        let begun = self.begin_in(&folder, held);
        if begun.is_err() {
            // What could not be begun takes no room; what cannot be removed either is seen above.
            let _ = fs::remove_dir_all(&folder);
        }
        begun.map(|log| Stretch { begun_ms: now_ms, path: folder, log })
    }

    fn begin_in(&self, folder: &Path, held: &Transaction<'_>) -> io::Result<File> {
        file::private_folder(folder)?;
        packs::copy(&self.store, folder)?;
        let (part, base) = (folder.join("base.part"), folder.join(BASE));
        held.copy_pages_into(&part).map_err(io::Error::other)?;
        sync(&part)?;
        let mut options = OpenOptions::new();
        options.mode(0o600).create(true).truncate(true).read(true).write(true);
        let log = options.open(folder.join(LOG))?;
        fs::rename(&part, &base)?;
        sync(&base)?;
        sync(folder)?;
        Ok(log)
    }

    /// Takes away what is older than the archive reaches: stretches whose next one is too.
    fn retire(&self, now_ms: i64) -> io::Result<()> {
        let reaches = now_ms - i64::from(self.days) * STRETCH_MS;
        let found = stretches(&self.folder)?;
        for (old, next) in found.iter().zip(found.iter().skip(1)) {
            if next.0 <= reaches {
                fs::remove_dir_all(&old.1)?;
            }
        }
        Ok(())
    }
}

/// Every stretch, by when it began.
fn stretches(folder: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let begun = NaiveDateTime::parse_from_str(&name, NAME);
        if let Ok(begun) = begun
            && path.join(BASE).exists()
        {
            found.push((begun.and_utc().timestamp_millis(), path));
        }
    }
    found.sort();
    Ok(found)
}

/// The last moment of an archive, in milliseconds since 1970; 0 if it is empty.
fn last_moment(folder: &Path) -> io::Result<i64> {
    let found = if folder.exists() { stretches(folder)? } else { Vec::new() };
    let Some((begun, path)) = found.last() else { return Ok(0) };
    let log = match File::open(path.join(LOG)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(*begun),
        opened => opened?,
    };
    Ok(record::span(&log)?.map_or(*begun, |(_, last)| last.max(*begun)))
}

/// From when to when an archive reaches, in milliseconds since 1970; `None` if it is empty.
///
/// # Errors
/// [`StoreError::Folder`] if it cannot be read.
pub fn span(folder: &Path) -> Result<Option<(i64, i64)>, StoreError> {
    let mut whole: Option<(i64, i64)> = None;
    if !folder.exists() {
        return Ok(None);
    }
    for (_, path) in stretches(folder).map_err(StoreError::Folder)? {
        let log = File::open(path.join(LOG)).map_err(StoreError::Folder)?;
        if let Some((first, last)) = record::span(&log).map_err(StoreError::Folder)? {
            whole = Some((whole.map_or(first, |whole| whole.0), last));
        }
    }
    Ok(whole)
}

/// Lays a store into a new folder as it was at a moment; when what is in it was archived.
///
/// # Errors
/// [`StoreError::Unknown`] if the archive does not reach that moment, [`StoreError::Folder`].
pub fn lay(archive: &Path, at_ms: i64, to: &Path) -> Result<i64, StoreError> {
    let found = stretches(archive).map_err(StoreError::Folder)?;
    for (_, path) in found.iter().rev() {
        let laid = lay_stretch(path, at_ms, to).map_err(StoreError::Folder)?;
        if let Some(laid) = laid {
            return Ok(laid);
        }
    }
    Err(StoreError::Unknown)
}

fn lay_stretch(stretch: &Path, at_ms: i64, to: &Path) -> io::Result<Option<i64>> {
    let log = File::open(stretch.join(LOG))?;
    if record::span(&log)?.is_none_or(|(first, _)| first > at_ms) {
        return Ok(None);
    }
    file::private_folder(to)?;
    packs::copy(stretch, to)?;
    let laid = file::database(to);
    fs::copy(stretch.join(BASE), &laid)?;
    let database = OpenOptions::new().write(true).open(&laid)?;
    let reached = record::apply(&log, at_ms, &database)?;
    sync(&laid)?;
    Ok(reached)
}
