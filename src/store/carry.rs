//! 搬迁, all rows of a store carried to another database, proven there, and left behind marked.
//!
//! ```text
//! hold both ─▶ copy ─▶ read both, compare ─▶ prove the ledger ─▶ mark the old ─▶ commit the new
//!             └──────────── one transaction of the new place ────────────────────────────────┘
//! ```
//!
//! Whatever interrupts it, at most one of the two can be started: until the last step the new place
//! is empty, and from the step before it the old one says where its rows went.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::base::VERSION;
use super::departed::{self, Departed};
use super::error::StoreError;
use super::file::{self, StoreFile};
use super::lease::LASTS;
use super::ledger::{self, LedgerFile};
use super::master;
use super::schema::{self, SCHEMA};
use super::settings::Settings;
use super::sql::postgres::{self, Role};
use super::sql::{self, Cell, Connection, Database, Table, Transaction, Value};

/// Bytes of rows that are in memory at once, as far as the rows before them tell.
const PIECE_BYTES: usize = 8 * 1024 * 1024;
/// Rows that are read at once, at most.
const PAGE_ROWS_MAX: usize = 4096;
/// Rows that are read first, of a table nothing is known of.
const PAGE_ROWS_FIRST: usize = 16;
/// How often it is looked whether gateways still serve.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// What no gateway is called.
const NOBODY: i64 = -1;
/// What is not carried: it says of a place that its rows are elsewhere.
const MARK: &str = "departed";

/// Why rows were not carried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CarryError {
    /// Nobody knows whether the last step happened.
    #[error(
        "whether the new place has taken the rows is not known: the same command looks, and \
        goes on from there"
    )]
    Unsure(#[source] sql::Error),
    /// A table is not in both places what it is in one.
    #[error("table {0} is not the same in both places")]
    Differs(String),
    /// The new place was written since.
    #[error("the other place has {now} entries and had {then}: it went on, so move its rows back")]
    GoneOn {
        /// Entries there when the rows came.
        then: i64,
        /// Entries there now.
        now: i64,
    },
    /// Two files.
    #[error("both are files: `kangqiao backup` and `restore` are for that")]
    Files,
    /// Their folders differ.
    #[error("both must name the same [store] folder: it holds the packs that served")]
    Folders,
    /// The store is of a later version: of what this one does not know nothing would be carried.
    #[error(
        "the store has schema {found}, of which this version knows {SCHEMA}: what it does not \
        know would be left behind; use the release that brought it there"
    )]
    Later {
        /// What it has.
        found: i64,
    },
    /// There are no rows.
    #[error("there is no store to be moved")]
    Nothing,
    /// The rows never left.
    #[error("the rows were not moved from here")]
    NotDeparted,
    /// The new place has rows already.
    #[error(
        "the new place holds rows already, and only an empty one is filled: put its file aside, \
        or name another database"
    )]
    Occupied,
    /// The store is of another version.
    #[error("the store has schema {found}, this version writes {SCHEMA}: start and stop it first")]
    Schema {
        /// What it has.
        found: i64,
    },
    /// A gateway renews its leases.
    #[error("a gateway serves these rows, they are in use: stop it first")]
    Served,
    /// What the store says.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sql::Error> for CarryError {
    fn from(error: sql::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What one table held in both places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Its name.
    pub table: String,
    /// Rows.
    pub rows: usize,
    /// SHA-256 over them in the order of their key.
    pub digest: [u8; 32],
    /// The highest number it has given.
    last: i64,
}

/// Two places of one store, held against everybody else.
pub struct Carrying {
    old: LedgerFile,
    new: LedgerFile,
    /// Where they are, in this order.
    places: [String; 2],
    _held: StoreFile,
}

impl Carrying {
    /// Takes both places.
    ///
    /// # Errors
    /// [`CarryError`] if one is in use or cannot be one of them.
    pub fn hold(old: &Settings, new: &Settings) -> Result<Self, CarryError> {
        if canonical(old) != canonical(new) {
            return Err(CarryError::Folders);
        }
        if old.postgres.is_none() && new.postgres.is_none() {
            return Err(CarryError::Files);
        }
        let held = StoreFile::hold(&old.folder)?;
        let places = [old, new].map(place);
        let old = LedgerFile::of(existing(old, &held)?);
        let new = LedgerFile::of(prepared(new, &held)?);
        Ok(Self { old, new, places, _held: held })
    }

    /// Carries everything and leaves an entry about it to the next start; `prove` looks at the
    /// new place before anybody else can. `None` if it was carried before.
    ///
    /// # Errors
    /// [`CarryError`] or what `prove` says; nothing has changed then, in neither place.
    pub fn carry<E: From<CarryError>>(
        &self,
        by: &str,
        prove: impl FnOnce(&LedgerFile) -> Result<(), E>,
    ) -> Result<Option<Vec<Carried>>, E> {
        let [from, to] = &self.places;
        let (old, new) = (self.old.rows(), self.new.rows());
        if self.arrived()? {
            return prove(&self.new).map(|()| None);
        }
        // A gateway that could not be seen writes nothing until all is done, and then finds the
        // mark.
        let still = turn(old).map_err(CarryError::from)?;
        let begun = new.begin().map_err(CarryError::from)?;
        let carried = copy(&still, &begun)?;
        let subject = format!("from {} to {}", short(from), short(to));
        departed::owe(&begun, "move", (&subject, by)).map_err(CarryError::from)?;
        prove(&self.new)?;
        mark(&still, to).map_err(CarryError::from)?;
        still.commit().map_err(CarryError::from)?;
        begun.commit().map_err(CarryError::Unsure)?;
        Ok(Some(carried))
    }

    /// Whether the rows are in the new place already: what a command does not know that was
    /// stopped in its last step.
    fn arrived(&self) -> Result<bool, CarryError> {
        let (new, to) = (self.new.rows(), &self.places[1]);
        let mark = departed::find(self.old.rows())?;
        if let Some(Departed { place, .. }) = mark.as_ref().filter(|mark| mark.place != *to) {
            return Err(StoreError::Departed { place: place.clone() }.into());
        }
        if master::is_empty(new)? {
            return Ok(false);
        }
        match mark {
            Some(mark) if entries(new)? >= mark.entries => {
                departed::still_here(new)?;
                Ok(true)
            }
            _ => Err(CarryError::Occupied),
        }
    }

    /// Takes the rows back: what lies in the new place is left behind, and says so.
    ///
    /// # Errors
    /// [`CarryError::NotDeparted`], [`CarryError::GoneOn`] if anything was entered since.
    pub fn take_back(&self, by: &str) -> Result<(), CarryError> {
        let (old, new) = (self.old.rows(), self.new.rows());
        let mark = departed::find(old)?.ok_or(CarryError::NotDeparted)?;
        if mark.place != self.places[1] {
            return Err(StoreError::Departed { place: mark.place }.into());
        }
        if !master::is_empty(new)? {
            let now = entries(new)?;
            if now != mark.entries {
                return Err(CarryError::GoneOn { then: mark.entries, now });
            }
            let still = turn(new)?;
            self::mark(&still, &self.places[0])?;
            still.commit()?;
        }
        unmark(old, (&format!("taken back from {}", self.places[1]), by))
    }
}

/// Lets rows be started again that went somewhere they cannot be fetched from any more.
///
/// # Errors
/// [`CarryError::NotDeparted`], [`CarryError::Served`], [`StoreError::InUse`].
pub fn unlost(settings: &Settings, by: &str) -> Result<(), CarryError> {
    let held = StoreFile::hold(&settings.folder)?;
    let rows = existing(settings, &held)?;
    let mark = departed::find(&rows)?.ok_or(CarryError::NotDeparted)?;
    unmark(&rows, (&format!("lost at {}, older rows", mark.place), by))
}

/// Owes to the next start that rows were put back to an earlier moment by other means than ours;
/// `prove` looks at them first.
///
/// # Errors
/// [`CarryError`] or what `prove` says.
pub fn put_back<E: From<CarryError>>(
    settings: &Settings,
    (moment, by): (&str, &str),
    prove: impl FnOnce(&LedgerFile) -> Result<(), E>,
) -> Result<(), E> {
    let held = StoreFile::hold(&settings.folder).map_err(CarryError::from)?;
    let ledger = LedgerFile::of(existing(settings, &held)?);
    departed::still_here(ledger.rows()).map_err(CarryError::from)?;
    prove(&ledger)?;
    let entries = entries(ledger.rows())?;
    let subject = format!("rows put back to {moment}, {entries} entries");
    let begun = ledger.rows().begin().map_err(CarryError::from)?;
    departed::owe(&begun, "restore", (&subject, by)).map_err(CarryError::from)?;
    Ok(begun.commit().map_err(CarryError::from)?)
}

/// Where rows lie, as an entry and an operator read it.
#[must_use]
pub fn place(settings: &Settings) -> String {
    match &settings.postgres {
        None => format!("file {}", file::database(&canonical(settings)).display()),
        Some(at) => format!("PostgreSQL {}:{}/{}", at.host, at.port, at.name),
    }
}

/// A folder by one name, wherever it is named from.
fn canonical(settings: &Settings) -> PathBuf {
    fs::canonicalize(&settings.folder).unwrap_or_else(|_| settings.folder.clone())
}

/// A place as entries have room for it.
fn short(place: &str) -> &str {
    if place.starts_with("file ") { "file" } else { place.trim_start_matches("PostgreSQL ") }
}

/// Rows that are there, of this schema and no other.
fn existing(settings: &Settings, held: &StoreFile) -> Result<Connection, CarryError> {
    let rows = match &settings.postgres {
        Some(database) => alone(database)?,
        None if file::exists(&settings.folder) => {
            held.settle().map_err(StoreError::Folder)?;
            held.writer(settings)?
        }
        None => return Err(CarryError::Nothing),
    };
    match schema::known(&rows) {
        Ok(SCHEMA) => Ok(rows),
        Ok(found) if found > SCHEMA => Err(CarryError::Later { found }),
        Ok(found) => Err(CarryError::Schema { found }),
        // A server without our tables.
        Err(StoreError::Sql(error)) if !error.is_storage() => Err(CarryError::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// A place that is brought to this schema; of one with rows nothing is touched.
fn prepared(settings: &Settings, held: &StoreFile) -> Result<Connection, CarryError> {
    let Some(database) = &settings.postgres else {
        if file::exists(&settings.folder) {
            let found = file::reader(&file::database(&settings.folder), 64)?;
            if found.version()? != SCHEMA && !master::is_empty(&found)? {
                return Err(CarryError::Occupied);
            }
        }
        held.begin()?;
        return Ok(held.writer(settings)?);
    };
    let rows = alone(database)?;
    rows.execute_batch(VERSION)?;
    schema::upgrade(&rows)?;
    match rows.version()? {
        SCHEMA => Ok(rows),
        found => Err(CarryError::Later { found }),
    }
}

/// Rows with a server, which nobody opens until the session ends and no gateway serves. One that
/// was killed seems to for as long as its leases last.
fn alone(database: &Database) -> Result<Connection, CarryError> {
    let rows = postgres::open(&Arc::new(database.clone()), Role::Writes)?;
    rows.opening()?;
    let begun = Instant::now();
    loop {
        match rows.has_company(NOBODY) {
            Ok(true) if begun.elapsed() <= LASTS => thread::sleep(LOOK_EVERY),
            Ok(true) => return Err(CarryError::Served),
            Err(error) if error.is_storage() => return Err(error.into()),
            // Asked of a server without our tables, it is nobody.
            Ok(false) | Err(_) => return Ok(rows),
        }
    }
}

/// Every row of every table, written and then read again.
fn copy(old: &Connection, new: &Connection) -> Result<Vec<Carried>, CarryError> {
    let tables = sql::tables(&schema::words())?;
    let mut carried = Vec::with_capacity(tables.len());
    for table in tables.iter().filter(|table| table.name != MARK) {
        new.execute(&table.clear(), [])?;
        let (mut unseen, insert) = (0, table.insert());
        let came = read(old, table, |row, bytes| {
            let mut insert = new.prepare_cached(&insert)?;
            unseen += bytes;
            if unseen < PIECE_BYTES {
                return insert.execute(row);
            }
            // Waits for all that a server has not answered yet.
            unseen = 0;
            insert.changed(row).map(drop)
        })?;
        new.give_after(table, came.last)?;
        if read(new, table, |_, _| Ok(()))? != came {
            return Err(CarryError::Differs(came.table));
        }
        carried.push(came);
    }
    Ok(carried)
}

/// Reads a table from its first row to its last.
fn read(
    rows: &Connection,
    table: &Table,
    mut each: impl FnMut(&[Value], usize) -> sql::Result<()>,
) -> Result<Carried, CarryError> {
    let (mut count, mut hash, mut limit) = (0, Sha256::new(), PAGE_ROWS_FIRST);
    let mut after: Option<Vec<Value>> = None;
    loop {
        let mut select = rows.prepare_cached(&table.page(after.is_some()))?;
        let mut given = after.take().unwrap_or_default();
        given.push(Value::Integer(ledger::limited(limit)));
        let mut page = select.query(&given[..])?;
        let (mut found, mut bytes, mut last) = (0, 0, None);
        while let Some(row) = page.next()? {
            let row = row.values(table.width())?;
            let length = row.iter().map(|value| digest(value, &mut hash)).sum();
            each(&row, length)?;
            (found, bytes, last) = (found + 1, bytes + length, Some(row));
        }
        count += found;
        if found < limit {
            break;
        }
        limit = (PIECE_BYTES * found / bytes.max(1)).clamp(1, PAGE_ROWS_MAX);
        after = last.map(|row| table.key_of(row));
    }
    let all: i64 = rows.query_row(&table.count(), [], |row| row.get(0))?;
    let (table, last) = (table.name.clone(), rows.last_given(table)?);
    if i64::try_from(count) != Ok(all) {
        return Err(CarryError::Differs(table));
    }
    Ok(Carried { table, rows: count, digest: hash.finalize().into(), last })
}

/// Takes a value into a digest, so that no two rows are one; how many bytes it is.
fn digest(value: &Value, hash: &mut Sha256) -> usize {
    let number;
    let (kind, bytes): (u8, &[u8]) = match value.cell() {
        Cell::Null => (0, &[]),
        Cell::Integer(integer) => {
            number = integer.to_be_bytes();
            (1, &number)
        }
        Cell::Real(real) => {
            number = real.to_be_bytes();
            (2, &number)
        }
        Cell::Text(text) => (3, text.as_bytes()),
        Cell::Blob(blob) => (4, blob),
    };
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
    bytes.len()
}

fn entries(rows: &Connection) -> Result<i64, CarryError> {
    Ok(ledger::bound(ledger::size(rows)?))
}

/// Says of rows that they are somewhere else now.
fn mark(rows: &Connection, place: &str) -> sql::Result<()> {
    let entries = ledger::bound(ledger::size(rows)?);
    rows.execute("DELETE FROM departed", [])?;
    rows.execute("INSERT INTO departed VALUES (?1, ?2)", (place, entries))?;
    // A turn whose changes nobody knows: whoever takes the next looks at everything.
    rows.execute("UPDATE turn SET number = number + 1", [])
}

/// Begins, and keeps everybody else from writing until it ends, however long that takes.
fn turn(rows: &Connection) -> sql::Result<Transaction<'_>> {
    let begun = rows.begin()?;
    rows.take_turn()?;
    rows.take_time()?;
    Ok(begun)
}

/// Says of rows that they are here, and owes that to the next start.
fn unmark(rows: &Connection, (subject, by): (&str, &str)) -> Result<(), CarryError> {
    let begun = rows.begin()?;
    begun.execute("DELETE FROM departed", [])?;
    departed::owe(&begun, "move", (subject, by))?;
    Ok(begun.commit()?)
}
