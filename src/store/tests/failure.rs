//! What goes wrong: full disks, panics, waiting in vain, files that are not ours.

use std::os::unix::fs::PermissionsExt;
use std::sync::PoisonError;

use super::room::Fill;
use super::*;
use writer::Stumble;

file_alone! {
#[tokio::test]
async fn a_full_disk_refuses_and_recovers_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.append(row("before", None, None)).await.unwrap();
    keep(&store, "before", vec![local(1)]).await;
    let before = store.counts().await.unwrap();
    store.write(Request::Pages(1)).await.unwrap();
    let big = "x".repeat(50_000);
    for text in ["a", "b"] {
        let refused = store.keep(arrival(text, &big, apply(&big, vec![local(2)]))).await;
        assert!(matches!(refused, Err(StoreError::Unavailable)));
        let refused = store.append(row(&big, None, None)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable)));
        assert_eq!(store.counts().await.unwrap(), before);
        assert!(!store.is_ready(), "who cannot write is not ready");
    }
    assert_eq!(store.person(&[local(2).token]).await.unwrap(), None);
    store.write(Request::Pages(1_000_000)).await.unwrap();
    let kept = store.keep(arrival("a", &big, apply(&big, vec![local(2)]))).await.unwrap();
    assert_eq!((kept.number, kept.persons), (2, vec![PersonId(2)]));
    assert!(store.is_ready());
    let appended = store.append(row("after", None, None)).await.unwrap();
    assert_eq!(appended.number, 1);
    assert_eq!(appended.checkpoint, head([&b"before"[..], b"after"]));
}
}

file_alone! {
#[tokio::test]
async fn a_file_at_its_configured_size_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let small = Settings { file_bytes_max: 600_000, reserve_bytes: 0, ..settings(folder.path()) };
    let store = Store::open(small, &MASTER, chain()).unwrap();
    let mut kept = 0;
    let refused = loop {
        let text = format!("{kept} {}", "x".repeat(20_000));
        match store.keep(arrival(&text, &text, quarantine())).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Unavailable) && (5..20).contains(&kept));
    drop(store);
    assert_eq!(open(&folder).counts().await.unwrap()[0].received, kept);
}
}

file_alone! {
#[tokio::test]
async fn at_its_reserve_the_store_keeps_nothing_but_what_makes_room_and_goes_on_after() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Settings {
        file_bytes_max: 2_000_000,
        reserve_bytes: 1_000_000,
        checkpoint_ms: 5,
        ..settings(folder.path())
    };
    let store = Store::open(limits, &MASTER, chain()).unwrap();
    keep(&store, "somebody", vec![local(1)]).await;
    let mut count = 1;
    let refused = loop {
        let text = format!("{count} {}", "x".repeat(20_000));
        match store.keep(arrival(&text, &text, quarantine())).await {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Unavailable), "{refused:?}");
    assert!((5..60).contains(&count), "{count}");
    assert!(store.room().unwrap().state == Fill::Reserve && !store.is_ready());
    let refused = store.append(row("an answer", None, None)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)));
    // There is room on the file itself: the order is entered and carried out.
    store.append_order(row("an order", None, None)).await.unwrap();
    store.erase(PersonId(1), 2).await.unwrap();
    assert_eq!(store.counts().await.unwrap()[0].received, count);
    assert_eq!(store.ledger(0, 9).await.unwrap().len(), 1);
    // Whatever makes room; here somebody empties the journal behind the store's back.
    let other = sql::sqlite::open(&file::database(folder.path())).unwrap();
    other.execute_batch("UPDATE journal SET raw = x'' WHERE number > 1").unwrap();
    while !store.is_ready() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_ne!(store.room().unwrap().state, Fill::Reserve);
    store.append(row("the same answer", None, None)).await.unwrap();
    keep(&store, "another", vec![local(2)]).await;
    assert_eq!(store.ledger(0, 9).await.unwrap().len(), 2);
}
}

/// Three good requests and one bad one in the same commit.
async fn check(stumble: Stumble) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder));
    let (first, second, bad, third) = {
        // The writer waits for its turn until all four stand in the queue.
        let turn = store.shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let send = |text: &'static str| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                store.append(row(text, None, None)).await.unwrap();
                keep(&store, text, vec![local(1)]).await
            })
        };
        let (first, second) = (send("1"), send("2"));
        let bad = {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.write(Request::Stumble(stumble)).await })
        };
        let third = send("3");
        drop(turn);
        (first, second, bad, third)
    };
    for (good, number) in [(first, 1), (second, 2), (third, 3)] {
        assert_eq!(good.await.unwrap().number, number);
    }
    assert!(matches!(bad.await.unwrap(), Err(StoreError::Unavailable)));
    assert!(store.is_ready());
    let entries = store.ledger(0, 9).await.unwrap();
    assert_eq!(entries.len(), 3);
    let newest = store.checkpoint().await.unwrap().unwrap();
    assert_eq!(newest.bytes, head(entries.iter().map(|entry| &entry.bytes[..])));
}

#[tokio::test]
async fn a_request_that_fails_does_not_spoil_the_commit_of_others() {
    check(Stumble::Constraint).await;
    check(Stumble::Panic).await;
}

file_alone! {
#[tokio::test]
async fn what_is_tried_alone_is_not_written_after_a_sync_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder));
    let (held, (release, waits)) = (Arc::clone(&store), std::sync::mpsc::channel::<()>());
    let (taken, begins) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        let _turn = held.shared.turn.lock().unwrap();
        taken.send(()).unwrap();
        waits.recv().unwrap();
    });
    begins.recv().unwrap();
    // All stand in the queue behind the first when the writer gets its turn.
    let first = store.append(row("first", None, None));
    let stumbles = [Stumble::Constraint, Stumble::Sync].map(Request::Stumble);
    let stumbles = futures_util::future::join_all(stumbles.map(|request| store.write(request)));
    let last = store.keep(arrival("1", "one", apply("one", vec![local(1)])));
    let mut all = Box::pin(futures_util::future::join3(first, stumbles, last));
    assert!(futures_util::future::poll_immediate(&mut all).await.is_none());
    release.send(()).unwrap();
    let (first, _, last) = all.await;
    holder.join().unwrap();
    assert!(first.is_ok() && matches!(last, Err(StoreError::Unavailable)), "{last:?}");
    assert_eq!(store.distrusted().await, trust::SYNC);
    drop(store);
    assert_eq!(open(&folder).counts().await.unwrap(), []);
}
}

#[tokio::test]
async fn who_waits_too_long_is_told_and_finds_what_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let hasty = Settings { wait_ms_max: 50, ..settings(folder.path()) };
    let store = Arc::new(Store::open(hasty, &MASTER, chain()).unwrap());
    let (held, release) = (Arc::clone(&store), std::sync::mpsc::channel::<()>());
    let (taken, waits) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        let _turn = held.shared.turn.lock().unwrap();
        taken.send(()).unwrap();
        release.1.recv().unwrap();
    });
    waits.recv().unwrap();
    let message = || arrival("1", "one", apply("one", vec![local(1)]));
    assert!(matches!(store.keep(message()).await, Err(StoreError::Unavailable)));
    release.0.send(()).unwrap();
    holder.join().unwrap();
    drop(store);
    let store = open(&folder);
    let kept = store.keep(message()).await.unwrap();
    assert_eq!((kept.number, kept.state), (1, State::Kept), "once, whether it is a repeat or not");
}

#[tokio::test]
async fn a_reader_is_never_lost() {
    let folder = tempfile::tempdir().unwrap();
    let one = Settings { readers: 1, ..settings(folder.path()) };
    let store = Store::open(one, &MASTER, chain()).unwrap();
    for _ in 0..3 {
        let panics = store.readers.read::<()>(|_| panic!("asked to")).await;
        assert!(matches!(panics, Err(StoreError::Unavailable)));
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (release, waits) = std::sync::mpsc::channel::<()>();
        let leaves = store.readers.read(move |_| {
            begun.send(()).unwrap();
            waits.recv().unwrap();
            Ok(())
        });
        tokio::select! {
            biased;
            _ = leaves => panic!("it waits"),
            began = begins => began.unwrap(),
        }
        let next = store.counts();
        release.send(()).unwrap();
        assert_eq!(next.await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_full_queue_makes_senders_wait_and_drops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let short =
        Settings { queue_requests_max: 2, batch_requests_max: 2, ..settings(folder.path()) };
    let store = Arc::new(Store::open(short, &MASTER, chain()).unwrap());
    assert_eq!(store.queue(), (0, 2));
    let send = |number: u64| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { keep(&store, &number.to_string(), vec![local(number)]).await })
    };
    for sender in (0..50).map(send).collect::<Vec<_>>() {
        assert_eq!(sender.await.unwrap().state, State::Kept);
    }
    assert_eq!(store.counts().await.unwrap()[0].kept, 50);
}

file_alone! {
#[tokio::test]
async fn after_a_sync_that_failed_nothing_is_written_until_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, "1", vec![local(1)]).await;
    assert!(store.is_ready() && store.shared.trust.holds());
    let connection = sql::sqlite::open(&file::database(folder.path())).unwrap();
    store.shared.trust.lose(&connection, trust::SYNC);
    assert_eq!(store.distrusted().await, trust::SYNC);
    assert!(!store.is_ready());
    let refused = store.keep(arrival("2", "two", apply("two", vec![local(2)]))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    // Not even what an operator orders.
    let refused = store.append_order(row("an order", None, None)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    assert!(!store.empty_log().await, "the log is what the next start goes on from");
    assert_eq!(store.counts().await.unwrap()[0].kept, 1);
    drop((store, connection));
    assert_eq!(keep(&open(&folder), "2", vec![local(2)]).await.number, 2);
}

#[tokio::test]
async fn a_long_log_starts_anew() {
    let folder = tempfile::tempdir().unwrap();
    let still = Settings { checkpoint_ms: 3_600_000, ..settings(folder.path()) };
    let store = Store::open(still, &MASTER, chain()).unwrap();
    let mut log = store.base.log(&store.settings).unwrap().unwrap();
    log.wal_bytes_max = 200_000;
    let big = "x".repeat(500_000);
    store.append(row(&big, None, None)).await.unwrap();
    let long = file::reader(&file::database(folder.path()), 64).unwrap();
    long.execute_batch("BEGIN; SELECT count(*) FROM ledger").unwrap();
    for (reading, starts_anew) in [(true, false), (false, true)] {
        if !reading {
            long.execute_batch("COMMIT").unwrap();
        }
        store.append(row(&big, None, None)).await.unwrap();
        log.copy(&store.shared);
        store.append(row("small", None, None)).await.unwrap();
        let (_, pages) = log.checkpoint(&store.shared, "PASSIVE");
        assert_eq!(pages < 20, starts_anew, "{pages} pages");
    }
}
}

file_alone! {
#[tokio::test]
async fn a_stop_leaves_no_log_for_the_next_start_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let still = Settings { checkpoint_ms: 3_600_000, ..settings(folder.path()) };
    let store = Store::open(still, &MASTER, chain()).unwrap();
    keep(&store, "one", vec![local(1)]).await;
    store.counts().await.unwrap();
    let log = || std::fs::metadata(folder.path().join("kangqiao.db-wal")).map_or(0, |it| it.len());
    assert!(log() > 0);
    drop(store);
    assert_eq!(log(), 0);
}
}

file_alone! {
#[tokio::test]
async fn a_reader_only_delays_the_end_of_an_erased_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, "one", vec![local(1)]).await;
    let long = file::reader(&file::database(folder.path()), 64).unwrap();
    let sql = "SELECT wrapped FROM person WHERE id = 1";
    let key: Vec<u8> = long.query_row(sql, [], |row| row.get(0)).unwrap();
    long.execute_batch("BEGIN; SELECT count(*) FROM person").unwrap();
    store.erase(PersonId(1), 1).await.unwrap();
    assert!(holds(&bytes_on_disk(folder.path()), &key), "the reader may still need it");
    assert_eq!(keep(&store, "two", vec![local(2)]).await.number, 2, "nobody waits for the reader");
    long.execute_batch("COMMIT").unwrap();
    let gone = async {
        while holds(&bytes_on_disk(folder.path()), &key) {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), gone).await.is_ok());
}
}

#[test]
fn a_store_opens_for_one_process_and_its_own_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let again = Store::open(settings(folder.path()), &MASTER, chain());
    assert!(matches!(again, Err(StoreError::InUse)));
    drop(store);
    let other = Store::open(settings(folder.path()), &[8; 32], chain());
    assert!(matches!(other, Err(StoreError::MasterKey)));
    drop(open(&folder));
}

file_alone! {
#[test]
fn what_a_first_start_left_that_was_stopped_at_once_is_no_store_and_opens() {
    for begun in [&["kangqiao.db"][..], &["kangqiao.db-journal", "kangqiao.db"]] {
        let folder = tempfile::tempdir().unwrap();
        assert!(!LedgerFile::exists(&settings(folder.path())).unwrap());
        for name in begun {
            let bytes: &[u8] = if name.ends_with("journal") { &[0; 512] } else { &[] };
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        assert!(!LedgerFile::exists(&settings(folder.path())).unwrap());
        drop(open(&folder));
        assert!(LedgerFile::exists(&settings(folder.path())).unwrap());
        // One that cannot be read is one nevertheless: nothing is made anew beside it.
        std::fs::write(folder.path().join("kangqiao.db"), [7; 8192]).unwrap();
        assert!(LedgerFile::exists(&settings(folder.path())).unwrap());
    }
}

#[test]
fn a_file_of_a_later_version_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder));
    let connection = sql::sqlite::open(&file::database(folder.path())).unwrap();
    connection.set("user_version", 99).unwrap();
    drop(connection);
    for refused in [
        Store::open(settings(folder.path()), &MASTER, chain()).map(|_| ()),
        LedgerFile::open(&settings(folder.path())).map(|_| ()),
    ] {
        assert!(matches!(refused, Err(StoreError::Newer { found: 99, .. })));
    }
}
}

file_alone! {
#[test]
fn nobody_else_may_read_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("data");
    std::fs::create_dir(&inside).unwrap();
    std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o755)).unwrap();
    let _store = Store::open(settings(&inside), &MASTER, chain()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inside), 0o700);
    let files: Vec<_> =
        std::fs::read_dir(&inside).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 3, "the database, its log and the lock");
    assert!(files.iter().all(|file| mode(file) == 0o600));
}
}
