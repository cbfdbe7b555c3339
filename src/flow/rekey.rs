//! 换密, keys at rest are replaced on an operator's order while everything is served.

use std::sync::Arc;
use std::time::Instant;

use metrics::gauge;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::rotation::rest;
use super::{Gateway, ledger};
use crate::audit::{Kind, Reference};
use crate::store::{EndRows, Rekeying, Rotation, StoreError};

/// Rows and persons that change in one commit, so that no message waits long for its own.
const CHANGED_AT_ONCE: usize = 50;

/// What an operator is told of all keys that rotate.
#[derive(Serialize)]
struct Standing {
    #[serde(flatten)]
    keys: Rekeying,
    tokens: Rotation,
}

impl Gateway {
    /// How far the keys are in their rotations, those of the tokens too.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn rekeying(&self) -> Result<Value, StoreError> {
        let (keys, tokens) = (self.store.rekeying().await?, self.store.rotation().await?);
        Ok(json!(Standing { keys, tokens }))
    }

    /// Brings the next master key into force.
    ///
    /// # Errors
    /// [`StoreError::Rotating`], [`StoreError::MasterReplaced`], [`StoreError::Unavailable`].
    pub async fn rotate_master(&self, next: &[u8; 32], user: u32) -> Result<Rekeying, StoreError> {
        if self.store.rekeying().await?.ending.is_some() {
            return Err(StoreError::Rotating);
        }
        self.enter_keys("next master key ordered", user).await?;
        self.store.rotate_master(next, (self.clock)()).await
    }

    /// Gives every person a new key from now on.
    ///
    /// # Errors
    /// [`StoreError::Rotating`], [`StoreError::Unavailable`].
    pub async fn rotate_persons(&self, user: u32) -> Result<Rekeying, StoreError> {
        if self.store.rekeying().await?.persons_ending {
            return Err(StoreError::Rotating);
        }
        self.enter_keys("new keys of persons ordered", user).await?;
        self.store.rotate_persons().await
    }

    /// Enters an order before it is carried out.
    async fn enter_keys(&self, subject: &str, user: u32) -> Result<(), StoreError> {
        let mut entry = self.event(Kind::Keys, subject);
        entry.asker = Some(Reference::new(&format!("uid {user}")));
        self.append(&entry).await.map(drop)
    }

    /// Puts everything under the keys in force wherever a rotation is under way, also one that
    /// was before a restart, until it is told to stop.
    pub async fn keep_rekeying(self: Arc<Self>, stop: CancellationToken) {
        while rest(&stop, (Instant::now(), self.rekey_on().await)).await {}
    }

    /// One step; whether there may be another.
    async fn rekey_on(&self) -> Result<bool, StoreError> {
        let now = self.store.rekeying().await?;
        show(&now);
        if !now.under_way() {
            return Ok(false);
        }
        let ended = now.ending.unwrap_or_default();
        let ended = self.event(Kind::Keys, &format!("master key {ended} ended"));
        let persons = self.event(Kind::Keys, "old keys of persons ended");
        let ended = EndRows { master: ledger::row(&ended), persons: ledger::row(&persons) };
        let step = self.store.rekey(CHANGED_AT_ONCE, ended).await?;
        if step.damaged > 0 {
            tracing::warn!(rows = step.damaged, "what does not open keeps the key it had");
        }
        Ok(true)
    }
}

/// A gauge is a float; counts are far below 2^53, up to where each is exact.
fn show(now: &Rekeying) {
    gauge!("kangqiao_keys_master").set(now.master as f64);
    gauge!("kangqiao_keys_old_rows").set(now.rows_left as f64);
    gauge!("kangqiao_keys_old_persons").set(now.persons_left as f64);
}
