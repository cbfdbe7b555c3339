//! 条件, on what an answer depends that only the store knows: a budget, a ticket. Both are looked
//! at before anybody else hears of the question, and again in the commit of the answer's entry.

use std::collections::BTreeSet;

use super::Store;
use super::arrival::{Appended, LedgerRow};
use super::budget::{self, Spending};
use super::error::StoreError;
use super::sql;
use super::ticket::{self, Ticket};
use super::writer::{Answer, Request, Stop, Writer};

/// What must hold for an answer.
#[derive(Clone, Default)]
pub struct Conditions {
    /// The budget the question is asked on.
    pub spending: Option<Spending>,
    /// The ticket it is asked under, and the entry to write if it is opened by it.
    pub ticket: Option<(Ticket, LedgerRow)>,
}

impl Conditions {
    /// Whether nothing must hold.
    #[must_use]
    pub const fn none(&self) -> bool {
        self.spending.is_none() && self.ticket.is_none()
    }
}

impl Store {
    /// Whether a question may be answered.
    ///
    /// # Errors
    /// [`StoreError::Exhausted`], [`StoreError::Spent`] and [`StoreError::SecondNeeded`] if not,
    /// [`StoreError::Sql`].
    pub async fn may_answer(&self, conditions: Conditions) -> Result<(), StoreError> {
        let look = move |connection: &sql::Connection| {
            if let Some(spending) = &conditions.spending {
                budget::afford(connection, &[spending])?;
            }
            match &conditions.ticket {
                Some((ticket, _)) => ticket::may_show(connection, ticket),
                None => Ok(()),
            }
        };
        self.readers.read(look).await
    }

    /// Takes note of a question that was answered about nobody.
    ///
    /// # Errors
    /// [`StoreError::Exhausted`], [`StoreError::Unavailable`].
    pub async fn spend(&self, spending: Spending) -> Result<(), StoreError> {
        self.write(Request::Spend(spending)).await.map(drop)
    }

    /// Appends the entries of an answer, and takes note of what they cost, in one commit; the last
    /// of them.
    ///
    /// # Errors
    /// As [`Store::may_answer`], or [`StoreError::Unavailable`]: none is there, and nothing may be
    /// released.
    pub async fn append_within(
        &self,
        rows: Vec<(LedgerRow, Conditions)>,
    ) -> Result<Appended, StoreError> {
        match self.write(Request::AppendWithin(rows)).await? {
            Answer::Appended(appended) => Ok(appended),
            _ => Err(StoreError::Damaged),
        }
    }
}

impl Writer {
    pub(super) fn append_within(
        &mut self,
        rows: &[(LedgerRow, Conditions)],
    ) -> Result<Appended, Stop> {
        // All is asked before the first write: what is refused costs nothing.
        let tickets = || rows.iter().filter_map(|(_, of)| of.ticket.as_ref());
        for (ticket, _) in tickets() {
            ticket::may_show(&self.connection, ticket)?;
        }
        let persons: BTreeSet<_> = tickets().map(|(ticket, _)| &ticket.person.0).collect();
        if persons.len() > 1 {
            // A ticket opens one person.
            return Err(StoreError::Spent.into());
        }
        let spendings: Vec<_> = rows.iter().filter_map(|(_, of)| of.spending.as_ref()).collect();
        budget::afford(&self.connection, &spendings)?;
        let mut appended = Err(StoreError::Unknown.into());
        for (row, conditions) in rows {
            if let Some(spending) = &conditions.spending {
                self.spend(spending)?;
            }
            if let Some((ticket, opening)) = &conditions.ticket {
                self.show_ticket(ticket, opening)?;
            }
            appended = self.append(row);
        }
        appended
    }
}
