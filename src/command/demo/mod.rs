//! `kangqiao demo`: a whole site on one machine, and the story of one message.
//!
//! Real sockets, real TLS, the same commands an operator uses; only the people and
//! the systems beside the gateway are invented.

mod site;
mod story;
mod systems;

use std::path::PathBuf;

use super::Failure;
use crate::telemetry;
use site::{Ports, Site};

/// `kangqiao demo [--once]`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Play the story on free ports, check every step, clean up, exit 0 or 1
    #[arg(long)]
    once: bool,
    /// Folder of the demonstration; an earlier one is replaced
    #[arg(long, default_value = "demo-data")]
    dir: PathBuf,
    /// Folder of the mapping pack
    #[arg(long, default_value = "mappings")]
    mappings: PathBuf,
    /// Folder of the policies
    #[arg(long, default_value = "policies")]
    policies: PathBuf,
}

/// Builds the site, plays the story, and serves until Ctrl-C.
///
/// # Errors
/// [`Failure`] naming the first step that did not go as told.
pub fn run(args: Args) -> Result<(), Failure> {
    telemetry::log_quietly();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::during("runtime", error))?;
    runtime.block_on(demonstrate(&args))
}

async fn demonstrate(args: &Args) -> Result<(), Failure> {
    let ports = if args.once { Ports::free()? } else { Ports::usual().unused()? };
    let dir = if args.once { site::scratch()? } else { args.dir.clone() };
    let site = Site::build(dir.clone(), ports, &args.mappings, &args.policies);
    let site = site.inspect_err(|_| {
        if args.once {
            // What remains holds invented people.
            let _ = std::fs::remove_dir_all(&dir);
        }
    })?;
    let told = play(&site, args.once).await;
    if args.once {
        site.remove();
    }
    told
}

async fn play(site: &Site, once: bool) -> Result<(), Failure> {
    let systems = systems::start(site)?;
    let config = site.config()?;
    let running = super::serve::start(&config, false).await?;
    let told = story::tell(site, &systems.heard).await;
    if told.is_ok() && !once {
        site.farewell()?;
        tokio::signal::ctrl_c().await.map_err(|error| Failure::during("signals", error))?;
    }
    running.stop().await;
    systems.stop().await;
    told
}
