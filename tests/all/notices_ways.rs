//! Notices by every other way: as files, as rows, as HL7 v2 messages to a foreign receiver.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::notices::{PAYMENTS, dies, in_order, text};
use crate::rig::database::Server;
use crate::rig::foreign::Foreign;
use crate::rig::message::{Message, Resident, field, unique};
use crate::rig::{CLERK, ROOT, Rig, TLS_SENDER, free_port, until};

/// A subscription that is told that way.
pub fn subscription(purpose: &str, events: &str, way: &str) -> String {
    format!(
        "[[subscription]]\nname = \"{PAYMENTS}\"\ndepartment = \"civil-affairs\"\n\
         role = \"clerk\"\npurpose = \"{purpose}\"\nevents = [{events}]\n{way}\n\
         wait_ms = 20\nwait_ms_max = 50\nopen_ms = 100\ntries_max = 1000000\n"
    )
}

/// The way to a foreign receiver.
fn by_mllp(port: u16) -> String {
    format!(
        "mllp = {{ address = \"127.0.0.1:{port}\", authority = \"MZJ\", tls = {{ \
         authority = \"certs/ca.pem\", certificate = \"certs/gateway.pem\", \
         key = \"certs/gateway.key\" }} }}\ntimeout_ms = 2000"
    )
}

fn prepare(way: &str) -> Rig {
    Rig::prepare(&subscription("living-check", "\"death\"", way))
}

pub fn enrol(rig: &Rig, body: &Value) {
    let body = body.to_string();
    let mut link = rig.https(CLERK);
    let reply = link.post("/v1/subscriptions", "application/json", body.as_bytes()).unwrap();
    assert_eq!(reply.status, 200, "{}", text(&reply));
}

/// Some elders, each enrolled under a reference.
pub fn elders(rig: &Rig, references: &[&str]) -> Vec<Resident> {
    let elders: Vec<Resident> = references.iter().map(|_| Resident::new()).collect();
    let citizens = elders.iter().map(|elder| &*elder.citizen);
    rig.enrols(PAYMENTS, citizens.zip(references.iter().copied()));
    elders
}

/// Waits until so many notices are in that state of the outbox, and so many wait.
pub fn stands(rig: &Rig, (dead, waiting): (u64, u64)) {
    until("the outbox stands as it should", || {
        let count =
            |state: u8| rig.stored(&format!("SELECT count(*) FROM outbox WHERE state = {state}"));
        ((count(2), count(0)) == (dead, waiting)).then_some(())
    });
}

pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits until a notice found nobody to take it.
fn found_nobody(rig: &Rig) {
    until("nobody was there", || {
        (rig.stored("SELECT count(*) FROM outbox WHERE why = 'unreachable'") > 0).then_some(())
    });
}

/// Names and contents of a folder, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let names = std::fs::read_dir(folder).unwrap().flatten();
    let read = names.map(|entry| {
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    });
    let mut found: Vec<_> = read.collect();
    found.sort();
    found
}

#[test]
fn a_folder_that_is_back_has_every_notice_as_one_file() {
    let rig = prepare("folder = \"out\"");
    rig.resume();
    let elders = elders(&rig, &["A", "B"]);
    for day in 1..=3 {
        elders.iter().for_each(|elder| dies(&rig, &elder.citizen, day));
    }
    found_nobody(&rig);
    rig.kill();
    let folder = rig.path().join("out");
    std::fs::create_dir(&folder).unwrap();
    rig.resume();
    stands(&rig, (0, 0));
    let found = files(&folder);
    let notices: Vec<Value> =
        found.iter().map(|(_, bytes)| serde_json::from_slice(bytes).unwrap()).collect();
    // In the order of their names.
    let told = in_order(&notices);
    assert!(told.len() == 2 && told.values().all(|ids| ids.len() == 3), "{told:?}");
    let ledger = rig.ledger(&["export"]);
    for ((name, bytes), notice) in found.iter().zip(&notices) {
        let number: u64 =
            notice["id"].as_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
        assert_eq!(*name, format!("{PAYMENTS}-{number:012}.json"));
        assert!(ledger.contains(&digest(bytes)), "{name} is not in the ledger");
        let sent = String::from_utf8_lossy(bytes);
        assert!(elders.iter().all(|elder| !sent.contains(&*elder.citizen)), "{name}");
    }

    // What is told again is the same file, whether it was taken away or not.
    std::fs::remove_file(folder.join(&found[0].0)).unwrap();
    let (done, said) = rig.order(&["notices", "rewind", PAYMENTS, "--since", "2026-01-01"]);
    assert!(done && said.contains("\"notices\":6"), "{said}");
    stands(&rig, (0, 0));
    let names = |found: &[(String, Vec<u8>)]| -> Vec<String> {
        found.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&files(&folder)), names(&found));
}

/// The statements of the page that a department runs.
fn statements() -> String {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/notices.md")).unwrap();
    let (_, rest) = page.split_once("```sql\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn a_notice_is_a_row_once_and_one_the_table_refuses_holds_up_its_elder_alone() {
    let Some(server) = Server::start() else { return };
    let database = server.database().replace("\"kangqiao\"", "\"teller\"");
    let rig = prepare(&format!("table = {{ name = \"kq_notice\", {database} }}"));
    rig.resume();
    let elders = elders(&rig, &["POISON", "OTHER"]);
    for day in 1..=2 {
        elders.iter().for_each(|elder| dies(&rig, &elder.citizen, day));
    }
    // Nobody may connect yet, and there is no table.
    found_nobody(&rig);
    server.run("CREATE ROLE teller LOGIN");
    server.run(&statements().replace("TO kangqiao", "TO teller"));
    server.run("ALTER TABLE kq_notice ADD CONSTRAINT wanted CHECK (reference <> 'POISON')");
    stands(&rig, (1, 1));
    assert_eq!(server.run("SELECT DISTINCT reference FROM kq_notice"), "OTHER");
    let (_, lines) = rig.order(&["notices", "list", "--json"]);
    assert!(lines.contains("\"why\":\"refused\""), "{lines}");
    rig.kill();
    rig.resume();
    server.run("ALTER TABLE kq_notice DROP CONSTRAINT wanted");
    let number = rig.stored("SELECT number FROM outbox WHERE state = 2").to_string();
    assert!(rig.order(&["notices", "retry", &number]).0);
    stands(&rig, (0, 0));

    let rows = server.run("SELECT notice FROM kq_notice ORDER BY ledger_entry");
    let notices: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let told = in_order(&notices);
    assert!(told.len() == 2 && told.values().all(|ids| ids.len() == 2), "{told:?}");
    let ledger = rig.ledger(&["export"]);
    for row in rows.lines() {
        assert!(ledger.contains(&digest(row.as_bytes())), "{row}");
    }
    let wrong = server.run(
        "SELECT count(*) FROM kq_notice WHERE id <> notice::json->>'id' OR \
         event <> notice::json->>'event' OR reference <> notice::json->>'reference' OR \
         subscription <> notice::json->>'subscription' OR \
         happened_at <> (notice::json->>'happened_at')::timestamptz OR \
         length(checkpoint) < 40",
    );
    assert_eq!(wrong, "0", "{rows}");
    let (done, said) = rig.order(&["notices", "rewind", PAYMENTS, "--since", "2026-01-01"]);
    assert!(done && said.contains("\"notices\":4"), "{said}");
    stands(&rig, (0, 0));
    assert_eq!(server.run("SELECT notice FROM kq_notice ORDER BY ledger_entry"), rows);
}

#[test]
fn a_notice_is_an_hl7_message_that_a_foreign_receiver_reads() {
    if !Foreign::is_here() {
        return;
    }
    let port = free_port();
    let rig =
        Rig::prepare(&subscription("living-check", "\"death\", \"identity\"", &by_mllp(port)));
    let receiver = Foreign::start(&rig.path().join("certs"), "platform", (port, &[]));
    rig.resume();
    let elders = elders(&rig, &["JT|0001"]);
    let elder = &elders[0];
    let admitted = |message: &Message| {
        let reply = rig.mllp().exchange(&message.bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA", "{}", String::from_utf8_lossy(&reply));
    };
    admitted(&Message::new("A01", elder));
    dies(&rig, &elder.citizen, 2);
    stands(&rig, (0, 0));
    let told = &receiver.taken()[0];
    let raw = told["raw"].as_str().unwrap();
    let part = |place: &str| field(raw.as_bytes(), place);
    assert_eq!((&told["event"], &told["authority"]), (&json!("ADT^A31"), &json!("MZJ")), "{raw}");
    assert_eq!(part("PID-3"), "JT\\F\\0001^^^MZJ", "{raw}");
    assert_eq!((part("MSH-5"), part("MSH-6")), (PAYMENTS.to_owned(), "MZJ".to_owned()), "{raw}");
    assert_eq!((part("PID-29"), part("PID-30")), ("20260902".to_owned(), "Y".to_owned()), "{raw}");
    for hidden in [&*elder.citizen, "I21", "心肌", "测试医院"] {
        assert!(!raw.contains(hidden), "{hidden}: {raw}");
    }
    // The ledger has those bytes, and says of no more than there is a place for.
    let ledger = rig.ledger(&["export"]);
    let entered = ledger.lines().find(|line| line.contains(&digest(raw.as_bytes()))).unwrap();
    let id = told["id"].as_str().unwrap();
    assert!(entered.contains(&format!("notice {id} death")), "{entered}");
    assert!(entered.contains("MZ.person.deceased"), "{entered}");
    assert!(!entered.contains("MZ.death.source"), "{entered}");

    // Another reference turns out to be the same elder: each is told with the other beside it.
    let card = format!("D{:09}", unique() % 1_000_000_000);
    let identifier = json!({ "kind": "health-card", "value": card });
    let other = json!({ "identifier": identifier, "reference": "CARD" });
    enrol(&rig, &json!({ "subscription": PAYMENTS, "enrol": [other] }));
    let mut message = Message::new("A01", elder);
    let numbers = format!("{}~{card}^^^CARD^HC", elder.identifiers());
    message.segments[1] = message.segments[1].replace(&elder.identifiers(), &numbers);
    admitted(&message);
    let taken = until("both are told", || {
        let taken = receiver.taken();
        (taken.len() >= 3).then_some(taken)
    });
    let lists: BTreeSet<String> = taken[1..]
        .iter()
        .map(|one| field(one["raw"].as_str().unwrap().as_bytes(), "PID-3"))
        .collect();
    let (own, card) = ("JT\\F\\0001^^^MZJ", "CARD^^^MZJ");
    assert!(lists.contains(&format!("{own}~{card}")), "{lists:?}");
    assert!(lists.contains(&format!("{card}~{own}")), "{lists:?}");
}

#[test]
fn an_acknowledgement_counts_for_the_message_it_names_and_for_no_other() {
    if !Foreign::is_here() {
        return;
    }
    let port = free_port();
    let rig = prepare(&by_mllp(port));
    let answers = [("POISON", "AR"), ("ASTRAY", "other"), ("ERROR", "AE")];
    let receiver = Foreign::start(&rig.path().join("certs"), "platform", (port, &answers));
    rig.resume();
    let elders = elders(&rig, &["POISON", "ASTRAY", "ERROR", "OTHER"]);
    for day in 1..=2 {
        elders.iter().for_each(|elder| dies(&rig, &elder.citizen, day));
    }
    let came = |reference: &str| receiver.came_about(reference);
    until("the others are told", || (came("OTHER").len() >= 2).then_some(()));
    until("all were tried again", || {
        (came("ASTRAY").len() > 2 && came("ERROR").len() > 2).then_some(())
    });
    // Of the dead one's elder the next waits, of the other two both.
    stands(&rig, (1, 5));
    for reference in ["POISON", "ASTRAY", "ERROR"] {
        let ids: BTreeSet<String> =
            came(reference).iter().map(|one| one["id"].to_string()).collect();
        assert_eq!(ids.len(), 1, "{reference}: a notice left before the one before it had ended");
    }
    let metrics = text(&rig.operation("/metrics").unwrap());
    let counted = metrics.lines().find(|line| {
        line.starts_with("kangqiao_notices_unanswered_total") && line.contains("other-id")
    });
    assert!(counted.is_some_and(|line| line.contains(PAYMENTS)), "{metrics}");
    // Nothing more was said on a connection whose two sides were out of step.
    let all = receiver.came();
    for (at, one) in all.iter().enumerate().filter(|(_, one)| one["answer"] == "other") {
        let later = all[at + 1..].iter().any(|later| later["connection"] == one["connection"]);
        assert!(!later, "connection {} went on", one["connection"]);
    }

    for reference in ["ASTRAY", "ERROR", "POISON"] {
        receiver.answers(reference, "AA");
    }
    stands(&rig, (1, 1));
    let number = rig.stored("SELECT number FROM outbox WHERE state = 2").to_string();
    assert!(rig.order(&["notices", "skip", &number]).0);
    stands(&rig, (0, 0));
    let told = in_order(&receiver.taken());
    assert_eq!(told.values().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2, 1], "{told:?}");
    assert!(!rig.printed().contains("ASTRAY"), "a reference stands in the log");
}

#[test]
fn a_receiver_of_messages_that_was_killed_has_everything_in_order_after_a_restart() {
    if !Foreign::is_here() {
        return;
    }
    let port = free_port();
    let rig = prepare(&by_mllp(port));
    let certs = rig.path().join("certs");
    rig.resume();
    let elders = elders(&rig, &["SILENT", "B", "C"]);
    dies(&rig, &elders[0].citizen, 1);
    found_nobody(&rig);
    let receiver = Foreign::start(&certs, "platform", (port, &[("SILENT", "silent")]));
    // Read, and never answered: whether it was taken nobody knows.
    until("a message is on its way", || (!receiver.came().is_empty()).then_some(()));
    rig.kill();
    let before = receiver.came();
    drop(receiver);
    rig.resume();
    for day in 2..=3 {
        elders.iter().for_each(|elder| dies(&rig, &elder.citizen, day));
    }
    let receiver = Foreign::start(&certs, "platform", (port, &[]));
    stands(&rig, (0, 0));
    let told = in_order(&receiver.taken());
    assert_eq!(told.values().map(Vec::len).collect::<Vec<_>>(), [2, 2, 3], "{told:?}");
    let again = receiver.taken().iter().any(|one| one["id"] == before[0]["id"]);
    assert!(again, "what was not acknowledged came again under its id");
    rig.ledger(&["verify"]);
}

#[test]
fn a_way_that_leads_nowhere_stops_the_start() {
    let database = "database = { host = \"db.example\", name = \"front\", user = \"kangqiao\" }";
    let exchange =
        format!("[[exchange]]\nname = \"city\"\nsender = \"{TLS_SENDER}\"\nfolder = \"in\"\n");
    let rig = Rig::prepare("# the way");
    std::fs::create_dir(rig.path().join("in")).unwrap();
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let check = |purpose: &str, (events, way): (&str, &str), expect: &str| {
        let more = format!("{}\n{exchange}", subscription(purpose, events, way));
        std::fs::write(rig.config(), config.replacen("# the way", &more, 1)).unwrap();
        let output = rig.run(&["check", "--config", &rig.config().display().to_string()]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.contains(expect), "{said}");
        output.status.success()
    };
    let death = "living-check";
    let refuses = |purpose, event, way: &str, expect| {
        assert!(!check(purpose, (event, way), expect), "{way}");
    };
    let plain = |address: &str| format!("mllp = {{ address = \"{address}\" }}");
    refuses(
        death,
        "\"death\"",
        "folder = \"a\"\nurl = \"https://a:1/\"",
        "url and tls go together",
    );
    let both = format!("folder = \"a\"\n{}", plain("127.0.0.1:1"));
    refuses(death, "\"death\"", &both, "one way is enough");
    refuses(death, "\"death\"", "", "go together");
    refuses(death, "", "folder = \"a\"", "go together");
    refuses(death, "\"death\"", "folder = \"in\"", "taken by an exchange");
    refuses(death, "\"death\"", &plain("receiver.example:2575"), "only a loopback address");
    refuses(death, "\"death\"", &plain("127.0.0.1"), "host:port");
    let table = format!("table = {{ name = \"t\", {database} }}");
    refuses(death, "\"death\"", &table, "only a loopback address");
    let near = plain("127.0.0.1:2575");
    refuses("contract-status", "\"contract\"", &near, "event contract has no HL7 v2 message");
    refuses(
        "subsidy-eligibility",
        "\"death\", \"long-stay\"",
        &near,
        "event long-stay has no HL7 v2 message",
    );
    assert!(check(death, ("\"death\"", &near), "payments: mllp 127.0.0.1:2575"));
    refuses(death, "\"death\"", "folder = \"out\"", "is not there");
    std::fs::create_dir(rig.path().join("out")).unwrap();
    assert!(check(death, ("\"death\"", "folder = \"out\""), "payments: folder "));
}
