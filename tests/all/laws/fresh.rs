//! A record without its frame, as one that came in another form, becomes a message that is
//! read as the same values.

use std::collections::BTreeMap;

use super::*;
use kangqiao::translate::{Envelope, record_to_json};

/// How often each value stands in a record, by group and element.
fn values(record: &Record) -> BTreeMap<String, i64> {
    let json = record_to_json(record);
    let mut found = BTreeMap::new();
    for group in json["groups"].as_array().unwrap() {
        for field in group["fields"].as_array().unwrap() {
            let line = format!("{} {} {}", group["name"], field["element"], field["value"]);
            *found.entry(line).or_insert(0) += 1;
        }
    }
    found
}

/// What of a record is not in the fresh message made of it.
fn lost(pack: &Pack, record: &Record) -> Vec<String> {
    let mut bare = record.clone();
    bare.wire = None;
    let written = pack.write_hl7(&bare, &Envelope::default()).unwrap();
    let limits = Limits::default();
    let message = Message::read(&written, Charset::Utf8, &limits).unwrap();
    let again = pack.read_hl7(record.source, &message);
    let again = again.unwrap_or_else(|error| {
        panic!("{error} in {}", String::from_utf8_lossy(&written).replace('\r', "\n"))
    });
    let mut left = values(record);
    for (line, count) in values(&again.record) {
        *left.entry(line).or_insert(0) -= count;
    }
    left.into_iter().filter(|(_, count)| *count > 0).map(|(line, _)| line).collect()
}

#[test]
fn a_record_of_another_form_becomes_a_message_that_is_read_as_the_same() {
    let pack = pack();
    let folder = Path::new(ROOT).join("mappings/hl7v2");
    let mut paths = Vec::new();
    crate::corpus::messages(&folder, &mut paths);
    paths.sort();
    let sender = Source::parse("example").unwrap();
    let (mut all, mut missing) = (0, BTreeMap::<String, usize>::new());
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        for record in read(&pack, sender, &bytes).into_iter().flatten() {
            all += record.fields().count();
            for line in lost(&pack, &record) {
                if std::env::var_os("SHOW_LOST").is_some() {
                    loudly(&format!("{name}: {line}"));
                }
                let element = line.split(' ').nth(1).unwrap().to_owned();
                // MSH and EVN say how a message travels: a fresh one has its own.
                if element.starts_with("\"MZ.message.") {
                    continue;
                }
                *missing.entry(element).or_insert(0) += 1;
            }
        }
    }
    let count: usize = missing.values().sum();
    loudly(&format!("{count} of {all} values are lost on the way back: {missing:?}"));
    assert!(all > 500 && count * 100 <= all, "{missing:?}");
}
