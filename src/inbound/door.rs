//! 门, a port that speaks HTTPS: connections are let in, each with its place and its times, and
//! requests handed on. HTTP/1.1 alone: one connection has one request in hand, so that whatever
//! bounds connections bounds requests, and there is no stream to be reset.
//!
//! Knows no routes.

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::{HttpService, Request};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, apply_fn_factory, map_config};
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::fn_service;
use actix_web::dev::{AppConfig, Extensions, Server, Service, ServiceFactory, ServiceResponse};
use bytes::Bytes;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::line::{Line, Times};
use super::places::{Occupied, Place, Places};
use super::tls;
use crate::identity::Certificate;

/// Connections that may be taken from the system and wait for a place.
const WAITING_MAX: usize = 64;

/// Limits of a port that speaks HTTPS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections open at once from one address, or one IPv6 network of 64 bits; default half
    /// of all.
    pub connections_per_address_max: Option<usize>,
    /// Milliseconds for a TLS handshake, and for a place if none is free; default 10,000.
    pub handshake_ms_max: u64,
    /// Milliseconds for the head of a request; default 10,000.
    pub head_ms_max: u64,
    /// Milliseconds for a body of 65,536 bytes, and for as many more of a batch; default 30,000.
    pub body_ms_max: u64,
    /// Milliseconds in which a reader takes nothing of what is written to it; default 60,000.
    pub write_ms_max: u64,
    /// Milliseconds between two requests; default 75,000.
    pub idle_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_address_max: None,
            handshake_ms_max: 10_000,
            head_ms_max: 10_000,
            body_ms_max: 30_000,
            write_ms_max: 60_000,
            idle_ms_max: 75_000,
        }
    }
}

/// How a port is run.
#[derive(Debug, Clone)]
pub struct Manner {
    /// In metrics.
    pub name: &'static str,
    /// Threads.
    pub workers: usize,
    /// Connections at once.
    pub connections_max: usize,
    /// How long a stop waits for answers in hand, seconds.
    pub drain_seconds_max: u64,
    /// Of each connection.
    pub limits: Limits,
}

impl Manner {
    fn times(&self) -> Times {
        let Limits { head_ms_max, idle_ms_max, write_ms_max, .. } = self.limits;
        let [head, idle, write] =
            [head_ms_max, idle_ms_max, write_ms_max].map(Duration::from_millis);
        Times { head, idle, write }
    }

    fn places(&self) -> Arc<Places> {
        let half = self.connections_max.div_ceil(2);
        let each = self.limits.connections_per_address_max.unwrap_or(half);
        Places::new(self.name, self.connections_max, each)
    }
}

/// Serves what `app` makes until the returned server is stopped.
///
/// # Errors
/// If the listener cannot be used.
pub fn serve<F, I, S, B>(
    listener: TcpListener,
    mut tls: rustls::ServerConfig,
    manner: Manner,
    app: F,
) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
        > + 'static,
    S::InitError: fmt::Debug,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (acceptor, places, times) =
        (TlsAcceptor::from(Arc::new(tls)), manner.places(), manner.times());
    let handshake = Duration::from_millis(manner.limits.handshake_ms_max);
    let builder = Server::build()
        .workers(manner.workers)
        // Counted for each thread by itself; the places are counted for all.
        .max_concurrent_connections((manner.connections_max + WAITING_MAX).div_ceil(manner.workers))
        .shutdown_timeout(manner.drain_seconds_max)
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen(manner.name, listener, move || {
        let app = map_config(app(), |()| AppConfig::default());
        let app = apply_fn_factory(app, |request: Request, app: &S::Service| {
            let occupied = request.conn_data::<Arc<Place>>().map(|place| place.occupy());
            let answering = app.call(request);
            async move {
                let held = |_: &mut _, body| Held { body: Box::pin(body), _occupied: occupied };
                Ok(answering.await?.map_body(held))
            }
        });
        let app = app.map_err(|error: actix_web::Error| error.error_response());
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(times.idle)
            .client_request_timeout(times.head)
            // Whoever is refused while it still sends is not reset before it has read why.
            .client_disconnect_timeout(times.head)
            .on_connect_ext(remember)
            .h1(app)
            .map_err(drop);
        let (acceptor, places) = (acceptor.clone(), Arc::clone(&places));
        fn_service(move |socket: TcpStream| {
            let (acceptor, places) = (acceptor.clone(), Arc::clone(&places));
            async move {
                let peer = socket.peer_addr().map_err(drop)?;
                let place = places.wait(peer.ip(), handshake).await.map_err(drop)?;
                let line = shake((socket, acceptor), place, (handshake, times)).await;
                line.map(|line| (line, Some(peer))).ok_or(())
            }
        })
        .and_then(http)
    })?;
    Ok(builder.run())
}

/// The handshake, unless it fails, takes too long, or its place is needed.
async fn shake(
    (socket, acceptor): (TcpStream, TlsAcceptor),
    place: Place,
    (within, times): (Duration, Times),
) -> Option<Line<TlsStream<TcpStream>>> {
    // Answers are waited for: Nagle's algorithm would hold them back.
    let _ = socket.set_nodelay(true);
    let leave = place.leave();
    let shaking = async {
        socket.readable().await?;
        place.speak();
        acceptor.accept(socket).await
    };
    let shaken = tokio::select! {
        () = leave.cancelled() => return None,
        shaken = timeout(within, shaking) => shaken,
    };
    let stream = shaken.ok()?.ok()?;
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(<[_]>::first).and_then(|first| tls::certificate(first));
    Some(Line::new(stream, place, (certificate, times)))
}

/// Keeps the client's certificate and the place with the connection.
fn remember(line: &Line<TlsStream<TcpStream>>, extensions: &mut Extensions) {
    extensions.insert(Arc::clone(line.place()));
    if let Some(certificate) = &line.certificate {
        extensions.insert(Certificate::clone(certificate));
    }
}

/// A body that is still being sent.
struct Held<B> {
    body: Pin<Box<B>>,
    _occupied: Option<Occupied>,
}

impl<B: MessageBody> MessageBody for Held<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_mut().poll_next(cx)
    }
}
