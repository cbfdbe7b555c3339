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

use std::fmt::Write as _;
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

/// What is measured: its name, and the work on one message.
type Work<'a> = (&'static str, Box<dyn Fn() + 'a>);

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let pack = compile::pack(&folder).unwrap_or_else(|faults| panic!("{faults:?}"));
    let mut report = serde_json::Map::new();
    for (name, text) in [("adt", admission()), ("oru", results())] {
        report.insert(name.to_owned(), measured(&pack, &text));
    }
    let report = Value::Object(report);
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), |dir| dir);
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
    let mut best = vec![f64::INFINITY; works.len()];
    for _ in 0..ROUNDS {
        for ((_, work), best) in works.iter().zip(&mut best) {
            *best = best.min(microseconds(work));
        }
    }
    let floor = best.first().copied().unwrap_or(1.0);
    let rows = works.iter().zip(&best).map(|((name, _), microseconds)| {
        let row = json!({
            "microseconds": (microseconds * 100.0).round() / 100.0,
            "per-second": (1e6 / microseconds).round(),
            "times-parsing": (microseconds / floor * 100.0).round() / 100.0,
        });
        ((*name).to_owned(), row)
    });
    let mut all: serde_json::Map<_, _> = rows.collect();
    all.insert("bytes".to_owned(), text.len().into());
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

fn admission() -> String {
    let segments = [
        "MSH|^~\\&|HIS|H001|KQ|G|20261121083000+0800||ADT^A01^ADT_A01|A1|P|2.5|||AL|NE|CHN|UNICODE UTF-8",
        "EVN|A01|20261121083000+0800|||D7^李^四|20261121082500+0800",
        "PID|1||410105194803150216^^^GA^NNCHN~A0012345^^^H001^MR||张^三||19480315|M|||开元大道1号^^洛阳市^河南省^471000^CHN^^^洛龙区||^PRN^PH^^^^13812345678|||M||A0012345^^^H001^AN|||01",
        "NK1|1|张^四|CHD^子女^HL70063|开元大道1号^^洛阳市^河南省|^PRN^PH^^^^13912345678",
        "PV1|1|I|2W^201^01^H001||||D7^李^四^^^^^^H001||||||||1|||D7^李^四|I|V1001^^^H001^VN|||||||||||||||||||||||||20261121082500+0800",
        "AL1|1|DA|70618^青霉素^L|SV|皮疹|20200101",
        "DG1|1||I10.x05^高血压病^ICD-10|高血压病|20261121|A",
    ];
    segments.map(|segment| segment.to_owned() + "\r").concat()
}

fn results() -> String {
    let mut text = "MSH|^~\\&|LIS|H001|KQ|G|20261121093000+0800||ORU^R01^ORU_R01|R1|P|2.5|||AL|NE|CHN|UNICODE UTF-8\r\
        PID|1||410105194803150216^^^GA^NNCHN||张^三||19480315|M\r\
        PV1|1|O|MZ^^^H001\r\
        ORC|RE|O1^HIS|F1^LIS||CM\r\
        OBR|1|O1^HIS|F1^LIS|24323-8^综合代谢^LN|||20261121083000+0800|||||||||D7^李^四||||||20261121092500+0800|||F\r"
        .to_owned();
    for number in 1..=8 {
        let _ = write!(
            text,
            "OBX|{number}|NM|{number}4749-8^钠^LN^Na^钠^L||14{number}.5|mmol/L^^UCUM|137-147|N|||F|||20261121090000+0800|H001^检验科|D9^王^五\r"
        );
    }
    text
}
