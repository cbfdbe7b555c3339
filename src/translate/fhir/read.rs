//! From a bundle or a resource to one record, by the rows that write it.

use std::collections::HashMap;

use super::super::error::TranslateError;
use super::super::file::Way;
use super::super::plan::{Bin, Codes, Read};
use super::super::reading::with_authority;
use super::super::{Bins, FIRST_UNMAPPED_MAX, Pack, Translation};
use super::bundle::{BUNDLE, DATASET, EVENT_TIME};
use super::form::{Forms, date_of};
use super::gather::{Entry, element, entries, group_all, retold};
use super::leaves::Leaves;
use super::link;
use super::path::Path;
use super::place::{Found, constant_at, find};
use super::plan::{EachElement, FhirRow, Ref, ResourcePlan};
use crate::vocabulary::record::Carried;
use crate::vocabulary::{
    Dataset, Field, Group, GroupName, IdentifierKind, Position, Record, Source, Value,
};
use crate::wire::Tree;

/// The dataset of a bundle where neither it nor `bundle.toml` names one.
const DATASET_UNNAMED: Dataset = Dataset::fixed("fhir-bundle");

/// Reads a whole document. `fired` gathers the rows that took a value.
pub(super) fn read(
    pack: &Pack,
    source: Source,
    tree: &Tree,
    fired: Option<&mut Vec<bool>>,
) -> Result<Translation, TranslateError> {
    let plan = &pack.fhir;
    let kind = tree.get("resourceType").and_then(Tree::text).unwrap_or_default();
    if !plan.structure.has(kind) {
        return Err(TranslateError::Dialect(Position::Pointer("/resourceType".to_owned())));
    }
    let mut leaves = Leaves::of(&plan.structure, tree);
    let mut entries = entries(plan, tree, &mut leaves);
    let forms = Forms { pack, plan };
    let said = link::linked(forms, (&mut entries, &mut leaves), (pack.overlay(source), source))?;
    let (merge, named) = said.map_or((None, Vec::new()), |said| (Some(said.merge), said.named));
    let mut groups = vec![Group { name: pack.top, parent: None, fields: named }];
    group_all(plan, (&mut entries, &leaves), &mut groups)?;
    let mut none = Vec::new();
    let record = Record {
        dataset: plan.bundle.dataset.unwrap_or(DATASET_UNNAMED),
        source,
        time: None,
        groups,
        carried: Vec::new(),
        wire: None,
        mappings: pack.version.clone(),
    };
    let fired = fired.unwrap_or(&mut none);
    let files =
        entries.iter().filter_map(|entry| Some((std::ptr::from_ref(entry.tree), entry.file?)));
    let (files, items) = (files.collect(), HashMap::new());
    let mut reading = Reading { forms, leaves, record, files, items, fired };
    if kind == "Bundle" {
        reading.envelope(tree)?;
    }
    for (number, entry) in entries.iter().enumerate() {
        let Some(file) = entry.file.and_then(|file| plan.files.get(file)) else { continue };
        reading.resource(file, (number, entry))?;
    }
    for entry in &entries {
        reading.rest(entry);
    }
    Ok(Translation { merge, ..reading.finish() })
}

struct Reading<'p, 't, 'f> {
    forms: Forms<'p>,
    leaves: Leaves<'t>,
    record: Record,
    /// The file that reads a resource.
    files: HashMap<*const Tree, usize>,
    /// The group of an item, by resource, list and the items' indices.
    items: HashMap<(usize, usize, Vec<usize>), usize>,
    fired: &'f mut Vec<bool>,
}

impl<'p, 't> Reading<'p, 't, '_> {
    /// What the bundle says of itself.
    fn envelope(&mut self, tree: &'t Tree) -> Result<(), TranslateError> {
        if let Some(leaf) = tree.get("resourceType") {
            self.leaves.take(leaf, Bin::Mapped);
        }
        let uri = self.forms.plan.systems.uri(DATASET);
        let tags = tree.get("meta").and_then(|meta| meta.get("tag")).map(Tree::items);
        let ours = |tag: &&Tree| tag.get("system").and_then(Tree::text) == Some(&uri);
        if let Some(tag) = tags.unwrap_or_default().iter().find(ours) {
            let named = tag.get("code").and_then(Tree::text);
            if let Some(dataset) = named.and_then(|name| Dataset::parse(name).ok()) {
                self.record.dataset = dataset;
                self.leaves.take_all(tag, Bin::Mapped);
            }
        }
        let timed = self.forms.plan.systems.uri(EVENT_TIME);
        let timed = |tag: &&Tree| tag.get("system").and_then(Tree::text) == Some(&timed);
        let event = tags.unwrap_or_default().iter().find(timed);
        let stamp = tree.get("timestamp");
        if let Some(leaf) = event.and_then(|tag| tag.get("code")).or(stamp) {
            self.record.time = leaf.text().and_then(date_of);
            if self.record.time.is_some() {
                self.leaves.take_all(event.unwrap_or(leaf), Bin::Mapped);
            }
        }
        if let Some(own) = &self.forms.plan.bundle.own {
            let entry = Entry { tree, pointer: String::new(), file: None, group: 0 };
            self.resource(own, (usize::MAX, &entry))?;
        }
        Ok(())
    }

    /// One resource by its file.
    fn resource(
        &mut self,
        file: &'p ResourcePlan,
        (number, entry): (usize, &Entry<'t>),
    ) -> Result<(), TranslateError> {
        if let Some(each) = element(file, entry.tree).and_then(|index| file.each.get(index)) {
            self.each(each, entry)?;
        }
        // A later place may say no more than an earlier one of the same element.
        let before = self.record.groups.get(entry.group).map_or(0, |group| group.fields.len());
        for index in &file.reading {
            let Some(row) = file.rows.get(*index) else { continue };
            if row.meaning.way == Way::Out {
                continue;
            }
            let places = find(entry.tree, &entry.pointer, &row.path.0);
            let mut took = false;
            for place in &places {
                if self.accepts(file, row, (entry, place)) {
                    let group = self.group(file, row, (number, entry, place));
                    took |= self.take(row, (entry, place), (group, before))?;
                }
            }
            if row.meaning.required && !took {
                let pointer = places.first().map_or(&entry.pointer, |place| &place.pointer);
                return Err(TranslateError::Missing(Position::Pointer(pointer.clone())));
            }
        }
        self.own(file, entry);
        Ok(())
    }

    /// The value of one element, and the code that named it.
    fn each(&mut self, each: &EachElement, entry: &Entry<'t>) -> Result<(), TranslateError> {
        for place in find(entry.tree, &entry.pointer, &each.row.path.0) {
            if !self.take(&each.row, (entry, &place), (entry.group, 0))? {
                continue;
            }
            for constant in &each.code {
                if let Some(leaf) = constant_at(entry.tree, constant) {
                    self.leaves.take(leaf, Bin::Mapped);
                }
            }
        }
        Ok(())
    }

    /// Whether a row may take what stands at a place.
    fn accepts(
        &self,
        file: &ResourcePlan,
        row: &FhirRow,
        (entry, place): (&Entry<'t>, &Found<'t>),
    ) -> bool {
        if let Some((path, values)) = &row.when {
            let found = find(entry.tree, "", &path.0);
            let text = found.first().and_then(|found| found.tree.text()).unwrap_or_default();
            if !values.iter().any(|value| value == text) {
                return false;
            }
        }
        let group = self.record.groups.get(entry.group);
        let has = |element| {
            group.is_some_and(|group| group.fields.iter().any(|field| field.element == element))
        };
        if row.only.lacks.is_some_and(has) {
            return false;
        }
        if self.leads_to_file(file, row, place) {
            return false;
        }
        let Read::Identifier(Some(own)) = row.meaning.read else { return true };
        let known = self.forms.kind(place.tree).unwrap_or(IdentifierKind::Local);
        let has_row = |kind: IdentifierKind| {
            file.rows.iter().any(|other| {
                other.path == row.path
                    && matches!(other.meaning.read, Read::Identifier(Some(own)) if own == kind)
            })
        };
        let local = IdentifierKind::Local;
        own == known
            || (own == IdentifierKind::Local && !has_row(known))
            || (own == IdentifierKind::Other
                && (row.path.is_narrowed() || (!has_row(known) && !has_row(local))))
    }

    /// Whether a reference leads to a resource that a file of its own reads.
    fn leads_to_file(&self, file: &ResourcePlan, row: &FhirRow, place: &Found<'t>) -> bool {
        let mut refs = file.refs.iter().filter(|to| to.path == row.path).peekable();
        if refs.peek().is_none() {
            return false;
        }
        let resource = self.leaves.resolved(Some(place.tree));
        let number = resource.and_then(|tree| self.files.get(&std::ptr::from_ref(tree)));
        let plan = number.and_then(|number| self.forms.plan.files.get(*number));
        let read = plan.is_some_and(|plan| !retold(plan));
        read && number.is_some_and(|number| refs.any(|to| to.to.contains(number)))
    }

    /// Whether a reference leads to a resource it means, of which something is read: what
    /// only tells once more is not there when the record is written again.
    fn means(&self, to: &Ref, tree: &'t Tree) -> bool {
        let resource = self.leaves.resolved(Some(tree));
        if to.named == BUNDLE {
            return resource.is_some();
        }
        let number = resource.and_then(|tree| self.files.get(&std::ptr::from_ref(tree)));
        let Some(number) = number.filter(|number| to.to.contains(number)) else { return false };
        let plan = self.forms.plan.files.get(*number);
        let reads = |plan: &ResourcePlan| {
            let rows = plan.rows.iter().chain(plan.each.iter().map(|each| &each.row));
            rows.into_iter().any(|row| row.meaning.way != Way::Out)
        };
        plan.is_some_and(reads)
    }

    /// Reads one place; says whether a value was taken.
    fn take(
        &mut self,
        row: &FhirRow,
        (entry, place): (&Entry<'t>, &Found<'t>),
        (group, before): (usize, usize),
    ) -> Result<bool, TranslateError> {
        let at = || Position::Pointer(place.pointer.clone());
        let Some(value) = self.forms.read(row, place.tree, &mut self.leaves) else {
            let free = !place.tree.is_empty() && self.leaves.free(place.tree);
            return if row.meaning.strict && free {
                Err(TranslateError::DataType(at()))
            } else {
                Ok(false)
            };
        };
        if refused(row, &value) {
            return Err(TranslateError::TableValue(at()));
        }
        for step in &row.path.0 {
            for constant in &step.only {
                for holder in find(entry.tree, "", self.upto(&row.path, step)) {
                    if let Some(leaf) = constant_at(holder.tree, constant) {
                        self.leaves.take(leaf, Bin::Mapped);
                    }
                }
            }
        }
        if let Some(fired) = self.fired.get_mut(row.meaning.id) {
            *fired = true;
        }
        let value = self.owned(value);
        let element = row.meaning.element;
        let Some(group) = self.record.groups.get_mut(group) else { return Ok(true) };
        // Another resource may say the same once more; one list may hold it twice.
        let said = group.fields.iter().enumerate().any(|(index, field)| {
            field.element == element
                && field.at.as_ref() != Some(&at())
                && (index < before || !row.repeats)
                && covers(&field.value, &value)
        });
        if !said {
            group.fields.push(Field { element, value, at: Some(at()) });
        }
        Ok(true)
    }

    /// The steps up to and with one.
    fn upto<'r>(&self, path: &'r Path, step: &super::path::Step) -> &'r [super::path::Step] {
        let end = path.0.iter().position(|other| std::ptr::eq(other, step)).map_or(0, |at| at + 1);
        path.0.get(..end).unwrap_or_default()
    }

    /// A number that only means something under an authority gets the sender's.
    fn owned(&self, value: Value) -> Value {
        let Value::Identifier(identifier) = value else { return value };
        let source = self.record.source;
        let overlay = self.forms.pack.overlay(source);
        Value::Identifier(with_authority(identifier, overlay, source))
    }

    /// The group a row's value goes to.
    fn group(
        &mut self,
        file: &ResourcePlan,
        row: &FhirRow,
        (number, entry, place): (usize, &Entry<'t>, &Found<'t>),
    ) -> usize {
        let own = match row.list {
            Some(list) => self.item(file, (number, list), (entry.group, &place.items)),
            None => entry.group,
        };
        let Some(name) = row.from else { return own };
        let around = |index: &usize| {
            let parent = self.record.groups.get(*index)?.parent?;
            usize::try_from(parent).ok().filter(|parent| parent < index)
        };
        let mut chain = std::iter::successors(Some(own), around);
        let named =
            |index: usize| self.record.groups.get(index).is_some_and(|group| group.name == name);
        if let Some(found) = chain.find(|index| named(*index)) {
            return found;
        }
        let inside = self.record.groups.iter().position(|group| {
            group.name == name
                && group.parent.and_then(|parent| usize::try_from(parent).ok()) == Some(own)
        });
        inside.unwrap_or_else(|| self.open(name, own))
    }

    /// The group of a list's item, opened with its first value.
    fn item(
        &mut self,
        file: &ResourcePlan,
        (number, list): (usize, usize),
        (own, items): (usize, &[usize]),
    ) -> usize {
        let Some(plan) = file.lists.get(list) else { return own };
        let items = items.get(..plan.path.stars()).unwrap_or(items);
        let key = (number, list, items.to_vec());
        if let Some(found) = self.items.get(&key) {
            return *found;
        }
        let parent = plan.outer.map_or(own, |outer| self.item(file, (number, outer), (own, items)));
        let group = self.open(plan.group, parent);
        self.items.insert(key, group);
        group
    }

    fn open(&mut self, name: GroupName, parent: usize) -> usize {
        let parent = Some(u32::try_from(parent).unwrap_or(0));
        self.record.groups.push(Group { name, parent, fields: Vec::new() });
        self.record.groups.len() - 1
    }

    /// Constants, references and what no row could keep.
    fn own(&mut self, file: &ResourcePlan, entry: &Entry<'t>) {
        for constant in file.fixed.iter().chain(&file.defaults) {
            if let Some(list) = constant.list.and_then(|list| file.lists.get(list)) {
                let inner = constant.constant.path.0.get(list.path.0.len()..).unwrap_or_default();
                let inner = super::path::Constant {
                    path: Path(inner.to_vec()),
                    is: constant.constant.is.clone(),
                };
                for item in find(entry.tree, "", &list.path.0) {
                    if let Some(leaf) = constant_at(item.tree, &inner) {
                        self.leaves.take(leaf, Bin::Dropped);
                    }
                }
            } else if let Some(leaf) = constant_at(entry.tree, &constant.constant) {
                self.leaves.take(leaf, Bin::Dropped);
            }
        }
        for to in &file.refs {
            for place in find(entry.tree, "", &to.path.0) {
                if self.means(to, place.tree) {
                    self.leaves.take_all(place.tree, Bin::Mapped);
                }
            }
        }
        for row in file.rows.iter().chain(file.each.iter().map(|each| &each.row)) {
            for place in find(entry.tree, "", &row.path.0) {
                self.leaves.take_all(place.tree, Bin::Carried);
            }
        }
        for (path, bin) in &file.rest {
            for place in find(entry.tree, "", &path.0) {
                self.leaves.take_all(place.tree, *bin);
            }
        }
        for place in file.refs.iter().flat_map(|to| find(entry.tree, "", &to.path.0)) {
            self.leaves.take_all(place.tree, Bin::Carried);
        }
        if let Some(leaf) = entry.tree.get("resourceType") {
            self.leaves.take(leaf, Bin::Mapped);
        }
    }

    /// What is dropped everywhere, and what is left of a resource a value was made of.
    fn rest(&mut self, entry: &Entry<'t>) {
        for path in &self.forms.plan.bundle.everywhere {
            for place in find(entry.tree, "", &path.0) {
                self.leaves.take_all(place.tree, Bin::Dropped);
            }
        }
        if self.leaves.parties.iter().any(|party| std::ptr::eq(*party, entry.tree)) {
            self.leaves.take_all(entry.tree, Bin::Carried);
        }
    }

    fn finish(mut self) -> Translation {
        let mut bins = Bins::default();
        for leaf in &self.leaves.list {
            let bin = leaf.bin.unwrap_or(Bin::Unmapped);
            bins.count(bin);
            if matches!(bin, Bin::Mapped | Bin::Dropped) {
                continue;
            }
            if bin == Bin::Unmapped && bins.first_unmapped.len() < FIRST_UNMAPPED_MAX {
                bins.first_unmapped.push(Position::Pointer(leaf.shown.clone()));
            }
            let text = match leaf.tree {
                Tree::Bool(yes) => yes.to_string(),
                Tree::Number(text) | Tree::Text(text) => text.clone(),
                _ => continue,
            };
            let at = Position::Pointer(leaf.pointer.clone());
            self.record.carried.push(Carried { at, text });
        }
        let order: HashMap<&str, usize> = self
            .leaves
            .list
            .iter()
            .enumerate()
            .map(|(number, leaf)| (leaf.pointer.as_str(), number))
            .collect();
        let order = Order(order);
        for group in &mut self.record.groups {
            group.fields.sort_by_cached_key(|field| order.of(field.at.as_ref()));
        }
        Translation { record: self.record, merge: None, veiled: None, bins }
    }
}

/// The order of the wire.
struct Order<'a>(HashMap<&'a str, usize>);

impl Order<'_> {
    /// The number of the first leaf at or below a place.
    fn of(&self, at: Option<&Position>) -> usize {
        let Some(Position::Pointer(pointer)) = at else { return usize::MAX };
        if let Some(number) = self.0.get(pointer.as_str()) {
            return *number;
        }
        let below = |leaf: &str| {
            leaf.strip_prefix(pointer.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        let numbers = self.0.iter().filter(|(leaf, _)| below(leaf)).map(|(_, number)| *number);
        numbers.min().unwrap_or(usize::MAX)
    }
}

/// Whether a code is unknown where the row refuses such.
fn refused(row: &FhirRow, value: &Value) -> bool {
    let refuses = matches!(&row.meaning.read, Read::Code(Codes { refuse: true, .. }));
    refuses && matches!(value, Value::Code(coding) if coding.code.is_none())
}

/// Whether a value says all that another says: a time also says its day.
fn covers(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Date(one), Value::Date(other)) => one.as_str().starts_with(other.as_str()),
        _ => one == other,
    }
}
