//! 记录, what one source said about one person at one time.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::date::Date;
use super::identifier::Identifier;
use super::name::{Dataset, ElementId, GroupName, Source};
use super::position::Position;
use super::value::Value;

/// A dataset name and element values, in groups that may repeat.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What it is: `admission`, `laboratory-report`.
    pub dataset: Dataset,
    /// Who said it.
    pub source: Source,
    /// When it happened, as the source says; the sealing time stands beside the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Date>,
    /// The groups; the first is the record's own top group, named `record`.
    pub groups: Vec<Group>,
    /// Leaves kept with the record without a name: released to nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<Carried>,
    /// 原样, what of the message no value says, so that the way back is the same bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<Wire>,
    /// 版本, content hash of the mapping pack that made it.
    pub mappings: String,
}

/// A document with its values taken out: the frame they stood in. Released to nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wire {
    /// The form it came in, such as `hl7v2`.
    pub form: String,
    /// The character set's name, where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// What is left of the text, as its form keeps it.
    pub frame: String,
    /// The whole document, where its text does not give the same bytes again: a character
    /// set may spell one character two ways.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "super::base64")]
    pub bytes: Vec<u8>,
}

/// Values that belong together and keep their place: one result, one diagnosis.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// What repeats: `result`, `diagnosis`; `record` for the top group.
    pub name: GroupName,
    /// Index in [`Record::groups`] of the group it stands in; `None` for the top group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    /// Its values, in the order of the wire. An element that repeats stands several times.
    pub fields: Vec<Field>,
}

/// One value under its national name.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// 数据元.
    #[serde(rename = "e")]
    pub element: ElementId,
    /// The value.
    #[serde(rename = "v")]
    pub value: Value,
    /// Where it stood in the message.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Position>,
}

/// A leaf no element names, kept so that nothing is lost: class *unlabelled*.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Where it stood.
    pub at: Position,
    /// What stood there.
    pub text: String,
}

impl Record {
    /// Every value of one element, in order.
    pub fn values(&self, element: ElementId) -> impl Iterator<Item = &Value> {
        self.fields().filter(move |field| field.element == element).map(|field| &field.value)
    }

    /// Every field of every group, in order.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.groups.iter().flat_map(|group| &group.fields)
    }

    /// The identifiers in the top group, where a record says whom it is about.
    pub fn identifiers(&self) -> impl Iterator<Item = (&Identifier, Option<&Position>)> {
        self.groups.iter().take(1).flat_map(|group| &group.fields).filter_map(|field| match &field
            .value
        {
            Value::Identifier(identifier) => Some((identifier, field.at.as_ref())),
            _ => None,
        })
    }
}

/// Shows shape alone, so that a log line cannot disclose the content.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({}, {} groups, <masked>)", self.dataset, self.groups.len())
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({}, {} fields, <masked>)", self.name, self.fields.len())
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({}, <masked>)", self.element)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({}, <{} bytes>)", self.form, self.frame.len())
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Carried({}, <masked>)", self.at)
    }
}
