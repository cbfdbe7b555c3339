//! What one source says of who somebody is, in clear: the input of the veil alone.

use std::fmt;

use crate::vocabulary::{ElementId, Field, Identifier, IdentifierKind, Record, Value};

/// Where a record says who somebody is.
const NAMES: [ElementId; 2] =
    [ElementId::fixed("DE02.01.039.00"), ElementId::fixed("MZ.person.former-name")];
const SEX: ElementId = ElementId::fixed("DE02.01.040.00");
const BIRTH_DATE: ElementId = ElementId::fixed("DE02.01.005.01");
const PHONES: [ElementId; 1] = [ElementId::fixed("DE02.01.010.00")];
const ADDRESSES: [ElementId; 2] =
    [ElementId::fixed("MZ.address.home"), ElementId::fixed("MZ.address.registered")];
const DIVISION: ElementId = ElementId::fixed("MZ.address.division");

/// Names, numbers and places one record gives of one person, as they were written.
///
/// Nothing here is checked: a number may fail its check, a date may not exist. What is
/// wrong is evidence too.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Demographics {
    /// Full names, the present one first.
    pub names: Vec<String>,
    /// GB/T 2261.1: `1` male, `2` female; as other spellings, `M`, `F`, `男`, `女`.
    pub sex: String,
    /// Digits of a date, with or without separators.
    pub birth_date: String,
    /// 公民身份号码.
    pub citizen_id: String,
    /// 居民健康卡号.
    pub cards: Vec<String>,
    /// Telephones of the person.
    pub phones: Vec<String>,
    /// Division of residence, GB/T 2260.
    pub division: String,
    /// Addresses of residence, as one line each.
    pub addresses: Vec<String>,
    /// Numbers an authority assigned: authority and number.
    pub assigned: Vec<(String, String)>,
}

impl Demographics {
    /// What a record says of the person it is about: the fields of its top group.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let mut found = Self::default();
        record.groups.iter().take(1).flat_map(|group| &group.fields).for_each(|f| found.read(f));
        found
    }

    /// Whether a field of a record's top group says by itself who somebody is.
    #[must_use]
    pub fn says(field: &Field) -> bool {
        let mut alone = Self::default();
        alone.read(field);
        alone != Self::default()
    }

    fn read(&mut self, field: &Field) {
        match (&field.value, text(&field.value)) {
            (Value::Identifier(identifier), _) => self.number(identifier),
            (_, "") => (),
            (_, text) if NAMES.contains(&field.element) => self.names.push(text.to_owned()),
            (_, text) if PHONES.contains(&field.element) => self.phones.push(text.to_owned()),
            (_, text) if ADDRESSES.contains(&field.element) => self.addresses.push(text.to_owned()),
            (_, text) if field.element == SEX => text.clone_into(&mut self.sex),
            (_, text) if field.element == BIRTH_DATE => text.clone_into(&mut self.birth_date),
            (_, text) if field.element == DIVISION => text.clone_into(&mut self.division),
            _ => (),
        }
    }

    /// Whether somebody could be known by it: a number, or a name and something beside it.
    #[must_use]
    pub fn tells(&self) -> bool {
        let numbered =
            !(self.citizen_id.is_empty() && self.cards.is_empty() && self.assigned.is_empty());
        let beside =
            !(self.birth_date.is_empty() && self.phones.is_empty() && self.addresses.is_empty());
        numbered || beside && !self.names.is_empty()
    }

    /// Adds a number, by what sort it is.
    pub fn number(&mut self, identifier: &Identifier) {
        let value = || identifier.value.clone();
        let named = identifier.authority.as_deref().unwrap_or_default();
        match identifier.kind {
            IdentifierKind::CitizenId if self.citizen_id.is_empty() => self.citizen_id = value(),
            IdentifierKind::CitizenId | IdentifierKind::Other => (),
            IdentifierKind::HealthCard => self.cards.push(value()),
            IdentifierKind::ElectronicCard | IdentifierKind::RecordNumber => {
                self.assigned.push((identifier.kind.as_str().to_owned(), value()));
            }
            // A number without its authority is nobody's outside its own source.
            IdentifierKind::Local if named.is_empty() => (),
            IdentifierKind::Local => self.assigned.push((named.to_owned(), value())),
        }
    }

    /// Every value in one order, to see whether anything changed.
    #[must_use]
    pub fn digested(&self) -> Vec<u8> {
        let lists = [&self.names, &self.cards, &self.phones, &self.addresses];
        let lists = lists.into_iter().flat_map(|list| list.iter().chain([&NONE]));
        let single = [&self.sex, &self.birth_date, &self.citizen_id, &self.division];
        let assigned = self.assigned.iter().flat_map(|(authority, number)| [authority, number]);
        let mut bytes = Vec::new();
        for text in lists.chain(single).chain(assigned) {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
        bytes
    }
}

/// Between two lists.
static NONE: String = String::new();

/// A value as one line; the code itself of a coded one.
fn text(value: &Value) -> &str {
    match value {
        Value::Name(line) | Value::Address(line) | Value::Telecom(line) => &line.text,
        Value::Text(text) => text,
        Value::Date(date) => date.as_str(),
        Value::Code(coding) => coding.code.as_deref().unwrap_or_default(),
        _ => "",
    }
}

/// Shows nothing of the person.
impl fmt::Debug for Demographics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Demographics(<masked>)")
    }
}
