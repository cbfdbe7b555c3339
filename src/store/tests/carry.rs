//! Rows that are carried between a file and a server are all there, and in one place alone.

use super::super::carry::{Carried, CarryError, Carrying, unlost};
use super::super::departed;
use super::*;
use crate::store::schema::SCHEMA;

/// Rows of each table: more than are read first.
const ROWS: i64 = 60;

fn on_a_file(folder: &TempDir) -> Settings {
    Settings::of(folder.path())
}

/// A file with rows in every table: numbers, texts, bytes, and nothing where that may be.
fn filled(folder: &TempDir) -> Settings {
    let settings = on_a_file(folder);
    let rows = file::StoreFile::hold(folder.path()).unwrap().begin().unwrap();
    for table in sql::tables(&schema::words()).unwrap() {
        if table.name == "departed" {
            continue;
        }
        let mut select =
            rows.prepare_cached("SELECT type, \"notnull\" OR pk FROM pragma_table_info(?1)");
        let kinds = select
            .as_mut()
            .unwrap()
            .query_map([&table.name], |row| Ok((row.get::<String>(0)?, row.get::<bool>(1)?)));
        let kinds: Vec<_> = kinds.unwrap().map(Result::unwrap).collect();
        rows.execute(&table.clear(), []).unwrap();
        for number in 1..=ROWS {
            let value = |(kind, needed): &(String, bool)| match kind.as_str() {
                _ if number % 3 == 0 && !needed => sql::Value::Null,
                "INTEGER" => sql::Value::Integer(number),
                "REAL" => sql::Value::Real(number as f64 / 3.0),
                "TEXT" => sql::Value::Text(format!("第 {number} 行")),
                _ => sql::Value::Blob(number.to_le_bytes().repeat(4)),
            };
            let row: Vec<_> = kinds.iter().map(value).collect();
            rows.execute(&table.insert(), &row[..]).unwrap();
        }
    }
    // Numbers that no notice may have again.
    rows.execute("DELETE FROM outbox WHERE number > 40", []).unwrap();
    settings
}

fn carried(old: &Settings, new: &Settings) -> Result<Option<Vec<Carried>>, CarryError> {
    Carrying::hold(old, new)?.carry("uid 1000", |_| Ok(()))
}

fn count(rows: &sql::Connection, table: &str) -> i64 {
    rows.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn rows_of_every_table_go_to_a_server_and_come_back_as_they_were() {
    if !server::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, there) = (filled(&folder), server::settings(folder.path()));
    let went = carried(&file, &there).unwrap().unwrap();
    assert_eq!(went.len(), sql::tables(&schema::words()).unwrap().len() - 1);
    let rows = base::reader(&there, 64).unwrap();
    for table in &went {
        let due = if table.table == "outbox" { 40 } else { ROWS };
        assert_eq!(table.rows, usize::try_from(due).unwrap(), "{}", table.table);
        // What is done is owed to the next start besides.
        let owed = i64::from(table.table == "owed");
        assert_eq!(count(&rows, &table.table), due + owed, "{}", table.table);
    }
    drop(rows);
    let writes = server::connect(&there.postgres.as_ref().unwrap().name);
    let given: i64 = writes
        .query_row(
            "INSERT INTO outbox (subscription, lane, event, at_ms, state, tries, next_ms) \
             VALUES ('a', 1, 'b', 0, 0, 0, 0) RETURNING number",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(given, ROWS + 1);
    writes.execute("DELETE FROM outbox WHERE number = ?1", [given]).unwrap();
    writes.execute("DELETE FROM owed WHERE number > ?1", [ROWS]).unwrap();
    // Both places hold rows: neither is filled from the other.
    assert!(matches!(carried(&there, &file), Err(CarryError::Occupied)));
    std::fs::remove_file(folder.path().join("kangqiao.db")).unwrap();
    let mut came = carried(&there, &file).unwrap().unwrap();
    // The number that was tried is spent.
    let outbox = |table: &Carried| table.table == "outbox";
    let at = came.iter().position(outbox).unwrap();
    assert_ne!(came[at], went[at]);
    came[at] = went[at].clone();
    assert_eq!(came, went);
}

#[test]
fn what_was_proven_wrong_leaves_both_places_as_they_were() {
    if !server::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, there) = (filled(&folder), server::settings(folder.path()));
    let refused = Carrying::hold(&file, &there).unwrap().carry("uid 1000", |ledger| {
        assert_eq!(ledger.now().size().unwrap(), ROWS as u64 + 1);
        Err(CarryError::Nothing)
    });
    assert!(matches!(refused, Err(CarryError::Nothing)), "{refused:?}");
    assert_eq!(departed::look(&file).unwrap(), None);
    let rows = base::reader(&there, 64).unwrap();
    for table in sql::tables(&schema::words()).unwrap() {
        let first = match table.name.as_str() {
            // The steps since there are turns.
            "change" => SCHEMA - 17,
            "generation" | "projected" | "turn" | "worded" => 1,
            _ => 0,
        };
        assert_eq!(count(&rows, &table.name), first, "{}", table.name);
    }
    drop(rows);
    // A command that was stopped between its last two steps goes on.
    let marked = sql::sqlite::open(&folder.path().join("kangqiao.db")).unwrap();
    let place = super::super::carry::place(&there);
    marked.execute("INSERT INTO departed VALUES (?1, ?2)", (place, ROWS + 1)).unwrap();
    drop(marked);
    assert!(carried(&file, &there).unwrap().is_some());
    assert_eq!(carried(&file, &there).unwrap(), None, "it was there before");
}

#[test]
fn no_gateway_starts_where_the_rows_are_not() {
    if !server::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, there) = (on_a_file(&folder), server::settings(folder.path()));
    assert!(matches!(carried(&file, &there), Err(CarryError::Nothing)));
    let open = |settings: &Settings| Store::open(settings.clone(), &MASTER, chain());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let say = |store: &Store, text: &str| {
        runtime.block_on(store.append(row(text, None, None))).unwrap();
    };
    let store = open(&file).unwrap();
    say(&store, "one");
    assert!(matches!(carried(&file, &there), Err(CarryError::Store(StoreError::InUse))));
    drop(store);
    carried(&file, &there).unwrap();
    assert!(matches!(open(&file), Err(StoreError::Departed { .. })));
    // Nothing was entered there: it may be taken back, and then is nowhere else.
    Carrying::hold(&file, &there).unwrap().take_back("uid 1000").unwrap();
    assert!(matches!(open(&there), Err(StoreError::Departed { .. })));
    let store = open(&file).unwrap();
    let owed = runtime.block_on(store.owed()).unwrap();
    assert_eq!(owed.len(), 1);
    assert!(owed[0].subject.starts_with("taken back from PostgreSQL"), "{owed:?}");
    runtime.block_on(store.enter_owed(owed[0].number, row("two", None, None))).unwrap();
    assert_eq!(runtime.block_on(store.owed()).unwrap(), []);
    assert_eq!(runtime.block_on(store.ledger_size()).unwrap(), 2);
    drop(store);
    // What is there is older now, and is not filled again.
    assert!(matches!(carried(&file, &there), Err(CarryError::Occupied)));
    let other =
        Settings { postgres: there.postgres.clone(), ..Settings::of(&folder.path().join("x")) };
    assert!(matches!(carried(&file, &other), Err(CarryError::Folders)));
    assert!(matches!(carried(&file, &file), Err(CarryError::Files)));
}

#[test]
fn whoever_was_not_seen_while_the_rows_went_writes_no_more() {
    if !server::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, there) = (on_a_file(&folder), server::settings(folder.path()));
    let elsewhere = tempfile::tempdir().unwrap();
    let own = Settings { folder: elsewhere.path().to_owned(), ..there.clone() };
    let store = Store::open(own, &MASTER, chain()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        store.append(row("one", None, None)).await.unwrap();
        let lease = store.lease("some").await.unwrap();
        let (from, to) = (there.clone(), file.clone());
        let mut carrying = tokio::task::spawn_blocking(move || carried(&from, &to));
        let refused = loop {
            tokio::select! {
                refused = &mut carrying => break refused.unwrap(),
                () = tokio::time::sleep(lease::RENEW_EVERY) => store.renew().await,
            }
        };
        assert!(matches!(refused, Err(CarryError::Served)), "{refused:?}");
        // One that is killed gives nothing back: it is waited for until its leases are over.
        drop(lease);
        carried(&there, &file).unwrap();
        let late = store.append(row("late", None, None)).await;
        assert!(matches!(late, Err(StoreError::Unavailable)), "{late:?}");
        assert_eq!(store.distrusted().await, super::super::trust::DEPARTED);
    });
    let store = Store::open(file, &MASTER, chain()).unwrap();
    assert_eq!(runtime.block_on(store.ledger_size()).unwrap(), 1);
}

#[test]
fn rows_that_went_on_are_not_taken_back_but_by_somebodys_word() {
    if !server::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, there) = (on_a_file(&folder), server::settings(folder.path()));
    let open = |settings: &Settings| Store::open(settings.clone(), &MASTER, chain());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = open(&file).unwrap();
    runtime.block_on(store.append(row("one", None, None))).unwrap();
    drop(store);
    assert!(matches!(unlost(&file, "uid 1000"), Err(CarryError::NotDeparted)));
    carried(&file, &there).unwrap();
    let store = open(&there).unwrap();
    assert_eq!(runtime.block_on(store.ledger(0, 9)).unwrap()[0].bytes, b"one");
    runtime.block_on(store.append(row("two", None, None))).unwrap();
    drop(store);
    let refused = Carrying::hold(&file, &there).unwrap().take_back("uid 1000");
    assert!(matches!(refused, Err(CarryError::GoneOn { then: 1, now: 2 })), "{refused:?}");
    unlost(&file, "uid 1000").unwrap();
    let owed = runtime.block_on(open(&file).unwrap().owed()).unwrap();
    assert!(owed[0].subject.starts_with("lost at PostgreSQL"), "{owed:?}");
}

#[test]
fn a_store_of_another_schema_is_not_carried() {
    if !server::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    before_rotations(&folder);
    let refused = carried(&on_a_file(&folder), &server::settings(folder.path()));
    assert!(matches!(refused, Err(CarryError::Schema { found: 10 })), "{refused:?}");
}
