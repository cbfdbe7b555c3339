//! Values as a document writes them: the type of the tables, the code system of the element.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::observation::written_type;
use super::sheet::Sheet;
use super::tables::{EntryRow, Place, Shape};
use super::value::subcomponents;
use super::write::Writing;
use crate::vocabulary::value::{Composite, Quantity};
use crate::vocabulary::{Coding, Element, Value};

/// The root of a number whose own is not known.
const ROOT: &str = "2.16.156.10011.1";

/// Whether a name is an OID, as the schema wants one; other formats have names of their own.
pub(super) fn is_oid(name: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    name.contains('.') && name.split('.').all(number)
}

/// An authority as the root of a number: an OID, else the root of all.
pub(super) fn root_of(authority: Option<&str>) -> &str {
    authority.filter(|oid| is_oid(oid)).unwrap_or(ROOT)
}

impl Writing<'_> {
    /// Puts a value where a place says; a second value makes a second element.
    pub fn put(&self, into: &mut Sheet, place: &Place, value: &Value) {
        match place.shape {
            Shape::Until => into.same(&place.path, &mut |sheet| until(sheet, value)),
            _ => into.at(&place.path, &mut |sheet| self.fill(sheet, place, value)),
        }
    }

    fn fill(&self, sheet: &mut Sheet, place: &Place, value: &Value) {
        let element = self.pack.catalogue().get(place.element);
        match (place.shape, value) {
            (Shape::Address, Value::Address(address)) => fill_address(sheet, address),
            (Shape::Boolean, Value::Boolean(yes)) => {
                sheet.set("xsi:type", "BL");
                sheet.set("value", if *yes { "true" } else { "false" });
            }
            (Shape::Code, Value::Code(coding)) => self.code(sheet, (coding, ""), element),
            (Shape::Identifier, Value::Identifier(identifier)) => {
                sheet.set("root", root_of(identifier.authority.as_deref()));
                sheet.set("extension", &identifier.value);
            }
            (Shape::Quantity, Value::Quantity(quantity)) => fill_quantity(sheet, quantity),
            (_, value) => match &place.leaf {
                Some(leaf) => {
                    sheet.set(leaf.trim_start_matches('@'), &line(value));
                    // A number needs a root; that of its place is not known.
                    if leaf == "@extension" {
                        sheet.set("root", ROOT);
                    }
                }
                None if matches!(place.shape, Shape::From | Shape::Date) => {
                    sheet.set("value", &line(value));
                }
                None => sheet.text = Some(line(value)),
            },
        }
    }

    /// A code with its system: the sender's own if it has an OID, else the element's.
    pub fn code(
        &self,
        sheet: &mut Sheet,
        (coding, system): (&Coding, &str),
        element: Option<&Element>,
    ) {
        let own = coding.original.as_ref();
        let dotted = own.and_then(|own| own.system.as_deref()).is_some_and(is_oid);
        let sent = own.filter(|_| dotted || coding.code.is_none());
        let code = sent.map(|own| own.code.as_str()).or(coding.code.as_deref());
        let domain = element.and_then(|element| element.domain.as_deref()).unwrap_or_default();
        let usual = match system {
            "" => self.plan.oid_of(domain).map_or("", |system| &system.oid),
            system => system,
        };
        let system = match sent {
            Some(own) => own.system.as_deref().filter(|system| is_oid(system)).unwrap_or_default(),
            None => usual,
        };
        sheet.set("code", code.unwrap_or_default());
        if code.is_some() && !system.is_empty() {
            sheet.set("codeSystem", system);
            let name = self.plan.system(self.family(), system).map_or("", |system| &system.name);
            sheet.set("codeSystemName", name);
        }
        sheet.set("displayName", coding.display.as_deref().unwrap_or_default());
    }

    /// The value of an entry.
    pub fn value(
        &self,
        (value, element): (&Value, Option<&Element>),
        row: Option<&EntryRow>,
    ) -> Sheet {
        let sheet = Sheet::new("value");
        let kind = row.map(|row| row.kind.as_str()).unwrap_or_default();
        let natural = written_type(value.value_type());
        match value {
            Value::Boolean(yes) => {
                sheet.with("xsi:type", "BL").with("value", if *yes { "true" } else { "false" })
            }
            Value::Bytes(bytes) => sheet
                .with("xsi:type", "ED")
                .with("representation", "B64")
                .saying(STANDARD.encode(bytes)),
            // Words alone are no code, where the tables print none.
            Value::Code(coding)
                if kind != "CD" && coding.code.is_none() && coding.original.is_none() =>
            {
                sheet.with("xsi:type", "ST").saying(coding.display.clone().unwrap_or_default())
            }
            Value::Code(coding) => {
                let mut sheet = sheet.with("xsi:type", "CD");
                let wire = row.map(|row| row.element.as_str()).unwrap_or_default();
                let system = self.plan.expected(self.document, wire).0;
                let system = system.first().copied().unwrap_or_default();
                self.code(&mut sheet, (coding, system), element);
                sheet
            }
            Value::Date(date) => sheet.with("xsi:type", "TS").with("value", date.as_str()),
            Value::Quantity(quantity) => number(sheet, quantity, kind),
            _ => sheet.with("xsi:type", natural).saying(line(value)),
        }
    }

    /// The family of templates the document belongs to.
    pub fn family(&self) -> &str {
        self.document.map_or("", |document| &document.family)
    }
}

/// A number as its entry prints it: money has a currency, a duration a width.
fn number(sheet: Sheet, quantity: &Quantity, kind: &str) -> Sheet {
    let unit = quantity.unit.as_deref().unwrap_or_default();
    // A limit such as `<7.1` is no number of the schema.
    if let Some(comparator) = &quantity.comparator {
        return sheet.with("xsi:type", "ST").saying(format!("{comparator}{}", quantity.number));
    }
    match kind {
        "MO" => sheet.with("xsi:type", "MO").with("value", &quantity.number).with("currency", unit),
        "INT" | "REAL" if unit.is_empty() && whole(&quantity.number, kind) => {
            sheet.with("xsi:type", kind).with("value", &quantity.number)
        }
        "IVL_TS" => sheet
            .with("xsi:type", "IVL_TS")
            .holding(Sheet::new("width").with("value", &quantity.number).with("unit", unit)),
        _ => sheet.with("xsi:type", "PQ").with("value", &quantity.number).with("unit", unit),
    }
}

fn whole(number: &str, kind: &str) -> bool {
    kind == "REAL" || number.bytes().all(|byte| byte.is_ascii_digit())
}

fn until(sheet: &mut Sheet, value: &Value) {
    if let Some(from) = sheet.unset("value") {
        sheet.children.push(Sheet::new("low").with("value", &from));
    }
    sheet.children.push(Sheet::new("high").with("value", &line(value)));
}

fn fill_quantity(sheet: &mut Sheet, quantity: &Quantity) {
    sheet.set("value", &quantity.number);
    sheet.set("unit", quantity.unit.as_deref().unwrap_or_default());
}

/// The parts of an address under their names, or its one line.
fn fill_address(sheet: &mut Sheet, address: &Composite) {
    if address.parts.is_empty() {
        sheet.text = Some(address.text.clone());
        return;
    }
    let part = |index: usize| address.parts.get(index).map(String::as_str).unwrap_or_default();
    let mut street = subcomponents(part(0));
    let (whole, name, house) = (street.next(), street.next(), street.next());
    let mut say = |name: &str, text: Option<String>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            sheet.children.push(Sheet::new(name).saying(text));
        }
    };
    for (name, index) in [("country", 5), ("state", 3), ("city", 2), ("county", 8), ("township", 7)]
    {
        say(name, subcomponents(part(index)).next());
    }
    say("streetName", name.filter(|name| !name.is_empty()).or(whole));
    say(
        "houseNumber",
        house.filter(|house| !house.is_empty()).or_else(|| subcomponents(part(1)).next()),
    );
    say("postalCode", subcomponents(part(4)).next());
}

/// A value as one line.
pub(super) fn line(value: &Value) -> String {
    match value {
        Value::Address(whole)
        | Value::Name(whole)
        | Value::Organization(whole)
        | Value::Person(whole)
        | Value::Place(whole)
        | Value::Telecom(whole) => whole.text.clone(),
        Value::Boolean(yes) => if *yes { "是" } else { "否" }.to_owned(),
        Value::Bytes(_) => String::new(),
        Value::Code(coding) => {
            let own = coding.original.as_ref().map(|own| &own.code);
            coding.display.as_ref().or(coding.code.as_ref()).or(own).cloned().unwrap_or_default()
        }
        Value::Date(date) => date.as_str().to_owned(),
        Value::Identifier(identifier) => identifier.value.clone(),
        Value::Quantity(quantity) => {
            let comparator = quantity.comparator.as_deref().unwrap_or_default();
            let unit = quantity.unit.as_deref().unwrap_or_default();
            format!("{comparator}{} {unit}", quantity.number).trim_end().to_owned()
        }
        Value::Text(text) => text.clone(),
    }
}
