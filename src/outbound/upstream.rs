//! One upstream system behind HTTPS with mutual TLS.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use reqwest::{Client, Url, header, redirect};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::circuit::{Circuit, Reading, Refused};
use super::tls::TlsFiles;
use crate::policy::Release;
use crate::registry::{self, Registry};
use crate::vocabulary::{Department, Fault, Source};

/// Settings of one upstream. Name, url, department and files have no default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name in records, answers and metrics.
    pub name: Source,
    /// Where it listens: `https://host:port`, optionally with a path.
    pub url: String,
    /// As which department it is told whom a question is about.
    pub department: Department,
    /// The dialect it speaks, and that its records are mapped by: `platform-json`,
    /// `civil-json`, `v3-regional`, `v3-hospital`. Default `platform-json`.
    #[serde(default = "default::dialect")]
    pub dialect: String,
    /// Certificates and key.
    pub tls: TlsFiles,
    /// How long one look-up may take in all, in milliseconds. Default 2000.
    #[serde(default = "default::timeout_ms")]
    pub timeout_ms: u64,
    /// How long connecting may take, in milliseconds. Default 500.
    #[serde(default = "default::connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// How many bytes an answer may have. Default 1048576.
    #[serde(default = "default::reply_bytes_max")]
    pub reply_bytes_max: usize,
    /// How many look-ups may be on their way at once; more wait. Default 32.
    #[serde(default = "default::in_flight_max")]
    pub in_flight_max: usize,
    /// After how many failures in a row it is left alone. Default 5.
    #[serde(default = "default::failures_max")]
    pub failures_max: u32,
    /// For how long, in milliseconds. Default 10000.
    #[serde(default = "default::open_ms")]
    pub open_ms: i64,
}

/// The defaults of [`Settings`], as serde asks for them.
mod default {
    pub fn dialect() -> String {
        "platform-json".to_owned()
    }
    pub const fn timeout_ms() -> u64 {
        2_000
    }
    pub const fn connect_timeout_ms() -> u64 {
        500
    }
    pub const fn reply_bytes_max() -> usize {
        1 << 20
    }
    pub const fn in_flight_max() -> usize {
        32
    }
    pub const fn failures_max() -> u32 {
        5
    }
    pub const fn open_ms() -> i64 {
        10_000
    }
}

/// Why an upstream cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The HTTP client refused its settings.
    #[error("upstream {0}: the client cannot be built")]
    Client(Source),
    /// A limit of nothing would answer nothing.
    #[error("upstream {name}: {key} must be above zero")]
    Limit {
        /// Which upstream.
        name: Source,
        /// Which key.
        key: &'static str,
    },
    /// The url is none, or not `https`.
    #[error("upstream {0}: url must be of the form https://host:port and hold no user or query")]
    Url(Source),
}

/// Why an upstream did not answer. Nothing of the question or the answer is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// The connection broke, or what came is not HTTP.
    #[error("the connection to the upstream broke")]
    Broken,
    /// Too many look-ups are on their way, and none ended in time.
    #[error("too many look-ups are on their way to the upstream")]
    Busy,
    /// The release was decided for another department; nothing was sent.
    #[error("the release is not for this upstream")]
    Misdirected,
    /// It failed repeatedly; nothing was sent.
    #[error(transparent)]
    Open(#[from] Refused),
    /// It answered with another status than 200.
    #[error("the upstream answered with status {0}")]
    Status(u16),
    /// It took longer than it may.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// One side does not accept the other's certificate.
    #[error("the TLS handshake with the upstream failed")]
    Tls,
    /// The answer is longer than it may be.
    #[error("the answer of the upstream is too long")]
    TooLarge,
    /// No connection could be made.
    #[error("the upstream cannot be reached")]
    Unreachable,
}

impl UpstreamError {
    /// What the asker is told, where the purpose allows no older answer.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Misdirected => Fault::Internal,
            _ => Fault::UpstreamUnavailable,
        }
    }

    /// Whether it says that the upstream is down; a refusal says that it is up.
    const fn is_down(self) -> bool {
        match self {
            Self::Broken | Self::Timeout | Self::Tls | Self::Unreachable => true,
            Self::Status(code) => code >= 500,
            Self::Busy | Self::Misdirected | Self::Open(_) | Self::TooLarge => false,
        }
    }
}

/// A question on its way: its media type and its bytes.
type Body = (&'static str, Vec<u8>);

/// The client of one upstream. Files that changed make a new one.
#[derive(Debug)]
pub struct Upstream {
    settings: Settings,
    endpoint: Url,
    client: Client,
    in_flight: Semaphore,
    circuit: Circuit,
}

impl Upstream {
    /// Prepares the client; nothing is sent.
    ///
    /// # Errors
    /// [`SettingsError`] if the settings make no client.
    pub fn new(settings: Settings, tls: ClientConfig) -> Result<Self, SettingsError> {
        let name = settings.name;
        let limits = [
            ("timeout_ms", settings.timeout_ms == 0),
            ("connect_timeout_ms", settings.connect_timeout_ms == 0),
            ("reply_bytes_max", settings.reply_bytes_max == 0),
            ("in_flight_max", settings.in_flight_max == 0),
            ("failures_max", settings.failures_max == 0),
        ];
        if let Some((key, _)) = limits.into_iter().find(|(_, zero)| *zero) {
            return Err(SettingsError::Limit { name, key });
        }
        let path = registry::find(&settings.dialect).map_or("", |dialect| dialect.path());
        let endpoint = endpoint(&settings.url, path).ok_or(SettingsError::Url(name))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            // A redirect could lead a person's number to a host nobody decided on.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .pool_max_idle_per_host(settings.in_flight_max)
            .build()
            .map_err(|_| SettingsError::Client(name))?;
        let in_flight = Semaphore::new(settings.in_flight_max.min(Semaphore::MAX_PERMITS));
        let circuit = Circuit::new(settings.failures_max, settings.open_ms);
        Ok(Self { settings, endpoint, client, in_flight, circuit })
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> Source {
        self.settings.name
    }

    /// As which department it is told whom a question is about.
    #[must_use]
    pub const fn department(&self) -> Department {
        self.settings.department
    }

    /// The dialect it speaks.
    #[must_use]
    pub fn dialect(&self) -> &str {
        &self.settings.dialect
    }

    /// Its state now, for the overview.
    #[must_use]
    pub fn reading(&self, now_ms: i64) -> Reading {
        self.circuit.reading(now_ms)
    }

    /// Asks what the upstream has about the person of a release that was decided for it,
    /// as many questions as the dialect needs.
    ///
    /// `dialect` writes the questions; `now_ms` is the clock when the first begins. The
    /// answers' bytes are not yet read.
    ///
    /// # Errors
    /// [`UpstreamError`]; with all but [`UpstreamError::Misdirected`] an older answer may do.
    pub async fn look_up(
        &self,
        release: &Release,
        dialect: &dyn Registry,
        now_ms: i64,
    ) -> Result<Vec<Vec<u8>>, UpstreamError> {
        if release.scope().department() != self.settings.department {
            return Err(UpstreamError::Misdirected);
        }
        let mut replies = Vec::new();
        let began = Instant::now();
        loop {
            let next = dialect.next(release, &replies);
            let Some(body) = next.map_err(|_| UpstreamError::Broken)? else { return Ok(replies) };
            let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
            let reply = self.post((dialect.media(), body), now_ms.saturating_add(took)).await?;
            replies.push(reply);
        }
    }

    /// Sends a body and returns the answer's. `now_ms` is the clock when the question began.
    async fn post(&self, body: Body, now_ms: i64) -> Result<Vec<u8>, UpstreamError> {
        let began = Instant::now();
        let permit = self.circuit.enter(now_ms)?;
        let limit = Duration::from_millis(self.settings.timeout_ms);
        let answered = match tokio::time::timeout(limit, self.in_flight.acquire()).await {
            Ok(Ok(_place)) => {
                let rest = limit.saturating_sub(began.elapsed());
                let exchange = tokio::time::timeout(rest, self.exchange(body));
                exchange.await.unwrap_or(Err(UpstreamError::Timeout))
            }
            // Nothing was sent, so the permit is given back and nothing counted.
            _ => return Err(UpstreamError::Busy),
        };
        let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let ended_ms = now_ms.saturating_add(took);
        match answered {
            Err(error) if error.is_down() => permit.failed(ended_ms),
            _ => permit.succeeded(ended_ms),
        }
        answered
    }

    async fn exchange(&self, (media, body): Body) -> Result<Vec<u8>, UpstreamError> {
        let request = self
            .client
            .post(self.endpoint.clone())
            .header(header::CONTENT_TYPE, media)
            .header(header::ACCEPT, media)
            // SOAP 1.1 section 6.1.1 wants the header; nobody else minds it.
            .header("SOAPAction", "\"\"")
            .body(body);
        let mut response = request.send().await.map_err(|error| classify(&error))?;
        if response.status() != 200 {
            return Err(UpstreamError::Status(response.status().as_u16()));
        }
        let limit = self.settings.reply_bytes_max;
        let announced = response.content_length().map(usize::try_from);
        if announced.is_some_and(|length| length.is_err() || length.is_ok_and(|n| n > limit)) {
            return Err(UpstreamError::TooLarge);
        }
        let mut reply = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
            if chunk.len() > limit - reply.len() {
                return Err(UpstreamError::TooLarge);
            }
            reply.extend_from_slice(&chunk);
        }
        Ok(reply)
    }
}

fn endpoint(url: &str, path: &str) -> Option<Url> {
    let base = Url::parse(url).ok()?;
    let plain = base.query().is_none()
        && base.fragment().is_none()
        && base.username().is_empty()
        && base.password().is_none();
    let full = format!("{}{path}", base.as_str().trim_end_matches('/'));
    (base.scheme() == "https" && plain).then(|| Url::parse(&full).ok()).flatten()
}

fn classify(error: &reqwest::Error) -> UpstreamError {
    if error.is_timeout() {
        return UpstreamError::Timeout;
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if inner.is::<rustls::Error>() {
            return UpstreamError::Tls;
        }
        cause = beneath(inner);
    }
    if error.is_connect() { UpstreamError::Unreachable } else { UpstreamError::Broken }
}

/// What caused an error. An I/O error does not name what it wraps as its source.
fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match wrapped {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
