//! 推导, a decision on records and on the facts that follow from them. A fact follows from what the
//! asker may be told of alone ([`Basis`]): so it follows once the scope is known, never before.

use super::question::Turn;
use crate::identity::Keys;
use crate::policy::{self, Basis, Gathered, Release, Scope};
use crate::vocabulary::{ElementId, Value};

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
        let speaks =
            |fact, record, within: Option<(usize, &Value)>| basis.allows(fact, record, within);
        let facts = self.rules.pack.derive((&given, at), &speaks);
        let mut all = records.to_vec();
        all.extend(facts.as_ref().map(|record| Gathered { record, as_of: at }));
        policy::decide(scope, wanted, &all, keys)
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
        let speaks =
            |fact, record, within: Option<(usize, &Value)>| basis.allows(fact, record, within);
        let bears = |fact: &ElementId| self.rules.pack.bears_on(*fact, record.record, &speaks);
        policy::decide(scope, Some(wanted), &alone, keys).released().len() > 0
            || wanted.iter().any(bears)
    }
}
