//! 脉搏, what went through the gateway in the last day, half an hour at a time: counts by sender,
//! by subscription and of what left, for the overview.
//!
//! In memory alone, since the start: what it is made of is durable, and said elsewhere in full.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::audit::Kind;
use crate::inbound::console::view::pulse::{Beat, Beats, Counted};
use crate::store::StoreError;

/// How often it is counted, if nobody looks.
const EVERY: Duration = Duration::from_secs(60);
/// What is counted together.
const BEAT_MS: i64 = 30 * 60_000;
/// A day of them.
const BEATS_MAX: i64 = 48;
/// Entries read at once.
const PAGE_ROWS: usize = 2_048;

/// The last day.
#[derive(Default)]
pub struct Pulse {
    heard: Mutex<Heard>,
    /// Held while it is counted: what two read at once would be counted twice.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Heard {
    /// What had been counted of each when it was last looked; nothing before the first look.
    before: Option<BTreeMap<(Counted, String), u64>>,
    /// The entry of the ledger to go on from.
    next: u64,
    /// By half hour since 1970.
    beats: BTreeMap<i64, BTreeMap<(Counted, String), u64>>,
}

impl Gateway {
    /// Counts now and every minute, until it is told to stop.
    pub async fn keep_pulse(self: Arc<Self>, stop: CancellationToken) {
        loop {
            if let Err(error) = self.feel().await {
                tracing::warn!(error.kind = %error, "the overview's counts are behind");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => (),
            }
        }
    }

    /// Adds what has happened since it was last looked to the half hour there is now.
    async fn feel(&self) -> Result<(), StoreError> {
        let _turn = self.pulse.turn.lock().await;
        let mut counts = BTreeMap::new();
        for count in self.store.counts().await? {
            counts.insert((Counted::Sender, count.source.to_string()), count.received);
        }
        for standing in self.store.standings().await? {
            let delivered = standing.delivered.cast_unsigned();
            counts.insert((Counted::Subscription, standing.subscription), delivered);
        }
        let size = self.store.ledger_size().await?;
        let next = {
            let heard = self.pulse.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.before.as_ref().map_or(size, |_| heard.next)
        };
        let (left, next) = self.left_since(next).await?;
        self.pulse.hear((self.clock)(), counts, (left, next));
        Ok(())
    }

    /// What left by entries from a number on, by kind; the number to go on from.
    async fn left_since(&self, mut next: u64) -> Result<(BTreeMap<Kind, u64>, u64), StoreError> {
        let mut left = BTreeMap::new();
        loop {
            let page = self.store.ledger(next, PAGE_ROWS).await?;
            let Some(last) = page.last() else { return Ok((left, next)) };
            next = last.number + 1;
            for kind in page.iter().filter_map(|stored| Kind::of(&stored.bytes)) {
                if matches!(kind, Kind::Delivery | Kind::Disclosure | Kind::Refusal) {
                    *left.entry(kind).or_default() += 1;
                }
            }
        }
    }

    /// The last day up to now.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub(super) async fn beats(&self) -> Result<Beats, StoreError> {
        self.feel().await?;
        Ok(self.pulse.told((self.clock)()))
    }
}

impl Pulse {
    fn hear(
        &self,
        at_ms: i64,
        counts: BTreeMap<(Counted, String), u64>,
        (left, next): (BTreeMap<Kind, u64>, u64),
    ) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = &mut *heard;
        let now = at_ms.div_euclid(BEAT_MS);
        heard.beats.retain(|beat, _| *beat > now - BEATS_MAX);
        let beat = heard.beats.entry(now).or_default();
        if let Some(before) = &heard.before {
            for (of, count) in &counts {
                let since = count.saturating_sub(before.get(of).copied().unwrap_or_default());
                *beat.entry(of.clone()).or_default() += since;
            }
            for (kind, count) in left {
                *beat.entry((Counted::Ledger, kind.as_str().to_owned())).or_default() += count;
            }
        }
        heard.before = Some(counts);
        heard.next = next;
    }

    fn told(&self, at_ms: i64) -> Beats {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let now = at_ms.div_euclid(BEAT_MS);
        let first = heard.beats.keys().next().copied().unwrap_or(now);
        let beats = (first..=now).map(|beat| Beat {
            at_ms: beat * BEAT_MS,
            counts: heard.beats.get(&beat).cloned().unwrap_or_default(),
        });
        Beats { beats: beats.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> BTreeMap<(Counted, String), u64> {
        pairs.iter().map(|(name, count)| ((Counted::Sender, (*name).to_owned()), *count)).collect()
    }

    #[test]
    fn what_was_counted_before_the_start_is_not_of_this_day_and_a_day_ends() {
        let pulse = Pulse::default();
        let left = |count| (BTreeMap::from([(Kind::Disclosure, count)]), 7 + count);
        pulse.hear(0, counts(&[("a", 100)]), (BTreeMap::new(), 7));
        pulse.hear(1, counts(&[("a", 103), ("b", 2)]), left(4));
        pulse.hear(BEAT_MS * 3, counts(&[("a", 104), ("b", 2)]), left(5));
        let told = pulse.told(BEAT_MS * 3);
        let sum = |name: &str| told.of(Counted::Sender).iter().position(|known| known == name);
        assert_eq!((told.beats.len(), sum("a"), sum("b")), (4, Some(0), Some(1)));
        let row = |at: usize| told.beats[at].row(Counted::Sender, &told.of(Counted::Sender));
        assert_eq!([row(0), row(1), row(2), row(3)], [[3, 2], [0, 0], [0, 0], [1, 0]]);
        let names = told.of(Counted::Ledger);
        assert_eq!(told.beats[0].row(Counted::Ledger, &names), [4]);
        pulse.hear(BEAT_MS * 50, counts(&[("a", 105), ("b", 2)]), left(5));
        let told = pulse.told(BEAT_MS * 50);
        assert_eq!(told.beats[0].at_ms, BEAT_MS * 3, "a day is kept");
        assert_eq!(told.beats.len(), 48);
    }
}
