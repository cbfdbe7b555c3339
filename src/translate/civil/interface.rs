//! Schemas of the published interface, made of the mapping files and the catalogue: JSON
//! Schema 2020-12 (as OpenAPI 3.1 uses it), XML Schema 1.0, and the columns of each table.

use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use super::super::Pack;
use super::place::Step;
use super::shape::{Holds, Leaf, Shape};
use super::{DIALECT, LIST, NAMESPACE, flat};

/// ISO 8601, as exact as it is known.
const DATE: &str = "[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}(:[0-9]{2}(:[0-9]{2}(\\.[0-9]+)?)?)?\
                    (Z|[+\\-][0-9]{2}:[0-9]{2})?)?)?)?";
/// A number, perhaps with a comparator before it.
const QUANTITY: &str = "([<>]=?)?[+\\-]?[0-9]*\\.?[0-9]+";

/// The names of the published datasets.
#[must_use]
pub fn datasets(pack: &Pack) -> Vec<String> {
    Shape::all(pack, DIALECT).iter().map(|shape| shape.dataset.to_string()).collect()
}

/// A JSON Schema for each dataset, by its name.
#[must_use]
pub fn schemas(pack: &Pack) -> Map<String, Json> {
    let shapes = Shape::all(pack, DIALECT);
    shapes.iter().map(|shape| (shape.dataset.to_string(), schema(pack, shape))).collect()
}

/// The columns of a table of a dataset, one item of each list; `None` if there is none.
#[must_use]
pub fn columns(pack: &Pack, dataset: &str) -> Option<Vec<(String, String)>> {
    let shapes = Shape::all(pack, DIALECT);
    let shape = shapes.into_iter().find(|shape| shape.dataset.as_str() == dataset)?;
    let column = |leaf: &Leaf| (flat::name(&leaf.place, &[]), names(pack, leaf).0);
    Some(shape.leaves.iter().map(column).collect())
}

/// One XML Schema for all datasets.
#[must_use]
pub fn xsd(pack: &Pack) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns=\"{NAMESPACE}\" \
         targetNamespace=\"{NAMESPACE}\" elementFormDefault=\"qualified\">"
    );
    for (name, pattern) in [("date", DATE), ("quantity", QUANTITY), ("boolean", "true|false")] {
        let _ = writeln!(
            out,
            "  <xs:simpleType name=\"{name}\"><xs:restriction base=\"xs:string\">\
             <xs:pattern value=\"{}\"/></xs:restriction></xs:simpleType>",
            escaped(pattern)
        );
    }
    let shapes = Shape::all(pack, DIALECT);
    let _ = writeln!(out, "  <xs:element name=\"{LIST}\"><xs:complexType>");
    let _ = writeln!(out, "    <xs:choice minOccurs=\"1\" maxOccurs=\"unbounded\">");
    for shape in &shapes {
        let _ = writeln!(out, "      <xs:element ref=\"{}\"/>", shape.dataset);
    }
    let _ = writeln!(out, "    </xs:choice>\n  </xs:complexType></xs:element>");
    for shape in &shapes {
        let mut root = Branch::default();
        // The root's name says the dataset.
        for leaf in shape.leaves.iter().filter(|leaf| flat::name(&leaf.place, &[]) != "dataset") {
            root.grow(&leaf.place.0, leaf);
        }
        root.write(pack, (&mut out, 1), (shape.dataset.as_str(), false));
    }
    out.push_str("</xs:schema>\n");
    out
}

fn schema(pack: &Pack, shape: &Shape) -> Json {
    let mut whole = json!({ "type": "object", "title": shape.dataset.to_string() });
    for leaf in &shape.leaves {
        let own = match flat::name(&leaf.place, &[]).as_str() {
            "dataset" => json!({ "const": shape.dataset.to_string() }),
            _ => leaf_schema(pack, leaf),
        };
        put(&mut whole, (&leaf.place.0, leaf.required), own);
    }
    whole
}

fn leaf_schema(pack: &Pack, leaf: &Leaf) -> Json {
    let mut schema = match leaf.holds {
        Holds::Boolean => json!({ "type": "boolean" }),
        Holds::Code | Holds::Text => json!({ "type": "string" }),
        Holds::Date => json!({ "type": "string", "pattern": format!("^({DATE})$") }),
        Holds::Quantity => json!({ "type": ["number", "string"] }),
    };
    let (zh, en) = names(pack, leaf);
    if let Json::Object(members) = &mut schema {
        if !zh.is_empty() {
            members.insert("title".to_owned(), zh.into());
            members.insert("description".to_owned(), en.into());
        }
        if let Some(element) = leaf.element {
            members.insert("x-element".to_owned(), element.as_str().into());
        }
        let domain = domain(pack, leaf);
        if let Some(domain) = domain {
            members.insert("x-codes".to_owned(), domain.into());
        }
        let codes = codes(pack, leaf);
        if leaf.closed && !codes.is_empty() {
            members.insert("enum".to_owned(), codes.into());
        }
    }
    schema
}

/// Puts a schema where a leaf stands, with everything around it.
fn put(around: &mut Json, (steps, required): (&[Step], bool), own: Json) {
    let Some((step, rest)) = steps.split_first() else {
        *around = own;
        return;
    };
    let Json::Object(members) = around else { return };
    let next = match step {
        Step::Each | Step::Item(_) => {
            members.insert("type".to_owned(), "array".into());
            members.entry("items").or_insert_with(|| json!({}))
        }
        Step::Name(name) => {
            members.insert("type".to_owned(), "object".into());
            let listed = steps.contains(&Step::Each);
            if let Json::Array(names) = members.entry("required").or_insert_with(|| json!([]))
                && required
                && !listed
                && !names.contains(&json!(name))
            {
                names.push(json!(name));
            }
            let inner = members.entry("properties").or_insert_with(|| json!({}));
            let Json::Object(inner) = inner else { return };
            inner.entry(name.clone()).or_insert_with(|| json!({}))
        }
    };
    put(next, (rest, required), own);
}

/// One element of the XML Schema and what stands in it.
#[derive(Default)]
struct Branch<'s> {
    leaf: Option<&'s Leaf>,
    /// Name, whether it repeats, and what it holds.
    inner: Vec<(&'s str, bool, Self)>,
}

impl<'s> Branch<'s> {
    fn grow(&mut self, steps: &'s [Step], leaf: &'s Leaf) {
        let Some((Step::Name(name), rest)) = steps.split_first() else {
            self.leaf = Some(leaf);
            return;
        };
        let (repeats, rest) = match rest.split_first() {
            Some((Step::Each | Step::Item(_), rest)) => (true, rest),
            _ => (false, rest),
        };
        let known = self.inner.iter().position(|(known, ..)| known == name);
        let at = known.unwrap_or_else(|| {
            self.inner.push((name, repeats, Self::default()));
            self.inner.len() - 1
        });
        if let Some((_, _, branch)) = self.inner.get_mut(at) {
            branch.grow(rest, leaf);
        }
    }

    fn write(
        &self,
        pack: &Pack,
        (out, depth): (&mut String, usize),
        (name, repeats): (&str, bool),
    ) {
        let indent = "  ".repeat(depth);
        let most = if repeats { " maxOccurs=\"unbounded\"" } else { "" };
        let occurs = if depth > 1 { format!(" minOccurs=\"0\"{most}") } else { String::new() };
        if let (Some(leaf), true) = (self.leaf, self.inner.is_empty()) {
            let _ =
                writeln!(out, "{indent}<xs:element name=\"{name}\"{occurs}{}", simple(pack, leaf));
            return;
        }
        // Where nothing repeats each stands once at most; `xs:all` can say no more than that.
        let lists = self.inner.iter().any(|(_, repeats, _)| *repeats);
        let (open, close) = match lists {
            true => ("xs:choice minOccurs=\"0\" maxOccurs=\"unbounded\"", "xs:choice"),
            false => ("xs:all", "xs:all"),
        };
        let _ =
            writeln!(out, "{indent}<xs:element name=\"{name}\"{occurs}><xs:complexType><{open}>");
        for (name, repeats, branch) in &self.inner {
            branch.write(pack, (out, depth + 1), (name, *repeats));
        }
        let _ = writeln!(out, "{indent}</{close}></xs:complexType></xs:element>");
    }
}

/// The rest of an element that holds text.
fn simple(pack: &Pack, leaf: &Leaf) -> String {
    let (zh, _) = names(pack, leaf);
    let about = format!(
        "<xs:annotation><xs:documentation>{}</xs:documentation></xs:annotation>",
        escaped(&zh)
    );
    let codes = codes(pack, leaf);
    if leaf.closed && !codes.is_empty() {
        let listed: String = codes
            .iter()
            .map(|code| format!("<xs:enumeration value=\"{}\"/>", escaped(code)))
            .collect();
        return format!(
            ">{about}<xs:simpleType><xs:restriction base=\"xs:string\">{listed}\
             </xs:restriction></xs:simpleType></xs:element>"
        );
    }
    let kind = match leaf.holds {
        Holds::Boolean => "boolean",
        Holds::Code | Holds::Text => "xs:string",
        Holds::Date => "date",
        Holds::Quantity => "quantity",
    };
    format!(" type=\"{kind}\">{about}</xs:element>")
}

fn names(pack: &Pack, leaf: &Leaf) -> (String, String) {
    let element = leaf.element.and_then(|id| pack.catalogue().get(id));
    element.map(|element| (element.zh.clone(), element.en.clone())).unwrap_or_default()
}

fn domain<'p>(pack: &'p Pack, leaf: &Leaf) -> Option<&'p str> {
    let element = pack.catalogue().get(leaf.element?)?;
    element.domain.as_deref().filter(|_| leaf.holds == Holds::Code)
}

fn codes(pack: &Pack, leaf: &Leaf) -> Vec<String> {
    let table = domain(pack, leaf).and_then(|name| pack.tables().table(name));
    let mut codes: Vec<_> =
        table.into_iter().flat_map(|table| table.codes()).map(str::to_owned).collect();
    codes.sort_unstable();
    codes
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
