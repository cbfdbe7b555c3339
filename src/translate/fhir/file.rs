//! The files of `fhir/` as they are written: shapes only, strict about their keys.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::super::file::{
    As, ElementText, ExampleText, OneOrMany, Reason, RowText, Unknown, Way, WhenText,
};
use crate::vocabulary::IdentifierKind;

/// `fhir/condition.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::translate) struct ResourceFile {
    pub dialect: Spanned<String>,
    pub resource: Spanned<String>,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub source: String,
    /// One resource for each group of that name; `record` is the top group.
    #[serde(default)]
    pub group: Option<Spanned<String>>,
    /// The group its groups hang below when they are read.
    #[serde(default)]
    pub parent: Option<Spanned<String>>,
    /// Or: one resource for each value of some elements of the group.
    #[serde(default)]
    pub each: Option<Spanned<EachText>>,
    /// Elements of which the group must have one.
    #[serde(default)]
    pub needs: Vec<Spanned<String>>,
    /// Only in records of these datasets.
    #[serde(default)]
    pub datasets: Vec<Spanned<String>>,
    /// Lists inside the resource whose items are groups.
    #[serde(default)]
    pub groups: BTreeMap<Spanned<String>, String>,
    #[serde(default)]
    pub fixed: Vec<Spanned<ConstantText>>,
    #[serde(default)]
    pub defaults: Vec<Spanned<ConstantText>>,
    #[serde(default)]
    pub refs: Vec<Spanned<RefText>>,
    #[serde(default)]
    pub rows: Vec<Spanned<FhirRowText>>,
    #[serde(default)]
    pub carries: Vec<Spanned<Reason>>,
    #[serde(default)]
    pub drops: Vec<Spanned<Reason>>,
    /// In `bundle.toml`: drops of every resource.
    #[serde(default)]
    pub everywhere: Vec<Spanned<Reason>>,
    /// In `bundle.toml`: the dataset of a bundle that names none.
    #[serde(default)]
    pub record: Option<Spanned<String>>,
    /// In `bundle.toml`: the offset of a time that names none, `+08:00`.
    #[serde(default)]
    pub offset: Option<Spanned<String>>,
    #[serde(default)]
    pub example: Vec<Spanned<ExampleText>>,
}

/// One resource for each value: what its code says which element it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::translate) struct EachText {
    /// Where the value stands.
    pub wire: Spanned<String>,
    /// Where the code stands that names the element.
    pub code: Spanned<String>,
    pub of: Vec<Spanned<EachElementText>>,
}

/// One element and its code.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::translate) struct EachElementText {
    pub element: Spanned<String>,
    pub code: String,
    pub system: String,
    #[serde(default)]
    pub display: Option<String>,
    /// The unit of a quantity that came without one.
    #[serde(default)]
    pub unit: Option<String>,
    /// Where the value stands, if not where the file says.
    #[serde(default)]
    pub wire: Option<Spanned<String>>,
}

/// A constant text at a place, and when it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::translate) struct ConstantText {
    pub wire: Spanned<String>,
    pub is: String,
    /// Only where the group, or one around or inside it, has this element.
    #[serde(default)]
    pub has: Option<Spanned<String>>,
    /// With `has`: only where its code, text or yes and no is one of these.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// Only where neither the group nor one around or inside it has this element.
    #[serde(default)]
    pub lacks: Option<Spanned<String>>,
    /// Only in records of these datasets.
    #[serde(default)]
    pub datasets: Vec<Spanned<String>>,
}

/// A reference to the resource made of a group.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::translate) struct RefText {
    pub wire: Spanned<String>,
    /// The resource type, or the name of its file without `.toml`.
    pub to: Spanned<String>,
    /// Only to resources whose group, or one around or inside it, has this element.
    #[serde(default)]
    pub has: Option<Spanned<String>>,
    /// With `has`: only where its code, text or yes and no is one of these.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// Only to resources of the own group or of one inside it.
    #[serde(default)]
    pub inside: bool,
    /// Only to resources of the own group or of one around it.
    #[serde(default)]
    pub around: bool,
    /// Whether the reference says the type of what it leads to.
    #[serde(default)]
    pub typed: bool,
    #[allow(dead_code, reason = "for the reader of the file")]
    #[serde(default)]
    pub note: Option<String>,
}

/// One row.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::translate) struct FhirRowText {
    pub wire: Spanned<String>,
    pub element: Spanned<ElementText>,
    #[serde(rename = "as")]
    pub form: Option<Spanned<As>>,
    pub kind: Option<IdentifierKind>,
    pub codes: Option<Spanned<String>>,
    #[serde(default)]
    pub unknown: Unknown,
    pub when: Option<Spanned<WhenText>>,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub strict: bool,
    #[serde(default)]
    pub way: Way,
    /// The group the value stands in, if not the file's own: the nearest of that name.
    #[serde(default)]
    pub from: Option<Spanned<String>>,
    /// The system of a code that names none.
    #[serde(default)]
    pub system: Option<String>,
    /// The unit of a quantity that names none.
    #[serde(default)]
    pub unit: Option<String>,
    /// A person here is referred to in this role (HL7 table 0443), by a PractitionerRole.
    #[serde(default)]
    pub role: Option<String>,
    /// Only where there are several values: each an item, with these members of the resource.
    #[serde(default)]
    pub several: Vec<String>,
    /// Writing: only where the value's group, or one around or inside it, has this element.
    #[serde(default)]
    pub has: Option<Spanned<String>>,
    /// With `has`: only where its code, text or yes and no is one of these.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// Only where the group lacks this element; reading, where nothing before was read as it.
    #[serde(default)]
    pub lacks: Option<Spanned<String>>,
    /// With `from`: of groups right inside the file's own alone.
    #[serde(default)]
    pub inside: bool,
    /// The values as one text, with this between them.
    #[serde(default)]
    pub join: Option<String>,
    /// With `join`: and those of these elements, behind.
    #[serde(default)]
    pub with: Vec<Spanned<String>>,
    /// Of a composite this component alone, as text.
    #[serde(default)]
    pub part: Option<usize>,
    /// The code as it came, of the left table or of none that was named, by these crosswalks:
    /// beside the codings of the row, and with `way = "out"` instead of them.
    #[serde(default)]
    pub original: Option<Spanned<OneOrMany>>,
    /// What stands beside the value in its item, where the item has no such member.
    #[serde(default)]
    pub besides: Vec<Spanned<ConstantText>>,
    /// The text of a code repeats what it says, where no original text came.
    #[serde(default)]
    pub worded: bool,
    /// An organization here is given by a hierarchic designator (HD): its name is its number.
    #[serde(default)]
    pub designator: bool,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub note: Option<String>,
}

impl FhirRowText {
    /// The part of the row that every format has.
    pub fn plain(&self) -> RowText {
        RowText {
            also: false,
            wire: self.wire.clone(),
            element: self.element.clone(),
            form: self.form.clone(),
            kind: self.kind,
            codes: self.codes.clone(),
            unknown: self.unknown,
            unit: None,
            when: None,
            required: self.required,
            strict: self.strict,
            way: self.way,
            composite: None,
            shape: None,
            system: None,
            named: None,
            note: None,
        }
    }
}
