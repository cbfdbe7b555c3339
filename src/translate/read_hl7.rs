//! One pass over an HL7 v2 message: segments to groups, leaves to values and bins.
//!
//! Every leaf of the message passes through [`Reader::close`] exactly once, which
//! is where it is counted: the four bins always sum to the number of leaves.

use std::ops::Range;
use std::sync::Arc;

use super::error::{TranslateError, header};
use super::leaf::{Leaf, Leaves};
use super::overlay::Overlay;
use super::path::{Hl7Path, segment_id};
use super::plan::{Bin, EventPlan, EventSegment, FieldPlan, RowId, Rows};
use super::plan::{SegmentPlan, SegmentRow, When};
use super::reading::{Reading, accepted, identifier, with_authority};
use super::value::{self, Wrong};
use super::write_hl7::{Frame, expand};
use super::{Bins, Claim, FIRST_UNMAPPED_MAX, Merge, Pack, Translation};
use crate::vocabulary::Source;
use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::record::Carried;
use crate::vocabulary::{Date, Field, Group, GroupName, IdentifierKind, Position, Record, Value};
use crate::wire::hl7v2::{Message, Segment};

/// Reads a whole message. `fired` gathers the rows that took a value.
pub(super) fn read(
    pack: &Pack,
    (sender, overlay): (Source, &Overlay),
    message: &Message,
    fired: Option<&mut Vec<bool>>,
) -> Result<Translation, TranslateError> {
    let event = event(pack, overlay, message)?;
    let mut reader = Reader::new(pack, &event, (sender, overlay), fired);
    let mut leaves = Leaves::default();
    let mut frame = Frame::new(message);
    for segment in message.segments() {
        fill(&mut leaves, message, segment);
        reader.segment(&mut leaves, segment)?;
        reader.close(segment.id(), &mut leaves);
        frame.segment(&leaves);
    }
    reader.record.wire = Some(frame.finish());
    reader.finish()
}

/// The event's plan, after what MSH must say for any event.
fn event(
    pack: &Pack,
    overlay: &Overlay,
    message: &Message,
) -> Result<Arc<EventPlan>, TranslateError> {
    let head = message.header();
    // Its second component, the processing mode, changes nothing here.
    let processing = head.processing_id.split(|sign: char| !sign.is_ascii_alphanumeric()).next();
    if !processing.is_some_and(|id| overlay.applies(id)) {
        return Err(TranslateError::UnsupportedProcessing(header(11, 1)));
    }
    // HL7 table 0104; minor editions such as 2.5.1 count with their edition.
    let edition = head.version.as_bytes();
    let known = matches!(edition, [b'2', b'.', b'1'..=b'9'] | [b'2', b'.', b'1'..=b'9', b'.', ..]);
    if !known {
        return Err(TranslateError::UnsupportedVersion(header(12, 1)));
    }
    let kind = segment_id(&head.message_type);
    let trigger = segment_id(&head.trigger);
    let key = kind.zip(trigger);
    if let Some(event) = key.and_then(|key| pack.hl7.events.get(&key)) {
        return Ok(Arc::clone(event));
    }
    let known = pack.hl7.events.keys().any(|(known, _)| Some(*known) == kind);
    Err(if known {
        TranslateError::UnsupportedEvent(header(9, 2))
    } else {
        TranslateError::UnsupportedMessage(header(9, 1))
    })
}

/// The leaves of one segment, with their escapes read.
fn fill<'m>(leaves: &mut Leaves<'m>, message: &'m Message, segment: Segment<'m>) {
    leaves.0.clear();
    let separators = segment.id() == *b"MSH";
    let escape = message.header().separators.escape;
    leaves.0.extend(segment.spans().map(|(at, span)| {
        let raw = message.text().get(span.clone()).unwrap_or_default();
        let text = match at.field {
            // MSH-1 and MSH-2 are the separators themselves.
            1 | 2 if separators => raw.into(),
            // Nearly every leaf: no sequence begins in it.
            _ if !raw.as_bytes().contains(&escape) => raw.into(),
            _ => message.unescape(raw),
        };
        Leaf { at, text, bin: None, span, exact: false }
    }));
}

/// Where what hangs below a segment goes.
#[derive(Clone, Copy)]
struct Opened {
    id: [u8; 3],
    /// The group its values went to; of a withdrawn segment the one that they would have opened.
    group: u32,
    /// Whether it took back or denied what it said, and so what hangs below it.
    withdrawn: bool,
}

struct Reader<'p, 'f> {
    pack: &'p Pack,
    event: &'p EventPlan,
    overlay: &'p Overlay,
    record: Record,
    bins: Bins,
    merge: Option<Merge>,
    /// The record's time, by its rank in [`EventPlan::time`].
    time: Option<(usize, Date)>,
    /// For each segment of the event: how many came.
    seen: Vec<u32>,
    /// The last occurrence of each segment.
    open: Vec<Opened>,
    /// Whether somebody else is spoken of by now.
    aside: bool,
    fired: Option<&'f mut Vec<bool>>,
}

impl<'p, 'f> Reader<'p, 'f> {
    fn new(
        pack: &'p Pack,
        event: &'p EventPlan,
        (sender, overlay): (Source, &'p Overlay),
        fired: Option<&'f mut Vec<bool>>,
    ) -> Self {
        let top = Group { name: pack.top, parent: None, fields: Vec::with_capacity(32) };
        let record = Record {
            dataset: event.dataset,
            source: sender,
            time: None,
            groups: vec![top],
            carried: Vec::with_capacity(32),
            wire: None,
            mappings: pack.version.clone(),
        };
        let merge = event.merge.map(|(_, claim)| Merge { from: Vec::new(), claim });
        let (time, seen) = (None, vec![0; event.segments.len()]);
        let (bins, open) = (Bins::default(), Vec::new());
        let aside = false;
        Self { pack, event, overlay, record, bins, merge, time, seen, open, aside, fired }
    }

    fn segment(
        &mut self,
        leaves: &mut Leaves<'_>,
        segment: Segment<'_>,
    ) -> Result<(), TranslateError> {
        let id = segment.id();
        let listed = self.event.segments.iter().position(|listed| listed.id == id);
        let Some(index) = listed else { return Ok(()) };
        let Some(EventSegment { plan, repeats, parents, .. }) = self.event.segments.get(index)
        else {
            return Ok(());
        };
        let count = self.seen.get_mut(index).map_or(0, |count| {
            *count += 1;
            *count
        });
        if self.aside || (count > 1 && self.event.aside == Some(id)) {
            self.aside = true;
            // Whose second occurrence it is, is all that is read of it; it is carried whole.
            if self.event.aside == Some(id) {
                self.note_merge(leaves, plan);
            }
            return Ok(());
        }
        if count > 1 && !repeats {
            return Err(TranslateError::SegmentRepeated(segment.position().into()));
        }
        // A sender's own rows stand before those of the table.
        let plan = self.overlay.segments.get(&id).unwrap_or(plan);
        if self.withdraws(leaves, plan, parents) {
            leaves.take_all(&(0..leaves.0.len()), Bin::Carried);
            return Ok(());
        }
        self.note_time(leaves, id);
        if self.event.aside != Some(id) {
            self.note_merge(leaves, plan);
        }
        let group = self.group(plan, parents);
        let mut next = 0;
        while let Some(leaf) = leaves.0.get(next) {
            let number = leaf.at.field;
            let run = next..leaves.end_of_field(next);
            next = run.end;
            if let Ok(at) = plan.fields.binary_search_by_key(&number, |field| field.number)
                && let Some(field) = plan.fields.get(at)
            {
                self.field(leaves, field, (&run, group))?;
            }
        }
        missing(leaves, plan, segment.occurrence())
    }

    /// The index of the group a segment's values go to.
    fn group(&mut self, plan: &SegmentPlan, parents: &[[u8; 3]]) -> u32 {
        let group = match plan.group {
            None => 0,
            Some(name) => self.open_group(name, parents),
        };
        self.opens(plan, Opened { id: plan.id, group, withdrawn: false });
        group
    }

    /// Whether a segment takes back or denies what it says, or hangs below one that does.
    fn withdraws(&mut self, leaves: &Leaves<'_>, plan: &SegmentPlan, parents: &[[u8; 3]]) -> bool {
        let said = |path: &Hl7Path| leaves.at(&leaves.field(path.field), path);
        let holds = |when: &When| {
            said(&when.path)
                .is_some_and(|at| when.holds(value::trimmed(leaves.text(at), self.overlay)))
        };
        let own = plan.withdrawn.iter().find(|own| holds(&own.when));
        if let Some(own) = own {
            self.fire(own.id);
        }
        let below = plan.group.is_some() && self.nearest(parents).is_some_and(|one| one.withdrawn);
        let withdrawn = own.is_some() || below;
        if withdrawn && plan.group.is_some() {
            let group = self.next_group();
            self.opens(plan, Opened { id: plan.id, group, withdrawn });
        }
        withdrawn
    }

    /// Notes a segment as the last of its id, and ends the groups it closes.
    fn opens(&mut self, plan: &SegmentPlan, opened: Opened) {
        self.open.retain(|one| one.id != opened.id && !plan.closes.contains(&one.id));
        self.open.push(opened);
    }

    /// The nearest preceding segment of one of these ids.
    fn nearest(&self, parents: &[[u8; 3]]) -> Option<Opened> {
        let opened = self.open.iter().filter(|one| parents.contains(&one.id));
        // Groups are numbered in order, so the nearest is the highest; of one number the group
        // that is there came after the segment that did not open it.
        opened.max_by_key(|one| (one.group, !one.withdrawn)).copied()
    }

    /// The number of the group that is opened next.
    fn next_group(&self) -> u32 {
        // The reader's limits keep segments, and so groups, far below 2³².
        u32::try_from(self.record.groups.len()).unwrap_or(u32::MAX)
    }

    fn open_group(&mut self, name: GroupName, parents: &[[u8; 3]]) -> u32 {
        let parent = self.nearest(parents).map_or(0, |one| one.group);
        let index = self.next_group();
        let fields = Vec::with_capacity(8);
        self.record.groups.push(Group { name, parent: Some(parent), fields });
        index
    }

    fn note_time(&mut self, leaves: &Leaves<'_>, id: [u8; 3]) {
        for (rank, path) in self.event.time.iter().enumerate() {
            let better = self.time.as_ref().is_none_or(|(known, _)| rank < *known);
            if path.segment != id || !better {
                continue;
            }
            let at = leaves.at(&leaves.field(path.field), path);
            let date = at.and_then(|at| value::date(leaves.text(at), self.overlay).ok());
            self.time = date.map(|date| (rank, date)).or_else(|| self.time.take());
        }
    }

    fn note_merge(&mut self, leaves: &mut Leaves<'_>, plan: &SegmentPlan) {
        let said = self.event.merge.filter(|(path, _)| path.segment == plan.id);
        let Some((path, _)) = said else { return };
        let mut rest = leaves.field(path.field);
        while let Some(repetition) = leaves.repetition(&rest) {
            rest.start = repetition.end;
            if leaves.null(&repetition) {
                continue;
            }
            let at = place(leaves, &repetition, &path);
            let kind = self.kind_of(leaves, &repetition).unwrap_or(IdentifierKind::Local);
            let found = identifier(leaves, &repetition, kind, path.component);
            if let (Some(merge), Some(found)) = (&mut self.merge, found) {
                let found = with_authority(found, self.overlay, self.record.source);
                merge.from.push((found, at.into()));
            }
            // A row of the table may keep them with the record as well.
            if self.aside || plan.fields.iter().any(|field| field.number == path.field) {
                leaves.release(&repetition);
            }
        }
    }

    fn field(
        &mut self,
        leaves: &mut Leaves<'_>,
        plan: &FieldPlan,
        (field, group): (&Range<usize>, u32),
    ) -> Result<(), TranslateError> {
        let mut took: Rows = 0;
        let mut rest = field.clone();
        while let Some(repetition) = leaves.repetition(&rest) {
            rest.start = repetition.end;
            let mut unread = 0..0;
            let known = if plan.identifies { self.kind_of(leaves, &repetition) } else { None };
            let holding = plan.holding(leaves, &repetition);
            for (index, row) in plan.rows.iter().enumerate() {
                if holding & FieldPlan::bit(index) == 0 {
                    continue;
                }
                let part = leaves.part(&repetition, &row.path);
                if leaves.taken(&part) && (!row.also || part.is_empty()) {
                    continue;
                }
                let Some(kind) = accepted(plan, row, known) else { continue };
                if leaves.null(&part) {
                    leaves.take_all(&part, Bin::Carried);
                    continue;
                }
                let (overlay, source) = (self.overlay, self.record.source);
                let within = repetition.clone();
                let reading = Reading { row, overlay, source, repetition: within, kind };
                match self.row(leaves, &reading, (&part, group))? {
                    true => took |= FieldPlan::bit(index),
                    false => unread = part,
                }
            }
            // What its row could not read is kept as text.
            leaves.take_all(&unread, Bin::Carried);
        }
        let empty = |(index, row): &(usize, &SegmentRow)| {
            // Asked first: the rest looks at every row for every row.
            row.meaning.required && {
                let rows = plan.rows.iter().enumerate();
                let same = rows.filter(|(_, other)| other.path == row.path);
                let bits = same.fold(0, |bits, (other, _)| bits | FieldPlan::bit(other));
                took & bits == 0 && plan.holding(leaves, field) & FieldPlan::bit(*index) != 0
            }
        };
        match plan.rows.iter().enumerate().find(empty) {
            Some((_, row)) => {
                let at = place(leaves, field, &row.path);
                Err(TranslateError::Missing(Hl7Position { repetition: 1, ..at }.into()))
            }
            None => Ok(()),
        }
    }

    /// Whether the row took a value from its part.
    fn row(
        &mut self,
        leaves: &mut Leaves<'_>,
        reading: &Reading<'_>,
        (part, group): (&Range<usize>, u32),
    ) -> Result<bool, TranslateError> {
        let meaning = &reading.row.meaning;
        let at = place(leaves, part, &reading.row.path);
        match reading.value(leaves, part) {
            Ok((element, value)) => {
                note_exact(leaves, part, (&value, &at));
                self.push(group, Field { element, value, at: Some(Position::Hl7(at)) });
                self.fire(meaning.id);
                Ok(true)
            }
            Err(Wrong::Code) => Err(TranslateError::TableValue(at.into())),
            Err(Wrong::Type) if meaning.strict => Err(TranslateError::DataType(at.into())),
            // A later row may still read it; see `field`.
            Err(Wrong::Absent | Wrong::Type) => Ok(false),
        }
    }

    /// Notes that a row took a value, or a condition held.
    fn fire(&mut self, id: RowId) {
        if let Some(fired) = self.fired.as_mut().and_then(|rows| rows.get_mut(id)) {
            *fired = true;
        }
    }

    /// The kind a repetition's type code (CX-5) names, if it is known.
    fn kind_of(&self, leaves: &Leaves<'_>, repetition: &Range<usize>) -> Option<IdentifierKind> {
        let code = leaves.find(repetition, 5, 1).map(|at| leaves.text(at))?;
        self.overlay.kinds.get(code).or_else(|| self.pack.hl7.kinds.get(code)).copied()
    }

    fn push(&mut self, group: u32, field: Field) {
        let index = usize::try_from(group).unwrap_or(0);
        if let Some(group) = self.record.groups.get_mut(index) {
            group.fields.push(field);
        }
    }

    /// Counts every leaf of a segment into its bin; what is not mapped or dropped is kept.
    fn close(&mut self, id: [u8; 3], leaves: &mut Leaves<'_>) {
        let listed = self.event.segments.iter().find(|listed| listed.id == id);
        for leaf in &mut leaves.0 {
            let rest = || match listed {
                Some(_) if self.aside => Bin::Carried,
                Some(listed) => listed.plan.rest(&leaf.at),
                None => Bin::Unmapped,
            };
            let bin = leaf.bin.unwrap_or_else(rest);
            self.bins.count(bin);
            if matches!(bin, Bin::Mapped | Bin::Dropped) {
                continue;
            }
            let at = Position::Hl7(leaf.at);
            if bin == Bin::Unmapped && self.bins.first_unmapped.len() < FIRST_UNMAPPED_MAX {
                self.bins.first_unmapped.push(at.clone());
            }
            leaf.exact = true;
            self.record.carried.push(Carried { at, text: leaf.text.clone().into_owned() });
        }
    }

    fn finish(mut self) -> Result<Translation, TranslateError> {
        let segments = self.event.segments.iter().zip(&self.seen);
        for (segment, count) in segments {
            if segment.required && *count == 0 {
                let at = Hl7Position::segment(segment.id, 1);
                return Err(TranslateError::SegmentMissing(at.into()));
            }
        }
        if let (Some(merge), Some((path, Claim::Merged))) = (&self.merge, self.event.merge)
            && merge.from.is_empty()
        {
            return Err(TranslateError::Missing(path.position(1, 1).into()));
        }
        self.record.time = self.time.map(|(_, date)| date);
        Ok(Translation { record: self.record, merge: self.merge, veiled: None, bins: self.bins })
    }
}

/// A required field in which nothing stands at all.
fn missing(leaves: &Leaves<'_>, plan: &SegmentPlan, occurrence: u32) -> Result<(), TranslateError> {
    let absent = plan.required.iter().filter(|number| leaves.field(**number).is_empty());
    let mut fields = absent.flat_map(|number| plan.fields.iter().filter(|f| f.number == *number));
    let wanted = |field: &'_ FieldPlan| {
        let holding = field.holding(leaves, &(0..0));
        let required = |(index, row): &(usize, &SegmentRow)| {
            row.meaning.required && holding & FieldPlan::bit(*index) != 0
        };
        field.rows.iter().enumerate().find(required).map(|(_, row)| row.path)
    };
    match fields.find_map(wanted) {
        Some(path) => Err(TranslateError::Missing(path.position(occurrence, 1).into())),
        None => Ok(()),
    }
}

/// Marks the leaves that writing the value gives back.
fn note_exact(leaves: &mut Leaves<'_>, part: &Range<usize>, (value, at): (&Value, &Hl7Position)) {
    let part = leaves.slice_mut(part);
    expand(value, at, &mut |component, subcomponent, text| {
        let own = |leaf: &&mut Leaf<'_>| {
            leaf.at.component == component && leaf.at.subcomponent == subcomponent
        };
        if let Some(leaf) = part.iter_mut().find(own) {
            leaf.exact = leaf.text == text;
        }
    });
}

/// Where a part stands, as its path counts.
fn place(leaves: &Leaves<'_>, part: &Range<usize>, path: &Hl7Path) -> Hl7Position {
    let first = leaves.slice(part).first().map(|leaf| leaf.at);
    let (occurrence, repetition) = first.map_or((1, 1), |at| (at.occurrence, at.repetition));
    path.position(occurrence, repetition)
}
