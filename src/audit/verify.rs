//! The proof that the ledger is complete and unchanged, or what is wrong with it and where.

use std::collections::BTreeMap;
use std::iter::Peekable;

use super::checkpoint::{Checkpoint, CheckpointError, signed_besides};
use super::diagnose::{AFTER, Scene, WINDOW};
use super::entry::{Entry, EntryError};
use super::key::VerifyingKey;
use super::retention::{Gone, Kept, Span};
use super::tree::{Frontier, Hash};

/// By which keys a ledger is proven.
#[derive(Debug, Clone, Copy)]
pub struct VerifyingKeys<'k> {
    /// Its own.
    pub own: &'k VerifyingKey,
    /// The one by SM2. From the first checkpoint it signed to the last, each must have its line.
    pub sm2: Option<&'k VerifyingKey>,
}

impl<'k> From<&'k VerifyingKey> for VerifyingKeys<'k> {
    fn from(own: &'k VerifyingKey) -> Self {
        Self { own, sm2: None }
    }
}

/// What was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// How many entries.
    pub entries: u64,
    /// Of how many of them the hash alone is kept, their time being over.
    pub retired: u64,
    /// How many checkpoints of the ledger's own.
    pub checkpoints: u64,
    /// How many of them are signed by the key by SM2 besides.
    pub by_sm2: u64,
    /// From which entry on that key signed no more, if it signed before.
    pub sm2_ends: Option<u64>,
    /// How many checkpoints that others hold.
    pub held: u64,
    /// The root over all entries.
    pub root: Hash,
}

/// What is wrong with the ledger; numbers are those of entries, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Tampering {
    /// The bytes of at least one entry in this range are not those that were signed.
    #[error("entries {first} to {last} hold something else than what was signed")]
    Changed {
        /// First entry after the last good checkpoint.
        first: u64,
        /// Last entry before the checkpoint that does not fit.
        last: u64,
    },
    /// A checkpoint that is none, or is not signed by the ledger's key.
    #[error("checkpoint {number}: {error}")]
    Checkpoint {
        /// Which checkpoint, from 1.
        number: u64,
        /// What is wrong with it.
        error: CheckpointError,
    },
    /// Entries are missing at the end.
    #[error("a checkpoint signed {sealed} entries, the ledger ends at {found}")]
    Cut {
        /// How many were signed.
        sealed: u64,
        /// How many are there.
        found: u64,
    },
    /// Somebody holds a checkpoint that fits another history.
    #[error("a checkpoint held outside signed other entries than the first {size}")]
    Forked {
        /// How many entries it speaks of.
        size: u64,
    },
    /// An entry stands where none was written.
    #[error("entry {number} was put in")]
    Inserted {
        /// The entry.
        number: u64,
    },
    /// An entry is not what a gateway writes.
    #[error("entry {number}: {error}")]
    NotCanonical {
        /// The entry.
        number: u64,
        /// What is wrong with it.
        error: EntryError,
    },
    /// A checkpoint stands after one that signed more.
    #[error("checkpoint {number} is out of order")]
    Order {
        /// Which checkpoint, from 1.
        number: u64,
    },
    /// Entries are missing in the middle.
    #[error("entries {first} to {last} are missing")]
    Removed {
        /// First that is missing.
        first: u64,
        /// Last that is missing.
        last: u64,
    },
    /// Somebody holds a checkpoint over more entries than there are.
    #[error("a checkpoint held outside signed {held} entries, the ledger ends at {found}")]
    RolledBack {
        /// How many were signed.
        held: u64,
        /// How many are there.
        found: u64,
    },
    /// A checkpoint whose line by SM2 is wrong, or that has another key's in its place.
    #[error("checkpoint {number}, by SM2: {error}")]
    Sm2 {
        /// Which checkpoint, from 1.
        number: u64,
        /// What is wrong with its line.
        error: CheckpointError,
    },
    /// A checkpoint between two that the key by SM2 signed, without a line of it.
    #[error(
        "checkpoint {number} has no line by SM2, and the key signed before it and after it: the \
         second signature is missing from entry {first} on"
    )]
    Sm2Missing {
        /// Which checkpoint, from 1.
        number: u64,
        /// First entry that it alone signs.
        first: u64,
    },
    /// The key by SM2 that is asked for has signed nothing.
    #[error("the key by SM2 signed none of the {checkpoints} checkpoints")]
    Sm2Nowhere {
        /// How many there are.
        checkpoints: u64,
    },
    /// Two entries stand in each other's place.
    #[error("entries {first} and {second} have changed places")]
    Swapped {
        /// The earlier.
        first: u64,
        /// The later.
        second: u64,
    },
    /// Entries are gone, and none says that their time was over.
    #[error("of entries {first} to {last} the hashes alone are there, and no entry says why")]
    Untold {
        /// First that is gone.
        first: u64,
        /// Last that is gone.
        last: u64,
    },
    /// Entries at the end were never signed.
    #[error("entries {first} to {last} were never signed")]
    Unsealed {
        /// First that is not signed.
        first: u64,
        /// Last that is not signed.
        last: u64,
    },
}

impl Tampering {
    /// The first entry that is known to be wrong or gone, where that can be said.
    #[must_use]
    pub const fn first(&self) -> Option<u64> {
        match *self {
            Self::Changed { first, last } if first == last => Some(first),
            Self::Changed { .. }
            | Self::Checkpoint { .. }
            | Self::Forked { .. }
            | Self::Order { .. }
            | Self::Sm2 { .. }
            | Self::Sm2Missing { .. }
            | Self::Sm2Nowhere { .. } => None,
            Self::Cut { found, .. } | Self::RolledBack { found, .. } => Some(found),
            Self::Inserted { number } | Self::NotCanonical { number, .. } => Some(number),
            Self::Removed { first, .. }
            | Self::Swapped { first, .. }
            | Self::Untold { first, .. }
            | Self::Unsealed { first, .. } => Some(first),
        }
    }
}

/// Proves a ledger, reading every entry once: `entries` with their numbers, or their hashes
/// where their time is over, the
/// ledger's own `checkpoints` in the order they were made, and those `held` by others.
///
/// Only a checkpoint held elsewhere can show that the whole file was put back to
/// an earlier day; without one, a rolled-back ledger is a good one of that day.
///
/// # Errors
/// The first [`Tampering`] found.
pub fn verify<'k, B: AsRef<[u8]>, C: AsRef<[u8]>>(
    keys: impl Into<VerifyingKeys<'k>>,
    entries: impl IntoIterator<Item = (u64, Kept<B>)>,
    checkpoints: impl IntoIterator<Item = C>,
    held: &[Checkpoint],
) -> Result<Report, Tampering> {
    let mut walk = Walk {
        keys: keys.into(),
        checkpoints: checkpoints.into_iter().peekable(),
        next: None,
        opened: 0,
        by_sm2: 0,
        sm2_ends: None,
        held: held.iter().map(|one| (one.size, one.root)).collect(),
        frontier: Frontier::default(),
        good: Frontier::default(),
        batch: Vec::new(),
        gone: Gone::default(),
    };
    conflict(held)?;
    walk.advance()?;
    let mut entries = entries.into_iter();
    while let Some((number, kept)) = entries.next() {
        if let Some(signed) = walk.step(number, &kept)? {
            let after = entries.take(AFTER).map(|(_, kept)| kept.leaf()).collect();
            return Err(walk.explain(signed, after));
        }
    }
    walk.finish(held)
}

/// Two held checkpoints of one size and different roots prove a fork by themselves.
fn conflict(held: &[Checkpoint]) -> Result<(), Tampering> {
    let mut roots = BTreeMap::new();
    for one in held {
        if roots.insert(one.size, one.root).is_some_and(|root| root != one.root) {
            return Err(Tampering::Forked { size: one.size });
        }
    }
    Ok(())
}

struct Walk<'k, I: Iterator> {
    keys: VerifyingKeys<'k>,
    checkpoints: Peekable<I>,
    /// The next checkpoint that was not yet reached.
    next: Option<Checkpoint>,
    opened: u64,
    /// How many of them the key by SM2 signed.
    by_sm2: u64,
    /// The first that it signed no more, and the first entry of it.
    sm2_ends: Option<(u64, u64)>,
    held: BTreeMap<u64, Hash>,
    frontier: Frontier,
    /// The tree at the last checkpoint that fitted.
    good: Frontier,
    /// What came after it.
    batch: Vec<Hash>,
    gone: Gone,
}

impl<C: AsRef<[u8]>, I: Iterator<Item = C>> Walk<'_, I> {
    /// Opens the next checkpoint.
    fn advance(&mut self) -> Result<(), Tampering> {
        let passed = self.next.take().map(|one| one.size);
        let Some(note) = self.checkpoints.next() else {
            return Ok(());
        };
        self.opened += 1;
        let number = self.opened;
        let opened = Checkpoint::open(note.as_ref(), self.keys.own);
        let next = opened.map_err(|error| Tampering::Checkpoint { number, error })?;
        match self.keys.sm2.map(|key| Checkpoint::open(note.as_ref(), key)) {
            None => (),
            Some(Ok(_)) => match self.sm2_ends {
                // A gateway signs by it from one day on, to one day: whoever took its lines away
                // for a while, or the setting, cannot be told apart.
                Some((number, first)) => return Err(Tampering::Sm2Missing { number, first }),
                None => self.by_sm2 += 1,
            },
            // Before it began, and after it ended, there is no line of another in its place.
            Some(Err(CheckpointError::Unsigned))
                if !signed_besides(note.as_ref(), self.keys.own) =>
            {
                let ends = (self.by_sm2 > 0).then_some((number, passed.unwrap_or(0)));
                self.sm2_ends = self.sm2_ends.or(ends);
            }
            Some(Err(error)) => return Err(Tampering::Sm2 { number, error }),
        }
        // A batch without entries would sign the same size again; the store makes none.
        if next.size <= passed.unwrap_or(0) {
            return Err(Tampering::Order { number });
        }
        self.next = Some(next);
        Ok(())
    }

    /// Takes one entry; gives the checkpoint it should have led to, if it did not.
    fn step<B: AsRef<[u8]>>(
        &mut self,
        number: u64,
        kept: &Kept<B>,
    ) -> Result<Option<Checkpoint>, Tampering> {
        let expected = self.frontier.size();
        if number > expected {
            return Err(Tampering::Removed { first: expected, last: number - 1 });
        }
        if number < expected {
            return Err(Tampering::Inserted { number });
        }
        match kept {
            Kept::Bytes(bytes) => {
                let entry = Entry::from_bytes(bytes.as_ref());
                let entry = entry.map_err(|error| Tampering::NotCanonical { number, error })?;
                self.gone.hear(&entry);
            }
            Kept::Hash(_) => self.gone.find(number),
        }
        let leaf = kept.leaf();
        self.frontier.append(leaf);
        let size = self.frontier.size();
        // A longer batch is not tried, so no more is kept than tells that it is longer.
        if self.batch.len() <= WINDOW {
            self.batch.push(leaf);
        }
        if let Some(signed) = self.next.as_ref().filter(|next| next.size == size) {
            if signed.root != self.frontier.root() {
                return Ok(Some(signed.clone()));
            }
            self.good = self.frontier.clone();
            self.batch.clear();
            self.advance()?;
        }
        match self.held.get(&size) {
            Some(root) if *root != self.frontier.root() => Err(Tampering::Forked { size }),
            _ => Ok(None),
        }
    }

    /// Says what was done to the batch that does not lead to the signed root.
    fn explain(mut self, signed: Checkpoint, after: Vec<Hash>) -> Tampering {
        let last = signed.size - 1;
        if self.batch.len() > WINDOW {
            return Tampering::Changed { first: self.good.size(), last };
        }
        // A next checkpoint that is broken too cannot help, and is not the first fault.
        let next = self.advance().ok().and_then(|()| self.next.take());
        let signed = std::iter::once(signed).chain(next).collect();
        Scene { base: &self.good, batch: &self.batch, after, signed }.explain()
    }

    fn finish(self, held: &[Checkpoint]) -> Result<Report, Tampering> {
        let found = self.frontier.size();
        if let Some(next) = self.next {
            return Err(Tampering::Cut { sealed: next.size, found });
        }
        if self.good.size() < found {
            return Err(Tampering::Unsealed { first: self.good.size(), last: found - 1 });
        }
        if let Some((&size, _)) = self.held.last_key_value().filter(|(size, _)| **size > found) {
            return Err(Tampering::RolledBack { held: size, found });
        }
        let (held, retired) = (u64::try_from(held.len()).unwrap_or(u64::MAX), self.gone.count());
        if let Some(Span { first, last }) = self.gone.untold() {
            return Err(Tampering::Untold { first, last });
        }
        let (checkpoints, by_sm2, root) = (self.opened, self.by_sm2, self.frontier.root());
        if self.keys.sm2.is_some() && by_sm2 == 0 && checkpoints > 0 {
            return Err(Tampering::Sm2Nowhere { checkpoints });
        }
        let sm2_ends = self.sm2_ends.map(|(_, first)| first);
        Ok(Report { entries: found, retired, checkpoints, by_sm2, sm2_ends, held, root })
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
