//! `make bench-ledger`: a ledger of a million entries, verified, searched, looked at, proven and
//! restarted.
//!
//! The embedded store with its signed checkpoints and tiles, one fsync a commit. Beside the
//! verification, in the same run, what hashing the same bytes costs. `KANGQIAO_LEDGER_ENTRIES` sets
//! how many entries.
#![allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot measure stops"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kangqiao::audit::doubt::{Arrived, Doubting};
use kangqiao::audit::{self, Entry, Hash, Kind, SigningKey, Signs};
use kangqiao::command::ledger::Reading;
use kangqiao::flow::doubts::Look;
use kangqiao::flow::{proof, seek};
use kangqiao::identity::Pseudonym;
use kangqiao::policy::{AskedAgain, Bulk, Doubts};
use kangqiao::store::{LedgerFile, LedgerRow, LedgerSearch, Settings, Store};
use kangqiao::vocabulary::{Department, Purpose, Role};
use serde_json::json;

const MASTER: [u8; 32] = [7; 32];
/// Entries under way at once while the ledger is filled.
const UNDER_WAY: usize = 1024;
/// Persons the entries are about, and departments that asked.
const PERSONS: u64 = 100_000;
const DEPARTMENTS: u64 = 12;
/// Proofs and searches that are timed.
const TIMED: u64 = 2_000;

fn main() {
    let entries = std::env::var("KANGQIAO_LEDGER_ENTRIES").ok().and_then(|text| text.parse().ok());
    let entries: u64 = entries.unwrap_or(1_000_000);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (key, data) = (folder.path().join("ledger.key"), folder.path().join("data"));
    let public = SigningKey::create(&key, "ledger", Signs::Checkpoints).unwrap().public().clone();

    let store = Arc::new(open(&key, &data).0);
    let began = Instant::now();
    runtime.block_on(fill(&store, entries));
    let filling = began.elapsed();
    // The search tables follow the ledger at leisure; no gateway writes so fast for so long.
    let began = Instant::now();
    while projected(&data) < entries {
        std::thread::sleep(Duration::from_millis(50));
    }
    let projecting = began.elapsed();
    drop(store);
    let (store, restart) = open(&key, &data);
    drop(store);

    let reading = Reading::open(&Settings::of(&data)).unwrap();
    let began = Instant::now();
    let report = audit::verify(&public, reading.kept(), reading.checkpoints(), &[]).unwrap();
    let verifying = began.elapsed();
    assert_eq!(report.entries, entries);
    let began = Instant::now();
    let bytes: u64 = reading.entries().map(|(_, bytes)| hashed(&bytes)).sum();
    let hashing = began.elapsed();

    let file = LedgerFile::open(&Settings::of(&data)).unwrap();
    let numbers: Vec<u64> = (0..TIMED).map(|n| n * 7919 % entries).collect();
    let bundle = timed(&numbers, |number| {
        file.look(|view| proof::bundle(view, number)).unwrap().unwrap().unwrap().write().len()
    });
    let receipt = timed(&numbers, |number| {
        let receipt = entry(number).receipt;
        let found = file.look(|view| seek::by_receipt(view, receipt)).unwrap().unwrap();
        found.map_or(0, |found| found.bytes.len())
    });
    let person = timed(&numbers, |number| {
        let (person, limit) = (entry(number).person, 50);
        file.search(&LedgerSearch { person, limit, ..LedgerSearch::default() }).unwrap().len()
    });

    let mut look = Look::new(Doubting::new(&watched(), None, Box::new(|_, _| None), 0));
    let began = Instant::now();
    assert_eq!(file.look(|view| look.read(view, i64::MAX, entries)).unwrap().unwrap(), 0);
    let looking = began.elapsed();
    assert!(!look.doubting.found(i64::MAX, &Arrived::default()).is_empty());

    let report = json!({
        "entries": entries,
        "bytes_each": bytes / entries,
        "appended_per_second": entries as f64 / filling.as_secs_f64(),
        "verified_s": verifying.as_secs_f64(),
        "looked_for_doubts_s": looking.as_secs_f64(),
        "verified_beside_hashing": verifying.as_secs_f64() / hashing.as_secs_f64(),
        "search_tables_s": projecting.as_secs_f64(),
        "restart_ms": restart.as_secs_f64() * 1000.0,
        "proof_ms": bundle,
        "entry_of_a_receipt_ms": receipt,
        "entries_about_a_person_ms": person,
    });
    println!("{report:#}");
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    std::fs::write(format!("{target}/ledger.json"), format!("{report:#}\n")).unwrap();
}

/// The store as the gateway opens it, and how long the ledger alone took.
fn open(key: &Path, data: &Path) -> (Store, Duration) {
    let key = SigningKey::load(key, "ledger", Signs::Checkpoints).unwrap();
    let began = Instant::now();
    let sealer = match LedgerFile::open(&Settings::of(data)) {
        Ok(file) => file.look(|view| proof::sealer(view, key)).unwrap().unwrap().0,
        Err(_) => audit::Sealer::restore(key, audit::Edge::default(), None).unwrap(),
    };
    let took = began.elapsed();
    let settings = Settings { folder: data.to_owned(), ..Settings::default() };
    (Store::open(settings, &MASTER, proof::sealing(sealer)).unwrap(), took)
}

/// What is looked for in one pass over all entries.
fn watched() -> Doubts {
    let bulk = Bulk { days: 28, factor: 5, floor: 30, except: Default::default() };
    let asked_again = AskedAgain { hours: 24, refusals: Default::default() };
    Doubts { days: 30, bulk: Some(bulk), asked_again: Some(asked_again), ..Doubts::default() }
}

/// How far the search tables have followed.
fn projected(data: &Path) -> u64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let file = rusqlite::Connection::open_with_flags(data.join("kangqiao.db"), flags).unwrap();
    let until = file.query_row("SELECT until FROM projected", [], |row| row.get::<_, i64>(0));
    u64::try_from(until.unwrap()).unwrap()
}

/// An entry as a disclosure makes it, of about its length.
fn entry(number: u64) -> Entry {
    let person = Pseudonym(format!("{:032x}", number % PERSONS));
    let department = Department::parse(&format!("department-{}", number % DEPARTMENTS)).ok();
    let at_ms = 1_795_000_000_000 + i64::try_from(number).unwrap() * 40;
    let mut random = [9; 16];
    random[8..].copy_from_slice(&number.to_be_bytes());
    let mut entry = Entry::new(Kind::Disclosure, at_ms, random);
    (entry.person, entry.department) = (Some(person), department);
    (entry.role, entry.purpose) = (Role::parse("clerk").ok(), Purpose::parse("living-check").ok());
    entry.answer_sha256 = Some(Hash::digest(&number.to_be_bytes()));
    entry.policy = Some("0123456789abcdef".repeat(4));
    entry.mappings = Some("fedcba9876543210".repeat(4));
    entry
}

async fn fill(store: &Arc<Store>, entries: u64) {
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..entries {
        if under_way.len() >= UNDER_WAY {
            under_way.join_next().await.unwrap().unwrap();
        }
        let (store, entry) = (Arc::clone(store), entry(number));
        let row = LedgerRow {
            bytes: Bytes::from(entry.to_bytes()),
            person: entry.person,
            department: entry.department,
            at_ms: entry.at_ms,
        };
        under_way.spawn(async move { drop(store.append(row).await.unwrap()) });
    }
    while let Some(done) = under_way.join_next().await {
        done.unwrap();
    }
}

/// What hashing an entry costs at least; its length, so that it is not left out.
fn hashed(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap() + u64::from(Hash::digest(bytes).as_bytes()[0] / 255)
}

/// How long each takes, in milliseconds.
fn timed(numbers: &[u64], work: impl Fn(u64) -> usize) -> serde_json::Value {
    let mut times: Vec<f64> = numbers
        .iter()
        .map(|number| {
            let began = Instant::now();
            assert!(work(*number) > 0, "{number}");
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    json!({ "p50": times[times.len() / 2], "p99": times[times.len() * 99 / 100] })
}
