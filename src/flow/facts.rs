//! 推导, a decision on records and on the facts that follow from them. A fact follows from what the
//! asker may be told of alone ([`Basis`]): so it follows once the scope is known, never before.

use super::question::Turn;
use crate::identity::Keys;
use crate::policy::{Basis, Gathered, Release, Scope};
use crate::translate::Speaks;
use crate::vocabulary::{ElementId, Value};

/// `translate` says what follows from what, `policy` of what it may.
struct Told<'b>(&'b Basis<'b>);

impl Speaks for Told<'_> {
    fn is_wanted(&self, fact: ElementId) -> bool {
        self.0.is_wanted(fact)
    }

    fn speaks(&self, fact: ElementId, record: usize, within: Option<(usize, &Value)>) -> bool {
        self.0.allows(fact, record, within)
    }
}

impl Turn {
    /// Decides on records, with the facts that follow from them at a time (seconds since 1970).
    pub(super) fn decide(
        &self,
        (scope, wanted): (&Scope, Option<&[ElementId]>),
        (records, at): (&[Gathered<'_>], i64),
        keys: &Keys,
    ) -> Release {
        let basis = Basis::new(scope, wanted, records);
        let given: Vec<_> = records.iter().map(|gathered| gathered.record).collect();
        let facts = self.rules.pack.derive((&given, at), &Told(&basis));
        basis.decide(facts.as_ref().map(|record| (record, at)), keys)
    }

    /// Whether a record bears on anything of this that the asker is told: something of it would
    /// leave by itself, or speaks for a fact.
    pub(super) fn tells_of(
        &self,
        (scope, wanted): (&Scope, &[ElementId]),
        record: Gathered<'_>,
        keys: &Keys,
    ) -> bool {
        let alone = [record];
        let basis = Basis::new(scope, Some(wanted), &alone);
        let told = Told(&basis);
        basis.decide(None, keys).released().len() > 0
            || wanted.iter().any(|fact| self.rules.pack.bears_on(*fact, record.record, &told))
    }
}
