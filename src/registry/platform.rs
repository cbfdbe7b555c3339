//! 区域电子健康档案平台, our own JSON for look-ups at an upstream system.
//!
//! ```text
//! → {"purpose":"record-location","identifiers":[{"kind":"citizen-id","value":"…"}]}
//! ← {"records":[{"dataset":"medication","time":"2026-11-20", …}]}
//! ```
//!
//! No public specification of these platforms exists, so this is the interface we
//! publish; the paths inside a record are those of `mappings/platform/<dataset>.toml`.

use serde::Serialize;
use serde_json::Value as Json;

use super::{Body, Registry, Reply, ReplyError};
use crate::policy::{Release, Treated};
use crate::vocabulary::record::{Field, Group};
use crate::vocabulary::{
    Dataset, ElementId, Fault, GroupName, Identifier, IdentifierKind, Position, Purpose, Record,
    Source, Value,
};
use crate::wire::json::{self, Limits};

/// How many records one answer may hold.
const RECORDS_MAX: usize = 2_000;
/// How much of an answer is read at all.
const LIMITS: Limits = Limits { bytes_max: 4 * 1_048_576, depth_max: 16, values_max: 200_000 };

/// 居民健康卡号, 城乡居民健康档案编号, 公民身份号码: what upstream systems know a person by.
const IDENTIFIERS: [(IdentifierKind, ElementId); 3] = [
    (IdentifierKind::CitizenId, ElementId::fixed("DE02.01.030.00")),
    (IdentifierKind::HealthCard, ElementId::fixed("DE01.00.021.00")),
    (IdentifierKind::RecordNumber, ElementId::fixed("DE01.00.009.00")),
];

/// The purpose under which an upstream is told whom a question is about.
pub const PURPOSE: Purpose = Purpose::fixed("record-location");

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Platform;

impl Registry for Platform {
    fn name(&self) -> &'static str {
        "platform-json"
    }

    fn next(&self, release: &Release, replies: &[Vec<u8>]) -> Result<Option<Vec<u8>>, ReplyError> {
        Ok(replies.is_empty().then(|| encode(release)))
    }

    fn decode(&self, replies: &[Vec<u8>]) -> Result<Vec<Reply>, ReplyError> {
        replies.first().map_or(Ok(Vec::new()), |reply| decode(reply))
    }
}

#[derive(Serialize)]
struct Question<'a> {
    purpose: &'a str,
    identifiers: Vec<Named>,
}

#[derive(Serialize)]
struct Named {
    kind: &'static str,
    value: String,
}

/// The person somebody asks about, as a record, so that telling an upstream whom we
/// look for is decided on like any other disclosure. `None` for a kind of identifier
/// upstream systems do not know.
#[must_use]
pub fn subject(identifier: &Identifier) -> Option<Record> {
    let (_, element) = IDENTIFIERS.into_iter().find(|(kind, _)| *kind == identifier.kind)?;
    let field = Field { element, value: Value::Identifier(identifier.clone()), at: None };
    let name = GroupName::fixed("record");
    Some(Record {
        dataset: Dataset::fixed("inquiry"),
        source: Source::fixed("gateway"),
        time: None,
        groups: vec![Group { name, parent: None, fields: vec![field] }],
        carried: Vec::new(),
        wire: None,
        mappings: String::new(),
    })
}

/// The identifiers by which a record says whom it is about, of those anybody is asked by:
/// whoever asked compares them, for an upstream system can mix up its people.
pub fn named(record: &Record) -> impl Iterator<Item = &Identifier> {
    let known = |field: &Field| IDENTIFIERS.iter().any(|(_, element)| *element == field.element);
    let top = record.groups.iter().take(1).flat_map(|group| &group.fields);
    top.filter(move |field| known(field)).filter_map(|field| match &field.value {
        Value::Identifier(identifier) => Some(identifier),
        _ => None,
    })
}

/// Writes a look-up: the identifiers that were released, and nothing else.
#[must_use]
pub fn encode(release: &Release) -> Vec<u8> {
    let identifiers = release.released().filter_map(|released| match released.value() {
        Treated::Value(Value::Identifier(identifier)) => Some(Named {
            kind: identifier.kind.as_str(),
            value: identifier.normalised().unwrap_or_else(|_| identifier.value.clone()),
        }),
        _ => None,
    });
    let purpose = release.admission().purpose();
    let question = Question { purpose: purpose.as_str(), identifiers: identifiers.collect() };
    // Texts alone: serialising them cannot fail.
    serde_json::to_vec(&question).unwrap_or_default()
}

/// Reads an answer into its records.
///
/// # Errors
/// [`ReplyError`] at the first thing that is not as it should be.
pub fn decode(reply: &[u8]) -> Result<Vec<Reply>, ReplyError> {
    let read = json::read(reply, &LIMITS);
    let read =
        read.map_err(|error| ReplyError { fault: error.fault(), at: error.position().clone() })?;
    let error = |fault, at: String| ReplyError { fault, at: Position::Pointer(at) };
    let Json::Object(mut whole) = read else {
        return Err(error(Fault::DataType, String::new()));
    };
    let records = match whole.remove("records") {
        Some(Json::Array(records)) => records,
        Some(_) => return Err(error(Fault::DataType, "/records".to_owned())),
        None => return Err(error(Fault::RequiredMissing, "/records".to_owned())),
    };
    if records.len() > RECORDS_MAX {
        return Err(error(Fault::Limit, "/records".to_owned()));
    }
    let record = |(index, body): (usize, Json)| {
        let at = format!("/records/{index}/dataset");
        let dataset = body.get("dataset").and_then(Json::as_str);
        let dataset = dataset.ok_or_else(|| error(Fault::RequiredMissing, at.clone()))?;
        let dataset = Dataset::parse(dataset).map_err(|_| error(Fault::TableValue, at))?;
        Ok(Reply { dataset, body: Body::Json(body) })
    };
    records.into_iter().enumerate().map(record).collect()
}
