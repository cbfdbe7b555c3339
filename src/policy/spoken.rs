//! What a rule speaks of: which grounds it names, and for which purposes alone it can hold.
//!
//! Most decisions are alike whatever evidence and relations there are. Where no rule that can
//! speak of an asker names a ground, it need not be tried with and without: one plan serves both.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

use super::purpose::EvidenceKey;
use super::rules::Grounds;
use crate::vocabulary::Purpose;

/// What one rule speaks of.
#[derive(Debug, Clone)]
pub(super) struct Spoken {
    /// The grounds it names; all where it takes a record of them as a whole.
    pub(super) grounds: Grounds,
    /// The purposes it can hold for; any if `None`.
    purposes: Option<BTreeSet<String>>,
}

impl Spoken {
    pub(super) fn by(policy: &Policy, relations: &[String]) -> Self {
        // Without its text nothing is known of it: it may speak of everything.
        let Ok(rule) = policy.to_json() else {
            return Self { grounds: Grounds::ALL, purposes: None };
        };
        let evidence: Vec<_> = EvidenceKey::ALL.iter().map(|key| key.as_str().to_owned()).collect();
        let conditions = rule.get("conditions").and_then(Value::as_array);
        let conditions = conditions.map(Vec::as_slice).unwrap_or_default();
        let bodies = conditions.iter().filter_map(|one| one.get("body"));
        let named = |record: &str, names: &[String]| {
            let each = bodies.clone().map(|body| named(body, record, names));
            each.fold(0, |all, one| all | one)
        };
        let when = conditions.iter().filter(|one| one.get("kind") == Some(&"when".into()));
        let parts = when.filter_map(|one| one.get("body")).map(conjuncts);
        // Behind what may fail nothing is believed: a rule that fails withholds.
        let sure = parts.flat_map(|parts| parts.into_iter().take_while(|part| is_sure(part)));
        let purposes = sure.filter_map(purposes).reduce(|all, one| &all & &one);
        Self {
            grounds: Grounds::new(named("evidence", &evidence), named("relation", relations)),
            purposes,
        }
    }

    /// Whether it can hold for a purpose.
    pub(super) fn can_be_for(&self, purpose: Purpose) -> bool {
        self.purposes.as_ref().is_none_or(|purposes| purposes.contains(purpose.as_str()))
    }
}

/// Whether a part compares role or purpose with a name, and so cannot fail.
fn is_sure(part: &Value) -> bool {
    let plain = |value: &Value| value.pointer("/Value/__entity").is_some();
    let role = |value: &Value| context(value).as_deref() == Some("role");
    let compared = part.get("==").and_then(sides);
    purposes(part).is_some()
        || compared
            .is_some_and(|(one, other)| (role(one) && plain(other)) || (plain(one) && role(other)))
}

/// `a && b && c`, each.
fn conjuncts(body: &Value) -> Vec<&Value> {
    let sides = body.get("&&").and_then(|both| Some((both.get("left")?, both.get("right")?)));
    match sides {
        Some((left, right)) => [conjuncts(left), conjuncts(right)].concat(),
        None => vec![body],
    }
}

/// The purposes of `context.purpose == Purpose::"x"` and `[…].contains(context.purpose)`.
fn purposes(part: &Value) -> Option<BTreeSet<String>> {
    let is_purpose = |value: &Value| context(value).as_deref() == Some("purpose");
    let name = |value: &Value| {
        let entity = value.pointer("/Value/__entity")?;
        let own = entity.get("type")?.as_str()? == "Purpose";
        entity.get("id").and_then(Value::as_str).filter(|_| own).map(str::to_owned)
    };
    if let Some((left, right)) = part.get("==").and_then(sides) {
        let other = if is_purpose(left) { right } else { left };
        return (is_purpose(left) || is_purpose(right))
            .then_some(())
            .and_then(|()| name(other))
            .map(|name| BTreeSet::from([name]));
    }
    let (list, one) = part.get("contains").and_then(sides)?;
    let all: Option<BTreeSet<_>> = list.get("Set")?.as_array()?.iter().map(name).collect();
    all.filter(|_| is_purpose(one))
}

fn sides(both: &Value) -> Option<(&Value, &Value)> {
    Some((both.get("left")?, both.get("right")?))
}

/// `context.x` as `x`.
fn context(value: &Value) -> Option<String> {
    let access = value.get(".")?;
    let of = access.pointer("/left/Var").and_then(Value::as_str)?;
    (of == "context").then(|| access.get("attr").and_then(Value::as_str).map(str::to_owned))?
}

/// Which members of `context.record` a rule names, one bit each in the order of `names`.
fn named(value: &Value, record: &str, names: &[String]) -> u8 {
    let all = u8::MAX >> (8 - names.len().min(8));
    if let Some(access) = value.get(".")
        && access.get("left").and_then(context).as_deref() == Some(record)
    {
        let attr = access.get("attr").and_then(Value::as_str);
        let place = names.iter().position(|name| Some(name.as_str()) == attr);
        return place.map_or(all, |place| 1 << place);
    }
    match context(value) {
        Some(member) => return if member == record { all } else { 0 },
        // The context as a whole, under whatever name: everything in it.
        None if value.get("Var").and_then(Value::as_str) == Some("context") => return all,
        None => (),
    }
    match value {
        Value::Array(values) => values.iter().fold(0, |bits, one| bits | named(one, record, names)),
        Value::Object(members) => {
            members.values().fold(0, |bits, one| bits | named(one, record, names))
        }
        _ => 0,
    }
}
