//! 人员名单, who belongs to whom, as an auditor brings it; kept by pseudonyms alone.
//!
//! Shape: CSV in UTF-8 with a heading: `row`, `household`, `unit`, `protected` (`yes`), `askers`
//! (`department/account`, several by `;`), and either `citizen_id` or `pseudonyms` (several by
//! blanks). The names of rows, households and units are the auditor's own; what is shown of anybody
//! is the name of his row, so it should be a number that says nothing.

use std::collections::{BTreeSet, HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::audit::entry::Entry;
use crate::audit::reference::Reference;
use crate::identity::Pseudonym;
use crate::vocabulary::{Department, Identifier, IdentifierKind};

/// A longer list is refused.
pub const PEOPLE_BYTES_MAX: u64 = 16 << 20;
/// Columns of the list that is kept.
const COLUMNS: [&str; 6] = ["row", "household", "unit", "protected", "askers", "pseudonyms"];
const CITIZEN: &str = "citizen_id";

/// Everybody on the list.
#[derive(Debug, Clone, Default)]
pub struct People {
    rows: Vec<Row>,
    persons: HashMap<Pseudonym, usize>,
    askers: HashMap<(Department, String), usize>,
    /// What persons became after the list was made.
    learnt: HashSet<Pseudonym>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its own name.
    pub name: String,
    /// With whom he lives.
    pub household: Option<String>,
    /// With whom he works.
    pub unit: Option<String>,
    /// Whether nobody may look at him without being looked at.
    pub protected: bool,
    askers: BTreeSet<(Department, String)>,
    pseudonyms: Vec<Pseudonym>,
}

/// Why a list is none: where, and never what stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct PeopleError {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub what: &'static str,
}

/// Every pseudonym of whoever has an identifier, or why that cannot be said.
pub type Whose<'a> = &'a mut dyn FnMut(&Identifier) -> Result<Vec<Pseudonym>, &'static str>;

impl People {
    /// Reads a list; `whose` turns numbers into pseudonyms, and a list with numbers is refused
    /// where there is none.
    ///
    /// # Errors
    /// [`PeopleError`] at the first line that is wrong.
    pub fn read(bytes: &[u8], mut whose: Option<Whose<'_>>) -> Result<Self, PeopleError> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let wrong = |line, what| PeopleError { line, what };
        let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let torn = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            wrong(line, "not UTF-8, or not as many columns as the heading has")
        };
        let heading = table.headers().map_err(torn)?.clone();
        let known = |name: &str| COLUMNS.contains(&name) || name == CITIZEN;
        let distinct: HashSet<&str> = heading.iter().collect();
        if !heading.iter().all(known) || distinct.len() != heading.len() {
            return Err(wrong(1, "a column nobody knows, or one that stands twice"));
        }
        let column = |name: &str| heading.iter().position(|known| known == name);
        let named = column("row").ok_or_else(|| wrong(1, "there is no column row"))?;
        let citizen = column(CITIZEN);
        if citizen.is_some() == column("pseudonyms").is_some() {
            return Err(wrong(1, "either a column citizen_id or a column pseudonyms"));
        }
        if citizen.is_some() && whose.is_none() {
            return Err(wrong(1, "numbers in clear are not kept: `kangqiao ledger people`"));
        }
        let mut people = Self::default();
        for record in table.records() {
            let record = record.map_err(torn)?;
            let line = record.position().map_or(0, csv::Position::line);
            let wrong = |what| wrong(line, what);
            let cell = |name: &str| {
                let text = column(name).and_then(|at| record.get(at)).unwrap_or_default();
                (!text.is_empty()).then(|| text.to_owned())
            };
            let pseudonyms = match (citizen.and_then(|at| record.get(at)), &mut whose) {
                (Some(number), Some(whose)) => {
                    whose(&Identifier::new(IdentifierKind::CitizenId, number)).map_err(wrong)?
                }
                _ => listed(&cell("pseudonyms").unwrap_or_default()).map_err(wrong)?,
            };
            let row = Row {
                name: record.get(named).unwrap_or_default().to_owned(),
                household: cell("household"),
                unit: cell("unit"),
                protected: yes(cell("protected").as_deref()).map_err(wrong)?,
                askers: accounts(&cell("askers").unwrap_or_default()).map_err(wrong)?,
                pseudonyms,
            };
            people.add(row).map_err(wrong)?;
        }
        Ok(people)
    }

    fn add(&mut self, row: Row) -> Result<(), &'static str> {
        let words = [Some(&row.name), row.household.as_ref(), row.unit.as_ref()];
        let odd = |word: &&String| Reference::new(word).as_str() != word.as_str();
        if row.name.is_empty() || words.into_iter().flatten().any(|word| odd(&word)) {
            return Err("a name of 1 to 64 characters that holds no number of a person is needed");
        }
        if self.rows.iter().any(|known| known.name == row.name) {
            return Err("this row's name stands above");
        }
        let place = self.rows.len();
        for pseudonym in &row.pseudonyms {
            if self.persons.insert(pseudonym.clone(), place).is_some() {
                return Err("this person stands above");
            }
        }
        for account in &row.askers {
            if self.askers.insert(account.clone(), place).is_some() {
                return Err("an account of this row stands above");
            }
        }
        self.rows.push(row);
        Ok(())
    }

    /// The list as it is kept: nobody's number is in it.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut table = csv::Writer::from_writer(Vec::new());
        // Writing into memory fails only where rows differ in length.
        let _ = table.write_record(COLUMNS);
        for row in &self.rows {
            let askers: Vec<_> = row
                .askers
                .iter()
                .map(|(department, name)| format!("{department}/{name}"))
                .collect();
            let pseudonyms: Vec<_> = row.pseudonyms.iter().map(|known| known.0.as_str()).collect();
            let _ = table.write_record([
                row.name.as_str(),
                row.household.as_deref().unwrap_or_default(),
                row.unit.as_deref().unwrap_or_default(),
                if row.protected { "yes" } else { "" },
                &askers.join(";"),
                &pseudonyms.join(" "),
            ]);
        }
        table.into_inner().unwrap_or_default()
    }

    /// By which an auditor sees that it is the list he made.
    #[must_use]
    pub fn digest(&self) -> String {
        Sha256::digest(self.write()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The row of somebody.
    pub(super) fn known(&self, person: &Pseudonym) -> Option<&Row> {
        self.rows.get(*self.persons.get(person)?)
    }

    /// The row of whoever asked: by whom he is, or by his account.
    pub(super) fn asks(&self, entry: &Entry) -> Option<&Row> {
        let human = entry.asked_by.as_ref().and_then(|human| self.known(human));
        human.or_else(|| {
            let account = (entry.department?, entry.asker.as_ref()?.as_str().to_owned());
            self.rows.get(*self.askers.get(&account)?)
        })
    }

    /// Two became one person.
    pub(super) fn join(&mut self, into: &Pseudonym, from: &Pseudonym) {
        let place = |person| self.persons.get(person).copied();
        let (new, place) = match (place(into), place(from)) {
            (None, Some(place)) => (into, place),
            (Some(place), None) => (from, place),
            _ => return,
        };
        self.persons.insert(new.clone(), place);
        self.learnt.insert(new.clone());
    }

    /// What was one is two again.
    pub(super) fn part(&mut self, into: &Pseudonym, from: &Pseudonym) {
        for person in [into, from] {
            if self.learnt.remove(person) {
                self.persons.remove(person);
            }
        }
    }
}

fn yes(word: Option<&str>) -> Result<bool, &'static str> {
    match word {
        Some("yes" | "是") => Ok(true),
        None | Some("no" | "否") => Ok(false),
        Some(_) => Err("protected is yes or nothing"),
    }
}

fn listed(text: &str) -> Result<Vec<Pseudonym>, &'static str> {
    let listed: Option<Vec<_>> = text.split_whitespace().map(Pseudonym::parse).collect();
    listed.filter(|listed| !listed.is_empty()).ok_or("pseudonyms are 32 hexadecimal digits each")
}

fn accounts(text: &str) -> Result<BTreeSet<(Department, String)>, &'static str> {
    let words = text.split(';').map(str::trim).filter(|word| !word.is_empty());
    let account = |word: &str| {
        let (department, name) = word.split_once('/').ok_or("an asker is department/account")?;
        let department = Department::parse(department.trim());
        let department = department.map_err(|_| "an asker is department/account")?;
        // As an entry would show it.
        Ok((department, Reference::new(name.trim()).as_str().to_owned()))
    };
    words.map(account).collect()
}
