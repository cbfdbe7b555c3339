//! 清点, how the index of persons stands, counted now and then for the metrics.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::store::review::Stats;

/// How often the index is counted: it reads every entry.
const COUNT_EVERY: Duration = Duration::from_secs(600);

impl Gateway {
    /// Counts the index now and every ten minutes, until it is told to stop.
    pub async fn keep_counting(self: Arc<Self>, stop: CancellationToken) {
        loop {
            match self.store.identity_stats().await {
                Ok(stats) => show(&stats, (self.clock)()),
                Err(error) => {
                    tracing::warn!(error.kind = %error, "the index of persons cannot be counted");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(COUNT_EVERY) => (),
            }
        }
    }
}

/// A gauge is a float; counts are far below 2^53, up to where each is exact.
fn show(stats: &Stats, now_ms: i64) {
    for (source, entries, unlinked) in &stats.sources {
        gauge!("kangqiao_identity_entries", "source" => source.clone()).set(*entries as f64);
        gauge!("kangqiao_identity_unlinked", "source" => source.clone()).set(*unlinked as f64);
    }
    for (source, duplicates) in &stats.duplicates {
        gauge!("kangqiao_identity_duplicates", "source" => source.clone()).set(*duplicates as f64);
    }
    let waited_ms = stats.oldest_ms.map_or(0, |oldest| now_ms.saturating_sub(oldest).max(0));
    gauge!("kangqiao_identity_persons").set(stats.persons as f64);
    gauge!("kangqiao_identity_queue").set(stats.queue as f64);
    gauge!("kangqiao_identity_queue_oldest_seconds").set((waited_ms / 1000) as f64);
    gauge!("kangqiao_identity_learned_entries").set(stats.learned_from as f64);
}
