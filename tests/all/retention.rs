//! Entries whose time is over: they go, their hashes and all that was signed stay, and whoever
//! holds a checkpoint from before proves the ledger by it. What is preserved stays.

use bytes::Bytes;
use kangqiao::audit::{Edge, Entry, Kind, Sealer, SigningKey, Signs};
use kangqiao::config::{Config, keys};
use kangqiao::flow::proof;
use kangqiao::store::{LedgerRow, Store};
use kangqiao::vocabulary::Department;
use serde_json::Value;

use crate::console::enrol;
use crate::rig::message::{Message, Resident};
use crate::rig::{Rig, until};
use crate::trace::Pages;

const DAY_MS: i64 = 86_400_000;

/// A gateway whose ledger begins with so many entries, a day's worth of each twenty, the newest of
/// them half a year and a day old: the second row is a department's of its own.
fn aged(entries: u64) -> Rig {
    let rig = Rig::prepare("");
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let config = config.replace("[ledger]\n", "[ledger]\nretention_days = 183\n");
    assert!(config.contains("retention_days"));
    std::fs::write(rig.config(), &config).unwrap();
    let config = Config::load(&rig.config()).unwrap();
    let master = keys::master(&config.master_key).unwrap();
    let ledger = &config.ledger;
    let key = SigningKey::load_or_create(&ledger.key, &ledger.name, Signs::Checkpoints).unwrap();
    let sealer = Sealer::restore(key, Edge::default(), None).unwrap();
    let store = Store::open(config.store, &master, proof::sealing(sealer)).unwrap();
    let newest_ms = now_ms() - 184 * DAY_MS;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let row = |number: u64| {
        let days = i64::try_from((entries - number) / 20).unwrap();
        let random = u128::from(number).to_be_bytes();
        let mut entry = Entry::new(Kind::Disclosure, newest_ms - days * DAY_MS, random);
        let name = if number / 256 == 1 { "hotline-12349" } else { "civil-affairs" };
        entry.department = Some(Department::parse(name).unwrap());
        let (at_ms, bytes) = (entry.at_ms, Bytes::from(entry.to_bytes()));
        LedgerRow { at_ms, person: None, department: entry.department, bytes }
    };
    // A checkpoint stands at every hundred.
    for first in (0..entries).step_by(100) {
        let rows = (first..entries.min(first + 100)).map(|number| store.append(row(number)));
        runtime.block_on(futures_util::future::join_all(rows)).into_iter().for_each(|appended| {
            appended.unwrap();
        });
    }
    rig
}

fn now_ms() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn verified(rig: &Rig, more: &[&str]) -> Value {
    let text = rig.ledger(&[&["verify", "--json"], more].concat());
    serde_json::from_str(&text).unwrap()
}

fn entries(rig: &Rig) -> u64 {
    rig.stored("SELECT count(*) FROM ledger")
}

#[test]
fn what_is_over_goes_and_everything_that_was_signed_is_proven_as_before() {
    let rig = aged(900);
    let held = rig.path().join("held");
    let note: Vec<u8> = {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let path = rig.path().join("data/kangqiao.db");
        let store = rusqlite::Connection::open_with_flags(path, flags).unwrap();
        let sql = "SELECT bytes FROM checkpoint WHERE size = 300";
        store.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    std::fs::write(&held, note).unwrap();
    rig.resume();
    // Three whole rows; the fourth is not full with what is old.
    until("the time of three rows is over", || {
        (rig.stored("SELECT coalesce(max(last) + 1, 0) FROM retired") == 768).then_some(())
    });
    assert_eq!(rig.stored("SELECT min(number) FROM ledger"), 768);
    let proven = verified(&rig, &["--held", held.to_str().unwrap()]);
    assert_eq!((&proven["retired"], &proven["held"]), (&768.into(), &1.into()));
    assert_eq!(proven["entries"].as_u64().unwrap(), 768 + entries(&rig));
    let told = rig.ledger(&["search", "--kind", "retention", "--json"]);
    assert!(told.contains(r#""retired":{"first":0,"last":767}"#), "{told}");
    // Who asks who saw him is told that there was more.
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
    let page = ["ledger", "history", "--citizen-id", &resident.citizen, "--output", "seen.html"];
    let (done, text) = rig.order(&page);
    assert!(done, "{text}");
    let page = std::fs::read_to_string(rig.path().join("seen.html")).unwrap();
    assert!(page.contains("另有 768 条条目保存期已满"), "{page}");
    // The ledger goes on, also after a restart; nothing more goes.
    rig.stop();
    rig.resume();
    let proven = verified(&rig, &[]);
    assert_eq!(proven["retired"], 768);

    // Whoever lets an entry go by himself is found.
    rig.stop();
    let store = rusqlite::Connection::open(rig.path().join("data/kangqiao.db")).unwrap();
    store.execute("DELETE FROM ledger WHERE number = 790", []).unwrap();
    let output = rig.run(&["ledger", "verify", "--config", rig.config().to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("790"), "{text}");
}

#[test]
fn what_is_preserved_stays_until_it_is_not() {
    let rig = aged(2);
    rig.resume();
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
    let (done, text) = rig.order(&["hold", "person", "--citizen-id", &resident.citizen]);
    assert!(!done && text.contains("--reason"), "{text}");
    let (done, text) = rig.order(&["hold", "everything", "--reason", " "]);
    assert!(!done && text.contains("required-missing"), "{text}");
    let stranger = Resident::new();
    let reason = ["--reason", "JC-2026-7"];
    let person = |who: &Resident| {
        rig.order(&[&["hold", "person", "--citizen-id", &who.citizen], &reason[..]].concat())
    };
    let (done, text) = person(&stranger);
    assert!(!done && text.contains("identity-missing"), "{text}");
    let (done, text) = person(&resident);
    assert!(done && text.contains("JC-2026-7") && !text.contains(&resident.citizen), "{text}");
    let (done, text) = person(&resident);
    assert!(done && text.contains("stands already"), "{text}");
    let other = ["hold", "person", "--citizen-id", &resident.citizen, "--reason", "JC-2026-9"];
    let (done, text) = rig.order(&other);
    assert!(done && text.contains("placed"), "another case holds him as well: {text}");
    let (done, text) = rig.order(&[&["hold", "department", "nobody"], &reason[..]].concat());
    assert!(!done && text.contains("no such department"), "{text}");
    let (done, table) = rig.order(&["hold", "list"]);
    assert_eq!((done, table.lines().count()), (true, 3), "{table}");
    for word in ["since", "人员 person", "JC-2026-7", "JC-2026-9", "20"] {
        assert!(table.contains(word) && !table.contains('{'), "{word}: {table}");
    }
    let (done, listed) = rig.order(&["hold", "list", "--json"]);
    let listed = listed.lines().next().unwrap_or_default();
    assert!(done && listed.contains("JC-2026-7"), "{listed}");
    let (done, text) = rig.order(&[&["hold", "lift", "999999"], &reason[..]].concat());
    assert!(!done && text.contains("entry-unknown"), "{text}");
    let hold: Value = serde_json::from_str(listed).unwrap();
    let number = hold["number"].to_string();
    let (done, text) = rig.order(&[&["hold", "lift", &number], &reason[..]].concat());
    assert!(done, "{text}");
    let told = rig.ledger(&["search", "--citizen-id", &resident.citizen, "--kind", "hold"]);
    assert!(told.contains("placed") && told.contains("lifted"), "{told}");
}

#[test]
fn at_the_console_one_auditor_keeps_and_two_let_go() {
    let rig = Rig::start();
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
    let (one, other) = (enrol(&rig, "lin", "auditor"), enrol(&rig, "mei", "auditor"));
    let (mut first, mut second) = (Pages::of(&rig, "lin", &one), Pages::of(&rig, "mei", &other));
    let holds = || rig.stored("SELECT count(*) FROM preserved");
    let wish = format!("whose=person&kind=citizen-id&value={}&reason=JC-1", resident.citizen);
    for (form, count) in [
        (wish.as_str(), 1),
        (wish.as_str(), 1),
        ("whose=department&department=hotline-12349&reason=JC-1", 2),
        ("whose=everything&reason=JC-1", 3),
        ("whose=everything&reason=JC-1", 3),
        ("whose=everything&reason=JC-2", 4),
    ] {
        assert_eq!(first.post("/ledger/holds", form).status, 303, "{form}");
        assert_eq!(holds(), count, "{form}");
    }
    let nobody = wish.replace(&resident.citizen, &Resident::new().citizen);
    assert_eq!(first.post("/ledger/holds", &nobody).status, 409);
    let page = first.see("/ledger/holds");
    assert!(page.contains("JC-1") && !page.contains(&resident.citizen));
    let number = rig.stored("SELECT min(number) FROM preserved");
    let path = format!("/ledger/holds/{number}");
    assert_eq!(first.post(&path, "decision=lift&reason=closed").status, 303);
    assert_eq!(first.post(&path, "decision=lift").status, 409);
    assert_eq!(second.post(&path, "decision=keep").status, 303);
    assert_eq!(second.post(&path, "decision=keep").status, 409);
    assert_eq!(first.post(&path, "decision=lift&reason=closed").status, 303);
    let (done, table) = rig.order(&["hold", "list"]);
    assert!(done && table.contains("a second (lin)"), "{table}");
    assert_eq!(holds(), 4);
    assert_eq!(second.post(&path, "decision=lift").status, 303);
    assert_eq!((holds(), rig.stored("SELECT count(*) FROM lifting")), (3, 0));
    let told = rig.ledger(&["search", "--citizen-id", &resident.citizen, "--kind", "hold"]);
    assert!(told.contains("共 5 条") && !told.contains(&resident.citizen), "{told}");
}

#[test]
fn a_department_under_a_hold_keeps_its_row_until_the_hold_is_lifted() {
    let rig = aged(1024);
    // Preserved before the gateway looks for the first time: as one that was stopped does.
    let store = rusqlite::Connection::open(rig.path().join("data/kangqiao.db")).unwrap();
    let sql = "INSERT INTO preserved VALUES (7, 0, NULL, 'hotline-12349', 'JC-2026-8')";
    store.execute(sql, []).unwrap();
    drop(store);
    rig.resume();
    until("the other rows have gone", || {
        (rig.stored("SELECT count(*) FROM retired") == 2).then_some(())
    });
    assert_eq!(rig.stored("SELECT count(*) FROM ledger WHERE number < 768"), 256);
    assert_eq!(verified(&rig, &[])["retired"], 768);
    let (done, text) = rig.order(&["hold", "lift", "7", "--reason", "JC-2026-8"]);
    assert!(done, "{text}");
    rig.stop();
    rig.resume();
    until("the row has gone", || (rig.stored("SELECT count(*) FROM retired") == 1).then_some(()));
    assert_eq!(verified(&rig, &[])["retired"], 1024);
}

#[test]
fn a_ledger_is_not_kept_for_less_than_half_a_year() {
    let rig = Rig::prepare("");
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let config = config.replace("[ledger]\n", "[ledger]\nretention_days = 182\n");
    std::fs::write(rig.config(), config).unwrap();
    let (done, text) = rig.order(&["check"]);
    assert!(!done && text.contains("183"), "{text}");
}
