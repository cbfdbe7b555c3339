//! `CapabilityStatement`: generated from what is there, so that it cannot promise more.

use serde_json::{Value as Json, json};

use super::parameter::PARAMETERS;
use super::write::json_body;
use crate::registry::writing::Written;
use crate::vocabulary::Date;

/// Types that are served beside those the pack writes: a document's bytes, and the ledger.
const SERVED: [&str; 2] = ["AuditEvent", "Binary"];

/// Operations of a Patient.
const OPERATIONS: [(&str, &str); 2] = [
    ("ihe-pix", "https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix"),
    ("match", "http://hl7.org/fhir/OperationDefinition/Patient-match"),
];

/// The statement, for the resource types the pack has files of.
#[must_use]
pub fn statement(types: &[&str], purposes: &[(&str, &str)], now: i64) -> Written {
    let mut all: Vec<&str> = types.iter().copied().chain(SERVED).collect();
    all.sort_unstable();
    all.dedup();
    let resources: Vec<_> = all.iter().map(|kind| resource(kind, types.contains(kind))).collect();
    let purposes: Vec<_> = purposes.iter().map(|(id, title)| format!("- `{id}` {title}")).collect();
    json_body(
        200,
        &json!({
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": Date::from_timestamp(now).to_iso(),
            "kind": "instance",
            "software": { "name": "康桥 Kangqiao", "version": env!("CARGO_PKG_VERSION") },
            "implementation": { "description": "康桥 Kangqiao" },
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json"],
            "rest": [{
                "mode": "server",
                "security": { "description": format!(
                    "Mutual TLS: the certificate says which department asks. Header \
                     Kangqiao-Purpose says what for; Kangqiao-Call, Kangqiao-Case, \
                     Kangqiao-Reason, Kangqiao-Asker and Kangqiao-Asked-By bring evidence. A \
                     Bundle about one patient is brought by POST to the base. Purposes:\n{}",
                    purposes.join("\n"),
                )},
                "resource": resources,
            }],
        }),
    )
}

fn resource(kind: &str, written: bool) -> Json {
    let searchable = kind != "Binary";
    let mut interactions = Vec::new();
    if kind != "AuditEvent" {
        interactions.push(json!({ "code": "read" }));
    }
    if searchable {
        interactions.push(json!({ "code": "search-type" }));
    }
    if written {
        interactions.push(json!({ "code": "create" }));
    }
    let mut parameters: Vec<Json> = PARAMETERS
        .iter()
        .filter(|parameter| parameter.resource == kind)
        .map(|parameter| json!({ "name": parameter.name, "type": parameter.kind.as_str() }))
        .collect();
    match kind {
        "Binary" => (),
        "Patient" => {
            parameters.push(json!({ "name": "_id", "type": "token" }));
            parameters.push(json!({ "name": "identifier", "type": "token" }));
        }
        _ => {
            parameters.push(json!({ "name": "patient", "type": "reference" }));
            parameters.push(json!({ "name": "patient.identifier", "type": "token" }));
        }
    }
    let mut resource = json!({ "type": kind, "interaction": interactions });
    if let Some(members) = resource.as_object_mut() {
        if !parameters.is_empty() {
            members.insert("searchParam".to_owned(), Json::Array(parameters));
        }
        if kind == "Patient" {
            let operations = OPERATIONS.iter();
            let operations = operations
                .map(|(name, definition)| json!({ "name": name, "definition": definition }));
            members.insert("operation".to_owned(), operations.collect());
        }
    }
    resource
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lists_what_there_is_and_nothing_else() {
        let written = statement(&["Patient", "Observation"], &[("emergency-card", "P2")], 0);
        let json: Json = serde_json::from_slice(&written.body).unwrap();
        let list = json.pointer("/rest/0/resource").and_then(Json::as_array).unwrap();
        let types: Vec<_> = list.iter().filter_map(|one| one.get("type")?.as_str()).collect();
        assert_eq!(types, ["AuditEvent", "Binary", "Observation", "Patient"]);
        let names = |index: usize| -> Vec<_> {
            let list = list[index].get("searchParam").and_then(Json::as_array);
            list.into_iter().flatten().filter_map(|one| one.get("name")?.as_str()).collect()
        };
        assert!(names(2).contains(&"code") && names(3) == ["_id", "identifier"]);
        assert!(names(1).is_empty());
    }
}
