//! A disk that ails beneath the real binary, a sink that hangs, a clock that is moved: nothing is
//! acknowledged or answered that is not durable, and the gateway goes on by itself or says that
//! it does not.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::notices::{PAYMENTS, Site, dies, in_order};
use crate::rig::faults::{BROKEN, DATABASE_ALONE, Dial, FULL, Faults, LOG_ALONE, READ_ONLY};
use crate::rig::message::{Message, Resident, field};
use crate::rig::{CLERK, Rig, until};

/// A gateway with the layer of faults beneath it.
fn rig() -> Rig {
    let mut rig = Rig::prepare("");
    rig.faults = Some(Faults::new());
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let busy = "[store]\ncheckpoint_ms = 20\n";
    std::fs::write(rig.config(), config.replace("[store]\n", busy)).unwrap();
    rig.resume();
    rig
}

/// MSA-1 of a message; nothing where the connection ended.
fn push(rig: &Rig, message: &Message) -> Option<String> {
    let address = crate::rig::at(rig.ports.mllp);
    let mut link = kangqiao_conformance::mllp::Link::connect(&address, None).ok()?;
    link.exchange(&message.bytes()).ok().map(|reply| field(&reply, "MSA-1"))
}

/// The status of an answer; nothing where the connection ended.
fn ask(rig: &Rig, resident: &Resident) -> Option<u16> {
    let question = json!({
        "identifier": { "kind": "citizen-id", "value": resident.citizen },
        "purpose": "living-check",
    });
    rig.try_ask(CLERK, question.to_string().as_bytes()).ok().map(|reply| reply.status)
}

fn stored(rig: &Rig, messages: u64) {
    assert_eq!(rig.stored("SELECT count(*) FROM journal"), messages);
    assert_eq!(rig.stored("SELECT sum(kept) FROM count"), messages);
    assert_eq!(rig.stored("SELECT count(*) FROM record"), messages);
    assert!(rig.ledger(&["verify"]).contains("ledger verified"));
}

/// A sync of one of the store's files fails: the process ends and says why, and the next one has
/// all that was acknowledged.
fn check_sync(which: i64) {
    let rig = rig();
    let faults = rig.faults.as_ref().unwrap();
    let known = Resident::new();
    assert_eq!(push(&rig, &Message::new("A01", &known)).as_deref(), Some("AA"));
    faults.turn(Dial::Only, which);
    faults.turn(Dial::SyncErrno, BROKEN);
    let (mut taken, mut open) = (1, Vec::new());
    let status = until("the process has ended", || {
        let message = Message::new("A01", &Resident::new());
        match push(&rig, &message).as_deref() {
            Some("AA") => taken += 1,
            // Whether it is there is not known: it is sent again.
            Some("AE") | None => open.push(message),
            Some(other) => panic!("{other}"),
        }
        let answered = ask(&rig, &known);
        assert!(matches!(answered, None | Some(200 | 503)), "{answered:?}");
        if which == LOG_ALONE {
            assert_eq!((taken, answered == Some(200)), (1, false), "told before it was durable");
        }
        rig.ended()
    });
    // Threads at work may stumble over what the C library takes down on the way out.
    assert!(matches!(status.code(), Some(74) | None), "{status} {}", rig.printed());
    assert!(rig.printed().contains("the disk did not take what it was given"));
    faults.turn(Dial::SyncErrno, 0);
    rig.resume();
    for message in open {
        taken += 1;
        for _ in 0..2 {
            assert_eq!(push(&rig, &message).as_deref(), Some("AA"));
        }
    }
    assert_eq!(ask(&rig, &known), Some(200));
    stored(&rig, taken);
}

#[test]
fn a_sync_of_the_log_that_fails_ends_the_process_with_nothing_told() {
    check_sync(LOG_ALONE);
}

#[test]
fn a_sync_of_the_database_that_fails_ends_the_process_with_nothing_lost() {
    check_sync(DATABASE_ALONE);
}

#[test]
fn a_disk_that_cannot_be_written_is_waited_for() {
    let rig = rig();
    let faults = rig.faults.as_ref().unwrap();
    let known = Resident::new();
    let mut taken = 1;
    assert_eq!(push(&rig, &Message::new("A01", &known)).as_deref(), Some("AA"));
    for errno in [FULL, READ_ONLY, BROKEN] {
        let entries = rig.stored("SELECT count(*) FROM ledger");
        let writes = faults.shows(Dial::Writes);
        faults.turn(Dial::Tripped, 0);
        // Struck in the middle of what a commit writes.
        faults.turn(Dial::WritePasses, 2);
        faults.turn(Dial::WriteErrno, errno);
        let message = Message::new("A01", &Resident::new());
        for _ in 0..2 {
            assert_eq!(push(&rig, &message).as_deref(), Some("AE"), "{errno}");
            assert_eq!(ask(&rig, &known), Some(503), "{errno}");
        }
        assert!(faults.shows(Dial::Tripped) > 0 && faults.shows(Dial::Writes) > writes + 2);
        assert_ne!(rig.operation("/health/ready").unwrap().status, 200, "{errno}");
        assert_eq!(rig.stored("SELECT count(*) FROM ledger"), entries, "{errno}");
        faults.turn(Dial::WriteErrno, 0);
        until("it is kept", || (push(&rig, &message).as_deref() == Some("AA")).then_some(()));
        taken += 1;
        // That an upstream could not be asked is remembered for a second.
        until("it is answered", || (ask(&rig, &known) == Some(200)).then_some(()));
        assert!(rig.ended().is_none());
        stored(&rig, taken);
    }
}

#[test]
fn a_slow_disk_is_slow_and_no_more() {
    let rig = rig();
    let faults = rig.faults.as_ref().unwrap();
    faults.turn(Dial::SyncMs, 200);
    let (known, began) = (Resident::new(), Instant::now());
    assert_eq!(push(&rig, &Message::new("A01", &known)).as_deref(), Some("AA"));
    assert!(began.elapsed() >= Duration::from_millis(200), "told before it was durable");
    let before = faults.shows(Dial::Syncs);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..3 {
                    let message = Message::new("A01", &Resident::new());
                    assert_eq!(push(&rig, &message).as_deref(), Some("AA"));
                }
                assert_eq!(ask(&rig, &known), Some(200));
            });
        }
    });
    assert!(faults.shows(Dial::Syncs) > before);
    stored(&rig, 25);
}

#[test]
fn a_sink_that_accepts_and_never_reads_holds_up_nothing() {
    // It takes connections and says nothing: not even the handshake ends.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (held, holds) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            if held.send(socket).is_err() {
                return;
            }
        }
    });
    let sink = format!(
        "[[audit_sink]]\nname = \"region\"\nhost = \"localhost\"\nport = {port}\n\
         [audit_sink.tls]\nauthority = \"certs/ca.pem\"\n\
         certificate = \"certs/gateway.pem\"\nkey = \"certs/gateway.key\"\n"
    );
    let rig = Rig::prepare("");
    let config = std::fs::read_to_string(rig.config()).unwrap();
    std::fs::write(rig.config(), format!("{config}\n{sink}")).unwrap();
    rig.resume();
    let socket = holds.recv_timeout(crate::rig::PATIENCE).expect("the sink is connected to");
    let known = Resident::new();
    assert_eq!(push(&rig, &Message::new("A01", &known)).as_deref(), Some("AA"));
    for _ in 0..20 {
        assert_eq!(ask(&rig, &known), Some(200));
    }
    assert_eq!(rig.stored("SELECT count(*) FROM sink"), 0, "nothing was taken");
    let waiting = || rig.counted("kangqiao_audit_sink_waiting", &[("sink", "region")]);
    until("what waits is counted", || (waiting() >= 20).then_some(()));
    assert!(rig.stop().success(), "it holds up the end");
    drop((socket, holds));
}

#[test]
fn a_clock_that_is_put_forward_and_back_delays_and_loses_nothing() {
    const HOURS: i64 = 5 * 3_600_000;
    let mut site = Site::prepare("living-check", "\"death\"");
    site.rig.faults = Some(Faults::new());
    site.rig.resume();
    let (rig, faults) = (&site.rig, site.rig.faults.as_ref().unwrap());
    let resident = Resident::new();
    site.enrol(&resident, "A");
    // The receiver fails while the clock is five hours ahead: the next try, and the rest of the
    // line, are noted by that clock.
    site.receiver.answers(|_| 503);
    faults.turn(Dial::ClockMs, HOURS);
    dies(rig, &resident.citizen, 1);
    until("it was tried", || (site.receiver.count() >= 2).then_some(()));
    assert_eq!(ask(rig, &resident), Some(200));
    faults.turn(Dial::ClockMs, 0);
    site.receiver.answers(|_| 200);
    dies(rig, &resident.citizen, 2);
    // Within the patience of a test, which is a minute.
    let told = site.taken(2);
    site.settled();
    assert_eq!(in_order(&told)["A"].len(), 2);
    assert!(told[0]["id"].as_str().unwrap().starts_with(PAYMENTS));
    assert_eq!(ask(rig, &resident), Some(200));
    assert!(rig.ledger(&["verify"]).contains("ledger verified"));
    assert_eq!(rig.stored("SELECT count(*) FROM journal"), 2);
}
