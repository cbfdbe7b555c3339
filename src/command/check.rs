//! `kangqiao check`: everything an operator wrote, read and compiled, nothing started.

use std::path::PathBuf;

use super::compile::{Compiled, compile};
use super::serve::neighbours;
use super::{Failure, say};
use crate::audit::{SigningKey, Signs};
use crate::config::Config;
use crate::config::places::Place;
use crate::flow::doubts::list;
use crate::inbound::console::users::Users;
use crate::inbound::tls::ReloadableTls;
use crate::vocabulary::{Diagnostic, Purpose, Source};

/// `kangqiao check --config kangqiao.toml`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
}

/// Reads configuration, certificates, mappings and policies.
///
/// # Errors
/// [`Failure`] after printing every fault with file, line and column.
pub fn run(args: Args) -> Result<(), Failure> {
    let config = Config::load(&args.config).map_err(complain)?;
    let compiled = compile(&config).map_err(complain)?;
    let tls = ReloadableTls::mutual(config.tls.clone(), config.clients.clone());
    let tls = tls.map_err(|error| Failure::caused("certificates", &error))?;
    neighbours(&config)?;
    let signing = SigningKey::generate(&config.ledger.name, Signs::Checkpoints);
    signing.map_err(|error| Failure::during("ledger.name", error))?;
    named(&config)?;
    // What is not there yet is made at the first start.
    for (path, signs) in config.ledger.keys().filter(|(path, _)| path.exists()) {
        let key = SigningKey::load(path, &config.ledger.name, signs);
        key.map_err(|error| Failure::during(&path.display().to_string(), error))?;
    }
    if let Some(one) = config.exchange.iter().find(|one| !one.folder.is_dir()) {
        let folder = one.folder.display().to_string();
        return Err(Failure::during(&folder, "there is no such folder"));
    }
    if let Some(people) = &config.ledger.people {
        list(people).map_err(|error| Failure::during("ledger.people", error))?;
    }
    if let Some(console) = &config.console {
        let shown = ReloadableTls::without_clients(console.tls.clone());
        shown.map_err(|error| Failure::caused("console.tls", &error))?;
        Users::read(&console.users).map_err(|error| Failure::caused("console.users", &error))?;
    }
    let (elements, mappings) =
        (compiled.pack.catalogue().len(), compiled.pack.version().to_owned());
    let policies = compiled.policies.version().to_owned();
    let unasked = unasked(&config, &compiled);
    compiled.bind(&config, tls.standing()).map_err(Failure)?;
    for (purpose, upstream) in unasked {
        say(format_args!(
            "提示 note         {purpose} asks {upstream}, which has no [[upstream]]"
        ))?;
    }
    for (subscription, to) in config.told() {
        say(format_args!("通知去向 notices   {subscription}: {to}"))?;
    }
    say("配置正确 configuration is sound")?;
    say(format_args!("数据元 elements   {elements}"))?;
    say(format_args!("映射版本 mappings {mappings}"))?;
    say(format_args!("策略版本 policies {policies}"))
}

/// What databases and subscribers need that nothing else reads before the first row or notice.
fn named(config: &Config) -> Result<(), Failure> {
    let told = config.subscription.iter().filter_map(|one| one.table.as_ref());
    let tables = config.table.iter().map(|table| &table.database);
    let tables = tables.chain(config.inquiry_table.iter().map(|table| &table.database));
    for database in tables.chain(told.map(|table| &table.database)).chain(&config.store.postgres) {
        database.check().map_err(|error| Failure::during(&database.to_string(), error))?;
    }
    for (place, folder) in config.clone().places() {
        if place == Place::TheirFolder && !folder.is_dir() {
            let missing = "is not there: whoever is told makes it, and this gateway never does";
            return Err(Failure::during(&folder.display().to_string(), missing));
        }
    }
    Ok(())
}

/// Upstream systems that a purpose asks and the configuration does not know: an answer
/// goes without them.
fn unasked(config: &Config, compiled: &Compiled) -> Vec<(Purpose, Source)> {
    let known = |name: Source| config.upstream.iter().any(|upstream| upstream.name == name);
    let terms = compiled.policies.purposes().iter();
    let asked = terms.flat_map(|terms| terms.upstreams.iter().map(|name| (terms.id, *name)));
    asked.filter(|(_, name)| !known(*name)).collect()
}

/// Prints every fault and counts them.
pub fn complain(faults: Vec<Diagnostic>) -> Failure {
    for fault in &faults {
        eprintln!("{fault}");
    }
    Failure(format!("{} fault(s)", faults.len()))
}
