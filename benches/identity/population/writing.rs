//! What clerks of four systems make of a person.

use super::chance::Chance;
use super::fault::{Fault, Faults};
use super::lunar::{Day, lunar, solar};
use super::names::{Form, Name, Sex};
use super::people::{People, Person, check_character};
use super::places::Reach;
use super::{Rates, Record};

/// Record archive, civil affairs, two hospitals.
pub const SOURCES: [&str; 4] = ["EHR", "CIV", "HOSP_A", "HOSP_B"];
/// Whether a source knows a person, and whether it has registered one once more.
const KNOWN: [(f64, f64); 4] = [(0.8, 0.031), (0.75, 0.012), (0.5, 0.076), (0.24, 0.06)];
/// Who leaves what empty, compared with the average.
const NO_PHONE: [f64; 4] = [0.82, 1.13, 0.7, 1.83];
const NO_ADDRESS: [f64; 4] = [0.46, 0.29, 1.5, 3.7];
const NO_CARD: [f64; 4] = [0.65, 1.41, 0.79, 1.35];

/// Which sources hold a person, at least one, in the order of their records.
pub fn holders(chance: &mut Chance) -> Vec<usize> {
    loop {
        let mut found = Vec::new();
        for (source, (known, again)) in KNOWN.iter().enumerate() {
            let mut more = chance.happens(*known);
            while more {
                found.push(source);
                more = chance.happens(*again);
            }
        }
        if !found.is_empty() {
            return found;
        }
    }
}

/// One record in the making.
pub struct Writing<'a> {
    people: &'a People,
    rates: &'a Rates,
    chance: &'a mut Chance,
    source: usize,
    faults: Faults,
}

impl<'a> Writing<'a> {
    /// Begins a record of a source.
    pub fn new(
        people: &'a People,
        rates: &'a Rates,
        chance: &'a mut Chance,
        source: usize,
    ) -> Self {
        Self { people, rates, chance, source, faults: Faults::default() }
    }

    /// The record, without its numbers, and what is wrong with it.
    pub fn record(mut self, person: &Person) -> (Record, Faults) {
        let name = self.name(person);
        let sex = self.sex(person).to_owned();
        let birth_date = self.birth_date(person.birth).map_or(String::new(), |day| day.to_string());
        let id_no = self.id_no(person);
        let health_card_no = self.card(&person.card);
        let phone = self.phone(person);
        let (area_code, address) = self.address(person);
        let silent = self.chance.happens(self.rates.ethnicity_missing);
        let ethnicity = if silent { "" } else { person.ethnicity }.to_owned();
        let source = SOURCES[self.source].to_owned();
        let record = Record {
            rec_id: String::new(),
            source,
            local_id: String::new(),
            name,
            sex,
            birth_date,
            id_no,
            health_card_no,
            phone,
            area_code,
            address,
            ethnicity,
        };
        (record, self.faults)
    }

    /// How probable a fault is in this source.
    fn rate(&self, fault: Fault) -> f64 {
        self.rates.of(fault) * fault.habit()[self.source]
    }

    fn happens(&mut self, fault: Fault) -> bool {
        let rate = self.rate(fault);
        self.chance.happens(rate)
    }

    /// At most one of several faults of which a record has only one.
    fn one_of(&mut self, faults: &[Fault]) -> Option<Fault> {
        let weighed: Vec<_> = faults.iter().map(|fault| (*fault, self.rate(*fault))).collect();
        self.chance.weighed(&weighed)
    }

    /// The changed value with its fault noted, or the old one where nothing could change.
    fn noted<T: PartialEq>(&mut self, fault: Fault, old: T, new: Option<T>) -> T {
        match new.filter(|new| *new != old) {
            Some(new) => {
                self.faults.add(fault);
                new
            }
            None => old,
        }
    }

    fn name(&mut self, person: &Person) -> String {
        let names = &self.people.names;
        let own = person.name.clone();
        let mut name = own.clone();
        // One in four records holds the other name of who has one.
        let called = 0.25 * Fault::NameAlias.habit()[self.source];
        if person.alias.is_some() && self.chance.happens(called) {
            name = self.noted(Fault::NameAlias, own, person.alias.clone());
        } else if self.happens(Fault::NameHomophone) {
            let new = names.homophone(self.chance, &name);
            name = self.noted(Fault::NameHomophone, own, new);
        }
        let mut text = name.text();
        if let Some((husband, _)) = &person.spouse
            && person.sex == Sex::Female
            && self.happens(Fault::MarriedName)
        {
            let new = married(self.chance, &name, husband);
            text = self.noted(Fault::MarriedName, text, new);
        } else if self.happens(Fault::NamePinyin) {
            let new = names.latin(self.chance, &name);
            text = self.noted(Fault::NamePinyin, text, new);
        }
        if self.happens(Fault::NameVariantChar) {
            let new = names.variant(self.chance, &text);
            text = self.noted(Fault::NameVariantChar, text, new);
        }
        if self.happens(Fault::RareGlyphLost) {
            let new = names.lost(self.chance, &text);
            text = self.noted(Fault::RareGlyphLost, text, new);
        }
        self.respelt(name.form, text)
    }

    /// Dots, length and spaces.
    fn respelt(&mut self, form: Form, mut text: String) -> String {
        if form == Form::Dotted && self.happens(Fault::DotVariant) {
            let dot = *self.chance.among(&["•", "・", ".", "．", " ", ""]);
            let new = text.replacen('·', dot, 1);
            text = self.noted(Fault::DotVariant, text, Some(new));
        }
        if self.happens(Fault::NameTruncated) && form == Form::Dotted {
            let new = text.chars().take(6).collect();
            text = self.noted(Fault::NameTruncated, text, Some(new));
        }
        if self.happens(Fault::NameSpace) {
            let letters: Vec<char> = text.chars().collect();
            let new = match (letters.as_slice(), self.chance.below(4)) {
                ([first, second], 0..3) => {
                    format!("{first}{}{second}", self.chance.among(&["\u{3000}", " "]))
                }
                _ => format!(" {text}"),
            };
            text = self.noted(Fault::NameSpace, text, Some(new));
        }
        text
    }

    fn sex(&mut self, person: &Person) -> &'static str {
        let words = [["1", "2", "9"], ["1", "2", "9"], ["M", "F", "U"], ["男", "女", ""]];
        let [male, female, unknown] = words[self.source];
        let word = |sex| if sex == Sex::Male { male } else { female };
        match self.one_of(&[Fault::SexUnknown, Fault::SexWrong]) {
            Some(fault) => {
                self.faults.add(fault);
                if fault == Fault::SexUnknown { unknown } else { word(person.sex.other()) }
            }
            None => word(person.sex),
        }
    }

    fn birth_date(&mut self, own: Day) -> Option<Day> {
        let Some(fault) = self.one_of(&[
            Fault::DobLunarSolar,
            Fault::DobYear,
            Fault::DobTypo,
            Fault::DobDefault,
            Fault::DobSwapped,
            Fault::DobMissing,
        ]) else {
            return Some(own);
        };
        let new = match fault {
            Fault::DobLunarSolar if self.chance.happens(0.12) => solar(own),
            Fault::DobLunarSolar => lunar(own),
            Fault::DobYear => Some(Day { year: own.year + self.chance.among(&[1, -1]), ..own }),
            Fault::DobTypo => mistyped(self.chance, own),
            Fault::DobDefault => Some(Day::new(own.year, 1, 1)),
            Fault::DobSwapped => (own.day <= 12).then(|| Day::new(own.year, own.day, own.month)),
            _ => {
                self.faults.add(Fault::DobMissing);
                return None;
            }
        };
        Some(self.noted(fault, own, new))
    }

    fn id_no(&mut self, person: &Person) -> String {
        let mut own = person.id.clone();
        if self.happens(Fault::IdMissing) {
            return self.noted(Fault::IdMissing, own, Some(String::new()));
        }
        if person.reissued.is_some() && self.chance.happens(0.25) {
            own = self.noted(Fault::IdReissued, own, person.reissued.clone());
        }
        let fault = self.one_of(&[
            Fault::Id15,
            Fault::IdWrongDigit,
            Fault::IdTransposed,
            Fault::IdOfSpouse,
            Fault::IdWrongCheck,
            Fault::IdShort,
        ]);
        if let Some(fault) = fault {
            let new = match fault {
                Fault::Id15 => Some(format!("{}{}", &own[..6], &own[8..17])),
                Fault::IdWrongDigit => Some(wrong_digit(self.chance, &own, 0..17)),
                Fault::IdTransposed => transposed(self.chance, &own),
                Fault::IdOfSpouse => person.spouse.as_ref().map(|(_, id)| id.clone()),
                Fault::IdWrongCheck => Some(wrong_check(self.chance, &own)),
                _ => {
                    let mut short = own.clone();
                    short.remove(self.chance.between(6, 16));
                    Some(short)
                }
            };
            own = self.noted(fault, own, new);
        }
        if !self.happens(Fault::IdFormat) {
            return own;
        }
        let new = reformatted(self.chance, &own);
        self.noted(Fault::IdFormat, own, Some(new))
    }

    fn card(&mut self, own: &str) -> String {
        let lacking = self.rates.card_missing * NO_CARD[self.source];
        if own.is_empty() || self.chance.happens(lacking) {
            return String::new();
        }
        if self.happens(Fault::CardTypo) {
            let new = wrong_digit(self.chance, own, 1..own.len());
            return self.noted(Fault::CardTypo, own.to_owned(), Some(new));
        }
        own.to_owned()
    }

    fn phone(&mut self, person: &Person) -> String {
        if self.chance.happens(self.rates.phone_missing * NO_PHONE[self.source]) {
            return String::new();
        }
        let which = self.chance.weighed(&[(1, 0.12), (2, 0.035)]).unwrap_or(0);
        let mut phone = person.phones[which].clone();
        if self.happens(Fault::PhoneOther) {
            let new = self.people.phone(self.chance, person.place);
            phone = self.noted(Fault::PhoneOther, phone, Some(new));
        }
        if self.happens(Fault::PhoneFormat) {
            let new = match (phone.starts_with('0'), self.chance.below(4)) {
                (true, _) => format!("{}-{}", &phone[..4], &phone[4..]),
                (false, 0) => format!("+86{phone}"),
                (false, 1) => format!("86-{phone}"),
                (false, 2) => format!("0{phone}"),
                (false, _) => format!("{}-{}-{}", &phone[..3], &phone[3..7], &phone[7..]),
            };
            phone = self.noted(Fault::PhoneFormat, phone, Some(new));
        }
        phone
    }

    /// Division code and address; who leaves one empty leaves both.
    fn address(&mut self, person: &Person) -> (String, String) {
        if self.chance.happens(self.rates.address_missing * NO_ADDRESS[self.source]) {
            return Default::default();
        }
        let place = &self.people.places[person.place];
        let mut home = person.home;
        if self.happens(Fault::AddrOther) {
            home = self.people.sites.flat(self.chance);
            self.faults.add(Fault::AddrOther);
        }
        let reach = match self.chance.share() {
            ..0.6 => Reach::Province,
            ..0.9 => Reach::City,
            _ => Reach::Door,
        };
        let door = if self.happens(Fault::AddrStyle) {
            self.faults.add(Fault::AddrStyle);
            home.short()
        } else {
            home.long()
        };
        if !place.old_code.is_empty() && self.happens(Fault::AreaOldCode) {
            self.faults.add(Fault::AreaOldCode);
            return (place.old_code.to_owned(), place.old_prefix(reach) + &door);
        }
        (place.code.to_owned(), place.prefix(reach) + &door)
    }
}

/// A wife as her husband's village names her.
fn married(chance: &mut Chance, name: &Name, husband: &str) -> Option<String> {
    let own = (name.form == Form::Han && !husband.is_empty()).then_some(&name.first)?;
    Some(match chance.below(3) {
        0 => format!("{own}氏"),
        1 => format!("{husband}{own}氏"),
        _ => format!("{husband}{}", name.text()),
    })
}

/// One digit of the day is another, and the day still one of every month.
fn mistyped(chance: &mut Chance, own: Day) -> Option<Day> {
    let ones = |day: u32| (day / 10, day % 10);
    let able: Vec<u32> = (1..=28)
        .filter(|day| {
            let ((tens, units), (own_tens, own_units)) = (ones(*day), ones(own.day));
            (tens == own_tens) != (units == own_units)
        })
        .collect();
    (!able.is_empty()).then(|| Day { day: *chance.among(&able), ..own })
}

/// One digit within the range is another.
fn wrong_digit(chance: &mut Chance, own: &str, range: std::ops::Range<usize>) -> String {
    let at = chance.between(range.start, range.end - 1);
    let mut letters: Vec<u8> = own.bytes().collect();
    letters[at] = b'0' + (letters[at].wrapping_sub(b'0') + chance.between(1, 9) as u8) % 10;
    letters.into_iter().map(char::from).collect()
}

/// Another check character than the right one.
fn wrong_check(chance: &mut Chance, own: &str) -> String {
    let right = check_character(own);
    let others: Vec<char> = "0123456789X".chars().filter(|one| *one != right).collect();
    format!("{}{}", &own[..17], chance.among(&others))
}

/// Two unlike neighbours among the digits after the division code are exchanged.
fn transposed(chance: &mut Chance, own: &str) -> Option<String> {
    let mut letters: Vec<char> = own.chars().collect();
    let able: Vec<usize> = (6..16).filter(|at| letters[*at] != letters[at + 1]).collect();
    if able.is_empty() {
        return None;
    }
    let at = *chance.among(&able);
    letters.swap(at, at + 1);
    Some(letters.into_iter().collect())
}

/// The same number as other input methods and forms give it.
fn reformatted(chance: &mut Chance, own: &str) -> String {
    let wide = |one: char| char::from_u32(u32::from(one) + 0xfee0).unwrap_or(one);
    match chance.below(8) {
        0..3 => own.chars().map(wide).collect(),
        3..6 if own.len() > 14 => format!("{} {} {}", &own[..6], &own[6..14], &own[14..]),
        6 if own.contains('X') => own.to_lowercase(),
        _ => format!(" {own}"),
    }
}
