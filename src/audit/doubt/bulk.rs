//! 批量查看, many more persons on a day than the same asker usually reads.

use std::collections::{HashMap, HashSet, VecDeque};

use chrono::{Days, NaiveDate};

use super::day;
use super::reason::{Doubt, Inquiry, Reason, Who};
use super::shelf::{Alike, Shelf};
use crate::audit::entry::{Entry, Kind};
use crate::identity::Pseudonym;
use crate::policy::Bulk;

/// Askers that are told apart; any further one counts for his role as a whole.
const ASKERS_MAX: usize = 20_000;
/// Pairs of an asker and a person on one day.
const PAIRS_MAX: usize = 1_000_000;

pub struct Judge {
    terms: Bulk,
    habits: HashMap<Who, Habit>,
    today: NaiveDate,
    pairs: usize,
    pub let_go: u64,
}

/// What somebody reads.
#[derive(Default)]
struct Habit {
    /// Persons of each day on which he read anything.
    before: VecDeque<(NaiveDate, u64)>,
    persons: HashSet<u128>,
    /// What would be told of today.
    doubt: Option<Doubt>,
}

impl Judge {
    pub fn new(terms: Bulk) -> Self {
        let (habits, today) = (HashMap::new(), NaiveDate::default());
        Self { terms, habits, today, pairs: 0, let_go: 0 }
    }

    pub fn see(&mut self, number: u64, entry: &Entry, shelf: &mut Shelf) {
        let (Some(mut who), Some(person), Some(purpose)) =
            (Who::of(entry), &entry.person, entry.purpose)
        else {
            return;
        };
        if entry.kind != Kind::Disclosure || self.terms.except.contains(&purpose) {
            return;
        }
        // One that was begun before midnight and entered after it is of the new day; a clock that
        // was put right again begins a day anew.
        let ahead = self.today.signed_duration_since(day(entry.at_ms)).num_days();
        if !(0..=1).contains(&ahead) {
            self.begin(day(entry.at_ms));
        }
        if self.habits.len() >= ASKERS_MAX && !self.habits.contains_key(&who) {
            who.asker = None;
        }
        let habit = self.habits.entry(who.clone()).or_default();
        match folded(person) {
            _ if self.pairs >= PAIRS_MAX => self.let_go += 1,
            person => self.pairs += usize::from(habit.persons.insert(person)),
        }
        let nothing = Reason::Bulk { persons: 0, median: 0, days: 0, limit: 0 };
        let doubt = habit.doubt.get_or_insert_with(|| Doubt {
            person: None,
            who: Some(who.clone()),
            ..Doubt::new(nothing, entry)
        });
        doubt.cite(number, entry);
        let persons = wide(habit.persons.len());
        if persons <= u64::from(self.terms.floor) || entry.at_ms < shelf.since_ms {
            return;
        }
        let median = median(&habit.before);
        let limit =
            u64::from(self.terms.floor).max(median.saturating_mul(self.terms.factor.into()));
        if persons > limit {
            let days = habit.before.len();
            doubt.reason = Reason::Bulk { persons, median, days, limit };
            let place = (self.today, Alike::Who(Inquiry::Bulk, who));
            *shelf.at(place, || doubt.clone()) = doubt.clone();
        }
    }

    /// Yesterday becomes a habit; who has none any more is forgotten.
    fn begin(&mut self, today: NaiveDate) {
        let first = today.checked_sub_days(Days::new(self.terms.days.into()));
        let first = first.unwrap_or_default();
        let yesterday = std::mem::replace(&mut self.today, today);
        self.pairs = 0;
        self.habits.retain(|_, habit| {
            let persons = std::mem::take(&mut habit.persons).len();
            if persons > 0 {
                habit.before.push_back((yesterday, wide(persons)));
            }
            habit.doubt = None;
            while habit.before.front().is_some_and(|(day, _)| *day < first) {
                habit.before.pop_front();
            }
            !habit.before.is_empty()
        });
    }
}

/// The middle of the days; nothing where there were none.
fn median(before: &VecDeque<(NaiveDate, u64)>) -> u64 {
    let mut persons: Vec<u64> = before.iter().map(|(_, persons)| *persons).collect();
    persons.sort_unstable();
    let upper = persons.get(persons.len() / 2).copied().unwrap_or_default();
    let lower = persons.len().checked_sub(1).and_then(|last| persons.get(last / 2));
    lower.map_or(upper, |lower| lower.midpoint(upper))
}

/// The 32 hexadecimal digits of a pseudonym as a number, a third of its size.
pub fn folded(person: &Pseudonym) -> u128 {
    u128::from_str_radix(&person.0, 16).unwrap_or_default()
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
