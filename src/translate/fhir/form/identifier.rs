//! Identifier (CX) and assigning authorities (HD).
//!
//! v2-to-FHIR 1.0.0, `CX[Identifier]` and `HD[Organization]`: the universal id is the
//! system where there is one, else the namespace; an authority with both is an
//! Organization too, so that neither is lost. The kinds the gateway knows have the
//! national OIDs `systems.csv` gives to their names (`citizen-id`, …).

use super::{Forms, Made, Shape, component, guarded, list, map, sub, trimmed};
use crate::translate::fhir::leaves::Leaves;
use crate::translate::fhir::plan::FhirRow;
use crate::translate::plan::Read;
use crate::vocabulary::{Identifier, IdentifierKind};
use crate::wire::Tree;

/// Table of the types of identifiers.
const TYPES: &str = "HL70203";
/// Table of the types of universal ids.
const UNIVERSAL: &str = "HL70301";
/// The system of identifiers that are URIs themselves.
const URI: &str = "urn:ietf:rfc:3986";

/// An assigning authority in its three subcomponents.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    pub namespace: Option<String>,
    pub universal: Option<String>,
    pub kind: Option<String>,
}

/// What an identifier is made of.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    pub value: Option<String>,
    pub kind: Option<String>,
    pub authority: Authority,
    pub start: Option<String>,
    pub end: Option<String>,
    /// Whether it is an EI, whose type is that of its universal id (`EI[Identifier-System]`).
    pub designated: bool,
}

impl Authority {
    /// From the component at a number.
    pub fn of(parts: &[String], number: usize) -> Self {
        let [namespace, universal, kind] = [1, 2, 3].map(|inner| sub(parts, number, inner));
        Self { namespace, universal, kind }
    }

    /// A name alone: an OID is a universal id.
    pub(super) fn named(name: &str) -> Self {
        Self { namespace: Some(name.to_owned()), ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.namespace.is_none() && self.universal.is_none()
    }

    /// As a component.
    pub fn component(&self) -> Option<String> {
        let [namespace, universal, kind] = [&self.namespace, &self.universal, &self.kind]
            .map(|part| part.as_deref().map(guarded).unwrap_or_default());
        let whole = format!("{namespace}&{universal}&{kind}");
        let whole = whole.trim_end_matches('&');
        (!whole.is_empty()).then(|| whole.to_owned())
    }
}

impl Forms<'_> {
    /// The system an authority stands for.
    fn system(self, authority: &Authority) -> Option<String> {
        let systems = &self.plan.systems;
        match (&authority.universal, authority.kind.as_deref(), &authority.namespace) {
            (Some(id), Some("UUID" | "GUID"), _) => {
                Some(format!("urn:uuid:{}", id.to_ascii_lowercase()))
            }
            (Some(id), _, _) => Some(systems.uri(id)),
            (None, _, Some(name)) => Some(systems.uri(name)),
            (None, _, None) => None,
        }
    }

    /// The authority a system stands for.
    fn authority(self, uri: &str) -> Authority {
        let universal = |id: String, kind: &str| Authority {
            namespace: None,
            universal: Some(id),
            kind: Some(kind.to_owned()),
        };
        if let Some(id) = uri.strip_prefix("urn:uuid:") {
            return universal(id.to_owned(), "UUID");
        }
        let name = self.plan.systems.name(uri);
        let digits = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if digits && name.contains('.') && uri.starts_with("urn:oid:") {
            return universal(name, "ISO");
        }
        Authority::named(&name)
    }

    /// An authority with both names as an organization.
    fn assigner(self, authority: &Authority, made: &mut Made) -> Option<Tree> {
        authority.namespace.as_ref().and(authority.universal.as_ref())?;
        Some(made.add("Organization", map([("identifier", list(self.names(authority)))])))
    }

    /// The names of an authority, as identifiers of itself.
    pub(super) fn names(self, authority: &Authority) -> Vec<Tree> {
        let namespace = authority.namespace.as_ref().map(|name| {
            let system = self.plan.systems.uri(name);
            map([("system", Some(system.into())), ("value", Some(name.as_str().into()))])
        });
        let universal = authority.universal.as_ref().map(|id| {
            let kind = authority.kind.as_deref();
            let (system, value) = match kind {
                Some("ISO") => (Some(URI), format!("urn:oid:{id}")),
                Some("UUID" | "GUID") => (Some(URI), format!("urn:uuid:{id}")),
                Some("URI") => (Some(URI), id.clone()),
                _ => (None, id.clone()),
            };
            map([
                ("type", kind.and_then(|kind| self.concept(UNIVERSAL, kind))),
                ("system", system.map(Tree::from)),
                ("value", Some(value.into())),
            ])
        });
        namespace.into_iter().chain(universal).collect()
    }

    /// The authority whose names an organization or place has.
    pub(super) fn read_names<'t>(self, tree: &'t Tree, leaves: &mut Leaves<'t>) -> Authority {
        let mut found = Authority::default();
        let uri = self.plan.systems.uri(UNIVERSAL);
        for item in tree.get("identifier").map(Tree::items).unwrap_or_default() {
            let typed = item.get("type").and_then(|kind| kind.get("coding"));
            let typed = typed.and_then(|codings| codings.items().first());
            let universal = typed.and_then(|coding| coding.get("system")).and_then(Tree::text)
                == Some(uri.as_str());
            if universal && found.universal.is_none() {
                let kind = item.get("type");
                found.kind = kind.and_then(|kind| self.concept_code(UNIVERSAL, (kind, leaves)));
                leaves.member(item, "system");
                found.universal = leaves.member(item, "value").map(|value| {
                    let bare = value.strip_prefix("urn:oid:").or(value.strip_prefix("urn:uuid:"));
                    bare.unwrap_or(&value).to_owned()
                });
                continue;
            }
            let value = item.get("value").and_then(Tree::text);
            let system = item.get("system").and_then(Tree::text);
            let own = value.map(|value| self.plan.systems.uri(value));
            if !universal && system.is_none() && found.universal.is_none() {
                // A universal id of no stated kind.
                found.universal = leaves.member(item, "value");
            } else if own.as_deref() == system && own.is_some() && found.namespace.is_none() {
                leaves.member(item, "system");
                found.namespace = leaves.member(item, "value");
            }
        }
        found
    }

    /// An identifier of these parts; `None` if it says nothing.
    pub(super) fn numbered(self, number: &Numbered, made: &mut Made) -> Option<Tree> {
        let kind = number.kind.as_deref().and_then(|kind| self.concept(TYPES, kind));
        let universal = number.designated.then_some(number.authority.kind.as_deref()).flatten();
        let kind = kind.or_else(|| universal.and_then(|kind| self.concept(UNIVERSAL, kind)));
        let whole = map([
            ("type", kind),
            ("system", self.system(&number.authority).map(Tree::from)),
            ("value", number.value.as_deref().map(Tree::from)),
            ("period", self.period(number.start.as_deref(), number.end.as_deref())),
            ("assigner", self.assigner(&number.authority, made)),
        ]);
        // A system or type alone identifies nothing.
        number.value.as_ref().map(|_| whole)
    }

    /// The parts of an identifier.
    pub(super) fn read_numbered<'t>(self, tree: &'t Tree, leaves: &mut Leaves<'t>) -> Numbered {
        let value = leaves.member(tree, "value");
        let kind = tree.get("type").and_then(|kind| self.concept_code(TYPES, (kind, leaves)));
        let system = leaves.member(tree, "system");
        let mut authority = system.map(|uri| self.authority(&uri)).unwrap_or_default();
        if let Some(organization) = leaves.resolved(tree.get("assigner")) {
            let names = leaves.once_more(|leaves| self.read_names(organization, leaves));
            let joins = authority.universal.is_none() || authority.universal == names.universal;
            if joins && !names.is_empty() {
                authority = names;
                if let Some(leaf) = tree.get("assigner").and_then(|to| to.get("reference")) {
                    leaves.text(leaf);
                }
                leaves.party(organization);
            }
        }
        let [start, end] = self.read_period(tree, leaves);
        Numbered { value, kind, authority, start, end, designated: false }
    }

    pub(super) fn identifier(
        self,
        row: &FhirRow,
        identifier: &Identifier,
        made: &mut Made,
    ) -> Option<Tree> {
        let Read::Identifier(kind) = row.meaning.read else { return None };
        if kind.is_some_and(|kind| kind != identifier.kind) {
            return None;
        }
        if row.shape == Shape::Text {
            return Some(identifier.value.as_str().into());
        }
        let parts = &identifier.parts;
        let mut authority = Authority::of(parts, 4);
        if authority.is_empty() {
            let name = identifier.authority.as_deref().or(row.system.as_deref());
            authority = name.map(Authority::named).unwrap_or_default();
        }
        let whole = |whole| match row.shape {
            Shape::Reference => map([("identifier", Some(whole))]),
            _ => whole,
        };
        if parts.first().is_some_and(String::is_empty) && authority.universal.is_some() {
            // It is known by its universal id alone.
            authority.namespace = None;
            return self.names(&authority).pop().map(whole);
        }
        let mut number = Numbered {
            value: Some(identifier.value.clone()),
            kind: identifier.type_code.clone(),
            authority,
            start: component(parts, 7).map(str::to_owned),
            end: component(parts, 8).map(str::to_owned),
            designated: row.besides.is_empty()
                && (kind.is_none() || identifier.kind == IdentifierKind::Other),
        };
        let national = identifier.kind.as_str();
        // An authority with an id of its own says otherwise than the type code.
        let uri = self.plan.systems.uri(national);
        let foreign = number.authority.universal.as_deref();
        let foreign = foreign.is_some_and(|id| self.plan.systems.uri(id) != uri);
        if self.plan.systems.knows(national) && !foreign {
            number.authority = Authority::named(national);
        }
        self.numbered(&number, made).map(whole)
    }

    pub(super) fn read_identifier<'t>(
        self,
        row: &FhirRow,
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> Option<Identifier> {
        let Read::Identifier(own) = row.meaning.read else { return None };
        let local = IdentifierKind::Local;
        if row.shape == Shape::Text {
            let value = leaves.text(tree)?;
            return Some(Identifier::new(own.unwrap_or(local), value));
        }
        let tree = if row.shape == Shape::Reference { tree.get("identifier")? } else { tree };
        tree.get("value")?.text()?;
        let kind = match own {
            // What its place says of it counts more: it identifies nobody.
            Some(other @ IdentifierKind::Other) => other,
            _ => self.kind(tree).or(own).unwrap_or(local),
        };
        if let Some(authority) = self.read_universal(tree, leaves) {
            let value = authority.universal.clone()?;
            let parts = trimmed([None, None, None, authority.component()]);
            return Some(Identifier { kind, value, authority: None, type_code: None, parts });
        }
        let number = self.read_numbered(tree, leaves);
        // Another row took it.
        number.value.as_ref()?;
        let national = self.plan.systems.knows(kind.as_str());
        let authority = Some(&number.authority).filter(|_| !national);
        let name = authority.and_then(|name| name.namespace.clone().or(name.universal.clone()));
        let rich = number.start.is_some()
            || number.end.is_some()
            || authority.is_some_and(|name| name.universal.is_some());
        let value = number.value.unwrap_or_default();
        let parts = rich.then(|| {
            let authority = authority.and_then(Authority::component);
            let value = Some(guarded(&value));
            let (start, end) = (number.start.clone(), number.end.clone());
            trimmed([value, None, None, authority, number.kind.clone(), None, start, end])
        });
        Some(Identifier {
            kind,
            value,
            authority: name,
            type_code: number.kind,
            parts: parts.unwrap_or_default(),
        })
    }

    /// A universal id that is all something is known by.
    fn read_universal<'t>(self, tree: &'t Tree, leaves: &mut Leaves<'t>) -> Option<Authority> {
        let uri = self.plan.systems.uri(UNIVERSAL);
        let coding = tree.get("type")?.get("coding")?.items().first()?;
        let universal = coding.get("system").and_then(Tree::text) == Some(&uri);
        let system = tree.get("system").and_then(Tree::text);
        if !universal || system.is_some_and(|system| system != URI) {
            return None;
        }
        let kind = tree.get("type").and_then(|kind| self.concept_code(UNIVERSAL, (kind, leaves)));
        leaves.member(tree, "system");
        let value = leaves.member(tree, "value")?;
        let bare = value.strip_prefix("urn:oid:").or(value.strip_prefix("urn:uuid:"));
        let universal = Some(bare.unwrap_or(&value).to_owned());
        Some(Authority { namespace: None, universal, kind })
    }

    /// The kind an identifier says of itself: by its system, else by its type.
    pub(in crate::translate::fhir) fn kind(self, tree: &Tree) -> Option<IdentifierKind> {
        let system = tree.get("system").and_then(Tree::text);
        let named = system.map(|uri| self.plan.systems.name(uri));
        if let Some(kind) = named.as_deref().and_then(IdentifierKind::parse) {
            return Some(kind);
        }
        let uri = self.plan.systems.uri(TYPES);
        let codings = tree.get("type")?.get("coding")?.items();
        let typed = |coding: &&Tree| coding.get("system").and_then(Tree::text) == Some(&uri);
        let code = codings.iter().find(typed)?.get("code")?.text()?;
        self.pack.hl7.kinds.get(code).copied()
    }
}
