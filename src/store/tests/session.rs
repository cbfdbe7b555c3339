//! What a server does that a file never does: it gives the right to write to one, it goes away
//! and comes back.

use super::*;

/// Ends every session of a store but our own, as a restart of the server would.
fn cut(store: &Store) {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let ended: i64 = raw(store).query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(ended > 0);
}

#[tokio::test]
async fn one_gateway_alone_has_the_right_to_write() {
    if !server::is_there() {
        return;
    }
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&one);
    let same = Settings { folder: other.path().to_owned(), ..store.settings.clone() };
    let again = Store::open(same.clone(), &MASTER, chain());
    assert!(matches!(again, Err(StoreError::InUse)));
    store.append(row("one", None, None)).await.unwrap();
    drop(store);
    let next = Store::open(same, &MASTER, chain()).unwrap();
    assert_eq!(next.ledger_size().await.unwrap(), 1);
}

#[tokio::test]
async fn lost_connections_lose_and_double_nothing() {
    if !server::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for turn in 0..30 {
        if turn % 5 == 3 {
            cut(&store);
        }
        let text = turn.to_string();
        let message = || arrival(&text, &text, apply(&text, vec![local(turn % 3)]));
        // Whoever is told that it cannot be written sends again.
        let kept = loop {
            match store.keep(message()).await {
                Ok(kept) => break kept,
                Err(error) => assert!(matches!(error, StoreError::Unavailable), "{error:?}"),
            }
        };
        assert_eq!(kept.number, turn + 1);
    }
    let count = loop {
        match store.counts().await {
            Ok(counts) => break counts[0],
            Err(error) => assert!(matches!(error, StoreError::Sql(_)), "{error:?}"),
        }
    };
    assert_eq!((count.received, count.kept), (30, 30));
    assert!(store.is_ready());
}

#[tokio::test]
async fn whoever_was_overtaken_writes_no_more_until_it_is_started_anew() {
    if !server::is_there() {
        return;
    }
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&one);
    store.append(row("one", None, None)).await.unwrap();
    // What fills the search tables would take the right back.
    while store.shared.lagging.load(std::sync::atomic::Ordering::Relaxed) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    cut(&store);
    let same = Settings { folder: other.path().to_owned(), ..store.settings.clone() };
    let next = Store::open(same, &MASTER, chain());
    let next = next.unwrap();
    keep(&next, "another", vec![local(1)]).await;
    // The first has lost the right, and what it says is written by nobody.
    let refused = store.keep(arrival("late", "late", quarantine())).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    assert_eq!(keep(&next, "more", vec![local(1)]).await.number, 2);
    drop(next);
    // Nor once the right is free again: what it remembers is not what is there.
    let refused = store.keep(arrival("late", "late", quarantine())).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    drop(store);
    assert_eq!(keep(&open(&one), "late", vec![local(1)]).await.number, 3);
}

#[tokio::test]
async fn a_text_may_hold_what_a_server_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let message = || arrival("a\0b", "one", quarantine());
    let kept = store.keep(message()).await.unwrap();
    let again = store.keep(message()).await.unwrap();
    assert!(again.repeat && again.number == kept.number && !again.control_id_reused);
}

#[tokio::test]
async fn keys_rotate_beneath_everything_and_a_lost_connection_between_steps_loses_nothing() {
    if !server::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(&folder);
    for number in 1..=3 {
        keep(&store, &format!("of {number}"), vec![local(number), citizen(number)]).await;
    }
    let next = [8; 32];
    store.rotate(1).await.unwrap();
    store.rotate_master(&next, 2).await.unwrap();
    store.rotate_persons().await.unwrap();
    let mut steps = 0;
    loop {
        let under_way = store.rekeying().await.unwrap().under_way();
        if !under_way && store.rotation().await.unwrap().ending.is_none() {
            break;
        }
        store.move_on(1, row("moved", None, None)).await.unwrap();
        store.rekey(1, rekey::ended()).await.unwrap();
        for number in 1..=3 {
            let person = store.person(&[local(number).token]).await.unwrap().unwrap();
            assert_eq!(texts(&store, person).await, [format!("of {number}")]);
        }
        cut(&store);
        drop(store);
        store = rekey::try_open(&folder, &next).unwrap();
        steps += 1;
    }
    assert!(steps > 3, "{steps}");
    drop(store);
    let old = rekey::try_open(&folder, &MASTER);
    assert!(matches!(old, Err(StoreError::MasterReplaced)));
}

#[tokio::test]
async fn rows_of_an_earlier_schema_are_brought_forward_and_those_of_a_later_one_refused() {
    if !server::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let rows = server::connect(&settings.postgres.as_ref().unwrap().name);
    rows.execute_batch(base::VERSION).unwrap();
    // The first schema that a server had.
    for (version, step) in (1..=16).zip(file::STEPS) {
        rows.step(step, version).unwrap();
    }
    let store = open(&folder);
    keep(&store, "one", vec![local(1)]).await;
    assert_eq!(rows.version().unwrap(), file::SCHEMA);
    drop(store);
    rows.execute("UPDATE schema_version SET number = ?1", [file::SCHEMA + 1]).unwrap();
    let refused = Store::open(settings, &MASTER, chain());
    let Err(StoreError::Newer { found, known }) = refused else { panic!("it opened") };
    assert_eq!((found, known), (file::SCHEMA + 1, file::SCHEMA));
}
