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
        let mut app = App::new()
            .app_data(web::PayloadConfig::new(bounds.body_bytes_max))
            .route("/v1/messages", door(&doors.push))
            .route("/v1/inquiries", door(&doors.answer));
        if let Some(echo) = &doors.echo {
            app = app.route("/v1/echo", door(echo));
        }
        app
    };
    // `on_connect` stands before `listen`, or client certificates would silently be absent.
    let server = HttpServer::new(app)
        .on_connect(remember)
        .workers(std::thread::available_parallelism().map_or(2, usize::from))
        .max_connections(bounds.connections_max)
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

fn door(door: &Door) -> actix_web::Route {
    let door = Arc::clone(door);
    web::post().to(move |request: HttpRequest, body: Bytes| {
        let certificate = request.conn_data::<Certificate>().cloned();
        // An address is missing only where the connection is already gone.
        let remote = request.peer_addr().unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
        let answering = door(Asked { certificate, body, remote });
        async move { respond(answering.await) }
    })
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
