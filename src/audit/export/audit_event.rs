//! FHIR `AuditEvent`, one for each entry: who learned what of whom, what for, by which rule.
//!
//! Shape: FHIR R4 AuditEvent as the patterns of IHE BALP use it (disclosure source,
//! disclosure recipient, purposeOfEvent); elements stand by their ids, values nowhere.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::Export;
use crate::audit::search::Found;
use crate::audit::{Entry, Kind};
use crate::vocabulary::Date;

/// One resource a line, for bulk import.
pub struct AuditEvents;

impl Export for AuditEvents {
    fn name(&self) -> &'static str {
        "fhir"
    }

    fn write(
        &self,
        entries: &mut dyn Iterator<Item = Found>,
        out: &mut dyn Write,
    ) -> io::Result<u64> {
        let mut written = 0;
        for found in entries {
            serde_json::to_writer(&mut *out, &audit_event(found.number, &found.entry))?;
            out.write_all(b"\n")?;
            written += 1;
        }
        out.flush()?;
        Ok(written)
    }
}

/// DICOM PS3.16 CID 400 and CID 401 have no code for ours; the action is CRUDE's.
const fn action(kind: Kind) -> &'static str {
    match kind {
        Kind::Delivery
        | Kind::Disclosure
        | Kind::Location
        | Kind::Query
        | Kind::Export
        | Kind::Refusal => "R",
        Kind::Erase => "D",
        Kind::Identity
        | Kind::Keys
        | Kind::Link
        | Kind::Merge
        | Kind::Part
        | Kind::Policy
        | Kind::Unmerge => "U",
        _ => "E",
    }
}

/// An entry as an `AuditEvent`; its id is its number in the ledger.
#[must_use]
pub fn audit_event(number: u64, entry: &Entry) -> Json {
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": format!("entry-{number}"),
        "type": {
            "system": "http://dicom.nema.org/resources/ontology/DCM",
            "code": "110106",
            "display": "Export",
        },
        "subtype": [{ "system": "urn:kangqiao:ledger", "code": entry.kind.as_str() }],
        "action": action(entry.kind),
        "recorded": Date::from_timestamp(entry.at_ms / 1000).to_iso(),
        "outcome": if entry.fault.is_some() { "4" } else { "0" },
        "agent": agents(entry),
        "source": {
            "site": "kangqiao",
            "observer": { "display": "康桥 Kangqiao" },
        },
        "entity": entities(number, entry),
    });
    let Some(members) = event.as_object_mut() else { return event };
    if let Some(fault) = entry.fault {
        members.insert("outcomeDesc".to_owned(), json!(fault.row().name));
    }
    if let Some(purpose) = entry.purpose {
        let coding = json!({ "system": "urn:kangqiao:purpose", "code": purpose.as_str() });
        members.insert("purposeOfEvent".to_owned(), json!([{ "coding": [coding] }]));
    }
    event
}

fn agents(entry: &Entry) -> Json {
    let source = json!({
        "type": { "coding": [{
            "system": "http://dicom.nema.org/resources/ontology/DCM",
            "code": "110153",
            "display": "Source Role ID",
        }]},
        "who": { "display": "康桥 Kangqiao" },
        "requestor": false,
    });
    let Some(department) = entry.department else { return json!([source]) };
    let mut who = json!({ "display": department.as_str() });
    if let (Some(asker), Some(who)) = (&entry.asker, who.as_object_mut()) {
        let identifier = json!({ "system": "urn:kangqiao:asker", "value": asker.as_str() });
        who.insert("identifier".to_owned(), identifier);
    }
    let mut recipient = json!({
        "type": { "coding": [{
            "system": "http://dicom.nema.org/resources/ontology/DCM",
            "code": "110152",
            "display": "Destination Role ID",
        }]},
        "who": who,
        "requestor": true,
    });
    if let (Some(role), Some(recipient)) = (entry.role, recipient.as_object_mut()) {
        let role = json!([{ "text": role.to_string() }]);
        recipient.insert("role".to_owned(), role);
    }
    json!([source, recipient])
}

/// The person by pseudonym, the entry itself, and which elements left in which tier.
fn entities(number: u64, entry: &Entry) -> Json {
    let mut entities = Vec::new();
    if let Some(person) = &entry.person {
        entities.push(json!({
            "what": { "identifier": { "system": "urn:kangqiao:pseudonym", "value": person.0 } },
            "type": {
                "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
                "code": "1",
                "display": "Person",
            },
        }));
    }
    let mut details = vec![
        json!({ "type": "entry", "valueString": number.to_string() }),
        json!({ "type": "receipt", "valueString": entry.receipt.to_string() }),
    ];
    for (tier, elements) in entry.elements.tiers() {
        let released = elements.iter();
        details.extend(
            released.map(|id| json!({ "type": tier.as_str(), "valueString": id.as_str() })),
        );
    }
    let withheld = entry.withheld.iter();
    details.extend(withheld.map(|id| json!({ "type": "withheld", "valueString": id.as_str() })));
    details.extend(entry.rules.iter().map(|rule| json!({ "type": "rule", "valueString": rule })));
    entities.push(json!({
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
            "code": "2",
            "display": "System Object",
        },
        "detail": details,
    }));
    Json::Array(entities)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Pseudonym;
    use crate::vocabulary::{Department, ElementId, Fault, Tier};

    #[test]
    fn an_entry_becomes_one_event_with_who_whom_and_what() {
        let mut entry = Entry::new(Kind::Disclosure, 1_790_000_000_000, [2; 16]);
        entry.department = Department::parse("hotline-12349").ok();
        entry.person = Some(Pseudonym("00ff".to_owned()));
        entry.elements.insert(Tier::Full, ElementId::parse("DE04.50.001.00").unwrap());
        let event = audit_event(7, &entry);
        let text = |pointer: &str| event.pointer(pointer).and_then(Json::as_str);
        assert_eq!(text("/agent/1/who/display"), Some("hotline-12349"));
        assert_eq!(text("/entity/0/what/identifier/value"), Some("00ff"));
        assert_eq!(text("/entity/1/detail/0/valueString"), Some("7"));
        assert_eq!(text("/entity/1/detail/2/type"), Some("full"));
        assert_eq!(text("/entity/1/detail/2/valueString"), Some("DE04.50.001.00"));
        assert_eq!((text("/action"), text("/outcome")), (Some("R"), Some("0")));
    }

    #[test]
    fn a_refusal_says_why() {
        let mut entry = Entry::new(Kind::Refusal, 0, [2; 16]);
        entry.fault = Some(Fault::PurposeNotGranted);
        let event = audit_event(0, &entry);
        assert_eq!(event["outcomeDesc"], "purpose-not-granted");
        assert_eq!(event["agent"].as_array().map(Vec::len), Some(1));
    }
}
