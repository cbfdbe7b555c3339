//! A store is put back to a moment, a file by its archive and a server by its own means, and the
//! gateway goes on from there, saying so.

use crate::operate::allergens;
use crate::rig::Rig;
use crate::rig::database::Server;
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
fn a_server_that_was_put_back_holds_what_it_held_at_that_moment_and_the_ledger_says_so() {
    let Some(server) = Server::archiving() else { return };
    let rig = Rig::prepare(&server.holds_the_store());
    rig.resume();
    let before = admit(&rig);
    server.base();
    let between = admit(&rig);
    let now = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', \
               'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')";
    let moment = server.run(now);
    let after = admit(&rig);
    let (done, text) = rig.order(&["store", "put-back", "--to", &moment]);
    assert!(!done && text.contains("in use"), "{text}");
    rig.stop();
    server.put_back(&moment);
    let (done, text) = rig.order(&["store", "put-back", "--to", &moment]);
    assert!(done && text.contains("the next start enters"), "{text}");
    rig.resume();
    for resident in [&before, &between] {
        assert_eq!(allergens(&rig, &resident.citizen).len(), 1);
    }
    assert!(allergens(&rig, &after.citizen).is_empty(), "it came after that moment");
    let entries = rig.ledger(&["search", "--kind", "restore"]);
    assert!(entries.contains("rows put back to") && entries.contains("uid"), "{entries}");
    assert!(rig.ledger(&["verify"]).contains("ledger verified"));
    let (content, text) = rig.order(&["doctor"]);
    assert!(content, "{text}");
    admit(&rig);
}

#[test]
fn a_file_that_was_put_back_holds_what_it_held_at_that_moment_and_the_ledger_says_so() {
    let rig = Rig::prepare("");
    let text = std::fs::read_to_string(rig.config()).unwrap();
    std::fs::write(rig.config(), format!("{text}archive = \"archive\"\n")).unwrap();
    rig.resume();
    let (before, erased) = (admit(&rig), admit(&rig));
    // What was answered before an erasure is archived when that is done.
    let (done, text) = rig.order(&["erase", "--citizen-id", &erased.citizen, "--yes"]);
    assert!(done && text.contains("the archive can bring it back until"), "{text}");
    let moment = chrono::Utc::now().to_rfc3339();
    std::thread::sleep(std::time::Duration::from_millis(2));
    let after = admit(&rig);
    assert!(rig.order(&["doctor"]).1.contains("archive"));
    rig.kill();
    let (done, text) = rig.order(&["restore", "--at", &moment]);
    assert!(!done && text.contains("holds a store"), "{text}");
    std::fs::rename(rig.path().join("data"), rig.path().join("lost")).unwrap();
    let (done, text) = rig.order(&["restore", "--at", "2020-01-01T00:00:00Z"]);
    assert!(!done && text.contains("does not reach back"), "{text}");
    let (done, text) = rig.order(&["restore", "--at", &moment]);
    assert!(done && text.contains("restored and proven"), "{text}");
    rig.resume();
    assert_eq!(allergens(&rig, &before.citizen).len(), 1);
    for resident in [&erased, &after] {
        assert!(allergens(&rig, &resident.citizen).is_empty());
    }
    let entries = rig.ledger(&["search", "--kind", "restore"]);
    assert!(entries.contains("archive of") && entries.contains("uid"), "{entries}");
    assert!(rig.ledger(&["verify"]).contains("ledger verified"));
    admit(&rig);
}
