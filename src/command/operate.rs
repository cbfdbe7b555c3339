//! `kangqiao reload|replay|unmerge|erase`: orders to a running gateway, by its operator's door.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::Value;

use super::check::complain;
use super::columns::columns;
use super::identifier::Named;
use super::trace::{LIKE, Like, text};
use super::{Failure, say};
use crate::config::Config;
use crate::inbound::operator::Order;

/// A replay of many messages takes its time.
const WAIT: Duration = Duration::from_secs(600);

/// Which gateway.
#[derive(Debug, clap::Args)]
struct Where {
    /// The gateway's configuration file
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
}

/// `kangqiao reload`
#[derive(Debug, clap::Args)]
pub struct Reload {
    #[command(flatten)]
    place: Where,
}

/// `kangqiao replay NUMBER…`, `--all`, or whatever the messages are like
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group(
    clap::ArgGroup::new("which").required(true).multiple(true).args(["numbers", "all"]).args(LIKE)
))]
#[command(group(clap::ArgGroup::new("like").multiple(true).args(LIKE)))]
pub struct Replay {
    #[command(flatten)]
    place: Where,
    /// Journal numbers, as the console shows them
    #[arg(value_name = "NUMBER", conflicts_with_all = ["all", "like"])]
    numbers: Vec<u64>,
    /// Every quarantined message
    #[arg(long, conflicts_with = "like")]
    all: bool,
    #[command(flatten)]
    like: Like,
    /// What would become of them; nothing is kept
    #[arg(long, conflicts_with_all = ["numbers", "mappings", "accept_overlay"])]
    preview: bool,
    /// Version of a mapping pack that served before, instead of today's
    #[arg(long, value_name = "VERSION")]
    mappings: Option<String>,
    /// The new name and birth date or sex are right: a message held as identity-overlay may
    /// replace what its number stood for
    #[arg(long, requires = "numbers", conflicts_with_all = ["all", "like"])]
    accept_overlay: bool,
    /// What would become of them as JSON
    #[arg(long, requires = "preview")]
    json: bool,
}

/// `kangqiao unmerge --local … --authority …`
#[derive(Debug, clap::Args)]
pub struct Unmerge {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    who: Named,
}

/// `kangqiao erase --citizen-id …`
#[derive(Debug, clap::Args)]
pub struct Erase {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    who: Named,
    /// Yes: what is erased cannot be had back
    #[arg(long, required = true)]
    yes: bool,
}

impl Reload {
    /// Reloads and prints the versions now in force.
    ///
    /// # Errors
    /// [`Failure`] with every fault found; nothing changed then.
    pub fn run(self) -> Result<(), Failure> {
        print(&order(&self.place, &Order::Reload)?)
    }
}

impl Replay {
    /// Replays and prints what became of each message.
    ///
    /// # Errors
    /// [`Failure`] if the gateway does not carry it out, or a message is still not applied.
    pub fn run(self) -> Result<(), Failure> {
        let like = Box::new(self.like.wanted()?);
        if self.preview {
            let told = order(&self.place, &Order::Rehearse { like })?;
            return if self.json { say(told) } else { foretold(&told) };
        }
        let replay = Order::Replay {
            numbers: self.numbers,
            like,
            mappings: self.mappings,
            accept_overlay: self.accept_overlay,
        };
        let told = order(&self.place, &replay)?;
        let all = told.as_array().map(Vec::as_slice).unwrap_or_default();
        print(&told)?;
        let kept = all.iter().filter(|one| one.get("state") == Some(&"kept".into())).count();
        match all.len() - kept {
            0 => Ok(()),
            left => Err(Failure(format!("{left} of {} messages are still not applied", all.len()))),
        }
    }
}

impl Unmerge {
    /// Undoes a merge and prints whose records changed.
    ///
    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn run(self) -> Result<(), Failure> {
        let identifier = self.who.identifier()?;
        print(&order(&self.place, &Order::Unmerge { identifier })?)
    }
}

impl Erase {
    /// Erases a person and prints under which pseudonyms the ledger knows them.
    ///
    /// # Errors
    /// [`Failure`] if the gateway does not carry it out.
    pub fn run(self) -> Result<(), Failure> {
        let identifier = self.who.identifier()?;
        print(&order(&self.place, &Order::Erase { identifier })?)?;
        let config = Config::load(&self.place.config).map_err(complain)?;
        match config.store.archive {
            None => Ok(()),
            Some(_) => say(format_args!(
                "归档中的旧密钥保留至 the archive can bring it back until {}",
                (Utc::now() + TimeDelta::days(i64::from(config.store.archive_days) + 1))
                    .format("%Y-%m-%d")
            )),
        }
    }
}

/// What would become of messages, for people.
fn foretold(told: &Value) -> Result<(), Failure> {
    let count = |key| text(told, key);
    say(format_args!("映射 mappings      {}", count("mappings")))?;
    say(format_args!("隔离 quarantined   {}", count("quarantined")))?;
    say(format_args!("试算 tried out     {}", count("looked")))?;
    say(format_args!("将保存 kept        {}", count("kept")))?;
    let list = |key: &str| told.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let (mut reasons, mut leaving) = (Vec::new(), Vec::new());
    for (key, name) in [("held", "仍隔离 held"), ("refused", "将拒绝 refused")] {
        let row = |row: &Value| {
            [name.to_owned(), text(row, "count"), text(row, "fault"), text(row, "place")]
        };
        reasons.extend(list(key).iter().map(row));
    }
    if !reasons.is_empty() {
        say(columns(["其余 the rest", "件数 count", "原因 fault", "位置 place"], reasons))?;
    }
    for row in list("notices") {
        leaving.push([text(&row, "subscription"), text(&row, "event"), text(&row, "count")]);
    }
    match leaving.is_empty() {
        true => Ok(()),
        false => say(columns(["将通知 told", "事件 event", "件数 count"], leaving)),
    }
}

fn order(place: &Where, order: &Order) -> Result<Value, Failure> {
    give(&place.config, order)
}

/// Gives an order to the gateway of a configuration and waits for what became of it.
///
/// # Errors
/// [`Failure`] if the gateway does not carry it out.
pub fn give(config: &Path, order: &Order) -> Result<Value, Failure> {
    let config = Config::load(config).map_err(complain)?;
    crate::inbound::tls::install_provider();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::during("runtime", error))?;
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .unix_socket(config.socket())
            .no_proxy()
            .timeout(WAIT)
            .build()
            .map_err(|error| Failure::during("client", error))?;
        let sent = client.post("http://operator/v1/orders").json(order).send().await;
        let hint =
            |_| Failure::during(&config.socket().display().to_string(), "no gateway answers");
        let response = sent.map_err(hint)?;
        let done = response.status() == 200;
        let told: Value =
            response.json().await.map_err(|error| Failure::during("answer", error))?;
        match told {
            told if done => Ok(told),
            Value::String(reason) => Err(Failure(reason)),
            other => Err(Failure(other.to_string())),
        }
    })
}

/// Prints what became of an order, a line each.
///
/// # Errors
/// [`Failure`] if it cannot be printed.
pub fn print(told: &Value) -> Result<(), Failure> {
    match told {
        Value::String(text) => say(text),
        Value::Array(rows) => rows.iter().try_for_each(say),
        other => say(other),
    }
}
