//! 权重, what an agreement is worth: natural logarithms of likelihood ratios.
//!
//! Learned from the population at hand, without truth: how often records of one person
//! agree is seen in pairs that share something else which is as good as proof (anchors);
//! how often strangers do, in pairs drawn at random. Fellegi and Sunter 1969.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::compare::{
    BirthLevel, CitizenLevel, Comparison, NameLevel, SexLevel, Shared, ThingLevel, compare,
};
use super::traits::{Mark, Traits};

/// The fields of a comparison, in the order an explanation lists them.
pub const FIELDS: [&str; 9] =
    ["citizen-id", "name", "birth-date", "sex", "card", "phone", "address", "division", "assigned"];
const LEVELS: usize = 9;

/// What strangers and one person's records are assumed to show before anything is learned:
/// for each field and level, (how often one person's records, how often strangers).
type Table = [[f64; LEVELS]; 9];

/// Before anything is learned. Sums need not be one: a level nobody has seen keeps its part.
const ONE_PERSON: Table = [
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
    [0.99, 0.0, 0.01, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
];
const STRANGERS: Table = [
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
/// How many pairs an assumption counts as.
const ASSUMED: f64 = 200.0;
/// A share is never less: nothing is impossible.
const LEAST: f64 = 1e-7;

/// What agreements are worth in one population.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    table: Table,
    /// How much rarer or more frequent than the average what they share is, by its mark;
    /// only what is more frequent is kept.
    frequent: BTreeMap<Mark, f64>,
    /// Divisions that one place had one after the other.
    renamed: BTreeSet<(u32, u32)>,
    /// Logarithm of the odds that two records drawn at random are one person's.
    prior: f64,
    /// Of pairs with one name, birthday and division and nothing else in common, how many
    /// are two people: seen where both have proven citizen ids.
    namesakes: f64,
}

/// What one field adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    pub field: &'static str,
    pub level: &'static str,
    pub weight: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self::of(&ONE_PERSON, &STRANGERS, -11.0)
    }
}

impl Weights {
    fn of(one: &Table, strangers: &Table, prior: f64) -> Self {
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
        self.prior
            + self.contributions(comparison, shared).iter().map(|part| part.weight).sum::<f64>()
    }

    /// What each field adds, in the order of [`FIELDS`].
    #[must_use]
    pub fn contributions(&self, comparison: &Comparison, shared: &Shared) -> Vec<Contribution> {
        let levels = levels(comparison);
        let named = named(comparison);
        let all = FIELDS.iter().zip(self.table).zip(levels.into_iter().zip(named));
        all.map(|((field, row), (level, name))| {
            let weight = level.and_then(|at| row.get(at).copied()).unwrap_or(0.0);
            let common = match *field {
                "name" => shared.name.or(shared.reading),
                "phone" => shared.phone,
                "address" => shared.site,
                "card" => shared.card,
                _ => None,
            };
            let less = common.and_then(|mark| self.frequent.get(&mark)).copied().unwrap_or(0.0);
            Contribution { field, level: name, weight: weight - less }
        })
        .collect()
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
        match comparison.division == ThingLevel::Other
            && self.renamed.contains(&(a.min(b), a.max(b)))
        {
            true => Comparison { division: ThingLevel::Same, ..comparison },
            false => comparison,
        }
    }

    /// Learns from a population: its traits, and pairs of them that share a key.
    #[must_use]
    pub fn learn(all: &[Traits], pairs: &[(u32, u32)]) -> Self {
        let at = |index: u32| all.get(usize::try_from(index).ok()?);
        let compared: Vec<_> = pairs
            .iter()
            .filter_map(|(a, b)| {
                let (a, b) = (at(*a)?, at(*b)?);
                Some((compare(a, b).0, (a.division, b.division)))
            })
            .collect();
        let renamed = renamed(&compared);
        let mut one = scaled(&ONE_PERSON);
        for (comparison, divisions) in &compared {
            let divisions = divisions.0.zip(divisions.1).map(|(a, b)| (a.min(b), a.max(b)));
            let same = divisions.is_some_and(|pair| renamed.contains(&pair));
            let mut comparison = *comparison;
            if same {
                comparison.division = ThingLevel::Same;
            }
            count(&mut one, &comparison, |field| anchored(&comparison, field));
        }
        let mut strangers = scaled(&STRANGERS);
        for (a, b) in strangers_of(all) {
            let comparison = compare(a, b).0;
            count(&mut strangers, &comparison, |_| true);
        }
        let people = all.len().max(2) as f64;
        let found = compared.iter().filter(|(c, _)| anchored(c, "")).count().max(1) as f64;
        let prior = (found / (people * (people - 1.0) / 2.0)).ln();
        let mut weights = Self::of(&shares(one), &shares(strangers), prior);
        weights.namesakes = namesakes(&compared, &renamed);
        weights.renamed = renamed;
        weights.frequent = frequent(all);
        weights
    }
}

/// At most so many of a hundred namesakes of one division may be strangers.
const NAMESAKES_MAX: f64 = 0.02;

/// The share of strangers among namesakes of one birthday and division.
fn namesakes(
    compared: &[(Comparison, (Option<u32>, Option<u32>))],
    renamed: &BTreeSet<(u32, u32)>,
) -> f64 {
    let (mut one, mut two) = (50.0, 1.0);
    for (comparison, divisions) in compared {
        let here = comparison.division == ThingLevel::Same
            || divisions
                .0
                .zip(divisions.1)
                .is_some_and(|(a, b)| renamed.contains(&(a.min(b), a.max(b))));
        let bare = [comparison.card, comparison.phone, comparison.site]
            .iter()
            .all(|level| *level != ThingLevel::Same);
        if here
            && bare
            && comparison.name == NameLevel::Same
            && comparison.birth == BirthLevel::Same
        {
            one += f64::from(u8::from(comparison.citizen == CitizenLevel::Same));
            two += f64::from(u8::from(comparison.citizen == CitizenLevel::Two));
        }
    }
    two / (one + two)
}

/// Whether the other fields alone are as good as proof.
fn anchored(comparison: &Comparison, field: &str) -> bool {
    let id = field != "citizen-id" && comparison.citizen == CitizenLevel::Same;
    let same = [
        field != "name" && comparison.name == NameLevel::Same,
        field != "birth-date" && comparison.birth == BirthLevel::Same,
        field != "card" && comparison.card == ThingLevel::Same,
        field != "phone" && comparison.phone == ThingLevel::Same,
        field != "address" && comparison.site == ThingLevel::Same,
    ];
    let others = same.iter().filter(|same| **same).count();
    match id {
        true => others >= 1,
        false => {
            field == "citizen-id"
                && comparison.name == NameLevel::Same
                && comparison.birth == BirthLevel::Same
                && others >= 3
        }
    }
}

fn scaled(table: &Table) -> Table {
    table.map(|row| row.map(|share| share * ASSUMED))
}

fn shares(table: Table) -> Table {
    table.map(|row| {
        let sum: f64 = row.iter().sum();
        row.map(|count| if sum > 0.0 { count / sum } else { 0.0 })
    })
}

fn count(table: &mut Table, comparison: &Comparison, counts: impl Fn(&str) -> bool) {
    for ((row, field), level) in table.iter_mut().zip(FIELDS).zip(levels(comparison)) {
        if let Some(slot) = level.and_then(|at| row.get_mut(at))
            && counts(field)
        {
            *slot += 1.0;
        }
    }
}

/// The number of each field's level; none where it is missing.
fn levels(comparison: &Comparison) -> [Option<usize>; 9] {
    let thing = |level: ThingLevel| (level != ThingLevel::Missing).then_some(level as usize);
    [
        (comparison.citizen != CitizenLevel::Missing).then_some(comparison.citizen as usize),
        (comparison.name != NameLevel::Missing).then_some(comparison.name as usize),
        (comparison.birth != BirthLevel::Missing).then_some(comparison.birth as usize),
        (comparison.sex != SexLevel::Missing).then_some(comparison.sex as usize),
        thing(comparison.card),
        thing(comparison.phone),
        thing(comparison.site),
        thing(comparison.division),
        thing(comparison.assigned),
    ]
}

fn named(comparison: &Comparison) -> [&'static str; 9] {
    let thing = |level: ThingLevel| match level {
        ThingLevel::Same => "same",
        ThingLevel::Near => "near",
        ThingLevel::Other => "other",
        ThingLevel::Missing => "missing",
    };
    [
        match comparison.citizen {
            CitizenLevel::Same => "same",
            CitizenLevel::Borrowed => "borrowed",
            CitizenLevel::Near => "near",
            CitizenLevel::Two => "two",
            CitizenLevel::Other => "other",
            CitizenLevel::Missing => "missing",
        },
        match comparison.name {
            NameLevel::Same => "same",
            NameLevel::Heard => "heard-alike",
            NameLevel::Cut => "cut",
            NameLevel::Married => "married",
            NameLevel::OneOff => "one-character",
            NameLevel::Surname => "surname",
            NameLevel::Other => "other",
            NameLevel::Missing => "missing",
        },
        match comparison.birth {
            BirthLevel::Same => "same",
            BirthLevel::OtherCalendar => "other-calendar",
            BirthLevel::YearOff => "year-off",
            BirthLevel::Swapped => "swapped",
            BirthLevel::OneDigit => "one-digit",
            BirthLevel::Default => "default",
            BirthLevel::Year => "year",
            BirthLevel::Other => "other",
            BirthLevel::Missing => "missing",
        },
        match comparison.sex {
            SexLevel::Same => "same",
            SexLevel::Other => "other",
            SexLevel::Missing => "missing",
        },
        thing(comparison.card),
        thing(comparison.phone),
        thing(comparison.site),
        thing(comparison.division),
        thing(comparison.assigned),
    ]
}

/// Divisions that stand beside each other in anchors far more often than by moving house.
fn renamed(compared: &[(Comparison, (Option<u32>, Option<u32>))]) -> BTreeSet<(u32, u32)> {
    let mut pairs: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let mut single: BTreeMap<u32, usize> = BTreeMap::new();
    for (comparison, divisions) in compared {
        let (Some(a), Some(b)) = *divisions else { continue };
        if !anchored(comparison, "") || comparison.site == ThingLevel::Other {
            continue;
        }
        *pairs.entry((a.min(b), a.max(b))).or_default() += 1;
        *single.entry(a).or_default() += 1;
        *single.entry(b).or_default() += 1;
    }
    let often = |((a, b), seen): (&(u32, u32), &usize)| {
        let rarer = single.get(a).min(single.get(b)).copied().unwrap_or(0);
        (a != b && *seen >= 3 && *seen * 5 >= rarer).then_some((*a, *b))
    };
    pairs.iter().filter_map(often).collect()
}

/// How many pairs of strangers are looked at.
const STRANGERS_MAX: usize = 400_000;

/// Pairs at steps that share no factor with the size: as good as drawn at random, and the
/// same for the same population.
fn strangers_of(all: &[Traits]) -> impl Iterator<Item = (&Traits, &Traits)> {
    let size = all.len();
    let rounds = (STRANGERS_MAX / size.max(1)).clamp(1, 200);
    (1..=rounds).flat_map(move |round| {
        let step = (round * 7919 + round * round) % size.max(1);
        all.iter().enumerate().filter_map(move |(at, traits)| {
            let other = (at + step) % size;
            (other > at).then(|| all.get(other)).flatten().map(|other| (traits, other))
        })
    })
}

/// What is shared by more than the average: the logarithm of how many times more.
fn frequent(all: &[Traits]) -> BTreeMap<Mark, f64> {
    let mut frequent = BTreeMap::new();
    let lists: [fn(&Traits) -> Vec<Mark>; 5] = [
        |traits| traits.names.iter().map(|name| name.whole).collect(),
        |traits| traits.names.iter().flat_map(|name| name.readings.clone()).collect(),
        |traits| traits.phones.clone(),
        |traits| traits.sites.iter().map(|site| site.whole).collect(),
        |traits| traits.cards.iter().map(|card| card.whole).collect(),
    ];
    for list in lists {
        let mut counts: BTreeMap<Mark, f64> = BTreeMap::new();
        let mut sum = 0.0;
        for mark in all.iter().flat_map(list) {
            *counts.entry(mark).or_default() += 1.0;
            sum += 1.0;
        }
        // The chance that two drawn at random are the same is what the weight stands for.
        let average: f64 =
            counts.values().map(|count| count * count).sum::<f64>() / f64::max(sum, 1.0);
        let more = counts.into_iter().filter(|(_, count)| *count > average * 1.5);
        frequent.extend(more.map(|(mark, count)| (mark, (count / average).ln())));
    }
    frequent
}
