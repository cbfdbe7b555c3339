//! `kangqiao translate`: what a message becomes, for whoever writes mappings.
//!
//! It prints content. It reads the mapping files and one message, and nothing else.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::operate::give;
use super::{Failure, output, say};
use crate::config::files::read_folder;
use crate::inbound::operator::Order;
use crate::translate::form::{Form, Limits};
use crate::translate::{Bins, Pack, Translation};
use crate::vocabulary::{Diagnostic, Record, Source};
use crate::wire::hl7v2;

/// Translates one message and prints what it becomes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the input is: hl7v2, cda, v3-regional, v3-hospital, fhir, civil-json, civil-xml,
    /// civil-csv, card, platform-json or elements.
    #[arg(long, default_value = "hl7v2")]
    from: String,
    /// What to print: one of the same.
    #[arg(long, default_value = "elements")]
    to: String,
    /// Whose habits the message has: a name in `mappings/senders`.
    #[arg(long, default_value = "example")]
    sender: String,
    /// Folder of the mapping files; with `--message` the version of a pack that served before.
    #[arg(long)]
    mappings: Option<PathBuf>,
    /// Ask the running gateway what a message of its journal would become; no value is shown.
    #[arg(long, value_name = "NUMBER", conflicts_with = "file")]
    message: Option<u64>,
    /// The running gateway's configuration file, with `--message`.
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
    /// Print records, elements and the four bins as one JSON object.
    #[arg(long)]
    report: bool,
    /// The message, or `-` for standard input. Lines may end with LF.
    #[arg(required_unless_present = "message")]
    file: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] with every fault of the mapping files, or the place where the message
/// cannot be read.
pub fn run(args: Args) -> Result<(), Failure> {
    let Some(file) = &args.file else { return preview(&args) };
    for named in [&args.from, &args.to] {
        known(named)?;
    }
    let folder = args.mappings.clone().unwrap_or_else(|| PathBuf::from("mappings"));
    let name = folder.display().to_string();
    let files = read_folder(&folder).map_err(|error| Failure::during(&name, error))?;
    let pack = Pack::load(&files).map_err(|faults| Failure::during(&name, listed(&faults)))?;
    let bytes = input(file)?;
    let printed = translate(&pack, &args, &bytes)?;
    output().write_all(&printed).map_err(|error| Failure::during("print", error))
}

/// What a message of a running gateway's journal would become.
fn preview(args: &Args) -> Result<(), Failure> {
    let mappings = args.mappings.as_ref().map(|version| version.display().to_string());
    let number = args.message.unwrap_or_default();
    let told = give(&args.config, &Order::Preview { number, mappings })?;
    let text = serde_json::to_string_pretty(&told);
    say(text.map_err(|error| Failure::during("print", error))?)
}

/// The form of a name.
fn known(name: &str) -> Result<Form, Failure> {
    let names: Vec<_> = Form::ALL.iter().map(|form| form.name()).collect();
    let unknown = || Failure(format!("there is no form {name}: {}", names.join(", ")));
    Form::parse(name).ok_or_else(unknown)
}

/// What is printed: bytes as the form has them, or the report.
fn translate(pack: &Pack, args: &Args, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let sender = Source::parse(&args.sender).map_err(|error| Failure::during("sender", error))?;
    let (from, to) = (known(&args.from)?, known(&args.to)?);
    let found = pack.read((from, sender), bytes, &Limits::default()).map_err(|error| {
        let at = error.at.as_ref().map_or(String::new(), |at| format!(" at {at}"));
        let name = error.diagnostic.unwrap_or(error.fault.row().name);
        Failure(format!("{name}{at}: {error}"))
    })?;
    let records: Vec<_> = found.iter().map(|found| &found.record).collect();
    let during = |error| Failure::during("write", error);
    if !args.report {
        let mut written = pack.write_all(to, &records).map_err(during)?;
        if !written.ends_with(b"\n") && to != Form::Hl7v2 {
            written.push(b'\n');
        }
        return Ok(written);
    }
    let shown = |record: &&Record| {
        let written = pack.write(to, record).map_err(during)?;
        let text = || Json::String(String::from_utf8_lossy(&written).into_owned());
        Ok(serde_json::from_slice(&written).unwrap_or_else(|_| text()))
    };
    let shown: Result<Vec<_>, Failure> = records.iter().map(shown).collect();
    let mut text = serde_json::to_vec_pretty(&report(pack, &found, shown?))
        .map_err(|error| Failure::during("print", error))?;
    text.push(b'\n');
    Ok(text)
}

/// The four bins sum to `leaves`, over all records.
fn report(pack: &Pack, found: &[Translation], records: Vec<Json>) -> Json {
    let fields = found.iter().flat_map(|found| found.record.fields());
    let elements: BTreeSet<_> = fields.map(|field| field.element).collect();
    let elements: Vec<_> = elements.iter().map(|element| element.as_str()).collect();
    let sum = |count: fn(&Bins) -> u32| found.iter().map(|found| count(&found.bins)).sum::<u32>();
    let unmapped = found.iter().flat_map(|found| &found.bins.first_unmapped);
    let unmapped: Vec<_> = unmapped.map(ToString::to_string).collect();
    let notes = found.iter().flat_map(|found| &found.bins.notes);
    let notes = notes.map(|note| {
        let remark = note.remark;
        let (en, zh, at) = (remark.mend_en, remark.mend_zh, note.at.to_string());
        let mend = json!({ "en": en, "zh": zh });
        json!({ "note": remark.id, "at": at, "en": remark.en, "zh": remark.zh, "mend": mend })
    });
    let notes: Vec<_> = notes.collect();
    json!({
        "records": records,
        "elements": elements,
        "notes": notes,
        "bins": {
            "mapped": sum(|bins| bins.mapped),
            "carried": sum(|bins| bins.carried),
            "dropped": sum(|bins| bins.dropped),
            "unmapped": sum(|bins| bins.unmapped),
            "leaves": sum(Bins::leaves),
        },
        "first_unmapped": unmapped,
        "mappings": pack.version(),
    })
}

/// One line for each fault, after one that counts them.
fn listed(faults: &[Diagnostic]) -> String {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    format!("{} faults\n{}", faults.len(), lines.join("\n"))
}

/// The bytes of a file, or of standard input, at most as many as a message may have.
pub(super) fn input(path: &Path) -> Result<Vec<u8>, Failure> {
    let limit = u64::try_from(hl7v2::Limits::default().message_bytes_max).unwrap_or(u64::MAX);
    let during = |error| Failure::during(&path.display().to_string(), error);
    let mut bytes = Vec::new();
    // One byte more than a message may have, so that a longer one is refused, not cut.
    if path.as_os_str() == "-" {
        std::io::stdin().take(limit + 1).read_to_end(&mut bytes).map_err(during)?;
    } else {
        let file = std::fs::File::open(path).map_err(during)?;
        file.take(limit + 1).read_to_end(&mut bytes).map_err(during)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Value;

    /// The pack that ships, with its files.
    fn shipped() -> (Pack, crate::vocabulary::Files) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
        let files = read_folder(&folder).unwrap();
        let pack = Pack::load(&files).unwrap_or_else(|faults| panic!("{}", listed(&faults)));
        (pack, files)
    }

    #[test]
    fn the_shipped_mappings_load_and_every_row_has_an_example_that_holds() {
        let (pack, files) = shipped();
        let faults = pack.check_examples(&files);
        assert!(faults.is_empty(), "{}", listed(&faults));
    }

    /// What an example expects leaves out what it does not name, so that it cannot say this.
    #[test]
    fn who_is_not_married_now_is_not_said_to_have_never_been() {
        let (pack, files) = shipped();
        let check = |form: Form, path: &str, sent: &str| {
            let bytes = files.bytes(path).unwrap();
            let read = pack.read((form, Source::fixed("example")), bytes, &Limits::default());
            let read = read.unwrap_or_else(|error| panic!("{path}: {error}"));
            let mut fields = read.iter().flat_map(|read| read.record.fields());
            let status = fields.find(|field| field.element.as_str() == "DE02.01.018.00").unwrap();
            let Value::Code(coding) = &status.value else { panic!("{path}: no code") };
            let original = coding.original.as_ref().map(|original| original.code.as_str());
            assert_eq!((coding.code.as_deref(), original), (None, Some(sent)), "{path}");
        };
        check(Form::Hl7v2, "hl7v2/pid.examples/09.hl7", "B");
        check(Form::Fhir, "fhir/patient.examples/05.json", "U");
    }

    /// Public messages of real systems stand beside the repository, not in it.
    #[test]
    fn every_corpus_message_is_counted_leaf_by_leaf_or_refused_by_position() {
        let beside = ["../shared/corpus/hl7v2", "../../shared/corpus/hl7v2"];
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = beside.iter().map(|path| root.join(path)).find(|path| path.is_dir());
        let Some(folder) = found else {
            eprintln!("SKIPPED: no corpus beside the repository, so no corpus message was read");
            return;
        };
        let (_, mut shipped) = shipped();
        let overlay = "title = \"some of it comes from training\"\nprocessing = [\"D\", \"T\"]";
        shipped.insert("senders/corpus.toml", overlay);
        let pack = Pack::load(&shipped).unwrap_or_else(|faults| panic!("{}", listed(&faults)));
        let files = read_folder(&folder).unwrap();
        let sender = Source::parse("corpus").unwrap();
        let (mut applied, mut refused) = (0, 0);
        for path in files.under("", "hl7") {
            let bytes = files.bytes(path).unwrap();
            let limits = hl7v2::Limits::default();
            let Ok(message) = hl7v2::Message::read(bytes, crate::wire::Charset::Utf8, &limits)
            else {
                continue;
            };
            match pack.read_hl7(sender, &message) {
                Ok(found) => {
                    let leaves = usize::try_from(found.bins.leaves()).unwrap();
                    assert_eq!(leaves, message.leaves().count(), "{path}");
                    applied += 1;
                }
                Err(error) => {
                    assert!(!error.at().to_string().is_empty(), "{path}");
                    refused += 1;
                }
            }
        }
        assert!(applied > 0 && refused > 0, "{applied} applied, {refused} refused");
    }

    #[test]
    fn a_report_accounts_for_every_leaf() {
        let (pack, files) = shipped();
        let args = |report, to: &str| Args {
            from: "hl7v2".to_owned(),
            to: to.to_owned(),
            sender: "example".to_owned(),
            mappings: None,
            message: None,
            config: PathBuf::new(),
            report,
            file: None,
        };
        let bytes = files.bytes("hl7v2/adt_a01.examples/01.hl7").unwrap();
        let json = |bytes: Vec<u8>| serde_json::from_slice::<Json>(&bytes).unwrap();
        let report = json(translate(&pack, &args(true, "elements"), bytes).unwrap());
        let bins = &report["bins"];
        let count = |key: &str| bins[key].as_u64().unwrap();
        let sum: u64 = ["mapped", "carried", "dropped", "unmapped"].map(count).iter().sum();
        assert_eq!(sum, count("leaves"));
        assert_eq!(report["mappings"], pack.version());
        assert_eq!(report["records"][0]["dataset"], "admission");
        let civil = json(translate(&pack, &args(false, "civil-json"), bytes).unwrap());
        let again = translate(&pack, &args(false, "hl7v2"), bytes).unwrap();
        let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().replace('\r', "\n");
        assert_eq!(lines(&again), lines(bytes));
        assert!(civil.as_object().is_some_and(|members| !members.is_empty()), "{civil}");
        let refused = translate(&pack, &args(false, "elements"), b"MSH|^~\\&|").unwrap_err();
        assert!(refused.to_string().starts_with("required-missing at MSH-9"), "{refused}");
    }
}
