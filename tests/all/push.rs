//! Push: what a hospital sends is kept and acknowledged, whatever event, characters and way.

use std::time::Duration;

use crate::rig::message::{Message, Resident, field};
use crate::rig::{PLAIN_SENDER, Rig, TLS_SENDER};

/// Every event of issue 2.
const EVENTS: &[&str] =
    &["A01", "A02", "A03", "A04", "A05", "A08", "A11", "A12", "A13", "A28", "A31"];

fn code(reply: &[u8]) -> String {
    field(reply, "MSA-1")
}

/// Sends over the plain port and checks the code and that MSA-2 is our MSH-10.
fn check(rig: &Rig, message: &Message, expect: &str) -> Vec<u8> {
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    let shown = String::from_utf8_lossy(&reply).replace('\r', "\n");
    assert_eq!(code(&reply), expect, "{}: {shown}", message.kind);
    assert_eq!(field(&reply, "MSA-2"), message.control);
    reply
}

#[test]
fn every_event_of_the_list_is_kept() {
    let rig = Rig::shared();
    for event in EVENTS {
        check(&rig, &Message::new(event, &Resident::new()), "AA");
    }
    check(&rig, &Message::report(&Resident::new()), "AA");
    // Two citizen ids are two people; a number under which only a hospital knew somebody goes.
    let (old, new) = (Resident::new(), Resident::new());
    let mut first = Message::new("A01", &old);
    first.segments[1] = format!("PID|1||{}^^^HOSP-A^MR||{}", old.local, old.name);
    check(&rig, &first, "AA");
    check(&rig, &Message::new("A01", &new), "AA");
    let mut merge = Message::new("A40", &new);
    merge.segments[1] = format!("PID|1||{}^^^HOSP-A^MR||{}", new.local, new.name);
    merge.segments.push(format!("MRG|{}^^^HOSP-A^MR", old.local));
    check(&rig, &merge, "AA");
}

#[test]
fn every_message_is_counted_once_as_kept_quarantined_or_refused() {
    let rig = Rig::start();
    check(&rig, &Message::new("A01", &Resident::new()), "AA");
    check(&rig, &Message::new("A08", &Resident::new()), "AA");
    let mut unknown = Message::new("A01", &Resident::new());
    unknown.kind = "ADT^Z99".to_owned();
    rig.mllp().exchange(&unknown.bytes()).unwrap();
    rig.mllp().exchange(b"MSH|^~\\&|").unwrap();
    let count = |state: &str| {
        rig.counted("kangqiao_messages_total", &[("source", PLAIN_SENDER), ("state", state)])
    };
    assert_eq!(count("kept"), 2);
    assert_eq!(count("quarantined") + count("refused"), 2);
}

#[test]
fn names_survive_every_character_set() {
    let rig = Rig::shared();
    // In GB 18030 and GBK the second byte of 億 and of 東 is the field separator.
    for (named, label, name) in [
        ("UNICODE UTF-8", "utf-8", "東^億𠮷"),
        ("GB 18030-2000", "gb18030", "東^億𠮷"),
        ("GBK", "gbk", "東^億"),
        ("GB2312", "gb2312", "东^亿"),
        ("8859/1", "iso-8859-1", "Müller^José"),
    ] {
        let resident = Resident { name: name.to_owned(), ..Resident::new() };
        let charset = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        let message = Message::new("A01", &resident);
        let reply = rig.mllp().exchange(&message.clone().encoded(named, charset)).unwrap();
        assert_eq!(code(&reply), "AA", "{named}: {}", String::from_utf8_lossy(&reply));
        assert_eq!(field(&reply, "MSA-2"), message.control, "{named}");
    }
    let mut message = Message::new("A01", &Resident::new());
    message.charset = "UNICODE UTF-16".to_owned();
    let bytes: Vec<u8> = message.text().encode_utf16().flat_map(u16::to_be_bytes).collect();
    let reply = rig.mllp().exchange(&bytes).unwrap();
    let units: Vec<u16> = reply.chunks(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
    let reply = String::from_utf16(&units).unwrap();
    assert_eq!(code(reply.trim_start_matches('\u{feff}').as_bytes()), "AA", "{reply:?}");
}

#[test]
fn bytes_that_are_not_in_the_named_character_set_are_refused() {
    let rig = Rig::shared();
    let message = Message::new("A01", &Resident::new());
    let mut bytes = message.bytes();
    let at = bytes.windows(3).position(|three| three == "测".as_bytes()).unwrap();
    bytes[at] = 0xFF;
    let reply = rig.mllp().exchange(&bytes).unwrap();
    assert!(["AE", "AR"].contains(&code(&reply).as_str()));
    assert_eq!(field(&reply, "ERR-3.1"), "102");
}

#[test]
fn the_same_bytes_again_get_the_same_acknowledgement() {
    let rig = Rig::start();
    let message = Message::new("A01", &Resident::new());
    let first = check(&rig, &message, "AA");
    assert_eq!(check(&rig, &message, "AA"), first);
    assert_eq!(rig.counted("kangqiao_messages_total", &[("state", "kept")]), 1);
    let refused = Message { segments: vec!["ZZZ|1".to_owned()], ..message.clone() };
    let refused = Message { control: "REFUSED-1".to_owned(), ..refused };
    let reply = rig.mllp().exchange(&refused.bytes()).unwrap();
    assert_ne!(code(&reply), "AA");
    assert_eq!(rig.mllp().exchange(&refused.bytes()).unwrap(), reply);
}

/// Every reply to one message, in order.
fn replies(rig: &Rig, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut link = rig.mllp();
    link.send(bytes).unwrap();
    let mut replies = Vec::new();
    while !link.silent_for(Duration::from_millis(300)).unwrap() {
        replies.push(link.receive().unwrap());
    }
    replies
}

#[test]
fn a_kill_changes_no_acknowledgement_of_any_outcome_in_any_mode() {
    let rig = Rig::start();
    let mut sent: Vec<(Vec<u8>, Vec<Vec<u8>>)> = Vec::new();
    for (accept, application) in [("", ""), ("AL", "AL"), ("AL", "NE")] {
        let fresh = |event: &str| {
            let mut message = Message::new(event, &Resident::new());
            message.modes = (accept.to_owned(), application.to_owned());
            message
        };
        let mut quarantined = fresh("A01");
        quarantined.segments[1] = quarantined.segments[1].replace("|M", "|?");
        let mut garbled = fresh("A01").bytes();
        garbled.extend(b"NTE|1||\xff\xfe\xff\r");
        let headless = fresh("A01").text().replace("MSH|", "MSH?").into_bytes();
        for bytes in
            [fresh("A01").bytes(), quarantined.bytes(), fresh("Z99").bytes(), garbled, headless]
        {
            let first = replies(&rig, &bytes);
            assert!(!first.is_empty());
            sent.push((bytes, first));
        }
    }
    let rows = rig.stored("SELECT count(*) FROM journal");
    assert_eq!(rows, sent.len() as u64);
    rig.kill();
    rig.resume();
    for (bytes, first) in &sent {
        let again = replies(&rig, bytes);
        let text = |replies: &[Vec<u8>]| String::from_utf8_lossy(&replies.concat()).into_owned();
        assert_eq!(text(&again), text(first));
    }
    assert_eq!(rig.stored("SELECT count(*) FROM journal"), rows, "a resend was kept twice");
}

#[test]
fn one_message_over_many_connections_at_once_is_kept_once() {
    let rig = Rig::start();
    let message = Message::new("A01", &Resident::new()).bytes();
    let mut links: Vec<_> = (0..8).map(|_| rig.mllp()).collect();
    links.iter_mut().for_each(|link| link.send(&message).unwrap());
    let replies: Vec<_> = links.iter_mut().map(|link| link.receive().unwrap()).collect();
    assert_eq!(code(&replies[0]), "AA");
    assert!(replies.iter().all(|reply| *reply == replies[0]));
    assert_eq!(rig.stored("SELECT count(*) FROM journal"), 1);
    assert_eq!(rig.stored("SELECT sum(received) + 10 * sum(repeated) FROM count"), 71);
}

#[test]
fn a_control_id_used_again_for_other_bytes_is_kept_and_counted() {
    let rig = Rig::start();
    let first = Message::new("A01", &Resident::new());
    let mut second = Message::new("A01", &Resident::new());
    second.control.clone_from(&first.control);
    check(&rig, &first, "AA");
    check(&rig, &second, "AA");
    assert_eq!(rig.counted("kangqiao_messages_total", &[("state", "kept")]), 2);
    assert_eq!(rig.counted("kangqiao_control_id_reused_total", &[]), 1);
}

/// HL7 v2.5.1 section 2.9.3: MSH-15 asks for CA, CE, CR and MSH-16 for AA, AE, AR.
#[test]
fn the_sender_chooses_its_acknowledgements() {
    let rig = Rig::shared();
    let good = Message::new("A01", &Resident::new());
    let mut bad = good.clone();
    bad.segments[1] = bad.segments[1].replace("|M", "|?");
    for (accept, application, for_good, for_bad) in [
        ("", "", vec!["AA"], vec!["AE"]),
        ("AL", "NE", vec!["CA"], vec!["CA"]),
        ("NE", "AL", vec!["AA"], vec!["AE"]),
        ("AL", "AL", vec!["CA", "AA"], vec!["CA", "AE"]),
        ("SU", "ER", vec!["CA"], vec!["CA", "AE"]),
        ("ER", "SU", vec!["AA"], vec![]),
        ("NE", "NE", vec![], vec![]),
    ] {
        for (message, expect) in [(&good, for_good), (&bad, for_bad)] {
            let mut message = message.clone();
            message.control = format!("M{}", crate::rig::message::unique());
            message.modes = (accept.to_owned(), application.to_owned());
            let mut link = rig.mllp();
            link.send(&message.bytes()).unwrap();
            let found: Vec<_> = expect.iter().map(|_| code(&link.receive().unwrap())).collect();
            assert_eq!(found, expect, "MSH-15 {accept} MSH-16 {application}");
            assert!(link.silent_for(Duration::from_millis(150)).unwrap(), "{accept} {application}");
        }
    }
}

#[test]
fn a_fault_is_told_by_position_and_table_code() {
    let rig = Rig::shared();
    let good = Message::new("A01", &Resident::new());
    let with = |from: &str, to: &str| {
        let mut message = good.clone();
        message.control = format!("F{}", crate::rig::message::unique());
        message.segments[1] = message.segments[1].replace(from, to);
        message
    };
    let citizen = citizen_of(&good);
    let wrong = if citizen.ends_with('1') { "2" } else { "1" };
    let wrong = format!("{}{wrong}", &citizen[..17]);
    for (message, segment, place, hl7) in
        [(with("|M", "|?"), "PID", "8", "103"), (with(&citizen, &wrong), "PID", "3", "102")]
    {
        let reply = rig.mllp().exchange(&message.bytes()).unwrap();
        assert_eq!(code(&reply), "AE");
        assert_eq!(field(&reply, "ERR-2.1"), segment);
        assert_eq!(field(&reply, "ERR-2.3"), place);
        assert_eq!(field(&reply, "ERR-3.1"), hl7);
        assert_eq!(field(&reply, "ERR-4"), "E");
        assert!(!String::from_utf8_lossy(&reply).contains(&wrong), "a value stands in the reply");
    }
}

fn citizen_of(message: &Message) -> String {
    let pid = &message.segments[1];
    let after = pid.split_once('~').unwrap().1;
    after.split_once('^').unwrap().0.to_owned()
}

#[test]
fn an_unknown_event_is_quarantined_and_said_to_be() {
    let rig = Rig::start();
    let mut message = Message::new("A01", &Resident::new());
    message.kind = "ADT^Z99".to_owned();
    let reply = check(&rig, &message, "AR");
    assert_eq!(field(&reply, "ERR-3.1"), "201");
    assert_eq!(rig.counted("kangqiao_messages_total", &[("state", "quarantined")]), 1);
}

#[test]
fn https_and_mllp_over_tls_take_the_same_messages() {
    let rig = Rig::shared();
    let message = Message::new("A01", &Resident::new());
    let reply = rig.mllps(TLS_SENDER).unwrap().exchange(&message.bytes()).unwrap();
    assert_eq!((code(&reply).as_str(), field(&reply, "MSA-2")), ("AA", message.control));
    let message = Message::new("A08", &Resident::new());
    let mut link = rig.https(TLS_SENDER);
    let reply = link.post("/v1/messages", "application/hl7-v2", &message.bytes()).unwrap();
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!((code(&reply.body).as_str(), field(&reply.body, "MSA-2")), ("AA", message.control));
}

#[test]
fn who_has_no_sender_certificate_pushes_nothing() {
    let rig = Rig::shared();
    let kept = |rig: &Rig| rig.counted("kangqiao_messages_total", &[("state", "kept")]);
    let before = kept(&rig);
    let message = Message::new("A01", &Resident::new()).bytes();
    for name in ["stranger", "revoked", ""] {
        let accepted = rig
            .mllps(name)
            .and_then(|mut link| link.exchange(&message))
            .is_ok_and(|reply| code(&reply) == "AA");
        assert!(!accepted, "MLLP took a message from `{name}`");
        let mut link = rig.https(name);
        let reply = link.post("/v1/messages", "application/hl7-v2", &message);
        let code = reply.map_or("AR".to_owned(), |reply| match reply.status {
            403 => "AR".to_owned(),
            _ => code(&reply.body),
        });
        assert_eq!(code, "AR", "HTTPS took a message from `{name}`");
    }
    // Other tests share this gateway, so what is counted is looked up by the resend instead.
    assert!(kept(&rig) >= before);
    let first = rig.mllp().exchange(&message).unwrap();
    assert_eq!(code(&first), "AA");
}
