//! Saved searches: each his own, in their order, and not without end.

use super::*;
use crate::store::saved::{OfSaved, Shelved};

fn shelved(owner: &str, page: &'static str, name: &str) -> Shelved {
    Shelved { owner: owner.to_owned(), page, name: name.to_owned() }
}

async fn keep_search(store: &Store, shelved: Shelved, fields: &str) -> Result<(), StoreError> {
    let kept = OfSaved::Keep(shelved, fields.to_owned(), 5, row("saved", None, None));
    store.keep_search(kept).await
}

async fn names(store: &Store, owner: &str, page: &'static str) -> Vec<(String, String)> {
    store.saved_searches(owner.to_owned(), page).await.unwrap()
}

fn pair(name: &str, fields: &str) -> (String, String) {
    (name.to_owned(), fields.to_owned())
}

#[tokio::test]
async fn each_has_his_own_by_page_and_name_and_fifty_at_most() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    for (owner, page, name, fields) in [
        ("lin", "trace", "b", "1"),
        ("lin", "trace", "a", "2"),
        ("lin", "trace", "b", "3"),
        ("lin", "ledger", "b", "4"),
        ("wen", "trace", "b", "5"),
    ] {
        keep_search(&store, shelved(owner, page, name), fields).await.unwrap();
    }
    assert_eq!(names(&store, "lin", "trace").await, [pair("a", "2"), pair("b", "3")]);
    assert_eq!(names(&store, "wen", "trace").await, [pair("b", "5")]);
    let forget = |shelved| OfSaved::Forget(shelved, row("forgotten", None, None));
    store.keep_search(forget(shelved("lin", "trace", "b"))).await.unwrap();
    let again = store.keep_search(forget(shelved("lin", "trace", "b"))).await;
    assert!(matches!(again, Err(StoreError::Unknown)));
    assert_eq!(names(&store, "lin", "ledger").await, [pair("b", "4")]);
    let entries = store.ledger_size().await.unwrap();
    assert_eq!(entries, 6, "each is an entry, and what changes nothing is none");
    for number in 0..49 {
        keep_search(&store, shelved("lin", "trace", &format!("{number:02}")), "").await.unwrap();
    }
    let over = keep_search(&store, shelved("lin", "trace", "over"), "").await;
    assert!(matches!(over, Err(StoreError::Settled)));
    keep_search(&store, shelved("lin", "trace", "a"), "anew").await.unwrap();
    assert_eq!(names(&store, "lin", "trace").await.len(), 50);
}
