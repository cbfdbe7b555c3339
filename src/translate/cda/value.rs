//! One typed value of a document, from its `xsi:type` and the type of its element.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::page::At;
use super::quality::{
    CODE_MISSING, DATE_INVALID, ID_CHECK, ID_PREFIX, PAYLOAD, PLACEHOLDER, UNIT_SPELLING,
    VALUE_TYPE,
};
use super::read::Reading;
use crate::translate::plan::Bin;
use crate::translate::value::{address_line, quantity};
use crate::vocabulary::value::{Composite, Quantity};
use crate::vocabulary::{Coding, Date, Element, Identifier, IdentifierKind, Value, ValueType};
use crate::wire::Charset;

/// What an entry expects of its value, as the tables print it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Expected<'p> {
    pub systems: &'p [&'p str],
    pub unit: &'p str,
}

/// The leaves of a value that may hold its main content, in the order they are believed.
const CONTENT: [&str; 4] = ["@value", "#text", "@code", "@displayName"];

impl Reading<'_, '_> {
    /// The value of an element at a place; what cannot be read stays free, and is named.
    pub fn value(&mut self, at: At, element: &Element, expected: Expected<'_>) -> Option<Value> {
        let at = self.inner(at);
        let Some(said) = CONTENT.iter().find_map(|leaf| self.page.get(at, leaf)) else {
            // A unit or a code system without a value says nothing.
            self.page.mark_below(at, Bin::Dropped);
            return None;
        };
        if self.placeholder(at, said) {
            return None;
        }
        let read = match element.value {
            ValueType::Boolean => self.boolean(at).map(Value::Boolean),
            ValueType::Bytes => self.bytes(at).map(Value::Bytes),
            ValueType::Code => self.coding(at, Some(element), expected).map(Value::Code),
            ValueType::Date => return self.date(at).map(Value::Date),
            ValueType::Identifier => {
                let line = self.line(at)?;
                Some(Value::Identifier(Identifier::new(IdentifierKind::Other, line)))
            }
            ValueType::Quantity => self.quantity(at, expected.unit).map(Value::Quantity),
            ValueType::Text => self.text(at).map(Value::Text),
            ValueType::Address => self.line(at).map(|line| Value::Address(Composite::line(line))),
            ValueType::Name => self.line(at).map(|line| Value::Name(Composite::line(line))),
            ValueType::Telecom => self.line(at).map(|line| Value::Telecom(Composite::line(line))),
            ValueType::Organization | ValueType::Person | ValueType::Place => None,
        };
        if read.is_none() {
            self.note(&VALUE_TYPE, at);
        }
        read
    }

    /// A duration stands in the width of an interval; else the value itself.
    fn inner(&self, at: At) -> At {
        let own = CONTENT.iter().any(|leaf| self.page.get(at, leaf).is_some());
        let inside = ["width", "low", "center"].iter().filter_map(|name| self.page.child(at, name));
        let inside = || inside.clone().find(|child| self.page.get(*child, "@value").is_some());
        if own { at } else { inside().unwrap_or(at) }
    }

    /// Whether a word stands for nothing; it is carried and named.
    pub fn placeholder(&mut self, at: At, said: &str) -> bool {
        let stands = self.plan.spellings.placeholders.contains(said);
        if stands {
            for leaf in CONTENT.into_iter().chain(["@extension"]) {
                self.page.mark(at, leaf, Bin::Carried);
            }
            self.note(&PLACEHOLDER, at);
        }
        stands
    }

    /// Text as it stands; of a code its words, of a number the number and its unit.
    fn text(&mut self, at: At) -> Option<String> {
        let unit = self.page.get(at, "@unit").or_else(|| self.page.get(at, "@currency"));
        if self.page.get(at, "@representation") == Some("B64") {
            return self.payload(at);
        }
        if let Some(text) = self.page.took(at, "#text") {
            return Some(text.to_owned());
        }
        if let Some(value) = self.page.took(at, "@value") {
            self.page.take(at, &["@unit", "@currency"]);
            return Some(unit.map_or_else(|| value.to_owned(), |unit| format!("{value} {unit}")));
        }
        // A code without a table is kept beside its words, among the carried leaves.
        let words =
            ["@displayName", "@code"].into_iter().find(|leaf| self.page.get(at, leaf).is_some());
        if self.page.get(at, "@displayName").is_some() && self.page.get(at, "@code").is_some() {
            self.note(&VALUE_TYPE, at);
        }
        words.and_then(|leaf| self.page.took(at, leaf)).map(str::to_owned)
    }

    /// One line of text, from the content or `@value`.
    pub fn line(&mut self, at: At) -> Option<String> {
        let leaf = ["#text", "@value", "@extension"];
        let leaf = leaf.into_iter().find(|leaf| self.page.get(at, leaf).is_some())?;
        self.page.took(at, leaf).map(str::to_owned)
    }

    fn boolean(&self, at: At) -> Option<bool> {
        let leaf =
            ["@value", "#text"].into_iter().find(|leaf| self.page.get(at, leaf).is_some())?;
        let yes = match self.page.get(at, leaf)? {
            "true" | "TRUE" | "True" | "1" | "是" => true,
            "false" | "FALSE" | "False" | "0" | "否" => false,
            _ => return None,
        };
        self.page.take(at, &[leaf]);
        Some(yes)
    }

    /// A date, compact or ISO 8601; only what the calendar has.
    pub fn date(&mut self, at: At) -> Option<Date> {
        let leaf =
            ["@value", "#text"].into_iter().find(|leaf| self.page.get(at, leaf).is_some())?;
        let said = self.page.get(at, leaf)?;
        if self.placeholder(at, said) {
            return None;
        }
        let read = Date::parse(said).or_else(|_| Date::parse_iso(said)).ok();
        match &read {
            Some(_) => self.page.take(at, &[leaf]),
            None => self.note(&DATE_INVALID, at),
        }
        read
    }

    /// A number and its unit; the unit of an amount of money is its currency.
    pub fn quantity(&mut self, at: At, wanted: &str) -> Option<Quantity> {
        let leaf =
            ["@value", "#text"].into_iter().find(|leaf| self.page.get(at, leaf).is_some())?;
        let mut read = quantity(self.page.get(at, leaf)?).ok()?;
        let unit =
            ["@unit", "@currency"].into_iter().find(|leaf| self.page.get(at, leaf).is_some());
        read.unit = unit.and_then(|unit| self.page.took(at, unit)).map(str::to_owned);
        self.page.take(at, &[leaf]);
        let sent = read.unit.as_deref().unwrap_or_default();
        let differs = sent != wanted && sent.eq_ignore_ascii_case(wanted);
        if self.page.padded(at, "@unit") || (!wanted.is_empty() && differs) {
            self.note(&UNIT_SPELLING, at);
        }
        Some(read)
    }

    /// The bytes of a base64 text; white space inside it is nothing.
    pub fn bytes(&mut self, at: At) -> Option<Vec<u8>> {
        let text = self.page.get(at, "#text")?;
        let tight: String = text.chars().filter(|sign| !sign.is_whitespace()).collect();
        let read = STANDARD.decode(tight).ok();
        match &read {
            Some(_) => self.page.take(at, &["#text"]),
            None => self.note(&PAYLOAD, at),
        }
        read
    }

    /// The text inside a base64 payload: UTF-8, else GB 18030.
    fn payload(&mut self, at: At) -> Option<String> {
        let bytes = self.bytes(at)?;
        let utf8 = std::str::from_utf8(&bytes).ok().map(str::to_owned);
        utf8.or_else(|| Charset::Gb18030.decode(&bytes).ok().map(std::borrow::Cow::into_owned))
    }

    /// A code as words where it has no code.
    pub fn coding_of_words(&mut self, at: At) -> Option<Coding> {
        let leaf = ["@displayName", "#text"];
        let leaf = leaf.into_iter().find(|leaf| self.page.get(at, leaf).is_some())?;
        if leaf == "@displayName" {
            self.note(&CODE_MISSING, at);
        }
        let display = self.page.took(at, leaf).map(str::to_owned);
        Some(Coding { code: None, display, original: None })
    }

    /// An address: its parts in the order of XAD, or one line.
    pub fn address(&mut self, at: At) -> Option<Composite> {
        let mut parts = vec![String::new(); 9];
        for (name, index) in [("city", 2), ("state", 3), ("postalCode", 4), ("country", 5)] {
            self.address_part(at, (name, index), &mut parts);
        }
        self.address_part(at, ("township", 7), &mut parts);
        self.address_part(at, ("county", 8), &mut parts);
        let street = self.address_words(at, "streetName");
        let house = self.address_words(at, "houseNumber");
        if !street.is_empty() || !house.is_empty() {
            let sub = format!("&{}&{}", escaped(&street), escaped(&house));
            let sub = sub.trim_end_matches('&').to_owned();
            parts.first_mut().into_iter().for_each(|first| first.clone_from(&sub));
        }
        while parts.last().is_some_and(String::is_empty) {
            parts.pop();
        }
        if parts.is_empty() {
            return self.free_line(at).map(Composite::line);
        }
        let mut flat = parts.clone();
        flat.first_mut().into_iter().for_each(|first| *first = format!("{street}{house}"));
        if let Some(township) = flat.get(7).cloned().filter(|text| !text.is_empty()) {
            flat.first_mut().into_iter().for_each(|first| first.insert_str(0, &township));
        }
        Some(Composite { text: address_line(&flat), parts })
    }

    fn address_part(&mut self, at: At, (name, index): (&str, usize), parts: &mut [String]) {
        let words = self.address_words(at, name);
        parts.get_mut(index).into_iter().for_each(|part| *part = escaped(&words));
    }

    /// One part of an address; a second of that name stays free.
    fn address_words(&mut self, at: At, name: &str) -> String {
        let Some(child) = self.page.child(at, name) else { return String::new() };
        self.free_line(child).unwrap_or_default()
    }

    /// A text that is no placeholder.
    pub fn free_line(&mut self, at: At) -> Option<String> {
        let said = self.page.get(at, "#text").or_else(|| self.page.get(at, "@value"))?;
        if self.placeholder(at, said) {
            return None;
        }
        self.line(at)
    }

    /// The number of a person: letters before it go, and a wrong check is named.
    pub fn person_number(&mut self, kind: IdentifierKind, (at, said): (At, &str)) -> Identifier {
        let mut value = said;
        if kind == IdentifierKind::CitizenId
            && let Some(bare) = said.strip_prefix("ID").or_else(|| said.strip_prefix("id"))
            && matches!(bare.len(), 15 | 18)
        {
            self.note(&ID_PREFIX, at);
            value = bare;
        }
        let identifier = Identifier::new(kind, value);
        if kind == IdentifierKind::CitizenId && identifier.proven().is_err() {
            self.note(&ID_CHECK, at);
        }
        identifier
    }
}

/// A text as one subcomponent of a composite.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\E\\").replace('&', "\\T\\")
}

/// The subcomponents of a component, as their text.
pub(super) fn subcomponents(part: &str) -> impl Iterator<Item = String> {
    part.split('&').map(|text| text.replace("\\T\\", "&").replace("\\E\\", "\\"))
}
