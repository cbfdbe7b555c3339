//! 未见服务, something was told for a purpose, and no record came of it.

use std::collections::{HashMap, VecDeque};

use super::DAY_MS;
use super::reason::{Doubt, Reason};
use crate::audit::entry::{Entry, Kind};
use crate::identity::Pseudonym;
use crate::policy::Followed;
use crate::vocabulary::Dataset;

/// Disclosures that are waited for.
const DUE_MAX: usize = 100_000;

/// A disclosure after which a record should come.
pub struct Due {
    /// About whom.
    pub person: Pseudonym,
    /// Which records.
    pub by: Vec<Dataset>,
    /// When something was told, milliseconds since 1970.
    pub from_ms: i64,
    /// Until when a record should come.
    pub until_ms: i64,
    doubt: Doubt,
}

/// When records arrived, of each person the index knows; of anybody else nobody can say what came.
pub type Arrived = HashMap<Pseudonym, Vec<(Dataset, i64)>>;

pub struct Judge {
    terms: Vec<Followed>,
    due: VecDeque<Due>,
    pub let_go: u64,
}

impl Judge {
    pub const fn new(terms: Vec<Followed>) -> Self {
        Self { terms, due: VecDeque::new(), let_go: 0 }
    }

    pub fn asks(&self) -> bool {
        !self.terms.is_empty()
    }

    pub fn see(&mut self, number: u64, entry: &Entry) {
        let (Kind::Disclosure, Some(purpose), Some(person)) =
            (entry.kind, entry.purpose, &entry.person)
        else {
            return;
        };
        let Some(terms) = self.terms.iter().find(|terms| terms.purpose == purpose) else { return };
        // Of whom nothing was told nothing follows.
        if entry.elements.is_empty() {
            return;
        }
        let Followed { by, days, .. } = terms.clone();
        let until_ms = entry.at_ms.saturating_add(i64::from(days).saturating_mul(DAY_MS));
        let mut doubt = Doubt::new(Reason::Unfollowed { purpose, by: by.clone(), days }, entry);
        doubt.cite(number, entry);
        // It is one from the day on which it can be said.
        doubt.at_ms = until_ms;
        if self.due.len() >= DUE_MAX {
            self.let_go += 1;
            self.due.pop_front();
        }
        let (person, from_ms) = (person.clone(), entry.at_ms);
        self.due.push_back(Due { person, by, from_ms, until_ms, doubt });
    }

    pub fn slide(&mut self, since_ms: i64) {
        self.due.retain(|due| due.from_ms >= since_ms);
    }

    pub fn due(&self, now_ms: i64) -> impl Iterator<Item = &Due> {
        self.due.iter().filter(move |due| due.until_ms <= now_ms)
    }

    pub fn unfollowed(&self, now_ms: i64, arrived: &Arrived) -> impl Iterator<Item = Doubt> {
        let missing = |due: &&Due| {
            let records = arrived.get(&due.person);
            records.is_some_and(|records| {
                !records.iter().any(|(dataset, at_ms)| {
                    due.by.contains(dataset) && (due.from_ms..=due.until_ms).contains(at_ms)
                })
            })
        };
        self.due(now_ms).filter(missing).map(|due| due.doubt.clone())
    }
}
