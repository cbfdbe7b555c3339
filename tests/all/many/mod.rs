//! Gateways behind HAProxy on one PostgreSQL, of which any may fail: nothing is lost, doubled,
//! reordered, unlogged, or answered as it was before.

mod ahead;
mod changes;
mod cluster;
mod judge;
mod load;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::rig::message::Resident;
use crate::rig::wire::Mood;
use crate::rig::{AGENT, call, loudly, until};
use changes::Heard;
use cluster::Cluster;
use load::{ENROLLED, Known};

/// Gateways.
const NODES: usize = 3;
/// Messages acknowledged before something fails, at least; chance adds as many at most.
const BEFORE: usize = 40;
/// Messages acknowledged while it lasts, and after it.
const MEANWHILE: usize = 40;

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A process is killed.
    Killed,
    /// A node has no connection to the database any more.
    Cut,
    /// Nothing comes through between them, and neither is told.
    Frozen,
    /// A process stands still, and goes on as if no time had passed.
    Stopped,
    /// The database ends where it stands and recovers.
    Database,
    /// One node after the other is stopped and started, as for an upgrade.
    Rolled,
    /// A later release brings the tables forward, and these go on beside it.
    Beside,
    /// A later release brings the tables to where they serve none of these any more.
    Outrun,
}

const FAULTS: [Fault; 8] = [
    Fault::Killed,
    Fault::Cut,
    Fault::Frozen,
    Fault::Stopped,
    Fault::Database,
    Fault::Rolled,
    Fault::Beside,
    Fault::Outrun,
];

fn set(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The cluster with what everybody about it knows.
struct Site {
    cluster: Cluster,
    known: Known,
    /// Whom somebody is told of.
    elders: Vec<Resident>,
    heard: Mutex<Heard>,
    /// Messages kept besides those of the load.
    others: Vec<String>,
}

impl Site {
    fn start(of: Option<&str>) -> Option<Self> {
        let cluster = Cluster::start(NODES, of)?;
        let elders: Vec<_> = (0..ENROLLED).map(|_| Resident::new()).collect();
        elders.iter().for_each(|elder| cluster.enrol(elder));
        let (heard, control) = Heard::of_nobody_yet(&cluster);
        let (known, heard) = (Known::default(), Mutex::new(heard));
        Some(Self { cluster, known, elders, heard, others: vec![control] })
    }

    /// Load, something that fails in the middle of it, and what everybody was told.
    fn round(&mut self, fault: Fault, (node, chance): (usize, usize)) {
        let (stop, begun) = (AtomicBool::new(false), Instant::now());
        let before = self.known.count();
        let healed = std::thread::scope(|scope| {
            let site = &*self;
            let (known, cluster, stop) = (&site.known, &site.cluster, &stop);
            scope.spawn(|| load::run(cluster, known, (&site.elders, stop)));
            scope.spawn(|| changes::run(cluster, (stop, &site.heard)));
            let stopped = Stops(stop);
            known.grows(BEFORE + chance);
            site.strike(fault, node);
            let healed = cluster.whole();
            known.grows(MEANWHILE);
            drop(stopped);
            healed
        });
        self.others.extend(healed);
        self.judge().unwrap_or_else(|why| panic!("node {node} {fault:?}: {why}"));
        let (count, took) = (self.known.count() - before, begun.elapsed());
        let again = self.known.again.swap(0, Ordering::SeqCst);
        loudly(&format!(
            "many: node {node} {fault:?}: {count} acknowledged, {again} tries again, {took:.1?}"
        ));
    }

    fn judge(&self) -> Result<(), String> {
        judge::judge(&self.cluster, &self.known, (&self.elders, &self.others))
    }

    /// Lets something fail, has the others go on meanwhile, and puts it right.
    fn strike(&self, fault: Fault, node: usize) {
        let (cluster, rig) = (&self.cluster, &self.cluster.nodes[node]);
        match fault {
            Fault::Killed => {
                rig.kill();
                self.others_go_on();
                rig.resume();
            }
            Fault::Cut | Fault::Frozen => {
                let mood = if fault == Fault::Cut { Mood::Cut } else { Mood::Frozen };
                cluster.wires[node].is(mood);
                until("the node says so", || (!cluster.is_ready(node)).then_some(()));
                self.others_go_on();
                assert!(!cluster.is_ready(node), "a node without its database says it is ready");
                cluster.wires[node].is(Mood::Sound);
            }
            Fault::Stopped => {
                rig.signal("STOP");
                self.others_go_on();
                rig.signal("CONT");
            }
            Fault::Database => cluster.server.restart_at_once(),
            Fault::Rolled => self.roll(),
            Fault::Beside => {
                ahead::adds(cluster);
                for rig in &cluster.nodes {
                    assert!(rig.ended().is_none(), "{}", rig.printed());
                }
                self.others_go_on();
                self.roll();
                ahead::is_told_by_all(cluster);
            }
            Fault::Outrun => ahead::outruns(cluster),
        }
    }

    /// Stops one after the other and starts it again, while the others go on.
    fn roll(&self) {
        for rig in &self.cluster.nodes {
            assert!(rig.stop().success(), "{}", rig.printed());
            self.others_go_on();
            rig.resume();
        }
    }

    /// What may be done once may be done once at all of them together: a call opens one elder.
    fn a_call_spent_at_one_is_spent_at_all(&self) {
        let evidence = json!({ "call": call() });
        let asked = |(node, whom): (usize, usize)| {
            let identifier = json!({ "kind": "citizen-id", "value": self.elders[whom].citizen });
            let question = json!({
                "identifier": identifier, "purpose": "emergency-card", "evidence": evidence,
            });
            self.cluster.nodes[node].ask(AGENT, &question).status
        };
        assert_eq!([(0, 0), (NODES - 1, 0), (NODES - 1, 1)].map(asked), [200, 200, 409]);
    }

    fn others_go_on(&self) {
        if self.cluster.nodes.len() > 1 {
            self.known.grows(MEANWHILE);
        }
    }
}

/// Tells everybody to stop, also where a test fails meanwhile.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn of_many_gateways_any_may_fail_and_nothing_is_lost_doubled_reordered_or_unlogged() {
    let Some(mut site) = Site::start(None) else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = set("KANGQIAO_MANY_SEED").unwrap_or(now.as_nanos() as u64) | 1;
    loudly(&format!("KANGQIAO_MANY_SEED={seed}"));
    let (rounds, mut random) = (set("KANGQIAO_MANY_ROUNDS").unwrap_or(FAULTS.len() as u64), seed);
    for round in 0..rounds as usize {
        // xorshift64, as in `crash`.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (fault, node) = (FAULTS[round % FAULTS.len()], random as usize % NODES);
        site.round(fault, (node, (random >> 32) as usize % BEFORE));
    }
    site.a_call_spent_at_one_is_spent_at_all();
    for (spoil, right) in judge::SPOILT {
        site.cluster.server.run(spoil);
        site.judge().expect_err(spoil);
        site.cluster.server.run(right);
    }
    site.judge().unwrap();
    let heard = site.heard.lock().unwrap();
    assert!(heard.changes > 0, "no change was followed");
    loudly(&format!(
        "many: {rounds} rounds, {} acknowledged, {} answered, {} changes, nine of ten followed \
         within {:.0?}, {} refused by nodes that could not hear: none lost",
        site.known.count(),
        site.known.answers.lock().unwrap().len(),
        heard.changes,
        heard.followed_within(),
        heard.refused,
    ));
}

/// `KANGQIAO_EARLIER_BINARY` names the `kangqiao` of an earlier release.
#[test]
fn an_earlier_release_is_rolled_to_this_one() {
    let Ok(earlier) = std::env::var("KANGQIAO_EARLIER_BINARY") else { return };
    let Some(mut site) = Site::start(Some(&earlier)) else { return };
    site.round(Fault::Killed, (0, 0));
    site.cluster.nodes.iter_mut().for_each(|rig| rig.binary = None);
    for round in 0..3 {
        // All of them at first, then one of either beside two of the other, in turn.
        site.cluster.nodes.iter_mut().for_each(|rig| rig.binary = None);
        site.round(Fault::Rolled, (round, 0));
        if round < 2 {
            site.cluster.nodes[round].binary = Some(earlier.clone().into());
            site.round(Fault::Killed, (round, 0));
            site.round(Fault::Cut, (2, 0));
        }
    }
}
