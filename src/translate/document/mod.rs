//! 文档, trees to records and back: JSON, XML and flat files by one engine.
//!
//! A mapping file says where in a document each element stands ([`path`]); what a typed value
//! looks like there is a matter of the dialect's family ([`syntax`]). One file is one kind of
//! document. In JSON the member `dataset` chooses between the files of a dialect, in XML the
//! name of the root element and `only`.
//!
//! What is read is counted leaf by leaf ([`read`]), what is written is the inverse of the
//! two-way rows ([`write`]), in the order in which the file mentions its places.

mod bytes;
mod compile;
mod file;
mod flat;
mod json;
mod law;
mod path;
mod plan;
mod read;
mod syntax;
mod v3;
mod write;

pub(super) use bytes::{read_bytes, write_bytes};
pub(super) use file::DocumentFile;
pub(super) use law::lost;
pub(super) use path::Pattern;
pub(super) use plan::{DocumentPlan, DocumentRow};
pub(super) use read::{Target, read};
pub(super) use syntax::Sent;
pub(super) use write::write;

use super::file::Way;
use super::plan::Read;
use super::{Bins, Pack, TranslateError, Translation};
use crate::vocabulary::{Dataset, Date, ElementId, Group, Position, Record, Source, Value};
use crate::wire::Tree;
use crate::wire::xml::Document;

/// Reads one document, or each of `{"records": […]}`.
pub(super) fn read_json(
    pack: &Pack,
    (dialect, source): (&str, Source),
    tree: &Tree,
    mut fired: Option<&mut Vec<bool>>,
) -> Result<Vec<Translation>, TranslateError> {
    let list = match tree.get("records") {
        Some(Tree::List(items)) => Some(items.as_slice()),
        _ => None,
    };
    let documents = list.unwrap_or(std::slice::from_ref(tree));
    let mut found = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        let base = if list.is_some() { format!("/records/{index}") } else { String::new() };
        let plan = plan_of(pack, dialect, document)
            .ok_or_else(|| TranslateError::Dialect(Position::Pointer(format!("{base}/dataset"))))?;
        found.push(record(pack, (plan, source), (document, &base), fired.as_deref_mut())?);
    }
    Ok(found)
}

/// Reads one XML document: the file whose root it has, and whose `only` holds.
pub(super) fn read_xml(
    pack: &Pack,
    (dialect, source): (&str, Source),
    document: &Document,
    fired: Option<&mut Vec<bool>>,
) -> Result<Translation, TranslateError> {
    let mut plans = pack.documents.iter().filter(|plan| {
        plan.name == dialect && plan.root.as_deref() == Some(document.root.as_str())
    });
    let plan = plans.find(|plan| only(plan, &document.tree));
    let plan = plan.ok_or_else(|| TranslateError::Dialect(Position::Pointer("/".to_owned())))?;
    record(pack, (plan, source), (&document.tree, ""), fired)
}

fn only(plan: &DocumentPlan, tree: &Tree) -> bool {
    let Some((pattern, values)) = &plan.only else { return true };
    let found = read::at(tree, pattern).and_then(Tree::text);
    found.is_some_and(|found| values.iter().any(|value| value == found))
}

/// The file of a document's dataset; the only file of a dialect needs no naming.
fn plan_of<'p>(pack: &'p Pack, dialect: &str, document: &Tree) -> Option<&'p DocumentPlan> {
    let mut files = pack.documents.iter().filter(|plan| plan.name == dialect);
    let first = files.next().filter(|_| matches!(document, Tree::Map(_)))?;
    if files.next().is_none() {
        return Some(first);
    }
    let dataset = document.get("dataset").and_then(Tree::text)?;
    let mut files = pack.documents.iter().filter(|plan| plan.name == dialect);
    files.find(|plan| plan.dataset.as_str() == dataset)
}

/// Whether a document of this dialect says which of the files it is by.
fn named(pack: &Pack, plan: &DocumentPlan) -> bool {
    let same = |other: &&DocumentPlan| other.name == plan.name;
    plan.root.is_none() && pack.documents.iter().filter(same).count() > 1
}

/// One document by one file.
fn record(
    pack: &Pack,
    (plan, source): (&DocumentPlan, Source),
    (document, base): (&Tree, &str),
    fired: Option<&mut Vec<bool>>,
) -> Result<Translation, TranslateError> {
    let top = Group { name: pack.top, parent: None, fields: Vec::new() };
    let mut record = Record {
        dataset: plan.dataset,
        source,
        time: None,
        groups: vec![top],
        carried: Vec::new(),
        wire: None,
        mappings: pack.version.clone(),
    };
    let sent = Sent { source, overlay: pack.overlay(source) };
    let mut known = Vec::new();
    if named(pack, plan) {
        known.extend(document.get("dataset"));
    }
    if let Some(row) = &plan.time
        && let Some(tree) = read::at(document, &row.pattern)
        && let Ok(Value::Date(date)) = plan.body.syntax.read(row, (tree, sent), &mut known)
    {
        record.time = Some(date);
    }
    let mut bins = Bins::default();
    let mut target = Target { record: &mut record, bins: &mut bins, group: 0, fired };
    read((&plan.body, sent), (document, base), known, &mut target)?;
    Ok(Translation { record, merge: None, veiled: None, bins })
}

/// The file that writes a record: that of its dataset.
fn writing<'p>(pack: &'p Pack, dialect: &str, record: &Record) -> Option<&'p DocumentPlan> {
    let mut files = pack.documents.iter().filter(|plan| plan.name == dialect);
    let own = files.find(|plan| plan.dataset == record.dataset);
    let mut files = pack.documents.iter().filter(|plan| plan.name == dialect);
    own.or_else(|| files.find(|plan| plan.writes.contains(&record.dataset)))
}

/// Writes the members a JSON dialect has for a record; the file of the record's dataset
/// decides, else the dialect's first. An unknown dialect has no places.
pub(super) fn write_json(pack: &Pack, dialect: &str, record: &Record) -> Tree {
    let first = || pack.documents.iter().find(|plan| plan.name == dialect);
    let Some(plan) = writing(pack, dialect, record).or_else(first) else {
        return Tree::Map(Vec::new());
    };
    let mut root = write(&plan.body, record, 0);
    if named(pack, plan) {
        let dataset = Tree::from(record.dataset.as_str());
        write::put(&mut root, &plan.body, &Pattern::names(["dataset"]), (&[], dataset));
    }
    envelope(&mut root, plan, record.time.as_ref());
    if root == Tree::Null { Tree::Map(Vec::new()) } else { root }
}

/// Writes a record as a document of an XML dialect; `None` if no file is for its dataset, or
/// there is nothing to say.
pub(super) fn write_xml(pack: &Pack, dialect: &str, record: &Record) -> Option<Document> {
    let first = || pack.documents.iter().find(|plan| plan.name == dialect);
    let plan = writing(pack, dialect, record)
        .or_else(|| first().filter(|plan| !plan.body.syntax.is_closed()))?;
    let mut tree = write(&plan.body, record, 0);
    if tree == Tree::Null {
        return None;
    }
    envelope(&mut tree, plan, record.time.as_ref());
    Some(Document { root: plan.root.clone()?, namespace: plan.namespace.clone(), tree })
}

/// The file that reads or writes a record of a dialect.
pub(super) fn plan_for<'p>(
    pack: &'p Pack,
    dialect: &str,
    record: &Record,
) -> Option<&'p DocumentPlan> {
    writing(pack, dialect, record)
}

/// Whether the file of a dialect that writes records of a dataset has a place for single facts
/// of an element, which is none for identifiers; `None` if there is no such file.
pub(super) fn has_place(
    pack: &Pack,
    (dialect, dataset): (&str, Dataset),
    element: ElementId,
) -> Option<bool> {
    let mut files = pack.documents.iter().filter(|plan| plan.name == dialect);
    let plan = files.find(|plan| plan.dataset == dataset)?;
    let written = |row: &&DocumentRow| row.group.is_none() && row.meaning.way != Way::In;
    let mut rows = plan.body.rows.iter().filter(written);
    let fact = |row: &DocumentRow| !matches!(row.meaning.read, Read::Identifier(_));
    Some(rows.any(|row| row.meaning.element == element && fact(row)))
}

/// What the record says beside its elements, and what tells the file from others.
fn envelope(root: &mut Tree, plan: &DocumentPlan, time: Option<&Date>) {
    if let (Some(row), Some(time)) = (&plan.time, time)
        && let Some(tree) = plan.body.syntax.write(row, &Value::Date(time.clone()))
    {
        write::put(root, &plan.body, &row.pattern, (&[], tree));
    }
    if let Some((pattern, values)) = &plan.only
        && let Some(value) = values.first()
    {
        write::put(root, &plan.body, pattern, (&[], value.as_str().into()));
    }
    write::in_order(root, &plan.body);
}
