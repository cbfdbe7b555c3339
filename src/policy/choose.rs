//! Which of several values of one element is given.
//!
//! 1. Only values the scope may see take part, by rule and by what the person said, so a
//!    withheld newer value does not hide an older one, and its absence cannot be seen.
//! 2. Where the purpose names an authoritative source for a class, only that one.
//! 3. Of a single fact, the golden record: the value of whoever is believed first about it
//!    (`survivorship` in `purposes.toml`), of several the latest (its own time, but no later
//!    than we had it from the source); of equally late ones the first handed in; in a
//!    record the first. Each value goes with its source and the time of its record.
//! 4. Of a class that repeats (`repeats` in `purposes.toml`), every group, newest
//!    record first; what a group holds stays together under one number. A yes or no
//!    speaks of the whole (has allergies), so it is a single fact there too.
//!
//! 5. Of a person's words on who may see what, those the asker may be told of, whole; of the
//!    records they came in nothing else.
//!
//! Groups that say the same after treatment are given once; [`super::release`] does
//! that, because only there it is known what they say.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::consent::Allowance;
use super::plan::{Plan, Planned, Ruling};
use super::special::Marked;
use super::word::{is_word_alone, is_word_group};
use crate::vocabulary::{
    Class, Dataset, ElementId, Field, Group, GroupName, Record, Value, ValueType,
};

/// 本人意愿, the class of what a person's word on who may see what says.
pub const WORD: Class = Class::fixed("privacy-consent");

/// A record, and when its source last said so.
#[derive(Debug, Clone, Copy)]
pub struct Gathered<'a> {
    /// The record.
    pub record: &'a Record,
    /// Seconds since 1970 at which it was received or fetched.
    pub as_of: i64,
}

impl Gathered<'_> {
    /// When it happened, as the record says, else when we had it. Nobody had it before
    /// it happened: a clock that is ahead, or a slip in a year, would else win over
    /// every later record.
    pub(super) fn time(&self) -> i64 {
        let said = self.record.time.as_ref().and_then(crate::vocabulary::Date::timestamp);
        said.map_or(self.as_of, |said| said.min(self.as_of))
    }
}

/// One value that may be given.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    pub(super) planned: &'a Planned,
    pub(super) ruling: &'a Ruling,
    pub(super) value: &'a Value,
    pub(super) from: Gathered<'a>,
    /// Its time, seconds since 1970.
    pub(super) time: i64,
    /// Which record and which group, where groups repeat.
    pub(super) group: Option<(usize, usize)>,
    /// What kind of group it stands in.
    pub(super) within: GroupName,
}

impl Choice<'_> {
    /// Whether this one is the value of the golden record, and the other is not.
    fn goes_before(&self, other: &Self) -> bool {
        let rank = |choice: &Self| choice.planned.rank(choice.from.record);
        (rank(self), Reverse(self.time)) < (rank(other), Reverse(other.time))
    }
}

/// The values to give, single facts by the order of the purpose, then groups.
pub(super) fn choose<'a>(
    (plan, allowance): (&'a Plan, &Allowance),
    wanted: Option<&[ElementId]>,
    (gathered, marked): (&'a [Gathered<'a>], &Marked<'_>),
) -> Vec<Choice<'a>> {
    let mut single: HashMap<ElementId, Choice<'a>> = HashMap::new();
    let mut repeated = Vec::new();
    let latest = latest_of(&plan.terms.latest_of, gathered);
    for (record_index, from) in gathered.iter().enumerate() {
        let passed = !plan.terms.latest_of.is_empty() && latest != Some(record_index);
        if passed {
            continue;
        }
        let time = from.time();
        let seen = Seen { plan, allowance, wanted, from: *from, time, record_index, marked };
        for (group_index, group) in from.record.groups.iter().enumerate() {
            if !seen.may_tell(group_index, group) {
                continue;
            }
            for field in &group.fields {
                let Some(choice) = seen.choice((group_index, group.name), field) else {
                    continue;
                };
                if choice.group.is_some() {
                    repeated.push(choice);
                    continue;
                }
                let kept = single.entry(field.element).or_insert(choice);
                if choice.goes_before(kept) {
                    *kept = choice;
                }
            }
        }
    }
    let mut chosen: Vec<Choice<'a>> = single.into_values().collect();
    chosen.sort_by_key(|choice| choice.planned.order);
    repeated.sort_by_key(|choice| (Reverse(choice.time), choice.group, choice.planned.order));
    chosen.extend(repeated);
    chosen
}

/// The newest record of these datasets; of equally late ones the first handed in.
fn latest_of(datasets: &[Dataset], gathered: &[Gathered<'_>]) -> Option<usize> {
    let places = gathered.iter().enumerate().rev();
    let of = places.filter(|(_, from)| datasets.contains(&from.record.dataset));
    of.max_by_key(|(_, from)| from.time()).map(|(index, _)| index)
}

/// One record while its values are looked at.
struct Seen<'a, 'w> {
    plan: &'a Plan,
    allowance: &'w Allowance,
    wanted: Option<&'w [ElementId]>,
    from: Gathered<'a>,
    /// Its time, worked out once.
    time: i64,
    record_index: usize,
    marked: &'w Marked<'w>,
}

impl<'a> Seen<'a, '_> {
    /// Whether a group is no word of the person, or one the asker may be told of.
    fn may_tell(&self, index: usize, group: &Group) -> bool {
        let record = self.from.record;
        match is_word_group(record, index) {
            true => self.allowance.tells(record.source, group),
            false => !is_word_alone(record),
        }
    }

    fn choice(
        &self,
        (group_index, within): (usize, GroupName),
        Field { element, value, .. }: &'a Field,
    ) -> Option<Choice<'a>> {
        let element = *element;
        let planned = self.plan.planned(element)?;
        let is_word = is_word_group(self.from.record, group_index);
        if is_word != (planned.element.class == WORD) {
            return None;
        }
        let wanted = self.wanted.is_none_or(|wanted| wanted.contains(&element));
        if !wanted || !planned.believes(self.from.record) {
            return None;
        }
        let special = &self.plan.shared.special;
        let place = (self.record_index, self.from.record);
        let marks = self.marked.marks(place, (group_index, Some(value)));
        if !self.allowance.allows(planned.element.class, special.marked(marks)) {
            return None;
        }
        let ruling = planned.ruling(marks);
        // No rung, nothing to stand on: withheld.
        ruling.ladder.first()?;
        Some(Choice {
            planned,
            ruling,
            value,
            from: self.from,
            time: self.time,
            group: ((planned.repeats || is_word) && value.value_type() != ValueType::Boolean)
                .then_some((self.record_index, group_index)),
            within,
        })
    }
}
