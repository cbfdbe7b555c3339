//! A short word of a peer's own that an auditor needs: who asked, the call, the case.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::vocabulary::identifier::CitizenId;

/// How many characters of a reference are kept.
pub const CHARACTERS_MAX: usize = 64;
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
        let line = text.chars().map(|sign| if unseen(sign) { ' ' } else { sign });
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

/// Controls, and what has no width or turns the direction of writing (Unicode UAX 9): it
/// would hide a number from us, or an entry's text from its reader.
fn unseen(sign: char) -> bool {
    let marks = ['\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2060}'..='\u{2069}'];
    sign.is_control() || sign == '\u{feff}' || marks.iter().any(|range| range.contains(&sign))
}

fn mask(mut text: String) -> String {
    while let Some((from, until)) = citizen_id(&text) {
        text.replace_range(from..until, MASKED);
    }
    text
}

/// A character of a number, and where it stands.
struct Sign {
    from: usize,
    until: usize,
    plain: char,
}

/// Where the first citizen id of 18 or 15 characters stands.
///
/// One of 18 is found also where it is written in groups, as people read it aloud; full
/// width digits are digits.
fn citizen_id(text: &str) -> Option<(usize, usize)> {
    // Nearly every text: either kind has at least fifteen digits.
    if text.chars().filter(|sign| narrow(*sign).is_ascii_digit()).count() < 15 {
        return None;
    }
    let sign = |(from, sign): (usize, char)| Sign {
        from,
        until: from + sign.len_utf8(),
        plain: narrow(sign),
    };
    let signs: Vec<Sign> = text.char_indices().map(sign).collect();
    let together: Vec<&Sign> = signs.iter().filter(|sign| !separates(sign.plain)).collect();
    let long = together.windows(18).find(|span| is_citizen_id(span.iter().copied()));
    if let Some([first, .., last]) = long {
        return Some((first.from, last.until));
    }
    let short = (0..signs.len()).find_map(|at| {
        let span = signs.get(at..at + 15)?;
        // 15 digits have no check character of their own, so inside a longer number they
        // would be found by chance.
        let digit = |sign: &Sign| sign.plain.is_ascii_digit();
        let before = at.checked_sub(1).and_then(|before| signs.get(before));
        let touched = before.is_some_and(digit) || signs.get(at + 15).is_some_and(digit);
        (!touched && is_citizen_id(span.iter())).then_some(span)
    });
    match short {
        Some([first, .., last]) => Some((first.from, last.until)),
        _ => None,
    }
}

/// The ASCII form of a full-width character (Unicode block FF01 to FF5E).
fn narrow(sign: char) -> char {
    let plain = u32::from(sign).checked_sub(0xFEE0).filter(|_| ('！'..='～').contains(&sign));
    plain.and_then(char::from_u32).unwrap_or(sign)
}

fn separates(sign: char) -> bool {
    sign.is_whitespace() || matches!(sign, '-' | '.' | '_' | '/' | '·')
}

fn is_citizen_id<'a>(span: impl Iterator<Item = &'a Sign>) -> bool {
    let text: String = span.map(|sign| sign.plain).collect();
    // `parse` trims, and a span with a space in it is not the number alone.
    !text.contains(' ') && CitizenId::parse(&text).is_ok()
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
        check("身份证110105 1949 1231 002X号", "身份证<citizen-id>号");
        check("110105-19491231-002x", "<citizen-id>");
        check("１１０１０５１９４９１２３１００２Ｘ", "<citizen-id>");
        let plain = "call 2026-11-21 08:30 no 17, case 2026/0042";
        check(plain, plain);
    }

    #[test]
    fn a_reference_is_one_short_line() {
        check("a\nb\tc\u{7f}", "a b c ");
        check("a\u{202e}b\u{feff}", "a b ");
        check("110105\u{200b}19491231002X", "<citizen-id>");
        check(&"长".repeat(65), &"长".repeat(64));
        let padding = "x".repeat(49);
        check(&format!("{padding}1101054912310029"), &format!("{padding}<citizen-id>"));
    }
}
