//! What a FHIR bundle says, as facts: which of another converter's facts are in ours.
//!
//! A fact is a path without indexes and a value: `Patient.name.family`, `EVERYMAN`. Of one
//! message each fact counts once. What cannot agree is normalised by the table in
//! [`normal`]: ids, references, narrative, the converter's own URLs, its time zone.
//! Reads `mappings/` when it runs, so that a change there needs no build.

mod normal;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kangqiao::config::files::read_folder;
use kangqiao::translate::Pack;
use kangqiao::vocabulary::Source;
use kangqiao::wire::{Charset, hl7v2};
use serde_json::Value as Json;

/// What the comparison found.
#[derive(Debug, Default)]
pub struct Report {
    pub messages: usize,
    pub expected: usize,
    pub found: usize,
    /// Messages that became no record, with the reason.
    pub refused: Vec<(String, String)>,
    /// By path: how many facts are missing, and some of them.
    pub missing: BTreeMap<String, Missing>,
}

/// The facts of one kind that are missing.
#[derive(Debug, Default)]
pub struct Missing {
    pub count: usize,
    /// Message and value of the first ones.
    pub first: Vec<(String, String)>,
}

impl Report {
    /// How many of a hundred expected facts were found.
    #[must_use]
    pub fn percent(&self) -> f64 {
        self.found as f64 * 100.0 / self.expected.max(1) as f64
    }
}

/// The folder of expected bundles beside the repository, if it is there.
#[must_use]
pub fn corpus(root: &Path) -> Option<PathBuf> {
    let beside = ["../shared", "../../shared"].iter().map(|shared| root.join(shared));
    let mut folders = beside.map(|shared| shared.join("corpus/hl7v2/microsoft-fhir-converter"));
    folders.find(|folder| folder.is_dir())
}

fn pack(mappings: &Path) -> Pack {
    let mut files = read_folder(mappings).unwrap();
    // One in seven was written on a system for training or debugging.
    files.insert("senders/corpus.toml", "title = \"corpus\"\nprocessing = [\"D\", \"T\"]");
    Pack::load(&files).unwrap_or_else(|faults| {
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

/// A line for each message below a folder: its name and the bundle it becomes.
#[allow(dead_code, reason = "the example alone prints them")]
pub fn bundles(mappings: &Path, folder: &Path, filter: &str) -> Vec<Json> {
    let pack = pack(mappings);
    let messages = read_folder(folder).unwrap();
    let paths = messages.under("", "hl7").filter(|path| path.contains(filter));
    let bundle = |path: &str| {
        let bundle = translated(&pack, messages.bytes(path).unwrap()).ok()?;
        Some(serde_json::json!({ "name": path, "bundle": bundle }))
    };
    paths.filter_map(bundle).collect()
}

/// Compares every message whose name contains a text.
#[must_use]
pub fn compare(mappings: &Path, corpus: &Path, filter: &str) -> Report {
    let pack = pack(mappings);
    let mut names: Vec<String> = std::fs::read_dir(corpus)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".expected.json").map(str::to_owned))
        .filter(|name| name.contains(filter))
        .collect();
    names.sort();
    let mut report = Report { messages: names.len(), ..Report::default() };
    for name in names {
        let bytes = std::fs::read(corpus.join(format!("{name}.hl7"))).unwrap();
        let expected = std::fs::read(corpus.join(format!("{name}.expected.json"))).unwrap();
        let expected: Json = serde_json::from_slice(&expected).unwrap();
        let ours = match translated(&pack, &bytes) {
            Ok(bundle) => facts(&bundle),
            Err(reason) => {
                report.refused.push((name.clone(), reason));
                BTreeSet::new()
            }
        };
        report.count(&name, &facts(&expected), &normal::known(&ours));
    }
    report
}

impl Report {
    fn count(&mut self, name: &str, expected: &BTreeSet<Fact>, ours: &normal::Known) {
        for fact in expected {
            self.expected += 1;
            if ours.holds(fact) {
                self.found += 1;
                continue;
            }
            let missing = self.missing.entry(fact.path.clone()).or_default();
            missing.count += 1;
            if missing.first.len() < 3 {
                missing.first.push((name.to_owned(), fact.value.clone()));
            }
        }
    }
}

/// A message as a bundle.
fn translated(pack: &Pack, bytes: &[u8]) -> Result<Json, String> {
    let message = hl7v2::Message::read(bytes, Charset::Utf8, &hl7v2::Limits::default())
        .map_err(|error| error.to_string())?;
    let sender = Source::parse("corpus").unwrap();
    let read = pack.read_hl7(sender, &message).map_err(|error| error.to_string())?;
    Ok(pack.write_fhir(&read.record).to_json())
}

/// One thing a bundle says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    pub path: String,
    pub value: String,
}

/// Everything a bundle says.
#[must_use]
pub fn facts(bundle: &Json) -> BTreeSet<Fact> {
    let mut types = BTreeMap::new();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    for entry in &entries {
        let resource = &entry["resource"];
        let kind = resource["resourceType"].as_str().unwrap_or_default().to_owned();
        let id = resource["id"].as_str().unwrap_or_default();
        types.insert(format!("{kind}/{id}"), kind.clone());
        types.insert(format!("urn:uuid:{id}"), kind.clone());
        types.insert(entry["fullUrl"].as_str().unwrap_or_default().to_owned(), kind);
    }
    let mut found = BTreeSet::new();
    let mut head = bundle.clone();
    if let Some(members) = head.as_object_mut() {
        members.remove("entry");
    }
    for resource in entries.iter().map(|entry| &entry["resource"]).chain([&head]) {
        let kind = resource["resourceType"].as_str().unwrap_or_default();
        gather(resource, kind, &types, &mut found);
    }
    found
}

fn gather(json: &Json, path: &str, types: &BTreeMap<String, String>, found: &mut BTreeSet<Fact>) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| gather(item, path, types, found)),
        Json::Object(members) => {
            for (name, member) in members {
                let inner = format!("{path}.{}", normal::bare(path, members, name));
                if !normal::ignored(&inner) {
                    gather(member, &inner, types, found);
                }
            }
        }
        Json::Null => (),
        leaf => {
            let text = leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned);
            let value = match path.ends_with(".reference") {
                true => types.get(&text).map_or("elsewhere", |kind| kind.as_str()).to_owned(),
                false => text.trim().to_owned(),
            };
            if !value.is_empty() {
                found.insert(Fact { path: path.to_owned(), value });
            }
        }
    }
}
