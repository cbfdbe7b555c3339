//! Address (XAD) and ContactPoint (XTN), by the v2-to-FHIR maps of those types.

use super::{Forms, component, first, guarded, list, map, plain, sub, trimmed};
use crate::translate::fhir::leaves::Leaves;
use crate::translate::value;
use crate::vocabulary::value::Composite;
use crate::wire::Tree;

const ADDRESS_USES: (&str, &str) = ("hl7-0190", "fhir-address-use");
const ADDRESS_TYPES: (&str, &str) = ("hl7-0190", "fhir-address-type");
const POINT_USES: (&str, &str) = ("hl7-0201", "fhir-contact-point-use");
const POINT_SYSTEMS: (&str, &str) = ("hl7-0202", "fhir-contact-point-system");

impl Forms<'_> {
    pub(super) fn address(self, whole: &Composite) -> Tree {
        let parts = &whole.parts;
        let text = Some(whole.text.as_str()).filter(|text| !text.is_empty()).map(Tree::from);
        if parts.is_empty() {
            return map([("text", text)]);
        }
        // The street's subcomponents (SAD), the other designation, the addressee.
        let street = component(parts, 1).unwrap_or_default().split('&');
        let street = street.filter(|part| !part.is_empty()).map(|part| plain(part).into());
        let others = [2, 19].into_iter().filter_map(|number| first(parts, number));
        let kind = component(parts, 7);
        let range = |inner| sub(parts, 12, inner);
        let start = component(parts, 13).map(str::to_owned).or_else(|| range(1));
        let end = component(parts, 14).map(str::to_owned).or_else(|| range(2));
        let walk = |tables| kind.and_then(|code| self.walk(tables, code)).map(Tree::from);
        let district = sub(parts, 9, 1).or_else(|| sub(parts, 9, 2));
        map([
            ("use", walk(ADDRESS_USES)),
            ("type", walk(ADDRESS_TYPES)),
            ("text", text),
            ("line", list(street.chain(others).collect())),
            ("city", first(parts, 3)),
            ("district", district.map(Tree::from)),
            ("state", first(parts, 4)),
            ("postalCode", first(parts, 5)),
            ("country", first(parts, 6)),
            ("period", self.period(start.as_deref(), end.as_deref())),
        ])
    }

    pub(super) fn read_address<'t>(
        self,
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> Option<Composite> {
        let text = leaves.member(tree, "text");
        let mut lines: Vec<_> =
            leaves.texts(tree, "line").iter().map(|line| guarded(line)).collect();
        let other = (lines.len() > 1).then(|| lines.pop()).flatten();
        let street = (!lines.is_empty()).then(|| lines.join("&"));
        let mut part = |name| leaves.member(tree, name).map(|text| guarded(&text));
        let [city, state, zip, country, district] =
            ["city", "state", "postalCode", "country", "district"].map(&mut part);
        let kinds = [("use", ADDRESS_USES), ("type", ADDRESS_TYPES)];
        let kind = kinds.into_iter().find_map(|(name, tables)| {
            let leaf = tree.get(name)?;
            let code = self.walk_back(tables, leaf.text()?)?;
            leaves.text(leaf).map(|_| code)
        });
        let [start, end] = self.read_period(tree, leaves);
        let parts = trimmed([
            street, other, city, state, zip, country, kind, None, district, None, None, None,
            start, end,
        ]);
        match (text, parts.is_empty()) {
            (Some(text), _) => Some(Composite { text, parts }),
            (None, true) => None,
            (None, false) => Some(Self::line(&parts, value::address_line)),
        }
    }

    pub(super) fn contact_point(self, whole: &Composite) -> Option<Tree> {
        let parts = &whole.parts;
        let equipment = component(parts, 3);
        let walked = equipment.and_then(|code| self.walk(POINT_SYSTEMS, code));
        let mail = sub(parts, 4, 1);
        // v2-to-FHIR 1.0.0 `XTN[ContactPoint]`: XTN-4 where XTN-3 says so, or says nothing.
        let electronic = match equipment {
            Some(kind) => matches!(kind, "Internet" | "X.400"),
            None => mail.is_some(),
        };
        let system = walked.unwrap_or_else(|| {
            let mail = electronic || whole.text.contains('@');
            if mail { "email" } else { "phone" }.to_owned()
        });
        let unformatted = sub(parts, 12, 1).filter(|_| !electronic);
        let value = mail.filter(|_| electronic).or(unformatted);
        let value = value.unwrap_or_else(|| whole.text.clone());
        if value.is_empty() {
            return None;
        }
        let mobile = (equipment == Some("CP")).then(|| "mobile".to_owned());
        let usage = component(parts, 2).and_then(|code| self.walk(POINT_USES, code)).or(mobile);
        let rank = component(parts, 18).and_then(|text| text.parse::<u32>().ok());
        let rank = rank.filter(|rank| *rank > 0).map(|rank| Tree::Number(rank.to_string()));
        Some(map([
            ("system", Some(system.into())),
            ("value", Some(value.into())),
            ("use", usage.map(Tree::from)),
            ("rank", rank),
            ("period", self.period(component(parts, 13), component(parts, 14))),
        ]))
    }

    pub(super) fn read_contact_point<'t>(
        self,
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> Option<Composite> {
        let text = leaves.member(tree, "value")?;
        let mut coded = |name: &str, tables| {
            let leaf = tree.get(name)?;
            let code = self.walk_back(tables, leaf.text()?)?;
            leaves.text(leaf).map(|_| code)
        };
        let system = coded("system", POINT_SYSTEMS);
        let mobile = tree.get("use").and_then(Tree::text) == Some("mobile");
        let usage = coded("use", POINT_USES);
        let equipment =
            if mobile && system.as_deref() == Some("PH") { Some("CP".to_owned()) } else { system };
        let rank = leaves.member(tree, "rank");
        let [start, end] = self.read_period(tree, leaves);
        let mail = (equipment.as_deref() == Some("Internet")).then(|| guarded(&text));
        let number = mail.is_none().then(|| guarded(&text));
        let mut parts: [Option<String>; 18] = Default::default();
        let filled = [
            (1, number),
            (2, usage),
            (3, equipment),
            (4, mail),
            (13, start),
            (14, end),
            (18, rank),
        ];
        for (number, part) in filled {
            if let Some(slot) = parts.get_mut(number - 1) {
                *slot = part;
            }
        }
        Some(Composite { text, parts: trimmed(parts) })
    }
}
