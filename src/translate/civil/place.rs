//! 位置, places in a document: member names, items by number, and each item.

use serde_json::{Map, Value as Json};

use super::escape_name;

/// How many items a list may have where a column names one by its number.
pub const ITEMS_MAX: usize = 1_000;
/// How many steps a place may have.
const STEPS_MAX: usize = 16;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Each item of a list.
    Each,
    /// The item of that number, from 0.
    Item(usize),
    /// A member.
    Name(String),
}

/// A place, or many where it has [`Step::Each`].
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub Vec<Step>);

impl Place {
    /// Reads a JSON pointer with `*` for each item and numbers for items; a name without
    /// a slash is one member, such as a column.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(rest) = text.strip_prefix('/') else {
            return (!text.is_empty()).then(|| Self(vec![Step::Name(text.to_owned())]));
        };
        let steps: Vec<_> = rest.split('/').map(step).collect();
        let empty = steps.iter().any(|step| matches!(step, Step::Name(name) if name.is_empty()));
        (!empty && steps.len() <= STEPS_MAX).then_some(Self(steps))
    }

    /// How many lists are open on the way.
    pub fn lists(&self) -> usize {
        self.0.iter().filter(|step| **step == Step::Each).count()
    }

    /// The numbers of the items at which a pointer goes through this place; `None` if it
    /// does not lead here.
    pub fn match_pointer(&self, pointer: &str) -> Option<Vec<usize>> {
        let found: Vec<_> = pointer.split('/').skip(1).collect();
        if found.len() != self.0.len() {
            return None;
        }
        let mut indices = Vec::new();
        for (step, found) in self.0.iter().zip(found) {
            match step {
                Step::Each => indices.push(found.parse().ok()?),
                Step::Item(index) if *found == index.to_string() => (),
                Step::Name(name) if *found == escape_name(name) => (),
                _ => return None,
            }
        }
        Some(indices)
    }

    /// The pointer to one place, given a number for each open list.
    pub fn pointer(&self, indices: &[usize]) -> String {
        let mut indices = indices.iter();
        let steps = self.0.iter().map(|step| match step {
            Step::Each => format!("/{}", indices.next().copied().unwrap_or(0)),
            Step::Item(index) => format!("/{index}"),
            Step::Name(name) => format!("/{}", escape_name(name)),
        });
        steps.collect()
    }

    /// As a file writes it.
    pub fn pattern(&self) -> String {
        let steps = self.0.iter().map(|step| match step {
            Step::Each => "/*".to_owned(),
            Step::Item(index) => format!("/{index}"),
            Step::Name(name) => format!("/{}", escape_name(name)),
        });
        steps.collect()
    }

    /// Every value that stands here, with the numbers of the items on the way.
    pub fn all<'d>(&self, document: &'d Json) -> Vec<(Vec<usize>, &'d Json)> {
        let mut found = vec![(Vec::new(), document)];
        for step in &self.0 {
            let reached =
                found.into_iter().flat_map(|(indices, value)| reach(step, indices, value));
            found = reached.collect();
        }
        found
    }

    /// Puts a value here; `false` if something stands there already, or nothing can.
    pub fn put(&self, root: &mut Json, indices: &[usize], value: Json) -> bool {
        let mut indices = indices.iter();
        let mut slot = root;
        for step in &self.0 {
            let next = match step {
                Step::Each => indices.next().and_then(|index| item(slot, *index)),
                Step::Item(index) => item(slot, *index),
                Step::Name(name) => member(slot, name),
            };
            let Some(next) = next else { return false };
            slot = next;
        }
        let free = slot.is_null();
        if free {
            *slot = value;
        }
        free
    }
}

fn step(name: &str) -> Step {
    match name {
        "*" => Step::Each,
        _ => match name.parse() {
            Ok(index) if index < ITEMS_MAX => Step::Item(index),
            _ => Step::Name(name.replace("~1", "/").replace("~0", "~")),
        },
    }
}

fn reach<'d>(step: &Step, indices: Vec<usize>, value: &'d Json) -> Vec<(Vec<usize>, &'d Json)> {
    match step {
        Step::Each => {
            let items = value.as_array().into_iter().flatten().enumerate();
            items.map(|(index, item)| ([&indices[..], &[index]].concat(), item)).collect()
        }
        Step::Item(index) => value.get(*index).map(|item| (indices, item)).into_iter().collect(),
        Step::Name(name) => value.get(name).map(|member| (indices, member)).into_iter().collect(),
    }
}

fn item(slot: &mut Json, index: usize) -> Option<&mut Json> {
    if slot.is_null() {
        *slot = Json::Array(Vec::new());
    }
    let items = slot.as_array_mut().filter(|_| index < ITEMS_MAX)?;
    if items.len() <= index {
        items.resize(index + 1, Json::Null);
    }
    items.get_mut(index)
}

fn member<'j>(slot: &'j mut Json, name: &str) -> Option<&'j mut Json> {
    if slot.is_null() {
        *slot = Json::Object(Map::new());
    }
    Some(slot.as_object_mut()?.entry(name).or_insert(Json::Null))
}

/// Every leaf of a document that is not empty, with its pointer, in order.
pub fn leaves(document: &Json) -> Vec<(String, &Json)> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), document)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Json::Object(members) => {
                let inner = members.iter().rev();
                open.extend(
                    inner.map(|(name, value)| (format!("{pointer}/{}", escape_name(name)), value)),
                );
            }
            Json::Array(items) => {
                let inner = items.iter().enumerate().rev();
                open.extend(inner.map(|(index, value)| (format!("{pointer}/{index}"), value)));
            }
            Json::Null => (),
            Json::String(text) if text.is_empty() => (),
            _ => found.push((pointer, value)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_is_found_and_filled_by_the_same_words() {
        let document = json!({ "a": [{ "b": "1" }, { "b": "2" }], "c~/d": "3" });
        let each = Place::parse("/a/*/b").unwrap();
        let found: Vec<_> = each.all(&document).into_iter().map(|(at, _)| at).collect();
        assert_eq!(found, [vec![0], vec![1]]);
        assert_eq!(each.match_pointer("/a/1/b"), Some(vec![1]));
        assert_eq!(each.match_pointer("/a/1/c"), None);
        assert_eq!(each.pointer(&[1]), "/a/1/b");
        assert_eq!(Place::parse("/c~0~1d").unwrap().all(&document).len(), 1);
        let mut made = Json::Null;
        assert!(each.put(&mut made, &[1], "x".into()));
        assert!(!each.put(&mut made, &[1], "y".into()), "what stands there stays");
        assert!(Place::parse("/a/0/b").unwrap().put(&mut made, &[], "z".into()));
        assert_eq!(made, json!({ "a": [{ "b": "z" }, { "b": "x" }] }));
        assert_eq!(Place::parse("姓名").unwrap().pointer(&[]), "/姓名");
    }

    #[test]
    fn a_place_nobody_can_stand_at_is_none() {
        for text in ["", "/", "/a//b", &"/a".repeat(17)] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
        let mut made = json!({ "a": "x" });
        assert!(!Place::parse("/a/b").unwrap().put(&mut made, &[], "y".into()));
        assert!(!Place::parse("/b/*").unwrap().put(&mut made, &[ITEMS_MAX], "y".into()));
    }

    #[test]
    fn leaves_are_what_is_not_empty_in_order() {
        let document = json!({ "a": "", "b": [null, 1], "c": { "d": true } });
        let found: Vec<_> = leaves(&document).into_iter().map(|(at, _)| at).collect();
        assert_eq!(found, ["/b/1", "/c/d"]);
    }
}
