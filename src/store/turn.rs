//! 轮次, whose turn it is to write where several gateways share a server: a turn is one commit.
//!
//! ```text
//! begin → take the row of `turn` → the last commit was ours: what is remembered is right
//!                                └ another's: what it changed is forgotten
//! … → what this one changes, the next number → commit: whose turn is next takes the row
//! ```
//!
//! Whoever has the row reads what was committed last, so numbers are gapless and the tree is one
//! whoever writes. A lost connection gives the row back with all that was begun. On a file there
//! is one writer, whose turn it always is.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};

use super::arrival::Kept;
use super::error::StoreError;
use super::generation::Generations;
use super::journal::{EARLIER, Earlier, Message};
use super::review::{self, Proposal};
use super::shared::Shared;
use super::sql::postgres::TAKE;
use super::sql::{self, Connection, Row};
use super::writer::{Answer, Next, Request, Writer};
use crate::identity::PersonId;

/// Changes that are kept; whoever missed more forgets everything.
const KEPT: i64 = 4096;
/// Older ones go every so many commits.
const CLEARED_EVERY: i64 = 256;
/// Persons one change names; one that is about more is about everybody.
const PERSONS_MAX: usize = 1024;
/// Where the numbers stand, and the last master key.
const NUMBERS: &str = "SELECT (SELECT coalesce(max(number), 0) + 1 FROM journal), \
    (SELECT coalesce(max(number), -1) + 1 FROM ledger), \
    (SELECT coalesce(max(id), 0) + 1 FROM person), \
    (SELECT coalesce(max(event), 0) + 1 FROM (SELECT max(event) AS event FROM assertion \
     UNION ALL SELECT max(event) FROM moved) AS said), \
    (SELECT until FROM projected), (SELECT max(number) FROM master)";

/// What the commits after one up to another changed, and whose they were.
const CHANGES: &str =
    "SELECT node, number, what FROM change WHERE number > ?1 AND number <= ?2 ORDER BY number";

/// A commit as its gateway wrote it down.
struct Commit {
    node: i64,
    number: i64,
    what: String,
}

/// The turn, and what a server says with it.
struct Taken {
    /// How many there were.
    turn: i64,
    /// The commits since the last one this writer knows.
    commits: Vec<Commit>,
    numbers: Numbers,
}

/// Where the numbers stand, and the last master key.
struct Numbers(Next, i64);

/// What one commit changed of what others may remember. Whoever reads one that says more than he
/// knows takes it for [`Changes::unread`]: he forgets everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Changes {
    /// Entries that read otherwise than before.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub persons: BTreeSet<i64>,
    /// Whether everybody may.
    #[serde(skip_serializing_if = "is_not")]
    pub all: bool,
    /// Whether identifiers came to entries or went from them.
    #[serde(skip_serializing_if = "is_not")]
    pub linked: bool,
    /// Whether a token may lead to another person than before.
    #[serde(skip_serializing_if = "is_not")]
    pub relinked: bool,
    /// Whether a notice may leave that could not before.
    #[serde(skip_serializing_if = "is_not")]
    pub noticed: bool,
    /// Whether other policies are in force.
    #[serde(skip_serializing_if = "is_not")]
    pub policies: bool,
    /// Whether keys or weights are others.
    #[serde(skip_serializing_if = "is_not")]
    pub ground: bool,
}

impl Changes {
    /// Takes note of what a request came to.
    pub(super) fn note(&mut self, request: &Request, answer: &Answer) {
        self.policies |= matches!(request, Request::Enforce(..));
        match answer {
            Answer::Kept(kept) => self.note_kept(kept),
            Answer::KeptAll(each) => each.iter().flatten().for_each(|kept| self.note_kept(kept)),
            Answer::Persons(persons) | Answer::Proposed(Proposal::Done(persons)) => {
                self.persons.extend(persons.iter().map(|person| person.0));
            }
            _ => (),
        }
    }

    fn note_kept(&mut self, kept: &Kept) {
        if !kept.repeat {
            self.persons.extend(kept.persons.iter().map(|person| person.0));
        }
    }

    /// What was not read is whatever it may have been.
    pub fn unread() -> Self {
        Self {
            persons: BTreeSet::new(),
            all: true,
            linked: true,
            relinked: true,
            noticed: true,
            policies: true,
            ground: true,
        }
    }

    fn written(mut self) -> String {
        if self.persons.len() > PERSONS_MAX {
            self.persons.clear();
            (self.all, self.ground) = (true, true);
        }
        serde_json::to_string(&self).unwrap_or_default()
    }

    fn add(&mut self, other: Self) {
        self.persons.extend(other.persons);
        self.all |= other.all;
        self.linked |= other.linked;
        self.relinked |= other.relinked;
        self.noticed |= other.noticed;
        self.policies |= other.policies;
        self.ground |= other.ground;
    }
}

/// For serde.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_not(flag: &bool) -> bool {
    !*flag
}

/// A number by which a gateway is told from the others of its server, until it ends.
pub fn node() -> Result<i64, StoreError> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| StoreError::Unavailable)?;
    Ok(i64::from_be_bytes(bytes) & i64::MAX)
}

/// How many commits there were; `None` on a file.
pub fn turns(connection: &Connection) -> sql::Result<Option<i64>> {
    match connection.is_shared() {
        true => connection.query_row("SELECT number FROM turn", [], |row| row.get(0)).map(Some),
        false => Ok(None),
    }
}

/// What the commits from one number up to another changed, but for one gateway's own up to one
/// of them.
pub fn changed(
    connection: &Connection,
    (from, to): (i64, i64),
    but: Option<(i64, i64)>,
) -> Result<Changes, StoreError> {
    let mut select = connection.prepare_cached(CHANGES)?;
    let rows: sql::Result<Vec<Commit>> = select.query_map((from, to), Commit::read)?.collect();
    Ok(sum(&rows?, (from, to), but))
}

/// The same of commits that were read.
fn sum(commits: &[Commit], (from, to): (i64, i64), but: Option<(i64, i64)>) -> Changes {
    if i64::try_from(commits.len()).ok() != Some(to.saturating_sub(from)) {
        return Changes::unread();
    }
    let mut all = Changes::default();
    let own = |one: &Commit| but.is_some_and(|(own, up_to)| one.node == own && one.number <= up_to);
    for one in commits.iter().filter(|one| !own(one)) {
        all.add(serde_json::from_str(&one.what).unwrap_or_else(|_| Changes::unread()));
    }
    all
}

impl Commit {
    fn read(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self { node: row.get(0)?, number: row.get(1)?, what: row.get(2)? })
    }
}

impl Shared {
    /// Whoever remembers who is who, or waits for a notice, looks again.
    pub fn tell(&self, changes: &Changes) {
        if changes.relinked {
            self.links.fetch_add(1, Ordering::SeqCst);
        }
        if changes.noticed {
            self.noticed.notify_waiters();
        }
    }

    /// The same of what another gateway changed, with all that is remembered besides.
    pub fn hear(&self, changes: &Changes) {
        self.tell(changes);
        self.hearing.apply(changes);
    }
}

impl Writer {
    /// Begins a commit of these messages, and of whatever else. What is remembered is right from
    /// then on until it ends.
    pub(super) fn begin_turn(&mut self, messages: &[&Message]) -> Result<(), StoreError> {
        self.connection.begin()?.leave();
        let taken = self.take_turn(messages)?;
        let turn = taken.as_ref().map(|taken| taken.turn);
        let own = self.sound && turn == self.turn;
        self.follows &= own || turn.is_none();
        if !own {
            self.follow(taken)?;
        }
        self.look_ahead(messages).map_err(Into::into)
    }

    /// Takes the turn of a server, and asks by the same way what others wrote meanwhile and what
    /// came before of the messages. On a file it is always ours.
    fn take_turn(&mut self, messages: &[&Message]) -> sql::Result<Option<Taken>> {
        self.earlier.clear();
        self.shares.clear();
        if !self.connection.is_shared() {
            return Ok(None);
        }
        let (known, server) = (self.turn.unwrap_or_default(), &self.connection);
        let turn = server.ask(TAKE, [], |row| row.get(0))?;
        let commits = server.ask(CHANGES, (known, i64::MAX), Commit::read)?;
        let numbers = server.ask(NUMBERS, [], Numbers::read)?;
        let earlier =
            messages.iter().map(|message| server.ask(EARLIER, message.name(), Earlier::read));
        let earlier: Vec<_> = earlier.collect::<sql::Result<_>>()?;

        let turn = server.answer(turn)?.pop().ok_or(sql::Error::NoRow)?;
        let commits = server.answer(commits)?;
        let numbers = server.answer(numbers)?.pop().ok_or(sql::Error::NoRow)?;
        for (message, asked) in messages.iter().zip(earlier) {
            let found = server.answer(asked)?.into_iter().next();
            self.earlier.insert(message.own_name(), found);
        }
        Ok(Some(Taken { turn, commits, numbers }))
    }

    /// Forgets what is not so any more, because somebody else wrote or nobody knows who did.
    fn follow(&mut self, taken: Option<Taken>) -> Result<(), StoreError> {
        let turn = taken.as_ref().map(|taken| taken.turn);
        let missed = match self.turn.zip(taken.as_ref()) {
            // Nobody was told of a commit whose answer was lost: it counts as another's.
            Some((from, Taken { turn, commits, .. })) => {
                sum(commits, (from, *turn), self.sound.then_some((self.node, *turn)))
            }
            None => Changes { relinked: true, noticed: true, ..Changes::default() },
        };
        if !self.sound && missed.policies {
            self.shared.hearing.enforced(None);
        }
        if missed.ground || !std::mem::take(&mut self.sound) {
            self.forget()?;
        } else {
            missed.persons.iter().for_each(|person| self.persons.forget(&PersonId(*person)));
            if missed.linked {
                self.tokens.clear();
            }
            if let Some(Taken { numbers: Numbers(next, _), .. }) = taken {
                self.next = next;
            }
        }
        (self.turn, self.sound) = (turn, true);
        self.shared.hear(&missed);
        Ok(())
    }

    /// Makes what was begun durable, with what it changes, for those who come next.
    pub(super) fn end_turn(&mut self) -> sql::Result<Changes> {
        for asked in self.shares.drain(..) {
            self.changes.relinked |= !self.connection.answer(asked)?.is_empty();
        }
        let changes = std::mem::take(&mut self.changes);
        let turn = self.turn.map(|turn| turn + 1);
        if let Some(turn) = turn {
            self.connection.execute("UPDATE turn SET number = ?1", [turn])?;
            let written = (turn, self.node, changes.clone().written());
            self.connection.execute("INSERT INTO change VALUES (?1, ?2, ?3)", written)?;
            if turn % CLEARED_EVERY == 0 {
                self.connection.execute("DELETE FROM change WHERE number <= ?1", [turn - KEPT])?;
            }
            self.connection.wake()?;
        }
        self.connection.commit()?;
        self.turn = turn;
        Ok(changes)
    }

    /// Remembers nothing of an entry any more, nor does anybody else.
    pub(super) fn forget_person(&mut self, entry: PersonId) {
        self.persons.forget(&entry);
        self.changes.persons.insert(entry.0);
    }

    /// Remembers what was last said of an entry; nobody else does any more.
    pub(super) fn see(&mut self, entry: PersonId, seen: [u8; 16]) {
        if let Some(mut known) = self.persons.look(&entry) {
            known.seen = Some(seen);
            self.persons.keep(entry, known);
        }
        self.changes.persons.insert(entry.0);
    }

    /// Drops everything remembered and reads it again: after a rollback the database alone is
    /// right.
    pub(super) fn forget(&mut self) -> Result<(), StoreError> {
        self.tokens.clear();
        self.persons.clear();
        self.tallies.clear();
        self.entries.clear();
        self.changes = Changes::default();
        self.sound = false;
        // Another gateway may be of a later version, or the rows somewhere else now.
        self.shared.may_go_on(&self.connection)?;
        let master = self.read_numbers()?;
        self.keys.keep_up_to(master);
        if !self.keys.has(master) {
            return Err(StoreError::MasterReplaced);
        }
        self.weights = review::weights(&self.connection)?;
        self.generations = Generations::read(&self.connection, &self.keys)?;
        self.sound = true;
        Ok(())
    }

    /// Reads where the numbers stand; the number of the last master key.
    fn read_numbers(&mut self) -> sql::Result<i64> {
        let Numbers(next, master) = self.connection.query_row(NUMBERS, [], Numbers::read)?;
        self.next = next;
        Ok(master)
    }
}

impl Numbers {
    fn read(row: &Row<'_>) -> sql::Result<Self> {
        let next = Next {
            journal: row.get(0)?,
            ledger: row.get(1)?,
            person: row.get(2)?,
            event: row.get(3)?,
            projected: row.get(4)?,
        };
        Ok(Self(next, row.get(5)?))
    }
}
