//! Batches: every message its own journal row, one batch back, counts checked.

use crate::rig::message::{Message, Resident};
use crate::rig::{Rig, TLS_SENDER};

const FILE: &str = "FHS|^~\\&|HIS|HOSP-A|KANGQIAO|MZ|20261001||night.hl7||F1\r\
    BHS|^~\\&|HIS|HOSP-A|KANGQIAO|MZ|20261001||||B1\r";

fn batch(messages: usize, told: usize) -> Vec<u8> {
    let mut text = FILE.to_owned();
    for _ in 0..messages {
        text += &Message::new("A01", &Resident::new()).text();
    }
    text += &format!("BTS|{told}\rFTS|1\r");
    text.into_bytes()
}

fn check(reply: &[u8], messages: usize, trailer: &str) {
    let reply = String::from_utf8_lossy(reply).into_owned();
    let lines: Vec<_> = reply.split_terminator('\r').collect();
    let ids: Vec<_> = lines.iter().filter_map(|line| line.get(..3)).collect();
    let mut expect = vec!["FHS", "BHS"];
    expect.extend(["MSH", "MSA"].repeat(messages));
    expect.extend(["BTS", "FTS"]);
    assert_eq!(ids, expect, "{reply}");
    assert!(lines[0].ends_with("|F1") && lines[1].ends_with("|B1"), "{reply}");
    assert!(lines.iter().filter(|line| line.starts_with("MSA|AA|")).count() == messages, "{reply}");
    assert_eq!(lines[lines.len() - 2], trailer, "{reply}");
}

#[test]
fn a_batch_is_taken_message_by_message_and_answered_by_one_batch() {
    let rig = Rig::start();
    let rows = || rig.stored("SELECT count(*) FROM journal");
    let reply = rig.mllp().exchange(&batch(3, 3)).unwrap();
    check(&reply, 3, "BTS|3");
    assert_eq!(rows(), 3);
    let sent = batch(2, 5);
    let reply = rig.https(TLS_SENDER).post("/v1/messages", "application/hl7-v2", &sent).unwrap();
    check(&reply.body, 2, "BTS|2|5 messages were told, 2 came");
    assert_eq!(rows(), 5);
    // The same again: the stored outcomes, and no new row.
    let reply = rig.https(TLS_SENDER).post("/v1/messages", "application/hl7-v2", &sent).unwrap();
    check(&reply.body, 2, "BTS|2|5 messages were told, 2 came");
    assert_eq!(rows(), 5);
}

#[test]
fn a_batch_longer_than_a_frame_is_streamed() {
    let rig = Rig::start();
    // Some 1.3 MB; a single message may have 1 MiB.
    let reply = rig.mllp().exchange(&batch(3_000, 3_000)).unwrap();
    check(&reply, 3_000, "BTS|3000");
    let after = rig.mllp().exchange(&Message::new("A01", &Resident::new()).bytes()).unwrap();
    assert!(String::from_utf8_lossy(&after).contains("MSA|AA"));
}
