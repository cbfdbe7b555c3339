//! What is small on the wire and large in memory: each is refused, and the process stays small.

use std::io::Write;

use kangqiao_conformance::https::Reply;

use crate::rig::message::{Message, Resident, field};
use crate::rig::{CLERK, HOME, Rig, TLS_SENDER, until};

/// What the process may grow by, KiB.
const GROWTH_KIB_MAX: u64 = 96 * 1024;

/// A megabyte of zeros by gzip, a thousandth of it (RFC 1952; written with `gzip -9n`).
fn gzipped() -> Vec<u8> {
    let mut child = std::process::Command::new("gzip")
        .args(["-9", "-n"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut into = child.stdin.take().unwrap();
    std::thread::spawn(move || into.write_all(&vec![b'0'; 8 << 20]));
    child.wait_with_output().unwrap().stdout
}

fn post(rig: &Rig, who: &str, (path, headers): (&str, &str), body: &[u8]) -> Reply {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    rig.https(who).ask(&[head.as_bytes(), body].concat()).unwrap()
}

#[test]
fn nothing_compressed_is_unpacked() {
    let rig = Rig::shared();
    let bomb = gzipped();
    assert!(bomb.len() < 64 * 1024);
    for path in ["/v1/inquiries", "/v1/messages", "/v1/batches", "/fhir", "/soap/regional"] {
        for coding in ["gzip", "deflate", "br", "zstd", "identity, gzip"] {
            let headers = format!("content-type: application/json\r\ncontent-encoding: {coding}");
            let reply = post(&rig, CLERK, (path, &headers), &bomb);
            let said = String::from_utf8_lossy(&reply.body).into_owned();
            assert_eq!(reply.status, 415, "{path} {coding}: {said}");
            assert_eq!(reply.json()["fault"], "unsupported-media", "{path} {coding}: {said}");
        }
    }
    // Nor is it without a word that says so: it is no message.
    for media in ["application/json", "application/zip", "application/gzip", "application/xml"] {
        let headers = format!("content-type: {media}");
        let reply = post(&rig, TLS_SENDER, ("/v1/messages", &headers), &bomb);
        assert!((400..500).contains(&reply.status), "{media}: {}", reply.status);
    }
}

/// Bodies that are deep, wide, or say that something is to be put in a thousand times.
fn bombs() -> Vec<(&'static str, &'static str, String)> {
    let deep = 100_000;
    let entities: String = (1..10)
        .map(|level| format!("<!ENTITY e{level} \"{}\">", format!("&e{};", level - 1).repeat(10)))
        .collect();
    let laughs = format!("<!DOCTYPE a [<!ENTITY e0 \"ha\">{entities}]><a>&e9;</a>");
    let tree = "<a>".repeat(deep) + &"</a>".repeat(deep);
    let wide = format!("<a {}/>", (0..20_000).map(|n| format!("x{n}=\"y\" ")).collect::<String>());
    let outside = "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>".to_owned();
    let brackets = "[".repeat(deep * 5);
    let objects = "{\"a\":".repeat(deep);
    let many = format!("[{}0]", "0,".repeat(400_000));
    let number = format!("{{\"dataset\":1{}}}", "0".repeat(900_000));
    vec![
        ("an entity of a billion", "application/xml", laughs.clone()),
        ("an entity of a billion, civil", "application/vnd.kangqiao.civil+xml", laughs),
        ("an entity from outside", "application/xml", outside),
        ("a deep tree", "application/xml", tree.clone()),
        ("a deep civil tree", "application/vnd.kangqiao.civil+xml", tree),
        ("a wide element", "application/xml", wide),
        ("deep brackets", "application/fhir+json", brackets.clone()),
        ("deep objects", "application/vnd.kangqiao.civil+json", objects.clone()),
        ("deep objects, platform", "application/vnd.kangqiao.platform+json", objects),
        ("deep brackets, card", "application/vnd.kangqiao.card+json", brackets),
        ("many units", "application/vnd.kangqiao.civil+json", many),
        ("a long number", "application/vnd.kangqiao.civil+json", number),
        ("a cell of a megabyte", "text/csv", format!("dataset,x\n\"{}", "y".repeat(900_000))),
        ("a million cells", "text/csv", ",".repeat(1_000_000)),
    ]
}

#[test]
fn what_is_deep_or_wide_is_refused_and_the_process_stays_small() {
    let rig = Rig::start();
    let (before, _) = rig.memory_kib();
    for (what, media, body) in bombs() {
        let headers = format!("content-type: {media}");
        let reply = post(&rig, HOME, ("/v1/messages", &headers), body.as_bytes());
        let said = String::from_utf8_lossy(&reply.body).into_owned();
        assert!((400..500).contains(&reply.status), "{what}: {} {said}", reply.status);
        assert_ne!(reply.json()["state"], "kept", "{what}: {said}");
    }
    for (path, media) in [("/fhir", "application/fhir+json"), ("/soap/regional", "text/xml")] {
        let body = if path == "/fhir" { "[".repeat(900_000) } else { "<a>".repeat(300_000) };
        let headers = format!("content-type: {media}");
        let reply = post(&rig, CLERK, (path, &headers), body.as_bytes());
        assert!((400..=500).contains(&reply.status), "{path}: {}", reply.status);
    }
    for body in ["[".repeat(60_000), "{\"a\":".repeat(12_000)] {
        assert_eq!(rig.try_ask(CLERK, body.as_bytes()).unwrap().status, 413);
    }
    // Nothing but separators.
    let good = Message::new("A01", &Resident::new()).text();
    for sign in ["|", "^", "~", "&", "\r", "\\F\\"] {
        let text = good.replacen("PID|1||", &format!("PID|1||{}", sign.repeat(900_000)), 1);
        let reply = rig.mllp().exchange(text.as_bytes());
        let said = reply.map(|reply| field(&reply, "MSA-1")).unwrap_or_default();
        assert_ne!(said, "AA", "{sign:?}");
    }
    let (_, highest) = rig.memory_kib();
    assert!(highest.saturating_sub(before) < GROWTH_KIB_MAX, "from {before} to {highest} KiB");
}

#[test]
fn a_row_without_end_is_refused_before_it_is_there() {
    let list = "[[subscription]]\nname = \"payees\"\ndepartment = \"civil-affairs\"\n\
        role = \"clerk\"\npurpose = \"living-check\"\n";
    let rig = Rig::prepare(list);
    rig.resume();
    let (before, _) = rig.memory_kib();
    for (media, body) in [
        ("application/x-ndjson", "{\"reference\":\"".to_owned() + &"x".repeat(24 << 20)),
        ("text/csv", "reference,kind,value\n\"".to_owned() + &"x".repeat(24 << 20)),
    ] {
        let headers = format!("content-type: {media}\r\nkangqiao-purpose: living-check");
        let reply = post(&rig, CLERK, ("/v1/batches", &headers), body.as_bytes());
        let said = String::from_utf8_lossy(&reply.body).into_owned();
        if reply.status != 202 {
            assert!((400..500).contains(&reply.status), "{media}: {} {said}", reply.status);
            continue;
        }
        // The batch was taken, and the row was not.
        let batch = format!("/v1/batches/{}", reply.json()["batch"].as_str().unwrap());
        let refused = until("the row is looked at", || {
            let standing = rig.https(CLERK).get(&batch).unwrap().json();
            (standing["state"] == "ready").then_some(standing)
        });
        assert_eq!(refused["accepted"], 0, "{media}: {refused}");
        assert_eq!(refused["refusals"][0]["fault"], "limit", "{media}: {refused}");
    }
    let (_, highest) = rig.memory_kib();
    assert!(highest.saturating_sub(before) < GROWTH_KIB_MAX, "from {before} to {highest} KiB");
}
