//! Names as that generation bears them. All are put together by chance.
//!
//! `sounds.csv` groups characters by their reading without tone, as pypinyin 0.55 gives it;
//! the readings of surnames, which differ (单, 曾, 仇), stand with these.

use std::collections::HashMap;

use super::chance::{Chance, Ranked};

const SURNAMES: &str = include_str!("surnames.csv");
const GIVEN: &str = include_str!("given.csv");
const MINORITY: &str = include_str!("given_minority.csv");
const SOUNDS: &str = include_str!("sounds.csv");
const VARIANTS: &str = include_str!("variants.csv");

/// Surnames usual among the Hui and the Manchu of the two provinces.
const HUI: [&str; 10] = ["马", "丁", "白", "沙", "海", "哈", "买", "金", "杨", "李"];
const MANCHU: [&str; 6] = ["关", "佟", "赵", "金", "白", "唐"];

/// How a name is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Own name, a dot, the father's name.
    Dotted,
    /// Surname and given name.
    Han,
    /// Two names of two syllables, none of them a surname.
    Tibetan,
}

/// A name in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// 姓; the own name of a dotted one, nothing of a Tibetan.
    pub first: String,
    /// 名; the father's name of a dotted one.
    pub last: String,
    /// How it is put together.
    pub form: Form,
}

impl Name {
    /// As the identity card has it.
    pub fn text(&self) -> String {
        let dot = if self.form == Form::Dotted { "·" } else { "" };
        format!("{}{dot}{}", self.first, self.last)
    }
}

/// Male or female.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// 男
    Male,
    /// 女
    Female,
}

impl Sex {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Male => Self::Female,
            Self::Female => Self::Male,
        }
    }
}

/// Everything names are made and misspelt from.
#[derive(Debug)]
pub struct Names {
    surnames: Ranked<&'static str>,
    doubles: Ranked<&'static str>,
    rare_surnames: Vec<&'static str>,
    men: Ranked<char>,
    women: Ranked<char>,
    whole_men: Ranked<&'static str>,
    whole_women: Ranked<&'static str>,
    rare: Vec<char>,
    minority: HashMap<(&'static str, &'static str), Vec<&'static str>>,
    surname_sounds: HashMap<&'static str, &'static str>,
    sounds: HashMap<char, &'static str>,
    alike: HashMap<&'static str, Vec<char>>,
    variants: HashMap<char, Vec<char>>,
}

fn rows<const N: usize>(text: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    text.lines().skip(1).map(|line| {
        let mut cells = line.split(',');
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    })
}

impl Names {
    /// Reads the tables beside this file.
    pub fn new() -> Self {
        let surnames = |kind| {
            rows(SURNAMES).filter(move |[_, _, own]| *own == kind).map(|[surname, ..]| surname)
        };
        let given = |kind| {
            rows(GIVEN).filter(move |[own, _]| *own == kind).flat_map(|[_, text]| text.chars())
        };
        let whole = |kind| {
            let own = rows(GIVEN).filter(|[own, _]| *own == kind);
            Ranked::new(own.flat_map(|[_, text]| text.split(' ')).collect(), 8.0)
        };
        let mut variants: HashMap<char, Vec<char>> = HashMap::new();
        for [plain, variant] in rows(VARIANTS) {
            let (plain, variant) = (letter(plain), letter(variant));
            variants.entry(plain).or_default().push(variant);
            variants.entry(variant).or_default().push(plain);
        }
        let minority =
            |[people, sex, names]: [&'static str; 3]| ((people, sex), names.split(' ').collect());
        Self {
            surnames: Ranked::new(surnames("common").collect(), 2.0),
            doubles: Ranked::new(surnames("double").collect(), 2.0),
            rare_surnames: surnames("rare").collect(),
            men: Ranked::new(given("men").collect(), 8.0),
            women: Ranked::new(given("women").collect(), 3.0),
            whole_men: whole("whole men"),
            whole_women: whole("whole women"),
            rare: given("rare").collect(),
            minority: rows(MINORITY).map(minority).collect(),
            surname_sounds: rows(SURNAMES).map(|[surname, sound, _]| (surname, sound)).collect(),
            sounds: rows(SOUNDS)
                .flat_map(|[sound, all]| all.chars().map(move |one| (one, sound)))
                .collect(),
            alike: rows(SOUNDS).map(|[sound, all]| (sound, all.chars().collect())).collect(),
            variants,
        }
    }

    /// 姓
    pub fn surname(&self, chance: &mut Chance) -> &'static str {
        let all = if chance.happens(0.008) { &self.doubles } else { &self.surnames };
        all.pick(chance)
    }

    /// 名, beginning with a given character if brothers or sisters share one.
    pub fn given(&self, chance: &mut Chance, sex: Sex, shared: Option<char>) -> String {
        let (all, whole, usual) = match sex {
            Sex::Male => (&self.men, &self.whole_men, 0.11),
            Sex::Female => (&self.women, &self.whole_women, 0.25),
        };
        let Some(first) = shared else {
            if chance.happens(usual) {
                return (*whole.pick(chance)).to_owned();
            }
            let first = *all.pick(chance);
            let second = (!chance.happens(0.19)).then(|| *all.pick(chance));
            return std::iter::once(first).chain(second).collect();
        };
        [first, *all.pick(chance)].into_iter().collect()
    }

    /// A Han name; the rate is that of characters many systems cannot write.
    pub fn han(&self, chance: &mut Chance, sex: Sex, rare: f64) -> Name {
        let mut first = self.surname(chance).to_owned();
        let mut last = self.given(chance, sex, None);
        if chance.happens(rare / 2.0) {
            first = (*chance.among(&self.rare_surnames)).to_owned();
        } else if chance.happens(rare / 2.0) {
            last.pop();
            last.push(*chance.among(&self.rare));
        }
        Name { first, last, form: Form::Han }
    }

    /// A name of one of the peoples other than the Han, and the people.
    pub fn minority(&self, chance: &mut Chance, sex: Sex) -> (Name, &'static str) {
        let own = if sex == Sex::Male { "1" } else { "2" };
        let mut part = |people, sex| {
            let known = self.minority.get(&(people, sex));
            known.map_or(String::new(), |all| (*chance.among(all)).to_owned())
        };
        let uyghur =
            Name {
                first: part("维吾尔", own), last: part("维吾尔", "1"), form: Form::Dotted
            };
        let tibetan = [part("藏", own), part("藏", own)].concat();
        let tibetan = Name { first: String::new(), last: tibetan, form: Form::Tibetan };
        match chance.share() {
            ..0.45 => (uyghur, "维吾尔"),
            ..0.68 => (tibetan, "藏"),
            ..0.93 => (self.han_with(chance, sex, &HUI), "回"),
            _ => (self.han_with(chance, sex, &MANCHU), "满"),
        }
    }

    fn han_with(&self, chance: &mut Chance, sex: Sex, surnames: &[&str]) -> Name {
        let first = (*chance.among(surnames)).to_owned();
        Name { first, last: self.given(chance, sex, None), form: Form::Han }
    }

    /// The name with one character of the given name replaced by one of the same sound.
    pub fn homophone(&self, chance: &mut Chance, name: &Name) -> Option<Name> {
        let others = |own: char| {
            let all = self.sounds.get(&own).and_then(|sound| self.alike.get(sound));
            all.into_iter().flatten().copied().filter(move |other| *other != own).collect()
        };
        Some(Name { last: replaced(chance, &name.last, others)?, ..name.clone() })
    }

    /// The text with one character written in another form.
    pub fn variant(&self, chance: &mut Chance, text: &str) -> Option<String> {
        replaced(chance, text, |own| self.variants.get(&own).cloned().unwrap_or_default())
    }

    /// The text with a rare character replaced by what a system prints instead.
    pub fn lost(&self, chance: &mut Chance, text: &str) -> Option<String> {
        let rare = |one: &char| {
            self.rare.contains(one) || self.rare_surnames.contains(&one.to_string().as_str())
        };
        let lost = text.chars().find(rare)?;
        let instead = match chance.below(5) {
            0 => self.sound(lost)?.to_uppercase(),
            other => (*chance.among(&["?", "□", "〇", "*"][..other])).to_owned(),
        };
        Some(text.replacen(lost, &instead, 1))
    }

    fn sound(&self, one: char) -> Option<&'static str> {
        let surname = self.surname_sounds.get(one.to_string().as_str());
        surname.or_else(|| self.sounds.get(&one)).copied()
    }

    /// A Han name in Latin letters, in one of the ways hospitals print it.
    pub fn latin(&self, chance: &mut Chance, name: &Name) -> Option<String> {
        let surname = self.surname_sounds.get(name.first.as_str())?;
        let given: Option<Vec<_>> =
            name.last.chars().map(|one| self.sounds.get(&one).copied()).collect();
        let (joined, apart) = (given.as_ref()?.concat(), given.as_ref()?.join(" "));
        Some(match chance.below(7) {
            0 => format!("{} {}", capital(surname), capital(&joined)),
            1 => format!("{} {}", capital(&joined), capital(surname)),
            2 | 3 => format!("{surname} {joined}").to_uppercase(),
            4 | 5 => format!("{surname} {apart}").to_uppercase(),
            _ => format!("{surname}{joined}").to_uppercase(),
        })
    }
}

fn letter(text: &str) -> char {
    text.chars().next().unwrap_or_default()
}

fn capital(word: &str) -> String {
    let (head, tail) = word.split_at(word.len().min(1));
    format!("{}{tail}", head.to_uppercase())
}

/// The text with one character replaced by one of its others, if any character has some.
fn replaced(chance: &mut Chance, text: &str, others: impl Fn(char) -> Vec<char>) -> Option<String> {
    let mut letters: Vec<char> = text.chars().collect();
    let able: Vec<usize> =
        (0..letters.len()).filter(|at| !others(letters[*at]).is_empty()).collect();
    if able.is_empty() {
        return None;
    }
    let at = *chance.among(&able);
    letters[at] = *chance.among(&others(letters[at]));
    Some(letters.into_iter().collect())
}
