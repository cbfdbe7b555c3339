//! 卫生信息共享文档, the shared documents (CDA R2): WS/T 500, WS/T 483, and their 2012 dialect.
//!
//! One generic reader and one writer, both driven by the tables in `mappings/cda/`; see
//! [`tables`]. Standard: HL7 CDA R2 as WS/T 482 has it; element ids of WS/T 363.
//!
//! - A section is a group, a statement of several values a group in it ([`body`]).
//! - An entry is the data element its code names; in a protected document (severe mental
//!   illness, infectious disease) it is kept under no element, and shown to nobody.
//! - Words are carried where they are narrative, and never believed.
//! - What senders get wrong is read as far as it can be, and named ([`quality`]).

mod arrange;
mod body;
mod code;
pub(super) mod examples;
mod header;
mod names;
mod observation;
mod page;
mod participation;
mod quality;
mod read;
pub(super) mod rows;
mod sheet;
pub(super) mod tables;
mod value;
mod write;
mod write_body;
mod write_parts;
mod write_value;

pub use quality::{Note, REMARKS, Remark};

use super::{Pack, Translation};
use crate::vocabulary::{Fault, Position, Record, Source};
use crate::wire::xml;

/// The root of every clinical document.
pub(super) const ROOT: &str = "ClinicalDocument";

/// Why bytes are no clinical document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} at {at}", .fault.row().en)]
pub struct NoDocument {
    /// What the peer is told.
    pub fault: Fault,
    /// Where.
    pub at: Position,
}

impl Pack {
    /// Reads a clinical document; one document is one record.
    ///
    /// # Errors
    /// [`NoDocument`] if the bytes are no well-formed XML, or the root is another.
    pub fn read_cda(
        &self,
        source: Source,
        bytes: &[u8],
        limits: &xml::Limits,
    ) -> Result<Translation, NoDocument> {
        let document = xml::read(bytes, limits)
            .map_err(|error| NoDocument { fault: error.fault(), at: error.position().clone() })?;
        if document.root != ROOT {
            let at = Position::Pointer("/".to_owned());
            return Err(NoDocument { fault: Fault::UnsupportedMessage, at });
        }
        Ok(read::read(self, source, &document))
    }

    /// Writes a record as a clinical document: that of its dataset, else a summary of the
    /// record. What has no place in the document is not written.
    #[must_use]
    pub fn write_cda(&self, record: &Record) -> Vec<u8> {
        write::write(self, record)
    }
}
