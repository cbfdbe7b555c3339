//! From rows as written to rows as meant: elements, types, code tables, checked once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;

use super::file::{As, ByType, ElementText, NameForm, RowText, Unknown, Way};
use super::plan::{Codes, Meaning, Observation, Places, Read, Tables};
use super::suggest::nearest;
use crate::vocabulary::code::CodeTable;
use crate::vocabulary::{Catalogue, CodeTables, Diagnostic, Element, ElementId, ValueType};

/// One file, for diagnostics by line and column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub path: &'a str,
    pub text: &'a str,
}

impl Text<'_> {
    /// A fault where a span begins.
    pub fn fault(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(self.path, self.text, span.start, message)
    }
}

/// What compiling needs and gathers over all files.
pub(super) struct Compiler<'a> {
    pub catalogue: &'a Catalogue,
    pub codes: &'a CodeTables,
    /// One place for each row, by its number.
    pub places: Places,
    pub faults: Vec<Diagnostic>,
    /// By code table the OIDs that documents name it by.
    pub systems: HashMap<String, Vec<String>>,
    shared: HashMap<String, Arc<Tables>>,
}

impl<'a> Compiler<'a> {
    /// A compiler that has seen no file yet.
    pub fn new(catalogue: &'a Catalogue, codes: &'a CodeTables) -> Self {
        let (places, faults) = (Vec::new(), Vec::new());
        let (systems, shared) = (HashMap::new(), HashMap::new());
        Self { catalogue, codes, places, faults, systems, shared }
    }

    /// Keeps a fault and goes on with the next row.
    pub fn note<T>(&mut self, outcome: Result<T, Diagnostic>) -> Option<T> {
        outcome.map_err(|fault| self.faults.push(fault)).ok()
    }

    /// Resolves what a row means, apart from where it stands.
    pub fn meaning(
        &mut self,
        file: Text<'_>,
        row: &Spanned<RowText>,
    ) -> Result<Meaning, Diagnostic> {
        let place = file.fault(row.span(), "no example exercises this row");
        let text = row.get_ref();
        let (element, read) = match text.element.get_ref() {
            ElementText::One(id) => self.single(file, text, id)?,
            ElementText::ByType(by_type) => self.observation(file, text, by_type)?,
        };
        let numeric = matches!(read, Read::Quantity | Read::Observation(_)) || text.unit.is_none();
        if let Some(unit) = text.unit.as_ref().filter(|_| !numeric) {
            return Err(file.fault(unit.span(), "only a quantity has a unit"));
        }
        if let Some(codes) = text.codes.as_ref().filter(|_| !coded(&read)) {
            return Err(file.fault(codes.span(), "only a code has code tables"));
        }
        if text.kind.is_some() && !matches!(read, Read::Identifier(_)) {
            return Err(file.fault(row.span(), "only an identifier has a kind"));
        }
        if let Some(form) = text.composite.filter(|form| !fits(&read, *form)) {
            return Err(file
                .fault(row.span(), format!("no value of this type stands in a {form:?}"))
                .hint("a name: XPN, XCN; an identifier: EI; an organization or place: HD"));
        }
        self.places.push(place.hint("add an example whose message has it"));
        Ok(Meaning {
            id: self.places.len() - 1,
            element,
            read,
            way: text.way,
            required: text.required,
            strict: text.required || text.strict,
        })
    }

    fn single(
        &mut self,
        file: Text<'_>,
        row: &RowText,
        id: &str,
    ) -> Result<(ElementId, Read), Diagnostic> {
        let element = self.element(file, row, id)?;
        let form = row.form.as_ref().map_or(natural(element.value), |form| *form.get_ref());
        let span = row.form.as_ref().map_or(row.element.span(), Spanned::span);
        if form == As::Observation {
            return Err(file
                .fault(row.element.span(), "an observation names one element for each type")
                .hint("element = { quantity = \"…\", code = \"…\", text = \"…\", date = \"…\" }"));
        }
        if natural(element.value) != form {
            let name = name(element.value);
            return Err(file
                .fault(span, format!("{id} holds a {name}"))
                .hint(format!("write as = \"{name}\", or another element")));
        }
        let read = match form {
            As::Address => Read::Address,
            As::Boolean => Read::Boolean,
            As::Bytes => Read::Bytes,
            As::Code => Read::Code(self.tables(file, row, element)?),
            As::Date => Read::Date,
            As::Identifier => Read::Identifier(row.kind),
            As::Name => Read::Name(row.composite.unwrap_or_default()),
            As::Organization => Read::Organization,
            As::Person => Read::Person,
            As::Place => Read::Place,
            As::Quantity => Read::Quantity,
            As::Telecom => Read::Telecom,
            As::Text | As::Observation => Read::Text,
        };
        Ok((element.id, read))
    }

    fn observation(
        &mut self,
        file: Text<'_>,
        row: &RowText,
        by_type: &ByType,
    ) -> Result<(ElementId, Read), Diagnostic> {
        let span = row.form.as_ref().map_or(row.element.span(), Spanned::span);
        if row.form.as_ref().map(|form| *form.get_ref()) != Some(As::Observation) {
            return Err(file.fault(span, "several elements need as = \"observation\""));
        }
        let typed = |id: &Option<String>, value: ValueType| {
            let Some(id) = id else { return Ok(None) };
            let element = self.element(file, row, id)?;
            if element.value != value {
                let message = format!("{id} holds a {}", name(element.value));
                return Err(file.fault(row.element.span(), message));
            }
            Ok(Some(element))
        };
        let quantity = typed(&by_type.quantity, ValueType::Quantity)?.map(|element| element.id);
        let text = typed(&by_type.text, ValueType::Text)?.map(|element| element.id);
        let date = typed(&by_type.date, ValueType::Date)?.map(|element| element.id);
        let bytes = typed(&by_type.bytes, ValueType::Bytes)?.map(|element| element.id);
        let code = match typed(&by_type.code, ValueType::Code)? {
            Some(element) => Some((element.id, self.tables(file, row, element)?)),
            None => None,
        };
        let first = quantity.or(text).or(date).or(bytes).or(code.as_ref().map(|(id, _)| *id));
        let Some(first) = first else {
            return Err(file.fault(row.element.span(), "an observation names at least one element"));
        };
        let by_type = Observation { quantity, code, text, date, bytes };
        Ok((first, Read::Observation(Box::new(by_type))))
    }

    fn element(&self, file: Text<'_>, row: &RowText, id: &str) -> Result<&'a Element, Diagnostic> {
        let found = ElementId::parse(id).ok().and_then(|id| self.catalogue.get(id));
        found.ok_or_else(|| {
            let known: Vec<_> = self.catalogue.iter().map(|element| element.id).collect();
            let fault = file.fault(row.element.span(), format!("there is no element {id}"));
            match nearest(id, known.iter().map(ElementId::as_str)) {
                Some(near) => fault.hint(format!("did you mean {near}?")),
                None => fault.hint("add it to mappings/elements"),
            }
        })
    }

    /// The tables of a coded row; the left one is the element's own.
    fn tables(
        &mut self,
        file: Text<'_>,
        row: &RowText,
        element: &Element,
    ) -> Result<Codes, Diagnostic> {
        let refuse = row.unknown == Unknown::Refuse;
        let domain = element.domain.as_deref();
        let (text, span) = match &row.codes {
            Some(codes) => (codes.get_ref().as_str(), codes.span()),
            None => (domain.unwrap_or_default(), row.element.span()),
        };
        let left = text.split('|').next().unwrap_or_default().trim();
        if let Some(domain) = domain.filter(|domain| *domain != left) {
            return Err(file
                .fault(span, format!("{} is coded by {domain}, not by {left}", element.id))
                .hint(format!("write codes = \"{domain} | <table of the wire>\"")));
        }
        let tables = self.crossing(file, &Spanned::new(span.clone(), text.to_owned()))?;
        match &*tables {
            Tables::Walk { into, .. } if into.is_empty() && row.way != Way::Out => {
                Err(file.fault(span, "the crosswalk has no way from the wire to the element"))
            }
            Tables::Walk { back, .. } if back.is_empty() && row.way != Way::In => Err(file
                .fault(span, "the crosswalk has no way from the element to the wire")
                .hint("add rows that go back, or write way = \"in\"")),
            _ => Ok(Codes { tables, refuse }),
        }
    }

    /// The OIDs of the table that the wire of a coded row uses.
    pub fn systems_of(&self, row: &RowText, element: ElementId) -> Vec<String> {
        let domain = || self.catalogue.get(element)?.domain.as_deref();
        let codes = row.codes.as_ref().map(|codes| codes.get_ref().as_str()).or_else(domain);
        let table = codes.and_then(|codes| codes.rsplit('|').next()).map(str::trim);
        table.and_then(|table| self.systems.get(table)).cloned().unwrap_or_default()
    }

    /// `left | right`, shared by all that name them.
    pub fn crossing(
        &mut self,
        file: Text<'_>,
        named: &Spanned<String>,
    ) -> Result<Arc<Tables>, Diagnostic> {
        let text = named.get_ref().as_str();
        if let Some(tables) = self.shared.get(text) {
            return Ok(Arc::clone(tables));
        }
        let (left, right) = match text.split_once('|') {
            Some((left, right)) => (left.trim(), Some(right.trim())),
            None => (text.trim(), None),
        };
        let compiled = self.compile_tables(left, right);
        let tables = Arc::new(compiled.map_err(|name| self.missing(file, named.span(), &name))?);
        self.shared.insert(text.to_owned(), Arc::clone(&tables));
        Ok(tables)
    }

    /// An error is the name of what is missing.
    fn compile_tables(&self, left: &str, right: Option<&str>) -> Result<Tables, String> {
        if left.is_empty() {
            return Ok(Tables::Any);
        }
        for name in [Some(left), right].into_iter().flatten() {
            if self.codes.table(name).is_none() {
                return Err(name.to_owned());
            }
        }
        let Some(right) = right else {
            let codes = self.codes.table(left).into_iter().flat_map(CodeTable::codes);
            return Ok(Tables::Same(codes.map(str::to_owned).collect()));
        };
        let walk = |from, to| self.codes.crosswalk(from, to).cloned();
        match (walk(right, left), walk(left, right)) {
            (None, None) => Err(format!("{left}~{right}")),
            (into, back) => Ok(Tables::Walk {
                wire: right.to_owned(),
                into: into.unwrap_or_default(),
                back: back.unwrap_or_default(),
            }),
        }
    }

    fn missing(&self, file: Text<'_>, span: Range<usize>, name: &str) -> Diagnostic {
        if name.contains('~') {
            return file.fault(span, format!("there is no crosswalk codes/{name}.csv"));
        }
        let fault = file.fault(span, format!("there is no code table {name}"));
        match nearest(name, self.codes.names()) {
            Some(near) => fault.hint(format!("did you mean {near}?")),
            None => fault,
        }
    }
}

/// Whether a value of that type can stand in that composite.
const fn fits(read: &Read, form: NameForm) -> bool {
    match form {
        NameForm::Ei => matches!(read, Read::Identifier(_)),
        NameForm::Hd => matches!(read, Read::Organization | Read::Place),
        NameForm::Xcn | NameForm::Xpn => matches!(read, Read::Name(_)),
    }
}

fn coded(read: &Read) -> bool {
    match read {
        Read::Code(_) => true,
        Read::Observation(by_type) => by_type.code.is_some(),
        _ => false,
    }
}

/// The way of reading that makes a value of that type.
const fn natural(value: ValueType) -> As {
    match value {
        ValueType::Address => As::Address,
        ValueType::Boolean => As::Boolean,
        ValueType::Bytes => As::Bytes,
        ValueType::Code => As::Code,
        ValueType::Date => As::Date,
        ValueType::Identifier => As::Identifier,
        ValueType::Name => As::Name,
        ValueType::Organization => As::Organization,
        ValueType::Person => As::Person,
        ValueType::Place => As::Place,
        ValueType::Quantity => As::Quantity,
        ValueType::Telecom => As::Telecom,
        ValueType::Text => As::Text,
    }
}

const fn name(value: ValueType) -> &'static str {
    match value {
        ValueType::Address => "address",
        ValueType::Boolean => "boolean",
        ValueType::Bytes => "bytes",
        ValueType::Code => "code",
        ValueType::Date => "date",
        ValueType::Identifier => "identifier",
        ValueType::Name => "name",
        ValueType::Organization => "organization",
        ValueType::Person => "person",
        ValueType::Place => "place",
        ValueType::Quantity => "quantity",
        ValueType::Telecom => "telecom",
        ValueType::Text => "text",
    }
}
