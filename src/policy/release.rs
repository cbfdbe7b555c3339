//! 披露, the release: a record after decision and treatment.
//!
//! `registry` and `outbound` accept nothing else, and only [`decide`]
//! builds one: data nobody decided on does not compile on its way out.

use std::collections::HashMap;
use std::sync::Arc;

use super::choose::{Choice, Gathered, choose};
use super::plan::Withheld;
use super::scope::{Admission, RuleId, Scope};
use super::special::Marked;
use super::treat::{Surroundings, Treated, treat};
use crate::identity::Keys;
use crate::vocabulary::{Dataset, Element, ElementId, GroupName, Source, Tier};

/// One element that leaves.
#[derive(Debug, Clone)]
pub struct Released {
    element: Arc<Element>,
    tier: Tier,
    value: Treated,
    named: bool,
    origin: Source,
    dataset: Dataset,
    as_of: Option<i64>,
    group: Option<u32>,
    within: GroupName,
    rules: Arc<[RuleId]>,
}

impl Released {
    /// The element, with its names and class.
    #[must_use]
    pub fn element(&self) -> &Element {
        &self.element
    }

    /// The tier it leaves in: at least as protective as the rules permit.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        self.tier
    }

    /// The value, treated.
    #[must_use]
    pub const fn value(&self) -> &Treated {
        &self.value
    }

    /// The source as the asker may know it.
    #[must_use]
    pub fn source(&self) -> &str {
        if self.named { self.origin.as_str() } else { "gateway" }
    }

    /// The true source, for the ledger.
    #[must_use]
    pub const fn origin(&self) -> Source {
        self.origin
    }

    /// What record it stood in.
    #[must_use]
    pub const fn dataset(&self) -> Dataset {
        self.dataset
    }

    /// Of when it is, seconds since 1970; of anything but the value itself, the day alone. `None`
    /// where the asker gets days of the person that are not the true ones.
    #[must_use]
    pub const fn as_of(&self) -> Option<i64> {
        self.as_of
    }

    /// Which values belong together, from 1; `None` for a single fact.
    #[must_use]
    pub const fn group(&self) -> Option<u32> {
        self.group
    }

    /// What kind of group it stood in: `allergy`, `diagnosis`, `record` for none.
    #[must_use]
    pub const fn within(&self) -> GroupName {
        self.within
    }

    /// By which rules.
    #[must_use]
    pub fn rules(&self) -> &[RuleId] {
        &self.rules
    }
}

/// What one asker gets of one person, for one purpose.
///
/// There is no other way to one than [`decide`]:
///
/// ```compile_fail,E0451
/// use kangqiao::policy::{Release, Scope};
/// fn forged(scope: Scope) -> Release {
///     Release { scope, released: Vec::new(), withheld: Vec::new() }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Release {
    scope: Scope,
    released: Vec<Released>,
    withheld: Vec<Withheld>,
}

impl Release {
    /// Who asked, and what for.
    #[must_use]
    pub const fn admission(&self) -> &Admission {
        self.scope.admission()
    }

    /// Everything the decision depended on.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What leaves.
    pub fn released(&self) -> impl ExactSizeIterator<Item = &Released> {
        self.released.iter()
    }

    /// What does not leave and may be told not to: a function of scope, catalogue and
    /// what was asked for, never of what there is about the person.
    pub fn withheld(&self) -> impl ExactSizeIterator<Item = &Withheld> {
        self.withheld.iter()
    }

    /// Version of the policies that decided.
    #[must_use]
    pub fn version(&self) -> &str {
        self.admission().version()
    }
}

/// Decides what of the gathered records leaves, and treats it.
///
/// With `wanted`, of that only what was asked for. The scope carries the policies it
/// was admitted under, and they decide.
#[must_use]
pub fn decide(
    scope: &Scope,
    wanted: Option<&[ElementId]>,
    gathered: &[Gathered<'_>],
    keys: &Keys,
) -> Release {
    let marked = Marked::new(&scope.plan.shared.special, gathered.len());
    decide_marked((scope, wanted), (gathered, &marked), keys)
}

/// The same, where the marks of the first of the records may have been worked out before.
pub(super) fn decide_marked(
    (scope, wanted): (&Scope, Option<&[ElementId]>),
    (gathered, marked): (&[Gathered<'_>], &Marked<'_>),
    keys: &Keys,
) -> Release {
    let choices = choose((&scope.plan, &scope.allowance), wanted, (gathered, marked));
    let mut released = Vec::with_capacity(choices.len());
    for choice in &choices {
        released.extend(release(scope, choice, keys).map(|one| (choice.group, one)));
    }
    if scope.plan.shifts {
        // A time beside a day that was moved tells how far, in whichever answer it stands.
        released.iter_mut().for_each(|(_, one)| one.as_of = None);
    }
    Release {
        scope: scope.clone(),
        released: number(released),
        withheld: scope.plan.withheld(wanted),
    }
}

/// Down the ladder to the first treatment that takes the value.
fn release(scope: &Scope, choice: &Choice<'_>, keys: &Keys) -> Option<Released> {
    let element = &choice.planned.element;
    let department = scope.admission().department();
    let around = Surroundings {
        keys,
        department: department.as_str(),
        person: scope.person.as_ref(),
        tables: &scope.plan.shared.tables,
        domain: element.domain.as_deref(),
    };
    let mut rungs = choice.ruling.ladder.iter();
    let (tier, value) = rungs.find_map(|(tier, treatment)| {
        treat(*treatment, choice.value, around).map(|treated| (*tier, treated))
    })?;
    let record = choice.from.record;
    Some(Released {
        element: Arc::clone(element),
        tier,
        value,
        named: scope.plan.names(record.source),
        origin: record.source,
        dataset: record.dataset,
        // The minute of an admission says more than that there was one.
        as_of: Some(if tier == Tier::Full { choice.time } else { day(choice.time) }),
        group: None,
        within: choice.within,
        rules: Arc::clone(&choice.ruling.rules),
    })
}

/// The first second of its day, China Standard Time.
const fn day(seconds: i64) -> i64 {
    const EAST: i64 = 8 * 3600;
    let local = seconds.saturating_add(EAST);
    local.saturating_sub(local.rem_euclid(86_400)).saturating_sub(EAST)
}

/// Which record, which group.
type Place = Option<(usize, usize)>;

/// Numbers the groups from 1, and gives what two of them say alike once.
///
/// That there is a value is said once however many there are: a count would tell more.
fn number(released: Vec<(Place, Released)>) -> Vec<Released> {
    let mut out: Vec<Released> = Vec::with_capacity(released.len());
    let mut groups: Vec<Vec<Released>> = Vec::new();
    let mut places: HashMap<(usize, usize), usize> = HashMap::new();
    for (place, one) in released {
        let Some(place) = place else {
            out.push(one);
            continue;
        };
        if one.value == Treated::Present {
            if out.iter().all(|other| other.element.id != one.element.id) {
                out.push(one);
            }
            continue;
        }
        let index = *places.entry(place).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(index) {
            group.push(one);
        }
    }
    let alike = |left: &[Released], right: &[Released]| {
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(a, b)| a.element.id == b.element.id && a.value == b.value)
    };
    let mut kept: Vec<Vec<Released>> = Vec::new();
    for group in groups {
        if kept.iter().all(|other| !alike(other, &group)) {
            kept.push(group);
        }
    }
    for (index, group) in kept.into_iter().enumerate() {
        let number = u32::try_from(index + 1).ok();
        out.extend(group.into_iter().map(|one| Released { group: number, ..one }));
    }
    out
}
