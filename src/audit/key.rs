//! The keys that sign the ledger's checkpoints and witness them, and those that check that.
//!
//! Standard: C2SP signed-note and tlog-cosignature, Ed25519 (RFC 8032) keys and their text form.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What a cosignature begins with: seconds since 1970, before the signature itself.
const TIME_BYTES: usize = 8;

/// What a key signs, by the byte that says so in its text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Signs {
    /// Checkpoints of its own ledger.
    Checkpoints = 1,
    /// What it saw of a ledger of others, and when.
    Cosignatures = 4,
}

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
    /// A key of a ledger where one of a witness is due, or the other way round.
    #[error("the key is not one of this kind: a ledger's and a witness's differ")]
    Other,
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
    signs: Signs,
    id: [u8; 4],
    key: [u8; 32],
}

impl SigningKey {
    /// Makes a new key that is in no file.
    ///
    /// # Errors
    /// [`KeyError::Name`] for a bad name.
    pub fn generate(name: &str, signs: Signs) -> Result<Self, KeyError> {
        Self::new((name, signs), Ed25519KeyPair::generate().map_err(|_| KeyError::Form)?)
    }

    /// Reads a PKCS#8 key (RFC 8410), as `openssl genpkey -algorithm ED25519` makes it.
    ///
    /// # Errors
    /// [`KeyError`] if it is none, or the name is bad.
    pub fn from_pkcs8(name: &str, signs: Signs, der: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|_| KeyError::Form)?;
        Self::new((name, signs), pair)
    }

    /// Makes a new key and writes it to a file that must not exist, readable by its owner
    /// alone; the public key goes beside it, under the extension `pub`.
    ///
    /// # Errors
    /// [`KeyError`] if the file exists or cannot be written.
    pub fn create(path: &Path, name: &str, signs: Signs) -> Result<Self, KeyError> {
        let key = Self::generate(name, signs)?;
        let der = key.pair.to_pkcs8v1().map_err(|_| KeyError::Form)?;
        let text = Zeroizing::new(STANDARD.encode(der.as_ref()));
        // 48 bytes are 64 characters: one line, as RFC 7468 wants it.
        let pem = Zeroizing::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            text.as_str()
        ));
        if path.try_exists()? {
            return Err(std::io::Error::from(ErrorKind::AlreadyExists).into());
        }
        // Under its name it is whole: half a key would stand in the way of the next start.
        let part = path.with_extension("part");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()?;
        let mut public = File::create(path.with_extension("pub"))?;
        public.write_all(format!("{}\n", key.public).as_bytes())?;
        public.sync_all()?;
        fs::rename(&part, path)?;
        // A name is on the disk once its folder is.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(key)
    }

    /// Reads the key from its file.
    ///
    /// # Errors
    /// [`KeyError`] if it is no key, or if others may read it.
    pub fn load(path: &Path, name: &str, signs: Signs) -> Result<Self, KeyError> {
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyError::Open);
        }
        let pem = Zeroizing::new(fs::read(path)?);
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| KeyError::Form)?;
        Self::from_pkcs8(name, signs, der.secret_pkcs8_der())
    }

    /// Reads the key, or makes it at the first start.
    ///
    /// # Errors
    /// [`KeyError`] as for [`SigningKey::load`] and [`SigningKey::create`].
    pub fn load_or_create(path: &Path, name: &str, signs: Signs) -> Result<Self, KeyError> {
        match path.try_exists()? {
            true => Self::load(path, name, signs),
            false => Self::create(path, name, signs),
        }
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

    /// A witness's signature over a checkpoint's text, with the time at which it was seen, seconds
    /// since 1970.
    #[must_use]
    pub fn cosign(&self, text: &[u8], at: u64) -> Vec<u8> {
        let mut signature = at.to_be_bytes().to_vec();
        signature.extend(self.sign(&witnessed(text, at)));
        signature
    }

    fn new(named: (&str, Signs), pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let public = VerifyingKey::new(named, pair.public_key().as_ref())?;
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
        let (signs, key) = match bytes.split_first() {
            Some((1, key)) => (Signs::Checkpoints, key),
            Some((4, key)) => (Signs::Cosignatures, key),
            _ => return Err(KeyError::Text),
        };
        let read = Self::new((name, signs), key).map_err(|_| KeyError::Text)?;
        if read.hash() == hash { Ok(read) } else { Err(KeyError::Text) }
    }

    /// Reads the text form of a key that must sign this.
    ///
    /// # Errors
    /// [`KeyError::Text`] if it is none, [`KeyError::Other`] if it signs something else.
    pub fn parse_for(text: &str, signs: Signs) -> Result<Self, KeyError> {
        let key = Self::parse(text)?;
        if key.signs == signs { Ok(key) } else { Err(KeyError::Other) }
    }

    /// The key's name, which is also the origin of the ledger's checkpoints.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of `SHA-256(name ‖ 0x0A ‖ what it signs ‖ key)`.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Whether a signature is this key's.
    #[must_use]
    pub fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        let by = UnparsedPublicKey::new(&ED25519, &self.key);
        match self.signs {
            Signs::Checkpoints => by.verify(text, signature).is_ok(),
            Signs::Cosignatures => seen_at(signature).is_some_and(|at| {
                let (_, signature) = signature.split_at(TIME_BYTES);
                by.verify(&witnessed(text, at), signature).is_ok()
            }),
        }
    }

    fn new((name, signs): (&str, Signs), key: &[u8]) -> Result<Self, KeyError> {
        if name.is_empty() || name.contains(|sign: char| sign.is_whitespace() || sign == '+') {
            return Err(KeyError::Name);
        }
        let key: [u8; 32] = key.try_into().map_err(|_| KeyError::Form)?;
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', signs as u8])
            .chain_update(key)
            .finalize();
        let id = hash.first_chunk().copied().unwrap_or_default();
        Ok(Self { name: name.to_owned(), signs, id, key })
    }

    fn hash(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// When a cosignature says that it was made, seconds since 1970.
#[must_use]
pub fn seen_at(signature: &[u8]) -> Option<u64> {
    let at = signature.first_chunk::<TIME_BYTES>().map(|time| u64::from_be_bytes(*time));
    at.filter(|at| i64::try_from(*at).is_ok())
}

/// What a witness signs: C2SP tlog-cosignature, `cosignature/v1`.
fn witnessed(text: &[u8], at: u64) -> Vec<u8> {
    let mut whole = format!("cosignature/v1\ntime {at}\n").into_bytes();
    whole.extend_from_slice(text);
    whole
}

/// The text form, as witnesses and `ledger verify --key` take it.
impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed: Vec<u8> = std::iter::once(self.signs as u8).chain(self.key).collect();
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
        let made = SigningKey::load_or_create(&path, "ledger", Signs::Checkpoints).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = SigningKey::load_or_create(&path, "ledger", Signs::Checkpoints).unwrap();
        assert_eq!(made.public(), read.public());
        let beside = fs::read_to_string(folder.path().join("ledger.pub")).unwrap();
        assert_eq!(&VerifyingKey::parse(&beside).unwrap(), made.public());
        assert!(made.public().verifies(b"text", &read.sign(b"text")));
        assert!(!made.public().verifies(b"Text", &read.sign(b"text")));
        assert!(matches!(
            SigningKey::create(&path, "ledger", Signs::Checkpoints),
            Err(KeyError::File(_))
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            SigningKey::load(&path, "ledger", Signs::Checkpoints),
            Err(KeyError::Open)
        ));
    }

    #[test]
    fn a_cosignature_says_when_and_is_no_signature_of_a_ledger() {
        let witness = SigningKey::generate("witness", Signs::Cosignatures).unwrap();
        let text = b"ledger\n1\nAAAA\n";
        let signature = witness.cosign(text, 1_795_000_000);
        assert_eq!(seen_at(&signature), Some(1_795_000_000));
        assert!(witness.public().verifies(text, &signature));
        let mut later = signature.clone();
        later[7] += 1;
        for wrong in [&later[..], &witness.sign(text), &signature[..40], &[]] {
            assert!(!witness.public().verifies(text, wrong));
        }
        let public = witness.public().to_string();
        assert_eq!(&VerifyingKey::parse(&public).unwrap(), witness.public());
        assert!(VerifyingKey::parse_for(&public, Signs::Cosignatures).is_ok());
        let other = VerifyingKey::parse_for(&public, Signs::Checkpoints);
        assert!(matches!(other, Err(KeyError::Other)));
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.key");
        for content in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(
                SigningKey::load(&path, "ledger", Signs::Checkpoints),
                Err(KeyError::Form)
            ));
        }
        for name in ["", "a b", "a+b", "a\u{3000}b"] {
            assert!(matches!(SigningKey::generate(name, Signs::Checkpoints), Err(KeyError::Name)));
        }
    }
}
