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

/// Groups the entries of a component: for each the number of its group.
///
/// `order` ends ties: a mark of each entry that does not depend on when it came.
#[must_use]
pub fn group(order: &[u64], links: &[Link]) -> Vec<usize> {
    let mut group: Vec<usize> = (0..order.len()).collect();
    let mut members: BTreeMap<usize, Vec<usize>> =
        (0..order.len()).map(|at| (at, vec![at])).collect();
    let apart: BTreeSet<(usize, usize)> = links
        .iter()
        .filter(|link| link.verdict == Verdict::Apart)
        .map(|link| sorted(link.pair))
        .collect();
    let mut sure: Vec<&Link> =
        links.iter().filter(|link| link.verdict == Verdict::Automatic).collect();
    let mark = |at: usize| order.get(at).copied().unwrap_or_default();
    let marks = |link: &Link| sorted((mark(link.pair.0), mark(link.pair.1)));
    sure.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| marks(a).cmp(&marks(b))));
    for link in sure {
        let (Some(a), Some(b)) = (group.get(link.pair.0).copied(), group.get(link.pair.1).copied())
        else {
            continue;
        };
        if a == b {
            continue;
        }
        let (left, right) = (
            members.get(&a).cloned().unwrap_or_default(),
            members.get(&b).cloned().unwrap_or_default(),
        );
        let barred = left
            .iter()
            .any(|one| right.iter().any(|other| apart.contains(&sorted((*one, *other)))));
        if barred {
            continue;
        }
        for one in &right {
            if let Some(slot) = group.get_mut(*one) {
                *slot = a;
            }
        }
        members.entry(a).or_default().extend(right);
        members.remove(&b);
    }
    group
}

fn sorted<T: Ord>((a, b): (T, T)) -> (T, T) {
    if a <= b { (a, b) } else { (b, a) }
}
