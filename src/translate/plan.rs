//! The compiled plan: what the mapping files say, with every name resolved.
//!
//! Nothing here is looked up by path, id or table name at run time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::Claim;
use super::file::{NameForm, Way};
use super::leaf::Leaves;
use super::path::Hl7Path;
use crate::vocabulary::{Dataset, Diagnostic, ElementId, GroupName, IdentifierKind, Value};

/// A row's number in the pack: overlays and examples speak of rows by it.
pub(super) type RowId = usize;

/// What a row makes of the text it finds.
#[derive(Debug, Clone)]
pub(super) struct Meaning {
    pub id: RowId,
    pub element: ElementId,
    pub read: Read,
    pub way: Way,
    pub required: bool,
    /// Whether a value of the wrong type refuses the message.
    pub strict: bool,
}

/// How a value is read.
#[derive(Debug, Clone)]
pub(super) enum Read {
    Address,
    Boolean,
    Bytes,
    Code(Codes),
    Date,
    Identifier(Option<IdentifierKind>),
    Name(NameForm),
    Observation(Box<Observation>),
    Organization,
    Person,
    Place,
    Quantity,
    Telecom,
    Text,
}

/// The elements of an observation by the type OBX-2 names.
#[derive(Debug, Clone)]
pub(super) struct Observation {
    pub quantity: Option<ElementId>,
    pub code: Option<(ElementId, Codes)>,
    pub text: Option<ElementId>,
    pub date: Option<ElementId>,
    pub bytes: Option<ElementId>,
}

impl Observation {
    /// Element and way of reading for a value that is there already.
    pub fn holding(&self, value: &Value) -> Option<(ElementId, Read)> {
        match value {
            Value::Bytes(_) => self.bytes.map(|id| (id, Read::Bytes)),
            Value::Code(_) => {
                self.code.as_ref().map(|(id, codes)| (*id, Read::Code(codes.clone())))
            }
            Value::Date(_) => self.date.map(|id| (id, Read::Date)),
            Value::Quantity(_) => self.quantity.map(|id| (id, Read::Quantity)),
            Value::Text(_) => self.text.map(|id| (id, Read::Text)),
            _ => None,
        }
    }

    /// Element and way of reading by the name of an HL7 v3 data type.
    pub fn typed(&self, name: &str) -> Option<(ElementId, Read)> {
        match name {
            "CD" | "CE" | "CO" | "CS" | "CV" => {
                self.code.as_ref().map(|(id, codes)| (*id, Read::Code(codes.clone())))
            }
            "DATE" | "TS" => self.date.map(|id| (id, Read::Date)),
            "INT" | "PQ" | "REAL" => self.quantity.map(|id| (id, Read::Quantity)),
            "ED" | "SC" | "ST" => self.text.map(|id| (id, Read::Text)),
            _ => None,
        }
    }
}

/// From codes on the wire to codes of the element's value domain, and back.
#[derive(Debug, Clone)]
pub(super) struct Codes {
    pub tables: Arc<Tables>,
    /// Whether an unknown code refuses the message.
    pub refuse: bool,
}

/// The tables of a coded row, shared by all rows that name them.
#[derive(Debug)]
pub(super) enum Tables {
    /// Any code is taken as it is.
    Any,
    /// The wire uses the element's own table.
    Same(HashSet<String>),
    /// The wire has a table of its own.
    Walk { wire: String, into: HashMap<String, String>, back: HashMap<String, String> },
}

impl Tables {
    /// The element's code for a code on the wire.
    pub fn read<'a>(&'a self, code: &'a str) -> Option<&'a str> {
        match self {
            Self::Any => Some(code),
            Self::Same(codes) => codes.get(code).map(String::as_str),
            Self::Walk { into, .. } => into.get(code).map(String::as_str),
        }
    }

    /// The element's code for a code of another system than the wire's table is.
    pub fn foreign<'a>(&'a self, code: &'a str) -> Option<&'a str> {
        match self {
            Self::Any => Some(code),
            Self::Same(_) | Self::Walk { .. } => None,
        }
    }

    /// The wire's code for a code of the element.
    pub fn write<'a>(&'a self, code: &'a str) -> Option<&'a str> {
        match self {
            Self::Any => Some(code),
            Self::Same(codes) => codes.get(code).map(String::as_str),
            Self::Walk { back, .. } => back.get(code).map(String::as_str),
        }
    }

    /// The wire's own table, where it is another than the element's.
    pub fn wire(&self) -> Option<&str> {
        match self {
            Self::Walk { wire, .. } => Some(wire),
            Self::Any | Self::Same(_) => None,
        }
    }
}

/// What one sender writes in a place, and the wire table's code for it.
pub(super) type Spellings = BTreeMap<String, String>;

/// What another leaf must say for a row to hold.
#[derive(Debug, Clone)]
pub(super) struct When {
    pub path: Hl7Path,
    pub is: Vec<String>,
    pub begins: Vec<String>,
}

impl When {
    /// Whether it holds of a text; an absent leaf says nothing: `""`.
    pub fn holds(&self, text: &str) -> bool {
        self.is.iter().any(|wanted| wanted == text)
            || self.begins.iter().any(|head| text.starts_with(head.as_str()))
    }

    /// Lets it hold of what one sender writes in a place for the codes it names.
    fn respell(&mut self, path: &Hl7Path, spelled: &Spellings) {
        let leaf = |path: &Hl7Path| (path.field, path.component.max(1), path.subcomponent.max(1));
        if leaf(&self.path) == leaf(path) {
            let own = spelled.iter().filter(|(text, code)| !self.holds(text) && self.holds(code));
            let own: Vec<_> = own.map(|(text, _)| text.clone()).collect();
            self.is.extend(own);
        }
    }
}

/// Where a row's leaves stand in an HL7 v2 segment, and when it applies.
#[derive(Debug, Clone)]
pub(super) struct SegmentRow {
    pub path: Hl7Path,
    pub when: Option<When>,
    pub unit: Option<Hl7Path>,
    /// Reads leaves that a row before it has taken.
    pub also: bool,
    /// The composite its place holds.
    pub form: NameForm,
    pub meaning: Meaning,
}

impl SegmentRow {
    /// Whether it reads identifiers.
    pub const fn is_identifier(&self) -> bool {
        matches!(self.meaning.read, Read::Identifier(_))
    }

    /// What tells identifier rows of one field apart.
    pub const fn kind(&self) -> Option<IdentifierKind> {
        match self.meaning.read {
            Read::Identifier(kind) => kind,
            _ => None,
        }
    }
}

/// Which bin takes a leaf no row took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bin {
    Carried,
    Dropped,
    Mapped,
    Unmapped,
}

/// All rows of one field, in the order of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct FieldPlan {
    pub number: u16,
    pub rows: Vec<SegmentRow>,
    /// Whether any row reads identifiers.
    pub identifies: bool,
    /// The rows without a condition.
    always: Rows,
    /// The others, by the leaf they ask.
    asked: Vec<Asked>,
}

/// Rows of one field, one bit each.
pub(super) type Rows = u64;

/// The rows of a field that ask the same leaf.
#[derive(Debug, Clone)]
struct Asked {
    path: Hl7Path,
    /// Which rows wait for a text, ascending by it.
    is: Vec<(String, Rows)>,
    begins: Vec<(String, Rows)>,
}

impl FieldPlan {
    /// A field without rows.
    pub fn empty(number: u16) -> Self {
        Self { number, ..Self::default() }
    }

    /// Puts a row before the one that stands at an index.
    pub fn insert(&mut self, index: usize, row: SegmentRow) {
        self.rows.insert(index, row);
        self.identifies = self.rows.iter().any(SegmentRow::is_identifier);
        self.sort();
    }

    /// As [`When::respell`], of its rows.
    fn respell(&mut self, path: &Hl7Path, spelled: &Spellings) {
        let asked = self.rows.iter_mut().filter_map(|row| row.when.as_mut());
        asked.for_each(|when| when.respell(path, spelled));
        self.sort();
    }

    /// Sorts the rows by what their conditions ask.
    fn sort(&mut self) {
        self.always = 0;
        self.asked.clear();
        for (index, row) in self.rows.iter().enumerate() {
            match &row.when {
                None => self.always |= Self::bit(index),
                Some(when) => Asked::add(&mut self.asked, when, Self::bit(index)),
            }
        }
    }

    /// The rows whose condition holds. One on the field itself means the given part of it.
    pub fn holding(&self, leaves: &Leaves<'_>, part: &Range<usize>) -> Rows {
        let holding = |rows, asked: &Asked| {
            let at = match asked.path.field == self.number {
                true => leaves.at(part, &asked.path),
                false => leaves.at(&leaves.field(asked.path.field), &asked.path),
            };
            rows | asked.by(at.map_or("", |at| leaves.text(at)))
        };
        self.asked.iter().fold(self.always, holding)
    }

    /// The bit of a row.
    pub fn bit(index: usize) -> Rows {
        u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(0)
    }
}

impl Asked {
    /// Adds a row to those that ask the same leaf.
    fn add(all: &mut Vec<Self>, when: &When, row: Rows) {
        let same = all.iter().position(|asked| asked.path == when.path);
        let at = same.unwrap_or(all.len());
        if same.is_none() {
            all.push(Self { path: when.path, is: Vec::new(), begins: Vec::new() });
        }
        let Some(asked) = all.get_mut(at) else { return };
        for (texts, known) in [(&when.is, &mut asked.is), (&when.begins, &mut asked.begins)] {
            texts.iter().for_each(|text| wait(known, text, row));
        }
    }

    /// The rows that hold of a text; an absent leaf says nothing: `""`.
    fn by(&self, text: &str) -> Rows {
        let found = self.is.binary_search_by(|(known, _)| known.as_str().cmp(text)).ok();
        let rows = found.and_then(|at| self.is.get(at)).map_or(0, |(_, rows)| *rows);
        let begun = self.begins.iter().filter(|(head, _)| text.starts_with(head.as_str()));
        begun.fold(rows, |rows, (_, more)| rows | more)
    }
}

/// Adds a row to those that wait for a text.
fn wait(known: &mut Vec<(String, Rows)>, text: &str, row: Rows) {
    match known.binary_search_by(|(known, _)| known.as_str().cmp(text)) {
        Ok(at) => {
            if let Some((_, rows)) = known.get_mut(at) {
                *rows |= row;
            }
        }
        Err(at) => known.insert(at, (text.to_owned(), row)),
    }
}

/// What a segment says where its statement is withdrawn, or was never true.
#[derive(Debug, Clone)]
pub(super) struct Withdrawal {
    pub id: RowId,
    pub when: When,
}

/// One segment table.
#[derive(Debug, Clone)]
pub(super) struct SegmentPlan {
    pub id: [u8; 3],
    /// `None`: its rows go to the record's top group.
    pub group: Option<GroupName>,
    /// The nearest preceding segment of one of these ids holds its groups.
    pub parents: Vec<[u8; 3]>,
    /// Segments whose groups end where this one stands.
    pub closes: Vec<[u8; 3]>,
    /// Where one of these holds, nothing of the segment is read: it is carried whole.
    pub withdrawn: Vec<Withdrawal>,
    /// By field number, ascending.
    pub fields: Vec<FieldPlan>,
    /// Numbers of the fields with a required row.
    pub required: Vec<u16>,
    /// `carries` and `drops`, by field number, ascending.
    pub rest: Vec<(Hl7Path, Bin)>,
    /// What is written where no row wrote.
    pub defaults: Vec<(Hl7Path, String)>,
}

impl SegmentPlan {
    /// A table without rows, whose values would go to the top group.
    pub fn empty(id: [u8; 3]) -> Self {
        let (parents, closes, fields) = (Vec::new(), Vec::new(), Vec::new());
        let (required, rest, defaults) = (Vec::new(), Vec::new(), Vec::new());
        let withdrawn = Vec::new();
        Self { id, group: None, parents, closes, withdrawn, fields, required, rest, defaults }
    }

    /// As [`When::respell`], of all its conditions.
    pub fn respell(&mut self, path: &Hl7Path, spelled: &Spellings) {
        self.withdrawn.iter_mut().for_each(|own| own.when.respell(path, spelled));
        self.fields.iter_mut().for_each(|field| field.respell(path, spelled));
    }

    /// The bin of a leaf that no row took.
    pub fn rest(&self, at: &crate::vocabulary::position::Hl7Position) -> Bin {
        let start = self.rest.partition_point(|(path, _)| path.field < at.field);
        self.rest
            .iter()
            .skip(start)
            .take_while(|(path, _)| path.field == at.field)
            .find(|(path, _)| path.covers(at))
            .map_or(Bin::Unmapped, |(_, bin)| *bin)
    }
}

/// One segment an event lists.
#[derive(Debug)]
pub(super) struct EventSegment {
    /// Beside the plan's own, so that finding a segment reads one small list.
    pub id: [u8; 3],
    pub plan: Arc<SegmentPlan>,
    pub required: bool,
    pub repeats: bool,
    /// Of the plan's parents those this event lists before the segment.
    pub parents: Vec<[u8; 3]>,
}

/// One event file.
#[derive(Debug)]
pub(super) struct EventPlan {
    pub dataset: Dataset,
    pub segments: Vec<EventSegment>,
    /// Where the record's time stands, best first.
    pub time: Vec<Hl7Path>,
    /// Where the identifiers of the other one stand, and what is said of the two.
    pub merge: Option<(Hl7Path, Claim)>,
    /// The segment whose second occurrence begins somebody else.
    pub aside: Option<[u8; 3]>,
}

/// Message type and trigger event.
pub(super) type EventKey = ([u8; 3], [u8; 3]);

/// Every HL7 v2 table and event.
#[derive(Debug, Default)]
pub(super) struct Hl7Plan {
    pub segments: HashMap<[u8; 3], Arc<SegmentPlan>>,
    /// By message type and trigger event.
    pub events: HashMap<EventKey, Arc<EventPlan>>,
    /// The first event of each file, in the order of the files: what is written.
    pub written: Vec<(EventKey, Arc<EventPlan>)>,
    /// Identifier kinds by the type codes of HL7 table 0203.
    pub kinds: HashMap<String, IdentifierKind>,
}

/// Where a row stands, for the diagnostic that no example exercises it.
pub(super) type Places = Vec<Diagnostic>;
