//! 公开的台账, what of the ledger leaves without anybody's permission: its signed state, the hashes
//! of its tree, and for auditors the proof of an entry.
//!
//! Standard: C2SP tlog-tiles and tlog-proof. Hashes say nothing: a leaf is blinded by the pseudonym
//! and the receipt in it. An entry says more than the answer it is about (whether somebody was
//! known, who was asked, by which relation), so the department that got the answer has no right
//! to it.

use super::Gateway;
use super::fhir::AUDIT;
use super::proof;
use super::question::{Refused, Turn};
use super::seek::by_receipt;
use crate::audit::tile;
use crate::audit::{Kind, Receipt};
use crate::identity::Certificate;
use crate::inbound::http::Answered;
use crate::policy::Evidence;
use crate::store::LedgerView;
use crate::vocabulary::Fault;

/// Media type of checkpoints and proofs.
const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of tiles.
const BYTES: &str = "application/octet-stream";

impl Gateway {
    /// Answers a path below `/v1/ledger/`; a refusal is entered.
    pub async fn published(&self, certificate: Option<Certificate>, path: &str) -> Answered {
        let turn = self.turn();
        let asker = turn.rules.asker(certificate.as_ref(), turn.at_ms);
        let shown = match (asker, path.split_once('/')) {
            (Err(fault), _) => Err(fault.into()),
            (Ok(_), None) if path == "checkpoint" => self.checkpoint().await,
            (Ok(_), Some(("tile", place))) => self.tile(place).await,
            (Ok(asker), Some(("proof", receipt))) => self.prove(&turn, asker, receipt).await,
            (Ok(_), _) => Err(Fault::EntryUnknown.into()),
        };
        match shown {
            Ok(answered) => answered,
            Err(refused) => self.decline_about(&turn, (asker.ok(), "ledger"), &refused).await,
        }
    }

    /// The newest checkpoint, with the signatures of the witnesses that saw just that one.
    async fn checkpoint(&self) -> Result<Answered, Refused> {
        let note = self.store.look(proof::note).await?.map_err(|error| error.fault())?;
        let body = note.ok_or(Fault::EntryUnknown)?;
        Ok(Answered { status: 200, media: TEXT, body, entry: None })
    }

    /// A row of the tree's hashes, as far as the newest checkpoint covers it.
    async fn tile(&self, place: &str) -> Result<Answered, Refused> {
        let place = tile::place(place).ok_or(Fault::EntryUnknown)?;
        let read = self.store.look(move |view| proof::published(view, place)).await?;
        let body = read.map_err(|error| error.fault())?.ok_or(Fault::EntryUnknown)?;
        Ok(Answered { status: 200, media: BYTES, body, entry: None })
    }

    /// The proof of the entry of a receipt.
    async fn prove(
        &self,
        turn: &Turn,
        asker: super::Asker,
        receipt: &str,
    ) -> Result<Answered, Refused> {
        let receipt = Receipt::parse(receipt).map_err(|_| Fault::EntryUnknown)?;
        turn.rules.policies.admit(asker, AUDIT, Evidence::default())?;
        let read = move |view: LedgerView<'_>| {
            let Some(stored) = by_receipt(view, receipt)? else { return Ok(None) };
            proof::bundle(view, stored.number)
        };
        let found = self.store.look(read).await?.map_err(|error| error.fault())?;
        let bundle = found.ok_or(Fault::EntryUnknown)?;
        let mut shown = self.event(Kind::Query, &format!("proof of entry {}", bundle.index));
        (shown.department, shown.role) = (Some(asker.0), Some(asker.1));
        let body = bundle.write();
        let appended = self.append(&shown.with_answer(&body)).await?;
        Ok(Answered { status: 200, media: TEXT, body, entry: Some(appended) })
    }
}
