//! Examples beside the rules, `*.examples.toml`: what an asker sees and never sees.
//!
//! They run at every load, so a set of policies that does not hold what its author
//! wrote down about it never serves. Every granted purpose needs one.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Deserialize;
use toml::Spanned;

use super::lattice::Standpoint;
use super::page::Page;
use super::purpose::EvidenceKey;
use super::scope::Evidence;
use super::{PolicySet, Refusal};
use crate::vocabulary::{
    Class, Department, Diagnostic, ElementId, Files, Purpose, Relation, Role, Tier,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExamplesFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    example: Vec<Spanned<Example>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    pub(super) department: Department,
    pub(super) role: Role,
    pub(super) purpose: String,
    #[serde(default)]
    evidence: Vec<EvidenceKey>,
    /// What ties the department to the person.
    #[serde(default)]
    pub(super) relations: BTreeSet<Relation>,
    /// Element by element, the tier.
    #[serde(default)]
    pub(super) sees: BTreeMap<String, Spanned<Tier>>,
    #[serde(default)]
    pub(super) never: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) never_classes: Vec<Spanned<String>>,
    /// The rule by which the asker is not admitted at all.
    refused: Option<Spanned<String>>,
}

/// Runs every example; what does not hold is a fault where it is written.
pub(super) fn check(set: &PolicySet, files: &Files) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let mut shown: HashSet<(Department, Role, Purpose)> = HashSet::new();
    for path in files.under("", "toml").filter(|path| path.ends_with(".examples.toml")) {
        let (mut page, file) = match Page::open::<ExamplesFile>(files, path) {
            Ok(read) => read,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        for example in file.example {
            let start = example.span().start;
            let example = example.into_inner();
            let asker = (example.department, example.role);
            let admitted = set.admission(asker, &example.purpose, evidence(&example));
            match admitted {
                Ok(admission) => {
                    shown.insert((admission.department(), admission.role(), admission.purpose()));
                    match admission.standpoint(example.relations.clone()) {
                        Some(from) => check_standpoint(&example, &from, start, &mut page),
                        None => page.fault(start, "there is no such relation"),
                    }
                }
                Err(refusal) => check_refusal(&example, &refusal, start, &mut page),
            }
        }
        faults.extend(page.faults);
    }
    let mut without: Vec<_> = set.desks.keys().filter(|grant| !shown.contains(grant)).collect();
    without.sort_unstable();
    faults.extend(without.into_iter().map(|(department, role, purpose)| {
        let message = format!("no example shows what {department} {role} gets for {purpose}");
        Diagnostic::at("departments.toml", "", 0, message)
            .hint("add an [[example]] to an *.examples.toml file")
    }));
    faults
}

/// Every example of the files that can be read.
pub(super) fn read(files: &Files) -> impl Iterator<Item = Example> {
    let paths = files.under("", "toml").filter(|path| path.ends_with(".examples.toml"));
    let pages = paths.filter_map(|path| Page::open::<ExamplesFile>(files, path).ok());
    pages.flat_map(|(_, file)| file.example).map(Spanned::into_inner)
}

/// What the asker of an example brings.
pub(super) fn evidence(example: &Example) -> Evidence {
    Evidence::supposed(|key| example.evidence.contains(&key))
}

fn check_standpoint(example: &Example, standpoint: &Standpoint, start: usize, page: &mut Page<'_>) {
    let plan = &standpoint.plan;
    if example.refused.is_some() {
        page.fault(start, "this asker is admitted, the example says refused");
    }
    let tier = |id: ElementId| {
        let found = plan.released().find(|(planned, _)| planned.element.id == id);
        found.map_or(Tier::Withheld, |(_, ruling)| ruling.tier)
    };
    for (name, expected) in &example.sees {
        let found = ElementId::parse(name).map_or(Tier::Withheld, tier);
        if found != *expected.get_ref() {
            let message = format!("{name} is released as {}, not so", found.as_str());
            page.fault(expected.span().start, message);
        }
    }
    for word in &example.never {
        let Some(id) = page.name(word, ElementId::parse) else { continue };
        if plan.shared.catalogue.get(id).is_none() {
            page.fault(word.span().start, format!("the catalogue has no element {id}"));
        } else if tier(id) != Tier::Withheld {
            page.fault(word.span().start, format!("{id} is released as {}", tier(id).as_str()));
        }
    }
    for word in &example.never_classes {
        let Some(class) = page.name(word, Class::parse) else { continue };
        // Of the element's class, or of the value's.
        let cells =
            standpoint.admission().terms().elements.iter().flat_map(|id| standpoint.cells_of(*id));
        let leak = cells.into_iter().find(|cell| cell.is_of(class) && !cell.forms.is_empty());
        if let Some(cell) = leak {
            let of = cell.special.map(|class| format!("#{class}")).unwrap_or_default();
            page.fault(word.span().start, format!("{}{of} is released", cell.element.id));
        }
    }
}

fn check_refusal(example: &Example, refusal: &Refusal, start: usize, page: &mut Page<'_>) {
    let expected = example.refused.as_ref().map(|rule| rule.get_ref().as_str());
    if expected != Some(&*refusal.rule) {
        page.fault(start, format!("this asker is refused by rule {}", refusal.rule));
    }
}
