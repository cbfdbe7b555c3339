//! 上游平台, a regional or hospital platform as an upstream: who somebody is, which documents
//! there are, and the documents.
//!
//! ```text
//! person query → search for documents → documents, where the search found any
//! ```
//!
//! Each question holds the identifiers that were released for it, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::element::{Member, attribute, child, children, instance, leaf, marked};
use super::reply::{document, stamp};
use super::request::{Dialect, Instance, kind_of};
use crate::policy::{Release, Treated};
use crate::registry::{Body, Registry, Reply, ReplyError};
use crate::translate::{Form, v3};
use crate::vocabulary::{Dataset, Fault, Identifier, IdentifierKind, Position, Value};
use crate::wire::soap::{self, Edition};
use crate::wire::tree::Tree;
use crate::wire::xml::{self, Document};

/// Documents asked for at once.
const DOCUMENTS_MAX: usize = 100;

/// A platform of one dialect.
#[derive(Debug, Clone, Copy)]
pub struct Platform(pub Dialect);

impl Registry for Platform {
    fn name(&self) -> &'static str {
        self.0.form().name()
    }

    fn path(&self) -> &'static str {
        ""
    }

    fn media(&self) -> &'static str {
        Edition::One.media()
    }

    fn next(&self, release: &Release, replies: &[Vec<u8>]) -> Result<Option<Vec<u8>>, ReplyError> {
        let named = identifiers(release);
        let receipt = || format!("KQ{}", replies.len());
        Ok(match replies {
            [] => Some(self.call("PatientInfoQuery", &self.person(&named, &receipt()))),
            [_] => Some(self.call("DocumentAccess", &self.search(&named, &receipt()))),
            [_, listed] => {
                let numbers = numbers(&message(listed)?);
                let wanted = (!numbers.is_empty()).then(|| self.fetch(&numbers, &receipt()));
                wanted.map(|wanted| self.call("DocumentRetrieve", &wanted))
            }
            _ => None,
        })
    }

    fn decode(&self, replies: &[Vec<u8>]) -> Result<Vec<Reply>, ReplyError> {
        let mut records = Vec::new();
        if let Some(found) = replies.first() {
            let document = message(found)?;
            let subject = first(&document.tree, &["controlActProcess", "subject"]);
            if subject.is_some() {
                let body = Body::Unit(self.0.form(), xml::write(&document));
                records.push(Reply { dataset: Dataset::fixed("person-found"), body });
            }
        }
        if let Some(fetched) = replies.get(2) {
            // What is no clinical document has no mapping to become a record by.
            let fetched = contents(&message(fetched)?)?;
            for content in fetched.into_iter().filter(|content| v3::is_clinical(content)) {
                let body = Body::Unit(Form::Cda, content);
                records.push(Reply { dataset: Dataset::fixed("document"), body });
            }
        }
        Ok(records)
    }
}

impl Platform {
    /// The call with one message in it: one operation for all, or one for each service.
    fn call(self, action: &str, message: &Document) -> Vec<u8> {
        let text = String::from_utf8_lossy(&xml::write(message)).into_owned();
        let namespace = message.namespace.as_deref();
        match self.0 {
            Dialect::Hospital => soap::write(
                Edition::One,
                (namespace, "HIPMessageServer"),
                &[("action", action), ("message", &text)],
            ),
            Dialect::Regional => {
                soap::write(Edition::One, (namespace, &message.root), &[("message", &text)])
            }
        }
    }

    /// `PRPA_IN201305UV02`
    fn person(self, named: &[Identifier], number: &str) -> Document {
        let criteria = self.values(named);
        let parameters = child("parameterList", vec![child("livingSubjectId", criteria)]);
        self.query("PRPA_IN201305UV02", number, vec![parameters])
    }

    /// `GetDocumentStroedInfoRequest`, `RCMR_IN000029UV01`
    fn search(self, named: &[Identifier], number: &str) -> Document {
        match self.0 {
            Dialect::Hospital => {
                let patient = child("patient.id", self.values(named));
                self.query("RCMR_IN000029UV01", number, vec![patient])
            }
            Dialect::Regional => {
                let of = |kind| named.iter().find(move |known| known.kind == kind);
                let mut members = vec![instance("Id", &self.own(number))];
                for (name, kind) in [
                    ("HealthCardId", IdentifierKind::HealthCard),
                    ("IdentityId", IdentifierKind::CitizenId),
                ] {
                    members.extend(of(kind).map(|known| leaf(name, &known.value)));
                }
                document("GetDocumentStroedInfoRequest", members)
            }
        }
    }

    /// `RetrieveDocumentSetRequest`, `RCMR_IN000031UV01`
    fn fetch(self, numbers: &[Numbered], number: &str) -> Document {
        match self.0 {
            Dialect::Hospital => {
                let value = |one: &Numbered| {
                    vec![
                        attribute("root", "2.16.156.10011.2.5.1.24"),
                        attribute("extension", &one.document),
                    ]
                };
                let values = children("value", numbers.iter().map(value).collect());
                let criterion = child("clinicalDocument.id", vec![values]);
                self.query("RCMR_IN000031UV01", number, vec![criterion])
            }
            Dialect::Regional => {
                let one = |one: &Numbered| {
                    let repository = one.repository.as_deref();
                    let repository = repository.map(|name| leaf("RepositoryUniqueId", name));
                    let document = leaf("DocumentUniqueId", &one.document);
                    repository.into_iter().chain([document]).collect()
                };
                let id = instance("ID", &self.own(number));
                let wanted = children("DocumentRequest", numbers.iter().map(one).collect());
                document("RetrieveDocumentSetRequest", vec![id, wanted])
            }
        }
    }

    fn query(self, name: &str, number: &str, criteria: Vec<Member>) -> Document {
        let mut parameters =
            vec![instance("queryId", &self.own(number)), marked("statusCode", "code", "new")];
        parameters.extend(criteria);
        let process = vec![
            attribute("classCode", "CACT"),
            attribute("moodCode", "EVN"),
            child("queryByParameter", parameters),
        ];
        let interaction = Instance {
            root: Some(self.0.interaction_root().to_owned()),
            extension: Some(name.to_owned()),
        };
        document(
            name,
            vec![
                attribute("ITSVersion", "XML_1.0"),
                instance("id", &self.own(number)),
                marked("creationTime", "value", &stamp(0)),
                instance("interactionId", &interaction),
                marked("processingCode", "code", "P"),
                child("processingModeCode", Vec::new()),
                marked("acceptAckCode", "code", "AL"),
                child("controlActProcess", process),
            ],
        )
    }

    fn own(self, number: &str) -> Instance {
        let root = Some(self.0.message_root().to_owned());
        Instance { root, extension: Some(number.to_owned()) }
    }

    /// The identifiers as values of a criterion.
    fn values(self, named: &[Identifier]) -> Vec<Member> {
        let each = named.iter().filter_map(|identifier| {
            let root = ROOTS.iter().find(|root| kind_of(root) == Some(identifier.kind))?;
            Some(vec![attribute("root", root), attribute("extension", &identifier.value)])
        });
        match self.0 {
            Dialect::Regional => vec![children("value", each.collect())],
            Dialect::Hospital => vec![child("value", vec![children("item", each.collect())])],
        }
    }
}

/// Roots a platform knows people by: citizen id, health card, record number.
const ROOTS: &[&str] = &["2.16.156.10011.1.3", "2.16.156.10011.1.19", "2.16.156.10011.1.2"];

/// One document of a search.
struct Numbered {
    document: String,
    repository: Option<String>,
}

/// What was released of whom to ask about.
fn identifiers(release: &Release) -> Vec<Identifier> {
    let named = release.released().filter_map(|released| match released.value() {
        Treated::Value(Value::Identifier(identifier)) => {
            let value = identifier.normalised().unwrap_or_else(|_| identifier.value.clone());
            Some(Identifier::new(identifier.kind, value))
        }
        _ => None,
    });
    named.collect()
}

/// The message inside an envelope, which must say that it went well.
fn message(reply: &[u8]) -> Result<Document, ReplyError> {
    let limits = xml::Limits::default();
    let call = soap::read(reply, &limits).map_err(|error| ReplyError {
        fault: error.fault,
        at: error.at.unwrap_or_else(|| Position::Pointer(String::new())),
    })?;
    let nothing =
        |fault| ReplyError { fault, at: Position::Pointer(format!("/{}", call.operation)) };
    let text = call.first().ok_or_else(|| nothing(Fault::RequiredMissing))?.message();
    let found = xml::read(&text, &limits)
        .map_err(|error| ReplyError { fault: error.fault(), at: error.position().clone() })?;
    let said = found.tree.get("@status").or_else(|| {
        first(&found.tree, &["acknowledgement"]).and_then(|told| told.get("@typeCode"))
    });
    match said.and_then(Tree::text) {
        // A document that is not there is said by an error: there is none then.
        Some("AE") if found.root == "RetrieveDocumentSetResponse" => Ok(found),
        Some("AA" | "CA") => Ok(found),
        _ => Err(nothing(Fault::UpstreamUnavailable)),
    }
}

fn first<'a>(tree: &'a Tree, path: &[&str]) -> Option<&'a Tree> {
    path.iter().try_fold(tree, |tree, name| tree.get(name)?.item(0))
}

fn text(tree: &Tree, name: &str) -> Option<String> {
    let found = tree.get(name)?.item(0)?.get("#text")?.text()?.trim();
    Some(found.to_owned()).filter(|text| !text.is_empty())
}

/// The documents a search found.
fn numbers(found: &Document) -> Vec<Numbered> {
    let sets = found.tree.get("DocumentSet").map(Tree::items).unwrap_or_default();
    let listed = sets.iter().filter_map(|set| {
        let document = text(set, "DocumentUniqueId")?;
        Some(Numbered { document, repository: text(set, "RepositoryUniqueId") })
    });
    let coded = subjects(found).filter_map(|subject| {
        let id = first(subject, &["clinicalDocument", "id"])?;
        let id = id.get("item").and_then(|items| items.item(0)).unwrap_or(id);
        let document = id.get("@extension")?.text()?.to_owned();
        Some(Numbered { document, repository: None })
    });
    listed.chain(coded).take(DOCUMENTS_MAX).collect()
}

fn subjects(found: &Document) -> impl Iterator<Item = &Tree> {
    let process = first(&found.tree, &["controlActProcess"]);
    process.and_then(|process| process.get("subject")).map(Tree::items).unwrap_or_default().iter()
}

/// The contents of the documents that came.
fn contents(found: &Document) -> Result<Vec<Vec<u8>>, ReplyError> {
    let lines = found.tree.get("DocumentResponse").map(Tree::items).unwrap_or_default();
    let listed = lines.iter().filter_map(|line| text(line, "Document"));
    let coded = subjects(found).filter_map(|subject| {
        let original = first(subject, &["clinicalDocument", "storageCode", "originalText"])?;
        Some(original.get("@value")?.text()?.to_owned())
    });
    let decode = |(index, text): (usize, String)| {
        let plain: String = text.split_ascii_whitespace().collect();
        let at = Position::Pointer(format!("/{}/{index}", found.root));
        STANDARD.decode(plain).map_err(|_| ReplyError { fault: Fault::DataType, at })
    };
    listed.chain(coded).enumerate().map(decode).collect()
}
