//! 判定, what two entries are to each other: rules of evidence before any sum.
//!
//! Automatic is only what is almost never wrong. A rule outranks the sum: where one speaks
//! against, the most that can come of it is a look by a person.

use serde::{Deserialize, Serialize};

use super::compare::{BirthLevel, CitizenLevel, Comparison, NameLevel, SexLevel, ThingLevel};

/// What two entries are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Two people, whatever else links them.
    Apart,
    /// Nothing that links them.
    Unlike,
    /// Somebody should look.
    Review,
    /// One person.
    Automatic,
}

/// Which rule decided, as an explanation names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Two proven citizen ids that differ are two people.
    TwoCitizenIds,
    /// The same, and everything else agrees: the number may have been given anew.
    Reissued,
    /// One uses the other's id.
    BorrowedId,
    /// A number both have from the same authority.
    SameNumber,
    /// The same proven id, and nothing contradicts it.
    SameId,
    /// The same id, and another name or birth.
    IdAlone,
    /// Twins look like this.
    LikeTwins,
    /// Name and birthday, and nothing else.
    NameAndBirthday,
    /// Name, birth, and something of their own besides.
    Corroborated,
    /// A rare name, one birthday, one division.
    RareName,
    /// Another sex.
    OtherSex,
    /// The sum is high, and something does not fit.
    Doubtful,
    /// The sum is low.
    TooLittle,
    /// A message says that they are one, and what is known of them speaks against it.
    Claimed,
}

impl Rule {
    /// Its name in explanations, and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TwoCitizenIds => "two-citizen-ids",
            Self::Reissued => "reissued",
            Self::BorrowedId => "borrowed-id",
            Self::SameNumber => "same-number",
            Self::SameId => "same-id",
            Self::IdAlone => "id-alone",
            Self::LikeTwins => "like-twins",
            Self::NameAndBirthday => "name-and-birthday",
            Self::Corroborated => "corroborated",
            Self::RareName => "rare-name",
            Self::OtherSex => "other-sex",
            Self::Doubtful => "doubtful",
            Self::TooLittle => "too-little",
            Self::Claimed => "claimed",
        }
    }
}

/// From which weight on somebody should look.
pub const REVIEW_FROM: f64 = -2.0;
/// From which weight on a link may be automatic: odds of a thousand to one.
pub const AUTOMATIC_FROM: f64 = 6.9;

/// Decides by comparison and weight.
#[must_use]
pub fn judge(compared: &Comparison, weight: f64, rare: bool) -> (Verdict, Rule) {
    let Comparison { name, birth, sex, citizen, .. } = *compared;
    let own = [compared.card, compared.phone, compared.site];
    let things = own.iter().filter(|level| **level == ThingLevel::Same).count();
    let born = birth <= BirthLevel::OneDigit;
    let called = name <= NameLevel::Cut;
    let looked = |rule| {
        if weight >= REVIEW_FROM { (Verdict::Review, rule) } else { (Verdict::Unlike, rule) }
    };
    if citizen == CitizenLevel::Two {
        let anew = name <= NameLevel::Heard
            && birth <= BirthLevel::OtherCalendar
            && sex != SexLevel::Other
            && things >= 1;
        return match anew {
            true => (Verdict::Review, Rule::Reissued),
            false => (Verdict::Apart, Rule::TwoCitizenIds),
        };
    }
    if citizen == CitizenLevel::Borrowed {
        // One name under one number is one person whose birthday somebody wrote wrong.
        let own = name <= NameLevel::Heard && (birth <= BirthLevel::Year || things >= 1);
        return match () {
            () if own => (Verdict::Automatic, Rule::SameId),
            () if called => (Verdict::Review, Rule::BorrowedId),
            () => (Verdict::Apart, Rule::BorrowedId),
        };
    }
    if compared.assigned == ThingLevel::Same
        && (called || name == NameLevel::Missing)
        && (birth <= BirthLevel::Year || birth == BirthLevel::Missing)
    {
        return (Verdict::Automatic, Rule::SameNumber);
    }
    if citizen == CitizenLevel::Same {
        // The id has birth and sex in it: they were compared with the record's own before.
        let fits =
            name == NameLevel::Missing || name <= NameLevel::Married || name == NameLevel::Missing;
        let alias =
            name <= NameLevel::Other && birth <= BirthLevel::Default && sex != SexLevel::Other;
        return match () {
            () if fits && birth != BirthLevel::Other => (Verdict::Automatic, Rule::SameId),
            () if fits && things >= 1 => (Verdict::Automatic, Rule::SameId),
            () if name == NameLevel::OneOff && birth <= BirthLevel::Default => {
                (Verdict::Automatic, Rule::SameId)
            }
            () if alias && (things >= 1 || name == NameLevel::Surname) => {
                (Verdict::Automatic, Rule::SameId)
            }
            () => (Verdict::Review, Rule::IdAlone),
        };
    }
    let exact = name <= NameLevel::Heard && birth == BirthLevel::Same;
    if sex == SexLevel::Other && citizen != CitizenLevel::Near && !(exact && things >= 1) {
        return looked(Rule::OtherSex);
    }
    // Twins: one day, one house, one surname, and given names that do not sound alike.
    if matches!(name, NameLevel::OneOff | NameLevel::Surname) {
        return looked(Rule::LikeTwins);
    }
    if !called && !(name == NameLevel::Married && birth == BirthLevel::Same && things >= 2) {
        return looked(Rule::Doubtful);
    }
    let near = citizen == CitizenLevel::Near;
    let supported = things + usize::from(near);
    let unborn = birth == BirthLevel::Missing && name <= NameLevel::Heard && things >= 1;
    match () {
        () if !born && !unborn && birth != BirthLevel::Default => looked(Rule::Doubtful),
        () if supported == 0
            && rare
            && exact
            && compared.division == ThingLevel::Same
            && weight >= AUTOMATIC_FROM =>
        {
            (Verdict::Automatic, Rule::RareName)
        }
        () if supported == 0 => looked(Rule::NameAndBirthday),
        () if citizen == CitizenLevel::Other && !exact && things < 2 => looked(Rule::Doubtful),
        () if weight >= AUTOMATIC_FROM => (Verdict::Automatic, Rule::Corroborated),
        () => looked(Rule::TooLittle),
    }
}
