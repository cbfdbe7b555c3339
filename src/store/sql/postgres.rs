//! What is PostgreSQL's alone: sessions, what is sent without waiting, its words and kinds.
//!
//! ```text
//! write → sent at once, not waited for ┐
//! write → sent at once, not waited for ├─ one round trip, at the next read or the commit
//! read, commit → sent, and waited for  ┘
//! ```
//!
//! What the server says to a write that was not waited for is seen by whoever waits next, and at
//! the commit at the latest.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_util::TryStreamExt;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, Row, Statement};

use super::server::{Database, ServerError};
use super::value::Value;
use super::{Connection, Error, Kind, Optional, Params, Result, words};

/// Writes that are sent before somebody waits for them.
const SENT_MAX: usize = 256;
/// Statements a session remembers; those made of parts are few.
const STATEMENTS_MAX: usize = 512;
/// Uses of a statement after which it is planned anew, and then after as many as up to there: the
/// tables it was planned for have grown since.
const REPLANNED: u32 = 16;
/// What every session asks of its server: durable commits, texts in the order of their bytes, an
/// end to sessions whose gateway is gone, and no waiting without an end for what others hold. A
/// statement is planned for whatever values, and by the indexes, also before the server has any
/// figures of its tables.
const OPTIONS: &str = "-c synchronous_commit=on -c plan_cache_mode=force_generic_plan \
    -c enable_seqscan=off -c jit=off -c tcp_keepalives_idle=5 \
    -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000 \
    -c lock_timeout=5000 -c idle_in_transaction_session_timeout=";
/// How long a session may hold what it read without asking for more, milliseconds.
const READS_MS: &str = "60000";
/// How long one may hold the turn so: others wait for it, and longer than that.
const WRITES_MS: &str = "3000";
/// Held while a store is opened: the tables and keys are made by one gateway alone.
const OPENING: &str = "SET lock_timeout = 60000; \
    SELECT pg_advisory_lock(1802923379, hashtext(current_schema())); RESET lock_timeout";
/// Given back.
const OPENED: &str = "SELECT pg_advisory_unlock(1802923379, hashtext(current_schema()))";
/// Takes the turn to write, which lasts until the commit, and says how many there were: whoever
/// had to wait reads what was committed last.
pub const TAKE: &str = "SELECT number FROM turn FOR UPDATE";
/// Told to whoever listens once it is committed.
const WAKE: &str = "NOTIFY kangqiao";
/// Hears that.
const LISTEN: &str = "LISTEN kangqiao";
/// Takes a lease that is free or ours for so many milliseconds; its fence.
const LEASE: &str = "INSERT INTO lease AS held (job, node, fence, until_ms) \
    SELECT CAST(?1 AS TEXT), CAST(?2 AS BIGINT), 1, now.ms + CAST(?3 AS BIGINT) FROM \
    (SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS ms) AS now \
    ON CONFLICT (job) DO UPDATE SET node = excluded.node, until_ms = excluded.until_ms, \
    fence = held.fence + CASE WHEN held.node = excluded.node THEN 0 ELSE 1 END \
    WHERE held.node = excluded.node \
    OR held.until_ms <= excluded.until_ms - CAST(?3 AS BIGINT) RETURNING fence";
/// Whether somebody else has a lease.
const COMPANY: &str = "SELECT 1 FROM lease WHERE node <> ?1 \
    AND until_ms > CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
/// A step of the schema is a turn of nobody's: whoever has the next looks at the ground. Who reads
/// a table that it changes is waited for only so long, for all others wait meanwhile.
pub const STEP: &str = "SET LOCAL lock_timeout = 1000; \
    DO $$ BEGIN IF EXISTS (SELECT 1 FROM information_schema.columns \
    WHERE table_schema = current_schema() AND table_name = 'turn' AND column_name = 'number') \
    THEN UPDATE turn SET number = number + 1; INSERT INTO change (number, node, what) \
    SELECT number, -1, '{\"ground\":true}' FROM turn; END IF; END $$; \
    ALTER TABLE schema_version ADD COLUMN IF NOT EXISTS serves_from BIGINT";
/// What says that it was taken.
pub const STEPPED: &str = "INSERT INTO schema_version (number, serves_from) VALUES (?1, ?2)";
/// What the server says of anything after something failed in what was begun.
const ABORTED: &str = "25P02";
/// How writing begins.
pub const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// How reading as of one moment begins.
pub const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Which schema the tables are of, and from which on they serve gateways: those of before one could
/// say so serve their own.
pub const SCHEMA: &str = "SELECT number, coalesce(\
    CAST(to_jsonb(schema_version) ->> 'serves_from' AS BIGINT), number) FROM schema_version";

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It reads.
    Reads,
    /// It writes, whenever it is its turn.
    Writes,
    /// It reads and hears: the thread that opens it is woken.
    Hears,
}

/// A session with a server. It connects again by itself, but never within what it began.
pub struct Session {
    database: Arc<Database>,
    role: Role,
    /// Who is woken.
    opened_by: Thread,
    link: RefCell<Link>,
    begun: Cell<bool>,
}

/// A connection while it lasts.
struct Link {
    client: Arc<Client>,
    /// Each with how often it was used.
    statements: HashMap<String, (Statement, u32)>,
    /// Writes whose end nobody has seen, in their order.
    sent: VecDeque<Pin<Box<dyn Future<Output = Ended> + Send>>>,
    /// The first of them that failed.
    failed: Option<ServerError>,
    /// Whether something failed since the last beginning: nothing of it may be committed. Of a
    /// write that was never sent the server would not know.
    broken: bool,
}

/// Where an answer will be as soon as it is there.
#[derive(Default)]
pub struct Sent(Arc<Mutex<Vec<Row>>>);

type Ended = std::result::Result<(), tokio_postgres::Error>;

/// A session with the server of a store.
pub fn open(database: &Arc<Database>, role: Role) -> Result<Connection> {
    let opened_by = thread::current();
    let link = RefCell::new(Link::new(database, role, &opened_by)?);
    let (database, begun) = (Arc::clone(database), Cell::new(false));
    Ok(Connection(Kind::Postgres(Session { database, role, opened_by, link, begun })))
}

/// A session that reads, and wakes the thread that calls this whenever somebody has committed.
pub fn listen(database: &Arc<Database>) -> Result<Connection> {
    open(database, Role::Hears)
}

impl Connection {
    /// Opens the store alone until [`Connection::opened`]; a file is held anyway.
    pub fn opening(&self) -> Result<()> {
        let Kind::Postgres(_) = &self.0 else { return Ok(()) };
        self.execute_batch(OPENING)
    }

    /// Lets others open it.
    pub fn opened(&self) -> Result<()> {
        let Kind::Postgres(_) = &self.0 else { return Ok(()) };
        self.execute_batch(OPENED)
    }

    /// Waits for the turn to write, within what was begun, and says how many there were; `None`
    /// on a file, where it is always ours.
    pub fn take_turn(&self) -> Result<Option<i64>> {
        if !self.is_shared() {
            return Ok(None);
        }
        self.query_row(TAKE, [], |row| row.get(0)).map(Some)
    }

    /// Within what was begun: it may last.
    pub fn take_time(&self) -> Result<()> {
        let Kind::Postgres(_) = &self.0 else { return Ok(()) };
        self.execute_batch("SET LOCAL idle_in_transaction_session_timeout = 0")
    }

    /// Takes a lease or more of it for so many milliseconds, by the server's clock; its fence if it
    /// is ours now. On a file it always is.
    pub fn lease(&self, job: &str, node: i64, lasts_ms: i64) -> Result<Option<i64>> {
        if !self.is_shared() {
            return Ok(Some(0));
        }
        self.query_row(LEASE, (job, node, lasts_ms), |row| row.get(0)).optional()
    }

    /// Whether another gateway has a lease; nobody has one on a file.
    pub fn has_company(&self, node: i64) -> Result<bool> {
        if !self.is_shared() {
            return Ok(false);
        }
        self.prepare_cached(COMPANY)?.exists([node])
    }

    /// Wakes whoever listens for what others changed, once it is committed.
    pub fn wake(&self) -> Result<()> {
        let Kind::Postgres(_) = &self.0 else { return Ok(()) };
        self.execute(WAKE, [])
    }
}

impl Session {
    /// A statement, which is remembered while the connection lasts, and planned anew now and then.
    pub fn prepare(&self, sql: &str) -> Result<Statement> {
        if !self.begun.get() && self.is_lost() {
            self.connect()?;
        }
        let mut link = self.link.borrow_mut();
        let mut uses = 1;
        if let Some((known, used)) = link.statements.get_mut(sql) {
            *used = used.saturating_add(1);
            uses = *used;
            if uses < REPLANNED || !uses.is_power_of_two() {
                return Ok(known.clone());
            }
        }
        let (client, words) = (Arc::clone(&link.client), words::spoken(sql));
        let made = link.wait(async move { client.prepare(&words).await })?;
        if link.statements.len() >= STATEMENTS_MAX {
            link.statements.clear();
        }
        link.statements.insert(sql.to_owned(), (made.clone(), uses));
        Ok(made)
    }

    /// Sends a write and does not wait for it.
    pub fn send(&self, statement: &Statement, values: impl Params) -> Result<()> {
        let values = owned(values, statement)?;
        let mut link = self.link.borrow_mut();
        let (client, statement) = (Arc::clone(&link.client), statement.clone());
        link.send(async move { client.execute_raw(&statement, values).await.map(drop) })
    }

    /// Does what a statement says; how many rows it touched.
    pub fn changed(&self, statement: &Statement, values: impl Params) -> Result<usize> {
        let values = owned(values, statement)?;
        let mut link = self.link.borrow_mut();
        let client = Arc::clone(&link.client);
        let count = link.wait(async move { client.execute_raw(statement, values).await })?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// The rows of an answer, all of them.
    pub fn rows(&self, statement: &Statement, values: impl Params) -> Result<Vec<Row>> {
        let values = owned(values, statement)?;
        let mut link = self.link.borrow_mut();
        let client = Arc::clone(&link.client);
        link.wait(async move { client.query_raw(statement, values).await?.try_collect().await })
    }

    /// Asks, and does not wait: more can be asked before the first answer is there.
    pub fn ask(&self, sql: &str, values: impl Params) -> Result<Sent> {
        let statement = self.prepare(sql)?;
        let values = owned(values, &statement)?;
        let mut link = self.link.borrow_mut();
        let client = Arc::clone(&link.client);
        let sent = Sent::default();
        let rows = Arc::clone(&sent.0);
        link.send(async move {
            let found = client.query_raw(&statement, values).await?.try_collect().await?;
            *rows.lock().unwrap_or_else(PoisonError::into_inner) = found;
            Ok(())
        })?;
        Ok(sent)
    }

    /// The rows of an answer; all that was asked and sent is waited for.
    pub fn answer(&self, sent: Sent) -> Result<Vec<Row>> {
        self.link.borrow_mut().wait(async { Ok(()) })?;
        Ok(std::mem::take(&mut *sent.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Does what several statements say, and waits for all of them.
    pub fn batch(&self, sql: &str) -> Result<()> {
        let mut link = self.link.borrow_mut();
        let client = Arc::clone(&link.client);
        link.wait(async move { client.batch_execute(sql).await })
    }

    /// Begins; what was begun is begun by the first round trip.
    pub fn begin(&self, words: &'static str) -> Result<()> {
        let mut link = self.link.borrow_mut();
        let client = Arc::clone(&link.client);
        link.broken = false;
        link.send(async move { client.batch_execute(words).await })?;
        self.begun.set(true);
        Ok(())
    }

    /// As [`Session::begin`], on a new connection if the last one is lost: nothing is remembered
    /// of what was read by it.
    pub fn begin_anew(&self, words: &'static str) -> Result<()> {
        if self.is_lost() {
            self.connect()?;
        }
        self.begin(words)
    }

    fn connect(&self) -> Result<()> {
        *self.link.borrow_mut() = Link::new(&self.database, self.role, &self.opened_by)?;
        Ok(())
    }

    /// Makes what was begun durable.
    pub fn commit(&self) -> Result<()> {
        // After a write that failed the server undoes instead, and says no more of it here.
        if self.link.borrow().broken {
            return Err(ServerError::Database(ABORTED.to_owned()).into());
        }
        let ended = self.batch("COMMIT");
        self.begun.set(ended.is_err());
        ended
    }

    /// Undoes what was begun, if anything was.
    pub fn roll_back(&self) {
        if self.begun.take() {
            // A connection that is lost has undone it.
            let mut link = self.link.borrow_mut();
            let (client, seen) = (Arc::clone(&link.client), link.sent.is_empty());
            let _ = link.send(async move { client.batch_execute("ROLLBACK").await });
            if !seen {
                // What is wrong with what is undone is nothing to whoever begins next.
                let _ = link.wait(async { Ok(()) });
            }
            (link.failed, link.broken) = (None, false);
        }
    }

    /// Whether the connection is no more: it has undone what was begun.
    fn is_lost(&self) -> bool {
        self.link.borrow().client.is_closed()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("role", &self.role).finish_non_exhaustive()
    }
}

impl Link {
    fn new(database: &Arc<Database>, role: Role, opened_by: &Thread) -> Result<Self> {
        let (database, woken) = (Arc::clone(database), opened_by.clone());
        let idle = if role == Role::Writes { WRITES_MS } else { READS_MS };
        let options = format!("{OPTIONS}{idle}");
        let connecting = runtime()?
            .spawn(async move { database.connect_woken(&options, move || woken.unpark()).await });
        let client = wait(connecting).map_err(|_| ServerError::Lost)??;
        let (statements, sent) = (HashMap::new(), VecDeque::new());
        let mut link =
            Self { client: Arc::new(client), statements, sent, failed: None, broken: false };
        if role == Role::Hears {
            let client = Arc::clone(&link.client);
            link.wait(async move { client.batch_execute(LISTEN).await })?;
        }
        Ok(link)
    }

    /// Sends, and remembers that somebody must look at what comes of it.
    fn send(&mut self, write: impl Future<Output = Ended> + Send + 'static) -> Result<()> {
        if self.sent.len() >= SENT_MAX {
            self.wait(async { Ok(()) })?;
        }
        let mut write = Box::pin(write);
        // The first look sends it, in the order of the looks.
        match write.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.sent.push_back(write),
            Poll::Ready(ended) => {
                self.broken |= ended.is_err();
                ended.map_err(ServerError::from)?;
            }
        }
        Ok(())
    }

    /// Waits for an answer, and for all that was sent before.
    fn wait<T>(
        &mut self,
        answer: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        let mut answer = pin!(answer);
        let mut ended = None;
        if let Some(error) = self.failed.take() {
            return Err(error.into());
        }
        wait(poll_fn(|context| {
            if ended.is_none()
                && let Poll::Ready(answer) = answer.as_mut().poll(context)
            {
                ended = Some(answer);
            }
            // Answers come in order: until somebody takes the first, no other comes.
            while let Some(first) = self.sent.front_mut() {
                let Poll::Ready(ended) = first.as_mut().poll(context) else {
                    return Poll::Pending;
                };
                self.sent.pop_front();
                self.note(ended);
            }
            if ended.is_some() { Poll::Ready(()) } else { Poll::Pending }
        }));
        if let Some(error) = self.failed.take() {
            return Err(error.into());
        }
        let answer = ended.ok_or(ServerError::Lost)?;
        self.broken |= answer.is_err();
        Ok(answer.map_err(ServerError::from)?)
    }

    fn note(&mut self, ended: Ended) {
        if let Err(error) = ended {
            self.broken = true;
            self.failed.get_or_insert_with(|| error.into());
        }
    }
}

/// Its values, if they are as many as it names.
fn owned(values: impl Params, statement: &Statement) -> Result<Vec<Value>> {
    let named = statement.params().len();
    let mut owned = Vec::with_capacity(named);
    values.each(|value| {
        owned.push(Value::from(value));
        Ok(())
    })?;
    if owned.len() == named { Ok(owned) } else { Err(Error::Values { given: owned.len(), named }) }
}

/// The thread that carries what is sent and answered, for every session of the process.
fn runtime() -> Result<&'static Runtime> {
    static CARRIES: OnceLock<Option<Runtime>> = OnceLock::new();
    let made = CARRIES.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("store-postgres").enable_all().build().ok()
    });
    Ok(made.as_ref().ok_or(ServerError::Lost)?)
}

/// Waits on this thread, whichever it is: the work is done by [`runtime`].
fn wait<T>(answer: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut answer = pin!(answer);
    loop {
        match answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

/// Whether the server itself is the matter, its disk or the way to it.
pub(super) fn is_storage(error: &ServerError) -> bool {
    match error {
        // Connections, resources, what others hold, what an operator does, the system, itself; and
        // a server that only follows another.
        ServerError::Database(state) => {
            ["08", "53", "55", "57", "58", "XX"].iter().any(|class| state.starts_with(class))
                || state == "25006"
        }
        ServerError::At { why, .. } => is_storage(why),
        ServerError::File(_) | ServerError::Lost | ServerError::Open(_) | ServerError::Plain => {
            true
        }
    }
}

/// Whether another session holds a lock, or two wait for each other.
pub(super) fn is_held(error: &ServerError) -> bool {
    matches!(error, ServerError::Database(state) if state == "55P03" || state == "40P01")
}
