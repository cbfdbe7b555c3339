//! 紧急调阅复核, an auditor looks at what was opened in an emergency, and says whether it was due.

use futures_util::FutureExt;

use super::{Gateway, Sights, ledger};
use crate::audit::{Kind, Reference};
use crate::inbound::console::view::ticket::{Inspected, Inspecting, TicketPage, TicketRow};
use crate::inbound::console::view::{Asker, Seen};
use crate::store::StoreError;
use crate::store::ticket::{Opened, Reviewed};
use crate::vocabulary::Fault;

/// Rows of one page at most.
const ROWS_MAX: usize = 200;

impl Inspecting for Sights {
    fn tickets<'a>(
        &'a self,
        asker: &'a Asker,
        after: Option<i64>,
        limit: usize,
    ) -> Seen<'a, TicketPage> {
        self.gateway.tickets(asker, after, limit.clamp(1, ROWS_MAX)).boxed()
    }

    fn inspect<'a>(&'a self, asker: &'a Asker, said: (i64, bool)) -> Seen<'a, Inspected> {
        self.gateway.inspect(asker, said).boxed()
    }
}

impl Gateway {
    async fn tickets(
        &self,
        asker: &Asker,
        after: Option<i64>,
        limit: usize,
    ) -> Result<TicketPage, Fault> {
        let mut entry = self.event(Kind::Query, "tickets to be looked at");
        entry.asker = Some(Reference::new(&asker.user));
        self.append(&entry).await.map_err(|error| error.fault())?;
        let found = self.store.tickets(after.unwrap_or(0), limit).await;
        let found = found.map_err(|error| error.fault())?;
        let next = found.last().filter(|_| found.len() >= limit).map(|ticket| ticket.number);
        let rows = found.into_iter().map(row).collect();
        Ok(TicketPage { at_ms: (self.clock)(), rows, next })
    }

    /// Takes a verdict, with its entry in one commit.
    async fn inspect(
        &self,
        asker: &Asker,
        (number, justified): (i64, bool),
    ) -> Result<Inspected, Fault> {
        let ticket = self.store.ticket(number).await.map_err(|error| error.fault())?;
        let Some(ticket) = ticket else { return Ok(Inspected::Settled) };
        let word = if justified { "justified" } else { "not justified" };
        let mut entry = self.event(Kind::BreakGlass, &format!("{word}: {}", ticket.reference));
        entry.asker = Some(Reference::new(&asker.user));
        entry.person = Some(ticket.person);
        let (by, at_ms) = (asker.user.clone(), (self.clock)());
        let reviewed = Reviewed { number, justified, by, at_ms };
        match self.store.review_ticket(reviewed, ledger::row(&entry)).await {
            Ok(()) => Ok(Inspected::Noted),
            Err(StoreError::Settled) => Ok(Inspected::Settled),
            Err(error) => Err(error.fault()),
        }
    }
}

fn row(ticket: Opened) -> TicketRow {
    let Opened { number, scope, person, reference, reason, opened_ms, .. } = ticket;
    TicketRow {
        number,
        scope,
        person: person.0,
        reference,
        reason,
        opened_ms,
        holders: std::iter::once(ticket.opened_by).chain(ticket.seconded_by).collect(),
        answers: ticket.answers,
    }
}
