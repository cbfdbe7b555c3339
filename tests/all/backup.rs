//! A backup is taken while the gateway serves, proven, and put in the place of what was lost; the
//! doctor says what is wrong.

use std::sync::atomic::{AtomicBool, Ordering};

use kangqiao::config::Config;
use serde_json::Value;

use crate::operate::allergens;
use crate::rig::Rig;
use crate::rig::message::{Message, Resident, field};

fn admit(rig: &Rig) -> Resident {
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^x^CV05.01.038|SV".to_owned());
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    resident
}

#[test]
fn what_was_kept_before_a_backup_is_answered_after_it_was_restored() {
    let rig = Rig::start();
    let (before, erased) = (admit(&rig), admit(&rig));
    let (done, text) = rig.order(&["erase", "--citizen-id", &erased.citizen, "--yes"]);
    assert!(done, "{text}");
    // Messages go on arriving while it is taken.
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                admit(&rig);
            }
        });
        let (done, text) = rig.order(&["backup", "--to", "copy"]);
        over.store(true, Ordering::SeqCst);
        assert!(done && text.contains("backup is proven") && text.contains("entered"), "{text}");
    });
    let after = admit(&rig);
    assert!(rig.ledger(&["search", "--kind", "backup"]).contains("uid"));
    let (done, text) = rig.order(&["backup", "--to", "copy"]);
    assert!(!done && text.contains("is there already"), "{text}");
    let (done, text) = rig.order(&["restore", "--from", "copy"]);
    assert!(!done && text.contains("holds a store"), "{text}");

    rig.kill();
    std::fs::rename(rig.path().join("data"), rig.path().join("lost")).unwrap();
    let label = std::fs::read_to_string(rig.path().join("copy/backup.json")).unwrap();
    let label: Value = serde_json::from_str(&label).unwrap();
    let (done, text) = rig.order(&["restore", "--from", "copy"]);
    assert!(done && text.contains("restored and proven"), "{text}");
    assert!(text.contains(&label["entries"].to_string()), "{text}");
    rig.resume();
    let entered = rig.ledger(&["search", "--kind", "restore"]);
    let made = label["made_at"].as_str().unwrap();
    assert!(entered.contains(made) && entered.contains("uid"), "{entered}");
    assert_eq!(allergens(&rig, &before.citizen).len(), 1);
    assert!(allergens(&rig, &erased.citizen).is_empty());
    assert!(allergens(&rig, &after.citizen).is_empty(), "it came after the backup");
    assert!(rig.ledger(&["verify"]).contains("ledger verified"));
    // The same again goes on from there.
    admit(&rig);
}

#[test]
fn a_backup_that_was_touched_is_not_put_in_anybodys_place() {
    let rig = Rig::start();
    admit(&rig);
    rig.stop();
    let (done, text) = rig.order(&["backup", "--to", "copy"]);
    assert!(done && text.contains("not entered"), "{text}");
    std::fs::rename(rig.path().join("data"), rig.path().join("lost")).unwrap();
    let refused = |because: &str| {
        let (done, text) = rig.order(&["restore", "--from", "copy"]);
        assert!(!done && text.contains(because), "{text}");
        assert!(!rig.path().join("data").exists());
    };
    // Under a master key that is not its own.
    let key = Config::load(&rig.config()).unwrap().master_key;
    let own = std::fs::read(&key).unwrap();
    std::fs::write(&key, [9; 32]).unwrap();
    refused("another master key");
    std::fs::write(&key, own).unwrap();
    // With a file that is not the one that was backed up.
    let path = rig.path().join("copy/data/kangqiao.db");
    let whole = std::fs::read(&path).unwrap();
    let mut touched = whole.clone();
    let middle = touched.len() / 2;
    touched[middle] ^= 1;
    std::fs::write(&path, touched).unwrap();
    refused("is not what was backed up");
    std::fs::write(&path, whole).unwrap();
    let (done, text) = rig.order(&["restore", "--from", "copy"]);
    assert!(done, "{text}");
}

/// What the doctor found at a place: grades, and whether he is content on the whole.
fn examined(rig: &Rig, place: &str) -> (bool, Vec<String>) {
    let config = rig.config().display().to_string();
    let output = rig.run(&["doctor", "--json", "--config", &config]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let grades = lines.filter(|line| line["place"] == place);
    let grades = grades.map(|line| line["grade"].as_str().unwrap().to_owned());
    (output.status.success(), grades.collect())
}

#[test]
fn a_doctor_finds_what_was_broken_and_nothing_else() {
    let rig = Rig::start();
    admit(&rig);
    assert_eq!(examined(&rig, "gateway"), (true, vec!["good".to_owned()]));
    for place in ["rules", "store", "ledger"] {
        assert_eq!(examined(&rig, place), (true, vec!["good".to_owned()]), "{place}");
    }
    rig.stop();
    assert_eq!(examined(&rig, "gateway"), (true, vec!["warning".to_owned()]));
    // A key that is lost is not made anew: it would sign nothing of what is there.
    let key = Config::load(&rig.config()).unwrap().ledger.key;
    let public = std::fs::read(key.with_extension("pub")).unwrap();
    std::fs::rename(&key, key.with_extension("away")).unwrap();
    assert_eq!(examined(&rig, "ledger key"), (false, vec!["bad".to_owned()]));
    let (done, text) = rig.order(&["serve"]);
    assert!(!done && text.contains("put back the one it is signed by"), "{text}");
    assert!(!key.exists() && std::fs::read(key.with_extension("pub")).unwrap() == public);
    std::fs::rename(key.with_extension("away"), &key).unwrap();
    assert_eq!(examined(&rig, "ledger key"), (true, vec!["good".to_owned()]));
    let path = rig.path().join("data/kangqiao.db");
    let store = rusqlite::Connection::open(&path).unwrap();
    store.execute("UPDATE ledger SET bytes = x'00' WHERE number = 0", []).unwrap();
    drop(store);
    assert_eq!(examined(&rig, "ledger"), (false, vec!["bad".to_owned()]));
    assert_eq!(examined(&rig, "store"), (false, vec!["good".to_owned()]));
    std::fs::write(rig.path().join("policies/purposes.toml"), "broken = ").unwrap();
    assert_eq!(examined(&rig, "rules"), (false, vec!["bad".to_owned()]));
}
