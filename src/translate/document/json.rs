//! Plain JSON: strings, numbers and booleans at the end of paths.
//!
//! Text, name, address, telecom, person, organization, place, identifier and code are
//! strings, a date is ISO 8601, a boolean is true or false, bytes are base64, a quantity is a
//! number, or a string where a number could not say it exactly (`"<7.1"`, `"7.10"`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::plan::DocumentRow;
use super::syntax::{Sent, Syntax};
use crate::translate::plan::{Codes, Read};
use crate::translate::reading::with_authority;
use crate::translate::value::{self, Wrong};
use crate::vocabulary::code::Original;
use crate::vocabulary::value::{Composite, Quantity};
use crate::vocabulary::{Coding, Date, Identifier, IdentifierKind, Value};
use crate::wire::Tree;

/// `civil-json`, `platform-json`.
#[derive(Debug)]
pub(in crate::translate) struct Plain;

impl Syntax for Plain {
    fn shapes(&self, read: &Read, _: &str) -> Option<&'static [&'static str]> {
        (!matches!(read, Read::Observation(_))).then_some(&[])
    }

    fn read<'t>(
        &self,
        row: &DocumentRow,
        (tree, sent): (&'t Tree, Sent<'_>),
        used: &mut Vec<&'t Tree>,
    ) -> Result<Value, Wrong> {
        if matches!(tree, Tree::Map(_) | Tree::List(_)) || tree.is_empty() {
            return Err(Wrong::Absent);
        }
        let value = match (&row.meaning.read, tree) {
            (Read::Boolean, Tree::Bool(yes)) => Value::Boolean(*yes),
            (Read::Quantity, _) => Value::Quantity(quantity(tree)?),
            (read, Tree::Text(text)) => line(read, text, sent)?,
            _ => return Err(Wrong::Type),
        };
        used.push(tree);
        Ok(value)
    }

    fn write(&self, row: &DocumentRow, value: &Value) -> Option<Tree> {
        Some(match (&row.meaning.read, value) {
            (Read::Boolean, Value::Boolean(yes)) => Tree::Bool(*yes),
            (Read::Quantity, Value::Quantity(value)) => written_quantity(value),
            (read, _) => Tree::Text(written_line(read, value)?),
        })
    }
}

/// A value that is one string.
pub(super) fn line(read: &Read, text: &str, sent: Sent<'_>) -> Result<Value, Wrong> {
    let whole = || Composite::line(text);
    Ok(match read {
        Read::Address => Value::Address(whole()),
        Read::Bytes => Value::Bytes(value::bytes(text)?),
        Read::Code(codes) => Value::Code(coding(codes, text)?),
        Read::Date => {
            let date = Date::parse_iso(text).ok().filter(|date| date.to_iso() == text);
            Value::Date(date.ok_or(Wrong::Type)?)
        }
        Read::Identifier(kind) => {
            let kind = kind.unwrap_or(IdentifierKind::Other);
            let identifier = Identifier::new(kind, text);
            Value::Identifier(with_authority(identifier, sent.overlay, sent.source))
        }
        Read::Name(_) => Value::Name(whole()),
        Read::Organization => Value::Organization(whole()),
        Read::Person => Value::Person(whole()),
        Read::Place => Value::Place(whole()),
        Read::Telecom => Value::Telecom(whole()),
        Read::Text => Value::Text(text.to_owned()),
        Read::Boolean | Read::Observation(_) | Read::Quantity => return Err(Wrong::Type),
    })
}

/// A value as one string; `None` if it is another row's.
pub(super) fn written_line(read: &Read, value: &Value) -> Option<String> {
    Some(match (read, value) {
        (Read::Address, Value::Address(whole))
        | (Read::Name(_), Value::Name(whole))
        | (Read::Organization, Value::Organization(whole))
        | (Read::Person, Value::Person(whole))
        | (Read::Place, Value::Place(whole))
        | (Read::Telecom, Value::Telecom(whole)) => whole.text.clone(),
        (Read::Bytes, Value::Bytes(bytes)) => STANDARD.encode(bytes),
        (Read::Code(codes), Value::Code(coding)) => code(codes, coding)?.to_owned(),
        (Read::Date, Value::Date(date)) => date.to_iso(),
        (Read::Identifier(kind), Value::Identifier(identifier)) => {
            let own = kind.is_none_or(|kind| kind == identifier.kind);
            own.then(|| identifier.value.clone())?
        }
        (Read::Text, Value::Text(text)) => text.clone(),
        _ => return None,
    })
}

/// A code; the wire's own is kept where it differs, under the name of the wire's table.
pub(super) fn coding(codes: &Codes, sent: &str) -> Result<Coding, Wrong> {
    let code = codes.tables.read(sent);
    if code.is_none() && codes.refuse {
        return Err(Wrong::Code);
    }
    let system = codes.tables.wire().map(str::to_owned);
    let original = (code != Some(sent)).then(|| Original::new(sent, system));
    Ok(Coding { code: code.map(str::to_owned), display: None, original })
}

/// The wire's code: exactly as it came if it came over this wire, else by the crosswalk.
pub(super) fn code<'a>(codes: &'a Codes, coding: &'a Coding) -> Option<&'a str> {
    let wire = codes.tables.wire();
    let own = coding
        .original
        .as_ref()
        .filter(|original| !original.code.is_empty() && original.system.as_deref() == wire);
    match (own, &coding.code) {
        (Some(original), _) if wire.is_some() || coding.code.is_none() => Some(&original.code),
        (_, Some(code)) => codes.tables.write(code),
        _ => None,
    }
}

/// A number, or a string that says what a number cannot.
fn quantity(tree: &Tree) -> Result<Quantity, Wrong> {
    match tree {
        Tree::Number(number) => {
            Ok(Quantity { number: number.clone(), comparator: None, unit: None })
        }
        Tree::Text(text) => {
            let quantity = value::quantity(text)?;
            if written_quantity(&quantity) == *tree { Ok(quantity) } else { Err(Wrong::Type) }
        }
        _ => Err(Wrong::Type),
    }
}

/// A number where a number says it exactly, else a string.
fn written_quantity(quantity: &Quantity) -> Tree {
    let number = || serde_json::from_str::<serde_json::Number>(&quantity.number).ok();
    if quantity.comparator.is_none()
        && number().is_some_and(|number| number.to_string() == quantity.number)
    {
        return Tree::Number(quantity.number.clone());
    }
    let comparator = quantity.comparator.as_deref().unwrap_or_default();
    Tree::Text(format!("{comparator}{}", quantity.number))
}
