//! 示例, the examples beside each mapping file: they run in the tests, in the conformance
//! runner and at every reload; a pack whose examples fail never serves.
//!
//! ```toml
//! [[example]]
//! title  = "an unknown sex code is refused by position, not guessed"
//! given  = "pid.examples/02.hl7"                       # beside the mapping file
//! expect = { fault = "table-value", at = "PID-8" }     # or "pid.examples/02.json"
//! sender = "hospital-a"                                # optional: with its overlay
//! ```
//!
//! A message may end its lines with LF. The expected JSON is what
//! `kangqiao translate --to elements` prints of it, reviewed by a person:
//!
//! ```json
//! { "dataset": "admission", "time": "2026-11-21T08:30:00",
//!   "groups": [
//!     { "name": "record", "fields": [
//!       { "element": "DE02.01.039.00", "at": "PID-5", "value": { "text": "张三" } },
//!       { "element": "DE02.01.040.00", "at": "PID-8", "value": { "code": "1" } } ] },
//!     { "name": "result", "parent": 1, "fields": [] } ],
//!   "carried": ["PID-10.1.1"] }
//! ```
//!
//! Fields are compared in number and order, by `element`, `at` (if given) and `value`; of
//! a value only the keys that the expectation has, and a plain string stands for the
//! code, number, value or text. `dataset`, `source`, `time` and `carried` are compared if
//! they are there. The example of a segment table shows that segment's fields alone, in
//! the groups they make; that of an event file all of them.
//!
//! In a JSON dialect `given` is a document and the expectation one such object, or a list
//! for `{"records": […]}`; each two-way leaf must also be written back. For derived facts
//! `given` is a list of such objects, `now = "2026-11-21T08:00:00+08:00"`, and `expect`
//! holds exactly the facts: `{ "MZ.person.deceased" = true }`.

use serde_json::Value as Json;
use toml::Spanned;

use super::compile::Text;
use super::file::ExampleText;
use super::form::{Limits, Unread};
use super::plain::{agrees, in_segment, record_from_json, record_to_json, value_to_json};
use super::{Pack, Translation, cda, civil, document, fhir, read_hl7};
use crate::vocabulary::{Date, Diagnostic, Files, Record, Source};
use crate::wire;
use crate::wire::hl7v2::Message;

/// What kind of file an example stands in.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Cda,
    City(Source),
    Derived,
    Dialect(String),
    Event,
    Fhir,
    Segment([u8; 3]),
}

/// One example, with the place to complain at.
#[derive(Debug)]
pub(super) struct Example {
    kind: Kind,
    title: String,
    /// Path of the input, relative to the folder of all mappings.
    given: String,
    expect: Expect,
    sender: Source,
    now: Option<i64>,
    place: Diagnostic,
}

#[derive(Debug)]
enum Expect {
    Facts(Json),
    Fault { fault: String, at: String },
    File(String),
}

impl Example {
    /// Resolves the paths and the expectation of one example.
    pub fn compile(
        file: Text<'_>,
        kind: &Kind,
        example: &Spanned<ExampleText>,
    ) -> Result<Self, Diagnostic> {
        let text = example.get_ref();
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let beside = |name: &str| format!("{folder}/{name}");
        let spot = text.expect.span();
        let wrong = || {
            file.fault(spot.clone(), "expect names a file, or a fault and its place")
                .hint("expect = { fault = \"table-value\", at = \"PID-8\" }")
        };
        let expect = match text.expect.get_ref() {
            toml::Value::String(name) => Expect::File(beside(name)),
            toml::Value::Table(table) if matches!(kind, Kind::Derived) => {
                Expect::Facts(serde_json::to_value(table).map_err(|_| wrong())?)
            }
            toml::Value::Table(table) => {
                let text = |key: &str| table.get(key).and_then(toml::Value::as_str);
                let (fault, at) = text("fault").zip(text("at")).ok_or_else(wrong)?;
                Expect::Fault { fault: fault.to_owned(), at: at.to_owned() }
            }
            _ => return Err(wrong()),
        };
        let now = match &text.now {
            Some(now) => Some(
                Date::parse_iso(now)
                    .ok()
                    .and_then(|now| now.timestamp())
                    .ok_or_else(|| file.fault(example.span(), "now is no date"))?,
            ),
            None => None,
        };
        let sender = Source::parse(text.sender.as_deref().unwrap_or("example"))
            .map_err(|error| file.fault(example.span(), error.to_string()))?;
        Ok(Self {
            kind: kind.clone(),
            title: text.title.clone(),
            given: beside(text.given.get_ref()),
            expect,
            sender,
            now,
            place: file.fault(text.given.span(), ""),
        })
    }

    /// The example of a sender's file is that sender's.
    pub fn set_sender(&mut self, sender: Source) {
        self.sender = sender;
    }

    fn fault(&self, message: &str) -> Diagnostic {
        let mut fault = self.place.clone();
        fault.message = format!("example `{}`: {message}", self.title);
        fault
    }
}

/// Runs every example, and names each row that none exercises.
pub(super) fn check(pack: &Pack, files: &Files) -> Vec<Diagnostic> {
    let mut fired = vec![false; pack.places.len()];
    let mut faults = Vec::new();
    for example in &pack.examples {
        let outcome = run(pack, files, example, &mut fired);
        faults.extend(outcome.err().map(|message| example.fault(&message)));
    }
    let quiet = pack.places.iter().zip(&fired).filter(|(_, fired)| !**fired);
    faults.extend(quiet.map(|(place, _)| place.clone()));
    faults
}

fn run(pack: &Pack, files: &Files, example: &Example, fired: &mut Vec<bool>) -> Result<(), String> {
    let bytes =
        files.bytes(&example.given).ok_or_else(|| format!("there is no file {}", example.given))?;
    match &example.kind {
        Kind::Cda => {
            let read = pack.read_cda(example.sender, bytes, &wire::xml::Limits::default());
            if let Ok(found) = &read {
                cda::examples::written_back(pack, found)?;
            }
            compare(files, example, read.map(|found| vec![found]).map_err(Unread::from))
        }
        Kind::City(sender) => {
            let form = civil::form_of(&example.given).ok_or("is no .json, .xml or .csv")?;
            let unit = (bytes, &Limits::default());
            let read = civil::read(pack, (form, *sender), unit, Some(fired));
            if let Ok([found]) = read.as_deref() {
                civil::written_back(pack, (form, *sender), (bytes, &found.record))?;
            }
            compare(files, example, read)
        }
        Kind::Derived => derived(pack, example, (&json(bytes)?, fired)),
        Kind::Dialect(dialect) => {
            let limits = Limits::default();
            let named = (dialect.as_str(), example.sender);
            let read = document::read_bytes(pack, named, (bytes, &limits), Some(fired));
            if let Ok(found) = &read {
                found.iter().try_for_each(|found| written_back(pack, dialect, found))?;
            }
            compare(files, example, read)
        }
        Kind::Fhir if example.given.ends_with(".hl7") => bundled(pack, files, example, fired),
        Kind::Fhir => {
            let tree = wire::Tree::from_json(&json(bytes)?);
            let read = fhir::read_marking(pack, (example.sender, &tree), fired);
            if let Ok(found) = &read {
                fhir::written_back(pack, (&tree, found), fired)?;
            }
            let read = read.map(|found| vec![found]).map_err(Unread::from);
            compare(files, example, read)
        }
        Kind::Event | Kind::Segment(_) => {
            let message = message(pack, example, bytes)?;
            let overlay = pack.overlay(example.sender);
            let read = read_hl7::read(pack, (example.sender, overlay), &message, Some(fired));
            compare(files, example, read.map(|found| vec![found]).map_err(Unread::from))
        }
    }
}

fn message(pack: &Pack, example: &Example, bytes: &[u8]) -> Result<Message, String> {
    let charset = pack.overlay(example.sender).charset.unwrap_or(wire::Charset::Utf8);
    let limits = wire::hl7v2::Limits::default();
    Message::read(bytes, charset, &limits).map_err(|error| error.to_string())
}

/// A message of a hospital as a bundle: all of it is as expected, and it can be read.
fn bundled(
    pack: &Pack,
    files: &Files,
    example: &Example,
    fired: &mut Vec<bool>,
) -> Result<(), String> {
    let Expect::File(expected) = &example.expect else {
        return Err("expects the file of a bundle".to_owned());
    };
    let file = |path: &String| files.bytes(path).ok_or_else(|| format!("there is no file {path}"));
    let message = message(pack, example, file(&example.given)?)?;
    let named = (example.sender, pack.overlay(example.sender));
    let read = read_hl7::read(pack, named, &message, None).map_err(|error| error.to_string())?;
    let bundle = fhir::write_marking(pack, &read.record, fired);
    if bundle.to_json() != json(file(expected)?)? {
        return Err(format!("makes another bundle than {expected}"));
    }
    // What only writes is read nowhere, so leaves may be left over here.
    let again = fhir::read_marking(pack, (example.sender, &bundle), fired);
    again.map(drop).map_err(|error| format!("what is written cannot be read: {error}"))
}

fn json(bytes: &[u8]) -> Result<Json, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("the file is no JSON: {error}"))
}

fn compare(
    files: &Files,
    example: &Example,
    found: Result<Vec<Translation>, Unread>,
) -> Result<(), String> {
    match (&example.expect, found) {
        (Expect::Fault { fault, at }, Err(error)) => {
            let place = error.at.as_ref().map_or(String::new(), ToString::to_string);
            let name = error.fault.row().name;
            if name == fault && place == *at {
                return Ok(());
            }
            Err(format!("is refused with {name} at {place}, not with {fault} at {at}"))
        }
        (Expect::Fault { .. }, Ok(_)) => Err("is not refused".to_owned()),
        (_, Err(error)) => {
            let at = error.at.as_ref().map_or(String::new(), ToString::to_string);
            Err(format!("is refused with {} at {at}: {error}", error.fault.row().name))
        }
        (Expect::File(path), Ok(found)) => {
            let bytes = files.bytes(path).ok_or_else(|| format!("there is no file {path}"))?;
            let expected = json(bytes)?;
            let expected = expected.get("records").cloned().unwrap_or(expected);
            let expected = match expected {
                Json::Array(list) => list,
                one => vec![one],
            };
            if expected.len() != found.len() {
                return Err(format!("makes {} records, not {}", found.len(), expected.len()));
            }
            found.iter().zip(&expected).try_for_each(|(found, expected)| {
                same(&shown(&found.record, &example.kind), expected)
            })
        }
        (Expect::Facts(_), Ok(_)) => Err("expects facts where there are none".to_owned()),
    }
}

/// What an example compares: of a segment table, its own segment alone.
fn shown(record: &Record, kind: &Kind) -> Json {
    let Kind::Segment(segment) = kind else { return record_to_json(record) };
    let mut record = record.clone();
    for group in &mut record.groups {
        group.fields.retain(|field| in_segment(field.at.as_ref(), *segment));
        group.parent = None;
    }
    record.groups.retain(|group| !group.fields.is_empty());
    record.carried.retain(|leaf| in_segment(Some(&leaf.at), *segment));
    record_to_json(&record)
}

/// Compares a record with its expectation; the first difference is named.
fn same(found: &Json, expected: &Json) -> Result<(), String> {
    for key in ["dataset", "source", "time", "carried"] {
        if let Some(expected) = expected.get(key)
            && found.get(key) != Some(expected)
        {
            let found = found.get(key).unwrap_or(&Json::Null);
            return Err(format!("{key} is {found}, not {expected}"));
        }
    }
    let list = |json: &Json, key: &str| json.get(key).and_then(Json::as_array).cloned();
    let (found, expected) = (list(found, "groups"), list(expected, "groups"));
    let (found, expected) = (found.unwrap_or_default(), expected.unwrap_or_default());
    if found.len() != expected.len() {
        return Err(format!("has {} groups, not {}", found.len(), expected.len()));
    }
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        for key in ["name", "parent"] {
            if expected.get(key).is_some() && found.get(key) != expected.get(key) {
                return Err(format!("group {index} has another {key}"));
            }
        }
        let (found, expected) = (list(found, "fields"), list(expected, "fields"));
        let (found, expected) = (found.unwrap_or_default(), expected.unwrap_or_default());
        for (found, expected) in found.iter().zip(&expected) {
            same_field(found, expected).map_err(|why| format!("group {index}: {why}"))?;
        }
        if found.len() != expected.len() {
            let (some, other) = (found.len(), expected.len());
            return Err(format!("group {index} has {some} fields, not {other}"));
        }
    }
    Ok(())
}

fn same_field(found: &Json, expected: &Json) -> Result<(), String> {
    for key in ["element", "at"] {
        if let Some(wanted) = expected.get(key)
            && found.get(key) != Some(wanted)
        {
            let found = found.get(key).unwrap_or(&Json::Null);
            return Err(format!("has {found} where {wanted} is expected"));
        }
    }
    let value = |json: &Json| json.get("value").cloned().unwrap_or(Json::Null);
    let (some, other) = (value(found), value(expected));
    if agrees(&some, &other) {
        return Ok(());
    }
    // Examples are invented, so their values may be shown.
    Err(format!("{} is {some}, not {other}", expected.get("at").unwrap_or(&Json::Null)))
}

/// Each leaf a two-way row reads must be in what is written of the record.
fn written_back(pack: &Pack, dialect: &str, found: &Translation) -> Result<(), String> {
    let Some(plan) = document::plan_for(pack, dialect, &found.record) else { return Ok(()) };
    let Some(bytes) = document::write_bytes(pack, dialect, &found.record) else {
        return Ok(());
    };
    let (named, limits) = ((dialect, found.record.source), Limits::default());
    let again = document::read_bytes(pack, named, (&bytes, &limits), None)
        .map_err(|error| format!("what is written cannot be read: {error}"))?;
    let [again] = again.as_slice() else { return Err("is written as several".to_owned()) };
    document::lost(plan, found, again).map_or(Ok(()), Err)
}

fn derived(
    pack: &Pack,
    example: &Example,
    (given, fired): (&Json, &mut Vec<bool>),
) -> Result<(), String> {
    let now = example.now.ok_or("says no `now`")?;
    let given = given.get("records").unwrap_or(given);
    let records: Result<Vec<_>, _> = given
        .as_array()
        .into_iter()
        .flatten()
        .map(|json| record_from_json(pack.catalogue(), json))
        .collect();
    let records = records?;
    let records: Vec<_> = records.iter().collect();
    for row in pack.derived.rows(&records, now) {
        if let Some(fired) = fired.get_mut(row) {
            *fired = true;
        }
    }
    let Expect::Facts(expected) = &example.expect else {
        return Err("expect holds the facts".to_owned());
    };
    let expected = expected.as_object().cloned().unwrap_or_default();
    let found = pack.derive((&records, now), &super::Everything);
    let fields: Vec<_> = found.iter().flat_map(Record::fields).collect();
    for field in &fields {
        let value = value_to_json(&field.value);
        match expected.get(field.element.as_str()) {
            Some(wanted) if agrees(&value, wanted) => (),
            Some(wanted) => return Err(format!("{} is {value}, not {wanted}", field.element)),
            None => return Err(format!("{} follows, and is not expected", field.element)),
        }
    }
    let follows = |name: &str| fields.iter().any(|field| field.element.as_str() == name);
    match expected.keys().find(|name| !follows(name)) {
        Some(name) => Err(format!("{name} does not follow")),
        None => Ok(()),
    }
}
