//! Groups in one order, whatever the order of the document was: a group, then who took part
//! in it, then what stands in it. So a document written in the order of the schema is read as
//! the same record.

use super::names::PARTICIPANT_TYPE;
use super::participation::PARTICIPANT;
use crate::vocabulary::{Group, Value};

/// Who may take part in a statement, in the order of the schema.
const RANKS: [&str; 6] = ["subject", "specimen", "performer", "author", "informant", "participant"];

/// The groups of a record, arranged; the first stays the first.
pub(super) fn arranged(groups: Vec<Group>) -> Vec<Group> {
    let mut inside: Vec<Vec<usize>> = groups.iter().map(|_| Vec::new()).collect();
    for (index, group) in groups.iter().enumerate().skip(1) {
        let parent = usize::try_from(group.parent.unwrap_or(0)).unwrap_or(0);
        inside.get_mut(parent).into_iter().for_each(|list| list.push(index));
    }
    for (index, list) in inside.iter_mut().enumerate() {
        list.sort_by_key(|child| groups.get(*child).map_or(0, |group| rank(group, index == 0)));
    }
    let mut slots: Vec<Option<Group>> = groups.into_iter().map(Some).collect();
    let mut out: Vec<Group> = Vec::with_capacity(slots.len());
    let mut open = vec![(0usize, None)];
    while let Some((index, parent)) = open.pop() {
        let Some(mut group) = slots.get_mut(index).and_then(Option::take) else { continue };
        group.parent = parent;
        let number = u32::try_from(out.len()).ok();
        out.push(group);
        let children = inside.get(index).into_iter().flatten().rev();
        open.extend(children.map(|child| (*child, number)));
    }
    out
}

/// Participants of the header come in the order they are read in, before every section.
fn rank(group: &Group, header: bool) -> usize {
    if group.name != PARTICIPANT {
        return RANKS.len() + 1;
    }
    let kind = group.fields.iter().find(|field| field.element == PARTICIPANT_TYPE);
    let kind = match kind.map(|field| &field.value) {
        Some(Value::Text(kind)) if !header => kind.split('/').next().unwrap_or_default(),
        _ => return 0,
    };
    RANKS.iter().position(|known| *known == kind).unwrap_or(RANKS.len())
}
