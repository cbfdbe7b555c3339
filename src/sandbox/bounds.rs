//! What a process is to be left: folders and ports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What names are resolved by, and libraries that the resolver loads when it is first asked.
const SYSTEM: &[&str] = &[
    "/dev/null",
    "/dev/urandom",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/lib",
    "/lib64",
    "/run/nscd",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/usr/lib",
    "/usr/lib64",
];
/// DNS over TCP, for answers that are too long for UDP (RFC 7766).
const DNS: u16 = 53;

/// What a process is to be left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Folders and files it may read.
    pub reads: BTreeSet<PathBuf>,
    /// Folders it may read and change.
    pub writes: BTreeSet<PathBuf>,
    /// Ports it may listen on.
    pub listens: BTreeSet<u16>,
    /// Ports it may connect to.
    pub connects: BTreeSet<u16>,
}

/// What lies outside of bounds that stand already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Outside {
    /// A folder it may not change.
    #[error("{0}: is outside of what the sandbox lets it change")]
    Change(PathBuf),
    /// A port it may not connect to.
    #[error("port {0}: is none of those the sandbox lets it connect to")]
    Port(u16),
    /// A folder it may not read.
    #[error("{0}: is outside of what the sandbox lets it read")]
    Read(PathBuf),
}

impl Default for Bounds {
    /// What every process needs that resolves names.
    fn default() -> Self {
        Self {
            reads: SYSTEM.iter().map(PathBuf::from).collect(),
            writes: BTreeSet::new(),
            listens: BTreeSet::new(),
            connects: BTreeSet::from([DNS]),
        }
    }
}

impl Bounds {
    /// A folder to read.
    pub fn read(&mut self, folder: &Path) {
        self.reads.insert(real(folder));
    }

    /// A folder to change.
    pub fn change(&mut self, folder: &Path) {
        self.writes.insert(real(folder));
    }

    /// A file to read: its folder, since a file that is replaced is another one; and the folder
    /// it really lies in, if it is a link.
    pub fn read_file(&mut self, file: &Path) {
        self.reads.insert(real(holding(file)));
        if let Ok(target) = file.canonicalize() {
            self.reads.insert(holding(&target).to_owned());
        }
    }

    /// A file to replace.
    pub fn change_file(&mut self, file: &Path) {
        self.read_file(file);
        self.change(holding(file));
    }

    /// Whether everything a change of configuration asks for is within these.
    ///
    /// # Errors
    /// [`Outside`], the first that is not.
    pub fn hold(&self, wanted: &Self) -> Result<(), Outside> {
        let below = |path: &Path, folders: &BTreeSet<PathBuf>| {
            path.ancestors().any(|folder| folders.contains(folder))
        };
        let changes = |path: &&PathBuf| !below(path, &self.writes);
        if let Some(path) = wanted.writes.iter().find(changes) {
            return Err(Outside::Change(path.clone()));
        }
        let reads = |path: &&PathBuf| !below(path, &self.reads) && !below(path, &self.writes);
        if let Some(path) = wanted.reads.iter().find(reads) {
            return Err(Outside::Read(path.clone()));
        }
        match wanted.connects.difference(&self.connects).next() {
            Some(port) => Err(Outside::Port(*port)),
            None => Ok(()),
        }
    }
}

/// The folder a file lies in.
fn holding(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a path really leads; what is not there yet is named as it is.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
