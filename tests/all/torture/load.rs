//! Everybody at once: hospitals, a merger, askers, a subscriber, and what each of them was told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kangqiao_conformance::{https, mllp};
use serde_json::{Value, json};

use crate::notices::Site;
use crate::rig::message::{Message, Resident, field};
use crate::rig::{CLERK, at, until};

/// Connections that push about whoever comes.
const PUSHING: usize = 3;
/// Connections that push about elders somebody is told of; each has its own.
const TELLING: usize = 2;
/// Elders somebody is told of.
pub const ENROLLED: usize = 8;

/// What somebody was told, and how far the record was when he had it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Whatever his knowledge rests on lies before this place of the record.
    pub at: u64,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    /// An answer came, with this receipt and this signed state of the ledger.
    Answered { receipt: String, checkpoint: Vec<u8> },
    /// A message was acknowledged.
    Acknowledged { control: String, of: Sort },
    /// A notice came.
    Told { id: String, receipt: String },
}

/// What a message was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sort {
    /// An elder somebody is told of, by his place in the list.
    Enrolled(usize),
    /// A number that goes over to another.
    Merge,
    /// Whoever comes.
    Other,
}

/// What all of them know together.
#[derive(Default)]
pub struct Known {
    pub seen: Mutex<Vec<Seen>>,
    /// Every control id that was sent, with its bytes, acknowledged or not.
    pub sent: Mutex<HashMap<String, Vec<u8>>>,
}

impl Known {
    fn note(&self, site: &Site, what: What) {
        let at = site.rig.faults.as_ref().unwrap().mark();
        self.seen.lock().unwrap().push(Seen { at, what });
    }

    /// How many messages were acknowledged.
    pub fn acknowledged(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| matches!(seen.what, What::Acknowledged { .. })).count()
    }
}

/// One message; whether the connection still stands.
fn push(site: &Site, known: &Known, link: &mut mllp::Link, (message, of): (Message, Sort)) -> bool {
    let bytes = message.bytes();
    known.sent.lock().unwrap().insert(message.control.clone(), bytes.clone());
    let Ok(reply) = link.exchange(&bytes) else { return false };
    match field(&reply, "MSA-1").as_str() {
        "AA" => known.note(site, What::Acknowledged { control: message.control, of }),
        // It may be sent again; here it is not, and may be there or not.
        "AE" => (),
        other => panic!("{other}"),
    }
    true
}

/// Two numbers of a hospital, and that the one goes over to the other.
fn merge() -> Vec<(Message, Sort)> {
    let (old, new) = (Resident::new(), Resident::new());
    let mut first = Message::new("A01", &old);
    first.segments[1] = format!("PID|1||{}^^^HOSP-A^MR||{}", old.local, old.name);
    let mut merge = Message::new("A40", &new);
    merge.segments[1] = format!("PID|1||{}^^^HOSP-A^MR||{}", new.local, new.name);
    merge.segments.push(format!("MRG|{}^^^HOSP-A^MR", old.local));
    vec![(first, Sort::Other), (Message::new("A01", &new), Sort::Other), (merge, Sort::Merge)]
}

fn ask(site: &Site, known: &Known, link: &mut https::Link, citizen: &str) -> bool {
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": citizen }, "purpose": "living-check",
    });
    let body = question.to_string();
    let Ok(reply) = link.post("/v1/inquiries", "application/json", body.as_bytes()) else {
        return false;
    };
    if reply.status != 503 {
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        let receipt = reply.json()["receipt"].as_str().unwrap().to_owned();
        let checkpoint = BASE64_STANDARD.decode(reply.header("kangqiao-checkpoint").unwrap());
        known.note(site, What::Answered { receipt, checkpoint: checkpoint.unwrap() });
    }
    true
}

/// The subscriber writes down what comes, with the moment.
pub fn listen(site: &Arc<Site>, known: &Arc<Known>) {
    let (weak, known) = (Arc::downgrade(site), Arc::clone(known));
    site.receiver.answers(move |notice: &Value| {
        let text = |key: &str| notice[key].as_str().unwrap().to_owned();
        if let Some(site) = weak.upgrade() {
            known.note(&site, What::Told { id: text("id"), receipt: text("receipt") });
        }
        200
    });
}

/// Load from everybody until so many messages are acknowledged, or the gateway is gone; every
/// second merge one of whoever came is erased.
pub fn run(site: &Arc<Site>, known: &Arc<Known>, (elders, count): (&[Resident], usize)) {
    let stop = AtomicBool::new(false);
    let before = known.acknowledged();
    let going = || !stop.load(Ordering::SeqCst);
    let link = || mllp::Link::connect(&at(site.rig.ports.mllp), None).ok();
    std::thread::scope(|scope| {
        for _ in 0..PUSHING {
            scope.spawn(|| {
                let Some(mut link) = link() else { return };
                let next = || (Message::new("A01", &Resident::new()), Sort::Other);
                while going() && push(site, known, &mut link, next()) {}
            });
        }
        for client in 0..TELLING {
            scope.spawn(move || {
                let Some(mut link) = link() else { return };
                let own: Vec<_> = (0..elders.len()).filter(|n| n % TELLING == client).collect();
                for elder in own.iter().cycle().copied() {
                    let about = (Message::new("A01", &elders[elder]), Sort::Enrolled(elder));
                    if !going() || !push(site, known, &mut link, about) {
                        return;
                    }
                }
            });
        }
        scope.spawn(|| {
            let Some(mut link) = link() else { return };
            while going() && merge().into_iter().all(|one| push(site, known, &mut link, one)) {
                let gone = Resident::new();
                let one = (Message::new("A01", &gone), Sort::Merge);
                if push(site, known, &mut link, one) {
                    site.rig.order(&["erase", "--citizen-id", &gone.citizen, "--yes"]);
                }
            }
        });
        scope.spawn(|| {
            let tls = site.rig.tls(CLERK);
            let address = at(site.rig.ports.https);
            let Ok(mut link) = https::Link::connect(&address, Some(&tls)) else { return };
            let mut next = elders.iter().cycle();
            while going() && ask(site, known, &mut link, &next.next().unwrap().citizen) {}
        });
        until("enough is acknowledged", || {
            let enough = known.acknowledged() >= before.saturating_add(count);
            (enough || site.rig.ended().is_some()).then_some(())
        });
        stop.store(true, Ordering::SeqCst);
    });
}
