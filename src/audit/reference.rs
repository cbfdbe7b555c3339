//! A short word of a peer's own that an auditor needs: who asked, the call, the case.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::vocabulary::identifier::CitizenId;

/// How many characters of a reference are kept.
const CHARACTERS_MAX: usize = 64;
/// What stands where a citizen id stood.
const MASKED: &str = "<citizen-id>";

/// A reference as the peer gave it, cut to 64 characters, without citizen ids.
///
/// The ledger cannot be edited, so what must not be in it is taken out before:
/// a caller that writes a resident's number into its case field does not make it
/// permanent. Control characters become spaces, so an entry stays one line
/// wherever it is shown.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference(String);

impl Reference {
    /// Keeps what may be kept of a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let line = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign });
        let masked = mask(line.take(CHARACTERS_MAX * 4).collect());
        // Cutting may leave fifteen digits alone that were not, hence once more.
        Self(mask(masked.chars().take(CHARACTERS_MAX).collect()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn mask(mut text: String) -> String {
    while let Some((from, until)) = citizen_id(&text) {
        text.replace_range(from..until, MASKED);
    }
    text
}

/// Where the first citizen id of 18 or 15 characters stands.
fn citizen_id(text: &str) -> Option<(usize, usize)> {
    [18, 15].into_iter().find_map(|length| {
        let starts = text.char_indices().map(|(at, _)| at);
        let spans = starts.map(|from| (from, from + length));
        spans
            .filter(|(from, until)| length == 18 || alone(text, *from, *until))
            .find(|(from, until)| text.get(*from..*until).is_some_and(is_citizen_id))
    })
}

/// Whether no digit touches the span: 15 digits have no check character of their own,
/// so inside a longer number they would be found by chance.
fn alone(text: &str, from: usize, until: usize) -> bool {
    let digit = |sign: char| sign.is_ascii_digit();
    let before = text.get(..from).is_some_and(|before| before.ends_with(digit));
    let after = text.get(until..).is_some_and(|after| after.starts_with(digit));
    !before && !after
}

fn is_citizen_id(text: &str) -> bool {
    // `parse` trims, and a span with a space in it is not the number alone.
    !text.contains(' ') && CitizenId::parse(text).is_ok()
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reference(<{} bytes>)", self.0.len())
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What does not survive unchanged is seen as "not canonical" by its entry.
        Ok(Self::new(&std::borrow::Cow::<str>::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &str, kept: &str) {
        assert_eq!(Reference::new(given).as_str(), kept);
        assert_eq!(Reference::new(kept).as_str(), kept, "keeping twice changes nothing");
    }

    #[test]
    fn a_reference_never_keeps_a_citizen_id() {
        check("豫民救〔2026〕12号", "豫民救〔2026〕12号");
        check("call-20261121-0001", "call-20261121-0001");
        check("11010519491231002X", "<citizen-id>");
        check("about 11010519491231002x, urgent", "about <citizen-id>, urgent");
        check("case11010519491231002X99", "case<citizen-id>99");
        check("old 110105491231002", "old <citizen-id>");
        check("两人11010519491231002X11010519491231002X", "两人<citizen-id><citizen-id>");
    }

    #[test]
    fn a_reference_is_one_short_line() {
        check("a\nb\tc\u{7f}", "a b c ");
        check(&"长".repeat(65), &"长".repeat(64));
        let padding = "x".repeat(49);
        check(&format!("{padding}1101054912310029"), &format!("{padding}<citizen-id>"));
    }
}
