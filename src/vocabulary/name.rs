//! Short configured names: element ids, classes, sources, departments, purposes.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many bytes a configured name may have.
pub const NAME_BYTES_MAX: usize = 32;

/// A short name from configuration, held inline so that copying it costs nothing.
///
/// Shape: 1 to 32 ASCII bytes of `A-Z a-z 0-9 . - _`, zero padded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Name([u8; NAME_BYTES_MAX]);

/// Folds the bytes into one word first: every value of every record is looked up by its
/// element, and names come from configuration, so nobody chooses them to collide.
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (words, _) = self.0.as_chunks::<8>();
        let fold = |sum: u64, word: &[u8; 8]| {
            (sum.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        state.write_u64(words.iter().fold(0, fold));
    }
}

/// Why a text is not a configured name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 32 of the characters A-Z a-z 0-9 . - _")]
pub struct NameError;

impl Name {
    // Slices are taken apart here because `const` knows no iterators yet.
    const fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            return Err(NameError);
        }
        let mut bytes = [0; NAME_BYTES_MAX];
        let mut from = text.as_bytes();
        let mut to = bytes.as_mut_slice();
        while let ([byte, left @ ..], [slot, room @ ..]) = (from, to) {
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')) {
                return Err(NameError);
            }
            *slot = *byte;
            (from, to) = (left, room);
        }
        Ok(Self(bytes))
    }

    fn as_str(&self) -> &str {
        let (words, _) = self.0.as_chunks::<8>();
        // No sign of a name is zero, so a word has as many as stand before its zeros.
        let signs = |word: &[u8; 8]| 8 - u64::from_le_bytes(*word).leading_zeros() as usize / 8;
        let text = self.0.get(..words.iter().map(signs).sum()).unwrap_or_default();
        // Only `parse` builds a name, and it admits ASCII alone.
        std::str::from_utf8(text).unwrap_or_default()
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Name);

        impl $name {
            /// A name the program itself uses, checked when it is compiled.
            ///
            /// # Panics
            /// If it is none; in a `const` that is a compile error.
            #[must_use]
            pub const fn fixed(text: &'static str) -> Self {
                match Name::parse(text) {
                    Ok(name) => Self(name),
                    Err(_) => panic!("not a configured name"),
                }
            }

            /// Reads a name.
            ///
            /// # Errors
            /// [`NameError`] if the text is empty, too long or holds other characters.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                Name::parse(text).map(Self)
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )+};
}

names! {
    /// 数据元标识符, the id of a data element: `DE02.01.039.00`, or `MZ.…` for a local one.
    ElementId,
    /// 数据类别, the class policies speak about: `diagnosis`, `contact`, `ability`.
    Class,
    /// 数据集, what a record is: `admission`, `laboratory-report`, `ability-assessment`.
    Dataset,
    /// Name of a group inside a record: `diagnosis`, `result`, `contact`.
    GroupName,
    /// 部门, who asks: bound to certificates.
    Department,
    /// Role of a certificate inside its department: `clerk`, `doctor`, `agent`.
    Role,
    /// 用途, the purpose of use, from the closed list in `policies/purposes.toml`.
    Purpose,
    /// 关系, what ties a department to a person: `treating`, `resident`.
    Relation,
    /// Where a record came from: a sender or an upstream system.
    Source,
    /// 事件, what may be told of an elder when it happens: `death`, `discharge`, `identity`.
    Event,
    /// 订阅, one department's standing wish to be told of events.
    Subscription,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_text_and_nothing_else_is_a_name() {
        for text in ["DE02.01.039.00", "MZ.stay.over-30-days", "a", &"x".repeat(32)] {
            assert_eq!(ElementId::parse(text).map(|id| id.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "姓名", "a b", "a\0", &"x".repeat(33)] {
            assert_eq!(ElementId::parse(text), Err(NameError));
        }
    }
}
