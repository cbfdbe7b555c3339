//! A document mapping file as it is written: shapes only, strict about its keys.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::translate::file::{ExampleText, Reason, RowText, WhenText};

/// `civil/elder.toml`, `platform/death.toml`, `cda/c0001.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::translate) struct DocumentFile {
    pub dialect: Spanned<String>,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub source: String,
    pub record: Spanned<String>,
    #[serde(default)]
    pub writes: Vec<Spanned<String>>,
    pub root: Option<Spanned<String>>,
    pub namespace: Option<String>,
    pub only: Option<Spanned<WhenText>>,
    pub time: Option<Spanned<String>>,
    #[serde(default)]
    pub groups: BTreeMap<Spanned<String>, String>,
    #[serde(default)]
    pub order: BTreeMap<Spanned<String>, Vec<String>>,
    #[serde(default)]
    pub fixed: Vec<Spanned<ConstantText>>,
    #[serde(default)]
    pub defaults: Vec<Spanned<ConstantText>>,
    #[serde(default)]
    pub rows: Vec<Spanned<RowText>>,
    #[serde(default)]
    pub carries: Vec<Spanned<Reason>>,
    #[serde(default)]
    pub drops: Vec<Spanned<Reason>>,
    #[serde(default)]
    pub example: Vec<Spanned<ExampleText>>,
}

/// One of `fixed` and `defaults`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::translate) struct ConstantText {
    pub wire: Spanned<String>,
    pub is: String,
    pub with: Option<Spanned<String>>,
}

/// The part of a file that speaks of one tree, whoever names the tree.
pub(in crate::translate) struct BodyText<'a> {
    pub groups: &'a BTreeMap<Spanned<String>, String>,
    pub order: &'a BTreeMap<Spanned<String>, Vec<String>>,
    pub fixed: &'a [Spanned<ConstantText>],
    pub defaults: &'a [Spanned<ConstantText>],
    pub rows: &'a [Spanned<RowText>],
    pub carries: &'a [Spanned<Reason>],
    pub drops: &'a [Spanned<Reason>],
}

impl DocumentFile {
    /// The part that speaks of the document's tree.
    pub fn body(&self) -> BodyText<'_> {
        BodyText {
            groups: &self.groups,
            order: &self.order,
            fixed: &self.fixed,
            defaults: &self.defaults,
            rows: &self.rows,
            carries: &self.carries,
            drops: &self.drops,
        }
    }
}
