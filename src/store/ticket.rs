//! 紧急调阅单, evidence that is good for one person and a while alone, and is looked at afterwards.
//!
//! The first answer under a number opens the ticket, in the commit of its entry: so whoever looks
//! at it afterwards has it before the asker has the answer. The same number about somebody else,
//! or later, is refused, whether anybody knows whom it is about or not. Where four eyes are needed
//! the first question opens it and is not answered; a second person's is.

use super::Store;
use super::arrival::LedgerRow;
use super::error::StoreError;
use super::sql::{self, Connection, Optional, Row};
use super::writer::{Answer, Request, Stop, Writer};
use crate::identity::Pseudonym;

/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;

/// A ticket as it is shown with a question.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Department and purpose.
    pub scope: String,
    /// Keyed digest of its number.
    pub mark: String,
    /// About whom.
    pub person: Pseudonym,
    /// Its number, as the ledger keeps it.
    pub reference: String,
    /// Why, as the ledger keeps it.
    pub reason: Option<String>,
    /// How long it is good for from its first use, minutes.
    pub minutes: u32,
    /// Whether two persons must show it.
    pub four_eyes: bool,
    /// Who shows it: the subject of the certificate.
    pub holder: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A ticket that was opened, for whoever looks at it afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its number in the store.
    pub number: i64,
    /// Department and purpose.
    pub scope: String,
    /// About whom.
    pub person: Pseudonym,
    /// Its number, as the ledger keeps it.
    pub reference: String,
    /// Why, as the ledger keeps it.
    pub reason: Option<String>,
    /// When it was opened, in milliseconds since 1970.
    pub opened_ms: i64,
    /// Who opened it.
    pub opened_by: String,
    /// Who seconded, where two are needed.
    pub seconded_by: Option<String>,
    /// How often it was answered.
    pub answers: i64,
}

/// What a reviewer says of a ticket.
#[derive(Debug, Clone)]
pub struct Reviewed {
    /// Its number in the store.
    pub number: i64,
    /// Whether it was due.
    pub justified: bool,
    /// Who says so.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// How a ticket stands for whoever shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nobody showed it before.
    New,
    /// It was opened and is still good.
    Good,
    /// A first person opened it; whoever shows it is the second.
    Seconded,
    /// It waits for a second person.
    Waits,
}

impl Store {
    /// Opens a ticket that needs a second person, and writes its entry; nothing if it is open.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn open_ticket(&self, ticket: Ticket, row: LedgerRow) -> Result<(), StoreError> {
        self.write(Request::OpenTicket(Box::new(ticket), row)).await.map(drop)
    }

    /// Tickets nobody has looked at, the oldest first; those after a number, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn tickets(&self, after: i64, limit: usize) -> Result<Vec<Opened>, StoreError> {
        let limit = super::ledger::limited(limit);
        let read = move |connection: &Connection| {
            let mut select = connection.prepare_cached(
                "SELECT number, scope, person, reference, reason, opened_ms, opened_by, \
                 seconded_by, answers FROM ticket \
                 WHERE reviewed_ms IS NULL AND number > ?1 ORDER BY number LIMIT ?2",
            )?;
            let rows = select.query_map((after, limit), opened)?;
            Ok(rows.collect::<sql::Result<_>>()?)
        };
        self.readers.read(read).await
    }

    /// One that nobody has looked at.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn ticket(&self, number: i64) -> Result<Option<Opened>, StoreError> {
        let found = self.tickets(number.saturating_sub(1), 1).await?;
        Ok(found.into_iter().find(|ticket| ticket.number == number))
    }

    /// Takes note of what a reviewer said, with its entry.
    ///
    /// # Errors
    /// [`StoreError::Settled`] if somebody did before, [`StoreError::Unavailable`].
    pub async fn review_ticket(
        &self,
        reviewed: Reviewed,
        row: LedgerRow,
    ) -> Result<(), StoreError> {
        self.write(Request::ReviewTicket(reviewed, row)).await.map(drop)
    }
}

fn opened(row: &Row<'_>) -> sql::Result<Opened> {
    Ok(Opened {
        number: row.get(0)?,
        scope: row.get(1)?,
        person: Pseudonym(row.get(2)?),
        reference: row.get(3)?,
        reason: row.get(4)?,
        opened_ms: row.get(5)?,
        opened_by: row.get(6)?,
        seconded_by: row.get(7)?,
        answers: row.get(8)?,
    })
}

/// Whether a question may be answered under a ticket.
pub(super) fn may_show(connection: &Connection, ticket: &Ticket) -> Result<(), StoreError> {
    match standing(connection, ticket)? {
        Standing::New if ticket.four_eyes => Err(StoreError::SecondNeeded),
        Standing::Waits => Err(StoreError::SecondNeeded),
        Standing::New | Standing::Good | Standing::Seconded => Ok(()),
    }
}

fn standing(connection: &Connection, ticket: &Ticket) -> Result<Standing, StoreError> {
    let known = connection
        .prepare_cached(
            "SELECT person, until_ms, opened_by, seconded_by FROM ticket \
             WHERE scope = ?1 AND mark = ?2",
        )?
        .query_row((&ticket.scope, &ticket.mark), |row| {
            let (person, until_ms) = (row.get::<String>(0)?, row.get::<i64>(1)?);
            Ok((person, until_ms, row.get::<String>(2)?, row.get::<Option<String>>(3)?))
        })
        .optional()?;
    let Some((person, until_ms, opened_by, seconded_by)) = known else {
        return Ok(Standing::New);
    };
    if person != ticket.person.0 || ticket.at_ms >= until_ms {
        return Err(StoreError::Spent);
    }
    Ok(match (ticket.four_eyes, seconded_by, opened_by == ticket.holder) {
        (false, ..) | (true, Some(_), _) => Standing::Good,
        (true, None, true) => Standing::Waits,
        (true, None, false) => Standing::Seconded,
    })
}

impl Writer {
    pub(super) fn open_ticket(&mut self, ticket: &Ticket, row: &LedgerRow) -> Result<Answer, Stop> {
        if standing(&self.connection, ticket)? == Standing::New {
            self.insert_ticket(ticket)?;
            self.append(row)?;
        }
        Ok(Answer::Done)
    }

    /// Shows a ticket with an answer; its own entry is written if this opens or seconds it.
    pub(super) fn show_ticket(&mut self, ticket: &Ticket, row: &LedgerRow) -> Result<(), Stop> {
        may_show(&self.connection, ticket)?;
        match standing(&self.connection, ticket)? {
            Standing::New => {
                self.insert_ticket(ticket)?;
                self.append(row)?;
            }
            Standing::Seconded => {
                self.connection
                    .prepare_cached(
                        "UPDATE ticket SET seconded_by = ?3 WHERE scope = ?1 AND mark = ?2",
                    )?
                    .execute((&ticket.scope, &ticket.mark, &ticket.holder))?;
                self.append(row)?;
            }
            Standing::Good | Standing::Waits => (),
        }
        self.connection
            .prepare_cached(
                "UPDATE ticket SET answers = answers + 1 WHERE scope = ?1 AND mark = ?2",
            )?
            .execute((&ticket.scope, &ticket.mark))?;
        Ok(())
    }

    pub(super) fn review_ticket(
        &mut self,
        reviewed: &Reviewed,
        row: &LedgerRow,
    ) -> Result<Answer, Stop> {
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE ticket SET reviewed_ms = ?2, reviewed_by = ?3, justified = ?4 \
                 WHERE number = ?1 AND reviewed_ms IS NULL",
            )?
            .changed((reviewed.number, reviewed.at_ms, &reviewed.by, reviewed.justified))?;
        if changed == 0 {
            return Err(StoreError::Settled.into());
        }
        self.append(row)?;
        Ok(Answer::Done)
    }

    fn insert_ticket(&self, ticket: &Ticket) -> Result<(), Stop> {
        let Ticket { scope, mark, person, reference, reason, holder, at_ms, .. } = ticket;
        let until_ms = at_ms.saturating_add(i64::from(ticket.minutes).saturating_mul(MINUTE_MS));
        self.connection
            .prepare_cached(
                "INSERT INTO ticket (scope, mark, person, reference, reason, opened_ms, until_ms, \
                 opened_by, answers) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)",
            )?
            .execute((scope, mark, &person.0, reference, reason, at_ms, until_ms, holder))?;
        Ok(())
    }
}
