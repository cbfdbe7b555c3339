//! 试算, what messages would become if they were tried again: done in full, and taken back.
//!
//! A writer of its own does what the real one would, under the same lock, and rolls back: so the
//! index, the overlay guard and the notices are those that would be, and nothing is kept.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::Store;
use super::arrival::{Proposed, Reason, State, Unsigned};
use super::error::StoreError;
use super::journal::{Outcome, Retrial};
use super::ledger::bound;
use super::trace::noticed;
use super::writer::{Stop, Writer};

/// Messages tried in one transaction, so that no other waits long for its own.
const TOGETHER: usize = 50;
/// Persons such a writer remembers.
const REMEMBERED_MAX: usize = 256;

/// What a message would become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    /// What.
    pub state: State,
    /// Why, unless it would be applied.
    pub reason: Option<Reason>,
    /// The notices that would wait to leave: subscription and event of each.
    pub notices: Vec<(String, String)>,
}

impl Store {
    /// What each of these would become if it were tried again now, in this order; fifty at a time
    /// see what those before them would have made of the index. Those that are applied already are
    /// passed over.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Sql`].
    pub async fn rehearse(
        &self,
        tried: Vec<(u64, Proposed)>,
        retrial: Retrial,
    ) -> Result<Vec<Rehearsed>, StoreError> {
        if self.shared.gauge.at_reserve() {
            return Err(StoreError::Unavailable);
        }
        let (keys, shared) = (Arc::clone(&self.keys), Arc::clone(&self.shared));
        let ready = |(number, proposed)| Ok((bound(number), Outcome::new(proposed, &keys)?));
        let tried: Vec<_> = tried.into_iter().map(ready).collect::<Result<_, StoreError>>()?;
        let (base, settings) = (Arc::clone(&self.base), self.settings.clone());
        let rehearsing = tokio::task::spawn_blocking(move || {
            let remembered = (Arc::clone(&shared), REMEMBERED_MAX);
            let connection = base.rehearser(&settings)?;
            let mut writer = Writer::new(connection, keys, Box::new(Unsigned), remembered)?;
            let mut found = Vec::new();
            for block in tried.chunks(TOGETHER) {
                let begun = Instant::now();
                let turn = shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
                found.extend(writer.rehearse(block, &retrial)?);
                drop(turn);
                // Messages have as much of the turn.
                std::thread::sleep(begun.elapsed());
            }
            Ok(found)
        });
        rehearsing.await.map_err(|_| StoreError::Unavailable)?
    }
}

impl Writer {
    fn rehearse(
        &mut self,
        tried: &[(i64, Outcome)],
        retrial: &Retrial,
    ) -> Result<Vec<Rehearsed>, StoreError> {
        // The real writer has gone on since.
        self.sound = false;
        let begun = self.begin_turn(&[]);
        let found = begun.and_then(|()| self.try_each(tried, retrial));
        self.connection.roll_back();
        found
    }

    fn try_each(
        &mut self,
        tried: &[(i64, Outcome)],
        retrial: &Retrial,
    ) -> Result<Vec<Rehearsed>, StoreError> {
        let mut found = Vec::with_capacity(tried.len());
        for (number, outcome) in tried {
            let kept = match self.settle(*number, (outcome, retrial)) {
                Ok(kept) => kept,
                Err(Stop::Refused(StoreError::Settled | StoreError::Unknown)) => continue,
                Err(Stop::Refused(error)) => return Err(error),
                Err(Stop::Broken(_)) => return Err(StoreError::Unavailable),
            };
            let notices = noticed(&self.connection, *number)?.into_iter();
            let notices = notices.map(|notice| (notice.subscription, notice.event)).collect();
            found.push(Rehearsed { state: kept.state, reason: kept.reason, notices });
        }
        Ok(found)
    }
}
