//! From a record to a document: the inverse of reading, on two-way rows.

mod put;

use super::plan::{Body, Constant, DocumentRow};
use crate::translate::file::Way;
use crate::translate::plan::Read;
use crate::vocabulary::value::Quantity;
use crate::vocabulary::{Field, Group, Record, Value};
use crate::wire::Tree;

pub(super) use put::put;
use put::{arrange, there};

/// Writes what a body has places for: one group of a record, and those inside it.
/// [`Tree::Null`] if there is nothing to say.
pub(in crate::translate) fn write(body: &Body, record: &Record, top: usize) -> Tree {
    let mut root = Tree::Null;
    let items = items(body, record, top);
    let mut said = Vec::with_capacity(items.len());
    for (group, item) in record.groups.iter().zip(&items) {
        let Some((own, indices)) = item else { continue };
        let rows = body.rows.iter().filter(|row| row.group == *own && row.meaning.way != Way::In);
        let mut written = false;
        for row in rows {
            written |= write_row(&mut root, (body, row), (group, indices));
        }
        if written || own.is_none() {
            said.push((*own, indices));
        }
    }
    if root == Tree::Null {
        return root;
    }
    for (own, indices) in said {
        let own = |constant: &&Constant| constant.group == own;
        for constant in body.defaults.iter().chain(&body.fixed).filter(own) {
            let wanted = |with| there(&root, with, indices);
            if constant.with.as_ref().is_none_or(wanted) {
                put(&mut root, body, &constant.pattern, (indices, constant.is.as_str().into()));
            }
        }
    }
    in_order(&mut root, body);
    root
}

/// Puts the members of an XML document into the order of its file.
pub(super) fn in_order(root: &mut Tree, body: &Body) {
    if body.syntax.is_xml() {
        arrange(root, &body.order);
    }
}

/// For each group of a record: the body's group, and its index in each list on the way.
type Item = Option<(Option<usize>, Vec<usize>)>;

/// Groups the body has no place for get none; the others are counted item by item.
fn items(body: &Body, record: &Record, top: usize) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::with_capacity(record.groups.len());
    let mut counts: Vec<((usize, Vec<usize>), usize)> = Vec::new();
    for (index, group) in record.groups.iter().enumerate() {
        if index == top {
            items.push(Some((None, Vec::new())));
            continue;
        }
        let found = body.groups.iter().position(|known| known.name == group.name);
        let Some(own) = found.filter(|_| index > top) else {
            items.push(None);
            continue;
        };
        let outer = body.groups.get(own).and_then(|own| own.parent);
        let Some(mut indices) = around(record, &items, (group, outer)) else {
            items.push(None);
            continue;
        };
        let key = (own, indices.clone());
        let number = match counts.iter_mut().find(|(known, _)| *known == key) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                counts.push((key, 0));
                0
            }
        };
        indices.push(number);
        items.push(Some((Some(own), indices)));
    }
    items
}

/// The indices of the nearest group around that is an item of `outer`.
fn around(
    record: &Record,
    items: &[Item],
    (group, outer): (&Group, Option<usize>),
) -> Option<Vec<usize>> {
    let mut parent = group.parent;
    // Parents stand before their children, so this ends.
    while let Some(index) = parent.and_then(|parent| usize::try_from(parent).ok()) {
        match items.get(index) {
            Some(Some((own, indices))) if *own == outer => return Some(indices.clone()),
            _ => parent = record.groups.get(index).and_then(|group| group.parent),
        }
    }
    None
}

/// Whether anything was written.
fn write_row(
    root: &mut Tree,
    (body, row): (&Body, &DocumentRow),
    (group, indices): (&Group, &[usize]),
) -> bool {
    let values = group.fields.iter().filter_map(|field| {
        let tree = body.syntax.write(row, own(row, field)?)?;
        Some((field, tree))
    });
    let limit = if row.pattern.repeats() { usize::MAX } else { 1 };
    let mut written = false;
    for (field, tree) in values.take(limit) {
        written = true;
        put(root, body, &row.pattern, (indices, tree));
        if let Some((pattern, wanted)) = &row.when
            && let Some(wanted) = wanted.first().filter(|wanted| !wanted.is_empty())
        {
            put(root, body, pattern, (indices, wanted.as_str().into()));
        }
        if let (Some(pattern), Value::Quantity(Quantity { unit: Some(unit), .. })) =
            (&row.unit, &field.value)
        {
            put(root, body, pattern, (indices, unit.as_str().into()));
        }
    }
    written
}

/// A field's value, if the field is of the row's element.
fn own<'f>(row: &DocumentRow, field: &'f Field) -> Option<&'f Value> {
    let element = match &row.meaning.read {
        Read::Observation(by_type) => by_type.holding(&field.value)?.0,
        _ => row.meaning.element,
    };
    (field.element == element).then_some(&field.value)
}
