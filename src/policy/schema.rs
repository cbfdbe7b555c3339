//! What a Cedar rule may speak of: the schema, and every element and department as an entity.
//!
//! The closed lists stand once, in the TOML files and the catalogue; the schema is
//! made from them, so a rule that names an unknown class, purpose, role or kind is
//! refused by Cedar's own validator.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{
    Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression, Schema,
};

use super::department::Departments;
use super::purpose::{EvidenceKey, Purposes};
use super::relation::Relations;
use super::special::Special;
use crate::vocabulary::{Catalogue, Class, Element, ElementId, Tier};

/// The lists a schema is made from.
#[derive(Clone, Copy)]
pub(super) struct Lists<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) special: &'a Special,
    pub(super) purposes: &'a Purposes,
    pub(super) departments: &'a Departments,
    pub(super) relations: &'a Relations,
}

/// The types of entities, parsed once.
#[derive(Debug, Clone)]
pub(super) struct Types {
    action: EntityTypeName,
    class: EntityTypeName,
    department: EntityTypeName,
    element: EntityTypeName,
    kind: EntityTypeName,
    purpose: EntityTypeName,
    role: EntityTypeName,
}

impl Types {
    pub(super) fn new() -> Result<Self, String> {
        let name = |text| EntityTypeName::from_str(text).map_err(|error| error.to_string());
        Ok(Self {
            action: name("Action")?,
            class: name("Class")?,
            department: name("Department")?,
            element: name("Element")?,
            kind: name("Kind")?,
            purpose: name("Purpose")?,
            role: name("Role")?,
        })
    }

    pub(super) fn action(&self, tier: Tier) -> EntityUid {
        uid(&self.action, tier.as_str())
    }

    pub(super) fn department(&self, name: &str) -> EntityUid {
        uid(&self.department, name)
    }

    pub(super) fn purpose(&self, name: &str) -> EntityUid {
        uid(&self.purpose, name)
    }

    pub(super) fn role(&self, name: &str) -> EntityUid {
        uid(&self.role, name)
    }

    /// An element, or those of its values that a special class holds: `DE05.01.024.00#mental`.
    /// Those that no rule names are alike in all that a rule can speak of when class and level
    /// are, and are one entity: `diagnosis@4#mental`. Cedar's entities are large.
    pub(super) fn element(
        &self,
        (element, special): (&Element, Option<Class>),
        named: &BTreeSet<ElementId>,
    ) -> EntityUid {
        let own = match named.contains(&element.id) {
            true => element.id.to_string(),
            false => format!("{}@{}", element.class, element.level),
        };
        match special {
            Some(class) => uid(&self.element, &format!("{own}#{class}")),
            None => uid(&self.element, &own),
        }
    }
}

fn uid(type_name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(type_name.clone(), EntityId::new(id))
}

/// Every class: those of the catalogue, the special ones, and that of what has none.
pub(super) fn classes(lists: Lists<'_>) -> Vec<Class> {
    let mut classes: Vec<Class> = lists.catalogue.iter().map(|element| element.class).collect();
    classes.extend(lists.special.classes());
    classes.extend(Class::parse("unlabelled"));
    classes.sort_unstable();
    classes.dedup();
    classes
}

/// The schema, in Cedar's own notation.
pub(super) fn schema(lists: Lists<'_>) -> Result<Schema, String> {
    let quoted = |names: Vec<String>| match names.is_empty() {
        // An enumeration without members is not allowed; nobody is called this.
        true => "\"(none)\"".to_owned(),
        false => names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "),
    };
    let kinds = lists.departments.kinds().into_iter().map(str::to_owned).collect();
    let classes = classes(lists).iter().map(ToString::to_string).collect();
    let purposes = lists.purposes.iter().map(|terms| terms.id.to_string()).collect();
    let roles = lists.departments.roles().iter().map(ToString::to_string).collect();
    let tiers = Tier::ALL.into_iter().filter(|tier| *tier != Tier::Withheld);
    let actions = tiers.map(Tier::as_str).collect::<Vec<_>>().join(", ");
    let evidence = EvidenceKey::ALL.map(|key| format!("{}: Bool", key.as_str())).join(", ");
    let relations: Vec<_> =
        lists.relations.iter().map(|row| format!("{:?}: Bool", row.id.as_str())).collect();
    let text = format!(
        "entity Kind enum [{}];\n\
         entity Department in [Kind];\n\
         entity Class enum [{}];\n\
         entity Element in [Class] {{ level: Long }};\n\
         entity Purpose enum [{}];\n\
         entity Role enum [{}];\n\
         action {actions} appliesTo {{ principal: Department, resource: Element, context: {{\n\
           purpose: Purpose, role: Role, evidence: {{ {evidence} }}, relation: {{ {} }} }} }};\n",
        quoted(kinds),
        quoted(classes),
        quoted(purposes),
        quoted(roles),
        relations.join(", "),
    );
    Schema::from_str(&text).map_err(|error| error.to_string())
}

/// Every department under its kind, every element under its class, and every element's
/// special values under both classes.
pub(super) fn entities(
    types: &Types,
    lists: Lists<'_>,
    named: &BTreeSet<ElementId>,
) -> Result<Entities, String> {
    let mut all = Vec::new();
    for row in lists.departments.iter() {
        let parents = HashSet::from([uid(&types.kind, &row.kind)]);
        all.push(Entity::new_no_attrs(types.department(row.name.as_str()), parents));
    }
    let special = lists.special.classes().iter().copied().map(Some);
    let variants: Vec<Option<Class>> = std::iter::once(None).chain(special).collect();
    let mut seen = HashSet::new();
    for element in lists.catalogue.iter() {
        for variant in &variants {
            let entity = types.element((element, *variant), named);
            if !seen.insert(entity.clone()) {
                continue;
            }
            let raised = variant.map_or(0, |class| lists.special.level(class));
            let level = RestrictedExpression::new_long(i64::from(element.level.max(raised)));
            let attributes = HashMap::from([("level".to_owned(), level)]);
            let under = variant.iter().chain([&element.class]);
            let parents = under.map(|class| uid(&types.class, class.as_str())).collect();
            let entity = Entity::new(entity, attributes, parents);
            all.push(entity.map_err(|error| error.to_string())?);
        }
    }
    Entities::from_entities(all, None).map_err(|error| error.to_string())
}
