//! What goes on next: somebody's next step, time that passes, or trouble.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use super::super::gateway::{Gateway, Parcel};
use super::super::tasks::Task;
use super::super::{DEAF, PRETENDS};
use super::{ANSWER, ASKED_MAX, CARDS, Sent, UnderWay, World};
use crate::outbound::{LineError, Said};

/// What may go on next.
#[derive(Clone, Copy)]
enum Step {
    Arrive,
    Ask,
    Go,
    Listen,
    Pass,
    Send,
    Serve,
    Trouble,
}

impl World {
    /// One thing more.
    pub(super) fn step(&self) {
        let inside = self.under_way.borrow().is_some();
        let troubles = usize::from(self.troubled.get() && !inside);
        let weights = [
            (Step::Go, 12),
            (Step::Serve, if inside { 0 } else { 6 }),
            (Step::Arrive, 4),
            (Step::Listen, 2 + self.troubles.haste),
            (Step::Pass, self.troubles.haste),
            (Step::Send, 2),
            (Step::Ask, self.troubles.asks),
            (Step::Trouble, troubles),
        ];
        let mut at = self.chance.below(weights.iter().map(|(_, weight)| weight).sum());
        for (step, weight) in weights {
            if at < weight {
                return self.take(step);
            }
            at -= weight;
        }
    }

    fn take(&self, step: Step) {
        match step {
            Step::Arrive => self.arrive(),
            Step::Ask => self.ask(),
            Step::Go => self.go_on(),
            Step::Listen => self.listen(),
            Step::Pass => self.pass(),
            Step::Send => self.send_message(),
            Step::Serve => self.serve(),
            Step::Trouble => self.trouble(),
        }
    }

    /// Gateways that do not stand still.
    fn awake(&self) -> Vec<Rc<Gateway>> {
        let passed = self.playing.passed();
        let gateways = self.gateways.borrow();
        gateways.iter().filter(|one| one.stands.get() <= passed).map(Rc::clone).collect()
    }

    fn anyone(&self) -> Option<Rc<Gateway>> {
        self.chance.of_these(&self.awake()).map(Rc::clone)
    }

    fn go_on(&self) {
        let awake = self.awake();
        let of = |task: &Task| awake.iter().find(|one| one.inmate.node == task.node).map(Rc::clone);
        let tasks = self.tasks.borrow();
        let ready = tasks.iter().filter(|task| task.is_ready());
        let ready: Vec<_> =
            ready.filter_map(|task| of(task).map(|gateway| (Rc::clone(task), gateway))).collect();
        drop(tasks);
        let Some((task, gateway)) = self.chance.of_these(&ready) else { return };
        self.tell(|| format!("{} goes on: {}", task.node, task.name));
        self.playing.at_rate(gateway.rate, || task.go_on());
        self.tasks.borrow_mut().retain(|task| !task.has_ended());
    }

    fn serve(&self) {
        let mut busy = self.awake();
        busy.retain(|gateway| gateway.inmate.waiting() > 0);
        let Some(gateway) = self.chance.of_these(&busy) else { return };
        let batch = gateway.inmate.take(1 + self.chance.below(4));
        let node = gateway.inmate.node;
        self.tell(|| format!("{node} writes"));
        *self.under_way.borrow_mut() = Some(UnderWay { node, ends: batch.ends() });
        self.playing.meanwhile(Some(self.myself()));
        self.playing.at_rate(gateway.rate, || gateway.inmate.serve(batch));
        self.playing.meanwhile(None);
        *self.under_way.borrow_mut() = None;
        if self.troubled.get() && self.troubles.leaves && self.chance.once_in(6) {
            self.leave(node);
        }
    }

    /// Whoever waits for something of a gateway goes away.
    fn leave(&self, node: i64) {
        let tasks = self.tasks.borrow();
        let asked = tasks.iter().filter(|task| task.asked && task.node == node);
        let asked: Vec<_> = asked.map(Rc::clone).collect();
        drop(tasks);
        let Some(task) = self.chance.of_these(&asked) else { return };
        self.tell(|| format!("nobody waits for {node}: {}", task.name));
        task.drop_it();
        self.tasks.borrow_mut().retain(|task| !task.has_ended());
    }

    fn listen(&self) {
        let Some(gateway) = self.anyone() else { return };
        let deaf = self.playing.plays_wrong(DEAF);
        let cut = deaf || gateway.cut.get() > self.playing.passed();
        let pretends = self.playing.plays_wrong(PRETENDS);
        self.playing.at_rate(gateway.rate, || match pretends {
            true => gateway.inmate.pretend_to_listen(),
            false => gateway.inmate.listen(cut),
        });
    }

    fn pass(&self) {
        let ms = match self.chance.below(20) {
            0 => self.chance.between((500, 3_000)),
            1..=3 => self.chance.between((100, 500)),
            _ => self.chance.between((1, 100)),
        };
        self.playing.pass(Duration::from_millis(ms));
    }

    fn send_message(&self) {
        let passed = self.playing.passed();
        let waits = |one: &usize| {
            let message = &self.messages[*one];
            message.state.get() == Sent::Not && message.again.get() <= passed
        };
        let waiting: Vec<usize> = (0..self.released.get()).filter(waits).collect();
        let (Some(message), Some(gateway)) = (self.chance.of_these(&waiting), self.anyone()) else {
            return;
        };
        let (message, node) = (*message, gateway.inmate.node);
        self.messages[message].state.set(Sent::OnItsWay);
        self.tell(|| format!("{} is sent to {node}", self.messages[message].text));
        let keeps = gateway.keeps(self.myself(), message);
        self.begin((node, "keep", true), On(self.myself(), Some(message)).until(keeps));
    }

    fn ask(&self) {
        let asked = self.tasks.borrow().iter().filter(|task| task.name == ANSWER).count();
        let may = asked < ASKED_MAX && self.released.get() > CARDS.len();
        let Some(gateway) = self.anyone().filter(|_| may) else { return };
        let (node, elder) = (gateway.inmate.node, self.chance.below(CARDS.len()));
        self.tell(|| format!("{node} is asked about {elder}"));
        self.begin((node, ANSWER, true), gateway.answers(self.myself(), elder));
    }

    fn arrive(&self) {
        let parcels = self.parcels.borrow();
        let Some(parcel) = self.chance.of_these(&parcels).map(Rc::clone) else { return };
        drop(parcels);
        let luck = if self.troubled.get() { self.chance.below(10) } else { 10 };
        let number = parcel.number;
        match (parcel.arrived.get(), luck) {
            (false, 0) => parcel.answer(Err(LineError::Broken)),
            (false, 1) => parcel.answer(Ok(Said::NotNow)),
            (false, _) => {
                parcel.arrived.set(true);
                self.tell(|| format!("{number} arrives"));
                let judged = self.judge.borrow_mut().received(number);
                self.found(judged);
            }
            (true, 0 | 1) => parcel.answer(Err(LineError::Timeout)),
            (true, _) => parcel.answer(Ok(Said::Taken)),
        }
        let over = |parcel: &Parcel| {
            parcel.answered.get() || (!parcel.awaited.get() && parcel.arrived.get())
        };
        self.parcels.borrow_mut().retain(|parcel| !over(parcel));
    }

    fn trouble(&self) {
        let Some(gateway) = self.anyone() else { return };
        let (node, passed) = (gateway.inmate.node, self.playing.passed());
        let long = Duration::from_millis(self.chance.between((200, 14_000)));
        match self.chance.below(5) {
            0 if self.troubles.crashes => {
                self.tell(|| format!("{node} is killed"));
                self.tasks.borrow_mut().retain(|task| {
                    task.node != node || {
                        task.drop_it();
                        false
                    }
                });
                self.gateways.borrow_mut().retain(|one| one.inmate.node != node);
                drop(gateway);
                self.start();
            }
            1 if self.troubles.stands => {
                self.tell(|| format!("{node} stands still for {long:?}"));
                gateway.stands.set(passed + long);
            }
            2 if self.troubles.cuts => {
                self.tell(|| format!("{node} hears nothing for {long:?}"));
                gateway.cut.set(passed + long);
            }
            3 if self.troubles.jumps => {
                self.jumped.set(true);
                self.playing.put_server(i64::try_from(self.chance.between((1, 15_000))).unwrap());
                self.tell(|| "the server's clock jumps".to_owned());
            }
            4 if self.troubles.leaves => self.leave(node),
            _ => (),
        }
    }
}

/// A sender who waits for one message, and sends it again if nobody tells him anything.
struct On(Rc<World>, Option<usize>);

impl On {
    async fn until(mut self, keeps: impl Future<Output = ()>) {
        keeps.await;
        self.1 = None;
    }
}

impl Drop for On {
    fn drop(&mut self) {
        if let Some(message) = self.1 {
            self.0.leaves(message);
        }
    }
}
