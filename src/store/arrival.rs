//! 来件, what is asked of the store and what it answers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::exchange::Mark;
use super::outbox::Wish;
use super::tree::{LedgerView, Tile};
use crate::identity::linkage::Veiled;
use crate::identity::{Indexed, PersonId, Pseudonym};
use crate::translate::{Claim, Form};
use crate::vocabulary::{Department, Entrance, Fault, Position, Record, Source};

/// One message as it arrived, with what shall become of it.
pub struct Arrival {
    /// Who sent it, by its connection.
    pub source: Source,
    /// The sender's own number of the message (MSH-10).
    pub control_id: String,
    /// SHA-256 of the bytes; kept only under a key.
    pub digest: [u8; 32],
    /// When it arrived, in milliseconds since 1970.
    pub received_at_ms: i64,
    /// The bytes as they came.
    pub raw: Bytes,
    /// What they are written in, so that they can be read again.
    pub form: Form,
    /// By which way it came in.
    pub entrance: Entrance,
    /// Version of the mappings it was read by.
    pub mappings: String,
    /// How far the table is read with it, if it is a row of one.
    pub mark: Option<Mark>,
    /// What shall become of it.
    pub proposed: Proposed,
}

/// How one person became another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Entries were found to be one person's.
    Linked,
    /// A number of the one is the other's now.
    Moved,
    /// A message said that two are one.
    Merged,
    /// What was one person is two.
    Parted,
    /// Nobody became another: somebody said who may see what.
    Said,
}

/// Writes the ledger entry of a change of identity, once the persons are known: the one
/// that is now, then the one that was; or of what the one said of who may see what. May be
/// called again if a commit fails.
pub type WriteEntry = Box<dyn Fn(Change, &[PersonId]) -> LedgerRow + Send + Sync>;

/// What shall become of a message.
pub enum Proposed {
    /// Keep it and the record it became.
    Apply {
        /// What it became.
        record: Box<Record>,
        /// What can be compared of the person, where the source veiled it itself.
        veiled: Option<Box<Veiled>>,
        /// Whom it is about.
        identifiers: Vec<Indexed>,
        /// Of whom else it speaks (MRG-1 of ADT^A40); empty for all others.
        merge_from: Vec<Indexed>,
        /// What it says of the two.
        claim: Claim,
        /// The ledger entry to write with it, if somebody becomes another person by it.
        entry: Option<WriteEntry>,
        /// Keyed digests of the numbers of the document it holds.
        documents: Vec<String>,
        /// Who is told of it, as far as they enrolled the person.
        wishes: Vec<Wish>,
    },
    /// Keep it as a version of an entry about staff or an organisation.
    Enter {
        /// What it became.
        record: Box<Record>,
        /// Keyed digest of the number it is known by.
        key: String,
    },
    /// Keep it aside: it can be replayed.
    Quarantine(Reason),
    /// Keep that it was refused.
    Refuse(Reason),
}

/// Why a message was not applied: positions, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What is wrong.
    pub fault: Fault,
    /// Where.
    pub at: Option<Position>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// 已保存, applied.
    Kept,
    /// 隔离, kept aside.
    Quarantined,
    /// 拒绝, refused.
    Refused,
}

impl State {
    /// Name in answers, metrics and the console.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Quarantined => "quarantined",
            Self::Refused => "refused",
        }
    }

    /// As the journal writes it.
    pub(super) const fn code(self) -> i64 {
        match self {
            Self::Kept => 0,
            Self::Quarantined => 1,
            Self::Refused => 2,
        }
    }

    /// As the journal reads it; an unknown code is the most careful state.
    pub(super) const fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Kept,
            1 => Self::Quarantined,
            _ => Self::Refused,
        }
    }
}

/// What the store says once a message is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Journal number, from 1, without gaps.
    pub number: u64,
    /// What became of it; a proposal to apply ends quarantined if identities conflict.
    pub state: State,
    /// Why, unless it was applied.
    pub reason: Option<Reason>,
    /// When it arrived; of a repeat, when it first arrived.
    pub received_at_ms: i64,
    /// The same bytes were here before under the same number: the first outcome again.
    pub repeat: bool,
    /// Other bytes were here before under the same number: kept, and counted as an alarm.
    pub control_id_reused: bool,
    /// Whose records changed: the person it is about first, then all others touched.
    pub persons: Vec<PersonId>,
}

/// One ledger entry on its way in.
#[derive(Debug, Clone)]
pub struct LedgerRow {
    /// The entry's canonical text; holds pseudonyms, never identifiers.
    pub bytes: Bytes,
    /// About whom.
    pub person: Option<Pseudonym>,
    /// Who saw it.
    pub department: Option<Department>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A ledger entry that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its number, from 0, without gaps.
    pub number: u64,
    /// The signed checkpoint of the commit it is in.
    pub checkpoint: Bytes,
}

/// What is kept in the commit of new entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The signed checkpoint that covers all up to the last.
    pub checkpoint: Vec<u8>,
    /// Rows of hashes over them, each in place of an earlier one of its place.
    pub tiles: Vec<Tile>,
}

/// Signs the ledger, inside the transaction that holds the new entries.
pub trait Sealing: Send {
    /// Seals some, in order, by the number of the first. If that commit fails, this is called
    /// again with a `first` it has seen already: what it took in from that number on never
    /// happened and must be forgotten. `None` says that they cannot be signed: then they are not
    /// kept either.
    fn seal(&mut self, first: u64, entries: &[&[u8]]) -> Option<Sealed>;

    /// Goes on where another gateway left the ledger, with so many entries; `false` if what it
    /// signed is not this ledger's.
    fn follow(&mut self, ledger: LedgerView<'_>, size: u64) -> bool;
}

/// Whatever signs the ledger of a store.
pub type Seal = Box<dyn Sealing>;

/// Signs nothing, where no entry is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Unsigned;

impl Sealing for Unsigned {
    fn seal(&mut self, _: u64, _: &[&[u8]]) -> Option<Sealed> {
        None
    }

    fn follow(&mut self, _: LedgerView<'_>, _: u64) -> bool {
        false
    }
}

/// Messages of one source, counted in the same commits that keep them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The sender.
    pub source: Source,
    /// Messages that are in the journal; always the sum of the next three.
    pub received: u64,
    /// Applied.
    pub kept: u64,
    /// Kept aside.
    pub quarantined: u64,
    /// Refused.
    pub refused: u64,
    /// Sent again and answered from the journal; not in `received`.
    pub repeated: u64,
    /// Came under a number that other bytes had before: an alarm.
    pub reused: u64,
}

/// A message as the work lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Journal number.
    pub number: u64,
    /// Who sent it.
    pub source: Source,
    /// The sender's number of it, at most 199 bytes.
    pub control_id: String,
    /// When it arrived, in milliseconds since 1970.
    pub received_at_ms: i64,
    /// What became of it.
    pub state: State,
    /// Why, unless it was applied.
    pub reason: Option<Reason>,
}

/// A message out of the journal, to be run again.
#[derive(Clone)]
pub struct Replay {
    /// Who sent it.
    pub source: Source,
    /// What became of it so far.
    pub state: State,
    /// When it arrived, in milliseconds since 1970.
    pub received_at_ms: i64,
    /// What the bytes are written in.
    pub form: Form,
    /// The bytes as they came.
    pub raw: Bytes,
}

/// One dated change of who is the same person as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeEvent {
    /// Who was joined, or set free again.
    pub person: PersonId,
    /// With whom; `None` when the link was undone.
    pub into: Option<PersonId>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Journal number of the message that said so; `None` for an operator.
    pub journal: Option<u64>,
}

/// One entry read back from the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its number.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The canonical text.
    pub bytes: Vec<u8>,
}

/// A signed statement about all entries below a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many entries it covers.
    pub size: u64,
    /// The signed text.
    pub bytes: Vec<u8>,
}
