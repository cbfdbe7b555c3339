//! The FHIR routes of the HTTPS door: method, path, query, headers and body of a request.
//!
//! Knows headers and sizes. What a request means is decided behind the closure it is given.

use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::{HttpRequest, web};
use bytes::Bytes;

use super::http::Answering;
use crate::identity::Certificate;
use crate::policy::Evidence;
pub use crate::registry::fhir::request::Method;
use crate::vocabulary::Identifier;

/// How many bytes one text of a header may have.
const TEXT_BYTES_MAX: usize = 512;

/// One request below `/fhir`.
pub struct Request {
    /// The client's certificate, already verified against our authority.
    pub certificate: Option<Certificate>,
    /// GET or POST.
    pub method: Method,
    /// What stands behind `/fhir/`, still encoded.
    pub path: String,
    /// What stands behind `?`, still encoded.
    pub query: String,
    /// The address of the door as the client wrote it.
    pub base: String,
    /// What for: `Kangqiao-Purpose`.
    pub purpose: String,
    /// What it brings to show that it is due.
    pub evidence: Evidence,
    /// Media type of the body.
    pub media: String,
    /// The body, within the size limit.
    pub body: Bytes,
}

/// What happens behind the FHIR routes.
pub type Door = Arc<dyn Fn(Request) -> Answering + Send + Sync>;

impl Request {
    /// A request as actix has it. A header that is no short text counts as absent.
    pub(super) fn new(request: &HttpRequest, method: Method, body: Bytes) -> Self {
        let headers = request.headers();
        let host = request.connection_info().host().to_owned();
        let plain = host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        let host = if plain { host.as_str() } else { "localhost" };
        Self {
            certificate: request.conn_data::<Certificate>().cloned(),
            method,
            path: request.match_info().get("path").unwrap_or_default().to_owned(),
            query: request.query_string().to_owned(),
            base: format!("https://{host}/fhir"),
            purpose: text(headers, "kangqiao-purpose").unwrap_or_default(),
            evidence: evidence(headers),
            media: text(headers, "content-type").unwrap_or_default(),
            body,
        }
    }
}

/// The path below `/fhir`, with and without one.
pub(super) fn paths() -> [actix_web::Resource; 2] {
    [web::resource("/fhir"), web::resource("/fhir/{path:.*}")]
}

/// What the headers bring to show that a question is due.
pub(super) fn evidence(headers: &HeaderMap) -> Evidence {
    Evidence {
        asked_by: text(headers, "kangqiao-asked-by").map(|text| Identifier::spelled(&text)),
        asker: text(headers, "kangqiao-asker"),
        call: text(headers, "kangqiao-call"),
        case: text(headers, "kangqiao-case"),
        reason: text(headers, "kangqiao-reason"),
        holder: None,
    }
}

/// A header in UTF-8 (a reason is often Chinese), without control characters.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name).map(HeaderValue::as_bytes)?;
    let text = std::str::from_utf8(text).ok()?.trim();
    let fits = text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control);
    (fits && !text.is_empty()).then(|| text.to_owned())
}

/// Shows method and sizes: an address holds a handle, a query may hold an identifier.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({:?}, <{} bytes>)", self.method, self.body.len())
    }
}
