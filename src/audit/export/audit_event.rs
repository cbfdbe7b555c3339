//! FHIR `AuditEvent`, one for each entry: who learned what of whom, what for, by which rule.
//!
//! Shape: FHIR R4 AuditEvent, after the patterns of IHE BALP: source and recipient of a disclosure,
//! the human for whom it was asked, the patient, `purposeOfEvent`. Elements stand by their ids,
//! values nowhere.
//!
//! Where somebody's elements left for a department the event is of BALP's *Privacy Disclosure at
//! Source*, and says so. What that profile asks for and the ledger does not hold, places in the
//! network, says that it is unknown. Of BALP's other patterns none is claimed: they want what no
//! entry keeps (the words of a query, the resource that was read, a consent's number).

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::Export;
use super::codes::{self, APPLICATION, Code, DESTINATION, SOURCE};
use crate::audit::search::Found;
use crate::audit::{Entry, Kind};
use crate::vocabulary::Date;

/// IHE BALP 1.1.4, the pattern of a disclosure as the source of what is disclosed records it.
const DISCLOSURE_AT_SOURCE: &str =
    "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source";

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

/// An entry as an `AuditEvent`; its id is its number in the ledger.
#[must_use]
pub fn audit_event(number: u64, entry: &Entry) -> Json {
    let own = json!({
        "system": "urn:kangqiao:ledger",
        "code": entry.kind.as_str(),
        "display": entry.kind.zh(),
    });
    let discloses = discloses(entry);
    let kinds = codes::event_kind(entry).map(coding).into_iter().chain(discloses.then(disclose));
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": format!("entry-{number}"),
        "type": codes::event(entry.kind).map_or_else(|| own.clone(), coding),
        "subtype": std::iter::once(own).chain(kinds).collect::<Vec<_>>(),
        "action": codes::action(entry.kind),
        "recorded": Date::from_timestamp(entry.at_ms / 1000).to_iso(),
        "outcome": codes::outcome(entry),
        "agent": agents(entry),
        "source": {
            "site": "kangqiao",
            "observer": { "display": "康桥 Kangqiao" },
        },
        "entity": entities(number, entry),
    });
    let Some(members) = event.as_object_mut() else { return event };
    if discloses {
        members.insert("meta".to_owned(), json!({ "profile": [DISCLOSURE_AT_SOURCE] }));
    }
    if let Some(fault) = entry.fault {
        members.insert("outcomeDesc".to_owned(), json!(fault.row().name));
    }
    if let Some(purpose) = entry.purpose {
        let coding = json!({ "system": "urn:kangqiao:purpose", "code": purpose.as_str() });
        members.insert("purposeOfEvent".to_owned(), json!([{ "coding": [coding] }]));
    }
    event
}

/// Whether somebody's elements left for a department, by this entry.
fn discloses(entry: &Entry) -> bool {
    let left = matches!(entry.kind, Kind::Delivery | Kind::Disclosure);
    left && entry.department.is_some() && entry.person.is_some() && entry.merged.is_none()
}

/// ISO 21089: what becomes of a record.
fn disclose() -> Json {
    json!({
        "system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle",
        "code": "disclose",
        "display": "Disclose Record Lifecycle Event",
    })
}

/// What the ledger does not hold and a profile asks for (FHIR's extension data-absent-reason).
fn unknown() -> Json {
    let url = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
    json!({ "extension": [{ "url": url, "valueCode": "unknown" }] })
}

fn coding((code, display): Code) -> Json {
    let system = "http://dicom.nema.org/resources/ontology/DCM";
    json!({ "system": system, "code": code, "display": display })
}

/// The gateway, whoever learned or asked, and the human for whom it was asked. At most one of
/// them is the requestor: R4 has one initiator or none.
fn agents(entry: &Entry) -> Json {
    let agent = |kind: Json, who: Json, requestor: bool| {
        let kind = json!({ "coding": [kind] });
        json!({ "type": kind, "who": who, "requestor": requestor })
    };
    let asker = entry.asker.as_ref();
    let asker =
        asker.map(|asker| json!({ "system": "urn:kangqiao:asker", "value": asker.as_str() }));
    let gateway = json!({ "display": "康桥 Kangqiao" });
    let human = entry.asked_by.as_ref().map(|human| {
        let identifier = json!({ "system": "urn:kangqiao:pseudonym", "value": human.0 });
        // IHE BALP: the human who asks receives the information.
        let recipient = json!({
            "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
            "code": "IRCP",
            "display": "information recipient",
        });
        agent(recipient, json!({ "identifier": identifier }), true)
    });
    let first = match (entry.department, asker) {
        (Some(department), asker) => {
            // Of a query the one who asks is the source (PS3.15 A.5.3.10).
            let refused = entry.kind == Kind::Refusal;
            let (ours, theirs) =
                if refused { (DESTINATION, SOURCE) } else { (SOURCE, DESTINATION) };
            let mut who = json!({ "display": department.as_str() });
            if let (Some(asker), Some(who)) = (asker, who.as_object_mut()) {
                who.insert("identifier".to_owned(), asker);
            }
            let requests = human.is_none() && entry.kind != Kind::Location;
            let mut theirs = agent(coding(theirs), who, requests);
            if let (Some(role), Some(theirs)) = (entry.role, theirs.as_object_mut()) {
                theirs.insert("role".to_owned(), json!([{ "text": role.to_string() }]));
            }
            let mut both = [agent(coding(ours), gateway, false), theirs];
            if discloses(entry) {
                for agent in both.iter_mut().filter_map(Json::as_object_mut) {
                    agent.insert("network".to_owned(), unknown());
                }
            }
            both.to_vec()
        }
        (None, Some(asker)) => {
            let user = agent(coding(APPLICATION), json!({ "identifier": asker }), human.is_none());
            vec![agent(coding(APPLICATION), gateway, false), user]
        }
        (None, None) => vec![agent(coding(SOURCE), gateway, false)],
    };
    Json::Array(first.into_iter().chain(human).collect())
}

/// The person by pseudonym, the entry itself, and which elements left in which tier.
fn entities(number: u64, entry: &Entry) -> Json {
    let mut entities = Vec::new();
    for person in [&entry.person, &entry.merged].into_iter().flatten() {
        entities.push(json!({
            "what": {
                "type": "Patient",
                "identifier": { "system": "urn:kangqiao:pseudonym", "value": person.0 },
            },
            "type": {
                "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
                "code": "1",
                "display": "Person",
            },
            "role": {
                "system": "http://terminology.hl7.org/CodeSystem/object-role",
                "code": "1",
                "display": "Patient",
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
        assert_eq!(text("/meta/profile/0"), Some(DISCLOSURE_AT_SOURCE));
    }

    #[test]
    fn a_profile_is_claimed_where_somebody_s_elements_left_for_a_department_and_nowhere_else() {
        let department = Department::parse("hotline-12349").ok();
        let person = Some(Pseudonym("00ff".to_owned()));
        for (kind, ..) in Kind::ALL {
            let entry = Entry { department, ..Entry::new(kind, 0, [2; 16]) };
            let about = Entry { person: person.clone(), ..entry.clone() };
            let nobody = Entry { department: None, ..about.clone() };
            let claims = matches!(kind, Kind::Delivery | Kind::Disclosure);
            for (entry, claims) in [(about, claims), (entry, false), (nobody, false)] {
                let event = audit_event(0, &entry);
                assert_eq!(event.get("meta").is_some(), claims, "{}", kind.as_str());
                let network = event["agent"][0].get("network").is_some();
                assert_eq!(network, claims, "{}", kind.as_str());
            }
        }
    }

    #[test]
    fn the_human_for_whom_it_was_asked_is_the_one_initiator() {
        let mut entry = Entry::new(Kind::Disclosure, 0, [2; 16]);
        entry.department = Department::parse("citizen-portal").ok();
        for (human, requestors) in [(None, vec![1]), (Some("1".repeat(32)), vec![2])] {
            entry.asked_by = human.map(Pseudonym);
            let event = audit_event(0, &entry);
            let agents = event["agent"].as_array().unwrap();
            let asked = (0..).zip(agents).filter(|(_, agent)| agent["requestor"] == true);
            assert_eq!(asked.map(|(at, _)| at).collect::<Vec<_>>(), requestors);
        }
        let event = audit_event(0, &entry);
        assert_eq!(event["agent"][2]["who"]["identifier"]["value"], "1".repeat(32));
        assert_eq!(event["agent"][2]["type"]["coding"][0]["code"], "IRCP");
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
