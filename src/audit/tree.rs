//! The Merkle tree over the ledger's entries.
//!
//! Standard: RFC 9162 section 2.1.1 (the same tree as RFC 6962 section 2.1), SHA-256.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::identity::hex;

/// 32 bytes of SHA-256: a leaf, an inner node, a root, or the digest of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The plain SHA-256 of some bytes, such as an answer.
    #[must_use]
    pub fn digest(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A hash read back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (slot, [high, low]) in bytes.iter_mut().zip(pairs) {
            *slot = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a SHA-256 in hexadecimal"))
    }
}

/// The hash of one entry: `SHA-256(0x00 ‖ entry)`.
#[must_use]
pub fn leaf(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// The hash of two subtrees: `SHA-256(0x01 ‖ left ‖ right)`.
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Hash(
        Sha256::new()
            .chain_update([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// The right edge of a tree: all that is needed to append to it, at most 64 hashes.
///
/// `peaks` holds the roots of the full subtrees, widest first: one for every 1
/// in the binary form of `size`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Appends a leaf.
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // A full subtree of every width that ends in a 1 is joined with the new one.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root; of the empty tree the SHA-256 of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            Some(last) => peaks.fold(*last, |right, left| node(left, &right)),
            None => Hash::digest(b""),
        }
    }

    /// A tree of full subtrees, widest first: how many leaves each has, and its root.
    #[must_use]
    pub fn of(peaks: impl IntoIterator<Item = (u64, Hash)>) -> Self {
        let mut tree = Self::default();
        for (size, peak) in peaks {
            tree.size += size;
            tree.peaks.push(peak);
        }
        tree
    }

    /// The same subtrees.
    pub fn peaks(&self) -> impl Iterator<Item = (u64, Hash)> {
        let widths = (0..u64::BITS).rev().map(|bit| 1 << bit).filter(|width| self.size & width > 0);
        widths.zip(self.peaks.iter().copied())
    }

    /// This tree with more leaves.
    #[must_use]
    pub fn with<'a>(&self, leaves: impl IntoIterator<Item = &'a Hash>) -> Self {
        let mut longer = self.clone();
        leaves.into_iter().for_each(|leaf| longer.append(*leaf));
        longer
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;

    /// The leaves of the reference tests of Certificate Transparency, in hexadecimal.
    pub const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    /// Their roots at sizes 1 to 8, from the same reference tests.
    pub const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn the_roots_are_those_of_the_reference_tests() {
        let mut frontier = Frontier::default();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(frontier.root().to_string(), empty);
        for (bytes, root) in LEAVES.iter().zip(ROOTS) {
            frontier.append(leaf(bytes));
            assert_eq!(frontier.root().to_string(), root, "size {}", frontier.size());
        }
    }

    #[test]
    fn another_implementation_grows_the_same_tree() {
        let mut frontier = Frontier::default();
        let mut theirs = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
        for number in 1..=300_u64 {
            let entry = format!("entry {number}").into_bytes();
            frontier.append(leaf(&entry));
            theirs.push(entry);
            assert_eq!(frontier.root().as_bytes()[..], theirs.root().as_bytes()[..], "{number}");
        }
    }

    #[test]
    fn only_sixty_four_lower_case_digits_are_a_hash() {
        let hash = leaf(b"x");
        let text = hash.to_string();
        assert_eq!(Hash::parse(&text), Some(hash));
        for wrong in
            [&text[1..], &text.to_uppercase(), &format!("{text}0"), &text.replace('a', "g")]
        {
            assert_eq!(Hash::parse(wrong), None, "{wrong}");
        }
    }
}
