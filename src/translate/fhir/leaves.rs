//! The leaves of a document, and the bin each ends in.

use std::collections::HashMap;

use super::super::plan::Bin;
use super::structure::Structure;
use crate::wire::Tree;

/// One leaf that is not empty.
#[derive(Debug)]
pub(super) struct Leaf<'t> {
    pub pointer: String,
    /// The same with the names FHIR does not know left out.
    pub shown: String,
    pub tree: &'t Tree,
    pub bin: Option<Bin>,
}

/// Every leaf of a document, in order.
#[derive(Debug)]
pub(super) struct Leaves<'t> {
    pub list: Vec<Leaf<'t>>,
    /// A leaf's address is its name: the same tree is walked by many paths.
    numbers: HashMap<*const Tree, usize>,
    /// Whether leaves taken already may be read once more, as of a shared resource.
    again: bool,
    /// Every resource by the references that mean it.
    resources: HashMap<String, &'t Tree>,
    /// The resources a value was made of.
    pub parties: Vec<&'t Tree>,
}

impl<'t> Leaves<'t> {
    /// The leaves of a document.
    pub fn of(structure: &Structure, tree: &'t Tree) -> Self {
        let mut found = Self {
            list: Vec::new(),
            numbers: HashMap::new(),
            again: false,
            resources: HashMap::new(),
            parties: Vec::new(),
        };
        let owner = tree.get("resourceType").and_then(Tree::text).unwrap_or_default();
        let place = Place { pointer: String::new(), shown: String::new(), of: owner.to_owned() };
        found.walk(structure, tree, place);
        found
    }

    fn walk(&mut self, structure: &Structure, tree: &'t Tree, place: Place) {
        match tree {
            Tree::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.walk(structure, item, place.item(index));
                }
            }
            Tree::Map(members) => {
                for (name, member) in members {
                    self.walk(structure, member, place.member(structure, (name, member)));
                }
                // Written again wherever a required value is missing.
                if tree.get("url").and_then(Tree::text) == Some(super::sound::ABSENT) {
                    self.take_all(tree, Bin::Dropped);
                }
            }
            leaf if leaf.is_empty() => (),
            leaf => {
                self.numbers.insert(std::ptr::from_ref(leaf), self.list.len());
                let Place { pointer, shown, .. } = place;
                self.list.push(Leaf { pointer, shown, tree: leaf, bin: None });
            }
        }
    }

    /// Makes a resource known by a reference to it; the first of a name counts.
    pub fn know(&mut self, reference: String, resource: &'t Tree) {
        self.resources.entry(reference).or_insert(resource);
    }

    /// The resource a reference means, if it is in the document.
    pub fn resolved(&self, reference: Option<&Tree>) -> Option<&'t Tree> {
        let text = reference?.get("reference")?.text()?;
        // A reference may name the version: `Patient/1/_history/2`.
        let text = text.split_once("/_history/").map_or(text, |(bare, _)| bare);
        self.resources.get(text).copied()
    }

    /// Notes a resource a value was made of.
    pub fn party(&mut self, resource: &'t Tree) {
        if let Some(leaf) = resource.get("resourceType") {
            self.take(leaf, Bin::Mapped);
        }
        self.parties.push(resource);
    }

    /// Reads what others may have read before.
    pub fn once_more<R>(&mut self, read: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.again, true);
        let found = read(self);
        self.again = before;
        found
    }

    fn leaf(&mut self, tree: &Tree) -> Option<&mut Leaf<'t>> {
        let number = self.numbers.get(&std::ptr::from_ref(tree))?;
        self.list.get_mut(*number)
    }

    /// Puts a leaf into a bin, if it is free.
    pub fn take(&mut self, tree: &Tree, bin: Bin) {
        if let Some(leaf) = self.leaf(tree) {
            leaf.bin.get_or_insert(bin);
        }
    }

    /// Puts every free leaf below a place into a bin.
    pub fn take_all(&mut self, tree: &Tree, bin: Bin) {
        match tree {
            Tree::List(items) => items.iter().for_each(|item| self.take_all(item, bin)),
            Tree::Map(members) => members.iter().for_each(|(_, item)| self.take_all(item, bin)),
            leaf => self.take(leaf, bin),
        }
    }

    /// Whether a leaf may still be read.
    pub fn free(&mut self, tree: &Tree) -> bool {
        let again = self.again;
        self.leaf(tree).is_some_and(|leaf| again || leaf.bin.is_none())
    }

    /// The text of a leaf, taken; `None` if it is no text or not free.
    pub fn text(&mut self, tree: &Tree) -> Option<String> {
        let text = match tree {
            Tree::Text(text) | Tree::Number(text) if !text.is_empty() => text.clone(),
            Tree::Bool(yes) => yes.to_string(),
            _ => return None,
        };
        if !self.free(tree) {
            return None;
        }
        self.take(tree, Bin::Mapped);
        Some(text)
    }

    /// The text of a member, taken.
    pub fn member(&mut self, tree: &Tree, name: &str) -> Option<String> {
        self.text(tree.get(name)?)
    }

    /// The texts of a list, taken.
    pub fn texts(&mut self, tree: &Tree, name: &str) -> Vec<String> {
        let items = tree.get(name).map(Tree::items).unwrap_or_default();
        items.iter().filter_map(|item| self.text(item)).collect()
    }
}

/// Where a walk stands.
struct Place {
    pointer: String,
    shown: String,
    /// The type of what stands here; empty is unknown.
    of: String,
}

impl Place {
    fn item(&self, index: usize) -> Self {
        let pointer = format!("{}/{index}", self.pointer);
        Self { pointer, shown: format!("{}/{index}", self.shown), of: self.of.clone() }
    }

    fn member(&self, structure: &Structure, (name, value): (&str, &Tree)) -> Self {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        let known = structure.member(&self.of, name);
        let kind = (name == "resourceType" && structure.has(&self.of)).then(String::new);
        let of = known.map(|member| member.of).or(kind);
        let shown = if of.is_some() { escaped.as_str() } else { "?" };
        let shown = format!("{}/{shown}", self.shown);
        // Inside `resource` the type is what it says of itself.
        let own = value.get("resourceType").and_then(Tree::text).filter(|own| structure.has(own));
        let of = own.map(str::to_owned).or(of).unwrap_or_default();
        Self { pointer: format!("{}/{escaped}", self.pointer), shown, of }
    }
}
