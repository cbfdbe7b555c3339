//! What an auditor is shown of doubts: [`Noticing`].

use super::{Asker, Named, Seen};
use crate::audit::doubt::{Doubt, Inquiry};

/// 疑点, what in the ledger is to be looked at; `flow` implements it. Every look is in the ledger
/// before it is answered.
pub trait Noticing: Send + Sync {
    /// Doubts, the newest first.
    fn doubts<'a>(&'a self, asker: &'a Asker, asked: DoubtQuery) -> Seen<'a, DoubtPage>;
}

/// Which doubts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoubtQuery {
    /// Those of one inquiry; of all if none.
    pub of: Option<Inquiry>,
    /// So many were seen.
    pub skip: usize,
    /// At most so many.
    pub limit: usize,
}

/// Some doubts.
#[derive(Debug, Clone, Default)]
pub struct DoubtPage {
    /// From when on entries were looked at, unix milliseconds.
    pub since_ms: i64,
    /// The doubts, each with the title of its department.
    pub rows: Vec<(Option<Named>, Doubt)>,
    /// How many there are of each inquiry that is asked.
    pub counts: Vec<(Inquiry, usize)>,
    /// How many entries are still to be read: this page will say more when it is asked again.
    pub unread: u64,
    /// How much was let go because there was too much of it.
    pub let_go: u64,
    /// The auditor's list.
    pub list: ListState,
    /// Ask again with this for older ones; `None` at the end.
    pub next: Option<usize>,
}

/// How things stand with the auditor's list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ListState {
    /// None is named in the configuration.
    #[default]
    None,
    /// It was read.
    Read {
        /// By which the auditor knows it.
        digest: String,
        /// How many rows it has.
        rows: usize,
    },
    /// It cannot be read any more.
    Unreadable,
}
