//! One gateway whose rows lie with a PostgreSQL server: the same answers, the same ledger, through
//! the end of the gateway and of the server.

use kangqiao_conformance::mllp::Link;

use crate::operate::allergens;
use crate::rig::database::Server;
use crate::rig::message::{Message, Resident, field};
use crate::rig::{Rig, until};

fn admitted(link: &mut Link, resident: &Resident) -> String {
    let mut message = Message::new("A01", resident);
    message.segments.push("AL1|1|DA|101^x^CV05.01.038|SV".to_owned());
    let reply = link.exchange(&message.bytes());
    reply.map_or_else(|_| String::new(), |reply| field(&reply, "MSA-1"))
}

/// Sends until it is kept, as a sender does that is told to send again.
fn admit(rig: &Rig) -> Resident {
    let resident = Resident::new();
    until("the message is kept", || (admitted(&mut rig.mllp(), &resident) == "AA").then_some(()));
    resident
}

#[test]
fn what_was_answered_outlives_the_gateway_and_the_sessions_of_its_server() {
    let Some(server) = Server::start() else { return };
    let rig = Rig::prepare(&server.holds_the_store());
    rig.resume();
    let mut known = vec![admit(&rig)];
    assert_eq!(allergens(&rig, &known[0].citizen).len(), 1);
    rig.kill();
    rig.resume();
    known.push(admit(&rig));
    server.run(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE application_name = 'kangqiao'",
    );
    known.push(admit(&rig));
    for resident in &known {
        until("the allergy is told", || {
            (allergens(&rig, &resident.citizen).len() == 1).then_some(())
        });
    }
    assert_eq!(server.run("SELECT count(*) FROM record"), "3", "nothing is lost or doubled");
    assert!(!rig.path().join("data/kangqiao.db").exists());
    assert!(rig.ledger(&["verify"]).contains("ledger verified"));
    let (done, text) = rig.order(&["erase", "--citizen-id", &known[0].citizen, "--yes"]);
    assert!(done, "{text}");
    assert!(allergens(&rig, &known[0].citizen).is_empty());

    let (done, text) = rig.order(&["backup", "--to", "copy"]);
    assert!(!done && text.contains("pg_dump"), "{text}");
    let (content, text) = rig.order(&["doctor"]);
    assert!(content && text.contains("pg_amcheck"), "{text}");
    // Nobody else may write, and what is not its server's is not made anew.
    rig.kill();
    std::fs::remove_file(rig.path().join("keys/ledger.key")).unwrap();
    let config = rig.config().display().to_string();
    let output = rig.run(&["serve", "--config", &config]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("no key file"), "{text}");
}
