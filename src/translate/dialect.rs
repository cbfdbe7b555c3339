//! JSON 方言, from `civil/*.toml` and `platform/*.toml` to their plans.
//!
//! One file a dataset: `dialect`, `record`, rows whose `wire` is a JSON pointer. `*` is
//! each item of an array and stands inside a path only where `groups` names the array
//! (`groups = { "/contacts/*" = "contact" }`), or at its end: then the values repeat.
//! `time = "/pointer"` is the record's time. Where a dialect has several files, the
//! member `dataset` of a document chooses between them.
//!
//! Text, name, address, telecom, identifier and code are strings, a date is ISO 8601,
//! a boolean is true or false, a quantity is a number, or a string where a number could
//! not say it exactly (`"<7.1"`, `"7.10"`).
//!
//! A two-way row must be invertible: its `when` names one value, which is written back,
//! and no other two-way row of its group writes the same element or place.

use toml::Spanned;

use super::compile::{Compiler, Text};
use super::file::{DialectFile, RowText, Way};
use super::path::{Pattern, Step};
use super::plan::{Bin, DialectPlan, DocumentGroup, DocumentRow, Node, Read};
use crate::vocabulary::{Dataset, Diagnostic, GroupName, IdentifierKind};

type Spot = std::ops::Range<usize>;

impl Compiler<'_> {
    /// One file of a JSON dialect.
    pub fn dialect(&mut self, file: Text<'_>, table: &DialectFile) -> Option<DialectPlan> {
        let dataset = Dataset::parse(table.record.get_ref())
            .map_err(|error| file.fault(table.record.span(), error.to_string()));
        let dataset = self.note(dataset);
        let groups = self.note(groups(file, table)).unwrap_or_default();
        let time = match &table.time {
            Some(time) => self.note(pattern(file, (time.get_ref(), time.span()))),
            None => None,
        };
        let mut plan = DialectPlan {
            name: table.dialect.get_ref().clone(),
            dataset: dataset?,
            time,
            groups,
            rows: Vec::new(),
            root: Node::default(),
        };
        for row in &table.rows {
            let compiled = self.document_row(file, &plan, row);
            plan.rows.extend(self.note(compiled));
        }
        // Both are kept in the record itself; see `read_json`.
        plan.root.reach(&Pattern(vec![Step::Name("dataset".to_owned())]));
        if let Some(time) = &plan.time {
            plan.root.reach(time);
        }
        for (index, group) in plan.groups.iter().enumerate() {
            plan.root.reach(&group.pattern).group = Some(index);
        }
        for (index, row) in plan.rows.iter().enumerate() {
            plan.root.reach(&row.pattern).rows.push(index);
            let beside = [row.unit.as_ref(), row.when.as_ref().map(|(pattern, _)| pattern)];
            for pattern in beside.into_iter().flatten() {
                plan.root.reach(pattern).attached.push(index);
            }
        }
        for (reasons, bin) in [(&table.carries, Bin::Carried), (&table.drops, Bin::Dropped)] {
            for reason in reasons {
                let wire = &reason.get_ref().wire;
                if let Some(pattern) = self.note(pattern(file, (wire.get_ref(), wire.span()))) {
                    plan.root.reach(&pattern).rest = Some(bin);
                }
            }
        }
        Some(plan)
    }

    fn document_row(
        &mut self,
        file: Text<'_>,
        plan: &DialectPlan,
        row: &Spanned<RowText>,
    ) -> Result<DocumentRow, Diagnostic> {
        let text = row.get_ref();
        let spot = text.wire.span();
        let found = pattern(file, (text.wire.get_ref(), spot.clone()))?;
        let group = innermost(&plan.groups, &found);
        let known = group.and_then(|index| plan.groups.get(index));
        let own = found.arrays() - known.map_or(0, |group| group.pattern.arrays());
        let trailing = usize::from(found.0.last() == Some(&Step::Each));
        if own > trailing {
            return Err(file
                .fault(spot, "`*` in the middle of a path needs a group")
                .hint("groups = { \"/contacts/*\" = \"contact\" }"));
        }
        let beside = |(path, span): (&str, Spot)| {
            let pattern = pattern(file, (path, span.clone()))?;
            let stem = known.map(|group| group.pattern.0.as_slice()).unwrap_or_default();
            let outside = !pattern.0.starts_with(stem) || pattern.stem() != stem;
            if outside || trailing > 0 {
                return Err(file.fault(span, "not in the same item as the value"));
            }
            Ok(pattern)
        };
        let unit = match &text.unit {
            Some(unit) => Some(beside((unit.get_ref(), unit.span()))?),
            None => None,
        };
        let when = match &text.when {
            Some(when) if !when.get_ref().begins.is_empty() => {
                return Err(file
                    .fault(when.span(), "`begins` is a condition of HL7 v2 tables alone")
                    .hint("write is = [\"…\"]"));
            }
            Some(when) => {
                Some((beside((&when.get_ref().wire, when.span()))?, when.get_ref().is.clone()))
            }
            None => None,
        };
        let meaning = self.meaning(file, row)?;
        let span = row.span();
        match &meaning.read {
            Read::Observation(_) => {
                return Err(file.fault(span, "a JSON document has no observations"));
            }
            Read::Identifier(None) => {
                return Err(file.fault(span, "an identifier in JSON needs a kind"));
            }
            _ => (),
        }
        let values = when.as_ref().map_or(1, |(_, values)| values.len());
        if values != 1 && meaning.way != Way::In {
            return Err(file
                .fault(span, "a two-way condition names exactly one value")
                .hint("write way = \"in\", or one row for each value"));
        }
        let compiled = DocumentRow { pattern: found, when, unit, meaning, group };
        match plan.rows.iter().find_map(|before| clash(before, &compiled)) {
            Some((message, hint)) => Err(file.fault(span, message).hint(hint)),
            None => Ok(compiled),
        }
    }
}

impl Node {
    /// The node at the end of a pattern, made on the way.
    fn reach(&mut self, pattern: &Pattern) -> &mut Self {
        pattern.0.iter().fold(self, |node, step| match step {
            Step::Each => node.each.get_or_insert_default(),
            Step::Name(name) => node.members.entry(name.clone()).or_default(),
        })
    }
}

fn pattern(file: Text<'_>, (text, span): (&str, Spot)) -> Result<Pattern, Diagnostic> {
    Pattern::parse(text)
        .map_err(|error| file.fault(span, format!("`{text}` is no path")).hint(error.to_string()))
}

/// The groups, outer before inner.
fn groups(file: Text<'_>, table: &DialectFile) -> Result<Vec<DocumentGroup>, Diagnostic> {
    let mut groups: Vec<DocumentGroup> = Vec::new();
    // Ordered by their text, so that a group stands before those inside it.
    for (path, name) in &table.groups {
        let pattern = pattern(file, (path.get_ref(), path.span()))?;
        if pattern.0.last() != Some(&Step::Each) {
            return Err(file.fault(path.span(), "a group is each item of an array: end with /*"));
        }
        let parent = innermost(&groups, &pattern);
        let outer = parent.and_then(|index| groups.get(index));
        if pattern.arrays() != outer.map_or(0, |group| group.pattern.arrays()) + 1 {
            return Err(file.fault(path.span(), "every `*` on the way to a group needs a group"));
        }
        let name =
            GroupName::parse(name).map_err(|error| file.fault(path.span(), error.to_string()))?;
        groups.push(DocumentGroup { pattern, name, parent });
    }
    Ok(groups)
}

/// The deepest group a pattern stands in.
fn innermost(groups: &[DocumentGroup], pattern: &Pattern) -> Option<usize> {
    let around = groups.iter().enumerate().filter(|(_, group)| {
        pattern.0.len() > group.pattern.0.len() && pattern.0.starts_with(&group.pattern.0)
    });
    around.max_by_key(|(_, group)| group.pattern.0.len()).map(|(index, _)| index)
}

/// Why a row cannot stand beside one before it.
fn clash(before: &DocumentRow, row: &DocumentRow) -> Option<(String, &'static str)> {
    let reads = before.meaning.way != Way::Out && row.meaning.way != Way::Out;
    let writes = before.meaning.way != Way::In && row.meaning.way != Way::In;
    let same_place = before.pattern == row.pattern;
    if same_place && reads && before.when.is_none() {
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
