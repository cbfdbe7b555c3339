//! What the console is shown, and whom it asks: [`Sight`].
//!
//! Plain values for people's eyes. No identifier, name or other value of a resident
//! is in any of them: persons are pseudonyms, elements are names, places are positions.
//! What a reviewer is shown is the one exception, and stands apart: [`review`]. What an auditor
//! is shown of tickets: [`ticket`]; of holds: [`hold`]; of what he is to look at: [`doubt`]; what
//! he may hand to a person: [`history`]; what becomes of messages: [`trace`], and of many tried
//! again: [`rerun`].

pub mod doubt;
pub mod history;
pub mod hold;
pub mod overview;
pub mod policies;
pub mod pulse;
pub mod rerun;
pub mod review;
pub mod saved;
pub mod ticket;
pub mod trace;

use std::fmt;

use futures_util::future::BoxFuture;
pub use overview::{
    Cache, Checkpoint, Confined, ExpiryRow, Fill, Ledger, Overview, QuarantineRow, Queue, Room,
    SenderRow, SinkRow, SubscriptionRow, UpstreamRow, UpstreamState, Verified, WitnessRow,
    WitnessState,
};

use super::access::{Role, Roles};
use crate::audit::Kind;
use crate::vocabulary::{ElementId, Fault, Identifier, Purpose, Tier};

/// An answer that may wait for the store, or say in the words of the fault table why not.
pub type Seen<'a, T> = BoxFuture<'a, Result<T, Fault>>;

/// The gateway as the console may see it; `flow` implements it.
///
/// Every method that takes an [`Asker`] appends a `query` entry to the ledger before
/// it answers, and answers [`Fault::Unavailable`] if that cannot be written.
pub trait Sight:
    doubt::Noticing
    + history::Accounting
    + hold::Holding
    + review::Reviewing
    + saved::Saving
    + policies::Policing
    + rerun::Rerunning
    + ticket::Inspecting
    + trace::Tracing
{
    /// The state of the gateway. Holds nothing about any resident, so it is not recorded.
    fn overview(&self) -> Seen<'_, Overview>;

    /// The departments of the policies, in their order. Not recorded.
    fn departments(&self) -> Seen<'_, Vec<Named>>;

    /// The purposes of the policies, in their order. Not recorded.
    fn purposes(&self) -> Seen<'_, Vec<Named>>;

    /// Ledger entries, newest first.
    fn search<'a>(&'a self, asker: &'a Asker, query: &'a Query) -> Seen<'a, LedgerPage>;

    /// One entry with its proof; `None` if there is no such number or receipt.
    fn entry<'a>(&'a self, asker: &'a Asker, key: &'a EntryKey) -> Seen<'a, Option<EntryView>>;

    /// The proof of one entry as a file; `None` if there is no such number, or no checkpoint covers
    /// it yet.
    fn proof<'a>(&'a self, asker: &'a Asker, number: u64) -> Seen<'a, Option<Vec<u8>>>;

    /// Appends what happened at the door to the ledger: a sign-in, an invitation and so on.
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
    /// A name from the users file or an invitation; a name nobody has is never written down.
    pub user: String,
    /// What happened.
    pub what: Door,
    /// Through whom, where it was not the user alone.
    pub by: Option<String>,
}

impl Occasion {
    /// What a user did alone.
    #[must_use]
    pub fn of(user: &str, what: Door) -> Self {
        Self { user: user.to_owned(), what, by: None }
    }
}

/// The words in the ledger.
impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, what, by } = self;
        match what {
            Door::Declined(role) => write!(f, "{user} declined as {}", role.as_str())?,
            Door::Enrolled(role) => write!(f, "{user} enrolled as {}", role.as_str())?,
            Door::Found(role, mark) => {
                write!(f, "{user} found as {}, {mark:016x}", role.as_str())?;
            }
            Door::Gone => write!(f, "{user} gone from the users file")?,
            Door::Invited(role) => write!(f, "{user} invited as {}", role.as_str())?,
            Door::Locked => write!(f, "{user} locked")?,
            Door::Nominated(role) => write!(f, "{user} nominated as {}", role.as_str())?,
            Door::Refused => write!(f, "{user} refused")?,
            Door::SignedIn => write!(f, "{user} signed-in")?,
            Door::SignedOut => write!(f, "{user} signed-out")?,
        }
        by.as_ref().map_or(Ok(()), |by| write!(f, " by {by}"))
    }
}

/// What happened at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Somebody spoke against an account that waited.
    Declined(Role),
    /// A link was used: there is an account more.
    Enrolled(Role),
    /// The users file has this account, and it was made by no link; the digest of its line.
    Found(Role, u64),
    /// The users file has this account no more.
    Gone,
    /// A link was made.
    Invited(Role),
    /// Too many failures; further attempts wait.
    Locked,
    /// Somebody spoke for an account; it waits for a second.
    Nominated(Role),
    /// Wrong password or code.
    Refused,
    /// Signed in.
    SignedIn,
    /// Signed out.
    SignedOut,
}

/// What to look for in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Whose entries.
    pub whose: Whose,
    /// Which of them.
    pub terms: Terms,
    /// Only entries with a lower number: the next page.
    pub before: Option<u64>,
    /// How many entries at most.
    pub limit: usize,
}

/// Which entries; what is `None` matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// What happened.
    pub kind: Option<Kind>,
    /// What for.
    pub purpose: Option<Purpose>,
    /// What left, or was withheld.
    pub element: Option<ElementId>,
    /// Not before this time, unix milliseconds.
    pub since_ms: Option<i64>,
    /// Before this time, unix milliseconds.
    pub until_ms: Option<i64>,
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
    /// Whether it goes on because enough was looked at, and not because the page is full.
    pub tired: bool,
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
