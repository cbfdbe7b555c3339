//! The tables of a configuration, and where their databases are.

use serde::Deserialize;

use crate::store::Database;
use crate::vocabulary::{Department, Role, Source};

/// A table rows are taken from, `[[table]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSettings {
    /// Its name in the store, logs and metrics; never change it.
    pub name: String,
    /// Whose rows these are: a `[[sender]]`.
    pub sender: Source,
    /// The database.
    pub database: Database,
    /// The table or view, with the schema before a dot.
    pub table: String,
    /// The column with the row's number. Default `id`.
    #[serde(default = "default_number")]
    pub number: String,
    /// Whether the gateway writes `kq_state` and its neighbours. Default yes; without, the
    /// mark alone says what was read, and numbers must grow in the order of the commits.
    #[serde(default = "default_yes")]
    pub status: bool,
    /// How often it is looked at, milliseconds. Default 1,000.
    #[serde(default = "default_poll")]
    pub poll_ms: u64,
    /// Rows read at once. Default 200.
    #[serde(default = "default_rows")]
    pub rows_max: u32,
}

/// A table of inquiries, `[[inquiry_table]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InquirySettings {
    /// Its name in logs.
    pub name: String,
    /// As which department of `departments.toml` its rows ask.
    pub department: Department,
    /// In which role.
    pub role: Role,
    /// The database: whoever may write to the table asks as that department.
    pub database: Database,
    /// The table of inquiries.
    pub table: String,
    /// The table answers are written to.
    pub answers: String,
    /// How often it is looked at, milliseconds. Default 1,000.
    #[serde(default = "default_poll")]
    pub poll_ms: u64,
}

fn default_number() -> String {
    "id".to_owned()
}
const fn default_yes() -> bool {
    true
}
const fn default_poll() -> u64 {
    1_000
}
const fn default_rows() -> u32 {
    200
}
