//! Putting a value where a path and its indices say.

use super::super::path::{Pattern, Step};
use super::super::plan::{Body, Order};
use super::super::read::holds;
use crate::wire::Tree;

/// Puts a value at a path, with an index for each group's `*` on the way; a `*` at the end
/// adds an item. What stands there already stays.
pub(in crate::translate::document) fn put(
    root: &mut Tree,
    body: &Body,
    pattern: &Pattern,
    (indices, value): (&[usize], Tree),
) {
    let mut indices = indices.iter();
    let mut names: Vec<&str> = Vec::with_capacity(pattern.0.len());
    let mut slot = root;
    for step in &pattern.0 {
        names.push(&step.name);
        let Some(member) = member(slot, &step.name) else { return };
        if !step.each && step.test.is_empty() && !body.syntax.lists(&names) {
            slot = member;
            continue;
        }
        let lists = |path: &[&str]| body.syntax.lists(path);
        let Some(item) = item(member, step, indices.next_if_each(step)) else { return };
        for (path, constant) in &step.test {
            say(item, &lists, (&mut names.clone(), path), constant);
        }
        slot = item;
    }
    merge(slot, value);
}

trait NextIfEach<'a> {
    fn next_if_each(&mut self, step: &Step) -> Option<&'a usize>;
}

impl<'a> NextIfEach<'a> for std::slice::Iter<'a, usize> {
    fn next_if_each(&mut self, step: &Step) -> Option<&'a usize> {
        if step.each { self.next() } else { None }
    }
}

/// The member of a name, made where there is none yet.
fn member<'t>(slot: &'t mut Tree, name: &str) -> Option<&'t mut Tree> {
    if *slot == Tree::Null {
        *slot = Tree::Map(Vec::new());
    }
    let Tree::Map(members) = slot else { return None };
    let at = members.iter().position(|(known, _)| known == name).unwrap_or(members.len());
    if at == members.len() {
        members.push((name.to_owned(), Tree::Null));
    }
    members.get_mut(at).map(|(_, value)| value)
}

/// The item a step means: of those its test holds for, the first, the one of that index, or
/// (a `*` that no group counts) a new one. Made where there is none yet.
fn item<'t>(slot: &'t mut Tree, step: &Step, index: Option<&usize>) -> Option<&'t mut Tree> {
    if *slot == Tree::Null {
        *slot = Tree::List(Vec::new());
    }
    let Tree::List(items) = slot else { return None };
    let own = |item: &Tree| step.test.is_empty() || holds(item, &step.test);
    let number = match (step.each, index) {
        (true, Some(index)) => *index,
        (true, None) => usize::MAX,
        (false, _) => 0,
    };
    let found = items.iter().enumerate().filter(|(_, item)| own(item)).map(|(at, _)| at);
    let found: Vec<usize> = found.collect();
    let missing = match number {
        usize::MAX => 1,
        number => (number + 1).saturating_sub(found.len()),
    };
    // An item that only marks its place is told apart when something is put into it.
    for _ in 0..missing {
        items.push(Tree::Null);
    }
    let at = if missing > 0 { items.len() - 1 } else { *found.get(number)? };
    items.get_mut(at)
}

/// Puts a constant of a test below an item.
fn say(
    item: &mut Tree,
    lists: &impl Fn(&[&str]) -> bool,
    (names, path): (&mut Vec<&str>, &[String]),
    constant: &str,
) {
    let mut slot = item;
    for name in path {
        let Some(member) = member(slot, name) else { return };
        slot = member;
        let mut whole = names.clone();
        whole.extend(path.iter().take_while(|known| *known != name).map(String::as_str));
        whole.push(name);
        if lists(&whole) {
            let first = Step::default();
            let Some(item) = self::item(slot, &first, None) else { return };
            slot = item;
        }
    }
    merge(slot, constant.into());
}

/// Adds what is not there yet.
fn merge(slot: &mut Tree, value: Tree) {
    match (slot, value) {
        (slot @ Tree::Null, value) => *slot = value,
        (Tree::Map(members), Tree::Map(more)) => {
            for (name, value) in more {
                if !members.iter().any(|(known, _)| *known == name) {
                    members.push((name, value));
                }
            }
        }
        _ => (),
    }
}

/// Whether something stands at a path.
pub(super) fn there(root: &Tree, pattern: &Pattern, indices: &[usize]) -> bool {
    let mut indices = indices.iter();
    let found = pattern.0.iter().try_fold(root, |tree, step| {
        let member = tree.get(&step.name)?;
        let mut own = member.items().iter().filter(|item| holds(item, &step.test));
        if step.each { own.nth(*indices.next()?) } else { own.next() }
    });
    found.is_some_and(|tree| !tree.is_empty())
}

/// Attributes first, then text, then members in the order of the file; what marks the place
/// of an item that says nothing goes.
pub(super) fn arrange(tree: &mut Tree, order: &Order) {
    match tree {
        Tree::List(items) => {
            items.iter_mut().for_each(|item| arrange(item, order));
            items.retain(|item| *item != Tree::Null);
        }
        Tree::Map(members) => {
            let unknown = Order::default();
            for (name, value) in members.iter_mut() {
                arrange(value, order.members.get(name.as_str()).unwrap_or(&unknown));
            }
            members.retain(|(_, value)| !matches!(value, Tree::List(items) if items.is_empty()));
            members.sort_by_key(|(name, _)| {
                let kind = match name.as_bytes().first() {
                    Some(b'@') => 0,
                    Some(b'#') => 1,
                    _ => 2,
                };
                (kind, order.members.get(name.as_str()).map_or(usize::MAX, |order| order.rank))
            });
        }
        _ => (),
    }
}
