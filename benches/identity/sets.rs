//! The sets a matcher is judged on.

use std::collections::HashMap;
use std::path::Path;

use kangqiao::identity::linkage::Demographics;

use super::population::{Rates, Record, generate};

/// Records with the truth about them.
pub struct Set {
    /// As it is called in the report.
    pub name: String,
    pub entries: Vec<Demographics>,
    /// What ends ties: spread evenly, and nothing about the person.
    pub order: Vec<u64>,
    /// The person behind each record.
    pub person: Vec<u32>,
    /// Pairs of two people who may be taken for one, and why.
    pub unlike: Vec<(usize, usize, String)>,
}

/// What makes a place another one than the generator's.
#[derive(Clone, Copy)]
enum Place {
    /// As it was invented.
    Invented,
    /// One in twenty lives in a home of forty, with its telephone and its address.
    CareHomes,
    /// Every record comes from one county.
    OneCounty,
    /// No record has a card or a telephone.
    Bare,
}

/// One set to be invented.
struct Plan {
    name: &'static str,
    seed: u64,
    persons: usize,
    faults: f64,
    place: Place,
}

const PLANS: &[Plan] = &[
    Plan { name: "8k", seed: 101, persons: 8_000, faults: 1.0, place: Place::Invented },
    Plan { name: "8k x0.5", seed: 102, persons: 8_000, faults: 0.5, place: Place::Invented },
    Plan { name: "8k x2", seed: 103, persons: 8_000, faults: 2.0, place: Place::Invented },
    Plan { name: "8k again", seed: 104, persons: 8_000, faults: 1.0, place: Place::Invented },
    Plan { name: "300", seed: 105, persons: 300, faults: 1.0, place: Place::Invented },
    Plan { name: "2k", seed: 106, persons: 2_000, faults: 1.0, place: Place::Invented },
    Plan { name: "60k", seed: 107, persons: 60_000, faults: 1.0, place: Place::Invented },
    Plan { name: "8k care homes", seed: 108, persons: 8_000, faults: 1.0, place: Place::CareHomes },
    Plan { name: "8k one county", seed: 109, persons: 8_000, faults: 1.0, place: Place::OneCounty },
    Plan { name: "8k bare", seed: 110, persons: 8_000, faults: 1.0, place: Place::Bare },
    Plan { name: "8k minorities", seed: 111, persons: 8_000, faults: 1.0, place: Place::Invented },
];

impl Set {
    /// All sets, or few of them; the sample first, if it stands beside the repository.
    pub fn all(quick: bool) -> impl Iterator<Item = Self> {
        let plans = if quick { &PLANS[..3] } else { PLANS };
        Self::sample().into_iter().chain(plans.iter().map(Self::invented))
    }

    fn invented(plan: &Plan) -> Self {
        let mut rates = Rates::default().scaled(plan.faults);
        if plan.name.contains("minorities") {
            rates.minority = 0.5;
        }
        let mut found = generate(plan.seed, plan.persons, &rates);
        for (record, person) in found.records.iter_mut().zip(&found.person) {
            plan.place.change(record, *person);
        }
        let unlike = found.unlike.iter().map(|(a, b, why)| (*a, *b, why.name().to_owned()));
        Self {
            name: plan.name.to_owned(),
            entries: found.records.iter().map(entry).collect(),
            order: found.records.iter().map(|record| mark(&record.rec_id)).collect(),
            unlike: unlike.collect(),
            person: found.person,
        }
    }

    /// `../shared/identity/elders-20k`, if it is there.
    fn sample() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/identity/elders-20k");
        if !folder.is_dir() {
            println!("SKIPPED: no ../shared/identity/elders-20k beside the repository");
            return None;
        }
        let rows = |name: &str| -> Vec<csv::StringRecord> {
            let mut reader = csv::Reader::from_path(folder.join(name)).unwrap();
            reader.records().map(Result::unwrap).collect()
        };
        let records: Vec<Record> = rows("records.csv").iter().map(record).collect();
        let at: HashMap<&str, usize> =
            records.iter().enumerate().map(|(at, record)| (record.rec_id.as_str(), at)).collect();
        let mut person = vec![0; records.len()];
        for row in rows("truth.csv") {
            person[at[&row[0]]] = row[1].trim_start_matches('P').parse().unwrap();
        }
        let unlike = rows("must_not_link.csv");
        let unlike = unlike.iter().map(|row| (at[&row[0]], at[&row[1]], row[2].to_owned()));
        Some(Self {
            name: "elders-20k".to_owned(),
            entries: records.iter().map(entry).collect(),
            order: records.iter().map(|record| mark(&record.rec_id)).collect(),
            unlike: unlike.collect(),
            person,
        })
    }
}

impl Place {
    fn change(self, record: &mut Record, person: u32) {
        match self {
            Self::Invented => (),
            Self::CareHomes if person.is_multiple_of(20) => {
                let home = person / 800;
                record.phone = format!("0371{:08}", 60_000_000 + home * 7_919);
                record.address = format!("幸福路{}号", home + 1);
            }
            Self::CareHomes => (),
            Self::OneCounty => record.area_code = "410122".to_owned(),
            Self::Bare => {
                record.health_card_no.clear();
                record.phone.clear();
            }
        }
    }
}

fn record(row: &csv::StringRecord) -> Record {
    let field = |at: usize| row[at].to_owned();
    Record {
        rec_id: field(0),
        source: field(1),
        local_id: field(2),
        name: field(3),
        sex: field(4),
        birth_date: field(5),
        id_no: field(6),
        health_card_no: field(7),
        phone: field(8),
        area_code: field(9),
        address: field(10),
        ethnicity: field(11),
    }
}

fn entry(record: &Record) -> Demographics {
    let list = |text: &String| if text.is_empty() { Vec::new() } else { vec![text.clone()] };
    Demographics {
        names: list(&record.name),
        sex: record.sex.clone(),
        birth_date: record.birth_date.clone(),
        citizen_id: record.id_no.clone(),
        cards: list(&record.health_card_no),
        phones: list(&record.phone),
        division: record.area_code.clone(),
        addresses: list(&record.address),
        assigned: vec![(record.source.clone(), record.local_id.clone())],
    }
}

/// FNV-1a, so that the order of ties is no order of arrival.
fn mark(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
