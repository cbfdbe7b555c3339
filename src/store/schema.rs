//! 表结构, the steps by which rows become what this build writes, and whom they serve meanwhile.
//!
//! ```text
//! schema 19 ──step 20, beside 19──▶ 20: gateways of 19 go on      ──step 21──▶ 21: they end
//! ```
//!
//! With a server each step is a turn, and says that the ground is another: whoever takes the next
//! looks, in that very commit, whether the rows still serve it, and every ear does within a second.
//! So a commit by a gateway that may no longer write cannot be. A file serves one process, and its
//! own schema alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::Store;
use super::base;
use super::departed;
use super::error::StoreError;
use super::settings::Settings;
use super::shared::Shared;
use super::sql::Connection;
use super::sql::postgres::{self, Role};

/// One step. What one has done is never changed.
#[derive(Debug, Clone, Copy)]
pub struct Step<'w> {
    /// What is done, in the words of a file.
    words: &'w str,
    /// The lowest schema whose gateways may go on; its own where there is none.
    beside: Option<i64>,
}

impl<'w> Step<'w> {
    /// After it no gateway goes on that does not know it.
    #[must_use]
    pub const fn alone(words: &'w str) -> Self {
        Self { words, beside: None }
    }

    /// It only adds, so that gateways from this schema on may go on, and start: what they write is
    /// right without it, and what is written with it they can read.
    #[must_use]
    pub const fn beside(words: &'w str, schema: i64) -> Self {
        Self { words, beside: Some(schema) }
    }

    /// What is done.
    pub(super) const fn words(&self) -> &'w str {
        self.words
    }

    /// The lowest schema whose gateways may write rows that are of this one.
    pub(super) const fn serves_from(&self, number: i64) -> i64 {
        match self.beside {
            Some(schema) => schema,
            None => number,
        }
    }
}

/// How rows become what this build writes; one is added, none changed.
pub const STEPS: &[Step<'_>] = &[
    Step::alone(include_str!("schema.sql")),
    Step::alone(include_str!("schema_2.sql")),
    Step::alone(include_str!("schema_3.sql")),
    Step::alone(include_str!("schema_4.sql")),
    Step::alone(include_str!("schema_5.sql")),
    Step::alone(include_str!("schema_6.sql")),
    Step::alone(include_str!("schema_7.sql")),
    Step::alone(include_str!("schema_8.sql")),
    Step::alone(include_str!("schema_9.sql")),
    Step::alone(include_str!("schema_10.sql")),
    Step::alone(include_str!("schema_11.sql")),
    Step::alone(include_str!("schema_12.sql")),
    Step::alone(include_str!("schema_13.sql")),
    Step::alone(include_str!("schema_14.sql")),
    Step::alone(include_str!("schema_15.sql")),
    Step::alone(include_str!("schema_16.sql")),
    Step::alone(include_str!("schema_17.sql")),
    Step::alone(include_str!("schema_18.sql")),
    Step::alone(include_str!("schema_19.sql")),
];
/// What this build writes.
pub const SCHEMA: i64 = STEPS.len() as i64;

/// How long a step may be put off by whoever reads a table it changes.
const PUT_OFF: Duration = Duration::from_secs(60);
/// How long it rests before it asks again, so that others write and read meanwhile.
const REST: Duration = Duration::from_millis(500);

/// The words of all of them.
pub fn words() -> Vec<&'static str> {
    STEPS.iter().map(Step::words).collect()
}

/// The schema of some rows, if this build may use them.
///
/// # Errors
/// [`StoreError::Newer`], [`StoreError::Sql`].
pub fn known(connection: &Connection) -> Result<i64, StoreError> {
    let (found, serves_from) = connection.schema()?;
    match serves_from > SCHEMA {
        true => Err(StoreError::Newer { found, serves_from, known: SCHEMA }),
        false => Ok(found),
    }
}

/// Takes the steps some rows have not taken yet, each with its number in one commit.
pub(super) fn upgrade(connection: &Connection) -> Result<(), StoreError> {
    known(connection)?;
    take(connection, STEPS)
}

fn take(connection: &Connection, steps: &[Step<'_>]) -> Result<(), StoreError> {
    let found = connection.version()?;
    for (number, step) in (1_i64..).zip(steps).filter(|(number, _)| *number > found) {
        let (begun, said) = (Instant::now(), (number, step.serves_from(number)));
        loop {
            match connection.step(step.words, said) {
                Err(error) if error.is_held() && begun.elapsed() < PUT_OFF => thread::sleep(REST),
                ended => break ended?,
            }
        }
        if connection.is_shared() {
            tracing::info!(
                schema = said.0,
                serves_from = said.1,
                "the tables were brought forward"
            );
        }
    }
    Ok(())
}

/// Brings rows with a server to the last of these steps, as the first gateway of the release that
/// has them does.
///
/// # Errors
/// [`StoreError`] if they cannot be; up to the step that failed they are.
pub fn bring(settings: &Settings, steps: &[Step<'_>]) -> Result<(), StoreError> {
    let database = settings.postgres.clone().ok_or(StoreError::Unavailable)?;
    let rows = postgres::open(&Arc::new(database), Role::Writes)?;
    rows.opening()?;
    take(&rows, steps)
}

/// The schema of a store's rows, and that of this build.
///
/// # Errors
/// [`StoreError::Newer`], [`StoreError::Sql`].
pub fn look(settings: &Settings) -> Result<(i64, i64), StoreError> {
    Ok((base::reader(settings, 64)?.version()?, SCHEMA))
}

impl Shared {
    /// Whether this gateway may go on with these rows; of which schema they are is known since.
    pub(super) fn may_go_on(&self, rows: &Connection) -> Result<(), StoreError> {
        let found = known(rows)?;
        if self.schema.swap(found, Ordering::SeqCst) != found && found > SCHEMA {
            tracing::warn!(
                schema.found = found,
                schema.known = SCHEMA,
                "the tables are of a later schema, which serves this version too: upgrade it next"
            );
        }
        departed::still_here(rows)
    }
}

impl Store {
    /// Whether writes can be expected to succeed, in words; of rows of a later schema it says that
    /// they are.
    #[must_use]
    pub fn readiness(&self) -> (bool, String) {
        let found = self.shared.schema.load(Ordering::SeqCst);
        match self.is_ready() {
            false => (false, "not ready\n".to_owned()),
            true if found > SCHEMA => {
                (true, format!("ready, on tables of schema {found}: this version's is {SCHEMA}\n"))
            }
            true => (true, "ready\n".to_owned()),
        }
    }
}
