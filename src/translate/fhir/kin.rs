//! Which groups of a record stand around, inside and beside a group.

use super::plan::Only;
use crate::vocabulary::{ElementId, Field, GroupName, Record, Value};

/// The groups of a record by the way they stand in each other.
#[derive(Clone, Copy)]
pub(super) struct Kin<'p>(pub &'p Record);

impl<'p> Kin<'p> {
    /// Whether a group has and lacks what it must.
    pub fn holds(self, group: usize, only: &Only) -> bool {
        let values = |of: bool| if of { only.one_of.as_slice() } else { &[] };
        let has = |element| self.has(group, element, values(true));
        let lacks = |element| !self.has(group, element, values(only.has.is_none()));
        only.has.is_none_or(has) && only.lacks.is_none_or(lacks)
    }

    /// Whether a group, or one around or inside it, has an element with one of these values.
    pub fn has(self, group: usize, element: ElementId, one_of: &[String]) -> bool {
        let fits = |field: &&Field| {
            field.element == element && (one_of.is_empty() || is_one_of(&field.value, one_of))
        };
        let here = |index: usize| {
            let group = self.0.groups.get(index);
            group.is_some_and(|group| group.fields.iter().any(|field| fits(&field)))
        };
        self.around(group).any(here)
            || (0..self.0.groups.len()).any(|inner| self.within(inner, group) && here(inner))
    }

    /// A group and those it stands in, innermost first.
    pub fn around(self, group: usize) -> impl Iterator<Item = usize> + 'p {
        std::iter::successors(Some(group), move |index| {
            let parent = self.0.groups.get(*index)?.parent?;
            // Parents stand before their children, so this ends.
            usize::try_from(parent).ok().filter(|parent| parent < index)
        })
    }

    pub fn name(self, group: usize) -> Option<GroupName> {
        self.0.groups.get(group).map(|group| group.name)
    }

    /// Whether a group stands inside another, at any depth.
    pub fn within(self, inner: usize, outer: usize) -> bool {
        inner != outer && (outer == 0 || self.around(inner).any(|around| around == outer))
    }

    /// The groups of a name inside a group.
    pub fn inside(self, group: usize, name: GroupName) -> Vec<usize> {
        let all = 0..self.0.groups.len();
        all.filter(|inner| self.name(*inner) == Some(name))
            .filter(|inner| self.within(*inner, group) || *inner == group)
            .collect()
    }

    /// The groups of a name right inside a group.
    pub fn children(self, outer: usize, name: GroupName) -> Vec<usize> {
        let named = self.inside(outer, name).into_iter();
        named.filter(|inner| self.around(*inner).nth(1) == Some(outer)).collect()
    }

    /// The groups of a name that are a group's own: of the top group all, else those inside
    /// it with none between that is a resource, such as one of `resources`.
    pub fn own(self, group: usize, name: GroupName, resources: &[GroupName]) -> Vec<usize> {
        let inside = self.inside(group, name).into_iter();
        let is_resource =
            |between: usize| self.name(between).is_some_and(|name| resources.contains(&name));
        let own = |inner: &usize| {
            let mut between = self.around(*inner).skip(1).take_while(|outer| *outer != group);
            group == 0 || *inner == group || !between.any(is_resource)
        };
        inside.filter(own).collect()
    }

    /// The nearest groups of a name: itself or around, else its own children, else those of
    /// the groups around it, else anywhere but inside a sibling: a result's comment is never
    /// the order's, nor one order's timing another's.
    pub fn related(self, group: usize, name: GroupName) -> Vec<usize> {
        if let Some(found) = self.around(group).find(|index| self.name(*index) == Some(name)) {
            return vec![found];
        }
        let mut near = self.around(group).map(|outer| self.children(outer, name));
        let near = near.find(|found| !found.is_empty());
        near.unwrap_or_else(|| {
            let all = self.inside(0, name).into_iter();
            all.filter(|found| !self.of_sibling(group, *found)).collect()
        })
    }

    /// Whether a group stands inside another repeat of a group or of one around it.
    pub fn of_sibling(self, group: usize, other: usize) -> bool {
        let mut own = self.around(group).filter(|index| *index != 0);
        own.any(|index| {
            let mut outer = self.around(other);
            outer.any(|outer| outer != index && self.name(outer) == self.name(index))
        })
    }
}

fn is_one_of(value: &Value, one_of: &[String]) -> bool {
    let is = |text: &str| one_of.iter().any(|one| one == text);
    match value {
        Value::Boolean(yes) => is(if *yes { "true" } else { "false" }),
        Value::Code(coding) => {
            let original = coding.original.as_ref().map(|original| original.code.as_str());
            coding.code.as_deref().is_some_and(is) || original.is_some_and(is)
        }
        Value::Text(text) => is(text),
        _ => false,
    }
}
