//! 路径, where a value stands: `PID-3.4.1` in HL7 v2, `/contacts/*/name` in JSON.

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
    #[error("a path is written /name/name, with * for each item of an array")]
    Pointer,
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

/// One step of a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Each item of an array.
    Each,
    /// A member of an object.
    Name(String),
}

/// A place in a JSON document, for every item of the arrays on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Pattern(pub Vec<Step>);

/// How many steps a pattern may have, so that walking one never recurses deeper.
const STEPS_MAX: usize = 16;

impl Pattern {
    /// Reads a JSON pointer (RFC 6901) in which `*` stands for each item of an array.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let rest = text.strip_prefix('/').ok_or(PathError::Pointer)?;
        let steps: Vec<_> = rest
            .split('/')
            .map(|name| match name {
                "*" => Step::Each,
                _ => Step::Name(name.replace("~1", "/").replace("~0", "~")),
            })
            .collect();
        let empty = steps.iter().any(|step| matches!(step, Step::Name(name) if name.is_empty()));
        let sound = !empty && steps.len() <= STEPS_MAX && steps.first() != Some(&Step::Each);
        if sound { Ok(Self(steps)) } else { Err(PathError::Pointer) }
    }

    /// How many arrays stand on the way.
    pub fn arrays(&self) -> usize {
        self.0.iter().filter(|step| **step == Step::Each).count()
    }

    /// Its steps up to and with the last `*`.
    pub fn stem(&self) -> &[Step] {
        let end = self.0.iter().rposition(|step| *step == Step::Each).map_or(0, |at| at + 1);
        self.0.get(..end).unwrap_or_default()
    }
}

/// One member name as RFC 6901 writes it.
pub(super) fn escape_name(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
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

    #[test]
    fn a_pattern_is_a_pointer_with_stars() {
        let pattern = Pattern::parse("/contacts/*/a~1b").unwrap();
        assert_eq!((pattern.arrays(), pattern.stem().len()), (1, 2));
        assert_eq!(pattern.0.last(), Some(&Step::Name("a/b".to_owned())));
        for text in ["", "/", "a/b", "/*", "//a", &"/a".repeat(17)] {
            assert_eq!(Pattern::parse(text), Err(PathError::Pointer), "{text}");
        }
    }
}
