//! What R4 demands of every resource, whatever its rows wrote.
//!
//! A required member nobody had a value for says so (`data-absent-reason`, R4 section
//! 2.5.0.2); what may not stand beside another, or not alone, is left out.

use super::form::map;
use super::structure::Structure;
use crate::wire::Tree;

/// The extension that says that a value is not known.
pub(super) const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
/// How deep required members are made.
const DEPTH_MAX: usize = 8;

/// Members that stand only with another: invariants tim-1 and tim-2 of Timing.
const TOGETHER: [(&str, &str, &str); 2] =
    [("Timing.repeat", "duration", "durationUnit"), ("Timing.repeat", "period", "periodUnit")];

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
            Tree::List(items) => Tree::List(items.into_iter().map(inner).collect()),
            one => inner(one),
        };
    }
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

/// Nothing, and that it is not known.
fn absent() -> Tree {
    let reason = map([("url", Some(ABSENT.into())), ("valueCode", Some("unknown".into()))]);
    map([("extension", Some(Tree::List(vec![reason])))])
}
