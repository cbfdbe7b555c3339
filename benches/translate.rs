//! `make bench`: conversions per second on one core, beside what parsing alone costs.
//!
//! Bare rates say more about the machine than about the gateway: each figure is given as a
//! ratio to parsing the same message with hl7-parser, measured in the same run by turns.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot measure stops"
)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use kangqiao::command::compile;
use kangqiao::translate::{Envelope, Pack};
use kangqiao::vocabulary::{Record, Source};
use kangqiao::wire::Charset;
use kangqiao::wire::hl7v2::{Limits, Message};
use serde_json::{Value, json};

/// Every figure is measured this often, by turns with the others.
const ROUNDS: u32 = 5;

/// An admission: patient, contact, stay, allergy, diagnosis.
const ADMISSION: &str = include_str!("messages/adt.hl7");
/// A panel of eight results.
const RESULTS: &str = include_str!("messages/oru.hl7");

/// What is measured: its name, and the work on one message.
type Work<'a> = (&'static str, Box<dyn Fn() + 'a>);

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let pack = compile::pack(&folder).unwrap_or_else(|faults| panic!("{faults:?}"));
    let mut report = serde_json::Map::new();
    for (name, lines) in [("adt", ADMISSION), ("oru", RESULTS)] {
        let text = lines.replace('\n', "\r");
        report.insert(name.to_owned(), measured(&pack, &text));
    }
    let report = Value::Object(report);
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let path = Path::new(&target).join("bench-translate.json");
    std::fs::write(path, serde_json::to_vec_pretty(&report).unwrap()).unwrap();
}

fn read(pack: &Pack, text: &str) -> Record {
    let sender = Source::parse("example").unwrap();
    let message = Message::read(text.as_bytes(), Charset::Utf8, &Limits::default()).unwrap();
    pack.read_hl7(sender, &message).unwrap().record
}

fn measured(pack: &Pack, text: &str) -> Value {
    let record = read(pack, text);
    let mut bare = record.clone();
    bare.wire = None;
    let limits = Limits::default();
    // One line for each conversion; the first is what the others are compared with.
    let works: Vec<Work<'_>> = vec![
        (
            "parse-hl7-parser",
            Box::new(|| {
                black_box(hl7_parser::Message::parse(black_box(text)).unwrap());
            }),
        ),
        (
            "parse",
            Box::new(|| {
                black_box(
                    Message::read(black_box(text).as_bytes(), Charset::Utf8, &limits).unwrap(),
                );
            }),
        ),
        (
            "to-elements",
            Box::new(|| {
                black_box(read(pack, black_box(text)));
            }),
        ),
        (
            "to-fhir",
            Box::new(|| {
                black_box(pack.write_fhir(&read(pack, black_box(text))));
            }),
        ),
        (
            "to-cda",
            Box::new(|| {
                black_box(pack.write_cda(&read(pack, black_box(text))));
            }),
        ),
        (
            "to-hl7v2-as-it-came",
            Box::new(|| {
                black_box(pack.write_back(&read(pack, black_box(text))).unwrap());
            }),
        ),
        (
            "elements-to-hl7v2",
            Box::new(|| {
                black_box(pack.write_hl7(black_box(&bare), &Envelope::default()).unwrap());
            }),
        ),
    ];
    timed(&works, text.len())
}

/// The best of several rounds of each work, beside the first.
fn timed(works: &[Work<'_>], bytes: usize) -> Value {
    let mut best = vec![f64::INFINITY; works.len()];
    for _ in 0..ROUNDS {
        for ((_, work), best) in works.iter().zip(&mut best) {
            *best = best.min(microseconds(work));
        }
    }
    let floor = best.first().copied().unwrap_or(1.0);
    let row = |microseconds: f64| {
        json!({
            "microseconds": (microseconds * 100.0).round() / 100.0,
            "per-second": (1e6 / microseconds).round(),
            "times-parsing": (microseconds / floor * 100.0).round() / 100.0,
        })
    };
    let named = works.iter().map(|(name, _)| *name).zip(best.iter().copied());
    let mut all: serde_json::Map<_, _> =
        named.clone().map(|(name, microseconds)| (name.to_owned(), row(microseconds))).collect();
    // What the mapping files cost on top of reading the message: the aim is less than 1.
    let took = |wanted| named.clone().find(|(name, _)| *name == wanted).map_or(0.0, |(_, one)| one);
    all.insert("translation-alone".to_owned(), row(took("to-elements") - took("parse")));
    all.insert("bytes".to_owned(), bytes.into());
    Value::Object(all)
}

/// The time of one run, over as many as take a tenth of a second.
fn microseconds(work: &dyn Fn()) -> f64 {
    let (began, mut runs) = (Instant::now(), 0_u32);
    while began.elapsed() < Duration::from_millis(100) {
        for _ in 0..16 {
            work();
        }
        runs += 16;
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(runs)
}
