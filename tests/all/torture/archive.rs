//! Whether an archive holds every moment it says it has, after a cut and after the start that
//! follows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use kangqiao::store::archive::lay;

use super::disk::Deaf;
use super::judge::{Judge, Said, wrong};
use super::record::{Change, Step};

/// How each record of an archive begins: these bytes, its moment, the pages of the database, and
/// how many of them follow.
const MAGIC: &[u8] = b"kangqiao";
/// Bytes of that, of a page with its number, and of the digest behind all.
const HEAD: usize = 24;
const PAGE: usize = 4100;
const SUM: usize = 32;

/// What was committed, taken into the archive.
#[derive(Debug, Clone, Copy)]
pub struct Take {
    /// The moment it is said to be of.
    at_ms: i64,
    /// Where in the record it was synced: what was told before was committed before the next one
    /// began.
    synced: u64,
}

/// Whether a path is that of an archive's records.
fn is_log(path: &Path) -> bool {
    path.ends_with("log") && is_archived(path)
}

/// Whether a path lies in the archive.
pub fn is_archived(path: &Path) -> bool {
    path.to_string_lossy().contains("/archive/")
}

/// Everything that a run has taken into its archive, in order.
pub fn takes(steps: &[Step<'_>]) -> Vec<Take> {
    let (mut logs, mut written, mut syncs) = (HashSet::new(), HashMap::new(), HashMap::new());
    let mut takes = Vec::new();
    for (until, change) in steps {
        match change {
            Change::Opened { node, path, .. } if is_log(path) => {
                logs.insert(*node);
            }
            Change::Wrote { node, bytes, .. } if logs.contains(node) => {
                if let Some(moment) = bytes.strip_prefix(MAGIC).and_then(|rest| rest.get(..8)) {
                    written.insert(*node, i64::from_be_bytes(moment.try_into().unwrap()));
                }
            }
            Change::Begun { node, token } if logs.contains(node) => {
                syncs.insert(*token, *node);
            }
            Change::Durable { token } => {
                let at_ms = syncs.remove(token).and_then(|node| written.remove(&node));
                takes.extend(at_ms.map(|at_ms| Take { at_ms, synced: *until }));
            }
            _ => (),
        }
    }
    takes
}

/// Lays what the archive beside a store has of a moment, or of all, and judges that by what was
/// known at another.
fn holds(judge: &Judge, folder: &Path, (at_ms, known): (i64, u64)) -> Said<()> {
    let place = tempfile::tempdir_in(folder).unwrap();
    let config = std::fs::read_to_string(folder.join("kangqiao.toml")).unwrap();
    // Nothing is taken into the archive from here.
    let config = config.replace("archive = \"archive\"\n", "");
    std::fs::write(place.path().join("kangqiao.toml"), config).unwrap();
    crate::rig::copy(&folder.join("keys"), &place.path().join("keys"));
    let laid = lay(&folder.join("archive"), at_ms, &place.path().join("data"));
    laid.map_err(|error| wrong("archive", error))?;
    judge.judge(place.path(), known)
}

/// Judges the archive of a store that was cut off at a moment of the record and has been started
/// since: by one of all moments it had then, and by the newest.
pub fn judge(
    judge: &Judge,
    folder: &Path,
    (takes, cut, chance): (&[Take], u64, usize),
) -> Said<()> {
    let before = takes.partition_point(|take| take.synced <= cut);
    if before >= 2 {
        // The newest, of which most must be there, as often as any.
        let one = if chance % 2 == 0 { before - 1 } else { 1 + chance / 2 % (before - 1) };
        let (take, known) = (takes[one], takes[one - 1].synced);
        let held = holds(judge, folder, (take.at_ms, known));
        held.map_err(|why| format!("archive, {one} of {before} before the cut: {why}"))?;
    }
    let held = holds(judge, folder, (i64::MAX, cut));
    held.map_err(|why| format!("archive, after the start: {why}"))
}

/// Spoils the archive of an image as a gateway would that forgets: one record in the middle of
/// each stretch, or what came before it, so that a later stretch goes on from the first one's base.
pub fn spoil(image: &mut BTreeMap<PathBuf, Vec<u8>>, deaf: Deaf) {
    let of = |image: &BTreeMap<PathBuf, _>, end: &str| -> Vec<PathBuf> {
        let here = |path: &&PathBuf| path.starts_with("archive") && path.ends_with(end);
        image.keys().filter(here).cloned().collect()
    };
    match deaf {
        Deaf::Gap => of(image, "log").iter().for_each(|log| {
            without_one(image.get_mut(log).unwrap());
        }),
        Deaf::Stale => {
            let bases = of(image, "base.db");
            let Some(first) = bases.first().map(|base| image[base].clone()) else { return };
            bases.iter().skip(1).for_each(|base| drop(image.insert(base.clone(), first.clone())));
        }
        _ => (),
    }
}

/// Takes the record in the middle out of a log.
fn without_one(log: &mut Vec<u8>) {
    let (mut records, mut at) = (Vec::new(), 0);
    while let Some(head) = log.get(at..at + HEAD).filter(|head| head.starts_with(MAGIC)) {
        let count = u32::from_be_bytes(head[20..24].try_into().unwrap()) as usize;
        let length = HEAD + count * PAGE + SUM;
        if at + length > log.len() {
            break;
        }
        records.push(at..at + length);
        at += length;
    }
    if records.len() > 2 {
        log.drain(records.swap_remove(records.len() / 2));
    }
}
