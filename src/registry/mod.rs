//! Dialects of the systems beside the gateway: what is written, how they answer. No sockets.
//!
//! Everything here takes a [`crate::policy::Release`]; there is no other way to write
//! an element out.

pub mod answer;
pub mod batch;
pub mod civil;
pub mod elder_registry;
pub mod fhir;
pub mod notice;
pub mod pdq;
pub mod platform;
pub mod receipt;
pub mod released;
pub mod rows;
pub mod statistic;
pub mod v3;
pub mod whom;
pub mod writing;

#[cfg(test)]
mod tests;

use crate::policy::Release;
use crate::translate::Form;
use crate::vocabulary::{Dataset, Fault, Position};

/// One upstream dialect. A new one is a new file and one line in [`REGISTRIES`].
pub trait Registry: Sync {
    /// The key in the configuration, in ledger entries and in metrics.
    fn name(&self) -> &'static str;
    /// What stands behind the address of the configuration.
    fn path(&self) -> &'static str {
        "/v1/records"
    }
    /// Media type of question and answer.
    fn media(&self) -> &'static str {
        "application/json"
    }
    /// Writes the next question the upstream expects, given what it answered so far; `None`
    /// once there is nothing more to ask.
    ///
    /// # Errors
    /// [`ReplyError`] if an answer does not say what to ask next.
    fn next(&self, release: &Release, replies: &[Vec<u8>]) -> Result<Option<Vec<u8>>, ReplyError>;
    /// Reads what the upstream answered, question by question.
    ///
    /// # Errors
    /// [`ReplyError`] by position, never by value.
    fn decode(&self, replies: &[Vec<u8>]) -> Result<Vec<Reply>, ReplyError>;
}

/// Every dialect the gateway speaks to upstreams.
pub static REGISTRIES: &[&dyn Registry] = &[
    &elder_registry::ElderRegistry,               // 老年人基本信息档案
    &platform::Platform,                          // 区域电子健康档案平台
    &v3::client::Platform(v3::Dialect::Regional), // 区域平台 EHR-PL
    &v3::client::Platform(v3::Dialect::Hospital), // 医院平台 HIP
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
    /// The whole of it, for `translate`.
    pub body: Body,
}

/// A record as an upstream wrote it.
pub enum Body {
    /// An object of a JSON dialect.
    Json(serde_json::Value),
    /// A unit of a form of its own.
    Unit(Form, Vec<u8>),
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
