//! `kangqiao policy check|test|diff|explain|apply|versions`: what the policies say, what holds
//! them to it, what an edit would open, and whether it shall serve.

mod apply;
mod diff;
pub mod line;
mod proof;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::check::complain;
use super::compile::{folder_files, inside};
use super::{Failure, explain};
use crate::config::Config;
use crate::policy::PolicySet;
use crate::vocabulary::{Catalogue, CodeTables, Diagnostic, Files};

/// `kangqiao policy …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// 生效 The running gateway takes the folder's policies, or asks two people first.
    Apply(apply::Args),
    /// 检查 Read every file, run every example, ask every law about every cell.
    Check(Where),
    /// 比较 What changes between two folders, or between what serves and the folder.
    Diff(diff::Args),
    /// 解释 What would be released to a department, and by which rule.
    Explain(explain::Args),
    /// 测试 Check, and whether an example exercises each rule.
    Test(Where),
    /// 版本 Which versions served, and which wait.
    Versions(Where),
}

/// Which configuration.
#[derive(Debug, clap::Args)]
struct Where {
    /// The configuration file
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
}

/// Runs the command. A comparison tells by its exit code what changes: 0 nothing, 1 something,
/// 2 something is wider; 3 is that it could not be made.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    let failed = if matches!(args.what, What::Diff(_)) { 3 } else { 1 };
    let done = match args.what {
        What::Apply(args) => apply::run(args).map(|()| 0),
        What::Check(place) => proof::check(&place.config).map(|()| 0),
        What::Diff(args) => diff::run(&args),
        What::Explain(args) => explain::run(args).map(|()| 0),
        What::Test(place) => proof::test(&place.config).map(|()| 0),
        What::Versions(place) => apply::versions(&place.config).map(|()| 0),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failed)
        }
    }
}

/// A folder of policies with what it was read from.
struct Read {
    files: Files,
    set: PolicySet,
}

/// Reads and checks the policies of a folder.
fn read(mappings: &Path, policies: &Path) -> Result<Read, Vec<Diagnostic>> {
    let (catalogue, tables) = catalogue(mappings)?;
    let files = folder_files(policies)?;
    let set = PolicySet::load(&files, &catalogue, &tables);
    let set = set.map_err(|faults| inside(&policies.display().to_string(), faults))?;
    Ok(Read { files, set })
}

/// The elements policies speak of.
fn catalogue(mappings: &Path) -> Result<(Catalogue, CodeTables), Vec<Diagnostic>> {
    let files = folder_files(mappings)?;
    let named = |faults| inside(&mappings.display().to_string(), faults);
    let tables = CodeTables::load(&files).map_err(named)?;
    let catalogue = Catalogue::load(&files, &tables).map_err(named)?;
    Ok((catalogue, tables))
}

/// The same for the folders a configuration names.
fn configured(config: &Path) -> Result<(PathBuf, Read), Failure> {
    let config = Config::load(config).map_err(complain)?;
    let read = read(&config.mappings, &config.policies).map_err(complain)?;
    Ok((config.policies, read))
}
