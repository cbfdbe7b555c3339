//! One walk over a document: places to values, items of lists to groups.
//!
//! A leaf is a string, number or boolean that is not empty. Every leaf is counted once, into
//! one of the four bins. Known places and what lies below them are walked by recursion, as
//! deep as the readers of `wire` let a document be.

mod place;

use std::ops::Range;

use super::plan::{Body, DocumentRow, NodeId};
use super::syntax::Sent;
use crate::translate::error::TranslateError;
use crate::translate::file::Way;
use crate::translate::plan::{Bin, Read};
use crate::translate::value::Wrong;
use crate::translate::{Bins, FIRST_UNMAPPED_MAX};
use crate::vocabulary::record::Carried;
use crate::vocabulary::{Field, Group, Position, Record, Value};
use crate::wire::Tree;

use place::Trail;
pub(super) use place::{at, find, holds};

/// What reading one tree adds to.
pub(in crate::translate) struct Target<'a> {
    pub record: &'a mut Record,
    pub bins: &'a mut Bins,
    /// The group of rows outside any list.
    pub group: u32,
    /// The rows that made a value, by their number in the pack.
    pub fired: Option<&'a mut Vec<bool>>,
}

/// Reads one tree by a body; positions begin with `base`. Leaves in `known` are told
/// elsewhere in the record.
///
/// # Errors
/// [`TranslateError`] if a required place is empty or a strict row cannot be read.
pub(in crate::translate) fn read<'d>(
    (body, sent): (&Body, Sent<'_>),
    (document, base): (&'d Tree, &str),
    known: Vec<&'d Tree>,
    target: &mut Target<'_>,
) -> Result<(), TranslateError> {
    let trail = Trail::new(base, body.syntax.is_xml());
    let (sets, open, took) = (vec![0], Vec::new(), Vec::new());
    let used = Vec::new();
    let mut walk = Walk { body, sent, document, known, target, trail, sets, open, used, took };
    walk.visit(0..1, document, None)?;
    let outside = |(_, row): &(usize, &DocumentRow)| row.meaning.required && row.group.is_none();
    for (index, row) in body.rows.iter().enumerate().filter(outside) {
        // Inside a group a required place is required of each item, which `item` checks.
        if !walk.took.contains(&index) && walk.applies(row) {
            let at = Position::Pointer(format!("{base}{}", row.pattern));
            return Err(TranslateError::Missing(at));
        }
    }
    Ok(())
}

struct Walk<'p, 'd, 't, 'r> {
    body: &'p Body,
    sent: Sent<'p>,
    document: &'d Tree,
    /// Leaves the record holds elsewhere: its dataset, its time.
    known: Vec<&'d Tree>,
    target: &'t mut Target<'r>,
    trail: Trail<'d>,
    /// The places that meet at each level of the walk, level after level.
    sets: Vec<NodeId>,
    /// The groups the walk is inside of: of the plan, of the record.
    open: Vec<(usize, u32)>,
    /// Leaves below the element at hand that a value keeps.
    used: Vec<&'d Tree>,
    /// Rows that made a value.
    took: Vec<usize>,
}

impl<'d> Walk<'_, 'd, '_, '_> {
    fn visit(
        &mut self,
        set: Range<usize>,
        value: &'d Tree,
        rest: Option<Bin>,
    ) -> Result<(), TranslateError> {
        let rest = self.nodes(set.clone()).filter_map(|node| node.rest).last().or(rest);
        match value {
            Tree::Map(members) => {
                let before = self.used.len();
                let taken = self.take(set.clone(), value)?;
                // What a row names and cannot read is kept, as a leaf of that kind is.
                let rows = self.nodes(set.clone()).any(|node| !node.rows.is_empty());
                let odd = rows && !taken && self.body.syntax.is_xml();
                let rest = if odd { rest.or(Some(Bin::Carried)) } else { rest };
                for (name, member) in members {
                    self.member(set.clone(), (name, member), rest)?;
                }
                self.used.truncate(before);
                Ok(())
            }
            Tree::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.trail.item(index, items.len());
                    let end = self.sets.len();
                    self.visit(end..end, item, rest)?;
                    self.trail.leave();
                }
                Ok(())
            }
            _ if value.is_empty() => Ok(()),
            _ => self.leaf(set, value, rest),
        }
    }

    fn nodes(&self, set: Range<usize>) -> impl Iterator<Item = &super::plan::Node> {
        let ids = self.sets.get(set).unwrap_or_default();
        ids.iter().filter_map(|id| self.body.nodes.get(*id))
    }

    fn member(
        &mut self,
        set: Range<usize>,
        (name, member): (&'d str, &'d Tree),
        rest: Option<Bin>,
    ) -> Result<(), TranslateError> {
        // A change of namespace is spelling: writing rebuilds it.
        if self.body.syntax.is_xml() && name.starts_with("@xmlns") {
            return Ok(());
        }
        let known = self.nodes(set.clone()).any(|node| node.members.contains_key(name));
        self.trail.member(name, known);
        match member {
            Tree::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.trail.item(index, items.len());
                    let inner = self.select(set.clone(), name, (items, index));
                    self.item(inner, item, rest)?;
                    self.trail.leave();
                }
            }
            one => {
                let inner = self.select(set, name, (std::slice::from_ref(one), usize::MAX));
                self.visit(inner.clone(), one, rest)?;
                self.sets.truncate(inner.start);
            }
        }
        self.trail.leave();
        Ok(())
    }

    /// The places an item belongs to; an index beyond all is a value that stands in no list.
    fn select(
        &mut self,
        set: Range<usize>,
        name: &str,
        (items, index): (&[Tree], usize),
    ) -> Range<usize> {
        let alone = index == usize::MAX;
        let start = self.sets.len();
        for at in set {
            let Some(node) = self.sets.get(at).and_then(|id| self.body.nodes.get(*id)) else {
                continue;
            };
            for branch in node.members.get(name).into_iter().flatten() {
                let chosen = match (branch.each, alone) {
                    (true, true) => false,
                    (true, false) => items.get(index).is_some_and(|item| holds(item, &branch.test)),
                    (false, _) => {
                        let first = items.iter().position(|item| holds(item, &branch.test));
                        first == Some(if alone { 0 } else { index })
                    }
                };
                if chosen {
                    self.sets.push(branch.node);
                }
            }
        }
        start..self.sets.len()
    }

    /// One item of a list, and the group it may open.
    fn item(
        &mut self,
        set: Range<usize>,
        item: &'d Tree,
        rest: Option<Bin>,
    ) -> Result<(), TranslateError> {
        let group = self.nodes(set.clone()).find_map(|node| node.group);
        let (open, took) = (self.open.len(), self.took.len());
        if let Some(group) = group {
            let index = self.begin(group);
            self.open.push((group, index));
        }
        self.visit(set.clone(), item, rest)?;
        if let Some(group) = group {
            self.complete(group, took)?;
        }
        self.open.truncate(open);
        self.sets.truncate(set.start);
        Ok(())
    }

    fn begin(&mut self, group: usize) -> u32 {
        // The readers' limits keep items, and so groups, far below 2³².
        let index = u32::try_from(self.target.record.groups.len()).unwrap_or(u32::MAX);
        if let Some(plan) = self.body.groups.get(group) {
            let outer = self.group_of(plan.parent);
            let (name, parent) = (plan.name, Some(outer));
            self.target.record.groups.push(Group { name, parent, fields: Vec::new() });
        }
        index
    }

    /// The record's group for a group of the plan.
    fn group_of(&self, group: Option<usize>) -> u32 {
        let own = |(plan, _): &&(usize, u32)| Some(*plan) == group;
        self.open.iter().rev().find(own).map_or(self.target.group, |(_, index)| *index)
    }

    /// What each item of a group requires.
    fn complete(&self, group: usize, before: usize) -> Result<(), TranslateError> {
        let taken = self.took.get(before..).unwrap_or_default();
        let own = |(_, row): &(usize, &DocumentRow)| row.group == Some(group);
        for (index, row) in self.body.rows.iter().enumerate().filter(own) {
            if row.meaning.required && !taken.contains(&index) && self.applies(row) {
                return Err(TranslateError::Missing(self.trail.position()));
            }
        }
        Ok(())
    }

    /// Tries the rows of a place, in the order of the file; whether one made a value.
    fn take(&mut self, set: Range<usize>, value: &'d Tree) -> Result<bool, TranslateError> {
        let mut rows: Vec<usize> =
            self.nodes(set).flat_map(|node| node.rows.iter().copied()).collect();
        rows.sort_unstable();
        for index in rows {
            let Some(row) = self.body.rows.get(index) else { continue };
            if row.meaning.way == Way::Out || !self.applies(row) {
                continue;
            }
            match self.value(row, value) {
                Ok(found) => {
                    self.keep(row, found);
                    self.took.push(index);
                    return Ok(true);
                }
                Err(Wrong::Code) => return Err(TranslateError::TableValue(self.trail.position())),
                Err(Wrong::Type) if row.meaning.strict => {
                    return Err(TranslateError::DataType(self.trail.position()));
                }
                Err(_) => (),
            }
        }
        Ok(false)
    }

    fn value(&mut self, row: &DocumentRow, tree: &'d Tree) -> Result<Value, Wrong> {
        let mut value = self.body.syntax.read(row, (tree, self.sent), &mut self.used)?;
        if let (Value::Quantity(quantity), Some(unit)) = (&mut value, &row.unit) {
            let unit = find(self.document, unit, &self.trail);
            quantity.unit = unit.and_then(Tree::text).map(str::to_owned);
        }
        Ok(value)
    }

    /// Whether a row's condition holds where the walk stands.
    fn applies(&self, row: &DocumentRow) -> bool {
        let Some((pattern, wanted)) = &row.when else { return true };
        let text = find(self.document, pattern, &self.trail).and_then(Tree::text);
        wanted.iter().any(|wanted| wanted == text.unwrap_or_default())
    }

    fn keep(&mut self, row: &DocumentRow, value: Value) {
        let at = Some(self.trail.position());
        let element = match &row.meaning.read {
            Read::Observation(by_type) => by_type.holding(&value).map(|(element, _)| element),
            _ => Some(row.meaning.element),
        };
        let index = usize::try_from(self.group_of(row.group)).unwrap_or(0);
        if let (Some(group), Some(element)) = (self.target.record.groups.get_mut(index), element) {
            group.fields.push(Field { element, value, at });
        }
        let fired = self.target.fired.as_mut().and_then(|fired| fired.get_mut(row.meaning.id));
        fired.into_iter().for_each(|fired| *fired = true);
    }

    fn leaf(
        &mut self,
        set: Range<usize>,
        value: &'d Tree,
        rest: Option<Bin>,
    ) -> Result<(), TranslateError> {
        let same = |known: &&Tree| std::ptr::eq(*known, value);
        if self.used.iter().any(&same) || self.take(set.clone(), value)? {
            self.target.bins.count(Bin::Mapped);
            return Ok(());
        }
        let beside: Vec<usize> =
            self.nodes(set.clone()).flat_map(|node| node.attached.iter().copied()).collect();
        let fixed = value.text().is_some_and(|text| {
            self.nodes(set.clone()).any(|node| node.fixed.iter().any(|constant| constant == text))
        });
        let noise = self.trail.name().and_then(|name| self.body.syntax.noise(name));
        let rows = self.nodes(set).any(|node| !node.rows.is_empty());
        let bin = match (rest, noise) {
            _ if beside.into_iter().any(|row| self.uses(row)) => Bin::Mapped,
            _ if self.known.iter().any(same) => Bin::Mapped,
            _ if fixed => Bin::Dropped,
            (Some(bin), _) | (None, Some(bin)) => bin,
            (None, None) if rows => Bin::Carried,
            (None, None) => Bin::Unmapped,
        };
        self.count(value, bin);
        Ok(())
    }

    /// Whether a row takes its value in this item, and with it its unit, condition or test.
    fn uses(&mut self, row: usize) -> bool {
        let Some(row) = self.body.rows.get(row) else { return false };
        let there = find(self.document, &row.pattern, &self.trail);
        let before = self.used.len();
        let used = there.is_some_and(|tree| self.applies(row) && self.value(row, tree).is_ok());
        self.used.truncate(before);
        used
    }

    fn count(&mut self, value: &Tree, bin: Bin) {
        let bins = &mut *self.target.bins;
        bins.count(bin);
        if matches!(bin, Bin::Mapped | Bin::Dropped) {
            return;
        }
        if bin == Bin::Unmapped && bins.first_unmapped.len() < FIRST_UNMAPPED_MAX {
            bins.first_unmapped.push(self.trail.shown());
        }
        let text = match value {
            Tree::Bool(yes) => yes.to_string(),
            Tree::Number(text) | Tree::Text(text) => text.clone(),
            Tree::List(_) | Tree::Map(_) | Tree::Null => String::new(),
        };
        self.target.record.carried.push(Carried { at: self.trail.position(), text });
    }
}
