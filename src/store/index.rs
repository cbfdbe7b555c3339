//! 主索引, the index of persons: which tokens lead to whom, and who is merged into whom.
//!
//! A link is a row with the journal number that made it; a merge is a dated event and
//! can be undone. Records stay with the person they came to, under that person's key;
//! reading a person reads everybody merged into the same root.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::error::StoreError;
use super::seal::{DataKey, Place};
use super::writer::{Stop, Writer};
use crate::identity::resident::resolve;
use crate::identity::{Indexed, PersonId, Resolution, Token};
use crate::vocabulary::{IdentifierKind, Position};

/// Everybody who is one person with `?1`, who must be a root.
const SET: &str = "WITH RECURSIVE one(id) AS (VALUES (?1) UNION \
     SELECT person.id FROM person JOIN one ON person.merged_into = one.id) ";

/// Joins that may lead one to another up to a root; more is a damaged file.
const JOINS_DEEP_MAX: usize = 10_000;

/// What the writer remembers of a person.
#[derive(Clone)]
pub struct Person {
    key: Option<Arc<DataKey>>,
    merged_into: Option<PersonId>,
}

/// Whom a set of identifiers means.
pub struct Meant<'a> {
    /// The person they are linked to and the root that person is merged into.
    pub known: Option<(PersonId, PersonId)>,
    /// The identifiers that lead to nobody yet.
    pub unknown: Vec<&'a Indexed>,
}

/// Identifiers of one message belong to different persons; where the first of them stood.
pub struct Conflict(pub Option<Position>);

impl Writer {
    /// Whom the identifiers mean, by the rule of `identity`. Writes nothing.
    pub(super) fn meant<'a>(
        &mut self,
        identifiers: &[&'a Indexed],
    ) -> Result<Result<Meant<'a>, Conflict>, Stop> {
        let (mut holders, mut roots, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for indexed in identifiers {
            match self.holder(&indexed.token)? {
                Some(holder) => {
                    roots.push(self.root(holder)?);
                    holders.push(holder);
                }
                None => unknown.push(*indexed),
            }
        }
        // Two citizen ids are two people, whoever is known already. Of the person known,
        // only a new citizen id can contradict; a known one costs no statement.
        let named = identifiers.iter().filter(|indexed| national(indexed)).count();
        let contradicted = match roots.first() {
            _ if named > 1 => true,
            Some(root) if unknown.iter().any(national) => self.has_citizen_id(*root)?,
            _ => false,
        };
        let resolved = match resolve(roots, contradicted) {
            Ok(Resolution::New) if contradicted => None,
            Ok(resolution) => Some(resolution),
            Err(_) => None,
        };
        let Some(resolution) = resolved else {
            let at = identifiers.iter().find_map(|indexed| indexed.at.clone());
            return Ok(Err(Conflict(at)));
        };
        let known = match resolution {
            Resolution::New => None,
            Resolution::Known(root) => {
                holders.dedup();
                let holder = holders.first().filter(|_| holders.len() == 1).copied();
                Some((holder.unwrap_or(root), root))
            }
        };
        Ok(Ok(Meant { known, unknown }))
    }

    /// Whether joining the two would make one person of two citizen ids.
    pub(super) fn contradict(&self, from: &Meant<'_>, into: &Meant<'_>) -> Result<bool, Stop> {
        let same = from.known.is_some() && from.known.map(|at| at.1) == into.known.map(|at| at.1);
        Ok(!same && self.has_national(from)? && self.has_national(into)?)
    }

    /// The person meant, made if new, with every new identifier linked.
    pub(super) fn admit(
        &mut self,
        meant: &Meant<'_>,
        journal: i64,
    ) -> Result<(PersonId, PersonId), Stop> {
        let (holder, root) = match meant.known {
            // Whoever has no key any more is refused before anything is written.
            Some(known) => self.key(known.0).map(|_| known)?,
            None => self.create().map(|person| (person, person))?,
        };
        for indexed in &meant.unknown {
            self.connection
                .prepare_cached("INSERT INTO identifier VALUES (?1, ?2, ?3, ?4)")?
                .execute((indexed.token.as_bytes(), holder.0, indexed.kind.as_str(), journal))?;
            if indexed.kind == IdentifierKind::CitizenId {
                self.connection
                    .prepare_cached("UPDATE person SET citizen = 1 WHERE id = ?1")?
                    .execute([holder.0])?;
            }
            self.tokens.keep(indexed.token, holder);
        }
        Ok((holder, root))
    }

    /// Joins two roots; a person is never joined to itself.
    pub(super) fn join(
        &mut self,
        (from, into): (PersonId, PersonId),
        at_ms: i64,
        journal: Option<i64>,
    ) -> Result<(), Stop> {
        if from != into {
            self.link(from, Some(into), (at_ms, journal))?;
        }
        Ok(())
    }

    /// An operator's merge.
    pub(super) fn merge(
        &mut self,
        from: PersonId,
        into: PersonId,
        at_ms: i64,
    ) -> Result<Vec<PersonId>, Stop> {
        let (from, into) = (self.root(from)?, self.root(into)?);
        if from != into && self.has_citizen_id(from)? && self.has_citizen_id(into)? {
            return Err(StoreError::Conflict.into());
        }
        self.join((from, into), at_ms, None)?;
        Ok(self.with_root(into)?)
    }

    /// Undoes a merge; the answer names everybody whose records look different now.
    pub(super) fn unmerge(&mut self, person: PersonId, at_ms: i64) -> Result<Vec<PersonId>, Stop> {
        if self.recall(person)?.merged_into.is_none() {
            return Err(StoreError::Unknown.into());
        }
        let root = self.root(person)?;
        let mut touched = self.with_root(root)?;
        self.link(person, None, (at_ms, None))?;
        touched.retain(|other| *other != person);
        touched.insert(0, person);
        Ok(touched)
    }

    /// Destroys the keys of everybody who is this person, and unlinks their identifiers.
    pub(super) fn erase(&mut self, person: PersonId, at_ms: i64) -> Result<Vec<PersonId>, Stop> {
        let root = self.root(person)?;
        let all = self.with_root(root)?;
        for each in &all {
            self.connection
                .prepare_cached(
                    "UPDATE person SET wrapped = NULL, erased_at_ms = ?2 \
                     WHERE id = ?1 AND wrapped IS NOT NULL",
                )?
                .execute((each.0, at_ms))?;
            self.connection
                .prepare_cached("DELETE FROM identifier WHERE person = ?1")?
                .execute([each.0])?;
            self.persons.forget(each);
        }
        self.tokens.clear();
        self.relinked = true;
        Ok(all)
    }

    /// The key of a person; an erased person has none.
    pub(super) fn key(&mut self, person: PersonId) -> Result<Arc<DataKey>, Stop> {
        self.recall(person)?.key.ok_or_else(|| StoreError::Unknown.into())
    }

    /// A root and everybody merged into it, the root first.
    pub(super) fn with_root(&self, root: PersonId) -> rusqlite::Result<Vec<PersonId>> {
        set(&self.connection, root)
    }

    fn create(&mut self) -> Result<PersonId, Stop> {
        let person = PersonId(self.next.person);
        let (key, wrapped) = self.keys.fresh(Place::person_key(person.0))?;
        self.connection
            .prepare_cached("INSERT INTO person (id, wrapped, citizen) VALUES (?1, ?2, 0)")?
            .execute((person.0, wrapped))?;
        self.next.person += 1;
        self.persons.keep(person, Person { key: Some(Arc::new(key)), merged_into: None });
        Ok(person)
    }

    fn link(
        &mut self,
        person: PersonId,
        into: Option<PersonId>,
        (at_ms, journal): (i64, Option<i64>),
    ) -> Result<(), Stop> {
        let into_id = into.map(|target| target.0);
        self.connection
            .prepare_cached("UPDATE person SET merged_into = ?2 WHERE id = ?1")?
            .execute((person.0, into_id))?;
        self.connection
            .prepare_cached(
                "INSERT INTO merge (person, target, at_ms, journal) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((person.0, into_id, at_ms, journal))?;
        self.persons.forget(&person);
        self.relinked = true;
        Ok(())
    }

    fn holder(&mut self, token: &Token) -> rusqlite::Result<Option<PersonId>> {
        if let Some(holder) = self.tokens.look(token) {
            return Ok(Some(holder));
        }
        let found = holder(&self.connection, token)?;
        if let Some(person) = found {
            self.tokens.keep(*token, person);
        }
        Ok(found)
    }

    fn root(&mut self, person: PersonId) -> Result<PersonId, Stop> {
        let mut root = person;
        // Joins are made between roots alone, so the way up has no circle.
        for _ in 0..JOINS_DEEP_MAX {
            match self.recall(root)?.merged_into {
                Some(next) => root = next,
                None => return Ok(root),
            }
        }
        Err(StoreError::Damaged.into())
    }

    fn recall(&mut self, person: PersonId) -> Result<Person, Stop> {
        if let Some(known) = self.persons.look(&person) {
            return Ok(known);
        }
        let row: Option<(Option<Vec<u8>>, Option<i64>)> = self
            .connection
            .prepare_cached("SELECT wrapped, merged_into FROM person WHERE id = ?1")?
            .query_row([person.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (wrapped, merged_into) = row.ok_or(StoreError::Unknown)?;
        let key = match wrapped {
            Some(wrapped) => Some(self.keys.unwrap(Place::person_key(person.0), &wrapped)?),
            None => None,
        };
        let found = Person { key: key.map(Arc::new), merged_into: merged_into.map(PersonId) };
        self.persons.keep(person, found.clone());
        Ok(found)
    }

    fn has_national(&self, meant: &Meant<'_>) -> rusqlite::Result<bool> {
        let linked = match meant.known {
            Some((_, root)) => self.has_citizen_id(root)?,
            None => false,
        };
        Ok(linked || meant.unknown.iter().any(national))
    }

    fn has_citizen_id(&self, root: PersonId) -> rusqlite::Result<bool> {
        let sql = format!(
            "{SET} SELECT EXISTS (SELECT 1 FROM person JOIN one USING (id) WHERE citizen = 1)"
        );
        self.connection.prepare_cached(&sql)?.query_row([root.0], |row| row.get(0))
    }
}

fn national(indexed: &&Indexed) -> bool {
    indexed.kind == IdentifierKind::CitizenId
}

/// The person a token is linked to.
pub fn holder(connection: &Connection, token: &Token) -> rusqlite::Result<Option<PersonId>> {
    connection
        .prepare_cached("SELECT person FROM identifier WHERE token = ?1")?
        .query_row([token.as_bytes()], |row| row.get(0).map(PersonId))
        .optional()
}

/// The root a person is merged into.
pub fn root(connection: &Connection, person: PersonId) -> Result<PersonId, StoreError> {
    let mut select = connection.prepare_cached("SELECT merged_into FROM person WHERE id = ?1")?;
    let mut root = person.0;
    for _ in 0..JOINS_DEEP_MAX {
        match select.query_row([root], |row| row.get::<_, Option<i64>>(0)).optional()? {
            Some(Some(next)) => root = next,
            _ => return Ok(PersonId(root)),
        }
    }
    Err(StoreError::Damaged)
}

/// A root and everybody merged into it, the root first.
pub fn set(connection: &Connection, root: PersonId) -> rusqlite::Result<Vec<PersonId>> {
    let sql = format!("{SET} SELECT id FROM one ORDER BY id <> ?1, id");
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map([root.0], |row| row.get(0).map(PersonId))?;
    rows.collect()
}
