//! 策略管理, how policies come to serve: at once where nothing widens, else after two people.
//!
//! What is compared and compiled comes from whoever reads the files; here stand the entries, the
//! count of what the ledger would say otherwise, and what the people at the console decide.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Gateway;
use super::ledger::row;
use super::seek::first_at;
use crate::audit::past::{Key, key, past};
use crate::audit::{Entry, Kind, Reference};
use crate::inbound::console::view::Asker;
use crate::policy::{Difference, PolicySet};
use crate::store::StoreError;
use crate::store::policies::{InForce, Judgement, Waiting};
use crate::store::review::Proposal;
use crate::vocabulary::Fault;

/// How far back disclosures are looked at, in milliseconds.
const BACK_MS: i64 = 30 * 86_400_000;
/// Entries read at once.
const PAGE: usize = 500;
/// Kinds of disclosure whose outcome is remembered while the ledger is read.
const REMEMBERED_MAX: usize = 10_000;

/// How rules come to serve.
#[derive(Debug, Clone, Default)]
pub struct Adoption {
    /// By a reload, which has an entry of its own.
    pub reloads: bool,
    /// How many cells and terms are wider than before.
    pub widened: usize,
    /// Who brings it about, where that is known.
    pub by: Option<String>,
}

/// How many disclosures and deliveries would have differed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// Of so many.
    pub of: u64,
    /// So many.
    pub differ: u64,
}

/// What policies would change, and how much of what was disclosed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weighed {
    /// Every cell and term.
    pub difference: Difference,
    /// Disclosures and deliveries of the last thirty days.
    pub differing: Differing,
}

/// What became of what somebody said of policies that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Enough have accepted: they are to be brought into force.
    Accepted,
    /// Nothing: whoever accepted already may not do it for the second.
    Own,
    /// They are refused for good.
    Refused,
    /// Nothing: they wait no longer.
    Settled,
    /// A second person has to accept them.
    Waits,
}

impl Gateway {
    /// Notes which policies the gateway starts with, where others served before, or none.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub async fn begin(&self, before: Option<&str>, widened: usize) -> Result<(), StoreError> {
        let now = self.rules.load().versions();
        let adoption = Adoption { widened, ..Adoption::default() };
        let before = before.unwrap_or("none");
        // The same policies may open more over other mappings.
        let changed = before != now.version || widened > 0;
        let entry = changed.then(|| self.policy_entry(&now, (before, &adoption)));
        let rows = entry.iter().map(row).collect();
        self.store.enforce(rows, now, (self.clock)()).await
    }

    /// The entry of policies that come into force.
    pub(super) fn policy_entry(
        &self,
        now: &InForce,
        (before, adoption): (&str, &Adoption),
    ) -> Entry {
        let by = adoption.by.as_deref();
        self.change_entry(now, (before, adoption.widened, "in force"), by)
    }

    /// An entry about policies: from which version to which, how much is wider, and what of it.
    fn change_entry(
        &self,
        now: &InForce,
        (before, widened, word): (&str, usize, &str),
        by: Option<&str>,
    ) -> Entry {
        // It fits the 64 characters of a reference.
        let subject = format!("{before} → {}, {widened} wider: {word}", now.version);
        let mut entry = self.event(Kind::Policy, &subject);
        entry.asker = by.map(Reference::new);
        entry.policy = Some(now.version.clone());
        entry.mappings = Some(now.mappings.clone());
        entry
    }

    /// Lets policies wait for two people; the entry is in the commit.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub async fn propose_policies(
        &self,
        proposed: InForce,
        weighed: &Weighed,
        user: u32,
    ) -> Result<(), StoreError> {
        let (before, by) = (self.rules.load().versions(), format!("uid {user}"));
        let widened = weighed.difference.widened();
        let told = (before.version.as_str(), widened, "proposed");
        let entry = self.change_entry(&proposed, told, Some(&by));
        let difference = serde_json::to_string(weighed).map_err(|_| StoreError::Damaged)?;
        let (at_ms, accepted_by) = ((self.clock)(), Vec::new());
        let waiting = Waiting { proposed, before, difference, widened, by, at_ms, accepted_by };
        self.store.propose_policies(row(&entry), waiting).await
    }

    /// Takes what somebody at the console says of policies that wait.
    ///
    /// # Errors
    /// [`Fault`] if it cannot be written.
    pub async fn judge_policies(
        &self,
        asker: &Asker,
        (proposal, accepts): (&str, bool),
    ) -> Result<Said, Fault> {
        let waiting = self.store.waiting_policies().await.map_err(|error| error.fault())?;
        let waiting = waiting.filter(|waiting| waiting.digest() == proposal);
        let Some(waiting) = waiting else { return Ok(Said::Settled) };
        let word = if accepts { "accepted" } else { "refused" };
        let told = (waiting.before.version.as_str(), waiting.widened, word);
        let entry = self.change_entry(&waiting.proposed, told, Some(&asker.user));
        let (by, at_ms) = (asker.user.clone(), (self.clock)());
        let said = Judgement { proposal: proposal.to_owned(), accepts, by, at_ms };
        match self.store.judge_policies(row(&entry), said).await {
            Ok(Proposal::Done(_)) if accepts => Ok(Said::Accepted),
            Ok(Proposal::Done(_)) => Ok(Said::Refused),
            Ok(Proposal::Own) => Ok(Said::Own),
            Ok(Proposal::Waits) => Ok(Said::Waits),
            Err(StoreError::Settled) => Ok(Said::Settled),
            Err(error) => Err(error.fault()),
        }
    }

    /// How many disclosures and deliveries of the last thirty days would have differed. Entries
    /// are read page by page, so their number costs time alone.
    ///
    /// # Errors
    /// [`StoreError`] if the ledger cannot be read.
    pub async fn differing(
        &self,
        from: &PolicySet,
        to: &PolicySet,
    ) -> Result<Differing, StoreError> {
        let since = (self.clock)() - BACK_MS;
        let mut next = self.store.look(move |view| first_at(view, since)).await??;
        let mut found = Differing::default();
        let mut remembered: HashMap<Key, bool> = HashMap::new();
        loop {
            let page = self.store.ledger(next, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            next = last.number + 1;
            for stored in page.iter().filter(|stored| stored.at_ms >= since) {
                let Some(past) = Entry::from_bytes(&stored.bytes).ok().and_then(|one| past(&one))
                else {
                    continue;
                };
                if remembered.len() >= REMEMBERED_MAX {
                    remembered.clear();
                }
                let known = remembered.entry(key(&past));
                let differs = *known.or_insert_with(|| from.would_differ(to, &past));
                found.of += 1;
                found.differ += u64::from(differs);
            }
        }
    }
}
