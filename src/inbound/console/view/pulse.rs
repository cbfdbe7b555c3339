//! What went through the gateway in the last day: counts, and nobody's name.

use std::collections::{BTreeMap, BTreeSet};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// Entries of the ledger, by their kind: what left or was refused.
    Ledger,
    /// Messages received, by sender.
    Sender,
    /// Notices delivered, by subscription.
    Subscription,
}

/// The last day, oldest first; since the start, where that is later.
#[derive(Debug, Clone, Default)]
pub struct Beats {
    /// Half hours, none left out.
    pub beats: Vec<Beat>,
}

/// Half an hour.
#[derive(Debug, Clone, Default)]
pub struct Beat {
    /// When it began, unix milliseconds.
    pub at_ms: i64,
    /// What was counted in it.
    pub counts: BTreeMap<(Counted, String), u64>,
}

impl Beats {
    /// Whose counts there are, in the order of their names.
    #[must_use]
    pub fn of(&self, of: Counted) -> Vec<String> {
        let all = self.beats.iter().flat_map(|beat| beat.counts.keys());
        let names: BTreeSet<_> = all.filter(|(known, _)| *known == of).map(|one| &one.1).collect();
        names.into_iter().cloned().collect()
    }
}

impl Beat {
    /// The counts of these.
    #[must_use]
    pub fn row(&self, of: Counted, names: &[String]) -> Vec<u64> {
        let count = |name: &String| self.counts.get(&(of, name.clone())).copied();
        names.iter().map(|name| count(name).unwrap_or_default()).collect()
    }
}
