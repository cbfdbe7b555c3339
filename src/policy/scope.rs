//! 范围, everything a decision depends on: who asks, in which role, what for, with what evidence,
//! what ties him to the person, and what the person said.

use std::fmt;
use std::sync::Arc;

use super::choose::Gathered;
use super::consent::Allowance;
use super::plan::{Desk, Plan};
use super::purpose::{Bilingual, EvidenceKey, Terms};
use super::rules::Grounds;
use crate::identity::Pseudonym;
use crate::vocabulary::{
    Department, ElementId, Fault, Identifier, IdentifierKind, Position, Purpose, Relation, Role,
};

/// 规则标识, the id of a rule: the `@id` of a Cedar policy, or one of [`fixed`].
pub type RuleId = Arc<str>;

/// Rules that stand in no Cedar file because nothing can lift them.
pub mod fixed {
    /// The person allowed it.
    pub const CONSENTED: &str = "consented";
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
    /// The person refused it, or a part of it.
    pub const REFUSED_BY_PERSON: &str = "refused-by-person";
    /// What ties the department to the person; the name of the relation is appended.
    pub const RELATION: &str = "relation-";
    /// The purpose asks for evidence the inquiry lacks; the key is appended.
    pub const REQUIRES: &str = "requires-";
    /// The catalogue does not have the element.
    pub const UNKNOWN_ELEMENT: &str = "unknown-element";
    /// The closed list does not have the purpose.
    pub const UNKNOWN_PURPOSE: &str = "unknown-purpose";
    /// The purpose needs the person's consent, and there is none.
    pub const WITHOUT_CONSENT: &str = "without-consent";
}

/// What an inquiry brings to show that it is due.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// 查询人, the human who asks, as the asking system knows him: not yet proven.
    pub asked_by: Option<Identifier>,
    /// 通话编号, the id of an open call.
    pub call: Option<String>,
    /// 案件编号, a case number.
    pub case: Option<String>,
    /// 理由, a stated reason.
    pub reason: Option<String>,
    /// 经办人, who in the department asks.
    pub asker: Option<String>,
    /// 持证人, the subject of the certificate; what an inquiry says itself never stands here.
    pub holder: Option<String>,
}

impl Evidence {
    /// Evidence of these kinds, where what it says is nobody's question.
    #[must_use]
    pub fn supposed(has: impl Fn(EvidenceKey) -> bool) -> Self {
        let given = |key| has(key).then(|| "supposed".to_owned());
        let asked_by = given(EvidenceKey::AskedBy);
        Self {
            asked_by: asked_by.map(|text| Identifier::new(IdentifierKind::Other, text)),
            call: given(EvidenceKey::Call),
            case: given(EvidenceKey::Case),
            reason: given(EvidenceKey::Reason),
            ..Self::default()
        }
    }

    /// The evidence under a key, if it is there and says anything.
    #[must_use]
    pub fn of(&self, key: EvidenceKey) -> Option<&str> {
        let given = match key {
            EvidenceKey::AskedBy => self.asked_by.as_ref().map(|asker| asker.value.as_str()),
            EvidenceKey::Call => self.call.as_deref(),
            EvidenceKey::Case => self.case.as_deref(),
            EvidenceKey::Reason => self.reason.as_deref(),
        };
        given.filter(|text| !text.trim().is_empty())
    }

    /// Which keys are there, one bit each in the order of [`EvidenceKey::ALL`].
    pub(super) fn bits(&self) -> u8 {
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

/// Whether the human who asks is the very person asked about: the index knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Somebody else, or nobody said who.
    Other,
    /// 本人, the person himself.
    Person,
}

/// 准入, an admitted asker. Only [`super::PolicySet::admit`] builds one.
///
/// It carries the policies it was admitted under, so that a reload between
/// admission and decision cannot mix two versions. It decides nothing: about
/// whom is asked is part of every decision, see [`Admission::towards`].
#[derive(Clone)]
pub struct Admission {
    pub(super) desk: Arc<Desk>,
    pub(super) evidence: Evidence,
    /// What is given to a department that has no relation to the person.
    pub(super) plan: Arc<Plan>,
}

/// 范围, everything a decision depends on: an admitted asker, and what ties him to the person
/// and what the person said. Only [`Admission::towards`] builds one, and it asks for his records:
///
/// ```compile_fail,E0451
/// use kangqiao::policy::Scope;
/// fn forged(scope: Scope) -> Scope {
///     Scope { relations: 0xff, ..scope }
/// }
/// ```
///
/// Nothing is decided without it; that somebody was admitted is not enough:
///
/// ```compile_fail,E0308
/// use kangqiao::{identity::Keys, policy::{Admission, Gathered, Release, decide}};
/// fn hasty(admission: &Admission, records: &[Gathered<'_>], keys: &Keys) -> Release {
///     decide(admission, None, records, keys)
/// }
/// ```
#[derive(Clone)]
pub struct Scope {
    admission: Admission,
    relations: u8,
    pub(super) plan: Arc<Plan>,
    pub(super) allowance: Allowance,
    /// Of whom, for what is a person's own in what leaves.
    pub(super) person: Option<Pseudonym>,
}

impl Admission {
    /// Who asks.
    #[must_use]
    pub fn department(&self) -> Department {
        self.desk.department.name
    }

    /// In which role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.desk.role
    }

    /// What for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.desk.terms.id
    }

    /// About how many persons the department may ask for the purpose in 24 hours.
    #[must_use]
    pub fn persons_per_day(&self) -> Option<u32> {
        self.desk.persons_per_day
    }

    /// With what evidence.
    #[must_use]
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The terms of the purpose.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.desk.terms
    }

    /// The elements by which the asker may look for a person: those the purpose opens and he
    /// sees as they are. Every predicate is a read of its field.
    pub fn searchable(&self) -> impl Iterator<Item = ElementId> {
        let open = self.desk.terms.described_by.iter().copied();
        open.filter(|id| self.plan.sees_whole(*id))
    }

    /// Version of the policies it was admitted under.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.desk.shared.version
    }

    /// The scope towards whom these records are about, at a time (seconds since 1970): all
    /// there are about him, or what he said is not heard.
    #[must_use]
    pub fn towards(&self, gathered: &[Gathered<'_>], at: i64) -> Scope {
        self.towards_asker((gathered, at), Asks::Other)
    }

    /// The same, where it is known whether who asks is the very person.
    #[must_use]
    pub fn towards_asker(&self, (gathered, at): (&[Gathered<'_>], i64), asks: Asks) -> Scope {
        let Desk { shared, department, .. } = &*self.desk;
        let allowance = self.allowance((gathered, at), asks);
        // Where nothing is allowed a relation opens nothing, and must not show in what is said to
        // be withheld: whoever refused would not look like somebody of whom nothing is known.
        let relations = match allowance.opens_nothing() {
            true => 0,
            false => {
                let asker = (self.evidence.asked_by.as_ref(), asks);
                shared.relations.held((department, asker), gathered, at)
            }
        };
        // A set of relations has its place among the plans, or it is no set of relations.
        let plan = self.desk.plan(self.grounds().with(relations));
        let plan = plan.unwrap_or_else(|| Arc::clone(&self.plan));
        Scope { admission: self.clone(), relations, plan, allowance, person: None }
    }

    /// Whether the purpose needs the consent of whom these records are about, and there is none.
    #[must_use]
    pub fn lacks_consent(&self, gathered: &[Gathered<'_>], at: i64) -> bool {
        self.allowance((gathered, at), Asks::Other).lacks_consent()
    }

    fn allowance(&self, about: (&[Gathered<'_>], i64), asks: Asks) -> Allowance {
        let Desk { shared, department, terms, .. } = &*self.desk;
        let asked = (terms.consent, department.name, terms.id, asks);
        shared.consents.allowance(asked, about, shared.words())
    }

    /// What is given to a department with these relations to the person, where he allows it;
    /// `None` if there is no such relation.
    pub(super) fn plan_with(&self, relations: &[Relation]) -> Option<Arc<Plan>> {
        let known: Vec<_> = self.desk.shared.relations.iter().map(|row| row.id).collect();
        let place = |named: &Relation| known.iter().position(|id| id == named);
        let places: Option<Vec<_>> = relations.iter().map(place).collect();
        let bits = places?.into_iter().fold(0, |bits, place| bits | 1 << place);
        self.desk.plan(self.grounds().with(bits))
    }

    fn grounds(&self) -> Grounds {
        Grounds::new(self.evidence.bits(), 0)
    }
}

impl Scope {
    /// Who asks, in which role, what for, with what evidence.
    #[must_use]
    pub const fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The same, about this person: days may be moved as all of his are.
    #[must_use]
    pub fn about(self, person: Pseudonym) -> Self {
        Self { person: Some(person), ..self }
    }

    /// Whether nothing of the person may leave, whatever there is of him.
    #[must_use]
    pub fn opens_nothing(&self) -> bool {
        self.allowance.opens_nothing() || self.plan.released().next().is_none()
    }

    /// Whether the purpose needs the person's consent and there is none. A refusal of what needs
    /// none is not told apart: who asks could see it by whom we ask.
    #[must_use]
    pub fn lacks_consent(&self) -> bool {
        self.allowance.lacks_consent()
    }

    /// What tied the asker to the person, and what the person said, as far as it bore on the
    /// decision; for the ledger alone.
    pub fn grounds(&self) -> impl Iterator<Item = String> {
        let relations = self.admission.desk.shared.relations.iter().enumerate();
        let held = relations.filter(|(index, _)| self.relations & (1 << index) != 0);
        let held = held.map(|(_, row)| format!("{}{}", fixed::RELATION, row.id));
        held.chain(self.allowance.rule().map(str::to_owned))
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (department, role) = (self.department(), self.role());
        write!(f, "Admission({department}, {role}, {}, {:?})", self.purpose(), self.evidence)
    }
}

/// Shows who asks and what for: what a person said is nobody's to read in a log.
impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({:?})", self.admission)
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
