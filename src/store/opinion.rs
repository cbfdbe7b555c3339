//! 挂起待决, what reviewers say of messages that the overlay guard holds: two say the same.

use super::Store;
use super::arrival::{Held, State};
use super::error::StoreError;
use super::ledger::bound;
use super::read;
use super::review::Proposal;
use super::sql::{self, Connection, Optional};
use super::writer::{Answer, Request, Stop, Writer};
use crate::vocabulary::Fault;

/// What can be said of such a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opinion {
    /// The new demographics are right: it is applied.
    Accept,
    /// They are somebody else's: it is refused.
    Refuse,
}

/// What one reviewer says.
#[derive(Debug, Clone)]
pub struct Voiced {
    /// Journal number of the message.
    pub number: u64,
    /// What.
    pub opinion: Opinion,
    /// Who.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Store {
    /// A reviewer says what shall become of a message held by the overlay guard; it is to be
    /// done once a second one has said the same. Another opinion takes the place of the first.
    ///
    /// # Errors
    /// [`StoreError::Settled`] if it is not held so, [`StoreError::Unavailable`].
    pub async fn voice(&self, voiced: Voiced) -> Result<Proposal, StoreError> {
        match self.write(Request::Voice(Box::new(voiced))).await? {
            Answer::Proposed(proposal) => Ok(proposal),
            _ => Err(StoreError::Damaged),
        }
    }

    /// Messages held by the overlay guard with a number above `after`, in order, at most
    /// `limit`; each with what a first reviewer has said, and who.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn overlays(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(Held, Option<(Opinion, String)>)>, StoreError> {
        let read = move |connection: &Connection| {
            let snapshot = connection.snapshot()?;
            let held = read::held_for(&snapshot, Fault::IdentityOverlay, (after, limit))?;
            let voiced = |held: Held| Ok((held.clone(), voiced(&snapshot, bound(held.number))?));
            held.into_iter().map(voiced).collect()
        };
        self.readers.read(read).await
    }
}

fn voiced(connection: &Connection, number: i64) -> sql::Result<Option<(Opinion, String)>> {
    let accepts = |accepts| if accepts { Opinion::Accept } else { Opinion::Refuse };
    connection
        .prepare_cached("SELECT accepts, said_by FROM opinion WHERE number = ?1")?
        .query_row([number], |row| Ok((row.get(0).map(accepts)?, row.get(1)?)))
        .optional()
}

impl Writer {
    pub(super) fn voice(&mut self, said: &Voiced) -> Result<Proposal, Stop> {
        let number = bound(said.number);
        let held = (State::Quarantined.code(), Fault::IdentityOverlay.row().name);
        let held = self
            .connection
            .prepare_cached(
                "SELECT 1 FROM journal WHERE number = ?1 AND state = ?2 AND fault = ?3",
            )?
            .exists((number, held.0, held.1))?;
        if !held {
            return Err(StoreError::Settled.into());
        }
        match voiced(&self.connection, number)? {
            Some((opinion, by)) if opinion == said.opinion => {
                Ok(if by == said.by { Proposal::Own } else { Proposal::Done(Vec::new()) })
            }
            _ => {
                self.connection
                    .prepare_cached(
                        "INSERT INTO opinion VALUES (?1, ?2, ?3, ?4) \
                         ON CONFLICT (number) DO UPDATE SET accepts = excluded.accepts, \
                         said_by = excluded.said_by, at_ms = excluded.at_ms",
                    )?
                    .execute((number, said.opinion == Opinion::Accept, &said.by, said.at_ms))?;
                Ok(Proposal::Waits)
            }
        }
    }
}
