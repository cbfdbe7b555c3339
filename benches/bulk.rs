//! `make bench-bulk`: a batch of a million messages in one frame, and a start with a million
//! notices waiting.
//!
//! Everything is switched on. The floor of the batch is a bare append of the same bytes to the
//! same disk, as many of them in one sync as the gateway takes at once. Then the batch comes again
//! about elders whose department is not there, and the gateway is started with all that waits.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot measure stops"
)]

#[allow(dead_code, reason = "a benchmark needs less of it than the others do")]
mod load;
#[allow(dead_code, reason = "a benchmark needs less of it than the tests do")]
#[path = "../tests/all/rig/mod.rs"]
mod rig;

use std::io::{BufWriter, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use load::mllp::{self, Template};
use rig::{Rig, at, free_port};
use serde_json::json;

/// Messages of the batch, unless the environment says another number.
const MESSAGES: usize = 1_000_000;
/// Residents they are about.
const RESIDENTS: usize = 2_000;
/// How many the gateway takes at once.
const TOGETHER: usize = 30;

fn main() {
    let count = std::env::var("KANGQIAO_BULK_MESSAGES").ok().and_then(|text| text.parse().ok());
    let count = count.unwrap_or(MESSAGES);
    let rig = Rig::prepare(&subscription(free_port()));
    rig.resume();
    let messages = mllp::messages(2 * RESIDENTS);
    let (idle, _) = rig.memory_kib();
    let took = batch(&rig, &messages[..RESIDENTS], count);
    let rate = count as f64 / took.as_secs_f64();
    let (_, highest) = rig.memory_kib();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let span = Duration::from_secs(6);
    let floor = runtime.block_on(load::bare(rig.path(), &messages, TOGETHER, span)).rate();
    println!("\na batch of {count} messages: {rate:.0}/s, {:.0} s", took.as_secs_f64());
    println!("bare append, {TOGETHER} at once: {floor:.0}/s, ratio {:.3}", rate / floor);
    println!("memory MiB: idle {}, highest {}", idle / 1024, highest / 1024);

    let admissions: Vec<_> = messages.into_iter().step_by(2).collect();
    rig.enrols("payments", admissions.iter().map(|one| (&*one.citizen, &*one.citizen)));
    batch(&rig, &admissions, count);
    rig.stop();
    let waiting = rig.stored("SELECT count(*) FROM outbox");
    let begun = Instant::now();
    rig.resume();
    let start = begun.elapsed();
    let (again, _) = rig.memory_kib();
    println!(
        "{waiting} notices waiting: start to ready {} ms, {} MiB",
        start.as_millis(),
        again / 1024
    );
    let report = json!({
        "messages": count, "per_second": rate.round(), "bare_append_per_second": floor.round(),
        "ratio": rate / floor, "memory_kib": { "idle": idle, "highest": highest },
        "waiting": {
            "notices": waiting, "start_ms": start.as_millis() as u64, "memory_kib": again,
        },
    });
    let path = Path::new(rig::ROOT).join("target/bulk.json");
    std::fs::write(&path, format!("{report:#}\n")).unwrap();
    println!("written to {}", path.display());
}

/// Nobody listens there.
fn subscription(port: u16) -> String {
    format!(
        r#"
[[subscription]]
name = "payments"
department = "civil-affairs"
role = "clerk"
purpose = "subsidy-eligibility"
events = ["long-stay"]
url = "https://127.0.0.1:{port}/notices"
tls = {{ authority = "certs/ca.pem", certificate = "certs/gateway.pem", key = "certs/gateway.key" }}
"#
    )
}

/// One batch in one frame; how long until the last of it was acknowledged.
fn batch(rig: &Rig, messages: &[Template], count: usize) -> Duration {
    let socket = TcpStream::connect(at(rig.ports.mllp)).unwrap();
    let mut answers = socket.try_clone().unwrap();
    let reads = std::thread::spawn(move || {
        let (mut accepted, mut held, mut piece) = (0, Vec::new(), vec![0; 65_536]);
        loop {
            let read = answers.read(&mut piece).unwrap();
            assert!(read > 0, "the gateway closed the connection");
            held.extend_from_slice(&piece[..read]);
            accepted += held.windows(7).filter(|here| here == b"\rMSA|AA").count();
            if held.ends_with(&[0x1C, 0x0D]) {
                return accepted;
            }
            // What may be the beginning of the next.
            held.drain(..held.len().saturating_sub(6));
        }
    });
    let begun = Instant::now();
    let mut out = BufWriter::with_capacity(65_536, socket);
    out.write_all(b"\x0BBHS|^~\\&|HIS|HOSP-A|KANGQIAO|MZ|20261001||||B1\r").unwrap();
    let mut framed = Vec::new();
    for message in messages.iter().cycle().take(count) {
        framed.clear();
        message.write_anew(&mut framed);
        out.write_all(&framed[1..framed.len() - 2]).unwrap();
    }
    out.write_all(format!("BTS|{count}\r\x1C\r").as_bytes()).unwrap();
    out.flush().unwrap();
    assert_eq!(reads.join().unwrap(), count, "not all were accepted");
    begun.elapsed()
}
