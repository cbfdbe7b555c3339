//! 民政接口, our published JSON interface for civil-affairs systems: the answer and the refusal.
//!
//! An unknown person, a person without data and a person whose data are withheld get
//! the same answer, byte by byte, but for the receipt and the time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::policy::{Bilingual, ConsentTerms, LegalBasis, Release, Released, Treated, Withheld};
use crate::vocabulary::{
    Coding, Date, ElementId, Fault, Freshness, Position, Purpose, Source, Value,
};

/// One source of the answer. What stands here depends on the purpose and on what is up,
/// not on whether the source knows the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceReport {
    /// The source.
    pub source: Source,
    /// How it was come by.
    pub state: Freshness,
    /// When the source said so, seconds since 1970.
    pub as_of: Option<i64>,
}

/// What an answer holds beside the release.
#[derive(Debug, Clone, Copy)]
pub struct AnswerMeta<'a> {
    /// 回执号, leads to the ledger entry.
    pub receipt: &'a str,
    /// Seconds since 1970.
    pub answered_at: i64,
    /// Version of the mapping pack.
    pub mappings: &'a str,
    /// The sources, in the order of the purpose.
    pub sources: &'a [SourceReport],
}

/// What a refusal holds.
#[derive(Debug, Clone, Copy)]
pub struct RefusalMeta<'a> {
    /// What is wrong.
    pub fault: Fault,
    /// Where in the inquiry.
    pub at: Option<&'a Position>,
    /// By which rule, if one of the policies.
    pub rule: Option<&'a str>,
    /// 回执号, leads to the ledger entry; `None` if nothing could be written.
    pub receipt: Option<&'a str>,
    /// What can be done, where more can be said than the fault does.
    pub remedy: Option<&'a Bilingual>,
}

/// An answer as it is written; only [`answer`] makes one.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    receipt: &'a str,
    purpose: Purpose,
    legal_basis: &'a LegalBasis,
    consent: ConsentTerms,
    answered_at: String,
    policy: &'a str,
    mappings: &'a str,
    elements: Vec<AnsweredElement<'a>>,
    withheld: Vec<WithheldElement<'a>>,
    sources: Vec<AnsweredSource>,
}

#[derive(Serialize)]
struct Name<'a> {
    zh: &'a str,
    en: &'a str,
}

#[derive(Serialize)]
struct AnsweredElement<'a> {
    element: ElementId,
    name: Name<'a>,
    tier: &'static str,
    value: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<u32>,
    source: &'a str,
    dataset: crate::vocabulary::Dataset,
    as_of: Option<String>,
    age_seconds: Option<i64>,
}

#[derive(Serialize)]
struct WithheldElement<'a> {
    element: ElementId,
    name: &'a Bilingual,
    rule: &'a str,
    remedy: &'a Bilingual,
}

/// Whether a current part was just asked for or is a good copy, and how old that copy is,
/// is not told: "nothing known" is kept for a shorter time, so whoever asked twice would
/// see whether a source knows the person.
#[derive(Serialize)]
struct AnsweredSource {
    source: Source,
    state: &'static str,
    as_of: Option<String>,
    age_seconds: Option<i64>,
}

/// A refusal as it is written; only [`refused`] makes one.
#[derive(Serialize)]
pub(super) struct Refused<'a> {
    fault: &'static str,
    message: Name<'static>,
    at: Option<String>,
    rule: Option<&'a str>,
    remedy: Option<&'a Bilingual>,
    retry: bool,
    receipt: Option<&'a str>,
}

/// Writes an answer. Takes a release and nothing less: what was not decided on cannot be written.
#[must_use]
pub fn write_answer(release: &Release, meta: &AnswerMeta<'_>) -> Vec<u8> {
    // Texts, numbers and lists alone: serialising them cannot fail.
    serde_json::to_vec(&answer(release, meta)).unwrap_or_default()
}

/// The answer a release makes.
pub(super) fn answer<'a>(release: &'a Release, meta: &AnswerMeta<'a>) -> Answer<'a> {
    Answer {
        receipt: meta.receipt,
        purpose: release.admission().purpose(),
        legal_basis: &release.admission().terms().legal_basis,
        consent: release.admission().terms().consent,
        answered_at: iso(meta.answered_at),
        policy: release.version(),
        mappings: meta.mappings,
        elements: release.released().map(|one| element(one, meta.answered_at)).collect(),
        withheld: release.withheld().map(withheld).collect(),
        sources: meta.sources.iter().map(|report| source(report, meta.answered_at)).collect(),
    }
}

/// Writes a refusal. It holds no value, only positions, rules and what can be done.
#[must_use]
pub fn write_refusal(meta: &RefusalMeta<'_>) -> Vec<u8> {
    serde_json::to_vec(&refused(meta)).unwrap_or_default()
}

/// What a refusal says.
pub(super) fn refused<'a>(meta: &RefusalMeta<'a>) -> Refused<'a> {
    let row = meta.fault.row();
    Refused {
        fault: row.name,
        message: Name { zh: row.zh, en: row.en },
        at: meta.at.map(ToString::to_string),
        rule: meta.rule,
        remedy: meta.remedy,
        retry: row.retry,
        receipt: meta.receipt,
    }
}

fn element(released: &Released, now: i64) -> AnsweredElement<'_> {
    let element = released.element();
    AnsweredElement {
        element: element.id,
        name: Name { zh: &element.zh, en: &element.en },
        tier: released.tier().as_str(),
        value: treated(released.value()),
        group: released.group(),
        source: released.source(),
        dataset: released.dataset(),
        as_of: released.as_of().map(iso),
        age_seconds: released.as_of().map(|as_of| age(now, as_of)),
    }
}

fn withheld(withheld: &Withheld) -> WithheldElement<'_> {
    WithheldElement {
        element: withheld.element,
        name: &withheld.title,
        rule: &withheld.rule,
        remedy: &withheld.remedy,
    }
}

fn source(report: &SourceReport, now: i64) -> AnsweredSource {
    let (state, as_of) = match report.state {
        Freshness::Cached | Freshness::Fresh => ("current", None),
        Freshness::Stale => ("stale", report.as_of),
        Freshness::Unavailable => ("unavailable", None),
    };
    AnsweredSource {
        source: report.source,
        state,
        as_of: as_of.map(iso),
        age_seconds: as_of.map(|as_of| age(now, as_of)),
    }
}

fn iso(seconds: i64) -> String {
    Date::from_timestamp(seconds).to_iso()
}

/// A source whose clock is ahead of ours is not younger than new.
fn age(now: i64, then: i64) -> i64 {
    now.saturating_sub(then).max(0)
}

pub(super) fn treated(value: &Treated) -> Json {
    match value {
        Treated::Present => json!({ "present": true }),
        Treated::Pseudonym(stand_in) => json!({ "pseudonym": stand_in }),
        Treated::Shifted(date) => json!({ "shifted": date.to_iso() }),
        Treated::Value(value) => plain(value),
    }
}

/// One line for what people read, an object for what has parts.
fn plain(value: &Value) -> Json {
    match value {
        Value::Address(line)
        | Value::Name(line)
        | Value::Organization(line)
        | Value::Person(line)
        | Value::Place(line)
        | Value::Telecom(line) => json!(line.text),
        Value::Boolean(yes) => json!(yes),
        Value::Bytes(bytes) => json!(STANDARD.encode(bytes)),
        Value::Code(coding) => code(coding),
        Value::Date(date) => json!(date.to_iso()),
        Value::Identifier(identifier) => {
            json!({ "kind": identifier.kind.as_str(), "value": identifier.value })
        }
        Value::Quantity(quantity) => json!({
            "number": quantity.number,
            "comparator": quantity.comparator,
            "unit": quantity.unit,
        }),
        Value::Text(text) => json!(text),
    }
}

/// The code of the element's own table; the sender's, only where it has no counterpart.
fn code(coding: &Coding) -> Json {
    match (&coding.code, &coding.original) {
        (None, Some(original)) if !original.code.is_empty() => json!({
            "code": null,
            "display": coding.display,
            "original": { "code": original.code, "system": original.system },
        }),
        (code, _) => json!({ "code": code, "display": coding.display }),
    }
}
