//! One fresh segment: the values of a group put where the table's two-way rows have them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::expand;
use super::parts::Leaves;
use crate::translate::Pack;
use crate::translate::file::{NameForm, Way};
use crate::translate::path::Hl7Path;
use crate::translate::plan::{Codes, Observation, Read, SegmentPlan, SegmentRow};
use crate::translate::value::is_local;
use crate::vocabulary::code::Original;
use crate::vocabulary::value::Composite;
use crate::vocabulary::{
    Coding, ElementId, Field, Group, Identifier, IdentifierKind, Position, Value,
};
use crate::wire::Charset;
use crate::wire::hl7v2::{Separators, escape};

/// The place of one leaf in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub field: u16,
    pub repetition: u16,
    pub component: u16,
    pub subcomponent: u16,
}

impl Slot {
    /// The first leaf of a field.
    pub const fn field(field: u16) -> Self {
        Self { field, repetition: 1, component: 1, subcomponent: 1 }
    }

    /// The leaf of a path, in one repetition of its field.
    pub fn at(path: &Hl7Path, repetition: u16) -> Self {
        let (component, subcomponent) = (path.component.max(1), path.subcomponent.max(1));
        Self { field: path.field, repetition, component, subcomponent }
    }
}

/// The leaves of a segment that is being written.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    leaves: BTreeMap<Slot, String>,
    /// How many repetitions of each field rows have filled.
    repetitions: BTreeMap<u16, u16>,
}

impl Written {
    /// Whether nothing stands in it.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Puts a text; an empty one is nothing.
    pub fn put(&mut self, slot: Slot, text: &str) {
        if !text.is_empty() {
            self.leaves.insert(slot, text.to_owned());
        }
    }

    /// Puts a text where none stands.
    pub fn put_new(&mut self, slot: Slot, text: &str) {
        if !self.leaves.contains_key(&slot) {
            self.put(slot, text);
        }
    }

    /// Each leaf with the names a query has for its place: `@PID.5.1.1`, `@PID.5.1`, `@PID.5`.
    pub fn named(&self, id: &str) -> Vec<(String, String)> {
        let mut named = Vec::new();
        for (slot, text) in &self.leaves {
            let Slot { field, component, subcomponent, .. } = slot;
            let mut name = format!("@{id}.{field}");
            if (*component, *subcomponent) == (1, 1) {
                named.push((name.clone(), text.clone()));
            }
            name.push_str(&format!(".{component}"));
            if *subcomponent == 1 {
                named.push((name.clone(), text.clone()));
            }
            named.push((format!("{name}.{subcomponent}"), text.clone()));
        }
        named
    }

    /// Takes away all of a field.
    pub fn clear(&mut self, field: u16) {
        self.leaves.retain(|slot, _| slot.field != field);
        self.repetitions.remove(&field);
    }

    /// What stands in a place.
    pub fn text(&self, slot: Slot) -> &str {
        self.leaves.get(&slot).map(String::as_str).unwrap_or_default()
    }

    /// The segment with its id, ended.
    pub fn line(&self, id: &str, separators: &Separators) -> String {
        let mut line = id.to_owned();
        let mut at = Slot { field: 0, repetition: 1, component: 1, subcomponent: 1 };
        let push = |line: &mut String, sign: u8, times: u16| {
            line.extend(std::iter::repeat_n(char::from(sign), usize::from(times)));
        };
        for (slot, text) in &self.leaves {
            if slot.field > at.field {
                push(&mut line, separators.field, slot.field - at.field);
                at = Slot::field(slot.field);
            }
            if slot.repetition > at.repetition {
                push(&mut line, separators.repetition, slot.repetition - at.repetition);
                at = Slot { repetition: slot.repetition, ..Slot::field(slot.field) };
            }
            if slot.component > at.component {
                push(&mut line, separators.component, slot.component - at.component);
                at = Slot { component: slot.component, subcomponent: 1, ..at };
            }
            push(&mut line, separators.subcomponent, slot.subcomponent - at.subcomponent);
            at = *slot;
            line.push_str(&escape::escape(text, separators, Charset::Utf8));
        }
        line.push('\r');
        line
    }
}

impl SegmentRow {
    /// Whether values of an element can be written by it.
    pub(super) fn writes(&self, element: ElementId) -> bool {
        let own = match &self.meaning.read {
            Read::Observation(by_type) => by_type.elements().any(|own| own == element),
            _ => self.meaning.element == element,
        };
        own && self.meaning.way != Way::In
    }
}

impl Observation {
    fn elements(&self) -> impl Iterator<Item = ElementId> {
        let code = self.code.as_ref().map(|(element, _)| *element);
        [self.quantity, code, self.text, self.date, self.bytes].into_iter().flatten()
    }
}

/// Puts every value of a group that has a two-way row.
pub(super) fn fill(pack: &Pack, plan: &SegmentPlan, group: &Group, written: &mut Written) {
    let mut used = vec![false; group.fields.len()];
    for row in plan.fields.iter().flat_map(|field| &field.rows) {
        let mut count = 0;
        for (field, used) in group.fields.iter().zip(&mut used) {
            if *used || !row.writes(field.element) || !takes(plan, row, &field.value) {
                continue;
            }
            let next = written.repetitions.get(&row.path.field).copied().unwrap_or(0) + 1;
            // A row that reads what another took as well says nothing new of the repetitions.
            let new = row.path.component == 0 && !row.also;
            let repetition = if new { next } else { count + 1 };
            let Some(constant) = condition(row, repetition, written) else { continue };
            put((pack, plan), (row, field), repetition, written);
            if new {
                written.repetitions.insert(row.path.field, repetition);
            }
            if let Some((slot, text)) = constant {
                written.put_new(slot, &text);
            }
            count += 1;
            *used = true;
        }
    }
}

/// Whether a row reads values of this sort, so that what is written is read as the same.
fn takes(plan: &SegmentPlan, row: &SegmentRow, value: &Value) -> bool {
    match (&row.meaning.read, value) {
        (Read::Identifier(kind), Value::Identifier(identifier)) => {
            let mut rows = plan.fields.iter().flat_map(|field| &field.rows);
            let mut other =
                rows.any(|other| other.path == row.path && other.kind() == Some(identifier.kind));
            other &= kind.is_some_and(|kind| kind != identifier.kind);
            !other
                && kind.is_none_or(|kind| kind == identifier.kind || kind == IdentifierKind::Local)
        }
        (Read::Code(codes), Value::Code(coding)) => {
            wire_code(codes, coding).is_some() || coding.code.is_none()
        }
        _ => true,
    }
}

/// What a row's condition asks for: nothing, a constant to be written, or what is not so.
fn condition(
    row: &SegmentRow,
    repetition: u16,
    written: &Written,
) -> Option<Option<(Slot, String)>> {
    let Some(when) = &row.when else { return Some(None) };
    let same = when.path.field == row.path.field;
    let slot = Slot::at(&when.path, if same { repetition } else { 1 });
    if when.holds(written.text(slot)) {
        return Some(None);
    }
    let free = written.text(slot).is_empty();
    let constant = when.is.iter().find(|text| !text.is_empty()).filter(|_| free)?;
    Some(Some((slot, constant.clone())))
}

fn put(
    context: (&Pack, &SegmentPlan),
    (row, field): (&SegmentRow, &Field),
    repetition: u16,
    written: &mut Written,
) {
    let at = row.path.position(1, repetition);
    let value = adapted(context, row, field);
    let observed = row.path.segment == *b"OBX" && row.path.field == 5;
    let structured = observed && is_structured(&value);
    let slot =
        |component, subcomponent| Slot { field: at.field, repetition, component, subcomponent };
    if let (Value::Quantity(quantity), true) = (&*value, structured) {
        written.put(slot(1, 1), quantity.comparator.as_deref().unwrap_or_default());
        written.put(slot(2, 1), &quantity.number);
    } else {
        let mut own = |component, subcomponent, text: &str| match row.also {
            true => written.put_new(slot(component, subcomponent), text),
            false => written.put(slot(component, subcomponent), text),
        };
        match (row.form, &*value) {
            (NameForm::Ei, Value::Identifier(identifier)) => entity(identifier, &mut own),
            (NameForm::Hd, Value::Organization(whole)) => designator(whole, &mut own),
            (_, value) => expand(value, &at, &mut own),
        }
    }
    if matches!(&*value, Value::Bytes(_)) && row.path.component == 0 {
        written.put_new(slot(4, 1), "Base64");
    }
    if let (Some(path), Value::Quantity(quantity)) = (&row.unit, &*value) {
        let repetition = if path.field == row.path.field { repetition } else { 1 };
        written.put_new(Slot::at(path, repetition), quantity.unit.as_deref().unwrap_or_default());
    }
    if observed {
        written.put_new(Slot::field(2), if structured { "SN" } else { observed_type(&value) });
    }
}

/// An identifier in the components of an EI: number, namespace, universal id, its type.
fn entity(identifier: &Identifier, leaves: Leaves<'_>) {
    // Without a number of its own it is known by its universal id.
    if identifier.parts.first().is_none_or(|number| !number.is_empty()) {
        leaves(1, 1, &identifier.value);
    }
    let Some(named) = identifier.parts.get(3) else {
        // Text as it is, not one part of several: nothing in it is escaped.
        leaves(2, 1, identifier.authority.as_deref().unwrap_or_default());
        return;
    };
    for (component, text) in (2..).zip(named.split('&')) {
        leaves(component, 1, &Composite::plain(text));
    }
}

/// An organization in the components of an HD: name, universal id, its type.
fn designator(whole: &Composite, leaves: Leaves<'_>) {
    let part = |index: usize| whole.parts.get(index).map(String::as_str).unwrap_or_default();
    let name = if whole.parts.is_empty() { whole.text.as_str() } else { part(0) };
    for (component, text) in [(1, name), (2, part(9)), (3, part(6))] {
        leaves(component, 1, &Composite::plain(text));
    }
}

fn is_structured(value: &Value) -> bool {
    matches!(value, Value::Quantity(quantity) if quantity.comparator.is_some())
}

/// OBX-2, HL7 table 0125.
const fn observed_type(value: &Value) -> &'static str {
    match value {
        Value::Address(_) => "XAD",
        Value::Boolean(_) => "ID",
        Value::Bytes(_) => "ED",
        Value::Code(_) => "CWE",
        Value::Date(_) => "TS",
        Value::Identifier(_) => "CX",
        Value::Name(_) => "XPN",
        Value::Organization(_) => "XON",
        Value::Person(_) => "XCN",
        Value::Place(_) => "PL",
        Value::Quantity(_) => "NM",
        Value::Telecom(_) => "XTN",
        Value::Text(_) => "ST",
    }
}

/// A value as its row's field has it, whatever form it came in.
fn adapted<'v>(
    (pack, plan): (&Pack, &SegmentPlan),
    row: &SegmentRow,
    field: &'v Field,
) -> Cow<'v, Value> {
    let value = &field.value;
    match (&row.meaning.read, value) {
        (Read::Code(codes), Value::Code(coding)) => Cow::Owned(Value::Code(on_wire(codes, coding))),
        (Read::Observation(by_type), Value::Code(coding)) => match &by_type.code {
            Some((_, codes)) => Cow::Owned(Value::Code(on_wire(codes, coding))),
            None => Cow::Borrowed(value),
        },
        (Read::Identifier(_), Value::Identifier(identifier)) => {
            match untyped(plan, row) == Some(identifier.kind) {
                true => Cow::Borrowed(value),
                false => Cow::Owned(Value::Identifier(typed(pack, identifier))),
            }
        }
        // In the composite of a person the number stands before the name.
        (Read::Name(NameForm::Xcn), Value::Name(name)) => {
            let came_so = matches!(field.at, Some(Position::Hl7(_)));
            if came_so && !name.parts.is_empty() {
                return Cow::Borrowed(value);
            }
            Cow::Owned(Value::Name(after_number(name)))
        }
        (Read::Person, Value::Person(person)) if person.parts.is_empty() => {
            Cow::Owned(Value::Person(after_number(person)))
        }
        _ => Cow::Borrowed(value),
    }
}

fn after_number(name: &Composite) -> Composite {
    let own = match name.parts.as_slice() {
        [] => vec![Composite::subcomponent(&name.text).into_owned()],
        parts => parts.to_vec(),
    };
    let parts = std::iter::once(String::new()).chain(own).collect();
    Composite { text: name.text.clone(), parts }
}

/// The code of the wire's table: as it came if it came in that table, else by the crosswalk.
fn wire_code<'a>(codes: &'a Codes, coding: &'a Coding) -> Option<&'a str> {
    let own = coding.original.as_ref().filter(|original| !original.code.is_empty());
    match &coding.code {
        None => own.map(|own| own.code.as_str()),
        Some(code) => own
            .filter(|own| reads(codes, own) == Some(code))
            .map(|own| own.code.as_str())
            .or_else(|| codes.tables.write(code)),
    }
}

/// What an original is read as without its sender's overlay; see `value::coding`.
fn reads<'a>(codes: &'a Codes, original: &'a Original) -> Option<&'a str> {
    match original.system.as_deref().is_some_and(is_local) {
        true => codes.tables.foreign(&original.code),
        false => codes.tables.read(&original.code),
    }
}

fn on_wire(codes: &Codes, coding: &Coding) -> Coding {
    let Some(code) = wire_code(codes, coding) else { return coding.clone() };
    let original = coding.original.as_ref();
    let means =
        |own: &&Original| coding.code.is_none() || reads(codes, own) == coding.code.as_deref();
    let own = original.filter(|original| original.code == code).filter(means);
    let system = own.and_then(|own| own.system.clone());
    let parts = own.map(|own| own.parts.clone()).unwrap_or_default();
    let display = coding.display.clone();
    let original = Some(Original { code: code.to_owned(), system, parts });
    Coding { code: coding.code.clone(), display, original }
}

/// The kind a row reads where no type code stands; see `reading::accepted`.
fn untyped(plan: &SegmentPlan, row: &SegmentRow) -> Option<IdentifierKind> {
    let rows = plan.fields.iter().flat_map(|field| &field.rows);
    match row.kind() {
        None | Some(IdentifierKind::Local) => Some(IdentifierKind::Local),
        Some(own) => {
            let alone = rows.filter(|other| other.path.overlaps(&row.path)).count() == 1;
            alone.then_some(own)
        }
    }
}

/// An identifier with a type code of its kind, so that it is read as the same kind.
fn typed(pack: &Pack, identifier: &Identifier) -> Identifier {
    let kinds = &pack.hl7.kinds;
    let own = identifier
        .type_code
        .as_ref()
        .filter(|code| kinds.get(*code).is_none_or(|kind| *kind == identifier.kind));
    if own.is_some() {
        return identifier.clone();
    }
    let mut codes: Vec<_> =
        kinds.iter().filter(|(_, kind)| **kind == identifier.kind).map(|(code, _)| code).collect();
    codes.sort_by_key(|code| (code.len(), (*code).clone()));
    // CX-5 of a local number: MR says what most are; the others are rarer.
    let usual = codes.iter().find(|code| matches!(code.as_str(), "MR" | "NI" | "HC"));
    let type_code = usual.or_else(|| codes.first()).map(|code| (*code).clone());
    let mut parts = identifier.parts.clone();
    if let (false, Some(code)) = (parts.is_empty(), &type_code) {
        parts.resize(parts.len().max(5), String::new());
        parts.splice(4..5, [code.clone()]);
    }
    Identifier { type_code, parts, ..identifier.clone() }
}
