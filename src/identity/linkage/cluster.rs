//! 归并, from pairs to persons: the same whatever came first.
//!
//! Strongest links first; two groups join unless anybody of the one is apart from anybody
//! of the other. Ties are ended by the entries' own marks, never by their arrival.

use std::collections::{BTreeMap, BTreeSet};

use super::verdict::Verdict;

/// One pair of a component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// The two, as numbers of the component.
    pub pair: (usize, usize),
    /// What they are to each other.
    pub verdict: Verdict,
    /// How surely.
    pub weight: f64,
}

impl Link {
    /// Somebody said that they are one: no score and no rule speaks against it.
    #[must_use]
    pub const fn said_same(pair: (usize, usize)) -> Self {
        Self { pair, verdict: Verdict::Automatic, weight: f64::INFINITY }
    }

    /// Somebody said that they are two: no score and no rule outlives it.
    #[must_use]
    pub const fn said_apart(pair: (usize, usize)) -> Self {
        Self { pair, verdict: Verdict::Apart, weight: f64::INFINITY }
    }

    fn is_said(&self) -> bool {
        self.weight.is_infinite()
    }
}

/// Groups the entries of a component: for each the number of its group.
///
/// `order` ends ties: a mark of each entry that does not depend on when it came.
#[must_use]
pub fn group(order: &[u64], links: &[Link]) -> Vec<usize> {
    let mut group: Vec<usize> = (0..order.len()).collect();
    let mut members: BTreeMap<usize, Vec<usize>> =
        (0..order.len()).map(|at| (at, vec![at])).collect();
    let apart = links.iter().filter(|link| link.verdict == Verdict::Apart);
    let said: BTreeSet<_> =
        apart.clone().filter(|link| link.is_said()).map(|link| sorted(link.pair)).collect();
    let apart: BTreeSet<_> = apart.map(|link| sorted(link.pair)).collect();
    let mut sure: Vec<&Link> =
        links.iter().filter(|link| link.verdict == Verdict::Automatic).collect();
    let mark = |at: usize| order.get(at).copied().unwrap_or_default();
    let marks = |link: &Link| sorted((mark(link.pair.0), mark(link.pair.1)));
    sure.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| marks(a).cmp(&marks(b))));
    for link in sure {
        let group_of = |at: usize| group.get(at).copied();
        let (Some(keep), Some(go)) = (group_of(link.pair.0), group_of(link.pair.1)) else {
            continue;
        };
        if keep == go {
            continue;
        }
        let of = |number: usize| members.get(&number).map(Vec::as_slice).unwrap_or_default();
        // Whoever said that they are one knew what the numbers say.
        let bars = if link.is_said() { &said } else { &apart };
        let barred =
            |one: &usize| of(go).iter().any(|other| bars.contains(&sorted((*one, *other))));
        if of(keep).iter().any(barred) {
            continue;
        }
        let moved = members.remove(&go).unwrap_or_default();
        for one in &moved {
            if let Some(slot) = group.get_mut(*one) {
                *slot = keep;
            }
        }
        members.entry(keep).or_default().extend(moved);
    }
    group
}

fn sorted<T: Ord>((a, b): (T, T)) -> (T, T) {
    if a <= b { (a, b) } else { (b, a) }
}
