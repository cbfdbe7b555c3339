//! A wire between two ports that can be cut, frozen, or deaf to what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

/// How the wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It carries.
    Sound,
    /// Nothing goes either way, and neither side is told.
    Frozen,
    /// What is sent arrives; what is answered is lost on its way, and nobody is told.
    HalfOpen,
    /// Every connection ends, and none begins.
    Cut,
}

const MOODS: [Mood; 4] = [Mood::Sound, Mood::Frozen, Mood::HalfOpen, Mood::Cut];
/// How often a connection looks how the wire is.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The wire. Dropped, it is cut.
pub struct Wire {
    /// Where it begins.
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    mood: AtomicU8,
    /// Bytes that arrived at the far end.
    carried: AtomicUsize,
}

impl State {
    fn mood(&self) -> Mood {
        MOODS[usize::from(self.mood.load(Ordering::SeqCst))]
    }
}

impl Wire {
    /// One that leads to a port.
    pub fn to(far: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let watched = Arc::downgrade(&state);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Some(state) = watched.upgrade() else { return };
                if state.mood() == Mood::Cut {
                    continue;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", far)) else { continue };
                // It adds no waiting of its own to small pieces.
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let ends = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let there = Arc::clone(&state);
                std::thread::spawn(move || carry((near, far), (&there, false)));
                std::thread::spawn(move || carry((ends.1, ends.0), (&state, true)));
            }
        });
        Self { port, state }
    }

    /// From now on it is so.
    pub fn is(&self, mood: Mood) {
        let place = MOODS.iter().position(|one| *one == mood).unwrap();
        self.state.mood.store(place as u8, Ordering::SeqCst);
    }

    /// How many bytes arrived at its far end.
    pub fn carried(&self) -> usize {
        self.state.carried.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.is(Mood::Cut);
        // Wakes the thread that waits for connections, so that it sees it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// One direction of one connection, until either side or the wire ends it.
fn carry((mut from, mut to): (TcpStream, TcpStream), (state, back): (&State, bool)) {
    let _ = from.set_read_timeout(Some(LOOK_EVERY));
    let mut piece = [0; 4096];
    loop {
        let read = from.read(&mut piece);
        // What was read after the wire froze waits too.
        while state.mood() == Mood::Frozen {
            std::thread::sleep(LOOK_EVERY);
        }
        match read {
            _ if state.mood() == Mood::Cut => break,
            Ok(0) => break,
            Ok(_) if back && state.mood() == Mood::HalfOpen => (),
            Ok(count) => {
                if to.write_all(&piece[..count]).is_err() {
                    break;
                }
                if !back {
                    state.carried.fetch_add(count, Ordering::SeqCst);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => (),
            Err(_) => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
