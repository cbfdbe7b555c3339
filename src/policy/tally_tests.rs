//! Attacks on published counts: what one person adds cannot be told from them.

use super::*;

const GUARD: Guard = Guard { threshold: 5, base: 5, noise: 4, residents_min: 1_000 };

/// A secret number of somebody, as good as random.
fn number(person: u64) -> u64 {
    mixed(person.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0xa5a5)
}

fn cell(people: impl IntoIterator<Item = u64>) -> Cell {
    people.into_iter().fold(Cell::default(), |cell, person| cell.and(number(person)))
}

fn table(rows: &[(&[&str], std::ops::Range<u64>)]) -> Cells {
    let at = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    rows.iter().map(|(names, people)| (at(names), cell(people.clone()))).collect()
}

fn published(cells: &Cells, dimensions: usize, small: &[&str]) -> BTreeMap<String, Option<u64>> {
    let small = small.iter().map(|name| (*name).to_owned()).collect();
    let told = GUARD.publish("t", (cells, dimensions), (Some(0), &small));
    let name = |at: Vec<Option<String>>| {
        let names: Vec<_> = at.iter().map(|name| name.as_deref().unwrap_or("*")).collect();
        names.join("/")
    };
    told.into_iter().map(|(at, count)| (name(at), count)).collect()
}

#[test]
fn no_count_below_the_threshold_is_told_and_all_others_are_multiples() {
    for count in 0..200 {
        for start in 0..50 {
            let told = GUARD.told(cell(start * 1_000..start * 1_000 + count), start);
            match told {
                Some(told) => {
                    assert!(count >= 5 && told >= 5 && told.is_multiple_of(5));
                    assert!(told.abs_diff(count) <= GUARD.noise + GUARD.base / 2);
                }
                None => assert!(count < 5 + GUARD.noise),
            }
        }
    }
}

#[test]
fn a_table_made_again_of_the_same_people_is_the_same() {
    let cells = table(&[(&["a", "x"], 0..20), (&["a", "y"], 20..40)]);
    assert_eq!(published(&cells, 2, &[]), published(&cells, 2, &[]));
    let forth = cell(0..40);
    assert_eq!(forth, cell((0..40).rev()));
}

/// How often an attacker who knows everybody else is right about one person, given two counts
/// that differ in where they stand and in him, if he was counted the second time.
fn guessed(people: u64, guess: impl Fn(u64, u64) -> bool) -> f64 {
    let rounds = 20_000_u64;
    let right = (0..rounds).filter(|round| {
        let base = round * 10_000;
        let is_in = mixed(*round).is_multiple_of(2);
        let first = GUARD.told(cell(base..base + people), hashed("first", &[]));
        let after = cell(base..base + people + u64::from(is_in));
        let second = GUARD.told(after, hashed("second", &[]));
        guess(first.unwrap_or(0), second.unwrap_or(0)) == is_in
    });
    right.count() as f64 / rounds as f64
}

#[test]
fn two_returns_do_not_tell_of_one_person_even_to_who_knows_all_others() {
    // Between two periods, or between two indicators of which all but one meet both.
    for people in [5, 9, 12, 30, 57, 100] {
        for (name, share) in [
            ("equal", guessed(people, |first, second| first != second)),
            ("more", guessed(people, |first, second| second > first)),
            ("much more", guessed(people, |first, second| second >= first + 10)),
        ] {
            // A coin is right in half of the cases; one count tells at most one in nine.
            assert!((0.43..0.5 + 1.0 / 9.0).contains(&share), "{people} {name}: {share}");
        }
    }
}

#[test]
fn a_margin_does_not_tell_whether_its_only_open_place_is_all_of_it() {
    // Everybody of a county in one band, or all but one: were the noise that of the people
    // alone, equal figures would say that nobody is left.
    let mut equal = [0_u32; 2];
    for round in 0..4_000_u64 {
        let base = round * 10_000;
        for (index, others) in [0, 1].into_iter().enumerate() {
            let whole = cell(base..base + 40 + others);
            let open = cell(base..base + 40);
            let margin = GUARD.told(whole, hashed("t", &[Some("a".to_owned()), None]));
            let place =
                GUARD.told(open, hashed("t", &[Some("a".to_owned()), Some("x".to_owned())]));
            equal[index] += u32::from(margin == place);
        }
    }
    assert!(equal[0].abs_diff(equal[1]) < 200, "{equal:?}");
}

/// What an attacker knows of a withheld count from the totals: its bounds, with the noise and
/// the rounding of every other figure as wide as they may be.
fn bounds(total: u64, others: &[u64]) -> (i64, i64) {
    let slack = GUARD.noise + GUARD.base / 2;
    let each = i64::try_from(slack).unwrap();
    let total = i64::try_from(total).unwrap();
    let sum: i64 = others.iter().map(|one| i64::try_from(*one).unwrap()).sum();
    let width = each * (1 + i64::try_from(others.len()).unwrap());
    ((total - sum - width).max(0), total - sum + width)
}

#[test]
fn no_withheld_count_is_computed_from_totals() {
    for seed in 0..300_u64 {
        let base = seed * 100_000;
        let mut rows = Vec::new();
        let sizes: Vec<u64> = (0..9).map(|at| mixed(seed * 9 + at) % 40).collect();
        let names = ["a", "b", "c"];
        let mut start = base;
        let mut places = Vec::new();
        for (index, size) in sizes.iter().enumerate() {
            places.push([names[index / 3], names[index % 3]]);
            rows.push((start..start + size, index));
            start += size;
        }
        let rows: Vec<(&[&str], _)> =
            rows.into_iter().map(|(people, at)| (&places[at][..], people)).collect();
        let cells = table(&rows);
        let told = published(&cells, 2, &[]);
        for line in names {
            for of_row in [true, false] {
                let at = |other: &str| match of_row {
                    true => format!("{line}/{other}"),
                    false => format!("{other}/{line}"),
                };
                let total = told.get(&at("*")).copied().flatten();
                let line: Vec<_> = names.iter().map(|other| told[&at(other)]).collect();
                let hidden = line.iter().filter(|one| one.is_none()).count();
                assert_ne!((hidden, total.is_some()), (1, true), "seed {seed}: one alone");
                let open: Vec<u64> = line.into_iter().flatten().collect();
                if let (Some(total), true) = (total, hidden > 0) {
                    // What is withheld may be nobody, and may be as many as may not be told.
                    let (low, high) = bounds(total, &open);
                    let threshold = i64::try_from(GUARD.threshold).unwrap();
                    assert!(high >= threshold && high - low >= threshold, "seed {seed}");
                }
            }
        }
    }
}

#[test]
fn a_small_area_is_crossed_with_nothing_and_not_computed_from_the_others() {
    let cells = table(&[
        (&["large", "x"], 0..300),
        (&["large", "y"], 300..700),
        (&["middle", "x"], 700..1_000),
        (&["middle", "y"], 1_000..1_400),
        (&["small", "x"], 1_400..1_430),
        (&["small", "y"], 1_430..1_490),
    ]);
    let told = published(&cells, 2, &["small"]);
    assert_eq!((told["small/x"], told["small/y"]), (None, None));
    assert!(told["small/*"].is_some(), "how many there are in all may be told");
    // In each column a second is withheld, or the small one's would be the rest.
    for column in ["x", "y"] {
        let open = ["large", "middle"].map(|area| told[&format!("{area}/{column}")]);
        assert_eq!(open.iter().filter(|one| one.is_none()).count(), 1, "{told:?}");
    }
    // Alone it may stand.
    let alone = published(&table(&[(&["small"], 0..90), (&["large"], 90..900)]), 1, &["small"]);
    assert!(alone["small"].is_some());
}

#[test]
fn an_empty_place_is_withheld_like_a_small_one() {
    let cells = table(&[(&["a", "x"], 0..50), (&["b", "y"], 50..52), (&["b", "x"], 60..120)]);
    let told = GUARD.publish("t", (&cells, 2), (None, &BTreeSet::new()));
    let of = |at: [&str; 2]| {
        let at = at.map(|name| Some(name.to_owned()));
        told.iter().find(|(place, _)| *place == at).map(|(_, count)| *count)
    };
    assert_eq!(of(["a", "y"]), Some(None), "nobody");
    assert_eq!(of(["b", "y"]), Some(None), "two");
}
