//! 国密签名, SM2 with SM3: what a key by the national algorithm signs below a checkpoint.
//!
//! Standard: GB/T 32918.2-2016 (SM2 signatures), GB/T 32905-2016 (SM3), and the signer's identity
//! that GM/T 0009-2012 section 10 gives where none was agreed on. A nonce follows from key and text
//! (RFC 6979 with SM3), so a signature needs no luck.
//!
//! The arithmetic below was never audited by anybody independent: this stands beside Ed25519, never
//! in its place.

use sm2::SecretKey;
use sm2::dsa::signature::{Signer, Verifier};
use sm2::dsa::{Signature, SigningKey, VerifyingKey};
use sm2::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use zeroize::Zeroizing;

/// 可辨别标识, the signer's identity that goes into the digest.
const IDENTITY: &str = "1234567812345678";
/// A point of the curve: 04, then x and y.
const POINT_BYTES: usize = 65;

/// A private key.
pub struct Pair(SigningKey);

impl Pair {
    /// A new one; `None` where the system has no random bytes to give.
    pub fn generate() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            aws_lc_rs::rand::fill(&mut *bytes).ok()?;
            // One of four thousand million is no key of this curve.
            if let Ok(secret) = SecretKey::from_slice(&*bytes) {
                return Self::of(&secret);
            }
        }
    }

    /// One in PKCS#8, as `openssl genpkey -algorithm SM2` makes it.
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        Self::of(&SecretKey::from_pkcs8_der(der).ok()?)
    }

    fn of(secret: &SecretKey) -> Option<Self> {
        SigningKey::new(IDENTITY, secret).ok().map(Self)
    }

    /// It in PKCS#8.
    pub fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let secret = SecretKey::from(self.0.as_nonzero_scalar());
        Some(secret.to_pkcs8_der().ok()?.to_bytes())
    }

    /// The point of the public key.
    pub fn point(&self) -> Vec<u8> {
        self.0.verifying_key().to_sec1_bytes().into_vec()
    }

    /// `r ‖ s`, 64 bytes; nothing in the case, never met, in which key and text need another nonce.
    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        let signature: Option<Signature> = self.0.try_sign(text).ok();
        signature.map(|signature| signature.to_bytes().to_vec()).unwrap_or_default()
    }
}

/// A public key.
#[derive(Debug, Clone)]
pub struct Public {
    point: [u8; POINT_BYTES],
    key: VerifyingKey,
}

impl Public {
    /// Reads the point; another spelling of it is another key to whoever hashes it.
    pub fn read(point: &[u8]) -> Option<Self> {
        let key = VerifyingKey::from_sec1_bytes(IDENTITY, point).ok()?;
        Some(Self { point: point.try_into().ok()?, key })
    }

    /// The point.
    pub const fn point(&self) -> &[u8] {
        &self.point
    }

    /// Whether a signature is this key's.
    pub fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|read| self.key.verify(text, &read).is_ok())
    }
}

impl PartialEq for Public {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl Eq for Public {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key of `openssl genpkey -algorithm SM2` (OpenSSL 3.0), and what `openssl pkeyutl -sign
    /// -rawin -digest sm3 -pkeyopt distid:1234567812345678` signed by it.
    const OPENSSL_KEY: &str = "\
        308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b020101042070b7\
        9391b7c580a3cf128159fde974e8ee39906676470443f97602d276ce6be6a14403420004b4f0\
        808f928ddfb52791a138a9181cde1cdf03123a1d186f51e0e8c577103e42313cd3019e4c33ee\
        4db3a799f5358eb3c28388f9dd4ea6c36a09aa1d7dc17b34";
    const OPENSSL_TEXT: &[u8] = b"ledger\n7\nAAAA\n";
    const OPENSSL_SIGNATURE: &str = "\
        a9ae17074e926643c55de0b33c2af114235f134f7cd9e88579f9dde92ec233a0fa9bf5f70061\
        7b5d818f887c322a482f9deb78b632da84150574a9ecf072bd15";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn a_key_and_a_signature_of_openssl_are_read() {
        let pair = Pair::from_pkcs8(&bytes(OPENSSL_KEY)).unwrap();
        let public = Public::read(&pair.point()).unwrap();
        let signature = bytes(OPENSSL_SIGNATURE);
        assert!(public.verifies(OPENSSL_TEXT, &signature));
        for at in 0..signature.len() {
            let mut wrong = signature.clone();
            wrong[at] ^= 1;
            assert!(!public.verifies(OPENSSL_TEXT, &wrong), "byte {at}");
        }
        assert!(!public.verifies(b"another text", &signature));
        assert!(!public.verifies(OPENSSL_TEXT, &signature[1..]) && !public.verifies(b"", &[]));
    }

    #[test]
    fn a_key_survives_its_file_and_signs_the_same_twice() {
        let pair = Pair::generate().unwrap();
        let again = Pair::from_pkcs8(&pair.to_pkcs8().unwrap()).unwrap();
        assert_eq!(pair.point(), again.point());
        let signature = pair.sign(b"text");
        assert_eq!(signature, again.sign(b"text"));
        let public = Public::read(&pair.point()).unwrap();
        assert!(public.verifies(b"text", &signature));
        assert_ne!(pair.sign(b"another"), signature);
    }

    #[test]
    fn a_point_has_one_spelling() {
        let point = Pair::generate().unwrap().point();
        assert_eq!((point.len(), point[0]), (POINT_BYTES, 4));
        let half = [&[2 + (point[64] & 1)], &point[1..33]].concat();
        for wrong in [&half[..], &point[1..], &[0; POINT_BYTES], &[]] {
            assert_eq!(Public::read(wrong), None);
        }
        let mut beside = point;
        beside[64] ^= 1;
        assert_eq!(Public::read(&beside), None, "not on the curve");
    }
}
