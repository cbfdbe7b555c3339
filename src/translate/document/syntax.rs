//! 语法, how the typed values look in each family of documents.
//!
//! The engine knows trees, paths and groups; what a code or a name looks like at a place
//! is said here, by one implementation a family.

use std::fmt::Debug;

use super::plan::DocumentRow;
use super::{flat, json, v3};
use crate::translate::overlay::Overlay;
use crate::translate::plan::{Bin, Read};
use crate::translate::value::Wrong;
use crate::vocabulary::{Source, Value};
use crate::wire::Tree;

/// Every dialect with the family it belongs to.
static SYNTAXES: &[(&str, &dyn Syntax)] = &[
    ("card", &flat::Flat),
    ("cda", &v3::V3 { hospital: false }),
    ("civil-json", &json::Plain),
    ("platform-json", &json::Plain),
    ("v3-hospital", &v3::V3 { hospital: true }),
    ("v3-pix", &v3::V3 { hospital: false }),
    ("v3-regional", &v3::V3 { hospital: false }),
];

/// The family of a dialect.
pub(in crate::translate) fn of(dialect: &str) -> Option<&'static dyn Syntax> {
    SYNTAXES.iter().find(|(name, _)| *name == dialect).map(|(_, syntax)| *syntax)
}

/// The names of all dialects.
pub(in crate::translate) fn dialects() -> impl Iterator<Item = &'static str> {
    SYNTAXES.iter().map(|(name, _)| *name)
}

/// Who sent a document, and what they do their own way.
#[derive(Clone, Copy)]
pub(in crate::translate) struct Sent<'a> {
    pub source: Source,
    pub overlay: &'a Overlay,
}

/// What one family of documents writes its own way.
pub(in crate::translate) trait Syntax: Debug + Send + Sync {
    /// Whether a document is a named root element with ordered members, and positions are
    /// shown as XPath.
    fn is_xml(&self) -> bool {
        false
    }

    /// Whether a document is of exactly one kind: a record that no file is for is not written.
    fn is_closed(&self) -> bool {
        false
    }

    /// Whether a member is written as a list even if it has one item; the last is its name.
    fn lists(&self, _path: &[&str]) -> bool {
        false
    }

    /// The shapes a type has beside its usual one; `None` if it cannot be written at all.
    fn shapes(&self, read: &Read, name: &str) -> Option<&'static [&'static str]>;

    /// Whether an identifier here says itself what kind it is.
    fn tells_kind(&self) -> bool {
        false
    }

    /// The value at a place. What of it the value keeps goes to `used`.
    ///
    /// # Errors
    /// [`Wrong::Absent`] if nothing of the type stands there.
    fn read<'t>(
        &self,
        row: &DocumentRow,
        found: (&'t Tree, Sent<'_>),
        used: &mut Vec<&'t Tree>,
    ) -> Result<Value, Wrong>;

    /// The value as it is written at its place; `None` if it is another row's, or cannot be.
    fn write(&self, row: &DocumentRow, value: &Value) -> Option<Tree>;

    /// The bin of a leaf that means nothing by itself, such as the name beside a code.
    fn noise(&self, _name: &str) -> Option<Bin> {
        None
    }
}
