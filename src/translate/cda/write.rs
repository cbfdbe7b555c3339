//! From a record to a document: the header by places, the body by groups and entries.

use super::body::{LOINC, SECTION_GROUP};
use super::names::{
    BODY, DOCUMENT_ID, DOCUMENT_TIME, DOCUMENT_TYPE, OTHER_ID, SECTION, SECTION_TITLE,
};
use super::participation::PARTICIPANT;
use super::read::NAMESPACE;
use super::sheet::Sheet;
use super::tables::{Document, Entry, Plan};
use super::write_body::bare;
use super::write_parts::found;
use super::write_value::{line, root_of};
use crate::translate::Pack;
use crate::vocabulary::{Coding, ElementId, Field, Group, Record, Value};
use crate::wire::xml;

/// 卫生信息共享文档规范编码体系.
const DOCUMENT_CODES: &str = "2.16.156.10011.2.4";
/// What a record of no document is written as: 病历概要.
const GENERAL: &str = "C0001";

/// A record on its way to a document.
pub(super) struct Writing<'p> {
    pub pack: &'p Pack,
    pub plan: &'p Plan,
    pub record: &'p Record,
    pub document: Option<&'p Document>,
    /// Which fields of the record's own group are written, by number.
    pub written: Vec<bool>,
}

/// Writes a record as the document of its dataset.
pub(super) fn write(pack: &Pack, record: &Record) -> Vec<u8> {
    let plan = &pack.cda;
    let own = record.groups.first().map_or(0, |group| group.fields.len());
    let document = document(plan, record);
    let mut writing = Writing { pack, plan, record, document, written: vec![false; own] };
    let mut root = Sheet::new(super::ROOT);
    writing.envelope(&mut root);
    writing.patient(&mut root);
    writing.took_part(&mut root);
    writing.events(&mut root);
    writing.body(&mut root);
    let document = xml::Document {
        root: super::ROOT.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        tree: root.tree(&plan.order),
    };
    xml::write(&document)
}

/// The document of a record's dataset; of another format's dataset, the one named for it.
fn document<'p>(plan: &'p Plan, record: &Record) -> Option<&'p Document> {
    let mut documents = plan.documents.iter();
    let own = documents.find(|document| document.dataset == record.dataset);
    let told = || {
        let coding = record.values(DOCUMENT_TYPE).find_map(|value| match value {
            Value::Code(coding) => coding.code.as_deref(),
            _ => None,
        });
        coding.and_then(|code| plan.document(code))
    };
    let meant = || {
        let dataset = record.dataset.as_str();
        plan.documents.iter().find(|document| document.datasets.iter().any(|name| name == dataset))
    };
    let unknown = record.dataset.as_str() == "cda-document";
    own.or_else(told).or_else(meant).or_else(|| plan.document(GENERAL).filter(|_| !unknown))
}

impl<'p> Writing<'p> {
    /// The record's own group.
    pub fn top(&self) -> Option<&'p Group> {
        self.record.groups.first()
    }

    /// The groups inside a group, with their numbers.
    pub fn inside(&self, parent: u32) -> impl Iterator<Item = (u32, &'p Group)> + use<'p> {
        let groups = (0u32..).zip(&self.record.groups).skip(1);
        groups.filter(move |(_, group)| group.parent.unwrap_or(0) == parent)
    }

    /// Takes the fields of an element out of the record's own group.
    pub fn take(&mut self, element: ElementId) -> Vec<&'p Field> {
        let fields = self.top().map_or(&[][..], |group| &group.fields);
        let mut taken = Vec::new();
        for (field, written) in fields.iter().zip(&mut self.written) {
            if field.element == element && !*written {
                *written = true;
                taken.push(field);
            }
        }
        taken
    }

    fn envelope(&mut self, root: &mut Sheet) {
        root.children.push(Sheet::new("realmCode").with("code", "CN"));
        let model = Sheet::new("typeId").with("root", "2.16.840.1.113883.1.3");
        root.children.push(model.with("extension", "POCD_MT000040"));
        let template = self.document.map_or("2.16.156.10011.2.1.1", |document| &document.template);
        root.children.push(Sheet::new("templateId").with("root", template));
        let id = self.take(DOCUMENT_ID).into_iter().find_map(|field| match &field.value {
            Value::Identifier(identifier) => Some(identifier),
            _ => None,
        });
        root.children.push(match id {
            Some(id) => {
                let own = id.authority.as_deref().unwrap_or("2.16.156.10011.1.1");
                let root = root_of(Some(own));
                Sheet::new("id").with("root", root).with("extension", &id.value)
            }
            None => Sheet::new("id").with("nullFlavor", "NI"),
        });
        root.children.push(self.kind());
        let times = self.take(DOCUMENT_TIME);
        let time = times.first().map(|field| line(&field.value));
        let time = time.or_else(|| self.record.time.as_ref().map(|time| time.as_str().to_owned()));
        let time = Sheet::new("effectiveTime").with("value", time.as_deref().unwrap_or_default());
        root.children.push(filled(time));
        self.put_places("document", root);
        for related in root.children.iter_mut().filter(|child| child.name == "relatedDocument") {
            related.set("typeCode", "RPLC");
        }
        if !root.has("title") {
            let title = self.document.map_or("", |document| &document.title);
            root.children.push(Sheet::new("title").saying(title));
        }
        if !root.has("confidentialityCode") {
            let normal = Sheet::new("confidentialityCode").with("code", "N");
            root.children.push(normal.with("codeSystem", "2.16.840.1.113883.5.25"));
        }
        root.children.push(Sheet::new("languageCode").with("code", "zh-CN"));
    }

    /// The code of the document.
    fn kind(&mut self) -> Sheet {
        let told = self.take(DOCUMENT_TYPE).into_iter().find_map(|field| match &field.value {
            Value::Code(coding) => Some(coding),
            _ => None,
        });
        let own = self.document.map(|document| document.code.as_str());
        let code = own.or_else(|| told.and_then(|coding| coding.code.as_deref()));
        let sheet = Sheet::new("code").with("code", code.unwrap_or_default());
        let display = told.and_then(|coding| coding.display.as_deref());
        filled(sheet)
            .with("codeSystem", DOCUMENT_CODES)
            .with("codeSystemName", "卫生信息共享文档规范编码体系")
            .with("displayName", display.unwrap_or_default())
    }

    /// Puts every field of the record's own group that a context has a place for.
    fn put_places(&mut self, context: &str, into: &mut Sheet) {
        let plan = self.plan;
        for place in plan.places(context).iter().filter(|place| place.written) {
            for field in self.take(place.element) {
                self.put(into, place, &field.value);
            }
        }
    }

    fn patient(&mut self, root: &mut Sheet) {
        let mut role = Sheet::new("patientRole").with("classCode", "PAT");
        let mut patient = Sheet::new("patient").with("classCode", "PSN");
        patient.set("determinerCode", "INSTANCE");
        for known in &self.plan.identifiers {
            let Some((element, kind)) =
                known.element.filter(|(element, _)| *element != DOCUMENT_ID)
            else {
                continue;
            };
            for field in self.take(element) {
                let id = Sheet::new("id")
                    .with("root", &known.oid)
                    .with("extension", &line(&field.value));
                // 身份证号 is the person's; every other number is of a role.
                let citizen = kind == Some(crate::vocabulary::IdentifierKind::CitizenId);
                if citizen { &mut patient } else { &mut role }.children.push(id);
            }
        }
        for field in self.take(OTHER_ID) {
            let Value::Identifier(identifier) = &field.value else { continue };
            let root = root_of(identifier.authority.as_deref());
            role.children
                .push(Sheet::new("id").with("root", root).with("extension", &identifier.value));
        }
        if !role.has("id") {
            role.children.push(Sheet::new("id").with("nullFlavor", "NI"));
        }
        role.children.push(patient);
        self.put_places("patientRole", &mut role);
        for (_, group) in self.inside(0).filter(|(_, group)| group.name == PARTICIPANT) {
            match self.kind_of_part(group).as_str() {
                "guardian" => {
                    let path = ["patient".to_owned()];
                    let guardian = self.part(group, "guardian");
                    let mut guardian = Some(guardian);
                    role.same(&path, &mut |patient| patient.children.extend(guardian.take()));
                }
                "providerOrganization" => {
                    role.children.push(self.part(group, "providerOrganization"))
                }
                _ => (),
            }
        }
        let target = Sheet::new("recordTarget").with("typeCode", "RCT");
        root.children.push(target.with("contextControlCode", "OP").holding(role));
    }

    /// Encounter and documented service.
    fn events(&mut self, root: &mut Sheet) {
        let mut service = Sheet::new("serviceEvent");
        self.put_places("serviceEvent", &mut service);
        let mut encounter = Sheet::new("encompassingEncounter");
        self.put_encounter(&mut encounter);
        for (_, group) in self.inside(0).filter(|(_, group)| group.name == PARTICIPANT) {
            match self.kind_of_part(group).as_str() {
                "serviceEvent/performer" => {
                    service.children.push(self.part(group, "performer").with("typeCode", "PRF"));
                }
                "responsibleParty" => encounter.children.push(self.part(group, "responsibleParty")),
                kind if kind.starts_with("encounterParticipant") => {
                    let code = kind.split_once('/').map_or("ATND", |(_, code)| code);
                    let part = self.part(group, "encounterParticipant");
                    encounter.children.push(part.with("typeCode", code));
                }
                _ => (),
            }
        }
        if !service.is_empty() {
            root.children.push(Sheet::new("documentationOf").holding(service));
        }
        if !encounter.is_empty() {
            if !encounter.has("effectiveTime") {
                encounter.children.push(Sheet::new("effectiveTime").with("nullFlavor", "NI"));
            }
            let component = Sheet::new("componentOf").with("typeCode", "COMP");
            root.children.push(component.holding(encounter));
        }
    }

    /// The places of an encounter, but those whose entry the body has a place for.
    fn put_encounter(&mut self, encounter: &mut Sheet) {
        let plan = self.plan;
        let entries = plan.entries(self.document);
        for place in plan.places("encounter").iter().filter(|place| place.written) {
            let own = |entry: &&Entry| entry.element == place.element && self.has_section(entry);
            let in_body = entries.iter().find(own).is_some();
            let fields = self.top().map_or(&[][..], |group| &group.fields);
            let count = fields.iter().filter(|field| field.element == place.element).count();
            // One value that the document's table prints as an entry belongs to the body.
            if count > usize::from(in_body) {
                self.put_first(place, encounter);
            }
        }
        let mut chain: Option<Sheet> = None;
        for location in plan.locations.iter().rev() {
            let mut whole = Sheet::new("wholeOrganization").with("classCode", "ORG");
            whole.set("determinerCode", "INSTANCE");
            let name = self.take(location.name).into_iter().next();
            let number = self.take(location.number).into_iter().next();
            if name.is_none() && number.is_none() {
                continue;
            }
            let number = number.map(|field| line(&field.value)).unwrap_or_default();
            let id = Sheet::new("id").with("root", &location.root).with("extension", &number);
            whole.children.push(id);
            whole.children.extend(name.map(|field| Sheet::new("name").saying(line(&field.value))));
            whole.children.extend(chain.take());
            let part = Sheet::new("asOrganizationPartOf").with("classCode", "PART");
            chain = Some(part.holding(whole));
        }
        if let Some(chain) = chain {
            let provider = Sheet::new("serviceProviderOrganization").holding(chain);
            let facility = Sheet::new("healthCareFacility").holding(provider);
            encounter.children.push(Sheet::new("location").holding(facility));
        }
    }

    /// Whether the record has the section of an entry, or is no document's and gets it.
    fn has_section(&self, entry: &Entry) -> bool {
        if !self.born_here() {
            return true;
        }
        let sections = self.inside(0).filter(|(_, group)| group.name == SECTION_GROUP);
        let mut told = sections.map(|(_, group)| {
            let code = found(group, SECTION).next();
            let title = found(group, SECTION_TITLE).next().map(line).unwrap_or_default();
            match code {
                Some(Value::Code(Coding { code: Some(code), .. })) => *code == entry.row.section,
                _ => !title.is_empty() && bare(&title) == bare(&entry.row.title),
            }
        });
        told.any(|fits| fits)
    }

    /// Puts the first field of a place's element that is not written yet.
    fn put_first(&mut self, place: &super::tables::Place, into: &mut Sheet) {
        let fields = self.top().map_or(&[][..], |group| &group.fields);
        let mut open = fields.iter().zip(&mut self.written);
        let found = open.find(|(field, written)| field.element == place.element && !**written);
        let Some((field, written)) = found else { return };
        *written = true;
        self.put(into, place, &field.value);
    }

    /// A body that is no XML, where there is one and no section.
    pub fn payload(&mut self) -> Option<Sheet> {
        let field = self.take(BODY).into_iter().next()?;
        let value = self.value((&field.value, None), None);
        let mut text = Sheet::new("text").with("representation", "B64");
        text.text = value.text;
        Some(Sheet::new("nonXMLBody").holding(text))
    }
}

/// An element, or why there is nothing in it.
pub(super) fn filled(sheet: Sheet) -> Sheet {
    if sheet.is_empty() { sheet.with("nullFlavor", "NI") } else { sheet }
}

/// The code of a section.
pub(super) fn section_code(code: &str, display: &str) -> Sheet {
    let sheet = Sheet::new("code").with("code", code);
    let sheet = if code.is_empty() {
        sheet
    } else {
        sheet.with("codeSystem", LOINC).with("codeSystemName", "LOINC")
    };
    sheet.with("displayName", display)
}
