//! The keys that sign the ledger's checkpoints and witness them, and those that check that.
//!
//! Standard: C2SP signed-note and tlog-cosignature, Ed25519 (RFC 8032) keys and their text form,
//! and keys by SM2, for which signed-note has no byte: `0xff` and a longer name.

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

use super::sm2;

/// What a cosignature begins with: seconds since 1970, before the signature itself.
const TIME_BYTES: usize = 8;

/// Bytes of base64 on a line of PEM (RFC 7468).
const PEM_LINE_BYTES: usize = 64;

/// What a key signs, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// Checkpoints of its own ledger.
    Checkpoints,
    /// 国密, the same by SM2 with SM3, on a line of its own.
    CheckpointsBySm2,
    /// What it saw of a ledger of others, and when.
    Cosignatures,
}

impl Signs {
    const ALL: [Self; 3] = [Self::Checkpoints, Self::CheckpointsBySm2, Self::Cosignatures];

    /// What says so before the key in its text form. Nobody else's algorithm has the name of the
    /// third: it is the number GM/T 0006-2012 gives to signatures by SM2 with SM3.
    const fn mark(self) -> &'static [u8] {
        match self {
            Self::Checkpoints => &[1],
            Self::CheckpointsBySm2 => b"\xff1.2.156.10197.1.501",
            Self::Cosignatures => &[4],
        }
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("key file: {0}")]
    File(#[from] std::io::Error),
    /// Not a key of the algorithm.
    #[error("not a key of this algorithm in PKCS#8")]
    Form,
    /// A name must not hold spaces or `+`.
    #[error("a key name is not empty and has no space and no plus sign")]
    Name,
    /// Others may read the file.
    #[error("key file may be read by others than its owner; set its mode to 0600")]
    Open,
    /// A key that signs something else, or otherwise.
    #[error("the key is not one of this kind: a ledger's, its SM2 key and a witness's differ")]
    Other,
    /// Not `name+hash+key`.
    #[error("not a public key of the form name+hash+key")]
    Text,
}

/// The private key of a ledger or a witness.
pub struct SigningKey {
    pair: Pair,
    public: VerifyingKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Sm2(sm2::Pair),
}

/// The public key of a ledger or a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    signs: Signs,
    id: [u8; 4],
    key: Public,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    Ed25519([u8; 32]),
    Sm2(Box<sm2::Public>),
}

impl SigningKey {
    /// Makes a new key that is in no file.
    ///
    /// # Errors
    /// [`KeyError::Name`] for a bad name.
    pub fn generate(name: &str, signs: Signs) -> Result<Self, KeyError> {
        let pair = match signs {
            Signs::CheckpointsBySm2 => sm2::Pair::generate().map(Pair::Sm2),
            _ => Ed25519KeyPair::generate().ok().map(Pair::Ed25519),
        };
        Self::new((name, signs), pair.ok_or(KeyError::Form)?)
    }

    /// Reads a PKCS#8 key, as `openssl genpkey -algorithm ED25519` (RFC 8410) or `SM2` makes it.
    ///
    /// # Errors
    /// [`KeyError`] if it is none, or the name is bad.
    pub fn from_pkcs8(name: &str, signs: Signs, der: &[u8]) -> Result<Self, KeyError> {
        let pair = match signs {
            Signs::CheckpointsBySm2 => sm2::Pair::from_pkcs8(der).map(Pair::Sm2),
            _ => Ed25519KeyPair::from_pkcs8(der).ok().map(Pair::Ed25519),
        };
        Self::new((name, signs), pair.ok_or(KeyError::Form)?)
    }

    /// Makes a new key and writes it to a file that must not exist, readable by its owner
    /// alone; the public key goes beside it, under the extension `pub`.
    ///
    /// # Errors
    /// [`KeyError`] if the file exists or cannot be written.
    pub fn create(path: &Path, name: &str, signs: Signs) -> Result<Self, KeyError> {
        let key = Self::generate(name, signs)?;
        let pem = pem(&key.pair.to_pkcs8()?);
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
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(text).as_ref().to_vec(),
            Pair::Sm2(pair) => pair.sign(text),
        }
    }

    /// A witness's signature over a checkpoint's text, with the time at which it was seen, seconds
    /// since 1970.
    #[must_use]
    pub fn cosign(&self, text: &[u8], at: u64) -> Vec<u8> {
        let mut signature = at.to_be_bytes().to_vec();
        signature.extend(self.sign(&witnessed(text, at)));
        signature
    }

    fn new(named: (&str, Signs), pair: Pair) -> Result<Self, KeyError> {
        let public = match &pair {
            Pair::Ed25519(pair) => VerifyingKey::new(named, pair.public_key().as_ref())?,
            Pair::Sm2(pair) => VerifyingKey::new(named, &pair.point())?,
        };
        Ok(Self { pair, public })
    }
}

impl Pair {
    fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let der = match self {
            Self::Ed25519(pair) => {
                pair.to_pkcs8v1().ok().map(|der| Zeroizing::new(der.as_ref().to_vec()))
            }
            Self::Sm2(pair) => pair.to_pkcs8(),
        };
        der.ok_or(KeyError::Form)
    }
}

/// A private key as a file has it.
fn pem(der: &[u8]) -> Zeroizing<String> {
    let text = Zeroizing::new(STANDARD.encode(der));
    let mut pem = Zeroizing::new(String::with_capacity(2 * text.len() + PEM_LINE_BYTES));
    pem.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = text.as_str();
    while let Some((line, more)) = rest.split_at_checked(PEM_LINE_BYTES.min(rest.len()))
        && !line.is_empty()
    {
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
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
        let marked = |signs: Signs| Some((signs, bytes.strip_prefix(signs.mark())?));
        let (signs, key) = Signs::ALL.into_iter().find_map(marked).ok_or(KeyError::Text)?;
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

    /// The first four bytes of `SHA-256(name ‖ 0x0A ‖ mark of what it signs ‖ key)`.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Whether a signature is this key's.
    #[must_use]
    pub fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        match self.signs {
            Signs::Checkpoints | Signs::CheckpointsBySm2 => self.key.verifies(text, signature),
            Signs::Cosignatures => seen_at(signature).is_some_and(|at| {
                let (_, signature) = signature.split_at(TIME_BYTES);
                self.key.verifies(&witnessed(text, at), signature)
            }),
        }
    }

    fn new((name, signs): (&str, Signs), key: &[u8]) -> Result<Self, KeyError> {
        if name.is_empty() || name.contains(|sign: char| sign.is_whitespace() || sign == '+') {
            return Err(KeyError::Name);
        }
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update(b"\n")
            .chain_update(signs.mark())
            .chain_update(key)
            .finalize();
        let key = match signs {
            Signs::CheckpointsBySm2 => sm2::Public::read(key).map(Box::new).map(Public::Sm2),
            _ => key.try_into().ok().map(Public::Ed25519),
        };
        let key = key.ok_or(KeyError::Form)?;
        let id = hash.first_chunk().copied().unwrap_or_default();
        Ok(Self { name: name.to_owned(), signs, id, key })
    }

    fn hash(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Public {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key,
            Self::Sm2(key) => key.point(),
        }
    }

    fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(text, signature).is_ok()
            }
            Self::Sm2(key) => key.verifies(text, signature),
        }
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
        let typed = [self.signs.mark(), self.key.bytes()].concat();
        write!(f, "{}+{}+{}", self.name, self.hash(), STANDARD.encode(typed))
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
