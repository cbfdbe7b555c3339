//! 依据, of what a fact may follow that leaves: what would be withheld of it does not speak.
//!
//! A fact (`mappings/derived`) is a value without a field of its own in any record. What makes a
//! value special (`special.toml`), and what a person refused by its kind, would be lost on the way
//! to it: an elder whose every medicine is one nobody may know of would be told apart by a no from
//! somebody who takes none. So a fact follows, for each asker, from what the asker could be told
//! of if it were the fact itself, and is then decided on as any value.

use std::cell::OnceCell;

use super::choose::Gathered;
use super::scope::Scope;
use super::special::Marks;
use super::word::is_word_group;
use crate::vocabulary::{ElementId, Value};

/// What speaks for facts that one asker may be told.
pub struct Basis<'a> {
    scope: &'a Scope,
    wanted: Option<&'a [ElementId]>,
    records: &'a [Gathered<'a>],
    /// Of the groups of each record, worked out when first needed.
    marks: Vec<OnceCell<Vec<Marks>>>,
}

impl<'a> Basis<'a> {
    /// Of these records, for what is wanted of what the scope lists.
    #[must_use]
    pub fn new(
        scope: &'a Scope,
        wanted: Option<&'a [ElementId]>,
        records: &'a [Gathered<'a>],
    ) -> Self {
        let marks = records.iter().map(|_| OnceCell::new()).collect();
        Self { scope, wanted, records, marks }
    }

    /// Whether a fact may follow from a value in a group of the record in that place, or from the
    /// record as such: that it came, and when.
    #[must_use]
    pub fn allows(&self, fact: ElementId, record: usize, within: Option<(usize, &Value)>) -> bool {
        let Scope { plan, allowance, .. } = self.scope;
        let wanted = self.wanted.is_none_or(|wanted| wanted.contains(&fact));
        let Some(planned) = plan.planned(fact).filter(|_| wanted) else { return false };
        let Some(from) = self.records.get(record) else { return false };
        let (group, value) = within.map_or((0, None), |(group, value)| (group, Some(value)));
        if is_word_group(from.record, group) {
            return false;
        }
        let special = &plan.shared.special;
        let of_groups =
            self.marks.get(record).map(|of| of.get_or_init(|| special.mark(from.record)));
        let own = value.map(|value| special.mark_value(value)).unwrap_or_default();
        let marks = of_groups.and_then(|of| of.get(group)).copied().unwrap_or_default().with(own);
        planned.gives_as_plain(marks)
            && allowance.allows(planned.element.class, special.marked(marks))
    }
}
