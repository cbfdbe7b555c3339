//! Exports of ledger entries. A new one is a new file and one line in [`EXPORTS`].

mod audit_event;
mod codes;
mod csv_table;
pub mod dicom;
mod json_lines;

use std::io::{self, Write};

pub use audit_event::audit_event;

use super::search::Found;

/// One form in which entries leave the ledger.
pub trait Export: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;
    /// Writes all entries; how many there were.
    ///
    /// # Errors
    /// What the writer says.
    fn write(
        &self,
        entries: &mut dyn Iterator<Item = Found>,
        out: &mut dyn Write,
    ) -> io::Result<u64>;
}

/// Every export, in the order of the documentation.
pub static EXPORTS: &[&dyn Export] = &[
    &csv_table::CsvTable,
    &dicom::DicomMessages,
    &audit_event::AuditEvents,
    &json_lines::JsonLines,
];

/// The export of that name.
#[must_use]
pub fn export(name: &str) -> Option<&'static dyn Export> {
    EXPORTS.iter().copied().find(|export| export.name() == name)
}
