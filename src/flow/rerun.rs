//! 批量重放, quarantined messages tried again by what they are like: previewed, wanted by two
//! people, then done in the background in the order of the journal.
//!
//! It goes the way of one message that an operator names. What two people saw holds for the
//! mappings they saw it with: under others it ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::rotation::pause;
use super::sight::wide;
use super::trace::subject;
use super::{Gateway, Sights, ledger};
use crate::audit::{Entry, Kind, Reference};
use crate::inbound::console::view::rerun::{
    Expected, Leaving, Preview, RerunJudged, RerunView, Rerunning, Settled, Word,
};
use crate::inbound::console::view::{Asker, Seen};
use crate::store::rerun::{Draft, Rerun, Stage};
use crate::store::review::Proposal;
use crate::store::trace::Wanted;
use crate::store::{Guard, Reason, Rehearsed, Retrial, State, StoreError};
use crate::vocabulary::{Fault, Position};

/// Messages of one order.
const MESSAGES_MAX: usize = 100_000;
/// Messages that a preview tries out.
const LOOKED_MAX: usize = 500;
/// Messages not tried that a preview counts.
const COUNTED_MAX: usize = 20_000;
/// Messages tried before it is looked whether to go on.
const STEP: usize = 20;
/// Reruns that are told.
const TOLD_MAX: usize = 50;
/// How often it is looked whether one was approved.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

impl Rerunning for Sights {
    fn rehearse<'a>(&'a self, asker: &'a Asker, wanted: &'a Wanted) -> Seen<'a, Preview> {
        self.gateway.rehearse(&asker.user, wanted.clone()).boxed()
    }

    fn propose_rerun<'a>(&'a self, asker: &'a Asker, wanted: &'a Wanted) -> Seen<'a, Option<u64>> {
        self.gateway.propose_rerun(asker, wanted.clone()).boxed()
    }

    fn reruns(&self) -> Seen<'_, Vec<RerunView>> {
        async move {
            let found = self.gateway.store.reruns(TOLD_MAX).await.map_err(|error| error.fault())?;
            found.into_iter().map(view).collect()
        }
        .boxed()
    }

    fn rerun(&self, number: u64) -> Seen<'_, Option<RerunView>> {
        async move {
            let found = self.gateway.store.rerun(number).await.map_err(|error| error.fault())?;
            found.map(view).transpose()
        }
        .boxed()
    }

    fn judge_rerun<'a>(&'a self, asker: &'a Asker, said: (u64, Word)) -> Seen<'a, RerunJudged> {
        self.gateway.judge_rerun(asker, said).boxed()
    }
}

impl Gateway {
    /// What quarantined messages that are like that would become by the mappings in force. Nothing
    /// is kept but the entry that it was asked.
    ///
    /// # Errors
    /// [`Fault::Unavailable`].
    pub async fn rehearse(&self, by: &str, wanted: Wanted) -> Result<Preview, Fault> {
        let wanted = plain(wanted);
        let subject = format!("preview of {}", subject(&wanted));
        self.enter(Kind::Replay, &subject, (by, None)).await.map_err(|error| error.fault())?;
        self.previewed(&wanted).await.map_err(|error| error.fault())
    }

    async fn previewed(&self, wanted: &Wanted) -> Result<Preview, StoreError> {
        let rules = self.rules.load_full();
        let numbers = self.store.held_like(wanted.clone(), (0, u64::MAX), MESSAGES_MAX + 1).await?;
        let more = numbers.len() > MESSAGES_MAX;
        let numbers = numbers.get(..MESSAGES_MAX).unwrap_or(&numbers);
        let mut tried = Vec::new();
        for number in numbers.iter().take(LOOKED_MAX) {
            let Some(held) = self.store.replay(*number).await? else { continue };
            tried.push((*number, self.reread(&rules, (held.source, held.form), &held.raw)));
        }
        let mappings = rules.pack.version().to_owned();
        let (guard, at_ms) = (Guard::Hold, (self.clock)());
        let retrial = Retrial { guard, mappings: mappings.clone(), at_ms, entry: 0, rerun: None };
        let found = self.store.rehearse(tried, retrial).await?;
        Ok(Preview {
            mappings,
            quarantined: wide(numbers.len()),
            more,
            last: numbers.last().copied().unwrap_or_default(),
            settled: self.settled(wanted).await?,
            ..counted(found)
        })
    }

    /// Messages like that which are not tried, as far as they are quickly counted.
    async fn settled(&self, wanted: &Wanted) -> Result<Settled, StoreError> {
        let mut settled = Settled::default();
        let reasons = wanted.fault.is_some() || wanted.place.is_some();
        for (state, never) in [(State::Kept, reasons), (State::Refused, false)] {
            if never || wanted.state.is_some_and(|asked| asked != state) {
                continue;
            }
            let (state, limit) = (Some(state), COUNTED_MAX);
            let lines = self.store.messages(Wanted { state, limit, ..wanted.clone() }).await?;
            settled.more |= lines.next.is_some();
            match state {
                Some(State::Kept) => settled.kept = wide(lines.rows.len()),
                _ => settled.refused = wide(lines.rows.len()),
            }
        }
        Ok(settled)
    }

    async fn propose_rerun(&self, asker: &Asker, wanted: Wanted) -> Result<Option<u64>, Fault> {
        let wanted = plain(wanted);
        let preview = self.previewed(&wanted).await.map_err(|error| error.fault())?;
        if preview.quarantined == 0 {
            return Ok(None);
        }
        let told = format!("rerun of {} proposed: {}", preview.quarantined, subject(&wanted));
        let entry = self.rerun_entry(&told, &asker.user);
        let draft = Draft {
            last: preview.last,
            mappings: preview.mappings.clone(),
            preview: serde_json::to_string(&preview).map_err(|_| Fault::Internal)?,
            by: asker.user.clone(),
            at_ms: entry.at_ms,
            wanted,
        };
        let proposed = self.store.propose_rerun(draft, ledger::row(&entry)).await;
        proposed.map(Some).map_err(|error| error.fault())
    }

    async fn judge_rerun(
        &self,
        asker: &Asker,
        (number, word): (u64, Word),
    ) -> Result<RerunJudged, Fault> {
        let found = self.store.rerun(number).await.map_err(|error| error.fault())?;
        let Some(rerun) = found else { return Err(Fault::EntryUnknown) };
        if word == Word::Approve && rerun.draft.mappings != self.rules.load().pack.version() {
            return Ok(RerunJudged::Outdated);
        }
        let stage = match word {
            Word::Approve => Stage::Runs,
            Word::Decline => Stage::Declined,
            Word::Stop => Stage::Stopping,
        };
        let entry = self.rerun_entry(&format!("rerun {number} {}", stage.as_str()), &asker.user);
        let by = (asker.user.clone(), entry.at_ms);
        match self.store.judge_rerun((number, stage), by, ledger::row(&entry)).await {
            Ok(Proposal::Own) => Ok(RerunJudged::Own),
            Ok(Proposal::Done(_) | Proposal::Waits) => Ok(RerunJudged::Noted),
            Err(StoreError::Settled) => Ok(RerunJudged::Settled),
            Err(error) => Err(error.fault()),
        }
    }

    fn rerun_entry(&self, subject: &str, by: &str) -> Entry {
        let mut entry = self.event(Kind::Replay, subject);
        entry.asker = Some(Reference::new(by));
        entry
    }

    /// Carries out what two people want, also after a restart, until it is told to stop.
    pub async fn keep_rerunning(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let begun = Instant::now();
            let more = self.rerun_on().await.unwrap_or_else(|error| {
                tracing::warn!(error.kind = %error, "a rerun cannot go on");
                false
            });
            if !pause(&stop, (begun, more), LOOKED_EVERY).await {
                return;
            }
        }
    }

    /// Some messages of the oldest; whether there may be more.
    async fn rerun_on(&self) -> Result<bool, StoreError> {
        let Some(rerun) = self.store.rerun_under_way().await? else { return Ok(false) };
        if rerun.stage == Stage::Stopping {
            return self.end_rerun(&rerun, Stage::Stopped).await;
        }
        let rules = self.rules.load_full();
        if rules.pack.version() != rerun.draft.mappings {
            return self.end_rerun(&rerun, Stage::Outdated).await;
        }
        let (wanted, left) = (rerun.draft.wanted.clone(), (rerun.next, rerun.draft.last));
        let numbers = self.store.held_like(wanted, left, STEP).await?;
        if numbers.is_empty() {
            return self.end_rerun(&rerun, Stage::Done).await;
        }
        let by = rerun.approved_by.clone().unwrap_or_default();
        for number in numbers {
            let by = (by.clone(), Some(rerun.number));
            match self.replay_one(number, (&rules, Guard::Hold), by).await {
                // Whoever was quicker has counted it.
                Ok(_) | Err(StoreError::Settled) => (),
                // It is tried again; nothing is wrong with the message.
                Err(error @ (StoreError::Unavailable | StoreError::Sql(_))) => return Err(error),
                Err(_) => self.store.pass_in_rerun(rerun.number, number).await?,
            }
        }
        Ok(true)
    }

    async fn end_rerun(&self, rerun: &Rerun, stage: Stage) -> Result<bool, StoreError> {
        let (number, tried) = (rerun.number, rerun.tried);
        let subject = format!(
            "rerun {number} {}: {} kept, {} held, {} refused",
            stage.as_str(),
            tried.kept,
            tried.held + tried.failed,
            tried.refused
        );
        let by = rerun.ended_by.as_ref().or(rerun.approved_by.as_ref());
        let entry = self.rerun_entry(&subject, by.map_or("", String::as_str));
        self.store.end_rerun((number, stage), entry.at_ms, ledger::row(&entry)).await?;
        Ok(true)
    }
}

/// What a rerun may be asked by: nothing that names somebody. What is quarantined is nobody's yet.
fn plain(wanted: Wanted) -> Wanted {
    Wanted { control_id: None, persons: None, before: None, limit: 0, ..wanted }
}

/// What was found, by reason and by subscriber.
fn counted(found: Vec<Rehearsed>) -> Preview {
    let mut preview = Preview { looked: wide(found.len()), ..Preview::default() };
    let (mut held, mut refused) = (BTreeMap::new(), BTreeMap::new());
    let mut notices: BTreeMap<(String, String), u64> = BTreeMap::new();
    for one in found {
        match one.state {
            State::Kept => preview.kept += 1,
            State::Quarantined => expect(&mut held, one.reason),
            State::Refused => expect(&mut refused, one.reason),
        }
        one.notices.into_iter().for_each(|notice| *notices.entry(notice).or_default() += 1);
    }
    let by_count = |reasons: BTreeMap<_, Expected>| {
        let mut all: Vec<_> = reasons.into_values().collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.count));
        all
    };
    preview.held = by_count(held);
    preview.refused = by_count(refused);
    let leaving = |((subscription, event), count)| Leaving { subscription, event, count };
    preview.notices = notices.into_iter().map(leaving).collect();
    preview
}

type Reasons = BTreeMap<(&'static str, Option<String>), Expected>;

fn expect(reasons: &mut Reasons, reason: Option<Reason>) {
    let Reason { fault, at } = reason.unwrap_or(Reason { fault: Fault::Internal, at: None });
    let place = at.as_ref().and_then(Position::place_in_any);
    let one = reasons.entry((fault.row().name, place.clone()));
    one.or_insert(Expected { fault, place, count: 0 }).count += 1;
}

fn view(rerun: Rerun) -> Result<RerunView, Fault> {
    let Rerun { number, draft, stage, approved_by, ended_by, ended_ms, next: _, tried } = rerun;
    let Draft { wanted, last: _, preview, mappings: _, by, at_ms } = draft;
    let preview = serde_json::from_str(&preview).map_err(|_| Fault::Internal)?;
    Ok(RerunView {
        number,
        wanted,
        preview,
        stage,
        by,
        at_ms,
        approved_by,
        ended_by,
        ended_ms,
        tried,
    })
}
