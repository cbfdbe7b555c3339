//! 号码, numbers as they are compared: identifiers, cards, telephones.

use std::fmt;

use super::days::Day;
use super::names::plain;
use crate::vocabulary::identifier::CitizenId;

/// Signs a citizen id has at least before it says anything.
const CITIZEN_LEAST: usize = 12;
/// Signs of any number that are compared.
const NUMBER_MAX: usize = 32;

/// A citizen id as it was written, for comparing: 15 digits become 18, signs that are no
/// digits go. A number that fails its check stays, and says so.
#[derive(Clone, PartialEq, Eq)]
pub struct CitizenNumber {
    /// Its characters.
    pub text: String,
    /// The birth date inside.
    pub birth: Option<Day>,
    /// Whether it is of a man, by its seventeenth digit.
    pub male: Option<bool>,
    /// Whether it passes its check.
    pub proven: bool,
}

/// Shows nothing of the number.
impl fmt::Debug for CitizenNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CitizenNumber(<masked>)")
    }
}

impl CitizenNumber {
    /// Reads one; `None` if what is left is too short to say anything, or one digit alone.
    pub fn read(text: &str) -> Option<Self> {
        let kept = |sign: &char| sign.is_ascii_digit() || *sign == 'X';
        let text = plain(text).to_ascii_uppercase();
        let text: String = text.chars().filter(kept).take(NUMBER_MAX).collect();
        // Fifteen ones have a birth date inside, in 1911, and no check to fail.
        if alike(&text) {
            return None;
        }
        if let Ok(id) = CitizenId::parse(&text) {
            return Some(Self::proven(id.disclose()));
        }
        (text.len() >= CITIZEN_LEAST).then_some(Self {
            birth: None,
            male: None,
            proven: false,
            text,
        })
    }

    fn proven(text: &str) -> Self {
        let male = text.as_bytes().get(16).map(|digit| digit % 2 == 1);
        let birth = text.get(6..14).and_then(Day::read);
        Self { text: text.to_owned(), birth, male, proven: true }
    }
}

/// Telephone numbers of one field, which may hold several.
pub fn phones(text: &str) -> Vec<String> {
    let text = plain(text);
    text.split(['/', ',', ';', '、', '|']).filter_map(phone).collect()
}

/// A telephone number by its digits: without the country's code, the trunk's zero and signs.
fn phone(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    let digits = match digits.strip_prefix("86") {
        Some(rest) if rest.trim_start_matches('0').len() >= 9 => rest.trim_start_matches('0'),
        _ => digits,
    };
    ((7..=12).contains(&digits.len()) && !alike(digits)).then(|| digits.to_owned())
}

/// Letters and digits of a card's number.
pub fn card(text: &str) -> Option<String> {
    let text = plain(text);
    let text = text.chars().filter(char::is_ascii_alphanumeric).take(NUMBER_MAX);
    let text: String = text.collect();
    (text.len() >= 4 && !alike(&text)).then(|| text.to_ascii_uppercase())
}

/// Whether it is one sign again and again: what is typed where nothing is known.
fn alike(text: &str) -> bool {
    let mut signs = text.bytes();
    let first = signs.next();
    signs.all(|sign| Some(sign) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_citizen_id_is_read_in_every_form_it_is_written_in() {
        let proven = CitizenNumber::read("410105194803150216").unwrap();
        assert!(proven.proven && proven.male == Some(true));
        assert_eq!(proven.birth, Day::read("19480315"));
        for text in [
            "410105 19480315 0216",
            "４１０１０５１９４８０３１５０２１６",
            "410105-19480315-0216",
            "\u{3000}410105194803150216\u{200b}",
            "410105480315021",
        ] {
            assert_eq!(CitizenNumber::read(text), Some(proven.clone()), "{text}");
        }
    }

    #[test]
    fn a_wrong_citizen_id_stays_and_says_so() {
        for text in ["410105194803150217", "41010519480315021", "410105194803105216", "41010519480"]
        {
            let number = CitizenNumber::read(text);
            let kept = text.len() >= CITIZEN_LEAST;
            assert_eq!(number.is_some(), kept, "{text}");
            assert!(number.is_none_or(|number| !number.proven && number.birth.is_none()));
        }
        for text in [
            "",
            "X",
            "无",
            "000000000000000000",
            "111111111111111",
            "９９９９９９９９９９９９９９９",
        ] {
            assert_eq!(CitizenNumber::read(text), None, "{text}");
        }
    }

    #[test]
    fn telephones_are_one_however_they_are_written() {
        for (text, digits) in [
            ("13837123344", "13837123344"),
            ("+86 138-3712-3344", "13837123344"),
            ("0086 13837123344", "13837123344"),
            ("86-13837123344", "13837123344"),
            ("013837123344", "13837123344"),
            ("１３８３７１２３３４４", "13837123344"),
            ("0371-65551234", "37165551234"),
            ("(0371) 6555 1234", "37165551234"),
            ("+86 371 65551234", "37165551234"),
            ("65551234", "65551234"),
            ("8612345", "8612345"),
        ] {
            assert_eq!(phones(text), [digits], "{text}");
        }
        for text in ["", "无", "110", "00000000000", "11111111111", "138371233441383712"] {
            assert!(phones(text).is_empty(), "{text}");
        }
        assert_eq!(phones("13837123344/0371-65551234"), ["13837123344", "37165551234"]);
        assert_eq!(phones("13837123344、13837123345"), ["13837123344", "13837123345"]);
    }

    #[test]
    fn cards_are_letters_and_digits() {
        assert_eq!(card("a-1602 9177").as_deref(), Some("A16029177"));
        assert_eq!(card("Ａ１６０２９１７７").as_deref(), Some("A16029177"));
        assert_eq!((card("123"), card("00000000"), card("无")), (None, None, None));
    }

    #[test]
    fn nothing_of_a_number_is_shown() {
        let shown = format!("{:?}", CitizenNumber::read("410105194803150216"));
        assert!(!shown.contains("4101") && !shown.contains("1948"), "{shown}");
    }
}
