//! 请求, a message of the exchange services: which, of whom, and what it asks.
//!
//! Identifiers stand by their root (OID), wherever in the criteria a platform puts them.

use super::services::{self, Interaction};
use crate::identity::linkage::Demographics;
use crate::registry::whom::Whom;
use crate::translate::Form;
use crate::vocabulary::{Fault, Identifier, IdentifierKind, Position};
use crate::wire::tree::Tree;
use crate::wire::xml::{self, Document, XmlError};

/// How far below the criteria a value is looked for.
const DEPTH_MAX: usize = 12;

/// The two dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// 医院信息平台, identifiers inside `<item>`.
    Hospital,
    /// 区域卫生信息平台.
    Regional,
}

impl Dialect {
    /// The form its messages are kept in.
    #[must_use]
    pub const fn form(self) -> Form {
        match self {
            Self::Hospital => Form::V3Hospital,
            Self::Regional => Form::V3Regional,
        }
    }

    /// Root of the identifiers of its messages.
    #[must_use]
    pub const fn message_root(self) -> &'static str {
        match self {
            Self::Hospital => "2.16.156.10011.2.5.1.1",
            Self::Regional => "2.16.156.10011.0",
        }
    }

    /// Root of the names of its interactions.
    #[must_use]
    pub const fn interaction_root(self) -> &'static str {
        match self {
            Self::Hospital => "2.16.156.10011.2.5.1.2",
            Self::Regional => "2.16.840.1.113883.1.6",
        }
    }
}

/// An identifier as HL7 v3 writes one.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Instance {
    /// Whose number it is.
    pub root: Option<String>,
    /// The number.
    pub extension: Option<String>,
}

/// Shows the root alone: the number can be somebody's.
impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Instance({:?}, <masked>)", self.root)
    }
}

impl Instance {
    /// The identifier an element is; `None` if it has neither part.
    pub(super) fn of(tree: &Tree) -> Option<Self> {
        let text = |name: &str| {
            let found = tree.get(name).and_then(Tree::text).map(str::trim);
            found.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let found = Self { root: text("@root"), extension: text("@extension") };
        (found.root.is_some() || found.extension.is_some()).then_some(found)
    }

    /// One text that names it.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match (&self.root, &self.extension) {
            (Some(root), Some(extension)) => Some(format!("{root}^{extension}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        }
    }
}

/// A request that could be read.
#[derive(Debug, Clone)]
pub struct Request {
    /// In which dialect it is answered.
    pub dialect: Dialect,
    /// Which service it is of; `None` for one of no name known here.
    pub service: Option<&'static Interaction>,
    /// The message.
    pub document: Document,
}

impl Request {
    /// Reads a message.
    ///
    /// # Errors
    /// [`XmlError`] if it is no XML.
    pub fn read(dialect: Dialect, bytes: &[u8], limits: &xml::Limits) -> Result<Self, XmlError> {
        let document = xml::read(bytes, limits)?;
        let service = services::of(&document.root);
        Ok(Self { dialect, service, document })
    }

    /// A message that is no XML: what is known of it is the dialect.
    #[must_use]
    pub fn unreadable(dialect: Dialect) -> Self {
        let tree = Tree::Map(Vec::new());
        let document = Document { root: String::new(), namespace: None, tree };
        Self { dialect, service: None, document }
    }

    /// The sender's number of the message.
    #[must_use]
    pub fn id(&self) -> Option<Instance> {
        let named = ["id", "ID", "Id"];
        let found = named.into_iter().find_map(|name| self.document.tree.get(name));
        Instance::of(found?.item(0)?)
    }

    /// The element whose text was sent as the number of the query.
    #[must_use]
    pub fn query_id(&self) -> Option<Instance> {
        Instance::of(self.first(&["controlActProcess", "queryByParameter", "queryId"])?)
    }

    /// The device that sent it, or that shall have it.
    #[must_use]
    pub fn device(&self, end: &str) -> Option<Instance> {
        let id = self.first(&[end, "device", "id"])?;
        Instance::of(id.get("item").and_then(|items| items.item(0)).unwrap_or(id))
    }

    /// The element a path of names leads to, the first of each.
    #[must_use]
    pub fn first(&self, path: &[&str]) -> Option<&Tree> {
        path.iter().try_fold(&self.document.tree, |tree, name| tree.get(name)?.item(0))
    }

    /// The text of an element, or its `value`.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        let found = self.first(path)?;
        let text = found.get("#text").or_else(|| found.get("@value")).and_then(Tree::text);
        text.map(str::trim).filter(|text| !text.is_empty())
    }

    /// Every number of the criteria, in the order of the wire.
    #[must_use]
    pub fn instances(&self) -> Vec<Instance> {
        let mut found = Vec::new();
        if let Some(process) = self.first(&["controlActProcess"]) {
            collect(process, DEPTH_MAX, &mut found);
        }
        found
    }

    /// Whom a question is about: the strongest number it names, under the asker's own
    /// authority where the number is local.
    ///
    /// # Errors
    /// The fault and where it stands, if there is no number a person could be found by.
    pub fn subject(&self, authority: &str) -> Result<Identifier, (Fault, Position)> {
        let plain = |name: &str, kind| {
            let number = self.text(&[name])?;
            Some(Identifier::new(kind, number))
        };
        let registry = [
            plain("IdentityId", IdentifierKind::CitizenId),
            plain("HealthCardId", IdentifierKind::HealthCard),
        ];
        let coded = self.instances().into_iter().filter_map(|instance| {
            let kind = kind_of(instance.root.as_deref()?)?;
            let mut identifier = Identifier::new(kind, instance.extension?);
            if kind == IdentifierKind::Local {
                identifier.authority = Some(authority.to_owned());
            }
            Some(identifier)
        });
        let mut named: Vec<_> = registry.into_iter().flatten().chain(coded).collect();
        named.sort_by_key(|identifier| strength(identifier.kind));
        let place = |name: &str| Position::Pointer(name.to_owned());
        let at = match self.document.root.ends_with("Request") {
            true => place("/IdentityId"),
            false => place("/controlActProcess/queryByParameter"),
        };
        let first = named.into_iter().next().ok_or((Fault::RequiredMissing, at.clone()))?;
        match first.normalised() {
            Ok(_) => Ok(first),
            Err(_) => Err((Fault::IdentifierInvalid, at)),
        }
    }

    /// Whom a question about a person describes, where it names no number: name, birth date,
    /// sex, address and telephone of the parameters.
    #[must_use]
    pub fn described(&self) -> Option<Whom> {
        let value = |name: &str| {
            let path = ["controlActProcess", "queryByParameter", "parameterList", name, "value"];
            self.first(&path)
        };
        let attribute = |name: &str, key: &str| {
            let found = value(name)?.get(key).and_then(Tree::text).map(str::trim);
            found.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let line = |name: &str| {
            let mut found = Vec::new();
            texts(value(name)?, DEPTH_MAX, &mut found);
            let between = if found.iter().all(|text| text.is_ascii()) { " " } else { "" };
            Some(found.join(between)).filter(|text| !text.is_empty())
        };
        let born = attribute("livingSubjectBirthTime", "@value");
        let telephone = attribute("patientTelecom", "@value");
        let telephone = telephone.map(|text| match text.strip_prefix("tel:") {
            Some(bare) => bare.to_owned(),
            None => text,
        });
        Whom::described(Demographics {
            names: line("livingSubjectName").into_iter().collect(),
            sex: attribute("livingSubjectAdministrativeGender", "@code").unwrap_or_default(),
            birth_date: born.unwrap_or_default(),
            phones: telephone.into_iter().collect(),
            addresses: line("patientAddress").into_iter().collect(),
            ..Demographics::default()
        })
    }

    /// How many persons are wanted at once, if the question says.
    #[must_use]
    pub fn quantity(&self) -> Option<usize> {
        let path = ["controlActProcess", "queryByParameter", "initialQuantity"];
        self.text(&path)?.parse().ok().filter(|quantity| *quantity > 0)
    }

    /// The documents asked for, by their numbers.
    #[must_use]
    pub fn documents(&self) -> Vec<String> {
        let registry = self.document.tree.get("DocumentRequest").map(Tree::items);
        let named = registry.unwrap_or_default().iter().filter_map(|one| {
            let text = one.get("DocumentUniqueId")?.item(0)?.get("#text")?.text()?.trim();
            Some(text.to_owned()).filter(|text| !text.is_empty())
        });
        let coded = self.first(&["controlActProcess", "queryByParameter", "clinicalDocument.id"]);
        let mut found = Vec::new();
        if let Some(criterion) = coded {
            collect(criterion, DEPTH_MAX, &mut found);
        }
        named.chain(found.into_iter().filter_map(|instance| instance.extension)).collect()
    }

    /// The title or type of the documents searched for.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        let coded = ["controlActProcess", "queryByParameter", "clinicalDocument.code", "value"];
        let code = self.first(&coded).and_then(|value| value.get("@code")).and_then(Tree::text);
        self.text(&["DocumentTitle"]).or(code).filter(|text| !text.is_empty())
    }
}

/// What a number is, by its root. Standard: the OID tables of WS/T 500 and of both suites.
#[must_use]
pub fn kind_of(root: &str) -> Option<IdentifierKind> {
    match root {
        "2.16.156.10011.1.3" => Some(IdentifierKind::CitizenId),
        "2.16.156.10011.1.19" => Some(IdentifierKind::HealthCard),
        "2.16.156.10011.1.2" => Some(IdentifierKind::RecordNumber),
        "2.16.156.10011.0.2.2" | "2.16.156.10011.2.5.1.4" => Some(IdentifierKind::Local),
        _ => None,
    }
}

const fn strength(kind: IdentifierKind) -> u8 {
    match kind {
        IdentifierKind::CitizenId => 0,
        IdentifierKind::HealthCard => 1,
        IdentifierKind::RecordNumber => 2,
        _ => 3,
    }
}

/// What stands in an element and those inside it, in order.
fn texts(tree: &Tree, depth: usize, found: &mut Vec<String>) {
    if depth == 0 {
        return;
    }
    for (name, children) in tree.members() {
        match name.as_str() {
            "#text" | "@value" => {
                let text = children.text().map(str::trim).filter(|text| !text.is_empty());
                found.extend(text.map(str::to_owned));
            }
            name if name.starts_with(['@', '#']) => (),
            _ => children.items().iter().for_each(|child| texts(child, depth - 1, found)),
        }
    }
}

/// Every element with a root or an extension, in order.
fn collect(tree: &Tree, depth: usize, found: &mut Vec<Instance>) {
    if depth == 0 {
        return;
    }
    found.extend(Instance::of(tree));
    for (name, children) in tree.members() {
        if !name.starts_with(['@', '#']) {
            children.items().iter().for_each(|child| collect(child, depth - 1, found));
        }
    }
}
