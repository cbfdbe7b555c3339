//! What one simulated gateway does: the product's own steps, on a stage.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;

use super::super::super::alone;
use super::super::super::deliver::{Busy, beside, ended, most};
use super::super::super::gather::remembered;
use super::judge::Notice;
use super::world::{JOB, PAYMENTS, World};
use crate::outbound::{Circuit, LineError, Said, Subscriber, SubscriptionSettings};
use crate::policy::IDENTITY;
use crate::store::cache::{Cache, Settings};
use crate::store::outbox::{Due, Ended, Wanted, Wish};
use crate::store::stage;
use crate::store::tests::house::{self, Inmate};
use crate::store::tests::stage::BEGINS_MS;
use crate::store::{Lease, RENEW_EVERY};
use crate::vocabulary::{Department, Event, Freshness, Purpose, Role};

const DESK: Department = Department::fixed("hotline");
const DEATH: Event = Event::fixed("death");
/// How long nothing may happen before the outbox is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One gateway.
pub struct Gateway {
    pub inmate: Inmate,
    pub cache: Arc<Cache>,
    /// How fast its clock runs, in millionths.
    pub rate: u32,
    /// Until when it stands still.
    pub stands: Cell<Duration>,
    /// Until when it hears nothing.
    pub cut: Cell<Duration>,
    subscriber: Subscriber,
    circuit: Circuit,
    busy: RefCell<BTreeMap<i64, (Busy, bool)>>,
    freed: Notify,
}

/// A notice on the wire.
pub struct Parcel {
    pub node: i64,
    pub number: i64,
    pub notice: Notice,
    /// Whether the receiver has it.
    pub arrived: Cell<bool>,
    /// Whether whoever sent it still waits.
    pub awaited: Cell<bool>,
    pub answered: Cell<bool>,
    answer: RefCell<Option<Result<Said, LineError>>>,
    waits: RefCell<Option<Waker>>,
}

impl Parcel {
    /// What the receiver says, or nobody.
    pub fn answer(&self, said: Result<Said, LineError>) {
        self.answered.set(true);
        *self.answer.borrow_mut() = Some(said);
        if let Some(waits) = self.waits.borrow_mut().take() {
            waits.wake();
        }
    }

    async fn said(&self) -> Result<Said, LineError> {
        poll_fn(|context| {
            if let Some(said) = self.answer.borrow_mut().take() {
                return Poll::Ready(said);
            }
            *self.waits.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// Whoever sent a parcel waits for its answer while this is there.
struct Awaits(Rc<Parcel>);

impl Drop for Awaits {
    fn drop(&mut self) {
        self.0.awaited.set(false);
    }
}

/// A lane is held while this is there.
struct Holds(Rc<Gateway>, i64);

impl Drop for Holds {
    fn drop(&mut self) {
        if let Some(busy) = self.0.busy.borrow_mut().get_mut(&self.1) {
            busy.1 = true;
        }
        self.0.freed.notify_one();
    }
}

fn settings() -> SubscriptionSettings {
    SubscriptionSettings {
        name: PAYMENTS,
        department: DESK,
        role: Role::fixed("clerk"),
        purpose: Purpose::parse("care-assessment").unwrap(),
        events: vec![DEATH, IDENTITY],
        url: None,
        tls: None,
        folder: None,
        mllp: None,
        soap: None,
        table: None,
        timeout_ms: 10_000,
        in_flight_max: 3,
        failures_max: 3,
        open_ms: 3_000,
        wait_ms: 500,
        wait_ms_max: 5_000,
        tries_max: 1_000_000,
    }
}

impl Gateway {
    pub fn of(inmate: Inmate, rate: u32) -> Rc<Self> {
        let cache = Arc::new(Cache::new(Settings::default()));
        let forgets = Arc::clone(&cache);
        inmate.store.on_change(move |changes| alone::forget(&forgets, changes));
        let settings = settings();
        Rc::new(Self {
            inmate,
            cache,
            rate,
            stands: Cell::default(),
            cut: Cell::default(),
            circuit: Circuit::new(settings.failures_max, settings.open_ms),
            subscriber: Subscriber::new(settings, None).unwrap(),
            busy: RefCell::default(),
            freed: Notify::new(),
        })
    }

    /// Keeps one message, and says so.
    pub async fn keeps(self: Rc<Self>, world: Rc<World>, message: usize) {
        let wishes = vec![Wish { subscription: PAYMENTS, event: DEATH }];
        let arrival = world.messages[message].arrival(wishes);
        let kept = self.inmate.store.keep(arrival).await;
        world.acknowledged(&self, message, kept.ok().map(|kept| kept.number));
    }

    /// Answers a question about an elder.
    pub async fn answers(self: Rc<Self>, world: Rc<World>, elder: usize) {
        let (begun, acknowledged) = world.asked(&self, elder);
        let store = &self.inmate.store;
        let (token, _) = house::enrolled(world.card(elder));
        let Ok(holder) = store.holder(token).await else { return };
        let told = match holder {
            None => Vec::new(),
            Some(holder) => {
                let of = (&**store, &*self.cache);
                let fetched = remembered(of, (DESK, holder), wall_ms(&world)).await;
                if fetched.state == Freshness::Unavailable {
                    return;
                }
                house::told(&fetched.records)
            }
        };
        let text = format!("answer {begun:?} {elder}");
        let Ok(entry) = store.append(house::entry(&text)).await else { return };
        world.answered((&text, entry.number), (elder, &told), (begun, &acknowledged));
    }

    /// Keeps the leases it has.
    pub async fn renews(self: Rc<Self>) {
        loop {
            stage::sleep_until(stage::now() + RENEW_EVERY).await;
            self.inmate.store.renew().await;
        }
    }

    /// Tells the subscriber what there is to tell, as long as it has the lease.
    pub async fn delivers(self: Rc<Self>, world: Rc<World>) {
        let store = &self.inmate.store;
        loop {
            let noticed = store.noticed();
            if let Some(lease) = store.lease(JOB).await {
                for due in self.leaving(&world).await {
                    let number = due.number;
                    let lanes = due.lanes();
                    let busy = Busy { subscription: PAYMENTS, number, lanes };
                    self.busy.borrow_mut().insert(number, (busy, false));
                    let holds = Holds(Rc::clone(&self), number);
                    let (gateway, lease) = (Rc::clone(&self), lease.clone());
                    let inside = Rc::clone(&world);
                    world.begin((self.inmate.node, "tell", false), async move {
                        let _holds = holds;
                        tokio::select! {
                            biased;
                            () = gateway.inmate.store.lapsed(&lease) => (),
                            () = gateway.tells(&inside, &due, &lease) => (),
                        }
                    });
                }
            }
            tokio::select! {
                biased;
                () = noticed => (),
                () = self.freed.notified() => (),
                () = stage::sleep_until(stage::now() + LOOK_EVERY) => (),
            }
            self.busy.borrow_mut().retain(|_, (_, over)| !*over);
        }
    }

    async fn leaving(&self, world: &World) -> Vec<Due> {
        let (settings, now_ms) = (self.subscriber.settings(), wall_ms(world));
        let own = |(busy, _): &(Busy, bool)| {
            let Busy { subscription, number, lanes } = *busy;
            Busy { subscription, number, lanes }
        };
        let own: Vec<Busy> = self.busy.borrow().values().map(own).collect();
        let state = self.circuit.reading(now_ms).state;
        let room = most(state, settings.in_flight_max).saturating_sub(own.len());
        if room == 0 || self.circuit.rests(now_ms) {
            return Vec::new();
        }
        let when = (now_ms, 15_000);
        let busy = own.iter().map(|one| one.number).collect();
        let wanted = Wanted { most: settings.in_flight_max, busy, after: 0 };
        let due = self.inmate.store.due(PAYMENTS, when, wanted).await;
        beside(&own.iter().collect::<Vec<_>>(), due.unwrap_or_default(), room)
    }

    async fn tells(&self, world: &Rc<World>, due: &Due, lease: &Lease) {
        let outcome = self.tries_to_tell(world, due).await;
        world.tell(|| format!("{} of {}: {outcome:?}", due.number, self.inmate.node));
        let end = (due.number, outcome, wall_ms(world));
        if self.inmate.store.end_under(lease.clone(), end).await.is_err() {
            stage::sleep_until(stage::now() + LOOK_EVERY).await;
        }
    }

    async fn tries_to_tell(&self, world: &Rc<World>, due: &Due) -> Ended {
        let now_ms = wall_ms(world);
        let entry = house::entry(&format!("notice {}", due.number));
        if self.inmate.store.append(entry).await.is_err() {
            return Ended::Again { next_ms: now_ms + 1_000, why: "unavailable", answered: false };
        }
        let said = match self.circuit.enter(now_ms) {
            Err(refused) => Err(refused.into()),
            Ok(permit) => {
                let parcel = world.send(self, due);
                let _awaits = Awaits(Rc::clone(&parcel));
                let said = parcel.said().await;
                match &said {
                    Ok(Said::NotNow) | Err(_) => permit.failed(wall_ms(world)),
                    Ok(_) => permit.succeeded(wall_ms(world)),
                }
                said
            }
        };
        let chance = u8::try_from(world.chance.below(256)).unwrap();
        ended(&self.subscriber, due, (said, chance), wall_ms(world))
    }
}

impl Parcel {
    pub fn of(gateway: &Gateway, due: &Due, notice: Notice) -> Rc<Self> {
        Rc::new(Self {
            node: gateway.inmate.node,
            number: due.number,
            notice,
            arrived: Cell::new(false),
            awaited: Cell::new(true),
            answered: Cell::new(false),
            answer: RefCell::default(),
            waits: RefCell::default(),
        })
    }
}

/// The clock on the wall, milliseconds since 1970.
fn wall_ms(world: &World) -> i64 {
    BEGINS_MS + i64::try_from(world.playing.passed().as_millis()).unwrap()
}
