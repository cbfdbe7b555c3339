//! The reviewer's templates, and the rows of the comparison.

use askama::Template;

use super::difference::{Piece, marked};
use crate::identity::linkage::{Contribution, Demographics};
use crate::inbound::console::pages::Frame;
use crate::inbound::console::view::review::{
    EventRow, HeldPage, HeldRow, JudgedView, Pair, PairView, QueuePage, SideView,
};
use crate::store::opinion::Opinion;
use crate::vocabulary::IdentifierKind;

/// A weight beyond which the bar is full.
const WEIGHT_FULL: f64 = 12.0;
/// Half of the bar, in its own units.
const BAR: f64 = 100.0;

/// What waits.
#[derive(Template)]
#[template(path = "review_queue.html")]
pub(super) struct QueueList {
    pub(super) f: Frame,
    pub(super) page: QueuePage,
    pub(super) said: Option<&'static str>,
    pub(super) paged: bool,
}

/// What the overlay guard holds.
#[derive(Template)]
#[template(path = "review_held.html")]
pub(super) struct HeldList {
    pub(super) f: Frame,
    pub(super) page: HeldPage,
    pub(super) said: Option<&'static str>,
    /// Who looks.
    pub(super) user: String,
}

impl HeldList {
    /// Whether whoever looks may say this of a message: nobody confirms their own.
    fn may(&self, row: &HeldRow, opinion: Opinion) -> bool {
        row.voiced.as_ref().is_none_or(|(said, by)| *said != opinion || *by != self.user)
    }

    /// What a first reviewer has said, in words.
    fn voiced(&self, row: &HeldRow) -> Option<String> {
        row.voiced.as_ref().map(|(said, by)| {
            let words = match said {
                Opinion::Accept => self.f.r.held_accepted_by,
                Opinion::Refuse => self.f.r.held_refused_by,
            };
            self.f.t.fill(words, by)
        })
    }
}

/// Two entries side by side.
#[derive(Template)]
#[template(path = "review_pair.html")]
pub(super) struct PairPage {
    pub(super) f: Frame,
    pub(super) view: PairView,
    pub(super) rows: Vec<FieldRow>,
    /// Whether whoever looks has proposed it.
    pub(super) own: bool,
}

/// What was said of the entries of both.
#[derive(Template)]
#[template(path = "review_history.html")]
pub(super) struct HistoryPage {
    pub(super) f: Frame,
    pub(super) pair: Pair,
    pub(super) events: Vec<EventRow>,
}

/// One field of both sides.
pub(super) struct FieldRow {
    pub(super) name: &'static str,
    /// Values of the one and the other, each in pieces.
    pub(super) values: [Vec<Vec<Piece>>; 2],
    /// How they agree and what it is worth, where the two were judged.
    pub(super) part: Option<Contribution>,
}

/// Fields in the order they are read, as the index names them.
const FIELDS: [&str; 9] =
    ["name", "sex", "birth-date", "citizen-id", "card", "assigned", "phone", "address", "division"];

/// Every field that one of the two has, or that was compared.
pub(super) fn rows(f: &Frame, view: &PairView) -> Vec<FieldRow> {
    let part = |name: &str| {
        let fields = view.judged.as_ref().map(|judged| judged.fields.as_slice());
        fields.unwrap_or_default().iter().find(|part| part.field == name).copied()
    };
    let rows = FIELDS.into_iter().map(|name| {
        let [one, other] = &view.sides;
        let (left, right) = (values(f, one, name), values(f, other, name));
        let pieces = |own: &[String], others: &[String]| -> Vec<Vec<Piece>> {
            own.iter().map(|value| marked(value, others)).collect()
        };
        let values = [pieces(&left, &right), pieces(&right, &left)];
        FieldRow { name, values, part: part(name) }
    });
    rows.filter(|row| row.is_said() || row.was_compared()).collect()
}

impl FieldRow {
    fn is_said(&self) -> bool {
        self.values.iter().any(|values| !values.is_empty())
    }

    fn was_compared(&self) -> bool {
        self.part.is_some_and(|part| part.level != "missing")
    }
}

/// What one side says in a field, in the words of the page.
fn values(f: &Frame, side: &SideView, name: &str) -> Vec<String> {
    let Some(who) = &side.who else { return Vec::new() };
    let Demographics { names, sex, birth_date, citizen_id, .. } = who;
    let said = match name {
        "name" => names.clone(),
        "sex" => vec![f.r.sex_of(sex).to_owned()],
        "birth-date" => vec![day(birth_date)],
        "citizen-id" => vec![citizen_id.clone()],
        "card" => who.cards.clone(),
        "assigned" => who.assigned.iter().map(|number| assigned(f, number)).collect(),
        "phone" => who.phones.clone(),
        "address" => who.addresses.clone(),
        "division" => vec![who.division.clone()],
        _ => Vec::new(),
    };
    said.into_iter().filter(|value| !value.is_empty()).collect()
}

/// Eight digits as people read a day; anything else as it was written.
fn day(digits: &str) -> String {
    let parts = (digits.get(..4), digits.get(4..6), digits.get(6..8));
    match parts {
        (Some(year), Some(month), Some(day)) if digits.len() == 8 => {
            format!("{year}-{month}-{day}")
        }
        _ => digits.to_owned(),
    }
}

/// A number with whoever gave it.
fn assigned(f: &Frame, (authority, number): &(String, String)) -> String {
    let kind = IdentifierKind::parse(authority);
    let whose = kind.map_or(authority.as_str(), |kind| f.t.identifier_of(&kind));
    format!("{whose} {number}")
}

impl PairPage {
    /// Why it waits: a message may have said so where the index would not.
    fn rule<'a>(&'a self, judged: &'a JudgedView) -> &'a str {
        self.view.rule.as_deref().unwrap_or(&judged.rule)
    }

    /// What a weight says, in words: not by colour and length alone.
    fn worth(&self, weight: &f64) -> String {
        let size = format!("{:.1}", weight.abs());
        match () {
            () if size == "0.0" => self.f.r.speaks_not.to_owned(),
            () if *weight > 0.0 => self.f.t.fill(self.f.r.speaks_for, size),
            () => self.f.t.fill(self.f.r.speaks_against, size),
        }
    }

    /// Where the bar of a weight begins, how long it is, and which way it points.
    fn bar(&self, weight: &f64) -> (String, String, &'static str) {
        let length = (weight.abs() / WEIGHT_FULL).min(1.0) * BAR;
        let (from, class) = if *weight < 0.0 { (BAR - length, "against") } else { (BAR, "for") };
        (format!("{from:.1}"), format!("{length:.1}"), class)
    }

    /// What any two entries begin with, before a field is looked at.
    fn beginning(&self, weight: &f64) -> String {
        let fields = self.view.judged.iter().flat_map(|judged| &judged.fields);
        self.worth(&(weight - fields.map(|part| part.weight).sum::<f64>()))
    }

    /// The odds of a weight in words.
    fn odds(&self, weight: &f64) -> String {
        let odds = weight.abs().min(20.0).exp();
        let rounded = match odds {
            ..10.0 => format!("{odds:.0}"),
            ..1e6 => {
                let scale = 10_f64.powf(odds.log10().floor() - 1.0);
                format!("{:.0}", (odds / scale).round() * scale)
            }
            _ => "1,000,000".to_owned(),
        };
        match () {
            () if rounded == "1" => self.f.r.odds_even.to_owned(),
            () if *weight > 0.0 => self.f.t.fill(self.f.r.odds_for, rounded),
            () => self.f.t.fill(self.f.r.odds_against, rounded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_as_one_and_anything_else_as_it_stands() {
        for (digits, shown) in
            [("19480315", "1948-03-15"), ("194803", "194803"), ("", ""), ("约七十岁", "约七十岁")]
        {
            assert_eq!(day(digits), shown);
        }
    }
}
