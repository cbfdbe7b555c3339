//! 红线, what no rule may open: `policies/laws.toml`.
//!
//! A rule says what somebody gets; a law says what nobody of a kind gets, and is checked over
//! every cell when a pack is read. It permits nothing, so a pack without laws opens no more.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::PolicySet;
use super::lattice::Cell;
use super::page::Page;
use super::purpose::Bilingual;
use super::rule_files;
use super::schema::{self, Lists};
use super::scope::RuleId;
use crate::vocabulary::{Catalogue, Class, Diagnostic, ElementId, Files, Purpose, Relation, Tier};

/// Where the list stands.
const PATH: &str = "laws.toml";

/// One law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Law {
    /// Its name in diagnostics.
    pub id: String,
    /// Where it comes from.
    pub clause: String,
    /// What it says.
    pub title: Bilingual,
    /// Which kinds of department it binds; none named means every one.
    pub kinds: Vec<String>,
    /// For which purposes; none named means every one.
    pub purposes: Vec<Purpose>,
    /// Whom it does not bind: who has one of these relations to the person.
    pub unless_relations: Vec<Relation>,
    /// What of: these classes and elements; none of either means everything.
    pub classes: Vec<Class>,
    /// See `classes`.
    pub elements: Vec<ElementId>,
    /// The least protective tier it leaves.
    pub at_most: Tier,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LawsFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    law: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: Spanned<String>,
    clause: String,
    zh: String,
    en: String,
    #[serde(default)]
    kinds: Vec<Spanned<String>>,
    #[serde(default)]
    purposes: Vec<Spanned<String>>,
    #[serde(default)]
    unless_relations: Vec<Spanned<String>>,
    #[serde(default)]
    classes: Vec<Spanned<String>>,
    #[serde(default)]
    elements: Vec<Spanned<String>>,
    at_most: Tier,
}

impl Law {
    /// Whether it speaks of a cell, and the cell leaves more than it allows.
    fn is_broken_by(&self, cell: &Cell, kind: &str) -> bool {
        let everything = self.classes.is_empty() && self.elements.is_empty();
        let speaks = everything
            || self.elements.contains(&cell.element.id)
            || self.classes.iter().any(|class| cell.is_of(*class));
        speaks
            && (self.kinds.is_empty() || self.kinds.iter().any(|own| own == kind))
            && (self.purposes.is_empty() || self.purposes.contains(&cell.asking.purpose))
            && !self.unless_relations.iter().any(|own| cell.asking.relations.contains(own))
            && cell.tier() < self.at_most
    }
}

/// Reads `laws.toml`.
pub(super) fn load(files: &Files, lists: Lists<'_>) -> Result<Vec<Law>, Vec<Diagnostic>> {
    let (mut page, file) = Page::open::<LawsFile>(files, PATH).map_err(|fault| vec![fault])?;
    let mut found: Vec<Law> = Vec::new();
    for row in file.law {
        let start = row.id.span().start;
        if found.iter().any(|law| law.id == *row.id.get_ref()) {
            page.fault(start, format!("law {} stands twice", row.id.get_ref()));
        }
        found.push(law(row, lists, &mut page));
    }
    page.close(found)
}

fn law(row: Row, lists: Lists<'_>, page: &mut Page<'_>) -> Law {
    let kinds = lists.departments.kinds();
    for kind in row.kinds.iter().filter(|kind| !kinds.contains(kind.get_ref().as_str())) {
        page.fault(kind.span().start, format!("no department is of kind {}", kind.get_ref()));
    }
    let classes = schema::classes(lists);
    let known = |page: &mut Page<'_>, word: &Spanned<String>| {
        let class = page.name(word, Class::parse)?;
        if !classes.contains(&class) {
            page.fault(word.span().start, "no element is of this class");
        }
        Some(class)
    };
    Law {
        id: row.id.into_inner(),
        clause: row.clause,
        title: Bilingual { zh: row.zh, en: row.en },
        kinds: row.kinds.into_iter().map(Spanned::into_inner).collect(),
        purposes: row.purposes.iter().filter_map(|word| purpose(page, word, lists)).collect(),
        unless_relations: row
            .unless_relations
            .iter()
            .filter_map(|word| relation(page, word, lists))
            .collect(),
        classes: row.classes.iter().filter_map(|word| known(page, word)).collect(),
        elements: row
            .elements
            .iter()
            .filter_map(|word| element(page, word, lists.catalogue))
            .collect(),
        at_most: row.at_most,
    }
}

fn purpose(page: &mut Page<'_>, word: &Spanned<String>, lists: Lists<'_>) -> Option<Purpose> {
    let id = page.name(word, Purpose::parse)?;
    if lists.purposes.terms(id).is_none() {
        page.fault(word.span().start, format!("there is no purpose {id}"));
    }
    Some(id)
}

fn relation(page: &mut Page<'_>, word: &Spanned<String>, lists: Lists<'_>) -> Option<Relation> {
    let id = page.name(word, Relation::parse)?;
    if lists.relations.iter().all(|row| row.id != id) {
        page.fault(word.span().start, format!("there is no relation {id}"));
    }
    Some(id)
}

fn element(page: &mut Page<'_>, word: &Spanned<String>, all: &Catalogue) -> Option<ElementId> {
    let id = page.name(word, ElementId::parse)?;
    if all.get(id).is_none() {
        page.fault(word.span().start, format!("the catalogue has no element {id}"));
    }
    Some(id)
}

/// Cells by which a law is broken through a rule: the first of them, and how many.
type Broken<'a> = BTreeMap<(&'a str, RuleId), (Cell, usize)>;

/// Asks every cell; a law that is broken is a fault at the rule that breaks it.
pub(super) fn check(set: &PolicySet, files: &Files) -> Vec<Diagnostic> {
    let mut broken = Broken::new();
    for cell in set.cells(&set.dimensions()) {
        let row = set.departments().department(cell.asking.department);
        let kind = row.map_or("", |row| row.kind.as_str());
        for law in set.laws().iter().filter(|law| law.is_broken_by(&cell, kind)) {
            for rule in cell.rules.iter().filter(|rule| set.shared.rules.gives(rule) == Some(true))
            {
                let key = (law.id.as_str(), RuleId::clone(rule));
                broken.entry(key).or_insert_with(|| (cell.clone(), 0)).1 += 1;
            }
        }
    }
    let laws = broken.into_iter().filter_map(|((id, rule), first)| {
        let law = set.laws().iter().find(|law| law.id == id)?;
        Some(fault(law, &rule, first, files))
    });
    laws.collect()
}

fn fault(law: &Law, rule: &str, (cell, cells): (Cell, usize), files: &Files) -> Diagnostic {
    let more = match cells {
        1 => String::new(),
        more => format!(", and {} more cells", more - 1),
    };
    let message = format!(
        "rule {rule} breaks law {}: {cell} is {}, at most {} is lawful{more}",
        law.id,
        cell.tier().as_str(),
        law.at_most.as_str(),
    );
    let Law { clause, title, .. } = law;
    rule_files::place(files, rule, message).hint(format!("{} {} ({clause})", title.zh, title.en))
}
