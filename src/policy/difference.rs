//! 差异, what an edit would change: every cell, and every term that opens or closes something.
//!
//! A change is wider unless it is known to be narrower: another treatment of the same tier, a
//! law that was reworded, a word of a special class that is gone. Whoever compares must err on
//! the side of asking a second person.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::PolicySet;
use super::lattice::{Asking, Cell, Dimensions};
use super::purpose::Bilingual;
use super::scope::{RuleId, fixed};
use super::terms;
use super::treatment::Treatment;
use crate::vocabulary::{Class, Department, Element, ElementId, Files, Purpose, Role, Tier};

/// Policies with the files they were read from.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The policies.
    pub set: &'a PolicySet,
    /// Their files.
    pub files: &'a Files,
}

/// In which tier a cell leaves, and how it is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Form {
    /// The least protective tier.
    pub tier: Tier,
    /// Its treatment; none where nothing leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub treatment: Option<Treatment>,
}

/// One cell that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Whether more is given than before.
    pub wider: bool,
    /// Who asks; what he brings is named where it makes a difference.
    pub asking: Asking,
    /// About which element.
    pub element: ElementId,
    /// Its name.
    pub name: Bilingual,
    /// Of those of its values this class holds; of plain ones if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special: Option<Class>,
    /// Until now.
    pub from: Form,
    /// From then on.
    pub to: Form,
    /// By which rules.
    pub rules: Vec<RuleId>,
}

/// One term that changes: a line of a file in a few words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Term {
    /// Whether more is given than before.
    pub wider: bool,
    /// Whether it is there from then on; else it is gone.
    pub added: bool,
    /// The term: `departments.toml civil-affairs certificate civil-affairs-clerk clerk`.
    pub text: String,
}

/// Everything that changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Cells, by who asks.
    pub cells: Vec<Change>,
    /// Terms beside them.
    pub terms: Vec<Term>,
}

impl Difference {
    /// Whether nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.terms.is_empty()
    }

    /// How many cells and terms give more than before.
    #[must_use]
    pub fn widened(&self) -> usize {
        let cells = self.cells.iter().filter(|change| change.wider).count();
        cells + self.terms.iter().filter(|term| term.wider).count()
    }

    /// From what serves to what would.
    #[must_use]
    pub fn between(from: Side<'_>, to: Side<'_>) -> Self {
        if same(from.set, to.set) {
            return Self::default();
        }
        Self { cells: cells(from.set, to.set), terms: terms::changed(from, to) }
    }
}

/// The same files over the same elements and levels of codes decide alike: most reloads change
/// mappings alone.
fn same(from: &PolicySet, to: &PolicySet) -> bool {
    let (old, new) = (&from.shared.catalogue, &to.shared.catalogue);
    let kept = |element: &Element| new.get(element.id) == Some(element);
    let elements = old.len() == new.len() && old.iter().all(kept);
    from.version() == to.version() && elements && terms::levels(from) == terms::levels(to)
}

/// Where a cell stands.
type Place = (Asking, ElementId, Option<Class>);

/// The cells of one side.
type Cells = BTreeMap<Place, Cell>;

fn cells(from: &PolicySet, to: &PolicySet) -> Vec<Change> {
    let dimensions = from.dimensions().with(&to.dimensions());
    let gather = |set: &PolicySet| -> Cells {
        let cells = set.cells(&dimensions);
        cells.map(|cell| ((cell.asking.clone(), cell.element.id, cell.special), cell)).collect()
    };
    let (before, after) = (gather(from), gather(to));
    let places: BTreeSet<&Place> = before.keys().chain(after.keys()).collect();
    let mut found: Vec<Change> = Vec::new();
    for place in places {
        let (old, new) = (find(&before, place), find(&after, place));
        let Some(change) = change(place, old, new) else { continue };
        // A special value that changes as the plain one does needs no line of its own.
        let plain = (place.0.clone(), place.1, None);
        let alike = place.2.is_some()
            && forms(find(&before, &plain)) == forms(old)
            && forms(find(&after, &plain)) == forms(new);
        if !alike {
            found.push(change);
        }
    }
    gathered(found, &dimensions)
}

/// The cell at a place; special values of an element that is withheld are withheld with it.
fn find<'a>(cells: &'a Cells, place: &Place) -> Option<&'a Cell> {
    cells.get(place)
}

fn forms(cell: Option<&Cell>) -> &[(Tier, Treatment)] {
    cell.map_or(&[], |cell| cell.forms.as_slice())
}

fn change(
    (asking, element, special): &Place,
    old: Option<&Cell>,
    new: Option<&Cell>,
) -> Option<Change> {
    let (before, after) = (forms(old), forms(new));
    if before == after {
        return None;
    }
    let known = new.or(old)?;
    // Who opens it is the new rule; who closes it too, unless nothing speaks of it any more.
    let ceiling = || vec![RuleId::from(fixed::OUTSIDE_PURPOSE)];
    Some(Change {
        wider: is_wider(before, after),
        asking: asking.clone(),
        element: *element,
        name: super::plan::title(&known.element),
        special: *special,
        from: form(before),
        to: form(after),
        rules: new.map_or_else(ceiling, |cell| cell.rules.clone()),
    })
}

fn form(forms: &[(Tier, Treatment)]) -> Form {
    let (tier, treatment) = forms.first().copied().unzip();
    Form { tier: tier.unwrap_or(Tier::Withheld), treatment }
}

/// Whether more may leave than before: a less protective tier, or in the same tier anything
/// that is not known to be coarser.
fn is_wider(before: &[(Tier, Treatment)], after: &[(Tier, Treatment)]) -> bool {
    let (old, new) = (form(before).tier, form(after).tier);
    if old != new {
        return new < old;
    }
    !after.iter().all(|(tier, treatment)| {
        let same = before.iter().find(|(known, _)| known == tier);
        same.is_some_and(|(_, known)| known == treatment || is_coarser(*treatment, *known))
    })
}

/// Of a date the month says less than the day, and the year less than both.
fn is_coarser(one: Treatment, than: Treatment) -> bool {
    let rank = |treatment| match treatment {
        Treatment::Day => Some(0),
        Treatment::Month => Some(1),
        Treatment::Year => Some(2),
        _ => None,
    };
    rank(one).zip(rank(than)).is_some_and(|(one, than)| one > than)
}

/// What tells one line from another, whatever the asker brings.
type Line = ((Department, Role, Purpose), ElementId, Option<Class>, (Form, Form));

/// One line where a cell changes alike whatever the asker brings and is tied by: of those that
/// are alike the one of who brings least stands for all.
fn gathered(found: Vec<Change>, dimensions: &Dimensions) -> Vec<Change> {
    let weight = |change: &Change| change.asking.brings.len() + change.asking.relations.len();
    let mut alike: BTreeMap<Line, (usize, usize)> = BTreeMap::new();
    for change in &found {
        let (count, least) = alike.entry(line(change)).or_insert((0, usize::MAX));
        *count += 1;
        *least = weight(change).min(*least);
    }
    let stands = |change: &Change| {
        let (count, least) = alike.get(&line(change)).copied().unwrap_or_default();
        count != dimensions.sets(&change.asking) || weight(change) == least
    };
    found.into_iter().filter(stands).collect()
}

fn line(change: &Change) -> Line {
    let Asking { department, role, purpose, .. } = &change.asking;
    let forms = (change.from, change.to);
    ((*department, *role, *purpose), change.element, change.special, forms)
}
