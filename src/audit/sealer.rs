//! What the store calls for every batch: entries in, signed checkpoint and tiles out.

use super::checkpoint::{Checkpoint, CheckpointError, signed_besides};
use super::key::{SigningKey, VerifyingKey};
use super::tile::{Edge, Tile};
use super::tree::{Frontier, Hash, leaf};

/// What is signed for trial: no checkpoint, and nothing of this ledger's.
const TRIAL: &[u8] = b"trial\n";

/// The right edge of the tree and the key that signs it.
///
/// A batch and its checkpoint are kept in one commit. If that commit fails, the
/// next batch begins at the same number, and the sealer forgets the one before.
#[derive(Debug)]
pub struct Sealer {
    now: State,
    /// The tree before the last batch, should that batch not be kept.
    before: State,
    signers: Signers,
}

/// What signs a ledger: its own key, and on a line below one by the national algorithm.
#[derive(Debug)]
pub struct Signers {
    /// The ledger's own.
    pub own: SigningKey,
    /// The other, if there is one; of the same name.
    pub sm2: Option<SigningKey>,
}

impl From<SigningKey> for Signers {
    fn from(own: SigningKey) -> Self {
        Self { own, sm2: None }
    }
}

impl Signers {
    /// The note of a checkpoint.
    fn sign(&self, checkpoint: &Checkpoint) -> Result<Vec<u8>, SealError> {
        let mut note = checkpoint.sign(&self.own);
        if let Some(sm2) = &self.sm2 {
            note.extend(checkpoint.line(sm2).into_bytes());
            // A line without a signature would spoil the note for every reader.
            if !signed_besides(&note, self.own.public()) {
                return Err(SealError::Miscomputed);
            }
        }
        Ok(note)
    }

    /// Whether the key by SM2 signs at all, by arithmetic nobody has audited: once a start, since
    /// to check a signature takes three times as long as to make it.
    fn try_sm2(&self) -> Result<(), SealError> {
        let tried = |sm2: &SigningKey| sm2.public().verifies(TRIAL, &sm2.sign(TRIAL));
        let holds = self.sm2.as_ref().is_none_or(tried);
        if holds { Ok(()) } else { Err(SealError::Miscomputed) }
    }

    /// What the last note of a ledger signed: how many entries, and their root.
    fn last(&self, note: &[u8]) -> Result<(u64, Hash), SealError> {
        let own = self.own.public();
        let checkpoint = Checkpoint::open(note, own)?;
        match self.sm2.as_ref().map(|sm2| Checkpoint::open(note, sm2.public())) {
            // One that has not begun yet begins now.
            Some(Err(CheckpointError::Unsigned)) if !signed_besides(note, own) => (),
            Some(Err(error)) => return Err(SealError::Sm2(error)),
            Some(Ok(_)) | None => (),
        }
        Ok((checkpoint.size, checkpoint.root))
    }
}

/// A tree as far as it must be known to append to it.
#[derive(Debug, Clone)]
struct State {
    frontier: Frontier,
    edge: Edge,
}

impl State {
    /// A tree that ends with this edge, as its last checkpoint signed it.
    fn signed(signers: &Signers, edge: Edge, last: Option<&[u8]>) -> Result<Self, SealError> {
        let frontier = edge.frontier();
        let found = frontier.size();
        let (sealed, root) = match last {
            Some(note) => signers.last(note)?,
            None => (0, Frontier::default().root()),
        };
        if sealed != found {
            return Err(SealError::Size { found, sealed });
        }
        if root != frontier.root() {
            return Err(SealError::Root { size: found });
        }
        Ok(Self { frontier, edge })
    }
}

/// What is kept in the commit of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The signed checkpoint.
    pub checkpoint: Vec<u8>,
    /// Rows of the tree's hashes; one stands in place of an earlier one of its name.
    pub tiles: Vec<Tile>,
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
    /// The key by SM2 made no signature that holds: nothing was signed.
    #[error("the SM2 key makes no signature that holds")]
    Miscomputed,
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
    /// The last checkpoint was not signed by this SM2 key, and was by another.
    #[error("last checkpoint of the ledger, by SM2: {0}; put back the key it was signed by")]
    Sm2(CheckpointError),
}

impl Sealer {
    /// Continues a ledger that ends with this edge, and its last checkpoint.
    ///
    /// # Errors
    /// [`SealError`] if the two do not belong together.
    pub fn restore(
        signers: impl Into<Signers>,
        edge: Edge,
        last: Option<&[u8]>,
    ) -> Result<Self, SealError> {
        let signers = signers.into();
        signers.try_sm2()?;
        let now = State::signed(&signers, edge, last)?;
        Ok(Self { before: now.clone(), now, signers })
    }

    /// Goes on where another who has the same keys left the ledger: at this edge.
    ///
    /// # Errors
    /// [`SealError`] if its last checkpoint is not of that edge, or not by these keys; then
    /// nothing has changed.
    pub fn follow(&mut self, edge: Edge, last: Option<&[u8]>) -> Result<(), SealError> {
        self.now = State::signed(&self.signers, edge, last)?;
        self.before = self.now.clone();
        Ok(())
    }

    /// Appends a batch, whose first entry has this number, and signs the tree it leads to.
    ///
    /// # Errors
    /// [`SealError::Gap`] if the batch follows neither the last batch nor, in its place, the one
    /// before: signing it would sign a ledger nobody has. [`SealError::Miscomputed`].
    pub fn seal(&mut self, first: u64, entries: &[&[u8]]) -> Result<Sealed, SealError> {
        if first == self.size() {
            self.before = self.now.clone();
        } else if first == self.before.frontier.size() {
            self.now = self.before.clone();
        } else {
            return Err(SealError::Gap { found: self.size(), first });
        }
        let mut tiles = Vec::new();
        for entry in entries {
            let leaf = leaf(entry);
            self.now.frontier.append(leaf);
            self.now.edge.append(leaf, &mut tiles);
        }
        let origin = self.public().name().to_owned();
        let checkpoint = Checkpoint { origin, size: self.size(), root: self.root() };
        Ok(Sealed { checkpoint: self.signers.sign(&checkpoint)?, tiles })
    }

    /// The right edge of the tree.
    #[must_use]
    pub const fn edge(&self) -> &Edge {
        &self.now.edge
    }

    /// How many entries were sealed.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.now.frontier.size()
    }

    /// The root over them.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.now.frontier.root()
    }

    /// The key that checks the signatures.
    #[must_use]
    pub const fn public(&self) -> &VerifyingKey {
        self.signers.own.public()
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::Signs;
    use super::*;

    fn key() -> SigningKey {
        let der: Vec<u8> = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20]
            .into_iter()
            .chain([9; 32])
            .collect();
        SigningKey::from_pkcs8("ledger", Signs::Checkpoints, &der).unwrap()
    }

    fn restore(
        key: impl Into<Signers>,
        entries: &[&[u8]],
        last: Option<&[u8]>,
    ) -> Result<Sealer, SealError> {
        let mut edge = Edge::default();
        entries.iter().for_each(|entry| edge.append(leaf(entry), &mut Vec::new()));
        Sealer::restore(key, edge, last)
    }

    const ENTRIES: [&[u8]; 5] = [b"one", b"two", b"three", b"four", b"five"];

    fn last() -> Vec<u8> {
        let mut sealer = restore(key(), &[], None).unwrap();
        sealer.seal(0, &ENTRIES[..2]).unwrap();
        sealer.seal(2, &ENTRIES[2..]).unwrap().checkpoint
    }

    #[test]
    fn a_ledger_is_continued_where_it_ended() {
        let mut whole = restore(key(), &[], None).unwrap();
        whole.seal(0, &ENTRIES).unwrap();
        let next = whole.seal(5, &[b"six"]);
        let mut restored = restore(key(), &ENTRIES, Some(&last())).unwrap();
        assert_eq!((restored.size(), restored.seal(5, &[b"six"])), (5, next));
    }

    #[test]
    fn a_batch_that_was_not_kept_is_forgotten() {
        let mut sealer = restore(key(), &[], None).unwrap();
        sealer.seal(0, &ENTRIES[..2]).unwrap();
        sealer.seal(2, &[b"lost", b"with", b"its commit"]).unwrap();
        // As the store does it: the same requests again, one by one, one of them dropped.
        sealer.seal(2, &ENTRIES[2..3]).unwrap();
        sealer.seal(3, &[b"refused"]).unwrap();
        sealer.seal(3, &ENTRIES[3..4]).unwrap();
        assert_eq!(sealer.seal(4, &ENTRIES[4..]).unwrap().checkpoint, last());
    }

    #[test]
    fn tiles_of_a_batch_that_was_not_kept_come_again() {
        let entries: Vec<Vec<u8>> = (0..600).map(|n| format!("entry {n}").into_bytes()).collect();
        let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        let mut sealer = restore(key(), &[], None).unwrap();
        sealer.seal(0, &entries[..200]).unwrap();
        let lost = sealer.seal(200, &entries[200..]).unwrap();
        let again = sealer.seal(200, &entries[200..]).unwrap();
        let names: Vec<_> = again.tiles.iter().map(|tile| (tile.level, tile.number)).collect();
        assert_eq!(names, [(0, 0), (1, 0), (0, 1), (1, 0)]);
        assert_eq!(again, lost);
    }

    #[test]
    fn a_batch_out_of_place_is_not_signed() {
        let mut sealer = restore(key(), &[], None).unwrap();
        sealer.seal(0, &ENTRIES[..2]).unwrap();
        sealer.seal(2, &ENTRIES[2..4]).unwrap();
        for first in [0, 1, 3, 5] {
            let gap = SealError::Gap { found: 4, first };
            assert_eq!(sealer.seal(first, &[b"x"]), Err(gap));
        }
        assert_eq!(sealer.seal(4, &ENTRIES[4..]).unwrap().checkpoint, last());
    }

    fn check(entries: &[&[u8]], last: Option<&[u8]>, error: SealError) {
        assert_eq!(restore(key(), entries, last).map(|_| ()), Err(error));
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
        let stranger = SigningKey::generate("ledger", Signs::Checkpoints).unwrap();
        let error = restore(stranger, &ENTRIES, Some(&note)).map(|_| ());
        assert_eq!(error, Err(SealError::Checkpoint(CheckpointError::Unsigned)));
    }

    #[test]
    fn a_second_key_begins_at_any_time_and_is_not_replaced() {
        let sm2 = || SigningKey::generate("ledger", Signs::CheckpointsBySm2).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sm2.key");
        SigningKey::create(&path, "ledger", Signs::CheckpointsBySm2).unwrap();
        let kept = || SigningKey::load(&path, "ledger", Signs::CheckpointsBySm2).unwrap();
        let both = |sm2: SigningKey| Signers { own: key(), sm2: Some(sm2) };
        // A ledger that had none so far.
        let mut begun = restore(both(kept()), &ENTRIES, Some(&last())).unwrap();
        let note = begun.seal(5, &[b"six"]).unwrap().checkpoint;
        let own = Checkpoint::open(&note, key().public());
        assert_eq!(own, Checkpoint::open(&note, kept().public()));
        assert_eq!(own.map(|signed| signed.size), Ok(6));
        assert!(signed_besides(&note, key().public()) && !signed_besides(&last(), key().public()));
        let entries = [&ENTRIES[..], &[b"six"]].concat();
        // The same again after a start, byte for byte: no nonce is a matter of luck.
        let mut again = restore(both(kept()), &ENTRIES, Some(&last())).unwrap();
        assert_eq!(again.seal(5, &[b"six"]).unwrap().checkpoint, note);
        assert!(restore(both(kept()), &entries, Some(&note)).is_ok());
        let other = restore(both(sm2()), &entries, Some(&note)).map(|_| ());
        assert_eq!(other, Err(SealError::Sm2(CheckpointError::Unsigned)));
        // Without it the ledger goes on, and its checkpoints say that it ended.
        let mut ended = restore(key(), &entries, Some(&note)).unwrap();
        let note = ended.seal(6, &[b"seven"]).unwrap().checkpoint;
        assert_eq!(Checkpoint::open(&note, kept().public()), Err(CheckpointError::Unsigned));
    }
}
