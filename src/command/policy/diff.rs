//! `kangqiao policy diff`: every cell and every term that changes, widening ones in red.

use std::io::IsTerminal;
use std::path::PathBuf;

use super::read;
use crate::command::check::complain;
use crate::command::{Failure, say};
use crate::policy::{Change, Difference, Form, Side, Term};

/// `kangqiao policy diff OLD NEW`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder as it was
    old: PathBuf,
    /// The folder as it would be
    new: PathBuf,
    /// Folder of the mapping files
    #[arg(long, default_value = "mappings")]
    mappings: PathBuf,
}

/// Prints what changes and says by a number how much that is: 0, 1 or 2.
///
/// # Errors
/// [`Failure`] after printing every fault of a folder that cannot be read.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let old = read(&args.mappings, &args.old).map_err(complain)?;
    let new = read(&args.mappings, &args.new).map_err(complain)?;
    let from = Side { set: &old.set, files: &old.files };
    let difference = Difference::between(from, Side { set: &new.set, files: &new.files });
    print(&difference)?;
    Ok(match (difference.is_empty(), difference.widened()) {
        (true, _) => 0,
        (false, 0) => 1,
        (false, _) => 2,
    })
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

/// `community worker contract-status MZ.contract.signed 已签约标志: withheld → full (rule)`
fn cell(change: &Change) -> String {
    let Change { asking, element, name, special, rules, .. } = change;
    let special = special.map(|class| format!("#{class}")).unwrap_or_default();
    let (from, to) = (form(change.from), form(change.to));
    let rules: Vec<&str> = rules.iter().map(|rule| &**rule).collect();
    format!("{asking} {element}{special} {}: {from} → {to} ({})", name.zh, rules.join(", "))
}

/// The tier; with the treatment where the tier alone does not say what it is.
fn form(form: Form) -> String {
    match form.treatment {
        Some(treatment) if !["keep", "present"].contains(&treatment.as_str()) => {
            format!("{} {}", form.tier.as_str(), treatment.as_str())
        }
        _ => form.tier.as_str().to_owned(),
    }
}

fn term(term: &Term) -> String {
    match term.added {
        true => format!("{} (新增 added)", term.text),
        false => format!("{} (删除 gone)", term.text),
    }
}
