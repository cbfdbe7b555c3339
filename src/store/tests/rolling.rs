//! Tables that are brought forward under gateways that go on with them, and under some that may
//! not.

use std::sync::Mutex;

use super::session::{House, soon};
use super::*;
use crate::store::carry::{CarryError, Carrying};
use crate::store::schema::{SCHEMA, STEPS, Step, bring};
use crate::store::turn::Changes;

/// What the next release does.
fn with<'w>(more: &[Step<'w>]) -> Vec<Step<'w>> {
    [STEPS, more].concat()
}

/// Adds of every kind that gateways may go on beside.
const ADDS: &str = "CREATE TABLE later (number INTEGER PRIMARY KEY, what TEXT) STRICT; \
    ALTER TABLE record ADD COLUMN later TEXT; \
    ALTER TABLE policy_proposal ADD COLUMN later INTEGER NOT NULL DEFAULT 7; \
    CREATE INDEX later_what ON later (what);";

/// Whether a step says of itself no more than it may: those of before it neither find anything
/// gone or changed, nor break a rule that they do not know.
fn only_adds(words: &str) -> bool {
    let lines = words.lines().filter(|line| !line.trim_start().starts_with("--"));
    let plain = lines.collect::<Vec<_>>().join(" ");
    let mut statements = plain.split(';').map(|one| one.split_whitespace().collect::<Vec<_>>());
    statements.all(|words| match words[..] {
        [] | ["CREATE", "TABLE" | "INDEX", ..] => true,
        ["ALTER", "TABLE", _, "ADD", "COLUMN", _, _, ref rule @ ..] => {
            matches!(rule, [] | ["NOT", "NULL", "DEFAULT", _] | ["DEFAULT", _])
        }
        _ => false,
    })
}

#[test]
fn a_step_that_lets_others_go_on_only_adds() {
    assert!(only_adds(ADDS));
    for not in [
        "DROP TABLE a;",
        "UPDATE a SET b = 1;",
        "INSERT INTO a VALUES (1);",
        "CREATE UNIQUE INDEX a ON b (c);",
        "ALTER TABLE a ADD COLUMN b TEXT NOT NULL;",
        "ALTER TABLE a RENAME TO b;",
        "-- Adds nothing.\nDELETE FROM a;",
    ] {
        assert!(!only_adds(not), "{not}");
    }
    let mut before = 0;
    for (number, step) in (1..).zip(STEPS) {
        let serves_from = step.serves_from(number);
        assert!((before..=number).contains(&serves_from), "step {number} serves {serves_from}");
        assert!(serves_from == number || only_adds(step.words()), "step {number}");
        before = serves_from;
    }
}

#[tokio::test]
async fn gateways_go_on_and_start_beside_a_step_that_only_adds() {
    if !server::is_there() {
        return;
    }
    let house = House::new(3);
    let stores = [house.open(0), house.open(1)];
    assert_eq!(stores[0].readiness(), (true, "ready\n".to_owned()));
    keep(&stores[0], "one", vec![local(1)]).await;
    // What is remembered of a statement holds after it.
    for store in &stores {
        assert!(store.waiting_policies().await.unwrap().is_none());
    }
    let (settings, more) = (house.settings(0), with(&[Step::beside(ADDS, SCHEMA)]));
    tokio::task::spawn_blocking(move || bring(&settings, &more).unwrap()).await.unwrap();
    for (store, text) in stores.iter().zip(["two", "three"]) {
        keep(store, text, vec![local(1)]).await;
        store.append(row(text, None, None)).await.unwrap();
        assert!(store.waiting_policies().await.unwrap().is_none());
    }
    let later = house.open(2);
    let person = later.person(&[local(1).token]).await.unwrap().unwrap();
    assert_eq!(texts(&later, person).await, ["three", "two", "one"]);
    let told = format!("ready, on tables of schema {}: this version's is {SCHEMA}\n", SCHEMA + 1);
    for store in stores.iter().chain([&later]) {
        soon(async || store.readiness() == (true, told.clone())).await;
    }
    assert_eq!(schema::look(&house.settings(0)).unwrap(), (SCHEMA + 1, SCHEMA));
    // One that is a release behind goes on beside it, two are as good as one.
    let again = Step::beside("CREATE TABLE latest (number INTEGER PRIMARY KEY) STRICT;", SCHEMA);
    let (settings, more) = (house.settings(0), with(&[Step::beside(ADDS, SCHEMA), again]));
    tokio::task::spawn_blocking(move || bring(&settings, &more).unwrap()).await.unwrap();
    keep(&stores[0], "four", vec![local(1)]).await;
    assert_eq!(schema::look(&house.settings(0)).unwrap().0, SCHEMA + 2);
}

#[tokio::test]
async fn gateways_that_rows_do_not_serve_any_more_commit_nothing_and_end() {
    if !server::is_there() {
        return;
    }
    let house = House::new(3);
    let stores = [house.open(0), house.open(1)];
    for (store, text) in stores.iter().zip(["one", "two"]) {
        keep(store, text, vec![local(1)]).await;
    }
    let own = raw(&stores[0]);
    let turn = || own.query_row("SELECT number FROM turn", [], |row| row.get::<i64>(0)).unwrap();
    let before = turn();
    let (settings, more) =
        (house.settings(0), with(&[Step::alone(""), Step::beside("", SCHEMA + 1)]));
    tokio::task::spawn_blocking(move || bring(&settings, &more).unwrap()).await.unwrap();
    // One of them hears it, and the other was about to write.
    let late = stores[0].keep(arrival("late", "late", quarantine())).await;
    assert!(matches!(late, Err(StoreError::Unavailable)), "{late:?}");
    for store in &stores {
        let why = tokio::time::timeout(Duration::from_secs(60), store.distrusted()).await.unwrap();
        let both = format!("has schema {}, this gateway knows up to {SCHEMA}", SCHEMA + 2);
        assert!(why.contains(&both) && why.contains("this process ends"), "{why}");
        assert!(why.contains(&format!("gateways of schema {} and later", SCHEMA + 1)), "{why}");
        assert!(!store.is_ready());
    }
    assert_eq!(turn(), before + 2, "what was committed since are the steps");
    let refused = Store::open(house.settings(2), &MASTER, chain());
    let Err(StoreError::Newer { found, serves_from, known }) = refused else { panic!("it opened") };
    assert_eq!((found, serves_from, known), (SCHEMA + 2, SCHEMA + 1, SCHEMA));
    assert!(matches!(LedgerFile::open(&house.settings(2)), Err(StoreError::Newer { .. })));
}

#[tokio::test]
async fn a_step_waits_for_who_reads_and_keeps_nobody_from_writing_meanwhile() {
    if !server::is_there() {
        return;
    }
    let house = House::new(1);
    let store = house.open(0);
    keep(&store, "one", vec![local(1)]).await;
    let reads = raw(&store);
    reads.snapshot().unwrap().leave();
    reads.query_row("SELECT count(*) FROM record", [], |row| row.get::<i64>(0)).unwrap();
    let (settings, more) = (house.settings(0), with(&[Step::beside(ADDS, SCHEMA)]));
    let bringing = tokio::task::spawn_blocking(move || bring(&settings, &more));
    for number in 0..20 {
        // It waits for a second each time, and rests for half of one.
        keep(&store, &number.to_string(), vec![local(2)]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(raw(&store).version().unwrap(), SCHEMA);
    reads.roll_back();
    bringing.await.unwrap().unwrap();
    keep(&store, "two", vec![local(1)]).await;
}

#[tokio::test]
async fn a_change_that_says_more_than_is_known_is_any_change() {
    if !server::is_there() {
        return;
    }
    let stores = House::new(2).all();
    let one = keep(&stores[0], "one", vec![local(1)]).await.persons[0];
    let other = keep(&stores[0], "other", vec![local(2)]).await.persons[0];
    assert_eq!(stores[1].person(&[local(1).token]).await.unwrap(), Some(one));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    stores[1].on_change(move |changes| hears.lock().unwrap().push(changes.clone()));
    // As a later release might, where this one is told of it by nothing else.
    let writes = stores[0].base.rehearser(&stores[0].settings).unwrap();
    let begun = writes.begin().unwrap();
    let turn = begun.take_turn().unwrap().unwrap() + 1;
    begun.execute("UPDATE person SET merged_into = ?1 WHERE id = ?2", (other.0, one.0)).unwrap();
    begun.execute("UPDATE turn SET number = ?1", [turn]).unwrap();
    let change = (turn, 1, r#"{"persons":[],"joined":[[1,2]]}"#);
    begun.execute("INSERT INTO change VALUES (?1, ?2, ?3)", change).unwrap();
    begun.commit().unwrap();
    let any = |it: &Changes| it.all && it.ground && it.policies && it.noticed;
    soon(async || heard.lock().unwrap().iter().any(any)).await;
    soon(async || stores[1].person(&[local(1).token]).await.unwrap() == Some(other)).await;
    assert!(stores[1].is_past(), "policies may be others too");
    // Of what it says itself nothing is unknown.
    for said in [Changes::default(), Changes::unread()] {
        let written = serde_json::to_string(&said).unwrap();
        assert_eq!(serde_json::from_str::<Changes>(&written).unwrap(), said);
    }
}

#[tokio::test]
async fn rows_of_a_later_release_are_not_carried_by_one_that_would_leave_something_behind() {
    if !server::is_there() {
        return;
    }
    let house = House::new(1);
    let there = house.settings(0);
    drop(house.open(0));
    let (settings, more) = (there.clone(), with(&[Step::beside(ADDS, SCHEMA)]));
    tokio::task::spawn_blocking(move || bring(&settings, &more).unwrap()).await.unwrap();
    let file = Settings::of(&there.folder);
    drop(Store::open(file.clone(), &MASTER, chain()).unwrap());
    for (from, to) in [(&there, &file), (&file, &there)] {
        let refused = Carrying::hold(from, to).map(drop);
        let Err(CarryError::Later { found }) = refused else { panic!("{refused:?}") };
        assert_eq!(found, SCHEMA + 1);
    }
}

#[tokio::test]
async fn rows_of_an_earlier_schema_are_brought_forward_and_those_of_a_later_one_refused() {
    if !server::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let rows = server::connect(&settings.postgres.as_ref().unwrap().name);
    // As before one could say whom rows serve.
    rows.execute_batch("CREATE TABLE schema_version (number BIGINT NOT NULL)").unwrap();
    // The first schema that a server had.
    for (version, step) in (1..=16).zip(schema::STEPS) {
        let step = step.words();
        rows.step(step, (version, version)).unwrap();
    }
    let store = open(&folder);
    keep(&store, "one", vec![local(1)]).await;
    assert_eq!(rows.version().unwrap(), SCHEMA);
    drop(store);
    rows.execute("UPDATE schema_version SET number = ?1, serves_from = NULL", [SCHEMA + 1])
        .unwrap();
    assert_eq!(rows.version().unwrap(), SCHEMA + 1, "a write is not waited for");
    let refused = Store::open(settings, &MASTER, chain());
    let Err(StoreError::Newer { found, serves_from, known }) = refused else { panic!("it opened") };
    assert_eq!((found, serves_from, known), (SCHEMA + 1, SCHEMA + 1, SCHEMA));
}
