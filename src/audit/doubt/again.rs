//! 拒后改问, refused, and soon after told something of the same person otherwise.

use std::collections::{HashMap, VecDeque};

use super::bulk::folded;
use super::day;
use super::reason::{Asked, Cited, Doubt, Inquiry, Reason};
use super::shelf::{Alike, Shelf};
use crate::audit::entry::{Entry, Kind};
use crate::policy::AskedAgain;
use crate::vocabulary::{Department, Fault};

/// Refusals that are remembered.
const REFUSALS_MAX: usize = 100_000;

pub struct Judge {
    terms: AskedAgain,
    refused: HashMap<u128, Vec<Refused>>,
    /// In their order, by whom each is found.
    order: VecDeque<(i64, u128)>,
    pub let_go: u64,
}

#[derive(Clone)]
struct Refused {
    at_ms: i64,
    department: Department,
    asked: Asked,
    fault: Fault,
    cited: Cited,
}

impl Judge {
    pub fn new(terms: AskedAgain) -> Self {
        Self { terms, refused: HashMap::new(), order: VecDeque::new(), let_go: 0 }
    }

    pub fn see(&mut self, number: u64, entry: &Entry, shelf: &mut Shelf) {
        let Some(person) = entry.person.as_ref().map(folded) else { return };
        match (entry.kind, entry.department) {
            (Kind::Refusal, Some(department)) => self.remember(person, department, (number, entry)),
            (Kind::Disclosure, Some(department)) if !entry.elements.is_empty() => {
                self.compare((person, department), (number, entry), shelf);
            }
            // Who was refused about one is refused about whom he became.
            (Kind::Link | Kind::Merge, _) => {
                let merged = entry.merged.as_ref().map(folded);
                if let Some(moved) = merged.and_then(|merged| self.refused.remove(&merged)) {
                    self.order.extend(moved.iter().map(|one| (one.at_ms, person)));
                    self.refused.entry(person).or_default().extend(moved);
                }
            }
            _ => (),
        }
    }

    fn remember(&mut self, person: u128, department: Department, (number, entry): (u64, &Entry)) {
        let Some(fault) = entry.fault.filter(|fault| self.terms.refusals.contains(fault)) else {
            return;
        };
        self.forget(entry.at_ms);
        if self.order.len() >= REFUSALS_MAX {
            self.let_go += 1;
            self.drop_first();
        }
        let asked = Asked { role: entry.role, purpose: entry.purpose };
        let cited = Cited { number, receipt: entry.receipt };
        let refused = Refused { at_ms: entry.at_ms, department, asked, fault, cited };
        self.refused.entry(person).or_default().push(refused);
        self.order.push_back((entry.at_ms, person));
    }

    fn compare(
        &mut self,
        (person, department): (u128, Department),
        (number, entry): (u64, &Entry),
        shelf: &mut Shelf,
    ) {
        self.forget(entry.at_ms);
        if entry.at_ms < shelf.since_ms {
            return;
        }
        let then = Asked { role: entry.role, purpose: entry.purpose };
        for refused in self.refused.get(&person).into_iter().flatten() {
            let own = refused.department == department && refused.at_ms <= entry.at_ms;
            if !own || refused.asked == then {
                continue;
            }
            let Refused { asked, fault, cited, at_ms, .. } = refused;
            let place = (day(*at_ms), Alike::Entry(Inquiry::AskedAgain, cited.number));
            let doubt = shelf.at(place, || {
                let minutes = (entry.at_ms - at_ms) / 60_000;
                let reason = Reason::AskedAgain { refused: *asked, fault: *fault, then, minutes };
                let doubt = Doubt::new(reason, entry);
                Doubt { count: 1, entries: vec![*cited], ..doubt }
            });
            doubt.cite(number, entry);
        }
    }

    /// Forgets what is too long ago.
    fn forget(&mut self, now_ms: i64) {
        let first = now_ms.saturating_sub(i64::from(self.terms.hours).saturating_mul(3_600_000));
        while self.order.front().is_some_and(|(at_ms, _)| *at_ms < first) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some((at_ms, person)) = self.order.pop_front() else { return };
        if let Some(refused) = self.refused.get_mut(&person) {
            refused.retain(|one| one.at_ms > at_ms);
            if refused.is_empty() {
                self.refused.remove(&person);
            }
        }
    }
}
