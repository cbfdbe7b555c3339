//! DICOM audit messages, one for each entry, for the audit record repository of a region.
//!
//! Standard: DICOM PS3.15 section A.5.1 (the schema, an extension of RFC 3881), which WS/T 790.4
//! builds on. A message says who learned what of whom in codes; elements stand by their ids,
//! values nowhere, and a person by a pseudonym. The reason somebody wrote stays in the ledger.

use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SecondsFormat};
use quick_xml::Writer;
use quick_xml::events::BytesText;

use super::Export;
use super::codes::{self, APPLICATION, Code, DESTINATION, SOURCE};
use crate::audit::search::Found;
use crate::audit::{Entry, Kind};

/// One message a line.
pub struct DicomMessages;

/// What a syslog message of this kind is called (IHE ITI-20).
pub const MESSAGE_KIND: &str = "IHE+RFC-3881";

/// Where our own codes come from.
const OWN: &str = "kangqiao";

impl Export for DicomMessages {
    fn name(&self) -> &'static str {
        "dicom"
    }

    fn write(
        &self,
        entries: &mut dyn Iterator<Item = Found>,
        out: &mut dyn Write,
    ) -> io::Result<u64> {
        let mut written = 0;
        for found in entries {
            out.write_all(message(found.number, &found.entry)?.as_bytes())?;
            out.write_all(b"\n")?;
            written += 1;
        }
        out.flush()?;
        Ok(written)
    }
}

type Xml = Writer<Vec<u8>>;

/// An entry as an audit message, on one line.
///
/// # Errors
/// None: the writer is memory.
pub fn message(number: u64, entry: &Entry) -> io::Result<String> {
    let mut xml = Writer::new(Vec::new());
    xml.create_element("AuditMessage").write_inner_content(|xml| {
        event(xml, entry)?;
        participants(xml, entry)?;
        xml.create_element("AuditSourceIdentification")
            .with_attribute(("AuditSourceID", OWN))
            .write_inner_content(|xml| {
                // 4: application server process.
                xml.create_element("AuditSourceTypeCode")
                    .with_attribute(("csd-code", "4"))
                    .write_empty()?;
                Ok(())
            })?;
        person(xml, entry)?;
        itself(xml, number, entry)
    })?;
    String::from_utf8(xml.into_inner()).map_err(io::Error::other)
}

fn coded(xml: &mut Xml, name: &str, system: &str, (code, meaning): (&str, &str)) -> io::Result<()> {
    xml.create_element(name)
        .with_attributes([
            ("csd-code", code),
            ("codeSystemName", system),
            ("originalText", meaning),
        ])
        .write_empty()?;
    Ok(())
}

fn event(xml: &mut Xml, entry: &Entry) -> io::Result<()> {
    let at = DateTime::from_timestamp_millis(entry.at_ms).unwrap_or_default();
    let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let own = (entry.kind.as_str(), entry.kind.zh());
    xml.create_element("EventIdentification")
        .with_attributes([
            ("EventActionCode", codes::action(entry.kind)),
            ("EventDateTime", &at),
            ("EventOutcomeIndicator", codes::outcome(entry)),
        ])
        .write_inner_content(|xml| {
            match codes::event(entry.kind) {
                Some(code) => coded(xml, "EventID", "DCM", code)?,
                None => coded(xml, "EventID", OWN, own)?,
            }
            if let Some(code) = codes::event_kind(entry) {
                coded(xml, "EventTypeCode", "DCM", code)?;
            }
            coded(xml, "EventTypeCode", OWN, own)?;
            if let Some(fault) = entry.fault {
                xml.create_element("EventOutcomeDescription")
                    .write_text_content(BytesText::new(fault.row().name))?;
            }
            Ok(())
        })?;
    Ok(())
}

/// Somebody or something that took part.
struct Participant<'a> {
    user: &'a str,
    alternative: Option<&'a str>,
    requests: bool,
    role: Code,
    own: Option<&'a str>,
}

impl Participant<'_> {
    fn write(&self, xml: &mut Xml) -> io::Result<()> {
        let user = shown(self.user);
        let mut element = xml.create_element("ActiveParticipant");
        element = element.with_attribute(("UserID", user.as_str()));
        if let Some(alternative) = self.alternative {
            element = element.with_attribute(("AlternativeUserID", shown(alternative).as_str()));
        }
        let requests = if self.requests { "true" } else { "false" };
        element.with_attribute(("UserIsRequestor", requests)).write_inner_content(|xml| {
            coded(xml, "RoleIDCode", "DCM", self.role)?;
            self.own.map_or(Ok(()), |role| coded(xml, "RoleIDCode", OWN, (role, role)))
        })?;
        Ok(())
    }
}

/// The gateway, whoever learns or asks, and the human for whom it was asked.
fn participants(xml: &mut Xml, entry: &Entry) -> io::Result<()> {
    let asker = entry.asker.as_ref().map(|asker| asker.as_str());
    let refused = entry.kind == Kind::Refusal;
    let own = entry.role.as_ref().map(|role| role.as_str());
    let gateway = |role| Participant {
        user: OWN,
        alternative: None,
        requests: entry.department.is_none() && asker.is_none(),
        role,
        own: None,
    };
    match (&entry.department, asker) {
        (Some(department), alternative) => {
            // Of a query the one who asks is the source (PS3.15 A.5.3.10).
            let (ours, theirs) =
                if refused { (DESTINATION, SOURCE) } else { (SOURCE, DESTINATION) };
            gateway(ours).write(xml)?;
            let (user, requests) = (department.as_str(), entry.kind != Kind::Location);
            Participant { user, alternative, requests, role: theirs, own }.write(xml)?;
        }
        (None, Some(user)) => {
            gateway(APPLICATION).write(xml)?;
            let (alternative, requests, role) = (None, true, APPLICATION);
            Participant { user, alternative, requests, role, own }.write(xml)?;
        }
        (None, None) => gateway(APPLICATION).write(xml)?,
    }
    entry.asked_by.as_ref().map_or(Ok(()), |human| {
        let (user, requests, own) = (human.0.as_str(), true, Some("asked-by"));
        let role = if refused { SOURCE } else { DESTINATION };
        Participant { user, alternative: None, requests, role, own }.write(xml)
    })
}

/// The person by pseudonym, and who became him.
fn person(xml: &mut Xml, entry: &Entry) -> io::Result<()> {
    for person in [&entry.person, &entry.merged].into_iter().flatten() {
        let mut element = xml.create_element("ParticipantObjectIdentification").with_attributes([
            ("ParticipantObjectID", person.0.as_str()),
            ("ParticipantObjectTypeCode", "1"),
            ("ParticipantObjectTypeCodeRole", "1"),
        ]);
        let cycle = match entry.kind {
            Kind::Delivery | Kind::Disclosure => Some("11"),
            Kind::Erase => Some("15"),
            _ => None,
        };
        if let Some(cycle) = cycle {
            element = element.with_attribute(("ParticipantObjectDataLifeCycle", cycle));
        }
        element.write_inner_content(|xml| {
            coded(xml, "ParticipantObjectIDTypeCode", "RFC-3881", ("2", "Patient Number"))?;
            name(xml, "pseudonym")?;
            xml.create_element("ParticipantObjectDescription").write_inner_content(|xml| {
                xml.create_element("Anonymized").write_text_content(BytesText::new("true"))?;
                Ok(())
            })?;
            Ok(())
        })?;
    }
    Ok(())
}

/// The entry, with what no code says.
fn itself(xml: &mut Xml, number: u64, entry: &Entry) -> io::Result<()> {
    let receipt = entry.receipt.to_string();
    xml.create_element("ParticipantObjectIdentification")
        .with_attributes([
            ("ParticipantObjectID", receipt.as_str()),
            ("ParticipantObjectTypeCode", "2"),
        ])
        .write_inner_content(|xml| {
            coded(xml, "ParticipantObjectIDTypeCode", OWN, ("receipt", "回执号 receipt"))?;
            name(xml, "ledger entry")?;
            for (kind, value) in details(number, entry) {
                let value = BASE64_STANDARD.encode(value);
                xml.create_element("ParticipantObjectDetail")
                    .with_attributes([("type", kind), ("value", &value)])
                    .write_empty()?;
            }
            Ok(())
        })?;
    Ok(())
}

fn name(xml: &mut Xml, text: &str) -> io::Result<()> {
    xml.create_element("ParticipantObjectName").write_text_content(BytesText::new(text))?;
    Ok(())
}

/// Kinds and values; lists have spaces between their ids.
fn details(number: u64, entry: &Entry) -> Vec<(&'static str, String)> {
    let mut details = vec![("entry", number.to_string())];
    details.extend(entry.purpose.map(|purpose| ("purpose", purpose.to_string())));
    let text = |kind, text: Option<&str>| text.map(|text| (kind, text.to_owned()));
    let word = |kind, word: &Option<crate::audit::Reference>| {
        text(kind, word.as_ref().map(|word| word.as_str()))
    };
    details.extend(text("legal-basis", entry.legal_basis.as_deref()));
    details.extend(word("call", &entry.call));
    details.extend(word("case", &entry.case));
    details.extend(word("subject", &entry.subject));
    for (tier, elements) in entry.elements.tiers() {
        let ids: Vec<_> = elements.iter().map(|id| id.as_str()).collect();
        details.extend((!ids.is_empty()).then(|| (tier.as_str(), ids.join(" "))));
    }
    let withheld: Vec<_> = entry.withheld.iter().map(|id| id.as_str()).collect();
    details.extend((!withheld.is_empty()).then(|| ("withheld", withheld.join(" "))));
    details.extend(entry.answer_sha256.map(|hash| ("answer-sha256", hash.to_string())));
    details
}

/// What a document of XML may hold (XML 1.0 section 2.2): two signs that are none are replaced.
fn shown(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
#[path = "dicom_tests.rs"]
mod tests;
