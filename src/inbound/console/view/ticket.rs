//! What an auditor is shown of tickets, and what becomes of what he says of one: [`Inspecting`].

use super::{Asker, Seen};

/// 紧急调阅复核, tickets as an auditor may see them; `flow` implements it. Every look, and what is
/// said, is in the ledger before it is answered.
pub trait Inspecting: Send + Sync {
    /// Tickets nobody has looked at, the oldest first.
    fn tickets<'a>(
        &'a self,
        asker: &'a Asker,
        after: Option<i64>,
        limit: usize,
    ) -> Seen<'a, TicketPage>;

    /// Takes what an auditor says of one: whether it was due.
    fn inspect<'a>(&'a self, asker: &'a Asker, said: (i64, bool)) -> Seen<'a, Inspected>;
}

/// Tickets that wait to be looked at.
#[derive(Debug, Clone, Default)]
pub struct TicketPage {
    /// When this was true, unix milliseconds.
    pub at_ms: i64,
    /// The tickets.
    pub rows: Vec<TicketRow>,
    /// Ask again with this for later ones; `None` at the end.
    pub next: Option<i64>,
}

/// One ticket.
#[derive(Debug, Clone)]
pub struct TicketRow {
    /// Its number in the store.
    pub number: i64,
    /// Who asked, and what for.
    pub scope: String,
    /// About whom, by pseudonym.
    pub person: String,
    /// The call or case.
    pub reference: String,
    /// Why.
    pub reason: Option<String>,
    /// When it was opened, unix milliseconds.
    pub opened_ms: i64,
    /// The certificates of who opened it, and who seconded.
    pub holders: Vec<String>,
    /// How often it was answered.
    pub answers: i64,
}

/// What became of what an auditor said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspected {
    /// It is noted.
    Noted,
    /// Nothing: somebody has looked at it before.
    Settled,
}
