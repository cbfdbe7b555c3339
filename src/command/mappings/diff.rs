//! `kangqiao mappings diff`: what changes between two folders of mapping files, element by
//! element, and in what they make of messages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::{pack, print_json, table};
use crate::command::translate::input;
use crate::command::{Failure, say};
use crate::translate::atlas::Atlas;
use crate::translate::form::{Form, Limits};
use crate::translate::{Pack, record_to_json};
use crate::vocabulary::{Files, Source};

/// `kangqiao mappings diff OLD NEW [MESSAGE…]`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the mapping files that serve
    old: PathBuf,
    /// Folder of those that shall
    new: PathBuf,
    /// Messages read with both; what differs is printed with its values
    messages: Vec<PathBuf>,
    /// What the messages are
    #[arg(long, default_value = "hl7v2")]
    from: String,
    /// Whose they are
    #[arg(long, default_value = "example")]
    sender: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One difference: of what, at which place, before and after.
type Change = [String; 4];

/// Runs the command.
///
/// # Errors
/// [`Failure`] if a folder is faulty or a message cannot be opened.
pub fn run(args: &Args) -> Result<(), Failure> {
    let ((old_files, old), (new_files, new)) = (pack(&args.old)?, pack(&args.new)?);
    let mut changes = catalogue(&old, &new);
    changes.extend(places(&old_files, &new_files));
    changes.extend(tables(&old_files, &new_files));
    let sender = Source::parse(&args.sender).map_err(|error| Failure::during("sender", error))?;
    let form = Form::parse(&args.from);
    let form = form.ok_or_else(|| Failure(format!("there is no form {}", args.from)))?;
    let mut results: Vec<Change> = Vec::new();
    for path in &args.messages {
        let bytes = input(path)?;
        let read = |pack: &Pack| outcome(pack, (form, sender), &bytes);
        results.extend(differences(path, (&read(&old), &read(&new))));
    }
    if args.json {
        return print_json(&json!({
            "old": old.version(), "new": new.version(),
            "changes": changes, "messages": results,
        }));
    }
    say(format!("{} -> {}: {} changes", old.version(), new.version(), changes.len()))?;
    table(&changes.iter().map(|change| change.to_vec()).collect::<Vec<_>>())?;
    if !args.messages.is_empty() {
        say(format!("{} messages: {} differences", args.messages.len(), results.len()))?;
        table(&results.iter().map(|change| change.to_vec()).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// What each side has under a key, where the two are not the same.
fn compared(
    what: &str,
    (old, new): (&BTreeMap<String, String>, &BTreeMap<String, String>),
) -> Vec<Change> {
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let side = |map: &BTreeMap<String, String>, key: &String| {
        map.get(key).cloned().unwrap_or_else(|| "-".to_owned())
    };
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| [what.to_owned(), key.clone(), side(old, key), side(new, key)])
        .collect()
}

/// Elements: their type, table, class and level.
fn catalogue(old: &Pack, new: &Pack) -> Vec<Change> {
    let all = |pack: &Pack| -> BTreeMap<String, String> {
        let elements = pack.catalogue().iter();
        elements
            .map(|element| {
                let domain = element.domain.as_deref().unwrap_or_default();
                let value = json!(element.value);
                let shown = format!(
                    "{} {domain} {} {}",
                    value.as_str().unwrap_or_default(),
                    element.class,
                    element.level
                );
                (element.id.as_str().to_owned(), shown)
            })
            .collect()
    };
    compared("element", (&all(old), &all(new)))
}

/// Where elements stand, form by form.
fn places(old: &Files, new: &Files) -> Vec<Change> {
    let all = |files: &Files| -> BTreeMap<String, String> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for place in Atlas::of(files).places {
            let way = match place.ways {
                (true, true) => "",
                (true, false) => " in",
                _ => " out",
            };
            for element in &place.elements {
                let key = format!("{element} {}", place.form);
                found.entry(key).or_default().push(format!("{} {}{way}", place.wire, place.how));
            }
        }
        let joined = |(key, mut texts): (String, Vec<String>)| {
            texts.sort_unstable();
            (key, texts.join("; "))
        };
        found.into_iter().map(joined).collect()
    };
    compared("place", (&all(old), &all(new)))
}

/// Code tables and crosswalks, line by line.
fn tables(old: &Files, new: &Files) -> Vec<Change> {
    let all = |files: &Files| -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for path in files.under("codes", "csv") {
            let text = files.text(path).unwrap_or_default();
            for line in text.lines().skip(1) {
                let (code, rest) = line.split_once(',').unwrap_or((line, ""));
                found.insert(format!("{path} {code}"), rest.to_owned());
            }
        }
        found
    };
    compared("code", (&all(old), &all(new)))
}

/// A record's values by place and element, or why there is none.
fn outcome(pack: &Pack, named: (Form, Source), bytes: &[u8]) -> BTreeMap<String, String> {
    let found = match pack.read(named, bytes, &Limits::default()) {
        Ok(found) => found,
        Err(wrong) => {
            let at = wrong.at.map(|at| at.to_string()).unwrap_or_default();
            return BTreeMap::from([(
                "refused".to_owned(),
                format!("{} {at}", wrong.fault.row().name),
            )]);
        }
    };
    let mut values = BTreeMap::new();
    for found in &found {
        let json = record_to_json(&found.record);
        for key in ["dataset", "time"] {
            let text = json.get(key).and_then(Json::as_str).unwrap_or_default();
            values.insert(key.to_owned(), text.to_owned());
        }
        let groups = json.get("groups").and_then(Json::as_array).into_iter().flatten();
        for field in groups.filter_map(|group| group.get("fields")?.as_array()).flatten() {
            let text = |key: &str| field.get(key).and_then(Json::as_str).unwrap_or_default();
            let value = field.get("value").unwrap_or(&Json::Null).to_string();
            values.insert(format!("{} {}", text("at"), text("element")), value);
        }
        let bins = &found.bins;
        values.insert(
            "bins".to_owned(),
            format!(
                "{} mapped, {} carried, {} dropped, {} unmapped",
                bins.mapped, bins.carried, bins.dropped, bins.unmapped
            ),
        );
    }
    values
}

fn differences(
    path: &Path,
    sides: (&BTreeMap<String, String>, &BTreeMap<String, String>),
) -> Vec<Change> {
    compared(&path.display().to_string(), sides)
}
