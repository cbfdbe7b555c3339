//! 主密钥, the master key: seals the root secret and the keys that wrap others, nothing else.
//!
//! ```text
//! master key ─seals─▶ root secret ─▶ tokens, pseudonyms, digests, handles: these never change
//!            └seals─▶ wrapping key ─seals─▶ keys of persons, rows, lists, generations
//! ```
//!
//! The next master key seals the same root secret and a new wrapping key. In a file of before
//! there were rotations the root secret is its first master key, and the first wrapping key
//! follows from it; in every other both are random.

use zeroize::{Zeroize, Zeroizing};

use super::base;
use super::error::StoreError;
use super::seal::{DataKey, Place, StoreKeys, Wrap, random};
use super::settings::Settings;
use super::sql::{self, Connection, Optional};
use crate::identity::index::derive;

/// The first schema whose files say which master key is in force.
const ROTATES: i64 = 11;
/// What a file of before has sealed, to prove its master key.
const PROOF: &[u8] = b"kangqiao";

/// A master key, made ready.
pub struct Master {
    key: DataKey,
    /// By which a file knows it again; says nothing of it.
    mark: [u8; 16],
}

impl Master {
    /// Makes it ready.
    pub fn new(bytes: &[u8; 32]) -> Result<Self, StoreError> {
        let mut key = derive(bytes, b"kangqiao master seal v1");
        let mut mark = derive(bytes, b"kangqiao master mark v1");
        let made = DataKey::new(&key);
        let short = mark.first_chunk().copied().unwrap_or_default();
        key.zeroize();
        mark.zeroize();
        Ok(Self { key: made?, mark: short })
    }

    /// The number under which a file knows it, and whether it is the one in force.
    pub fn known(&self, connection: &Connection) -> Result<Option<(i64, bool)>, StoreError> {
        let found = connection
            .prepare_cached(
                "SELECT number, number = (SELECT max(number) FROM master) FROM master \
                 WHERE mark = ?1",
            )?
            .query_row([self.mark], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(found)
    }

    /// Comes into force in a file: the root secret stands under it from now on, and so do the
    /// keys that wrap others, with a new one among them.
    pub fn enforce(
        &self,
        connection: &Connection,
        keys: &StoreKeys,
        (number, at_ms): (i64, i64),
    ) -> Result<(), StoreError> {
        let before = number - 1;
        let kept = keys.wrap_under(&self.key, Place::wrap(number, before))?;
        connection
            .prepare_cached("UPDATE master SET root = NULL, wrap = NULL WHERE number < ?1")?
            .execute([before])?;
        connection
            .prepare_cached("UPDATE master SET root = NULL, wrap = ?2 WHERE number = ?1")?
            .execute((before, kept))?;
        keys.begin(Wrap::fresh(number)?);
        self.write(connection, keys, (number, at_ms))
    }

    /// Writes the row of a master key, with the root secret and the key that wraps now.
    fn write(
        &self,
        connection: &Connection,
        keys: &StoreKeys,
        (number, at_ms): (i64, i64),
    ) -> Result<(), StoreError> {
        let mut root = Vec::new();
        self.key.seal(Place::root(number), keys.root(), &mut root)?;
        let wrap = keys.wrap_under(&self.key, Place::wrap(number, number))?;
        connection
            .prepare_cached(
                "INSERT INTO master (number, mark, at_ms, root, wrap) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((number, self.mark, at_ms, root, wrap))?;
        Ok(())
    }

    /// The keys of a file that says which master key is in force.
    fn open(&self, connection: &Connection) -> Result<StoreKeys, StoreError> {
        let number = match self.known(connection)? {
            Some((number, true)) => number,
            Some((_, false)) => return Err(StoreError::MasterReplaced),
            None => return Err(StoreError::MasterKey),
        };
        let root: Vec<u8> =
            connection.query_row("SELECT root FROM master WHERE number = ?1", [number], |row| {
                row.get(0)
            })?;
        let root = self.secret(Place::root(number), &root)?;
        let mut select = connection.prepare_cached(
            "SELECT number, wrap FROM master WHERE wrap IS NOT NULL ORDER BY number",
        )?;
        let rows = select.query_map([], |row| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?)))?;
        let mut wraps = Vec::new();
        for row in rows {
            let (wrap, sealed) = row?;
            wraps.push(Wrap::new(wrap, self.secret(Place::wrap(number, wrap), &sealed)?)?);
        }
        Ok(StoreKeys::new(root, wraps))
    }

    fn secret(&self, place: Place, sealed: &[u8]) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let bytes = Zeroizing::new(self.key.open(place, sealed)?);
        let secret = <[u8; 32]>::try_from(&bytes[..]).map_err(|_| StoreError::Damaged)?;
        Ok(Zeroizing::new(secret))
    }
}

/// The keys of a file, which may be of an earlier schema; writes nothing.
pub fn read(connection: &Connection, master: &[u8; 32]) -> Result<StoreKeys, StoreError> {
    let says = connection.version()? >= ROTATES
        && connection.prepare_cached("SELECT 1 FROM master")?.exists([])?;
    if says {
        return Master::new(master)?.open(connection);
    }
    let keys = StoreKeys::of_master(master)?;
    match proof(connection)? {
        Some(proof) if keys.open(Place::proof(), &proof).is_ok_and(|text| *text == PROOF) => {
            Ok(keys)
        }
        _ => Err(StoreError::MasterKey),
    }
}

/// The keys of a file of this schema; what it does not have yet is made, in one commit.
pub fn open(connection: &Connection, master: &[u8; 32]) -> Result<StoreKeys, StoreError> {
    let fresh = !connection.prepare_cached("SELECT 1 FROM master")?.exists([])?;
    if !fresh {
        return read(connection, master);
    }
    let keys = match proof(connection)? {
        Some(_) => read(connection, master)?,
        None if is_empty(connection)? => StoreKeys::new(random()?, vec![Wrap::fresh(1)?]),
        // Somebody took out what says which key it is under: new ones would open nothing.
        None => return Err(StoreError::Damaged),
    };
    let transaction = connection.begin()?;
    Master::new(master)?.write(&transaction, &keys, (1, 0))?;
    transaction.execute("DELETE FROM proof", [])?;
    transaction.commit()?;
    Ok(keys)
}

/// Whether nothing was ever kept.
pub fn is_empty(connection: &Connection) -> sql::Result<bool> {
    let sql = "SELECT 1 FROM journal UNION ALL SELECT 1 FROM person UNION ALL SELECT 1 FROM ledger";
    connection.prepare_cached(sql)?.exists([]).map(|found| !found)
}

fn proof(connection: &Connection) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(connection.query_row("SELECT sealed FROM proof", [], |row| row.get(0)).optional()?)
}

/// By which a master key is told from others; says nothing of it.
///
/// # Errors
/// [`StoreError::Damaged`] if it is no key.
pub fn mark(master: &[u8; 32]) -> Result<String, StoreError> {
    Ok(shown(&Master::new(master)?.mark))
}

/// A mark in hexadecimal.
pub(super) fn shown(mark: &[u8]) -> String {
    mark.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The number of a master key if it is the one in force in a store; `None` if it is not, or
/// there is nothing that says so.
///
/// # Errors
/// [`StoreError::Newer`], [`StoreError::Sql`].
pub fn in_force(settings: &Settings, master: &[u8; 32]) -> Result<Option<u64>, StoreError> {
    if !base::exists(settings)? {
        return Ok(None);
    }
    let connection = base::reader(settings, 64)?;
    if connection.version()? < ROTATES {
        return Ok(None);
    }
    let known = Master::new(master)?.known(&connection)?;
    Ok(known.filter(|(_, last)| *last).map(|(number, _)| number.cast_unsigned()))
}
