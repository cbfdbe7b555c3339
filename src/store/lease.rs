//! 租约, who of the gateways of a server does what one alone may do.
//!
//! A lease ends by the server's clock unless it is renewed, and then another may take it. Whoever
//! has it believes so for a little less, by a clock that nobody sets, so two never do. Each time
//! it goes to somebody else its fence rises: what was begun under an earlier one is not noted. On
//! a file every lease is ours, at no cost.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Store;
use super::error::StoreError;
use super::sql::{self, Connection};
use super::stage;
use super::writer::{Answer, Request, Stop, Writer};

/// How long one lasts.
pub(super) const LASTS: Duration = Duration::from_secs(10);
/// How much earlier whoever has it stops, should the clocks run differently.
const EARLIER: Duration = Duration::from_secs(1);
/// How often those that are held are renewed.
pub const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How long one that somebody else has is not asked for again.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The right to do a job, as it stood when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What for.
    pub job: Arc<str>,
    /// How often it went from one to another.
    pub fence: i64,
}

/// What is known of one lease.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held {
    /// It is ours until then.
    Ours(i64, Instant),
    /// It is not, and was asked for then.
    Others(Instant),
}

/// The leases of one gateway.
#[derive(Debug, Default)]
pub struct Leases(Mutex<HashMap<Arc<str>, Held>>);

impl Leases {
    pub(super) fn of(&self, job: &str) -> Option<Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(job).copied()
    }

    fn note(&self, job: &Arc<str>, held: Held) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(job), held);
    }

    fn ours(&self) -> Vec<Arc<str>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = held.iter().filter(|(_, held)| matches!(held, Held::Ours(..)));
        ours.map(|(job, _)| Arc::clone(job)).collect()
    }
}

impl Store {
    /// The lease of a job, if it is ours or is to be had now.
    pub async fn lease(&self, job: &str) -> Option<Lease> {
        if !self.is_shared() {
            return Some(Lease { job: job.into(), fence: 0 });
        }
        let now = stage::now();
        match self.leases.of(job) {
            Some(Held::Ours(fence, until)) if now < until => {
                return Some(Lease { job: job.into(), fence });
            }
            Some(Held::Others(asked)) if now < asked + ASK_EVERY => return None,
            _ => (),
        }
        let job: Arc<str> = job.into();
        let fence = self.ask(&job).await?;
        Some(Lease { job, fence })
    }

    /// Asks for a lease, or for more of it; its fence if it is ours.
    async fn ask(&self, job: &Arc<str>) -> Option<i64> {
        // What was asked for ends no earlier than this much after.
        let asked = stage::now();
        let answer = self.write(Request::Lease(Arc::clone(job), LASTS)).await;
        match answer {
            Ok(Answer::Leased(Some(fence))) => {
                self.leases.note(job, Held::Ours(fence, asked + LASTS.saturating_sub(EARLIER)));
                Some(fence)
            }
            Ok(_) => {
                self.leases.note(job, Held::Others(asked));
                None
            }
            // Nothing is known: what is held is held until it ends.
            Err(_) => None,
        }
    }

    /// Renews what is held, in one commit.
    pub async fn renew(&self) {
        let ours = self.leases.ours();
        futures_util::future::join_all(ours.iter().map(|job| self.ask(job))).await;
    }

    /// Ready once a lease is not ours any more, and whatever goes on under it has to stop.
    pub async fn lapsed(&self, lease: &Lease) {
        if !self.is_shared() {
            return pending().await;
        }
        while let Some(Held::Ours(fence, until)) = self.leases.of(&lease.job)
            && fence == lease.fence
            && stage::now() < until
        {
            // One that cannot be renewed since another has it ends at once.
            let look = stage::now() + ASK_EVERY;
            stage::sleep_until(until.min(look)).await;
        }
    }

    /// Gives a lease back, so that nobody has to wait for its end.
    pub async fn give_back(&self, lease: Lease) {
        if self.is_shared() {
            self.leases.note(&lease.job, Held::Others(stage::now()));
            // One that cannot be given back ends by itself.
            let _ = self.write(Request::Lease(lease.job, Duration::ZERO)).await;
        }
    }
}

impl Store {
    /// Whether another gateway runs on the same rows: it has a lease.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn has_company(&self) -> Result<bool, StoreError> {
        let node = self.shared.node;
        self.readers.read(move |connection| Ok(connection.has_company(node)?)).await
    }
}

impl Writer {
    pub(super) fn lease(&self, job: &str, lasts: Duration) -> Result<Answer, Stop> {
        let lasts_ms = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
        Ok(Answer::Leased(self.connection.lease(job, self.node, lasts_ms)?))
    }

    /// Whether a lease is still ours; what was begun under one that is not is another's now.
    pub(super) fn is_leased(&self, lease: &Lease) -> sql::Result<bool> {
        if self.turn.is_none() {
            return Ok(true);
        }
        leased(&self.connection, lease, self.node)
    }
}

fn leased(connection: &Connection, lease: &Lease, node: i64) -> sql::Result<bool> {
    let sql = "SELECT 1 FROM lease WHERE job = ?1 AND node = ?2 AND fence = ?3";
    connection.prepare_cached(sql)?.exists((&*lease.job, node, lease.fence))
}
