//! 出生日期, birth dates as they are compared: by their parts, in both calendars.

use std::fmt;

use chinese_lunisolar_calendar::{LunisolarDate, SolarDate};

use super::names::plain;

/// Years somebody on record may be born in.
const YEARS: std::ops::RangeInclusive<u16> = 1851..=2199;

/// A birth date by its parts; the day may not exist, which is evidence too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// In [`YEARS`].
    pub year: u16,
    /// From 1 to 31: some write the day first.
    pub month: u8,
    /// From 1 to 31.
    pub day: u8,
}

/// Shows nothing of the date.
impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Day(<masked>)")
    }
}

impl Day {
    /// Reads a date of eight digits, or of year, month and day with anything between; a
    /// shorter date is none.
    pub fn read(text: &str) -> Option<Self> {
        let text = plain(text);
        let runs = text.split(|sign: char| !sign.is_ascii_digit()).filter(|run| !run.is_empty());
        let runs: Vec<&str> = runs.take(3).collect();
        let (year, month, day) = match runs[..] {
            [whole, ..] if whole.len() >= 8 => {
                (whole.get(..4)?, whole.get(4..6)?, whole.get(6..8)?)
            }
            [year, month, day] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => {
                (year, month, day)
            }
            _ => return None,
        };
        let day =
            Self { year: year.parse().ok()?, month: month.parse().ok()?, day: day.parse().ok()? };
        day.is_possible().then_some(day)
    }

    fn is_possible(self) -> bool {
        let Self { year, month, day } = self;
        let both = (1..=31).contains(&month) && (1..=31).contains(&day);
        YEARS.contains(&year) && both && (month <= 12 || day <= 12)
    }

    /// `YYYYMMDD`.
    pub fn digits(self) -> String {
        format!("{:04}{:02}{:02}", self.year, self.month, self.day)
    }

    /// First of January: what is written where only the year is known.
    pub const fn is_default(self) -> bool {
        self.month == 1 && self.day == 1
    }

    /// The day and the month exchanged, if that is another date.
    pub fn swapped(self) -> Option<Self> {
        let swapped = Self { month: self.day, day: self.month, ..self };
        (swapped != self && swapped.month <= 12).then_some(swapped)
    }

    /// The same day one or two years before and after: ages are counted in two ways.
    pub fn years_off(self) -> impl Iterator<Item = Self> {
        let years = [-2, -1, 1, 2].into_iter();
        years.filter_map(move |off| Some(Self { year: self.year.checked_add_signed(off)?, ..self }))
    }

    /// This date read as one of the lunar calendar, in the solar one, and the other way round.
    pub fn of_the_other_calendar(self) -> Vec<Self> {
        let solar = [false, true].into_iter().filter_map(|leap| self.lunar_to_solar(leap));
        solar.chain(self.solar_to_lunar()).collect()
    }

    /// Whether two dates are one birth, written by two calendars or with one slip.
    pub fn is_birth_of(self, other: Self) -> bool {
        let digits = self.digits();
        let other_digits = other.digits();
        let off = digits.bytes().zip(other_digits.bytes()).filter(|(a, b)| a != b).count();
        off <= 1
            || self.swapped() == Some(other)
            || self.years_off().any(|day| day == other)
            || self.of_the_other_calendar().contains(&other)
            || other.of_the_other_calendar().contains(&self)
    }

    /// Whether it says no more than the year, and that is the other's.
    pub const fn stands_for(self, other: Self) -> bool {
        self.is_default() && self.year == other.year
    }

    fn lunar_to_solar(self, leap: bool) -> Option<Self> {
        let date = LunisolarDate::from_ymd(self.year, self.month, leap, self.day).ok()?;
        Some(Self::of(date.to_solar_date()))
    }

    fn solar_to_lunar(self) -> Option<Self> {
        let solar = SolarDate::from_ymd(self.year, self.month, self.day).ok()?;
        let lunar = LunisolarDate::from_solar_date(solar).ok()?;
        Some(Self {
            year: lunar.to_lunisolar_year().to_u16(),
            month: lunar.to_lunar_month().to_u8(),
            day: lunar.to_lunar_day().to_u8(),
        })
    }

    fn of(date: SolarDate) -> Self {
        let (month, day) = (date.to_solar_month().to_u8(), date.to_solar_day().to_u8());
        Self { year: date.to_solar_year().to_u16(), month, day }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::read(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn a_date_is_read_in_every_form_it_is_written_in() {
        for text in [
            "19480315",
            "1948-03-15",
            "1948/3/15",
            "1948年3月15日",
            "１９４８．０３．１５",
            "1948-03-15 00:00:00",
            "19480315000000+0800",
        ] {
            assert_eq!(day(text).digits(), "19480315", "{text}");
        }
        for text in
            ["", "1948", "1948-03", "194803", "00000000", "99999999", "1948-0315", "一九四八"]
        {
            assert_eq!(Day::read(text), None, "{text}");
        }
        // Not a day of any calendar, and still what somebody wrote.
        assert_eq!(day("19480231").digits(), "19480231");
        assert_eq!(day("19482503").swapped(), Some(day("19480325")));
        assert_eq!(Day::read("19481313"), None);
    }

    #[test]
    fn the_two_calendars_are_known_both_ways() {
        // The new years of 1948 and 1950, and a day of the leap fourth month of 1944.
        for (solar, lunar) in
            [("19480210", "19480101"), ("19500217", "19500101"), ("19440522", "19440401")]
        {
            assert!(day(lunar).of_the_other_calendar().contains(&day(solar)), "{lunar}");
            assert!(day(solar).of_the_other_calendar().contains(&day(lunar)), "{solar}");
        }
        let leap = day("19440401").of_the_other_calendar();
        assert!(leap.contains(&day("19440423")) && leap.contains(&day("19440522")));
    }

    #[test]
    fn one_birth_is_known_by_two_dates() {
        for (a, b, one) in [
            ("19480315", "19480315", true),
            ("19480315", "19480316", true),
            ("19480312", "19481203", true),
            ("19480315", "19500315", true),
            ("19480315", "19510315", false),
            ("19480210", "19480101", true),
            ("19480315", "19520416", false),
            ("19480315", "19480728", false),
        ] {
            assert_eq!(day(a).is_birth_of(day(b)), one, "{a} {b}");
            assert_eq!(day(b).is_birth_of(day(a)), one, "{b} {a}");
        }
        assert!(day("19480101").stands_for(day("19480315")));
        assert!(!day("19480315").stands_for(day("19480101")));
    }

    #[test]
    fn the_edges_of_time_do_not_overflow() {
        for text in ["18510101", "21991231", "18510231", "19000101", "21000229"] {
            let day = day(text);
            assert_eq!(day.years_off().count(), 4);
            let _ = (day.of_the_other_calendar(), day.swapped());
        }
        assert!(!format!("{:?}", day("19480315")).contains("1948"));
    }
}
