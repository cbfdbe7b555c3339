//! Shared documents: the public corpus read whole, the schema of the standard, the documentation.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use kangqiao::config::files::read_folder;
use kangqiao::translate::{Pack, REMARKS};
use kangqiao::vocabulary::{Files, Record, Source};
use kangqiao::wire::xml;

use crate::rig::{ROOT, loudly};

/// The tables of documents, and of HL7 v2 whose records become documents; other formats
/// have tests of their own.
fn tables() -> Files {
    let all = read_folder(&Path::new(ROOT).join("mappings")).unwrap();
    let mut files = Files::default();
    for part in ["cda", "codes", "elements", "hl7v2", "senders"] {
        for extension in ["toml", "csv", "xml", "json"] {
            for path in all.under(part, extension) {
                files.insert(path, all.bytes(path).unwrap());
            }
        }
    }
    files
}

pub fn pack() -> Pack {
    Pack::load(&tables()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

#[test]
fn every_example_of_a_document_holds_and_is_written_back() {
    let files = tables();
    let faults = pack().check_examples(&files);
    let own: Vec<_> = faults.iter().filter(|fault| fault.file.starts_with("cda/")).collect();
    assert!(own.is_empty(), "{own:?}");
    // An example nobody runs would hold, too.
    assert!(files.under("cda", "xml").count() >= 6);
}

/// A folder of the material beside the repository, if it is there.
fn beside(path: &str) -> Option<PathBuf> {
    let places = ["../shared", "../../shared"].map(|place| Path::new(ROOT).join(place).join(path));
    places.into_iter().find(|place| place.exists())
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut found: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    found.sort();
    found
}

/// What the manifest of the corpus says is no XML, and what the reader says of it.
#[test]
fn every_well_formed_document_of_the_corpus_is_read_whole_and_each_other_named() {
    let Some(folder) = beside("corpus/cda") else {
        return loudly("SKIPPED: the corpus is not beside the repository");
    };
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.csv")).unwrap();
    let mut manifest = csv::Reader::from_reader(manifest.as_bytes());
    let headers = manifest.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|known| known == name).unwrap();
    let (file, sound) = (column("file"), column("well_formed"));
    let rows: Vec<_> = manifest.records().map(Result::unwrap).collect();
    let damaged: BTreeSet<_> =
        rows.iter().filter(|row| &row[sound] != "yes").map(|row| row[file].to_owned()).collect();
    let (pack, sender) = (pack(), Source::parse("corpus").unwrap());
    let (mut read, mut refused) = (0, 0);
    for path in files(&folder, "xml") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        match pack.read_cda(sender, &bytes, &xml::Limits::default()) {
            Ok(found) => {
                assert!(!damaged.contains(&name), "{name} should be refused");
                assert_eq!(found.bins.unmapped, 0, "{name}");
                assert!(found.bins.mapped > 20, "{name}");
                read += 1;
            }
            Err(error) => {
                assert!(damaged.contains(&name), "{name}: {error}");
                assert!(error.fault.row().name.starts_with("xml-"), "{name}: {error}");
                assert!(error.at.to_string().contains(':'), "{name}: {error}");
                refused += 1;
            }
        }
    }
    loudly(&format!("{read} documents of the corpus read, {refused} refused by line and column"));
    assert!(read > 0 && refused == damaged.len(), "{read} {refused}");
}

fn valid(schema: &Path, document: &Path) -> Result<(), String> {
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .args([schema, document])
        .output()
        .map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or(told)
}

/// The examples of the pack and the public corpus, as records.
fn records(pack: &Pack) -> Vec<(String, Record)> {
    let sender = Source::parse("example").unwrap();
    let own = Path::new(ROOT).join("mappings/cda/documents.examples");
    let mut paths = files(&own, "xml");
    paths.extend(beside("corpus/cda").into_iter().flat_map(|folder| files(&folder, "xml")));
    let read = paths.into_iter().filter_map(|path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).ok()?;
        let found = pack.read_cda(sender, &bytes, &xml::Limits::default()).ok()?;
        Some((name, found.record))
    });
    read.collect()
}

#[test]
fn every_document_written_is_valid_by_the_public_schema() {
    let Some(schema) = beside("schemas/cda-cn/sdschemas/SDA.xsd") else {
        return loudly("SKIPPED: the schema is not beside the repository");
    };
    if Command::new("xmllint").arg("--version").output().is_err() {
        return loudly("SKIPPED: there is no xmllint (libxml2-utils)");
    }
    let (pack, folder) = (pack(), tempfile::tempdir().unwrap());
    let mut records = records(&pack);
    // Records of other forms become documents, too.
    let sender = Source::parse("example").unwrap();
    for name in ["adt_a01.examples/01.hl7", "adt_a03.examples/01.hl7", "oru_r01.examples/01.hl7"] {
        let bytes = std::fs::read(Path::new(ROOT).join("mappings/hl7v2").join(name)).unwrap();
        let limits = kangqiao::translate::form::Limits::default();
        let form = kangqiao::translate::Form::Hl7v2;
        let found = pack.read((form, sender), &bytes, &limits).unwrap();
        records.extend(found.into_iter().map(|found| (name.to_owned(), found.record)));
    }
    let count = records.len();
    for (name, record) in records {
        let path = folder.path().join("document.xml");
        std::fs::write(&path, pack.write_cda(&record)).unwrap();
        valid(&schema, &path).unwrap_or_else(|told| panic!("{name}: {told}"));
    }
    loudly(&format!("{count} documents written are valid by SDA.xsd"));
}

#[test]
fn the_documentation_lists_every_remark() {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/documents.md")).unwrap();
    let mut last = 0;
    for remark in REMARKS {
        let row = format!(
            "| `{}` | {} | {} | {} | {} |",
            remark.id, remark.en, remark.mend_en, remark.zh, remark.mend_zh
        );
        let at = page.find(&row);
        assert!(at.is_some_and(|at| at >= last), "docs/documents.md lacks the row\n{row}");
        last = at.unwrap_or(last);
    }
    let named =
        page.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 6);
    assert_eq!(named.count(), REMARKS.len(), "docs/documents.md has a row of no remark");
}

/// Every entry the tables print has an element that can be read and an id that is written.
#[test]
fn every_entry_of_the_tables_is_covered_as_the_documentation_says() {
    let pack = pack();
    let path = Path::new(ROOT).join("mappings/cda/entries.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let known = |row: &&csv::StringRecord| {
        let id = kangqiao::vocabulary::ElementId::parse(&row[3]);
        id.is_ok_and(|id| pack.catalogue().get(id).is_some())
    };
    let by = |prefix: &str| rows.iter().filter(|row| row[0].starts_with(prefix)).count();
    let covered = rows.iter().filter(known).count();
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/documents.md")).unwrap();
    let claim = format!("{} entries of WS/T 500 and {} of WS/T 483", by("C"), by("HS"));
    assert!(page.contains(&claim), "docs/documents.md does not say: {claim}");
    assert_eq!(covered, rows.len(), "not every entry has an element");
}
