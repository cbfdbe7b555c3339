//! 特征, what can be compared of somebody: keyed tokens, nothing in clear.
//!
//! All that two records can be compared by (equal, heard alike, one digit wrong, the other
//! calendar) is prepared as tokens before, so that whoever compares needs neither the values
//! nor the key, and an index may be kept by somebody who never sees a clear identifier.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::veil::EACH_MAX;

/// A keyed digest that is looked up: 63 bits, so that a million people have few alike.
pub type Mark = u64;
/// A keyed digest that is compared with few others: 32 bits.
pub type Hint = u32;

/// Sex as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Sex {
    /// Not said, or by no code of GB/T 2261.1.
    #[default]
    Unknown,
    /// GB/T 2261.1 code 1.
    Male,
    /// GB/T 2261.1 code 2.
    Female,
}

/// One name.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NameTraits {
    /// The characters that could be written, in one script.
    pub whole: Mark,
    /// Ways the whole is read.
    pub readings: Vec<Mark>,
    /// Ways the surname is read; empty where it is not known which part it is.
    pub surnames: Vec<Hint>,
    /// Ways the given name is read.
    pub given: Vec<Hint>,
    /// The whole with each character left out.
    pub without_one: Vec<Hint>,
    /// Beginnings of a long name.
    pub beginnings: Vec<Hint>,
    /// The whole as one of the two above.
    pub hint: Hint,
    /// Whether a character was lost.
    pub gapped: bool,
    /// Whether it is of the old form 王陈氏.
    pub married: bool,
    /// Whether it is in Latin letters alone.
    pub latin: bool,
}

/// One birth date.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BirthTraits {
    /// The date.
    pub whole: Hint,
    /// Its year alone.
    pub year: Hint,
    /// The same day in the years around.
    pub years_off: Vec<Hint>,
    /// The date in the other calendar.
    pub other_calendar: Vec<Hint>,
    /// The date with day and month exchanged.
    pub swapped: Option<Hint>,
    /// The date with one digit left open, by its place.
    pub open: Vec<Hint>,
    /// Whether it is the first of January, which stands for the year.
    pub default: bool,
}

/// A number with a room for one mistake.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NumberTraits {
    /// The number.
    pub whole: Mark,
    /// The same as one of those below.
    pub hint: Hint,
    /// The number with each sign left out, ascending.
    pub without_one: Vec<Hint>,
}

/// How two statements about one thing stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Own {
    /// One of them is missing.
    #[default]
    Unknown,
    /// They say the same, but for a slip.
    Agrees,
    /// They cannot both be right.
    Contradicts,
}

/// A citizen id.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CitizenTraits {
    /// The number.
    pub number: NumberTraits,
    /// Whether it passes its check.
    pub proven: bool,
    /// Whether birth date and sex inside are the record's own.
    pub own: Own,
    /// The birth date inside.
    pub birth: Option<BirthTraits>,
    /// The sex inside.
    pub sex: Sex,
}

/// An address.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SiteTraits {
    /// Road or village, and all numbers.
    pub whole: Mark,
    /// Road or village alone.
    pub place: Hint,
}

/// Everything of one entry that can be compared.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traits {
    /// Names, the present one first.
    pub names: Vec<NameTraits>,
    /// Sex the record itself gives.
    pub sex: Sex,
    /// Birth date the record itself gives.
    pub birth: Option<BirthTraits>,
    /// 公民身份号码.
    pub citizen: Option<CitizenTraits>,
    /// 居民健康卡号.
    pub cards: Vec<NumberTraits>,
    /// Telephones.
    pub phones: Vec<Mark>,
    /// Addresses.
    pub sites: Vec<SiteTraits>,
    /// Division of residence.
    pub division: Option<Hint>,
    /// Numbers with the authority that assigned them.
    pub assigned: Vec<Mark>,
    /// Under which others find it.
    pub keys: Vec<Mark>,
    /// Under which it looks for others beside.
    pub probes: Vec<Mark>,
}

/// Keys or probes one entry may bring, and parts one of its values may have.
const BROUGHT_MAX: usize = 512;
const PARTS_MAX: usize = 64;
/// Keys one entry is found under; of more, what was said first is forgotten.
const KEYS_MAX: usize = 128;

impl Traits {
    /// As the store keeps them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Numbers and lists of numbers: nothing in them can fail to be written.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Traits the store kept; `None` if the bytes are something else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (traits, rest) = postcard::take_from_bytes(bytes).ok()?;
        rest.is_empty().then_some(traits)
    }

    /// Whether no list is longer than a veil makes any: to be asked of what others veiled.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let few = [
            self.names.len(),
            self.cards.len(),
            self.phones.len(),
            self.sites.len(),
            self.assigned.len(),
        ];
        let mut parts = Vec::new();
        for name in &self.names {
            parts.extend([name.readings.len(), name.surnames.len(), name.given.len()]);
            parts.extend([name.without_one.len(), name.beginnings.len()]);
        }
        let inside = self.citizen.as_ref().and_then(|citizen| citizen.birth.as_ref());
        for birth in self.birth.iter().chain(inside) {
            parts.extend([birth.years_off.len(), birth.other_calendar.len(), birth.open.len()]);
        }
        let numbers = self.citizen.iter().map(|citizen| &citizen.number).chain(&self.cards);
        parts.extend(numbers.map(|number| number.without_one.len()));
        few.into_iter().all(|count| count <= EACH_MAX)
            && parts.into_iter().all(|count| count <= PARTS_MAX)
            && self.keys.len().max(self.probes.len()) <= BROUGHT_MAX
    }

    /// Takes over what an earlier statement of the same entry said and this one does not:
    /// a later message that leaves something out does not take it back.
    pub fn fill(&mut self, before: &Self) {
        if self.sex == Sex::Unknown {
            self.sex = before.sex;
        }
        if self.division.is_none() {
            self.division = before.division;
        }
        let mut filled = false;
        filled |= take_one(&mut self.birth, before.birth.as_ref());
        filled |= take_one(&mut self.citizen, before.citizen.as_ref());
        filled |= take_list(&mut self.names, &before.names);
        filled |= take_list(&mut self.cards, &before.cards);
        filled |= take_list(&mut self.phones, &before.phones);
        filled |= take_list(&mut self.sites, &before.sites);
        for mark in &before.assigned {
            if !self.assigned.contains(mark) && self.assigned.len() < EACH_MAX {
                self.assigned.push(*mark);
                filled = true;
            }
        }
        // What was taken over is found under the keys it was found under.
        if filled {
            add(&mut self.keys, &before.keys);
            add(&mut self.probes, &before.probes);
        }
    }
}

fn take_one<T: Clone>(own: &mut Option<T>, before: Option<&T>) -> bool {
    let taken = own.is_none() && before.is_some();
    if taken {
        *own = before.cloned();
    }
    taken
}

fn take_list<T: Clone>(own: &mut Vec<T>, before: &[T]) -> bool {
    let taken = own.is_empty() && !before.is_empty();
    if taken {
        own.extend_from_slice(before);
    }
    taken
}

/// Adds what is not there yet, in order, up to what one entry may be found under.
fn add(own: &mut Vec<Mark>, before: &[Mark]) {
    own.extend(before.iter().take(KEYS_MAX.saturating_sub(own.len())));
    own.sort_unstable();
    own.dedup();
}

/// Shows nothing, though tokens alone say little.
impl fmt::Debug for Traits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traits(<masked>)")
    }
}
