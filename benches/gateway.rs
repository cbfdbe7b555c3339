//! `make bench`: the real gateway under load, beside what the same machine can do at most.
//!
//! Everything is switched on: durability, translation, privacy, ledger. Figures are
//! ratios to a floor measured in the same run, since bare rates say more about the
//! machine than about the gateway. The clients share the machine, so they do little.
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

use std::path::Path;
use std::time::{Duration, Instant};

use load::{Load, flood, inquiry, mllp};
use rig::Rig;
use serde_json::{Value, json};

/// Residents the messages are about.
const RESIDENTS: usize = 2_000;
/// Residents who are asked about again and again: all of them fit into the cache.
const KNOWN: usize = 1_000;
/// Residents of the load who are asked about too: few enough to fit into the cache with
/// all their records.
const LONG: usize = 50;
/// Residents who are asked about once, so that nothing about them is cached.
const STRANGERS: usize = 6_000;
/// Connections of the runs.
const CONNECTIONS: [usize; 3] = [1, 8, 64];

/// What the gateway should reach, and what it reached.
struct Aim {
    what: &'static str,
    reached: f64,
    wanted: f64,
    at_most: bool,
}

fn main() {
    let seconds = std::env::var("KANGQIAO_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    let span = Duration::from_secs(seconds.unwrap_or(6));
    // One thread for the clients: the gateway has the other core, and what is left of this one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut rig = Rig::prepare("");
    rig.words = vec!["--echo"];
    let first = started(&rig);
    rig.stop();
    let again = started(&rig);
    let (idle, _) = rig.memory_kib();
    let residents = mllp::messages(RESIDENTS);
    let known = mllp::messages(KNOWN);
    let strangers = mllp::messages(STRANGERS);
    let address = rig::at(rig.ports.mllp);
    for messages in [&residents, &known, &strangers] {
        runtime.block_on(mllp::once(&address, messages, CONNECTIONS[2]));
    }
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let bare = runtime.block_on(load::bare(rig.path(), &residents, connections, span));
        let load = runtime.block_on(mllp::run(&address, &residents, connections, span));
        rows.push((connections, bare, load));
    }

    let door = inquiry::Door::new(&rig);
    inquiry::teach(&rig, &citizens(&known));
    let (asked, fresh) = (citizens(&known), citizens(&strangers));
    let long = citizens(residents.get(..LONG).unwrap_or_default());
    runtime.block_on(inquiry::once(&door, &asked));
    let echo = runtime.block_on(inquiry::run(&door, "/v1/echo", &asked, span));
    let hit = runtime.block_on(inquiry::run(&door, "/v1/inquiries", &asked, span));
    let miss = runtime.block_on(inquiry::once(&door, &fresh));
    // Those the load above was about have a record for each of its messages.
    runtime.block_on(inquiry::once(&door, &long));
    let history = runtime.block_on(inquiry::run(&door, "/v1/inquiries", &long, span));
    let (rss, peak) = rig.memory_kib();
    let phases = runtime.block_on(flood::run(&rig, (&asked, &residents), span));
    let (_, bare, widest) = &rows[CONNECTIONS.len() - 1];
    let mib = |kib: u64| kib as f64 / 1024.0;
    let start = first.max(again).as_secs_f64();
    let ratios = [widest.rate() / bare.rate(), hit.rate() / echo.rate()];
    let aims = aims(ratios, mib(peak), start);
    let inquiries = [
        ("trivial handler", &echo),
        ("cached", &hit),
        ("not cached", &miss),
        ("cached, long history", &history),
    ];
    print_table(&rows, inquiries);
    let start_ms = [first, again].map(|took| took.as_millis() as u64);
    let [idle_mib, rss_mib, peak_mib] = [idle, rss, peak].map(mib);
    flood::print(&phases);
    println!("memory MiB: idle {idle_mib:.0}, after load {rss_mib:.0}, highest {peak_mib:.0}");
    println!("start to ready ms: {} then {}\n", start_ms[0], start_ms[1]);
    aims.iter().for_each(Aim::print);
    let report = json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "seconds_per_run": span.as_secs(),
        "message_bytes": mean_bytes(&residents),
        "mllp": rows.iter().map(row_json).collect::<Vec<_>>(),
        "inquiry": inquiry_json(&echo, &hit, &miss, &history),
        "flood": flood::json(&phases),
        "memory_kib": { "idle": idle, "after_load": rss, "highest": peak },
        "start_ms": { "first": start_ms[0], "again": start_ms[1] },
        "aims": aims.iter().map(Aim::json).collect::<Vec<_>>(),
    });
    write(&report);
}

fn citizens(messages: &[mllp::Template]) -> Vec<String> {
    messages.iter().map(|message| message.citizen.clone()).collect()
}

fn mean_bytes(messages: &[mllp::Template]) -> usize {
    messages.iter().map(|message| message.bytes.len()).sum::<usize>() / messages.len()
}

fn row_json((connections, bare, load): &(usize, Load, Load)) -> Value {
    json!({
        "connections": connections,
        "gateway": load.json(),
        "bare_append": bare.json(),
        "ratio": load.rate() / bare.rate(),
    })
}

fn inquiry_json(echo: &Load, hit: &Load, miss: &Load, history: &Load) -> Value {
    json!({
        "connections": inquiry::CONNECTIONS,
        "trivial_handler": echo.json(),
        "cached": hit.json(),
        "not_cached": miss.json(),
        "cached_long_history": history.json(),
        "ratio_cached": hit.rate() / echo.rate(),
        "ratio_not_cached": miss.rate() / echo.rate(),
    })
}

/// Starts the gateway; how long until it said it was ready.
fn started(rig: &Rig) -> Duration {
    let begun = Instant::now();
    rig.resume();
    begun.elapsed()
}

fn aims(ratios: [f64; 2], peak_mib: f64, start_seconds: f64) -> [Aim; 4] {
    [
        aim("messages at 64 connections / bare append", ratios[0], 0.2, false),
        aim("cached inquiry / trivial handler", ratios[1], 0.35, false),
        aim("highest resident memory, MiB", peak_mib, 256.0, true),
        aim("start to ready, seconds", start_seconds, 1.0, true),
    ]
}

fn aim(what: &'static str, reached: f64, wanted: f64, at_most: bool) -> Aim {
    Aim { what, reached, wanted, at_most }
}

impl Aim {
    fn met(&self) -> bool {
        if self.at_most { self.reached <= self.wanted } else { self.reached >= self.wanted }
    }

    fn print(&self) {
        let Self { what, reached, wanted, .. } = self;
        let (sign, verdict) = (self.sign(), if self.met() { "met" } else { "MISSED" });
        println!("{what:<44} {reached:>8.3}   aim {sign} {wanted}   {verdict}");
    }

    const fn sign(&self) -> &'static str {
        if self.at_most { "at most" } else { "at least" }
    }

    fn json(&self) -> Value {
        let (reached, wanted) = (self.reached, self.wanted);
        json!({ "what": self.what, "reached": reached, self.sign(): wanted, "met": self.met() })
    }
}

fn print_table(rows: &[(usize, Load, Load)], inquiries: [(&str, &Load); 4]) {
    println!("\nMLLP        messages/s    p50 ms    p99 ms   bare append/s     ratio");
    for (connections, bare, load) in rows {
        println!(
            "{connections:>4} conn. {:>12.0} {:>9.2} {:>9.2} {:>15.0} {:>9.3}",
            load.rate(),
            load.percentile(50),
            load.percentile(99),
            bare.rate(),
            load.rate() / bare.rate()
        );
    }
    let trivial = inquiries[0].1.rate();
    println!(
        "\nmutual TLS, {} connections   requests/s    p50 ms    p99 ms     ratio",
        inquiry::CONNECTIONS
    );
    for (name, load) in inquiries {
        println!(
            "{name:<27} {:>12.0} {:>9.2} {:>9.2} {:>9.3}",
            load.rate(),
            load.percentile(50),
            load.percentile(99),
            load.rate() / trivial
        );
    }
    println!();
}

/// Beside the build, as `target/bench.json`.
fn write(report: &Value) {
    let binary = Path::new(env!("CARGO_BIN_EXE_kangqiao"));
    let target = binary.parent().and_then(Path::parent).unwrap();
    let path = target.join("bench.json");
    std::fs::write(&path, format!("{report:#}\n")).unwrap();
    println!("\nwritten to {}", path.display());
}
