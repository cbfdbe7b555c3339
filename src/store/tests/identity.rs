//! Entries of many sources: found to be one person, in any order, reversibly, or not.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::identity::LEARNED_MIN;
use super::*;
use crate::identity::linkage::{Demographics, Veil, Veiled, Weights};
use crate::store::history::What;
use crate::store::opinion::{Opinion, Voiced};
use crate::store::review::Proposal;
use crate::store::rotation::in_force;
use crate::vocabulary::value::Composite;
use crate::vocabulary::{Coding, Date};

/// What one source says of somebody. Everybody here is invented.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) source: &'static str,
    pub(super) number: u64,
    pub(super) name: &'static str,
    pub(super) sex: &'static str,
    pub(super) birth: &'static str,
    pub(super) citizen: &'static str,
    pub(super) phone: &'static str,
    pub(super) address: &'static str,
}

pub(super) const LI: Entry = Entry {
    source: "hospital-a",
    number: 1,
    name: "李秀兰",
    sex: "2",
    birth: "19480315",
    citizen: "410105194803150216",
    phone: "13900000001",
    address: "中山路12号院3号楼501室",
};

/// The same person at another source, under another number, without an id.
pub(super) const LI_B: Entry =
    Entry { source: "hospital-b", number: 2, citizen: "", name: "李秀蘭", ..LI };
/// Her twin, at the same place: another name, and an id that is not known there.
const TWIN: Entry = Entry { source: "registry", number: 3, citizen: "", name: "李秀云", ..LI };
/// Her namesake of one birthday, somewhere else.
pub(super) const NAMESAKE: Entry = Entry {
    source: "archive",
    number: 4,
    citizen: "",
    phone: "13900000009",
    address: "人民街7号院1号楼101室",
    ..LI
};

fn said_of(entry: Entry) -> Record {
    let element = |id: &str| ElementId::parse(id).unwrap();
    let mut fields = vec![
        (element("DE02.01.039.00"), Value::Name(Composite::line(entry.name))),
        (element("DE02.01.005.01"), Value::Date(Date::parse(entry.birth).unwrap())),
        (
            element("DE02.01.040.00"),
            Value::Code(Coding { code: Some(entry.sex.to_owned()), display: None, original: None }),
        ),
        (element("DE02.01.010.00"), Value::Telecom(Composite::line(entry.phone))),
        (element("MZ.address.home"), Value::Address(Composite::line(entry.address))),
    ];
    if !entry.citizen.is_empty() {
        let id = Identifier::new(IdentifierKind::CitizenId, entry.citizen);
        fields.push((element("DE02.01.030.00"), Value::Identifier(id)));
    }
    let field = |(element, value)| Field { element, value, at: None };
    let name = GroupName::parse("record").unwrap();
    let fields = fields.into_iter().map(field).collect();
    Record {
        source: source(entry.source),
        groups: vec![Group { name, parent: None, fields }],
        ..record("")
    }
}

fn numbers(entry: Entry) -> Vec<Indexed> {
    let mut numbers = vec![local(entry.number)];
    if !entry.citizen.is_empty() {
        numbers.push(indexed(IdentifierKind::CitizenId, entry.citizen));
    }
    numbers
}

fn proposed(entry: Entry, other: Option<(Claim, u64)>) -> Proposed {
    Proposed::Apply {
        record: Box::new(said_of(entry)),
        veiled: None,
        identifiers: numbers(entry),
        merge_from: other.iter().map(|(_, number)| local(*number)).collect(),
        claim: other.map(|(claim, _)| claim).unwrap_or_default(),
        entry: Some(Box::new(|change, persons| row(&said(change, persons), None, None))),
        documents: Vec::new(),
        wishes: Vec::new(),
    }
}

pub(super) async fn tell(
    store: &Store,
    id: &str,
    entry: Entry,
    other: Option<(Claim, u64)>,
) -> Kept {
    let message =
        Arrival { source: source(entry.source), ..arrival(id, id, proposed(entry, other)) };
    store.keep(message).await.unwrap()
}

pub(super) async fn person(store: &Store, number: u64) -> PersonId {
    store.person(&[local(number).token]).await.unwrap().unwrap()
}

/// Who is one person, by local numbers.
pub(super) async fn persons(
    store: &Store,
    numbers: impl IntoIterator<Item = u64>,
) -> BTreeSet<Vec<u64>> {
    let mut groups = std::collections::BTreeMap::<PersonId, Vec<u64>>::new();
    for number in numbers {
        if let Some(root) = store.person(&[local(number).token]).await.unwrap() {
            groups.entry(root).or_default().push(number);
        }
    }
    groups.into_values().collect()
}

#[tokio::test]
async fn one_elder_at_two_sources_is_found_and_entered_in_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let first = tell(&store, "a", LI, None).await.persons[0];
    let kept = tell(&store, "b", LI_B, None).await;
    assert_eq!(kept.persons[0], first, "the answer of a name in other characters is the same");
    assert_eq!(store.ledger(0, 9).await.unwrap()[0].bytes, b"link [PersonId(1), PersonId(2)]");
    assert_eq!(store.records(first, 9).await.unwrap().len(), 2);
    // Told again it is no news.
    tell(&store, "c", LI_B, None).await;
    assert_eq!(store.ledger_size().await.unwrap(), 1);
    drop(store);
    assert_eq!(person(&open(&folder), 2).await, first, "and still is after a restart");
}

#[tokio::test]
async fn a_twin_and_a_namesake_are_not_joined_and_wait_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for (id, entry) in [("a", LI), ("b", LI_B), ("c", TWIN), ("d", NAMESAKE)] {
        tell(&store, id, entry, None).await;
    }
    let apart = BTreeSet::from([vec![1, 2], vec![3], vec![4]]);
    assert_eq!(persons(&store, 1..=4).await, apart);
    let queue = store.reviews(crate::flow::identity::FIRST, 99).await.unwrap();
    let rules: BTreeSet<_> = queue.iter().map(|review| review.rule.as_str()).collect();
    assert_eq!(rules, BTreeSet::from(["like-twins", "name-and-birthday"]));
    let stats = store.identity_stats().await.unwrap();
    assert_eq!((stats.persons, stats.queue), (3, queue.len() as u64));
}

#[tokio::test]
async fn a_borrowed_citizen_id_joins_nobody_and_leads_to_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let husband = Entry { number: 5, name: "王建国", sex: "1", birth: "19450702", ..LI_B };
    let husband = Entry { citizen: LI.citizen, ..husband };
    tell(&store, "husband", husband, None).await;
    let id = indexed(IdentifierKind::CitizenId, LI.citizen);
    tell(&store, "wife", LI, None).await;
    assert_eq!(persons(&store, [1, 5]).await, BTreeSet::from([vec![1], vec![5]]));
    let asked = store.person(&[id.token]).await.unwrap();
    assert_eq!(asked, Some(person(&store, 1).await), "the number is hers");
}

#[tokio::test]
async fn an_overlay_is_held_and_the_old_state_stays_served() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    tell(&store, "a", LI, None).await;
    let other = Entry { name: "赵大勇", sex: "1", birth: "19390101", citizen: "", ..LI };
    let held = tell(&store, "b", other, None).await;
    let reason = held.reason.clone().unwrap();
    assert_eq!((held.state, reason.fault), (State::Quarantined, Fault::IdentityOverlay));
    assert_eq!(store.records(person(&store, 1).await, 9).await.unwrap().len(), 1);
    // A new name alone, or a date corrected alone, is no other person.
    for (id, entry) in [
        ("married", Entry { name: "王李氏", ..LI }),
        ("corrected", Entry { birth: "19480415", citizen: "", ..LI }),
    ] {
        assert_eq!(tell(&store, id, entry, None).await.state, State::Kept, "{id}");
    }
    let voice = |by: &str, opinion| {
        store.voice(Voiced { number: held.number, opinion, by: by.to_owned(), at_ms: 5 })
    };
    let (accept, refuse) = (Opinion::Accept, Opinion::Refuse);
    assert_eq!(voice("rui", refuse).await.unwrap(), Proposal::Waits);
    assert_eq!(voice("rui", refuse).await.unwrap(), Proposal::Own);
    assert_eq!(voice("rui", accept).await.unwrap(), Proposal::Waits, "another mind");
    assert_eq!(voice("rong", accept).await.unwrap(), Proposal::Done(Vec::new()));
    assert_eq!(store.overlays(0, 9).await.unwrap()[0].1, Some((accept, "rui".to_owned())));
    let passed =
        store.set_outcome(held.number, proposed(other, None), retrial(Guard::Pass)).await.unwrap();
    assert!(store.overlays(0, 9).await.unwrap().is_empty());
    assert!(matches!(voice("rong", refuse).await, Err(StoreError::Settled)));
    assert_eq!(passed.state, State::Kept, "somebody said that it is right");
    let reader = raw(&store);
    let traits = |reader: &_, by: &_| review::traits(reader, by, passed.persons[0]);
    let now = in_force(&reader, &store.keys, traits).unwrap().unwrap();
    assert!(now.traits.citizen.is_none(), "the number of the one before is not this one's");
}

#[tokio::test]
async fn what_messages_say_of_two_numbers_is_done_and_undone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let bare = |number| Entry { source: "hospital-a", number, citizen: "", ..NAMESAKE };
    let plain = |number, name| Entry { name, phone: "", address: "", ..bare(number) };
    tell(&store, "1", plain(1, "李秀兰"), None).await;
    tell(&store, "2", plain(2, "李秀兰"), None).await;
    let (apart, one) = (BTreeSet::from([vec![1], vec![2]]), BTreeSet::from([vec![1, 2]]));
    assert_eq!(persons(&store, 1..=2).await, apart, "a name and a birthday are not enough");
    tell(&store, "A24", plain(1, "李秀兰"), Some((Claim::Linked, 2))).await;
    assert_eq!(persons(&store, 1..=2).await, one);
    tell(&store, "A37", plain(1, "李秀兰"), Some((Claim::Unlinked, 2))).await;
    assert_eq!(persons(&store, 1..=2).await, apart);
    let kept = tell(&store, "A40", plain(1, "李秀兰"), Some((Claim::Merged, 2))).await;
    assert_eq!(kept.reason.map(|why| why.fault), Some(Fault::IdentityConflict), "said to be two");
    // Mother and child are linked by some, and are two.
    let child = Entry { birth: "19700815", name: "王小明", sex: "1", ..plain(3, "") };
    tell(&store, "3", child, None).await;
    tell(&store, "A24 again", plain(1, "李秀兰"), Some((Claim::Linked, 3))).await;
    assert_eq!(persons(&store, [1, 3]).await, BTreeSet::from([vec![1], vec![3]]));
    let queue = store.reviews(crate::flow::identity::FIRST, 99).await.unwrap();
    assert!(queue.iter().any(|review| review.rule == "claimed"), "and somebody should look");
    tell(&store, "moved house", Entry { address: "和平路9号", ..child }, None).await;
    let queue = store.reviews(crate::flow::identity::FIRST, 99).await.unwrap();
    assert!(queue.iter().any(|review| review.rule == "claimed"), "whatever came meanwhile");
}

pub(super) fn words(pair: (i64, i64), same: bool, by: &str) -> Said {
    let pair = (PersonId(pair.0), PersonId(pair.1));
    Said { pair, same, by: by.to_owned(), at_ms: 5, journal: None }
}

#[tokio::test]
async fn a_no_outlives_every_later_score_and_a_yes_needs_two() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    tell(&store, "a", LI, None).await;
    tell(&store, "b", LI_B, None).await;
    store.say(words((1, 2), false, "reviewer-1")).await.unwrap();
    let two = BTreeSet::from([vec![1], vec![2]]);
    assert_eq!(persons(&store, 1..=2).await, two);
    let surer = Entry { citizen: LI.citizen, ..LI_B };
    tell(&store, "c", surer, None).await;
    store.learn(9).await.unwrap();
    assert_eq!(persons(&store, 1..=2).await, two, "an id that agrees does not undo it");

    let yes = |by| words((2, 1), true, by);
    assert_eq!(store.propose(yes("reviewer-1")).await.unwrap(), Proposal::Waits);
    assert_eq!(store.propose(yes("reviewer-1")).await.unwrap(), Proposal::Own);
    assert_eq!(persons(&store, 1..=2).await, two);
    let done = store.propose(yes("reviewer-2")).await.unwrap();
    assert!(matches!(done, Proposal::Done(persons) if persons.len() == 2));
    assert_eq!(persons(&store, 1..=2).await, BTreeSet::from([vec![1, 2]]));
    let history = store.identity_history(PersonId(1)).await.unwrap();
    let told: Vec<_> = history.iter().map(|event| (event.what, event.ended_at_ms)).collect();
    let ended = [(What::Apart, Some(5)), (What::Same, None)];
    assert_eq!(told, ended, "nothing said is ever deleted");
}

/// Entries of a few people, some of them hard to tell apart.
pub(super) fn crowd() -> Vec<Entry> {
    let names = ["王桂英", "王桂荣", "张国强", "李秀兰", "刘凤霞"];
    let mut crowd = Vec::new();
    for (at, name) in (0_u64..).zip(names) {
        let birth = ["19450702", "19450702", "19391224", "19480315", "19520909"][at as usize];
        let citizen = ["", "", "41010519391224003X", "410105194803150216", ""][at as usize];
        for (source, turn) in
            ["hospital-a", "hospital-b", "registry", "archive"].into_iter().zip(0_u64..)
        {
            let citizen = if turn % 2 == 0 { citizen } else { "" };
            let phone = ["13900000001", "13900000001", "13900000003", "", "13900000005"];
            let phone = if turn == 3 { "" } else { phone[at as usize] };
            let entry = Entry { source, number: at * 10 + turn, name, birth, citizen, phone, ..LI };
            crowd.push(entry);
        }
    }
    crowd
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(20), failure_persistence: None, ..ProptestConfig::default()
    })]

    /// The same clusters whatever came first.
    #[test]
    fn the_order_of_arrival_changes_nothing(order in Just(crowd()).prop_shuffle()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let numbers: Vec<_> = crowd().iter().map(|entry| entry.number).collect();
            let mut found = Vec::new();
            for entries in [crowd(), order] {
                let folder = tempfile::tempdir().unwrap();
                let store = open(&folder);
                for entry in entries {
                    tell(&store, &entry.number.to_string(), entry, None).await;
                }
                found.push(persons(&store, numbers.iter().copied()).await);
            }
            assert_eq!(found[0], found[1]);
            assert!(found[0].len() >= 5 && found[0].len() < 20, "{:?}", found[0]);
        });
    }

    /// Whatever is said and undone again leaves the state that never heard of it.
    #[test]
    fn an_assertion_withdrawn_was_never_there(
        said in proptest::collection::vec((1..13_i64, 1..13_i64, any::<bool>()), 1..12),
        undone in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // Of two things said of the same two, the later ends the earlier.
            let mut seen = BTreeSet::new();
            let said: Vec<_> = said.into_iter()
                .filter(|(a, b, _)| a != b && seen.insert((*a.min(b), *a.max(b))))
                .collect();
            if said.is_empty() {
                return;
            }
            let undone = undone.index(said.len());
            let mut found = Vec::new();
            for with in [true, false] {
                let folder = tempfile::tempdir().unwrap();
                let store = open(&folder);
                for entry in crowd().into_iter().take(12) {
                    tell(&store, &entry.number.to_string(), entry, None).await;
                }
                for (at, (a, b, same)) in said.iter().enumerate() {
                    if with || at != undone {
                        store.say(words((*a, *b), *same, "x")).await.unwrap();
                    }
                }
                if with {
                    let event = i64::try_from(undone + 1).unwrap();
                    store.withdraw(event, 9).await.unwrap();
                }
                let numbers = crowd().into_iter().take(12).map(|entry| entry.number);
                found.push(persons(&store, numbers).await);
            }
            assert_eq!(found[0], found[1]);
        });
    }
}

file_alone! {
#[tokio::test]
async fn a_file_of_before_is_compared_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    before_rotations(&folder);
    let store = open(&folder);
    tell(&store, "a", LI, None).await;
    tell(&store, "b", TWIN, None).await;
    drop(store);
    let file = sql::sqlite::open(&file::database(folder.path())).unwrap();
    put_back(&file);
    drop(file);
    let store = open(&folder);
    let joined = tell(&store, "c", LI_B, None).await;
    assert_eq!(joined.persons[0], person(&store, 1).await);
    assert_eq!(persons(&store, 1..=3).await, BTreeSet::from([vec![1, 2], vec![3]]));
}
}

file_alone! {
#[tokio::test]
async fn what_its_source_veiled_is_kept_when_everything_else_is_veiled_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let veil = Veil::new(&[3; 32]);
    for entry in [LI, LI_B, TWIN] {
        let traits = veil.traits(&Demographics::of(&said_of(Entry { citizen: "", ..entry })));
        let by = Some(veil.fingerprint());
        let mut proposed = proposed(entry, None);
        if let Proposed::Apply { record, veiled, identifiers, .. } = &mut proposed {
            **record = record_of(entry.source);
            *veiled = Some(Box::new(Veiled { by, traits }));
            identifiers.truncate(1);
        }
        let source = source(entry.source);
        let id = entry.number.to_string();
        store.keep(Arrival { source, ..arrival(&id, &id, proposed) }).await.unwrap();
    }
    let found = persons(&store, 1..=3).await;
    assert_eq!(found, BTreeSet::from([vec![1, 2], vec![3]]));
    let waiting = store.identity_stats().await.unwrap().queue;
    // Under the gateway's own key the same words are somebody else's tokens.
    let clear = Entry { number: 9, source: "archive", citizen: "", ..LI };
    tell(&store, "clear", clear, None).await;
    assert_eq!(persons(&store, [1, 9]).await.len(), 2);
    drop(store);
    let file = sql::sqlite::open(&file::database(folder.path())).unwrap();
    file.execute_batch("DELETE FROM indexed").unwrap();
    drop(file);
    let store = open(&folder);
    assert_eq!(persons(&store, 1..=3).await, found);
    assert_eq!(store.identity_stats().await.unwrap().queue, waiting);
}
}

file_alone! {
/// A record that says nothing of anybody.
fn record_of(name: &str) -> Record {
    Record { source: source(name), ..record("") }
}
}

#[tokio::test]
async fn a_few_entries_are_no_population_to_learn_from() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for entry in crowd() {
        tell(&store, &entry.number.to_string(), entry, None).await;
    }
    let numbers = || crowd().into_iter().map(|entry| entry.number);
    let before = persons(&store, numbers()).await;
    assert_eq!(store.learn(9).await.unwrap(), (crowd().len(), None));
    assert_eq!(persons(&store, numbers()).await, before);
    assert_eq!(store.identity_stats().await.unwrap().learned_from, 0);
}

file_alone! {
#[tokio::test]
async fn weights_are_learned_kept_and_counted_by() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut names = Vec::new();
    for number in 0..LEARNED_MIN as u64 {
        let given = char::from_u32(0x5B89 + u32::try_from(number / 4).unwrap()).unwrap();
        names.push(format!("王{given}"));
    }
    for (number, name) in (0_u64..).zip(&names) {
        let name: &'static str = name.clone().leak();
        let birth: &'static str = format!("19{}0{}11", 30 + number % 40, 1 + number % 9).leak();
        let phone: &'static str = format!("139{:08}", number / 4).leak();
        let address: &'static str = format!("和平路{}号", number / 4).leak();
        let source = ["hospital-a", "hospital-b", "registry", "archive"][number as usize % 4];
        let entry = Entry { source, number, name, birth, phone, address, citizen: "", ..LI };
        tell(&store, &number.to_string(), entry, None).await;
    }
    let (entries, moved) = store.learn(9).await.unwrap();
    assert_eq!((entries, moved.is_some()), (LEARNED_MIN, true));
    assert_eq!(store.identity_stats().await.unwrap().learned_from, LEARNED_MIN as u64);
    let reader = raw(&store);
    let learned = review::weights(&reader).unwrap();
    assert_ne!(learned, Weights::default());
    drop(store);
    drop(open(&folder));
    assert_eq!(review::weights(&reader).unwrap(), learned);
}
}

file_alone! {
#[tokio::test]
async fn nothing_of_a_name_or_number_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    tell(&store, "a", LI, None).await;
    tell(&store, "b", LI_B, None).await;
    let bytes = bytes_on_disk(folder.path());
    for clear in [LI.name, LI_B.name, LI.citizen, LI.phone, LI.birth, LI.address, "lixiulan"] {
        assert!(!holds(&bytes, clear.as_bytes()), "a value of the record stands in the file");
    }
}
}
