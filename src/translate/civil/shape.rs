//! 结构, the members of a published dataset with the types of their values.
//!
//! The rows of its file say all of it: the same members are written in JSON, as elements in
//! XML and as columns in CSV, and every schema is made of them.

use serde_json::Value as Json;

use super::super::Pack;
use super::super::document::{DocumentPlan, Pattern};
use super::super::file::Way;
use super::super::plan::Read;
use super::place::{Place, Step};
use crate::vocabulary::{Dataset, ElementId};

/// What a leaf holds, as every syntax spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// `true` or `false`.
    Boolean,
    /// A code of a table, by its name if there is one.
    Code,
    /// ISO 8601, as exact as it is known.
    Date,
    /// A number, or a text where a number could not say it exactly.
    Quantity,
    /// Text.
    Text,
}

/// One leaf of a dataset.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// Where it stands.
    pub place: Place,
    /// What it holds.
    pub holds: Holds,
    /// The element it is read as; none for an envelope or a unit.
    pub element: Option<ElementId>,
    /// Whether a record without it is refused.
    pub required: bool,
    /// Whether a code outside its table is refused.
    pub closed: bool,
}

/// A dataset's leaves, in the order of its file.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Which it is.
    pub dataset: Dataset,
    /// Its leaves; the envelope first.
    pub leaves: Vec<Leaf>,
}

impl Shape {
    /// The shapes of every dataset of a dialect, in the order of their files.
    pub fn all(pack: &Pack, dialect: &str) -> Vec<Self> {
        pack.documents.iter().filter(|plan| plan.name == dialect).map(Self::of).collect()
    }

    /// The shape of one file.
    pub(in crate::translate) fn of(plan: &DocumentPlan) -> Self {
        let mut shape = Self { dataset: plan.dataset, leaves: Vec::new() };
        shape.add(Leaf {
            required: true,
            ..envelope(vec![Step::Name("dataset".to_owned())], Holds::Text)
        });
        for row in plan.body.rows.iter().filter(|row| row.meaning.way != Way::Out) {
            let closed = matches!(&row.meaning.read, Read::Code(codes) if codes.refuse);
            shape.add(Leaf {
                place: Place(steps(&row.pattern)),
                holds: holds(&row.meaning.read),
                element: Some(row.meaning.element),
                required: row.meaning.required,
                closed,
            });
            for beside in [row.unit.as_ref(), row.when.as_ref().map(|(pattern, _)| pattern)] {
                beside.into_iter().for_each(|at| shape.add(envelope(steps(at), Holds::Text)));
            }
        }
        // Last, so that where a row reads it too it stands in the row's place.
        if let Some(time) = &plan.time {
            shape.add(envelope(steps(&time.pattern), Holds::Date));
        }
        shape
    }

    /// A place two rows share keeps what the first says of it.
    fn add(&mut self, leaf: Leaf) {
        match self.leaves.iter_mut().find(|known| known.place == leaf.place) {
            Some(known) => known.element = known.element.or(leaf.element),
            None => self.leaves.push(leaf),
        }
    }

    /// What stands at a place of a document.
    pub fn leaf(&self, pointer: &str) -> Option<&Leaf> {
        self.leaves.iter().find(|leaf| leaf.place.match_pointer(pointer).is_some())
    }
}

impl Leaf {
    /// Text as the JSON syntax spells it; what is not of the type stays text, so that the
    /// reader says so at its place.
    pub fn typed(&self, text: &str) -> Json {
        match self.holds {
            Holds::Boolean => match text {
                "true" => true.into(),
                "false" => false.into(),
                _ => text.into(),
            },
            // A number where a number says it exactly, else a text.
            Holds::Quantity => match serde_json::from_str(text) {
                Ok(Json::Number(number)) if number.to_string() == text => number.into(),
                _ => text.into(),
            },
            Holds::Code | Holds::Date | Holds::Text => text.into(),
        }
    }
}

/// A leaf as every flat syntax spells it.
pub fn spelled(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

const fn envelope_of(place: Place, holds: Holds) -> Leaf {
    Leaf { place, holds, element: None, required: false, closed: false }
}

fn envelope(steps: Vec<Step>, holds: Holds) -> Leaf {
    envelope_of(Place(steps), holds)
}

fn steps(pattern: &Pattern) -> Vec<Step> {
    let steps = pattern.0.iter().flat_map(|step| {
        let name = Step::Name(step.name.clone());
        std::iter::once(name).chain(step.each.then_some(Step::Each))
    });
    steps.collect()
}

const fn holds(read: &Read) -> Holds {
    match read {
        Read::Boolean => Holds::Boolean,
        Read::Code(_) => Holds::Code,
        Read::Date => Holds::Date,
        Read::Quantity => Holds::Quantity,
        _ => Holds::Text,
    }
}
