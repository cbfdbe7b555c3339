//! From a record to a JSON document: the inverse of reading, on two-way rows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::Pack;
use super::file::Way;
use super::path::{Pattern, Step};
use super::plan::{Codes, DialectPlan, DocumentRow, Read};
use crate::vocabulary::value::Quantity;
use crate::vocabulary::{Coding, Field, Group, Record, Value};

/// Writes the members a dialect has for a record.
pub(super) fn write(pack: &Pack, dialect: &str, record: &Record) -> Json {
    let mut root = Json::Object(Map::new());
    let files = || pack.dialects.iter().filter(|plan| plan.name == dialect);
    let own = files().find(|plan| plan.dataset == record.dataset);
    let Some(plan) = own.or_else(|| files().next()) else { return root };
    if files().count() > 1 {
        let dataset = Pattern(vec![Step::Name("dataset".to_owned())]);
        put(&mut root, &dataset, (&[], record.dataset.as_str().into()));
    }
    if let (Some(pattern), Some(time)) = (&plan.time, &record.time) {
        put(&mut root, pattern, (&[], time.to_iso().into()));
    }
    let items = items(plan, record);
    for (group, item) in record.groups.iter().zip(&items) {
        let Some((own, indices)) = item else { continue };
        for row in plan.rows.iter().filter(|row| row.group == *own && row.meaning.way != Way::In) {
            write_row(&mut root, row, (group, indices));
        }
    }
    root
}

/// For each group of a record: the dialect's group, and its index in each array on the way.
type Item = Option<(Option<usize>, Vec<usize>)>;

/// Groups the dialect has no place for get none; the others are counted item by item.
fn items(plan: &DialectPlan, record: &Record) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::with_capacity(record.groups.len());
    let mut counts: Vec<((usize, Vec<usize>), usize)> = Vec::new();
    for (index, group) in record.groups.iter().enumerate() {
        if index == 0 {
            items.push(Some((None, Vec::new())));
            continue;
        }
        let found = plan.groups.iter().position(|known| known.name == group.name);
        let Some(own) = found else {
            items.push(None);
            continue;
        };
        let outer = plan.groups.get(own).and_then(|own| own.parent);
        let Some(mut indices) = around(record, &items, (group, outer)) else {
            items.push(None);
            continue;
        };
        let key = (own, indices.clone());
        let number = match counts.iter_mut().find(|(known, _)| *known == key) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                counts.push((key, 0));
                0
            }
        };
        indices.push(number);
        items.push(Some((Some(own), indices)));
    }
    items
}

/// The indices of the nearest group around that is an item of `outer`.
fn around(
    record: &Record,
    items: &[Item],
    (group, outer): (&Group, Option<usize>),
) -> Option<Vec<usize>> {
    let mut parent = group.parent;
    // Parents stand before their children, so this ends.
    while let Some(index) = parent.and_then(|parent| usize::try_from(parent).ok()) {
        match items.get(index) {
            Some(Some((own, indices))) if *own == outer => return Some(indices.clone()),
            _ => parent = record.groups.get(index).and_then(|group| group.parent),
        }
    }
    outer.is_none().then(Vec::new)
}

fn write_row(root: &mut Json, row: &DocumentRow, (group, indices): (&Group, &[usize])) {
    let repeats = row.pattern.0.last() == Some(&Step::Each);
    let values = group.fields.iter().filter_map(|field| {
        let json = written(row, field)?;
        Some((field, json))
    });
    let limit = if repeats { usize::MAX } else { 1 };
    for (number, (field, json)) in values.take(limit).enumerate() {
        let mut place = indices.to_vec();
        place.push(number);
        put(root, &row.pattern, (&place, json));
        if let Some((pattern, wanted)) = &row.when
            && let Some(wanted) = wanted.first().filter(|wanted| !wanted.is_empty())
        {
            put(root, pattern, (indices, wanted.as_str().into()));
        }
        if let (Some(pattern), Value::Quantity(Quantity { unit: Some(unit), .. })) =
            (&row.unit, &field.value)
        {
            put(root, pattern, (indices, unit.as_str().into()));
        }
    }
}

/// A field as its row writes it; `None` if it is another row's, or cannot be written.
fn written(row: &DocumentRow, field: &Field) -> Option<Json> {
    if field.element != row.meaning.element {
        return None;
    }
    Some(match (&row.meaning.read, &field.value) {
        (Read::Address, Value::Address(whole))
        | (Read::Name(_), Value::Name(whole))
        | (Read::Organization, Value::Organization(whole))
        | (Read::Person, Value::Person(whole))
        | (Read::Place, Value::Place(whole))
        | (Read::Telecom, Value::Telecom(whole)) => whole.text.as_str().into(),
        (Read::Boolean, Value::Boolean(yes)) => Json::Bool(*yes),
        (Read::Bytes, Value::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Read::Code(codes), Value::Code(coding)) => code(codes, coding)?.into(),
        (Read::Date, Value::Date(date)) => date.to_iso().into(),
        (Read::Identifier(kind), Value::Identifier(identifier)) => kind
            .is_none_or(|kind| kind == identifier.kind)
            .then_some(identifier.value.as_str())?
            .into(),
        (Read::Quantity, Value::Quantity(value)) => quantity(value),
        (Read::Text, Value::Text(text)) => text.as_str().into(),
        _ => return None,
    })
}

/// The wire's code: exactly as it came if it came over this wire, else by the crosswalk.
fn code<'a>(codes: &'a Codes, coding: &'a Coding) -> Option<&'a str> {
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

/// A number where a number says it exactly, else a string.
pub(super) fn quantity(quantity: &Quantity) -> Json {
    if quantity.comparator.is_none()
        && let Ok(Json::Number(number)) = serde_json::from_str(&quantity.number)
        && number.to_string() == quantity.number
    {
        return Json::Number(number);
    }
    let comparator = quantity.comparator.as_deref().unwrap_or_default();
    Json::String(format!("{comparator}{}", quantity.number))
}

/// Puts a value where a pattern and its indices say; what stands there already stays.
fn put(root: &mut Json, pattern: &Pattern, (indices, value): (&[usize], Json)) {
    let mut indices = indices.iter();
    let mut slot = root;
    for step in &pattern.0 {
        slot = match step {
            Step::Each => {
                if slot.is_null() {
                    *slot = Json::Array(Vec::new());
                }
                let (Json::Array(items), Some(index)) = (slot, indices.next()) else { return };
                if items.len() <= *index {
                    items.resize(index + 1, Json::Null);
                }
                let Some(item) = items.get_mut(*index) else { return };
                item
            }
            Step::Name(name) => {
                if slot.is_null() {
                    *slot = Json::Object(Map::new());
                }
                let Json::Object(members) = slot else { return };
                members.entry(name.clone()).or_insert(Json::Null)
            }
        };
    }
    if slot.is_null() {
        *slot = value;
    }
}
