//! A document being written: elements that are put in the order of the schema at the end.

use std::collections::HashMap;

use crate::wire::tree::Tree;

/// One element.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub name: String,
    attributes: Vec<(String, String)>,
    pub text: Option<String>,
    pub children: Vec<Self>,
}

impl Sheet {
    /// An empty element.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The same with an attribute, if there is something to say.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// The same with a child.
    pub fn holding(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// The same with a text.
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Sets an attribute; nothing is no attribute.
    pub fn set(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        self.attributes.retain(|(known, _)| known != name);
        self.attributes.push((name.to_owned(), value.to_owned()));
    }

    /// Takes an attribute out.
    pub fn unset(&mut self, name: &str) -> Option<String> {
        let at = self.attributes.iter().position(|(known, _)| known == name)?;
        Some(self.attributes.remove(at).1)
    }

    /// Whether nothing stands here yet.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.text.is_none() && self.children.is_empty()
    }

    /// Whether there is a child of a name.
    pub fn has(&self, name: &str) -> bool {
        self.children.iter().any(|child| child.name == name)
    }

    /// Does something with the element at a path: the last one there is where it is still
    /// empty or goes on, else a new one.
    pub fn at(&mut self, path: &[String], fill: &mut dyn FnMut(&mut Self)) {
        let Some((step, rest)) = path.split_first() else { return fill(self) };
        let open =
            |child: &&mut Self| child.name == *step && (!rest.is_empty() || child.is_empty());
        if let Some(child) = self.children.iter_mut().rev().find(open) {
            return child.at(rest, fill);
        }
        let mut child = Self::new(step);
        child.at(rest, fill);
        self.children.push(child);
    }

    /// Like [`Sheet::at`], where the same element is meant whatever stands there already.
    pub fn same(&mut self, path: &[String], fill: &mut dyn FnMut(&mut Self)) {
        let Some((step, rest)) = path.split_first() else { return fill(self) };
        if let Some(child) = self.children.iter_mut().rev().find(|child| child.name == *step) {
            return child.same(rest, fill);
        }
        let mut child = Self::new(step);
        child.same(rest, fill);
        self.children.push(child);
    }

    /// The element as a tree, children in the order of the schema.
    pub fn tree(mut self, order: &HashMap<String, Vec<String>>) -> Tree {
        let mut members: Vec<_> = self
            .attributes
            .into_iter()
            .map(|(name, value)| (format!("@{name}"), Tree::Text(value)))
            .collect();
        members.extend(self.text.map(|text| ("#text".to_owned(), Tree::Text(text))));
        let known = order.get(&self.name).map_or(&[][..], Vec::as_slice);
        let rank = |name: &str| known.iter().position(|known| known == name).unwrap_or(known.len());
        self.children.sort_by_key(|child| rank(&child.name));
        for child in self.children {
            let name = child.name.clone();
            let tree = child.tree(order);
            match members.iter_mut().find(|(known, _)| *known == name) {
                Some((_, Tree::List(items))) => items.push(tree),
                _ => members.push((name, Tree::List(vec![tree]))),
            }
        }
        Tree::Map(members)
    }
}
