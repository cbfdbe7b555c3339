//! What a request at `/fhir` asks for: read by its words, before anybody is asked.
//!
//! Standard: FHIR R4, section 3.1.0 (RESTful API). Whom it is about comes from exactly
//! one place: the handle in the address, or one identifier among the parameters.

use serde_json::Value as Json;

use super::operation;
use super::parameter::{self, Predicate};
use crate::registry::writing::Window;
use crate::vocabulary::{Fault, Identifier, IdentifierKind, Position};

/// How many parameters one search may have.
const PARAMETERS_MAX: usize = 16;
/// The id of a patient is its handle; of any other resource a handle and this many signs.
pub(super) const SUFFIX: usize = 9;

/// Systems of the identifiers that lead to a person (WS/T 500, OIDs 2.16.156.10011.1.n).
pub(super) const SYSTEMS: [(&str, IdentifierKind); 3] = [
    ("urn:oid:2.16.156.10011.1.19", IdentifierKind::HealthCard),
    ("urn:oid:2.16.156.10011.1.2", IdentifierKind::RecordNumber),
    ("urn:oid:2.16.156.10011.1.3", IdentifierKind::CitizenId),
];

/// About whom.
#[derive(Clone, PartialEq, Eq)]
pub enum Who {
    /// Whose handle stands in the address: not opened yet.
    Handle(String),
    /// Who has this identifier.
    Identifier(Identifier),
    /// Who has the number of this Patient: the mapping files know what it is.
    Numbered(Json),
    /// Whom this Patient describes.
    Patient(Json),
}

/// Shows neither: a handle leads to a person.
impl std::fmt::Debug for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Handle(_) => "Handle(<masked>)",
            Self::Identifier(_) => "Identifier(<masked>)",
            Self::Numbered(_) => "Numbered(<masked>)",
            Self::Patient(_) => "Patient(<masked>)",
        })
    }
}

/// One interaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interaction {
    /// `GET metadata`.
    Capability,
    /// `GET Patient/$ihe-pix`.
    CrossReference {
        /// Who has the number.
        who: Who,
        /// Its system and value, as they were asked by.
        source: (String, String),
        /// The systems wanted; none: all.
        targets: Vec<String>,
    },
    /// `POST Patient/$match`.
    Match {
        /// Who is looked for.
        who: Who,
        /// Which of several.
        window: Window,
    },
    /// `GET Type/id`.
    Read {
        /// The resource type.
        resource: String,
        /// The whole id.
        id: String,
        /// The part of it that says about whom.
        who: Who,
    },
    /// `GET Type?…` or `POST Type/_search`.
    Search {
        /// The resource type.
        resource: String,
        /// About whom.
        who: Who,
        /// Only what passes all of them.
        predicates: Vec<Predicate>,
    },
    /// `POST /` with a bundle, `POST Type` with a resource.
    Take,
}

/// Why a request cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What is wrong.
    pub fault: Fault,
    /// Which parameter or member.
    pub at: Position,
}

impl Unread {
    pub(super) fn new(fault: Fault, at: impl Into<String>) -> Self {
        Self { fault, at: Position::Pointer(at.into()) }
    }
}

/// Whether a request reads or brings something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// Reads a request: its path below `/fhir`, its query, its body.
///
/// # Errors
/// [`Unread`] naming the parameter; never what it said.
pub fn read(
    method: Method,
    (path, query): (&str, &str),
    body: &[u8],
) -> Result<Interaction, Unread> {
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    match (method, steps.as_slice()) {
        (Method::Get, ["metadata"]) => Ok(Interaction::Capability),
        (Method::Get, ["Patient", "$ihe-pix"]) => operation::cross_referenced(&pairs(query)?),
        (Method::Get, [resource]) if typed(resource) => search(resource, query),
        (Method::Get, [resource, id]) if typed(resource) => by_id(resource, id),
        (Method::Post, ["Patient", "$match"]) => operation::matched(body),
        (Method::Post, [resource, "_search"]) if typed(resource) => {
            let form =
                std::str::from_utf8(body).map_err(|_| Unread::new(Fault::CharacterSet, ""))?;
            let both = [query, form].join("&");
            search(resource, &both)
        }
        (Method::Post, []) => Ok(Interaction::Take),
        (Method::Post, [resource]) if typed(resource) => Ok(Interaction::Take),
        _ => Err(Unread::new(Fault::UnsupportedMessage, "/")),
    }
}

/// Whether a step is shaped as a resource type.
fn typed(step: &str) -> bool {
    step.starts_with(|sign: char| sign.is_ascii_uppercase())
        && step.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn by_id(resource: &str, id: &str) -> Result<Interaction, Unread> {
    let handle = match resource {
        "Patient" => Some(id),
        _ => id.len().checked_sub(SUFFIX).and_then(|end| id.get(..end)),
    };
    let handle = handle.ok_or(Unread::new(Fault::IdentityMissing, "/id"))?;
    let who = Who::Handle(handle.to_owned());
    Ok(Interaction::Read { resource: resource.to_owned(), id: id.to_owned(), who })
}

/// The parameters of an address or a form.
fn pairs(query: &str) -> Result<Vec<(String, String)>, Unread> {
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| Some((decoded(name)?, decoded(value)?)))
        .collect::<Option<_>>()
        .ok_or(Unread::new(Fault::Malformed, "?"))?;
    if pairs.len() > PARAMETERS_MAX {
        return Err(Unread::new(Fault::Limit, "?"));
    }
    Ok(pairs)
}

fn search(resource: &str, query: &str) -> Result<Interaction, Unread> {
    let pairs = pairs(query)?;
    let (mut who, mut predicates) = (None, Vec::new());
    for (name, value) in &pairs {
        // The only format there is; clients like to say so.
        if name == "_format" && value.ends_with("json") {
            continue;
        }
        match (whom(resource, name, value), parameter::find(resource, name)) {
            (Some(found), _) => {
                let found = found.map_err(|fault| Unread::new(fault, name))?;
                if who.replace(found).is_some() {
                    return Err(Unread::new(Fault::IdentityConflict, name));
                }
            }
            (None, Some(parameter)) => {
                let predicate = Predicate::read(parameter, value);
                predicates.push(predicate.ok_or_else(|| Unread::new(Fault::DataType, name))?);
            }
            // Which parameter is not repeated: its name is the asker's own text.
            (None, None) => return Err(Unread::new(Fault::UnsupportedParameter, "?")),
        }
    }
    let who = who.ok_or(Unread::new(Fault::IdentityMissing, "?identifier"))?;
    Ok(Interaction::Search { resource: resource.to_owned(), who, predicates })
}

/// The person a parameter names, if it is one that does.
fn whom(resource: &str, name: &str, value: &str) -> Option<Result<Who, Fault>> {
    let own = resource == "Patient";
    match name {
        "_id" if own => Some(Ok(Who::Handle(value.to_owned()))),
        "identifier" if own => Some(identifier(value)),
        "patient" | "subject" if !own => {
            let handle = value.strip_prefix("Patient/").unwrap_or(value);
            Some(Ok(Who::Handle(handle.to_owned())))
        }
        "patient.identifier" | "subject.identifier" | "patient:identifier"
        | "subject:identifier"
            if !own =>
        {
            Some(identifier(value))
        }
        _ => None,
    }
}

pub(super) fn identifier(token: &str) -> Result<Who, Fault> {
    let (system, value) = token.split_once('|').ok_or(Fault::DataType)?;
    let kind = SYSTEMS.iter().find(|(known, _)| *known == system).map(|(_, kind)| *kind);
    let identifier = Identifier::new(kind.ok_or(Fault::TableValue)?, value);
    identifier.normalised().map_err(|_| Fault::IdentifierInvalid)?;
    Ok(Who::Identifier(identifier))
}

/// Percent signs and plus signs read, as forms write them; `None` if that is no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERSON: &str = "urn:oid:2.16.156.10011.1.3%7C11010519491231002X";

    fn check(path: &str, query: &str, expect: Result<&str, (Fault, &str)>) {
        let read = read(Method::Get, (path, query), b"");
        let found = match &read {
            Ok(Interaction::Capability) => Ok("capability"),
            Ok(Interaction::CrossReference { .. }) => Ok("cross-reference"),
            Ok(Interaction::Match { .. }) => Ok("match"),
            Ok(Interaction::Read { .. }) => Ok("read"),
            Ok(Interaction::Search { .. }) => Ok("search"),
            Ok(Interaction::Take) => Ok("take"),
            Err(error) => Err((error.fault, error.at.to_string())),
        };
        assert_eq!(found, expect.map_err(|(fault, at)| (fault, at.to_owned())), "{path}?{query}");
    }

    #[test]
    fn a_request_is_read_by_its_words() {
        let identified = format!("patient.identifier={PERSON}");
        check("metadata", "", Ok("capability"));
        check("Patient/abc", "", Ok("read"));
        check("Patient", &format!("identifier={PERSON}"), Ok("search"));
        check("Observation", &identified, Ok("search"));
        check("Observation", "patient=Patient/abc&code=8480-6&date=ge2026", Ok("search"));
    }

    #[test]
    fn a_request_that_names_nobody_or_two_is_refused() {
        use Fault as F;
        check("Observation", "code=8480-6", Err((F::IdentityMissing, "?identifier")));
        check("Patient", "", Err((F::IdentityMissing, "?identifier")));
        let two = format!("patient=a&patient.identifier={PERSON}");
        check("Observation", &two, Err((F::IdentityConflict, "patient.identifier")));
        check("Patient", "identifier=4101", Err((F::DataType, "identifier")));
        check("Patient", "identifier=urn:x|1", Err((F::TableValue, "identifier")));
        let wrong = "identifier=urn:oid:2.16.156.10011.1.3|110105194912310021";
        check("Patient", wrong, Err((F::IdentifierInvalid, "identifier")));
    }

    #[test]
    fn an_unknown_parameter_is_refused_and_not_ignored() {
        use Fault as F;
        check("Patient", "_id=a&name=x", Err((F::UnsupportedParameter, "?")));
        check("Observation", "patient=a&_sort=date", Err((F::UnsupportedParameter, "?")));
        check("Observation", "patient=a&date=soon", Err((F::DataType, "date")));
        check("Observation", "patient=%zz", Err((F::Malformed, "?")));
        check("", "", Err((F::UnsupportedMessage, "/")));
        check("patient/a", "", Err((F::UnsupportedMessage, "/")));
        check("Patient/a/_history/1", "", Err((F::UnsupportedMessage, "/")));
    }

    #[test]
    fn a_match_takes_the_identifier_that_can_lead_to_a_person() {
        let ask = |identifier: &str| {
            let body = format!(
                r#"{{"resourceType":"Parameters","parameter":[{{"name":"resource","resource":
                {{"resourceType":"Patient","identifier":[{identifier}]}}}}]}}"#
            );
            read(Method::Post, ("Patient/$match", ""), body.as_bytes())
        };
        let found = ask(r#"{"system":"urn:x","value":"1"},
            {"system":"urn:oid:2.16.156.10011.1.3","value":"11010519491231002X"}"#);
        assert!(matches!(found, Ok(Interaction::Match { who: Who::Identifier(_), .. })));
        assert_eq!(ask(r#"{"value":"1"}"#).unwrap_err().fault, Fault::IdentityMissing);
        let empty = read(Method::Post, ("Patient/$match", ""), b"{}");
        assert_eq!(empty.unwrap_err().fault, Fault::RequiredMissing);
    }

    #[test]
    fn a_match_may_describe_somebody() {
        let ask = |patient: &str, more: &str| {
            let body = format!(
                r#"{{"resourceType":"Parameters","parameter":[{{"name":"resource","resource":
                {{"resourceType":"Patient",{patient}}}}}{more}]}}"#
            );
            read(Method::Post, ("Patient/$match", ""), body.as_bytes())
        };
        let name = r#""name":[{"text":"张三"}],"birthDate":"1948-03-15""#;
        let more = r#",{"name":"count","valueInteger":3},
            {"name":"onlyCertainMatches","valueBoolean":true}"#;
        let window = Window { from: 0, most: 3, certain: true };
        let found = ask(name, more);
        let Ok(Interaction::Match { who: Who::Patient(_), window: own }) = found else {
            panic!("{found:?}")
        };
        assert_eq!(own, window);
        let fault = |more: &str| ask(name, more).unwrap_err().fault;
        assert_eq!(fault(r#",{"name":"count","valueInteger":0}"#), Fault::DataType);
        assert_eq!(fault(r#",{"name":"count","valueString":"1"}"#), Fault::DataType);
        let other = r#",{"name":"onlyCertainMatches","valueString":"x"}"#;
        assert_eq!(fault(other), Fault::DataType);
    }

    #[test]
    fn a_cross_reference_names_one_number() {
        use Fault as F;
        let own = "Patient/$ihe-pix";
        check(own, "sourceIdentifier=urn:id:A%7CL1&targetSystem=urn:id:B", Ok("cross-reference"));
        check(own, "", Err((F::IdentityMissing, "?sourceIdentifier")));
        check(own, "sourceIdentifier=L1", Err((F::DataType, "sourceIdentifier")));
        check(own, "sourceIdentifier=a%7Cb&name=x", Err((F::UnsupportedParameter, "?")));
        let two = "sourceIdentifier=a%7Cb&sourceIdentifier=a%7Cc";
        check(own, two, Err((F::IdentityConflict, "sourceIdentifier")));
    }

    #[test]
    fn an_error_does_not_repeat_what_was_sent() {
        let error = read(Method::Get, ("Patient", "secret=secret"), b"").unwrap_err();
        assert!(!format!("{error:?}").contains("secret"));
    }
}
