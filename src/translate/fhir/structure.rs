//! FHIR R4's own structure, `fhir/r4.csv`: which members a type has, of which type, how many.
//!
//! Columns `type,member,of,card,choice,targets`, taken from the definitions of FHIR 4.0.1
//! (CC0). What a path may name, where JSON needs a list, and in which form a value stands
//! follow from it, so that a mapping file need not say so.

use std::collections::HashMap;

use serde::Deserialize;

use super::super::suggest::nearest;
use crate::vocabulary::{Diagnostic, Files};

/// Where the table lies in a pack.
pub(super) const FILE: &str = "fhir/r4.csv";

/// One member of a type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Member {
    /// The type of each of its values.
    pub of: String,
    pub many: bool,
    /// Whether every value of the type has it.
    pub required: bool,
    /// `deceased` of `deceasedBoolean` and `deceasedDateTime`, of which one may stand.
    pub choice: Option<String>,
    /// What a reference may point to; empty is anything.
    pub targets: Vec<String>,
}

/// The members of every type a mapping file may name.
#[derive(Debug, Default)]
pub(super) struct Structure {
    types: HashMap<String, HashMap<String, Member>>,
    required: HashMap<String, Vec<(String, Member)>>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "type")]
    owner: String,
    member: String,
    of: String,
    card: String,
    choice: String,
    targets: String,
}

impl Structure {
    /// Reads the table; a pack without it has no FHIR.
    ///
    /// # Errors
    /// A row that cannot be read.
    pub fn load(files: &Files) -> Result<Self, Diagnostic> {
        let mut found = Self::default();
        let mut reader = csv::Reader::from_reader(files.bytes(FILE).unwrap_or_default());
        for row in reader.deserialize::<Row>() {
            let row = row.map_err(|error| Diagnostic::at(FILE, "", 0, error.to_string()))?;
            let member = Member {
                of: row.of,
                many: row.card.ends_with('*'),
                required: row.card.starts_with('1'),
                choice: Some(row.choice).filter(|choice| !choice.is_empty()),
                targets: row.targets.split(' ').map(str::to_owned).collect(),
            };
            found.types.entry(row.owner).or_default().insert(row.member, member);
        }
        for (owner, members) in &found.types {
            let required = members.iter().filter(|(_, member)| member.required);
            let mut required: Vec<_> =
                required.map(|(name, member)| (name.clone(), member.clone())).collect();
            required.sort_by(|(one, _), (other, _)| one.cmp(other));
            found.required.insert(owner.clone(), required);
        }
        Ok(found)
    }

    /// Whether the table has a type.
    pub fn has(&self, owner: &str) -> bool {
        self.types.contains_key(owner)
    }

    /// A member of a type. Every type has `id` and `extension`; a primitive has them beside
    /// it, under its name after `_` (FHIR R4 section 2.6.2.3).
    pub fn member(&self, owner: &str, name: &str) -> Option<Member> {
        if let Some(found) = self.types.get(owner).and_then(|members| members.get(name)) {
            return Some(found.clone());
        }
        let of = |of: &str, many| Some(Member { of: of.to_owned(), many, ..Member::default() });
        match name {
            "id" => of("id", false),
            "extension" | "modifierExtension" => of("Extension", true),
            "contained" => of("Resource", true),
            _ => {
                let beside = self.member(owner, name.strip_prefix('_')?)?;
                beside
                    .of
                    .starts_with(|sign: char| sign.is_ascii_lowercase())
                    .then(|| Member { of: "Element".to_owned(), ..beside })
            }
        }
    }

    /// The members every value of a type has, in the order of their names.
    pub fn required(&self, owner: &str) -> &[(String, Member)] {
        self.required.get(owner).map(Vec::as_slice).unwrap_or_default()
    }

    /// The member whose name is nearest to one that does not exist.
    pub fn near(&self, owner: &str, name: &str) -> Option<&str> {
        let members = self.types.get(owner)?;
        nearest(name, members.keys().map(String::as_str))
    }

    /// The type whose name is nearest to one that does not exist.
    pub fn near_type(&self, name: &str) -> Option<&str> {
        nearest(name, self.types.keys().map(String::as_str))
    }
}
