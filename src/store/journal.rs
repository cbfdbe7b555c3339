//! 收件日志, the journal: every message once, with what became of it.
//!
//! Journal row, identity, record, counts and the ledger entry of a merge are one
//! commit. A message of a known person costs three statements.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::apply::Application;
use super::arrival::{Arrival, Kept, Proposed, Reason, State};
use super::directory::Listing;
use super::error::StoreError;
use super::exchange::Mark;
use super::index::Conflict;
use super::place::Who;
use super::record;
use super::seal::{Place, StoreKeys};
use super::sql::{self, Optional};
use super::writer::{Stop, Writer};
use crate::identity::{PersonId, Token};
use crate::policy::is_word;
use crate::translate::Form;
use crate::vocabulary::{Entrance, Fault, Field, Position, Source, Value};

/// Longest control id kept as it is, in bytes (HL7 v2.7 MSH-10); of a longer one the
/// end gives way to a digest of the whole.
const CONTROL_ID_BYTES_MAX: usize = 199;

/// What came before under the same control id.
pub(super) const EARLIER: &str = "SELECT number, state, fault, at, person, received_at_ms, digest \
    FROM journal WHERE source = ?1 AND control_id = ?2 LIMIT 1";

/// An arrival, made ready outside the writer's thread.
pub struct Message {
    source: Source,
    control_id: String,
    digest: [u8; 16],
    received_at_ms: i64,
    raw: Bytes,
    form: Form,
    entrance: Entrance,
    mappings: String,
    pub(super) mark: Option<Mark>,
    outcome: Outcome,
}

/// What shall become of a message, made ready outside the writer's thread.
pub enum Outcome {
    /// Keep it and its record.
    Apply(Box<Application>),
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

/// By what a held message is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrial {
    /// Whether it may put another person where one was.
    pub guard: Guard,
    /// Version of the mappings it was read by.
    pub mappings: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The entry of the ledger that says so.
    pub entry: u64,
    /// The rerun it is part of.
    pub rerun: Option<u64>,
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
pub struct Settled {
    pub(super) state: State,
    pub(super) reason: Option<Reason>,
    pub(super) holder: Option<PersonId>,
    pub(super) persons: Vec<PersonId>,
}

/// A row that is in the journal under the same control id.
pub struct Earlier {
    kept: Kept,
    digest: Vec<u8>,
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
            entrance: arrival.entrance,
            mappings: arrival.mappings,
            mark: arrival.mark,
            outcome: Outcome::new(arrival.proposed, keys)?,
        })
    }

    /// By what it is known: who sent it, and the sender's number of it.
    pub(super) fn name(&self) -> (&str, &str) {
        (self.source.as_str(), &self.control_id)
    }

    /// The same, to be kept.
    pub(super) fn own_name(&self) -> (Source, String) {
        (self.source, self.control_id.clone())
    }

    /// The numbers of persons it names, each as one of its source.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (Token, Source)> {
        let application = match &self.outcome {
            Outcome::Apply(application) => Some(application),
            Outcome::Enter(_) | Outcome::Hold(..) => None,
        };
        application.into_iter().flat_map(|application| {
            let named = application.identifiers.iter().chain(&application.merge_from);
            named.map(|indexed| (indexed.token, application.source))
        })
    }
}

impl Outcome {
    /// Makes a proposal ready.
    pub fn new(proposed: Proposed, keys: &StoreKeys) -> Result<Self, StoreError> {
        Ok(match proposed {
            Proposed::Enter { record, key } => {
                Self::Enter(Listing { bytes: record::write(&record)?, key })
            }
            Proposed::Quarantine(reason) => Self::Hold(State::Quarantined, reason),
            Proposed::Refuse(reason) => Self::Hold(State::Refused, reason),
            Proposed::Apply {
                record,
                veiled,
                identifiers,
                merge_from,
                claim,
                entry,
                documents,
                wishes,
            } => {
                let named = record.fields().find(|field| is_name(field));
                let named_at = named.and_then(|field| field.at.clone());
                Self::Apply(Box::new(Application {
                    is_word: is_word(&record),
                    who: Who::of(&record, veiled, keys),
                    named_at,
                    bytes: record::write(&record)?,
                    dataset: record.dataset,
                    source: record.source,
                    time: record.time.as_ref().and_then(crate::vocabulary::Date::timestamp),
                    mappings: record.mappings,
                    identifiers,
                    merge_from,
                    claim,
                    entry,
                    documents,
                    wishes,
                }))
            }
        })
    }
}

impl Settled {
    pub(super) fn held(state: State, reason: Reason) -> Self {
        Self { state, reason: Some(reason), holder: None, persons: Vec::new() }
    }

    /// Another person under the number of one who is known: the old state stays served.
    pub(super) fn overlay(at: Option<Position>) -> Self {
        Self::held(State::Quarantined, Reason { fault: Fault::IdentityOverlay, at })
    }

    /// The mappings, unless a record names them.
    fn unnamed<'a>(&self, mappings: &'a str) -> Option<&'a str> {
        self.holder.is_none().then_some(mappings)
    }

    pub(super) fn conflict(conflict: Conflict) -> Self {
        let reason = Reason { fault: Fault::IdentityConflict, at: conflict.0 };
        Self::held(State::Quarantined, reason)
    }
}

impl Writer {
    /// Keeps a message, or finds what became of it before.
    pub(super) fn keep(&mut self, message: &Message) -> Result<Kept, Stop> {
        let earlier = self.earlier(message)?;
        let reused = match earlier {
            Some(earlier) if earlier.is(message) => return self.repeat(message, earlier.kept),
            other => other.is_some(),
        };
        let number = self.next.journal;
        let guard = Guard::Hold;
        let settled = self.decide(number, (&message.outcome, guard), message.received_at_ms)?;
        let wrapped = self.seal_raw(number, settled.holder, &message.raw)?;
        let (fault, at) = written(settled.reason.as_ref());
        self.connection
            .prepare_cached(
                "INSERT INTO journal (number, source, control_id, digest, received_at_ms, state, \
                 fault, at, person, wrapped, raw, form, entrance, mappings) VALUES (?1, ?2, ?3, \
                 ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
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
                message.entrance.as_str(),
                settled.unnamed(&message.mappings),
            ))?;
        self.next.journal += 1;
        if reused {
            let sql = "INSERT INTO alarm (number) VALUES (?1)";
            self.connection.prepare_cached(sql)?.execute([number])?;
        }
        let tally = self.tally(message.source);
        tally.received += 1;
        tally.reused += i64::from(reused);
        tally.move_to(settled.state, 1);
        Ok(Kept {
            number: number.cast_unsigned(),
            state: settled.state,
            reason: settled.reason,
            received_at_ms: message.received_at_ms,
            repeat: false,
            control_id_reused: reused,
            persons: settled.persons,
        })
    }

    /// It may come again because its first answer was lost, and with that whose records are read
    /// otherwise since: they are told again.
    fn repeat(&mut self, message: &Message, mut kept: Kept) -> Result<Kept, Stop> {
        self.tally(message.source).repeated += 1;
        if let Some(holder) = kept.persons.pop() {
            let root = self.root(holder)?;
            kept.persons = self.with_root(root)?;
        }
        Ok(kept)
    }

    /// Gives a held message a new outcome.
    pub(super) fn settle(
        &mut self,
        number: i64,
        (outcome, retrial): (&Outcome, &Retrial),
    ) -> Result<Kept, Stop> {
        let row = self
            .connection
            .prepare_cached(
                "SELECT source, state, wrapped, raw, received_at_ms FROM journal WHERE number = ?1",
            )?
            .query_row([number], |row| {
                Ok((
                    row.get::<String>(0)?,
                    row.get::<i64>(1).map(State::from_code)?,
                    row.get::<Option<Vec<u8>>>(2)?.unwrap_or_default(),
                    row.get::<Vec<u8>>(3)?,
                    row.get::<i64>(4)?,
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

        let settled = self.decide(number, (outcome, retrial.guard), received_at_ms)?;
        self.write_outcome(number, retrial)?;
        let wrapped = self.seal_raw(number, settled.holder, &raw)?;
        let (fault, at) = written(settled.reason.as_ref());
        self.connection
            .prepare_cached(
                "UPDATE journal SET state = ?2, fault = ?3, at = ?4, person = ?5, wrapped = ?6, \
                 raw = ?7, mappings = ?8 WHERE number = ?1",
            )?
            .execute((
                number,
                settled.state.code(),
                fault,
                at,
                settled.holder.map(|person| person.0),
                wrapped,
                &self.scratch[..],
                settled.unnamed(&retrial.mappings),
            ))?;
        let sql = "DELETE FROM opinion WHERE number = ?1";
        self.connection.prepare_cached(sql)?.execute([number])?;
        if let Some(rerun) = retrial.rerun {
            self.count_rerun(rerun, number, settled.state)?;
        }
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
    pub(super) fn write_tallies(&mut self) -> sql::Result<()> {
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO count VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (source) DO UPDATE SET received = count.received + excluded.received, \
             kept = count.kept + excluded.kept, \
             quarantined = count.quarantined + excluded.quarantined, \
             refused = count.refused + excluded.refused, \
             repeated = count.repeated + excluded.repeated, \
             reused = count.reused + excluded.reused",
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
    fn earlier(&mut self, message: &Message) -> Result<Option<Earlier>, Stop> {
        // What was asked ahead holds for the first of that name: it may write another.
        let any = match self.earlier.remove(&message.own_name()) {
            Some(asked) => asked,
            None => {
                let mut select = self.connection.prepare_cached(EARLIER)?;
                select.query_row(message.name(), Earlier::read).optional()?
            }
        };
        if any.as_ref().is_none_or(|earlier| earlier.is(message)) {
            return Ok(any);
        }
        let (source, control_id) = message.name();
        let exact = self
            .connection
            .prepare_cached(
                "SELECT number, state, fault, at, person, received_at_ms, digest FROM journal \
                 WHERE source = ?1 AND control_id = ?2 AND digest = ?3 LIMIT 1",
            )?
            .query_row((source, control_id, message.digest), Earlier::read)
            .optional()?;
        Ok(exact.or(any))
    }
}

impl Earlier {
    pub(super) fn read(row: &sql::Row<'_>) -> sql::Result<Self> {
        Ok(Self { kept: repeated(row)?, digest: row.get(6)? })
    }

    /// Whether it is this very message.
    fn is(&self, message: &Message) -> bool {
        self.digest == message.digest
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

fn repeated(row: &sql::Row<'_>) -> sql::Result<Kept> {
    Ok(Kept {
        number: row.get::<i64>(0)?.cast_unsigned(),
        state: State::from_code(row.get(1)?),
        reason: read_reason(row.get(2)?, row.get(3)?),
        persons: row.get::<Option<i64>>(4)?.map(PersonId).into_iter().collect(),
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

pub(super) fn bounded(mut control_id: String) -> String {
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
