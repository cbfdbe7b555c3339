//! 换名, a city's document in the published names, and back.

use serde_json::{Map, Value as Json};

use super::city::{City, CityDataset, CityRow};
use super::place::leaves;
use super::shape::{Holds, spelled};
use crate::vocabulary::Position;

/// The member under which stand the leaves of a city that its file does not name.
const OTHERS: &str = "city";

/// A document in the published names, and what became of the city's leaves on the way.
pub struct Published<'c> {
    /// The document.
    pub document: Json,
    /// Which dataset it was taken for.
    pub dataset: Option<&'c CityDataset>,
    /// Leaves of the city's document.
    pub leaves: u32,
    /// Of these, dropped by the city's file.
    pub dropped: u32,
    /// Rows that took something.
    pub fired: Vec<usize>,
}

/// Renames a city's document. Nothing is lost: what no row names is kept aside.
pub fn publish<'c>(city: &'c City, own: &Json) -> Published<'c> {
    let dataset = city.datasets.iter().find(|dataset| told(dataset, own));
    let mut found = Published {
        document: Json::Object(Map::new()),
        dataset,
        leaves: 0,
        dropped: 0,
        fired: Vec::new(),
    };
    let mut others = Map::new();
    for (pointer, value) in leaves(own) {
        found.leaves += 1;
        let Some(dataset) = dataset else {
            others.insert(pointer, value.clone());
            continue;
        };
        let dropped = || dataset.drops.iter().any(|place| below(&pointer, &place.pattern()));
        match row(dataset, &pointer) {
            Some((row, indices)) if move_to(dataset, (row, &indices), (&mut found, value)) => (),
            // It chose the dataset, which the record says.
            None if is_told(dataset, &pointer) => (),
            None if dropped() => found.dropped += 1,
            _ => drop(others.insert(pointer, value.clone())),
        }
    }
    if let Some(dataset) = dataset {
        for (place, text) in &dataset.fixed {
            let typed = dataset.shape.leaf(&place.pointer(&[])).map(|leaf| leaf.typed(text));
            place.put(&mut found.document, &[], typed.unwrap_or_else(|| text.as_str().into()));
        }
        if let Json::Object(members) = &mut found.document {
            members.insert("dataset".to_owned(), dataset.shape.dataset.as_str().into());
        }
    }
    if let (false, Json::Object(members)) = (others.is_empty(), &mut found.document) {
        members.insert(OTHERS.to_owned(), others.into());
    }
    found
}

/// Renames a published document as the city has it.
pub fn own(dataset: &CityDataset, published: &Json) -> Json {
    let mut own = Json::Object(Map::new());
    if let Some((place, values)) = &dataset.when
        && let Some(value) = values.first()
    {
        place.put(&mut own, &[], value.as_str().into());
    }
    for row in &dataset.rows {
        for (indices, value) in row.to.all(published) {
            if value.is_null() {
                continue;
            }
            let text = spelled(value);
            let written = row.write(&text);
            // A value the file does not spell otherwise keeps its type.
            let kept = written == text && !value.is_string();
            let value = if kept { value.clone() } else { written.into() };
            row.wire.put(&mut own, &indices, value);
        }
    }
    own
}

/// Where in the city's document a place of the published one stands.
pub fn position(dataset: Option<&CityDataset>, at: &Position) -> Position {
    let Position::Pointer(pointer) = at else { return at.clone() };
    let others = format!("/{OTHERS}/");
    if let Some(rest) = pointer.strip_prefix(&others) {
        return Position::Pointer(rest.replace("~1", "/").replace("~0", "~"));
    }
    let rows = dataset.into_iter().flat_map(|dataset| &dataset.rows);
    let mut wires = rows.filter_map(|row| {
        let indices = row.to.match_pointer(pointer)?;
        Some(row.wire.pointer(&indices))
    });
    wires.next().map_or_else(|| at.clone(), Position::Pointer)
}

/// Whether a document is of this dataset.
fn told(dataset: &CityDataset, own: &Json) -> bool {
    dataset.when.as_ref().is_none_or(|(place, values)| {
        place.all(own).iter().any(|(_, value)| values.contains(&spelled(value)))
    })
}

/// Whether a leaf is what told the dataset.
fn is_told(dataset: &CityDataset, pointer: &str) -> bool {
    dataset.when.as_ref().is_some_and(|(place, _)| place.match_pointer(pointer).is_some())
}

fn row<'c>(dataset: &'c CityDataset, pointer: &str) -> Option<(&'c CityRow, Vec<usize>)> {
    dataset.rows.iter().find_map(|row| Some((row, row.wire.match_pointer(pointer)?)))
}

fn move_to(
    dataset: &CityDataset,
    (row, indices): (&CityRow, &[usize]),
    (found, value): (&mut Published<'_>, &Json),
) -> bool {
    let text = row.read(&spelled(value));
    let leaf = dataset.shape.leaf(&row.to.pointer(indices));
    let typed = match leaf {
        Some(leaf) if value.is_string() || leaf.holds != Holds::Boolean => leaf.typed(&text),
        Some(leaf) => leaf.typed(&spelled(value)),
        None => text.into(),
    };
    let put = row.to.put(&mut found.document, indices, typed);
    if put {
        found.fired.push(row.id);
    }
    put
}

/// Whether a pointer is a place or below it; `*` is any item.
fn below(pointer: &str, pattern: &str) -> bool {
    let mut found = pointer.split('/');
    pattern.split('/').all(|step| found.next().is_some_and(|name| step == "*" || step == name))
}
