//! `*.cedar` files: parsed, named by their `@id`, and checked against schema and catalogue.

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::{
    EntityUid, Policy, PolicyId, PolicySet as CedarSet, Schema, ValidationMode, Validator,
};

use super::purpose::Bilingual;
use super::rules::{Note, forbids};
use super::schema::Lists;
use super::scope::RuleId;
use crate::vocabulary::{Catalogue, Department, Diagnostic, Element, ElementId, Files};

/// The rules of all files.
pub(super) struct Loaded {
    pub(super) set: CedarSet,
    pub(super) notes: HashMap<PolicyId, Note>,
}

/// Where a rule stands.
struct Place<'a> {
    path: &'a str,
    text: &'a str,
    offset: usize,
}

/// Reads every `*.cedar` file at the top of the folder.
pub(super) fn load(
    files: &Files,
    schema: &Schema,
    lists: Lists<'_>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let mut loaded = Loaded { set: CedarSet::new(), notes: HashMap::new() };
    let mut places: HashMap<PolicyId, Place<'_>> = HashMap::new();
    for path in files.under("", "cedar") {
        let text = match files.text(path) {
            Ok(text) => text,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let set = match CedarSet::from_str(text) {
            Ok(set) => set,
            Err(errors) => {
                faults.extend(errors.iter().map(|error| diagnostic(path, text, 0, error)));
                continue;
            }
        };
        for policy in set.policies() {
            let place = Place { path, text, offset: offset(text, policy) };
            match add(policy, &place, &mut loaded) {
                Ok(id) => {
                    faults.extend(unknown_names(policy, &place, lists));
                    places.insert(id, place);
                }
                Err(message) => faults.push(Diagnostic::at(path, text, place.offset, message)),
            }
        }
    }
    let checked = Validator::new(schema.clone()).validate(&loaded.set, ValidationMode::Strict);
    for error in checked.validation_errors() {
        if let Some(place) = places.get(error.policy_id()) {
            faults.push(diagnostic(place.path, place.text, place.offset, error));
        }
    }
    if faults.is_empty() { Ok(loaded) } else { Err(faults) }
}

/// Adds one rule under its own name.
fn add(policy: &Policy, place: &Place<'_>, loaded: &mut Loaded) -> Result<PolicyId, String> {
    let id = policy.annotation("id").filter(|id| !id.is_empty());
    let id = id.ok_or("a rule needs an @id(\"…\"), under which the ledger names it")?;
    if forbids(policy) && policy.annotation("clause").is_none_or(str::is_empty) {
        return Err("a forbid needs a @clause(\"…\") that says where it comes from".to_owned());
    }
    let remedy = match (policy.annotation("zh"), policy.annotation("en")) {
        (Some(zh), Some(en)) => Some(Bilingual { zh: zh.to_owned(), en: en.to_owned() }),
        (None, None) => None,
        _ => return Err("a remedy stands in both languages, @zh and @en".to_owned()),
    };
    let note = Note { id: RuleId::from(id), hidden: policy.annotation("hidden").is_some(), remedy };
    let key = PolicyId::new(id);
    let twice = |_| format!("rule {id} stands twice, here in {}", place.path);
    loaded.set.add(policy.new_id(key.clone())).map_err(twice)?;
    loaded.notes.insert(key.clone(), note);
    Ok(key)
}

/// Elements the catalogue does not have, and departments nobody knows.
fn unknown_names(policy: &Policy, place: &Place<'_>, lists: Lists<'_>) -> Vec<Diagnostic> {
    let unknown = policy.entity_literals().into_iter().filter_map(|uid| {
        let known = match uid.type_name().basename() {
            "Element" => element(&uid, lists.catalogue).is_some(),
            "Department" => Department::parse(uid.id().unescaped())
                .is_ok_and(|name| lists.departments.department(name).is_some()),
            _ => true,
        };
        (!known).then(|| uid.to_string())
    });
    let within = place.text.get(place.offset..).unwrap_or_default();
    unknown
        .map(|name| {
            let offset = place.offset + within.find(&name).unwrap_or(0);
            Diagnostic::at(place.path, place.text, offset, format!("there is no {name}"))
        })
        .collect()
}

/// The element an entity names.
pub(super) fn element<'a>(uid: &EntityUid, catalogue: &'a Catalogue) -> Option<&'a Element> {
    ElementId::parse(uid.id().unescaped()).ok().and_then(|id| catalogue.get(id))
}

/// Where a rule begins: Cedar numbers the rules of a text from `policy0`.
fn offset(text: &str, policy: &Policy) -> usize {
    let number = policy.id().to_string();
    let number = number.strip_prefix("policy").and_then(|digits| digits.parse().ok());
    let mut start = 0;
    let heads = text.split_inclusive('\n').filter_map(|line| {
        let here = start;
        start += line.len();
        let head = line.trim_start();
        let rule = ["permit", "forbid"].iter().any(|effect| {
            head.strip_prefix(effect).is_some_and(|rest| rest.trim_start().starts_with('('))
        });
        rule.then_some(here)
    });
    heads.into_iter().nth(number.unwrap_or(0)).unwrap_or(0)
}

/// What is wrong with a rule, where its `@id` stands.
pub(super) fn place(files: &Files, id: &str, message: String) -> Diagnostic {
    let name = format!("@id({id:?})");
    let texts = files.under("", "cedar").filter_map(|path| Some((path, files.text(path).ok()?)));
    let found = texts.filter_map(|(path, text)| Some((path, text, text.find(&name)?))).next();
    let (path, text, offset) = found.unwrap_or(("*.cedar", "", 0));
    Diagnostic::at(path, text, offset, message)
}

/// Cedar's own message, at the place it points to.
fn diagnostic(
    path: &str,
    text: &str,
    otherwise: usize,
    error: &(impl miette::Diagnostic + ?Sized),
) -> Diagnostic {
    let label = error.labels().and_then(|mut labels| labels.next());
    let offset = label.map_or(otherwise, |label| label.offset());
    let message = error.to_string().replace('\n', "; ");
    let found = Diagnostic::at(path, text, offset, message);
    match error.help() {
        Some(help) => found.hint(help.to_string()),
        None => found,
    }
}
