//! A change in one line.

use crate::policy::{Change, Form, Term};

/// `community worker contract-status MZ.contract.signed 已签约标志: withheld → full (rule)`
#[must_use]
pub fn cell(change: &Change) -> String {
    let Change { asking, element, name, special, rules, .. } = change;
    let special = special.map(|class| format!("#{class}")).unwrap_or_default();
    let (from, to) = (form(change.from), form(change.to));
    let rules: Vec<&str> = rules.iter().map(|rule| &**rule).collect();
    format!("{asking} {element}{special} {}: {from} → {to} ({})", name.zh, rules.join(", "))
}

/// The tier; with the treatment where the tier alone does not say what it is.
#[must_use]
pub fn form(form: Form) -> String {
    match form.treatment {
        Some(treatment) if !["keep", "present"].contains(&treatment.as_str()) => {
            format!("{} {}", form.tier.as_str(), treatment.as_str())
        }
        _ => form.tier.as_str().to_owned(),
    }
}

/// The words of a file that are added or gone.
#[must_use]
pub fn term(term: &Term) -> String {
    match term.added {
        true => format!("{} (新增 added)", term.text),
        false => format!("{} (删除 gone)", term.text),
    }
}
