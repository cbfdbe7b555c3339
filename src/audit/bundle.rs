//! 证明包, the proof of one entry: whoever holds it needs nobody's permission to believe it.
//!
//! Standard: C2SP tlog-proof; the entry itself is its `extra` data, which is proven by hashing to
//! the leaf. What it says is one line of text a person can read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::{Checkpoint, CheckpointError, cosigned_at, number};
use super::entry::{Entry, EntryError};
use super::key::VerifyingKey;
use super::proof::root_of;
use super::tree::{Hash, leaf};
use super::verify::VerifyingKeys;

/// The first line, C2SP tlog-proof.
const FORM: &str = "c2sp.org/tlog-proof@v1";
/// How many hashes a path may have.
const PATH_MAX: usize = 63;

/// An entry, and that it stands in the ledger.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Its number, from 0.
    pub index: u64,
    /// Its audit path.
    pub path: Vec<Hash>,
    /// The signed checkpoint the path leads to, with what witnesses added.
    pub note: Vec<u8>,
}

/// Why a bundle proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not of the form, or of a later one.
    #[error("not a proof of the form {FORM} that holds its entry")]
    Form,
    /// The checkpoint is not the ledger's.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The line of the key by SM2 that was asked for is wrong, or there is none.
    #[error("checkpoint, by SM2: {}", if matches!(.0, CheckpointError::Unsigned) {
        "the key asked for has no line below it".to_owned()
    } else {
        .0.to_string()
    })]
    Sm2(#[source] CheckpointError),
    /// The path does not lead from the entry to the checkpoint.
    #[error("the entry is not what was signed")]
    Path,
    /// The entry is in the ledger and cannot be read.
    #[error("the entry cannot be read: {0}")]
    Entry(#[from] EntryError),
}

/// What a bundle proves.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The entry.
    pub entry: Entry,
    /// How many entries the ledger had when this was proven.
    pub size: u64,
    /// Whether the key by SM2 signed it too; no if it was not asked for.
    pub by_sm2: bool,
    /// Which witnesses saw that, and when, seconds since 1970.
    pub seen: Vec<(String, u64)>,
}

impl Bundle {
    /// The text form.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut text =
            format!("{FORM}\nextra {}\nindex {}\n", STANDARD.encode(&self.entry), self.index);
        for hash in &self.path {
            text += &STANDARD.encode(hash.as_bytes());
            text.push('\n');
        }
        text.push('\n');
        [text.as_bytes(), &self.note].concat()
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`BundleError::Form`].
    pub fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        Self::parse(bytes).ok_or(BundleError::Form)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, note) = std::str::from_utf8(bytes).ok()?.split_once("\n\n")?;
        let mut lines = head.split('\n');
        (lines.next()? == FORM).then_some(())?;
        let entry = STANDARD.decode(lines.next()?.strip_prefix("extra ")?).ok()?;
        let index = number(lines.next()?.strip_prefix("index ")?)?;
        let hash = |line| STANDARD.decode(line).ok()?.try_into().ok().map(Hash::from_bytes);
        let path: Vec<_> = lines.map(hash).collect::<Option<_>>()?;
        let note = note.as_bytes().to_vec();
        (path.len() <= PATH_MAX).then_some(Self { entry, index, path, note })
    }

    /// Proves it by the ledger's keys; what of the witnesses is asked for is told.
    ///
    /// # Errors
    /// [`BundleError`] if it proves nothing, or a witness's signature is wrong.
    pub fn prove<'k>(
        &self,
        keys: impl Into<VerifyingKeys<'k>>,
        witnesses: &[VerifyingKey],
    ) -> Result<Proven, BundleError> {
        let keys = keys.into();
        let signed = Checkpoint::open(&self.note, keys.own)?;
        let by_sm2 = keys.sm2.map(|key| Checkpoint::open(&self.note, key)).transpose();
        let by_sm2 = by_sm2.map_err(BundleError::Sm2)?.is_some();
        let root = root_of(&leaf(&self.entry), (self.index, signed.size), &self.path);
        if root != Some(signed.root) {
            return Err(BundleError::Path);
        }
        let mut seen = Vec::new();
        for witness in witnesses {
            match cosigned_at(&self.note, witness) {
                Ok(at) => seen.push((witness.name().to_owned(), at)),
                Err(CheckpointError::Unsigned) => (),
                Err(error) => return Err(error.into()),
            }
        }
        let entry = Entry::from_bytes(&self.entry)?;
        Ok(Proven { entry, size: signed.size, by_sm2, seen })
    }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint::cosign;
    use super::super::entry::Kind;
    use super::super::key::{SigningKey, Signs};
    use super::super::tree::{Frontier, node};
    use super::*;

    /// The second of three entries, signed and witnessed.
    fn bundle(key: &SigningKey, witness: &SigningKey) -> Bundle {
        let entry = |n: i64| Entry::new(Kind::Start, 1_795_000_000_000 + n, [7; 16]).to_bytes();
        let leaves: Vec<_> = (0..3).map(|n| leaf(&entry(n))).collect();
        let root = Frontier::default().with(&leaves).root();
        assert_eq!(root, node(&node(&leaves[0], &leaves[1]), &leaves[2]));
        let note = Checkpoint { origin: "ledger".to_owned(), size: 3, root }.sign(key);
        let line = cosign(&note, key.public(), (witness, 1_795_000_060)).unwrap();
        let note = [note, line.into_bytes()].concat();
        Bundle { entry: entry(1), index: 1, path: vec![leaves[0], leaves[2]], note }
    }

    #[test]
    fn a_bundle_proves_its_entry_and_nothing_else() {
        let key = SigningKey::generate("ledger", Signs::Checkpoints).unwrap();
        let witness = SigningKey::generate("witness", Signs::Cosignatures).unwrap();
        let good = bundle(&key, &witness);
        let read = Bundle::read(&good.write()).unwrap();
        assert!(read == good);
        let witnesses = [witness.public().clone()];
        let proven = read.prove(key.public(), &witnesses).unwrap();
        assert_eq!((proven.size, proven.entry.at_ms), (3, 1_795_000_000_001));
        assert_eq!(proven.seen, [("witness".to_owned(), 1_795_000_060)]);
        let check = |bad: Bundle, error| {
            assert_eq!(bad.prove(key.public(), &witnesses).map(|_| ()), Err(error));
        };
        check(Bundle { index: 0, ..good.clone() }, BundleError::Path);
        check(Bundle { path: good.path[..1].to_vec(), ..good.clone() }, BundleError::Path);
        let mut entry = good.entry.clone();
        entry[20] ^= 1;
        check(Bundle { entry, ..good.clone() }, BundleError::Path);
        let stranger = SigningKey::generate("ledger", Signs::Checkpoints).unwrap();
        let unsigned = BundleError::Checkpoint(CheckpointError::Unsigned);
        assert_eq!(good.prove(stranger.public(), &[]).map(|_| ()), Err(unsigned));
        let other = SigningKey::generate("other", Signs::Cosignatures).unwrap();
        let sm2 = SigningKey::generate("ledger", Signs::CheckpointsBySm2).unwrap();
        let both = VerifyingKeys { own: key.public(), sm2: Some(sm2.public()) };
        let missing = BundleError::Sm2(CheckpointError::Unsigned);
        assert_eq!(good.prove(both, &[]).map(|_| ()), Err(missing));
        let signed = Checkpoint::open(&good.note, key.public()).unwrap();
        let note = [&good.note[..], signed.line(&sm2).as_bytes()].concat();
        let twice = Bundle { note, ..good.clone() };
        assert!(twice.prove(both, &witnesses).is_ok_and(|proven| proven.by_sm2));
        assert!(twice.prove(key.public(), &witnesses).is_ok_and(|proven| !proven.by_sm2));
        let nobody = good.prove(key.public(), &[other.public().clone()]).unwrap();
        assert_eq!(nobody.seen, []);
    }

    #[test]
    fn nothing_else_is_a_bundle() {
        let key = SigningKey::generate("ledger", Signs::Checkpoints).unwrap();
        let witness = SigningKey::generate("witness", Signs::Cosignatures).unwrap();
        let good = String::from_utf8(bundle(&key, &witness).write()).unwrap();
        let pairs = [("@v1", "@v2"), ("extra ", "more "), ("index 1", "index 01"), ("\n\n", "\n")];
        for (from, to) in pairs {
            let bad = good.replacen(from, to, 1);
            assert!(Bundle::read(bad.as_bytes()).is_err(), "{from}");
        }
        assert!(Bundle::read(&[0xff]).is_err());
    }
}
