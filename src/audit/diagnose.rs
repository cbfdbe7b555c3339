//! From "these entries are not those that were signed" to what was done to them.
//!
//! A root says that something is wrong, not what. Within one batch every exchange
//! of two entries and every single insertion can be tried: the one that leads to
//! the signed root, and to the one after it, is what happened.

use super::checkpoint::Checkpoint;
use super::tree::{Frontier, Hash};
use super::verify::Tampering;

/// How many entries a batch may have to be tried, and how far an entry may have moved.
pub const WINDOW: usize = 64;
/// How many entries after the batch are read, so that the next checkpoint is reached.
pub const AFTER: usize = 1024;

/// What was found where the signed one should be.
pub struct Scene<'a> {
    /// The tree at the last checkpoint that fitted.
    pub base: &'a Frontier,
    /// The leaves from there to the checkpoint that does not fit.
    pub batch: &'a [Hash],
    /// The leaves that follow, as far as they were read.
    pub after: Vec<Hash>,
    /// The checkpoint that does not fit, and the next one if there is one.
    pub signed: Vec<Checkpoint>,
}

impl Scene<'_> {
    /// What was done to the batch.
    pub fn explain(&self) -> Tampering {
        let changed = Tampering::Changed {
            first: self.number(0),
            last: self.number(self.batch.len().saturating_sub(1)),
        };
        let leaves: Vec<Hash> = self.batch.iter().chain(&self.after).copied().collect();
        (0..self.batch.len()).find_map(|index| self.try_at(&leaves, index)).unwrap_or(changed)
    }

    /// Tries what may have been done to one entry of the batch.
    fn try_at(&self, leaves: &[Hash], index: usize) -> Option<Tampering> {
        let (head, tail) = leaves.split_at_checked(index)?;
        if self.fits(head.iter().chain(tail.iter().skip(1))) {
            return Some(Tampering::Inserted { number: self.number(index) });
        }
        let until = leaves.len().min(self.batch.len() + WINDOW);
        let mut swapped = leaves.to_vec();
        (index + 1..until).find_map(|other| {
            swapped.swap(index, other);
            let fits = self.fits(swapped.iter());
            swapped.swap(index, other);
            let (first, second) = (self.number(index), self.number(other));
            fits.then_some(Tampering::Swapped { first, second })
        })
    }

    /// Whether leaves after the base lead to every signed root they reach, and to the first.
    fn fits<'a>(&self, leaves: impl Iterator<Item = &'a Hash>) -> bool {
        let mut tree = self.base.clone();
        let mut signed = self.signed.iter().peekable();
        let mut reached = false;
        for leaf in leaves {
            tree.append(*leaf);
            let Some(checkpoint) = signed.next_if(|next| next.size == tree.size()) else {
                continue;
            };
            if checkpoint.root != tree.root() {
                return false;
            }
            reached = true;
            if signed.peek().is_none() {
                break;
            }
        }
        reached
    }

    fn number(&self, index: usize) -> u64 {
        self.base.size() + u64::try_from(index).unwrap_or(u64::MAX)
    }
}
