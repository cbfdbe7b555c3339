//! A ledger as a city's gateway would write it: mostly disclosures, and some of everything an
//! auditor looks for, down to what happened once in all those entries.
//!
//! An entry follows from its number alone, so whoever knows the number knows what to look for.

use kangqiao::audit::{Entry, Hash, Kind, Reference};
use kangqiao::identity::Pseudonym;
use kangqiao::vocabulary::{Department, ElementId, Fault, Purpose, Role, Tier};

/// Persons the entries are about, and the one about whom most are.
const PERSONS: u64 = 100_000;
pub const OFTEN: u64 = 0;
/// Every so many entries there is one of what is rare. Primes: what is rare is nowhere together.
pub const RARE_EVERY: u64 = 1_000_003;
/// The entry of which there is one in all, early on.
pub const ONCE: u64 = 4_711;
/// The kind of that entry.
pub const ONCE_KIND: Kind = Kind::Erase;
/// A department that asks rarely, for a purpose of its own.
pub const RARELY: Asks = ("audit-office", "auditor", "audit");
/// An element that leaves rarely.
pub const RARE_ELEMENT: &str = "MZ.person.religion";
/// Departments with their roles and purposes, as the shipped policies grant them.
pub const ASKS: [Asks; 9] = [
    ("civil-affairs", "clerk", "subsidy-eligibility"),
    ("civil-affairs", "clerk", "living-check"),
    ("civil-affairs", "clerk", "contract-status"),
    ("hotline-12349", "agent", "emergency-card"),
    ("hotline-12349", "dispatcher", "service-matching"),
    ("care-home", "doctor", "institution-admission"),
    ("community", "worker", "contract-status"),
    ("clinic", "doctor", "record-sharing"),
    ("citizen-portal", "self-service", "own-record"),
];
/// What leaves, a few of them for each purpose.
pub const ELEMENTS: [&str; 24] = [
    "DE02.01.040.00",
    "DE02.01.005.01",
    "DE02.01.026.00",
    "DE02.01.025.00",
    "DE02.01.015.00",
    "DE02.01.018.00",
    "DE02.01.041.00",
    "DE02.01.052.00",
    "DE02.01.044.00",
    "DE02.01.004.00",
    "DE02.01.003.00",
    "DE02.01.060.00",
    "DE02.01.039.00",
    "DE02.01.030.00",
    "DE02.01.031.00",
    "DE02.01.010.00",
    "DE02.01.009.01",
    "DE02.01.009.02",
    "DE02.01.009.03",
    "DE02.01.009.04",
    "DE02.01.009.05",
    "DE02.01.009.06",
    "DE01.00.008.00",
    "DE01.00.009.00",
];
/// Elements of one answer.
const TOLD: usize = 7;

/// A department, its role, its purpose.
pub type Asks = (&'static str, &'static str, &'static str);

/// The entry of a number.
pub fn entry(number: u64) -> Entry {
    let at_ms = 1_795_000_000_000 + i64::try_from(number).unwrap() * 40;
    let mut random = [9; 16];
    random[8..].copy_from_slice(&number.to_be_bytes());
    let draw = mixed(number);
    let mut entry = Entry::new(kind(number, draw), at_ms, random);
    entry.policy = Some("0123456789abcdef".to_owned());
    entry.mappings = Some("fedcba9876543210".to_owned());
    match entry.kind {
        Kind::Query | Kind::SignIn => {
            entry.asker = Some(Reference::new("wang"));
            entry.subject = Some(Reference::new("ledger"));
        }
        Kind::Policy => entry.subject = Some(Reference::new("policies 0123456789abcdef")),
        Kind::Erase => entry.person = Some(person(number)),
        _ => asked(&mut entry, (number, draw)),
    }
    entry
}

/// Who an entry is about.
pub fn person(number: u64) -> Pseudonym {
    let draw = mixed(number) >> 20;
    let which = if draw.is_multiple_of(500) { OFTEN } else { 1 + draw % (PERSONS - 1) };
    pseudonym(which)
}

/// What a person is called in the ledger.
pub fn pseudonym(which: u64) -> Pseudonym {
    Pseudonym(format!("{which:032x}"))
}

fn kind(number: u64, draw: u64) -> Kind {
    match (number, number % RARE_EVERY) {
        (ONCE, _) => return ONCE_KIND,
        (_, 500) => return Kind::Policy,
        (_, 501) => return Kind::BreakGlass,
        _ => (),
    }
    match draw % 100 {
        0..80 => Kind::Disclosure,
        80..90 => Kind::Refusal,
        90..94 => Kind::Delivery,
        94..96 => Kind::Location,
        96..99 => Kind::Query,
        _ => Kind::SignIn,
    }
}

/// Somebody asked about somebody.
fn asked(entry: &mut Entry, (number, draw): (u64, u64)) {
    let rare = number % RARE_EVERY == 502;
    let which = (draw >> 8) as usize % ASKS.len();
    let (department, role, purpose) = if rare { RARELY } else { ASKS[which] };
    entry.person = Some(person(number));
    entry.department = Department::parse(department).ok();
    (entry.role, entry.purpose) = (Role::parse(role).ok(), Purpose::parse(purpose).ok());
    entry.asker = Some(Reference::new(&format!("agent-{:03}", (draw >> 16) % 40)));
    if entry.kind == Kind::Refusal {
        entry.fault = Some(Fault::PurposeNotGranted);
        return;
    }
    entry.answer_sha256 = Some(Hash::digest(&number.to_be_bytes()));
    let mut told: Vec<_> =
        (0..TOLD).map(|step| ELEMENTS[(which * 2 + step) % ELEMENTS.len()]).collect();
    if number % RARE_EVERY == 503 {
        told.push(RARE_ELEMENT);
    }
    for id in told {
        entry.elements.insert(Tier::Full, ElementId::parse(id).unwrap());
    }
}

/// A number of which nothing shows any more in what order it came (SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
