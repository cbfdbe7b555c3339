//! One MLLP connection: read a frame, have it answered, write the answers, again.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::codec::{Decoder, Encoder};
use tokio_util::sync::CancellationToken;

use super::super::places::Place;
use super::{Arrival, Received, Shared};
use crate::vocabulary::{Date, Fault, Position};
use crate::wire::hl7v2::batch::{Batch, Part, is_batch};
use crate::wire::mllp::{Codec, FrameError};

/// How much a connection may buffer without asking.
const FREE_BYTES: usize = 65_536;
/// Room made for each read: a message and more, so that it takes one call.
const READ_BYTES: usize = 8_192;
/// Room made for each read of a batch: some dozens of messages.
const BATCH_READ_BYTES: usize = 65_536;
/// How much of something broken is kept for its refusal.
const HEAD_BYTES: usize = 4_096;
/// How long what a refused peer still sends is read, so that it can read its refusal.
const LINGER_MS_MAX: u64 = 1_000;

pub(super) struct Connection<'a, S> {
    stream: S,
    origin: Received,
    shared: &'a Shared,
    place: Place,
    leave: CancellationToken,
    codec: Codec,
    buffer: BytesMut,
    /// Bytes of a batch that were handed on and are not taken yet.
    apart: usize,
    /// Permits for what is buffered beyond [`FREE_BYTES`].
    held: Option<OwnedSemaphorePermit>,
    begun: bool,
}

enum Next {
    Batch,
    Message(Bytes),
    Broken(Fault, Option<Position>),
    End,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Connection<'a, S> {
    pub fn new(stream: S, origin: Received, (shared, place): (&'a Shared, Place)) -> Self {
        let leave = place.leave();
        let codec = Codec::new(shared.settings.frame_bytes_max);
        let (buffer, apart, held, begun) = (BytesMut::new(), 0, None, false);
        Self { stream, origin, shared, place, leave, codec, buffer, apart, held, begun }
    }

    /// Serves the connection to its end.
    pub async fn run<A, F>(mut self, answer: &A)
    where
        A: Fn(Arrival) -> F,
        F: Future<Output = Vec<Vec<u8>>>,
    {
        loop {
            let next = self.next().await;
            let _occupied = self.place.occupy();
            let (arrival, broken) = match next {
                Next::Message(body) => (Arrival::Message(self.received(body)), false),
                Next::Broken(fault, at) => {
                    let received = self.received(self.head());
                    (Arrival::Broken { received, fault, at }, true)
                }
                Next::Batch if self.batch(answer).await.is_ok() => continue,
                Next::Batch => return self.linger().await,
                Next::End => break,
            };
            let replies = answer(arrival).await;
            self.held = None;
            let within = self.shared.within(self.shared.settings.write_ms_max);
            if !matches!(timeout(within, self.write(replies)).await, Ok(Ok(()))) {
                tracing::warn!(remote = %self.origin.remote, "an mllp answer could not be written");
                return;
            }
            if broken {
                return self.linger().await;
            }
            if self.shared.stop.is_cancelled() {
                break;
            }
        }
        let within = self.shared.within(LINGER_MS_MAX);
        let _ = timeout(within, self.stream.shutdown()).await;
    }

    fn received(&self, body: Bytes) -> Received {
        Received { body, ..self.origin.clone() }
    }

    /// The first bytes of what cannot be framed.
    fn head(&self) -> Bytes {
        let start = usize::from(self.buffer.first() == Some(&0x0B));
        let end = self.buffer.len().min(HEAD_BYTES);
        Bytes::copy_from_slice(self.buffer.get(start..end).unwrap_or_default())
    }

    /// Waits for the next frame. Whatever dribbles in, the time limits are those of
    /// the whole frame and of the whole pause before it.
    async fn next(&mut self) -> Next {
        let settings = &self.shared.settings;
        let pause = if self.begun { settings.idle_ms_max } else { settings.first_byte_ms_max };
        let pause_ends = Instant::now() + self.shared.within(pause);
        let mut frame_ends = None;
        self.begun = true;
        loop {
            if is_batch(self.buffer.get(1..).unwrap_or_default()) {
                return Next::Batch;
            }
            match self.codec.decode(&mut self.buffer) {
                Ok(Some(body)) => return Next::Message(body),
                Ok(None) => (),
                Err(error) => return broken(&error),
            }
            let between = self.buffer.is_empty();
            let frame_time = self.shared.within(settings.frame_ms_max);
            let ends = if between {
                pause_ends
            } else {
                *frame_ends.get_or_insert_with(|| Instant::now() + frame_time)
            };
            self.make_room();
            let read = tokio::select! {
                biased;
                () = self.shared.stop.cancelled(), if between => return Next::End,
                () = self.leave.cancelled() => return Next::End,
                read = timeout_at(ends, self.stream.read_buf(&mut self.buffer)) => read,
            };
            match (read, between) {
                (Err(_) | Ok(Ok(0)), true) | (Ok(Err(_)), _) => return Next::End,
                (Err(_), false) => return Next::Broken(Fault::Limit, self.reached()),
                (Ok(Ok(0)), false) => return Next::Broken(Fault::Malformed, self.reached()),
                (Ok(Ok(_)), true) => self.place.speak(),
                (Ok(Ok(_)), false) => (),
            }
            // Others hold what there is: nothing more is read of this one until they are done, and
            // how long that takes is not its sender's time.
            let waits = Instant::now();
            let paid = tokio::select! {
                () = self.leave.cancelled() => return Next::End,
                paid = pay(self.shared, &mut self.held, (self.buffer.len(), ends)) => paid,
            };
            if let Err(fault) = paid {
                return Next::Broken(fault, self.reached());
            }
            frame_ends = frame_ends.map(|ends| ends + waits.elapsed());
        }
    }

    /// A batch in one frame: messages are taken as soon as they are there, those of one reading
    /// in one commit, and their answers written, so that neither the batch nor its answer is ever
    /// held whole. Whoever sends more than the sockets hold has to read meanwhile.
    ///
    /// Ends in error where the connection cannot be trusted to be in step.
    async fn batch<A, F>(&mut self, answer: &A) -> Result<(), ()>
    where
        A: Fn(Arrival) -> F,
        F: Future<Output = Vec<Vec<u8>>>,
    {
        self.buffer.advance(1);
        let mut batch = Batch::new(self.shared.settings.frame_bytes_max, now());
        let within = self.shared.within(self.shared.settings.frame_ms_max);
        let (mut ended, mut ends) = (false, Instant::now() + within);
        let broken = Arc::new(AtomicBool::new(false));
        self.send(&[0x0B]).await?;
        let outcome = loop {
            match batch.next_part() {
                Ok(Some(Part::Reply(segments))) => self.send(&segments).await?,
                Ok(Some(Part::Messages(bodies))) => {
                    let group = bodies.into_iter().map(|body| self.received(body.into()));
                    let group = Arrival::Group(group.collect(), Arc::clone(&broken));
                    let replies = answer(group).await;
                    batch.answered(replies.len());
                    // What is left came with the last reading.
                    (self.apart, self.held) = (self.apart.min(BATCH_READ_BYTES), None);
                    self.send(&replies.concat()).await?;
                    // Each message of a batch has the time of a frame.
                    ends = Instant::now() + within;
                }
                Ok(None) if ended => break Ok(()),
                Ok(None) => match self.more(&mut batch, ends).await {
                    Ok(end) => ended = end,
                    Err(fault) => break Err((fault, Position::Byte(0))),
                },
                Err(wrong) => break Err(wrong),
            }
        };
        if let Err((fault, at)) = &outcome {
            self.send(&batch.broken(*fault, at)).await?;
        }
        self.send(&[0x1C, b'\r']).await?;
        // The next frame is looked at, and paid for, from its beginning.
        self.codec = Codec::new(self.shared.settings.frame_bytes_max);
        (self.apart, self.held) = (0, None);
        outcome.map_err(|_| ())
    }

    /// Hands on what has come of a batch; whether it was the end of the frame.
    async fn more(&mut self, batch: &mut Batch, ends: Instant) -> Result<bool, Fault> {
        loop {
            let end = self.buffer.iter().position(|byte| *byte == 0x1C);
            match end.map(|at| (at, self.buffer.get(at + 1).copied())) {
                Some((at, Some(b'\r'))) => {
                    self.hand_on(batch, at);
                    self.buffer.advance(2);
                    batch.end();
                    return Ok(true);
                }
                // An end block and nothing yet behind it: what is behind decides.
                Some((0, None)) => (),
                Some((at, None)) => {
                    self.hand_on(batch, at);
                    return Ok(false);
                }
                Some((at, Some(_))) => {
                    self.hand_on(batch, at + 1);
                    return Ok(false);
                }
                None if self.buffer.is_empty() => (),
                None => {
                    self.hand_on(batch, self.buffer.len());
                    return Ok(false);
                }
            }
            self.buffer.reserve(BATCH_READ_BYTES);
            match timeout_at(ends, self.stream.read_buf(&mut self.buffer)).await {
                Ok(Ok(1..)) => (),
                Ok(_) => return Err(Fault::Malformed),
                Err(_) => return Err(Fault::Limit),
            }
            // What the batch holds of a message that is not whole is buffered too.
            let buffered = self.buffer.len() + self.apart;
            pay(self.shared, &mut self.held, (buffered, ends)).await?;
        }
    }

    fn hand_on(&mut self, batch: &mut Batch, bytes: usize) {
        batch.feed(&self.buffer.split_to(bytes));
        self.apart += bytes;
    }

    /// Writes a piece of an answer in time.
    async fn send(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let within = self.shared.within(self.shared.settings.write_ms_max);
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout(within, written).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(()),
        }
    }

    /// Left alone, a full buffer grows by 64 bytes a read.
    fn make_room(&mut self) {
        if self.buffer.capacity() - self.buffer.len() < READ_BYTES / 4 {
            self.buffer.reserve(READ_BYTES);
        }
    }

    /// The byte of the body at which an unfinished frame stands.
    fn reached(&self) -> Option<Position> {
        Some(Position::Byte(self.buffer.len().saturating_sub(1)))
    }

    async fn write(&mut self, replies: Vec<Vec<u8>>) -> io::Result<()> {
        let mut framed = BytesMut::new();
        for reply in &replies {
            self.codec.encode(reply.as_slice(), &mut framed).map_err(io::Error::other)?;
        }
        self.stream.write_all(&framed).await?;
        self.stream.flush().await
    }

    /// Says that nothing follows, and reads on for a moment: closing a socket with
    /// unread bytes resets it, and the refusal would be lost.
    async fn linger(mut self) {
        let drain = async {
            let _ = self.stream.shutdown().await;
            loop {
                self.buffer.clear();
                self.buffer.reserve(HEAD_BYTES);
                if !matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..)) {
                    return;
                }
            }
        };
        let _ = timeout(std::time::Duration::from_millis(LINGER_MS_MAX), drain).await;
    }
}

/// Takes permits for what is buffered beyond the free allowance; waits for them until a time, since
/// others give theirs back. What no allowance would hold need not wait.
async fn pay(
    shared: &Shared,
    held: &mut Option<OwnedSemaphorePermit>,
    (buffered, until): (usize, Instant),
) -> Result<(), Fault> {
    let paid = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let owed = buffered.saturating_sub(FREE_BYTES + paid);
    if owed == 0 {
        return Ok(());
    }
    if buffered > shared.settings.buffered_bytes_max {
        return Err(Fault::Limit);
    }
    // A little ahead, so that a long frame does not ask at every read.
    let ahead = u32::try_from(owed + FREE_BYTES).map_err(|_| Fault::Limit)?;
    let permit = timeout_at(until, Arc::clone(&shared.buffer).acquire_many_owned(ahead)).await;
    let permit = permit.map_err(|_| Fault::Overloaded)?.map_err(|_| Fault::Overloaded)?;
    match held {
        Some(held) => held.merge(permit),
        None => *held = Some(permit),
    }
    Ok(())
}

/// What stands in the headers of an answering batch.
fn now() -> Date {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    Date::from_timestamp(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn broken(error: &FrameError) -> Next {
    let at = match error {
        FrameError::NestedStart(at) | FrameError::TooLong(at) => Some(Position::Byte(*at)),
        FrameError::Io(_) | FrameError::NoStart => Some(Position::Byte(0)),
    };
    Next::Broken(error.fault(), at)
}
