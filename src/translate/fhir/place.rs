//! Putting values where paths say, and finding what stands there.

use std::collections::HashMap;

use super::path::{Constant, Path, Step};
use crate::wire::Tree;

/// A resource being written.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub tree: Tree,
    /// The place of each group's item in its list, by the path to the list and the group.
    items: HashMap<(usize, usize), usize>,
}

/// What a `*` on the way stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    /// A new item.
    New,
    /// The item of a record's group, by the number of its path in the plan.
    Of { list: usize, group: usize },
}

impl Draft {
    /// Puts a value where a path says; what stands there already stays. Says whether it
    /// could be put there.
    pub fn put(&mut self, path: &Path, items: &[Item], value: Tree) -> bool {
        let mut items = items.iter().copied();
        put(&mut self.tree, &path.0, (&mut items, &mut self.items), value)
    }

    /// Whether anything stands at a path.
    pub fn filled(&self, path: &Path) -> bool {
        find(&self.tree, "", &path.0).iter().any(|found| !found.tree.is_empty())
    }

    /// Whether a group has an item in a list.
    pub fn knows(&self, list: usize, group: usize) -> bool {
        self.items.contains_key(&(list, group))
    }

    /// Puts constants into the item a value was put in last, where the item has no such member.
    pub fn beside(&mut self, path: &Path, items: &[Item], constants: &[&Constant]) {
        if constants.is_empty() {
            return;
        }
        let steps = path.to_item();
        let mut numbers = items.iter().copied();
        let mut slot = &mut self.tree;
        for step in steps {
            let Tree::Map(members) = slot else { return };
            let Some((_, member)) = members.iter_mut().find(|(name, _)| *name == step.name) else {
                return;
            };
            if !step.many {
                slot = member;
                continue;
            }
            let Tree::List(list) = member else { return };
            let index = match step.each.then(|| numbers.next().unwrap_or(Item::New)) {
                None => list.iter().position(|item| held(item, step)),
                Some(Item::New) => list.len().checked_sub(1),
                Some(Item::Of { list, group }) => self.items.get(&(list, group)).copied(),
            };
            let Some(item) = index.and_then(|index| list.get_mut(index)) else { return };
            slot = item;
        }
        // Of a coding that stands there nothing is added to.
        let absent = |constant: &&&Constant| match constant.path.0.as_slice() {
            [.., holder, _] if holder.name == "coding" => {
                let around = constant.path.0.split_last().map(|(_, around)| around);
                find(slot, "", around.unwrap_or_default()).is_empty()
            }
            steps => find(slot, "", steps).is_empty(),
        };
        let absent: Vec<_> = constants.iter().filter(absent).collect();
        for constant in absent {
            let (mut items, mut known) = (std::iter::empty(), HashMap::new());
            put(slot, &constant.path.0, (&mut items, &mut known), constant.is.clone());
        }
    }

    /// Gives the items a row wrote the members that stand beside their list; the place for
    /// one value alone is left empty.
    pub fn spread(&mut self, path: &Path, members: &[String]) {
        let (Some(list), Some(value)) = (path.0.first(), path.0.last()) else { return };
        if !self.filled(path) {
            return;
        }
        let Tree::Map(own) = &mut self.tree else { return };
        own.retain(|(name, _)| *name != value.name);
        let copies = own.iter().filter(|(name, _)| members.contains(name));
        let copies: Vec<_> = copies.cloned().collect();
        let found = own.iter_mut().find(|(name, _)| *name == list.name);
        if let Some((_, Tree::List(items))) = found {
            for item in items {
                join(item, Tree::Map(copies.clone()));
            }
        }
    }

    /// Puts a constant.
    pub fn set(&mut self, constant: &Constant, items: &[Item]) -> bool {
        self.put(&constant.path, items, constant.is.clone())
    }
}

type Items<'a> = (&'a mut dyn Iterator<Item = Item>, &'a mut HashMap<(usize, usize), usize>);

fn put(slot: &mut Tree, steps: &[Step], items: Items<'_>, value: Tree) -> bool {
    let Some((step, rest)) = steps.split_first() else { return join(slot, value) };
    if matches!(slot, Tree::Null) {
        *slot = Tree::Map(Vec::new());
    }
    let Tree::Map(members) = slot else { return false };
    if let Some(choice) = &step.choice {
        let other = |name: &str| {
            name != step.name
                && name
                    .strip_prefix(choice.as_str())
                    .is_some_and(|rest| rest.starts_with(|sign: char| sign.is_ascii_uppercase()))
        };
        if members.iter().any(|(name, _)| other(name)) {
            return false;
        }
    }
    let index = match members.iter().position(|(name, _)| *name == step.name) {
        Some(index) => index,
        None => {
            members.push((step.name.clone(), Tree::Null));
            members.len() - 1
        }
    };
    let Some((_, member)) = members.get_mut(index) else { return false };
    if !step.many {
        return put(member, rest, items, value);
    }
    if matches!(member, Tree::Null) {
        *member = Tree::List(Vec::new());
    }
    let Tree::List(list) = member else { return false };
    let (numbers, known) = items;
    let (index, found) = choose(list, step, (numbers, known));
    if list.len() == index {
        list.push(Tree::Null);
    }
    let Some(slot) = list.get_mut(index) else { return false };
    if !found {
        set_all(slot, &step.only);
    }
    put(slot, rest, (numbers, known), value)
}

/// The index of the item a step means, and whether it is there already.
fn choose(list: &[Tree], step: &Step, (numbers, known): Items<'_>) -> (usize, bool) {
    let new = list.len();
    if step.each {
        return match numbers.next().unwrap_or(Item::New) {
            Item::New => (new, false),
            Item::Of { list, group } => {
                let found = known.get(&(list, group)).copied();
                (*known.entry((list, group)).or_insert(new), found.is_some())
            }
        };
    }
    let found = list.iter().position(|item| held(item, step));
    (found.unwrap_or(new), found.is_some())
}

/// Whether an item is one a step means.
fn held(item: &Tree, step: &Step) -> bool {
    step.only.iter().all(|only| holds(item, only))
}

fn set_all(slot: &mut Tree, only: &[Constant]) {
    for constant in only {
        let (mut items, mut known) = (std::iter::empty(), HashMap::new());
        put(slot, &constant.path.0, (&mut items, &mut known), constant.is.clone());
    }
}

/// Puts what is not there yet; an object takes the members it lacks.
fn join(slot: &mut Tree, value: Tree) -> bool {
    match (slot, value) {
        (slot @ Tree::Null, value) => {
            *slot = value;
            true
        }
        (Tree::Map(members), Tree::Map(more)) => {
            for (name, value) in more {
                if members.iter().all(|(known, _)| *known != name) {
                    members.push((name, value));
                }
            }
            true
        }
        _ => false,
    }
}

/// What stands at a path, with its JSON pointer and the index of each `*` on the way.
#[derive(Debug, Clone)]
pub(super) struct Found<'t> {
    pub tree: &'t Tree,
    pub pointer: String,
    pub items: Vec<usize>,
}

/// Everything that stands at a path.
pub(super) fn find<'t>(tree: &'t Tree, pointer: &str, steps: &[Step]) -> Vec<Found<'t>> {
    let start = Found { tree, pointer: pointer.to_owned(), items: Vec::new() };
    steps
        .iter()
        .fold(vec![start], |found, step| found.iter().flat_map(|found| next(found, step)).collect())
}

fn next<'t>(found: &Found<'t>, step: &Step) -> Vec<Found<'t>> {
    let Some(member) = found.tree.get(&step.name) else { return Vec::new() };
    let pointer = format!("{}/{}", found.pointer, step.name);
    let Tree::List(list) = member else {
        let holds = step.only.iter().all(|only| holds(member, only));
        let alone = Found { tree: member, pointer, items: found.items.clone() };
        return if holds && !step.many { vec![alone] } else { Vec::new() };
    };
    let items = list.iter().enumerate();
    let items = items.filter(|(_, item)| step.only.iter().all(|only| holds(item, only)));
    let limit = if step.each { usize::MAX } else { 1 };
    let found = items.take(limit).map(|(index, tree)| {
        let mut items = found.items.clone();
        items.extend(step.each.then_some(index));
        Found { tree, pointer: format!("{pointer}/{index}"), items }
    });
    found.collect()
}

/// Whether a constant stands in a tree, in any item of the lists on the way.
pub(super) fn holds(tree: &Tree, constant: &Constant) -> bool {
    constant_at(tree, constant).is_some()
}

/// The leaf at which a constant holds.
pub(super) fn constant_at<'t>(tree: &'t Tree, constant: &Constant) -> Option<&'t Tree> {
    fn any<'t>(tree: &'t Tree, steps: &[Step], is: &Tree) -> Option<&'t Tree> {
        if let Tree::List(items) = tree {
            return items.iter().find_map(|item| any(item, steps, is));
        }
        match steps.split_first() {
            None => (tree == is).then_some(tree),
            Some((step, rest)) => any(tree.get(&step.name)?, rest, is),
        }
    }
    any(tree, &constant.path.0, &constant.is)
}
