//! What a server does that a file never does: several gateways write in turns, it goes away and
//! comes back.

use std::sync::Mutex;
use std::time::Instant;

use super::*;
use crate::store::outbox::{Ended, Verdict};
use crate::store::policies::InForce;

/// Ends every session of a store but our own, as a restart of the server would.
fn cut(store: &Store) {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let ended: i64 = raw(store).query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(ended > 0);
}

/// A folder of its own for each of several gateways with one database; the first one's names it.
pub struct House(Vec<TempDir>);

impl House {
    pub fn new(nodes: usize) -> Self {
        Self((0..nodes).map(|_| tempfile::tempdir().unwrap()).collect())
    }

    pub fn settings(&self, node: usize) -> Settings {
        Settings { folder: self.0[node].path().to_owned(), ..settings(self.0[0].path()) }
    }

    pub fn open(&self, node: usize) -> Store {
        Store::open(self.settings(node), &MASTER, chain()).unwrap()
    }

    pub fn all(&self) -> Vec<Store> {
        open_all(&self.0)
    }
}

/// Whoever is told that it cannot be written sends again.
async fn insist(store: &Store, text: &str, identifiers: Vec<Indexed>) -> Kept {
    loop {
        match store.keep(arrival(text, text, apply(text, identifiers.clone()))).await {
            Ok(kept) => return kept,
            Err(error) => assert!(matches!(error, StoreError::Unavailable), "{error:?}"),
        }
    }
}

/// Every checkpoint signs what stands before it.
async fn proven(store: &Store) -> usize {
    let entries = store.ledger(0, 10_000).await.unwrap();
    for checkpoint in store.checkpoints(0, 10_000).await.unwrap() {
        let size = usize::try_from(checkpoint.size).unwrap();
        let covered = entries[..size].iter().map(|entry| &entry.bytes[..]);
        assert_eq!(checkpoint.bytes, head(covered));
    }
    entries.len()
}

#[tokio::test]
async fn gateways_write_in_turns_and_number_as_one() {
    if !server::is_there() {
        return;
    }
    let stores = House::new(3).all();
    for turn in 0..30_u64 {
        let store = &stores[usize::try_from(turn % 3).unwrap()];
        // About persons whom another gateway knew first.
        let kept = keep(store, &turn.to_string(), vec![local(turn % 4)]).await;
        assert_eq!(kept.number, turn + 1);
        let appended = store.append(row(&turn.to_string(), None, None)).await.unwrap();
        assert_eq!(appended.number, turn);
    }
    assert_eq!(proven(&stores[0]).await, 30);
    for number in 0..4 {
        let person = stores[1].person(&[local(number).token]).await.unwrap().unwrap();
        let told = (0..30_u64).filter(|turn| turn % 4 == number).rev();
        let told: Vec<_> = told.map(|turn| turn.to_string()).collect();
        assert_eq!(texts(&stores[2], person).await, told);
    }
    let again = stores[2].keep(arrival("7", "7", quarantine())).await.unwrap();
    assert!(again.repeat && again.number == 8, "sent to another, it is the same message");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_write_at_once_leave_no_gap_and_one_tree() {
    if !server::is_there() {
        return;
    }
    let mut senders = Vec::new();
    for (node, store) in House::new(3).all().into_iter().enumerate() {
        let store = Arc::new(store);
        for sender in 0..4_u64 {
            let store = Arc::clone(&store);
            senders.push(tokio::spawn(async move {
                let mut numbers = Vec::new();
                for turn in 0..10 {
                    let text = format!("{node}-{sender}-{turn}");
                    numbers.push(keep(&store, &text, vec![citizen(sender)]).await.number);
                    store.append(row(&text, None, None)).await.unwrap();
                }
                (numbers, store)
            }));
        }
    }
    let (mut numbers, mut last) = (Vec::new(), None);
    for sender in senders {
        let (own, store) = sender.await.unwrap();
        numbers.extend(own);
        last = Some(store);
    }
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=120));
    assert_eq!(proven(&last.unwrap()).await, 120);
}

#[tokio::test]
async fn a_person_joined_on_one_gateway_is_joined_on_all() {
    if !server::is_there() {
        return;
    }
    let stores = House::new(2).all();
    let one = keep(&stores[0], "one", vec![local(1)]).await.persons[0];
    let other = keep(&stores[1], "other", vec![local(2)]).await.persons[0];
    // Both remember both.
    keep(&stores[0], "more of the other", vec![local(2)]).await;
    keep(&stores[1], "more of the one", vec![local(1)]).await;
    stores[0].merge(one, other, 1).await.unwrap();
    keep(&stores[1], "after", vec![local(1)]).await;
    let found = stores[1].person(&[local(1).token]).await.unwrap();
    assert_eq!(found, stores[1].person(&[local(2).token]).await.unwrap());
    assert_eq!(texts(&stores[1], one).await.len(), 5);
    stores[1].unmerge(one, 2).await.unwrap();
    keep(&stores[0], "apart", vec![local(1)]).await;
    assert_eq!(texts(&stores[0], one).await.len(), 4);
    stores[1].erase(one, 3).await.unwrap();
    let anew = keep(&stores[0], "anew", vec![local(1)]).await.persons[0];
    assert!(anew != one, "whom another gateway erased nobody finds");
}

#[tokio::test]
async fn lost_connections_lose_and_double_nothing() {
    if !server::is_there() {
        return;
    }
    let stores = House::new(2).all();
    for turn in 0..30 {
        let store = &stores[usize::try_from(turn / 2 % 2).unwrap()];
        if turn % 5 == 3 {
            cut(store);
        }
        let kept = insist(store, &turn.to_string(), vec![local(turn % 3)]).await;
        assert_eq!(kept.number, turn + 1);
    }
    for (store, sent) in stores.iter().zip(31..) {
        insist(store, &sent.to_string(), vec![local(1)]).await;
        assert!(store.is_ready());
        let count = loop {
            match store.counts().await {
                Ok(counts) => break counts[0],
                Err(error) => assert!(matches!(error, StoreError::Sql(_)), "{error:?}"),
            }
        };
        assert_eq!((count.received, count.kept), (sent, sent));
    }
}

/// Makes every session that commits end as it does.
fn end_at_commit(store: &Store) {
    let sql = "CREATE FUNCTION ends() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
            PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; \
        CREATE CONSTRAINT TRIGGER ends AFTER INSERT ON change DEFERRABLE INITIALLY DEFERRED \
            FOR EACH ROW EXECUTE FUNCTION ends()";
    raw(store).execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_happens_once_at_the_most() {
    if !server::is_there() {
        return;
    }
    let stores = House::new(2).all();
    insist(&stores[0], "before", vec![local(1)]).await;
    stores[0].append(row("before", None, None)).await.unwrap();
    end_at_commit(&stores[1]);
    let refused = stores[0].keep(arrival("x", "x", apply("x", vec![local(1)]))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    let refused = stores[0].append(row("lost", None, None)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    raw(&stores[1]).execute_batch("DROP TRIGGER ends ON change").unwrap();
    // The numbers that were drawn are the other's, and then come those of who sends again.
    assert_eq!(insist(&stores[1], "other", vec![local(1)]).await.number, 2);
    assert_eq!(stores[1].append(row("other", None, None)).await.unwrap().number, 1);
    let again = insist(&stores[0], "x", vec![local(1)]).await;
    assert!(!again.repeat && again.number == 3);
    assert_eq!(stores[0].append(row("more", None, None)).await.unwrap().number, 2);
    assert_eq!(proven(&stores[0]).await, 3);
}

#[tokio::test]
async fn whoever_holds_the_turn_and_hangs_keeps_nobody_waiting_for_long() {
    if !server::is_there() {
        return;
    }
    let stores = House::new(2).all();
    keep(&stores[0], "one", vec![local(1)]).await;
    // As a gateway that is stopped in the middle of a commit.
    let hangs = stores[0].base.rehearser(&stores[0].settings).unwrap();
    hangs.begin().unwrap().leave();
    hangs.take_turn().unwrap();
    assert_eq!(insist(&stores[1], "two", vec![local(1)]).await.number, 2);
    assert!(hangs.commit().is_err(), "its session is over");
}

#[tokio::test]
async fn stores_are_made_once_and_opened_by_those_who_have_their_key() {
    if !server::is_there() {
        return;
    }
    let house = Arc::new(House::new(3));
    drop(settings(house.0[0].path()));
    let opening = |node: usize, master: [u8; 32]| {
        let house = Arc::clone(&house);
        std::thread::spawn(move || Store::open(house.settings(node), &master, chain()))
    };
    let opened = [opening(0, MASTER), opening(1, [8; 32]), opening(2, MASTER)];
    let opened: Vec<_> = opened.into_iter().map(|one| one.join().unwrap()).collect();
    let (ours, other) = (opened[0].is_ok(), opened[1].is_ok());
    assert!(ours != other && opened[2].is_ok() == ours, "one of the keys made it");
    let refused = opened.iter().find_map(|one| one.as_ref().err()).unwrap();
    assert!(matches!(refused, StoreError::MasterKey), "{refused:?}");
}

#[tokio::test]
async fn what_another_gateway_signed_with_another_key_is_not_gone_on_from() {
    if !server::is_there() {
        return;
    }
    struct Other;
    impl Sealing for Other {
        fn seal(&mut self, _: u64, _: &[&[u8]]) -> Option<Sealed> {
            Some(Sealed { checkpoint: b"other".to_vec(), tiles: Vec::new() })
        }
        fn follow(&mut self, _: LedgerView<'_>, _: u64) -> bool {
            true
        }
    }
    let house = House::new(2);
    let store = house.open(0);
    store.append(row("one", None, None)).await.unwrap();
    let other = Store::open(house.settings(1), &MASTER, Box::new(Other)).unwrap();
    other.append(row("two", None, None)).await.unwrap();
    let refused = store.append(row("three", None, None)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    assert_eq!(other.ledger_size().await.unwrap(), 2);
}

#[tokio::test]
async fn keys_and_weights_that_another_gateway_changed_are_known_at_once() {
    if !server::is_there() {
        return;
    }
    let house = House::new(2);
    let stores = house.all();
    keep(&stores[0], "one", vec![local(1)]).await;
    keep(&stores[1], "two", vec![local(1)]).await;
    stores[0].rotate(1).await.unwrap();
    let kept = keep(&stores[1], "three", vec![local(1), local(2)]).await;
    let person = stores[0].person(&[local(2).token]).await.unwrap();
    assert_eq!(person, kept.persons.first().copied());
    while stores[0].rotation().await.unwrap().ending.is_some() {
        stores[0].move_on(1, row("moved", None, None)).await.unwrap();
    }
    let kept = keep(&stores[1], "four", vec![local(1)]).await;
    assert_eq!(person, kept.persons.first().copied());
    // Of a master key the other machine has not got, nothing there opens.
    stores[0].rotate_master(&[9; 32], 2).await.unwrap();
    let refused = stores[1].keep(arrival("x", "x", apply("x", vec![local(1)]))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    assert!(stores[1].distrusted().await.contains("master key"));
    keep(&stores[0], "five", vec![local(1)]).await;
}

/// Waits until something is so, which it is soon.
pub async fn soon(mut is: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never comes");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_another_gateway_changed_is_heard_by_one_that_writes_nothing() {
    if !server::is_there() {
        return;
    }
    let stores = House::new(2).all();
    let one = keep(&stores[0], "one", vec![local(1)]).await.persons[0];
    let other = keep(&stores[0], "other", vec![local(2)]).await.persons[0];
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    stores[1].on_change(move |changes| hears.lock().unwrap().push(changes.clone()));
    // The second remembers who it is, and is told that it is no more.
    let token = local(1).token;
    assert_eq!(stores[1].person(&[token]).await.unwrap(), Some(one));
    let noticed = stores[1].noticed();
    stores[0].merge(one, other, 1).await.unwrap();
    soon(async || stores[1].person(&[token]).await.unwrap() != Some(one)).await;
    soon(async || heard.lock().unwrap().iter().any(|it| it.persons.contains(&one.0))).await;
    assert!(!heard.lock().unwrap().iter().any(|it| it.all));
    stores[0].erase(other, 2).await.unwrap();
    soon(async || heard.lock().unwrap().iter().any(|it| it.all)).await;
    let again = Verdict::Rewind(crate::vocabulary::Subscription::parse("payments").unwrap(), 0);
    stores[0].decide(again).await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), noticed).await.unwrap();
    let version = |text: &str| InForce { version: text.into(), mappings: "m".into() };
    stores[0].enforce(vec![row("policies", None, None)], version("p"), 3).await.unwrap();
    stores[0].in_step(version("p"));
    let wait = Duration::from_secs(60);
    tokio::time::timeout(wait, stores[1].enforced_elsewhere()).await.unwrap();
    // Until it serves by them it does nothing.
    assert!(!stores[1].is_ready() && stores[0].is_ready());
    let refused = stores[1].append(row("late", None, None)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    stores[1].in_step(version("p"));
    stores[1].append(row("now", None, None)).await.unwrap();
}

#[tokio::test]
async fn a_gateway_that_hears_nothing_answers_nothing_until_it_hears_again() {
    if !server::is_there() {
        return;
    }
    let house = House::new(2);
    let stores = [house.open(0), {
        let silence = Settings { silence_ms_max: 700, ..house.settings(1) };
        Store::open(silence, &MASTER, chain()).unwrap()
    }];
    let one = keep(&stores[0], "one", vec![local(1)]).await.persons[0];
    let token = local(1).token;
    soon(async || stores[1].person(&[token]).await.unwrap() == Some(one)).await;
    // What the writers did last is a commit.
    stores[1].append(row("one", None, None)).await.unwrap();
    let ears = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
        AND state = 'idle' AND (query LIKE 'SELECT number FROM turn' \
        OR query LIKE 'SELECT node, what FROM change %')";
    let mut pids = Vec::new();
    soon(async || {
        let raw = raw(&stores[0]);
        let mut select = raw.prepare_cached(ears).unwrap();
        let found = select.query_map([], |row| row.get::<i32>(0)).unwrap();
        pids = found.map(|pid| pid.unwrap().to_string()).collect();
        pids.len() == 2
    })
    .await;
    let signal = |signal: &str| {
        let sent = std::process::Command::new("kill").arg(signal).args(&pids).status();
        assert!(sent.unwrap().success());
    };
    // Of those who hear, the sessions hang; those that write do not.
    signal("-STOP");
    soon(async || !stores[1].is_ready()).await;
    let refused = stores[1].append(row("late", None, None)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    let refused = stores[1].keep(arrival("late", "late", quarantine())).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    let other = keep(&stores[0], "other", vec![local(2)]).await.persons[0];
    stores[0].merge(one, other, 1).await.unwrap();
    signal("-CONT");
    soon(async || stores[1].append(row("again", None, None)).await.is_ok()).await;
    assert!(stores[1].person(&[token]).await.unwrap() != Some(one), "what was missed is heard");
}

#[tokio::test]
async fn one_gateway_alone_has_a_lease_and_what_an_earlier_one_did_is_not_noted() {
    if !server::is_there() {
        return;
    }
    let stores = House::new(2).all();
    let first = stores[0].lease("notices").await.unwrap();
    assert!(stores[1].lease("notices").await.is_none());
    assert!(stores[1].lease("other").await.is_some(), "each job has its own");
    assert!(stores[0].has_company().await.unwrap() && stores[1].has_company().await.unwrap());
    stores[0].renew().await;
    assert_eq!(stores[0].lease("notices").await.unwrap(), first);
    // It runs out, as that of a gateway that was killed.
    raw(&stores[0]).execute("UPDATE lease SET until_ms = 0 WHERE job = 'notices'", []).unwrap();
    let mut second = None;
    soon(async || {
        second = stores[1].lease("notices").await;
        second.is_some()
    })
    .await;
    assert_eq!(second.as_ref().map(|lease| lease.fence), Some(first.fence + 1));
    let delivered = (1, Ended::Delivered, 1);
    let late = stores[0].end_under(first.clone(), delivered).await;
    assert!(matches!(late, Err(StoreError::Settled)), "{late:?}");
    stores[1].end_under(second.clone().unwrap(), delivered).await.unwrap();
    stores[0].renew().await;
    stores[0].lapsed(&first).await;
    stores[1].give_back(second.unwrap()).await;
    soon(async || stores[0].lease("notices").await.is_some()).await;
}

#[tokio::test]
async fn on_a_file_every_lease_is_ours() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(Settings::of(folder.path()), &MASTER, chain()).unwrap();
    let lease = store.lease("notices").await.unwrap();
    store.end_under(lease, (1, Ended::Delivered, 1)).await.unwrap();
    assert!(!store.has_company().await.unwrap() && !store.is_shared());
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
