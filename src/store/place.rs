//! 归位, an entry finds its place among persons: its traits, who may be the same, one person.
//!
//! ```text
//! demographics → traits → found by keys → judged pairs → component → groups → links
//! ```
//!
//! Pairs are kept; groups follow from them and from what people asserted, so undoing an
//! assertion or changing an entry leads exactly to where it would be without. All of it is
//! in the commit of the message that caused it.

use std::collections::{BTreeMap, BTreeSet};

use super::error::StoreError;
use super::found::candidates;
use super::index::BORROWED;
use super::review;
use super::seal::StoreKeys;
use super::writer::{Stop, Writer};
use crate::identity::PersonId;
use crate::identity::linkage::compare::{BirthLevel, CitizenLevel, NameLevel, SexLevel};
use crate::identity::linkage::traits::Own;
use crate::identity::linkage::{
    Comparison, Demographics, Link, Rule, Traits, Veiled, Verdict, compare, group,
};
use crate::vocabulary::Record;

/// How traits are made; another number means that every entry is made anew at the start.
pub const VEIL: i64 = 1;
/// Entries that may hang together; beyond, somebody has to look before anything is joined.
const COMPONENT_MAX: usize = 400;

/// What a pair that was judged before becomes.
const JUDGED_ANEW: &str = "ON CONFLICT (one, other) DO UPDATE SET verdict = excluded.verdict, \
    rule = excluded.rule, weight = excluded.weight, at_ms = excluded.at_ms";

/// Who hangs together with an entry at once.
const BESIDE: &str = "SELECT other FROM pair WHERE one = ?1 AND verdict = 3 \
    UNION ALL SELECT one FROM pair WHERE other = ?1 AND verdict = 3 \
    UNION ALL SELECT other FROM assertion WHERE one = ?1 AND same = 1 AND ended_at_ms IS NULL \
    UNION ALL SELECT one FROM assertion WHERE other = ?1 AND same = 1 AND ended_at_ms IS NULL \
    UNION ALL SELECT id FROM person WHERE merged_into = ?1 \
    UNION ALL SELECT merged_into FROM person WHERE id = ?1 AND merged_into IS NOT NULL";

/// Who is another person's than before, because of one change.
#[derive(Debug, Default)]
pub struct Moves {
    /// Every entry whose records look different now.
    pub touched: BTreeSet<PersonId>,
    /// Which person became which: who stood for it before, and who does now.
    pub moved: BTreeSet<(PersonId, PersonId)>,
}

impl Moves {
    /// Both changes as one.
    pub fn extend(&mut self, later: Self) {
        self.touched.extend(later.touched);
        self.moved.extend(later.moved);
    }
}

/// What a message says of who somebody is, made ready outside the writer's thread.
pub struct Who {
    says: Says,
    /// Keyed digest of it, to see whether anything changed.
    seen: [u8; 16],
}

/// How it is said.
enum Says {
    /// In clear.
    Clear(Box<Demographics>),
    /// As tokens its source made.
    Veiled(Box<Veiled>),
}

impl Who {
    /// As a record says it, or as its source veiled it.
    pub fn of(record: &Record, veiled: Option<Box<Veiled>>, keys: &StoreKeys) -> Self {
        let (says, digested) = match veiled {
            Some(veiled) => {
                let by = veiled.by.iter().flat_map(|by| by.0);
                let digested = by.chain(veiled.traits.to_bytes()).collect();
                (Says::Veiled(veiled), digested)
            }
            None => {
                let who = Demographics::of(record);
                let digested = who.digested();
                (Says::Clear(Box::new(who)), digested)
            }
        };
        Self { says, seen: keys.seen(&digested) }
    }
}

/// What the demographics of an entry are now.
pub struct Stated {
    /// Keyed digest of what was said.
    seen: [u8; 16],
    /// What can be compared of it, with what was said before and not again.
    now: Veiled,
    /// What could be compared of it before.
    before: Option<Veiled>,
    /// Whether the entry is made by the message: nobody was compared with it yet.
    is_new: bool,
    /// Whether the message puts another person where this one was.
    pub overlays: bool,
}

impl Writer {
    /// What a message says of an entry, if that is news; `None` if nothing changed.
    pub(super) fn stated(
        &mut self,
        entry: Option<PersonId>,
        who: &Who,
    ) -> Result<Option<Stated>, Stop> {
        let Who { says, seen } = who;
        let before = match entry {
            Some(entry) if self.recall(entry)?.seen == Some(*seen) => return Ok(None),
            Some(entry) => self.traits(entry)?,
            None => None,
        };
        let mut now = match says {
            Says::Clear(who) => Veiled { by: None, traits: self.keys.veil().traits(who) },
            Says::Veiled(veiled) => Veiled::clone(veiled),
        };
        // Under another key nothing said before can be compared or taken over.
        let alike = before.as_ref().filter(|before| before.by == now.by);
        let overlays = alike.is_some_and(|before| another(&before.traits, &now.traits));
        // What was known of somebody else is not this one's.
        if let Some(before) = alike.filter(|_| !overlays) {
            now.traits.fill(&before.traits);
        }
        Ok(Some(Stated { seen: *seen, now, before, is_new: entry.is_none(), overlays }))
    }

    /// Puts an entry where it belongs.
    pub(super) fn place(
        &mut self,
        entry: PersonId,
        stated: Stated,
        when: (i64, Option<i64>),
    ) -> Result<Moves, Stop> {
        let Stated { seen, now, before, is_new, .. } = stated;
        if before.as_ref() == Some(&now) {
            self.write_seen(entry, seen)?;
            return Ok(Moves::default());
        }
        self.write_traits(entry, seen, (&now, before.as_ref()))?;
        self.write_claim(entry, &now, is_new)?;
        if is_new && !self.judge(entry, &now, (&BTreeMap::new(), when.0))? {
            return Ok(Moves::default());
        }
        if !is_new {
            self.rejudge(entry, &now, when.0)?;
        }
        self.regroup(&[entry], when)
    }

    /// Takes everything away by which an entry could be found and compared.
    pub(super) fn unplace(&mut self, entry: PersonId) -> Result<(), Stop> {
        if let Some(veiled) = self.traits(entry)? {
            self.forget_keys(entry, &veiled.traits)?;
        }
        for sql in [
            "UPDATE person SET seen = NULL, traits = NULL, veil = NULL WHERE id = ?1",
            "DELETE FROM pair WHERE one = ?1",
            "DELETE FROM pair WHERE other = ?1",
            "DELETE FROM proposal WHERE one = ?1 OR other = ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([entry.0])?;
        }
        Ok(())
    }

    /// Judges an entry against everybody who shares a key with it.
    pub(super) fn rejudge(
        &mut self,
        entry: PersonId,
        now: &Veiled,
        at_ms: i64,
    ) -> Result<(), Stop> {
        let mut old: BTreeMap<PersonId, i64> = BTreeMap::new();
        let mut select = self.connection.prepare_cached(
            "SELECT other, at_ms FROM pair WHERE one = ?1 \
             UNION ALL SELECT one, at_ms FROM pair WHERE other = ?1",
        )?;
        let rows =
            select.query_map([entry.0], |row| Ok((row.get(0).map(PersonId)?, row.get(1)?)))?;
        for row in rows {
            let (other, at_ms) = row?;
            old.insert(other, at_ms);
        }
        // What somebody claimed waits until somebody looks, whatever the score.
        for sql in [
            "DELETE FROM pair WHERE one = ?1 AND rule <> 'claimed'",
            "DELETE FROM pair WHERE other = ?1 AND rule <> 'claimed'",
        ] {
            self.connection.prepare_cached(sql)?.execute([entry.0])?;
        }
        self.judge(entry, now, (&old, at_ms)).map(drop)
    }

    /// Judges an entry of which no judgement stands but what was claimed, with when those that
    /// stood were first made; whether it is surely one with another.
    fn judge(
        &self,
        entry: PersonId,
        now: &Veiled,
        (old, at_ms): (&BTreeMap<PersonId, i64>, i64),
    ) -> Result<bool, Stop> {
        let mut is_one = false;
        let mut found = candidates(&self.connection, &self.generations, &now.traits)?;
        found.remove(&entry);
        let found: Vec<_> = found.into_iter().collect();
        let found = review::traits_of(&self.connection, &self.generations, &found)?;
        for (candidate, other) in found {
            let judged = now.against(&other, &self.weights);
            let Some(judged) = judged.filter(|judged| judged.verdict >= Verdict::Review) else {
                continue;
            };
            is_one |= judged.verdict == Verdict::Automatic;
            let (one, other) = (entry.min(candidate), entry.max(candidate));
            let since = old.get(&candidate).copied().unwrap_or(at_ms);
            self.connection
                .prepare_cached(&format!(
                    "INSERT INTO pair VALUES (?1, ?2, ?3, ?4, ?5, ?6) {JUDGED_ANEW}"
                ))?
                .execute((
                    one.0,
                    other.0,
                    code(judged.verdict),
                    judged.rule.as_str(),
                    judged.weight,
                    since,
                ))?;
        }
        Ok(is_one)
    }

    /// Whether what can be compared of two entries speaks against their being one; if so,
    /// the pair waits for a reviewer, since somebody said that they are.
    pub(super) fn speaks_against(
        &mut self,
        pair: (PersonId, PersonId),
        at_ms: i64,
    ) -> Result<bool, Stop> {
        let (Some(one), Some(other)) = (self.traits(pair.0)?, self.traits(pair.1)?) else {
            return Ok(false);
        };
        let Some(judged) = one.against(&other, &self.weights) else { return Ok(false) };
        if judged.verdict > Verdict::Apart && !contradicts(&judged.comparison) {
            return Ok(false);
        }
        let (one, other) = (pair.0.min(pair.1), pair.0.max(pair.1));
        let rule = Rule::Claimed.as_str();
        self.connection
            .prepare_cached(&format!(
                "INSERT INTO pair VALUES (?1, ?2, 2, ?3, ?4, ?5) {JUDGED_ANEW}"
            ))?
            .execute((one.0, other.0, rule, judged.weight, at_ms))?;
        Ok(true)
    }

    /// Groups everybody who hangs together with `seeds`, and leads each to who stands for
    /// the group.
    pub(super) fn regroup(
        &mut self,
        seeds: &[PersonId],
        when: (i64, Option<i64>),
    ) -> Result<Moves, Stop> {
        let component = self.component(seeds)?;
        let mut moves = Moves::default();
        let whole = component.len() <= COMPONENT_MAX;
        if !whole {
            tracing::error!(
                entries = component.len(),
                "too many entries hang together to be joined"
            );
        }
        let groups = match whole {
            true => self.groups(&component)?,
            false => return Ok(moves),
        };
        let mut before = BTreeMap::new();
        for entry in &component {
            before.insert(*entry, self.root(*entry)?);
        }
        let mut placed = Vec::with_capacity(component.len());
        for members in groups {
            let stands = self.standing(&members)?;
            for member in &members {
                placed.extend(before.get(member).map(|root| (*member, (*root, stands))));
                let into = (*member != stands).then_some(stands);
                if self.recall(*member)?.merged_into != into {
                    self.link(*member, into, when)?;
                    moves.touched.extend(&members);
                }
                if let Some(root) = before.get(member).filter(|root| **root != stands) {
                    moves.moved.insert((*root, stands));
                    moves.touched.insert(*root);
                }
            }
        }
        if !moves.moved.is_empty() {
            self.notice_moves(&placed, when)?;
        }
        Ok(moves)
    }

    /// Everybody who hangs together with these: by pairs that are sure, by what somebody
    /// said, and by being one person now.
    fn component(&mut self, seeds: &[PersonId]) -> Result<Vec<PersonId>, Stop> {
        let mut found: BTreeSet<PersonId> = BTreeSet::new();
        let mut open: Vec<PersonId> = seeds.to_vec();
        while let Some(entry) = open.pop() {
            if !found.insert(entry) || found.len() > COMPONENT_MAX {
                continue;
            }
            let mut select = self.connection.prepare_cached(BESIDE)?;
            for row in select.query_map([entry.0], |row| row.get(0).map(PersonId))? {
                open.push(row?);
            }
        }
        Ok(found.into_iter().collect())
    }

    fn groups(&mut self, component: &[PersonId]) -> Result<Vec<Vec<PersonId>>, Stop> {
        if let [alone] = component {
            return Ok(vec![vec![*alone]]);
        }
        let mut traits = Vec::new();
        let mut order = Vec::new();
        for entry in component {
            traits.push(self.traits(*entry)?);
            order.push(self.order(*entry)?);
        }
        let mut links = self.said(component)?;
        for (a, one) in traits.iter().enumerate() {
            for (b, other) in traits.iter().enumerate().skip(a + 1) {
                if let (Some(one), Some(other)) = (one, other)
                    && let Some(judged) = one.against(other, &self.weights)
                {
                    links.push(judged.link((a, b)));
                }
            }
        }
        let mut groups: BTreeMap<usize, Vec<PersonId>> = BTreeMap::new();
        for (entry, number) in component.iter().zip(group(&order, &links)) {
            groups.entry(number).or_default().push(*entry);
        }
        Ok(groups.into_values().collect())
    }

    /// What somebody said of entries of a component, as links that outrank every score.
    fn said(&self, component: &[PersonId]) -> Result<Vec<Link>, Stop> {
        let mut links = Vec::new();
        let mut select = self.connection.prepare_cached(
            "SELECT other, same FROM assertion WHERE one = ?1 AND ended_at_ms IS NULL",
        )?;
        for (a, entry) in component.iter().enumerate() {
            let rows = select
                .query_map([entry.0], |row| Ok((row.get(0).map(PersonId)?, row.get::<bool>(1)?)))?;
            for row in rows {
                let (other, same) = row?;
                if let Ok(b) = component.binary_search(&other) {
                    links.push(if same {
                        Link::said_same((a, b))
                    } else {
                        Link::said_apart((a, b))
                    });
                }
            }
        }
        Ok(links)
    }

    /// Who stands for a group: whom others were merged into, and of those the first.
    fn standing(&self, members: &[PersonId]) -> Result<PersonId, Stop> {
        if let [alone] = members {
            return Ok(*alone);
        }
        let mut gone = self.connection.prepare_cached(
            "SELECT 1 FROM assertion WHERE one = ?1 AND same = 1 AND ended_at_ms IS NULL",
        )?;
        for member in members {
            if !gone.exists([member.0])? {
                return Ok(*member);
            }
        }
        members.first().copied().ok_or_else(|| StoreError::Damaged.into())
    }

    /// The traits of an entry; an erased one has none.
    pub(super) fn traits(&self, entry: PersonId) -> Result<Option<Veiled>, Stop> {
        Ok(review::traits(&self.connection, &self.generations, entry)?)
    }

    fn order(&self, entry: PersonId) -> Result<u64, Stop> {
        let (mark, number): (Option<i64>, _) = self
            .connection
            .prepare_cached("SELECT mark, generation FROM person WHERE id = ?1")?
            .query_row([entry.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let generation = self.generations.of(number)?;
        Ok(mark.map_or(entry.0, |mark| generation.uncover_mark(mark)).cast_unsigned())
    }

    fn write_seen(&mut self, entry: PersonId, seen: [u8; 16]) -> Result<(), Stop> {
        self.connection
            .prepare_cached("UPDATE person SET seen = ?2 WHERE id = ?1")?
            .execute((entry.0, seen))?;
        self.see(entry, seen);
        Ok(())
    }

    fn write_traits(
        &mut self,
        entry: PersonId,
        seen: [u8; 16],
        (now, before): (&Veiled, Option<&Veiled>),
    ) -> Result<(), Stop> {
        self.lift(entry)?;
        let sealed = self.generations.current.seal(entry, &now.traits)?;
        self.connection
            .prepare_cached("UPDATE person SET seen = ?2, traits = ?3, veil = ?4 WHERE id = ?1")?
            .execute((entry.0, seen, sealed, now.by.map(|by| by.0)))?;
        self.see(entry, seen);
        if let Some(before) = before {
            self.forget_keys(entry, &before.traits)?;
        }
        self.write_keys(entry, &now.traits)
    }

    /// Whose its citizen id is, by the birth date inside.
    fn write_claim(&mut self, entry: PersonId, now: &Veiled, is_new: bool) -> Result<(), Stop> {
        let Some(citizen) = &now.traits.citizen else { return Ok(()) };
        let claim = match citizen.own {
            Own::Agrees => 0,
            Own::Unknown => 1,
            Own::Contradicts => BORROWED,
        };
        let mut update = self.connection.prepare_cached(
            "UPDATE identifier SET claim = ?2 WHERE person = ?1 AND kind = 'citizen-id' \
             AND claim <> ?2",
        )?;
        // A number that is nobody else's leads nowhere else by it, and of one that came just now
        // it was asked whether it is.
        if is_new {
            return Ok(update.execute((entry.0, claim))?);
        }
        self.changes.relinked |= update.changed((entry.0, claim))? > 0;
        Ok(())
    }
}

/// Whether a message speaks of another person than its entry did: another name, and another
/// birth date or sex, and no citizen id that says it is the same.
fn another(before: &Traits, now: &Traits) -> bool {
    let (found, _) = compare(before, now);
    let (renamed, reborn) = (renamed(&found), reborn(&found));
    renamed && (reborn || found.sex == SexLevel::Other) && found.citizen != CitizenLevel::Same
}

/// Whether anything known of two says that they are two: what is missing says nothing.
fn contradicts(found: &Comparison) -> bool {
    renamed(found) || reborn(found) || found.sex == SexLevel::Other
}

fn renamed(found: &Comparison) -> bool {
    found.name >= NameLevel::OneOff && found.name != NameLevel::Missing
}

fn reborn(found: &Comparison) -> bool {
    found.birth >= BirthLevel::Year && found.birth != BirthLevel::Missing
}

/// A verdict as the store writes it.
const fn code(verdict: Verdict) -> i64 {
    match verdict {
        Verdict::Apart => 0,
        Verdict::Unlike => 1,
        Verdict::Review => 2,
        Verdict::Automatic => 3,
    }
}
