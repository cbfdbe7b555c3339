//! Gateways of one house for a simulation: each with its own writer, ear, leases and readers, all
//! on one file that stands in for their server. No thread runs: whoever plays says what goes on.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::super::lease::Held;
use super::stage;
use super::*;
use crate::store::base::Base;
use crate::store::file::{Lock, StoreFile};
use crate::store::sql::{Connection, Database, sqlite};
use crate::store::turn::turns;
use crate::store::{Readers, master};

/// Connections of each gateway that read.
const READERS: usize = 2;

/// What a file is before anything is kept.
fn empty() -> &'static [u8] {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    EMPTY.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let settings = Settings::of(folder.path());
        let (file, _) = StoreFile::open(&settings, &MASTER).unwrap();
        file.checkpointer().unwrap().checkpoint("TRUNCATE").unwrap();
        std::fs::read(file.path()).unwrap()
    })
}

/// The folder of one simulation.
pub(crate) struct House {
    folder: TempDir,
}

/// One gateway of it.
pub(crate) struct Inmate {
    pub(crate) store: Arc<Store>,
    /// By what the server knows it.
    pub(crate) node: i64,
    writer: RefCell<Writer>,
    jobs: RefCell<mpsc::Receiver<Job>>,
    ear: RefCell<(Ear, Option<Connection>, bool)>,
}

/// Requests that are served at once.
pub(crate) struct Batch(Vec<Job>);

impl Batch {
    /// Which notices it says the end of, each under which fence.
    pub(crate) fn ends(&self) -> Vec<(i64, i64)> {
        let end = |job: &Job| match &job.request {
            Request::End(number, _, Some(lease)) => Some((*number, lease.fence)),
            _ => None,
        };
        self.0.iter().filter_map(end).collect()
    }
}

impl House {
    /// One with nothing in it.
    pub(crate) fn new() -> Self {
        // Where there is memory for files no disk is waited for.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let house = Self { folder: folder.unwrap() };
        std::fs::write(house.file(), empty()).unwrap();
        house
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("kangqiao.db")
    }

    /// A connection to what they share.
    pub(crate) fn connect(&self) -> Connection {
        let connection = sqlite::open(&self.file()).unwrap();
        connection.tune(512).unwrap();
        connection.wait_for(Duration::ZERO).unwrap();
        connection.set("journal_mode", "wal").unwrap();
        connection.set("synchronous", "off").unwrap();
        connection.set("wal_autocheckpoint", 0).unwrap();
        connection
    }

    /// A gateway that has just been started.
    pub(crate) fn open(&self, node: i64, silence: Duration) -> Inmate {
        let settings = Settings::of(&self.folder.path().join(node.to_string()));
        let database = Arc::new(Database {
            host: "localhost".to_owned(),
            port: 0,
            name: "simulated".to_owned(),
            user: "kangqiao".to_owned(),
            password: None,
            authority: None,
        });
        let connection = self.connect();
        let keys = Arc::new(master::open(&connection, &MASTER).unwrap());
        let gauge = Gauge::new(&settings, None);
        let shared = Shared::new(node, Hearing::within(silence), gauge);
        let (sender, jobs) = mpsc::channel(settings.queue_requests_max);
        let remembered = (Arc::clone(&shared), 16);
        let writer = Writer::new(connection, Arc::clone(&keys), chain(), remembered).unwrap();
        let heard = turns(&writer.connection).unwrap().unwrap_or_default();
        let ear = Ear::new(&database, heard, (&shared, sender.downgrade()));
        let lock = Lock::take(&settings.folder).unwrap();
        let store = Store {
            settings,
            keys,
            readers: Readers::new((0..READERS).map(|_| self.connect()).collect()),
            shared,
            tokens: moka::sync::Cache::new(TOKENS_REMEMBERED_MAX),
            jobs: Some(sender),
            empty: None,
            threads: Vec::new(),
            leases: Leases::default(),
            base: Arc::new(Base::Server { database, _lock: lock }),
        };
        Inmate {
            store: Arc::new(store),
            node,
            writer: RefCell::new(writer),
            jobs: RefCell::new(jobs),
            ear: RefCell::new((ear, Some(self.connect()), false)),
        }
    }
}

impl Inmate {
    /// How many requests wait for its writer.
    pub(crate) fn waiting(&self) -> usize {
        self.jobs.borrow().len()
    }

    /// What its writer takes of the queue for one commit.
    pub(crate) fn take(&self, most: usize) -> Batch {
        let mut batch = Vec::new();
        while batch.len() < most
            && let Ok(job) = self.jobs.borrow_mut().try_recv()
        {
            batch.push(job);
        }
        Batch(batch)
    }

    /// Lets its writer serve these.
    pub(crate) fn serve(&self, mut batch: Batch) {
        self.writer.borrow_mut().serve(&mut batch.0);
    }

    /// Lets it hear what others changed; one that is cut off hears nothing.
    pub(crate) fn listen(&self, cut: bool) {
        let (ear, connection, silent) = &mut *self.ear.borrow_mut();
        if !cut {
            ear.listen(connection, silent);
        }
    }

    /// Lets it believe that it has heard.
    pub(crate) fn pretend_to_listen(&self) {
        self.store.shared.hearing.note(stage::now());
    }

    /// The fence under which it believes to have a lease.
    pub(crate) fn believes(&self, job: &str) -> Option<i64> {
        match self.store.leases.of(job) {
            Some(Held::Ours(fence, until)) if stage::now() < until => Some(fence),
            _ => None,
        }
    }
}

/// What a message about whoever has this card says, and who is told of it.
pub(crate) fn said(text: &str, card: &str, wishes: Vec<outbox::Wish>) -> Arrival {
    let mut proposed = apply(text, vec![indexed(IdentifierKind::HealthCard, card)]);
    if let Proposed::Apply { wishes: told, .. } = &mut proposed {
        *told = wishes;
    }
    arrival(text, text, proposed)
}

/// A message that two cards are one person's.
pub(crate) fn joined(text: &str, (one, other): (&str, &str)) -> Arrival {
    let [one, other] = [one, other].map(|card| vec![indexed(IdentifierKind::HealthCard, card)]);
    let mut proposed = merge(one, other);
    if let Proposed::Apply { record: told, .. } = &mut proposed {
        **told = record(text);
    }
    arrival(text, text, proposed)
}

/// The token of a card, and how a department enrols whoever has it.
pub(crate) fn enrolled(card: &str) -> (Token, outbox::Enrol) {
    let identifier = Identifier::new(IdentifierKind::HealthCard, card);
    let token = indexed(IdentifierKind::HealthCard, card).token;
    let enrolled = outbox::Enrolled { identifier, reference: card.to_owned() };
    (token, outbox::Enrol::Join(enrolled, token))
}

/// An entry of the ledger.
pub(crate) fn entry(text: &str) -> LedgerRow {
    row(text, None, None)
}

/// What records say.
pub(crate) fn told(records: &[(Record, i64)]) -> Vec<String> {
    let values = records.iter().flat_map(|(record, _)| record.fields());
    let text = |field: &Field| match &field.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    values.filter_map(text).collect()
}

/// The checkpoint that stands over these entries.
pub(crate) fn checkpoint(entries: &[Vec<u8>]) -> Vec<u8> {
    head(entries.iter().map(|entry| &entry[..]))
}
