//! What an operator or auditor is shown of messages: [`Tracing`]. Numbers, positions and counts.

use serde::{Deserialize, Serialize};

use super::{Asker, LedgerRow, Seen};
pub use crate::store::history::Event;
pub use crate::store::pile::Pile;
pub use crate::store::trace::{Line, Lines, Noticed, Outcome, Wanted};
use crate::vocabulary::{Entrance, Identifier};

/// 报文追踪, messages as an operator or auditor may see them; `flow` implements it. Every look is
/// in the ledger before it is answered, with what was looked for; of a person with the pseudonym.
pub trait Tracing: Send + Sync {
    /// Who has ever sent something. Not recorded.
    fn senders(&self) -> Seen<'_, Vec<String>>;

    /// Messages that match, newest first.
    fn messages<'a>(&'a self, asker: &'a Asker, query: &'a MessageQuery) -> Seen<'a, MessagePage>;

    /// What became of one; `None` if there is no such number.
    fn journey<'a>(&'a self, asker: &'a Asker, number: u64) -> Seen<'a, Option<Journey>>;

    /// What waits in quarantine, by what is wrong: the most frequent first.
    fn piles<'a>(&'a self, asker: &'a Asker) -> Seen<'a, Vec<Pile>>;
}

/// Which messages are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageQuery {
    /// What they are like.
    pub wanted: Wanted,
    /// About whom.
    pub person: Option<Whom>,
}

/// About whom a message is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whom {
    /// Whoever these entries of the index are: how a page asks for the next one.
    Entries(Vec<i64>),
    /// Whoever has this identifier; resolved to entries at once.
    Identifier(Identifier),
}

/// Messages that were found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MessagePage {
    /// Newest first.
    #[serde(flatten)]
    pub lines: Lines,
    /// The control id that was asked for, as the journal has it.
    pub control_id: Option<String>,
    /// The entries of whoever was asked about.
    pub entries: Option<Vec<i64>>,
    /// The pseudonym of that person.
    pub pseudonym: Option<String>,
}

/// What became of one message, from its arrival on.
#[derive(Debug, Clone, Serialize)]
pub struct Journey {
    /// Its row.
    #[serde(flatten)]
    pub line: Line,
    /// By which way it came in; `None` for one that came before that was kept.
    pub entrance: Option<Entrance>,
    /// How many bytes; `None` once its person is erased, for they cannot be read any more.
    pub bytes: Option<usize>,
    /// A keyed digest of its bytes: equal marks, equal bytes.
    pub mark: String,
    /// Other messages under its control id.
    pub same_number: Vec<u64>,
    /// How it was read; `None` for one that was refused or is erased.
    pub reading: Option<Reading>,
    /// What became of it, first to last.
    pub outcomes: Vec<Outcome>,
    /// What its sender was told when it came.
    pub told: Told,
    /// Whose it is.
    pub person: Option<Known>,
    /// What it said of two entries of the index.
    pub said: Vec<Event>,
    /// The notices it set going, of those that are kept.
    pub notices: Vec<NoticeView>,
    /// What left about that person since, of what is kept here, newest first; for whoever may
    /// see the ledger.
    #[serde(skip)]
    pub disclosures: Option<Vec<LedgerRow>>,
}

/// How a message is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Version of the mappings.
    pub mappings: String,
    /// Whether they are those it was read by; else these are today's.
    pub then: bool,
    /// The kind of record it became.
    pub dataset: Option<String>,
    /// Where its leaves end; `None` if it cannot be read.
    pub bins: Option<Counts>,
}

/// Where the leaves of a message end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Under an element.
    pub mapped: u32,
    /// Left out, as a mapping declares with its reason.
    pub dropped: u32,
    /// Kept with the record without a name, as a mapping declares.
    pub carried: u32,
    /// Named by no mapping; kept like the carried ones.
    pub unmapped: u32,
    /// Where the first unmapped ones stand.
    pub first_unmapped: Vec<String>,
}

/// What a sender was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// These codes of MSA-1; none if it asked for none.
    Acknowledged(Vec<&'static str>),
    /// What it asked for stands in its header, which is erased with its person.
    Erased,
    /// A reply in the form of its own envelope.
    Replied,
    /// A report beside the file.
    Reported,
    /// A receipt with this HTTP status, where it came alone.
    Receipt(u16),
    /// The state in its row.
    Written,
}

/// Whose a message is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    /// As the ledger names the person now.
    pub pseudonym: String,
    /// The entries of the index that are this person.
    pub entries: Vec<i64>,
    /// The one the message is of.
    pub entry: i64,
}

/// A notice that a message set going.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeView {
    /// How it stands.
    #[serde(flatten)]
    pub notice: Noticed,
    /// What the ledger says of it, an entry a try: number and receipt.
    pub entries: Vec<(u64, String)>,
}
