//! A message of a record that came in another form: the segments of the event whose dataset
//! is the record's, each filled by its two-way rows.

use std::collections::BTreeMap;

use super::segment::{Slot, Written, fill};
use crate::translate::path::segment_id;
use crate::translate::plan::{EventKey, EventPlan, EventSegment, SegmentPlan};
use crate::translate::{Claim, Pack};
use crate::vocabulary::{Date, ElementId, Group, Record};
use crate::wire::Charset;
use crate::wire::hl7v2::Separators;

/// What the header of a fresh message says beside its event.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// MSH-9, as `ADT^A31`; left out, the event that has most room for the record.
    pub event: Option<String>,
    /// MSH-3 and MSH-4.
    pub sending: (String, String),
    /// MSH-5 and MSH-6.
    pub receiving: (String, String),
    /// MSH-7; left out, the record's own time.
    pub at: Option<Date>,
    /// MSH-10; left out, a digest of the record, so that the same record is the same message.
    pub control_id: Option<String>,
}

/// The edition fresh messages are written in.
const VERSION: &str = "2.5.1";

/// Segments whose first field counts them (SI).
const COUNTED: &[&[u8; 3]] = &[
    b"PID", b"PV1", b"NK1", b"AL1", b"DG1", b"PR1", b"GT1", b"IN1", b"OBR", b"OBX", b"NTE", b"SPM",
    b"TQ1", b"FT1", b"RGS", b"AIS", b"AIG", b"AIL", b"AIP", b"TXA",
];

/// Writes the message, or nothing where no event has room for the record.
pub(super) fn write(pack: &Pack, record: &Record, envelope: &Envelope) -> Option<Vec<u8>> {
    let (key, event) = match &envelope.event {
        Some(name) => named(pack, name)?,
        None => event(pack, record)?,
    };
    let mut writer = Writer { pack, record, event, lines: Vec::new(), counts: BTreeMap::new() };
    writer.header(key, envelope);
    writer.event_type(key);
    for item in writer.order() {
        match item {
            Item::Top(listed) => writer.segment(listed, record.groups.first()),
            Item::Group(index, listed) => writer.segment(listed, record.groups.get(index)),
        }
    }
    Some(writer.lines.concat().into_bytes())
}

/// The event of that name, as `ADT^A31`.
pub(super) fn named<'p>(pack: &'p Pack, name: &str) -> Option<(EventKey, &'p EventPlan)> {
    let (kind, trigger) = name.split_once('^')?;
    let key = (segment_id(kind)?, segment_id(trigger)?);
    pack.hl7.events.get(&key).map(|event| (key, event.as_ref()))
}

/// Whether an event has a place for single facts of an element, which is none for identifiers.
pub(super) fn has_place(event: &EventPlan, element: ElementId) -> bool {
    let top = event.segments.iter().filter(|listed| listed.plan.group.is_none());
    let mut rows = top.flat_map(|listed| listed.plan.fields.iter().flat_map(|field| &field.rows));
    rows.any(|row| row.writes(element) && !row.is_identifier())
}

/// The first event file of the record's dataset; without one, the file whose segments have
/// places for most of its values.
fn event<'p>(pack: &'p Pack, record: &Record) -> Option<(EventKey, &'p EventPlan)> {
    let files = || pack.hl7.written.iter().map(|(key, event)| (*key, event.as_ref()));
    let own = files().filter(|(_, event)| event.dataset == record.dataset);
    // Of equals the first file counts.
    let best = own.rev().max_by_key(|(_, event)| (filled(event, record), homes(event, record)));
    if best.is_some() {
        return best;
    }
    let own = |id: &[u8; 3]| matches!(id, b"MSH" | b"EVN" | b"PID");
    let places = |event: &EventPlan| {
        let rows = |segment: &&EventSegment| segment.plan.group.is_none() || !segment.required;
        let plans = event.segments.iter().filter(rows).map(|segment| &*segment.plan);
        let plans: Vec<_> = plans.collect();
        record
            .fields()
            .filter(|field| plans.iter().any(|plan| has_row(plan, field.element)))
            .count()
    };
    files()
        .filter(|(_, event)| event.merge.is_none_or(|(_, claim)| claim != Claim::Merged))
        .filter(|(_, event)| event.segments.iter().all(|part| !part.required || own(&part.id)))
        .map(|found| (places(found.1), found))
        .filter(|(count, _)| *count > 0)
        // Of equals the first file counts.
        .rev()
        .max_by_key(|(count, _)| *count)
        .map(|(_, found)| found)
}

/// How many groups of a record have a segment in the event.
fn homes(event: &EventPlan, record: &Record) -> usize {
    let listed =
        |group: &&Group| event.segments.iter().any(|listed| listed.plan.group == Some(group.name));
    record.groups.iter().filter(listed).count()
}

/// Whether every segment the event calls for has something to say.
fn filled(event: &EventPlan, record: &Record) -> bool {
    let required = event.segments.iter().filter(|listed| listed.required);
    let mut groups = required.filter_map(|listed| listed.plan.group);
    groups.all(|name| record.groups.iter().any(|group| group.name == name))
}

fn has_row(plan: &SegmentPlan, element: ElementId) -> bool {
    plan.fields.iter().flat_map(|field| &field.rows).any(|row| row.writes(element))
}

/// One segment to be written.
#[derive(Clone, Copy)]
enum Item<'p> {
    /// Of the record's own top group.
    Top(&'p EventSegment),
    /// Of a group, by its index.
    Group(usize, &'p EventSegment),
}

struct Writer<'a> {
    pack: &'a Pack,
    record: &'a Record,
    event: &'a EventPlan,
    lines: Vec<String>,
    counts: BTreeMap<[u8; 3], u32>,
}

impl<'a> Writer<'a> {
    /// MSH, HL7 v2.5 section 2.15.9: what the record says of its message, what the envelope
    /// says instead, and what this message is.
    fn header(&mut self, key: EventKey, envelope: &Envelope) {
        let mut written = Written::default();
        if let (Some(plan), Some(top)) =
            (self.pack.hl7.segments.get(b"MSH"), self.record.groups.first())
        {
            fill(self.pack, plan, top, &mut written);
        }
        let (kind, trigger) = self.key(key, &written);
        let Envelope { sending, receiving, at, control_id, .. } = envelope;
        for (field, text) in
            [(3, &sending.0), (4, &sending.1), (5, &receiving.0), (6, &receiving.1)]
        {
            written.put(Slot::field(field), text);
        }
        written.put_new(Slot::field(3), self.record.source.as_str());
        let at = at.as_ref().or(self.record.time.as_ref());
        written.put(Slot::field(7), at.map(Date::as_str).unwrap_or_default());
        written.clear(9);
        let structure = structure(&kind, &trigger);
        for (component, text) in (1..).zip([&kind, &trigger, &structure]) {
            written.put(Slot { component, ..Slot::field(9) }, text);
        }
        written.put(Slot::field(10), control_id.as_deref().unwrap_or_default());
        written.put_new(Slot::field(10), &digest(self.record));
        written.put_new(Slot::field(11), "P");
        written.clear(12);
        written.put(Slot::field(12), VERSION);
        for (field, text) in [(15, "AL"), (16, "NE"), (17, "CHN")] {
            written.put_new(Slot::field(field), text);
        }
        written.clear(18);
        written.put(Slot::field(18), Charset::Utf8.hl7_name());
        let separators = Separators::default();
        // MSH-1 and MSH-2 are the separators themselves.
        let rest = written.line("", &separators);
        let signs = separators.encoding_characters();
        let rest = rest.trim_start_matches(char::from(separators.field));
        self.lines.push(format!("MSH|{signs}|{rest}"));
        self.counts.insert(*b"MSH", 1);
    }

    /// The event the record itself names, if it is one of the same file; else the file's first.
    fn key(&self, key: EventKey, header: &Written) -> (String, String) {
        let named = |component| header.text(Slot { component, ..Slot::field(9) }).to_owned();
        let own = segment_id(&named(2)).map(|trigger| (key.0, trigger));
        let same = |own: &EventKey| {
            let plan = self.pack.hl7.events.get(own);
            plan.is_some_and(|plan| std::ptr::eq(plan.as_ref(), self.event))
        };
        let (kind, trigger) = own.filter(same).unwrap_or(key);
        (letters(kind), letters(trigger))
    }

    /// EVN-1 and EVN-2 say what the header says; its other fields are rows.
    fn event_type(&mut self, (_, trigger): EventKey) {
        let Some(listed) = self.event.segments.iter().find(|part| part.id == *b"EVN") else {
            return;
        };
        let mut written = self.filled(listed, self.record.groups.first());
        written.put(Slot::field(1), &letters(trigger));
        if let Some(time) = &self.record.time {
            written.put(Slot::field(2), time.as_str());
        }
        self.push(listed, &written);
    }

    /// The segments in the order of the event; what hangs below a group follows it.
    fn order(&self) -> Vec<Item<'a>> {
        let mut below: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        // For each group the nearest one around that is written, itself if it is.
        let mut written: Vec<usize> = Vec::with_capacity(self.record.groups.len());
        for (index, group) in self.record.groups.iter().enumerate() {
            let parent = group.parent.and_then(|parent| usize::try_from(parent).ok());
            let above = parent.and_then(|parent| written.get(parent)).copied().unwrap_or(0);
            let rank = if index == 0 { None } else { self.rank(group) };
            if let Some(rank) = rank {
                below.entry(above).or_default().push((rank, index));
            }
            written.push(if rank.is_some() { index } else { above });
        }
        below.values_mut().for_each(|list| list.sort());
        let top = self.event.segments.iter().enumerate();
        let top = top.filter(|(_, part)| part.plan.group.is_none());
        let mut ranked: Vec<(usize, usize)> = top.map(|(rank, _)| (rank, 0)).collect();
        ranked.extend(below.get(&0).into_iter().flatten());
        ranked.sort();
        let mut order = Vec::new();
        let mut open: Vec<_> = ranked.into_iter().rev().collect();
        // Parents stand before their children, so every group is visited at most once.
        while let Some((rank, index)) = open.pop() {
            let Some(listed) = self.event.segments.get(rank) else { continue };
            if index == 0 {
                order.push(Item::Top(listed));
                continue;
            }
            order.push(Item::Group(index, listed));
            open.extend(below.get(&index).into_iter().flatten().rev());
        }
        order
    }

    /// Which of the event's segments a group is written as: where most of it has a place.
    fn rank(&self, group: &Group) -> Option<usize> {
        let named = self.event.segments.iter().enumerate();
        let named = named.filter(|(_, part)| part.plan.group == Some(group.name));
        let places = |plan: &SegmentPlan| {
            group.fields.iter().filter(|field| has_row(plan, field.element)).count()
        };
        let ranked = named.map(|(rank, part)| (places(&part.plan), rank));
        // A group that holds nothing still has others below it.
        let bare = group.fields.is_empty();
        ranked
            .filter(|(count, _)| bare || *count > 0)
            .rev()
            .max_by_key(|(count, _)| *count)
            .map(|(_, r)| r)
    }

    fn segment(&mut self, listed: &EventSegment, group: Option<&Group>) {
        if self.counts.contains_key(&listed.id) && (!listed.repeats || listed.id == *b"EVN") {
            return;
        }
        let written = self.filled(listed, group);
        let below = group.is_some_and(|group| group.parent.is_some());
        if !written.is_empty() || listed.required || below {
            self.push(listed, &written);
        }
    }

    fn filled(&self, listed: &EventSegment, group: Option<&Group>) -> Written {
        let mut written = Written::default();
        if let Some(group) = group {
            fill(self.pack, &listed.plan, group, &mut written);
        }
        let time = self.event.time.first().filter(|path| path.segment == listed.id);
        let first = !self.counts.contains_key(&listed.id) && !written.is_empty();
        if let (Some(path), Some(time), true) = (time, &self.record.time, first) {
            written.put_new(Slot::at(path, 1), time.as_str());
        }
        if !written.is_empty() || listed.required {
            for (path, text) in &listed.plan.defaults {
                written.put_new(Slot::at(path, 1), text);
            }
        }
        written
    }

    fn push(&mut self, listed: &EventSegment, written: &Written) {
        let count = self.counts.entry(listed.id).or_insert(0);
        *count += 1;
        let mut written = written.clone();
        if COUNTED.contains(&&listed.id) {
            written.put_new(Slot::field(1), &count.to_string());
        }
        let separators = Separators::default();
        self.lines.push(written.line(&letters(listed.id), &separators));
    }
}

fn letters(id: [u8; 3]) -> String {
    String::from_utf8_lossy(&id).into_owned()
}

/// MSH-9.3, HL7 table 0354 where the structure is named after another event.
fn structure(kind: &str, trigger: &str) -> String {
    let named = match (kind, trigger) {
        ("ADT", "A04" | "A08" | "A13") => "A01",
        ("ADT", "A14" | "A28" | "A31") => "A05",
        ("ADT", "A07") => "A06",
        ("ADT", "A10" | "A11") => "A09",
        ("ADT", "A22" | "A23" | "A25" | "A26" | "A27" | "A29" | "A32" | "A33") => "A21",
        ("ADT", "A40" | "A41" | "A42") => "A39",
        ("ADT", "A46" | "A47" | "A48" | "A49") => "A30",
        ("ADT", "A44") => "A43",
        ("ADT", "A51") => "A50",
        ("SIU", _) => "S12",
        ("REF" | "RRI", _) => "I12",
        ("MDM", "T03" | "T05" | "T07" | "T09" | "T11") => "T01",
        ("MDM", "T04" | "T06" | "T08" | "T10") => "T02",
        (_, own) => own,
    };
    format!("{kind}_{named}")
}

/// Twenty letters, as many as MSH-10 has in 2.4.
fn digest(record: &Record) -> String {
    use sha2::{Digest, Sha256};
    let kept = serde_json::to_vec(record).unwrap_or_default();
    let digest = Sha256::digest(&kept);
    digest.iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}
