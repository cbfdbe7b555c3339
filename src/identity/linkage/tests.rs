//! The rules of evidence, one test each, and the laws of comparing and grouping.

use proptest::prelude::*;

use super::compare::{BirthLevel, CitizenLevel, NameLevel, SexLevel, ThingLevel};
use super::*;

/// One record: name, sex, birth date, citizen id, telephone, address.
type Row<'a> = [&'a str; 6];

fn list(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text.to_owned()] }
}

fn clear(row: &Row<'_>) -> Demographics {
    let [name, sex, birth, citizen, phone, address] = *row;
    Demographics {
        names: list(name),
        sex: sex.to_owned(),
        birth_date: birth.to_owned(),
        citizen_id: citizen.to_owned(),
        phones: list(phone),
        addresses: list(address),
        division: "410105".to_owned(),
        ..Demographics::default()
    }
}

fn traits(row: &Row<'_>) -> Traits {
    Veil::new(&[7; 32]).traits(&clear(row))
}

/// A proven id of somebody born on that day at Zhengzhou.
fn id(birth: &str, order: u16) -> String {
    let body = format!("410105{birth}{order:03}");
    let sum: usize = body
        .bytes()
        .zip([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
        .map(|(digit, weight)| usize::from(digit - b'0') * weight)
        .sum();
    format!("{body}{}", &"10X98765432"[sum % 11..=sum % 11])
}

/// What two records are to each other under weights nobody has learned.
fn judged(a: &Row<'_>, b: &Row<'_>) -> (Verdict, Rule) {
    let found = decide(&Weights::default(), &traits(a), &traits(b));
    (found.verdict, found.rule)
}

const PHONE: &str = "13837123344";
const HOME: &str = "健康路15号院3号楼201室";

#[test]
fn two_proven_ids_are_never_one_person_by_themselves() {
    let (one, other) = (id("19480315", 21), id("19480315", 43));
    let later = id("19500728", 22);
    let a = ["王兰", "2", "19480315", &one, PHONE, HOME];
    let same = ["王兰", "2", "19480315", &other, PHONE, HOME];
    assert_eq!(judged(&a, &same), (Verdict::Review, Rule::Reissued));
    for b in [
        ["王兰", "2", "19480315", &other, "", ""],
        ["王芳", "2", "19480315", &other, PHONE, HOME],
        ["王兰", "2", "19500728", &later, PHONE, HOME],
        ["王兰", "1", "19480315", &other, PHONE, HOME],
    ] {
        assert_eq!(judged(&a, &b), (Verdict::Apart, Rule::TwoCitizenIds), "{b:?}");
    }
}

#[test]
fn one_proven_id_is_one_person_unless_name_or_birth_say_otherwise() {
    let number = id("19480315", 21);
    let old = number[..6].to_owned() + &number[8..17];
    let a = ["王兰", "1", "19480315", &number, "", ""];
    for b in [
        ["王兰", "1", "19480315", &old, "", ""],
        ["王蘭", "男", "1948-03-15", &number, "", ""],
        ["汪岚", "1", "", &number, "", ""],
        ["", "", "", &number, "", ""],
        ["王□", "1", "19480101", &number, "", ""],
    ] {
        assert_eq!(judged(&a, &b).0, Verdict::Automatic, "{b:?}");
    }
    let (verdict, rule) = judged(&a, &["赵国强", "1", "19480315", &number, "", ""]);
    assert_eq!((verdict, rule), (Verdict::Review, Rule::IdAlone));
}

#[test]
fn a_borrowed_id_is_its_owners() {
    let number = id("19480315", 21);
    let owner = ["王国强", "1", "19480315", &number, PHONE, HOME];
    let wife = ["陈玉兰", "2", "19500728", &number, PHONE, HOME];
    assert_eq!(judged(&owner, &wife), (Verdict::Apart, Rule::BorrowedId));
    // Her own records are hers, whatever number one of them has.
    let hers = ["陈玉兰", "2", "19500728", &id("19500728", 22), PHONE, HOME];
    assert_eq!(judged(&wife, &hers).0, Verdict::Automatic);
}

#[test]
fn twins_and_couples_and_children_are_not_joined() {
    let (one, other) = (id("19480315", 21), id("19480315", 41));
    for (a, b) in [
        (
            ["王国强", "1", "19480315", "", PHONE, HOME],
            ["王国富", "1", "19480315", "", PHONE, HOME],
        ),
        (
            ["王国强", "1", "19480315", &one, PHONE, HOME],
            ["王国富", "1", "19480315", "", PHONE, HOME],
        ),
        (["王强", "1", "19480315", "", PHONE, HOME], ["王富", "1", "19480315", "", PHONE, HOME]),
        (
            ["王国强", "1", "19480315", &one, PHONE, HOME],
            ["王国强", "1", "19480315", &other, "", ""],
        ),
        (
            ["王国强", "1", "19480315", "", PHONE, HOME],
            ["陈玉兰", "2", "19500728", "", PHONE, HOME],
        ),
        (
            ["王国强", "1", "19480315", "", PHONE, HOME],
            ["王国强", "2", "19500728", "", PHONE, HOME],
        ),
        (
            ["王国强", "1", "19480315", "", PHONE, HOME],
            ["王建军", "1", "19720101", "", PHONE, HOME],
        ),
    ] {
        assert_ne!(judged(&a, &b).0, Verdict::Automatic, "{a:?} {b:?}");
    }
}

#[test]
fn name_and_birthday_and_nothing_else_are_for_somebody_to_look_at() {
    let a = ["王国强", "1", "19480315", "", "", ""];
    assert_eq!(judged(&a, &a), (Verdict::Review, Rule::NameAndBirthday));
    let b = ["王国强", "1", "19480315", &id("19480315", 21), PHONE, HOME];
    assert_eq!(judged(&a, &b), (Verdict::Review, Rule::NameAndBirthday));
}

#[test]
fn name_and_birth_and_something_of_their_own_are_one_person() {
    let a = ["王国强", "1", "19480315", "", PHONE, HOME];
    for b in [
        ["王国强", "1", "19480315", "", PHONE, ""],
        ["王国强", "1", "19480315", "", "", "郑州市金水区健康路15-3-201"],
        ["汪国强", "1", "19480315", "", PHONE, HOME],
        ["WANG GUOQIANG", "", "19480315", "", PHONE, HOME],
        ["王国强", "1", "19480423", "", PHONE, HOME],
        ["王国强", "1", "19500315", "", PHONE, HOME],
    ] {
        assert_eq!(judged(&a, &b), (Verdict::Automatic, Rule::Corroborated), "{b:?}");
    }
}

#[test]
fn a_shared_telephone_or_card_alone_joins_nobody() {
    let a = ["王国强", "1", "19480315", "", PHONE, HOME];
    for b in [
        ["陈玉兰", "2", "19500728", "", PHONE, HOME],
        ["赵建军", "1", "19600501", "", PHONE, HOME],
        ["王国强", "1", "19600501", "", PHONE, HOME],
    ] {
        assert_ne!(judged(&a, &b).0, Verdict::Automatic, "{b:?}");
    }
    let card = |row: &Row<'_>| {
        let who = Demographics { cards: vec!["A16029177".to_owned()], ..clear(row) };
        Veil::new(&[7; 32]).traits(&who)
    };
    let (a, b) = (card(&a), card(&["赵建军", "1", "19600501", "", "", ""]));
    let found = decide(&Weights::default(), &a, &b);
    assert_eq!(found.comparison.card, ThingLevel::Same);
    assert!(found.verdict < Verdict::Review, "{found:?}");
}

#[test]
fn a_number_of_one_authority_is_one_persons_if_name_and_birth_agree() {
    let entry = |row: &Row<'_>, number: &str| {
        let assigned = vec![("HOSP_A".to_owned(), number.to_owned())];
        Veil::new(&[7; 32]).traits(&Demographics { assigned, ..clear(row) })
    };
    let a = entry(&["王国强", "1", "19480315", "", "", ""], "MR1");
    let found = |b: &Traits| decide(&Weights::default(), &a, b).rule;
    assert_eq!(found(&entry(&["王国强", "1", "19480101", "", "", ""], "MR1")), Rule::SameNumber);
    assert_ne!(found(&entry(&["赵建军", "1", "19480315", "", "", ""], "MR1")), Rule::SameNumber);
    assert_ne!(found(&entry(&["王国强", "1", "19480315", "", "", ""], "MR2")), Rule::SameNumber);
}

#[test]
fn each_field_agrees_by_its_level() {
    let a = ["王国强", "1", "19480315", "410105194803150216", PHONE, HOME];
    let how = |b: Row<'_>| compare(&traits(&a), &traits(&b)).0;
    let number = |text: &str| how(["王国强", "1", "19480315", text, "", ""]).citizen;
    for (text, level) in [
        ("410105194803150216", CitizenLevel::Same),
        ("410105480315021", CitizenLevel::Same),
        ("４１０１０５ １９４８０３１５ ０２１６", CitizenLevel::Same),
        ("410105194803150217", CitizenLevel::Near),
        ("410105194803150261", CitizenLevel::Near),
        ("41010519480315216", CitizenLevel::Near),
        ("410105194803105216", CitizenLevel::Near),
        ("372522196601285493", CitizenLevel::Missing),
        ("372522194803150000", CitizenLevel::Other),
        ("", CitizenLevel::Missing),
    ] {
        assert_eq!(number(text), level, "{text}");
    }
    assert_eq!(number(&id("19480315", 43)), CitizenLevel::Two);
    // The id of the one has the birth date that the other leaves out.
    let bare = ["王国强", "1", "", "410105194803150216", "", ""];
    let born =
        |text: &str| compare(&traits(&bare), &traits(&["王国强", "1", text, "", "", ""])).0.birth;
    for (text, level) in [
        ("19480315", BirthLevel::Same),
        ("1948-02-05", BirthLevel::OtherCalendar),
        ("1948-04-23", BirthLevel::OtherCalendar),
        ("19490315", BirthLevel::YearOff),
        ("19480101", BirthLevel::Default),
        ("19480316", BirthLevel::OneDigit),
        ("19480728", BirthLevel::Year),
        ("19660128", BirthLevel::Other),
        ("", BirthLevel::Missing),
    ] {
        assert_eq!(born(text), level, "{text}");
    }
    let sexed = |text| how(["王国强", text, "", "", "", ""]).sex;
    for (text, level) in [("M", SexLevel::Same), ("女", SexLevel::Other), ("9", SexLevel::Missing)]
    {
        assert_eq!(sexed(text), level, "{text}");
    }
    let called = |text| how([text, "1", "", "", "", ""]).name;
    for (text, level) in [
        ("王國强", NameLevel::Same),
        ("汪国强", NameLevel::Heard),
        ("王□强", NameLevel::Cut),
        ("王国", NameLevel::Surname),
        ("王国富", NameLevel::OneOff),
        ("赵建军", NameLevel::Other),
        ("", NameLevel::Missing),
    ] {
        assert_eq!(called(text), level, "{text}");
    }
}

#[test]
fn a_token_says_nothing_without_its_key() {
    let row = ["王国强", "1", "19480315", "410105194803150216", PHONE, HOME];
    let (one, other) = (traits(&row), Veil::new(&[8; 32]).traits(&clear(&row)));
    assert_ne!(one, other);
    let found = decide(&Weights::default(), &one, &other);
    assert!(found.verdict < Verdict::Review && found.comparison.name == NameLevel::Other);
    assert!(one.keys.iter().all(|key| !other.keys.contains(key)));
    let shown = format!("{:?}{:?}{:?}", one, clear(&row), Veil::new(&[7; 32]));
    assert!(!shown.contains("王") && !shown.contains("1948"), "{shown}");
}

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
            links.push(Link { pair: (a, b), verdict: found.verdict, weight: found.weight });
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
                    let verdict = decide(&weights, &crowd[*a], &crowd[*b]).verdict;
                    prop_assert_ne!(verdict, Verdict::Apart);
                }
            }
        }
    }
}
