//! 批量重放, many quarantined messages tried again once two people want it: what was proposed, and
//! how far it is.
//!
//! What one message became is counted in the commit that made it so: a restart counts nothing twice
//! and forgets nothing.

use super::Store;
use super::arrival::{LedgerRow, State};
use super::console::OfConsole;
use super::error::StoreError;
use super::ledger::{bound, limited};
use super::review::Proposal;
use super::sql::{Connection, Optional, Row};
use super::trace::{COLUMNS, Wanted, line};
use super::writer::{Answer, Request, Stop, Writer};

/// How a rerun stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A second person has to approve it.
    Waits,
    /// It is under way.
    Runs,
    /// Somebody has said that it shall stop.
    Stopping,
    /// Every message was tried.
    Done,
    /// It was stopped before its end.
    Stopped,
    /// Somebody did not want it.
    Declined,
    /// Other mappings came into force than it was previewed with.
    Outdated,
}

impl Stage {
    /// In the order of their codes.
    const ALL: [Self; 7] = [
        Self::Waits,
        Self::Runs,
        Self::Stopping,
        Self::Done,
        Self::Stopped,
        Self::Declined,
        Self::Outdated,
    ];

    const fn code(self) -> i64 {
        self as i64
    }

    fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.code() == code)
    }

    /// The word in the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waits => "proposed",
            Self::Runs => "approved",
            Self::Stopping => "to be stopped",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Declined => "declined",
            Self::Outdated => "ended, mappings changed",
        }
    }
}

/// What is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Which messages.
    pub wanted: Wanted,
    /// The last of them: what comes later was in no preview.
    pub last: u64,
    /// What it would make of them, as JSON.
    pub preview: String,
    /// Version of the mappings of that preview.
    pub mappings: String,
    /// Who proposes it.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Messages tried, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried {
    /// Kept.
    pub kept: u64,
    /// Still held.
    pub held: u64,
    /// Refused.
    pub refused: u64,
    /// Neither: they could not be tried.
    pub failed: u64,
}

impl Tried {
    /// How many.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.kept + self.held + self.refused + self.failed
    }
}

/// A rerun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rerun {
    /// The number of the entry that proposed it.
    pub number: u64,
    /// What was proposed.
    pub draft: Draft,
    /// How it stands.
    pub stage: Stage,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// Who declined or stopped it.
    pub ended_by: Option<String>,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// The last message that was tried.
    pub next: u64,
    /// What became of them.
    pub tried: Tried,
}

/// What is done about reruns.
pub enum OfRerun {
    /// It ends.
    End(u64, Stage, i64, LedgerRow),
    /// Somebody has decided.
    Judge(u64, Stage, String, i64, LedgerRow),
    /// A message of it cannot be tried.
    Pass(u64, u64),
    /// It waits from now on.
    Propose(Box<Draft>, LedgerRow),
}

impl Store {
    /// Numbers of quarantined messages that match, in the order of the journal: above `after`, none
    /// above `last`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn held_like(
        &self,
        wanted: Wanted,
        (after, last): (u64, u64),
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let wanted = Wanted { state: Some(State::Quarantined), ..wanted };
        let read = move |connection: &Connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM journal INDEXED BY journal_held \
                 WHERE state > 0 AND number > ?1 AND number <= ?2 ORDER BY number LIMIT ?3"
            );
            let mut select = connection.prepare_cached(&sql)?;
            let (mut after, mut found) = (bound(after), Vec::new());
            while found.len() < limit {
                let mut rows = select.query([after, bound(last), LOOKED_AT_ONCE])?;
                let before = after;
                while let Some(row) = rows.next()? {
                    let line = line(&row)?;
                    after = bound(line.number);
                    found.extend(wanted.fits(&line).then_some(line.number));
                }
                if after == before {
                    break;
                }
            }
            found.truncate(limit);
            Ok(found)
        };
        self.readers.read(read).await
    }

    /// A rerun waits from now on; its number. `row` tells of it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn propose_rerun(&self, draft: Draft, row: LedgerRow) -> Result<u64, StoreError> {
        match self
            .write(Request::Console(Box::new(OfConsole::Rerun(OfRerun::Propose(
                Box::new(draft),
                row,
            )))))
            .await?
        {
            Answer::Appended(appended) => Ok(appended.number),
            _ => Err(StoreError::Damaged),
        }
    }

    /// Takes what somebody says of a rerun: that it shall run, or not, or stop. Who proposed it
    /// does not approve it. `row` tells of it, unless it changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Settled`] if it stands otherwise, [`StoreError::Unavailable`].
    pub async fn judge_rerun(
        &self,
        (number, stage): (u64, Stage),
        (by, at_ms): (String, i64),
        row: LedgerRow,
    ) -> Result<Proposal, StoreError> {
        let judged = OfRerun::Judge(number, stage, by, at_ms, row);
        match self.write(Request::Console(Box::new(OfConsole::Rerun(judged)))).await? {
            Answer::Proposed(proposal) => Ok(proposal),
            _ => Err(StoreError::Damaged),
        }
    }

    /// Goes past a message that cannot be tried.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn pass_in_rerun(&self, number: u64, message: u64) -> Result<(), StoreError> {
        self.write(Request::Console(Box::new(OfConsole::Rerun(OfRerun::Pass(number, message)))))
            .await
            .map(drop)
    }

    /// A rerun has ended. `row` tells of it.
    ///
    /// # Errors
    /// [`StoreError::Settled`] if it had before, [`StoreError::Unavailable`].
    pub async fn end_rerun(
        &self,
        (number, stage): (u64, Stage),
        at_ms: i64,
        row: LedgerRow,
    ) -> Result<(), StoreError> {
        let ended = OfRerun::End(number, stage, at_ms, row);
        self.write(Request::Console(Box::new(OfConsole::Rerun(ended)))).await.map(drop)
    }

    /// Reruns, the newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn reruns(&self, limit: usize) -> Result<Vec<Rerun>, StoreError> {
        let read = move |connection: &Connection| {
            let sql = format!("SELECT {RERUN} FROM rerun ORDER BY number DESC LIMIT ?1");
            let mut select = connection.prepare_cached(&sql)?;
            let rows = select.query_map([limited(limit)], |row| Ok(rerun(row)))?;
            rows.map(|row| row?).collect()
        };
        self.readers.read(read).await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn rerun(&self, number: u64) -> Result<Option<Rerun>, StoreError> {
        let read = move |connection: &Connection| {
            let sql = format!("SELECT {RERUN} FROM rerun WHERE number = ?1");
            let found = connection
                .prepare_cached(&sql)?
                .query_row([bound(number)], |row| Ok(rerun(row)))
                .optional()?;
            found.transpose()
        };
        self.readers.read(read).await
    }

    /// The oldest that is under way.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn rerun_under_way(&self) -> Result<Option<Rerun>, StoreError> {
        let read = |connection: &Connection| {
            let sql = format!(
                "SELECT {RERUN} FROM rerun WHERE stage IN (?1, ?2) ORDER BY number LIMIT 1"
            );
            let found = connection
                .prepare_cached(&sql)?
                .query_row([Stage::Runs.code(), Stage::Stopping.code()], |row| Ok(rerun(row)))
                .optional()?;
            found.transpose()
        };
        self.readers.read(read).await
    }
}

/// Rows of the journal that are read at once: a server tells all it was asked for.
const LOOKED_AT_ONCE: i64 = 1_000;
/// What is read of a rerun, in this order.
const RERUN: &str = "number, wanted, last, preview, mappings, proposed_by, at_ms, stage, \
    approved_by, ended_by, ended_ms, next, kept, held, refused, failed";

fn rerun(row: &Row<'_>) -> Result<Rerun, StoreError> {
    let count = |column| row.get::<i64>(column).map(i64::cast_unsigned);
    let wanted: String = row.get(1)?;
    Ok(Rerun {
        number: count(0)?,
        draft: Draft {
            wanted: serde_json::from_str(&wanted).map_err(|_| StoreError::Damaged)?,
            last: count(2)?,
            preview: row.get(3)?,
            mappings: row.get(4)?,
            by: row.get(5)?,
            at_ms: row.get(6)?,
        },
        stage: Stage::from_code(row.get(7)?).ok_or(StoreError::Damaged)?,
        approved_by: row.get(8)?,
        ended_by: row.get(9)?,
        ended_ms: row.get(10)?,
        next: count(11)?,
        tried: Tried {
            kept: count(12)?,
            held: count(13)?,
            refused: count(14)?,
            failed: count(15)?,
        },
    })
}

impl Writer {
    pub(super) fn rerun(&mut self, what: &OfRerun) -> Result<Answer, Stop> {
        match what {
            OfRerun::End(number, stage, at_ms, row) => {
                let sql = "UPDATE rerun SET stage = ?2, ended_ms = ?3 \
                    WHERE number = ?1 AND stage IN (?4, ?5)";
                let under_way = (Stage::Runs.code(), Stage::Stopping.code());
                let ended = (bound(*number), stage.code(), at_ms, under_way.0, under_way.1);
                if self.connection.prepare_cached(sql)?.changed(ended)? == 0 {
                    return Err(StoreError::Settled.into());
                }
                self.append(row).map(|_| Answer::Done)
            }
            OfRerun::Judge(number, stage, by, at_ms, row) => {
                self.judge_rerun((*number, *stage), (by, *at_ms), row).map(Answer::Proposed)
            }
            OfRerun::Pass(number, message) => {
                self.count_tried(*number, bound(*message), "failed").map(|()| Answer::Done)
            }
            OfRerun::Propose(draft, row) => {
                let wanted =
                    serde_json::to_string(&draft.wanted).map_err(|_| StoreError::Damaged)?;
                let appended = self.append(row)?;
                let Draft { wanted: _, last, preview, mappings, by, at_ms } = &**draft;
                self.connection
                    .prepare_cached(
                        "INSERT INTO rerun VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, NULL, NULL, \
                         NULL, 0, 0, 0, 0, 0)",
                    )?
                    .execute((
                        bound(appended.number),
                        wanted,
                        bound(*last),
                        preview,
                        mappings,
                        by,
                        at_ms,
                    ))?;
                Ok(Answer::Appended(appended))
            }
        }
    }

    fn judge_rerun(
        &mut self,
        (number, stage): (u64, Stage),
        (by, at_ms): (&str, i64),
        row: &LedgerRow,
    ) -> Result<Proposal, Stop> {
        let from = if stage == Stage::Stopping { Stage::Runs } else { Stage::Waits };
        let proposed_by: Option<String> = self
            .connection
            .prepare_cached("SELECT proposed_by FROM rerun WHERE number = ?1 AND stage = ?2")?
            .query_row((bound(number), from.code()), |row| row.get(0))
            .optional()?;
        let proposed_by = proposed_by.ok_or(StoreError::Settled)?;
        let (sets, ended_ms) = match stage {
            Stage::Runs if proposed_by == by => return Ok(Proposal::Own),
            Stage::Runs => ("approved_by = ?3", None),
            Stage::Stopping => ("ended_by = ?3", None),
            _ => ("ended_by = ?3", Some(at_ms)),
        };
        self.append(row)?;
        let sql = format!("UPDATE rerun SET stage = ?2, {sets}, ended_ms = ?4 WHERE number = ?1");
        let update = (bound(number), stage.code(), by, ended_ms);
        self.connection.prepare_cached(&sql)?.execute(update)?;
        Ok(Proposal::Done(Vec::new()))
    }

    /// Counts what one message became by a rerun, in the commit of that.
    pub(super) fn count_rerun(&self, number: u64, message: i64, state: State) -> Result<(), Stop> {
        let column = match state {
            State::Kept => "kept",
            State::Quarantined => "held",
            State::Refused => "refused",
        };
        self.count_tried(number, message, column)
    }

    fn count_tried(&self, number: u64, message: i64, column: &str) -> Result<(), Stop> {
        let sql = format!("UPDATE rerun SET next = ?2, {column} = {column} + 1 WHERE number = ?1");
        self.connection.prepare_cached(&sql)?.execute((bound(number), message))?;
        Ok(())
    }
}
