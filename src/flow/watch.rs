//! What is watched beside the store: expiries, and whether the ledger is what was signed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Gateway, proof};
use crate::audit::retention::Gone;
use crate::audit::{self, Checkpoint, Entry, Kept, VerifyingKey};
use crate::inbound::console::view;
use crate::inbound::tls::ReloadableTls;
use crate::vocabulary::Fault;

/// How often the whole ledger is checked.
const VERIFY_EVERY: Duration = Duration::from_secs(3600);
/// Entries read at once.
const PAGE_ROWS: usize = 2048;

/// What the overview shows beside the store.
pub struct Watch {
    verifying: VerifyingKey,
    pub(super) started_ms: i64,
    pub(super) tls: Arc<ReloadableTls>,
    verified: Mutex<view::Verified>,
}

impl Watch {
    /// Nothing verified yet.
    #[must_use]
    pub fn new(verifying: VerifyingKey, started_ms: i64, tls: Arc<ReloadableTls>) -> Self {
        Self { verifying, started_ms, tls, verified: Mutex::default() }
    }
}

impl Watch {
    /// The key that checks this ledger's signatures.
    pub(super) const fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// What the last check of the whole ledger found.
    pub(super) fn verified(&self) -> view::Verified {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Gateway {
    /// Checks the whole ledger now and every hour, until it is told to stop.
    pub async fn keep_verifying(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let verified = self.verify().await.unwrap_or_default();
            if let view::Verified::Broken { number } = verified {
                tracing::error!(ledger.entry = number, "the ledger is not what was signed");
            }
            *self.watch.verified.lock().unwrap_or_else(PoisonError::into_inner) = verified;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(VERIFY_EVERY) => (),
            }
        }
    }

    /// Reads every entry up to the newest checkpoint, and that checkpoint.
    async fn verify(&self) -> Result<view::Verified, Fault> {
        let Some(last) = self.store.checkpoint().await.map_err(|error| error.fault())? else {
            return Ok(view::Verified::NotYet);
        };
        let (mut frontier, mut gone) = (audit::Frontier::default(), Gone::default());
        while frontier.size() < last.size {
            let from = frontier.size();
            let page = self.store.look(move |view| proof::kept(view, from, PAGE_ROWS)).await;
            let page = page.map_err(|error| error.fault())?.map_err(|error| error.fault())?;
            if page.is_empty() {
                return Ok(view::Verified::Broken { number: from });
            }
            for (number, kept) in page.iter().take_while(|(number, _)| *number < last.size) {
                if *number != frontier.size() {
                    return Ok(view::Verified::Broken { number: frontier.size() });
                }
                frontier.append(kept.leaf());
                match kept {
                    Kept::Hash(_) => gone.find(*number),
                    // What does not read as an entry says nothing, and is no leaf that was signed.
                    Kept::Bytes(bytes) => {
                        Entry::from_bytes(bytes).iter().for_each(|entry| gone.hear(entry));
                    }
                }
            }
        }
        if let Some(span) = gone.untold() {
            return Ok(view::Verified::Broken { number: span.first });
        }
        let signed = Checkpoint::open(&last.bytes, &self.watch.verifying);
        let holds = signed.is_ok_and(|signed| signed.root == frontier.root());
        Ok(if holds {
            view::Verified::Sound { at_ms: (self.clock)(), entries: last.size }
        } else {
            view::Verified::Broken { number: last.size }
        })
    }
}
