//! The body: sections from groups, entries from values, a narrative from the entries.

use super::body::{SECTION_GROUP, STATEMENTS};
use super::names::{
    ENTRY_NAME, ITEM, ITEM_BOOLEAN, ITEM_BYTES, ITEM_CODE, ITEM_DATE, ITEM_QUANTITY, ITEM_TEXT,
    SECTION, SECTION_TITLE, STATEMENT,
};
use super::observation::{ELEMENTS, FRONT_PAGE};
use super::participation::PARTICIPANT;
use super::sheet::Sheet;
use super::tables::{Entry, plain};
use super::write::{Writing, section_code};
use super::write_parts::found;
use super::write_value::{is_oid, line};
use crate::vocabulary::{Coding, ElementId, Field, Group, Value};

/// The classes of the statements, as the model fixes them.
const CLASSES: [(&str, &str); 7] = [
    ("act", "ACT"),
    ("encounter", "ENC"),
    ("observation", "OBS"),
    ("organizer", "CLUSTER"),
    ("procedure", "PROC"),
    ("substanceAdministration", "SBADM"),
    ("supply", "SPLY"),
];

/// What values of no known element are kept under.
const ITEMS: [ElementId; 6] =
    [ITEM_BOOLEAN, ITEM_BYTES, ITEM_CODE, ITEM_DATE, ITEM_QUANTITY, ITEM_TEXT];

/// A section being written.
struct Draft {
    loinc: String,
    title: String,
    sheet: Sheet,
    lines: Vec<String>,
}

impl<'p> Writing<'p> {
    /// Writes every group that is not of the header, and what is left of the record's own.
    pub fn body(&mut self, root: &mut Sheet) {
        let mut drafts = Vec::new();
        for (number, group) in self.inside(0) {
            match group.name {
                SECTION_GROUP => drafts.push(self.section(number, group)),
                PARTICIPANT => (),
                _ => self.foreign((number, group), &mut drafts),
            }
        }
        self.rest(&mut drafts);
        let payload = if drafts.is_empty() { self.payload() } else { None };
        let content = payload.unwrap_or_else(|| {
            if drafts.is_empty() {
                let code = Sheet::new("code").with("nullFlavor", "NI");
                let sheet = Sheet::new("section").holding(code).holding(Sheet::new("text"));
                drafts.push(Draft {
                    loinc: String::new(),
                    title: String::new(),
                    sheet,
                    lines: vec![],
                });
            }
            let mut body = Sheet::new("structuredBody");
            for draft in drafts.drain(..) {
                body.children.push(Sheet::new("component").holding(draft.finish()));
            }
            body
        });
        root.children.push(Sheet::new("component").holding(content));
    }

    /// A section as it came.
    fn section(&self, number: u32, group: &'p Group) -> Draft {
        let mut sheet = Sheet::new("section");
        let mut loinc = String::new();
        if let Some(Value::Code(coding)) = found(group, SECTION).next() {
            loinc = coding.code.clone().unwrap_or_default();
            let mut code = section_code(&loinc, coding.display.as_deref().unwrap_or_default());
            let system = coding.original.as_ref().and_then(|own| own.system.as_deref());
            code.set("codeSystem", system.filter(|oid| is_oid(oid)).unwrap_or_default());
            sheet.children.push(code);
        }
        let title = found(group, SECTION_TITLE).next().map(line).unwrap_or_default();
        if !title.is_empty() {
            sheet.children.push(Sheet::new("title").saying(title.clone()));
        }
        let mut draft = Draft { loinc, title, sheet, lines: Vec::new() };
        for observation in self.observations(&group.fields, &mut draft.lines) {
            draft.sheet.children.push(entry(observation));
        }
        for (number, group) in self.inside(number) {
            match group.name {
                SECTION_GROUP => {
                    let inner = self.section(number, group).finish();
                    draft.sheet.children.push(Sheet::new("component").holding(inner));
                }
                PARTICIPANT => {
                    let kind = self.kind_of_part(group);
                    draft.sheet.children.push(self.part(group, &kind));
                }
                _ => self.statements((number, group), &mut draft),
            }
        }
        draft
    }

    /// A group of a section: a statement, or plain entries side by side.
    fn statements(&self, (number, group): (u32, &'p Group), draft: &mut Draft) {
        let marked = found(group, STATEMENT).next().map(line);
        let natural = match (marked, group.name.as_str()) {
            (Some(kind), _) => Some(kind),
            (None, "medication") => Some("substanceAdministration".to_owned()),
            (None, "procedure") => Some("procedure".to_owned()),
            (None, "result") if !self.born_here() => Some("organizer".to_owned()),
            _ => None,
        };
        match natural.filter(|kind| STATEMENTS.contains(&kind.as_str())) {
            Some(kind) => {
                let statement = self.statement((number, group), &kind, &mut draft.lines);
                draft.sheet.children.push(entry(statement));
            }
            None => {
                for observation in self.observations(&group.fields, &mut draft.lines) {
                    draft.sheet.children.push(entry(observation));
                }
            }
        }
    }

    /// Whether the record was read from a document.
    pub fn born_here(&self) -> bool {
        self.record.dataset.as_str().starts_with("cda-")
    }

    /// A statement of several values: its places, its entries, its own statements, who took part.
    fn statement(
        &self,
        (number, group): (u32, &'p Group),
        kind: &str,
        lines: &mut Vec<String>,
    ) -> Sheet {
        let context = if kind == "encounter" { "encounterEntry" } else { kind };
        let mut sheet = classed(kind);
        let places = self.plan.places(context);
        let mut rest: Vec<Field> = Vec::new();
        for field in group.fields.iter().filter(|field| field.element != STATEMENT) {
            let place = places.iter().find(|place| place.written && place.element == field.element);
            // Beside an entry the same element says something of that entry.
            match place.filter(|_| kind != "observation" && rest.is_empty()) {
                Some(place) => {
                    self.put(&mut sheet, place, &field.value);
                    lines.push(self.told(field.element, &field.value));
                }
                None => rest.push(field.clone()),
            }
        }
        let mut observations = self.observations(&rest, lines).into_iter();
        if kind == "observation"
            && let Some(first) = observations.next()
        {
            sheet = first;
        }
        for observation in observations {
            sheet.children.push(within(kind, observation));
        }
        for (number, group) in self.inside(number) {
            if group.name == PARTICIPANT {
                let told = self.kind_of_part(group);
                let (name, code) = told.split_once('/').unwrap_or((&told, ""));
                let mut part = self.part(group, name).with("typeCode", code);
                if name == "author" && !part.has("time") {
                    part.children.push(Sheet::new("time").with("nullFlavor", "NI"));
                }
                sheet.children.push(part);
                continue;
            }
            let inner = found(group, STATEMENT).next().map(line);
            let inner = inner.filter(|inner| STATEMENTS.contains(&inner.as_str()));
            let inner = inner.unwrap_or_else(|| "organizer".to_owned());
            let statement = self.statement((number, group), &inner, lines);
            sheet.children.push(within(kind, statement));
        }
        wanted(kind, &mut sheet);
        sheet
    }

    /// Fields side by side: each value an observation, what is said beside it in the same one.
    fn observations(&self, fields: &[Field], lines: &mut Vec<String>) -> Vec<Sheet> {
        let beside = self.plan.places("observation");
        let mut sheets: Vec<Sheet> = Vec::new();
        let mut item: Option<&Coding> = None;
        for (index, field) in fields.iter().enumerate() {
            if [SECTION, SECTION_TITLE, STATEMENT, ENTRY_NAME].contains(&field.element) {
                continue;
            }
            if let (ITEM, Value::Code(coding)) = (field.element, &field.value) {
                item = Some(coding);
                continue;
            }
            let place = beside.iter().find(|place| place.element == field.element);
            if let Some(place) = place.filter(|_| !sheets.is_empty()) {
                sheets.last_mut().into_iter().for_each(|last| self.put(last, place, &field.value));
                continue;
            }
            let next = fields.get(index + 1).filter(|next| next.element == ENTRY_NAME);
            let name = next.map(|next| line(&next.value));
            let sheet = match item.take().filter(|_| ITEMS.contains(&field.element)) {
                Some(coding) => Some(self.item(coding, &field.value)),
                None => self.observation(field, name.as_deref()),
            };
            if let Some(sheet) = sheet {
                lines.push(self.told(field.element, &field.value));
                sheets.push(sheet);
            }
        }
        sheets
    }

    /// One entry; what has no place in the national catalogue is not written.
    fn observation(&self, field: &Field, name: Option<&str>) -> Option<Sheet> {
        let row = self.row(field.element, name);
        let wire = match row {
            Some(entry) => entry.row.element.clone(),
            None => self.wire(field.element)?,
        };
        let element = self.pack.catalogue().get(field.element);
        let usual = row.map(|entry| entry.row.name.as_str()).filter(|name| !name.is_empty());
        let usual = usual.or(element.map(|element| element.zh.as_str()));
        let front = wire.starts_with("HDSD");
        let code = Sheet::new("code")
            .with("code", &wire)
            .with("codeSystem", if front { FRONT_PAGE } else { ELEMENTS })
            .with(
                "codeSystemName",
                if front {
                    "住院病案首页基本数据集"
                } else {
                    "卫生信息数据元目录"
                },
            )
            .with("displayName", name.or(usual).unwrap_or_default());
        let value = self.value((&field.value, element), row.map(|entry| &entry.row));
        Some(classed("observation").holding(code).holding(value))
    }

    /// An entry of no known element, as it came.
    fn item(&self, coding: &Coding, value: &Value) -> Sheet {
        let mut code = Sheet::new("code");
        let original = coding.original.as_ref().and_then(|own| own.system.as_deref());
        code.set("code", coding.code.as_deref().unwrap_or_default());
        if coding.code.is_some() {
            code.set("codeSystem", original.filter(|oid| is_oid(oid)).unwrap_or(ELEMENTS));
        }
        code.set("displayName", coding.display.as_deref().unwrap_or_default());
        let own = coding.code.as_deref();
        let entries = self.plan.entries(self.document);
        let row = entries.iter().find(|entry| own == Some(entry.row.element.as_str()));
        let value = self.value((value, None), row.map(|entry| &entry.row));
        classed("observation").holding(code).holding(value)
    }

    /// The row of the tables an entry is written by: its own name first.
    fn row(&self, element: ElementId, name: Option<&str>) -> Option<&'p Entry> {
        let entries = self.plan.entries(self.document);
        let own = || entries.iter().filter(|entry| entry.element == element);
        let name = name.map(plain);
        own()
            .find(|entry| name.as_ref() == Some(&entry.plain))
            .or_else(|| own().find(|entry| !entry.row.name.is_empty()))
            .or_else(|| own().next())
    }

    /// The national id of an element that has another name here.
    fn wire(&self, element: ElementId) -> Option<String> {
        let context = self
            .plan
            .contexts
            .iter()
            .find(|context| context.becomes == element && context.element != element.as_str());
        match context {
            Some(context) if element.as_str().starts_with("MZ.") => Some(context.element.clone()),
            _ => Some(element.to_string()).filter(|id| !id.starts_with("MZ.")),
        }
    }

    /// A group another format made: into the section of its kind.
    fn foreign(&self, (number, group): (u32, &'p Group), drafts: &mut Vec<Draft>) {
        let kind = self.plan.kinds.iter().find(|kind| kind.group == group.name);
        let codes = kind.map(|kind| kind.sections.as_slice()).unwrap_or_default();
        let own = self.document.and_then(|document| self.plan.sections.get(&document.code));
        let own = own.map(Vec::as_slice).unwrap_or_default();
        let section = own.iter().find(|section| codes.contains(&section.loinc));
        let loinc = section.map(|section| section.loinc.as_str());
        let loinc = loinc.or(codes.first().map(String::as_str)).unwrap_or_default();
        let title = section.map(|section| section.title.as_str()).unwrap_or("其他信息");
        let at = self.draft((loinc, if codes.is_empty() { "其他信息" } else { title }), drafts);
        if let Some(draft) = drafts.get_mut(at) {
            self.statements((number, group), draft);
        }
        for (number, group) in self.inside(number).filter(|(_, group)| group.name != PARTICIPANT) {
            self.foreign((number, group), drafts);
        }
    }

    /// What the record says of itself, and no place of the header has: each into its section.
    fn rest(&mut self, drafts: &mut Vec<Draft>) {
        let fields = self.top().map_or(&[][..], |group| &group.fields);
        let entries = self.plan.entries(self.document);
        for (index, field) in fields.iter().enumerate() {
            if self.written.get(index).copied().unwrap_or(true) {
                continue;
            }
            let row = entries.iter().find(|entry| entry.element == field.element);
            let place = row.map(|entry| (entry.row.section.as_str(), entry.row.title.as_str()));
            let mut lines = Vec::new();
            let sheets = self.observations(std::slice::from_ref(field), &mut lines);
            if sheets.is_empty() {
                continue;
            }
            let at = self.draft(place.unwrap_or(("", "其他信息")), drafts);
            if let Some(draft) = drafts.get_mut(at) {
                draft.lines.append(&mut lines);
                draft.sheet.children.extend(sheets.into_iter().map(entry));
            }
        }
    }

    /// The section of a code and title, opened if there is none.
    fn draft(&self, (loinc, title): (&str, &str), drafts: &mut Vec<Draft>) -> usize {
        let fits = |draft: &Draft| {
            draft.loinc == loinc && (!loinc.is_empty() || bare(&draft.title) == bare(title))
        };
        if let Some(at) = drafts.iter().position(fits) {
            return at;
        }
        // A document has the sections it came with: what its table has no place for stands in
        // the last of them.
        if self.born_here() && !drafts.is_empty() {
            return drafts.len() - 1;
        }
        let own = self.document.and_then(|document| self.plan.sections.get(&document.code));
        let display = own.into_iter().flatten().find(|section| section.loinc == loinc);
        let display = display.map(|section| section.display.as_str()).unwrap_or_default();
        let mut sheet = Sheet::new("section");
        if !loinc.is_empty() {
            sheet.children.push(section_code(loinc, display));
        }
        if !title.is_empty() {
            sheet.children.push(Sheet::new("title").saying(bare(title)));
        }
        let (loinc, title) = (loinc.to_owned(), title.to_owned());
        drafts.push(Draft { loinc, title, sheet, lines: Vec::new() });
        drafts.len() - 1
    }

    /// A value in the words of the narrative.
    fn told(&self, element: ElementId, value: &Value) -> String {
        let name = self.pack.catalogue().get(element).map_or("", |element| &element.zh);
        format!("{name}：{}", line(value))
    }
}

impl Draft {
    /// The section with its narrative.
    fn finish(mut self) -> Sheet {
        let mut text = Sheet::new("text");
        if !self.lines.is_empty() {
            let items = self.lines.into_iter().map(|line| Sheet::new("item").saying(line));
            let mut list = Sheet::new("list");
            list.children.extend(items);
            text.children.push(list);
        }
        if !self.sheet.has("text") {
            self.sheet.children.push(text);
        }
        self.sheet
    }
}

/// A title without the word 章节.
pub(super) fn bare(title: &str) -> &str {
    title.trim_end_matches("章节")
}

fn entry(statement: Sheet) -> Sheet {
    Sheet::new("entry").holding(statement)
}

/// A statement inside another.
fn within(kind: &str, statement: Sheet) -> Sheet {
    match kind {
        "organizer" => Sheet::new("component").holding(statement),
        _ => Sheet::new("entryRelationship").with("typeCode", "COMP").holding(statement),
    }
}

fn classed(kind: &str) -> Sheet {
    let class = CLASSES.iter().find(|(name, _)| *name == kind).map_or("", |(_, class)| class);
    Sheet::new(kind).with("classCode", class).with("moodCode", "EVN")
}

/// What the schema wants of a statement beside what is known.
fn wanted(kind: &str, sheet: &mut Sheet) {
    match kind {
        "organizer" => sheet.children.push(Sheet::new("statusCode").with("code", "completed")),
        "act" | "observation" if !sheet.has("code") => {
            sheet.children.push(Sheet::new("code").with("nullFlavor", "NI"));
        }
        "substanceAdministration" => {
            if let Some(time) =
                sheet.children.iter_mut().find(|child| child.name == "effectiveTime")
                && (time.has("low") || time.has("high"))
            {
                time.set("xsi:type", "IVL_TS");
            }
            let path = ["consumable", "manufacturedProduct", "manufacturedLabeledDrug"];
            sheet.same(&path.map(str::to_owned), &mut |_| ());
        }
        _ => (),
    }
}
