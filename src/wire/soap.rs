//! SOAP 1.1 and 1.2, as much of it as one operation with texts in it needs.
//!
//! ```text
//! Envelope ─ Header ─ name: text …
//!          └ Body ─ operation ─ name: text, or an element …
//! ```
//!
//! Standard: SOAP 1.1 (W3C note 2000-05-08) sections 4 and 6; SOAP 1.2 part 1 section 5. The
//! namespace of an operation is not asked for: no two platforms have the same one, and the
//! answer goes back in the one the question came in.

use serde::{Deserialize, Serialize};

use super::tree::Tree;
use super::xml::{self, Document, XmlError};
use crate::vocabulary::{Fault, Position};

/// The edition of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edition {
    /// 1.1
    #[serde(rename = "1.1")]
    One,
    /// 1.2
    #[serde(rename = "1.2")]
    Two,
}

impl Edition {
    const fn namespace(self) -> &'static str {
        match self {
            Self::One => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::Two => "http://www.w3.org/2003/05/soap-envelope",
        }
    }

    /// The media type of its envelopes.
    #[must_use]
    pub const fn media(self) -> &'static str {
        match self {
            Self::One => "text/xml; charset=utf-8",
            Self::Two => "application/soap+xml; charset=utf-8",
        }
    }
}

/// One call, or its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The edition it came in, and its answer goes in.
    pub edition: Edition,
    /// The name of the operation.
    pub operation: String,
    /// Its namespace.
    pub namespace: Option<String>,
    header: Tree,
    parameters: Tree,
}

/// Why bytes are no call, and where; and in which edition to say so, if that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .fault.row().en)]
pub struct SoapError {
    /// What the peer is told.
    pub fault: Fault,
    /// Where it stands.
    pub at: Option<Position>,
    /// The edition of the envelope.
    pub edition: Edition,
}

impl From<XmlError> for SoapError {
    fn from(error: XmlError) -> Self {
        Self { fault: error.fault(), at: Some(error.position().clone()), edition: Edition::One }
    }
}

/// A parameter: text, or the document that stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter {
    /// Text, as everybody sends it.
    Text(String),
    /// An element, as some tools send what the interface calls a text.
    Element(Document),
}

impl Parameter {
    /// The bytes of the message it holds, without a declaration: what that says of the
    /// character set was true before the message became part of this text.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        match self {
            Self::Element(document) => xml::write(document),
            Self::Text(text) => {
                let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
                let rest = text.strip_prefix("<?xml ").and_then(|text| text.split_once("?>"));
                rest.map_or(text, |(_, rest)| rest).as_bytes().to_vec()
            }
        }
    }
}

impl Call {
    /// A text of the header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        text(&self.header, name)
    }

    /// A parameter by its name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Parameter> {
        let found = self.parameters.get(name)?;
        Some(parameter(found.item(0).unwrap_or(found)))
    }

    /// The message, where it stands in the body itself.
    #[must_use]
    pub fn message(&self) -> Document {
        let root = (self.operation.clone(), Tree::List(vec![self.parameters.clone()]));
        document(&root)
    }

    /// Whether a fault is the sender's own, so that the same again would fail again; `None` if
    /// it is no fault. Standard: SOAP 1.1 section 4.4.1, SOAP 1.2 part 1 section 5.4.6.
    #[must_use]
    pub fn blames_sender(&self) -> Option<bool> {
        if self.operation != "Fault" {
            return None;
        }
        let coded = || text(self.parameters.get("Code")?.item(0)?, "Value");
        let code = text(&self.parameters, "faultcode").or_else(coded).unwrap_or_default();
        let local = code.trim().rsplit(':').next().unwrap_or_default();
        let class = local.split('.').next().unwrap_or_default();
        Some(matches!(class, "Client" | "Sender"))
    }

    /// The first parameter, whatever its name.
    #[must_use]
    pub fn first(&self) -> Option<Parameter> {
        let named = |(name, _): &&(String, Tree)| !name.starts_with(['@', '#']);
        let (_, found) = self.parameters.members().iter().find(named)?;
        Some(parameter(found.item(0).unwrap_or(found)))
    }
}

fn parameter(found: &Tree) -> Parameter {
    let child = found.members().iter().find(|(name, _)| !name.starts_with(['@', '#']));
    match child {
        Some(element) => Parameter::Element(document(element)),
        None => Parameter::Text(found.get("#text").and_then(Tree::text).unwrap_or("").to_owned()),
    }
}

/// An element as a document of its own.
fn document((root, items): &(String, Tree)) -> Document {
    let mut tree = items.item(0).cloned().unwrap_or_default();
    let namespace = tree.get("@xmlns").and_then(Tree::text).map(str::to_owned);
    if let Tree::Map(members) = &mut tree {
        members.retain(|(name, _)| name != "@xmlns");
    }
    Document { root: root.clone(), namespace, tree }
}

/// The text of the first child of that name.
fn text<'a>(tree: &'a Tree, name: &str) -> Option<&'a str> {
    let found = tree.get(name)?.item(0)?.get("#text")?.text()?;
    Some(found).filter(|text| !text.is_empty())
}

/// Reads an envelope.
///
/// # Errors
/// [`SoapError`] if it is no XML or no envelope.
pub fn read(bytes: &[u8], limits: &xml::Limits) -> Result<Call, SoapError> {
    let document = xml::read(bytes, limits)?;
    let edition = match document.namespace.as_deref() {
        Some(namespace) if namespace == Edition::Two.namespace() => Edition::Two,
        _ => Edition::One,
    };
    let wrong = || SoapError { fault: Fault::Malformed, at: None, edition };
    if document.root != "Envelope" || document.namespace.as_deref() != Some(edition.namespace()) {
        return Err(wrong());
    }
    let part = |name: &str| document.tree.get(name).and_then(|found| found.item(0));
    let body = part("Body").ok_or_else(wrong)?;
    let operation = body.members().iter().find(|(name, _)| !name.starts_with(['@', '#']));
    let (operation, found) = operation.ok_or_else(wrong)?;
    let parameters = found.item(0).cloned().unwrap_or_default();
    let namespace = parameters.get("@xmlns").and_then(Tree::text).map(str::to_owned);
    let header = part("Header").cloned().unwrap_or_default();
    Ok(Call { edition, operation: operation.clone(), namespace, header, parameters })
}

/// A call with texts as its parameters.
#[must_use]
pub fn write(
    edition: Edition,
    (namespace, operation): (Option<&str>, &str),
    parameters: &[(&str, &str)],
) -> Vec<u8> {
    let namespace = namespace.map(|found| ("@xmlns".to_owned(), Tree::from(found)));
    let texts = parameters.iter().map(|(name, value)| child(name, leaf(value)));
    let inner = Tree::Map(namespace.into_iter().chain(texts).collect());
    envelope(edition, Tree::Map(vec![child(operation, inner)]))
}

/// A message that stands in the body itself, under what the header says.
#[must_use]
pub fn carry(edition: Edition, header: Vec<(String, Tree)>, message: &Document) -> Vec<u8> {
    let mut members = match &message.tree {
        Tree::Map(members) => members.clone(),
        _ => Vec::new(),
    };
    if let Some(namespace) = &message.namespace {
        members.insert(0, ("@xmlns".to_owned(), Tree::from(namespace.as_str())));
    }
    let body = child(&message.root, Tree::Map(members));
    let mut parts = vec![child("Body", Tree::Map(vec![body]))];
    if !header.is_empty() {
        parts.insert(0, child("Header", Tree::Map(header)));
    }
    whole(edition, parts)
}

/// What a header must not be passed over by: the namespace of the edition under a prefix of its
/// own, and the mark. Standard: SOAP 1.1 section 4.2.3, SOAP 1.2 part 1 section 5.2.3.
#[must_use]
pub fn understood(edition: Edition) -> Vec<(String, Tree)> {
    vec![
        ("@xmlns:soap".to_owned(), Tree::from(edition.namespace())),
        ("@soap:mustUnderstand".to_owned(), Tree::from("1")),
    ]
}

/// The answer to a call: one text under the name the operation's answers have.
#[must_use]
pub fn answer(call: &Call, result: &str) -> Vec<u8> {
    let Call { edition, operation, namespace, .. } = call;
    let (outer, inner) = (format!("{operation}Response"), format!("{operation}Result"));
    write(*edition, (namespace.as_deref(), &outer), &[(&inner, result)])
}

/// The fault of a call that could not even be read. Standard: SOAP 1.1 section 4.4, SOAP
/// 1.2 section 5.4; the status a fault goes with is 500 in the first, 400 in the second.
#[must_use]
pub fn refusal(edition: Edition, reason: &str) -> (u16, Vec<u8>) {
    match edition {
        Edition::One => {
            // The children of a fault have no namespace there.
            let bare = |text: &str| {
                let unnamed = ("@xmlns".to_owned(), Tree::from(""));
                Tree::Map(vec![unnamed, ("#text".to_owned(), Tree::from(text))])
            };
            let inner =
                vec![child("faultcode", bare("Client")), child("faultstring", bare(reason))];
            (500, envelope(edition, Tree::Map(vec![child("Fault", Tree::Map(inner))])))
        }
        Edition::Two => {
            let language = ("@xml:lang".to_owned(), Tree::from("en"));
            let text = Tree::Map(vec![language, ("#text".to_owned(), Tree::from(reason))]);
            let inner = vec![
                child("Code", Tree::Map(vec![child("Value", leaf("Sender"))])),
                child("Reason", Tree::Map(vec![child("Text", text)])),
            ];
            (400, envelope(edition, Tree::Map(vec![child("Fault", Tree::Map(inner))])))
        }
    }
}

fn envelope(edition: Edition, body: Tree) -> Vec<u8> {
    whole(edition, vec![child("Body", body)])
}

fn whole(edition: Edition, parts: Vec<(String, Tree)>) -> Vec<u8> {
    xml::write(&Document {
        root: "Envelope".to_owned(),
        namespace: Some(edition.namespace().to_owned()),
        tree: Tree::Map(parts),
    })
}

fn child(name: &str, tree: Tree) -> (String, Tree) {
    (name.to_owned(), Tree::List(vec![tree]))
}

fn leaf(text: &str) -> Tree {
    Tree::Map(vec![("#text".to_owned(), Tree::from(text))])
}
