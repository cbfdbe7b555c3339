//! More is asked than can be answered: who is turned away, by what rank and share, what he is
//! told, what the ledger says of it, and that it is over when it is over.

use std::sync::Barrier;
use std::thread::JoinHandle;

use kangqiao_conformance::https::Reply;
use serde_json::json;

use crate::rig::faults::{Dial, Faults};
use crate::rig::message::{Message, Resident, field};
use crate::rig::wire::{Mood, Wire};
use crate::rig::{AGENT, CLERK, Rig, TLS_SENDER, call, until};

/// What the process may grow by in a flood, KiB.
const GROWTH_KIB_MAX: u64 = 96 * 1024;

/// A gateway whose record platform is at the end of a wire: what asks it waits as long as that
/// is frozen.
struct Site {
    rig: Rig,
    wire: Wire,
}

impl Site {
    fn start(load: &str) -> Self {
        let rig = Rig::prepare(&format!("[cache]\nseconds = 3600\n[load]\n{load}\n"));
        let wire = Wire::to(rig.platform.port);
        let config = std::fs::read_to_string(rig.config()).unwrap();
        let before = format!("url = \"https://127.0.0.1:{}\"", rig.platform.port);
        let after = format!(
            "url = \"https://127.0.0.1:{}\"\ntimeout_ms = 600000\nconnect_timeout_ms = 600000",
            wire.port
        );
        assert!(config.contains(&before));
        std::fs::write(rig.config(), config.replace(&before, &after)).unwrap();
        rig.resume();
        Self { rig, wire }
    }

    /// Asks in a thread of its own.
    fn asks(&self, who: &'static str, resident: &Resident) -> JoinHandle<Reply> {
        let (tls, port) = (self.rig.tls(who), self.rig.ports.https);
        let body = question(who, resident);
        std::thread::spawn(move || {
            let address = crate::rig::at(port);
            let mut link =
                kangqiao_conformance::https::Link::connect(&address, Some(&tls)).unwrap();
            link.wait(crate::rig::PATIENCE * 4).unwrap();
            link.post("/v1/inquiries", "application/json", body.as_bytes()).unwrap()
        })
    }

    fn shows(&self, gauge: &str, many: u64) {
        let shown = || self.rig.counted(gauge, &[("of", "questions")]);
        until(&format!("{gauge} is {many}"), || (shown() == many).then_some(()));
    }

    fn settles(&self) {
        self.shows("kangqiao_load_in_hand", 0);
        self.shows("kangqiao_load_waiting", 0);
    }
}

/// For its life and health, or an ordinary one.
fn question(who: &str, resident: &Resident) -> String {
    let identifier = json!({ "kind": "citizen-id", "value": resident.citizen });
    let body = match who {
        AGENT => json!({ "purpose": "emergency-card", "identifier": identifier,
            "evidence": { "call": call() } }),
        _ => json!({ "purpose": "living-check", "identifier": identifier }),
    };
    body.to_string()
}

fn turned_away(reply: &Reply, status: u16, fault: &str) {
    let said = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status, status, "{said}");
    assert_eq!(reply.json()["fault"], fault, "{said}");
    let again = reply.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    assert!((1..=60).contains(&again.unwrap()), "{again:?}");
    assert!(reply.header("kangqiao-ledger-entry").is_none());
}

#[test]
fn an_ordinary_question_is_turned_away_before_an_emergency() {
    let site =
        Site::start("questions_max = 2\nemergency_max = 1\nwaiting_max = 2\nwait_ms_max = 600000");
    let [known, unknown, other] = [(); 3].map(|()| Resident::new());
    site.rig.mllp().exchange(&Message::new("A01", &known).bytes()).unwrap();
    assert_eq!(site.asks(AGENT, &known).join().unwrap().status, 200);
    let entries = site.rig.stored("SELECT count(*) FROM ledger");
    site.wire.is(Mood::Frozen);
    let mut ordinary: Vec<_> = (0..2).map(|_| site.asks(CLERK, &Resident::new())).collect();
    site.shows("kangqiao_load_in_hand", 2);
    ordinary.extend((0..2).map(|_| site.asks(CLERK, &Resident::new())));
    site.shows("kangqiao_load_waiting", 2);
    for _ in 0..20 {
        turned_away(&site.rig.ask(CLERK, &question_value(&unknown)), 503, "overloaded");
    }
    // There is a place for life and health alone; beyond it, whoever can wait makes way.
    assert_eq!(site.asks(AGENT, &known).join().unwrap().status, 200);
    let urgent = site.asks(AGENT, &unknown);
    site.shows("kangqiao_load_in_hand", 3);
    let more = site.asks(AGENT, &other);
    let way = until("somebody made way", || {
        let made = ordinary.iter().position(JoinHandle::is_finished)?;
        Some(ordinary.remove(made))
    });
    turned_away(&way.join().unwrap(), 503, "overloaded");
    // It recovers by itself, and nobody who was let in was forgotten.
    site.wire.is(Mood::Sound);
    for asked in ordinary.into_iter().chain([urgent, more]) {
        let reply = asked.join().unwrap();
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }
    site.settles();
    assert_eq!(site.rig.ask(CLERK, &question_value(&unknown)).status, 200);
    // Twenty-one were turned away, and the ledger is told so, not twenty-one times.
    let label = [("of", "questions"), ("fault", "overloaded"), ("rank", "ordinary")];
    until("all are counted", || {
        (site.rig.counted("kangqiao_turned_away_total", &label) == 21).then_some(())
    });
    let export = || site.rig.ledger(&["export"]);
    until("the ledger says so", || export().contains("turned away").then_some(()));
    let told = site.rig.stored("SELECT count(*) FROM ledger") - entries;
    let released = told - export().matches("turned away").count() as u64;
    assert!(released < 30, "{released} entries for 7 answers and what they asked elsewhere");
    assert!(site.rig.ledger(&["verify"]).contains("ledger verified"));
}

fn question_value(resident: &Resident) -> serde_json::Value {
    serde_json::from_str(&question(CLERK, resident)).unwrap()
}

#[test]
fn a_department_beyond_its_share_is_told_so_and_the_others_are_served() {
    let site = Site::start("questions_max = 8\nshare_max = 3");
    let known = Resident::new();
    site.rig.mllp().exchange(&Message::new("A01", &known).bytes()).unwrap();
    assert_eq!(site.asks(AGENT, &known).join().unwrap().status, 200);
    site.wire.is(Mood::Frozen);
    let held: Vec<_> = (0..3).map(|_| site.asks(CLERK, &Resident::new())).collect();
    site.shows("kangqiao_load_in_hand", 3);
    turned_away(&site.rig.ask(CLERK, &question_value(&known)), 429, "share-exceeded");
    assert_eq!(site.asks(AGENT, &known).join().unwrap().status, 200);
    site.wire.is(Mood::Sound);
    for asked in held {
        assert_eq!(asked.join().unwrap().status, 200);
    }
    site.settles();
    assert_eq!(site.rig.ask(CLERK, &question_value(&known)).status, 200);
}

#[test]
fn at_no_route_gets_in_who_has_his_share_in_hand() {
    let site = Site::start("questions_max = 8\nshare_max = 2");
    site.wire.is(Mood::Frozen);
    let held: Vec<_> = (0..2).map(|_| site.asks(CLERK, &Resident::new())).collect();
    site.shows("kangqiao_load_in_hand", 2);
    for path in ["/v1/ledger/checkpoint", "/v1/messages/M1", "/v1/batches"] {
        let reply = site.rig.https(CLERK).get(path).unwrap();
        turned_away(&reply, 429, "share-exceeded");
    }
    for path in ["/v1/subscriptions", "/v1/statistics", "/v1/batches", "/v1/inquiries"] {
        let reply = site.rig.https(CLERK).post(path, "application/json", b"{}").unwrap();
        turned_away(&reply, 429, "share-exceeded");
    }
    let of = format!("patient.identifier=urn:oid:2.16.156.10011.1.3%7C{}", Resident::new().citizen);
    for resource in ["AuditEvent", "Condition", "nothing"] {
        let reply = site.rig.https(CLERK).get(&format!("/fhir/{resource}?{of}")).unwrap();
        let fault = &reply.json()["issue"][0]["details"]["text"];
        assert_eq!((reply.status, fault.as_str()), (429, Some("share-exceeded")), "{resource}");
        assert!(reply.header("retry-after").is_some(), "{resource}");
        assert!(reply.header("kangqiao-ledger-entry").is_none(), "{resource}");
    }
    site.wire.is(Mood::Sound);
    for asked in held {
        assert_eq!(asked.join().unwrap().status, 200);
    }
    site.settles();
    assert_eq!(site.rig.https(CLERK).get("/v1/batches").unwrap().status, 200);
}

#[test]
fn a_flood_is_bounded_and_over_when_it_is_over() {
    const ASKERS: usize = 32;
    let site = Site::start("questions_max = 2\nwaiting_max = 2\nshare_max = 3");
    let known = Resident::new();
    site.rig.mllp().exchange(&Message::new("A01", &known).bytes()).unwrap();
    assert_eq!(site.asks(AGENT, &known).join().unwrap().status, 200);
    let (before, _) = site.rig.memory_kib();
    let (gate, body) = (Barrier::new(ASKERS + 1), question(CLERK, &known));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let flood: Vec<_> = (0..ASKERS)
            .map(|_| {
                let (rig, gate, body) = (&site.rig, &gate, &body);
                scope.spawn(move || {
                    let mut link = rig.https(CLERK);
                    gate.wait();
                    let ask = |_| {
                        let media = "application/json";
                        link.post("/v1/inquiries", media, body.as_bytes()).unwrap().status
                    };
                    (0..20).map(ask).collect::<Vec<_>>()
                })
            })
            .collect();
        gate.wait();
        for _ in 0..5 {
            assert_eq!(site.asks(AGENT, &known).join().unwrap().status, 200, "an emergency");
        }
        flood.into_iter().flat_map(|asker| asker.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| [200, 429, 503].contains(status)), "{statuses:?}");
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!(served > 0 && served < statuses.len(), "{served} of {}", statuses.len());
    site.settles();
    assert_eq!(site.rig.ask(CLERK, &question_value(&known)).status, 200);
    let (_, highest) = site.rig.memory_kib();
    assert!(highest.saturating_sub(before) < GROWTH_KIB_MAX, "from {before} to {highest} KiB");
}

#[test]
fn a_flood_of_messages_is_answered_or_turned_away_and_mllp_is_read_no_faster() {
    const SENDERS: usize = 8;
    let mut rig = Rig::prepare("[load]\npushes_max = 1\nwaiting_max = 1\nshare_max = 3\n");
    rig.faults = Some(Faults::new());
    rig.resume();
    let faults = rig.faults.as_ref().unwrap();
    let gate = Barrier::new(SENDERS + 2);
    let (posted, acknowledged): (Vec<_>, Vec<_>) = std::thread::scope(|scope| {
        let posting: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (rig, gate) = (&rig, &gate);
                scope.spawn(move || {
                    let mut link = rig.https(TLS_SENDER);
                    let record = json!({ "dataset": "death",
                        "person": { "citizenId": Resident::new().citizen },
                        "diedAt": "2026-10-06" });
                    let media = "application/vnd.kangqiao.platform+json";
                    gate.wait();
                    link.post("/v1/messages", media, record.to_string().as_bytes()).unwrap()
                })
            })
            .collect();
        let sending: Vec<_> = (0..2)
            .map(|_| {
                let (rig, gate) = (&rig, &gate);
                scope.spawn(move || {
                    let mut link = rig.mllp();
                    gate.wait();
                    let reply = link.exchange(&Message::new("A01", &Resident::new()).bytes());
                    field(&reply.unwrap(), "MSA-1")
                })
            })
            .collect();
        // Every commit takes a while from now on.
        faults.turn(Dial::SyncMs, 1_500);
        let posted = posting.into_iter().map(|one| one.join().unwrap()).collect();
        (posted, sending.into_iter().map(|one| one.join().unwrap()).collect())
    });
    faults.turn(Dial::SyncMs, 0);
    assert_eq!(acknowledged, ["AA", "AA"], "who waits for his acknowledgement gets it");
    let refused: Vec<_> =
        posted.iter().filter(|reply| [429, 503].contains(&reply.status)).collect();
    assert!(!refused.is_empty(), "eight at once were all served, two at a time");
    for reply in &refused {
        let fault = if reply.status == 429 { "share-exceeded" } else { "overloaded" };
        turned_away(reply, reply.status, fault);
    }
    let kept = rig.stored("SELECT count(*) FROM journal");
    assert_eq!(kept, (SENDERS - refused.len() + 2) as u64, "what was turned away was not kept");
}
