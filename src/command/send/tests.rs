//! `send` against a listener that answers by a script.

use clap::Parser;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::inbound::mllp::{Arrival, Listener, Settings, serve};
use crate::vocabulary::{Date, Fault, Position, position::Hl7Position};
use crate::wire::hl7v2::{Stamp, Verdict, replies};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// Answers as the trigger event asks: A01 applied, A02 quarantined, A03 refused, A04 not at all.
async fn answer(arrival: Arrival) -> Vec<Vec<u8>> {
    let (body, fault) = match arrival {
        Arrival::Message(received) => (received.body, None),
        Arrival::Broken { received, fault, at } => (received.body, Some((fault, at))),
        Arrival::Group(..) => return Vec::new(),
    };
    let header = Header::salvage(&body, Charset::Utf8);
    let place = Some(Position::Hl7(Hl7Position::field(*b"PID", 8)));
    let event = header.as_ref().map_or("", |header| header.trigger.as_str());
    let verdict = match (event, fault) {
        (_, Some((fault, at))) => Verdict::refused(fault, at),
        ("A02", None) => Verdict::quarantined(Fault::TableValue, place),
        ("A03", None) => Verdict::refused(Fault::UnsupportedEvent, None),
        ("A04", None) => return Vec::new(),
        _ => Verdict::applied(),
    };
    let at = Date::parse("20261121").unwrap();
    replies(header.as_ref(), &verdict, Stamp { control_id: "K1", at: &at })
}

async fn check(files: &[&str], refused: usize, expected: &[&str]) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let settings = Settings { frame_bytes_max: 300, ..Settings::default() };
    let listener = Listener { socket, sender: None, tls: None, settings };
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, answer, stop.clone()));

    let folder = tempfile::tempdir().unwrap();
    let mut command = vec!["send".to_owned(), "--mllp".to_owned(), address];
    command.extend(["--wait-ms".to_owned(), "300".to_owned()]);
    for (number, content) in (1..).zip(files) {
        let path = folder.path().join(format!("{number}.hl7"));
        std::fs::write(&path, content).unwrap();
        command.push(path.display().to_string());
    }
    let args = Cli::parse_from(command).args;
    let messages = read_files(&args.files).unwrap();
    let mut out = Vec::new();
    assert_eq!(send(&args, &messages, &mut out).await.unwrap(), refused);
    let prefix = format!("{}/", folder.path().display());
    let printed = String::from_utf8(out).unwrap().replace(&prefix, "");
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
    stop.cancel();
    serving.await.unwrap();
}

fn message(event: &str, id: &str, modes: &str) -> String {
    format!("MSH|^~\\&|H|A|K|B|2026||ADT^{event}|{id}|P|2.5|||{modes}\nPID|1\n")
}

#[tokio::test]
async fn every_acknowledgement_is_printed_and_refusals_are_counted() {
    let files = [&message("A01", "1", ""), &message("A02", "2", ""), &message("A03", "3", "")];
    let lines = [
        "1.hl7: AA 1",
        "2.hl7: AE 2 PID^1^8^1 table-value: a code is not in its table (PID-8)",
        "3.hl7: AR 3 unsupported-event: the trigger event is not supported",
    ];
    check(&files.map(String::as_str), 2, &lines).await;
}

#[tokio::test]
async fn a_file_of_several_messages_in_enhanced_mode_is_sent_one_by_one() {
    let file = [
        message("A01", "1", "AL|NE"),
        message("A01", "2", "AL|AL"),
        message("A02", "3", "AL|ER"),
        message("A01", "4", "AL|ER"),
        message("A01", "5", "NE|NE"),
        message("A03", "6", "NE|AL"),
        message("A01", "7", "ER|"),
    ];
    let lines = [
        "1.hl7#1: CA 1",
        "1.hl7#2: CA 2",
        "1.hl7#2: AA 2",
        "1.hl7#3: CA 3",
        "1.hl7#3: AE 3 PID^1^8^1 table-value: a code is not in its table (PID-8)",
        "1.hl7#4: CA 4",
        "1.hl7#5: no acknowledgement wanted",
        "1.hl7#6: AR 6 unsupported-event: the trigger event is not supported",
        "1.hl7#7: no acknowledgement wanted",
    ];
    check(&[&file.concat()], 2, &lines).await;
}

#[tokio::test]
async fn after_a_refused_frame_or_silence_the_next_message_has_a_new_connection() {
    let long = format!("{}NTE|{}\n", message("A01", "1", ""), "x".repeat(400));
    let files = [&long, &message("A04", "2", ""), &message("A01", "3", "")];
    let lines = [
        "1.hl7: AR 1 limit: a limit of size, depth, count or time was reached (byte 300)",
        "2.hl7: no acknowledgement in time",
        "3.hl7: AA 3",
    ];
    check(&files.map(String::as_str), 2, &lines).await;
}

#[test]
fn what_cannot_be_read_is_a_failure_that_names_the_file() {
    let missing = read_files(&[PathBuf::from("no-such-file.hl7")]).map(|_| ());
    assert!(missing.unwrap_err().to_string().starts_with("no-such-file.hl7: "));
    let tls = Cli::try_parse_from(["send", "--tls", "x.hl7"]);
    assert!(tls.is_err(), "TLS without an authority");
}
