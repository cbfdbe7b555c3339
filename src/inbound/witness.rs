//! The port of a witness: checkpoints in, signatures out, over mutual TLS.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::{App, web};
use bytes::Bytes;

use super::door::{self, Limits, Manner};
use super::http::{Answered, respond};

/// Largest submission, bytes: 63 hashes and a note.
const BODY_BYTES_MAX: usize = 128 * 1024;
/// Connections at once.
const CONNECTIONS_MAX: usize = 256;
/// How long a stop waits for signatures in hand.
const DRAIN_SECONDS_MAX: u64 = 30;

/// What happens behind a route.
pub type Door = Arc<dyn Fn(Bytes) -> Answered + Send + Sync>;

/// The closures behind the routes.
#[derive(Clone)]
pub struct Doors {
    /// `POST /add-checkpoint`
    pub add: Door,
    /// `GET /held`
    pub show: Door,
}

/// Serves until the returned server is stopped.
///
/// # Errors
/// If the listener cannot be used.
pub fn serve(listener: TcpListener, tls: rustls::ServerConfig, doors: Doors) -> io::Result<Server> {
    let app = move || {
        let (add, show) = (Arc::clone(&doors.add), Arc::clone(&doors.show));
        let add = web::post().to(move |body: Bytes| work(Arc::clone(&add), body));
        let show = web::get().to(move || work(Arc::clone(&show), Bytes::new()));
        App::new()
            .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
            .service(web::resource("/add-checkpoint").route(add))
            .service(web::resource("/held").route(show))
    };
    let manner = Manner {
        name: "witness",
        workers: 1,
        connections_max: CONNECTIONS_MAX,
        drain_seconds_max: DRAIN_SECONDS_MAX,
        limits: Limits::default(),
    };
    door::serve(listener, tls, manner, app)
}

/// What writes to a disk does not do so on a thread that serves sockets.
async fn work(door: Door, body: Bytes) -> actix_web::HttpResponse {
    let done = web::block(move || door(body)).await;
    respond(done.unwrap_or_else(|_| Answered {
        status: 503,
        media: "text/plain; charset=utf-8",
        body: Vec::new(),
        entry: None,
    }))
}
