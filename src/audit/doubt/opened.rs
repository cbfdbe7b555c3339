//! 策略变更, policies came into force: what they opened, and how much rests on it since.
//!
//! A disclosure rests on what was opened if an element of it left by a cell that was made wider,
//! and would have left otherwise, or not at all, by the policies before.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::reason::{Doubt, Reason};
use super::shelf::Shelf;
use crate::audit::entry::{Entry, Kind};
use crate::audit::past::{Key, key, past};
use crate::policy::{Change, Difference, Past, PolicySet, Side};
use crate::vocabulary::{Department, ElementId, Files, Purpose, Role};

/// Reads policies that served, by their version and that of the mappings they were read with.
pub type Served = Box<dyn Fn(&str, &str) -> Option<Arc<(PolicySet, Files)>> + Send>;

/// Changes that are followed.
const CHANGES_MAX: usize = 20;
/// Cells that are named; the entry says how many there are.
const CELLS_MAX: usize = 50;
/// Kinds of disclosure whose outcome is remembered.
const REMEMBERED_MAX: usize = 10_000;

pub struct Judge {
    served: Served,
    /// The versions of policies and mappings by which entries are decided.
    now: (String, String),
    changes: Vec<Opening>,
    pub let_go: u64,
}

struct Opening {
    doubt: Doubt,
    compared: Option<Compared>,
}

struct Compared {
    before: Arc<(PolicySet, Files)>,
    after: Arc<(PolicySet, Files)>,
    wider: HashSet<(Department, Role, Purpose, ElementId)>,
    remembered: HashMap<Key, bool>,
}

impl Judge {
    pub const fn new(served: Served) -> Self {
        let now = (String::new(), String::new());
        Self { served, now, changes: Vec::new(), let_go: 0 }
    }

    pub fn see(&mut self, number: u64, entry: &Entry, shelf: &Shelf) {
        if let Some(versions) = versions(entry) {
            let told = entry.subject.as_ref().and_then(|subject| in_force(subject.as_str()));
            let told = told.filter(|_| entry.kind == Kind::Policy);
            if let Some(told) = told.filter(|_| entry.at_ms >= shelf.since_ms) {
                self.begin(number, entry, told);
            }
            let (policy, mappings) = &self.now;
            if versions != (policy.as_str(), mappings.as_str()) {
                self.now = (versions.0.to_owned(), versions.1.to_owned());
            }
        }
        if self.changes.iter().all(|change| change.compared.is_none()) {
            return;
        }
        let Some(past) = past(entry) else { return };
        for change in &mut self.changes {
            if change.compared.as_mut().is_some_and(|compared| compared.rests(&past)) {
                let at_ms = change.doubt.at_ms;
                change.doubt.cite(number, entry);
                change.doubt.at_ms = at_ms;
                if let Reason::Opened { disclosures, .. } = &mut change.doubt.reason {
                    *disclosures += 1;
                }
            }
        }
    }

    fn begin(&mut self, number: u64, entry: &Entry, (before, now, wider): (&str, &str, u64)) {
        // The first policies opened nothing that was closed.
        if before == "none" {
            return;
        }
        let after = entry.mappings.clone().unwrap_or_default();
        let mappings = if self.now.0 == before { &self.now.1 } else { &after };
        let served = |version: &str, mappings: &str| (self.served)(version, mappings);
        let sides = served(before, mappings).zip(served(now, &after));
        let compared = sides.map(|(before, after)| {
            let mut cells = Difference::between(side(&before), side(&after)).cells;
            cells.retain(|change| change.wider);
            let wider = cells.iter().map(place).collect();
            cells.truncate(CELLS_MAX);
            (cells, Compared { before, after, wider, remembered: HashMap::new() })
        });
        let (cells, compared) = compared.unzip();
        let (before, now) = (before.to_owned(), now.to_owned());
        let reason = Reason::Opened { before, now, wider, cells, disclosures: 0 };
        let mut doubt = Doubt::new(reason, entry);
        doubt.cite(number, entry);
        if self.changes.len() >= CHANGES_MAX {
            self.changes.remove(0);
            self.let_go += 1;
        }
        self.changes.push(Opening { doubt, compared });
    }

    pub fn found(&self) -> impl Iterator<Item = Doubt> {
        self.changes.iter().map(|change| change.doubt.clone())
    }
}

impl Compared {
    fn rests(&mut self, past: &Past) -> bool {
        let Past { department, role, purpose, .. } = *past;
        let wider = |id: ElementId| self.wider.contains(&(department, role, purpose, id));
        let released = past.released.iter().copied().filter(|(_, id)| wider(*id)).collect();
        let past = Past { released, withheld: Vec::new(), ..past.clone() };
        if past.released.is_empty() {
            return false;
        }
        if self.remembered.len() >= REMEMBERED_MAX {
            self.remembered.clear();
        }
        let differs = || self.after.0.would_differ(&self.before.0, &past);
        *self.remembered.entry(key(&past)).or_insert_with(differs)
    }
}

fn side((set, files): &(PolicySet, Files)) -> Side<'_> {
    Side { set, files }
}

fn place(change: &Change) -> (Department, Role, Purpose, ElementId) {
    let asking = &change.asking;
    (asking.department, asking.role, asking.purpose, change.element)
}

/// The policies and mappings in force when an entry was made, as far as it says: what is only
/// proposed is named by its entry too.
#[must_use]
pub fn versions(entry: &Entry) -> Option<(&str, &str)> {
    let told = entry.subject.as_ref().and_then(|subject| in_force(subject.as_str()));
    let versions = entry.policy.as_deref().zip(entry.mappings.as_deref())?;
    (entry.kind != Kind::Policy || told.is_some()).then_some(versions)
}

/// `61c2e8a04be9d1f7 → 0b7ac31e55d28c90, 3 wider: in force`
fn in_force(subject: &str) -> Option<(&str, &str, u64)> {
    let told = subject.strip_suffix(" wider: in force")?;
    let (versions, wider) = told.rsplit_once(", ")?;
    let (before, now) = versions.split_once(" → ")?;
    Some((before, now, wider.parse().ok()?))
}
