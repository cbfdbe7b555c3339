//! The forms FHIR's data types give to values, both ways.
//!
//! Writing makes a [`Tree`] of a value; reading takes the leaves it understands, so that
//! what a form cannot keep is seen and counted.

mod code;
mod contact;
mod identifier;
mod name;
mod number;
mod party;
mod place;
mod time;

pub(super) use party::{Made, reference};
pub(super) use time::{date_of, instant};

use super::leaves::Leaves;
use super::plan::{FhirPlan, FhirRow};
use crate::translate::Pack;
use crate::translate::value;
use crate::vocabulary::value::Composite;
use crate::vocabulary::{Value, ValueType};
use crate::wire::Tree;

/// The form a place has, by its FHIR type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Address,
    Annotation,
    Attachment,
    Boolean,
    Bytes,
    Code,
    CodeableConcept,
    Coding,
    ContactPoint,
    Date,
    DateTime,
    HumanName,
    Identifier,
    Moment,
    Money,
    Number,
    Period,
    Quantity,
    Reference,
    Text,
    Time,
    Timing,
}

impl Shape {
    /// The form of a FHIR type; `None` if no value can stand there.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "Address" => Self::Address,
            "Annotation" => Self::Annotation,
            "Attachment" => Self::Attachment,
            "boolean" => Self::Boolean,
            "base64Binary" => Self::Bytes,
            "code" => Self::Code,
            "CodeableConcept" => Self::CodeableConcept,
            "Coding" => Self::Coding,
            "ContactPoint" => Self::ContactPoint,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "HumanName" => Self::HumanName,
            "Identifier" => Self::Identifier,
            "instant" => Self::Moment,
            "Money" => Self::Money,
            "decimal" | "integer" | "positiveInt" | "unsignedInt" => Self::Number,
            "Period" => Self::Period,
            "Age" | "Count" | "Distance" | "Duration" | "Quantity" => Self::Quantity,
            "Reference" => Self::Reference,
            "time" => Self::Time,
            "Timing" => Self::Timing,
            "canonical" | "id" | "markdown" | "oid" | "string" | "uri" | "url" | "uuid" => {
                Self::Text
            }
            _ => return None,
        })
    }

    /// Whether a value of a type has this form.
    pub const fn holds(self, value: ValueType) -> bool {
        use ValueType as V;
        match value {
            V::Address => matches!(self, Self::Address | Self::Text),
            V::Boolean => matches!(self, Self::Boolean | Self::Code | Self::CodeableConcept),
            V::Bytes => matches!(self, Self::Attachment | Self::Bytes),
            V::Code => matches!(
                self,
                Self::Boolean
                    | Self::Code
                    | Self::CodeableConcept
                    | Self::Coding
                    | Self::Identifier
                    | Self::Text
            ),
            V::Date => matches!(
                self,
                Self::Date
                    | Self::DateTime
                    | Self::Moment
                    | Self::Period
                    | Self::Text
                    | Self::Timing
            ),
            V::Identifier => matches!(self, Self::Identifier | Self::Reference | Self::Text),
            V::Name => matches!(self, Self::HumanName | Self::Reference | Self::Text),
            V::Organization | V::Place => {
                matches!(self, Self::Identifier | Self::Reference | Self::Text)
            }
            V::Person => {
                matches!(self, Self::HumanName | Self::Identifier | Self::Reference | Self::Text)
            }
            V::Quantity => {
                matches!(
                    self,
                    Self::Code | Self::Money | Self::Number | Self::Quantity | Self::Text
                )
            }
            V::Telecom => matches!(self, Self::ContactPoint | Self::Text),
            V::Text => !matches!(
                self,
                Self::Attachment
                    | Self::Boolean
                    | Self::Bytes
                    | Self::Date
                    | Self::DateTime
                    | Self::Moment
                    | Self::Money
                    | Self::Period
                    | Self::Quantity
                    | Self::Timing
            ),
        }
    }
}

/// What forms need of the pack.
#[derive(Clone, Copy)]
pub(super) struct Forms<'p> {
    pub pack: &'p Pack,
    pub plan: &'p FhirPlan,
}

/// A map of the members that are there.
pub(super) fn map<const N: usize>(members: [(&str, Option<Tree>); N]) -> Tree {
    let filled = members.into_iter().filter_map(|(name, value)| {
        let value = value.filter(|value| !is_blank(value))?;
        Some((name.to_owned(), value))
    });
    Tree::Map(filled.collect())
}

/// Whether nothing can be read: FHIR has no empty text, and none of spaces alone.
fn is_blank(tree: &Tree) -> bool {
    tree.is_empty() || tree.text().is_some_and(|text| text.trim().is_empty())
}

/// Without members and items that say nothing.
fn filled(tree: Tree) -> Tree {
    match tree {
        Tree::List(items) => {
            let items = items.into_iter().map(filled).filter(|item| !is_blank(item));
            Tree::List(items.collect())
        }
        Tree::Map(members) => {
            let members = members.into_iter().map(|(name, value)| (name, filled(value)));
            Tree::Map(members.filter(|(_, value)| !is_blank(value)).collect())
        }
        leaf => leaf,
    }
}

/// A list, if anything is in it.
pub(super) fn list(items: Vec<Tree>) -> Option<Tree> {
    let items: Vec<_> = items.into_iter().filter(|item| !is_blank(item)).collect();
    (!items.is_empty()).then_some(Tree::List(items))
}

/// A component as it stands, if it is there.
pub(super) fn component(parts: &[String], number: usize) -> Option<&str> {
    let part = number.checked_sub(1).and_then(|index| parts.get(index))?;
    (!part.is_empty()).then_some(part)
}

/// A subcomponent as a person reads it, if it is there.
pub(super) fn sub(parts: &[String], number: usize, inner: usize) -> Option<String> {
    let text = component(parts, number)?.split('&').nth(inner.checked_sub(1)?)?;
    (!text.is_empty()).then(|| plain(text))
}

/// The first subcomponent as text.
pub(super) fn first(parts: &[String], number: usize) -> Option<Tree> {
    let filled = component(parts, number)?.split('&').find(|part| !part.is_empty())?;
    Some(plain(filled).into())
}

/// Without the escapes a component has.
pub(super) fn plain(text: &str) -> String {
    text.replace("\\T\\", "&").replace("\\E\\", "\\")
}

/// As a component or subcomponent has it.
pub(super) fn guarded(text: &str) -> String {
    text.replace('\\', "\\E\\").replace('&', "\\T\\")
}

/// One component of a composite as a person reads it.
fn part(value: &Value, number: usize) -> Option<String> {
    let parts = match value {
        Value::Address(whole)
        | Value::Name(whole)
        | Value::Organization(whole)
        | Value::Person(whole)
        | Value::Place(whole)
        | Value::Telecom(whole) => {
            if whole.parts.is_empty() && number == 1 {
                return Some(whole.text.clone());
            }
            &whole.parts
        }
        Value::Code(coding) => {
            let original = coding.original.as_ref();
            let parts = original.map(|original| original.parts.as_slice()).unwrap_or_default();
            if parts.is_empty() && number == 1 {
                let code = original.map(|original| original.code.clone());
                return code.or_else(|| coding.code.clone());
            }
            return sub(parts, number, 1);
        }
        Value::Identifier(identifier) => &identifier.parts,
        _ => return None,
    };
    sub(parts, number, 1)
}

/// A component list as long as its last filled component.
pub(super) fn trimmed<const N: usize>(parts: [Option<String>; N]) -> Vec<String> {
    let mut parts: Vec<_> = parts.into_iter().map(Option::unwrap_or_default).collect();
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    parts
}

impl<'p> Forms<'p> {
    /// A value in the form of its row's place; `None` if nothing is left to say.
    pub fn write(self, row: &FhirRow, value: &Value, made: &mut Made) -> Option<Tree> {
        let formed = self.formed(row, value, made).map(filled);
        formed.filter(|formed| !is_blank(formed))
    }

    fn formed(self, row: &FhirRow, value: &Value, made: &mut Made) -> Option<Tree> {
        if let Some(number) = row.part {
            return self.text(row, &part(value, number)?);
        }
        match value {
            Value::Address(whole) if row.shape == Shape::Address => Some(self.address(whole)),
            Value::Boolean(yes) => Some(self.yes_or_no(row, *yes)),
            Value::Bytes(bytes) => Some(number::bytes(row.shape, bytes)),
            Value::Code(coding) => self.code(row, coding),
            Value::Date(date) => self.date(row, date),
            Value::Identifier(identifier) => self.identifier(row, identifier, made),
            Value::Name(whole) if row.shape == Shape::HumanName => Some(self.human_name(whole)),
            Value::Organization(_) | Value::Person(_) | Value::Place(_) => {
                self.party(row, value, made)
            }
            Value::Quantity(quantity) => self.quantity(row, quantity),
            Value::Telecom(whole) if row.shape == Shape::ContactPoint => self.contact_point(whole),
            Value::Address(Composite { text, .. })
            | Value::Name(Composite { text, .. })
            | Value::Telecom(Composite { text, .. })
            | Value::Text(text) => self.text(row, text),
        }
    }

    /// A value in the words it is joined by.
    pub fn words(self, value: &Value) -> Option<String> {
        let text = match value {
            Value::Address(whole)
            | Value::Name(whole)
            | Value::Organization(whole)
            | Value::Person(whole)
            | Value::Place(whole)
            | Value::Telecom(whole) => whole.text.clone(),
            Value::Code(coding) => self.said(coding)?,
            Value::Date(date) => date.to_iso(),
            Value::Identifier(identifier) => identifier.value.clone(),
            Value::Text(text) => text.clone(),
            Value::Boolean(_) | Value::Bytes(_) | Value::Quantity(_) => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Words in whatever form a place has for them.
    fn text(self, row: &FhirRow, text: &str) -> Option<Tree> {
        let within = |member: &str| Some(map([(member, Some(text.into()))]));
        match row.shape {
            Shape::Address | Shape::Annotation | Shape::CodeableConcept | Shape::HumanName => {
                within("text")
            }
            Shape::Code => code::is_code(text).then(|| text.into()),
            Shape::Coding | Shape::Reference => within("display"),
            Shape::ContactPoint => self.contact_point(&Composite::line(text)),
            Shape::Identifier => {
                let system = row.system.as_deref().map(|name| self.plan.systems.uri(name).into());
                Some(map([("system", system), ("value", Some(text.into()))]))
            }
            Shape::Number => number::plain_number(text),
            Shape::Text | Shape::Time => Some(text.into()),
            _ => None,
        }
    }

    /// The value at a place; what it takes is counted as mapped.
    pub fn read<'t>(self, row: &FhirRow, tree: &'t Tree, leaves: &mut Leaves<'t>) -> Option<Value> {
        let element = self.pack.catalogue().get(row.meaning.element)?;
        match element.value {
            ValueType::Address if row.shape == Shape::Address => {
                self.read_address(tree, leaves).map(Value::Address)
            }
            ValueType::Boolean => self.read_yes_or_no(row, tree, leaves).map(Value::Boolean),
            ValueType::Bytes => number::read_bytes(row.shape, tree, leaves).map(Value::Bytes),
            ValueType::Code => self.read_code(row, tree, leaves).map(Value::Code),
            ValueType::Date => self.read_date(row, tree, leaves).map(Value::Date),
            ValueType::Identifier => self.read_identifier(row, tree, leaves).map(Value::Identifier),
            ValueType::Name if row.shape == Shape::HumanName => {
                self.read_human_name(tree, leaves).map(Value::Name)
            }
            ValueType::Organization | ValueType::Person | ValueType::Place => {
                self.read_party((row, element.value), tree, leaves)
            }
            ValueType::Quantity => self.read_quantity(row, tree, leaves).map(Value::Quantity),
            ValueType::Telecom if row.shape == Shape::ContactPoint => {
                self.read_contact_point(tree, leaves).map(Value::Telecom)
            }
            ValueType::Address => Self::read_text(row, tree, leaves).map(Value::Address),
            ValueType::Name => Self::read_text(row, tree, leaves).map(Value::Name),
            ValueType::Telecom => Self::read_text(row, tree, leaves).map(Value::Telecom),
            ValueType::Text => {
                Self::read_text(row, tree, leaves).map(|whole| Value::Text(whole.text))
            }
        }
    }

    /// The words of a place.
    fn read_text<'t>(row: &FhirRow, tree: &'t Tree, leaves: &mut Leaves<'t>) -> Option<Composite> {
        let member = match row.shape {
            Shape::Address | Shape::Annotation | Shape::CodeableConcept | Shape::HumanName => {
                "text"
            }
            Shape::Coding | Shape::Reference => "display",
            Shape::ContactPoint | Shape::Identifier => "value",
            _ => return leaves.text(tree).map(Composite::line),
        };
        leaves.text(tree.get(member)?).map(Composite::line)
    }

    /// The line a person reads, made of parts.
    fn line(parts: &[String], line: fn(&[String]) -> String) -> Composite {
        let text = line(parts);
        Composite { text, parts: parts.to_vec() }
    }
}

/// The line of a name by the form of its parts.
fn name_line(parts: &[String]) -> String {
    value::name_line(crate::translate::file::NameForm::Xpn)(parts)
}
