//! A release as a record, for the interfaces whose words are mapping files.
//!
//! It holds what leaves and nothing else, in the form in which it leaves. That something
//! is there and may not be told (tier existence) is no value and has no place here; a
//! pseudonym stands as an identifier of no known kind.

use crate::policy::{Release, Treated, WORD};
use crate::vocabulary::{
    Dataset, Date, ElementId, Field, Group, GroupName, Identifier, IdentifierKind, Record, Source,
    Value,
};

/// 机构内患者标识, of every institution.
pub(super) const LOCAL: ElementId = ElementId::fixed("MZ.id.local");
/// What one word of the person on who may see what stands in.
const SAID: GroupName = GroupName::fixed("privacy-consent");
/// What the single facts of a record stand in.
const TOP: GroupName = GroupName::fixed("record");

/// What an interface writes: single facts in the top group, the others as they belong together.
#[must_use]
pub fn record(release: &Release) -> Record {
    let mut groups = vec![Group { name: TOP, parent: None, fields: Vec::new() }];
    let mut numbers: Vec<u32> = Vec::new();
    let mut latest = None;
    for one in release.released() {
        let Some(value) = value(one.value()) else { continue };
        latest = latest.max(one.as_of());
        let index = match one.group() {
            None => 0,
            // A number is the person's, whichever record it stood in.
            Some(_) if one.element().id == LOCAL => {
                let known = groups.iter().take(1).flat_map(|group| &group.fields);
                let mut known = known.filter(|field| field.element == one.element().id);
                if known.any(|field| field.value == value) {
                    continue;
                }
                0
            }
            Some(number) => match numbers.iter().position(|known| *known == number) {
                Some(index) => index + 1,
                None => {
                    numbers.push(number);
                    // A word that came as a record of its own is one group of many here.
                    let name = if one.element().class == WORD { SAID } else { one.within() };
                    groups.push(Group { name, parent: Some(0), fields: Vec::new() });
                    groups.len() - 1
                }
            },
        };
        if let Some(group) = groups.get_mut(index) {
            group.fields.push(Field { element: one.element().id, value, at: None });
        }
    }
    Record {
        dataset: Dataset::fixed("release"),
        source: Source::fixed("gateway"),
        time: latest.map(Date::from_timestamp),
        groups,
        carried: Vec::new(),
        wire: None,
        mappings: String::new(),
    }
}

fn value(treated: &Treated) -> Option<Value> {
    match treated {
        // Where a date stands nothing could say that it is not the true one.
        Treated::Present | Treated::Shifted(_) => None,
        Treated::Pseudonym(stand_in) => {
            let identifier = Identifier::new(IdentifierKind::Other, stand_in.to_string());
            Some(Value::Identifier(identifier))
        }
        Treated::Value(value) => Some(value.clone()),
    }
}
