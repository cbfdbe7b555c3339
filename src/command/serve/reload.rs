//! Reloading: everything is read and compiled first; a faulty file changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use metrics::counter;

use super::start::{Running, upstreams};
use crate::audit::Kind;
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
    let upstreams = upstreams(&config)?;
    running.tls.reload().map_err(|error| Failure::during("certificates", error))?;
    if let Some(tls) = &running.console_tls {
        tls.reload().map_err(|error| Failure::during("certificates", error))?;
    }
    let rules = compiled.bind(&config, running.tls.revoked()).map_err(Failure)?;
    let versions =
        format!("mappings {} policies {}", rules.pack.version(), rules.policies.version());
    let gateway = &running.gateway;
    gateway.rules.store(Arc::new(rules));
    gateway.upstreams.store(Arc::new(upstreams));
    let recorded = gateway.record(Kind::Reload, &versions).await;
    recorded.map_err(|error| Failure::during("ledger", error))
}
