//! 投递箱, the outbox: what departments will be told, in the commit of what happened.
//!
//! ```text
//! record kept, persons joined or parted → who of their lanes is told → outbox rows, one commit
//! due (the head of each lane) → sent by the flow → delivered | waits again | dead
//! ```
//!
//! A lane is one elder as one subscription knows him. Of a lane only the oldest notice that has
//! not ended may leave; a dead one keeps its lane until somebody decides, and no other lane.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::generation::Generations;
use super::lease::Lease;
use super::sql::{Connection, Optional, Row};
use super::writer::{Answer, Request};
use super::{Store, enrolment, notice};
use crate::identity::{PersonId, Token};
use crate::vocabulary::{Event, Identifier, Subscription};

/// An event of a record, and who subscribed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Whose wish.
    pub subscription: Subscription,
    /// Of what.
    pub event: Event,
}

/// Whom a subscription is about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// By which identifier the department knows the elder.
    pub identifier: Identifier,
    /// What the department calls him.
    pub reference: String,
}

/// Shows nothing: both are somebody's.
impl std::fmt::Debug for Enrolled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Enrolled(<masked>)")
    }
}

/// A change of whom a subscription is about.
#[derive(Debug, Clone)]
pub enum Enrol {
    /// From now on this elder too; one whose reference is known is replaced.
    Join(Enrolled, Token),
    /// No longer whoever has this reference.
    Leave(String),
}

/// A notice that may leave now.
#[derive(Debug, Clone)]
pub struct Due {
    /// Its number: the same at every try.
    pub number: i64,
    /// Its lane.
    pub lane: i64,
    /// The message that told of it, if one did.
    pub journal: Option<i64>,
    /// The other lane it is about, where two became one.
    pub other: Option<i64>,
    /// Of what it tells.
    pub event: Event,
    /// When that happened, in milliseconds since 1970.
    pub at_ms: i64,
    /// How often it was tried.
    pub tries: i64,
    /// About whom, as the department said; `None` if he was taken off the list since.
    pub enrolled: Option<(Enrolled, Token)>,
}

impl Due {
    /// The lanes it holds.
    #[must_use]
    pub const fn lanes(&self) -> [Option<i64>; 2] {
        [Some(self.lane), self.other]
    }
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The receiver has it.
    Delivered,
    /// It is tried again at this time; whether the receiver answered counts the tries.
    Again {
        /// When, in milliseconds since 1970.
        next_ms: i64,
        /// Why it failed.
        why: &'static str,
        /// Whether the receiver spoke.
        answered: bool,
    },
    /// Nobody tries again unless somebody says so; its lane waits.
    Dead(&'static str),
    /// There is nothing to tell, or nobody to be told.
    Passed(&'static str),
}

/// What somebody decides of notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A dead one is tried again.
    Retry(i64),
    /// A dead one is given up for good, and its lane goes on; when, milliseconds since 1970.
    Skip(i64, i64),
    /// Everything delivered since then, or that could not be told, is told again, in order.
    Rewind(Subscription, i64),
}

/// How the notices of one subscription stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Whose.
    pub subscription: String,
    /// Elders it is about.
    pub enrolled: i64,
    /// On their way.
    pub waiting: i64,
    /// Since when the oldest of them is, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
    /// Delivered, of those that are kept.
    pub delivered: i64,
    /// Dead.
    pub dead: i64,
    /// Passed over, of those that are kept.
    pub passed: i64,
}

impl Standing {
    /// Of a subscription nothing is known of.
    #[must_use]
    pub fn none(subscription: Subscription) -> Self {
        let subscription = subscription.to_string();
        let (enrolled, waiting, oldest_ms, delivered, dead, passed) = Default::default();
        Self { subscription, enrolled, waiting, oldest_ms, delivered, dead, passed }
    }
}

/// A dead notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dead {
    /// Its number.
    pub number: i64,
    /// Whose.
    pub subscription: String,
    /// Of what.
    pub event: String,
    /// When that happened, in milliseconds since 1970.
    pub at_ms: i64,
    /// How often it was tried.
    pub tries: i64,
    /// Why it is dead.
    pub why: Option<String>,
    /// The message that told of it, if one did.
    pub journal: Option<i64>,
}

/// Which notices are wanted of those that may leave.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// How many, with those on their way.
    pub most: usize,
    /// What is on its way, and not wanted again.
    pub busy: Vec<i64>,
    /// None up to this number.
    pub after: i64,
}

impl Store {
    /// Changes whom a subscription is about; the answer is how many joined and left.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn enrol(
        &self,
        subscription: Subscription,
        changes: Vec<Enrol>,
        at_ms: i64,
    ) -> Result<(usize, usize), StoreError> {
        match self.write(Request::Enrol(subscription, changes, at_ms)).await? {
            Answer::Enrolled(joined, left) => Ok((joined, left)),
            _ => Err(StoreError::Damaged),
        }
    }

    /// By which identifier, as a token, a reference is enrolled.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn enrolled(
        &self,
        subscription: Subscription,
        reference: &str,
    ) -> Result<Option<Token>, StoreError> {
        let digest = self.keys.seen(&enrolment::of_subscription(subscription, reference));
        let read = move |connection: &Connection, generations: &Generations| {
            let mut select = connection.prepare_cached(
                "SELECT token, generation FROM enrolment \
                 WHERE subscription = ?1 AND reference = ?2",
            )?;
            let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let found = select.query_row((subscription.as_str(), digest), row).optional()?;
            found.map(|(token, number)| Ok(generations.of(number)?.uncover(token))).transpose()
        };
        self.by_generation(read).await
    }

    /// The notices of a subscription that may leave now, oldest first. One that waits longer than
    /// the longest wait was put off by a clock that has been put back since: it leaves too.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn due(
        &self,
        subscription: Subscription,
        (now_ms, longest_ms): (i64, i64),
        wanted: Wanted,
    ) -> Result<Vec<Due>, StoreError> {
        let keys = Arc::clone(&self.keys);
        let read = move |connection: &Connection, generations: &Generations| {
            notice::due(
                connection,
                (&keys, generations),
                (subscription, (now_ms, longest_ms), &wanted),
            )
        };
        self.by_generation(read).await
    }

    /// Which other references of the lane's subscription mean the same elder now.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn same_elder(&self, lane: i64, person: PersonId) -> Result<Vec<String>, StoreError> {
        let keys = Arc::clone(&self.keys);
        let read = move |connection: &Connection, generations: &Generations| {
            enrolment::same_elder(connection, (&keys, generations), (lane, person))
        };
        self.by_generation(read).await
    }

    /// Takes note of what became of a try.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end(&self, number: i64, ended: Ended, at_ms: i64) -> Result<(), StoreError> {
        self.write(Request::End(number, (ended, at_ms), None)).await.map(drop)
    }

    /// The same of a try under a lease.
    ///
    /// # Errors
    /// [`StoreError::Settled`] if the lease is another gateway's by now,
    /// [`StoreError::Unavailable`].
    pub async fn end_under(
        &self,
        lease: Lease,
        (number, ended, at_ms): (i64, Ended, i64),
    ) -> Result<(), StoreError> {
        self.write(Request::End(number, (ended, at_ms), Some(lease))).await.map(drop)
    }

    /// Carries out what somebody decided; the answer is how many notices it changed.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no dead notice of that number,
    /// [`StoreError::Unavailable`].
    pub async fn decide(&self, verdict: Verdict) -> Result<usize, StoreError> {
        match self.write(Request::Decide(verdict)).await? {
            Answer::Changed(count) => Ok(count),
            _ => Err(StoreError::Damaged),
        }
    }

    /// How the notices of every subscription stand.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn standings(&self) -> Result<Vec<Standing>, StoreError> {
        self.readers.read(|connection| Ok(notice::standings(connection)?)).await
    }

    /// Dead notices after a number, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn dead(&self, after: i64, limit: usize) -> Result<Vec<Dead>, StoreError> {
        self.readers.read(move |connection| Ok(notice::dead(connection, after, limit)?)).await
    }

    /// Ready when a notice may have come since this was called.
    pub fn noticed(&self) -> tokio::sync::futures::OwnedNotified {
        Arc::clone(&self.shared.noticed).notified_owned()
    }
}
