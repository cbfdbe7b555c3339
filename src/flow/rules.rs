//! What operators write, compiled: swapped as a whole by a reload.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::identity::linkage::Fingerprint;
use crate::identity::{Bindings, Certificate, Peer};
use crate::policy::{PolicySet, Side};
use crate::store::packs::Packs;
use crate::store::policies::InForce;
use crate::translate::{Form, Pack};
use crate::vocabulary::{Catalogue, CodeTables, Department, Fault, Files, Purpose, Role, Source};

/// Mappings, policies and bindings of one moment.
#[derive(Debug)]
pub struct Rules {
    /// Elements, code tables and mappings.
    pub pack: Arc<Pack>,
    /// Departments, purposes, treatments and Cedar rules.
    pub policies: Arc<PolicySet>,
    /// What the policies were read from.
    pub policy_files: Files,
    /// Which certificate belongs to whom.
    pub bindings: Bindings,
    /// Senders that veil themselves, and by which keys.
    pub veils: HashMap<Source, Vec<Fingerprint>>,
}

/// Policies that served, with the mappings they were read with, from a store's folder.
#[must_use]
pub fn past(store: &Path, force: &InForce) -> Option<(PolicySet, Files)> {
    let files = Packs::policies(store).files(&force.version).ok()??;
    let mappings = Packs::mappings(store).files(&force.mappings).ok()??;
    let tables = CodeTables::load(&mappings).ok()?;
    let catalogue = Catalogue::load(&mappings, &tables).ok()?;
    PolicySet::load(&files, &catalogue, &tables).ok().map(|set| (set, files))
}

/// Who asks: a department in one of its roles.
pub type Asker = (Department, Role);

impl Rules {
    /// The policies with their files, to be compared with others.
    #[must_use]
    pub fn side(&self) -> Side<'_> {
        Side { set: &self.policies, files: &self.policy_files }
    }

    /// Both versions.
    #[must_use]
    pub fn versions(&self) -> InForce {
        let (version, mappings) = (self.policies.version(), self.pack.version());
        InForce { version: version.to_owned(), mappings: mappings.to_owned() }
    }

    /// The first purpose that was granted to who asks: what he asks for where he cannot say.
    #[must_use]
    pub fn first_purpose(&self, (department, role): Asker) -> Option<Purpose> {
        let row = self.policies.departments().department(department)?;
        row.grants.iter().find(|grant| grant.roles.contains(&role)).map(|grant| grant.purpose)
    }

    /// Whose messages come over a connection: its certificate says, or else its port.
    #[must_use]
    pub fn sender(
        &self,
        certificate: Option<&Certificate>,
        port: Option<Source>,
        at_ms: i64,
    ) -> Option<Source> {
        match certificate.map(|certificate| self.bindings.peer(certificate, at_ms / 1000)) {
            Some(Some(Peer::Sender(source))) => Some(source),
            Some(_) => None,
            None => port,
        }
    }

    /// Whether a sender may send in a form: who veils its entries sends nothing else, and
    /// nobody else sends tokens.
    #[must_use]
    pub fn takes(&self, sender: Source, form: Form) -> bool {
        self.veils.contains_key(&sender) == (form == Form::Tokens)
    }

    /// Whether a sender may veil by that key.
    #[must_use]
    pub fn knows_key(&self, sender: Source, by: Option<Fingerprint>) -> bool {
        let known = self.veils.get(&sender).into_iter().flatten();
        by.is_some_and(|by| known.into_iter().any(|known| *known == by))
    }

    /// Who asks over a connection: its certificate says.
    ///
    /// # Errors
    /// [`Fault::CertificateUnknown`] if it belongs to no department, was revoked or has ended.
    pub fn asker(&self, certificate: Option<&Certificate>, at_ms: i64) -> Result<Asker, Fault> {
        match certificate.and_then(|certificate| self.bindings.peer(certificate, at_ms / 1000)) {
            Some(Peer::Department(department, role)) => Ok((department, role)),
            _ => Err(Fault::CertificateUnknown),
        }
    }
}
