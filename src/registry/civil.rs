//! 民政接口, our published JSON interface for civil-affairs systems: the inquiry.
//!
//! ```text
//! {"identifier": {"kind": "citizen-id", "value": "…"}, "purpose": "living-check",
//!  "elements": ["DE…"], "asker": "…", "evidence": {"call": "…", "case": "…", "reason": "…",
//!  "asked_by": {"kind": "citizen-id", "value": "…"}}}
//! ```
//!
//! Instead of `identifier` it may describe somebody: `"person": {"name": "…", "birth_date": "…",
//! "sex": "…", "phone": "…", "address": "…", "identifiers": [{"kind": "…", "value": "…"}]}`.
//! `elements`, `asker` and `evidence` may be left out; anything else is refused. Errors
//! point to where something stands and never repeat what stood there, names of unknown
//! keys included.

use serde_json::{Map, Value as Json};

use super::whom::Whom;
use crate::identity::linkage::Demographics;
use crate::policy::Evidence;
use crate::vocabulary::{ElementId, Fault, Identifier, IdentifierKind, Position};
use crate::wire::json::{self, Limits};

/// How much of an inquiry is read at all.
const LIMITS: Limits = Limits { bytes_max: 65_536, depth_max: 4, values_max: 1_024 };
/// How many elements one inquiry may name.
const ELEMENTS_MAX: usize = 500;
/// How many bytes one text of an inquiry may have.
const TEXT_BYTES_MAX: usize = 512;
/// How many numbers a description may have.
const NUMBERS_MAX: usize = 8;
/// 性别, as GB/T 2261.1 and people write it.
const SEXES: [&str; 6] = ["1", "2", "男", "女", "male", "female"];

/// What somebody wants to know.
#[derive(Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// About whom.
    pub whom: Whom,
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
        write!(f, "Inquiry({:?}, {:?})", self.whom, self.evidence)
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
    pub(super) fn new(fault: Fault, pointer: impl Into<String>) -> Self {
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
    only(whole, "", &["identifier", "person", "purpose", "elements", "asker", "evidence"])?;
    let whom = match (whole.get("identifier"), whole.get("person")) {
        (Some(_), Some(_)) => Err(InquiryError::new(Fault::Malformed, "/person")),
        (Some(identifier), None) => {
            read_identifier(identifier, "/identifier").map(Whom::Identifier)
        }
        (None, Some(person)) => read_person(person),
        (None, None) => Err(InquiryError::new(Fault::RequiredMissing, "/identifier")),
    }?;
    let mut evidence = match whole.get("evidence") {
        Some(given) => read_evidence(given)?,
        None => Evidence::default(),
    };
    evidence.asker = optional(whole, "", "asker")?;
    Ok(Inquiry {
        whom,
        purpose: required(whole, "", "purpose")?,
        elements: whole.get("elements").map(read_elements).transpose()?,
        evidence,
    })
}

pub(super) fn read_identifier(json: &Json, at: &str) -> Result<Identifier, InquiryError> {
    let given = object(json, at)?;
    only(given, at, &["kind", "value"])?;
    let kind = IdentifierKind::parse(&required(given, at, "kind")?);
    let unknown = || InquiryError::new(Fault::TableValue, format!("{at}/kind"));
    let identifier = Identifier::new(kind.ok_or_else(unknown)?, "");
    if !identifier.names_a_person() {
        return Err(unknown());
    }
    let identifier = Identifier { value: required(given, at, "value")?, ..identifier };
    match identifier.normalised() {
        Ok(_) => Ok(identifier),
        Err(_) => Err(InquiryError::new(Fault::IdentifierInvalid, format!("{at}/value"))),
    }
}

/// What is known of somebody; a date is read as it is written, by either calendar.
fn read_person(json: &Json) -> Result<Whom, InquiryError> {
    const AT: &str = "/person";
    let given = object(json, AT)?;
    only(given, AT, &["name", "birth_date", "sex", "phone", "address", "identifiers"])?;
    let text = |key| {
        let found = optional(given, AT, key)?.map(|text| text.trim().to_owned());
        Ok(found.filter(|text| !text.is_empty()))
    };
    let wrong = |fault, key: &str| InquiryError::new(fault, format!("{AT}/{key}"));
    let mut who = Demographics {
        names: text("name")?.into_iter().collect(),
        sex: text("sex")?.unwrap_or_default(),
        birth_date: text("birth_date")?.unwrap_or_default(),
        phones: text("phone")?.into_iter().collect(),
        addresses: text("address")?.into_iter().collect(),
        ..Demographics::default()
    };
    let digits = who.birth_date.bytes().filter(u8::is_ascii_digit).count();
    let dated = who.birth_date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !(who.birth_date.is_empty() || dated && digits == 8) {
        return Err(wrong(Fault::DataType, "birth_date"));
    }
    if !who.sex.is_empty() && !SEXES.contains(&who.sex.as_str()) {
        return Err(wrong(Fault::TableValue, "sex"));
    }
    match given.get("identifiers") {
        None | Some(Json::Null) => (),
        Some(Json::Array(list)) if list.len() <= NUMBERS_MAX => {
            for (index, one) in list.iter().enumerate() {
                who.number(&read_identifier(one, &format!("{AT}/identifiers/{index}"))?);
            }
        }
        Some(Json::Array(_)) => return Err(wrong(Fault::Limit, "identifiers")),
        Some(_) => return Err(wrong(Fault::DataType, "identifiers")),
    }
    Whom::described(who).ok_or(InquiryError::new(Fault::RequiredMissing, AT))
}

/// Where an inquiry says which human asks.
pub const ASKED_BY: &str = "/evidence/asked_by";

fn read_evidence(json: &Json) -> Result<Evidence, InquiryError> {
    const AT: &str = "/evidence";
    let given = object(json, AT)?;
    only(given, AT, &["asked_by", "call", "case", "reason"])?;
    let asked_by = given.get("asked_by").filter(|given| !given.is_null());
    Ok(Evidence {
        asked_by: asked_by.map(|by| read_identifier(by, ASKED_BY)).transpose()?,
        call: optional(given, AT, "call")?,
        case: optional(given, AT, "case")?,
        reason: optional(given, AT, "reason")?,
        ..Evidence::default()
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

pub(super) fn object<'a>(json: &'a Json, at: &str) -> Result<&'a Map<String, Json>, InquiryError> {
    json.as_object().ok_or_else(|| InquiryError::new(Fault::DataType, at))
}

/// Refuses keys the interface does not define; which, is not repeated.
pub(super) fn only(
    given: &Map<String, Json>,
    at: &str,
    known: &[&str],
) -> Result<(), InquiryError> {
    match given.keys().all(|key| known.contains(&key.as_str())) {
        true => Ok(()),
        false => Err(InquiryError::new(Fault::Malformed, at)),
    }
}

pub(super) fn optional(
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

pub(super) fn required(
    given: &Map<String, Json>,
    at: &str,
    key: &str,
) -> Result<String, InquiryError> {
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
        let Whom::Identifier(identifier) = &inquiry.whom else { panic!("described") };
        assert_eq!(identifier.kind, IdentifierKind::CitizenId);
        assert_eq!(inquiry.purpose, "emergency-card");
        assert_eq!(inquiry.elements.as_deref().map(<[ElementId]>::len), Some(1));
        let Evidence { call, case, reason, asker, .. } = inquiry.evidence;
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
        let by = |by: &str| with(&format!(r#""purpose":"p","evidence":{{"asked_by":{by}}}"#));
        check(&by(r#"{"kind":"citizen-id","value":"11010519491231002X"}"#), Ok(()));
        check(&by("null"), Ok(()));
        check(&by(r#""11010519491231002X""#), Err((F::DataType, "/evidence/asked_by")));
        check(
            &by(r#"{"kind":"citizen-id","value":"110105194912310021"}"#),
            Err((F::IdentifierInvalid, "/evidence/asked_by/value")),
        );
        let local = by(r#"{"kind":"local","value":"1"}"#);
        check(&local, Err((F::TableValue, "/evidence/asked_by/kind")));
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
    fn somebody_may_be_described_instead() {
        use Fault as F;
        let with = |person: &str| format!(r#"{{"person":{person},"purpose":"p"}}"#);
        check(&with(r#"{"name":"张三","birth_date":"1948-03-15"}"#), Ok(()));
        check(&with(r#"{"name":"张三","phone":"13800000000","sex":"男"}"#), Ok(()));
        let numbered = |kind: &str, value: &str| {
            with(&format!(r#"{{"identifiers":[{{"kind":"{kind}","value":"{value}"}}]}}"#))
        };
        check(&numbered("citizen-id", "11010519491231002X"), Ok(()));
        let wrong = Err((F::IdentifierInvalid, "/person/identifiers/0/value"));
        check(&numbered("citizen-id", "110105194912310021"), wrong);
        let kind = Err((F::TableValue, "/person/identifiers/0/kind"));
        check(&numbered("local", "1"), kind);
        for little in ["{}", r#"{"name":"张三"}"#, r#"{"name":"张三","sex":"1"}"#] {
            check(&with(little), Err((F::RequiredMissing, "/person")));
        }
        check(&with(r#"{"birth_date":"1948-03-15"}"#), Err((F::RequiredMissing, "/person")));
        check(
            &with(r#"{"name":"张三","birth_date":"1948"}"#),
            Err((F::DataType, "/person/birth_date")),
        );
        check(&with(r#"{"name":"张三","sex":"x"}"#), Err((F::TableValue, "/person/sex")));
        check(&with(r#"{"name":"张三","age":"x"}"#), Err((F::Malformed, "/person")));
        check(&with(r#"{"name":1}"#), Err((F::DataType, "/person/name")));
        check(&with(r#"{"identifiers":{}}"#), Err((F::DataType, "/person/identifiers")));
        let both = format!(r#"{{{PERSON},"person":{{"name":"张三"}},"purpose":"p"}}"#);
        check(&both, Err((F::Malformed, "/person")));
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
