//! 留存, what is left of entries after their time: their hashes, and the entries that say so.
//!
//! Rows of the tree's hashes stay for ever, so what was signed is proven as before; what the
//! entries said is gone. A ledger in which entries are gone that none says are, was cut.

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::tree::{Hash, leaf};

/// What is kept of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept<B> {
    /// All of it.
    Bytes(B),
    /// Its hash: its time is over.
    Hash(Hash),
}

impl<B: AsRef<[u8]>> Kept<B> {
    /// Its leaf in the tree.
    pub fn leaf(&self) -> Hash {
        match self {
            Self::Bytes(bytes) => leaf(bytes.as_ref()),
            Self::Hash(hash) => *hash,
        }
    }
}

/// Entries in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The number of the first.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
}

impl Span {
    /// How many they are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// The same entries in as few spans as there can be, in order.
#[must_use]
pub fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(before) if span.first <= before.last.saturating_add(1) => {
                before.last = before.last.max(span.last);
            }
            _ => joined.push(span),
        }
    }
    joined
}

/// Entries that are gone, and those of which the ledger says that they are.
#[derive(Debug, Default)]
pub struct Gone {
    found: Vec<Span>,
    told: Vec<Span>,
}

impl Gone {
    /// An entry is gone; they come in order.
    pub fn find(&mut self, number: u64) {
        match self.found.last_mut() {
            Some(before) if number == before.last.saturating_add(1) => before.last = number,
            _ => self.found.push(Span { first: number, last: number }),
        }
    }

    /// Takes note of what an entry says to be gone, if it does.
    pub fn hear(&mut self, entry: &Entry) {
        self.told.extend(entry.retired);
    }

    /// How many are gone.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.found.iter().map(Span::count).sum()
    }

    /// Those of which nobody said so, if there are any.
    #[must_use]
    pub fn untold(self) -> Option<Span> {
        let told = joined(self.told);
        let covers = |gone: &Span| {
            told.iter().any(|span| span.first <= gone.first && gone.last <= span.last)
        };
        self.found.into_iter().find(|gone| !covers(gone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(pairs: &[(u64, u64)]) -> Vec<Span> {
        pairs.iter().map(|&(first, last)| Span { first, last }).collect()
    }

    #[test]
    fn spans_that_touch_are_one() {
        for (given, found) in [
            (&[][..], &[][..]),
            (&[(0, 255), (256, 511)], &[(0, 511)]),
            (&[(512, 767), (0, 255)], &[(0, 255), (512, 767)]),
            (&[(0, 767), (256, 511)], &[(0, 767)]),
        ] {
            assert_eq!(joined(spans(given)), spans(found));
        }
    }

    fn check(found: &[u64], told: &[(u64, u64)], untold: Option<(u64, u64)>) {
        let mut gone = Gone { told: spans(told), ..Gone::default() };
        found.iter().for_each(|number| gone.find(*number));
        assert_eq!(gone.count(), u64::try_from(found.len()).unwrap());
        assert_eq!(gone.untold(), untold.map(|(first, last)| Span { first, last }));
    }

    #[test]
    fn what_is_gone_must_have_been_told() {
        check(&[], &[], None);
        check(&[4, 5, 6], &[(4, 6)], None);
        check(&[4, 5, 6], &[(0, 5), (6, 9)], None);
        check(&[4, 5, 6], &[(4, 5)], Some((4, 6)));
        check(&[1, 4, 5], &[(4, 5)], Some((1, 1)));
        check(&[7], &[], Some((7, 7)));
    }
}
