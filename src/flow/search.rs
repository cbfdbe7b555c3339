//! 台账查询, what an auditor at the console looks for in the ledger: the question is entered first.

use super::Gateway;
use super::seek::first_at;
use super::sight::line;
use crate::audit::{Entry, Question};
use crate::identity::{PersonId, Pseudonym, Token};
use crate::inbound::console::view::{self, Whose};
use crate::store::{LedgerEntry, LedgerSearch, StoreError};
use crate::vocabulary::{Date, Department, Fault, Identifier};

/// Entries on one page at most.
const ROWS_MAX: usize = 200;
/// Entries read at once where most may not be what is looked for.
const ROWS_AT_ONCE: usize = 500;
/// Entries one look goes through.
const LOOKED_MAX: usize = 20_000;

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
        let subject = [subject, told(&query.terms)].concat();
        self.asked(&asker.user, &subject, persons.first().cloned()).await?;
        // The store's columns are not signed; what an entry says is.
        let asked = Question {
            department,
            persons,
            kinds: query.terms.kind.into_iter().collect(),
            since_ms: query.terms.since_ms,
            until_ms: query.terms.until_ms,
            ..Question::default()
        };
        let page = self.found(&asked, (query.before, query.limit.clamp(1, ROWS_MAX))).await;
        page.map_err(|error| error.fault())
    }

    /// Entries that answer a question, newest first, as far as one look goes.
    async fn found(
        &self,
        asked: &Question,
        (mut before, limit): (Option<u64>, usize),
    ) -> Result<view::LedgerPage, StoreError> {
        let rules = self.rules.load_full();
        if let Some(until_ms) = asked.until_ms {
            let until = self.store.look(move |view| first_at(view, until_ms)).await??;
            before = Some(before.map_or(until, |before| before.min(until)));
        }
        let picks = !asked.kinds.is_empty() || asked.since_ms.is_some();
        let at_once = if picks { ROWS_AT_ONCE } else { limit };
        let mut page = view::LedgerPage::default();
        for looked in (0..).step_by(at_once) {
            page.tired = looked >= LOOKED_MAX;
            if page.tired {
                page.older = before;
                break;
            }
            let read = self.read(asked, (before, at_once)).await?;
            for stored in &read {
                let entry = Entry::from_bytes(&stored.bytes).ok();
                let entry = entry.filter(|entry| asked.matches(entry));
                page.rows.extend(entry.map(|entry| line(&rules, stored.number, &entry)));
                before = Some(stored.number);
                if page.rows.len() == limit {
                    break;
                }
            }
            let past = |stored: &LedgerEntry| asked.since_ms.is_some_and(|at| stored.at_ms < at);
            if page.rows.len() == limit {
                page.older = before;
                break;
            }
            if read.len() < at_once || read.last().is_some_and(past) {
                break;
            }
        }
        page.known = asked.persons.iter().map(|known| known.0.clone()).collect();
        Ok(page)
    }

    /// Entries of whom is asked about, newest first.
    async fn read(
        &self,
        asked: &Question,
        (before, limit): (Option<u64>, usize),
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let department = asked.department;
        let whom = match asked.persons.is_empty() {
            true => vec![None],
            false => asked.persons.iter().cloned().map(Some).collect(),
        };
        let mut found = Vec::new();
        for person in whom {
            let search = LedgerSearch { person, department, before, limit };
            found.extend(self.store.search(search).await?);
        }
        found.sort_by_key(|entry| std::cmp::Reverse(entry.number));
        found.dedup_by_key(|entry| entry.number);
        found.truncate(limit);
        Ok(found)
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

/// What the ledger says of the terms of a question.
fn told(terms: &view::Terms) -> String {
    let day = |at_ms: i64| Date::from_timestamp(at_ms / 1000).to_iso();
    let told = [
        terms.kind.map(|kind| format!(" {}", kind.as_str())),
        terms.since_ms.map(|at_ms| format!(" since {}", day(at_ms))),
        terms.until_ms.map(|at_ms| format!(" until {}", day(at_ms))),
    ];
    told.into_iter().flatten().collect()
}
