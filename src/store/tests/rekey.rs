//! Keys at rest rotate: what was kept is read before, during and after it, and by nobody else.

use std::sync::PoisonError;

use futures_util::FutureExt;

use super::batch::{begun, rows};
use super::*;
use crate::store::batch::{Part, Stage};
use crate::store::outbox::{Enrol, Enrolled};
use crate::store::seal::Place;
use crate::vocabulary::Subscription;

const NEXT: [u8; 32] = [8; 32];
file_alone! {
const LATER: [u8; 32] = [9; 32];
}
const LIST: Subscription = Subscription::fixed("payments");

pub fn ended() -> EndRows {
    EndRows { master: row("master ended", None, None), persons: row("persons ended", None, None) }
}

pub fn try_open(folder: &TempDir, master: &[u8; 32]) -> Result<Store, StoreError> {
    Store::open(settings(folder.path()), master, chain())
}

/// One of everything that is sealed, and one person who is erased.
async fn fill(store: &Store) {
    for number in 1..=3 {
        keep(store, &format!("first of {number}"), vec![local(number)]).await;
    }
    keep(store, "second of 1", vec![local(1)]).await;
    store.keep(arrival("held", "held", quarantine())).await.unwrap();
    let listed = Proposed::Enter { record: Box::new(record("nurse")), key: "staff".to_owned() };
    store.keep(arrival("staff", "staff", listed)).await.unwrap();
    let enrolled = Enrolled {
        identifier: Identifier::new(IdentifierKind::Local, "local-1"),
        reference: "ONE".to_owned(),
    };
    store.enrol(LIST, vec![Enrol::Join(enrolled, local(1).token)], 0).await.unwrap();
    let batch = store.begin_batch(begun("a", 1)).await.unwrap();
    store.put_part(&batch, &Part { first: 1, checked: false, rows: rows(2, 0) }).await.unwrap();
    store.stage_batch(&batch, Stage::Checking).await.unwrap();
    let erased = store.person(&[local(3).token]).await.unwrap().unwrap();
    store.erase(erased, 7).await.unwrap();
}

/// All of it, as whoever may read it reads it.
async fn read(store: &Store) -> Vec<String> {
    let mut found = Vec::new();
    for number in 1..=2 {
        let person = store.person(&[local(number).token]).await.unwrap().unwrap();
        let known = store.known_as(local(number).token).await.unwrap();
        found.push(format!("{person:?} {} {}", known.0.len(), known.1.len()));
        found.extend(texts(store, person).await);
    }
    for number in 1..=6 {
        let raw = store.replay(number).await.unwrap().map(|replay| replay.raw);
        found.push(format!("{raw:?}"));
    }
    let (staff, _) = store.listing("staff".to_owned()).await.unwrap().unwrap();
    found.push(format!("{}", staff.fields().count()));
    found.push(format!("{:?}", store.person(&[local(3).token]).await.unwrap()));
    let batch = store.unchecked_batch().await.unwrap().unwrap();
    let part = store.batch_part(&batch, 1).await.unwrap().unwrap();
    found.push(format!("{} {:?}", part.rows[0].reference, batch.asked));
    let reader = raw(store);
    let lane = "SELECT lane, sealed FROM enrolment";
    let lane = reader.query_row(lane, [], |row| Ok((row.get(0)?, row.get::<Vec<u8>>(1)?)));
    let (lane, sealed) = lane.unwrap();
    found.push(enrolment::opened(&store.keys, lane, &sealed).unwrap().reference);
    found
}

file_alone! {
/// What stands in a column, row by row.
fn column(store: &Store, sql: &str) -> Vec<Option<Vec<u8>>> {
    let reader = raw(store);
    let mut select = reader.prepare_cached(sql).unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<sql::Result<_>>().unwrap()
}
}

file_alone! {
async fn words(store: &Store) -> Vec<String> {
    let entries = store.ledger(0, 99).await.unwrap().into_iter();
    entries.map(|entry| String::from_utf8(entry.bytes.to_vec()).unwrap()).collect()
}
}

file_alone! {
/// Stops the store as a crash would, and opens what is left of it.
fn crash(folder: &mut TempDir, store: Store, master: &[u8; 32]) -> Store {
    let after = wreck(folder);
    drop(store);
    *folder = after;
    try_open(folder, master).unwrap()
}
}

file_alone! {
#[tokio::test]
async fn the_next_master_key_is_in_force_at_once_and_a_stop_after_any_step_loses_nothing() {
    let mut folder = tempfile::tempdir().unwrap();
    let mut store = open(&folder);
    fill(&store).await;
    store.rotate(1).await.unwrap();
    let (seen, root) = (read(&store).await, *store.root());
    let wrapped = "SELECT wrapped FROM person WHERE wrapped IS NOT NULL";
    let old = column(&store, wrapped);

    let begun = store.rotate_master(&NEXT, 5).await.unwrap();
    assert_eq!((begun.master, begun.ending), (2, Some(1)));
    assert!(store.is_under(&NEXT).await.unwrap() && !store.is_under(&MASTER).await.unwrap());
    assert!(matches!(store.rotate_master(&LATER, 6).await, Err(StoreError::Rotating)));
    let mut steps = 0;
    while store.rekeying().await.unwrap().under_way() {
        store = crash(&mut folder, store, &NEXT);
        for (key, number) in [(&MASTER, None), (&NEXT, Some(2)), (&LATER, None)] {
            assert_eq!(master_in_force(&settings(folder.path()), key).unwrap(), number);
        }
        assert_eq!(*store.root(), root);
        assert_eq!(read(&store).await, seen);
        let step = store.rekey(1, ended()).await.unwrap();
        assert_eq!(step.damaged, 0);
        steps += 1;
    }
    assert!(steps > 6, "{steps}");
    assert_eq!(read(&store).await, seen);
    assert_eq!(words(&store).await, ["master ended"]);
    let left = column(&store, "SELECT wrap FROM master ORDER BY number");
    assert!(left[0].is_none() && left[1].is_some());
    let bytes = bytes_on_disk(folder.path());
    assert!(old.iter().flatten().all(|old| !holds(&bytes, old)));
    for (key, why) in [(&MASTER, "MasterReplaced"), (&LATER, "MasterKey")] {
        let wreck = wreck(&folder);
        assert_eq!(format!("{:?}", try_open(&wreck, key).unwrap_err()), why);
    }
    for spent in [&MASTER, &NEXT] {
        let again = store.rotate_master(spent, 7).await;
        assert!(matches!(again, Err(StoreError::MasterReplaced)));
    }
    let mark = store.rekeying().await.unwrap().mark;
    assert_eq!(mark, master_mark(&NEXT).unwrap());
    assert_eq!(store.rotate_master(&LATER, 8).await.unwrap().master, 3);
    assert_eq!(read(&store).await, seen);
}
}

file_alone! {
#[tokio::test]
async fn persons_get_new_keys_one_by_one_and_a_stop_after_any_step_loses_nothing() {
    let mut folder = tempfile::tempdir().unwrap();
    let mut store = open(&folder);
    fill(&store).await;
    let (seen, wrapped) = (read(&store).await, "SELECT wrapped FROM person ORDER BY id");
    let old = column(&store, wrapped);
    let (sealed, raw) = ("SELECT sealed FROM record", "SELECT raw FROM journal");
    let records = [column(&store, sealed), column(&store, raw)];
    let first = Place::person_key(1);
    let key = store.keys.unwrap(first, old[0].as_ref().unwrap()).unwrap();

    assert_eq!(store.rotate_persons().await.unwrap().persons_left, 3);
    assert!(matches!(store.rotate_persons().await, Err(StoreError::Rotating)));
    // Whoever comes now has a new key from the start; who was there may have either.
    keep(&store, "first of 4", vec![local(4)]).await;
    while store.rekeying().await.unwrap().under_way() {
        store = crash(&mut folder, store, &MASTER);
        store.rekey(1, ended()).await.unwrap();
        assert_eq!(read(&store).await, seen);
    }
    assert_eq!(words(&store).await, ["persons ended"]);
    let now = column(&store, wrapped);
    assert!(now[2].is_none() && old[2].is_none(), "who is erased has no key and gets none");
    assert!((0..2).all(|at| now[at].is_some() && now[at] != old[at]));
    assert!(now[3].is_some());
    let open = |row: &Option<Vec<u8>>| key.open(Place::record(1, 1), row.as_ref().unwrap()).is_ok();
    assert!(open(&records[0][0]) && !open(&column(&store, sealed)[0]), "the old key opens nothing");
    let (after, held) = (column(&store, raw), 4);
    let changed = (0..6).filter(|at| after[*at] != records[1][*at]).collect::<Vec<_>>();
    assert_eq!(changed, [0, 1, 3], "{held} and 5 have keys of their own, 2 has none");
    keep(&store, "third of 1", vec![local(1)]).await;
    assert_eq!(texts(&store, PersonId(1)).await, ["third of 1", "second of 1", "first of 1"]);
}
}

file_alone! {
#[tokio::test]
async fn what_is_damaged_stops_no_rotation_and_takes_nothing_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    fill(&store).await;
    drop(store);
    let file = sql::sqlite::open(&file::database(folder.path())).unwrap();
    // The second record of person 1, and the key of the message that was held.
    let damage = "UPDATE record SET sealed = zeroblob(40) WHERE number = 4; \
                  UPDATE journal SET wrapped = zeroblob(40) WHERE number = 5";
    file.execute_batch(damage).unwrap();
    drop(file);
    let store = open(&folder);
    let before = column(&store, "SELECT wrapped FROM person ORDER BY id");
    store.rotate_persons().await.unwrap();
    store.rotate_master(&NEXT, 5).await.unwrap();
    let mut damaged = 0;
    while store.rekeying().await.unwrap().under_way() {
        damaged += store.rekey(2, ended()).await.unwrap().damaged;
    }
    assert_eq!(damaged, 2);
    let raw = store.replay(1).await.unwrap().unwrap().raw;
    assert!(raw.ends_with(b"first of 1"), "he keeps the key he had, wrapped anew");
    assert_ne!(column(&store, "SELECT wrapped FROM person ORDER BY id"), before);
    assert_eq!(texts(&store, PersonId(2)).await, ["first of 2"]);
    drop(store);
    let store = try_open(&folder, &NEXT).unwrap();
    assert!(store.replay(1).await.unwrap().is_some() && store.replay(2).await.unwrap().is_some());
}
}

file_alone! {
#[tokio::test]
async fn a_file_of_before_keeps_its_tokens_and_its_copies_are_read() {
    let folder = tempfile::tempdir().unwrap();
    before_rotations(&folder);
    let ledger = |folder: &TempDir, master| {
        let file = LedgerFile::open(&settings(folder.path())).unwrap();
        Ok::<_, StoreError>((*file.root(master)?, file.known_as(&local(1).token, master)?.0))
    };
    assert_eq!(ledger(&folder, &MASTER).unwrap(), (MASTER, vec![]), "as it was left");
    assert!(matches!(ledger(&folder, &NEXT), Err(StoreError::MasterKey)));
    assert!(matches!(try_open(&folder, &NEXT), Err(StoreError::MasterKey)));
    let store = open(&folder);
    keep(&store, "first of 1", vec![local(1)]).await;
    assert_eq!(*store.root(), MASTER, "pseudonyms and handles stay");
    store.rotate_master(&NEXT, 5).await.unwrap();
    assert_eq!(*store.root(), MASTER);
    let known = ledger(&folder, &NEXT).unwrap();
    assert_eq!(known, (MASTER, vec![PersonId(1)]));
    assert!(matches!(ledger(&folder, &MASTER), Err(StoreError::MasterReplaced)));
    drop(store);
    assert!(matches!(try_open(&folder, &MASTER), Err(StoreError::MasterReplaced)));
    assert_eq!(texts(&try_open(&folder, &NEXT).unwrap(), PersonId(1)).await, ["first of 1"]);
}
}

file_alone! {
#[tokio::test]
async fn a_file_that_lost_what_says_its_key_gets_no_new_one() {
    let folder = tempfile::tempdir().unwrap();
    keep(&open(&folder), "first of 1", vec![local(1)]).await;
    let file = sql::sqlite::open(&file::database(folder.path())).unwrap();
    file.execute("DELETE FROM master", []).unwrap();
    drop(file);
    assert!(matches!(try_open(&folder, &MASTER), Err(StoreError::Damaged)));
}
}

#[tokio::test]
async fn a_rotation_whose_commit_fails_has_not_happened() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    fill(&store).await;
    let seen = read(&store).await;
    let mut first = Box::pin(store.append(row("first", None, None)));
    let mut rotated = Box::pin(store.rotate_master(&NEXT, 5));
    let mut bad = Box::pin(store.write(Request::Stumble(writer::Stumble::Panic)));
    {
        // The writer waits with the first until the other two stand in its queue: one commit.
        let _turn = store.shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(first.as_mut().now_or_never().is_none());
        assert!(rotated.as_mut().now_or_never().is_none());
        assert!(bad.as_mut().now_or_never().is_none());
    }
    first.await.unwrap();
    assert!(bad.await.is_err());
    // Alone, the rotation went through after it had been undone with the other.
    assert_eq!(rotated.await.unwrap().master, 2);
    while store.rekeying().await.unwrap().under_way() {
        store.rekey(9, ended()).await.unwrap();
    }
    assert_eq!(read(&store).await, seen);
}
