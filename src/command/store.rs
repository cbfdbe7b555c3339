//! `kangqiao store move|put-back`: all rows of a stopped gateway carried between a file and a
//! PostgreSQL server, and proven there before anything of the old place changes.

use std::path::PathBuf;

use chrono::{DateTime, FixedOffset, SecondsFormat};

use super::backup::verified;
use super::check::complain;
use super::ledger::Reading;
use super::{Failure, operator, say};
use crate::audit::Report;
use crate::config::{Config, keys};
use crate::store::carry::{self, Carried, CarryError, Carrying};
use crate::store::{LedgerFile, Settings};

/// What the operator still has to do.
const AFTER: &str = "\
下一步 next          以新配置启动网关 start the gateway on the new configuration
旧数据 old rows      仍在原处，已标记，网关不再以其启动；确认无误后请删除：此后的抹除不触及它们
                     stay where they were, marked, and no gateway starts on them; delete them once
                     you trust the new place: what is erased from now on is not erased there";
const BACK: &str = "已取回 taken back: start the gateway on the configuration of the old place";

/// `kangqiao store …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// 搬迁 Carries all rows to the place another configuration names, and proves them there
    Move(Move),
    /// 回退 Says that the rows were put back to an earlier moment by other means, such as the
    /// server's own; proves them, and the next start enters it
    PutBack(PutBack),
}

#[derive(Debug, clap::Args)]
struct Move {
    /// The configuration the gateway had; it must be stopped
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
    /// The configuration it is to have: the same `[store]` folder and keys, another place of rows
    #[arg(long, value_name = "FILE", required_unless_present = "lost")]
    to: Option<PathBuf>,
    /// Takes the rows back, while no gateway has started in the new place
    #[arg(long)]
    undo: bool,
    /// The new place is gone for good: start again on the older rows. If a gateway served there,
    /// its ledger went on, and witnesses will contradict
    #[arg(long, requires = "undo", conflicts_with = "to")]
    lost: bool,
}

#[derive(Debug, clap::Args)]
struct PutBack {
    /// The gateway's configuration file; it must be stopped
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
    /// The moment they were put back to, as 2026-11-30T10:15:00+08:00
    #[arg(long, value_name = "TIME")]
    to: DateTime<FixedOffset>,
}

/// What stops it.
#[derive(Debug)]
enum Stop {
    Carry(CarryError),
    Proof(Failure),
}

impl From<CarryError> for Stop {
    fn from(error: CarryError) -> Self {
        Self::Carry(error)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Carry(error) => failed(&error),
            Stop::Proof(failure) => failure,
        }
    }
}

/// Moves the rows, or takes them back, and prints what was proven.
///
/// # Errors
/// [`Failure`] if they are not moved; then both places are as they were.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Move(order) => moved(&order),
        What::PutBack(order) => put_back(&order),
    }
}

fn put_back(order: &PutBack) -> Result<(), Failure> {
    let config = Config::load(&order.config).map_err(complain)?;
    let mut report = None;
    let moment = order.to.to_rfc3339_opts(SecondsFormat::Secs, true);
    carry::put_back(&config.store, (&moment, &operator()?), |ledger| {
        prove(&config, (ledger, &mut report))
    })?;
    say("已核验 the rows are proven; the next start enters where they were put back to")?;
    tell_ledger(report.as_ref())?;
    say(super::backup::AFTER)
}

fn moved(order: &Move) -> Result<(), Failure> {
    let by = operator()?;
    let old = Config::load(&order.config).map_err(complain)?;
    let Some(to) = &order.to else {
        carry::unlost(&old.store, &by).map_err(|error| failed(&error))?;
        return say(BACK);
    };
    let new = Config::load(to).map_err(complain)?;
    let carrying = Carrying::hold(&old.store, &new.store).map_err(|error| failed(&error))?;
    if order.undo {
        carrying.take_back(&by).map_err(|error| failed(&error))?;
        return say(BACK);
    }
    let mut report = None;
    let carried = carrying.carry(&by, |ledger| prove(&new, (ledger, &mut report)))?;
    tell((&old.store, &new.store), carried.as_deref(), report.as_ref())
}

/// Whether a gateway of this configuration could go on from there.
fn prove(
    config: &Config,
    (ledger, report): (&LedgerFile, &mut Option<Report>),
) -> Result<(), Stop> {
    let proven = || {
        let master = keys::read(&config.master_key);
        let master = master.map_err(|error| Failure::caused("master key", &error))?;
        ledger.root(&master).map_err(|error| Failure::caused("master key", &error))?;
        verified(config, &Reading::of(ledger)?)
    };
    *report = Some(proven().map_err(Stop::Proof)?);
    Ok(())
}

fn tell(
    (old, new): (&Settings, &Settings),
    carried: Option<&[Carried]>,
    report: Option<&Report>,
) -> Result<(), Failure> {
    say(match carried {
        Some(_) => "搬迁已核验 the rows are moved and proven",
        None => "先前已搬迁，再次核验 the rows were moved before, and are proven again",
    })?;
    say(format_args!("从 from             {}", carry::place(old)))?;
    say(format_args!("到 to               {}", carry::place(new)))?;
    if let Some(carried) = carried {
        let rows: usize = carried.iter().map(|table| table.rows).sum();
        say(format_args!("表 tables           {}, 行 rows {rows}", carried.len()))?;
    }
    tell_ledger(report)?;
    say(AFTER)
}

fn tell_ledger(report: Option<&Report>) -> Result<(), Failure> {
    let Some(report) = report else { return Ok(()) };
    say(format_args!("台账条目 entries     {}", report.entries))?;
    say(format_args!("根 root              {}", report.root))
}

fn failed(error: &CarryError) -> Failure {
    Failure::caused("store", error)
}
