//! From the rows of the files of `fhir/` to their plan.

use std::sync::Arc;

use toml::Spanned;

use super::super::compile::{Compiler, Text};
use super::super::file::{ElementText, OneOrMany, Unknown, Way};
use super::super::plan::{Read, Tables};
use super::compile::{Scope, constant, innermost, named};
use super::file::{ConstantText, EachElementText, EachText, FhirRowText};
use super::form::Shape;
use super::path::Path;
use super::plan::{EachElement, FhirRow, ResourcePlan, Sometimes};
use super::systems::Systems;
use crate::vocabulary::{Diagnostic, ElementId, GroupName};

impl Compiler<'_> {
    pub(super) fn fhir_row(
        &mut self,
        scope: Scope<'_>,
        plan: &ResourcePlan,
        row: &Spanned<FhirRowText>,
    ) -> Result<FhirRow, Diagnostic> {
        let (file, text) = (scope.file, row.get_ref());
        let spot = text.wire.span();
        let (path, end) = super::compile::path(scope, &text.wire)?;
        let list = innermost(&plan.lists, &path);
        let around = list.and_then(|list| plan.lists.get(list)).map_or(0, |list| list.path.stars());
        if path.stars() > around + 1 {
            return Err(file
                .fault(spot, "more than one `*` needs groups")
                .hint("groups = { \"/contact/*\" = \"contact\" }"));
        }
        let plain = Spanned::new(row.span(), text.plain());
        let meaning = self.meaning(file, &plain)?;
        let (shape, domain) = self.shaped(file, (text, &end.of), meaning.element)?;
        let from = match &text.from {
            Some(from) => Some(named::<GroupName>(file, from)?),
            None => None,
        };
        let when = match &text.when {
            Some(when) => {
                let spanned = Spanned::new(when.span(), when.get_ref().wire.clone());
                Some((super::compile::path(scope, &spanned)?.0, when.get_ref().is.clone()))
            }
            None => None,
        };
        let repeats = path.stars() > around;
        let row = FhirRow {
            path,
            of: end.of,
            shape,
            meaning,
            list,
            repeats,
            from,
            when,
            domain,
            system: text.system.clone(),
            unit: text.unit.clone(),
            targets: end.targets.into_iter().filter(|target| !target.is_empty()).collect(),
            role: text.role.clone(),
            several: text.several.clone(),
            only: self.only(file, (&text.has, &text.lacks), &text.one_of)?,
            inside: text.inside,
            join: self.joined(file, text)?,
            part: text.part,
            original: self.original(file, text)?,
            besides: Vec::new(),
            worded: text.worded,
            designator: text.designator,
        };
        let row = FhirRow { besides: self.besides(scope, (&row.path, text))?, ..row };
        self.written_only(file, text)?;
        match plan.rows.iter().any(|before| never(before, &row)) {
            true => Err(file
                .fault(spot, "this row can never apply: the one before takes its place and element")
                .hint("remove one, or give the one before a `when`")),
            false => Ok(row),
        }
    }

    /// The form a row's value has, and the code table of a code.
    fn shaped(
        &self,
        file: Text<'_>,
        (text, of): (&FhirRowText, &str),
        element: ElementId,
    ) -> Result<(Shape, Option<String>), Diagnostic> {
        let shape = Shape::of(of).ok_or_else(|| {
            file.fault(text.wire.span(), format!("a value cannot be a whole {of}"))
                .hint("name one of its members")
        })?;
        let known = self.catalogue.get(element).filter(|known| shape.holds(known.value));
        let known = known.ok_or_else(|| {
            file.fault(text.element.span(), format!("{element} cannot stand as {of}"))
        })?;
        let codes = text.codes.as_ref().map(|codes| codes.get_ref().as_str());
        let left = codes.and_then(|codes| codes.split('|').next()).map(str::trim);
        Ok((shape, left.map(str::to_owned).or_else(|| known.domain.clone())))
    }

    /// What is written otherwise than it is read cannot be read by the same row.
    fn written_only(&self, file: Text<'_>, text: &FhirRowText) -> Result<(), Diagnostic> {
        let one_way = text.join.is_some() || text.part.is_some();
        if one_way && text.way != Way::Out {
            let message = "`join` and `part` only write";
            return Err(file.fault(text.wire.span(), message).hint("way = \"out\""));
        }
        Ok(())
    }

    fn joined(
        &self,
        file: Text<'_>,
        text: &FhirRowText,
    ) -> Result<Option<(String, Vec<ElementId>)>, Diagnostic> {
        let others: Result<Vec<_>, _> =
            text.with.iter().map(|element| self.known_element(file, element)).collect();
        Ok(text.join.clone().zip(Some(others?)))
    }

    fn original(
        &mut self,
        file: Text<'_>,
        text: &FhirRowText,
    ) -> Result<Vec<(String, Arc<Tables>)>, Diagnostic> {
        let Some(named) = &text.original else { return Ok(Vec::new()) };
        let one = |named: &String| vec![named.clone()];
        let names = match named.get_ref() {
            OneOrMany::One(name) => one(name),
            OneOrMany::Many(names) => names.clone(),
        };
        let compiled = names.into_iter().map(|name| {
            let left = name.split('|').next().unwrap_or_default().trim().to_owned();
            let tables = self.crossing(file, &Spanned::new(named.span(), name))?;
            Ok((left, tables))
        });
        compiled.collect()
    }

    /// Constants of the item a row's value stands in.
    fn besides(
        &self,
        scope: Scope<'_>,
        (path, text): (&Path, &FhirRowText),
    ) -> Result<Vec<Sometimes>, Diagnostic> {
        let owner = path.to_item().iter().fold(scope.resource.to_owned(), |owner, step| {
            scope.structure.member(&owner, &step.name).map_or(owner, |member| member.of)
        });
        let inner = Scope { resource: &owner, ..scope };
        let one = |beside: &Spanned<ConstantText>| {
            let text = beside.get_ref();
            let wire = (text.wire.get_ref().as_str(), text.wire.span());
            let constant = constant(inner, wire, &text.is)?;
            self.sometimes_of(scope.file, (constant, None), text)
        };
        text.besides.iter().map(one).collect()
    }

    pub(super) fn each_element(
        &mut self,
        scope: Scope<'_>,
        (each, element): (&Spanned<EachText>, &Spanned<EachElementText>),
        systems: &Systems,
    ) -> Result<EachElement, Diagnostic> {
        let (each, text) = (each.get_ref(), element.get_ref());
        let (_, end) = super::compile::path(scope, &each.code)?;
        if end.of != "CodeableConcept" {
            return Err(scope.file.fault(each.code.span(), "the code is a CodeableConcept"));
        }
        let one = ElementText::One(text.element.get_ref().clone());
        let row = FhirRowText {
            wire: text.wire.clone().unwrap_or_else(|| each.wire.clone()),
            element: Spanned::new(text.element.span(), one),
            form: None,
            kind: None,
            codes: None,
            unknown: Unknown::default(),
            when: None,
            required: false,
            strict: false,
            way: Way::Both,
            from: None,
            system: None,
            unit: text.unit.clone(),
            role: None,
            several: Vec::new(),
            has: None,
            one_of: Vec::new(),
            lacks: None,
            inside: false,
            join: None,
            with: Vec::new(),
            part: None,
            original: None,
            besides: Vec::new(),
            worded: false,
            designator: false,
            note: None,
        };
        let empty = ResourcePlan::empty(scope.resource);
        let mut row = self.fhir_row(scope, &empty, &Spanned::new(element.span(), row))?;
        // Two resources may say the same of it.
        row.repeats = true;
        let uri = systems.uri(&text.system);
        let members = [("system", Some(uri.as_str())), ("code", Some(text.code.as_str()))];
        let members = members.into_iter().chain([("display", text.display.as_deref())]);
        let constants = members.filter_map(|(member, is)| {
            let wire = format!("{}/coding/{member}", each.code.get_ref());
            Some(constant(scope, (&wire, each.code.span()), is?))
        });
        Ok(EachElement { row, code: constants.collect::<Result<_, _>>()? })
    }
}

/// Whether the row before takes everything this one would.
fn never(before: &FhirRow, row: &FhirRow) -> bool {
    let same = before.path == row.path && before.meaning.element == row.meaning.element;
    let walk = |row: &FhirRow| {
        let tables = row.original.iter();
        let named = tables.map(|(left, tables)| (left.clone(), tables.wire().map(str::to_owned)));
        named.collect::<Vec<_>>()
    };
    let conditional = before.when.is_some()
        || before.only.has.is_some()
        || before.only.lacks.is_some()
        || (&before.part, &before.inside) != (&row.part, &row.inside)
        || walk(before) != walk(row);
    let told_apart = before.from != row.from || conditional || {
        matches!((&before.meaning.read, &row.meaning.read),
            (Read::Identifier(one), Read::Identifier(other)) if one != other)
    };
    same && !told_apart && before.meaning.way == row.meaning.way
}
