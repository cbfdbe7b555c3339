//! 比较, how two sets of traits agree, field by field, by levels.
//!
//! Levels of a field are in the order of how much they say for one person, best first.

use serde::{Deserialize, Serialize};

use super::traits::{BirthTraits, CitizenTraits, Mark, NameTraits, NumberTraits, Own, Sex, Traits};

/// Names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NameLevel {
    /// The same characters.
    Same,
    /// Other characters, heard alike.
    Heard,
    /// Alike but for a character that could not be written, or a cut end.
    Cut,
    /// The old form of a married woman's name with the same surname.
    Married,
    /// One character differs, and sounds otherwise.
    OneOff,
    /// The surname alone.
    Surname,
    /// Nothing alike.
    Other,
    /// Missing.
    Missing,
}

/// Birth dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BirthLevel {
    Same,
    /// The other calendar.
    OtherCalendar,
    /// The same day, one or two years off.
    YearOff,
    /// Day and month exchanged.
    Swapped,
    /// One digit.
    OneDigit,
    /// The first of January of that year.
    Default,
    /// Nothing else than the year.
    Year,
    Other,
    Missing,
}

/// Sexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SexLevel {
    Same,
    Other,
    Missing,
}

/// Citizen ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CitizenLevel {
    /// The same, proven, nobody else's by what is inside.
    Same,
    /// The same, and one of the two records says another birth: borrowed.
    Borrowed,
    /// One sign differs, is missing or exchanged, and one of the two fails its check.
    Near,
    /// Both proven, and different: two people, unless a number was given anew.
    Two,
    /// Different, and one of them cannot be right.
    Other,
    Missing,
}

/// Cards, telephones, addresses, assigned numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ThingLevel {
    Same,
    /// One sign off; the same road or village.
    Near,
    Other,
    Missing,
}

/// How two entries agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Comparison {
    pub name: NameLevel,
    pub birth: BirthLevel,
    pub sex: SexLevel,
    pub citizen: CitizenLevel,
    pub card: ThingLevel,
    pub phone: ThingLevel,
    pub site: ThingLevel,
    pub division: ThingLevel,
    pub assigned: ThingLevel,
}

/// What they agree in, where it matters how many others have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shared {
    pub name: Option<Mark>,
    pub reading: Option<Mark>,
    pub phone: Option<Mark>,
    pub site: Option<Mark>,
    pub card: Option<Mark>,
}

/// Compares two; the same either way round.
#[must_use]
pub fn compare(a: &Traits, b: &Traits) -> (Comparison, Shared) {
    let mut shared = Shared::default();
    let name = names(&a.names, &b.names, &mut shared);
    let phone = first_shared(&a.phones, &b.phones);
    shared.phone = phone;
    let sites = |traits: &Traits| traits.sites.iter().map(|site| site.whole).collect::<Vec<_>>();
    shared.site = first_shared(&sites(a), &sites(b));
    let near_site = a.sites.iter().any(|a| b.sites.iter().any(|b| a.place == b.place));
    let card = numbers(&a.cards, &b.cards);
    shared.card = match card {
        ThingLevel::Same => a
            .cards
            .iter()
            .map(|card| card.whole)
            .find(|mark| b.cards.iter().any(|card| card.whole == *mark)),
        _ => None,
    };
    let comparison = Comparison {
        name,
        birth: births(a, b),
        sex: sexes(a, b),
        citizen: citizens(a.citizen.as_ref(), b.citizen.as_ref()),
        card,
        phone: thing((a.phones.is_empty(), b.phones.is_empty()), phone.is_some(), false),
        site: thing((a.sites.is_empty(), b.sites.is_empty()), shared.site.is_some(), near_site),
        division: thing(
            (a.division.is_none(), b.division.is_none()),
            a.division == b.division,
            false,
        ),
        assigned: thing(
            (a.assigned.is_empty(), b.assigned.is_empty()),
            first_shared(&a.assigned, &b.assigned).is_some(),
            false,
        ),
    };
    (comparison, shared)
}

fn thing(missing: (bool, bool), same: bool, near: bool) -> ThingLevel {
    match () {
        () if missing.0 || missing.1 => ThingLevel::Missing,
        () if same => ThingLevel::Same,
        () if near => ThingLevel::Near,
        () => ThingLevel::Other,
    }
}

fn first_shared<T: Copy + PartialEq>(a: &[T], b: &[T]) -> Option<T> {
    a.iter().find(|mark| b.contains(mark)).copied()
}

fn meets<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.iter().any(|mark| b.contains(mark))
}

fn names(a: &[NameTraits], b: &[NameTraits], shared: &mut Shared) -> NameLevel {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    let best = pairs.map(|(a, b)| (name(a, b), a, b)).min_by_key(|(level, _, _)| *level);
    let Some((level, a, b)) = best else { return NameLevel::Missing };
    if level == NameLevel::Same {
        shared.name = Some(a.whole);
    }
    if level <= NameLevel::Heard {
        shared.reading = first_shared(&a.readings, &b.readings);
    }
    level
}

fn name(a: &NameTraits, b: &NameTraits) -> NameLevel {
    let whole = a.whole == b.whole && !a.gapped && !b.gapped;
    let surname = meets(&a.surnames, &b.surnames);
    let open = a.surnames.is_empty() || b.surnames.is_empty();
    match () {
        () if whole => NameLevel::Same,
        () if !a.gapped && !b.gapped && meets(&a.readings, &b.readings) => NameLevel::Heard,
        () if gap(a, b) || gap(b, a) => NameLevel::Cut,
        () if a.beginnings.contains(&b.hint) || b.beginnings.contains(&a.hint) => NameLevel::Cut,
        () if (a.married || b.married) && surname => NameLevel::Married,
        () if (a.gapped || b.gapped) && a.whole == b.whole => NameLevel::Cut,
        () if surname && meets(&a.without_one, &b.without_one) && a.without_one.len() > 2 => {
            NameLevel::OneOff
        }
        () if meets(&a.given, &b.given) && (a.gapped || b.gapped) && open => NameLevel::Cut,
        () if surname => NameLevel::Surname,
        () => NameLevel::Other,
    }
}

/// Whether `a` is `b` but for the character it lost.
fn gap(a: &NameTraits, b: &NameTraits) -> bool {
    a.gapped && b.without_one.contains(&a.hint)
}

fn births(a: &Traits, b: &Traits) -> BirthLevel {
    let pairs = candidates(a).flat_map(|a| candidates(b).map(move |b| birth(a, b)));
    pairs.min().unwrap_or(BirthLevel::Missing)
}

/// The record's own date, and the one inside an id that does not contradict it.
fn candidates(traits: &Traits) -> impl Iterator<Item = &BirthTraits> + Clone {
    let inside = traits.citizen.as_ref().filter(|citizen| citizen.own != Own::Contradicts);
    traits.birth.iter().chain(inside.and_then(|citizen| citizen.birth.as_ref()))
}

fn birth(a: &BirthTraits, b: &BirthTraits) -> BirthLevel {
    let either =
        |list: fn(&BirthTraits) -> &[u32]| list(a).contains(&b.whole) || list(b).contains(&a.whole);
    match () {
        () if a.whole == b.whole => BirthLevel::Same,
        () if either(|birth| &birth.other_calendar) => BirthLevel::OtherCalendar,
        () if either(|birth| &birth.years_off) => BirthLevel::YearOff,
        () if a.swapped == Some(b.whole) => BirthLevel::Swapped,
        () if a.open.iter().zip(&b.open).any(|(a, b)| a == b) => BirthLevel::OneDigit,
        () if a.year == b.year && (a.default || b.default) => BirthLevel::Default,
        () if a.year == b.year => BirthLevel::Year,
        () => BirthLevel::Other,
    }
}

fn sexes(a: &Traits, b: &Traits) -> SexLevel {
    let known = |traits: &Traits| match (traits.sex, &traits.citizen) {
        (Sex::Unknown, Some(citizen)) => citizen.sex,
        (own, _) => own,
    };
    match (known(a), known(b)) {
        (Sex::Unknown, _) | (_, Sex::Unknown) => SexLevel::Missing,
        (a, b) if a == b => SexLevel::Same,
        _ => SexLevel::Other,
    }
}

fn citizens(a: Option<&CitizenTraits>, b: Option<&CitizenTraits>) -> CitizenLevel {
    let (Some(a), Some(b)) = (a, b) else { return CitizenLevel::Missing };
    let borrowed = a.own == Own::Contradicts || b.own == Own::Contradicts;
    let near = || near(&a.number, &b.number);
    match () {
        () if a.number.whole == b.number.whole && borrowed => CitizenLevel::Borrowed,
        () if a.number.whole == b.number.whole && a.proven => CitizenLevel::Same,
        () if a.number.whole == b.number.whole => CitizenLevel::Near,
        // Whose number it is nobody knows: it says nothing.
        () if borrowed => CitizenLevel::Missing,
        () if a.proven && b.proven => CitizenLevel::Two,
        () if near() => CitizenLevel::Near,
        () => CitizenLevel::Other,
    }
}

fn near(a: &NumberTraits, b: &NumberTraits) -> bool {
    a.without_one.contains(&b.hint)
        || b.without_one.contains(&a.hint)
        || sorted_meet(&a.without_one, &b.without_one)
}

fn sorted_meet(a: &[u32], b: &[u32]) -> bool {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(left), Some(right)) = (a.peek(), b.peek()) {
        match left.cmp(right) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => drop(a.next()),
            std::cmp::Ordering::Greater => drop(b.next()),
        }
    }
    false
}

fn numbers(a: &[NumberTraits], b: &[NumberTraits]) -> ThingLevel {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    let level = |(a, b): (&NumberTraits, &NumberTraits)| match () {
        () if a.whole == b.whole => ThingLevel::Same,
        () if near(a, b) => ThingLevel::Near,
        () => ThingLevel::Other,
    };
    pairs.map(level).min().unwrap_or(ThingLevel::Missing)
}
