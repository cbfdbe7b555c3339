//! 披露策略, who sees which element of whom for which purpose, and in which form.
//!
//! ```text
//! admit (department, role, purpose, evidence) → Admission
//! Admission towards (all records of a person) → Scope
//! decide (Scope, records)                     → Release
//! ```
//!
//! Everything is denied that no rule permits. The files are in `policies/`; what they
//! may say is documented at the top of the module that reads each.

mod basis;
mod choose;
mod consent;
mod coverage;
mod department;
mod difference;
mod doubt;
mod event;
mod example;
mod explain;
mod lattice;
mod law;
mod page;
mod past;
mod plan;
mod purpose;
mod relation;
mod release;
mod rule_files;
mod rules;
mod schema;
mod scope;
mod special;
mod spoken;
mod statistic;
pub mod tally;
mod terms;
mod treat;
mod treatment;
mod word;

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
use std::sync::Arc;

use plan::{Desk, Shared};
use rules::{Grounds, Rules};
use schema::Lists;

pub use basis::Basis;
pub use choose::{Gathered, WORD};
pub use consent::ConsentTerms;
pub use coverage::Coverage;
pub use department::{DepartmentRow, Departments, Grant};
pub use difference::{Change, Difference, Form, Side, Term};
pub use doubt::{AskedAgain, Bulk, Doubts, Followed, OffHours, Related};
pub use event::{EventRow, Events, IDENTITY};
pub use explain::Explanation;
pub use lattice::{Asking, Cell, Dimensions, Standpoint};
pub use law::Law;
pub use past::Past;
pub use plan::Withheld;
pub use purpose::{
    Authority, Bilingual, EvidenceKey, LegalBasis, Naming, Precedence, Purposes, Requirement,
    Stale, Terms, TicketTerms, Wording,
};
pub use relation::{RelationRow, Relations};
pub use release::{Release, Released, decide};
pub use scope::{Admission, Asks, Evidence, Refusal, RuleId, Scope, fixed};
pub use statistic::{Dimension, Indicator, Statistics};
pub use treat::Treated;
pub use treatment::Treatment;
pub use word::is_word;

use crate::identity::Peer;
use crate::vocabulary::{
    Catalogue, CodeTables, Department, Diagnostic, ElementId, Fault, Files, Position, Purpose,
    Record, Role,
};

/// All policies, loaded and checked.
pub struct PolicySet {
    shared: Arc<Shared>,
    doubts: Doubts,
    events: Events,
    desks: HashMap<(Department, Role, Purpose), Arc<Desk>>,
    statistics: Statistics,
    laws: Vec<Law>,
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PolicySet({}, {} rules)", self.shared.version, self.shared.rules.len())
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
        let doubts = Doubts::load(files, &purposes)?;
        let statistics = Statistics::load(files, catalogue, &purposes)?;
        let (treatments, special) = both(
            treatment::Treatments::load(files, catalogue),
            special::Special::load(files, catalogue),
        )?;
        let relations = relation::Relations::load(files, catalogue)?;
        let lists = Lists {
            catalogue,
            special: &special,
            purposes: &purposes,
            departments: &departments,
            relations: &relations,
        };
        let classes = schema::classes(lists);
        let (rules, consents) =
            both(Rules::load(files, lists), consent::Consents::load(files, &purposes, &classes))?;
        let laws = law::load(files, lists)?;
        special.are_unruled(files, &rules, &laws)?;
        let shared = Arc::new(Shared {
            version: files.version(),
            catalogue: catalogue.clone(),
            tables: tables.clone(),
            purposes,
            special,
            treatments,
            departments,
            relations,
            consents,
            classes,
            rules,
        });
        let set = Self { desks: desks(&shared), shared, doubts, events, laws, statistics };
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
        self.shared.departments.bindings()
    }

    /// The departments.
    #[must_use]
    pub fn departments(&self) -> &Departments {
        &self.shared.departments
    }

    /// What an auditor is to look at.
    #[must_use]
    pub const fn doubts(&self) -> &Doubts {
        &self.doubts
    }

    /// The events departments may be told of.
    #[must_use]
    pub const fn events(&self) -> &Events {
        &self.events
    }

    /// What may be counted.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// What no rule may open.
    #[must_use]
    pub fn laws(&self) -> &[Law] {
        &self.laws
    }

    /// The relations a department may have to a person.
    #[must_use]
    pub fn relations(&self) -> &Relations {
        &self.shared.relations
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
        asker: (Department, Role),
        purpose: &str,
        evidence: Evidence,
    ) -> Result<Admission, Refusal> {
        let admission = self.admission(asker, purpose, evidence)?;
        // For counting nobody is told of one person.
        if admission.terms().counts {
            return Err(Refusal::new(Fault::PurposeNotGranted, fixed::COUNTS_ONLY, "/purpose"));
        }
        Ok(admission)
    }

    /// Whether questions of an asker for a purpose go first: none do for one he was not granted.
    #[must_use]
    pub fn precedence(&self, (department, role): (Department, Role), purpose: &str) -> Precedence {
        let id = Purpose::parse(purpose).ok();
        let desk = id.and_then(|id| self.desks.get(&(department, role, id)));
        desk.map_or_else(Precedence::default, |desk| desk.terms.precedence)
    }

    /// The admission of an asker, whether the purpose is for persons or for counting alone.
    ///
    /// # Errors
    /// As [`PolicySet::admit`].
    pub fn admission(
        &self,
        (department, role): (Department, Role),
        purpose: &str,
        evidence: Evidence,
    ) -> Result<Admission, Refusal> {
        let terms = Purpose::parse(purpose).ok().and_then(|id| self.shared.purposes.terms(id));
        let Some(terms) = terms else {
            return Err(Refusal::new(Fault::UnknownPurpose, fixed::UNKNOWN_PURPOSE, "/purpose"));
        };
        let not_granted = || {
            Refusal::new(Fault::PurposeNotGranted, fixed::NOT_GRANTED, "/purpose")
                .remedy(&terms.remedy)
        };
        let desk = self.desks.get(&(department, role, terms.id)).ok_or_else(not_granted)?;
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
        let plan = desk.plan(Grounds::new(evidence.bits(), 0)).ok_or_else(not_granted)?;
        Ok(Admission { desk: Arc::clone(desk), evidence, plan })
    }

    /// What a record says of who may see what, in one line, for the ledger; not of which classes.
    #[must_use]
    pub fn said(&self, record: &Record) -> Option<String> {
        word::said(record)
    }

    /// What is wrong with a record that is a person's word on who may see what, and where.
    ///
    /// # Errors
    /// The fault and its place: a word nobody knows, a permission its source may not record.
    pub fn heed(&self, record: &Record) -> Result<(), (Fault, Position)> {
        self.shared.consents.fault(record, self.shared.words()).map_or(Ok(()), Err)
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
}

/// One desk for each role of each grant.
fn desks(shared: &Arc<Shared>) -> HashMap<(Department, Role, Purpose), Arc<Desk>> {
    let mut desks = HashMap::new();
    for row in shared.departments.iter() {
        for grant in &row.grants {
            for role in &grant.roles {
                if let Some(desk) = Desk::new(shared, row, (*role, grant)) {
                    desks.insert((row.name, *role, grant.purpose), Arc::new(desk));
                }
            }
        }
    }
    desks
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
