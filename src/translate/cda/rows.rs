//! The tables as files: their rows read, every name in them checked.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::tables::{
    Context, Document, Entry, EntryRow, Kind, Location, Participation, Place, Plan, Root, Section,
    Shape, System, plain,
};
use crate::vocabulary::{
    Catalogue, CodeTables, Dataset, Diagnostic, ElementId, Files, GroupName, IdentifierKind,
};

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
