//! 路径, where a value stands in HL7 v2: `PID-3.4.1`.

use std::fmt;

use crate::vocabulary::position::Hl7Position;

/// A place in one kind of segment; 0 means "the whole".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Hl7Path {
    pub segment: [u8; 3],
    pub field: u16,
    pub component: u16,
    pub subcomponent: u16,
}

/// Why a text is not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathError {
    #[error("a path is written SEG-field[.component[.subcomponent]]")]
    Hl7,
}

impl Hl7Path {
    /// Reads `PID-3`, `PID-3.4` or `PID-3.4.1`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let (segment, rest) = text.split_once('-').ok_or(PathError::Hl7)?;
        let segment = segment_id(segment).ok_or(PathError::Hl7)?;
        let mut numbers = [0; 3];
        let mut slots = numbers.iter_mut();
        for part in rest.split('.') {
            let plain = part.bytes().all(|byte| byte.is_ascii_digit()) && !part.starts_with('0');
            let number = part.parse().ok().filter(|_| plain).ok_or(PathError::Hl7)?;
            *slots.next().ok_or(PathError::Hl7)? = number;
        }
        let [field, component, subcomponent] = numbers;
        Ok(Self { segment, field, component, subcomponent })
    }

    /// Whether a leaf of its segment stands inside this path.
    pub const fn covers(&self, at: &Hl7Position) -> bool {
        self.field == at.field
            && (self.component == 0 || self.component == at.component)
            && (self.subcomponent == 0 || self.subcomponent == at.subcomponent)
    }

    /// Whether two paths share a leaf.
    pub const fn overlaps(&self, other: &Self) -> bool {
        const fn meet(left: u16, right: u16) -> bool {
            left == 0 || right == 0 || left == right
        }
        self.field == other.field
            && meet(self.component, other.component)
            && meet(self.subcomponent, other.subcomponent)
    }

    /// The same place in one segment of a message.
    pub const fn position(&self, occurrence: u32, repetition: u16) -> Hl7Position {
        Hl7Position {
            segment: self.segment,
            occurrence,
            field: self.field,
            repetition,
            component: self.component,
            subcomponent: self.subcomponent,
        }
    }
}

impl fmt::Display for Hl7Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.position(1, 1).fmt(f)
    }
}

/// Three capitals or digits, the first a capital.
pub(super) fn segment_id(text: &str) -> Option<[u8; 3]> {
    let id: [u8; 3] = text.as_bytes().try_into().ok()?;
    let shaped = id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    (shaped && id.first().is_some_and(u8::is_ascii_uppercase)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: Option<&str>) {
        let found = Hl7Path::parse(text).ok().map(|path| path.to_string());
        assert_eq!(found.as_deref(), shown, "{text}");
    }

    #[test]
    fn a_path_names_a_segment_and_up_to_three_numbers() {
        for text in ["PID-3", "PID-3.4", "PID-3.4.1", "DG1-3.1", "ZB1-120"] {
            check(text, Some(text));
        }
        for text in ["", "PID", "PID-", "PID-0", "PID-3.", "PID-3.4.1.1", "pid-3", "PIDX-3"] {
            check(text, None);
        }
        for text in ["PID-+3", "PID-03", "1ID-3", "PID-99999999", "PID-3[1]", "PID.3"] {
            check(text, None);
        }
    }

    #[test]
    fn paths_overlap_where_they_share_a_leaf() {
        let path = |text| Hl7Path::parse(text).unwrap();
        assert!(path("PID-3").overlaps(&path("PID-3.4.1")));
        assert!(path("PID-3.4").overlaps(&path("PID-3")));
        assert!(!path("PID-3.4").overlaps(&path("PID-3.1")));
        assert!(!path("PID-3").overlaps(&path("PID-5")));
    }
}
