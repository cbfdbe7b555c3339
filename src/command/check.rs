//! `kangqiao check`: everything an operator wrote, read and compiled, nothing started.

use std::path::PathBuf;

use super::Failure;
use super::compile::compile;
use crate::config::Config;
use crate::inbound::tls::ReloadableTls;
use crate::vocabulary::Diagnostic;

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
    let tls = tls.map_err(|error| Failure::during("certificates", error))?;
    for upstream in &config.upstream {
        let name = upstream.name;
        let loaded = upstream.tls.load();
        loaded.map_err(|error| Failure::during(&format!("upstream {name}"), error))?;
    }
    let (elements, mappings) =
        (compiled.pack.catalogue().len(), compiled.pack.version().to_owned());
    let policies = compiled.policies.version().to_owned();
    compiled.bind(&config, tls.standing()).map_err(Failure)?;
    println!("配置正确 configuration is sound");
    println!("数据元 elements   {elements}");
    println!("映射版本 mappings {mappings}");
    println!("策略版本 policies {policies}");
    Ok(())
}

/// Prints every fault and counts them.
pub fn complain(faults: Vec<Diagnostic>) -> Failure {
    for fault in &faults {
        eprintln!("{fault}");
    }
    Failure(format!("{} fault(s)", faults.len()))
}
