//! 疑点, what in the ledger an auditor is to look at: entries in, in their order, reasons out.
//!
//! A doubt is no verdict: it names entries, and the figures by which they stand out. What is
//! watched for is `policies/doubts.toml`; who belongs to whom is on a list that an auditor brings
//! ([`People`]). Entries are seen once; what is kept of them is bounded, whatever their number, and
//! what was let go at a bound is counted. Which records came afterwards, and past policies, are
//! handed in.

mod again;
mod bulk;
mod followed;
mod hours;
mod opened;
mod people;
mod reason;
mod related;
mod shelf;
#[cfg(test)]
mod tests;
mod words;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

pub use followed::{Arrived, Due};
pub use opened::{Served, versions};
pub use people::{PEOPLE_BYTES_MAX, People, PeopleError};
pub use reason::{Asked, Cited, Doubt, Inquiry, Reason, Tie, Who};
use shelf::Shelf;

use super::entry::Entry;
use crate::policy::Doubts;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// China has one clock, eight hours before Greenwich.
const CHINA_MS: i64 = 8 * 3_600_000;

/// What is asked of every entry, and what was found so far.
pub struct Doubting {
    again: Option<again::Judge>,
    bulk: Option<bulk::Judge>,
    followed: followed::Judge,
    hours: Option<hours::Judge>,
    opened: opened::Judge,
    related: Option<related::Judge>,
    shelf: Shelf,
    days: i64,
}

impl Doubting {
    /// Begins to look, at what happened from `since_ms` on.
    #[must_use]
    pub fn new(doubts: &Doubts, people: Option<People>, served: Served, since_ms: i64) -> Self {
        let longest = doubts.followed.iter().map(|one| one.days);
        let longest = longest.chain(doubts.bulk.iter().map(|bulk| bulk.days)).max();
        // A refusal of the day before may be what a disclosure of the first day follows.
        let hours = doubts.asked_again.as_ref().map_or(0, |again| again.hours);
        let days = longest.unwrap_or_default().max(hours.div_ceil(24));
        let related = doubts.related.clone().zip(people);
        Self {
            again: doubts.asked_again.clone().map(again::Judge::new),
            bulk: doubts.bulk.clone().map(bulk::Judge::new),
            followed: followed::Judge::new(doubts.followed.clone()),
            hours: doubts.off_hours.clone().map(hours::Judge::new),
            opened: opened::Judge::new(served),
            related: related.map(|(terms, people)| related::Judge::new(terms, people)),
            shelf: Shelf::since(since_ms),
            days: i64::from(days),
        }
    }

    /// Whether something is asked: the terms say so, and for who is related there is a list.
    #[must_use]
    pub fn asks(&self, inquiry: Inquiry) -> bool {
        match inquiry {
            Inquiry::AskedAgain => self.again.is_some(),
            Inquiry::Bulk => self.bulk.is_some(),
            Inquiry::OffHours => self.hours.is_some(),
            Inquiry::Opened => true,
            Inquiry::Related => self.related.is_some(),
            Inquiry::Unfollowed => self.followed.asks(),
        }
    }

    /// From when on entries must be seen: what somebody usually does is what he did before.
    #[must_use]
    pub fn reads_from_ms(&self) -> i64 {
        self.shelf.since_ms.saturating_sub(self.days.saturating_mul(DAY_MS))
    }

    /// The next entry.
    pub fn see(&mut self, number: u64, entry: &Entry) {
        let shelf = &mut self.shelf;
        self.opened.see(number, entry, shelf);
        self.followed.see(number, entry);
        self.again.iter_mut().for_each(|judge| judge.see(number, entry, shelf));
        self.bulk.iter_mut().for_each(|judge| judge.see(number, entry, shelf));
        self.hours.iter_mut().for_each(|judge| judge.see(number, entry, shelf));
        self.related.iter_mut().for_each(|judge| judge.see(number, entry, shelf));
    }

    /// Forgets what happened before.
    pub fn slide(&mut self, since_ms: i64) {
        self.shelf.slide(since_ms);
        self.followed.slide(self.reads_from_ms());
    }

    /// The disclosures after which a record should have come by now.
    pub fn due(&self, now_ms: i64) -> impl Iterator<Item = &Due> {
        self.followed.due(now_ms)
    }

    /// What was found, the newest first; `arrived` are the records of whom [`Self::due`] names.
    #[must_use]
    pub fn found(&self, now_ms: i64, arrived: &Arrived) -> Vec<Doubt> {
        let since_ms = self.shelf.since_ms;
        let unfollowed = self.followed.unfollowed(now_ms, arrived);
        let opened = self.opened.found();
        let mut found: Vec<Doubt> = self.shelf.found().cloned().collect();
        found.extend(unfollowed.chain(opened).filter(|doubt| doubt.at_ms >= since_ms));
        found.sort_by_key(|doubt| std::cmp::Reverse((doubt.at_ms, doubt.newest())));
        found
    }

    /// How much was let go because there was too much of it.
    #[must_use]
    pub fn let_go(&self) -> u64 {
        let again = self.again.as_ref().map_or(0, |judge| judge.let_go);
        let bulk = self.bulk.as_ref().map_or(0, |judge| judge.let_go);
        self.shelf.let_go + again + bulk + self.followed.let_go + self.opened.let_go
    }
}

/// A moment by the clocks of China.
fn local(at_ms: i64) -> NaiveDateTime {
    let moment = DateTime::from_timestamp_millis(at_ms.saturating_add(CHINA_MS));
    moment.unwrap_or_default().naive_utc()
}

/// Its day.
fn day(at_ms: i64) -> NaiveDate {
    local(at_ms).date()
}
