//! Why the store did not do what it was asked.

use super::sql;
use crate::vocabulary::Fault;

/// Why the store did not do what it was asked. Holds no content of any row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Two persons cannot be joined or told apart as asked.
    #[error("the identifiers belong to different persons")]
    Conflict,
    /// As many persons were asked about as may be.
    #[error("the budget of persons is exhausted")]
    Exhausted,
    /// The ticket is another person's, or no longer good.
    #[error("the ticket is spent")]
    Spent,
    /// A second person must ask the same.
    #[error("a second person is needed")]
    SecondNeeded,
    /// A row does not open under its key or does not read as what it should be.
    #[error("a stored row is damaged")]
    Damaged,
    /// Its rows were moved.
    #[error(
        "the rows were moved to {place}: start the gateway on the configuration of that place, or \
         take them back with `kangqiao store move --undo`"
    )]
    Departed {
        /// Where they are now.
        place: String,
    },
    /// The department has as many batches as it may.
    #[error("the department has as many batches as it may have at once")]
    Full,
    /// The folder or file cannot be used.
    #[error("the store's folder cannot be used")]
    Folder(#[source] std::io::Error),
    /// Another process has the folder open.
    #[error("the store's folder is in use by another process")]
    InUse,
    /// The file was written under another master key.
    #[error("the store was written under another master key")]
    MasterKey,
    /// The file was under that master key before another came into force.
    #[error("the master key was replaced by a later one: the store opens under that one alone")]
    MasterReplaced,
    /// A later version of the gateway brought the rows to a schema that does not serve this one.
    #[error(
        "the store has schema {found}, this gateway knows up to {known}, and the rows serve \
         gateways of schema {serves_from} and later: install the release that brought them there"
    )]
    Newer {
        /// Version of the rows.
        found: i64,
        /// The lowest version they serve.
        serves_from: i64,
        /// Version this build knows.
        known: i64,
    },
    /// Keys of that kind rotate already.
    #[error("the keys rotate already: wait until nothing is left under the old ones")]
    Rotating,
    /// The message was applied already.
    #[error("the message is kept already")]
    Settled,
    /// The database failed while it was opened or read.
    #[error("the database failed")]
    Sql(#[from] sql::Error),
    /// Nothing can be written now: the disk is full, the writer is gone or too far
    /// behind. A write that was given up while it waited may still happen, once;
    /// sending the same message again is answered from what was stored.
    #[error("the store cannot be written now")]
    Unavailable,
    /// There is no such person or message.
    #[error("there is no such person or message")]
    Unknown,
}

impl StoreError {
    /// What the peer is told.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Conflict => Fault::IdentityConflict,
            Self::Full => Fault::BatchLimit,
            Self::Exhausted => Fault::BudgetExhausted,
            Self::Spent => Fault::TicketSpent,
            Self::SecondNeeded => Fault::SecondPersonNeeded,
            Self::Unavailable | Self::Sql(_) => Fault::Unavailable,
            _ => Fault::Internal,
        }
    }
}
