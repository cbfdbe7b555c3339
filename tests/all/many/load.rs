//! Senders, askers and what each of them was told; whoever is refused tries again, as they do.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kangqiao_conformance::mllp;
use serde_json::json;

use super::cluster::{Cluster, REST};
use crate::rig::CLERK;
use crate::rig::message::{Message, Resident, field};
use crate::rig::until;

/// Connections that push about whoever comes.
const PUSHING: usize = 3;
/// Connections that push about elders somebody is told of; each has its own.
const TELLING: usize = 2;
/// Connections that ask.
const ASKING: usize = 2;
/// Elders somebody is told of.
pub const ENROLLED: usize = 8;
/// Exchanges after which a client connects anew, and so may come to another node.
const EXCHANGES_MAX: usize = 25;

/// One message that was acknowledged.
pub struct Kept {
    /// MSH-10.
    pub control: String,
    /// The elder somebody is told of, by his place in the list.
    pub elder: Option<usize>,
}

/// One answer that came whole.
pub struct Answer {
    /// Its number in the ledger's entries.
    pub receipt: String,
    /// The signed state of the ledger that came with it.
    pub checkpoint: Vec<u8>,
}

/// What all of them know together.
#[derive(Default)]
pub struct Known {
    /// In the order of the acknowledgements, which for one elder is that of the sending.
    pub kept: Mutex<Vec<Kept>>,
    /// In the order in which they came.
    pub answers: Mutex<Vec<Answer>>,
    /// How often somebody was refused or cut off, and tried again.
    pub again: AtomicUsize,
}

impl Known {
    /// How many messages were acknowledged.
    pub fn count(&self) -> usize {
        self.kept.lock().unwrap().len()
    }

    /// Waits until so many more are.
    pub fn grows(&self, by: usize) {
        let before = self.count();
        until("messages are acknowledged", || (self.count() >= before + by).then_some(()));
    }
}

/// Everybody at work until told to stop; each ends what he has in hand.
pub fn run(cluster: &Cluster, known: &Known, (elders, stop): (&[Resident], &AtomicBool)) {
    let share = elders.len() / TELLING;
    std::thread::scope(|scope| {
        for _ in 0..PUSHING {
            scope.spawn(|| send(cluster, known, stop, || (None, Resident::new())));
        }
        for sender in 0..TELLING {
            let mut next = (sender * share..(sender + 1) * share).cycle();
            let next = move || {
                let elder = next.next().unwrap();
                (Some(elder), elders[elder].clone())
            };
            scope.spawn(move || send(cluster, known, stop, next));
        }
        for elder in elders.iter().take(ASKING) {
            scope.spawn(move || ask(cluster, known, stop, elder));
        }
    });
}

fn send(
    cluster: &Cluster,
    known: &Known,
    stop: &AtomicBool,
    mut next: impl FnMut() -> (Option<usize>, Resident),
) {
    let mut link = None;
    for sent in 1.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let (elder, resident) = next();
        let message = Message::new("A01", &resident);
        let bytes = message.bytes();
        let one = || bring(cluster, known, (&mut link, &bytes));
        cluster.insist("a message is acknowledged", one);
        known.kept.lock().unwrap().push(Kept { control: message.control, elder });
        if sent % EXCHANGES_MAX == 0 {
            link = None;
        }
    }
}

/// One try: a positive acknowledgement, or nothing.
fn bring(
    cluster: &Cluster,
    known: &Known,
    (link, bytes): (&mut Option<mllp::Link>, &[u8]),
) -> Option<()> {
    let mut open = link.take().or_else(|| cluster.mllp());
    let reply = open.as_mut().and_then(|link| link.exchange(bytes).ok());
    let code = reply.as_ref().map(|reply| field(reply, "MSA-1"));
    match code.as_deref() {
        Some("AA") => {
            *link = open;
            Some(())
        }
        // To be sent again, over another connection: perhaps to another node.
        None | Some("AE") => {
            known.again.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(REST);
            None
        }
        Some(_) => panic!("{}", String::from_utf8_lossy(&reply.unwrap_or_default())),
    }
}

fn ask(cluster: &Cluster, known: &Known, stop: &AtomicBool, whom: &Resident) {
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": whom.citizen }, "purpose": "living-check",
    });
    let (body, mut link) = (question.to_string(), None);
    for asked in 1.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let mut open = link.take().or_else(|| cluster.https(CLERK));
        let reply = open
            .as_mut()
            .and_then(|link| link.post("/v1/inquiries", "application/json", body.as_bytes()).ok());
        let Some(reply) = reply.filter(|reply| reply.status != 503) else {
            known.again.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(REST);
            continue;
        };
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        let receipt = reply.json()["receipt"].as_str().unwrap().to_owned();
        let checkpoint = BASE64_STANDARD.decode(reply.header("kangqiao-checkpoint").unwrap());
        let answer = Answer { receipt, checkpoint: checkpoint.unwrap() };
        known.answers.lock().unwrap().push(answer);
        link = open.filter(|_| asked % EXCHANGES_MAX != 0);
    }
}

/// What was acknowledged about each elder, in order.
pub fn by_elder(kept: &[Kept]) -> HashMap<usize, Vec<&str>> {
    let mut by: HashMap<usize, Vec<&str>> = HashMap::new();
    for one in kept {
        if let Some(elder) = one.elder {
            by.entry(elder).or_default().push(&one.control);
        }
    }
    by
}
