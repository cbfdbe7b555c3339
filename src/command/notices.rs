//! `kangqiao notices list|retry|skip|rewind`: how subscriptions stand, and what becomes of
//! notices that are dead.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::columns::columns;
use super::operate::{give, print};
use super::trace::{text, time};
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
    List {
        /// As JSON, a line for each
        #[arg(long)]
        json: bool,
    },
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
        What::List { json } => return list(&args.config, json),
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
    print(&give(&args.config, &Order::Notices { about })?)
}

fn list(config: &Path, json: bool) -> Result<(), Failure> {
    let told = give(config, &Order::Notices { about: Notices::List })?;
    let rows = |key: &str| told.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let (standing, dead) = (rows("subscriptions"), rows("dead"));
    if json {
        return standing.iter().chain(&dead).try_for_each(say);
    }
    if standing.is_empty() {
        return say("没有订阅 no subscriptions");
    }
    let headings = [
        "订阅 subscription",
        "登记 enrolled",
        "待投 waiting",
        "最早 oldest",
        "已投 delivered",
        "略过 passed",
        "死信 dead",
    ];
    let row = |row: &Value| {
        let count = |key| text(row, key);
        [
            count("subscription"),
            count("enrolled"),
            count("waiting"),
            time(row, "oldest_ms"),
            count("delivered"),
            count("passed"),
            count("dead"),
        ]
    };
    say(columns(headings, standing.iter().map(row).collect()))?;
    if dead.is_empty() {
        return Ok(());
    }
    say("\n死信 dead notices; retry or skip by number")?;
    let headings =
        ["编号 number", "订阅 subscription", "事件 event", "起始 since", "次数 tries", "原因 why"];
    let row = |row: &Value| {
        let why = text(row, "why");
        let since = time(row, "at_ms");
        [
            text(row, "number"),
            text(row, "subscription"),
            text(row, "event"),
            since,
            text(row, "tries"),
            why,
        ]
    };
    say(columns(headings, dead.iter().map(row).collect()))
}
