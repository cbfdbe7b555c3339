//! 台账查询, what an auditor at the console looks for in the ledger: the question is entered first.

use super::Gateway;
use super::sight::line;
use super::word::pick;
use crate::audit::{Entry, Question, reference};
use crate::identity::{PersonId, Pseudonym, Token};
use crate::inbound::console::view::{self, Whose};
use crate::store::{LedgerSearch, StoreError};
use crate::vocabulary::{Date, Department, Fault, Identifier};

/// Entries on one page at most.
const ROWS_MAX: usize = 200;

impl Gateway {
    pub(super) async fn search(
        &self,
        asker: &view::Asker,
        query: &view::Query,
    ) -> Result<view::LedgerPage, Fault> {
        let (department, persons) = match &query.whose {
            Whose::All => (None, Vec::new()),
            Whose::Department(name) => (Department::parse(name).ok(), Vec::new()),
            Whose::Person(identifier) => (None, self.known_as(identifier).await?),
            Whose::Known(known) => (None, known.iter().cloned().map(Pseudonym).collect()),
        };
        let subject = match (&query.whose, department) {
            (Whose::All, _) => "ledger".to_owned(),
            (Whose::Department(_), Some(department)) => format!("department {department}"),
            (Whose::Department(_), None) => return Ok(view::LedgerPage::default()),
            (Whose::Person(_) | Whose::Known(_), _) => "person".to_owned(),
        };
        for subject in told(subject, &query.terms) {
            self.asked(&asker.user, &subject, persons.first().cloned()).await?;
        }
        // The store's columns are not signed; what an entry says is.
        let asked = Question {
            department,
            element: query.terms.element,
            persons,
            purpose: query.terms.purpose,
            kinds: query.terms.kind.into_iter().collect(),
            since_ms: query.terms.since_ms,
            until_ms: query.terms.until_ms,
            ..Question::default()
        };
        let limit = query.limit.clamp(1, ROWS_MAX);
        let page = match asked.persons.is_empty() {
            true => self.picked(asked, (query.before, limit)).await,
            false => self.about_one(asked.persons, (query.before, limit)).await,
        };
        page.map_err(|error| error.fault())
    }

    /// Entries that answer a question, newest first, as far as one look goes.
    async fn picked(
        &self,
        asked: Question,
        page: (Option<u64>, usize),
    ) -> Result<view::LedgerPage, StoreError> {
        let picked = self.store.look(move |view| pick(view, &asked, page)).await??;
        let rules = self.rules.load();
        let rows = picked.found.iter().map(|(number, entry)| line(&rules, *number, entry));
        let (older, tired) = (picked.older, picked.tired);
        Ok(view::LedgerPage { rows: rows.collect(), older, tired, ..view::LedgerPage::default() })
    }

    /// Entries about a person, by all his pseudonyms, newest first.
    async fn about_one(
        &self,
        persons: Vec<Pseudonym>,
        (mut before, limit): (Option<u64>, usize),
    ) -> Result<view::LedgerPage, StoreError> {
        let mut found = Vec::new();
        for person in persons.iter().cloned() {
            let search = LedgerSearch { person: Some(person), before, limit };
            found.extend(self.store.search(search).await?);
        }
        found.sort_by_key(|entry| std::cmp::Reverse(entry.number));
        found.dedup_by_key(|entry| entry.number);
        found.truncate(limit);
        before = found.last().filter(|_| found.len() == limit).map(|last| last.number);
        let rules = self.rules.load();
        let asked = Question { persons, ..Question::default() };
        let rows = found.iter().filter_map(|stored| {
            let entry = Entry::from_bytes(&stored.bytes).ok();
            let entry = entry.filter(|entry| asked.matches(entry))?;
            Some(line(&rules, stored.number, &entry))
        });
        let rows = rows.collect();
        let known = asked.persons.into_iter().map(|known| known.0).collect();
        Ok(view::LedgerPage { rows, known, older: before, tired: false })
    }

    /// Every pseudonym under which entries may name a person.
    pub(super) async fn known_as(&self, identifier: &Identifier) -> Result<Vec<Pseudonym>, Fault> {
        let token = self.keys.token(identifier).map_err(|_| Fault::IdentifierInvalid)?;
        let known = self.store.known_as(token).await.map_err(|error| error.fault())?;
        Ok(self.pseudonyms(known))
    }

    /// What stands in the ledger for persons and for identifiers.
    pub(super) fn pseudonyms(
        &self,
        (persons, tokens): (Vec<PersonId>, Vec<Token>),
    ) -> Vec<Pseudonym> {
        let persons = persons.into_iter().map(|person| self.keys.pseudonym(person));
        let tokens = tokens.iter().map(|token| self.keys.pseudonym_of_token(token));
        persons.chain(tokens).collect()
    }
}

/// What the ledger says of a question: of one with many terms in more than one entry, for what is
/// too long for one would be cut.
fn told(whose: String, terms: &view::Terms) -> Vec<String> {
    let time = |at_ms: i64| Date::from_timestamp(at_ms / 1000).to_iso();
    let terms = [
        terms.kind.map(|kind| kind.as_str().to_owned()),
        terms.purpose.map(|purpose| purpose.to_string()),
        terms.element.map(|element| element.to_string()),
        terms.since_ms.map(|at_ms| format!("since {}", time(at_ms))),
        terms.until_ms.map(|at_ms| format!("until {}", time(at_ms))),
    ];
    let mut told = vec![whose];
    for term in terms.into_iter().flatten() {
        match told.last_mut() {
            Some(last) if last.len() + 1 + term.len() <= reference::CHARACTERS_MAX => {
                *last += &format!(" {term}");
            }
            _ => told.push(format!("and {term}")),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Kind;
    use crate::vocabulary::{ElementId, Purpose};

    #[test]
    fn no_term_of_a_question_is_cut_from_what_is_entered() {
        let terms = view::Terms {
            kind: Some(Kind::BreakGlass),
            purpose: Purpose::parse("subsidy-eligibility").ok(),
            element: ElementId::parse("DE02.01.005.01").ok(),
            since_ms: Some(0),
            until_ms: Some(86_400_000),
        };
        let told = told("department civil-affairs".to_owned(), &terms);
        let whole = [
            "department civil-affairs break-glass subsidy-eligibility",
            "and DE02.01.005.01 since 1970-01-01T08:00:00+08:00",
            "and until 1970-01-02T08:00:00+08:00",
        ];
        assert_eq!(told, whole);
        assert!(whole.iter().all(|told| reference::Reference::new(told).as_str() == *told));
    }
}
