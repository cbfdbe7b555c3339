//! The MLLP listener, plain or over TLS: one task a connection, one message at a time.
//!
//! Order is kept by answering a connection's messages in the order they came. What
//! a message means, and what is answered, the closure knows; this file knows bytes,
//! limits and time. A connection that breaks the framing is answered once and
//! closed; the others do not notice.

mod connection;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::places::{Place, Places};
use crate::identity::Certificate;
use crate::vocabulary::{Entrance, Fault, Position, Source};
use connection::Connection;

/// Limits of one MLLP listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Connections open at once; beyond, whoever has been idle longest goes; default 256.
    pub connections_max: usize,
    /// Connections open at once from one address, or one IPv6 network of 64 bits; default half
    /// of all.
    pub connections_per_address_max: Option<usize>,
    /// Bytes of one frame's body; default 1,048,576.
    pub frame_bytes_max: usize,
    /// Bytes of all frames being received or handled, beyond 65,536 of each
    /// connection; default 67,108,864.
    pub buffered_bytes_max: usize,
    /// Milliseconds for a TLS handshake; default 10,000.
    pub handshake_ms_max: u64,
    /// Milliseconds until a new connection's first frame begins; default 60,000.
    pub first_byte_ms_max: u64,
    /// Milliseconds between two frames; default 1,800,000.
    pub idle_ms_max: u64,
    /// Milliseconds from the first byte of a frame to its last; default 30,000.
    pub frame_ms_max: u64,
    /// Milliseconds for writing the answers to one message; default 10,000.
    pub write_ms_max: u64,
    /// Milliseconds a stop waits for messages in hand; default 15,000.
    pub drain_ms_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections_max: 256,
            connections_per_address_max: None,
            frame_bytes_max: 1_048_576,
            buffered_bytes_max: 67_108_864,
            handshake_ms_max: 10_000,
            first_byte_ms_max: 60_000,
            idle_ms_max: 1_800_000,
            frame_ms_max: 30_000,
            write_ms_max: 10_000,
            drain_ms_max: 15_000,
        }
    }
}

/// How a listener speaks TLS.
#[derive(Clone)]
pub struct Tls {
    /// Asked for every connection, so that a reload takes effect at the next one.
    pub acceptor: Arc<dyn Fn() -> std::io::Result<TlsAcceptor> + Send + Sync>,
    /// Reads a client certificate (DER).
    pub certificate: fn(&[u8]) -> Option<Certificate>,
}

/// A bound socket and what is known of whoever connects to it.
pub struct Listener {
    /// The socket, already bound.
    pub socket: TcpListener,
    /// The sender this port belongs to, where it belongs to one.
    pub sender: Option<Source>,
    /// TLS, if spoken.
    pub tls: Option<Tls>,
    /// Limits.
    pub settings: Settings,
}

/// One body and where it came from. `Debug` does not show the body.
#[derive(Clone)]
pub struct Received {
    /// The bytes between start and end block.
    pub body: Bytes,
    /// The client certificate, over TLS.
    pub peer: Option<Certificate>,
    /// The sender the port belongs to.
    pub sender: Option<Source>,
    /// By which way it came in: a message over HTTPS is answered as one over MLLP is.
    pub entrance: Entrance,
    /// The other end.
    pub remote: SocketAddr,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Received({} bytes from {})", self.body.len(), self.remote)
    }
}

/// What a connection brings.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// A whole frame.
    Message(Received),
    /// Messages of a batch that stand next to each other; and what is alike for all groups of that
    /// batch: whether one of its messages could not be kept, so that none behind it may be.
    Group(Vec<Received>, Arc<AtomicBool>),
    /// Something that is none: `received.body` holds its first bytes, so that the
    /// refusal can name the message. The connection closes after the answer.
    Broken {
        /// The first bytes and their origin.
        received: Received,
        /// `malformed` or `limit`.
        fault: Fault,
        /// Where in the body.
        at: Option<Position>,
    },
}

/// Accepts and serves connections until `stop`, then lets the messages in hand finish.
///
/// `answer` gets every arrival and returns the bodies to write back, in order. If it
/// panics, its connection closes unanswered and nothing else happens.
pub async fn serve<A, F>(listener: Listener, answer: A, stop: CancellationToken)
where
    A: Fn(Arrival) -> F + Send + Sync + 'static,
    F: Future<Output = Vec<Vec<u8>>> + Send + 'static,
{
    let answer = Arc::new(answer);
    let Listener { socket, sender, tls, settings } = listener;
    let (most, each) = (settings.connections_max, settings.connections_per_address_max);
    let places = Places::new("mllp", most, each.unwrap_or(most.div_ceil(2)));
    let shared = Arc::new(Shared {
        sender,
        tls,
        buffer: Arc::new(Semaphore::new(settings.buffered_bytes_max.min(Semaphore::MAX_PERMITS))),
        settings,
        stop: stop.clone(),
    });
    let mut tasks = JoinSet::new();
    // Kept from round to round: whoever waits for a place is not forgotten when another ends.
    let mut accepting = Box::pin(accept(&socket, &places, &shared));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = tasks.join_next() => {
                report(&ended);
                continue;
            }
            accepted = &mut accepting => accepted,
        };
        accepting = Box::pin(accept(&socket, &places, &shared));
        let Some((stream, remote, place)) = accepted else { continue };
        let (shared, answer) = (Arc::clone(&shared), Arc::clone(&answer));
        tasks.spawn(async move { open((stream, remote), place, &shared, answer.as_ref()).await });
    }
    drop(accepting);
    drop(socket);
    let drained = async {
        while let Some(ended) = tasks.join_next().await {
            report(&ended);
        }
    };
    if timeout(shared.within(shared.settings.drain_ms_max), drained).await.is_err() {
        tracing::warn!(
            connections.open = tasks.len(),
            "mllp connections cut at the end of draining"
        );
    }
}

/// What all connections of one listener share.
struct Shared {
    sender: Option<Source>,
    tls: Option<Tls>,
    settings: Settings,
    /// One permit a byte.
    buffer: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Shared {
    const fn within(&self, milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }
}

type Accepted = (TcpStream, SocketAddr, Place);

/// The next connection, once there is a place for it.
async fn accept(socket: &TcpListener, places: &Arc<Places>, shared: &Shared) -> Option<Accepted> {
    match socket.accept().await {
        Ok((stream, remote)) => {
            let within = shared.within(shared.settings.handshake_ms_max);
            let place = places.wait(remote.ip(), within).await.ok()?;
            Some((stream, remote, place))
        }
        Err(error) => {
            // Out of descriptors, mostly: wait for some to come back.
            tracing::warn!(error.kind = %error.kind(), "mllp connection not accepted");
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

fn report(ended: &Result<(), JoinError>) {
    if ended.is_err() {
        tracing::error!("handling an mllp connection panicked; the connection is closed");
    }
}

async fn open<A, F>(
    (stream, remote): (TcpStream, SocketAddr),
    place: Place,
    shared: &Shared,
    answer: &A,
) where
    A: Fn(Arrival) -> F,
    F: Future<Output = Vec<Vec<u8>>>,
{
    // Acknowledgements are small and waited for: Nagle's algorithm would hold them back.
    let _ = stream.set_nodelay(true);
    let (sender, entrance) = (shared.sender, Entrance::Mllp);
    let received = |peer| Received { body: Bytes::new(), peer, sender, entrance, remote };
    let Some(tls) = &shared.tls else {
        return Connection::new(stream, received(None), (shared, place)).run(answer).await;
    };
    let Ok(acceptor) = (tls.acceptor)() else {
        tracing::error!("no tls configuration can be had; the connection is closed");
        return;
    };
    let shaking = async {
        stream.readable().await?;
        place.speak();
        acceptor.accept(stream).await
    };
    let leave = place.leave();
    let shaken = tokio::select! {
        () = leave.cancelled() => return,
        shaken = timeout(shared.within(shared.settings.handshake_ms_max), shaking) => shaken,
    };
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        // Who is refused here, and why, only the listener knows: it is said once.
        Ok(Err(error)) => return tracing::warn!(%remote, %error, "mllp tls handshake failed"),
        Err(_) => return tracing::warn!(%remote, "mllp tls handshake took too long"),
    };
    let chain = stream.get_ref().1.peer_certificates();
    let peer = chain.and_then(<[_]>::first).and_then(|first| (tls.certificate)(first));
    Connection::new(stream, received(peer), (shared, place)).run(answer).await;
}

#[cfg(test)]
mod tests;
