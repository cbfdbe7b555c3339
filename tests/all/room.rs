//! A disk that fills up: at the reserve the gateway keeps and answers nothing, does what makes
//! room, and goes on by itself once there is some, without gap or double.

use std::process::Command;

use serde_json::json;

use crate::rig::message::{Message, Resident, field};
use crate::rig::{AGENT, Rig, until};

/// What lies between the reserve and either state; others write to this disk meanwhile.
const MARGIN: u64 = 1 << 30;

#[test]
fn at_the_reserve_of_the_disk_nothing_is_kept_and_afterwards_nothing_is_lost() {
    let rig = Rig::prepare("");
    let disk = rustix::fs::statvfs(rig.path()).unwrap();
    let available = disk.f_bavail * disk.f_frsize;
    assert!(available > 4 * MARGIN, "too small a disk: {available}");
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let reserve = available - MARGIN;
    let config = config.replace("[store]\n", &format!("[store]\nreserve_bytes = {reserve}\n"));
    std::fs::write(rig.config(), config).unwrap();
    rig.resume();

    let (before, during) = (Resident::new(), Resident::new());
    let push = |message: &Message| field(&rig.mllp().exchange(&message.bytes()).unwrap(), "MSA-1");
    assert_eq!(push(&Message::new("A01", &before)), "AA");
    let card = |resident: &Resident| {
        let question = json!({ "purpose": "emergency-card",
            "identifier": { "kind": "citizen-id", "value": resident.citizen },
            "evidence": { "call": crate::rig::call() } });
        rig.ask(AGENT, &question)
    };
    assert_eq!(card(&before).status, 200);
    let entries = rig.stored("SELECT count(*) FROM ledger");

    let ballast = rig.path().join("ballast");
    let size = (2 * MARGIN).to_string();
    let filled = Command::new("fallocate").args(["-l", &size]).arg(&ballast).status().unwrap();
    assert!(filled.success());
    let ready = || rig.operation("/health/ready").unwrap().status == 200;
    until("the disk is at the reserve", || (!ready()).then_some(()));
    let message = Message::new("A01", &during);
    for _ in 0..2 {
        assert_eq!(push(&message), "AE", "a message that may be sent again");
        let refused = card(&before);
        assert_eq!((refused.status, &refused.json()["fault"]), (503, &json!("unavailable")));
    }
    assert_eq!(rig.counted("kangqiao_store_at_reserve", &[]), 1);
    assert!(rig.printed().contains("only the reserve of the store is left"));
    assert_eq!(rig.stored("SELECT count(*) FROM ledger"), entries);
    // An operator's order is entered and carried out.
    let (done, text) = rig.order(&["erase", "--citizen-id", &before.citizen, "--yes"]);
    assert!(done, "{text}");
    assert_eq!(rig.stored("SELECT count(*) FROM ledger"), entries + 1);

    std::fs::remove_file(&ballast).unwrap();
    until("there is room again", || ready().then_some(()));
    assert_eq!(rig.counted("kangqiao_store_at_reserve", &[]), 0);
    assert_eq!((push(&message), push(&message)), ("AA".into(), "AA".into()));
    assert_eq!(card(&during).status, 200);
    assert_eq!(rig.stored("SELECT count(*) FROM journal"), 2);
    assert!(rig.ledger(&["verify"]).contains("ledger verified"));
}
