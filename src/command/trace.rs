//! `kangqiao trace`: what became of a message, asked of a running gateway.

use std::path::PathBuf;

use serde_json::Value;

use super::columns::columns;
use super::identifier::{NUMBERS, Number};
use super::ledger::moment;
use super::operate::give;
use super::{Failure, say};
use crate::inbound::console::view::trace::{MessageQuery, Wanted, Whom};
use crate::inbound::operator::{Order, Trace};
use crate::store::State;
use crate::translate::Form;
use crate::vocabulary::{Date, Fault, Source};

/// What messages are like, whosever they are.
#[derive(Debug, clap::Args)]
pub struct Like {
    /// Who sent it
    #[arg(long)]
    sender: Option<String>,
    /// What it is written in, such as hl7v2
    #[arg(long)]
    form: Option<String>,
    /// Why it was not applied, such as table-value
    #[arg(long)]
    fault: Option<String>,
    /// Where, such as PID-8
    #[arg(long)]
    place: Option<String>,
    /// From this day or moment on, ISO 8601
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until just before this day or moment
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// The names of its options.
pub const LIKE: [&str; 6] = ["sender", "form", "fault", "place", "since", "until"];

/// `kangqiao trace --number …`, `--quarantine`, or whatever is known of the message
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("identifier").args(NUMBERS)))]
#[command(group(
    clap::ArgGroup::new("known").multiple(true).args(LIKE).args([
        "control_id", "state", "citizen_id", "card", "record", "local",
    ])
))]
pub struct Args {
    /// Journal number: the whole way of that message
    #[arg(long, conflicts_with_all = ["known", "quarantine"])]
    number: Option<u64>,
    /// What waits in quarantine by reason, place and sender, the most frequent first
    #[arg(long, conflicts_with = "known")]
    quarantine: bool,
    /// The sender's number of it (MSH-10)
    #[arg(long)]
    control_id: Option<String>,
    /// What became of it: kept, quarantined or refused
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    like: Like,
    #[command(flatten)]
    who: Number,
    /// Only messages with a lower number: the next page
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
    /// How many at most, up to 200
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=200))]
    limit: u8,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// The gateway's configuration file
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
}

/// Asks, and prints what became of what was asked about.
///
/// # Errors
/// [`Failure`] if the gateway does not answer, or knows no such message.
pub fn run(args: Args) -> Result<(), Failure> {
    let ask = |about| give(&args.config, &Order::Trace { about });
    if let Some(number) = args.number {
        let told = ask(Trace::Message { number })?;
        return if args.json { say(told) } else { journey(&told) };
    }
    if args.quarantine {
        let told = ask(Trace::Quarantine)?;
        let piles = told.as_array().map(Vec::as_slice).unwrap_or_default();
        return match (args.json, piles.is_empty()) {
            (true, _) => piles.iter().try_for_each(say),
            (false, true) => say("没有隔离的报文 nothing is quarantined"),
            (false, false) => say(columns(PILE, piles.iter().map(pile).collect())),
        };
    }
    let query = Box::new(query(&args)?);
    let told = ask(Trace::Find { query })?;
    if args.json {
        return say(told);
    }
    let rows = told.get("rows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !rows.is_empty() {
        say(columns(LINE, rows.iter().map(words).collect()))?;
    }
    match told.get("next").and_then(Value::as_u64) {
        Some(next) => say(format!("更早的 older: --before {next}")),
        None if rows.is_empty() => say("没有这样的报文 no such message"),
        None => Ok(()),
    }
}

impl Like {
    /// What the options say of messages.
    ///
    /// # Errors
    /// [`Failure`] that names the option which cannot be read.
    pub fn wanted(&self) -> Result<Wanted, Failure> {
        let form = |name: &String| {
            let known = || Form::ALL.iter().map(|form| form.name()).collect();
            Form::parse(name).ok_or_else(|| unknown("form", known()))
        };
        let fault = |name: &String| {
            serde_json::from_value::<Fault>(Value::String(name.clone()))
                .map_err(|_| Failure(format!("--fault: there is no fault {name}")))
        };
        let source =
            |name: &String| Source::parse(name).map_err(|error| Failure::during("--sender", error));
        let time = |option: &'static str| {
            move |text: &String| moment(text).map_err(|error| Failure::during(option, error))
        };
        Ok(Wanted {
            source: self.sender.as_ref().map(source).transpose()?,
            since_ms: self.since.as_ref().map(time("--since")).transpose()?,
            until_ms: self.until.as_ref().map(time("--until")).transpose()?,
            form: self.form.as_ref().map(form).transpose()?,
            fault: self.fault.as_ref().map(fault).transpose()?,
            place: self.place.clone(),
            ..Wanted::default()
        })
    }
}

fn unknown(option: &str, known: Vec<&str>) -> Failure {
    Failure(format!("--{option}: there are {}", known.join(", ")))
}

/// What the options say of the message.
fn query(args: &Args) -> Result<MessageQuery, Failure> {
    let state = |name: &String| {
        let all = [State::Kept, State::Quarantined, State::Refused];
        let found = all.into_iter().find(|state| state.as_str() == name);
        found.ok_or_else(|| unknown("state", all.map(State::as_str).to_vec()))
    };
    let wanted = Wanted {
        control_id: args.control_id.clone(),
        state: args.state.as_ref().map(state).transpose()?,
        before: args.before,
        limit: args.limit.into(),
        ..args.like.wanted()?
    };
    Ok(MessageQuery { wanted, person: args.who.identifier()?.map(Whom::Identifier) })
}

const LINE: [&str; 6] = [
    "编号 number",
    "收到 received",
    "来源 sender",
    "控制编号 control id",
    "格式 form",
    "状态 became",
];

/// A message on one line.
fn line(row: &Value) -> String {
    words(row).join("  ")
}

fn words(row: &Value) -> [String; 6] {
    [
        text(row, "number"),
        time(row, "received_at_ms"),
        text(row, "source"),
        text(row, "control_id"),
        text(row, "form"),
        became(row),
    ]
}

/// What became of it, and why.
fn became(row: &Value) -> String {
    let words = [text(row, "state"), text(row, "fault"), text(row, "at")];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

const PILE: [&str; 7] = [
    "件数 count",
    "来源 sender",
    "原因 fault",
    "位置 place",
    "最早 first",
    "最近 last",
    "其一 one of them",
];

fn pile(row: &Value) -> [String; 7] {
    [
        text(row, "count"),
        text(row, "source"),
        text(row, "fault"),
        text(row, "place"),
        time(row, "first_ms"),
        time(row, "last_ms"),
        format!("--number {}", text(row, "last")),
    ]
}

/// The whole way of a message, a step a line.
fn journey(told: &Value) -> Result<(), Failure> {
    say(line(told))?;
    let bytes = match text(told, "bytes").as_str() {
        "" => "已抹除 erased".to_owned(),
        bytes => format!("{bytes} bytes"),
    };
    step("收件 received", &format!("{}  {bytes}  {}", text(told, "entrance"), text(told, "mark")))?;
    for number in list(told, "same_number") {
        step("同号 same id", &number.to_string())?;
    }
    if let Some(reading) = told.get("reading").filter(|reading| !reading.is_null()) {
        read(reading)?;
    }
    if let Some(person) = told.get("person").filter(|person| !person.is_null()) {
        let entries = list(person, "entries").len();
        step("人员 person", &format!("{}  {entries} entries", text(person, "pseudonym")))?;
    }
    for said in list(told, "said") {
        let pair = said.get("pair").map(ToString::to_string).unwrap_or_default();
        step("身份 identity", &format!("{} {pair}", text(said, "what")))?;
    }
    for outcome in list(told, "outcomes") {
        let until = match outcome.get("entry").filter(|entry| !entry.is_null()) {
            Some(entry) => format!("  until {}  entry {entry}", time(outcome, "until_ms")),
            None => String::new(),
        };
        step("结果 became", &format!("{}{until}", became(outcome)))?;
    }
    step("应答 told", &told.get("told").map(ToString::to_string).unwrap_or_default())?;
    for notice in list(told, "notices") {
        let words =
            ["subscription", "number", "event", "state", "why"].map(|key| text(notice, key));
        let entries: Vec<_> = list(notice, "entries").iter().map(ToString::to_string).collect();
        step("通知 notice", &format!("{}  {}", words.join(" "), entries.join(" ")))?;
    }
    Ok(())
}

fn read(reading: &Value) -> Result<(), Failure> {
    let (mappings, dataset) = (text(reading, "mappings"), text(reading, "dataset"));
    let whose = match reading.get("then").and_then(Value::as_bool) {
        Some(true) => "",
        _ => "  今日映射 today's",
    };
    step("读取 read", &format!("{mappings}{whose}  {dataset}"))?;
    let Some(bins) = reading.get("bins").filter(|bins| !bins.is_null()) else { return Ok(()) };
    let counts = ["mapped", "dropped", "carried", "unmapped"];
    let counts = counts.map(|bin| format!("{bin} {}", text(bins, bin))).join("  ");
    let first: Vec<_> = list(bins, "first_unmapped").iter().filter_map(Value::as_str).collect();
    step("去向 bins", &format!("{counts}  {}", first.join(" ")))
}

fn step(name: &str, what: &str) -> Result<(), Failure> {
    say(format!("  {name}  {}", what.trim_end()))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A word or number; nothing of what is not there.
pub fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A moment in milliseconds since 1970, as people read it.
pub fn time(value: &Value, key: &str) -> String {
    let at_ms = value.get(key).and_then(Value::as_i64);
    at_ms.map(|at_ms| Date::from_timestamp(at_ms / 1000).to_iso()).unwrap_or_default()
}
