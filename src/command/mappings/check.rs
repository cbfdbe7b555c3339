//! `kangqiao mappings check`: every file compiled, every example run.

use std::path::PathBuf;

use serde_json::json;

use super::{pack, print_json, told};
use crate::command::{Failure, say};
use crate::translate::atlas::Atlas;

/// `kangqiao mappings check [FOLDER]`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the mapping files
    #[arg(default_value = "mappings")]
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] with every fault, by file, line and column.
pub fn run(args: &Args) -> Result<(), Failure> {
    let (files, pack) = pack(&args.folder)?;
    let faults = pack.check_examples(&files);
    if !faults.is_empty() {
        return Err(told(&args.folder, faults));
    }
    let atlas = Atlas::of(&files);
    let (places, elements) = (atlas.places.len(), pack.catalogue().iter().count());
    let examples = pack.examples();
    if args.json {
        return print_json(&json!({
            "mappings": pack.version(), "elements": elements, "places": places,
            "examples": examples,
        }));
    }
    say(format!(
        "mappings {}: {elements} elements, {places} places, {examples} examples hold",
        pack.version()
    ))
}
