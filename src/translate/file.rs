//! The mapping files as they are written: shapes only, strict about their keys.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::Claim;

use crate::vocabulary::IdentifierKind;

/// `hl7v2/pid.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentFile {
    pub segment: Spanned<String>,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub source: String,
    pub group: Spanned<String>,
    pub parent: Option<Spanned<OneOrMany>>,
    /// Segments whose groups end here: what follows does not hang below them.
    pub closes: Option<Spanned<OneOrMany>>,
    /// Where one of these holds, the segment takes back or denies what it says.
    #[serde(default)]
    pub withdrawn: Vec<Spanned<WhenText>>,
    #[serde(default)]
    pub rows: Vec<Spanned<RowText>>,
    #[serde(default)]
    pub carries: Vec<Spanned<Reason>>,
    #[serde(default)]
    pub drops: Vec<Spanned<Reason>>,
    #[serde(default)]
    pub defaults: Vec<Spanned<DefaultText>>,
    #[serde(default)]
    pub example: Vec<Spanned<ExampleText>>,
}

/// `hl7v2/adt_a01.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventFile {
    pub event: Option<Spanned<String>>,
    #[serde(default)]
    pub events: Vec<Spanned<String>>,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub source: String,
    pub record: Spanned<String>,
    pub segments: Vec<Spanned<String>>,
    #[serde(default)]
    pub time: Vec<Spanned<String>>,
    pub merge: Option<Spanned<MergeText>>,
    /// From the second segment of this name on, all speaks of somebody else and is carried.
    pub aside: Option<Spanned<String>>,
    #[serde(default)]
    pub example: Vec<Spanned<ExampleText>>,
}

/// `hl7v2/identifiers.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentifiersFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    pub title: Option<String>,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub source: Option<String>,
    pub kinds: BTreeMap<String, IdentifierKind>,
}

/// `senders/hospital-a.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SenderFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    pub title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub source: Option<String>,
    pub charset: Option<Spanned<String>>,
    pub authority: Option<String>,
    #[serde(default)]
    pub kinds: BTreeMap<String, IdentifierKind>,
    #[serde(default)]
    pub codes: BTreeMap<Spanned<String>, BTreeMap<String, String>>,
    #[serde(default)]
    pub repairs: Vec<Repair>,
    /// Processing ids (MSH-11) whose messages are applied beside those of production.
    #[serde(default)]
    pub processing: Vec<Processing>,
    /// Rows of this sender alone, before those of the segment's table.
    #[serde(default)]
    pub rows: Vec<Spanned<RowText>>,
    #[serde(default)]
    pub example: Vec<Spanned<ExampleText>>,
}

/// What may be mended in one sender's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Repair {
    /// Dates written `2026-11-21 08:30:00` are read too, and `2026-1-8 8:05` with its zeros.
    IsoDates,
    /// Spaces around codes, dates, numbers and identifiers are taken away.
    Trim,
}

/// HL7 table 0103 without production, which is applied of every sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Processing {
    /// A system that is being mended.
    #[serde(rename = "D")]
    Debugging,
    /// A system on which people learn.
    #[serde(rename = "T")]
    Training,
}

/// One row: a place on the wire and what it means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowText {
    pub wire: Spanned<String>,
    pub element: Spanned<ElementText>,
    #[serde(rename = "as")]
    pub form: Option<Spanned<As>>,
    pub kind: Option<IdentifierKind>,
    pub codes: Option<Spanned<String>>,
    #[serde(default)]
    pub unknown: Unknown,
    pub unit: Option<Spanned<String>>,
    pub when: Option<Spanned<WhenText>>,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub strict: bool,
    /// Reads leaves that a row before it has taken: the name beside its code.
    #[serde(default)]
    pub also: bool,
    #[serde(default)]
    pub way: Way,
    /// Which composite stands there, where a value may be one of several.
    #[serde(rename = "form")]
    pub composite: Option<NameForm>,
    /// Which spelling of its type a document has.
    pub shape: Option<Spanned<String>>,
    /// The coding system or assigner a document names beside the value, and its name.
    pub system: Option<String>,
    pub named: Option<String>,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub note: Option<String>,
}

/// One element, or one for each type an observation may have.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum ElementText {
    One(String),
    ByType(ByType),
}

/// The elements of an observation.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ByType {
    pub quantity: Option<String>,
    pub code: Option<String>,
    pub text: Option<String>,
    pub date: Option<String>,
    pub bytes: Option<String>,
}

/// How a value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum As {
    Address,
    Boolean,
    Bytes,
    Code,
    Date,
    Identifier,
    Name,
    Observation,
    Organization,
    Person,
    Place,
    Quantity,
    Telecom,
    Text,
}

/// What becomes of a code its table does not list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Unknown {
    #[default]
    Keep,
    Refuse,
}

/// Which ways a row is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Way {
    #[default]
    Both,
    In,
    Out,
}

/// The composite a value stands in (HL7 v2.5 section 2.A): a name in XPN, or in XCN behind a
/// number; an identifier in CX, or in EI; an organization in XON, or in HD; a place in PL,
/// or in HD.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) enum NameForm {
    #[serde(rename = "EI")]
    Ei,
    #[serde(rename = "HD")]
    Hd,
    #[serde(rename = "XCN")]
    Xcn,
    #[default]
    #[serde(rename = "XPN")]
    Xpn,
}

/// The row holds only where another leaf says one of these, or begins with one of those.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhenText {
    pub wire: String,
    #[serde(default)]
    pub is: Vec<String>,
    #[serde(default)]
    pub begins: Vec<String>,
}

/// `defaults`: written where no row of a segment wrote.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultText {
    pub wire: Spanned<String>,
    pub is: String,
}

/// `carries` and `drops`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    pub wire: Spanned<String>,
    pub why: String,
}

/// Who is merged into whom, or what else is said of the two.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MergeText {
    /// Of the segment that stands aside, if the event has one of this name.
    pub from: String,
    pub into: String,
    #[serde(default)]
    pub is: Claim,
}

/// One segment id, or several of which the nearest counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    Many(Vec<String>),
    One(String),
}

/// `[[example]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExampleText {
    pub title: String,
    pub given: Spanned<String>,
    pub expect: Spanned<toml::Value>,
    pub sender: Option<String>,
    /// The moment derived facts are asked at, ISO 8601.
    pub now: Option<String>,
}
