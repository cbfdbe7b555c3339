//! The batch routes of the HTTPS door: a long body in, piece by piece, and a long answer out.
//!
//! Knows sizes, times and headers. Neither the body nor the answer is ever whole in memory:
//! who is slow keeps his own connection waiting and nothing else.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use bytes::Bytes;
use futures_util::{StreamExt, future, stream};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::fhir::{evidence, text};
use super::http::{Answered, coded, refuse, respond};
use crate::identity::Certificate;
use crate::policy::Evidence;
use crate::vocabulary::Fault;

/// How much of a body comes in the time of one piece: who sends a byte now and then holds a
/// connection.
const PIECE_BYTES: usize = 65_536;
/// Pieces of a body that wait to be read.
const PIECES_MAX: usize = 4;

/// Limits of batches, `[batch]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Most rows of one. Default 100,000.
    pub rows_max: usize,
    /// Largest body, bytes. Default 32 MiB.
    pub body_bytes_max: usize,
    /// How many a department may have at once. Default 4.
    pub batches_max: usize,
    /// After how many days one ends by itself. Default 7.
    pub keep_days: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rows_max: 100_000, body_bytes_max: 32 << 20, batches_max: 4, keep_days: 7 }
    }
}

/// A piece of a body.
#[derive(Debug)]
pub enum Piece {
    /// Some bytes.
    Bytes(Bytes),
    /// There is no more.
    End,
    /// It broke off, or is too long or too slow.
    Torn(Fault),
}

/// What is asked of everybody in a batch, as the headers say.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What for: `Kangqiao-Purpose`.
    pub purpose: String,
    /// Only these, between commas: `Kangqiao-Elements`.
    pub elements: Option<String>,
    /// What shows that it is due.
    pub evidence: Evidence,
}

/// What somebody wants of batches.
#[derive(Debug)]
pub enum Wish {
    /// A new one.
    Bring {
        /// What is asked.
        terms: Box<Terms>,
        /// Media type of the body.
        media: String,
        /// The rows.
        body: mpsc::Receiver<Piece>,
    },
    /// It is over.
    End(String),
    /// All of his own.
    List,
    /// How one stands, and which rows are refused from a number on.
    Look(String, Option<i64>),
    /// The answers from a row on, in the form of a media type.
    Read(String, Option<i64>, String),
}

/// One request below `/v1/batches`.
#[derive(Debug)]
pub struct Request {
    /// The client's certificate, already verified against our authority.
    pub certificate: Option<Certificate>,
    /// What it wants.
    pub wish: Wish,
}

/// A piece of an answer.
#[derive(Debug)]
pub enum Poured {
    /// Some bytes.
    Bytes(Bytes),
    /// It is whole. Without this it breaks off, and the reader sees so.
    End,
}

/// What goes out.
pub enum Reply {
    /// As it is made: media type, and pieces.
    Poured(&'static str, mpsc::Receiver<Poured>),
    /// All at once.
    Whole(Answered),
}

/// A future of a reply.
pub type Replying = Pin<Box<dyn Future<Output = Reply> + Send>>;
/// What happens behind the batch routes.
pub type Door = Arc<dyn Fn(Request) -> Replying + Send + Sync>;

/// The routes.
pub(super) fn routes(door: &Door, bounds: (usize, Duration)) -> [Resource; 3] {
    let looking = |method: Method, wish: fn(&HttpRequest) -> Wish| {
        let door = Arc::clone(door);
        web::method(method).to(move |request: HttpRequest| {
            let (door, asked) = (Arc::clone(&door), asked(&request, wish(&request)));
            async move { reply(door(asked).await) }
        })
    };
    let bringing = Arc::clone(door);
    let bring = web::post().to(move |request: HttpRequest, payload: web::Payload| {
        bring(Arc::clone(&bringing), request, (payload, bounds))
    });
    [
        web::resource("/v1/batches").route(looking(Method::GET, |_| Wish::List)).route(bring),
        web::resource("/v1/batches/{id}")
            .route(looking(Method::GET, |request| {
                Wish::Look(id(request), number(request, "after"))
            }))
            .route(looking(Method::DELETE, |request| Wish::End(id(request)))),
        web::resource("/v1/batches/{id}/answers").route(looking(Method::GET, |request| {
            let media = text(request.headers(), "accept").unwrap_or_default();
            Wish::Read(id(request), number(request, "from"), media)
        })),
    ]
}

fn asked(request: &HttpRequest, wish: Wish) -> Request {
    Request { certificate: request.conn_data::<Certificate>().cloned(), wish }
}

fn id(request: &HttpRequest) -> String {
    request.match_info().get("id").unwrap_or_default().to_owned()
}

/// The one number a query may hold, 1 if it holds nothing; `None` if it is anything else.
fn number(request: &HttpRequest, name: &str) -> Option<i64> {
    match request.query_string() {
        "" => Some(1),
        query => query.strip_prefix(name)?.strip_prefix('=')?.parse().ok().filter(|n| *n > 0),
    }
}

async fn bring(
    door: Door,
    request: HttpRequest,
    (payload, bounds): (web::Payload, (usize, Duration)),
) -> HttpResponse {
    if coded(&request) {
        return refuse(Fault::UnsupportedMedia.row().http_status, Fault::UnsupportedMedia);
    }
    let headers = request.headers();
    let terms = Terms {
        purpose: text(headers, "kangqiao-purpose").unwrap_or_default(),
        elements: headers
            .contains_key("kangqiao-elements")
            .then(|| text(headers, "kangqiao-elements").unwrap_or_default()),
        evidence: evidence(headers),
    };
    let media = text(headers, "content-type").unwrap_or_default();
    let (pieces, body) = mpsc::channel(PIECES_MAX);
    let wish = Wish::Bring { terms: Box::new(terms), media, body };
    let ((), replied) =
        future::join(pump(payload, pieces, bounds), door(asked(&request, wish))).await;
    reply(replied)
}

/// Hands the body on piece by piece. What nobody reads any more is still taken in: a client
/// that is refused early hears why once it has sent what it had.
async fn pump(
    mut payload: web::Payload,
    pieces: mpsc::Sender<Piece>,
    (limit, within): (usize, Duration),
) {
    let mut left = limit;
    let (mut ends, mut come) = (Instant::now() + within, 0);
    let last = loop {
        match tokio::time::timeout_at(ends, payload.next()).await {
            Err(_) => break Piece::Torn(Fault::Limit),
            Ok(None) => break Piece::End,
            Ok(Some(Err(_))) => break Piece::Torn(Fault::Malformed),
            Ok(Some(Ok(bytes))) => match left.checked_sub(bytes.len()) {
                Some(rest) => {
                    left = rest;
                    come += bytes.len();
                    let _ = pieces.send(Piece::Bytes(bytes)).await;
                    // What the gateway took its time for is not the sender's.
                    if come >= PIECE_BYTES {
                        (ends, come) = (Instant::now() + within, 0);
                    }
                }
                None => break Piece::Torn(Fault::Limit),
            },
        }
    };
    let _ = pieces.send(last).await;
}

fn reply(reply: Reply) -> HttpResponse {
    match reply {
        Reply::Whole(answered) => {
            let torn = answered.status == StatusCode::PAYLOAD_TOO_LARGE.as_u16();
            let mut response = respond(answered);
            if torn {
                response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
            }
            response
        }
        Reply::Poured(media, body) => {
            let pieces = stream::unfold(Some(body), |body| async move {
                let mut body = body?;
                match body.recv().await {
                    Some(Poured::Bytes(bytes)) => Some((Ok(bytes), Some(body))),
                    Some(Poured::End) => None,
                    None => Some((Err(io::ErrorKind::BrokenPipe), None)),
                }
            });
            HttpResponse::Ok()
                .insert_header((header::CONTENT_TYPE, media))
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
                .streaming(pieces.map(|piece| piece.map_err(io::Error::from)))
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body;
    use actix_web::test::TestRequest;

    use super::*;

    /// What of an answer arrives, if all of it does.
    async fn check(pieces: Vec<Poured>, expect: Option<&[u8]>) {
        let (out, taken) = mpsc::channel(4);
        for piece in pieces {
            out.send(piece).await.unwrap();
        }
        drop(out);
        let response = reply(Reply::Poured("text/csv", taken));
        let found = body::to_bytes(response.into_body()).await.ok();
        assert_eq!(found.as_deref(), expect);
    }

    #[actix_web::test]
    async fn an_answer_nobody_ended_breaks_off() {
        let piece = || Poured::Bytes(Bytes::from_static(b"a\n"));
        check(vec![piece(), piece(), Poured::End], Some(b"a\na\n")).await;
        check(vec![Poured::End], Some(b"")).await;
        check(vec![piece()], None).await;
        check(vec![], None).await;
    }

    #[test]
    fn a_query_holds_one_number_or_nothing() {
        for (query, expect) in [
            ("", Some(1)),
            ("?from=7", Some(7)),
            ("?from=0", None),
            ("?from=-1", None),
            ("?from=x", None),
            ("?after=1", None),
            ("?from=1&from=2", None),
        ] {
            let request = TestRequest::with_uri(&format!("/v1/batches/a{query}")).to_http_request();
            assert_eq!(number(&request, "from"), expect, "{query}");
        }
    }
}
