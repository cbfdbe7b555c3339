//! From a record to a Bundle: one resource for each group its file names.

use sha2::{Digest, Sha256};

use super::super::file::Way;
use super::form::{Forms, Made, instant, map, reference};
use super::kin::Kin;
use super::place::{Draft, Item};
use super::plan::{FhirPlan, FhirRow, ListPlan, Ref, ResourcePlan, Sometimes};
use super::sound::sound;
use crate::translate::Pack;
use crate::vocabulary::{ElementId, Field, GroupName, Record};
use crate::wire::Tree;

/// The system of the tag that names the record's dataset.
pub(super) const DATASET: &str = "dataset";
/// The system of the tag that says when the event was, where the bundle says when it was sent.
pub(super) const EVENT_TIME: &str = "event-time";
/// The type of the whole.
pub(super) const BUNDLE: &str = "Bundle";

/// A UUID of content: RFC 9562 section 5.8, version 8.
pub(super) fn uuid(content: &[u8]) -> String {
    let mut bytes = [0_u8; 16];
    for (slot, byte) in bytes.iter_mut().zip(Sha256::digest(content)) {
        *slot = byte;
    }
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = (*version & 0x0f) | 0x80;
    *variant = (*variant & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// Writes what the files have places for. `fired` gathers the rows that wrote a value.
pub(super) fn write(pack: &Pack, record: &Record, fired: Option<&mut Vec<bool>>) -> Tree {
    let plan = &pack.fhir;
    let mut none = Vec::new();
    let fired = fired.unwrap_or(&mut none);
    let forms = Forms { pack, plan };
    let mut writing = Writing {
        forms,
        record,
        kin: Kin(record),
        made: Made::default(),
        id: String::new(),
        fired,
    };
    let mut instances = Vec::new();
    for (number, file) in plan.files.iter().enumerate() {
        writing.instances((number, file), &mut instances);
    }
    let mut bundle = Draft::default();
    if let Some(own) = &plan.bundle.own {
        bundle = writing.resource(own, 0, None).unwrap_or_default();
        for constant in &own.fixed {
            bundle.set(&constant.constant, &[]);
        }
    }
    name_all(plan, &mut instances);
    writing.id = bundle_id(&bundle, &instances);
    let trees: Vec<_> =
        (0..instances.len()).map(|index| writing.finished(&instances, index)).collect();
    writing.whole(bundle.tree, &instances, trees)
}

/// One resource of the bundle.
struct Instance {
    file: usize,
    group: usize,
    draft: Draft,
    id: String,
}

struct Writing<'p, 'f> {
    forms: Forms<'p>,
    record: &'p Record,
    kin: Kin<'p>,
    made: Made,
    /// The id of the bundle itself.
    id: String,
    fired: &'f mut Vec<bool>,
}

impl<'p> Writing<'p, '_> {
    /// Every resource of a file.
    fn instances(&mut self, (number, file): (usize, &'p ResourcePlan), found: &mut Vec<Instance>) {
        let datasets = &file.datasets;
        if !datasets.is_empty() && !datasets.contains(&self.record.dataset) {
            return;
        }
        let id = String::new;
        for (group, content) in self.record.groups.iter().enumerate() {
            let own = if file.top { group == 0 } else { content.name == file.group };
            let has = |element: &ElementId| self.kin.has(group, *element, &[]);
            if !own || !(file.needs.is_empty() || file.needs.iter().any(has)) {
                continue;
            }
            if file.each.is_empty() {
                let draft = self.resource(file, group, None);
                let made = draft.map(|draft| Instance { file: number, group, draft, id: id() });
                found.extend(made);
                continue;
            }
            for field in &content.fields {
                let draft = self.resource(file, group, Some(field));
                let made = draft.map(|draft| Instance { file: number, group, draft, id: id() });
                found.extend(made);
            }
        }
    }

    /// One resource without its references; `None` if nothing of it can be said.
    fn resource(
        &mut self,
        file: &'p ResourcePlan,
        group: usize,
        field: Option<&Field>,
    ) -> Option<Draft> {
        let mut draft = Draft::default();
        for fixed in file.fixed.iter().filter(|fixed| fixed.list.is_none()) {
            if self.holds(fixed, group) {
                draft.set(&fixed.constant, &[]);
            }
        }
        let mut wrote = false;
        if let Some(field) = field {
            wrote = self.each(file, field, &mut draft);
            if !wrote {
                return None;
            }
        }
        for row in file.rows.iter().filter(|row| row.meaning.way != Way::In) {
            wrote |= match row.list.and_then(|list| file.lists.get(list).map(|plan| (list, plan))) {
                Some(list) => self.items(file, (row, list), (group, &mut draft)),
                None => self.row(row, group, (&mut draft, &[])),
            };
        }
        if !wrote {
            return None;
        }
        for row in file.rows.iter().filter(|row| !row.several.is_empty()) {
            draft.spread(&row.path, &row.several);
        }
        self.constants(file, group, &mut draft);
        Some(draft)
    }

    /// The value of one element and the code that names it.
    fn each(&mut self, file: &ResourcePlan, field: &Field, draft: &mut Draft) -> bool {
        let found = file.each.iter().find(|each| each.row.meaning.element == field.element);
        let Some(each) = found else { return false };
        let Some(value) = self.forms.write(&each.row, &field.value, &mut self.made) else {
            return false;
        };
        for constant in &each.code {
            draft.set(constant, &[]);
        }
        self.fire(&each.row);
        draft.put(&each.row.path, &[], value)
    }

    /// A row inside a list of groups, for each of its groups.
    fn items(
        &mut self,
        file: &ResourcePlan,
        (row, (number, list)): (&FhirRow, (usize, &ListPlan)),
        (group, draft): (usize, &mut Draft),
    ) -> bool {
        let mut wrote = false;
        for inner in self.own(group, list.group) {
            let items = self.chain(file, number, inner);
            wrote |= self.row(row, inner, (&mut *draft, &items));
        }
        wrote
    }

    /// The groups a list has items for.
    fn own(&self, group: usize, name: GroupName) -> Vec<usize> {
        self.kin.own(group, name, &self.forms.plan.groups)
    }

    /// The items on the way to a group's item.
    fn chain(&self, file: &ResourcePlan, list: usize, group: usize) -> Vec<Item> {
        let Some(plan) = file.lists.get(list) else { return Vec::new() };
        let outer = plan.outer.and_then(|outer| {
            let name = file.lists.get(outer)?.group;
            let around =
                self.kin.around(group).find(|index| self.kin.name(*index) == Some(name))?;
            Some(self.chain(file, outer, around))
        });
        let mut items = outer.unwrap_or_default();
        items.push(Item::Of { list, group });
        items
    }

    /// A row's values; says whether any was written.
    fn row(&mut self, row: &FhirRow, group: usize, (draft, items): (&mut Draft, &[Item])) -> bool {
        let groups = match row.from {
            Some(name) if row.inside => self.kin.children(group, name),
            Some(name) => self.kin.related(group, name),
            None => vec![group],
        };
        let groups: Vec<_> =
            groups.into_iter().filter(|group| self.kin.holds(*group, &row.only)).collect();
        let mut items = items.to_vec();
        items.push(Item::New);
        if let Some((between, others)) = &row.join {
            let elements = std::iter::once(row.meaning.element).chain(others.iter().copied());
            let fields = elements.flat_map(|element| self.fields(&groups, element));
            let words: Vec<_> = fields.filter_map(|field| self.forms.words(&field.value)).collect();
            let joined = words.join(between);
            return !joined.is_empty() && self.put(row, (group, joined.into()), (draft, &items));
        }
        let fields: Vec<_> = self.fields(&groups, row.meaning.element).collect();
        let mut wrote = false;
        if !row.several.is_empty() && fields.len() < 2 {
            return false;
        }
        for field in fields {
            let Some(value) = self.forms.write(row, &field.value, &mut self.made) else { continue };
            wrote |= self.put(row, (group, value), (draft, &items));
            if wrote && !row.repeats {
                break;
            }
        }
        wrote
    }

    /// The fields of an element in some groups.
    fn fields(&self, groups: &[usize], element: ElementId) -> impl Iterator<Item = &'p Field> {
        let record = self.record;
        let groups = groups.iter().filter_map(move |group| record.groups.get(*group));
        let fields = groups.flat_map(|group| &group.fields);
        fields.filter(move |field| field.element == element)
    }

    /// Puts a value where its row says, and what stands beside it.
    fn put(
        &mut self,
        row: &FhirRow,
        (group, value): (usize, Tree),
        (draft, items): (&mut Draft, &[Item]),
    ) -> bool {
        if !draft.put(&row.path, items, value) {
            return false;
        }
        let beside = row.besides.iter().filter(|beside| self.holds(beside, group));
        let beside: Vec<_> = beside.map(|beside| &beside.constant).collect();
        draft.beside(&row.path, items, &beside);
        if let Some((path, [only])) =
            row.when.as_ref().map(|(path, values)| (path, values.as_slice()))
        {
            draft.put(path, &[], only.as_str().into());
        }
        self.fire(row);
        true
    }

    fn fire(&mut self, row: &FhirRow) {
        if let Some(fired) = self.fired.get_mut(row.meaning.id) {
            *fired |= row.meaning.way == Way::Out;
        }
    }

    /// Constants of items, and what is written where no row wrote.
    fn constants(&self, file: &ResourcePlan, group: usize, draft: &mut Draft) {
        let inner = file.fixed.iter().filter(|fixed| fixed.list.is_some());
        for constant in inner.chain(&file.defaults) {
            let Some(list) = constant.list else {
                if self.holds(constant, group) && !draft.filled(&constant.constant.path) {
                    draft.set(&constant.constant, &[]);
                }
                continue;
            };
            let Some(plan) = file.lists.get(list) else { continue };
            for inner in self.own(group, plan.group) {
                if draft.knows(list, inner) && self.holds(constant, inner) {
                    let items = self.chain(file, list, inner);
                    draft.set(&constant.constant, &items);
                }
            }
        }
    }

    /// Whether a constant's conditions hold for a group.
    fn holds(&self, constant: &Sometimes, group: usize) -> bool {
        let datasets = &constant.datasets;
        let told = datasets.is_empty() || datasets.contains(&self.record.dataset);
        told && self.kin.holds(group, &constant.only)
    }

    /// A resource with its references, its type and its id.
    fn finished(&self, instances: &[Instance], index: usize) -> Tree {
        let Some(instance) = instances.get(index) else { return Tree::Null };
        let Some(file) = self.forms.plan.files.get(instance.file) else { return Tree::Null };
        let mut draft = instance.draft.clone();
        for to in &file.refs {
            let Some(list) = to.list.and_then(|list| file.lists.get(list).map(|plan| (list, plan)))
            else {
                self.refer(instances, (to, (index, instance.group)), (&mut draft, &[]));
                continue;
            };
            for inner in self.own(instance.group, list.1.group) {
                if draft.knows(list.0, inner) || list.1.path.0.len() + 1 == to.path.0.len() {
                    let items = self.chain(file, list.0, inner);
                    self.refer(instances, (to, (index, inner)), (&mut draft, &items));
                }
            }
        }
        let mut members = vec![
            ("resourceType".to_owned(), file.resource.as_str().into()),
            ("id".to_owned(), instance.id.as_str().into()),
        ];
        let structure = &self.forms.plan.structure;
        if let Tree::Map(own) = sound(structure, (&file.resource, pruned(draft.tree)), 0) {
            members.extend(own);
        }
        Tree::Map(members)
    }

    fn refer(
        &self,
        instances: &[Instance],
        (to, (own, group)): (&Ref, (usize, usize)),
        (draft, items): (&mut Draft, &[Item]),
    ) {
        if to.named == BUNDLE {
            let address = format!("{BUNDLE}/{}", self.id);
            let items: Vec<_> = items.iter().cloned().chain([Item::New]).collect();
            draft.put(&to.path, &items, map([("reference", Some(address.into()))]));
            return;
        }
        for found in self.meant(instances, (to, own), group) {
            let Some(instance) = instances.get(found) else { continue };
            let mut items = items.to_vec();
            items.push(Item::New);
            let mut tree = reference(&instance.id);
            if let (true, Tree::Map(members)) = (to.typed, &mut tree)
                && let Some(file) = self.forms.plan.files.get(instance.file)
            {
                members.push(("type".to_owned(), file.resource.as_str().into()));
            }
            draft.put(&to.path, &items, tree);
        }
    }

    /// The resources a reference means: of the own group, around, inside, else anywhere.
    fn meant(&self, instances: &[Instance], (to, own): (&Ref, usize), group: usize) -> Vec<usize> {
        let all = || {
            instances
                .iter()
                .enumerate()
                .filter(|(index, instance)| *index != own && to.to.contains(&instance.file))
                .filter(|(_, instance)| self.kin.holds(instance.group, &to.only))
        };
        let limit = if to.every { usize::MAX } else { 1 };
        let of = |near: &dyn Fn(usize) -> bool| {
            let found = all().filter(|(_, instance)| near(instance.group));
            found.map(|(index, _)| index).take(limit).collect::<Vec<_>>()
        };
        let inside = || of(&|near| self.kin.within(near, group));
        let around = || {
            let mut around = self.kin.around(group).skip(1).map(|outer| of(&|near| near == outer));
            around.find(|found| !found.is_empty()).unwrap_or_default()
        };
        let own_group = of(&|near| near == group);
        // What stands beside it below the nearest group around it.
        let beside = || {
            let mut around = self.kin.around(group).skip(1).filter(|outer| *outer != 0);
            let found = around.find_map(|outer| {
                Some(of(&|near| self.kin.within(near, outer))).filter(|found| !found.is_empty())
            });
            found.unwrap_or_default()
        };
        let order: [&dyn Fn() -> Vec<usize>; 3] = match to.every {
            true => [&inside, &around, &beside],
            false => [&around, &inside, &beside],
        };
        if !own_group.is_empty() {
            return own_group;
        }
        match (to.inside, to.around) {
            (true, _) => return inside(),
            (_, true) => return around(),
            (false, false) => (),
        }
        let near = order.into_iter().map(|near| near()).find(|found| !found.is_empty());
        near.unwrap_or_else(|| of(&|near| !self.kin.of_sibling(group, near)))
    }

    /// The bundle of all resources.
    fn whole(self, bundle: Tree, instances: &[Instance], trees: Vec<Tree>) -> Tree {
        let plan = self.forms.plan;
        // A file may have made the very same already; its id is that of its content too.
        let own = |id: &str| instances.iter().any(|instance| instance.id == id);
        let made: Vec<_> = self.made.list.into_iter().filter(|(id, _)| !own(id)).collect();
        let own = instances.iter().zip(trees).map(|(instance, tree)| (instance.id.clone(), tree));
        let entries = own.chain(made).map(|(id, resource)| {
            map([("fullUrl", Some(format!("urn:uuid:{id}").into())), ("resource", Some(resource))])
        });
        let tag = |system: &str, code: &str| {
            map([("system", Some(plan.systems.uri(system).into())), ("code", Some(code.into()))])
        };
        let mut tags = vec![tag(DATASET, self.record.dataset.as_str())];
        let time = self.record.time.as_ref();
        let time = time.and_then(|time| instant(time, &plan.bundle.offset));
        // When the message was sent, by `bundle.toml`; else when the event was.
        let sent = bundle.get("timestamp").is_some();
        tags.extend(time.as_deref().filter(|_| sent).map(|time| tag(EVENT_TIME, time)));
        let time = time.filter(|_| !sent);
        let entries: Vec<_> = entries.collect();
        let mut members = vec![
            ("resourceType".to_owned(), Tree::from(BUNDLE)),
            ("id".to_owned(), self.id.into()),
            ("meta".to_owned(), map([("tag", Some(Tree::List(tags)))])),
        ];
        if let Tree::Map(own) = pruned(bundle) {
            members.extend(own.into_iter().filter(|(name, _)| name != "meta"));
        }
        let after =
            map([("timestamp", time.map(Tree::from)), ("entry", Some(Tree::List(entries)))]);
        if let Tree::Map(after) = after {
            members.extend(after);
        }
        Tree::Map(members)
    }
}

/// Ids of content; of equal resources the later ones are numbered.
fn name_all(plan: &FhirPlan, instances: &mut [Instance]) {
    let mut known = std::collections::HashMap::new();
    for instance in instances {
        let resource = plan.files.get(instance.file).map_or("", |file| file.resource.as_str());
        let content = format!("{resource}{}", instance.draft.tree.to_json());
        let count = known.entry(content.clone()).or_insert(0_usize);
        instance.id = match *count {
            0 => uuid(content.as_bytes()),
            number => uuid(format!("{number}{content}").as_bytes()),
        };
        *count += 1;
    }
}

/// The id of a bundle: of what it says itself and of all that is in it.
fn bundle_id(bundle: &Draft, instances: &[Instance]) -> String {
    let ids: String = instances.iter().map(|instance| instance.id.as_str()).collect();
    uuid(format!("{}{ids}", bundle.tree.to_json()).as_bytes())
}

/// Without members and items that hold nothing.
fn pruned(tree: Tree) -> Tree {
    match tree {
        Tree::List(items) => {
            let items = items.into_iter().map(pruned).filter(|item| !item.is_empty());
            Tree::List(items.collect())
        }
        Tree::Map(members) => {
            let members = members.into_iter().map(|(name, value)| (name, pruned(value)));
            Tree::Map(members.filter(|(_, value)| !value.is_empty()).collect())
        }
        leaf => leaf,
    }
}
