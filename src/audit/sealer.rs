//! What the store calls for every batch: entries in, signed checkpoint out.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::key::{SigningKey, VerifyingKey};
use super::tree::{Frontier, Hash, leaf};

/// The right edge of the tree and the key that signs it.
///
/// A batch and its checkpoint are kept in one commit. If that commit fails, the
/// next batch begins at the same number, and the sealer forgets the one before.
#[derive(Debug)]
pub struct Sealer {
    frontier: Frontier,
    /// The tree before the last batch, should that batch not be kept.
    before: Frontier,
    key: SigningKey,
}

/// Why the ledger cannot be continued. The gateway must not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The last checkpoint is not one of this ledger's.
    #[error("last checkpoint of the ledger: {0}; run `kangqiao ledger verify`")]
    Checkpoint(#[from] CheckpointError),
    /// A batch does not begin where the ledger ends: nothing was signed.
    #[error("a batch begins at entry {first}, the ledger ends at {found}")]
    Gap {
        /// How many entries there are.
        found: u64,
        /// The number of the first of the batch.
        first: u64,
    },
    /// The entries are not those that were signed.
    #[error(
        "the {size} entries of the ledger are not those its last checkpoint signed; \
         run `kangqiao ledger verify`"
    )]
    Root {
        /// How many entries there are.
        size: u64,
    },
    /// More or fewer entries than were signed.
    #[error(
        "the ledger has {found} entries, its last checkpoint signed {sealed}; \
         run `kangqiao ledger verify`"
    )]
    Size {
        /// How many entries there are.
        found: u64,
        /// How many the checkpoint speaks of.
        sealed: u64,
    },
}

impl Sealer {
    /// Continues a ledger from all its entries, in order, and its last checkpoint.
    ///
    /// # Errors
    /// [`SealError`] if the two do not belong together.
    pub fn restore<B: AsRef<[u8]>>(
        key: SigningKey,
        entries: impl IntoIterator<Item = B>,
        last: Option<&[u8]>,
    ) -> Result<Self, SealError> {
        let mut frontier = Frontier::default();
        entries.into_iter().for_each(|entry| frontier.append(leaf(entry.as_ref())));
        let found = frontier.size();
        let (sealed, root) = match last {
            Some(note) => {
                let checkpoint = Checkpoint::open(note, key.public())?;
                (checkpoint.size, checkpoint.root)
            }
            None => (0, Frontier::default().root()),
        };
        if sealed != found {
            return Err(SealError::Size { found, sealed });
        }
        if root != frontier.root() {
            return Err(SealError::Root { size: found });
        }
        Ok(Self { before: frontier.clone(), frontier, key })
    }

    /// Appends a batch, whose first entry has this number, and signs the tree it leads to.
    ///
    /// # Errors
    /// [`SealError::Gap`] if the batch follows neither the last batch nor, in its
    /// place, the one before: signing it would sign a ledger nobody has.
    pub fn seal(&mut self, first: u64, entries: &[&[u8]]) -> Result<Vec<u8>, SealError> {
        if first == self.frontier.size() {
            self.before = self.frontier.clone();
        } else if first == self.before.size() {
            self.frontier = self.before.clone();
        } else {
            return Err(SealError::Gap { found: self.frontier.size(), first });
        }
        entries.iter().for_each(|entry| self.frontier.append(leaf(entry)));
        let origin = self.key.public().name().to_owned();
        let checkpoint = Checkpoint { origin, size: self.size(), root: self.root() };
        Ok(checkpoint.sign(&self.key))
    }

    /// How many entries were sealed.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root over them.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The key that checks the signatures.
    #[must_use]
    pub const fn public(&self) -> &VerifyingKey {
        self.key.public()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        let der: Vec<u8> = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20]
            .into_iter()
            .chain([9; 32])
            .collect();
        SigningKey::from_pkcs8("ledger", &der).unwrap()
    }

    const ENTRIES: [&[u8]; 5] = [b"one", b"two", b"three", b"four", b"five"];

    fn last() -> Vec<u8> {
        let mut sealer = Sealer::restore(key(), [b""; 0], None).unwrap();
        sealer.seal(0, &ENTRIES[..2]).unwrap();
        sealer.seal(2, &ENTRIES[2..]).unwrap()
    }

    #[test]
    fn a_ledger_is_continued_where_it_ended() {
        let mut whole = Sealer::restore(key(), [b""; 0], None).unwrap();
        whole.seal(0, &ENTRIES).unwrap();
        let next = whole.seal(5, &[b"six"]);
        let mut restored = Sealer::restore(key(), ENTRIES, Some(&last())).unwrap();
        assert_eq!((restored.size(), restored.seal(5, &[b"six"])), (5, next));
    }

    #[test]
    fn a_batch_that_was_not_kept_is_forgotten() {
        let mut sealer = Sealer::restore(key(), [b""; 0], None).unwrap();
        sealer.seal(0, &ENTRIES[..2]).unwrap();
        sealer.seal(2, &[b"lost", b"with", b"its commit"]).unwrap();
        // As the store does it: the same requests again, one by one, one of them dropped.
        sealer.seal(2, &ENTRIES[2..3]).unwrap();
        sealer.seal(3, &[b"refused"]).unwrap();
        sealer.seal(3, &ENTRIES[3..4]).unwrap();
        assert_eq!(sealer.seal(4, &ENTRIES[4..]).unwrap(), last());
    }

    #[test]
    fn a_batch_out_of_place_is_not_signed() {
        let mut sealer = Sealer::restore(key(), [b""; 0], None).unwrap();
        sealer.seal(0, &ENTRIES[..2]).unwrap();
        sealer.seal(2, &ENTRIES[2..4]).unwrap();
        for first in [0, 1, 3, 5] {
            let gap = SealError::Gap { found: 4, first };
            assert_eq!(sealer.seal(first, &[b"x"]), Err(gap));
        }
        assert_eq!(sealer.seal(4, &ENTRIES[4..]).unwrap(), last());
    }

    fn check(entries: &[&[u8]], last: Option<&[u8]>, error: SealError) {
        assert_eq!(Sealer::restore(key(), entries, last).map(|_| ()), Err(error));
    }

    #[test]
    fn a_ledger_that_does_not_fit_its_checkpoint_is_not_continued() {
        let note = last();
        check(&ENTRIES[..4], Some(&note), SealError::Size { found: 4, sealed: 5 });
        check(&ENTRIES, None, SealError::Size { found: 5, sealed: 0 });
        check(&[], Some(&note), SealError::Size { found: 0, sealed: 5 });
        let mut changed = ENTRIES;
        changed[1] = b"TWO";
        check(&changed, Some(&note), SealError::Root { size: 5 });
        let mut torn = note.clone();
        torn[8] ^= 1;
        check(&ENTRIES, Some(&torn), SealError::Checkpoint(CheckpointError::Signature));
        let stranger = SigningKey::generate("ledger").unwrap();
        let error = Sealer::restore(stranger, ENTRIES, Some(&note)).map(|_| ());
        assert_eq!(error, Err(SealError::Checkpoint(CheckpointError::Unsigned)));
    }
}
