//! Places: a chain of Locations, bed, room, ward, floor, building, site.
//!
//! v2-to-FHIR 1.0.0: `PL[Location]`. What nobody describes (PL-9) is described by its parts.

use super::identifier::Authority;
use super::{Forms, Made, component, guarded, list, map, plain, trimmed};
use crate::translate::fhir::leaves::Leaves;
use crate::vocabulary::value::Composite;
use crate::wire::Tree;

/// Components of a place from the outermost, with their physical type
/// (`http://terminology.hl7.org/CodeSystem/location-physical-type`).
const LEVELS: [(usize, &str); 6] =
    [(4, "si"), (7, "bu"), (8, "lvl"), (1, "wa"), (2, "ro"), (3, "bd")];
const PHYSICAL: &str = "location-physical-type";
/// How many levels of `partOf` are followed.
const CHAIN_MAX: usize = 8;

impl Forms<'_> {
    pub(super) fn place(self, whole: &Composite, made: &mut Made) -> Option<Tree> {
        let parts = &whole.parts;
        if parts.is_empty() {
            let name = Some(whole.text.as_str()).filter(|text| !text.is_empty())?;
            return Some(made.add("Location", map([("name", Some(name.into()))])));
        }
        let levels: Vec<_> =
            LEVELS.into_iter().filter(|(number, _)| component(parts, *number).is_some()).collect();
        let description = component(parts, 9).map(plain).unwrap_or_else(|| leaves_of(parts));
        let description = Some(Tree::from(description)).filter(|text| !text.is_empty());
        let mut outer = None;
        for (index, (number, kind)) in levels.iter().enumerate() {
            let innermost = index + 1 == levels.len();
            let authority = Authority::of(parts, *number);
            let name = authority.namespace.clone().or(authority.universal.clone());
            let names =
                if authority.universal.is_some() { self.names(&authority) } else { Vec::new() };
            let status = component(parts, 5).filter(|_| innermost);
            let of = component(parts, 6).filter(|_| innermost);
            let of = of.and_then(|code| self.concept("HL70305", code));
            let content = map([
                ("identifier", list(names)),
                ("operationalStatus", status.and_then(|code| self.bed_status(code))),
                ("name", name.map(Tree::from)),
                ("description", description.clone().filter(|_| innermost)),
                ("mode", Some("instance".into())),
                ("type", list(of.into_iter().collect())),
                ("physicalType", self.concept(PHYSICAL, kind)),
                ("partOf", outer.take()),
            ]);
            outer = Some(made.add("Location", content));
        }
        outer.or_else(|| {
            let content =
                map([("description", Some(description?)), ("mode", Some("instance".into()))]);
            Some(made.add("Location", content))
        })
    }

    /// HL7 table 0116.
    fn bed_status(self, code: &str) -> Option<Tree> {
        self.concept("HL70116", code)?.get("coding")?.items().first().cloned()
    }

    pub(super) fn read_place<'t>(self, tree: &'t Tree, leaves: &mut Leaves<'t>) -> Composite {
        let mut parts: [Option<String>; 9] = Default::default();
        let mut level = Some(tree);
        let mut lines = Vec::new();
        for depth in 0..CHAIN_MAX {
            let Some(place) = level else { break };
            if depth == 0 {
                let own = self.read_innermost(place, leaves);
                for (slot, part) in [4, 5, 8].into_iter().zip(own) {
                    if let Some(slot) = parts.get_mut(slot) {
                        *slot = part;
                    }
                }
            }
            let kind = place.get("physicalType");
            let kind = kind.and_then(|kind| self.concept_code(PHYSICAL, (kind, leaves)));
            let known = LEVELS.iter().find(|(_, code)| Some(*code) == kind.as_deref());
            let number = known.map_or(1, |(number, _)| *number);
            leaves.member(place, "mode");
            let mut authority = self.read_names(place, leaves);
            let name = leaves.member(place, "name");
            lines.extend(name.clone());
            if name != authority.universal {
                authority.namespace = name;
            }
            if let Some(slot) = parts.get_mut(number - 1).filter(|slot| slot.is_none()) {
                *slot = authority.component();
            }
            if depth > 0 {
                leaves.parties.push(place);
                if let Some(leaf) = place.get("resourceType") {
                    leaves.take(leaf, crate::translate::plan::Bin::Mapped);
                }
            }
            level = leaves.resolved(place.get("partOf"));
            if let Some(leaf) = place.get("partOf").and_then(|to| to.get("reference")) {
                leaves.text(leaf);
            }
        }
        lines.reverse();
        let [.., described] = &mut parts;
        let text = described.take();
        let line = leaves_of(&trimmed(parts.clone()));
        let [.., described] = &mut parts;
        *described = text.filter(|text| plain(text) != line);
        Composite { text: lines.join(" "), parts: trimmed(parts) }
    }

    /// Status, kind and description, which stand at the innermost place.
    fn read_innermost<'t>(self, place: &'t Tree, leaves: &mut Leaves<'t>) -> [Option<String>; 3] {
        let status = place.get("operationalStatus").and_then(|coding| {
            leaves.member(coding, "system");
            leaves.member(coding, "display");
            leaves.member(coding, "code")
        });
        let kind = place.get("type").and_then(|list| list.items().first());
        let kind = kind.and_then(|kind| self.concept_code("HL70305", (kind, leaves)));
        let description = leaves.member(place, "description").map(|text| guarded(&text));
        [status, kind, description]
    }
}

/// What a place is called by, part by part: how to find it, where nobody describes it.
fn leaves_of(parts: &[String]) -> String {
    let leaves = parts.iter().take(8).flat_map(|part| part.split('&')).map(plain);
    let leaves: Vec<_> = leaves.filter(|leaf| !leaf.is_empty()).collect();
    leaves.join("--")
}
