//! What an auditor is shown of holds, and what becomes of what he says: [`Holding`].

use super::{Asker, Named, Seen};
use crate::vocabulary::Identifier;

/// 法定保全, entries of the ledger that are kept beyond their time, as an auditor may see and
/// order it; `flow` implements it. Every look, and what is said, is in the ledger before it is
/// answered. Keeping more takes one auditor; keeping less takes two.
pub trait Holding: Send + Sync {
    /// Which there are, by number.
    fn holds<'a>(&'a self, asker: &'a Asker) -> Seen<'a, Vec<HoldRow>>;

    /// Keeps entries from now on.
    fn place_hold<'a>(&'a self, asker: &'a Asker, wish: HoldWish) -> Seen<'a, Placed>;

    /// Takes what somebody says of one.
    fn judge_hold<'a>(&'a self, asker: &'a Asker, said: (u64, HoldWord)) -> Seen<'a, HoldJudged>;
}

/// One hold.
#[derive(Debug, Clone)]
pub struct HoldRow {
    /// The number of the entry that placed it.
    pub number: u64,
    /// Since when, unix milliseconds.
    pub at_ms: i64,
    /// Whose entries are kept.
    pub whose: HeldWhose,
    /// Why.
    pub reason: String,
    /// Who wants it to end, since when, and why.
    pub lifting: Option<(String, i64, String)>,
}

/// Whose entries are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldWhose {
    /// Those of one department.
    Department(Named),
    /// All.
    Everything,
    /// Those about one person, a pseudonym.
    Person(String),
}

/// What shall be kept.
#[derive(Clone)]
pub struct HoldWish {
    /// Whose entries.
    pub whose: HoldWhom,
    /// Why.
    pub reason: String,
}

/// Whose entries shall be kept.
#[derive(Clone)]
pub enum HoldWhom {
    /// Those of one department, by name.
    Department(String),
    /// All.
    Everything,
    /// Those about whoever has this identifier; resolved at once.
    Person(Identifier),
}

/// What can be said of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldWord {
    /// It shall not end, though somebody wanted it.
    Keep,
    /// It shall end, for this reason; the second who says so gives none.
    Lift(String),
}

/// What became of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// They are kept, by that number.
    Placed(u64),
    /// They are already, for the same reason.
    Stands(u64),
    /// There is no such department.
    Unknown,
}

/// What became of what somebody said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldJudged {
    /// It goes on.
    Kept,
    /// It has ended.
    Lifted,
    /// Nothing: a reason is needed.
    NoReason,
    /// Nothing: whoever wanted it may not do it for the second.
    Own,
    /// Nothing: it stands otherwise by now.
    Settled,
    /// A second auditor has to want it too.
    Waits,
}
