//! `kangqiao ledger`: prove, search and export the ledger, beside a running gateway or without one.
//!
//! Entries are read themselves, never through the store's search tables: those are
//! not signed, so a row left out of them would be a row nobody finds.

mod filter;
mod reading;
mod table;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Failure;
use crate::audit::{self, Checkpoint, Found, Report, Tampering, VerifyingKey, search};
use filter::Filter;
pub use reading::Reading;

/// 账本 Verify, search or export the ledger.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// 核验 Prove that the ledger is complete and unchanged.
    Verify(Verify),
    /// 查询 Who saw this person; what did this department read.
    Search(Search),
    /// 导出 The same entries as a file.
    Export(Export),
}

/// Where the ledger is.
#[derive(Debug, clap::Args)]
struct Place {
    /// Folder of the store.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Verify {
    #[command(flatten)]
    place: Place,
    /// File with the ledger's public key, `name+hash+key`; best one kept elsewhere than the ledger.
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    /// File of checkpoints that others hold: finds a ledger put back to an earlier day.
    #[arg(long, value_name = "FILE")]
    held: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Search {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filter: Filter,
    /// Print JSON lines instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filter: Filter,
    /// csv or jsonl.
    #[arg(long, default_value = "csv")]
    format: String,
    /// A file that must not exist yet; standard output if absent.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] if the ledger cannot be read, or is not what was signed.
pub fn run(args: Args) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match args.action {
        Action::Verify(verify) => verify.run(&mut out),
        Action::Search(search) => search.run(&mut out),
        Action::Export(export) => export.run(&mut out),
    }
}

impl Verify {
    fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let key = self.key()?;
        let held = self.held(&key)?;
        let reading = Reading::open(&self.place.data)?;
        let bar = bar(reading.size());
        let entries = reading.entries().inspect(|_| bar.inc(1));
        let proven = audit::verify(&key, entries, reading.checkpoints(), &held);
        bar.finish_and_clear();
        reading.finish()?;
        match proven {
            Ok(report) => self.print(&report, out),
            Err(tampering) => self.complain(tampering, out),
        }
    }

    fn key(&self) -> Result<VerifyingKey, Failure> {
        let text = fs::read_to_string(&self.public_key)
            .map_err(|error| Failure::during("public key", error))?;
        VerifyingKey::parse(&text).map_err(|error| Failure::during("public key", error))
    }

    fn held(&self, key: &VerifyingKey) -> Result<Vec<Checkpoint>, Failure> {
        let Some(path) = &self.held else {
            return Ok(Vec::new());
        };
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| Failure::during("held checkpoints", error))?;
        Checkpoint::open_all(&text, key)
            .map_err(|(number, error)| Failure(format!("held checkpoint {number}: {error}")))
    }

    fn print(&self, report: &Report, out: &mut dyn Write) -> Result<(), Failure> {
        let Report { entries, checkpoints, held, root } = report;
        let text = if self.json {
            let all = json!({
                "entries": entries,
                "checkpoints": checkpoints,
                "held": held,
                "root": root.to_string(),
            });
            format!("{all}\n")
        } else {
            format!(
                "账本完整，未被改动 ledger verified\n\
                 条目 entries          {entries}\n\
                 检查点 checkpoints    {checkpoints}\n\
                 外部检查点 held       {held}\n\
                 根 root               {root}\n"
            )
        };
        out.write_all(text.as_bytes()).map_err(written)
    }

    fn complain(&self, tampering: Tampering, out: &mut dyn Write) -> Result<(), Failure> {
        let first = tampering.first();
        if self.json {
            let fault = json!({ "fault": tampering.to_string(), "first": first });
            writeln!(out, "{fault}").map_err(written)?;
        }
        let known = first.map(|number| format!("; first wrong entry: {number}"));
        let known = known.unwrap_or_default();
        let complaint = "账本已被改动 ledger is not what was signed";
        Err(Failure(format!("{complaint}: {tampering}{known}")))
    }
}

impl Search {
    fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let reading = Reading::open(&self.place.data)?;
        let found = find(&reading, &self.filter)?;
        if self.json {
            return export("jsonl", found, out).map(|_| ());
        }
        table::print(&found, out).map_err(written)
    }
}

impl Export {
    fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let reading = Reading::open(&self.place.data)?;
        let found = find(&reading, &self.filter)?;
        let Some(path) = &self.output else {
            return export(&self.format, found, out).map(|_| ());
        };
        let mut file = File::create_new(path).map_err(|error| Failure::during("output", error))?;
        let written = export(&self.format, found, &mut file)?;
        file.sync_all().map_err(|error| Failure::during("output", error))?;
        writeln!(out, "已导出 exported {written}").map_err(self::written)
    }
}

/// The entries that answer a filter; one that cannot be read ends the search.
fn find(reading: &Reading, filter: &Filter) -> Result<Vec<Found>, Failure> {
    let question = filter.question(reading.file())?;
    let bar = bar(reading.size());
    let entries = reading.entries().inspect(|_| bar.inc(1));
    let found: Result<Vec<_>, _> = search::search(entries, &question).collect();
    bar.finish_and_clear();
    reading.finish()?;
    found.map_err(|error| Failure(error.to_string()))
}

fn export(format: &str, found: Vec<Found>, out: &mut dyn Write) -> Result<u64, Failure> {
    let export = audit::export::export(format).ok_or_else(|| {
        let known: Vec<_> = audit::EXPORTS.iter().map(|export| export.name()).collect();
        Failure(format!("no such format; there are {}", known.join(", ")))
    })?;
    export.write(&mut found.into_iter(), out).map_err(written)
}

/// Shown on a terminal only.
fn bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn written(error: io::Error) -> Failure {
    Failure::during("output", error)
}

#[cfg(test)]
mod tests;
