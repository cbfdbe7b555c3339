//! What is normalised before facts are compared, and why.
//!
//! - `id`, `resourceType`, `fullUrl`, `request` are left out: ids are made by each
//!   converter, and a type is in every path.
//! - `text.*` is left out: narrative is generated.
//! - A reference is the type it points to: ids differ.
//! - `http://example.com/v2-to-fhir-converter/…` and `http://example.com/CodeSystem/…` are any
//!   system at that place: the converter's own namespaces, where ours is another.
//! - Date-times are the same as an instant or as a clock: the converter ran at +05:30 and
//!   gave that offset to times without one.
//! - Numbers are compared by value, `7.10` and `7.1`; `urn:uuid:` without letter case.
//! - A display is the same in capitals: R4 compares codes, a display is for people.
//! - `http://unitsofmeasure.org/` is the converter's spelling of UCUM, which has no slash.
//! - `A--B--C` is how the converter joins the parts of one name: the same words are the
//!   same name, in any order. R4 gives such a string no form.
//! - An identifier of a URN as system and nothing else is one whose value is that URN: R4
//!   Identifier.value, "if the value is a full URI, then the system SHALL be
//!   urn:ietf:rfc:3986".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::Fact;

/// The converter's own namespaces.
const OWN: [&str; 2] =
    ["http://example.com/v2-to-fhir-converter/", "http://example.com/CodeSystem/"];

/// The code system of units, and as the converter spells it.
const UCUM: &str = "http://unitsofmeasure.org";
const UCUM_MISSPELT: &str = "http://unitsofmeasure.org/";

/// Whether a path is none of what is compared.
pub fn ignored(path: &str) -> bool {
    let ends = [".id", ".resourceType", ".fullUrl", ".request"];
    let parts: Vec<_> = path.split('.').collect();
    ends.iter().any(|end| path.ends_with(end) && parts.len() == 2)
        || parts.get(1).is_some_and(|part| *part == "text")
}

/// The member a system is taken for: the value, where a URN alone identifies.
pub fn bare<'m>(path: &str, members: &Map<String, Json>, name: &'m str) -> &'m str {
    let alone = name == "system" && !members.contains_key("value");
    let urn = || members.get(name).and_then(Json::as_str)?.strip_prefix("urn:");
    if alone && path.ends_with(".identifier") && urn().is_some() { "value" } else { name }
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
        let equal = |value: &String| match fact.path.rsplit('.').next() {
            Some("display") => value.to_lowercase() == fact.value.to_lowercase(),
            Some("system") => fact.value == UCUM_MISSPELT && *value == UCUM,
            _ => fact.value.contains("--") && words(value) == words(&fact.value),
        };
        OWN.iter().any(|own| fact.value.starts_with(own))
            || spellings(&fact.value).iter().any(|value| values.contains(value))
            || values.iter().any(equal)
    }
}

/// The words of a joined text, in one order.
fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<_> = text.split("--").flat_map(str::split_whitespace).collect();
    words.sort_unstable();
    words
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
