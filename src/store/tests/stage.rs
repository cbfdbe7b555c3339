//! 戏台 in play: time that passes when it is told to, commits that go wrong, SQL that is spoilt.
//!
//! A file stands in for the server: what a statement says to PostgreSQL alone is said to SQLite in
//! its words. Whoever plays is one thread; on every other the product goes on as ever.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::store::sql::{self, ServerError};
use crate::store::stage::product;

/// When a simulation begins, by every wall clock; milliseconds since 1970.
pub(crate) const BEGINS_MS: i64 = 1_795_000_000_000;
/// Told to a server alone.
const SERVER_CLOCK: &str = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It does not happen, and whoever asked is told so.
    Fails,
    /// It happens, and whoever asked is told so.
    Happens,
    /// It happens, and the connection is lost before that is told.
    IsLost,
}

/// What goes on while a commit is under way.
pub(crate) trait Meanwhile {
    /// Before it, with what was begun still open.
    fn before(&self) -> Fate;
    /// After it, before whoever asked is told anything.
    fn after(&self);
}

/// What a test spoils.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoilt {
    /// What the product asks about itself.
    Code(&'static str),
    /// A piece of a statement, and what stands there instead.
    Sql(&'static str, &'static str),
    /// A commit that failed is told to have happened.
    Told,
    /// Something the simulation itself does wrong in place of the product.
    Play(&'static str),
}

/// One simulation on this thread.
#[derive(Default)]
struct Stage {
    begun: Cell<Option<Instant>>,
    passed: Cell<Duration>,
    server_ahead_ms: Cell<i64>,
    /// How fast the clock of the gateway runs that is at work, in millionths.
    rate: Cell<u32>,
    sleepers: RefCell<Vec<(Instant, u32, Waker)>>,
    spoilt: Cell<Option<Spoilt>>,
    meanwhile: RefCell<Option<Rc<dyn Meanwhile>>>,
    undone: Cell<bool>,
    paused: Cell<bool>,
    known: RefCell<BTreeMap<String, &'static str>>,
}

thread_local! {
    static STAGE: Stage = Stage::default();
}

/// As fast as any.
pub(crate) const EVEN: u32 = 1_000_000;

/// Plays on this thread until it is dropped.
pub(crate) struct Playing(());

impl Playing {
    /// Begins, with something spoilt or not.
    pub(crate) fn begin(spoilt: Option<Spoilt>) -> Self {
        STAGE.with(|stage| {
            stage.begun.set(Some(Instant::now()));
            stage.passed.set(Duration::ZERO);
            stage.server_ahead_ms.set(0);
            stage.rate.set(EVEN);
            stage.spoilt.set(spoilt);
            stage.sleepers.borrow_mut().clear();
            stage.known.borrow_mut().clear();
            stage.meanwhile.borrow_mut().take();
        });
        Self(())
    }

    /// How long it has played.
    pub(crate) fn passed(&self) -> Duration {
        STAGE.with(|stage| stage.passed.get())
    }

    /// Lets time pass, and wakes whoever slept until then.
    pub(crate) fn pass(&self, time: Duration) {
        STAGE.with(|stage| {
            stage.passed.set(stage.passed.get() + time);
            let mut sleepers = stage.sleepers.borrow_mut();
            for (_, _, waker) in sleepers.extract_if(.., |(at, rate, _)| stage.now(*rate) >= *at) {
                waker.wake();
            }
        });
    }

    /// Puts the clock of the server forward, or back.
    pub(crate) fn put_server(&self, ahead_ms: i64) {
        STAGE.with(|stage| stage.server_ahead_ms.set(stage.server_ahead_ms.get() + ahead_ms));
    }

    /// Does something by a clock that runs so fast.
    pub(crate) fn at_rate<T>(&self, rate: u32, what: impl FnOnce() -> T) -> T {
        let before = STAGE.with(|stage| stage.rate.replace(rate));
        let done = what();
        STAGE.with(|stage| stage.rate.set(before));
        done
    }

    /// Who goes on while commits are under way.
    pub(crate) fn meanwhile(&self, who: Option<Rc<dyn Meanwhile>>) {
        STAGE.with(|stage| *stage.meanwhile.borrow_mut() = who);
    }

    /// Whether something is spoilt that the simulation does itself.
    pub(crate) fn plays_wrong(&self, what: &str) -> bool {
        let spoilt = STAGE.with(|stage| stage.spoilt.get());
        matches!(spoilt, Some(Spoilt::Play(spoilt)) if spoilt == what)
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        STAGE.with(|stage| {
            stage.begun.set(None);
            stage.spoilt.set(None);
            stage.sleepers.borrow_mut().clear();
            stage.known.borrow_mut().clear();
            stage.meanwhile.borrow_mut().take();
        });
    }
}

impl Stage {
    fn now(&self, rate: u32) -> Instant {
        let begun = self.begun.get().unwrap_or_else(Instant::now);
        begun + self.passed.get() * rate / EVEN
    }

    fn server_ms(&self) -> i64 {
        let passed_ms = i64::try_from(self.passed.get().as_millis()).unwrap();
        BEGINS_MS + passed_ms + self.server_ahead_ms.get()
    }

    /// A statement in the words of the file, spoilt if it is to be.
    fn words(&self, sql: &str) -> &'static str {
        if let Some(known) = self.known.borrow().get(sql) {
            return known;
        }
        let mut words = Cow::Borrowed(sql);
        if let Some(Spoilt::Sql(what, instead)) = self.spoilt.get() {
            words = Cow::Owned(words.replace(what, instead));
        }
        let words = words.replace(" FOR UPDATE", "").replace(
            " ON CONFLICT (job)",
            " WHERE 1 \
             ON CONFLICT (job)",
        );
        let (clock, now) = (words.contains(SERVER_CLOCK), self.server_ms().to_string());
        let words: &'static str = Box::leak(words.replace(SERVER_CLOCK, &now).into_boxed_str());
        if !clock {
            self.known.borrow_mut().insert(sql.to_owned(), words);
        }
        words
    }
}

fn plays() -> bool {
    STAGE.with(|stage| stage.begun.get().is_some())
}

pub fn now() -> Instant {
    STAGE.with(|stage| match stage.begun.get() {
        Some(_) => stage.now(stage.rate.get()),
        None => product::now(),
    })
}

pub async fn sleep_until(at: Instant) {
    if !plays() {
        return product::sleep_until(at).await;
    }
    poll_fn(|context| {
        STAGE.with(|stage| {
            let rate = stage.rate.get();
            if stage.now(rate) >= at {
                return Poll::Ready(());
            }
            stage.sleepers.borrow_mut().push((at, rate, context.waker().clone()));
            Poll::Pending
        })
    })
    .await;
}

/// Whether whoever went on last let others go first.
pub(crate) fn has_paused() -> bool {
    STAGE.with(|stage| stage.paused.take())
}

/// Lets whoever else is ready go first.
pub(crate) async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        STAGE.with(|stage| stage.paused.set(true));
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub async fn blocking<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if !plays() {
        return product::blocking(what).await;
    }
    pause().await;
    let done = what();
    pause().await;
    Some(done)
}

pub fn words(sql: &str) -> &str {
    STAGE.with(|stage| match (stage.begun.get(), stage.undone.get()) {
        (None, _) => sql,
        (Some(_), true) => "ROLLBACK",
        (Some(_), false) => stage.words(sql),
    })
}

pub fn commit(commit: impl FnOnce() -> sql::Result<()>) -> sql::Result<()> {
    let Some(meanwhile) = STAGE.with(|stage| stage.meanwhile.borrow().clone()) else {
        return commit();
    };
    let told = STAGE.with(|stage| stage.spoilt.get() == Some(Spoilt::Told));
    match meanwhile.before() {
        Fate::Fails if told => {
            STAGE.with(|stage| stage.undone.set(true));
            let undone = commit();
            STAGE.with(|stage| stage.undone.set(false));
            undone
        }
        Fate::Fails => Err(ServerError::Lost.into()),
        Fate::Happens => {
            commit()?;
            meanwhile.after();
            Ok(())
        }
        Fate::IsLost => {
            commit()?;
            meanwhile.after();
            Err(ServerError::Lost.into())
        }
    }
}

pub fn server_ms() -> Option<i64> {
    STAGE.with(|stage| stage.begun.get().map(|_| stage.server_ms()))
}

pub fn is_spoilt(what: &str) -> bool {
    STAGE.with(|stage| matches!(stage.spoilt.get(), Some(Spoilt::Code(spoilt)) if spoilt == what))
}
