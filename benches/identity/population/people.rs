//! Persons as they are, before any clerk writes them down.

use std::collections::HashSet;

use super::chance::Chance;
use super::lunar::Day;
use super::names::{Form, Name, Names, Sex};
use super::places::{Home, Place, Sites, places};
use super::{Rates, Unlike};

/// Numbers a division can give to the men, or the women, of one birthday.
const SEQUENCES: usize = 499;
/// Health card numbers are spread over this range without meeting.
const CARDS: usize = 100_000_000;

/// One elder.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: Name,
    /// What the neighbours say, if that is another given name.
    pub alias: Option<Name>,
    pub sex: Sex,
    pub birth: Day,
    /// GB 11643 number.
    pub id: String,
    /// A second valid one.
    pub reissued: Option<String>,
    /// Health card number, or nothing.
    pub card: String,
    /// The own telephone number, and those of others of the family.
    pub phones: [String; 3],
    /// Which of the places.
    pub place: usize,
    pub home: Home,
    pub ethnicity: &'static str,
    /// Surname and identity number of the spouse.
    pub spouse: Option<(String, String)>,
}

/// Persons who are near to each other, and which of them must not be taken for one.
pub type Group = (Vec<Person>, Vec<(usize, usize, Unlike)>);

/// Makes persons, and remembers which numbers are taken.
#[derive(Debug)]
pub struct People {
    pub names: Names,
    pub places: Vec<Place>,
    pub sites: Sites,
    rates: Rates,
    taken: HashSet<u64>,
    cards: usize,
}

impl People {
    /// Nobody yet.
    pub fn new(rates: &Rates, first_card: usize) -> Self {
        Self {
            names: Names::new(),
            places: places(),
            sites: Sites::new(),
            rates: rates.clone(),
            taken: HashSet::new(),
            cards: first_card,
        }
    }

    /// One person, or several of whom `left` allows at least as many.
    pub fn group(&mut self, chance: &mut Chance, left: usize) -> Group {
        let rates = &self.rates;
        let pairs = [
            (Unlike::Couple, rates.couples),
            (Unlike::Siblings, rates.siblings),
            (Unlike::Twins, rates.twins),
            (Unlike::SameNameBirthday, rates.same_name_birthday),
            (Unlike::SameCard, rates.same_card),
        ];
        // A pair takes the place of two, and shares count persons.
        let alone: f64 = 1.0 - pairs.iter().map(|(_, share)| share).sum::<f64>();
        let whole = alone + (1.0 - alone) / 2.0;
        let drawn = chance.weighed(&pairs.map(|(kind, share)| (kind, share / 2.0 / whole)));
        let (sex, kind) = (*chance.among(&[Sex::Male, Sex::Female]), drawn.filter(|_| left > 1));
        let one = self.person(chance, sex);
        let Some(kind) = kind else { return (vec![one], Vec::new()) };
        let (one, other) = match kind {
            Unlike::Couple => self.couple(chance, one),
            Unlike::Siblings => self.siblings(chance, one),
            Unlike::Twins => self.twins(chance, one),
            Unlike::SameNameBirthday => self.namesakes(chance, one),
            Unlike::SameCard => self.one_card(chance, one),
        };
        (vec![one, other], vec![(0, 1, kind)])
    }

    fn person(&mut self, chance: &mut Chance, sex: Sex) -> Person {
        let (name, ethnicity) = if chance.happens(self.rates.minority) {
            self.names.minority(chance, sex)
        } else {
            (self.names.han(chance, sex, self.rates.rare_glyphs), "汉")
        };
        let place = chance.below(self.places.len());
        let birth = birth(chance);
        let mut person = Person {
            alias: None,
            sex,
            birth,
            id: String::new(),
            reissued: None,
            card: String::new(),
            phones: std::array::from_fn(|_| self.phone(chance, place)),
            place,
            home: self.sites.home(chance),
            ethnicity,
            spouse: None,
            name,
        };
        self.settle(chance, &mut person);
        person
    }

    /// Gives what follows from name, sex, birthday and place, and must differ from others'.
    fn settle(&mut self, chance: &mut Chance, person: &mut Person) {
        let Place { code, old_code, .. } = self.places[person.place];
        let first = if old_code.is_empty() || chance.happens(0.2) { code } else { old_code };
        person.id = self.number(chance, first, person);
        person.reissued = (chance.happens(4.0 * self.rates.of(super::Fault::IdReissued)))
            .then(|| self.number(chance, code, person));
        person.card =
            if chance.happens(self.rates.card_holders) { self.card() } else { String::new() };
        let called = person.name.form == Form::Han
            && chance.happens(4.0 * self.rates.of(super::Fault::NameAlias));
        person.alias = called.then(|| {
            let last = self.names.given(chance, person.sex, None);
            Name { last, ..person.name.clone() }
        });
    }

    /// A number of GB 11643-1999 nobody has: odd sequences are men's.
    fn number(&mut self, chance: &mut Chance, code: &str, person: &Person) -> String {
        let first = chance.below(SEQUENCES);
        let mut found = String::new();
        for step in 0..SEQUENCES {
            found = numbered(code, person, (first + step) % SEQUENCES);
            if self.taken.insert(found[..17].parse().unwrap_or_default()) {
                break;
            }
        }
        found
    }

    fn card(&mut self) -> String {
        self.cards = (self.cards + 61_803_399) % CARDS;
        format!("A{:08}", self.cards)
    }

    /// A telephone number, one in ten a landline.
    pub fn phone(&self, chance: &mut Chance, place: usize) -> String {
        if chance.happens(0.105) {
            let dialling = self.places[place].dialling;
            return format!("{dialling}{}", chance.between(2_000_000, 8_999_999));
        }
        let second = *chance.among(&[3, 3, 5, 5, 6, 7, 8, 8, 9, 9]);
        format!("1{second}{:09}", chance.below(1_000_000_000))
    }

    fn couple(&mut self, chance: &mut Chance, mut one: Person) -> (Person, Person) {
        let mut other = self.person(chance, one.sex.other());
        let apart = 2 - i32::try_from(chance.below(8)).unwrap_or_default();
        let years = if one.sex == Sex::Male { -apart } else { apart };
        other.birth = Day::new(one.birth.year + years, other.birth.month, other.birth.day.min(28));
        (other.place, other.home) = (one.place, one.home);
        other.phones = std::array::from_fn(|_| self.phone(chance, one.place));
        self.settle(chance, &mut other);
        if chance.happens(0.3) {
            other.phones[0] = one.phones[0].clone();
        } else if chance.happens(0.5) {
            one.phones[1] = other.phones[0].clone();
            other.phones[1] = one.phones[0].clone();
        }
        one.spouse = Some((other.name.first.clone(), other.id.clone()));
        other.spouse = Some((one.name.first.clone(), one.id.clone()));
        (one, other)
    }

    fn siblings(&mut self, chance: &mut Chance, one: Person) -> (Person, Person) {
        let years = i32::try_from(chance.between(1, 7)).unwrap_or_default();
        let mut other = self.kin(chance, &one);
        let drawn = birth(chance);
        other.birth = Day::new(one.birth.year + years, drawn.month, drawn.day.min(28));
        other.home = self.sites.home(chance);
        if chance.happens(0.58) {
            other.phones[0] = self.phone(chance, one.place);
        }
        self.settle(chance, &mut other);
        (one, other)
    }

    /// Twins' numbers follow each other.
    fn twins(&mut self, chance: &mut Chance, one: Person) -> (Person, Person) {
        let mut other = self.kin(chance, &one);
        self.settle(chance, &mut other);
        let sequence: usize = one.id[14..17].parse().unwrap_or_default();
        for step in 1..SEQUENCES {
            other.id = numbered(&one.id[..6], &other, ((sequence - 1) / 2 + step) % SEQUENCES);
            if self.taken.insert(other.id[..17].parse().unwrap_or_default()) {
                break;
            }
        }
        (one, other)
    }

    /// Someone of the same sex, family and generation, for now at the same place.
    fn kin(&mut self, chance: &mut Chance, one: &Person) -> Person {
        let shared = one.name.last.chars().next().filter(|_| chance.happens(0.9));
        let mut other = one.clone();
        if one.name.form == Form::Han {
            while other.name.last == one.name.last {
                other.name.last = self.names.given(chance, one.sex, shared);
            }
        } else {
            while other.name.text() == one.name.text() {
                other.name = self.names.minority(chance, one.sex).0;
            }
        }
        other.phones[1] = self.phone(chance, one.place);
        other
    }

    fn namesakes(&mut self, chance: &mut Chance, one: Person) -> (Person, Person) {
        let mut other = self.person(chance, one.sex);
        (other.name, other.ethnicity) = (one.name.clone(), one.ethnicity);
        other.birth = one.birth;
        while other.place == one.place {
            other.place = chance.below(self.places.len());
        }
        self.settle(chance, &mut other);
        (one, other)
    }

    /// Someone who was seen with another's card.
    fn one_card(&mut self, chance: &mut Chance, mut one: Person) -> (Person, Person) {
        let sex = *chance.among(&[Sex::Male, Sex::Female]);
        let mut other = self.person(chance, sex);
        one.card = self.card();
        other.card.clone_from(&one.card);
        (one, other)
    }
}

/// The older, the fewer: sixty in 1966, and one year in thirteen leaves.
fn birth(chance: &mut Chance) -> Day {
    let mut year = 1966;
    while year > 1922 && chance.happens(0.924) {
        year -= 1;
    }
    let month = chance.between(1, 12);
    let days = match month {
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let number = |value| u32::try_from(value).unwrap_or(1);
    Day::new(year, number(month), number(chance.between(1, days)))
}

/// The number of a person with a sequence of the division's day.
fn numbered(code: &str, person: &Person, sequence: usize) -> String {
    let Day { year, month, day } = person.birth;
    let sequence = 2 * sequence + if person.sex == Sex::Male { 1 } else { 2 };
    let first = format!("{code}{year:04}{month:02}{day:02}{sequence:03}");
    let check = check_character(&first);
    format!("{first}{check}")
}

/// The check character of seventeen digits: ISO 7064 MOD 11-2, as GB 11643-1999, 3.5 has it.
pub fn check_character(first: &str) -> char {
    let sum = first.bytes().take(17).fold(0, |sum, digit| (sum + u32::from(digit - b'0')) * 2 % 11);
    char::from(b"10X98765432"[sum as usize % 11])
}
