//! Requests that two readers would cut differently: each is refused, or one request, never two.

use std::io::{Read, Write};

use kangqiao_conformance::stream::Stream;

use crate::rig::{CLERK, Rig, at};

/// What a second reader would take for a request of its own. It closes behind itself.
const INNER: &str = "GET /v1/ledger/checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// The statuses of all replies, until the gateway closes.
fn statuses(rig: &Rig, bytes: &[u8]) -> Vec<u16> {
    let mut stream = Stream::connect(&at(rig.ports.https), Some(&rig.tls(CLERK))).unwrap();
    // It may close in the middle of our writing.
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
    let mut said = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        said.extend_from_slice(&piece[..count]);
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    said.split("HTTP/1.1 ").skip(1).map(|reply| reply[..3].parse().unwrap()).collect()
}

/// A request for nothing with these headers; what is behind them comes at once.
fn request(headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /v1/inquiries HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[test]
fn what_can_be_cut_in_two_ways_is_refused_as_one() {
    let rig = Rig::shared();
    let length = INNER.len();
    let chunked = format!("0\r\n\r\n{INNER}");
    let hidden = format!("{:x}\r\n{INNER}\r\n0\r\n\r\n", length);
    for (what, headers, body) in [
        ("both", format!("content-length: {length}\r\ntransfer-encoding: chunked"), &chunked),
        ("both, turned", "transfer-encoding: chunked\r\ncontent-length: 5".into(), &chunked),
        ("two lengths", format!("content-length: 0\r\ncontent-length: {length}"), &INNER.into()),
        ("the same twice", "content-length: 0\r\ncontent-length: 0".into(), &INNER.into()),
        ("a list of lengths", format!("content-length: 0, {length}"), &INNER.into()),
        ("a signed length", "content-length: +0".into(), &INNER.into()),
        ("a negative length", "content-length: -1".into(), &INNER.into()),
        ("a length of words", "content-length: 0x10".into(), &INNER.into()),
        ("a length too long", "content-length: 18446744073709551616".into(), &INNER.into()),
        (
            "chunked twice",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked".into(),
            &hidden,
        ),
        ("an odd coding", "transfer-encoding: xchunked".into(), &hidden),
        ("chunked and more", "transfer-encoding: chunked, identity".into(), &hidden),
        ("chunked by gzip", "transfer-encoding: gzip, chunked".into(), &hidden),
        ("a tab before it", "transfer-encoding: \u{b}chunked".into(), &hidden),
        ("a blank before the colon", "transfer-encoding : chunked".into(), &hidden),
        ("a folded line", "x-a: b\r\n transfer-encoding: chunked".into(), &hidden),
        ("a folded length", format!("content-length:\r\n {length}"), &INNER.into()),
        ("a zero byte", "x-a: b\0c".into(), &INNER.into()),
        ("a bare return", "x-a: b\rtransfer-encoding: chunked".into(), &hidden),
        ("a name of two words", "x a: b".into(), &INNER.into()),
        ("two hosts", "host: y".into(), &INNER.into()),
        ("a line too long", format!("x-a: {}", "b".repeat(200_000)), &INNER.into()),
        ("too many lines", "x-a: b\r\n".repeat(200) + "x-b: c", &INNER.into()),
    ] {
        let found = statuses(&rig, &request(&headers, body));
        // An odd head may end the connection before anything is said.
        assert!(found.len() <= 1, "{what}: {found:?}");
        assert!(found.iter().all(|status| (400..500).contains(status)), "{what}: {found:?}");
    }
}

#[test]
fn chunks_are_read_as_they_are_written_or_not_at_all() {
    let rig = Rig::shared();
    let inner = INNER.len();
    for (what, body) in [
        ("a size with a sign", format!("+0\r\n\r\n{INNER}")),
        ("a size with a prefix", format!("0x0\r\n\r\n{INNER}")),
        ("no size", format!("\r\n\r\n{INNER}")),
        ("a size too large", format!("fffffffffffffffff\r\n{INNER}")),
        ("a bare line feed behind the size", format!("0\n\n{INNER}")),
        ("a bare line feed in an extension", format!("0;a=b\nx\r\n\r\n{INNER}")),
        ("a chunk that is longer than it says", format!("1\r\nab\r\n0\r\n\r\n{INNER}")),
        ("a size hidden in an extension", format!("{inner:x};\n0\r\n{INNER}\r\n0\r\n\r\n")),
    ] {
        let found = statuses(&rig, &request("transfer-encoding: chunked", &body));
        assert!(found.len() <= 1, "{what}: {found:?}");
        assert!(found.iter().all(|status| (400..500).contains(status)), "{what}: {found:?}");
    }
    // What is allowed is one request, of a body that asks nothing.
    for body in ["2;name=\"a b\"\r\n{}\r\n0\r\n\r\n", "2\r\n{}\r\n0\r\ntrailer: x\r\n\r\n"] {
        assert_eq!(statuses(&rig, &request("transfer-encoding: chunked", body)), [422]);
    }
}

#[test]
fn a_body_is_no_request_and_a_second_request_is_one() {
    let rig = Rig::shared();
    // As long as it says: the inner one is a body.
    let whole = format!("content-length: {}", INNER.len());
    assert_eq!(statuses(&rig, &request(&whole, INNER)), [400]);
    // Of a GET too, where many readers do not look for one.
    let get = format!(
        "GET /v1/ledger/nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{whole}\r\n\r\n{INNER}"
    );
    assert_eq!(statuses(&rig, get.as_bytes()).len(), 1);
    // Two requests in one write are two, and answered in their order.
    let first = INNER.replace("close", "keep-alive").replace("checkpoint", "nothing");
    let answered = statuses(&rig, format!("{first}{INNER}").as_bytes());
    assert_eq!(answered.len(), 2, "{answered:?}");
    assert_ne!(answered[0], answered[1]);
    // Without a version of today, nothing is chunked and nobody is named by anything but a host.
    for head in [
        format!(
            "POST /v1/inquiries HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{INNER}"
        ),
        format!("POST /v1/inquiries HTTP/1.1\r\nconnection: close\r\n\r\n{INNER}"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let found = statuses(&rig, head.as_bytes());
        assert!(found.len() <= 1 && found.iter().all(|status| *status >= 400), "{found:?}: {head}");
    }
    // Bare line feeds end lines as in many readers: it is one request, cut as they cut it.
    let bare = request("content-length: 2", "{}");
    let bare = String::from_utf8(bare).unwrap().replace("\r\n", "\n");
    assert_eq!(statuses(&rig, bare.as_bytes()), [422]);
}
