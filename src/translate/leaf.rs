//! The leaves of one segment, and the bin each ends in.

use std::borrow::Cow;
use std::ops::Range;

use super::path::Hl7Path;
use super::plan::Bin;
use crate::vocabulary::position::Hl7Position;

/// One non-empty leaf; `bin` is `None` until somebody takes it.
#[derive(Debug)]
pub(super) struct Leaf<'m> {
    pub at: Hl7Position,
    pub text: Cow<'m, str>,
    pub bin: Option<Bin>,
    /// Where it stands in the message's text.
    pub span: Range<usize>,
    /// Whether the record alone gives its text back.
    pub exact: bool,
}

/// The leaves of one segment, ascending by field, repetition, component, subcomponent.
#[derive(Debug, Default)]
pub(super) struct Leaves<'m>(pub Vec<Leaf<'m>>);

/// HL7 v2.4 section 2.7.1: two quotation marks delete what the receiver has.
const NULL: &str = "\"\"";

impl<'m> Leaves<'m> {
    /// Where the leaves of a field begin and end.
    pub fn field(&self, number: u16) -> Range<usize> {
        let start = self.0.partition_point(|leaf| leaf.at.field < number);
        let tail = self.0.get(start..).unwrap_or_default();
        start..start + tail.partition_point(|leaf| leaf.at.field == number)
    }

    /// Where the field that begins at a leaf ends.
    pub fn end_of_field(&self, start: usize) -> usize {
        let tail = self.0.get(start..).unwrap_or_default();
        let number = tail.first().map_or(0, |leaf| leaf.at.field);
        start + tail.iter().take_while(|leaf| leaf.at.field == number).count()
    }

    /// The first repetition inside a range, and what is left of it.
    pub fn repetition(&self, within: &Range<usize>) -> Option<Range<usize>> {
        let leaves = self.slice(within);
        let number = leaves.first()?.at.repetition;
        let length = leaves.partition_point(|leaf| leaf.at.repetition == number);
        Some(within.start..within.start + length)
    }

    /// The part of a repetition that a path covers.
    pub fn part(&self, within: &Range<usize>, path: &Hl7Path) -> Range<usize> {
        if path.component == 0 {
            return within.clone();
        }
        let leaves = self.slice(within);
        let key = |leaf: &Leaf<'_>| (leaf.at.component, leaf.at.subcomponent);
        let first = (path.component, path.subcomponent);
        let last = match path.subcomponent {
            0 => (path.component, u16::MAX),
            _ => first,
        };
        let start = leaves.partition_point(|leaf| key(leaf) < first);
        let end = leaves.partition_point(|leaf| key(leaf) <= last);
        within.start + start..within.start + end
    }

    /// The leaves of a range.
    pub fn slice(&self, range: &Range<usize>) -> &[Leaf<'m>] {
        self.0.get(range.clone()).unwrap_or_default()
    }

    /// The leaves of a range, to be taken.
    pub fn slice_mut(&mut self, range: &Range<usize>) -> &mut [Leaf<'m>] {
        self.0.get_mut(range.clone()).unwrap_or_default()
    }

    /// The first leaf of a component's first or named subcomponent.
    pub fn find(&self, within: &Range<usize>, component: u16, sub: u16) -> Option<usize> {
        let leaves = self.slice(within);
        let wanted =
            |leaf: &Leaf<'_>| leaf.at.component == component && leaf.at.subcomponent == sub;
        leaves.iter().position(wanted).map(|index| within.start + index)
    }

    /// The text of one leaf.
    pub fn text(&self, index: usize) -> &str {
        self.0.get(index).map_or("", |leaf| &leaf.text)
    }

    /// The text a path's first leaf holds, in a range.
    pub fn at(&self, within: &Range<usize>, path: &Hl7Path) -> Option<usize> {
        self.find(within, path.component.max(1), path.subcomponent.max(1))
    }

    /// Puts one leaf into a bin.
    pub fn take(&mut self, index: usize, bin: Bin) {
        if let Some(leaf) = self.0.get_mut(index) {
            leaf.bin = Some(bin);
        }
    }

    /// Puts every leaf of a range that is still free into a bin.
    pub fn take_all(&mut self, range: &Range<usize>, bin: Bin) {
        for leaf in self.slice_mut(range) {
            leaf.bin.get_or_insert(bin);
        }
    }

    /// Frees every leaf of a range.
    pub fn release(&mut self, range: &Range<usize>) {
        for leaf in self.slice_mut(range) {
            leaf.bin = None;
        }
    }

    /// Whether every leaf of a range is taken.
    pub fn taken(&self, range: &Range<usize>) -> bool {
        self.slice(range).iter().all(|leaf| leaf.bin.is_some())
    }

    /// Whether a range holds the explicit null and nothing else.
    pub fn null(&self, range: &Range<usize>) -> bool {
        matches!(self.slice(range), [leaf] if leaf.text == NULL)
    }
}
