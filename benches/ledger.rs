//! `make bench-ledger`: a ledger of a million entries, verified, searched, looked at, proven and
//! restarted; then served by the real gateway, and every page of it read by an auditor.
//!
//! The embedded store with its signed checkpoints and tiles, one fsync a commit. Beside the
//! verification, in the same run, what hashing the same bytes costs, and beside a ledger with one
//! key one with a second, by SM2. `KANGQIAO_LEDGER_ENTRIES` sets how many entries; ten million
//! take 9 GB beside the build. `KANGQIAO_LEDGER_KEPT` names a folder where the ledger stays and is
//! found by the next run.
#![allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot measure stops"
)]

#[allow(dead_code, unused_imports, reason = "a benchmark needs less of it than the tests do")]
#[path = "../tests/all/console.rs"]
mod console;
#[path = "ledger/generated.rs"]
mod generated;
#[path = "ledger/pages.rs"]
mod pages;
#[allow(dead_code, reason = "a benchmark needs less of it than the tests do")]
#[path = "../tests/all/rig/mod.rs"]
mod rig;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use generated::{entry, person};
use kangqiao::audit::doubt::{Arrived, Doubting};
use kangqiao::audit::{self, Hash, Signers, SigningKey, Signs};
use kangqiao::command::ledger::Reading;
use kangqiao::flow::doubts::Look;
use kangqiao::flow::{proof, seek};
use kangqiao::policy::{AskedAgain, Bulk, Doubts};
use kangqiao::store::{LedgerFile, LedgerRow, LedgerSearch, Settings, Store};
use serde_json::json;
use tokio::runtime::Runtime;

const MASTER: [u8; 32] = [7; 32];
/// Entries under way at once while the ledger is filled.
const UNDER_WAY: u64 = 1024;
/// The name of the ledger, as the gateway that serves it has it.
const NAME: &str = "kangqiao.test.example";
/// Entries of the ledgers that are filled by one key and by two.
const BESIDE: u64 = 50_000;
/// Proofs and searches that are timed.
const TIMED: u64 = 2_000;

fn main() {
    let entries = std::env::var("KANGQIAO_LEDGER_ENTRIES").ok().and_then(|text| text.parse().ok());
    let entries: u64 = entries.unwrap_or(1_000_000);
    let runtime = Runtime::new().unwrap();
    let rig = rig::Rig::prepare("");
    let (keys, data) = (rig.path().join("keys"), rig.path().join("data"));
    if let Some(kept) = std::env::var_os("KANGQIAO_LEDGER_KEPT").map(std::path::PathBuf::from) {
        for (at, name) in [(&keys, "keys"), (&data, "data")] {
            std::fs::create_dir_all(kept.join(name)).unwrap();
            std::os::unix::fs::symlink(kept.canonicalize().unwrap().join(name), at).unwrap();
        }
    }
    std::fs::create_dir_all(&keys).unwrap();
    let key = keys.join("ledger.key");
    if !key.exists() {
        SigningKey::create(&key, NAME, Signs::Checkpoints).unwrap();
        master(&keys.join("master.key"));
    }
    let public = SigningKey::load(&key, NAME, Signs::Checkpoints).unwrap().public().clone();

    let by_sm2 = by_sm2(&runtime, &key, entries.min(BESIDE));
    let filled = filled(&runtime, (&key, &data), entries);
    let (store, restart) = open(&key, &data);
    drop(store);

    let reading = Reading::open(&Settings::of(&data)).unwrap();
    let began = Instant::now();
    let report = audit::verify(&public, reading.kept(), reading.checkpoints(), &[]).unwrap();
    let verifying = began.elapsed();
    // One that was kept has what was entered of the looks of before besides.
    assert!(report.entries >= entries);
    let began = Instant::now();
    let bytes: u64 = reading.entries().map(|(_, bytes)| hashed(&bytes)).sum();
    let hashing = began.elapsed();

    drop(reading);
    let looked = looked(&data, entries);
    let began = Instant::now();
    rig.resume();
    let serving = began.elapsed();
    let followed = pages::followed(&rig, entries);
    let pages = pages::read(&rig, entries);
    rig.stop();

    let mut report = json!({
        "entries": entries,
        "file_bytes": std::fs::metadata(data.join("kangqiao.db")).unwrap().len(),
        "bytes_each": bytes / report.entries,
        "verified_s": verifying.as_secs_f64(),
        "verified_beside_hashing": verifying.as_secs_f64() / hashing.as_secs_f64(),
        "restart_ms": restart.as_secs_f64() * 1000.0,
        "by_sm2": by_sm2,
        "start_to_ready_ms": serving.as_secs_f64() * 1000.0,
        "words_s": followed,
        "pages_ms": pages,
    });
    report.as_object_mut().unwrap().extend(filled.into_iter().chain(looked));
    println!("{report:#}");
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    std::fs::write(format!("{target}/ledger.json"), format!("{report:#}\n")).unwrap();
    let missed = pages::missed(&report["pages_ms"]);
    if !missed.is_empty() {
        eprintln!("MISSED: over one second: {}", missed.join("; "));
        std::process::exit(1);
    }
}

/// Fills a ledger with what it lacks; how fast, if it lacked anything.
fn filled(
    runtime: &Runtime,
    (key, data): (&Path, &Path),
    entries: u64,
) -> serde_json::Map<String, serde_json::Value> {
    let store = Arc::new(open(key, data).0);
    let there = runtime.block_on(store.ledger_size()).unwrap();
    let began = Instant::now();
    runtime.block_on(fill(&store, there..entries));
    let filling = began.elapsed();
    // The search tables follow the ledger at leisure; no gateway writes so fast for so long.
    let began = Instant::now();
    while projected(data) < entries {
        std::thread::sleep(Duration::from_millis(50));
    }
    let projecting = began.elapsed();
    let found = (there < entries).then(|| {
        json!({
            "appended_per_second": (entries - there) as f64 / filling.as_secs_f64(),
            "search_tables_s": projecting.as_secs_f64(),
        })
    });
    found.and_then(|found| found.as_object().cloned()).unwrap_or_default()
}

/// What a command finds in the file, and how long it takes.
fn looked(data: &Path, entries: u64) -> serde_json::Map<String, serde_json::Value> {
    let file = LedgerFile::open(&Settings::of(data)).unwrap();
    let numbers: Vec<u64> = (0..TIMED).map(|n| spread(n, entries)).collect();
    let bundle = timed(&numbers, |number| {
        file.look(|view| proof::bundle(view, number)).unwrap().unwrap().unwrap().write().len()
    });
    let receipt = timed(&numbers, |number| {
        let receipt = entry(number).receipt;
        let found = file.look(|view| seek::by_receipt(view, receipt)).unwrap().unwrap();
        found.map_or(0, |found| found.bytes.len())
    });
    let person = timed(&numbers, |number| {
        let (person, limit) = (Some(person(number)), 50);
        file.search(&LedgerSearch { person, limit, ..LedgerSearch::default() }).unwrap().len()
    });

    let mut look = Look::new(Doubting::new(&watched(), None, Box::new(|_, _| None), 0));
    let began = Instant::now();
    // One that was kept has what was entered of the looks of before besides.
    assert_eq!(file.look(|view| look.read(view, i64::MAX, 2 * entries)).unwrap().unwrap(), 0);
    let looking = began.elapsed();
    assert!(!look.doubting.found(i64::MAX, &Arrived::default()).is_empty());
    let found = json!({
        "proof_ms": bundle,
        "entry_of_a_receipt_ms": receipt,
        "entries_about_a_person_ms": person,
        "looked_for_doubts_s": looking.as_secs_f64(),
    });
    found.as_object().unwrap().clone()
}

/// The store as the gateway opens it, and how long the ledger alone took.
fn open(key: &Path, data: &Path) -> (Store, Duration) {
    opened((key, None), data)
}

/// The same, with a second key or without.
fn opened((key, sm2): (&Path, Option<&Path>), data: &Path) -> (Store, Duration) {
    let own = SigningKey::load(key, NAME, Signs::Checkpoints).unwrap();
    let load = |path| SigningKey::load(path, NAME, Signs::CheckpointsBySm2).unwrap();
    let signers = Signers { own, sm2: sm2.map(load) };
    let began = Instant::now();
    let sealer = match LedgerFile::open(&Settings::of(data)) {
        Ok(file) => file.look(|view| proof::sealer(view, signers)).unwrap().unwrap().0,
        Err(_) => audit::Sealer::restore(signers, audit::Edge::default(), None).unwrap(),
    };
    let took = began.elapsed();
    let settings = Settings { folder: data.to_owned(), ..Settings::default() };
    (Store::open(settings, &MASTER, proof::sealing(sealer)).unwrap(), took)
}

/// The master key where the gateway looks for it.
fn master(path: &Path) {
    std::fs::write(path, MASTER).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// What a second signature costs: many entries at once, and one after another, each time without
/// it and with it.
fn by_sm2(runtime: &Runtime, key: &Path, entries: u64) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let second = folder.path().join("sm2.key");
    SigningKey::create(&second, NAME, Signs::CheckpointsBySm2).unwrap();
    let [alone, both] = [None, Some(second.as_path())].map(|sm2| {
        let data = folder.path().join(if sm2.is_some() { "both" } else { "alone" });
        let store = Arc::new(opened((key, sm2), &data).0);
        let began = Instant::now();
        runtime.block_on(fill(&store, 0..entries));
        let rate = entries as f64 / began.elapsed().as_secs_f64();
        let numbers: Vec<u64> = (0..TIMED / 4).collect();
        let one = timed(&numbers, |number| {
            runtime.block_on(store.append(row(entries + number))).unwrap().checkpoint.len()
        });
        (rate, one)
    });
    json!({
        "appended_beside_one_key": both.0 / alone.0,
        "one_by_one_ms": { "one key": alone.1, "both": both.1 },
    })
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

/// The entry of a number as the store takes it.
fn row(number: u64) -> LedgerRow {
    let entry = entry(number);
    LedgerRow {
        bytes: Bytes::from(entry.to_bytes()),
        person: entry.person,
        department: entry.department,
        at_ms: entry.at_ms,
    }
}

/// Numbers all over a ledger, each another.
pub fn spread(count: u64, entries: u64) -> u64 {
    // A prime, so that none comes again before all have come.
    count * 1_000_003 % entries
}

async fn fill(store: &Arc<Store>, numbers: std::ops::Range<u64>) {
    let mut under_way = tokio::task::JoinSet::new();
    for number in numbers {
        if under_way.len() as u64 >= UNDER_WAY {
            under_way.join_next().await.unwrap().unwrap();
        }
        let (store, row) = (Arc::clone(store), row(number));
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
    let times = numbers.iter().map(|number| {
        let began = Instant::now();
        assert!(work(*number) > 0, "{number}");
        began.elapsed().as_secs_f64() * 1000.0
    });
    summary(times.collect())
}

/// The middle, the slow end and the slowest of times.
pub fn summary(mut times: Vec<f64>) -> serde_json::Value {
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    json!({ "p50": p50, "p99": p99, "slowest": times.last() })
}
