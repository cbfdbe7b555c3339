//! What a build of an earlier schema left behind, killed with full queues, is carried on by this
//! one.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::batches::{answers, checked, lines};
use crate::notices::{Site, in_order, subscription};
use crate::operate::allergens;
use crate::rig::message::field;
use crate::rig::receiver::Receiver;
use crate::rig::{PLAIN_SENDER, ROOT, Rig, free_port};

/// Who is who in the file, and the keys of it.
struct Story(Value);

impl Story {
    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    fn known(&self) -> Vec<&str> {
        self.0["known"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
    }
}

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/tests/earlier/{name}")).unwrap()
}

/// Lays the store and its keys where a gateway finds them that was not started yet.
fn laid(rig: &Rig) -> Story {
    let story = Story(serde_json::from_str(&read("schema_10.json")).unwrap());
    let (keys, data) = (rig.path().join("keys"), rig.path().join("data"));
    std::fs::create_dir_all(&keys).unwrap();
    std::fs::create_dir_all(&data).unwrap();
    let hex = story.text("master_key").as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let master: Vec<u8> = hex.chunks(2).map(byte).collect();
    let ledger = story.text("ledger_key");
    let head = "PRIVATE KEY-----";
    let pem = format!("-----BEGIN {head}\n{ledger}\n-----END {head}\n");
    let public = format!("{}\n", story.text("ledger_public"));
    let files: [(&str, &[u8]); 3] = [
        ("master.key", &master),
        ("ledger.key", pem.as_bytes()),
        ("ledger.pub", public.as_bytes()),
    ];
    for (name, bytes) in files {
        std::fs::write(keys.join(name), bytes).unwrap();
        let own = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(keys.join(name), own).unwrap();
    }
    let store = rusqlite::Connection::open(data.join("kangqiao.db")).unwrap();
    store.execute_batch(&read("schema_10.sql")).unwrap();
    // Days have gone by since it was written; how long a batch is kept is not what is tried.
    let now = "CAST(strftime('%s', 'now') AS INTEGER) * 1000";
    store.execute_batch(&format!("UPDATE batch SET until_ms = {now} + 86400000")).unwrap();
    story
}

/// A gateway that goes on with it, and the receiver of its notices.
fn upgraded() -> (Site, Story) {
    let port = free_port();
    // Its policies were this repository's of then.
    let accepts = "policy_widening = \"one-person\"\n";
    let rig =
        Rig::prepare(&format!("{accepts}{}", subscription(port, "living-check", "\"death\"")));
    let story = laid(&rig);
    let receiver = Receiver::start(&rig.path().join("certs"), "platform", port);
    rig.resume();
    (Site { rig, receiver }, story)
}

#[test]
fn full_queues_of_an_earlier_schema_are_carried_on() {
    let (site, story) = upgraded();
    let rig = &site.rig;
    let told = in_order(&site.taken(3));
    assert_eq!(told["E-0"], [1, 2]);
    assert_eq!(told["E-1"], [3]);

    // Of one batch the answers were waiting, of the other the rows.
    for (batch, rows) in [("batch_checked", 2), ("batch_open", 60)] {
        let id = story.text(batch);
        let standing = checked(rig, id);
        assert_eq!((&standing["rows"], &standing["checked"]), (&rows.into(), &rows.into()));
        // Who is asked about again in the same batch is refused.
        assert_eq!((&standing["accepted"], &standing["refused"]), (&2.into(), &(rows - 2).into()));
        assert_eq!(lines(&answers(rig, id, 1)).len(), 2, "{batch}");
    }

    // What is quarantined is applied once its code is known, and a resend of either is a repeat.
    let overlay = rig.path().join(format!("mappings/senders/{PLAIN_SENDER}.toml"));
    let spelled = "title = \"spells the sex out\"\ncodes = { \"PID-8\" = { \"male\" = \"M\" } }\n";
    std::fs::write(&overlay, spelled).unwrap();
    let (done, text) = rig.order(&["reload"]);
    assert!(done, "{text}");
    assert!(allergens(rig, story.text("held")).is_empty());
    let (done, text) = rig.order(&["replay", "--all"]);
    assert!(done && text.contains("\"number\":3") && text.contains("kept"), "{text}");
    let records = rig.stored("SELECT count(*) FROM record");
    for name in ["kept_message", "held_message"] {
        let reply = rig.mllp().exchange(story.text(name).as_bytes()).unwrap();
        assert_eq!(field(&reply, "MSA-1"), "AA", "{name}");
    }
    assert_eq!(rig.stored("SELECT count(*) FROM record"), records);
    for citizen in story.known().into_iter().chain([story.text("held")]) {
        assert_eq!(allergens(rig, citizen).len(), 1);
    }
    assert!(allergens(rig, story.text("erased")).is_empty());

    let receipt = rig.ledger(&["search", "--receipt", story.text("receipt")]);
    assert!(receipt.contains("living-check"), "{receipt}");
    assert!(rig.ledger(&["verify"]).contains("ledger verified"));
}

#[test]
fn rows_of_a_later_schema_are_left_alone_and_told_apart() {
    let (site, _) = upgraded();
    let rig = &site.rig;
    rig.stop();
    let store = rusqlite::Connection::open(rig.path().join("data/kangqiao.db")).unwrap();
    let known: i64 = store.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    store.pragma_update(None, "user_version", known + 1).unwrap();
    drop(store);
    let says = format!("has schema {}, this gateway knows up to {known}", known + 1);
    let output = rig.run(&["serve", "--config", &rig.config().display().to_string()]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains(&says), "{text}");
    for words in [&["doctor"][..], &["backup", "--to", "copy"]] {
        let (done, text) = rig.order(words);
        assert!(!done && text.contains(&says), "{words:?}: {text}");
    }
}
