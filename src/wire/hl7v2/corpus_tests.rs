//! Real public messages, read where the corpus stands beside the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Header, Limits, Message};
use crate::wire::charset::Charset;

fn corpus() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared", "../../shared"]
        .into_iter()
        .map(|up| root.join(up).join("corpus/hl7v2"))
        .find(|folder| folder.is_dir());
    let mut folders: Vec<PathBuf> = found.into_iter().collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "hl7") {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn every_real_message_is_read_or_refused_by_position() {
    let files = corpus();
    if files.is_empty() {
        println!("SKIPPED: no corpus/hl7v2 beside the repository");
        return;
    }
    let (mut read, mut refused) = (0, BTreeMap::<String, usize>::new());
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        match Message::read(&bytes, Charset::Gb18030, &Limits::default()) {
            Ok(message) => {
                read += 1;
                accounts_for_every_character(&message);
            }
            Err(error) => {
                assert!(error.position().is_some(), "{}", path.display());
                let _ = Header::salvage(&bytes, Charset::Gb18030);
                *refused.entry(error.to_string()).or_default() += 1;
            }
        }
    }
    println!("{read} of {} read; refused: {refused:#?}", files.len());
    assert!(read * 10 > files.len() * 8, "four in five real messages are well formed");
}

/// Leaves and separators together are the segment: nothing was dropped on the way.
fn accounts_for_every_character(message: &Message) {
    for segment in message.segments() {
        let separators = message.header().separators;
        let skipped =
            if segment.id() == *b"MSH" { 4 + separators.encoding_characters().len() } else { 3 };
        let rest = segment.raw().get(skipped..).unwrap_or_default();
        let structural = [
            separators.field,
            separators.repetition,
            separators.component,
            separators.subcomponent,
        ];
        let between = rest.bytes().filter(|byte| structural.contains(byte)).count();
        let inside: usize = segment
            .leaves()
            .filter(|(at, _)| at.segment != *b"MSH" || at.field > 2)
            .map(|(_, leaf)| leaf.len())
            .sum();
        assert_eq!(between + inside, rest.len(), "{}", segment.position());
    }
}
