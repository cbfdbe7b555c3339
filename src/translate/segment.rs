//! From segment tables and event files to the HL7 v2 plan.

use std::sync::Arc;

use toml::Spanned;

use super::compile::{Compiler, Text};
use super::file::{EventFile, OneOrMany, Reason, RowText, SegmentFile, Way, WhenText};
use super::path::{Hl7Path, PathError, segment_id};
use super::plan::{Bin, EventPlan, EventSegment, FieldPlan, Hl7Plan, Read};
use super::plan::{SegmentPlan, SegmentRow, When, Withdrawal};
use super::suggest::nearest;
use crate::vocabulary::{Dataset, Diagnostic, GroupName};

/// Rows of one field are counted in the bits of a `u64`.
pub(super) const ROWS_OF_A_FIELD_MAX: usize = 64;

impl Compiler<'_> {
    /// One segment table.
    pub fn segment(&mut self, file: Text<'_>, table: &SegmentFile) -> Option<SegmentPlan> {
        let id = self.note(segment_name(file, &table.segment));
        let group = self.note(group_name(file, &table.group));
        let parents = self.note(segments(file, "parent", table.parent.as_ref()));
        let closes = self.note(segments(file, "closed segment", table.closes.as_ref()));
        let (id, group, parents, closes) = (id?, group?, parents?, closes?);
        let mut rows = Vec::new();
        for row in &table.rows {
            let compiled = self.segment_row(file, id, row);
            rows.extend(self.note(compiled).map(|compiled| (compiled, row)));
        }
        for (index, (row, written)) in rows.iter().enumerate() {
            for (before, _) in rows.iter().take(index) {
                if let Some(message) = clash(before, row) {
                    self.faults.push(file.fault(written.span(), message.0).hint(message.1));
                }
            }
        }
        let mut plan = SegmentPlan { group, parents, closes, ..SegmentPlan::empty(id) };
        for (row, written) in rows {
            let at = plan.fields.partition_point(|field| field.number < row.path.field);
            if plan.fields.get(at).is_none_or(|field| field.number != row.path.field) {
                plan.fields.insert(at, FieldPlan::empty(row.path.field));
            }
            if row.meaning.required {
                plan.required.push(row.path.field);
            }
            let Some(field) = plan.fields.get_mut(at) else { continue };
            if field.rows.len() == ROWS_OF_A_FIELD_MAX {
                self.faults.push(file.fault(written.span(), "a field has at most 64 rows"));
            } else {
                field.insert(field.rows.len(), row);
            }
        }
        for (reasons, bin) in [(&table.carries, Bin::Carried), (&table.drops, Bin::Dropped)] {
            for reason in reasons {
                let path = rest(file, id, reason);
                plan.rest.extend(self.note(path).map(|path| (path, bin)));
            }
        }
        for default in &table.defaults {
            let wire = &default.get_ref().wire;
            let path = own_path(file, id, (wire.get_ref(), wire.span()));
            let text = default.get_ref().is.clone();
            plan.defaults.extend(self.note(path).map(|path| (path, text)));
        }
        for condition in &table.withdrawn {
            let compiled = self.withdrawal(file, &plan, condition);
            plan.withdrawn.extend(self.note(compiled));
        }
        // A deeper path is the more particular one and stands first.
        plan.rest.sort_by_key(|(path, _)| {
            (path.field, path.component == 0, path.subcomponent == 0, path.component)
        });
        Some(plan)
    }

    pub(super) fn segment_row(
        &mut self,
        file: Text<'_>,
        id: [u8; 3],
        row: &Spanned<RowText>,
    ) -> Result<SegmentRow, Diagnostic> {
        let text = row.get_ref();
        let inside = |path: &str, span| own_path(file, id, (path, span));
        let path = inside(text.wire.get_ref(), text.wire.span())?;
        let unit = match &text.unit {
            Some(unit) => Some(inside(unit.get_ref(), unit.span())?),
            None => None,
        };
        let when = match &text.when {
            Some(when) => Some(condition(file, id, when)?),
            None => None,
        };
        if text.shape.is_some() || text.system.is_some() || text.named.is_some() {
            return Err(file.fault(row.span(), "only a row of a document has a shape or system"));
        }
        let meaning = self.meaning(file, row)?;
        if text.also && text.way != Way::In {
            return Err(file
                .fault(row.span(), "what a row reads also, another writes")
                .hint("write way = \"in\""));
        }
        if matches!(meaning.read, Read::Observation(_)) && path.field != 5 {
            return Err(file.fault(text.wire.span(), "only OBX-5 is an observation"));
        }
        let form = text.composite.unwrap_or_default();
        Ok(SegmentRow { path, when, unit, also: text.also, form, meaning })
    }

    /// One condition of `withdrawn`; like a row it must be exercised by an example.
    fn withdrawal(
        &mut self,
        file: Text<'_>,
        plan: &SegmentPlan,
        written: &Spanned<WhenText>,
    ) -> Result<Withdrawal, Diagnostic> {
        let when = condition(file, plan.id, written)?;
        // Misspelled, it would never hold, and what is withdrawn be read as if it stood.
        let named = plan.fields.iter().flat_map(|field| &field.rows).map(|row| &row.path);
        if !named.chain(plan.rest.iter().map(|(path, _)| path)).any(|own| own.overlaps(&when.path))
        {
            let message = format!("no row, `carries` or `drops` names {}", when.path);
            return Err(file.fault(written.span(), message));
        }
        if when.holds("") {
            return Err(file.fault(written.span(), "an empty place withdraws nothing"));
        }
        let place = file.fault(written.span(), "no example exercises this condition");
        self.places.push(place.hint("add an example whose message has it"));
        Ok(Withdrawal { id: self.places.len() - 1, when })
    }

    /// One event file: adds its events to the plan.
    pub fn event(&mut self, file: Text<'_>, table: &EventFile, plan: &mut Hl7Plan) {
        let outcome = self.event_plan(file, table, plan);
        let Some(event) = self.note(outcome).map(Arc::new) else { return };
        let names: Vec<_> = table.event.iter().chain(&table.events).collect();
        if names.is_empty() {
            let span = table.record.span();
            self.faults.push(file.fault(span, "an event file names its event or events"));
        }
        let first = names.first().and_then(|name| event_key(name.get_ref()));
        plan.written.extend(first.map(|key| (key, Arc::clone(&event))));
        for name in names {
            let Some(key) = event_key(name.get_ref()) else {
                let fault = file.fault(name.span(), "an event is written TYPE^EVENT");
                self.faults.push(fault.hint("such as ADT^A01"));
                continue;
            };
            if plan.events.insert(key, Arc::clone(&event)).is_some() {
                let message = format!("event {} stands twice", name.get_ref());
                self.faults.push(file.fault(name.span(), message));
            }
        }
    }

    fn event_plan(
        &mut self,
        file: Text<'_>,
        table: &EventFile,
        plan: &Hl7Plan,
    ) -> Result<EventPlan, Diagnostic> {
        let dataset = Dataset::parse(table.record.get_ref())
            .map_err(|error| file.fault(table.record.span(), error.to_string()))?;
        let mut segments = Vec::new();
        for name in &table.segments {
            let segment = event_segment(file, name, plan);
            segments.extend(self.note(segment));
        }
        let mut time = Vec::new();
        for path in &table.time {
            let path = any_path(file, (path.get_ref(), path.span()));
            time.extend(self.note(path));
        }
        nest(&mut segments);
        let aside = match &table.aside {
            Some(name) => Some(aside(file, name, &segments)?),
            None => None,
        };
        let Some(merge) = &table.merge else {
            return Ok(EventPlan { dataset, segments, time, merge: None, aside });
        };
        let from = any_path(file, (&merge.get_ref().from, merge.span()))?;
        any_path(file, (&merge.get_ref().into, merge.span()))?;
        let source = segments.iter().find(|segment| segment.id == from.segment);
        let Some(source) = source else {
            return Err(file.fault(merge.span(), format!("{from} is in no segment of this event")));
        };
        // What stands aside is carried: no row takes it.
        let is = merge.get_ref().is;
        if aside == Some(from.segment) {
            return Ok(EventPlan { dataset, segments, time, merge: Some((from, is)), aside });
        }
        let mut rows = source.plan.fields.iter().flat_map(|field| &field.rows);
        // Beside the record's own identifiers they would be its own.
        let own = |row: &SegmentRow| source.plan.group.is_none() || !row.is_identifier();
        if rows.any(|row| row.path.overlaps(&from) && own(row)) {
            return Err(file
                .fault(merge.span(), format!("a row takes {from} already"))
                .hint("identifiers that are merged away are not the record's own"));
        }
        Ok(EventPlan { dataset, segments, time, merge: Some((from, is)), aside })
    }
}

/// The segment with which somebody else begins: one the event lists once.
fn aside(
    file: Text<'_>,
    name: &Spanned<String>,
    segments: &[EventSegment],
) -> Result<[u8; 3], Diagnostic> {
    let id = segment_id(name.get_ref());
    id.filter(|id| segments.iter().any(|one| one.id == *id && !one.repeats))
        .ok_or_else(|| file.fault(name.span(), "`aside` names a segment the event lists once"))
}

/// `ADT^A01` as the plan's key.
pub(super) fn event_key(name: &str) -> Option<([u8; 3], [u8; 3])> {
    let (kind, event) = name.split_once('^')?;
    Some((segment_id(kind)?, segment_id(event)?))
}

fn event_segment(
    file: Text<'_>,
    name: &Spanned<String>,
    plan: &Hl7Plan,
) -> Result<EventSegment, Diagnostic> {
    let text = name.get_ref().as_str();
    let id = text.trim_matches(['[', ']', '{', '}']);
    let marks = (text.matches('[').count(), text.matches('{').count());
    let closed = (text.matches(']').count(), text.matches('}').count());
    let found = segment_id(id).filter(|_| marks == closed && marks.0 <= 1 && marks.1 <= 1);
    let Some(found) = found else {
        return Err(file
            .fault(name.span(), "a segment is written PID, [PID], {PID} or [{PID}]")
            .hint("[ ] may be absent, { } may repeat"));
    };
    let Some(table) = plan.segments.get(&found) else {
        let fault = file.fault(name.span(), format!("segment {id} has no table"));
        let known = || plan.segments.keys().filter_map(|id| std::str::from_utf8(id).ok());
        return Err(match nearest(id, known()).filter(|near| near.get(..2) == id.get(..2)) {
            Some(near) => fault.hint(format!("did you mean {near}?")),
            None => fault.hint(format!("write hl7v2/{}.toml", id.to_ascii_lowercase())),
        });
    };
    let (required, repeats) = (marks.0 == 0, marks.1 == 1);
    let parents = table.parents.clone();
    Ok(EventSegment { id: found, plan: Arc::clone(table), required, repeats, parents })
}

/// Keeps the parents an event lists before the segment itself: a specimen holds its orders
/// in OUL^R22, an order its specimens in ORU^R01, and the tables of both serve both.
/// A segment may be listed again where its second place has another parent: a restriction
/// stands behind the patient, and behind the visit.
fn nest(segments: &mut Vec<EventSegment>) {
    let order: Vec<_> = segments.iter().map(|segment| segment.id).collect();
    for segment in segments.iter_mut() {
        let last = order.iter().rposition(|id| *id == segment.id).unwrap_or_default();
        let before = order.get(..last).unwrap_or_default();
        segment.parents.retain(|parent| before.contains(parent));
    }
    let mut seen = Vec::new();
    segments.retain(|segment| {
        let first = !seen.contains(&segment.id);
        seen.push(segment.id);
        first
    });
}

/// Why a row cannot stand beside one before it, and what to do.
pub(super) fn clash(before: &SegmentRow, row: &SegmentRow) -> Option<(String, &'static str)> {
    let told_apart = before.kind() != row.kind();
    let one_way = |way| before.meaning.way == way || row.meaning.way == way;
    let opposite = before.meaning.way != row.meaning.way && !one_way(Way::Both);
    if opposite || told_apart || row.also {
        return None;
    }
    if before.path.overlaps(&row.path) && before.when.is_none() {
        let message = format!("this row can never apply: {} is taken already", before.path);
        return Some((message, "give the rows before it a `when`, or remove one"));
    }
    let conditional = before.when.is_some() || row.when.is_some();
    let back = before.meaning.way != Way::In && row.meaning.way != Way::In;
    if before.meaning.element == row.meaning.element && back && !conditional {
        let message = format!(
            "{} is written from two places: {} and {}",
            row.meaning.element, before.path, row.path
        );
        return Some((message, "write way = \"in\" on one of them"));
    }
    None
}

fn segment_name(file: Text<'_>, name: &Spanned<String>) -> Result<[u8; 3], Diagnostic> {
    let stem = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".toml"));
    let id = segment_id(name.get_ref());
    let id = id.filter(|_| stem == Some(name.get_ref().to_ascii_lowercase().as_str()));
    id.ok_or_else(|| {
        file.fault(name.span(), "a segment table is named after its segment")
            .hint("PID stands in pid.toml")
    })
}

fn group_name(file: Text<'_>, name: &Spanned<String>) -> Result<Option<GroupName>, Diagnostic> {
    match name.get_ref().as_str() {
        "record" => Ok(None),
        text => GroupName::parse(text)
            .map(Some)
            .map_err(|error| file.fault(name.span(), error.to_string())),
    }
}

/// The segments a key of a table names.
fn segments(
    file: Text<'_>,
    what: &str,
    names: Option<&Spanned<OneOrMany>>,
) -> Result<Vec<[u8; 3]>, Diagnostic> {
    let Some(names) = names else { return Ok(Vec::new()) };
    let ids: Option<Vec<_>> = match names.get_ref() {
        OneOrMany::One(name) => segment_id(name).map(|id| vec![id]),
        OneOrMany::Many(names) => names.iter().map(|name| segment_id(name)).collect(),
    };
    ids.ok_or_else(|| file.fault(names.span(), format!("a {what} is a segment id")))
}

fn rest(file: Text<'_>, id: [u8; 3], reason: &Spanned<Reason>) -> Result<Hl7Path, Diagnostic> {
    let text = reason.get_ref();
    if text.why.trim().is_empty() {
        return Err(file.fault(reason.span(), "say why"));
    }
    own_path(file, id, (text.wire.get_ref(), text.wire.span()))
}

/// What another leaf of the segment must say.
fn condition(file: Text<'_>, id: [u8; 3], when: &Spanned<WhenText>) -> Result<When, Diagnostic> {
    let WhenText { wire, is, begins } = when.get_ref();
    let path = own_path(file, id, (wire, when.span()))?;
    if is.is_empty() && begins.is_empty() {
        return Err(file.fault(when.span(), "a condition names at least one value"));
    }
    if begins.iter().any(String::is_empty) {
        return Err(file
            .fault(when.span(), "everything begins with nothing")
            .hint("name at least one character, or leave the condition out"));
    }
    Ok(When { path, is: is.clone(), begins: begins.clone() })
}

/// A path that stays in its table's segment.
fn own_path(
    file: Text<'_>,
    id: [u8; 3],
    (text, span): (&str, std::ops::Range<usize>),
) -> Result<Hl7Path, Diagnostic> {
    let path = any_path(file, (text, span.clone()))?;
    if path.segment == id {
        return Ok(path);
    }
    let id = String::from_utf8_lossy(&id).into_owned();
    Err(file.fault(span, format!("{path} is not in segment {id}")))
}

fn any_path(
    file: Text<'_>,
    (text, span): (&str, std::ops::Range<usize>),
) -> Result<Hl7Path, Diagnostic> {
    Hl7Path::parse(text).map_err(|error: PathError| {
        file.fault(span, format!("`{text}` is no path")).hint(format!("{error}, such as PID-3.4.1"))
    })
}
