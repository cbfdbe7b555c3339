//! Bytes as hexadecimal digits, for the formats that write them so.

use std::fmt::Write;

/// The bytes that pairs of digits name; `None` if there is anything else.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks_exact(2).map(byte).collect()
}

/// Two upper-case digits for each byte.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_pairs() {
        assert_eq!(from_hex("00fF7a"), Some(vec![0, 255, 122]));
        assert_eq!(to_hex(&[0, 255, 122]), "00FF7A");
        for text in ["0", "0g", "0x00", "00 "] {
            assert_eq!(from_hex(text), None, "{text}");
        }
    }
}
