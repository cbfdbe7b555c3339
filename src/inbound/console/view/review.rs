//! What a reviewer is shown, and what becomes of a decision: [`Reviewing`].
//!
//! The only place of the console with values of residents: who somebody is, as far as it
//! decides who is one person, and nothing of what is wrong with them.

use super::{Asker, Seen};
use crate::identity::linkage::{Contribution, Demographics};
use crate::store::history::What;
use crate::store::opinion::Opinion;
use crate::vocabulary::Position;

/// 身份审核, the index as a reviewer may see it; `flow` implements it.
///
/// What shows values, and every decision, is in the ledger before it is answered; without
/// the ledger the answer is [`Fault::Unavailable`](crate::vocabulary::Fault::Unavailable).
/// A pair that is nobody's to compare is `None`.
pub trait Reviewing: Send + Sync {
    /// Pairs that wait, oldest first. Holds nothing of any resident, so it is not recorded.
    fn waiting(&self, after: Option<Cursor>, limit: usize) -> Seen<'_, QueuePage>;

    /// Messages held by the overlay guard, oldest first. Not recorded.
    fn held(&self, after: Option<u64>, limit: usize) -> Seen<'_, HeldPage>;

    /// Takes what a reviewer says of a message held by the overlay guard.
    fn judge<'a>(&'a self, asker: &'a Asker, said: (u64, Opinion)) -> Seen<'a, Judged>;

    /// Two entries side by side.
    fn pair<'a>(&'a self, asker: &'a Asker, pair: Pair) -> Seen<'a, Option<PairView>>;

    /// What was said of the entries of both persons, oldest first.
    fn history<'a>(&'a self, asker: &'a Asker, pair: Pair) -> Seen<'a, Option<Vec<EventRow>>>;

    /// Takes a decision.
    fn decide<'a>(
        &'a self,
        asker: &'a Asker,
        pair: Pair,
        decision: Decision,
    ) -> Seen<'a, Option<Decided>>;
}

/// The numbers of two entries of the index, the lower first.
pub type Pair = (i64, i64);

/// What a reviewer says of two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// They are two people.
    Apart,
    /// They are one person.
    Same,
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// They are two people from now on.
    Apart,
    /// Nothing: whoever proposed may not confirm.
    Own,
    /// They are one person from now on.
    Same,
    /// Nothing: somebody else has decided meanwhile.
    Settled,
    /// Proposed; a second reviewer has to confirm it.
    Waits,
}

/// What became of what was said of a held message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// It is applied: the new demographics are served.
    Accepted,
    /// Nothing: whoever said so first may not confirm.
    Own,
    /// It is refused for good.
    Refused,
    /// Nothing: it is not held any more.
    Settled,
    /// It was accepted, and something else is wrong with it.
    Still,
    /// A second reviewer has to say the same.
    Waits,
}

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Pairs.
    pub pairs: u64,
    /// Since when the oldest waits, unix milliseconds.
    pub oldest_ms: Option<i64>,
    /// Messages held by the overlay guard.
    pub overlays: u64,
}

/// After which pair a page begins: since when it waits, and its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Which.
    pub pair: Pair,
}

/// Pairs that wait.
#[derive(Debug, Clone, Default)]
pub struct QueuePage {
    /// When this was true, unix milliseconds.
    pub at_ms: i64,
    /// How much waits in all.
    pub backlog: Backlog,
    /// The pairs.
    pub rows: Vec<PairRow>,
    /// Ask again with this for later pairs; `None` at the end.
    pub next: Option<Cursor>,
}

/// One pair that waits.
#[derive(Debug, Clone)]
pub struct PairRow {
    /// Which.
    pub pair: Pair,
    /// Who says the one and the other.
    pub sources: (String, String),
    /// By which rule, as the index names it.
    pub rule: String,
    /// Logarithm of the odds that they are one person.
    pub weight: f64,
    /// Since when it waits, unix milliseconds.
    pub at_ms: i64,
    /// Who has proposed that they are one.
    pub proposed_by: Option<String>,
}

/// Messages held by the overlay guard.
#[derive(Debug, Clone, Default)]
pub struct HeldPage {
    /// The messages.
    pub rows: Vec<HeldRow>,
    /// Ask again with this for later ones; `None` at the end.
    pub next: Option<u64>,
}

/// One message held by the overlay guard.
#[derive(Debug, Clone)]
pub struct HeldRow {
    /// Its number in the journal.
    pub number: u64,
    /// Who sent it.
    pub source: String,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// Where in the message.
    pub at: Option<Position>,
    /// What a first reviewer has said of it, and who.
    pub voiced: Option<(Opinion, String)>,
}

/// Two entries side by side.
#[derive(Debug, Clone)]
pub struct PairView {
    /// Which.
    pub pair: Pair,
    /// Both, in that order.
    pub sides: [SideView; 2],
    /// Since when it waits, unix milliseconds.
    pub at_ms: Option<i64>,
    /// Who has proposed that they are one.
    pub proposed_by: Option<String>,
    /// By which rule it waits, as the index names it.
    pub rule: Option<String>,
    /// Whether it still waits; else somebody has decided.
    pub waits: bool,
    /// Whether the index takes them for one person now.
    pub one_person: bool,
    /// What speaks for and against; `None` if one has nothing that can be compared.
    pub judged: Option<JudgedView>,
}

/// One entry. `Debug` shows nothing of the person.
#[derive(Debug, Clone)]
pub struct SideView {
    /// Who says so.
    pub source: String,
    /// Who somebody is by the newest record; `None` if there is none or it is erased.
    pub who: Option<Demographics>,
}

/// What speaks for and against two entries being one person.
#[derive(Debug, Clone)]
pub struct JudgedView {
    /// By which rule, as the index names it.
    pub rule: String,
    /// Logarithm of the odds that they are one person.
    pub weight: f64,
    /// What each field adds.
    pub fields: Vec<Contribution>,
}

/// One event in the history of the entries of two persons.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// The two entries it is about.
    pub pair: Pair,
    /// What was said of them.
    pub what: What,
    /// Who said so.
    pub by: String,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// The message that said so, if one did.
    pub journal: Option<u64>,
    /// When it ended, if it did: undone, or somebody said otherwise.
    pub ended_at_ms: Option<i64>,
}

impl Cursor {
    /// Reads what [`Cursor`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse::<i64>().ok());
        let (at_ms, one, other) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Self { at_ms, pair: (one, other) })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.at_ms, self.pair.0, self.pair.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written_and_nothing_else_is_one() {
        let cursor = Cursor { at_ms: 1_795_248_000_000, pair: (3, 17) };
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        for odd in ["", "1", "1.2", "1.2.x", "1.2.3.4", "1.2.99999999999999999999"] {
            assert_eq!(Cursor::parse(odd), None, "{odd}");
        }
    }
}
