//! What the store calls for every batch: entries in, signed checkpoint out.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::key::{SigningKey, VerifyingKey};
use super::tree::{Frontier, Hash, leaf};

/// The right edge of the tree and the key that signs it.
///
/// A batch that was sealed must be kept together with its checkpoint, or the
/// sealer be made anew from what is kept: it cannot forget an entry.
#[derive(Debug)]
pub struct Sealer {
    frontier: Frontier,
    key: SigningKey,
}

/// Why the ledger cannot be continued. The gateway must not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The last checkpoint is not one of this ledger's.
    #[error("last checkpoint of the ledger: {0}; run `kangqiao ledger verify`")]
    Checkpoint(#[from] CheckpointError),
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
        Ok(Self { frontier, key })
    }

    /// Appends a batch and signs the tree it leads to.
    pub fn seal(&mut self, entries: &[&[u8]]) -> Vec<u8> {
        entries.iter().for_each(|entry| self.frontier.append(leaf(entry)));
        let origin = self.key.public().name().to_owned();
        let checkpoint = Checkpoint { origin, size: self.size(), root: self.root() };
        checkpoint.sign(&self.key)
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
        sealer.seal(&ENTRIES[..2]);
        sealer.seal(&ENTRIES[2..])
    }

    #[test]
    fn a_ledger_is_continued_where_it_ended() {
        let mut whole = Sealer::restore(key(), [b""; 0], None).unwrap();
        whole.seal(&ENTRIES);
        let next = whole.seal(&[b"six"]);
        let mut restored = Sealer::restore(key(), ENTRIES, Some(&last())).unwrap();
        assert_eq!((restored.size(), restored.seal(&[b"six"])), (5, next));
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
