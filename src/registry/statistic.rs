//! 统计接口, our published interface of returns: the request, and the tables.
//!
//! ```text
//! {"indicator": "ability-assessed", "period": "2025"}
//! ```

use serde::Serialize;

use super::civil::{InquiryError, object, only, required};
use crate::policy::tally::{Guard, Published};
use crate::policy::{Bilingual, Indicator};
use crate::vocabulary::{Date, Fault, Purpose};
use crate::wire::json::{self, Limits};

/// How much of a request is read at all.
const LIMITS: Limits = Limits { bytes_max: 4_096, depth_max: 2, values_max: 8 };

/// Which return somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The indicator, not yet looked up.
    pub indicator: String,
    /// The calendar year.
    pub year: i64,
}

/// Reads a request.
///
/// # Errors
/// [`InquiryError`] at the first thing that is not as it should be.
pub fn read(body: &[u8]) -> Result<Wanted, InquiryError> {
    let json = json::read(body, &LIMITS)
        .map_err(|error| InquiryError { fault: error.fault(), at: error.position().clone() })?;
    let whole = object(&json, "")?;
    only(whole, "", &["indicator", "period"])?;
    let indicator = required(whole, "", "indicator")?;
    let period = required(whole, "", "period")?;
    let digits = period.len() == 4 && period.bytes().all(|byte| byte.is_ascii_digit());
    let year = period.parse().ok().filter(|_| digits);
    let year = year.ok_or_else(|| InquiryError::new(Fault::DataType, "/period"))?;
    Ok(Wanted { indicator, year })
}

/// A return with its tables.
#[derive(Debug, Clone, Serialize)]
pub struct Return<'a> {
    indicator: &'a str,
    name: &'a Bilingual,
    purpose: Purpose,
    period: String,
    computed_at: String,
    policy: &'a str,
    mappings: &'a str,
    guard: GuardTold,
    tables: Vec<Table>,
}

#[derive(Debug, Clone, Serialize)]
struct GuardTold {
    threshold: u64,
    base: u64,
    residents_min: u64,
}

#[derive(Debug, Clone, Serialize)]
struct Table {
    dimensions: Vec<String>,
    rows: Vec<Row>,
}

/// `null` at a place stands for all of the dimension, and as a count for one that is withheld.
#[derive(Debug, Clone, Serialize)]
struct Row {
    at: Vec<Option<String>>,
    count: Option<u64>,
}

/// Writes a return: guarded counts and nothing else.
#[must_use]
pub fn write(
    (indicator, year): (&Indicator, i64),
    (policy, mappings, at): (&str, &str, i64),
    guard: &Guard,
    tables: Vec<Vec<Published>>,
) -> Vec<u8> {
    let named = indicator.tables.iter().map(|dimensions| {
        dimensions.iter().map(|dimension| dimension.id.clone()).collect::<Vec<_>>()
    });
    let tables = named.zip(tables).map(|(dimensions, rows)| {
        let rows = rows.into_iter().map(|(at, count)| Row { at, count }).collect();
        Table { dimensions, rows }
    });
    let Guard { threshold, base, residents_min, .. } = *guard;
    let told = Return {
        indicator: &indicator.id,
        name: &indicator.title,
        purpose: indicator.purpose,
        period: format!("{year:04}"),
        computed_at: Date::from_timestamp(at).to_iso(),
        policy,
        mappings,
        guard: GuardTold { threshold, base, residents_min },
        tables: tables.collect(),
    };
    // Texts, numbers and lists alone: serialising them cannot fail.
    serde_json::to_vec(&told).unwrap_or_default()
}
