//! 民政接口, the published interface for civil affairs in its three syntaxes, and the files
//! that say what one city calls otherwise.
//!
//! The rows of `mappings/civil/*.toml` are the interface: a member of JSON is an element of
//! XML is a column of CSV. All three become one document, which one reader reads; see
//! [`shape`]. A sender with a file in `mappings/cities/` is first renamed; see [`city`].

pub(super) mod city;
mod convert;
mod date_form;
mod flat;
pub mod interface;
mod markup;
mod place;
mod shape;
#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use super::form::{Form, Limits, Unread};
use super::{Pack, TranslateError, Translation, document};
use crate::vocabulary::{Fault, Position, Record, Source};
use crate::wire::{Tree, json, xml};
use city::City;
use convert::Published;
pub use markup::{LIST, NAMESPACE};
use shape::Shape;

/// One member name as RFC 6901 writes it.
fn escape_name(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The dialect whose files are published.
pub const DIALECT: &str = "civil-json";

/// The rows that took something, by their number in the pack.
type Fired<'f> = Option<&'f mut Vec<bool>>;

/// Reads one unit in one of the three syntaxes.
pub(super) fn read(
    pack: &Pack,
    (form, sender): (Form, Source),
    (bytes, limits): (&[u8], &Limits),
    fired: Fired<'_>,
) -> Result<Vec<Translation>, Unread> {
    let city = pack.cities.get(&sender);
    let document = unit_document(pack, city, (form, bytes), limits)?;
    Ok(read_named(pack, (city, sender), &document, fired)?)
}

/// Reads a document, or several as `{"records": […]}`, in the sender's own names.
pub(super) fn read_named(
    pack: &Pack,
    (city, sender): (Option<&City>, Source),
    given: &Json,
    mut fired: Fired<'_>,
) -> Result<Vec<Translation>, TranslateError> {
    let Some(city) = city else {
        return document::read_json(pack, (DIALECT, sender), &Tree::from_json(given), fired);
    };
    let list = given.get("records").and_then(Json::as_array);
    let documents = list.map_or_else(|| vec![given], |list| list.iter().collect());
    let mut found = Vec::with_capacity(documents.len());
    for (index, own) in documents.into_iter().enumerate() {
        let published = convert::publish(city, own);
        let base = if list.is_some() { format!("/records/{index}") } else { String::new() };
        let tree = Tree::from_json(&published.document);
        let read = document::read_json(pack, (DIALECT, sender), &tree, fired.as_deref_mut());
        let read = read.map_err(|error| error.placed(|at| named(&published, &base, at)))?;
        for row in &published.fired {
            if let Some(fired) = fired.as_deref_mut().and_then(|fired| fired.get_mut(*row)) {
                *fired = true;
            }
        }
        found.extend(read.into_iter().map(|translation| counted(&published, translation)));
    }
    Ok(found)
}

/// Writes a record in one of the three syntaxes, in the names of a city if it has its own.
#[must_use]
pub fn write(pack: &Pack, (form, city): (Form, Option<Source>), record: &Record) -> Vec<u8> {
    let published = document::write_json(pack, DIALECT, record).to_json();
    let name = published.get("dataset").and_then(Json::as_str).unwrap_or("record").to_owned();
    let city = city.and_then(|city| pack.cities.get(&city));
    let own = city.and_then(|city| {
        let mut datasets = city.datasets.iter();
        let dataset = datasets.find(|dataset| dataset.shape.dataset.as_str() == name)?;
        Some((dataset, convert::own(dataset, &published)))
    });
    let shown = own.as_ref().map_or(&published, |(_, own)| own);
    match form {
        Form::CivilCsv => {
            let row = match &own {
                Some((dataset, own)) => own_columns(dataset, own),
                None => {
                    let shapes = Shape::all(pack, DIALECT);
                    let shape = shapes.iter().find(|shape| shape.dataset.as_str() == name);
                    shape.map(|shape| flat::columns(shape, shown)).unwrap_or_default()
                }
            };
            let charset = city.and_then(|city| city.charset).unwrap_or(crate::wire::Charset::Utf8);
            let text = String::from_utf8(flat::write(&row)).unwrap_or_default();
            charset.encode_lossy(&text).into_owned()
        }
        Form::CivilXml => xml::write(&markup::write(&name, shown)),
        _ => serde_json::to_vec(shown).unwrap_or_default(),
    }
}

/// The syntax of a file, by its name.
pub(super) fn form_of(path: &str) -> Option<Form> {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("csv") => Some(Form::CivilCsv),
        Some("json") => Some(Form::CivilJson),
        Some("xml") => Some(Form::CivilXml),
        _ => None,
    }
}

/// Whether what a city's rows read of a unit is written back as it was, letter by letter.
pub(super) fn written_back(
    pack: &Pack,
    (form, sender): (Form, Source),
    (bytes, record): (&[u8], &Record),
) -> Result<(), String> {
    let city = pack.cities.get(&sender);
    let limits = Limits::default();
    let shown = |bytes: &[u8]| {
        let document = unit_document(pack, city, (form, bytes), &limits);
        document.map_err(|error| format!("what is written cannot be read: {error}"))
    };
    let (given, written) = (shown(bytes)?, shown(&write(pack, (form, Some(sender)), record))?);
    let dataset = city.and_then(|city| convert::publish(city, &given).dataset);
    let Some(dataset) = dataset else { return Ok(()) };
    for (pointer, value) in place::leaves(&given) {
        let read = dataset.rows.iter().find(|row| {
            let taken = record.fields().filter_map(|field| field.at.as_ref());
            row.wire.match_pointer(&pointer).is_some_and(|indices| {
                let to = Position::Pointer(row.to.pointer(&indices));
                taken.into_iter().any(|at| *at == to)
            })
        });
        let again = written.pointer(&pointer).map(shape::spelled);
        let same = again.as_deref() == Some(shape::spelled(value).as_str());
        // Spellings that are read and not written come back as the ones that are.
        if let Some(row) = read.filter(|_| !same)
            && again.is_none_or(|again| row.read(&again) != row.read(&shape::spelled(value)))
        {
            return Err(format!("{pointer} is not written back"));
        }
    }
    Ok(())
}

/// The document of a unit, in the sender's own names.
fn unit_document(
    pack: &Pack,
    city: Option<&City>,
    (form, bytes): (Form, &[u8]),
    limits: &Limits,
) -> Result<Json, Unread> {
    let shapes = || Shape::all(pack, DIALECT);
    match form {
        Form::CivilCsv => {
            if bytes.len() > limits.json.bytes_max {
                return Err(Unread::malformed(Fault::Limit, None));
            }
            let text = flat::decode(bytes, city.and_then(|city| city.charset))?;
            let row = flat::row(&text)?;
            Ok(match city {
                Some(_) => flat::members(&row),
                None => flat::document(&shapes(), &row),
            })
        }
        Form::CivilXml => {
            let document = xml::read(bytes, &xml::Limits::default()).map_err(|error| {
                let diagnostic = Some(error.diagnostic());
                let at = Some(error.position().clone());
                Unread { diagnostic, ..Unread::malformed(error.fault(), at) }
            })?;
            Ok(match city {
                Some(_) => markup::members(&document),
                None => markup::read(&shapes(), &document),
            })
        }
        _ => {
            let mut document = json::read(bytes, &limits.json).map_err(|error| {
                Unread::malformed(error.fault(), Some(error.position().clone()))
            })?;
            // What a file of rejects says about its records.
            if let Json::Object(members) = &mut document {
                members.retain(|name, _| name != "_rejected");
            }
            Ok(document)
        }
    }
}

fn own_columns(dataset: &city::CityDataset, own: &Json) -> flat::Row {
    let wires = dataset.when.iter().map(|(place, _)| place);
    let wires = wires.chain(dataset.rows.iter().map(|row| &row.wire));
    let filled = wires.flat_map(|wire| {
        let found = wire.all(own).into_iter();
        found.map(|(indices, value)| (flat::name(wire, &indices), shape::spelled(value)))
    });
    filled.collect()
}

fn named(published: &Published<'_>, base: &str, at: &Position) -> Position {
    match convert::position(published.dataset, at) {
        Position::Pointer(pointer) => Position::Pointer(format!("{base}{pointer}")),
        other => other,
    }
}

/// The bins are those of what the city sent, not of what it was renamed to.
fn counted(published: &Published<'_>, mut translation: Translation) -> Translation {
    let bins = &mut translation.bins;
    bins.dropped += published.dropped;
    let others = bins.carried + bins.dropped + bins.unmapped;
    bins.mapped = published.leaves.saturating_sub(others);
    for at in &mut bins.first_unmapped {
        *at = convert::position(published.dataset, at);
    }
    translation
}
