//! From the files of `fhir/` to their plan; every fault with its line and column.

use std::collections::HashMap;
use std::ops::Range;

use toml::Spanned;

use super::super::compile::{Compiler, Text};
use super::super::file::Reason;
use super::super::plan::Bin;
use super::file::{ConstantText, RefText, ResourceFile};
use super::path::{Constant, Path, PathFault};
use super::plan::{Bundle, FhirPlan, ListPlan, Only, Ref, ResourcePlan, Sometimes};
use super::structure::{self, Member, Structure};
use super::systems::Systems;
use crate::vocabulary::{Dataset, Diagnostic, ElementId, Files, GroupName};

/// UCUM codes by the spellings of units.
const UNITS: &str = "fhir/units.csv";
/// The record's own group.
const TOP: &str = "record";

pub(super) type Spot = Range<usize>;

/// One file with the resource its paths begin in.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub file: Text<'a>,
    pub structure: &'a Structure,
    pub resource: &'a str,
}

impl FhirPlan {
    /// The tables every file needs.
    ///
    /// # Errors
    /// A row that cannot be read.
    pub fn begin(files: &Files) -> Result<Self, Diagnostic> {
        let mut units = HashMap::new();
        let mut reader = csv::Reader::from_reader(files.bytes(UNITS).unwrap_or_default());
        for row in reader.deserialize::<(String, String)>() {
            let row = row.map_err(|error| Diagnostic::at(UNITS, "", 0, error.to_string()))?;
            units.insert(row.0, row.1);
        }
        Ok(Self {
            structure: Structure::load(files)?,
            systems: Systems::load(files)?,
            units,
            groups: Vec::new(),
            bundle: Bundle::default(),
            files: Vec::new(),
        })
    }
}

impl Compiler<'_> {
    /// One file of `fhir/`.
    pub fn resource(&mut self, file: Text<'_>, table: &ResourceFile, plan: &mut FhirPlan) {
        let resource = table.resource.get_ref().as_str();
        if table.dialect.get_ref() != "fhir" {
            self.faults.push(file.fault(table.dialect.span(), "the dialect of fhir/ is `fhir`"));
        }
        if !plan.structure.has(resource) {
            let fault = file.fault(table.resource.span(), format!("no resource {resource}"));
            let near = plan.structure.near_type(resource);
            let hint =
                near.map_or(structure::FILE.to_owned(), |near| format!("did you mean {near}?"));
            self.faults.push(fault.hint(hint));
            return;
        }
        let scope = Scope { file, structure: &plan.structure, resource };
        let compiled = self.resource_plan(scope, table, &plan.systems);
        let Some(compiled) = self.note(compiled) else { return };
        if resource == "Bundle" {
            let dataset = table.record.as_ref().map(|name| named::<Dataset>(file, name));
            let dataset = dataset.and_then(|dataset| self.note(dataset));
            let offset = table.offset.as_ref().map(|offset| offset.get_ref().clone());
            let everywhere = table.everywhere.iter().filter_map(|reason| {
                let wire = &reason.get_ref().wire;
                // Any resource will do: every one has these.
                let scope = Scope { resource: "Patient", ..scope };
                self.note(path(scope, wire)).map(|(path, _)| path)
            });
            plan.bundle = Bundle {
                dataset,
                everywhere: everywhere.collect(),
                offset: offset.unwrap_or_else(|| "Z".to_owned()),
                own: Some(Box::new(compiled)),
            };
        } else {
            // Who gave an order is a resource of its group too, and has no notes of its own;
            // nor is a group one everywhere that is one in some datasets.
            let party = ["Location", "Organization", "Practitioner", "PractitionerRole"];
            if !party.contains(&compiled.resource.as_str()) && compiled.datasets.is_empty() {
                plan.groups.push(compiled.group);
            }
            plan.files.push(compiled);
        }
    }

    /// Every reference's files, once all are known.
    pub fn references(&mut self, plan: &mut FhirPlan) {
        let names: Vec<_> =
            plan.files.iter().map(|file| (file.name.clone(), file.resource.clone())).collect();
        let refs = plan.files.iter_mut().flat_map(|file| &mut file.refs);
        for reference in refs {
            let known = |(name, resource): &(String, String)| {
                *resource == reference.named || *name == reference.named
            };
            let found = names.iter().enumerate().filter(|(_, names)| known(names));
            reference.to = found.map(|(index, _)| index).collect();
            // Of a type no file makes there is nothing to refer to.
            if reference.to.is_empty() && !plan.structure.has(&reference.named) {
                let fault = reference.place.clone();
                self.faults.push(fault.hint("name a resource type or a file of fhir/"));
            }
        }
    }

    fn resource_plan(
        &mut self,
        scope: Scope<'_>,
        table: &ResourceFile,
        systems: &Systems,
    ) -> Result<ResourcePlan, Diagnostic> {
        let file = scope.file;
        let stem = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".toml"));
        let top = GroupName::fixed(TOP);
        let group = match &table.group {
            Some(group) => named::<GroupName>(file, group)?,
            None => top,
        };
        let parent = match &table.parent {
            Some(parent) => Some(named::<GroupName>(file, parent)?),
            None => None,
        };
        let mut plan = ResourcePlan {
            name: stem.unwrap_or_default().to_owned(),
            resource: scope.resource.to_owned(),
            group,
            top: group == top,
            parent,
            datasets: datasets(file, &table.datasets)?,
            needs: Vec::new(),
            each: Vec::new(),
            lists: lists(scope, table)?,
            fixed: Vec::new(),
            defaults: Vec::new(),
            refs: Vec::new(),
            rows: Vec::new(),
            reading: Vec::new(),
            rest: Vec::new(),
        };
        for element in &table.needs {
            let found = self.known_element(file, element);
            plan.needs.extend(self.note(found));
        }
        self.constants(scope, table, &mut plan);
        for reference in &table.refs {
            let compiled = self.compiled_ref(scope, &plan.lists, reference);
            plan.refs.extend(self.note(compiled));
        }
        for row in &table.rows {
            let compiled = self.fhir_row(scope, &plan, row);
            plan.rows.extend(self.note(compiled));
        }
        if let Some(each) = &table.each {
            for element in &each.get_ref().of {
                let compiled = self.each_element(scope, (each, element), systems);
                plan.each.extend(self.note(compiled));
            }
        }
        for (reasons, bin) in [(&table.carries, Bin::Carried), (&table.drops, Bin::Dropped)] {
            plan.rest.extend(reasons.iter().filter_map(|reason: &Spanned<Reason>| {
                self.note(path(scope, &reason.get_ref().wire)).map(|(path, _)| (path, bin))
            }));
        }
        plan.reading = (0..plan.rows.len()).collect();
        let depth = |index: &usize| plan.rows.get(*index).map_or(0, |row| row.path.0.len());
        plan.reading.sort_by_key(|index| std::cmp::Reverse(depth(index)));
        Ok(plan)
    }

    fn constants(&mut self, scope: Scope<'_>, table: &ResourceFile, plan: &mut ResourcePlan) {
        for constant in &table.fixed {
            let compiled = self.sometimes(scope, &plan.lists, constant);
            plan.fixed.extend(self.note(compiled));
        }
        for constant in &table.defaults {
            let compiled = self.sometimes(scope, &plan.lists, constant);
            plan.defaults.extend(self.note(compiled));
        }
    }

    pub(super) fn sometimes(
        &self,
        scope: Scope<'_>,
        lists: &[ListPlan],
        constant: &Spanned<ConstantText>,
    ) -> Result<Sometimes, Diagnostic> {
        let text = constant.get_ref();
        let spot = text.wire.span();
        let wire = text.wire.get_ref();
        let constant = Path::constant(scope.structure, scope.resource, (wire, &text.is))
            .map_err(|fault| told(scope.file, spot.clone(), fault))?;
        let list = innermost(lists, &constant.path);
        let around = list.and_then(|list| lists.get(list)).map_or(0, |list| list.path.stars());
        if constant.path.stars() > around {
            return Err(scope.file.fault(spot, "`*` needs a group").hint("groups = { … }"));
        }
        self.sometimes_of(scope.file, (constant, list), text)
    }

    /// A constant with the conditions its text names.
    pub(super) fn sometimes_of(
        &self,
        file: Text<'_>,
        (constant, list): (Constant, Option<usize>),
        text: &ConstantText,
    ) -> Result<Sometimes, Diagnostic> {
        let named = (&text.has, &text.lacks);
        let only = self.only(file, named, &text.one_of)?;
        Ok(Sometimes { constant, list, only, datasets: datasets(file, &text.datasets)? })
    }

    /// What a group must have and lack.
    pub(super) fn only(
        &self,
        file: Text<'_>,
        (has, lacks): (&Option<Spanned<String>>, &Option<Spanned<String>>),
        one_of: &[String],
    ) -> Result<Only, Diagnostic> {
        let known = |element: &Option<Spanned<String>>| {
            element.as_ref().map(|element| self.known_element(file, element)).transpose()
        };
        Ok(Only { has: known(has)?, one_of: one_of.to_vec(), lacks: known(lacks)? })
    }

    fn compiled_ref(
        &self,
        scope: Scope<'_>,
        lists: &[ListPlan],
        reference: &Spanned<RefText>,
    ) -> Result<Ref, Diagnostic> {
        let text = reference.get_ref();
        let (path, end) = path(scope, &text.wire)?;
        let (named, spot) = (text.to.get_ref().clone(), text.to.span());
        if end.of != "Reference" {
            let message = format!("a reference stands there, not a {}", end.of);
            return Err(scope.file.fault(text.wire.span(), message));
        }
        let typed = scope.structure.has(&named);
        let allowed = end.targets.iter().any(|target| *target == named || target.is_empty());
        if typed && !allowed {
            let message = format!("this reference may not point to {named}");
            return Err(scope.file.fault(spot, message).hint(end.targets.join(", ")));
        }
        let list = innermost(lists, &path);
        let around = list.and_then(|list| lists.get(list)).map_or(0, |list| list.path.stars());
        let every = path.stars() > around;
        let place = scope.file.fault(spot, format!("no file makes {named}"));
        let only = self.only(scope.file, (&text.has, &None), &text.one_of)?;
        let (inside, around, typed) = (text.inside, text.around, text.typed);
        Ok(Ref { path, list, every, only, inside, around, typed, to: Vec::new(), named, place })
    }

    pub(super) fn known_element(
        &self,
        file: Text<'_>,
        name: &Spanned<String>,
    ) -> Result<ElementId, Diagnostic> {
        let found = ElementId::parse(name.get_ref()).ok().and_then(|id| self.catalogue.get(id));
        let missing = || file.fault(name.span(), format!("there is no element {}", name.get_ref()));
        found.map(|element| element.id).ok_or_else(missing)
    }
}

impl ResourcePlan {
    /// A file without rows.
    pub(super) fn empty(resource: &str) -> Self {
        let top = GroupName::fixed(TOP);
        Self {
            name: String::new(),
            resource: resource.to_owned(),
            group: top,
            top: true,
            parent: None,
            datasets: Vec::new(),
            needs: Vec::new(),
            each: Vec::new(),
            lists: Vec::new(),
            fixed: Vec::new(),
            defaults: Vec::new(),
            refs: Vec::new(),
            rows: Vec::new(),
            reading: Vec::new(),
            rest: Vec::new(),
        }
    }
}

pub(super) fn told(file: Text<'_>, spot: Spot, fault: PathFault) -> Diagnostic {
    let told = file.fault(spot, fault.message);
    match fault.hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

pub(super) fn path(scope: Scope<'_>, wire: &Spanned<String>) -> Result<(Path, Member), Diagnostic> {
    Path::parse(scope.structure, scope.resource, wire.get_ref())
        .map_err(|fault| told(scope.file, wire.span(), fault))
}

pub(super) fn constant(
    scope: Scope<'_>,
    (wire, spot): (&str, Spot),
    is: &str,
) -> Result<Constant, Diagnostic> {
    Path::constant(scope.structure, scope.resource, (wire, is))
        .map_err(|fault| told(scope.file, spot, fault))
}

/// A configured name of a kind.
pub(super) fn named<T: ConfiguredName>(
    file: Text<'_>,
    name: &Spanned<String>,
) -> Result<T, Diagnostic> {
    T::of(name.get_ref())
        .ok_or_else(|| file.fault(name.span(), format!("`{}` is no name", name.get_ref())))
}

pub(super) trait ConfiguredName: Sized {
    fn of(text: &str) -> Option<Self>;
}

impl ConfiguredName for Dataset {
    fn of(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl ConfiguredName for GroupName {
    fn of(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

fn datasets(file: Text<'_>, names: &[Spanned<String>]) -> Result<Vec<Dataset>, Diagnostic> {
    names.iter().map(|name| named(file, name)).collect()
}

/// The lists whose items are groups, outer before inner.
fn lists(scope: Scope<'_>, table: &ResourceFile) -> Result<Vec<ListPlan>, Diagnostic> {
    let mut found: Vec<ListPlan> = Vec::new();
    for (wire, group) in &table.groups {
        let (path, _) = path(scope, wire)?;
        if !path.0.last().is_some_and(|step| step.each) {
            return Err(scope
                .file
                .fault(wire.span(), "a group is each item of a list: end with /*"));
        }
        let outer = innermost(&found, &path);
        let around = outer.and_then(|outer| found.get(outer)).map_or(0, |list| list.path.stars());
        if path.stars() != around + 1 {
            let message = "every `*` on the way to a group needs a group";
            return Err(scope.file.fault(wire.span(), message));
        }
        let group = named(scope.file, &Spanned::new(wire.span(), group.clone()))?;
        found.push(ListPlan { path, group, outer });
    }
    Ok(found)
}

/// The deepest list a path stands in.
pub(super) fn innermost(lists: &[ListPlan], path: &Path) -> Option<usize> {
    let around = lists
        .iter()
        .enumerate()
        .filter(|(_, list)| path.0.len() > list.path.0.len() && path.0.starts_with(&list.path.0));
    around.max_by_key(|(_, list)| list.path.0.len()).map(|(index, _)| index)
}
