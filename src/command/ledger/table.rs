//! Entries as a table on a terminal.

use std::io::{self, Write};

use crate::audit::{Entry, Found};
use crate::command::columns::columns;
use crate::vocabulary::Date;

const HEADINGS: [&str; 9] = [
    "序号 no.",
    "时间 at",
    "事件 kind",
    "部门 department",
    "用途 purpose",
    "人员 person",
    "披露 left",
    "结果 result",
    "回执号 receipt",
];

/// How many characters of a pseudonym are shown; `--json` shows all.
const PERSON_SHOWN: usize = 12;

/// Prints entries, oldest first, and how many there are.
pub fn print(found: &[Found], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", columns(HEADINGS, found.iter().map(row).collect()))?;
    writeln!(out, "共 {} 条 entries", found.len())
}

fn row(found: &Found) -> [String; 9] {
    let entry = &found.entry;
    // An order or a search has no department and no purpose, but somebody and something.
    let asker = entry.asker.as_ref().map(|asker| asker.as_str());
    let subject = entry.subject.as_ref().map(|subject| subject.as_str());
    let name = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let person = entry.person.as_ref().map(|person| person.0.chars().take(PERSON_SHOWN).collect());
    [
        found.number.to_string(),
        Date::from_timestamp(entry.at_ms.div_euclid(1000)).to_iso(),
        format!("{} {}", entry.kind.zh(), entry.kind.as_str()),
        name(entry.department.as_ref().map(|name| name.as_str()).or(asker)),
        name(entry.purpose.as_ref().map(|name| name.as_str()).or(subject)),
        person.unwrap_or_else(|| "-".to_owned()),
        left(entry),
        name(entry.fault.map(|fault| fault.row().name)),
        entry.receipt.to_string(),
    ]
}

/// How many elements left in each tier, and how many did not.
fn left(entry: &Entry) -> String {
    let tiers = entry.elements.tiers().into_iter().filter(|(_, set)| !set.is_empty());
    let mut parts: Vec<_> =
        tiers.map(|(tier, set)| format!("{} {}", set.len(), tier.as_str())).collect();
    if !entry.withheld.is_empty() {
        parts.push(format!("{} withheld", entry.withheld.len()));
    }
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}
