//! What holds for whatever is compared and grouped.

use proptest::prelude::*;

use super::*;

/// Texts like those of records, and texts like those of nobody.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[王李陈][国玉兰强]{1,2}",
        "[A-Z]{2,5} [A-Z]{2,8}",
        "19[3-6][0-9][01][0-9][0-3][0-9]",
        "[0-9]{17}[0-9X]",
        "[0-9 +-]{0,20}",
        "[路村号楼室组一二十百〇0-9·□?*氏]{0,12}",
        ".{0,30}",
        "\\PC{0,8}".prop_map(|text| text.repeat(300)),
    ]
}

fn anybody() -> impl Strategy<Value = Demographics> {
    let several = || prop::collection::vec(text(), 0..6);
    let one = (several(), text(), text(), text(), several());
    let more = (several(), text(), several(), prop::collection::vec((text(), text()), 0..6));
    (one, more).prop_map(|((names, sex, birth_date, citizen_id, cards), more)| {
        let (phones, division, addresses, assigned) = more;
        Demographics {
            names,
            sex,
            birth_date,
            citizen_id,
            cards,
            phones,
            division,
            addresses,
            assigned,
        }
    })
}

/// Records of few people who are much alike, so that all rules have something to do.
fn crowd() -> impl Strategy<Value = Vec<Traits>> {
    let name =
        prop::sample::select(vec!["王国强", "汪国强", "王国富", "王□强", "陈玉兰", "王陈氏"]);
    let birth = prop::sample::select(vec!["19480315", "19480423", "19480101", "19500315", ""]);
    let number = prop::sample::select(vec![
        id("19480315", 21),
        id("19480315", 43),
        id("19500315", 22),
        "410105194803150217".to_owned(),
        String::new(),
        String::new(),
    ]);
    let phone = prop::sample::select(vec![PHONE, "13837123345", ""]);
    let home = prop::sample::select(vec![HOME, "上店村7组96号", ""]);
    let row = (name, birth, number, phone, home);
    let row = row.prop_map(|(name, birth, number, phone, home)| {
        traits(&[name, "", birth, &number, phone, home])
    });
    prop::collection::vec(row, 2..24)
}

/// The groups as sets of entries, each entry by its number before it was moved.
fn groups(entries: &[Traits], moved: &[usize]) -> Vec<Vec<usize>> {
    let weights = Weights::default();
    let at = |place: usize| &entries[moved[place]];
    let order: Vec<u64> = moved.iter().map(|number| *number as u64).collect();
    let mut links = Vec::new();
    for a in 0..moved.len() {
        for b in a + 1..moved.len() {
            let found = decide(&weights, at(a), at(b));
            links.push(found.link((a, b)));
        }
    }
    // The links come in another order too.
    links.sort_by_key(|link| (moved[link.pair.0] * 31 + moved[link.pair.1] * 17) % 7);
    let numbers = group(&order, &links);
    let mut sets = std::collections::BTreeMap::<usize, Vec<usize>>::new();
    for (place, number) in numbers.iter().enumerate() {
        sets.entry(*number).or_default().push(moved[place]);
    }
    let mut sets: Vec<_> = sets.into_values().collect();
    sets.iter_mut().for_each(|set| set.sort_unstable());
    sets.sort();
    sets
}

/// Another order for each round.
fn shuffled(size: usize, round: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by_key(|at| {
        (*at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_mul(2 * round + 1) >> 11
    });
    order
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_input_is_too_absurd_for_the_veil(who in anybody()) {
        let found = Veil::new(&[7; 32]).traits(&who);
        prop_assert!(found.keys.len() < 1_000 && found.probes.len() < 1_000);
        prop_assert!(found.names.len() <= 4 && found.phones.len() <= 4);
        let (how, _) = compare(&found, &found);
        prop_assert!(found.names.is_empty() == (how.name == NameLevel::Missing));
    }

    #[test]
    fn comparing_is_the_same_either_way_round(a in anybody(), b in anybody()) {
        let veil = Veil::new(&[7; 32]);
        let (a, b) = (veil.traits(&a), veil.traits(&b));
        prop_assert_eq!(compare(&a, &b), compare(&b, &a));
        let weights = Weights::default();
        prop_assert_eq!(decide(&weights, &a, &b), decide(&weights, &b, &a));
    }

    #[test]
    fn those_who_are_much_alike_compare_the_same_either_way_round(crowd in crowd()) {
        let weights = Weights::default();
        for pair in crowd.windows(2) {
            prop_assert_eq!(
                decide(&weights, &pair[0], &pair[1]),
                decide(&weights, &pair[1], &pair[0])
            );
        }
    }

    #[test]
    fn groups_do_not_depend_on_the_order_of_arrival(crowd in crowd()) {
        let first = groups(&crowd, &shuffled(crowd.len(), 0));
        for round in 1..20 {
            prop_assert_eq!(&first, &groups(&crowd, &shuffled(crowd.len(), round)));
        }
    }

    #[test]
    fn nobody_is_in_one_group_with_somebody_who_is_apart(crowd in crowd()) {
        let weights = Weights::default();
        for set in groups(&crowd, &shuffled(crowd.len(), 3)) {
            for (at, a) in set.iter().enumerate() {
                for b in &set[at + 1..] {
                    let found = decide(&weights, &crowd[*a], &crowd[*b]);
                    prop_assert_ne!(found.verdict, Verdict::Apart);
                    prop_assert_ne!(found.comparison.citizen, CitizenLevel::Two);
                }
            }
        }
    }
}
