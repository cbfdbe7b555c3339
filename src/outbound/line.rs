//! 线路, one way out by HTTPS with mutual TLS: limits, time, and a circuit that opens.
//!
//! Bytes of a release go out, bytes come back; what either means is not known here.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use reqwest::{Client, Url, header, redirect};
use rustls::ClientConfig;
use tokio::sync::Semaphore;

use super::circuit::{Circuit, Reading, Refused};
use crate::vocabulary::Fault;

/// The limits of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long one exchange may take in all, in milliseconds.
    pub timeout_ms: u64,
    /// How long connecting may take, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How many bytes an answer may have.
    pub reply_bytes_max: usize,
    /// How many exchanges may be on their way at once; more wait.
    pub in_flight_max: usize,
    /// After how many failures in a row the other side is left alone.
    pub failures_max: u32,
    /// For how long, in milliseconds.
    pub open_ms: i64,
}

/// Why a line cannot be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetUpError {
    /// The HTTP client refused its settings.
    #[error("the client cannot be built")]
    Client,
    /// A limit of nothing would let nothing through.
    #[error("{0} must be above zero")]
    Limit(&'static str),
    /// The url is none, or not `https`.
    #[error("url must be of the form https://host:port and hold no user or query")]
    Url,
}

/// Why the other side did not answer. Nothing of what was sent or came back is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The connection broke, or what came is not HTTP.
    #[error("the connection broke")]
    Broken,
    /// Too many exchanges are on their way, and none ended in time.
    #[error("too many exchanges are on their way")]
    Busy,
    /// The release was decided for another department; nothing was sent.
    #[error("the release is not for this department")]
    Misdirected,
    /// It failed repeatedly; nothing was sent.
    #[error(transparent)]
    Open(#[from] Refused),
    /// It answered with a status of no success.
    #[error("the other side answered with status {0}")]
    Status(u16),
    /// It took longer than it may.
    #[error("the other side did not answer in time")]
    Timeout,
    /// One side does not accept the other's certificate.
    #[error("the TLS handshake failed")]
    Tls,
    /// The answer is longer than it may be.
    #[error("the answer is too long")]
    TooLarge,
    /// No connection could be made.
    #[error("the other side cannot be reached")]
    Unreachable,
}

impl LineError {
    /// What the asker is told, where the purpose allows no older answer.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Misdirected => Fault::Internal,
            _ => Fault::UpstreamUnavailable,
        }
    }

    /// Whether it says that the other side is down; a refusal says that it is up.
    const fn is_down(self) -> bool {
        match self {
            Self::Broken | Self::Timeout | Self::Tls | Self::Unreachable => true,
            Self::Status(code) => code >= 500,
            Self::Busy | Self::Misdirected | Self::Open(_) | Self::TooLarge => false,
        }
    }
}

/// What goes out: a media type, and the bytes.
pub type Body = (&'static str, Vec<u8>);

/// One way out.
#[derive(Debug)]
pub struct Line {
    limits: Limits,
    endpoint: Url,
    client: Client,
    pub(super) in_flight: Semaphore,
    pub(super) circuit: Circuit,
}

impl Line {
    /// Prepares the client; nothing is sent. `path` is put behind the url.
    ///
    /// # Errors
    /// [`SetUpError`] if the settings make no client.
    pub fn new(
        (url, path): (&str, &str),
        limits: Limits,
        tls: ClientConfig,
    ) -> Result<Self, SetUpError> {
        let zeros = [
            ("timeout_ms", limits.timeout_ms == 0),
            ("connect_timeout_ms", limits.connect_timeout_ms == 0),
            ("reply_bytes_max", limits.reply_bytes_max == 0),
            ("in_flight_max", limits.in_flight_max == 0),
            ("failures_max", limits.failures_max == 0),
        ];
        if let Some((key, _)) = zeros.into_iter().find(|(_, zero)| *zero) {
            return Err(SetUpError::Limit(key));
        }
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
        let in_flight = Semaphore::new(limits.in_flight_max.min(Semaphore::MAX_PERMITS));
        let circuit = Circuit::new(limits.failures_max, limits.open_ms);
        Ok(Self { limits, endpoint, client, in_flight, circuit })
    }

    /// Its limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Its state now, for the overview.
    #[must_use]
    pub fn reading(&self, now_ms: i64) -> Reading {
        self.circuit.reading(now_ms)
    }

    /// Whether nothing can be sent now.
    #[must_use]
    pub fn rests(&self, now_ms: i64) -> bool {
        self.circuit.rests(now_ms)
    }

    /// Sends a body and returns that of an answer of success. `now_ms` is the clock when the
    /// question began.
    ///
    /// # Errors
    /// [`LineError`].
    pub async fn post(
        &self,
        body: Body,
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
        body: Body,
        headers: &[(&'static str, String)],
        now_ms: i64,
    ) -> Result<(u16, Vec<u8>), LineError> {
        let began = Instant::now();
        let permit = self.circuit.enter(now_ms)?;
        let limit = Duration::from_millis(self.limits.timeout_ms);
        let answered = match tokio::time::timeout(limit, self.in_flight.acquire()).await {
            Ok(Ok(_place)) => {
                let rest = limit.saturating_sub(began.elapsed());
                let exchange = tokio::time::timeout(rest, self.exchange(body, headers));
                exchange.await.unwrap_or(Err(LineError::Timeout))
            }
            // Nothing was sent, so the permit is given back and nothing counted.
            _ => return Err(LineError::Busy),
        };
        let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let ended_ms = now_ms.saturating_add(took);
        let down = match &answered {
            Ok((status, _)) => LineError::Status(*status).is_down(),
            Err(error) => error.is_down(),
        };
        if down {
            permit.failed(ended_ms)
        } else {
            permit.succeeded(ended_ms)
        }
        answered
    }

    async fn exchange(
        &self,
        (media, body): Body,
        headers: &[(&'static str, String)],
    ) -> Result<(u16, Vec<u8>), LineError> {
        let mut request = self
            .client
            .post(self.endpoint.clone())
            .header(header::CONTENT_TYPE, media)
            .header(header::ACCEPT, media)
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut response = request.send().await.map_err(|error| classify(&error))?;
        let (status, good) = (response.status().as_u16(), response.status().is_success());
        let limit = self.limits.reply_bytes_max;
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
