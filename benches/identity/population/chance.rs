//! Seeded chance: the same seed makes the same population on every machine.

/// xoshiro256++ whose state splitmix64 fills, both by Blackman and Vigna, public domain.
///
/// Written here since `rand` promises no stable stream between its versions, and a figure
/// of the benchmark must be repeatable in a year.
#[derive(Debug, Clone)]
pub struct Chance([u64; 4]);

impl Chance {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ (word >> 31)
        }))
    }

    fn word(&mut self) -> u64 {
        let state = &mut self.0;
        let word = state[0].wrapping_add(state[3]).rotate_left(23).wrapping_add(state[0]);
        let kept = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= kept;
        state[3] = state[3].rotate_left(45);
        word
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.word()) * end as u128) >> 64) as usize
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// A number from 0 to 1, without 1.
    pub fn share(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether that happens which happens with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// One of several, which are not none.
    pub fn among<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// One of some things by their weights; none if the weights end before.
    pub fn weighed<T: Copy>(&mut self, all: &[(T, f64)]) -> Option<T> {
        let mut left = self.share();
        all.iter().find_map(|(one, weight)| {
            left -= weight;
            (left < 0.0).then_some(*one)
        })
    }
}

/// Things of which the first are the most frequent, as family names are.
#[derive(Debug)]
pub struct Ranked<T> {
    all: Vec<T>,
    sums: Vec<f64>,
}

impl<T> Ranked<T> {
    /// Weights fall as `1 / (rank + head)`: the smaller the head, the more the first have.
    pub fn new(all: Vec<T>, head: f64) -> Self {
        let mut sum = 0.0;
        let sums = (0..all.len()).map(|rank| {
            sum += 1.0 / (rank as f64 + head);
            sum
        });
        Self { sums: sums.collect(), all }
    }

    /// One of them.
    pub fn pick(&self, chance: &mut Chance) -> &T {
        let at = chance.share() * self.sums.last().copied().unwrap_or_default();
        &self.all[self.sums.partition_point(|sum| *sum <= at).min(self.all.len() - 1)]
    }
}
