//! 策略生效, which policies are in force, and which wait for two people because they widen.
//!
//! The entries of the ledger that tell of a change are in the commit of the change itself, so
//! neither is without the other after a crash.

use sha2::{Digest, Sha256};

use super::Store;
use super::arrival::LedgerRow;
use super::error::StoreError;
use super::ledger::limited;
use super::packs::KEPT;
use super::review::Proposal;
use super::sql::{self, Connection, Optional, Row};
use super::writer::{Answer, Request, Stop, Writer};

/// How many people have to accept policies that widen, beside whoever proposed them.
pub const PEOPLE: usize = 2;

/// Policies with the mappings they are read with, both by their content hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// The policies.
    pub version: String,
    /// The mappings.
    pub mappings: String,
}

/// Policies that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What would be in force.
    pub proposed: InForce,
    /// What was when they were compared.
    pub before: InForce,
    /// What would change, as JSON.
    pub difference: String,
    /// How many cells and terms would be wider.
    pub widened: usize,
    /// Who proposed them.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who has accepted them.
    pub accepted_by: Vec<String>,
}

/// What one person says of policies that wait.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// Of which proposal, by its [`Waiting::digest`].
    pub proposal: String,
    /// Whether they may serve.
    pub accepts: bool,
    /// Who says so.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Waiting {
    /// Names this proposal and no other: the same policies proposed again, over other mappings or
    /// compared with others, are not what somebody has seen.
    #[must_use]
    pub fn digest(&self) -> String {
        let Self { proposed, before, difference, by, at_ms, .. } = self;
        let at = at_ms.to_string();
        let parts = [&proposed.version, &proposed.mappings, &before.version, &before.mappings];
        let mut hash = Sha256::new();
        for part in parts.into_iter().chain([difference, by, &at]) {
            hash.update(part);
            hash.update([0]);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Store {
    /// What came into force, the last first, each with when it did; the first is in force.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn policies(&self) -> Result<Vec<(InForce, i64)>, StoreError> {
        let read = |connection: &Connection| {
            let mut select = connection.prepare_cached(
                "SELECT version, mappings, at_ms FROM policy ORDER BY number DESC LIMIT ?1",
            )?;
            let row = |row: &Row<'_>| {
                let (version, mappings) = (row.get(0)?, row.get(1)?);
                Ok((InForce { version, mappings }, row.get(2)?))
            };
            let rows = select.query_map([limited(KEPT)], row)?;
            Ok(rows.collect::<sql::Result<_>>()?)
        };
        self.readers.read(read).await
    }

    /// The policies that wait.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn waiting_policies(&self) -> Result<Option<Waiting>, StoreError> {
        self.readers.read(|connection| Ok(waiting(connection)?)).await
    }

    /// Policies come into force; what waited does no longer. `rows` tell of it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn enforce(
        &self,
        rows: Vec<LedgerRow>,
        now: InForce,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        self.write(Request::Enforce(rows, now, at_ms)).await.map(drop)
    }

    /// Policies wait from now on, in place of any others. `row` tells of it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn propose_policies(
        &self,
        row: LedgerRow,
        waiting: Waiting,
    ) -> Result<(), StoreError> {
        self.write(Request::ProposePolicies(row, Box::new(waiting))).await.map(drop)
    }

    /// Takes what one person says; done once a second one has accepted, or one has refused.
    /// `row` tells of it, unless it changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Settled`] if these do not wait, [`StoreError::Unavailable`].
    pub async fn judge_policies(
        &self,
        row: LedgerRow,
        said: Judgement,
    ) -> Result<Proposal, StoreError> {
        match self.write(Request::JudgePolicies(row, said)).await? {
            Answer::Proposed(proposal) => Ok(proposal),
            _ => Err(StoreError::Damaged),
        }
    }
}

fn waiting(connection: &Connection) -> sql::Result<Option<Waiting>> {
    let row = |row: &Row<'_>| {
        Ok(Waiting {
            proposed: InForce { version: row.get(0)?, mappings: row.get(1)? },
            before: InForce { version: row.get(2)?, mappings: row.get(3)? },
            difference: row.get(4)?,
            widened: usize::try_from(row.get::<i64>(5)?).unwrap_or(usize::MAX),
            by: row.get(6)?,
            at_ms: row.get(7)?,
            accepted_by: accepted(connection)?,
        })
    };
    let sql = "SELECT version, mappings, before, before_mappings, difference, widened, \
        proposed_by, at_ms FROM policy_proposal";
    connection.prepare_cached(sql)?.query_row([], row).optional()
}

fn accepted(connection: &Connection) -> sql::Result<Vec<String>> {
    let mut select =
        connection.prepare_cached("SELECT said_by FROM policy_acceptance ORDER BY at_ms")?;
    select.query_map([], |row| row.get(0))?.collect()
}

/// The policies in force.
pub fn in_force(connection: &Connection) -> sql::Result<Option<InForce>> {
    connection
        .prepare_cached("SELECT version, mappings FROM policy ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| Ok(InForce { version: row.get(0)?, mappings: row.get(1)? }))
        .optional()
}

impl Writer {
    pub(super) fn enforce(
        &mut self,
        rows: &[LedgerRow],
        now: &InForce,
        at_ms: i64,
    ) -> Result<(), Stop> {
        for row in rows {
            self.append(row)?;
        }
        let InForce { version, mappings } = now;
        match in_force(&self.connection)? {
            // Certificates alone are others: what waits was compared with what still serves.
            Some(last) if last == *now => return Ok(()),
            // The same policies are read with other mappings.
            Some(last) if last.version == *version => self
                .connection
                .prepare_cached(
                    "UPDATE policy SET mappings = ?1 \
                     WHERE number = (SELECT max(number) FROM policy)",
                )?
                .execute([mappings])?,
            _ => self
                .connection
                .prepare_cached(
                    "INSERT INTO policy (version, mappings, at_ms) VALUES (?1, ?2, ?3)",
                )?
                .execute((version, mappings, at_ms))?,
        };
        self.forget_policies()
    }

    pub(super) fn propose_policies(
        &mut self,
        row: &LedgerRow,
        waiting: &Waiting,
    ) -> Result<(), Stop> {
        self.append(row)?;
        self.forget_policies()?;
        let Waiting { proposed, before, difference, by, at_ms, .. } = waiting;
        self.connection
            .prepare_cached("INSERT INTO policy_proposal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute((
                &proposed.version,
                &proposed.mappings,
                &before.version,
                &before.mappings,
                difference,
                limited(waiting.widened),
                by,
                at_ms,
            ))?;
        Ok(())
    }

    pub(super) fn judge_policies(
        &mut self,
        row: &LedgerRow,
        said: &Judgement,
    ) -> Result<Proposal, Stop> {
        let waiting = waiting(&self.connection)?;
        let waiting = waiting.filter(|waiting| waiting.digest() == said.proposal);
        let Some(waiting) = waiting else { return Err(StoreError::Settled.into()) };
        if !said.accepts {
            self.append(row)?;
            self.forget_policies()?;
            return Ok(Proposal::Done(Vec::new()));
        }
        let enough = |people: usize| match people >= PEOPLE {
            true => Proposal::Done(Vec::new()),
            false => Proposal::Waits,
        };
        if waiting.accepted_by.contains(&said.by) {
            // Enough have accepted, and it could not be carried out then: it is tried again.
            let people = waiting.accepted_by.len();
            return Ok(if people >= PEOPLE { enough(people) } else { Proposal::Own });
        }
        self.append(row)?;
        self.connection
            .prepare_cached("INSERT INTO policy_acceptance VALUES (?1, ?2)")?
            .execute((&said.by, said.at_ms))?;
        Ok(enough(waiting.accepted_by.len() + 1))
    }

    fn forget_policies(&mut self) -> Result<(), Stop> {
        self.connection.execute("DELETE FROM policy_proposal", [])?;
        self.connection.execute("DELETE FROM policy_acceptance", [])?;
        Ok(())
    }
}
