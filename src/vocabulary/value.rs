//! The typed values an element may hold.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::code::Coding;
use super::date::Date;
use super::element::ValueType;
use super::identifier::Identifier;

/// One value of one element, complete enough to be written back as it came.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "v", rename_all = "kebab-case")]
pub enum Value {
    /// A postal address.
    Address(Composite),
    /// Yes or no.
    Boolean(bool),
    /// Bytes such as an image.
    Bytes(#[serde(with = "super::base64")] Vec<u8>),
    /// A code, with the sender's own coding beside it.
    Code(Coding),
    /// A date or date-time.
    Date(Date),
    /// An identifier, not yet proven.
    Identifier(Identifier),
    /// A person's name.
    Name(Composite),
    /// An organization with its identifiers (XON).
    Organization(Composite),
    /// An identified person (XCN).
    Person(Composite),
    /// A ward, room and bed (PL).
    Place(Composite),
    /// A number and its unit.
    Quantity(Quantity),
    /// A telephone number or other contact point.
    Telecom(Composite),
    /// Free text.
    Text(String),
}

/// A value made of numbered parts: a name (XPN), an address (XAD), a number (XTN), a person
/// (XCN), an organization (XON), a place (PL).
///
/// `parts` holds the components in the order of HL7 v2 whatever the format was, first is
/// index 0, so that the way back is exact; inside one, `&` stands between subcomponents,
/// and `\T\` and `\E\` for an `&` and a `\` of the text. `text` is the one line a person
/// reads.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Composite {
    /// The whole, as one line.
    pub text: String,
    /// The components as they came; empty if the source gave one line only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
}

/// A number exactly as written, and its unit.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantity {
    /// Decimal digits as written (`7.10` stays `7.10`); parse before computing.
    pub number: String,
    /// Comparator `<`, `>`, `<=`, `>=`, where the source gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparator: Option<String>,
    /// The unit as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

impl Quantity {
    /// The number, for computing with.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        self.number.parse().ok()
    }
}

impl Composite {
    /// A text as it stands in a part: `&` and `\` would be read as separator and escape.
    #[must_use]
    pub fn subcomponent(text: &str) -> Cow<'_, str> {
        match text.contains(['&', '\\']) {
            true => text.replace('\\', "\\E\\").replace('&', "\\T\\").into(),
            false => text.into(),
        }
    }

    /// The text of one subcomponent of a part.
    #[must_use]
    pub fn plain(subcomponent: &str) -> Cow<'_, str> {
        let Some((before, mut rest)) = subcomponent.split_once('\\') else {
            return subcomponent.into();
        };
        let mut text = before.to_owned();
        loop {
            let (sign, after) = match (rest.strip_prefix("T\\"), rest.strip_prefix("E\\")) {
                (Some(after), _) => ('&', after),
                (None, Some(after)) => ('\\', after),
                // Parts of another writer: the sign stands for itself.
                (None, None) => ('\\', rest),
            };
            text.push(sign);
            let Some((before, next)) = after.split_once('\\') else {
                text.push_str(after);
                return text.into();
            };
            text.push_str(before);
            rest = next;
        }
    }

    /// A whole without parts.
    #[must_use]
    pub fn line(text: impl Into<String>) -> Self {
        Self { text: text.into(), parts: Vec::new() }
    }
}

impl Value {
    /// The type of this value.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::Address(_) => ValueType::Address,
            Self::Boolean(_) => ValueType::Boolean,
            Self::Bytes(_) => ValueType::Bytes,
            Self::Code(_) => ValueType::Code,
            Self::Date(_) => ValueType::Date,
            Self::Identifier(_) => ValueType::Identifier,
            Self::Name(_) => ValueType::Name,
            Self::Organization(_) => ValueType::Organization,
            Self::Person(_) => ValueType::Person,
            Self::Place(_) => ValueType::Place,
            Self::Quantity(_) => ValueType::Quantity,
            Self::Telecom(_) => ValueType::Telecom,
            Self::Text(_) => ValueType::Text,
        }
    }
}

/// Shows the type alone, so that a log line cannot disclose the content.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({:?}, <masked>)", self.value_type())
    }
}

impl fmt::Debug for Composite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Composite(<masked>)")
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Quantity(<masked>)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_comes_back_from_its_part(text in r"[\\&TEa张]{0,12}") {
            let part = Composite::subcomponent(&text).into_owned();
            prop_assert!(!part.contains('&'));
            prop_assert_eq!(Composite::plain(&part), text);
        }
    }
}
