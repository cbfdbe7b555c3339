//! What the layer of faults wrote down: every change of a file, every sync, in their order.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Bytes before each step's own.
const HEAD: usize = 32;

/// One thing that happened below the gateway's folder. A node is a file or folder by its inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'r> {
    /// A path leads to a node, made by this or there before.
    Opened { node: u64, made: bool, path: &'r Path },
    /// Bytes were written at a place.
    Wrote { node: u64, at: usize, bytes: &'r [u8] },
    /// A file has this length from now on.
    Cut { node: u64, length: usize },
    /// A sync was begun.
    Begun { node: u64, token: u64 },
    /// It went through: what was written before it began is on the disk.
    Durable { token: u64 },
    /// It failed: nobody knows what is on the disk, and the system counts it as written.
    Failed { token: u64 },
    /// A file has another name.
    Renamed { from: &'r Path, to: &'r Path },
    /// A name is gone.
    Unlinked { path: &'r Path },
    /// A folder was made.
    Folder { path: &'r Path },
}

/// The whole record.
pub struct Record(Vec<u8>);

/// A change, and how long the record was with it.
pub type Step<'r> = (u64, Change<'r>);

impl Record {
    /// Reads what was written so far.
    pub fn read(path: PathBuf) -> Self {
        Self(std::fs::read(path).unwrap())
    }

    /// All of it, in order. The last may be half there, where the process was killed.
    pub fn steps(&self) -> Vec<Step<'_>> {
        let (mut steps, mut rest, mut end) = (Vec::new(), &self.0[..], 0);
        while let Some((change, used)) = step(rest) {
            rest = &rest[used..];
            end += used as u64;
            steps.push((end, change));
        }
        steps
    }
}

fn step(rest: &[u8]) -> Option<(Change<'_>, usize)> {
    let (head, rest) = rest.split_at_checked(HEAD)?;
    let mut numbers = head.chunks(8).map(|eight| u64::from_le_bytes(eight.try_into().unwrap()));
    let mut number = || numbers.next().unwrap();
    let (kind, node, place, length) = (number(), number(), number(), number() as usize);
    let bytes = rest.get(..length)?;
    let path = |bytes| Path::new(OsStr::from_bytes(bytes));
    let change = match kind {
        1 => Change::Opened { node, made: place != 0, path: path(bytes) },
        2 => Change::Wrote { node, at: place as usize, bytes },
        3 => Change::Cut { node, length: place as usize },
        4 => Change::Begun { node, token: place },
        5 => Change::Durable { token: place },
        6 => Change::Failed { token: place },
        7 => {
            let zero = bytes.iter().position(|byte| *byte == 0).unwrap();
            Change::Renamed { from: path(&bytes[..zero]), to: path(&bytes[zero + 1..]) }
        }
        8 => Change::Unlinked { path: path(bytes) },
        9 => Change::Folder { path: path(bytes) },
        _ => panic!("the record holds a step of kind {kind}"),
    };
    Some((change, HEAD + length))
}
