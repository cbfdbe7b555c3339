//! 见证, a witness: remembers the largest state of a ledger it saw, and signs what follows from it.
//!
//! Standard: C2SP tlog-witness, `add-checkpoint`. Whoever holds a ledger cannot show one history to
//! a witness and another to somebody who asks for the witness's signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::{Checkpoint, CheckpointError, number};
use super::key::VerifyingKey;
use super::proof::grew;
use super::tree::Hash;

/// How many hashes a proof may have.
const PROOF_MAX: usize = 63;

/// What a ledger sends: a checkpoint, and that it follows from an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// How many entries the earlier one had; 0 if none is known.
    pub old: u64,
    /// The proof that the tree only grew since.
    pub proof: Vec<Hash>,
    /// The signed checkpoint.
    pub note: Vec<u8>,
}

/// Why a witness does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// Not what the protocol has.
    #[error("not a submission: old size, proof, empty line, checkpoint")]
    Malformed,
    /// It does not know the ledger.
    #[error("a ledger this witness does not know")]
    Unknown,
    /// The ledger did not sign it.
    #[error("not signed by the ledger")]
    Unsigned,
    /// The proof begins elsewhere than at what it signed last, or that had another root.
    #[error("the last state this witness signed has {0} entries")]
    Conflict(u64),
    /// The tree did not only grow.
    #[error("the checkpoint does not follow from the last one this witness signed")]
    Inconsistent,
}

impl Declined {
    /// The HTTP status of the standard.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unsigned => 403,
            Self::Unknown => 404,
            Self::Conflict(_) => 409,
            Self::Inconsistent => 422,
        }
    }
}

impl Submission {
    /// The body of the request.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut body = format!("old {}\n", self.old).into_bytes();
        for hash in &self.proof {
            body.extend_from_slice(STANDARD.encode(hash.as_bytes()).as_bytes());
            body.push(b'\n');
        }
        body.push(b'\n');
        body.extend_from_slice(&self.note);
        body
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`Declined::Malformed`].
    pub fn read(body: &[u8]) -> Result<Self, Declined> {
        let text = std::str::from_utf8(body).map_err(|_| Declined::Malformed)?;
        let (head, note) = text.split_once("\n\n").ok_or(Declined::Malformed)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.and_then(number).ok_or(Declined::Malformed)?;
        let proof: Option<Vec<_>> = lines.map(hash).collect();
        let proof = proof.filter(|proof| proof.len() <= PROOF_MAX && (old > 0 || proof.is_empty()));
        let proof = proof.ok_or(Declined::Malformed)?;
        Ok(Self { old, proof, note: note.as_bytes().to_vec() })
    }

    /// Whether a witness signs this, who signed `held` of the ledger last.
    ///
    /// # Errors
    /// [`Declined`].
    pub fn judge(
        &self,
        ledger: &VerifyingKey,
        held: Option<&Checkpoint>,
    ) -> Result<Checkpoint, Declined> {
        let next = Checkpoint::open(&self.note, ledger).map_err(|error| match error {
            CheckpointError::Form => Declined::Malformed,
            CheckpointError::Origin => Declined::Unknown,
            CheckpointError::Signature | CheckpointError::Unsigned => Declined::Unsigned,
        })?;
        if self.old > next.size {
            return Err(Declined::Malformed);
        }
        let size = held.map_or(0, |held| held.size);
        let Some(held) = held.filter(|_| self.old == size) else {
            return if self.old == size { Ok(next) } else { Err(Declined::Conflict(size)) };
        };
        if size == next.size && held.root != next.root {
            return Err(Declined::Conflict(size));
        }
        match grew((held.root, size), (next.root, next.size), &self.proof) {
            true => Ok(next),
            false => Err(Declined::Inconsistent),
        }
    }
}

fn hash(line: &str) -> Option<Hash> {
    let bytes = STANDARD.decode(line).ok()?;
    bytes.try_into().ok().map(Hash::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint::{cosign, cosigned_at};
    use super::super::key::{SigningKey, Signs};
    use super::super::proof::{Subtrees, consistency};
    use super::super::tree::{Frontier, leaf};
    use super::*;

    struct Whole(Vec<Hash>);

    impl Subtrees for Whole {
        type Error = std::convert::Infallible;

        fn subtree(&mut self, height: u32, number: u64) -> Result<Hash, Self::Error> {
            let (width, at) = (1_usize << height, usize::try_from(number).unwrap());
            let leaves = &self.0[at * width..(at + 1) * width];
            Ok(Frontier::default().with(leaves).root())
        }
    }

    fn leaves(size: u64) -> Vec<Hash> {
        (0..size).map(|n| leaf(&n.to_be_bytes())).collect()
    }

    fn state(size: u64) -> Checkpoint {
        let root = Frontier::default().with(&leaves(size)).root();
        Checkpoint { origin: "ledger".to_owned(), size, root }
    }

    fn submitted(key: &SigningKey, (old, size): (u64, u64)) -> Submission {
        let proof = match old {
            0 => Vec::new(),
            _ => consistency(&mut Whole(leaves(size)), (old, size)).unwrap().unwrap_or_default(),
        };
        Submission { old, proof, note: state(size).sign(key) }
    }

    #[test]
    fn a_witness_signs_what_follows_and_nothing_else() {
        let key = SigningKey::generate("ledger", Signs::Checkpoints).unwrap();
        let ledger = key.public();
        let judge = |sent: &Submission, held: Option<u64>| {
            let read = Submission::read(&sent.write()).unwrap();
            assert_eq!(&read, sent);
            read.judge(ledger, held.map(state).as_ref()).map(|next| next.size)
        };
        assert_eq!(judge(&submitted(&key, (0, 7)), None), Ok(7));
        for (old, size) in [(7, 7), (7, 8), (8, 20), (1, 300)] {
            assert_eq!(judge(&submitted(&key, (old, size)), Some(old)), Ok(size));
        }
        assert_eq!(judge(&submitted(&key, (7, 9)), Some(8)), Err(Declined::Conflict(8)));
        assert_eq!(judge(&submitted(&key, (0, 9)), Some(8)), Err(Declined::Conflict(8)));
        assert_eq!(judge(&submitted(&key, (7, 9)), None), Err(Declined::Conflict(0)));
        let back = Submission { old: 9, ..submitted(&key, (7, 8)) };
        assert_eq!(judge(&back, Some(9)), Err(Declined::Malformed));
        // Another history: entries up to 7 are others, and the proof is what it would be.
        let mut forged = submitted(&key, (7, 9));
        let other = Checkpoint { root: Hash::digest(b"other"), ..state(9) };
        forged.note = other.sign(&key);
        assert_eq!(judge(&forged, Some(7)), Err(Declined::Inconsistent));
        let same = Submission { old: 9, proof: Vec::new(), note: forged.note };
        assert_eq!(judge(&same, Some(9)), Err(Declined::Conflict(9)));
        let stranger = SigningKey::generate("ledger", Signs::Checkpoints).unwrap();
        assert_eq!(judge(&submitted(&stranger, (7, 8)), Some(7)), Err(Declined::Unsigned));
    }

    #[test]
    fn what_a_witness_adds_stands_below_the_note() {
        let key = SigningKey::generate("ledger", Signs::Checkpoints).unwrap();
        let witness = SigningKey::generate("witness", Signs::Cosignatures).unwrap();
        let note = state(3).sign(&key);
        let line = cosign(&note, key.public(), (&witness, 1_795_000_000)).unwrap();
        let both = [note.clone(), line.into_bytes()].concat();
        assert_eq!(cosigned_at(&both, witness.public()), Ok(1_795_000_000));
        assert_eq!(Checkpoint::open(&both, key.public()), Ok(state(3)));
        assert_eq!(cosigned_at(&note, witness.public()), Err(CheckpointError::Unsigned));
        let other = state(4).sign(&key);
        let moved = [other, both[note.len()..].to_vec()].concat();
        assert_eq!(cosigned_at(&moved, witness.public()), Err(CheckpointError::Signature));
    }

    #[test]
    fn nothing_else_is_a_submission() {
        let key = SigningKey::generate("ledger", Signs::Checkpoints).unwrap();
        let good = String::from_utf8(submitted(&key, (7, 9)).write()).unwrap();
        for (from, to) in
            [("old 7", "old 07"), ("old 7", "new 7"), ("old 7", "old 0"), ("\n\n", "\n"), ("=", "")]
        {
            let bad = good.replacen(from, to, 1);
            assert_eq!(Submission::read(bad.as_bytes()), Err(Declined::Malformed), "{from}");
        }
        let line = good.lines().nth(1).unwrap();
        let long = good.replacen(line, &[line; 64].join("\n"), 1);
        assert_eq!(Submission::read(long.as_bytes()), Err(Declined::Malformed));
        assert_eq!(Submission::read(&[0xff, 0xfe]), Err(Declined::Malformed));
    }
}
