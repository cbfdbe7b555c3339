//! Reloading: everything is read and compiled first; a faulty file changes nothing.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt;
use metrics::counter;
use tokio::sync::Mutex;

use super::neighbours::neighbours;
use super::policies::{From, keep};
use crate::command::Failure;
use crate::command::check::complain;
use crate::command::compile::{Compiled, Seen, compile_files};
use crate::config::{Config, Widening};
use crate::flow::policies::Adoption;
use crate::flow::trace::Past;
use crate::flow::{Gateway, Rules};
use crate::inbound::tls::{self, ReloadableTls};
use crate::sandbox::Bounds;
use crate::store::packs::Packs;

/// The files of certificates that a start names: their content is read again, other files are not.
#[derive(Debug, PartialEq, Eq)]
pub struct Served(tls::Settings, tls::ClientSettings, Option<tls::Settings>);

impl Served {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        let console = config.console.as_ref().map(|console| console.tls.clone());
        Self(config.tls.clone(), config.clients.clone(), console)
    }
}

/// What takes files and rows, by name: a reload opens and closes none of them.
pub(super) fn takers(config: &Config) -> Vec<String> {
    let exchanges = config.exchange.iter().map(|one| format!("[[exchange]] {}", one.name));
    let tables = config.table.iter().map(|one| format!("[[table]] {}", one.name));
    let inquiries = config.inquiry_table.iter();
    let inquiries = inquiries.map(|one| format!("[[inquiry_table]] {}", one.name));
    exchanges.chain(tables).chain(inquiries).collect()
}

/// What a reload swaps, and where it reads.
pub struct Reloader {
    /// The configuration file.
    pub file: PathBuf,
    /// The flows.
    pub gateway: Arc<Gateway>,
    /// TLS of the doors for machines.
    pub tls: Arc<ReloadableTls>,
    /// TLS of the console.
    pub console_tls: Option<Arc<ReloadableTls>>,
    /// Who may widen what is in force; as it was at the start.
    pub widening: Widening,
    /// File of the master key; as it was at the start.
    pub master_key: PathBuf,
    /// Which certificates are shown and whose are accepted; as it was at the start.
    pub served: Served,
    /// What takes files and rows; as it was at the start.
    pub takers: Vec<String>,
    /// What the process was confined to at the start, if it was.
    pub bounds: Option<Bounds>,
    /// One reload at a time, with what was compiled last.
    pub turn: Mutex<Seen>,
}

impl Reloader {
    /// Reads configuration, certificates, mappings and policies again and swaps them in.
    ///
    /// Of the configuration only senders, upstream systems, subscriptions, witnesses and folders
    /// take effect; ports, keys and the store need a restart. What serves goes on serving if
    /// anything is wrong.
    ///
    /// # Errors
    /// [`Failure`] with every fault found.
    pub async fn reload(&self) -> Result<String, Failure> {
        let mut seen = self.turn.lock().await;
        let outcome = self.attempt(&mut seen).await;
        match &outcome {
            Ok(versions) => tracing::info!(versions, "reloaded"),
            Err(failure) => {
                tracing::error!(reason = %failure, "not reloaded: what served before goes on");
            }
        }
        let label = if outcome.is_ok() { "applied" } else { "refused" };
        counter!("kangqiao_reloads_total", "outcome" => label).increment(1);
        outcome
    }

    async fn attempt(&self, seen: &mut Seen) -> Result<String, Failure> {
        let (config, compiled) = self.compile(seen, From::Folder).await?;
        let widened = self.widens(&compiled).await?;
        let adoption = Adoption { reloads: true, widened, by: None };
        self.swap(config, compiled, Some(&adoption)).await
    }

    /// Swaps everything in that a configuration and its files say; without an adoption it is in
    /// force already.
    pub(super) async fn swap(
        &self,
        config: Config,
        compiled: Compiled,
        adoption: Option<&Adoption>,
    ) -> Result<String, Failure> {
        // All that can fail comes first: either everything is swapped in or nothing is.
        if Served::of(&config) != self.served {
            let why = "other files of [tls], [clients] or [console] tls: this needs a restart";
            return Err(Failure::during("certificates", why));
        }
        let neighbours = neighbours(&config)?;
        let during = |error| Failure::caused("certificates", &error);
        let machines = self.tls.read().map_err(during)?;
        let console = self.console_tls.as_ref().map(|tls| tls.read().map(|fresh| (tls, fresh)));
        let console = console.transpose().map_err(during)?;
        keep(&Packs::mappings(&config.store.folder), &[&compiled.mappings])?;
        keep(&Packs::policies(&config.store.folder), &[&compiled.policy_files])?;
        let rules = compiled.bind(&config, machines.standing()).map_err(Failure)?;
        let versions = match adoption {
            Some(adoption) => {
                let adopted = self.gateway.adopt(rules, neighbours, adoption).await;
                adopted.map_err(|error| Failure::during("ledger", error))?
            }
            None => {
                let followed = format!("policies {}", rules.policies.version());
                self.gateway.serve_by(rules, neighbours);
                followed
            }
        };
        self.tls.serve(machines);
        if let Some((tls, fresh)) = console {
            tls.serve(fresh);
        }
        let (now, before) = (takers(&config), &self.takers);
        let added = now.iter().filter(|one| !before.contains(one));
        let gone = before.iter().filter(|one| !now.contains(one));
        let waiting: Vec<_> = added.chain(gone).map(String::as_str).collect();
        match waiting.is_empty() {
            true => Ok(versions),
            false => Ok(format!("{versions}; after a restart: {}", waiting.join(", "))),
        }
    }

    /// The same as [`past`](Self::past) for whoever can do without.
    pub fn of_past(self: &Arc<Self>) -> Past {
        let reloader = Arc::clone(self);
        Arc::new(move |version| {
            let reloader = Arc::clone(&reloader);
            async move { reloader.past(Some(version)).await.ok().flatten() }.boxed()
        })
    }

    /// Today's policies with the mapping pack of a version that served before; `None` if none
    /// is named.
    ///
    /// # Errors
    /// [`Failure`] if the pack is not kept any more, or does not fit today's policies.
    pub async fn past(&self, version: Option<String>) -> Result<Option<Arc<Rules>>, Failure> {
        let Some(version) = version else { return Ok(None) };
        let file = self.file.clone();
        let standing = self.tls.standing();
        // What the folder holds may wait for two people.
        let policies = self.gateway.rules.load().policy_files.clone();
        let read = tokio::task::spawn_blocking(move || {
            let config = Config::load(&file).map_err(complain)?;
            let files = Packs::mappings(&config.store.folder).files(&version);
            let files = files.map_err(|error| Failure::during("packs", error))?;
            let none = || Failure(format!("no pack {version} is kept"));
            let files = (files.ok_or_else(none)?, policies);
            let compiled = compile_files(&config, files, &mut Seen::default());
            let compiled = compiled.map_err(complain)?;
            compiled.bind(&config, standing).map_err(Failure)
        });
        let rules = read.await.map_err(|error| Failure::during("compile", error))??;
        Ok(Some(Arc::new(rules)))
    }
}
