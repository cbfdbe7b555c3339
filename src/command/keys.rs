//! `kangqiao keys next|rotate|status`: the keys under which everything is sealed give way to new
//! ones, while the gateway serves.

use std::path::PathBuf;

use serde_json::json;

use super::check::complain;
use super::operate::{give, print};
use super::{Failure, say};
use crate::config::{Config, keys};
use crate::inbound::operator::{Keys, Order};
use crate::store::master_mark;

/// `kangqiao keys …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// The gateway's configuration file
    #[arg(long, default_value = "kangqiao.toml", global = true)]
    config: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// 备钥 Makes the next master key beside the one in force: keep a copy before it is rotated to
    Next,
    /// 换密 Brings new keys into force; what stands under the old ones moves meanwhile
    Rotate {
        /// Which keys
        which: Which,
    },
    /// 概况 Which master key is in force, and how far a rotation is
    Status,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Which {
    /// The master key, and all that it seals
    Master,
    /// Every person's key, and all that it seals
    Persons,
}

/// Makes the key, or gives the order and prints what became of it.
///
/// # Errors
/// [`Failure`] if the key cannot be made, or the gateway does not carry the order out.
pub fn run(args: Args) -> Result<(), Failure> {
    let about = match args.what {
        What::Next => return next(&Config::load(&args.config).map_err(complain)?),
        What::Rotate { which: Which::Master } => Keys::RotateMaster,
        What::Rotate { which: Which::Persons } => Keys::RotatePersons,
        What::Status => Keys::Status,
    };
    print(&give(&args.config, &Order::Keys { about })?)
}

fn next(config: &Config) -> Result<(), Failure> {
    let path = keys::next(&config.master_key);
    let during = |error: &dyn std::fmt::Display| Failure(format!("{}: {error}", path.display()));
    let made = keys::make_next(&config.master_key).map_err(|error| during(&error))?;
    let key = keys::read(&path).map_err(|error| during(&error))?;
    let mark = master_mark(&key).map_err(|error| during(&error))?;
    say(json!({ "file": path, "mark": mark, "made": made }))
}
