//! 回执号, the number on an answer that leads to its ledger entry.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A receipt number: 26 characters that sort by time and say nothing about anybody.
///
/// Shape: Crockford base 32 of 48 bits of milliseconds since 1970, then 80 random bits (a ULID).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Receipt(u128);

/// How many characters a receipt has.
const LENGTH: usize = 26;
/// Crockford base 32: no I, L, O, U, so that a receipt survives being read out.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a text is no receipt number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a receipt is 26 characters of 0-9 and A-Z without I, L, O and U")]
pub struct ReceiptError;

impl Receipt {
    /// A receipt for a moment, from random bytes handed in; the last ten are used.
    #[must_use]
    pub fn new(at_ms: i64, random: [u8; 16]) -> Self {
        let time = u128::from(u64::try_from(at_ms).unwrap_or(0)) << 80;
        Self(time | (u128::from_be_bytes(random) & ((1 << 80) - 1)))
    }

    /// Reads a receipt as a person types it: any case, I and L for 1, O for 0.
    ///
    /// # Errors
    /// [`ReceiptError`] if it is anything else.
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        let mut number: u128 = 0;
        for byte in text.trim().bytes() {
            let sign = match byte.to_ascii_uppercase() {
                b'I' | b'L' => b'1',
                b'O' => b'0',
                other => other,
            };
            let digit = ALPHABET.iter().position(|known| *known == sign).ok_or(ReceiptError)?;
            // The first of 26 digits carries three bits only.
            if number >> 123 != 0 {
                return Err(ReceiptError);
            }
            number = number << 5 | u128::try_from(digit).unwrap_or_default();
        }
        if text.trim().len() == LENGTH { Ok(Self(number)) } else { Err(ReceiptError) }
    }

    /// When it was given, in milliseconds since 1970.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        i64::try_from(self.0 >> 80).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(LENGTH);
        for place in (0..LENGTH).rev() {
            let digit = usize::try_from((self.0 >> (5 * place)) & 31).unwrap_or_default();
            text.extend(ALPHABET.get(digit).map(|byte| char::from(*byte)));
        }
        f.pad(&text)
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Receipt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Receipt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_read_back_however_it_is_typed() {
        let receipt = Receipt::new(1_795_000_000_123, *b"0123456789abcdef");
        let text = receipt.to_string();
        assert_eq!(text.len(), 26);
        assert_eq!(receipt.at_ms(), 1_795_000_000_123);
        let spoken = text.replace('0', "o").replace('1', "l").to_lowercase();
        for typed in [text.clone(), text.to_lowercase(), format!(" {text} "), spoken] {
            assert_eq!(Receipt::parse(&typed), Ok(receipt), "{typed}");
        }
    }

    #[test]
    fn the_text_is_that_of_the_ulid_specification() {
        // The limits the specification gives: the first moment, and the last with all bits set.
        assert_eq!(Receipt::new(0, [0; 16]).to_string(), "0".repeat(26));
        let last = Receipt::new((1 << 48) - 1, [0xff; 16]).to_string();
        assert_eq!(last, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        let known = Receipt::new(1_469_918_176_385, [0; 16]).to_string();
        assert_eq!(known.get(..10), Some("01ARYZ6S41"));
    }

    #[test]
    fn receipts_sort_by_time() {
        let early = Receipt::new(1_000, [0xff; 16]);
        let late = Receipt::new(1_001, [0; 16]);
        assert!(early < late && early.to_string() < late.to_string());
    }

    #[test]
    fn nothing_else_is_a_receipt() {
        let text = Receipt::new(1, [1; 16]).to_string();
        let long = format!("{text}0");
        for wrong in ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", &text[1..], &long, &text.replace('1', "U")]
        {
            assert_eq!(Receipt::parse(wrong), Err(ReceiptError), "{wrong}");
        }
    }
}
