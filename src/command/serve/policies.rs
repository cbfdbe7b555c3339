//! `kangqiao policy apply` in the running gateway: compiled whole, compared with what serves, and
//! in force at once if nothing widens; else it waits for two people at the console.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::reload::Reloader;
use super::sandbox;
use crate::command::Failure;
use crate::command::compile::{Compiled, Seen, compile_files, folder_files};
use crate::command::policy::line;
use crate::config::{Config, Widening};
use crate::flow::policies::{Adoption, Weighed};
use crate::flow::{Gateway, past};
use crate::policy::{Difference, Side};
use crate::store::packs::Packs;
use crate::store::policies::{InForce, PEOPLE};
use crate::vocabulary::{Diagnostic, Files};

/// Changes that a refusal names.
const NAMED_MAX: usize = 5;

/// Where policies are taken from.
#[derive(Debug, Clone)]
pub enum From {
    /// The folder of the configuration.
    Folder,
    /// A version that was in force.
    Kept(String),
    /// What two people have accepted.
    Proposed(InForce),
}

impl Reloader {
    /// Brings the folder's policies, or those of a version that served, into force; policies
    /// that widen what serves wait for two people instead.
    ///
    /// # Errors
    /// [`Failure`] with every fault found; nothing changed then.
    pub async fn apply(&self, back: Option<String>, user: u32) -> Result<Value, Failure> {
        let mut seen = self.turn.lock().await;
        let from = back.map_or(From::Folder, From::Kept);
        let (config, compiled) = self.compile(&mut seen, from).await?;
        let (before, now) = (self.gateway.rules.load_full(), compiled.versions());
        if before.versions() == now {
            return Ok(json!({ "state": "unchanged", "policies": now.version }));
        }
        let weighed = self.weigh(&compiled).await?;
        let difference = &weighed.difference;
        let told = |state: &str| {
            json!({
                "state": state,
                "policies": compiled.policies.version(),
                "before": before.policies.version(),
                "weighed": weighed,
            })
        };
        if difference.widened() > 0 && self.widening == Widening::TwoPeople {
            compiled.check(&config, self.tls.standing())?;
            keep(
                &Packs::proposed(&config.store.folder),
                &[&compiled.policy_files, &compiled.mappings],
            )?;
            let proposed = self.gateway.propose_policies(now, &weighed, user).await;
            proposed.map_err(|error| Failure::during("ledger", error))?;
            return Ok(told("proposed"));
        }
        let by = Some(format!("uid {user}"));
        let adoption = Adoption { reloads: false, widened: difference.widened(), by };
        let told = told("in-force");
        self.swap(config, compiled, Some(&adoption)).await?;
        Ok(told)
    }

    /// Brings what two people have accepted into force, unless something else serves meanwhile.
    ///
    /// # Errors
    /// [`Failure`] saying why not; what served before goes on.
    pub async fn enforce(&self, by: &str) -> Result<(), Failure> {
        let mut seen = self.turn.lock().await;
        let waiting = self.gateway.store.waiting_policies().await;
        let waiting = waiting.map_err(|error| Failure::during("store", error))?;
        let waiting = waiting.ok_or_else(|| Failure("no policies wait".to_owned()))?;
        // What was proposed while the second was accepting is not what was accepted.
        if waiting.accepted_by.len() < PEOPLE {
            return Err(Failure("these policies were proposed anew meanwhile".to_owned()));
        }
        if waiting.before != self.gateway.rules.load().versions() {
            let text = "what serves has changed since these policies were proposed";
            return Err(Failure(text.to_owned()));
        }
        let from = From::Proposed(waiting.proposed);
        let (config, compiled) = self.compile(&mut seen, from).await?;
        let by = Some(by.to_owned());
        let adoption = Adoption { reloads: false, widened: waiting.widened, by };
        self.swap(config, compiled, Some(&adoption)).await.map(drop)
    }

    /// Brings into force here what another gateway has brought into force, whenever one does. Until
    /// that is done nothing is answered.
    pub async fn keep_alike(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.gateway.store.enforced_elsewhere() => (),
            }
            if let Err(failure) = self.follow().await {
                tracing::error!(
                    reason = %failure,
                    "what another gateway brought into force cannot serve here: \
                     nothing is answered"
                );
            }
        }
    }

    async fn follow(&self) -> Result<(), Failure> {
        let mut seen = self.turn.lock().await;
        let served = self.gateway.store.policies().await;
        let served = served.map_err(|error| Failure::during("store", error))?;
        let Some((now, _)) = served.into_iter().next() else { return Ok(()) };
        if now == self.gateway.rules.load().versions() {
            self.gateway.store.in_step(now);
            return Ok(());
        }
        self.gateway.store.out_of_step();
        for from in [From::Folder, From::Kept(now.version.clone())] {
            let Ok((config, compiled)) = self.compile(&mut seen, from).await else { continue };
            if compiled.versions() == now {
                let versions = self.swap(config, compiled, None).await?;
                tracing::info!(versions, "as another gateway brought into force");
                return Ok(());
            }
        }
        let InForce { version, mappings } = now;
        Err(Failure(format!(
            "policies {version} with mappings {mappings} are in force: put their files in the \
             folders of this gateway, then kangqiao reload"
        )))
    }

    /// What would change if the folder's policies served, and how much of the last thirty days.
    ///
    /// # Errors
    /// [`Failure`] with every fault found.
    pub async fn compare(&self) -> Result<Value, Failure> {
        let mut seen = self.turn.lock().await;
        let (_, compiled) = self.compile(&mut seen, From::Folder).await?;
        Ok(json!({ "weighed": self.weigh(&compiled).await? }))
    }

    async fn weigh(&self, compiled: &Compiled) -> Result<Weighed, Failure> {
        let difference = self.difference(compiled).await?;
        let before = self.gateway.rules.load_full();
        let differing = self.gateway.differing(&before.policies, &compiled.policies).await;
        let differing = differing.map_err(|error| Failure::during("ledger", error))?;
        Ok(Weighed { difference, differing })
    }

    /// The versions that came into force, the last first, and the one that waits.
    ///
    /// # Errors
    /// [`Failure`] if the store cannot be read.
    pub async fn versions(&self) -> Result<Value, Failure> {
        let during = |error| Failure::during("store", error);
        let served = self.gateway.store.policies().await.map_err(during)?;
        let waiting = self.gateway.store.waiting_policies().await.map_err(during)?;
        let served = served.into_iter().map(|(one, at_ms)| {
            json!({ "policies": one.version, "mappings": one.mappings, "at_ms": at_ms })
        });
        let waits = waiting.map(|one| {
            json!({
                "policies": one.proposed.version,
                "wider": one.widened,
                "by": one.by,
                "accepted_by": one.accepted_by,
                "at_ms": one.at_ms,
            })
        });
        Ok(json!({ "served": served.collect::<Vec<_>>(), "waits": waits }))
    }

    /// Refuses what widens: a reload is no way around two people.
    pub(super) async fn widens(&self, compiled: &Compiled) -> Result<usize, Failure> {
        let difference = self.difference(compiled).await?;
        match (difference.widened(), self.widening) {
            (1.., Widening::TwoPeople) => Err(refused(&difference)),
            (widened, _) => Ok(widened),
        }
    }

    /// What would change; comparing every cell takes its time, so not on a worker's thread.
    async fn difference(&self, compiled: &Compiled) -> Result<Difference, Failure> {
        let before = self.gateway.rules.load_full();
        if before.versions() == compiled.versions() {
            return Ok(Difference::default());
        }
        let (policies, files) = (Arc::clone(&compiled.policies), compiled.policy_files.clone());
        let compared = tokio::task::spawn_blocking(move || {
            Difference::between(before.side(), Side { set: &policies, files: &files })
        });
        compared.await.map_err(|error| Failure::during("compare", error))
    }

    /// Reads the configuration again and compiles what it names.
    pub(super) async fn compile(
        &self,
        seen: &mut Seen,
        from: From,
    ) -> Result<(Config, Compiled), Failure> {
        let file = self.file.clone();
        let bounds = self.bounds.clone();
        let mut known = std::mem::take(seen);
        let read = tokio::task::spawn_blocking(move || {
            let read = Config::load(&file).map_err(listed).and_then(|config| {
                let held = bounds.map_or(Ok(()), |bounds| bounds.hold(&sandbox::bounds(&config)));
                held.map_err(|outside| Failure(format!("{outside}: it needs a restart")))?;
                let files = files(&config, from)?;
                let compiled = compile_files(&config, files, &mut known).map_err(listed)?;
                Ok((config, compiled))
            });
            (read, known)
        });
        let (read, known) = read.await.map_err(|error| Failure::during("compile", error))?;
        *seen = known;
        read
    }
}

/// Mapping files and policies.
fn files(config: &Config, from: From) -> Result<(Files, Files), Failure> {
    let kept = |packs: Packs, version: &str| {
        let files = packs.files(version).map_err(|error| Failure::during("packs", error))?;
        files.ok_or_else(|| Failure(format!("version {version} is not kept")))
    };
    let store = &config.store.folder;
    let mappings = || folder_files(&config.mappings).map_err(listed);
    Ok(match from {
        From::Folder => (mappings()?, folder_files(&config.policies).map_err(listed)?),
        From::Kept(version) => (mappings()?, kept(Packs::policies(store), &version)?),
        From::Proposed(InForce { version, mappings }) => {
            (kept(Packs::proposed(store), &mappings)?, kept(Packs::proposed(store), &version)?)
        }
    })
}

/// Keeps files under their versions.
pub(super) fn keep(packs: &Packs, all: &[&Files]) -> Result<(), Failure> {
    let mut all = all.iter();
    all.try_for_each(|files| packs.keep(files)).map_err(|error| Failure::during("packs", error))
}

/// What served last before this start; how much wider the folder's policies are.
#[derive(Debug, Default)]
pub struct Began {
    /// The version that was in force, if any was.
    pub before: Option<String>,
    /// How many cells and terms are wider.
    pub widened: usize,
    /// Whether anything changed.
    pub changed: bool,
}

/// Compares what a gateway starts with with what was in force when it ended.
///
/// # Errors
/// [`Failure`] if that is wider and takes two people.
pub async fn begin(config: &Config, gateway: &Gateway) -> Result<Began, Failure> {
    let served = gateway.store.policies().await;
    let served = served.map_err(|error| Failure::during("store", error))?;
    let rules = gateway.rules.load_full();
    let Some((last, _)) = served.into_iter().next() else {
        return Ok(Began { changed: true, ..Began::default() });
    };
    if last == rules.versions() {
        return Ok(Began::default());
    }
    let company = gateway.store.has_company().await;
    if company.map_err(|error| Failure::during("store", error))? {
        return Err(Failure(format!(
            "policies {} with mappings {} are in force at the gateways that run: start with the \
             same files, then kangqiao policy apply",
            last.version, last.mappings
        )));
    }
    let before = Some(last.version.clone());
    let Some((set, files)) = past(&config.store.folder, &last) else {
        // Its file is gone, or this program reads it no more: nothing can be compared, and what
        // nobody compared may widen.
        if config.policy_widening == Widening::TwoPeople {
            return Err(Failure(format!(
                "version {} of the policies was in force and cannot be read any more: put its \
                 file back, or start once with policy_widening = \"one-person\"",
                last.version
            )));
        }
        tracing::warn!(version = last.version, "the policies in force before cannot be read");
        return Ok(Began { before, widened: 0, changed: true });
    };
    let difference = Difference::between(Side { set: &set, files: &files }, rules.side());
    match (difference.widened(), config.policy_widening) {
        (1.., Widening::TwoPeople) => {
            let Failure(refused) = refused(&difference);
            let hint = format!("version {} was in force: start with its files, then", last.version);
            Err(Failure(format!("{refused}\n{hint} kangqiao policy apply")))
        }
        (widened, _) => Ok(Began { before, widened, changed: true }),
    }
}

/// Why policies do not serve, with the first of what they open.
fn refused(difference: &Difference) -> Failure {
    let widened = difference.widened();
    let cells = difference.cells.iter().filter(|one| one.wider).map(line::cell);
    let terms = difference.terms.iter().filter(|one| one.wider).map(line::term);
    let named: Vec<String> =
        cells.chain(terms).take(NAMED_MAX).map(|text| format!("+ {text}")).collect();
    let more = match widened.saturating_sub(named.len()) {
        0 => String::new(),
        more => format!("\n… {more} more"),
    };
    Failure(format!(
        "policies widen what is in force in {widened} places, so two people have to accept them: \
         kangqiao policy apply\n{}{more}",
        named.join("\n")
    ))
}

fn listed(faults: Vec<Diagnostic>) -> Failure {
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    Failure(faults.join("\n"))
}
