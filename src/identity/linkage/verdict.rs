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
/// The same where something speaks against one person: it has to be likely all the same.
const REVIEW_AGAINST_FROM: f64 = 0.0;
/// From which weight on a link may be automatic: odds of a thousand to one.
pub const AUTOMATIC_FROM: f64 = 6.9;

/// What of a comparison the rules look at.
struct Case<'a> {
    how: &'a Comparison,
    weight: f64,
    /// How many things of their own agree: card, telephone, address.
    things: usize,
}

/// Decides by comparison and weight. `rare` says that in this population name, birthday and
/// division are nearly always one person's, and this name is no frequent one.
#[must_use]
pub fn judge(compared: &Comparison, weight: f64, rare: bool) -> (Verdict, Rule) {
    let own = [compared.card, compared.phone, compared.site];
    let things = own.iter().filter(|level| **level == ThingLevel::Same).count();
    let case = Case { how: compared, weight, things };
    let by_number = case.by_citizen_id().or_else(|| case.by_assigned_number());
    by_number.or_else(|| case.by_contradiction()).unwrap_or_else(|| case.by_evidence(rare))
}

impl Case<'_> {
    fn is_called_alike(&self) -> bool {
        self.how.name <= NameLevel::Cut
    }

    fn is_exact(&self) -> bool {
        self.how.name <= NameLevel::Heard && self.how.birth == BirthLevel::Same
    }

    /// The most that can come of it is a look.
    fn looked(&self, rule: Rule) -> (Verdict, Rule) {
        let from = match rule {
            Rule::LikeTwins | Rule::OtherSex => REVIEW_AGAINST_FROM,
            _ => REVIEW_FROM,
        };
        (if self.weight >= from { Verdict::Review } else { Verdict::Unlike }, rule)
    }

    /// A citizen id outranks everything.
    fn by_citizen_id(&self) -> Option<(Verdict, Rule)> {
        match self.how.citizen {
            CitizenLevel::Two => Some(self.two_ids()),
            CitizenLevel::Borrowed => Some(self.borrowed_id()),
            CitizenLevel::Same => Some(self.same_id()),
            _ => None,
        }
    }

    fn two_ids(&self) -> (Verdict, Rule) {
        let anew = self.how.name <= NameLevel::Heard
            && self.how.birth <= BirthLevel::OtherCalendar
            && self.how.sex != SexLevel::Other
            && self.things >= 1;
        match anew {
            true => (Verdict::Review, Rule::Reissued),
            false => (Verdict::Apart, Rule::TwoCitizenIds),
        }
    }

    fn borrowed_id(&self) -> (Verdict, Rule) {
        // One name under one number is one person whose birthday somebody wrote wrong.
        let own = self.how.name <= NameLevel::Heard
            && (self.how.birth <= BirthLevel::Year || self.things >= 1);
        match () {
            () if own => (Verdict::Automatic, Rule::SameId),
            () if self.is_called_alike() => (Verdict::Review, Rule::BorrowedId),
            () => (Verdict::Apart, Rule::BorrowedId),
        }
    }

    /// The id has birth and sex in it: they were compared with the record's own before.
    fn same_id(&self) -> (Verdict, Rule) {
        let Comparison { name, birth, sex, .. } = *self.how;
        let fits = name == NameLevel::Missing || name <= NameLevel::Married;
        let alias = birth <= BirthLevel::Default && sex != SexLevel::Other;
        let sure = match name {
            _ if fits => birth != BirthLevel::Other || self.things >= 1,
            NameLevel::OneOff => birth <= BirthLevel::Default,
            NameLevel::Surname => alias,
            _ => alias && self.things >= 1,
        };
        match sure {
            true => (Verdict::Automatic, Rule::SameId),
            false => (Verdict::Review, Rule::IdAlone),
        }
    }

    fn by_assigned_number(&self) -> Option<(Verdict, Rule)> {
        let called = self.is_called_alike() || self.how.name == NameLevel::Missing;
        let born = self.how.birth <= BirthLevel::Year || self.how.birth == BirthLevel::Missing;
        let same = self.how.assigned == ThingLevel::Same && called && born;
        same.then_some((Verdict::Automatic, Rule::SameNumber))
    }

    /// What speaks against one person, whatever else speaks for it.
    fn by_contradiction(&self) -> Option<(Verdict, Rule)> {
        let Comparison { name, birth, sex, citizen, .. } = *self.how;
        // Twins of two sexes may be called by names that only sound alike: 建平 and 建萍.
        let itself = name == NameLevel::Same && birth == BirthLevel::Same;
        let slip = citizen == CitizenLevel::Near || itself && self.things >= 1;
        let married = name == NameLevel::Married && birth == BirthLevel::Same && self.things >= 2;
        match () {
            () if sex == SexLevel::Other && !slip => Some(self.looked(Rule::OtherSex)),
            // Twins: one day, one house, one surname, and given names that sound otherwise.
            () if matches!(name, NameLevel::OneOff | NameLevel::Surname) => {
                Some(self.looked(Rule::LikeTwins))
            }
            () if !self.is_called_alike() && !married => Some(self.looked(Rule::Doubtful)),
            () => None,
        }
    }

    /// Names are alike and nothing contradicts: is there enough of their own besides?
    fn by_evidence(&self, rare: bool) -> (Verdict, Rule) {
        let Comparison { name, birth, citizen, division, .. } = *self.how;
        // A number with one slip is as rare as the number: nobody else has it.
        let slip = citizen == CitizenLevel::Near || self.how.card == ThingLevel::Near;
        let supported = self.things >= 1 || slip;
        let unborn = birth == BirthLevel::Missing && name <= NameLevel::Heard && self.things >= 1;
        let born = birth <= BirthLevel::Default || unborn;
        let sure = self.weight >= AUTOMATIC_FROM;
        let alone = rare && self.is_exact() && division == ThingLevel::Same && sure;
        match () {
            () if !born => self.looked(Rule::Doubtful),
            () if !supported && alone => (Verdict::Automatic, Rule::RareName),
            () if !supported => self.looked(Rule::NameAndBirthday),
            () if citizen == CitizenLevel::Other && !self.is_exact() && self.things < 2 => {
                self.looked(Rule::Doubtful)
            }
            () if sure => (Verdict::Automatic, Rule::Corroborated),
            () => self.looked(Rule::TooLittle),
        }
    }
}
