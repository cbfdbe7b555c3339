//! How the gateway stands, for the overview: counts and states.

use super::pulse::Beats;
use super::review;
use crate::vocabulary::{Fault, Position};

/// The state of the gateway.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// When this was true, unix milliseconds.
    pub at_ms: i64,
    /// When the process started, unix milliseconds.
    pub started_ms: i64,
    /// Version of the program.
    pub version: String,
    /// Version of the mappings.
    pub mappings: String,
    /// Version of the policies.
    pub policy: String,
    /// What went through in the last day.
    pub beats: Beats,
    /// Messages by sender.
    pub senders: Vec<SenderRow>,
    /// Newest quarantined messages.
    pub quarantine: Vec<QuarantineRow>,
    /// The way from the sockets to the store.
    pub queue: Queue,
    /// How full the store is, where that is ours to measure.
    pub room: Option<Room>,
    /// What the kernel keeps the process from.
    pub confined: Confined,
    /// Upstream systems.
    pub upstreams: Vec<UpstreamRow>,
    /// Who is told of events.
    pub subscriptions: Vec<SubscriptionRow>,
    /// The look-up cache.
    pub cache: Cache,
    /// What waits for a reviewer.
    pub backlog: review::Backlog,
    /// What expires, and when.
    pub expiries: Vec<ExpiryRow>,
    /// The ledger.
    pub ledger: Ledger,
}

/// What one sender sent.
#[derive(Debug, Clone, Default)]
pub struct SenderRow {
    /// Its configured name.
    pub name: String,
    /// What came to arrive, counted at the journal.
    pub received: u64,
    /// Applied.
    pub kept: u64,
    /// Kept, not applied, waiting for someone.
    pub quarantined: u64,
    /// Refused.
    pub refused: u64,
}

/// One quarantined message.
#[derive(Debug, Clone)]
pub struct QuarantineRow {
    /// Its number in the journal.
    pub number: u64,
    /// Who sent it.
    pub sender: String,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// Why.
    pub fault: Fault,
    /// Where in the message.
    pub at: Option<Position>,
}

/// The way from the sockets to the store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queue {
    /// Messages waiting.
    pub waiting: u64,
    /// How many may wait before sockets are no longer read.
    pub capacity: u64,
}

/// What the kernel keeps the process from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Confined {
    /// Files outside of its folders.
    pub files: bool,
    /// Ports but its own and its neighbours'.
    pub ports: bool,
    /// Programs, and calls it never makes.
    pub calls: bool,
}

/// How full the store is: of its disk or of its own limit, whichever has less room.
#[derive(Debug, Clone, Copy, Default)]
pub struct Room {
    /// What is taken, in bytes.
    pub used: u64,
    /// What may still be written, in bytes.
    pub left: u64,
    /// What follows.
    pub fill: Fill,
}

/// What follows from how full the store is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fill {
    /// There is room.
    #[default]
    Roomy,
    /// Time to make room.
    Filling,
    /// Nothing is kept and nothing answered.
    Reserve,
}

/// One upstream system.
#[derive(Debug, Clone)]
pub struct UpstreamRow {
    /// Its configured name.
    pub name: String,
    /// Whether it answers.
    pub state: UpstreamState,
    /// Requests answered since start.
    pub answered: u64,
    /// Requests failed since start.
    pub failed: u64,
    /// When it last answered, unix milliseconds.
    pub last_ms: Option<i64>,
}

/// How the notices of one subscription stand.
#[derive(Debug, Clone)]
pub struct SubscriptionRow {
    /// Its configured name.
    pub name: String,
    /// Whether its receiver answers; `None` if it is configured no longer.
    pub state: Option<UpstreamState>,
    /// Elders it is about.
    pub enrolled: u64,
    /// Notices on their way.
    pub waiting: u64,
    /// Since when the oldest of them is, unix milliseconds.
    pub oldest_ms: Option<i64>,
    /// Delivered in the last thirty days.
    pub delivered: u64,
    /// Nothing of which may leave, or nobody to be told, in the last thirty days.
    pub passed: u64,
    /// Given up by the gateway: somebody has to decide.
    pub dead: u64,
}

/// Whether an upstream system answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamState {
    /// Not asked since start.
    Idle,
    /// Failing; not asked for a while.
    Open,
    /// Failing before; the next request tries it.
    Trying,
    /// Answers.
    Up,
}

/// The look-up cache.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cache {
    /// Entries held.
    pub entries: u64,
    /// Look-ups answered from it.
    pub hits: u64,
    /// Look-ups it could not answer.
    pub misses: u64,
    /// Answers given from it because the upstream was down.
    pub stale: u64,
}

/// Something that expires.
#[derive(Debug, Clone)]
pub struct ExpiryRow {
    /// What: a subject or an authority.
    pub subject: String,
    /// For what it is used, in the configuration's words.
    pub used_for: String,
    /// Its last second, unix time.
    pub not_after: i64,
}

/// The ledger.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Entries.
    pub entries: u64,
    /// The newest checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// What the last check found.
    pub verified: Verified,
    /// Who signs what it shows.
    pub witnesses: Vec<WitnessRow>,
    /// Who is sent it as it grows.
    pub sinks: Vec<SinkRow>,
}

/// An audit repository the ledger is sent to.
#[derive(Debug, Clone)]
pub struct SinkRow {
    /// Its configured name.
    pub name: String,
    /// Whether it takes entries; `None` if it was not spoken to yet.
    pub connected: Option<bool>,
    /// Entries it has not taken yet.
    pub waiting: u64,
    /// Since when the oldest of them stands, unix milliseconds.
    pub oldest_ms: Option<i64>,
}

/// A witness of the ledger.
#[derive(Debug, Clone)]
pub struct WitnessRow {
    /// Its name, as its signatures have it.
    pub name: String,
    /// How things stand with it.
    pub state: WitnessState,
}

/// How things stand with a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WitnessState {
    /// It has signed another ledger than this one.
    Contradicts,
    /// It was not asked yet.
    NotYet,
    /// It signed.
    Signed {
        /// How many entries.
        size: u64,
        /// When, by its clock, unix milliseconds.
        at_ms: i64,
    },
    /// It does not answer.
    Silent,
}

/// A signed head of the ledger.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// Entries it covers.
    pub size: u64,
    /// Root hash as the note writes it.
    pub root: String,
    /// When it was signed, unix milliseconds.
    pub at_ms: i64,
}

/// What the last check of the whole ledger found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verified {
    /// Something was changed, removed, swapped or cut.
    Broken {
        /// First entry that does not fit.
        number: u64,
    },
    /// Not checked since start.
    #[default]
    NotYet,
    /// All entries and checkpoints fit.
    Sound {
        /// When, unix milliseconds.
        at_ms: i64,
        /// How many entries.
        entries: u64,
    },
}

impl SenderRow {
    /// Whether received = kept + quarantined + refused, as promised.
    #[must_use]
    pub const fn balances(&self) -> bool {
        let parts = self.kept.checked_add(self.quarantined);
        let Some(parts) = parts else { return false };
        matches!(parts.checked_add(self.refused), Some(sum) if sum == self.received)
    }
}

impl Overview {
    /// All senders together.
    #[must_use]
    pub fn total(&self) -> SenderRow {
        let mut total = SenderRow::default();
        for row in &self.senders {
            total.received = total.received.saturating_add(row.received);
            total.kept = total.kept.saturating_add(row.kept);
            total.quarantined = total.quarantined.saturating_add(row.quarantined);
            total.refused = total.refused.saturating_add(row.refused);
        }
        total
    }
}
