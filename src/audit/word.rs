//! 词, by what entries are found among millions: which kind, department, purpose and element.
//!
//! A word is a digest of one to three of these. Rows of entries are found by their words, and what
//! an entry says is then read: two words that are alike by chance cost a look, and nothing else.

use std::collections::BTreeSet;

use super::entry::{Entry, Kind};
use super::search::Question;
use super::tile;
use super::tree::Hash;
use crate::vocabulary::{Department, ElementId, Purpose};

/// The row of an entry: as many entries as a row of hashes has, for they go together.
#[must_use]
pub const fn place(number: u64) -> u64 {
    number / tile::WIDTH
}

/// Everything by which an entry can be found.
#[must_use]
pub fn said(entry: &Entry) -> BTreeSet<i64> {
    let departments = [None, entry.department];
    let mut words = BTreeSet::new();
    for kind in [None, Some(entry.kind)] {
        for department in departments {
            for purpose in [None, entry.purpose] {
                words.extend(terms(kind, department, purpose));
            }
        }
    }
    let left = entry.elements.tiers().into_iter().flat_map(|(_, set)| set);
    for element in left.chain(&entry.withheld) {
        words.extend(departments.map(|department| named(*element, department)));
    }
    words
}

/// What a row must have of each, if an entry in it answers a question: no more than two words; none
/// if any row may.
#[must_use]
pub fn asked(question: &Question) -> Vec<i64> {
    let kind = match question.kinds.as_slice() {
        [kind] => Some(*kind),
        _ => None,
    };
    let department = question.department;
    let element = question.element.map(|element| named(element, department));
    let alone = element.is_some() && kind.is_none() && question.purpose.is_none();
    let terms = if alone { None } else { terms(kind, department, question.purpose) };
    terms.into_iter().chain(element).collect()
}

fn terms(
    kind: Option<Kind>,
    department: Option<Department>,
    purpose: Option<Purpose>,
) -> Option<i64> {
    let any = kind.is_some() || department.is_some() || purpose.is_some();
    let text = |word: Option<String>| word.unwrap_or_default();
    any.then(|| {
        digest(&[
            text(kind.map(|kind| kind.as_str().to_owned())),
            text(department.map(|department| department.to_string())),
            text(purpose.map(|purpose| purpose.to_string())),
        ])
    })
}

fn named(element: ElementId, department: Option<Department>) -> i64 {
    let department = department.map(|department| department.to_string()).unwrap_or_default();
    digest(&["element".to_owned(), element.to_string(), department])
}

fn digest(words: &[String; 3]) -> i64 {
    let hash = Hash::digest(words.join("\n").as_bytes());
    let head = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    i64::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Tier;

    fn entry() -> Entry {
        let mut entry = Entry::new(Kind::Disclosure, 0, [1; 16]);
        entry.department = Department::parse("clinic").ok();
        entry.purpose = Purpose::parse("record-sharing").ok();
        entry.elements.insert(Tier::Full, ElementId::parse("DE02.01.040.00").unwrap());
        entry.withheld.insert(ElementId::parse("DE02.01.005.01").unwrap());
        entry
    }

    /// Whether the words lead to the entry, for each question that has these parts or not.
    fn check(parts: &Question, leads: bool) {
        let said = said(&entry());
        for which in 1..16 {
            let of = |bit: u8| which & bit != 0;
            let question = Question {
                department: parts.department.filter(|_| of(1)),
                purpose: parts.purpose.filter(|_| of(2)),
                element: parts.element.filter(|_| of(4)),
                kinds: if of(8) { parts.kinds.clone() } else { Vec::new() },
                ..Question::default()
            };
            let words = asked(&question);
            assert!((1..=2).contains(&words.len()), "{question:?}");
            assert_eq!(words.iter().all(|word| said.contains(word)), leads, "{question:?}");
            assert_eq!(question.matches(&entry()), leads, "{question:?}");
        }
    }

    #[test]
    fn an_entry_is_found_by_whatever_it_says_and_by_nothing_else() {
        let says = Question {
            department: Department::parse("clinic").ok(),
            purpose: Purpose::parse("record-sharing").ok(),
            element: ElementId::parse("DE02.01.005.01").ok(),
            kinds: vec![Kind::Disclosure],
            ..Question::default()
        };
        check(&says, true);
        let other = Question {
            department: Department::parse("community").ok(),
            purpose: Purpose::parse("audit").ok(),
            element: ElementId::parse("DE02.01.026.00").ok(),
            kinds: vec![Kind::Refusal],
            ..Question::default()
        };
        check(&other, false);
        assert!(asked(&Question::default()).is_empty());
    }
}
