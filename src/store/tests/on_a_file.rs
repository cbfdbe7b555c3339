//! What holds of a store wherever its rows lie, tried on a file.

/// What holds of a file alone.
macro_rules! file_alone {
    ($($what:item)*) => { $($what)* };
}

use super::*;

/// How often an invented story is told.
const fn cases(many: u32) -> u32 {
    many
}

fn settings(folder: &Path) -> Settings {
    Settings::of(folder)
}

pub fn open(folder: &TempDir) -> Store {
    Store::open(settings(folder.path()), &MASTER, chain()).unwrap()
}

/// One store: a file is held by one.
fn open_all(folders: &[TempDir]) -> Vec<Store> {
    vec![open(&folders[0])]
}

#[path = "batch.rs"]
mod batch;
#[path = "failure.rs"]
mod failure;
#[path = "identity.rs"]
mod identity;
#[path = "journal.rs"]
mod journal;
#[path = "keep.rs"]
mod keep;
#[path = "law.rs"]
mod law;
#[path = "ledger.rs"]
mod ledger;
#[path = "moved.rs"]
mod moved;
#[path = "outbox.rs"]
mod outbox;
#[path = "persons.rs"]
mod persons;
#[path = "policies.rs"]
mod policies;
#[path = "rekey.rs"]
mod rekey;
#[path = "rerun.rs"]
mod rerun;
#[path = "rotation.rs"]
mod rotation;
#[path = "saved.rs"]
mod saved;
#[path = "trace.rs"]
mod trace;
