//! 查询缓存, the look-up cache: what a source said about a person, unfiltered.
//!
//! Filtering happens on every hit, under the asker's own scope, and not here. Need
//! not survive a crash. Four promises:
//!
//! - A copy is its department's own: from how fast an answer comes nobody learns whom another
//!   department has asked about.
//! - One flight for each department, source and person: who asks meanwhile waits for it.
//! - What was loaded before an invalidation is not served after it, also if the load
//!   was under way: every copy bears the generation read before its load began.
//!   (moka alone loses an invalidation during a load.)
//! - A source that fails is not asked again at once; until then, and no longer than
//!   `stale_seconds_max`, the last good copy is given, named as such.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache as Moka;
use serde::Deserialize;

use super::stage;
use crate::identity::Subject;
use crate::vocabulary::{Department, Field, Freshness, Group, Record, Source, Value};

/// Settings of the cache.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How long an answer is good, in seconds, for sources not named below: that somebody is known,
    /// or that nobody is. Default 300.
    pub seconds: u64,
    /// How long an answer is good, in seconds, by source. Default none.
    pub sources: BTreeMap<Source, u64>,
    /// How long a source that failed is left alone, in milliseconds. Default 1000.
    pub failed_ms: u64,
    /// Age up to which a copy may stand in for a source that fails, in seconds.
    /// Default 86400.
    pub stale_seconds_max: u64,
    /// Memory for copies, in bytes, as estimated from their content. Default 32 MiB.
    pub bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seconds: 300,
            sources: BTreeMap::new(),
            failed_ms: 1000,
            stale_seconds_max: 86_400,
            bytes_max: 32 * 1024 * 1024,
        }
    }
}

/// Records with the time each arrived, in milliseconds since 1970.
pub type Records = Vec<(Record, i64)>;

/// What the cache answers.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Where it comes from.
    pub state: Freshness,
    /// The records; empty if unavailable.
    pub records: Arc<Records>,
    /// When they were asked for, in milliseconds since 1970; `None` if unavailable.
    pub as_of_ms: Option<i64>,
}

impl Fetched {
    /// A source that cannot be asked and left no copy.
    #[must_use]
    pub fn unavailable() -> Self {
        Self { state: Freshness::Unavailable, records: Arc::default(), as_of_ms: None }
    }
}

/// One copy.
#[derive(Clone)]
struct Copy {
    records: Arc<Records>,
    /// When its load began; `None` if no load ever succeeded.
    loaded_at_ms: Option<i64>,
    /// When a later load failed.
    failed_at_ms: Option<i64>,
    /// The generation of its person when its load began.
    stamp: u64,
    bytes: u32,
}

/// For whom, of which source, about whom.
pub type Key = (Department, Source, Subject);

/// Persons share generations: an invalidation of one may cost another a reload. Messages about a
/// hundred persons a second come to each of so many once in eleven minutes, and a copy is good
/// for five.
const STRIPES: u64 = 65_536;
/// Loads that one question may wait for. After the second, what it gets was asked for
/// after the question itself; more only chase a person who changes all the time.
const TRIES_MAX: usize = 4;
/// What a simulation spoils: the generation is read when the load has ended.
pub(crate) const LATE: &str = "generation read after the load";

/// The cache.
pub struct Cache {
    settings: Settings,
    copies: Moka<Key, Copy>,
    generations: Box<[AtomicU64]>,
    tally: Tally,
}

/// What the cache holds and how often it helped, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Copies held, as last counted.
    pub entries: u64,
    /// Their bytes, as estimated.
    pub bytes: u64,
    /// Questions answered from a good copy.
    pub hits: u64,
    /// Questions a source was asked for, with or without an answer.
    pub misses: u64,
    /// Questions answered from an old copy because the source failed.
    pub stale: u64,
}

#[derive(Default)]
struct Tally {
    hits: AtomicU64,
    misses: AtomicU64,
    stale: AtomicU64,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let good = settings.sources.values().copied().max().unwrap_or(0).max(settings.seconds);
        let kept = Duration::from_secs(good.max(settings.stale_seconds_max));
        let copies = Moka::builder()
            .max_capacity(settings.bytes_max)
            .weigher(|_: &Key, copy: &Copy| copy.bytes)
            .time_to_live(kept)
            .build();
        let generations = (0..STRIPES).map(|_| AtomicU64::new(0)).collect();
        Self { settings, copies, generations, tally: Tally::default() }
    }

    /// What a source says about a person: a good copy, or else what `load` brings.
    ///
    /// `now_ms` is the time of the question. An error of `load` is not told apart here;
    /// whoever loads has seen it.
    pub async fn get<F, L, E>(&self, key: Key, now_ms: i64, load: F) -> Fetched
    where
        F: Fn() -> L + Send + Sync,
        L: Future<Output = Result<Records, E>> + Send,
        E: Send,
    {
        let found = self.copies.get(&key).await;
        if let Some(copy) = found.filter(|copy| self.is_good(&key, copy, now_ms)) {
            return self.answer(&copy, now_ms, false);
        }
        // Whoever finds a good copy does not carry the room a load needs.
        Box::pin(self.load(key, now_ms, &load)).await
    }

    /// What loads, of its own or of somebody else's question, bring.
    async fn load<F, L, E>(&self, key: Key, now_ms: i64, load: &F) -> Fetched
    where
        F: Fn() -> L + Send + Sync,
        L: Future<Output = Result<Records, E>> + Send,
        E: Send,
    {
        let mut tries = 1;
        loop {
            let entry = self
                .copies
                .entry(key)
                .or_insert_with_if(self.fly(key, now_ms, load), |copy| {
                    !self.is_good(&key, copy, now_ms)
                })
                .await;
            let (own, copy) = (entry.is_fresh(), entry.into_value());
            if copy.stamp == self.generation(key.2) || tries == TRIES_MAX {
                return self.answer(&copy, now_ms, own);
            }
            tries += 1;
        }
    }

    /// Makes every copy about a person too old, those still being loaded included.
    pub fn invalidate(&self, subject: Subject) {
        self.stripe(subject).fetch_add(1, Ordering::SeqCst);
    }

    /// Makes every copy too old and frees them.
    pub fn invalidate_all(&self) {
        for generation in &self.generations {
            generation.fetch_add(1, Ordering::SeqCst);
        }
        self.copies.invalidate_all();
    }

    /// What it holds and how often it helped.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Reading {
            entries: self.copies.entry_count(),
            bytes: self.copies.weighted_size(),
            hits: count(&self.tally.hits),
            misses: count(&self.tally.misses),
            stale: count(&self.tally.stale),
        }
    }

    /// Lets pending evictions happen now.
    #[cfg(test)]
    pub(super) async fn settle(&self) {
        self.copies.run_pending_tasks().await;
    }

    /// One load. Never fails: what comes back may be the copy before, or none.
    async fn fly<F, L, E>(&self, key: Key, now_ms: i64, load: &F) -> Copy
    where
        F: Fn() -> L + Send + Sync,
        L: Future<Output = Result<Records, E>> + Send,
        E: Send,
    {
        let stamp = self.generation(key.2);
        if let Ok(records) = load().await {
            let stamp = if stage::is_spoilt(LATE) { self.generation(key.2) } else { stamp };
            let bytes = weigh(&records);
            let records = Arc::new(records);
            return Copy { records, loaded_at_ms: Some(now_ms), failed_at_ms: None, stamp, bytes };
        }
        // A copy from before an invalidation is no stand-in either.
        let before = self.copies.get(&key).await.filter(|copy| copy.stamp == stamp);
        let none = Copy {
            records: Arc::default(),
            loaded_at_ms: None,
            failed_at_ms: None,
            stamp,
            bytes: weigh(&[]),
        };
        Copy { failed_at_ms: Some(now_ms), ..before.unwrap_or(none) }
    }

    /// Whether a copy may be given without asking the source.
    fn is_good(&self, key: &Key, copy: &Copy, now_ms: i64) -> bool {
        if copy.stamp != self.generation(key.2) {
            return false;
        }
        if let Some(failed_at_ms) = copy.failed_at_ms {
            return within(failed_at_ms, now_ms, self.settings.failed_ms);
        }
        // Of nothing as of something: who asks again could see by whom we ask which it was.
        let seconds = self.settings.sources.get(&key.1).copied().unwrap_or(self.settings.seconds);
        copy.loaded_at_ms.is_some_and(|at| within(at, now_ms, seconds.saturating_mul(1000)))
    }

    fn answer(&self, copy: &Copy, now_ms: i64, own: bool) -> Fetched {
        let stale_ms_max = self.settings.stale_seconds_max.saturating_mul(1000);
        let state = match (copy.failed_at_ms, copy.loaded_at_ms) {
            (None, Some(_)) if own => Freshness::Fresh,
            (None, Some(_)) => Freshness::Cached,
            (Some(_), Some(at)) if within(at, now_ms, stale_ms_max) => Freshness::Stale,
            _ => Freshness::Unavailable,
        };
        let counter = match state {
            Freshness::Cached => &self.tally.hits,
            Freshness::Fresh | Freshness::Unavailable => &self.tally.misses,
            Freshness::Stale => &self.tally.stale,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if state == Freshness::Unavailable {
            return Fetched::unavailable();
        }
        Fetched { state, records: Arc::clone(&copy.records), as_of_ms: copy.loaded_at_ms }
    }

    fn generation(&self, subject: Subject) -> u64 {
        self.stripe(subject).load(Ordering::SeqCst)
    }

    fn stripe(&self, subject: Subject) -> &AtomicU64 {
        let mut hasher = DefaultHasher::new();
        // What changes of a person changes of each of his entries.
        let whole = match subject {
            Subject::Entry { of, .. } => Subject::Person(of),
            whole => whole,
        };
        whole.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % STRIPES).unwrap_or(0);
        // The rest of a division by how many there are names one of them.
        #[allow(clippy::indexing_slicing)]
        &self.generations[index]
    }
}

/// Shows counts alone.
impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("copies", &self.copies.entry_count()).finish_non_exhaustive()
    }
}

/// A clock that was set back makes nothing older; set back by more than the span it leaves nothing
/// believed, for what was loaded by the other clock might else be good for hours.
const fn within(then_ms: i64, now_ms: i64, span_ms: u64) -> bool {
    now_ms.abs_diff(then_ms) < span_ms
}

/// About how many bytes a copy takes.
fn weigh(records: &[(Record, i64)]) -> u32 {
    let mut bytes = 256;
    for (record, _) in records {
        bytes += 256 + record.carried.iter().map(|leaf| 80 + leaf.text.len()).sum::<usize>();
        bytes += record.wire.as_ref().map_or(0, |wire| 64 + wire.frame.len() + wire.bytes.len());
        bytes += record.groups.len() * (size_of::<Group>() + 32);
        bytes += record
            .fields()
            .map(|field| size_of::<Field>() + 32 + value_bytes(&field.value))
            .sum::<usize>();
    }
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn parts(parts: &[String]) -> usize {
    parts.iter().map(|part| 24 + part.len()).sum()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Address(whole)
        | Value::Name(whole)
        | Value::Organization(whole)
        | Value::Person(whole)
        | Value::Place(whole)
        | Value::Telecom(whole) => whole.text.len() + parts(&whole.parts),
        Value::Boolean(_) => 0,
        Value::Bytes(bytes) => bytes.len(),
        Value::Code(coding) => {
            let texts = [&coding.code, &coding.display];
            let original = coding.original.as_ref();
            let more = original.map_or(0, |original| original.code.len() + parts(&original.parts));
            64 + texts.into_iter().flatten().map(String::len).sum::<usize>() + more
        }
        Value::Date(date) => date.as_str().len(),
        Value::Identifier(identifier) => 64 + identifier.value.len() + parts(&identifier.parts),
        Value::Quantity(quantity) => 48 + quantity.number.len(),
        Value::Text(text) => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_clock_that_was_set_back_keeps_nothing_good_for_longer_than_its_span_again() {
        for (then_ms, now_ms, good) in [
            (1_000, 1_999, true),
            (1_000, 2_000, false),
            (1_000, 1, true),
            (1_000, 0, false),
            (18_000_000, 1_000, false),
            (i64::MIN, i64::MAX, false),
        ] {
            assert_eq!(within(then_ms, now_ms, 1_000), good, "{then_ms}, {now_ms}");
        }
        assert!(!within(5, 5, 0));
    }
}
