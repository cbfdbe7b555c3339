//! Who took part: an author, a signer, a performer, an informant, a relative.
//!
//! Header and body have a dozen forms of it; they differ in the names of three elements.
//! All are read by what an element is (a person, an organization, a time), so that a form
//! nobody has seen yet is read, too.

use super::names::{
    PARTICIPANT_ADDRESS, PARTICIPANT_ORGANIZATION, PARTICIPANT_PERSON, PARTICIPANT_PHONE,
    PARTICIPANT_POSITION, PARTICIPANT_TIME, PARTICIPANT_TITLE, PARTICIPANT_TYPE, PARTICIPANT_WORDS,
};
use super::page::At;
use super::read::Reading;
use super::value::{Expected, escaped};
use crate::translate::plan::Bin;
use crate::vocabulary::value::Composite;
use crate::vocabulary::{Coding, Date, GroupName, Identifier, Value};

/// The group of somebody who took part.
pub(super) const PARTICIPANT: GroupName = GroupName::fixed("participant");

/// What is known of somebody so far.
#[derive(Default)]
struct Found {
    number: Option<(At, Identifier)>,
    name: Option<(At, String)>,
    title: Option<(At, Coding)>,
    position: Option<(At, Coding)>,
    organizations: Vec<Organization>,
    time: Option<(At, Date)>,
    phones: Vec<(At, String)>,
    addresses: Vec<(At, Composite)>,
    words: Vec<(At, String)>,
}

#[derive(Default)]
struct Organization {
    at: At,
    name: Option<String>,
    number: Option<Identifier>,
}

impl Reading<'_, '_> {
    /// Reads one who took part into a group of its own; who says nothing makes none.
    pub fn participation(&mut self, (at, kind): (At, &str), parent: u32) {
        let mut found = Found::default();
        let kind = match self.page.get(at, "@typeCode") {
            Some(code) if kind.ends_with("articipant") => format!("{kind}/{code}"),
            _ => kind.to_owned(),
        };
        if is_organization(self.page.name(at)) {
            self.organization(at, &mut found);
        } else {
            self.took_part(at, &mut found);
        }
        let before = self.record.groups.len();
        let group = self.open(PARTICIPANT, parent);
        self.keep(group, found);
        if self.fields(group).is_empty() {
            self.record.groups.truncate(before);
            return;
        }
        if kind.contains('/') {
            self.page.mark(at, "@typeCode", Bin::Mapped);
        }
        let at = Some(self.page.position(at));
        let field =
            crate::vocabulary::Field { element: PARTICIPANT_TYPE, value: Value::Text(kind), at };
        if let Some(group) = self.record.groups.last_mut() {
            group.fields.insert(0, field);
        }
    }

    fn keep(&mut self, group: u32, found: Found) {
        if let Some((at, title)) = found.title {
            self.push(group, (PARTICIPANT_TITLE, Value::Code(title)), at);
        }
        let at = found.name.as_ref().map(|(at, _)| *at);
        if let Some(at) = at.or_else(|| found.number.as_ref().map(|(at, _)| *at)) {
            let name = found.name.map(|(_, name)| name).unwrap_or_default();
            let person = person(&name, found.number.map(|(_, number)| number));
            self.push(group, (PARTICIPANT_PERSON, Value::Person(person)), at);
        }
        if let Some((at, position)) = found.position {
            self.push(group, (PARTICIPANT_POSITION, Value::Code(position)), at);
        }
        for organization in found.organizations {
            let at = organization.at;
            let said = organization.name.is_some() || organization.number.is_some();
            let value = Value::Organization(named(organization));
            if said {
                self.push(group, (PARTICIPANT_ORGANIZATION, value), at);
            }
        }
        if let Some((at, time)) = found.time {
            self.push(group, (PARTICIPANT_TIME, Value::Date(time)), at);
        }
        for (at, phone) in found.phones {
            self.push(group, (PARTICIPANT_PHONE, Value::Telecom(Composite::line(phone))), at);
        }
        for (at, address) in found.addresses {
            self.push(group, (PARTICIPANT_ADDRESS, Value::Address(address)), at);
        }
        for (at, words) in found.words {
            self.push(group, (PARTICIPANT_WORDS, Value::Text(words)), at);
        }
    }

    /// What the children of a role say; a second person or time stays free.
    fn took_part(&mut self, at: At, found: &mut Found) {
        for child in self.page.children(at).to_vec() {
            match self.page.name(child) {
                "time" | "effectiveTime" => {
                    let low = self.page.child(child, "low");
                    let own = self.page.get(child, "@value").map(|_| child);
                    if let Some(at) = own.or(low).filter(|_| found.time.is_none()) {
                        found.time = self.date(at).map(|time| (at, time));
                    }
                }
                "id" if found.number.is_none() => {
                    found.number = self.numbered(child).map(|number| (child, number));
                }
                "name" if found.name.is_none() => {
                    found.name = self.free_line(child).map(|name| (child, name));
                }
                "code" if found.title.is_none() => {
                    found.title = self.title(child).map(|title| (child, title));
                }
                "professionaltechnicalpositionCode" if found.position.is_none() => {
                    found.position = self.title(child).map(|title| (child, title));
                }
                "telecom" => {
                    let line = self.free_line(child);
                    found.phones.extend(line.map(|line| (child, line)));
                }
                "addr" => {
                    let address = self.address(child);
                    found.addresses.extend(address.map(|address| (child, address)));
                }
                "desc" => {
                    let line = self.free_line(child);
                    found.words.extend(line.map(|line| (child, line)));
                }
                name if is_organization(name) => self.organization(child, found),
                "id" | "name" | "code" => (),
                _ => self.took_part(child, found),
            }
        }
    }

    /// An organization, and those it is part of, the innermost first.
    fn organization(&mut self, at: At, found: &mut Found) {
        let mut own = Organization { at, ..Organization::default() };
        let mut above = Vec::new();
        for child in self.page.children(at).to_vec() {
            match self.page.name(child) {
                "id" if own.number.is_none() => own.number = self.numbered(child),
                "name" | "desc" if own.name.is_none() => own.name = self.free_line(child),
                "telecom" => {
                    let line = self.free_line(child);
                    found.phones.extend(line.map(|line| (child, line)));
                }
                "addr" => {
                    let address = self.address(child);
                    found.addresses.extend(address.map(|address| (child, address)));
                }
                "asOrganizationPartOf" => {
                    let whole = self.all(child, "wholeOrganization");
                    above.extend(whole);
                    self.part_of(child, found);
                }
                _ => (),
            }
        }
        found.organizations.push(own);
        for whole in above {
            self.organization(whole, found);
        }
    }

    /// The time since when an organization is part of another is that of the participation.
    fn part_of(&mut self, at: At, found: &mut Found) {
        let Some(time) = self.page.child(at, "effectiveTime") else { return };
        if found.time.is_none() && self.page.get(time, "@value").is_some() {
            found.time = self.date(time).map(|date| (time, date));
        }
    }

    /// A role or relation: a code, or its words alone.
    fn title(&mut self, at: At) -> Option<Coding> {
        let said = |leaf| self.page.get(at, leaf);
        let words = said("@code").or_else(|| said("@displayName"))?;
        if self.plan.spellings.placeholders.contains(words) {
            return None;
        }
        if said("@code").is_none() {
            let display = self.page.took(at, "@displayName").map(str::to_owned);
            return Some(Coding { code: None, display, original: None });
        }
        self.coding(at, None, Expected::default())
    }
}

fn is_organization(name: &str) -> bool {
    name.ends_with("Organization") || name == "scopingEntity"
}

/// A person as XCN has one: number, name, and the root of the number.
fn person(name: &str, number: Option<Identifier>) -> Composite {
    let Some(number) = number else { return Composite::line(name) };
    let root = number.authority.unwrap_or_default();
    let mut parts = vec![escaped(&number.value), escaped(name)];
    if !root.is_empty() {
        parts.resize(8, String::new());
        parts.push(escaped(&root));
    }
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    let text = if name.is_empty() { number.value } else { name.to_owned() };
    Composite { text, parts }
}

/// An organization as XON has one: name, assigning authority, identifier.
fn named(organization: Organization) -> Composite {
    let name = organization.name.unwrap_or_default();
    let Some(number) = organization.number else { return Composite::line(name) };
    let mut parts = vec![String::new(); 10];
    let root = number.authority.unwrap_or_default();
    for (index, text) in [(0, &name), (5, &root), (9, &number.value)] {
        parts.get_mut(index).into_iter().for_each(|part| *part = escaped(text));
    }
    let text = if name.is_empty() { number.value } else { name };
    Composite { text, parts }
}
