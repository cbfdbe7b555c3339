//! What holds of a store wherever its rows lie, tried with a server.

// What tests of a file alone use stands above them in the same files.
#![allow(unused_imports)]

macro_rules! file_alone {
    ($($what:item)*) => {};
}

use super::*;

/// Fewer: each read is a round trip, and what the stories are about is the same.
const fn cases(many: u32) -> u32 {
    many / 10
}

fn settings(folder: &Path) -> Settings {
    // Without a server, which was said, on a file again.
    if server::is_there() { server::settings(folder) } else { Settings::of(folder) }
}

fn open(folder: &TempDir) -> Store {
    Store::open(settings(folder.path()), &MASTER, chain()).unwrap()
}

/// Stores of as many gateways with the database of the first folder.
fn open_all(folders: &[TempDir]) -> Vec<Store> {
    let shared = settings(folders[0].path());
    let folders = &folders[..if server::is_there() { folders.len() } else { 1 }];
    let open = |folder: &TempDir| {
        let own = Settings { folder: folder.path().to_owned(), ..shared.clone() };
        Store::open(own, &MASTER, chain()).unwrap()
    };
    folders.iter().map(open).collect()
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
#[path = "rolling.rs"]
mod rolling;
#[path = "saved.rs"]
mod saved;
#[path = "session.rs"]
mod session;
#[path = "trace.rs"]
mod trace;
#[path = "ways.rs"]
mod ways;
