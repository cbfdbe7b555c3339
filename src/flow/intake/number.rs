//! 原始编号, the sender's own number of a unit where its form has a place for one.

use serde_json::Value as Json;

use crate::registry::v3::{Dialect, Request};
use crate::translate::Form;
use crate::translate::form::Limits;
use crate::wire::json;

/// The number a unit bears; HL7 v2 says it in its header, which is read elsewhere.
pub fn own(form: Form, bytes: &[u8], limits: &Limits) -> Option<String> {
    match form {
        Form::Cda | Form::V3Hospital | Form::V3Regional => {
            let dialect =
                if form == Form::V3Hospital { Dialect::Hospital } else { Dialect::Regional };
            Request::read(dialect, bytes, &limits.xml).ok()?.id()?.text()
        }
        Form::Fhir => bundle(&json::read(bytes, &limits.json).ok()?),
        _ => None,
    }
}

/// `Bundle.identifier`, else the id of the resource.
/// Standard: FHIR R4, Bundle; the identifier is the one that persists.
fn bundle(resource: &Json) -> Option<String> {
    let identifier = resource.get("identifier").filter(|found| found.is_object());
    let text = |of: &Json, key: &str| of.get(key).and_then(Json::as_str).map(str::to_owned);
    let named = identifier.and_then(|identifier| {
        let value = text(identifier, "value")?;
        Some(text(identifier, "system").map_or(value.clone(), |system| format!("{system}|{value}")))
    });
    named.or_else(|| text(resource, "id")).filter(|number| !number.is_empty())
}
