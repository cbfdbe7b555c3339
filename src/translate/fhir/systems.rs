//! Names of code systems and assigning authorities, and their URIs: `fhir/systems.csv`.
//!
//! HL7 v2 has short names (`LN`, `I10`, `HL70203`), the catalogue table names
//! (`gbt2261-1`), FHIR absolute URIs. Columns `name,uri,table`: of several names of one URI
//! the first is the one read back; `table` is the code table that knows what its codes say.
//! The name `*` is where a name nobody knows goes, so that it is a URI and comes back.
//!
//! Without a row: `HL7nnnn` and `hl7-nnnn` are `…/CodeSystem/v2-nnnn`, an OID is
//! `urn:oid:…` (FHIR R4 section 2.24.0.7), a URI is itself.

use std::collections::HashMap;

use serde::Deserialize;

use crate::vocabulary::{CodeTables, Diagnostic, Files};

/// Where the table lies in a pack.
pub(super) const FILE: &str = "fhir/systems.csv";

/// Where HL7 v2 tables are published.
const V2: &str = "http://terminology.hl7.org/CodeSystem/v2-";
const OID: &str = "urn:oid:";

/// Names and URIs, both ways.
#[derive(Debug, Default)]
pub(super) struct Systems {
    rows: HashMap<String, (String, String)>,
    names: HashMap<String, String>,
    local: String,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    uri: String,
    table: String,
}

impl Systems {
    /// Reads the table.
    ///
    /// # Errors
    /// A row that cannot be read.
    pub fn load(files: &Files) -> Result<Self, Diagnostic> {
        let mut found = Self::default();
        let mut reader = csv::Reader::from_reader(files.bytes(FILE).unwrap_or_default());
        for row in reader.deserialize::<Row>() {
            let row = row.map_err(|error| Diagnostic::at(FILE, "", 0, error.to_string()))?;
            if row.name == "*" {
                found.local = row.uri;
                continue;
            }
            found.names.entry(row.uri.clone()).or_insert_with(|| row.name.clone());
            found.rows.insert(row.name, (row.uri, row.table));
        }
        Ok(found)
    }

    /// The URI of a name.
    pub fn uri(&self, name: &str) -> String {
        if let Some((uri, _)) = self.rows.get(name) {
            return uri.clone();
        }
        if let Some(number) = v2_number(name) {
            return format!("{V2}{number}");
        }
        if is_uri(name) {
            return name.to_owned();
        }
        if is_oid(name) {
            return format!("{OID}{name}");
        }
        format!("{}{}", self.local, escaped(name))
    }

    /// Whether the table has a row for a name.
    pub fn knows(&self, name: &str) -> bool {
        self.rows.contains_key(name) || v2_number(name).is_some()
    }

    /// The name of a URI.
    pub fn name(&self, uri: &str) -> String {
        if let Some(name) = self.names.get(uri) {
            return name.clone();
        }
        let short = if let Some(number) = uri.strip_prefix(V2) {
            Some(format!("HL7{number}"))
        } else if let Some(oid) = uri.strip_prefix(OID) {
            Some(oid.to_owned())
        } else {
            let own = Some(self.local.as_str()).filter(|local| !local.is_empty());
            own.and_then(|local| uri.strip_prefix(local)).and_then(unescaped)
        };
        // A name that would not lead back is worth nothing.
        short.filter(|name| self.uri(name) == uri).unwrap_or_else(|| uri.to_owned())
    }

    /// What a code of a system says, by its code table: English where that has it.
    pub fn display(&self, tables: &CodeTables, (system, code): (&str, &str)) -> Option<String> {
        let named = self.rows.get(system).map(|(_, table)| table.clone());
        let table = named.filter(|table| !table.is_empty()).unwrap_or_else(|| {
            v2_number(system).map_or_else(|| system.to_owned(), |number| format!("hl7-{number}"))
        });
        let row = tables.table(&table)?.row(code)?;
        [&row.en, &row.zh].into_iter().find(|text| !text.is_empty()).cloned()
    }
}

/// `0203` of `HL70203` and `hl7-0203`.
fn v2_number(name: &str) -> Option<&str> {
    let number = name.strip_prefix("HL7").or_else(|| name.strip_prefix("hl7-"))?;
    let digits = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some(number)
}

fn is_uri(name: &str) -> bool {
    let scheme = ["http://", "https://", "urn:"].iter().any(|scheme| name.starts_with(scheme));
    scheme && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_oid(name: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let whole = |part: &str| number(part) && (part == "0" || !part.starts_with('0'));
    name.starts_with(['0', '1', '2'])
        && name.split('.').count() > 2
        && name.split('.').next().is_some_and(|root| root.len() == 1)
        && name.split('.').all(whole)
}

/// RFC 3986 section 2.1: whatever is not unreserved, by its bytes.
fn escaped(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        bytes.extend_from_slice(rest.get(..at)?.as_bytes());
        bytes.push(u8::from_str_radix(rest.get(at + 1..at + 3)?, 16).ok()?);
        rest = rest.get(at + 3..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn systems() -> Systems {
        let mut files = Files::default();
        let rows = "name,uri,table\nLN,http://loinc.org,\nLNC,http://loinc.org,\n*,urn:x:s:,\n";
        files.insert(FILE, rows);
        Systems::load(&files).unwrap()
    }

    #[test]
    fn a_name_has_a_uri_and_comes_back() {
        let systems = systems();
        for (name, uri) in [
            ("LN", "http://loinc.org"),
            ("HL70203", "http://terminology.hl7.org/CodeSystem/v2-0203"),
            ("2.16.156.10011.1.3", "urn:oid:2.16.156.10011.1.3"),
            ("http://a.b/c", "http://a.b/c"),
            ("L", "urn:x:s:L"),
            ("一院 检验", "urn:x:s:%E4%B8%80%E9%99%A2%20%E6%A3%80%E9%AA%8C"),
            ("9.5", "urn:x:s:9.5"),
        ] {
            assert_eq!(systems.uri(name), uri);
            assert_eq!(systems.name(uri), name);
        }
        assert_eq!(systems.uri("LNC"), "http://loinc.org");
        assert_eq!(systems.uri("hl7-0203"), systems.uri("HL70203"));
    }

    #[test]
    fn a_uri_whose_name_would_lead_elsewhere_keeps_its_name() {
        let systems = systems();
        for uri in ["urn:x:s:LN", "urn:x:s:%zz", "urn:oid:x", "http://other"] {
            assert_eq!(systems.uri(&systems.name(uri)), uri);
        }
    }
}
