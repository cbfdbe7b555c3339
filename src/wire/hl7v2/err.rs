//! ERR, what was wrong and where.
//!
//! Standard: HL7 v2.4 section 2.16.5 (ERR-1, ELD), v2.5 section 2.15.5 (ERR-2 ERL,
//! ERR-3, ERR-4), table 0357. Positions, never values.

use super::escape::escape;
use super::header::Header;
use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::{Fault, Position};

/// The fields of ERR, its id first, as the version of the message has them.
pub(super) fn fields(header: &Header, fault: Fault, at: Option<&Position>) -> Vec<String> {
    let place = match at {
        Some(Position::Hl7(place)) => Some(place),
        _ => None,
    };
    if header.version_numbers() < (2, 5) {
        return vec!["ERR".to_owned(), eld(header, fault, place)];
    }
    let row = fault.row();
    let zh = header.charset.encode(row.zh).is_ok();
    let name = joined(header, &[row.name, "", "99KANGQIAO"]);
    let erl = place.map(|place| erl(header, place)).unwrap_or_default();
    // A place that is not one of HL7's stands in ERR-7, the diagnostic.
    let diagnostic = match at {
        Some(Position::Byte(_) | Position::Pointer(_)) => sentence(header, fault, at),
        _ => String::new(),
    };
    let said = escaped(header, if zh { row.zh } else { row.en });
    let severity = "E".to_owned();
    let unused = String::new;
    vec![
        "ERR".to_owned(),
        unused(),
        erl,
        coded(header, fault),
        severity,
        name,
        unused(),
        diagnostic,
        said,
    ]
}

/// One English sentence for MSA-3: name, meaning and place.
pub(super) fn sentence(header: &Header, fault: Fault, at: Option<&Position>) -> String {
    let row = fault.row();
    let text = match at {
        Some(at) => format!("{}: {} ({at})", row.name, row.en),
        None => format!("{}: {}", row.name, row.en),
    };
    escaped(header, &text)
}

/// The error as table 0357 codes it, as a field.
pub(super) fn coded(header: &Header, fault: Fault) -> String {
    let code = fault.row().hl7_code;
    joined(header, &[&code.to_string(), text_0357(code), "HL70357"])
}

/// Segment, its number, field, repetition, component, subcomponent; zeros end it.
fn erl(header: &Header, place: &Hl7Position) -> String {
    let numbers = [
        place.occurrence,
        place.field.into(),
        place.repetition.into(),
        place.component.into(),
        place.subcomponent.into(),
    ];
    let mut parts = vec![place.segment_id().to_owned()];
    // ERL-4 is required where a field is named: the first repetition if none is.
    let known = |(index, number): (usize, &u32)| match (index, *number) {
        (2, 0) if place.field > 0 => Some("1".to_owned()),
        (_, 0) => None,
        (_, number) => Some(number.to_string()),
    };
    parts.extend(numbers.iter().enumerate().map_while(known));
    if place.component == 0 {
        parts.truncate(4);
    }
    joined(header, &parts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Segment, its number, field, and the code as subcomponents.
fn eld(header: &Header, fault: Fault, place: Option<&Hl7Position>) -> String {
    let code = fault.row().hl7_code;
    let mark = char::from(header.separators.subcomponent).to_string();
    let coded = [code.to_string(), text_0357(code).to_owned(), "HL70357".to_owned()].join(&mark);
    let shown = |number: u32| if number > 0 { number.to_string() } else { String::new() };
    let mut parts = [String::new(), String::new(), String::new(), coded];
    if let (Some(place), [segment, sequence, field, _]) = (place, &mut parts) {
        *segment = place.segment_id().to_owned();
        *sequence = shown(place.occurrence);
        *field = shown(place.field.into());
    }
    parts.join(&char::from(header.separators.component).to_string())
}

fn escaped(header: &Header, text: &str) -> String {
    escape(text, &header.separators, header.charset).into_owned()
}

fn joined(header: &Header, parts: &[&str]) -> String {
    let parts: Vec<_> = parts.iter().map(|part| escaped(header, part)).collect();
    parts.join(&char::from(header.separators.component).to_string())
}

/// HL7 table 0357, message error condition codes.
const fn text_0357(code: u16) -> &'static str {
    match code {
        0 => "Message accepted",
        100 => "Segment sequence error",
        101 => "Required field missing",
        102 => "Data type error",
        103 => "Table value not found",
        200 => "Unsupported message type",
        201 => "Unsupported event code",
        202 => "Unsupported processing id",
        203 => "Unsupported version id",
        204 => "Unknown key identifier",
        205 => "Duplicate key identifier",
        206 => "Application record locked",
        _ => "Application internal error",
    }
}
