//! The store as its callers see it, on real files in folders of their own and with a real server.

// The same tests run where rows lie in a file and where they lie with a server.
#![allow(clippy::duplicate_mod)]

mod archive;
mod cache;
mod carry;
pub(crate) mod house;
mod on_a_file;
mod plans;
pub(crate) mod rows;
mod server;
pub(crate) mod stage;
mod with_a_server;

use std::path::Path;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::identity::{Indexed, Keys};
use crate::translate::{Claim, Form};
use crate::vocabulary::{
    Dataset, ElementId, Entrance, Fault, Field, Group, GroupName, Identifier, IdentifierKind,
    Position, Source, Value,
};

const MASTER: [u8; 32] = [7; 32];

/// What stands for a checkpoint here: the chained digest of all entries so far.
fn chain() -> Seal {
    Box::new(Chain::default())
}

#[derive(Default)]
struct Chain {
    heads: Vec<[u8; 32]>,
}

impl Chain {
    fn add(&mut self, entry: &[u8]) {
        let before = self.heads.last().copied().unwrap_or_default();
        self.heads.push(Sha256::new().chain_update(before).chain_update(entry).finalize().into());
    }
}

impl Sealing for Chain {
    fn seal(&mut self, first: u64, entries: &[&[u8]]) -> Option<Sealed> {
        // A number seen before: what came since did not happen.
        self.heads.resize(usize::try_from(first).unwrap(), [0; 32]);
        entries.iter().for_each(|entry| self.add(entry));
        let checkpoint = self.heads.last()?.to_vec();
        Some(Sealed { checkpoint, tiles: Vec::new() })
    }

    fn follow(&mut self, ledger: LedgerView<'_>, size: u64) -> bool {
        self.heads.clear();
        let entries = ledger.entries(0, usize::try_from(size).unwrap()).unwrap();
        entries.iter().for_each(|entry| self.add(&entry.bytes));
        let last = ledger.checkpoint().unwrap().map(|last| last.bytes);
        last == self.heads.last().map(|head| head.to_vec())
    }
}

/// The checkpoint [`chain`] must have made over these.
fn head<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let first = [0_u8; 32];
    let chained = entries.into_iter().fold(first, |before, entry| {
        Sha256::new().chain_update(before).chain_update(entry).finalize().into()
    });
    chained.to_vec()
}

fn indexed(kind: IdentifierKind, value: &str) -> Indexed {
    let token = Keys::derive(&MASTER).token(&Identifier::new(kind, value)).unwrap();
    Indexed { token, kind, at: Some(Position::Pointer(format!("/{}", kind.as_str()))) }
}

fn local(number: u64) -> Indexed {
    indexed(IdentifierKind::Local, &format!("local-{number}"))
}

/// An invented resident of that running number.
fn citizen(number: u64) -> Indexed {
    indexed(IdentifierKind::CitizenId, &format!("110105491231{number:03}"))
}

fn source(name: &str) -> Source {
    Source::parse(name).unwrap()
}

fn record(text: &str) -> Record {
    let field = Field {
        element: ElementId::parse("DE02.01.039.00").unwrap(),
        value: Value::Text(text.to_owned()),
        at: None,
    };
    let name = GroupName::parse("record").unwrap();
    Record {
        dataset: Dataset::parse("admission").unwrap(),
        source: source("hospital-a"),
        time: None,
        groups: vec![Group { name, parent: None, fields: vec![field] }],
        carried: Vec::new(),
        wire: None,
        mappings: "test".to_owned(),
    }
}

fn apply(text: &str, identifiers: Vec<Indexed>) -> Proposed {
    let record = Box::new(record(text));
    Proposed::Apply {
        record,
        veiled: None,
        identifiers,
        merge_from: Vec::new(),
        claim: Claim::Merged,
        entry: None,
        documents: Vec::new(),
        wishes: Vec::new(),
    }
}

/// ADT^A40: `old` is the same person as `new`.
fn merge(new: Vec<Indexed>, old: Vec<Indexed>) -> Proposed {
    let entry: WriteEntry = Box::new(|change, persons| row(&said(change, persons), None, None));
    let record = Box::new(record("merge"));
    Proposed::Apply {
        record,
        veiled: None,
        identifiers: new,
        merge_from: old,
        claim: Claim::Merged,
        entry: Some(entry),
        documents: Vec::new(),
        wishes: Vec::new(),
    }
}

/// What stands for the entry of a change of identity here.
fn said(change: Change, persons: &[PersonId]) -> String {
    let word = match change {
        Change::Linked => "link",
        Change::Merged => "merge",
        Change::Moved => "move",
        Change::Parted => "part",
        Change::Said => "said",
    };
    format!("{word} {persons:?}")
}

fn quarantine() -> Proposed {
    Proposed::Quarantine(Reason { fault: Fault::RequiredMissing, at: Some(Position::Byte(3)) })
}

fn refuse() -> Proposed {
    Proposed::Refuse(Reason { fault: Fault::Malformed, at: None })
}

/// A message whose bytes are `control_id` and `text`.
fn arrival(control_id: &str, text: &str, proposed: Proposed) -> Arrival {
    let raw = Bytes::from(format!("MSH|{control_id}|{text}"));
    Arrival {
        source: source("hospital-a"),
        control_id: control_id.to_owned(),
        digest: Sha256::digest(&raw).into(),
        received_at_ms: 1_795_000_000_000,
        raw,
        form: Form::Hl7v2,
        entrance: Entrance::Mllp,
        mappings: "test".to_owned(),
        mark: None,
        proposed,
    }
}

/// Keeps a message of its own number that says `text` about one person.
async fn keep(store: &Store, text: &str, identifiers: Vec<Indexed>) -> Kept {
    store.keep(arrival(text, text, apply(text, identifiers))).await.unwrap()
}

/// What is tried again under the guard of the mappings.
fn retrial(guard: Guard) -> Retrial {
    let (mappings, at_ms) = ("test".to_owned(), 1_795_000_000_000);
    Retrial { guard, mappings, at_ms, entry: 0, rerun: None }
}

fn row(text: &str, person: Option<&str>, department: Option<&str>) -> LedgerRow {
    LedgerRow {
        bytes: Bytes::from(text.to_owned()),
        person: person.map(|name| crate::identity::Pseudonym(name.to_owned())),
        department: department.map(|name| crate::vocabulary::Department::parse(name).unwrap()),
        at_ms: 1_795_000_000_000,
    }
}

/// What the records of a person say, newest first.
async fn texts(store: &Store, person: PersonId) -> Vec<String> {
    let records = store.records(person, 100).await.unwrap();
    let values = records.iter().flat_map(|(record, _)| record.fields());
    let text = |field: &Field| match &field.value {
        Value::Text(text) => text.clone(),
        _ => String::new(),
    };
    values.map(text).collect()
}

/// Takes the steps of the schema after 16 back.
const WITHOUT_TURNS: &str = "
    DROP TABLE turn; DROP TABLE change; DROP TABLE lease;
    DROP TABLE owed; DROP TABLE departed;
    DROP TABLE ledger_word; DROP TABLE worded;
    CREATE TABLE ledger_department (department TEXT NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (department, number)) STRICT, WITHOUT ROWID;";

/// Makes of a file of schema 4 one of schema 3, where a person was whoever had a number.
const WITHOUT_ENTRIES: &str = "
    DROP TABLE trait; DROP TABLE pair; DROP TABLE assertion; DROP TABLE proposal;
    DROP TABLE weights; DROP TABLE indexed; DROP TABLE outbox; DROP TABLE enrolment;
    DROP TABLE generation; DROP TABLE moved; DROP TABLE opinion; DROP TABLE asked;
    DROP TABLE ticket;
    DROP INDEX record_word; ALTER TABLE record DROP COLUMN word;
    DROP TABLE batch; DROP TABLE batch_part; DROP TABLE statistic;
    DROP TABLE tile; DROP TABLE cosignature; DROP TABLE retired; DROP TABLE preserved;
    DROP TABLE sink; DROP TABLE rerun; DROP TABLE lifting; DROP TABLE saved_search;
    DROP INDEX journal_source; DROP INDEX journal_why; DROP TABLE outcome;
    ALTER TABLE journal DROP COLUMN entrance; ALTER TABLE journal DROP COLUMN mappings;
    CREATE TABLE old (token BLOB PRIMARY KEY, person INTEGER NOT NULL, kind TEXT NOT NULL,
        journal INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT OR IGNORE INTO old SELECT token, person, kind, journal FROM identifier;
    DROP TABLE identifier; ALTER TABLE old RENAME TO identifier;
    CREATE INDEX identifier_person ON identifier (person);
    DROP INDEX person_generation; ALTER TABLE person DROP COLUMN generation;
    ALTER TABLE person DROP COLUMN veil;
    ALTER TABLE person DROP COLUMN source; ALTER TABLE person DROP COLUMN mark;
    ALTER TABLE person DROP COLUMN seen; ALTER TABLE person DROP COLUMN traits;
    DROP TABLE policy; DROP TABLE policy_proposal; DROP TABLE policy_acceptance;
    DROP TABLE master; DROP TABLE rekeying;
    PRAGMA user_version = 3;";

/// Makes the file of a folder as the build before keys rotated left it: empty, and under the
/// first master key alone.
fn before_rotations(folder: &TempDir) {
    let file = sql::sqlite::open(&file::database(folder.path())).unwrap();
    file.set("page_size", sql::sqlite::PAGE_BYTES.cast_signed()).unwrap();
    file.set("journal_mode", "wal").unwrap();
    schema::words()[..10].iter().for_each(|step| file.execute_batch(step).unwrap());
    file.set("user_version", 10).unwrap();
    prove(&file);
}

/// Puts a file back into the schema that [`WITHOUT_ENTRIES`] says.
fn put_back(file: &sql::Connection) {
    file.execute_batch(WITHOUT_TURNS).unwrap();
    file.execute_batch(WITHOUT_ENTRIES).unwrap();
    prove(file);
}

fn prove(file: &sql::Connection) {
    let (keys, mut sealed) = (StoreKeys::of_master(&MASTER).unwrap(), Vec::new());
    keys.seal(seal::Place::proof(), b"kangqiao", &mut sealed).unwrap();
    file.execute("INSERT INTO proof VALUES (?1)", [sealed]).unwrap();
}

/// A connection to the rows of a store, past it.
fn raw(store: &Store) -> sql::Connection {
    store.base.reader(&store.settings).unwrap()
}

/// Every byte of every file of the folder. Read by another process: closing a
/// database file here would drop SQLite's locks on it.
fn bytes_on_disk(folder: &Path) -> Vec<u8> {
    let find = std::process::Command::new("find")
        .arg(folder)
        .args(["-type", "f", "-exec", "cat", "{}", "+"])
        .output();
    find.unwrap().stdout
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Copies the folder as a crash would leave it: database and log, no lock, no memory.
fn wreck(folder: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    // The log last: it may hold more than the database knows, never less.
    for name in ["kangqiao.db", "kangqiao.db-wal"] {
        let copied = std::process::Command::new("cp")
            .args([folder.path().join(name), copy.path().join(name)])
            .status();
        assert!(copied.unwrap().success());
    }
    copy
}
