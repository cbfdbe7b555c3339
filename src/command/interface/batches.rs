//! The batch routes of the published interface.

use serde_json::{Map, Value as Json, json};

use super::{answers, identifier};

const BATCH: &str = "#/components/schemas/batch";

pub(super) fn bring() -> Json {
    let text = json!({ "schema": { "type": "string" } });
    let row = json!({ "schema": { "$ref": "#/components/schemas/batchRow" } });
    let header = |name: &str, required: bool| {
        json!({ "name": name, "in": "header", "required": required,
                "schema": { "type": "string", "maxLength": 512 } })
    };
    let optional = ["elements", "asker", "call", "case", "reason"];
    let optional = optional.map(|name| header(&format!("kangqiao-{name}"), false));
    let headers = [header("kangqiao-purpose", true)].into_iter().chain(optional);
    let mut answers = answers(BATCH, "every row is durable, and will be checked");
    if let Some(members) = answers.as_object_mut()
        && let Some(taken) = members.remove("200")
    {
        members.insert("202".to_owned(), taken);
    }
    json!({
        "operationId": "bringBatch",
        "summary": "批量查询: people on the department's own list, asked about at once",
        "parameters": headers.collect::<Vec<_>>(),
        "requestBody": { "required": true, "content": {
            "application/x-ndjson": row, "text/csv": text } },
        "responses": answers,
    })
}

pub(super) fn list() -> Json {
    json!({
        "operationId": "listBatches",
        "summary": "how each of the department's own batches stands",
        "responses": answers("#/components/schemas/batchList", "oldest first"),
    })
}

pub(super) fn look() -> Json {
    json!({
        "operationId": "lookAtBatch",
        "summary": "how a batch stands, and which of its rows are refused",
        "parameters": [id(), number("after")],
        "responses": answers(BATCH, "how it stands"),
    })
}

pub(super) fn end() -> Json {
    let mut answers = answers(BATCH, "");
    if let Some(members) = answers.as_object_mut() {
        members.remove("200");
        members.insert("204".to_owned(), json!({ "description": "it is gone" }));
    }
    json!({
        "operationId": "endBatch",
        "summary": "the rows of a batch are destroyed",
        "parameters": [id()],
        "responses": answers,
    })
}

pub(super) fn read() -> Json {
    let mut answers = answers("#/components/schemas/batchAnswer", "a line for each accepted row");
    if let Some(content) = answers.pointer_mut("/200/content") {
        *content = json!({
            "application/x-ndjson": {
                "schema": { "$ref": "#/components/schemas/batchAnswer" } },
            "text/csv": { "schema": { "type": "string" } },
        });
    }
    json!({
        "operationId": "readBatch",
        "summary": "the answers of a batch, decided as they leave",
        "parameters": [id(), number("from")],
        "responses": answers,
    })
}

fn id() -> Json {
    json!({ "name": "batch", "in": "path", "required": true, "schema": { "type": "string" } })
}

fn number(name: &str) -> Json {
    json!({ "name": name, "in": "query", "schema": { "type": "integer", "minimum": 1 } })
}

pub(super) fn schemas() -> Map<String, Json> {
    let text = || json!({ "type": "string" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let schemas = json!({
        "batchRow": {
            "type": "object",
            "required": ["reference", "identifier"],
            "additionalProperties": false,
            "properties": {
                "reference": { "type": "string", "minLength": 1, "maxLength": 64 },
                "identifier": identifier(),
            },
        },
        "batch": {
            "type": "object",
            "required": ["batch", "state", "rows"],
            "properties": {
                "batch": text(),
                "state": { "enum": ["checking", "ready"] },
                "purpose": text(),
                "rows": count(), "checked": count(), "accepted": count(), "refused": count(),
                "received_at": text(), "ends_at": text(),
                "refusals": { "type": "array", "items": { "type": "object", "properties": {
                    "row": count(), "reference": text(), "fault": text(), "at": text() } } },
                "next": count(),
            },
        },
        "batchList": { "type": "object", "properties": {
            "batches": { "type": "array", "items": { "$ref": "#/components/schemas/batch" } } } },
        "batchAnswer": {
            "type": "object",
            "required": ["row", "reference"],
            "anyOf": [
                { "$ref": "#/components/schemas/answer" },
                { "$ref": "#/components/schemas/refusal" },
            ],
            "properties": { "row": count(), "reference": text() },
        },
    });
    schemas.as_object().cloned().unwrap_or_default()
}
