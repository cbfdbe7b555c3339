//! 处理方式, which treatment makes a value fit a tier: `policies/treatments.toml`.
//!
//! A row speaks of one element, of a class, or of a type of value; the first of
//! these that has a row for the tier decides. `full` is the value as recorded and
//! `existence` is that there is one, so neither needs a row. A tier without a row,
//! or whose treatment cannot take the value, gives way to the next more
//! protective tier.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::page::Page;
use crate::vocabulary::{Catalogue, Class, Diagnostic, Element, ElementId, Files, Tier, ValueType};

/// Where the table stands.
const PATH: &str = "treatments.toml";

/// What is done to a value, from the closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Treatment {
    /// Nothing: the value as recorded.
    Keep,
    /// A date as its day.
    Day,
    /// A number as the decade it lies in: 74 becomes `>= 70`.
    Decade,
    /// An address as far as its district or county.
    District,
    /// An ICD-10 code as its three-character category, without its text.
    Icd10Category,
    /// An ICD-10 code as its chapter.
    Icd10Chapter,
    /// A number of a person, document or telephone, its middle masked.
    Mask,
    /// A date as its month.
    Month,
    /// A code as the code above it in its table.
    Parent,
    /// That there is a value.
    Present,
    /// A stand-in only this department can join with itself.
    Pseudonym,
    /// A number to the nearest five.
    Round,
    /// A day, moved by so many days as all days of this person are for this department.
    Shift,
    /// A name as its surname.
    Surname,
    /// A number of ninety and above as that alone: the very old are few.
    TopCode,
    /// A date as its year.
    Year,
}

impl Treatment {
    /// The name in `treatments.toml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Day => "day",
            Self::Decade => "decade",
            Self::District => "district",
            Self::Icd10Category => "icd10-category",
            Self::Icd10Chapter => "icd10-chapter",
            Self::Mask => "mask",
            Self::Month => "month",
            Self::Parent => "parent",
            Self::Present => "present",
            Self::Pseudonym => "pseudonym",
            Self::Round => "round",
            Self::Shift => "shift",
            Self::Surname => "surname",
            Self::TopCode => "top-code",
            Self::Year => "year",
        }
    }

    /// Whether it can take values of a type.
    #[must_use]
    pub const fn takes(self, value: ValueType) -> bool {
        use ValueType as V;
        match self {
            Self::Keep | Self::Present => true,
            Self::Decade | Self::Round | Self::TopCode => matches!(value, V::Quantity),
            Self::District => matches!(value, V::Address),
            Self::Icd10Category | Self::Icd10Chapter | Self::Parent => matches!(value, V::Code),
            Self::Mask => matches!(value, V::Identifier | V::Telecom),
            Self::Day | Self::Month | Self::Shift | Self::Year => matches!(value, V::Date),
            Self::Pseudonym => {
                matches!(value, V::Code | V::Identifier | V::Name | V::Person | V::Telecom)
            }
            Self::Surname => matches!(value, V::Name | V::Person),
        }
    }
}

/// Which treatment belongs to which tier.
#[derive(Debug, Clone, Default)]
pub struct Treatments {
    elements: HashMap<(ElementId, Tier), Treatment>,
    classes: HashMap<(Class, ValueType, Tier), Treatment>,
    values: HashMap<(ValueType, Tier), Treatment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TreatmentsFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    rows: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    element: Option<String>,
    class: Option<String>,
    value: Option<ValueType>,
    tier: Tier,
    treatment: Treatment,
}

impl Treatments {
    /// Reads `treatments.toml`.
    pub(super) fn load(files: &Files, catalogue: &Catalogue) -> Result<Self, Vec<Diagnostic>> {
        let (mut page, file) =
            Page::open::<TreatmentsFile>(files, PATH).map_err(|fault| vec![fault])?;
        let mut found = Self::default();
        for row in file.rows {
            let start = row.span().start;
            if let Err(message) = found.add(row.into_inner(), catalogue) {
                page.fault(start, message);
            }
        }
        page.close(found)
    }

    /// The tiers a value of an element may take from a permitted tier on, each with its
    /// treatment, least protective first. Never empty: existence is always possible.
    #[must_use]
    pub fn ladder(&self, element: &Element, permitted: Tier) -> Vec<(Tier, Treatment)> {
        let rungs = Tier::ALL.into_iter().filter(|tier| *tier >= permitted);
        rungs.filter_map(|tier| self.treatment(element, tier).map(|found| (tier, found))).collect()
    }

    fn treatment(&self, element: &Element, tier: Tier) -> Option<Treatment> {
        match tier {
            Tier::Full => Some(Treatment::Keep),
            Tier::Existence => Some(Treatment::Present),
            Tier::Withheld => None,
            Tier::Generalised | Tier::Pseudonym => self
                .elements
                .get(&(element.id, tier))
                .or_else(|| self.classes.get(&(element.class, element.value, tier)))
                .or_else(|| self.values.get(&(element.value, tier)))
                .copied(),
        }
    }

    fn add(&mut self, row: Row, catalogue: &Catalogue) -> Result<(), String> {
        if !matches!(row.tier, Tier::Generalised | Tier::Pseudonym) {
            return Err("only the tiers generalised and pseudonym have treatments".to_owned());
        }
        let fits = |value: ValueType| match row.treatment.takes(value) {
            true => Ok(()),
            false => Err("this treatment cannot take such a value".to_owned()),
        };
        let before = match (row.element, row.class, row.value) {
            (Some(id), None, None) => {
                let id = ElementId::parse(&id).map_err(|error| error.to_string())?;
                let element = catalogue.get(id);
                fits(element.ok_or(format!("the catalogue has no element {id}"))?.value)?;
                self.elements.insert((id, row.tier), row.treatment)
            }
            (None, Some(class), Some(value)) => {
                let class = Class::parse(&class).map_err(|error| error.to_string())?;
                fits(value)?;
                if catalogue.iter().all(|element| element.class != class) {
                    return Err("no element is of this class".to_owned());
                }
                self.classes.insert((class, value, row.tier), row.treatment)
            }
            (None, None, Some(value)) => {
                fits(value)?;
                self.values.insert((value, row.tier), row.treatment)
            }
            _ => return Err("a row names an element, a class and value, or a value".to_owned()),
        };
        before.map_or(Ok(()), |_| Err("there is a row for this already".to_owned()))
    }
}
