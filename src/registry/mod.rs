//! Dialects of the systems beside the gateway: what is written, how they answer. No sockets.
//!
//! Everything here takes a [`crate::policy::Release`]; there is no other way to write
//! an element out.

pub mod answer;
pub mod civil;
pub mod elder_registry;
pub mod fhir;
pub mod platform;
pub mod receipt;
pub mod released;
pub mod v3;
pub mod writing;

#[cfg(test)]
mod tests;

use crate::policy::Release;
use crate::vocabulary::{Dataset, Fault, Position};

/// One upstream dialect. A new one is a new file and one line in [`REGISTRIES`].
pub trait Registry: Sync {
    /// The key in the configuration, in ledger entries and in metrics.
    fn name(&self) -> &'static str;
    /// Writes the question the upstream expects.
    fn encode(&self, release: &Release) -> Vec<u8>;
    /// Reads what the upstream answered.
    ///
    /// # Errors
    /// [`ReplyError`] by position, never by value.
    fn decode(&self, reply: &[u8]) -> Result<Vec<Reply>, ReplyError>;
}

/// Every dialect the gateway speaks to upstreams.
pub static REGISTRIES: &[&dyn Registry] = &[
    &elder_registry::ElderRegistry, // 老年人基本信息档案
    &platform::Platform,            // 区域电子健康档案平台
];

/// The dialect with that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Registry> {
    REGISTRIES.iter().copied().find(|registry| registry.name() == name)
}

/// One record an upstream answered with, not yet translated.
pub struct Reply {
    /// Which dataset it says it is.
    pub dataset: Dataset,
    /// The whole object, for `translate`.
    pub body: serde_json::Value,
}

/// Shows the dataset alone: the body is somebody's record.
impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({}, <masked>)", self.dataset)
    }
}

/// Why an upstream's answer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} at {at}", .fault.row().en)]
pub struct ReplyError {
    /// What kind of fault.
    pub fault: Fault,
    /// Where it stands.
    pub at: Position,
}
