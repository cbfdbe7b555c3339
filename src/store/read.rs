//! 读取, reading: a small pool of connections, away from the threads that serve sockets.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Store;
use super::arrival::{Count, Held, MergeEvent, Replay, State};
use super::cache::Records;
use super::error::StoreError;
use super::generation::Generations;
use super::index::{self, Holder};
use super::journal::read_reason;
use super::ledger::{bound, limited};
use super::record;
use super::seal::{Place, StoreKeys};
use super::sql::{self, Connection, Optional};
use super::stage;
use crate::identity::{PersonId, Token};
use crate::translate::Form;
use crate::vocabulary::{Fault, IdentifierKind, Record, Source};

/// Connections that read; who finds none free waits in line.
pub struct Readers {
    free: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

/// A connection that goes back to its pool however the reading ends, also if whoever
/// asked has gone or the reading panics.
struct Lent {
    connection: Option<Connection>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = self.readers.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(self.connection.take());
    }
}

impl Readers {
    /// A pool of these.
    pub fn new(connections: Vec<Connection>) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(connections.len()));
        Arc::new(Self { free: Mutex::new(connections), permits })
    }

    /// Reads on a thread that may block.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        what: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let lent = Lent {
            _permit: permit.map_err(|_| StoreError::Unavailable)?,
            connection: self.free.lock().unwrap_or_else(PoisonError::into_inner).pop(),
            readers: Arc::clone(self),
        };
        let reading = stage::blocking(move || match &lent.connection {
            Some(connection) => what(connection),
            None => Err(StoreError::Unavailable),
        });
        reading.await.ok_or(StoreError::Unavailable)?
    }
}

impl Store {
    /// Records of a person and of everybody merged with it, newest first, each with the time it
    /// arrived in milliseconds; at most `limit` and `records_max`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn records(&self, person: PersonId, limit: usize) -> Result<Records, StoreError> {
        self.told_by((person, limit), None).await.map(|(records, _)| records)
    }

    /// The same, and the place in it of the record a message brought, which is read however many
    /// came after it; none if it is not this person's.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn told_by(
        &self,
        (person, limit): (PersonId, usize),
        message: Option<i64>,
    ) -> Result<(Records, Option<usize>), StoreError> {
        let keys = Arc::clone(&self.keys);
        let wanted = Wanted { person, most: limit.min(self.settings.records_max), message };
        let read = move |connection: &Connection| {
            let records = records(connection, &keys, wanted)?;
            let place = records.iter().position(|(number, ..)| Some(*number) == message);
            Ok((records.into_iter().map(|(_, record, at_ms)| (record, at_ms)).collect(), place))
        };
        self.readers.read(read).await
    }
}

/// The one person all of these lead to; those that lead nowhere are passed over.
pub fn person(
    connection: &Connection,
    generations: &Generations,
    tokens: &[Token],
) -> Result<Option<PersonId>, StoreError> {
    let mut found = None;
    for token in tokens {
        let Some(Holder { root, .. }) = index::holder(connection, generations, token)? else {
            continue;
        };
        if found.is_some_and(|other| other != root) {
            return Err(StoreError::Conflict);
        }
        found = Some(root);
    }
    Ok(found)
}

/// Whether nothing speaks against these being one person's: they lead to one at the most,
/// and a citizen id nobody has is not beside a person who has another.
pub fn is_one(
    connection: &Connection,
    generations: &Generations,
    named: &[(IdentifierKind, Token)],
) -> Result<bool, StoreError> {
    let tokens: Vec<_> = named.iter().map(|(_, token)| *token).collect();
    let person = match person(connection, generations, &tokens) {
        Ok(Some(person)) => person,
        Ok(None) => return Ok(true),
        Err(StoreError::Conflict) => return Ok(false),
        Err(error) => return Err(error),
    };
    let national = named.iter().filter(|(kind, _)| *kind == IdentifierKind::CitizenId);
    let national: Vec<_> = national.map(|(_, token)| *token).collect();
    Ok(!index::apart(&national, &index::citizen_ids(connection, generations, person)?))
}

/// Which records of a person are read.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Whose, and of everybody merged with him.
    pub person: PersonId,
    /// How many of the newest; every word of his is read beside them.
    pub most: usize,
    /// The record of this message too, however many came after it.
    pub message: Option<i64>,
}

/// Records of a person and of everybody merged with it, newest first, each with the number of its
/// message and when it arrived. What came later is never said to have arrived earlier, whatever
/// the clock said: the last word of a person must be the last.
pub fn records(
    connection: &Connection,
    keys: &StoreKeys,
    Wanted { person, most, message }: Wanted,
) -> Result<Vec<(i64, Record, i64)>, StoreError> {
    let snapshot = connection.snapshot()?;
    let root = index::root(&snapshot, person)?;
    let mut sealed = Vec::new();
    for each in index::set(&snapshot, root)? {
        let wrapped: Option<Option<Vec<u8>>> = snapshot
            .prepare_cached("SELECT wrapped FROM person WHERE id = ?1")?
            .query_row([each.0], |row| row.get(0))
            .optional()?;
        let Some(Some(wrapped)) = wrapped else { continue };
        let key = Arc::new(keys.unwrap(Place::person_key(each.0), &wrapped)?);
        // The newest of all, and every word of the person's, however many came after it.
        let mut select = snapshot.prepare_cached(
            "SELECT number, sealed, received_at_ms, word FROM record WHERE number IN \
             (SELECT number FROM \
             (SELECT number FROM record WHERE person = ?1 ORDER BY number DESC LIMIT ?2) AS newest \
             UNION SELECT number FROM record WHERE person = ?1 AND word = 1 \
             UNION SELECT number FROM record WHERE person = ?1 AND number = ?3)",
        )?;
        let rows = select.query_map((each.0, limited(most), message), |row| {
            let (number, bytes) = (row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?);
            Ok((number, bytes, row.get::<i64>(2)?, row.get::<Option<i64>>(3)?))
        })?;
        for row in rows {
            let (number, bytes, received_at_ms, word) = row?;
            sealed.push((number, Arc::clone(&key), (each, word), bytes, received_at_ms));
        }
    }
    sealed.sort_by_key(|row| std::cmp::Reverse(row.0));
    let mut place = 0..;
    sealed.retain(|(number, _, (_, word), ..)| {
        let is_newest = place.next().is_some_and(|at| at < most);
        is_newest || word.is_some() || Some(*number) == message
    });
    let mut latest = i64::MIN;
    for (.., received_at_ms) in sealed.iter_mut().rev() {
        latest = latest.max(*received_at_ms);
        *received_at_ms = latest;
    }
    let open = |(number, key, (owner, _), bytes, received_at_ms): (
        _,
        Arc<_>,
        (PersonId, _),
        Vec<u8>,
        _,
    )| {
        let key: &super::seal::DataKey = &key;
        let record = record::read(&key.open(Place::record(owner.0, number), &bytes)?)?;
        Ok((number, record, received_at_ms))
    };
    sealed.into_iter().map(open).collect()
}

/// A message as it came.
pub fn replay(
    connection: &Connection,
    keys: &StoreKeys,
    number: u64,
) -> Result<Option<Replay>, StoreError> {
    let number = bound(number);
    let snapshot = connection.snapshot()?;
    let row = snapshot
        .prepare_cached(
            "SELECT journal.source, state, received_at_ms, journal.person, \
             coalesce(journal.wrapped, person.wrapped), raw, form \
             FROM journal LEFT JOIN person ON person.id = journal.person WHERE number = ?1",
        )?
        .query_row([number], |row| {
            Ok((
                row.get::<String>(0)?,
                row.get::<i64>(1)?,
                row.get::<i64>(2)?,
                row.get::<Option<i64>>(3)?,
                row.get::<Option<Vec<u8>>>(4)?,
                row.get::<Vec<u8>>(5)?,
                row.get::<Option<String>>(6)?,
            ))
        })
        .optional()?;
    let Some((source, state, received_at_ms, person, Some(wrapped), sealed, form)) = row else {
        return Ok(None);
    };
    let place = person.map_or(Place::row_key(number), Place::person_key);
    let key = keys.unwrap(place, &wrapped)?;
    let raw = key.open(Place::raw(person.unwrap_or(0), number), &sealed)?;
    Ok(Some(Replay {
        source: source_of(&source)?,
        state: State::from_code(state),
        received_at_ms,
        form: form_of(form.as_deref())?,
        raw: Bytes::from(raw),
    }))
}

/// The counts of every source, by name.
pub fn counts(connection: &Connection) -> Result<Vec<Count>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT source, received, kept, quarantined, refused, repeated, reused FROM count",
    )?;
    let mut counts = Vec::new();
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let sum = |column| row.get::<i64>(column).map(i64::cast_unsigned);
        counts.push(Count {
            source: source_of(&row.get::<String>(0)?)?,
            received: sum(1)?,
            kept: sum(2)?,
            quarantined: sum(3)?,
            refused: sum(4)?,
            repeated: sum(5)?,
            reused: sum(6)?,
        });
    }
    Ok(counts)
}

/// Messages in a state above number `after`, in order.
pub fn held(
    connection: &Connection,
    state: State,
    (after, limit): (u64, usize),
) -> Result<Vec<Held>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT number, source, control_id, received_at_ms, fault, at, state FROM journal \
         WHERE state > 0 AND state = ?3 AND number > ?1 ORDER BY number LIMIT ?2",
    )?;
    listed(select.query((bound(after), limited(limit), state.code()))?)
}

/// Messages quarantined with one fault above number `after`, in order.
pub fn held_for(
    connection: &Connection,
    fault: Fault,
    (after, limit): (u64, usize),
) -> Result<Vec<Held>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT number, source, control_id, received_at_ms, fault, at, state FROM journal \
         WHERE state > 0 AND state = ?3 AND fault = ?4 AND number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let state = State::Quarantined.code();
    listed(select.query((bound(after), limited(limit), state, fault.row().name))?)
}

/// Messages whose control id other bytes had before, above number `after`, in order.
pub fn alarms(
    connection: &Connection,
    (after, limit): (u64, usize),
) -> Result<Vec<Held>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT number, source, control_id, received_at_ms, fault, at, state \
         FROM alarm JOIN journal USING (number) WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    listed(select.query((bound(after), limited(limit)))?)
}

fn listed(mut rows: sql::Rows<'_>) -> Result<Vec<Held>, StoreError> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Held {
            number: row.get::<i64>(0)?.cast_unsigned(),
            source: source_of(&row.get::<String>(1)?)?,
            control_id: row.get(2)?,
            received_at_ms: row.get(3)?,
            state: State::from_code(row.get(6)?),
            reason: read_reason(row.get(4)?, row.get(5)?),
        });
    }
    Ok(found)
}

/// Everything that ever joined a person to another or set it free, oldest first.
pub fn merges(connection: &Connection, person: PersonId) -> Result<Vec<MergeEvent>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT person, target, at_ms, journal FROM merge \
         WHERE person = ?1 OR target = ?1 ORDER BY event",
    )?;
    let rows = select.query_map([person.0], |row| {
        Ok(MergeEvent {
            person: PersonId(row.get(0)?),
            into: row.get::<Option<i64>>(1)?.map(PersonId),
            at_ms: row.get(2)?,
            journal: row.get::<Option<i64>>(3)?.map(i64::cast_unsigned),
        })
    })?;
    Ok(rows.collect::<sql::Result<_>>()?)
}

/// A row without one is of the time when all were HL7 v2.
fn form_of(name: Option<&str>) -> Result<Form, StoreError> {
    name.map_or(Some(Form::Hl7v2), Form::parse).ok_or(StoreError::Damaged)
}

fn source_of(name: &str) -> Result<Source, StoreError> {
    Source::parse(name).map_err(|_| StoreError::Damaged)
}
