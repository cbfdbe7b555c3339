//! What one row makes of the leaves its path covers.

use std::ops::Range;

use super::file::NameForm;
use super::leaf::{Leaf, Leaves};
use super::overlay::Overlay;
use super::path::Hl7Path;
use super::plan::{Bin, FieldPlan, Observation, Read, SegmentRow};
use super::value::{self, Wrong};
use crate::vocabulary::value::Quantity;
use crate::vocabulary::{ElementId, Identifier, IdentifierKind, Source, Value};

/// A row at one repetition of its field.
#[derive(Clone)]
pub(super) struct Reading<'a> {
    pub row: &'a SegmentRow,
    pub overlay: &'a Overlay,
    pub source: Source,
    pub repetition: Range<usize>,
    /// The kind an identifier here is of.
    pub kind: IdentifierKind,
}

impl Reading<'_> {
    /// The value, and the element it belongs to.
    pub fn value(
        &self,
        leaves: &mut Leaves<'_>,
        part: &Range<usize>,
    ) -> Result<(ElementId, Value), Wrong> {
        let meaning = &self.row.meaning;
        let component = self.row.path.component;
        let mut composite = |line| value::composite(leaves, part, component, line);
        let value = match &meaning.read {
            Read::Address => Value::Address(composite(value::address_line)),
            Read::Name(form) => Value::Name(composite(value::name_line(*form))),
            Read::Telecom => Value::Telecom(composite(value::telecom_line)),
            Read::Organization if self.row.form == NameForm::Hd => {
                Value::Organization(value::designated(leaves, part, component))
            }
            Read::Organization => {
                Value::Organization(value::whole(leaves, part, component, value::organization_line))
            }
            Read::Person => {
                Value::Person(value::whole(leaves, part, component, value::person_line))
            }
            Read::Place if self.row.form == NameForm::Hd => {
                Value::Place(value::facility(leaves, part, component))
            }
            Read::Place => Value::Place(value::whole(leaves, part, component, value::place_line)),
            Read::Bytes => Value::Bytes(value::encapsulated(leaves, part, component)?),
            Read::Boolean => self.scalar(leaves, part, |text| {
                let text = self.overlay.code(meaning.id, value::trimmed(text, self.overlay));
                value::boolean(text).map(Value::Boolean)
            })?,
            Read::Code(codes) => Value::Code(value::coding(leaves, part, codes, self)?),
            Read::Date => {
                self.scalar(leaves, part, |text| value::date(text, self.overlay).map(Value::Date))?
            }
            Read::Identifier(_) => {
                let found = match self.row.form {
                    NameForm::Ei => value::entity(leaves, part, self.kind),
                    _ => identifier(leaves, part, self.kind, component),
                };
                Value::Identifier(self.owned_by(found.ok_or(Wrong::Absent)?))
            }
            Read::Observation(by_type) => return self.observation(leaves, part, by_type),
            Read::Quantity => self.quantity(leaves, part)?,
            Read::Text => self.scalar(leaves, part, |text| Ok(Value::Text(text.to_owned())))?,
        };
        Ok((meaning.element, value))
    }

    /// The first leaf of the path, read; it is taken only if it could be.
    fn scalar(
        &self,
        leaves: &mut Leaves<'_>,
        part: &Range<usize>,
        read: impl Fn(&str) -> Result<Value, Wrong>,
    ) -> Result<Value, Wrong> {
        let at = leaves.at(part, &self.row.path).ok_or(Wrong::Absent)?;
        let value = read(leaves.text(at))?;
        leaves.take(at, Bin::Mapped);
        Ok(value)
    }

    fn quantity(&self, leaves: &mut Leaves<'_>, part: &Range<usize>) -> Result<Value, Wrong> {
        let at = leaves.at(part, &self.row.path).ok_or(Wrong::Absent)?;
        let quantity = value::quantity(value::trimmed(leaves.text(at), self.overlay))?;
        leaves.take(at, Bin::Mapped);
        Ok(self.with_unit(leaves, quantity))
    }

    /// The unit's first component is its name; where that is empty, the second.
    fn with_unit(&self, leaves: &mut Leaves<'_>, mut quantity: Quantity) -> Value {
        if let Some(path) = &self.row.unit {
            let within = match path.field == self.row.path.field {
                true => self.repetition.clone(),
                false => leaves.field(path.field),
            };
            let second = || leaves.find(&within, 2, 1).filter(|_| path.component == 0);
            if let Some(at) = leaves.at(&within, path).or_else(second) {
                quantity.unit = Some(leaves.text(at).to_owned());
                leaves.take(at, Bin::Mapped);
            }
        }
        Value::Quantity(quantity)
    }

    /// OBX-5, typed by OBX-2 (HL7 table 0125).
    fn observation(
        &self,
        leaves: &mut Leaves<'_>,
        part: &Range<usize>,
        by_type: &Observation,
    ) -> Result<(ElementId, Value), Wrong> {
        let path = Hl7Path { field: 2, component: 1, subcomponent: 1, ..self.row.path };
        let kind = leaves.at(&leaves.field(2), &path).map_or("", |at| leaves.text(at));
        let text = by_type.text.filter(|_| kind != "ED");
        let typed = match kind {
            "CE" | "CF" | "CNE" | "CWE" | "ID" | "IS" => by_type.code.as_ref().map(|row| {
                let coding = value::coding(leaves, part, &row.1, self)?;
                Ok((row.0, Value::Code(coding)))
            }),
            "DT" | "DTM" | "TS" => by_type.date.map(|element| {
                let date = |text: &str| value::date(text, self.overlay).map(Value::Date);
                Ok((element, self.scalar(leaves, part, date)?))
            }),
            "NM" => by_type.quantity.map(|element| Ok((element, self.quantity(leaves, part)?))),
            "SN" => by_type.quantity.map(|element| {
                let quantity = value::structured(leaves, part)?;
                Ok((element, self.with_unit(leaves, quantity)))
            }),
            // Bytes and pointers to bytes are no text.
            "ED" => by_type.bytes.map(|element| {
                let bytes = value::encapsulated(leaves, part, self.row.path.component);
                Ok((element, Value::Bytes(bytes.map_err(|_| Wrong::Absent)?)))
            }),
            "RP" => return Err(Wrong::Absent),
            _ => None,
        };
        match (typed, text) {
            (Some(Ok(value)), _) => Ok(value),
            (Some(Err(Wrong::Type)) | None, Some(element)) => {
                Ok((element, Value::Text(flattened(leaves, part))))
            }
            (Some(Err(wrong)), _) => Err(wrong),
            (None, None) => Err(Wrong::Absent),
        }
    }

    /// A number that only means something under an authority gets the sender's.
    fn owned_by(&self, identifier: Identifier) -> Identifier {
        with_authority(identifier, self.overlay, self.source)
    }
}

/// The identifier of one repetition (CX): number, authority, type code, and all components
/// where there are more.
pub(super) fn identifier(
    leaves: &mut Leaves<'_>,
    part: &Range<usize>,
    kind: IdentifierKind,
    component: u16,
) -> Option<Identifier> {
    let number = leaves.find(part, component.max(1), 1)?;
    let authority = leaves.find(part, 4, 1).or_else(|| leaves.find(part, 4, 2));
    let type_code = leaves.find(part, 5, 1);
    let own = |leaf: &Leaf<'_>| leaf.at.subcomponent == 1 && matches!(leaf.at.component, 1 | 4 | 5);
    let more = component == 0 && !leaves.slice(part).iter().all(own);
    let parts = if more { value::parts(leaves, part) } else { Vec::new() };
    let text = |at: Option<usize>| at.map(|at| leaves.text(at).to_owned());
    let found = Identifier {
        kind,
        value: text(Some(number))?,
        authority: text(authority),
        type_code: text(type_code),
        parts,
    };
    for index in [Some(number), authority, type_code].into_iter().flatten() {
        leaves.take(index, Bin::Mapped);
    }
    leaves.take_all(part, if more { Bin::Mapped } else { Bin::Carried });
    Some(found)
}

/// The sender's own authority where a local number names none.
pub(super) fn with_authority(
    mut identifier: Identifier,
    overlay: &Overlay,
    source: Source,
) -> Identifier {
    let owned = matches!(identifier.kind, IdentifierKind::Local | IdentifierKind::Other);
    if owned && identifier.authority.is_none() {
        let own = overlay.authority.clone();
        identifier.authority = Some(own.unwrap_or_else(|| source.as_str().to_owned()));
    }
    identifier
}

/// The kind an identifier row gives to a repetition of a known kind or none; `None` if
/// the repetition is not this row's.
pub(super) fn accepted(
    plan: &FieldPlan,
    row: &SegmentRow,
    known: Option<IdentifierKind>,
) -> Option<IdentifierKind> {
    let Read::Identifier(own) = row.meaning.read else { return Some(IdentifierKind::Local) };
    let same = |other: &&SegmentRow| other.is_identifier() && other.path.overlaps(&row.path);
    let rows = || plan.rows.iter().filter(same);
    let wants = |kind| move |other: &SegmentRow| other.kind() == Some(kind);
    let local = IdentifierKind::Local;
    match (own, known) {
        (None, known) => Some(known.unwrap_or(local)),
        (Some(own), Some(known)) if own == known => Some(known),
        (Some(IdentifierKind::Local), Some(known)) => (!rows().any(wants(known))).then_some(known),
        (Some(IdentifierKind::Local), None) => Some(local),
        // The field itself says what it is; a document stays one whatever type it bears.
        (Some(own), None) | (Some(own @ IdentifierKind::Other), Some(_)) => {
            (rows().count() == 1).then_some(own)
        }
        (Some(_), Some(_)) => None,
    }
}

/// A value that is not of its type, as one line; its leaves are taken.
fn flattened(leaves: &mut Leaves<'_>, part: &Range<usize>) -> String {
    let mut text = String::new();
    for leaf in leaves.slice_mut(part) {
        leaf.bin = Some(Bin::Mapped);
        if !text.is_empty() {
            text.push(if leaf.at.subcomponent > 1 { '&' } else { '^' });
        }
        text.push_str(&leaf.text);
    }
    text
}
