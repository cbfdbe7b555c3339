//! 已遮蔽, what can be compared of one entry, and under whose key it was made.

use std::fmt;

use serde::{Deserialize, Deserializer};

use super::traits::Traits;
use super::weights::Weights;
use super::{Judged, decide};
use crate::vocabulary::hex::{from_hex, to_hex};

/// By what a key of the veil is told from others; says nothing of the key.
///
/// Shape: 16 hexadecimal digits, small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 8]);

impl Fingerprint {
    /// Reads what its `Display` writes, and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = from_hex(text).filter(|_| text == text.to_ascii_lowercase())?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0).to_ascii_lowercase())
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not 16 hexadecimal digits"))
    }
}

/// Traits, and the key they were made under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veiled {
    /// The key of those who veiled them; `None` for the gateway's own.
    pub by: Option<Fingerprint>,
    /// What can be compared.
    pub traits: Traits,
}

impl Veiled {
    /// Compares, weighs and judges; `None` if the two were made under different keys, which
    /// have nothing in common.
    #[must_use]
    pub fn against(&self, other: &Self, weights: &Weights) -> Option<Judged> {
        (self.by == other.by).then(|| decide(weights, &self.traits, &other.traits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_written_one_way() {
        let written = "00f1e2d3c4b5a697";
        assert_eq!(Fingerprint::parse(written).unwrap().to_string(), written);
        for odd in ["", "00F1E2D3C4B5A697", "00f1e2d3c4b5a6", "00f1e2d3c4b5a69700"] {
            assert_eq!(Fingerprint::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn traits_of_two_keys_are_never_compared() {
        let traits = Traits { phones: vec![3], ..Traits::default() };
        let by = |key: Option<u8>| Veiled {
            by: key.map(|key| Fingerprint([key; 8])),
            traits: traits.clone(),
        };
        let weights = Weights::default();
        assert!(by(Some(1)).against(&by(Some(1)), &weights).is_some());
        for (one, other) in [(Some(1), Some(2)), (None, Some(1)), (Some(1), None)] {
            assert!(by(one).against(&by(other), &weights).is_none());
        }
    }
}
