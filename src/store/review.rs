//! 待审, pairs that somebody should look at, and what agreements are worth.

use std::sync::Arc;

use serde::Serialize;

use super::assertion::Said;
use super::error::StoreError;
use super::found::candidates;
use super::generation::Generations;
use super::index;
use super::ledger::limited;
use super::place::Moves;
use super::record;
use super::rotation::{self, Rotation, in_force};
use super::seal::{Place, StoreKeys};
use super::sql::{self, Connection, Optional};
use super::writer::{Stop, Writer};
use crate::identity::linkage::{
    Contribution, Fingerprint, Judged, Traits, Veiled, Verdict, Weights,
};
use crate::identity::{PersonId, Token};
use crate::vocabulary::Record;

/// Two entries of different persons that may be one.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// The two.
    pub pair: (PersonId, PersonId),
    /// Their sources.
    pub sources: (String, String),
    /// By which rule.
    pub rule: String,
    /// Logarithm of the odds that they are one.
    pub weight: f64,
    /// Since when it waits, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who has said that they are one, if a first reviewer has.
    pub proposed_by: Option<String>,
}

/// One entry, as a reviewer sees it.
pub struct Side {
    /// Which.
    pub entry: PersonId,
    /// Who stands for its person.
    pub person: PersonId,
    /// The newest record it has; sealed until now.
    pub record: Option<Record>,
}

/// Two entries side by side, with what speaks for and against.
pub struct Compared {
    /// The two.
    pub sides: [Side; 2],
    /// Field by field, what it is worth, and by which rule; `None` if one has no traits.
    pub judged: Option<(Judged, Vec<Contribution>)>,
}

/// What became of a reviewer's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// A second reviewer has to confirm it.
    Waits,
    /// It is carried out; everybody whose records look different now.
    Done(Vec<PersonId>),
    /// The same person may not confirm what they proposed.
    Own,
}

/// How the index stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Stats {
    /// By source: entries, and those that are nobody else's.
    pub sources: Vec<(String, u64, u64)>,
    /// Persons.
    pub persons: u64,
    /// Entries of one source that are one person there: duplicates.
    pub duplicates: Vec<(String, u64)>,
    /// Pairs that wait, and since when the oldest.
    pub queue: u64,
    /// Milliseconds since 1970 of the oldest.
    pub oldest_ms: Option<i64>,
    /// With how many entries the weights were learned; 0 for those that were assumed.
    pub learned_from: u64,
    /// How far the tokens are in their rotation.
    pub tokens: Rotation,
    /// Of sources that veil themselves: source, fingerprint of the key, entries.
    pub veiled: Vec<(String, String, u64)>,
}

/// The weights that count now.
pub fn weights(connection: &Connection) -> Result<Weights, StoreError> {
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT bytes FROM weights ORDER BY version DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    match bytes {
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged),
        None => Ok(Weights::default()),
    }
}

impl Writer {
    /// A reviewer says that two are one: a second one has to say so too.
    pub(super) fn propose(&mut self, said: &Said) -> Result<Proposal, Stop> {
        let (one, other) = sorted(said.pair);
        let first: Option<String> = self
            .connection
            .prepare_cached("SELECT said_by FROM proposal WHERE one = ?1 AND other = ?2")?
            .query_row((one.0, other.0), |row| row.get(0))
            .optional()?;
        match first {
            Some(first) if first == said.by => Ok(Proposal::Own),
            Some(first) => {
                let by = format!("{first}, {}", said.by);
                let moves = self.assert(&Said { by, ..said.clone() })?;
                Ok(Proposal::Done(moves.touched.into_iter().collect()))
            }
            None => {
                self.recall(one)?;
                self.recall(other)?;
                self.connection
                    .prepare_cached("INSERT INTO proposal VALUES (?1, ?2, ?3, ?4)")?
                    .execute((one.0, other.0, &said.by, said.at_ms))?;
                Ok(Proposal::Waits)
            }
        }
    }

    pub(super) fn forget_proposal(&self, pair: (PersonId, PersonId)) -> sql::Result<()> {
        let (one, other) = sorted(pair);
        self.connection
            .prepare_cached("DELETE FROM proposal WHERE one = ?1 AND other = ?2")?
            .execute((one.0, other.0))
    }

    /// Counts by these weights from now on; entries are judged anew one after the other.
    pub(super) fn weigh(
        &mut self,
        weights: &Weights,
        (entries, at_ms): (i64, i64),
    ) -> Result<(), Stop> {
        let bytes = serde_json::to_vec(weights).map_err(|_| StoreError::Damaged)?;
        self.connection
            .prepare_cached("INSERT INTO weights (at_ms, entries, bytes) VALUES (?1, ?2, ?3)")?
            .execute((at_ms, entries, bytes))?;
        self.weights = weights.clone();
        self.changes.ground = true;
        Ok(())
    }

    /// Judges entries anew, by the weights that count now.
    pub(super) fn rejudge_all(&mut self, entries: &[PersonId], at_ms: i64) -> Result<Moves, Stop> {
        let mut moves = Moves::default();
        for entry in entries {
            if let Some(traits) = self.traits(*entry)? {
                self.rejudge(*entry, &traits, at_ms)?;
                moves.extend(self.regroup(&[*entry], (at_ms, None))?);
            }
        }
        Ok(moves)
    }
}

/// What waits, oldest first, after `(at_ms, one, other)`.
pub fn queue(
    connection: &Connection,
    after: (i64, i64, i64),
    limit: usize,
) -> Result<Vec<Review>, StoreError> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT pair.one, pair.other, a.source, b.source, rule, weight, pair.at_ms, \
         proposal.said_by FROM {WAITING} \
         AND (pair.at_ms, pair.one, pair.other) > (?1, ?2, ?3) \
         ORDER BY pair.at_ms, pair.one, pair.other LIMIT ?4"
    ))?;
    let rows = select.query_map((after.0, after.1, after.2, limited(limit)), |row| {
        Ok(Review {
            pair: (row.get(0).map(PersonId)?, row.get(1).map(PersonId)?),
            sources: (text(row, 2)?, text(row, 3)?),
            rule: row.get(4)?,
            weight: row.get(5)?,
            at_ms: row.get(6)?,
            proposed_by: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<sql::Result<_>>()?)
}

/// Pairs that wait: of two persons, and nobody has said anything of the two.
pub(super) const WAITING: &str = "pair \
    JOIN person a ON a.id = pair.one JOIN person b ON b.id = pair.other \
    LEFT JOIN proposal ON proposal.one = pair.one AND proposal.other = pair.other \
    WHERE verdict = 2 \
    AND coalesce(a.merged_into, a.id) <> coalesce(b.merged_into, b.id) \
    AND NOT EXISTS (SELECT 1 FROM assertion WHERE ended_at_ms IS NULL \
    AND assertion.one IN (pair.one, pair.other) AND assertion.other IN (pair.one, pair.other) \
    AND assertion.one <> assertion.other)";

/// Two entries side by side.
pub fn compared(
    connection: &Connection,
    keys: &Arc<StoreKeys>,
    pair: (PersonId, PersonId),
) -> Result<Compared, StoreError> {
    in_force(connection, keys, |reader, generations| {
        let weights = weights(reader)?;
        let sides = [side(reader, keys, pair.0)?, side(reader, keys, pair.1)?];
        let traits = |entry| traits(reader, generations, entry);
        let judged = match (traits(pair.0)?, traits(pair.1)?) {
            (Some(one), Some(other)) => one.against(&other, &weights).map(|judged| {
                let parts = weights.contributions(&judged.comparison, &judged.shared);
                (judged, parts)
            }),
            _ => None,
        };
        Ok(Compared { sides, judged })
    })
}

fn side(connection: &Connection, keys: &StoreKeys, entry: PersonId) -> Result<Side, StoreError> {
    let row = connection
        .prepare_cached(
            "SELECT wrapped, number, sealed FROM person \
             LEFT JOIN record ON record.person = person.id AND record.number = \
             (SELECT max(number) FROM record WHERE record.person = person.id) \
             WHERE id = ?1",
        )?
        .query_row([entry.0], |row| {
            let (number, sealed) = (row.get::<Option<i64>>(1)?, row.get::<Option<Vec<u8>>>(2)?);
            Ok((row.get::<Option<Vec<u8>>>(0)?, number, sealed))
        })
        .optional()?;
    let (wrapped, number, sealed) = row.ok_or(StoreError::Unknown)?;
    let person = index::root(connection, entry)?;
    let record = match (wrapped, number, sealed) {
        (Some(wrapped), Some(number), Some(sealed)) => {
            let key = keys.unwrap(Place::person_key(entry.0), &wrapped)?;
            Some(record::read(&key.open(Place::record(entry.0, number), &sealed)?)?)
        }
        _ => None,
    };
    Ok(Side { entry, person, record })
}

/// Traits of an entry, as they are kept.
pub fn traits(
    connection: &Connection,
    generations: &Generations,
    entry: PersonId,
) -> Result<Option<Veiled>, StoreError> {
    Ok(traits_of(connection, generations, &[entry])?.pop().map(|(_, veiled)| veiled))
}

/// The same of several entries, of those that have any.
pub fn traits_of(
    connection: &Connection,
    generations: &Generations,
    entries: &[PersonId],
) -> Result<Vec<(PersonId, Veiled)>, StoreError> {
    let asked = entries.iter().map(|entry| [entry.0]);
    let found = connection.answer_each(
        "SELECT traits, generation, veil FROM person WHERE id = ?1",
        asked,
        |row| {
            let bytes: Option<Vec<u8>> = row.get(0)?;
            Ok((bytes, row.get(1)?, row.get::<Option<[u8; 8]>>(2)?))
        },
    )?;
    let mut known = Vec::with_capacity(entries.len());
    for (entry, rows) in entries.iter().zip(found) {
        let Some((Some(bytes), number, by)) = rows.into_iter().next() else { continue };
        let traits = generations.of(number)?.open(*entry, &bytes)?;
        known.push((*entry, Veiled { by: by.map(Fingerprint), traits }));
    }
    Ok(known)
}

/// How the index stands.
pub fn stats(connection: &Connection) -> Result<Stats, StoreError> {
    let snapshot = connection.snapshot()?;
    let count = |sql: &str| snapshot.query_row(sql, [], |row| row.get::<i64>(0));
    let mut stats = Stats {
        persons: count(
            "SELECT count(*) FROM person WHERE merged_into IS NULL AND wrapped IS NOT NULL",
        )?
        .cast_unsigned(),
        queue: count(&format!("SELECT count(*) FROM {WAITING}"))?.cast_unsigned(),
        oldest_ms: snapshot.query_row(
            &format!("SELECT min(pair.at_ms) FROM {WAITING}"),
            [],
            |row| row.get(0),
        )?,
        learned_from: count(
            "SELECT coalesce((SELECT entries FROM weights ORDER BY version DESC LIMIT 1), 0)",
        )?
        .cast_unsigned(),
        tokens: rotation::rotation(&snapshot)?,
        ..Stats::default()
    };
    let mut select = snapshot.prepare_cached(
        "SELECT coalesce(source, ''), count(*), count(*) FILTER (WHERE merged_into IS NULL \
         AND NOT EXISTS (SELECT 1 FROM person other WHERE other.merged_into = person.id)) \
         FROM person WHERE wrapped IS NOT NULL GROUP BY 1 ORDER BY 1",
    )?;
    let rows = select.query_map([], |row| {
        Ok((row.get(0)?, row.get::<i64>(1)?.cast_unsigned(), row.get::<i64>(2)?.cast_unsigned()))
    })?;
    stats.sources = rows.collect::<sql::Result<_>>()?;
    let mut select = snapshot.prepare_cached(
        "SELECT source, CAST(sum(entries - 1) AS BIGINT) FROM \
         (SELECT coalesce(source, '') AS source, count(*) AS entries FROM person \
         WHERE wrapped IS NOT NULL GROUP BY 1, coalesce(merged_into, id)) AS person \
         GROUP BY 1 ORDER BY 1",
    )?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<i64>(1)?.cast_unsigned())))?;
    stats.duplicates = rows.collect::<sql::Result<_>>()?;
    let mut select = snapshot.prepare_cached(
        "SELECT coalesce(source, ''), veil, count(*) FROM person WHERE veil IS NOT NULL \
         GROUP BY 1, 2 ORDER BY 1, 2",
    )?;
    let rows = select.query_map([], |row| {
        let by = Fingerprint(row.get(1)?).to_string();
        Ok((row.get(0)?, by, row.get::<i64>(2)?.cast_unsigned()))
    })?;
    stats.veiled = rows.collect::<sql::Result<_>>()?;
    Ok(stats)
}

/// Every entry that can be compared, oldest first.
pub fn entries(connection: &Connection) -> Result<Vec<PersonId>, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT id FROM person WHERE wrapped IS NOT NULL ORDER BY id")?;
    let rows = select.query_map([], |row| row.get(0).map(PersonId))?;
    Ok(rows.collect::<sql::Result<_>>()?)
}

/// Traits of at most `limit` entries: all of them, or whole persons taken evenly. Of several
/// keys that veil, those of the one most were made by.
pub fn sample(
    connection: &Connection,
    generations: &Generations,
    limit: usize,
) -> Result<Vec<Traits>, StoreError> {
    let all: i64 =
        connection.query_row("SELECT count(traits) FROM person", [], |row| row.get(0))?;
    let every = (all / limited(limit).max(1)) + 1;
    let by: Option<Option<[u8; 8]>> = connection
        .query_row(
            "SELECT veil FROM person WHERE traits IS NOT NULL GROUP BY veil \
             ORDER BY count(*) DESC, veil LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let mut select = connection.prepare_cached(
        "SELECT id, traits, mark, generation FROM person WHERE traits IS NOT NULL \
         AND veil IS NOT DISTINCT FROM ?2 AND coalesce(merged_into, id) % ?1 = 0 ORDER BY id",
    )?;
    let mut found = Vec::new();
    let mut rows = select.query((every, by.flatten()))?;
    while let Some(row) = rows.next()? {
        let (entry, bytes) = (row.get(0).map(PersonId)?, row.get::<Vec<u8>>(1)?);
        let generation = generations.of(row.get(3)?)?;
        let mark = row.get::<Option<i64>>(2)?.map(|mark| generation.uncover_mark(mark));
        found.push((mark, generation.open(entry, &bytes)?));
    }
    found.sort_by_key(|(mark, _)| *mark);
    Ok(found.into_iter().map(|(_, traits)| traits).collect())
}

/// Somebody of the index who may be meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Alike {
    /// Who stands for the person.
    pub person: PersonId,
    /// The entry that is most alike.
    pub entry: PersonId,
    /// How, and what follows.
    pub judged: Judged,
}

/// Persons who may have these traits, the likeliest first.
pub fn alike(
    connection: &Connection,
    generations: &Generations,
    traits: Traits,
) -> Result<Vec<Alike>, StoreError> {
    let weights = weights(connection)?;
    let described = Veiled { by: None, traits };
    let mut found: Vec<Alike> = Vec::new();
    let entries = candidates(connection, generations, &described.traits)?;
    let entries: Vec<_> = entries.into_iter().collect();
    for (entry, other) in traits_of(connection, generations, &entries)? {
        let judged = described.against(&other, &weights);
        if let Some(judged) = judged.filter(|judged| judged.verdict >= Verdict::Review) {
            found.push(Alike { person: index::root(connection, entry)?, entry, judged });
        }
    }
    found.sort_by(|a, b| {
        let sure = b.judged.verdict.cmp(&a.judged.verdict);
        sure.then(b.judged.weight.total_cmp(&a.judged.weight)).then(a.entry.cmp(&b.entry))
    });
    let mut persons = std::collections::BTreeSet::new();
    found.retain(|alike| persons.insert(alike.person));
    Ok(found)
}

/// An entry a number leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub entry: PersonId,
    /// Who stands for its person.
    pub person: PersonId,
    /// Whose it is.
    pub source: String,
}

/// The entries a token leads to, and every other entry of the same persons.
pub fn entries_of(
    connection: &Connection,
    generations: &Generations,
    token: &Token,
) -> Result<Vec<Entry>, StoreError> {
    let mut found: Vec<Entry> = Vec::new();
    for (holder, _) in index::holders(connection, generations, token)? {
        let person = index::root(connection, holder)?;
        for entry in index::set(connection, person)? {
            let source: Option<String> = connection
                .prepare_cached("SELECT source FROM person WHERE id = ?1")?
                .query_row([entry.0], |row| row.get(0))?;
            let source = source.unwrap_or_default();
            if found.iter().all(|known| known.entry != entry) {
                found.push(Entry { entry, person, source });
            }
        }
    }
    Ok(found)
}

fn text(row: &sql::Row<'_>, column: usize) -> sql::Result<String> {
    Ok(row.get::<Option<String>>(column)?.unwrap_or_default())
}

fn sorted((a, b): (PersonId, PersonId)) -> (PersonId, PersonId) {
    (a.min(b), a.max(b))
}
