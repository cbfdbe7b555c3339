//! 集群, some gateways on one PostgreSQL behind one balancer, and every wire between them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kangqiao_conformance::{https, mllp};

use crate::notices::{enrolment, subscription};
use crate::rig::balancer::{self, Balancer};
use crate::rig::database::{Server, holds_the_store};
use crate::rig::message::{Message, Resident, field};
use crate::rig::receiver::Receiver;
use crate::rig::wire::Wire;
use crate::rig::{CLERK, PATIENCE, Rig, at, free_port, until};

/// How long a client waits before it tries again elsewhere.
const CLIENT_WAIT: Duration = Duration::from_secs(5);
/// How long it rests between two tries.
pub const REST: Duration = Duration::from_millis(50);

/// The whole of it.
pub struct Cluster {
    /// Before all nodes; ended first, so that nobody is asked who is gone.
    pub balancer: Balancer,
    /// The gateways.
    pub nodes: Vec<Rig>,
    /// The wire of each to the database.
    pub wires: Vec<Wire>,
    /// Whoever is told.
    pub receiver: Receiver,
    /// Under all of them.
    pub server: Server,
    /// Whether no gateway is there for a while, so that nobody's patience ends.
    pub gone: AtomicBool,
}

impl Cluster {
    /// So many gateways, of this build or an earlier one, ready; nothing, loudly, where a program
    /// is missing.
    pub fn start(count: usize, of: Option<&str>) -> Option<Self> {
        if !balancer::is_there() {
            return None;
        }
        // What is promised rests on the server's disk, so it syncs.
        let server = Server::with(&["fsync=on", "max_connections=200"])?;
        let wires: Vec<_> = (0..count).map(|_| Wire::to(server.port)).collect();
        let port = free_port();
        let told = subscription(port, "subsidy-eligibility", "\"long-stay\"");
        let more = |wire: &Wire| told.clone() + &holds_the_store(wire.port);
        // The first makes the keys, which the others are given: as docs/scaling.md says.
        let mut first = Rig::prepare(&more(&wires[0]));
        first.binary = of.map(Into::into);
        first.resume();
        let mut nodes = vec![first];
        for wire in &wires[1..] {
            let mut node = nodes[0].beside(&more(wire));
            node.binary = of.map(Into::into);
            node.resume();
            nodes.push(node);
        }
        let receiver = Receiver::start(&nodes[0].path().join("certs"), "platform", port);
        let balancer = Balancer::before(&nodes);
        let gone = AtomicBool::default();
        Some(Self { balancer, nodes, wires, receiver, server, gone })
    }

    /// Tries until it is done, with patience for as long as a gateway is there.
    pub fn insist(&self, what: &str, mut done: impl FnMut() -> Option<()>) {
        let mut since = Instant::now();
        while done().is_none() {
            if self.gone.load(Ordering::SeqCst) {
                since = Instant::now();
            }
            assert!(since.elapsed() < PATIENCE, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Enrols somebody under a reference.
    pub fn enrol(&self, resident: &Resident) {
        let body = enrolment(&resident.citizen, &resident.local).to_string();
        let mut link = self.nodes[0].https(CLERK);
        let reply = link.post("/v1/subscriptions", "application/json", body.as_bytes()).unwrap();
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }

    /// A sender's connection, through the balancer.
    pub fn mllp(&self) -> Option<mllp::Link> {
        let link = mllp::Link::connect(&at(self.balancer.mllp), None).ok()?;
        link.wait(CLIENT_WAIT).ok().map(|()| link)
    }

    /// An asker's connection, through the balancer.
    pub fn https(&self, name: &str) -> Option<https::Link> {
        connect(&self.nodes[0], self.balancer.https, name)
    }

    /// An asker's connection to one node.
    pub fn https_of(&self, node: usize, name: &str) -> Option<https::Link> {
        connect(&self.nodes[node], self.nodes[node].ports.https, name)
    }

    /// Whether a node says that it is ready; one that says nothing is not.
    pub fn is_ready(&self, node: usize) -> bool {
        let port = self.nodes[node].ports.operation;
        let link = https::Link::connect(&at(port), None);
        let reply = link.and_then(|mut link| {
            link.wait(CLIENT_WAIT)?;
            link.get("/health/ready")
        });
        reply.is_ok_and(|reply| reply.status == 200)
    }

    /// Waits until all nodes are, and each has itself kept a message.
    pub fn whole(&self) -> Vec<String> {
        (0..self.nodes.len()).map(|node| self.keeps(node)).collect()
    }

    /// A message that one node kept, by its control id.
    fn keeps(&self, node: usize) -> String {
        until("the node is ready", || self.is_ready(node).then_some(()));
        let message = Message::new("A01", &Resident::new());
        until("the node keeps a message", || {
            let mut link = mllp::Link::connect(&at(self.nodes[node].ports.mllp), None).ok()?;
            let reply = link.exchange(&message.bytes()).ok()?;
            (field(&reply, "MSA-1") == "AA").then_some(())
        });
        message.control
    }
}

fn connect(of: &Rig, port: u16, name: &str) -> Option<https::Link> {
    let link = https::Link::connect(&at(port), Some(&of.tls(name))).ok()?;
    link.wait(CLIENT_WAIT).ok().map(|()| link)
}
