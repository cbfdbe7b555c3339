//! 覆盖, which rules the examples beside them exercise.
//!
//! A permit is exercised by a `sees` it decides, a forbid by a `never` or `never_classes` it
//! decides; the rules are asked past the ceiling of the purpose, for it would hide them.

use std::collections::{BTreeMap, BTreeSet};

use super::PolicySet;
use super::example::{self, Example};
use super::lattice::Standpoint;
use super::rule_files;
use super::rules::About;
use super::scope::RuleId;
use crate::vocabulary::{Class, Diagnostic, Element, ElementId, Files, Tier};

/// Every rule, with how many examples exercise it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage(pub BTreeMap<RuleId, usize>);

impl Coverage {
    /// A fault for each rule no example exercises, where it stands.
    #[must_use]
    pub fn faults(&self, files: &Files) -> Vec<Diagnostic> {
        let bare = self.0.iter().filter(|(_, examples)| **examples == 0);
        let faults = bare.map(|(rule, _)| {
            let message = format!("no example exercises rule {rule}");
            rule_files::place(files, rule, message)
                .hint("a permit needs an example that `sees` by it, a forbid one that `never` does")
        });
        faults.collect()
    }
}

impl PolicySet {
    /// How many rules there are.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.shared.rules.len()
    }

    /// Counts for each rule the examples that exercise it, in the files it was loaded from.
    #[must_use]
    pub fn coverage(&self, files: &Files) -> Coverage {
        let mut found: BTreeMap<RuleId, usize> =
            self.shared.rules.ids().map(|rule| (rule, 0)).collect();
        for example in example::read(files) {
            let asker = (example.department, example.role);
            let brought = (example::evidence(&example), &example.relations);
            let Ok(from) = self.standpoint(asker, &example.purpose, brought) else { continue };
            let exercised = exercised(self, &example, &from);
            for rule in exercised {
                found.entry(rule).and_modify(|examples| *examples += 1);
            }
        }
        Coverage(found)
    }
}

/// The rules one example exercises.
fn exercised(set: &PolicySet, example: &Example, from: &Standpoint) -> BTreeSet<RuleId> {
    let mut rules = BTreeSet::new();
    for name in example.sees.keys() {
        let cells = ElementId::parse(name).map(|id| from.cells_of(id)).unwrap_or_default();
        // Of what is released, whoever forbade a less protective tier decided too.
        let seen = cells.into_iter().filter(|cell| cell.special.is_none());
        let seen = seen.filter(|cell| cell.tier() != Tier::Withheld);
        rules.extend(seen.flat_map(|cell| cell.rules));
    }
    for (element, special) in withheld(set, example, from) {
        let verdict = set.ruled(from, About { element: &element, special });
        let verdict = verdict.filter(|verdict| verdict.tier == Tier::Withheld);
        rules.extend(verdict.into_iter().flat_map(|verdict| verdict.rules));
    }
    rules
}

/// What an example says is never seen: elements by name, some of each class, and what the
/// purpose lists of each special class.
fn withheld(
    set: &PolicySet,
    example: &Example,
    from: &Standpoint,
) -> Vec<(Element, Option<Class>)> {
    let catalogue = &set.shared.catalogue;
    let named = example.never.iter().filter_map(|word| ElementId::parse(word.get_ref()).ok());
    let mut found: Vec<(Element, Option<Class>)> =
        named.filter_map(|id| Some((catalogue.get(id)?.clone(), None))).collect();
    let classes = example.never_classes.iter();
    for class in classes.filter_map(|word| Class::parse(word.get_ref()).ok()) {
        // Of one class and level a rule that names no element tells none from another.
        let mut levels = BTreeSet::new();
        let of_class = catalogue.iter().filter(|element| element.class == class);
        let some = of_class.filter(|element| levels.insert(element.level));
        found.extend(some.map(|element| (element.clone(), None)));
        if set.shared.special.classes().contains(&class) {
            let listed =
                from.admission().terms().elements.iter().filter_map(|id| catalogue.get(*id));
            found.extend(listed.map(|element| (element.clone(), Some(class))));
        }
    }
    found
}
