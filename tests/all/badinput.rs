//! Bad input: a clear refusal by position, a bounded process, neighbours that notice nothing.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use kangqiao_conformance::{https, mllp};

use crate::rig::message::{Message, Resident, field};
use crate::rig::{CLERK, Rig, at};

/// What the process may grow by while it is fed nonsense, KiB.
const GROWTH_KIB_MAX: u64 = 96 * 1024;
/// The largest frame the default configuration takes is below this, bytes.
const TOO_LARGE: usize = 24 << 20;

/// A neighbour whose connection must live and be answered promptly throughout.
struct Neighbour {
    link: mllp::Link,
}

impl Neighbour {
    fn of(rig: &Rig) -> Self {
        Self { link: rig.mllp() }
    }

    fn is_served(&mut self) {
        let message = Message::new("A01", &Resident::new());
        let begun = Instant::now();
        let reply = self.link.exchange(&message.bytes()).unwrap();
        assert_eq!(
            (field(&reply, "MSA-1").as_str(), field(&reply, "MSA-2")),
            ("AA", message.control)
        );
        assert!(begun.elapsed() < Duration::from_secs(5), "the neighbour waited");
    }
}

/// Sends bytes and takes what comes until the other side closes or falls silent.
fn fed(rig: &Rig, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut link = rig.mllp();
    link.wait(Duration::from_millis(400)).unwrap();
    // The gateway may close in the middle of our writing; that is a refusal too.
    let _ = link.raw(bytes);
    std::iter::from_fn(|| link.receive().ok()).collect()
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&[mllp::START], body, &mllp::END].concat()
}

fn nonsense() -> Vec<(&'static str, Vec<u8>)> {
    let good = Message::new("A01", &Resident::new());
    let header = good.text().split('\r').next().unwrap().to_owned() + "\r";
    let with = |from: &str, to: &str| framed(good.text().replacen(from, to, 1).as_bytes());
    let many = header.clone() + &"NTE|1||x\r".repeat(100_000);
    vec![
        ("no frame at all", good.bytes()),
        ("an end without a start", mllp::END.to_vec()),
        ("a start inside a frame", framed(&framed(&good.bytes()))),
        ("a broken encoding", framed(b"MSH|^~\\&|A|B|C|D|1||ADT^A01|X1|P|2.5\rPID|1||\xff\xfe\r")),
        ("nothing in a frame", framed(b"")),
        ("three letters", framed(b"MSH")),
        ("MSH cut short", framed(b"MSH|^~")),
        ("MSH without its fields", framed(b"MSH|^~\\&|||||||\r")),
        ("separators that are letters", with("MSH|^~\\&", "MSHabcde")),
        ("separators that are equal", with("MSH|^~\\&", "MSH|||||")),
        ("100,000 segments", framed(many.as_bytes())),
        ("100,000 repetitions", with("PID|1||", &format!("PID|1||{}", "~".repeat(100_000)))),
        ("100,000 fields", with("PID|1|", &format!("PID|1{}", "|".repeat(100_000)))),
        ("an unknown event", with("ADT^A01", "ADT^Z99")),
        ("an unknown message", with("ADT^A01", "XYZ^Q99")),
        ("an unknown version", with("|2.5.1|", "|9.9|")),
        ("a processing id of nobody", with("|P|2.5.1|", "|Q|2.5.1|")),
        ("a segment of two letters", with("EVN|", "EV|")),
        ("zero bytes", framed(&[0; 4096])),
        ("every byte there is", framed(&(0..=255).collect::<Vec<u8>>())),
    ]
}

#[test]
fn nonsense_is_refused_and_the_neighbour_does_not_notice() {
    let rig = Rig::start();
    let mut neighbour = Neighbour::of(&rig);
    neighbour.is_served();
    let (before, _) = rig.memory_kib();
    for (what, bytes) in nonsense() {
        for reply in fed(&rig, &bytes) {
            assert_ne!(field(&reply, "MSA-1"), "AA", "{what} was acknowledged");
            assert_ne!(field(&reply, "MSA-1"), "CA", "{what} was acknowledged");
        }
        neighbour.is_served();
    }
    let (_, highest) = rig.memory_kib();
    assert!(highest.saturating_sub(before) < GROWTH_KIB_MAX, "grew from {before} to {highest} KiB");
}

#[test]
fn a_refusal_in_a_frame_names_a_position_and_a_code() {
    let rig = Rig::shared();
    let good = Message::new("A01", &Resident::new());
    for (from, to, codes) in [
        ("ADT^A01", "ADT^Z99", ["201", "201"]),
        ("ADT^A01", "XYZ^Q99", ["200", "201"]),
        ("|P|2.5.1|", "|P|9.9|", ["203", "203"]),
        ("|P|2.5.1|", "|Q|2.5.1|", ["202", "202"]),
        ("EVN|", "EV|", ["100", "100"]),
    ] {
        let replies = fed(&rig, &framed(good.text().replacen(from, to, 1).as_bytes()));
        let reply = replies.first().unwrap_or_else(|| panic!("no reply for {to}"));
        assert_eq!(field(reply, "MSA-2"), good.control, "{to}");
        let code = field(reply, "ERR-3.1");
        assert!(codes.contains(&code.as_str()), "{to}: {}", String::from_utf8_lossy(reply));
    }
}

#[test]
fn a_frame_without_end_is_cut_off_at_the_limit() {
    let rig = Rig::start();
    let mut neighbour = Neighbour::of(&rig);
    neighbour.is_served();
    let (before, _) = rig.memory_kib();
    let mut endless: Vec<_> = (0..4).map(|_| rig.mllp()).collect();
    let piece = vec![b'x'; 1 << 16];
    for link in &mut endless {
        link.raw(&[mllp::START]).unwrap();
        let sent = (0..TOO_LARGE / piece.len()).take_while(|_| link.raw(&piece).is_ok()).count();
        // Either our writing failed, or the gateway has closed: the next reading shows it.
        let closed = matches!(
            std::iter::from_fn(|| Some(link.receive())).find_map(Result::err).map(|e| e.kind()),
            Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
        );
        assert!(closed, "the gateway took {} bytes and stays open", sent * piece.len());
        neighbour.is_served();
    }
    let (_, highest) = rig.memory_kib();
    assert!(highest.saturating_sub(before) < GROWTH_KIB_MAX, "grew from {before} to {highest} KiB");
}

#[test]
fn one_byte_at_a_time_is_a_message_like_any_other() {
    let rig = Rig::shared();
    let message = Message::new("A01", &Resident::new());
    let mut link = rig.mllp();
    for byte in framed(&message.bytes()) {
        link.raw(&[byte]).unwrap();
    }
    assert_eq!(field(&link.receive().unwrap(), "MSA-1"), "AA");
}

#[test]
fn many_idle_connections_do_not_keep_others_out() {
    let rig = Rig::start();
    let _idle: Vec<_> = (0..100).map(|_| rig.mllp()).collect();
    Neighbour::of(&rig).is_served();
}

#[test]
fn http_nonsense_is_refused_and_the_next_request_served() {
    let rig = Rig::start();
    let (before, _) = rig.memory_kib();
    let head = "POST /v1/inquiries HTTP/1.1\r\nhost: x\r\n";
    for (what, bytes) in [
        ("no request at all", b"\x16\x03\x01hello\r\n\r\n".to_vec()),
        ("two hosts", format!("{head}host: y\r\ncontent-length: 0\r\n\r\n").into_bytes()),
        ("a length that is none", format!("{head}content-length: -1\r\n\r\n").into_bytes()),
        ("two lengths", format!("{head}content-length: 1\r\ncontent-length: 2\r\n\r\nx").into()),
        ("a body announced too large", format!("{head}content-length: 999999999\r\n\r\n").into()),
        ("endless headers", format!("{head}{}\r\n", "x-y: z\r\n".repeat(20_000)).into_bytes()),
    ] {
        let mut link = https::Link::connect(&at(rig.ports.https), Some(&rig.tls(CLERK))).unwrap();
        let status = link.ask(&bytes).map(|reply| reply.status);
        assert!(
            status.as_ref().is_ok_and(|status| (400..500).contains(status)) || status.is_err(),
            "{what}: {status:?}"
        );
    }
    for path in ["/", "/v1", "/v1/inquiries/../messages", "/v1/echo", "/metrics"] {
        let reply = rig.https(CLERK).post(path, "application/json", b"{}").unwrap();
        assert_eq!(reply.status, 404, "{path}");
    }
    assert_eq!(rig.https(CLERK).get("/v1/inquiries").unwrap().status, 405);
    let (_, highest) = rig.memory_kib();
    assert!(highest.saturating_sub(before) < GROWTH_KIB_MAX, "grew from {before} to {highest} KiB");
}

#[test]
fn plain_text_on_a_tls_port_and_tls_on_the_plain_port_end() {
    let rig = Rig::shared();
    let message = Message::new("A01", &Resident::new());
    let mut plain = mllp::Link::connect(&at(rig.ports.mllps), None).unwrap();
    assert!(plain.exchange(&message.bytes()).is_err());
    let tls = mllp::Link::connect(&at(rig.ports.mllp), Some(&rig.tls(CLERK)));
    let taken = tls.and_then(|mut link| {
        link.wait(Duration::from_secs(2))?;
        link.exchange(&message.bytes())
    });
    assert!(taken.is_err());
}
