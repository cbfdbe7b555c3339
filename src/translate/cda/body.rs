//! The body: sections to groups, statements to groups inside them, entries to values.
//!
//! A section is a group. A statement that holds more than one value (an organizer, a
//! procedure, an observation with parts) is a group in it, so that no value wanders; a plain
//! observation stands in the section itself. Diagnoses, allergies, medicines and results
//! make the groups other formats know, wherever their section tells: `kinds.csv`.
//! The narrative is carried, never believed.

use super::names::{BODY, ENTRY_NAME, ITEM, SECTION, SECTION_TITLE, STATEMENT};
use super::page::At;
use super::read::Reading;
use super::tables::Kind;
use crate::translate::plan::Bin;
use crate::vocabulary::code::Original;
use crate::vocabulary::{Coding, ElementId, Field, GroupName, Value};

/// The group of a section.
pub(super) const SECTION_GROUP: GroupName = GroupName::fixed("section");
/// The group of a statement no other format has a name for.
pub(super) const ENTRY: GroupName = GroupName::fixed("entry");
const MEDICATION: GroupName = GroupName::fixed("medication");
const PROCEDURE: GroupName = GroupName::fixed("procedure");
/// 章节代码体系, LOINC.
pub(super) const LOINC: &str = "2.16.840.1.113883.6.1";

/// The statements the model has.
pub(super) const STATEMENTS: [&str; 7] = [
    "act",
    "encounter",
    "observation",
    "organizer",
    "procedure",
    "substanceAdministration",
    "supply",
];

/// A section being read.
pub(super) struct Shelf<'p> {
    pub group: u32,
    pub kind: Option<&'p Kind>,
    /// The group of plain entries of the section's kind, and the role they are in.
    flat: Option<(u32, String)>,
    /// Groups that hold what is said not to be so, such as a differential diagnosis.
    excluded: Vec<u32>,
}

/// A group that entries are read into.
pub(super) struct Nest<'s, 'p> {
    pub group: u32,
    pub shelf: &'s mut Shelf<'p>,
    /// Whether it is the section itself.
    pub top: bool,
}

impl<'p> Reading<'p, '_> {
    /// Reads the body into groups.
    pub fn body(&mut self) {
        for component in self.all(0, "component") {
            for body in self.all(component, "nonXMLBody") {
                self.payload_body(body);
            }
            for body in self.all(component, "structuredBody") {
                for component in self.all(body, "component") {
                    for section in self.all(component, "section") {
                        self.section(section, 0);
                    }
                }
            }
        }
    }

    /// A body that is no XML: base64, whatever it is.
    fn payload_body(&mut self, body: At) {
        for text in self.all(body, "text") {
            if let Some(bytes) = self.bytes(text) {
                self.push(0, (BODY, Value::Bytes(bytes)), text);
            }
        }
    }

    fn section(&mut self, at: At, parent: u32) {
        let group = self.open(SECTION_GROUP, parent);
        let loinc = self.section_code(at, group);
        if let Some(title) = self.page.child(at, "title")
            && let Some(line) = self.free_line(title)
        {
            self.push(group, (SECTION_TITLE, Value::Text(line)), title);
        }
        for text in self.all(at, "text") {
            self.page.mark_below(text, Bin::Carried);
        }
        let plan = self.plan;
        let of = |kind: &&Kind| kind.sections.contains(&loinc);
        let kind = plan.kinds.iter().find(of);
        let mut shelf = Shelf { group, kind, flat: None, excluded: Vec::new() };
        for name in ["author", "informant", "subject"] {
            for person in self.all(at, name) {
                self.participation((person, name), group);
            }
        }
        let first = self.record.groups.len();
        for entry in self.all(at, "entry") {
            for statement in self.page.children(entry).to_vec() {
                self.statement(statement, &mut Nest { group, shelf: &mut shelf, top: true });
            }
        }
        self.name_flat(&shelf, first);
        for component in self.all(at, "component") {
            for inner in self.all(component, "section") {
                self.section(inner, group);
            }
        }
        let alone = u32::try_from(self.record.groups.len()).is_ok_and(|count| count == group + 1);
        if alone && self.fields(group).is_empty() {
            self.record.groups.pop();
        }
    }

    fn section_code(&mut self, at: At, group: u32) -> String {
        let Some(at) = self.page.child(at, "code") else { return String::new() };
        let code = self.page.get(at, "@code").map(str::to_owned);
        let display = self.page.get(at, "@displayName").map(str::to_owned);
        let loinc = code.clone().unwrap_or_default();
        if code.is_none() && display.is_none() {
            return loinc;
        }
        let system = self.page.get(at, "@codeSystem").map(|sent| self.oid(at, sent));
        let usual = system.as_deref().is_none_or(|oid| oid == LOINC);
        let original = code.clone().filter(|_| !usual).map(|code| Original::new(code, system));
        self.page.take(at, &["@code", "@codeSystem", "@displayName"]);
        self.push(group, (SECTION, Value::Code(Coding { code, display, original })), at);
        loinc
    }

    /// One statement: a plain observation into the nest, any other into a group of its own.
    pub fn statement(&mut self, at: At, nest: &mut Nest<'_, 'p>) {
        if self.negated(at) {
            return;
        }
        let name = self.page.name(at);
        match name {
            "observation" if !nest.top || self.plain(at) => self.observation(at, nest),
            "observation" => self.grouped(at, nest),
            _ if STATEMENTS.contains(&name) => self.grouped(at, nest),
            // 2012: statements stand in wrappers with names of their own.
            _ if nest.top && self.holds_statement(at) => self.grouped(at, nest),
            _ => self.inside(at, nest),
        }
    }

    /// Whether an observation is one value alone.
    fn plain(&self, at: At) -> bool {
        let silent = |element: &str, leaf: &str| self.dropped(element, leaf);
        let part = |child: &At| {
            let name = self.page.name(*child);
            matches!(
                name,
                "entryRelationship"
                    | "author"
                    | "informant"
                    | "participant"
                    | "performer"
                    | "reference"
                    | "specimen"
                    | "subject"
            )
        };
        let mut parts = self.page.children(at).iter().filter(|child| part(child));
        !parts.any(|child| self.page.says(*child, &silent))
    }

    fn holds_statement(&self, at: At) -> bool {
        let children = self.page.children(at);
        children.iter().any(|child| {
            STATEMENTS.contains(&self.page.name(*child)) || self.holds_statement(*child)
        })
    }

    /// A statement as a group; one that says nothing makes none.
    fn grouped(&mut self, at: At, nest: &mut Nest<'_, 'p>) {
        let name = self.page.name(at);
        let known = STATEMENTS.contains(&name);
        let before = self.record.groups.len();
        let group = self.open(ENTRY, nest.group);
        let marker = if known { name } else { "organizer" };
        self.push(group, (STATEMENT, Value::Text(marker.to_owned())), at);
        let context = if name == "encounter" { "encounterEntry" } else { name };
        let mut inner = Nest { group, shelf: &mut *nest.shelf, top: false };
        match name {
            "observation" => self.observation(at, &mut inner),
            _ if known && self.coded_by_element(at) => self.act(at, &mut inner),
            _ if known => {
                self.places(context, at, group);
                self.inside(at, &mut inner);
            }
            _ => self.inside(at, &mut inner),
        }
        let empty = self.fields(group).len() < 2 && self.record.groups.len() == before + 1;
        // Parts that say nothing leave an observation plain: it stands where it would have.
        let alone = name == "observation" && !empty && self.is_alone(group, before);
        if empty || alone {
            self.record.groups.truncate(before);
        }
        if alone {
            self.observation(at, nest);
        }
        if empty || alone {
            return;
        }
        let named = match name {
            "procedure" => PROCEDURE,
            "substanceAdministration" => MEDICATION,
            _ => self.kind_of_group(nest.shelf, group),
        };
        self.rename(group, named);
    }

    /// Whether a group holds one entry alone, and no group.
    fn is_alone(&self, group: u32, before: usize) -> bool {
        let beside = self.plan.places("observation");
        let is_beside = |id: ElementId| beside.iter().any(|place| place.element == id);
        let is_entry = |field: &&Field| {
            ![STATEMENT, ENTRY_NAME, ITEM].contains(&field.element) && !is_beside(field.element)
        };
        let entries = self.fields(group).iter().filter(is_entry).count();
        self.record.groups.len() == before + 1 && entries == 1
    }

    /// An act whose code is a data element: the element, and the words as its value.
    fn act(&mut self, at: At, nest: &mut Nest<'_, 'p>) {
        self.observation(at, nest);
    }

    /// What stands inside a statement or a wrapper: further statements, who took part.
    pub fn inside(&mut self, at: At, nest: &mut Nest<'_, 'p>) {
        for child in self.page.children(at).to_vec() {
            match self.page.name(child) {
                "participant" if self.named_value(child, nest) => (),
                name @ ("author" | "informant" | "participant" | "performer" | "specimen"
                | "subject") => self.participation((child, name), nest.group),
                "code" | "value" | "text" | "id" | "statusCode" | "effectiveTime" => (),
                name if STATEMENTS.contains(&name) => self.statement(child, nest),
                _ if self.holds_statement(child) && !self.negated(child) => {
                    self.inside(child, nest)
                }
                _ => (),
            }
        }
    }

    /// The name other formats have for a group of a section, by the elements that tell it.
    fn kind_of_group(&self, shelf: &Shelf<'p>, group: u32) -> GroupName {
        let Some(kind) = shelf.kind.filter(|_| !shelf.excluded.contains(&group)) else {
            return ENTRY;
        };
        let tells = |field: &Field| kind.keys.contains(&field.element);
        if self.fields(group).iter().any(tells) { kind.group } else { ENTRY }
    }

    /// Names the groups of plain entries, now that they are whole.
    fn name_flat(&mut self, shelf: &Shelf<'p>, first: usize) {
        for index in first..self.record.groups.len() {
            let Ok(group) = u32::try_from(index) else { return };
            let flat = self.fields(group).first().is_some_and(|field| field.element != STATEMENT);
            let own = self
                .record
                .groups
                .get(index)
                .is_some_and(|group| group.name == ENTRY && group.parent == Some(shelf.group));
            if flat && own {
                self.rename(group, self.kind_of_group(shelf, group));
            }
        }
    }

    /// Where a plain entry goes: the section, the record, or the open group of its kind.
    pub fn home(&mut self, element: ElementId, role: &str, nest: &mut Nest<'_, 'p>) -> u32 {
        let class = self.pack.catalogue().get(element).map_or("", |element| element.class.as_str());
        let unless = |kind: &Kind| !kind.unless.is_empty() && role.contains(&kind.unless);
        let excluded = nest.shelf.kind.is_some_and(unless);
        let group = match nest.shelf.kind {
            Some(kind) if nest.top && !kind.class.is_empty() && kind.class == class => {
                self.flat(element, role, nest.shelf)
            }
            _ => nest.group,
        };
        if excluded && !nest.shelf.excluded.contains(&group) {
            nest.shelf.excluded.push(group);
        }
        group
    }

    /// The open group of plain entries; a new one where an element or the role repeats.
    fn flat(&mut self, element: ElementId, role: &str, shelf: &mut Shelf<'p>) -> u32 {
        let role = role.split_once('-').map_or("", |(role, _)| role);
        if let Some((group, open)) = &mut shelf.flat {
            let repeats = self.fields(*group).iter().any(|field| field.element == element);
            let changes = !open.is_empty() && !role.is_empty() && open != role;
            if !repeats && !changes {
                if open.is_empty() {
                    role.clone_into(open);
                }
                return *group;
            }
        }
        let group = self.open(ENTRY, shelf.group);
        shelf.flat = Some((group, role.to_owned()));
        group
    }
}
