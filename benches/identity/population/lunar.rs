//! 农历, the lunar calendar: many elders' birthdays are lunar dates somewhere.

use std::fmt;

use chrono::{Datelike, NaiveDate, TimeDelta};

/// A date as written, which a lunar date or a slip need not make a day of our calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    /// Year.
    pub year: i32,
    /// Month, from 1.
    pub month: u32,
    /// Day of the month, from 1.
    pub day: u32,
}

impl Day {
    /// A date, unchecked.
    pub const fn new(year: i32, month: u32, day: u32) -> Self {
        Self { year, month, day }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Self {
        Self::new(date.year(), date.month(), date.day())
    }
}

const FIRST_YEAR: i32 = 1900;

/// Lunar years 1900 to 2010. Bits 15 to 4: months 1 to 12, set if of 30 days; bits 3 to 0:
/// the month a leap month follows; bit 16: whether that has 30 days.
///
/// Compared by machine with computed new moons at 120° E: every month from 1929 on begins
/// on the day of one. Before, the calendar went by the mean time of Beijing.
const YEARS: [u32; 111] = [
    0x04bd8, 0x04ae0, 0x0a570, 0x054d5, 0x0d260, 0x0d950, 0x16554, 0x056a0, 0x09ad0, 0x055d2,
    0x04ae0, 0x0a5b6, 0x0a4d0, 0x0d250, 0x1d255, 0x0b540, 0x0d6a0, 0x0ada2, 0x095b0, 0x14977,
    0x04970, 0x0a4b0, 0x0b4b5, 0x06a50, 0x06d40, 0x1ab54, 0x02b60, 0x09570, 0x052f2, 0x04970,
    0x06566, 0x0d4a0, 0x0ea50, 0x16a95, 0x05ad0, 0x02b60, 0x186e3, 0x092e0, 0x1c8d7, 0x0c950,
    0x0d4a0, 0x1d8a6, 0x0b550, 0x056a0, 0x1a5b4, 0x025d0, 0x092d0, 0x0d2b2, 0x0a950, 0x0b557,
    0x06ca0, 0x0b550, 0x15355, 0x04da0, 0x0a5b0, 0x14573, 0x052b0, 0x0a9a8, 0x0e950, 0x06aa0,
    0x0aea6, 0x0ab50, 0x04b60, 0x0aae4, 0x0a570, 0x05260, 0x0f263, 0x0d950, 0x05b57, 0x056a0,
    0x096d0, 0x04dd5, 0x04ad0, 0x0a4d0, 0x0d4d4, 0x0d250, 0x0d558, 0x0b540, 0x0b6a0, 0x195a6,
    0x095b0, 0x049b0, 0x0a974, 0x0a4b0, 0x0b27a, 0x06a50, 0x06d40, 0x0af46, 0x0ab60, 0x09570,
    0x04af5, 0x04970, 0x064b0, 0x074a3, 0x0ea50, 0x06b58, 0x05ac0, 0x0ab60, 0x096d5, 0x092e0,
    0x0c960, 0x0d954, 0x0d4a0, 0x0da50, 0x07552, 0x056a0, 0x0abb7, 0x025d0, 0x092d0, 0x0cab5,
    0x0a950,
];

/// The months of a lunar year in order: number, and days.
fn months(year: i32) -> Option<impl Iterator<Item = (u32, bool, i64)>> {
    let bits = *YEARS.get(usize::try_from(year.checked_sub(FIRST_YEAR)?).ok()?)?;
    let days = |long: u32| if long == 0 { 29 } else { 30 };
    Some((1..=12).flat_map(move |month| {
        let own = (month, false, days(bits & (0x1_0000 >> month)));
        let leap = (bits & 0xf == month).then_some((month, true, days(bits & 0x1_0000)));
        std::iter::once(own).chain(leap)
    }))
}

/// New Year's Day of a lunar year.
fn new_year(year: i32) -> Option<NaiveDate> {
    let days: i64 = (FIRST_YEAR..year)
        .map(|year| Some(months(year)?.map(|m| m.2).sum::<i64>()))
        .sum::<Option<_>>()?;
    NaiveDate::from_ymd_opt(1900, 1, 31)?.checked_add_signed(TimeDelta::days(days))
}

/// The lunar date of a day; nobody writes down that its month is a leap month.
pub fn lunar(day: Day) -> Option<Day> {
    let date = NaiveDate::from_ymd_opt(day.year, day.month, day.day)?;
    let this = new_year(day.year)?;
    let (year, first) =
        if date < this { (day.year - 1, new_year(day.year - 1)?) } else { (day.year, this) };
    let mut left = (date - first).num_days();
    for (month, _, days) in months(year)? {
        if left < days {
            return Some(Day::new(year, month, u32::try_from(left).ok()? + 1));
        }
        left -= days;
    }
    None
}

/// The day of a lunar date, whose month is no leap month.
pub fn solar(lunar: Day) -> Option<Day> {
    let mut before = 0;
    for (month, leap, days) in months(lunar.year)? {
        if month == lunar.month && !leap {
            let fits = i64::from(lunar.day) <= days;
            let after = TimeDelta::days(before + i64::from(lunar.day) - 1);
            return new_year(lunar.year)?.checked_add_signed(after).filter(|_| fits).map(Day::from);
        }
        before += days;
    }
    None
}
