//! 存储, the store: journal, persons, records and ledger rows, in one SQLite file or with a
//! PostgreSQL server.
//!
//! ```text
//! keep, append, merge … → queue → one writing thread → one commit for many → answers
//! person, records, counts … → a pool of reading connections
//! write-ahead log → database file, search tables: a thread of low priority
//! ```
//!
//! What is answered is durable (WAL, `synchronous=FULL`): a kill at any point loses
//! nothing that was answered and keeps every sum. Does not know what a message, a
//! ledger entry or a checkpoint says. Nothing about a person is in the file in clear:
//! identifiers are keyed tokens, messages and records are sealed under a key for each
//! person. In clear stand times, sources, control ids, names of datasets, faults with
//! their positions, entrances, versions of mappings, and the ledger's own text.

mod ahead;
mod apply;
pub mod archive;
pub mod arrival;
mod assertion;
mod backlog;
pub mod backup;
mod base;
pub mod batch;
pub mod budget;
pub mod cache;
mod came;
pub mod carry;
pub mod condition;
mod console;
pub mod departed;
mod directory;
mod ear;
mod enrolment;
mod error;
pub mod exchange;
mod file;
mod found;
mod generation;
pub mod held;
pub mod history;
mod identity;
mod index;
mod journal;
mod keep;
mod lease;
mod ledger;
mod master;
mod moved;
mod notice;
pub mod opinion;
pub mod outbox;
pub mod packs;
pub mod pile;
mod place;
pub mod policies;
mod read;
mod recent;
mod record;
mod rehearsal;
mod rekey;
pub mod rerun;
pub mod retention;
pub mod review;
pub mod room;
mod rotation;
pub mod saved;
pub mod schema;
mod seal;
mod settings;
mod shared;
mod sql;
pub(crate) mod stage;
pub mod statistic;
#[cfg(test)]
pub(crate) mod tests;
pub mod ticket;
mod tide;
pub mod trace;
mod tree;
mod trust;
mod turn;
mod word;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub use arrival::{
    Appended, Arrival, Change, Checkpoint, Count, Held, Kept, LedgerEntry, LedgerRow, MergeEvent,
    Proposed, Reason, Replay, Seal, Sealed, Sealing, State, Unsigned, WriteEntry,
};
pub use assertion::Said;
pub use backlog::{Backlog, Item};
pub use directory::Found;
pub use error::StoreError;
pub use exchange::{Exchanged, Mark, Sums};
pub use index::Holder;
pub use journal::{Guard, Retrial};
pub use lease::{Lease, RENEW_EVERY};
pub use ledger::{LedgerFile, LedgerSearch};
pub use master::{in_force as master_in_force, mark as master_mark};
pub use outbox::Standing;
pub use rehearsal::Rehearsed;
pub use rekey::{EndRows, Rekeying, Step};
pub use rotation::Rotation;
pub use settings::Settings;
pub use sql::{Database, ServerError};
pub use tree::{Cosigned, LedgerView, Tile};
pub use turn::Changes;
pub use word::Worded;

use crate::identity::{PersonId, Token};
use crate::vocabulary::{IdentifierKind, Record};
use base::Base;
use ear::{Ear, Hearing};
use journal::Outcome;
use lease::Leases;
use read::Readers;
use room::Gauge;
use seal::StoreKeys;
use shared::Shared;
use tide::{Empty, Log, Tide};
use writer::{Answer, Job, Request, Writer};

/// Tokens whose person is remembered for reading.
const TOKENS_REMEMBERED_MAX: u64 = 65_536;

/// The store of one gateway. Dropping it finishes what was begun.
pub struct Store {
    settings: Settings,
    keys: Arc<StoreKeys>,
    readers: Arc<Readers>,
    shared: Arc<Shared>,
    tokens: moka::sync::Cache<Token, (Holder, u64)>,
    jobs: Option<mpsc::Sender<Job>>,
    empty: Option<std::sync::mpsc::Sender<Empty>>,
    threads: Vec<JoinHandle<()>>,
    leases: Leases,
    base: Arc<Base>,
}

impl Store {
    /// Opens or makes the store and starts its threads.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be used or is in use, the file is of a
    /// later version or under another master key, or the database fails.
    pub fn open(settings: Settings, master: &[u8; 32], seal: Seal) -> Result<Self, StoreError> {
        let (base, connection, keys) = Base::open(&settings, master)?;
        let keys = Arc::new(keys);
        let log = base.log(&settings)?;
        let gauge = Gauge::new(&settings, log.as_ref().map(Log::measured));
        let hearing = match base.server() {
            Some(_) => Hearing::within(Duration::from_millis(settings.silence_ms_max)),
            None => Hearing::default(),
        };
        let shared = Shared::new(turn::node()?, hearing, gauge);
        let (jobs, queue) = mpsc::channel(settings.queue_requests_max.max(1));
        let (empty, orders) = std::sync::mpsc::channel();
        let remembered = (Arc::clone(&shared), settings.persons_remembered_max);
        let mut writer = Writer::new(connection, Arc::clone(&keys), seal, remembered)?;
        writer.reindex()?;
        writer.connection.opened()?;
        let heard = writer.turn.unwrap_or_default();
        let ear = base.server().map(|at| Ear::new(at, heard, (&shared, jobs.downgrade())));
        let tide = Tide { log, shared: Arc::clone(&shared), jobs: jobs.downgrade() };
        let readers: Result<Vec<_>, _> =
            (0..settings.readers.max(1)).map(|_| base.reader(&settings)).collect();
        let readers = Readers::new(readers?);
        let batch_max = settings.batch_requests_max.max(1);
        let mut threads = vec![
            thread("store-tide", move || tide.run(&orders))?,
            thread("store-writer", move || writer.run(queue, batch_max))?,
        ];
        if let Some(ear) = ear {
            threads.push(thread("store-ear", move || ear.run())?);
        }
        Ok(Self {
            settings,
            keys,
            readers,
            shared,
            tokens: moka::sync::Cache::new(TOKENS_REMEMBERED_MAX),
            jobs: Some(jobs),
            empty: Some(empty),
            threads,
            leases: Leases::default(),
            base: Arc::new(base),
        })
    }

    /// The root secret, from which everything follows that no rotation changes.
    #[must_use]
    pub fn root(&self) -> &[u8; 32] {
        self.keys.root()
    }

    /// Gives a quarantined or refused message a new outcome, in one commit.
    ///
    /// # Errors
    /// [`StoreError::Settled`] if it is applied already, [`StoreError::Unknown`] if
    /// there is none of that number, [`StoreError::Unavailable`].
    pub async fn set_outcome(
        &self,
        number: u64,
        proposed: Proposed,
        retrial: Retrial,
    ) -> Result<Kept, StoreError> {
        let outcome = Box::new(Outcome::new(proposed, &self.keys)?);
        let number = ledger::bound(number);
        kept(self.write(Request::Settle { number, outcome, retrial }).await?)
    }

    /// Appends an entry to the ledger; durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be written: nothing may be released.
    pub async fn append(&self, row: LedgerRow) -> Result<Appended, StoreError> {
        match self.write(Request::Append(row)).await? {
            Answer::Appended(appended) => Ok(appended),
            _ => Err(StoreError::Damaged),
        }
    }

    /// Erases a person and everybody merged with it, by destroying their keys. The
    /// identifiers are unlinked: a later message makes a new person.
    ///
    /// A message in quarantine belongs to no person yet and is not reached.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Unavailable`].
    pub async fn erase(&self, person: PersonId, at_ms: i64) -> Result<Vec<PersonId>, StoreError> {
        let erased = persons(self.write(Request::Erase { person, at_ms }).await?)?;
        // The log still holds pages with the keys; if a reader stands in the way now, they
        // go as soon as it is done.
        self.empty_log().await;
        Ok(erased)
    }

    /// Copies the write-ahead log into the database and empties it; `false` if a
    /// reader stands in the way, and then it is done once the reader has ended.
    pub async fn empty_log(&self) -> bool {
        let (answer, emptied) = oneshot::channel();
        let asked = self.empty.as_ref().is_some_and(|empty| empty.send(answer).is_ok());
        asked && emptied.await.unwrap_or(false)
    }

    /// Whose a number is, after merges.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it may be several persons', [`StoreError::Sql`].
    pub async fn holder(&self, token: Token) -> Result<Option<Holder>, StoreError> {
        // Read before the lookup: a join that happens meanwhile makes its result too old.
        let links = self.shared.links.load(Ordering::SeqCst);
        if !self.is_past()
            && let Some((holder, stamp)) = self.tokens.get(&token)
            && stamp == links
        {
            return Ok(Some(holder));
        }
        let read = move |reader: &_, by: &_| index::holder(reader, by, &token);
        let found = self.by_generation(read).await?;
        if let Some(holder) = found {
            self.tokens.insert(token, (holder, links));
        }
        Ok(found)
    }

    /// The person these identifiers lead to, after merges; those nobody knows are passed over.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if they lead to different persons, [`StoreError::Sql`].
    pub async fn person(&self, tokens: &[Token]) -> Result<Option<PersonId>, StoreError> {
        if let [token] = tokens {
            return Ok(self.holder(*token).await?.map(|holder| holder.root));
        }
        let wanted = tokens.to_vec();
        self.by_generation(move |reader, by| read::person(reader, by, &wanted)).await
    }

    /// Whether nothing in the index speaks against these identifiers being one person's.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn is_one(&self, named: Vec<(IdentifierKind, Token)>) -> Result<bool, StoreError> {
        self.by_generation(move |reader, by| read::is_one(reader, by, &named)).await
    }

    /// Everything that joined a person to another or set it free, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn merges(&self, person: PersonId) -> Result<Vec<MergeEvent>, StoreError> {
        self.readers.read(move |connection| read::merges(connection, person)).await
    }

    /// The entries an identifier is linked to, before any merge is followed.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn entries(&self, token: Token) -> Result<Vec<PersonId>, StoreError> {
        let read = move |connection: &_, generations: &_| {
            let holders = index::holders(connection, generations, &token)?;
            Ok(holders.into_iter().map(|(entry, _)| entry).collect())
        };
        self.by_generation(read).await
    }

    /// The entry of an identifier that somebody said is another's, if one is.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn merged(&self, token: Token) -> Result<Option<PersonId>, StoreError> {
        self.by_generation(move |reader, by| Ok(index::merged(reader, by, &token)?)).await
    }

    /// The counts of every source, by name.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn counts(&self) -> Result<Vec<Count>, StoreError> {
        self.readers.read(read::counts).await
    }

    /// Messages in one state with a number above `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn held(
        &self,
        state: State,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Held>, StoreError> {
        self.readers.read(move |connection| read::held(connection, state, (after, limit))).await
    }

    /// Messages whose control id other bytes had before, in the manner of [`Store::held`].
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn alarms(&self, after: u64, limit: usize) -> Result<Vec<Held>, StoreError> {
        self.readers.read(move |connection| read::alarms(connection, (after, limit))).await
    }

    /// A message as it came, to be run again; `None` if there is none or it is erased.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn replay(&self, number: u64) -> Result<Option<Replay>, StoreError> {
        let keys = Arc::clone(&self.keys);
        self.readers.read(move |connection| read::replay(connection, &keys, number)).await
    }

    /// The record that holds the document of a key; `None` if there is none any more.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn document(&self, key: String) -> Result<Option<Found>, StoreError> {
        let keys = Arc::clone(&self.keys);
        self.readers.read(move |connection| directory::document(connection, &keys, &key)).await
    }

    /// The newest version of an entry about staff or an organisation, and when it arrived.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Sql`].
    pub async fn listing(&self, key: String) -> Result<Option<(Record, i64)>, StoreError> {
        let keys = Arc::clone(&self.keys);
        self.readers.read(move |connection| directory::listing(connection, &keys, &key)).await
    }

    /// How many entries the ledger has.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn ledger_size(&self) -> Result<u64, StoreError> {
        self.readers.read(|connection| Ok(ledger::size(connection)?)).await
    }

    /// Ledger entries from a number on, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn ledger(&self, from: u64, limit: usize) -> Result<Vec<LedgerEntry>, StoreError> {
        self.readers.read(move |connection| Ok(ledger::entries(connection, from, limit)?)).await
    }

    /// Ledger entries that match, newest first; complete at every moment.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn search(&self, search: LedgerSearch) -> Result<Vec<LedgerEntry>, StoreError> {
        self.readers.read(move |connection| Ok(ledger::find(connection, &search)?)).await
    }

    /// Everybody whom an identifier led to or leads to, and every identifier of theirs.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn known_as(&self, token: Token) -> Result<(Vec<PersonId>, Vec<Token>), StoreError> {
        self.by_generation(move |reader, by| ledger::known_as(reader, by, &token)).await
    }

    /// Checkpoints over more than `above` entries, in order, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn checkpoints(
        &self,
        above: u64,
        limit: usize,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        self.readers.read(move |reader| Ok(ledger::checkpoints(reader, above, limit)?)).await
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        self.readers.read(|connection| Ok(ledger::checkpoint(connection)?)).await
    }

    async fn write(&self, request: Request) -> Result<Answer, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let written = async {
            let jobs = self.jobs.as_ref().ok_or(StoreError::Unavailable)?;
            jobs.send(Job { request, answer }).await.map_err(|_| StoreError::Unavailable)?;
            outcome.await.map_err(|_| StoreError::Unavailable)?
        };
        let wait = Duration::from_millis(self.settings.wait_ms_max);
        tokio::time::timeout(wait, written).await.map_err(|_| StoreError::Unavailable)?
    }
}

/// Waits for the threads: the last commit ends, then the lock is given back.
impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None;
        // The writer first: what it wrote last is archived by another.
        for thread in self.threads.drain(..).rev() {
            thread.thread().unpark();
            // A thread that panicked has nothing more to finish.
            let _ = thread.join();
            self.empty = None;
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("folder", &self.settings.folder).finish_non_exhaustive()
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(StoreError::Folder)
}

fn kept(answer: Answer) -> Result<Kept, StoreError> {
    match answer {
        Answer::Kept(kept) => Ok(kept),
        _ => Err(StoreError::Damaged),
    }
}

fn persons(answer: Answer) -> Result<Vec<PersonId>, StoreError> {
    match answer {
        Answer::Persons(persons) => Ok(persons),
        _ => Err(StoreError::Damaged),
    }
}
