//! 计数保护, counts that tell of nobody: thresholds, noise, rounding, and cells withheld so that
//! no other can be computed.
//!
//! Every person has a secret number. The noise of a count follows from the sum of the numbers
//! of those counted (as the cell keys of the Australian Bureau of Statistics do) and from where
//! the count stands: which return, table and place. So it is another one wherever anything
//! differs. That two counts are equal, or are not, tells nothing of whether the same people were
//! counted, and their difference nothing of one person; a table that is made again of the same
//! people is the same. The noise is even, so that one count betrays whether it holds one person
//! more in at most one of `2 * noise + 1` cases. Totals are made noisy and rounded on their own;
//! they do not add up, and are not meant to.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// How counts are guarded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// A count below it is withheld.
    pub threshold: u64,
    /// Counts are multiples of it.
    pub base: u64,
    /// How far the noise goes either way.
    pub noise: u64,
    /// An area with fewer residents is crossed with nothing.
    pub residents_min: u64,
}

/// What counts nothing is guarded well.
impl Default for Guard {
    fn default() -> Self {
        Self { threshold: u64::MAX, base: 5, noise: 4, residents_min: u64::MAX }
    }
}

/// How many were counted, and the sum of their secret numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    /// How many.
    pub count: u64,
    /// The sum of their numbers.
    pub key: u64,
}

impl Cell {
    /// With one more.
    #[must_use]
    pub const fn and(self, number: u64) -> Self {
        Self { count: self.count + 1, key: self.key.wrapping_add(number) }
    }

    const fn joined(self, other: Self) -> Self {
        Self { count: self.count + other.count, key: self.key.wrapping_add(other.key) }
    }
}

/// The people of one table by where they stand in its dimensions.
pub type Cells = BTreeMap<Vec<String>, Cell>;

/// One published place: `None` stands for all of a dimension; a count of `None` is withheld.
pub type Published = (Vec<Option<String>>, Option<u64>);

impl Guard {
    /// Whether it guards anything.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.threshold >= 2 && self.base >= 2 && self.noise >= 2
    }

    /// A count as it may be told where it stands; `None` if it may not.
    #[must_use]
    pub fn told(&self, cell: Cell, stands: u64) -> Option<u64> {
        let noise = self.noise_of(mixed(cell.key) ^ stands);
        let noisy = cell.count.checked_add_signed(noise).unwrap_or(0);
        // Whether a count is withheld is noisy too: else its crossing of the threshold would tell.
        if cell.count < self.threshold || noisy < self.threshold {
            return None;
        }
        Some(noisy.saturating_add(self.base / 2) / self.base * self.base)
    }

    fn noise_of(&self, key: u64) -> i64 {
        let width = self.noise.saturating_mul(2).saturating_add(1);
        i64::try_from(mixed(key) % width).unwrap_or(0) - i64::try_from(self.noise).unwrap_or(0)
    }

    /// The table as it may be published under a name of its own. `area` says which dimension
    /// is one of areas, and `small` which of those are crossed with nothing.
    #[must_use]
    pub fn publish(
        &self,
        name: &str,
        (cells, dimensions): (&Cells, usize),
        (area, small): (Option<usize>, &BTreeSet<String>),
    ) -> Vec<Published> {
        let grid = Grid::new(cells, dimensions);
        let stands = |at: &[Option<String>]| hashed(name, at);
        let told = |at: &[String]| {
            let place: Vec<_> = at.iter().cloned().map(Some).collect();
            self.told(grid.cell(at), stands(&place))
        };
        let crossed = dimensions > 1;
        let too_small = |at: &[String]| {
            crossed && area.and_then(|index| at.get(index)).is_some_and(|name| small.contains(name))
        };
        let mut withheld: BTreeSet<Vec<String>> = BTreeSet::new();
        for at in grid.places() {
            if too_small(&at) || told(&at).is_none() {
                withheld.insert(at);
            }
        }
        // One alone of a line would be its total without the others.
        loop {
            let alone = grid.lines().into_iter().find_map(|line| {
                let hidden = line.iter().filter(|at| withheld.contains(*at)).count();
                let open = line.into_iter().filter(|at| !withheld.contains(at));
                (hidden == 1).then(|| open.min_by_key(|at| grid.cell(at).count))?
            });
            match alone {
                Some(at) => withheld.insert(at),
                None => break,
            };
        }
        let mut published: Vec<Published> = Vec::new();
        for at in grid.places() {
            let told = (!withheld.contains(&at)).then(|| told(&at)).flatten();
            published.push((at.into_iter().map(Some).collect(), told));
        }
        // Those with fewer dimensions behind those with more: a total is judged by its parts.
        for (at, cell) in grid.margins() {
            let count = self.told(cell, stands(&at));
            let count = count.filter(|total| !self.pins(*total, &at, &published));
            published.push((at, count));
        }
        published
    }

    /// Whether a total and those of its parts that are told say of the rest that it is less than
    /// may be told, the noise and the rounding of each as wide as they may be.
    fn pins(&self, total: u64, at: &[Option<String>], published: &[Published]) -> bool {
        let width = self.noise.saturating_add(self.base / 2);
        (0..at.len()).filter(|index| at.get(*index).is_some_and(Option::is_none)).any(|index| {
            let part = |(place, _): &&Published| {
                let same = |other: usize| place.get(other) == at.get(other);
                place.get(index).is_some_and(Option::is_some)
                    && (0..at.len()).all(|other| other == index || same(other))
            };
            let parts = published.iter().filter(part).map(|(_, count)| *count);
            let (mut open, mut slack, mut hidden) = (0_u64, width, false);
            for count in parts {
                hidden |= count.is_none();
                open = open.saturating_add(count.unwrap_or(0));
                slack = slack.saturating_add(count.map_or(0, |_| width));
            }
            hidden && total.saturating_add(slack) < open.saturating_add(self.threshold)
        })
    }
}

/// A finaliser of splitmix64 (Steele, Lea, Flood 2014): every bit of the sum counts.
const fn mixed(key: u64) -> u64 {
    let mut word = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Where a count stands, as a number (FNV-1a, RFC 9923); no secret.
fn hashed(name: &str, at: &[Option<String>]) -> u64 {
    let places = at.iter().flat_map(|place| {
        let text = place.as_deref().map_or(&[1][..], str::as_bytes);
        std::iter::once(&0_u8).chain(text)
    });
    name.as_bytes().iter().chain(places).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// All places of a table, those of nobody too: that a place is empty is not told either.
struct Grid<'a> {
    cells: &'a Cells,
    names: Vec<Vec<String>>,
}

impl<'a> Grid<'a> {
    fn new(cells: &'a Cells, dimensions: usize) -> Self {
        let of = |index: usize| {
            let names: BTreeSet<_> = cells.keys().filter_map(|at| at.get(index)).collect();
            names.into_iter().cloned().collect()
        };
        Self { cells, names: (0..dimensions).map(of).collect() }
    }

    fn cell(&self, at: &[String]) -> Cell {
        self.cells.get(at).copied().unwrap_or_default()
    }

    fn places(&self) -> Vec<Vec<String>> {
        self.names.iter().fold(vec![Vec::new()], |before, names| {
            let with = |at: &Vec<String>, name: &String| {
                at.iter().chain([name]).cloned().collect::<Vec<String>>()
            };
            before.iter().flat_map(|at| names.iter().map(move |name| with(at, name))).collect()
        })
    }

    /// Places that a published total sums up.
    fn lines(&self) -> Vec<Vec<Vec<String>>> {
        let places = self.places();
        if self.names.len() < 2 {
            return vec![places];
        }
        let mut lines: BTreeMap<(usize, &String), Vec<Vec<String>>> = BTreeMap::new();
        for at in &places {
            for (index, name) in at.iter().enumerate() {
                lines.entry((index, name)).or_default().push(at.clone());
            }
        }
        lines.into_values().collect()
    }

    /// The totals: of each line, and of all.
    fn margins(&self) -> Vec<(Vec<Option<String>>, Cell)> {
        let mut margins: BTreeMap<Vec<Option<String>>, Cell> = BTreeMap::new();
        let width = self.names.len();
        for (at, cell) in self.cells {
            let mut add = |place: Vec<Option<String>>| {
                let sum = margins.entry(place).or_default();
                *sum = sum.joined(*cell);
            };
            add(vec![None; width]);
            if width > 1 {
                for (index, name) in at.iter().enumerate() {
                    let mut place = vec![None; width];
                    if let Some(slot) = place.get_mut(index) {
                        *slot = Some(name.clone());
                    }
                    add(place);
                }
            }
        }
        let mut margins: Vec<_> = margins.into_iter().collect();
        margins.sort_by_key(|(at, _)| at.iter().filter(|place| place.is_none()).count());
        margins
    }
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
