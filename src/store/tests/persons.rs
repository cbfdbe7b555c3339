//! Persons: linked, told apart, merged, set free, erased.

use super::*;

#[tokio::test]
async fn a_new_identifier_of_a_known_person_is_linked() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let first = keep(&store, "a", vec![local(1)]).await;
    let second = keep(&store, "b", vec![local(1), citizen(1)]).await;
    let third = keep(&store, "c", vec![citizen(1)]).await;
    assert_eq!([&second.persons, &third.persons], [&first.persons; 2]);
    assert_eq!(store.person(&[citizen(1).token]).await.unwrap(), Some(first.persons[0]));
    assert_eq!(store.person(&[local(2).token]).await.unwrap(), None);
}

/// Asks what becomes of a message with `identifiers`, after local 1 was linked to
/// citizen 1 and local 2 to citizen 2.
async fn check(identifiers: Vec<Indexed>, expected: Result<i64, &str>) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, "a", vec![local(1), citizen(1)]).await;
    keep(&store, "b", vec![local(2), citizen(2)]).await;
    keep(&store, "c", vec![local(3)]).await;
    let kept = keep(&store, "d", identifiers.clone()).await;
    let outcome = match kept.reason {
        None => Ok(kept.persons[0].0),
        Some(Reason { fault, at }) => {
            assert_eq!((kept.state, fault), (State::Quarantined, Fault::IdentityConflict));
            Err(at.map(|at| at.to_string()).unwrap_or_default())
        }
    };
    assert_eq!(outcome, expected.map_err(str::to_owned));
    if expected.is_err() {
        let replay = store.replay(kept.number).await.unwrap().unwrap();
        assert_eq!(&replay.raw[..], b"MSH|d|d", "kept aside, not lost");
        for unknown in identifiers.iter().filter(|one| **one == citizen(9) || **one == local(9)) {
            assert_eq!(store.person(&[unknown.token]).await.unwrap(), None, "linked to nobody");
        }
    }
}

#[tokio::test]
async fn two_citizen_ids_are_two_people() {
    check(vec![local(1)], Ok(1)).await;
    check(vec![local(1), citizen(1)], Ok(1)).await;
    check(vec![local(3), citizen(9)], Ok(3)).await;
    check(vec![local(9), citizen(9)], Ok(4)).await;
    check(vec![local(1), local(3)], Err("/local")).await;
    check(vec![local(1), citizen(2)], Err("/local")).await;
    check(vec![citizen(9), local(1)], Err("/citizen-id")).await;
    check(vec![citizen(8), citizen(9)], Err("/citizen-id")).await;
    check(vec![citizen(1), citizen(9)], Err("/citizen-id")).await;
    check(vec![local(3), citizen(8), citizen(9)], Err("/local")).await;
}

#[tokio::test]
async fn what_is_sent_again_names_whoever_stands_for_its_person() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let root = keep(&store, "a", vec![local(1)]).await.persons[0];
    keep(&store, "b", vec![local(2)]).await;
    let joined = merge(vec![local(1)], vec![local(2)]);
    assert_eq!(store.keep(arrival("c", "c", joined)).await.unwrap().state, State::Kept);
    let first = keep(&store, "d", vec![local(2)]).await;
    assert_eq!((first.persons[0], first.persons.len()), (root, 2));
    let again = keep(&store, "d", vec![local(2)]).await;
    assert_eq!(again, Kept { repeat: true, ..first }, "a copy of the root would outlive it");
}

#[tokio::test]
async fn what_speaks_against_one_person_is_seen_without_writing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, "a", vec![local(1), citizen(1)]).await;
    keep(&store, "b", vec![local(2), citizen(2)]).await;
    keep(&store, "c", vec![local(3)]).await;
    for (identifiers, one) in [
        (vec![local(1), citizen(1)], true),
        (vec![local(1), local(9)], true),
        (vec![local(1), citizen(2)], false),
        (vec![local(1), citizen(9)], false),
        (vec![local(3), citizen(9)], true),
        (vec![local(9), citizen(9)], true),
    ] {
        let named = identifiers.iter().map(|indexed| (indexed.kind, indexed.token)).collect();
        assert_eq!(store.is_one(named).await.unwrap(), one, "{identifiers:?}");
    }
}

#[tokio::test]
async fn a_merge_is_read_as_one_person_and_can_be_undone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, "old", vec![local(1)]).await;
    keep(&store, "new", vec![local(2), citizen(2)]).await;
    let (old, new) = (PersonId(1), PersonId(2));
    assert_eq!(store.person(&[local(1).token]).await.unwrap(), Some(old));

    // PID-3 often names the old number too.
    let message = merge(vec![local(2), local(1)], vec![local(1)]);
    let kept = store.keep(arrival("m", "m", message)).await.unwrap();
    assert_eq!((kept.state, kept.persons), (State::Kept, vec![new, old]));
    assert_eq!(store.ledger(0, 9).await.unwrap()[0].bytes, b"merge [PersonId(2), PersonId(1)]");
    assert_eq!(store.person(&[local(1).token]).await.unwrap(), Some(new));
    keep(&store, "late", vec![local(1)]).await;
    assert_eq!(texts(&store, new).await, ["late", "merge", "new", "old"]);
    drop(store);

    let store = open(&folder);
    assert_eq!(texts(&store, old).await, ["late", "merge", "new", "old"]);
    let mut touched = store.unmerge(old, 5).await.unwrap();
    touched.sort();
    assert_eq!(touched, [old, new]);
    assert_eq!(store.person(&[local(1).token]).await.unwrap(), Some(old));
    assert_eq!(texts(&store, old).await, ["late", "old"], "what came by the old number is its own");
    assert_eq!(texts(&store, new).await, ["merge", "new"]);
    assert!(matches!(store.unmerge(old, 6).await, Err(StoreError::Unknown)));
    let events = store.merges(new).await.unwrap();
    assert_eq!((events[0].into, events[0].journal), (Some(new), Some(kept.number)));
    assert_eq!(store.merges(old).await.unwrap().len(), 2);
}

#[tokio::test]
async fn undoing_one_link_of_a_chain_leaves_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for (number, text) in [(1, "a"), (2, "b"), (3, "c")] {
        keep(&store, text, vec![local(number)]).await;
    }
    let (a, b, c) = (PersonId(1), PersonId(2), PersonId(3));
    store.merge(a, b, 1).await.unwrap();
    assert_eq!(store.merge(b, c, 2).await.unwrap(), [c, a, b]);
    store.merge(c, a, 3).await.unwrap();
    assert_eq!(texts(&store, a).await, ["c", "b", "a"]);
    store.unmerge(b, 4).await.unwrap();
    assert_eq!(texts(&store, a).await, ["b", "a"]);
    assert_eq!(texts(&store, c).await, ["c"]);
}

#[tokio::test]
async fn an_old_number_nobody_knew_finds_the_survivor() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let message = merge(vec![local(2)], vec![local(1)]);
    let into = store.keep(arrival("m", "m", message)).await.unwrap().persons[0];
    keep(&store, "late", vec![local(1)]).await;
    assert_eq!(store.person(&[local(1).token]).await.unwrap(), Some(into));
    assert_eq!(texts(&store, into).await, ["late", "merge"]);
    let same = merge(vec![local(1)], vec![local(1)]);
    let kept = store.keep(arrival("n", "n", same)).await.unwrap();
    assert_eq!((kept.state, kept.persons[0]), (State::Kept, into));
}

#[tokio::test]
async fn a_merge_that_joins_nobody_is_kept_and_no_entry_says_it_joined_somebody() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for (number, text) in [(1, "a"), (2, "b"), (3, "c")] {
        keep(&store, text, vec![local(number)]).await;
    }
    let merges = [
        (merge(vec![local(3)], vec![local(1)]), 1),
        (merge(vec![local(3)], vec![local(2)]), 2),
        // Said again, said the other way round, and said of one number.
        (merge(vec![local(3)], vec![local(2)]), 2),
        (merge(vec![local(1)], vec![local(2)]), 2),
        (merge(vec![local(2)], vec![local(2)]), 2),
        // One number on both sides, and another old one somebody has already.
        (merge(vec![local(9)], vec![local(9), local(2)]), 2),
    ];
    for (index, (proposed, entries)) in merges.into_iter().enumerate() {
        let kept = store.keep(arrival(&index.to_string(), "m", proposed)).await.unwrap();
        assert_eq!((kept.state, kept.persons[0]), (State::Kept, PersonId(3)), "{index}");
        assert_eq!(store.ledger_size().await.unwrap(), entries, "{index}");
    }
    let entries = store.ledger(0, 9).await.unwrap();
    assert_eq!(entries[1].bytes, b"merge [PersonId(3), PersonId(2)]");
    assert_eq!(store.person(&[local(9).token]).await.unwrap(), Some(PersonId(3)));
}

#[tokio::test]
async fn a_merge_of_two_citizen_ids_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, "a", vec![local(1), citizen(1)]).await;
    keep(&store, "b", vec![local(2), citizen(2)]).await;
    for (new, old) in [
        (vec![local(1)], vec![local(2)]),
        (vec![local(1)], vec![local(9), citizen(9)]),
        (vec![local(8), citizen(8)], vec![citizen(2)]),
    ] {
        let text = format!("{}", new.len() * 10 + old.len());
        let kept = store.keep(arrival(&text, &text, merge(new, old))).await.unwrap();
        assert_eq!(kept.reason.map(|reason| reason.fault), Some(Fault::IdentityConflict));
    }
    let refused = store.merge(PersonId(1), PersonId(2), 1).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    assert_eq!(store.ledger_size().await.unwrap(), 0);
}

file_alone! {
#[tokio::test]
async fn an_erased_person_is_gone_from_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, "old", vec![local(1)]).await;
    keep(&store, "new", vec![local(2)]).await;
    keep(&store, "other", vec![local(3)]).await;
    store.merge(PersonId(1), PersonId(2), 1).await.unwrap();
    let reader = raw(&store);
    let wrapped = |person: i64| -> Option<Vec<u8>> {
        let sql = "SELECT wrapped FROM person WHERE id = ?1";
        reader.query_row(sql, [person], |row| row.get(0)).unwrap()
    };
    let keys = [wrapped(1).unwrap(), wrapped(2).unwrap()];
    assert!(keys.iter().all(|key| holds(&bytes_on_disk(folder.path()), key)));

    let erased = store.erase(PersonId(1), 7).await.unwrap();
    assert_eq!(erased, [PersonId(2), PersonId(1)]);
    assert!(!keys.iter().any(|key| holds(&bytes_on_disk(folder.path()), key)));
    assert_eq!((wrapped(1), wrapped(2)), (None, None));
    for person in erased {
        assert_eq!(texts(&store, person).await, [""; 0]);
    }
    assert!(store.replay(1).await.unwrap().is_none());
    for number in [1, 2] {
        assert_eq!(store.person(&[local(number).token]).await.unwrap(), None);
    }
    assert_eq!(texts(&store, PersonId(3)).await, ["other"]);
    let again = keep(&store, "again", vec![local(1)]).await;
    assert_eq!(again.persons, [PersonId(4)]);
    assert_eq!(texts(&store, PersonId(4)).await, ["again"]);
}
}

#[tokio::test]
async fn a_number_that_is_somebody_elses_too_is_not_remembered_as_one_persons() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, "one", vec![citizen(1)]).await;
    let asked = || async { store.person(&[citizen(1).token]).await };
    assert_eq!(asked().await.unwrap(), Some(PersonId(1)));
    let mut other = apply("other", vec![citizen(1)]);
    let Proposed::Apply { record, .. } = &mut other else { panic!("it is applied") };
    record.source = source("hospital-b");
    store.keep(arrival("other", "other", other)).await.unwrap();
    assert!(matches!(asked().await, Err(StoreError::Conflict)));
}
