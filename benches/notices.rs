//! `make bench`, the notices: how long one takes from the acknowledgement of a death to its
//! receiver, and how fast a queue drains once a receiver that was down is back.
//!
//! Durability, decision and ledger are on; each notice is a signed entry before it leaves. The
//! floor is the same bytes posted to the same receiver by clients that do nothing else.
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

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use kangqiao_conformance::https;
use rig::message::Resident;
use rig::receiver::Receiver;
use rig::{CLERK, Rig, TLS_SENDER, at, free_port, until};
use serde_json::{Value, json};

/// Elders whose death is told one after the other.
const ALONE: usize = 400;
/// Elders whose deaths wait until the receiver is back.
const QUEUED: usize = 4_000;
/// Notices on their way at once.
const WINDOW: usize = 16;
/// Elders in one enrolment.
const ENROLLED_AT_ONCE: usize = 500;
/// Deaths in one message.
const PUSHED_AT_ONCE: usize = 500;

fn main() {
    let port = free_port();
    let rig = Rig::prepare(&subscription(port));
    let certs = rig.path().join("certs");
    let receiver = Receiver::start(&certs, "platform", port);
    rig.resume();
    let elders: Vec<Resident> = (0..ALONE + QUEUED).map(|_| Resident::new()).collect();
    enrol(&rig, &elders);
    let (alone, queued) = elders.split_at(ALONE);
    let waits = one_by_one(&rig, &receiver, alone);
    let (drained, bytes) = drained(&rig, &receiver, queued);
    let floor = floor(&rig, port, &bytes);
    let percentile = |percent: usize| {
        let place = (waits.len() * percent / 100).min(waits.len() - 1);
        waits[place].as_secs_f64() * 1000.0
    };
    let (p50, p99, ratio) = (percentile(50), percentile(99), drained / floor);
    println!("\nfrom the acknowledgement to the receiver: p50 {p50:.1} ms, p99 {p99:.1} ms");
    println!("a queue of {QUEUED} drains at {drained:.0} notices/s");
    println!("the same bytes posted by {WINDOW} bare clients: {floor:.0}/s, ratio {ratio:.3}");
    let report = json!({
        "window": WINDOW, "queue": QUEUED, "notice_bytes": bytes.len(),
        "latency_ms": { "p50": p50, "p99": p99, "notices": waits.len() },
        "drained_per_second": drained.round(), "bare_posts_per_second": floor.round(),
        "ratio": ratio,
    });
    let path = Path::new(rig::ROOT).join("target/notices.json");
    std::fs::write(&path, format!("{report:#}\n")).unwrap();
    println!("written to {}", path.display());
}

fn subscription(port: u16) -> String {
    format!(
        r#"
[[subscription]]
name = "payments"
department = "civil-affairs"
role = "clerk"
purpose = "living-check"
events = ["death"]
url = "https://127.0.0.1:{port}/notices"
tls = {{ authority = "certs/ca.pem", certificate = "certs/gateway.pem", key = "certs/gateway.key" }}
in_flight_max = {WINDOW}
wait_ms = 200
wait_ms_max = 400
open_ms = 500
"#
    )
}

fn post(link: &mut https::Link, (path, media): (&str, &str), body: &Value) -> Value {
    let reply = link.post(path, media, body.to_string().as_bytes()).unwrap();
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    reply.json()
}

fn enrol(rig: &Rig, elders: &[Resident]) {
    let mut link = rig.https(CLERK);
    for some in elders.chunks(ENROLLED_AT_ONCE) {
        let rows: Vec<_> = some
            .iter()
            .map(|elder| {
                json!({ "identifier": { "kind": "citizen-id", "value": elder.citizen },
                    "reference": elder.local })
            })
            .collect();
        let body = json!({ "subscription": "payments", "enrol": rows });
        post(&mut link, ("/v1/subscriptions", "application/json"), &body);
    }
}

fn death(elder: &Resident) -> Value {
    json!({
        "dataset": "death", "time": "2026-09-02", "person": { "citizenId": elder.citizen },
        "diedAt": "2026-09-01T04:05:00+08:00", "source": "1",
    })
}

const PLATFORM: (&str, &str) = ("/v1/messages", "application/vnd.kangqiao.platform+json");

/// How long each notice took after its message was acknowledged, shortest first.
fn one_by_one(rig: &Rig, receiver: &Receiver, elders: &[Resident]) -> Vec<Duration> {
    let mut link = rig.https(TLS_SENDER);
    let mut acknowledged: HashMap<String, Instant> = HashMap::new();
    for (done, elder) in elders.iter().enumerate() {
        post(&mut link, PLATFORM, &death(elder));
        acknowledged.insert(elder.local.clone(), Instant::now());
        until("the notice has come", || (receiver.count() > done).then_some(()));
    }
    let mut waits: Vec<_> = receiver
        .came()
        .iter()
        .map(|came| {
            let reference = came.notice["reference"].as_str().unwrap();
            came.at.saturating_duration_since(acknowledged[reference])
        })
        .collect();
    waits.sort_unstable();
    waits
}

/// How many notices a second leave a queue, and one of them.
fn drained(rig: &Rig, receiver: &Receiver, elders: &[Resident]) -> (f64, Vec<u8>) {
    receiver.answers(|_| 503);
    let mut link = rig.https(TLS_SENDER);
    for some in elders.chunks(PUSHED_AT_ONCE) {
        let records: Vec<_> = some.iter().map(death).collect();
        post(&mut link, PLATFORM, &json!({ "records": records }));
    }
    receiver.forget();
    let (begun, count) = (Instant::now(), elders.len());
    receiver.answers(|_| 204);
    let taken = || receiver.came().iter().filter(|came| came.status == 204).count();
    until("the queue is empty", || (receiver.count() >= count && taken() >= count).then_some(()));
    let came = receiver.came();
    let taken: Vec<_> = came.iter().filter(|came| came.status == 204).collect();
    let first = taken.iter().map(|came| came.at).min().unwrap().max(begun);
    let last = taken.iter().map(|came| came.at).max().unwrap();
    (taken.len() as f64 / (last - first).as_secs_f64(), taken[0].bytes.clone())
}

/// Bare posts of the same bytes to the same receiver, a second.
fn floor(rig: &Rig, port: u16, bytes: &[u8]) -> f64 {
    let each = QUEUED / WINDOW;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..WINDOW {
            scope.spawn(|| {
                let tls = rig.tls("gateway");
                let mut link = https::Link::connect(&at(port), Some(&tls)).unwrap();
                for _ in 0..each {
                    link.post("/notices", "application/json", bytes).unwrap();
                }
            });
        }
    });
    (each * WINDOW) as f64 / begun.elapsed().as_secs_f64()
}
