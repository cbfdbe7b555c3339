//! 发送方习惯, what one sender does its own way: `senders/<name>.toml`.
//!
//! An overlay changes what one sender's messages mean, and nobody else's.

use std::collections::HashMap;
use std::sync::Arc;

use toml::Spanned;

use super::compile::{Compiler, Text};
use super::file::{Processing, Repair, RowText, SenderFile};
use super::path::Hl7Path;
use super::plan::{FieldPlan, Hl7Plan, Read, RowId, SegmentPlan, SegmentRow};
use super::segment::{ROWS_OF_A_FIELD_MAX, clash};
use super::suggest::nearest;
use crate::vocabulary::{Diagnostic, IdentifierKind, Source};
use crate::wire::Charset;

/// What one sender does its own way. `default()` is a sender without habits.
#[derive(Debug, Clone, Default)]
pub struct Overlay {
    /// The character set of messages without MSH-18.
    pub charset: Option<Charset>,
    /// 分配机构, the authority of its local numbers where a message names none.
    pub authority: Option<String>,
    pub(super) kinds: HashMap<String, IdentifierKind>,
    pub(super) codes: HashMap<RowId, HashMap<String, String>>,
    pub(super) iso_dates: bool,
    pub(super) trim: bool,
    /// Whose messages are applied beside those of production.
    pub(super) processing: Vec<Processing>,
    /// The tables of segments in which this sender has rows or spellings of its own.
    pub(super) segments: HashMap<[u8; 3], Arc<SegmentPlan>>,
}

impl Overlay {
    /// Whether messages of this processing id (HL7 table 0103) are applied. What a system for
    /// training or debugging says of a real number would be said of a real person.
    pub(super) fn applies(&self, processing: &str) -> bool {
        match processing {
            "P" => true,
            "T" => self.processing.contains(&Processing::Training),
            "D" => self.processing.contains(&Processing::Debugging),
            _ => false,
        }
    }

    /// The standard's spelling of a sender's code.
    pub(super) fn code<'a>(&'a self, row: RowId, code: &'a str) -> &'a str {
        self.spelled(row, code).unwrap_or(code)
    }

    /// The standard's code for what this sender is known to write in its place.
    pub(super) fn spelled(&self, row: RowId, code: &str) -> Option<&str> {
        if self.codes.is_empty() {
            return None;
        }
        self.codes.get(&row)?.get(code).map(String::as_str)
    }
}

impl Compiler<'_> {
    /// One sender's overlay, under the name of its file.
    pub fn overlay(
        &mut self,
        file: Text<'_>,
        sender: &SenderFile,
        plan: &Hl7Plan,
    ) -> Option<(Source, Overlay)> {
        let stem = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".toml"));
        let source = Source::parse(stem.unwrap_or_default())
            .map_err(|error| file.fault(0..0, format!("the file's name: {error}")));
        let charset = self.note(charset(file, sender.charset.as_ref()));
        let mut codes = HashMap::new();
        for (path, spelled) in &sender.codes {
            let rows = self.note(coded_rows(file, path, plan)).unwrap_or_default();
            let spelled: HashMap<_, _> = spelled.clone().into_iter().collect();
            codes.extend(rows.into_iter().map(|row| (row, spelled.clone())));
        }
        let mut segments = self.own_rows(file, sender, plan);
        respell(&mut segments, sender, plan);
        let segments = segments.into_iter().map(|(id, plan)| (id, Arc::new(plan))).collect();
        let overlay = Overlay {
            charset: charset?,
            authority: sender.authority.clone(),
            kinds: sender.kinds.clone().into_iter().collect(),
            codes,
            iso_dates: sender.repairs.contains(&Repair::IsoDates),
            trim: sender.repairs.contains(&Repair::Trim),
            processing: sender.processing.clone(),
            segments,
        };
        Some((self.note(source)?, overlay))
    }
}

impl Compiler<'_> {
    /// The sender's rows before those of their tables, which they may take places from.
    fn own_rows(
        &mut self,
        file: Text<'_>,
        sender: &SenderFile,
        plan: &Hl7Plan,
    ) -> HashMap<[u8; 3], SegmentPlan> {
        let mut rows: Vec<(SegmentRow, &Spanned<RowText>)> = Vec::new();
        for row in &sender.rows {
            let compiled = self.own_row(file, row, plan);
            let Some(compiled) = self.note(compiled) else { continue };
            let clash = rows
                .iter()
                .filter(|(before, _)| before.path.segment == compiled.path.segment)
                .find_map(|(before, _)| clash(before, &compiled));
            if let Some((message, hint)) = clash {
                self.faults.push(file.fault(row.span(), message).hint(hint));
            }
            rows.push((compiled, row));
        }
        let mut segments: HashMap<[u8; 3], SegmentPlan> = HashMap::new();
        // Each goes before all others of its field, so the last comes first.
        for (row, written) in rows.into_iter().rev() {
            let Some(table) = plan.segments.get(&row.path.segment) else { continue };
            let own = segments.entry(row.path.segment).or_insert_with(|| (**table).clone());
            if !own.begin_with(row) {
                self.faults.push(file.fault(written.span(), "a field has at most 64 rows"));
            }
        }
        segments
    }

    fn own_row(
        &mut self,
        file: Text<'_>,
        row: &Spanned<RowText>,
        plan: &Hl7Plan,
    ) -> Result<SegmentRow, Diagnostic> {
        let wire = &row.get_ref().wire;
        let path = Hl7Path::parse(wire.get_ref()).map_err(|error| {
            let fault = file.fault(wire.span(), format!("`{}` is no path", wire.get_ref()));
            fault.hint(format!("{error}, such as PID-3.4.1"))
        })?;
        if !plan.segments.contains_key(&path.segment) {
            let id = String::from_utf8_lossy(&path.segment).into_owned();
            let hint = format!("write hl7v2/{}.toml", id.to_ascii_lowercase());
            return Err(file.fault(wire.span(), format!("segment {id} has no table")).hint(hint));
        }
        self.segment_row(file, path.segment, row)
    }
}

impl SegmentPlan {
    /// Puts a row before all others of its field; whether there was room.
    fn begin_with(&mut self, row: SegmentRow) -> bool {
        let number = row.path.field;
        let at = self.fields.partition_point(|field| field.number < number);
        if self.fields.get(at).is_none_or(|field| field.number != number) {
            self.fields.insert(at, FieldPlan::empty(number));
        }
        if row.meaning.required && !self.required.contains(&number) {
            self.required.push(number);
        }
        let Some(field) = self.fields.get_mut(at) else { return false };
        field.insert(0, row);
        field.rows.len() <= ROWS_OF_A_FIELD_MAX
    }
}

/// A condition names the wire table's codes; of this sender it holds where its spelling of one
/// stands, as the row that reads the code does.
fn respell(segments: &mut HashMap<[u8; 3], SegmentPlan>, sender: &SenderFile, plan: &Hl7Plan) {
    for (path, spelled) in &sender.codes {
        // A path that is none is told by `coded_rows`.
        let Ok(path) = Hl7Path::parse(path.get_ref()) else { continue };
        let Some(table) = plan.segments.get(&path.segment) else { continue };
        let own = segments.entry(path.segment).or_insert_with(|| (**table).clone());
        own.respell(&path, spelled);
    }
}

fn charset(file: Text<'_>, name: Option<&Spanned<String>>) -> Result<Option<Charset>, Diagnostic> {
    let Some(name) = name else { return Ok(None) };
    let found = Charset::from_hl7(name.get_ref());
    found.map(Some).ok_or_else(|| {
        file.fault(name.span(), "not a character set the gateway reads")
            .hint("names of HL7 table 0211, such as UNICODE UTF-8, GB 18030-2000 or 8859/1")
    })
}

/// The rows at a path whose codes may be spelled otherwise.
fn coded_rows(
    file: Text<'_>,
    path: &Spanned<String>,
    plan: &Hl7Plan,
) -> Result<Vec<RowId>, Diagnostic> {
    let wanted = Hl7Path::parse(path.get_ref())
        .map_err(|error| file.fault(path.span(), error.to_string()))?;
    let table = plan.segments.get(&wanted.segment);
    let rows = table.into_iter().flat_map(|table| &table.fields).flat_map(|field| &field.rows);
    let coded: Vec<_> = rows
        .filter(|row| {
            matches!(row.meaning.read, Read::Boolean | Read::Code(_) | Read::Observation(_))
        })
        .collect();
    let found: Vec<_> =
        coded.iter().filter(|row| row.path == wanted).map(|row| row.meaning.id).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let known: Vec<_> = coded.iter().map(|row| row.path.to_string()).collect();
    let fault = file.fault(path.span(), format!("no coded row has the path {}", path.get_ref()));
    Err(match nearest(path.get_ref(), known.iter().map(String::as_str)) {
        Some(near) => fault.hint(format!("did you mean {near}?")),
        None => fault,
    })
}
