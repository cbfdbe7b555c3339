//! The layer of faults beneath the real binary, from this side; the other is
//! `tests/faults/faults.c`.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::ROOT;

/// A number of the page that both sides map, by its place; `struct control` has their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dial {
    Recording,
    Swift,
    SyncErrno,
    SyncPasses,
    SyncMs,
    WriteErrno,
    WritePasses,
    ClockMs,
    Syncs,
    Writes,
    Tripped,
    Only,
}

/// Numbers on the page.
const DIALS: usize = 12;
/// `EIO`, `ENOSPC` and `EROFS` of Linux.
pub const BROKEN: i64 = 5;
pub const FULL: i64 = 28;
pub const READ_ONLY: i64 = 30;
/// Values of [`Dial::Only`].
pub const LOG_ALONE: i64 = 1;
pub const DATABASE_ALONE: i64 = 2;

/// What one gateway is made to suffer.
pub struct Faults {
    folder: TempDir,
    control: File,
}

impl Faults {
    /// A layer that does nothing yet.
    pub fn new() -> Self {
        // The record is long: memory, where there is some.
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => TempDir::with_prefix_in("kangqiao-faults-", memory).unwrap(),
            false => TempDir::with_prefix("kangqiao-faults-").unwrap(),
        };
        let page = folder.path().join("control");
        std::fs::write(&page, [0; DIALS * 8]).unwrap();
        let control = OpenOptions::new().read(true).write(true).open(page).unwrap();
        std::fs::write(folder.path().join("log"), []).unwrap();
        Self { folder, control }
    }

    /// Turns a dial; it holds from the next call of the gateway on.
    pub fn turn(&self, dial: Dial, to: i64) {
        self.control.write_all_at(&to.to_le_bytes(), dial as u64 * 8).unwrap();
    }

    /// What a dial shows.
    pub fn shows(&self, dial: Dial) -> i64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, dial as u64 * 8).unwrap();
        i64::from_le_bytes(bytes)
    }

    /// Where what happened is written down.
    pub fn record(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// How long the record is now: whatever the gateway has answered so far lies before.
    pub fn mark(&self) -> u64 {
        std::fs::metadata(self.record()).unwrap().len()
    }

    /// What puts it beneath a process that works below a folder.
    pub fn beneath(&self, root: &Path) -> [(&'static str, PathBuf); 3] {
        [
            ("LD_PRELOAD", library().to_owned()),
            ("KANGQIAO_FAULTS", self.folder.path().to_owned()),
            ("KANGQIAO_FAULTS_ROOT", root.to_owned()),
        ]
    }
}

/// The layer as the system loads it, compiled once a run.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (path, own) =
            (folder.join("faults.so"), folder.join(format!("faults-{}.so", std::process::id())));
        let mut command = Command::new("cc");
        command.args(["-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&own);
        command.arg(Path::new(ROOT).join("tests/faults/faults.c")).args(["-ldl", "-lpthread"]);
        assert!(command.status().is_ok_and(|ended| ended.success()), "a C compiler, cc");
        // Another run may be loading the one that is there.
        std::fs::rename(own, &path).unwrap();
        path
    };
    BUILT.get_or_init(build)
}
