//! Kills the process at random points under load: what it acknowledged is there, once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kangqiao_conformance::{https, mllp};
use serde_json::json;

use crate::notices::{Site, in_order};
use crate::rig::message::{Message, Resident, field};
use crate::rig::{CLERK, Rig, at, loudly};

/// Connections that push while the process is killed.
const PUSHING: usize = 16;
/// Connections that push about elders somebody is told of.
const TELLING: usize = 2;
/// Connections that ask at the same time.
const ASKING: usize = 2;
/// Elders somebody is told of.
const ENROLLED: usize = 20;

/// What the clients know when the process is gone.
#[derive(Default)]
struct Known {
    /// Bytes and acknowledgement of every acknowledged message.
    acknowledged: HashMap<String, (Vec<u8>, Vec<u8>)>,
    /// Sent, and never answered.
    in_flight: Vec<Vec<u8>>,
    /// Receipts of every answer that came whole.
    receipts: Vec<String>,
}

fn rounds() -> usize {
    std::env::var("KANGQIAO_CRASH_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

fn push_until(stop: &AtomicBool, address: &str, (known, enrolled): (&Mutex<Known>, &[Resident])) {
    let Ok(mut link) = mllp::Link::connect(address, None) else { return };
    let mut next = enrolled.iter().cycle();
    while !stop.load(Ordering::SeqCst) {
        let resident = next.next().cloned().unwrap_or_else(Resident::new);
        let message = Message::new("A01", &resident);
        let bytes = message.bytes();
        match link.exchange(&bytes) {
            Ok(reply) => {
                assert_eq!(field(&reply, "MSA-1"), "AA");
                let pair = (bytes, reply);
                known.lock().unwrap().acknowledged.insert(message.control, pair);
            }
            Err(_) => return known.lock().unwrap().in_flight.push(bytes),
        }
    }
}

fn ask_until(stop: &AtomicBool, rig: &Rig, citizen: &str, known: &Mutex<Known>) {
    let tls = rig.tls(CLERK);
    let Ok(mut link) = https::Link::connect(&at(rig.ports.https), Some(&tls)) else { return };
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": citizen },
        "purpose": "living-check",
    });
    while !stop.load(Ordering::SeqCst) {
        let body = question.to_string();
        let Ok(reply) = link.post("/v1/inquiries", "application/json", body.as_bytes()) else {
            return;
        };
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        let receipt = reply.json()["receipt"].as_str().unwrap().to_owned();
        known.lock().unwrap().receipts.push(receipt);
    }
}

/// Load from all connections, and a kill in the middle of it.
fn round(
    (site, enrolled): (&Arc<Site>, &Arc<Vec<Resident>>),
    wait: Duration,
    known: &Arc<Mutex<Known>>,
) {
    let rig = &site.rig;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for client in 0..PUSHING + TELLING {
        let (stop, known, address) = (stop.clone(), known.clone(), at(rig.ports.mllp));
        let enrolled = if client < TELLING { Arc::clone(enrolled) } else { Arc::default() };
        let push = move || push_until(&stop, &address, (&known, &enrolled));
        clients.push(std::thread::spawn(push));
    }
    for _ in 0..ASKING {
        let (stop, known, site) = (stop.clone(), known.clone(), Arc::clone(site));
        let citizen = enrolled[0].citizen.clone();
        clients.push(std::thread::spawn(move || ask_until(&stop, &site.rig, &citizen, &known)));
    }
    // Load must be flowing before the kill, or the round would prove nothing.
    let before = known.lock().unwrap().acknowledged.len();
    crate::rig::until("messages are acknowledged", || {
        (known.lock().unwrap().acknowledged.len() > before).then_some(())
    });
    std::thread::sleep(wait);
    rig.kill();
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }
}

/// Every acknowledged message about an enrolled elder was told, of each elder in order.
fn all_told(site: &Site, enrolled: &[Resident], known: &Known) -> usize {
    site.settled();
    let told = in_order(&site.receiver.taken());
    let mut sum = 0;
    for resident in enrolled {
        let about = known.acknowledged.values().filter(|(bytes, _)| {
            bytes.windows(resident.citizen.len()).any(|part| part == resident.citizen.as_bytes())
        });
        let (about, notices) = (about.count(), told.get(&resident.local).map_or(0, Vec::len));
        assert_eq!(notices, about, "notices and messages differ");
        sum += notices;
    }
    assert!(sum > 0, "nobody was told");
    sum
}

#[test]
fn what_was_acknowledged_is_there_once_and_what_was_answered_is_in_the_ledger() {
    let site = Arc::new(Site::for_purpose("subsidy-eligibility", "\"long-stay\""));
    let rig = &site.rig;
    let enrolled: Arc<Vec<_>> = Arc::new((0..ENROLLED).map(|_| Resident::new()).collect());
    for resident in enrolled.iter() {
        site.enrol(resident, &resident.local);
    }
    rig.mllp().exchange(&Message::new("A01", &Resident::new()).bytes()).unwrap();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    eprintln!("crash seed {seed}, {} rounds", rounds());
    let known = Arc::new(Mutex::new(Known::default()));
    let mut random = u64::from(seed) | 1;
    for _ in 0..rounds() {
        // xorshift64: where the kill falls differs every time and can be repeated by hand.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        round((&site, &enrolled), Duration::from_micros(random % 300_000), &known);
        rig.resume();
        let mut link = rig.mllp();
        let in_flight = std::mem::take(&mut known.lock().unwrap().in_flight);
        for bytes in in_flight {
            let reply = link.exchange(&bytes).unwrap();
            assert_eq!(field(&reply, "MSA-1"), "AA", "a resend was not taken");
            let control = field(&reply, "MSA-2");
            known.lock().unwrap().acknowledged.insert(control, (bytes, reply));
        }
    }
    let known = std::mem::take(&mut *known.lock().unwrap());
    // One more than the load sent: the first.
    let wanted = known.acknowledged.len() as u64 + 1;
    let stored = || {
        assert_eq!(rig.stored("SELECT count(*) FROM journal"), wanted, "rows, not as acknowledged");
        assert_eq!(rig.stored("SELECT count(DISTINCT control_id) FROM journal"), wanted);
        assert_eq!(rig.stored("SELECT sum(kept) FROM count"), wanted, "the count is not the rows");
        assert_eq!(rig.stored("SELECT count(*) FROM record"), wanted, "a record is not there");
    };
    stored();
    let mut link = rig.mllp();
    for (control, (bytes, reply)) in &known.acknowledged {
        assert!(link.exchange(bytes).unwrap() == *reply, "{control}: another acknowledgement");
    }
    stored();
    assert!(!known.receipts.is_empty(), "nothing was asked");
    let told = all_told(&site, &enrolled, &known);
    rig.stop();
    rig.ledger(&["verify"]);
    let ledger = rig.entries_on_disk();
    for came in site.receiver.came() {
        let receipt = came.notice["receipt"].as_str().unwrap().to_owned();
        assert_eq!(ledger.matches(&receipt).count(), 1, "a notice left that no entry tells of");
    }
    for receipt in &known.receipts {
        assert_eq!(
            ledger.matches(receipt.as_str()).count(),
            1,
            "{receipt} is not in the ledger once"
        );
    }
    let (acknowledged, answered) = (known.acknowledged.len(), known.receipts.len());
    let rounds = rounds();
    loudly(&format!(
        "{rounds} kills: {acknowledged} acknowledged, {answered} answered, {told} told, none lost"
    ));
}
