//! 全表, every cell somebody could ask for: what laws, coverage, comparison and matrix walk.
//!
//! A cell is an asker (department, role, purpose and what he brings) with an element, or with
//! those of its values that a special class holds. What a purpose does not list is withheld by
//! its ceiling and has no cell. The dimensions of a scope stand in [`Dimensions`] and
//! [`PolicySet::scopes`] alone: whoever adds one adds it there.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::plan::Ruling;
use super::purpose::EvidenceKey;
use super::rules::{About, Asker, Verdict};
use super::scope::{Evidence, RuleId, Scope};
use super::special::Marks;
use super::treatment::Treatment;
use super::{Grant, PolicySet};
use crate::vocabulary::{Class, Department, Element, ElementId, Purpose, Role, Tier};

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
        let Self { department, role, purpose, brings } = self;
        write!(f, "{department} {role} {purpose}")?;
        if brings.is_empty() {
            return Ok(());
        }
        write!(f, " [{}]", brings.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
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

/// Which of what an asker may bring can matter to a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dimensions {
    evidence: Vec<EvidenceKey>,
}

impl Dimensions {
    /// Those that matter to one or the other.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let either =
            |key: &EvidenceKey| self.evidence.contains(key) || other.evidence.contains(key);
        Self { evidence: EvidenceKey::ALL.into_iter().filter(either).collect() }
    }

    /// How many sets of things an asker may bring.
    pub(super) fn sets(&self) -> usize {
        1 << self.evidence.len()
    }

    /// Everything an asker may bring: each set of evidence.
    fn brought(&self) -> impl Iterator<Item = Evidence> {
        (0..self.sets()).map(|bits| {
            let has = |key| self.evidence.iter().position(|known| *known == key);
            let given = |key| has(key).filter(|at| bits & (1 << at) != 0).map(|_| "any".to_owned());
            Evidence {
                call: given(EvidenceKey::Call),
                case: given(EvidenceKey::Case),
                reason: given(EvidenceKey::Reason),
                asker: None,
            }
        })
    }
}

impl PolicySet {
    /// What of an asker can matter: evidence that a purpose requires or a rule speaks of.
    #[must_use]
    pub fn dimensions(&self) -> Dimensions {
        let required = self.purposes().iter().flat_map(|terms| &terms.requires);
        let required: Vec<EvidenceKey> = required.map(|one| one.evidence).collect();
        let spoken = self.rules.texts();
        // A rule may take the whole record, so naming no key means every key.
        let speaks = |key: EvidenceKey| {
            let named = format!("evidence.{}", key.as_str());
            let mut about = spoken.iter().flat_map(|text| {
                text.match_indices("evidence")
                    .map(move |(at, _)| text.get(at..).unwrap_or_default())
            });
            about.any(|rest| {
                rest.starts_with(&named)
                    || !EvidenceKey::ALL
                        .iter()
                        .any(|other| rest.starts_with(&format!("evidence.{}", other.as_str())))
            })
        };
        let matters = |key: &EvidenceKey| required.contains(key) || speaks(*key);
        Dimensions { evidence: EvidenceKey::ALL.into_iter().filter(matters).collect() }
    }

    /// Every scope somebody may be admitted to, by department, role, purpose and what he brings.
    pub(super) fn scopes(&self, dimensions: &Dimensions) -> Vec<Scope> {
        let grants = self.departments().iter().flat_map(|row| {
            let each = |grant: &'_ Grant| {
                let purpose = grant.purpose;
                grant.roles.iter().map(move |role| (*role, purpose)).collect::<Vec<_>>()
            };
            row.grants.iter().flat_map(each).map(|(role, purpose)| (row.name, role, purpose))
        });
        let grants: BTreeSet<(Department, Role, Purpose)> = grants.collect();
        let admitted = grants.into_iter().flat_map(|(department, role, purpose)| {
            let brought = dimensions.brought();
            brought.filter_map(move |evidence| {
                self.admit((department, role), purpose.as_str(), evidence).ok()
            })
        });
        admitted.collect()
    }

    /// What the rules alone say to somebody who was admitted, whether or not his purpose lists
    /// the element.
    pub(super) fn ruled(&self, scope: &Scope, about: About<'_>) -> Option<Verdict> {
        let (department, role, purpose) = (scope.department(), scope.role(), scope.purpose());
        let kind = self.departments().department(department)?.kind.as_str();
        let evidence = scope.evidence().bits();
        Some(self.rules.judge(Asker { department, kind, role, purpose, evidence }, about))
    }

    /// Every cell, where these are the things that can matter.
    pub fn cells(&self, dimensions: &Dimensions) -> impl Iterator<Item = Cell> {
        self.scopes(dimensions).into_iter().flat_map(|scope| {
            let wanted = scope.terms().elements.clone();
            wanted.into_iter().flat_map(move |id| scope.cells_of(id)).collect::<Vec<_>>()
        })
    }
}

impl Scope {
    /// As which kind of asker it was admitted.
    #[must_use]
    pub fn asking(&self) -> Asking {
        let keys = EvidenceKey::ALL.into_iter();
        let brings = keys.filter(|key| self.evidence().of(*key).is_some());
        Asking {
            department: self.department(),
            role: self.role(),
            purpose: self.purpose(),
            brings: brings.map(|key| key.as_str().to_owned()).collect(),
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
