//! 报文追踪, what became of a message: found by what is known of it, told from its row to its notices.
//!
//! A search goes backwards from the newest row and looks at a bounded number of rows; whoever
//! wants older ones asks again from there. So it is as quick among ten million as among ten.
//! Nothing that stood in a message is told: numbers, names of ours, positions.

use serde::{Deserialize, Serialize};

use super::Store;
use super::arrival::State;
use super::error::StoreError;
use super::history::{Event, history};
use super::journal::{Retrial, read_reason};
use super::ledger::{bound, limited};
use super::sql::{self, Connection, Optional, Row, ToSql};
use super::writer::Writer;
use super::{index, journal};
use crate::identity::PersonId;
use crate::translate::Form;
use crate::vocabulary::hex::to_hex;
use crate::vocabulary::{Entrance, Fault, Position, Source};

/// Rows one search looks at.
const LOOKED_MAX: usize = 20_000;
/// Rows under one control id that are told.
const SAME_NUMBER_MAX: usize = 20;
/// Rows stand in the order of their commits, which is that of their arrival but for as long as
/// a message may wait for its commit, milliseconds.
const SLACK_MS: i64 = 60_000;

/// Which messages are wanted; what is `None` matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// The sender's number of it, as the journal has it.
    pub control_id: Option<String>,
    /// Who sent it.
    pub source: Option<Source>,
    /// Not before this time, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Before this time, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// What became of it.
    pub state: Option<State>,
    /// What it is written in.
    pub form: Option<Form>,
    /// Why it was not applied.
    pub fault: Option<Fault>,
    /// Where, as [`Position::place_in_any`] says it.
    pub place: Option<String>,
    /// Whose records it made: persons, with all who are one with them.
    #[serde(skip)]
    pub persons: Option<Vec<PersonId>>,
    /// Only rows with a lower number: the next page.
    pub before: Option<u64>,
    /// How many at most.
    pub limit: usize,
}

/// One message in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Journal number.
    pub number: u64,
    /// Who sent it.
    pub source: String,
    /// The sender's number of it.
    pub control_id: String,
    /// When it arrived, in milliseconds since 1970.
    pub received_at_ms: i64,
    /// What it is written in.
    pub form: String,
    /// What became of it.
    pub state: State,
    /// Why, unless it was applied.
    pub fault: Option<Fault>,
    /// Where.
    pub at: Option<String>,
    /// The same, before it is words.
    #[serde(skip)]
    pub position: Option<Position>,
}

/// Messages that were found, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// The messages.
    pub rows: Vec<Line>,
    /// Ask again with this as `before` for older ones; `None` at the end.
    pub next: Option<u64>,
    /// Whether it goes on because enough was looked at, and not because the page is full.
    pub tired: bool,
}

/// What had become of a message for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What.
    pub state: State,
    /// Why, unless it was applied.
    pub fault: Option<Fault>,
    /// Where.
    pub at: Option<String>,
    /// Version of the mappings it was read by, where that is known.
    pub mappings: Option<String>,
    /// Until it was tried again, in milliseconds since 1970; `None` if it stands.
    pub until_ms: Option<i64>,
    /// The ledger's entry of that.
    pub entry: Option<u64>,
}

/// A notice that a message set going.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Noticed {
    /// Its number.
    pub number: i64,
    /// Who is told.
    pub subscription: String,
    /// Of what.
    pub event: String,
    /// `waits`, `delivered`, `dead` or `passed`.
    pub state: &'static str,
    /// How often it was tried.
    pub tries: i64,
    /// Why it is not delivered.
    pub why: Option<String>,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: Option<i64>,
}

/// What the store knows of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// Its row.
    pub line: Line,
    /// By which way it came in; `None` for one that came before that was kept.
    pub entrance: Option<Entrance>,
    /// A keyed digest of its bytes: equal marks, equal bytes.
    pub mark: String,
    /// Other rows under its control id, newest first.
    pub same_number: Vec<u64>,
    /// What became of it, first to last; at least one.
    pub outcomes: Vec<Outcome>,
    /// The kind of record it became.
    pub dataset: Option<String>,
    /// Whose it is: who stands for the person now, then all entries that are one with that.
    pub persons: Vec<PersonId>,
    /// Which of them it made or found.
    pub entry: Option<PersonId>,
    /// What it said of two entries.
    pub said: Vec<Event>,
    /// The notices it set going, of those that are kept.
    pub notices: Vec<Noticed>,
}

impl Store {
    /// Messages that match, newest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn messages(&self, wanted: Wanted) -> Result<Lines, StoreError> {
        let wanted = Wanted { control_id: wanted.control_id.map(journal::bounded), ..wanted };
        self.readers.read(move |connection| find(connection, &wanted)).await
    }

    /// What became of one message; `None` if the journal has none of that number.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn traced(&self, number: u64) -> Result<Option<Traced>, StoreError> {
        self.readers.read(move |connection| traced(connection, bound(number))).await
    }
}

impl Writer {
    /// Keeps what had become of a message until now.
    pub(super) fn write_outcome(&self, number: i64, retrial: &Retrial) -> sql::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO outcome (number, state, fault, at, mappings, until_ms, entry) \
                 SELECT number, state, fault, at, mappings, ?2, ?3 FROM journal WHERE number = ?1",
            )?
            .execute((number, retrial.at_ms, bound(retrial.entry)))
    }
}

/// What [`line`] reads.
pub(super) const COLUMNS: &str = "journal.number, journal.source, journal.control_id, \
    journal.received_at_ms, journal.form, journal.state, journal.fault, journal.at";

/// Named, for the number alone would have every row of the sender looked at.
const BY_CONTROL_ID: &str = "journal INDEXED BY journal_control_id WHERE";

fn find(connection: &Connection, wanted: &Wanted) -> Result<Lines, StoreError> {
    let snapshot = connection.snapshot()?;
    let from = wanted.since_ms.map(|ms| number_at(&snapshot, ms.saturating_sub(SLACK_MS)));
    let from = from.transpose()?.unwrap_or(0);
    let until = wanted.until_ms.map(|ms| number_at(&snapshot, ms.saturating_add(SLACK_MS)));
    let until = until.transpose()?.unwrap_or(i64::MAX);
    let until = wanted.before.map_or(until, |before| until.min(bound(before)));
    let (sql, named) = question(&snapshot, wanted)?;
    let mut select = snapshot.prepare_cached(&sql)?;
    let mut words: Vec<&dyn ToSql> = vec![&from, &until];
    words.extend(named.iter().map(|word| word as &dyn ToSql));
    let mut rows = select.query(words.as_slice())?;
    let (limit, mut found) = (wanted.limit.max(1), Lines::default());
    let mut last = None;
    for looked in 0.. {
        let Some(row) = rows.next()? else { return Ok(found) };
        if looked == LOOKED_MAX {
            found.tired = true;
            break;
        }
        let line = line(&row)?;
        let fits = wanted.fits(&line);
        if fits && found.rows.len() == limit {
            break;
        }
        last = Some(line.number);
        if fits {
            found.rows.push(line);
        }
    }
    found.next = last;
    Ok(found)
}

/// The rows between two numbers that are looked at, newest first.
pub(super) fn question(
    connection: &Connection,
    wanted: &Wanted,
) -> Result<(String, Vec<String>), StoreError> {
    let (way, named) = way(connection, wanted)?;
    let sql = format!(
        "SELECT {COLUMNS} FROM {way} AND journal.number >= ?1 AND journal.number < ?2 \
         ORDER BY journal.number DESC LIMIT {}",
        LOOKED_MAX + 1
    );
    Ok((sql, named))
}

/// By which index rows are looked at, and what it is asked with; the numbers come first.
fn way(connection: &Connection, wanted: &Wanted) -> Result<(String, Vec<String>), StoreError> {
    let source = wanted.source.map(|source| source.to_string());
    Ok(match (&wanted.persons, &wanted.control_id, source) {
        (Some(persons), ..) => {
            let mut all = Vec::new();
            for person in persons {
                all.extend(index::set(connection, index::root(connection, *person)?)?);
            }
            let all: Vec<_> = all.iter().map(|person| person.0.to_string()).collect();
            // Nobody's is nothing's number.
            let own = if all.is_empty() { "NULL".to_owned() } else { all.join(", ") };
            (format!("record JOIN journal USING (number) WHERE record.person IN ({own})"), vec![])
        }
        (None, Some(id), Some(source)) => {
            (format!("{BY_CONTROL_ID} source = ?4 AND control_id = ?3"), vec![id.clone(), source])
        }
        (None, Some(id), None) => {
            let any = "source IN (SELECT source FROM count) AND control_id = ?3";
            (format!("{BY_CONTROL_ID} {any}"), vec![id.clone()])
        }
        (None, None, _) if wanted.is_held() => {
            ("journal INDEXED BY journal_held WHERE state > 0".to_owned(), vec![])
        }
        (None, None, Some(source)) => {
            ("journal INDEXED BY journal_source WHERE source = ?3".to_owned(), vec![source])
        }
        (None, None, None) => ("journal WHERE TRUE".to_owned(), vec![]),
    })
}

impl Wanted {
    /// Whether only messages that were not applied can match.
    fn is_held(&self) -> bool {
        self.fault.is_some()
            || self.place.is_some()
            || self.state.is_some_and(|state| state != State::Kept)
    }

    pub(super) fn fits(&self, line: &Line) -> bool {
        let place = || line.position.as_ref().and_then(Position::place_in_any);
        self.source.is_none_or(|source| source.as_str() == line.source)
            && self.control_id.as_ref().is_none_or(|id| *id == line.control_id)
            && self.since_ms.is_none_or(|since| line.received_at_ms >= since)
            && self.until_ms.is_none_or(|until| line.received_at_ms < until)
            && self.state.is_none_or(|state| state == line.state)
            && self.form.is_none_or(|form| form.name() == line.form)
            && self.fault.is_none_or(|fault| line.fault == Some(fault))
            && self.place.as_ref().is_none_or(|wanted| place().as_ref() == Some(wanted))
    }
}

/// The first number of a row that arrived at a time or later, but for the slack.
fn number_at(connection: &Connection, at_ms: i64) -> sql::Result<i64> {
    let sql = "SELECT coalesce(max(number), 0) FROM journal";
    let newest: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    let sql = "SELECT received_at_ms FROM journal WHERE number = ?1";
    let mut select = connection.prepare_cached(sql)?;
    let (mut low, mut high) = (1, newest + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let came: Option<i64> = select.query_row([middle], |row| row.get(0)).optional()?;
        match came {
            Some(came) if came >= at_ms => high = middle,
            _ => low = middle + 1,
        }
    }
    Ok(low)
}

pub(super) fn line(row: &Row<'_>) -> sql::Result<Line> {
    let form: Option<String> = row.get(4)?;
    let reason = read_reason(row.get(6)?, row.get(7)?);
    let at = reason.as_ref().and_then(|reason| reason.at.clone());
    Ok(Line {
        number: row.get::<i64>(0)?.cast_unsigned(),
        source: row.get(1)?,
        control_id: row.get(2)?,
        received_at_ms: row.get(3)?,
        // A row without one is of the time when all were HL7 v2.
        form: form.unwrap_or_else(|| Form::Hl7v2.name().to_owned()),
        state: State::from_code(row.get(5)?),
        fault: reason.map(|reason| reason.fault),
        at: at.as_ref().map(ToString::to_string),
        position: at,
    })
}

fn traced(connection: &Connection, number: i64) -> Result<Option<Traced>, StoreError> {
    let found = told(connection, number)?;
    let Some(mut traced) = found else { return Ok(None) };
    if let Some(entry) = traced.entry {
        // In a snapshot of its own: what is said of entries is only ever added to.
        traced.said = history(connection, entry)?;
        traced.said.retain(|event| event.journal == Some(number.cast_unsigned()));
    }
    Ok(Some(traced))
}

fn told(connection: &Connection, number: i64) -> Result<Option<Traced>, StoreError> {
    let snapshot = connection.snapshot()?;
    let sql = format!(
        "SELECT {COLUMNS}, entrance, digest, journal.person, \
         coalesce(journal.mappings, record.mappings), dataset \
         FROM journal LEFT JOIN record USING (number) WHERE journal.number = ?1"
    );
    let read = |row: &Row<'_>| {
        let entrance: Option<String> = row.get(8)?;
        let entry = row.get::<Option<i64>>(10)?.map(PersonId);
        let line = line(row)?;
        let mut traced = Traced {
            entrance: entrance.as_deref().and_then(Entrance::parse),
            mark: to_hex(&row.get::<Vec<u8>>(9)?),
            same_number: Vec::new(),
            outcomes: Vec::new(),
            dataset: row.get(12)?,
            persons: Vec::new(),
            entry,
            said: Vec::new(),
            notices: Vec::new(),
            line,
        };
        traced.outcomes.push(Outcome {
            state: traced.line.state,
            fault: traced.line.fault,
            at: traced.line.at.clone(),
            mappings: row.get(11)?,
            until_ms: None,
            entry: None,
        });
        Ok(traced)
    };
    let found = snapshot.prepare_cached(&sql)?.query_row([number], read).optional()?;
    let Some(mut traced) = found else { return Ok(None) };
    let mut before = earlier(&snapshot, number)?;
    before.append(&mut traced.outcomes);
    traced.outcomes = before;
    traced.same_number = same_number(&snapshot, &traced.line)?;
    if let Some(entry) = traced.entry {
        traced.persons = index::set(&snapshot, index::root(&snapshot, entry)?)?;
    }
    traced.notices = noticed(&snapshot, number)?;
    Ok(Some(traced))
}

fn earlier(connection: &Connection, number: i64) -> sql::Result<Vec<Outcome>> {
    let mut select = connection.prepare_cached(
        "SELECT state, fault, at, mappings, until_ms, entry FROM outcome WHERE number = ?1 \
         ORDER BY event",
    )?;
    let rows = select.query_map([number], |row| {
        let reason = read_reason(row.get(1)?, row.get(2)?);
        Ok(Outcome {
            state: State::from_code(row.get(0)?),
            fault: reason.as_ref().map(|reason| reason.fault),
            at: reason.and_then(|reason| Some(reason.at?.to_string())),
            mappings: row.get(3)?,
            until_ms: row.get(4)?,
            entry: row.get::<Option<i64>>(5)?.map(i64::cast_unsigned),
        })
    })?;
    rows.collect()
}

fn same_number(connection: &Connection, line: &Line) -> sql::Result<Vec<u64>> {
    let mut select = connection.prepare_cached(
        "SELECT number FROM journal INDEXED BY journal_control_id \
         WHERE source = ?1 AND control_id = ?2 AND number <> ?3 ORDER BY number DESC LIMIT ?4",
    )?;
    let own = (&line.source, &line.control_id, bound(line.number), limited(SAME_NUMBER_MAX));
    select.query_map(own, |row| row.get::<i64>(0).map(i64::cast_unsigned))?.collect()
}

pub(super) fn noticed(connection: &Connection, number: i64) -> sql::Result<Vec<Noticed>> {
    let mut select = connection.prepare_cached(
        "SELECT number, subscription, event, state, tries, why, ended_ms FROM outbox \
         WHERE journal = ?1 ORDER BY number",
    )?;
    let rows = select.query_map([number], |row| {
        Ok(Noticed {
            number: row.get(0)?,
            subscription: row.get(1)?,
            event: row.get(2)?,
            state: match row.get(3)? {
                0 => "waits",
                1 => "delivered",
                2 => "dead",
                _ => "passed",
            },
            tries: row.get(4)?,
            why: row.get(5)?,
            ended_ms: row.get(6)?,
        })
    })?;
    rows.collect()
}
