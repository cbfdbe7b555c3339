//! The tickets of the gateway that exists only for the console's tests.

use super::fake::{AT, Fake};
use crate::inbound::console::view::ticket::{Inspected, Inspecting, TicketPage, TicketRow};
use crate::inbound::console::view::{Asker, Seen};

impl Inspecting for Fake {
    fn tickets<'a>(
        &'a self,
        asker: &'a Asker,
        after: Option<i64>,
        _limit: usize,
    ) -> Seen<'a, TicketPage> {
        Box::pin(async move {
            self.ask(asker, ("tickets", after))?;
            let row = TicketRow {
                number: 7,
                scope: "civil-affairs safeguarding".to_owned(),
                person: "9f86d081884c7d659a2feaa0c55ad015".to_owned(),
                reference: "ZS-2026-7".to_owned(),
                reason: Some("走失，家属报案".to_owned()),
                opened_ms: AT - 3_600_000,
                holders: vec!["officer-1".to_owned(), "officer-2".to_owned()],
                answers: 2,
            };
            let rows = if after.is_none() { vec![row] } else { Vec::new() };
            Ok(TicketPage { at_ms: AT, rows, next: after.is_none().then_some(7) })
        })
    }

    fn inspect<'a>(&'a self, asker: &'a Asker, said: (i64, bool)) -> Seen<'a, Inspected> {
        Box::pin(async move {
            self.ask(asker, said)?;
            Ok(if said.0 == 7 { Inspected::Noted } else { Inspected::Settled })
        })
    }
}
