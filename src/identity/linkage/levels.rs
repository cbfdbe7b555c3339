//! 等级, by how much two values of one field agree.
//!
//! Levels of a field are in the order of how much they say for one person, best first.

use serde::{Deserialize, Serialize};

macro_rules! levels {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $level:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum $name {
            $($(#[$doc])* $level,)*
            /// One of the two does not say.
            Missing,
        }

        impl $name {
            /// Its name in explanations.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$level => $text,)*
                    Self::Missing => "missing",
                }
            }

            /// Its place among the levels; none where there is nothing to weigh.
            pub(super) const fn place(self) -> Option<usize> {
                match self {
                    Self::Missing => None,
                    level => Some(level as usize),
                }
            }
        }
    };
}

levels! {
    /// Names.
    NameLevel {
        /// The same characters.
        Same = "same",
        /// Other characters, heard alike.
        Heard = "heard-alike",
        /// Alike but for a character that could not be written, or a cut end.
        Cut = "cut",
        /// The old form of a married woman's name with the same surname.
        Married = "married",
        /// One character differs, and sounds otherwise.
        OneOff = "one-character",
        /// The surname alone.
        Surname = "surname",
        /// Nothing alike.
        Other = "other",
    }
}

levels! {
    /// Birth dates.
    BirthLevel {
        /// The same date.
        Same = "same",
        /// The other calendar.
        OtherCalendar = "other-calendar",
        /// The same day, one or two years off.
        YearOff = "year-off",
        /// Day and month exchanged.
        Swapped = "swapped",
        /// One digit.
        OneDigit = "one-digit",
        /// The first of January of that year.
        Default = "default",
        /// Nothing else than the year.
        Year = "year",
        /// Nothing alike.
        Other = "other",
    }
}

levels! {
    /// Sexes.
    SexLevel {
        /// The same.
        Same = "same",
        /// Not the same.
        Other = "other",
    }
}

levels! {
    /// Citizen ids.
    CitizenLevel {
        /// The same, proven, nobody else's by what is inside.
        Same = "same",
        /// The same, and one of the two records says another birth: borrowed.
        Borrowed = "borrowed",
        /// One sign differs, is missing or exchanged, and one of the two fails its check.
        Near = "near",
        /// Both proven, and different: two people, unless a number was given anew.
        Two = "two",
        /// Different, and one of them cannot be right.
        Other = "other",
    }
}

levels! {
    /// Cards, telephones, addresses, assigned numbers.
    ThingLevel {
        /// The same.
        Same = "same",
        /// One sign off; the same road or village.
        Near = "near",
        /// Not the same.
        Other = "other",
    }
}

/// How two entries agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Comparison {
    /// 姓名.
    pub name: NameLevel,
    /// 出生日期.
    pub birth: BirthLevel,
    /// 性别.
    pub sex: SexLevel,
    /// 公民身份号码.
    pub citizen: CitizenLevel,
    /// 居民健康卡号.
    pub card: ThingLevel,
    /// 联系电话.
    pub phone: ThingLevel,
    /// 地址.
    pub site: ThingLevel,
    /// 行政区划.
    pub division: ThingLevel,
    /// A number of one authority.
    pub assigned: ThingLevel,
}
