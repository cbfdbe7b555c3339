//! 身份审核, what a reviewer at the console sees and decides of who is one person.
//!
//! A reviewer sees the pairs that wait, and those somebody decided; no other two entries
//! can be put side by side, or the queue would be a way to read everybody. What was shown
//! is in the ledger, once about each of the two, before it leaves.

use std::collections::BTreeSet;

use futures_util::FutureExt;

use super::identity::{FIRST, unknown};
use super::{Gateway, Sights};
use crate::audit::{Kind, Reference};
use crate::identity::PersonId;
use crate::identity::linkage::Demographics;
use crate::inbound::console::view::review::{
    self, Cursor, Decided, Decision, EventRow, HeldPage, Judged, JudgedView, Pair, PairRow,
    PairView, QueuePage, Reviewing, SideView,
};
use crate::inbound::console::view::{Asker, Seen};
use crate::store::history::Event;
use crate::store::opinion::Opinion;
use crate::store::review::{Proposal, Review, Side};
use crate::store::{Backlog, Item, Said};
use crate::vocabulary::{ElementId, Fault, Record};

/// Rows of one page at most.
const ROWS_MAX: usize = 200;

impl Reviewing for Sights {
    fn waiting(&self, after: Option<Cursor>, limit: usize) -> Seen<'_, QueuePage> {
        self.gateway.waiting(after, limit.clamp(1, ROWS_MAX)).boxed()
    }

    fn held(&self, after: Option<u64>, limit: usize) -> Seen<'_, HeldPage> {
        self.gateway.held_overlays(after, limit.clamp(1, ROWS_MAX)).boxed()
    }

    fn judge<'a>(
        &'a self,
        asker: &'a Asker,
        (number, opinion): (u64, Opinion),
    ) -> Seen<'a, Judged> {
        self.gateway.judge_held(asker, (number, opinion)).boxed()
    }

    fn pair<'a>(&'a self, asker: &'a Asker, pair: Pair) -> Seen<'a, Option<PairView>> {
        self.gateway.side_by_side(asker, pair).boxed()
    }

    fn history<'a>(&'a self, asker: &'a Asker, pair: Pair) -> Seen<'a, Option<Vec<EventRow>>> {
        self.gateway.pair_history(asker, pair).boxed()
    }

    fn decide<'a>(
        &'a self,
        asker: &'a Asker,
        pair: Pair,
        decision: Decision,
    ) -> Seen<'a, Option<Decided>> {
        self.gateway.decide(asker, pair, decision).boxed()
    }
}

impl Gateway {
    async fn waiting(&self, after: Option<Cursor>, limit: usize) -> Result<QueuePage, Fault> {
        let from = after.map_or(FIRST, |cursor| (cursor.at_ms, cursor.pair.0, cursor.pair.1));
        let waiting = self.store.backlog().await.map_err(|error| error.fault())?;
        let found = self.store.reviews(from, limit).await.map_err(|error| error.fault())?;
        let full = found.len() >= limit;
        let rows: Vec<_> = found.into_iter().map(row).collect();
        let next = rows.last().filter(|_| full);
        let next = next.map(|row| Cursor { at_ms: row.at_ms, pair: row.pair });
        Ok(QueuePage { at_ms: (self.clock)(), backlog: backlog(waiting), rows, next })
    }

    async fn side_by_side(&self, asker: &Asker, pair: Pair) -> Result<Option<PairView>, Fault> {
        let Some(item) = self.item(pair).await? else { return Ok(None) };
        let compared = self.store.compared(persons(pair)).await.map_err(|error| error.fault())?;
        let [one, other] = &compared.sides;
        self.note_shown(asker, one, other).await?;
        self.note_shown(asker, other, one).await?;
        let (left, right) = item.sources;
        let sides = [(one, left), (other, right)].map(|(side, source)| SideView {
            source,
            who: side.record.as_ref().map(Demographics::of),
        });
        let judged = compared.judged.as_ref().map(|(judged, fields)| JudgedView {
            rule: judged.rule.as_str().to_owned(),
            weight: judged.weight,
            fields: fields.clone(),
        });
        Ok(Some(PairView {
            pair,
            sides,
            at_ms: item.at_ms,
            proposed_by: item.proposed_by,
            rule: item.rule,
            waits: item.waits,
            one_person: one.person == other.person,
            judged,
        }))
    }

    async fn pair_history(
        &self,
        asker: &Asker,
        pair: Pair,
    ) -> Result<Option<Vec<EventRow>>, Fault> {
        if self.item(pair).await?.is_none() {
            return Ok(None);
        }
        for pair in [pair, (pair.1, pair.0)] {
            let said = self.said(pair, true, &asker.user);
            self.note_identity(Kind::Review, &said).await?;
        }
        let mut events = Vec::new();
        for entry in [pair.0, pair.1].map(PersonId) {
            let found = self.store.identity_history(entry).await;
            events.extend(found.map_err(|error| error.fault())?);
        }
        events.sort_by_key(|event| event.event);
        events.dedup_by_key(|event| event.event);
        Ok(Some(events.into_iter().map(event).collect()))
    }

    async fn decide(
        &self,
        asker: &Asker,
        pair: Pair,
        decision: Decision,
    ) -> Result<Option<Decided>, Fault> {
        let Some(item) = self.item(pair).await? else { return Ok(None) };
        if !item.waits {
            return Ok(Some(Decided::Settled));
        }
        let said = self.said(pair, decision == Decision::Same, &asker.user);
        // One entry about each, so that whoever asks about either finds it.
        self.note_identity(Kind::Identity, &said).await?;
        let (one, other) = said.pair;
        let about_other = Said { pair: (other, one), ..said.clone() };
        self.note_identity(Kind::Identity, &about_other).await?;
        let (done, decided) = match decision {
            Decision::Apart => (self.store.say(said).await.map(Proposal::Done), Decided::Apart),
            // That two are one needs a second reviewer.
            Decision::Same => (self.store.propose(said).await, Decided::Same),
        };
        Ok(Some(match done.map_err(unknown)? {
            Proposal::Done(_) => decided,
            Proposal::Own => Decided::Own,
            Proposal::Waits => Decided::Waits,
        }))
    }

    async fn item(&self, pair: Pair) -> Result<Option<Item>, Fault> {
        self.store.review_item(persons(pair)).await.map_err(|error| error.fault())
    }

    /// Enters which elements of the one a reviewer is about to see beside the other.
    async fn note_shown(&self, asker: &Asker, one: &Side, other: &Side) -> Result<(), Fault> {
        let (left, right) = (one.entry, other.entry);
        let subject = format!("entries {} and {}: looked at", left.0, right.0);
        let mut entry = self.event(Kind::Review, &subject);
        entry.asker = Some(Reference::new(&asker.user));
        entry.person = Some(self.keys.pseudonym(left));
        entry.merged = Some(self.keys.pseudonym(right));
        entry.elements.full = one.record.as_ref().map(seen).unwrap_or_default();
        self.append(&entry).await.map(drop).map_err(|error| error.fault())
    }
}

/// How much waits, as the console shows it.
pub(super) fn backlog(waiting: Backlog) -> review::Backlog {
    let Backlog { pairs, oldest_ms, overlays } = waiting;
    review::Backlog { pairs, oldest_ms, overlays }
}

/// The elements of a record that are shown: each that says by itself who somebody is.
fn seen(record: &Record) -> BTreeSet<ElementId> {
    let top = record.groups.iter().take(1).flat_map(|group| &group.fields);
    top.filter(|field| Demographics::says(field)).map(|field| field.element).collect()
}

fn persons((one, other): Pair) -> (PersonId, PersonId) {
    (PersonId(one), PersonId(other))
}

fn row(review: Review) -> PairRow {
    PairRow {
        pair: (review.pair.0.0, review.pair.1.0),
        sources: review.sources,
        rule: review.rule,
        weight: review.weight,
        at_ms: review.at_ms,
        proposed_by: review.proposed_by,
    }
}

fn event(event: Event) -> EventRow {
    EventRow {
        pair: (event.pair.0.0, event.pair.1.0),
        what: event.what,
        by: event.by,
        at_ms: event.at_ms,
        journal: event.journal,
        ended_at_ms: event.ended_at_ms,
    }
}
