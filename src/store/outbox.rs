//! 投递箱, the outbox: what departments will be told, in the commit of what happened.
//!
//! ```text
//! record kept, persons joined or parted → who of their lanes is told → outbox rows, one commit
//! due (the head of each lane) → sent by the flow → delivered | waits again | dead
//! ```
//!
//! A lane is one elder as one subscription knows him. Of a lane only the oldest notice that has
//! not ended may leave; a dead one keeps its lane until somebody decides, and no other lane.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::index;
use super::ledger::limited;
use super::seal::{Place, StoreKeys};
use super::writer::{Answer, Request, Stop, Writer};
use crate::identity::{PersonId, Token};
use crate::policy::IDENTITY;
use crate::vocabulary::{Event, Identifier, Subscription};

/// How long an ended notice is kept, so that a subscriber can have it again; milliseconds.
const KEPT_MS: i64 = 30 * 86_400_000;
/// Ended notices that are cleared away in one commit.
const CLEARED_MAX: i64 = 100;

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
    /// Of what it tells.
    pub event: Event,
    /// When that happened, in milliseconds since 1970.
    pub at_ms: i64,
    /// How often it was tried.
    pub tries: i64,
    /// About whom, as the department said; `None` if he was taken off the list since.
    pub enrolled: Option<(Enrolled, Token)>,
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
    /// A dead one is given up, and its lane goes on.
    Skip(i64),
    /// Everything delivered or passed over since then is told again, in order.
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
        let digest = self.keys.seen(reference.as_bytes());
        let read = move |connection: &Connection| {
            let mut select = connection.prepare_cached(
                "SELECT token FROM enrolment WHERE subscription = ?1 AND reference = ?2",
            )?;
            let token = |row: &Row<'_>| row.get(0).map(Token::from_bytes);
            Ok(select.query_row((subscription.as_str(), digest), token).optional()?)
        };
        self.readers.read(read).await
    }

    /// The notices of a subscription that may leave now, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn due(
        &self,
        subscription: Subscription,
        now_ms: i64,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let keys = std::sync::Arc::clone(&self.keys);
        self.readers
            .read(move |connection| due(connection, &keys, (subscription, now_ms, limit)))
            .await
    }

    /// When a notice waits next, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn next_due(&self, subscription: Subscription) -> Result<Option<i64>, StoreError> {
        let read = move |connection: &Connection| {
            let mut select = connection.prepare_cached(
                "SELECT min(next_ms) FROM outbox WHERE subscription = ?1 AND state = 0",
            )?;
            Ok(select.query_row([subscription.as_str()], |row| row.get(0))?)
        };
        self.readers.read(read).await
    }

    /// Which other references of the lane's subscription mean the same elder now.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn same_elder(&self, lane: i64, person: PersonId) -> Result<Vec<String>, StoreError> {
        let keys = std::sync::Arc::clone(&self.keys);
        self.readers.read(move |connection| same_elder(connection, &keys, (lane, person))).await
    }

    /// Takes note of what became of a try.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end(&self, number: i64, ended: Ended, at_ms: i64) -> Result<(), StoreError> {
        match self.write(Request::End { number, ended, at_ms }).await? {
            Answer::Done => Ok(()),
            _ => Err(StoreError::Damaged),
        }
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
        self.readers.read(|connection| Ok(standings(connection)?)).await
    }

    /// Dead notices after a number, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn dead(&self, after: i64, limit: usize) -> Result<Vec<Dead>, StoreError> {
        self.readers.read(move |connection| Ok(dead(connection, after, limit)?)).await
    }

    /// Ready when a notice may have come since this was called.
    pub fn noticed(&self) -> tokio::sync::futures::OwnedNotified {
        std::sync::Arc::clone(&self.shared.noticed).notified_owned()
    }
}

impl Writer {
    /// Puts what a record tells of in the outbox, for everybody who enrolled the person.
    pub(super) fn notice(
        &mut self,
        holder: PersonId,
        wishes: &[Wish],
        (at_ms, journal): (i64, i64),
    ) -> Result<(), Stop> {
        if wishes.is_empty() || !self.is_anybody_enrolled()? {
            return Ok(());
        }
        let root = self.root(holder)?;
        for (lane, subscription) in lanes(&self.connection, root)? {
            for wish in wishes.iter().filter(|wish| wish.subscription.as_str() == subscription) {
                let row = (&*subscription, lane, None, wish.event.as_str(), Some(journal), at_ms);
                self.put(row)?;
            }
        }
        Ok(())
    }

    /// Puts in the outbox that who is one person has changed, for everybody who enrolled one of
    /// them: `placed` says of each entry whose it was and whose it is. An entry that has just
    /// come is no news. Two lanes of one subscription wait for each other.
    pub(super) fn notice_moves(
        &mut self,
        placed: &[(PersonId, (PersonId, PersonId))],
        (at_ms, journal): (i64, Option<i64>),
    ) -> Result<(), Stop> {
        if !self.is_anybody_enrolled()? {
            return Ok(());
        }
        let mut came: BTreeSet<(PersonId, PersonId)> = BTreeSet::new();
        for (entry, way) in placed {
            let sql = "SELECT 1 FROM record WHERE person = ?1 LIMIT 1";
            if self.connection.prepare_cached(sql)?.exists([entry.0])? {
                came.insert(*way);
            }
        }
        let joined = |to: PersonId| came.iter().filter(|way| way.1 == to).count() > 1;
        let parted = |from: PersonId| came.iter().filter(|way| way.0 == from).count() > 1;
        let news = came.iter().filter(|(from, to)| joined(*to) || parted(*from));
        let news: BTreeSet<PersonId> = news.map(|(_, to)| *to).collect();
        let mut told: BTreeSet<(String, i64)> = BTreeSet::new();
        for person in news {
            let lanes = lanes(&self.connection, person)?;
            told.extend(lanes.into_iter().map(|(lane, subscription)| (subscription, lane)));
        }
        let mut before: Option<(String, i64)> = None;
        for (subscription, lane) in told {
            let other = before.as_ref().filter(|(known, _)| *known == subscription);
            let other = other.map(|(_, lane)| *lane);
            self.put((&*subscription, lane, other, IDENTITY.as_str(), journal, at_ms))?;
            before = Some((subscription, lane));
        }
        Ok(())
    }

    fn put(
        &mut self,
        (subscription, lane, other, event, journal, at_ms): (
            &str,
            i64,
            Option<i64>,
            &str,
            Option<i64>,
            i64,
        ),
    ) -> Result<(), Stop> {
        self.connection
            .prepare_cached(
                "INSERT INTO outbox (subscription, lane, other, event, journal, at_ms, state, \
                 tries, next_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0)",
            )?
            .execute((subscription, lane, other, event, journal, at_ms))?;
        self.noticed = true;
        Ok(())
    }

    /// Takes somebody off every list.
    pub(super) fn leave_lists(&mut self, root: PersonId) -> Result<(), Stop> {
        for (lane, _) in lanes(&self.connection, root)? {
            self.connection
                .prepare_cached("DELETE FROM enrolment WHERE lane = ?1")?
                .execute([lane])?;
        }
        Ok(())
    }

    fn is_anybody_enrolled(&self) -> rusqlite::Result<bool> {
        self.connection.prepare_cached("SELECT 1 FROM enrolment LIMIT 1")?.exists([])
    }

    pub(super) fn enrol(
        &mut self,
        subscription: Subscription,
        changes: &[Enrol],
        at_ms: i64,
    ) -> Result<Answer, Stop> {
        let (mut joined, mut left) = (0, 0);
        for change in changes {
            match change {
                Enrol::Join(enrolled, token) => {
                    joined +=
                        usize::from(self.join_list(subscription, (enrolled, token), at_ms)?);
                }
                Enrol::Leave(reference) => {
                    let digest = self.keys.seen(reference.as_bytes());
                    left += self
                        .connection
                        .prepare_cached(
                            "DELETE FROM enrolment WHERE subscription = ?1 AND reference = ?2",
                        )?
                        .execute((subscription.as_str(), digest))?;
                }
            }
        }
        Ok(Answer::Enrolled(joined, left))
    }

    /// Whether that is news. Who is enrolled again under one reference keeps his lane.
    fn join_list(
        &mut self,
        subscription: Subscription,
        (enrolled, token): (&Enrolled, &Token),
        at_ms: i64,
    ) -> Result<bool, Stop> {
        let reference = self.keys.seen(enrolled.reference.as_bytes());
        let known: Option<(i64, [u8; 32])> = self
            .connection
            .prepare_cached(
                "SELECT lane, token FROM enrolment WHERE subscription = ?1 AND reference = ?2",
            )?
            .query_row((subscription.as_str(), reference), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let json = serde_json::to_vec(enrolled).map_err(|_| StoreError::Damaged)?;
        let lane = match known {
            Some((_, same)) if same == *token.as_bytes() => return Ok(false),
            Some((lane, _)) => lane,
            None => {
                self.connection
                    .prepare_cached(
                        "INSERT INTO enrolment (subscription, token, reference, sealed, at_ms) \
                         VALUES (?1, ?2, ?3, x'', ?4)",
                    )?
                    .execute((subscription.as_str(), token.as_bytes(), reference, at_ms))?;
                self.connection.last_insert_rowid()
            }
        };
        self.keys.wrap().seal(Place::enrolment(lane), &json, &mut self.scratch)?;
        self.connection
            .prepare_cached("UPDATE enrolment SET token = ?2, sealed = ?3 WHERE lane = ?1")?
            .execute((lane, token.as_bytes(), &self.scratch[..]))?;
        Ok(true)
    }

    pub(super) fn end(&mut self, number: i64, ended: Ended, at_ms: i64) -> Result<Answer, Stop> {
        // A notice that was given up or is told again meanwhile is what was decided last.
        let (state, tried, next_ms, why, ended_ms) = match ended {
            Ended::Delivered => (1, 1, 0, None, Some(at_ms)),
            Ended::Again { next_ms, why, answered } => {
                (0, i64::from(answered), next_ms, Some(why), None)
            }
            Ended::Dead(why) => (2, 1, 0, Some(why), None),
            Ended::Passed(why) => (3, 0, 0, Some(why), Some(at_ms)),
        };
        self.connection
            .prepare_cached(
                "UPDATE outbox SET state = ?2, tries = tries + ?3, next_ms = ?4, why = ?5, \
                 ended_ms = ?6 WHERE number = ?1 AND state = 0",
            )?
            .execute((number, state, tried, next_ms, why, ended_ms))?;
        self.connection
            .prepare_cached(
                "DELETE FROM outbox WHERE number IN (SELECT number FROM outbox WHERE \
                 ended_ms < ?1 ORDER BY ended_ms LIMIT ?2)",
            )?
            .execute((at_ms - KEPT_MS, CLEARED_MAX))?;
        // The next of the lane may leave now.
        self.noticed = true;
        Ok(Answer::Done)
    }

    pub(super) fn decide_notices(&mut self, verdict: &Verdict) -> Result<Answer, Stop> {
        let dead = |change: &str, number: i64| {
            let sql = format!("UPDATE outbox SET {change} WHERE number = ?1 AND state = 2");
            match self.connection.prepare_cached(&sql)?.execute([number])? {
                0 => Err(Stop::from(StoreError::Unknown)),
                count => Ok(count),
            }
        };
        let changed = match verdict {
            Verdict::Retry(number) => dead("state = 0, tries = 0, next_ms = 0", *number)?,
            Verdict::Skip(number) => dead("state = 3, ended_ms = at_ms", *number)?,
            Verdict::Rewind(subscription, since_ms) => self
                .connection
                .prepare_cached(
                    "UPDATE outbox SET state = 0, tries = 0, next_ms = 0, ended_ms = NULL \
                     WHERE subscription = ?1 AND at_ms >= ?2 AND state IN (1, 3)",
                )?
                .execute((subscription.as_str(), since_ms))?,
        };
        self.noticed = true;
        Ok(Answer::Changed(changed))
    }
}

/// The lanes of everybody whose identifier leads to this person, with their subscriptions.
fn lanes(connection: &Connection, root: PersonId) -> Result<Vec<(i64, String)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT DISTINCT lane, subscription, enrolment.token FROM identifier \
         JOIN enrolment ON enrolment.token = identifier.token WHERE identifier.person = ?1",
    )?;
    let mut found = Vec::new();
    for entry in index::set(connection, root)? {
        let rows = select.query_map([entry.0], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2).map(Token::from_bytes)?))
        })?;
        for row in rows {
            let (lane, subscription, token) = row?;
            // Whoever only used a number is not who it means.
            let meant = match index::holder(connection, &token) {
                Err(StoreError::Conflict) => None,
                other => other?,
            };
            if meant == Some(root) {
                found.push((lane, subscription));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn due(
    connection: &Connection,
    keys: &StoreKeys,
    (subscription, now_ms, limit): (Subscription, i64, usize),
) -> Result<Vec<Due>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT number, one.lane, event, one.at_ms, tries, sealed, token FROM outbox AS one \
         LEFT JOIN enrolment ON enrolment.lane = one.lane \
         WHERE one.subscription = ?1 AND state = 0 AND next_ms <= ?2 \
         AND NOT EXISTS (SELECT 1 FROM outbox AS before WHERE before.state IN (0, 2) \
             AND before.number < one.number AND before.lane IN (one.lane, one.other)) \
         AND NOT EXISTS (SELECT 1 FROM outbox AS before WHERE before.state IN (0, 2) \
             AND before.other IS NOT NULL AND before.number < one.number \
             AND before.other IN (one.lane, one.other)) \
         ORDER BY number LIMIT ?3",
    )?;
    let rows = select.query_map((subscription.as_str(), now_ms, limited(limit)), |row| {
        let enrolled = match (row.get::<_, Option<Vec<u8>>>(5)?, row.get(6)?) {
            (Some(sealed), Some(token)) => Some((sealed, Token::from_bytes(token))),
            _ => None,
        };
        let event: String = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, event, row.get(3)?, row.get(4)?, enrolled))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (number, lane, event, at_ms, tries, enrolled) = row?;
        let event = Event::parse(&event).map_err(|_| StoreError::Damaged)?;
        let enrolled = match enrolled {
            Some((sealed, token)) => Some((opened(keys, lane, &sealed)?, token)),
            None => None,
        };
        found.push(Due { number, lane, event, at_ms, tries, enrolled });
    }
    Ok(found)
}

fn same_elder(
    connection: &Connection,
    keys: &StoreKeys,
    (lane, person): (i64, PersonId),
) -> Result<Vec<String>, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let root = index::root(&snapshot, person)?;
    let mut select = snapshot.prepare_cached(
        "SELECT other.sealed FROM enrolment AS one JOIN enrolment AS other USING (subscription) \
         WHERE one.lane = ?1 AND other.lane = ?2",
    )?;
    let mut found = Vec::new();
    for (other, _) in lanes(&snapshot, root)? {
        if other == lane {
            continue;
        }
        let sealed: Option<Vec<u8>> =
            select.query_row((lane, other), |row| row.get(0)).optional()?;
        if let Some(sealed) = sealed {
            found.push(opened(keys, other, &sealed)?.reference);
        }
    }
    Ok(found)
}

fn opened(keys: &StoreKeys, lane: i64, sealed: &[u8]) -> Result<Enrolled, StoreError> {
    let json = keys.wrap().open(Place::enrolment(lane), sealed)?;
    serde_json::from_slice(&json).map_err(|_| StoreError::Damaged)
}

fn standings(connection: &Connection) -> rusqlite::Result<Vec<Standing>> {
    let mut select = connection.prepare_cached(
        "SELECT name, (SELECT count(*) FROM enrolment WHERE subscription = name), \
         coalesce(sum(state = 0), 0), min(CASE state WHEN 0 THEN at_ms END), \
         coalesce(sum(state = 1), 0), coalesce(sum(state = 2), 0), coalesce(sum(state = 3), 0) \
         FROM (SELECT subscription AS name FROM enrolment UNION SELECT subscription FROM outbox) \
         LEFT JOIN outbox ON subscription = name GROUP BY name ORDER BY name",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Standing {
            subscription: row.get(0)?,
            enrolled: row.get(1)?,
            waiting: row.get(2)?,
            oldest_ms: row.get(3)?,
            delivered: row.get(4)?,
            dead: row.get(5)?,
            passed: row.get(6)?,
        })
    })?;
    rows.collect()
}

fn dead(connection: &Connection, after: i64, limit: usize) -> rusqlite::Result<Vec<Dead>> {
    let mut select = connection.prepare_cached(
        "SELECT number, subscription, event, at_ms, tries, why FROM outbox \
         WHERE state = 2 AND number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let rows = select.query_map((after, limited(limit)), |row| {
        Ok(Dead {
            number: row.get(0)?,
            subscription: row.get(1)?,
            event: row.get(2)?,
            at_ms: row.get(3)?,
            tries: row.get(4)?,
            why: row.get(5)?,
        })
    })?;
    rows.collect()
}
