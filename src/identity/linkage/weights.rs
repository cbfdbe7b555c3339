//! 权重, what an agreement is worth: natural logarithms of likelihood ratios.
//!
//! Fellegi and Sunter 1969: how much oftener records of one person agree so than records of
//! two. What nobody has learned yet is assumed here; see [`super::learn`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::compare::{Comparison, Shared, ThingLevel};
use super::traits::{Hint, Mark, Traits};

/// The fields of a comparison, in the order an explanation lists them.
pub const FIELDS: [&str; 9] =
    ["citizen-id", "name", "birth-date", "sex", "card", "phone", "address", "division", "assigned"];
pub(super) const LEVELS: usize = 9;

/// For each field and level how often it is seen.
pub(super) type Table = [[f64; LEVELS]; 9];

/// How one person's records are assumed to agree. Sums need not be one: a level nobody has
/// seen keeps its part.
pub(super) const ONE_PERSON: Table = [
    // same, borrowed, near, two, other
    [0.90, 0.004, 0.04, 0.005, 0.03, 0.0, 0.0, 0.0, 0.0],
    // same, heard, cut, married, one off, surname, other
    [0.90, 0.05, 0.01, 0.005, 0.005, 0.01, 0.005, 0.0, 0.0],
    // same, other calendar, year off, swapped, one digit, default, year, other
    [0.90, 0.03, 0.01, 0.003, 0.01, 0.01, 0.002, 0.005, 0.0],
    // same, other
    [0.99, 0.01, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    // same, near, other
    [0.95, 0.02, 0.03, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.60, 0.0, 0.40, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.65, 0.05, 0.30, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.85, 0.0, 0.15, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.30, 0.0, 0.70, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
];
/// How two strangers are assumed to agree.
pub(super) const STRANGERS: Table = [
    [1e-7, 1e-6, 1e-6, 0.90, 0.10, 0.0, 0.0, 0.0, 0.0],
    [5e-4, 5e-4, 2e-4, 1e-3, 5e-3, 0.05, 0.94, 0.0, 0.0],
    [6e-5, 1e-4, 2e-4, 5e-5, 1e-3, 1e-3, 0.03, 0.97, 0.0],
    [0.50, 0.50, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [1e-6, 1e-5, 0.99, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [1e-5, 0.0, 0.99, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [1e-5, 0.02, 0.98, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.05, 0.0, 0.95, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [1e-6, 0.0, 0.99, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
];
/// A share is never less: nothing is impossible.
const LEAST: f64 = 1e-7;

/// What agreements are worth in one population.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    table: Table,
    /// How much more frequent than the average what they share is, by its mark: the
    /// logarithm of how many times.
    pub(super) frequent: BTreeMap<Mark, f64>,
    /// Divisions that one place had one after the other.
    pub(super) renamed: BTreeSet<(Hint, Hint)>,
    /// Logarithm of the odds that two records drawn at random are one person's.
    prior: f64,
    /// Of pairs with one name, birthday and division and nothing else in common, how many
    /// are two people: seen where both have proven citizen ids.
    pub(super) namesakes: f64,
}

/// Shows no token.
impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weights")
            .field("table", &self.table)
            .field("frequent", &self.frequent.len())
            .field("renamed", &self.renamed.len())
            .field("prior", &self.prior)
            .field("namesakes", &self.namesakes)
            .finish()
    }
}

/// What one field adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// One of [`FIELDS`].
    pub field: &'static str,
    /// How the two agree in it.
    pub level: &'static str,
    /// What that adds to the weight.
    pub weight: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self::of(&ONE_PERSON, &STRANGERS, -11.0)
    }
}

impl Weights {
    /// Weights of what one person's records and what strangers show.
    pub(super) fn of(one: &Table, strangers: &Table, prior: f64) -> Self {
        let mut table = [[0.0; LEVELS]; 9];
        for (row, (one, strangers)) in table.iter_mut().zip(one.iter().zip(strangers)) {
            for (slot, (one, strangers)) in row.iter_mut().zip(one.iter().zip(strangers)) {
                if *one > 0.0 || *strangers > 0.0 {
                    *slot = (one.max(LEAST) / strangers.max(LEAST)).ln();
                }
            }
        }
        Self { table, frequent: BTreeMap::new(), renamed: BTreeSet::new(), prior, namesakes: 1.0 }
    }

    /// The weight of a comparison: the logarithm of the odds that it is one person.
    #[must_use]
    pub fn weigh(&self, comparison: &Comparison, shared: &Shared) -> f64 {
        let added = self.parts(comparison, shared);
        self.prior + added.map(|part| part.weight).sum::<f64>()
    }

    /// What each field adds, in the order of [`FIELDS`].
    #[must_use]
    pub fn contributions(&self, comparison: &Comparison, shared: &Shared) -> Vec<Contribution> {
        self.parts(comparison, shared).collect()
    }

    fn parts(
        &self,
        comparison: &Comparison,
        shared: &Shared,
    ) -> impl Iterator<Item = Contribution> {
        let common = [None, shared.name.or(shared.reading), None, None, shared.card]
            .into_iter()
            .chain([shared.phone, shared.site, None, None]);
        let levels = levels(comparison).into_iter().zip(common);
        FIELDS.iter().zip(&self.table).zip(levels).map(|((field, row), (level, common))| {
            let (place, level) = level;
            let weight = place.and_then(|at| row.get(at).copied()).unwrap_or(0.0);
            let less = common.and_then(|mark| self.frequent.get(&mark)).copied().unwrap_or(0.0);
            Contribution { field, level, weight: weight - less }
        })
    }

    /// Whether name, birthday and division alone are enough here: the name is not one that
    /// many have, and people who share all three are nearly always one.
    #[must_use]
    pub fn tells_namesakes(&self, shared: &Shared) -> bool {
        let rare = shared.name.is_some_and(|mark| !self.frequent.contains_key(&mark));
        rare && self.namesakes <= NAMESAKES_MAX
    }

    /// The comparison with divisions of another time taken as the same.
    #[must_use]
    pub fn renamed(&self, a: &Traits, b: &Traits, comparison: Comparison) -> Comparison {
        let (Some(a), Some(b)) = (a.division, b.division) else { return comparison };
        let same = comparison.division == ThingLevel::Other
            && self.renamed.contains(&(a.min(b), a.max(b)));
        if same { Comparison { division: ThingLevel::Same, ..comparison } } else { comparison }
    }
}

/// The place and the name of each field's level, in the order of [`FIELDS`].
pub(super) fn levels(comparison: &Comparison) -> [(Option<usize>, &'static str); 9] {
    let Comparison { citizen, name, birth, sex, .. } = *comparison;
    let thing = |level: ThingLevel| (level.place(), level.as_str());
    [
        (citizen.place(), citizen.as_str()),
        (name.place(), name.as_str()),
        (birth.place(), birth.as_str()),
        (sex.place(), sex.as_str()),
        thing(comparison.card),
        thing(comparison.phone),
        thing(comparison.site),
        thing(comparison.division),
        thing(comparison.assigned),
    ]
}

/// At most so many of a hundred namesakes of one division may be strangers.
const NAMESAKES_MAX: f64 = 0.02;
