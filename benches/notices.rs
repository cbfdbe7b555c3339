//! `make bench`, the notices: how long one takes from the acknowledgement of a death to its
//! receiver, how fast a queue drains once a receiver that was down is back, and both where ten
//! subscriptions are told of the same elders.
//!
//! Durability, decision and ledger are on; each notice is a signed entry before it leaves. The
//! floor of one is the same bytes posted to the same receiver by clients that do nothing else,
//! that of ten is ten times as many as the same messages can be pushed where nobody is told.
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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use kangqiao_conformance::https;
use rig::message::Resident;
use rig::receiver::Receiver;
use rig::{Rig, TLS_SENDER, at, free_port, until};
use serde_json::{Value, json};

/// Elders whose death is told one after the other.
const ALONE: usize = 400;
/// Elders whose deaths wait until the receiver is back.
const QUEUED: usize = 4_000;
/// Notices on their way at once.
const WINDOW: usize = 16;
/// Subscriptions that are told of the same elders.
const TEN: usize = 10;
/// Elders whose deaths all of them are told of, from a queue and as many while it is pushed.
const SHARED: usize = 1_000;
/// Connections that push.
const PUSHERS: usize = 16;
/// Deaths in one message.
const PUSHED_AT_ONCE: usize = 500;

fn main() {
    let port = free_port();
    let ten: Vec<String> = (0..TEN).map(|number| format!("ten-{number}")).collect();
    let names = ["payments"].into_iter().chain(ten.iter().map(String::as_str));
    let rig = Rig::prepare(&names.map(|name| subscription(name, port)).collect::<String>());
    let certs = rig.path().join("certs");
    let receiver = Receiver::start(&certs, "platform", port);
    rig.resume();
    let elders: Vec<Resident> = (0..ALONE + QUEUED).map(|_| Resident::new()).collect();
    enrol(&rig, "payments", &elders);
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
    let ten = told_to_ten(&rig, &receiver, &ten);
    let report = json!({
        "ten": ten, "window": WINDOW, "queue": QUEUED, "notice_bytes": bytes.len(),
        "latency_ms": { "p50": p50, "p99": p99, "notices": waits.len() },
        "drained_per_second": drained.round(), "bare_posts_per_second": floor.round(),
        "ratio": ratio,
    });
    let path = Path::new(rig::ROOT).join("target/notices.json");
    std::fs::write(&path, format!("{report:#}\n")).unwrap();
    println!("written to {}", path.display());
}

fn subscription(name: &str, port: u16) -> String {
    format!(
        r#"
[[subscription]]
name = "{name}"
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

fn enrol(rig: &Rig, subscription: &str, elders: &[Resident]) {
    rig.enrols(subscription, elders.iter().map(|elder| (&*elder.citizen, &*elder.local)));
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

/// Pushes each death as a message of its own; how many a second.
fn push(rig: &Rig, elders: &[Resident]) -> f64 {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for some in elders.chunks(elders.len().div_ceil(PUSHERS)) {
            scope.spawn(|| {
                let mut link = rig.https(TLS_SENDER);
                some.iter().for_each(|elder| drop(post(&mut link, PLATFORM, &death(elder))));
            });
        }
    });
    elders.len() as f64 / begun.elapsed().as_secs_f64()
}

/// What ten subscriptions are told of the same elders, beside ten times what is pushed where
/// nobody is told.
fn told_to_ten(rig: &Rig, receiver: &Receiver, subscriptions: &[String]) -> Value {
    let strangers: Vec<Resident> = (0..2 * SHARED).map(|_| Resident::new()).collect();
    let pushed = push(rig, &strangers);
    let elders: Vec<Resident> = (0..2 * SHARED).map(|_| Resident::new()).collect();
    subscriptions.iter().for_each(|name| enrol(rig, name, &elders));
    let (queued, met) = elders.split_at(SHARED);
    let all = SHARED * TEN;

    receiver.answers(|_| 503);
    push(rig, queued);
    let drained = counts(receiver).rate(all);
    let taken = counts(receiver);
    let meanwhile = push(rig, met);
    let along = taken.rate(all);

    let most = pushed * TEN as f64;
    println!("\npushed where nobody is told: {pushed:.0} messages/s, times {TEN}: {most:.0}");
    println!("{TEN} queues of {SHARED}: {drained:.0} notices/s, ratio {:.3}", drained / most);
    println!(
        "while {meanwhile:.0} messages/s are pushed: {along:.0} notices/s, ratio {:.3}",
        along / most
    );
    json!({
        "subscriptions": TEN, "elders": SHARED, "in_flight_max": WINDOW,
        "pushed_per_second": pushed.round(),
        "from_queues": { "told_per_second": drained.round(), "ratio": drained / most },
        "while_pushing": {
            "pushed_per_second": meanwhile.round(), "told_per_second": along.round(),
            "ratio": along / most,
        },
    })
}

/// What is taken from a moment on: how many, and since when.
#[derive(Default)]
struct Taken(AtomicUsize, OnceLock<Instant>);

impl Taken {
    /// How many a second, once there are so many.
    fn rate(&self, all: usize) -> f64 {
        until("all are told", || (self.0.load(Ordering::Relaxed) >= all).then_some(()));
        all as f64 / self.1.get().unwrap().elapsed().as_secs_f64()
    }
}

/// From now on everything is taken, and counted.
fn counts(receiver: &Receiver) -> Arc<Taken> {
    receiver.forget();
    let taken = Arc::new(Taken::default());
    let counted = Arc::clone(&taken);
    receiver.answers(move |_| {
        counted.1.get_or_init(Instant::now);
        counted.0.fetch_add(1, Ordering::Relaxed);
        204
    });
    taken
}
