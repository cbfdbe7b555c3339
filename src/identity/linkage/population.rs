//! A whole population at once: who may be whom, weights of its own, its persons.

use std::collections::HashMap;

use super::cluster::{Groups, group};
use super::compare::{NameLevel, SexLevel};
use super::traits::{Mark, Traits};
use super::verdict::{Rule, Verdict};
use super::weights::Weights;
use super::{Judged, decide};

/// A key that more share than this says nothing of anybody.
pub const SHARED_MAX: usize = 200;
/// From which weight on what is queued is more likely than not: even odds.
const LIKELY_FROM: f64 = 0.0;

/// Entries with the pairs of them worth a look.
pub struct Population<'a> {
    traits: &'a [Traits],
    pairs: Vec<(u32, u32)>,
    weights: Weights,
}

/// What became of a population.
pub struct Persons {
    /// For each entry the number of its person: the first entry of it.
    pub automatic: Vec<usize>,
    /// Pairs of different persons that somebody should look at, the surest first.
    pub review: Vec<((usize, usize), Judged)>,
    /// Pairs that are two people.
    apart: Vec<(usize, usize)>,
}

impl<'a> Population<'a> {
    /// Finds the pairs and learns what agreements are worth here.
    #[must_use]
    pub fn learn(traits: &'a [Traits]) -> Self {
        let pairs = pairs(traits);
        let weights = Weights::learn(traits, &pairs);
        Self { traits, pairs, weights }
    }

    /// Finds the pairs; what agreements are worth was learned elsewhere.
    #[must_use]
    pub fn weighed(traits: &'a [Traits], weights: Weights) -> Self {
        Self { traits, pairs: pairs(traits), weights }
    }

    /// What agreements are worth here.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// How many pairs are worth a look.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// Groups the entries. `order` ends ties: a mark of each entry that does not depend on
    /// where it stands.
    #[must_use]
    pub fn persons(&self, order: &[u64]) -> Persons {
        let mut links = Vec::new();
        let mut judged = Vec::new();
        for (a, b) in &self.pairs {
            let pair = (index(*a), index(*b));
            let (Some(one), Some(other)) = (self.traits.get(pair.0), self.traits.get(pair.1))
            else {
                continue;
            };
            let found = decide(&self.weights, one, other);
            let link = found.link(pair);
            if matches!(link.verdict, Verdict::Automatic | Verdict::Apart) {
                links.push(link);
            }
            if found.verdict >= Verdict::Review {
                judged.push((pair, found));
            }
        }
        let automatic = group(order, &links);
        let apart = links.iter().filter(|link| link.verdict == Verdict::Apart);
        let apart = apart.map(|link| link.pair).collect();
        let person = |at: usize| automatic.get(at).copied();
        judged.retain(|(pair, _)| person(pair.0) != person(pair.1));
        judged.sort_by(|a, b| b.1.weight.total_cmp(&a.1.weight));
        Persons { automatic, review: judged, apart }
    }
}

impl Persons {
    /// The persons if what is most likely in the queue were confirmed: by a rule that is
    /// seldom wrong, and where nobody else comes into question who is another person. Not
    /// for records that are served; a figure to compare matchers by.
    #[must_use]
    pub fn likely(&self) -> Vec<usize> {
        let mut groups = Groups::new(self.automatic.len());
        for (at, first) in self.automatic.iter().enumerate() {
            groups.join((*first, at));
        }
        // A number given anew has the old one against it in every other pair: those first.
        for (pair, found) in &self.review {
            if is_anew(found) {
                groups.join(*pair);
            }
        }
        self.apart.iter().for_each(|pair| groups.part(*pair));
        let mut partners: HashMap<usize, Vec<usize>> = HashMap::new();
        for ((a, b), _) in &self.review {
            partners.entry(*a).or_default().push(*b);
            partners.entry(*b).or_default().push(*a);
        }
        for ((a, b), found) in &self.review {
            let rivals = groups.rivals((*a, *b), &partners) || groups.rivals((*b, *a), &partners);
            if is_sound(found) && !rivals {
                groups.join((*a, *b));
            }
        }
        groups.numbers()
    }
}

/// Whether a rule is seldom wrong, and here more likely right than not.
fn is_sound(found: &Judged) -> bool {
    let seldom = matches!(found.rule, Rule::NameAndBirthday | Rule::TooLittle | Rule::Doubtful);
    let fits =
        found.comparison.name <= NameLevel::Married && found.comparison.sex != SexLevel::Other;
    seldom && fits && found.weight >= LIKELY_FROM
}

/// Whether a number seems to have been given anew. Twins' names may sound alike, and their
/// numbers differ in as little.
fn is_anew(found: &Judged) -> bool {
    found.rule == Rule::Reissued && found.comparison.name == NameLevel::Same
}

/// Every two that share a key.
fn pairs(traits: &[Traits]) -> Vec<(u32, u32)> {
    let mut holders: HashMap<Mark, Vec<u32>> = HashMap::new();
    for (at, entry) in (0_u32..).zip(traits) {
        for key in &entry.keys {
            holders.entry(*key).or_default().push(at);
        }
    }
    let mut pairs = Vec::new();
    for (at, entry) in (0_u32..).zip(traits) {
        for key in entry.keys.iter().chain(&entry.probes) {
            let others = holders.get(key).filter(|others| others.len() <= SHARED_MAX);
            let others = others.into_iter().flatten().filter(|other| **other != at);
            pairs.extend(others.map(|other| (at.min(*other), at.max(*other))));
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
