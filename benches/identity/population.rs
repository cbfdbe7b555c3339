//! Invented elders as four systems would hold them, with the truth about who is who.
//!
//! A matcher is judged on sets whose seed it has not seen. The structure is that of the
//! given sample: sources, habits, kinds of fault. The names, divisions and streets are
//! others, so that a matcher made for the sample's strings gains nothing here.
//!
//! Knows nothing of matching. Included by `#[path]`, so it names nothing of the crate.
#![allow(
    dead_code,
    unused_imports,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a generator that cannot go on stops, and who includes it needs a part of it"
)]

#[path = "population/chance.rs"]
mod chance;
#[path = "population/fault.rs"]
mod fault;
#[path = "population/files.rs"]
mod files;
#[path = "population/lunar.rs"]
pub mod lunar;
#[path = "population/names.rs"]
mod names;
#[path = "population/people.rs"]
mod people;
#[path = "population/places.rs"]
mod places;
#[path = "population/writing.rs"]
mod writing;

use chance::Chance;
use people::People;
use writing::{SOURCES, Writing, holders};

pub use fault::{Fault, Faults};
pub use files::write_csv;
pub use people::check_character;

/// How often what happens.
///
/// Shares are of all persons, or of all records; a fault's rate is the mean over the sources
/// among the records it can befall: no card, no mistyped card.
#[derive(Debug, Clone)]
pub struct Rates {
    /// Of each [`Fault`], in the order of [`Fault::ALL`].
    pub faults: [f64; Fault::COUNT],
    /// Persons whose husband or wife is in the set.
    pub couples: f64,
    /// Persons whose brother or sister is.
    pub siblings: f64,
    /// Persons whose twin is.
    pub twins: f64,
    /// Persons of whose name and birthday there is a stranger.
    pub same_name_birthday: f64,
    /// Persons who share a health card number with a stranger.
    pub same_card: f64,
    /// Persons of another people than the Han.
    pub minority: f64,
    /// Han persons with a character that many systems cannot write.
    pub rare_glyphs: f64,
    /// Persons who have a health card at all.
    pub card_holders: f64,
    /// Records of such a person without its number.
    pub card_missing: f64,
    /// Records without a telephone number.
    pub phone_missing: f64,
    /// Records without an address and a division code.
    pub address_missing: f64,
    /// Records without an ethnicity.
    pub ethnicity_missing: f64,
}

/// About what the sample has.
impl Default for Rates {
    fn default() -> Self {
        Self {
            faults: Fault::RATES,
            couples: 0.56,
            siblings: 0.032,
            twins: 0.007,
            same_name_birthday: 0.011,
            same_card: 0.0067,
            minority: 0.0165,
            rare_glyphs: 0.04,
            card_holders: 0.83,
            card_missing: 0.556,
            phone_missing: 0.17,
            address_missing: 0.069,
            ethnicity_missing: 0.4,
        }
    }
}

impl Rates {
    /// The same persons with faults so many times as frequent, none above 19 in 20.
    #[must_use]
    pub fn scaled(&self, times: f64) -> Self {
        let faults = self.faults.map(|rate| (rate * times).min(0.95));
        Self { faults, ..self.clone() }
    }

    /// The rate of one fault.
    pub const fn of(&self, fault: Fault) -> f64 {
        self.faults[fault as usize]
    }

    /// The same with another rate of one fault.
    #[must_use]
    pub fn with(mut self, fault: Fault, rate: f64) -> Self {
        self.faults[fault as usize] = rate;
        self
    }
}

macro_rules! record {
    ($($field:ident)*) => {
        /// One row of `records.csv`, every field as text and empty if not known.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names are those of the columns")]
        pub struct Record {
            $(pub $field: String,)*
        }

        impl Record {
            /// The names of the fields.
            pub const COLUMNS: &[&str] = &[$(stringify!($field),)*];

            /// The fields in the order of the columns.
            pub fn fields(&self) -> [&str; Self::COLUMNS.len()] {
                [$(&self.$field,)*]
            }
        }
    };
}

record! {
    rec_id source local_id name sex birth_date id_no health_card_no phone area_code address
    ethnicity
}

/// Why two persons may be taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unlike {
    /// Husband and wife: one address, often one telephone.
    Couple,
    /// Strangers with one health card number.
    SameCard,
    /// Strangers of one name and birthday.
    SameNameBirthday,
    /// Brothers or sisters.
    Siblings,
    /// Twins: birthday and address are the same, the identity numbers follow each other.
    Twins,
}

impl Unlike {
    /// Its name in `must_not_link.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Couple => "couple",
            Self::SameCard => "same_card",
            Self::SameNameBirthday => "same_name_birthday",
            Self::Siblings => "siblings",
            Self::Twins => "twins",
        }
    }
}

/// Records and the truth about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Population {
    /// What the systems hold.
    pub records: Vec<Record>,
    /// The person behind each record, from 0.
    pub person: Vec<u32>,
    /// What is wrong with each record.
    pub faults: Vec<Faults>,
    /// Records of two persons who may be taken for one.
    pub unlike: Vec<(usize, usize, Unlike)>,
}

/// So many persons in records of a random order. The same arguments, the same population.
///
/// Needs about 1.8 GB for a million persons; [`households`] needs little of it.
pub fn generate(seed: u64, persons: usize, rates: &Rates) -> Population {
    let mut whole = Population::default();
    for household in households(seed, persons, rates) {
        let before = whole.records.len();
        whole.records.extend(household.records);
        whole.person.extend(household.person);
        whole.faults.extend(household.faults);
        let moved =
            household.unlike.iter().map(|(one, other, why)| (one + before, other + before, *why));
        whole.unlike.extend(moved);
    }
    shuffle(&mut whole, &mut Chance::new(!seed));
    let mut numbers = Numbers::default();
    whole.records.iter_mut().for_each(|record| numbers.give(record));
    whole
}

/// The same persons a few at a time, those who must not be joined together; each item
/// counts its records from 0, while persons and `rec_id` go on.
///
/// Between two items it remembers only the identity numbers taken, some 30 bytes a person.
pub fn households(seed: u64, persons: usize, rates: &Rates) -> impl Iterator<Item = Population> {
    let rates = rates.clone();
    let mut chance = Chance::new(seed);
    let mut people = People::new(&rates, chance.below(100_000_000));
    let mut numbers = Numbers::default();
    let mut done = 0;
    std::iter::from_fn(move || {
        let left = persons.checked_sub(done).filter(|left| *left > 0)?;
        let (group, near) = people.group(&mut chance, left);
        let mut item = Population::default();
        let mut starts = Vec::new();
        for person in &group {
            starts.push(item.records.len());
            for source in holders(&mut chance) {
                let writing = Writing::new(&people, &rates, &mut chance, source);
                let (mut record, faults) = writing.record(person);
                numbers.give(&mut record);
                item.records.push(record);
                item.person.push(u32::try_from(done).expect("persons are counted in 32 bits"));
                item.faults.push(faults);
            }
            done += 1;
        }
        starts.push(item.records.len());
        for (one, other, why) in near {
            for first in starts[one]..starts[one + 1] {
                let second = starts[other]..starts[other + 1];
                item.unlike.extend(second.map(|second| (first, second, why)));
            }
        }
        Some(item)
    })
}

/// Numbers given so far.
#[derive(Debug, Default)]
struct Numbers {
    records: usize,
    of_source: [usize; 4],
}

impl Numbers {
    fn give(&mut self, record: &mut Record) {
        self.records += 1;
        record.rec_id = format!("R{:06}", self.records);
        let at = SOURCES.iter().position(|source| *source == record.source).unwrap_or_default();
        self.of_source[at] += 1;
        record.local_id = format!("{}{:07}", ["DA", "MZ", "MR", "B"][at], self.of_source[at]);
    }
}

/// Puts the records into a random order, and the truth with them.
fn shuffle(whole: &mut Population, chance: &mut Chance) {
    let mut before: Vec<usize> = (0..whole.records.len()).collect();
    for last in (1..before.len()).rev() {
        let at = chance.below(last + 1);
        before.swap(last, at);
        whole.records.swap(last, at);
        whole.person.swap(last, at);
        whole.faults.swap(last, at);
    }
    let mut now = vec![0; before.len()];
    for (at, old) in before.into_iter().enumerate() {
        now[old] = at;
    }
    for (one, other, _) in &mut whole.unlike {
        (*one, *other) = (now[*one], now[*other]);
    }
}
