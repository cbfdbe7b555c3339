//! Files and tables: what other departments leave is taken once, what is wrong goes back.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::rig::database::{STATUS, Server};
use crate::rig::{CLERK, Rig, until};

const FOLDER: &str = r#"
[[exchange]]
name = "city"
sender = "yi-city"
folder = "exchange"
poll_ms = 20
settle_ms = 0
"#;
const SENDER: &str = "[[sender]]\nname = \"yi-city\"\n";

/// Citizen ids of invented people with valid check characters.
const PEOPLE: [&str; 4] =
    ["410105194803120420", "410105194803150216", "11010519491231002X", "410105195002010015"];

fn folder(rig: &Rig) -> PathBuf {
    rig.path().join("exchange")
}

/// Leaves a file as a careful sender does: written beside, then renamed.
fn leave(rig: &Rig, name: &str, bytes: &[u8]) {
    std::fs::create_dir_all(folder(rig)).unwrap();
    std::fs::write(folder(rig).join(format!(".{name}")), bytes).unwrap();
    std::fs::rename(folder(rig).join(format!(".{name}")), folder(rig).join(name)).unwrap();
}

fn gone(rig: &Rig, name: &str) {
    until("the file is put away", || (!folder(rig).join(name).exists()).then_some(()));
}

fn only(place: &Path, ending: &str) -> PathBuf {
    let entries = std::fs::read_dir(place).unwrap().flatten().map(|entry| entry.path());
    let mut found: Vec<_> =
        entries.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    assert_eq!(found.len(), 1, "{ending} in {}: {found:?}", place.display());
    found.remove(0)
}

fn table(rows: &[(&str, &str)]) -> Vec<u8> {
    let mut text = String::from("序号,公民身份号码,姓名,评估日期,失能等级\r\n");
    for (index, (citizen, level)) in rows.iter().enumerate() {
        text += &format!("{index},{citizen},测试,2026年3月5日,{level}\r\n");
    }
    encoding_rs::GB18030.encode(&text).0.into_owned()
}

fn sums(rig: &Rig) -> [u64; 4] {
    ["received", "kept", "quarantined", "refused"]
        .map(|name| rig.stored(&format!("SELECT coalesce(sum({name}), 0) FROM count")))
}

#[test]
fn a_file_of_a_city_is_taken_once_and_its_rejects_come_back_mended() {
    let rig = Rig::prepare(&format!("{FOLDER}\n{SENDER}"));
    rig.resume();
    let [first, second, ..] = PEOPLE;
    leave(&rig, "a.csv", &table(&[(first, "中度失能"), (second, "较重")]));
    gone(&rig, "a.csv");
    assert_eq!(sums(&rig), [2, 1, 1, 0]);
    let report = only(&folder(&rig).join("done"), ".report.json");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!((&report["units"], &report["kept"]), (&json!(2), &json!(1)));
    assert_eq!(report["rejects"][0]["at"], "失能等级");
    assert!(!report.to_string().contains(second), "a report says positions, never values");
    let rejects = std::fs::read(only(&folder(&rig).join("rejects"), ".rejects.csv")).unwrap();
    let text = encoding_rs::GB18030.decode(&rejects).0.into_owned();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(",table-value,失能等级,"), "{text}");
    // The sender mends the cell, leaves our columns where they are, and sends it again.
    let mended = encoding_rs::GB18030.encode(&text.replace("较重", "重度失能")).0.into_owned();
    leave(&rig, "b.csv", &mended);
    gone(&rig, "b.csv");
    assert_eq!(sums(&rig), [3, 2, 1, 0]);
    assert_eq!(rig.stored("SELECT count(*) FROM record"), 2);
    // The same bytes under another name bring nothing.
    leave(&rig, "c.csv", &table(&[(first, "中度失能"), (second, "较重")]));
    gone(&rig, "c.csv");
    assert_eq!(sums(&rig), [3, 2, 1, 0]);
}

#[test]
fn a_stop_between_any_two_steps_loses_and_doubles_nothing() {
    let rig = Rig::prepare(&format!("{FOLDER}\n{SENDER}"));
    rig.resume();
    let bytes = table(&[(PEOPLE[0], "中度失能"), (PEOPLE[1], "较重"), (PEOPLE[2], "轻度失能")]);
    leave(&rig, "a.csv", &bytes);
    gone(&rig, "a.csv");
    let expect = [3, 2, 1, 0];
    assert_eq!(sums(&rig), expect);
    let rejects = std::fs::read(only(&folder(&rig).join("rejects"), ".rejects.csv")).unwrap();
    let again = |rig: &Rig| {
        let done = only(&folder(rig).join("done"), ".csv");
        std::fs::rename(done, folder(rig).join("a.csv")).unwrap();
    };
    let forget = |rig: &Rig| {
        let store = rusqlite::Connection::open(rig.path().join("data/kangqiao.db")).unwrap();
        store.execute("DELETE FROM exchanged", []).unwrap();
    };
    // Killed before the rename; before the note; before report and rejects.
    for step in 0..3 {
        rig.kill();
        again(&rig);
        if step > 0 {
            forget(&rig);
        }
        if step > 1 {
            std::fs::remove_file(only(&folder(&rig).join("rejects"), ".csv")).unwrap();
            std::fs::remove_file(only(&folder(&rig).join("done"), ".report.json")).unwrap();
        }
        rig.resume();
        gone(&rig, "a.csv");
        assert_eq!(sums(&rig), expect, "step {step}");
        assert_eq!(rig.stored("SELECT count(*) FROM record"), 2, "step {step}");
        let left = std::fs::read(only(&folder(&rig).join("rejects"), ".rejects.csv")).unwrap();
        assert!(left == rejects, "step {step}: other rejects");
    }
    // Killed anywhere at all while many rows are on their way.
    let mut written = 0_u64;
    for round in 0..4_u64 {
        let rows: Vec<_> = (0..150).map(|_| (PEOPLE[3], "中度失能")).collect();
        // Another number in each row: another unit.
        let text = encoding_rs::GB18030.decode(&table(&rows)).0.into_owned();
        let text: Vec<_> = text
            .lines()
            .enumerate()
            .map(|(line, text)| match line {
                0 => text.to_owned(),
                _ => format!("{round}-{text}"),
            })
            .collect();
        let bytes = encoding_rs::GB18030.encode(&(text.join("\r\n") + "\r\n")).0.into_owned();
        leave(&rig, &format!("r{round}.csv"), &bytes);
        std::thread::sleep(std::time::Duration::from_millis(20 + 40 * round));
        rig.kill();
        rig.resume();
        gone(&rig, &format!("r{round}.csv"));
        written += 150;
        assert_eq!(sums(&rig), [3 + written, 2 + written, 1, 0], "round {round}");
    }
}

#[test]
fn a_batch_of_messages_and_a_card_are_files_too() {
    let rig = Rig::prepare(&format!("{FOLDER}\n{SENDER}"));
    rig.resume();
    let message = |number: &str, citizen: &str| {
        format!(
            "MSH|^~\\&|H|H|K|K|20261121||ADT^A28^ADT_A05|{number}|P|2.5|||||CHN|UNICODE UTF-8\r\
             EVN|A28|20261121\rPID|1||{citizen}^^^^NNCHN||测^试\r"
        )
    };
    let batch = format!(
        "FHS|^~\\&\rBHS|^~\\&\r{}{}BTS|2\rFTS|1\r",
        message("1", PEOPLE[0]),
        message("2", PEOPLE[1])
    );
    leave(&rig, "a.hl7", batch.as_bytes());
    gone(&rig, "a.hl7");
    assert_eq!(sums(&rig), [2, 2, 0, 0]);
    let example = Path::new(crate::rig::ROOT).join("mappings/card/card.examples/01.json");
    let card: Value = serde_json::from_slice(&std::fs::read(example).unwrap()).unwrap();
    leave(&rig, "a.card", card.to_string().as_bytes());
    gone(&rig, "a.card");
    assert_eq!(sums(&rig), [3, 3, 0, 0]);
    leave(&rig, "a.pdf", b"%PDF");
    gone(&rig, "a.pdf");
    only(&folder(&rig).join("rejects"), ".pdf");
    assert_eq!(sums(&rig), [3, 3, 0, 0], "what is no unit is counted as none");
}

/// The tables a front-end database has for the exchange.
fn make_tables(server: &Server) {
    server.run(&format!(
        "CREATE TABLE elder (id bigserial PRIMARY KEY, dataset text, \"person.citizenId\" text, \
         class text, month date, \"amount.value\" numeric, \"amount.unit\" text, {STATUS})"
    ));
    server.inquiries("inquiry", "answer");
}

/// A table of rows and a table of inquiries in that database.
fn configured(server: &Server) -> String {
    let database = server.database();
    let asked = server.asked("asked", ("civil-affairs", "clerk"), ("inquiry", "answer"));
    format!(
        "[[table]]\nname = \"elders\"\nsender = \"yi-front\"\ntable = \"elder\"\npoll_ms = 20\n\
         {database}\n\n{asked}\n[[sender]]\nname = \"yi-front\"\n"
    )
}

/// What a department is told over HTTPS: the elements, in order.
fn told(rig: &Rig, citizen: &str) -> Vec<String> {
    let asked = json!({
        "identifier": { "kind": "citizen-id", "value": citizen }, "purpose": "living-check" });
    let body = rig.ask(CLERK, &asked).json();
    let elements = body["elements"].as_array().unwrap().iter();
    let mut told: Vec<_> =
        elements.map(|element| element["element"].as_str().unwrap().to_owned()).collect();
    told.sort();
    told
}

#[test]
fn rows_of_a_table_are_taken_and_inquiries_of_a_table_are_answered() {
    let Some(server) = Server::start() else { return };
    make_tables(&server);
    let [first, second, ..] = PEOPLE;
    let row = |id: u32, citizen: &str, class: &str| {
        format!(
            "INSERT INTO elder (id, dataset, \"person.citizenId\", class, month, \
             \"amount.value\", \"amount.unit\") VALUES \
             ({id}, 'subsidy-payment', '{citizen}', '{class}', '2026-10-01', 100, '元')"
        )
    };
    server.run(&row(2, first, "1"));
    server.run(&row(3, second, "7"));
    let rig = Rig::prepare(&configured(&server));
    rig.resume();
    let settled = |ids: &str| {
        until("the rows are settled", || {
            let open = server.run(&format!(
                "SELECT count(*) FROM elder WHERE id IN ({ids}) AND kq_state IS NULL"
            ));
            (open == "0").then_some(())
        });
    };
    settled("2, 3");
    let status =
        "SELECT id, kq_state, coalesce(kq_fault, ''), coalesce(kq_at, '') FROM elder ORDER BY id";
    assert_eq!(server.run(status), "2|kept||\n3|quarantined|table-value|class");
    assert_eq!(rig.stored("SELECT value FROM mark WHERE name = 'elders'"), 3);
    // A number that was drawn earlier and committed late, and a row that was mended.
    server.run(&row(1, second, "1"));
    server.run("UPDATE elder SET class = '3', kq_state = NULL WHERE id = 3");
    settled("1, 3");
    assert!(server.run(status).contains("3|kept||"), "{}", server.run(status));
    assert_eq!(sums(&rig), [4, 3, 1, 0]);
    // Killed before it could write to the rows: they are read again, and nothing is doubled.
    rig.kill();
    server.run("UPDATE elder SET kq_state = NULL WHERE id = 2");
    rig.resume();
    settled("2");
    assert_eq!(sums(&rig), [4, 3, 1, 0]);

    server.run(&format!(
        "INSERT INTO inquiry (identifier_kind, identifier, purpose) VALUES \
         ('citizen-id', '{first}', 'living-check'), ('citizen-id', '{first}', 'emergency-card'), \
         ('citizen-id', '1', 'living-check')"
    ));
    server.answered("inquiry");
    let states = server.run("SELECT kq_state, coalesce(kq_fault, '') FROM inquiry ORDER BY id");
    assert_eq!(states, "answered|\nrefused|purpose-not-granted\nrefused|identifier-invalid");
    let receipts = server.run("SELECT receipt FROM answer WHERE receipt IS NOT NULL");
    assert_eq!(receipts.lines().count(), 3, "{receipts}");
    let ledger = rig.ledger(&["export"]);
    assert!(receipts.lines().all(|receipt| ledger.contains(receipt)));
    let seen = server.run("SELECT DISTINCT element FROM answer WHERE tier IS NOT NULL");
    let mut seen: Vec<_> = seen.lines().map(str::to_owned).collect();
    seen.sort();
    assert_eq!(seen, told(&rig, first), "a table is told what its department is told over HTTPS");
}
