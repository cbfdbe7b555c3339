//! What a policy administrator is shown, and what becomes of what he says: [`Policing`].
//!
//! Nothing here is about any resident: what ties an asker to one is supposed, and that he
//! allows it.

use super::{Asker, Named, Seen};
use crate::policy::{Asking, Cell, Difference};

/// 策略, the policies as an administrator may see them; `flow` implements it.
///
/// What is decided is in the ledger before it is answered; looking is not recorded.
pub trait Policing: Send + Sync {
    /// Who was granted what.
    fn matrix(&self) -> Seen<'_, MatrixView>;

    /// What one kind of asker gets, for each thing he may bring and be tied by; none if he was
    /// granted nothing.
    fn sheet<'a>(&'a self, asked: &'a Asking) -> Seen<'a, Vec<SheetView>>;

    /// Why an asker gets an element, or not.
    fn why<'a>(&'a self, asked: &'a Asking, element: &'a str) -> Seen<'a, WhyView>;

    /// What waits to be accepted.
    fn proposal(&self) -> Seen<'_, Option<ProposalView>>;

    /// Takes what somebody says of a proposal, by its digest.
    fn judge_policies<'a>(
        &'a self,
        asker: &'a Asker,
        said: (&'a str, bool),
    ) -> Seen<'a, PoliciesJudged>;
}

/// Departments and purposes, and what each of the ones was granted of the others.
#[derive(Debug, Clone, Default)]
pub struct MatrixView {
    /// Version of the policies.
    pub version: String,
    /// Every purpose, by id.
    pub purposes: Vec<Named>,
    /// Every relation a department may have to a person.
    pub relations: Vec<Named>,
    /// Every department in each of its roles.
    pub rows: Vec<MatrixRow>,
    /// Whether something waits to be accepted.
    pub waits: bool,
}

/// One department in one role.
#[derive(Debug, Clone)]
pub struct MatrixRow {
    /// Which department.
    pub department: Named,
    /// In which role.
    pub role: String,
    /// For each purpose how many of its elements leave in some form, and how many it lists;
    /// `None` where it was not granted.
    pub grants: Vec<Option<(usize, usize)>>,
}

/// What one kind of asker gets of every element his purpose lists.
#[derive(Debug, Clone)]
pub struct SheetView {
    /// Who asks, and what he brings.
    pub asking: Asking,
    /// The plain cell of each element, with those of special classes that get less.
    pub rows: Vec<(Cell, Vec<Cell>)>,
}

/// Why.
#[derive(Debug, Clone)]
pub enum WhyView {
    /// He is not admitted at all: by which rule, and what can be done, in both languages.
    Refused(String, Named),
    /// What he gets of it: plain values, then those of special classes that get less; and what
    /// could be done if it is withheld.
    Told(Vec<Cell>, Option<Named>),
    /// A name nobody knows.
    Unknown,
}

/// Policies that wait.
#[derive(Debug, Clone)]
pub struct ProposalView {
    /// Names this proposal and no other.
    pub digest: String,
    /// Their version.
    pub version: String,
    /// The one in force when they were compared.
    pub before: String,
    /// Who proposed them.
    pub by: String,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// How many cells and terms are wider.
    pub widened: usize,
    /// How many disclosures of the last thirty days would have differed.
    pub differ: u64,
    /// Of so many.
    pub of: u64,
    /// Who has accepted them.
    pub accepted_by: Vec<String>,
    /// What would change.
    pub difference: Difference,
}

/// What became of what somebody said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoliciesJudged {
    /// Enough have accepted, but they could not be brought into force; the log says why.
    Failed,
    /// They are in force.
    InForce,
    /// Nothing: whoever accepted may not do it for the second.
    Own,
    /// They are refused for good.
    Refused,
    /// Nothing: they wait no longer.
    Settled,
    /// A second administrator has to accept them.
    Waits,
}
