//! 日期时间, a date or date-time that keeps its precision and offset.

use std::fmt;

use chrono::{Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime, TimeZone, Timelike};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point or span of time as precisely as its writer said, and no more precisely.
///
/// Shape: 4, 6, 8, 10, 12 or 14 digits `YYYYMMDDHHMMSS`, an optional fraction of
/// 1 to 4 digits after the seconds, an optional offset `+HHMM` after a time.
/// Standard: HL7 v2.4 section 2.A.77 (TS); WS/T 363.1-2023 formats D8 and DT15.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Date(String);

/// Why a text is not a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// The number of digits is none of 4, 6, 8, 10, 12, 14, or another sign stands there.
    #[error("not a date of the form YYYY[MM[DD[HH[MM[SS[.f]]]]]][+HHMM]")]
    Shape,
    /// The digits name no day or time, such as 31 February.
    #[error("no such day or time")]
    Calendar,
}

impl Date {
    /// Reads the compact form of HL7 v2 and CDA.
    ///
    /// # Errors
    /// [`DateError`] if the shape is wrong or the calendar has no such moment.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let (moment, offset) = match text.bytes().position(|byte| matches!(byte, b'+' | b'-')) {
            Some(at) => text.split_at_checked(at).unwrap_or((text, "")),
            None => (text, ""),
        };
        let (digits, fraction) = match moment.split_once('.') {
            Some((digits, fraction)) => (digits, Some(fraction)),
            None => (moment, None),
        };
        let numeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let of_a_second = |fraction: &str| {
            digits.len() == 14 && (1..=4).contains(&fraction.len()) && numeric(fraction)
        };
        let shaped = matches!(digits.len(), 4 | 6 | 8 | 10 | 12 | 14)
            && numeric(digits)
            && fraction.is_none_or(of_a_second)
            && (offset.is_empty() || (offset.len() == 5 && digits.len() >= 10));
        let offset_digits = offset.get(1..).unwrap_or_default();
        if !shaped || !numeric(offset_digits) {
            return Err(DateError::Shape);
        }
        let hours = offset_digits.get(..2).and_then(|text| text.parse::<u8>().ok()).unwrap_or(0);
        let minutes = offset_digits.get(2..).and_then(|text| text.parse::<u8>().ok()).unwrap_or(0);
        let date = Self(text.to_owned());
        if hours > 14 || minutes > 59 || date.start().is_none() {
            return Err(DateError::Calendar);
        }
        Ok(date)
    }

    /// Reads `YYYY[-MM[-DD]]` or an RFC 3339 date-time, as JSON carries them; parts without
    /// signs between them too.
    ///
    /// Between signs every part has its full width: put together, the digits of `1948-1-1`
    /// would be another date.
    ///
    /// # Errors
    /// [`DateError`] as for [`Date::parse`].
    pub fn parse_iso(text: &str) -> Result<Self, DateError> {
        let (day, time) = match text.split_once(['T', ' ']) {
            Some((day, time)) => (day, Some(time)),
            None => (text, None),
        };
        let mut compact = put_together(day, '-', &[4, 2, 2])?;
        if let Some(time) = time {
            // Behind less than a day, the digits of a time would be those of the day.
            if compact.len() != 8 || time.is_empty() {
                return Err(DateError::Shape);
            }
            let (time, utc) = match time.strip_suffix(['Z', 'z']) {
                Some(time) => (time, "+0000"),
                None => (time, ""),
            };
            let (moment, offset) = split_before(time, &['+', '-']);
            let (clock, fraction) = split_before(moment, &['.']);
            compact.push_str(&put_together(clock, ':', &[2, 2, 2])?);
            compact.push_str(fraction);
            compact.push_str(&put_together(offset, ':', &[3, 2])?);
            compact.push_str(utc);
        }
        Self::parse(&compact)
    }

    /// The compact form, exactly as read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// ISO 8601, as JSON carries it: `2026`, `2026-11`, `2026-11-21`, `2026-11-21T08:30:00+08:00`.
    #[must_use]
    pub fn to_iso(&self) -> String {
        let mut out = String::with_capacity(25);
        for (position, digit) in self.moment().chars().enumerate() {
            match position {
                4 | 6 => out.push('-'),
                8 => out.push('T'),
                10 | 12 => out.push(':'),
                _ => (),
            }
            out.push(digit);
        }
        let offset = self.0.find(['+', '-']).and_then(|at| self.0.get(at..)).unwrap_or_default();
        for (position, sign) in offset.chars().enumerate() {
            if position == 3 {
                out.push(':');
            }
            out.push(sign);
        }
        out
    }

    /// How many digits its writer gave before any fraction: 4 is a year, 8 a day, 14 a second.
    #[must_use]
    pub fn digits(&self) -> usize {
        self.0.bytes().take_while(u8::is_ascii_digit).count()
    }

    /// The day, where the precision reaches one.
    #[must_use]
    pub fn day(&self) -> Option<NaiveDate> {
        (self.digits() >= 8).then(|| self.start().map(|moment| moment.date())).flatten()
    }

    /// The calendar year.
    #[must_use]
    pub fn year(&self) -> Option<i32> {
        self.0.get(..4).and_then(|digits| digits.parse().ok())
    }

    /// A coarser date: the first `digits` digits, without fraction and offset.
    #[must_use]
    pub fn truncated(&self, digits: usize) -> Self {
        let keep = if self.digits() <= digits { self.digits() } else { digits };
        Self(self.0.chars().take(keep).collect())
    }

    /// The day so many days before this one; `None` if this is no day, or none is before it.
    #[must_use]
    pub fn earlier(&self, days: u16) -> Option<Self> {
        let day = self.day()?.checked_sub_days(Days::new(days.into()))?;
        Self::parse(&day.format("%Y%m%d").to_string()).ok()
    }

    /// Seconds since 1970 of the first moment it may mean; China Standard Time where no
    /// offset is given.
    #[must_use]
    pub fn timestamp(&self) -> Option<i64> {
        let offset = match self.0.find(['+', '-']).and_then(|at| self.0.get(at..)) {
            Some(text) => text.parse::<FixedOffset>().ok()?,
            None => FixedOffset::east_opt(8 * 3600)?,
        };
        offset.from_local_datetime(&self.start()?).single().map(|moment| moment.timestamp())
    }

    /// The date-time of a clock reading, to the second, at China Standard Time.
    #[must_use]
    pub fn from_timestamp(seconds: i64) -> Self {
        let local = seconds.saturating_add(8 * 3600);
        let moment = chrono::DateTime::from_timestamp(local, 0).unwrap_or_default().naive_utc();
        let (year, month, day) = (moment.year().clamp(1, 9999), moment.month(), moment.day());
        let (hour, minute, second) = (moment.hour(), moment.minute(), moment.second());
        Self(format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}+0800"))
    }

    /// The first moment it may mean.
    fn start(&self) -> Option<NaiveDateTime> {
        let given = self.digits();
        let part = |from: usize, until: usize, default: u32| match self.0.get(from..until) {
            Some(digits) if given >= until => digits.parse().ok(),
            _ => Some(default),
        };
        let year = self.year().filter(|year| *year > 0)?;
        NaiveDate::from_ymd_opt(year, part(4, 6, 1)?, part(6, 8, 1)?)?.and_hms_opt(
            part(8, 10, 0)?,
            part(10, 12, 0)?,
            part(12, 14, 0)?,
        )
    }

    /// Digits and fraction, without the offset.
    fn moment(&self) -> &str {
        let end = self.0.find(['+', '-']).unwrap_or(self.0.len());
        self.0.get(..end).unwrap_or_default()
    }
}

/// The parts of a day, clock or offset without the signs between them.
fn put_together(text: &str, sign: char, widths: &[usize]) -> Result<String, DateError> {
    let parts: Vec<_> = text.split(sign).collect();
    let whole = parts.iter().zip(widths).all(|(part, width)| part.len() == *width);
    // What has no sign in it has nothing that could move.
    if parts.len() > 1 && (parts.len() > widths.len() || !whole) {
        return Err(DateError::Shape);
    }
    Ok(parts.concat())
}

/// What stands before a sign, and the rest from it on.
fn split_before<'t>(text: &'t str, signs: &[char]) -> (&'t str, &'t str) {
    text.find(signs).and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Date(<{} digits>)", self.digits())
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, iso: Result<&str, DateError>) {
        assert_eq!(Date::parse(text).map(|date| date.to_iso()), iso.map(str::to_owned));
        if let Ok(iso) = iso {
            assert_eq!(Date::parse_iso(iso).map(|date| date.0), Ok(text.to_owned()));
        }
    }

    #[test]
    fn a_date_keeps_the_precision_it_was_given() {
        check("1950", Ok("1950"));
        check("195002", Ok("1950-02"));
        check("19500228", Ok("1950-02-28"));
        check("2026112108", Ok("2026-11-21T08"));
        check("20261121083059", Ok("2026-11-21T08:30:59"));
        check("20261121083059.1234+0800", Ok("2026-11-21T08:30:59.1234+08:00"));
    }

    #[test]
    fn a_day_the_calendar_lacks_is_no_date() {
        check("19500229", Err(DateError::Calendar));
        check("2026112125", Err(DateError::Calendar));
        check("0000", Err(DateError::Calendar));
        for text in ["", "195", "1950022", "1950-02-28", "19500228.5", "19500228+0800", "一九五零"]
        {
            check(text, Err(DateError::Shape));
        }
    }

    #[test]
    fn a_part_of_another_width_never_becomes_another_date() {
        let check = |text: &str, expect: Result<&str, DateError>| {
            let read = Date::parse_iso(text).map(|date| date.0);
            assert_eq!(read, expect.map(str::to_owned), "{text}");
        };
        for text in [
            "1948-1-1",
            "1948-11-1",
            "194-81-11",
            "1948-011-1",
            "194811-01",
            "1948-11-01-1",
            "2026-10-1 8:05:10",
            "2026-10-18 8:05:10",
            "2026-10-18T08:5:10",
            "2026-10-18T08:05:1",
            "2026-10-18T08:05:10+8:00",
            "2026-10-18T08:05:10.1:2",
            "2026-10-18T08:05:10:11",
            "2026-10-18T",
            "2026-10T08",
            "2026T101808",
            "--10-18",
        ] {
            check(text, Err(DateError::Shape));
        }
        check("19481101", Ok("19481101"));
        check("20261018T080510+0800", Ok("20261018080510+0800"));
        check("2026-10-18T08:05Z", Ok("202610180805+0000"));
        check("2026-10-18 08:05:10.5-05:00", Ok("20261018080510.5-0500"));
    }

    #[test]
    fn truncating_never_adds_precision() {
        let date = Date::parse("19500228").map(|date| (date.truncated(4).0, date.truncated(14).0));
        assert_eq!(date, Ok(("1950".to_owned(), "19500228".to_owned())));
    }

    #[test]
    fn a_clock_reading_survives_the_way_there_and_back() {
        assert_eq!(Date::from_timestamp(1_795_000_000).timestamp(), Some(1_795_000_000));
    }
}
