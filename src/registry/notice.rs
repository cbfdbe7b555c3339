//! 通知接口, our published interface of subscriptions: the enrolment, and the notice.
//!
//! ```text
//! {"subscription": "payments", "enrol": [{"identifier": {"kind": "citizen-id", "value": "…"},
//!  "reference": "JT-0001"}], "leave": ["JT-0002"]}
//! {"subscription": "payments", "rewind": "2026-11-01T00:00:00+08:00"}
//! ```
//!
//! A notice speaks of an elder by the department's own reference, never by an identifier, and
//! holds the answer that the same department would get for the same purpose.

pub mod hl7;
pub mod v3;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::answer::{Answer, AnswerMeta, answer};
use super::civil::{InquiryError, object, only, optional, read_identifier, required};
use super::released::{self, LOCAL};
use crate::policy::{EventRow, Release, Terms};
use crate::translate::Pack;
use crate::vocabulary::{
    Date, ElementId, Event, Fault, Field, Identifier, IdentifierKind, Record, Subscription, Value,
};
use crate::wire::json::{self, Limits};

/// How much of a request is read at all.
const LIMITS: Limits = Limits { bytes_max: 1 << 20, depth_max: 5, values_max: 16_384 };
/// Elders one request may enrol, and take off.
const ELDERS_MAX: usize = 1_000;
/// Bytes of a department's reference.
const REFERENCE_BYTES_MAX: usize = 64;

/// What a department asks of one of its subscriptions.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Which.
    pub subscription: Subscription,
    /// What of it.
    pub wish: Wish,
}

/// A change of a subscription.
#[derive(Clone, PartialEq, Eq)]
pub enum Wish {
    /// Of whom it is told.
    Elders {
        /// These too, each under the department's own reference.
        enrol: Vec<(Identifier, String)>,
        /// No longer these, by reference.
        leave: Vec<String>,
    },
    /// Everything told since then, seconds since 1970, is told again.
    Rewind(i64),
}

/// Shows how many elders it is about.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.subscription;
        match &self.wish {
            Wish::Elders { enrol, leave } => {
                write!(f, "Request({name}: {} enrol, {} leave)", enrol.len(), leave.len())
            }
            Wish::Rewind(since) => write!(f, "Request({name}: rewind to {since})"),
        }
    }
}

/// Reads a request.
///
/// # Errors
/// [`InquiryError`] at the first thing that is not as it should be.
pub fn read(body: &[u8]) -> Result<Request, InquiryError> {
    let json = json::read(body, &LIMITS)
        .map_err(|error| InquiryError { fault: error.fault(), at: error.position().clone() })?;
    let whole = object(&json, "")?;
    only(whole, "", &["subscription", "enrol", "leave", "rewind"])?;
    let wrong = |fault, at: &str| InquiryError::new(fault, at);
    let name = required(whole, "", "subscription")?;
    let name = Subscription::parse(&name);
    let subscription = name.map_err(|_| wrong(Fault::SubscriptionUnknown, "/subscription"))?;
    let rewind = optional(whole, "", "rewind")?;
    let elders = whole.contains_key("enrol") || whole.contains_key("leave");
    let wish = match (rewind, elders) {
        (Some(text), false) => {
            let since = Date::parse_iso(&text).ok().and_then(|date| date.timestamp());
            Wish::Rewind(since.ok_or_else(|| wrong(Fault::DataType, "/rewind"))?)
        }
        (None, true) => Wish::Elders {
            enrol: list(whole, "enrol", read_elder)?,
            leave: list(whole, "leave", |json, at| {
                let text = json.as_str().ok_or_else(|| wrong(Fault::DataType, at))?;
                reference(text, at)
            })?,
        },
        (Some(_), true) => return Err(wrong(Fault::Malformed, "/rewind")),
        (None, false) => return Err(wrong(Fault::RequiredMissing, "/enrol")),
    };
    Ok(Request { subscription, wish })
}

fn list<T>(
    whole: &Map<String, Json>,
    key: &str,
    read: impl Fn(&Json, &str) -> Result<T, InquiryError>,
) -> Result<Vec<T>, InquiryError> {
    let at = format!("/{key}");
    match whole.get(key) {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Array(rows)) if rows.len() > ELDERS_MAX => {
            Err(InquiryError::new(Fault::Limit, at))
        }
        Some(Json::Array(rows)) => {
            let rows = rows.iter().enumerate();
            rows.map(|(index, row)| read(row, &format!("{at}/{index}"))).collect()
        }
        Some(_) => Err(InquiryError::new(Fault::DataType, at)),
    }
}

fn read_elder(json: &Json, at: &str) -> Result<(Identifier, String), InquiryError> {
    let given = object(json, at)?;
    only(given, at, &["identifier", "reference"])?;
    let none = || InquiryError::new(Fault::RequiredMissing, format!("{at}/identifier"));
    let identifier = given.get("identifier").ok_or_else(none)?;
    let identifier = read_identifier(identifier, &format!("{at}/identifier"))?;
    let text = required(given, at, "reference")?;
    Ok((identifier, reference(&text, &format!("{at}/reference"))?))
}

fn reference(text: &str, at: &str) -> Result<String, InquiryError> {
    match text.len() {
        0 => Err(InquiryError::new(Fault::RequiredMissing, at)),
        1..=REFERENCE_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(InquiryError::new(Fault::Limit, at)),
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Done<'a> {
    /// 回执号, leads to the ledger entry.
    pub receipt: &'a str,
    /// Of which subscription.
    pub subscription: Subscription,
    /// Elders who were not enrolled so before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrolled: Option<usize>,
    /// Elders who are enrolled no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<usize>,
    /// Notices that are told again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<usize>,
}

/// What a notice holds beside the answer.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The same at every try.
    pub id: &'a str,
    /// Of which subscription.
    pub subscription: Subscription,
    /// What happened.
    pub event: Event,
    /// When the gateway learned of it, seconds since 1970.
    pub happened_at: i64,
    /// The elder, as the department calls him.
    pub reference: &'a str,
    /// What else the department calls him, where the event is about who is one person.
    pub same_as: Option<&'a [String]>,
}

#[derive(Serialize)]
struct Notice<'a> {
    id: &'a str,
    subscription: Subscription,
    event: Event,
    happened_at: String,
    reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    same_as: Option<&'a [String]>,
    #[serde(flatten)]
    answer: Answer<'a>,
}

/// What a notice is written of, beside its head. A release and nothing less, as an answer is.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The mapping files that serve.
    pub pack: &'a Pack,
    /// What happened, and which messages it has.
    pub event: &'a EventRow,
    /// What may leave.
    pub release: &'a Release,
    /// What an answer says beside it.
    pub meta: &'a AnswerMeta<'a>,
}

/// 措辞, the words a subscription is told in.
pub trait Words: Send + Sync {
    /// What of an event there is a place for; nothing else of it is decided on.
    fn tells(&self, pack: &Pack, event: &EventRow) -> Vec<ElementId>;

    /// Why somebody on these terms can be told nothing of an event; `None` if he can.
    fn unfit(&self, pack: &Pack, event: &EventRow, terms: &Terms) -> Option<String>;

    /// Writes a notice; `None` if there is nothing to tell in it.
    fn write(&self, head: &Head<'_>, told: &Told<'_>) -> Option<Vec<u8>>;
}

/// The answer itself, in JSON.
#[derive(Debug, Clone, Copy)]
pub struct Whole;

impl Words for Whole {
    fn tells(&self, _: &Pack, event: &EventRow) -> Vec<ElementId> {
        event.tells.clone()
    }

    fn unfit(&self, _: &Pack, _: &EventRow, _: &Terms) -> Option<String> {
        None
    }

    fn write(&self, head: &Head<'_>, told: &Told<'_>) -> Option<Vec<u8>> {
        Some(write(head, told.release, told.meta))
    }
}

/// What a message of single facts is written of: those of the release it has a place for, and
/// every reference under which the receiver knows the elder, the one the notice is about first;
/// `None` if there is nothing to tell.
fn single(
    (head, release): (&Head<'_>, &Release),
    places: &[ElementId],
    authority: &str,
) -> Option<Record> {
    let mut record = released::record(release);
    record.groups.truncate(1);
    let top = record.groups.first_mut()?;
    top.fields.retain(|field| places.contains(&field.element));
    if top.fields.is_empty() && head.same_as.is_none() {
        return None;
    }
    let reference = |text: &str| {
        let identifier = Identifier::new(IdentifierKind::Local, text);
        let authority = Some(authority.to_owned());
        let value = Value::Identifier(Identifier { authority, ..identifier });
        Field { element: LOCAL, value, at: None }
    };
    let others = head.same_as.into_iter().flatten().map(|other| reference(other));
    top.fields.extend([reference(head.reference)].into_iter().chain(others));
    record.time = Some(Date::from_timestamp(head.happened_at));
    Some(record)
}

/// Which of an event's elements a message has a place for.
fn placed(event: &EventRow, has_place: impl Fn(ElementId) -> Option<bool>) -> Vec<ElementId> {
    event.tells.iter().copied().filter(|id| has_place(*id) == Some(true)).collect()
}

/// Why an event that has a message cannot be told by it: there is none of that name, or it has
/// no place for anything that may be told.
fn unplaced(
    (event, name): (&EventRow, &str),
    terms: &Terms,
    has_place: impl Fn(ElementId) -> Option<bool>,
) -> Option<String> {
    let id = event.id;
    // Whatever the element: only whether the message is known counts here.
    if has_place(LOCAL).is_none() {
        return Some(format!("event {id}: no mapping has {name}"));
    }
    let mut told = placed(event, has_place).into_iter();
    let fits = event.tells.is_empty() || told.any(|id| terms.elements.contains(&id));
    (!fits).then(|| format!("event {id}: {name} has no place for anything its purpose opens"))
}

/// Writes the answer as a notice.
fn write(head: &Head<'_>, release: &Release, meta: &AnswerMeta<'_>) -> Vec<u8> {
    let notice = Notice {
        id: head.id,
        subscription: head.subscription,
        event: head.event,
        happened_at: Date::from_timestamp(head.happened_at).to_iso(),
        reference: head.reference,
        same_as: head.same_as,
        answer: answer(release, meta),
    };
    // Texts, numbers and lists alone: serialising them cannot fail.
    serde_json::to_vec(&notice).unwrap_or_default()
}

/// Writes what became of a request.
#[must_use]
pub fn write_done(done: &Done<'_>) -> Vec<u8> {
    serde_json::to_vec(done).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::IdentifierKind;

    fn check(body: &str, expect: Result<(), (Fault, &str)>) {
        let found = read(body.as_bytes()).map(|_| ());
        let found = found.map_err(|error| (error.fault, error.at.to_string()));
        assert_eq!(found, expect.map_err(|(fault, at)| (fault, at.to_owned())), "{body}");
    }

    #[test]
    fn an_enrolment_is_read_whole() {
        let body = r#"{"subscription":"payments","enrol":[{"identifier":{"kind":"citizen-id",
            "value":"11010519491231002X"},"reference":"JT-1"}],"leave":["JT-2"]}"#;
        let request = read(body.as_bytes()).unwrap();
        assert_eq!(request.subscription.as_str(), "payments");
        let Wish::Elders { enrol, leave } = &request.wish else { panic!("a rewind") };
        let first = enrol.first().map(|(one, name)| (one.kind, name.as_str()));
        assert_eq!(first, Some((IdentifierKind::CitizenId, "JT-1")));
        assert_eq!(leave, &["JT-2"]);
        let shown = format!("{request:?}");
        assert!(!shown.contains("1949") && !shown.contains("JT-"), "{shown}");
    }

    #[test]
    fn a_faulty_request_is_refused_by_place() {
        use Fault as F;
        let with = |rest: &str| format!(r#"{{"subscription":"payments",{rest}}}"#);
        check(&with(r#""rewind":"2026-11-01T00:00:00+08:00""#), Ok(()));
        check(&with(r#""leave":["a"]"#), Ok(()));
        check(r#"{"subscription":"payments"}"#, Err((F::RequiredMissing, "/enrol")));
        check(r#"{"leave":[]}"#, Err((F::RequiredMissing, "/subscription")));
        let unknown = r#"{"subscription":"支付","leave":[]}"#;
        check(unknown, Err((F::SubscriptionUnknown, "/subscription")));
        check(&with(r#""rewind":"yesterday""#), Err((F::DataType, "/rewind")));
        check(&with(r#""rewind":"2026-11-01","leave":[]"#), Err((F::Malformed, "/rewind")));
        check(&with(r#""leave":"a""#), Err((F::DataType, "/leave")));
        check(&with(r#""leave":["a",1]"#), Err((F::DataType, "/leave/1")));
        check(&with(r#""leave":[""]"#), Err((F::RequiredMissing, "/leave/0")));
        let long = "x".repeat(REFERENCE_BYTES_MAX + 1);
        check(&with(&format!(r#""leave":["{long}"]"#)), Err((F::Limit, "/leave/0")));
        let many = vec!["\"a\""; ELDERS_MAX + 1].join(",");
        check(&with(&format!(r#""leave":[{many}]"#)), Err((F::Limit, "/leave")));
        let elder = |id: &str| with(&format!(r#""enrol":[{{"identifier":{id},"reference":"a"}}]"#));
        let id = r#"{"kind":"citizen-id","value":"110105194912310021"}"#;
        check(&elder(id), Err((F::IdentifierInvalid, "/enrol/0/identifier/value")));
        check(&with(r#""enrol":[{"reference":"a"}]"#), {
            Err((F::RequiredMissing, "/enrol/0/identifier"))
        });
    }
}
