//! FHIR R4: bundles and resources to records and back, by the files of `fhir/`.
//!
//! One file a resource: the group of the record it is made of, its constants, its
//! references and its rows. What a path may name and in which form a value stands follow
//! from FHIR's own structure (`fhir/r4.csv`); names of code systems and their URIs from
//! `fhir/systems.csv`. Persons, organizations and places become resources of their own,
//! each once. Ids are UUIDs of content, so equal records make equal bundles.
//!
//! Reading is the inverse by the same rows: one bundle about one patient is one record;
//! every leaf ends in one of the four bins.

mod bundle;
mod compile;
mod file;
mod form;
mod gather;
mod kin;
mod leaves;
mod link;
mod path;
mod place;
mod plan;
mod read;
mod rows;
mod sound;
mod structure;
mod systems;

pub(super) use file::ResourceFile;
pub(super) use plan::FhirPlan;

use super::{Pack, TranslateError, Translation};
use crate::vocabulary::{Record, Source};
use crate::wire::Tree;

impl Pack {
    /// Reads a bundle about one patient, or a single resource, as one record.
    ///
    /// # Errors
    /// [`TranslateError`] with fault and JSON pointer if it is no resource, holds several
    /// patients, lacks what a row requires, or a strict row cannot be read.
    pub fn read_fhir(&self, source: Source, tree: &Tree) -> Result<Translation, TranslateError> {
        read::read(self, source, tree, None)
    }

    /// The resource types there are files of, each once.
    #[must_use]
    pub fn fhir_types(&self) -> Vec<&str> {
        let files = self.fhir.files.iter();
        let mut types: Vec<_> = files.map(|file| file.resource.as_str()).collect();
        types.sort_unstable();
        types.dedup();
        types
    }

    /// Writes a record as a Bundle of the resources the files make of it.
    #[must_use]
    pub fn write_fhir(&self, record: &Record) -> Tree {
        bundle::write(self, record, None)
    }
}

/// Reads and marks the rows that took a value.
pub(super) fn read_marking(
    pack: &Pack,
    (source, tree): (Source, &Tree),
    fired: &mut Vec<bool>,
) -> Result<Translation, TranslateError> {
    read::read(pack, source, tree, Some(fired))
}

/// Writes and marks the rows that only write.
pub(super) fn write_marking(pack: &Pack, record: &Record, fired: &mut Vec<bool>) -> Tree {
    bundle::write(pack, record, Some(fired))
}

/// Each value that was read must be read again from what is written of it.
pub(super) fn written_back(
    pack: &Pack,
    (_, found): (&Tree, &Translation),
    fired: &mut Vec<bool>,
) -> Result<(), String> {
    let written = write_marking(pack, &found.record, fired);
    let again = read::read(pack, found.record.source, &written, None)
        .map_err(|error| format!("what is written cannot be read: {error}"))?;
    if again.bins.unmapped > 0 {
        let first = again.bins.first_unmapped.first().map(ToString::to_string);
        return Err(format!("{} is written and no row reads it", first.unwrap_or_default()));
    }
    let mut left: Vec<_> = again.record.fields().collect();
    for field in found.record.fields() {
        let same = left.iter().position(|other| other.element == field.element);
        match same {
            Some(index) => {
                left.swap_remove(index);
            }
            None => {
                let at = field.at.as_ref().map(ToString::to_string).unwrap_or_default();
                return Err(format!("{at} is not written back"));
            }
        }
    }
    Ok(())
}
