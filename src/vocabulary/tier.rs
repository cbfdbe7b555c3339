//! 披露层级, the tiers of disclosure.

use serde::{Deserialize, Serialize};

/// How much of an element's value may leave, most first: `Full` is the least protective.
///
/// The order is the meaning (`Tier::Full < Tier::Withheld`), so the most
/// protective of several tiers is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The value as recorded.
    Full,
    /// A coarser value: masked, banded, truncated.
    Generalised,
    /// A stand-in that only this department can join with itself.
    Pseudonym,
    /// That there is a value, and no more.
    Existence,
    /// Nothing.
    Withheld,
}

impl Tier {
    /// Every tier, least protective first.
    pub const ALL: [Self; 5] =
        [Self::Full, Self::Generalised, Self::Pseudonym, Self::Existence, Self::Withheld];

    /// The name in policies, answers and the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Generalised => "generalised",
            Self::Pseudonym => "pseudonym",
            Self::Existence => "existence",
            Self::Withheld => "withheld",
        }
    }
}
