//! What became of a bundle or resource that was brought, as an `OperationOutcome`.
//!
//! Standard: FHIR R4 section 3.1.0.8.1: a server may answer a create with an
//! OperationOutcome. What is kept here has no address of its own: whoever may read it asks
//! for a purpose, about a person.

use serde_json::json;

use super::write::json_body;
use crate::registry::receipt::Receipt;
use crate::registry::writing::Written;

/// Writes the receipt of one unit.
#[must_use]
pub fn answer(receipt: &Receipt<'_>) -> Written {
    let kept = receipt.state == "kept";
    let said = receipt.to_json();
    let words = |pointer: &str| said.pointer(pointer).and_then(serde_json::Value::as_str);
    let mut notes: Vec<String> = Vec::new();
    for text in ["/message/zh", "/message/en", "/notes/0/zh", "/notes/0/en", "/diagnostic"] {
        notes.extend(words(text).map(str::to_owned));
    }
    if let Some(bins) = receipt.bins {
        notes.push(format!(
            "mapped {} carried {} dropped {} unmapped {}",
            bins.mapped, bins.carried, bins.dropped, bins.unmapped
        ));
    }
    let mut issue = json!({
        "severity": if kept { "information" } else { "error" },
        "code": if kept { "informational" } else { "processing" },
        "details": { "text": receipt.fault.map_or(receipt.state, |fault| fault.row().name) },
        "diagnostics": notes.join("; "),
    });
    if let (Some(at), Some(issue)) = (&receipt.at, issue.as_object_mut()) {
        issue.insert("expression".to_owned(), json!([at.to_string()]));
    }
    let mut outcome = json!({ "resourceType": "OperationOutcome", "issue": [issue] });
    if let (Some(number), Some(members)) = (receipt.number, outcome.as_object_mut()) {
        members.insert("id".to_owned(), json!(format!("journal-{number}")));
    }
    json_body(if kept { 201 } else { receipt.status() }, &outcome)
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::vocabulary::{Fault, Position};

    #[test]
    fn what_was_wrong_is_told_by_position() {
        let receipt = Receipt {
            number: Some(7),
            state: "quarantined",
            fault: Some(Fault::TableValue),
            at: Some(Position::Pointer("Patient.gender".to_owned())),
            diagnostic: None,
            reused: false,
            bins: None,
            received_at_ms: 0,
        };
        let written = answer(&receipt);
        let json: Json = serde_json::from_slice(&written.body).unwrap();
        assert_eq!(written.status, 422);
        assert_eq!(json["id"], "journal-7");
        assert_eq!(json["issue"][0]["details"]["text"], "table-value");
        assert_eq!(json["issue"][0]["expression"][0], "Patient.gender");
        let receipt = Receipt { state: "kept", fault: None, at: None, ..receipt };
        assert_eq!(answer(&receipt).status, 201);
    }
}
