//! Codes: `code`, Coding and CodeableConcept, with every coding of a CWE.
//!
//! v2-to-FHIR 1.0.0, `CWE[CodeableConcept]`: three triplets with their versions, and the
//! original text. Where the rows have a crosswalk or the element a national table, its
//! coding is added behind those that came.

use super::{Forms, Shape, component, guarded, list, map, plain, trimmed};
use crate::translate::fhir::leaves::Leaves;
use crate::translate::fhir::plan::FhirRow;
use crate::translate::file::Way;
use crate::translate::plan::{Codes, Read, Tables};
use crate::vocabulary::Coding;
use crate::vocabulary::code::Original;
use crate::wire::Tree;

/// Components of code, display, system and version of each coding of a CWE
/// (HL7 v2.8 section 2.A.13).
const CODINGS: [[usize; 4]; 3] = [[1, 2, 3, 7], [4, 5, 6, 8], [10, 11, 12, 13]];
/// The component of the original text.
const TEXT: usize = 9;

/// One coding; the system is a name, as the vocabulary has it.
#[derive(Debug, Clone, Default)]
struct Part {
    code: Option<String>,
    display: Option<String>,
    system: Option<String>,
    version: Option<String>,
}

/// FHIR R4 section 2.24.0.1: no space at either end, single spaces inside.
pub(super) fn is_code(text: &str) -> bool {
    !text.is_empty() && text.split(' ').all(|word| !word.is_empty() && !word.contains('\t'))
}

impl Forms<'_> {
    /// Yes or no where a code may stand: HL7 table 0136.
    pub(super) fn yes_or_no(self, row: &FhirRow, yes: bool) -> Tree {
        let code = if yes { "Y" } else { "N" };
        match row.shape {
            Shape::Boolean => Tree::Bool(yes),
            Shape::Code => code.into(),
            _ => {
                let part = Part {
                    code: Some(code.to_owned()),
                    system: Some("HL70136".to_owned()),
                    ..Part::default()
                };
                map([("coding", list(vec![self.coding_tree(&part)]))])
            }
        }
    }

    pub(super) fn read_yes_or_no<'t>(
        self,
        row: &FhirRow,
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> Option<bool> {
        if row.shape != Shape::CodeableConcept {
            return match leaves.text(tree)?.as_str() {
                "true" | "Y" => Some(true),
                "false" | "N" => Some(false),
                _ => None,
            };
        }
        let parts = self.read_codings(tree.get("coding")?.items(), leaves);
        match parts.first()?.code.as_deref()? {
            "Y" => Some(true),
            "N" => Some(false),
            _ => None,
        }
    }

    pub(super) fn code(self, row: &FhirRow, coding: &Coding) -> Option<Tree> {
        let Read::Code(codes) = &row.meaning.read else { return None };
        if row.meaning.way == Way::Out && !row.original.is_empty() {
            return self.walked_alone(row, coding);
        }
        let wire = || wire_code(codes, coding);
        match row.shape {
            Shape::Code => wire().filter(|code| is_code(code)).map(Tree::from),
            Shape::Boolean => match wire()? {
                "true" => Some(Tree::Bool(true)),
                "false" => Some(Tree::Bool(false)),
                _ => None,
            },
            // Of a code a URI can only be its system: units, numbers of CWE[Identifier].
            Shape::Text if row.of == "uri" => {
                let parts = self.parts(row, codes, coding);
                let system = parts.iter().find_map(|part| part.system.as_deref())?;
                Some(self.plan.systems.uri(system).into())
            }
            // v2-to-FHIR 1.0.0, CWE[Identifier].
            Shape::Identifier => {
                let parts = self.parts(row, codes, coding);
                let part = parts.iter().find(|part| part.code.is_some())?;
                let system = part.system.as_deref().map(|name| self.plan.systems.uri(name));
                let value = part.code.as_deref().map(Tree::from);
                Some(map([("system", system.map(Tree::from)), ("value", value)]))
            }
            Shape::Text => {
                let text = coding.display.as_deref().or_else(wire)?;
                Some(text.into())
            }
            Shape::Coding => {
                let parts = self.parts(row, codes, coding);
                let walked = parts.iter().find(|part| {
                    part.system.is_some() && part.system.as_deref() == codes.tables.wire()
                });
                walked.or(parts.first()).map(|part| self.coding_tree(part))
            }
            _ => {
                let mut parts = self.parts(row, codes, coding);
                for more in self.walked(row, coding) {
                    let uri = |part: &Part| Some(self.plan.systems.uri(part.system.as_deref()?));
                    let same = |part: &Part| part.code == more.code && uri(part) == uri(&more);
                    if !parts.iter().any(same) {
                        parts.push(more);
                    }
                }
                let came = coding.original.as_ref().map(|original| original.parts.as_slice());
                let text = came.and_then(|parts| component(parts, TEXT)).map(plain);
                let codings: Vec<_> = parts.iter().map(|part| self.coding_tree(part)).collect();
                let first = codings.first().and_then(|first| first.get("display"));
                let said = || first.and_then(Tree::text).map(str::to_owned);
                let worded = || said().or_else(|| self.said(coding)).filter(|_| row.worded);
                let text = text.or_else(worded);
                let whole = map([("coding", list(codings)), ("text", text.map(Tree::from))]);
                (!whole.is_empty()).then_some(whole)
            }
        }
    }

    /// What a code says: in the sender's words, else in those of its table, else itself.
    pub(super) fn said(self, coding: &Coding) -> Option<String> {
        let original = coding.original.as_ref().map(|original| original.code.clone());
        let code = original.or_else(|| coding.code.clone())?;
        let system = coding.original.as_ref().and_then(|original| original.system.as_deref());
        let known = system
            .and_then(|system| self.plan.systems.display(self.pack.tables(), (system, &code)));
        Some(coding.display.clone().or(known).unwrap_or(code))
    }

    /// The codes as they came, by the crosswalks from the tables they came in.
    fn walked(self, row: &FhirRow, coding: &Coding) -> Vec<Part> {
        let uri = |name: &str| self.plan.systems.uri(name);
        let mut parts = came(coding);
        if parts.is_empty() {
            let system = row.domain.clone();
            parts.push(Part { code: coding.code.clone(), system, ..Part::default() });
        }
        let mut found = Vec::new();
        for (table, tables) in &row.original {
            let of_table = |part: &&Part| {
                part.system.as_deref().is_none_or(|system| uri(system) == uri(table))
            };
            let codes = parts.iter().filter(of_table).filter_map(|part| part.code.as_deref());
            found.extend(codes.filter_map(|code| tables.write(code)).map(|code| Part {
                code: Some(code.to_owned()),
                system: tables.wire().map(str::to_owned),
                ..Part::default()
            }));
        }
        found
    }

    /// What the crosswalks from the sender's tables make of a code, alone.
    fn walked_alone(self, row: &FhirRow, coding: &Coding) -> Option<Tree> {
        let walked = self.walked(row, coding);
        let walked: Vec<_> = walked.iter().map(|part| self.coding_tree(part)).collect();
        let first = walked.first()?;
        match row.shape {
            Shape::Coding => Some(first.clone()),
            Shape::Code => first.get("code").cloned(),
            Shape::Text => first.get("display").or(first.get("code")).cloned(),
            _ => Some(map([("coding", list(walked))])),
        }
    }

    /// Every coding of a value: those that came, the crosswalk's, the element's own.
    fn parts(self, row: &FhirRow, codes: &Codes, coding: &Coding) -> Vec<Part> {
        let mut parts = came(coding);
        for part in &mut parts {
            if part.code.is_some() && part.system.is_none() {
                part.system.clone_from(&row.system);
            }
        }
        let beside = beside(coding, &parts);
        let mut add = |code: Option<&str>, system: Option<&str>| {
            let (Some(code), Some(system)) = (code, system) else { return };
            let uri = self.plan.systems.uri(system);
            let same = |part: &Part| {
                let known = part.system.as_deref().map(|name| self.plan.systems.uri(name));
                part.code.as_deref() == Some(code) && known.is_none_or(|known| known == uri)
            };
            match parts.iter_mut().find(|part| same(part)) {
                Some(part) => part.system = Some(system.to_owned()),
                None => parts.push(Part {
                    code: Some(code.to_owned()),
                    system: Some(system.to_owned()),
                    ..Part::default()
                }),
            }
        };
        let own = coding.code.as_deref();
        if let Tables::Walk { wire, back, .. } = &*codes.tables {
            add(own.and_then(|code| back.get(code)).map(String::as_str), Some(wire));
            // A code of the same system in another triplet is walked as well.
            for code in &beside {
                add(back.get(code).map(String::as_str), Some(wire));
            }
        }
        let domain = row.domain.as_deref().filter(|name| self.plan.systems.knows(name));
        add(own, domain);
        if parts.is_empty() && (own.is_some() || coding.display.is_some()) {
            parts.push(Part {
                code: coding.code.clone(),
                display: coding.display.clone(),
                system: row.system.clone().filter(|_| own.is_some()),
                version: None,
            });
        }
        parts
    }

    fn coding_tree(self, part: &Part) -> Tree {
        let named = part.system.as_deref().zip(part.code.as_deref());
        let known = || named.and_then(|at| self.plan.systems.display(self.pack.tables(), at));
        let display = part.display.clone().or_else(known);
        let system = part.system.as_deref().map(|name| self.plan.systems.uri(name).into());
        map([
            ("system", system),
            ("version", part.version.clone().map(Tree::from)),
            ("code", part.code.clone().filter(|code| is_code(code)).map(Tree::from)),
            ("display", display.map(Tree::from)),
        ])
    }

    /// One code of a table, as a CodeableConcept.
    pub(super) fn concept(self, system: &str, code: &str) -> Option<Tree> {
        if !is_code(code) {
            return None;
        }
        let system = Some(system.to_owned());
        let part = Part { code: Some(code.to_owned()), system, ..Part::default() };
        Some(map([("coding", list(vec![self.coding_tree(&part)]))]))
    }

    /// The code a CodeableConcept has in a system, or without one.
    pub(super) fn concept_code<'t>(
        self,
        system: &str,
        (tree, leaves): (&'t Tree, &mut Leaves<'t>),
    ) -> Option<String> {
        let uri = self.plan.systems.uri(system);
        let codings = tree.get("coding")?.items();
        let own = |coding: &&Tree| {
            coding.get("system").and_then(Tree::text).is_none_or(|known| known == uri)
        };
        let coding = codings.iter().find(own)?;
        leaves.member(coding, "system");
        leaves.member(coding, "display");
        leaves.member(coding, "code")
    }

    pub(super) fn read_code<'t>(
        self,
        row: &FhirRow,
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> Option<Coding> {
        let Read::Code(codes) = &row.meaning.read else { return None };
        let parts = match row.shape {
            Shape::CodeableConcept => {
                let codings = tree.get("coding").map(Tree::items).unwrap_or_default();
                self.read_codings(codings, leaves)
            }
            Shape::Coding => self.read_codings(std::slice::from_ref(tree), leaves),
            Shape::Identifier => {
                let system = leaves.member(tree, "system");
                let system = system.map(|uri| self.plan.systems.name(&uri));
                vec![Part { code: leaves.member(tree, "value"), system, ..Part::default() }]
            }
            _ => {
                let sent = leaves.text(tree)?;
                let code = codes.tables.read(&sent).map(str::to_owned);
                let system = codes.tables.wire().map(str::to_owned);
                let differs = code.as_deref() != Some(sent.as_str());
                let original = differs.then(|| Original::new(sent, system));
                return Some(Coding { code, display: None, original });
            }
        };
        let text =
            (row.shape == Shape::CodeableConcept).then(|| leaves.member(tree, "text")).flatten();
        let repeats = |text: &String| {
            row.worded && parts.first().is_some_and(|first| first.display.as_ref() == Some(text))
        };
        let text = text.filter(|text| !repeats(text));
        self.gathered((row, codes), parts, text)
    }

    /// At most three codings: a CWE has no room for more.
    fn read_codings<'t>(self, codings: &'t [Tree], leaves: &mut Leaves<'t>) -> Vec<Part> {
        let filled = codings.iter().take(CODINGS.len()).map(|coding| Part {
            system: leaves.member(coding, "system").map(|uri| self.plan.systems.name(&uri)),
            version: leaves.member(coding, "version"),
            code: leaves.member(coding, "code"),
            display: leaves.member(coding, "display"),
        });
        let filled = filled.filter(|part| part.code.is_some() || part.display.is_some());
        filled.collect()
    }

    /// One value of several codings.
    fn gathered(
        self,
        (row, codes): (&FhirRow, &Codes),
        parts: Vec<Part>,
        text: Option<String>,
    ) -> Option<Coding> {
        if parts.is_empty() && text.is_none() {
            return None;
        }
        let uri = |name: &str| self.plan.systems.uri(name);
        let of = |table: &str| {
            let named =
                |part: &&Part| part.system.as_deref().is_some_and(|name| uri(name) == uri(table));
            parts.iter().find(named).and_then(|part| part.code.as_deref())
        };
        let bare = parts.iter().find(|part| part.system.is_none() || part.system == row.system);
        let bare = bare.and_then(|part| part.code.as_deref());
        let walked = || codes.tables.wire().and_then(of).and_then(|code| codes.tables.read(code));
        let known =
            |code: &&str| !matches!(&*codes.tables, Tables::Same(all) if !all.contains(*code));
        let code = match (&row.domain, &*codes.tables) {
            (Some(domain), Tables::Walk { .. }) => of(domain).or_else(walked),
            (None, Tables::Walk { .. }) => walked(),
            (Some(domain), _) => of(domain).or(bare).filter(known),
            (None, _) => parts.first().and_then(|part| part.code.as_deref()),
        };
        let code = code.map(str::to_owned);
        let first = parts.first().cloned().unwrap_or_default();
        let rich = parts.len() > 1 || text.is_some() || first.version.is_some();
        let own = row.domain.as_deref().or(row.system.as_deref());
        let same = code == first.code
            && first
                .system
                .as_deref()
                .is_none_or(|name| own.is_some_and(|own| uri(own) == uri(name)));
        let whole = if rich { components(&parts, text.as_deref()) } else { Vec::new() };
        let original = (rich || !same).then(|| Original {
            code: first.code.unwrap_or_default(),
            system: first.system,
            parts: whole,
        });
        let original = original.filter(|original| rich || !original.code.is_empty());
        Some(Coding { code, display: first.display.or(text), original })
    }
}

/// The code on the wire: exactly as it came if it came over this wire, else by the crosswalk.
fn wire_code<'a>(codes: &'a Codes, coding: &'a Coding) -> Option<&'a str> {
    let wire = codes.tables.wire();
    let own = coding.original.as_ref().filter(|original| {
        original.system.as_deref() == wire && (wire.is_some() || coding.code.is_none())
    });
    match (own, &coding.code) {
        (Some(original), _) => Some(&original.code),
        (_, Some(code)) => codes.tables.write(code),
        (None, None) => None,
    }
}

/// Further codes of the system the value's own code came in.
fn beside(coding: &Coding, parts: &[Part]) -> Vec<String> {
    let Some((first, others)) = parts.split_first() else { return Vec::new() };
    if first.code.is_none() || first.code != coding.code {
        return Vec::new();
    }
    let same = others.iter().filter(|part| part.system == first.system);
    same.filter_map(|part| part.code.clone()).collect()
}

/// The codings a value came with.
fn came(coding: &Coding) -> Vec<Part> {
    let Some(original) = &coding.original else { return Vec::new() };
    if original.parts.is_empty() {
        let code = Some(original.code.clone()).filter(|code| !code.is_empty());
        let (display, system) = (coding.display.clone(), original.system.clone());
        return vec![Part { code, display, system, version: None }];
    }
    let text = |number: usize| component(&original.parts, number).map(plain);
    let parts = CODINGS.iter().map(|[code, display, system, version]| Part {
        code: text(*code),
        display: text(*display),
        system: text(*system),
        version: text(*version),
    });
    parts.filter(|part| part.code.is_some() || part.display.is_some()).collect()
}

/// The components of a CWE.
fn components(parts: &[Part], text: Option<&str>) -> Vec<String> {
    let mut whole: [Option<String>; 13] = Default::default();
    let mut put = |number: usize, text: Option<&str>| {
        if let Some(slot) = whole.get_mut(number - 1) {
            *slot = text.map(guarded);
        }
    };
    for (part, [code, display, system, version]) in parts.iter().zip(CODINGS) {
        put(code, part.code.as_deref());
        put(display, part.display.as_deref());
        put(system, part.system.as_deref());
        put(version, part.version.as_deref());
    }
    put(TEXT, text);
    trimmed(whole)
}
