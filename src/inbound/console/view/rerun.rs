//! What operators are shown of messages tried again many at a time, and what becomes of what they
//! say: [`Rerunning`]. Counts, reasons and positions.

use serde::{Deserialize, Serialize};

use super::{Asker, Seen};
pub use crate::store::rerun::{Stage, Tried};
pub use crate::store::trace::Wanted;
use crate::vocabulary::Fault;

/// 批量重放, as operators may see and order it; `flow` implements it. What somebody has tried out,
/// proposes or decides is in the ledger before it is answered; looking at what stands is not
/// recorded, for it says nothing of anybody.
pub trait Rerunning: Send + Sync {
    /// What would become of quarantined messages that are like that; nothing is kept.
    fn rehearse<'a>(&'a self, asker: &'a Asker, wanted: &'a Wanted) -> Seen<'a, Preview>;

    /// They wait for a second operator from now on; the number, or `None` if there are none.
    fn propose_rerun<'a>(&'a self, asker: &'a Asker, wanted: &'a Wanted) -> Seen<'a, Option<u64>>;

    /// What was proposed, the newest first.
    fn reruns(&self) -> Seen<'_, Vec<RerunView>>;

    /// One of them.
    fn rerun(&self, number: u64) -> Seen<'_, Option<RerunView>>;

    /// Takes what somebody says of one.
    fn judge_rerun<'a>(&'a self, asker: &'a Asker, said: (u64, Word)) -> Seen<'a, RerunJudged>;
}

/// What quarantined messages would become.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Version of the mappings in force.
    pub mappings: String,
    /// How many would be tried.
    pub quarantined: u64,
    /// Whether there are more than one order takes: these are the first.
    pub more: bool,
    /// Number of the last of them.
    pub last: u64,
    /// How many of them were tried out: the first.
    pub looked: u64,
    /// How many of those would be kept.
    pub kept: u64,
    /// Those that would still be held, by reason.
    pub held: Vec<Expected>,
    /// Those that would be refused, by reason.
    pub refused: Vec<Expected>,
    /// Notices that would wait to leave.
    pub notices: Vec<Leaving>,
    /// Messages like that which are kept already, and those that were refused: neither is tried.
    pub settled: Settled,
}

/// Messages for which one reason would stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Why.
    pub fault: Fault,
    /// Where, in any of them.
    pub place: Option<String>,
    /// How many.
    pub count: u64,
}

/// Notices of one event to one subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Who would be told.
    pub subscription: String,
    /// Of what.
    pub event: String,
    /// How many.
    pub count: u64,
}

/// Messages that are not tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Kept already.
    pub kept: u64,
    /// Refused.
    pub refused: u64,
    /// Whether there may be older ones, which were not counted.
    pub more: bool,
}

/// One rerun.
#[derive(Debug, Clone)]
pub struct RerunView {
    /// Its number, that of the entry which proposed it.
    pub number: u64,
    /// Which messages.
    pub wanted: Wanted,
    /// What would become of them, as it was when it was proposed.
    pub preview: Preview,
    /// How it stands.
    pub stage: Stage,
    /// Who proposed it.
    pub by: String,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// Who declined or stopped it.
    pub ended_by: Option<String>,
    /// When it ended, unix milliseconds.
    pub ended_ms: Option<i64>,
    /// What became of those that were tried.
    pub tried: Tried,
}

/// What can be said of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It may run.
    Approve,
    /// It shall not.
    Decline,
    /// It shall not go on.
    Stop,
}

/// What became of what somebody said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RerunJudged {
    /// It is so.
    Noted,
    /// Nothing: other mappings came into force since it was previewed.
    Outdated,
    /// Nothing: whoever proposed it may not approve it.
    Own,
    /// Nothing: it stands otherwise by now.
    Settled,
}
