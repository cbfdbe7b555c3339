//! 归并, from pairs to persons: the same whatever came first.
//!
//! Strongest links first; two groups join unless anybody of the one is apart from anybody
//! of the other. Ties are ended by the entries' own marks, never by their arrival.

use std::collections::{HashMap, HashSet};

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

/// Groups the entries of a component: for each the number of its group, which is that of
/// its first member.
///
/// `order` ends ties: a mark of each entry that does not depend on when it came.
#[must_use]
pub fn group(order: &[u64], links: &[Link]) -> Vec<usize> {
    let mut groups = Groups::new(order.len());
    for link in links.iter().filter(|link| link.verdict == Verdict::Apart) {
        groups.part(link.pair);
        if link.is_said() {
            groups.said.insert(sorted(link.pair));
        }
    }
    let mut sure: Vec<&Link> =
        links.iter().filter(|link| link.verdict == Verdict::Automatic).collect();
    let mark = |at: usize| order.get(at).copied().unwrap_or_default();
    let marks = |link: &Link| sorted((mark(link.pair.0), mark(link.pair.1)));
    sure.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| marks(a).cmp(&marks(b))));
    for link in sure {
        match link.is_said() {
            true => groups.join_as_said(link.pair),
            false => groups.join(link.pair),
        }
    }
    groups.numbers()
}

/// Groups that grow, and pairs that keep them apart.
pub(super) struct Groups {
    /// For each entry the key of its group, itself at first.
    group: Vec<usize>,
    /// By that key, who is in it; empty once it has gone into another.
    members: Vec<Vec<usize>>,
    apart: HashSet<(usize, usize)>,
    /// Of those, whom somebody said to be two.
    said: HashSet<(usize, usize)>,
    /// Whether anybody is apart from this entry: most are from nobody.
    parted: Vec<bool>,
}

impl Groups {
    /// Everybody alone.
    pub(super) fn new(entries: usize) -> Self {
        Self {
            group: (0..entries).collect(),
            members: (0..entries).map(|at| vec![at]).collect(),
            apart: HashSet::new(),
            said: HashSet::new(),
            parted: vec![false; entries],
        }
    }

    /// Two who are never in one group.
    pub(super) fn part(&mut self, pair: (usize, usize)) {
        self.apart.insert(sorted(pair));
        for at in [pair.0, pair.1] {
            if let Some(parted) = self.parted.get_mut(at) {
                *parted = true;
            }
        }
    }

    /// Joins the groups of two, unless somebody keeps them apart.
    pub(super) fn join(&mut self, pair: (usize, usize)) {
        if let Some((a, b)) = self.two(pair)
            && !self.barred((a, b), &self.apart)
        {
            self.unite(a, b);
        }
    }

    /// Joins the groups of two whom somebody said to be one: whoever said so knew what the
    /// numbers say, so only what another said speaks against it.
    fn join_as_said(&mut self, pair: (usize, usize)) {
        if let Some((a, b)) = self.two(pair)
            && !self.barred((a, b), &self.said)
        {
            self.unite(a, b);
        }
    }

    /// The groups of two, if they are not one.
    fn two(&self, pair: (usize, usize)) -> Option<(usize, usize)> {
        let (a, b) = (self.of(pair.0)?, self.of(pair.1)?);
        (a != b).then_some((a, b))
    }

    fn unite(&mut self, a: usize, b: usize) {
        // The smaller goes into the larger, so that nobody moves often.
        let (keep, go) = if self.size(a) >= self.size(b) { (a, b) } else { (b, a) };
        let moved = self.members.get_mut(go).map(std::mem::take).unwrap_or_default();
        for one in &moved {
            if let Some(slot) = self.group.get_mut(*one) {
                *slot = keep;
            }
        }
        if let Some(members) = self.members.get_mut(keep) {
            members.extend(moved);
        }
    }

    /// Whether somebody of the first one's group may also be somebody who is apart from the
    /// second one's: which of the two it is, nobody can tell.
    pub(super) fn rivals(
        &self,
        (one, other): (usize, usize),
        partners: &HashMap<usize, Vec<usize>>,
    ) -> bool {
        let (Some(one), Some(other)) = (self.of(one), self.of(other)) else { return false };
        let members = self.members.get(one).into_iter().flatten();
        let mut third =
            members.filter_map(|at| partners.get(at)).flatten().filter_map(|at| self.of(*at));
        third
            .any(|third| third != one && third != other && self.barred((third, other), &self.apart))
    }

    /// For each entry the first of its group.
    pub(super) fn numbers(&self) -> Vec<usize> {
        let first = |members: &Vec<usize>| members.iter().min().copied();
        let firsts: Vec<Option<usize>> = self.members.iter().map(first).collect();
        let number =
            |(at, group): (usize, &usize)| firsts.get(*group).copied().flatten().unwrap_or(at);
        self.group.iter().enumerate().map(number).collect()
    }

    fn of(&self, at: usize) -> Option<usize> {
        self.group.get(at).copied()
    }

    fn size(&self, group: usize) -> usize {
        self.members.get(group).map_or(0, Vec::len)
    }

    fn barred(&self, (a, b): (usize, usize), by: &HashSet<(usize, usize)>) -> bool {
        let parted = |group: usize| {
            let members = self.members.get(group).into_iter().flatten();
            members.filter(|at| self.parted.get(**at) == Some(&true))
        };
        parted(a).any(|one| parted(b).any(|other| by.contains(&sorted((*one, *other)))))
    }
}

fn sorted<T: Ord>((a, b): (T, T)) -> (T, T) {
    if a <= b { (a, b) } else { (b, a) }
}
