//! `kangqiao mappings show`: an element in every format, or what stands at a path.

use serde_json::{Value as Json, json};

use super::{Where, files, pack, print_json, table};
use crate::command::{Failure, say};
use crate::translate::Pack;
use crate::translate::atlas::{Atlas, Left, Place};
use crate::vocabulary::ElementId;

/// `kangqiao mappings show WHAT`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    /// An element (`DE02.01.039.00`, 姓名) or a path (`PID-5`, `/elder/name`, `Patient/name`)
    what: String,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] if nothing of that name is in the files.
pub fn run(args: &Args) -> Result<(), Failure> {
    let (files, pack) = match pack(&args.place.mappings) {
        Ok((files, pack)) => (files, Some(pack)),
        // Where a file is faulty the others can still be looked at.
        Err(_) => (files(&args.place.mappings)?, None),
    };
    let atlas = Atlas::of(&files);
    let id = pack.as_ref().and_then(|pack| element(pack, &args.what));
    let id = id.unwrap_or_else(|| args.what.clone());
    let places: Vec<_> = atlas.of_element(&id).chain(atlas.at(&args.what)).collect();
    let left: Vec<_> = atlas.left_at(&args.what).collect();
    let known = pack.as_ref().and_then(|pack| described(pack, &id));
    if places.is_empty() && left.is_empty() && known.is_none() {
        return Err(Failure(format!("no file names {}", args.what)));
    }
    if args.place.json {
        let places: Vec<_> = places.iter().map(|place| place_json(place)).collect();
        let left: Vec<_> = left.iter().map(|left| left_json(left)).collect();
        return print_json(&json!({ "element": known, "places": places, "left": left }));
    }
    for (key, value) in known.as_ref().and_then(Json::as_object).into_iter().flatten() {
        say(format!("{key}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))?;
    }
    let rows: Vec<_> = places.iter().map(|place| place_row(place)).collect();
    table(&rows)?;
    let rows: Vec<_> = left.iter().map(|left| left_row(left)).collect();
    table(&rows)
}

/// An element by its id, or by its name in Chinese or English.
fn element(pack: &Pack, text: &str) -> Option<String> {
    let by_id = ElementId::parse(text).ok().and_then(|id| pack.catalogue().get(id));
    let named = || pack.catalogue().iter().find(|element| element.zh == text || element.en == text);
    by_id.or_else(named).map(|element| element.id.as_str().to_owned())
}

fn described(pack: &Pack, id: &str) -> Option<Json> {
    let element = ElementId::parse(id).ok().and_then(|id| pack.catalogue().get(id))?;
    Some(json!({
        "id": element.id, "zh": element.zh, "en": element.en, "value": element.value,
        "domain": element.domain, "class": element.class, "level": element.level,
    }))
}

const fn arrow(place: &Place) -> &'static str {
    match place.ways {
        (true, true) => "<->",
        (true, false) => "->",
        _ => "<-",
    }
}

fn place_row(place: &Place) -> Vec<String> {
    let spot = format!("{}:{}", place.file, place.line);
    let elements = place.elements.join(" ");
    vec![
        place.form.clone(),
        place.wire.clone(),
        arrow(place).to_owned(),
        elements,
        place.how.clone(),
        spot,
    ]
}

fn left_row(left: &Left) -> Vec<String> {
    let bin = if left.carried { "carried" } else { "dropped" };
    let spot = format!("{}:{}", left.file, left.line);
    vec![left.form.clone(), left.wire.clone(), bin.to_owned(), left.why.clone(), spot]
}

fn place_json(place: &Place) -> Json {
    json!({
        "form": place.form, "wire": place.wire, "elements": place.elements,
        "read": place.ways.0, "written": place.ways.1, "how": place.how,
        "file": place.file, "line": place.line,
    })
}

fn left_json(left: &Left) -> Json {
    json!({
        "form": left.form, "wire": left.wire, "why": left.why,
        "bin": if left.carried { "carried" } else { "dropped" },
        "file": left.file, "line": left.line,
    })
}
