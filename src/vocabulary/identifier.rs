//! 标识符, the identifiers of a person and the rules that prove them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What sort of identifier a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentifierKind {
    /// 公民身份号码, GB 11643-1999; the 15-digit form is upgraded when read.
    CitizenId,
    /// 电子健康卡标识, computed from a number under a root key: an identifier, no token.
    ElectronicCard,
    /// 居民健康卡号, the resident health card's number.
    HealthCard,
    /// A number one organisation assigned, under its assigning authority.
    Local,
    /// Any other document: passport, permit, insurance number; under its authority.
    Other,
    /// 城乡居民健康档案编号, 17 digits.
    RecordNumber,
}

impl IdentifierKind {
    /// The name in requests, mappings and the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CitizenId => "citizen-id",
            Self::ElectronicCard => "electronic-card",
            Self::HealthCard => "health-card",
            Self::Local => "local",
            Self::Other => "other",
            Self::RecordNumber => "record-number",
        }
    }

    /// The kind with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        use IdentifierKind as Kind;
        let kinds = [Kind::CitizenId, Kind::ElectronicCard, Kind::HealthCard, Kind::Local];
        let kinds = kinds.into_iter().chain([Kind::Other, Kind::RecordNumber]);
        kinds.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// An identifier as its source wrote it: not yet proven.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identifier {
    /// What sort it is.
    pub kind: IdentifierKind,
    /// The characters as written.
    pub value: String,
    /// 分配机构, the assigning authority, where one was given or is known of the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The wire's own type code (`MR`, `SS`), kept so that the way back is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_code: Option<String>,
    /// All components as they came (CX), where there is more than number, authority and
    /// type: dates, assigning facility. As [`super::value::Composite`] has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({}, <{} bytes>)", self.kind.as_str(), self.value.len())
    }
}

/// Why a number is not the identifier it claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// The calendar has no such birth date, or the number says nobody's.
    #[error("birth date inside the number does not exist")]
    BirthDate,
    /// The last character is not the one the others call for.
    #[error("check character is wrong")]
    CheckCharacter,
    /// A character that cannot stand there.
    #[error("character not allowed in this kind of identifier")]
    Character,
    /// Too long or too short.
    #[error("length is wrong for this kind of identifier")]
    Length,
}

/// 公民身份号码, a citizen identity number whose check character has been verified.
///
/// Shape: 18 ASCII bytes, 17 digits then `0-9` or `X`.
/// Standard: GB 11643-1999; the check character is ISO 7064 MOD 11-2.
///
/// Possession of this type is the proof; no other module repeats the check.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CitizenId(String);

/// Weights of the first seventeen digits, GB 11643-1999 section 4.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// Check characters by weighted sum modulo 11.
const CHECKS: [u8; 11] = *b"10X98765432";

impl CitizenId {
    /// Verifies a number; 15 digits become 18 (the century is 19, GB 11643-1989).
    ///
    /// # Errors
    /// [`IdentifierError`] naming what is wrong; the number itself is not in it.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let text = text.trim().to_ascii_uppercase();
        let text = match text.len() {
            15 => Self::upgrade(&text)?,
            18 => text,
            _ => return Err(IdentifierError::Length),
        };
        let (body, check) = text.split_at_checked(17).ok_or(IdentifierError::Character)?;
        if Self::check_character(body)? != check {
            return Err(IdentifierError::CheckCharacter);
        }
        let day = text.get(6..14).unwrap_or_default();
        super::date::Date::parse(day).map_err(|_| IdentifierError::BirthDate)?;
        Ok(Self(text))
    }

    /// The 18 characters. Loud, so that a search finds every place that shows them.
    #[must_use]
    pub fn disclose(&self) -> &str {
        &self.0
    }

    fn upgrade(old: &str) -> Result<String, IdentifierError> {
        let (division, rest) = old.split_at_checked(6).ok_or(IdentifierError::Character)?;
        let body = format!("{division}19{rest}");
        let check = Self::check_character(&body)?;
        Ok(body + &check)
    }

    fn check_character(body: &str) -> Result<String, IdentifierError> {
        let mut sum = 0;
        for (digit, weight) in body.chars().zip(WEIGHTS) {
            sum += digit.to_digit(10).ok_or(IdentifierError::Character)? * weight;
        }
        let check = CHECKS.iter().cycle().nth(sum as usize % CHECKS.len());
        Ok(check.map(|byte| char::from(*byte).to_string()).unwrap_or_default())
    }
}

impl fmt::Debug for CitizenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CitizenId(<masked>)")
    }
}

impl Identifier {
    /// An identifier as it came, without authority.
    #[must_use]
    pub fn new(kind: IdentifierKind, value: impl Into<String>) -> Self {
        Self { kind, value: value.into(), authority: None, type_code: None, parts: Vec::new() }
    }

    /// An identifier of a header: `citizen-id|…`. What names no kind is of the kind `other`.
    #[must_use]
    pub fn spelled(text: &str) -> Self {
        let named = text.split_once('|');
        let named = named.and_then(|(kind, value)| Some((IdentifierKind::parse(kind)?, value)));
        let (kind, value) = named.unwrap_or((IdentifierKind::Other, text));
        Self::new(kind, value)
    }

    /// Whether it is one by which a person is asked about.
    #[must_use]
    pub const fn names_a_person(&self) -> bool {
        use IdentifierKind::{CitizenId, ElectronicCard, HealthCard, RecordNumber};
        matches!(self.kind, CitizenId | ElectronicCard | HealthCard | RecordNumber)
    }

    /// The one spelling of this identifier, once it is proven.
    ///
    /// # Errors
    /// [`IdentifierError`] naming what is wrong, never the number.
    pub fn normalised(&self) -> Result<String, IdentifierError> {
        self.proven().map(|(_, value)| value)
    }

    /// The kind and the one spelling under which this identifier is indexed, once it is proven.
    ///
    /// A health-card number equals the citizen id (card interface, confirmed in one
    /// source). Where it has that shape it must pass the same check, and is that citizen
    /// id: else one person would be two, by card and by number.
    ///
    /// # Errors
    /// [`IdentifierError`] naming what is wrong, never the number.
    pub fn proven(&self) -> Result<(IdentifierKind, String), IdentifierError> {
        let text = self.value.trim();
        let (length, shape): (_, fn(&u8) -> bool) = match self.kind {
            IdentifierKind::CitizenId => return citizen_id(text),
            IdentifierKind::HealthCard if text.len() == 18 => return citizen_id(text),
            IdentifierKind::HealthCard => (1..=64, u8::is_ascii_alphanumeric),
            // Blocks of SM4 as hexadecimal digits; the field has room for 128.
            IdentifierKind::ElectronicCard => (32..=128, u8::is_ascii_hexdigit),
            // 6 county + 3 township + 3 village + 5 serial; no check digit.
            IdentifierKind::RecordNumber => (17..=17, u8::is_ascii_digit),
            IdentifierKind::Local | IdentifierKind::Other => {
                (1..=128, |byte| !byte.is_ascii_control())
            }
        };
        if !length.contains(&text.len()) {
            return Err(IdentifierError::Length);
        }
        if !text.as_bytes().iter().all(shape) {
            return Err(IdentifierError::Character);
        }
        Ok((self.kind, text.to_ascii_uppercase()))
    }
}

fn citizen_id(text: &str) -> Result<(IdentifierKind, String), IdentifierError> {
    CitizenId::parse(text).map(|id| (IdentifierKind::CitizenId, id.disclose().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: IdentifierKind, value: &str, expect: Result<&str, IdentifierError>) {
        let found = Identifier::new(kind, value).normalised();
        assert_eq!(found, expect.map(str::to_owned));
    }

    #[test]
    fn a_citizen_id_is_proven_by_its_check_character() {
        use IdentifierError as E;
        let kind = IdentifierKind::CitizenId;
        check(kind, "11010519491231002X", Ok("11010519491231002X"));
        check(kind, " 11010519491231002x ", Ok("11010519491231002X"));
        check(kind, "110105491231002", Ok("11010519491231002X"));
        check(kind, "110105194912310021", Err(E::CheckCharacter));
        check(kind, "1101051949123100", Err(E::Length));
        check(kind, "11010519491231O02X", Err(E::Character));
        check(kind, "一二三四五六", Err(E::Character));
    }

    #[test]
    fn a_record_number_is_seventeen_digits() {
        let kind = IdentifierKind::RecordNumber;
        check(kind, "41010500100100001", Ok("41010500100100001"));
        check(kind, "4101050010010000", Err(IdentifierError::Length));
        check(kind, "4101050010010000A", Err(IdentifierError::Character));
    }

    #[test]
    fn a_header_names_the_kind_first() {
        for (text, kind, value) in [
            ("citizen-id|11010519491231002X", IdentifierKind::CitizenId, "11010519491231002X"),
            ("health-card|A|B", IdentifierKind::HealthCard, "A|B"),
            ("passport|1", IdentifierKind::Other, "passport|1"),
            ("11010519491231002X", IdentifierKind::Other, "11010519491231002X"),
        ] {
            let found = Identifier::spelled(text);
            assert_eq!((found.kind, found.value.as_str()), (kind, value));
            assert_eq!(found.names_a_person(), kind != IdentifierKind::Other);
        }
    }

    #[test]
    fn what_is_printed_for_debugging_shows_no_number() {
        let id = Identifier::new(IdentifierKind::CitizenId, "11010519491231002X");
        assert!(!format!("{id:?} {:?}", CitizenId::parse(&id.value)).contains("1949"));
    }
}
