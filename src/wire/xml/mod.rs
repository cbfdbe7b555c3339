//! XML, read strictly into a [`Tree`] and written from one.
//!
//! - No DTD and no entities but the five of XML itself, so nothing is ever expanded.
//! - Bytes, depth, nodes and names of one element are bounded.
//! - The character set is that of the byte order mark, else the declared one; where the bytes
//!   are not in it, or none is declared, UTF-8, then GB 18030 (and with it GBK and GB 2312).
//! - An element is a map: attributes first as `@name` (those of XML Schema instances as
//!   `@xsi:type` whatever their prefix, and the prefix of that type's name left out), text as
//!   `#text`, then for each name of a child a list of the elements of that name, always a list.
//!   Names are local names. Where an element's namespace is not its parent's, `@xmlns` says so.
//! - White space around text goes, unless it is written as `&#32;` or in a CDATA section.
//! - Writing emits members in order, so `read(write(document))` is the document.

mod decode;
mod read;
mod write;

use serde::{Deserialize, Serialize};

use super::tree::Tree;
use crate::vocabulary::{Fault, Position};

pub use read::read;
pub use write::write;

/// The namespace of `xsi:type`.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// A document: its root element, and the namespace of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Local name of the root element.
    pub root: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The root element itself.
    pub tree: Tree,
}

/// What one XML text may hold at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes; default 8,388,608.
    pub bytes_max: usize,
    /// Elements inside one another, at most 120; default 64.
    pub depth_max: usize,
    /// Elements and attributes together; default 200,000.
    pub nodes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 8_388_608, depth_max: 64, nodes_max: 200_000 }
    }
}

/// Why bytes are not acceptable XML, and where: the fault's name is the diagnostic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {} at {at}", .fault.row().name, .fault.row().en)]
pub struct XmlError {
    fault: Fault,
    at: Position,
}

impl XmlError {
    /// What the peer is told.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// Line and column, both from 1, a column being a character.
    #[must_use]
    pub const fn position(&self) -> &Position {
        &self.at
    }

    /// The name of what is wrong: `xml-undeclared-prefix`.
    #[must_use]
    pub const fn diagnostic(&self) -> &'static str {
        self.fault.row().name
    }
}

#[cfg(test)]
mod tests;
