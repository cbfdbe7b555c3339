//! 同意 said to one node is followed by every other within a second, or it does not answer.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::cluster::{Cluster, REST};
use crate::rig::message::{Message, Resident, field, unique};
use crate::rig::person::word;
use crate::rig::{DOCTOR, HOME, until};

/// The promise: who asks so long after a change was acknowledged is not answered as before it.
const HEARD_MAX: Duration = Duration::from_secs(1);

/// Who allows and withdraws, and what came of it.
pub struct Heard {
    elder: Resident,
    /// The consent that was said last, and whether it stands.
    said: (u64, bool),
    /// Changes that every node followed.
    pub changes: usize,
    /// From each acknowledgement to the first question at each node whose answer knew of it.
    after: Vec<Duration>,
    /// Questions that were refused a second after a change, by nodes that could not hear.
    pub refused: usize,
}

impl Heard {
    /// Of somebody about whom there is something to tell; with his message's control id.
    pub fn of_nobody_yet(cluster: &Cluster) -> (Self, String) {
        let elder = Resident::new();
        let mut message = Message::new("A01", &elder);
        message.segments.push("AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹".to_owned());
        until("somebody is admitted", || {
            let reply = cluster.mllp()?.exchange(&message.bytes()).ok()?;
            (field(&reply, "MSA-1") == "AA").then_some(())
        });
        let (said, after) = ((0, false), Vec::new());
        (Self { elder, said, changes: 0, after, refused: 0 }, message.control)
    }

    /// Within which time nine of ten changes were followed by a node, also by those that could
    /// not hear for a while.
    pub fn followed_within(&self) -> Duration {
        let mut after = self.after.clone();
        after.sort_unstable();
        after.get(after.len() * 9 / 10).copied().unwrap_or_default()
    }
}

/// Consents and withdraws, each time at another node, and asks all nodes until told to stop.
pub fn run(cluster: &Cluster, (stop, heard): (&AtomicBool, &Mutex<Heard>)) {
    while !stop.load(Ordering::SeqCst) {
        let (elder, (consent, stands)) = {
            let heard = heard.lock().unwrap();
            (heard.elder.clone(), heard.said)
        };
        let (consent, allowed) = (if stands { consent } else { unique() }, !stands);
        let state = if allowed { "active" } else { "inactive" };
        // The bytes of each are its own: what is sent again is the same change.
        let more = json!({ "consent": format!("TY-{consent}"), "state": state });
        let said = word(&elder.citizen, more);
        let body = said.to_string();
        let mut node = heard.lock().unwrap().changes;
        cluster.insist("a consent is kept", || {
            node += 1;
            brought(cluster, node % cluster.nodes.len(), &body)
        });
        let kept = Instant::now();
        let elder = &elder;
        std::thread::scope(|scope| {
            for node in 0..cluster.nodes.len() {
                scope.spawn(move || follows(cluster, elder, (node, allowed), (kept, heard)));
            }
        });
        let mut heard = heard.lock().unwrap();
        heard.changes += 1;
        heard.said = (consent, allowed);
    }
}

/// One try at one node.
fn brought(cluster: &Cluster, node: usize, body: &str) -> Option<()> {
    let media = "application/vnd.kangqiao.civil+json";
    let mut link = cluster.https_of(node, HOME)?;
    let Some(reply) = link.post("/v1/messages", media, body.as_bytes()).ok() else {
        std::thread::sleep(REST);
        return None;
    };
    match reply.status {
        200 => assert_eq!(reply.json()["state"], "kept", "{}", reply.json()),
        503 => std::thread::sleep(REST),
        status => panic!("{status} {}", String::from_utf8_lossy(&reply.body)),
    }
    (reply.status == 200).then_some(())
}

/// Asks one node until it knows, or refuses when the time is over.
fn follows(
    cluster: &Cluster,
    elder: &Resident,
    (node, allowed): (usize, bool),
    (kept, heard): (Instant, &Mutex<Heard>),
) {
    let mut link = None;
    loop {
        let mut open = link.take().or_else(|| cluster.https_of(node, DOCTOR));
        let after = kept.elapsed();
        match open.as_mut().and_then(|link| opens(link, elder)) {
            Some(opened) if opened == allowed => {
                return heard.lock().unwrap().after.push(after);
            }
            Some(_) => {
                assert!(after < HEARD_MAX, "node {node} answers as before, after {after:?}");
                link = open;
            }
            None if after >= HEARD_MAX => return heard.lock().unwrap().refused += 1,
            None => std::thread::sleep(REST),
        }
    }
}

/// Whether an answer tells anything; nothing if there is none.
fn opens(link: &mut kangqiao_conformance::https::Link, elder: &Resident) -> Option<bool> {
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": elder.citizen },
        "purpose": "institution-admission",
    });
    let reply = link.post("/v1/inquiries", "application/json", question.to_string().as_bytes());
    let reply = reply.ok().filter(|reply| reply.status != 503)?;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    Some(!reply.json()["elements"].as_array()?.is_empty())
}
