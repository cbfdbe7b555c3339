//! Whoever is slow: handshakes, heads, bodies and frames that dribble, answers that nobody
//! reads. Each has its time, and is then closed.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use kangqiao_conformance::mllp;
use kangqiao_conformance::stream::Stream;

use crate::rig::message::{Message, Resident, field};
use crate::rig::{CLERK, PATIENCE, Rig, at, until};

/// A time that is over soon, milliseconds; every other one is longer than a test is patient.
const SOON_MS: u64 = 2_000;
const SOON: Duration = Duration::from_millis(SOON_MS);

/// A gateway of which these times are short at every port that has them.
fn rig(short: &[&str]) -> Rig {
    let mut rig = Rig::prepare("");
    let keys = |names: &[&str]| {
        let time = |name: &&str| {
            let ms = if short.contains(name) { SOON_MS } else { 3_600_000 };
            format!("{name} = {ms}")
        };
        names.iter().map(time).collect::<Vec<_>>().join(", ")
    };
    let https =
        keys(&["handshake_ms_max", "head_ms_max", "body_ms_max", "write_ms_max", "idle_ms_max"]);
    let mllp = keys(&[
        "handshake_ms_max",
        "first_byte_ms_max",
        "idle_ms_max",
        "frame_ms_max",
        "write_ms_max",
    ]);
    let config = std::fs::read_to_string(rig.config()).unwrap();
    let config = config
        .replace("[[mllp]]\n", &format!("[[mllp]]\nlimits = {{ {mllp} }}\n"))
        .replace("[https]\n", &format!("[https]\nlimits = {{ {https} }}\n"))
        .replace("[console]\n", &format!("[console]\nlimits = {{ {https} }}\n"));
    std::fs::write(rig.config(), config).unwrap();
    rig.words = vec!["--echo"];
    rig.resume();
    rig
}

fn tls(rig: &Rig) -> Stream {
    let stream = Stream::connect(&at(rig.ports.https), Some(&rig.tls(CLERK))).unwrap();
    stream.socket().set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What is said until the other side closes; it must, and not for want of our patience.
fn until_closed(stream: &mut impl Read) -> String {
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => said.extend_from_slice(&piece[..count]),
            Err(error) => {
                let patient = [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind());
                assert!(!patient, "it stays open");
                break;
            }
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_handshake_that_does_not_end_is_ended() {
    let rig = rig(&["handshake_ms_max"]);
    for port in [rig.ports.https, rig.ports.console, rig.ports.mllps] {
        for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(begun).unwrap();
            until_closed(&mut stream);
        }
    }
}

#[test]
fn a_head_that_dribbles_is_ended_the_first_and_the_next() {
    let rig = rig(&["head_ms_max"]);
    let head = "POST /v1/inquiries HTTP/1.1\r\nhost: x\r\n";
    let mut first = tls(&rig);
    first.write_all(head.as_bytes()).unwrap();
    until_closed(&mut first);
    let mut next = tls(&rig);
    next.write_all(format!("{head}content-length: 2\r\n\r\n{{}}").as_bytes()).unwrap();
    let mut reply = [0; 4096];
    let count = next.read(&mut reply).unwrap();
    assert!(reply[..count].starts_with(b"HTTP/1.1 422"));
    next.write_all(head.as_bytes()).unwrap();
    until_closed(&mut next);
    // One byte after the other makes it no longer.
    let mut slow = tls(&rig);
    let dribble = "x-a: b\r\n".bytes().cycle();
    let _ = slow.write_all(head.as_bytes());
    let ended = dribble.take(100_000).any(|byte| {
        std::thread::sleep(Duration::from_millis(5));
        slow.write_all(&[byte]).and_then(|()| slow.flush()).is_err()
    });
    assert!(ended, "it reads on");
}

#[test]
fn a_body_that_dribbles_is_refused_by_name() {
    let rig = rig(&["body_ms_max", "head_ms_max"]);
    for (path, headers) in [
        ("/v1/inquiries", ""),
        ("/v1/messages", "content-type: application/hl7-v2\r\n"),
        ("/fhir", "content-type: application/fhir+json\r\n"),
        ("/soap/regional", "content-type: text/xml\r\n"),
    ] {
        let mut stream = tls(&rig);
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: 9\r\n\r\n{{");
        stream.write_all(head.as_bytes()).unwrap();
        let said = until_closed(&mut stream);
        assert!(said.starts_with("HTTP/1.1 408"), "{path}: {said}");
        assert!(said.contains("\"fault\":\"limit\""), "{path}: {said}");
    }
}

#[test]
fn whoever_says_nothing_between_two_requests_is_closed() {
    let rig = rig(&["idle_ms_max"]);
    let mut stream = tls(&rig);
    let request = "GET /v1/ledger/nothing HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let said = until_closed(&mut stream);
    assert!(said.starts_with("HTTP/1.1 4"), "{said}");
    let mut plain = rig.mllp();
    plain.wait(PATIENCE).unwrap();
    let reply = plain.exchange(&Message::new("A01", &Resident::new()).bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    assert_eq!(plain.receive().unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

/// Writes until the other side does not let it, and never reads; why it ended.
fn never_reads(mut write: impl FnMut(&[u8]) -> std::io::Result<()>, piece: &[u8]) -> ErrorKind {
    for _ in 0..2_000 {
        if let Err(error) = write(piece) {
            return error.kind();
        }
    }
    panic!("the gateway takes everything and is never read");
}

#[test]
fn an_answer_that_nobody_reads_is_given_up() {
    let rig = rig(&["write_ms_max"]);
    let (before, _) = rig.memory_kib();
    let body = vec![b'x'; 1 << 19];
    let head =
        format!("POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut stream = tls(&rig);
    stream.socket().set_write_timeout(Some(PATIENCE)).unwrap();
    let piece = [head.as_bytes(), &body].concat();
    let ended = never_reads(|piece| stream.write_all(piece), &piece);
    assert!(![ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&ended), "{ended}");
    let mut plain = TcpStream::connect(("127.0.0.1", rig.ports.mllp)).unwrap();
    plain.set_write_timeout(Some(PATIENCE)).unwrap();
    let message = Message::new("A01", &Resident::new()).bytes();
    let framed = [&[mllp::START], &message[..], &mllp::END].concat().repeat(64);
    let ended = never_reads(|piece| plain.write_all(piece), &framed);
    assert!(![ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&ended), "{ended}");
    let open = || rig.counted("kangqiao_connections", &[]);
    until("their places are free", || (open() == 0).then_some(()));
    let (_, highest) = rig.memory_kib();
    assert!(highest - before < 96 * 1024, "grew from {before} to {highest} KiB");
}

#[test]
fn a_frame_or_a_message_of_a_batch_that_dribbles_is_ended() {
    let rig = rig(&["frame_ms_max"]);
    let message = Message::new("A01", &Resident::new());
    let begun = message.text().split('\r').next().unwrap().to_owned();
    let batch = format!("FHS|^~\\&|A|B\rBHS|^~\\&|A|B\r{}", message.text());
    for text in [begun, batch] {
        let mut stream = TcpStream::connect(("127.0.0.1", rig.ports.mllp)).unwrap();
        stream.set_read_timeout(Some(SOON / 20)).unwrap();
        stream.write_all(&[&[mllp::START], text.as_bytes()].concat()).unwrap();
        let mut piece = [0; 4096];
        // Well within the time of each single read.
        let ended = (0..10_000).any(|_| {
            let said = stream.read(&mut piece);
            matches!(said, Ok(0)) || stream.write_all(b"\rNTE|1||x").is_err()
        });
        assert!(ended, "it is read on: {text}");
    }
}
