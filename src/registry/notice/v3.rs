//! A notice as an HL7 v3 message in its SOAP envelope, written by the mapping file that a form has
//! for the records of the event.
//!
//! Standards: IHE ITI TF-2 3.46 (PIXV3 update notification, ITI-46), TF-2x appendix V (SOAP 1.2
//! with WS-Addressing); 个人信息更新 of WS/T 448-2014 as both platforms spell it. Beside what the
//! file writes the message says who sends it to whom, and under which number: `id` is the
//! notice's own at every try, so the same bytes may be taken for a repeat.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Head, Told, Words};
use crate::policy::{EventRow, Terms};
use crate::registry::v3::element::{Member, attribute, child, instance, item, leaf, marked};
use crate::registry::v3::reply::{NAMESPACE, stamp};
use crate::registry::v3::request::{Dialect, Instance};
use crate::translate::{Pack, v3};
use crate::vocabulary::{Date, ElementId};
use crate::wire::Tree;
use crate::wire::soap::{self, Edition};
use crate::wire::xml::{self, Document};

/// WS-Addressing 1.0.
const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
/// Whoever asked on this very connection is answered on it.
const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
/// The one operation of the hospital platforms.
const SERVER: &str = "HIPMessageServer";
/// What it is told of a message that revises an entry, as vendors call it.
const UPDATE: &str = "PatientInfoUpdate";

/// How a message is spelled and carried; its name is that of the folder of its mapping files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// 医院平台: text of `HIPMessageServer(action, message)`.
    #[serde(rename = "v3-hospital")]
    Hospital,
    /// IHE's PIXV3: in the body itself, under headers of WS-Addressing.
    #[serde(rename = "v3-pix")]
    Pix,
    /// 区域平台: text of an operation for each service.
    #[serde(rename = "v3-regional")]
    Regional,
}

impl Form {
    /// As configuration and mapping files call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hospital => "v3-hospital",
            Self::Pix => "v3-pix",
            Self::Regional => "v3-regional",
        }
    }

    /// The edition of its envelopes, where nothing else is said.
    #[must_use]
    pub const fn edition(self) -> Edition {
        match self {
            Self::Hospital | Self::Regional => Edition::One,
            Self::Pix => Edition::Two,
        }
    }

    /// How it writes identifiers.
    const fn dialect(self) -> Dialect {
        match self {
            Self::Hospital => Dialect::Hospital,
            Self::Pix | Self::Regional => Dialect::Regional,
        }
    }
}

/// To whom a message is addressed, and in which envelope.
#[derive(Debug, Clone, Copy)]
pub struct Addressed<'a> {
    /// How it is spelled.
    pub form: Form,
    /// Where it is posted.
    pub url: &'a str,
    /// OID of the references.
    pub authority: &'a str,
    /// Who is to have it: an OID, or `OID^NAME`.
    pub receiver: &'a str,
    /// Who sends it.
    pub sender: &'a str,
    /// The edition of the envelope.
    pub edition: Edition,
    /// Namespace, operation and action, where they are not the form's own.
    pub call: (Option<&'a str>, Option<&'a str>, Option<&'a str>),
}

/// `OID`, or `OID^NAME`.
#[must_use]
pub fn device(text: &str) -> Instance {
    let (root, name) = text.split_once('^').map_or((text, None), |(root, name)| (root, Some(name)));
    Instance { root: Some(root.to_owned()), extension: name.map(str::to_owned) }
}

impl Words for Addressed<'_> {
    fn tells(&self, pack: &Pack, event: &EventRow) -> Vec<ElementId> {
        let Some(written) = event.v3 else { return Vec::new() };
        super::placed(event, |id| v3::tells(pack, (self.form.name(), written), id))
    }

    fn unfit(&self, pack: &Pack, event: &EventRow, terms: &Terms) -> Option<String> {
        let id = event.id;
        let Some(written) = event.v3 else {
            return Some(format!("event {id} has no HL7 v3 message (v3 in events.toml)"));
        };
        let name = format!("{} {written}", self.form.name());
        let has_place = |id| v3::tells(pack, (self.form.name(), written), id);
        super::unplaced((event, &name), terms, has_place)
    }

    fn write(&self, head: &Head<'_>, told: &Told<'_>) -> Option<Vec<u8>> {
        let Told { pack, event, release, meta } = told;
        let places = self.tells(pack, event);
        let mut record = super::single((head, release), &places, self.authority)?;
        record.dataset = event.v3?;
        let mut written = v3::write_as(pack, self.form.name(), &record)?;
        if self.form == Form::Pix {
            self.keep(&mut written.tree);
        }
        let mut members = self.frame(&written.root, (head.id, meta.answered_at));
        members.extend(written.tree.members().iter().cloned());
        let message = Document { tree: Tree::Map(members), ..written };
        Some(self.envelope(head.id, &message))
    }
}

impl Addressed<'_> {
    /// Root of the numbers of its messages: the sender's own, where no platform has one for all.
    #[must_use]
    pub fn message_root(&self) -> String {
        match self.form {
            Form::Pix => device(self.sender).root.unwrap_or_default(),
            Form::Hospital | Form::Regional => self.form.dialect().message_root().to_owned(),
        }
    }

    /// What every message begins with, up to what the mapping file writes.
    fn frame(&self, root: &str, (id, at): (&str, i64)) -> Vec<Member> {
        let dialect = self.form.dialect();
        let named = |root: &str, extension: &str| Instance {
            root: Some(root.to_owned()),
            extension: Some(extension.to_owned()),
        };
        let end = |role: &str, code: &str, whom: &str| {
            let device = vec![
                attribute("classCode", "DEV"),
                attribute("determinerCode", "INSTANCE"),
                item(dialect, "id", &device(whom)),
            ];
            child(role, vec![attribute("typeCode", code), child("device", device)])
        };
        // Seconds without an offset are what the platforms write.
        let (created, mode) = match self.form {
            Form::Pix => (Date::from_timestamp(at).as_str().to_owned(), Some("T")),
            Form::Hospital | Form::Regional => (stamp(at), None),
        };
        vec![
            attribute("ITSVersion", "XML_1.0"),
            instance("id", &named(&self.message_root(), id)),
            marked("creationTime", "value", &created),
            instance("interactionId", &named(dialect.interaction_root(), root)),
            marked("processingCode", "code", "P"),
            child(
                "processingModeCode",
                mode.map(|mode| attribute("code", mode)).into_iter().collect(),
            ),
            marked("acceptAckCode", "code", "AL"),
            end("receiver", "RCV", self.receiver),
            end("sender", "SND", self.sender),
        ]
    }

    /// Who keeps the entry: the sender, as the registration event of IHE wants it said.
    fn keep(&self, tree: &mut Tree) {
        let entity = vec![attribute("classCode", "ASSIGNED"), instance("id", &device(self.sender))];
        let members = vec![attribute("typeCode", "CST"), child("assignedEntity", entity)];
        let path = ["controlActProcess", "subject", "registrationEvent"];
        let event = path.iter().try_fold(tree, |tree, name| first(tree, name));
        if let Some(Tree::Map(event)) = event {
            event.push(child("custodian", members));
        }
    }

    fn envelope(&self, id: &str, message: &Document) -> Vec<u8> {
        let (namespace, operation, action) = self.call;
        let namespace = Some(namespace.unwrap_or(NAMESPACE));
        let text = || String::from_utf8_lossy(&xml::write(message)).into_owned();
        match self.form {
            Form::Pix => soap::carry(self.edition, self.addressing(id, &message.root), message),
            Form::Hospital => soap::write(
                self.edition,
                (namespace, operation.unwrap_or(SERVER)),
                &[("action", action.unwrap_or(UPDATE)), ("message", &text())],
            ),
            Form::Regional => {
                let operation = operation.unwrap_or(&message.root);
                soap::write(self.edition, (namespace, operation), &[("message", &text())])
            }
        }
    }

    /// The headers of WS-Addressing.
    fn addressing(&self, id: &str, root: &str) -> Vec<Member> {
        let own = || attribute("xmlns", ADDRESSING);
        let marked = |name: &str, text: &str| {
            let members = [own()].into_iter().chain(soap::understood(self.edition));
            let (_, inner) = leaf(name, text);
            let text = inner.item(0).map(Tree::members).unwrap_or_default().to_vec();
            child(name, members.chain(text).collect())
        };
        let plain = |name: &str, inner: Member| child(name, vec![own(), inner]);
        let text = |text: &str| ("#text".to_owned(), Tree::from(text));
        vec![
            marked("Action", &format!("{NAMESPACE}:{root}")),
            plain("MessageID", text(&number(&self.message_root(), id))),
            plain("ReplyTo", leaf("Address", ANONYMOUS)),
            marked("To", self.url),
        ]
    }
}

/// The first child of that name, to be added to.
fn first<'a>(tree: &'a mut Tree, name: &str) -> Option<&'a mut Tree> {
    let Tree::Map(members) = tree else { return None };
    let (_, children) = members.iter_mut().find(|(known, _)| known == name)?;
    let Tree::List(items) = children else { return None };
    items.first_mut()
}

/// A UUID of a notice, the same at every try. Standard: RFC 9562 section 5.8 (version 8).
fn number(root: &str, id: &str) -> String {
    let digest = Sha256::digest(format!("{root}^{id}").as_bytes());
    let mut bits = digest.iter().take(16).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    bits = bits & !(0xf << 76) | 0x8 << 76;
    bits = bits & !(0x3 << 62) | 0x2 << 62;
    let text = format!("{bits:032x}");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let parts = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)];
    format!("urn:uuid:{}", parts.join("-"))
}

#[cfg(test)]
mod tests;
