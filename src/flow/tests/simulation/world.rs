//! A house of gateways, their senders, askers and receiver; what goes on next is chance's.

mod steps;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::chance::Chance;
use super::gateway::{Gateway, Parcel};
use super::judge::{Judge, Wrong};
use super::tasks::Task;
use crate::store::Arrival;
use crate::store::outbox::{Due, Wish};
use crate::store::tests::house::{self, House};
use crate::store::tests::stage::{EVEN, Fate, Meanwhile, Playing, Spoilt};
use crate::vocabulary::Subscription;

pub const PAYMENTS: Subscription = Subscription::fixed("payments");
/// Whoever has its lease tells the subscriber.
pub const JOB: &str = "notices payments";
/// Whom everything is about.
const CARDS: [&str; 3] = ["A0012345", "A0012346", "A0012347"];
/// How long the others may not be heard.
const SILENCE: Duration = Duration::from_secs(1);
/// How much of it a clock that runs otherwise may add.
const MORE: Duration = Duration::from_millis(20);
/// Questions that are answered at once.
const ASKED_MAX: usize = 4;
/// How the task is named that answers one.
const ANSWER: &str = "answer";
/// Lines of a story that are told when it ends badly.
const LINES: usize = 60;

/// What a sender has to say.
pub struct Message {
    pub text: String,
    about: Vec<usize>,
    state: Cell<Sent>,
    /// When it is sent again if nobody has told him anything.
    again: Cell<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Not,
    OnItsWay,
    Kept,
}

impl Message {
    fn of(text: String, about: Vec<usize>) -> Self {
        Self { text, about, state: Cell::new(Sent::Not), again: Cell::default() }
    }

    pub fn arrival(&self, wishes: Vec<Wish>) -> Arrival {
        match self.about[..] {
            [elder] => house::said(&self.text, CARDS[elder], wishes),
            _ => house::joined(&self.text, (CARDS[self.about[0]], CARDS[self.about[1]])),
        }
    }
}

/// What may go wrong in this story; not all of it does in every one.
struct Troubles {
    commits: bool,
    crashes: bool,
    stands: bool,
    cuts: bool,
    jumps: bool,
    leaves: bool,
    /// How much time passes, beside all else.
    haste: usize,
    /// How often somebody asks.
    asks: usize,
}

/// What a commit is about that is under way.
#[derive(Clone, Default)]
struct UnderWay {
    node: i64,
    ends: Vec<(i64, i64)>,
}

/// Everything there is.
pub struct World {
    pub playing: Playing,
    pub chance: Chance,
    pub messages: Vec<Message>,
    house: House,
    judge: RefCell<Judge>,
    gateways: RefCell<Vec<Rc<Gateway>>>,
    tasks: RefCell<Vec<Rc<Task>>>,
    parcels: RefCell<Vec<Rc<Parcel>>>,
    acknowledged: RefCell<BTreeSet<(i64, usize, String)>>,
    under_way: RefCell<Option<UnderWay>>,
    troubles: Troubles,
    troubled: Cell<bool>,
    jumped: Cell<bool>,
    released: Cell<usize>,
    nodes: Cell<i64>,
    story: RefCell<Vec<String>>,
    wrong: RefCell<Option<Wrong>>,
    me: Weak<World>,
}

impl World {
    /// A house with nothing in it, and what it will go through.
    pub fn of(seed: u64, spoilt: Option<Spoilt>) -> Rc<Self> {
        let (playing, chance, house) = (Playing::begin(spoilt), Chance::of(seed), House::new());
        let mut messages: Vec<_> = (0..CARDS.len())
            .map(|elder| Message::of(format!("first-{elder}"), vec![elder]))
            .collect();
        for number in 0..chance.between((4, 12)) {
            messages.push(Message::of(format!("m-{number}"), vec![chance.below(CARDS.len())]));
        }
        if !chance.once_in(3) {
            let at = CARDS.len() + chance.below(messages.len() - CARDS.len());
            let (one, by) = (chance.below(CARDS.len()), 1 + chance.below(CARDS.len() - 1));
            let about = vec![one, (one + by) % CARDS.len()];
            messages.insert(at, Message::of("joined".to_owned(), about));
        }
        let often = |times| !chance.once_in(times);
        let troubles = Troubles {
            commits: often(3),
            crashes: often(2),
            stands: often(3),
            cuts: often(2),
            jumps: !often(4),
            leaves: often(2),
            haste: [1, 2, 6][chance.below(3)],
            asks: [1, 2, 3][chance.below(3)],
        };
        let judge = RefCell::new(Judge::of(&house));
        let world = Rc::new_cyclic(|me| Self {
            playing,
            chance,
            messages,
            house,
            judge,
            gateways: RefCell::default(),
            tasks: RefCell::default(),
            parcels: RefCell::default(),
            acknowledged: RefCell::default(),
            under_way: RefCell::default(),
            troubles,
            troubled: Cell::new(false),
            jumped: Cell::new(false),
            released: Cell::new(0),
            nodes: Cell::new(0),
            story: RefCell::default(),
            wrong: RefCell::default(),
            me: me.clone(),
        });
        let gateways = world.chance.between((2, 3));
        (0..gateways).for_each(|_| world.start());
        world
    }

    fn myself(&self) -> Rc<Self> {
        self.me.upgrade().unwrap()
    }

    /// Begins a task of a gateway.
    pub fn begin(&self, what: (i64, &'static str, bool), task: impl Future<Output = ()> + 'static) {
        self.tasks.borrow_mut().push(Task::new(what, task));
    }

    /// Another gateway.
    fn start(&self) {
        let node = self.nodes.get() + 1;
        self.nodes.set(node);
        let deaf = self.playing.plays_wrong(super::DEAF);
        let silence = if deaf { Duration::from_secs(1_000_000) } else { SILENCE };
        let rate = EVEN - 10_000 + u32::try_from(self.chance.below(20_001)).unwrap();
        let inmate = self.playing.at_rate(rate, || self.house.open(node, silence));
        let gateway = Gateway::of(inmate, rate);
        self.begin((node, "renew", false), Rc::clone(&gateway).renews());
        self.begin((node, "deliver", false), Rc::clone(&gateway).delivers(self.myself()));
        self.gateways.borrow_mut().push(gateway);
        self.tell(|| format!("{node} starts"));
    }

    pub fn tell(&self, line: impl FnOnce() -> String) {
        let passed = self.playing.passed();
        self.story.borrow_mut().push(format!("{passed:>10.3?} {}", line()));
    }

    fn found(&self, judged: Result<(), Wrong>) {
        if let Err(wrong) = judged {
            self.tell(|| format!("WRONG: {wrong}"));
            self.wrong.borrow_mut().get_or_insert(wrong);
        }
    }

    /// A number that differs where anything went otherwise.
    pub fn digest(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.story.borrow().hash(&mut hasher);
        hasher.finish()
    }

    /// The last lines of it.
    fn lines(&self) -> String {
        let story = self.story.borrow();
        let most = super::number("KANGQIAO_SIM_LINES").unwrap_or(LINES);
        story[story.len().saturating_sub(most)..].join("\n")
    }

    pub fn card(&self, elder: usize) -> &'static str {
        CARDS[elder]
    }

    /// Up to when a gateway must know what was committed, and what it acknowledged of an elder.
    pub fn asked(&self, gateway: &Gateway, elder: usize) -> (Duration, BTreeSet<String>) {
        let known = self.playing.passed().saturating_sub(SILENCE + MORE);
        let acknowledged = self.acknowledged.borrow();
        let own = acknowledged
            .iter()
            .filter(|(node, about, _)| *node == gateway.inmate.node && *about == elder);
        (known, own.map(|(.., text)| text.clone()).collect())
    }

    /// What somebody was told of an elder.
    pub fn answered(
        &self,
        (entry, number): (&str, u64),
        (elder, told): (usize, &[String]),
        (known, acknowledged): (Duration, &BTreeSet<String>),
    ) {
        self.tell(|| format!("{elder} is answered, entry {number}: {told:?}"));
        let judge = self.judge.borrow();
        self.found(judge.entered(entry, number));
        let times = (known, self.playing.passed());
        self.found(judge.answered(elder, told, (times, acknowledged)));
    }

    /// What a sender was told of a message.
    pub fn acknowledged(&self, gateway: &Gateway, at: usize, number: Option<u64>) {
        let (message, node) = (&self.messages[at], gateway.inmate.node);
        self.tell(|| format!("{node} says of {}: {number:?}", message.text));
        let Some(number) = number else { return self.leaves(at) };
        message.state.set(Sent::Kept);
        self.found(self.judge.borrow().acknowledged(&message.text, number));
        let about = message.about.iter().map(|elder| (node, *elder, message.text.clone()));
        self.acknowledged.borrow_mut().extend(about);
    }

    /// A sender is told nothing, and sends it again some time.
    fn leaves(&self, message: usize) {
        let message = &self.messages[message];
        let long = Duration::from_millis(self.chance.between((0, 6_000)));
        message.again.set(self.playing.passed() + long);
        message.state.set(Sent::Not);
    }

    /// Puts a notice on the wire.
    pub fn send(&self, gateway: &Gateway, due: &Due) -> Rc<Parcel> {
        let found = self.judge.borrow().notice(due.number);
        let notice = found.unwrap_or_else(|wrong| {
            self.found(Err(wrong));
            super::judge::Notice { lane: due.lane, other: due.other }
        });
        let node = gateway.inmate.node;
        self.tell(|| format!("{node} tells {} to {:?}", due.number, due.lanes()));
        for other in self.parcels.borrow().iter().filter(|other| other.awaited.get()) {
            // Whoever stands still may believe to tell what another tells by now.
            if !self.jumped.get() && other.notice.meets(notice) && self.believes(other.node) {
                let number = other.number;
                self.found(Err(format!("{} is told while {number} is on its way", due.number)));
            }
        }
        let parcel = Parcel::of(gateway, due, notice);
        self.parcels.borrow_mut().push(Rc::clone(&parcel));
        parcel
    }

    fn believes(&self, node: i64) -> bool {
        let gateways = self.gateways.borrow();
        let found = gateways.iter().find(|gateway| gateway.inmate.node == node);
        found.is_some_and(|gateway| {
            self.playing.at_rate(gateway.rate, || gateway.inmate.believes(JOB)).is_some()
        })
    }
}

/// While a commit is under way everything else goes on, but for other commits: they wait.
impl Meanwhile for World {
    fn before(&self) -> Fate {
        self.meanwhile();
        let fate = match self.troubled.get() && self.troubles.commits {
            true => self.chance.below(12),
            false => 12,
        };
        let fate = match fate {
            0 => Fate::Fails,
            1 => Fate::IsLost,
            _ => Fate::Happens,
        };
        if fate != Fate::Happens {
            self.tell(|| format!("a commit {fate:?}"));
        }
        fate
    }

    fn after(&self) {
        let under_way = self.under_way.borrow().clone().unwrap_or_default();
        let about = |text: &str| {
            let found = self.messages.iter().find(|message| message.text == text);
            found.map(|message| message.about.clone()).unwrap_or_default()
        };
        let by = (under_way.node, &under_way.ends[..]);
        let judged = self.judge.borrow_mut().committed(by, self.playing.passed(), about);
        self.found(judged);
        self.meanwhile();
    }
}

impl World {
    fn meanwhile(&self) {
        for _ in 0..self.chance.below(4) {
            self.step();
        }
    }

    /// Goes on until everything is kept and told; the first thing that is wrong.
    pub fn run(&self) -> Result<(), String> {
        self.enrol();
        self.released.set(CARDS.len());
        self.quietly()?;
        self.released.set(self.messages.len());
        self.troubled.set(true);
        for _ in 0..self.chance.between((200, 700)) {
            self.step();
            self.so_far()?;
        }
        self.troubled.set(false);
        self.tell(|| "all is quiet".to_owned());
        for gateway in self.gateways.borrow().iter() {
            gateway.stands.set(Duration::ZERO);
            gateway.cut.set(Duration::ZERO);
        }
        self.quietly()?;
        self.found(self.judge.borrow().ended());
        self.so_far()
    }

    fn so_far(&self) -> Result<(), String> {
        match &*self.wrong.borrow() {
            Some(wrong) => Err(format!("{wrong}\n{}", self.lines())),
            None => Ok(()),
        }
    }

    fn enrol(&self) {
        let gateway = Rc::clone(&self.gateways.borrow()[0]);
        let changes: Vec<_> = CARDS.iter().map(|card| house::enrolled(card).1).collect();
        self.begin((gateway.inmate.node, "enrol", false), async move {
            while gateway.inmate.store.enrol(PAYMENTS, changes.clone(), 0).await.is_err() {}
        });
        while self.tasks.borrow().iter().any(|task| task.name == "enrol") {
            self.step();
        }
    }

    /// Ends it: what is begun is dropped.
    pub fn end(&self) {
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        tasks.iter().for_each(|task| task.drop_it());
        self.gateways.borrow_mut().clear();
        self.parcels.borrow_mut().clear();
    }

    /// Goes on without trouble until nothing is left to do.
    fn quietly(&self) -> Result<(), String> {
        for _ in 0..20_000 {
            self.step();
            self.so_far()?;
            let sent = &self.messages[..self.released.get()];
            if sent.iter().all(|message| message.state.get() == Sent::Kept)
                && self.parcels.borrow().is_empty()
                && self.judge.borrow().all_is_told()
            {
                return Ok(());
            }
        }
        Err(format!("it never ends\n{}", self.lines()))
    }
}
