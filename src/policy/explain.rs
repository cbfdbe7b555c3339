//! 说明, what would be released, and by which rule: for people, without any person's data.

use std::collections::BTreeMap;

use serde::Serialize;

use super::plan::{Plan, title};
use super::purpose::Bilingual;
use super::scope::{Admission, RuleId};
use crate::vocabulary::{Class, ElementId, Relation, Tier};

/// What happens to one element in one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The element.
    pub element: ElementId,
    /// Its name.
    pub name: Bilingual,
    /// The tier its plain values are released in.
    pub tier: Tier,
    /// By which rules.
    pub rules: Vec<RuleId>,
    /// What is done to them, if they are released.
    pub treatment: Option<&'static str>,
    /// Special classes (`special.toml`) whose values get less, and how little.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub special: BTreeMap<Class, Tier>,
    /// What could be done, if they are withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Bilingual>,
}

impl Admission {
    /// Explains one element, or every element the purpose lists, where these relations tie the
    /// department to the person, and he allows it as far as he is asked. `None` if there is no
    /// such relation.
    #[must_use]
    pub fn explain(
        &self,
        relations: &[Relation],
        element: Option<ElementId>,
    ) -> Option<Vec<Explanation>> {
        let plan = self.plan_with(relations)?;
        let wanted = match element {
            Some(element) => vec![element],
            None => self.terms().elements.clone(),
        };
        Some(wanted.into_iter().flat_map(|id| explain(&plan, id)).collect())
    }
}

fn explain(plan: &Plan, id: ElementId) -> Vec<Explanation> {
    let released = plan.released().find(|(planned, _)| planned.element.id == id);
    if let Some((planned, ruling)) = released {
        let classes = plan.shared.special.classes();
        // The rules may permit a tier that has no treatment for this kind of value.
        let (tier, treatment) = ruling.ladder.first().copied().unzip();
        return vec![Explanation {
            element: id,
            name: title(&planned.element),
            tier: tier.unwrap_or(Tier::Withheld),
            rules: ruling.rules.to_vec(),
            treatment: treatment.map(super::Treatment::as_str),
            special: planned
                .less()
                .filter_map(|(index, tier)| classes.get(index).map(|class| (*class, tier)))
                .collect(),
            remedy: None,
        }];
    }
    let withheld = plan.withheld(Some(&[id])).into_iter();
    withheld
        .map(|withheld| Explanation {
            element: id,
            name: withheld.title,
            tier: Tier::Withheld,
            rules: vec![withheld.rule],
            treatment: None,
            special: BTreeMap::new(),
            remedy: Some(withheld.remedy),
        })
        .collect()
}
