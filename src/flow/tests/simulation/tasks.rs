//! What a gateway has begun and not ended: futures, gone on with in any order.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use crate::store::tests::stage;

/// Whether something woke a task.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One task of one gateway.
pub struct Task {
    /// By what the server knows whose it is.
    pub node: i64,
    /// What it does.
    pub name: &'static str,
    /// Whether somebody waits for it who may go away.
    pub asked: bool,
    future: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>,
    woken: Arc<Woken>,
    ended: Cell<bool>,
}

impl Task {
    pub fn new(
        (node, name, asked): (i64, &'static str, bool),
        future: impl Future<Output = ()> + 'static,
    ) -> Rc<Self> {
        let future = RefCell::new(Some(Box::pin(future) as Pin<Box<_>>));
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        Rc::new(Self { node, name, asked, future, woken, ended: Cell::new(false) })
    }

    /// Whether it can go on.
    pub fn is_ready(&self) -> bool {
        !self.ended.get() && self.woken.0.load(Ordering::SeqCst)
    }

    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Goes on with it.
    pub fn go_on(&self) {
        // Nobody goes on with what is being gone on with.
        let Some(mut future) = self.future.borrow_mut().take() else { return };
        let waker = Waker::from(Arc::clone(&self.woken));
        let mut over = false;
        // What yields for reasons of its own, such as the housekeeping of the cache, goes on at
        // once: when that is done depends on the clock on the wall.
        while !over && self.woken.0.swap(false, Ordering::SeqCst) {
            over = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            if stage::has_paused() {
                break;
            }
        }
        match over {
            true => self.ended.set(true),
            false if self.ended.get() => (),
            false => *self.future.borrow_mut() = Some(future),
        }
    }

    /// Drops it where it stands.
    pub fn drop_it(&self) {
        self.ended.set(true);
        drop(self.future.borrow_mut().take());
    }
}
