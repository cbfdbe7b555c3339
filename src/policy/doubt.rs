//! 疑点, what of the ledger an auditor is to look at, and from when on: `policies/doubts.toml`.
//!
//! A part that is left out asks nothing, and so does a folder without the file: it opens nothing
//! to anybody. Here stands what is watched for; who judges by it is `audit::doubt`.

use std::collections::{BTreeSet, HashSet};

use chrono::{NaiveDate, NaiveTime, Timelike};
use serde::Deserialize;
use toml::Spanned;

use super::page::Page;
use super::purpose::Purposes;
use crate::vocabulary::{Dataset, Date, Diagnostic, Fault, Files, Purpose, Role};

/// Where it stands.
pub(super) const PATH: &str = "doubts.toml";
/// No baseline and no window is longer.
const DAYS_MAX: u32 = 366;
/// Minutes of a day.
const DAY_MINUTES: u32 = 1_440;

/// What an auditor is to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubts {
    /// How far back is looked where nobody says, days.
    pub days: u32,
    /// 批量查看
    pub bulk: Option<Bulk>,
    /// 非工作时间
    pub off_hours: Option<OffHours>,
    /// 拒后改问
    pub asked_again: Option<AskedAgain>,
    /// 关系人
    pub related: Option<Related>,
    /// 未见服务
    pub followed: Vec<Followed>,
}

/// 批量查看, many more persons on a day than usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    /// How many days before make the baseline.
    pub days: u32,
    /// How many times its median.
    pub factor: u32,
    /// So many persons are never too many.
    pub floor: u32,
    /// Purposes that do not count.
    pub except: BTreeSet<Purpose>,
}

/// 非工作时间, outside the working hours of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffHours {
    /// Purposes that are worked for round the clock.
    pub except: BTreeSet<Purpose>,
    holidays: BTreeSet<NaiveDate>,
    workdays: BTreeSet<NaiveDate>,
    shifts: Vec<Shift>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Shift {
    roles: BTreeSet<Role>,
    weekdays: BTreeSet<u32>,
    from: u32,
    until: u32,
}

/// 拒后改问, refused and then asked otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedAgain {
    /// Within how many hours.
    pub hours: u32,
    /// After which refusals.
    pub refusals: HashSet<Fault>,
}

/// 关系人, whom somebody may not look at for his own ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Purposes for which he may.
    pub except: BTreeSet<Purpose>,
}

/// 未见服务, a purpose after which a record should come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The purpose.
    pub purpose: Purpose,
    /// Any of these records.
    pub by: Vec<Dataset>,
    /// Within how many days.
    pub days: u32,
}

impl OffHours {
    /// Whether a role works at a minute of a day, by the clocks of China.
    #[must_use]
    pub fn works(&self, role: Role, day: NaiveDate, minute: u32) -> bool {
        let own = self.shifts.iter().any(|shift| shift.roles.contains(&role));
        let of = |shift: &&Shift| match own {
            true => shift.roles.contains(&role),
            false => shift.roles.is_empty(),
        };
        let weekday = chrono::Datelike::weekday(&day).number_from_monday();
        let all_week = |shift: &Shift| shift.weekdays.len() == 7;
        let weekday = if self.workdays.contains(&day) { 1 } else { weekday };
        let free = self.holidays.contains(&day);
        self.shifts.iter().filter(of).any(|shift| {
            (!free || all_week(shift))
                && shift.weekdays.contains(&weekday)
                && (shift.from..shift.until).contains(&minute)
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DoubtsFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    days: Spanned<u32>,
    bulk: Option<BulkRow>,
    off_hours: Option<OffHoursRow>,
    asked_again: Option<AskedAgainRow>,
    related: Option<RelatedRow>,
    #[serde(default)]
    followed: Vec<FollowedRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BulkRow {
    days: Spanned<u32>,
    factor: Spanned<u32>,
    floor: u32,
    except: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OffHoursRow {
    except: Vec<Spanned<String>>,
    holidays: Vec<Spanned<String>>,
    workdays: Vec<Spanned<String>>,
    shift: Vec<ShiftRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShiftRow {
    roles: Vec<Spanned<String>>,
    weekdays: Spanned<BTreeSet<u32>>,
    from: Spanned<String>,
    until: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedAgainRow {
    hours: Spanned<u32>,
    refusals: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RelatedRow {
    except: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FollowedRow {
    purpose: Spanned<String>,
    by: Vec<Spanned<String>>,
    days: Spanned<u32>,
}

impl Doubts {
    /// Reads the file, if there is one.
    pub(super) fn load(files: &Files, purposes: &Purposes) -> Result<Self, Vec<Diagnostic>> {
        if files.bytes(PATH).is_none() {
            return Ok(Self { days: 30, ..Self::default() });
        }
        let (page, file) = Page::open(files, PATH).map_err(|fault| vec![fault])?;
        let mut reader = Reader { page, purposes };
        let found = reader.read(file);
        reader.page.close(found)
    }
}

/// The page with what its names must be known to.
struct Reader<'a> {
    page: Page<'a>,
    purposes: &'a Purposes,
}

impl Reader<'_> {
    fn read(&mut self, file: DoubtsFile) -> Doubts {
        Doubts {
            days: self.bounded(&file.days, DAYS_MAX),
            bulk: file.bulk.map(|row| Bulk {
                days: self.bounded(&row.days, DAYS_MAX),
                factor: self.bounded(&row.factor, 1_000),
                floor: row.floor,
                except: self.purposes(&row.except),
            }),
            off_hours: file.off_hours.map(|row| OffHours {
                except: self.purposes(&row.except),
                holidays: self.dates(&row.holidays),
                workdays: self.dates(&row.workdays),
                shifts: row.shift.iter().map(|shift| self.shift(shift)).collect(),
            }),
            asked_again: file.asked_again.map(|row| AskedAgain {
                hours: self.bounded(&row.hours, DAYS_MAX * 24),
                refusals: self.each(&row.refusals, fault, "no fault has this name"),
            }),
            related: file.related.map(|row| Related { except: self.purposes(&row.except) }),
            followed: file.followed.iter().filter_map(|row| self.followed(row)).collect(),
        }
    }

    fn bounded(&mut self, number: &Spanned<u32>, most: u32) -> u32 {
        if !(1..=most).contains(number.get_ref()) {
            self.page.fault(number.span().start, format!("1 to {most}"));
        }
        *number.get_ref()
    }

    /// The words that something knows; the others are faults.
    fn each<T, C: FromIterator<T>>(
        &mut self,
        words: &[Spanned<String>],
        known: impl Fn(&str) -> Option<T>,
        otherwise: &str,
    ) -> C {
        let mut know = |word: &Spanned<String>| {
            let found = known(word.get_ref());
            if found.is_none() {
                self.page.fault(word.span().start, otherwise);
            }
            found
        };
        words.iter().filter_map(&mut know).collect()
    }

    fn purposes(&mut self, words: &[Spanned<String>]) -> BTreeSet<Purpose> {
        let purposes = self.purposes;
        let known = |word: &str| Some(purposes.terms(Purpose::parse(word).ok()?)?.id);
        self.each(words, known, "the list has no such purpose")
    }

    fn dates(&mut self, words: &[Spanned<String>]) -> BTreeSet<NaiveDate> {
        let day = |word: &str| Date::parse_iso(word).ok()?.day();
        self.each(words, day, "not a day such as 2026-10-01")
    }

    fn shift(&mut self, row: &ShiftRow) -> Shift {
        // A role nobody has any more is no fault: a withdrawn grant must not wait for two people.
        let roles = row.roles.iter().filter_map(|word| self.page.name(word, Role::parse)).collect();
        let weekdays = row.weekdays.get_ref();
        if weekdays.is_empty() || weekdays.iter().any(|day| !(1..=7).contains(day)) {
            self.page.fault(row.weekdays.span().start, "weekdays are 1 (Monday) to 7 (Sunday)");
        }
        let (from, until) = (self.minute(&row.from), self.minute(&row.until));
        if from >= until {
            self.page.fault(row.from.span().start, "a shift over midnight is two shifts");
        }
        Shift { roles, weekdays: weekdays.clone(), from, until }
    }

    fn minute(&mut self, word: &Spanned<String>) -> u32 {
        let minute = match word.get_ref().as_str() {
            "24:00" => Some(DAY_MINUTES),
            text => NaiveTime::parse_from_str(text, "%H:%M")
                .ok()
                .map(|time| time.hour() * 60 + time.minute()),
        };
        if minute.is_none() {
            self.page.fault(word.span().start, "not a time such as 07:30");
        }
        minute.unwrap_or_default()
    }

    fn followed(&mut self, row: &FollowedRow) -> Option<Followed> {
        let purpose = self.purposes(std::slice::from_ref(&row.purpose)).pop_first();
        if row.by.is_empty() {
            self.page.fault(row.purpose.span().start, "by which records is not said");
        }
        let by = row.by.iter().filter_map(|word| self.page.name(word, Dataset::parse)).collect();
        Some(Followed { purpose: purpose?, by, days: self.bounded(&row.days, DAYS_MAX) })
    }
}

fn fault(name: &str) -> Option<Fault> {
    let rows = crate::vocabulary::fault::FAULTS.iter();
    rows.into_iter().find(|row| row.name == name).map(|row| row.fault)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{changed, shipped};
    use super::*;

    fn day(text: &str) -> NaiveDate {
        Date::parse_iso(text).unwrap().day().unwrap()
    }

    #[test]
    fn the_hours_of_a_role_are_its_shifts_its_weekdays_and_the_holidays() {
        let edit = |from: &'static str, to: &'static str| (PATH, from, to);
        let set = changed(&[
            edit("holidays = []", "holidays = [\"2026-10-01\"]"),
            edit("workdays = []", "workdays = [\"2026-10-10\"]"),
        ]);
        let hours = set.unwrap().doubts().off_hours.clone().unwrap();
        for (role, on, at, works) in [
            ("clerk", "2026-11-30", 9 * 60, true),
            ("clerk", "2026-11-30", 7 * 60 + 29, false),
            ("clerk", "2026-11-30", 7 * 60 + 30, true),
            ("clerk", "2026-11-30", 19 * 60, false),
            ("clerk", "2026-11-29", 9 * 60, false),
            ("clerk", "2026-10-01", 9 * 60, false),
            ("clerk", "2026-10-10", 9 * 60, true),
            ("agent", "2026-10-01", 3 * 60, true),
        ] {
            let role = Role::parse(role).unwrap();
            assert_eq!(hours.works(role, day(on), at), works, "{role} {on} {at}");
        }
    }

    #[test]
    fn what_cannot_be_watched_for_stops_the_start_where_it_stands() {
        for (from, to, message) in [
            ("factor = 5", "factor = 0", "1 to 1000"),
            ("except = [\"own-record\"]", "except = [\"own\"]", "no such purpose"),
            ("\"agent\", ", "\"an agent\", ", "a name is 1 to 32"),
            ("\"07:30\"", "\"7.30\"", "not a time"),
            ("\"07:30\"", "\"20:00\"", "over midnight"),
            ("holidays = []", "holidays = [\"tomorrow\"]", "not a day"),
            ("[1, 2, 3, 4, 5]", "[0]", "weekdays are 1"),
            ("\"ticket-spent\"", "\"ticket-lost\"", "no fault"),
            ("days   = 28", "days = 28\nweeks = 4", "unknown field"),
        ] {
            let faults = changed(&[(PATH, from, to)]).unwrap_err();
            let told = faults.iter().map(ToString::to_string).collect::<String>();
            assert!(told.contains(message) && told.contains("doubts.toml:"), "{to}: {told}");
        }
    }

    #[test]
    fn a_folder_without_the_file_asks_nothing() {
        let (catalogue, tables) = super::super::tests::pack();
        let mut files = Files::default();
        for (path, bytes) in super::super::tests::folder("policies").iter() {
            if path != PATH {
                files.insert(path, bytes);
            }
        }
        let set = super::super::PolicySet::load(&files, &catalogue, &tables).unwrap();
        assert!(set.doubts().bulk.is_none() && set.doubts().followed.is_empty());
        assert!(shipped().doubts().bulk.is_some());
    }
}
