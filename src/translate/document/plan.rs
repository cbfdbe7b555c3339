//! The compiled plan of a document: what a mapping file says, with every name resolved.

use std::collections::HashMap;

use super::path::{Pattern, Test};
use super::syntax::Syntax;
use crate::translate::plan::{Bin, Meaning};
use crate::vocabulary::{Dataset, GroupName};

/// Where a row stands in a document, and when it applies.
#[derive(Debug)]
pub(in crate::translate) struct DocumentRow {
    pub pattern: Pattern,
    pub when: Option<(Pattern, Vec<String>)>,
    pub unit: Option<Pattern>,
    pub meaning: Meaning,
    /// Which of a syntax's spellings of the type; `None` is its usual one.
    pub shape: Option<String>,
    /// The coding system or assigner the wire names here, and its printed name.
    pub system: Option<String>,
    pub named: Option<String>,
    /// The other systems that are the same table.
    pub systems: Vec<String>,
    /// Index in [`Body::groups`]; `None` is the group the body is read into.
    pub group: Option<usize>,
}

impl DocumentRow {
    /// Name of the member its value stands under.
    pub fn name(&self) -> &str {
        self.pattern.0.last().map_or("", |step| &step.name)
    }

    /// What the path itself says of the value's own members.
    pub fn test(&self) -> &Test {
        static NONE: Test = Vec::new();
        self.pattern.0.last().map_or(&NONE, |step| &step.test)
    }

    /// Whether a coding system the wire names is another table than the one it has here.
    pub fn is_foreign(&self, system: &str) -> bool {
        let own = |own: &String| own != system && !self.systems.iter().any(|one| one == system);
        self.system.as_ref().is_some_and(own)
    }

    /// Whether the path itself says this of a member of the value.
    pub fn implies(&self, member: &str) -> bool {
        self.test().iter().any(|(names, _)| matches!(names.as_slice(), [name] if name == member))
    }
}

/// One list whose items are groups.
#[derive(Debug)]
pub(in crate::translate) struct DocumentGroup {
    pub pattern: Pattern,
    pub name: GroupName,
    /// Index of the group it stands in.
    pub parent: Option<usize>,
}

/// `fixed` and `defaults`: a constant, and where it is written.
#[derive(Debug)]
pub(in crate::translate) struct Constant {
    pub pattern: Pattern,
    pub is: String,
    /// Written only where something stands here.
    pub with: Option<Pattern>,
    /// The group it is written for each item of.
    pub group: Option<usize>,
}

/// Index in [`Nodes`].
pub(in crate::translate) type NodeId = usize;

/// One place while a document is walked.
#[derive(Debug, Default)]
pub(in crate::translate) struct Node {
    pub members: HashMap<String, Vec<Branch>>,
    /// Rows whose value stands here, in the order of the file.
    pub rows: Vec<usize>,
    /// Rows whose unit, condition or test stands here.
    pub attached: Vec<usize>,
    /// The group an item here opens.
    pub group: Option<usize>,
    /// `carries` and `drops`: for this place and all below that no row takes.
    pub rest: Option<Bin>,
    /// Constants that are rebuilt on the way back.
    pub fixed: Vec<String>,
}

/// Which items of a member belong to a node.
#[derive(Debug)]
pub(in crate::translate) struct Branch {
    pub each: bool,
    pub test: Test,
    pub node: NodeId,
}

/// All places of a body; the first is its root.
#[derive(Debug)]
pub(in crate::translate) struct Nodes(Vec<Node>);

impl Default for Nodes {
    fn default() -> Self {
        Self(vec![Node::default()])
    }
}

impl Nodes {
    /// One place.
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.0.get(id)
    }

    /// The place at the end of a path, made on the way.
    pub fn reach(&mut self, pattern: &Pattern) -> Option<&mut Node> {
        let id = self.id(pattern);
        self.0.get_mut(id)
    }

    fn id(&mut self, pattern: &Pattern) -> NodeId {
        let mut id = 0;
        for step in &pattern.0 {
            let fresh = self.0.len();
            let Some(node) = self.0.get_mut(id) else { return 0 };
            let branches = node.members.entry(step.name.clone()).or_default();
            let same = |branch: &&Branch| branch.each == step.each && branch.test == step.test;
            match branches.iter().find(same) {
                Some(branch) => id = branch.node,
                None => {
                    let (each, test) = (step.each, step.test.clone());
                    branches.push(Branch { each, test, node: fresh });
                    self.0.push(Node::default());
                    id = fresh;
                }
            }
        }
        id
    }
}

/// The order in which members are written: as the file mentions them, or as `order` says.
#[derive(Debug, Default)]
pub(in crate::translate) struct Order {
    pub rank: usize,
    pub members: HashMap<String, Self>,
}

impl Order {
    /// Mentions a path; who was mentioned before keeps its rank.
    pub fn mention<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let mut order = self;
        for name in names {
            let rank = order.members.len();
            let fresh = || Self { rank, members: HashMap::new() };
            order = order.members.entry(name.to_owned()).or_insert_with(fresh);
        }
    }

    /// The members at a path: those named first, in that order, then the others.
    pub fn arrange<'a>(&mut self, path: impl Iterator<Item = &'a str>, names: &[String]) {
        let mut order = self;
        for name in path {
            let rank = order.members.len();
            let fresh = || Self { rank, members: HashMap::new() };
            order = order.members.entry(name.to_owned()).or_insert_with(fresh);
        }
        order.members.values_mut().for_each(|member| member.rank += names.len());
        for (rank, name) in names.iter().enumerate() {
            order.members.entry(name.clone()).or_default().rank = rank;
        }
    }
}

/// What a file says of one tree: rows, constants, and what is left over on purpose.
#[derive(Debug)]
pub(in crate::translate) struct Body {
    pub syntax: &'static dyn Syntax,
    pub groups: Vec<DocumentGroup>,
    pub rows: Vec<DocumentRow>,
    pub fixed: Vec<Constant>,
    pub defaults: Vec<Constant>,
    pub nodes: Nodes,
    pub order: Order,
}

/// One file of a dialect: a kind of document.
#[derive(Debug)]
pub(in crate::translate) struct DocumentPlan {
    /// The dialect.
    pub name: String,
    pub dataset: Dataset,
    /// Other datasets whose records it writes.
    pub writes: Vec<Dataset>,
    /// Local name of the root element, and its namespace, where documents are XML.
    pub root: Option<String>,
    pub namespace: Option<String>,
    /// The file is only for documents that say one of these here; the first is written.
    pub only: Option<(Pattern, Vec<String>)>,
    pub time: Option<DocumentRow>,
    pub body: Body,
}
