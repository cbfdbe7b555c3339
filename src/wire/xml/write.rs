//! A tree as XML: UTF-8, members in order, white space only where none means anything.

use super::{Document, Tree, XSI};

/// Writes a document.
///
/// A scalar or map under a child's name is one element, a list one for each item. What XML has
/// no character for is written as U+FFFD. Names are those of mapping files or of a document
/// that was read, so they are names.
#[must_use]
pub fn write(document: &Document) -> Vec<u8> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut head = String::new();
    if let Some(namespace) = &document.namespace {
        attribute(&mut head, "xmlns", namespace);
    }
    if instances(&document.tree) {
        attribute(&mut head, "xmlns:xsi", XSI);
    }
    element(&mut out, (&document.root, &head), &document.tree, 0);
    out.push('\n');
    out.into_bytes()
}

/// Whether an attribute of XML Schema instances stands anywhere in it.
fn instances(tree: &Tree) -> bool {
    match tree {
        Tree::List(items) => items.iter().any(instances),
        Tree::Map(members) => {
            members.iter().any(|(name, value)| name.starts_with("@xsi:") || instances(value))
        }
        _ => false,
    }
}

/// One element; `depth` is that of its parent.
fn element(out: &mut String, (name, head): (&str, &str), tree: &Tree, depth: usize) {
    out.push('<');
    out.push_str(name);
    out.push_str(head);
    let one = [("#text".to_owned(), Tree::Null)];
    let members = match tree {
        Tree::Map(members) => members.as_slice(),
        _ => &one,
    };
    for (name, value) in members {
        if let Some(name) = name.strip_prefix('@') {
            attribute(out, name, &scalar(value));
        }
    }
    let text = match tree {
        Tree::Map(_) => tree.get("#text").map(scalar).unwrap_or_default(),
        other => scalar(other),
    };
    let mut empty = text.is_empty();
    let begun = out.len();
    if !empty {
        out.push('>');
        content(out, &text);
    }
    for (name, value) in members.iter().filter(|(name, _)| !name.starts_with(['@', '#'])) {
        let items = match value {
            Tree::List(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for item in items {
            if out.len() == begun {
                out.push('>');
            }
            empty = false;
            if text.is_empty() {
                line(out, depth + 1);
            }
            element(out, (name, ""), item, depth + 1);
        }
    }
    if empty {
        out.push_str("/>");
        return;
    }
    if text.is_empty() {
        line(out, depth);
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str("  ");
    }
}

fn scalar(tree: &Tree) -> String {
    match tree {
        Tree::Bool(yes) => yes.to_string(),
        Tree::Number(text) | Tree::Text(text) => text.clone(),
        Tree::List(_) | Tree::Map(_) | Tree::Null => String::new(),
    }
}

fn attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    // A reader makes one space of each of these (XML 1.0 section 3.3.3).
    value.chars().for_each(|sign| push(out, sign, matches!(sign, '\t' | '\n' | '\r')));
    out.push('"');
}

/// Text whose outer white space comes back.
fn content(out: &mut String, text: &str) {
    let inner = text.trim_matches(super::read::is_space);
    let start = text.len() - text.trim_start_matches(super::read::is_space).len();
    let end = start + inner.len();
    for (at, sign) in text.char_indices() {
        let outer = (at < start || at >= end) && super::read::is_space(sign);
        push(out, sign, outer || sign == '\r');
    }
}

fn push(out: &mut String, sign: char, by_number: bool) {
    match sign {
        _ if by_number => {
            out.push_str("&#");
            out.push_str(&u32::from(sign).to_string());
            out.push(';');
        }
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        '"' => out.push_str("&quot;"),
        sign if super::read::is_character(sign) => out.push(sign),
        _ => out.push('\u{fffd}'),
    }
}
