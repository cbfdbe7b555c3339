//! 线路, one way out by HTTPS with mutual TLS.
//!
//! Bytes of a release go out, bytes come back; what either means is not known here.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::{Client, Url, header, redirect};
use rustls::ClientConfig;

use super::circuit::Reading;
use super::gate::{Gate, Limits, LineError, SetUpError};

/// What goes out: a media type, and the bytes.
pub type Body<'a> = (&'a str, Vec<u8>);

/// The client of one address.
#[derive(Debug)]
pub struct Post {
    endpoint: Url,
    client: Client,
    reply_bytes_max: usize,
}

impl Post {
    /// Prepares the client; nothing is sent. `path` is put behind the url.
    ///
    /// # Errors
    /// [`SetUpError`] if the settings make no client.
    pub fn new(
        (url, path): (&str, &str),
        limits: &Limits,
        tls: ClientConfig,
    ) -> Result<Self, SetUpError> {
        let endpoint = endpoint(url, path).ok_or(SetUpError::Url)?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            // A redirect could lead a person's number to a host nobody decided on.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_millis(limits.connect_timeout_ms))
            .pool_max_idle_per_host(limits.in_flight_max)
            .build()
            .map_err(|_| SetUpError::Client)?;
        Ok(Self { endpoint, client, reply_bytes_max: limits.reply_bytes_max })
    }

    /// Sends a body and returns the answer, whatever its status.
    ///
    /// # Errors
    /// [`LineError`] if there is none.
    pub async fn exchange(
        &self,
        (media, body): Body<'_>,
        headers: &[(&'static str, String)],
    ) -> Result<(u16, Vec<u8>), LineError> {
        let mut request = self
            .client
            .post(self.endpoint.clone())
            .header(header::CONTENT_TYPE, media)
            .header(header::ACCEPT, media.split(';').next().unwrap_or(media))
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut response = request.send().await.map_err(|error| classify(&error))?;
        let (status, good) = (response.status().as_u16(), response.status().is_success());
        let limit = self.reply_bytes_max;
        // What an error says beside its status is not worth a failure of its own.
        let too_long = |read| if good { Err(LineError::TooLarge) } else { Ok((status, read)) };
        let announced = response.content_length().map(usize::try_from);
        if announced.is_some_and(|length| length.is_err() || length.is_ok_and(|n| n > limit)) {
            return too_long(Vec::new());
        }
        let mut reply = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
            if chunk.len() > limit - reply.len() {
                return too_long(reply);
            }
            reply.extend_from_slice(&chunk);
        }
        Ok((status, reply))
    }
}

/// One way out: the client behind its gate.
#[derive(Debug)]
pub struct Line {
    pub(super) gate: Gate,
    post: Post,
}

impl Line {
    /// Prepares the client; nothing is sent. `path` is put behind the url.
    ///
    /// # Errors
    /// [`SetUpError`] if the settings make no client.
    pub fn new(place: (&str, &str), limits: Limits, tls: ClientConfig) -> Result<Self, SetUpError> {
        Ok(Self { gate: Gate::new(limits)?, post: Post::new(place, &limits, tls)? })
    }

    /// Its limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        self.gate.limits()
    }

    /// Its state now, for the overview.
    #[must_use]
    pub fn reading(&self, now_ms: i64) -> Reading {
        self.gate.reading(now_ms)
    }

    /// Sends a body and returns that of an answer of success. `now_ms` is the clock when the
    /// question began.
    ///
    /// # Errors
    /// [`LineError`].
    pub async fn post(
        &self,
        body: Body<'_>,
        headers: &[(&'static str, String)],
        now_ms: i64,
    ) -> Result<Vec<u8>, LineError> {
        match self.ask(body, headers, now_ms).await? {
            (200..300, reply) => Ok(reply),
            (status, _) => Err(LineError::Status(status)),
        }
    }

    /// Sends a body and returns the answer, whatever its status.
    ///
    /// # Errors
    /// [`LineError`] if there is none.
    pub async fn ask(
        &self,
        body: Body<'_>,
        headers: &[(&'static str, String)],
        now_ms: i64,
    ) -> Result<(u16, Vec<u8>), LineError> {
        let is_down = |(status, _): &(u16, Vec<u8>)| LineError::Status(*status).is_down();
        self.gate.pass(self.post.exchange(body, headers), (is_down, now_ms)).await
    }
}

pub(super) fn endpoint(url: &str, path: &str) -> Option<Url> {
    let base = Url::parse(url).ok()?;
    let plain = base.query().is_none()
        && base.fragment().is_none()
        && base.username().is_empty()
        && base.password().is_none();
    let full = format!("{}{path}", base.as_str().trim_end_matches('/'));
    (base.scheme() == "https" && plain).then(|| Url::parse(&full).ok()).flatten()
}

fn classify(error: &reqwest::Error) -> LineError {
    if error.is_timeout() {
        return LineError::Timeout;
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if inner.is::<rustls::Error>() {
            return LineError::Tls;
        }
        cause = beneath(inner);
    }
    if error.is_connect() { LineError::Unreachable } else { LineError::Broken }
}

/// What caused an error. An I/O error does not name what it wraps as its source.
fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match wrapped {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
