//! 值域代码, code tables and the crosswalks between them.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::diagnostic::{Diagnostic, Files};

/// A coded value: the code in the element's own table, and the sender's coding beside it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coding {
    /// The code in the element's value domain; `None` if the sender's code has no counterpart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the code says, as the sender printed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    /// The sender's own coding, where it differs, so that the way back is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
}

/// A coding as it stood on the wire.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// The code.
    pub code: String,
    /// The coding system's name, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// All components as they came (CWE), where there is more than code, display and system:
    /// alternate codings, versions, original text. As [`super::value::Composite`] has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
}

impl Original {
    /// A coding without further components.
    #[must_use]
    pub fn new(code: impl Into<String>, system: Option<String>) -> Self {
        Self { code: code.into(), system, parts: Vec::new() }
    }
}

/// Shows nothing: a code can be a diagnosis.
impl fmt::Debug for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Coding(<masked>)")
    }
}

/// Shows nothing: a code can be a diagnosis.
impl fmt::Debug for Original {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Original(<masked>)")
    }
}

/// One row of a code table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct CodeRow {
    /// The code.
    pub code: String,
    /// Chinese meaning.
    #[serde(default)]
    pub zh: String,
    /// English meaning.
    #[serde(default)]
    pub en: String,
    /// The code above it, in a table with levels.
    #[serde(default)]
    pub parent: String,
}

/// One code table.
#[derive(Debug, Clone, Default)]
pub struct CodeTable {
    rows: HashMap<String, CodeRow>,
    /// Whether any code has one above it.
    levels: bool,
}

impl CodeTable {
    /// The row of a code.
    #[must_use]
    pub fn row(&self, code: &str) -> Option<&CodeRow> {
        self.rows.get(code)
    }

    /// The topmost row above a code, the code's own if there is none above, so that going up
    /// twice is going up once. In a table without levels there is nothing coarser.
    #[must_use]
    pub fn topmost(&self, code: &str) -> Option<&CodeRow> {
        let mut row = self.row(code).filter(|_| self.levels)?;
        // A table is a forest some levels deep; a ring in it must not hold us.
        for _ in 0..8 {
            match self.row(&row.parent) {
                Some(above) => row = above,
                None => return Some(row),
            }
        }
        None
    }

    /// Every code, in no order.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// How many codes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Every code table and crosswalk of a mapping pack.
///
/// Files: `codes/<table>.csv` with columns `code,zh,en,parent`, and
/// `codes/<left>~<right>.csv` with columns `left,right,way`, where `way` is
/// `both`, `right` (only left to right) or `left` (only right to left).
#[derive(Debug, Clone, Default)]
pub struct CodeTables {
    tables: HashMap<String, CodeTable>,
    crosswalks: HashMap<(String, String), HashMap<String, String>>,
}

#[derive(Deserialize)]
struct CrosswalkRow {
    left: String,
    right: String,
    way: String,
}

impl CodeTables {
    /// Reads `codes/*.csv`.
    ///
    /// # Errors
    /// One [`Diagnostic`] for each unreadable row, doubled code, ambiguous
    /// crosswalk or crosswalk code that its table does not list.
    pub fn load(files: &Files) -> Result<Self, Vec<Diagnostic>> {
        let mut found = Self::default();
        let mut faults = Vec::new();
        let (walks, tables): (Vec<_>, Vec<_>) =
            files.under("codes", "csv").partition(|path| path.contains('~'));
        for path in tables {
            found.load_table(files, path, &mut faults);
        }
        for path in walks {
            found.load_crosswalk(files, path, &mut faults);
        }
        if faults.is_empty() { Ok(found) } else { Err(faults) }
    }

    /// One table by its name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&CodeTable> {
        self.tables.get(name)
    }

    /// The crosswalk from one table to another, in that direction.
    #[must_use]
    pub fn crosswalk(&self, from: &str, to: &str) -> Option<&HashMap<String, String>> {
        self.crosswalks.get(&(from.to_owned(), to.to_owned()))
    }

    /// The names of all tables, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    fn load_table(&mut self, files: &Files, path: &str, faults: &mut Vec<Diagnostic>) {
        let mut table = CodeTable::default();
        for (line, row) in rows::<CodeRow>(files, path, faults) {
            table.levels |= !row.parent.is_empty();
            if let Some(before) = table.rows.insert(row.code.clone(), row) {
                faults.push(on_line(path, line, format!("code {} stands twice", before.code)));
            }
        }
        self.tables.insert(stem(path).to_owned(), table);
    }

    fn load_crosswalk(&mut self, files: &Files, path: &str, faults: &mut Vec<Diagnostic>) {
        let (left, right) = stem(path).split_once('~').unwrap_or_default();
        for (line, row) in rows::<CrosswalkRow>(files, path, faults) {
            for (table, code) in [(left, &row.left), (right, &row.right)] {
                if self.table(table).is_none_or(|table| table.row(code).is_none()) {
                    faults.push(on_line(path, line, format!("table {table} has no code {code}")));
                }
            }
            let ways: &[bool] = match row.way.as_str() {
                "both" => &[true, false],
                "right" => &[true],
                "left" => &[false],
                _ => {
                    faults.push(on_line(path, line, "way is one of both, right, left".to_owned()));
                    &[]
                }
            };
            for forward in ways {
                let (from, to) = if *forward { (left, right) } else { (right, left) };
                let (key, code) =
                    if *forward { (&row.left, &row.right) } else { (&row.right, &row.left) };
                let walk = self.crosswalks.entry((from.to_owned(), to.to_owned())).or_default();
                if walk.insert(key.clone(), code.clone()).is_some() {
                    let message = format!("code {key} of {from} already has a counterpart in {to}");
                    faults.push(
                        on_line(path, line, message)
                            .hint("keep one row `both`, make the other one-way"),
                    );
                }
            }
        }
    }
}

/// `codes/gbt2261-1.csv` without folder and extension.
fn stem(path: &str) -> &str {
    path.rsplit('/').next().and_then(|name| name.strip_suffix(".csv")).unwrap_or(path)
}

fn on_line(path: &str, line: u64, message: String) -> Diagnostic {
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    Diagnostic { file: path.to_owned(), line, column: 1, message, hint: None }
}

/// The rows of a CSV file with their line numbers; what cannot be read becomes a diagnostic.
fn rows<T: serde::de::DeserializeOwned>(
    files: &Files,
    path: &str,
    faults: &mut Vec<Diagnostic>,
) -> Vec<(u64, T)> {
    let mut reader = csv::Reader::from_reader(files.bytes(path).unwrap_or_default());
    let headers = reader.headers().cloned().unwrap_or_default();
    let mut read = Vec::new();
    for record in reader.records() {
        let row = record.and_then(|record| {
            let line = record.position().map_or(0, csv::Position::line);
            record.deserialize(Some(&headers)).map(|row| (line, row))
        });
        match row {
            Ok(row) => read.push(row),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                faults.push(on_line(path, line, format!("unreadable row: {error}")));
            }
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(crosswalk: &str) -> Files {
        let mut files = Files::default();
        files.insert("codes/gb.csv", "code,zh,en,parent\n1,男,male,\n2,女,female,\n");
        files.insert(
            "codes/hl7.csv",
            "code,zh,en,parent\nM,男,male,\nF,女,female,\nA,,ambiguous,\n",
        );
        files.insert("codes/gb~hl7.csv", format!("left,right,way\n{crosswalk}"));
        files
    }

    #[test]
    fn a_crosswalk_is_walked_the_ways_its_rows_allow() {
        let tables = CodeTables::load(&files("1,M,both\n2,F,both\n2,A,left\n")).unwrap_or_default();
        let there = tables.crosswalk("gb", "hl7").and_then(|walk| walk.get("2"));
        let back = tables.crosswalk("hl7", "gb").and_then(|walk| walk.get("A"));
        assert_eq!((there.map(String::as_str), back.map(String::as_str)), (Some("F"), Some("2")));
    }

    #[test]
    fn a_doubtful_crosswalk_is_refused_by_line() {
        let check = |rows: &str, message: &str| {
            let faults = CodeTables::load(&files(rows)).map(|_| ()).unwrap_err();
            assert!(faults.iter().any(|fault| fault.to_string().contains(message)), "{faults:?}");
        };
        check("1,M,both\n1,F,right\n", "codes/gb~hl7.csv:3:1: code 1 of gb already has");
        check("9,M,both\n", "codes/gb~hl7.csv:2:1: table gb has no code 9");
        check("1,M,sideways\n", "way is one of");
    }
}
