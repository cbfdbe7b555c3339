//! `kangqiao notices list|retry|skip|rewind`: how subscriptions stand, and what becomes of
//! notices that are dead.

use std::path::PathBuf;

use super::operate::{give, print};
use super::{Failure, say};
use crate::inbound::operator::{Notices, Order};
use crate::vocabulary::{Date, Subscription};

/// `kangqiao notices …`
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
    /// How each subscription stands, and the dead notices
    List,
    /// Try a dead notice again
    Retry {
        /// Its number
        number: i64,
    },
    /// Give a dead notice up: the later ones about that elder go on
    Skip {
        /// Its number
        number: i64,
    },
    /// Tell a subscription again what it was told since a time, in order
    Rewind {
        /// Which subscription
        subscription: String,
        /// Since when, such as 2026-11-01 or 2026-11-01T08:00:00+08:00
        #[arg(long)]
        since: String,
    },
}

/// Gives the order and prints what became of it.
///
/// # Errors
/// [`Failure`] if the gateway does not carry it out.
pub fn run(args: Args) -> Result<(), Failure> {
    let about = match args.what {
        What::List => Notices::List,
        What::Retry { number } => Notices::Retry { number },
        What::Skip { number } => Notices::Skip { number },
        What::Rewind { subscription, since } => {
            let subscription = Subscription::parse(&subscription)
                .map_err(|error| Failure::during("subscription", error))?;
            let time = Date::parse_iso(&since).map_err(|error| Failure::during("since", error))?;
            let seconds = time.timestamp().ok_or_else(|| Failure("since: no time".to_owned()))?;
            Notices::Rewind { subscription, since_ms: seconds.saturating_mul(1000) }
        }
    };
    let told = give(&args.config, &Order::Notices { about })?;
    for rows in ["subscriptions", "dead"] {
        let rows = told.get(rows).and_then(serde_json::Value::as_array);
        rows.into_iter().flatten().try_for_each(say)?;
    }
    match told.get("notices") {
        Some(_) => print(&told),
        None => Ok(()),
    }
}
