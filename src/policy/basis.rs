//! 依据, of what a fact may follow that leaves: what would be withheld of it does not speak.
//!
//! A fact (`mappings/derived`) is a value without a field of its own in any record. What makes a
//! value special (`special.toml`), and what a person refused by its kind, would be lost on the way
//! to it: an elder whose every medicine is one nobody may know of would be told apart by a no from
//! somebody who takes none. So a fact follows, for each asker, from what the asker could be told
//! of if it were the fact itself, and is then decided on as any value.

use super::choose::Gathered;
use super::plan::Planned;
use super::release::{Release, decide_marked};
use super::scope::Scope;
use super::special::Marked;
use super::word::is_word_group;
use crate::identity::Keys;
use crate::vocabulary::{ElementId, Record, Value};

/// What speaks for facts that one asker may be told, and the decision on all of it.
pub struct Basis<'a> {
    scope: &'a Scope,
    wanted: Option<&'a [ElementId]>,
    records: &'a [Gathered<'a>],
    marked: Marked<'a>,
}

impl<'a> Basis<'a> {
    /// Of these records, for what is wanted of what the scope lists.
    #[must_use]
    pub fn new(
        scope: &'a Scope,
        wanted: Option<&'a [ElementId]>,
        records: &'a [Gathered<'a>],
    ) -> Self {
        // One more, for the facts.
        let marked = Marked::new(&scope.plan.shared.special, records.len() + 1);
        Self { scope, wanted, records, marked }
    }

    /// Whether the asker may be told of a fact at all.
    #[must_use]
    pub fn is_wanted(&self, fact: ElementId) -> bool {
        self.planned(fact).is_some()
    }

    /// Whether a fact may follow from a value in a group of the record in that place, or from the
    /// record as such: that it came, and when.
    #[must_use]
    pub fn allows(&self, fact: ElementId, record: usize, within: Option<(usize, &Value)>) -> bool {
        let (Some(planned), Some(from)) = (self.planned(fact), self.records.get(record)) else {
            return false;
        };
        let (group, value) = within.map_or((0, None), |(group, value)| (group, Some(value)));
        if is_word_group(from.record, group) {
            return false;
        }
        let special = &self.scope.plan.shared.special;
        let marks = self.marked.marks((record, from.record), (group, value));
        planned.gives_as_plain(marks)
            && self.scope.allowance.allows(planned.element.class, special.marked(marks))
    }

    /// Decides on the records, and on the facts that follow from them at a time (seconds since
    /// 1970).
    #[must_use]
    pub fn decide(&self, facts: Option<(&Record, i64)>, keys: &Keys) -> Release {
        let mut all = self.records.to_vec();
        all.extend(facts.map(|(record, as_of)| Gathered { record, as_of }));
        decide_marked((self.scope, self.wanted), (&all, &self.marked), keys)
    }

    fn planned(&self, fact: ElementId) -> Option<&Planned> {
        let wanted = self.wanted.is_none_or(|wanted| wanted.contains(&fact));
        self.scope.plan.planned(fact).filter(|_| wanted)
    }
}
