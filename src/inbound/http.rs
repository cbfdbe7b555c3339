//! The HTTPS door: messages and inquiries over mutual TLS.
//!
//! Knows sockets, sizes and headers. What a body means is decided behind the two
//! closures it is given; it does not know `flow`.

use std::any::Any;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Extensions, Server};
use actix_web::http::{StatusCode, header};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;

use super::tls;
use crate::identity::Certificate;

/// How long a body may take from its first byte to its last: who dribbles holds a connection.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// What came in by this door.
#[derive(Debug)]
pub struct Asked {
    /// The client's certificate, already verified against our authority.
    pub certificate: Option<Certificate>,
    /// The body, within the size limit.
    pub body: Bytes,
    /// The other end.
    pub remote: SocketAddr,
}

/// What goes out by this door.
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// Media type of the body.
    pub media: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// Where the ledger says so: number of the entry, and the signed checkpoint that covers it.
    pub entry: Option<(u64, String)>,
}

/// A future of an answer.
pub type Answering = Pin<Box<dyn Future<Output = Answered> + Send>>;
/// What happens behind one route.
pub type Door = Arc<dyn Fn(Asked) -> Answering + Send + Sync>;

/// The closures behind the routes.
#[derive(Clone)]
pub struct Doors {
    /// `POST /v1/messages`
    pub push: Door,
    /// `POST /v1/inquiries`
    pub answer: Door,
    /// A trivial answer of the same server, which benchmarks compare with; none in production.
    pub echo: Option<Door>,
}

/// Bounds of this port.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Largest body, bytes.
    pub body_bytes_max: usize,
    /// Connections at once.
    pub connections_max: usize,
    /// How long a stop waits for answers in hand, seconds.
    pub drain_seconds_max: u64,
}

/// Serves until the returned server is stopped.
///
/// # Errors
/// If the listener cannot be used.
pub fn serve(
    listener: TcpListener,
    tls: rustls::ServerConfig,
    bounds: Bounds,
    doors: Doors,
) -> io::Result<Server> {
    let app = move || {
        let limit = bounds.body_bytes_max;
        let mut app = App::new()
            .route("/v1/messages", door(&doors.push, limit))
            .route("/v1/inquiries", door(&doors.answer, limit));
        if let Some(echo) = &doors.echo {
            app = app.route("/v1/echo", door(echo, limit));
        }
        app
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    // `on_connect` stands before `listen`, or client certificates would silently be absent.
    let server = HttpServer::new(app)
        .on_connect(remember)
        .workers(workers)
        // actix counts the connections of each worker by themselves.
        .max_connections((bounds.connections_max / workers).max(1))
        .client_request_timeout(Duration::from_secs(10))
        .keep_alive(Duration::from_secs(75))
        .tcp_nodelay(true)
        .shutdown_timeout(bounds.drain_seconds_max)
        .disable_signals()
        .listen_rustls_0_23(listener, tls)?;
    Ok(server.run())
}

/// Keeps the client's certificate with its connection.
fn remember(connection: &dyn Any, extensions: &mut Extensions) {
    if let Some(certificate) = tls::peer_of(connection) {
        extensions.insert(certificate);
    }
}

fn door(door: &Door, limit: usize) -> actix_web::Route {
    let door = Arc::clone(door);
    web::post().to(move |request: HttpRequest, payload: web::Payload| {
        let certificate = request.conn_data::<Certificate>().cloned();
        // An address is missing only where the connection is already gone.
        let remote = request.peer_addr().unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let door = Arc::clone(&door);
        async move {
            match collect(payload, (announced, limit), BODY_TIME_MAX).await {
                Ok(body) => respond(door(Asked { certificate, body, remote }).await),
                // What is still on its way is not waited for.
                Err(status) => HttpResponse::build(status).force_close().finish(),
            }
        }
    })
}

/// The whole body, or with which status it is refused: too long, too slow, or torn.
async fn collect(
    payload: web::Payload,
    (announced, limit): (Option<u64>, usize),
    within: Duration,
) -> Result<Bytes, StatusCode> {
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |n| n > limit)) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    match tokio::time::timeout(within, payload.to_bytes_limited(limit)).await {
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Ok(body)) => body.map_err(|_| StatusCode::BAD_REQUEST),
    }
}

fn respond(answered: Answered) -> HttpResponse {
    let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, answered.media))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if let Some((number, checkpoint)) = answered.entry {
        response
            .insert_header(("kangqiao-ledger-entry", number.to_string()))
            .insert_header(("kangqiao-checkpoint", checkpoint));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((header::RETRY_AFTER, "5"));
    }
    response.body(answered.body)
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest;
    use actix_web::dev::Payload;
    use actix_web::test::TestRequest;
    use futures_util::{StreamExt, stream};

    use super::*;

    type Pieces = Vec<&'static [u8]>;

    /// A body of 8 bytes at most, which `ends` or is never finished.
    async fn check(
        (pieces, ends): (Pieces, bool),
        announced: Option<u64>,
        expect: Result<&'static [u8], StatusCode>,
    ) {
        let sent = stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from_static(piece))));
        let sent =
            if ends { sent.boxed_local() } else { sent.chain(stream::pending()).boxed_local() };
        let mut payload = Payload::Stream { payload: sent };
        let request = TestRequest::post().to_http_request();
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        let found = collect(payload, (announced, 8), Duration::from_millis(5)).await;
        assert_eq!(found, expect.map(Bytes::from_static));
    }

    #[actix_web::test]
    async fn a_body_is_read_whole_in_time_and_within_its_size() {
        check((vec![b"MSH", b"|"], true), Some(4), Ok(b"MSH|")).await;
        check((vec![], true), None, Ok(b"")).await;
        check((vec![b"MSH"], false), Some(8), Err(StatusCode::REQUEST_TIMEOUT)).await;
        let long = StatusCode::PAYLOAD_TOO_LARGE;
        check((vec![b"12345", b"6789"], true), None, Err(long)).await;
        check((vec![], false), Some(9), Err(long)).await;
        check((vec![], false), Some(u64::MAX), Err(long)).await;
    }
}
