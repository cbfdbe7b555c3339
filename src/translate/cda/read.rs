//! One walk over a document: envelope, header, body; then every leaf that is left.

use super::names::{DOCUMENT_TIME, DOCUMENT_TYPE};
use super::page::{At, Page};
use super::quality::{
    DOCUMENT_UNKNOWN, NAMESPACE_MISSING, NEGATED, NOT_IN_MODEL, Note, Remark, TEMPLATE_OTHER,
};
use super::tables::{Document, Plan};
use crate::translate::plan::Bin;
use crate::translate::{Bins, FIRST_UNMAPPED_MAX, Pack, Translation};
use crate::vocabulary::code::Original;
use crate::vocabulary::record::Carried;
use crate::vocabulary::{
    Coding, Dataset, ElementId, Field, Group, GroupName, Position, Record, Source, Value,
};
use crate::wire::xml;

/// The namespace of every clinical document.
pub(super) const NAMESPACE: &str = "urn:hl7-org:v3";
/// The root of document templates; the 2012 dialect has its own.
const OLD_TEMPLATES: &str = "SD.";
/// What a document of no known kind is called.
const OTHER: Dataset = Dataset::fixed("cda-document");
/// How many notes one document may make.
const NOTES_MAX: usize = 200;

/// A document on its way to a record.
pub(super) struct Reading<'p, 'd> {
    pub pack: &'p Pack,
    pub plan: &'p Plan,
    pub page: Page<'d>,
    pub document: Option<&'p Document>,
    pub family: String,
    /// The dialect of 2012.
    pub old: bool,
    /// Whether the body is kept from everybody.
    pub protected: bool,
    pub record: Record,
    pub notes: Vec<Note>,
}

/// Reads a document whose root is known to be a `ClinicalDocument`.
pub(super) fn read(pack: &Pack, source: Source, document: &xml::Document) -> Translation {
    let plan = &pack.cda;
    let page = Page::new(&document.root, &document.tree);
    let top = Group { name: pack.top, parent: None, fields: Vec::new() };
    let record = Record {
        dataset: OTHER,
        source,
        time: None,
        groups: vec![top],
        carried: Vec::new(),
        wire: None,
        mappings: pack.version().to_owned(),
    };
    let mut reading = Reading {
        pack,
        plan,
        page,
        document: None,
        family: String::new(),
        old: false,
        protected: false,
        record,
        notes: Vec::new(),
    };
    if document.namespace.as_deref() != Some(NAMESPACE) {
        reading.note(&NAMESPACE_MISSING, 0);
    }
    reading.envelope();
    reading.header();
    reading.body();
    reading.record.groups = super::arrange::arranged(std::mem::take(&mut reading.record.groups));
    reading.finish()
}

impl<'p> Reading<'p, '_> {
    /// Which document it is: its code is believed before its template.
    fn envelope(&mut self) {
        let root = 0;
        let template = self.page.child(root, "templateId");
        let template = template.and_then(|at| self.page.get(at, "@root").map(|oid| (at, oid)));
        self.old = template.is_some_and(|(_, oid)| oid.starts_with(OLD_TEMPLATES));
        let code = self.page.child(root, "code");
        let sent = code.and_then(|at| self.page.get(at, "@code"));
        let by_code = sent.and_then(|code| self.plan.document(code));
        let templates = &self.plan.documents;
        let by_template = template
            .and_then(|(_, oid)| templates.iter().find(|document| document.template == oid));
        self.document = match self.old {
            true => self.old_document(),
            false => by_code.or(by_template),
        };
        let Some(document) = self.document else {
            self.note(&DOCUMENT_UNKNOWN, code.unwrap_or(root));
            return self.kind_of(code);
        };
        self.record.dataset = document.dataset;
        self.family.clone_from(&document.family);
        self.protected |= document.protected;
        // Either may be the wrong one, so the stricter of both protects.
        self.protected |= by_template.is_some_and(|document| document.protected);
        if let Some((at, oid)) = template.filter(|_| !self.old) {
            if oid == document.template {
                self.page.mark(at, "@root", Bin::Dropped);
            } else {
                self.note(&TEMPLATE_OTHER, at);
            }
        }
        if let Some((at, _)) = template.filter(|_| self.old) {
            self.page.mark_below(at, Bin::Dropped);
        }
        self.protect();
        self.kind_of(code);
    }

    /// Some senders copy the envelope of another document: what the body speaks of protects it.
    fn protect(&mut self) {
        let protectors = &self.plan.spellings.protectors;
        let code = |(at, leaf): (At, &str)| self.page.name(at) == "code" && leaf == "@code";
        let mut leaves = self.page.all().filter(|(at, leaf, _)| code((*at, leaf.name)));
        self.protected |= leaves.any(|(_, leaf, _)| protectors.contains(leaf.text));
    }

    /// 2012: codes are of classes, so title and template name tell the document.
    fn old_document(&mut self) -> Option<&'p Document> {
        let text = |name, leaf| self.page.child(0, name).and_then(|at| self.page.get(at, leaf));
        let told = [
            text("title", "#text"),
            text("templateId", "@assigningAuthorityName"),
            text("code", "@displayName"),
        ];
        let titles = &self.plan.spellings.titles;
        let named = |told: &str| titles.iter().find(|(words, _)| told.contains(words.as_str()));
        let found = told.into_iter().flatten().filter_map(named);
        let found = found.filter_map(|(_, code)| self.plan.document(code));
        let found: Vec<_> = found.collect();
        self.protected = found.iter().any(|document| document.protected);
        found.first().copied()
    }

    /// Type and time of the document.
    fn kind_of(&mut self, code: Option<At>) {
        if let Some(at) = code
            && let Some(sent) = self.page.get(at, "@code")
        {
            let display = self.page.get(at, "@displayName").map(str::to_owned);
            // Policies know the words of an illness, not the codes of documents.
            let title = self.document.filter(|document| document.protected);
            let display = display.or_else(|| title.map(|document| document.title.clone()));
            let known = self.document.map(|document| document.code.clone());
            let code = known.unwrap_or_else(|| sent.to_owned());
            let system = self.page.get(at, "@codeSystem").map(str::to_owned);
            let original = (code != sent).then(|| Original::new(sent, system));
            let coding = Coding { code: Some(code), display, original };
            self.push(0, (DOCUMENT_TYPE, Value::Code(coding)), at);
            self.page.take(at, &["@code", "@codeSystem", "@displayName"]);
        }
        if let Some(at) = self.page.child(0, "effectiveTime")
            && let Some(time) = self.date(at)
        {
            self.record.time = Some(time.clone());
            self.push(0, (DOCUMENT_TIME, Value::Date(time)), at);
        }
    }

    /// Puts every leaf that is left into its bin.
    fn finish(mut self) -> Translation {
        let known = self.document.is_some();
        let mut bins = Bins::default();
        let mut odd: Vec<At> = Vec::new();
        for (at, leaf, bin) in self.page.all() {
            let name = self.page.name(at);
            let bin = bin.unwrap_or_else(|| match (self.dropped(name, leaf.name), known) {
                (true, _) => Bin::Dropped,
                (false, true) => Bin::Carried,
                (false, false) => Bin::Unmapped,
            });
            bins.count(bin);
            if matches!(bin, Bin::Mapped | Bin::Dropped) {
                continue;
            }
            if !self.old
                && !self.plan.names.is_empty()
                && self.foreign_name(name)
                && odd.last() != Some(&at)
            {
                odd.push(at);
            }
            let position = self.page.leaf_position(at, leaf.name);
            if bin == Bin::Unmapped && bins.first_unmapped.len() < FIRST_UNMAPPED_MAX {
                bins.first_unmapped.push(Position::Pointer(self.page.path(at)));
            }
            self.record.carried.push(Carried { at: position, text: leaf.text.to_owned() });
        }
        for at in odd {
            self.note(&NOT_IN_MODEL, at);
        }
        bins.notes = std::mem::take(&mut self.notes);
        Translation { record: self.record, merge: None, veiled: None, bins }
    }

    /// Whether the tables say that a leaf is rebuilt or meaningless.
    pub fn dropped(&self, element: &str, leaf: &str) -> bool {
        let drops = &self.plan.drops;
        drops.contains(leaf) || drops.contains(&format!("{element}/{leaf}"))
    }

    /// Whether the model has no element of that name.
    fn foreign_name(&self, name: &str) -> bool {
        !self.plan.names.contains(name)
    }

    /// Whether an entry says that something is not so; such is never read as if it were.
    pub fn negated(&mut self, at: At) -> bool {
        let negated = self.page.get(at, "@negationInd") == Some("true");
        if negated {
            self.page.mark_below(at, Bin::Carried);
            self.note(&NEGATED, at);
        }
        self.page.mark(at, "@negationInd", if negated { Bin::Carried } else { Bin::Dropped });
        negated
    }

    /// A note about an element; the first ones are kept.
    pub fn note(&mut self, remark: &'static Remark, at: At) {
        let note = Note { remark, at: self.page.position(at) };
        if self.notes.len() < NOTES_MAX && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Puts a value into a group.
    pub fn push(&mut self, group: u32, (element, value): (ElementId, Value), at: At) {
        let field = Field { element, value, at: Some(self.page.position(at)) };
        let index = usize::try_from(group).unwrap_or(0);
        if let Some(group) = self.record.groups.get_mut(index) {
            group.fields.push(field);
        }
    }

    /// Opens a group inside another.
    pub fn open(&mut self, name: GroupName, parent: u32) -> u32 {
        // The reader's limits keep elements, and so groups, far below 2³².
        let index = u32::try_from(self.record.groups.len()).unwrap_or(u32::MAX);
        self.record.groups.push(Group { name, parent: Some(parent), fields: Vec::new() });
        index
    }

    /// The fields of a group.
    pub fn fields(&self, group: u32) -> &[Field] {
        let index = usize::try_from(group).unwrap_or(0);
        self.record.groups.get(index).map_or(&[], |group| &group.fields)
    }

    /// Gives a group another name.
    pub fn rename(&mut self, group: u32, name: GroupName) {
        let index = usize::try_from(group).unwrap_or(0);
        if let Some(group) = self.record.groups.get_mut(index) {
            group.name = name;
        }
    }
}
