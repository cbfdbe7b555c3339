//! 遮蔽, the one way from a clear value to a token.

use std::fmt;

use aws_lc_rs::hmac;

use super::days::Day;
use super::demographics::Demographics;
use super::names::{Name, plain};
use super::numbers::{CitizenNumber, card, phones};
use super::sites::Site;
use super::traits::{
    BirthTraits, CitizenTraits, Hint, Mark, NameTraits, NumberTraits, Own, Sex, SiteTraits, Traits,
};
use super::veiled::Fingerprint;
use crate::vocabulary::hex::to_hex;

/// How many of each are kept; more are cut off.
pub(super) const EACH_MAX: usize = 4;

/// The key under which values become tokens.
#[derive(Clone)]
pub struct Veil(hmac::Key);

/// Shows nothing of the key.
impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Veil(<masked>)")
    }
}

/// One entry taken apart, in clear.
struct Clear {
    names: Vec<Name>,
    birth: Option<Day>,
    citizen: Option<CitizenNumber>,
}

impl Clear {
    fn read(who: &Demographics) -> Self {
        let names = who.names.iter().filter_map(|name| Name::read(name));
        Self {
            names: names.take(EACH_MAX).collect(),
            birth: Day::read(&who.birth_date),
            citizen: CitizenNumber::read(&who.citizen_id),
        }
    }

    /// The dates somebody may be born at: the record's own, and the one inside an id that
    /// is not somebody else's.
    fn births(&self) -> Vec<Day> {
        let inside = self.citizen.as_ref().and_then(|number| number.birth);
        let fits = |inside: &Day| {
            self.birth.is_none_or(|own| own.is_birth_of(*inside) || own.stands_for(*inside))
        };
        let mut births: Vec<_> = self.birth.into_iter().chain(inside.filter(fits)).collect();
        births.dedup();
        births
    }
}

impl Veil {
    /// A veil of that key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// By what the key is told from others: those of one key can be compared.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.mark("fingerprint", &[]).to_be_bytes())
    }

    /// A source's own token of its own number: 64 hexadecimal digits.
    #[must_use]
    pub fn number(&self, number: &str) -> String {
        let tag = hmac::sign(&self.0, format!("own number {number}").as_bytes());
        to_hex(tag.as_ref()).to_ascii_lowercase()
    }

    /// The tokens of everything that can be compared.
    #[must_use]
    pub fn traits(&self, who: &Demographics) -> Traits {
        let clear = Clear::read(who);
        let sex = sex(&who.sex);
        let cards = who.cards.iter().filter_map(|text| card(text));
        let phones = who.phones.iter().flat_map(|text| phones(text));
        let sites = who.addresses.iter().filter_map(|line| Site::read(line));
        let citizen = clear.citizen.as_ref();
        let mut traits = Traits {
            names: clear.names.iter().map(|name| self.name(name)).collect(),
            sex,
            birth: clear.birth.map(|birth| self.birth(birth)),
            citizen: citizen.map(|number| self.citizen(number, clear.birth, sex)),
            cards: cards.take(EACH_MAX).map(|text| self.numbered("card", &text)).collect(),
            phones: phones.take(EACH_MAX).map(|text| self.mark("phone", &[&text])).collect(),
            sites: sites.take(EACH_MAX).map(|site| self.site(&site)).collect(),
            division: division(&who.division).map(|code| self.hint("division", &[&code])),
            assigned: (who.assigned.iter().take(EACH_MAX))
                .map(|(authority, number)| self.mark("assigned", &[authority, number]))
                .collect(),
            keys: Vec::new(),
            probes: Vec::new(),
        };
        self.find_by(&mut traits, &clear);
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
        let open = (0..digits.len()).map(|skip| {
            let signs = digits.chars().enumerate();
            let open = signs.map(|(at, sign)| if at == skip { '_' } else { sign });
            self.hint("birth open", &[&open.collect::<String>()])
        });
        BirthTraits {
            whole: whole(day),
            year: self.hint("birth year", &[&day.year.to_string()]),
            years_off: day.years_off().map(whole).collect(),
            other_calendar: day.of_the_other_calendar().into_iter().map(whole).collect(),
            swapped: day.swapped().map(whole),
            open: open.collect(),
            default: day.is_default(),
        }
    }

    fn numbered(&self, what: &str, text: &str) -> NumberTraits {
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
        CitizenTraits {
            number: self.numbered("citizen", &number.text),
            proven: number.proven,
            own: own((birth, sex), (number.birth, inside)),
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
    fn find_by(&self, traits: &mut Traits, clear: &Clear) {
        let mut keys = Vec::new();
        let mut probes = Vec::new();
        if let (Some(own), Some(number)) = (&traits.citizen, &clear.citizen) {
            keys.push(own.number.whole);
            let end = number.text.len().saturating_sub(12);
            for (part, text) in [("0", number.text.get(..14)), ("1", number.text.get(end..))] {
                keys.extend(text.map(|text| self.mark("citizen part", &[part, text])));
            }
        }
        keys.extend(traits.cards.iter().map(|card| card.whole));
        keys.extend(&traits.phones);
        keys.extend(&traits.assigned);
        for name in &clear.names {
            for birth in clear.births() {
                self.find_by_name_and_birth((name, birth), (&mut keys, &mut probes));
            }
            for site in &traits.sites {
                let whole = site.whole.to_string();
                let readings = name.readings.iter();
                keys.extend(readings.map(|text| self.mark("reading site", &[text, &whole])));
            }
        }
        for list in [&mut keys, &mut probes] {
            list.sort_unstable();
            list.dedup();
        }
        (traits.keys, traits.probes) = (keys, probes);
    }

    fn find_by_name_and_birth(
        &self,
        (name, birth): (&Name, Day),
        (keys, probes): (&mut Vec<Mark>, &mut Vec<Mark>),
    ) {
        let (digits, year) = (birth.digits(), birth.year.to_string());
        let day = |digits: &str| digits.get(4..).unwrap_or_default().to_owned();
        for reading in &name.readings {
            keys.push(self.mark("reading year", &[reading, &year]));
            keys.push(self.mark("reading day", &[reading, &day(&digits)]));
            let others = birth.of_the_other_calendar().into_iter().map(|other| other.digits());
            probes.extend(others.map(|other| self.mark("reading day", &[reading, &day(&other)])));
        }
        let surnames = name.surnames.iter();
        keys.extend(surnames.map(|text| self.mark("surname birth", &[text, &digits])));
        let given = name.given.iter();
        keys.extend(given.map(|text| self.mark("given birth", &[text, &digits])));
        if name.gapped {
            for other in birth.of_the_other_calendar() {
                let digits = other.digits();
                let surnames = name.surnames.iter();
                probes.extend(surnames.map(|text| self.mark("surname birth", &[text, &digits])));
                let given = name.given.iter();
                probes.extend(given.map(|text| self.mark("given birth", &[text, &digits])));
            }
        }
        if name.surnames.is_empty() {
            for begin in name.beginnings.iter().chain([&name.whole]) {
                let head: String = begin.chars().take(3).collect();
                keys.push(self.mark("given birth", &[&head, &digits]));
            }
        }
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

/// Whether what stands inside an id is the record's own.
///
/// One slip is nobody else's id: a day that differs a little, or the sex alone. Both at once
/// are the number of a wife or a husband of nearly the same age.
fn own(record: (Option<Day>, Sex), inside: (Option<Day>, Sex)) -> Own {
    let sexes = match (record.1, inside.1) {
        (Sex::Unknown, _) | (_, Sex::Unknown) => Own::Unknown,
        (own, inside) if own == inside => Own::Agrees,
        _ => Own::Contradicts,
    };
    match (record.0, inside.0) {
        (Some(own), Some(inside)) if own == inside => Own::Agrees,
        (Some(own), Some(inside)) if own.is_birth_of(inside) || own.stands_for(inside) => {
            if sexes == Own::Contradicts { sexes } else { Own::Agrees }
        }
        (Some(_), Some(_)) => Own::Contradicts,
        _ => sexes,
    }
}

fn sex(text: &str) -> Sex {
    match plain(text).trim().to_lowercase().as_str() {
        "1" | "m" | "male" | "男" | "男性" => Sex::Male,
        "2" | "f" | "female" | "女" | "女性" => Sex::Female,
        _ => Sex::Unknown,
    }
}

fn division(text: &str) -> Option<String> {
    let digits: String = plain(text).chars().filter(char::is_ascii_digit).take(6).collect();
    (digits.len() == 6).then_some(digits)
}
