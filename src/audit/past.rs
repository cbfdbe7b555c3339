//! What of an entry a decision depended on, so that it can be decided again by other policies.

use std::collections::BTreeSet;

use super::entry::{Entry, Kind};
use crate::policy::{Evidence, EvidenceKey, Past, fixed};
use crate::vocabulary::{Department, ElementId, Purpose, Relation, Role, Tier};

/// What of a disclosure decides, as a key.
pub type Key = (
    (Department, Role, Purpose),
    ([bool; 4], BTreeSet<Relation>),
    Vec<(Tier, ElementId)>,
    Vec<ElementId>,
);

/// Two disclosures of one key are decided alike.
#[must_use]
pub fn key(past: &Past) -> Key {
    let brings = EvidenceKey::ALL.map(|key| past.evidence.of(key).is_some());
    let asked = (past.department, past.role, past.purpose);
    let grounds = (brings, past.relations.clone());
    (asked, grounds, past.released.clone(), past.withheld.clone())
}

/// What of an entry decides; `None` if nothing left by it.
#[must_use]
pub fn past(entry: &Entry) -> Option<Past> {
    if !matches!(entry.kind, Kind::Disclosure | Kind::Delivery) {
        return None;
    }
    // That there was evidence counts, not what it said.
    let tiers = entry.elements.tiers().into_iter();
    Some(Past {
        department: entry.department?,
        role: entry.role?,
        purpose: entry.purpose?,
        evidence: Evidence::supposed(|key| match key {
            EvidenceKey::AskedBy => entry.asked_by.is_some(),
            EvidenceKey::Call => entry.call.is_some(),
            EvidenceKey::Case => entry.case.is_some(),
            EvidenceKey::Reason => entry.reason.is_some(),
        }),
        // A relation stands among the rules of its entry.
        relations: entry
            .rules
            .iter()
            .filter_map(|rule| Relation::parse(rule.strip_prefix(fixed::RELATION)?).ok())
            .collect(),
        released: tiers.flat_map(|(tier, set)| set.iter().map(move |id| (tier, *id))).collect(),
        withheld: entry.withheld.iter().copied().collect(),
    })
}
