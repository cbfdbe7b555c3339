//! 共用, what the parts of an open store share: writer, readers, tide, ear and whoever waits.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::Notify;

use super::ear::Hearing;
use super::room::Gauge;
use super::trust::Trust;

/// Of one gateway.
#[derive(Debug)]
pub struct Shared {
    /// Held by whoever writes: the writer's transactions, and the emptying of the log.
    pub turn: Mutex<()>,
    /// Rises whenever a token may lead to another person than before.
    pub links: AtomicU64,
    /// Whether the search tables lag behind the ledger.
    pub lagging: AtomicBool,
    /// Told whenever a notice may leave that could not before.
    pub noticed: Arc<Notify>,
    /// When the last commit failed for want of storage; `None` since one succeeded.
    pub failed: Mutex<Option<Instant>>,
    /// Whether the disk is believed.
    pub trust: Trust,
    /// How much room there is.
    pub gauge: Gauge,
    /// Which of the gateways of a server this is.
    pub node: i64,
    /// Of which schema the rows were when it was looked last.
    pub schema: AtomicI64,
    /// Up to which of its own commits it is told here what they changed.
    pub told: AtomicI64,
    /// What is heard of the others.
    pub hearing: Hearing,
}

impl Shared {
    /// Of a gateway that has just been started.
    pub fn new(node: i64, hearing: Hearing, gauge: Gauge) -> Arc<Self> {
        Arc::new(Self {
            turn: Mutex::default(),
            links: AtomicU64::default(),
            lagging: AtomicBool::default(),
            noticed: Arc::default(),
            failed: Mutex::default(),
            trust: Trust::default(),
            gauge,
            node,
            schema: AtomicI64::default(),
            told: AtomicI64::default(),
            hearing,
        })
    }
}
