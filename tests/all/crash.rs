//! Kills the process at random points under load: what it acknowledged is there, once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kangqiao_conformance::{https, mllp};
use serde_json::json;

use crate::rig::message::{Message, Resident, field};
use crate::rig::{CLERK, Rig, at, loudly};

/// Connections that push while the process is killed.
const PUSHING: usize = 16;
/// Connections that ask at the same time.
const ASKING: usize = 2;

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

fn push_until(stop: &AtomicBool, address: &str, known: &Mutex<Known>) {
    let Ok(mut link) = mllp::Link::connect(address, None) else { return };
    while !stop.load(Ordering::SeqCst) {
        let message = Message::new("A01", &Resident::new());
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
fn round(rig: &Arc<Rig>, citizen: &str, wait: Duration, known: &Arc<Mutex<Known>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for _ in 0..PUSHING {
        let (stop, known, address) = (stop.clone(), known.clone(), at(rig.ports.mllp));
        clients.push(std::thread::spawn(move || push_until(&stop, &address, &known)));
    }
    for _ in 0..ASKING {
        let (stop, known, rig) = (stop.clone(), known.clone(), rig.clone());
        let citizen = citizen.to_owned();
        clients.push(std::thread::spawn(move || ask_until(&stop, &rig, &citizen, &known)));
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

#[test]
fn what_was_acknowledged_is_there_once_and_what_was_answered_is_in_the_ledger() {
    let rig = Arc::new(Rig::start());
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    eprintln!("crash seed {seed}, {} rounds", rounds());
    let known = Arc::new(Mutex::new(Known::default()));
    let mut random = u64::from(seed) | 1;
    for _ in 0..rounds() {
        // xorshift64: where the kill falls differs every time and can be repeated by hand.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        round(&rig, &resident.citizen, Duration::from_micros(random % 300_000), &known);
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
    // One more than the load sent: the resident asked about.
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
    rig.stop();
    rig.ledger(&["verify"]);
    let ledger = rig.ledger(&["export"]);
    for receipt in &known.receipts {
        assert_eq!(
            ledger.matches(receipt.as_str()).count(),
            1,
            "{receipt} is not in the ledger once"
        );
    }
    let (acknowledged, answered) = (known.acknowledged.len(), known.receipts.len());
    let rounds = rounds();
    loudly(&format!("{rounds} kills: {acknowledged} acknowledged, {answered} answered, none lost"));
}
