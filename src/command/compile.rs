//! From the files an operator wrote to the rules both flows stand on.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Failure;
use crate::config::Config;
use crate::config::files::read_folder;
use crate::flow::Rules;
use crate::identity::{Bindings, Peer, Standing};
use crate::outbound;
use crate::policy::{Evidence, PolicySet};
use crate::registry::{self, platform};
use crate::store::policies::InForce;
use crate::translate::Pack;
use crate::vocabulary::{Diagnostic, Files};

/// Mappings and policies, compiled and proven by their examples.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// Elements, code tables and mappings.
    pub pack: Arc<Pack>,
    /// Departments, purposes, treatments and rules.
    pub policies: Arc<PolicySet>,
    /// What the pack was compiled from.
    pub mappings: Files,
    /// What the policies were compiled from.
    pub policy_files: Files,
}

/// What was compiled last: the same files make the same rules, so they are not compiled, nor
/// their examples run, again.
#[derive(Default)]
pub struct Seen(VecDeque<(String, Arc<Pack>, Arc<PolicySet>)>);

/// Rules that are remembered: those in force, and those before them, for the way back.
const SEEN_MAX: usize = 2;

/// Reads and compiles the folders a configuration names.
///
/// # Errors
/// Every fault found, with file, line and column.
pub fn compile(config: &Config) -> Result<Compiled, Vec<Diagnostic>> {
    let files = (folder_files(&config.mappings)?, folder_files(&config.policies)?);
    compile_files(config, files, &mut Seen::default())
}

/// The same with other files, such as those of a pack that served before, and where what was
/// compiled before is at hand.
///
/// # Errors
/// As [`compile`].
pub fn compile_files(
    config: &Config,
    (mappings, files): (Files, Files),
    seen: &mut Seen,
) -> Result<Compiled, Vec<Diagnostic>> {
    let version = format!("{} {}", mappings.version(), files.version());
    if let Some((_, pack, policies)) = seen.0.iter().find(|(known, ..)| *known == version) {
        let (pack, policies) = (Arc::clone(pack), Arc::clone(policies));
        return Ok(Compiled { pack, policies, mappings, policy_files: files });
    }
    let pack = Arc::new(proven(&config.mappings, &mappings)?);
    let folder = config.policies.display().to_string();
    let policies = PolicySet::load(&files, pack.catalogue(), pack.tables());
    let policies = Arc::new(policies.map_err(|faults| inside(&folder, faults))?);
    seen.0.push_front((version, Arc::clone(&pack), Arc::clone(&policies)));
    seen.0.truncate(SEEN_MAX);
    Ok(Compiled { pack, policies, mappings, policy_files: files })
}

/// Reads and compiles a mapping pack; its examples must hold.
///
/// # Errors
/// As [`compile`].
pub fn pack(folder: &std::path::Path) -> Result<Pack, Vec<Diagnostic>> {
    proven(folder, &folder_files(folder)?)
}

/// A pack whose examples hold; `folder` is where its faults are told.
fn proven(folder: &std::path::Path, files: &Files) -> Result<Pack, Vec<Diagnostic>> {
    let name = folder.display().to_string();
    let pack = Pack::load(files).map_err(|faults| inside(&name, faults))?;
    match pack.check_examples(files) {
        faults if faults.is_empty() => Ok(pack),
        faults => Err(inside(&name, faults)),
    }
}

impl Compiled {
    /// Both versions.
    #[must_use]
    pub fn versions(&self) -> InForce {
        let (version, mappings) = (self.policies.version(), self.pack.version());
        InForce { version: version.to_owned(), mappings: mappings.to_owned() }
    }

    /// Whether they could be bound; nothing is.
    ///
    /// # Errors
    /// As [`Compiled::bind`].
    pub fn check(&self, config: &Config, standing: Standing) -> Result<(), Failure> {
        self.clone().bind(config, standing).map(drop).map_err(Failure)
    }

    /// Adds who is who: departments by the policies, senders by the configuration.
    ///
    /// # Errors
    /// The certificate that is bound twice, or the upstream that cannot be asked.
    pub fn bind(self, config: &Config, standing: Standing) -> Result<Rules, String> {
        let senders = config.sender.iter().filter_map(|sender| {
            let subject = sender.certificate.clone()?;
            Some((subject, Peer::Sender(sender.name)))
        });
        config.upstream.iter().try_for_each(|upstream| self.knows(upstream))?;
        config.subscription.iter().try_for_each(|one| self.can_be_told(one))?;
        for table in &config.inquiry_table {
            let row = self.policies.departments().department(table.department);
            if row.is_none() {
                let (name, department) = (&table.name, table.department);
                return Err(format!("inquiry_table {name}: no department {department}"));
            }
        }
        let bindings = Bindings::new(self.policies.bindings().chain(senders), standing)
            .map_err(|subject| format!("certificate {subject} belongs to two peers"))?;
        let veils = config.sender.iter().filter(|sender| !sender.veils.is_empty());
        let veils = veils.map(|sender| (sender.name, sender.veils.clone())).collect();
        let Self { pack, policies, policy_files, .. } = self;
        Ok(Rules { pack, policies, policy_files, bindings, veils })
    }

    /// Refuses a subscription to what its department may never be told.
    fn can_be_told(&self, settings: &outbound::SubscriptionSettings) -> Result<(), String> {
        let outbound::SubscriptionSettings { name, department, role, purpose, events, .. } =
            settings;
        let asker = (*department, *role);
        let admission = self.policies.admit(asker, purpose.as_str(), Evidence::default());
        let admission = admission.map_err(|refusal| {
            format!("subscription {name}: {department} {role} for {purpose}: {refusal}")
        })?;
        for id in events {
            let event = self.policies.events().event(*id);
            let event = event.ok_or_else(|| format!("subscription {name}: no event {id}"))?;
            if !event.is_open_to(admission.terms()) {
                return Err(format!("subscription {name}: {purpose} opens nothing of event {id}"));
            }
            if let Some(why) = settings.words().unfit(&self.pack, event, admission.terms()) {
                return Err(format!("subscription {name}: {why}"));
            }
        }
        Ok(())
    }

    /// Refuses an upstream nobody could ask, or that nothing may be told.
    fn knows(&self, upstream: &outbound::Settings) -> Result<(), String> {
        let outbound::Settings { name, department, dialect, .. } = upstream;
        if registry::find(dialect).is_none() {
            return Err(format!("upstream {name}: there is no dialect {dialect}"));
        }
        let row = self.policies.departments().department(*department);
        let row = row.ok_or_else(|| format!("upstream {name}: no department {department}"))?;
        match row.grants.iter().any(|grant| grant.purpose == platform::PURPOSE) {
            true => Ok(()),
            false => {
                Err(format!("upstream {name}: {department} is not granted {}", platform::PURPOSE))
            }
        }
    }
}

/// The files of a folder.
///
/// # Errors
/// If it cannot be read.
pub fn folder_files(folder: &std::path::Path) -> Result<Files, Vec<Diagnostic>> {
    let name = folder.display().to_string();
    read_folder(folder).map_err(|error| vec![Diagnostic::at(&name, "", 0, error.to_string())])
}

/// The same faults, with paths an operator can open.
#[must_use]
pub fn inside(folder: &str, mut faults: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for fault in &mut faults {
        fault.file = format!("{folder}/{}", fault.file);
    }
    faults
}
