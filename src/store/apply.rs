//! 应用, what a message says of a person is done: its entry, its place, its record.
//!
//! Everything that can hold a message back is asked before the first write.

use std::collections::BTreeSet;

use super::arrival::{Change, Reason, State, WriteEntry};
use super::assertion::Said;
use super::index::{Conflict, Meant};
use super::journal::{Guard, Settled};
use super::outbox::Wish;
use super::place::{Moves, Who};
use super::seal::Place;
use super::writer::{Stop, Writer};
use crate::identity::{Indexed, PersonId};
use crate::translate::Claim;
use crate::vocabulary::{Dataset, Fault, IdentifierKind, Position, Source};

/// A record and whom it is about.
pub struct Application {
    /// What the record says of who somebody is.
    pub(super) who: Who,
    /// Where it says the name.
    pub(super) named_at: Option<Position>,
    /// The record, as it is kept.
    pub(super) bytes: Vec<u8>,
    /// Whether it holds what a person says of who may see what.
    pub(super) is_word: bool,
    pub(super) dataset: Dataset,
    pub(super) source: Source,
    pub(super) time: Option<i64>,
    pub(super) mappings: String,
    pub(super) identifiers: Vec<Indexed>,
    pub(super) merge_from: Vec<Indexed>,
    pub(super) claim: Claim,
    pub(super) entry: Option<WriteEntry>,
    pub(super) documents: Vec<String>,
    pub(super) wishes: Vec<Wish>,
}

impl Writer {
    /// Everything that can hold the message back is asked before the first write.
    pub(super) fn apply(
        &mut self,
        number: i64,
        (application, guard): (&Application, Guard),
        at_ms: i64,
    ) -> Result<Settled, Stop> {
        let source = application.source;
        let old: Vec<&Indexed> = application.merge_from.iter().collect();
        if application.identifiers.is_empty() {
            let reason = Reason { fault: Fault::IdentityMissing, at: None };
            return Ok(Settled::held(State::Quarantined, reason));
        }
        // A merge may name the old number on both sides; it is the old side's.
        let mut named: Vec<&Indexed> = application.identifiers.iter().collect();
        named.retain(|new| old.iter().all(|from| from.token != new.token));
        // With nothing else on the new side, somebody is said to be the same as himself.
        let merges = !old.is_empty() && !named.is_empty();
        if named.is_empty() {
            named.clone_from(&old);
        }
        let into = match self.meant(source, &named)? {
            Ok(meant) => meant,
            Err(conflict) => return Ok(Settled::conflict(conflict)),
        };
        let from = match self.meant(source, &old)? {
            Ok(meant) => meant,
            Err(conflict) => return Ok(Settled::conflict(conflict)),
        };
        let joins = matches!(application.claim, Claim::Linked | Claim::Merged);
        if merges && joins && self.may_not_join(&from, &into)? {
            let at = old.iter().find_map(|indexed| indexed.at.clone());
            return Ok(Settled::conflict(Conflict(at)));
        }
        // A citizen id is nobody's to move: it is the number of whom it was given to.
        let national = |from: &&Indexed| from.kind == IdentifierKind::CitizenId;
        if merges && application.claim == Claim::Moved && old.iter().any(national) {
            let at = old.iter().find_map(|indexed| indexed.at.clone());
            return Ok(Settled::conflict(Conflict(at)));
        }
        let stated = self.stated(into.known.map(|(holder, _)| holder), &application.who)?;
        if guard == Guard::Hold && stated.as_ref().is_some_and(|stated| stated.overlays) {
            return Ok(Settled::overlay(application.named_at.clone()));
        }

        let numbered = match into.known {
            Some((entry, _)) if !into.unknown.is_empty() => Some(self.lanes_of(entry)?),
            _ => None,
        };
        let (holder, root) = self.admit(&into, number)?;
        if let Some(before) = numbered {
            self.notice_numbers(&before, root, (at_ms, Some(number)))?;
        }
        let mut moves = match stated {
            Some(stated) => self.place(holder, stated, (at_ms, Some(number)))?,
            None => Moves::default(),
        };
        self.enter_moves(&moves, (application, Change::Linked))?;
        if merges {
            // No identifier stands on both sides, so `from` means what it meant before.
            moves.extend(self.claim((&from, holder), application, (number, at_ms))?);
        }
        let persons = self.changed(holder, moves.touched)?;
        self.write_record(number, holder, (application, at_ms))?;
        if let (true, Some(entry)) = (application.is_word, &application.entry) {
            let root = self.root(holder)?;
            self.append(&entry(Change::Said, &[root]))?;
        }
        self.notice(holder, &application.wishes, (at_ms, number))?;
        Ok(Settled { state: State::Kept, reason: None, holder: Some(holder), persons })
    }

    /// Takes note of what a message says of somebody else and the entry it is about.
    fn claim(
        &mut self,
        (other, holder): (&Meant<'_>, PersonId),
        application: &Application,
        (number, at_ms): (i64, i64),
    ) -> Result<Moves, Stop> {
        let when = (application.source, at_ms);
        let moves = match application.claim {
            Claim::Merged => {
                let (gone, _) = self.admit(other, number)?;
                self.join((gone, holder), when, number)?
            }
            Claim::Linked => {
                let (one, _) = self.admit(other, number)?;
                match self.speaks_against((one, holder), at_ms)? {
                    true => Moves::default(),
                    false => self.join((one, holder), when, number)?,
                }
            }
            Claim::Unlinked => match other.known {
                Some((one, _)) => {
                    let (pair, by) = ((one, holder), application.source.to_string());
                    self.assert(&Said { pair, same: false, by, at_ms, journal: Some(number) })?
                }
                None => Moves::default(),
            },
            Claim::Moved => {
                let from = other.known.map(|(one, _)| one);
                self.take_over(holder, &application.merge_from, (number, at_ms))?;
                if let (Some(entry), Some(from)) = (&application.entry, from) {
                    let persons = [self.root(holder)?, self.root(from)?];
                    self.append(&entry(Change::Moved, &persons))?;
                }
                let touched = from.into_iter().collect();
                return Ok(Moves { touched, ..Moves::default() });
            }
        };
        self.enter_moves(&moves, (application, Change::Merged))?;
        Ok(moves)
    }

    /// Takes note that a message says two entries are one, unless they are already.
    fn join(
        &mut self,
        pair: (PersonId, PersonId),
        (source, at_ms): (Source, i64),
        number: i64,
    ) -> Result<Moves, Stop> {
        if self.root(pair.0)? == self.root(pair.1)? {
            return Ok(Moves::default());
        }
        let by = source.to_string();
        self.assert(&Said { pair, same: true, by, at_ms, journal: Some(number) })
    }

    /// Whether a message that says two are one must be looked at first.
    fn may_not_join(&self, from: &Meant<'_>, into: &Meant<'_>) -> Result<bool, Stop> {
        if self.contradict(from, into)? {
            return Ok(true);
        }
        match (from.known, into.known) {
            (Some((_, from)), Some((_, into))) => self.said_apart(from, into),
            _ => Ok(false),
        }
    }

    /// Whose records look different now: the person first, then everybody else.
    fn changed(
        &mut self,
        holder: PersonId,
        touched: BTreeSet<PersonId>,
    ) -> Result<Vec<PersonId>, Stop> {
        let root = self.root(holder)?;
        let mut persons = vec![root];
        let all = match touched.is_empty() {
            true => Vec::new(),
            false => self.with_root(root)?,
        };
        for person in std::iter::once(holder).chain(touched).chain(all) {
            if !persons.contains(&person) {
                persons.push(person);
            }
        }
        Ok(persons)
    }

    /// Enters in the ledger who became whom.
    fn enter_moves(
        &mut self,
        moves: &Moves,
        (application, joined): (&Application, Change),
    ) -> Result<(), Stop> {
        for (from, to) in &moves.moved {
            let change = match self.root(*from)? == *to {
                true => joined,
                false => Change::Parted,
            };
            if let Some(entry) = &application.entry {
                self.append(&entry(change, &[*to, *from]))?;
            }
        }
        Ok(())
    }

    fn write_record(
        &mut self,
        number: i64,
        holder: PersonId,
        (application, received_at_ms): (&Application, i64),
    ) -> Result<(), Stop> {
        let key = self.key(holder)?;
        key.seal(Place::record(holder.0, number), &application.bytes, &mut self.scratch)?;
        self.connection
            .prepare_cached(
                "INSERT INTO record (number, person, dataset, source, time, received_at_ms, \
                 mappings, sealed, word) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute((
                number,
                holder.0,
                application.dataset.as_str(),
                application.source.as_str(),
                application.time,
                received_at_ms,
                &application.mappings,
                &self.scratch[..],
                application.is_word.then_some(1),
            ))?;
        application.documents.iter().try_for_each(|key| self.write_document(key, number))
    }
}
