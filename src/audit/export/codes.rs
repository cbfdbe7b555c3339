//! What an entry is by the codes of others: DICOM PS3.16, contexts 400 (events) and 401 (kinds).

use crate::audit::{Entry, Kind};

/// A code and its meaning, of the system `DCM`.
pub type Code = (&'static str, &'static str);

/// Who reads out a value: the gateway.
pub const SOURCE: Code = ("110153", "Source Role ID");
/// Who learns it.
pub const DESTINATION: Code = ("110152", "Destination Role ID");
/// Who does neither.
pub const APPLICATION: Code = ("110150", "Application");

/// The event; `None` for what the standard has no code for.
#[must_use]
pub const fn event(kind: Kind) -> Option<Code> {
    Some(match kind {
        Kind::Start => ("110100", "Application Activity"),
        Kind::Export | Kind::Query => ("110101", "Audit Log Used"),
        Kind::Backup | Kind::Delivery | Kind::Disclosure => ("110106", "Export"),
        Kind::Replay | Kind::Restore => ("110107", "Import"),
        Kind::Consent
        | Kind::Erase
        | Kind::Identity
        | Kind::Link
        | Kind::Merge
        | Kind::Part
        | Kind::Review
        | Kind::Unmerge => ("110110", "Patient Record"),
        Kind::Location | Kind::Refusal => ("110112", "Query"),
        Kind::Account
        | Kind::BreakGlass
        | Kind::Keys
        | Kind::Move
        | Kind::Policy
        | Kind::Reload
        | Kind::Witness => ("110113", "Security Alert"),
        Kind::SignIn => ("110114", "User Authentication"),
        Kind::Batch | Kind::Enrolment | Kind::Hold | Kind::Retention => return None,
    })
}

/// What kind of that event, where the standard tells them apart.
#[must_use]
pub fn event_kind(entry: &Entry) -> Option<Code> {
    Some(match entry.kind {
        Kind::Start => ("110120", "Application Start"),
        Kind::SignIn if says(entry, "signed-out") => ("110123", "Logout"),
        Kind::SignIn => ("110122", "Login"),
        // One that only looks at it afterwards has no department.
        Kind::BreakGlass if entry.department.is_some() => ("110127", "Emergency Override Started"),
        Kind::Keys | Kind::Policy => ("110129", "Security Configuration"),
        Kind::Move | Kind::Reload => ("110131", "Software Configuration"),
        Kind::Account => ("110137", "User Security Attributes Changed"),
        _ => return None,
    })
}

/// C, R, U, D or E (RFC 3881 section 5.1.2).
#[must_use]
pub const fn action(kind: Kind) -> &'static str {
    match kind {
        Kind::Backup
        | Kind::Delivery
        | Kind::Disclosure
        | Kind::Location
        | Kind::Query
        | Kind::Export
        | Kind::Refusal
        | Kind::Review => "R",
        Kind::Erase | Kind::Retention => "D",
        Kind::Account | Kind::Consent => "C",
        Kind::Hold
        | Kind::Identity
        | Kind::Keys
        | Kind::Link
        | Kind::Merge
        | Kind::Part
        | Kind::Policy
        | Kind::Unmerge => "U",
        _ => "E",
    }
}

/// 0 success, 4 minor failure: refused, or a sign-in that failed.
#[must_use]
pub fn outcome(entry: &Entry) -> &'static str {
    let refused = entry.kind == Kind::SignIn && (says(entry, "refused") || says(entry, "locked"));
    if entry.fault.is_some() || refused { "4" } else { "0" }
}

fn says(entry: &Entry, word: &str) -> bool {
    entry.subject.as_ref().is_some_and(|subject| subject.as_str().ends_with(word))
}
