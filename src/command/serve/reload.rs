//! Reloading: everything is read and compiled first; a faulty file changes nothing.

use std::path::{Path, PathBuf};

use metrics::counter;

use super::start::{Running, upstreams};
use crate::command::Failure;
use crate::command::compile::compile;
use crate::config::Config;

/// Reads configuration, certificates, mappings and policies again and swaps them in.
///
/// Of the configuration only senders, upstream systems and folders take effect; ports,
/// keys and the store need a restart. What serves goes on serving if anything is wrong.
pub async fn reload(running: &Running, config: &Path) {
    let outcome = match attempt(running, config.to_owned()).await {
        Ok(()) => {
            tracing::info!("reloaded");
            "done"
        }
        Err(failure) => {
            tracing::error!(reason = %failure, "not reloaded: what served before goes on");
            "refused"
        }
    };
    counter!("kangqiao_reloads_total", "outcome" => outcome).increment(1);
}

async fn attempt(running: &Running, path: PathBuf) -> Result<(), Failure> {
    let read = tokio::task::spawn_blocking(move || {
        let config = Config::load(&path)?;
        compile(&config).map(|compiled| (config, compiled))
    });
    let read = read.await.map_err(|error| Failure::during("compile", error))?;
    let (config, compiled) = read.map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        Failure(faults.join("; "))
    })?;
    // All that can fail comes first: either everything is swapped in or nothing is.
    let upstreams = upstreams(&config)?;
    let during = |error| Failure::during("certificates", error);
    let machines = running.tls.read().map_err(during)?;
    let console = running.console_tls.as_ref().map(|tls| tls.read().map(|fresh| (tls, fresh)));
    let console = console.transpose().map_err(during)?;
    let rules = compiled.bind(&config, machines.revoked().to_vec()).map_err(Failure)?;
    let adopted = running.gateway.adopt(rules, upstreams).await;
    adopted.map_err(|error| Failure::during("ledger", error))?;
    running.tls.serve(machines);
    if let Some((tls, fresh)) = console {
        tls.serve(fresh);
    }
    Ok(())
}
