//! `make bench-many`: messages through one gateway and through three on one PostgreSQL, beside
//! pgbench; what a message costs the server, and what the way to it costs.
//!
//! All of it shares one machine, so rates are ratios to pgbench in the same run. What a message
//! costs (statements, commits, log written) and how many ways to the server it waits for do
//! not depend on the machine. The ways are found by making the way longer: of seconds for each
//! message against the length of the way, the slope is their number.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot measure stops"
)]

#[path = "many/far.rs"]
mod far;
#[allow(dead_code, reason = "`gateway` needs more of it")]
mod load;
#[path = "many/server.rs"]
mod measured;
#[allow(dead_code, reason = "a benchmark needs less of it than the tests do")]
#[path = "../tests/all/rig/mod.rs"]
mod rig;

use std::path::Path;
use std::time::Duration;

use far::Far;
use load::{Load, inquiry, mllp};
use measured::{Cost, Measured};
use rig::Rig;
use rig::database::holds_the_store;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Gateways.
const NODES: usize = 3;
/// Residents the messages are about who are known already.
const KNOWN: usize = 1_000;
/// Residents met for the first time, of one run.
const STRANGERS: usize = 1_000;
/// Connections of the runs.
const CONNECTIONS: [usize; 3] = [1, 8, 64];
/// Added to the way there and back, milliseconds. The timer adds up to two of its own to each, so
/// no way without it stands among them.
const WAYS: [u64; 3] = [2, 4, 8];

fn main() {
    let seconds = std::env::var("KANGQIAO_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    let span = Duration::from_secs(seconds.unwrap_or(6));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Some(server) = Measured::start() else { return };
    let more = holds_the_store(server.port());
    let first = Rig::prepare(&more);
    patient(&first);
    first.resume();
    let known = mllp::messages(KNOWN);
    let bytes = known.iter().map(|one| one.bytes.len()).sum::<usize>() / known.len();
    let bench = Bench { runtime, server, known, bytes, span };
    let address = rig::at(first.ports.mllp);
    bench.runtime.block_on(mllp::once(&address, &bench.known, CONNECTIONS[2]));

    let one = bench.rows(std::slice::from_ref(&first));
    let strangers = bench.strangers(&first, CONNECTIONS[2]);
    let asked = bench.asked(&first);
    let mut nodes = vec![first];
    for _ in 1..NODES {
        let node = nodes[0].beside(&more);
        patient(&node);
        node.resume();
        nodes.push(node);
    }
    let many = bench.rows(&nodes);
    nodes.drain(1..).for_each(drop);
    let ways = bench.ways(&nodes[0]);
    let report = json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "seconds_per_run": span.as_secs(), "message_bytes": bytes, "nodes": NODES,
        "one": one, "many": many, "strangers": strangers, "asked": asked, "ways": ways,
    });
    println!("{report:#}");
    let target = Path::new(env!("CARGO_BIN_EXE_kangqiao")).parent().and_then(Path::parent).unwrap();
    let path = target.join("many.json");
    std::fs::write(&path, format!("{report:#}\n")).unwrap();
    println!("written to {}", path.display());
}

/// All of it shares one machine: who is kept waiting for it is not to be taken for cut off.
fn patient(rig: &Rig) {
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let waits = "[store]\nsilence_ms_max = 30000\nwait_ms_max = 60000\n";
    std::fs::write(rig.config(), config.replace("[store]\n", waits)).unwrap();
}

struct Bench {
    runtime: Runtime,
    server: Measured,
    known: Vec<mllp::Template>,
    bytes: usize,
    span: Duration,
}

impl Bench {
    /// Messages about known residents at every number of connections, spread over the nodes, each
    /// beside pgbench.
    fn rows(&self, nodes: &[Rig]) -> Vec<Value> {
        CONNECTIONS.iter().map(|connections| self.row(nodes, *connections)).collect()
    }

    fn row(&self, nodes: &[Rig], connections: usize) -> Value {
        let bare = self.server.pgbench(self.bytes, connections, self.span);
        let (load, cost) = self.pushed(nodes, connections);
        let ratio = load.rate() / bare;
        println!(
            "{} gateways, {connections:>2} connections: {:>6.0} messages/s, p99 {:>6.1} ms; \
             pgbench {bare:>6.0}/s, ratio {ratio:.2}; {cost}",
            nodes.len(),
            load.rate(),
            load.percentile(99)
        );
        json!({ "connections": connections, "gateway": load.json(), "pgbench_per_second": bare,
                "ratio": ratio, "cost": cost.json() })
    }

    /// A run over all nodes at once, and what each of its messages cost.
    fn pushed(&self, nodes: &[Rig], connections: usize) -> (Load, Cost) {
        let before = self.server.stands();
        let runs = nodes.iter().enumerate().map(|(place, node)| {
            // The first nodes have one more where they cannot all have as many.
            let own = (connections + nodes.len() - 1 - place) / nodes.len();
            let address = rig::at(node.ports.mllp);
            async move { mllp::run(&address, &self.known, own, self.span).await }
        });
        let loads = self.runtime.block_on(futures_util::future::join_all(runs));
        let load = Load::together(loads);
        let cost = self.server.since(&before, load.count());
        (load, cost)
    }

    /// Messages about residents nobody has met.
    fn strangers(&self, node: &Rig, connections: usize) -> Value {
        let strangers = mllp::messages(STRANGERS);
        let bare = self.server.pgbench(self.bytes, connections, self.span);
        let (before, begun) = (self.server.stands(), std::time::Instant::now());
        let address = rig::at(node.ports.mllp);
        self.runtime.block_on(mllp::once(&address, &strangers, connections));
        let rate = STRANGERS as f64 / begun.elapsed().as_secs_f64();
        let cost = self.server.since(&before, STRANGERS);
        println!("met first, {connections} connections: {rate:.0} messages/s; {cost}");
        json!({ "connections": connections, "per_second": rate, "pgbench_per_second": bare,
                "ratio": rate / bare, "cost": cost.json(), "statements": cost.widest() })
    }

    /// Answers about residents of whom one message is known, so that all of them fit into the
    /// cache.
    fn asked(&self, node: &Rig) -> Value {
        let door = inquiry::Door::new(node);
        let residents = mllp::messages(KNOWN);
        self.runtime.block_on(mllp::once(&rig::at(node.ports.mllp), &residents, CONNECTIONS[2]));
        let citizens: Vec<_> = residents.into_iter().map(|one| one.citizen).collect();
        inquiry::teach(node, &citizens);
        self.runtime.block_on(inquiry::once(&door, &citizens));
        let before = self.server.stands();
        let asking = inquiry::run(&door, "/v1/inquiries", &citizens, self.span);
        let load = self.runtime.block_on(asking);
        let cost = self.server.since(&before, load.count());
        println!("cached answers, 64 connections: {:.0}/s; {cost}", load.rate());
        json!({ "answers": load.json(), "cost": cost.json() })
    }

    /// How many ways to the server a message waits for, by the number of connections: alone, and
    /// shared among those of one commit. The node is led to its server by a long way.
    fn ways(&self, node: &Rig) -> Vec<Value> {
        let far = Far::to(self.server.port());
        node.stop();
        let config = std::fs::read_to_string(node.config()).unwrap();
        let led = config.replace(&holds_the_store(self.server.port()), &holds_the_store(far.port));
        assert_ne!(config, led, "where the server is stands in the configuration");
        std::fs::write(node.config(), led).unwrap();
        node.resume();
        // Whom it knew it has to be told of again, and of every statement.
        self.runtime.block_on(mllp::once(&rig::at(node.ports.mllp), &self.known, CONNECTIONS[2]));
        let mut rows = Vec::new();
        for connections in CONNECTIONS {
            for new in [false, true] {
                let point = |way: &u64| {
                    far.takes(Duration::from_millis(*way));
                    self.point(node, *way, (connections, new))
                };
                let points: Vec<_> = WAYS.iter().map(point).collect();
                let (fixed, ways) = line(&points);
                let who = if new { "met first" } else { "known" };
                println!(
                    "{who}, {connections} connections: {:.2} ms and {ways:.2} ways a message",
                    fixed * 1000.0
                );
                rows.push(json!({ "connections": connections, "new": new, "ways": ways,
                    "fixed_ms": fixed * 1000.0, "points": points }));
            }
        }
        rows
    }

    /// Length of the way and seconds for each message, both in seconds.
    fn point(&self, node: &Rig, way: u64, (connections, new): (usize, bool)) -> (f64, f64) {
        let address = rig::at(node.ports.mllp);
        let rate = if new {
            // As many as end in about the time of the others.
            let strangers = mllp::messages(40 * connections.min(8));
            let begun = std::time::Instant::now();
            self.runtime.block_on(mllp::once(&address, &strangers, connections));
            strangers.len() as f64 / begun.elapsed().as_secs_f64()
        } else {
            let run = mllp::run(&address, &self.known, connections, self.span / 2);
            self.runtime.block_on(run).rate()
        };
        (Duration::from_millis(way).as_secs_f64(), 1.0 / rate)
    }
}

/// The straight line through points, by least squares: where it begins, and its slope.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let with: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let own: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let slope = with / own;
    (y - slope * x, slope)
}
