//! `make bench`, the batches: rows a second of one batch beside single inquiries about the same
//! people, from the cache and not, in the same run.
//!
//! Durability, decision and ledger are on: each row is decided and entered as an inquiry is. The
//! list is enrolled, brought and checked before; how long that takes is told too.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot measure stops"
)]

#[allow(dead_code, reason = "a benchmark needs less of it than the tests do")]
#[path = "../tests/all/rig/mod.rs"]
mod rig;

use std::path::Path;
use std::time::Instant;

use kangqiao_conformance::https::Reply;
use rig::message::Resident;
use rig::{CLERK, Rig, at, until};
use serde_json::{Value, json};

/// Connections that ask single questions.
const CONNECTIONS: usize = 16;
/// People asked about one by one.
const SINGLE: usize = 4_000;

const LIST: &str = r#"
[[subscription]]
name = "payees"
department = "civil-affairs"
role = "clerk"
purpose = "contract-status"
"#;

fn main() {
    let rows = std::env::var("KANGQIAO_BENCH_ROWS").ok().and_then(|text| text.parse().ok());
    let rows: usize = rows.unwrap_or(20_000);
    let rig = Rig::prepare(LIST);
    rig.resume();
    let elders: Vec<Resident> = (0..rows).map(|_| Resident::new()).collect();
    let strangers: Vec<Resident> = (0..SINGLE.min(rows)).map(|_| Resident::new()).collect();
    rig.enrols("payees", elders.iter().map(|elder| (&*elder.citizen, &*elder.local)));
    let (id, checked) = bring(&rig, &elders);
    let cold = answered(&rig, &id, rows);
    let warm = answered(&rig, &id, rows);
    let single_cold = singles(&rig, &strangers);
    let single_warm = singles(&rig, &strangers);
    let (_, peak) = rig.memory_kib();
    println!("\n{rows} rows kept and checked at {checked:.0}/s");
    println!("answered, not cached: batch {cold:.0}/s, single {single_cold:.0}/s");
    println!("answered, cached: batch {warm:.0}/s, single {single_warm:.0}/s");
    let ratio = warm / single_warm;
    println!("a row costs 1/{ratio:.2} of an inquiry; highest memory {} MiB", peak / 1024);
    let report = json!({
        "rows": rows, "connections": CONNECTIONS,
        "checked_per_second": checked.round(),
        "batch_rows_per_second": { "not_cached": cold.round(), "cached": warm.round() },
        "single_per_second": { "not_cached": single_cold.round(), "cached": single_warm.round() },
        "ratio": { "not_cached": cold / single_cold, "cached": ratio },
        "memory_kib_highest": peak,
    });
    let path = Path::new(rig::ROOT).join("target/batch.json");
    std::fs::write(&path, format!("{report:#}\n")).unwrap();
    println!("written to {}", path.display());
}

fn ask(rig: &Rig, line: &str, (headers, body): (&str, &[u8])) -> Reply {
    let (host, length) = (at(rig.ports.https), body.len());
    let head =
        format!("{line} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {length}\r\n\r\n");
    rig.https(CLERK).ask(&[head.as_bytes(), body].concat()).unwrap()
}

/// Brings a batch; how many rows a second were kept and checked.
fn bring(rig: &Rig, elders: &[Resident]) -> (String, f64) {
    let row = |elder: &Resident| format!("{},citizen-id,{}\n", elder.local, elder.citizen);
    let rows: String = elders.iter().map(row).collect();
    let body = format!("reference,kind,value\n{rows}");
    let headers = "kangqiao-purpose: contract-status\r\ncontent-type: text/csv\r\n";
    let begun = Instant::now();
    let reply = ask(rig, "POST /v1/batches", (headers, body.as_bytes()));
    assert_eq!(reply.status, 202);
    let id = reply.json()["batch"].as_str().unwrap().to_owned();
    until("the rows are checked", || {
        let standing = ask(rig, &format!("GET /v1/batches/{id}"), ("", b"")).json();
        (standing["state"] == "ready").then_some(())
    });
    (id, elders.len() as f64 / begun.elapsed().as_secs_f64())
}

/// Answers a second of the whole batch.
fn answered(rig: &Rig, id: &str, rows: usize) -> f64 {
    let begun = Instant::now();
    let reply = ask(rig, &format!("GET /v1/batches/{id}/answers"), ("", b""));
    assert_eq!(reply.body.iter().filter(|byte| **byte == b'\n').count(), rows);
    rows as f64 / begun.elapsed().as_secs_f64()
}

/// Single inquiries a second about the same people.
fn singles(rig: &Rig, elders: &[Resident]) -> f64 {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for some in elders.chunks(elders.len().div_ceil(CONNECTIONS)) {
            scope.spawn(move || {
                let mut link = rig.https(CLERK);
                for elder in some {
                    let identifier: Value = json!({ "kind": "citizen-id", "value": elder.citizen });
                    let body = json!({ "identifier": identifier, "purpose": "contract-status" });
                    let body = body.to_string();
                    let reply = link.post("/v1/inquiries", "application/json", body.as_bytes());
                    assert_eq!(reply.unwrap().status, 200);
                }
            });
        }
    });
    elders.len() as f64 / begun.elapsed().as_secs_f64()
}
