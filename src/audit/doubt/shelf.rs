//! Where doubts lie: one a day of what is alike, the oldest let go where there are too many.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::reason::{Doubt, Inquiry, Tie, Who};

/// Doubts that are kept.
const DOUBTS_MAX: usize = 10_000;

/// What makes two of a day alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alike {
    /// What follows from one entry.
    Entry(Inquiry, u64),
    /// One person of the list, by whom.
    Listed(Tie, String, Who),
    /// Who asked.
    Who(Inquiry, Who),
}

pub struct Shelf {
    doubts: BTreeMap<(NaiveDate, Alike), Doubt>,
    /// What happened before is of no interest.
    pub since_ms: i64,
    pub let_go: u64,
}

impl Shelf {
    pub const fn since(since_ms: i64) -> Self {
        Self { doubts: BTreeMap::new(), since_ms, let_go: 0 }
    }

    /// The doubt of a place, made if there is none.
    pub fn at(&mut self, place: (NaiveDate, Alike), new: impl FnOnce() -> Doubt) -> &mut Doubt {
        if self.doubts.len() >= DOUBTS_MAX && !self.doubts.contains_key(&place) {
            self.doubts.pop_first();
            self.let_go += 1;
        }
        self.doubts.entry(place).or_insert_with(new)
    }

    pub fn slide(&mut self, since_ms: i64) {
        self.since_ms = since_ms;
        self.doubts.retain(|_, doubt| doubt.at_ms >= since_ms);
    }

    pub fn found(&self) -> impl Iterator<Item = &Doubt> {
        self.doubts.values()
    }
}
