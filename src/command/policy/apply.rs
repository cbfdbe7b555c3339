//! `kangqiao policy apply` and `versions`: orders to a running gateway.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::diff::show;
use crate::command::operate::give;
use crate::command::{Failure, say};
use crate::inbound::operator::{Order, Policies};

/// `kangqiao policy apply`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The gateway's configuration file
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
    /// A version that was in force, instead of the folder; the folder stays as it is
    #[arg(long, value_name = "VERSION")]
    back: Option<String>,
}

/// Hands the folder's policies to the gateway and prints what became of them.
///
/// # Errors
/// [`Failure`] with every fault found; nothing changed then.
pub fn run(args: Args) -> Result<(), Failure> {
    let about = Policies::Apply { back: args.back };
    let told = give(&args.config, &Order::Policy { about })?;
    let word = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let version = word("policies");
    if word("state") == "unchanged" {
        return say(format_args!("未变 policies {version} serve already"));
    }
    show(&told)?;
    match word("state") {
        "proposed" => say(format_args!(
            "待批准 policies {version} wait: two policy administrators have to accept them at the \
             console"
        )),
        _ => say(format_args!("已生效 policies {version} serve")),
    }
}

/// Prints which versions served, the last first, and which wait.
///
/// # Errors
/// [`Failure`] if the gateway does not say.
pub fn versions(config: &Path) -> Result<(), Failure> {
    let told = give(config, &Order::Policy { about: Policies::Versions })?;
    let served = told.get("served").and_then(Value::as_array);
    served.into_iter().flatten().try_for_each(say)?;
    match told.get("waits").filter(|waits| !waits.is_null()) {
        Some(waits) => say(format_args!("待批准 waits {waits}")),
        None => Ok(()),
    }
}
