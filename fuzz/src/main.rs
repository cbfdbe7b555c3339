//! One fuzzer for every reader: `KANGQIAO_FUZZ` names the target, scripts/fuzz runs them all.
//!
//! No bytes may make a reader panic, run away or lose count: the four bins sum to the
//! leaves, and an HL7 v2 message that was accepted is written back as the same bytes.

#![no_main]
// The rooms are whole; a fuzzer uses a part of them.
#![allow(dead_code, unused_imports)]

#[path = "../../src/vocabulary/mod.rs"]
mod vocabulary;

#[path = "../../src/wire/mod.rs"]
mod wire;

#[path = "../../src/identity/mod.rs"]
mod identity;

#[path = "../../src/translate/mod.rs"]
mod translate;

#[path = "../../src/config/files.rs"]
mod files;

use std::path::Path;
use std::sync::OnceLock;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use tokio_util::codec::Decoder;
use translate::form::Limits;
use translate::{Form, Pack};
use vocabulary::{Files, Source};
use wire::mllp::Codec;

/// What one run fuzzes.
enum Target {
    Form(Form),
    Frame,
    Mapping,
    Xml,
}

struct Bench {
    target: Target,
    pack: Pack,
    files: Files,
    paths: Vec<String>,
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let name = std::env::var("KANGQIAO_FUZZ").expect("KANGQIAO_FUZZ names the target");
        let target = match name.as_str() {
            "frame" => Target::Frame,
            "mapping" => Target::Mapping,
            "xml" => Target::Xml,
            form => Target::Form(Form::parse(form).expect("a form, frame, mapping or xml")),
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mappings");
        let files = files::read_folder(&folder).expect("the mappings");
        let pack = Pack::load(&files).expect("the mappings compile");
        let paths = files.under("", "toml").chain(files.under("", "csv"));
        let paths = paths.map(str::to_owned).collect();
        Bench { target, pack, files, paths }
    })
}

fuzz_target!(|data: &[u8]| {
    let bench = bench();
    match bench.target {
        Target::Form(form) => read(bench, form, data),
        Target::Frame => frame(data),
        Target::Mapping => mapping(bench, data),
        Target::Xml => xml(data),
    }
});

/// Bytes in one form: read, counted, written back and in every other form.
fn read(bench: &Bench, form: Form, data: &[u8]) {
    let sender = Source::fixed("fuzz");
    let Ok(found) = bench.pack.read((form, sender), data, &Limits::default()) else { return };
    for one in &found {
        let bins = &one.bins;
        let sum = bins.mapped + bins.carried + bins.dropped + bins.unmapped;
        assert_eq!(sum, bins.leaves());
        if form == Form::Hl7v2 {
            let _ = bench.pack.write_json("civil-json", &one.record);
        }
    }
}

/// Bytes in pieces: whatever the cut, the same frames.
fn frame(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let frames = |pieces: &[&[u8]]| {
        let mut codec = Codec::new(65_536);
        let mut buffer = BytesMut::new();
        let mut found = Vec::new();
        for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                match codec.decode(&mut buffer) {
                    Ok(Some(frame)) => found.push(Ok(frame)),
                    Ok(None) => break,
                    Err(error) => {
                        found.push(Err(error.to_string()));
                        return found;
                    }
                }
            }
        }
        found
    };
    let (left, right) = data.split_at(usize::from(*cut).min(data.len()));
    assert!(frames(&[data]) == frames(&[left, right]), "the cut shows");
}

/// One mapping file with other bytes in it: faults, never a panic.
fn mapping(bench: &Bench, data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let Some(path) = bench.paths.get(usize::from(*which) % bench.paths.len().max(1)) else { return };
    let mut files = bench.files.clone();
    files.insert(path.clone(), data);
    if let Err(faults) = Pack::load(&files) {
        assert!(!faults.is_empty());
    }
}

/// XML: what is read and written again reads the same.
fn xml(data: &[u8]) {
    let limits = wire::xml::Limits::default();
    let Ok(document) = wire::xml::read(data, &limits) else { return };
    let written = wire::xml::write(&document);
    let again = wire::xml::read(&written, &limits).expect("what was written reads");
    assert!(again.tree == document.tree, "the tree changed");
}
