//! `kangqiao interface`: the published interface, as machines read it.
//!
//! Made of the mapping files and the catalogue, so it says what this gateway takes and
//! nothing else. A city gives it to whoever writes the other side.

mod batches;
mod statistics;

use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};

use super::check::complain;
use super::compile::pack;
use super::{Failure, say};
use crate::translate::Pack;
use crate::translate::civil::interface;
use crate::vocabulary::fault::FAULTS;

/// Prints the published interface of civil affairs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to print
    #[arg(value_enum)]
    what: What,
    /// Of `csv-template`: which dataset
    #[arg(long, default_value = "elder-registry")]
    dataset: String,
    /// Folder of the mapping files
    #[arg(long, default_value = "mappings")]
    mappings: PathBuf,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// OpenAPI 3.1 of `/v1/inquiries` and `/v1/messages`, with a schema for each dataset
    Openapi,
    /// XML Schema of the records
    Xsd,
    /// The header of a table, one item of each list
    CsvTemplate,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] with every fault of the mapping files, or for an unknown dataset.
pub fn run(args: Args) -> Result<(), Failure> {
    let pack = pack(&args.mappings).map_err(complain)?;
    match args.what {
        What::Openapi => {
            let text = serde_json::to_string_pretty(&openapi(&pack));
            say(text.map_err(|error| Failure::during("print", error))?)
        }
        What::Xsd => say(interface::xsd(&pack).trim_end()),
        What::CsvTemplate => {
            let columns = interface::columns(&pack, &args.dataset).ok_or_else(|| {
                let known = interface::datasets(&pack).join(", ");
                Failure(format!("there is no dataset {}: {known}", args.dataset))
            })?;
            let names: Vec<_> = columns.into_iter().map(|(name, _)| name).collect();
            say(names.join(","))
        }
    }
}

/// The whole description.
#[must_use]
pub fn openapi(pack: &Pack) -> Json {
    let mut schemas = interface::schemas(pack);
    let records: Vec<_> = interface::datasets(pack)
        .into_iter()
        .map(|name| json!({ "$ref": format!("#/components/schemas/{name}") }))
        .collect();
    schemas.insert("record".to_owned(), json!({ "oneOf": records }));
    schemas.extend(fixed());
    schemas.extend(batches::schemas());
    schemas.extend(statistics::schemas());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "康桥 Kangqiao: the interface for civil affairs",
            "version": pack.version(),
            "description": "Generated from mappings/civil and the catalogue. Who sends or asks \
                            is the client certificate.",
        },
        "security": [{ "certificate": [] }],
        "paths": {
            "/v1/messages": { "post": messages() },
            "/v1/messages/{controlId}": { "get": told() },
            "/v1/inquiries": { "post": inquiries() },
            "/v1/subscriptions": { "post": subscriptions() },
            "/v1/statistics": { "post": statistics::ask() },
            "/v1/batches": { "post": batches::bring(), "get": batches::list() },
            "/v1/batches/{batch}": { "get": batches::look(), "delete": batches::end() },
            "/v1/batches/{batch}/answers": { "get": batches::read() },
        },
        "webhooks": { "notice": { "post": notice() } },
        "components": {
            "schemas": schemas,
            "securitySchemes": { "certificate": { "type": "mutualTLS" } },
        },
    })
}

fn messages() -> Json {
    let records = json!({ "schema": { "anyOf": [
        { "$ref": "#/components/schemas/record" },
        { "type": "object", "required": ["records"], "properties": {
            "records": { "type": "array", "items": { "$ref": "#/components/schemas/record" } } } },
    ] } });
    let text = json!({ "schema": { "type": "string" } });
    json!({
        "operationId": "push",
        "summary": "推送: one record or many, in one of three syntaxes",
        "requestBody": { "required": true, "content": {
            "application/vnd.kangqiao.civil+json": records,
            "application/vnd.kangqiao.civil+xml": text,
            "text/csv": text,
            "application/vnd.kangqiao.card+json": {
                "schema": { "$ref": "#/components/schemas/card" } },
        } },
        "responses": answers("#/components/schemas/receipts", "one receipt for each record"),
    })
}

fn told() -> Json {
    json!({
        "operationId": "told",
        "summary": "追踪: what became of the sender's own messages of one number",
        "parameters": [{ "name": "controlId", "in": "path", "required": true,
            "schema": { "type": "string" } }],
        "responses": answers("#/components/schemas/receipts", "their receipts, newest first"),
    })
}

fn inquiries() -> Json {
    json!({
        "operationId": "ask",
        "summary": "查询: about one person, for one purpose",
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/inquiry" } } } },
        "responses": answers("#/components/schemas/answer", "what is released"),
    })
}

fn subscriptions() -> Json {
    json!({
        "operationId": "subscribe",
        "summary": "订阅: of whom a subscription is told, and what is told again",
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/subscription" } } } },
        "responses": answers("#/components/schemas/subscribed", "what became of it"),
    })
}

/// What a subscriber is sent.
fn notice() -> Json {
    json!({
        "operationId": "notice",
        "summary": "通知: an event about an elder whom the subscriber enrolled",
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/notice" } } } },
        "responses": {
            "2XX": { "description": "taken" },
            "400": { "description": "refused for good, as by 406, 409, 410, 413, 415, 422" },
            "default": { "description": "tried again under the same id" },
        },
    })
}

/// The answer, and every status a refusal can have.
fn answers(schema: &str, about: &str) -> Json {
    let body = |schema: &str| json!({ "application/json": { "schema": { "$ref": schema } } });
    let mut found = Map::new();
    found.insert("200".to_owned(), json!({ "description": about, "content": body(schema) }));
    for row in FAULTS {
        let named = found.entry(row.http_status.to_string()).or_insert_with(
            || json!({ "description": "", "content": body("#/components/schemas/refusal") }),
        );
        let before = named["description"].as_str().unwrap_or_default().to_owned();
        let joined = if before.is_empty() { String::new() } else { format!("{before}, ") };
        named["description"] = format!("{joined}{}", row.name).into();
    }
    found.into()
}

/// What no mapping file says: inquiry, answer, refusal, receipt, card.
fn fixed() -> Map<String, Json> {
    let bilingual = json!({ "type": ["object", "null"], "properties": {
        "zh": { "type": "string" }, "en": { "type": "string" } } });
    let faults: Vec<_> = FAULTS.iter().map(|row| row.name).collect();
    let hexadecimal = json!({ "type": "string", "pattern": "^([0-9A-Fa-f]{2})*$" });
    let schemas = json!({
        "inquiry": inquiry(),
        "answer": {
            "type": "object",
            "required": ["receipt", "elements", "withheld", "sources"],
            "properties": {
                "receipt": { "type": "string" },
                "purpose": { "type": "string" },
                "answered_at": { "type": "string" },
                "elements": { "type": "array", "items": { "type": "object" } },
                "withheld": { "type": "array", "items": { "type": "object" } },
                "sources": { "type": "array", "items": { "type": "object" } },
            },
        },
        "subscription": subscription(),
        "subscribed": subscribed(),
        "notice": head_of_notice(),
        "refusal": {
            "type": "object",
            "required": ["fault"],
            "properties": {
                "fault": { "enum": faults },
                "message": bilingual,
                "at": { "type": ["string", "null"] },
                "rule": { "type": ["string", "null"] },
                "remedy": bilingual,
                "retry": { "type": "boolean" },
                "receipt": { "type": ["string", "null"] },
            },
        },
        "receipts": { "type": ["object", "array"] },
        "card": {
            "type": "object",
            "required": ["files"],
            "properties": {
                "time": { "type": "string" },
                "terminal": { "type": "string" },
                "state": { "type": "string" },
                "electronicId": { "type": "string" },
                "files": {
                    "type": "object",
                    "description": "by name (DDF1/EF05); a cyclic file is a list of its records",
                    "additionalProperties": {
                        "anyOf": [hexadecimal, { "type": "array", "items": hexadecimal }] },
                },
            },
        },
    });
    schemas.as_object().cloned().unwrap_or_default()
}

/// A change of a subscription; anything else in it is refused.
fn subscription() -> Json {
    let reference = || json!({ "type": "string", "minLength": 1, "maxLength": 64 });
    json!({
        "type": "object",
        "required": ["subscription"],
        "additionalProperties": false,
        "properties": {
            "subscription": { "type": "string" },
            "enrol": { "type": "array", "maxItems": 1000, "items": {
                "type": "object",
                "required": ["identifier", "reference"],
                "additionalProperties": false,
                "properties": { "identifier": identifier(), "reference": reference() },
            } },
            "leave": { "type": "array", "maxItems": 1000, "items": reference() },
            "rewind": { "type": "string", "description": "a time; not beside the others" },
        },
    })
}

fn subscribed() -> Json {
    json!({
        "type": "object",
        "required": ["receipt", "subscription"],
        "properties": {
            "receipt": { "type": "string" },
            "subscription": { "type": "string" },
            "enrolled": { "type": "integer" },
            "left": { "type": "integer" },
            "again": { "type": "integer" },
        },
    })
}

fn head_of_notice() -> Json {
    json!({
        "description": "head of a notice; the rest is an answer",
        "allOf": [{ "$ref": "#/components/schemas/answer" }],
        "type": "object",
        "required": ["id", "subscription", "event", "happened_at", "reference"],
        "properties": {
            "id": { "type": "string", "description": "the same at every try" },
            "subscription": { "type": "string" },
            "event": { "type": "string" },
            "happened_at": { "type": "string" },
            "reference": { "type": "string" },
            "same_as": { "type": "array", "items": { "type": "string" } },
        },
    })
}

fn identifier() -> Json {
    let kinds = ["citizen-id", "electronic-card", "health-card", "record-number"];
    json!({
        "type": "object",
        "required": ["kind", "value"],
        "additionalProperties": false,
        "properties": {
            "kind": { "enum": kinds },
            "value": { "type": "string", "maxLength": 512 },
        },
    })
}

/// The question; anything else in it is refused.
fn inquiry() -> Json {
    let text = || json!({ "type": "string", "maxLength": 512 });
    let identifier = identifier();
    json!({
        "type": "object",
        "required": ["purpose"],
        "oneOf": [{ "required": ["identifier"] }, { "required": ["person"] }],
        "additionalProperties": false,
        "properties": {
            "identifier": identifier,
            "person": {
                "type": "object",
                "description": "a name and a birth date, telephone or address; or numbers",
                "additionalProperties": false,
                "properties": {
                    "name": text(),
                    "birth_date": { "type": "string", "pattern": "^[0-9]{4}-?[0-9]{2}-?[0-9]{2}$" },
                    "sex": { "enum": ["1", "2", "男", "女", "male", "female"] },
                    "phone": text(),
                    "address": text(),
                    "identifiers": { "type": "array", "maxItems": 8, "items": identifier },
                },
            },
            "purpose": text(),
            "elements": { "type": "array", "maxItems": 500, "items": { "type": "string" } },
            "asker": text(),
            "evidence": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "call": text(), "case": text(), "reason": text(), "asked_by": identifier,
                },
            },
        },
    })
}
