//! 换钥, the tokens' key is replaced on an operator's order while everything is served.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::gauge;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Gateway, ledger};
use crate::audit::{Kind, Reference};
use crate::store::{Rotation, StoreError};
use crate::vocabulary::Fault;

/// Entries that move in one commit, so that no message waits long for its own.
const MOVED_AT_ONCE: usize = 50;
/// How often it is looked whether a rotation is under way.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

impl Gateway {
    /// Brings the next generation of the tokens' key into force.
    ///
    /// # Errors
    /// [`Fault::IdentityConflict`] while a rotation is under way, [`Fault::Unavailable`].
    pub(super) async fn rotate(&self, by: &str) -> Result<Value, Fault> {
        let mut entry = self.event(Kind::Identity, "next token generation ordered");
        entry.asker = Some(Reference::new(by));
        self.append(&entry).await.map_err(|error| error.fault())?;
        let rotation = self.store.rotate((self.clock)()).await;
        rotation.map(|rotation| json!(rotation)).map_err(|error| error.fault())
    }

    /// Moves entries to the generation in force wherever a rotation is under way, also one
    /// that was before a restart, until it is told to stop.
    pub async fn keep_rotating(self: Arc<Self>, stop: CancellationToken) {
        while rest(&stop, (Instant::now(), self.rotate_on().await)).await {}
    }

    /// One step; whether there may be another.
    async fn rotate_on(&self) -> Result<bool, StoreError> {
        let rotation = self.store.rotation().await?;
        show(&rotation);
        let Some(ending) = rotation.ending else { return Ok(false) };
        let ended = self.event(Kind::Identity, &format!("token generation {ending} ended"));
        self.store.move_on(MOVED_AT_ONCE, ledger::row(&ended)).await?;
        Ok(true)
    }
}

/// Waits after a step of something that rotates, which says whether there may be another; whether
/// to go on, that is, until it is told to stop.
pub(super) async fn rest(
    stop: &CancellationToken,
    (begun, step): (Instant, Result<bool, StoreError>),
) -> bool {
    let more = step.unwrap_or_else(|error| {
        tracing::warn!(error.kind = %error, "what rotates cannot move to the next key");
        false
    });
    pause(stop, (begun, more), LOOKED_EVERY).await
}

/// Waits after a step of something long: as long as it took if there may be `more`, so that
/// messages have at least as much of the writer's time, else until it is looked again; whether to
/// go on.
pub(super) async fn pause(
    stop: &CancellationToken,
    (begun, more): (Instant, bool),
    every: Duration,
) -> bool {
    let pause = if more { begun.elapsed() } else { every };
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(pause) => true,
    }
}

/// A gauge is a float; counts are far below 2^53, up to where each is exact.
fn show(rotation: &Rotation) {
    gauge!("kangqiao_identity_token_generation").set(rotation.generation as f64);
    gauge!("kangqiao_identity_old_token_entries").set(rotation.entries_left as f64);
}
