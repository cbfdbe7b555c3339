//! 翻译, from messages to records and back, driven by the files in `mappings/`.
//!
//! A [`Pack`] is compiled once from files read beforehand: every element, path, table
//! and type is checked then, and nothing is looked up by its name afterwards. Reading
//! a message visits each of its leaves once; each ends in exactly one of four bins.
//!
//! Knows no socket, file, clock or department. What a mapping file may say:
//!
//! - `hl7v2/<segment>.toml`: one table a segment. Scalars (`text`, `date`, `quantity`,
//!   `boolean`, `bytes`) take the first leaf of their path; `name`, `address`, `telecom`,
//!   `person`, `organization`, `place` take the whole field and keep its components;
//!   `identifier` and `code` keep all components where there are more than CX-1, CX-4, CX-5
//!   and code, display, system.
//! - Of several rows on the same leaves the first whose `when` holds takes them.
//! - The explicit null `""` is no value: it is carried.
//! - A date, number or boolean that cannot be read refuses the message only where its
//!   row is `required` or `strict`; else the text is carried, so that nothing is lost.
//! - A coded row stays two-way even where its crosswalk joins several codes of the wire,
//!   since the sender's own coding is kept beside the translated one.
//! - `hl7v2/<type>_<event>.toml`: the segments of an event. Their order is not enforced;
//!   a second occurrence of a segment without `{ }` is refused, since two patients in
//!   one message must never become one person.
//! - `hl7v2/identifiers.toml`, `senders/`, `derived/` and the JSON dialects (`civil/`,
//!   `platform/`) are described in the modules that read them.

pub mod atlas;
mod cda;
pub mod civil;
mod compile;
pub mod derive;
mod document;
mod error;
pub mod examples;
mod fhir;
mod file;
mod follow;
pub mod form;
mod leaf;
mod load;
mod overlay;
mod path;
mod plain;
mod plan;
mod read_hl7;
mod reading;
mod segment;
mod suggest;
mod tokens;
pub mod v3;
mod value;
mod write_hl7;

use std::collections::HashMap;

pub use cda::{NoDocument, Note, REMARKS, Remark};
pub use error::TranslateError;
pub use follow::{Everything, Speaks};
pub use form::{Form, Unread};
pub use overlay::Overlay;
pub use plain::record_to_json;
pub use value::{address_line, telecom_line, xpn_line};
pub use write_hl7::Envelope;

use serde::Deserialize;

use crate::identity::linkage::Veiled;
use crate::vocabulary::{
    Catalogue, CodeTables, Diagnostic, ElementId, Files, GroupName, Identifier, Position, Record,
    Source,
};
use crate::wire::Charset;
use crate::wire::Tree;
use crate::wire::card::Layout;
use crate::wire::hl7v2::Message;

/// How many positions of unmapped leaves one message reports.
pub const FIRST_UNMAPPED_MAX: usize = 16;

/// A compiled mapping pack: the catalogue and everything that speaks of it.
#[derive(Debug)]
pub struct Pack {
    catalogue: Catalogue,
    tables: CodeTables,
    version: String,
    top: GroupName,
    hl7: plan::Hl7Plan,
    documents: Vec<document::DocumentPlan>,
    fhir: fhir::FhirPlan,
    derived: derive::Facts,
    cda: cda::tables::Plan,
    overlays: HashMap<Source, Overlay>,
    no_habits: Overlay,
    cities: HashMap<Source, civil::city::City>,
    card: Layout,
    places: plan::Places,
    examples: Vec<examples::Example>,
}

/// A message as a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// What was said.
    pub record: Record,
    /// What the message says of somebody else and the record's person.
    pub merge: Option<Merge>,
    /// What can be compared of the person, where the source veiled it itself.
    pub veiled: Option<Box<Veiled>>,
    /// Where the leaves ended.
    pub bins: Bins,
}

/// What a message says of other identifiers and the person of the record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merge {
    /// The identifiers, with their places.
    pub from: Vec<(Identifier, Position)>,
    /// What is said of them.
    pub claim: Claim,
}

/// What can be said of two sets of identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// They are one person, of whom both go on (A24).
    Linked,
    /// They are one person, and the other number is used no more (A40).
    #[default]
    Merged,
    /// The number is this person's from now on (A43, A47).
    Moved,
    /// They are two people (A37).
    Unlinked,
}

/// How many leaves ended in each of the four bins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bins {
    /// Under an element.
    pub mapped: u32,
    /// Kept with the record without a name, as a table declares.
    pub carried: u32,
    /// Left out, as a table declares with its reason.
    pub dropped: u32,
    /// Named by no table; kept with the record like the carried ones.
    pub unmapped: u32,
    /// Places of the first unmapped leaves, at most [`FIRST_UNMAPPED_MAX`]. In a JSON
    /// document a name no table knows is written `?`: a sender's own name can be a value.
    pub first_unmapped: Vec<Position>,
    /// What is wrong with a document that could be read all the same.
    pub notes: Vec<Note>,
}

impl Bins {
    /// The number of leaves.
    #[must_use]
    pub const fn leaves(&self) -> u32 {
        self.mapped + self.carried + self.dropped + self.unmapped
    }

    const fn count(&mut self, bin: plan::Bin) {
        let bin = match bin {
            plan::Bin::Carried => &mut self.carried,
            plan::Bin::Dropped => &mut self.dropped,
            plan::Bin::Mapped => &mut self.mapped,
            plan::Bin::Unmapped => &mut self.unmapped,
        };
        *bin += 1;
    }
}

impl Pack {
    /// Compiles the files of `mappings/`, paths relative to it.
    ///
    /// # Errors
    /// Every fault found, with file, line and column.
    pub fn load(files: &Files) -> Result<Self, Vec<Diagnostic>> {
        load::load(files)
    }

    /// The data elements.
    #[must_use]
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The code tables.
    #[must_use]
    pub const fn tables(&self) -> &CodeTables {
        &self.tables
    }

    /// 版本, the content hash of the files.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What a sender does its own way; of an unknown sender, nothing.
    #[must_use]
    pub fn overlay(&self, sender: Source) -> &Overlay {
        self.overlays.get(&sender).unwrap_or(&self.no_habits)
    }

    /// Reads an HL7 v2 message of a sender.
    ///
    /// # Errors
    /// [`TranslateError`] with fault and position if no event file fits, a required part
    /// is missing, or a strict row cannot be read.
    pub fn read_hl7(
        &self,
        sender: Source,
        message: &Message,
    ) -> Result<Translation, TranslateError> {
        read_hl7::read(self, (sender, self.overlay(sender)), message, None)
    }

    /// Writes a record as HL7 v2: as it came, byte by byte, if it came so; else as a new message
    /// of the event its dataset belongs to. `None` where no event file has room for it.
    #[must_use]
    pub fn write_hl7(&self, record: &Record, envelope: &Envelope) -> Option<Vec<u8>> {
        let back = self.write_back(record);
        back.or_else(|| write_hl7::write_fresh(self, record, envelope))
    }

    /// Writes the message a record came as, byte by byte; `None` if it came in another form.
    #[must_use]
    pub fn write_back(&self, record: &Record) -> Option<Vec<u8>> {
        write_hl7::write_back(record)
    }

    /// Reads a JSON document: one object, or several as `{"records": […]}`.
    ///
    /// # Errors
    /// [`TranslateError`] with fault and pointer if there is no such dialect or dataset,
    /// a required part is missing, or a strict row cannot be read.
    pub fn read_json(
        &self,
        dialect: &str,
        source: Source,
        value: &serde_json::Value,
    ) -> Result<Vec<Translation>, TranslateError> {
        if dialect == civil::DIALECT {
            let city = self.cities.get(&source);
            return civil::read_named(self, (city, source), value, None);
        }
        document::read_json(self, (dialect, source), &Tree::from_json(value), None)
    }

    /// Writes what a dialect has places for; the file of the record's dataset decides,
    /// else the dialect's first. An unknown dialect has no places: an empty object.
    #[must_use]
    pub fn write_json(&self, dialect: &str, record: &Record) -> serde_json::Value {
        document::write_json(self, dialect, record).to_json()
    }

    /// The character set of a sender's tables, where they do not say.
    #[must_use]
    pub fn charset_of(&self, sender: Source) -> Option<Charset> {
        self.cities.get(&sender).and_then(|city| city.charset)
    }

    /// The facts that follow from a person's records at a moment (seconds since 1970), by what of
    /// them may speak.
    #[must_use]
    pub fn derive(&self, given: (&[&Record], i64), speaks: &dyn Speaks) -> Option<Record> {
        self.derived.derive(self, given, speaks)
    }

    /// Whether a record bears on a fact at all, by what of it may speak.
    #[must_use]
    pub fn bears_on(&self, fact: ElementId, record: &Record, speaks: &dyn Speaks) -> bool {
        self.derived.bears_on(fact, record, speaks)
    }

    /// How many examples its files bring.
    #[must_use]
    pub const fn examples(&self) -> usize {
        self.examples.len()
    }

    /// Runs every example of the pack, and names each row that none exercises.
    #[must_use]
    pub fn check_examples(&self, files: &Files) -> Vec<Diagnostic> {
        examples::check(self, files)
    }
}

#[cfg(test)]
mod tests;
