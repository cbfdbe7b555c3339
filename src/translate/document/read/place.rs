//! Where a walk stands, and what stands at a path seen from there.

use super::super::path::{Pattern, Test, escape_name};
use crate::vocabulary::Position;
use crate::wire::Tree;

/// One step down.
enum Seg<'d> {
    Member { name: &'d str, known: bool },
    Item { index: usize, alone: bool },
}

/// The names and indices from the root to where a walk stands.
pub(in crate::translate::document) struct Trail<'d> {
    base: String,
    xpath: bool,
    segs: Vec<Seg<'d>>,
}

impl<'d> Trail<'d> {
    /// At the root.
    pub fn new(base: &str, xpath: bool) -> Self {
        Self { base: base.to_owned(), xpath, segs: Vec::new() }
    }

    /// Down to a member; `known` if a table knows its name.
    pub fn member(&mut self, name: &'d str, known: bool) {
        let known = known || name.starts_with('#');
        self.segs.push(Seg::Member { name, known });
    }

    /// Down to an item of a list.
    pub fn item(&mut self, index: usize, length: usize) {
        self.segs.push(Seg::Item { index, alone: length == 1 });
    }

    /// One step up.
    pub fn leave(&mut self) {
        self.segs.pop();
    }

    /// The member it stands at.
    pub fn name(&self) -> Option<&'d str> {
        self.segs.iter().rev().find_map(|seg| match seg {
            Seg::Member { name, .. } => Some(*name),
            Seg::Item { .. } => None,
        })
    }

    /// The index of the item it stands in at the list under the member of that number.
    fn index(&self, depth: usize) -> Option<usize> {
        let mut members = self.segs.iter().enumerate();
        let named = |(_, seg): &(usize, &Seg<'_>)| matches!(seg, Seg::Member { .. });
        let (at, _) = members.by_ref().filter(named).nth(depth)?;
        match self.segs.get(at + 1) {
            Some(Seg::Item { index, .. }) => Some(*index),
            _ => None,
        }
    }

    /// A JSON pointer (RFC 6901), or in XML a path whose items count from 1.
    pub fn position(&self) -> Position {
        self.written(|_| true)
    }

    /// The same with the names no table knows left out: such a name can be a value.
    pub fn shown(&self) -> Position {
        self.written(|known| known)
    }

    fn written(&self, shows: impl Fn(bool) -> bool) -> Position {
        let mut text = self.base.clone();
        for seg in &self.segs {
            match seg {
                Seg::Member { name, known } => {
                    text.push('/');
                    text.push_str(&if shows(*known) { escape_name(name) } else { "?".to_owned() });
                }
                Seg::Item { alone: true, .. } if self.xpath => (),
                Seg::Item { index, .. } if self.xpath => {
                    text.push('[');
                    text.push_str(&(index + 1).to_string());
                    text.push(']');
                }
                Seg::Item { index, .. } => {
                    text.push('/');
                    text.push_str(&index.to_string());
                }
            }
        }
        Position::Pointer(text)
    }
}

/// What stands at a path, in the items a walk stands in.
pub(in crate::translate::document) fn find<'d>(
    document: &'d Tree,
    pattern: &Pattern,
    trail: &Trail<'_>,
) -> Option<&'d Tree> {
    pattern.0.iter().enumerate().try_fold(document, |tree, (depth, step)| {
        let member = tree.get(&step.name)?;
        match (member, step.each) {
            (Tree::List(items), true) => items.get(trail.index(depth)?),
            (_, true) => None,
            (member, false) => member.items().iter().find(|item| holds(item, &step.test)),
        }
    })
}

/// What stands at a path without `*`, seen from the root.
pub(in crate::translate::document) fn at<'d>(
    document: &'d Tree,
    pattern: &Pattern,
) -> Option<&'d Tree> {
    find(document, pattern, &Trail::new("", false))
}

/// Whether all constants of a test stand in an item.
pub(in crate::translate::document) fn holds(item: &Tree, test: &Test) -> bool {
    test.iter().all(|(names, value)| says(item, names, value))
}

fn says(tree: &Tree, names: &[String], value: &str) -> bool {
    match (tree, names.split_first()) {
        (Tree::List(items), _) => items.iter().any(|item| says(item, names, value)),
        (tree, Some((name, rest))) => tree.get(name).is_some_and(|tree| says(tree, rest, value)),
        (Tree::Text(text) | Tree::Number(text), None) => text == value,
        (Tree::Bool(yes), None) => yes.to_string() == value,
        (element, None) => element.get("#text").is_some_and(|text| says(text, names, value)),
    }
}
