//! 特征, what can be compared of somebody: keyed tokens, nothing in clear.
//!
//! The veil is the one way from a clear value to a token. All that two records can be
//! compared by (equal, heard alike, one digit wrong, the other calendar) is prepared as
//! tokens before, so that whoever compares needs neither the values nor the key, and an
//! index may be kept by somebody who never sees a clear identifier.

use std::fmt;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use super::demographics::Demographics;
use super::names::{Name, plain};
use super::numbers::{CitizenNumber, Day, Site, card, phone};

/// A keyed digest that is looked up: 64 bits, so that a million people have few alike.
pub type Mark = u64;
/// A keyed digest that is compared with few others: 32 bits.
pub type Hint = u32;

/// How many of each are kept; more are cut off.
const NAMES_MAX: usize = 4;
const OTHERS_MAX: usize = 4;

/// Sex as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Sex {
    #[default]
    Unknown,
    Male,
    Female,
}

/// One name.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NameTraits {
    pub whole: Mark,
    pub readings: Vec<Mark>,
    pub surnames: Vec<Hint>,
    pub given: Vec<Hint>,
    pub without_one: Vec<Hint>,
    pub beginnings: Vec<Hint>,
    /// The whole as one of the two above.
    pub hint: Hint,
    pub gapped: bool,
    pub married: bool,
    pub latin: bool,
}

/// One birth date.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BirthTraits {
    pub whole: Hint,
    pub year: Hint,
    /// The same day in the years around.
    pub years_off: Vec<Hint>,
    /// The date in the other calendar.
    pub other_calendar: Vec<Hint>,
    pub swapped: Option<Hint>,
    /// The date with one digit left open, by its place.
    pub open: Vec<Hint>,
    pub default: bool,
}

/// A number with a room for one mistake.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NumberTraits {
    pub whole: Mark,
    pub hint: Hint,
    pub without_one: Vec<Hint>,
}

/// How two statements about one thing stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Own {
    #[default]
    Unknown,
    Agrees,
    Contradicts,
}

/// A citizen id.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CitizenTraits {
    pub number: NumberTraits,
    /// Whether it passes its check.
    pub proven: bool,
    /// Whether birth date and sex inside are the record's own.
    pub own: Own,
    pub birth: Option<BirthTraits>,
    pub sex: Sex,
}

/// An address.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SiteTraits {
    pub whole: Mark,
    pub place: Hint,
}

/// Everything of one entry that can be compared.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traits {
    pub names: Vec<NameTraits>,
    pub sex: Sex,
    pub birth: Option<BirthTraits>,
    pub citizen: Option<CitizenTraits>,
    pub cards: Vec<NumberTraits>,
    pub phones: Vec<Mark>,
    pub sites: Vec<SiteTraits>,
    pub division: Option<Hint>,
    pub assigned: Vec<Mark>,
    /// Under which others find it.
    pub keys: Vec<Mark>,
    /// Under which it looks for others beside.
    pub probes: Vec<Mark>,
}

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
        postcard::from_bytes(bytes).ok()
    }

    /// Takes over what an earlier statement of the same entry said and this one does not:
    /// a later message that leaves something out does not take it back.
    pub fn fill(&mut self, before: &Self) {
        let mut filled = false;
        if self.names.is_empty() && !before.names.is_empty() {
            self.names.clone_from(&before.names);
            filled = true;
        }
        if self.sex == Sex::Unknown {
            self.sex = before.sex;
        }
        if self.birth.is_none() && before.birth.is_some() {
            self.birth.clone_from(&before.birth);
            filled = true;
        }
        if self.citizen.is_none() && before.citizen.is_some() {
            self.citizen.clone_from(&before.citizen);
            filled = true;
        }
        if self.cards.is_empty() && !before.cards.is_empty() {
            self.cards.clone_from(&before.cards);
            filled = true;
        }
        if self.phones.is_empty() && !before.phones.is_empty() {
            self.phones.clone_from(&before.phones);
            filled = true;
        }
        if self.sites.is_empty() && !before.sites.is_empty() {
            self.sites.clone_from(&before.sites);
            filled = true;
        }
        if self.division.is_none() {
            self.division = before.division;
        }
        for mark in &before.assigned {
            if !self.assigned.contains(mark) && self.assigned.len() < OTHERS_MAX {
                self.assigned.push(*mark);
                filled = true;
            }
        }
        if filled {
            self.keys.extend(&before.keys);
            self.probes.extend(&before.probes);
            for list in [&mut self.keys, &mut self.probes] {
                list.sort_unstable();
                list.dedup();
            }
        }
    }
}

impl fmt::Debug for Traits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traits(<masked>)")
    }
}

/// The key under which values become tokens.
#[derive(Clone)]
pub struct Veil(hmac::Key);

impl Veil {
    /// A veil of that key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The tokens of everything that can be compared.
    #[must_use]
    pub fn traits(&self, who: &Demographics) -> Traits {
        let names: Vec<_> = who.names.iter().filter_map(|name| Name::read(name)).collect();
        let birth = Day::read(&who.birth_date);
        let citizen = CitizenNumber::read(&who.citizen_id);
        let sites: Vec<_> = who.addresses.iter().filter_map(|line| Site::read(line)).collect();
        let sex = sex(&who.sex);
        let mut traits = Traits {
            names: names.iter().take(NAMES_MAX).map(|name| self.name(name)).collect(),
            sex,
            birth: birth.map(|birth| self.birth(birth)),
            citizen: citizen.as_ref().map(|number| self.citizen(number, birth, sex)),
            cards: capped(who.cards.iter().filter_map(|text| card(text)))
                .map(|text| self.number("card", &text))
                .collect(),
            phones: capped(who.phones.iter().filter_map(|text| phone(text)))
                .map(|text| self.mark("phone", &[&text]))
                .collect(),
            sites: capped(sites.iter()).map(|site| self.site(site)).collect(),
            division: division(&who.division).map(|code| self.hint("division", &[&code])),
            assigned: capped(who.assigned.iter())
                .map(|(authority, number)| self.mark("assigned", &[authority, number]))
                .collect(),
            keys: Vec::new(),
            probes: Vec::new(),
        };
        let births = births(birth, citizen.as_ref());
        self.keys_of(&mut traits, (&names, &births), citizen.as_ref());
        traits
    }

    fn name(&self, name: &Name) -> NameTraits {
        let hints =
            |what, texts: &[String]| texts.iter().map(|text| self.hint(what, &[text])).collect();
        NameTraits {
            whole: self.mark("name", &[&name.whole]),
            readings: name.readings.iter().map(|text| self.mark("reading", &[text])).collect(),
            surnames: hints("surname", &name.surnames),
            given: hints("given", &name.given),
            without_one: hints("name part", &name.without_one),
            beginnings: hints("name part", &name.beginnings),
            hint: self.hint("name part", &[&name.whole]),
            gapped: name.gapped,
            married: name.married,
            latin: name.latin,
        }
    }

    fn birth(&self, day: Day) -> BirthTraits {
        let whole = |day: Day| self.hint("birth", &[&day.digits()]);
        let digits = day.digits();
        let open = (0..digits.len()).map(|at| {
            let mut open: Vec<u8> = digits.bytes().collect();
            if let Some(slot) = open.get_mut(at) {
                *slot = b'_';
            }
            self.hint("birth open", &[&String::from_utf8_lossy(&open)])
        });
        let years = [day.year - 2, day.year - 1, day.year + 1, day.year + 2];
        BirthTraits {
            whole: whole(day),
            year: self.hint("birth year", &[&day.year.to_string()]),
            years_off: years.iter().map(|year| whole(day.in_year(*year))).collect(),
            other_calendar: day.of_the_other_calendar().into_iter().map(whole).collect(),
            swapped: day.swapped().map(whole),
            open: open.collect(),
            default: day.is_default(),
        }
    }

    fn number(&self, what: &str, text: &str) -> NumberTraits {
        let without = |skip: usize| -> String {
            let left = text.chars().enumerate().filter(|(at, _)| *at != skip);
            left.map(|(_, sign)| sign).collect()
        };
        let part = |text: &str| self.hint(what, &[text]);
        let mut without_one: Vec<_> = (0..text.len()).map(|at| part(&without(at))).collect();
        without_one.sort_unstable();
        without_one.dedup();
        NumberTraits { whole: self.mark(what, &[text]), hint: part(text), without_one }
    }

    fn citizen(&self, number: &CitizenNumber, birth: Option<Day>, sex: Sex) -> CitizenTraits {
        let inside = match number.male {
            Some(true) => Sex::Male,
            Some(false) => Sex::Female,
            None => Sex::Unknown,
        };
        let born = match (birth, number.birth) {
            (Some(own), Some(inside)) if same_birth(own, inside) => Own::Agrees,
            (Some(own), Some(inside)) if own.is_default() && own.year == inside.year => Own::Agrees,
            (Some(_), Some(_)) => Own::Contradicts,
            _ => Own::Unknown,
        };
        let sexes = match (sex, inside) {
            (Sex::Unknown, _) | (_, Sex::Unknown) => Own::Unknown,
            (own, inside) if own == inside => Own::Agrees,
            _ => Own::Contradicts,
        };
        let own = match (born, sexes) {
            (Own::Contradicts, _) => Own::Contradicts,
            // A wrong sex alone is a slip of the pen: the day inside is rarer than that.
            (Own::Agrees, _) => Own::Agrees,
            (Own::Unknown, sexes) => sexes,
        };
        CitizenTraits {
            number: self.number("citizen", &number.text),
            proven: number.proven,
            own,
            birth: number.birth.map(|day| self.birth(day)),
            sex: inside,
        }
    }

    fn site(&self, site: &Site) -> SiteTraits {
        let numbers: Vec<_> = site.numbers.iter().map(ToString::to_string).collect();
        let whole = self.mark("site", &[&site.place, &numbers.join("-")]);
        SiteTraits { whole, place: self.hint("place", &[&site.place]) }
    }

    /// Under what it is found: few that are rare, so that whoever is alike shares at least one.
    fn keys_of(
        &self,
        traits: &mut Traits,
        (names, births): (&[Name], &[Day]),
        citizen: Option<&CitizenNumber>,
    ) {
        let mut keys = Vec::new();
        let mut probes = Vec::new();
        if let (Some(own), Some(number)) = (&traits.citizen, citizen) {
            keys.push(own.number.whole);
            let parts = [number.text.get(..14), number.text.get(number.text.len() - 12..)];
            let parts = parts.into_iter().flatten().enumerate();
            keys.extend(
                parts.map(|(part, text)| self.mark("citizen part", &[&part.to_string(), text])),
            );
        }
        keys.extend(traits.cards.iter().map(|card| card.whole));
        keys.extend(&traits.phones);
        keys.extend(&traits.assigned);
        for name in names {
            for birth in births {
                let (digits, year) = (birth.digits(), birth.year.to_string());
                let day = digits.get(4..).unwrap_or_default();
                for reading in &name.readings {
                    keys.push(self.mark("reading year", &[reading, &year]));
                    keys.push(self.mark("reading day", &[reading, day]));
                    for other in birth.of_the_other_calendar() {
                        probes.push(self.mark(
                            "reading day",
                            &[reading, other.digits().get(4..).unwrap_or_default()],
                        ));
                    }
                }
                for surname in &name.surnames {
                    keys.push(self.mark("surname birth", &[surname, &digits]));
                }
                for given in &name.given {
                    keys.push(self.mark("given birth", &[given, &digits]));
                }
                if names.len() == 1 && name.surnames.is_empty() {
                    for begin in name.beginnings.iter().chain([&name.whole]) {
                        let head: String = begin.chars().take(3).collect();
                        keys.push(self.mark("given birth", &[&head, &digits]));
                    }
                }
            }
            for site in &traits.sites {
                for reading in &name.readings {
                    keys.push(self.mark("reading site", &[reading, &site.whole.to_string()]));
                }
            }
        }
        for list in [&mut keys, &mut probes] {
            list.sort_unstable();
            list.dedup();
        }
        (traits.keys, traits.probes) = (keys, probes);
    }

    fn mark(&self, what: &str, parts: &[&str]) -> Mark {
        let mut context = hmac::Context::with_key(&self.0);
        for part in std::iter::once(&what).chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let tag = context.sign();
        tag.as_ref().first_chunk().map_or(0, |bytes| Mark::from_be_bytes(*bytes) >> 1)
    }

    fn hint(&self, what: &str, parts: &[&str]) -> Hint {
        let bytes = self.mark(what, parts).to_be_bytes();
        bytes.last_chunk().map_or(0, |bytes| Hint::from_be_bytes(*bytes))
    }
}

fn capped<T>(all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    all.take(OTHERS_MAX)
}

/// The dates somebody may be born at: the record's own, and the one inside an id that is
/// not somebody else's.
fn births(own: Option<Day>, citizen: Option<&CitizenNumber>) -> Vec<Day> {
    let inside = citizen.and_then(|number| number.birth);
    let inside = inside.filter(|inside| {
        own.is_none_or(|own| {
            same_birth(own, *inside) || (own.is_default() && own.year == inside.year)
        })
    });
    let mut births: Vec<_> = own.into_iter().chain(inside).collect();
    births.dedup();
    births
}

/// Whether two dates are one birth, written by two calendars or with one slip.
fn same_birth(a: Day, b: Day) -> bool {
    let digits = a.digits().bytes().zip(b.digits().bytes()).filter(|(a, b)| a != b).count();
    a == b
        || digits == 1
        || a.swapped() == Some(b)
        || (a.month, a.day) == (b.month, b.day) && a.year.abs_diff(b.year) <= 2
        || a.of_the_other_calendar().contains(&b)
        || b.of_the_other_calendar().contains(&a)
}

fn sex(text: &str) -> Sex {
    match plain(text).trim() {
        "1" | "M" | "m" | "男" | "男性" | "male" => Sex::Male,
        "2" | "F" | "f" | "女" | "女性" | "female" => Sex::Female,
        _ => Sex::Unknown,
    }
}

fn division(text: &str) -> Option<String> {
    let digits: String = plain(text).chars().filter(char::is_ascii_digit).take(6).collect();
    (digits.len() == 6).then_some(digits)
}
