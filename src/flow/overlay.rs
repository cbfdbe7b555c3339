//! 挂起待决, two reviewers say what becomes of a message that the overlay guard holds.

use super::Gateway;
use crate::audit::{Kind, Reference};
use crate::identity::Token;
use crate::inbound::console::view::Asker;
use crate::inbound::console::view::review::{HeldPage, HeldRow, Judged};
use crate::store::opinion::{Opinion, Voiced};
use crate::store::review::Proposal;
use crate::store::{Guard, Held, Proposed, Reason, Retrial, State, StoreError};
use crate::vocabulary::{Fault, IdentifierKind};

impl Gateway {
    pub(super) async fn held_overlays(
        &self,
        after: Option<u64>,
        limit: usize,
    ) -> Result<HeldPage, Fault> {
        let found = self.store.overlays(after.unwrap_or(0), limit).await;
        let found = found.map_err(|error| error.fault())?;
        let next = found.last().filter(|_| found.len() >= limit).map(|(held, _)| held.number);
        Ok(HeldPage { rows: found.into_iter().map(row).collect(), next })
    }

    /// Takes what a reviewer says; the entry comes before the deed.
    pub(super) async fn judge_held(
        &self,
        asker: &Asker,
        (number, opinion): (u64, Opinion),
    ) -> Result<Judged, Fault> {
        let found = self.store.overlays(number.saturating_sub(1), 1).await;
        let found = found.map_err(|error| error.fault())?;
        if found.first().is_none_or(|(held, _)| held.number != number) {
            return Ok(Judged::Settled);
        }
        let held = self.store.replay(number).await.map_err(|error| error.fault())?;
        let held = held.ok_or(Fault::NumberUnknown)?;
        let rules = self.rules.load_full();
        let proposed = self.reread(&rules, (held.source, held.form), &held.raw);
        // Whose number it stands under.
        let person = match first(&proposed) {
            Some(token) => self.store.person(&[token]).await.ok().flatten(),
            None => None,
        };
        let word = match opinion {
            Opinion::Accept => "accepted",
            Opinion::Refuse => "refused",
        };
        let mut entry = self.event(Kind::Identity, &format!("message {number}: overlay {word}"));
        entry.asker = Some(Reference::new(&asker.user));
        entry.person = person.map(|person| self.keys.pseudonym(person));
        let (entry, _) = self.append(&entry).await.map_err(|error| error.fault())?;
        let (by, at_ms) = (asker.user.clone(), (self.clock)());
        let voiced = self.store.voice(Voiced { number, opinion, by, at_ms }).await;
        match voiced {
            Ok(Proposal::Own) => Ok(Judged::Own),
            Ok(Proposal::Waits) => Ok(Judged::Waits),
            Ok(Proposal::Done(_)) => {
                let (guard, mappings) = (Guard::Pass, rules.pack.version().to_owned());
                let retrial = Retrial { guard, mappings, at_ms, entry, rerun: None };
                self.settle_held(number, (opinion, proposed), retrial).await
            }
            Err(StoreError::Settled) => Ok(Judged::Settled),
            Err(error) => Err(error.fault()),
        }
    }

    async fn settle_held(
        &self,
        number: u64,
        (opinion, proposed): (Opinion, Proposed),
        retrial: Retrial,
    ) -> Result<Judged, Fault> {
        let refused = Reason { fault: Fault::IdentityOverlay, at: None };
        let proposed = match opinion {
            Opinion::Accept => proposed,
            Opinion::Refuse => Proposed::Refuse(refused),
        };
        let kept = match self.store.set_outcome(number, proposed, retrial).await {
            Ok(kept) => kept,
            Err(StoreError::Settled) => return Ok(Judged::Settled),
            Err(error) => return Err(error.fault()),
        };
        Ok(match kept.state {
            State::Kept => Judged::Accepted,
            // Something else is wrong with it: it is no more a reviewer's.
            State::Quarantined => Judged::Still,
            State::Refused => Judged::Refused,
        })
    }
}

/// The number a message puts somebody under.
fn first(proposed: &Proposed) -> Option<Token> {
    let Proposed::Apply { identifiers, .. } = proposed else { return None };
    let local = identifiers.iter().find(|one| one.kind == IdentifierKind::Local);
    local.or_else(|| identifiers.first()).map(|one| one.token)
}

fn row((held, voiced): (Held, Option<(Opinion, String)>)) -> HeldRow {
    HeldRow {
        number: held.number,
        source: held.source.to_string(),
        at_ms: held.received_at_ms,
        at: held.reason.and_then(|reason| reason.at),
        voiced,
    }
}
