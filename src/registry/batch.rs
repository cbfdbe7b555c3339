//! 批量接口, our published interface of batches: how one stands, and which rows are refused.

use serde::Serialize;

use crate::vocabulary::{Date, Fault, Position};

/// How a batch stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its id.
    pub batch: String,
    /// `checking` or `ready`.
    pub state: &'static str,
    /// What for.
    pub purpose: String,
    /// Rows in all.
    pub rows: i64,
    /// Of these, checked.
    pub checked: i64,
    /// Of those, accepted.
    pub accepted: i64,
    /// Of those, refused.
    pub refused: i64,
    /// When it came.
    pub received_at: String,
    /// When it ends by itself.
    pub ends_at: String,
    /// Which rows are refused, from the number asked for on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusals: Option<Vec<RefusedRow>>,
    /// `after` of the next page, if there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// A row that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedRow {
    /// Its number, from 1.
    pub row: i64,
    /// What the department calls the elder; empty where that cannot be read.
    pub reference: String,
    /// Why.
    pub fault: &'static str,
    /// Where in the row.
    pub at: String,
}

impl RefusedRow {
    /// A row with what is wrong.
    #[must_use]
    pub fn new((row, reference): (i64, String), fault: Fault, at: &Position) -> Self {
        Self { row, reference, fault: fault.row().name, at: at.to_string() }
    }
}

/// All batches of a department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Oldest first.
    pub batches: Vec<Standing>,
}

/// Milliseconds since 1970 as the interface writes a time.
#[must_use]
pub fn time(at_ms: i64) -> String {
    Date::from_timestamp(at_ms.div_euclid(1000)).to_iso()
}

/// Writes how things stand.
#[must_use]
pub fn write(standing: &impl Serialize) -> Vec<u8> {
    // Texts, numbers and lists alone: serialising them cannot fail.
    serde_json::to_vec(standing).unwrap_or_default()
}
