//! 披露策略, who sees which element of whom for which purpose, and in which form.
//!
//! ```text
//! admit (department, role, purpose, evidence) → Scope
//! decide (Scope, records)                     → Release
//! ```
//!
//! Everything is denied that no rule permits. The files are in `policies/`; what they
//! may say is documented at the top of the module that reads each.

mod choose;
mod coverage;
mod department;
mod difference;
mod event;
mod example;
mod explain;
mod lattice;
mod law;
mod page;
mod past;
mod plan;
mod purpose;
mod release;
mod rule_files;
mod rules;
mod schema;
mod scope;
mod special;
mod terms;
mod treat;
mod treatment;

#[cfg(test)]
mod choose_tests;
#[cfg(test)]
mod coverage_tests;
#[cfg(test)]
mod difference_tests;
#[cfg(test)]
mod law_tests;
#[cfg(test)]
mod special_tests;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use plan::{Plan, Shared};
use rules::{Asker, Rules};
use schema::Lists;

pub use choose::Gathered;
pub use coverage::Coverage;
pub use department::{DepartmentRow, Departments, Grant};
pub use difference::{Change, Difference, Form, Side, Term};
pub use event::{EventRow, Events, IDENTITY};
pub use explain::Explanation;
pub use lattice::{Asking, Cell, Dimensions};
pub use law::Law;
pub use past::Past;
pub use plan::Withheld;
pub use purpose::{
    Authority, Bilingual, EvidenceKey, LegalBasis, Naming, Purposes, Requirement, Stale, Terms,
    Wording,
};
pub use release::{Release, Released, decide};
pub use scope::{Evidence, Refusal, RuleId, Scope, fixed};
pub use treat::Treated;
pub use treatment::Treatment;

use crate::identity::Peer;
use crate::vocabulary::{
    Catalogue, CodeTables, Department, Diagnostic, ElementId, Fault, Files, Purpose, Role,
};

/// Two to the number of evidence keys: each key is there or not.
const EVIDENCE_SETS: usize = 1 << EvidenceKey::ALL.len();

/// One plan for each set of evidence, made when first asked for.
type Plans = [OnceLock<Option<Arc<Plan>>>; EVIDENCE_SETS];

/// All policies, loaded and checked.
pub struct PolicySet {
    shared: Arc<Shared>,
    departments: Departments,
    events: Events,
    rules: Rules,
    laws: Vec<Law>,
    plans: HashMap<(Department, Role, Purpose), Plans>,
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PolicySet({}, {} rules)", self.shared.version, self.rules.len())
    }
}

impl PolicySet {
    /// Reads and checks a folder of policies against a catalogue and its code tables.
    ///
    /// # Errors
    /// One [`Diagnostic`] for each thing that is wrong: unreadable files, names nobody
    /// knows, rules that fail Cedar's validator, examples that do not hold, laws that are broken.
    pub fn load(
        files: &Files,
        catalogue: &Catalogue,
        tables: &CodeTables,
    ) -> Result<Self, Vec<Diagnostic>> {
        let purposes = Purposes::load(files, catalogue)?;
        let (departments, events) =
            both(Departments::load(files, &purposes), Events::load(files, catalogue))?;
        let (treatments, special) =
            both(treatment::Treatments::load(files, catalogue), special::Special::load(files))?;
        let lists =
            Lists { catalogue, special: &special, purposes: &purposes, departments: &departments };
        let (rules, laws) = both(Rules::load(files, lists), law::load(files, lists))?;
        let shared = Arc::new(Shared {
            version: files.version(),
            catalogue: catalogue.clone(),
            tables: tables.clone(),
            purposes,
            special,
            treatments,
        });
        let plans = plans(&departments);
        let set = Self { shared, departments, events, rules, laws, plans };
        let mut faults = example::check(&set, files);
        faults.extend(law::check(&set, files));
        if faults.is_empty() { Ok(set) } else { Err(faults) }
    }

    /// Content hash of the files it was loaded from.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.shared.version
    }

    /// Whose certificate is whose.
    pub fn bindings(&self) -> impl Iterator<Item = (String, Peer)> {
        self.departments.bindings()
    }

    /// The departments.
    #[must_use]
    pub const fn departments(&self) -> &Departments {
        &self.departments
    }

    /// The events departments may be told of.
    #[must_use]
    pub const fn events(&self) -> &Events {
        &self.events
    }

    /// What no rule may open.
    #[must_use]
    pub fn laws(&self) -> &[Law] {
        &self.laws
    }

    /// The purposes.
    #[must_use]
    pub fn purposes(&self) -> &Purposes {
        &self.shared.purposes
    }

    /// Admits an asker, a department in one of its roles, or says why not and what can be done.
    ///
    /// # Errors
    /// [`Refusal`] if the closed list has no such purpose, if the department was not
    /// granted it in this role, or if evidence the purpose needs is missing.
    pub fn admit(
        &self,
        (department, role): (Department, Role),
        purpose: &str,
        evidence: Evidence,
    ) -> Result<Scope, Refusal> {
        let terms = Purpose::parse(purpose).ok().and_then(|id| self.shared.purposes.terms(id));
        let Some(terms) = terms else {
            return Err(Refusal::new(Fault::UnknownPurpose, fixed::UNKNOWN_PURPOSE, "/purpose"));
        };
        let not_granted = || {
            Refusal::new(Fault::PurposeNotGranted, fixed::NOT_GRANTED, "/purpose")
                .remedy(&terms.remedy)
        };
        let plans = self.plans.get(&(department, role, terms.id)).ok_or_else(not_granted)?;
        for requirement in &terms.requires {
            let key = requirement.evidence;
            if evidence.of(key).is_none() {
                let rule = format!("{}{}", fixed::REQUIRES, key.as_str());
                let at = format!("/evidence/{}", key.as_str());
                let Requirement { zh, en, .. } = requirement.clone();
                return Err(
                    Refusal::new(Fault::RequiredMissing, rule, &at).remedy(&Bilingual { zh, en })
                );
            }
        }
        let bits = evidence.bits();
        let plan = plans.get(bits).and_then(|plan| {
            plan.get_or_init(|| self.plan((department, role), terms.id, bits)).clone()
        });
        let plan = plan.ok_or_else(not_granted)?;
        let persons_per_day = self.persons_per_day((department, role), terms.id);
        Ok(Scope { department, role, evidence, persons_per_day, plan })
    }

    fn persons_per_day(
        &self,
        (department, role): (Department, Role),
        purpose: Purpose,
    ) -> Option<u32> {
        let row = self.departments.department(department)?;
        let mut grants = row.grants.iter();
        let of = |grant: &&Grant| grant.purpose == purpose && grant.roles.contains(&role);
        grants.find(of)?.persons_per_day
    }

    /// Checks a list of wanted elements against the catalogue.
    ///
    /// # Errors
    /// [`Refusal`] at the first element the catalogue does not have.
    pub fn know(&self, wanted: &[ElementId]) -> Result<(), Refusal> {
        let unknown = wanted.iter().position(|id| self.shared.catalogue.get(*id).is_none());
        unknown.map_or(Ok(()), |index| {
            let at = format!("/elements/{index}");
            Err(Refusal::new(Fault::UnknownElement, fixed::UNKNOWN_ELEMENT, &at))
        })
    }

    fn plan(
        &self,
        (department, role): (Department, Role),
        purpose: Purpose,
        evidence: usize,
    ) -> Option<Arc<Plan>> {
        let kind = self.departments.department(department)?.kind.as_str();
        let asker = Asker { department, kind, role, purpose, evidence };
        Plan::new(&self.shared, &self.rules, asker).map(Arc::new)
    }
}

/// An empty place for each plan that may be asked for.
fn plans(departments: &Departments) -> HashMap<(Department, Role, Purpose), Plans> {
    let mut plans = HashMap::new();
    for row in departments.iter() {
        for grant in &row.grants {
            for role in &grant.roles {
                plans.insert((row.name, *role, grant.purpose), Plans::default());
            }
        }
    }
    plans
}

/// Both contents, or the faults of both.
fn both<A, B>(
    left: Result<A, Vec<Diagnostic>>,
    right: Result<B, Vec<Diagnostic>>,
) -> Result<(A, B), Vec<Diagnostic>> {
    match (left, right) {
        (Ok(left), Ok(right)) => Ok((left, right)),
        (left, right) => {
            let mut faults = left.err().unwrap_or_default();
            faults.extend(right.err().unwrap_or_default());
            Err(faults)
        }
    }
}
