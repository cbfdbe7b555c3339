//! A gateway's rows go from a file to a PostgreSQL server and back, and it goes on where they are.

use std::process::{Command, Stdio};

use crate::operate::allergens;
use crate::rig::database::Server;
use crate::rig::message::{Message, Resident, field};
use crate::rig::{Rig, until};

fn admit(rig: &Rig) -> Resident {
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push("AL1|1|DA|101^x^CV05.01.038|SV".to_owned());
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    resident
}

/// Whether all of these are known to the gateway, each with what it was told.
fn knows(rig: &Rig, residents: &[Resident]) {
    for resident in residents {
        assert_eq!(allergens(rig, &resident.citizen).len(), 1);
    }
    assert!(rig.ledger(&["verify"]).contains("ledger verified"));
}

/// What a start of the gateway says that is refused.
fn refused(rig: &Rig) -> String {
    let output = rig.run(&["serve", "--config", &rig.config().display().to_string()]);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// A gateway that was stopped, with a configuration of it beside its own whose rows lie with a
/// server; what its own says.
fn stopped(rig: &Rig, server: &Server) -> String {
    let here = std::fs::read_to_string(rig.config()).unwrap();
    let there = format!("{here}\n{}", server.holds_the_store());
    std::fs::write(rig.path().join("there.toml"), there).unwrap();
    let (done, text) = moved(rig);
    assert!(!done && text.contains("in use"), "{text}");
    rig.stop();
    here
}

fn moved(rig: &Rig) -> (bool, String) {
    rig.order(&["store", "move", "--to", "there.toml"])
}

#[test]
fn a_gateway_goes_on_with_a_server_where_its_file_ended_and_back() {
    let Some(server) = Server::start() else { return };
    let rig = Rig::start();
    let mut known = vec![admit(&rig), admit(&rig)];
    let here = stopped(&rig, &server);
    let (done, text) = moved(&rig);
    assert!(done && text.contains("moved and proven"), "{text}");
    let (done, text) = moved(&rig);
    assert!(done && text.contains("moved before"), "{text}");
    assert!(refused(&rig).contains("the rows were moved to PostgreSQL 127.0.0.1"));
    let (content, text) = rig.order(&["doctor"]);
    assert!(!content && text.contains("no gateway starts on these"), "{text}");

    std::fs::rename(rig.path().join("there.toml"), rig.config()).unwrap();
    std::fs::write(rig.path().join("there.toml"), &here).unwrap();
    rig.resume();
    known.push(admit(&rig));
    knows(&rig, &known);
    let entries = rig.ledger(&["search", "--kind", "move"]);
    assert!(entries.contains("from file to 127.0.0.1") && entries.contains("uid"), "{entries}");
    rig.stop();
    let (done, text) = moved(&rig);
    assert!(!done && text.contains("put its file aside"), "{text}");
    let undo = ["store", "move", "--undo", "--config", "there.toml", "--to", "kangqiao.toml"];
    let output = rig.run(&undo);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("move its rows back"), "{text}");

    for name in ["kangqiao.db", "kangqiao.db-wal", "kangqiao.db-shm"] {
        // The log is gone where the last to close it went in order.
        let _ = std::fs::remove_file(rig.path().join("data").join(name));
    }
    let (done, text) = moved(&rig);
    assert!(done && text.contains("moved and proven"), "{text}");
    assert!(refused(&rig).contains("the rows were moved to file"));
    std::fs::write(rig.config(), &here).unwrap();
    rig.resume();
    known.push(admit(&rig));
    knows(&rig, &known);
}

#[test]
fn a_move_that_is_not_proven_or_is_killed_leaves_both_places_as_they_were() {
    let Some(server) = Server::start() else { return };
    let rig = Rig::start();
    let mut known = vec![admit(&rig)];
    stopped(&rig, &server);
    // Without the key that proves the ledger.
    let public = rig.path().join("keys/ledger.pub");
    let own = std::fs::read(&public).unwrap();
    std::fs::remove_file(&public).unwrap();
    let (done, text) = moved(&rig);
    assert!(!done && text.contains("ledger.pub"), "{text}");
    std::fs::write(&public, own).unwrap();
    assert_eq!(server.run("SELECT count(*) FROM person"), "0");

    // Killed while it waits for a table that somebody holds.
    let locks = |how: &str| {
        let all = "SELECT count(*) FROM pg_locks WHERE relation = 'tile'::regclass AND";
        let held = server.run(&format!("{all} {how}"));
        (held != "0").then_some(())
    };
    let mut holder = server.holds("tile");
    until("the table is held", || locks("granted"));
    let mut moving = Command::new(env!("CARGO_BIN_EXE_kangqiao"))
        .args(["store", "move", "--to", "there.toml", "--config"])
        .arg(rig.config())
        .current_dir(rig.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("it waits", || locks("NOT granted"));
    moving.kill().unwrap();
    moving.wait().unwrap();
    server.run(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE pid <> pg_backend_pid() AND datname IS NOT NULL",
    );
    holder.wait().unwrap();
    assert_eq!(server.run("SELECT count(*) FROM person"), "0");
    rig.resume();
    known.push(admit(&rig));
    rig.stop();
    let (done, text) = moved(&rig);
    assert!(done && text.contains("moved and proven"), "{text}");
    std::fs::rename(rig.path().join("there.toml"), rig.config()).unwrap();
    rig.resume();
    knows(&rig, &known);
}
