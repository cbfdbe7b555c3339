//! The invented elders of the matching benchmark: the truth is true, the rates are kept.

#[path = "../../benches/identity/population.rs"]
mod invented;

use std::collections::{BTreeMap, BTreeSet};

use invented::lunar::{Day, lunar, solar};
use invented::{Fault, Population, Rates, Record, Unlike, generate, households, write_csv};
use kangqiao::vocabulary::identifier::CitizenId;

/// Faults of an identity number, and those of a birthday.
const ID: [Fault; 9] = [
    Fault::IdMissing,
    Fault::Id15,
    Fault::IdWrongDigit,
    Fault::IdTransposed,
    Fault::IdOfSpouse,
    Fault::IdWrongCheck,
    Fault::IdShort,
    Fault::IdReissued,
    Fault::IdFormat,
];
const BIRTHDAY: [Fault; 6] = [
    Fault::DobLunarSolar,
    Fault::DobYear,
    Fault::DobTypo,
    Fault::DobDefault,
    Fault::DobSwapped,
    Fault::DobMissing,
];

fn count(population: &Population, fault: Fault) -> usize {
    population.faults.iter().filter(|faults| faults.has(fault)).count()
}

/// The records without any of these faults.
fn without<'a>(
    population: &'a Population,
    faults: &'a [Fault],
) -> impl Iterator<Item = (u32, &'a Record)> {
    let Population { records, person, faults: all, .. } = population;
    let clean = move |at: &usize| !faults.iter().any(|fault| all[*at].has(*fault));
    (0..records.len()).filter(clean).map(|at| (person[at], &records[at]))
}

#[test]
fn a_seed_makes_one_population_and_another_seed_another() {
    let rates = Rates::default();
    let one = generate(1, 500, &rates);
    assert_eq!(one, generate(1, 500, &rates));
    assert_ne!(one.records, generate(2, 500, &rates).records);
}

#[test]
fn households_are_the_same_records_in_another_order() {
    let rates = Rates::default();
    let key = |record: &Record| {
        let [_, source, _, rest @ ..] = record.fields();
        format!("{source} {}", rest.join(" "))
    };
    let mut whole: Vec<_> = generate(3, 500, &rates).records.iter().map(key).collect();
    let mut parts: Vec<_> = households(3, 500, &rates)
        .flat_map(|household| household.records.iter().map(key).collect::<Vec<_>>())
        .collect();
    whole.sort_unstable();
    parts.sort_unstable();
    assert_eq!(whole, parts);
}

#[test]
fn every_person_has_a_record_and_every_record_its_number() {
    for persons in [0, 1, 2, 7, 500] {
        let found = generate(4, persons, &Rates::default());
        let known: BTreeSet<_> = found.person.iter().collect();
        assert_eq!(known.len(), persons);
        for (number, record) in (1..).zip(&found.records) {
            assert_eq!(record.rec_id, format!("R{number:06}"));
        }
        let local: BTreeSet<_> = found.records.iter().map(|record| &record.local_id).collect();
        assert_eq!(local.len(), found.records.len());
    }
}

/// Per 20,000 records of the given sample, for which the default rates stand.
#[test]
fn faults_are_as_frequent_as_in_the_sample() {
    let found = generate(5, 12_000, &Rates::default());
    for (fault, wanted) in [
        (Fault::AddrStyle, 2131),
        (Fault::AreaOldCode, 1789),
        (Fault::IdMissing, 1661),
        (Fault::AddrOther, 1550),
        (Fault::PhoneOther, 655),
        (Fault::Id15, 605),
        (Fault::PhoneFormat, 437),
        (Fault::DobLunarSolar, 431),
        (Fault::NameHomophone, 343),
        (Fault::IdFormat, 287),
        (Fault::NameSpace, 281),
        (Fault::NameVariantChar, 262),
        (Fault::DobMissing, 158),
        (Fault::DobYear, 136),
        (Fault::DobTypo, 134),
        (Fault::IdWrongDigit, 129),
        (Fault::RareGlyphLost, 122),
        (Fault::DobDefault, 121),
        (Fault::DotVariant, 112),
        (Fault::SexUnknown, 100),
        (Fault::IdTransposed, 88),
        (Fault::NamePinyin, 86),
        (Fault::SexWrong, 65),
        (Fault::IdOfSpouse, 64),
        (Fault::IdWrongCheck, 58),
        (Fault::NameAlias, 53),
        (Fault::IdShort, 48),
        (Fault::IdReissued, 47),
        (Fault::DobSwapped, 41),
        (Fault::CardTypo, 39),
        (Fault::MarriedName, 35),
    ] {
        let wanted = f64::from(wanted) * found.records.len() as f64 / 20_000.0;
        let far = (count(&found, fault) as f64 - wanted).abs();
        // Chance of a Poisson number, four deviations of it, and what the sample itself had.
        assert!(far < 4.0 * wanted.sqrt() + 0.12 * wanted, "{}: {far} off", fault.name());
    }
}

#[test]
fn rates_are_followed_up_and_down() {
    let rates = Rates::default();
    let none = generate(6, 2_000, &rates.scaled(0.0));
    assert!(none.faults.iter().all(|faults| faults.iter().next().is_none()));
    let (once, thrice) = (generate(6, 4_000, &rates), generate(6, 4_000, &rates.scaled(3.0)));
    for fault in [Fault::AddrStyle, Fault::DobLunarSolar, Fault::NameHomophone] {
        let times = count(&thrice, fault) as f64 / count(&once, fault) as f64;
        assert!((2.3..3.7).contains(&times), "{}: {times}", fault.name());
    }
    let only = generate(6, 2_000, &rates.scaled(0.0).with(Fault::NameSpace, 0.5));
    let share = count(&only, Fault::NameSpace) as f64 / only.records.len() as f64;
    assert!((0.45..0.55).contains(&share), "{share}");
}

#[test]
fn a_number_without_fault_is_valid_and_agrees_with_birthday_and_sex() {
    let found = generate(7, 4_000, &Rates::default());
    for (_, record) in without(&found, &ID) {
        let number = CitizenId::parse(&record.id_no).expect("it has no fault");
        assert_eq!(number.disclose(), record.id_no);
    }
    let faults = [&ID[..], &BIRTHDAY, &[Fault::SexUnknown, Fault::SexWrong]].concat();
    for (_, record) in without(&found, &faults) {
        assert_eq!(record.id_no[6..14], record.birth_date.replace('-', ""));
        let odd = record.id_no.as_bytes()[16] % 2 == 1;
        assert_eq!(odd, ["1", "M", "男"].contains(&record.sex.as_str()), "{}", record.rec_id);
    }
}

#[test]
fn a_fault_noted_is_a_fault_made() {
    let found = generate(8, 4_000, &Rates::default().scaled(2.0));
    for (record, faults) in found.records.iter().zip(&found.faults) {
        let broken = [Fault::IdWrongDigit, Fault::IdWrongCheck, Fault::IdShort];
        if broken.iter().any(|fault| faults.has(*fault)) {
            assert!(CitizenId::parse(&record.id_no).is_err(), "{}", record.rec_id);
        }
        assert_eq!(record.id_no.is_empty(), faults.has(Fault::IdMissing));
        assert_eq!(record.birth_date.is_empty(), faults.has(Fault::DobMissing));
        if faults.has(Fault::DobDefault) {
            assert!(record.birth_date.ends_with("-01-01"));
        }
        if faults.has(Fault::Id15) && !faults.has(Fault::IdFormat) {
            assert_eq!(record.id_no.len(), 15);
        }
    }
}

#[test]
fn a_valid_number_is_one_persons() {
    let found = generate(9, 20_000, &Rates::default());
    let mut owner = BTreeMap::new();
    for (person, record) in without(&found, &ID) {
        assert_eq!(*owner.entry(&record.id_no).or_insert(person), person);
    }
}

#[test]
fn those_who_must_not_be_joined_are_two_and_alike() {
    let found = generate(10, 12_000, &Rates::default());
    let mut kinds = BTreeMap::new();
    let clean = |at: usize, faults: &[Fault]| !faults.iter().any(|one| found.faults[at].has(*one));
    for (one, other, why) in &found.unlike {
        assert_ne!(found.person[*one], found.person[*other]);
        *kinds.entry(why.name()).or_insert(0) += 1;
        let (first, second) = (&found.records[*one], &found.records[*other]);
        let both = |faults: &[Fault]| clean(*one, faults) && clean(*other, faults);
        if both(&ID) {
            assert_ne!(first.id_no, second.id_no);
        }
        let same_day = matches!(why, Unlike::Twins | Unlike::SameNameBirthday);
        if same_day && both(&BIRTHDAY) {
            assert_eq!(first.birth_date, second.birth_date);
        }
        let cards = [&first.health_card_no, &second.health_card_no];
        if both(&[Fault::CardTypo]) && cards.iter().all(|card| !card.is_empty()) {
            assert_eq!(cards[0] == cards[1], *why == Unlike::SameCard);
        }
    }
    assert_eq!(kinds.len(), 5);
    assert!(kinds["couple"] > 10 * kinds["siblings"] && kinds["siblings"] > kinds["twins"]);
}

#[test]
fn lunar_dates_are_those_of_the_calendar() {
    let day = |(year, month, day)| Day::new(year, month, day);
    for (moon, sun) in [
        ((1949, 8, 10), (1949, 10, 1)),
        ((1950, 1, 1), (1950, 2, 17)),
        ((1900, 1, 1), (1900, 1, 31)),
        ((1921, 1, 1), (1921, 2, 8)),
        ((1953, 12, 29), (1954, 2, 2)),
        // The Mid-Autumn of 1978, which tables made in other time zones have a day before.
        ((1978, 8, 15), (1978, 9, 17)),
        ((2000, 1, 1), (2000, 2, 5)),
        ((2010, 12, 30), (2011, 2, 2)),
    ] {
        assert_eq!(lunar(day(sun)), Some(day(moon)));
        assert_eq!(solar(day(moon)), Some(day(sun)));
    }
    // Days of a leap month: lunar 1966-3 and 1944-4 came twice.
    assert_eq!(lunar(day((1966, 4, 25))), Some(day((1966, 3, 5))));
    assert_eq!(lunar(day((1944, 6, 1))), Some(day((1944, 4, 11))));
    assert_eq!(solar(day((1966, 3, 5))), Some(day((1966, 3, 26))));
    assert_eq!(solar(day((1950, 1, 30))), None);
}

#[test]
fn the_files_are_those_of_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let found = generate(11, 200, &Rates::default());
    write_csv(&found, folder.path()).unwrap();
    for (name, head, rows) in [
        ("records.csv", Record::COLUMNS.join(","), Some(found.records.len())),
        ("truth.csv", "rec_id,person_id,corruptions".to_owned(), Some(found.records.len())),
        ("truth_pairs.csv", "rec_id_1,rec_id_2,kind".to_owned(), None),
        ("must_not_link.csv", "rec_id_1,rec_id_2,why".to_owned(), Some(found.unlike.len())),
    ] {
        let mut rows_found = 0;
        let mut reader = csv::Reader::from_path(folder.path().join(name)).unwrap();
        assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>().join(","), head);
        for row in reader.records() {
            assert_eq!(row.unwrap().len(), head.split(',').count());
            rows_found += 1;
        }
        assert!(rows_found > 0 && rows.is_none_or(|rows| rows == rows_found), "{name}");
    }
}
