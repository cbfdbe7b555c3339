//! 留存, entries whose time is over go, whole rows of hashes at a time, and an entry says so.
//!
//! Nothing goes that is preserved, nor what its hashes do not prove.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::rotation::pause;
use super::{Gateway, ledger};
use crate::audit::retention::joined;
use crate::audit::tile;
use crate::audit::tree::leaf;
use crate::audit::word::Gist;
use crate::audit::{Entry, Kind, Span, word};
use crate::identity::Pseudonym;
use crate::store::retention::Retiring;
use crate::store::{LedgerView, StoreError};
use crate::vocabulary::{Department, Fault};

/// Rows of hashes that go in one commit, so that no message waits long for its own.
const ROWS_AT_ONCE: usize = 8;
/// How often it is looked whether the time of entries is over.
const LOOKED_EVERY: Duration = Duration::from_secs(3600);
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Whose entries are kept beyond their time.
#[derive(Default)]
struct Preserving {
    /// By which holds, by number.
    holds: Vec<u64>,
    all: bool,
    departments: BTreeSet<Department>,
    persons: Vec<Pseudonym>,
}

impl Preserving {
    fn keeps(&self, entry: &Entry) -> bool {
        let mut about = [&entry.asked_by, &entry.person, &entry.merged].into_iter().flatten();
        self.all
            || entry.department.is_some_and(|department| self.departments.contains(&department))
            || about.any(|person| self.persons.contains(person))
    }
}

impl Gateway {
    /// Lets entries go whose time is over, now and every hour, until it is told to stop.
    pub async fn keep_retiring(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let begun = Instant::now();
            let more = self.retire().await.unwrap_or_else(|fault| {
                let fault = fault.row().name;
                tracing::error!(fault, "entries whose time is over cannot go");
                false
            });
            if !pause(&stop, (begun, more), LOOKED_EVERY).await {
                return;
            }
        }
    }

    /// One step; whether there may be another.
    async fn retire(&self) -> Result<bool, Fault> {
        let store = |error: StoreError| error.fault();
        let days = self.retention_days;
        let before_ms = (self.clock)().saturating_sub(i64::from(days).saturating_mul(DAY_MS));
        let preserving = self.preserving().await.map_err(store)?;
        let holds = preserving.holds.clone();
        let due = self.store.look(move |view| due(view, before_ms, &preserving)).await;
        let (due, words) = due.map_err(store)?.map_err(store)?;
        if due.is_empty() {
            return Ok(false);
        }
        let gone = self.store.retired().await.map_err(store)?;
        let gone = gone.into_iter().map(|(first, last)| Span { first, last });
        let then = joined(gone.chain(due.iter().copied()).collect());
        let rows = then.iter().map(|span| {
            let mut entry = self.event(Kind::Retention, &format!("kept {days} days"));
            entry.retired = Some(*span);
            ledger::row(&entry)
        });
        let rows = rows.collect();
        let pairs = |spans: Vec<Span>| spans.iter().map(|span| (span.first, span.last)).collect();
        let going = Retiring { now: pairs(due), then: pairs(then), words, holds };
        match self.store.retire(going, rows).await {
            // Somebody placed a hold meanwhile, or lifted one: it is looked again.
            Ok(()) | Err(StoreError::Settled) => Ok(true),
            Err(error) => Err(error.fault()),
        }
    }

    async fn preserving(&self) -> Result<Preserving, StoreError> {
        let mut preserving = Preserving::default();
        for hold in self.store.preserved().await? {
            preserving.holds.push(hold.number);
            preserving.all |= hold.person.is_none() && hold.department.is_none();
            preserving.departments.extend(hold.department);
            if let Some(person) = hold.person {
                // Whoever was found to be the same since then is meant as well.
                let known = self.store.one_with(person).await?;
                preserving.persons.extend(self.pseudonyms(known));
            }
        }
        Ok(preserving)
    }
}

/// What goes: spans of entries, and words that they said with their rows.
type Due = (Vec<Span>, Vec<(i64, u64)>);

/// Rows of entries that were all made before a time and none of which is preserved, oldest first,
/// a few of them. The last row stays: the ledger goes on from it.
fn due(view: LedgerView<'_>, before_ms: i64, preserving: &Preserving) -> Result<Due, StoreError> {
    let (size, width) = (view.size()?, usize::try_from(tile::WIDTH).unwrap_or(usize::MAX));
    let (mut found, mut words, mut from) = (Vec::new(), Vec::new(), 0);
    while found.len() < ROWS_AT_ONCE {
        let row = view.entries(from, width)?;
        let Some((oldest, newest)) = row.first().zip(row.last()) else { break };
        let span = Span { first: oldest.number, last: newest.number };
        let whole = span.first.is_multiple_of(tile::WIDTH) && span.count() == tile::WIDTH;
        if !whole || span.last + 1 >= size {
            break;
        }
        let (mut keeps, mut said) = (false, HashSet::new());
        for stored in &row {
            let entry = Entry::from_bytes(&stored.bytes).map_err(|_| StoreError::Damaged)?;
            if entry.at_ms >= before_ms {
                return Ok((found, words));
            }
            keeps = keeps || preserving.keeps(&entry);
            said.extend(Gist::read(&stored.bytes).iter().flat_map(Gist::words));
        }
        if !keeps {
            let kept = view.tile(0, span.first / tile::WIDTH)?;
            let kept = kept.and_then(|row| tile::hashes(&row).ok());
            let proves = kept.is_some_and(|kept| row.iter().map(|one| leaf(&one.bytes)).eq(kept));
            if !proves {
                return Err(StoreError::Damaged);
            }
            found.push(span);
            let place = word::place(span.first);
            words.extend(said.iter().map(|word| (word.number(), place)));
        }
        from = span.last + 1;
    }
    Ok((found, words))
}
