//! Typed values from the leaves of one HL7 v2 repetition.
//!
//! A value keeps every leaf it takes. A code and an identifier keep all their components
//! where there are more than their own three. A scalar takes the first leaf of its path
//! alone; other leaves stay free.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::file::NameForm;
use super::leaf::Leaves;
use super::overlay::Overlay;
use super::plan::{Bin, Codes};
use super::reading::Reading;
use crate::vocabulary::code::Original;
use crate::vocabulary::value::{Composite, Quantity};
use crate::vocabulary::{Coding, Date, Identifier, IdentifierKind};

/// Why a value could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Nothing stands there that this type could be made of.
    Absent,
    /// The code is not in its table, and the row refuses such.
    Code,
    /// The text is not of the type.
    Type,
}

/// A date, in the compact form or, where the sender needs it, ISO 8601 and what is nearly that.
pub(super) fn date(text: &str, overlay: &Overlay) -> Result<Date, Wrong> {
    let text = trimmed(text, overlay);
    let read = Date::parse(text);
    let mended = match overlay.iso_dates {
        true => read.or_else(|_| Date::parse_iso(&padded(text))),
        false => read,
    };
    mended.map_err(|_| Wrong::Type)
}

/// `2026-1-8 8:05` with the zeros that were left out. Signs on both sides say where.
fn padded(text: &str) -> String {
    let mut whole = String::with_capacity(text.len() + 5);
    let mut before = None;
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        let alone = sign.is_ascii_digit() && !signs.peek().is_some_and(char::is_ascii_digit);
        if alone && matches!(before, Some('-' | ':' | 'T' | ' ')) {
            whole.push('0');
        }
        whole.push(sign);
        before = Some(sign);
    }
    whole
}

/// Decimal digits with sign and point, as HL7 v2.4 section 2.8.28 (NM) has them.
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    numeric(whole) && numeric(fraction) && !(whole.is_empty() && fraction.is_empty())
}

/// A number, with a comparator before it where one stands there.
pub(super) fn quantity(text: &str) -> Result<Quantity, Wrong> {
    let (comparator, number) = split_comparator(text);
    if !is_number(number) {
        return Err(Wrong::Type);
    }
    let comparator = (!comparator.is_empty()).then(|| comparator.to_owned());
    Ok(Quantity { number: number.to_owned(), comparator, unit: None })
}

/// `<=`, `>=`, `<`, `>` or nothing, and the rest.
fn split_comparator(text: &str) -> (&str, &str) {
    for comparator in ["<=", ">=", "<", ">"] {
        if let Some(rest) = text.strip_prefix(comparator) {
            return (comparator, rest.trim_start());
        }
    }
    ("", text)
}

/// A structured number (SN): comparator, number; with a separator it is no quantity.
pub(super) fn structured(leaves: &mut Leaves<'_>, part: &Range<usize>) -> Result<Quantity, Wrong> {
    let (comparator, number) = (leaves.find(part, 1, 1), leaves.find(part, 2, 1));
    let number = number.ok_or(Wrong::Type)?;
    let comparable = comparator.is_none_or(|at| matches!(leaves.text(at), "<" | ">" | "<=" | ">="));
    let more = leaves.slice(part).iter().any(|leaf| leaf.at.component > 2);
    if more || !comparable || !is_number(leaves.text(number)) {
        return Err(Wrong::Type);
    }
    let text = |at: Option<usize>| at.map(|at| leaves.text(at).to_owned());
    let read = Quantity {
        number: text(Some(number)).unwrap_or_default(),
        comparator: text(comparator),
        unit: None,
    };
    leaves.take_all(part, Bin::Mapped);
    Ok(read)
}

/// A code (CE, CWE or plain): code, display, system, and all components where there are more.
/// Where the first triplet is empty the alternate one speaks, then the original text (CWE-9).
pub(super) fn coding(
    leaves: &mut Leaves<'_>,
    part: &Range<usize>,
    codes: &Codes,
    reading: &Reading<'_>,
) -> Result<Coding, Wrong> {
    let overlay = reading.overlay;
    let at = |number| leaves.find(part, number, 1);
    let whole = reading.row.path.component == 0;
    let (code, display, system) = match reading.row.path.component {
        0 => [(1, 2), (4, 5), (10, 9)]
            .into_iter()
            .map(|(code, display)| (at(code), at(display), at(code + 2)))
            .find(|(code, display, _)| code.is_some() || display.is_some())
            .ok_or(Wrong::Absent)?,
        named => (at(named), None, None),
    };
    if code.is_none() && display.is_none() {
        return Err(Wrong::Absent);
    }
    let named = [code, display, system.filter(|_| code.is_some())];
    let more = whole && !leaves.slice(part).iter().all(|leaf| triplet(leaf.at, 1));
    let parts =
        if more || (system.is_some() && code.is_none()) { parts(leaves, part) } else { Vec::new() };
    let sent = code.map(|at| leaves.text(at));
    let spelled =
        sent.and_then(|code| overlay.spelled(reading.row.meaning.id, trimmed(code, overlay)));
    let plain = spelled.or_else(|| sent.map(|code| trimmed(code, overlay)));
    let own = system.is_some_and(|at| is_local(trimmed(leaves.text(at), overlay)));
    // What this sender's own code means, its overlay alone can say.
    let found = plain.and_then(|code| match own && spelled.is_none() {
        true => codes.tables.foreign(code),
        false => codes.tables.read(code),
    });
    if found.is_none() && plain.is_some() && codes.refuse {
        return Err(Wrong::Code);
    }
    let text = |at: Option<usize>| at.map(|at| leaves.text(at).to_owned());
    let differs = found != sent || system.is_some() || !parts.is_empty();
    let bin = if parts.is_empty() { Bin::Carried } else { Bin::Mapped };
    let original = differs.then(|| Original {
        code: text(code).unwrap_or_default(),
        system: text(system),
        parts,
    });
    let coding = Coding { code: found.map(str::to_owned), display: text(display), original };
    for index in named.into_iter().flatten() {
        leaves.take(index, Bin::Mapped);
    }
    leaves.take_all(part, bin);
    Ok(coding)
}

/// Whether a code system is a sender's own: HL7 v2.5 table 0396, `L` and `99zzz`. `99KQ` names
/// the catalogue's own elements and tables, which are the same for every sender.
pub(super) fn is_local(system: &str) -> bool {
    system == "L" || (system.starts_with("99") && system != "99KQ")
}

/// Whether a leaf is the text of one of the three components from one on.
fn triplet(at: crate::vocabulary::position::Hl7Position, first: u16) -> bool {
    at.subcomponent == 1 && (first..first + 3).contains(&at.component)
}

/// The bytes of a leaf in base64; a sender may break it into lines.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, Wrong> {
    let plain = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>();
    STANDARD.decode(plain).map_err(|_| Wrong::Type)
}

/// HL7 v2.5 section 2.A.24 (ED): data in the fifth component, its encoding in the fourth
/// (HL7 table 0299); a leaf of its own is base64.
pub(super) fn encapsulated(
    leaves: &mut Leaves<'_>,
    part: &Range<usize>,
    component: u16,
) -> Result<Vec<u8>, Wrong> {
    let data = leaves.find(part, if component == 0 { 5 } else { component }, 1);
    let data = data.ok_or(Wrong::Absent)?;
    let encoding = leaves.find(part, 4, 1).filter(|_| component == 0);
    let text = leaves.text(data);
    let bytes = match encoding.map(|at| leaves.text(at)) {
        Some("A") => text.as_bytes().to_vec(),
        Some("Hex") => hex(text).ok_or(Wrong::Type)?,
        _ => bytes(text)?,
    };
    leaves.take(data, Bin::Mapped);
    Ok(bytes)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?));
    bytes.collect::<Option<_>>().filter(|_| odd.is_empty())
}

/// The components as they came, and the line a person reads made of them.
pub(super) fn composite(
    leaves: &mut Leaves<'_>,
    part: &Range<usize>,
    component: u16,
    line: fn(&[String]) -> String,
) -> Composite {
    let one = matches!(leaves.slice(part), [leaf]
        if leaf.at.component == component.max(1) && leaf.at.subcomponent == 1);
    if one {
        return Composite { text: owned(leaves, part.start), parts: Vec::new() };
    }
    let mut parts = parts(leaves, part);
    if component > 0 {
        parts.drain(..parts.len().saturating_sub(1));
    }
    let text = match (component, parts.first()) {
        (1.., Some(only)) => plain(only).into_owned(),
        _ => line(&parts),
    };
    leaves.take_all(part, Bin::Mapped);
    Composite { text, parts }
}

/// A composite whose number or first part alone would be read as something else keeps its
/// parts always. In one component of a field its subcomponents are the parts.
pub(super) fn whole(
    leaves: &mut Leaves<'_>,
    part: &Range<usize>,
    component: u16,
    line: fn(&[String]) -> String,
) -> Composite {
    let mut parts = parts(leaves, part);
    if component > 0 {
        let own = parts.pop().unwrap_or_default();
        parts = own.split('&').map(str::to_owned).collect();
    }
    leaves.take_all(part, Bin::Mapped);
    Composite { text: line(&parts), parts }
}

/// An entity identifier (EI): number, namespace, universal id and its type, as the parts of a CX.
pub(super) fn entity(
    leaves: &mut Leaves<'_>,
    part: &Range<usize>,
    kind: IdentifierKind,
) -> Option<Identifier> {
    // With subcomponents it is something else, and the way back would not be exact.
    if leaves.slice(part).iter().any(|leaf| leaf.at.subcomponent > 1) {
        return None;
    }
    // Somebody or something may be known by a universal id alone.
    let alone = || leaves.find(part, 4, 1).and_then(|_| leaves.find(part, 3, 1));
    let number = leaves.find(part, 1, 1).or_else(alone)?;
    let authority = leaves.find(part, 2, 1).or_else(|| leaves.find(part, 3, 1));
    let text = |at: Option<usize>| at.map(|at| leaves.text(at).to_owned());
    let (value, authority) = (text(Some(number))?, text(authority));
    let mut own = parts(leaves, part);
    let more = own.len() > 2;
    let authorities = own.split_off(1).join("&");
    let parts = if more {
        let first = own.pop().unwrap_or_default();
        vec![first, String::new(), String::new(), authorities]
    } else {
        Vec::new()
    };
    leaves.take_all(part, Bin::Mapped);
    Some(Identifier { kind, value, authority, type_code: None, parts })
}

/// A hierarchic designator (HD): namespace, universal id and its type, as the parts of an XON.
pub(super) fn designated(
    leaves: &mut Leaves<'_>,
    part: &Range<usize>,
    component: u16,
) -> Composite {
    let own = whole(leaves, part, component, organization_line).parts;
    let [name, id, kind] = [0, 1, 2].map(|index| own.get(index).cloned().unwrap_or_default());
    let mut parts = vec![name];
    if !(id.is_empty() && kind.is_empty()) {
        parts.resize(10, String::new());
        for (place, text) in [(6, kind), (9, id)] {
            parts.splice(place..=place, [text]);
        }
    }
    Composite { text: organization_line(&parts), parts }
}

/// A hierarchic designator (HD) as the facility of a place (PL-4).
pub(super) fn facility(leaves: &mut Leaves<'_>, part: &Range<usize>, component: u16) -> Composite {
    let own = whole(leaves, part, component, place_line).parts.join("&");
    let parts = vec![String::new(), String::new(), String::new(), own];
    Composite { text: place_line(&parts), parts }
}

/// Components by number. Inside one, `&` stands between subcomponents; where a
/// subcomponent itself holds `&` or `\`, these stand as `\T\` and `\E\`.
pub(super) fn parts(leaves: &Leaves<'_>, part: &Range<usize>) -> Vec<String> {
    let mut parts: Vec<String> = Vec::with_capacity(8);
    let mut before = 1;
    for leaf in leaves.slice(part) {
        let component = usize::from(leaf.at.component);
        if component > parts.len() {
            parts.resize(component, String::new());
            before = 1;
        }
        let Some(slot) = parts.last_mut() else { continue };
        for _ in before..leaf.at.subcomponent {
            slot.push('&');
        }
        before = leaf.at.subcomponent;
        slot.push_str(&Composite::subcomponent(&leaf.text));
    }
    parts
}

/// The first subcomponent of a part, as a person reads it.
fn plain(part: &str) -> Cow<'_, str> {
    Composite::plain(part.split('&').find(|text| !text.is_empty()).unwrap_or_default())
}

/// A component as a person reads it, empty if there is none.
fn part(parts: &[String], index: usize) -> Cow<'_, str> {
    parts.get(index).map_or(Cow::Borrowed(""), |part| plain(part))
}

/// Which line a name is, by its form.
pub(super) const fn name_line(form: NameForm) -> fn(&[String]) -> String {
    match form {
        NameForm::Xcn => |parts| name_of(parts, 1),
        NameForm::Ei | NameForm::Hd | NameForm::Xpn => |parts| name_of(parts, 0),
    }
}

/// Family, given, further: joined without space if written in Han characters.
fn name_of(parts: &[String], skip: usize) -> String {
    let [family, given, further] = [0, 1, 2].map(|index| part(parts, skip + index));
    if family.chars().chain(given.chars()).any(is_han) {
        return [family, given, further].concat();
    }
    joined(&[given, further, family], " ")
}

/// Person's name (XPN).
#[must_use]
pub fn xpn_line(parts: &[String]) -> String {
    name_of(parts, 0)
}

/// Postal address (XAD): in Han characters from the large to the small.
#[must_use]
pub fn address_line(parts: &[String]) -> String {
    let [street, other, city, state, zip, country, county] =
        [0, 1, 2, 3, 4, 5, 8].map(|index| part(parts, index));
    if [&street, &other, &city, &state].iter().any(|text| text.chars().any(is_han)) {
        return [state, city, county, street, other].concat();
    }
    joined(&[street, other, city, county, state, zip, country], ", ")
}

/// Contact point (XTN): the number, else the unformatted one, else its pieces, else the mail.
#[must_use]
pub fn telecom_line(parts: &[String]) -> String {
    let pieces = || joined(&[4, 5, 6, 7].map(|index| part(parts, index)), "-");
    let candidates = [0, 11].map(|index| part(parts, index).into_owned());
    let lines = candidates.into_iter().chain([pieces(), part(parts, 3).into_owned()]);
    lines.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// Identified person (XCN): the name, else the number.
pub(super) fn person_line(parts: &[String]) -> String {
    let name = name_of(parts, 1);
    if name.is_empty() { part(parts, 0).into_owned() } else { name }
}

/// Organization (XON): the name, else the number.
pub(super) fn organization_line(parts: &[String]) -> String {
    let names = [0, 9, 2].map(|index| part(parts, index));
    names.into_iter().find(|text| !text.is_empty()).unwrap_or_default().into_owned()
}

/// Place (PL): facility, building, floor, ward, room, bed; else its description.
pub(super) fn place_line(parts: &[String]) -> String {
    let line = joined(&[3, 6, 7, 0, 1, 2].map(|index| part(parts, index)), " ");
    if line.is_empty() { part(parts, 8).into_owned() } else { line }
}

fn joined(parts: &[Cow<'_, str>], between: &str) -> String {
    let filled: Vec<_> = parts.iter().map(AsRef::as_ref).filter(|part| !part.is_empty()).collect();
    filled.join(between)
}

/// CJK unified ideographs with extensions, compatibility ideographs, and the zero 〇.
fn is_han(sign: char) -> bool {
    matches!(sign,
        '〇' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Yes or no, HL7 table 0136.
pub(super) fn boolean(text: &str) -> Result<bool, Wrong> {
    match text {
        "Y" => Ok(true),
        "N" => Ok(false),
        _ => Err(Wrong::Type),
    }
}

/// Without outer spaces, if the sender is known to write them.
pub(super) fn trimmed<'a>(text: &'a str, overlay: &Overlay) -> &'a str {
    if overlay.trim { text.trim() } else { text }
}

/// The text of a leaf, moved out: its place keeps only the bin.
pub(super) fn owned(leaves: &mut Leaves<'_>, index: usize) -> String {
    leaves.0.get_mut(index).map_or_else(String::new, |leaf| {
        leaf.bin = Some(Bin::Mapped);
        match &leaf.text {
            Cow::Borrowed(text) => (*text).to_owned(),
            // Left in place: a later row may ask for it as its condition.
            Cow::Owned(text) => text.clone(),
        }
    })
}

/// Completed years from one day to another.
pub(super) fn years_between(from: chrono::NaiveDate, until: chrono::NaiveDate) -> i32 {
    use chrono::Datelike;
    let before = (until.month(), until.day()) < (from.month(), from.day());
    until.year() - from.year() - i32::from(before)
}
