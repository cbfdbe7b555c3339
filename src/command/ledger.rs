//! `kangqiao ledger`: prove, search and export the ledger, beside a running gateway or without one.
//!
//! Entries are read themselves, never through the store's search tables: those are
//! not signed, so a row left out of them would be a row nobody finds.

mod doubts;
mod filter;
mod history;
mod place;
mod prove;
mod reading;
mod table;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Failure, operate};
use crate::audit::{
    self, Checkpoint, Found, Question, Report, Signs, Tampering, VerifyingKey, VerifyingKeys,
    search,
};
use crate::inbound::operator::Order;
use crate::store::StoreError;
use doubts::{Doubts, Listing};
use filter::Filter;
pub use filter::moment;
use history::History;
use place::{Place, Where};
use prove::{CheckProof, Prove};
pub use reading::Reading;

/// What reads the file beside the gateway asks nobody, so nobody can enter that it was asked.
const UNENTERED: &str = "本次查询直接读取文件，不记入台账；控制台的查询都记入 \
    read from the file, so no entry says so; what is asked at the console is entered";

/// 台账 Verify, search or export the ledger.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// 核对证明 Check the proof of one entry, without the ledger.
    CheckProof(CheckProof),
    /// 疑点 What is to be looked at, and why.
    Doubts(Doubts),
    /// 查阅记录 What the ledger says of one person, to be handed to him.
    History(History),
    /// 人员名单 Turn an auditor's list of who belongs to whom into one by pseudonyms.
    People(Listing),
    /// 证明 The proof of one entry, for whoever holds its receipt.
    Prove(Prove),
    /// 核验 Prove that the ledger is complete and unchanged.
    Verify(Verify),
    /// 查询 Who saw this person; what did this department read.
    Search(Search),
    /// 导出 The same entries as a file.
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Verify {
    #[command(flatten)]
    place: Where,
    /// File with the ledger's public key, `name+hash+key`: best one kept elsewhere than the ledger.
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    public_key: Option<PathBuf>,
    /// File with the ledger's public key by SM2: from the first checkpoint it signed on, each must
    /// have its line.
    #[arg(long, value_name = "FILE")]
    sm2_public_key: Option<PathBuf>,
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
    place: Where,
    #[command(flatten)]
    filter: Filter,
    /// Print JSON lines instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    filter: Filter,
    /// csv, dicom, fhir or jsonl.
    #[arg(long, default_value = "csv")]
    format: String,
    /// A file that must not exist yet; standard output if absent.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command with options as they would be typed, on the ledger of a configuration.
///
/// # Errors
/// As [`run`].
pub fn tell(options: &[&str], config: &std::path::Path) -> Result<(), Failure> {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let config = config.display().to_string();
    let line = ["ledger"].iter().chain(options).copied().chain(["--config", &config]);
    let line = <Line as clap::Parser>::try_parse_from(line);
    run(line.map_err(|error| Failure::during("ledger", error))?.args)
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] if the ledger cannot be read, or is not what was signed.
pub fn run(args: Args) -> Result<(), Failure> {
    let mut out = super::output();
    match args.action {
        Action::CheckProof(check) => check.run(&mut out),
        Action::Doubts(doubts) => doubts.run(&mut out),
        Action::History(history) => history.run(&mut out),
        Action::People(listing) => listing.run(&mut out),
        Action::Prove(prove) => prove.run(&mut out),
        Action::Verify(verify) => verify.run(&mut out),
        Action::Search(search) => search.run(&mut out),
        Action::Export(export) => export.run(&mut out),
    }
}

impl Verify {
    fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let place = self.place.find()?;
        let own = self.public_key.as_ref().or(place.public_key.as_ref());
        let own = own.ok_or_else(|| Failure("public key: none was given".to_owned()))?;
        let own = public_key(own, Signs::Checkpoints)?;
        let sm2 = self.sm2_public_key.as_ref().or(place.sm2_public_key.as_ref());
        let sm2 = sm2.map(|path| public_key(path, Signs::CheckpointsBySm2)).transpose()?;
        let held = self.held(&own)?;
        let keys = VerifyingKeys { own: &own, sm2: sm2.as_ref() };
        let reading = Reading::open(&place.store)?;
        let bar = bar(reading.size());
        let entries = reading.kept().inspect(|_| bar.inc(1));
        let proven = audit::verify(keys, entries, reading.checkpoints(), &held);
        bar.finish_and_clear();
        reading.finish()?;
        match proven {
            Ok(report) => self.print(&report, out),
            Err(tampering) => self.complain(tampering, out),
        }
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
        let Report { entries, retired, checkpoints, by_sm2, sm2_ends, held, root } = report;
        let text = if self.json {
            let all = json!({
                "entries": entries,
                "retired": retired,
                "checkpoints": checkpoints,
                "by_sm2": by_sm2,
                "sm2_ends": sm2_ends,
                "held": held,
                "root": root.to_string(),
            });
            format!("{all}\n")
        } else {
            let ends = sm2_ends.map(|entry| {
                format!(
                    "国密签名止于 SM2 ends  自条目 {entry} 起无第二签名 from entry {entry} on the \
                     second signature is missing\n"
                )
            });
            let ends = ends.unwrap_or_default();
            format!(
                "台账完整，未被改动 ledger verified\n\
                 条目 entries          {entries}\n\
                 其中已到期 retired    {retired}\n\
                 检查点 checkpoints    {checkpoints}\n\
                 其中国密签名 by SM2   {by_sm2}\n\
                 {ends}\
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
        let complaint = "台账已被改动 ledger is not what was signed";
        Err(Failure(format!("{complaint}: {tampering}{known}")))
    }
}

impl Search {
    fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let place = self.place.find()?;
        let question = self.filter.at(&place)?;
        if self.json {
            return export(&place, &question, (form("jsonl")?, out)).map(drop);
        }
        // Columns are as wide as their widest cell, so a table is whole before it is shown.
        let rows: Vec<_> = with_found(&place, &question, |found| Ok(found.collect()))?;
        table::print(&rows, out).map_err(written)?;
        // A department that was given up may still have entries, so this is a warning alone.
        if rows.is_empty()
            && let Some(name) = &self.filter.department
            && let Some(known) = self.place.departments_without(name)
        {
            let known = known.join(", ");
            eprintln!(
                "{name}: 策略中没有此部门 the policies have no such department, only {known}"
            );
        }
        eprintln!("{UNENTERED}");
        Ok(())
    }
}

impl Export {
    fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let place = self.place.find()?;
        let form = form(&self.format)?;
        if let Some(path) = self.output.as_ref().filter(|path| path.exists()) {
            return Err(Failure(format!("{}: is there already", path.display())));
        }
        if place.config.is_none() {
            place.not_live()?;
        }
        let question = self.filter.at(&place)?;
        let entered = self.enter(&place, &question)?;
        let Some(path) = &self.output else {
            return export(&place, &question, (form, out)).map(drop);
        };
        let file = private(path)?;
        let mut file = BufWriter::new(file);
        let count = export(&place, &question, (form, &mut file))?;
        file.get_ref().sync_all().map_err(written)?;
        writeln!(out, "已导出 exported {count}").map_err(written)?;
        match entered {
            Some(receipt) => writeln!(out, "台账 ledger 已记入 entered {receipt}"),
            None => writeln!(out, "台账 ledger 所读为副本，未记入 a copy was read: not entered"),
        }
        .map_err(written)
    }

    /// The running gateway enters what leaves before it does; the receipt of that. Of a copy
    /// nobody is told.
    fn enter(&self, place: &Place, question: &Question) -> Result<Option<String>, Failure> {
        let Some(config) = &place.config else { return Ok(None) };
        let words = format!("{}: {}", self.format, self.filter);
        let order = Order::Export { words, person: question.persons.first().cloned() };
        let told = operate::give(config, &order).map_err(|failure| {
            Failure(format!("{failure}; an export is entered first: or name a copy by --data"))
        })?;
        Ok(told.as_str().map(str::to_owned))
    }
}

/// A new file that its owner alone may read: it tells of people.
fn private(path: &Path) -> Result<File, Failure> {
    let mut options = File::options();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|error| Failure(format!("{}: {error}", path.display())))
}

/// A public key of a file, which must sign this.
///
/// # Errors
/// [`Failure`] that names the file.
pub fn public_key(path: &Path, signs: Signs) -> Result<VerifyingKey, Failure> {
    let name = format!("public key {}", path.display());
    let text = fs::read_to_string(path).map_err(|error| Failure::during(&name, error))?;
    VerifyingKey::parse_for(&text, signs).map_err(|error| Failure::during(&name, error))
}

fn form(name: &str) -> Result<&'static dyn audit::export::Export, Failure> {
    audit::export::export(name).ok_or_else(|| {
        let known: Vec<_> = audit::EXPORTS.iter().map(|export| export.name()).collect();
        Failure(format!("no such format; there are {}", known.join(", ")))
    })
}

/// Writes the entries that answer a question, one by one.
fn export(
    place: &Place,
    question: &Question,
    (form, out): (&dyn audit::export::Export, &mut dyn Write),
) -> Result<u64, Failure> {
    with_found(place, question, |found| form.write(found, out).map_err(written))
}

/// Hands on the entries that answer a question; one that cannot be read fails the search.
fn with_found<T>(
    place: &Place,
    question: &Question,
    then: impl FnOnce(&mut dyn Iterator<Item = Found>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let reading = Reading::open(&place.store)?;
    let bar = bar(reading.size());
    let entries = reading.entries().inspect(|_| bar.inc(1));
    let mut unreadable = None;
    let mut found = search::search(entries, question)
        .map_while(|found| found.map_err(|error| unreadable = Some(error)).ok());
    let ended = then(&mut found);
    drop(found);
    bar.finish_and_clear();
    reading.finish()?;
    unreadable.map_or(ended, |error| Err(Failure(error.to_string())))
}

/// Shown on a terminal only.
fn bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn failed(error: StoreError) -> Failure {
    Failure::caused("ledger", &error)
}

fn written(error: io::Error) -> Failure {
    Failure::during("output", error)
}

#[cfg(test)]
mod tests;
