//! HL7 v2 messages: read strictly, addressed by position, acknowledged.
//!
//! The order is fixed: the character set is decided on the raw bytes, the whole
//! body is decoded, and only then split, because in GB 18030 the second byte of
//! 億 or 東 is `|`.

pub mod ack;
pub mod answered;
pub mod batch;
mod decoded;
mod err;
pub mod escape;
pub mod header;
pub mod message;
pub mod response;
mod segments;
pub mod separators;
pub mod stored;
mod structure;

use serde::{Deserialize, Serialize};

pub use ack::{Kind, Outcome, Stamp, Verdict, acknowledge, codes, replies};
pub use header::{Header, Mode};
pub use message::{Component, Field, Message, Repetition, Segment, Subcomponent};
pub use separators::Separators;

use crate::vocabulary::{Fault, Position};

/// What one message may hold at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of the body; default 1,048,576.
    pub message_bytes_max: usize,
    /// Segments; default 10,000.
    pub segments_max: usize,
    /// Fields of one segment, at most 60,000; default 1,000.
    pub fields_max: u16,
    /// Repetitions of one field, at most 60,000; default 1,000.
    pub repetitions_max: u16,
    /// Components and subcomponents of one field, all repetitions together, at most
    /// 60,000; default 10,000.
    pub parts_max: u16,
    /// Leaves that are not empty; default 100,000.
    pub leaves_max: usize,
    /// Bytes of one leaf after decoding to UTF-8; default 524,288.
    pub leaf_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 1_048_576,
            segments_max: 10_000,
            fields_max: 1_000,
            repetitions_max: 1_000,
            parts_max: 10_000,
            leaves_max: 100_000,
            leaf_bytes_max: 524_288,
        }
    }
}

/// Why a message cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", describe(*.fault, .at.as_ref()))]
pub struct ReadError {
    fault: Fault,
    at: Option<Position>,
}

impl ReadError {
    pub(crate) fn at(fault: Fault, at: impl Into<Position>) -> Self {
        Self { fault, at: Some(at.into()) }
    }

    /// What the peer is told.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// Where in the body it stood.
    #[must_use]
    pub const fn position(&self) -> Option<&Position> {
        self.at.as_ref()
    }
}

fn describe(fault: Fault, at: Option<&Position>) -> String {
    match at {
        Some(at) => format!("{}: {} at {at}", fault.row().name, fault.row().en),
        None => format!("{}: {}", fault.row().name, fault.row().en),
    }
}

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod tests;
