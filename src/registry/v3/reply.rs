//! 应答, what a platform is told: AA or AE, for which message, and why.
//!
//! Standards: WS/T 448-2014 and the replies of both suites. There is no coded list of errors
//! in them, so the text begins with the stable name of our fault.

use super::element::{Member, attribute, child, children, instance, item, leaf, marked, said};
use super::request::{Instance, Request};
use super::services::{Interaction, Reply};
use crate::vocabulary::{Date, Fault, Position};
use crate::wire::tree::Tree;
use crate::wire::xml::Document;

/// The namespace of every message.
pub const NAMESPACE: &str = "urn:hl7-org:v3";
/// How a message without a known name is answered.
const ACKNOWLEDGEMENT: Reply = Reply::Message("MCCI_IN000002UV01", "MCCI_IN000002UV01");

/// What is said of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Why it failed; `None` if it did not.
    pub failed: Option<String>,
    /// Our own number of the reply.
    pub number: String,
    /// When, seconds since 1970.
    pub at: i64,
}

impl Verdict {
    /// `AA` or `AE`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        if self.failed.is_some() { "AE" } else { "AA" }
    }

    fn text(&self) -> &str {
        self.failed.as_deref().unwrap_or("处理成功 accepted")
    }
}

/// What became of one document of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The sender's name of it in this message.
    pub sent: String,
    /// Under which number it can be asked for.
    pub unique: Option<String>,
    /// Whether and why not.
    pub verdict: Verdict,
}

/// The words for a fault: its name, what it means, where. Never a value.
#[must_use]
pub fn words(fault: Fault, at: Option<&Position>, aside: bool) -> String {
    let row = fault.row();
    let mut text = format!("{} {}", row.name, row.zh);
    if let Some(at) = at {
        text.push_str(&format!(" ({at})"));
    }
    if aside {
        text.push_str("；已隔离保存，无需重发 kept aside, do not send it again");
    } else {
        text.push_str(&format!("；{}", row.en));
    }
    text
}

/// Answers a request that asked for nothing but to be taken.
#[must_use]
pub fn acknowledge(request: &Request, verdict: &Verdict, documents: &[Registered]) -> Document {
    match request.service.map_or(ACKNOWLEDGEMENT, |service: &Interaction| service.reply) {
        Reply::Registry("RegistryResponse") => registered(request, verdict, documents),
        Reply::Registry(name) => {
            let mut members = registry_head(request, verdict);
            members.push(leaf("Detail", verdict.text()));
            document(name, members)
        }
        Reply::Message(accepted, refused) => {
            let name = if verdict.failed.is_some() { refused } else { accepted };
            document(name, head(request, verdict, name))
        }
    }
}

/// A document of that root element.
#[must_use]
pub fn document(root: &str, members: Vec<Member>) -> Document {
    let namespace = Some(NAMESPACE.to_owned());
    Document { root: root.to_owned(), namespace, tree: Tree::Map(members) }
}

/// The common beginning of a v3 message, up to its acknowledgement.
#[must_use]
pub fn head(request: &Request, verdict: &Verdict, name: &str) -> Vec<Member> {
    let dialect = request.dialect;
    let own = |root: &str, extension: &str| Instance {
        root: Some(root.to_owned()),
        extension: Some(extension.to_owned()),
    };
    let device = |role: &str, code: &str, device: Option<Instance>| {
        let id = device.map(|id| item(dialect, "id", &id));
        let mut members =
            vec![attribute("classCode", "DEV"), attribute("determinerCode", "INSTANCE")];
        members.extend(id);
        child(role, vec![attribute("typeCode", code), child("device", members)])
    };
    let mode = request.first(&["processingModeCode"]).and_then(|found| found.get("@code"));
    let mode = mode.and_then(Tree::text).map(|code| attribute("code", code));
    let mut target = Vec::new();
    target.extend(request.id().map(|id| instance("id", &id)));
    let detail = said(dialect, "text", verdict.text());
    vec![
        attribute("ITSVersion", "XML_1.0"),
        instance("id", &own(dialect.message_root(), &verdict.number)),
        marked("creationTime", "value", &stamp(verdict.at)),
        instance("interactionId", &own(dialect.interaction_root(), name)),
        marked("processingCode", "code", "P"),
        child("processingModeCode", mode.into_iter().collect()),
        marked("acceptAckCode", "code", "NE"),
        device("receiver", "RCV", request.device("sender")),
        device("sender", "SND", request.device("receiver")),
        child(
            "acknowledgement",
            vec![
                attribute("typeCode", verdict.code()),
                child("targetMessage", target),
                child("acknowledgementDetail", vec![detail]),
            ],
        ),
    ]
}

/// The common beginning of what answers the three requests that are no v3 message.
#[must_use]
pub fn registry_head(request: &Request, verdict: &Verdict) -> Vec<Member> {
    let mut members = vec![attribute("status", verdict.code())];
    members.extend(registry_ids(request, verdict));
    members
}

fn registry_ids(request: &Request, verdict: &Verdict) -> Vec<Member> {
    let root = Some(request.dialect.message_root().to_owned());
    let own = Instance { root, extension: Some(verdict.number.clone()) };
    let mut members = vec![instance("Id", &own)];
    members.extend(request.id().map(|id| instance("TargetId", &id)));
    members
}

/// `RegistryResponse`: one line for each document, and the worst of them above.
fn registered(request: &Request, verdict: &Verdict, documents: &[Registered]) -> Document {
    let line = |one: &Registered| {
        let mut members = vec![attribute("id", &one.sent)];
        members.extend(one.unique.as_deref().map(|unique| attribute("documentUniqueId", unique)));
        members.push(attribute("status", one.verdict.code()));
        members.push(leaf("Detail", one.verdict.text()));
        members
    };
    let mut lines: Vec<_> = documents.iter().map(line).collect();
    if lines.is_empty() {
        let one = Registered { sent: String::new(), unique: None, verdict: verdict.clone() };
        lines.push(line(&one));
    }
    let mut members = registry_head(request, verdict);
    members.push(children("Response", lines));
    document("RegistryResponse", members)
}

/// Fourteen digits, China Standard Time.
#[must_use]
pub fn stamp(seconds: i64) -> String {
    Date::from_timestamp(seconds).as_str().chars().take_while(char::is_ascii_digit).collect()
}
