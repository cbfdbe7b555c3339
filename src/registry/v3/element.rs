//! Elements of a reply, in as few words as they have.

use super::request::{Dialect, Instance};
use crate::wire::tree::Tree;

/// A member of an element.
pub type Member = (String, Tree);

/// An attribute.
pub fn attribute(name: &str, value: &str) -> Member {
    (format!("@{name}"), Tree::from(value))
}

/// Text of an element.
pub fn content(text: &str) -> Member {
    ("#text".to_owned(), Tree::from(text))
}

/// One child.
pub fn child(name: &str, members: Vec<Member>) -> Member {
    children(name, vec![members])
}

/// Children of one name.
pub fn children(name: &str, each: Vec<Vec<Member>>) -> Member {
    (name.to_owned(), Tree::List(each.into_iter().map(Tree::Map).collect()))
}

/// A child with text in it.
pub fn leaf(name: &str, text: &str) -> Member {
    child(name, vec![content(text)])
}

/// A child with one attribute.
pub fn marked(name: &str, key: &str, value: &str) -> Member {
    child(name, vec![attribute(key, value)])
}

/// An identifier; what it does not have is not written.
pub fn instance(name: &str, instance: &Instance) -> Member {
    child(name, parts(instance))
}

/// An identifier where the hospital platform writes `<item>` inside.
pub fn item(dialect: Dialect, name: &str, instance: &Instance) -> Member {
    match dialect {
        Dialect::Regional => child(name, parts(instance)),
        Dialect::Hospital => child(name, vec![child("item", parts(instance))]),
    }
}

/// A free text, in the way of the dialect.
pub fn said(dialect: Dialect, name: &str, text: &str) -> Member {
    match dialect {
        Dialect::Regional => leaf(name, text),
        Dialect::Hospital => marked(name, "value", text),
    }
}

fn parts(instance: &Instance) -> Vec<Member> {
    let root = instance.root.as_deref().map(|root| attribute("root", root));
    let extension = instance.extension.as_deref().map(|number| attribute("extension", number));
    root.into_iter().chain(extension).collect()
}
