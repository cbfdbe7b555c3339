//! Who took part, as header and body write it.

use super::names::{
    PARTICIPANT_ADDRESS, PARTICIPANT_ORGANIZATION, PARTICIPANT_PERSON, PARTICIPANT_PHONE,
    PARTICIPANT_POSITION, PARTICIPANT_TIME, PARTICIPANT_TITLE, PARTICIPANT_TYPE, PARTICIPANT_WORDS,
};
use super::participation::PARTICIPANT;
use super::sheet::Sheet;
use super::tables::{Participation, Place, Shape};
use super::value::subcomponents;
use super::write::{Writing, filled};
use super::write_value::{is_oid, line};
use crate::vocabulary::value::Composite;
use crate::vocabulary::{Coding, ElementId, Group, Value};

/// Those of the header, and whether the schema wants a time and a signature of them.
const HEADER: [(&str, bool, bool); 8] = [
    ("author", true, false),
    ("dataEnterer", false, false),
    ("informant", false, false),
    ("custodian", false, false),
    ("informationRecipient", false, false),
    ("legalAuthenticator", true, true),
    ("authenticator", true, true),
    ("headerParticipant", false, false),
];

impl Writing<'_> {
    /// How somebody took part.
    pub fn kind_of_part(&self, group: &Group) -> String {
        found(group, PARTICIPANT_TYPE).next().map(line).unwrap_or_default()
    }

    /// Author, custodian and signers; the schema wants an author and a custodian.
    pub fn took_part(&self, root: &mut Sheet) {
        for (name, timed, signed) in HEADER {
            for (_, group) in self.inside(0).filter(|(_, group)| group.name == PARTICIPANT) {
                let kind = self.kind_of_part(group);
                let (own, code) = kind.split_once('/').unwrap_or((&kind, ""));
                if own == name {
                    let mut sheet = self.part(group, name).with("typeCode", code);
                    complete(&mut sheet, timed, signed);
                    root.children.push(sheet);
                }
            }
        }
        if !root.has("author") {
            let id = Sheet::new("id").with("nullFlavor", "NI");
            let role = Sheet::new("assignedAuthor").with("classCode", "ASSIGNED").holding(id);
            let mut author = Sheet::new("author").with("typeCode", "AUT").holding(role);
            complete(&mut author, true, false);
            root.children.push(author);
        }
        if !root.has("custodian") {
            let id = Sheet::new("id").with("nullFlavor", "NI");
            let organization = Sheet::new("representedCustodianOrganization").holding(id);
            let role = Sheet::new("assignedCustodian").holding(organization);
            root.children.push(Sheet::new("custodian").with("typeCode", "CST").holding(role));
        }
    }

    /// One who took part, by the names of the elements of that form.
    pub fn part(&self, group: &Group, name: &str) -> Sheet {
        let form = self.plan.participations.get(name).cloned().unwrap_or_default();
        let own = if name == "headerParticipant" { "participant" } else { name };
        let mut sheet = Sheet::new(own);
        for time in found(group, PARTICIPANT_TIME) {
            // An organization has no time of its own; it is part of another since.
            if !form.role.is_empty() {
                sheet.children.push(Sheet::new("time").with("value", &line(time)));
            }
        }
        let mut role = Sheet::new(&form.role);
        if form.role.starts_with("ass") {
            role.set("classCode", "ASSIGNED");
        }
        self.role(group, &form, &mut role);
        if form.role.is_empty() {
            sheet.children.append(&mut role.children);
        } else {
            sheet.children.push(role);
        }
        sheet
    }

    fn role(&self, group: &Group, form: &Participation, role: &mut Sheet) {
        let organization_alone = form.person.is_empty();
        let mut holder = Sheet::default();
        for value in found(group, PARTICIPANT_TITLE) {
            if let Value::Code(coding) = value {
                self.coded(role, ("code", coding));
            }
        }
        self.person(group, form, role);
        let chain = organizations(group, form);
        let outer = chain.is_some();
        if let Some(chain) = chain {
            holder = chain;
        }
        let into = if organization_alone && outer { &mut holder } else { &mut *role };
        for value in found(group, PARTICIPANT_PHONE) {
            into.children.push(Sheet::new("telecom").with("value", &line(value)));
        }
        for value in found(group, PARTICIPANT_ADDRESS) {
            let place = place(PARTICIPANT_ADDRESS, "addr", Shape::Address);
            self.put(into, &place, value);
        }
        if form.role.is_empty() && organization_alone {
            role.children.append(&mut holder.children);
        } else if outer {
            role.children.push(holder);
        } else if form.role == "assignedCustodian" {
            let mut none = Sheet::new(&form.organization);
            none.children.append(&mut role.children);
            none.children.push(Sheet::new("id").with("nullFlavor", "NI"));
            role.children.push(none);
        }
    }

    fn person(&self, group: &Group, form: &Participation, role: &mut Sheet) {
        let mut person = Sheet::new(&form.person);
        let mut number = None;
        for value in found(group, PARTICIPANT_PERSON) {
            let (own, name) = person_parts(value);
            number = own;
            person.children.extend((!name.is_empty()).then(|| Sheet::new("name").saying(name)));
        }
        for value in found(group, PARTICIPANT_POSITION) {
            let Value::Code(coding) = value else { continue };
            let mut position = Sheet::new("professionalTechnicalPosition");
            self.coded(&mut position, ("professionaltechnicalpositionCode", coding));
            person.children.push(position);
        }
        for value in found(group, PARTICIPANT_WORDS) {
            person.children.push(Sheet::new("desc").saying(line(value)));
        }
        let wanted = matches!(form.role.as_str(), "assignedAuthor" | "assignedEntity");
        match number {
            Some(id) => role.children.push(id),
            None if wanted => role.children.push(Sheet::new("id").with("nullFlavor", "NI")),
            None => (),
        }
        let wanted = form.person == "guardianPerson";
        if (wanted || !person.children.is_empty()) && !form.person.is_empty() {
            role.children.push(person);
        }
    }

    fn coded(&self, into: &mut Sheet, (name, coding): (&str, &Coding)) {
        let mut code = Sheet::new(name);
        self.code(&mut code, (coding, ""), None);
        into.children.push(code);
    }
}

/// A place that is no row of the tables.
fn place(element: ElementId, name: &str, shape: Shape) -> Place {
    Place { path: vec![name.to_owned()], leaf: None, element, shape, written: true }
}

/// Every value of an element in a group.
pub(super) fn found(group: &Group, element: ElementId) -> impl Iterator<Item = &Value> {
    group.fields.iter().filter(move |field| field.element == element).map(|field| &field.value)
}

/// What the schema wants beside what is known.
fn complete(sheet: &mut Sheet, timed: bool, signed: bool) {
    if timed && !sheet.has("time") {
        sheet.children.push(Sheet::new("time").with("nullFlavor", "NI"));
    }
    if signed {
        sheet.children.push(Sheet::new("signatureCode").with("code", "S"));
    }
}

/// The number and the name of a person, from XCN.
fn person_parts(value: &Value) -> (Option<Sheet>, String) {
    let (Value::Person(whole) | Value::Name(whole)) = value else { return (None, line(value)) };
    let part = |index: usize| {
        whole.parts.get(index).and_then(|part| subcomponents(part).next()).unwrap_or_default()
    };
    if whole.parts.is_empty() {
        return (None, whole.text.clone());
    }
    let (number, root) = (part(0), part(8));
    let root = if is_oid(&root) { root } else { "2.16.156.10011.1.4".to_owned() };
    let id = Sheet::new("id").with("root", &root).with("extension", &number);
    // Elsewhere family and given name are two; the line has both.
    let name = if part(2).is_empty() { part(1) } else { whole.text.clone() };
    ((!number.is_empty()).then_some(id), name)
}

/// The organizations of one who took part, each inside the next.
fn organizations(group: &Group, form: &Participation) -> Option<Sheet> {
    let mut values: Vec<_> = found(group, PARTICIPANT_ORGANIZATION).collect();
    let nameless = Value::Organization(Composite::line(""));
    if values.is_empty() && form.role.is_empty() && form.person.is_empty() {
        values.push(&nameless);
    }
    let mut chain: Option<Sheet> = None;
    for (index, value) in values.iter().enumerate().rev() {
        let name = if index == 0 { form.organization.as_str() } else { "wholeOrganization" };
        let alone = form.role.is_empty();
        let name = if name.is_empty() && !alone { "scopingEntity" } else { name };
        let mut sheet = organization(name, value);
        let since = found(group, PARTICIPANT_TIME).next().filter(|_| alone && index == 0);
        let mut part = Sheet::new("asOrganizationPartOf");
        if let Some(since) = since {
            part.children.push(Sheet::new("effectiveTime").with("value", &line(since)));
        }
        part.children.extend(chain.take());
        if !part.is_empty() {
            if !part.has("wholeOrganization") {
                part.children.push(Sheet::new("wholeOrganization"));
            }
            sheet.children.push(part);
        }
        chain = Some(sheet);
    }
    chain
}

fn organization(name: &str, value: &Value) -> Sheet {
    let (text, parts) = match value {
        Value::Organization(Composite { text, parts }) => (text.clone(), parts.as_slice()),
        other => (line(other), &[][..]),
    };
    let part = |index: usize| {
        parts.get(index).and_then(|part| subcomponents(part).next()).unwrap_or_default()
    };
    let mut sheet = Sheet::new(name);
    let number = Some(part(9)).filter(|number| !number.is_empty()).unwrap_or_else(|| part(2));
    let root = Some(part(5)).filter(|root| is_oid(root));
    if !number.is_empty() {
        let root = root.unwrap_or_else(|| "2.16.156.10011.1.5".to_owned());
        sheet.children.push(Sheet::new("id").with("root", &root).with("extension", &number));
    } else if name == "representedCustodianOrganization" {
        sheet.children.push(filled(Sheet::new("id")));
    }
    let said = if parts.is_empty() { text } else { part(0) };
    let said_in = if name == "scopingEntity" { "desc" } else { "name" };
    if !said.is_empty() {
        sheet.children.push(Sheet::new(said_in).saying(said));
    }
    sheet
}
