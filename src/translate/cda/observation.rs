//! One observation: a data element and its value, and what is said beside them.

use super::body::Nest;
use super::names::{
    ENTRY_NAME, ITEM, ITEM_BOOLEAN, ITEM_BYTES, ITEM_CODE, ITEM_DATE, ITEM_QUANTITY, ITEM_TEXT,
};
use super::page::At;
use super::quality::{ELEMENT_SPELLING, ELEMENT_UNKNOWN, LEADING_SPACE};
use super::read::Reading;
use super::tables::plain;
use super::value::Expected;
use crate::translate::plan::Bin;
use crate::vocabulary::code::Original;
use crate::vocabulary::{Coding, Element, ElementId, Value, ValueType};

/// 卫生信息数据元目录.
pub(super) const ELEMENTS: &str = "2.16.156.10011.2.2.1";
/// 住院病案首页基本数据集.
pub(super) const FRONT_PAGE: &str = "2.16.156.10011.2.2.4";

/// What an observation is about.
struct Subject<'p> {
    element: &'p Element,
    /// Kept as an entry of no known element: its code and words.
    item: Option<Coding>,
    /// Whether it speaks of the event as a whole.
    record: bool,
    systems: Vec<&'p str>,
    unit: &'p str,
}

impl<'p> Reading<'p, '_> {
    /// Reads an observation and what stands inside it into a nest.
    pub fn observation(&mut self, at: At, nest: &mut Nest<'_, 'p>) {
        let code = self.page.child(at, "code");
        let name = code.and_then(|code| self.page.get(code, "@displayName")).map(plain);
        let name = name.unwrap_or_default();
        let values = self.values(at, code);
        let mut said = false;
        for value in values {
            let kind = self.page.get(value, "@xsi:type").unwrap_or_default().to_ascii_uppercase();
            let Some(subject) = code.and_then(|code| self.subject(code, value, (&kind, &name)))
            else {
                continue;
            };
            said |= self.entry(&subject, (value, code, &name), nest);
        }
        match code {
            Some(code) if said => self.page.take(code, &["@code", "@codeSystem"]),
            // An entry without a value says nothing; its name is rebuilt.
            Some(code) if self.known(code) => self.page.mark_below(code, Bin::Dropped),
            _ => (),
        }
        self.inside(at, nest);
    }

    /// Where the value stands: `value`; in 2012 also the text, or a time of its own.
    fn values(&self, at: At, code: Option<At>) -> Vec<At> {
        let values = self.all(at, "value");
        let wordless = values.iter().all(|value| {
            self.page.leaves(*value).iter().all(|leaf| {
                self.dropped("value", leaf.name)
                    || leaf.name == "@unit"
                    || leaf.name == "@codeSystem"
            }) && self.page.children(*value).is_empty()
        });
        if !wordless || code.is_none() || !(self.old || self.page.name(at) == "act") {
            return values;
        }
        let said = |child: &At| !self.page.leaves(*child).is_empty();
        let instead = ["text", "effectiveTime"].into_iter();
        instead.filter_map(|name| self.page.child(at, name)).filter(said).take(1).collect()
    }

    /// Whether a code is that of a data element of ours.
    pub fn coded_by_element(&self, at: At) -> bool {
        self.page.child(at, "code").is_some_and(|code| self.known(code))
    }

    fn known(&self, code: At) -> bool {
        let id = self.page.get(code, "@code").unwrap_or_default();
        let right = self.plan.spellings.elements.get(id).map_or(id, String::as_str);
        ElementId::parse(right).is_ok_and(|id| self.pack.catalogue().get(id).is_some())
    }

    /// The element of a code, in this body, under this name.
    fn subject(&mut self, code: At, value: At, (kind, name): (&str, &str)) -> Option<Subject<'p>> {
        let sent = self.page.get(code, "@code");
        if sent.is_some() && self.page.padded(code, "@code") {
            self.note(&LEADING_SPACE, code);
        }
        let id = sent.unwrap_or_default();
        let right = self.plan.spellings.elements.get(id).map_or(id, String::as_str);
        if right != id {
            self.note(&ELEMENT_SPELLING, code);
        }
        let catalogue = self.pack.catalogue();
        let known = ElementId::parse(right).ok().filter(|id| catalogue.get(*id).is_some());
        let Some(wire) = known.filter(|id| !id.as_str().starts_with("MZ.")) else {
            return self.item((code, value), (kind, sent), (Vec::new(), ""));
        };
        let (meaning, record) = self.plan.meaning(wire, kind, name);
        let (systems, unit) = self.plan.expected(self.document, wire.as_str());
        let element = catalogue.get(meaning)?;
        // A protected body is not told apart by elements: each of them would tell the illness.
        let open = !matches!(element.class.as_str(), "mental" | "narrative" | "unlabelled");
        if self.protected && open {
            return self.item((code, value), (kind, Some(right)), (systems, unit));
        }
        Some(Subject { element, item: None, record, systems, unit })
    }

    /// An entry kept under no element: shown to nobody, and written back as it came.
    fn item(
        &mut self,
        (code, value): (At, At),
        (kind, sent): (&str, Option<&str>),
        (systems, unit): (Vec<&'p str>, &'p str),
    ) -> Option<Subject<'p>> {
        let display = self.page.get(code, "@displayName").map(str::to_owned);
        if sent.is_none() && display.is_none() {
            return None;
        }
        if !self.protected {
            self.note(&ELEMENT_UNKNOWN, code);
        }
        let system = self.page.get(code, "@codeSystem").filter(|oid| *oid != ELEMENTS);
        let system = system.map(str::to_owned);
        let sent = sent.map(str::to_owned);
        let original = sent.clone().filter(|_| system.is_some());
        let original = original.map(|code| Original::new(code, system));
        let coding = Coding { code: sent, display, original };
        let twin = match kind {
            "BL" => ITEM_BOOLEAN,
            "CD" | "CE" | "CV" | "CO" | "CS" | "SC" => ITEM_CODE,
            "INT" | "MO" | "PQ" | "REAL" => ITEM_QUANTITY,
            "TS" => ITEM_DATE,
            _ if self.page.get(value, "@code").is_some() => ITEM_CODE,
            "ED" if self.page.get(value, "@representation") == Some("B64") => ITEM_BYTES,
            _ => ITEM_TEXT,
        };
        let element = self.pack.catalogue().get(twin)?;
        Some(Subject { element, item: Some(coding), record: false, systems, unit })
    }

    /// One value under its element; whether there was one.
    fn entry(
        &mut self,
        subject: &Subject<'p>,
        (value, code, name): (At, Option<At>, &str),
        nest: &mut Nest<'_, 'p>,
    ) -> bool {
        let expected = Expected { systems: &subject.systems, unit: subject.unit };
        let Some(read) = self.value(value, subject.element, expected) else { return false };
        if let Some(item) = subject.item.clone() {
            let at = code.unwrap_or(value);
            self.push(nest.group, (ITEM, Value::Code(item)), at);
            self.push(nest.group, (subject.element.id, read), value);
            self.page.take(at, &["@displayName"]);
            self.beside(value, nest.group);
            return true;
        }
        let element = subject.element.id;
        if subject.record {
            self.push(0, (element, read), value);
            if let Some(code) = code {
                self.page.mark(code, "@displayName", Bin::Dropped);
            }
            return true;
        }
        let effective = if name.is_empty() { self.usual_name(subject) } else { name.to_owned() };
        let group = self.home(element, &effective, nest);
        self.push(group, (element, read), value);
        if let Some(code) = code {
            self.entry_name((code, name), subject, group);
        }
        self.beside(value, group);
        true
    }

    /// The one name the tables print for an element of this document.
    fn usual_name(&self, subject: &Subject<'_>) -> String {
        let entries = self.plan.entries(self.document).iter();
        let own =
            entries.filter(|entry| entry.element == subject.element.id && !entry.plain.is_empty());
        let names: Vec<_> = own.map(|entry| entry.plain.as_str()).collect();
        match names.split_first() {
            None => plain(&subject.element.zh),
            Some((first, rest)) if rest.iter().all(|name| name == first) => (*first).to_owned(),
            Some(_) => String::new(),
        }
    }

    /// Keeps the name of an entry where its element stands in several roles.
    fn entry_name(&mut self, (code, name): (At, &str), subject: &Subject<'_>, group: u32) {
        if name.is_empty() {
            return;
        }
        if self.usual_name(subject) == name {
            self.page.mark(code, "@displayName", Bin::Dropped);
        } else if let Some(said) = self.page.took(code, "@displayName") {
            self.push(group, (ENTRY_NAME, Value::Text(said.to_owned())), code);
        }
    }

    /// What an observation says beside its value: when, how, where, in which words.
    fn beside(&mut self, value: At, group: u32) {
        let Some(at) = self.page.parent(value) else { return };
        for place in self.plan.places("observation") {
            for found in self.page.below(at, &place.path) {
                // In 2012 text or time may be the value itself.
                let Some(read) = Some(found).filter(|found| *found != value) else { continue };
                if let Some(read) = self.place(read, place) {
                    self.push(group, (place.element, read), found);
                }
            }
        }
    }

    /// A participant that is itself an entry: its code is a data element, its words the value.
    pub fn named_value(&mut self, at: At, nest: &mut Nest<'_, 'p>) -> bool {
        let path = ["participantRole", "playingEntity"].map(str::to_owned);
        let Some(entity) = self.page.below(at, &path).first().copied() else { return false };
        let Some(code) = self.page.child(entity, "code").filter(|code| self.known(*code)) else {
            return false;
        };
        let name = self.page.get(code, "@displayName").map(plain).unwrap_or_default();
        let value = ["desc", "name"].into_iter().filter_map(|name| self.page.child(entity, name));
        let said = |at: &At| self.page.get(*at, "#text").is_some();
        let value: Option<At> = value.into_iter().find(said);
        let read = value.and_then(|value| {
            let subject = self.subject(code, value, ("ST", &name))?;
            self.entry(&subject, (value, Some(code), &name), nest).then_some(())
        });
        match read {
            Some(()) => self.page.take(code, &["@code", "@codeSystem"]),
            None => self.page.mark_below(code, Bin::Dropped),
        }
        true
    }
}

/// What a value type is written as where no table says it.
pub(super) const fn written_type(value: ValueType) -> &'static str {
    match value {
        ValueType::Boolean => "BL",
        ValueType::Bytes => "ED",
        ValueType::Code => "CD",
        ValueType::Date => "TS",
        ValueType::Quantity => "PQ",
        _ => "ST",
    }
}
