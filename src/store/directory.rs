//! 名录, what is found by a number of its own: documents, staff and organisations.
//!
//! Neither is a way to a person: a document leads to the record that holds it, an entry of
//! the register of staff and organisations to nothing else.

use super::error::StoreError;
use super::index::{self, Holder};
use super::record;
use super::seal::{Place, StoreKeys};
use super::sql::{Connection, Optional};
use super::writer::{Stop, Writer};
use crate::identity::PersonId;
use crate::vocabulary::Record;

/// A version of an entry, made ready outside the writer's thread.
pub struct Listing {
    /// The record, as it is kept.
    pub bytes: Vec<u8>,
    /// Keyed digest of the number it is known by.
    pub key: String,
}

/// A record found by the number of its document.
#[derive(Debug, Clone)]
pub struct Found {
    /// Whom it is about.
    pub holder: Holder,
    /// The record.
    pub record: Record,
    /// When it arrived, milliseconds since 1970.
    pub received_at_ms: i64,
}

impl Writer {
    /// Remembers which record holds a document; of two under one number, the later.
    pub(super) fn write_document(&mut self, key: &str, number: i64) -> Result<(), Stop> {
        self.connection
            .prepare_cached(
                "INSERT INTO document (key, number) VALUES (?1, ?2) \
                 ON CONFLICT (key) DO UPDATE SET number = excluded.number",
            )?
            .execute((key, number))?;
        Ok(())
    }

    /// Adds a version to the register of staff and organisations.
    pub(super) fn write_listing(
        &mut self,
        number: i64,
        listing: &Listing,
        received_at_ms: i64,
    ) -> Result<(), Stop> {
        let (key, wrapped) = self.keys.fresh(Place::row_key(number))?;
        key.seal(Place::record(0, number), &listing.bytes, &mut self.scratch)?;
        self.connection
            .prepare_cached(
                "INSERT INTO directory (number, key, received_at_ms, wrapped, sealed) \
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (number) DO UPDATE SET \
                 key = excluded.key, received_at_ms = excluded.received_at_ms, \
                 wrapped = excluded.wrapped, sealed = excluded.sealed",
            )?
            .execute((number, &listing.key, received_at_ms, wrapped, &self.scratch[..]))?;
        Ok(())
    }
}

/// The record that holds a document; `None` if there is none, or its person is erased.
pub fn document(
    connection: &Connection,
    keys: &StoreKeys,
    key: &str,
) -> Result<Option<Found>, StoreError> {
    let snapshot = connection.snapshot()?;
    let row = snapshot
        .prepare_cached(
            "SELECT record.number, record.person, wrapped, sealed, received_at_ms FROM document \
             JOIN record USING (number) JOIN person ON person.id = record.person WHERE key = ?1",
        )?
        .query_row([key], |row| {
            Ok((
                row.get::<i64>(0)?,
                row.get::<i64>(1)?,
                row.get::<Option<Vec<u8>>>(2)?,
                row.get::<Vec<u8>>(3)?,
                row.get::<i64>(4)?,
            ))
        })
        .optional()?;
    let Some((number, person, Some(wrapped), sealed, received_at_ms)) = row else {
        return Ok(None);
    };
    let key = keys.unwrap(Place::person_key(person), &wrapped)?;
    let record = record::read(&key.open(Place::record(person, number), &sealed)?)?;
    let entry = PersonId(person);
    let holder = Holder { entry, root: index::root(&snapshot, entry)? };
    Ok(Some(Found { holder, record, received_at_ms }))
}

/// The newest version of an entry, with the time it arrived.
pub fn listing(
    connection: &Connection,
    keys: &StoreKeys,
    key: &str,
) -> Result<Option<(Record, i64)>, StoreError> {
    let row = connection
        .prepare_cached(
            "SELECT number, wrapped, sealed, received_at_ms FROM directory WHERE key = ?1 \
             ORDER BY number DESC LIMIT 1",
        )?
        .query_row([key], |row| {
            Ok((
                row.get::<i64>(0)?,
                row.get::<Vec<u8>>(1)?,
                row.get::<Vec<u8>>(2)?,
                row.get::<i64>(3)?,
            ))
        })
        .optional()?;
    let Some((number, wrapped, sealed, received_at_ms)) = row else { return Ok(None) };
    let key = keys.unwrap(Place::row_key(number), &wrapped)?;
    Ok(Some((record::read(&key.open(Place::record(0, number), &sealed)?)?, received_at_ms)))
}
