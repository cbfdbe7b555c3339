//! 图, where each element stands in each format: the mapping files read for their reader.
//!
//! Loosely, and beside the plans: what a file says counts here, not how it is compiled. For
//! `kangqiao mappings`; nothing of a message passes through it.

use serde::Deserialize;
use toml::Spanned;

use crate::vocabulary::{Diagnostic, Files};

/// Every place the files of a pack name.
#[derive(Debug, Clone, Default)]
pub struct Atlas {
    /// Places with an element.
    pub places: Vec<Place>,
    /// Places that are carried or dropped on purpose.
    pub left: Vec<Left>,
}

/// A place in one format that holds an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The format: `hl7v2`, `fhir`, `cda`, the name of a dialect, `derived`.
    pub form: String,
    /// The file, relative to the folder of mappings.
    pub file: String,
    /// Line in it, from 1.
    pub line: usize,
    /// Where on the wire.
    pub wire: String,
    /// The elements; several where the type decides.
    pub elements: Vec<String>,
    /// Whether it is read, and whether it is written.
    pub ways: (bool, bool),
    /// What else the row says: type, kind, code tables, condition.
    pub how: String,
}

/// A place that no element is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The format.
    pub form: String,
    /// The file.
    pub file: String,
    /// Line in it, from 1.
    pub line: usize,
    /// Where on the wire.
    pub wire: String,
    /// Whether it is kept with the record, or left out.
    pub carried: bool,
    /// The reason the file gives.
    pub why: String,
}

#[derive(Deserialize)]
struct Loose {
    dialect: Option<String>,
    resource: Option<String>,
    #[serde(default)]
    rows: Vec<Spanned<Row>>,
    #[serde(default)]
    carries: Vec<Spanned<Reason>>,
    #[serde(default)]
    drops: Vec<Spanned<Reason>>,
}

#[derive(Deserialize)]
struct Row {
    wire: Option<String>,
    element: Option<toml::Value>,
    #[serde(rename = "as")]
    form: Option<String>,
    kind: Option<String>,
    codes: Option<String>,
    when: Option<toml::Value>,
    shape: Option<String>,
    way: Option<String>,
}

#[derive(Deserialize)]
struct Reason {
    wire: String,
    why: String,
}

/// One row of `cda/entries.csv`.
#[derive(Deserialize)]
struct Entry {
    doc: String,
    section: String,
    element: String,
    name: String,
}

impl Atlas {
    /// Reads the files; one that is no TOML of a mapping has no places.
    #[must_use]
    pub fn of(files: &Files) -> Self {
        let mut atlas = Self::default();
        for path in files.under("", "toml") {
            let folder = path.split('/').next().unwrap_or_default();
            if ["elements", "senders"].contains(&folder) {
                continue;
            }
            let Ok(text) = files.text(path) else { continue };
            if let Ok(read) = toml::from_str::<Loose>(text) {
                atlas.add(folder, (path, text), read);
            }
        }
        atlas.entries(files);
        atlas
    }

    fn add(&mut self, folder: &str, (path, text): (&str, &str), read: Loose) {
        let form = read.dialect.unwrap_or_else(|| folder.to_owned());
        let line = |at: usize| Diagnostic::at(path, text, at, "").line;
        for row in read.rows {
            let line = line(row.span().start);
            let row = row.into_inner();
            let Some(element) = row.element.as_ref() else { continue };
            let place = row.wire.clone().unwrap_or_default();
            let wire = match &read.resource {
                Some(resource) => format!("{resource}{place}"),
                None => place,
            };
            let way = row.way.as_deref().unwrap_or("both");
            self.places.push(Place {
                form: form.clone(),
                file: path.to_owned(),
                line,
                wire,
                elements: named(element),
                ways: (way != "out", way != "in"),
                how: row.how(),
            });
        }
        let reasons = read.carries.into_iter().map(|reason| (reason, true));
        for (reason, carried) in reasons.chain(read.drops.into_iter().map(|drop| (drop, false))) {
            let line = line(reason.span().start);
            let Reason { wire, why } = reason.into_inner();
            let (form, file) = (form.clone(), path.to_owned());
            self.left.push(Left { form, file, line, wire, carried, why });
        }
    }

    /// The entry tables of the shared documents.
    fn entries(&mut self, files: &Files) {
        const PATH: &str = "cda/entries.csv";
        let mut rows = csv::Reader::from_reader(files.bytes(PATH).unwrap_or_default());
        for (index, row) in rows.deserialize::<Entry>().enumerate() {
            let Ok(Entry { doc, section, element, name }) = row else { continue };
            self.places.push(Place {
                form: "cda".to_owned(),
                file: PATH.to_owned(),
                // The first line holds the names of the columns.
                line: index + 2,
                wire: format!("{doc}/{section}"),
                elements: vec![element],
                ways: (true, true),
                how: name,
            });
        }
    }

    /// The places of an element.
    pub fn of_element<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Place> {
        self.places.iter().filter(move |place| place.elements.iter().any(|element| element == id))
    }

    /// The places at a path, and those inside it.
    pub fn at<'a>(&'a self, wire: &'a str) -> impl Iterator<Item = &'a Place> {
        self.places.iter().filter(move |place| inside(&place.wire, wire))
    }

    /// What is left over on purpose at a path, inside it, or around it.
    pub fn left_at<'a>(&'a self, wire: &'a str) -> impl Iterator<Item = &'a Left> {
        self.left.iter().filter(move |left| inside(&left.wire, wire) || inside(wire, &left.wire))
    }
}

/// Whether a path is another one, or below it.
#[must_use]
pub fn inside(path: &str, whole: &str) -> bool {
    let rest = path.strip_prefix(whole);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/', '[']))
}

impl Row {
    fn how(&self) -> String {
        let part =
            |name: &str, text: &Option<String>| text.as_ref().map(|text| format!("{name} {text}"));
        let when = self.when.as_ref().map(|when| format!("when {when}"));
        let parts = [
            self.form.clone(),
            part("kind", &self.kind),
            part("codes", &self.codes),
            part("shape", &self.shape),
            when,
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// One element, or one for each type.
fn named(element: &toml::Value) -> Vec<String> {
    match element {
        toml::Value::String(id) => vec![id.clone()],
        toml::Value::Table(by_type) => {
            by_type.values().filter_map(toml::Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_and_reason_is_a_place_with_its_line() {
        let mut files = Files::default();
        files.insert(
            "hl7v2/pid.toml",
            "segment = \"PID\"\nrows = [\n\
             { wire = \"PID-5\", element = \"A\", as = \"name\" },\n\
             { wire = \"PID-5.1\", element = { text = \"B\", date = \"C\" }, way = \"in\" },\n]\n\
             drops = [{ wire = \"PID-1\", why = \"rebuilt\" }]\n",
        );
        files.insert(
            "fhir/x.toml",
            "resource = \"X\"\nrows = [{ wire = \"/a\", element = \"A\" }]\n",
        );
        files.insert("cda/entries.csv", "doc,section,element,name\nC0001,1-1,A,n\n");
        let atlas = Atlas::of(&files);
        let shown: Vec<_> = atlas
            .of_element("A")
            .map(|place| format!("{} {}:{} {}", place.form, place.file, place.line, place.wire))
            .collect();
        let expect = [
            "fhir fhir/x.toml:2 X/a",
            "hl7v2 hl7v2/pid.toml:3 PID-5",
            "cda cda/entries.csv:2 C0001/1-1",
        ];
        assert_eq!(shown, expect);
        assert_eq!(atlas.at("PID-5").count(), 2);
        assert_eq!(atlas.of_element("C").map(|place| place.ways).next(), Some((true, false)));
        assert_eq!(atlas.left_at("PID-1.2").map(|left| left.line).next(), Some(6));
        assert!(!inside("PID-51", "PID-5") && inside("/a/b", "/a") && inside("/a", "/a"));
    }
}
