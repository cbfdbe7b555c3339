//! Each doubt, with entries on both sides of its line.

use std::sync::Arc;

use super::*;
use crate::audit::Reference;
use crate::audit::entry::Kind;
use crate::identity::Pseudonym;
use crate::policy::tests::{element, names, shipped};
use crate::vocabulary::{Dataset, Date, Fault, Purpose, Tier};

/// A Monday.
const MONDAY: &str = "2026-11-30";

/// A moment in China.
fn at(day: &str, time: &str) -> i64 {
    Date::parse_iso(&format!("{day}T{time}:00+08:00")).unwrap().timestamp().unwrap() * 1000
}

fn person(number: u32) -> Pseudonym {
    Pseudonym(format!("{number:032x}"))
}

/// Something is told of somebody: who asks in which role, for which purpose.
fn told((department, role, purpose): (&str, &str, &str), about: u32, at_ms: i64) -> Entry {
    let (department, role) = names((department, role));
    let mut entry = Entry::new(Kind::Disclosure, at_ms, [7; 16]);
    (entry.department, entry.role) = (Some(department), Some(role));
    entry.purpose = Purpose::parse(purpose).ok();
    entry.person = Some(person(about));
    entry.elements.insert(Tier::Full, element("MZ.person.deceased"));
    entry
}

fn refused(asked: (&str, &str, &str), about: u32, (at_ms, fault): (i64, Fault)) -> Entry {
    let entry = told(asked, about, at_ms);
    let (kind, elements) = (Kind::Refusal, Default::default());
    Entry { kind, elements, fault: Some(fault), ..entry }
}

const CLERK: (&str, &str, &str) = ("civil-affairs", "clerk", "living-check");
const SUBSIDY: (&str, &str, &str) = ("civil-affairs", "clerk", "subsidy-eligibility");

/// What the shipped terms find in entries, with nobody's list and no past policies.
fn found(entries: &[Entry]) -> Vec<Doubt> {
    look(entries, None, &Arrived::default())
}

fn look(entries: &[Entry], people: Option<People>, arrived: &Arrived) -> Vec<Doubt> {
    let now_ms = entries.iter().map(|entry| entry.at_ms).max().unwrap_or_default();
    let mut doubting = Doubting::new(shipped().doubts(), people, Box::new(|_, _| None), 0);
    for (number, entry) in (0..).zip(entries) {
        doubting.see(number, entry);
    }
    doubting.found(now_ms, arrived)
}

fn asked_by_account(entry: Entry, name: &str) -> Entry {
    Entry { asker: Some(Reference::new(name)), ..entry }
}

/// Twenty persons a day on the ten working days before, then so many on Monday.
fn habit(monday: u32) -> Vec<Entry> {
    let days = ["16", "17", "18", "19", "20", "23", "24", "25", "26", "27"];
    let days = days.iter().map(|day| (format!("2026-11-{day}"), 20));
    let days = days.chain([(MONDAY.to_owned(), monday)]);
    let entries = days.flat_map(|(day, persons)| {
        (0..persons).map(move |one| told(CLERK, one, at(&day, "10:00") + i64::from(one)))
    });
    entries.collect()
}

#[test]
fn many_more_persons_than_the_own_median_are_a_doubt_and_no_more_are_none() {
    assert_eq!(found(&habit(100)), [], "five times the median");
    let entries = habit(101);
    let doubts = found(&entries);
    let [doubt] = doubts.as_slice() else { panic!("{doubts:?}") };
    let expect = Reason::Bulk { persons: 101, median: 20, days: 10, limit: 100 };
    assert_eq!((&doubt.reason, doubt.count), (&expect, 101));
    assert_eq!(doubt.entries.len(), reason::CITED_MAX);
    let first = doubt.entries.first().unwrap();
    assert_eq!(entries.get(first.number as usize).unwrap().at_ms, at(MONDAY, "10:00"));
    assert!(doubt.zh().contains("101") && doubt.en().contains("101"));
}

#[test]
fn the_same_person_again_is_one_person_and_each_asker_has_a_habit_of_his_own() {
    let again: Vec<_> = (0..500).map(|one| told(CLERK, 1, at(MONDAY, "10:00") + one)).collect();
    assert_eq!(found(&again), []);
    let by = |name: &'static str, persons: u32| {
        let one = move |one| told(CLERK, one, at(MONDAY, "10:00") + i64::from(one));
        (0..persons).map(move |number| asked_by_account(one(number), name))
    };
    // Whoever never read before has no median: then the floor is the line.
    assert_eq!(found(&by("li", 30).chain(by("wang", 30)).collect::<Vec<_>>()), []);
    let doubts = found(&by("li", 31).chain(by("wang", 30)).collect::<Vec<_>>());
    let [doubt] = doubts.as_slice() else { panic!("{doubts:?}") };
    assert_eq!(doubt.who.as_ref().unwrap().asker.as_deref(), Some("li"));
}

#[test]
fn what_happened_before_is_a_baseline_and_no_doubt() {
    let mut doubting =
        Doubting::new(shipped().doubts(), None, Box::new(|_, _| None), at(MONDAY, "00:00"));
    assert!(doubting.reads_from_ms() <= at("2026-11-02", "00:00"));
    for one in 0..200 {
        doubting.see(one, &told(CLERK, one as u32, at("2026-11-29", "03:00")));
    }
    assert_eq!(doubting.found(at(MONDAY, "12:00"), &Arrived::default()), []);
    for one in 0..200 {
        doubting.see(200 + one, &told(CLERK, one as u32, at(MONDAY, "12:00")));
    }
    assert_eq!(doubting.found(at(MONDAY, "12:00"), &Arrived::default()), [], "it is his habit");
    doubting.see(400, &told(CLERK, 1, at(MONDAY, "23:00")));
    assert_eq!(doubting.found(at(MONDAY, "23:00"), &Arrived::default()).len(), 1);
    doubting.slide(at("2026-12-01", "00:00"));
    assert_eq!(doubting.found(at(MONDAY, "23:00"), &Arrived::default()), []);
}

#[test]
fn a_clerk_at_night_is_a_doubt_and_an_emergency_at_night_is_none() {
    let emergency = ("hotline-12349", "agent", "emergency-card");
    for (asked, day, time, doubts) in [
        (CLERK, MONDAY, "07:30", 0),
        (CLERK, MONDAY, "07:29", 1),
        (CLERK, MONDAY, "18:59", 0),
        (CLERK, MONDAY, "19:00", 1),
        (CLERK, "2026-11-29", "10:00", 1),
        (emergency, "2026-11-29", "03:00", 0),
        (("civil-affairs", "officer", "safeguarding"), MONDAY, "03:00", 0),
    ] {
        let entry = told(asked, 1, at(day, time));
        assert_eq!(found(&[entry]).len(), doubts, "{asked:?} {day} {time}");
    }
    let night = ["01:10", "02:20", "03:30"].map(|time| told(CLERK, 1, at(MONDAY, time)));
    let doubts = found(&night);
    let [doubt] = doubts.as_slice() else { panic!("one of a day and an asker: {doubts:?}") };
    let (first, last) = ("01:10".to_owned(), "03:30".to_owned());
    assert_eq!((&doubt.reason, doubt.count), (&Reason::OffHours { first, last }, 3));
}

#[test]
fn to_be_refused_and_to_ask_otherwise_is_a_doubt_and_to_ask_rightly_is_none() {
    let morning = at(MONDAY, "10:00");
    let evening = at(MONDAY, "18:00");
    let no = Fault::PurposeNotGranted;
    for (refusal, disclosure, doubts) in [
        (refused(CLERK, 1, (morning, no)), told(SUBSIDY, 1, evening), 1),
        (refused(CLERK, 1, (morning, no)), told(CLERK, 1, evening), 0),
        (refused(CLERK, 2, (morning, no)), told(SUBSIDY, 1, evening), 0),
        (refused(CLERK, 1, (morning, Fault::UpstreamUnavailable)), told(SUBSIDY, 1, evening), 0),
        (refused(CLERK, 1, (morning, no)), told(SUBSIDY, 1, at("2026-12-01", "10:01")), 0),
        (refused(CLERK, 1, (morning, no)), told(SUBSIDY, 1, at("2026-12-01", "10:00")), 1),
        (
            refused(CLERK, 1, (morning, no)),
            told(("community", "worker", "contract-status"), 1, evening),
            0,
        ),
        (
            refused(CLERK, 1, (morning, no)),
            Entry { elements: Default::default(), ..told(SUBSIDY, 1, evening) },
            0,
        ),
    ] {
        let both = [refusal, disclosure];
        assert_eq!(found(&both).len(), doubts, "{both:?}");
    }
    let doubts = found(&[refused(CLERK, 1, (morning, no)), told(SUBSIDY, 1, evening)]);
    let doubt = doubts.first().unwrap();
    assert_eq!(doubt.entries.iter().map(|cited| cited.number).collect::<Vec<_>>(), [0, 1]);
    assert!(matches!(doubt.reason, Reason::AskedAgain { minutes: 480, fault, .. } if fault == no));
}

#[test]
fn whoever_was_refused_about_one_is_refused_about_whom_he_became() {
    let mut link = Entry::new(Kind::Link, at(MONDAY, "11:00"), [1; 16]);
    (link.person, link.merged) = (Some(person(9)), Some(person(1)));
    let refusal = refused(CLERK, 1, (at(MONDAY, "10:00"), Fault::PurposeNotGranted));
    let after = told(SUBSIDY, 9, at(MONDAY, "12:00"));
    assert_eq!(found(&[refusal.clone(), after.clone()]), []);
    assert_eq!(found(&[refusal, link, after]).len(), 1);
}

/// Five rows; the numbers of the pseudonyms are those of the rows.
fn people() -> People {
    let list = format!(
        "row,household,unit,protected,askers,pseudonyms\n\
         E1,H1,U1,,civil-affairs/li,{:032x}\nE2,H1,,,,{:032x}\nE3,,U1,,,{:032x}\n\
         E4,,,yes,,{:032x}\nE5,,,,,{:032x}\n",
        1, 2, 3, 4, 5
    );
    People::read(list.as_bytes(), None).unwrap()
}

fn ties(entries: &[Entry]) -> Vec<(Tie, Option<String>, String)> {
    let doubts = look(entries, Some(people()), &Arrived::default());
    let tie = |doubt: Doubt| match doubt.reason {
        Reason::Related { tie, asker, looked_at } => (tie, asker, looked_at),
        other => panic!("{other:?}"),
    };
    doubts.into_iter().map(tie).collect()
}

#[test]
fn whom_the_list_ties_to_the_asker_is_a_doubt_and_whom_it_does_not_is_none() {
    let own = |tie, name: &str| vec![(tie, Some("E1".to_owned()), name.to_owned())];
    let noon = at(MONDAY, "12:00");
    for (about, expect) in [
        (1, own(Tie::Own, "E1")),
        (2, own(Tie::Household, "E2")),
        (3, own(Tie::Colleague, "E3")),
        (4, own(Tie::Protected, "E4")),
        (5, vec![]),
        (6, vec![]),
    ] {
        let account = asked_by_account(told(CLERK, about, noon), "li");
        assert_eq!(ties(&[account]), expect, "by his account: {about}");
        let human = Entry { asked_by: Some(person(1)), ..told(CLERK, about, noon) };
        assert_eq!(ties(&[human]), expect, "by who he is: {about}");
    }
    let nobody = vec![(Tie::Protected, None, "E4".to_owned())];
    assert_eq!(ties(&[told(CLERK, 4, noon)]), nobody, "whoever looks at a protected person");
    assert_eq!(ties(&[told(CLERK, 2, noon)]), [], "whose account it is nobody knows");
    let portal = ("citizen-portal", "self-service", "own-record");
    let entry = Entry { asked_by: Some(person(1)), ..told(portal, 1, noon) };
    assert_eq!(ties(&[entry]), [], "this purpose is for oneself");
}

#[test]
fn a_list_follows_who_became_whom_and_back() {
    let noon = at(MONDAY, "12:00");
    let changed = |kind| {
        let mut entry = Entry::new(kind, noon, [1; 16]);
        (entry.person, entry.merged) = (Some(person(40)), Some(person(4)));
        entry
    };
    let look = told(CLERK, 40, noon);
    assert_eq!(ties(std::slice::from_ref(&look)), []);
    assert_eq!(ties(&[changed(Kind::Link), look.clone()]).len(), 1);
    assert_eq!(ties(&[changed(Kind::Link), changed(Kind::Part), look]), []);
    let old = told(CLERK, 4, noon);
    assert_eq!(ties(&[changed(Kind::Link), changed(Kind::Part), old]).len(), 1);
}

#[test]
fn a_list_is_read_back_as_it_was_written_and_a_wrong_one_names_its_line() {
    let (again, list) = (People::read(&people().write(), None).unwrap(), people());
    assert_eq!((again.digest(), again.rows()), (list.digest(), 5));
    let one = format!("{:032x}", 1);
    for (text, line, what) in [
        ("row,citizen_id\nE1,11010519491231002X\n".to_owned(), 1, "numbers in clear"),
        (format!("row,name,pseudonyms\nE1,x,{one}\n"), 1, "a column nobody knows"),
        (format!("row,unit,unit,pseudonyms\nE1,,,{one}\n"), 1, "stands twice"),
        (format!("unit,pseudonyms\nU,{one}\n"), 1, "no column row"),
        (format!("row,pseudonyms\n,{one}\n"), 2, "a name of 1 to 64"),
        (format!("row,pseudonyms\n11010519491231002X,{one}\n"), 2, "no number of a person"),
        (format!("row,pseudonyms\nE1,{one}\nE1,{:032x}\n", 2), 3, "row's name stands above"),
        (format!("row,pseudonyms\nE1,{one}\nE2,{one}\n"), 3, "person stands above"),
        ("row,pseudonyms\nE1,abc\n".to_owned(), 2, "32 hexadecimal"),
        (format!("row,protected,pseudonyms\nE1,maybe,{one}\n"), 2, "protected is yes"),
        (format!("row,askers,pseudonyms\nE1,li,{one}\n"), 2, "department/account"),
        (format!("row,pseudonyms\nE1,{one},more\n"), 2, "as many columns"),
    ] {
        let error = People::read(text.as_bytes(), None).unwrap_err();
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.to_string().contains(what), "{text}: {error}");
        assert!(!error.to_string().contains("11010519491231002X"), "{error}");
    }
}

#[test]
fn what_no_record_followed_in_time_is_a_doubt_and_what_one_did_is_none() {
    let asked = ("care-home", "clerk", "institution-admission");
    let entries = |until: &str| {
        let first = told(asked, 1, at("2026-09-01", "10:00"));
        [first, told(CLERK, 2, at(until, "10:00"))]
    };
    let came = |dataset: &str, day: &str| {
        let row = (Dataset::parse(dataset).unwrap(), at(day, "10:00"));
        Arrived::from([(person(1), vec![row])])
    };
    // Of whom the index does not know nobody can say what came.
    let nothing_came = || Arrived::from([(person(1), Vec::new())]);
    for (until, arrived, doubts) in [
        ("2026-10-30", nothing_came(), 0),
        ("2026-11-02", nothing_came(), 1),
        ("2026-11-02", Arrived::default(), 0),
        ("2026-11-02", came("institution-resident", "2026-10-01"), 0),
        ("2026-11-02", came("admission", "2026-10-01"), 1),
        ("2026-11-02", came("institution-resident", "2026-08-31"), 1),
        ("2026-11-02", came("institution-resident", "2026-11-01"), 1),
    ] {
        let entries = entries(until);
        assert_eq!(look(&entries, None, &arrived).len(), doubts, "{until} {arrived:?}");
    }
    let nothing = Entry { elements: Default::default(), ..entries("2026-11-02")[0].clone() };
    let late = told(CLERK, 2, at("2026-11-02", "10:00"));
    assert_eq!(look(&[nothing, late], None, &nothing_came()), [], "nothing was told");
}

#[test]
fn a_change_of_policies_says_what_it_opened_and_what_rests_on_it_since() {
    use crate::policy::tests::{changed, edited};
    const OPENED: &[(&str, &str, &str)] = &[
        ("community.cedar", "action == Action::\"existence\"", "action == Action::\"generalised\""),
        (
            "community.examples.toml",
            "\"MZ.check.notice-date\" = \"existence\"",
            "\"MZ.check.notice-date\" = \"generalised\"",
        ),
    ];
    let worker = ("community", "worker", "contract-status");
    let notice = element("MZ.check.notice-date");
    let shown = |tier, time| {
        let mut entry = told(worker, 1, at(MONDAY, time));
        entry.elements = Default::default();
        entry.elements.insert(tier, notice);
        entry.elements.insert(Tier::Full, element("MZ.contract.signed"));
        entry
    };
    let change = |before: &str, now: &str| {
        let mut entry = Entry::new(Kind::Policy, at(MONDAY, "10:00"), [3; 16]);
        entry.subject = Some(Reference::new(&format!("{before} → {now}, 1 wider: in force")));
        (entry.policy, entry.mappings) = (Some(now.to_owned()), Some("m".to_owned()));
        entry
    };
    let served = |edits: &[_]| Arc::new((changed(edits).unwrap(), edited(edits)));
    let (old, new) = (served(&[]), served(OPENED));
    let served = move |version: &str, mappings: &str| {
        let known = match version {
            "old" => &old,
            "new" => &new,
            _ => return None,
        };
        (mappings == "m").then(|| Arc::clone(known))
    };
    let look = |entries: &[Entry]| {
        let mut doubting = Doubting::new(&Default::default(), None, Box::new(served.clone()), 0);
        for (number, entry) in (0..).zip(entries) {
            doubting.see(number, entry);
        }
        doubting.found(at(MONDAY, "23:00"), &Arrived::default())
    };
    let before = shown(Tier::Existence, "09:00");
    let doubts = look(&[
        before.clone(),
        change("old", "new"),
        shown(Tier::Generalised, "11:00"),
        told(CLERK, 1, at(MONDAY, "12:00")),
    ]);
    let [doubt] = doubts.as_slice() else { panic!("{doubts:?}") };
    let Reason::Opened { cells: Some(cells), disclosures, wider, .. } = &doubt.reason else {
        panic!("{doubt:?}")
    };
    let opened: Vec<_> = cells.iter().map(|cell| cell.element).collect();
    assert_eq!((opened, *wider, *disclosures), (vec![notice], 1, 1));
    assert_eq!(doubt.entries.iter().map(|cited| cited.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(doubt.at_ms, at(MONDAY, "10:00"));

    let closed = look(&[change("new", "old"), before.clone()]);
    assert!(matches!(&closed[..], [Doubt { count: 1, .. }]), "nothing rests on it: {closed:?}");
    let gone = look(&[change("lost", "new"), shown(Tier::Generalised, "11:00")]);
    assert!(
        matches!(&gone[..], [Doubt { reason: Reason::Opened { cells: None, .. }, count: 1, .. }]),
        "{gone:?}"
    );
    assert_eq!(look(&[change("none", "new"), before]), [], "nothing was closed before");
}
