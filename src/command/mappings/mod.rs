//! `kangqiao mappings`: what the mapping files say, for whoever writes them.
//!
//! It reads the folder and the files it is given, and needs no configuration and no gateway.

mod check;
mod coverage;
mod diff;
mod schema;
mod show;

use std::path::{Path, PathBuf};

use unicode_width::UnicodeWidthStr;

use super::compile::folder_files;
use super::{Failure, say};
use crate::translate::Pack;
use crate::vocabulary::{Diagnostic, Files};

/// `kangqiao mappings …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// 检查 Compile every file and run every example.
    Check(check::Args),
    /// 覆盖 What of a standard, or of a sender's messages, the files have places for.
    Coverage(coverage::Args),
    /// 比较 What changes between two folders, and between what they make of messages.
    Diff(diff::Args),
    /// 模式 The JSON schema of a kind of file, for editors.
    Schema(schema::Args),
    /// 查看 Where an element stands in every format, or what stands at a path.
    Show(show::Args),
}

/// Which folder.
#[derive(Debug, clap::Args)]
struct Where {
    /// Folder of the mapping files
    #[arg(long, default_value = "mappings")]
    mappings: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] with every fault of the files, or what cannot be read.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Check(args) => check::run(&args),
        What::Coverage(args) => coverage::run(&args),
        What::Diff(args) => diff::run(&args),
        What::Schema(args) => schema::run(&args),
        What::Show(args) => show::run(&args),
    }
}

/// A folder's files, and the pack they make.
fn pack(folder: &Path) -> Result<(Files, Pack), Failure> {
    let files = files(folder)?;
    let pack = Pack::load(&files).map_err(|faults| told(folder, faults))?;
    Ok((files, pack))
}

fn files(folder: &Path) -> Result<Files, Failure> {
    folder_files(folder).map_err(|faults| told(folder, faults))
}

/// One line a fault, with paths that open, after one that counts them.
fn told(folder: &Path, faults: Vec<Diagnostic>) -> Failure {
    let count = faults.len();
    let lines = faults.into_iter().map(|mut fault| {
        fault.file = folder.join(&fault.file).display().to_string();
        fault.to_string()
    });
    Failure(format!("{count} faults\n{}", lines.collect::<Vec<_>>().join("\n")))
}

/// Prints rows in columns as wide as their widest cell.
fn table(rows: &[Vec<String>]) -> Result<(), Failure> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.width() + 2));
        }
        say(line.trim_end())?;
    }
    Ok(())
}

fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value);
    say(text.map_err(|error| Failure::during("print", error))?)
}
