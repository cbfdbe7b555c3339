//! The key that signs the ledger's checkpoints, and the one that checks them.
//!
//! Standard: C2SP signed-note, Ed25519 (RFC 8032) keys and their text form.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The byte that says Ed25519, C2SP signed-note.
const ED25519_TYPE: u8 = 1;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("key file: {0}")]
    File(#[from] std::io::Error),
    /// Not an Ed25519 key.
    #[error("not an Ed25519 key in PKCS#8")]
    Form,
    /// A name must not hold spaces or `+`.
    #[error("a key name is not empty and has no space and no plus sign")]
    Name,
    /// Others may read the file.
    #[error("key file may be read by others than its owner; set its mode to 0600")]
    Open,
    /// Not `name+hash+key`.
    #[error("not a public key of the form name+hash+key")]
    Text,
}

/// The private key of a ledger.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

/// The public key of a ledger or a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    id: [u8; 4],
    key: [u8; 32],
}

impl SigningKey {
    /// Makes a new key that is in no file.
    ///
    /// # Errors
    /// [`KeyError::Name`] for a bad name.
    pub fn generate(name: &str) -> Result<Self, KeyError> {
        Self::new(name, Ed25519KeyPair::generate().map_err(|_| KeyError::Form)?)
    }

    /// Reads a PKCS#8 key (RFC 8410), as `openssl genpkey -algorithm ED25519` makes it.
    ///
    /// # Errors
    /// [`KeyError`] if it is none, or the name is bad.
    pub fn from_pkcs8(name: &str, der: &[u8]) -> Result<Self, KeyError> {
        Self::new(name, Ed25519KeyPair::from_pkcs8(der).map_err(|_| KeyError::Form)?)
    }

    /// Makes a new key and writes it to a file that must not exist, readable by its owner
    /// alone; the public key goes beside it, under the extension `pub`.
    ///
    /// # Errors
    /// [`KeyError`] if the file exists or cannot be written.
    pub fn create(path: &Path, name: &str) -> Result<Self, KeyError> {
        let key = Self::generate(name)?;
        let der = key.pair.to_pkcs8v1().map_err(|_| KeyError::Form)?;
        let text = Zeroizing::new(STANDARD.encode(der.as_ref()));
        // 48 bytes are 64 characters: one line, as RFC 7468 wants it.
        let pem = Zeroizing::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            text.as_str()
        ));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()?;
        fs::write(path.with_extension("pub"), format!("{}\n", key.public))?;
        Ok(key)
    }

    /// Reads the key from its file.
    ///
    /// # Errors
    /// [`KeyError`] if it is no key, or if others may read it.
    pub fn load(path: &Path, name: &str) -> Result<Self, KeyError> {
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyError::Open);
        }
        let pem = Zeroizing::new(fs::read(path)?);
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| KeyError::Form)?;
        Self::from_pkcs8(name, der.secret_pkcs8_der())
    }

    /// Reads the key, or makes it at the first start.
    ///
    /// # Errors
    /// [`KeyError`] as for [`SigningKey::load`] and [`SigningKey::create`].
    pub fn load_or_create(path: &Path, name: &str) -> Result<Self, KeyError> {
        if path.try_exists()? { Self::load(path, name) } else { Self::create(path, name) }
    }

    /// The key that checks this one's signatures.
    #[must_use]
    pub const fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// A signature, 64 bytes.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.pair.sign(text).as_ref().to_vec()
    }

    fn new(name: &str, pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let public = VerifyingKey::new(name, pair.public_key().as_ref())?;
        Ok(Self { pair, public })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, <masked>)", self.public.name)
    }
}

impl VerifyingKey {
    /// Reads the text form `name+hash+key`.
    ///
    /// # Errors
    /// [`KeyError::Text`] if it is another, or the hash is not that of name and key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Text);
        };
        let bytes = STANDARD.decode(key).map_err(|_| KeyError::Text)?;
        match bytes.split_first() {
            Some((&ED25519_TYPE, key)) => {
                let read = Self::new(name, key).map_err(|_| KeyError::Text)?;
                if read.hash() == hash { Ok(read) } else { Err(KeyError::Text) }
            }
            _ => Err(KeyError::Text),
        }
    }

    /// The key's name, which is also the origin of the ledger's checkpoints.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key)`.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Whether a signature is this key's.
    #[must_use]
    pub fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(text, signature).is_ok()
    }

    fn new(name: &str, key: &[u8]) -> Result<Self, KeyError> {
        if name.is_empty() || name.contains(|sign: char| sign.is_whitespace() || sign == '+') {
            return Err(KeyError::Name);
        }
        let key: [u8; 32] = key.try_into().map_err(|_| KeyError::Form)?;
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', ED25519_TYPE])
            .chain_update(key)
            .finalize();
        let id = hash.first_chunk().copied().unwrap_or_default();
        Ok(Self { name: name.to_owned(), id, key })
    }

    fn hash(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The text form, as witnesses and `ledger verify --key` take it.
impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed: Vec<u8> = std::iter::once(ED25519_TYPE).chain(self.key).collect();
        write!(f, "{}+{}+{}", self.name, self.hash(), STANDARD.encode(typed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public key of the reference tests of signed notes.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_public_key_keeps_its_text_and_no_other_text_is_one() {
        assert_eq!(VerifyingKey::parse(PETER).unwrap().to_string(), PETER);
        for at in 0..PETER.len() {
            let mut wrong = PETER.as_bytes().to_vec();
            wrong[at] += 1;
            let wrong = String::from_utf8(wrong).unwrap();
            assert!(VerifyingKey::parse(&wrong).is_err(), "{wrong}");
            assert!(VerifyingKey::parse(&PETER[..at]).is_err());
        }
    }

    #[test]
    fn a_key_file_belongs_to_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.key");
        let made = SigningKey::load_or_create(&path, "ledger").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = SigningKey::load_or_create(&path, "ledger").unwrap();
        assert_eq!(made.public(), read.public());
        let beside = fs::read_to_string(folder.path().join("ledger.pub")).unwrap();
        assert_eq!(&VerifyingKey::parse(&beside).unwrap(), made.public());
        assert!(made.public().verifies(b"text", &read.sign(b"text")));
        assert!(!made.public().verifies(b"Text", &read.sign(b"text")));
        assert!(matches!(SigningKey::create(&path, "ledger"), Err(KeyError::File(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SigningKey::load(&path, "ledger"), Err(KeyError::Open)));
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.key");
        for content in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(SigningKey::load(&path, "ledger"), Err(KeyError::Form)));
        }
        for name in ["", "a b", "a+b", "a\u{3000}b"] {
            assert!(matches!(SigningKey::generate(name), Err(KeyError::Name)));
        }
    }
}
