//! 见证, the ledger's state is shown to witnesses, and what they sign is kept.
//!
//! A ledger that was put back to an earlier day, or that shows another history, is told by the
//! witness: it never signs a state that does not follow from the one it signed before.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use metrics::gauge;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::proof::{ProofError, consistency};
use crate::audit::checkpoint::cosigned_at;
use crate::audit::witness::Submission;
use crate::audit::{Kind, VerifyingKey};
use crate::outbound::Witness;
use crate::outbound::witness::{Said, Stand};
use crate::store::{Checkpoint, Cosigned, LedgerView};

/// How often it is looked which witness is due.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

impl Gateway {
    /// Shows the ledger's state to each witness as often as it is due, until it is told to stop.
    pub async fn keep_witnessed(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let (now, witnesses) = ((self.clock)(), self.witnesses.load_full());
            let due = witnesses.iter().filter(|witness| witness.is_due(now));
            join_all(due.map(|witness| self.witnessed(witness))).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOKED_EVERY) => (),
            }
        }
    }

    /// One witness is shown the ledger's state.
    async fn witnessed(&self, witness: &Witness) {
        let stand = self.shown(witness).await.unwrap_or(Stand::Silent);
        let changed = witness.note(stand);
        let (name, stand) = (witness.key().name(), witness.stand());
        let labels = [("witness", name.to_owned())];
        let agrees = if stand.contradicts() { 0.0 } else { 1.0 };
        gauge!("kangqiao_witness_agrees", &labels).set(agrees);
        if let Stand::Signed(size, at_ms) = stand {
            gauge!("kangqiao_witness_entries", &labels).set(size as f64);
            gauge!("kangqiao_witness_signed_seconds", &labels).set((at_ms / 1000) as f64);
        }
        if changed && stand == Stand::Silent {
            tracing::warn!(witness.name = name, "a witness does not answer");
        }
        if changed && stand.contradicts() {
            tracing::error!(
                witness.name = name,
                "a witness has signed another ledger than this one: it was put back or changed"
            );
            // If this fails the ledger cannot be written, which is told elsewhere.
            let _ = self.record(Kind::Witness, &format!("{name}: another ledger")).await;
        }
    }

    /// What a witness says of the ledger; `None` if nothing can be said.
    async fn shown(&self, witness: &Witness) -> Option<Stand> {
        let id = identity(witness.key());
        let mut old = self.store.look(move |view| last_signed(view, &id)).await.ok()?.ok()?;
        // Once more if it knows another state than we remember.
        for _ in 0..2 {
            let found = self.store.look(move |view| submission(view, old)).await.ok()?.ok()?;
            let (last, submission) = found?;
            match witness.submit(&submission, (self.clock)()).await.ok()? {
                Said::Cosigned(lines) => return self.keep_signed(witness, last, &lines).await,
                Said::Holds(size) if size > last.size => return Some(Stand::Ahead(size)),
                Said::Holds(size) if size == old => return Some(Stand::Forked),
                Said::Holds(size) => old = size,
                Said::Inconsistent => return Some(Stand::Forked),
                Said::Declined(_) => return None,
            }
        }
        None
    }

    /// Keeps what a witness signed, if it did.
    async fn keep_signed(&self, witness: &Witness, last: Checkpoint, lines: &str) -> Option<Stand> {
        // What others would have signed is not asked for.
        let mark = format!("\u{2014} {} ", witness.key().name());
        let lines: String =
            lines.split_inclusive('\n').filter(|one| one.starts_with(&mark)).collect();
        let note = [&last.bytes[..], lines.as_bytes()].concat();
        let at = cosigned_at(&note, witness.key()).ok()?;
        let at_ms = i64::try_from(at).ok()?.saturating_mul(1000);
        let (witness, size) = (identity(witness.key()), last.size);
        self.store.cosigned(Cosigned { witness, size, at_ms, lines }).await.ok()?;
        Some(Stand::Signed(size, at_ms))
    }
}

/// By what a witness is known in the store: its name may stay while its key does not.
fn identity(key: &VerifyingKey) -> String {
    key.to_string()
}

/// How many entries the last state had that a witness signed.
fn last_signed(view: LedgerView<'_>, witness: &str) -> Result<u64, ProofError> {
    let signed = view.cosigned()?.into_iter().find(|one| one.witness == witness);
    Ok(signed.map_or(0, |one| one.size))
}

/// The newest checkpoint, and that it follows from an earlier one; `None` while there is none, or
/// the earlier one has more entries.
fn submission(
    view: LedgerView<'_>,
    old: u64,
) -> Result<Option<(Checkpoint, Submission)>, ProofError> {
    let Some(last) = view.checkpoint()? else { return Ok(None) };
    // A witness that saw more than there is says so itself.
    let old = if old > last.size { 0 } else { old };
    let proof = consistency(view, (old, last.size))?.unwrap_or_default();
    let submission = Submission { old, proof, note: last.bytes.clone() };
    Ok(Some((last, submission)))
}
