//! 词, by what entries are found among millions: which kind, department, purpose and element.
//!
//! A word is a digest of one to three of these. Rows of entries are found by their words, and what
//! an entry says is then read: two words that are alike by chance cost a look, and nothing else.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::entry::{Disclosed, Kind};
use super::search::Question;
use super::tile;
use super::tree::Hash;
use crate::vocabulary::{Department, ElementId, Purpose};

/// The row of an entry: as many entries as a row of hashes has, for they go together.
#[must_use]
pub const fn place(number: u64) -> u64 {
    number / tile::WIDTH
}

/// One word, before it is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    /// An element, and whoever learned it or did not.
    Element(ElementId, Option<Department>),
    /// What happened, to whom, what for.
    Terms(Option<Kind>, Option<Department>, Option<Purpose>),
}

/// What of an entry it can be found by.
#[derive(Debug, Deserialize)]
pub struct Gist {
    kind: Kind,
    #[serde(default)]
    department: Option<Department>,
    #[serde(default)]
    purpose: Option<Purpose>,
    #[serde(default)]
    elements: Disclosed,
    #[serde(default)]
    withheld: BTreeSet<ElementId>,
}

impl Gist {
    /// Of an entry as it is kept. What else it says, and whether it is one, is not looked at.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Everything by which the entry can be found.
    pub fn words(&self) -> impl Iterator<Item = Word> {
        let departments = match self.department {
            Some(department) => vec![None, Some(department)],
            None => vec![None],
        };
        let mut words = Vec::new();
        for department in departments {
            for kind in [None, Some(self.kind)] {
                words.push(Word::Terms(kind, department, None));
                words.extend(self.purpose.map(|id| Word::Terms(kind, department, Some(id))));
            }
            let left = self.elements.tiers().into_iter().flat_map(|(_, set)| set);
            let elements = left.chain(&self.withheld);
            words.extend(elements.map(|element| Word::Element(*element, department)));
        }
        words.into_iter().filter(|word| *word != Word::Terms(None, None, None))
    }
}

impl Word {
    /// As it is kept.
    #[must_use]
    pub fn number(&self) -> i64 {
        let of =
            |department: &Option<Department>| text(department.as_ref().map(Department::as_str));
        match self {
            Self::Element(element, department) => {
                digest(&["element".to_owned(), element.to_string(), of(department)])
            }
            Self::Terms(kind, department, purpose) => digest(&[
                text(kind.map(Kind::as_str)),
                of(department),
                text(purpose.as_ref().map(Purpose::as_str)),
            ]),
        }
    }
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
    let element = question.element.map(|element| Word::Element(element, department));
    let alone = element.is_some() && kind.is_none() && question.purpose.is_none();
    let any = kind.is_some() || department.is_some() || question.purpose.is_some();
    let terms = (any && !alone).then_some(Word::Terms(kind, department, question.purpose));
    terms.iter().chain(&element).map(Word::number).collect()
}

fn text(word: Option<&str>) -> String {
    word.unwrap_or_default().to_owned()
}

fn digest(words: &[String; 3]) -> i64 {
    let hash = Hash::digest(words.join("\n").as_bytes());
    let head = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    i64::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::super::entry::Entry;
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
        let gist = Gist::read(&entry().to_bytes()).unwrap();
        let said: Vec<_> = gist.words().map(|word| word.number()).collect();
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
