//! What became of a message: found by what is known of it, told from its row to its notices.

use super::*;
use crate::store::trace::Wanted;

/// Numbers of what is found, with how to go on.
async fn numbers(store: &Store, wanted: Wanted) -> (Vec<u64>, Option<u64>) {
    let wanted = Wanted { limit: if wanted.limit == 0 { 50 } else { wanted.limit }, ..wanted };
    let found = store.messages(wanted).await.unwrap();
    (found.rows.iter().map(|line| line.number).collect(), found.next)
}

/// Six messages: 1 and 4 of one person, 2 in quarantine, 3 refused, 5 of another sender under
/// the control id of 1, 6 of another person and form.
async fn six(store: &Store) {
    let at = |message: Arrival, minute: i64| Arrival {
        received_at_ms: 1_795_000_000_000 + 600_000 * minute,
        ..message
    };
    keep(store, "a", vec![local(1)]).await;
    store.keep(at(arrival("b", "b", quarantine()), 1)).await.unwrap();
    store.keep(at(arrival("c", "c", refuse()), 2)).await.unwrap();
    store.keep(at(arrival("d", "d", apply("d", vec![local(1)])), 3)).await.unwrap();
    let other = arrival("a", "e", quarantine());
    let other = Arrival { source: source("hospital-b"), form: Form::Fhir, ..at(other, 4) };
    store.keep(other).await.unwrap();
    let last = arrival("f", "f", apply("f", vec![local(2)]));
    store.keep(Arrival { form: Form::CivilJson, ..at(last, 5) }).await.unwrap();
}

#[tokio::test]
async fn a_message_is_found_by_whatever_is_known_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    six(&store).await;
    let any = Wanted::default;
    let minute = |minute: i64| Some(1_795_000_000_000 + 600_000 * minute);
    let id = |id: &str| Some(id.to_owned());
    let (fault, place) = (Some(Fault::RequiredMissing), id("PID-3"));
    for (wanted, expect) in [
        (any(), &[6, 5, 4, 3, 2, 1][..]),
        (Wanted { control_id: id("a"), ..any() }, &[5, 1]),
        (Wanted { control_id: id("a"), source: Some(source("hospital-a")), ..any() }, &[1]),
        (Wanted { control_id: id("zz"), ..any() }, &[]),
        (Wanted { source: Some(source("hospital-b")), ..any() }, &[5]),
        (Wanted { source: Some(source("hospital-a")), ..any() }, &[6, 4, 3, 2, 1]),
        (Wanted { state: Some(State::Kept), ..any() }, &[6, 4, 1]),
        (Wanted { state: Some(State::Quarantined), ..any() }, &[5, 2]),
        (Wanted { state: Some(State::Refused), ..any() }, &[3]),
        (Wanted { fault, ..any() }, &[5, 2]),
        (Wanted { fault, source: Some(source("hospital-b")), ..any() }, &[5]),
        (Wanted { fault, place, ..any() }, &[]),
        (Wanted { form: Some(Form::Fhir), ..any() }, &[5]),
        (Wanted { since_ms: minute(2), until_ms: minute(4), ..any() }, &[4, 3]),
        (Wanted { since_ms: minute(6), ..any() }, &[]),
        (Wanted { until_ms: minute(1), ..any() }, &[1]),
        (Wanted { persons: Some(vec![PersonId(1)]), ..any() }, &[4, 1]),
        (Wanted { persons: Some(vec![]), ..any() }, &[]),
    ] {
        let told = format!("{wanted:?}");
        assert_eq!(numbers(&store, wanted).await, (expect.to_vec(), None), "{told}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    six(&store).await;
    let page = |before| Wanted { before, limit: 4, ..Wanted::default() };
    assert_eq!(numbers(&store, page(None)).await, (vec![6, 5, 4, 3], Some(3)));
    assert_eq!(numbers(&store, page(Some(3))).await, (vec![2, 1], None));
    // A page that is just full is the last one.
    let two = Wanted { state: Some(State::Quarantined), limit: 2, ..Wanted::default() };
    assert_eq!(numbers(&store, two).await, (vec![5, 2], None));
}

#[tokio::test]
async fn a_person_is_found_by_every_number_after_a_merge() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    six(&store).await;
    let joined = arrival("g", "g", merge(vec![local(1)], vec![local(2)]));
    assert_eq!(store.keep(joined).await.unwrap().state, State::Kept);
    for number in [1, 2] {
        let (persons, _) = store.known_as(local(number).token).await.unwrap();
        let wanted = Wanted { persons: Some(persons), ..Wanted::default() };
        assert_eq!(numbers(&store, wanted).await.0, [7, 6, 4, 1]);
    }
    let traced = store.traced(7).await.unwrap().unwrap();
    assert_eq!(traced.persons.len(), 2);
    assert_eq!(traced.said.len(), 1, "what this message said, and nothing else");
    let before = store.traced(6).await.unwrap().unwrap();
    assert_eq!((before.persons, before.said.len()), (traced.persons, 0));
}

#[tokio::test]
async fn a_trace_tells_every_outcome_in_order_and_by_which_mappings() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let number = store.keep(arrival("1", "one", quarantine())).await.unwrap().number;
    let first = store.traced(number).await.unwrap().unwrap();
    assert_eq!(first.entrance, Some(Entrance::Mllp));
    assert_eq!(first.outcomes[0].mappings.as_deref(), Some("test"));
    for (proposed, entry) in [(refuse(), 3), (apply("one", vec![local(1)]), 4)] {
        let (guard, mappings) = (Guard::Hold, "later".to_owned());
        let retrial = Retrial { guard, mappings, at_ms: 1_795_000_100_000, entry, rerun: None };
        store.set_outcome(number, proposed, retrial).await.unwrap();
    }
    let traced = store.traced(number).await.unwrap().unwrap();
    let told = traced.outcomes.iter().map(|one| (one.state, one.mappings.as_deref(), one.entry));
    let told: Vec<_> = told.collect();
    assert_eq!(
        told,
        [
            (State::Quarantined, Some("test"), Some(3)),
            (State::Refused, Some("later"), Some(4)),
            // A record names its own.
            (State::Kept, Some("test"), None),
        ]
    );
    assert_eq!(traced.outcomes[0].at.as_deref(), Some("byte 3"));
    assert_eq!((traced.dataset.as_deref(), traced.entry), (Some("admission"), Some(PersonId(1))));
    assert_eq!(store.traced(99).await.unwrap(), None);
}

#[tokio::test]
async fn other_bytes_under_one_number_are_told_and_equal_marks_are_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for (id, text) in [("1", "one"), ("1", "two"), ("2", "one")] {
        store.keep(arrival(id, text, quarantine())).await.unwrap();
    }
    let mut same = arrival("3", "x", quarantine());
    same.digest = arrival("1", "one", quarantine()).digest;
    store.keep(same).await.unwrap();
    let mut traced = Vec::new();
    for number in 1..5 {
        traced.push(store.traced(number).await.unwrap().unwrap());
    }
    assert_eq!((&traced[0].same_number, &traced[1].same_number), (&vec![2], &vec![1]));
    assert_eq!(traced[0].mark, traced[3].mark);
    assert_ne!(traced[0].mark, traced[1].mark);
}

#[tokio::test]
async fn what_waits_is_piled_by_reason_place_and_sender_the_highest_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let at = |repetition| {
        let field = crate::vocabulary::position::Hl7Position::field(*b"PID", 3);
        let place = crate::vocabulary::position::Hl7Position { repetition, ..field };
        Proposed::Quarantine(Reason { fault: Fault::TableValue, at: Some(place.into()) })
    };
    store.keep(arrival("0", "0", quarantine())).await.unwrap();
    for repetition in 1..4_u16 {
        let id = repetition.to_string();
        store.keep(arrival(&id, &id, at(repetition))).await.unwrap();
    }
    let other = Arrival { source: source("hospital-b"), ..arrival("9", "9", at(1)) };
    store.keep(other).await.unwrap();
    store.keep(arrival("r", "r", refuse())).await.unwrap();
    let piles = store.piles().await.unwrap();
    let told = piles.iter().map(|pile| {
        (pile.source.as_str(), pile.fault, pile.place.as_deref(), pile.count, pile.first, pile.last)
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("hospital-a", Fault::TableValue, Some("PID-3"), 3, 2, 4),
            ("hospital-b", Fault::TableValue, Some("PID-3"), 1, 5, 5),
            ("hospital-a", Fault::RequiredMissing, None, 1, 1, 1),
        ]
    );
    let place = Some("PID-3".to_owned());
    let wanted = Wanted { place, source: Some(source("hospital-a")), ..Wanted::default() };
    assert_eq!(numbers(&store, wanted).await.0, [4, 3, 2], "a pile is what its search finds");
}

file_alone! {
#[tokio::test]
async fn a_search_gets_tired_and_goes_on_from_where_it_stood() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, "needle", vec![local(1)]).await;
    drop(store);
    let file = sql::sqlite::open(&file::database(folder.path())).unwrap();
    file.execute_batch(
        "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) \
         INSERT INTO journal (number, source, control_id, digest, received_at_ms, state, raw) \
         SELECT i, 'hospital-b', i, x'00', 1795000000000, 0, x'00' FROM n",
    )
    .unwrap();
    drop(file);
    let store = open(&folder);
    // Nothing but looking at every row finds this one.
    let wanted = Wanted { form: Some(Form::Hl7v2), source: None, limit: 5, ..Wanted::default() };
    assert!(!store.messages(wanted).await.unwrap().tired);
    let rare = |before| Wanted { form: Some(Form::Cda), before, limit: 5, ..Wanted::default() };
    let first = store.messages(rare(None)).await.unwrap();
    assert_eq!((first.rows.len(), first.next, first.tired), (0, Some(10_001), true));
    let second = store.messages(rare(first.next)).await.unwrap();
    assert_eq!((second.next, second.tired), (None, false));
    // By the sender the oldest of all is found at once.
    let own = Wanted { source: Some(source("hospital-a")), limit: 5, ..Wanted::default() };
    assert_eq!(store.messages(own).await.unwrap().rows[0].number, 1);
}
}

file_alone! {
#[tokio::test]
async fn no_search_looks_at_every_row_for_what_an_index_knows() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder));
    let file = sql::sqlite::open(&file::database(folder.path())).unwrap();
    let (id, sender) = (Some("a".to_owned()), Some(source("hospital-a")));
    for (wanted, plan) in [
        (Wanted { control_id: id.clone(), ..Wanted::default() }, "control_id=?)"),
        (Wanted { control_id: id, source: sender, ..Wanted::default() }, "control_id=?)"),
        (Wanted { source: sender, ..Wanted::default() }, "journal_source (source=?"),
        (Wanted { state: Some(State::Refused), ..Wanted::default() }, "journal_held (number"),
        (Wanted { persons: Some(vec![PersonId(1)]), ..Wanted::default() }, "record_person ("),
        (Wanted::default(), "PRIMARY KEY (rowid"),
    ] {
        let (sql, named) = crate::store::trace::question(&file, &wanted).unwrap();
        let mut words: Vec<&dyn sql::ToSql> = vec![&0, &9];
        words.extend(named.iter().map(|word| word as &dyn sql::ToSql));
        let mut explain = file.prepare_cached(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = explain.query_map(words.as_slice(), |row| row.get::<String>(3)).unwrap();
        let told = rows.map(Result::unwrap).collect::<Vec<_>>().join("; ");
        assert!(told.contains(plan) && !told.contains("SCAN"), "{wanted:?}: {told}");
    }
}
}

file_alone! {
#[tokio::test]
async fn rows_of_before_are_traced_without_what_was_not_kept_then() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    six(&store).await;
    drop(store);
    // As the build before left it.
    let file = sql::sqlite::open(&file::database(folder.path())).unwrap();
    file.execute_batch(WITHOUT_TURNS).unwrap();
    file.execute_batch(
        "DROP TABLE sink; DROP TABLE rerun; DROP TABLE lifting; DROP TABLE saved_search; \
         DROP INDEX journal_source; DROP INDEX journal_why; \
         DROP INDEX outbox_journal; DROP TABLE outcome; ALTER TABLE journal DROP COLUMN entrance; \
         ALTER TABLE journal DROP COLUMN mappings; PRAGMA user_version = 13",
    )
    .unwrap();
    drop(file);
    let store = open(&folder);
    let (kept, held) = (store.traced(1).await.unwrap(), store.traced(2).await.unwrap());
    let (kept, held) = (kept.unwrap(), held.unwrap());
    assert_eq!((kept.entrance, kept.outcomes[0].mappings.as_deref()), (None, Some("test")));
    assert_eq!((held.entrance, held.outcomes[0].mappings.as_deref()), (None, None));
    let own = Wanted { source: Some(source("hospital-a")), ..Wanted::default() };
    assert_eq!(numbers(&store, own).await.0, [6, 4, 3, 2, 1]);
    assert_eq!(store.piles().await.unwrap().len(), 2);
}
}

#[test]
fn a_form_in_an_order_is_called_what_it_is_called_everywhere() {
    for form in Form::ALL {
        assert_eq!(serde_json::to_value(form).unwrap(), form.name());
    }
}
