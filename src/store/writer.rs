//! 提交, the one thread that writes: many requests, one commit, then their answers.
//!
//! Numbers are gapless because nobody else draws them. A request that is refused
//! writes nothing; a request the database stumbles over is run again alone, so that
//! it cannot spoil the commit of the others.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::ahead::Person;
use super::arrival::{Appended, Kept, LedgerRow, Seal};
use super::assertion::Said;
use super::batch::Deed;
use super::budget::Spending;
use super::condition::Conditions;
use super::console::OfConsole;
use super::error::StoreError;
use super::exchange::Exchanged;
use super::generation::Generations;
use super::journal::{Earlier, Message, Outcome, Retrial, Tally};
use super::lease::Lease;
use super::opinion::Voiced;
use super::outbox::{Ended, Enrol, Verdict};
use super::place::Moves;
use super::policies::{InForce, Judgement, Waiting};
use super::recent::Recent;
use super::rekey::{KeyDeed, Step};
use super::retention::OfRetention;
use super::review::Proposal;
use super::seal::StoreKeys;
use super::shared::Shared;
use super::sql::{self, Asked, Connection};
use super::statistic::Frozen;
use super::ticket::{Reviewed, Ticket};
use super::tree::{LedgerView, OfTree};
use super::trust;
use super::turn::{self, Changes};
use crate::identity::linkage::Weights;
use crate::identity::{PersonId, Token};
use crate::vocabulary::{Source, Subscription};

/// What the writer is asked.
pub enum Request {
    /// Put an entry in the ledger.
    Append(LedgerRow),
    /// Put the entry of what an operator orders in the ledger.
    AppendOrder(LedgerRow),
    /// Put the entries of an answer in the ledger, if what must hold for them does.
    AppendWithin(Vec<(LedgerRow, Conditions)>),
    /// Take note of a question against a budget.
    Spend(Spending),
    /// Something about a batch.
    Batch(Box<Deed>),
    /// Do with notices what somebody decided.
    Decide(Verdict),
    /// Note what became of a try to deliver a notice.
    End(i64, (Ended, i64), Option<Lease>),
    /// Bring policies into force, and say so.
    Enforce(Vec<LedgerRow>, InForce, i64),
    /// Change whom a subscription is about.
    Enrol(Subscription, Vec<Enrol>, i64),
    /// Destroy the keys of a person.
    Erase { person: PersonId, at_ms: i64 },
    /// Note that a file was taken whole.
    Exchanged(Box<Exchanged>, [u8; 16]),
    /// Keep a return.
    Freeze(Box<Frozen>),
    /// Keep messages of one sender in their order.
    Keep(Arc<[Message]>),
    /// Take the lease of a job, or give it back.
    Lease(Arc<str>, Duration),
    /// Join one person to another.
    Merge { from: PersonId, into: PersonId, at_ms: i64 },
    /// Give a held message a new outcome.
    Settle { number: i64, outcome: Box<Outcome>, retrial: Retrial },
    /// Take note of what somebody said of two entries.
    Said(Box<Said>),
    /// Say that an entry is none of the others that are its person.
    Part(Box<Said>),
    /// End an assertion.
    Withdraw { event: i64, at_ms: i64 },
    /// Let policies wait for two people, and say so.
    ProposePolicies(LedgerRow, Box<Waiting>),
    /// Note what one person says of policies that wait.
    JudgePolicies(LedgerRow, Judgement),
    /// Note what one reviewer decided, or confirm what another did.
    Propose(Box<Said>),
    /// Note what one reviewer says of a held message, or that a second says the same.
    Voice(Box<Voiced>),
    /// Count by these weights from now on.
    Weigh(Box<Weights>, i64, i64),
    /// Judge these entries anew.
    Rejudge(Vec<PersonId>, i64),
    /// Open a ticket that waits for a second person.
    OpenTicket(Box<Ticket>, LedgerRow),
    /// Note what a reviewer said of a ticket.
    ReviewTicket(Reviewed, LedgerRow),
    /// Move some entries to the generation in force; this is said once none is left.
    MoveOn(usize, LedgerRow),
    /// Something about keys at rest.
    Keys(Box<KeyDeed>),
    /// Bring the next generation of the tokens' key into force.
    Rotate { at_ms: i64 },
    /// Something that users of the console decide or keep.
    Console(Box<OfConsole>),
    /// Something about how long entries are kept.
    Retention(Box<OfRetention>),
    /// Keep something of the ledger's tree.
    Tree(Box<OfTree>),
    /// Undo a join.
    Unmerge { person: PersonId, at_ms: i64 },
    /// Fill the search tables a little further.
    Project,
    /// Let the file grow to so many pages.
    #[cfg(test)]
    Pages(i64),
    /// Fail inside the transaction.
    #[cfg(test)]
    Stumble(Stumble),
}

impl Request {
    /// The messages that shall be kept.
    fn keeps(&self) -> &[Message] {
        match self {
            Self::Keep(messages) => messages,
            _ => &[],
        }
    }
}

/// Ways for a test to make one request fail.
#[cfg(test)]
#[derive(Clone, Copy)]
pub enum Stumble {
    /// The database refuses the statement.
    Constraint,
    /// The code panics.
    Panic,
    /// The disk does not take it.
    Sync,
}

/// What the writer answers once the commit is durable.
#[derive(Debug)]
pub enum Answer {
    Appended(Appended),
    /// A batch: its number, and its key as the file keeps it.
    Begun(i64, Vec<u8>),
    /// Notices that are something else now.
    Changed(usize),
    Done,
    /// How many joined a list, and left it.
    Enrolled(usize, usize),
    Kept(Kept),
    /// What became of each message, up to the first that was refused.
    KeptAll(Vec<Result<Kept, StoreError>>),
    Leased(Option<i64>),
    Persons(Vec<PersonId>),
    Proposed(Proposal),
    Rekeyed(Step),
}

/// A request and who waits for it.
pub struct Job {
    pub request: Request,
    pub answer: oneshot::Sender<Result<Answer, StoreError>>,
}

/// Why a request did not go through.
pub enum Stop {
    /// It alone is refused, and has written nothing.
    Refused(StoreError),
    /// The transaction cannot go on.
    Broken(Failed),
}

/// Why a whole transaction did not happen.
pub enum Failed {
    /// Something about one of the requests.
    Request,
    /// Space or the disk: trying each request alone would fail the same way.
    Storage,
    /// A sync: nobody knows what is on the disk.
    Sync,
}

impl From<sql::Error> for Stop {
    fn from(error: sql::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Sql(error) => Self::Broken(error.into()),
            StoreError::Unavailable => Self::Broken(Failed::Request),
            other => Self::Refused(other),
        }
    }
}

/// The next number of each kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Next {
    pub journal: i64,
    pub ledger: i64,
    pub person: i64,
    /// Of what is said of entries.
    pub event: i64,
    /// Up to where the search tables are filled.
    pub projected: i64,
}

/// The state of the writing thread.
pub struct Writer {
    pub(super) connection: Connection,
    pub(super) keys: Arc<StoreKeys>,
    pub(super) generations: Generations,
    pub(super) next: Next,
    /// Whose a number is, or that it is nobody's.
    pub(super) tokens: Recent<(Token, Source), Option<PersonId>>,
    pub(super) persons: Recent<PersonId, Person>,
    /// What came before under the names of the messages of this commit, until it matters.
    pub(super) earlier: HashMap<(Source, String), Option<Earlier>>,
    pub(super) tallies: HashMap<Source, Tally>,
    pub(super) entries: Vec<Bytes>,
    /// What this commit changes of what is remembered elsewhere.
    pub(super) changes: Changes,
    /// Asked in this commit: whether numbers are of others too.
    pub(super) shares: Vec<Asked<()>>,
    /// Whether what is remembered is what the file says.
    pub(super) sound: bool,
    /// How many commits a server had by the last one this writer knows.
    pub(super) turn: Option<i64>,
    /// Whether the seal stands where the ledger does.
    pub(super) follows: bool,
    /// Which of the gateways of a server it is.
    pub(super) node: i64,
    pub(super) scratch: Vec<u8>,
    /// What agreements are worth.
    pub(super) weights: Weights,
    seal: Seal,
    pub(super) shared: Arc<Shared>,
}

impl Writer {
    /// Reads where the numbers stand.
    pub fn new(
        connection: Connection,
        keys: Arc<StoreKeys>,
        seal: Seal,
        (shared, remembered_max): (Arc<Shared>, usize),
    ) -> Result<Self, StoreError> {
        let turn = turn::turns(&connection)?;
        let mut writer = Self {
            generations: Generations::read(&connection, &keys)?,
            // Another gateway may have written since the seal was read from the ledger.
            follows: turn.is_none(),
            turn,
            connection,
            keys,
            next: Next::default(),
            tokens: Recent::new(remembered_max.saturating_mul(4)),
            persons: Recent::new(remembered_max),
            earlier: HashMap::new(),
            tallies: HashMap::new(),
            entries: Vec::new(),
            changes: Changes::default(),
            shares: Vec::new(),
            sound: false,
            node: shared.node,
            scratch: Vec::new(),
            weights: Weights::default(),
            seal,
            shared,
        };
        writer.forget()?;
        Ok(writer)
    }

    /// Serves until the last sender is gone.
    pub fn run(mut self, mut jobs: mpsc::Receiver<Job>, batch_max: usize) {
        let mut batch = Vec::with_capacity(batch_max);
        while jobs.blocking_recv_many(&mut batch, batch_max) > 0 {
            self.serve(&mut batch);
        }
    }

    pub(super) fn serve(&mut self, batch: &mut Vec<Job>) {
        // Whoever stopped waiting will ask again; nothing of it is begun.
        batch.retain(|job| !job.answer.is_closed());
        let distrusted = !self.shared.trust.holds();
        if distrusted || self.shared.gauge.at_reserve() || self.shared.hearing.is_past() {
            let spends = |job: &mut Job| distrusted || !job.request.spends_reserve();
            for job in batch.extract_if(.., spends) {
                let _ = job.answer.send(Err(StoreError::Unavailable));
            }
        }
        if batch.is_empty() {
            return;
        }
        let outcomes = match self.together(batch) {
            Ok(outcomes) => outcomes,
            Err(Failed::Request) if batch.len() > 1 => {
                let alone = |one: &[Job]| self.together(one).unwrap_or_else(|_| unavailable(1));
                batch.chunks(1).flat_map(alone).collect()
            }
            Err(_) => unavailable(batch.len()),
        };
        for (Job { request, answer }, outcome) in batch.drain(..).zip(outcomes) {
            // Let go first: whoever waits frees what he asked with.
            drop(request);
            // Nobody waits any more: a repeat will find what was stored.
            let _ = answer.send(outcome);
        }
    }

    /// One transaction. A panic inside it is one more way to fail.
    fn together(&mut self, jobs: &[Job]) -> Result<Vec<Result<Answer, StoreError>>, Failed> {
        let shared = Arc::clone(&self.shared);
        let turn = shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // A sync may have failed since, of one that was tried alone before this one.
        if !shared.trust.holds() {
            return Err(Failed::Storage);
        }
        let ended = catch_unwind(AssertUnwindSafe(|| self.transaction(jobs)));
        let failed = match ended {
            Ok(Ok(outcomes)) => {
                self.note(None);
                return Ok(outcomes);
            }
            Ok(Err(failed)) => failed,
            Err(_) => Failed::Request,
        };
        self.connection.roll_back();
        self.sound = false;
        if matches!(failed, Failed::Sync) {
            shared.trust.lose(&self.connection, trust::SYNC);
        }
        drop(turn);
        if !matches!(failed, Failed::Request) {
            self.note(Some(Instant::now()));
        }
        Err(failed)
    }

    /// Remembers that a commit failed, or that one succeeded since.
    pub(super) fn note(&self, failed: Option<Instant>) {
        let mut known = self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_some() && failed.is_none() {
            tracing::info!("the store can be written again");
        }
        *known = failed;
    }

    fn transaction(&mut self, jobs: &[Job]) -> Result<Vec<Result<Answer, StoreError>>, Failed> {
        let messages: Vec<&Message> = jobs.iter().flat_map(|job| job.request.keeps()).collect();
        if let Err(error) = self.begin_turn(&messages) {
            self.complain(&error);
            return Err(if let StoreError::Sql(error) = error {
                error.into()
            } else {
                Failed::Storage
            });
        }
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            match self.work(&job.request) {
                Ok(answer) => {
                    self.changes.note(&job.request, &answer);
                    outcomes.push(Ok(answer));
                }
                Err(Stop::Refused(error)) => outcomes.push(Err(error)),
                Err(Stop::Broken(failed)) => return Err(failed),
            }
        }
        self.write_tallies()?;
        let checkpoint = self.write_checkpoint()?;
        let changes = self.end_turn()?;
        // Before anybody is answered: whoever asked may have gone, and what he changed has not.
        self.shared.hear(&changes);
        self.shared.told.store(self.turn.unwrap_or_default(), Ordering::SeqCst);
        let lagging = self.next.projected < self.next.ledger;
        self.shared.lagging.store(lagging, Ordering::Relaxed);
        for outcome in &mut outcomes {
            if let Ok(Answer::Appended(appended)) = outcome {
                appended.checkpoint = checkpoint.clone();
            }
        }
        Ok(outcomes)
    }

    fn work(&mut self, request: &Request) -> Result<Answer, Stop> {
        match request {
            Request::Append(row) | Request::AppendOrder(row) => {
                self.append(row).map(Answer::Appended)
            }
            Request::AppendWithin(rows) => self.append_within(rows).map(Answer::Appended),
            Request::Spend(spending) => self.spend(spending).map(|()| Answer::Done),
            Request::OpenTicket(ticket, row) => self.open_ticket(ticket, row),
            Request::ReviewTicket(reviewed, row) => self.review_ticket(reviewed, row),
            Request::Batch(deed) => self.batch(deed),
            Request::Console(what) => self.console(what),
            Request::Retention(what) => self.retain(what),
            Request::Tree(kept) => self.keep_of_tree(kept).map(|()| Answer::Done),
            Request::Decide(verdict) => self.decide_notices(verdict),
            Request::End(number, ended, lease) => self.end(*number, *ended, lease.as_ref()),
            Request::Lease(job, lasts) => self.lease(job, *lasts),
            Request::Enforce(rows, now, at_ms) => {
                self.enforce(rows, now, *at_ms).map(|()| Answer::Done)
            }
            Request::ProposePolicies(row, waiting) => {
                self.propose_policies(row, waiting).map(|()| Answer::Done)
            }
            Request::JudgePolicies(row, said) => {
                self.judge_policies(row, said).map(Answer::Proposed)
            }
            Request::Enrol(list, changes, at_ms) => self.enrol(*list, changes, *at_ms),
            Request::Erase { person, at_ms } => self.erase(*person, *at_ms).map(Answer::Persons),
            Request::Exchanged(file, of) => self.note_exchanged(file, *of).map(|()| Answer::Done),
            Request::Freeze(frozen) => self.freeze(frozen),
            Request::Keep(messages) => self.keep_all(messages).map(Answer::KeptAll),
            Request::Merge { from, into, at_ms } => {
                self.merge(*from, *into, *at_ms).map(Answer::Persons)
            }
            Request::Settle { number, outcome, retrial } => {
                self.settle(*number, (outcome, retrial)).map(Answer::Kept)
            }
            Request::Unmerge { person, at_ms } => {
                self.unmerge(*person, *at_ms).map(Answer::Persons)
            }
            Request::Said(said) => self.assert(said).map(touched),
            Request::Part(said) => self.part(said).map(touched),
            Request::Withdraw { event, at_ms } => self.withdraw(*event, *at_ms).map(touched),
            Request::Propose(said) => self.propose(said).map(Answer::Proposed),
            Request::Voice(voiced) => self.voice(voiced).map(Answer::Proposed),
            Request::Weigh(weights, entries, at_ms) => {
                self.weigh(weights, (*entries, *at_ms)).map(|()| Answer::Done)
            }
            Request::Rejudge(entries, at_ms) => self.rejudge_all(entries, *at_ms).map(touched),
            Request::MoveOn(limit, ended) => self.move_on(*limit, ended).map(|()| Answer::Done),
            Request::Keys(deed) => self.keys(deed),
            Request::Rotate { at_ms } => self.rotate(*at_ms).map(|()| Answer::Done),
            Request::Project => self.project().map(|()| Answer::Done),
            #[cfg(test)]
            Request::Pages(pages) => {
                self.connection.set("max_page_count", pages)?;
                Ok(Answer::Done)
            }
            #[cfg(test)]
            Request::Stumble(Stumble::Panic) => panic!("asked to"),
            #[cfg(test)]
            Request::Stumble(Stumble::Sync) => Err(Stop::Broken(Failed::Sync)),
            #[cfg(test)]
            Request::Stumble(Stumble::Constraint) => {
                self.connection.execute("INSERT INTO person (id) VALUES (NULL)", [])?;
                Ok(Answer::Done)
            }
        }
    }

    /// Signs what this transaction added to the ledger, if anything.
    fn write_checkpoint(&mut self) -> Result<Bytes, Failed> {
        if self.entries.is_empty() {
            return Ok(Bytes::new());
        }
        let entries = std::mem::take(&mut self.entries);
        let first = self.next.ledger - i64::try_from(entries.len()).unwrap_or(0);
        let first = first.cast_unsigned();
        let view = LedgerView::new(&self.connection);
        if !self.follows && !self.seal.follow(view, first) {
            return Err(Failed::Storage);
        }
        self.follows = true;
        let slices: Vec<&[u8]> = entries.iter().map(|entry| &entry[..]).collect();
        let sealed = self.seal.seal(first, &slices).ok_or(Failed::Storage)?;
        self.keep_tiles(&sealed.tiles)?;
        let checkpoint = Bytes::from(sealed.checkpoint);
        self.connection
            .prepare_cached("INSERT INTO checkpoint (size, bytes) VALUES (?1, ?2)")?
            .execute((self.next.ledger, &checkpoint[..]))?;
        Ok(checkpoint)
    }
}

fn touched(moves: Moves) -> Answer {
    Answer::Persons(moves.touched.into_iter().collect())
}

fn unavailable(count: usize) -> Vec<Result<Answer, StoreError>> {
    (0..count).map(|_| Err(StoreError::Unavailable)).collect()
}
