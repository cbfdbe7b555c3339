//! 民政接口, our published JSON interface for civil-affairs systems: the inquiry.
//!
//! ```text
//! {"identifier": {"kind": "citizen-id", "value": "…"}, "purpose": "living-check",
//!  "elements": ["DE…"], "asker": "…", "evidence": {"call": "…", "case": "…", "reason": "…"}}
//! ```
//!
//! `elements`, `asker` and `evidence` may be left out; anything else is refused. Errors
//! point to where something stands and never repeat what stood there, names of unknown
//! keys included.

use serde_json::{Map, Value as Json};

use crate::policy::Evidence;
use crate::vocabulary::{ElementId, Fault, Identifier, IdentifierKind, Position};
use crate::wire::json::{self, Limits};

/// How much of an inquiry is read at all.
const LIMITS: Limits = Limits { bytes_max: 65_536, depth_max: 4, values_max: 1_024 };
/// How many elements one inquiry may name.
const ELEMENTS_MAX: usize = 500;
/// How many bytes one text of an inquiry may have.
const TEXT_BYTES_MAX: usize = 512;

/// What somebody wants to know.
#[derive(Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// About whom; proven by its own check.
    pub identifier: Identifier,
    /// What for; not yet looked up in the closed list.
    pub purpose: String,
    /// Of what the purpose may see, only these.
    pub elements: Option<Vec<ElementId>>,
    /// What it brings to show that it is due.
    pub evidence: Evidence,
}

/// Shows the purpose's length and the kind of identifier alone.
impl std::fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inquiry({:?}, {:?})", self.identifier, self.evidence)
    }
}

/// Why an inquiry cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} at {at}", .fault.row().en)]
pub struct InquiryError {
    /// What the peer is told.
    pub fault: Fault,
    /// Where it stands.
    pub at: Position,
}

impl InquiryError {
    fn new(fault: Fault, pointer: impl Into<String>) -> Self {
        Self { fault, at: Position::Pointer(pointer.into()) }
    }
}

/// Reads an inquiry.
///
/// # Errors
/// [`InquiryError`] at the first thing that is not as it should be.
pub fn read_inquiry(body: &[u8]) -> Result<Inquiry, InquiryError> {
    let json = json::read(body, &LIMITS)
        .map_err(|error| InquiryError { fault: error.fault(), at: error.position().clone() })?;
    let whole = object(&json, "")?;
    only(whole, "", &["identifier", "purpose", "elements", "asker", "evidence"])?;
    let identifier = whole.get("identifier");
    let identifier = identifier.ok_or(InquiryError::new(Fault::RequiredMissing, "/identifier"))?;
    let mut evidence = match whole.get("evidence") {
        Some(given) => read_evidence(given)?,
        None => Evidence::default(),
    };
    evidence.asker = optional(whole, "", "asker")?;
    Ok(Inquiry {
        identifier: read_identifier(identifier)?,
        purpose: required(whole, "", "purpose")?,
        elements: whole.get("elements").map(read_elements).transpose()?,
        evidence,
    })
}

fn read_identifier(json: &Json) -> Result<Identifier, InquiryError> {
    const AT: &str = "/identifier";
    let given = object(json, AT)?;
    only(given, AT, &["kind", "value"])?;
    let kind = IdentifierKind::parse(&required(given, AT, "kind")?).filter(|kind| {
        use IdentifierKind as Kind;
        use Kind::{CitizenId, ElectronicCard, HealthCard, RecordNumber};
        matches!(kind, CitizenId | ElectronicCard | HealthCard | RecordNumber)
    });
    let kind = kind.ok_or(InquiryError::new(Fault::TableValue, "/identifier/kind"))?;
    let identifier = Identifier::new(kind, required(given, AT, "value")?);
    match identifier.normalised() {
        Ok(_) => Ok(identifier),
        Err(_) => Err(InquiryError::new(Fault::IdentifierInvalid, "/identifier/value")),
    }
}

fn read_evidence(json: &Json) -> Result<Evidence, InquiryError> {
    const AT: &str = "/evidence";
    let given = object(json, AT)?;
    only(given, AT, &["call", "case", "reason"])?;
    Ok(Evidence {
        call: optional(given, AT, "call")?,
        case: optional(given, AT, "case")?,
        reason: optional(given, AT, "reason")?,
        asker: None,
    })
}

fn read_elements(json: &Json) -> Result<Vec<ElementId>, InquiryError> {
    let Json::Array(given) = json else {
        return Err(InquiryError::new(Fault::DataType, "/elements"));
    };
    if given.len() > ELEMENTS_MAX {
        return Err(InquiryError::new(Fault::Limit, "/elements"));
    }
    let mut elements = Vec::with_capacity(given.len());
    for (index, element) in given.iter().enumerate() {
        let at = |fault| InquiryError::new(fault, format!("/elements/{index}"));
        let text = element.as_str().ok_or_else(|| at(Fault::DataType))?;
        let id = ElementId::parse(text).map_err(|_| at(Fault::UnknownElement))?;
        if !elements.contains(&id) {
            elements.push(id);
        }
    }
    Ok(elements)
}

fn object<'a>(json: &'a Json, at: &str) -> Result<&'a Map<String, Json>, InquiryError> {
    json.as_object().ok_or_else(|| InquiryError::new(Fault::DataType, at))
}

/// Refuses keys the interface does not define; which, is not repeated.
fn only(given: &Map<String, Json>, at: &str, known: &[&str]) -> Result<(), InquiryError> {
    match given.keys().all(|key| known.contains(&key.as_str())) {
        true => Ok(()),
        false => Err(InquiryError::new(Fault::Malformed, at)),
    }
}

fn optional(
    given: &Map<String, Json>,
    at: &str,
    key: &str,
) -> Result<Option<String>, InquiryError> {
    let error = |fault| InquiryError::new(fault, format!("{at}/{key}"));
    match given.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if text.len() > TEXT_BYTES_MAX => Err(error(Fault::Limit)),
        Some(Json::String(text)) if text.chars().any(char::is_control) => {
            Err(error(Fault::DataType))
        }
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(error(Fault::DataType)),
    }
}

fn required(given: &Map<String, Json>, at: &str, key: &str) -> Result<String, InquiryError> {
    let found = optional(given, at, key)?.filter(|text| !text.trim().is_empty());
    found.ok_or_else(|| InquiryError::new(Fault::RequiredMissing, format!("{at}/{key}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERSON: &str = r#""identifier":{"kind":"citizen-id","value":"11010519491231002X"}"#;

    fn check(body: &str, expect: Result<(), (Fault, &str)>) {
        let read = read_inquiry(body.as_bytes());
        let found = read.map(|_| ()).map_err(|error| (error.fault, error.at.to_string()));
        assert_eq!(found, expect.map_err(|(fault, at)| (fault, at.to_owned())), "{body}");
    }

    #[test]
    fn an_inquiry_is_read_whole() {
        let body = format!(
            r#"{{{PERSON},"purpose":"emergency-card","elements":["DE04.50.001.00","DE04.50.001.00"],
            "asker":"agent-7","evidence":{{"call":"c-1","reason":"fall"}}}}"#
        );
        let inquiry = read_inquiry(body.as_bytes()).unwrap();
        assert_eq!(inquiry.identifier.kind, IdentifierKind::CitizenId);
        assert_eq!(inquiry.purpose, "emergency-card");
        assert_eq!(inquiry.elements.as_deref().map(<[ElementId]>::len), Some(1));
        let Evidence { call, case, reason, asker } = inquiry.evidence;
        let given = [call, case, reason, asker].map(Option::unwrap_or_default);
        assert_eq!(given, ["c-1", "", "fall", "agent-7"]);
    }

    #[test]
    fn a_faulty_inquiry_is_refused_by_place() {
        use Fault as F;
        let with = |rest: &str| format!("{{{PERSON},{rest}}}");
        check(&with(r#""purpose":"p""#), Ok(()));
        check("", Err((F::Malformed, "byte 0")));
        check("[]", Err((F::DataType, "/")));
        check("{}", Err((F::RequiredMissing, "/identifier")));
        check(&format!("{{{PERSON}}}"), Err((F::RequiredMissing, "/purpose")));
        check(&with(r#""purpose":" ""#), Err((F::RequiredMissing, "/purpose")));
        check(&with(r#""purpose":1"#), Err((F::DataType, "/purpose")));
        check(&with(r#""purpose":"p","x":1"#), Err((F::Malformed, "/")));
        check(&with(r#""purpose":"p","asker":"a\u0007""#), Err((F::DataType, "/asker")));
        check(&with(r#""purpose":"p","evidence":[]"#), Err((F::DataType, "/evidence")));
        check(&with(r#""purpose":"p","evidence":{"x":1}"#), Err((F::Malformed, "/evidence")));
        check(
            &with(r#""purpose":"p","evidence":{"call":1}"#),
            Err((F::DataType, "/evidence/call")),
        );
        check(&with(r#""purpose":"p","elements":"x""#), Err((F::DataType, "/elements")));
        check(
            &with(r#""purpose":"p","elements":["a","姓"]"#),
            Err((F::UnknownElement, "/elements/1")),
        );
        check(&with(r#""purpose":"p","elements":[1]"#), Err((F::DataType, "/elements/0")));
        let id = |kind: &str, value: &str| {
            format!(r#"{{"identifier":{{"kind":"{kind}","value":"{value}"}},"purpose":"p"}}"#)
        };
        check(&id("citizen-id", "11010519491231002X"), Ok(()));
        check(&id("record-number", "41010500100100001"), Ok(()));
        let wrong = Err((F::IdentifierInvalid, "/identifier/value"));
        check(&id("citizen-id", "110105194912310021"), wrong);
        check(&id("local", "1001"), Err((F::TableValue, "/identifier/kind")));
        check(&id("citizen-id", ""), Err((F::RequiredMissing, "/identifier/value")));
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        check(&id("citizen-id", &long), Err((F::Limit, "/identifier/value")));
        let many = vec!["\"a\""; ELEMENTS_MAX + 1].join(",");
        let many = format!(r#""purpose":"p","elements":[{many}]"#);
        check(&with(&many), Err((F::Limit, "/elements")));
    }

    #[test]
    fn neither_an_error_nor_a_debug_line_repeats_what_was_sent() {
        let body = r#"{"identifier":{"kind":"citizen-id","value":"secret","secret":1},"secret":2}"#;
        let error = read_inquiry(body.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
        let body = format!(r#"{{{PERSON},"purpose":"secret","asker":"secret"}}"#);
        let shown = format!("{:?}", read_inquiry(body.as_bytes()).unwrap());
        assert!(!shown.contains("secret") && !shown.contains("1949"));
    }
}
