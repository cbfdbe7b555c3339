//! 收件日志, the journal: every message once, with what became of it.
//!
//! Journal row, identity, record, counts and the ledger entry of a merge are one
//! commit. A message of a known person costs three statements.

use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::OptionalExtension;
use sha2::{Digest, Sha256};

use super::arrival::{Arrival, Change, Kept, Proposed, Reason, State, WriteEntry};
use super::assertion::Said;
use super::directory::Listing;
use super::error::StoreError;
use super::exchange::Mark;
use super::index::{Conflict, Meant};
use super::place::Moves;
use super::seal::{Place, StoreKeys};
use super::writer::{Stop, Writer};
use crate::identity::linkage::Demographics;
use crate::identity::{Indexed, PersonId};
use crate::translate::{Claim, Form};
use crate::vocabulary::{Dataset, Fault, Field, Position, Record, Source, Value};

/// Longest control id kept as it is, in bytes (HL7 v2.7 MSH-10); of a longer one the
/// end gives way to a digest of the whole.
const CONTROL_ID_BYTES_MAX: usize = 199;

/// An arrival, made ready outside the writer's thread.
pub struct Message {
    source: Source,
    control_id: String,
    digest: [u8; 16],
    received_at_ms: i64,
    raw: Bytes,
    form: Form,
    mark: Option<Mark>,
    outcome: Outcome,
}

/// What shall become of a message, made ready outside the writer's thread.
pub enum Outcome {
    /// Keep it and its record.
    Apply(Application),
    /// Keep it as a version of an entry of its own.
    Enter(Listing),
    /// Keep it aside, or keep that it was refused.
    Hold(State, Reason),
}

/// Whether a message may put another person where one was under the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// It is held: somebody must say whose number it is.
    Hold,
    /// Somebody has said that the new demographics are right.
    Pass,
}

/// A record and whom it is about.
pub struct Application {
    /// What the record says of who somebody is.
    who: Demographics,
    /// Where it says the name.
    named_at: Option<Position>,
    json: Vec<u8>,
    dataset: Dataset,
    source: Source,
    time: Option<i64>,
    mappings: String,
    identifiers: Vec<Indexed>,
    merge_from: Vec<Indexed>,
    claim: Claim,
    entry: Option<WriteEntry>,
    documents: Vec<String>,
}

/// What one commit adds to the counts of a source.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    received: i64,
    states: [i64; 3],
    repeated: i64,
    reused: i64,
}

/// What became of a message, before its row is written.
struct Settled {
    state: State,
    reason: Option<Reason>,
    holder: Option<PersonId>,
    persons: Vec<PersonId>,
}

/// A row that is in the journal under the same control id.
struct Earlier {
    kept: Kept,
    same: bool,
}

impl Message {
    /// Makes an arrival ready.
    pub fn new(arrival: Arrival, keys: &StoreKeys) -> Result<Self, StoreError> {
        Ok(Self {
            source: arrival.source,
            control_id: bounded(arrival.control_id),
            digest: keys.fingerprint(&arrival.digest),
            received_at_ms: arrival.received_at_ms,
            raw: arrival.raw,
            form: arrival.form,
            mark: arrival.mark,
            outcome: Outcome::new(arrival.proposed)?,
        })
    }
}

impl Outcome {
    /// Makes a proposal ready.
    pub fn new(proposed: Proposed) -> Result<Self, StoreError> {
        let json = |record: &Record| serde_json::to_vec(record).map_err(|_| StoreError::Damaged);
        let (record, (identifiers, merge_from, claim), entry, documents) = match proposed {
            Proposed::Apply { record, identifiers, merge_from, claim, entry, documents } => {
                (record, (identifiers, merge_from, claim), entry, documents)
            }
            Proposed::Enter { record, key } => {
                return Ok(Self::Enter(Listing { json: json(&record)?, key }));
            }
            Proposed::Quarantine(reason) => return Ok(Self::Hold(State::Quarantined, reason)),
            Proposed::Refuse(reason) => return Ok(Self::Hold(State::Refused, reason)),
        };
        let named = record.fields().find(|field| is_name(field));
        let named_at = named.and_then(|field| field.at.clone());
        Ok(Self::Apply(Application {
            who: Demographics::of(&record),
            named_at,
            json: json(&record)?,
            dataset: record.dataset,
            source: record.source,
            time: record.time.as_ref().and_then(crate::vocabulary::Date::timestamp),
            mappings: record.mappings,
            identifiers,
            merge_from,
            claim,
            entry,
            documents,
        }))
    }
}

impl Settled {
    fn held(state: State, reason: Reason) -> Self {
        Self { state, reason: Some(reason), holder: None, persons: Vec::new() }
    }

    /// Another person under the number of one who is known: the old state stays served.
    fn overlay(at: Option<Position>) -> Self {
        Self::held(State::Quarantined, Reason { fault: Fault::IdentityOverlay, at })
    }

    fn conflict(conflict: Conflict) -> Self {
        let reason = Reason { fault: Fault::IdentityConflict, at: conflict.0 };
        Self::held(State::Quarantined, reason)
    }
}

impl Writer {
    /// Keeps a message, or finds what became of it before.
    pub(super) fn keep(&mut self, message: &Message) -> Result<Kept, Stop> {
        if let Some(mark) = &message.mark {
            self.write_mark(mark)?;
        }
        let earlier = self.earlier(message)?;
        if let Some(Earlier { kept, same: true }) = earlier {
            self.tally(message.source).repeated += 1;
            return Ok(kept);
        }
        let number = self.next.journal;
        let guard = Guard::Hold;
        let settled = self.decide(number, (&message.outcome, guard), message.received_at_ms)?;
        let wrapped = self.seal_raw(number, settled.holder, &message.raw)?;
        let (fault, at) = written(settled.reason.as_ref());
        self.connection
            .prepare_cached(
                "INSERT INTO journal (number, source, control_id, digest, received_at_ms, state, \
                 fault, at, person, wrapped, raw, form) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, \
                 ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute((
                number,
                message.source.as_str(),
                &message.control_id,
                message.digest,
                message.received_at_ms,
                settled.state.code(),
                fault,
                at,
                settled.holder.map(|person| person.0),
                wrapped,
                &self.scratch[..],
                // Most are HL7 v2, and all were before forms were written.
                Some(message.form.name()).filter(|_| message.form != Form::Hl7v2),
            ))?;
        self.next.journal += 1;
        if earlier.is_some() {
            let sql = "INSERT INTO alarm (number) VALUES (?1)";
            self.connection.prepare_cached(sql)?.execute([number])?;
        }
        let tally = self.tally(message.source);
        tally.received += 1;
        tally.reused += i64::from(earlier.is_some());
        tally.move_to(settled.state, 1);
        Ok(Kept {
            number: number.cast_unsigned(),
            state: settled.state,
            reason: settled.reason,
            received_at_ms: message.received_at_ms,
            repeat: false,
            control_id_reused: earlier.is_some(),
            persons: settled.persons,
        })
    }

    /// Gives a held message a new outcome.
    pub(super) fn settle(
        &mut self,
        number: i64,
        outcome: &Outcome,
        guard: Guard,
    ) -> Result<Kept, Stop> {
        let row = self
            .connection
            .prepare_cached(
                "SELECT source, state, wrapped, raw, received_at_ms FROM journal WHERE number = ?1",
            )?
            .query_row([number], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, i64>(1).map(State::from_code)?,
                    row.get::<_, Option<Vec<u8>>>(2)?.unwrap_or_default(),
                    row.get::<_, Vec<u8>>(3)?,
                    row.get::<_, i64>(4)?,
                ))
            })
            .optional()?;
        let (source, before, wrapped, raw, received_at_ms) = row.ok_or(StoreError::Unknown)?;
        if before == State::Kept {
            return Err(StoreError::Settled.into());
        }
        let source = Source::parse(&source).map_err(|_| StoreError::Damaged)?;
        let key = self.keys.unwrap(Place::row_key(number), &wrapped)?;
        let raw = key.open(Place::raw(0, number), &raw)?;

        let settled = self.decide(number, (outcome, guard), received_at_ms)?;
        let wrapped = self.seal_raw(number, settled.holder, &raw)?;
        let (fault, at) = written(settled.reason.as_ref());
        self.connection
            .prepare_cached(
                "UPDATE journal SET state = ?2, fault = ?3, at = ?4, person = ?5, wrapped = ?6, \
                 raw = ?7 WHERE number = ?1",
            )?
            .execute((
                number,
                settled.state.code(),
                fault,
                at,
                settled.holder.map(|person| person.0),
                wrapped,
                &self.scratch[..],
            ))?;
        let tally = self.tally(source);
        tally.move_to(before, -1);
        tally.move_to(settled.state, 1);
        Ok(Kept {
            number: number.cast_unsigned(),
            state: settled.state,
            reason: settled.reason,
            received_at_ms,
            repeat: false,
            control_id_reused: false,
            persons: settled.persons,
        })
    }

    /// Adds this commit's sums to the counts.
    pub(super) fn write_tallies(&mut self) -> rusqlite::Result<()> {
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO count VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (source) DO UPDATE SET received = received + ?2, kept = kept + ?3, \
             quarantined = quarantined + ?4, refused = refused + ?5, repeated = repeated + ?6, \
             reused = reused + ?7",
        )?;
        for (source, tally) in self.tallies.drain() {
            let [kept, quarantined, refused] = tally.states;
            let Tally { received, repeated, reused, .. } = tally;
            let sums = (source.as_str(), received, kept, quarantined, refused, repeated, reused);
            upsert.execute(sums)?;
        }
        Ok(())
    }

    fn decide(
        &mut self,
        number: i64,
        (outcome, guard): (&Outcome, Guard),
        at_ms: i64,
    ) -> Result<Settled, Stop> {
        match outcome {
            Outcome::Apply(application) => self.apply(number, (application, guard), at_ms),
            Outcome::Enter(listing) => {
                self.write_listing(number, listing, at_ms)?;
                Ok(Settled { state: State::Kept, reason: None, holder: None, persons: Vec::new() })
            }
            Outcome::Hold(state, reason) => Ok(Settled::held(*state, reason.clone())),
        }
    }

    /// Everything that can hold the message back is asked before the first write.
    fn apply(
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
        let stated = self.stated(into.known.map(|(holder, _)| holder), &application.who)?;
        if guard == Guard::Hold && stated.as_ref().is_some_and(|stated| stated.overlays) {
            return Ok(Settled::overlay(application.named_at.clone()));
        }

        let (holder, _) = self.admit(&into, number)?;
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
                self.take_over((from, holder), &application.merge_from, number)?;
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
        key.seal(Place::record(holder.0, number), &application.json, &mut self.scratch)?;
        self.connection
            .prepare_cached(
                "INSERT INTO record (number, person, dataset, source, time, received_at_ms, \
                 mappings, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
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
            ))?;
        application.documents.iter().try_for_each(|key| self.write_document(key, number))
    }

    /// Seals the bytes into `scratch`; without a person under a key of the row's own.
    fn seal_raw(
        &mut self,
        number: i64,
        holder: Option<PersonId>,
        raw: &[u8],
    ) -> Result<Option<Vec<u8>>, Stop> {
        if let Some(person) = holder {
            let key = self.key(person)?;
            key.seal(Place::raw(person.0, number), raw, &mut self.scratch)?;
            return Ok(None);
        }
        let (key, wrapped) = self.keys.fresh(Place::row_key(number))?;
        key.seal(Place::raw(0, number), raw, &mut self.scratch)?;
        Ok(Some(wrapped))
    }

    fn tally(&mut self, source: Source) -> &mut Tally {
        self.tallies.entry(source).or_default()
    }

    /// The message itself if it was here before, else any other under its control id.
    fn earlier(&self, message: &Message) -> Result<Option<Earlier>, Stop> {
        let (source, control_id) = (message.source.as_str(), &message.control_id);
        let read = |row: &rusqlite::Row<'_>| {
            let same = row.get::<_, Vec<u8>>(6)? == message.digest;
            Ok(Earlier { kept: repeated(row)?, same })
        };
        let any = self
            .connection
            .prepare_cached(
                "SELECT number, state, fault, at, person, received_at_ms, digest FROM journal \
                 WHERE source = ?1 AND control_id = ?2 LIMIT 1",
            )?
            .query_row((source, control_id), read)
            .optional()?;
        if any.as_ref().is_none_or(|earlier| earlier.same) {
            return Ok(any);
        }
        let exact = self
            .connection
            .prepare_cached(
                "SELECT number, state, fault, at, person, received_at_ms, digest FROM journal \
                 WHERE source = ?1 AND control_id = ?2 AND digest = ?3 LIMIT 1",
            )?
            .query_row((source, control_id, message.digest), read)
            .optional()?;
        Ok(exact.or(any))
    }
}

impl Tally {
    fn move_to(&mut self, state: State, by: i64) {
        let [kept, quarantined, refused] = &mut self.states;
        match state {
            State::Kept => *kept += by,
            State::Quarantined => *quarantined += by,
            State::Refused => *refused += by,
        }
    }
}

fn repeated(row: &rusqlite::Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        number: row.get::<_, i64>(0)?.cast_unsigned(),
        state: State::from_code(row.get(1)?),
        reason: read_reason(row.get(2)?, row.get(3)?),
        persons: row.get::<_, Option<i64>>(4)?.map(PersonId).into_iter().collect(),
        received_at_ms: row.get(5)?,
        repeat: true,
        control_id_reused: false,
    })
}

/// A reason as the journal writes it: the fault's stable name, the position as JSON.
fn written(reason: Option<&Reason>) -> (Option<&'static str>, Option<String>) {
    let at = reason.and_then(|reason| reason.at.as_ref());
    let at = at.and_then(|position| serde_json::to_string(position).ok());
    (reason.map(|reason| reason.fault.row().name), at)
}

/// A reason as the journal wrote it.
pub fn read_reason(fault: Option<String>, at: Option<String>) -> Option<Reason> {
    let name = serde_json::Value::String(fault?);
    let fault = serde_json::from_value::<Fault>(name).unwrap_or(Fault::Internal);
    let at = at.and_then(|text| serde_json::from_str::<Position>(&text).ok());
    Some(Reason { fault, at })
}

fn is_name(field: &Field) -> bool {
    matches!(field.value, Value::Name(_))
}

fn bounded(mut control_id: String) -> String {
    if control_id.len() > CONTROL_ID_BYTES_MAX {
        let digest = Sha256::digest(control_id.as_bytes());
        let mut end = CONTROL_ID_BYTES_MAX - 2 * digest.len();
        while !control_id.is_char_boundary(end) {
            end -= 1;
        }
        control_id.truncate(end);
        for byte in digest {
            control_id.push_str(&format!("{byte:02x}"));
        }
    }
    control_id
}
