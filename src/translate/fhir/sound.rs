//! What R4 demands of every resource, whatever its rows wrote.
//!
//! A required member nobody had a value for says so (`data-absent-reason`, R4 section
//! 2.5.0.2); what may not stand beside another, or not alone, is left out.

use super::form::{date_of, map};
use super::structure::Structure;
use crate::wire::Tree;

/// The extension that says that a value is not known.
pub(super) const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
/// How deep required members are made.
const DEPTH_MAX: usize = 8;

/// Members that stand only with another: invariants qty-3 of Quantity, tim-1, tim-2 and tim-9
/// of Timing.
const TOGETHER: [(&str, &str, &str); 4] = [
    ("Quantity", "code", "system"),
    ("Timing.repeat", "duration", "durationUnit"),
    ("Timing.repeat", "offset", "when"),
    ("Timing.repeat", "period", "periodUnit"),
];

/// Choices of which one must stand, and the type that says that it is not known.
const CHOICES: [(&str, &str, &str); 9] = [
    ("Coverage.costToBeneficiary", "value", "valueMoney"),
    ("Immunization", "occurrence", "_occurrenceString"),
    ("Medication.ingredient", "item", "itemCodeableConcept"),
    ("MedicationAdministration", "effective", "effectivePeriod"),
    ("MedicationAdministration", "medication", "medicationCodeableConcept"),
    ("MedicationDispense", "medication", "medicationCodeableConcept"),
    ("MedicationRequest", "medication", "medicationCodeableConcept"),
    ("MedicationStatement", "medication", "medicationCodeableConcept"),
    ("SupplyRequest", "item", "itemCodeableConcept"),
];

/// Value set event-timing, which `when` is bound to.
const WHEN: &str = "MORN MORN.early MORN.late NOON AFT AFT.early AFT.late EVE EVE.early EVE.late \
    NIGHT PHS HS WAKE C CM CD CV AC ACM ACD ACV PC PCM PCD PCV";

/// A resource as R4 has it.
pub(super) fn sound(structure: &Structure, (of, tree): (&str, Tree), depth: usize) -> Tree {
    let mut members = match tree {
        Tree::Map(members) if depth < DEPTH_MAX => members,
        other => return other,
    };
    for (name, value) in &mut members {
        let Some(member) = structure.member(of, name) else { continue };
        let inner = |tree| sound(structure, (&member.of, tree), depth + 1);
        *value = match std::mem::take(value) {
            Tree::List(items) => {
                let items = items.into_iter().map(inner).filter(|item| !item.is_empty());
                Tree::List(items.collect())
            }
            one => inner(one),
        };
    }
    if of == "Timing.repeat" {
        timed(&mut members);
    }
    if of == "Period" {
        ordered(&mut members);
    }
    if of == "Organization" {
        away_from_home(&mut members);
    }
    members.retain(|(_, value)| !value.is_empty());
    // Invariant obs-6: a value, or why there is none.
    let observed = matches!(of, "Observation" | "Observation.component");
    if observed && members.iter().any(|(name, _)| name.starts_with("value")) {
        members.retain(|(name, _)| name != "dataAbsentReason");
    }
    for (owner, alone, with) in TOGETHER {
        if of == owner && members.iter().all(|(name, _)| name != with) {
            members.retain(|(name, _)| name != alone);
        }
    }
    let has = |members: &[(String, Tree)], name: &str| members.iter().any(|(own, _)| own == name);
    // Invariant rat-1: both, or neither.
    if of == "Ratio" && has(&members, "numerator") != has(&members, "denominator") {
        let lacking = if has(&members, "numerator") { "denominator" } else { "numerator" };
        members.push((lacking.to_owned(), absent()));
    }
    for (owner, stem, name) in CHOICES {
        if of == owner && !members.iter().any(|(own, _)| own.starts_with(stem)) {
            members.push((name.to_owned(), absent()));
        }
    }
    conditional(of, &mut members);
    for (name, member) in structure.required(of) {
        let beside = format!("_{name}");
        if has(&members, name) || has(&members, &beside) || member.of == "Resource" {
            continue;
        }
        let primitive = member.of.starts_with(|sign: char| sign.is_ascii_lowercase());
        let value = match member.of.contains('.') {
            true => sound(structure, (&member.of, Tree::Map(Vec::new())), depth + 1),
            false => absent(),
        };
        let value = if member.many { Tree::List(vec![value]) } else { value };
        members.push((if primitive { beside } else { name.to_owned() }, value));
    }
    Tree::Map(members)
}

/// Codes its value set lists, and invariant tim-9: an offset is from such an event.
fn timed(members: &mut Vec<(String, Tree)>) {
    let listed =
        |item: &Tree| item.text().is_some_and(|code| WHEN.split(' ').any(|one| one == code));
    for (_, value) in members.iter_mut().filter(|(name, _)| name == "when") {
        if let Tree::List(items) = value {
            items.retain(listed);
        }
    }
    let meals = ["C", "CM", "CD", "CV"];
    let when = members.iter().find(|(name, _)| name == "when").map(|(_, value)| value.items());
    let when = when.unwrap_or_default();
    let away = |item: &Tree| item.text().is_some_and(|code| !meals.contains(&code));
    if when.is_empty() || !when.iter().all(away) {
        members.retain(|(name, _)| name != "offset");
    }
}

/// Invariants org-2 and org-3: nobody is at home in an organization.
fn away_from_home(members: &mut [(String, Tree)]) {
    for (_, value) in members.iter_mut().filter(|(name, _)| name == "address" || name == "telecom")
    {
        let Tree::List(items) = value else { continue };
        for item in items {
            let Tree::Map(parts) = item else { continue };
            parts.retain(|(name, value)| name != "use" || value.text() != Some("home"));
        }
    }
}

/// Invariant per-1: what ends before it begins has no end.
fn ordered(members: &mut Vec<(String, Tree)>) {
    let text = |name: &str| {
        let found = members.iter().find(|(own, _)| own == name);
        found.and_then(|(_, value)| value.text()).unwrap_or_default().to_owned()
    };
    let (start, end) = (text("start"), text("end"));
    let moment = |text: &str| date_of(text).and_then(|date| date.timestamp());
    let backwards = match (start.contains('T') && end.contains('T'), moment(&start), moment(&end)) {
        // Within one second the fraction decides.
        (true, Some(from), Some(until)) => from > until || (from == until && start > end),
        // A day and a time in it cannot be compared, and no validator lets them pass.
        _ if start.contains('T') != end.contains('T') && !end.is_empty() => {
            start.get(..10) >= end.get(..10)
        }
        _ => !end.is_empty() && start > end,
    };
    members.retain(|(name, _)| name != "end" || !backwards);
}

/// What must stand where something else does.
fn conditional(of: &str, members: &mut Vec<(String, Tree)>) {
    let text = |name: &str| {
        let found = members.iter().find(|(own, _)| own == name);
        found.and_then(|(_, value)| value.text()).map(str::to_owned)
    };
    let has = |name: &str| members.iter().any(|(own, _)| own == name);
    let mut more: Vec<(&str, Tree)> = Vec::new();
    match of {
        // Invariants app-2 and app-3.
        "Appointment" => {
            let open = ["cancelled", "proposed", "waitlist"];
            let status = text("status").unwrap_or_default();
            let timed = has("start") || has("end") || !open.contains(&status.as_str());
            for (name, beside) in [("start", "_start"), ("end", "_end")] {
                if timed && !has(name) && !has(beside) {
                    more.push((beside, absent()));
                }
            }
        }
        // Invariant cmp-1; narrative is made of what the section says, and never read.
        "Composition.section" if !["text", "entry", "section"].into_iter().any(has) => {
            let title = text("title").unwrap_or_else(|| "…".to_owned());
            let title = title.replace('&', "&amp;").replace('<', "&lt;");
            let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{title}</div>");
            let status = Some("generated".into());
            more.push(("text", map([("status", status), ("div", Some(div.into()))])));
        }
        // Invariant app-1.
        "Appointment.participant" if !has("type") && !has("actor") => {
            more.push(("actor", absent()));
        }
        // Invariant mad-1.
        "MedicationAdministration.dosage"
            if !members.iter().any(|(own, _)| own == "dose" || own.starts_with("rate")) =>
        {
            more.push(("dose", absent()));
        }
        // Invariant org-1.
        "Organization" if !["name", "_name", "identifier"].into_iter().any(has) => {
            more.push(("_name", absent()));
        }
        // Invariant prr-1.
        "ServiceRequest" if has("orderDetail") && !has("code") => more.push(("code", absent())),
        _ => (),
    }
    members.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
}

/// Nothing, and that it is not known.
fn absent() -> Tree {
    let reason = map([("url", Some(ABSENT.into())), ("valueCode", Some("unknown".into()))]);
    map([("extension", Some(Tree::List(vec![reason])))])
}
