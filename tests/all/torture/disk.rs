//! The disk as a power cut may leave it: what was synced, and of the rest whatever chance kept.
//!
//! Harsher than most disks: a name is on the disk once its folder is synced and not before, a
//! write that was not synced may be there, torn between its sectors, or not, whatever became of
//! those before it; and what a failed sync was about may be lost though the system still shows it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::record::Change;

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;
/// A page of SQLite in its log, with its head, in bytes.
const FRAME: usize = 4096 + 24;

/// Numbers that come again with their seed: splitmix64.
#[derive(Debug, Clone, Copy)]
pub struct Dice(pub u64);

impl Dice {
    /// The next.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of so many, from 0.
    pub fn of(&mut self, count: usize) -> usize {
        (self.roll() % count.max(1) as u64) as usize
    }
}

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manner {
    /// All of it is there, as after a kill.
    All,
    /// Whatever was written first, the last of it torn.
    Early,
    /// Nothing of it is there.
    None,
    /// Some writes are there whole, others are not.
    Some,
    /// Each sector is as it was at some moment since.
    Torn,
}

impl Manner {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::All, Self::Early, Self::None, Self::Some, Self::Torn];
}

/// What of a run is passed over, as if disk or gateway had not done it: what must be noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deaf {
    /// Nothing.
    No,
    /// That a start writes the log anew: the only writes of it that are longer than a frame.
    Renewal,
    /// Syncs of files that end so.
    To(&'static str),
    /// Syncs of folders.
    ToFolders,
    /// Syncs of files in a folder of that name.
    Within(&'static str),
    /// One record of each stretch of the archive.
    Gap,
    /// That a later stretch of it begins with the database of its own time.
    Stale,
}

/// A change of a file that was not synced yet.
struct Loose<'r> {
    what: Bytes<'r>,
    /// A sync of it failed: no later one brings it to the disk.
    forgotten: bool,
}

enum Bytes<'r> {
    At(usize, &'r [u8]),
    Cut(usize),
}

#[derive(Default)]
struct Contents<'r> {
    durable: Vec<u8>,
    loose: Vec<Loose<'r>>,
}

/// A change of a name that was not synced yet.
enum Naming<'r> {
    Made(&'r Path, Node),
    Renamed(&'r Path, &'r Path),
    Gone(&'r Path),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder,
}

/// What a sync is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target<'r> {
    File(usize),
    Folder(&'r Path),
}

/// Everything below the root, as the record tells it up to some step.
pub struct Disk<'r> {
    root: &'r Path,
    deaf: Deaf,
    dice: Dice,
    files: Vec<Contents<'r>>,
    nodes: HashMap<u64, (Node, &'r Path)>,
    names: BTreeMap<PathBuf, Node>,
    loose: BTreeMap<PathBuf, Vec<Naming<'r>>>,
    /// Syncs under way, and how much of what is loose was there when they began.
    syncing: HashMap<u64, (Target<'r>, usize)>,
}

impl<'r> Disk<'r> {
    /// An empty folder.
    pub fn new(root: &'r Path, deaf: Deaf, seed: u64) -> Self {
        let (files, nodes, names, loose, syncing) = Default::default();
        Self { root, deaf, dice: Dice(seed), files, nodes, names, loose, syncing }
    }

    /// Takes one step.
    pub fn step(&mut self, change: Change<'r>) {
        match change {
            Change::Opened { node, made, path } => self.open(node, made, path),
            Change::Wrote { node, at, bytes } => self.loosen(node, Bytes::At(at, bytes)),
            Change::Cut { node, length } => self.loosen(node, Bytes::Cut(length)),
            Change::Begun { node, token } => self.begin(node, token),
            Change::Durable { token } => self.settle(token),
            Change::Failed { token } => self.forget(token),
            Change::Renamed { from, to } => self.name(to, Naming::Renamed(from, to)),
            Change::Unlinked { path } => self.name(path, Naming::Gone(path)),
            Change::Folder { path } => self.name(path, Naming::Made(path, Node::Folder)),
        }
    }

    fn open(&mut self, node: u64, made: bool, path: &'r Path) {
        if made {
            self.files.push(Contents::default());
            let file = Node::File(self.files.len() - 1);
            self.nodes.insert(node, (file, path));
            self.name(path, Naming::Made(path, file));
        } else {
            // What was there before the record is a folder, or is never changed.
            self.nodes.entry(node).or_insert((Node::Folder, path)).1 = path;
        }
    }

    fn name(&mut self, path: &Path, naming: Naming<'r>) {
        let folder = path.parent().unwrap().to_owned();
        self.loose.entry(folder).or_default().push(naming);
    }

    fn loosen(&mut self, node: u64, what: Bytes<'r>) {
        let long = matches!(what, Bytes::At(_, bytes) if bytes.len() > FRAME);
        if let Some((Node::File(file), path)) = self.nodes.get(&node) {
            if self.deaf == Deaf::Renewal && long && path.to_string_lossy().ends_with("-wal") {
                return;
            }
            self.files[*file].loose.push(Loose { what, forgotten: false });
        }
    }

    fn begin(&mut self, node: u64, token: u64) {
        let Some((node, path)) = self.nodes.get(&node) else { return };
        let (target, count, deaf) = match *node {
            Node::File(file) => {
                let path = path.to_string_lossy();
                let deaf = match self.deaf {
                    Deaf::To(end) => path.ends_with(end),
                    Deaf::Within(folder) => path.contains(folder),
                    _ => false,
                };
                (Target::File(file), self.files[file].loose.len(), deaf)
            }
            Node::Folder => {
                let count = self.loose.get(*path).map_or(0, Vec::len);
                (Target::Folder(path), count, self.deaf == Deaf::ToFolders)
            }
        };
        if !deaf {
            self.syncing.insert(token, (target, count));
        }
    }

    fn settle(&mut self, token: u64) {
        let Some((target, count)) = self.syncing.remove(&token) else { return };
        match target {
            Target::File(file) => {
                let Contents { durable, loose } = &mut self.files[file];
                for one in loose.drain(..count).filter(|one| !one.forgotten) {
                    apply(durable, &one.what, |_| true);
                }
            }
            Target::Folder(path) => {
                let loose = self.loose.entry(path.to_owned()).or_default();
                loose.drain(..count).for_each(|naming| rename(&mut self.names, &naming));
            }
        }
        // Those under way count from what is left.
        let same = self.syncing.values_mut().filter(|(other, _)| *other == target);
        same.for_each(|(_, left)| *left = left.saturating_sub(count));
    }

    fn forget(&mut self, token: u64) {
        let Some((Target::File(file), count)) = self.syncing.remove(&token) else { return };
        for one in self.files[file].loose.iter_mut().take(count) {
            // A change of the length alone is the file system's own, and is not lost so.
            one.forgotten |= matches!(one.what, Bytes::At(..)) && self.dice.of(3) > 0;
        }
    }

    /// What is there after a power cut now: every file below the root that has a name and is
    /// wanted.
    pub fn image(
        &self,
        (manner, wanted): (Manner, fn(&Path) -> bool),
        dice: &mut Dice,
    ) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut names = self.names.clone();
        for loose in self.loose.values() {
            let kept = match manner {
                Manner::All => loose.len(),
                Manner::None => 0,
                Manner::Early | Manner::Some | Manner::Torn => dice.of(loose.len() + 1),
            };
            loose[..kept].iter().for_each(|naming| rename(&mut names, naming));
        }
        let reached = |path: &Path| {
            let above = path.ancestors().skip(1).take_while(|above| *above != self.root);
            above.into_iter().all(|above| names.contains_key(above))
        };
        let files = names.iter().filter(|(path, _)| reached(path) && wanted(path));
        files
            .filter_map(|(path, node)| match node {
                Node::File(file) => {
                    let bytes = left(&self.files[*file], manner, dice);
                    Some((path.strip_prefix(self.root).unwrap().to_owned(), bytes))
                }
                Node::Folder => None,
            })
            .collect()
    }
}

fn rename(names: &mut BTreeMap<PathBuf, Node>, naming: &Naming<'_>) {
    match *naming {
        Naming::Made(path, node) => drop(names.insert(path.to_owned(), node)),
        Naming::Renamed(from, to) => {
            if let Some(node) = names.remove(from) {
                names.insert(to.to_owned(), node);
            }
        }
        Naming::Gone(path) => drop(names.remove(path)),
    }
}

/// Writes what of a change a sector may have.
fn apply(file: &mut Vec<u8>, what: &Bytes<'_>, keeps: impl Fn(usize) -> bool) {
    match *what {
        Bytes::Cut(length) => file.resize(length, 0),
        Bytes::At(at, bytes) => {
            let mut done = 0;
            while done < bytes.len() {
                let here = at + done;
                let until = bytes.len().min(done + SECTOR - here % SECTOR);
                if keeps(here / SECTOR) {
                    if file.len() < at + until {
                        file.resize(at + until, 0);
                    }
                    file[here..at + until].copy_from_slice(&bytes[done..until]);
                }
                done = until;
            }
        }
    }
}

/// What is left of a file.
fn left(contents: &Contents<'_>, manner: Manner, dice: &mut Dice) -> Vec<u8> {
    let mut file = contents.durable.clone();
    let (count, salt) = (contents.loose.len(), dice.roll());
    let (early, cuts) = (dice.of(count + 1), dice.of(count + 1));
    // Behind a cut that is not on the disk nothing can be that was written after it.
    let mut bar = usize::MAX;
    for (number, Loose { what, forgotten }) in contents.loose.iter().enumerate() {
        if *forgotten && dice.of(4) > 0 || manner == Manner::None {
            continue;
        }
        if let Bytes::Cut(length) = *what {
            let kept = match manner {
                Manner::All => true,
                Manner::Early => number < early,
                _ => number < cuts,
            };
            match kept {
                true => file.resize(length, 0),
                false if length < file.len() => bar = bar.min(length),
                false => (),
            }
            continue;
        }
        let whole = dice.of(2) == 0;
        apply(&mut file, what, |sector| {
            let mut own = Dice(salt ^ (sector as u64).wrapping_mul(0x9e37_79b9));
            (sector + 1) * SECTOR <= bar
                && match manner {
                    Manner::All => true,
                    Manner::Early if number == early => own.of(2) == 0,
                    Manner::Early => number < early,
                    Manner::None => false,
                    Manner::Some => whole,
                    Manner::Torn => number < own.of(count + 1),
                }
        });
    }
    file
}
