//! 检查点, the signed state of the tree: what cannot be taken back once somebody holds it.
//!
//! Standard: C2SP tlog-checkpoint, a C2SP signed-note whose text is origin, size and root, and
//! tlog-cosignature for what a witness adds below.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::key::{SigningKey, VerifyingKey, seen_at};
use super::tree::Hash;

/// How many signature lines a note may have; the limit of the reference implementation.
const SIGNATURES_MAX: usize = 100;
/// How many bytes a note may have.
const NOTE_BYTES_MAX: usize = 64 * 1024;
/// What a signature line begins with: an em dash and a space.
const SIGNATURE_MARK: &str = "\u{2014} ";

/// How many entries there were, and what they hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which ledger: the name of its key.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// Why bytes are no checkpoint of this ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a signed note, or its text is not origin, size and root.
    #[error("not a signed checkpoint")]
    Form,
    /// It speaks of another ledger.
    #[error("checkpoint of another ledger")]
    Origin,
    /// A signature in the key's name that the key did not make.
    #[error("signature is wrong")]
    Signature,
    /// No signature of this key.
    #[error("not signed by this key")]
    Unsigned,
}

impl Checkpoint {
    /// The signed note, ready to be kept or shown.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        format!("{}\n{}", self.text(), self.line(key)).into_bytes()
    }

    /// The line of one more key, to stand below the note.
    #[must_use]
    pub fn line(&self, key: &SigningKey) -> String {
        line(key.public(), &key.sign(self.text().as_bytes()))
    }

    /// Reads a note that must be signed by `key`; signatures of others are passed over.
    ///
    /// # Errors
    /// [`CheckpointError`] if it is not this ledger's.
    pub fn open(note: &[u8], key: &VerifyingKey) -> Result<Self, CheckpointError> {
        let checkpoint = Self::read(open(note, key)?.0)?;
        if checkpoint.origin == key.name() { Ok(checkpoint) } else { Err(CheckpointError::Origin) }
    }

    /// What a note says, by whoever; nothing is proven by that.
    #[must_use]
    pub fn unproven(note: &[u8]) -> Option<Self> {
        Self::read(std::str::from_utf8(note).ok()?).ok()
    }

    /// Reads several notes that stand one after another, such as those a department collected.
    ///
    /// # Errors
    /// The number of the note, from 1, and what is wrong with it.
    pub fn open_all(
        notes: &str,
        key: &VerifyingKey,
    ) -> Result<Vec<Self>, (usize, CheckpointError)> {
        let open = |(at, note): (usize, String)| {
            Self::open(note.as_bytes(), key).map_err(|error| (at + 1, error))
        };
        separate(notes).into_iter().enumerate().map(open).collect()
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// Extension lines after the third are passed over, as the standard asks.
    fn read(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Form);
        };
        let size = number(size).filter(|_| !origin.is_empty()).ok_or(CheckpointError::Form)?;
        let root = STANDARD.decode(root).map_err(|_| CheckpointError::Form)?;
        let root = root.try_into().map_err(|_| CheckpointError::Form)?;
        Ok(Self { origin: origin.to_owned(), size, root: Hash::from_bytes(root) })
    }
}

/// A number as the standards write it: `+7` and `007` are numbers to `parse`, and other texts to
/// a signature.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// Whether a note has a line in the name of `key` by another key: of a ledger's note, its second.
#[must_use]
pub fn signed_besides(note: &[u8], key: &VerifyingKey) -> bool {
    let note = String::from_utf8_lossy(note);
    let mut lines = note.lines().filter_map(signature);
    lines.any(|(name, blob)| name == key.name() && !blob.starts_with(&key.id()))
}

/// What a witness adds below a note of this ledger: that it saw it, and when.
///
/// # Errors
/// [`CheckpointError`] if the note is not the ledger's.
pub fn cosign(
    note: &[u8],
    ledger: &VerifyingKey,
    (witness, at): (&SigningKey, u64),
) -> Result<String, CheckpointError> {
    let (text, _) = open(note, ledger)?;
    Ok(line(witness.public(), &witness.cosign(text.as_bytes(), at)))
}

/// When a witness saw the note it signed, seconds since 1970.
///
/// # Errors
/// [`CheckpointError`] if it did not sign it.
pub fn cosigned_at(note: &[u8], witness: &VerifyingKey) -> Result<u64, CheckpointError> {
    let (_, signature) = open(note, witness)?;
    seen_at(&signature).ok_or(CheckpointError::Signature)
}

fn line(key: &VerifyingKey, signature: &[u8]) -> String {
    let mut blob = key.id().to_vec();
    blob.extend_from_slice(signature);
    format!("{SIGNATURE_MARK}{} {}\n", key.name(), STANDARD.encode(blob))
}

/// The text of a note after the signature of `key` on it was checked, and that signature.
fn open<'a>(note: &'a [u8], key: &VerifyingKey) -> Result<(&'a str, Vec<u8>), CheckpointError> {
    let note = std::str::from_utf8(note).map_err(|_| CheckpointError::Form)?;
    let split = note.rfind("\n\n").filter(|_| note.len() <= NOTE_BYTES_MAX);
    let (text, signatures) =
        split.and_then(|at| note.split_at_checked(at + 1)).ok_or(CheckpointError::Form)?;
    let lines = signatures.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
    let lines: Vec<_> = lines.ok_or(CheckpointError::Form)?.split('\n').collect();
    if lines.len() > SIGNATURES_MAX {
        return Err(CheckpointError::Form);
    }
    let mut signed = None;
    for line in lines {
        let (name, blob) = signature(line).ok_or(CheckpointError::Form)?;
        let (id, bytes) = blob.split_at_checked(4).ok_or(CheckpointError::Form)?;
        if name != key.name() || id != key.id() {
            continue;
        }
        if !key.verifies(text.as_bytes(), bytes) {
            return Err(CheckpointError::Signature);
        }
        signed = Some(bytes.to_vec());
    }
    signed.map(|signature| (text, signature)).ok_or(CheckpointError::Unsigned)
}

fn signature(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, blob) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
    let blob = STANDARD.decode(blob).ok()?;
    (!name.is_empty() && blob.len() > 4).then_some((name, blob))
}

/// A note on one line, base64 of its bytes: the form in which it travels in a header,
/// and which [`Checkpoint::open_all`] reads too.
#[must_use]
pub fn one_line(note: &[u8]) -> String {
    STANDARD.encode(note)
}

/// The note a line holds, if it is one of [`one_line`]'s.
fn unfold(line: &str) -> Option<String> {
    let note = String::from_utf8(STANDARD.decode(line.trim()).ok()?).ok()?;
    note.contains(&format!("\n\n{SIGNATURE_MARK}")).then_some(note)
}

/// A note ends where a signature line is followed by none.
fn separate(notes: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for line in notes.lines() {
        let mark = line.starts_with(SIGNATURE_MARK);
        let ended = found.last().is_none_or(|note| ends_signed(note)) && !mark;
        if ended && line.is_empty() {
            continue;
        }
        if let Some(note) = unfold(line).filter(|_| ended) {
            found.push(note);
            open = true;
            continue;
        }
        if ended || !open {
            found.push(String::new());
            open = true;
        }
        if let Some(note) = found.last_mut() {
            note.push_str(line);
            note.push('\n');
        }
    }
    found
}

fn ends_signed(note: &str) -> bool {
    note.lines().next_back().is_some_and(|line| line.starts_with(SIGNATURE_MARK))
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
