//! The HTTPS door: messages and inquiries over mutual TLS.
//!
//! Knows sockets, sizes and headers. What a body means is decided behind the two
//! closures it is given; it does not know `flow`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::door::{self, Limits, Manner};
use super::{batch, fhir};
use crate::identity::Certificate;
use crate::registry::answer::{RefusalMeta, write_refusal};
use crate::vocabulary::Fault;

/// Where the exchange services stand, one path for each dialect.
const SOAP: &[&str] = &["/soap/hospital", "/soap/regional"];
/// Where a balancer asks, with any certificate of our authority. What it learns, whoever has one
/// learns by asking.
const READY: &str = "/health/ready";
/// Where what everybody may see of the ledger stands.
pub const LEDGER: &str = "/v1/ledger/";
/// How much of each body is free.
const FREE_KIB: usize = 64;
/// What a ledger entry's number stands in.
const ENTRY: &str = "kangqiao-ledger-entry";

/// What came in by this door.
#[derive(Debug)]
pub struct Asked {
    /// The client's certificate, already verified against our authority.
    pub certificate: Option<Certificate>,
    /// Path of the route, such as `/soap/regional`, or what it names.
    pub path: String,
    /// How the client names this server.
    pub host: Option<String>,
    /// What its sender says the body is, if it is text.
    pub media: Option<String>,
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
    /// `GET /v1/messages/…`: what became of the sender's own; the path is the control id.
    pub told: Door,
    /// `POST /v1/inquiries`
    pub answer: Door,
    /// `/fhir`, reading and bringing.
    pub fhir: fhir::Door,
    /// `POST /soap/hospital`, `POST /soap/regional`
    pub call: Door,
    /// `POST /v1/subscriptions`
    pub subscribe: Door,
    /// `POST /v1/statistics`
    pub count: Door,
    /// `/v1/batches`, bringing and reading.
    pub batches: batch::Door,
    /// `GET /v1/ledger/…`: checkpoint, tiles, proofs.
    pub ledger: Door,
    /// `GET /soap/…`: the description of the interface.
    pub describe: Door,
    /// `GET /health/ready`, for a balancer before several gateways.
    pub ready: Door,
    /// After how many seconds whoever is turned away now does well to come again.
    pub again: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// A trivial answer of the same server, which benchmarks compare with; none in production.
    pub echo: Option<Door>,
}

/// Bounds of this port.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Largest body, bytes.
    pub body_bytes_max: usize,
    /// Memory for all bodies at once, bytes, beyond the first [`FREE_KIB`] of each: else every
    /// connection could have one of the largest size in hand.
    pub buffered_bytes_max: usize,
    /// Largest body of a batch, bytes.
    pub batch_bytes_max: usize,
    /// Connections at once.
    pub connections_max: usize,
    /// How long a stop waits for answers in hand, seconds.
    pub drain_seconds_max: u64,
    /// Of each connection.
    pub limits: Limits,
}

/// What bounds one body.
#[derive(Clone)]
struct Bound {
    /// Bytes.
    limit: usize,
    /// From its first byte to its last: who dribbles holds a connection.
    within: Duration,
    /// For all bodies together, KiB.
    room: Arc<Semaphore>,
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
    let limit = bounds.body_bytes_max;
    // One body of the largest size must fit.
    let all = (bounds.buffered_bytes_max / 1024).clamp(limit / 1024 + 1, Semaphore::MAX_PERMITS);
    let within = Duration::from_millis(bounds.limits.body_ms_max);
    let bound = Bound { limit, within, room: Arc::new(Semaphore::new(all)) };
    let manner = Manner {
        name: "https",
        workers: std::thread::available_parallelism().map_or(2, usize::from),
        connections_max: bounds.connections_max,
        drain_seconds_max: bounds.drain_seconds_max,
        limits: bounds.limits,
    };
    let app = move || {
        let room = || bound.clone();
        let again = Arc::clone(&doors.again);
        let app = App::new().wrap(from_fn(move |request, next| {
            let again = Arc::clone(&again);
            async move { later(request, next, again).await }
        }));
        let mut app = app
            .service(post("/v1/messages", &doors.push, room()))
            .service(post("/v1/inquiries", &doors.answer, room()))
            .service(post("/v1/subscriptions", &doors.subscribe, room()))
            .service(post("/v1/statistics", &doors.count, room()));
        app = app.service(
            web::resource("/v1/messages/{control_id:.+}").route(named(&doors.told, room())),
        );
        let ledger = door(&doors.ledger, room()).method(Method::GET);
        app = app.service(web::resource(format!("{LEDGER}{{of:.*}}")).route(ledger));
        let ready = door(&doors.ready, room()).method(Method::GET);
        app = app.service(web::resource(READY).route(ready));
        for path in SOAP {
            let described = door(&doors.describe, room()).method(Method::GET);
            let called = door(&doors.call, room()).method(Method::POST);
            app = app.service(web::resource(*path).route(described).route(called));
        }
        for path in batch::routes(&doors.batches, (bounds.batch_bytes_max, within)) {
            app = app.service(path);
        }
        for path in fhir::paths() {
            let read = fhir_door((&doors.fhir, fhir::Method::Get), room());
            let brought = fhir_door((&doors.fhir, fhir::Method::Post), room());
            app = app.service(path.route(read).route(brought));
        }
        if let Some(echo) = &doors.echo {
            app = app.service(post("/v1/echo", echo, room()));
        }
        app
    };
    door::serve(listener, tls, manner, app)
}

/// Tells whoever is turned away when to come again. What is in the ledger was not turned away:
/// it says for itself what helps.
async fn later(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
    again: Arc<dyn Fn() -> u64 + Send + Sync>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let mut response = next.call(request).await?;
    let turned = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE]
        .contains(&response.status());
    let headers = response.headers_mut();
    if turned && !headers.contains_key(ENTRY) && !headers.contains_key(header::RETRY_AFTER) {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from(again()));
    }
    Ok(response)
}

fn post(path: &str, behind: &Door, bounds: Bound) -> actix_web::Resource {
    web::resource(path).route(door(behind, bounds).method(Method::POST))
}

/// The route to a door, of any method.
fn door(door: &Door, bounds: Bound) -> actix_web::Route {
    let door = Arc::clone(door);
    web::route().to(move |request: HttpRequest, payload: web::Payload| {
        let path = request.path().to_owned();
        through(Arc::clone(&door), path, (request, payload), bounds.clone())
    })
}

/// The route to a door that is told what the path names, as it was before it was escaped.
fn named(door: &Door, bounds: Bound) -> actix_web::Route {
    let door = Arc::clone(door);
    web::get().to(move |request: HttpRequest, name: web::Path<String>, payload: web::Payload| {
        through(Arc::clone(&door), name.into_inner(), (request, payload), bounds.clone())
    })
}

async fn through(
    door: Door,
    path: String,
    (request, payload): (HttpRequest, web::Payload),
    bounds: Bound,
) -> HttpResponse {
    let certificate = request.conn_data::<Certificate>().cloned();
    // An address is missing only where the connection is already gone.
    let remote = request.peer_addr().unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
    let media = text(&request, &header::CONTENT_TYPE);
    let host = text(&request, &header::HOST);
    let asked = |body| Asked { certificate, path, host, media, body, remote };
    bounded(&request, payload, bounds, |body| door(asked(body))).await
}

fn fhir_door((door, method): (&fhir::Door, fhir::Method), bounds: Bound) -> actix_web::Route {
    let door = Arc::clone(door);
    let route = match method {
        fhir::Method::Get => web::get(),
        fhir::Method::Post => web::post(),
    };
    route.to(move |request: HttpRequest, payload: web::Payload| {
        let (door, bounds) = (Arc::clone(&door), bounds.clone());
        async move {
            let asked = |body| fhir::Request::new(&request, method, body);
            bounded(&request, payload, bounds, |body| door(asked(body))).await
        }
    })
}

/// Collects the body within its bounds, and answers it.
async fn bounded(
    request: &HttpRequest,
    payload: web::Payload,
    Bound { limit, within, room }: Bound,
    answer: impl FnOnce(Bytes) -> Answering,
) -> HttpResponse {
    if coded(request) {
        return refuse(Fault::UnsupportedMedia.row().http_status, Fault::UnsupportedMedia);
    }
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    // A GET announces nothing and brings nothing.
    let announced = announced.or((request.method() == Method::GET).then_some(0));
    // Held until the answer is there.
    let _place = match reserve(&room, announced, limit) {
        Ok(place) => place,
        Err(status) => return refuse(status.as_u16(), meant(status)),
    };
    match collect(payload, limit, within).await {
        Ok(body) => respond(answer(body).await),
        Err(status) => refuse(status.as_u16(), meant(status)),
    }
}

/// Whether a body is compressed. None is unpacked: a kilobyte can be a gigabyte.
pub(super) fn coded(request: &HttpRequest) -> bool {
    let codings = request.headers().get_all(header::CONTENT_ENCODING);
    codings.into_iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The fault by which a body that is not taken is named.
fn meant(status: StatusCode) -> Fault {
    match status {
        StatusCode::BAD_REQUEST => Fault::Malformed,
        StatusCode::SERVICE_UNAVAILABLE => Fault::Overloaded,
        _ => Fault::Limit,
    }
}

/// A header, if it is there and text.
fn text(request: &HttpRequest, name: &header::HeaderName) -> Option<String> {
    request.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// What is still on its way is not waited for, and nothing of it was looked at.
pub(super) fn refuse(status: u16, fault: Fault) -> HttpResponse {
    let meta = RefusalMeta { fault, at: None, rule: None, receipt: None, remedy: None };
    let (media, body) = ("application/json", write_refusal(&meta));
    let mut response = respond(Answered { status, media, body, entry: None });
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}

/// Room for a body of the size announced, or of any where none is; `None` if it is free.
fn reserve(
    room: &Arc<Semaphore>,
    announced: Option<u64>,
    limit: usize,
) -> Result<Option<OwnedSemaphorePermit>, StatusCode> {
    let bytes = announced.map_or(Ok(limit), usize::try_from);
    let bytes = bytes.ok().filter(|bytes| *bytes <= limit).ok_or(StatusCode::PAYLOAD_TOO_LARGE)?;
    let owed = (bytes / 1024 + 1).saturating_sub(FREE_KIB);
    if owed == 0 {
        return Ok(None);
    }
    let owed = u32::try_from(owed).map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let place = Arc::clone(room).try_acquire_many_owned(owed);
    place.map(Some).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

/// The whole body, or with which status it is refused: too long, too slow, or torn.
async fn collect(
    payload: web::Payload,
    limit: usize,
    within: Duration,
) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(within, payload.to_bytes_limited(limit)).await {
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Ok(body)) => body.map_err(|_| StatusCode::BAD_REQUEST),
    }
}

pub(super) fn respond(answered: Answered) -> HttpResponse {
    let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, answered.media))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if let Some((number, checkpoint)) = answered.entry {
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, "5"));
        }
        response
            .insert_header((ENTRY, number.to_string()))
            .insert_header(("kangqiao-checkpoint", checkpoint));
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
    async fn check((pieces, ends): (Pieces, bool), expect: Result<&'static [u8], StatusCode>) {
        let sent = stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from_static(piece))));
        let sent =
            if ends { sent.boxed_local() } else { sent.chain(stream::pending()).boxed_local() };
        let mut payload = Payload::Stream { payload: sent };
        let request = TestRequest::post().to_http_request();
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        let found = collect(payload, 8, Duration::from_millis(5)).await;
        assert_eq!(found, expect.map(Bytes::from_static));
    }

    #[actix_web::test]
    async fn a_body_is_read_whole_in_time_and_within_its_size() {
        check((vec![b"MSH", b"|"], true), Ok(b"MSH|")).await;
        check((vec![], true), Ok(b"")).await;
        check((vec![b"MSH"], false), Err(StatusCode::REQUEST_TIMEOUT)).await;
        check((vec![b"12345", b"6789"], true), Err(StatusCode::PAYLOAD_TOO_LARGE)).await;
    }

    #[test]
    fn all_bodies_together_have_a_limit() {
        let room = Arc::new(Semaphore::new(1_000));
        let take = |announced| reserve(&room, announced, 900 * 1024);
        let long = Some(StatusCode::PAYLOAD_TOO_LARGE);
        for announced in [900 * 1024 + 1, u64::MAX] {
            assert_eq!(take(Some(announced)).err(), long);
        }
        // Without a length it may be the longest.
        let first = take(None).unwrap();
        assert_eq!(take(Some(500 * 1024)).err(), Some(StatusCode::SERVICE_UNAVAILABLE));
        assert!(take(Some(10 * 1024)).unwrap().is_none(), "a small one is always read");
        drop(first);
        assert!(take(Some(500 * 1024)).unwrap().is_some());
    }
}
