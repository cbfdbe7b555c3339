//! 比较, how two sets of traits agree, field by field.

use std::cmp::Ordering;
use std::fmt;

pub use super::levels::{BirthLevel, CitizenLevel, Comparison, NameLevel, SexLevel, ThingLevel};
use super::traits::{
    BirthTraits, CitizenTraits, Mark, NameTraits, NumberTraits, Own, Sex, SiteTraits, Traits,
};

/// What they agree in, where it matters how many others have it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Shared {
    /// The whole name.
    pub name: Option<Mark>,
    /// How the name is read.
    pub reading: Option<Mark>,
    /// A telephone.
    pub phone: Option<Mark>,
    /// An address.
    pub site: Option<Mark>,
    /// A card.
    pub card: Option<Mark>,
}

/// Shows nothing, though tokens alone say little.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared(<masked>)")
    }
}

/// Compares two; the same either way round.
#[must_use]
pub fn compare(a: &Traits, b: &Traits) -> (Comparison, Shared) {
    let mut shared = Shared { phone: common(&a.phones, &b.phones), ..Shared::default() };
    let name = names(&a.names, &b.names, &mut shared);
    let (card, same_card) = numbers(&a.cards, &b.cards);
    shared.card = same_card;
    let (site, same_site) = sites(&a.sites, &b.sites);
    shared.site = same_site;
    let comparison = Comparison {
        name,
        birth: births(a, b),
        sex: sexes(a, b),
        citizen: citizens(a.citizen.as_ref(), b.citizen.as_ref()),
        card,
        phone: thing(&a.phones, &b.phones),
        site,
        division: thing(a.division.as_slice(), b.division.as_slice()),
        // A number says which authority it is of by nothing: another is no disagreement.
        assigned: match common(&a.assigned, &b.assigned) {
            Some(_) => ThingLevel::Same,
            None => ThingLevel::Missing,
        },
    };
    (comparison, shared)
}

fn thing<T: Copy + Ord>(a: &[T], b: &[T]) -> ThingLevel {
    match () {
        () if a.is_empty() || b.is_empty() => ThingLevel::Missing,
        () if common(a, b).is_some() => ThingLevel::Same,
        () => ThingLevel::Other,
    }
}

/// The least of what both have, whichever comes first in either.
fn common<T: Copy + Ord>(a: &[T], b: &[T]) -> Option<T> {
    a.iter().filter(|mark| b.contains(mark)).min().copied()
}

fn meets<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.iter().any(|mark| b.contains(mark))
}

fn sites(a: &[SiteTraits], b: &[SiteTraits]) -> (ThingLevel, Option<Mark>) {
    let pairs = || a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    let same = pairs().filter(|(a, b)| a.whole == b.whole).map(|(a, _)| a.whole).min();
    let level = match () {
        () if a.is_empty() || b.is_empty() => ThingLevel::Missing,
        () if same.is_some() => ThingLevel::Same,
        () if pairs().any(|(a, b)| a.place == b.place) => ThingLevel::Near,
        () => ThingLevel::Other,
    };
    (level, same)
}

fn numbers(a: &[NumberTraits], b: &[NumberTraits]) -> (ThingLevel, Option<Mark>) {
    let pairs = || a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    let same = pairs().filter(|(a, b)| a.whole == b.whole).map(|(a, _)| a.whole).min();
    let level = match () {
        () if a.is_empty() || b.is_empty() => ThingLevel::Missing,
        () if same.is_some() => ThingLevel::Same,
        () if pairs().any(|(a, b)| near(a, b)) => ThingLevel::Near,
        () => ThingLevel::Other,
    };
    (level, same)
}

fn names(a: &[NameTraits], b: &[NameTraits], shared: &mut Shared) -> NameLevel {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    let ranked = pairs.map(|(a, b)| {
        let marks = (a.whole.min(b.whole), a.whole.max(b.whole));
        ((name(a, b), marks), (a, b))
    });
    let best = ranked.min_by_key(|(rank, _)| *rank);
    let Some(((level, _), (a, b))) = best else { return NameLevel::Missing };
    if level == NameLevel::Same {
        shared.name = Some(a.whole);
    }
    if level <= NameLevel::Heard {
        shared.reading = common(&a.readings, &b.readings);
    }
    level
}

fn name(a: &NameTraits, b: &NameTraits) -> NameLevel {
    let whole = a.whole == b.whole && !a.gapped && !b.gapped;
    let surname = meets(&a.surnames, &b.surnames);
    let open = a.surnames.is_empty() || b.surnames.is_empty();
    match () {
        () if whole => NameLevel::Same,
        () if !a.gapped && !b.gapped && heard(a, b) => NameLevel::Heard,
        () if gap(a, b) || gap(b, a) => NameLevel::Cut,
        () if a.beginnings.contains(&b.hint) || b.beginnings.contains(&a.hint) => NameLevel::Cut,
        () if (a.married || b.married) && surname => NameLevel::Married,
        () if (a.gapped || b.gapped) && a.whole == b.whole => NameLevel::Cut,
        () if surname && one_off(a, b) => NameLevel::OneOff,
        () if meets(&a.given, &b.given) && (a.gapped || b.gapped) && open => NameLevel::Cut,
        () if surname => NameLevel::Surname,
        () => NameLevel::Other,
    }
}

/// Whether both are read alike: two names in characters as they are usually read, since rare
/// readings make 月 an 如; a name in letters in any way the other can be read.
fn heard(a: &NameTraits, b: &NameTraits) -> bool {
    match a.latin || b.latin {
        true => meets(&a.readings, &b.readings),
        false => a.readings.first().is_some_and(|usual| b.readings.first() == Some(usual)),
    }
}

/// Whether one character of at least three differs.
fn one_off(a: &NameTraits, b: &NameTraits) -> bool {
    let long = a.without_one.len().min(b.without_one.len()) > 2;
    long && meets(&a.without_one, &b.without_one)
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
        () if either(|birth| birth.swapped.as_slice()) => BirthLevel::Swapped,
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
            Ordering::Equal => return true,
            Ordering::Less => drop(a.next()),
            Ordering::Greater => drop(b.next()),
        }
    }
    false
}
