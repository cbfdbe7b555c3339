//! 投递, the other end of a push: whoever subscribed is told, each under his own scope.
//!
//! ```text
//! outbox → who is meant → gather → decide → ledger → send → delivered | again | dead
//! ```
//!
//! Nothing is decided before it is sent: what a notice tells is what an answer would hold at
//! that moment. Of an elder the oldest notice leaves first and the next when it has ended; a
//! receiver that is down is left alone, and keeps nobody else waiting.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::question::Turn;
use crate::audit::Entry;
use crate::outbound::{CircuitState, LineError, Parcel, Said, Subscriber};
use crate::policy::{self, Admission, EventRow, Evidence, IDENTITY};
use crate::registry::answer::AnswerMeta;
use crate::registry::notice::{self, Head};
use crate::store::outbox::{Due, Ended, Wanted, Wish};
use crate::store::{Lease, Standing, StoreError};
use crate::vocabulary::{Dataset, Fault, Subscription};

/// How long nothing may happen before the outbox is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often the notices are counted for the metrics, milliseconds.
const COUNT_EVERY_MS: i64 = 10_000;
/// How long a notice waits that the gateway itself could not bring on its way, milliseconds.
const HELD_MS: i64 = 15_000;

/// Why a notice is not told.
mod why {
    /// The elder is on the list no longer.
    pub const UNENROLLED: &str = "unenrolled";
    /// The subscription does not name the event any more.
    pub const UNSUBSCRIBED: &str = "unsubscribed";
    /// Nothing of it may leave, or nothing is there.
    pub const WITHHELD: &str = "withheld";
    /// The receiver says that it will never take it.
    pub const REFUSED: &str = "refused";
    /// It was tried as often as it may be.
    pub const EXHAUSTED: &str = "exhausted";
    /// The receiver cannot be reached, or did not answer.
    pub const UNREACHABLE: &str = "unreachable";
    /// The receiver answered with an error.
    pub const FAILED: &str = "failed";
}

/// A notice on its way.
pub(super) struct Busy {
    pub(super) subscription: Subscription,
    pub(super) number: i64,
    pub(super) lanes: [Option<i64>; 2],
}

/// What one notice is about, decided and written.
struct Told {
    entry: Entry,
    reference: String,
    body: Vec<u8>,
}

/// What became of a notice is written down, or it is told again under the same id.
async fn noted(written: Result<(), StoreError>) {
    if let Err(error) = written {
        tracing::error!(error.kind = %error, "what became of a notice cannot be written");
        // Not at once: the disk is full, or the store is closing.
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Gateway {
    /// Who is told of a record, if it is about somebody they enrolled.
    pub(super) fn wishes(&self, events: &policy::Events, dataset: Dataset) -> Vec<Wish> {
        let subscribers = self.subscribers.load();
        if subscribers.is_empty() {
            return Vec::new();
        }
        let happened: Vec<_> = events.of(dataset).map(|row| row.id).collect();
        let wish = |subscriber: &Arc<Subscriber>| {
            let settings = subscriber.settings();
            let told = happened.iter().filter(|event| settings.events.contains(event));
            let subscription = settings.name;
            told.map(|event| Wish { subscription, event: *event }).collect::<Vec<_>>()
        };
        subscribers.iter().flat_map(wish).collect()
    }

    /// The subscriber of that name.
    pub(super) fn subscriber(&self, name: Subscription) -> Option<Arc<Subscriber>> {
        let subscribers = self.subscribers.load();
        subscribers.iter().find(|one| one.settings().name == name).map(Arc::clone)
    }

    /// Delivers notices until it is told to stop, then lets those on their way end.
    pub async fn keep_delivering(self: Arc<Self>, stop: CancellationToken) {
        let mut sending = JoinSet::new();
        let mut busy: HashMap<Id, Busy> = HashMap::new();
        let mut counted_ms = i64::MIN;
        let mut leases = HashMap::new();
        // Whose notices ended since; `None` if anybody's may have come.
        let mut ended: Option<BTreeSet<Subscription>> = None;
        let mut noticed = Box::pin(self.store.noticed());
        let mut looked = Instant::now();
        while !stop.is_cancelled() {
            let now_ms = (self.clock)();
            if now_ms.saturating_sub(counted_ms) > COUNT_EVERY_MS {
                self.count_notices(now_ms).await;
                counted_ms = now_ms;
            }
            if ended.is_none() {
                // Made before the outbox is read: what comes meanwhile wakes it.
                noticed.set(self.store.noticed());
                looked = Instant::now();
            }
            for subscriber in self.subscribers.load_full().iter() {
                let subscription = subscriber.settings().name;
                // Of the others nothing has changed: their lanes are read when something has.
                if ended.as_ref().is_some_and(|own| !own.contains(&subscription)) {
                    continue;
                }
                // Whoever tells one subscriber tells him all, so that order is kept.
                let lease = self.store.lease(&format!("notices {subscription}")).await;
                let Some(lease) = lease else { continue };
                leases.insert(subscription, lease.clone());
                for due in self.leaving(subscriber, &busy).await {
                    let key = Busy { subscription, number: due.number, lanes: due.lanes() };
                    let (gateway, subscriber) = (Arc::clone(&self), Arc::clone(subscriber));
                    let lease = lease.clone();
                    let task = async move {
                        tokio::select! {
                            biased;
                            // Another tells it, under the same id.
                            () = gateway.store.lapsed(&lease) => (),
                            () = gateway.deliver(&subscriber, due, &lease) => (),
                        }
                    };
                    busy.insert(sending.spawn(task).id(), key);
                }
            }
            ended = tokio::select! {
                () = stop.cancelled() => break,
                () = &mut noticed => None,
                () = tokio::time::sleep_until(looked + LOOK_EVERY) => None,
                Some(one) = sending.join_next_with_id() => {
                    let mut own = BTreeSet::new();
                    let mut next = Some(one);
                    // All that ended meanwhile, so that a lane is read once for them.
                    while let Some(one) = next {
                        own.extend(self.over(one, &mut busy).await);
                        next = sending.try_join_next_with_id();
                    }
                    Some(own)
                }
            };
        }
        while sending.join_next().await.is_some() {}
        for (_, lease) in leases {
            self.store.give_back(lease).await;
        }
    }

    /// Whose notice is on its way no longer.
    async fn over(
        &self,
        ended: Result<(Id, ()), JoinError>,
        busy: &mut HashMap<Id, Busy>,
    ) -> Option<Subscription> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let Busy { subscription, number, .. } = busy.remove(&id)?;
        if ended.is_err() {
            // It panicked, and would again at once.
            self.hold(number).await;
        }
        Some(subscription)
    }

    /// Lets a notice wait that the gateway could not bring on its way.
    async fn hold(&self, number: i64) {
        let now_ms = (self.clock)();
        let (next_ms, why) = (now_ms + HELD_MS, Fault::Internal.row().name);
        let ended = self.store.end(number, Ended::Again { next_ms, why, answered: false }, now_ms);
        noted(ended.await).await;
    }

    /// A gauge is a float; counts are far below 2^53, up to where each is exact.
    async fn count_notices(&self, now_ms: i64) {
        let Ok(standings) = self.standings().await else { return };
        for standing in standings {
            let labels = [("subscription", standing.subscription)];
            let oldest_ms = standing.oldest_ms.unwrap_or(now_ms);
            let age_s = now_ms.saturating_sub(oldest_ms).max(0) / 1000;
            gauge!("kangqiao_notices_waiting", &labels).set(standing.waiting as f64);
            gauge!("kangqiao_notices_dead", &labels).set(standing.dead as f64);
            gauge!("kangqiao_notices_oldest_seconds", &labels).set(age_s as f64);
            gauge!("kangqiao_enrolled", &labels).set(standing.enrolled as f64);
        }
    }

    /// What of one subscription leaves now: as much as its line takes.
    async fn leaving(&self, subscriber: &Subscriber, busy: &HashMap<Id, Busy>) -> Vec<Due> {
        let (settings, now_ms) = (subscriber.settings(), (self.clock)());
        let own: Vec<&Busy> =
            busy.values().filter(|one| one.subscription == settings.name).collect();
        // One finds out whether a receiver that was down is back; the others are not decided.
        let Some(reading) = subscriber.reading(now_ms) else { return Vec::new() };
        let room = most(reading.state, settings.in_flight_max).saturating_sub(own.len());
        if room == 0 || subscriber.rests(now_ms) {
            return Vec::new();
        }
        let longest_ms = settings.wait_ms_max.max(settings.wait_ms).max(HELD_MS);
        let when = (now_ms, longest_ms);
        let after = match reading.state {
            CircuitState::Closed => 0,
            CircuitState::HalfOpen | CircuitState::Open => subscriber.probed(),
        };
        let busy = own.iter().map(|one| one.number).collect();
        let mut wanted = Wanted { most: settings.in_flight_max, busy, after };
        let mut due = self.due(subscriber, when, wanted.clone()).await;
        if due.is_empty() && after > 0 {
            wanted.after = 0;
            due = self.due(subscriber, when, wanted).await;
        }
        let due = beside(&own, due, room);
        if let (false, Some(probe)) = (reading.state == CircuitState::Closed, due.first()) {
            subscriber.probe(probe.number);
        }
        due
    }

    async fn due(&self, subscriber: &Subscriber, when: (i64, i64), wanted: Wanted) -> Vec<Due> {
        let due = self.store.due(subscriber.settings().name, when, wanted).await;
        due.unwrap_or_else(|error| {
            tracing::error!(error.kind = %error, "the outbox cannot be read");
            Vec::new()
        })
    }

    /// One try of one notice, and what became of it.
    async fn deliver(&self, subscriber: &Subscriber, due: Due, lease: &Lease) {
        let settings = subscriber.settings();
        let ended = self.try_to_tell(subscriber, &due).await;
        let outcome = match ended {
            Ended::Delivered => "delivered",
            Ended::Again { why, .. } | Ended::Dead(why) | Ended::Passed(why) => why,
        };
        counter!(
            "kangqiao_notices_total", "subscription" => settings.name.to_string(),
            "event" => due.event.to_string(), "outcome" => outcome
        )
        .increment(1);
        let now_ms = (self.clock)();
        if ended == Ended::Delivered {
            let took_ms = u64::try_from(now_ms.saturating_sub(due.at_ms)).unwrap_or(0);
            histogram!("kangqiao_notice_seconds").record(Duration::from_millis(took_ms));
        }
        if let Ended::Dead(why) = ended {
            tracing::error!(
                subscription = %settings.name, notice.number = due.number, why,
                "a notice is dead; the elder's later notices wait until somebody decides"
            );
        }
        noted(self.store.end_under(lease.clone(), (due.number, ended, now_ms)).await).await;
    }

    async fn try_to_tell(&self, subscriber: &Subscriber, due: &Due) -> Ended {
        let settings = subscriber.settings();
        let now_ms = (self.clock)();
        let held = |why| Ended::Again { next_ms: now_ms + HELD_MS, why, answered: false };
        let turn = Turn { at_ms: now_ms, ..self.turn() };
        let told = match self.told(&turn, subscriber, due).await {
            Ok(Ok(told)) => told,
            Ok(Err(why)) => return Ended::Passed(why),
            Err(fault) => return held(fault.row().name),
        };
        let appended = self.append(&told.entry.with_answer(&told.body)).await;
        let Ok(entry) = appended else { return held(Fault::Unavailable.row().name) };
        let parcel = Parcel {
            subscription: settings.name,
            number: due.number,
            id: id(settings.name, due.number),
            event: due.event,
            happened_at: due.at_ms / 1000,
            reference: told.reference,
            body: told.body,
            entry,
        };
        let said = subscriber.send(parcel, now_ms).await;
        let mut chance = [0];
        // Without chance the waits are shorter, which is no harm.
        let _ = aws_lc_rs::rand::fill(&mut chance);
        ended(subscriber, due, (said, chance[0]), (self.clock)())
    }

    /// What a notice tells now, and its entry; the inner error says why there is nothing to tell.
    async fn told(
        &self,
        turn: &Turn,
        subscriber: &Subscriber,
        due: &Due,
    ) -> Result<Result<Told, &'static str>, Fault> {
        let settings = subscriber.settings();
        let _yielding = self.yielding(settings.department).await;
        let events = turn.rules.policies.events();
        let event = events.event(due.event).filter(|event| settings.events.contains(&event.id));
        let Some(event) = event else { return Ok(Err(why::UNSUBSCRIBED)) };
        let Some((enrolled, token)) = &due.enrolled else { return Ok(Err(why::UNENROLLED)) };
        let admission = self.admission_of(turn, subscriber)?;
        let holder = match self.store.holder(*token).await {
            // Whose number it is has to be settled first; until then it is nobody's to tell.
            Err(StoreError::Conflict) => return Err(Fault::IdentityConflict),
            other => other.map_err(|error| error.fault())?,
        };
        let identifier = enrolled.identifier.clone();
        let resident = self.known(identifier, (*token, holder));
        let person = resident.person;
        let gathered = self.gather_told(turn, (&resident, due.journal)).await;
        let (gathered, cause) = gathered.map_err(|refused| refused.fault)?;
        let (records, at) = (gathered.records(), turn.at_ms / 1000);
        let scope = admission.towards(&records, at).about(resident.pseudonym.clone());
        let tells = settings.words().tells(&turn.rules.pack, event);
        let release = turn.decide((&scope, Some(&tells)), (&records, at), &self.keys);
        let cause = cause.and_then(|place| records.get(place));
        // That a notice came would tell of a record that may not be known of, whatever it says.
        let tells_of = |cause| turn.tells_of((&scope, &tells), cause, &self.keys);
        let is_told = release.released().len() > 0 && cause.copied().is_some_and(tells_of);
        if !is_told && event.id != IDENTITY {
            return Ok(Err(why::WITHHELD));
        }
        let same_as = match (person, event.id == IDENTITY) {
            (Some(person), true) => {
                let same = self.store.same_elder(due.lane, person).await;
                Some(same.map_err(|error| error.fault())?)
            }
            (None, true) => Some(Vec::new()),
            (_, false) => None,
        };
        let id = id(settings.name, due.number);
        let circumstances = Self::circumstances(turn, Some(&resident), gathered.states());
        let entry = Entry::delivery(&release, &subject(&id, event), circumstances);
        let head = Head {
            id: &id,
            subscription: settings.name,
            event: event.id,
            happened_at: due.at_ms / 1000,
            reference: &enrolled.reference,
            same_as: same_as.as_deref(),
        };
        let meta = AnswerMeta {
            receipt: &entry.receipt.to_string(),
            answered_at: turn.at_ms / 1000,
            mappings: turn.rules.pack.version(),
            sources: &gathered.reports(),
        };
        let told = notice::Told { pack: &turn.rules.pack, event, release: &release, meta: &meta };
        let Some(body) = settings.words().write(&head, &told) else {
            return Ok(Err(why::WITHHELD));
        };
        Ok(Ok(Told { entry, reference: enrolled.reference.clone(), body }))
    }

    /// As whom a subscription is told, if it still may be.
    pub(super) fn admission_of(
        &self,
        turn: &Turn,
        subscriber: &Subscriber,
    ) -> Result<Admission, Fault> {
        let settings = subscriber.settings();
        let asker = (settings.department, settings.role);
        let purpose = settings.purpose.as_str();
        let admitted = turn.rules.policies.admit(asker, purpose, Evidence::default());
        admitted.map_err(|refusal| refusal.fault)
    }

    /// How the notices of each subscription stand, those with none included.
    ///
    /// # Errors
    /// [`Fault::Unavailable`].
    pub async fn standings(&self) -> Result<Vec<Standing>, Fault> {
        let mut standings = self.store.standings().await.map_err(|error| error.fault())?;
        for subscriber in self.subscribers.load().iter() {
            let name = subscriber.settings().name;
            if standings.iter().all(|known| known.subscription != name.as_str()) {
                standings.push(Standing::none(name));
            }
        }
        Ok(standings)
    }
}

/// How many may be on their way at once.
pub(super) const fn most(state: CircuitState, in_flight_max: usize) -> usize {
    match state {
        CircuitState::Closed => in_flight_max,
        CircuitState::HalfOpen | CircuitState::Open => 1,
    }
}

/// What leaves beside what is on its way, for as many as there is room: a lane is held by what
/// is on its way, whatever is told again meanwhile.
pub(super) fn beside(own: &[&Busy], mut due: Vec<Due>, room: usize) -> Vec<Due> {
    let held =
        |lane: Option<i64>| lane.is_some() && own.iter().any(|one| one.lanes.contains(&lane));
    due.retain(|due| !due.lanes().into_iter().any(held));
    due.truncate(room);
    due
}

/// What became of a notice by what the receiver said, or did not say; the wait before the next
/// try has a share of chance in it.
pub(super) fn ended(
    subscriber: &Subscriber,
    due: &Due,
    (said, chance): (Result<Said, LineError>, u8),
    now_ms: i64,
) -> Ended {
    let settings = subscriber.settings();
    let answered = match said {
        Ok(Said::Taken) => return Ended::Delivered,
        Ok(Said::Refused) => return Ended::Dead(why::REFUSED),
        Ok(Said::NotNow | Said::NotThis) => true,
        Err(error) => {
            unanswered(settings.name, due, error);
            false
        }
    };
    let tries = due.tries + i64::from(answered);
    if tries >= settings.tries_max {
        return Ended::Dead(why::EXHAUSTED);
    }
    let why = if answered { why::FAILED } else { why::UNREACHABLE };
    Ended::Again { next_ms: now_ms + subscriber.wait_ms(tries, chance), why, answered }
}

/// Counts a notice that is on its way without anybody knowing whether it came. What is answered
/// later is nobody's.
fn unanswered(subscription: Subscription, due: &Due, error: LineError) {
    let why = match error {
        LineError::Astray => "other-id",
        LineError::Timeout => "timeout",
        _ => return,
    };
    let name = subscription.to_string();
    counter!("kangqiao_notices_unanswered_total", "subscription" => name, "why" => why)
        .increment(1);
    tracing::warn!(%subscription, notice.number = due.number, why, "a notice has no answer");
}

/// The number of a notice, the same at every try.
fn id(subscription: Subscription, number: i64) -> String {
    format!("{subscription}-{number}")
}

/// What the ledger calls it.
fn subject(id: &str, event: &EventRow) -> String {
    format!("notice {id} {}", event.id)
}

#[cfg(test)]
mod tests {
    use super::{Busy, beside};
    use crate::store::outbox::Due;
    use crate::vocabulary::{Event, Subscription};

    #[test]
    fn what_is_on_its_way_holds_its_lanes_whatever_is_told_again() {
        let event = Event::parse("death").unwrap();
        let due = |number, lane, other| Due {
            number,
            lane,
            journal: None,
            other,
            event,
            at_ms: 0,
            tries: 0,
            enrolled: None,
        };
        let subscription = Subscription::parse("payments").unwrap();
        let busy = Busy { subscription, number: 5, lanes: [Some(1), Some(2)] };
        let found = vec![due(3, 1, None), due(4, 9, Some(2)), due(6, 9, None), due(7, 8, None)];
        let left = |room| beside(&[&busy], found.clone(), room).into_iter().map(|one| one.number);
        assert_eq!(left(9).collect::<Vec<_>>(), [6, 7]);
        assert_eq!(left(1).collect::<Vec<_>>(), [6]);
    }
}
