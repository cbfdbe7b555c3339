//! 查询对象, about whom a question is: by one identifier, or by what is known of somebody.
//!
//! Every interface reads its own words into a [`Whom`]. What of a description may be looked
//! for is the purpose's business: every predicate on a person is a read of its field.

use crate::identity::linkage::{Demographics, Judged, Verdict};
use crate::policy::{Release, Treated};
use crate::vocabulary::record::{Field, Group};
use crate::vocabulary::{
    Dataset, ElementId, GroupName, Identifier, IdentifierKind, Record, Source, Tier, Value,
};

const NAME: ElementId = ElementId::fixed("DE02.01.039.00");
const SEX: ElementId = ElementId::fixed("DE02.01.040.00");
const BIRTH_DATE: ElementId = ElementId::fixed("DE02.01.005.01");
const PHONE: ElementId = ElementId::fixed("DE02.01.010.00");
const ADDRESS: ElementId = ElementId::fixed("MZ.address.home");
const CITIZEN_ID: ElementId = ElementId::fixed("DE02.01.030.00");
const CARD: ElementId = ElementId::fixed("DE01.00.021.00");
const RECORD_NUMBER: ElementId = ElementId::fixed("DE01.00.009.00");
const ELECTRONIC_CARD: ElementId = ElementId::fixed("MZ.card.electronic-id");
const LOCAL: ElementId = ElementId::fixed("MZ.id.local");

/// About whom a question is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Whoever these describe.
    Described(Box<Demographics>),
    /// Whoever has it; proven by its own check.
    Identifier(Identifier),
}

impl Whom {
    /// Somebody described; `None` if nobody could be known by it.
    #[must_use]
    pub fn described(who: Demographics) -> Option<Self> {
        who.tells().then(|| Self::Described(Box::new(who)))
    }
}

/// The elements a description looks for, each with its place in an inquiry.
#[must_use]
pub fn sought(who: &Demographics) -> Vec<(ElementId, &'static str)> {
    let single = [
        (!who.names.is_empty(), NAME, "/person/name"),
        (!who.birth_date.is_empty(), BIRTH_DATE, "/person/birth_date"),
        (!who.sex.is_empty(), SEX, "/person/sex"),
        (!who.phones.is_empty(), PHONE, "/person/phone"),
        (!who.addresses.is_empty() || !who.division.is_empty(), ADDRESS, "/person/address"),
        (!who.citizen_id.is_empty(), CITIZEN_ID, NUMBERS),
        (!who.cards.is_empty(), CARD, NUMBERS),
    ];
    let single = single.into_iter().filter(|row| row.0).map(|(_, id, at)| (id, at));
    let assigned = who.assigned.iter().map(|(authority, _)| {
        let id = match IdentifierKind::parse(authority) {
            Some(IdentifierKind::ElectronicCard) => ELECTRONIC_CARD,
            Some(IdentifierKind::RecordNumber) => RECORD_NUMBER,
            _ => LOCAL,
        };
        (id, NUMBERS)
    });
    single.chain(assigned).collect()
}

/// A description as one text: the same for the same description, another for any other.
#[must_use]
pub fn words(who: &Demographics) -> String {
    let Demographics { names, sex, birth_date, citizen_id, cards, phones, .. } = who;
    let Demographics { division, addresses, assigned, .. } = who;
    let assigned: Vec<_> = assigned.iter().map(|(by, number)| format!("{by} {number}")).collect();
    let single = [sex, birth_date, citizen_id, division].map(std::slice::from_ref);
    let many = [names.as_slice(), cards, phones, addresses, &assigned];
    let parts = single.into_iter().chain(many).map(|part| part.join("\u{1f}"));
    parts.collect::<Vec<_>>().join("\u{1e}")
}

/// Where an inquiry has the numbers of a description.
const NUMBERS: &str = "/person/identifiers";

/// What a release says of who somebody is, as it was recorded: what was made coarser is no
/// evidence, and whoever looks for it learns nothing.
#[must_use]
pub fn seen(release: &Release) -> Demographics {
    let whole = release.released().filter(|one| one.tier() == Tier::Full);
    let fields = whole.filter_map(|one| match one.value() {
        Treated::Value(value) => {
            Some(Field { element: one.element().id, value: value.clone(), at: None })
        }
        Treated::Present | Treated::Pseudonym(_) | Treated::Shifted(_) => None,
    });
    let group = Group { name: GroupName::fixed("record"), parent: None, fields: fields.collect() };
    Demographics::of(&Record {
        dataset: Dataset::fixed("release"),
        source: Source::fixed("gateway"),
        time: None,
        groups: vec![group],
        carried: Vec::new(),
        wire: None,
        mappings: String::new(),
    })
}

/// The identifiers records have of their person, those that are known everywhere first.
pub fn numbers<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<&'a Identifier> {
    let top = records.flat_map(|record| record.groups.iter().take(1));
    let top = top.flat_map(|group| &group.fields);
    let known = [CITIZEN_ID, CARD, RECORD_NUMBER, LOCAL];
    let mut found: Vec<_> = top
        .filter_map(|field| match &field.value {
            Value::Identifier(identifier) => {
                let rank = known.iter().position(|known| *known == field.element)?;
                Some((rank, identifier))
            }
            _ => None,
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    let mut known: Vec<&Identifier> = Vec::new();
    found.retain(|(_, identifier)| {
        let new = !known.contains(identifier);
        known.push(identifier);
        new
    });
    found.into_iter().map(|(_, identifier)| identifier).collect()
}

/// How surely somebody is who was described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It may be; somebody should look.
    Possible,
    /// Likelier than not, or one of several who would do.
    Probable,
    /// The index would link them without asking, and nobody else.
    Certain,
}

impl Grade {
    /// The code of FHIR R4 value set match-grade.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Probable => "probable",
            Self::Certain => "certain",
        }
    }
}

/// How surely, as an interface may write it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// In words.
    pub grade: Grade,
    /// From 0 to 1: the chance that they are one person.
    pub score: f64,
}

impl Likeness {
    /// The likeness of one who was judged; `alone` if nobody else would be linked as surely.
    #[must_use]
    pub fn of(judged: &Judged, alone: Alone) -> Self {
        let chance = 1.0 / (1.0 + (-judged.weight).exp());
        let score = (chance * 1000.0).round() / 1000.0;
        let grade = match (judged.verdict, alone) {
            (Verdict::Automatic, Alone::Yes) => Grade::Certain,
            (Verdict::Automatic, Alone::No) => Grade::Probable,
            _ if judged.weight > 0.0 => Grade::Probable,
            _ => Grade::Possible,
        };
        Self { grade, score }
    }
}

/// Whether one alone would be linked without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// There is another one.
    No,
    /// Nobody else.
    Yes,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::linkage::{Rule, compare};

    #[test]
    fn every_field_of_a_description_is_a_read_of_its_element() {
        let mut who = Demographics {
            names: vec!["张三".to_owned()],
            sex: "1".to_owned(),
            birth_date: "19480315".to_owned(),
            citizen_id: "x".to_owned(),
            cards: vec!["x".to_owned()],
            phones: vec!["x".to_owned()],
            division: String::new(),
            addresses: vec!["x".to_owned()],
            assigned: Vec::new(),
        };
        for kind in ["electronic-card", "record-number", "HOSP-A"] {
            who.assigned.push((kind.to_owned(), "x".to_owned()));
        }
        let ids: Vec<_> = sought(&who).into_iter().map(|(id, _)| id).collect();
        let all = [NAME, BIRTH_DATE, SEX, PHONE, ADDRESS, CITIZEN_ID, CARD, ELECTRONIC_CARD];
        assert_eq!(ids, [&all[..], &[RECORD_NUMBER, LOCAL]].concat());
        assert!(sought(&Demographics::default()).is_empty());
        assert!(
            Whom::described(who).is_some() && Whom::described(Demographics::default()).is_none()
        );
    }

    #[test]
    fn a_grade_is_certain_for_one_alone() {
        let check = |verdict, weight, alone, expect: Grade| {
            let (comparison, shared) = compare(&Default::default(), &Default::default());
            let judged = Judged { comparison, shared, weight, verdict, rule: Rule::TooLittle };
            let found = Likeness::of(&judged, alone);
            assert_eq!(found.grade, expect, "{verdict:?} {weight}");
            assert!((0.0..=1.0).contains(&found.score), "{}", found.score);
        };
        check(Verdict::Automatic, 12.0, Alone::Yes, Grade::Certain);
        check(Verdict::Automatic, 12.0, Alone::No, Grade::Probable);
        check(Verdict::Review, 3.0, Alone::Yes, Grade::Probable);
        check(Verdict::Review, -1.0, Alone::Yes, Grade::Possible);
    }
}
