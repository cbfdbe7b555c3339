//! `make bench-identity`, second part: one more record against an index of a million people.
//!
//! The embedded store with everything on: journal, sealed record, tokens, judged pairs, one
//! commit. Beside it, in the same run, what a message of an entry costs that is known and
//! says nothing new. `KANGQIAO_INDEX_PERSONS` sets how many people.
#![allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot measure stops"
)]

#[path = "identity/population.rs"]
mod population;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kangqiao::identity::{Indexed, Keys};
use kangqiao::store::{Arrival, LedgerView, Proposed, Sealed, Sealing, Settings, Store};
use kangqiao::translate::{Claim, Form};
use kangqiao::vocabulary::value::Composite;
use kangqiao::vocabulary::{
    Coding, Dataset, Date, ElementId, Entrance, Field, Group, GroupName, Identifier,
    IdentifierKind, Record, Source, Value,
};
use population::{Rates, households};
use serde_json::json;

const MASTER: [u8; 32] = [7; 32];
/// Records under way at once while the index is filled.
const UNDER_WAY: usize = 512;
/// Records that are timed.
const TIMED: usize = 2_000;

/// Keeps entries without a proof of them: none is looked at.
struct Unproven;

impl Sealing for Unproven {
    fn seal(&mut self, _: u64, _: &[&[u8]]) -> Option<Sealed> {
        Some(Sealed { checkpoint: Vec::new(), tiles: Vec::new() })
    }

    fn follow(&mut self, _: LedgerView<'_>, _: u64) -> bool {
        true
    }
}

fn main() {
    let people = std::env::var("KANGQIAO_INDEX_PERSONS").ok().and_then(|text| text.parse().ok());
    let people: usize = people.unwrap_or(1_000_000);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = || Settings { folder: folder.path().to_owned(), ..Settings::default() };
    let open = || Store::open(settings(), &MASTER, Box::new(Unproven)).unwrap();
    let keys = Keys::derive(&MASTER);

    let rates = Rates::default();
    let records =
        |seed, people| households(seed, people, &rates).flat_map(|household| household.records);
    let store = Arc::new(open());
    let began = Instant::now();
    let filled = runtime.block_on(fill(&store, &keys, records(41, people)));
    let filling = began.elapsed();

    let mut timed: Vec<_> = records(42, TIMED).take(TIMED).collect();
    // Other people than those that are there, in sources of the same names.
    timed.iter_mut().for_each(|record| record.local_id.insert(0, 'T'));
    let new = runtime.block_on(time(&store, &keys, &timed, "new"));
    let known = runtime.block_on(time(&store, &keys, &timed, "known"));
    let peak = peak_kib();
    drop(store);
    let began = Instant::now();
    drop(open());
    let restart = began.elapsed();

    let at = |times: &[Duration], share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times[index.min(times.len() - 1)].as_secs_f64() * 1000.0
    };
    let report = json!({
        "people": people, "entries": filled,
        "filled_per_second": filled as f64 / filling.as_secs_f64(),
        "new_record_ms": { "p50": at(&new, 0.5), "p99": at(&new, 0.99) },
        "known_record_ms": { "p50": at(&known, 0.5), "p99": at(&known, 0.99) },
        "new_beside_known_p50": at(&new, 0.5) / at(&known, 0.5),
        "memory_peak_mib": peak / 1024,
        "restart_ms": restart.as_secs_f64() * 1000.0,
    });
    println!("{report:#}");
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    std::fs::write(format!("{target}/index.json"), format!("{report:#}\n")).unwrap();
}

async fn fill(
    store: &Arc<Store>,
    keys: &Keys,
    records: impl Iterator<Item = population::Record>,
) -> usize {
    let mut under_way = tokio::task::JoinSet::new();
    let mut filled = 0;
    for record in records {
        if under_way.len() >= UNDER_WAY {
            under_way.join_next().await.unwrap().unwrap();
        }
        let (store, arrival) = (Arc::clone(store), arrival(keys, &record, &format!("f{filled}")));
        under_way.spawn(async move {
            store.keep(arrival).await.unwrap();
        });
        filled += 1;
        if filled % 100_000 == 0 {
            eprintln!("{filled} entries");
        }
    }
    while let Some(done) = under_way.join_next().await {
        done.unwrap();
    }
    filled
}

/// One record after the other, each as long as its sender waits for it.
async fn time(
    store: &Store,
    keys: &Keys,
    records: &[population::Record],
    name: &str,
) -> Vec<Duration> {
    let mut times = Vec::with_capacity(records.len());
    for (number, record) in records.iter().enumerate() {
        let arrival = arrival(keys, record, &format!("{name}{number}"));
        let began = Instant::now();
        store.keep(arrival).await.unwrap();
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times
}

fn arrival(keys: &Keys, record: &population::Record, control_id: &str) -> Arrival {
    let authority = Some(record.source.clone());
    let local =
        Identifier { authority, ..Identifier::new(IdentifierKind::Local, &record.local_id) };
    let mut named = vec![local];
    let numbers = [
        (IdentifierKind::CitizenId, &record.id_no),
        (IdentifierKind::HealthCard, &record.health_card_no),
    ];
    for (kind, number) in numbers {
        // What fails its check never comes this far: it is quarantined.
        let identifier = Identifier::new(kind, number);
        if !number.is_empty() && identifier.normalised().is_ok() {
            named.push(identifier);
        }
    }
    let identifiers = named.iter().map(|identifier| {
        let (kind, token) = keys.indexed(identifier).unwrap();
        Indexed { token, kind, at: None }
    });
    let identifiers = identifiers.collect();
    let raw = Bytes::from(format!("MSH|^~\\&|{control_id}|{}", "x".repeat(1_000)));
    let mut digest = [0; 32];
    digest[..control_id.len().min(32)].copy_from_slice(control_id.as_bytes());
    Arrival {
        source: Source::parse(&record.source).unwrap(),
        control_id: control_id.to_owned(),
        digest,
        received_at_ms: 1_795_000_000_000,
        raw,
        form: Form::Hl7v2,
        entrance: Entrance::Mllp,
        mappings: String::new(),
        mark: None,
        proposed: Proposed::Apply {
            record: Box::new(said(record, named)),
            veiled: None,
            identifiers,
            merge_from: Vec::new(),
            claim: Claim::Merged,
            entry: None,
            documents: Vec::new(),
            wishes: Vec::new(),
        },
    }
}

/// The record a message of these demographics becomes.
fn said(from: &population::Record, named: Vec<Identifier>) -> Record {
    let sex = match from.sex.as_str() {
        "1" | "M" | "男" => "1",
        "2" | "F" | "女" => "2",
        _ => "0",
    };
    let coding = Coding { code: Some(sex.to_owned()), display: None, original: None };
    let mut fields = vec![
        ("DE02.01.039.00", Value::Name(Composite::line(&from.name))),
        ("DE02.01.040.00", Value::Code(coding)),
        ("DE02.01.010.00", Value::Telecom(Composite::line(&from.phone))),
        ("MZ.address.home", Value::Address(Composite::line(&from.address))),
    ];
    if let Ok(date) = Date::parse_iso(&from.birth_date) {
        fields.push(("DE02.01.005.01", Value::Date(date)));
    }
    fields.extend(named.into_iter().map(|number| ("MZ.id.local", Value::Identifier(number))));
    let field = |(element, value): (&str, Value)| Field {
        element: ElementId::parse(element).unwrap(),
        value,
        at: None,
    };
    let name = GroupName::parse("record").unwrap();
    Record {
        dataset: Dataset::parse("admission").unwrap(),
        source: Source::parse(&from.source).unwrap(),
        time: None,
        groups: vec![Group { name, parent: None, fields: fields.into_iter().map(field).collect() }],
        carried: Vec::new(),
        wire: None,
        mappings: "bench".to_owned(),
    }
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
}
