//! HumanName and the components of a name (XPN).
//!
//! v2-to-FHIR 1.0.0, `XPN[HumanName]`. XPN-3 holds all further given names: they are
//! separated by spaces, or by `&` where one of them has a space itself.

use super::{Forms, component, first, list, map, name_line, plain, sub, trimmed};
use crate::translate::fhir::leaves::Leaves;
use crate::vocabulary::value::Composite;
use crate::wire::Tree;

/// HL7 v2 table of the kind of name, and FHIR's value set.
const USES: (&str, &str) = ("hl7-0200", "fhir-name-use");

impl Forms<'_> {
    pub(super) fn human_name(self, whole: &Composite) -> Tree {
        let parts = &whole.parts;
        let text = Some(whole.text.as_str()).filter(|text| !text.is_empty());
        if parts.is_empty() {
            // A single component is the family name, unless it reads as a whole name.
            let family = text.filter(|text| {
                text.chars().all(|sign| sign.is_ascii_alphanumeric() || "-'.".contains(sign))
            });
            return map([("text", text.map(Tree::from)), ("family", family.map(Tree::from))]);
        }
        let mut given: Vec<Tree> = first(parts, 2).into_iter().collect();
        given.extend(further(component(parts, 3).unwrap_or_default()));
        let suffix = [4, 6, 14].into_iter().filter_map(|number| first(parts, number)).collect();
        let kind = component(parts, 7).and_then(|code| self.walk(USES, code));
        let range = |inner| sub(parts, 10, inner);
        let start = component(parts, 12).map(str::to_owned).or_else(|| range(1));
        let end = component(parts, 13).map(str::to_owned).or_else(|| range(2));
        map([
            ("use", kind.map(Tree::from)),
            ("text", text.map(Tree::from)),
            ("family", first(parts, 1)),
            ("given", list(given)),
            ("prefix", list(first(parts, 5).into_iter().collect())),
            ("suffix", list(suffix)),
            ("period", self.period(start.as_deref(), end.as_deref())),
        ])
    }

    pub(super) fn read_human_name<'t>(
        self,
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> Option<Composite> {
        let text = leaves.member(tree, "text");
        let family = leaves.member(tree, "family").map(|family| super::guarded(&family));
        let mut given = leaves.texts(tree, "given").into_iter();
        let one = given.next().map(|given| super::guarded(&given));
        let further = joined(given.collect());
        let [suffix, degree, professional] = three(tree.get("suffix"), leaves);
        let prefix = tree.get("prefix").and_then(|list| list.items().first());
        let prefix =
            prefix.and_then(|prefix| leaves.text(prefix)).map(|text| super::guarded(&text));
        let kind = tree.get("use").and_then(Tree::text).and_then(|code| self.walk_back(USES, code));
        if let (Some(_), Some(leaf)) = (&kind, tree.get("use")) {
            leaves.text(leaf);
        }
        let [start, end] = self.read_period(tree, leaves);
        let parts = trimmed([
            family,
            one,
            further,
            suffix,
            prefix,
            degree,
            kind,
            None,
            None,
            None,
            None,
            start,
            end,
            professional,
        ]);
        match (text, parts.is_empty()) {
            (Some(text), _) => Some(Composite { text, parts }),
            (None, true) => None,
            (None, false) => Some(Self::line(&parts, name_line)),
        }
    }

    /// The code of FHIR's value set for a code of HL7 v2.
    pub(super) fn walk(self, (v2, fhir): (&str, &str), code: &str) -> Option<String> {
        self.pack.tables().crosswalk(v2, fhir)?.get(code).cloned()
    }

    /// The code of HL7 v2 for a code of FHIR's value set.
    pub(super) fn walk_back(self, (v2, fhir): (&str, &str), code: &str) -> Option<String> {
        self.pack.tables().crosswalk(fhir, v2)?.get(code).cloned()
    }
}

/// At most three texts of a list.
fn three<'t>(list: Option<&'t Tree>, leaves: &mut Leaves<'t>) -> [Option<String>; 3] {
    let items = list.map(Tree::items).unwrap_or_default();
    [0, 1, 2].map(|index| {
        let text = items.get(index).and_then(|item| leaves.text(item))?;
        Some(super::guarded(&text))
    })
}

/// Each further given name.
fn further(text: &str) -> Vec<Tree> {
    let at = if text.contains('&') { '&' } else { ' ' };
    let names = text.split(at).filter(|name| !name.is_empty());
    names.map(|name| plain(name).into()).collect()
}

/// Further given names as one component.
fn joined(names: Vec<String>) -> Option<String> {
    let names: Vec<_> = names.iter().map(|name| super::guarded(name)).collect();
    let spaced = names.iter().any(|name| name.contains(' '));
    let joined = match (spaced, names.as_slice()) {
        (_, []) => return None,
        // The `&` says that the space does not separate.
        (true, [one]) => format!("{one}&"),
        (true, names) => names.join("&"),
        (false, names) => names.join(" "),
    };
    Some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_given_names_come_back_one_by_one() {
        for names in [vec![], vec!["B"], vec!["B", "C"], vec!["Mary Ann"], vec!["A B", "C & D"]] {
            let names: Vec<_> = names.into_iter().map(str::to_owned).collect();
            let found = further(&joined(names.clone()).unwrap_or_default());
            assert_eq!(found, names.into_iter().map(Tree::from).collect::<Vec<_>>());
        }
    }
}
