//! Chance that follows from a seed (splitmix64, Steele, Lea and Flood 2014).

use std::cell::Cell;

/// Where it stands.
pub struct Chance(Cell<u64>);

impl Chance {
    pub fn of(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    pub fn below(&self, most: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(most.max(1)).unwrap()).unwrap()
    }

    /// A number from one up to another.
    pub fn between(&self, (least, most): (u64, u64)) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// Whether what happens once in so many times happens.
    pub fn once_in(&self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these; `None` if there is none.
    pub fn of_these<'a, T>(&self, these: &'a [T]) -> Option<&'a T> {
        these.get(self.below(these.len()))
    }
}
