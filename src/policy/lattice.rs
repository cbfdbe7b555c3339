//! 全表, every cell somebody could ask for: what laws, coverage, comparison and matrix walk.
//!
//! A cell is an asker (department, role, purpose, what he brings, what ties him to the person)
//! with an element, or with those of its values that a special class holds; the person is taken
//! to allow it. What a purpose does not list is withheld by its ceiling and has no cell. The
//! dimensions of a scope stand in [`Dimensions`] and [`PolicySet::standpoints`] alone: whoever
//! adds one adds it there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Ruling};
use super::purpose::EvidenceKey;
use super::rules::{About, Asker, Grounds, Verdict};
use super::scope::{Admission, Evidence, RuleId};
use super::special::Marks;
use super::treatment::Treatment;
use super::{PolicySet, Refusal};
use crate::vocabulary::{Class, Department, Element, ElementId, Purpose, Relation, Role, Tier};

/// One kind of asker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Asking {
    /// Who asks.
    pub department: Department,
    /// In which role.
    pub role: Role,
    /// What for.
    pub purpose: Purpose,
    /// What he brings: `call`, `case`, `reason`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub brings: BTreeSet<String>,
    /// What ties the department to the person.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub relations: BTreeSet<Relation>,
}

/// What one kind of asker gets of one element.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Who asks.
    pub asking: Asking,
    /// About which element.
    pub element: Element,
    /// Of those of its values this class holds; of plain ones if there is none.
    pub special: Option<Class>,
    /// The tiers a value may leave in, each with its treatment, least protective first;
    /// none if it is withheld.
    pub forms: Vec<(Tier, Treatment)>,
    /// By which rules.
    pub rules: Vec<RuleId>,
}

impl fmt::Display for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { department, role, purpose, brings, relations } = self;
        write!(f, "{department} {role} {purpose}")?;
        let brings = brings.iter().map(String::as_str);
        let words: Vec<&str> = brings.chain(relations.iter().map(Relation::as_str)).collect();
        if words.is_empty() { Ok(()) } else { write!(f, " [{}]", words.join(", ")) }
    }
}

/// `clinic doctor record-sharing DE02.01.039.00`, and `#mental` where it is of that class.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.asking, self.element.id)?;
        self.special.map_or(Ok(()), |class| write!(f, "#{class}"))
    }
}

impl Cell {
    /// The least protective tier a value may leave in.
    #[must_use]
    pub fn tier(&self) -> Tier {
        self.forms.first().map_or(Tier::Withheld, |(tier, _)| *tier)
    }

    /// Whether a class holds it: that of the element, or that of the value.
    #[must_use]
    pub fn is_of(&self, class: Class) -> bool {
        self.element.class == class || self.special == Some(class)
    }
}

/// A department in one of its roles, and what for.
type Grant = (Department, Role, Purpose);

/// What of an asker can matter to a decision, beside who he is and what for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Matters {
    evidence: BTreeSet<EvidenceKey>,
    relations: BTreeSet<Relation>,
}

impl Matters {
    /// How many sets of grounds there are.
    fn sets(&self) -> usize {
        1 << (self.evidence.len() + self.relations.len())
    }

    /// Every set of what may be there beside what a purpose requires.
    fn each(&self) -> impl Iterator<Item = (BTreeSet<EvidenceKey>, Vec<Relation>)> {
        (0..self.sets()).map(|bits| {
            let chosen = |at: usize| bits & (1 << at) != 0;
            let evidence = self.evidence.iter().enumerate();
            let evidence = evidence.filter(|(at, _)| chosen(*at)).map(|(_, key)| *key);
            let relations = self.relations.iter().enumerate();
            let tied = relations.filter(|(at, _)| chosen(self.evidence.len() + at));
            (evidence.collect(), tied.map(|(_, relation)| *relation).collect())
        })
    }
}

/// 维度, what can matter of each asker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dimensions(BTreeMap<Grant, Matters>);

impl Dimensions {
    /// What matters to one or the other.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (grant, matters) in &other.0 {
            let known = both.0.entry(*grant).or_default();
            known.evidence.extend(&matters.evidence);
            known.relations.extend(&matters.relations);
        }
        both
    }

    /// In how many ways an asker may ask.
    pub(super) fn sets(&self, asking: &Asking) -> usize {
        let grant = (asking.department, asking.role, asking.purpose);
        self.0.get(&grant).map_or(1, Matters::sets)
    }
}

/// 立场, an admitted asker with what is taken to tie him to the person, who is taken to allow it.
#[derive(Clone)]
pub struct Standpoint {
    admission: Admission,
    relations: BTreeSet<Relation>,
    pub(super) plan: Arc<Plan>,
}

impl PolicySet {
    /// What of an asker can matter: evidence and relations that a rule speaks of.
    #[must_use]
    pub fn dimensions(&self) -> Dimensions {
        let each = self.desks.iter().map(|(grant, desk)| {
            let required = |key: &EvidenceKey| {
                desk.terms.requires.iter().any(|required| required.evidence == *key)
            };
            let keys = EvidenceKey::ALL.into_iter().enumerate();
            let keys = keys.filter(|(at, key)| desk.mask.has_evidence(*at) && !required(key));
            let relations = self.shared.relations.iter().enumerate();
            let relations = relations.filter(|(at, _)| desk.mask.has_relation(*at));
            let matters = Matters {
                evidence: keys.map(|(_, key)| key).collect(),
                relations: relations.map(|(_, row)| row.id).collect(),
            };
            (*grant, matters)
        });
        Dimensions(each.collect())
    }

    /// From where anybody may ask.
    pub(super) fn standpoints(&self, dimensions: &Dimensions) -> Vec<Standpoint> {
        let mut found = Vec::new();
        for (grant, matters) in &dimensions.0 {
            let (department, role, purpose) = *grant;
            let Some(desk) = self.desks.get(grant) else { continue };
            for (mut brought, relations) in matters.each() {
                brought.extend(desk.terms.requires.iter().map(|required| required.evidence));
                let evidence = Evidence::supposed(|key| brought.contains(&key));
                let admitted = self.admission((department, role), purpose.as_str(), evidence);
                // A relation these policies do not know ties nobody.
                let relations = relations.into_iter().filter(|id| self.knows(*id)).collect();
                found.extend(admitted.ok().and_then(|one| one.standpoint(relations)));
            }
        }
        found
    }

    fn knows(&self, relation: Relation) -> bool {
        self.shared.relations.iter().any(|row| row.id == relation)
    }

    /// What the rules alone say to somebody who was admitted, whether or not his purpose lists
    /// the element.
    pub(super) fn ruled(&self, from: &Standpoint, about: About<'_>) -> Option<Verdict> {
        let Admission { desk, evidence, .. } = &from.admission;
        let tied = |row: &super::RelationRow| from.relations.contains(&row.id);
        let relations = self.shared.relations.iter().enumerate();
        let relations =
            relations.filter(|(_, row)| tied(row)).fold(0, |bits, (at, _)| bits | 1 << at);
        let asker = Asker {
            department: desk.department.name,
            kind: desk.department.kind.as_str(),
            role: desk.role,
            purpose: desk.terms.id,
            grounds: Grounds::new(evidence.bits(), relations),
        };
        Some(self.shared.rules.judge(asker, about))
    }

    /// Every cell, where these are the things that can matter.
    pub fn cells(&self, dimensions: &Dimensions) -> impl Iterator<Item = Cell> {
        self.standpoints(dimensions).into_iter().flat_map(|from| {
            let wanted = from.admission.terms().elements.clone();
            wanted.into_iter().flat_map(move |id| from.cells_of(id)).collect::<Vec<_>>()
        })
    }

    /// Where an asker stands.
    ///
    /// # Errors
    /// [`Refusal`] if he is not admitted; a relation nobody knows ties nobody.
    pub fn standpoint(
        &self,
        asker: (Department, Role),
        purpose: &str,
        (evidence, relations): (Evidence, &BTreeSet<Relation>),
    ) -> Result<Standpoint, Refusal> {
        let admission = self.admission(asker, purpose, evidence)?;
        let known = relations.iter().copied().filter(|id| self.knows(*id)).collect();
        let plan = Arc::clone(&admission.plan);
        let alone = Standpoint { admission: admission.clone(), relations: BTreeSet::new(), plan };
        Ok(admission.standpoint(known).unwrap_or(alone))
    }
}

impl Admission {
    /// Where the asker stands with these relations; `None` if there is no such relation.
    pub(super) fn standpoint(&self, relations: BTreeSet<Relation>) -> Option<Standpoint> {
        let listed: Vec<Relation> = relations.iter().copied().collect();
        let plan = self.plan_with(&listed)?;
        Some(Standpoint { admission: self.clone(), relations, plan })
    }
}

impl Standpoint {
    /// Who was admitted.
    #[must_use]
    pub const fn admission(&self) -> &Admission {
        &self.admission
    }

    /// As which kind of asker.
    #[must_use]
    pub fn asking(&self) -> Asking {
        let keys = EvidenceKey::ALL.into_iter();
        let brings = keys.filter(|key| self.admission.evidence().of(*key).is_some());
        Asking {
            department: self.admission.department(),
            role: self.admission.role(),
            purpose: self.admission.purpose(),
            brings: brings.map(|key| key.as_str().to_owned()).collect(),
            relations: self.relations.clone(),
        }
    }

    /// The cells of one element: its plain values, then those of each special class. One cell
    /// where it is withheld; none of what the catalogue does not have.
    #[must_use]
    pub fn cells_of(&self, id: ElementId) -> Vec<Cell> {
        let Some(element) = self.plan.shared.catalogue.get(id) else { return Vec::new() };
        let cell = |special, forms, rules| Cell {
            asking: self.asking(),
            element: element.clone(),
            special,
            forms,
            rules,
        };
        let Some(planned) = self.plan.planned(id) else {
            let withheld = self.plan.withheld(Some(&[id])).into_iter();
            return vec![cell(None, Vec::new(), withheld.map(|one| one.rule).collect())];
        };
        let ruled =
            |special, ruling: &Ruling| cell(special, ruling.ladder.clone(), ruling.rules.to_vec());
        let mut cells = vec![ruled(None, planned.ruling(Marks::default()))];
        for (index, class) in self.plan.shared.special.classes().iter().enumerate() {
            cells.push(ruled(Some(*class), planned.ruling(Marks(1 << index))));
        }
        cells
    }
}
