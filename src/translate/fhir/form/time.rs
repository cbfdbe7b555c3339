//! Moments: `date`, `dateTime`, `instant`, Period and Timing.
//!
//! A time in FHIR names its seconds and its offset (R4 section 2.24.0.1). Where a source
//! names none, the offset is the one `bundle.toml` gives, and the seconds are zero.

use super::{Forms, Shape, list, map};
use crate::translate::fhir::leaves::Leaves;
use crate::translate::fhir::plan::FhirRow;
use crate::vocabulary::Date;
use crate::wire::Tree;

/// A moment as precisely as it is known, in the form of `dateTime`.
fn date_time(date: &Date, offset: &str) -> String {
    let compact = date.as_str();
    let zone = compact.find(['+', '-']).unwrap_or(compact.len());
    let (moment, own) = compact.split_at(zone);
    let (digits, fraction) = moment.split_once('.').unwrap_or((moment, ""));
    let mut text = date_part(digits);
    if digits.len() < 10 {
        return text;
    }
    let part = |from: usize| digits.get(from..from + 2).unwrap_or("00");
    text.push_str(&format!("T{}:{}:{}", part(8), part(10), part(12)));
    if !fraction.is_empty() {
        text.push_str(&format!(".{fraction}"));
    }
    match own.split_at_checked(3) {
        Some((hours, minutes)) => text.push_str(&format!("{hours}:{minutes}")),
        None => text.push_str(offset),
    }
    text
}

/// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
fn date_part(digits: &str) -> String {
    let parts = [digits.get(..4), digits.get(4..6), digits.get(6..8)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("-")
}

/// A moment in the form of `instant`; `None` if it has no time.
pub(in crate::translate::fhir) fn instant(date: &Date, offset: &str) -> Option<String> {
    (date.digits() >= 10).then(|| date_time(date, offset))
}

/// A moment written in any of these forms.
pub(in crate::translate::fhir) fn date_of(text: &str) -> Option<Date> {
    Date::parse_iso(text).ok()
}

impl Forms<'_> {
    pub(super) fn date(self, row: &FhirRow, date: &Date) -> Option<Tree> {
        let offset = &self.plan.bundle.offset;
        let whole = || Tree::from(date_time(date, offset));
        // `_birthDate` has a place for the time a `date` has none for.
        let beside = row.path.0.first().is_some_and(|step| step.name.starts_with('_'));
        if beside && date.digits() < 10 {
            return None;
        }
        match row.shape {
            Shape::Date => Some(date_part(date.as_str().get(..8).unwrap_or(date.as_str())).into()),
            Shape::Moment => instant(date, offset).map(Tree::from),
            Shape::Period => Some(map([("start", Some(whole()))])),
            Shape::Timing => Some(map([("event", list(vec![whole()]))])),
            _ => Some(whole()),
        }
    }

    /// A component (HL7 v2 DTM) as `dateTime`, if it is one.
    pub(super) fn moment(self, text: Option<&str>) -> Option<Tree> {
        let date = Date::parse(text?).ok()?;
        Some(date_time(&date, &self.plan.bundle.offset).into())
    }

    /// A period of two components, if either is there.
    pub(super) fn period(self, start: Option<&str>, end: Option<&str>) -> Option<Tree> {
        let period = map([("start", self.moment(start)), ("end", self.moment(end))]);
        (!period.is_empty()).then_some(period)
    }

    /// Start and end of a period, as components.
    pub(super) fn read_period<'t>(
        self,
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> [Option<String>; 2] {
        ["start", "end"].map(|name| {
            let moment = tree.get("period")?.get(name)?;
            let date = date_of(moment.text()?)?;
            leaves.text(moment).map(|_| date.as_str().to_owned())
        })
    }

    pub(super) fn read_date<'t>(
        self,
        row: &FhirRow,
        tree: &'t Tree,
        leaves: &mut Leaves<'t>,
    ) -> Option<Date> {
        let leaf = match row.shape {
            Shape::Period => tree.get("start")?,
            Shape::Timing => tree.get("event")?.items().first()?,
            _ => tree,
        };
        let date = date_of(leaf.text()?)?;
        leaves.text(leaf).map(|_| date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_gets_the_seconds_and_the_offset_fhir_demands() {
        for (compact, text) in [
            ("2026", "2026"),
            ("202611", "2026-11"),
            ("20261121", "2026-11-21"),
            ("2026112108", "2026-11-21T08:00:00+08:00"),
            ("202611210830", "2026-11-21T08:30:00+08:00"),
            ("20261121083000.25-0130", "2026-11-21T08:30:00.25-01:30"),
        ] {
            let date = Date::parse(compact).unwrap();
            assert_eq!(date_time(&date, "+08:00"), text);
            let back = date_of(text).unwrap();
            assert_eq!(date_time(&back, "+00:00"), text);
        }
    }
}
