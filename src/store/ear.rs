//! 听, what other gateways of a server changed: heard within a second, or nothing is answered.
//!
//! ```text
//! commit elsewhere → wake-up (or a look ten times a second) → what it changed is forgotten here
//! ```
//!
//! A gateway that has not looked for longer than `silence_ms_max` does not know what changed, so
//! its writer refuses: whatever leaves is entered first, so nothing leaves. Once it hears again it
//! has heard all there was, and goes on. On a file there is nobody to hear.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use metrics::gauge;
use tokio::sync::{Notify, mpsc};

use super::Store;
use super::error::StoreError;
use super::policies::{InForce, in_force};
use super::schema::SCHEMA;
use super::shared::Shared;
use super::sql::postgres;
use super::sql::{Connection, Database};
use super::stage;
use super::turn::{Changes, changed, turns};
use super::writer::Job;

/// How often it is looked, should a wake-up be lost.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What is done about a change.
type Apply = Box<dyn Fn(&Changes) + Send + Sync>;

/// What is heard of others, and how long ago.
#[derive(Default)]
pub struct Hearing {
    /// How long it may be ago, and when it was; `None` where nobody else is.
    last: Option<(Duration, Mutex<Instant>)>,
    apply: OnceLock<Apply>,
    /// What serves here, once anything does.
    serves: Mutex<Option<InForce>>,
    /// Whether other policies may be in force than that.
    apart: AtomicBool,
    enforced: Notify,
}

impl Hearing {
    /// With a server, silence may last so long.
    pub fn within(silence: Duration) -> Self {
        Self { last: Some((silence, Mutex::new(stage::now()))), ..Self::default() }
    }

    /// How long nothing was heard.
    fn silence(&self) -> Option<Duration> {
        let (_, last) = self.last.as_ref()?;
        let last = *last.lock().unwrap_or_else(PoisonError::into_inner);
        Some(stage::now().saturating_duration_since(last))
    }

    /// Whether what is remembered here may be what others have changed, so that nothing may leave.
    pub fn is_past(&self) -> bool {
        self.apart.load(Ordering::SeqCst) || self.is_deaf()
    }

    /// Whether others have not been heard for too long.
    fn is_deaf(&self) -> bool {
        self.last.as_ref().is_some_and(|(most, _)| self.silence().is_some_and(|it| it > *most))
    }

    /// Everything up to then was heard.
    pub(super) fn note(&self, at: Instant) {
        let Some((_, last)) = &self.last else { return };
        *last.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Does what a change asks for.
    pub fn apply(&self, changes: &Changes) {
        if let Some(apply) = self.apply.get() {
            apply(changes);
        }
    }

    /// These may be in force, and others may serve here: nothing leaves until they do not. Our own
    /// are heard of too, before or after they serve.
    pub fn enforced(&self, now: Option<&InForce>) {
        let serves = self.serves.lock().unwrap_or_else(PoisonError::into_inner);
        if now.is_none() || serves.as_ref() != now {
            self.apart.store(true, Ordering::SeqCst);
            self.enforced.notify_one();
        }
    }
}

impl fmt::Debug for Hearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hearing").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Store {
    /// Whether other gateways share the rows, or may.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.shared.hearing.last.is_some()
    }

    /// Whether what is remembered here may be what others have changed, so that nothing may leave.
    #[must_use]
    pub fn is_past(&self) -> bool {
        self.shared.hearing.is_past()
    }

    /// What is done about every change by another gateway, once, before anything is served.
    pub fn on_change(&self, apply: impl Fn(&Changes) + Send + Sync + 'static) {
        // A second one would come too late for what the first has heard.
        let _ = self.shared.hearing.apply.set(Box::new(apply));
    }

    /// These serve here, and are in force.
    pub fn in_step(&self, now: InForce) {
        let hearing = &self.shared.hearing;
        let mut serves = hearing.serves.lock().unwrap_or_else(PoisonError::into_inner);
        *serves = Some(now);
        hearing.apart.store(false, Ordering::SeqCst);
    }

    /// They are not: nothing may leave.
    pub fn out_of_step(&self) {
        self.shared.hearing.apart.store(true, Ordering::SeqCst);
    }

    /// Ready once another gateway may have brought other policies into force.
    pub async fn enforced_elsewhere(&self) {
        self.shared.hearing.enforced.notified().await;
    }
}

/// The state of the listening thread.
pub struct Ear {
    /// Where the others are.
    pub database: Arc<Database>,
    /// What it shares with the writer.
    pub shared: Arc<Shared>,
    /// Ends with the store; does not keep it alive.
    pub jobs: mpsc::WeakSender<Job>,
    /// Up to which commit everything was heard.
    pub heard: i64,
}

impl Ear {
    /// One that hears what comes after so many commits, by which its writer has begun.
    pub fn new(
        database: &Arc<Database>,
        heard: i64,
        (shared, jobs): (&Arc<Shared>, mpsc::WeakSender<Job>),
    ) -> Self {
        Self { database: Arc::clone(database), shared: Arc::clone(shared), jobs, heard }
    }

    /// Listens until the store is closed.
    pub fn run(mut self) {
        let (mut connection, mut silent) = (None, false);
        while self.jobs.strong_count() > 0 {
            self.listen(&mut connection, &mut silent);
            thread::park_timeout(LOOK_EVERY);
        }
    }

    /// Hears what there is to hear, or says so if it has not for too long.
    pub(super) fn listen(&mut self, connection: &mut Option<Connection>, silent: &mut bool) {
        let begun = stage::now();
        if self.hear(connection).is_ok() {
            self.shared.hearing.note(begun);
            if std::mem::take(silent) {
                tracing::info!("the other gateways are heard again");
            }
        } else if !std::mem::replace(silent, self.shared.hearing.is_deaf()) && *silent {
            tracing::error!("the other gateways are not heard: nothing is answered");
        }
        let silence = self.shared.hearing.silence().unwrap_or_default();
        gauge!("kangqiao_store_silence_seconds").set(silence.as_secs_f64());
        let schema = self.shared.schema.load(Ordering::SeqCst);
        gauge!("kangqiao_store_schema").set(schema as f64);
        gauge!("kangqiao_store_schema_known").set(SCHEMA as f64);
    }

    fn hear(&mut self, kept: &mut Option<Connection>) -> Result<(), StoreError> {
        let connection = match kept {
            Some(connection) => connection,
            // Whoever wakes this thread has to know it.
            None => kept.insert(postgres::listen(&self.database)?),
        };
        let now = turns(connection)?.unwrap_or_default();
        if now != self.heard {
            // One of our own whose answer was lost nobody here was told of.
            let told = if stage::is_spoilt(stage::OWN) {
                now
            } else {
                self.shared.told.load(Ordering::SeqCst)
            };
            let own = Some((self.shared.node, told));
            let changes = changed(connection, (self.heard, now), own)?;
            // Keys, weights, the schema, or something that this build does not know.
            if changes.ground
                && let Err(error) = self.shared.may_go_on(connection)
            {
                self.shared.trust.lose_by(connection, &error);
                return Err(error);
            }
            self.shared.hear(&changes);
            if changes.policies {
                self.shared.hearing.enforced(in_force(connection)?.as_ref());
            }
            self.heard = now;
        }
        Ok(())
    }
}
