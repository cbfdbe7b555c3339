//! What an auditor looks for, from the command line.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::place::Place;
use super::reading::Reading;
use crate::audit::{Kind, Question, Receipt};
use crate::command::Failure;
use crate::command::identifier::typed;
use crate::config::keys;
use crate::identity::{Keys, Pseudonym};
use crate::store::LedgerFile;
use crate::vocabulary::{Date, Department, ElementId, Identifier, IdentifierKind, Purpose};

/// What opens the index: the master key, and what follows from it.
pub struct Unlocked {
    master: Zeroizing<[u8; 32]>,
    /// The keys of the index.
    pub keys: Keys,
}

impl Unlocked {
    /// Reads the key, and never makes one: a new key leads to nobody.
    ///
    /// # Errors
    /// [`Failure`] if there is none, or it is another store's.
    pub fn of(file: &LedgerFile, given: Option<&PathBuf>, place: &Place) -> Result<Self, Failure> {
        let key = match (given, &place.master_key) {
            (Some(path), _) => keys::read(path),
            (None, Some(path)) => keys::of_store(path, &place.store).map(|found| found.key),
            (None, None) => return Err(Failure("a number needs --master-key".to_owned())),
        };
        let master = key.map_err(|error| Failure::during("master key", error))?;
        let root = file.root(&master).map_err(|error| Failure::during("master key", error))?;
        Ok(Self { master, keys: Keys::derive(&root) })
    }

    /// Every pseudonym under which entries may name whoever has a number.
    ///
    /// # Errors
    /// [`Failure`] if it is no number of anybody, or the store cannot be read.
    pub fn known_as(
        &self,
        file: &LedgerFile,
        identifier: &Identifier,
    ) -> Result<Vec<Pseudonym>, Failure> {
        let token = self.keys.token(identifier);
        let token = token.map_err(|error| Failure::during("identifier", error))?;
        let known = file.known_as(&token, &self.master);
        let (known, tokens) = known.map_err(|error| Failure::during("ledger", error))?;
        let persons = known.into_iter().map(|person| self.keys.pseudonym(person));
        let tokens = tokens.iter().map(|token| self.keys.pseudonym_of_token(token));
        Ok(persons.chain(tokens).collect())
    }
}

/// Each option narrows the search.
#[derive(Debug, Default, clap::Args)]
pub struct Filter {
    /// The receipt number on an answer.
    #[arg(long)]
    pub receipt: Option<String>,
    /// Who saw it.
    #[arg(long)]
    pub department: Option<String>,
    /// What for.
    #[arg(long)]
    pub purpose: Option<String>,
    /// What happened: disclosure, refusal, merge …; may be given several times.
    #[arg(long)]
    pub kind: Vec<String>,
    /// A data element that left or was withheld.
    #[arg(long)]
    pub element: Option<String>,
    /// From this day or moment on, ISO 8601.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Until just before this day or moment.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    #[command(flatten)]
    pub whom: Whom,
}

/// About whom.
#[derive(Debug, Default, clap::Args)]
pub struct Whom {
    /// The pseudonym of a person, as entries show it.
    #[arg(long)]
    pub person: Option<String>,
    /// A citizen id; `-` reads it from standard input, so that no process list shows it.
    #[arg(long, group = "number")]
    pub citizen_id: Option<String>,
    /// A health-card number, or `-`.
    #[arg(long, group = "number")]
    pub card: Option<String>,
    /// A health-record number, or `-`.
    #[arg(long, group = "number")]
    pub record: Option<String>,
    /// File of the master key, if not the configuration's: without it no number leads to a person.
    #[arg(long, value_name = "FILE")]
    pub master_key: Option<PathBuf>,
}

impl Filter {
    /// The question the options ask of the ledger of a place. A number on standard input is read
    /// but once.
    pub fn at(&self, place: &Place) -> Result<Question, Failure> {
        self.question(Reading::open(&place.store)?.file(), place)
    }

    fn question(&self, file: &LedgerFile, place: &Place) -> Result<Question, Failure> {
        let kind = |name: &String| {
            let known: Vec<_> = Kind::ALL.iter().map(|row| row.1).collect();
            let unknown = || Failure(format!("--kind: there are {}", known.join(", ")));
            Kind::parse(name).ok_or_else(unknown)
        };
        Ok(Question {
            department: read("--department", &self.department, Department::parse)?,
            element: read("--element", &self.element, ElementId::parse)?,
            kinds: self.kind.iter().map(kind).collect::<Result<_, _>>()?,
            persons: self.whom.persons(file, place)?,
            purpose: read("--purpose", &self.purpose, Purpose::parse)?,
            receipt: read("--receipt", &self.receipt, Receipt::parse)?,
            since_ms: read("--since", &self.since, moment)?,
            until_ms: read("--until", &self.until, moment)?,
        })
    }
}

/// What is asked, as an entry about it says: names nobody.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = &self.whom;
        let numbers = [&whom.person, &whom.citizen_id, &whom.card, &whom.record];
        let about = numbers.iter().any(|number| number.is_some()).then_some("a person");
        let kinds = (!self.kind.is_empty()).then(|| self.kind.join(","));
        let parts = [
            ("about", about),
            ("receipt", self.receipt.as_deref()),
            ("department", self.department.as_deref()),
            ("purpose", self.purpose.as_deref()),
            ("kind", kinds.as_deref()),
            ("element", self.element.as_deref()),
            ("since", self.since.as_deref()),
            ("until", self.until.as_deref()),
        ];
        let asked: Vec<_> =
            parts.iter().filter_map(|(name, part)| Some(format!("{name} {}", (*part)?))).collect();
        f.write_str(if asked.is_empty() { "everything" } else { "" })?;
        f.write_str(&asked.join(", "))
    }
}

impl Whom {
    /// Every pseudonym under which entries may name the person.
    pub fn persons(&self, file: &LedgerFile, place: &Place) -> Result<Vec<Pseudonym>, Failure> {
        let whole = |text: &String| {
            let words =
                "--person: 32 hexadecimal digits, as `--json` and an entry's page show them";
            Pseudonym::parse(text).ok_or_else(|| Failure(words.to_owned()))
        };
        let mut persons = self.person.iter().map(whole).collect::<Result<Vec<_>, _>>()?;
        let Some(identifier) = self.identifier()? else {
            return Ok(persons);
        };
        let unlocked = Unlocked::of(file, self.master_key.as_ref(), place)?;
        persons.extend(unlocked.known_as(file, &identifier)?);
        Ok(persons)
    }

    fn identifier(&self) -> Result<Option<Identifier>, Failure> {
        let given = [
            (IdentifierKind::CitizenId, &self.citizen_id),
            (IdentifierKind::HealthCard, &self.card),
            (IdentifierKind::RecordNumber, &self.record),
        ];
        let given =
            given.into_iter().find_map(|(kind, text)| text.as_ref().map(|text| (kind, text)));
        let Some((kind, text)) = given else {
            return Ok(None);
        };
        Ok(Some(Identifier::new(kind, typed(text)?.as_str())))
    }
}

/// Reads an option, if it was given.
pub fn read<T, E: std::fmt::Display>(
    option: &str,
    text: &Option<String>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Failure> {
    let parsed = text.as_deref().map(parse).transpose();
    parsed.map_err(|error| Failure::during(option, error))
}

/// The first millisecond a date may mean; China Standard Time where no offset is given.
pub fn moment(text: &str) -> Result<i64, &'static str> {
    let date = Date::parse_iso(text).map_err(|_| "not a date such as 2026-11-21")?;
    date.timestamp().map(|seconds| seconds.saturating_mul(1000)).ok_or("no such moment")
}
