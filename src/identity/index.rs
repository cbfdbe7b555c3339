//! The keyed blind index: identifiers become tokens, persons become pseudonyms.
//!
//! Neither can be turned back without the key, and the key is not in the store.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{hkdf, hmac};
use serde::{Deserialize, Serialize};

use crate::vocabulary::{Identifier, IdentifierKind, identifier::IdentifierError};

/// 主索引号, one person of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonId(pub i64);

/// A keyed digest of one proven identifier: 32 bytes, equal for equal identifiers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token([u8; 32]);

impl Token {
    /// The bytes, as the store keeps them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A token read back from the store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(<masked>)")
    }
}

/// Whose records a look-up is about: a person of the index, or somebody the index need
/// not know, by an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A person of the index.
    Person(PersonId),
    /// A person of the index, found by one of his entries: what changes of him changes of it.
    Entry {
        /// That entry.
        entry: PersonId,
        /// The person it is of.
        of: PersonId,
    },
    /// Whoever has this identifier.
    Token(Token),
}

/// What stands for a person in the ledger: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pseudonym(pub String);

impl Pseudonym {
    /// Reads one as entries write it; an entry with another spelling could not be read back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 32 && text.bytes().all(digit)).then(|| Self(text.to_owned()))
    }
}

/// The keys of the index, derived from the deployment's master key.
#[derive(Clone)]
pub struct Keys {
    index: Arc<hmac::Key>,
    pseudonym: Arc<hmac::Key>,
    /// Of handles, see [`super::handle`].
    pub(super) handle: [u8; 32],
}

impl Keys {
    /// Derives both keys (HKDF-SHA-256, RFC 5869) from the master key.
    #[must_use]
    pub fn derive(master: &[u8; 32]) -> Self {
        let key =
            |purpose: &[u8]| Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &derive(master, purpose)));
        Self {
            index: key(b"kangqiao blind index v1"),
            pseudonym: key(b"kangqiao pseudonym v1"),
            handle: derive(master, b"kangqiao handle v1"),
        }
    }

    /// The token of an identifier, after it has proven itself.
    ///
    /// Local numbers are told apart by their assigning authority; a number that is
    /// national needs none.
    ///
    /// # Errors
    /// [`IdentifierError`] if the identifier fails its own check.
    pub fn token(&self, identifier: &Identifier) -> Result<Token, IdentifierError> {
        self.indexed(identifier).map(|(_, token)| token)
    }

    /// The token, and the kind it is indexed as.
    ///
    /// # Errors
    /// As [`Keys::token`].
    pub fn indexed(
        &self,
        identifier: &Identifier,
    ) -> Result<(IdentifierKind, Token), IdentifierError> {
        let (kind, value) = identifier.proven()?;
        let authority = match kind {
            IdentifierKind::Local | IdentifierKind::Other => identifier.authority.as_deref(),
            // Senders write what they like beside a national number (`^^^GA^NI`); one person it is.
            IdentifierKind::CitizenId
            | IdentifierKind::ElectronicCard
            | IdentifierKind::HealthCard
            | IdentifierKind::RecordNumber => None,
        };
        let authority = authority.unwrap_or_default();
        Ok((kind, Token(digest(&self.index, &[kind.as_str(), authority, &value]))))
    }

    /// The pseudonym of a person in the ledger.
    #[must_use]
    pub fn pseudonym(&self, person: PersonId) -> Pseudonym {
        Pseudonym(short(digest(&self.pseudonym, &["person", &person.0.to_string()])))
    }

    /// The pseudonym of somebody the index does not know.
    #[must_use]
    pub fn pseudonym_of_token(&self, token: &Token) -> Pseudonym {
        Pseudonym(short(digest(&self.pseudonym, &["token", &hex(&token.0)])))
    }

    /// By how many days the days of a person are moved for a department: 1 to 365, always the
    /// same, and for no other department.
    #[must_use]
    pub fn days_of(&self, department: &str, person: &Pseudonym) -> u16 {
        const MOST: u64 = 365;
        let digest = digest(&self.pseudonym, &["days", department, &person.0]);
        let number = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        u16::try_from(number % MOST + 1).unwrap_or(1)
    }

    /// A stand-in for a value that only `department` can join with itself.
    #[must_use]
    pub fn pseudonym_of_value(&self, department: &str, value: &str) -> String {
        short(digest(&self.pseudonym, &["value", department, value]))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(<masked>)")
    }
}

/// A 32-byte key for one purpose, derived from the master key.
#[must_use]
pub fn derive(master: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    struct Length;
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }
    let mut key = [0; 32];
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]);
    let info = [purpose];
    // HKDF fails only beyond 255 blocks of output; one block is asked for.
    if let Ok(material) = salt.extract(master).expand(&info, Length) {
        let _ = material.fill(&mut key);
    }
    key
}

/// Every part goes in with its length, so that no two lists of parts are the same bytes.
fn digest(key: &hmac::Key, parts: &[&str]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut bytes = [0; 32];
    for (slot, byte) in bytes.iter_mut().zip(context.sign().as_ref()) {
        *slot = *byte;
    }
    bytes
}

fn short(bytes: [u8; 32]) -> String {
    hex(bytes.first_chunk::<16>().unwrap_or(&[0; 16]))
}

/// Bytes in lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let mut text = String::with_capacity(2 * bytes.len());
    // Half a byte is a digit.
    text.extend(halves.filter_map(|half| char::from_digit(half.into(), 16)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_token_however_the_number_is_spelled() {
        let keys = Keys::derive(&[7; 32]);
        let token = |text: &str| keys.token(&Identifier::new(IdentifierKind::CitizenId, text));
        assert_eq!(token("110105491231002"), token("11010519491231002x"));
        assert!(token("11010519491231002X").is_ok());
        assert_ne!(
            token("11010519491231002X"),
            Keys::derive(&[8; 32])
                .token(&Identifier::new(IdentifierKind::CitizenId, "11010519491231002X"))
        );
    }

    #[test]
    fn a_card_number_that_is_a_citizen_id_leads_to_the_same_person() {
        let keys = Keys::derive(&[7; 32]);
        let indexed = |kind, text: &str| keys.indexed(&Identifier::new(kind, text)).unwrap();
        use IdentifierKind::{CitizenId, HealthCard};
        let citizen = indexed(CitizenId, "11010519491231002X");
        assert_eq!(indexed(HealthCard, "11010519491231002x"), citizen);
        assert_ne!(indexed(HealthCard, "A0012345"), indexed(HealthCard, "A0012346"));
        assert_eq!(indexed(HealthCard, "A0012345").0, HealthCard);
    }

    #[test]
    fn a_national_number_is_one_whatever_authority_a_sender_writes_beside_it() {
        let keys = Keys::derive(&[7; 32]);
        let mut identifier = Identifier::new(IdentifierKind::CitizenId, "11010519491231002X");
        let plain = keys.token(&identifier);
        identifier.authority = Some("GA".to_owned());
        assert_eq!(keys.token(&identifier), plain);
    }

    #[test]
    fn a_local_number_is_told_apart_by_its_authority() {
        let keys = Keys::derive(&[7; 32]);
        let token = |authority: &str| {
            let mut identifier = Identifier::new(IdentifierKind::Local, "1001");
            identifier.authority = Some(authority.to_owned());
            keys.token(&identifier)
        };
        assert_ne!(token("hospital-a"), token("hospital-b"));
    }

    #[test]
    fn two_departments_cannot_join_their_pseudonyms() {
        let keys = Keys::derive(&[7; 32]);
        assert_ne!(keys.pseudonym_of_value("a", "x"), keys.pseudonym_of_value("b", "x"));
        assert_ne!(keys.pseudonym_of_value("a", "bx"), keys.pseudonym_of_value("ab", "x"));
    }
}
