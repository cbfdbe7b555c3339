//! What one source says of who somebody is, in clear: the input of the veil alone.

use std::fmt;

/// Names, numbers and places one record gives of one person, as they were written.
///
/// Nothing here is checked: a number may fail its check, a date may not exist. What is
/// wrong is evidence too.
#[derive(Clone, Default)]
pub struct Demographics {
    /// Full names, the present one first.
    pub names: Vec<String>,
    /// GB/T 2261.1: `1` male, `2` female; as other spellings, `M`, `F`, `男`, `女`.
    pub sex: String,
    /// Digits of a date, with or without separators.
    pub birth_date: String,
    /// 公民身份号码.
    pub citizen_id: String,
    /// 居民健康卡号.
    pub cards: Vec<String>,
    /// Telephones of the person.
    pub phones: Vec<String>,
    /// Division of residence, GB/T 2260.
    pub division: String,
    /// Addresses of residence, as one line each.
    pub addresses: Vec<String>,
    /// Numbers an authority assigned: authority and number.
    pub assigned: Vec<(String, String)>,
}

impl Demographics {
    /// Whether there is nothing to compare but numbers.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.names.is_empty() && self.birth_date.is_empty()
    }
}

/// Shows nothing of the person.
impl fmt::Debug for Demographics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Demographics(<masked>)")
    }
}
