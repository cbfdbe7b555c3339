//! 数据元目录, the catalogue: every element the gateway has a name for.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::code::CodeTables;
use super::diagnostic::{Diagnostic, Files};
use super::element::{Element, ValueType};
use super::name::{Class, ElementId};

/// All elements by id.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    elements: HashMap<ElementId, Element>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ElementsFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    source: String,
    rows: Vec<Spanned<ElementRow>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ElementRow {
    id: String,
    zh: String,
    en: String,
    value: ValueType,
    domain: Option<String>,
    class: Option<String>,
    level: Option<u8>,
    source: Option<String>,
    #[allow(dead_code, reason = "for the reader of the file")]
    note: Option<String>,
}

impl Catalogue {
    /// Reads `elements/*.toml`.
    ///
    /// # Errors
    /// One [`Diagnostic`] for each unreadable file, doubled id, unknown code
    /// table, or level outside 1 to 5.
    pub fn load(files: &Files, tables: &CodeTables) -> Result<Self, Vec<Diagnostic>> {
        let mut found = Self::default();
        let mut faults = Vec::new();
        for path in files.under("elements", "toml") {
            let read = files.text(path).and_then(|text| Ok((text, parse_toml(path, text)?)));
            match read {
                Ok((text, file)) => {
                    let wrong = found.add(file, tables).into_iter();
                    faults.extend(wrong.map(|(at, wrong)| Diagnostic::at(path, text, at, wrong)));
                }
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(found) } else { Err(faults) }
    }

    /// The element with that id.
    #[must_use]
    pub fn get(&self, id: ElementId) -> Option<&Element> {
        self.elements.get(&id)
    }

    /// Every element, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Element> {
        self.elements.values()
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Adds the rows of a file; returns what is wrong, each with its byte offset.
    fn add(&mut self, file: ElementsFile, tables: &CodeTables) -> Vec<(usize, String)> {
        let mut faults = Vec::new();
        for row in file.rows {
            let at = row.span().start;
            let added = element(row.into_inner(), &file.source, tables);
            let before = added.map(|element| self.elements.insert(element.id, element));
            match before {
                Ok(None) => (),
                Ok(Some(before)) => {
                    faults.push((at, format!("element {} stands twice", before.id)))
                }
                Err(message) => faults.push((at, message)),
            }
        }
        faults
    }
}

/// One row, checked. Without a class it is `unlabelled`, without a level it is level 5.
fn element(row: ElementRow, source: &str, tables: &CodeTables) -> Result<Element, String> {
    let level = row.level.unwrap_or(5);
    if !(1..=5).contains(&level) {
        return Err("level is 1 to 5".to_owned());
    }
    if let Some(domain) = row.domain.as_deref().filter(|name| tables.table(name).is_none()) {
        return Err(format!("there is no code table {domain}"));
    }
    if row.domain.is_some() && row.value != ValueType::Code {
        return Err("only a coded element has a domain".to_owned());
    }
    let name = |error: super::name::NameError| error.to_string();
    Ok(Element {
        id: ElementId::parse(&row.id).map_err(name)?,
        zh: row.zh,
        en: row.en,
        value: row.value,
        domain: row.domain,
        class: Class::parse(row.class.as_deref().unwrap_or("unlabelled")).map_err(name)?,
        level,
        source: row.source.unwrap_or_else(|| source.to_owned()),
    })
}

/// Reads a TOML file strictly; the first fault comes with its place.
///
/// # Errors
/// A [`Diagnostic`] with the line and column the parser names.
pub fn parse_toml<T: serde::de::DeserializeOwned>(path: &str, text: &str) -> Result<T, Diagnostic> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span: Range<usize>| span.start);
        Diagnostic::at(path, text, start, error.message().replace('\n', "; "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(row: &str, expect: Result<(&str, u8), &str>) {
        let mut files = Files::default();
        files.insert(
            "elements/a.toml",
            format!("title = \"t\"\nsource = \"s\"\nrows = [\n  {row}\n]\n"),
        );
        let found = Catalogue::load(&files, &CodeTables::default());
        let id = ElementId::parse("DE02.01.039.00").ok();
        match (found, expect) {
            (Ok(found), Ok(expect)) => {
                let element = id.and_then(|id| found.get(id)).map(|e| (e.class.as_str(), e.level));
                assert_eq!(element, Some(expect));
            }
            (Err(faults), Err(message)) => {
                assert!(
                    faults.iter().any(|fault| fault.to_string().contains(message)),
                    "{faults:?}"
                );
            }
            (found, _) => panic!("unexpected: {found:?}"),
        }
    }

    #[test]
    fn an_element_without_class_and_level_is_the_most_protected() {
        let row = r#"{ id = "DE02.01.039.00", zh = "姓名", en = "name", value = "name" },"#;
        check(row, Ok(("unlabelled", 5)));
    }

    #[test]
    fn a_faulty_row_is_refused_where_it_stands() {
        let row = r#"{ id = "DE02.01.039.00", zh = "姓名", en = "name", value = "name" "#;
        check(&format!("{row}, level = 6 }},"), Err("elements/a.toml:4:3: level is 1 to 5"));
        check(&format!("{row}, clas = \"x\" }},"), Err("unknown field `clas`"));
        check(&format!("{row} }}, {row} }},"), Err("stands twice"));
        let coded =
            r#"{ id = "DE02.01.040.00", zh = "性别", en = "sex", value = "code", domain = "x" },"#;
        check(coded, Err("there is no code table x"));
    }

    #[test]
    fn the_shipped_catalogue_loads_and_names_at_least_two_hundred_elements() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
        let mut files = Files::default();
        for folder in ["codes", "elements"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap().flatten() {
                let name = entry.file_name().into_string().unwrap();
                files.insert(format!("{folder}/{name}"), std::fs::read(entry.path()).unwrap());
            }
        }
        let tables = CodeTables::load(&files).unwrap();
        let found = Catalogue::load(&files, &tables).unwrap();
        assert!(found.len() >= 200, "{}", found.len());
    }
}
