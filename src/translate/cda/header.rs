//! The header: whom the document is about, who made it, where and when it happened.

use super::names::OTHER_ID;
use super::page::At;
use super::read::Reading;
use super::tables::{Place, Shape};
use super::value::Expected;
use crate::translate::plan::Bin;
use crate::vocabulary::value::Composite;
use crate::vocabulary::{ElementId, Identifier, IdentifierKind, Value};

/// Who may stand in the header, in the order of the schema.
const TOOK_PART: [(&str, &str); 8] = [
    ("author", "author"),
    ("dataEnterer", "dataEnterer"),
    ("informant", "informant"),
    ("custodian", "custodian"),
    ("informationRecipient", "informationRecipient"),
    ("legalAuthenticator", "legalAuthenticator"),
    ("authenticator", "authenticator"),
    ("participant", "headerParticipant"),
];

impl Reading<'_, '_> {
    /// Reads the header into the record's own group.
    pub fn header(&mut self) {
        for at in self.all(0, "id") {
            self.identifier(at, true);
        }
        self.places("document", 0, 0);
        let path = ["recordTarget", "patientRole"].map(str::to_owned);
        if let Some(role) = self.page.below(0, &path).first().copied() {
            self.patient(role);
        }
        for at in self.page.below(0, &["componentOf", "encompassingEncounter"].map(str::to_owned)) {
            self.encounter(at);
        }
        for at in self.page.below(0, &["documentationOf", "serviceEvent"].map(str::to_owned)) {
            self.places("serviceEvent", at, 0);
            for performer in self.all(at, "performer") {
                self.participation((performer, "serviceEvent/performer"), 0);
            }
        }
        for (name, kind) in TOOK_PART {
            for at in self.all(0, name) {
                self.participation((at, kind), 0);
            }
        }
    }

    /// The children of a name, as a list that outlives a change.
    pub fn all(&self, at: At, name: &str) -> Vec<At> {
        self.page.named(at, name).collect()
    }

    fn patient(&mut self, role: At) {
        let patient = self.page.child(role, "patient");
        for holder in [Some(role), patient].into_iter().flatten() {
            for at in self.all(holder, "id") {
                self.identifier(at, false);
            }
        }
        self.places("patientRole", role, 0);
        let guardians = patient.map(|at| self.all(at, "guardian")).unwrap_or_default();
        for guardian in guardians {
            self.participation((guardian, "guardian"), 0);
        }
        for provider in self.all(role, "providerOrganization") {
            self.participation((provider, "providerOrganization"), 0);
        }
    }

    /// An identifier under the root its table knows; any other identifies nobody.
    fn identifier(&mut self, at: At, of_document: bool) {
        let Some(said) = self.page.get(at, "@extension") else {
            // A root alone names a register, not a number in it.
            self.page.mark(at, "@root", Bin::Dropped);
            return;
        };
        if self.placeholder(at, said) {
            return;
        }
        let root = self.page.get(at, "@root").map(|root| self.root(at, root));
        let known = root
            .as_deref()
            .and_then(|root| self.plan.identifiers.iter().find(|known| known.oid == root));
        let element = known.and_then(|known| known.element);
        self.page.take(at, &["@root", "@extension"]);
        let own = root.as_deref().is_some_and(|root| root.starts_with("2.16.156.10011.1.1"));
        let (element, kind) = match element {
            _ if of_document => (super::names::DOCUMENT_ID, Some(IdentifierKind::Other)),
            Some(known) => known,
            None => (OTHER_ID, Some(IdentifierKind::Other)),
        };
        let Some(kind) = kind else {
            return self.push(0, (element, Value::Text(said.to_owned())), at);
        };
        let mut identifier = self.person_number(kind, (at, said));
        let usual = if of_document { own } else { element != OTHER_ID };
        identifier.authority = root.filter(|_| !usual);
        self.push(0, (element, Value::Identifier(identifier)), at);
    }

    /// The root of an identifier as it was meant.
    pub fn root(&mut self, at: At, sent: &str) -> String {
        let old = self.plan.identifiers.iter().find(|known| known.legacy == sent);
        match old {
            Some(known) => known.oid.clone(),
            None => self.oid(at, sent),
        }
    }

    fn encounter(&mut self, at: At) {
        self.places("encounter", at, 0);
        for name in ["responsibleParty", "encounterParticipant"] {
            for person in self.all(at, name) {
                self.participation((person, name), 0);
            }
        }
        for location in self.all(at, "location") {
            for facility in self.all(location, "healthCareFacility") {
                for place in self.all(facility, "serviceProviderOrganization") {
                    self.location(place);
                }
            }
        }
    }

    /// 病床、病房、科室、病区、机构: each inside the next, told apart by the root of its number.
    fn location(&mut self, at: At) {
        let id = self.page.child(at, "id");
        let root = id.and_then(|id| self.page.get(id, "@root").map(|root| (id, root)));
        let root = root.map(|(id, root)| self.root(id, root));
        let known = self.plan.locations.iter().find(|known| Some(&known.root) == root.as_ref());
        if let Some((name, number)) = known.map(|known| (known.name, known.number)) {
            if let Some(child) = self.page.child(at, "name")
                && let Some(line) = self.free_line(child)
            {
                self.push(0, (name, Value::Text(line)), child);
            }
            if let Some(id) = id {
                self.location_number(id, number);
            }
        }
        for part in self.all(at, "asOrganizationPartOf") {
            for whole in self.all(part, "wholeOrganization") {
                self.location(whole);
            }
        }
    }

    fn location_number(&mut self, id: At, element: ElementId) {
        match self.page.get(id, "@extension") {
            Some(said) if !self.placeholder(id, said) => {
                self.page.take(id, &["@root", "@extension"]);
                self.push(0, (element, Value::Text(said.to_owned())), id);
            }
            Some(_) => (),
            None => self.page.mark(id, "@root", Bin::Dropped),
        }
    }

    /// Every place of a context that an element holds.
    pub fn places(&mut self, context: &str, at: At, group: u32) {
        for place in self.plan.places(context) {
            for found in self.page.below(at, &place.path) {
                let Some(value) = self.place(found, place) else { continue };
                self.push(group, (place.element, value), found);
            }
        }
    }

    /// The value of one place.
    pub fn place(&mut self, at: At, place: &Place) -> Option<Value> {
        let element = self.pack.catalogue().get(place.element);
        Some(match place.shape {
            Shape::Address => Value::Address(self.address(at)?),
            Shape::Boolean | Shape::Date => {
                return self.value(at, element?, Expected::default());
            }
            Shape::Code => {
                let says = ["@code", "@displayName"].iter().any(|leaf| {
                    let said = self.page.get(at, leaf);
                    said.is_some_and(|said| !self.plan.spellings.placeholders.contains(said))
                });
                Value::Code(self.coding(at, element, Expected::default()).filter(|_| says)?)
            }
            Shape::From => {
                let low = self.page.child(at, "low");
                let own = self.page.get(at, "@value").map(|_| at);
                Value::Date(self.date(own.or(low)?)?)
            }
            Shape::Until => Value::Date(self.date(self.page.child(at, "high")?)?),
            Shape::Identifier => Value::Identifier(self.numbered(at)?),
            Shape::Name => Value::Name(Composite::line(self.free_line(at)?)),
            Shape::Quantity => return self.value(at, element?, Expected::default()),
            Shape::Telecom => Value::Telecom(Composite::line(self.leaf_line(at, place)?)),
            Shape::Text => Value::Text(self.leaf_line(at, place)?),
        })
    }

    /// The text of a place: its leaf, or the element's own text.
    fn leaf_line(&mut self, at: At, place: &Place) -> Option<String> {
        let Some(leaf) = place.leaf.as_deref() else { return self.free_line(at) };
        let said = self.page.get(at, leaf)?;
        if self.placeholder(at, said) {
            return None;
        }
        if leaf == "@extension" {
            self.page.mark(at, "@root", Bin::Dropped);
        }
        self.page.took(at, leaf).map(str::to_owned)
    }

    /// A number of a thing, with its root.
    pub fn numbered(&mut self, at: At) -> Option<Identifier> {
        let said = self.page.get(at, "@extension");
        let Some(said) = said.filter(|said| !self.plan.spellings.placeholders.contains(*said))
        else {
            self.page.mark(at, "@root", Bin::Dropped);
            return None;
        };
        let root = self.page.get(at, "@root").map(|root| self.root(at, root));
        self.page.take(at, &["@root", "@extension"]);
        let mut identifier = Identifier::new(IdentifierKind::Other, said);
        identifier.authority = root;
        Some(identifier)
    }
}
