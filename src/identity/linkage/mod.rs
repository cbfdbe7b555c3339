//! 比对归并, who is one person: what can be compared, how it agrees, what it is worth.
//!
//! ```text
//! demographics (clear) → veil → traits (tokens) → compare → weigh → judge → group
//! ```
//!
//! After the veil nothing is in clear: whoever compares sees keyed tokens alone. Groups are
//! a function of the entries, of the weights, and of what people asserted, never of the
//! order in which they came. Does not know where entries are kept.

pub mod cluster;
pub mod compare;
mod days;
pub mod demographics;
mod learn;
pub mod levels;
mod names;
mod numbers;
pub mod population;
mod sites;
#[cfg(test)]
mod tests;
pub mod traits;
pub mod veil;
pub mod veiled;
pub mod verdict;
pub mod weights;

pub use cluster::{Link, group};
pub use compare::{Comparison, Shared, compare};
pub use demographics::Demographics;
pub use population::Population;
pub use traits::{Mark, Traits};
pub use veil::Veil;
pub use veiled::{Fingerprint, Veiled};
pub use verdict::{Rule, Verdict, judge};
pub use weights::{Contribution, Weights};

/// Two entries, compared, weighed and judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Field by field.
    pub comparison: Comparison,
    /// What they share that others may share too.
    pub shared: Shared,
    /// Logarithm of the odds that they are one person.
    pub weight: f64,
    /// What follows.
    pub verdict: Verdict,
    /// By which rule.
    pub rule: Rule,
}

impl Judged {
    /// The pair as [`group`] takes it. Two proven ids keep groups apart even where somebody
    /// should look: else a record without one would join both.
    #[must_use]
    pub fn link(&self, pair: (usize, usize)) -> Link {
        let two = self.comparison.citizen == levels::CitizenLevel::Two;
        let verdict = if two { Verdict::Apart } else { self.verdict };
        Link { pair, verdict, weight: self.weight }
    }
}

/// Compares two, weighs and judges; the same either way round.
#[must_use]
pub fn decide(weights: &Weights, a: &Traits, b: &Traits) -> Judged {
    let (comparison, shared) = compare(a, b);
    let comparison = weights.renamed(a, b, comparison);
    let weight = weights.weigh(&comparison, &shared);
    let (verdict, rule) = judge(&comparison, weight, weights.tells_namesakes(&shared));
    Judged { comparison, shared, weight, verdict, rule }
}
