//! The tables of `mappings/cda/`, read and checked once.
//!
//! | file | one row for each |
//! | --- | --- |
//! | `documents.csv` | document: code, template, family, who is specially protected |
//! | `sections.csv` | section of a document |
//! | `entries.csv` | entry of a section, as the standards print them |
//! | `code-systems.csv` | code system, by family and OID, since four OIDs have two meanings |
//! | `identifiers.csv` | root of an identifier of the patient |
//! | `places.csv` | element of a header or statement that is no entry |
//! | `contexts.csv` | element that means something else in the body than in the header |
//! | `kinds.csv` | group of entries other formats know: diagnosis, allergy, … |
//! | `locations.csv` | bed, room, ward, department, institution |
//! | `participations.csv` | how a person who took part is written |
//! | `spellings.csv`, `dialect-2012.csv` | what senders write instead |
//! | `order.csv` | children of an element, in the order of the schema |
//! | `drops.csv` | leaf that is rebuilt or meaningless, with the reason |

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use crate::vocabulary::{Dataset, ElementId, GroupName, IdentifierKind};

/// Everything the reader and the writer of documents look up.
#[derive(Debug, Default)]
pub(in crate::translate) struct Plan {
    pub(super) documents: Vec<Document>,
    pub(super) sections: HashMap<String, Vec<Section>>,
    pub(super) entries: HashMap<String, Vec<Entry>>,
    pub(super) systems: Vec<System>,
    pub(super) identifiers: Vec<Root>,
    pub(super) places: HashMap<String, Vec<Place>>,
    pub(super) contexts: Vec<Context>,
    pub(super) kinds: Vec<Kind>,
    pub(super) locations: Vec<Location>,
    pub(super) participations: HashMap<String, Participation>,
    pub(super) spellings: Spellings,
    pub(super) order: HashMap<String, Vec<String>>,
    pub(super) names: HashSet<String>,
    pub(super) drops: HashSet<String>,
}

/// 文档, one kind of document.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub code: String,
    pub title: String,
    pub template: String,
    pub family: String,
    pub dataset: Dataset,
    /// Datasets of other formats it is written for.
    pub datasets: Vec<String>,
    /// Severe mental illness, infectious disease: the body is shown to nobody.
    pub protected: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Section {
    pub doc: String,
    pub loinc: String,
    pub display: String,
    pub title: String,
}

/// 条目, one entry as the standard prints it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct EntryRow {
    pub doc: String,
    pub section: String,
    pub title: String,
    pub element: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub system: String,
    pub unit: String,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub row: EntryRow,
    /// What the entry means, in this document and under this name.
    pub element: ElementId,
    /// The name without its unit and spaces.
    pub plain: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct System {
    pub family: String,
    pub oid: String,
    pub name: String,
    pub table: String,
    pub legacy: String,
    /// The name without spaces.
    #[serde(skip)]
    pub plain: String,
}

#[derive(Debug)]
pub(super) struct Root {
    pub oid: String,
    pub legacy: String,
    pub element: Option<(ElementId, Option<IdentifierKind>)>,
}

/// What a place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Shape {
    Address,
    Boolean,
    Code,
    Date,
    From,
    Identifier,
    Name,
    Quantity,
    Telecom,
    Text,
    Until,
}

#[derive(Debug, Clone)]
pub(super) struct Place {
    pub path: Vec<String>,
    /// The attribute that holds it, where it is not the element as a whole.
    pub leaf: Option<String>,
    pub element: ElementId,
    pub shape: Shape,
    pub written: bool,
}

#[derive(Debug)]
pub(super) struct Context {
    pub element: String,
    pub kind: String,
    pub word: String,
    pub becomes: ElementId,
    /// Whether it speaks of the event as a whole.
    pub record: bool,
}

#[derive(Debug)]
pub(super) struct Kind {
    pub group: GroupName,
    pub sections: Vec<String>,
    pub class: String,
    pub keys: Vec<ElementId>,
    pub unless: String,
}

#[derive(Debug)]
pub(super) struct Location {
    pub root: String,
    pub name: ElementId,
    pub number: ElementId,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Participation {
    pub participation: String,
    pub role: String,
    pub person: String,
    pub organization: String,
}

/// What senders write, and what they mean.
#[derive(Debug, Default)]
pub(super) struct Spellings {
    pub elements: HashMap<String, String>,
    pub oids: Vec<(String, String)>,
    pub placeholders: HashSet<String>,
    /// Elements that tell a severe mental illness or an infectious disease.
    pub protectors: HashSet<String>,
    /// 2012: words of a title, and the document they name.
    pub titles: Vec<(String, String)>,
    pub systems: HashMap<String, String>,
}

impl Plan {
    /// The kind of document with that code.
    pub(super) fn document(&self, code: &str) -> Option<&Document> {
        self.documents.iter().find(|document| document.code == code)
    }

    /// The entries of a document.
    pub(super) fn entries(&self, document: Option<&Document>) -> &[Entry] {
        document.and_then(|document| self.entries.get(&document.code)).map_or(&[], Vec::as_slice)
    }

    /// The code systems and the unit the tables print for an entry of a document; the system
    /// printed first is the one written.
    pub(super) fn expected(&self, document: Option<&Document>, wire: &str) -> (Vec<&str>, &str) {
        let own = self.entries(document).iter().filter(|entry| entry.row.element == wire);
        let mut systems: Vec<&str> = Vec::new();
        let mut unit = "";
        for entry in own {
            let system = entry.row.system.as_str();
            if !system.is_empty() && !systems.contains(&system) {
                systems.push(system);
            }
            if unit.is_empty() {
                unit = &entry.row.unit;
            }
        }
        (systems, unit)
    }

    /// The places of a context.
    pub(super) fn places(&self, context: &str) -> &[Place] {
        self.places.get(context).map_or(&[], Vec::as_slice)
    }

    /// The code system of an OID, in a family of templates.
    pub(super) fn system(&self, family: &str, oid: &str) -> Option<&System> {
        let fits = |system: &&System| system.family == "*" || system.family == family;
        self.systems.iter().filter(fits).find(|system| system.oid == oid)
    }

    /// The OID of a code table.
    pub(super) fn oid_of(&self, table: &str) -> Option<&System> {
        self.systems.iter().find(|system| !table.is_empty() && system.table == table)
    }

    /// Every name that documents have for a code table: its OIDs, and those of 2012.
    pub(in crate::translate) fn systems_by_table(&self) -> HashMap<String, Vec<String>> {
        let mut by_table: HashMap<String, Vec<String>> = HashMap::new();
        for system in self.systems.iter().filter(|system| !system.table.is_empty()) {
            let names = [&system.oid, &system.legacy].into_iter().filter(|name| !name.is_empty());
            by_table.entry(system.table.clone()).or_default().extend(names.cloned());
        }
        by_table
    }

    /// What an entry means in the body: its element, and whether it speaks of the whole event.
    pub(super) fn meaning(&self, id: ElementId, kind: &str, name: &str) -> (ElementId, bool) {
        let fits = |context: &&Context| {
            context.element == id.as_str()
                && (context.kind.is_empty() || context.kind == kind)
                && (context.word.is_empty() || name.contains(&context.word))
        };
        let found = self.contexts.iter().find(fits);
        found.map_or((id, false), |context| (context.becomes, context.record))
    }
}

/// A name without spaces, the unit in brackets and the tail some printers add.
pub(super) fn plain(name: &str) -> String {
    let tight: String = name.chars().filter(|sign| !sign.is_whitespace()).collect();
    let open = tight.find(['(', '（']).filter(|_| tight.ends_with([')', '）']));
    let bare = open.and_then(|at| tight.get(..at)).filter(|bare| !bare.is_empty());
    let bare = bare.unwrap_or(&tight);
    bare.strip_suffix("条目代码").or_else(|| bare.strip_suffix("条目")).unwrap_or(bare).to_owned()
}
