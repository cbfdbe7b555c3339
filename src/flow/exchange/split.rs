//! 拆分, from a file to its units, by the ending of its name and what it begins with.
//!
//! | ending | units |
//! | --- | --- |
//! | `.csv` | rows, each with the header |
//! | `.json` | one record, or `{"records": […]}` |
//! | `.jsonl`, `.ndjson` | one record a line |
//! | `.xml` | one record, those in `<records>`, or a clinical document |
//! | `.hl7` | messages, with or without FHS, BHS, BTS and FTS around them |
//! | `.card` | one card a line, as a terminal posts it |

use bytes::Bytes;

use crate::flow::intake::units;
use crate::translate::Form;
use crate::translate::civil;
use crate::vocabulary::Fault;
use crate::wire::{json, xml};

/// The units of a file.
#[derive(Debug)]
pub struct Pieces {
    /// What they are written in.
    pub form: Form,
    /// Each by itself.
    pub units: Vec<Bytes>,
    /// How many a batch says there are (BTS-1), if it says so.
    pub announced: Option<u64>,
}

/// Splits a file.
pub fn split(
    name: &str,
    bytes: &Bytes,
    (most, limits): (usize, &json::Limits),
) -> Result<Pieces, Fault> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let plain = |form, units| Pieces { form, units, announced: None };
    let pieces = match ending.as_deref() {
        Some("csv") => {
            let rows = units(Form::CivilCsv, bytes, usize::MAX);
            plain(Form::CivilCsv, rows.unwrap_or_default())
        }
        Some("json") => {
            let records = units(Form::CivilJson, bytes, usize::MAX).unwrap_or_default();
            plain(Form::CivilJson, records)
        }
        Some("jsonl" | "ndjson") => plain(Form::CivilJson, lines(bytes)),
        Some("card") => plain(Form::Card, lines(bytes)),
        Some("xml") => markup(bytes, limits)?,
        Some("hl7") => batch(bytes),
        _ => return Err(Fault::UnsupportedMedia),
    };
    match pieces.units.len() {
        0 => Err(Fault::Malformed),
        count if count > most => Err(Fault::Limit),
        _ => Ok(pieces),
    }
}

fn lines(bytes: &Bytes) -> Vec<Bytes> {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).map(|line| bytes.slice_ref(line)).collect()
}

/// The records of a list become documents of their own.
fn markup(bytes: &Bytes, _limits: &json::Limits) -> Result<Pieces, Fault> {
    let limits = xml::Limits { bytes_max: usize::MAX, nodes_max: usize::MAX, ..Default::default() };
    let document = xml::read(bytes, &limits).map_err(|error| error.fault())?;
    let one = |form| Pieces { form, units: vec![bytes.clone()], announced: None };
    if document.root == "ClinicalDocument" {
        return Ok(one(Form::Cda));
    }
    if document.root != civil::LIST {
        return Ok(one(Form::CivilXml));
    }
    let mut units = Vec::new();
    for (name, items) in document.tree.members() {
        if name.starts_with(['@', '#']) {
            continue;
        }
        for item in items.items() {
            let (root, namespace) = (name.clone(), document.namespace.clone());
            let unit = xml::Document { root, namespace, tree: item.clone() };
            units.push(Bytes::from(xml::write(&unit)));
        }
    }
    Ok(Pieces { form: Form::CivilXml, units, announced: None })
}

/// HL7 v2.5 section 2.10.3: messages between the headers and trailers of a batch.
fn batch(bytes: &Bytes) -> Pieces {
    let mut units = Vec::new();
    let mut announced = None;
    let (mut message, mut from) = (Vec::new(), 0);
    let mut close = |message: &mut Vec<u8>| {
        if !message.is_empty() {
            units.push(Bytes::from(std::mem::take(message)));
        }
    };
    while from < bytes.len() {
        let rest = bytes.get(from..).unwrap_or_default();
        let length = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let line = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        from += line.len() + 1;
        match line.get(..3) {
            Some(b"MSH") => {
                close(&mut message);
                message.extend_from_slice(line);
            }
            Some(b"FHS" | b"BHS" | b"FTS") => close(&mut message),
            Some(b"BTS") => {
                close(&mut message);
                let count = line.split(|byte| *byte == b'|').nth(1).unwrap_or_default();
                let count = std::str::from_utf8(count).ok().and_then(|text| text.parse().ok());
                announced = count.map(|count: u64| announced.unwrap_or(0) + count).or(announced);
            }
            _ if line.is_empty() => (),
            // Before the first header it is a message nobody can read: refused by position.
            _ if message.is_empty() => message.extend_from_slice(line),
            _ => {
                message.push(b'\r');
                message.extend_from_slice(line);
            }
        }
    }
    close(&mut message);
    Pieces { form: Form::Hl7v2, units, announced }
}
