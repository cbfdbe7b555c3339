//! From one value to its leaves in a field.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::value::Composite;
use crate::vocabulary::{Coding, Identifier, Value};

/// What takes the leaves: component, subcomponent, text.
pub(in crate::translate) type Leaves<'a> = &'a mut dyn FnMut(u16, u16, &str);

/// The leaves of a value that stands at a place, in ascending order. Empty ones are left out.
pub(in crate::translate) fn expand(value: &Value, at: &Hl7Position, leaves: Leaves<'_>) {
    let (component, subcomponent) = (at.component.max(1), at.subcomponent.max(1));
    let whole = at.component == 0;
    let mut one = |text: &str| leaves(component, subcomponent, text);
    match value {
        Value::Boolean(yes) => one(if *yes { "Y" } else { "N" }),
        Value::Date(date) => one(date.as_str()),
        Value::Quantity(quantity) => match &quantity.comparator {
            Some(comparator) => one(&format!("{comparator}{}", quantity.number)),
            None => one(&quantity.number),
        },
        Value::Text(text) => one(text),
        // HL7 v2.5 section 2.A.24: the data of an ED.
        Value::Bytes(bytes) => {
            leaves(if whole { 5 } else { component }, subcomponent, &STANDARD.encode(bytes));
        }
        Value::Code(coding) => code(coding, whole, (component, subcomponent), leaves),
        Value::Identifier(identifier) => identified(identifier, whole, component, leaves),
        Value::Address(composite)
        | Value::Name(composite)
        | Value::Organization(composite)
        | Value::Person(composite)
        | Value::Place(composite)
        | Value::Telecom(composite) => match composite.parts.as_slice() {
            [] => one(&composite.text),
            parts if whole => components(parts, leaves),
            parts => subcomponents(parts, component, leaves),
        },
    }
}

fn code(coding: &Coding, whole: bool, (component, subcomponent): (u16, u16), leaves: Leaves<'_>) {
    let original = coding.original.as_ref();
    if let Some(original) = original.filter(|original| whole && !original.parts.is_empty()) {
        return components(&original.parts, leaves);
    }
    let code = original.map(|original| &original.code).or(coding.code.as_ref());
    if let Some(code) = code {
        leaves(component, subcomponent, code);
    }
    if whole {
        if let Some(display) = &coding.display {
            leaves(2, 1, display);
        }
        if let Some(system) = original.and_then(|original| original.system.as_deref()) {
            leaves(3, 1, system);
        }
    }
}

fn identified(identifier: &Identifier, whole: bool, component: u16, leaves: Leaves<'_>) {
    if whole && !identifier.parts.is_empty() {
        return components(&identifier.parts, leaves);
    }
    leaves(component, 1, &identifier.value);
    if whole {
        if let Some(authority) = &identifier.authority {
            leaves(4, 1, authority);
        }
        if let Some(type_code) = &identifier.type_code {
            leaves(5, 1, type_code);
        }
    }
}

fn components(parts: &[String], leaves: Leaves<'_>) {
    for (component, part) in (1..).zip(parts) {
        for (subcomponent, text) in (1..).zip(part.split('&')) {
            leaf(component, subcomponent, text, leaves);
        }
    }
}

/// The parts of a composite that stands in one component.
fn subcomponents(parts: &[String], component: u16, leaves: Leaves<'_>) {
    let texts = parts.iter().flat_map(|part| part.split('&'));
    for (subcomponent, text) in (1..).zip(texts) {
        leaf(component, subcomponent, text, leaves);
    }
}

fn leaf(component: u16, subcomponent: u16, text: &str, leaves: Leaves<'_>) {
    if !text.is_empty() {
        leaves(component, subcomponent, &Composite::plain(text));
    }
}
