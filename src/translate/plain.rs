//! Records as plain JSON: what `kangqiao translate --to elements` prints and what the
//! examples expect.
//!
//! It shows content, so it belongs to mapping work alone and to no answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use crate::vocabulary::code::Original;
use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::record::Carried;
use crate::vocabulary::value::{Composite, Quantity};
use crate::vocabulary::{
    Catalogue, Coding, Dataset, Date, ElementId, Field, Group, GroupName, Identifier,
    IdentifierKind, Position, Record, Source, Value, ValueType,
};

/// A record with its groups, values, positions and the places of its carried leaves.
#[must_use]
pub fn record_to_json(record: &Record) -> Json {
    let groups: Vec<_> = record.groups.iter().map(group_to_json).collect();
    let carried: Vec<_> = record.carried.iter().map(|leaf| leaf.at.to_string()).collect();
    let mut out = Map::new();
    out.insert("dataset".to_owned(), record.dataset.as_str().into());
    out.insert("source".to_owned(), record.source.as_str().into());
    if let Some(time) = &record.time {
        out.insert("time".to_owned(), time.to_iso().into());
    }
    out.insert("groups".to_owned(), groups.into());
    out.insert("carried".to_owned(), carried.into());
    Json::Object(out)
}

fn group_to_json(group: &Group) -> Json {
    let fields: Vec<_> = group
        .fields
        .iter()
        .map(|field| {
            let mut out = Map::new();
            out.insert("element".to_owned(), field.element.as_str().into());
            if let Some(at) = &field.at {
                out.insert("at".to_owned(), at.to_string().into());
            }
            out.insert("value".to_owned(), value_to_json(&field.value));
            Json::Object(out)
        })
        .collect();
    let mut out = Map::new();
    out.insert("name".to_owned(), group.name.as_str().into());
    // The top group is where a group stands unless it says otherwise.
    if let Some(parent) = group.parent.filter(|parent| *parent > 0) {
        out.insert("parent".to_owned(), parent.into());
    }
    out.insert("fields".to_owned(), fields.into());
    Json::Object(out)
}

/// One value, without loss.
pub(super) fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Address(whole)
        | Value::Name(whole)
        | Value::Organization(whole)
        | Value::Person(whole)
        | Value::Place(whole)
        | Value::Telecom(whole) => {
            json!({ "text": whole.text, "parts": whole.parts })
        }
        Value::Boolean(yes) => Json::Bool(*yes),
        Value::Bytes(bytes) => json!({ "bytes": STANDARD.encode(bytes) }),
        Value::Code(coding) => {
            let original = coding.original.as_ref();
            let pairs = [
                ("code", coding.code.as_deref()),
                ("display", coding.display.as_deref()),
                ("original", original.map(|original| original.code.as_str())),
                ("system", original.and_then(|original| original.system.as_deref())),
            ];
            filled(pairs, original.map(|original| original.parts.as_slice()).unwrap_or_default())
        }
        Value::Date(date) => date.to_iso().into(),
        Value::Identifier(identifier) => {
            let pairs = [
                ("kind", Some(identifier.kind.as_str())),
                ("value", Some(identifier.value.as_str())),
                ("authority", identifier.authority.as_deref()),
                ("type", identifier.type_code.as_deref()),
            ];
            filled(pairs, &identifier.parts)
        }
        Value::Quantity(quantity) => {
            let pairs = [
                ("comparator", quantity.comparator.as_deref()),
                ("number", Some(quantity.number.as_str())),
                ("unit", quantity.unit.as_deref()),
                ("", None),
            ];
            filled(pairs, &[])
        }
        Value::Text(text) => text.as_str().into(),
    }
}

/// The members that say something, and `parts` where there are any.
fn filled(pairs: [(&str, Option<&str>); 4], parts: &[String]) -> Json {
    let members = pairs.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.into())));
    let parts = (!parts.is_empty()).then(|| ("parts".to_owned(), parts.into()));
    Json::Object(members.chain(parts).collect())
}

/// The key that stands for a whole value where an expectation is a plain string.
const WHOLE: [&str; 4] = ["code", "number", "value", "text"];

/// Whether a value is as expected: keys the expectation lacks are not compared.
pub(super) fn agrees(found: &Json, expected: &Json) -> bool {
    match (found, expected) {
        (Json::Object(found), Json::Object(expected)) => {
            expected.iter().all(|(key, value)| found.get(key) == Some(value))
        }
        (Json::Object(found), Json::String(_)) => {
            WHOLE.iter().find_map(|key| found.get(*key)) == Some(expected)
        }
        _ => found == expected,
    }
}

/// A record as [`record_to_json`] writes it; a plain string stands for the whole value.
///
/// # Errors
/// Where the shape is wrong, as a JSON pointer and a reason.
pub(super) fn record_from_json(catalogue: &Catalogue, json: &Json) -> Result<Record, String> {
    let text = |key: &str| json.get(key).and_then(Json::as_str);
    let named = |key: &str| text(key).ok_or_else(|| format!("/{key} is missing"));
    let time = match text("time") {
        Some(time) => Some(Date::parse_iso(time).map_err(|error| format!("/time: {error}"))?),
        None => None,
    };
    let mut record = Record {
        dataset: Dataset::parse(named("dataset")?).map_err(|error| error.to_string())?,
        source: Source::parse(text("source").unwrap_or("example"))
            .map_err(|error| error.to_string())?,
        time,
        groups: Vec::new(),
        carried: Vec::new(),
        wire: None,
        mappings: String::new(),
    };
    for group in json.get("groups").and_then(Json::as_array).into_iter().flatten() {
        let name = group.get("name").and_then(Json::as_str).unwrap_or("record");
        let parent = group.get("parent").and_then(Json::as_u64).unwrap_or(0);
        let mut fields = Vec::new();
        for field in group.get("fields").and_then(Json::as_array).into_iter().flatten() {
            fields.push(field_from_json(catalogue, field)?);
        }
        record.groups.push(Group {
            name: GroupName::parse(name).map_err(|error| error.to_string())?,
            parent: (!record.groups.is_empty()).then(|| u32::try_from(parent).unwrap_or(0)),
            fields,
        });
    }
    let carried = json.get("carried").and_then(Json::as_array).into_iter().flatten();
    record.carried = carried
        .filter_map(Json::as_str)
        .map(|at| Carried { at: Position::Pointer(at.to_owned()), text: String::new() })
        .collect();
    Ok(record)
}

fn field_from_json(catalogue: &Catalogue, json: &Json) -> Result<Field, String> {
    let id = json.get("element").and_then(Json::as_str).unwrap_or_default();
    let element = ElementId::parse(id).ok().and_then(|id| catalogue.get(id));
    let element = element.ok_or_else(|| format!("there is no element {id}"))?;
    let value = json.get("value").unwrap_or(&Json::Null);
    let value = value_from_json(element.value, value)
        .ok_or_else(|| format!("{id} cannot hold what is written as its value"))?;
    Ok(Field { element: element.id, value, at: None })
}

fn value_from_json(value_type: ValueType, json: &Json) -> Option<Value> {
    let part = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
    let whole = |key: &str| json.as_str().map(str::to_owned).or_else(|| part(key));
    let parts = || {
        let parts = json.get("parts").and_then(Json::as_array).into_iter().flatten();
        parts.filter_map(Json::as_str).map(str::to_owned).collect()
    };
    let composite = || Some(Composite { text: whole("text")?, parts: parts() });
    Some(match value_type {
        ValueType::Address => Value::Address(composite()?),
        ValueType::Boolean => Value::Boolean(json.as_bool()?),
        ValueType::Bytes => Value::Bytes(STANDARD.decode(whole("bytes")?).ok()?),
        ValueType::Code => Value::Code(Coding {
            code: whole("code"),
            display: part("display"),
            original: part("original").map(|code| Original {
                code,
                system: part("system"),
                parts: parts(),
            }),
        }),
        ValueType::Date => Value::Date(Date::parse_iso(json.as_str()?).ok()?),
        ValueType::Identifier => Value::Identifier(Identifier {
            kind: part("kind").and_then(|kind| IdentifierKind::parse(&kind))?,
            value: part("value")?,
            authority: part("authority"),
            type_code: part("type"),
            parts: parts(),
        }),
        ValueType::Name => Value::Name(composite()?),
        ValueType::Organization => Value::Organization(composite()?),
        ValueType::Person => Value::Person(composite()?),
        ValueType::Place => Value::Place(composite()?),
        ValueType::Quantity => Value::Quantity(Quantity {
            number: whole("number")?,
            comparator: part("comparator"),
            unit: part("unit"),
        }),
        ValueType::Telecom => Value::Telecom(composite()?),
        ValueType::Text => Value::Text(json.as_str()?.to_owned()),
    })
}

/// Whether a position stands in a kind of segment.
pub(super) fn in_segment(at: Option<&Position>, segment: [u8; 3]) -> bool {
    matches!(at, Some(Position::Hl7(Hl7Position { segment: own, .. })) if *own == segment)
}
