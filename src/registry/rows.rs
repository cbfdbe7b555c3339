//! 批量接口, our published interface of batches: rows as they come, answers as they leave.
//!
//! ```text
//! {"reference": "JT-0001", "identifier": {"kind": "citizen-id", "value": "…"}}     NDJSON
//! reference,kind,value                                                             CSV
//! ```
//!
//! A row is a line, so that what is wrong with one is no other's fault. Rows are read piece by
//! piece as they arrive; errors say where in a row, never what stood there.

use serde::Serialize;
use serde_json::Value as Json;

use super::answer::{Answer, AnswerMeta, RefusalMeta, Refused, answer, refused, treated};
use super::civil::{InquiryError, object, only, optional, read_identifier};
use crate::policy::{Admission, Release};
use crate::vocabulary::{ElementId, Fault, Freshness, Identifier};
use crate::wire::charset::Charset;
use crate::wire::json::{self, Limits};

/// Bytes of one row.
const LINE_BYTES_MAX: usize = 4_096;
/// Bytes of a department's reference.
const REFERENCE_BYTES_MAX: usize = 64;
/// How much of one row is read at all.
const LIMITS: Limits = Limits { bytes_max: LINE_BYTES_MAX, depth_max: 3, values_max: 16 };
/// The columns of a table of rows, in any order.
const COLUMNS: [&str; 3] = ["reference", "kind", "value"];
/// Columns of an answer before those of its elements.
const HEAD: [&str; 5] = ["row", "reference", "receipt", "answered_at", "fault"];
/// Columns behind them.
const TAIL: [&str; 2] = ["withheld", "not_current"];

/// How rows and answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowForm {
    /// A table, in UTF-8 or what the sender says.
    Csv(Charset),
    /// One JSON object a line.
    Ndjson,
}

impl RowForm {
    /// The form of a media type.
    #[must_use]
    pub fn of_media(media: &str) -> Option<Self> {
        let (essence, parameters) = media.split_once(';').unwrap_or((media, ""));
        match essence.trim().to_ascii_lowercase().as_str() {
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
                Some(Self::Ndjson)
            }
            "text/csv" => {
                let named = parameters.split(';').find_map(|one| {
                    let (name, value) = one.split_once('=')?;
                    name.trim().eq_ignore_ascii_case("charset").then_some(value)
                });
                match named.map(|name| Charset::from_hl7(name.trim().trim_matches('"'))) {
                    None => Some(Self::Csv(Charset::Utf8)),
                    Some(Some(known)) if known.extends_ascii() => Some(Self::Csv(known)),
                    Some(_) => None,
                }
            }
            _ => None,
        }
    }

    /// The media type of answers.
    #[must_use]
    pub const fn media(self) -> &'static str {
        match self {
            Self::Csv(_) => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

/// A row as it came.
pub struct BroughtRow {
    /// What the department calls the elder; empty where that cannot be read.
    pub reference: String,
    /// About whom, or what is wrong and where in the row.
    pub identifier: Result<Identifier, InquiryError>,
}

/// Reads rows as their bytes arrive.
pub struct RowReader {
    form: RowForm,
    line: Vec<u8>,
    /// The rest of a line that is too long is passed over.
    overlong: bool,
    begun: bool,
    /// Where each of the columns stands.
    columns: Option<[usize; 3]>,
}

impl RowReader {
    /// A reader of one form.
    #[must_use]
    pub const fn new(form: RowForm) -> Self {
        Self { form, line: Vec::new(), overlong: false, begun: false, columns: None }
    }

    /// Reads on; rows that are whole are added.
    ///
    /// # Errors
    /// [`InquiryError`] if a table does not begin with its header.
    pub fn take(&mut self, piece: &[u8], rows: &mut Vec<BroughtRow>) -> Result<(), InquiryError> {
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = rest.split_at(end);
            self.add(line);
            self.finish_line(rows)?;
            rest = behind.get(1..).unwrap_or_default();
        }
        self.add(rest);
        Ok(())
    }

    /// The last line may have no end.
    ///
    /// # Errors
    /// As [`RowReader::take`].
    pub fn end(&mut self, rows: &mut Vec<BroughtRow>) -> Result<(), InquiryError> {
        self.finish_line(rows)
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > LINE_BYTES_MAX {
            self.overlong = true;
        } else if !self.overlong {
            self.line.extend_from_slice(bytes);
        }
    }

    fn finish_line(&mut self, rows: &mut Vec<BroughtRow>) -> Result<(), InquiryError> {
        let mut line = std::mem::take(&mut self.line);
        let overlong = std::mem::take(&mut self.overlong);
        if !std::mem::replace(&mut self.begun, true)
            && let Some(rest) = line.strip_prefix(b"\xEF\xBB\xBF")
        {
            line = rest.to_vec();
        }
        let blank = !overlong && line.iter().all(u8::is_ascii_whitespace);
        if blank {
            return Ok(());
        }
        let too_long = || InquiryError::new(Fault::Limit, "");
        match (self.form, self.columns) {
            (RowForm::Csv(charset), None) => {
                let columns = if overlong { None } else { header(charset, &line) };
                let wrong = || InquiryError::new(Fault::Malformed, "/header");
                self.columns = Some(columns.ok_or_else(wrong)?);
            }
            _ if overlong => rows.push(BroughtRow::wrong(too_long())),
            (RowForm::Csv(charset), Some(columns)) => {
                rows.push(
                    cells(charset, &line)
                        .map_or_else(BroughtRow::wrong, |cells| table_row(&cells, columns)),
                );
            }
            (RowForm::Ndjson, _) => {
                rows.push(json_row(&line).unwrap_or_else(BroughtRow::wrong));
            }
        }
        Ok(())
    }
}

impl BroughtRow {
    const fn wrong(error: InquiryError) -> Self {
        Self { reference: String::new(), identifier: Err(error) }
    }
}

fn json_row(line: &[u8]) -> Result<BroughtRow, InquiryError> {
    let json = json::read(line, &LIMITS)
        .map_err(|error| InquiryError { fault: error.fault(), at: error.position().clone() })?;
    let given = object(&json, "")?;
    only(given, "", &["reference", "identifier"])?;
    let reference = reference(optional(given, "", "reference")?)?;
    let none = || InquiryError::new(Fault::RequiredMissing, "/identifier");
    let identifier = given.get("identifier").ok_or_else(none);
    let identifier = identifier.and_then(|json| read_identifier(json, "/identifier"));
    Ok(BroughtRow { reference, identifier })
}

fn reference(given: Option<String>) -> Result<String, InquiryError> {
    match given {
        Some(text) if text.len() > REFERENCE_BYTES_MAX => {
            Err(InquiryError::new(Fault::Limit, "/reference"))
        }
        Some(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(InquiryError::new(Fault::RequiredMissing, "/reference")),
    }
}

/// Where each column stands; `None` if the line is no header of ours.
fn header(charset: Charset, line: &[u8]) -> Option<[usize; 3]> {
    let cells = cells(charset, line).ok()?;
    let at = |name: &str| cells.iter().position(|cell| cell.trim() == name);
    let [reference, kind, value] = COLUMNS.map(at);
    (cells.len() == COLUMNS.len()).then_some([reference?, kind?, value?])
}

fn cells(charset: Charset, line: &[u8]) -> Result<Vec<String>, InquiryError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let wrong = |_| InquiryError::new(Fault::CharacterSet, "");
    let text = charset.decode(line).map_err(wrong)?;
    if !text.contains('"') {
        return Ok(text.split(',').map(str::to_owned).collect());
    }
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).buffer_capacity(LINE_BYTES_MAX);
    let mut record = csv::StringRecord::new();
    let malformed = || InquiryError::new(Fault::Malformed, "");
    let read = reader.from_reader(text.as_bytes()).read_record(&mut record);
    // A quotation mark that is never closed would take the line for one cell to its end.
    let closed = text.bytes().filter(|byte| *byte == b'"').count() % 2 == 0;
    read.ok().filter(|found| *found && closed).ok_or_else(malformed)?;
    Ok(record.iter().map(str::to_owned).collect())
}

/// A row of a table is the object its cells would make.
fn table_row(cells: &[String], [reference_at, kind_at, value_at]: [usize; 3]) -> BroughtRow {
    if cells.len() != COLUMNS.len() {
        return BroughtRow::wrong(InquiryError::new(Fault::Malformed, ""));
    }
    let cell = |at: usize| cells.get(at).map_or("", |cell| cell.trim()).to_owned();
    let named = Some(cell(reference_at)).filter(|text| !text.chars().any(char::is_control));
    let reference = match reference(named) {
        Ok(reference) => reference,
        Err(error) => return BroughtRow::wrong(error),
    };
    let json = serde_json::json!({ "kind": cell(kind_at), "value": cell(value_at) });
    BroughtRow { reference, identifier: read_identifier(&json, "/identifier") }
}

/// Which row an answer is about, in the words of the department.
#[derive(Debug, Clone, Copy)]
pub struct RowHead<'a> {
    /// Its number, from 1.
    pub row: i64,
    /// What the department calls the elder.
    pub reference: &'a str,
}

#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    row: i64,
    reference: &'a str,
    #[serde(flatten)]
    rest: T,
}

/// The elements a table of answers has a column for.
#[must_use]
pub fn columns(admission: &Admission, wanted: Option<&[ElementId]>) -> Vec<ElementId> {
    let open = admission.terms().elements.iter().copied();
    open.filter(|id| wanted.is_none_or(|wanted| wanted.contains(id))).collect()
}

/// What stands before the first answer: with the mark by which a spreadsheet knows UTF-8.
#[must_use]
pub fn heading(form: RowForm, columns: &[ElementId]) -> Vec<u8> {
    match form {
        RowForm::Ndjson => Vec::new(),
        RowForm::Csv(_) => {
            let elements = columns.iter().map(|id| id.as_str().to_owned());
            let names = HEAD.iter().map(|name| (*name).to_owned()).chain(elements);
            let names = names.chain(TAIL.iter().map(|name| (*name).to_owned()));
            ["\u{feff}".as_bytes(), &record(names.collect())].concat()
        }
    }
}

/// Writes the answer about one row, its line end included. Takes a release and nothing less.
#[must_use]
pub fn write_row(
    (form, columns): (RowForm, &[ElementId]),
    head: RowHead<'_>,
    release: &Release,
    meta: &AnswerMeta<'_>,
) -> Vec<u8> {
    match form {
        RowForm::Ndjson => {
            let rest: Answer<'_> = answer(release, meta);
            line(&Line { row: head.row, reference: head.reference, rest })
        }
        RowForm::Csv(_) => {
            let mut cells = vec![
                head.row.to_string(),
                head.reference.to_owned(),
                meta.receipt.to_owned(),
                crate::vocabulary::Date::from_timestamp(meta.answered_at).to_iso(),
                String::new(),
            ];
            for id in columns {
                let of = release.released().filter(|one| one.element().id == *id);
                let values: Vec<_> = of.map(|one| plain(&treated(one.value()))).collect();
                cells.push(values.join(" | "));
            }
            let withheld: Vec<_> = release.withheld().map(|one| one.element.as_str()).collect();
            cells.push(withheld.join(" "));
            let old = meta
                .sources
                .iter()
                .filter(|one| matches!(one.state, Freshness::Stale | Freshness::Unavailable));
            cells.push(old.map(|one| one.source.to_string()).collect::<Vec<_>>().join(" "));
            record(cells)
        }
    }
}

/// Writes why one row is not answered, its line end included.
#[must_use]
pub fn write_refused_row(
    (form, columns): (RowForm, &[ElementId]),
    head: RowHead<'_>,
    (meta, at): (&RefusalMeta<'_>, i64),
) -> Vec<u8> {
    match form {
        RowForm::Ndjson => {
            let rest: Refused<'_> = refused(meta);
            line(&Line { row: head.row, reference: head.reference, rest })
        }
        RowForm::Csv(_) => {
            let mut cells = vec![
                head.row.to_string(),
                head.reference.to_owned(),
                meta.receipt.unwrap_or_default().to_owned(),
                crate::vocabulary::Date::from_timestamp(at).to_iso(),
                meta.fault.row().name.to_owned(),
            ];
            cells.resize(HEAD.len() + columns.len() + TAIL.len(), String::new());
            record(cells)
        }
    }
}

fn line(row: &impl Serialize) -> Vec<u8> {
    // Texts, numbers and lists alone: serialising them cannot fail.
    let mut bytes = serde_json::to_vec(row).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// A spreadsheet runs what begins like a formula; an apostrophe makes it text
/// (OWASP, CSV injection).
fn record(cells: Vec<String>) -> Vec<u8> {
    let mut table = csv::WriterBuilder::new();
    let mut table = table.terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = table.write_record(cells.iter().map(|cell| {
        let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        if formula { format!("'{cell}") } else { cell.clone() }
    }));
    table.into_inner().unwrap_or_default()
}

/// A value in one cell.
fn plain(value: &Json) -> String {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let Some(parts) = value.as_object() else { return text(value) };
    if parts.contains_key("present") {
        return "present".to_owned();
    }
    let part = |key: &str| parts.get(key).filter(|part| !part.is_null()).map(text);
    if let Some(number) = part("number") {
        let comparator = part("comparator").unwrap_or_default();
        return format!("{comparator}{number} {}", part("unit").unwrap_or_default())
            .trim()
            .to_owned();
    }
    let first = ["code", "value", "pseudonym", "shifted", "display"].into_iter().find_map(part);
    first.unwrap_or_default()
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
