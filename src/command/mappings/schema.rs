//! `kangqiao mappings schema`: the shape of each kind of file, for editors that know JSON
//! schema (taplo, Even Better TOML): `#:schema hl7v2-segment.schema.json`.
//!
//! The tables below are compared in the tests with what the parser accepts, key by key.

use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};

use super::print_json;
use crate::command::{Failure, say};

/// `kangqiao mappings schema [KIND]`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which kind of file; left out, their names are printed
    kind: Option<String>,
    /// Write all schemas into a folder
    #[arg(long, conflicts_with = "kind")]
    into: Option<PathBuf>,
}

/// A key, what it holds, and what it means.
type Key = (&'static str, Holds, &'static str);

/// What a key holds.
#[derive(Debug, Clone, Copy)]
enum Holds {
    /// Text; true where it must be there.
    Text(bool),
    /// Texts.
    Texts(bool),
    /// Yes or no.
    Flag,
    /// A whole number.
    Number,
    /// One of these words.
    One(&'static [&'static str]),
    /// Text by name.
    Named,
    /// Names to lists or tables.
    Tables,
    /// One of several shapes, checked by the parser alone.
    Any,
    /// A table of these keys.
    Table(&'static [Key]),
    /// Tables of these keys.
    Rows(&'static [Key]),
}

use Holds::{Any, Flag, Named, Number, One, Rows, Table, Tables, Text, Texts};

const TITLE: Key = ("title", Text(true), "what it is, for the reader");
const SOURCE: Key = ("source", Text(true), "document, edition and section it follows");
const VALUES: &[&str] = &[
    "address",
    "boolean",
    "bytes",
    "code",
    "date",
    "identifier",
    "name",
    "observation",
    "organization",
    "person",
    "place",
    "quantity",
    "telecom",
    "text",
];
const KINDS: &[&str] = &["citizen-id", "health-card", "local", "other", "record-number"];
const WHEN: &[Key] = &[
    ("wire", Text(true), "the place that is looked at"),
    ("is", Texts(false), "the row holds only where one of these stands there"),
    ("begins", Texts(false), "HL7 v2: or where it begins with one of these"),
];
const REASON: &[Key] = &[
    ("wire", Text(true), "the place, and all below it"),
    ("why", Text(true), "the reason, shown by `coverage`"),
];
const EXAMPLE: &[Key] = &[
    TITLE,
    ("given", Text(true), "the input, a file beside this one"),
    ("expect", Any, "the expected elements, a file, or { fault, at }"),
    ("sender", Text(false), "read with this sender's overlay"),
    ("now", Text(false), "the moment derived facts are asked at, ISO 8601"),
];
const CONSTANT: &[Key] = &[
    ("wire", Text(true), "where it stands"),
    ("is", Text(true), "what stands there"),
    ("with", Text(false), "only where something stands at this path"),
];
const ROW: &[Key] = &[
    ("wire", Text(true), "where the value stands"),
    ("element", Any, "the element; with as = \"observation\" one for each type"),
    ("as", One(VALUES), "how the value is read; left out, as the element is"),
    ("kind", One(KINDS), "of an identifier"),
    ("codes", Text(false), "the element's table | the table of the wire"),
    ("unknown", One(&["keep", "refuse"]), "a code the table does not list"),
    ("unit", Text(false), "where the unit of a quantity stands"),
    ("when", Table(WHEN), "the row holds only there"),
    ("required", Flag, "an empty place quarantines the message"),
    ("strict", Flag, "a value that cannot be read quarantines the message"),
    ("also", Flag, "beside the rows before it, not instead"),
    ("way", One(&["both", "in", "out"]), "which ways the row is used"),
    ("form", Text(false), "which composite stands there, such as XCN"),
    ("shape", Text(false), "of a document: which spelling of the type"),
    ("system", Text(false), "of a document: OID of the coding system or assigner"),
    ("named", Text(false), "of a document: printed name of the system"),
    ("note", Text(false), "for the reader"),
];
const DEFAULT: &[Key] =
    &[("wire", Text(true), "where it stands"), ("is", Text(true), "what stands there")];
const SEGMENT: &[Key] = &[
    ("segment", Text(true), "three letters, as on the wire"),
    TITLE,
    SOURCE,
    ("group", Text(true), "record, or a group for each segment"),
    ("parent", Any, "the segments its groups hang below"),
    ("closes", Any, "segments whose groups end here"),
    ("withdrawn", Rows(WHEN), "where one holds, the segment is carried, nothing of it read"),
    ("rows", Rows(ROW), "places with an element"),
    ("carries", Rows(REASON), "places kept without an element"),
    ("drops", Rows(REASON), "places left out"),
    ("defaults", Rows(DEFAULT), "written where no row wrote"),
    ("example", Rows(EXAMPLE), "what runs at every check and reload"),
];
const EVENT: &[Key] = &[
    ("event", Text(false), "TYPE^EVENT"),
    ("events", Texts(false), "several of them"),
    TITLE,
    SOURCE,
    ("record", Text(true), "the dataset"),
    ("segments", Texts(true), "[ ] may be absent, { } may repeat"),
    ("time", Texts(false), "places of the event's own time, best first"),
    (
        "merge",
        Table(&[
            ("from", Text(true), "who is merged away"),
            ("into", Text(true), "into whom"),
            ("is", Text(false), "linked, merged, moved or unlinked: what is said of the two"),
        ]),
        "makes it a merge",
    ),
    ("aside", Text(false), "from its second segment of this name on all is carried"),
    ("example", Rows(EXAMPLE), "what runs at every check and reload"),
];
const DOCUMENT: &[Key] = &[
    ("dialect", Text(true), "the family of documents"),
    TITLE,
    SOURCE,
    ("record", Text(true), "the dataset"),
    ("writes", Texts(false), "other datasets whose records it writes"),
    ("root", Text(false), "XML: local name of the root element"),
    ("namespace", Text(false), "XML: its namespace"),
    ("only", Table(WHEN), "only documents that say one of these"),
    ("time", Text(false), "the place of the record's time"),
    ("groups", Named, "lists whose items are groups"),
    ("order", Tables, "XML: the order of members at a path"),
    ("fixed", Rows(CONSTANT), "written whenever anything is"),
    ("defaults", Rows(CONSTANT), "written where no row wrote"),
    ("rows", Rows(ROW), "places with an element"),
    ("carries", Rows(REASON), "places kept without an element"),
    ("drops", Rows(REASON), "places left out"),
    ("example", Rows(EXAMPLE), "what runs at every check and reload"),
];
const FHIR_CONSTANT: &[Key] = &[
    ("wire", Text(true), "where it stands"),
    ("is", Text(true), "what stands there"),
    ("has", Text(false), "only where the group has this element"),
    ("one_of", Texts(false), "with has: only where it is one of these"),
    ("lacks", Text(false), "only where the group lacks this element"),
    ("datasets", Texts(false), "only in records of these datasets"),
];
const FHIR_ROW: &[Key] = &[
    ("wire", Text(true), "where the value stands in the resource"),
    ("element", Any, "the element"),
    ("as", One(VALUES), "how the value is read; left out, as the element is"),
    ("kind", One(KINDS), "of an identifier"),
    ("codes", Text(false), "the element's table | the table of the wire"),
    ("unknown", One(&["keep", "refuse"]), "a code the table does not list"),
    ("when", Table(WHEN), "the row holds only there"),
    ("required", Flag, "an empty place quarantines the bundle"),
    ("strict", Flag, "a value that cannot be read quarantines the bundle"),
    ("way", One(&["both", "in", "out"]), "which ways the row is used"),
    ("from", Text(false), "the group the value stands in, if not the file's own"),
    ("system", Text(false), "of a code that names none"),
    ("unit", Text(false), "of a quantity that names none"),
    ("role", Text(false), "in which role a person is referred to"),
    ("several", Texts(false), "only of several values: each an item, with these members"),
    ("has", Text(false), "written only where the group has this element"),
    ("one_of", Texts(false), "with has: only where it is one of these"),
    ("lacks", Text(false), "only where the group lacks this element"),
    ("inside", Flag, "with from: of groups right inside the file's own"),
    ("join", Text(false), "what stands between all values in one text"),
    ("with", Texts(false), "with join: elements joined behind"),
    ("part", Number, "of a composite this component alone"),
    ("original", Any, "the sender's table | the table its codes become"),
    ("besides", Rows(FHIR_CONSTANT), "constants of the item the value stands in"),
    ("worded", Flag, "a code's text repeats what it says"),
    ("designator", Flag, "an organization whose name is its number (HD)"),
    ("note", Text(false), "for the reader"),
];
const REF: &[Key] = &[
    ("wire", Text(true), "where the reference stands"),
    ("to", Text(true), "the resource type or file it leads to"),
    ("has", Text(false), "only to those whose group has this element"),
    ("one_of", Texts(false), "with has: only where it is one of these"),
    ("inside", Flag, "only to those of the own group or inside it"),
    ("around", Flag, "only to those of the own group or around it"),
    ("typed", Flag, "says the type of what it leads to"),
    ("note", Text(false), "for the reader"),
];
const FHIR: &[Key] = &[
    ("dialect", Text(true), "fhir"),
    ("resource", Text(true), "its type"),
    TITLE,
    SOURCE,
    ("group", Text(false), "one resource for each group of that name"),
    ("parent", Text(false), "the group its groups hang below"),
    ("each", Any, "one resource for each value of some elements"),
    ("needs", Texts(false), "elements of which the group must have one"),
    ("datasets", Texts(false), "only in records of these datasets"),
    ("groups", Named, "lists whose items are groups"),
    ("fixed", Rows(FHIR_CONSTANT), "constants"),
    ("defaults", Rows(FHIR_CONSTANT), "written where no row wrote"),
    ("refs", Rows(REF), "references to other resources"),
    ("rows", Rows(FHIR_ROW), "places with an element"),
    ("carries", Rows(REASON), "places kept without an element"),
    ("drops", Rows(REASON), "places left out"),
    ("everywhere", Rows(REASON), "bundle.toml: drops of every resource"),
    ("record", Text(false), "bundle.toml: the dataset of a bundle that names none"),
    ("offset", Text(false), "bundle.toml: the offset of a time that names none"),
    ("example", Rows(EXAMPLE), "what runs at every check and reload"),
];
const SENDER: &[Key] = &[
    TITLE,
    ("source", Text(false), "who said so"),
    ("charset", Text(false), "where MSH-18 is empty"),
    ("authority", Text(false), "of local numbers that name none"),
    ("kinds", Named, "type codes of CX-5"),
    ("codes", Tables, "by path: its spelling = the standard's"),
    ("repairs", Texts(false), "iso-dates, trim"),
    ("processing", Texts(false), "T, D: MSH-11 that is applied beside P"),
    ("rows", Rows(ROW), "rows of its own, before those of the segments"),
    ("example", Rows(EXAMPLE), "what runs at every check and reload"),
];
const ELEMENT: &[Key] = &[
    ("id", Text(true), "the national id, or MZ.…"),
    ("zh", Text(true), "name in Chinese"),
    ("en", Text(true), "name in English"),
    ("value", One(VALUES), "type of its values"),
    ("domain", Text(false), "code table"),
    ("class", Text(false), "what policies speak about; unlabelled if left out"),
    ("level", Number, "1 open to 5 highest; 5 if left out"),
    ("source", Text(false), "where it is defined"),
    ("note", Text(false), "for the reader"),
];
const ELEMENTS: &[Key] = &[TITLE, SOURCE, ("rows", Rows(ELEMENT), "the elements")];

/// Every kind of file: its name, where such files lie, and its keys.
const FILES: &[(&str, &str, &[Key])] = &[
    ("document", "civil/, platform/, v3-pix/, v3-regional/, v3-hospital/, card/", DOCUMENT),
    ("elements", "elements/", ELEMENTS),
    ("fhir-resource", "fhir/", FHIR),
    ("hl7v2-event", "hl7v2/type_event.toml", EVENT),
    ("hl7v2-segment", "hl7v2/segment.toml", SEGMENT),
    ("sender", "senders/", SENDER),
];

/// Runs the command.
///
/// # Errors
/// [`Failure`] if there is no such kind, or the folder cannot be written.
pub fn run(args: &Args) -> Result<(), Failure> {
    if let Some(folder) = &args.into {
        let during = |error| Failure::during(&folder.display().to_string(), error);
        std::fs::create_dir_all(folder).map_err(during)?;
        for (name, _, keys) in FILES {
            let text = serde_json::to_vec_pretty(&schema(name, keys));
            let text = text.map_err(|error| Failure::during("print", error))?;
            std::fs::write(folder.join(format!("{name}.schema.json")), text).map_err(during)?;
        }
        return Ok(());
    }
    let Some(kind) = &args.kind else {
        return FILES.iter().try_for_each(|(name, place, _)| say(format!("{name}\t{place}")));
    };
    let found = FILES.iter().find(|(name, ..)| name == kind);
    let names: Vec<_> = FILES.iter().map(|(name, ..)| *name).collect();
    let none = || Failure(format!("there is no kind {kind}: {}", names.join(", ")));
    let (name, _, keys) = found.ok_or_else(none)?;
    print_json(&schema(name, keys))
}

fn schema(name: &str, keys: &[Key]) -> Json {
    let mut schema = object(keys);
    if let Json::Object(members) = &mut schema {
        members.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
        members.insert("title".to_owned(), format!("kangqiao mapping file: {name}").into());
    }
    schema
}

fn object(keys: &[Key]) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, holds, text) in keys {
        let mut shape = shape(*holds);
        if let Json::Object(members) = &mut shape {
            members.insert("description".to_owned(), (*text).into());
        }
        properties.insert((*name).to_owned(), shape);
        if matches!(holds, Text(true) | Texts(true)) {
            required.push(*name);
        }
    }
    json!({
        "type": "object", "additionalProperties": false,
        "properties": properties, "required": required,
    })
}

fn shape(holds: Holds) -> Json {
    match holds {
        Text(_) => json!({ "type": "string" }),
        Texts(_) => json!({ "type": "array", "items": { "type": "string" } }),
        Flag => json!({ "type": "boolean" }),
        Number => json!({ "type": "integer" }),
        One(words) => json!({ "enum": words }),
        Named => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Tables => json!({ "type": "object" }),
        Any => json!({}),
        Table(keys) => object(keys),
        Rows(keys) => json!({ "type": "array", "items": object(keys) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::Pack;
    use crate::vocabulary::Files;

    /// The keys the parser names when it meets one it does not know.
    fn accepted(path: &str, text: &str) -> Vec<String> {
        let mut files = Files::default();
        files.insert(path, text);
        let faults = Pack::load(&files).map(|_| ()).unwrap_err();
        let told = faults.iter().find_map(|fault| {
            let (_, keys) = fault.message.split_once("unknown field `zz`, expected ")?;
            Some(keys.split('`').skip(1).step_by(2).map(str::to_owned).collect())
        });
        told.unwrap_or_else(|| panic!("{path}: {faults:?}"))
    }

    fn check(path: &str, text: &str, keys: &[Key]) {
        let mut names: Vec<_> = keys.iter().map(|(name, ..)| (*name).to_owned()).collect();
        let mut accepted = accepted(path, text);
        names.sort_unstable();
        accepted.sort_unstable();
        assert_eq!(names, accepted, "{path}: {text}");
    }

    #[test]
    fn an_editor_knows_exactly_the_keys_the_parser_accepts() {
        for (path, keys) in [
            ("elements/a.toml", ELEMENTS),
            ("hl7v2/pid.toml", SEGMENT),
            ("hl7v2/adt_a01.toml", EVENT),
            ("civil/a.toml", DOCUMENT),
            ("fhir/a.toml", FHIR),
            ("senders/a.toml", SENDER),
        ] {
            check(path, "zz = 1", keys);
        }
        check("elements/a.toml", "rows = [{ zz = 1 }]", ELEMENT);
        for path in ["hl7v2/pid.toml", "civil/a.toml"] {
            check(path, "rows = [{ zz = 1 }]", ROW);
            check(path, "drops = [{ zz = 1 }]", REASON);
            check(path, "[[example]]\nzz = 1", EXAMPLE);
            check(path, "rows = [{ when = { zz = 1 } }]", WHEN);
        }
        check("hl7v2/pid.toml", "defaults = [{ zz = 1 }]", DEFAULT);
        check("civil/a.toml", "fixed = [{ zz = 1 }]", CONSTANT);
        check("fhir/a.toml", "fixed = [{ zz = 1 }]", FHIR_CONSTANT);
        check("fhir/a.toml", "rows = [{ zz = 1 }]", FHIR_ROW);
        check("fhir/a.toml", "refs = [{ zz = 1 }]", REF);
    }

    #[test]
    fn a_schema_says_what_must_be_there() {
        let schema = schema("hl7v2-segment", SEGMENT);
        assert_eq!(schema["required"], json!(["segment", "title", "source", "group"]));
        assert_eq!(schema["properties"]["rows"]["items"]["required"], json!(["wire"]));
    }
}
