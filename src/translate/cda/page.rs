//! A document laid out flat, and the bin each of its leaves ends in.
//!
//! A leaf is an attribute or a text that is more than white space. Positions read as an
//! XPath does: `/ClinicalDocument/component/structuredBody/component[2]/section/@code`.

use std::cell::Cell;

use crate::translate::plan::Bin;
use crate::vocabulary::Position;
use crate::wire::tree::Tree;

/// One element of the document, by its number on the [`Page`].
pub(super) type At = usize;

/// An attribute (`@code`) or the text (`#text`) of an element.
#[derive(Debug)]
pub(super) struct Leaf<'d> {
    pub name: &'d str,
    pub text: &'d str,
    /// Whether white space stood around it.
    padded: bool,
    bin: Cell<Option<Bin>>,
}

#[derive(Debug)]
struct Node<'d> {
    name: &'d str,
    parent: At,
    /// Among the children of that name, from 1; 0 where it is the only one.
    number: usize,
    leaves: Vec<Leaf<'d>>,
    children: Vec<At>,
}

/// The elements of a document, the root first.
#[derive(Debug)]
pub(super) struct Page<'d>(Vec<Node<'d>>);

impl<'d> Page<'d> {
    /// Lays out a document; its depth is bounded by its reader.
    pub fn new(root: &'d str, tree: &'d Tree) -> Self {
        let mut page = Self(Vec::new());
        page.lay((root, 0, 0), tree);
        page
    }

    fn lay(&mut self, (name, parent, number): (&'d str, At, usize), tree: &'d Tree) -> At {
        let at = self.0.len();
        self.0.push(Node { name, parent, number, leaves: Vec::new(), children: Vec::new() });
        for (name, member) in tree.members() {
            if let Some(text) = member.text() {
                let (text, length) = (text.trim(), text.len());
                if let Some(node) = self.0.get_mut(at).filter(|_| !text.is_empty()) {
                    node.leaves.push(Leaf {
                        name,
                        text,
                        padded: text.len() < length,
                        bin: Cell::new(None),
                    });
                }
                continue;
            }
            let items = member.items();
            for (index, item) in items.iter().enumerate() {
                let number = if items.len() > 1 { index + 1 } else { 0 };
                let child = self.lay((name, at, number), item);
                if let Some(node) = self.0.get_mut(at) {
                    node.children.push(child);
                }
            }
        }
        at
    }

    /// The local name of an element.
    pub fn name(&self, at: At) -> &'d str {
        self.0.get(at).map_or("", |node| node.name)
    }

    /// The element an element stands in.
    pub fn parent(&self, at: At) -> Option<At> {
        self.0.get(at).filter(|_| at > 0).map(|node| node.parent)
    }

    /// The children of an element.
    pub fn children(&self, at: At) -> &[At] {
        self.0.get(at).map_or(&[], |node| &node.children)
    }

    /// The children of a name.
    pub fn named(&self, at: At, name: &str) -> impl Iterator<Item = At> {
        self.children(at).iter().copied().filter(move |child| self.name(*child) == name)
    }

    /// The first child of a name.
    pub fn child(&self, at: At, name: &str) -> Option<At> {
        self.named(at, name).next()
    }

    /// Every element at a path of names below an element.
    pub fn below(&self, at: At, path: &[String]) -> Vec<At> {
        let mut found = vec![at];
        for step in path {
            found = found.iter().flat_map(|at| self.named(*at, step)).collect();
        }
        found
    }

    /// The leaves of an element itself.
    pub fn leaves(&self, at: At) -> &[Leaf<'d>] {
        self.0.get(at).map_or(&[], |node| &node.leaves)
    }

    /// What a leaf says: `@code`, `#text`.
    pub fn get(&self, at: At, leaf: &str) -> Option<&'d str> {
        self.leaves(at).iter().find(|known| known.name == leaf).map(|known| known.text)
    }

    /// Whether white space stands around a leaf.
    pub fn padded(&self, at: At, leaf: &str) -> bool {
        self.leaves(at).iter().any(|known| known.name == leaf && known.padded)
    }

    /// Puts a leaf into a bin, if it is there.
    pub fn mark(&self, at: At, leaf: &str, bin: Bin) {
        let leaves = self.leaves(at).iter().filter(|known| known.name == leaf);
        leaves.for_each(|leaf| leaf.bin.set(Some(bin)));
    }

    /// Puts several leaves of an element among the mapped ones.
    pub fn take(&self, at: At, leaves: &[&str]) {
        leaves.iter().for_each(|leaf| self.mark(at, leaf, Bin::Mapped));
    }

    /// What a leaf says, now mapped.
    pub fn took(&self, at: At, leaf: &str) -> Option<&'d str> {
        self.mark(at, leaf, Bin::Mapped);
        self.get(at, leaf)
    }

    /// Puts every leaf of an element and below it that is still free into a bin.
    pub fn mark_below(&self, at: At, bin: Bin) {
        let mut open = vec![at];
        while let Some(at) = open.pop() {
            let free = self.leaves(at).iter().filter(|leaf| leaf.bin.get().is_none());
            free.for_each(|leaf| leaf.bin.set(Some(bin)));
            open.extend(self.children(at));
        }
    }

    /// Whether an element or one below it has a leaf that says something.
    pub fn says(&self, at: At, silent: &dyn Fn(&str, &str) -> bool) -> bool {
        let own = self.leaves(at).iter().any(|leaf| !silent(self.name(at), leaf.name));
        own || self.children(at).iter().any(|child| self.says(*child, silent))
    }

    /// Every leaf with its element and bin, in the order of the document.
    pub fn all(&self) -> impl Iterator<Item = (At, &Leaf<'d>, Option<Bin>)> {
        let nodes = self.0.iter().enumerate();
        nodes.flat_map(|(at, node)| node.leaves.iter().map(move |leaf| (at, leaf, leaf.bin.get())))
    }

    /// Where an element stands, as text.
    pub fn path(&self, at: At) -> String {
        let mut steps = Vec::new();
        let mut next = Some(at);
        while let Some(at) = next {
            let Some(node) = self.0.get(at) else { break };
            steps.push(match node.number {
                0 => node.name.to_owned(),
                number => format!("{}[{number}]", node.name),
            });
            next = (at > 0).then_some(node.parent);
        }
        steps.push(String::new());
        steps.reverse();
        steps.join("/")
    }

    /// Where an element stands.
    pub fn position(&self, at: At) -> Position {
        Position::Pointer(self.path(at))
    }

    /// Where a leaf of an element stands.
    pub fn leaf_position(&self, at: At, leaf: &str) -> Position {
        match leaf {
            "#text" => self.position(at),
            leaf => Position::Pointer(format!("{}/{leaf}", self.path(at))),
        }
    }
}
