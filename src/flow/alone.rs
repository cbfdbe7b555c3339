//! 独行, what one gateway alone does of those that share a server: whoever has the lease of it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::identity::PersonId;
use crate::identity::Subject;
use crate::store::cache::Cache;
use crate::store::{Changes, RENEW_EVERY};

/// How often it is looked whether a lease that another has is free.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Gateway {
    /// Forgets what other gateways change, from now on.
    pub fn hear(&self) {
        let cache = Arc::clone(&self.cache);
        self.store.on_change(move |changes| forget(&cache, changes));
    }

    /// Keeps the leases it has until it is told to stop; what goes on under them ends before.
    pub async fn keep_leases(self: Arc<Self>, stop: CancellationToken) {
        while self.store.is_shared() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RENEW_EVERY) => self.store.renew().await,
            }
        }
    }

    /// Does something for as long as its lease is held, again whenever it is, until it is told to
    /// stop. What goes on when it is lost is dropped where it stands.
    pub async fn alone<F: Future<Output = ()>>(
        self: Arc<Self>,
        job: String,
        stop: CancellationToken,
        going: impl Fn(Arc<Self>, CancellationToken) -> F,
    ) {
        while !stop.is_cancelled() {
            let Some(lease) = self.store.lease(&job).await else {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(LOOK_EVERY) => continue,
                }
            };
            tokio::select! {
                biased;
                () = self.store.lapsed(&lease) => {
                    tracing::warn!(job, "another gateway may do this now");
                    continue;
                }
                () = going(Arc::clone(&self), stop.clone()) => (),
            }
            self.store.give_back(lease).await;
            return;
        }
    }
}

/// What of the cache a change makes too old.
pub(super) fn forget(cache: &Cache, changes: &Changes) {
    if changes.all {
        cache.invalidate_all();
    }
    let persons = changes.persons.iter();
    persons.for_each(|person| cache.invalidate(Subject::Person(PersonId(*person))));
}
