//! Which facts of another converter's expected bundles are in ours: `cargo run --example
//! fhir_facts -- [NAME] [--kinds N] [--mappings FOLDER]`. The same comparison as the test
//! `fhir_facts`; the mapping files are read when it runs. With `--bundles FOLDER` it prints a
//! bundle of every HL7 v2 message below the folder, a line each, for `scripts/fhir/gate.mjs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

#[path = "../tests/all/facts/mod.rs"]
mod facts;

use std::path::Path;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut filter = String::new();
    let mut kinds = 60;
    let mut mappings = root.join("mappings");
    let mut bundles = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--kinds" {
            kinds = words.next().and_then(|number| number.parse().ok()).unwrap_or(kinds);
        } else if word == "--bundles" {
            bundles = words.next();
        } else if word == "--mappings" {
            mappings = words.next().map_or(mappings, Into::into);
        } else {
            filter = word;
        }
    }
    if let Some(folder) = bundles {
        for line in facts::bundles(&mappings, Path::new(&folder), &filter) {
            println!("{line}");
        }
        return;
    }
    let Some(corpus) = facts::corpus(root) else {
        println!("there is no corpus beside the repository");
        return;
    };
    let report = facts::compare(&mappings, &corpus, &filter);
    for (name, reason) in &report.refused {
        println!("refused  {name}: {reason}");
    }
    let mut missing: Vec<_> = report.missing.iter().collect();
    missing.sort_by_key(|(_, missing)| std::cmp::Reverse(missing.count));
    for (path, missing) in missing.iter().take(kinds) {
        let first: Vec<_> =
            missing.first.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        println!("{:6}  {path}  ({})", missing.count, first.join("; "));
    }
    println!(
        "{} messages, {} of {} facts, {:.2} %; {} kinds missing",
        report.messages,
        report.found,
        report.expected,
        report.percent(),
        missing.len()
    );
}
