//! What is normalised before facts are compared, and why.
//!
//! - `id`, `resourceType`, `fullUrl`, `request` are left out: ids are made by each
//!   converter, and a type is in every path.
//! - `text.*` is left out: narrative is generated.
//! - A reference is the type it points to: ids differ.
//! - `http://example.com/v2-to-fhir-converter/…` is any system at that place: the converter's
//!   own namespace, where ours is another.
//! - Date-times are the same as an instant or as a clock: the converter ran at +05:30 and
//!   gave that offset to times without one.
//! - Numbers are compared by value, `7.10` and `7.1`; `urn:uuid:` without letter case.

use std::collections::{BTreeMap, BTreeSet};

use super::Fact;

/// The converter's own namespace.
const OWN: &str = "http://example.com/v2-to-fhir-converter/";

/// Whether a path is none of what is compared.
pub fn ignored(path: &str) -> bool {
    let ends = [".id", ".resourceType", ".fullUrl", ".request"];
    let parts: Vec<_> = path.split('.').collect();
    ends.iter().any(|end| path.ends_with(end) && parts.len() == 2)
        || parts.get(1).is_some_and(|part| *part == "text")
}

/// Our facts, ready to be asked.
pub struct Known(BTreeMap<String, BTreeSet<String>>);

/// Our facts in every spelling that counts.
pub fn known(facts: &BTreeSet<Fact>) -> Known {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for fact in facts {
        let values = found.entry(fact.path.clone()).or_default();
        values.extend(spellings(&fact.value));
    }
    Known(found)
}

impl Known {
    /// Whether we say that too.
    pub fn holds(&self, fact: &Fact) -> bool {
        let Some(values) = self.0.get(&fact.path) else { return false };
        fact.value.starts_with(OWN)
            || spellings(&fact.value).iter().any(|value| values.contains(value))
    }
}

/// The spellings of one value: a time as instant and as clock, a number by value.
fn spellings(value: &str) -> Vec<String> {
    if let Some((clock, instant)) = moment(value) {
        return vec![format!("clock {clock}"), format!("instant {instant}")];
    }
    if value.starts_with("urn:uuid:") {
        return vec![value.to_ascii_lowercase()];
    }
    match value.parse::<f64>() {
        Ok(number) if value.len() < 16 && !value.starts_with(['0', '+']) => {
            vec![format!("number {number}"), value.to_owned()]
        }
        _ => vec![value.to_owned()],
    }
}

/// Clock and seconds of a date-time with an offset.
fn moment(value: &str) -> Option<(String, i64)> {
    let (day, time) = value.split_once('T')?;
    let date = kangqiao::vocabulary::Date::parse_iso(value).ok()?;
    let clock: String = time.chars().take(8).collect();
    Some((format!("{day} {clock}"), date.timestamp()?))
}
