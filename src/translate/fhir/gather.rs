//! The resources of a bundle: whose file reads each, and which group each belongs to.

use std::collections::HashMap;

use super::super::error::TranslateError;
use super::super::file::Way;
use super::bundle::BUNDLE;
use super::leaves::Leaves;
use super::place::{find, holds};
use super::plan::{FhirPlan, ResourcePlan};
use crate::vocabulary::{Group, Position};
use crate::wire::Tree;

/// One resource.
pub(super) struct Entry<'t> {
    pub tree: &'t Tree,
    pub pointer: String,
    /// Index of the file that reads it.
    pub file: Option<usize>,
    /// Index of the record's group its values go to.
    pub group: usize,
}

/// Every resource of a document, each known by the references that mean it.
pub(super) fn entries<'t>(
    plan: &FhirPlan,
    tree: &'t Tree,
    leaves: &mut Leaves<'t>,
) -> Vec<Entry<'t>> {
    let mut found = Vec::new();
    if tree.get("resourceType").and_then(Tree::text) != Some(BUNDLE) {
        found.push(entry(plan, tree, String::new()));
    }
    let items = tree.get("entry").map(Tree::items).unwrap_or_default();
    for (index, item) in items.iter().enumerate() {
        let Some(resource) = item.get("resource") else { continue };
        if let Some(url) = item.get("fullUrl").and_then(Tree::text) {
            leaves.know(url.to_owned(), resource);
        }
        found.push(entry(plan, resource, format!("/entry/{index}/resource")));
    }
    for entry in &found {
        let text = |name: &str| entry.tree.get(name).and_then(Tree::text);
        if let (Some(kind), Some(id)) = (text("resourceType"), text("id")) {
            leaves.know(format!("{kind}/{id}"), entry.tree);
        }
    }
    if let Some(id) = tree.get("id").and_then(Tree::text) {
        // A bundle may be referred to from inside it.
        leaves.know(format!("{BUNDLE}/{id}"), tree);
    }
    found
}

fn entry<'t>(plan: &FhirPlan, tree: &'t Tree, pointer: String) -> Entry<'t> {
    let kind = tree.get("resourceType").and_then(Tree::text).unwrap_or_default();
    let files = plan.files.iter().enumerate().filter(|(_, file)| file.resource == kind);
    let scored = files.filter_map(|(index, file)| Some((score(file, tree)?, index)));
    // Of equally good files the first counts.
    let best = scored.max_by_key(|(score, index)| (*score, usize::MAX - index));
    Entry { tree, pointer, file: best.map(|(_, index)| index), group: 0 }
}

/// How well a file fits a resource; `None` if it cannot read it.
fn score(file: &ResourcePlan, tree: &Tree) -> Option<usize> {
    let fixed = file.fixed.iter().filter(|fixed| fixed.list.is_none());
    let held = fixed.clone().filter(|fixed| holds(tree, &fixed.constant)).count();
    if retold(file) {
        return (held == fixed.count()).then_some(held);
    }
    if file.each.is_empty() {
        // Most of these are assigners and the like: only one that says it is such is read.
        let made = matches!(file.resource.as_str(), "Organization" | "Practitioner" | "Location");
        let foreign = held == 0 && !file.fixed.is_empty();
        // Several constants of a role say which: with one of them missing it is another.
        let count = fixed.count();
        if file.resource == "PractitionerRole" && count > 1 && held < count {
            return None;
        }
        // A file whose constants are absent comes after one that asks for none.
        return (!(made && foreign)).then_some(if foreign { 0 } else { held + 1 });
    }
    // A file of elements reads what it could have written, and is the best for that: a
    // resource that says more, such as when it was seen, belongs to a file with its rows.
    let each = file.each.get(element(file, tree)?)?;
    let paths = [&each.row.path].into_iter().chain(each.code.iter().map(|code| &code.path));
    let paths = paths.chain(file.refs.iter().map(|to| &to.path));
    let constants = file.fixed.iter().chain(&file.defaults);
    let paths = paths.chain(constants.map(|constant| &constant.constant.path));
    let names: Vec<_> = paths.filter_map(|path| path.0.first()).map(|step| &step.name).collect();
    let envelope = ["resourceType", "id", "meta", "text"];
    let known = |name: &String| envelope.contains(&name.as_str()) || names.contains(&name);
    let whole = tree.members().iter().all(|(name, _)| known(name));
    (whole && held == fixed.count()).then_some(held + 100)
}

/// Whether a file only tells once more, of an organization, a person or a place, what other
/// resources say: reading takes nothing from it, and opens no group.
pub(super) fn retold(file: &ResourcePlan) -> bool {
    let made = match file.resource.as_str() {
        "Organization" | "Practitioner" | "Location" => file.fixed.is_empty(),
        "PractitionerRole" => !file.fixed.is_empty(),
        _ => false,
    };
    made && file.rows.iter().all(|row| row.meaning.way == Way::Out)
}

/// Which element of a file a resource's code names.
pub(super) fn element(file: &ResourcePlan, tree: &Tree) -> Option<usize> {
    file.each.iter().position(|each| {
        // System and code must agree, what they say need not.
        each.code.iter().take(2).all(|constant| holds(tree, constant))
    })
}

/// Gives every resource its group; groups stand before those inside them.
pub(super) fn group_all(
    plan: &FhirPlan,
    (entries, leaves): (&mut Vec<Entry<'_>>, &Leaves<'_>),
    groups: &mut Vec<Group>,
) -> Result<(), TranslateError> {
    let links = links(plan, entries, leaves);
    let mut order: Vec<usize> = (0..entries.len()).collect();
    let file = |entries: &[Entry<'_>], index: usize| {
        entries.get(index).and_then(|entry| entry.file).and_then(|file| plan.files.get(file))
    };
    order.sort_by_key(|index| file(entries, *index).map_or(0, |file| depth(plan, file)));
    // Which files have a resource in a group already.
    let mut held: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut done: Vec<usize> = Vec::new();
    for index in order {
        let Some(own) = file(entries, index) else { continue };
        if retold(own) {
            continue;
        }
        let number = entries.get(index).and_then(|entry| entry.file).unwrap_or_default();
        let near: Vec<usize> = links
            .get(&index)
            .into_iter()
            .flatten()
            .filter(|other| done.contains(other))
            .filter_map(|other| entries.get(*other).map(|entry| entry.group))
            .collect();
        let named =
            |group: &usize, name| groups.get(*group).is_some_and(|group| group.name == name);
        let joined = near.iter().copied().find(|group| {
            let free = !held.get(group).is_some_and(|files| files.contains(&number));
            named(group, own.group) && free
        });
        let group = match (own.top, joined) {
            (true, _) => 0,
            (false, Some(group)) => group,
            (false, None) => {
                let parent =
                    own.parent.and_then(|name| near.iter().find(|group| named(group, name)));
                let parent = Some(u32::try_from(parent.copied().unwrap_or(0)).unwrap_or(0));
                groups.push(Group { name: own.group, parent, fields: Vec::new() });
                groups.len() - 1
            }
        };
        let files = held.entry(group).or_default();
        let Some(entry) = entries.get_mut(index) else { continue };
        if own.top && own.resource == "Patient" && files.contains(&number) {
            let at = Position::Pointer(entry.pointer.clone());
            return Err(TranslateError::SubjectRepeated(at));
        }
        files.push(number);
        entry.group = group;
        done.push(index);
    }
    Ok(())
}

/// How many files' groups a file's group stands below.
fn depth(plan: &FhirPlan, file: &ResourcePlan) -> usize {
    let mut depth = 0;
    let mut parent = file.parent;
    while let Some(name) = parent.filter(|_| depth < plan.files.len()) {
        depth += 1;
        let outer = plan.files.iter().find(|other| other.group == name);
        parent = outer.and_then(|outer| outer.parent);
    }
    depth
}

/// Which resources refer to each other by a reference their files name, both ways.
fn links(
    plan: &FhirPlan,
    entries: &[Entry<'_>],
    leaves: &Leaves<'_>,
) -> HashMap<usize, Vec<usize>> {
    let numbers: HashMap<*const Tree, usize> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| (std::ptr::from_ref(entry.tree), index))
        .collect();
    let mut found: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let file = entry.file.and_then(|file| plan.files.get(file));
        for to in file.into_iter().flat_map(|file| &file.refs) {
            for place in find(entry.tree, "", &to.path.0) {
                let Some(other) = leaves.resolved(Some(place.tree)) else { continue };
                let Some(other) = numbers.get(&std::ptr::from_ref(other)) else { continue };
                found.entry(index).or_default().push(*other);
                found.entry(*other).or_default().push(index);
            }
        }
    }
    found
}
