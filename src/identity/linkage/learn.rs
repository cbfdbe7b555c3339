//! 学习, weights of the population at hand, learned without truth.
//!
//! How often records of one person agree is seen in pairs that share something else which
//! is as good as proof (anchors); how often strangers do, in pairs drawn at random.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{BirthLevel, CitizenLevel, Comparison, NameLevel, ThingLevel, compare};
use super::traits::{Hint, Mark, Traits};
use super::weights::{FIELDS, ONE_PERSON, STRANGERS, Table, Weights, levels};

/// How many pairs an assumption counts as.
const ASSUMED: f64 = 200.0;
/// How many pairs of strangers are looked at.
const STRANGERS_MAX: usize = 400_000;

/// Two divisions, the lesser first.
type Divisions = (Hint, Hint);

/// A compared pair with the divisions of the two, where both have one.
struct Compared {
    how: Comparison,
    divisions: Option<Divisions>,
}

impl Weights {
    /// Learns from a population: its traits, and pairs of them that share a key.
    #[must_use]
    pub fn learn(all: &[Traits], pairs: &[(u32, u32)]) -> Self {
        let at = |index: u32| all.get(usize::try_from(index).ok()?);
        let compared = pairs.iter().filter_map(|(a, b)| Some(Compared::of(at(*a)?, at(*b)?)));
        let mut compared: Vec<Compared> = compared.collect();
        let renamed = renamed(&compared);
        for pair in &mut compared {
            if pair.divisions.is_some_and(|divisions| renamed.contains(&divisions)) {
                pair.how.division = ThingLevel::Same;
            }
        }
        let mut one = scaled(&ONE_PERSON);
        for Compared { how, .. } in &compared {
            count(&mut one, how, |field| is_anchored(how, field));
        }
        let mut two = scaled(&STRANGERS);
        let drawn = strangers_of(all).map(|(a, b)| compare(a, b).0);
        // Of few records many a pair is one person's; counted here, it would be held to be
        // usual among strangers.
        for how in drawn.filter(|how| !is_anchored(how, "") && !is_anchored(how, "citizen-id")) {
            count(&mut two, &how, |_| true);
        }
        let anchored = compared.iter().filter(|pair| is_anchored(&pair.how, ""));
        let prior = prior(all.len(), anchored.count());
        let mut weights = Self::of(&shares(one), &shares(two), prior);
        weights.namesakes = namesakes(&compared);
        weights.renamed = renamed;
        weights.frequent = frequent(all);
        weights
    }
}

impl Compared {
    fn of(a: &Traits, b: &Traits) -> Self {
        let divisions = a.division.zip(b.division).map(|(a, b)| (a.min(b), a.max(b)));
        Self { how: compare(a, b).0, divisions }
    }
}

/// Logarithm of the odds that two drawn at random are one person.
fn prior(people: usize, found: usize) -> f64 {
    let (people, found) = (people.max(2) as f64, found.max(1) as f64);
    (found / (people * (people - 1.0) / 2.0)).ln()
}

/// The share of strangers among namesakes of one birthday and division, by their ids.
///
/// Begins at three of a hundred, so that only a population that shows otherwise tells them.
fn namesakes(compared: &[Compared]) -> f64 {
    let (mut one, mut two) = (50.0, 1.5);
    for Compared { how, .. } in compared {
        let bare = [how.card, how.phone, how.site].iter().all(|level| *level != ThingLevel::Same);
        let namesakes = how.name == NameLevel::Same && how.birth == BirthLevel::Same;
        if bare && namesakes && how.division == ThingLevel::Same {
            one += f64::from(u8::from(how.citizen == CitizenLevel::Same));
            two += f64::from(u8::from(how.citizen == CitizenLevel::Two));
        }
    }
    two / (one + two)
}

/// Whether the other fields alone are as good as proof.
fn is_anchored(how: &Comparison, field: &str) -> bool {
    let same = [
        field != "name" && how.name == NameLevel::Same,
        field != "birth-date" && how.birth == BirthLevel::Same,
        field != "card" && how.card == ThingLevel::Same,
        field != "phone" && how.phone == ThingLevel::Same,
        field != "address" && how.site == ThingLevel::Same,
    ];
    let others = same.iter().filter(|same| **same).count();
    if field != "citizen-id" {
        return how.citizen == CitizenLevel::Same && others >= 1;
    }
    how.name == NameLevel::Same && how.birth == BirthLevel::Same && others >= 3
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

fn count(table: &mut Table, how: &Comparison, counts: impl Fn(&str) -> bool) {
    for ((row, field), (place, _)) in table.iter_mut().zip(FIELDS).zip(levels(how)) {
        if let Some(slot) = place.and_then(|at| row.get_mut(at))
            && counts(field)
        {
            *slot += 1.0;
        }
    }
}

/// Divisions that stand beside each other in anchors far more often than by moving house.
fn renamed(compared: &[Compared]) -> BTreeSet<Divisions> {
    let mut pairs: BTreeMap<Divisions, usize> = BTreeMap::new();
    let mut single: BTreeMap<Hint, usize> = BTreeMap::new();
    for Compared { how, divisions } in compared {
        let Some((a, b)) = *divisions else { continue };
        if !is_anchored(how, "") || how.site == ThingLevel::Other {
            continue;
        }
        *pairs.entry((a, b)).or_default() += 1;
        *single.entry(a).or_default() += 1;
        *single.entry(b).or_default() += 1;
    }
    let often = |(pair, seen): (&Divisions, &usize)| {
        let rarer = single.get(&pair.0).min(single.get(&pair.1)).copied().unwrap_or(0);
        (pair.0 != pair.1 && *seen >= 3 && *seen * 5 >= rarer).then_some(*pair)
    };
    pairs.iter().filter_map(often).collect()
}

/// Pairs at steps that share no factor with the size: as good as drawn at random, and the
/// same for the same population.
fn strangers_of(all: &[Traits]) -> impl Iterator<Item = (&Traits, &Traits)> {
    let size = all.len();
    let rounds = (STRANGERS_MAX / size.max(1)).clamp(1, 200).min(size / 2);
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
