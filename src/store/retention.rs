//! 留存, entries whose time is over go by whole rows of hashes; what is preserved stays.
//!
//! Which entries' time is over, and what is entered about it, is the business of the flow.

use super::Store;
use super::arrival::LedgerRow;
use super::error::StoreError;
use super::ledger::{self, bound};
use super::review::Proposal;
use super::sql::{self, Connection};
use super::writer::{Answer, Request, Stop, Writer};
use crate::identity::{PersonId, Token};
use crate::vocabulary::Department;

/// Entries that go, and all that are gone then: numbers of the first and the last of each span.
#[derive(Debug, Clone, Default)]
pub struct Retiring {
    /// Those that go now: whole rows of hashes.
    pub now: Vec<(u64, u64)>,
    /// All that are gone then, in as few spans as there can be.
    pub then: Vec<(u64, u64)>,
    /// Words that those that go said, with their rows.
    pub words: Vec<(i64, u64)>,
    /// The holds that were looked at, by number: with others nothing goes.
    pub holds: Vec<u64>,
}

/// 保全: what is kept beyond its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preserved {
    /// The number of the entry that says so.
    pub number: u64,
    /// Since when, in milliseconds since 1970.
    pub at_ms: i64,
    /// Entries about this person; of everybody, where no department is named either.
    pub person: Option<PersonId>,
    /// Entries of this department.
    pub department: Option<Department>,
    /// Why.
    pub reason: String,
    /// Who wants it to end.
    pub lifting: Option<Lifting>,
}

/// What one person says of a hold that is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifting {
    /// Who.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Why.
    pub reason: String,
}

/// What is done about retention.
pub enum OfRetention {
    /// Nobody wants any more that it ends.
    KeepUp(u64, LedgerRow),
    /// A second person wants that it ends.
    Lift(u64, String, LedgerRow),
    /// Nothing more is preserved by that number.
    Release(u64, LedgerRow),
    /// Entries are kept beyond their time.
    Preserve(Preserved, LedgerRow),
    /// Entries go.
    Retire(Retiring, Vec<LedgerRow>),
    /// Somebody wants that it ends.
    WantLift(u64, Lifting, LedgerRow),
}

impl Store {
    /// Spans of entries that are gone: first and last of each.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn retired(&self) -> Result<Vec<(u64, u64)>, StoreError> {
        self.readers.read(|connection| Ok(retired(connection)?)).await
    }

    /// Lets entries go, and says so in the same commit. Their numbers, hashes and the
    /// checkpoints around them stay.
    ///
    /// # Errors
    /// [`StoreError::Settled`] if there are other holds by then than those that were looked at,
    /// [`StoreError::Unavailable`].
    pub async fn retire(&self, going: Retiring, rows: Vec<LedgerRow>) -> Result<(), StoreError> {
        self.write(Request::Retention(Box::new(OfRetention::Retire(going, rows)))).await.map(drop)
    }

    /// What is kept beyond its time, by number.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn preserved(&self) -> Result<Vec<Preserved>, StoreError> {
        self.readers.read(|connection| Ok(preserved(connection)?)).await
    }

    /// Keeps entries beyond their time from now on; its number. `row` is its entry.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn preserve(&self, what: Preserved, row: LedgerRow) -> Result<u64, StoreError> {
        let request = OfRetention::Preserve(what, row);
        match self.write(Request::Retention(Box::new(request))).await? {
            Answer::Appended(appended) => Ok(appended.number),
            _ => Err(StoreError::Damaged),
        }
    }

    /// Ends what a number preserves.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is none, [`StoreError::Unavailable`].
    pub async fn release(&self, number: u64, row: LedgerRow) -> Result<(), StoreError> {
        let request = OfRetention::Release(number, row);
        self.write(Request::Retention(Box::new(request))).await.map(drop)
    }

    /// Somebody wants that what a number preserves ends. `row` tells of it, unless it was wanted
    /// before.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is none, [`StoreError::Settled`] if another wants it
    /// already, [`StoreError::Unavailable`].
    pub async fn want_lift(
        &self,
        number: u64,
        lifting: Lifting,
        row: LedgerRow,
    ) -> Result<Proposal, StoreError> {
        self.lifted(OfRetention::WantLift(number, lifting, row)).await
    }

    /// A second person wants it too, and it ends. `row` tells of it, unless he was the first.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is none, [`StoreError::Settled`] if nobody has wanted it,
    /// [`StoreError::Unavailable`].
    pub async fn lift(
        &self,
        number: u64,
        by: String,
        row: LedgerRow,
    ) -> Result<Proposal, StoreError> {
        self.lifted(OfRetention::Lift(number, by, row)).await
    }

    async fn lifted(&self, request: OfRetention) -> Result<Proposal, StoreError> {
        match self.write(Request::Retention(Box::new(request))).await? {
            Answer::Proposed(proposal) => Ok(proposal),
            _ => Err(StoreError::Damaged),
        }
    }

    /// Nobody wants any more that it ends.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if nobody did, [`StoreError::Unavailable`].
    pub async fn keep_up(&self, number: u64, row: LedgerRow) -> Result<(), StoreError> {
        let request = OfRetention::KeepUp(number, row);
        self.write(Request::Retention(Box::new(request))).await.map(drop)
    }

    /// Everybody who is one with a person, and every identifier of theirs.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn one_with(
        &self,
        person: PersonId,
    ) -> Result<(Vec<PersonId>, Vec<Token>), StoreError> {
        self.by_generation(move |reader, by| ledger::one_with(reader, by, person)).await
    }
}

impl Writer {
    pub(super) fn retain(&mut self, what: &OfRetention) -> Result<Answer, Stop> {
        match what {
            OfRetention::KeepUp(number, row) => {
                if self.forget_lifting(*number)? == 0 {
                    return Err(StoreError::Unknown.into());
                }
                self.append(row).map(|_| Answer::Done)
            }
            OfRetention::Lift(number, by, row) => {
                self.lift_for_second(*number, by, row).map(Answer::Proposed)
            }
            OfRetention::Preserve(what, row) => {
                let appended = self.append(row)?;
                self.keep_preserved(what, appended.number)?;
                Ok(Answer::Appended(appended))
            }
            OfRetention::Release(number, row) => self.release(*number, row).map(|()| Answer::Done),
            OfRetention::Retire(going, rows) => {
                let holds = preserved(&self.connection)?;
                if !holds.iter().map(|hold| hold.number).eq(going.holds.iter().copied()) {
                    return Err(StoreError::Settled.into());
                }
                rows.iter().try_for_each(|row| self.append(row).map(drop))?;
                self.retire(going).map(|()| Answer::Done)
            }
            OfRetention::WantLift(number, lifting, row) => {
                self.want_lift(*number, lifting, row).map(Answer::Proposed)
            }
        }
    }

    fn release(&mut self, number: u64, row: &LedgerRow) -> Result<(), Stop> {
        self.forget_lifting(number)?;
        let sql = "DELETE FROM preserved WHERE number = ?1";
        if self.connection.prepare_cached(sql)?.changed([bound(number)])? == 0 {
            return Err(StoreError::Unknown.into());
        }
        self.append(row).map(drop)
    }

    fn lift_for_second(
        &mut self,
        number: u64,
        by: &str,
        row: &LedgerRow,
    ) -> Result<Proposal, Stop> {
        match self.lifting(number)? {
            Some(first) if first.by == by => Ok(Proposal::Own),
            Some(_) => self.release(number, row).map(|()| Proposal::Done(Vec::new())),
            None => Err(StoreError::Settled.into()),
        }
    }

    /// Who wants that a hold ends.
    fn lifting(&self, number: u64) -> Result<Option<Lifting>, Stop> {
        let holds = preserved(&self.connection)?;
        let hold = holds.into_iter().find(|hold| hold.number == number);
        Ok(hold.ok_or(StoreError::Unknown)?.lifting)
    }

    fn want_lift(
        &mut self,
        number: u64,
        lifting: &Lifting,
        row: &LedgerRow,
    ) -> Result<Proposal, Stop> {
        match self.lifting(number)? {
            Some(first) if first.by == lifting.by => Ok(Proposal::Own),
            Some(_) => Err(StoreError::Settled.into()),
            None => {
                let Lifting { by, at_ms, reason } = lifting;
                self.connection
                    .prepare_cached("INSERT INTO lifting VALUES (?1, ?2, ?3, ?4)")?
                    .execute((bound(number), by, at_ms, reason))?;
                self.append(row)?;
                Ok(Proposal::Waits)
            }
        }
    }

    fn forget_lifting(&self, number: u64) -> sql::Result<usize> {
        let sql = "DELETE FROM lifting WHERE number = ?1";
        self.connection.prepare_cached(sql)?.changed([bound(number)])
    }

    fn keep_preserved(&self, what: &Preserved, number: u64) -> Result<(), Stop> {
        let Preserved { number: _, at_ms, person, department, reason, lifting: _ } = what;
        let department = department.as_ref().map(Department::as_str);
        self.connection
            .prepare_cached("INSERT INTO preserved VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute((bound(number), at_ms, person.map(|person| person.0), department, reason))?;
        Ok(())
    }

    fn retire(&self, going: &Retiring) -> Result<(), Stop> {
        let delete = |sql: &str, (first, last): (u64, u64)| {
            self.connection.prepare_cached(sql)?.execute((bound(first), bound(last)))
        };
        for &span in &going.now {
            // The search table is in the order of whom, so a row is found by what it says.
            let sql = "DELETE FROM ledger_person WHERE (person, number) IN (\
                SELECT person, number FROM ledger \
                WHERE number BETWEEN ?1 AND ?2 AND person IS NOT NULL)";
            delete(sql, span)?;
            delete("DELETE FROM ledger WHERE number BETWEEN ?1 AND ?2", span)?;
            // One that ends with the span, or before it began, seals entries that are there.
            delete("DELETE FROM checkpoint WHERE size > ?1 AND size <= ?2", span)?;
        }
        self.forget_words(&going.words)?;
        self.connection.execute("DELETE FROM retired", [])?;
        for (first, last) in &going.then {
            let row = (bound(*first), bound(*last));
            self.connection.prepare_cached("INSERT INTO retired VALUES (?1, ?2)")?.execute(row)?;
        }
        Ok(())
    }
}

fn retired(connection: &Connection) -> sql::Result<Vec<(u64, u64)>> {
    let mut select = connection.prepare_cached("SELECT first, last FROM retired ORDER BY first")?;
    let number = |row: &sql::Row<'_>, at| row.get::<i64>(at).map(i64::cast_unsigned);
    select.query_map([], |row| Ok((number(row, 0)?, number(row, 1)?)))?.collect()
}

fn preserved(connection: &Connection) -> sql::Result<Vec<Preserved>> {
    let sql = "SELECT preserved.number, preserved.at_ms, person, department, preserved.reason, \
        proposed_by, lifting.at_ms, lifting.reason \
        FROM preserved LEFT JOIN lifting USING (number) ORDER BY number";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map([], |row| {
        let department: Option<String> = row.get(3)?;
        Ok(Preserved {
            number: row.get::<i64>(0)?.cast_unsigned(),
            at_ms: row.get(1)?,
            person: row.get::<Option<i64>>(2)?.map(PersonId),
            department: department.and_then(|name| Department::parse(&name).ok()),
            reason: row.get(4)?,
            lifting: match row.get(5)? {
                Some(by) => Some(Lifting { by, at_ms: row.get(6)?, reason: row.get(7)? }),
                None => None,
            },
        })
    })?;
    rows.collect()
}
