//! 数据元, the data element: a named field with type, value domain, class and level.

use serde::{Deserialize, Serialize};

use super::name::{Class, ElementId};

/// What kind of value an element holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueType {
    /// 地址, a postal address.
    Address,
    /// 布尔, yes or no.
    Boolean,
    /// 二进制, bytes such as an image.
    Bytes,
    /// 代码, a code from the element's value domain.
    Code,
    /// 日期或日期时间, a date or date-time with its precision.
    Date,
    /// 标识符, an identifier with kind and assigning authority.
    Identifier,
    /// 姓名, a person's name.
    Name,
    /// 机构, an organization with its identifiers (XON).
    Organization,
    /// 人员, an identified person such as a physician (XCN).
    Person,
    /// 处所, a ward, room and bed in a building of a facility (PL).
    Place,
    /// 数值, a number with a unit.
    Quantity,
    /// 联系方式, a telephone number or other contact point.
    Telecom,
    /// 文本, free text.
    Text,
}

/// One row of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// 数据元标识符: the national id, or a local one that begins with `MZ.`.
    pub id: ElementId,
    /// Chinese name.
    pub zh: String,
    /// English name.
    pub en: String,
    /// Type of its values.
    pub value: ValueType,
    /// 值域, the code table of a coded element.
    pub domain: Option<String>,
    /// What policies call it.
    pub class: Class,
    /// 敏感级别, 1 (public) to 5 (specially protected), GB/T 39725-2020 clause 6.2.
    pub level: u8,
    /// Where the row comes from, and what is unsure about it.
    pub source: String,
}
