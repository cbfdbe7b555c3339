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
use serde::de::DeserializeOwned;

use crate::vocabulary::{
    Catalogue, CodeTables, Dataset, Diagnostic, ElementId, Files, GroupName, IdentifierKind,
};

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

/// Reads the tables; without them no document is known.
pub(in crate::translate) fn load(
    files: &Files,
    catalogue: &Catalogue,
    codes: &CodeTables,
) -> Result<Plan, Vec<Diagnostic>> {
    let mut reader = Reader { files, catalogue, codes, faults: Vec::new() };
    let mut plan = Plan::default();
    if files.bytes("cda/documents.csv").is_none() {
        return Ok(plan);
    }
    for id in super::names::ALL {
        reader.element(("cda/documents.csv", 1), id.as_str());
    }
    reader.spellings(&mut plan);
    reader.documents(&mut plan);
    reader.statements(&mut plan);
    reader.entries(&mut plan);
    if reader.faults.is_empty() { Ok(plan) } else { Err(reader.faults) }
}

struct Reader<'f> {
    files: &'f Files,
    catalogue: &'f Catalogue,
    codes: &'f CodeTables,
    faults: Vec<Diagnostic>,
}

#[derive(Deserialize)]
struct DocumentRow {
    code: String,
    title: String,
    template: String,
    family: String,
    protected: String,
    datasets: String,
}

#[derive(Deserialize)]
struct RootRow {
    oid: String,
    legacy: String,
    element: String,
    kind: String,
}

#[derive(Deserialize)]
struct PlaceRow {
    context: String,
    path: String,
    element: String,
    #[serde(rename = "as")]
    shape: Shape,
    way: String,
}

#[derive(Deserialize)]
struct ContextRow {
    element: String,
    #[serde(rename = "type")]
    kind: String,
    word: String,
    becomes: String,
    group: String,
}

#[derive(Deserialize)]
struct KindRow {
    kind: String,
    sections: String,
    class: String,
    keys: String,
    unless: String,
}

#[derive(Deserialize)]
struct LocationRow {
    root: String,
    name: String,
    number: String,
}

#[derive(Deserialize)]
struct SpellingRow {
    kind: String,
    wrong: String,
    right: String,
}

#[derive(Deserialize)]
struct OrderRow {
    parent: String,
    children: String,
}

#[derive(Deserialize)]
struct DropRow {
    place: String,
}

/// Where a row of a table stands.
type Spot = (&'static str, usize);

impl Reader<'_> {
    /// The rows of a table with their lines.
    fn rows<T: DeserializeOwned>(&mut self, path: &'static str) -> Vec<(Spot, T)> {
        let bytes = self.files.bytes(path).unwrap_or_default();
        let mut reader = csv::Reader::from_reader(bytes);
        let mut rows = Vec::new();
        for (index, row) in reader.deserialize().enumerate() {
            let spot = (path, index + 2);
            match row {
                Ok(row) => rows.push((spot, row)),
                Err(error) => self.fault(spot, format!("unreadable row: {error}")),
            }
        }
        rows
    }

    fn fault(&mut self, (file, line): Spot, message: String) {
        let (file, column) = (file.to_owned(), 1);
        self.faults.push(Diagnostic { file, line, column, message, hint: None });
    }

    fn element(&mut self, spot: Spot, id: &str) -> Option<ElementId> {
        let found = ElementId::parse(id).ok().filter(|id| self.catalogue.get(*id).is_some());
        if found.is_none() {
            self.fault(spot, format!("there is no element {id}"));
        }
        found
    }

    fn spellings(&mut self, plan: &mut Plan) {
        let mut rows = self.rows::<SpellingRow>("cda/spellings.csv");
        rows.extend(self.rows("cda/dialect-2012.csv"));
        let into = &mut plan.spellings;
        for (spot, SpellingRow { kind, wrong, right }) in rows {
            match kind.as_str() {
                "document" => into.titles.push((wrong, right)),
                "element" => {
                    into.elements.insert(wrong, right);
                }
                "oid" => into.oids.push((wrong, right)),
                "placeholder" => {
                    into.placeholders.insert(wrong);
                }
                "protects" => {
                    into.protectors.insert(wrong);
                }
                "system" => {
                    into.systems.insert(wrong, right);
                }
                _ => self.fault(spot, format!("there is no kind {kind}")),
            }
        }
        let orders = self.rows::<OrderRow>("cda/order.csv");
        for (_, OrderRow { parent, children }) in orders {
            let children: Vec<_> = words(&children);
            plan.names.extend(children.iter().cloned().chain([parent.clone()]));
            plan.order.insert(parent, children);
        }
        plan.drops =
            self.rows::<DropRow>("cda/drops.csv").into_iter().map(|row| row.1.place).collect();
    }

    fn documents(&mut self, plan: &mut Plan) {
        for (spot, row) in self.rows::<DocumentRow>("cda/documents.csv") {
            let dataset = Dataset::parse(&format!("cda-{}", row.code.to_ascii_lowercase()));
            let Ok(dataset) = dataset else {
                self.fault(spot, "the code is no name".to_owned());
                continue;
            };
            plan.documents.push(Document {
                code: row.code,
                title: row.title,
                template: row.template,
                family: row.family,
                dataset,
                datasets: words(&row.datasets),
                protected: !row.protected.is_empty(),
            });
        }
        for (_, section) in self.rows::<Section>("cda/sections.csv") {
            plan.sections.entry(section.doc.clone()).or_default().push(section);
        }
        for (spot, system) in self.rows::<System>("cda/code-systems.csv") {
            if !system.table.is_empty() && self.codes.table(&system.table).is_none() {
                self.fault(spot, format!("there is no code table {}", system.table));
            }
            plan.systems.push(System { plain: plain(&system.name), ..system });
        }
        for (spot, row) in self.rows::<RootRow>("cda/identifiers.csv") {
            let element = match row.element.as_str() {
                "" => None,
                id => self.element(spot, id).map(|id| (id, IdentifierKind::parse(&row.kind))),
            };
            plan.identifiers.push(Root { oid: row.oid, legacy: row.legacy, element });
        }
    }

    fn statements(&mut self, plan: &mut Plan) {
        for (spot, row) in self.rows::<PlaceRow>("cda/places.csv") {
            let Some(element) = self.element(spot, &row.element) else { continue };
            let mut path: Vec<_> = row.path.split('/').map(str::to_owned).collect();
            let leaf = path.pop_if(|last| last.starts_with('@'));
            let written = row.way == "both";
            let place = Place { path, leaf, element, shape: row.shape, written };
            plan.places.entry(row.context).or_default().push(place);
        }
        for (spot, row) in self.rows::<KindRow>("cda/kinds.csv") {
            let keys = words(&row.keys);
            let keys = keys.iter().filter_map(|id| self.element(spot, id)).collect();
            let Ok(group) = GroupName::parse(&row.kind) else {
                self.fault(spot, "the kind is no name".to_owned());
                continue;
            };
            let (sections, class, unless) = (words(&row.sections), row.class, row.unless);
            plan.kinds.push(Kind { group, sections, class, keys, unless });
        }
        for (spot, row) in self.rows::<LocationRow>("cda/locations.csv") {
            let found = self.element(spot, &row.name).zip(self.element(spot, &row.number));
            let location = found.map(|(name, number)| Location { root: row.root, name, number });
            plan.locations.extend(location);
        }
        for (_, row) in self.rows::<Participation>("cda/participations.csv") {
            plan.participations.insert(row.participation.clone(), row);
        }
    }

    fn entries(&mut self, plan: &mut Plan) {
        for (spot, row) in self.rows::<ContextRow>("cda/contexts.csv") {
            let Some(becomes) = self.element(spot, &row.becomes) else { continue };
            let ContextRow { element, kind, word, group, .. } = row;
            let record = !group.is_empty();
            plan.contexts.push(Context { element, kind, word, becomes, record });
        }
        for (spot, row) in self.rows::<EntryRow>("cda/entries.csv") {
            let Some(id) = self.element(spot, &row.element) else { continue };
            if plan.document(&row.doc).is_none() {
                self.fault(spot, format!("there is no document {}", row.doc));
            }
            let (element, _) = plan.meaning(id, &row.kind, &row.name);
            let entry = Entry { plain: plain(&row.name), element, row };
            plan.entries.entry(entry.row.doc.clone()).or_default().push(entry);
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
