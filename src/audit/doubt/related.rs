//! 关系人, somebody looked at himself, his household or a colleague, or anyone at a protected person.

use super::day;
use super::people::{People, Row};
use super::reason::{Doubt, Reason, Tie, Who};
use super::shelf::{Alike, Shelf};
use crate::audit::entry::{Entry, Kind};
use crate::policy::Related;

pub struct Judge {
    terms: Related,
    people: People,
}

impl Judge {
    pub const fn new(terms: Related, people: People) -> Self {
        Self { terms, people }
    }

    pub fn see(&mut self, number: u64, entry: &Entry, shelf: &mut Shelf) {
        match (entry.kind, &entry.person, &entry.merged) {
            (Kind::Link | Kind::Merge, Some(into), Some(from)) => self.people.join(into, from),
            (Kind::Part | Kind::Unmerge, Some(into), Some(from)) => self.people.part(into, from),
            (Kind::Disclosure, Some(person), _) if entry.at_ms >= shelf.since_ms => {
                let purpose = entry.purpose;
                if purpose.is_some_and(|purpose| self.terms.except.contains(&purpose)) {
                    return;
                }
                let (Some(who), Some(person)) = (Who::of(entry), self.people.known(person)) else {
                    return;
                };
                let asker = self.people.asks(entry);
                let Some(tie) = tie(asker, person) else { return };
                let place = Alike::Listed(tie, person.name.clone(), who);
                let doubt = shelf.at((day(entry.at_ms), place), || {
                    let asker = asker.map(|asker| asker.name.clone());
                    let reason = Reason::Related { tie, asker, looked_at: person.name.clone() };
                    Doubt::new(reason, entry)
                });
                doubt.cite(number, entry);
            }
            _ => (),
        }
    }
}

/// The closest of what ties them.
fn tie(asker: Option<&Row>, person: &Row) -> Option<Tie> {
    let shared = |one: &Option<String>, other: &Option<String>| one.is_some() && one == other;
    match asker {
        Some(asker) if asker.name == person.name => Some(Tie::Own),
        Some(asker) if shared(&asker.household, &person.household) => Some(Tie::Household),
        _ if person.protected => Some(Tie::Protected),
        Some(asker) if shared(&asker.unit, &person.unit) => Some(Tie::Colleague),
        _ => None,
    }
}
