//! The route of statistics in the published interface.

use serde_json::{Map, Value as Json, json};

use super::answers;

pub(super) fn ask() -> Json {
    let mut answers = answers("#/components/schemas/return", "the return");
    if let Some(members) = answers.as_object_mut() {
        members.insert("202".to_owned(), json!({ "description": "it is being made" }));
    }
    json!({
        "operationId": "count",
        "summary": "统计: guarded counts of a year that is over",
        "requestBody": { "required": true, "content": { "application/json": { "schema": {
            "type": "object",
            "required": ["indicator", "period"],
            "additionalProperties": false,
            "properties": {
                "indicator": { "type": "string" },
                "period": { "type": "string", "pattern": "^[0-9]{4}$" },
            },
        } } } },
        "responses": answers,
    })
}

pub(super) fn schemas() -> Map<String, Json> {
    let text = || json!({ "type": "string" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let place = json!({ "type": "array", "items": { "type": ["string", "null"] } });
    let schemas = json!({
        "return": {
            "type": "object",
            "required": ["indicator", "period", "tables"],
            "properties": {
                "indicator": text(), "purpose": text(), "period": text(),
                "name": { "type": "object" },
                "computed_at": text(), "policy": text(), "mappings": text(),
                "guard": { "type": "object", "properties": {
                    "threshold": count(), "base": count(), "residents_min": count() } },
                "tables": { "type": "array", "items": { "type": "object", "properties": {
                    "dimensions": { "type": "array", "items": text() },
                    "rows": { "type": "array", "items": { "type": "object", "properties": {
                        "at": place, "count": { "type": ["integer", "null"] } } } },
                } } },
            },
        },
    });
    schemas.as_object().cloned().unwrap_or_default()
}
