//! What the console is shown, and whom it asks: [`Sight`].
//!
//! Plain values for people's eyes. No identifier, name or other value of a resident
//! is in any of them: persons are pseudonyms, elements are names, places are positions.
//! What a reviewer is shown is the one exception, and stands apart: [`review`]. What an auditor
//! is shown of tickets: [`ticket`]; of what he is to look at: [`doubt`]; what he may hand to a
//! person: [`history`]; what becomes of messages: [`trace`].

pub mod doubt;
pub mod history;
pub mod policies;
pub mod review;
pub mod ticket;
pub mod trace;

use futures_util::future::BoxFuture;

use super::access::Roles;
use crate::vocabulary::{Fault, Identifier, Position, Tier};

/// An answer that may wait for the store, or say in the words of the fault table why not.
pub type Seen<'a, T> = BoxFuture<'a, Result<T, Fault>>;

/// The gateway as the console may see it; `flow` implements it.
///
/// Every method that takes an [`Asker`] appends a `query` entry to the ledger before
/// it answers, and answers [`Fault::Unavailable`] if that cannot be written.
pub trait Sight:
    doubt::Noticing
    + history::Accounting
    + review::Reviewing
    + policies::Policing
    + ticket::Inspecting
    + trace::Tracing
{
    /// The state of the gateway. Holds nothing about any resident, so it is not recorded.
    fn overview(&self) -> Seen<'_, Overview>;

    /// The departments of the policies, in their order. Not recorded.
    fn departments(&self) -> Seen<'_, Vec<Named>>;

    /// Ledger entries, newest first.
    fn search<'a>(&'a self, asker: &'a Asker, query: &'a Query) -> Seen<'a, LedgerPage>;

    /// One entry with its proof; `None` if there is no such number or receipt.
    fn entry<'a>(&'a self, asker: &'a Asker, key: &'a EntryKey) -> Seen<'a, Option<EntryView>>;

    /// The proof of one entry as a file; `None` if there is no such number, or no checkpoint covers
    /// it yet.
    fn proof<'a>(&'a self, asker: &'a Asker, number: u64) -> Seen<'a, Option<Vec<u8>>>;

    /// Appends a sign-in, a refused one, a lock or a sign-out to the ledger.
    fn record<'a>(&'a self, occasion: &'a Occasion) -> Seen<'a, ()>;
}

/// Who looks: a signed-in user of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Name in the users file.
    pub user: String,
    /// What the user may see.
    pub roles: Roles,
}

/// Something that happened at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// A name from the users file; a name nobody has is never written down.
    pub user: String,
    /// What happened.
    pub what: Door,
}

/// What happened at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Too many failures; further attempts wait.
    Locked,
    /// Wrong password or code.
    Refused,
    /// Signed in.
    SignedIn,
    /// Signed out.
    SignedOut,
}

impl Door {
    /// The word in the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Refused => "refused",
            Self::SignedIn => "signed-in",
            Self::SignedOut => "signed-out",
        }
    }
}

/// What to look for in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Whose entries.
    pub whose: Whose,
    /// Only entries with a lower number: the next page.
    pub before: Option<u64>,
    /// How many entries at most.
    pub limit: usize,
}

/// Whose entries to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's.
    All,
    /// Those of one department, by name.
    Department(String),
    /// Those about the person with this identifier; resolved to the pseudonym at once.
    Person(Identifier),
    /// Those about one person, by every pseudonym an answer named.
    Known(Vec<String>),
}

/// Which entry to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKey {
    /// By its place in the ledger, from 0.
    Number(u64),
    /// By the receipt that left with the answer.
    Receipt(String),
}

/// A configured name with its titles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The name in configuration, or an element id.
    pub id: String,
    /// Chinese title.
    pub zh: String,
    /// English title.
    pub en: String,
}

/// Some entries of the ledger, newest first.
#[derive(Debug, Clone, Default)]
pub struct LedgerPage {
    /// The entries.
    pub rows: Vec<LedgerRow>,
    /// The person's pseudonyms, where one person was asked for: today's first, then those of
    /// before merges.
    pub known: Vec<String>,
    /// Ask again with this as `before` for older entries; `None` at the end.
    pub older: Option<u64>,
}

/// One line of a ledger page.
#[derive(Debug, Clone, Default)]
pub struct LedgerRow {
    /// Place in the ledger, from 0.
    pub number: u64,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// `disclosure`, `refusal`, `query` and so on, as in the entry.
    pub kind: String,
    /// Who asked.
    pub department: Option<Named>,
    /// In which role.
    pub role: Option<String>,
    /// The console user, or the person at the department who asked.
    pub asker: Option<String>,
    /// For what.
    pub purpose: Option<Named>,
    /// About whom, a pseudonym.
    pub person: Option<String>,
    /// The receipt that left with the answer.
    pub receipt: Option<String>,
    /// How many elements were released in some form.
    pub released: usize,
    /// How many were withheld.
    pub withheld: usize,
    /// Why it was refused.
    pub fault: Option<Fault>,
}

/// One entry in full.
#[derive(Debug, Clone, Default)]
pub struct EntryView {
    /// What its line shows.
    pub row: LedgerRow,
    /// The human for whom it was asked, a pseudonym.
    pub asked_by: Option<String>,
    /// The clause that allows the purpose.
    pub legal_basis: Option<String>,
    /// Elements that left, by tier, least protective first.
    pub released: Vec<(Tier, Vec<Named>)>,
    /// Elements that did not.
    pub withheld: Vec<Named>,
    /// Ids of the rules that decided.
    pub rules: Vec<String>,
    /// Sources the answer was gathered from, with their state.
    pub sources: Vec<String>,
    /// Version of the policies.
    pub policy: Option<String>,
    /// Version of the mappings.
    pub mappings: Option<String>,
    /// SHA-256 of the answer that left, hexadecimal.
    pub answer_sha256: Option<String>,
    /// The entry as it stands in the ledger: one line of JSON.
    pub line: String,
    /// That it stands there; `None` while no checkpoint covers it yet.
    pub proof: Option<Proof>,
}

/// Proof of inclusion, RFC 6962 section 2.1.1; hashes are hexadecimal.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// Hash of the entry.
    pub leaf: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// Hashes from the leaf to the root.
    pub path: Vec<String>,
    /// The checkpoint, a signed note of C2SP tlog-checkpoint.
    pub checkpoint: String,
    /// Whether path and signature were checked now and hold.
    pub holds: bool,
}

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
    /// Messages by sender.
    pub senders: Vec<SenderRow>,
    /// Newest quarantined messages.
    pub quarantine: Vec<QuarantineRow>,
    /// The way from the sockets to the store.
    pub queue: Queue,
    /// How full the store is.
    pub room: Room,
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
