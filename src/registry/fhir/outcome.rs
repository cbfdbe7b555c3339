//! `OperationOutcome`: what went wrong, where, and what can be done; never a value.

use serde_json::{Value as Json, json};

use crate::policy::Withheld;
use crate::registry::answer::RefusalMeta;
use crate::vocabulary::Fault;

/// The issue type of a fault (FHIR R4 value set issue-type).
const fn code(fault: Fault) -> &'static str {
    match fault {
        Fault::CertificateUnknown => "login",
        Fault::PurposeNotGranted => "forbidden",
        Fault::IdentityMissing => "not-found",
        Fault::IdentityAmbiguous | Fault::IdentityConflict => "conflict",
        Fault::RequiredMissing => "required",
        Fault::TableValue => "code-invalid",
        Fault::Limit => "too-costly",
        Fault::Internal => "exception",
        Fault::Unavailable | Fault::UpstreamUnavailable => "transient",
        Fault::Malformed | Fault::CharacterSet => "structure",
        Fault::UnknownElement
        | Fault::UnknownPurpose
        | Fault::UnsupportedEvent
        | Fault::UnsupportedMessage
        | Fault::UnsupportedParameter
        | Fault::UnsupportedProcessing
        | Fault::UnsupportedVersion => "not-supported",
        _ => "invalid",
    }
}

/// One issue about a refusal.
pub(super) fn refused(meta: &RefusalMeta<'_>) -> Json {
    let row = meta.fault.row();
    let mut diagnostics = format!("{} {}", row.zh, row.en);
    if let Some(remedy) = meta.remedy {
        diagnostics.push_str(&format!("; {} {}", remedy.zh, remedy.en));
    }
    if let Some(rule) = meta.rule {
        diagnostics.push_str(&format!(" [{rule}]"));
    }
    let mut issue = json!({
        "severity": "error",
        "code": code(meta.fault),
        "details": { "text": row.name },
        "diagnostics": diagnostics,
    });
    if let (Some(at), Some(issue)) = (meta.at, issue.as_object_mut()) {
        issue.insert("expression".to_owned(), json!([at.to_string()]));
    }
    let mut outcome = json!({ "resourceType": "OperationOutcome", "issue": [issue] });
    if let (Some(receipt), Some(outcome)) = (meta.receipt, outcome.as_object_mut()) {
        outcome.insert("id".to_owned(), json!(receipt));
    }
    outcome
}

/// What was asked for and does not leave. A function of scope and catalogue alone.
pub(super) fn withheld<'a>(withheld: impl Iterator<Item = &'a Withheld>) -> Option<Json> {
    let issues: Vec<_> = withheld
        .map(|one| {
            json!({
                "severity": "information",
                "code": "suppressed",
                "details": { "text": one.element.as_str() },
                "diagnostics": format!(
                    "{} {}; {} {} [{}]",
                    one.title.zh, one.title.en, one.remedy.zh, one.remedy.en, one.rule
                ),
            })
        })
        .collect();
    let outcome = || json!({ "resourceType": "OperationOutcome", "issue": issues });
    (!issues.is_empty()).then(outcome)
}

/// Nothing there, or nothing that may be told: the same words.
pub(super) fn not_found() -> Json {
    json!({
        "resourceType": "OperationOutcome",
        "issue": [{
            "severity": "error",
            "code": "not-found",
            "diagnostics": "没有可提供的资源 nothing there that may be given",
        }],
    })
}
