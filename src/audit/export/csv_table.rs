//! CSV, for a spreadsheet: RFC 4180 with a byte-order mark, safe against formulas.

use std::borrow::Cow;
use std::io::{self, Write};

use super::Export;
use crate::audit::search::Found;
use crate::vocabulary::{Date, ElementId};

/// One row an entry, headings in Chinese and English.
pub struct CsvTable;

/// Without it a spreadsheet on a Chinese desktop reads the file as GBK.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

const HEADINGS: [&str; 26] = [
    "序号 number",
    "时间 at",
    "事件 kind",
    "回执号 receipt",
    "部门 department",
    "角色 role",
    "经办人 asker",
    "呼叫 call",
    "案件 case",
    "事由 reason",
    "人员假名 person",
    "被合并人员 merged",
    "用途 purpose",
    "法律依据 legal basis",
    "原值 full",
    "概化 generalised",
    "假名 pseudonym",
    "仅知存在 existence",
    "隐去 withheld",
    "规则 rules",
    "原因 fault",
    "来源 sources",
    "版本 policy/mappings",
    "答复摘要 answer sha-256",
    "对象 subject",
    "查询人假名 asked by",
];

impl Export for CsvTable {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn write(
        &self,
        entries: &mut dyn Iterator<Item = Found>,
        out: &mut dyn Write,
    ) -> io::Result<u64> {
        out.write_all(BYTE_ORDER_MARK)?;
        let mut table =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        table.write_record(HEADINGS)?;
        let mut written = 0;
        for found in entries {
            let row = row(&found);
            table.write_record(row.iter().map(|cell| harmless(cell).into_owned()))?;
            written += 1;
        }
        table.flush()?;
        Ok(written)
    }
}

fn row(found: &Found) -> [String; 26] {
    let entry = &found.entry;
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    let sources = entry.sources.iter().map(|(source, state)| format!("{source}:{state:?}"));
    let [full, generalised, pseudonym, existence] = entry.elements.tiers();
    [
        found.number.to_string(),
        Date::from_timestamp(entry.at_ms.div_euclid(1000)).to_iso(),
        format!("{} {}", entry.kind.zh(), entry.kind.as_str()),
        entry.receipt.to_string(),
        text(entry.department.as_ref().map(|name| name.as_str())),
        text(entry.role.as_ref().map(|name| name.as_str())),
        text(entry.asker.as_ref().map(|name| name.as_str())),
        text(entry.call.as_ref().map(|name| name.as_str())),
        text(entry.case.as_ref().map(|name| name.as_str())),
        text(entry.reason.as_ref().map(|name| name.as_str())),
        text(entry.person.as_ref().map(|person| person.0.as_str())),
        text(entry.merged.as_ref().map(|person| person.0.as_str())),
        text(entry.purpose.as_ref().map(|name| name.as_str())),
        text(entry.legal_basis.as_deref()),
        list(full.1),
        list(generalised.1),
        list(pseudonym.1),
        list(existence.1),
        list(&entry.withheld),
        entry.rules.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        text(entry.fault.map(|fault| fault.row().name)),
        sources.collect::<Vec<_>>().join(" ").to_lowercase(),
        [&entry.policy, &entry.mappings].map(|version| text(version.as_deref())).join("/"),
        entry.answer_sha256.map(|hash| hash.to_string()).unwrap_or_default(),
        text(entry.subject.as_ref().map(|name| name.as_str())),
        text(entry.asked_by.as_ref().map(|person| person.0.as_str())),
    ]
}

fn list<'a>(elements: impl IntoIterator<Item = &'a ElementId>) -> String {
    elements.into_iter().map(ElementId::as_str).collect::<Vec<_>>().join(" ")
}

/// A spreadsheet runs what begins like a formula; an apostrophe makes it text
/// (OWASP, CSV injection).
fn harmless(cell: &str) -> Cow<'_, str> {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => Cow::Owned(format!("'{cell}")),
        _ => Cow::Borrowed(cell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Entry, Kind, Reference};

    fn cells(entry: Entry) -> Vec<String> {
        let mut out = Vec::new();
        let mut entries = [Found { number: 9, entry }].into_iter();
        assert_eq!(CsvTable.write(&mut entries, &mut out).unwrap(), 1);
        let text = out.strip_prefix(BYTE_ORDER_MARK).expect("a byte-order mark");
        let mut reader = csv::Reader::from_reader(text);
        assert_eq!(reader.headers().unwrap().len(), HEADINGS.len());
        let record = reader.records().next().unwrap().unwrap();
        record.iter().map(str::to_owned).collect()
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (given, cell) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("plain, \"quoted\"", "plain, \"quoted\""),
            ("1-2", "1-2"),
        ] {
            let asker = Some(Reference::new(given));
            let row = cells(Entry { asker, ..Entry::new(Kind::Refusal, 0, [0; 16]) });
            assert_eq!(row.get(6).map(String::as_str), Some(cell));
        }
        assert_eq!(harmless("\tx"), "'\tx");
        assert_eq!(harmless("\rx"), "'\rx");
    }

    #[test]
    fn a_row_reads_as_an_auditor_reads() {
        let row = cells(Entry::new(Kind::SignIn, 1_795_000_000_123, [0; 16]));
        let beginning: Vec<_> = row.iter().take(3).map(String::as_str).collect();
        assert_eq!(beginning, ["9", "2026-11-18T19:06:40+08:00", "登录 sign-in"]);
    }
}
