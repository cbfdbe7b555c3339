//! HL7 v3 消息, what a message of the exchange services is beside its mapping file: the
//! document inside it, the two persons of a merge, the names of one request.
//!
//! A registration and the clinical document it brings are one unit, so they become one
//! record: what the document says, and beside it what the message says of it.

use super::form::{Form, Limits, Unread};
use super::{Bins, Claim, FIRST_UNMAPPED_MAX, Merge, Pack, Translation, document};
use crate::vocabulary::{
    Dataset, ElementId, Fault, Field, GroupName, Position, Record, Source, Value,
};
use crate::wire::xml::{self, Document};

/// The dataset of a person as a query is answered with one.
pub const FOUND: Dataset = Dataset::fixed("person-found");
/// What is entered in a register of its own, and the element it is known by there.
pub const LISTED: &[(Dataset, ElementId)] = &[
    (Dataset::fixed("staff"), ElementId::fixed("MZ.employee.id")),
    (Dataset::fixed("organisation"), ElementId::fixed("MZ.organisation.id")),
];
/// The group of the numbers that are merged away.
const MERGED: GroupName = GroupName::fixed("merged");
/// 文档内容
const CONTENT: ElementId = ElementId::fixed("MZ.document.content");

/// Requests that say the same as another, after whose name their mapping file is called; and
/// those the suite writes with and without a version.
const SAME: &[(&str, &str)] = &[
    ("PRPA_IN201314UV02", "PRPA_IN201311UV02"),
    ("PRPM_IN303010UV01", "PRPM_IN301010UV01"),
    ("PRPM_IN403010UV01", "PRPM_IN401030UV01"),
    ("PRPA_IN400001UV01", "PRPA_IN400001UV"),
    ("PRPA_IN400002UV", "PRPA_IN400001UV"),
    ("PRPA_IN400002UV01", "PRPA_IN400001UV"),
    ("PRPA_IN400003UV", "PRPA_IN400001UV"),
    ("PRPA_IN400003UV01", "PRPA_IN400001UV"),
    ("PRPA_IN302011UV01", "PRPA_IN302011UV"),
    ("PRPA_IN302012UV", "PRPA_IN302011UV"),
    ("PRPA_IN302012UV01", "PRPA_IN302011UV"),
    ("POOR_IN200901UV01", "POOR_IN200901UV"),
    ("POOR_IN200902UV", "POOR_IN200901UV"),
    ("POOR_IN200902UV01", "POOR_IN200901UV"),
];

/// Reads one message of a platform, and the document in it.
pub(super) fn read(
    pack: &Pack,
    (form, sender): (Form, Source),
    (bytes, limits): (&[u8], &Limits),
) -> Result<Vec<Translation>, Unread> {
    let mut found = xml::read(bytes, &limits.xml).map_err(|error| Unread {
        fault: error.fault(),
        at: Some(error.position().clone()),
        diagnostic: Some(error.diagnostic()),
        replayable: false,
    })?;
    if let Some((_, named)) = SAME.iter().find(|(name, _)| *name == found.root) {
        (*named).clone_into(&mut found.root);
    }
    let mut message = document::read_xml(pack, (form.name(), sender), &found, None)?;
    message.merge = merge(&message.record);
    let Some(content) = clinical(&message.record) else { return Ok(vec![message]) };
    match pack.read((Form::Cda, sender), content, limits) {
        Ok(inner) => Ok(inner.into_iter().map(|inner| joined(inner, &message)).collect()),
        // A document of a kind nobody maps is kept whole, as the message says it is.
        Err(unread) if unread.fault == Fault::UnsupportedMessage => Ok(vec![message]),
        Err(unread) => Err(unread),
    }
}

/// What was found, as a message of that form holds it: a person, staff or an organisation;
/// `None` if the form has no file for it.
#[must_use]
pub fn write(pack: &Pack, form: Form, mut record: Record) -> Option<Document> {
    let listed = LISTED.iter().find(|(_, number)| record.values(*number).next().is_some());
    record.dataset = listed.map_or(FOUND, |(dataset, _)| *dataset);
    document::write_xml(pack, form.name(), &record)
}

/// A record as the file of a dialect that is for its dataset writes it; `None` if there is none,
/// or nothing to say.
#[must_use]
pub fn write_as(pack: &Pack, dialect: &str, record: &Record) -> Option<Document> {
    document::write_xml(pack, dialect, record)
}

/// Whether such a message has a place for single facts of an element; `None` if no file of the
/// dialect is for that dataset. Identifiers have no place here, as in
/// [HL7 v2](Pack::hl7_tells).
#[must_use]
pub fn tells(pack: &Pack, written: (&str, Dataset), element: ElementId) -> Option<bool> {
    document::has_place(pack, written, element)
}

/// Who is merged away, where a message says that two are one.
fn merge(record: &Record) -> Option<Merge> {
    let merged = record.groups.iter().filter(|group| group.name == MERGED);
    let fields = merged.flat_map(|group| &group.fields);
    let from: Vec<_> = fields
        .filter_map(|field| match &field.value {
            Value::Identifier(identifier) => {
                let nowhere = || Position::Pointer(String::new());
                Some((identifier.clone(), field.at.clone().unwrap_or_else(nowhere)))
            }
            _ => None,
        })
        .collect();
    (!from.is_empty()).then_some(Merge { from, claim: Claim::Merged })
}

/// The bytes of a clinical document, if the message holds one. The payload is not always
/// CDA: vendors send what they like, in the character set they like.
fn clinical(record: &Record) -> Option<&[u8]> {
    let bytes = record.values(CONTENT).find_map(|value| match value {
        Value::Bytes(bytes) => Some(bytes.as_slice()),
        _ => None,
    })?;
    is_clinical(bytes).then_some(bytes)
}

/// Whether bytes hold a clinical document; its root is ASCII in every character set but
/// UTF-16, in which no platform sends one.
#[must_use]
pub fn is_clinical(bytes: &[u8]) -> bool {
    const ROOT: &[u8] = b"ClinicalDocument";
    bytes.windows(ROOT.len()).any(|here| here == ROOT)
}

/// The document, with what the message says beside it.
fn joined(mut document: Translation, message: &Translation) -> Translation {
    let has = |fields: &[Field], field: &Field| {
        fields.iter().any(|own| own.element == field.element && own.value == field.value)
    };
    let (first, others) = match message.record.groups.split_first() {
        Some((first, others)) => (first.fields.as_slice(), others),
        None => (&[] as &[Field], &[] as &[_]),
    };
    if let Some(top) = document.record.groups.first_mut() {
        // What both say is said once, as the document says it.
        let more: Vec<_> = first.iter().filter(|field| !has(&top.fields, field)).cloned().collect();
        top.fields.extend(more);
    }
    let shift = u32::try_from(document.record.groups.len().saturating_sub(1)).unwrap_or(u32::MAX);
    for group in others {
        let mut group = group.clone();
        group.parent =
            group.parent.map(|parent| if parent == 0 { 0 } else { parent.saturating_add(shift) });
        document.record.groups.push(group);
    }
    document.record.carried.extend(message.record.carried.iter().cloned());
    let Bins { mapped, carried, dropped, unmapped, first_unmapped, notes } = &message.bins;
    document.bins.notes.extend(notes.iter().cloned());
    document.bins.mapped += mapped;
    document.bins.carried += carried;
    document.bins.dropped += dropped;
    document.bins.unmapped += unmapped;
    document.bins.first_unmapped.extend(first_unmapped.iter().cloned());
    document.bins.first_unmapped.truncate(FIRST_UNMAPPED_MAX);
    document
}
