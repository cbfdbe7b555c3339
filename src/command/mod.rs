//! The commands of `kangqiao`, one file each.

pub mod ask;
pub mod certs;
pub mod check;
pub mod compile;
pub mod demo;
pub mod explain;
mod identifier;
pub mod ledger;
pub mod operate;
pub mod send;
pub mod serve;
pub mod translate;
pub mod user;

/// Why a command ended with exit code 1: one line for the operator, no personal data.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    /// A failure that says what was being done and why it did not work.
    pub fn during(what: &str, why: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}
