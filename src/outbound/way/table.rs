//! 前置库, a table in the subscriber's PostgreSQL: a row for each notice, once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Parcel, Said};
use crate::outbound::gate::{LineError, SetUpError};
use crate::outbound::table::{Link, TableError};
use crate::outbound::tls::is_this_machine;
use crate::store::Database;

/// The columns of a notice, the first of which tells a repeat.
const COLUMNS: [&str; 8] = [
    "id",
    "subscription",
    "event",
    "happened_at",
    "reference",
    "notice",
    "ledger_entry",
    "checkpoint",
];

/// A table notices are written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The table, with the schema before a dot.
    pub name: String,
    /// The database.
    pub database: Database,
}

/// The table, and connections to it that nobody uses now.
pub struct Rows {
    settings: Settings,
    idle: Mutex<Vec<Link>>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows({})", self.settings.name)
    }
}

impl Rows {
    /// Prepares it; nothing is connected to.
    ///
    /// # Errors
    /// [`SetUpError::Plain`] for another machine without TLS.
    pub fn new(settings: &Settings) -> Result<Self, SetUpError> {
        let database = &settings.database;
        if database.authority.is_none() && !is_this_machine(&database.host) {
            return Err(SetUpError::Plain);
        }
        Ok(Self { settings: settings.clone(), idle: Mutex::default() })
    }

    /// Writes the row of a notice, if it is not there.
    ///
    /// # Errors
    /// [`LineError::Unreachable`] if the database, the table or the leave to write is not there.
    pub async fn bring(&self, parcel: &Parcel) -> Result<Said, LineError> {
        match self.insert(parcel).await {
            Ok(()) => Ok(Said::Taken),
            // The row breaks a rule of the table, and would again: SQL states of the classes
            // data exception and integrity constraint violation.
            Err(TableError::Database(state))
                if ["22", "23"].iter().any(|c| state.starts_with(c)) =>
            {
                Ok(Said::Refused)
            }
            Err(error) => {
                let subscription = parcel.subscription;
                tracing::warn!(%subscription, error.kind = %error, "no notice can be put there");
                Err(LineError::Unreachable)
            }
        }
    }

    async fn insert(&self, parcel: &Parcel) -> Result<(), TableError> {
        let link = match self.take() {
            Some(link) => link,
            None => Link::to(&self.settings.database).await?,
        };
        let happened = u64::try_from(parcel.happened_at).unwrap_or(0);
        let happened = SystemTime::UNIX_EPOCH + Duration::from_secs(happened);
        let (entry, checkpoint) = &parcel.entry;
        let entry = i64::try_from(*entry).unwrap_or(i64::MAX);
        let (subscription, event) = (parcel.subscription.as_str(), parcel.event.as_str());
        // JSON is text, so nothing is lost here.
        let notice = String::from_utf8_lossy(&parcel.body);
        link.insert_once(
            (&self.settings.name, &COLUMNS),
            &[
                &parcel.id,
                &subscription,
                &event,
                &happened,
                &parcel.reference,
                &&*notice,
                &entry,
                checkpoint,
            ],
        )
        .await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(link);
        Ok(())
    }

    /// A connection that still stands.
    fn take(&self) -> Option<Link> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Link::stands);
        idle.pop()
    }
}
