//! 通知, what is in the outbox: put there, let go, ended, and decided on.

use std::collections::{BTreeMap, BTreeSet};

use super::enrolment::{lanes, opened};
use super::error::StoreError;
use super::generation::Generations;
use super::lease::Lease;
use super::ledger::limited;
use super::outbox::{Dead, Due, Ended, Standing, Verdict, Wanted, Wish};
use super::seal::StoreKeys;
use super::sql::{self, Connection};
use super::writer::{Answer, Stop, Writer};
use crate::identity::PersonId;
use crate::policy::IDENTITY;
use crate::vocabulary::{Event, Subscription};

/// How long an ended notice is kept, so that a subscriber can have it again; milliseconds.
const KEPT_MS: i64 = 30 * 86_400_000;
/// Why a notice that somebody gave up is told no more, whatever is told again.
const GIVEN_UP: &str = "given-up";
/// Ended notices that are cleared away in one commit.
const CLEARED_MAX: i64 = 100;
/// A notice has ended. What waits is looked for by its own index, which is of those that are dead
/// too: those that ended are kept for a month.
pub(super) const END: &str = "UPDATE outbox SET state = ?2, tries = tries + ?3, next_ms = ?4, \
    why = ?5, ended_ms = ?6 WHERE number = ?1 AND state = 0 AND NOT (?2 = 1 AND EXISTS \
    (SELECT 1 FROM outbox AS before WHERE before.state IN (0, 2) AND before.state = 0 \
    AND before.number < ?1 AND before.lane = outbox.lane))";
/// The oldest of each lane that may leave now.
pub(super) const DUE: &str = "SELECT number, one.lane, event, one.at_ms, tries, sealed, token, \
    generation, other, journal FROM outbox AS one \
    LEFT JOIN enrolment ON enrolment.lane = one.lane \
    WHERE one.subscription = ?1 AND state = 0 AND number > ?5 \
    AND (next_ms <= ?2 OR next_ms > ?4) \
    AND NOT EXISTS (SELECT 1 FROM outbox AS before WHERE before.state IN (0, 2) \
        AND before.number < one.number AND before.lane IN (one.lane, one.other)) \
    AND NOT EXISTS (SELECT 1 FROM outbox AS before WHERE before.state IN (0, 2) \
        AND before.other IS NOT NULL AND before.number < one.number \
        AND before.other IN (one.lane, one.other)) \
    ORDER BY number LIMIT ?3";
/// How many of each state every subscription has: every notice that is kept is read once.
pub(super) const STANDINGS: &str = "SELECT name, CAST(sum(enrolled) AS BIGINT), \
    CAST(sum(waiting) AS BIGINT), min(oldest_ms), CAST(sum(delivered) AS BIGINT), \
    CAST(sum(dead) AS BIGINT), CAST(sum(passed) AS BIGINT) FROM \
    (SELECT subscription AS name, count(*) AS enrolled, 0 AS waiting, \
        CAST(NULL AS BIGINT) AS oldest_ms, 0 AS delivered, 0 AS dead, 0 AS passed \
        FROM enrolment GROUP BY subscription \
    UNION ALL SELECT subscription, 0, count(*) FILTER (WHERE state = 0), \
        min(CASE state WHEN 0 THEN at_ms END), count(*) FILTER (WHERE state = 1), \
        count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 3) \
        FROM outbox GROUP BY subscription) AS counted GROUP BY name ORDER BY name";
/// Dead notices after a number, oldest first: they are few among those that are kept.
pub(super) const DEAD: &str = "SELECT number, subscription, event, at_ms, tries, why, journal \
    FROM outbox INDEXED BY outbox_dead WHERE state = 2 AND number > ?1 ORDER BY number LIMIT ?2";

impl Writer {
    /// Puts what a record tells of in the outbox, for everybody who enrolled the person.
    pub(super) fn notice(
        &mut self,
        holder: PersonId,
        wishes: &[Wish],
        (at_ms, journal): (i64, i64),
    ) -> Result<(), Stop> {
        if wishes.is_empty() {
            return Ok(());
        }
        for (lane, subscription) in self.lanes_of(holder)? {
            for wish in wishes.iter().filter(|wish| wish.subscription.as_str() == subscription) {
                self.put((lane, None), (&subscription, wish.event), (at_ms, Some(journal)))?;
            }
        }
        Ok(())
    }

    /// Puts in the outbox that who is one person has changed, for whoever enrolled two of them:
    /// `placed` says of each entry whose it was and whose it is. An entry that has just come is
    /// no news.
    pub(super) fn notice_moves(
        &mut self,
        placed: &[(PersonId, (PersonId, PersonId))],
        when: (i64, Option<i64>),
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
        let mut told = Vec::new();
        for person in news {
            told.extend(lanes(&self.connection, &self.generations, person)?);
        }
        self.tell_who_is_one(told, when)
    }

    /// Puts in the outbox that a number a person has since is another lane's, where a second
    /// lane of the subscription leads to that person.
    pub(super) fn notice_numbers(
        &mut self,
        before: &[(i64, String)],
        root: PersonId,
        when: (i64, Option<i64>),
    ) -> Result<(), Stop> {
        let after = lanes(&self.connection, &self.generations, root)?;
        if after.as_slice() == before {
            return Ok(());
        }
        let gained = |subscription: &str| {
            let own = |lane: &&(i64, String)| lane.1 == subscription;
            after.iter().filter(own).ne(before.iter().filter(own))
        };
        let told = after.iter().filter(|(_, subscription)| gained(subscription));
        self.tell_who_is_one(told.cloned().collect(), when)
    }

    /// The lanes of a person; none where nobody enrolled anybody.
    pub(super) fn lanes_of(&mut self, entry: PersonId) -> Result<Vec<(i64, String)>, Stop> {
        if !self.is_anybody_enrolled()? {
            return Ok(Vec::new());
        }
        let root = self.root(entry)?;
        Ok(lanes(&self.connection, &self.generations, root)?)
    }

    /// One reference alone hears nothing: that entries of a hospital were joined is not its
    /// department's. Two lanes that became one, or were, wait for each other.
    fn tell_who_is_one(
        &mut self,
        told: Vec<(i64, String)>,
        when: (i64, Option<i64>),
    ) -> Result<(), Stop> {
        let mut of: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for (lane, subscription) in told {
            of.entry(subscription).or_default().insert(lane);
        }
        for (subscription, lanes) in of.into_iter().filter(|(_, lanes)| lanes.len() > 1) {
            let mut before = None;
            for lane in lanes {
                self.put((lane, before), (&subscription, IDENTITY), when)?;
                before = Some(lane);
            }
        }
        Ok(())
    }

    fn put(
        &mut self,
        lanes: (i64, Option<i64>),
        (subscription, event): (&str, Event),
        (at_ms, journal): (i64, Option<i64>),
    ) -> Result<(), Stop> {
        self.connection
            .prepare_cached(
                "INSERT INTO outbox (subscription, lane, other, event, journal, at_ms, state, \
                 tries, next_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0)",
            )?
            .execute((subscription, lanes.0, lanes.1, event.as_str(), journal, at_ms))?;
        self.changes.noticed = true;
        Ok(())
    }

    pub(super) fn end(
        &mut self,
        number: i64,
        (ended, at_ms): (Ended, i64),
        lease: Option<&Lease>,
    ) -> Result<Answer, Stop> {
        if lease.map(|lease| self.is_leased(lease)).transpose()? == Some(false) {
            // Another gateway tells it by now, and notes what comes of that.
            return Err(StoreError::Settled.into());
        }
        // What is told again meanwhile comes first, and this one once more behind it.
        let (state, tried, next_ms, why, ended_ms) = match ended {
            Ended::Delivered => (1, 1, 0, None, Some(at_ms)),
            Ended::Again { next_ms, why, answered } => {
                (0, i64::from(answered), next_ms, Some(why), None)
            }
            Ended::Dead(why) => (2, 1, 0, Some(why), None),
            Ended::Passed(why) => (3, 0, 0, Some(why), Some(at_ms)),
        };
        self.connection
            .prepare_cached(END)?
            .execute((number, state, tried, next_ms, why, ended_ms))?;
        self.connection
            .prepare_cached(
                "DELETE FROM outbox WHERE number IN (SELECT number FROM outbox WHERE \
                 ended_ms < ?1 ORDER BY ended_ms LIMIT ?2)",
            )?
            .execute((at_ms - KEPT_MS, CLEARED_MAX))?;
        // Whoever tells it looks for the next of its lane himself.
        Ok(Answer::Done)
    }

    pub(super) fn decide_notices(&mut self, verdict: &Verdict) -> Result<Answer, Stop> {
        let dead = |change: &str, number: i64| {
            let sql = format!("UPDATE outbox SET {change} WHERE number = ?1 AND state = 2");
            match self.connection.prepare_cached(&sql)?.changed([number])? {
                0 => Err(Stop::from(StoreError::Unknown)),
                count => Ok(count),
            }
        };
        let changed = match verdict {
            Verdict::Retry(number) => dead("state = 0, tries = 0, next_ms = 0", *number)?,
            Verdict::Skip(number, at_ms) => {
                dead(&format!("state = 3, why = '{GIVEN_UP}', ended_ms = {at_ms}"), *number)?
            }
            Verdict::Rewind(subscription, since_ms) => {
                // How many were not told before is nothing a department may count.
                let told = self
                    .connection
                    .prepare_cached(
                        "SELECT count(*) FROM outbox \
                         WHERE subscription = ?1 AND at_ms >= ?2 AND state = 1",
                    )?
                    .query_row((subscription.as_str(), since_ms), |row| row.get::<i64>(0))?;
                self.connection
                    .prepare_cached(
                        "UPDATE outbox SET state = 0, tries = 0, next_ms = 0, ended_ms = NULL \
                         WHERE subscription = ?1 AND at_ms >= ?2 AND state IN (1, 3) \
                         AND why IS DISTINCT FROM ?3",
                    )?
                    .execute((subscription.as_str(), since_ms, GIVEN_UP))?;
                usize::try_from(told).unwrap_or_default()
            }
        };
        self.changes.noticed = true;
        Ok(Answer::Changed(changed))
    }
}

/// Notices of a subscription that may leave now, oldest first.
pub fn due(
    connection: &Connection,
    (keys, generations): (&StoreKeys, &Generations),
    (subscription, when, wanted): (Subscription, (i64, i64), &Wanted),
) -> Result<Vec<Due>, StoreError> {
    let mut select = connection.prepare_cached(DUE)?;
    let (now_ms, longest_ms) = when;
    let latest_ms = now_ms.saturating_add(longest_ms);
    let most = limited(wanted.most);
    let given = (subscription.as_str(), now_ms, most, latest_ms, wanted.after);
    let rows = select.query_map(given, |row| {
        let enrolled = match (row.get::<Option<Vec<u8>>>(5)?, row.get(6)?, row.get(7)?) {
            (Some(sealed), Some(token), Some(number)) => Some((sealed, token, number)),
            _ => None,
        };
        let event: String = row.get(2)?;
        let (lane, cause) = ((row.get(1)?, row.get(8)?), (row.get(9)?, event));
        Ok((row.get(0)?, lane, cause, row.get(3)?, row.get(4)?, enrolled))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (number, (lane, other), (journal, event), at_ms, tries, enrolled) = row?;
        // Whom it is about is opened for those that leave.
        if wanted.busy.contains(&number) {
            continue;
        }
        let event = Event::parse(&event).map_err(|_| StoreError::Damaged)?;
        let enrolled = match enrolled {
            Some((sealed, token, number)) => {
                let token = generations.of(number)?.uncover(token);
                Some((opened(keys, lane, &sealed)?, token))
            }
            None => None,
        };
        found.push(Due { number, lane, journal, other, event, at_ms, tries, enrolled });
    }
    Ok(found)
}

/// How the notices of every subscription stand.
pub fn standings(connection: &Connection) -> sql::Result<Vec<Standing>> {
    let mut select = connection.prepare_cached(STANDINGS)?;
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

/// Dead notices after a number, oldest first.
pub fn dead(connection: &Connection, after: i64, limit: usize) -> sql::Result<Vec<Dead>> {
    let mut select = connection.prepare_cached(DEAD)?;
    let rows = select.query_map((after, limited(limit)), |row| {
        Ok(Dead {
            number: row.get(0)?,
            subscription: row.get(1)?,
            event: row.get(2)?,
            at_ms: row.get(3)?,
            tries: row.get(4)?,
            why: row.get(5)?,
            journal: row.get(6)?,
        })
    })?;
    rows.collect()
}
