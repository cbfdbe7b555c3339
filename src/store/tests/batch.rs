//! Batches: sealed part by part, checked in place, and gone when they end.

use super::*;
use crate::store::batch::{Begun, Part, Row, Stage};
use crate::vocabulary::{Department, Fault, Position, Role};

pub fn begun(id: &str, at_ms: i64) -> Begun {
    Begun {
        id: id.to_owned(),
        department: Department::parse("civil-affairs").unwrap(),
        role: Role::parse("clerk").unwrap(),
        at_ms,
        until_ms: at_ms + 100,
        most: 2,
        asked: b"asked".to_vec(),
    }
}

pub fn rows(count: usize, wrong: usize) -> Vec<Row> {
    let fault = || Some((Fault::NotOnList, Position::Pointer("/identifier".to_owned())));
    let row = |index| Row {
        reference: format!("R-{index}"),
        identifier: None,
        fault: if index < wrong { fault() } else { None },
    };
    (0..count).map(row).collect()
}

#[tokio::test]
async fn a_batch_outlives_a_restart_once_it_is_accepted_and_ends_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let (kept, left) =
        (store.begin_batch(begun("a", 1)).await, store.begin_batch(begun("b", 2)).await);
    let (kept, left) = (kept.unwrap(), left.unwrap());
    let more = store.begin_batch(begun("c", 3)).await;
    assert!(matches!(more, Err(StoreError::Full)));
    for (batch, first) in [(&kept, 1), (&kept, 4), (&left, 1)] {
        store.put_part(batch, &Part { first, checked: false, rows: rows(3, 0) }).await.unwrap();
    }
    store.stage_batch(&kept, Stage::Checking).await.unwrap();
    drop(store);

    let store = open(&folder);
    store.sweep_batches(50, Some(50)).await.unwrap();
    let asker = (kept.department, kept.role);
    assert!(store.batch(asker, "b".to_owned()).await.unwrap().is_none(), "nobody brings it");
    let found = store.unchecked_batch().await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), &found.asked[..]), ("a", &b"asked"[..]));
    store.put_part(&found, &Part { first: 1, checked: true, rows: rows(3, 2) }).await.unwrap();
    let found = store.batch(asker, "a".to_owned()).await.unwrap().unwrap();
    let counts = found.counts;
    assert_eq!((counts.rows, counts.checked, counts.refused), (6, 3, 2));
    let part = store.batch_part(&found, 5).await.unwrap().unwrap();
    assert_eq!((part.first, part.checked, part.rows.len()), (4, false, 3));
    assert_eq!(store.refused_part(&found, 1).await.unwrap().unwrap().first, 1);
    assert!(store.refused_part(&found, 4).await.unwrap().is_none());
    let other = (found.department, Role::parse("planner").unwrap());
    assert!(store.batch(other, "a".to_owned()).await.unwrap().is_none());

    store.sweep_batches(100, None).await.unwrap();
    assert_eq!(store.batches(asker).await.unwrap().len(), 1);
    store.sweep_batches(101, None).await.unwrap();
    assert!(store.batches(asker).await.unwrap().is_empty());
    assert!(store.batch_part(&found, 1).await.unwrap().is_none());
    // A part that comes too late is nobody's.
    store.put_part(&found, &Part { first: 1, checked: true, rows: rows(1, 0) }).await.unwrap();
    assert!(store.batch_part(&found, 1).await.unwrap().is_none());
}
