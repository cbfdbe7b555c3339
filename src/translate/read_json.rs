//! One walk over a JSON document: members to values, array items to groups.
//!
//! A leaf is a string, number or boolean that is not empty; null, `""`, `{}` and `[]`
//! hold nothing. Every leaf is counted once, into one of the four bins.

use serde_json::Value as Json;

use super::error::TranslateError;
use super::overlay::Overlay;
use super::path::{Pattern, Step, escape_name};
use super::plan::{Bin, Codes, DialectPlan, DocumentRow, Node, Read};
use super::reading::with_authority;
use super::value::{self, Wrong, bytes};
use super::{Bins, FIRST_UNMAPPED_MAX, Pack, Translation};
use crate::vocabulary::code::Original;
use crate::vocabulary::record::Carried;
use crate::vocabulary::value::{Composite, Quantity};
use crate::vocabulary::{
    Coding, Date, Field, Group, Identifier, IdentifierKind, Position, Record, Source, Value,
};

/// Reads one document, or each of `{"records": […]}`.
pub(super) fn read(
    pack: &Pack,
    (dialect, source): (&str, Source),
    value: &Json,
    mut fired: Option<&mut Vec<bool>>,
) -> Result<Vec<Translation>, TranslateError> {
    let list = value.get("records").and_then(Json::as_array);
    let (documents, base) = match list {
        Some(list) => (list.iter().collect(), "/records/"),
        None => (vec![value], ""),
    };
    let mut found = Vec::with_capacity(documents.len());
    for (index, document) in documents.into_iter().enumerate() {
        let base = if list.is_some() { format!("{base}{index}") } else { String::new() };
        let plan = plan(pack, dialect, document)
            .ok_or_else(|| TranslateError::Dialect(Position::Pointer(format!("{base}/dataset"))))?;
        let overlay = pack.overlay(source);
        let mut walk = Walk::new(pack, plan, (source, overlay), document);
        walk.base = base;
        walk.fired = fired.as_deref_mut();
        found.push(walk.finish()?);
    }
    Ok(found)
}

/// The file of a document's dataset; the only file of a dialect needs no naming.
fn plan<'p>(pack: &'p Pack, dialect: &str, document: &Json) -> Option<&'p DialectPlan> {
    let mut files = pack.dialects.iter().filter(|plan| plan.name == dialect);
    let first = files.next().filter(|_| document.is_object())?;
    if files.next().is_none() {
        return Some(first);
    }
    let dataset = document.get("dataset").and_then(Json::as_str)?;
    let mut files = pack.dialects.iter().filter(|plan| plan.name == dialect);
    files.find(|plan| plan.dataset.as_str() == dataset)
}

/// Where the walk stands: the member names and indices so far.
#[derive(Clone, Default)]
struct Place {
    pointer: String,
    /// The same with the names no table knows left out.
    shown: String,
    /// Indices of the arrays on the way.
    indices: Vec<usize>,
    group: u32,
}

struct Walk<'p, 'd, 'f> {
    plan: &'p DialectPlan,
    overlay: &'p Overlay,
    several: bool,
    document: &'d Json,
    base: String,
    record: Record,
    bins: Bins,
    took: Vec<bool>,
    fired: Option<&'f mut Vec<bool>>,
}

impl<'p, 'd> Walk<'p, 'd, '_> {
    fn new(
        pack: &'p Pack,
        plan: &'p DialectPlan,
        (source, overlay): (Source, &'p Overlay),
        document: &'d Json,
    ) -> Self {
        let top = Group { name: pack.top, parent: None, fields: Vec::new() };
        let record = Record {
            dataset: plan.dataset,
            source,
            time: None,
            groups: vec![top],
            carried: Vec::new(),
            wire: None,
            mappings: pack.version.clone(),
        };
        let several = pack.dialects.iter().filter(|other| other.name == plan.name).count() > 1;
        let (bins, took) = (Bins::default(), vec![false; plan.rows.len()]);
        let base = String::new();
        Self { plan, overlay, several, document, base, record, bins, took, fired: None }
    }

    fn finish(mut self) -> Result<Translation, TranslateError> {
        if let Some(time) = &self.plan.time {
            let text = find(self.document, time, &[]).and_then(Json::as_str);
            self.record.time = text.and_then(|text| Date::parse_iso(text).ok());
        }
        self.visit(Some(&self.plan.root), self.document, &Place::default())?;
        let rows = self.plan.rows.iter().zip(&self.took);
        // Inside a group a required place is required of each item, which `item` checks.
        for (row, took) in rows {
            if row.meaning.required && row.group.is_none() && !took && self.holds(row, &[]) {
                return Err(TranslateError::Missing(self.position(&written(&row.pattern))));
            }
        }
        Ok(Translation { record: self.record, merge: None, bins: self.bins })
    }

    fn position(&self, pointer: &str) -> Position {
        Position::Pointer(format!("{}{pointer}", self.base))
    }

    /// Known places by recursion, as deep as patterns go; what is below them by a list.
    fn visit(
        &mut self,
        node: Option<&Node>,
        value: &Json,
        place: &Place,
    ) -> Result<(), TranslateError> {
        let Some(node) = node else {
            self.below(value, place, Bin::Unmapped);
            return Ok(());
        };
        if let Some(bin) = node.rest {
            self.below(value, place, bin);
            return Ok(());
        }
        match value {
            Json::Object(members) => {
                for (name, member) in members {
                    let next = node.members.get(name);
                    self.visit(next, member, &place.member(name, next.is_some()))?;
                }
                Ok(())
            }
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let next = node.each.as_deref();
                    let mut inner = place.item(index, next.is_some());
                    if let Some(group) = next.and_then(|next| next.group) {
                        inner.group = self.open(group, place.group);
                    }
                    self.visit(next, item, &inner)?;
                    self.item(next, &inner)?;
                }
                Ok(())
            }
            _ if empty(value) => Ok(()),
            _ => self.leaf(node, value, place),
        }
    }

    fn open(&mut self, group: usize, parent: u32) -> u32 {
        // The reader's limits keep items, and so groups, far below 2³².
        let index = u32::try_from(self.record.groups.len()).unwrap_or(u32::MAX);
        if let Some(group) = self.plan.groups.get(group) {
            let (name, parent) = (group.name, Some(parent));
            self.record.groups.push(Group { name, parent, fields: Vec::new() });
        }
        index
    }

    /// What each item of a group requires.
    fn item(&self, node: Option<&Node>, place: &Place) -> Result<(), TranslateError> {
        let Some(group) = node.and_then(|node| node.group) else { return Ok(()) };
        let rows = self.plan.rows.iter().filter(|row| row.group == Some(group));
        for row in rows.filter(|row| row.meaning.required) {
            let there = find(self.document, &row.pattern, &place.indices);
            if there.is_none_or(empty) && self.holds(row, &place.indices) {
                return Err(TranslateError::Missing(self.position(&place.pointer)));
            }
        }
        Ok(())
    }

    fn leaf(&mut self, node: &Node, json: &Json, place: &Place) -> Result<(), TranslateError> {
        for index in &node.rows {
            let Some(row) = self.plan.rows.get(*index) else { continue };
            if row.meaning.way == super::file::Way::Out || !self.holds(row, &place.indices) {
                continue;
            }
            match self.value(row, json, &place.indices) {
                Ok(value) => {
                    self.keep(row, value, place);
                    if let Some(took) = self.took.get_mut(*index) {
                        *took = true;
                    }
                    self.bins.count(Bin::Mapped);
                    return Ok(());
                }
                Err(Wrong::Code) => {
                    return Err(TranslateError::TableValue(self.position(&place.pointer)));
                }
                Err(_) if row.meaning.strict => {
                    return Err(TranslateError::DataType(self.position(&place.pointer)));
                }
                Err(_) => (),
            }
        }
        let beside = node.attached.iter().filter_map(|index| self.plan.rows.get(*index));
        let used = beside.into_iter().any(|row| self.uses(row, &place.indices));
        let bin = match (used || self.envelope(place), node.rows.is_empty()) {
            (true, _) => Bin::Mapped,
            (false, true) => Bin::Unmapped,
            (false, false) => Bin::Carried,
        };
        self.below(json, place, bin);
        Ok(())
    }

    /// The dataset's name and the record's time are kept in the record itself.
    fn envelope(&self, place: &Place) -> bool {
        let time = || self.plan.time.as_ref().map(written);
        (self.several && place.pointer == "/dataset")
            || (self.record.time.is_some() && time().as_deref() == Some(place.pointer.as_str()))
    }

    /// Whether a row takes its value in this item, and with it its unit and condition.
    fn uses(&self, row: &DocumentRow, indices: &[usize]) -> bool {
        let there = find(self.document, &row.pattern, indices).filter(|json| !empty(json));
        there.is_some_and(|json| self.holds(row, indices) && self.value(row, json, indices).is_ok())
    }

    fn holds(&self, row: &DocumentRow, indices: &[usize]) -> bool {
        let Some((pattern, wanted)) = &row.when else { return true };
        let found = find(self.document, pattern, indices);
        let text = match found {
            Some(Json::String(text)) => text.as_str(),
            _ => "",
        };
        wanted.iter().any(|wanted| wanted == text)
    }

    fn keep(&mut self, row: &DocumentRow, value: Value, place: &Place) {
        let at = Some(self.position(&place.pointer));
        let field = Field { element: row.meaning.element, value, at };
        let index = usize::try_from(place.group).unwrap_or(0);
        if let Some(group) = self.record.groups.get_mut(index) {
            group.fields.push(field);
        }
        if let Some(fired) = self.fired.as_mut().and_then(|fired| fired.get_mut(row.meaning.id)) {
            *fired = true;
        }
    }

    fn value(&self, row: &DocumentRow, json: &Json, indices: &[usize]) -> Result<Value, Wrong> {
        let text = json.as_str().ok_or(Wrong::Type);
        let line = || Ok::<_, Wrong>(Composite::line(text?));
        Ok(match &row.meaning.read {
            Read::Address => Value::Address(line()?),
            Read::Boolean => Value::Boolean(json.as_bool().ok_or(Wrong::Type)?),
            Read::Code(codes) => Value::Code(coding(codes, text?)?),
            Read::Date => Value::Date(
                Date::parse_iso(text?)
                    .ok()
                    .filter(|date| Some(date.to_iso().as_str()) == json.as_str())
                    .ok_or(Wrong::Type)?,
            ),
            Read::Identifier(kind) => {
                let kind = kind.unwrap_or(IdentifierKind::Other);
                let identifier = Identifier::new(kind, text?);
                Value::Identifier(with_authority(identifier, self.overlay, self.record.source))
            }
            Read::Bytes => Value::Bytes(bytes(text?)?),
            Read::Name(_) => Value::Name(line()?),
            Read::Organization => Value::Organization(line()?),
            Read::Person => Value::Person(line()?),
            Read::Place => Value::Place(line()?),
            Read::Quantity => {
                let mut quantity = quantity(json)?;
                let unit = row.unit.as_ref().and_then(|unit| find(self.document, unit, indices));
                quantity.unit = unit.and_then(Json::as_str).map(str::to_owned);
                Value::Quantity(quantity)
            }
            Read::Telecom => Value::Telecom(line()?),
            Read::Text => Value::Text(text?.to_owned()),
            Read::Observation(_) => return Err(Wrong::Type),
        })
    }

    /// Counts every leaf below a place into one bin.
    fn below(&mut self, value: &Json, place: &Place, bin: Bin) {
        let mut open = vec![(value, place.clone())];
        while let Some((value, place)) = open.pop() {
            match value {
                Json::Object(members) => {
                    let inner = members.iter().rev();
                    open.extend(inner.map(|(name, value)| (value, place.member(name, false))));
                }
                Json::Array(items) => {
                    let inner = items.iter().enumerate().rev();
                    open.extend(inner.map(|(index, value)| (value, place.item(index, true))));
                }
                _ if empty(value) => (),
                _ => self.close(value, &place, bin),
            }
        }
    }

    fn close(&mut self, value: &Json, place: &Place, bin: Bin) {
        self.bins.count(bin);
        if matches!(bin, Bin::Mapped | Bin::Dropped) {
            return;
        }
        if bin == Bin::Unmapped && self.bins.first_unmapped.len() < FIRST_UNMAPPED_MAX {
            self.bins.first_unmapped.push(self.position(&place.shown));
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.record.carried.push(Carried { at: self.position(&place.pointer), text });
    }
}

impl Place {
    fn member(&self, name: &str, known: bool) -> Self {
        let mut inner = self.clone();
        inner.pointer.push('/');
        inner.pointer.push_str(&escape_name(name));
        inner.shown.push('/');
        inner.shown.push_str(&if known { escape_name(name) } else { "?".to_owned() });
        inner
    }

    fn item(&self, index: usize, counted: bool) -> Self {
        let mut inner = self.clone();
        let step = format!("/{index}");
        inner.pointer.push_str(&step);
        inner.shown.push_str(&step);
        if counted {
            inner.indices.push(index);
        }
        inner
    }
}

/// Whether a value holds nothing.
fn empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

/// The value at a pattern, given an index for each `*` on the way.
fn find<'d>(document: &'d Json, pattern: &Pattern, indices: &[usize]) -> Option<&'d Json> {
    let mut indices = indices.iter();
    pattern.0.iter().try_fold(document, |value, step| match step {
        Step::Each => indices.next().and_then(|index| value.get(*index)),
        Step::Name(name) => value.get(name),
    })
}

/// A pattern as its file writes it.
fn written(pattern: &Pattern) -> String {
    let steps = pattern.0.iter().map(|step| match step {
        Step::Each => "/*".to_owned(),
        Step::Name(name) => format!("/{}", escape_name(name)),
    });
    steps.collect()
}

/// A code; the wire's own is kept where it differs, under the name of the wire's table.
fn coding(codes: &Codes, sent: &str) -> Result<Coding, Wrong> {
    let code = codes.tables.read(sent);
    if code.is_none() && codes.refuse {
        return Err(Wrong::Code);
    }
    let system = codes.tables.wire().map(str::to_owned);
    let original = (code != Some(sent)).then(|| Original::new(sent, system));
    Ok(Coding { code: code.map(str::to_owned), display: None, original })
}

/// A number, or a string that says what a number cannot.
fn quantity(json: &Json) -> Result<Quantity, Wrong> {
    match json {
        Json::Number(number) => {
            let number = number.to_string();
            Ok(Quantity { number, comparator: None, unit: None })
        }
        Json::String(text) => {
            let quantity = value::quantity(text)?;
            let exact = super::write_json::quantity(&quantity) == *json;
            if exact { Ok(quantity) } else { Err(Wrong::Type) }
        }
        _ => Err(Wrong::Type),
    }
}

/// The first leaf that a two-way row reads and that is missing from what was written.
pub(super) fn first_lost(
    pack: &Pack,
    dialect: &str,
    (document, written): (&Json, &Json),
) -> Option<String> {
    let plan = plan(pack, dialect, document)?;
    let rows = plan.rows.iter().filter(|row| row.meaning.way == super::file::Way::Both);
    let mut wanted: Vec<_> = rows.map(|row| &row.pattern).collect();
    wanted.extend(&plan.time);
    let source = Source::parse("example").ok()?;
    let read = read(pack, (dialect, source), document, None).ok()?;
    let fields = read.iter().flat_map(|read| read.record.fields());
    let mut pointers = fields.filter_map(|field| match &field.at {
        Some(Position::Pointer(pointer)) => Some(pointer.clone()),
        _ => None,
    });
    pointers.find(|pointer| {
        let both = wanted.iter().any(|pattern| matches(pattern, pointer));
        both && document.pointer(pointer) != written.pointer(pointer)
    })
}

/// Whether a pointer is an instance of a pattern.
fn matches(pattern: &Pattern, pointer: &str) -> bool {
    let steps: Vec<_> = pointer.split('/').skip(1).collect();
    steps.len() == pattern.0.len()
        && pattern.0.iter().zip(steps).all(|(step, found)| match step {
            Step::Each => found.bytes().all(|byte| byte.is_ascii_digit()),
            Step::Name(name) => escape_name(name) == found,
        })
}
