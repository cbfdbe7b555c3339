//! 闸口, how much is worked on at once, and who goes first when more is asked.
//!
//! So many are in; others wait, bounded in number and time. Of those who wait the higher rank
//! goes in first, of one rank whoever has the fewest in, of those whoever came first. When no
//! more may wait, the lowest rank is turned away first, and of it whoever has the most. Nobody
//! who is in is ever put out. Knows neither questions nor messages.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use metrics::{Gauge, gauge};
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

/// Longest that somebody is told to stay away, seconds.
const AGAIN_MAX: u64 = 60;
/// Weight of the newest in how long one takes, one in so many.
const MEMORY: u32 = 16;

/// How much is worked on at once, `[load]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Questions being answered at once. Default 256.
    pub questions_max: usize,
    /// Questions more than that, of purposes that go first. Default 64.
    pub emergency_max: usize,
    /// Messages being kept at once; those of a batch or file that are kept together have one
    /// place. Default 256.
    pub pushes_max: usize,
    /// Of the places of each, what works in the background may have. Default 64.
    pub background_max: usize,
    /// Questions that wait, and as many messages over HTTPS. Default 512.
    pub waiting_max: usize,
    /// Milliseconds one of them waits, before it is turned away. Default 5,000.
    pub wait_ms_max: u64,
    /// Of one department or sender, in hand and waiting; of purposes that go first as many
    /// again. Default 256.
    pub share_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            questions_max: 256,
            emergency_max: 64,
            pushes_max: 256,
            background_max: 64,
            waiting_max: 512,
            wait_ms_max: 5_000,
            share_max: 256,
        }
    }
}

/// 先后, who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// For life and health, as the list of purposes says.
    Emergency,
    /// Whoever waits for an answer.
    Ordinary,
    /// Nobody waits for it: batches, notices, statistics, files and tables.
    Background,
}

/// What somebody does who cannot go in at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// He is turned away where too many wait, or he waits too long, or has too many himself.
    Turned,
    /// He waits, and asks nothing more meanwhile: there are as many of him as connections.
    Waits,
}

/// Why somebody is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turned {
    /// More is asked than can be done now.
    Full,
    /// He has as much in hand as he may.
    Share,
}

/// Bounds of one turnstile.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// In at once.
    pub most: usize,
    /// More than that, of the first rank.
    pub emergency: usize,
    /// Of the last rank.
    pub background: usize,
    /// Waiting, of those who are turned away.
    pub waiting: usize,
    /// How long.
    pub wait: Duration,
    /// In and waiting of one party, of those who are turned away.
    pub share: usize,
    /// After how long the last rank waits as the one before: yielding is no starving.
    pub yields: Duration,
}

/// One turnstile, for parties that are told apart by `P`.
#[derive(Debug)]
pub struct Turnstile<P> {
    name: &'static str,
    bounds: Bounds,
    inner: Mutex<Inner<P>>,
    shown: OnceLock<[Gauge; 2]>,
}

#[derive(Debug)]
struct Inner<P> {
    inside: usize,
    background: usize,
    /// Of each party and rank, who is in.
    of: HashMap<(P, Rank), usize>,
    /// The same, with those who wait.
    all: HashMap<(P, Rank), usize>,
    waiting: Vec<Waiter<P>>,
    next: u64,
    /// How long one takes.
    takes: Duration,
    turned: HashMap<(P, Rank, Turned), u64>,
}

#[derive(Debug)]
struct Waiter<P> {
    who: P,
    rank: Rank,
    number: u64,
    since: Instant,
    patience: Patience,
    told: oneshot::Sender<Result<(), Turned>>,
}

/// A place inside, given back when it is dropped.
#[derive(Debug)]
pub struct Inside<P: Copy + Eq + Hash> {
    turnstile: Arc<Turnstile<P>>,
    who: P,
    rank: Rank,
    since: Instant,
}

/// Somebody in the queue: gone from it when he goes away.
struct Queued<'a, P: Copy + Eq + Hash> {
    turnstile: &'a Arc<Turnstile<P>>,
    who: P,
    rank: Rank,
    number: u64,
    told: oneshot::Receiver<Result<(), Turned>>,
}

impl<P: Copy + Eq + Hash> Turnstile<P> {
    /// Within these bounds.
    #[must_use]
    pub fn new(name: &'static str, bounds: Bounds) -> Arc<Self> {
        let inner = Inner {
            inside: 0,
            background: 0,
            of: HashMap::new(),
            all: HashMap::new(),
            waiting: Vec::new(),
            next: 0,
            takes: Duration::ZERO,
            turned: HashMap::new(),
        };
        Arc::new(Self { name, bounds, inner: Mutex::new(inner), shown: OnceLock::new() })
    }

    /// Goes in, at once or after a while.
    ///
    /// # Errors
    /// [`Turned`] if that may not be now; nothing was done.
    pub async fn enter(
        self: &Arc<Self>,
        (who, rank): (P, Rank),
        patience: Patience,
    ) -> Result<Inside<P>, Turned> {
        let queued = self.queue((who, rank), patience);
        let entered = match queued {
            Err(turned) => Err(turned),
            Ok(None) => Ok(()),
            Ok(Some(mut queued)) => match patience {
                Patience::Waits => (&mut queued.told).await.unwrap_or(Err(Turned::Full)),
                Patience::Turned => match timeout(self.bounds.wait, &mut queued.told).await {
                    Ok(told) => told.unwrap_or(Err(Turned::Full)),
                    Err(_) => Err(Turned::Full),
                },
            },
        };
        if let Err(turned) = entered {
            *self.inner().turned.entry((who, rank, turned)).or_default() += 1;
            return Err(turned);
        }
        Ok(Inside { turnstile: Arc::clone(self), who, rank, since: Instant::now() })
    }

    /// After how many seconds what waits now will be done.
    #[must_use]
    pub fn again(&self) -> u64 {
        let inner = self.inner();
        let rounds = inner.waiting.len().div_ceil(self.bounds.most.max(1));
        let rounds = u32::try_from(rounds + 1).unwrap_or(u32::MAX);
        let seconds = inner.takes.saturating_mul(rounds).as_secs_f64().ceil();
        // From 1 to 60, and whole.
        (1..=AGAIN_MAX).rev().find(|whole| *whole as f64 <= seconds).unwrap_or(1)
    }

    /// How many were turned away since this was asked last, by whom, rank and reason.
    pub fn turned(&self) -> HashMap<(P, Rank, Turned), u64> {
        std::mem::take(&mut self.inner().turned)
    }

    /// In at once (`None`), or a place in the queue.
    fn queue(
        self: &Arc<Self>,
        (who, rank): (P, Rank),
        patience: Patience,
    ) -> Result<Option<Queued<'_, P>>, Turned> {
        let mut inner = self.inner();
        if patience == Patience::Turned && inner.has((who, rank)) >= self.bounds.share {
            return Err(Turned::Share);
        }
        let waits = inner.waiting.iter().any(|one| one.rank <= rank);
        if !waits && self.fits(&inner, rank) {
            more(&mut inner.all, (who, rank));
            inner.go_in((who, rank));
            self.show(&inner);
            return Ok(None);
        }
        let crowd = inner.waiting.iter().filter(|one| one.patience == Patience::Turned).count();
        if patience == Patience::Turned && crowd >= self.bounds.waiting {
            let last = inner.last().ok_or(Turned::Full)?;
            let one = inner.waiting.get(last).ok_or(Turned::Full)?;
            let fairer =
                one.rank == rank && inner.has((one.who, rank)) > inner.has((who, rank)) + 1;
            if one.rank <= rank && !fairer {
                return Err(Turned::Full);
            }
            inner.send_away(last);
        }
        let number = inner.next;
        inner.next += 1;
        more(&mut inner.all, (who, rank));
        let (told, hears) = oneshot::channel();
        inner.waiting.push(Waiter { who, rank, number, since: Instant::now(), patience, told });
        self.show(&inner);
        Ok(Some(Queued { turnstile: self, who, rank, number, told: hears }))
    }

    fn fits(&self, inner: &Inner<P>, rank: Rank) -> bool {
        let Bounds { most, emergency, background, .. } = self.bounds;
        match rank {
            Rank::Emergency => inner.inside < most + emergency,
            Rank::Ordinary => inner.inside < most,
            Rank::Background => inner.inside < most && inner.background < background,
        }
    }

    /// Lets in whoever is next, as long as there is room.
    fn let_in(&self, inner: &mut Inner<P>) {
        while let Some(next) = inner.first(self.bounds.yields, |rank| self.fits(inner, rank)) {
            let Waiter { who, rank, told, .. } = inner.waiting.remove(next);
            inner.go_in((who, rank));
            if told.send(Ok(())).is_err() {
                inner.go_out((who, rank));
            }
        }
        self.show(inner);
    }

    fn show(&self, inner: &Inner<P>) {
        // Asked for once: whoever goes in would look both up by name.
        let [in_hand, waiting] = self.shown.get_or_init(|| {
            ["kangqiao_load_in_hand", "kangqiao_load_waiting"]
                .map(|name| gauge!(name, "of" => self.name))
        });
        // Gauges are floats; both are far below 2^53.
        in_hand.set(inner.inside as f64);
        waiting.set(inner.waiting.len() as f64);
    }

    fn inner(&self) -> MutexGuard<'_, Inner<P>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Copy + Eq + Hash> Inner<P> {
    /// How many a party has, in and waiting.
    fn has(&self, party: (P, Rank)) -> usize {
        self.all.get(&party).copied().unwrap_or(0)
    }

    fn go_in(&mut self, party: (P, Rank)) {
        self.inside += 1;
        self.background += usize::from(party.1 == Rank::Background);
        more(&mut self.of, party);
    }

    fn send_away(&mut self, at: usize) {
        let Waiter { who, rank, told, .. } = self.waiting.remove(at);
        less(&mut self.all, (who, rank));
        let _ = told.send(Err(Turned::Full));
    }

    fn go_out(&mut self, party: (P, Rank)) {
        self.inside = self.inside.saturating_sub(1);
        self.background -= usize::from(party.1 == Rank::Background).min(self.background);
        less(&mut self.of, party);
        less(&mut self.all, party);
    }

    /// Who of those for whom there is room goes in first.
    fn first(&self, yields: Duration, fits: impl Fn(Rank) -> bool) -> Option<usize> {
        let now = Instant::now();
        let order = |one: &Waiter<P>| {
            let last = one.rank == Rank::Background && now.duration_since(one.since) < yields;
            let rank = if last { Rank::Background } else { one.rank.min(Rank::Ordinary) };
            let inside = self.of.get(&(one.who, one.rank)).copied().unwrap_or(0);
            (rank, inside, one.number)
        };
        let open = self.waiting.iter().enumerate().filter(|(_, one)| fits(one.rank));
        open.min_by_key(|(_, one)| order(one)).map(|(at, _)| at)
    }

    /// Who of those that may be turned away goes first: of the lowest rank, of whoever has the
    /// most, the one who came last.
    fn last(&self) -> Option<usize> {
        let waiting = self.waiting.iter().enumerate();
        let turned = waiting.filter(|(_, one)| one.patience == Patience::Turned);
        let order = |one: &Waiter<P>| (one.rank, self.has((one.who, one.rank)), one.number);
        turned.max_by_key(|(_, one)| order(one)).map(|(at, _)| at)
    }
}

fn more<K: Eq + Hash>(counts: &mut HashMap<K, usize>, of: K) {
    *counts.entry(of).or_default() += 1;
}

/// What is counted down to nothing is forgotten.
fn less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, of: K) {
    match counts.get_mut(&of) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(counts.remove(&of)),
    }
}

impl<P: Copy + Eq + Hash> Drop for Queued<'_, P> {
    fn drop(&mut self) {
        let mut inner = self.turnstile.inner();
        let before = inner.waiting.len();
        inner.waiting.retain(|one| one.number != self.number);
        if inner.waiting.len() < before {
            less(&mut inner.all, (self.who, self.rank));
            return self.turnstile.show(&inner);
        }
        // He was let in and never heard of it.
        if let Ok(Ok(())) = self.told.try_recv() {
            inner.go_out((self.who, self.rank));
            self.turnstile.let_in(&mut inner);
        }
    }
}

impl<P: Copy + Eq + Hash> Drop for Inside<P> {
    fn drop(&mut self) {
        let mut inner = self.turnstile.inner();
        let took = self.since.elapsed();
        inner.takes = (inner.takes * (MEMORY - 1) + took) / MEMORY;
        inner.go_out((self.who, self.rank));
        self.turnstile.let_in(&mut inner);
    }
}

#[cfg(test)]
mod tests;
