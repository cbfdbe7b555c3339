//! 文件交换, folders in which other systems leave files: found, read whole, put away.
//!
//! ```text
//! folder/*.csv … ─ unchanged for a while ─▶ read ─▶ taken ─▶ rejects/ (if any) ─▶ done/
//! ```
//!
//! A file is put away last, by a rename: whatever stops before leaves it where it was, to be
//! read again, and what is behind the closure knows what it had taken. Nothing is followed
//! (no links, no folders), and names that begin with a dot or end in `.tmp`, `.part` or
//! `.filepart` are still being written. Knows no form, no row and no person.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::store::Sums;
use crate::vocabulary::Source;

/// Where files go that were taken.
const DONE: &str = "done";
/// Where files go that say what was not taken.
const REJECTS: &str = "rejects";
/// Endings of files that are still being written.
const UNFINISHED: &[&str] = &["tmp", "part", "filepart"];
/// Files looked at in one round; more wait.
const FILES_MAX: usize = 10_000;

/// One folder, `[[exchange]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name in the store, logs and metrics; never change it.
    pub name: String,
    /// Whose files these are: a `[[sender]]`.
    pub sender: Source,
    /// The folder. `done` and `rejects` are made in it.
    pub folder: PathBuf,
    /// How often it is looked at, milliseconds. Default 1,000.
    #[serde(default = "default_poll")]
    pub poll_ms: u64,
    /// How long a file must not have changed, milliseconds. Default 2,000.
    #[serde(default = "default_settle")]
    pub settle_ms: u64,
    /// Largest file, bytes; a larger one is put among the rejects. Default 64 MiB.
    #[serde(default = "default_bytes")]
    pub file_bytes_max: u64,
    /// Most units one file may hold. Default 100,000.
    #[serde(default = "default_units")]
    pub units_max: usize,
}

const fn default_poll() -> u64 {
    1_000
}
const fn default_settle() -> u64 {
    2_000
}
const fn default_bytes() -> u64 {
    64 * 1024 * 1024
}
const fn default_units() -> usize {
    100_000
}

/// A file that was found whole.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name, without folder.
    pub name: String,
    /// Its bytes; `None` if there are more than may be.
    pub bytes: Option<Bytes>,
}

/// What is to be left behind.
#[derive(Debug, Default)]
pub struct Left {
    /// A word that tells this file from another of its name.
    pub mark: String,
    /// What was not taken, in the form of the file, with the ending of its name.
    pub rejects: Option<(Vec<u8>, &'static str)>,
    /// What became of each unit, as JSON; none if that was written before.
    pub report: Option<Vec<u8>>,
    /// What became of its units.
    pub sums: Sums,
    /// Whether the file itself belongs to the rejects: nothing of it could be taken.
    pub whole: bool,
}

/// A future of what is to be left behind; `None` if the file must wait.
pub type Taking = Pin<Box<dyn Future<Output = Option<Left>> + Send>>;
/// Takes the units of a file.
pub type Door = Arc<dyn Fn(Found) -> Taking + Send + Sync>;
/// Notes that all of a file is taken, after what is left behind is written.
pub type Noting =
    Arc<dyn Fn(Found, Sums) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// What is behind a folder.
#[derive(Clone)]
pub struct Doors {
    /// Takes the units.
    pub take: Door,
    /// Notes the file.
    pub note: Noting,
}

/// What a file looked like when it was last seen.
type Seen = HashMap<PathBuf, (u64, SystemTime)>;

/// Serves one folder until it is told to stop; a file in hand is finished first.
pub async fn serve(settings: Settings, doors: Doors, stop: CancellationToken) {
    let mut seen = Seen::new();
    let pause = Duration::from_millis(settings.poll_ms.max(10));
    loop {
        if let Err(error) = round(&settings, &doors, (&mut seen, &stop)).await {
            let kind = error.kind();
            tracing::error!(exchange.name = settings.name, error.kind = %kind, "folder unusable");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => (),
        }
    }
}

async fn round(
    settings: &Settings,
    doors: &Doors,
    (seen, stop): (&mut Seen, &CancellationToken),
) -> io::Result<()> {
    for place in [DONE, REJECTS] {
        fs::create_dir_all(settings.folder.join(place))?;
    }
    let mut files = settled(settings, seen)?;
    // In the order of their names, which senders number.
    files.sort();
    for path in files {
        if stop.is_cancelled() {
            return Ok(());
        }
        let Some(found) = read(&path, settings.file_bytes_max)? else { continue };
        // Behind one that must wait none is taken: its units would come to stand behind theirs.
        let Some(left) = (doors.take)(found.clone()).await else { return Ok(()) };
        put_away(settings, doors, (&path, found, left)).await?;
    }
    Ok(())
}

/// Files that are as they were a round ago, and have been for a while.
fn settled(settings: &Settings, seen: &mut Seen) -> io::Result<Vec<PathBuf>> {
    let mut now_seen = Seen::new();
    let mut found = Vec::new();
    let now = SystemTime::now();
    for entry in fs::read_dir(&settings.folder)?.take(FILES_MAX) {
        let entry = entry?;
        let state = entry.metadata()?;
        let path = entry.path();
        if !state.is_file() || unfinished(&path) {
            continue;
        }
        let shape = (state.len(), state.modified()?);
        let quiet = now.duration_since(shape.1).unwrap_or_default();
        if seen.get(&path) == Some(&shape) && quiet >= Duration::from_millis(settings.settle_ms) {
            found.push(path.clone());
        }
        now_seen.insert(path, shape);
    }
    *seen = now_seen;
    Ok(found)
}

fn unfinished(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    name.is_none_or(|name| name.starts_with('.')) || UNFINISHED.contains(&ending)
}

/// `None` if it is gone meanwhile.
fn read(path: &Path, most: u64) -> io::Result<Option<Found>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    let whole = u64::try_from(bytes.len()).is_ok_and(|length| length <= most);
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_owned();
    Ok(Some(Found { name, bytes: whole.then(|| Bytes::from(bytes)) }))
}

/// Rejects, report, note, rename: in this order, so that a stop between any two of them
/// leaves a file that is taken again to the same end.
async fn put_away(
    settings: &Settings,
    doors: &Doors,
    (path, found, left): (&Path, Found, Left),
) -> io::Result<()> {
    let (stem, ending) = match found.name.rsplit_once('.') {
        Some((stem, ending)) => (stem, format!(".{ending}")),
        None => (found.name.as_str(), String::new()),
    };
    let marked = format!("{stem}.{}", left.mark);
    if let Some((bytes, ending)) = &left.rejects {
        let name = format!("{marked}.rejects.{ending}");
        write_whole(&settings.folder.join(REJECTS).join(name), bytes)?;
    }
    if let Some(report) = &left.report {
        let place = if left.whole { REJECTS } else { DONE };
        let name = format!("{marked}.report.json");
        write_whole(&settings.folder.join(place).join(name), report)?;
    }
    // A file that is noted is not looked into again: what is left of it must last before.
    for place in [REJECTS, DONE, ""] {
        sync(&settings.folder.join(place))?;
    }
    if !left.whole && !(doors.note)(found.clone(), left.sums).await {
        return Ok(());
    }
    let place = settings.folder.join(if left.whole { REJECTS } else { DONE });
    fs::rename(path, place.join(format!("{marked}{ending}")))?;
    sync(&place)?;
    sync(&settings.folder)
}

/// Makes the names in a folder last.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A file that is there whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("tmp");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn settings(folder: &Path) -> Settings {
        Settings {
            name: "city".to_owned(),
            sender: Source::fixed("city"),
            folder: folder.to_owned(),
            poll_ms: 10,
            settle_ms: 0,
            file_bytes_max: 8,
            units_max: 10,
        }
    }

    fn doors(taken: &Arc<Mutex<Vec<String>>>, note: bool) -> Doors {
        let taken = Arc::clone(taken);
        Doors {
            take: Arc::new(move |found: Found| {
                taken.lock().unwrap().push(found.name.clone());
                let rejects = Some((b"x".to_vec(), "csv"));
                let whole = found.bytes.is_none();
                let report = Some(b"{}".to_vec());
                let left = Left { mark: "m".to_owned(), rejects, report, whole, ..Left::default() };
                Box::pin(async move { Some(left) })
            }),
            note: Arc::new(move |_, _| Box::pin(std::future::ready(note))),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let files = entries.filter(|entry| entry.path().is_file());
        let mut names: Vec<_> =
            files.map(|entry| entry.file_name().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_file_is_taken_once_it_rests_and_is_put_away_last() {
        let folder = tempfile::tempdir().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (settings, stop) = (settings(folder.path()), CancellationToken::new());
        let mut seen = Seen::new();
        for name in ["b.csv", "a.csv", "c.tmp", ".d.csv", "long.csv"] {
            fs::write(folder.path().join(name), if name == "long.csv" { "123456789" } else { "1" })
                .unwrap();
        }
        fs::create_dir(folder.path().join("e.csv")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("f.csv")).unwrap();
        round(&settings, &doors(&taken, true), (&mut seen, &stop)).await.unwrap();
        assert!(taken.lock().unwrap().is_empty(), "seen once is not yet at rest");
        // One grows meanwhile.
        fs::write(folder.path().join("b.csv"), "12").unwrap();
        round(&settings, &doors(&taken, true), (&mut seen, &stop)).await.unwrap();
        assert_eq!(*taken.lock().unwrap(), ["a.csv", "long.csv"]);
        round(&settings, &doors(&taken, true), (&mut seen, &stop)).await.unwrap();
        assert_eq!(*taken.lock().unwrap(), ["a.csv", "long.csv", "b.csv"]);
        assert_eq!(names(folder.path()), [".d.csv", "c.tmp", "f.csv"]);
        let done = names(&folder.path().join(DONE));
        assert_eq!(done, ["a.m.csv", "a.m.report.json", "b.m.csv", "b.m.report.json"]);
        let rejects = names(&folder.path().join(REJECTS));
        assert!(rejects.contains(&"long.m.csv".to_owned()), "{rejects:?}");
    }

    #[tokio::test]
    async fn behind_a_file_that_must_wait_none_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (settings, stop) = (settings(folder.path()), CancellationToken::new());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let mut seen = Seen::new();
        for name in ["1.csv", "2.csv", "3.csv"] {
            fs::write(folder.path().join(name), "1").unwrap();
        }
        let mut waits = doors(&taken, true);
        let all = Arc::clone(&waits.take);
        waits.take = Arc::new(move |found: Found| match found.name.as_str() {
            "2.csv" => Box::pin(std::future::ready(None)),
            _ => all(found),
        });
        for _ in 0..3 {
            round(&settings, &waits, (&mut seen, &stop)).await.unwrap();
        }
        assert_eq!(*taken.lock().unwrap(), ["1.csv"]);
        round(&settings, &doors(&taken, true), (&mut seen, &stop)).await.unwrap();
        assert_eq!(*taken.lock().unwrap(), ["1.csv", "2.csv", "3.csv"]);
    }

    #[tokio::test]
    async fn a_file_that_could_not_be_noted_stays_and_is_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (settings, stop) = (settings(folder.path()), CancellationToken::new());
        let mut seen = Seen::new();
        fs::write(folder.path().join("a.csv"), "1").unwrap();
        for note in [false, false, false, true] {
            round(&settings, &doors(&taken, note), (&mut seen, &stop)).await.unwrap();
        }
        assert_eq!(taken.lock().unwrap().len(), 3);
        assert!(names(folder.path()).is_empty());
        // What is left behind has the same names each time, so it is there once.
        assert_eq!(names(&folder.path().join(REJECTS)), ["a.m.rejects.csv"]);
    }
}
