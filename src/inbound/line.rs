//! 连线, one connection of an HTTPS port: bytes, and the times nobody may exceed.
//!
//! Between two requests the whole head of the next one has a time, and so has the pause before
//! it. What is written must be taken: a reader that takes nothing is not waited for. A request
//! that is in hand has times of its own, further in.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::places::Place;
use crate::identity::Certificate;

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// The head of a request, from its first byte.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// Taking nothing of what is written.
    pub write: Duration,
}

/// A connection whose handshake is over.
pub struct Line<S> {
    stream: S,
    place: Arc<Place>,
    /// Whose certificate it showed.
    pub certificate: Option<Certificate>,
    times: Times,
    leave: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Until when the next request must be there.
    waits: Waits,
    /// Until when something must have been taken.
    stalls: Option<Pin<Box<Sleep>>>,
}

/// For the next request.
struct Waits {
    timer: Pin<Box<Sleep>>,
    /// How many requests were over when this wait began.
    after: u64,
    /// Whether its first byte is there.
    begun: bool,
}

impl<S> Line<S> {
    /// Over a stream.
    pub fn new(
        stream: S,
        place: Place,
        (certificate, times): (Option<Certificate>, Times),
    ) -> Self {
        let place = Arc::new(place);
        let leave = Box::pin(place.leave().cancelled_owned());
        let timer = Box::pin(sleep_until(Instant::now() + times.head));
        // Whoever has just connected has nothing to think about.
        let waits = Waits { timer, after: 0, begun: true };
        Self { stream, place, certificate, times, leave, waits, stalls: None }
    }

    /// The place it has.
    pub fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// Whether the time for the next request is over.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let (busy, turns) = self.place.turns();
        if busy {
            return false;
        }
        if turns != self.waits.after {
            self.waits.after = turns;
            self.waits.begun = false;
            self.waits.timer.as_mut().reset(Instant::now() + self.times.idle);
        }
        self.waits.timer.as_mut().poll(cx).is_ready()
    }

    /// Something came.
    fn came(&mut self) {
        let (busy, turns) = self.place.turns();
        if !busy && (turns != self.waits.after || !self.waits.begun) {
            self.waits.after = turns;
            self.waits.begun = true;
            self.waits.timer.as_mut().reset(Instant::now() + self.times.head);
            self.place.speak();
        }
    }

    /// An outcome of writing; an error once nothing was taken for too long.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalls = None;
            return outcome;
        }
        let until = || Box::pin(sleep_until(Instant::now() + self.times.write));
        ready!(self.stalls.get_or_insert_with(until).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        if read.is_ready() && into.filled().len() > before {
            self.came();
            return read;
        }
        if read.is_pending() && (self.leave.as_mut().poll(cx).is_ready() || self.is_late(cx)) {
            // Whoever is in the middle of a head is cut off: its end may be waited for else.
            return Poll::Ready(match self.waits.begun {
                true => Err(io::ErrorKind::TimedOut.into()),
                false => Ok(()),
            });
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.written(cx, outcome)
    }
}
