//! From a document file to its plan: paths, groups, types, and that it can be inverted.
//!
//! `*` is each item of a list and stands inside a path only where `groups` names the list
//! (`groups = { "/contacts/*" = "contact" }`), or at its end: then the values repeat.
//!
//! A two-way row must be invertible: its `when` names one value, which is written back,
//! and no other two-way row of its group writes the same element or place.

use toml::Spanned;

use super::file::{BodyText, ConstantText, DocumentFile};
use super::path::{Pattern, Step};
use super::plan::{Body, Constant, DocumentGroup, DocumentPlan, DocumentRow, Nodes, Order};
use super::syntax::{self, Syntax};
use crate::translate::compile::{Compiler, Text};
use crate::translate::file::{RowText, Way, WhenText};
use crate::translate::plan::{Bin, Meaning, Read};
use crate::translate::suggest::nearest;
use crate::vocabulary::{Dataset, Diagnostic, ElementId, GroupName, IdentifierKind};

type Spot = std::ops::Range<usize>;

impl Compiler<'_> {
    /// One file of a dialect.
    pub fn document(&mut self, file: Text<'_>, table: &DocumentFile) -> Option<DocumentPlan> {
        let syntax = self.note(family(file, &table.dialect))?;
        let dataset = Dataset::parse(table.record.get_ref())
            .map_err(|error| file.fault(table.record.span(), error.to_string()));
        let dataset = self.note(dataset);
        let mut writes = Vec::new();
        for name in &table.writes {
            let other = Dataset::parse(name.get_ref())
                .map_err(|error| file.fault(name.span(), error.to_string()));
            writes.extend(self.note(other));
        }
        let rooted = table.root.is_some() == syntax.is_xml();
        if !rooted {
            let message = "an XML dialect, and no other, names its root element: root = \"…\"";
            self.faults.push(file.fault(table.dialect.span(), message));
        }
        let only = match &table.only {
            Some(only) => self.note(condition(file, only)),
            None => None,
        };
        let time = match &table.time {
            Some(time) => self.note(time_row(file, syntax, time)),
            None => None,
        };
        let mut body = self.body(file, syntax, &table.body())?;
        if let Some((pattern, values)) = &only {
            for is in values {
                let node = body.nodes.reach(pattern);
                node.into_iter().for_each(|node| node.fixed.push(is.clone()));
            }
        }
        // Both are kept in the record itself; see `read`.
        for pattern in
            [(!syntax.is_xml()).then(|| Pattern::names(["dataset"]))].into_iter().flatten()
        {
            body.nodes.reach(&pattern);
        }
        if let Some(time) = &time {
            body.nodes.reach(&time.pattern);
        }
        Some(DocumentPlan {
            name: table.dialect.get_ref().clone(),
            dataset: dataset?,
            writes,
            root: table.root.as_ref().map(|root| root.get_ref().clone()),
            namespace: table.namespace.clone(),
            only,
            time,
            body,
        })
    }

    /// The part of a file that speaks of one tree.
    pub fn body(
        &mut self,
        file: Text<'_>,
        syntax: &'static dyn Syntax,
        table: &BodyText<'_>,
    ) -> Option<Body> {
        let groups = self.note(groups(file, table)).unwrap_or_default();
        let (fixed, defaults, rows) = (Vec::new(), Vec::new(), Vec::new());
        let (nodes, order) = (Nodes::default(), order(table));
        let mut body = Body { syntax, groups, rows, fixed, defaults, nodes, order };
        for row in table.rows {
            let compiled = self.document_row(file, &body, row);
            body.rows.extend(self.note(compiled));
        }
        for constant in table.fixed {
            let compiled = self::constant(file, &body, constant);
            body.fixed.extend(self.note(compiled));
        }
        for constant in table.defaults {
            let compiled = self::constant(file, &body, constant);
            body.defaults.extend(self.note(compiled));
        }
        for (reasons, bin) in [(table.carries, Bin::Carried), (table.drops, Bin::Dropped)] {
            for reason in reasons {
                let wire = &reason.get_ref().wire;
                if let Some(pattern) = self.note(pattern(file, (wire.get_ref(), wire.span())))
                    && let Some(node) = body.nodes.reach(&pattern)
                {
                    node.rest = Some(bin);
                }
            }
        }
        places(&mut body);
        Some(body)
    }

    fn document_row(
        &mut self,
        file: Text<'_>,
        body: &Body,
        row: &Spanned<RowText>,
    ) -> Result<DocumentRow, Diagnostic> {
        let text = row.get_ref();
        let spot = text.wire.span();
        let found = pattern(file, (text.wire.get_ref(), spot.clone()))?;
        let group = grouped(file, &body.groups, (&found, spot.clone()))?;
        let beside = |(path, span): (&str, Spot)| {
            let pattern = pattern(file, (path, span.clone()))?;
            let stem = group.and_then(|index| body.groups.get(index));
            let stem = stem.map(|group| group.pattern.0.as_slice()).unwrap_or_default();
            let outside = !pattern.0.starts_with(stem) || pattern.stem() != stem;
            if outside || found.repeats() {
                return Err(file.fault(span, "not in the same item as the value"));
            }
            Ok(pattern)
        };
        let unit = match &text.unit {
            Some(unit) => Some(beside((unit.get_ref(), unit.span()))?),
            None => None,
        };
        let when = match &text.when {
            Some(when) => {
                no_prefix(file, when)?;
                Some((beside((&when.get_ref().wire, when.span()))?, when.get_ref().is.clone()))
            }
            None => None,
        };
        let meaning = self.meaning(file, row)?;
        if matches!(meaning.read, Read::Identifier(None)) && !body.syntax.tells_kind() {
            return Err(file.fault(row.span(), "an identifier in this dialect needs a kind"));
        }
        let values = when.as_ref().map_or(1, |(_, values)| values.len());
        if values != 1 && meaning.way != Way::In {
            return Err(file
                .fault(row.span(), "a two-way condition names exactly one value")
                .hint("write way = \"in\", or one row for each value"));
        }
        let shape = shape(file, body.syntax, (text, &found, &meaning))?;
        let (system, named) = (text.system.clone(), text.named.clone());
        let systems = self.systems_of(text, meaning.element);
        let pattern = found;
        let compiled =
            DocumentRow { pattern, when, unit, meaning, shape, system, named, systems, group };
        match body.rows.iter().find_map(|before| clash(body, before, &compiled)) {
            Some((message, hint)) => Err(file.fault(row.span(), message).hint(hint)),
            None => Ok(compiled),
        }
    }
}

/// Enters what was compiled at its places.
fn places(body: &mut Body) {
    let Body { nodes, groups, rows, fixed, defaults, .. } = body;
    for (index, group) in groups.iter().enumerate() {
        nodes.reach(&group.pattern).into_iter().for_each(|node| node.group = Some(index));
    }
    for (index, row) in rows.iter().enumerate() {
        nodes.reach(&row.pattern).into_iter().for_each(|node| node.rows.push(index));
        let beside = [row.unit.as_ref(), row.when.as_ref().map(|(pattern, _)| pattern)];
        let beside = beside.into_iter().flatten().cloned().chain(tested(&row.pattern));
        for pattern in beside {
            nodes.reach(&pattern).into_iter().for_each(|node| node.attached.push(index));
        }
    }
    for constant in fixed.iter().chain(defaults.iter()) {
        let node = nodes.reach(&constant.pattern);
        node.into_iter().for_each(|node| node.fixed.push(constant.is.clone()));
    }
}

/// The places of the constants in a path's own conditions.
fn tested(pattern: &Pattern) -> Vec<Pattern> {
    let mut found = Vec::new();
    for (index, step) in pattern.0.iter().enumerate() {
        for (names, _) in &step.test {
            let mut steps = pattern.0.get(..=index).unwrap_or_default().to_vec();
            steps.extend(Pattern::names(names.iter().map(String::as_str)).0);
            found.push(Pattern(steps));
        }
    }
    found
}

/// Members as the rows, then the constants mention them, unless `order` says another.
fn order(table: &BodyText<'_>) -> Order {
    let mut order = Order::default();
    let constants = table.fixed.iter().chain(table.defaults);
    let wires = table.rows.iter().map(|row| &row.get_ref().wire);
    for wire in wires.chain(constants.map(|constant| &constant.get_ref().wire)) {
        let path = Pattern::parse(wire.get_ref()).unwrap_or_default();
        order.mention(path.0.iter().map(|step| step.name.as_str()));
    }
    for (path, names) in table.order {
        let path = Pattern::parse(path.get_ref()).unwrap_or_default();
        order.arrange(path.0.iter().map(|step| step.name.as_str()), names);
    }
    order
}

fn family(file: Text<'_>, dialect: &Spanned<String>) -> Result<&'static dyn Syntax, Diagnostic> {
    syntax::of(dialect.get_ref()).ok_or_else(|| {
        let message = format!("there is no dialect {}", dialect.get_ref());
        let fault = file.fault(dialect.span(), message);
        match nearest(dialect.get_ref(), syntax::dialects()) {
            Some(near) => fault.hint(format!("did you mean {near}?")),
            None => fault.hint(syntax::dialects().collect::<Vec<_>>().join(", ")),
        }
    })
}

fn condition(
    file: Text<'_>,
    only: &Spanned<WhenText>,
) -> Result<(Pattern, Vec<String>), Diagnostic> {
    no_prefix(file, only)?;
    let WhenText { wire, is, .. } = only.get_ref();
    if is.is_empty() {
        return Err(file.fault(only.span(), "a condition names at least one value"));
    }
    Ok((pattern(file, (wire, only.span()))?, is.clone()))
}

/// The record's own time, read as a date and belonging to no element.
fn time_row(
    file: Text<'_>,
    syntax: &'static dyn Syntax,
    time: &Spanned<String>,
) -> Result<DocumentRow, Diagnostic> {
    let pattern = pattern(file, (time.get_ref(), time.span()))?;
    if syntax.shapes(&Read::Date, "").is_none() || pattern.lists() > 0 {
        return Err(file.fault(time.span(), "the time of a record stands once"));
    }
    let meaning = Meaning {
        id: usize::MAX,
        element: ElementId::fixed("time"),
        read: Read::Date,
        way: Way::Both,
        required: false,
        strict: false,
    };
    let (when, unit, shape, system, named, group) = (None, None, None, None, None, None);
    let systems = Vec::new();
    Ok(DocumentRow { pattern, when, unit, meaning, shape, system, named, systems, group })
}

fn pattern(file: Text<'_>, (text, span): (&str, Spot)) -> Result<Pattern, Diagnostic> {
    Pattern::parse(text)
        .map_err(|error| file.fault(span, format!("`{text}` is no path")).hint(error.to_string()))
}

/// The group a path stands in; every `*` on the way belongs to one, or ends the path.
fn grouped(
    file: Text<'_>,
    groups: &[DocumentGroup],
    (found, span): (&Pattern, Spot),
) -> Result<Option<usize>, Diagnostic> {
    let group = innermost(groups, found);
    let outer = group.and_then(|index| groups.get(index));
    let own = found.lists() - outer.map_or(0, |group| group.pattern.lists());
    if own > usize::from(found.repeats()) {
        return Err(file
            .fault(span, "`*` in the middle of a path needs a group")
            .hint("groups = { \"/contacts/*\" = \"contact\" }"));
    }
    Ok(group)
}

fn constant(
    file: Text<'_>,
    body: &Body,
    constant: &Spanned<ConstantText>,
) -> Result<Constant, Diagnostic> {
    let text = constant.get_ref();
    let mut found = pattern(file, (text.wire.get_ref(), text.wire.span()))?;
    let group = grouped(file, &body.groups, (&found, text.wire.span()))?;
    if found.repeats() {
        return Err(file.fault(text.wire.span(), "a constant stands in one place"));
    }
    // The constant of an element is its text.
    let element = found.0.last().is_some_and(|step| !step.name.starts_with(['@', '#']));
    if body.syntax.is_xml() && element {
        found.0.extend(Pattern::names(["#text"]).0);
    }
    let with = match &text.with {
        Some(with) => Some(pattern(file, (with.get_ref(), with.span()))?),
        None => None,
    };
    Ok(Constant { pattern: found, is: text.is.clone(), with, group })
}

fn shape(
    file: Text<'_>,
    syntax: &'static dyn Syntax,
    (text, found, meaning): (&RowText, &Pattern, &Meaning),
) -> Result<Option<String>, Diagnostic> {
    let name = found.0.last().map_or("", |step| &step.name);
    let Some(known) = syntax.shapes(&meaning.read, name) else {
        return Err(file.fault(text.wire.span(), "this dialect has no such values"));
    };
    match &text.shape {
        Some(shape) if !known.contains(&shape.get_ref().as_str()) => {
            let message = format!("there is no shape {} here", shape.get_ref());
            Err(file.fault(shape.span(), message).hint(known.join(", ")))
        }
        shape => Ok(shape.as_ref().map(|shape| shape.get_ref().clone())),
    }
}

/// The groups, outer before inner.
fn groups(file: Text<'_>, table: &BodyText<'_>) -> Result<Vec<DocumentGroup>, Diagnostic> {
    let mut groups: Vec<DocumentGroup> = Vec::new();
    // Ordered by their text, so that a group stands before those inside it.
    for (path, name) in table.groups {
        let pattern = pattern(file, (path.get_ref(), path.span()))?;
        if !pattern.repeats() {
            return Err(file.fault(path.span(), "a group is each item of a list: end with /*"));
        }
        let parent = innermost(&groups, &pattern);
        let outer = parent.and_then(|index| groups.get(index));
        if pattern.lists() != outer.map_or(0, |group| group.pattern.lists()) + 1 {
            return Err(file.fault(path.span(), "every `*` on the way to a group needs a group"));
        }
        let name =
            GroupName::parse(name).map_err(|error| file.fault(path.span(), error.to_string()))?;
        groups.push(DocumentGroup { pattern, name, parent });
    }
    Ok(groups)
}

/// The deepest group a path stands in.
fn innermost(groups: &[DocumentGroup], pattern: &Pattern) -> Option<usize> {
    let inside = |steps: &[Step]| pattern.0.len() > steps.len() && pattern.0.starts_with(steps);
    let around = groups.iter().enumerate().filter(|(_, group)| inside(&group.pattern.0));
    around.max_by_key(|(_, group)| group.pattern.0.len()).map(|(index, _)| index)
}

/// Why a row cannot stand beside one before it.
fn clash(body: &Body, before: &DocumentRow, row: &DocumentRow) -> Option<(String, &'static str)> {
    let reads = before.meaning.way != Way::Out && row.meaning.way != Way::Out;
    let writes = before.meaning.way != Way::In && row.meaning.way != Way::In;
    let same_place = before.pattern == row.pattern && !row.pattern.repeats();
    let other_kind = body.syntax.tells_kind() && kind(before) != kind(row);
    if before.pattern == row.pattern && reads && before.when.is_none() && !other_kind {
        let message = "this row can never apply: its place is taken already".to_owned();
        return Some((message, "give the rows before it a `when`, or remove one"));
    }
    if same_place && writes && before.when.is_none() && row.when.is_none() {
        return Some(("two rows write the same place".to_owned(), "make one way = \"in\""));
    }
    let told_apart = kind(before) != kind(row) || before.group != row.group;
    if before.meaning.element == row.meaning.element && writes && !told_apart {
        let message = format!("{} is written from two places", row.meaning.element);
        return Some((message, "write way = \"in\" on one of them"));
    }
    None
}

const fn kind(row: &DocumentRow) -> Option<IdentifierKind> {
    match row.meaning.read {
        Read::Identifier(kind) => kind,
        _ => None,
    }
}

/// What is written back must be one value, and a prefix is none.
fn no_prefix(file: Text<'_>, when: &Spanned<WhenText>) -> Result<(), Diagnostic> {
    match when.get_ref().begins.is_empty() {
        true => Ok(()),
        false => Err(file
            .fault(when.span(), "`begins` is a condition of HL7 v2 tables alone")
            .hint("write is = [\"…\"]")),
    }
}
