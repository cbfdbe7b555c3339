//! 主索引, the index of persons: which tokens lead to whom.
//!
//! A person row is an entry: what one source says of one person. Within a source its
//! numbers say which entry is meant; who is one person across entries is found in
//! `place`, and `merged_into` leads from an entry to the one that stands for the person.
//! Records stay with the entry they came to, under that entry's key; reading a person
//! reads every entry of it.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::ahead::Person;
use super::error::StoreError;
use super::generation::Generations;
use super::seal::{DataKey, Place};
use super::sql::{self, Connection, Optional, Statement};
use super::writer::{Stop, Writer};
use crate::identity::resident::resolve;
use crate::identity::{Indexed, PersonId, Resolution, Token};
use crate::vocabulary::{IdentifierKind, Position, Source};

/// Everybody who is one person with `?1`, who must be a root. A cross join is walked in its
/// order: these few lead to their rows, which no planner knows of a table it has no figures of.
const SET: &str = "WITH RECURSIVE one(id) AS (VALUES (CAST(?1 AS BIGINT)) UNION \
     SELECT person.id FROM one CROSS JOIN person WHERE person.merged_into = one.id) ";

/// The citizen ids of its entries, and the generation of each.
pub(super) const CITIZEN_IDS: &str = "SELECT token, generation FROM one CROSS JOIN person \
     CROSS JOIN identifier WHERE person.id = one.id AND identifier.person = one.id \
     AND kind = 'citizen-id'";

/// Its entries, the root first.
pub(super) const MEMBERS: &str = "SELECT id FROM one ORDER BY id <> ?1, id";

/// Whether a token is of another entry too.
const SHARED: &str = "SELECT 1 FROM identifier WHERE token IN (?1, ?2) AND person <> ?3 LIMIT 1";

/// Joins that may lead one to another up to a root; more is a damaged file.
const JOINS_DEEP_MAX: usize = 10_000;

/// A citizen id of somebody else, by the birth date inside.
pub const BORROWED: i64 = 2;

/// Whom a set of identifiers means.
pub struct Meant<'a> {
    /// Who says so.
    pub source: Source,
    /// The entry they mean, and the entry that stands for its person.
    pub known: Option<(PersonId, PersonId)>,
    /// The identifiers the entry does not have yet.
    pub unknown: Vec<&'a Indexed>,
}

/// Identifiers of one message belong to different entries; where the first of them stood.
pub struct Conflict(pub Option<Position>);

impl Writer {
    /// Which entry of `source` the identifiers mean, by the rule of `identity`. Writes nothing.
    ///
    /// A number the source assigned says it alone; only where there is none do others.
    pub(super) fn meant<'a>(
        &mut self,
        source: Source,
        identifiers: &[&'a Indexed],
    ) -> Result<Result<Meant<'a>, Conflict>, Stop> {
        let assigned = identifiers.iter().any(|indexed| indexed.kind == IdentifierKind::Local);
        let (mut holders, mut roots, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for indexed in identifiers {
            let decides = !assigned || indexed.kind == IdentifierKind::Local;
            match self.holder((indexed.token, source))? {
                Some(holder) if decides => {
                    roots.push(self.root(holder)?);
                    holders.push(holder);
                }
                found => unknown.push((*indexed, found)),
            }
        }
        let holder = holders.first().copied();
        let unknown = self.not_of(holder, unknown)?;
        // Two citizen ids are two people. What other sources say of the person is weighed
        // later; an entry itself has one id, and only a new one can contradict it.
        let named = identifiers.iter().filter(|indexed| national(indexed)).count();
        let contradicted = match holder {
            _ if named > 1 => true,
            Some(holder) if unknown.iter().any(national) => self.is_national(holder)?,
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
        Ok(Ok(Meant { source, known, unknown }))
    }

    /// Those of the identifiers, each with the first entry of its source that has it, that are
    /// not this entry's yet.
    fn not_of<'a>(
        &self,
        holder: Option<PersonId>,
        identifiers: Vec<(&'a Indexed, Option<PersonId>)>,
    ) -> sql::Result<Vec<&'a Indexed>> {
        let mut found = Vec::new();
        for (indexed, first) in identifiers {
            let its = match holder {
                Some(holder) => first == Some(holder) || self.has(holder, &indexed.token)?,
                None => false,
            };
            if !its {
                found.push(indexed);
            }
        }
        Ok(found)
    }

    /// Whether an entry has that identifier.
    fn has(&self, entry: PersonId, token: &Token) -> sql::Result<bool> {
        let [token, ending] = self.generations.covers(token);
        self.connection
            .prepare_cached("SELECT 1 FROM identifier WHERE token IN (?1, ?2) AND person = ?3")?
            .exists((token, ending, entry.0))
    }

    /// Whether joining the two would make one person of two citizen ids.
    pub(super) fn contradict(&self, from: &Meant<'_>, into: &Meant<'_>) -> Result<bool, Stop> {
        let same = from.known.is_some() && from.known.map(|at| at.1) == into.known.map(|at| at.1);
        let (from, into) = (self.citizen_ids(from)?, self.citizen_ids(into)?);
        Ok(!same && apart(&from, &into))
    }

    /// Every citizen id of the person meant, and those the message brings.
    fn citizen_ids(&self, meant: &Meant<'_>) -> Result<Vec<Token>, StoreError> {
        let mut found = match meant.known {
            Some((_, root)) => citizen_ids(&self.connection, &self.generations, root)?,
            None => Vec::new(),
        };
        let new = meant.unknown.iter().filter(|indexed| national(indexed));
        found.extend(new.map(|indexed| indexed.token));
        Ok(found)
    }

    /// The entry meant, made if new, with every new identifier linked.
    pub(super) fn admit(
        &mut self,
        meant: &Meant<'_>,
        journal: i64,
    ) -> Result<(PersonId, PersonId), Stop> {
        let (holder, root) = match meant.known {
            // Whoever has no key any more is refused before anything is written.
            Some(known) => self.key(known.0).map(|_| known)?,
            None => {
                let first = meant.unknown.first().ok_or(StoreError::Unknown)?;
                let mark = mark(&first.token, meant.source);
                self.create(meant.source, mark).map(|person| (person, person))?
            }
        };
        if !meant.unknown.is_empty() {
            self.lift(holder)?;
        }
        for indexed in &meant.unknown {
            let token = self.generations.current.cover(&indexed.token);
            let source = meant.source.as_str();
            self.connection
                .prepare_cached(
                    "INSERT INTO identifier VALUES (?1, ?2, ?3, ?4, ?5, 1) ON CONFLICT DO NOTHING",
                )?
                .execute((token, source, holder.0, indexed.kind.as_str(), journal))?;
            if indexed.kind == IdentifierKind::CitizenId {
                self.connection
                    .prepare_cached("UPDATE person SET citizen = 1 WHERE id = ?1")?
                    .execute([holder.0])?;
            }
            self.tokens.keep((indexed.token, meant.source), Some(holder));
            self.changes.linked = true;
        }
        self.ask_whether_shared(&meant.unknown, holder)?;
        Ok((holder, root))
    }

    pub(super) fn source(&self, entry: PersonId) -> Result<Source, Stop> {
        let name: String = self
            .connection
            .prepare_cached("SELECT coalesce(source, '') FROM person WHERE id = ?1")?
            .query_row([entry.0], |row| row.get(0))?;
        Source::parse(&name).map_err(|_| StoreError::Damaged.into())
    }

    /// Others may have one of them too: then what readers remember is too little. A server is not
    /// waited for: the end of the turn is early enough to know.
    fn ask_whether_shared(
        &mut self,
        identifiers: &[&Indexed],
        holder: PersonId,
    ) -> sql::Result<()> {
        for indexed in identifiers {
            let [token, ending] = self.generations.covers(&indexed.token);
            let values = (token, ending, holder.0);
            self.shares.push(self.connection.ask(SHARED, values, |_| Ok(()))?);
        }
        Ok(())
    }

    /// Destroys the keys of everybody who is this person, and unlinks their identifiers.
    pub(super) fn erase(&mut self, person: PersonId, at_ms: i64) -> Result<Vec<PersonId>, Stop> {
        let root = self.root(person)?;
        let all = self.with_root(root)?;
        self.leave_lists(root)?;
        for each in &all {
            self.connection
                .prepare_cached(
                    "UPDATE person SET wrapped = NULL, erased_at_ms = ?2 \
                     WHERE id = ?1 AND wrapped IS NOT NULL",
                )?
                .execute((each.0, at_ms))?;
            for sql in [
                "DELETE FROM identifier WHERE person = ?1",
                "DELETE FROM moved WHERE one = ?1 OR other = ?1",
            ] {
                self.connection.prepare_cached(sql)?.execute([each.0])?;
            }
            self.unplace(*each)?;
            self.forget_person(*each);
        }
        self.tokens.clear();
        (self.changes.linked, self.changes.relinked, self.changes.all) = (true, true, true);
        Ok(all)
    }

    /// The key of a person; an erased person has none.
    pub(super) fn key(&mut self, person: PersonId) -> Result<Arc<DataKey>, Stop> {
        self.recall(person)?.key.ok_or_else(|| StoreError::Unknown.into())
    }

    /// A root and everybody merged into it, the root first.
    pub(super) fn with_root(&self, root: PersonId) -> sql::Result<Vec<PersonId>> {
        set(&self.connection, root)
    }

    fn create(&mut self, source: Source, mark: i64) -> Result<PersonId, Stop> {
        let person = PersonId(self.next.person);
        let (key, wrapped) = self.keys.fresh(Place::person_key(person.0))?;
        let current = &self.generations.current;
        self.connection
            .prepare_cached(
                "INSERT INTO person (id, wrapped, citizen, source, mark, generation) \
                 VALUES (?1, ?2, 0, ?3, ?4, ?5)",
            )?
            .execute((
                person.0,
                wrapped,
                source.as_str(),
                current.cover_mark(mark),
                current.number,
            ))?;
        self.next.person += 1;
        let made = Person { key: Some(Arc::new(key)), merged_into: None, seen: None };
        self.persons.keep(person, made);
        Ok(person)
    }

    /// Leads an entry to the one that stands for its person, or to itself; a dated event.
    pub(super) fn link(
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
        self.forget_person(person);
        self.changes.relinked = true;
        Ok(())
    }

    /// The entry that stands for the person of this one.
    pub(super) fn root(&mut self, person: PersonId) -> Result<PersonId, Stop> {
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

    /// Whether an entry has a citizen id of its own.
    fn is_national(&self, entry: PersonId) -> sql::Result<bool> {
        self.connection
            .prepare_cached("SELECT citizen FROM person WHERE id = ?1")?
            .query_row([entry.0], |row| row.get(0))
    }
}

/// Whether both have citizen ids and none in common.
pub fn apart(one: &[Token], other: &[Token]) -> bool {
    !one.is_empty() && !other.is_empty() && one.iter().all(|token| !other.contains(token))
}

/// What ends ties between entries: nothing in it says when they came.
fn mark(token: &Token, source: Source) -> i64 {
    let digest = Sha256::new().chain_update(token.as_bytes()).chain_update(source.as_str());
    let digest: [u8; 32] = digest.finalize().into();
    digest.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes) >> 1)
}

fn national(indexed: &&Indexed) -> bool {
    indexed.kind == IdentifierKind::CitizenId
}

/// The citizen ids of every entry of a person.
pub fn citizen_ids(
    connection: &Connection,
    generations: &Generations,
    root: PersonId,
) -> Result<Vec<Token>, StoreError> {
    let mut select = connection.prepare_cached(&of_set(CITIZEN_IDS))?;
    uncovered(&mut select, generations, root)
}

/// A question about everybody who is one person.
pub(super) fn of_set(question: &str) -> String {
    format!("{SET} {question}")
}

/// Every token of an entry.
pub fn tokens(
    connection: &Connection,
    generations: &Generations,
    entry: PersonId,
) -> Result<Vec<Token>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT token, generation FROM identifier JOIN person ON person.id = identifier.person \
         WHERE identifier.person = ?1",
    )?;
    uncovered(&mut select, generations, entry)
}

/// The tokens of rows that say their generation, each once and in order.
fn uncovered(
    select: &mut Statement<'_>,
    generations: &Generations,
    of: PersonId,
) -> Result<Vec<Token>, StoreError> {
    let mut tokens = Vec::new();
    let mut rows = select.query([of.0])?;
    while let Some(row) = rows.next()? {
        tokens.push(generations.of(row.get(1)?)?.uncover(row.get(0)?));
    }
    tokens.sort_unstable();
    tokens.dedup();
    Ok(tokens)
}

/// The entries a token is linked to, those it is most surely of first.
pub fn holders(
    connection: &Connection,
    generations: &Generations,
    token: &Token,
) -> sql::Result<Vec<(PersonId, i64)>> {
    let mut select = connection.prepare_cached(
        "SELECT person, claim FROM identifier WHERE token IN (?1, ?2) ORDER BY claim, person",
    )?;
    let rows = select
        .query_map(generations.covers(token), |row| Ok((row.get(0).map(PersonId)?, row.get(1)?)))?;
    rows.collect()
}

/// Whose a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The entry it stands in.
    pub entry: PersonId,
    /// The person that entry is of, after merges.
    pub root: PersonId,
}

/// The person a token leads to: of those whose number it may be, not of those who only
/// used it.
///
/// # Errors
/// [`StoreError::Conflict`] if it may be several persons'.
pub fn holder(
    connection: &Connection,
    generations: &Generations,
    token: &Token,
) -> Result<Option<Holder>, StoreError> {
    let holders = holders(connection, generations, token)?;
    let Some((entry, best)) = holders.first().copied() else { return Ok(None) };
    let found = Holder { entry, root: root(connection, entry)? };
    for (other, _) in holders.into_iter().skip(1).take_while(|(_, claim)| *claim == best) {
        if root(connection, other)? != found.root {
            return Err(StoreError::Conflict);
        }
    }
    Ok(Some(found))
}

/// The entry of a token that somebody said is another's.
pub fn merged(
    connection: &Connection,
    generations: &Generations,
    token: &Token,
) -> sql::Result<Option<PersonId>> {
    let mut select = connection.prepare_cached(
        "SELECT person FROM identifier JOIN assertion ON one = person \
         WHERE token IN (?1, ?2) AND same = 1 AND ended_at_ms IS NULL ORDER BY event DESC LIMIT 1",
    )?;
    select.query_row(generations.covers(token), |row| row.get(0).map(PersonId)).optional()
}

/// The root a person is merged into.
pub fn root(connection: &Connection, person: PersonId) -> Result<PersonId, StoreError> {
    let mut select = connection.prepare_cached("SELECT merged_into FROM person WHERE id = ?1")?;
    let mut root = person.0;
    for _ in 0..JOINS_DEEP_MAX {
        match select.query_row([root], |row| row.get::<Option<i64>>(0)).optional()? {
            Some(Some(next)) => root = next,
            _ => return Ok(PersonId(root)),
        }
    }
    Err(StoreError::Damaged)
}

/// A root and everybody merged into it, the root first.
pub fn set(connection: &Connection, root: PersonId) -> sql::Result<Vec<PersonId>> {
    let mut select = connection.prepare_cached(&of_set(MEMBERS))?;
    let rows = select.query_map([root.0], |row| row.get(0).map(PersonId))?;
    rows.collect()
}
