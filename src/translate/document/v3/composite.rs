//! Names, addresses and contact points of HL7 v3, whose parts are elements.
//!
//! Neutral are the components of HL7 v2 (XPN, XAD, XTN). An address of the hospital platform
//! names its parts by type (HL7 v3 AddressPartType): `STA` 省, `CTY` 市, `CNT` 县, `STB` 乡,
//! `STR` 村, `BNR` 门牌号, `ZIP`, and `SAL` or `AL` for the whole.

use super::super::plan::DocumentRow;
use super::{Used, filled};
use crate::translate::plan::Read;
use crate::vocabulary::value::Composite;
use crate::wire::Tree;

/// Where a part of an address stands: its element, its type in the hospital dialect, its
/// component of XAD from 0 and the subcomponent of that. In the order of writing.
const ADDRESS: &[(&str, &str, usize, usize)] = &[
    ("streetAddressLine", "SAL", 0, 0),
    ("houseNumber", "BNR", 0, 2),
    ("streetName", "STR", 0, 1),
    ("township", "STB", 7, 0),
    ("county", "CNT", 8, 0),
    ("city", "CTY", 2, 0),
    ("state", "STA", 3, 0),
    ("postalCode", "ZIP", 4, 0),
    ("country", "CNTRY", 5, 0),
];

/// From the large to the small, as an address is read in China; no post code.
const LINE: [&str; 7] =
    ["state", "city", "county", "township", "streetName", "houseNumber", "streetAddressLine"];

/// Where a part of a name stands: its element and its component of XPN from 0.
const NAME: &[(&str, usize)] =
    &[("family", 0), ("given", 1), ("given", 2), ("suffix", 3), ("prefix", 4)];

/// XTN-3 of a telephone, which `tel:` says too.
const PHONE: &str = "PH";

/// EN, PN, ON: text, parts by element, or `item/part/@value`.
pub(super) fn name<'t>(tree: &'t Tree, used: Used<'_, 't>) -> Option<Composite> {
    if let Some(whole) = whole(tree, used) {
        return Some(whole);
    }
    let mut parts = vec![String::new(); 5];
    let mut count = 0;
    for (element, at) in NAME {
        // The second given name is its list's second item.
        let item = usize::from(*at == 2);
        let leaf = tree.get(element).and_then(|list| list.item(item));
        let Some(leaf) = leaf.and_then(|leaf| filled(leaf.get("#text"))) else { continue };
        used.push(leaf);
        count += 1;
        if let (Some(slot), Some(text)) = (parts.get_mut(*at), leaf.text()) {
            text.clone_into(slot);
        }
    }
    (count > 0).then(|| composite(parts, name_line))
}

/// AD: text, parts by element, or `item/part[@type]/@value`.
pub(super) fn address<'t>(tree: &'t Tree, used: Used<'_, 't>) -> Option<Composite> {
    let item = tree.get("item").and_then(|items| items.item(0));
    let parts = item.and_then(|item| item.get("part")).map(Tree::items).unwrap_or_default();
    let typed = |kind: &'static str| {
        parts.iter().filter(move |part| part.get("@type").and_then(Tree::text) == Some(kind))
    };
    let mut found = vec![[const { String::new() }; 3]; 9];
    let mut count = 0;
    for (element, kind, component, sub) in ADDRESS {
        let inner =
            tree.get(element).and_then(|list| list.item(0)).and_then(|leaf| leaf.get("#text"));
        let part = typed(kind).next();
        let Some(leaf) = filled(inner.or_else(|| part?.get("@value"))) else { continue };
        used.push(leaf);
        used.extend(part.and_then(|part| part.get("@type")));
        count += 1;
        let slot = found.get_mut(*component).and_then(|parts| parts.get_mut(*sub));
        if let (Some(slot), Some(text)) = (slot, leaf.text()) {
            text.clone_into(slot);
        }
    }
    if count == 0 {
        return whole(tree, used);
    }
    used.extend(tree.get("@xsi:type"));
    let joined = found.iter().map(|subs| {
        let text = subs.each_ref().map(|sub| escaped(sub)).join("&");
        text.trim_end_matches('&').to_owned()
    });
    Some(composite(joined.collect(), address_line))
}

/// TEL: `@value`, or that of the first item.
pub(super) fn telecom<'t>(tree: &'t Tree, used: Used<'_, 't>) -> Option<Composite> {
    let item = || tree.get("item")?.item(0)?.get("@value");
    let leaf = filled(tree.get("@value").or_else(item))?;
    used.push(leaf);
    let text = leaf.text()?;
    Some(match text.strip_prefix("tel:") {
        Some(number) => Composite {
            text: number.to_owned(),
            parts: vec![number.to_owned(), String::new(), PHONE.to_owned()],
        },
        None => Composite::line(text),
    })
}

/// One text: of the element itself, or of the first part of the first item.
fn whole<'t>(tree: &'t Tree, used: Used<'_, 't>) -> Option<Composite> {
    let part = || tree.get("item")?.item(0)?.get("part")?.item(0)?.get("@value");
    let leaf = filled(tree.get("#text").or_else(part))?;
    used.push(leaf);
    leaf.text().map(Composite::line)
}

/// As its row's shape and the dialect have it.
pub(super) fn write((row, read): (&DocumentRow, &Read), whole: &Composite, hospital: bool) -> Tree {
    let parts = row.shape.is_some() && !whole.parts.is_empty();
    match (read, hospital) {
        (Read::Telecom, false) => Tree::Map(vec![member("@value", &number(whole))]),
        (Read::Telecom, true) => {
            let item = Tree::Map(vec![member("@value", &whole.text)]);
            typed("BAG_TEL", ("item", vec![item]))
        }
        (Read::Address, true) => {
            let part = |(_, kind, text): (&str, &str, String)| {
                Tree::Map(vec![member("@type", kind), member("@value", &text)])
            };
            let written: Vec<_> = address_parts(whole).into_iter().map(part).collect();
            let line = vec![member("@type", "SAL"), member("@value", &whole.text)];
            let written = if parts { written } else { vec![Tree::Map(line)] };
            typed("BAG_AD", ("item", vec![listed("part", written)]))
        }
        (Read::Address, false) if parts => {
            let element = |(name, _, text): (&str, &str, String)| {
                (name.to_owned(), Tree::List(vec![text_of(&text)]))
            };
            Tree::Map(address_parts(whole).into_iter().map(element).collect())
        }
        (_, true) => {
            let part = Tree::Map(vec![member("@value", &whole.text)]);
            typed("BAG_EN", ("item", vec![listed("part", vec![part])]))
        }
        (Read::Name(_), false) if parts => name_parts(whole),
        _ => text_of(&whole.text),
    }
}

fn number(whole: &Composite) -> String {
    let phone = whole.parts.get(2).is_some_and(|kind| kind == PHONE);
    if phone { format!("tel:{}", whole.text) } else { whole.text.clone() }
}

fn address_parts(whole: &Composite) -> Vec<(&'static str, &'static str, String)> {
    let part = |component: usize, sub: usize| {
        let subs = whole.parts.get(component)?.split('&').nth(sub)?;
        Some(subs.replace("\\T\\", "&").replace("\\E\\", "\\")).filter(|text| !text.is_empty())
    };
    let named = ADDRESS.iter().filter_map(|(element, kind, component, sub)| {
        Some((*element, *kind, part(*component, *sub)?))
    });
    named.collect()
}

fn name_parts(whole: &Composite) -> Tree {
    let mut members: Vec<(String, Tree)> = Vec::new();
    for (element, at) in NAME {
        let Some(text) = whole.parts.get(*at).filter(|text| !text.is_empty()) else { continue };
        match members.iter_mut().find(|(name, _)| name == element) {
            Some((_, Tree::List(items))) => items.push(text_of(text)),
            _ => members.push(((*element).to_owned(), Tree::List(vec![text_of(text)]))),
        }
    }
    Tree::Map(members)
}

fn member(name: &str, text: &str) -> (String, Tree) {
    (name.to_owned(), text.into())
}

fn text_of(text: &str) -> Tree {
    Tree::Map(vec![member("#text", text)])
}

fn listed(name: &str, items: Vec<Tree>) -> Tree {
    Tree::Map(vec![(name.to_owned(), Tree::List(items))])
}

fn typed(kind: &str, (name, items): (&str, Vec<Tree>)) -> Tree {
    Tree::Map(vec![member("@xsi:type", kind), (name.to_owned(), Tree::List(items))])
}

fn composite(mut parts: Vec<String>, line: fn(&[String]) -> String) -> Composite {
    let filled = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |at| at + 1);
    parts.truncate(filled);
    Composite { text: line(&parts), parts }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\E\\").replace('&', "\\T\\")
}

fn name_line(parts: &[String]) -> String {
    crate::translate::value::name_line(crate::translate::file::NameForm::Xpn)(parts)
}

fn address_line(parts: &[String]) -> String {
    let whole = Composite { text: String::new(), parts: parts.to_vec() };
    let parts = address_parts(&whole);
    let part = |wanted: &str| {
        let found = parts.iter().find(|(element, _, _)| *element == wanted);
        found.map_or(String::new(), |(_, _, text)| text.clone())
    };
    LINE.map(part).concat()
}
