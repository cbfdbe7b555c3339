//! The two questions every auditor asks: who saw this person, what did this department read.

use super::entry::{Entry, EntryError, Kind};
use super::receipt::Receipt;
use crate::identity::Pseudonym;
use crate::vocabulary::{Department, ElementId, Purpose};

/// What is looked for; a part that is `None` or empty admits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Who learned it.
    pub department: Option<Department>,
    /// What left, or was withheld.
    pub element: Option<ElementId>,
    /// What happened.
    pub kinds: Vec<Kind>,
    /// About whom: the pseudonyms of one person, before and after merges.
    pub persons: Vec<Pseudonym>,
    /// What for.
    pub purpose: Option<Purpose>,
    /// The receipt on an answer.
    pub receipt: Option<Receipt>,
    /// From this moment, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Until just before this moment.
    pub until_ms: Option<i64>,
}

/// An entry that answers a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number in the ledger, from 0.
    pub number: u64,
    /// The entry.
    pub entry: Entry,
}

/// An entry that cannot be read, which a search must not pass over in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {number}: {error}; run `kangqiao ledger verify`")]
pub struct Unreadable {
    /// Its number.
    pub number: u64,
    /// What is wrong with it.
    pub error: EntryError,
}

impl Question {
    /// Whether an entry answers it.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        let about = || [&entry.person, &entry.merged].into_iter().flatten();
        self.receipt.is_none_or(|receipt| entry.receipt == receipt)
            && self.since_ms.is_none_or(|since| entry.at_ms >= since)
            && self.until_ms.is_none_or(|until| entry.at_ms < until)
            && self.department.is_none_or(|asked| entry.department == Some(asked))
            && self.purpose.is_none_or(|purpose| entry.purpose == Some(purpose))
            && (self.kinds.is_empty() || self.kinds.contains(&entry.kind))
            && (self.persons.is_empty() || about().any(|person| self.persons.contains(person)))
            && self.element.is_none_or(|element| names(entry, &element))
    }
}

impl Question {
    /// What stands in the bytes of every entry that answers it, for an entry has one spelling: one
    /// without these need not be read.
    #[must_use]
    pub fn marks(&self) -> Vec<String> {
        let field = |name: &str, value: &str| format!("\"{name}\":\"{value}\"");
        let kind = match self.kinds.as_slice() {
            [kind] => Some(field("kind", kind.as_str())),
            _ => None,
        };
        let marks = [
            kind,
            self.department.map(|department| field("department", department.as_str())),
            self.purpose.map(|purpose| field("purpose", purpose.as_str())),
            self.element.map(|element| format!("\"{element}\"")),
        ];
        marks.into_iter().flatten().collect()
    }
}

fn names(entry: &Entry, element: &ElementId) -> bool {
    let left = entry.elements.tiers();
    entry.withheld.contains(element) || left.iter().any(|(_, set)| set.contains(element))
}

/// The entries that answer a question, in their order.
pub fn search<B: AsRef<[u8]>>(
    entries: impl IntoIterator<Item = (u64, B)>,
    question: &Question,
) -> impl Iterator<Item = Result<Found, Unreadable>> {
    entries.into_iter().filter_map(move |(number, bytes)| match Entry::from_bytes(bytes.as_ref()) {
        Ok(entry) => question.matches(&entry).then_some(Ok(Found { number, entry })),
        Err(error) => Some(Err(Unreadable { number, error })),
    })
}

#[cfg(test)]
mod tests {
    use super::super::entry::Disclosed;
    use super::*;
    use crate::vocabulary::Tier;

    fn person(number: u8) -> Pseudonym {
        Pseudonym(format!("{number:032x}"))
    }

    fn department(name: &str) -> Option<Department> {
        Department::parse(name).ok()
    }

    fn purpose(name: &str) -> Option<Purpose> {
        Purpose::parse(name).ok()
    }

    /// Entries 1 to 5.
    fn ledger() -> Vec<(u64, Vec<u8>)> {
        let new = |kind, at| Entry::new(kind, at, [1; 16]);
        let mut elements = Disclosed::default();
        elements.insert(Tier::Generalised, ElementId::parse("DE02.01.005.01").unwrap());
        let entries = [
            new(Kind::Start, 100),
            Entry {
                department: department("civil-affairs"),
                person: Some(person(1)),
                purpose: purpose("living-check"),
                elements,
                ..new(Kind::Disclosure, 200)
            },
            Entry {
                department: department("desk-12349"),
                person: Some(person(2)),
                purpose: purpose("emergency-card"),
                ..new(Kind::Refusal, 300)
            },
            Entry { person: Some(person(1)), merged: Some(person(2)), ..new(Kind::Merge, 400) },
            Entry {
                department: department("civil-affairs"),
                person: Some(person(3)),
                purpose: purpose("subsidy-eligibility"),
                withheld: [ElementId::parse("DE05.01.024.00").unwrap()].into(),
                ..new(Kind::Disclosure, 500)
            },
        ];
        (1..).zip(entries.iter().map(Entry::to_bytes)).collect()
    }

    fn check(question: Question, numbers: &[u64]) {
        let found = search(ledger(), &question).map(|found| found.unwrap().number);
        assert_eq!(found.collect::<Vec<_>>(), numbers, "{question:?}");
        for (number, bytes) in ledger().into_iter().filter(|(number, _)| numbers.contains(number)) {
            let line = String::from_utf8(bytes).unwrap();
            for mark in question.marks() {
                assert!(line.contains(&mark), "{number}: {mark}");
            }
        }
    }

    #[test]
    fn each_part_of_a_question_narrows_it() {
        let any = Question::default;
        check(any(), &[1, 2, 3, 4, 5]);
        check(Question { persons: vec![person(1)], ..any() }, &[2, 4]);
        check(Question { persons: vec![person(2)], ..any() }, &[3, 4]);
        check(Question { persons: vec![person(2), person(3)], ..any() }, &[3, 4, 5]);
        check(Question { persons: vec![person(9)], ..any() }, &[]);
        check(Question { department: department("civil-affairs"), ..any() }, &[2, 5]);
        check(Question { purpose: purpose("emergency-card"), ..any() }, &[3]);
        check(Question { kinds: vec![Kind::Disclosure, Kind::Start], ..any() }, &[1, 2, 5]);
        check(Question { since_ms: Some(200), until_ms: Some(400), ..any() }, &[2, 3]);
        let receipt = Some(Receipt::new(300, [1; 16]));
        check(Question { receipt, ..any() }, &[3]);
        let element = |id: &str| ElementId::parse(id).ok();
        check(Question { element: element("DE02.01.005.01"), ..any() }, &[2]);
        check(Question { element: element("DE05.01.024.00"), ..any() }, &[5]);
        let both = Question { department: department("civil-affairs"), ..any() };
        check(Question { persons: vec![person(3)], ..both }, &[5]);
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_not_passed_over() {
        let mut ledger = ledger();
        ledger[1].1.push(b'\n');
        let found: Vec<_> = search(ledger, &Question::default()).collect();
        let error = EntryError::NotCanonical;
        assert_eq!(found.get(1), Some(&Err(Unreadable { number: 2, error })));
        assert_eq!(found.len(), 5);
    }
}
