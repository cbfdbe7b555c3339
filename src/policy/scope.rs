//! 范围, everything a decision depends on: who asks, in which role, what for, with what evidence.

use std::fmt;
use std::sync::Arc;

use super::plan::Plan;
use super::purpose::{Bilingual, EvidenceKey, Terms};
use crate::vocabulary::{Department, ElementId, Fault, Position, Purpose, Role};

/// 规则标识, the id of a rule: the `@id` of a Cedar policy, or one of [`fixed`].
pub type RuleId = Arc<str>;

/// Rules that stand in no Cedar file because nothing can lift them.
pub mod fixed {
    /// The purpose is for counting alone.
    pub const COUNTS_ONLY: &str = "counts-only";
    /// The purpose is not one of those a list of people may be asked about for.
    pub const NOT_IN_BATCH: &str = "not-in-batch";
    /// No rule permits it.
    pub const DEFAULT_DENY: &str = "default-deny";
    /// A rule could not be evaluated.
    pub const EVALUATION_ERROR: &str = "evaluation-error";
    /// The department was not granted the purpose in this role.
    pub const NOT_GRANTED: &str = "purpose-not-granted";
    /// The purpose does not list the element.
    pub const OUTSIDE_PURPOSE: &str = "outside-purpose";
    /// The purpose asks for evidence the inquiry lacks; the key is appended.
    pub const REQUIRES: &str = "requires-";
    /// The catalogue does not have the element.
    pub const UNKNOWN_ELEMENT: &str = "unknown-element";
    /// The closed list does not have the purpose.
    pub const UNKNOWN_PURPOSE: &str = "unknown-purpose";
}

/// What an inquiry brings to show that it is due.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// 通话编号, the id of an open call.
    pub call: Option<String>,
    /// 案件编号, a case number.
    pub case: Option<String>,
    /// 理由, a stated reason.
    pub reason: Option<String>,
    /// 经办人, who in the department asks.
    pub asker: Option<String>,
}

impl Evidence {
    /// The evidence under a key, if it is there and says anything.
    #[must_use]
    pub fn of(&self, key: EvidenceKey) -> Option<&str> {
        let given = match key {
            EvidenceKey::Call => &self.call,
            EvidenceKey::Case => &self.case,
            EvidenceKey::Reason => &self.reason,
        };
        given.as_deref().filter(|text| !text.trim().is_empty())
    }

    /// Which keys are there, one bit each in the order of [`EvidenceKey::ALL`].
    pub(super) fn bits(&self) -> usize {
        let present = EvidenceKey::ALL.into_iter().enumerate();
        present.filter(|(_, key)| self.of(*key).is_some()).map(|(index, _)| 1 << index).sum()
    }
}

/// Shows which keys are there: a reason may name a person.
impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = EvidenceKey::ALL.into_iter().filter(|key| self.of(*key).is_some());
        f.debug_set().entries(keys.map(EvidenceKey::as_str)).finish()
    }
}

/// An admitted asker. Only [`super::PolicySet::admit`] builds one.
///
/// It carries the policies it was admitted under, so that a reload between
/// admission and decision cannot mix two versions.
#[derive(Clone)]
pub struct Scope {
    pub(super) department: Department,
    pub(super) role: Role,
    pub(super) evidence: Evidence,
    pub(super) persons_per_day: Option<u32>,
    pub(super) plan: Arc<Plan>,
}

impl Scope {
    /// Who asks.
    #[must_use]
    pub const fn department(&self) -> Department {
        self.department
    }

    /// In which role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// What for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.plan.terms.id
    }

    /// About how many persons the department may ask for the purpose in 24 hours.
    #[must_use]
    pub const fn persons_per_day(&self) -> Option<u32> {
        self.persons_per_day
    }

    /// With what evidence.
    #[must_use]
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The terms of the purpose.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.plan.terms
    }

    /// The elements by which the asker may look for a person: those the purpose opens and he
    /// sees as they are. Every predicate is a read of its field.
    pub fn searchable(&self) -> impl Iterator<Item = ElementId> {
        let open = self.plan.terms.described_by.iter().copied();
        open.filter(|id| self.plan.sees_whole(*id))
    }

    /// Version of the policies it was admitted under.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.plan.version
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (department, role) = (self.department, self.role);
        write!(f, "Scope({department}, {role}, {}, {:?})", self.purpose(), self.evidence)
    }
}

/// Why somebody was not admitted, and what can be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused by rule {rule}")]
pub struct Refusal {
    /// What the peer is told.
    pub fault: Fault,
    /// The rule.
    pub rule: RuleId,
    /// Where in the inquiry the reason stands.
    pub at: Option<Position>,
    /// What can be done.
    pub remedy: Bilingual,
}

impl Refusal {
    pub(super) fn new(fault: Fault, rule: impl Into<RuleId>, at: &str) -> Self {
        let row = fault.row();
        Self {
            fault,
            rule: rule.into(),
            at: Some(Position::Pointer(at.to_owned())),
            remedy: Bilingual { zh: row.zh.to_owned(), en: row.en.to_owned() },
        }
    }

    pub(super) fn remedy(mut self, remedy: &Bilingual) -> Self {
        self.remedy = remedy.clone();
        self
    }
}
