//! The walls around a gateway that serves, as one sees them from outside: what it serves goes on,
//! what lies elsewhere it cannot have, and a reload says so.

use serde_json::json;

use crate::console::enrol;
use crate::rig::message::{Message, Resident, field};
use crate::rig::{AGENT, Rig, copy, loudly};

/// What the kernel says of every thread of the gateway.
fn threads(rig: &Rig, key: &str) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", rig.pid())).unwrap();
    let status =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok());
    let value = |text: String| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    };
    status.map(value).collect()
}

/// Whether this kernel has all walls; one that lacks some is told of loudly.
fn whole() -> bool {
    let offered = kangqiao::sandbox::offered();
    if !offered.all() {
        loudly(&format!("SKIPPED: this kernel offers {offered:?}"));
    }
    offered.all()
}

fn serves(rig: &Rig) {
    let resident = Resident::new();
    let reply = rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": resident.citizen },
        "purpose": "emergency-card",
        "evidence": { "call": crate::rig::call() },
    });
    assert_eq!(rig.ask(AGENT, &question).status, 200);
}

#[test]
fn every_thread_of_a_gateway_that_serves_is_confined() {
    if !whole() {
        return;
    }
    let rig = Rig::start();
    for wall in ["files", "ports", "calls"] {
        assert_eq!(rig.counted("kangqiao_sandbox", &[("wall", wall)]), 1, "{wall}");
    }
    serves(&rig);
    for (key, value) in [("NoNewPrivs", "1"), ("Seccomp", "2")] {
        let told = threads(&rig, key);
        assert!(told.len() > 4 && told.iter().all(|one| one == value), "{key}: {told:?}");
    }
    let rig = Rig::prepare("sandbox = \"off\"");
    rig.resume();
    assert!(threads(&rig, "Seccomp").iter().all(|one| one == "0"));
    assert_eq!(rig.counted("kangqiao_sandbox", &[("wall", "files")]), 0);
    assert!(rig.printed().contains("may do whatever its user may"));
}

#[test]
fn a_reload_from_a_folder_outside_is_refused_and_a_restart_reads_it() {
    if !whole() {
        return;
    }
    let rig = Rig::prepare("sandbox = \"required\"\nmappings = \"mappings\"");
    rig.resume();
    let elsewhere = tempfile::tempdir().unwrap();
    copy(&rig.path().join("mappings"), elsewhere.path());
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let moved = format!("mappings = \"{}\"", elsewhere.path().display());
    std::fs::write(rig.config(), config.replacen("mappings = \"mappings\"", &moved, 1)).unwrap();
    let (done, text) = rig.order(&["reload"]);
    let said = "is outside of what the sandbox lets it read: it needs a restart";
    assert!(!done && text.contains(said), "{text}");
    serves(&rig);
    rig.stop();
    rig.resume();
    serves(&rig);
    let upstream = "https://127.0.0.1:1/";
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let url = format!("https://127.0.0.1:{}", rig.platform.port);
    std::fs::write(rig.config(), config.replacen(&url, upstream, 1)).unwrap();
    let (done, text) = rig.order(&["reload"]);
    assert!(!done && text.contains("port 1: is none of those"), "{text}");
}

/// A file that turns into a link out of its folder behind the gateway's back: nothing of ours
/// looks where it leads, so what stops the reader is the kernel.
#[test]
fn a_link_that_leads_out_is_not_followed() {
    if !whole() {
        return;
    }
    for (mode, expect) in [("required", 403), ("off", 303)] {
        let rig = Rig::prepare(&format!("sandbox = \"{mode}\""));
        rig.resume();
        let elsewhere = tempfile::tempdir().unwrap();
        let user = enrol(&rig, "lin", "auditor");
        let (users, away) = (rig.path().join("users.toml"), elsewhere.path().join("users.toml"));
        std::fs::copy(&users, &away).unwrap();
        std::fs::remove_file(&users).unwrap();
        std::os::unix::fs::symlink(&away, &users).unwrap();
        assert_eq!(user.enter(&rig, "lin").1.status, expect, "sandbox = {mode}");
    }
}
