//! `kangqiao policy diff`: every cell and every term that changes, widening ones in red.

use std::io::IsTerminal;
use std::path::PathBuf;

use serde_json::Value;

use super::line::{cell, term};
use super::read;
use crate::command::check::complain;
use crate::command::operate::give;
use crate::command::{Failure, say};
use crate::flow::policies::{Differing, Weighed};
use crate::inbound::operator::{Order, Policies};
use crate::policy::{Difference, Side};

/// `kangqiao policy diff OLD NEW` or `--config …`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder as it was
    #[arg(requires = "new", required_unless_present = "config")]
    old: Option<PathBuf>,
    /// The folder as it would be
    #[arg(conflicts_with = "config")]
    new: Option<PathBuf>,
    /// What the running gateway of this configuration serves by, against the configuration's
    /// folder; with how many of the last thirty days' disclosures would have differed
    #[arg(long)]
    config: Option<PathBuf>,
    /// Folder of the mapping files
    #[arg(long, default_value = "mappings")]
    mappings: PathBuf,
}

/// Prints what changes and says by a number how much that is: 0, 1 or 2.
///
/// # Errors
/// [`Failure`] after printing every fault of a folder that cannot be read.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let difference = match (&args.config, &args.old, &args.new) {
        (Some(config), ..) => {
            let about = Policies::Compare;
            let told = give(config, &Order::Policy { about })?;
            show(&told)?
        }
        (None, Some(old), Some(new)) => {
            let old = read(&args.mappings, old).map_err(complain)?;
            let new = read(&args.mappings, new).map_err(complain)?;
            let from = Side { set: &old.set, files: &old.files };
            let difference = Difference::between(from, Side { set: &new.set, files: &new.files });
            print(&difference)?;
            difference
        }
        _ => return Err(Failure("two folders, or --config".to_owned())),
    };
    Ok(match (difference.is_empty(), difference.widened()) {
        (true, _) => 0,
        (false, 0) => 1,
        (false, _) => 2,
    })
}

/// Prints what a gateway tells of a comparison: the changes, and how many disclosures of the
/// last thirty days would have differed.
///
/// # Errors
/// [`Failure`] if it tells something else.
pub fn show(told: &Value) -> Result<Difference, Failure> {
    let weighed = serde_json::from_value(told.get("weighed").cloned().unwrap_or_default());
    let weighed = weighed.map_err(|error| Failure::during("answer", error))?;
    let Weighed { difference, differing: Differing { of, differ } } = weighed;
    print(&difference)?;
    say(format_args!("近30天披露 disclosures of 30 days {of}, 会不同 would differ {differ}"))?;
    Ok(difference)
}

/// One line for each change, then how many.
///
/// # Errors
/// [`Failure`] if standard output cannot be written.
pub fn print(difference: &Difference) -> Result<(), Failure> {
    let coloured = std::io::stdout().is_terminal();
    let show = |wider: bool, line: String| match (wider, coloured) {
        (true, true) => say(format_args!("\x1b[31m+ {line}\x1b[0m")),
        (true, false) => say(format_args!("+ {line}")),
        (false, _) => say(format_args!("- {line}")),
    };
    for one in &difference.cells {
        show(one.wider, cell(one))?;
    }
    for one in &difference.terms {
        show(one.wider, term(one))?;
    }
    let (all, wider) = (difference.cells.len() + difference.terms.len(), difference.widened());
    say(format_args!("变化 changes {all}, 放宽 wider {wider}"))
}
