//! 一次性验证码, one-time codes: RFC 6238 with SHA-1, six digits, thirty seconds.
//!
//! What every authenticator application understands. A code is good for its own step
//! and the one on either side; that it is taken once is seen to by the caller.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use totp_rs::{Builder, Totp};

/// RFC 4648 section 6.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_BYTES: usize = 20;

/// What user and gateway share: 160 bits, as RFC 4226 section 4 recommends.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// A fresh one.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn draw() -> Result<Self, Unspecified> {
        let mut bytes = [0; SECRET_BYTES];
        rand::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads 32 characters of base32.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(SECRET_BYTES);
        let (mut bits, mut held) = (0_u16, 0);
        for character in text.bytes() {
            let value = ALPHABET.iter().position(|letter| *letter == character)?;
            bits = (bits << 5 | u16::try_from(value).ok()?) & 0x0fff;
            held += 5;
            if held >= 8 {
                held -= 8;
                bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
            }
        }
        bytes.try_into().ok().filter(|_| held == 0).map(Self)
    }

    /// The 32 characters. Loud, so that a search finds every place that shows them.
    #[must_use]
    pub fn disclose(&self) -> String {
        base32(&self.0)
    }

    /// The step whose code this is, near a moment in unix seconds.
    #[must_use]
    pub fn step(&self, code: &str, now: u64) -> Option<u64> {
        self.totp()?.check(code, now)
    }

    /// The code of a moment in unix seconds.
    #[must_use]
    pub fn code(&self, now: u64) -> String {
        self.totp().map(|totp| totp.generate(now).to_string()).unwrap_or_default()
    }

    fn totp(&self) -> Option<Totp> {
        Builder::new().with_secret(self.0).build().ok()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(<masked>)")
    }
}

/// Bytes in base32 without padding; a length that is no multiple of five is filled with zeros.
#[must_use]
pub fn base32(bytes: &[u8]) -> String {
    let letters = bytes.chunks(5).flat_map(|chunk| {
        let mut block = [0; 8];
        for (slot, byte) in block.iter_mut().skip(3).zip(chunk) {
            *slot = *byte;
        }
        let bits = u64::from_be_bytes(block);
        (0..8).rev().map(move |place| {
            let value = bits >> (place * 5) & 31;
            let letter = ALPHABET.iter().zip(0_u64..).find(|(_, at)| *at == value);
            letter.map_or('A', |(letter, _)| char::from(*letter))
        })
    });
    letters.take((bytes.len() * 8).div_ceil(5)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, SHA-1, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = Secret(*b"12345678901234567890");
        for (now, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret.code(now), code);
            assert_eq!(secret.step(code, now), Some(now / 30));
            assert_eq!(secret.step(code, now + 30), Some(now / 30));
            assert_eq!(secret.step(code, now + 90), None);
        }
        for odd in ["", "28708", "2870820", "+87082", "２８７０８２"] {
            assert_eq!(secret.step(odd, 59), None);
        }
    }

    #[test]
    fn a_secret_is_read_back_as_written() {
        let secret = Secret(*b"12345678901234567890");
        assert_eq!(secret.disclose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(Secret::parse(&secret.disclose()), Some(secret));
        let fresh = Secret::draw().unwrap();
        assert_eq!(Secret::parse(&fresh.disclose()), Some(fresh.clone()));
        for odd in ["", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQAA"] {
            assert_eq!(Secret::parse(odd), None);
        }
        assert_eq!(format!("{fresh:?}"), "Secret(<masked>)");
    }
}
