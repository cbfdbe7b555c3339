//! `kangqiao mappings coverage`: what of a standard, or of a sender's messages, has a place.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Where, pack, print_json, table};
use crate::command::translate::input;
use crate::command::{Failure, say};
use crate::translate::atlas::{Atlas, inside};
use crate::translate::form::{Form, Limits};
use crate::translate::{Bins, Pack};
use crate::vocabulary::{ElementId, Files, Source};

/// The fields the official mapping gives a target, in `mappings/`.
const OFFICIAL: &str = "coverage/v2-to-fhir.csv";
/// The entries of the shared documents, in `mappings/`.
const ENTRIES: &str = "cda/entries.csv";

/// `kangqiao mappings coverage`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    /// Which standard; both if none is named
    #[arg(long, value_enum)]
    standard: Option<Standard>,
    /// Show only what has no place
    #[arg(long)]
    missing: bool,
    /// Whose messages the files are: a name in `mappings/senders`
    #[arg(long, default_value = "example")]
    sender: String,
    /// What the files are
    #[arg(long, default_value = "hl7v2")]
    from: String,
    /// Messages of the sender: their leaves are counted instead
    files: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Standard {
    /// The official HL7 mapping of HL7 v2 to FHIR R4
    V2ToFhir,
    /// The entries of WS/T 500 and WS/T 483
    Wst500,
}

#[derive(Deserialize)]
struct Official {
    wire: String,
    name: String,
    fhir: String,
}

#[derive(Deserialize)]
struct Entry {
    doc: String,
    section: String,
    element: String,
    name: String,
}

/// Where one demand of a standard stands.
struct Demand {
    /// The segment, or the document.
    part: String,
    wire: String,
    name: String,
    /// `honoured`, `read`, `carried`, `dropped` or `missing`.
    state: &'static str,
    why: String,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] if the mapping files are faulty or a message file cannot be read.
pub fn run(args: &Args) -> Result<(), Failure> {
    let (files, pack) = pack(&args.place.mappings)?;
    if !args.files.is_empty() {
        return sender(args, &pack);
    }
    let atlas = Atlas::of(&files);
    let wanted = |standard| args.standard.is_none_or(|only| only == standard);
    let mut told = serde_json::Map::new();
    if wanted(Standard::V2ToFhir) {
        let demands = official(&files, &atlas)?;
        told.insert("v2-to-fhir".to_owned(), tell(args, "HL7 v2 to FHIR R4", &demands)?);
    }
    if wanted(Standard::Wst500) {
        let demands = entries(&files, &pack)?;
        told.insert("wst500".to_owned(), tell(args, "WS/T 500, WS/T 483", &demands)?);
    }
    if args.place.json { print_json(&Json::Object(told)) } else { Ok(()) }
}

/// The fields of the official mapping, and what becomes of each here.
fn official(files: &Files, atlas: &Atlas) -> Result<Vec<Demand>, Failure> {
    let of = |form: &'static str| atlas.places.iter().filter(move |place| place.form == form);
    let written: HashSet<&str> = of("fhir")
        .filter(|place| place.ways.1)
        .flat_map(|place| place.elements.iter().map(String::as_str))
        .collect();
    let mut demands = Vec::new();
    for row in rows::<Official>(files, OFFICIAL)? {
        let own = |wire: &str| inside(&row.wire, wire) || inside(wire, &row.wire);
        let read = of("hl7v2").filter(|place| place.ways.0 && own(&place.wire));
        let elements: Vec<_> = read.flat_map(|place| place.elements.clone()).collect();
        let honoured = elements.iter().any(|element| written.contains(element.as_str()));
        let left = atlas.left.iter().find(|left| left.form == "hl7v2" && own(&left.wire));
        let (state, why) = match (honoured, elements.is_empty(), left) {
            (true, ..) => ("honoured", row.fhir),
            (false, false, _) => ("read", format!("{} has no place in FHIR", elements.join(" "))),
            (false, true, Some(left)) if left.carried => ("carried", left.why.clone()),
            (false, true, Some(left)) => ("dropped", left.why.clone()),
            (false, true, None) => ("missing", row.fhir),
        };
        let part = row.wire.split('-').next().unwrap_or_default().to_owned();
        demands.push(Demand { part, wire: row.wire, name: row.name, state, why });
    }
    Ok(demands)
}

/// The entries of the documents: one whose element the catalogue has is read and written.
fn entries(files: &Files, pack: &Pack) -> Result<Vec<Demand>, Failure> {
    let known = |id: &str| ElementId::parse(id).ok().and_then(|id| pack.catalogue().get(id));
    let demand = |row: Entry| {
        let state = if known(&row.element).is_some() { "honoured" } else { "missing" };
        let wire = format!("{}/{} {}", row.doc, row.section, row.element);
        Demand { part: row.doc, wire, name: row.name, state, why: String::new() }
    };
    Ok(rows::<Entry>(files, ENTRIES)?.into_iter().map(demand).collect())
}

fn rows<T: serde::de::DeserializeOwned>(files: &Files, path: &str) -> Result<Vec<T>, Failure> {
    let bytes = files.bytes(path);
    let bytes = bytes.ok_or_else(|| Failure(format!("{path}: there is no such file")))?;
    let rows = csv::Reader::from_reader(bytes).into_deserialize().collect::<Result<_, _>>();
    rows.map_err(|error| Failure::during(path, error))
}

/// Counts by part, then what is not honoured.
fn tell(args: &Args, title: &str, demands: &[Demand]) -> Result<Json, Failure> {
    const STATES: [&str; 5] = ["honoured", "read", "carried", "dropped", "missing"];
    let mut parts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    for demand in demands {
        *parts.entry(&demand.part).or_default().entry(demand.state).or_default() += 1;
        *sums.entry(demand.state).or_default() += 1;
    }
    let missing = || demands.iter().filter(|demand| demand.state != "honoured");
    if args.place.json {
        let row = |demand: &Demand| {
            json!({
                "wire": demand.wire, "name": demand.name, "state": demand.state,
                "why": demand.why,
            })
        };
        let shown: Vec<_> = missing().map(row).collect();
        return Ok(json!({ "sums": sums, "parts": parts, "not_honoured": shown }));
    }
    say(format!("{title}: {} of {}", sums.get("honoured").unwrap_or(&0), demands.len()))?;
    if !args.missing {
        let head = std::iter::once("").chain(STATES).map(str::to_owned).collect();
        let mut lines: Vec<Vec<String>> = vec![head];
        for (part, counts) in &parts {
            let counts = STATES.iter().map(|state| counts.get(state).unwrap_or(&0).to_string());
            lines.push(std::iter::once((*part).to_owned()).chain(counts).collect());
        }
        table(&lines)?;
    }
    let line = |demand: &Demand| {
        let Demand { wire, name, state, why, .. } = demand;
        vec![wire.clone(), (*state).to_owned(), name.clone(), why.clone()]
    };
    table(&missing().map(line).collect::<Vec<_>>())?;
    Ok(Json::Null)
}

/// The four bins over a sender's messages, and the places nobody thought of.
fn sender(args: &Args, pack: &Pack) -> Result<(), Failure> {
    let sender = Source::parse(&args.sender).map_err(|error| Failure::during("sender", error))?;
    let form = Form::parse(&args.from);
    let form = form.ok_or_else(|| Failure(format!("there is no form {}", args.from)))?;
    let mut sum = Bins::default();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut refused: Vec<Vec<String>> = Vec::new();
    for path in &args.files {
        let shown = |path: &Path| path.display().to_string();
        match pack.read((form, sender), &input(path)?, &Limits::default()) {
            Ok(found) => found.iter().for_each(|found| {
                let Bins { mapped, carried, dropped, unmapped, first_unmapped, .. } = &found.bins;
                sum.mapped += mapped;
                sum.carried += carried;
                sum.dropped += dropped;
                sum.unmapped += unmapped;
                for place in first_unmapped {
                    *places.entry(place.to_string()).or_default() += 1;
                }
            }),
            Err(wrong) => {
                let at = wrong.at.map(|at| at.to_string()).unwrap_or_default();
                refused.push(vec![shown(path), wrong.fault.row().name.to_owned(), at]);
            }
        }
    }
    if args.place.json {
        return print_json(&json!({
            "sender": sender, "files": args.files.len(), "refused": refused,
            "mapped": sum.mapped, "carried": sum.carried, "dropped": sum.dropped,
            "unmapped": sum.unmapped, "leaves": sum.leaves(), "first_unmapped": places,
        }));
    }
    say(format!(
        "{sender}: {} files, {} refused; {} leaves: {} mapped, {} carried, {} dropped, {} unmapped",
        args.files.len(),
        refused.len(),
        sum.leaves(),
        sum.mapped,
        sum.carried,
        sum.dropped,
        sum.unmapped
    ))?;
    table(&refused)?;
    let places = places.into_iter().map(|(place, count)| vec![place, count.to_string()]);
    table(&places.collect::<Vec<_>>())
}
