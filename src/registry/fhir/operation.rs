//! `Patient/$match` and `Patient/$ihe-pix`: who is meant, and under which other numbers.
//!
//! Standard: FHIR R4 operation `Patient-match`; IHE ITI PIXm, ITI-83. What a Patient says is
//! read by the mapping files, as one that is brought; here it is taken as it came.

use serde_json::{Value as Json, json};

use super::request::{Interaction, SYSTEMS, Unread, Who, identifier};
use crate::registry::writing::Window;
use crate::vocabulary::Fault;
use crate::wire::json;

/// How much of the body of `$match` is read.
const LIMITS: json::Limits = json::Limits { bytes_max: 65_536, depth_max: 16, values_max: 4_096 };
/// Persons an answer is about where `count` does not say.
const MATCHES: usize = 10;
/// Domains one question may name.
const TARGETS_MAX: usize = 16;

/// Members by which a Patient describes somebody, beside numbers.
const DESCRIBING: [&str; 4] = ["address", "birthDate", "name", "telecom"];

/// `Parameters` with a `Patient` under the name `resource`, `onlyCertainMatches` and `count`.
/// One that says numbers alone is asked for by the first that can lead to a person.
pub(super) fn matched(body: &[u8]) -> Result<Interaction, Unread> {
    let json = json::read(body, &LIMITS)
        .map_err(|error| Unread { fault: error.fault(), at: error.position().clone() })?;
    let parameters = json.get("parameter").and_then(Json::as_array);
    let parameters = parameters.map(Vec::as_slice).unwrap_or_default();
    let named = |name: &str| {
        let mut found = parameters.iter();
        found.find(|part| part.get("name").and_then(Json::as_str) == Some(name))
    };
    let missing = || Unread::new(Fault::RequiredMissing, "Parameters.parameter");
    let patient = named("resource").and_then(|part| part.get("resource")).ok_or_else(missing)?;
    if patient.get("resourceType").and_then(Json::as_str) != Some("Patient") {
        return Err(Unread::new(Fault::DataType, "Parameters.parameter.resource"));
    }
    let wrong = |name: &str| Unread::new(Fault::DataType, format!("Parameters.parameter.{name}"));
    let certain = match named("onlyCertainMatches").map(|part| part.get("valueBoolean")) {
        None => false,
        Some(said) => said.and_then(Json::as_bool).ok_or_else(|| wrong("onlyCertainMatches"))?,
    };
    let most = match named("count").map(|part| part.get("valueInteger")) {
        None => MATCHES,
        Some(said) => {
            let said = said.and_then(Json::as_u64).and_then(|count| usize::try_from(count).ok());
            said.filter(|count| *count > 0).ok_or_else(|| wrong("count"))?
        }
    };
    let who = match DESCRIBING.iter().any(|member| patient.get(member).is_some()) {
        true => Who::Patient(patient.clone()),
        false => numbered(patient)?,
    };
    Ok(Interaction::Match { who, window: Window { from: 0, most, certain } })
}

fn numbered(patient: &Json) -> Result<Who, Unread> {
    let at = "Parameters.parameter.resource.identifier";
    let list = patient.get("identifier").and_then(Json::as_array).into_iter().flatten();
    let text = |json: &Json, key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
    let mut tokens = list.filter_map(|one| Some((text(one, "system")?, text(one, "value")?)));
    let known = tokens.find(|(system, _)| SYSTEMS.iter().any(|(known, _)| known == system));
    let (system, value) = known.ok_or(Unread::new(Fault::IdentityMissing, at))?;
    identifier(&format!("{system}|{value}")).map_err(|fault| Unread::new(fault, at))
}

/// `sourceIdentifier=system|value`, and `targetSystem` where not every domain is wanted.
pub(super) fn cross_referenced(pairs: &[(String, String)]) -> Result<Interaction, Unread> {
    let (mut source, mut targets) = (None, Vec::new());
    for (name, value) in pairs {
        match name.as_str() {
            "_format" if value.ends_with("json") => (),
            "sourceIdentifier" if source.is_none() => {
                let parts = value.split_once('|').filter(|(a, b)| !a.is_empty() && !b.is_empty());
                let parts = parts.ok_or_else(|| Unread::new(Fault::DataType, name))?;
                source = Some((parts.0.to_owned(), parts.1.to_owned()));
            }
            "sourceIdentifier" => return Err(Unread::new(Fault::IdentityConflict, name)),
            "targetSystem" if targets.len() < TARGETS_MAX => targets.push(value.clone()),
            "targetSystem" => return Err(Unread::new(Fault::Limit, name)),
            _ => return Err(Unread::new(Fault::UnsupportedParameter, "?")),
        }
    }
    let source = source.ok_or(Unread::new(Fault::IdentityMissing, "?sourceIdentifier"))?;
    let (system, value) = &source;
    let patient =
        json!({ "resourceType": "Patient", "identifier": [{ "system": system, "value": value }] });
    Ok(Interaction::CrossReference { who: Who::Numbered(patient), source, targets })
}

/// The numbers of a Patient under the domains that are wanted, but for the one asked by.
pub(super) fn references(
    patient: Option<&Json>,
    (source, targets): (&(String, String), &[String]),
) -> Json {
    let list = patient.and_then(|patient| patient.get("identifier")).and_then(Json::as_array);
    let text = |json: &Json, key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
    let wanted = list.into_iter().flatten().filter(|one| {
        let (system, value) = (text(one, "system"), text(one, "value"));
        let asked = system.as_ref() == Some(&source.0) && value.as_ref() == Some(&source.1);
        let open = targets.is_empty() || system.is_some_and(|own| targets.contains(&own));
        open && !asked
    });
    let mut found: Vec<Json> =
        wanted.map(|one| json!({ "name": "targetIdentifier", "valueIdentifier": one })).collect();
    let id = patient.and_then(|patient| text(patient, "id")).filter(|_| !found.is_empty());
    found.extend(id.map(|id| {
        let reference = json!({ "reference": format!("Patient/{id}") });
        json!({ "name": "targetId", "valueReference": reference })
    }));
    match found.is_empty() {
        // FHIR R4: a list is never empty.
        true => json!({ "resourceType": "Parameters" }),
        false => json!({ "resourceType": "Parameters", "parameter": found }),
    }
}
