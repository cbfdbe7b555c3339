//! 拆分, a body that holds several units: the rows of a table, the records of a list.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::translate::Form;

/// `{"records": […]}`, each kept in its own bytes.
#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
}

/// The units of a body, at most `most`; `None` if there are more, or none.
#[must_use]
pub fn units(form: Form, body: &Bytes, most: usize) -> Option<Vec<Bytes>> {
    let units = match form {
        Form::CivilJson | Form::PlatformJson => records(body).unwrap_or_else(|| vec![body.clone()]),
        Form::CivilCsv => rows(body),
        Form::Tokens => lines(body),
        _ => vec![body.clone()],
    };
    (1..=most).contains(&units.len()).then_some(units)
}

/// The records of a list; `None` if it is no list but one record, or nothing readable.
fn records(body: &Bytes) -> Option<Vec<Bytes>> {
    let listed: Listed<'_> = serde_json::from_slice(body).ok()?;
    Some(listed.records.iter().map(|one| Bytes::copy_from_slice(one.get().as_bytes())).collect())
}

/// Every line that is not empty.
fn lines(body: &Bytes) -> Vec<Bytes> {
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).map(|line| body.slice_ref(line)).collect()
}

/// Every row with the header before it, so that it can be read again by itself.
///
/// A quoted field may hold line ends: RFC 4180 section 2.6. The quote and the line feed are
/// no second byte of a character in UTF-8, GB 18030 or any other set a table comes in.
fn rows(body: &Bytes) -> Vec<Bytes> {
    let mut lines = Vec::new();
    let (mut from, mut quoted) = (0, false);
    for (at, byte) in body.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => {
                lines.push(body.slice(from..=at));
                from = at + 1;
            }
            _ => (),
        }
    }
    if from < body.len() {
        lines.push(body.slice(from..));
    }
    let mut lines = lines.into_iter();
    let Some(header) = lines.next() else { return Vec::new() };
    let filled = lines.filter(|line| !line.trim_ascii().is_empty());
    filled.map(|line| Bytes::from([&header[..], &line[..]].concat())).collect()
}
