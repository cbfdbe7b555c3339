//! The master key's file and the store change together: at the start, and on an operator's order.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::reload::Reloader;
use crate::command::Failure;
use crate::config::{Config, keys};
use crate::store::{Rekeying, StoreError};

/// What an operator is told of a master key that came into force.
#[derive(Serialize)]
struct Begun<'a> {
    #[serde(flatten)]
    keys: Rekeying,
    /// Where it lies now.
    file: &'a Path,
}

/// The master key the store of a configuration is under. A rotation that was stopped before the
/// files had their new names is ended.
///
/// # Errors
/// [`Failure`] if it cannot be read, or made for a first start.
pub fn master(config: &Config) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let found = keys::of_store(&config.master_key, &config.store);
    let found = found.map_err(|error| Failure::during("master key", error))?;
    if let Some(now) = found.ahead
        && let Err(error) = keys::advance(&config.master_key, now)
    {
        warn(&error);
    }
    Ok(found.key)
}

impl Reloader {
    /// How far the keys are in their rotations.
    ///
    /// # Errors
    /// [`Failure`] if the store cannot be read.
    pub async fn rekeying(&self) -> Result<Value, Failure> {
        let told = self.gateway.rekeying().await;
        told.map_err(|error| Failure::during("keys", error))
    }

    /// Gives every person a new key from now on.
    ///
    /// # Errors
    /// [`Failure`] while that is under way, or if nothing can be written.
    pub async fn rotate_persons(&self, user: u32) -> Result<Value, Failure> {
        let told = self.gateway.rotate_persons(user).await;
        told.map(|told| json!(told)).map_err(|error| Failure::during("keys", error))
    }

    /// Brings the next master key into force, and gives the files their new names.
    ///
    /// # Errors
    /// [`Failure`] if there is no next one, the last rotation is under way, or nothing can be
    /// written: an order that is given again does what is left to do.
    pub async fn rotate_master(&self, user: u32) -> Result<Value, Failure> {
        let _turn = self.turn.lock().await;
        let next = keys::next(&self.master_key);
        if !next.exists() {
            let missing = "not there: `kangqiao keys next` makes it; keep a copy, then rotate";
            return Err(Failure::during(&next.display().to_string(), missing));
        }
        let key = keys::durable_next(&self.master_key);
        let key = key.map_err(|error| Failure::during(&next.display().to_string(), error))?;
        let begun = self.begin(&key, user).await;
        let begun = begun.map_err(|error| Failure::during("keys", error))?;
        let moved = keys::advance(&self.master_key, begun.master);
        let file = if moved.is_ok() { self.master_key.as_path() } else { next.as_path() };
        if let Err(error) = &moved {
            warn(error);
        }
        Ok(json!(Begun { keys: begun, file }))
    }

    /// Brings it into force, unless an order whose answer was lost has done so.
    async fn begin(&self, next: &[u8; 32], user: u32) -> Result<Rekeying, StoreError> {
        let store = &self.gateway.store;
        match store.is_under(next).await? {
            true => store.rekeying().await,
            false => self.gateway.rotate_master(next, user).await,
        }
    }
}

fn warn(error: &keys::KeyError) {
    tracing::warn!(
        error.kind = %error,
        "the master key in force lies in the file whose name ends in .next, and is read there"
    );
}
