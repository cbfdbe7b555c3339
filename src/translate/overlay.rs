//! 发送方习惯, what one sender does its own way: `senders/<name>.toml`.
//!
//! An overlay changes what one sender's messages mean, and nobody else's.

use std::collections::HashMap;

use toml::Spanned;

use super::compile::{Compiler, Text};
use super::file::{Repair, SenderFile};
use super::path::Hl7Path;
use super::plan::{Hl7Plan, Read, RowId};
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
}

impl Overlay {
    /// The standard's spelling of a sender's code.
    pub(super) fn code<'a>(&'a self, row: RowId, code: &'a str) -> &'a str {
        if self.codes.is_empty() {
            return code;
        }
        self.codes.get(&row).and_then(|codes| codes.get(code)).map_or(code, String::as_str)
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
        let overlay = Overlay {
            charset: charset?,
            authority: sender.authority.clone(),
            kinds: sender.kinds.clone().into_iter().collect(),
            codes,
            iso_dates: sender.repairs.contains(&Repair::IsoDates),
            trim: sender.repairs.contains(&Repair::Trim),
        };
        Some((self.note(source)?, overlay))
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
