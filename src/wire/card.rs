//! 居民健康卡文件, the files of a card: fixed fields to members and back.
//!
//! A terminal reads the card and posts each file as hexadecimal digits, a cyclic file as
//! a list of its records:
//!
//! ```json
//! { "files": { "DDF1/EF05": "30…", "DF02/EF07": ["B0…", "C1…"] }, "time": "2026-11-21" }
//! ```
//!
//! [`Layout`] says which fields a file has: `mappings/card/layout.csv`, one row a field in
//! the order of the card, columns `file,field,title,form,bytes,list,times`. A field of a
//! `list` stands `times` times, all fields of one list in turn; without a name the items
//! are plain values. `times` `*` makes the file cyclic. Zero bytes are "the rest".
//!
//! | form | on the card | here |
//! | --- | --- | --- |
//! | `text` | GB 18030, padded with 00, 20 or FF | text |
//! | `digits` | packed decimal (cn), padded with F | text |
//! | `date` | packed decimal, `YYYYMMDD`, cut short with F | ISO 8601 |
//! | `code` | one byte, a number or its ASCII digit | text |
//! | `flag` | one byte, 00 no, 01 yes | `true`, `false` |
//! | `hex` | bytes | hexadecimal digits |
//!
//! What is padding alone is absent. A file no row names, and bytes behind the last field,
//! are kept as digits, so that the reader of the mapping counts them.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::Charset;
use crate::vocabulary::hex::{from_hex, to_hex};
use crate::vocabulary::{Diagnostic, Fault, Position};

/// Every file of a card.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    files: Vec<CardFile>,
}

#[derive(Debug, Clone)]
struct CardFile {
    name: String,
    cyclic: bool,
    parts: Vec<Part>,
}

/// One field, or some that repeat in turn.
#[derive(Debug, Clone)]
enum Part {
    List { name: String, times: usize, fields: Vec<CardField> },
    One(CardField),
}

#[derive(Debug, Clone)]
struct CardField {
    name: String,
    form: Form,
    /// 0: what is left of the file.
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Form {
    Code,
    Date,
    Digits,
    Flag,
    Hex,
    Text,
}

#[derive(Deserialize)]
struct LayoutRow {
    file: String,
    field: String,
    form: Form,
    bytes: usize,
    list: String,
    times: String,
}

/// Why the files of a card cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} at {at}", .fault.row().en)]
pub struct CardError {
    /// What is wrong.
    pub fault: Fault,
    /// Where in the document.
    pub at: Position,
}

impl CardError {
    fn new(fault: Fault, pointer: impl Into<String>) -> Self {
        Self { fault, at: Position::Pointer(pointer.into()) }
    }
}

impl Layout {
    /// Reads a layout; `path` is for the diagnostics.
    ///
    /// # Errors
    /// A [`Diagnostic`] for each row that cannot be read.
    pub fn parse(path: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut layout = Self::default();
        let mut faults = Vec::new();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        for (index, row) in reader.deserialize::<LayoutRow>().enumerate() {
            let taken = match row {
                Ok(row) => layout.add(row),
                Err(error) => Err(error.to_string()),
            };
            let offset = text.lines().take(index + 1).map(|line| line.len() + 1).sum();
            faults.extend(taken.err().map(|message| Diagnostic::at(path, text, offset, message)));
        }
        if faults.is_empty() { Ok(layout) } else { Err(faults) }
    }

    fn add(&mut self, row: LayoutRow) -> Result<(), String> {
        if row.file.split('/').count() != 2 {
            return Err("a file is named as DDF1/EF05".to_owned());
        }
        if matches!(row.form, Form::Code | Form::Flag) && row.bytes != 1 {
            return Err("a code or a flag is one byte".to_owned());
        }
        let cyclic = row.times == "*";
        if self.files.last().is_none_or(|file| file.name != row.file) {
            if self.files.iter().any(|file| file.name == row.file) {
                return Err("the fields of a file stand together".to_owned());
            }
            self.files.push(CardFile { name: row.file, cyclic, parts: Vec::new() });
        }
        let Some(file) = self.files.last_mut().filter(|file| file.cyclic == cyclic) else {
            return Err("a file is cyclic as a whole".to_owned());
        };
        let field = CardField { name: row.field, form: row.form, bytes: row.bytes };
        if cyclic || row.list.is_empty() {
            file.parts.push(Part::One(field));
            return Ok(());
        }
        let times = row.times.parse().map_err(|_| "a list says how many times")?;
        match file.parts.last_mut() {
            Some(Part::List { name, fields, .. }) if *name == row.list => fields.push(field),
            _ => file.parts.push(Part::List { name: row.list, times, fields: vec![field] }),
        }
        Ok(())
    }

    /// From files as digits to members; everything but `files` stays as it is.
    ///
    /// # Errors
    /// [`CardError`] at the file or the field that cannot be read.
    pub fn read(&self, document: &Json) -> Result<Json, CardError> {
        let whole = document.as_object().ok_or(CardError::new(Fault::DataType, ""))?;
        let files = whole.get("files").and_then(Json::as_object);
        let files = files.ok_or(CardError::new(Fault::RequiredMissing, "/files"))?;
        let mut found = Map::new();
        let mut strange = Map::new();
        for (name, member) in whole.iter().filter(|(name, _)| *name != "files") {
            found.insert(name.clone(), member.clone());
        }
        for (name, given) in files {
            let Some(file) = self.files.iter().find(|file| file.name == *name) else {
                strange.insert(name.clone(), given.clone());
                continue;
            };
            let at = format!("/files/{}", name.replace('/', "~1"));
            let read = file.read(given, &at)?;
            let (folder, file) = name.split_once('/').unwrap_or_default();
            let folder = found.entry(folder).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(folder) = folder {
                folder.insert(file.to_owned(), read);
            }
        }
        if !strange.is_empty() {
            found.insert("files".to_owned(), strange.into());
        }
        Ok(found.into())
    }

    /// From members to files as digits: only files of which something is there.
    ///
    /// # Errors
    /// [`CardError`] at a value that is too long for its field or not of its form.
    pub fn write(&self, document: &Json) -> Result<Json, CardError> {
        let mut found = document.as_object().cloned().unwrap_or_default();
        let mut files = Map::new();
        for file in &self.files {
            let (folder, name) = file.name.split_once('/').unwrap_or_default();
            let Some(given) = document.get(folder).and_then(|folder| folder.get(name)) else {
                continue;
            };
            found.retain(|name, _| name != folder);
            files.insert(file.name.clone(), file.write(given, &format!("/{}", file.name))?);
        }
        found.insert("files".to_owned(), files.into());
        Ok(found.into())
    }
}

impl CardFile {
    fn read(&self, given: &Json, at: &str) -> Result<Json, CardError> {
        if !self.cyclic {
            return self.record(bytes(given, at)?, at);
        }
        let records = given.as_array().ok_or(CardError::new(Fault::DataType, at))?;
        let mut found = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            let at = format!("{at}/{index}");
            let record = self.record(bytes(record, &at)?, &at)?;
            // A slot of the ring nobody wrote to is no record.
            found.extend(Some(record).filter(|record| !is_empty(record)));
        }
        Ok(found.into())
    }

    fn record(&self, bytes: Vec<u8>, at: &str) -> Result<Json, CardError> {
        let mut rest = bytes.as_slice();
        let mut found = Map::new();
        for part in &self.parts {
            match part {
                Part::One(field) => {
                    if let Some(value) = field.read(&mut rest, at)? {
                        found.insert(field.name.clone(), value);
                    }
                }
                Part::List { name, times, fields } => {
                    let mut items = Vec::new();
                    for _ in 0..*times {
                        items.extend(item(fields, &mut rest, at)?);
                    }
                    if !items.is_empty() {
                        found.insert(name.clone(), items.into());
                    }
                }
            }
        }
        if rest.iter().any(|byte| !is_padding(*byte)) {
            found.insert("rest".to_owned(), to_hex(rest).into());
        }
        Ok(found.into())
    }

    fn write(&self, given: &Json, at: &str) -> Result<Json, CardError> {
        if !self.cyclic {
            return Ok(to_hex(&self.bytes(given, at)?).into());
        }
        let records = given.as_array().into_iter().flatten().enumerate();
        let written = records.map(|(index, record)| {
            let bytes = self.bytes(record, &format!("{at}/{index}"))?;
            Ok(Json::String(to_hex(&bytes)))
        });
        written.collect::<Result<Vec<_>, _>>().map(Json::Array)
    }

    fn bytes(&self, given: &Json, at: &str) -> Result<Vec<u8>, CardError> {
        let mut bytes = Vec::new();
        for part in &self.parts {
            match part {
                Part::One(field) => {
                    let at = format!("{at}/{}", field.name);
                    bytes.extend(field.write(given.get(&field.name), &at)?);
                }
                Part::List { name, times, fields } => {
                    let items = given.get(name).and_then(Json::as_array);
                    for index in 0..*times {
                        let item = items.and_then(|items| items.get(index));
                        for field in fields {
                            let at = format!("{at}/{name}/{index}");
                            let plain = field.name.is_empty();
                            let value = item.and_then(|item| match plain {
                                true => Some(item),
                                false => item.get(&field.name),
                            });
                            bytes.extend(field.write(value, &at)?);
                        }
                    }
                }
            }
        }
        Ok(bytes)
    }
}

/// One item of a list; `None` if nothing stands in it.
fn item(fields: &[CardField], rest: &mut &[u8], at: &str) -> Result<Option<Json>, CardError> {
    let mut members = Map::new();
    let mut plain = None;
    for field in fields {
        match field.read(rest, at)? {
            Some(value) if field.name.is_empty() => plain = Some(value),
            Some(value) => drop(members.insert(field.name.clone(), value)),
            None => (),
        }
    }
    Ok(plain.or_else(|| (!members.is_empty()).then(|| members.into())))
}

impl CardField {
    /// Takes the field's bytes away; `None` if they are padding, or all were read before.
    fn read(&self, rest: &mut &[u8], at: &str) -> Result<Option<Json>, CardError> {
        let here = |fault| CardError::new(fault, format!("{at}/{}", self.name));
        let wanted = if self.bytes == 0 { rest.len() } else { self.bytes };
        if rest.is_empty() {
            return Ok(None);
        }
        let (own, behind) = rest.split_at_checked(wanted).ok_or_else(|| here(Fault::Malformed))?;
        *rest = behind;
        if self.form == Form::Text {
            let end = own.iter().rposition(|byte| !is_padding(*byte)).map_or(0, |last| last + 1);
            let text = Charset::Gb18030.decode(own.get(..end).unwrap_or_default());
            let text = text.map_err(|_| here(Fault::CharacterSet))?;
            return Ok((!text.is_empty()).then(|| text.into_owned().into()));
        }
        let byte = own.first().copied().unwrap_or(0xff);
        let padding = own.iter().all(|byte| *byte == 0xff);
        Ok(match self.form {
            _ if padding => None,
            Form::Code => Some(code(byte).into()),
            Form::Flag => Some(match byte {
                0 => "false".into(),
                1 => "true".into(),
                _ => to_hex(own).into(),
            }),
            Form::Date => date(own).map(Json::String),
            Form::Digits => Some(digits(own).into()),
            Form::Hex | Form::Text => Some(to_hex(own).into()),
        })
    }

    /// The field's bytes; padding for what is absent.
    fn write(&self, value: Option<&Json>, at: &str) -> Result<Vec<u8>, CardError> {
        let wrong = |fault| CardError::new(fault, at);
        let text = match value {
            Some(Json::String(text)) => text.as_str(),
            None | Some(Json::Null) => "",
            Some(_) => return Err(wrong(Fault::DataType)),
        };
        let (mut bytes, padding) = match self.form {
            Form::Text => {
                let text = Charset::Gb18030.encode(text);
                (text.map_err(|_| wrong(Fault::CharacterSet))?.into_owned(), 0)
            }
            Form::Code if text.is_empty() => (Vec::new(), 0xff),
            Form::Code => (vec![text.parse().map_err(|_| wrong(Fault::DataType))?], 0xff),
            Form::Date => (packed(&text.replace('-', "")).ok_or(wrong(Fault::DataType))?, 0xff),
            Form::Digits => (packed(text).ok_or(wrong(Fault::DataType))?, 0xff),
            Form::Flag if text == "true" => (vec![1], 0xff),
            Form::Flag if text == "false" => (vec![0], 0xff),
            Form::Flag | Form::Hex => (from_hex(text).ok_or(wrong(Fault::DataType))?, 0xff),
        };
        if self.bytes > 0 && bytes.len() > self.bytes {
            return Err(wrong(Fault::Limit));
        }
        bytes.resize(bytes.len().max(self.bytes), padding);
        Ok(bytes)
    }
}

fn bytes(given: &Json, at: &str) -> Result<Vec<u8>, CardError> {
    let text = given.as_str().ok_or(CardError::new(Fault::DataType, at))?;
    from_hex(text).ok_or(CardError::new(Fault::Malformed, at))
}

const fn is_padding(byte: u8) -> bool {
    matches!(byte, 0 | 0x20 | 0xff)
}

fn is_empty(record: &Json) -> bool {
    record.as_object().is_some_and(Map::is_empty)
}

/// Terminals differ in whether a byte holds a number or its digit.
fn code(byte: u8) -> String {
    match byte {
        b'0'..=b'9' => char::from(byte).to_string(),
        number => number.to_string(),
    }
}

/// Packed decimal up to its padding; what is none stays as it is.
fn digits(bytes: &[u8]) -> String {
    let text = to_hex(bytes);
    let end = text.trim_end_matches('F');
    if end.bytes().all(|byte| byte.is_ascii_digit()) { end.to_owned() } else { text }
}

/// A day, a month or a year; zeros are no date.
fn date(bytes: &[u8]) -> Option<String> {
    let text = digits(bytes);
    if text.bytes().all(|byte| byte == b'0') {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    Some(match text.len() {
        6 => format!("{}-{}", part(0, 4), part(4, 6)),
        8 => format!("{}-{}-{}", part(0, 4), part(4, 6), part(6, 8)),
        _ => text,
    })
}

/// Digits in pairs, the last one filled up with F.
fn packed(text: &str) -> Option<Vec<u8>> {
    match text.len() % 2 {
        0 => from_hex(text),
        _ => from_hex(&format!("{text}F")),
    }
}

#[cfg(test)]
mod tests;
