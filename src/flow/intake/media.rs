//! 媒体类型, which form a body is, by what its request says it is.

use crate::registry::v3::Dialect;
use crate::translate::Form;
use crate::vocabulary::Fault;

/// The form of a body.
///
/// A type that says nothing (none at all, what `curl` sends by itself, plain text) is HL7
/// v2: that is what this door took before it took anything else.
///
/// # Errors
/// [`Fault::UnsupportedMedia`] for a type that is not taken here.
pub fn form(media: Option<&str>, body: &[u8]) -> Result<Form, Fault> {
    let media = media.unwrap_or_default().to_ascii_lowercase();
    let kind = media.split(';').next().unwrap_or_default().trim();
    match kind {
        ""
        | "application/hl7-v2"
        | "x-application/hl7-v2+er7"
        | "application/octet-stream"
        | "application/x-www-form-urlencoded"
        | "text/plain" => Ok(Form::Hl7v2),
        "application/xml" | "text/xml" => Ok(xml(body)),
        "application/fhir+json" => Ok(Form::Fhir),
        "application/vnd.kangqiao.civil+json" => Ok(Form::CivilJson),
        "application/vnd.kangqiao.civil+xml" => Ok(Form::CivilXml),
        "application/vnd.kangqiao.card+json" => Ok(Form::Card),
        "application/vnd.kangqiao.platform+json" => Ok(Form::PlatformJson),
        "application/vnd.kangqiao.tokens+ndjson" => Ok(Form::Tokens),
        "text/csv" => Ok(Form::CivilCsv),
        _ => Err(Fault::UnsupportedMedia),
    }
}

/// A clinical document or a message of HL7 v3, by the element that holds it all; what is no
/// XML is taken for a document, and refused where it breaks.
fn xml(body: &[u8]) -> Form {
    match root(body) {
        Some(root) if root != b"ClinicalDocument" && hospital(body) => Form::V3Hospital,
        Some(root) if root != b"ClinicalDocument" => Form::V3Regional,
        _ => Form::Cda,
    }
}

/// The numbers of a hospital platform's messages begin alike, and no others do.
fn hospital(body: &[u8]) -> bool {
    let root = Dialect::Hospital.message_root().as_bytes();
    body.windows(root.len()).any(|here| here == root)
}

/// The local name of the first element: a name is ASCII in every character set but UTF-16,
/// in which no platform sends a message.
fn root(body: &[u8]) -> Option<&[u8]> {
    let start = body.windows(2).position(
        |two| matches!(two, [b'<', next] if next.is_ascii_alphabetic() || *next == b'_'),
    )?;
    let name = body.get(start + 1..)?;
    let end = name.iter().position(|byte| b" \t\r\n/>".contains(byte))?;
    name.get(..end)?.rsplit(|byte| *byte == b':').next()
}
