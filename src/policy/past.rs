//! 回看, whether a disclosure of the ledger would have been another under other policies.

use std::collections::BTreeSet;

use super::PolicySet;
use super::lattice::Cell;
use super::scope::Evidence;
use crate::vocabulary::{Department, ElementId, Purpose, Relation, Role, Tier};

/// What the ledger says of one disclosure that a decision depends on.
#[derive(Debug, Clone)]
pub struct Past {
    /// Who asked.
    pub department: Department,
    /// In which role.
    pub role: Role,
    /// What for.
    pub purpose: Purpose,
    /// Which evidence there was, whatever it said.
    pub evidence: Evidence,
    /// What tied the department to the person.
    pub relations: BTreeSet<Relation>,
    /// What left, each in its tier.
    pub released: Vec<(Tier, ElementId)>,
    /// What was withheld.
    pub withheld: Vec<ElementId>,
}

impl PolicySet {
    /// Whether `other` would release or withhold any element of a disclosure otherwise.
    ///
    /// The ledger does not say whether a value was special, so an element that left in a more
    /// protective tier than its plain values is taken for the special class that explains it.
    #[must_use]
    pub fn would_differ(&self, other: &Self, past: &Past) -> bool {
        let asker = (past.department, past.role);
        let from = |set: &Self| {
            let brought = (past.evidence.clone(), &past.relations);
            set.standpoint(asker, past.purpose.as_str(), brought).ok()
        };
        let (before, after) = (from(self), from(other));
        let Some(after) = after else { return before.is_some() || !past.released.is_empty() };
        let released = past.released.iter().any(|(tier, id)| {
            let was = before.as_ref().map(|from| from.cells_of(*id)).unwrap_or_default();
            differs(*tier, &was, &after.cells_of(*id))
        });
        let opened = |id: &ElementId| {
            after.cells_of(*id).first().is_some_and(|cell| cell.tier() != Tier::Withheld)
        };
        released || past.withheld.iter().any(opened)
    }
}

/// Whether what left in this tier would leave in another, or treated otherwise.
fn differs(tier: Tier, was: &[Cell], now: &[Cell]) -> bool {
    let Some(own) = was.iter().find(|cell| cell.tier() == tier) else {
        // Older policies decided, or the value did not fit its treatment.
        return !now.iter().any(|cell| cell.forms.iter().any(|(rung, _)| *rung == tier));
    };
    let then = now.iter().find(|cell| cell.special == own.special);
    then.is_none_or(|then| then.forms != own.forms)
}
