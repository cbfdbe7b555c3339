//! What every request passes: headers out, cookies in, and who is asking.

use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr};

use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::Deserialize;

use super::Console;
use super::access::Area;
use super::pages::{Frame, MessagePage, Signed, show};
use super::session::{self, Came, Session};
use super::text::policies::PolicyText;
use super::text::review::ReviewText;
use super::text::{Lang, Text};
use super::view::Asker;
use crate::vocabulary::Fault;

/// The prefix makes browsers insist on `Secure`, `Path=/` and no `Domain` (RFC 6265bis 4.1.3).
pub(super) const SESSION: &str = "__Host-kangqiao-session";
pub(super) const DOOR: &str = "__Host-kangqiao-door";
/// Of a browser that is away at the provider.
pub(super) const PROVIDER: &str = "__Host-kangqiao-provider";
const LANGUAGE: &str = "__Host-kangqiao-language";

/// Nothing is loaded but our own style and icon; nothing runs; nothing frames us.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// On a page that brings itself anew, our own scripts run and ask us; nothing is evaluated.
const LIVE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
    script-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

static HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (header::PERMISSIONS_POLICY, "camera=(), geolocation=(), microphone=()"),
];

/// What a page that is shown again says of what was just done.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SaidQuery {
    pub(super) said: Option<String>,
}

/// Why a page is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// The gateway cannot say now.
    Fault(Fault),
    /// The role may not see it.
    Forbidden,
    /// A form without the token of its session.
    Form,
    /// Nothing there.
    NotFound,
    /// A decision that changed nothing, and why.
    Unchanged(&'static str),
    /// Nobody is signed in.
    SignIn,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// One request: in which language, from where, and by whom.
pub(super) struct Visit {
    pub(super) console: Console,
    pub(super) t: &'static Text,
    pub(super) address: IpAddr,
    pub(super) session_cookie: Option<String>,
    pub(super) door_cookie: Option<String>,
    pub(super) provider_cookie: Option<String>,
    session: Option<Session>,
    came: Came,
    here: String,
}

impl FromRequest for Visit {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let console = request.app_data::<Console>();
        let missing = || actix_web::error::ErrorInternalServerError("");
        ready(console.map(|console| Self::read(console, request)).ok_or_else(missing))
    }
}

impl Visit {
    fn read(console: &Console, request: &HttpRequest) -> Self {
        let cookie = |name| request.cookie(name).map(|cookie| cookie.value().to_owned());
        let chosen = chosen(request.query_string());
        let kept = cookie(LANGUAGE).and_then(|code| Lang::parse(&code));
        let session_cookie = cookie(SESSION);
        let came = came(request.headers());
        let session = session_cookie.as_deref().and_then(|cookie| console.session(cookie, came));
        Self {
            console: console.clone(),
            t: chosen.or(kept).unwrap_or_default().text(),
            address: request
                .peer_addr()
                .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip()),
            session_cookie,
            door_cookie: cookie(DOOR),
            provider_cookie: cookie(PROVIDER),
            session,
            came,
            here: here(request),
        }
    }

    /// Whoever is signed in, if the role may see the area.
    pub(super) fn asker(&self, area: Area) -> Result<Asker, Problem> {
        let session = self.session.as_ref().ok_or(Problem::SignIn)?;
        if !session.roles.may_see(area) {
            return Err(Problem::Forbidden);
        }
        Ok(Asker { user: session.user.clone(), roles: session.roles })
    }

    pub(super) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// What ties a form to this browser before anybody is signed in: the same cookie for every
    /// tab, or the form of an earlier one would be refused.
    pub(super) fn door(&self) -> Result<String, Problem> {
        let kept = self.door_cookie.clone().filter(|door| door.len() == session::RANDOM_CHARS);
        kept.map_or_else(session::random, Ok).map_err(|_| Fault::Unavailable.into())
    }

    /// Refuses a form that was not made for this session.
    pub(super) fn own_form(&self, token: &str) -> Result<(), Problem> {
        let session = self.session.as_ref().ok_or(Problem::SignIn)?;
        verify_slices_are_equal(session.form_token.as_bytes(), token.as_bytes())
            .map_err(|_| Problem::Form)
    }

    pub(super) fn frame(&self, area: Option<Area>) -> Frame {
        let signed = |session: &Session| Signed {
            name: session.user.clone(),
            roles: session.roles,
            form_token: session.form_token.clone(),
        };
        Frame {
            t: self.t,
            p: PolicyText::of(self.t.lang),
            r: ReviewText::of(self.t.lang),
            here: self.here.clone(),
            user: self.session.as_ref().map(signed),
            area,
            offset: self.console.offset(),
            assets: super::assets::version(),
        }
    }

    /// The page, or why there is none.
    pub(super) fn answer(&self, page: Result<HttpResponse, Problem>) -> HttpResponse {
        let (status, message) = match page {
            Ok(response) => return response,
            // A script follows an answer that leads elsewhere, and would put that into the page.
            Err(Problem::SignIn) if self.came == Came::ByItself => {
                let there = ("hx-redirect", "/sign-in");
                return HttpResponse::Unauthorized().insert_header(there).finish();
            }
            Err(Problem::SignIn) => return see("/sign-in"),
            Err(Problem::Fault(fault)) => {
                let status = StatusCode::from_u16(fault.row().http_status);
                let unknown = StatusCode::INTERNAL_SERVER_ERROR;
                (status.unwrap_or(unknown), self.t.fault(&fault))
            }
            Err(Problem::Forbidden) => (StatusCode::FORBIDDEN, self.t.forbidden),
            Err(Problem::Form) => (StatusCode::FORBIDDEN, self.t.form_expired),
            Err(Problem::NotFound) => (StatusCode::NOT_FOUND, self.t.not_found),
            Err(Problem::Unchanged(why)) => (StatusCode::CONFLICT, why),
        };
        show(&MessagePage { f: self.frame(None), message }, status)
    }
}

/// Puts the headers on every answer, keeps the chosen language, and refuses
/// forms that another site sent.
pub(super) async fn pass(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let foreign = request.method() == Method::POST && is_foreign(request.headers());
    let chosen = chosen(request.query_string());
    let live = is_live(request.path());
    let hsts = request.app_data::<Console>().map_or(0, Console::hsts_seconds);
    let mut response = if foreign {
        let (request, _) = request.into_parts();
        let visit = Visit::extract(&request).await;
        let page = visit.map(|visit| visit.answer(Err(Problem::Form)));
        let page = page.unwrap_or_else(|_| HttpResponse::Forbidden().finish());
        ServiceResponse::new(request, page).map_into_left_body()
    } else {
        next.call(request).await?.map_into_right_body()
    };
    if let Some(lang) = chosen {
        let mut cookie = cookie(LANGUAGE, lang.code());
        cookie.set_max_age(Duration::days(365));
        response.response_mut().add_cookie(&cookie)?;
    }
    let headers = response.headers_mut();
    for (name, value) in &HEADERS {
        headers.insert(name.clone(), HeaderValue::from_static(value));
    }
    if live {
        let policy = HeaderValue::from_static(LIVE_POLICY);
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let (1.., Ok(value)) = (hsts, HeaderValue::from_str(&format!("max-age={hsts}"))) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    Ok(response)
}

/// A cookie only this host is sent back, only over TLS, and no script sees.
pub(super) fn cookie(name: &'static str, value: &str) -> Cookie<'static> {
    Cookie::build(name, value.to_owned())
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .finish()
}

/// The same cookie, forgotten.
pub(super) fn forgotten(name: &'static str) -> Cookie<'static> {
    let mut cookie = cookie(name, "");
    cookie.make_removal();
    cookie
}

/// Look there instead, with GET.
pub(super) fn see(place: &'static str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish()
}

/// A form or query that cannot be read. The reader's own words are not shown: they may
/// quote what was typed.
pub(super) fn odd_form(request: &HttpRequest) -> HttpResponse {
    let Some(console) = request.app_data::<Console>() else {
        return HttpResponse::BadRequest().finish();
    };
    let visit = Visit::read(console, request);
    let message = visit.t.form_odd;
    show(&MessagePage { f: visit.frame(None), message }, StatusCode::BAD_REQUEST)
}

/// Browsers say where a request was made; an old one that does not is left to the form token.
fn is_foreign(headers: &header::HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_some_and(|site| site != b"same-origin" && site != b"none")
}

/// Pages that bring themselves anew.
fn is_live(path: &str) -> bool {
    path == "/overview" || path.starts_with("/trace/replays/")
}

/// htmx says that it asks.
fn came(headers: &header::HeaderMap) -> Came {
    match headers.contains_key("hx-request") {
        true => Came::ByItself,
        false => Came::ByHand,
    }
}

fn chosen(query: &str) -> Option<Lang> {
    query.split('&').find_map(|pair| Lang::parse(pair.strip_prefix("lang=")?))
}

/// This page again, ready for `lang=`; a page that answers a form leads to the search.
fn here(request: &HttpRequest) -> String {
    if request.method() != Method::GET {
        let place = match request.path() {
            "/sign-in" => "/sign-in",
            path if path.starts_with("/invitation/") => path,
            path if path.starts_with("/policies/") => "/policies/proposal",
            path if path.starts_with("/trace/") => "/trace",
            path if path.starts_with("/review/") => "/review",
            _ => "/ledger",
        };
        return format!("{place}?");
    }
    // A browser reads `//name` and `/\name` as another host.
    if request.path().starts_with("//") || request.path().contains('\\') {
        return "/?".to_owned();
    }
    let kept: Vec<_> = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("lang="))
        .collect();
    match kept.is_empty() {
        true => format!("{}?", request.path()),
        false => format!("{}?{}&", request.path(), kept.join("&")),
    }
}
