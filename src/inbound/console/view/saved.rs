//! Searches that a user of the console has given a name: [`Saving`].

use super::{Asker, Seen};

/// 保存的搜索; `flow` implements it. Saving and forgetting are in the ledger before they are
/// answered; whoever runs one searches, and that is an entry as ever.
pub trait Saving: Send + Sync {
    /// Those of a user on a page, by name. Not recorded: they are his own words.
    fn saved<'a>(&'a self, asker: &'a Asker, shelf: Shelf) -> Seen<'a, Vec<SavedSearch>>;

    /// Keeps one, in place of another of that name.
    fn save<'a>(&'a self, asker: &'a Asker, shelf: Shelf, one: SavedSearch) -> Seen<'a, Kept>;

    /// Forgets one; whether there was one.
    fn forget<'a>(&'a self, asker: &'a Asker, shelf: Shelf, name: &'a str) -> Seen<'a, bool>;
}

/// A page that searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// 披露台账, the ledger.
    Ledger,
    /// 报文追踪, messages.
    Trace,
}

impl Shelf {
    /// The word in the store and in the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Trace => "trace",
        }
    }
}

/// One search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSearch {
    /// What its owner calls it.
    pub name: String,
    /// The fields of its form that are not empty; none of them names a person.
    pub fields: Vec<(String, String)>,
}

/// What became of a search that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Its owner has too many.
    Full,
    /// It is kept.
    Saved,
}
