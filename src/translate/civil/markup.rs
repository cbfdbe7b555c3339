//! XML, the same members as elements; the root is the name of the dataset.
//!
//! ```xml
//! <elder-registry xmlns="urn:kangqiao:civil:1"><elder><name>…</name></elder></elder-registry>
//! ```
//!
//! An item of a list is one more element of that name. A leaf has no attributes; one that
//! stands there all the same is a leaf nobody named.

use serde_json::{Map, Value as Json};

use super::place::Step;
use super::shape::{Shape, spelled};
use crate::wire::tree::Tree;
use crate::wire::xml::Document;

/// The namespace of what is published.
pub const NAMESPACE: &str = "urn:kangqiao:civil:1";
/// What several records stand in.
pub const LIST: &str = "records";

/// A document of the published elements, typed by its dataset.
pub fn read(shapes: &[Shape], document: &Document) -> Json {
    let shape = shapes.iter().find(|shape| shape.dataset.as_str() == document.root);
    let mut read = value(shape, "", &document.tree);
    if !read.is_object() {
        read = Json::Object(Map::new());
    }
    if let Json::Object(members) = &mut read {
        members.insert("dataset".to_owned(), document.root.as_str().into());
    }
    read
}

/// A document of a city's own elements: a list wherever a name stands twice.
pub fn members(document: &Document) -> Json {
    value(None, "", &document.tree)
}

/// Writes a document; members in the order of the dataset's file.
pub fn write(root: &str, document: &Json) -> Document {
    let mut document = document.clone();
    if let Json::Object(members) = &mut document {
        // Removing one would move another to its place.
        members.retain(|name, _| name != "dataset");
    }
    Document {
        root: root.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        tree: element(&document),
    }
}

fn value(shape: Option<&Shape>, pointer: &str, tree: &Tree) -> Json {
    let members = tree.members();
    if let [(name, Tree::Text(text))] = members
        && name == "#text"
    {
        let leaf = shape.and_then(|shape| shape.leaf(pointer));
        return leaf.map_or_else(|| text.as_str().into(), |leaf| leaf.typed(text));
    }
    let mut read = Map::new();
    for (name, member) in members.iter().filter(|(name, _)| name != "@xmlns") {
        let pointer = format!("{pointer}/{}", super::escape_name(name));
        let json = match member {
            Tree::List(items) => list(shape, &pointer, items),
            plain => plain.to_json(),
        };
        read.insert(name.clone(), json);
    }
    if read.is_empty() { Json::Null } else { read.into() }
}

/// A list where the dataset has one, or where a name stands twice.
fn list(shape: Option<&Shape>, pointer: &str, items: &[Tree]) -> Json {
    let listed = shape.is_some_and(|shape| {
        let depth = pointer.split('/').count() - 1;
        shape.leaves.iter().any(|leaf| {
            let place = super::place::Place(leaf.place.0.iter().take(depth).cloned().collect());
            leaf.place.0.get(depth) == Some(&Step::Each) && place.match_pointer(pointer).is_some()
        })
    });
    match items {
        [one] if !listed => value(shape, pointer, one),
        items => {
            let items = items.iter().enumerate();
            items.map(|(index, item)| value(shape, &format!("{pointer}/{index}"), item)).collect()
        }
    }
}

fn element(json: &Json) -> Tree {
    match json {
        Json::Object(members) => {
            let children = members.iter().filter_map(|(name, member)| {
                let items: Vec<_> = match member {
                    Json::Null => return None,
                    Json::Array(items) => items.iter().map(element).collect(),
                    one => vec![element(one)],
                };
                Some((name.clone(), Tree::List(items)))
            });
            Tree::Map(children.collect())
        }
        leaf => Tree::Map(vec![("#text".to_owned(), Tree::Text(spelled(leaf)))]),
    }
}
