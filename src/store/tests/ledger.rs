//! The ledger's rows, found by whom and about whom at every moment.

use super::*;
use crate::identity::Pseudonym;

/// Which entries a search finds.
async fn numbers(store: &Store, search: &LedgerSearch) -> Vec<u64> {
    let found = store.search(search.clone()).await.unwrap();
    found.iter().map(|entry| entry.number).collect()
}

fn search(person: &str) -> LedgerSearch {
    LedgerSearch {
        person: (!person.is_empty()).then(|| Pseudonym(person.to_owned())),
        before: None,
        limit: 100,
    }
}

#[tokio::test]
async fn a_search_is_complete_before_and_after_the_tables_are_filled() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Settings { checkpoint_ms: 1, ..settings(folder.path()) };
    let store = Store::open(slow, &MASTER, chain()).unwrap();
    for round in 0..3 {
        for (person, department) in [("a", "x"), ("a", "y"), ("b", "x")] {
            let entry = row(&format!("{round}"), Some(person), Some(department));
            store.append(entry).await.unwrap();
        }
        store.append(row("nobody", None, None)).await.unwrap();
        if round == 1 {
            // What the low-priority thread asks for, now.
            assert!(matches!(store.write(Request::Project).await, Ok(Answer::Done)));
        }
    }
    for _ in 0..2 {
        assert_eq!(numbers(&store, &search("a")).await, [9, 8, 5, 4, 1, 0]);
        assert_eq!(numbers(&store, &search("c")).await, [0; 0]);
        assert_eq!(numbers(&store, &search("")).await.len(), 12);
        let page = LedgerSearch { before: Some(8), limit: 2, ..search("a") };
        assert_eq!(numbers(&store, &page).await, [5, 4]);
        let across = LedgerSearch { limit: 3, ..search("a") };
        assert_eq!(numbers(&store, &across).await, [9, 8, 5]);
        assert!(matches!(store.write(Request::Project).await, Ok(Answer::Done)));
    }
}

#[tokio::test]
async fn rows_are_found_by_one_word_and_by_two() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let words = vec![(7, 0), (7, 2), (7, 5), (8, 2), (8, 3), (8, 5)];
    store.keep_words(Worded { words: words.clone(), until: 9 }).await.unwrap();
    // What is known already is no matter, and the end never moves back.
    store.keep_words(Worded { words, until: 4 }).await.unwrap();
    for (words, page, expected) in [
        (&[7][..], (9, 9), &[5, 2, 0][..]),
        (&[7, 8], (9, 9), &[5, 2]),
        (&[7, 8], (5, 9), &[2]),
        (&[8], (9, 1), &[5]),
        (&[7, 9], (9, 9), &[]),
        (&[], (9, 9), &[]),
    ] {
        let wanted = words.to_vec();
        let found = store.look(move |view| view.rows_with(&wanted, page)).await.unwrap();
        assert_eq!(found.unwrap(), expected, "{words:?} {page:?}");
    }
    let until = store.look(|view| view.worded()).await.unwrap();
    assert_eq!(until.unwrap(), 9);
}

#[tokio::test]
async fn the_ledger_can_be_read_beside_a_running_store() {
    let folder = tempfile::tempdir().unwrap();
    assert!(LedgerFile::open(&settings(folder.path())).is_err());
    let store = open(&folder);
    let file = LedgerFile::open(&settings(folder.path())).unwrap();
    assert_eq!((file.now().size().unwrap(), file.now().checkpoint().unwrap()), (0, None));
    for text in ["one", "two"] {
        let appended = store.append(row(text, Some("a"), None)).await.unwrap();
        let newest = file.now().checkpoint().unwrap().unwrap();
        assert_eq!(
            (newest.size, &newest.bytes[..]),
            (appended.number + 1, &appended.checkpoint[..])
        );
    }
    assert_eq!(file.now().size().unwrap(), 2);
    assert_eq!(file.now().entries(1, 9).unwrap()[0].bytes, b"two");
    assert_eq!(file.search(&search("a")).unwrap().len(), 2);
    assert_eq!(file.now().checkpoints(1, 9).unwrap().len(), 1);
}

#[tokio::test]
async fn numbers_go_on_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3 {
        let store = open(&folder);
        assert_eq!(store.append(row("x", None, None)).await.unwrap().number, number);
        assert_eq!(keep(&store, &number.to_string(), vec![local(1)]).await.number, number + 1);
    }
}

#[tokio::test]
async fn the_search_tables_are_filled_without_being_asked() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for _ in 0..3 {
        store.append(row("x", Some("a"), None)).await.unwrap();
    }
    let filled = async {
        loop {
            let count = |reader: &sql::Connection| {
                let sql = "SELECT count(*) FROM ledger_person";
                Ok(reader.query_row(sql, [], |row| row.get::<i64>(0))?)
            };
            if store.readers.read(count).await.unwrap() == 3 {
                break;
            }
        }
    };
    let patience = std::time::Duration::from_secs(20);
    assert!(tokio::time::timeout(patience, filled).await.is_ok());
}
