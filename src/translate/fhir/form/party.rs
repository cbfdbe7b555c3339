//! Persons, organizations and places: resources of their own, referred to.
//!
//! v2-to-FHIR 1.0.0: `XCN[Practitioner]`, `XON[Organization]`, `PL[Location]`. Equal values
//! are one resource.

use std::collections::HashMap;

use super::identifier::{Authority, Numbered};
use super::{Forms, Shape, component, guarded, list, map, name_line, plain, sub, trimmed};
use crate::translate::fhir::bundle::uuid;
use crate::translate::fhir::leaves::Leaves;
use crate::translate::fhir::plan::FhirRow;
use crate::translate::value;
use crate::vocabulary::value::Composite;
use crate::vocabulary::{Value, ValueType};
use crate::wire::Tree;

/// For each component of XPN, the component of XCN.
const OF_PERSON: [usize; 14] = [2, 3, 4, 5, 6, 7, 10, 15, 16, 17, 18, 19, 20, 21];
/// The resources made of values, each once.
#[derive(Debug, Default)]
pub(in crate::translate::fhir) struct Made {
    /// Resource and its id, in the order in which they were needed.
    pub list: Vec<(String, Tree)>,
    known: HashMap<String, String>,
}

impl Made {
    /// A reference to a resource of this content.
    pub fn add(&mut self, resource: &str, content: Tree) -> Tree {
        let key = format!("{resource}{}", content.to_json());
        let id = match self.known.get(&key) {
            Some(id) => id.clone(),
            None => {
                let id = uuid(key.as_bytes());
                let mut members = vec![
                    ("resourceType".to_owned(), resource.into()),
                    ("id".to_owned(), id.as_str().into()),
                ];
                if let Tree::Map(content) = content {
                    members.extend(content);
                }
                self.list.push((id.clone(), Tree::Map(members)));
                self.known.insert(key, id.clone());
                id
            }
        };
        reference(&id)
    }
}

/// A reference inside the bundle.
pub(in crate::translate::fhir) fn reference(id: &str) -> Tree {
    map([("reference", Some(format!("urn:uuid:{id}").into()))])
}

/// Universal ids an organization may bear itself (HL7 table 0301), which are no numbers
/// somebody else gave it (HL7 table 0203).
const DESIGNATORS: [&str; 7] = ["DNS", "GUID", "HCD", "ISO", "URI", "UUID", "x400"];

/// The hierarchic designator an organization was given by, namespace and universal id.
fn designator(parts: &[String]) -> Option<Authority> {
    let kind = component(parts, 7).filter(|kind| DESIGNATORS.contains(kind))?;
    let universal = component(parts, 10)?;
    Some(Authority {
        namespace: component(parts, 1).map(plain),
        universal: Some(plain(universal)),
        kind: Some(kind.to_owned()),
    })
}

/// An organization as a URI, where it bears one.
fn address_of(whole: &Composite) -> String {
    let authority = designator(&whole.parts);
    let universal = authority.as_ref().and_then(|own| own.universal.as_deref());
    match (authority.as_ref().and_then(|own| own.kind.as_deref()), universal) {
        (Some("ISO"), Some(id)) => format!("urn:oid:{id}"),
        (Some("GUID" | "UUID"), Some(id)) => format!("urn:uuid:{id}"),
        (_, Some(id)) => id.to_owned(),
        (_, None) => whole.text.clone(),
    }
}

impl Forms<'_> {
    pub(super) fn party(self, row: &FhirRow, value: &Value, made: &mut Made) -> Option<Tree> {
        let (whole, resource) = match value {
            Value::Organization(whole) => (whole, "Organization"),
            Value::Person(whole) => (whole, "Practitioner"),
            Value::Place(whole) => (whole, "Location"),
            _ => return None,
        };
        let may = |name: &str| row.targets.is_empty() || row.targets.iter().any(|to| to == name);
        match row.shape {
            Shape::HumanName => Some(self.human_name(&name_of(whole))),
            Shape::Identifier => self.number_of(value, whole, made),
            Shape::Reference if may(resource) => match value {
                Value::Organization(_) => self.organization(row, whole, made),
                Value::Place(_) => self.place(whole, made),
                _ => self.person(row, whole, made),
            },
            Shape::Reference => {
                let identifier = self.number_of(value, whole, made);
                let display = Some(whole.text.as_str().into());
                Some(map([("identifier", identifier), ("display", display)]))
            }
            _ if matches!(row.of.as_str(), "uri" | "url") => Some(address_of(whole).into()),
            _ => Some(whole.text.as_str().into()),
        }
    }

    /// The number of a person or organization.
    fn number_of(self, value: &Value, whole: &Composite, made: &mut Made) -> Option<Tree> {
        let parts = &whole.parts;
        let (number, authority, kind) = match value {
            Value::Organization(_) => (component(parts, 10).or(component(parts, 3)), 6, 7),
            Value::Place(_) => (component(parts, 10), 11, 0),
            _ => (component(parts, 1), 9, 13),
        };
        let number = Numbered {
            value: number.map(plain),
            kind: component(parts, kind).map(str::to_owned),
            authority: Authority::of(parts, authority),
            ..Numbered::default()
        };
        self.numbered(&number, made)
    }

    fn person(self, row: &FhirRow, whole: &Composite, made: &mut Made) -> Option<Tree> {
        let identifier = self.number_of(&Value::Person(whole.clone()), whole, made);
        let name = name_of(whole);
        let named = !name.text.is_empty() || !name.parts.is_empty();
        let name = named.then(|| self.human_name(&name)).filter(|name| !name.is_empty());
        let content = map([
            ("identifier", list(identifier.into_iter().collect())),
            ("name", list(name.into_iter().collect())),
        ]);
        if content.is_empty() {
            return None;
        }
        let person = made.add("Practitioner", content);
        let role = row.role.as_ref().filter(|_| {
            row.targets.is_empty() || row.targets.iter().any(|to| to == "PractitionerRole")
        });
        let Some(role) = role else { return Some(person) };
        let code = self.concept("HL70443", role).map(|code| vec![code]);
        let content = map([("practitioner", Some(person)), ("code", code.and_then(list))]);
        Some(made.add("PractitionerRole", content))
    }

    fn organization(self, row: &FhirRow, whole: &Composite, made: &mut Made) -> Option<Tree> {
        let identifiers = match designator(&whole.parts) {
            Some(authority) => self.names(&authority),
            // v2-to-FHIR 1.0.0, HD[Organization]: the namespace is the first identifier.
            None if row.designator && whole.parts.len() < 2 => {
                self.names(&Authority::named(&whole.text))
            }
            None => {
                let own = self.number_of(&Value::Organization(whole.clone()), whole, made);
                own.into_iter().collect()
            }
        };
        let text = Some(whole.text.clone()).filter(|text| !text.is_empty());
        let name = match whole.parts.is_empty() {
            true => text,
            false => sub(&whole.parts, 1, 1),
        };
        let kind = component(&whole.parts, 2).and_then(|code| self.concept("HL70204", code));
        let content = map([
            ("identifier", list(identifiers)),
            ("type", list(kind.into_iter().collect())),
            ("name", name.map(Tree::from)),
        ]);
        // FHIR R4 invariant org-1: a name or an identifier.
        let named = content.get("name").is_some() || content.get("identifier").is_some();
        named.then(|| made.add("Organization", content))
    }

    /// Whether an organization bears a universal id of its own.
    fn is_designated(self, tree: &Tree) -> bool {
        let uri = self.plan.systems.uri("HL70301");
        tree.get("identifier").map(Tree::items).unwrap_or_default().iter().any(|item| {
            let coding = item.get("type").and_then(|kind| kind.get("coding"));
            let first = coding.and_then(|codings| codings.items().first());
            first.and_then(|coding| coding.get("system")).and_then(Tree::text) == Some(&uri)
        })
    }

    /// Whether somebody has the role a row speaks of, or none that says otherwise.
    fn in_role(self, row: &FhirRow, tree: &Tree) -> bool {
        let codes = tree.get("code").map(Tree::items).unwrap_or_default();
        let codes = codes.iter().filter_map(|code| code.get("coding"));
        let mut codes = codes.flat_map(Tree::items).filter_map(|coding| coding.get("code"));
        let Some(role) = &row.role else { return true };
        codes.clone().next().is_none() || codes.any(|code| code.text() == Some(role))
    }

    pub(super) fn read_party<'t>(
        self,
        (row, of): (&FhirRow, ValueType),
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> Option<Value> {
        let value = |whole| match of {
            ValueType::Organization => Value::Organization(whole),
            ValueType::Place => Value::Place(whole),
            _ => Value::Person(whole),
        };
        let whole = match row.shape {
            Shape::HumanName => person_of(self.read_human_name(tree, leaves)?, Vec::new()),
            Shape::Identifier => self.read_number((of, tree), leaves)?,
            Shape::Reference => self.read_reference((row, of), tree, leaves)?,
            _ => Composite::line(leaves.text(tree)?),
        };
        Some(value(whole))
    }

    fn read_reference<'t>(
        self,
        (row, of): (&FhirRow, ValueType),
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> Option<Composite> {
        if let Some(resource) = leaves.resolved(Some(tree)) {
            let found = leaves.once_more(|leaves| self.read_resource((row, of), resource, leaves));
            if let Some(leaf) = tree.get("reference").filter(|_| found.is_some()) {
                leaves.text(leaf);
                leaves.member(tree, "display");
            }
            return found;
        }
        let numbered = tree.get("identifier").and_then(|tree| self.read_number((of, tree), leaves));
        let text = leaves.member(tree, "display");
        match (numbered, text) {
            (Some(whole), Some(text)) => Some(Composite { text, ..whole }),
            (whole, text) => whole.or(text.map(Composite::line)),
        }
    }

    /// A number alone, in the components of its kind.
    fn read_number<'t>(
        self,
        (of, tree): (ValueType, &'t Tree),
        leaves: &mut Leaves<'t>,
    ) -> Option<Composite> {
        tree.get("value")?;
        let number = self.read_numbered(tree, leaves);
        let text = number.value.clone()?;
        Some(Composite { text, parts: numbers(of, &number) })
    }

    fn read_resource<'t>(
        self,
        (row, of): (&FhirRow, ValueType),
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> Option<Composite> {
        let kind = tree.get("resourceType").and_then(Tree::text)?;
        let number = |leaves: &mut Leaves<'t>| {
            let first = tree.get("identifier").and_then(|list| list.items().first());
            let first = first.filter(|first| first.get("value").is_some());
            first.map(|first| self.read_numbered(first, leaves))
        };
        let found = match (kind, of) {
            ("PractitionerRole", ValueType::Person) => {
                if !self.in_role(row, tree) {
                    return None;
                }
                let inner = leaves.resolved(tree.get("practitioner"))?;
                let found = self.read_resource((row, of), inner, leaves)?;
                if let Some(leaf) = tree.get("practitioner").and_then(|to| to.get("reference")) {
                    leaves.text(leaf);
                }
                if let Some(code) = tree.get("code").and_then(|codes| codes.items().first()) {
                    self.concept_code("HL70443", (code, leaves));
                }
                found
            }
            ("Practitioner", ValueType::Person) => {
                let parts = number(leaves).map(|number| numbers(of, &number)).unwrap_or_default();
                let name = tree.get("name").and_then(|list| list.items().first());
                let name = name.and_then(|name| self.read_human_name(name, leaves));
                person_of(name.unwrap_or_else(|| Composite::line("")), parts)
            }
            ("Organization", ValueType::Organization) if self.is_designated(tree) => {
                let names = self.read_names(tree, leaves);
                let name = leaves.member(tree, "name").or(names.namespace);
                let mut parts = vec![String::new(); 10];
                for (place, text) in [(0, name), (6, names.kind), (9, names.universal)] {
                    let text = text.as_deref().map(guarded).unwrap_or_default();
                    parts.splice(place..=place, [text]);
                }
                Composite { text: value::organization_line(&parts), parts }
            }
            ("Organization", ValueType::Organization) => {
                let name = leaves.member(tree, "name");
                let kind = tree.get("type").and_then(|list| list.items().first());
                let kind = kind.and_then(|kind| self.concept_code("HL70204", (kind, leaves)));
                // A number that repeats the name is none: the name was a designator.
                let named = Authority::named(name.as_deref().unwrap_or_default());
                let number = number(leaves).filter(|number| {
                    number.value != name || number.kind.is_some() || number.authority != named
                });
                self.organization_of((name, kind), number)
            }
            ("Location", ValueType::Place) => self.read_place(tree, leaves),
            _ => return None,
        };
        if let Some(leaf) = tree.get("resourceType") {
            leaves.take(leaf, crate::translate::plan::Bin::Mapped);
        }
        leaves.parties.push(tree);
        Some(found)
    }

    fn organization_of(
        self,
        (name, kind): (Option<String>, Option<String>),
        number: Option<Numbered>,
    ) -> Composite {
        let text = name.clone().or_else(|| number.as_ref()?.value.clone()).unwrap_or_default();
        if kind.is_none() && number.is_none() {
            return Composite::line(text);
        }
        let mut parts = number.map(|number| numbers(ValueType::Organization, &number));
        let parts = parts.get_or_insert_default();
        if parts.len() < 2 {
            parts.resize(2, String::new());
        }
        for (slot, part) in parts.iter_mut().zip([name.as_deref().map(guarded), kind]) {
            *slot = part.unwrap_or_default();
        }
        Composite { text, parts: std::mem::take(parts) }
    }
}

/// The components of a person's number or an organization's.
fn numbers(of: ValueType, number: &Numbered) -> Vec<String> {
    let value = number.value.as_deref().map(guarded);
    let (authority, kind) = (number.authority.component(), number.kind.clone());
    let mut parts: [Option<String>; 13] = Default::default();
    let slots = match of {
        ValueType::Organization => [10, 6, 7],
        ValueType::Place => [10, 11, 12],
        _ => [1, 9, 13],
    };
    for (slot, part) in slots.into_iter().zip([value, authority, kind]) {
        if let Some(slot) = parts.get_mut(slot - 1) {
            *slot = part;
        }
    }
    trimmed(parts)
}

/// The name of a person.
fn name_of(whole: &Composite) -> Composite {
    let part = |number: &usize| component(&whole.parts, *number).map(str::to_owned);
    let parts = OF_PERSON.iter().map(part).map(Option::unwrap_or_default).collect::<Vec<_>>();
    if parts.iter().all(String::is_empty) {
        // A person of whom the number alone is known has no name.
        let numbered = !whole.parts.is_empty();
        return Composite::line(if numbered { "" } else { &whole.text });
    }
    Composite { text: whole.text.clone(), parts }
}

/// A person of a name and a number.
fn person_of(name: Composite, mut parts: Vec<String>) -> Composite {
    let number = parts.first().cloned().unwrap_or_default();
    if parts.is_empty() && name.parts.is_empty() {
        return name;
    }
    if name.parts.is_empty() && name.text.is_empty() {
        return Composite { text: plain(&number), parts };
    }
    let mut text = name.text;
    if name.parts.is_empty() {
        // The line is all there is of the name: it stands where the family name does.
        set(&mut parts, 2, &guarded(&text));
    }
    for (part, number) in name.parts.iter().zip(OF_PERSON) {
        set(&mut parts, number, part);
    }
    if text.is_empty() {
        text = name_line(&name.parts);
    }
    Composite { text, parts }
}

fn set(parts: &mut Vec<String>, number: usize, text: &str) {
    if text.is_empty() {
        return;
    }
    if parts.len() < number {
        parts.resize(number, String::new());
    }
    if let Some(slot) = parts.get_mut(number - 1) {
        text.clone_into(slot);
    }
}
