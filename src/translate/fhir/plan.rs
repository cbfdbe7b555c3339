//! The compiled plan of `fhir/`: every path, element and reference resolved.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::plan::{Bin, Meaning, Tables};
use super::form::Shape;
use super::path::{Constant, Path};
use super::structure::Structure;
use super::systems::Systems;
use crate::vocabulary::{Dataset, Diagnostic, ElementId, GroupName};

/// Everything `fhir/` says.
#[derive(Debug, Default)]
pub(in crate::translate) struct FhirPlan {
    pub(super) structure: Structure,
    pub(super) systems: Systems,
    /// UCUM codes by the spellings of units, `fhir/units.csv`.
    pub(super) units: HashMap<String, String>,
    /// The groups that are resources of their own, other than of persons and places.
    pub(super) groups: Vec<GroupName>,
    pub(super) bundle: Bundle,
    pub(super) files: Vec<ResourcePlan>,
}

/// What `bundle.toml` says of the bundle as a whole.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    pub dataset: Option<Dataset>,
    /// `+08:00`, for times that name no offset.
    pub offset: String,
    /// Drops of every resource; paths begin in it.
    pub everywhere: Vec<Path>,
    /// The bundle's own rows.
    pub own: Option<Box<ResourcePlan>>,
}

/// One resource file.
#[derive(Debug)]
pub(super) struct ResourcePlan {
    /// Name of the file, without folder and extension.
    pub name: String,
    pub resource: String,
    pub group: GroupName,
    /// Whether its group is the record's top group.
    pub top: bool,
    pub parent: Option<GroupName>,
    pub datasets: Vec<Dataset>,
    pub needs: Vec<ElementId>,
    /// Not empty: one resource for each value of these, not for the group.
    pub each: Vec<EachElement>,
    /// The lists whose items are groups, outer before inner.
    pub lists: Vec<ListPlan>,
    pub fixed: Vec<Sometimes>,
    pub defaults: Vec<Sometimes>,
    pub refs: Vec<Ref>,
    pub rows: Vec<FhirRow>,
    /// Indices of the rows, deeper paths first: the order of reading.
    pub reading: Vec<usize>,
    pub rest: Vec<(Path, Bin)>,
}

/// One element of which each value is a resource.
#[derive(Debug)]
pub(super) struct EachElement {
    pub row: FhirRow,
    /// Code and system that name the element, and what they say.
    pub code: Vec<Constant>,
}

/// A list whose items are groups.
#[derive(Debug)]
pub(super) struct ListPlan {
    pub path: Path,
    pub group: GroupName,
    /// The list it stands in.
    pub outer: Option<usize>,
}

/// A constant with its conditions.
#[derive(Debug)]
pub(super) struct Sometimes {
    pub constant: Constant,
    /// The list whose items have it; `None` is the resource itself.
    pub list: Option<usize>,
    pub only: Only,
    pub datasets: Vec<Dataset>,
}

/// What a group must have, or lack.
#[derive(Debug, Default)]
pub(super) struct Only {
    pub has: Option<ElementId>,
    /// What it must have as value, code or yes and no; empty is any.
    pub one_of: Vec<String>,
    pub lacks: Option<ElementId>,
}

/// A reference to other resources of the bundle.
#[derive(Debug)]
pub(super) struct Ref {
    pub path: Path,
    pub list: Option<usize>,
    /// Whether all resources below are meant.
    pub every: bool,
    /// What the group of a resource it points to must have.
    pub only: Only,
    /// Whether it points to the own group and what is inside it alone.
    pub inside: bool,
    /// Whether it points to the own group and what is around it alone.
    pub around: bool,
    pub typed: bool,
    /// Indices of the files whose resources it points to.
    pub to: Vec<usize>,
    /// The type or file as written, and where, until all files are known.
    pub named: String,
    pub place: Diagnostic,
}

/// One row.
#[derive(Debug)]
pub(super) struct FhirRow {
    pub path: Path,
    /// The FHIR type there, and the form it has.
    pub of: String,
    pub shape: Shape,
    pub meaning: Meaning,
    pub list: Option<usize>,
    /// Whether its values repeat.
    pub repeats: bool,
    pub from: Option<GroupName>,
    pub when: Option<(Path, Vec<String>)>,
    /// The element's own code table.
    pub domain: Option<String>,
    pub system: Option<String>,
    pub unit: Option<String>,
    /// The types a reference here may point to.
    pub targets: Vec<String>,
    /// A person here is referred to in this role (HL7 table 0443).
    pub role: Option<String>,
    /// Written only where there are several values; the members their items get.
    pub several: Vec<String>,
    pub only: Only,
    /// Only of groups right inside the file's own.
    pub inside: bool,
    /// What stands between joined values, and the elements joined behind the first.
    pub join: Option<(String, Vec<ElementId>)>,
    /// The component of a composite that is written alone.
    pub part: Option<usize>,
    /// The sender's tables, and the crosswalks from them.
    pub original: Vec<(String, Arc<Tables>)>,
    /// What stands beside the value in its item.
    pub besides: Vec<Sometimes>,
    /// Whether the text of a code repeats what it says.
    pub worded: bool,
    /// Whether an organization's name is its number (HD).
    pub designator: bool,
}
