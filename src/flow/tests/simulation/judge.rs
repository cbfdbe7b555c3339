//! What must hold whatever happens: looked at in the shared rows after every commit, and compared
//! with what was told outside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::store::tests::house::{self, House};
use crate::store::tests::rows::Rows;

/// What is wrong, in words.
pub type Wrong = String;

/// A message as it was committed.
struct Committed {
    about: Vec<usize>,
    at: Duration,
}

/// A notice in the outbox.
#[derive(Clone, Copy)]
pub struct Notice {
    pub lane: i64,
    pub other: Option<i64>,
}

impl Notice {
    fn lanes(self) -> impl Iterator<Item = i64> {
        [Some(self.lane), self.other].into_iter().flatten()
    }

    /// Whether the two are about a common lane.
    pub fn meets(self, other: Self) -> bool {
        self.lanes().any(|lane| other.lanes().any(|its| its == lane))
    }
}

/// Sees everything.
pub struct Judge {
    rows: Rows,
    messages: BTreeMap<String, Committed>,
    journal: i64,
    ledger: i64,
    turns: i64,
    delivered: BTreeSet<i64>,
    leases: BTreeMap<String, (i64, i64)>,
    /// Notices the receiver has.
    received: BTreeSet<i64>,
}

impl Judge {
    pub fn of(house: &House) -> Self {
        Self {
            rows: Rows::of(house),
            messages: BTreeMap::new(),
            journal: 0,
            ledger: 0,
            turns: 0,
            delivered: BTreeSet::new(),
            leases: BTreeMap::new(),
            received: BTreeSet::new(),
        }
    }

    /// After a commit of a gateway, which was told these ends.
    pub fn committed(
        &mut self,
        (node, ends): (i64, &[(i64, i64)]),
        at: Duration,
        about: impl Fn(&str) -> Vec<usize>,
    ) -> Result<(), Wrong> {
        for (number, text, kept) in self.rows.journal_after(self.journal) {
            self.journal += 1;
            is(number == self.journal, || format!("the journal goes on with {number}"))?;
            is(kept, || format!("{text} was not kept"))?;
            let message = Committed { about: about(&text), at };
            let before = self.messages.insert(text.clone(), message);
            is(before.is_none(), || format!("{text} is kept twice"))?;
        }
        for number in self.rows.ledger_from(self.ledger) {
            is(number == self.ledger, || format!("the ledger goes on with {number}"))?;
            self.ledger += 1;
        }
        self.turns += 1;
        let turns = self.rows.turns();
        is(turns == self.turns, || format!("commit {} is numbered {turns}", self.turns))?;
        let leases = self.rows.leases();
        for (job, (holder, fence)) in &leases {
            let (had, before) = self.leases.get(job).copied().unwrap_or((*holder, 0));
            is(*fence > before || had == *holder, || {
                format!("{job} went from {had} to {holder} and its fence is {fence}")
            })?;
        }
        self.leases = leases;
        for number in self.rows.delivered() {
            if self.delivered.insert(number) {
                let held = ends.iter().find(|(end, _)| *end == number);
                let now = self.leases.get(super::world::JOB).copied();
                is(held.is_some_and(|(_, fence)| now == Some((node, *fence))), || {
                    format!("{node} noted the end of {number} under {held:?}; it is {now:?}")
                })?;
                is(self.received.contains(&number), || format!("{number} was never received"))?;
            }
        }
        Ok(())
    }

    /// Somebody was told that a message is kept.
    pub fn acknowledged(&self, text: &str, number: u64) -> Result<(), Wrong> {
        let found = self.rows.number_of(text);
        is(found == Some(number), || format!("{text} is acknowledged as {number}, not {found:?}"))
    }

    /// Somebody was told that an entry stands in the ledger.
    pub fn entered(&self, text: &str, number: u64) -> Result<(), Wrong> {
        let found = self.rows.entry(number);
        is(found.as_deref() == Some(text.as_bytes()), || format!("entry {number} is not there"))
    }

    /// Messages about somebody, with all that were one person with him, by then.
    fn about(&self, elder: usize, until: Duration) -> BTreeSet<&str> {
        let messages = || self.messages.iter().filter(|(_, message)| message.at <= until);
        let mut group = BTreeSet::from([elder]);
        loop {
            let before = group.len();
            for (_, message) in messages() {
                if message.about.iter().any(|one| group.contains(one)) {
                    group.extend(&message.about);
                }
            }
            if group.len() == before {
                break;
            }
        }
        let own = messages().filter(|(_, message)| message.about.iter().any(|e| group.contains(e)));
        own.map(|(text, _)| text.as_str()).collect()
    }

    /// Somebody was told this of an elder by a gateway that must know what was committed `known`
    /// ago, and what it acknowledged itself.
    pub fn answered(
        &self,
        elder: usize,
        told: &[String],
        ((known, now), acknowledged): ((Duration, Duration), &BTreeSet<String>),
    ) -> Result<(), Wrong> {
        let told: BTreeSet<&str> = told.iter().map(String::as_str).collect();
        for text in self.about(elder, known) {
            is(told.contains(text), || format!("{text} of {elder} is not told, by {known:?}"))?;
        }
        for text in acknowledged {
            is(told.contains(text.as_str()), || format!("{text} of {elder} is not told here"))?;
        }
        let all = self.about(elder, now);
        for text in told {
            is(all.contains(text), || format!("{text} is told of {elder} and is not his"))?;
        }
        Ok(())
    }

    /// A notice as it stands in the outbox.
    pub fn notice(&self, number: i64) -> Result<Notice, Wrong> {
        let found = self.rows.notices(number).pop().filter(|(found, ..)| *found == number);
        let notice = found.map(|(_, lane, other)| Notice { lane, other });
        notice.ok_or_else(|| format!("{number} is told and is not there"))
    }

    /// The receiver has a notice.
    pub fn received(&mut self, number: i64) -> Result<(), Wrong> {
        let notice = self.notice(number)?;
        for (before, lane, other) in self.rows.notices(number - 1) {
            let met = Notice { lane, other }.meets(notice);
            is(!met || self.received.contains(&before), || {
                format!("{number} came before {before}")
            })?;
        }
        self.received.insert(number);
        Ok(())
    }

    /// Whether every notice was told and noted.
    pub fn all_is_told(&self) -> bool {
        self.rows.notices(i64::MAX).len() == self.delivered.len()
    }

    /// When all is quiet.
    pub fn ended(&self) -> Result<(), Wrong> {
        let lanes = self.rows.lanes();
        let mut told: BTreeMap<(i64, i64), usize> = BTreeMap::new();
        for (journal, lane) in self.rows.told() {
            *told.entry((journal, lane)).or_default() += 1;
        }
        for ((journal, lane), times) in &told {
            is(*times == 1, || format!("message {journal} is told {times} times in lane {lane}"))?;
        }
        for (text, message) in &self.messages {
            let number = self.rows.number_of(text).unwrap_or_default();
            for elder in message.about.iter().filter(|_| message.about.len() == 1) {
                let lane = lanes[*elder];
                let own = told.contains_key(&(number.cast_signed(), lane));
                is(own, || format!("{text} is not told in lane {lane}"))?;
            }
        }
        let entries = self.rows.entries();
        for (size, bytes) in self.rows.checkpoints() {
            let expect = house::checkpoint(&entries[..size]);
            is(bytes == expect, || format!("the checkpoint over {size} is another's"))?;
        }
        Ok(())
    }
}

fn is(so: bool, wrong: impl FnOnce() -> Wrong) -> Result<(), Wrong> {
    if so { Ok(()) } else { Err(wrong()) }
}
